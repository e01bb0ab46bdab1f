//! Dates and times as clients write them: `YYYY-MM-DD HH:MM:SS`, also without the zeros in front
//! (API reference 1.4 and 25).

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use model::Wall;

/// What is expected of a date with its time.
pub(crate) const DATETIME: &str = "must be a time like 2026-01-31 08:00:00";
/// What is expected of a date.
pub(crate) const DATE: &str = "must be a date like 2026-01-31";
/// What is expected of a time of the day.
pub(crate) const TIME: &str = "must be a time of the day like 08:00:00";

/// A date.
pub(crate) fn date(text: &str) -> Result<Date, &'static str> {
    let [year, month, day] = numbers(text, '-', 3).ok_or(DATE)?;
    let small = |n: u16| i8::try_from(n).map_err(|_| DATE);
    let year = i16::try_from(year).map_err(|_| DATE)?;
    Date::new(year, small(month)?, small(day)?).map_err(|_| DATE)
}

/// A time of the day; without seconds it is the first of the minute.
pub(crate) fn time(text: &str) -> Result<Time, &'static str> {
    let [hour, minute, second] = numbers(text, ':', 2).ok_or(TIME)?;
    let small = |n: u16| i8::try_from(n).map_err(|_| TIME);
    Time::new(small(hour)?, small(minute)?, small(second)?, 0).map_err(|_| TIME)
}

/// A date with its time.
pub(crate) fn datetime(text: &str) -> Result<DateTime, &'static str> {
    let (day, of_day) = text.trim().split_once([' ', 'T']).ok_or(DATETIME)?;
    let day = date(day).map_err(|_| DATETIME)?;
    Ok(day.to_datetime(time(of_day).map_err(|_| DATETIME)?))
}

/// A moment, in UTC.
pub(crate) fn moment(text: &str) -> Result<Wall, &'static str> {
    let zoned = datetime(text)?.to_zoned(TimeZone::UTC).map_err(|_| DATETIME)?;
    Ok(Wall(zoned.timestamp().as_microsecond()))
}

/// A moment of a query, in UTC: also a day alone, which is its beginning; a fraction of a second is
/// dropped. Nothing was written down before 1970.
pub(crate) fn moment_or_day(text: &str) -> Result<Wall, &'static str> {
    let whole = text.split_once('.').map_or(text, |(whole, _)| whole);
    let at = match date(whole) {
        Ok(day) => day.to_datetime(Time::midnight()),
        Err(_) => datetime(whole)?,
    };
    let zoned = at.to_zoned(TimeZone::UTC).map_err(|_| DATETIME)?;
    let micros = zoned.timestamp().as_microsecond();
    if micros >= 0 { Ok(Wall(micros)) } else { Err(DATETIME) }
}

/// Up to three numbers, at least so many; what is left out is 0.
fn numbers(text: &str, between: char, least: usize) -> Option<[u16; 3]> {
    let mut found = [0; 3];
    let mut count = 0;
    for part in text.trim().split(between) {
        let digits = (1..=4).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
        *found.get_mut(count)? = part.parse().ok().filter(|_| digits)?;
        count += 1;
    }
    (count >= least).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_with_and_without_zeros_in_front() {
        let good = [
            ("1970-01-01 00:00:00", 0),
            ("1970-1-2 0:00:01", 86_401),
            (" 2023-11-14 22:13:20 ", 1_700_000_000),
            ("2023-11-14T22:13", 1_699_999_980),
        ];
        for (text, seconds) in good {
            assert_eq!(moment(text), Ok(Wall(seconds * 1_000_000)), "{text}");
        }
        let bad = [
            "",
            "now",
            "2026-01-31",
            "2026-02-30 00:00:00",
            "2026-01-31 24:00:00",
            "2026-01-31 08:00:00Z",
            "2026-01-31 08",
            "2026-01-31 08:00:00.5",
            "-2026-01-31 08:00",
            "2026-01-31 +8:00",
            "99999-01-01 00:00:00",
        ];
        for text in bad {
            assert_eq!(moment(text), Err(DATETIME), "{text}");
        }
        assert!(date("2026-13-01").is_err() && date("2026-01").is_err() && time("24:00").is_err());
    }

    #[test]
    fn moments_of_queries_are_read_as_clients_write_them() {
        let table = [
            ("1970-01-01 00:00:00", Some("1970-01-01 00:00:00")),
            ("2021-01-01 16:29:38", Some("2021-01-01 16:29:38")),
            ("2018-9-18 4:00:00", Some("2018-09-18 04:00:00")),
            ("2021-01-01 16:29:38.76", Some("2021-01-01 16:29:38")),
            ("2024-02-29", Some("2024-02-29 00:00:00")),
            ("2000-12-31 23:59:59", Some("2000-12-31 23:59:59")),
            ("2023-02-29", None),
            ("2023-04-31 00:00:00", None),
            ("2023-13-01", None),
            ("2023-01-01T00:00:00", Some("2023-01-01 00:00:00")),
            ("2023-01-01 24:00:00", None),
            ("2023-01-01 00:00", Some("2023-01-01 00:00:00")),
            ("2023-01", None),
            ("+2023-01-01", None),
            ("99999-01-01", None),
            ("1969-12-31", None),
            ("", None),
            ("yesterday", None),
        ];
        for (text, expected) in table {
            let read = moment_or_day(text).ok().map(|wall| wall.to_string());
            assert_eq!(read.as_deref(), expected, "{text}");
        }
    }
}
