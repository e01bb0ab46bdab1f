//! Who is calling: as shown, as asserted, and what may be told.

use model::{DisplayName, Number};
use serde::{Deserialize, Serialize};

/// The identity that a leg brings or that we show on a leg.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The number to show; `None` when it is hidden or was not sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<Number>,
    /// The name to show; may be empty.
    pub name: DisplayName,
    /// The caller asks that the identity be kept from the called side (RFC 3323, RFC 3325).
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub private: bool,
    /// The number that a trunk has asserted (RFC 3325): for the record, also of a caller who
    /// hides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asserted: Option<Number>,
    /// The number that has forwarded the call before it came to us (RFC 5806, RFC 7044).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diverted_by: Option<Number>,
}

impl Identity {
    /// An identity with a number and a name.
    pub fn of(number: Number, name: DisplayName) -> Identity {
        Identity { number: Some(number), name, ..Identity::nobody() }
    }

    /// Nobody in particular, who hides.
    pub fn anonymous() -> Identity {
        Identity { private: true, ..Identity::nobody() }
    }

    /// Neither a number nor a name.
    pub fn nobody() -> Identity {
        Identity {
            number: None,
            name: DisplayName::default(),
            private: false,
            asserted: None,
            diverted_by: None,
        }
    }
}

/// A number of ours has forwarded the call: what the next network is told of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diversion {
    /// The number that was called.
    pub by: Number,
    /// Why it did not take the call itself.
    pub reason: DiversionReason,
}

/// Why a number has forwarded a call (RFC 5806 4.2, RFC 4458 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DiversionReason {
    /// It always does.
    Unconditional,
    /// It was busy.
    Busy,
    /// Nobody answered there.
    NoAnswer,
    /// None of its phones could be reached.
    Unavailable,
    /// A person has sent it on while it rang.
    Deflection,
}
