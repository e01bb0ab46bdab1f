//! Who is calling: as shown, as asserted, and what may be told.

use model::{DisplayName, Number};
use serde::{Deserialize, Serialize};

/// The identity that a leg brings or that we show on a leg.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The number to show; `None` when it is hidden or was not sent.
    pub number: Option<Number>,
    /// The name to show; may be empty.
    pub name: DisplayName,
    /// The caller asks that the identity be kept from the called side (RFC 3323, RFC 3325).
    pub private: bool,
}

impl Identity {
    /// An identity with a number and a name.
    pub fn of(number: Number, name: DisplayName) -> Identity {
        Identity { number: Some(number), name, private: false }
    }

    /// Nobody in particular.
    pub fn anonymous() -> Identity {
        Identity { number: None, name: DisplayName::default(), private: true }
    }
}
