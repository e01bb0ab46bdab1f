//! What an operator should hear of.

use model::ExtensionId;
use serde::{Deserialize, Serialize};

/// Something happened that somebody should look at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alert {
    /// What.
    pub cause: AlertCause,
    /// Whose call it was.
    pub extension: Option<ExtensionId>,
}

/// What an alert tells. It is the metric label and the log field too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlertCause {
    /// An emergency number was called.
    Emergency,
    /// A call to the outside was refused: there are as many as there may be, or too many have
    /// begun in a minute.
    OutsideLimit,
    /// A call to the outside was refused: the number is in no country that may be called.
    OutsideNotAllowed,
}

impl AlertCause {
    /// All causes, for tables and metrics.
    pub const ALL: [AlertCause; 3] =
        [AlertCause::Emergency, AlertCause::OutsideLimit, AlertCause::OutsideNotAllowed];

    /// The metric label and log field.
    pub fn label(self) -> &'static str {
        match self {
            AlertCause::Emergency => "emergency",
            AlertCause::OutsideLimit => "outside_limit",
            AlertCause::OutsideNotAllowed => "outside_not_allowed",
        }
    }
}
