//! What the exchange tells the SIP endpoint to do with a leg.

use model::{DeviceId, Digit, EndReason, ExtensionId, Number, TrunkId};
use serde::{Deserialize, Serialize};

use crate::event::ReferId;
use crate::identity::{Diversion, Identity};
use crate::session::Session;

/// Do something with a leg. Never fails at once: what comes of it is a [`crate::LegEvent`].
///
/// A command that the leg's protocol state does not allow any more (the peer's BYE crossed it) is
/// dropped by the stack; the exchange learns the state from the event that is on its way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum LegCommand {
    /// Begin a leg: send an INVITE.
    Dial(Box<Dial>),
    /// Leg that came in: 180 without, 183 with early media.
    Ring {
        /// Our answer to the peer's offer, early.
        early: Option<Box<Session>>,
    },
    /// Leg that came in: 200 with our answer (or with our offer, if the INVITE had none).
    Answer(Box<Session>),
    /// In a dialog: offer a changed session (re-INVITE; the stack waits out 491).
    Offer(Box<Session>),
    /// The answer to [`crate::LegEvent::Offer`].
    AnswerOffer(Box<Session>),
    /// Refuse the peer's offer; the session stays as it was.
    RejectOffer {
        /// The status owed: 488, 500.
        status: u16,
    },
    /// A digit by SIP INFO, for peers without RFC 4733.
    Info(Digit),
    /// What [`crate::LegEvent::Refer`] asked for is being tried: the peer is told so, and from now
    /// on of each [`LegCommand::ReferProgress`].
    ReferAccepted {
        /// Which.
        refer: ReferId,
    },
    /// What [`crate::LegEvent::Refer`] asked for is not tried.
    ReferRefused {
        /// Which.
        refer: ReferId,
        /// The status owed: 403, 603.
        status: u16,
    },
    /// How far an accepted transfer is. A status of 200 or more is the last that the peer hears of
    /// it; of several before the peer has heard of the first only the newest is told.
    ReferProgress {
        /// Which.
        refer: ReferId,
        /// 100 to 699.
        status: u16,
    },
    /// Show the peer with whom it talks now (P-Asserted-Identity): in the answer of a leg that came
    /// in, else by UPDATE or by a re-INVITE without change, as soon as nothing else is under way.
    /// The newest wins; a peer that refuses it is not told.
    Identify(Box<Identity>),
    /// End the leg in whatever state it is: final response, CANCEL or BYE. The stack answers with
    /// [`crate::LegEvent::Ended`] only if the peer ended it first; the exchange forgets the leg.
    End {
        /// Gives the final response's status and the Reason header.
        reason: EndReason,
        /// Seconds for Retry-After, with 503 and 486.
        retry_after_s: Option<u32>,
    },
}

/// How to begin a leg.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Dial {
    /// Where the INVITE goes.
    pub target: Target,
    /// Who is shown as calling.
    pub identity: Identity,
    /// Our offer.
    pub offer: Box<Session>,
    /// Max-Forwards of the INVITE.
    pub max_forwards: u8,
    /// To a trunk: which number of ours has forwarded the call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diversion: Option<Diversion>,
    /// To a device: it shall answer by itself (Call-Info, Alert-Info).
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub auto_answer: bool,
}

/// Where a leg goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Target {
    /// A registered device, on its registered flow.
    Device {
        /// Whose device it is.
        extension: ExtensionId,
        /// The device.
        device: DeviceId,
    },
    /// The outside, through a trunk. Its hosts are the stack's matter.
    Trunk {
        /// Which.
        trunk: TrunkId,
        /// The user part of the Request-URI.
        number: Number,
    },
}
