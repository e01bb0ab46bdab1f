//! Time intervals: when a rule holds (API reference 9, decision 20).

use core::fmt;

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::ids::IntervalId;

/// A named set of times: active while one of its conditions holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interval {
    /// Unique on the installation.
    pub id: IntervalId,
    /// For people.
    pub name: Box<str>,
    /// The zone in which its days and times are meant.
    pub zone: Zone,
    /// One of them must hold; none: never active.
    pub conditions: Vec<Condition>,
}

/// A time zone of the tz database by its name, `Europe/Moscow`.
#[derive(Clone)]
pub struct Zone(TimeZone);

impl Zone {
    /// Finds a zone by its IANA name in the bundled database; `None`: there is none.
    pub fn parse(name: &str) -> Option<Zone> {
        let zone = jiff::tz::db().get(name).ok()?;
        zone.iana_name().is_some().then_some(Zone(zone))
    }

    /// UTC.
    pub fn utc() -> Zone {
        Zone(TimeZone::UTC)
    }

    /// The name.
    pub fn name(&self) -> &str {
        self.0.iana_name().unwrap_or("UTC")
    }

    /// The zone with its rules.
    pub fn rules(&self) -> &TimeZone {
        &self.0
    }
}

impl PartialEq for Zone {
    fn eq(&self, other: &Zone) -> bool {
        self.name() == other.name()
    }
}

impl Eq for Zone {}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What must hold together. Of what is `None` nothing is asked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Condition {
    /// First and last day of the week, 1 = Sunday to 7 = Saturday; the first may be the greater:
    /// 3 to 1 is every day but Monday.
    pub days_of_week: Option<(u8, u8)>,
    /// First and last day of the month, 1 to 31.
    pub days_of_month: Option<(u8, u8)>,
    /// The month, 1 to 12.
    pub month: Option<u8>,
    /// First and last second of the day. A first that is the greater crosses midnight, and what
    /// comes after it belongs to the day on which it began.
    pub times: Option<(Time, Time)>,
    /// First and last second; nothing else is asked then.
    pub datetimes: Option<(DateTime, DateTime)>,
    /// A shift schedule.
    pub schedule: Option<Schedule>,
}

/// Working days and days off in turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    /// The first working day.
    pub start: Date,
    /// Working days on end, at least 1.
    pub active_days: u16,
    /// Days off before the next.
    pub skip_days: u16,
}

/// Why a condition cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} {why}")]
pub struct BadCondition {
    /// The field, as the API names it.
    pub field: &'static str,
    /// What is wrong with it.
    pub why: &'static str,
}

impl Condition {
    /// Checks ranges and what must be set together.
    pub fn check(&self) -> Result<(), BadCondition> {
        let bad = |field, why| Err(BadCondition { field, why });
        if *self == Condition::default() {
            return bad("conditions", "must not be empty");
        }
        let week = |d: u8| (1..=7).contains(&d);
        if self.days_of_week.is_some_and(|(a, b)| !week(a) || !week(b)) {
            return bad("start_dow", "and end_dow must be 1 (Sunday) to 7 (Saturday)");
        }
        let day = |d: u8| (1..=31).contains(&d);
        if self.days_of_month.is_some_and(|(a, b)| !day(a) || !day(b) || a > b) {
            return bad("start_mday", "and end_mday must be 1 to 31, the end not before the start");
        }
        if self.month.is_some_and(|m| !(1..=12).contains(&m)) {
            return bad("month", "must be 1 to 12");
        }
        if self.datetimes.is_some_and(|(a, b)| a > b) {
            return bad("end_datetime", "must not be before start_datetime");
        }
        if self.schedule.is_some_and(|s| s.active_days == 0) {
            return bad("sched_active_days", "must be at least 1");
        }
        Ok(())
    }
}
