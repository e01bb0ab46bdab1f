//! Numbers of the public network in one form: E.164 digits without `+`.

use core::str::FromStr;

use phonenumber::metadata::{DATABASE, Metadata};
use phonenumber::{Type, country};

/// A country by its ISO 3166-1 code: what national numbers are read with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Country(country::Id);

impl Country {
    /// Finds a country by its two letters, `RU`.
    pub fn of(code: &str) -> Option<Country> {
        country::Id::from_str(&code.to_ascii_uppercase()).ok().map(Country)
    }

    fn plan(self) -> Option<&'static Metadata> {
        DATABASE.by_id(self.0.as_ref())
    }
}

/// The E.164 digits of a number as `country` reads it; `None`: it is no number of the public
/// network, such as a short code, an extension or a name.
pub fn digits(number: &str, country: Option<Country>) -> Option<String> {
    read(number, country).map(|number| number.digits)
}

/// Under what a DID is found: its E.164 digits, else whatever digits it has. Two spellings of one
/// number are one DID.
pub fn did_key(number: &str, country: Option<Country>) -> String {
    digits(number, country).unwrap_or_else(|| number.chars().filter(char::is_ascii_digit).collect())
}

/// The country that a number leads to; `None`: to none, or it is no number of the public network.
pub fn country_of(number: &str, country: Option<Country>) -> Option<Country> {
    let number = read(number, country)?;
    let national = number.digits.get(number.code_digits..)?;
    let code: u16 = number.digits.get(..number.code_digits)?.parse().ok()?;
    let plans = DATABASE.by_code(&code)?;
    let is_of = |plan: &&&Metadata| {
        let of_kind = |kind: &Type| plan.descriptors().get(*kind);
        KINDS.iter().filter_map(of_kind).any(|kind| kind.is_match(national))
    };
    // Of a calling code that countries share, a range that no list knows is the main country's.
    let main = || plans.iter().find(|plan| plan.is_main_country_for_code()).or(plans.first());
    let plan = plans.iter().find(is_of).or_else(main)?;
    country::Id::from_str(plan.id()).ok().map(Country)
}

/// Whether a number costs its caller more than others of its country do.
pub fn is_premium(number: &str, country: Option<Country>) -> bool {
    let Some(read) = read(number, country) else { return false };
    let national = read.digits.get(read.code_digits..).unwrap_or("");
    let code = read.digits.get(..read.code_digits).and_then(|code| code.parse::<u16>().ok());
    let plans = code.and_then(|code| DATABASE.by_code(&code)).unwrap_or_default();
    plans.iter().any(|plan| {
        let premium = plan.descriptors().get(Type::PremiumRate);
        premium.is_some_and(|kind| kind.is_match(national))
    })
}

/// Kinds of numbers that lead somewhere.
const KINDS: [Type; 8] = [
    Type::FixedLine,
    Type::Mobile,
    Type::TollFree,
    Type::PremiumRate,
    Type::SharedCost,
    Type::PersonalNumber,
    Type::Voip,
    Type::Uan,
];

struct Read {
    digits: String,
    /// How many of them are the calling code.
    code_digits: usize,
}

fn read(number: &str, country: Option<Country>) -> Option<Read> {
    // Letters would be read as keys.
    if !number.chars().all(|c| c.is_ascii_digit() || "+-.() ".contains(c)) {
        return None;
    }
    let digits: String = number.chars().filter(char::is_ascii_digit).collect();
    let plan = country.and_then(Country::plan);
    match plan {
        Some(plan) if !number.trim_start().starts_with('+') => dialled(&digits, plan),
        _ => international(&digits),
    }
}

/// Reads digits as somebody in a country dials them, or as carriers there send them.
fn dialled(digits: &str, plan: &Metadata) -> Option<Read> {
    let outward = plan.international_prefix().and_then(|prefix| prefix.find(digits));
    if let Some(outward) = outward.filter(|found| found.start() == 0) {
        return international(digits.get(outward.end()..)?);
    }
    let national = |digits: &str| {
        let code = plan.country_code().to_string();
        let read = || Read { digits: format!("{code}{digits}"), code_digits: code.len() };
        has_length(plan, digits.len()).then(read)
    };
    let inland = plan.national_prefix().and_then(|prefix| digits.strip_prefix(prefix));
    let found = inland.and_then(national).or_else(|| national(digits));
    // E.164 without its plus; what begins as an inland number does not, is none of that kind.
    found.or_else(|| inland.is_none().then(|| international(digits)).flatten())
}

/// Reads digits that begin with a calling code.
fn international(digits: &str) -> Option<Read> {
    (1..=3).find_map(|code_digits| {
        let code = digits.get(..code_digits)?.parse::<u16>().ok()?;
        let rest = digits.len().checked_sub(code_digits)?;
        let plans = DATABASE.by_code(&code)?;
        let fits = plans.iter().any(|plan| has_length(plan, rest));
        fits.then(|| Read { digits: digits.to_owned(), code_digits })
    })
}

/// Whether national numbers of this length exist. Which ranges are in use changes faster than any
/// list, so they are not looked at.
fn has_length(plan: &Metadata, length: usize) -> bool {
    let kinds = KINDS.iter().filter_map(|kind| plan.descriptors().get(*kind));
    let mut lengths = kinds.flat_map(|kind| kind.possible_length());
    lengths.any(|known| usize::from(*known) == length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_one_form_however_it_was_written() {
        let table = [
            ("RU", "+7 (495) 123-45-67", Some("74951234567")),
            ("RU", "84951234567", Some("74951234567")),
            ("RU", "4951234567", Some("74951234567")),
            ("RU", "74951234567", Some("74951234567")),
            ("RU", "8102125551234", None),
            ("RU", "81012125551234", Some("12125551234")),
            ("RU", "+442071838750", Some("442071838750")),
            ("RU", "442071838750", Some("442071838750")),
            ("DE", "030 901820", Some("4930901820")),
            ("DE", "0074951234567", Some("74951234567")),
            ("US", "2125551234", Some("12125551234")),
            ("RU", "112", None),
            ("RU", "100", None),
            ("RU", "0003*100", None),
            ("RU", "", None),
            ("RU", "alice", None),
        ];
        for (country, number, expected) in table {
            let found = digits(number, Country::of(country));
            assert_eq!(found.as_deref(), expected, "{country} {number}");
        }
    }

    #[test]
    fn a_shared_calling_code_does_not_hide_the_country() {
        let russia = Country::of("RU");
        let table = [
            ("+74951234567", Some("RU")),
            ("+77272580000", Some("KZ")),
            ("+12125551234", Some("US")),
            ("+18765551234", Some("JM")),
            ("+882161234567", None),
            ("112", None),
        ];
        for (number, expected) in table {
            assert_eq!(country_of(number, russia), expected.and_then(Country::of), "{number}");
        }
        assert_eq!(Country::of("XX"), None);
        assert_eq!(Country::of("ru"), russia);
    }

    #[test]
    fn a_did_that_is_no_valid_number_is_found_by_its_digits() {
        assert_eq!(did_key("+999 000-1", None), "9990001");
        assert_eq!(did_key("+7 495 123 45 67", None), "74951234567");
    }
}
