//! Names and numbers: texts that were checked once and can be trusted after.

use core::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize, Serializer};
use thiserror::Error;

use crate::limits;

/// Why a text is no name or number.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BadName {
    /// Nothing is left of it.
    #[error("must not be empty")]
    Empty,
    /// It is longer than the bound.
    #[error("must have at most {max} characters")]
    TooLong {
        /// The bound.
        max: usize,
    },
    /// It holds a character that it must not hold.
    #[error("must not contain {found:?}")]
    Character {
        /// The first such character.
        found: char,
    },
    /// An extension name has 2 to 4 digits.
    #[error("must be 2 to 4 digits")]
    ExtensionDigits,
}

macro_rules! text_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
        #[serde(try_from = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// The text, to keep without a copy.
            pub fn shared(&self) -> Arc<str> {
                Arc::clone(&self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }

        impl TryFrom<String> for $name {
            type Error = BadName;
            fn try_from(text: String) -> Result<$name, BadName> {
                $name::parse(&text)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0.as_ref().to_owned()
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }
    };
}

text_type!(
    /// The short name of an extension inside its tenant: `100`. 2 to 4 digits.
    ExtensionName
);

impl ExtensionName {
    /// Reads a short name.
    pub fn parse(text: &str) -> Result<ExtensionName, BadName> {
        let ok = (limits::EXTENSION_NAME_DIGITS_MIN..=limits::EXTENSION_NAME_DIGITS_MAX)
            .contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_digit());
        if ok { Ok(ExtensionName(text.into())) } else { Err(BadName::ExtensionDigits) }
    }
}

text_type!(
    /// A client's prefix, `0003`, or a domain's, `00500`: digits.
    Prefix
);

impl Prefix {
    /// Reads a prefix: 1 to 8 digits.
    pub fn parse(text: &str) -> Result<Prefix, BadName> {
        if text.is_empty() {
            return Err(BadName::Empty);
        }
        if text.len() > 8 {
            return Err(BadName::TooLong { max: 8 });
        }
        match text.chars().find(|c| !c.is_ascii_digit()) {
            Some(found) => Err(BadName::Character { found }),
            None => Ok(Prefix(text.into())),
        }
    }
}

text_type!(
    /// What was dialled or who calls: a user part after unescaping, or an outside number.
    ///
    /// Any printable text without spaces; what it leads to is decided by `route`.
    Number
);

impl Number {
    /// Reads a number.
    pub fn parse(text: &str) -> Result<Number, BadName> {
        if text.is_empty() {
            return Err(BadName::Empty);
        }
        if text.len() > limits::NUMBER_BYTES_MAX {
            return Err(BadName::TooLong { max: limits::NUMBER_BYTES_MAX });
        }
        match text.chars().find(|c| c.is_control() || c.is_whitespace()) {
            Some(found) => Err(BadName::Character { found }),
            None => Ok(Number(text.into())),
        }
    }
}

/// The short name of an extension is a number that can be dialled.
impl From<&ExtensionName> for Number {
    fn from(name: &ExtensionName) -> Number {
        Number(name.shared())
    }
}

text_type!(
    /// The SIP user name of a phone: digest user and the user part of its address.
    Login
);

impl Login {
    /// Reads a login: letters, digits and `-_.*+`, so that it needs no escaping in a SIP URI.
    pub fn parse(text: &str) -> Result<Login, BadName> {
        if text.is_empty() {
            return Err(BadName::Empty);
        }
        if text.len() > limits::LOGIN_BYTES_MAX {
            return Err(BadName::TooLong { max: limits::LOGIN_BYTES_MAX });
        }
        let bad = |c: &char| !(c.is_ascii_alphanumeric() || "-_.*+".contains(*c));
        match text.chars().find(bad) {
            Some(found) => Err(BadName::Character { found }),
            None => Ok(Login(text.into())),
        }
    }
}

text_type!(
    /// A name to show on a display. May be empty; holds no control characters.
    DisplayName
);

impl DisplayName {
    /// Reads a display name.
    pub fn parse(text: &str) -> Result<DisplayName, BadName> {
        if text.chars().count() > limits::DISPLAY_NAME_CHARS_MAX {
            return Err(BadName::TooLong { max: limits::DISPLAY_NAME_CHARS_MAX });
        }
        match text.chars().find(|c| c.is_control()) {
            Some(found) => Err(BadName::Character { found }),
            None => Ok(DisplayName(text.into())),
        }
    }

    /// Makes a display name of what a peer sent: control characters dropped, length cut.
    pub fn from_peer(text: &str) -> DisplayName {
        let kept: String =
            text.chars().filter(|c| !c.is_control()).take(limits::DISPLAY_NAME_CHARS_MAX).collect();
        DisplayName(kept.into())
    }
}

impl Default for DisplayName {
    fn default() -> DisplayName {
        DisplayName("".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extension_names_are_two_to_four_digits() {
        assert!(["10", "100", "1000"].iter().all(|t| ExtensionName::parse(t).is_ok()));
        assert!(["", "1", "10000", "1a0", "१००"].iter().all(|t| ExtensionName::parse(t).is_err()));
    }

    #[test]
    fn a_number_holds_no_line_break() {
        assert_eq!(Number::parse("1\r\n2"), Err(BadName::Character { found: '\r' }));
        assert!(Number::parse("0003*100").is_ok());
    }

    #[test]
    fn a_peers_display_name_is_cleaned() {
        assert_eq!(DisplayName::from_peer("A\r\nVia: x").as_str(), "AVia: x");
    }
}
