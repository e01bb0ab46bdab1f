//! Time as a value. Only `node` and the simulator make a [`Now`]; everything else is told.

use core::fmt;
use core::ops::{Add, Sub};
use core::time::Duration;

use serde::{Deserialize, Serialize};

/// A moment of the monotonic clock, in microseconds since an arbitrary start.
///
/// All deadlines and durations are measured with it; it never jumps.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Mono(pub u64);

/// A moment of the wall clock, in microseconds since the Unix epoch.
///
/// For people, time intervals and call records; it may jump in either direction.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Wall(pub i64);

/// Both clocks, read once for a batch of inputs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Now {
    /// For deadlines and durations.
    pub mono: Mono,
    /// For people.
    pub wall: Wall,
}

impl Mono {
    /// The time from `earlier` to `self`; zero if `earlier` is later.
    pub fn since(self, earlier: Mono) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Mono {
    type Output = Mono;
    fn add(self, d: Duration) -> Mono {
        Mono(self.0.saturating_add(u64::try_from(d.as_micros()).unwrap_or(u64::MAX)))
    }
}

impl Sub<Mono> for Mono {
    type Output = Duration;
    fn sub(self, earlier: Mono) -> Duration {
        self.since(earlier)
    }
}

impl Wall {
    /// Whole seconds since the Unix epoch, rounded down.
    pub fn seconds(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// Hundredths of a second within the second, 0 to 99.
    pub fn hundredths(self) -> u8 {
        u8::try_from(self.0.rem_euclid(1_000_000) / 10_000).unwrap_or(0)
    }

    /// Year, month, day, hour, minute, second in UTC (proleptic Gregorian calendar).
    pub fn civil(self) -> (i64, u8, u8, u8, u8, u8) {
        let secs = self.seconds();
        let (days, rest) = (secs.div_euclid(86_400), secs.rem_euclid(86_400));
        // Howard Hinnant's days-to-civil: years begin in March, so the leap day is the last.
        let z = days + 719_468;
        let era = z.div_euclid(146_097);
        let doe = z.rem_euclid(146_097);
        let yoe = (doe - doe / 1_460 + doe / 36_524 - doe / 146_096) / 365;
        let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
        let mp = (5 * doy + 2) / 153;
        let day = doy - (153 * mp + 2) / 5 + 1;
        let month = if mp < 10 { mp + 3 } else { mp - 9 };
        let year = yoe + era * 400 + i64::from(month <= 2);
        let small = |n: i64| u8::try_from(n).unwrap_or(0);
        (
            year,
            small(month),
            small(day),
            small(rest / 3_600),
            small(rest / 60 % 60),
            small(rest % 60),
        )
    }
}

/// `YYYY-MM-DD HH:MM:SS` in UTC, the form of every date of the HTTP API.
impl fmt::Display for Wall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (y, mo, d, h, mi, s) = self.civil();
        write!(f, "{y:04}-{mo:02}-{d:02} {h:02}:{mi:02}:{s:02}")
    }
}

impl Add<Duration> for Now {
    type Output = Now;
    fn add(self, d: Duration) -> Now {
        let us = u64::try_from(d.as_micros()).unwrap_or(u64::MAX);
        Now {
            mono: Mono(self.mono.0.saturating_add(us)),
            wall: Wall(self.wall.0.saturating_add(i64::try_from(us).unwrap_or(i64::MAX))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wall_prints_utc() {
        assert_eq!(Wall(0).to_string(), "1970-01-01 00:00:00");
        assert_eq!(Wall(1_502_985_686_478_202).to_string(), "2017-08-17 16:01:26");
        assert_eq!(Wall(951_782_400_000_000).to_string(), "2000-02-29 00:00:00");
        assert_eq!(Wall(-1).to_string(), "1969-12-31 23:59:59");
        assert_eq!(Wall(1_502_985_686_478_202).hundredths(), 47);
    }

    #[test]
    fn mono_never_goes_below_zero() {
        assert_eq!(Mono(5).since(Mono(9)), Duration::ZERO);
        assert_eq!(Mono(5) + Duration::from_millis(1), Mono(1_005));
    }
}
