//! Which numbers of the outside may be called: a stolen password is worth what it can call.

use model::RoutingSettings;

use crate::e164::{self, Country};

/// Longest number that is no number of the public network and is called all the same: services
/// such as `060` or `11833`.
const SERVICE_DIGITS_MAX: usize = 6;

/// Whether a number of the outside may be called: one of the client's country that costs no more
/// than others, or one that the client's settings allow. Emergency numbers never come here.
pub fn is_allowed(settings: &RoutingSettings, number: &str) -> bool {
    let home = Country::of(&settings.country);
    let Some(digits) = e164::digits(number, home) else {
        return number.len() <= SERVICE_DIGITS_MAX && number.bytes().all(|b| b.is_ascii_digit());
    };
    let full = format!("+{digits}");
    let allows = |pattern: &model::Pattern| pattern.is_match(&full).unwrap_or(false);
    let is_home = home.is_some() && e164::country_of(&full, home) == home;
    is_home && !e164::is_premium(&full, home) || settings.outside_allowed.iter().any(allows)
}

#[cfg(test)]
mod tests {
    use model::Pattern;

    use super::*;

    #[test]
    fn a_client_calls_its_country_and_what_it_has_allowed() {
        let table = [
            ("RU", "", "74951234567", true),
            ("RU", "", "84951234567", true),
            ("RU", "", "+74951234567", true),
            ("RU", "", "88001234567", true),
            ("RU", "", "88091234567", false),
            ("RU", "", "+78091234567", false),
            ("RU", "", "77272580000", false),
            ("RU", "", "+442071838750", false),
            ("RU", "", "81044 2071838750", false),
            ("RU", "", "810442071838750", false),
            ("RU", "", "+882161234567", false),
            ("RU", "", "060", true),
            ("RU", "", "+060", false),
            ("RU", "", "0000000000000000", false),
            ("RU", "^\\+44", "+442071838750", true),
            ("RU", "^\\+44", "810442071838750", true),
            ("RU", "^\\+44", "+4930901820", false),
            ("RU", "^\\+7809", "88091234567", true),
            ("DE", "", "030901820", true),
            ("DE", "", "09001234567", false),
            ("DE", "", "0074951234567", false),
            ("US", "", "2125551234", true),
            ("US", "", "18765551234", false),
            ("US", "", "19005551234", false),
            ("XX", "", "+74951234567", false),
        ];
        for (country, pattern, number, expected) in table {
            let allowed = Some(pattern).filter(|p| !p.is_empty());
            let settings = RoutingSettings {
                country: country.into(),
                outside_allowed: allowed.iter().map(|p| Pattern::parse(p).unwrap()).collect(),
                ..RoutingSettings::default()
            };
            assert_eq!(is_allowed(&settings, number), expected, "{country} {pattern} {number}");
        }
    }
}
