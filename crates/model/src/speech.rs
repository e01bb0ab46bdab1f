//! What the switch can say by itself, in which language.

use serde::{Deserialize, Serialize};

/// A language of the built-in speech.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// English.
    #[default]
    En,
    /// Russian.
    Ru,
}

/// A word or a sentence that is built in. What it says in each language is in the data from which
/// the sounds are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Spoken {
    /// 0 to 9; numbers are said digit by digit.
    Digit(u8),
    /// The plus before a number in international form.
    Plus,
    /// Screening: "Call from".
    CallFrom,
    /// Screening: "a hidden number".
    HiddenNumber,
    /// Screening: "to your number", before the DID.
    ToNumber,
    /// Screening: "Press one to take it."
    PressOne,
    /// Voicemail: "Nobody can take your call. Leave a message after the tone."
    LeaveMessage,
    /// Voicemail: "You have no messages."
    NoMessages,
    /// Voicemail: "Message", before its number.
    Message,
    /// Voicemail: "Press one to hear it again, two for the next, three to delete."
    MessageMenu,
    /// Voicemail: "Deleted."
    Deleted,
    /// Voicemail and conference: "Enter your code."
    EnterCode,
    /// "Wrong code."
    WrongCode,
    /// Parking: "The call is parked at", before the slot.
    ParkedAt,
    /// Queue: "Logged in."
    LoggedIn,
    /// Queue: "Logged out."
    LoggedOut,
    /// Conference: "You are the only one here."
    AloneInRoom,
    /// Recording: "This call is recorded."
    Recorded,
}

impl Spoken {
    /// Everything that can be said, for tables.
    pub const ALL: [Spoken; 27] = [
        Spoken::Digit(0),
        Spoken::Digit(1),
        Spoken::Digit(2),
        Spoken::Digit(3),
        Spoken::Digit(4),
        Spoken::Digit(5),
        Spoken::Digit(6),
        Spoken::Digit(7),
        Spoken::Digit(8),
        Spoken::Digit(9),
        Spoken::Plus,
        Spoken::CallFrom,
        Spoken::HiddenNumber,
        Spoken::ToNumber,
        Spoken::PressOne,
        Spoken::LeaveMessage,
        Spoken::NoMessages,
        Spoken::Message,
        Spoken::MessageMenu,
        Spoken::Deleted,
        Spoken::EnterCode,
        Spoken::WrongCode,
        Spoken::ParkedAt,
        Spoken::LoggedIn,
        Spoken::LoggedOut,
        Spoken::AloneInRoom,
        Spoken::Recorded,
    ];
}
