//! Steps: what goes on in a call, and what may happen next.
//!
//! Every leg is owned by exactly one step, and its events go to that step only. A step gets its
//! own state, an input and read-only [`Facts`], and returns its next state and [`Actions`]; it
//! changes nothing itself.

mod action;
mod actions;
mod asking;
pub mod clearing;
pub mod consulting;
pub mod departing;
pub mod entering;
mod input;
mod keys;
mod late;
mod led;
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
mod sending;
pub mod serving;
pub mod sounds;
pub mod swapping;
pub mod talking;
pub mod telling;
mod transfers;
mod upkeep;
pub mod voicemail;

use leg::{ClipId, LegId, RecorderId};
use model::EndReason;
use serde::{Deserialize, Serialize};

pub use self::action::{Action, Outside};
pub(crate) use self::actions::next;
pub use self::actions::{Accepted, Actions, Numbers};
pub use self::input::{Facts, Given, StepInput, Timer};
use crate::call::{Branch, BranchId, StepId};
use crate::conversation::ConversationId;
use crate::step::sounds::{Scene, Sounds};

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

impl Step {
    /// One input; the next state and what shall be done.
    pub fn handle(self, input: &StepInput<'_>, facts: &Facts<'_>, actions: &mut Actions) -> Next {
        if let StepInput::Given { leg, given: Given::TakesOver { from } } = input
            && replacing::is_alone(&self)
        {
            return replacing::takes_over(self, (*leg, *from), facts, actions);
        }
        match asking::may_concern(&self) {
            true => asking::handle(self, input, facts, actions),
            false => self.proceed(input, facts, actions),
        }
    }

    /// The same as if none of its legs consulted.
    fn proceed(self, input: &StepInput<'_>, facts: &Facts<'_>, actions: &mut Actions) -> Next {
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

    /// Whether all of it is about a leg that it does not own, and is over with that.
    pub fn is_about_another(&self) -> bool {
        match self {
            Step::Seeking(seeking) => !seeking.purpose.has_caller(),
            Step::Monitoring(_) => true,
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

    /// Whether it plays a clip whose end it waits for.
    pub fn plays(&self, clip: ClipId) -> bool {
        let saying = match self {
            Step::Voicemail(voicemail) => voicemail.saying(),
            Step::Mailbox(mailbox) => mailbox.saying(),
            Step::Entering(entering) => entering.saying.as_ref(),
            Step::Room(room) => room.sayings.front(),
            Step::Seeking(seeking) => return seeking.player_of(clip).is_some(),
            _ => None,
        };
        saying.is_some_and(|saying| saying.clip == clip)
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
