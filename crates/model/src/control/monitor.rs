//! How much of somebody who listens to a call is heard.

use serde::{Deserialize, Serialize};

use super::rights::ControlAction;

/// How much of somebody who listens to a call is heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MonitorMode {
    /// Nothing.
    Eavesdrop,
    /// The extension that is listened to hears it, its far party does not.
    Whisper,
    /// Both hear it.
    Conference,
}

impl MonitorMode {
    /// What one must be allowed to do for it.
    pub fn action(self) -> ControlAction {
        match self {
            MonitorMode::Eavesdrop => ControlAction::Eavesdrop,
            MonitorMode::Whisper => ControlAction::Whisper,
            MonitorMode::Conference => ControlAction::Conference,
        }
    }
}
