//! Who is at the end of a leg, and how others are shown that.

use leg::{Identity, LegId};
use model::{DisplayName, ExtensionId, Snapshot};

use crate::call::{Branch, BranchId, Call};
use crate::conversation::Party;
use crate::place::Place;
use crate::records;
use crate::step::{Action, Actions, Facts};

/// The name of who hides, as phones are shown it.
const HIDDEN: &str = "Anonymous";

/// An extension, as if it called.
pub(crate) fn party_of(extension: ExtensionId, snapshot: &Snapshot) -> Option<Party> {
    let (number, name) = route::caller_identity(snapshot, snapshot.extension(extension)?);
    let identity = Identity::of(number, name);
    Some(Party { identity, extension: Some(extension), came_by: None })
}

/// Who is at the end of a leg, as if that one called.
pub(crate) fn party_at(leg: LegId, facts: &Facts<'_>) -> Option<Party> {
    party_in(facts.call, leg, facts.snapshot)
}

/// The same in a call that nobody handles now.
pub(crate) fn party_in(call: &Call, leg: LegId, snapshot: &Snapshot) -> Option<Party> {
    party_in_branch(call, call.legs.get(leg)?.branch, snapshot)
}

/// Who is in a part of a call, which may have no leg at the moment.
pub(crate) fn party_in_branch(call: &Call, branch: BranchId, snapshot: &Snapshot) -> Option<Party> {
    let branch = call.branches.get(branch)?;
    if !branch.is_called() {
        return call.party(branch).cloned();
    }
    branch.itself().and_then(|id| party_of(id, snapshot)).or_else(|| dialled_in(call, branch))
}

/// What was dialled in a branch, as the party that is reached by it.
fn dialled_in(call: &Call, branch: &Branch) -> Option<Party> {
    let number = records::dialled(call.conversation_of(branch)?, branch).clone();
    let identity = Identity::of(number, DisplayName::default());
    Some(Party { identity, extension: None, came_by: None })
}

/// The same under a word that says why it rings: `P6: NAME`. Of who hides the word is all that is
/// told: `P6: Anonymous`.
pub(crate) fn marked(party: Party, mark: &str) -> Party {
    let under = |shown: &str| DisplayName::from_peer(&format!("{mark}: {shown}"));
    let identity = match party.identity {
        hidden if hidden.private => Identity { name: under(HIDDEN), ..Identity::nobody() },
        named if !named.name.as_str().is_empty() => {
            Identity { name: under(named.name.as_str()), ..named }
        }
        nameless => {
            let number = nameless.number.as_ref().map_or("", |n| n.as_str());
            Identity { name: under(number), ..nameless }
        }
    };
    Party { identity, ..party }
}

/// Shows the peers of two legs with whom they talk from now on. A trunk is shown it only where that
/// is set.
pub(crate) fn introduce(one: LegId, other: LegId, facts: &Facts<'_>, actions: &mut Actions) {
    for (leg, with) in [(one, other), (other, one)] {
        show(leg, with, facts, actions);
    }
}

/// The same for one of them, where the other was shown it when it rang.
pub(crate) fn show(leg: LegId, with: LegId, facts: &Facts<'_>, actions: &mut Actions) {
    show_party(leg, party_at(with, facts), facts, actions);
}

/// Shows the peer of a leg where it is from now on.
pub(crate) fn show_place(leg: LegId, place: Place, facts: &Facts<'_>, actions: &mut Actions) {
    show_party(leg, place.party(facts.snapshot), facts, actions);
}

/// Shows the peer of a leg what was dialled by the one whose place it has.
pub(crate) fn show_dialled(leg: LegId, from: LegId, facts: &Facts<'_>, actions: &mut Actions) {
    let branch = facts.branch_of(from).filter(|branch| !branch.is_called());
    let party = branch.and_then(|branch| dialled_in(facts.call, branch));
    show_party(leg, party, facts, actions);
}

/// Shows the peer of a leg somebody, whoever that is.
pub(crate) fn show_party(
    leg: LegId,
    party: Option<Party>,
    facts: &Facts<'_>,
    actions: &mut Actions,
) {
    let line = facts.leg(leg).and_then(|l| l.line);
    let trunk = line.and_then(|line| facts.snapshot.routing.trunks.get(&line.trunk));
    if line.is_some() && !trunk.is_some_and(|plan| plan.update_display) {
        return;
    }
    if let Some(Party { identity, .. }) = party {
        actions.push(Action::Identify { leg, identity });
    }
}
