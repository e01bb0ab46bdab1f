//! Until when a certificate is good: the one field of X.509 that is to be read here (RFC 5280 4.1).

use core::time::Duration;

/// Tags of DER (X.690).
const INTEGER: u8 = 0x02;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;

/// The last moment of a certificate's validity, since 1970. `None`: this is no certificate.
pub(crate) fn not_after(certificate: &[u8]) -> Option<Duration> {
    let (whole, _) = element(certificate, SEQUENCE)?;
    let (mut rest, _) = element(whole, SEQUENCE)?;
    if let Some((_, after)) = element(rest, VERSION) {
        rest = after;
    }
    for tag in [INTEGER, SEQUENCE, SEQUENCE] {
        // Serial number, signature algorithm, issuer.
        (_, rest) = element(rest, tag)?;
    }
    let (validity, _) = element(rest, SEQUENCE)?;
    let (_, not_after) = time(validity)?;
    let (moment, _) = time(not_after)?;
    Some(moment)
}

/// The content of the element at the beginning, if it has this tag, and what follows it.
fn element(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&found, rest) = bytes.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81..=0x84 => {
            let (length, rest) = rest.split_at_checked(usize::from(first & 0x0f))?;
            let length = length.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
            (length, rest)
        }
        _ => return None,
    };
    (found == tag).then(|| rest.split_at_checked(length))?
}

/// A moment, and what follows it. Years of two digits are of 1950 to 2049.
fn time(bytes: &[u8]) -> Option<(Duration, &[u8])> {
    let (year, text, rest) = if let Some((text, rest)) = element(bytes, UTC_TIME) {
        let (year, text) = text.split_at_checked(2)?;
        let year = number(year)?;
        (if year < 50 { 2_000 + year } else { 1_900 + year }, text, rest)
    } else {
        let (text, rest) = element(bytes, GENERALIZED_TIME)?;
        let (year, text) = text.split_at_checked(4)?;
        (number(year)?, text, rest)
    };
    let text = text.strip_suffix(b"Z")?;
    let mut fields = text.chunks(2).map(number);
    let mut field = || fields.next().flatten();
    let (month, day) = (field()?, field()?);
    let (hours, minutes, seconds) = (field()?, field()?, field()?);
    let days = u64::try_from(days_since_1970(year, month, day)?).ok()?;
    let seconds = ((days * 24 + hours.unsigned_abs()) * 60 + minutes.unsigned_abs()) * 60
        + seconds.unsigned_abs();
    Some((Duration::from_secs(seconds), rest))
}

fn number(digits: &[u8]) -> Option<i64> {
    digits.iter().try_fold(0, |sum, digit| {
        digit.is_ascii_digit().then(|| sum * 10 + i64::from(digit - b'0'))
    })
}

/// Days of the Gregorian calendar, counted in years that begin in March so that the leap day is
/// the last of its year.
fn days_since_1970(year: i64, month: i64, day: i64) -> Option<i64> {
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let year = if month <= 2 { year - 1 } else { year };
    let month = (month + 9) % 12;
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1;
    // From 1 March of the year 0 to 1 January 1970.
    Some(days - 719_468)
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    use super::*;

    const DAY: u64 = 86_400;

    #[test]
    fn the_end_of_a_certificate_is_read_in_both_forms_of_time() {
        let key = KeyPair::generate().unwrap();
        for (year, month, day, days) in [
            (2024, 2, 29, 19_782),
            (2049, 12, 31, 29_219),
            (2050, 1, 1, 29_220),
            (1999, 3, 1, 10_651),
        ] {
            let mut params = CertificateParams::new(["a.example".to_owned()]).unwrap();
            params.not_before = date_time_ymd(1990, 1, 1);
            params.not_after = date_time_ymd(year, month, day);
            let certificate = params.self_signed(&key).unwrap();
            let read = not_after(certificate.der());
            assert_eq!(read, Some(Duration::from_secs(days * DAY)), "{year}-{month}-{day}");
        }
    }

    #[test]
    fn what_is_cut_off_or_garbled_is_no_certificate() {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(["a.example".to_owned()]).unwrap();
        let der = params.self_signed(&key).unwrap().der().to_vec();
        assert!(not_after(&der).is_some());
        for end in 0..der.len() {
            assert_eq!(not_after(&der[..end]), None, "cut at {end}");
        }
        for at in 0..der.len() {
            let mut garbled = der.clone();
            garbled[at] ^= 0xff;
            // Whatever comes of it, nothing panics.
            let _ = not_after(&garbled);
        }
    }
}
