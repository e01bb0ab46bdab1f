//! The turns of threads for which somebody waits.

use std::sync::Once;

use tracing::info;

use crate::limits;

/// Has the kernel give the calling thread short turns, so that once woken it need not wait until
/// the database has finished a longer one on the same core. For threads that carry calls, audio
/// or answers to programs.
pub fn shorten() {
    static SAID: Once = Once::new();
    if let Err(error) = ffi::short_turns(limits::TURN) {
        SAID.call_once(|| info!(%error, "the kernel has no short turns for threads"));
    }
}
