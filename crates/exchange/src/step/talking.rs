//! Talking: two legs hear each other.

use leg::{CallAction, ClipId, LegEvent, LegId, Piece, Player, Refusal, Source, Tone};
use model::{EndReason, ExtensionId, SoundId};
use serde::{Deserialize, Serialize};

use super::consulting::{Consultation, Wants};
use super::late::Late;
use super::parked::{self, Departure, Parking};
use super::sounds::{Saying, Scene, Sounds};
use super::{
    Accepted, Action, Actions, Facts, Given, Next, Step, StepInput, Timer, keys, led, monitoring,
    pickup, reason_for, transfers,
};
use crate::control::Order;
use crate::keypad::Keypad;
use crate::limits;
use crate::small_map::SmallMap;

/// Two legs talk. A phone's hold is a direction of its session, a program's a fact of its leg; the
/// audio is back when neither holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Talking {
    /// The one that called.
    pub a: LegId,
    /// The one that answered.
    pub b: LegId,
    /// A program holds the call for the first, in what earlier releases saved.
    #[serde(default, skip_serializing)]
    pub a_holds: bool,
    /// The same for the second.
    #[serde(default, skip_serializing)]
    pub b_holds: bool,
    /// The number of the music that one hears who is held; `None`: in what earlier releases saved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub music: Option<ClipId>,
    /// Who hears that something could not be done, for a moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tone: Option<LegId>,
    /// The first consults the second, while its far party waits elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consults: Option<Consultation>,
    /// Keys that may become a code.
    #[serde(default, skip_serializing_if = "SmallMap::is_empty")]
    pub keypads: SmallMap<LegId, Keypad>,
    /// What was pressed while it was interrupted.
    #[serde(skip)]
    pub late: Late,
}

impl Talking {
    /// Two legs talk from now on.
    pub fn begin(a: LegId, b: LegId, actions: &mut Actions) -> Talking {
        Talking {
            a,
            b,
            a_holds: false,
            b_holds: false,
            music: Some(actions.fresh_clip()),
            tone: None,
            consults: None,
            keypads: SmallMap::default(),
            late: Late::default(),
        }
    }

    /// They talk on. `tone`: who hears that something could not be done.
    pub(super) fn resume(mut self, tone: Option<LegId>, actions: &mut Actions) -> Talking {
        self.tone = tone;
        if tone.is_some() {
            actions.push(Action::Timer { timer: Timer::Phase, after: limits::ERROR_TONE });
        }
        self
    }

    /// One input.
    pub fn handle(self, input: &StepInput<'_>, facts: &Facts<'_>, actions: &mut Actions) -> Next {
        if let Some(consultation) = self.consults
            && let Some(next) = self.consulting(consultation, input, facts, actions)
        {
            return next;
        }
        if let Some((leg, key)) = keys::key_of(input, facts) {
            return self.pressed(leg, key, facts, actions);
        }
        match input {
            StepInput::Leg(leg, LegEvent::Ended { reason, .. }) => {
                self.over(reason_for(facts, *leg, *reason), facts, actions)
            }
            StepInput::Leg(leg, LegEvent::Offer(_)) => {
                actions.push(Action::AnswerOffer { leg: *leg });
                Next::Stay(Step::Talking(self))
            }
            // It was asked whether it is still there, and no way leads to it any more.
            StepInput::Leg(_, LegEvent::OfferRejected { status: 408 }) => {
                self.over(EndReason::MediaLost, facts, actions)
            }
            StepInput::Silent(leg) => {
                actions.push(Action::Refresh { leg: *leg });
                Next::Stay(Step::Talking(self))
            }
            StepInput::HangUp { reason, .. } | StepInput::EndAll(reason) => {
                self.over(*reason, facts, actions)
            }
            StepInput::Order(order) => self.order(order, facts, actions),
            StepInput::Given { leg, given: Given::TakesOver { from } } => {
                self.taken_over(*from, *leg, EndReason::Replaced, facts, actions)
            }
            StepInput::Given { leg, given: Given::Joins { from } } => {
                let by = facts.branch_of(*from).and_then(|branch| branch.extension);
                let pair = (self.other(*from), *leg);
                let next = self.taken_over(*from, *leg, EndReason::Transferred, facts, actions);
                if let Some(by) = by {
                    led::joined(pair, by, facts, actions);
                }
                next
            }
            StepInput::Leg(leg, LegEvent::Refer { refer, to, .. }) => {
                transfers::refer(self, *leg, *refer, to, facts, actions)
            }
            StepInput::Timer(Timer::Keys(leg)) => self.waited(*leg, facts, actions),
            StepInput::Timer(_) => Next::Stay(Step::Talking(Talking { tone: None, ..self })),
            // Sessions and acknowledgements are facts of the leg, already noted; this step declares
            // no clip that ends, takes no third leg and follows none. Keys were looked at before.
            StepInput::Leg(..)
            | StepInput::Digit { .. }
            | StepInput::Sound(_)
            | StepInput::Given { .. }
            | StepInput::Gone(_) => Next::Stay(Step::Talking(self)),
        }
    }

    /// What is different while one consults the other; `None`: nothing is.
    fn consulting(
        &self,
        consultation: Consultation,
        input: &StepInput<'_>,
        facts: &Facts<'_>,
        actions: &mut Actions,
    ) -> Option<Next> {
        let with = self.other(consultation.leg);
        let back = |wants, reason, actions: &mut Actions| {
            consultation.gives_up(with, (wants, reason), facts, actions);
            Some(Next::Done)
        };
        let without = |actions: &mut Actions| {
            actions.push(Action::Save);
            Talking { consults: None, ..self.clone() }
        };
        match input {
            StepInput::Leg(leg, LegEvent::Ended { .. }) if *leg == consultation.leg => {
                consultation.completes(with, facts, actions);
                Some(Next::Done)
            }
            StepInput::Given { given: Given::IsOut, .. } => {
                consultation.completes(with, facts, actions);
                Some(Next::Done)
            }
            StepInput::Leg(leg, LegEvent::Ended { reason, .. }) => {
                back(Wants::Asked, reason_for(facts, *leg, *reason), actions)
            }
            StepInput::Leg(leg, LegEvent::OfferRejected { status: 408 }) if *leg == with => {
                back(Wants::Asked, EndReason::MediaLost, actions)
            }
            StepInput::HangUp { branch, reason } => {
                let is_asked = facts.leg(with).is_some_and(|leg| leg.branch == *branch);
                back(if is_asked { Wants::Asked } else { Wants::Asker }, *reason, actions)
            }
            StepInput::Given { given: Given::GivesUp, .. } => {
                let reason = reason_for(facts, consultation.leg, EndReason::CallerHungUp);
                back(Wants::Asker, reason, actions)
            }
            // The far party has gone: these two just talk. Or it waits at another phone.
            StepInput::Gone(far) if *far == consultation.far => {
                Some(Next::Stay(Step::Talking(without(actions))))
            }
            StepInput::Given { leg, given: Given::HasPlaceOf { from } }
                if *from == consultation.far =>
            {
                let consults = Some(Consultation { far: *leg, ..consultation });
                actions.push(Action::Save);
                Some(Next::Stay(Step::Talking(Talking { consults, ..self.clone() })))
            }
            // Its other phone goes on with it; somebody else knows nothing of the far party.
            StepInput::Given { leg, given: Given::TakesOver { from } }
                if *from == consultation.leg =>
            {
                let talk = match consultation.moves_to(*leg, facts, actions) {
                    Some(moved) => Talking { consults: Some(moved), ..self.clone() },
                    None => without(actions),
                };
                Some(talk.taken_over(*from, *leg, EndReason::Replaced, facts, actions))
            }
            StepInput::Order(_) => {
                actions.refuse(Refusal::TransferInProgress);
                Some(Next::Stay(Step::Talking(self.clone())))
            }
            StepInput::Leg(leg, LegEvent::Refer { refer, .. }) => {
                transfers::refused(*leg, *refer, actions);
                Some(Next::Stay(Step::Talking(self.clone())))
            }
            // They talk as others do.
            StepInput::Leg(..)
            | StepInput::Digit { .. }
            | StepInput::Silent(_)
            | StepInput::Sound(_)
            | StepInput::Timer(_)
            | StepInput::EndAll(_)
            | StepInput::Gone(_)
            | StepInput::Given { .. } => None,
        }
    }

    fn order(self, order: &Order, facts: &Facts<'_>, actions: &mut Actions) -> Next {
        let Some(leg) = self.leg_for(order, facts) else {
            actions.refuse(Refusal::NoSuchCall);
            return Next::Stay(Step::Talking(self));
        };
        match &order.action {
            CallAction::Monitor(mode, number) => {
                let pair = (leg, self.other(leg));
                monitoring::order((*mode, number), pair, order, facts, actions);
            }
            CallAction::Pickup(number) => {
                pickup::order_far(number, (leg, self.other(leg)), order, facts, actions);
            }
            CallAction::Transfer(Some(number)) => {
                let part = (order.branch, Departure::AtOnce);
                return transfers::order(self, leg, part, number, facts, actions);
            }
            CallAction::AttendedTransfer(number) => {
                return transfers::consult(self, leg, order.branch, number, facts, actions);
            }
            CallAction::Hold => {
                actions.accept();
                actions.push(Action::Hold { leg, held: true });
            }
            CallAction::Offhold => {
                if facts.leg(leg).is_some_and(|l| l.is_held_by_peer() && !l.held) {
                    actions.refuse(Refusal::HeldByPhone);
                } else {
                    actions.accept();
                    actions.push(Action::Hold { leg, held: false });
                }
            }
            CallAction::Park(slot) => {
                let parking = self.parking(leg, order);
                let departure = Departure::AtOnce;
                let done = parked::park(parking, *slot, departure, facts, actions);
                return self.or_stays(done, actions);
            }
            CallAction::Bridge(slot) => {
                let done = parked::bridge(self.parking(leg, order), *slot, facts, actions);
                return self.or_stays(done, actions);
            }
            _ => actions.refuse(Refusal::Forbidden),
        }
        Next::Stay(Step::Talking(self))
    }

    /// Who would park whom by an order.
    fn parking(&self, leg: LegId, order: &Order) -> Parking {
        Parking { parker: leg, branch: order.branch, far: self.other(leg) }
    }

    /// An order was carried out, or nothing has changed.
    pub(super) fn or_stays(
        self,
        done: Result<(Next, Accepted), Refusal>,
        actions: &mut Actions,
    ) -> Next {
        match done {
            Ok((next, accepted)) => {
                actions.answer = Some(Ok(accepted));
                next
            }
            Err(refusal) => {
                actions.refuse(refusal);
                Next::Stay(Step::Talking(self))
            }
        }
    }

    /// The leg that an order about a part of the call means: its own, or of an extension that has
    /// forwarded the call the one that it led to.
    fn leg_for(&self, order: &Order, facts: &Facts<'_>) -> Option<LegId> {
        let own = |leg: &LegId| facts.leg(*leg).is_some_and(|l| l.branch == order.branch);
        if let Some(leg) = [self.a, self.b].into_iter().find(own) {
            return Some(leg);
        }
        let part = facts.call.branches.get(order.branch)?;
        let of = |of| {
            [self.a, self.b].into_iter().find(|l| facts.leg(*l).is_some_and(|l| l.branch == of))
        };
        if let Some(leg) = part.led_to.and_then(of) {
            return Some(leg);
        }
        // In what earlier releases saved it is not said to whom.
        let root = facts.call.root(part.conversation);
        let led_to = |leg: &LegId| {
            let branch = facts.branch_of(*leg);
            branch.is_some_and(|b| b.is_called() && facts.call.root(b.conversation) == root)
        };
        [self.b, self.a].into_iter().find(led_to)
    }

    /// Another leg has the place of one of the two.
    fn taken_over(
        mut self,
        from: LegId,
        by: LegId,
        reason: EndReason,
        facts: &Facts<'_>,
        actions: &mut Actions,
    ) -> Next {
        let far = self.other(from);
        self.gives_up(from, actions);
        self = self.with_in_place_of(by, from);
        pickup::taken_over(from, (by, far), reason, facts, actions);
        Next::Stay(Step::Talking(self))
    }

    /// The same talk with a leg in the place of one of the two.
    pub(super) fn with_in_place_of(mut self, leg: LegId, from: LegId) -> Talking {
        if self.a == from {
            self.a = leg;
        } else {
            self.b = leg;
        }
        self.late.pass_on(from, leg);
        self
    }

    /// Takes out for whom a program held the talk in what earlier releases saved.
    pub(crate) fn holders(&mut self) -> impl Iterator<Item = LegId> + use<> {
        let (a, b) = (core::mem::take(&mut self.a_holds), core::mem::take(&mut self.b_holds));
        [a.then_some(self.a), b.then_some(self.b)].into_iter().flatten()
    }

    /// With whom a leg talks, if it does.
    pub(crate) fn with(&self, leg: LegId) -> Option<LegId> {
        [self.a, self.b].contains(&leg).then(|| self.other(leg))
    }

    pub(super) fn other(&self, leg: LegId) -> LegId {
        if leg == self.a { self.b } else { self.a }
    }

    fn over(self, reason: EndReason, facts: &Facts<'_>, actions: &mut Actions) -> Next {
        for leg in [self.a, self.b] {
            actions.push(Action::End { leg, reason });
            if let Some(leg) = facts.leg(leg) {
                actions.push(Action::Leave { branch: leg.branch, reason, status: None });
            }
        }
        Next::Done
    }

    /// Each hears the other; who is held hears music, and who holds hears nothing.
    pub fn sounds(&self, scene: &Scene<'_>, to: &mut Sounds) {
        for (listener, speaker) in [(self.a, self.b), (self.b, self.a)] {
            if scene.holds(listener) {
                continue;
            }
            if self.tone == Some(listener) {
                to.hear(listener, Source::Player(Player::Tone(Tone::Congestion)));
                continue;
            }
            if scene.holds(speaker) {
                hold_music(scene, speaker, listener, self.music, to);
            } else {
                to.hear(listener, Source::Leg(speaker));
            }
        }
    }
}

/// Who is held hears the music of the extension that holds, else the client's, else the built-in
/// one.
pub(crate) fn hold_music(
    scene: &Scene<'_>,
    holder: LegId,
    listener: LegId,
    clip: Option<ClipId>,
    to: &mut Sounds,
) {
    let branch = scene.leg(holder).and_then(|l| scene.call.branches.get(l.branch));
    music_from(scene, branch.and_then(|b| b.extension), listener, clip, to);
}

/// The music of an extension, else the client's, else the built-in one.
pub(crate) fn music_from(
    scene: &Scene<'_>,
    extension: Option<ExtensionId>,
    listener: LegId,
    clip: Option<ClipId>,
    to: &mut Sounds,
) {
    let own = extension.and_then(|e| music_of(scene, e));
    let music = own.or_else(|| sound(scene, scene.snapshot.routing.settings.shown.hold_music?));
    match music.zip(clip) {
        Some((piece, clip)) => {
            to.repeat(scene, listener, &Saying { clip, pieces: vec![piece] });
        }
        None => to.hear(listener, Source::Player(Player::HoldMusic)),
    }
}

/// The sound that an extension's far party hears while it is held.
fn music_of(scene: &Scene<'_>, extension: ExtensionId) -> Option<Piece> {
    let phone = scene.snapshot.extension(extension)?.phone.as_ref()?;
    sound(scene, SoundId(phone.shown.hold_music?))
}

fn sound(scene: &Scene<'_>, sound: SoundId) -> Option<Piece> {
    scene.snapshot.routing.sounds.get(&sound).map(|sound| Piece::File(sound.file))
}
