//! Who goes first when the processor is wanted by many: a packet is late where other work is merely slower.
#![allow(unsafe_code)] // no safe function of the dependencies that are here sets a thread's niceness

use std::io;

/// Sets the niceness of the calling thread, from -20 (before all others) to 19.
///
/// # Errors
/// The system doesn't allow it: below 0 it wants a privilege or a limit of this process (`RLIMIT_NICE`).
#[cfg(target_os = "linux")]
pub(crate) fn set_niceness(niceness: i8) -> io::Result<()> {
    // Where who is meant has the number 0 it is the calling thread, and no other one of its process.
    let (which, who) = (libc::PRIO_PROCESS as _, 0);
    // SAFETY: it takes numbers alone.
    match unsafe { libc::setpriority(which, who, niceness.into()) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Elsewhere niceness belongs to whole processes.
#[cfg(not(target_os = "linux"))]
pub(crate) fn set_niceness(_niceness: i8) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;

    /// The 19th field of what the kernel says of the calling thread.
    fn niceness() -> i8 {
        let told = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
        let (_, after_name) = told.rsplit_once(") ").unwrap();
        after_name.split(' ').nth(16).unwrap().parse().unwrap()
    }

    #[test]
    fn the_thread_alone_is_set() {
        let before = niceness();
        // Anybody may be nicer.
        let set = move || set_niceness(before + 3).map(|()| niceness());
        let thread = std::thread::spawn(set);
        assert_eq!(thread.join().unwrap().unwrap(), before + 3);
        assert_eq!(niceness(), before);
    }
}
