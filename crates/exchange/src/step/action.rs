//! What a step wants done.

use core::net::IpAddr;
use core::time::Duration;
use std::sync::Arc;

use leg::{
    Alert, Audit, CallFlow, Diversion, Identity, LegId, MessageFate, RecorderId, ReferId, Target,
};
use model::{CallId, Codec, Digit, EndReason, ExtensionId, FileId, Number, TraceEntry};

use super::seeking::node::NodeId;
use super::{Given, Step, Timer, voicemail};
use crate::call::{BranchId, StepId};
use crate::conversation::{ConversationId, Party};
use crate::outside::Line;
use crate::pins::Guess;
use crate::replaced::Pair;

/// What a step wants done. Few, and applied in order after the step has returned.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// An extension takes part from now on: its dial-in or dial-out event.
    Join {
        /// Number of its branch.
        branch: BranchId,
        /// Of what it is a part.
        conversation: ConversationId,
        /// Who is shown as calling, if not who has begun the conversation.
        party: Option<Arc<Party>>,
        /// Whose; `None`: an outside party's, which has neither events nor records.
        extension: Option<ExtensionId>,
        /// `In`: it is called.
        flow: CallFlow,
        /// A rule of the extension forwards the call to this number of the outside.
        forwards_to: Option<Number>,
    },
    /// Begin a leg towards a device.
    Dial {
        /// Number of the leg.
        leg: LegId,
        /// Its branch.
        branch: BranchId,
        /// Where it goes.
        target: Target,
        /// Where the device's signalling comes from; a trunk's audio comes from where it says.
        peer: Option<IpAddr>,
        /// Who is shown as calling.
        identity: Identity,
        /// Codecs of the offer in order.
        codecs: Vec<Codec>,
        /// Max-Forwards.
        max_forwards: u8,
        /// What is to be known of a leg to the outside.
        outside: Option<Outside>,
    },
    /// Tell the caller that it rings; with a codec: as early media, answering its offer.
    Ring {
        /// The caller's leg.
        leg: LegId,
        /// Codec of the answer; `None`: no early media.
        early: Option<Codec>,
    },
    /// Answer a leg that came in.
    Answer {
        /// The leg.
        leg: LegId,
        /// The codec that the other side talks; taken if the leg's peer offered it.
        codec: Option<Codec>,
    },
    /// The branch is connected.
    Connect {
        /// Which.
        branch: BranchId,
        /// It talks itself, so that it has an answer event; a branch whose rules have led
        /// elsewhere has none.
        says_so: bool,
    },
    /// The rules of the extension of a branch have led to another one, with which it is over.
    Lead {
        /// Which.
        branch: BranchId,
        /// To whose part.
        to: BranchId,
    },
    /// Who is behind the branch may transfer the call, though an outside party.
    Entitle {
        /// Which.
        branch: BranchId,
    },
    /// Answer a changed offer of the peer.
    AnswerOffer {
        /// The leg.
        leg: LegId,
    },
    /// Offer the session as it is, to hear whether the peer is still there.
    Refresh {
        /// The leg.
        leg: LegId,
    },
    /// Pass a digit to the peer of a leg.
    Digit {
        /// The leg.
        leg: LegId,
        /// The digit.
        digit: Digit,
        /// How long it was pressed, milliseconds.
        duration_ms: u16,
    },
    /// End a leg in whatever state it is; nothing if it has ended.
    End {
        /// The leg.
        leg: LegId,
        /// Why.
        reason: EndReason,
    },
    /// The branch is over: its hangup event and its record.
    Leave {
        /// Which.
        branch: BranchId,
        /// Why.
        reason: EndReason,
        /// The peer's final status, where it refused.
        status: Option<u16>,
    },
    /// Wake the step later; set again, the new time counts.
    Timer {
        /// Which timer.
        timer: Timer,
        /// From now.
        after: Duration,
    },
    /// A restart must not lose what the call is now.
    Save,
    /// The timers of one thing that was tried are gone with it.
    DropTimers(NodeId),
    /// A timer is not needed any more.
    DropTimer(Timer),
    /// Ask what became of a recording that an earlier process began.
    FindRecording {
        /// Whose it was.
        leg: LegId,
        /// Its number.
        recorder: RecorderId,
        /// Its file.
        file: FileId,
    },
    /// A message was left: its event and its record.
    Message {
        /// What was recorded.
        left: Box<voicemail::Left>,
        /// How long it is, milliseconds.
        length_ms: u32,
    },
    /// Something became of a message.
    ChangeMessage {
        /// Whose.
        extension: ExtensionId,
        /// Which.
        file: FileId,
        /// What.
        fate: MessageFate,
    },
    /// A talk was recorded: its record.
    Recorded(Box<leg::Recording>),
    /// A line for the trace of a conversation.
    Trace(ConversationId, TraceEntry),
    /// What follows is another step's, until the next of these: the legs that it dials, the timers
    /// that it sets.
    As(StepId),
    /// Another step begins, beside this one.
    Begin(StepId, Box<Step>),
    /// Another conversation begins in the call.
    Converse {
        /// Its number.
        id: ConversationId,
        /// Who begins it.
        party: Party,
        /// What is dialled.
        dialled: Number,
    },
    /// The conversations of two legs are one from now on: listed under the handle of the older one,
    /// while the other's goes on to work. Nothing if they are one already.
    Unite {
        /// A leg of one.
        one: LegId,
        /// A leg of the other.
        other: LegId,
    },
    /// The same of two conversations, where it is in one of them that somebody is tried for a leg
    /// of the other: those whose rules lead on, and those to whom they lead, are in one.
    UniteConversations {
        /// One of them.
        one: ConversationId,
        /// The other one.
        other: ConversationId,
    },
    /// Show the peer of a leg with whom it talks now.
    Identify {
        /// The leg.
        leg: LegId,
        /// Who is shown.
        identity: Identity,
    },
    /// A leg is another part of the same extension from now on.
    PartOf {
        /// The leg.
        leg: LegId,
        /// The part.
        branch: BranchId,
    },
    /// A program holds the call for a leg from now on, or no more.
    Hold {
        /// The leg.
        leg: LegId,
        /// Whether it does.
        held: bool,
    },
    /// Tell a phone what becomes of the transfer that it has asked for.
    Referred {
        /// Its leg.
        leg: LegId,
        /// Which.
        refer: ReferId,
        /// How far it is; `None`: it is tried.
        status: Option<u16>,
    },
    /// A phone has asked for a transfer that is not tried.
    ReferRefused {
        /// Its leg.
        leg: LegId,
        /// Which.
        refer: ReferId,
        /// The status owed.
        status: u16,
    },
    /// An attempt for the audit.
    Audit(Box<Audit>),
    /// Two extensions serve each other from now on.
    Replace(Pair),
    /// This one and another serve each other no more.
    EndReplace(ExtensionId),
    /// Somebody has said a wrong PIN.
    WrongPin(Guess),
    /// Somebody has said the right one.
    RightPin(Guess),
    /// A leg of this call is another step's from now on, which knows of it.
    Move {
        /// The leg.
        leg: LegId,
        /// Whose it is.
        step: StepId,
    },
    /// A leg is given to a step of this call or of another one: the two calls become one.
    Give {
        /// The leg, which is this step's no more.
        leg: LegId,
        /// The call.
        call: CallId,
        /// The step in it.
        step: StepId,
        /// What for.
        given: Given,
    },
    /// Tell a step of this call something about a leg, which stays whose it is.
    Tell {
        /// The step.
        step: StepId,
        /// The leg.
        leg: LegId,
        /// What.
        given: Given,
    },
    /// The branch is over, its hangup event and its record are written; but it is listed until it
    /// leaves.
    LeaveListed {
        /// Which.
        branch: BranchId,
        /// Why.
        reason: EndReason,
    },
    /// Somebody is parked: the slot is this step's.
    Occupy {
        /// The slot.
        slot: u8,
        /// Who is parked.
        leg: LegId,
        /// The extension in whose name.
        by: ExtensionId,
    },
    /// Nobody is parked there any more.
    Vacate {
        /// The slot.
        slot: u8,
    },
    /// Tell the operators.
    Alert(Alert),
    /// This call becomes a part of another one, in which its steps go on beside the others.
    Merge {
        /// The call.
        call: CallId,
    },
}

/// A leg to the outside.
#[derive(Clone, Debug, PartialEq)]
pub struct Outside {
    /// What it takes of the bounds.
    pub line: Line,
    /// It begins a call; the next trunk for the same number begins none.
    pub begins: bool,
    /// Which number of ours has forwarded the call.
    pub diversion: Option<Diversion>,
}
