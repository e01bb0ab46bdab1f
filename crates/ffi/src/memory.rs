//! When freed memory goes back to the system.

use core::ffi::c_long;
use core::time::Duration;

use libmimalloc_sys as sys;

/// mimalloc's `mi_option_purge_delay`, which the crate has no name for: it lies between
/// `mi_option_eager_commit_delay` and `mi_option_use_numa_nodes`.
const PURGE_DELAY: sys::mi_option_t = sys::mi_option_use_numa_nodes - 1;

/// Asks mimalloc to keep freed memory for so long before the system gets it back, of the whole
/// process, from here on. What is needed again within this time costs no page fault.
/// `MIMALLOC_PURGE_DELAY` in the environment wins, as the operator's word. Without effect where
/// another allocator serves the program.
pub fn keep_freed(time: Duration) {
    let millis = c_long::try_from(time.as_millis()).unwrap_or(c_long::MAX);
    // SAFETY: mimalloc checks the number of the option, any value is good, and both calls may be
    // made from any thread at any time.
    unsafe { sys::mi_option_set_default(PURGE_DELAY, millis) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_option_is_the_one_that_is_meant() {
        // SAFETY: it only reads.
        let delay = || unsafe { sys::mi_option_get(PURGE_DELAY) };
        assert_eq!(delay(), 1_000, "mimalloc 3 gives memory back after a second");
        keep_freed(Duration::from_secs(7));
        assert_eq!(delay(), 7_000);
    }
}
