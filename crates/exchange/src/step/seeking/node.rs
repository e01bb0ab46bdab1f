//! The nodes of a search: facts and states only.

use core::time::Duration;
use std::sync::Arc;

use leg::{ClipId, DiversionReason, LegId, Piece};
use model::{EndReason, ExtensionId, Number, Outcome, Rules, TrunkId};
use route::{Own, Registers};
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use crate::call::BranchId;
use crate::step::{Action, Actions, Facts};

/// Number of a node inside its search; a parent's is smaller than its children's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct NodeId(pub u16);

/// What a node waits for; each ends in its timer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Wait {
    /// A group: nobody has answered in the extension's ring timeout.
    Ring,
    /// A group: a device that has not responded at all by now is unreachable.
    Response,
    /// A forward: the next number of a cascade joins.
    Join,
    /// A forward: its `transfer_timeout` is over.
    Forward,
    /// A machine: what it plays has not ended in its time.
    Play,
}

/// One thing that is tried.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Node {
    /// What led to it.
    pub parent: Option<NodeId>,
    /// What it is.
    pub kind: Kind,
}

/// What a node is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Kind {
    /// The call is at an extension and its rules run.
    Visit(Box<Visit>),
    /// The devices of an extension ring.
    Group(Group),
    /// The numbers of a rule are rung.
    Forward(Box<Forward>),
    /// A number of the outside is dialled.
    Outside(Box<WayOut>),
    /// A machine takes the call, or is ready to.
    Machine(Box<Machine>),
}

/// The call is at an extension and its rules run. Exactly one thing is below it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Visit {
    /// Where.
    pub extension: ExtensionId,
    /// Its part in the call.
    pub branch: BranchId,
    /// Its rules as they were when the call came.
    pub rules: Arc<Rules>,
    /// How far they have come.
    pub registers: Registers,
    /// It had as many calls as it may have when this one came: its devices are not rung.
    pub is_full: bool,
    /// How the last thing that was tried ended.
    pub last: Option<(EndReason, Option<u16>)>,
}

/// The devices of one extension ring, without rules.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Group {
    /// Whose.
    pub extension: ExtensionId,
    /// Its part in the call, if it is not that of the visit above.
    pub branch: Option<BranchId>,
    /// The devices that have neither answered nor failed.
    pub legs: Vec<LegId>,
    /// What the devices that have failed leave.
    pub outcome: Ringing,
    /// The number that a device has named instead of itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redirect: Option<Number>,
    /// A program has sent the caller on from here, to what is below it.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub sends_on: bool,
}

impl Group {
    /// Devices that are about to ring.
    pub fn new(extension: ExtensionId, branch: Option<BranchId>, legs: Vec<LegId>) -> Group {
        let (outcome, redirect, sends_on) = (Ringing::Unreachable, None, false);
        Group { extension, branch, legs, outcome, redirect, sends_on }
    }
}

/// The result of the devices that have failed so far; a later one is more telling.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Ringing {
    /// None has responded, or none could be reached.
    Unreachable,
    /// One has refused with a status that says nothing of the person.
    Refused {
        /// The status.
        status: u16,
    },
    /// One has no codec in common with us.
    NoCommonCodec,
    /// Somebody has answered one and not taken the call, or it rang to the end.
    NotTaken,
    /// One was busy.
    Busy,
}

/// The numbers of a rule are rung.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Forward {
    /// Whom, in the order in which they join.
    pub targets: Vec<ForwardTarget>,
    /// The rules of the targets run.
    pub runs_rules: bool,
    /// The caller hears ringback from us, whatever the called network says.
    pub ignore_early_media: bool,
    /// The extension's own number is among them: its result.
    pub own: Option<Own>,
    /// One of them was busy.
    pub was_busy: bool,
    /// How long it has been since the rule began is measured from here.
    pub began: model::Mono,
    /// Who answers hears who calls, and takes the call with a key.
    #[serde(default)]
    pub screens: bool,
    /// An outside party that it reaches may transfer the call.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub lets_transfer: bool,
    /// Its `transfer_timeout` is over: nothing begins any more, and it waits only for who was
    /// answering then, or for a machine to be taken.
    #[serde(default)]
    pub is_closed: bool,
}

/// One number of a forward.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ForwardTarget {
    /// The number.
    pub number: Number,
    /// It is the extension's own.
    #[serde(default)]
    pub is_own: bool,
    /// When it joins, from the start of the rule.
    pub after: Duration,
    /// How far it has come.
    pub state: TargetState,
}

/// How far a number of a forward has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TargetState {
    /// It has not joined.
    Waiting,
    /// It is tried.
    Active(NodeId),
    /// It has failed, or was skipped.
    Failed,
}

/// A number of the outside is dialled, by one trunk after the other.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WayOut {
    /// The part in the call of who dials, or of the outside party when the caller does.
    pub branch: BranchId,
    /// The number.
    pub number: Number,
    /// Trunks that have not been tried.
    pub trunks: SmallVec<[TrunkId; 2]>,
    /// The leg by the present one.
    pub leg: LegId,
    /// With whose rights; `None`: nobody's, in what earlier releases saved.
    #[serde(default)]
    pub by: Option<ExtensionId>,
    /// A rule leads there, which runs for this reason.
    #[serde(default)]
    pub diverted: Option<DiversionReason>,
    /// A call for help: nothing stops it.
    #[serde(default)]
    pub emergency: bool,
}

/// A machine that a rule of the visit above lets take the call. It never beats a person: while one
/// may still answer, it is ready and waits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    /// What comes after what it plays.
    pub does: Does,
    /// What it plays.
    pub pieces: Vec<Piece>,
    /// It has ended by now.
    pub at_most: Duration,
    /// It has taken the call and plays; `None`: it is ready.
    pub plays: Option<ClipId>,
}

/// What a machine does behind what it plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Does {
    /// The rules go on.
    GoOn,
    /// The call is over.
    HangUp,
    /// A message is taken.
    TakeMessage,
    /// It is the conference room of this extension, and the caller is let in.
    LetIn(ExtensionId),
    /// It is this service, which serves the caller.
    Serve(ExtensionId),
    /// It is a slot, if not the next free one, in which the caller is parked.
    Park(Option<u8>),
}

impl Visit {
    /// A visit whose rules have not been looked at; without rules.
    pub fn new(extension: ExtensionId, branch: BranchId) -> Visit {
        Visit {
            extension,
            branch,
            rules: Arc::default(),
            registers: Registers::default(),
            is_full: false,
            last: None,
        }
    }
}

impl Node {
    /// The legs that it rings.
    pub fn legs(&self) -> &[LegId] {
        match &self.kind {
            Kind::Group(group) => &group.legs,
            Kind::Outside(way) => core::slice::from_ref(&way.leg),
            Kind::Visit(_) | Kind::Forward(_) | Kind::Machine(_) => &[],
        }
    }

    /// Whether it is a machine that has taken the call.
    pub fn is_playing(&self) -> bool {
        matches!(&self.kind, Kind::Machine(machine) if machine.plays.is_some())
    }

    /// The part in the call that began and ends with it.
    pub fn branch(&self) -> Option<BranchId> {
        match &self.kind {
            Kind::Visit(visit) => Some(visit.branch),
            Kind::Group(group) => group.branch,
            Kind::Outside(way) => Some(way.branch),
            Kind::Forward(_) | Kind::Machine(_) => None,
        }
    }

    /// One of its legs has answered, the others are ended.
    pub fn keep_only(&mut self, leg: LegId, actions: &mut Actions) {
        if let Kind::Group(group) = &mut self.kind {
            for other in group.legs.iter().filter(|l| **l != leg) {
                actions.push(Action::End { leg: *other, reason: EndReason::AnsweredElsewhere });
            }
            group.legs.retain(|l| *l == leg);
        }
    }
}

/// How a node ended that did not lead to an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failure {
    /// As rules see it.
    pub outcome: Outcome,
    /// As records see it.
    pub reason: EndReason,
    /// The peer's final status, where it refused.
    pub status: Option<u16>,
}

impl Failure {
    /// What a reason is to rules: busy is 486 alone (decision 18).
    pub fn of(reason: EndReason, status: Option<u16>, facts: &Facts<'_>) -> Failure {
        let outcome = match reason {
            EndReason::Busy | EndReason::ExtensionLimit | EndReason::BusyByRule => Outcome::Busy,
            EndReason::Declined if facts.snapshot.routing.settings.decline_is_busy => Outcome::Busy,
            _ => Outcome::NoAnswer,
        };
        Failure { outcome, reason, status }
    }

    /// Whether no device gave a sign of life.
    pub fn is_unreachable(&self) -> bool {
        self.reason == EndReason::Unreachable
    }
}
