//! Feature codes of a client, as their column of `client_settings` holds them: a JSON object of
//! names and codes, null where one is switched off.

use std::collections::BTreeMap;

use model::{Code, CodeName, FeatureCodes};

use crate::db::{corrupt, unknown_word};
use crate::error::StoreError;

const COLUMN: &str = "client_settings.feature_codes";

/// All codes, also those that are as by default: a later default changes nobody's dialling.
pub(crate) fn text(codes: &FeatureCodes) -> Result<String, StoreError> {
    let codes: BTreeMap<&str, Option<&Code>> =
        codes.iter().map(|(name, code)| (name.as_str(), code)).collect();
    serde_json::to_string(&codes).map_err(corrupt(COLUMN))
}

/// What the column holds.
pub(crate) fn read(text: &str) -> Result<FeatureCodes, StoreError> {
    let codes: BTreeMap<String, Option<Code>> =
        serde_json::from_str(text).map_err(corrupt(COLUMN))?;
    let named = codes.into_iter().map(|(name, code)| match CodeName::parse(&name) {
        Some(name) => Ok((name, code)),
        None => Err(unknown_word(COLUMN, &name)),
    });
    let set = named.collect::<Result<Vec<_>, _>>()?;
    FeatureCodes::of_client(set).map_err(corrupt(COLUMN))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_read_as_they_were_written() {
        let default = FeatureCodes::default();
        assert_eq!(read("{}").unwrap(), default);
        assert_eq!(read(&text(&default).unwrap()).unwrap(), default);
        let own = [(CodeName::Pickup, None), (CodeName::ParkInCall, Code::parse("*33").ok())];
        let changed = default.changed(own).unwrap();
        assert_eq!(read(&text(&changed).unwrap()).unwrap(), changed);
    }

    #[test]
    fn what_somebody_has_edited_by_hand_is_an_error() {
        let bad = [
            "",
            "[]",
            r#"{"pickup":"7"}"#,
            r#"{"pickup":7}"#,
            r#"{"unheard":"*7"}"#,
            r#"{"pickup":"*4","eavesdrop":"*41"}"#,
        ];
        for text in bad {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
