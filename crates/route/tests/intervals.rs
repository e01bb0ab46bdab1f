//! When intervals are active: a row is a zone, a condition, a moment in UTC, and the answer.
//!
//! Conditions: `dow A-B` (1 = Sunday), `mday A-B`, `month M`, `time A-B`, `from A to B`
//! (datetimes), `shift START ON OFF`; several are ANDed.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time};
use model::{Condition, Interval, IntervalId, Schedule, Wall, Zone};
use route::interval::{is_active, preview};

const MOMENTS: &[(&str, &str, &str, bool)] = &[
    // Days of the week: 2026-03-01 is a Sunday.
    ("UTC", "dow 1-1", "2026-03-01T12:00:00Z", true),
    ("UTC", "dow 2-6", "2026-03-01T12:00:00Z", false),
    ("UTC", "dow 2-6", "2026-03-06T23:59:59Z", true),
    ("UTC", "dow 2-6", "2026-03-07T00:00:00Z", false),
    ("UTC", "dow 3-1", "2026-03-01T00:00:00Z", true),
    ("UTC", "dow 3-1", "2026-03-02T12:00:00Z", false),
    ("UTC", "dow 3-1", "2026-03-03T00:00:00Z", true),
    ("UTC", "dow 7-7", "2026-03-07T12:00:00Z", true),
    // The day is that of the zone.
    ("Asia/Vladivostok", "dow 2-2", "2026-03-01T14:00:00Z", true),
    ("America/New_York", "dow 1-1", "2026-03-02T04:59:59Z", true),
    ("America/New_York", "dow 1-1", "2026-03-02T05:00:00Z", false),
    // Days of the month, months, leap day.
    ("UTC", "mday 1-15", "2026-03-15T23:59:59Z", true),
    ("UTC", "mday 1-15", "2026-03-16T00:00:00Z", false),
    ("UTC", "mday 31-31", "2026-04-30T12:00:00Z", false),
    ("UTC", "month 2 mday 29-29", "2028-02-29T12:00:00Z", true),
    ("UTC", "month 2 mday 29-29", "2026-03-01T00:00:00Z", false),
    ("UTC", "month 7", "2026-07-31T23:59:59Z", true),
    ("UTC", "month 7 dow 2-3", "2026-07-07T10:00:00Z", true),
    ("UTC", "month 7 dow 2-3", "2026-07-08T10:00:00Z", false),
    // Times are inclusive to the second.
    ("UTC", "time 09:00:00-17:59:59", "2026-03-02T08:59:59Z", false),
    ("UTC", "time 09:00:00-17:59:59", "2026-03-02T09:00:00Z", true),
    ("UTC", "time 09:00:00-17:59:59", "2026-03-02T17:59:59Z", true),
    ("UTC", "time 09:00:00-17:59:59", "2026-03-02T18:00:00Z", false),
    ("UTC", "time 00:00:00-23:59:59", "2026-03-02T23:59:59Z", true),
    // Crossing midnight belongs to the day on which it starts.
    ("UTC", "dow 6-6 time 22:00:00-06:00:00", "2026-03-06T22:00:00Z", true),
    ("UTC", "dow 6-6 time 22:00:00-06:00:00", "2026-03-07T06:00:00Z", true),
    ("UTC", "dow 6-6 time 22:00:00-06:00:00", "2026-03-07T06:00:01Z", false),
    ("UTC", "dow 6-6 time 22:00:00-06:00:00", "2026-03-06T05:00:00Z", false),
    ("UTC", "dow 6-6 time 22:00:00-06:00:00", "2026-03-07T22:00:00Z", false),
    ("UTC", "mday 31-31 time 22:00:00-06:00:00", "2026-04-01T01:00:00Z", true),
    // A datetime range is everything.
    (
        "Europe/Moscow",
        "from 2026-01-01T00:00:00 to 2026-01-08T23:59:59",
        "2025-12-31T21:00:00Z",
        true,
    ),
    (
        "Europe/Moscow",
        "from 2026-01-01T00:00:00 to 2026-01-08T23:59:59",
        "2025-12-31T20:59:59Z",
        false,
    ),
    (
        "Europe/Moscow",
        "from 2026-01-01T00:00:00 to 2026-01-08T23:59:59 dow 1-1",
        "2026-01-08T20:59:59Z",
        true,
    ),
    (
        "Europe/Moscow",
        "from 2026-01-01T00:00:00 to 2026-01-08T23:59:59",
        "2026-01-08T21:00:00Z",
        false,
    ),
    // Shifts: one on, two off works on the 1st, 4th, 7th.
    ("UTC", "shift 2026-03-01 1 2", "2026-02-28T12:00:00Z", false),
    ("UTC", "shift 2026-03-01 1 2", "2026-03-01T00:00:00Z", true),
    ("UTC", "shift 2026-03-01 1 2", "2026-03-02T12:00:00Z", false),
    ("UTC", "shift 2026-03-01 1 2", "2026-03-03T23:59:59Z", false),
    ("UTC", "shift 2026-03-01 1 2", "2026-03-04T12:00:00Z", true),
    ("UTC", "shift 2026-03-01 1 2", "2027-03-01T12:00:00Z", false),
    ("UTC", "shift 2026-03-01 2 2 time 20:00:00-08:00:00", "2026-03-03T07:00:00Z", true),
    ("UTC", "shift 2026-03-01 2 2 time 20:00:00-08:00:00", "2026-03-03T20:00:00Z", false),
    ("UTC", "shift 2026-03-01 5 0", "2026-05-01T12:00:00Z", true),
    // Clocks set forward: 02:00-02:59 is not there, what spans it is.
    ("Europe/Berlin", "time 02:00:00-02:59:59", "2026-03-29T01:00:00Z", false),
    ("Europe/Berlin", "time 02:00:00-02:59:59", "2026-03-29T00:59:59Z", false),
    ("Europe/Berlin", "time 01:30:00-03:30:00", "2026-03-29T01:30:00Z", true),
    ("Europe/Berlin", "time 01:30:00-03:30:00", "2026-03-29T01:30:01Z", false),
    ("America/New_York", "time 02:00:00-02:59:59", "2026-03-08T07:00:00Z", false),
    ("America/New_York", "time 01:00:00-03:00:00", "2026-03-08T07:00:00Z", true),
    ("Australia/Lord_Howe", "time 02:00:00-02:29:59", "2026-10-03T15:30:00Z", false),
    ("Australia/Lord_Howe", "time 02:30:00-02:59:59", "2026-10-03T15:30:00Z", true),
    ("Africa/Cairo", "time 00:00:00-00:59:59", "2026-04-23T22:00:00Z", false),
    ("Africa/Cairo", "dow 6-6", "2026-04-23T22:00:00Z", true),
    ("Africa/Cairo", "dow 5-5", "2026-04-23T21:59:59Z", true),
    // Clocks set back: the hour is there twice.
    ("Europe/Berlin", "time 02:00:00-02:59:59", "2026-10-25T00:30:00Z", true),
    ("Europe/Berlin", "time 02:00:00-02:59:59", "2026-10-25T01:30:00Z", true),
    ("Europe/Berlin", "time 02:00:00-02:59:59", "2026-10-25T02:00:00Z", false),
    ("America/New_York", "time 01:00:00-01:59:59", "2026-11-01T05:30:00Z", true),
    ("America/New_York", "time 01:00:00-01:59:59", "2026-11-01T06:30:00Z", true),
    ("America/New_York", "time 01:00:00-01:59:59", "2026-11-01T07:00:00Z", false),
    ("Australia/Lord_Howe", "time 01:30:00-01:59:59", "2026-04-04T14:45:00Z", true),
    ("Australia/Lord_Howe", "time 01:30:00-01:59:59", "2026-04-04T15:15:00Z", true),
    ("Africa/Cairo", "dow 5-5 time 23:00:00-23:59:59", "2026-10-29T20:30:00Z", true),
    ("Africa/Cairo", "dow 5-5 time 23:00:00-23:59:59", "2026-10-29T21:30:00Z", true),
    // A zone without daylight saving, and one that left out a day.
    ("Asia/Kolkata", "time 09:30:00-09:30:00", "2026-03-29T04:00:00Z", true),
    ("Pacific/Apia", "mday 30-30 month 12", "2011-12-30T12:00:00Z", false),
    ("Pacific/Apia", "mday 31-31 month 12", "2011-12-30T12:00:00Z", true),
];

fn condition(text: &str) -> Condition {
    let mut condition = Condition::default();
    let mut words = text.split_whitespace();
    let mut next = move || words.next();
    let pair = |text: &str| {
        let (a, b) = text.split_once('-').unwrap();
        (a.parse::<u8>().unwrap(), b.parse::<u8>().unwrap())
    };
    while let Some(word) = next() {
        match word {
            "dow" => condition.days_of_week = Some(pair(next().unwrap())),
            "mday" => condition.days_of_month = Some(pair(next().unwrap())),
            "month" => condition.month = Some(next().unwrap().parse().unwrap()),
            "time" => {
                let (a, b) = next().unwrap().split_once('-').unwrap();
                condition.times = Some((a.parse::<Time>().unwrap(), b.parse::<Time>().unwrap()));
            }
            "from" => {
                let first = next().unwrap().parse::<DateTime>().unwrap();
                assert_eq!(next(), Some("to"));
                condition.datetimes = Some((first, next().unwrap().parse().unwrap()));
            }
            "shift" => {
                let start = next().unwrap().parse::<Date>().unwrap();
                let active_days = next().unwrap().parse().unwrap();
                let skip_days = next().unwrap().parse().unwrap();
                condition.schedule = Some(Schedule { start, active_days, skip_days });
            }
            other => panic!("{other}"),
        }
    }
    assert_eq!(condition.check(), Ok(()), "{text}");
    condition
}

fn interval(zone: &str, conditions: &[&str]) -> Interval {
    Interval {
        id: IntervalId(1),
        name: "test".into(),
        zone: Zone::parse(zone).unwrap(),
        conditions: conditions.iter().map(|text| condition(text)).collect(),
    }
}

fn wall(text: &str) -> Wall {
    Wall(text.parse::<Timestamp>().unwrap().as_microsecond())
}

#[test]
fn each_moment_is_inside_or_outside_as_people_on_the_spot_would_say() {
    for (zone, text, moment, expected) in MOMENTS {
        let found = is_active(&interval(zone, &[text]), wall(moment));
        assert_eq!(found, *expected, "{zone}: {text} at {moment}");
    }
}

#[test]
fn the_last_second_is_whole() {
    let interval = interval("UTC", &["time 00:00:00-23:59:59"]);
    assert!(is_active(&interval, Wall(wall("2026-03-02T23:59:59Z").0 + 999_999)));
}

#[test]
fn one_condition_of_several_is_enough_and_none_is_never() {
    let both = interval("UTC", &["dow 1-1", "time 20:00:00-23:59:59"]);
    assert!(is_active(&both, wall("2026-03-01T12:00:00Z")));
    assert!(is_active(&both, wall("2026-03-02T21:00:00Z")));
    assert!(!is_active(&both, wall("2026-03-02T12:00:00Z")));
    assert!(!is_active(&interval("UTC", &[]), wall("2026-03-01T12:00:00Z")));
}

#[test]
fn a_preview_shows_the_stretches_to_the_second() {
    let text = ["dow 2-6 time 09:00:00-17:59:59"];
    let open = preview(
        &interval("Europe/Berlin", &text),
        wall("2026-03-27T10:00:00Z"),
        wall("2026-03-31T00:00:00Z"),
    );
    let expected = [
        ("2026-03-27T10:00:00Z", "2026-03-27T17:00:00Z"),
        // Summer time has begun.
        ("2026-03-30T07:00:00Z", "2026-03-30T16:00:00Z"),
    ];
    let expected: Vec<_> = expected.iter().map(|(a, b)| wall(a)..wall(b)).collect();
    assert_eq!(open, expected);
}

#[test]
fn a_preview_agrees_with_the_moments_all_year_in_every_zone() {
    let conditions: &[&[&str]] = &[
        &["time 01:30:00-02:29:59"],
        &["dow 1-1 time 22:00:00-03:00:00", "mday 1-1"],
        &["shift 2026-01-05 2 3 time 00:00:00-00:29:59"],
        &["from 2026-03-29T02:30:00 to 2026-10-25T02:30:00"],
    ];
    let zones = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Cairo"];
    let (from, to) = (wall("2026-01-01T00:00:00Z"), wall("2027-01-01T00:00:00Z"));
    for zone in zones {
        for conditions in conditions {
            let interval = interval(zone, conditions);
            let open = preview(&interval, from, to);
            assert!(open.windows(2).all(|w| w[0].end < w[1].start), "{zone} {conditions:?}");
            for quarter in (from.0..to.0).step_by(900_000_000) {
                // The last second of a quarter and the first of the next.
                for moment in [Wall(quarter), Wall(quarter - 1_000_000)] {
                    let shown = open.iter().any(|range| range.contains(&moment));
                    let inside = moment >= from && is_active(&interval, moment);
                    assert_eq!(shown, inside, "{zone} {conditions:?} {moment:?}");
                }
            }
        }
    }
}

#[test]
fn a_condition_that_says_nothing_or_too_much_is_refused() {
    let table = [
        (Condition::default(), "conditions"),
        (Condition { days_of_week: Some((0, 3)), ..Condition::default() }, "start_dow"),
        (Condition { days_of_month: Some((15, 1)), ..Condition::default() }, "start_mday"),
        (Condition { month: Some(13), ..Condition::default() }, "month"),
    ];
    for (condition, field) in table {
        assert_eq!(condition.check().unwrap_err().field, field);
    }
    assert!(Zone::parse("Europe/Nowhere").is_none() && Zone::parse("").is_none());
    assert_eq!(Zone::parse("europe/moscow").unwrap().name(), "Europe/Moscow");
}
