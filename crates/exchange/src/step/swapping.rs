//! Swapping: `*3100*1234` makes the own devices and those of 100 serve each other, `*3` ends it.
//! It lasts no time, so it is no state; what is left of it is a tone.

use std::sync::Arc;

use leg::{LegId, PinKind};
use model::{ControlAction, Extension, ExtensionId, Secret, Status};
use route::Named;

use super::telling::Telling;
use super::{Action, Actions, Facts, Step};
use crate::attempts::{self, Attempted};
use crate::pins::Guess;
use crate::replaced::Pair;

/// Whose code was dialled, and by whom.
#[derive(Clone, Copy, Debug)]
pub struct Dialled<'a> {
    /// The leg that dialled it.
    pub leg: LegId,
    /// The extension that acts.
    pub actor: ExtensionId,
    /// With whom.
    pub with: &'a Named,
    /// What must be that extension's PIN.
    pub pin: &'a Secret,
}

/// An extension wants to serve another one. What is refused sounds the same for every reason.
pub fn begin(dialled: Dialled<'_>, facts: &Facts<'_>, actions: &mut Actions) -> Step {
    let Dialled { leg, actor, with, .. } = dialled;
    let call = facts.branch_of(leg).and_then(|branch| facts.call.conversation_of(branch));
    let attempted = Attempted {
        action: ControlAction::Replace,
        target: with.extension(),
        name: match with {
            Named::Extension(_) => Arc::default(),
            Named::Unknown(name) => name.shared(),
        },
        call: call.map(|of| of.api_id.uuid),
    };
    let target = with.extension().and_then(|id| facts.snapshot.extension(id));
    let obstacle = || obstacle(&dialled, target?, facts, actions);
    let (is_allowed, audit) = attempted.to_replace(actor, facts, obstacle);
    actions.push(audit);
    match target {
        Some(target) if is_allowed => {
            let pair = Pair { by: actor, with: target.id, since: facts.now.wall };
            actions.push(Action::Replace(pair));
            Step::Telling(Telling::done(leg, facts, actions))
        }
        Some(_) | None => Step::Telling(Telling::refused(leg, facts, actions)),
    }
}

/// An extension serves another one no more.
pub fn end(leg: LegId, actor: ExtensionId, facts: &Facts<'_>, actions: &mut Actions) -> Step {
    let Some(pair) = facts.tables.replaced.pair_of(actor) else {
        return Step::Telling(Telling::refused(leg, facts, actions));
    };
    actions.push(attempts::ended_by_phone(pair, actor, facts));
    actions.push(Action::EndReplace(actor));
    Step::Telling(Telling::done(leg, facts, actions))
}

/// What stands in the way of somebody who has the right, as the audit tells it.
fn obstacle(
    dialled: &Dialled<'_>,
    target: &Extension,
    facts: &Facts<'_>,
    actions: &mut Actions,
) -> Option<&'static str> {
    let Dialled { actor, pin, .. } = *dialled;
    let guess = Guess { pin: PinKind::Replace, actor, target: target.id };
    if facts.tables.pins.is_locked(facts.now.mono, guess) {
        return Some("too many wrong PINs");
    }
    let phone = target.phone.as_ref().filter(|_| target.status == Status::Active);
    let Some(right) = phone.and_then(|phone| phone.shown.replace_pin.as_ref()) else {
        return Some("it may not be replaced");
    };
    if right != pin {
        actions.push(Action::WrongPin(guess));
        return Some("wrong PIN");
    }
    actions.push(Action::RightPin(guess));
    let replaced = &facts.tables.replaced;
    if actor == target.id {
        return Some("nobody replaces itself");
    }
    let is_taken = [actor, target.id].iter().any(|id| replaced.contains(*id));
    is_taken.then_some("one of the two is replaced already")
}
