//! When an interval is active (API reference 9, decision 20).

use core::ops::Range;

use jiff::civil::{DateTime, Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, ToSpan};
use model::{Condition, Interval, Schedule, Wall, Zone};

/// A moment that reads itself on the clocks of several zones, the last of them remembered.
#[derive(Debug)]
pub struct Clock {
    wall: Wall,
    read: Option<(Zone, DateTime)>,
}

impl Clock {
    /// A moment.
    pub fn new(wall: Wall) -> Clock {
        Clock { wall, read: None }
    }

    /// Whether an interval is active at this moment.
    pub fn is_active(&mut self, interval: &Interval) -> bool {
        let local = self.read(&interval.zone);
        interval.conditions.iter().any(|condition| holds(condition, local))
    }

    fn read(&mut self, zone: &Zone) -> DateTime {
        match &self.read {
            Some((known, local)) if known == zone => *local,
            _ => {
                let local = local(self.wall, zone.rules());
                self.read = Some((zone.clone(), local));
                local
            }
        }
    }
}

/// Whether an interval is active at a moment.
pub fn is_active(interval: &Interval, wall: Wall) -> bool {
    Clock::new(wall).is_active(interval)
}

/// What the clocks of a zone show at a moment.
fn local(wall: Wall, zone: &TimeZone) -> DateTime {
    let moment = Timestamp::from_second(wall.seconds()).unwrap_or(Timestamp::UNIX_EPOCH);
    zone.to_datetime(moment)
}

/// Whether all that a condition asks for holds. Both ends are inclusive, to the second.
fn holds(condition: &Condition, local: DateTime) -> bool {
    if let Some((first, last)) = condition.datetimes {
        return first <= local && local <= last;
    }
    let Some((first, last)) = condition.times else { return day_holds(condition, local) };
    let time = local.time();
    if first <= last {
        return first <= time && time <= last && day_holds(condition, local);
    }
    // It crosses midnight: what comes after belongs to the day before.
    (first <= time && day_holds(condition, local))
        || (time <= last
            && local.checked_sub(1.day()).is_ok_and(|yesterday| day_holds(condition, yesterday)))
}

/// Whether the day is one of a condition.
fn day_holds(condition: &Condition, local: DateTime) -> bool {
    let date = local.date();
    let in_week = condition.days_of_week.is_none_or(|(first, last)| {
        let day = number_of(date.weekday());
        match first <= last {
            true => first <= day && day <= last,
            false => first <= day || day <= last,
        }
    });
    let of_month = |day: u8| i8::try_from(day).unwrap_or(i8::MAX);
    in_week
        && condition.month.is_none_or(|month| of_month(month) == date.month())
        && condition.days_of_month.is_none_or(|(first, last)| {
            of_month(first) <= date.day() && date.day() <= of_month(last)
        })
        && condition.schedule.is_none_or(|schedule| works(&schedule, local))
}

/// 1 is Sunday.
fn number_of(day: Weekday) -> u8 {
    u8::try_from(day.to_sunday_one_offset()).unwrap_or(0)
}

/// Whether a day is a working day of a shift schedule.
fn works(schedule: &Schedule, local: DateTime) -> bool {
    let Ok(since) = schedule.start.until(local.date()) else { return false };
    let round = i64::from(schedule.active_days) + i64::from(schedule.skip_days);
    let day = i64::from(since.get_days());
    day >= 0 && round > 0 && day % round < i64::from(schedule.active_days)
}

/// Longest stretch that [`preview`] looks at: a year and a day.
pub const PREVIEW_SECONDS_MAX: i64 = 366 * 86_400;

/// When an interval is active between two moments: stretches from the first second to the one
/// after the last, in order, none touching another.
///
/// `to` is cut to [`PREVIEW_SECONDS_MAX`] after `from`.
pub fn preview(interval: &Interval, from: Wall, to: Wall) -> Vec<Range<Wall>> {
    let (from, to) = (from.seconds(), to.seconds().min(from.seconds() + PREVIEW_SECONDS_MAX));
    if from >= to {
        return Vec::new();
    }
    let mut edges = edges(interval, from, to);
    edges.push(from);
    edges.retain(|edge| (from..to).contains(edge));
    edges.sort_unstable();
    edges.dedup();
    let mut open: Vec<Range<Wall>> = Vec::new();
    let ends = edges.iter().skip(1).copied().chain([to]);
    for (start, end) in edges.iter().copied().zip(ends) {
        if !is_active(interval, seconds(start)) {
            continue;
        }
        match open.last_mut() {
            Some(last) if last.end == seconds(start) => last.end = seconds(end),
            _ => open.push(seconds(start)..seconds(end)),
        }
    }
    open
}

fn seconds(seconds: i64) -> Wall {
    Wall(seconds.saturating_mul(1_000_000))
}

/// Every moment at which an interval may begin or cease to be active: midnights, the edges of the
/// conditions' times, and the changes of the zone's clock.
fn edges(interval: &Interval, from: i64, to: i64) -> Vec<i64> {
    let zone = interval.zone.rules();
    let mut edges = Vec::new();
    let mut add = |local: DateTime| {
        // Twice when the clock is set back, and never wrong when it is set forward.
        let ambiguous = zone.to_ambiguous_timestamp(local);
        edges.extend(ambiguous.earlier().ok().map(|t| t.as_second()));
        edges.extend(ambiguous.later().ok().map(|t| t.as_second()));
    };
    let mut times = vec![Time::midnight()];
    for condition in &interval.conditions {
        if let Some((first, last)) = condition.datetimes {
            add(first);
            last.checked_add(1.second()).into_iter().for_each(&mut add);
        }
        if let Some((first, last)) = condition.times {
            times.push(first);
            times.push(last.wrapping_add(1.second()));
        }
    }
    times.sort_unstable();
    times.dedup();
    let day = |at: i64| local(seconds(at), zone).date();
    let mut date = day(from).checked_sub(Span::new().days(1)).unwrap_or(day(from));
    while date <= day(to) {
        times.iter().for_each(|time| add(date.to_datetime(*time)));
        match date.tomorrow() {
            Ok(tomorrow) => date = tomorrow,
            Err(_) => break,
        }
    }
    if let Ok(start) = Timestamp::from_second(from) {
        let changes = zone.following(start).map(|t| t.timestamp().as_second());
        edges.extend(changes.take_while(|at| *at < to));
    }
    edges
}
