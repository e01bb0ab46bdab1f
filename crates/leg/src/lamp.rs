//! Lamps: what phones watch, and what they are shown (RFC 6665, RFC 4235, RFC 3842).

use model::{ExtensionId, Number};
use serde::{Deserialize, Serialize};

use crate::LegId;
use crate::identity::Identity;

/// Names a subscription inside its tenant until [`LampEvent::Ended`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SubscriptionId(pub u64);

/// What is watched of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Package {
    /// Its calls: RFC 4235.
    Dialog,
    /// Its messages: RFC 3842.
    MessageSummary,
}

/// Somebody wants to watch something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watched {
    /// Whose phone it is.
    pub by: ExtensionId,
    /// What of it.
    pub package: Package,
    /// What was dialled: an extension, `park+N`.
    pub resource: Number,
}

/// What the SIP endpoint tells the exchange of subscriptions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum LampEvent {
    /// Owed at once is [`LampCommand::Grant`] or [`LampCommand::Refuse`].
    Asked {
        /// Names it from now on.
        id: SubscriptionId,
        /// Who, and what.
        watched: Watched,
    },
    /// A subscription that was granted is over.
    Ended {
        /// Which.
        id: SubscriptionId,
    },
}

/// What the exchange tells the SIP endpoint of lamps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum LampCommand {
    /// It may watch.
    Grant {
        /// Which subscription.
        id: SubscriptionId,
        /// Under which name [`LampCommand::Show`] speaks of what it watches.
        resource: Number,
        /// How that is now.
        state: LampState,
    },
    /// It may not.
    Refuse {
        /// Which subscription.
        id: SubscriptionId,
        /// The status owed: 403, 404, 489.
        status: u16,
    },
    /// All who watch this are shown its new state; of several that come fast the newest.
    Show {
        /// The name that the grants gave.
        resource: Number,
        /// How it is now; says which package it is of.
        state: LampState,
    },
    /// There is nothing to watch any more.
    Gone {
        /// What of it.
        package: Package,
        /// The name that the grants gave.
        resource: Number,
    },
}

/// How something that is watched is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum LampState {
    /// All its calls; none: it is idle.
    Dialogs(Vec<DialogState>),
    /// Its messages.
    Messages {
        /// Not listened to.
        new: u32,
        /// Listened to.
        old: u32,
    },
}

impl LampState {
    /// Of which package it is.
    pub fn package(&self) -> Package {
        match self {
            LampState::Dialogs(_) => Package::Dialog,
            LampState::Messages { .. } => Package::MessageSummary,
        }
    }
}

/// One call of something that is watched: RFC 4235 4.1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DialogState {
    /// The leg that an INVITE with Replaces takes, if one may.
    pub leg: Option<LegId>,
    /// Names it among the calls of what is watched, and stays the same while it lasts.
    pub id: u64,
    /// What is watched has placed the call; else it is called.
    pub direction: DialogDirection,
    /// How far it is.
    pub stage: DialogStage,
    /// Who is at the other end.
    pub remote: Identity,
}

/// Who has placed a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DialogDirection {
    /// What is watched.
    Initiator,
    /// The other end.
    Recipient,
}

/// How far a call is: RFC 4235 3.7.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DialogStage {
    /// It was placed.
    Trying,
    /// It rings.
    Early,
    /// It was answered.
    Confirmed,
    /// It is over.
    Terminated,
}
