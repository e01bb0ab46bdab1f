//! Steps: what goes on in a call, and what may happen next.
//!
//! Every leg is owned by exactly one step, and its events go to that step only. A step gets its
//! own state, an input and read-only [`Facts`], and returns its next state and [`Actions`]; it
//! changes nothing itself.

pub mod clearing;
pub mod consulting;
pub mod departing;
pub mod entering;
mod keys;
pub(crate) mod legacy;
pub mod mailbox;
pub mod monitoring;
pub mod parked;
pub mod pickup;
pub mod recording;
mod replacing;
pub mod room;
pub mod routing;
pub mod seeking;
pub mod serving;
pub mod sounds;
pub mod swapping;
pub mod talking;
pub mod telling;
mod transfers;
pub mod voicemail;

use core::net::IpAddr;
use core::time::Duration;
use std::collections::BTreeMap;
use std::sync::Arc;

use leg::{
    Alert, Audit, CallFlow, ClipId, Diversion, Identity, LegEvent, LegId, MediaEventKind,
    MessageFate, RecorderId, ReferId, Refusal, Target,
};
use model::{
    CallId, CallUuid, Codec, Digit, EndReason, ExtensionId, FileId, Now, Number, Snapshot,
    TraceEntry,
};
use serde::{Deserialize, Serialize};

use crate::call::{Branch, BranchId, Call, Leg, StepId};
use crate::control::Order;
use crate::conversation::{ConversationId, Party};
use crate::outside::Line;
use crate::pins::Guess;
use crate::replaced::Pair;
use crate::step::seeking::node::{NodeId, Wait};
use crate::step::sounds::{Scene, Sounds};
use crate::tables::Tables;

/// What goes on. One file each.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "legacy::SavedStep")]
pub enum Step {
    /// Somebody is looked for who takes the call.
    Seeking(seeking::Seeking),
    /// Two legs talk.
    Talking(talking::Talking),
    /// An internal service serves a leg.
    Serving(serving::Serving),
    /// Somebody leaves a message.
    Voicemail(voicemail::Voicemail),
    /// The caller, who was answered already, is told that nobody takes the call.
    Clearing(clearing::Clearing),
    /// Somebody listens to a call.
    Monitoring(monitoring::Monitoring),
    /// Somebody is asked for the code of a conference room.
    Entering(entering::Entering),
    /// People meet in a conference room.
    Room(room::Room),
    /// Somebody waits in a slot.
    Parked(parked::Parked),
    /// Somebody whose far party was parked or sent on is still there for a moment.
    Departing(departing::Departing),
    /// A far party waits while its extension talks to somebody else.
    Consulting(consulting::Consulting),
    /// Who has dialled a code is told whether it was done.
    Telling(telling::Telling),
    /// Somebody listens to the messages that were left.
    Mailbox(mailbox::Mailbox),
    /// A talk is recorded, beside the step in which it goes on.
    Recording(recording::Recording),
}

/// A wait of a step; each ends in its timer. A timer is gone with its step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "legacy::SavedTimer")]
pub enum Timer {
    /// Seeking: one of the things that are tried waits for something.
    Node(NodeId, Wait),
    /// Serving, voicemail, mailbox, clearing, parked, departing, entering, telling, recording: the
    /// present phase is over. Talking: the tone is. Room: what sounds is. Seeking: who has sent the
    /// caller on waits no longer.
    Phase,
    /// Seeking: who has answered this leg has not said that the call is taken.
    Screen(LegId),
    /// Talking, seeking: the keys of this leg that may become a code have waited long enough.
    Keys(LegId),
    /// Seeking: the caller has heard nothing new for a while.
    Tell,
}

/// Something for a step to handle.
#[derive(Clone, Debug)]
pub enum StepInput<'a> {
    /// An event of a leg that the step owns.
    Leg(LegId, &'a LegEvent),
    /// A key was pressed on a leg that the step owns, and let go.
    Digit {
        /// The leg.
        leg: LegId,
        /// The key.
        digit: Digit,
        /// For how long, milliseconds.
        duration_ms: u16,
    },
    /// No audio has come from a leg that the step owns for a minute.
    Silent(LegId),
    /// What became of a clip or a recording that the step has declared.
    Sound(MediaEventKind),
    /// A timer of the step.
    Timer(Timer),
    /// End this branch, as if its extension had hung up.
    HangUp {
        /// The branch, which has a leg or a service of this step.
        branch: BranchId,
        /// Why.
        reason: EndReason,
    },
    /// End everything, for a reason from outside the call.
    EndAll(EndReason),
    /// Somebody wants something done with a part of the call that the step takes care of. It says
    /// in [`Actions::answer`] whether it is; what it refuses it leaves as it is.
    Order(&'a Order),
    /// A leg is the step's from now on.
    Given {
        /// The leg.
        leg: LegId,
        /// What for.
        given: Given,
    },
    /// A leg that the step follows is over, or with it what the step was about.
    Gone(LegId),
}

/// What a leg is given to a step for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Given {
    /// It takes the call that is looking for somebody, or of which it was rung for.
    PicksUp,
    /// It takes back who is parked.
    TakesParked,
    /// Nobody has answered who was rung for the step that owns the leg.
    NobodyAnswers,
    /// Who has consulted somebody comes back to its far party.
    ComesBack {
        /// What it hears first.
        tone: consulting::Tone,
    },
    /// Who has consulted the leg is out: its far party talks with it.
    Completes,
    /// Whoever consulted somebody is out: its far party waits for that one itself.
    SentOn {
        /// Who has consulted.
        by: ExtensionId,
    },
    /// It takes the place of another leg, whose phone has sent it on.
    Joins {
        /// Which.
        from: LegId,
    },
    /// A phone has sent it on to whom the step looks for, in the place of another leg of that
    /// phone.
    SentOnBy {
        /// The phone's leg in the talk that it has left.
        leg: LegId,
        /// By what it has asked.
        refer: ReferId,
        /// The phone's extension.
        by: ExtensionId,
    },
    /// Who consults is to come back.
    GivesUp,
    /// Who consults is to be out.
    IsOut,
    /// Who is on the leg has been taken by somebody else: nobody is needed any more.
    TakenElsewhere,
    /// It enters a conference room.
    EntersRoom,
    /// It takes the far party of another leg, and that one's place.
    TakesOver {
        /// Which.
        from: LegId,
    },
}

/// What a step may read.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// The time.
    pub now: Now,
    /// The call, without the step itself.
    pub call: &'a Call,
    /// The other calls of the tenant.
    pub calls: &'a BTreeMap<CallId, Box<Call>>,
    /// The newest configuration.
    pub snapshot: &'a Snapshot,
    /// What the calls of the tenant share.
    pub tables: &'a Tables,
    /// RTP ports that are left.
    pub ports_left: usize,
}

impl<'a> Facts<'a> {
    /// A leg of the call.
    pub fn leg(&self, leg: LegId) -> Option<&'a Leg> {
        self.call.legs.get(leg)
    }

    /// The branch of a leg.
    pub fn branch_of(&self, leg: LegId) -> Option<&'a Branch> {
        self.call.branches.get(self.leg(leg)?.branch)
    }
}

/// What becomes of a step.
#[derive(Clone, Debug)]
pub enum Next {
    /// It goes on in this state; its timers run on.
    Stay(Step),
    /// Another step takes its place and its legs; its timers are gone.
    Become(Step),
    /// It is over; it has ended all its legs.
    Done,
}

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

/// The numbers that are given next in a tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Numbers {
    /// Of a leg that is dialled.
    pub leg: u64,
    /// Of a branch.
    pub branch: u64,
    /// Of a step.
    pub step: u64,
    /// Of a conversation.
    pub conversation: u64,
    /// Of a clip or recording. It may come round: no call lasts that long.
    pub sound: u32,
}

impl Default for Numbers {
    fn default() -> Numbers {
        Numbers { leg: 1, branch: 1, step: 1, conversation: 1, sound: 1 }
    }
}

/// The list of actions of one step, with the numbers for what they make.
#[derive(Debug)]
pub struct Actions {
    /// The actions, in order.
    pub list: Vec<Action>,
    /// The numbers that are free.
    pub numbers: Numbers,
    /// Whose actions are added now.
    pub acting: StepId,
    /// What the step says to [`StepInput::Order`].
    pub answer: Option<Result<Accepted, Refusal>>,
}

/// An order is carried out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Accepted {
    /// The slot that it concerned.
    pub slot: Option<u8>,
    /// The conversation that is, or was, in it.
    pub parked: Option<CallUuid>,
}

impl Actions {
    /// Adds an action.
    pub fn push(&mut self, action: Action) {
        self.list.push(action);
    }

    /// What is added from now on is this step's.
    pub fn act_as(&mut self, step: StepId) {
        self.acting = step;
        self.push(Action::As(step));
    }

    /// An order is carried out.
    pub fn accept(&mut self) {
        self.answer = Some(Ok(Accepted::default()));
    }

    /// An order is not carried out; the step changes nothing.
    pub fn refuse(&mut self, refusal: Refusal) {
        let is_row = |action: &Action| matches!(action, Action::Audit(_));
        debug_assert!(self.list.iter().all(is_row), "a refused order changes nothing");
        self.answer = Some(Err(refusal));
    }

    /// A number for a leg to dial.
    pub fn fresh_leg(&mut self) -> LegId {
        LegId::outgoing(next(&mut self.numbers.leg))
    }

    /// A number for a branch to open.
    pub fn fresh_branch(&mut self) -> BranchId {
        BranchId(next(&mut self.numbers.branch))
    }

    /// A number for a step to begin.
    pub fn fresh_step(&mut self) -> StepId {
        StepId(next(&mut self.numbers.step))
    }

    /// A number for a conversation to begin.
    pub fn fresh_conversation(&mut self) -> ConversationId {
        ConversationId(next(&mut self.numbers.conversation))
    }

    /// A number for a clip to play.
    pub fn fresh_clip(&mut self) -> ClipId {
        ClipId(self.fresh_sound())
    }

    /// A number for a recording.
    pub fn fresh_recorder(&mut self) -> RecorderId {
        RecorderId(self.fresh_sound())
    }

    fn fresh_sound(&mut self) -> u32 {
        let number = self.numbers.sound;
        self.numbers.sound = number.wrapping_add(1);
        number
    }
}

/// The present number; the next one is next.
pub(crate) fn next(number: &mut u64) -> u64 {
    *number += 1;
    *number - 1
}

impl Step {
    /// One input; the next state and what shall be done.
    pub fn handle(self, input: &StepInput<'_>, facts: &Facts<'_>, actions: &mut Actions) -> Next {
        match self {
            Step::Seeking(seeking) => seeking.handle(input, facts, actions),
            Step::Talking(talking) => talking.handle(input, facts, actions),
            Step::Serving(serving) => serving.handle(input, facts, actions),
            Step::Voicemail(voicemail) => voicemail.handle(input, facts, actions),
            Step::Clearing(clearing) => clearing.handle(input, facts, actions),
            Step::Monitoring(monitoring) => monitoring.handle(input, facts, actions),
            Step::Entering(entering) => entering.handle(input, facts, actions),
            Step::Room(room) => room.handle(input, facts, actions),
            Step::Parked(parked) => parked.handle(input, facts, actions),
            Step::Departing(departing) => departing.handle(input, facts, actions),
            Step::Consulting(consulting) => consulting.handle(input, facts, actions),
            Step::Telling(telling) => telling.handle(input, facts, actions),
            Step::Mailbox(mailbox) => mailbox.handle(input, facts, actions),
            Step::Recording(recording) => recording.handle(input, facts, actions),
        }
    }

    /// Who hears whom, what is played and what is recorded while this step goes on.
    pub fn sounds(&self, scene: &Scene<'_>, to: &mut Sounds) {
        match self {
            Step::Seeking(seeking) => seeking.sounds(scene, to),
            Step::Talking(talking) => talking.sounds(scene, to),
            Step::Serving(serving) => serving.sounds(scene, to),
            Step::Voicemail(voicemail) => voicemail.sounds(scene, to),
            Step::Clearing(clearing) => clearing.sounds(scene, to),
            Step::Parked(parked) => parked.sounds(scene, to),
            Step::Departing(departing) => departing.sounds(scene, to),
            Step::Consulting(consulting) => consulting.sounds(scene, to),
            // Recordings and monitors come when all others have been asked.
            Step::Recording(_) | Step::Monitoring(_) => {}
            Step::Entering(entering) => entering.sounds(scene, to),
            Step::Room(room) => room.sounds(scene, to),
            Step::Telling(telling) => telling.sounds(scene, to),
            Step::Mailbox(mailbox) => mailbox.sounds(scene, to),
        }
    }

    /// Whether the step waits for what becomes of a recording, whose leg may be gone.
    pub fn has_recorder(&self, recorder: RecorderId) -> bool {
        self.recorder() == Some(recorder)
    }

    /// The recording whose end the step waits for.
    pub fn recorder(&self) -> Option<RecorderId> {
        match self {
            Step::Voicemail(voicemail) => voicemail.recorder(),
            Step::Recording(recording) => Some(recording.recorder),
            _ => None,
        }
    }

    /// Whether the step takes care of a branch that has no leg.
    pub fn has_branch(&self, branch: BranchId) -> bool {
        match self {
            Step::Seeking(seeking) => seeking.has_branch(branch),
            Step::Voicemail(voicemail) => voicemail.branch == branch,
            Step::Serving(serving) => serving.branch == branch,
            Step::Parked(parked) => parked.branch == branch,
            Step::Consulting(consulting) => consulting.branch == branch,
            Step::Talking(_)
            | Step::Clearing(_)
            | Step::Departing(_)
            | Step::Monitoring(_)
            | Step::Entering(_)
            | Step::Room(_)
            | Step::Telling(_)
            | Step::Recording(_)
            | Step::Mailbox(_) => false,
        }
    }

    /// Whether the step has something to write down of a conversation whose branches are over.
    pub fn needs(&self, conversation: ConversationId) -> bool {
        matches!(self, Step::Voicemail(voicemail) if voicemail.conversation() == Some(conversation))
    }

    /// Whether the step is about a leg that it does not own: it is told when that is over.
    pub fn follows(&self, leg: LegId) -> bool {
        match self {
            Step::Seeking(seeking) => seeking.purpose.follows(leg),
            Step::Monitoring(monitoring) => monitoring.follows == leg,
            Step::Consulting(consulting) => consulting.leg == leg,
            Step::Talking(talking) => talking.consults.is_some_and(|of| of.far == leg),
            _ => false,
        }
    }

    /// Of a consultation: the talk that waits for what comes of it.
    pub fn consultation(&self) -> Option<&consulting::Consultation> {
        match self {
            Step::Seeking(seeking) => seeking.consultation(),
            Step::Talking(talking) => talking.consults.as_ref(),
            _ => None,
        }
    }

    /// Whether somebody waits in it to be taken by whoever is rung for that.
    pub fn can_be_picked_up(&self) -> bool {
        match self {
            Step::Seeking(seeking) => seeking.caller.is_some(),
            Step::Parked(_) => true,
            _ => false,
        }
    }

    /// The step that is parked for which this one rings back.
    pub fn rings_back_for(&self) -> Option<StepId> {
        match self {
            Step::Seeking(seeking) => seeking.purpose.rings_back_for(),
            _ => None,
        }
    }

    /// The name of the kind, for logs and fault injection.
    pub fn kind(&self) -> &'static str {
        match self {
            Step::Seeking(_) => "seeking",
            Step::Talking(_) => "talking",
            Step::Serving(_) => "serving",
            Step::Voicemail(_) => "voicemail",
            Step::Clearing(_) => "clearing",
            Step::Monitoring(_) => "monitoring",
            Step::Entering(_) => "entering",
            Step::Room(_) => "room",
            Step::Parked(_) => "parked",
            Step::Departing(_) => "departing",
            Step::Consulting(_) => "consulting",
            Step::Telling(_) => "telling",
            Step::Recording(_) => "recording",
            Step::Mailbox(_) => "mailbox",
        }
    }
}

/// The reason of an end of a leg as its part in the call tells it: the stack does not know who
/// called.
pub(crate) fn reason_for(facts: &Facts<'_>, leg: LegId, reason: EndReason) -> EndReason {
    let leg = facts.leg(leg);
    match reason {
        // It sent no audio, and did not answer when it was asked.
        EndReason::TransportLost if leg.is_some_and(|l| l.asked) => EndReason::MediaLost,
        EndReason::CallerHungUp | EndReason::CalleeHungUp => {
            let branch = leg.and_then(|l| facts.call.branches.get(l.branch));
            match branch.is_some_and(Branch::is_called) {
                true => EndReason::CalleeHungUp,
                false => EndReason::CallerHungUp,
            }
        }
        other => other,
    }
}
