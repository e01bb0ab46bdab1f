//! What somebody is looked for, where nobody waits on the line: who answers takes a call that is
//! there already. Only devices are rung, without rules, or an outside number, which takes the call
//! with a key first.

use core::time::Duration;
use std::sync::Arc;

use leg::{CallFlow, DiversionReason, LegId, MonitorMode, Refusal};
use model::limits::RING_TIMEOUT_S_DEFAULT;
use model::{EndReason, Extension, ExtensionId, ExtensionKind, Number, Status};
use route::{Destination, Outside, Unroutable};
use serde::{Deserialize, Serialize};

use super::node::{Failure, Kind, Node, NodeId, Wait};
use super::transfer::Transfer;
use super::{ROOT, Seeking, Work};
use crate::call::{Leg, StepId};
use crate::conversation::{ConversationId, Party};
use crate::limits;
use crate::step::clearing::Clearing;
use crate::step::consulting::Consultation;
use crate::step::monitoring::Monitoring;
use crate::step::pickup;
use crate::step::{Action, Actions, Facts, Given, Next, Step, Timer};

/// Max-Forwards of what is dialled for nobody's INVITE: RFC 3261 8.1.1.6.
pub(crate) const MAX_FORWARDS: u8 = 70;

/// What becomes of who answers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum Purpose {
    /// It is connected with who waits.
    #[default]
    Connect,
    /// It takes the call that a step looks for somebody for.
    PickUp {
        /// The step.
        step: StepId,
        /// The leg of who waits there; when that is over, nobody is needed any more.
        waits: LegId,
    },
    /// It takes the far party of a leg, and that one's place.
    TakeOver {
        /// Which.
        from: LegId,
        /// That far party when it was rung, whose codecs it is offered first.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        far: Option<LegId>,
    },
    /// It listens to a leg.
    Monitor {
        /// How much of it is heard.
        mode: MonitorMode,
        /// The leg; when that is over, there is nothing to listen to any more.
        follows: LegId,
        /// Whose call it is.
        of: ExtensionId,
    },
    /// The extension that has parked somebody takes it back.
    RingBack {
        /// The step that is parked.
        step: StepId,
        /// The leg of who waits there.
        waits: LegId,
    },
    /// It is connected with who waits, whom somebody has sent on.
    Transfer(Box<Transfer>),
    /// It is connected with who waits, whose far party waits elsewhere.
    Consult(Consultation),
}

/// Whom to ring for a purpose.
#[derive(Clone, Debug)]
pub enum Wanted {
    /// The devices of a phone extension.
    Extension(Arc<Extension>),
    /// A number of the outside.
    Outside(Outside),
}

/// Whom a number means where only devices may ring. `by`: with whose rights it is dialled.
pub fn wanted(number: &Number, by: ExtensionId, facts: &Facts<'_>) -> Result<Wanted, Unroutable> {
    let by = facts.snapshot.extension(by).map(|e| &**e);
    match route::destination(facts.snapshot, by, number.as_str())? {
        Destination::Extension(extension) if extension.kind == ExtensionKind::Phone => {
            Ok(Wanted::Extension(extension))
        }
        Destination::Extension(_) | Destination::Feature(_) => Err(Unroutable::NoSuchNumber),
        Destination::Outside(outside) => Ok(Wanted::Outside(outside)),
    }
}

/// The same as who has ordered it is told.
pub(in crate::step) fn found(
    number: &Number,
    by: ExtensionId,
    facts: &Facts<'_>,
) -> Result<Wanted, Refusal> {
    wanted(number, by, facts).map_err(|why| match why {
        Unroutable::NoSuchNumber => Refusal::BadNumber,
        Unroutable::Blocked => Refusal::Forbidden,
    })
}

/// Why a number of the outside may not be dialled with the rights of an extension, if it may not;
/// nothing stops a call for help.
pub(crate) fn forbids(
    outside: &Outside,
    by: ExtensionId,
    facts: &Facts<'_>,
) -> Option<&'static str> {
    let settings = &facts.snapshot.routing.settings;
    if outside.emergency {
        None
    } else if is_blocked(by, facts) {
        Some("the extension is blocked")
    } else {
        let may = route::is_allowed(settings, outside.number.as_str());
        (!may).then_some("the number is not allowed")
    }
}

/// Whether somebody has blocked an extension.
pub(in crate::step) fn is_blocked(by: ExtensionId, facts: &Facts<'_>) -> bool {
    facts.snapshot.extension(by).is_none_or(|e| e.status != Status::Active)
}

impl Wanted {
    /// Whose devices they are.
    pub fn extension(&self) -> Option<ExtensionId> {
        match self {
            Wanted::Extension(extension) => Some(extension.id),
            Wanted::Outside(_) => None,
        }
    }

    /// As people read who it is.
    pub fn name(&self, facts: &Facts<'_>) -> Arc<str> {
        match self {
            Wanted::Extension(extension) => facts.snapshot.full_name(extension).into(),
            Wanted::Outside(outside) => outside.number.shared(),
        }
    }
}

impl Purpose {
    /// Whether it is what it mostly is.
    pub fn is_connect(&self) -> bool {
        *self == Purpose::Connect
    }

    /// Whether somebody waits on the line.
    pub fn has_caller(&self) -> bool {
        match self {
            Purpose::Connect | Purpose::Transfer(_) | Purpose::Consult(_) => true,
            Purpose::PickUp { .. }
            | Purpose::TakeOver { .. }
            | Purpose::Monitor { .. }
            | Purpose::RingBack { .. } => false,
        }
    }

    /// Whether who answers is needed only as long as this leg is there.
    pub fn follows(&self, leg: LegId) -> bool {
        match self {
            Purpose::Connect | Purpose::Transfer(_) => false,
            Purpose::PickUp { waits, .. } | Purpose::RingBack { waits, .. } => *waits == leg,
            Purpose::TakeOver { from, .. } => *from == leg,
            Purpose::Consult(consultation) => consultation.far == leg,
            Purpose::Monitor { follows, .. } => *follows == leg,
        }
    }

    /// Whether it is about this leg as the one of an extension, whichever of its legs that is.
    pub(in crate::step) fn is_about(&self, leg: LegId) -> bool {
        match self {
            Purpose::TakeOver { from: of, .. }
            | Purpose::Monitor { follows: of, .. }
            | Purpose::PickUp { waits: of, .. }
            | Purpose::RingBack { waits: of, .. } => *of == leg,
            Purpose::Connect | Purpose::Transfer(_) | Purpose::Consult(_) => false,
        }
    }

    /// Another leg of the extension has the place of the one that it is about, or for whom it is.
    pub(super) fn goes_on_with(&mut self, leg: LegId, from: LegId) {
        match self {
            Purpose::TakeOver { from: of, .. }
            | Purpose::Monitor { follows: of, .. }
            | Purpose::PickUp { waits: of, .. }
            | Purpose::RingBack { waits: of, .. }
            | Purpose::Consult(Consultation { far: of, .. })
                if *of == from =>
            {
                *of = leg;
            }
            _ => {}
        }
    }

    /// Who will talk with who answers, of those who are there already.
    pub(super) fn partner<'a>(&self, facts: &Facts<'a>) -> Option<&'a Leg> {
        match self {
            Purpose::PickUp { waits, .. } | Purpose::RingBack { waits, .. } => facts.leg(*waits),
            Purpose::TakeOver { far, .. } => facts.leg((*far)?),
            Purpose::Connect
            | Purpose::Monitor { .. }
            | Purpose::Transfer(_)
            | Purpose::Consult(_) => None,
        }
    }

    /// The step in which somebody waits to be taken by who answers, and that one's leg.
    pub fn waits(&self) -> Option<(StepId, LegId)> {
        match self {
            Purpose::PickUp { step, waits } | Purpose::RingBack { step, waits } => {
                Some((*step, *waits))
            }
            Purpose::Connect
            | Purpose::TakeOver { .. }
            | Purpose::Monitor { .. }
            | Purpose::Transfer(_)
            | Purpose::Consult(_) => None,
        }
    }

    /// The step that is parked, of a ring-back.
    pub fn rings_back_for(&self) -> Option<StepId> {
        match self {
            Purpose::RingBack { step, .. } => Some(*step),
            Purpose::Connect
            | Purpose::PickUp { .. }
            | Purpose::TakeOver { .. }
            | Purpose::Monitor { .. }
            | Purpose::Transfer(_)
            | Purpose::Consult(_) => None,
        }
    }

    /// How long who is rung for it may take to answer.
    fn rings_for(&self) -> Duration {
        match self {
            Purpose::RingBack { .. } => limits::RING_BACK,
            Purpose::Connect
            | Purpose::PickUp { .. }
            | Purpose::TakeOver { .. }
            | Purpose::Monitor { .. }
            | Purpose::Transfer(_)
            | Purpose::Consult(_) => Duration::from_secs(RING_TIMEOUT_S_DEFAULT.into()),
        }
    }
}

impl Seeking {
    /// Begins to ring somebody for a purpose, beside what goes on. `by`: with whose rights the
    /// outside is dialled. Nobody there: the part of who should be rung begins and ends at once,
    /// and there is no step that rings.
    #[allow(clippy::too_many_arguments)] // All of them are the order.
    pub fn fetch(
        purpose: Purpose,
        wanted: &Wanted,
        by: ExtensionId,
        conversation: ConversationId,
        party: Option<Arc<Party>>,
        facts: &Facts<'_>,
        actions: &mut Actions,
    ) -> Option<StepId> {
        let mut seeking = Seeking::new(None, conversation, MAX_FORWARDS);
        (seeking.party, seeking.purpose) = (party, purpose);
        let (acting, step) = (actions.acting, actions.fresh_step());
        actions.act_as(step);
        let mut work = Work { facts, actions };
        let failed = match wanted {
            Wanted::Extension(extension) => seeking.ring_phone(extension, &mut work),
            Wanted::Outside(outside) => {
                let by = Some((by, DiversionReason::Deflection));
                seeking.begin_outside(None, by, outside, &mut work)
            }
        };
        let begins = failed.is_none();
        if begins {
            let after = seeking.purpose.rings_for();
            let timer = Timer::Node(ROOT, Wait::Ring);
            actions.push(Action::Timer { timer, after });
            actions.push(Action::Begin(step, Box::new(Step::Seeking(seeking))));
        }
        actions.act_as(acting);
        begins.then_some(step)
    }

    /// Rings the devices of an extension, without its rules. `Some`: none can be rung.
    pub(super) fn ring_phone(
        &mut self,
        extension: &Extension,
        work: &mut Work<'_, '_>,
    ) -> Option<Failure> {
        let branch = work.actions.fresh_branch();
        work.actions.push(Action::Join {
            branch,
            conversation: self.conversation,
            party: self.party.clone(),
            extension: Some(extension.id),
            flow: CallFlow::In,
            forwards_to: None,
        });
        self.begin_group(None, extension.id, branch, true, None, work).err()
    }

    /// Who was rung for a purpose has answered.
    pub(super) fn found(mut self, leg: LegId, facts: &Facts<'_>, actions: &mut Actions) -> Next {
        if self.purpose.has_caller() {
            return self.connect(leg, facts, actions);
        }
        let Some(winner) = self.owner(leg) else { return Next::Stay(Step::Seeking(self)) };
        self.leave_only(winner, Some(leg), &mut Work { facts, actions });
        let call = facts.call.id;
        let connects = facts.leg(leg).map(|l| Action::Connect { branch: l.branch, says_so: true });
        match self.purpose {
            Purpose::PickUp { step, .. } | Purpose::RingBack { step, .. } => {
                if facts.call.steps.get(step).is_some_and(|s| s.can_be_picked_up()) {
                    actions.list.extend(connects);
                    actions.push(Action::Give { leg, call, step, given: Given::PicksUp });
                    return Next::Done;
                }
            }
            Purpose::TakeOver { from, .. } => {
                if pickup::can_take_over(from, facts) {
                    actions.list.extend(connects);
                    pickup::take_over(leg, from, facts, actions);
                    return Next::Done;
                }
            }
            Purpose::Monitor { mode, follows, of } => {
                actions.list.extend(connects);
                return Next::Become(Step::Monitoring(Monitoring { leg, follows, of, mode }));
            }
            Purpose::Connect | Purpose::Transfer(_) | Purpose::Consult(_) => {}
        }
        // Somebody was faster.
        let reason = EndReason::AlreadyAnswered;
        Next::Become(Step::Clearing(Clearing::begin(leg, reason, None, actions)))
    }

    /// What it was needed for is over.
    pub(super) fn needless(
        mut self,
        reason: EndReason,
        facts: &Facts<'_>,
        actions: &mut Actions,
    ) -> Next {
        self.remove(ROOT, reason, None, &mut Work { facts, actions });
        Next::Done
    }

    /// Who was rung for a purpose has not answered.
    pub(super) fn in_vain(&self, facts: &Facts<'_>, actions: &mut Actions) -> Next {
        if let Purpose::RingBack { step, waits: leg } = self.purpose
            && facts.call.steps.get(step).is_some()
        {
            let given = Given::NobodyAnswers;
            actions.push(Action::Tell { step, leg, given });
        }
        Next::Done
    }

    /// Whether an outside number that answers must take the call with a key, since no machine may
    /// have it.
    pub(super) fn is_wary(&self, node: NodeId) -> bool {
        let is_outside = matches!(self.nodes.get(node), Some(Node { kind: Kind::Outside(_), .. }));
        is_outside && !self.purpose.has_caller()
    }
}
