//! What another process has used, as the kernel counts it.

use std::{fs, time::Duration};

use crate::Error;

/// Clock ticks a second in `/proc`: the kernel's interface has this figure on every Linux that we know.
const HERTZ: u64 = 100;

#[derive(Clone, Copy, Default)]
pub(crate) struct Used {
    pub(crate) user: Duration,
    pub(crate) system: Duration,
    /// In KiB.
    pub(crate) resident: u64,
}

/// `None` asks for this process.
pub(crate) fn used(process: Option<u32>) -> Result<Used, Error> {
    let name = process.map_or("self".to_owned(), |process| process.to_string());
    let read = |file: &str| {
        let path = format!("/proc/{name}/{file}");
        fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))
    };
    let stat = read("stat")?;
    // The command's name, in parentheses, may hold anything.
    let fields = stat.rsplit_once(") ").map_or("", |(_, fields)| fields);
    let mut times = fields.split(' ').skip(11);
    let mut time = || -> Result<Duration, Error> {
        let ticks: u64 = times.next().ok_or("/proc: no time")?.parse()?;
        Ok(Duration::from_millis(ticks * 1_000 / HERTZ))
    };
    let (user, system) = (time()?, time()?);
    let status = read("status")?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let resident = line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok());
    Ok(Used {
        user,
        system,
        resident: resident.unwrap_or(0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_uses_something() {
        let before = used(None).unwrap();
        let began = std::time::Instant::now();
        while used(Some(std::process::id())).unwrap().user <= before.user {
            assert!(
                began.elapsed() < Duration::from_secs(30),
                "no time is counted"
            );
        }
        assert!(before.resident > 100);
        assert!(used(Some(u32::MAX)).is_err());
    }
}
