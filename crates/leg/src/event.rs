//! What the SIP endpoint tells the exchange about a leg.

use core::net::IpAddr;

use model::{DeviceId, Digit, EndReason, ExtensionId, Number, TrunkId};
use serde::{Deserialize, Serialize};

use crate::LegId;
use crate::identity::Identity;
use crate::session::Session;

/// Something happened on a leg. For one leg they come in the order of the wire.
///
/// After [`LegEvent::Ended`] nothing more comes for the leg, and no command for it has an effect.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum LegEvent {
    /// A new leg: an authenticated INVITE outside a dialog. 100 was already sent.
    Incoming(Box<Incoming>),
    /// The dialled peer sent a provisional response. 100 is told only as the first sign of life:
    /// the peer is there, but nothing rings yet. Session: its early media, when the
    /// response carried an answer; of several forks the newest counts.
    Progress {
        /// 100 to 199.
        status: u16,
        /// The answer to our offer, early.
        early: Option<Box<Session>>,
    },
    /// The dialled peer answered. The ACK is the stack's. `answer` is `None` only when an earlier
    /// [`LegEvent::Progress`] already carried the answer and the 200 none.
    Answered {
        /// The answer to our offer.
        answer: Option<Box<Session>>,
        /// What the peer can do.
        capabilities: Capabilities,
    },
    /// The leg that came in was acknowledged: our 200 has arrived.
    Acknowledged,
    /// In a dialog: the peer offers a changed session; owed is [`crate::LegCommand::AnswerOffer`]
    /// or [`crate::LegCommand::RejectOffer`].
    Offer(Box<Session>),
    /// The answer to our offer: of our re-INVITE, or in the ACK of an INVITE without one.
    Answer(Box<Session>),
    /// Our changed offer was refused for good; the session is as before.
    OfferRejected {
        /// The final status.
        status: u16,
    },
    /// A digit by SIP INFO (`application/dtmf-relay` or `application/dtmf`).
    Digit(Digit),
    /// The peer asks us to connect its other side with somebody else (RFC 3515); owed at once is
    /// [`crate::LegCommand::ReferAccepted`] or [`crate::LegCommand::ReferRefused`].
    Refer {
        /// Names it in what is said about it later: one leg may have several.
        refer: ReferId,
        /// With whom.
        to: ReferTo,
        /// Who it says that it acts for (RFC 3892); never used for rights.
        referred_by: Option<Number>,
    },
    /// The called phone sends the call on to this number (RFC 3261 8.1.3.4), whatever host it
    /// names; [`LegEvent::Ended`] follows.
    Redirected(Number),
    /// The leg is over, whoever ended it: refused, cancelled, hung up, lost.
    Ended {
        /// Why. For a leg that we dialled and that was refused, by the peer's status.
        reason: EndReason,
        /// The peer's final status, where it refused.
        status: Option<u16>,
        /// The peer gave up or was cancelled because the call was answered elsewhere (RFC 3326
        /// `SIP;cause=200`).
        elsewhere: bool,
    },
}

/// A new leg that came in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Incoming {
    /// Who acts.
    pub origin: Origin,
    /// The device whose flow it came over, if that is registered.
    pub device: Option<DeviceId>,
    /// Where the INVITE came from: behind NAT its audio comes from there too.
    pub peer: IpAddr,
    /// What was dialled.
    pub dialled: Dialled,
    /// What the peer says of itself; never used for rights.
    pub identity: Identity,
    /// The peer's offer; `None`: it wants ours in the answer.
    pub offer: Option<Box<Session>>,
    /// What the peer can do.
    pub capabilities: Capabilities,
    /// Proxies that the request may still pass (RFC 3261 8.1.1.6).
    pub max_forwards: u8,
    /// The leg of the same tenant whose place it wants to take (RFC 3891).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<Replaced>,
}

/// The leg whose place an INVITE wants to take: one that is up, or one that we dialled and that
/// rings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replaced {
    /// Which.
    pub leg: LegId,
    /// Only while it has not been answered; one that is up is refused by the stack then.
    pub early_only: bool,
}

/// Where a leg that came in is from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Origin {
    /// The extension whose credential authenticated the INVITE.
    Extension(ExtensionId),
    /// The outside, through a trunk of the tenant.
    Trunk {
        /// Which.
        trunk: TrunkId,
        /// The number of the tenant's that was called, as [`model::Routing::dids`] knows it.
        did: Box<str>,
    },
}

/// What was dialled: the Request-URI, unescaped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dialled {
    /// The user part, without parameters.
    pub number: Number,
    /// The host part, lower case.
    pub domain: String,
}

/// What the peer's Allow and Supported say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capabilities {
    /// It takes UPDATE (RFC 3311).
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub update: bool,
    /// It supports reliable provisional responses (RFC 3262).
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub reliable_provisional: bool,
    /// It takes no other ones: what rings must be acknowledged, and without an offer of the peer
    /// it must bring ours.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub reliable_required: bool,
    /// It supports Replaces (RFC 3891).
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub replaces: bool,
    /// It takes INFO.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub info: bool,
}

/// Names a REFER on its leg: the number of its CSeq.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ReferId(pub u32);

/// Where a REFER points.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ReferTo {
    /// At a number: blind transfer.
    Number(Number),
    /// At another leg of the same tenant (Replaces), answered or not: attended transfer.
    Replace(LegId),
}
