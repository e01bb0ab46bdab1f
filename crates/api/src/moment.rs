//! Moments as clients write them: `YYYY-MM-DD HH:MM:SS` in UTC, also without leading zeros, also a
//! day alone.

use model::Wall;

/// The moment; `None`: it is none.
pub(crate) fn parse(text: &str) -> Option<Wall> {
    let mut parts = text.split_ascii_whitespace();
    let day = parts.next()?;
    let time = parts.next().unwrap_or("0:0:0");
    if parts.next().is_some() {
        return None;
    }
    let [year, month, day] = numbers::<3>(day, '-')?;
    // A fraction of a second is read and dropped.
    let time = time.split_once('.').map_or(time, |(whole, _)| whole);
    let [hour, minute, second] = numbers::<3>(time, ':')?;
    let is_time = hour < 24 && minute < 60 && second < 60;
    if !(1970..=9999).contains(&year) || !(1..=12).contains(&month) || day < 1 || !is_time {
        return None;
    }
    let wall =
        Wall((days(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second) * 1_000_000);
    // What is no day of its month comes out as one of the next.
    let (_, same_month, same_day, ..) = wall.civil();
    let is_day = i64::from(same_month) == month && i64::from(same_day) == day;
    is_day.then_some(wall)
}

fn numbers<const N: usize>(text: &str, between: char) -> Option<[i64; N]> {
    let mut found = [0; N];
    let mut parts = text.split(between);
    for number in &mut found {
        let part = parts.next()?;
        let digits = (1..=4).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
        *number = part.parse().ok().filter(|_| digits)?;
    }
    parts.next().is_none().then_some(found)
}

/// Days from the epoch to a day of the Gregorian calendar, in which years begin in March, so that
/// the leap day is the last.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_as_clients_write_them() {
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
            ("2023-01-01T00:00:00", None),
            ("2023-01-01 24:00:00", None),
            ("2023-01-01 00:00", None),
            ("2023-01", None),
            ("+2023-01-01", None),
            ("99999-01-01", None),
            ("1969-12-31", None),
            ("", None),
            ("yesterday", None),
        ];
        for (text, expected) in table {
            let read = parse(text).map(|wall| wall.to_string());
            assert_eq!(read.as_deref(), expected, "{text}");
        }
    }
}
