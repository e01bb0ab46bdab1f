//! The clocks: the only place where time is read.

use model::{Mono, Now, Wall};
use nix::time::{ClockId, clock_gettime};

/// Both clocks, read once for a batch of inputs.
pub(crate) fn now() -> Now {
    Now { mono: mono(), wall: wall() }
}

/// `CLOCK_MONOTONIC` in microseconds: the clock that timer descriptors use too.
pub(crate) fn mono() -> Mono {
    let (seconds, micros) = read(ClockId::CLOCK_MONOTONIC);
    Mono(u64::try_from(seconds * 1_000_000 + micros).unwrap_or(0))
}

/// The wall clock.
pub(crate) fn wall() -> Wall {
    let (seconds, micros) = read(ClockId::CLOCK_REALTIME);
    Wall(seconds * 1_000_000 + micros)
}

fn read(clock: ClockId) -> (i64, i64) {
    let time = clock_gettime(clock).expect("Linux has both clocks");
    (time.tv_sec(), time.tv_nsec() / 1_000)
}

/// Whole milliseconds until `deadline`, rounded up so that the wait never ends before it; at most
/// `max_ms`.
pub(crate) fn wait_ms(now: Mono, deadline: Option<Mono>, max_ms: u16) -> u16 {
    let Some(deadline) = deadline else { return max_ms };
    let left_us = deadline.0.saturating_sub(now.0);
    u16::try_from(left_us.div_ceil(1_000)).unwrap_or(max_ms).min(max_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clocks_advance() {
        let a = now();
        let b = now();
        assert!(b.mono >= a.mono && a.mono.0 > 0);
        assert!(a.wall.seconds() > 1_700_000_000);
    }

    #[test]
    fn a_wait_is_rounded_up_and_bounded() {
        assert_eq!(wait_ms(Mono(1_000), Some(Mono(1_001)), 500), 1);
        assert_eq!(wait_ms(Mono(1_000), Some(Mono(3_000)), 500), 2);
        assert_eq!(wait_ms(Mono(1_000), Some(Mono(1_000)), 500), 0);
        assert_eq!(wait_ms(Mono(9_000), Some(Mono(1_000)), 500), 0);
        assert_eq!(wait_ms(Mono(0), Some(Mono(u64::MAX)), 500), 500);
        assert_eq!(wait_ms(Mono(0), None, 500), 500);
    }
}
