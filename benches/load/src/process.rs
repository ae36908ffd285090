//! What another process has used, as the kernel counts it.

use std::{fs, time::Duration};

use tokio::time::{Instant, sleep_until};

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

/// For so long a process is looked at to see what it uses at a time.
const WINDOW: Duration = Duration::from_millis(200);

/// Waits, and tells meanwhile how many processors the process used in each of the windows of that time: where a machine is
/// disturbed now and then, the median of them is what the process uses without that.
pub(crate) async fn watch(process: Option<u32>, lasts: Duration) -> Vec<f64> {
    let end = Instant::now() + lasts;
    let mut windows = Vec::new();
    let look = || (Instant::now(), process.and_then(ran));
    let mut before = look();
    while before.0 < end {
        sleep_until(end.min(before.0 + WINDOW)).await;
        let after = look();
        if let (Some(ran), Some(ran_before)) = (after.1, before.1) {
            let span = (after.0 - before.0).as_secs_f64();
            windows.push(ran.saturating_sub(ran_before).as_secs_f64() / span);
        }
        before = after;
    }
    windows
}

/// How long the threads that a process has now have run, to the nanosecond, where the kernel tells.
fn ran(process: u32) -> Option<Duration> {
    let threads = fs::read_dir(format!("/proc/{process}/task")).ok()?;
    let of = |thread: fs::DirEntry| -> Option<Duration> {
        let times = fs::read_to_string(thread.path().join("schedstat")).ok()?;
        let nanoseconds = times.split(' ').next()?.parse().ok()?;
        Some(Duration::from_nanos(nanoseconds))
    };
    // One may have ended meanwhile.
    Some(threads.flatten().filter_map(of).sum())
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

    #[tokio::test]
    async fn a_busy_process_is_seen_to_use_processors() {
        let end = std::time::Instant::now() + Duration::from_millis(700);
        let busy = std::thread::spawn(move || while std::time::Instant::now() < end {});
        let windows = watch(Some(std::process::id()), Duration::from_millis(600)).await;
        busy.join().unwrap();
        assert!(windows.len() >= 2 && windows.iter().any(|used| *used > 0.05));
        assert!(watch(Some(u32::MAX), WINDOW).await.is_empty());
    }
}
