//! Who may do what to whose call, and what the audit says of it. The one place that decides.

use std::sync::Arc;

use leg::{Attempt, Audit, AuditAction, AuditExtension, AuditProgram, AuditSource};
use model::control::{Clause, ControlAction, Verdict};
use model::{CallControlApi, CallUuid, EndReason, ExtensionId, Now, Snapshot};

use crate::replaced::Pair;
use crate::step::seeking::purpose::{self, Wanted};
use crate::step::{Action, Facts};

/// How a phone is refused what its extension may not do, or what cannot be done: nobody hears from
/// it whether the other extension is idle, busy, or there at all.
pub const NEUTRAL: EndReason = EndReason::Forbidden;

/// Something that is tried on somebody's call.
#[derive(Clone, Debug)]
pub struct Attempted {
    /// What.
    pub action: ControlAction,
    /// Whose call it is; `None`: what was dialled is no extension.
    pub target: Option<ExtensionId>,
    /// What was dialled, for one that is no extension.
    pub name: Arc<str>,
    /// Which call, where there is one.
    pub call: Option<CallUuid>,
}

impl Attempted {
    /// Something that is tried on a call of an extension.
    pub fn on(target: ExtensionId, action: ControlAction, call: Option<CallUuid>) -> Attempted {
        Attempted { action, target: Some(target), name: Arc::default(), call }
    }

    /// Somebody tries it with a telephone: whether it may be done, and the row of the audit.
    pub fn by_phone(self, actor: ExtensionId, facts: &Facts<'_>) -> (bool, Action) {
        let verdict = self.verdict(actor, facts);
        let lacks_call = verdict.is_allowed && self.call.is_none();
        let mut audit = self.row(AuditSource::Phone, named(actor, facts), verdict, facts);
        audit.detail = lacks_call.then(|| "no such call".into());
        (verdict.is_allowed, Action::Audit(Box::new(audit)))
    }

    /// Somebody wants to serve the target with a telephone; `obstacle` says what stands in the way
    /// of who has the right.
    pub fn to_replace(
        self,
        actor: ExtensionId,
        facts: &Facts<'_>,
        obstacle: impl FnOnce() -> Option<&'static str>,
    ) -> (bool, Action) {
        let mut verdict = self.verdict(actor, facts);
        let obstacle = if verdict.is_allowed { obstacle() } else { None };
        verdict.is_allowed &= obstacle.is_none();
        let mut audit = self.row(AuditSource::Phone, named(actor, facts), verdict, facts);
        audit.detail = obstacle.map(Into::into);
        (verdict.is_allowed, Action::Audit(Box::new(audit)))
    }

    /// Somebody of the outside who takes part in a call tries it: it has no rights.
    pub fn by_outsider(self, number: Arc<str>, facts: &Facts<'_>) -> Action {
        let actor = AuditExtension { id: None, name: number };
        Action::Audit(Box::new(self.row(AuditSource::Phone, actor, DENIED, facts)))
    }

    /// A program tries it for whom it has rung: decision 4.
    pub fn by_program(
        self,
        program: Option<&Arc<AuditProgram>>,
        acting: &Wanted,
        facts: &Facts<'_>,
    ) -> (bool, Action) {
        let actor = acting.extension();
        let is_open =
            facts.snapshot.routing.settings.shown.call_control_api == CallControlApi::Open;
        let mut verdict = match actor {
            _ if is_open => Verdict { is_allowed: true, clause: Clause::Nothing },
            Some(actor) => self.verdict(actor, facts),
            None => DENIED,
        };
        // With whose rights the outside is dialled.
        let obstacle = match acting {
            Wanted::Outside(outside) if verdict.is_allowed => {
                self.target.and_then(|by| purpose::forbids(outside, by, facts))
            }
            Wanted::Outside(_) | Wanted::Extension(_) => None,
        };
        verdict.is_allowed &= obstacle.is_none();
        let nobody = || AuditExtension { id: None, name: acting.name(facts) };
        let acts = actor.map_or_else(nobody, |id| named(id, facts));
        let mut audit = self.row(AuditSource::Api, acts, verdict, facts);
        if is_open {
            audit.clause = "token".into();
        }
        audit.detail = obstacle.map(Into::into);
        audit.program = program.map(|program| (**program).clone());
        (verdict.is_allowed, Action::Audit(Box::new(audit)))
    }

    fn verdict(&self, actor: ExtensionId, facts: &Facts<'_>) -> Verdict {
        let may = |target| facts.snapshot.control.may(actor, self.action, target);
        self.target.map_or(DENIED, may)
    }

    fn row(
        self,
        source: AuditSource,
        actor: AuditExtension,
        verdict: Verdict,
        facts: &Facts<'_>,
    ) -> Audit {
        let Attempted { action, target, name, call } = self;
        let target = match target {
            Some(id) => Some(named(id, facts)),
            None if name.is_empty() => None,
            None => Some(AuditExtension { id: None, name }),
        };
        let attempt = Attempt { time: facts.now.wall, source, actor, action, target, call };
        let snapshot = facts.snapshot;
        Audit::attempt(snapshot.tenant.id, attempt, &snapshot.control, verdict)
    }
}

/// A program has ended that two extensions serve each other; `of`: which of the two it has named.
pub(crate) fn ended_by_program(
    (pair, of): (Pair, ExtensionId),
    program: &AuditProgram,
    now: Now,
    snapshot: &Snapshot,
) -> Audit {
    let program = Some(program.clone());
    Audit { source: AuditSource::Api, program, ..ended(pair, of, now, snapshot) }
}

/// One of two extensions has ended with a telephone that they serve each other: either may.
pub(crate) fn ended_by_phone(pair: Pair, actor: ExtensionId, facts: &Facts<'_>) -> Action {
    let target = if pair.by == actor { pair.with } else { pair.by };
    let (now, snapshot) = (facts.now, facts.snapshot);
    let actor = Some(called(actor, snapshot));
    let clause = "either_side".into();
    Action::Audit(Box::new(Audit { actor, clause, ..ended(pair, target, now, snapshot) }))
}

fn ended(pair: Pair, target: ExtensionId, now: Now, snapshot: &Snapshot) -> Audit {
    let name = |id| called(id, snapshot).name;
    Audit {
        tenant: snapshot.tenant.id,
        time: now.wall,
        source: AuditSource::Phone,
        actor: None,
        program: None,
        action: AuditAction::EndReplace,
        target: Some(called(target, snapshot)),
        call: None,
        allowed: true,
        clause: "token".into(),
        groups: Vec::new(),
        detail: Some(format!("{} and {}", name(pair.by), name(pair.with)).into()),
    }
}

const DENIED: Verdict = Verdict { is_allowed: false, clause: Clause::Nothing };

fn named(id: ExtensionId, facts: &Facts<'_>) -> AuditExtension {
    called(id, facts.snapshot)
}

fn called(id: ExtensionId, snapshot: &Snapshot) -> AuditExtension {
    let name = snapshot.extension(id).map_or_else(|| id.to_string(), |e| snapshot.full_name(e));
    AuditExtension { id: Some(id), name: name.into() }
}
