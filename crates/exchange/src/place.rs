//! Where a leg is with nobody at its other end: in a conference room or at its door, at a service,
//! before a voicemail.
//!
//! Whoever is there sees the number that leads there, whether its own phone has dialled it, a rule
//! has led there, or somebody has sent it there: on its display, on the lamp that others watch, and
//! in the list of calls.

use leg::{Identity, LegId};
use model::{CodeName, DisplayName, Extension, ExtensionId, Number, Snapshot};
use route::{Destination, Feature};

use crate::call::{Branch, Call};
use crate::conversation::Party;
use crate::display;
use crate::records;
use crate::step::Step;

/// Where a leg is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// In the conference room of an extension, or at its door.
    Room(ExtensionId),
    /// Served by this extension, or before its voicemail.
    At(ExtensionId),
}

impl Place {
    /// Where a leg is, if it is at one of them.
    pub(crate) fn of(leg: LegId, call: &Call) -> Option<Place> {
        Place::in_step(call.steps.get(call.legs.get(leg)?.owner)?, call)
    }

    /// Where the legs of a step are, if they are at one of them.
    pub(crate) fn in_step(step: &Step, call: &Call) -> Option<Place> {
        let whose = |branch| call.branches.get(branch).and_then(|b| b.extension).map(Place::At);
        match step {
            Step::Room(room) => Some(Place::Room(room.of)),
            Step::Entering(entering) => Some(Place::Room(entering.of)),
            Step::Serving(serving) => whose(serving.branch),
            Step::Voicemail(voicemail) => whose(voicemail.branch),
            _ => None,
        }
    }

    /// As whom the place is listed where a part in a call has come to that it has not dialled.
    pub(crate) fn listed(branch: &Branch, call: &Call, snapshot: &Snapshot) -> Option<Party> {
        let leg = call.legs_of(branch.id).next().filter(|_| !branch.transferred)?;
        let place = Place::of(leg.id, call)?;
        if place.is_dialled(branch, call, snapshot) { None } else { place.party(snapshot) }
    }

    /// As whom it is shown. A room has no name: whose it is need not be in it.
    pub(crate) fn party(self, snapshot: &Snapshot) -> Option<Party> {
        match self {
            Place::Room(of) => {
                let code = snapshot.routing.settings.feature_codes.code(CodeName::Room)?;
                let of = snapshot.extension(of)?;
                let number = Number::parse(&format!("{}{}", code.as_str(), of.name)).ok()?;
                let identity = Identity::of(number, DisplayName::default());
                Some(Party { identity, extension: None, came_by: None })
            }
            Place::At(of) => display::party_of(of, snapshot),
        }
    }

    /// Whether who is there has dialled it, so that the number in its own form says so already.
    fn is_dialled(self, branch: &Branch, call: &Call, snapshot: &Snapshot) -> bool {
        let Some(of) = call.conversation_of(branch) else { return false };
        let by = branch.extension.and_then(|id| snapshot.extension(id)).map(|e| &**e);
        let number = records::dialled(of, branch);
        !branch.is_called() && self.is_meant(number, by, snapshot)
    }

    fn is_meant(self, number: &Number, by: Option<&Extension>, snapshot: &Snapshot) -> bool {
        match (self, route::destination(snapshot, by, number.as_str())) {
            (Place::Room(of), Ok(Destination::Feature(Feature::Room(named)))) => {
                named.extension() == Some(of)
            }
            (Place::At(of), Ok(Destination::Extension(extension))) => extension.id == of,
            _ => false,
        }
    }
}
