//! Forwards: where the numbers of a rule lead, before anything is dialled.
//!
//! The live switch and every dry run ask here, so that nothing is said of a rule that does not
//! happen.

use std::sync::Arc;

use model::{Extension, ExtensionId, ExtensionKind, IncomingRule, Number, Skipped, Snapshot};

use crate::allowed::is_allowed;
use crate::dial::{Destination, Outside, Unroutable, destination};
use crate::feature::{Feature, Named};

/// Where a number of a rule leads.
#[derive(Clone, Debug)]
pub enum Lead {
    /// To a phone or a service of the tenant.
    Extension(Arc<Extension>),
    /// Into the conference room of an extension.
    Room(ExtensionId),
    /// Into a slot, if not into the next free one: the caller is parked there.
    Slot(Option<u8>),
    /// To the outside.
    Outside(Outside),
    /// To a number of the outside that the client may not call.
    Barred(Outside),
}

/// Finds where a number of a rule leads when `by`, whose rule it is, forwards a call there.
///
/// # Errors
///
/// Why it is skipped in every call, as things are.
pub fn lead(snapshot: &Snapshot, by: Option<&Extension>, number: &str) -> Result<Lead, Skipped> {
    match destination(snapshot, by, number) {
        Ok(Destination::Extension(extension)) => match extension.kind {
            ExtensionKind::Phone | ExtensionKind::Service(_) => Ok(Lead::Extension(extension)),
            // Nothing enters a queue or a menu yet.
            ExtensionKind::Queue | ExtensionKind::Ivr => Err(Skipped::NotServed),
        },
        Ok(Destination::Outside(outside)) => {
            let settings = &snapshot.routing.settings;
            let is_free = outside.emergency || is_allowed(settings, outside.number.as_str());
            Ok(if is_free { Lead::Outside(outside) } else { Lead::Barred(outside) })
        }
        Ok(Destination::Feature(Feature::Room(named))) => {
            room(snapshot, &named).map(Lead::Room).ok_or(Skipped::NoSuchNumber)
        }
        Ok(Destination::Feature(Feature::Retrieve(slot))) => Ok(Lead::Slot(slot)),
        // Every other code can only be dialled.
        Ok(Destination::Feature(_)) | Err(Unroutable::NoSuchNumber) => Err(Skipped::NoSuchNumber),
        Err(Unroutable::Blocked) => Err(Skipped::Blocked),
    }
}

/// The extension whose room is meant: only phones have one.
pub fn room(snapshot: &Snapshot, named: &Named) -> Option<ExtensionId> {
    let extension = snapshot.extension(named.extension()?)?;
    extension.phone.as_ref().map(|_| extension.id)
}

/// What a rule that forwards can come to, as things are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    /// The numbers that are skipped, and why.
    pub skipped: Vec<(Number, Skipped)>,
    /// The extension's own devices ring.
    pub own: bool,
    /// Somebody else is rung.
    pub others: bool,
    /// A place takes the call when nobody who is rung does: a room or a service.
    pub taken: bool,
    /// So does a slot, unless somebody is parked there.
    pub parks: bool,
}

impl Reach {
    /// Whether nothing is left of the rule: every number is skipped.
    pub fn is_nothing(&self) -> bool {
        !(self.own || self.others || self.taken || self.parks)
    }
}

/// What a rule of `own` that forwards can come to.
pub fn reach(snapshot: &Snapshot, own: &Extension, rule: &IncomingRule) -> Reach {
    let mut reach = Reach::default();
    for (_, number) in rule.targets() {
        match lead(snapshot, Some(own), number.as_str()) {
            Ok(Lead::Extension(found)) if found.kind != ExtensionKind::Phone => reach.taken = true,
            Ok(Lead::Extension(found)) if found.id == own.id => reach.own = true,
            Ok(Lead::Extension(_) | Lead::Outside(_)) => reach.others = true,
            Ok(Lead::Room(_)) => reach.taken = true,
            Ok(Lead::Slot(_)) => reach.parks = true,
            Ok(Lead::Barred(_)) => reach.skipped.push((number.clone(), Skipped::NotAllowed)),
            Err(why) => reach.skipped.push((number.clone(), why)),
        }
    }
    reach
}
