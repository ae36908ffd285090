//! Memory that is needed soon: fetched while other work is done, as thousands of legs don't stay in the cache from tick to tick.
#![allow(unsafe_code)] // no safe function asks a processor to fetch

use std::ptr;

/// Fetches what lies there, or where the first one would, if there is none.
pub(crate) fn fetch<T>(there: &[T]) {
    let start = there.as_ptr().cast();
    fetch_bytes(start, size_of_val(there));
}

/// Fetches one value.
pub(crate) fn fetch_one<T>(there: &T) {
    fetch(std::slice::from_ref(there));
}

/// Fetches what lies from one field of a struct to another one behind it.
pub(crate) fn fetch_from<A, B>(first: &A, behind: &B) {
    let (start, end) = (ptr::from_ref(first).cast(), ptr::from_ref(behind).addr());
    fetch_bytes(start, end.saturating_sub(start.addr()));
}

#[cfg(target_arch = "x86_64")]
fn fetch_bytes(start: *const i8, bytes: usize) {
    use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
    /// What comes into the cache at once.
    const LINE: usize = 64;
    let into_line = start.addr() % LINE;
    for at in (0..into_line + bytes.max(1)).step_by(LINE) {
        // SAFETY: it is a hint. It changes nothing that the program can see and faults nowhere, whatever the address is.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(start.wrapping_add(at)) };
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn fetch_bytes(_start: *const i8, _bytes: usize) {}
