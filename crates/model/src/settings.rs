//! Documented settings of a client about how its calls are handled (API reference, decision 22).

use crate::ids::SoundId;
use crate::limits;
use crate::names::Number;

/// What is set, or the defaults.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingsShown {
    /// Whether the rights of call control groups count for the API too (decision 4).
    pub call_control_api: CallControlApi,
    /// How many slots there are to park calls in.
    pub valet_park_slots: u8,
    /// Where a parked call goes that nobody takes back.
    pub park_fallback: Option<Number>,
    /// How groups that share pickup come together (decision 2).
    pub pickup_merge: PickupMerge,
    /// Calls from and to other clients of the domain.
    pub interclient_calls: bool,
    /// What one hears who is held by an extension that has no music of its own.
    pub hold_music: Option<SoundId>,
    /// Whether extensions and parking slots can be watched (decision 24).
    pub presence: bool,
}

impl Default for SettingsShown {
    fn default() -> SettingsShown {
        SettingsShown {
            call_control_api: CallControlApi::default(),
            valet_park_slots: limits::PARK_SLOTS_MAX,
            park_fallback: None,
            pickup_merge: PickupMerge::default(),
            interclient_calls: false,
            hold_music: None,
            presence: true,
        }
    }
}

/// Whose rights a call command of the API needs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CallControlApi {
    /// The token's.
    #[default]
    Open,
    /// Also those of the acting extension by its groups.
    Groups,
}

/// How groups that share pickup come together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PickupMerge {
    /// Groups with a common member are one.
    #[default]
    Chain,
    /// Only the groups that the actor is in.
    Own,
}
