//! Who calls: what a leg that came in makes of its call.

use leg::{Identity, Incoming, Origin};
use model::routing::rewritten;
use model::{ExtensionId, Number, Snapshot, TrunkUse};

use crate::conversation::Party;
use crate::outside::{CameBy, Line};

/// Who has begun a call.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    /// Who is shown as calling.
    pub(crate) party: Party,
    /// What was dialled.
    pub(crate) dialled: Number,
}

impl Caller {
    /// Who has sent an INVITE.
    pub(crate) fn of(snapshot: &Snapshot, incoming: &Incoming) -> Caller {
        match &incoming.origin {
            Origin::Extension(id) => Caller {
                party: Party {
                    identity: of_extension(snapshot, *id, incoming),
                    extension: Some(*id),
                    came_by: None,
                },
                dialled: route::without_pin(snapshot, &incoming.dialled.number),
            },
            Origin::Trunk { trunk, did } => {
                let plan = snapshot.routing.trunks.get(trunk).map(|plan| &**plan);
                let dialled = &incoming.dialled.number;
                let digits = Number::parse(did).unwrap_or_else(|_| dialled.clone());
                let name = snapshot.routing.dids.get(did).map(|did| &*did.name);
                let name = name.and_then(|name| Number::parse(name).ok());
                let did = name.unwrap_or_else(|| digits.clone());
                Caller {
                    party: Party {
                        identity: of_outside(plan, &incoming.identity),
                        extension: None,
                        came_by: Some(CameBy { trunk: *trunk, did: did.clone(), digits }),
                    },
                    dialled: did,
                }
            }
        }
    }

    /// What the caller's leg takes of the client's bounds.
    pub(crate) fn line(&self) -> Option<Line> {
        self.party.came_by.as_ref().map(|came| Line { trunk: came.trunk, by: None })
    }
}

/// Never what the phone says of itself, but for its wish to hide.
fn of_extension(snapshot: &Snapshot, id: ExtensionId, incoming: &Incoming) -> Identity {
    match snapshot.extension(id) {
        Some(extension) => {
            let (number, name) = route::caller_identity(snapshot, extension);
            Identity { private: incoming.identity.private, ..Identity::of(number, name) }
        }
        None => Identity::anonymous(),
    }
}

fn of_outside(plan: Option<&TrunkUse>, told: &Identity) -> Identity {
    let read = |number: &Option<Number>| match (number, plan) {
        (Some(number), Some(plan)) => Some(rewritten(number, &plan.rewrite_in)),
        (number, _) => number.clone(),
    };
    Identity {
        number: read(&told.number),
        name: told.name.clone(),
        private: told.private || told.number.is_none(),
        asserted: read(&told.asserted),
        diverted_by: read(&told.diverted_by),
    }
}
