//! Lamps: who may watch what, and how what is watched is now (RFC 4235, RFC 3842).
//!
//! Only what is watched costs anything: calls stir the extensions that take part in them, and what
//! was stirred is looked at once, when the input is handled. A state is made anew from the calls
//! each time, so that no lamp can stick.

use std::collections::{BTreeMap, BTreeSet};

use leg::{
    DialogDirection, DialogStage, DialogState, Identity, LampCommand, LampEvent, LampState, LegId,
    Package, SubscriptionId, Watched,
};
use model::{CallId, ExtensionId, Number, Snapshot};
use route::{Destination, Feature};

use crate::call::{Branch, Call, Leg, LegState};
use crate::display;
use crate::interface::Effect;
use crate::place::Place;
use crate::slots;
use crate::step::Step;
use crate::step::seeking::purpose::Purpose;
use crate::tables::Tables;

/// Something that can be watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Resource {
    /// The calls of an extension.
    Calls(ExtensionId),
    /// What is parked in a slot.
    Slot(u8),
    /// The messages of an extension.
    Messages(ExtensionId),
}

/// What is watched.
#[derive(Clone, Debug, Default)]
pub struct Lamps {
    subscriptions: BTreeMap<SubscriptionId, Resource>,
    shown: BTreeMap<Resource, Lamp>,
    stirred: BTreeSet<Resource>,
}

/// One thing that is watched.
#[derive(Clone, Debug)]
struct Lamp {
    /// Under which name it was granted.
    name: Number,
    /// How many watch it.
    watchers: u32,
    /// What they were shown last.
    state: LampState,
}

/// The calls that a state is made from.
pub(crate) type Calls = BTreeMap<CallId, Box<Call>>;

impl Lamps {
    /// Something may have changed for an extension.
    pub fn stir(&mut self, extension: ExtensionId) {
        if self.is_dark() {
            return;
        }
        let resource = Resource::Calls(extension);
        if self.shown.contains_key(&resource) {
            self.stirred.insert(resource);
        }
    }

    /// Something may have changed for all that is watched.
    pub fn stir_all(&mut self) {
        self.stirred.extend(self.shown.keys().copied());
    }

    /// Something may have changed for a slot.
    pub fn stir_slot(&mut self, slot: u8) {
        self.stirred.insert(Resource::Slot(slot));
    }

    /// Something may have changed in the voicemail of an extension.
    pub(crate) fn stir_messages(&mut self, extension: ExtensionId) {
        self.stirred.insert(Resource::Messages(extension));
    }

    /// Whether nothing is watched.
    pub fn is_dark(&self) -> bool {
        self.shown.is_empty()
    }

    /// What is watched, by how many, and what they were shown last.
    pub fn iter(&self) -> impl Iterator<Item = (Resource, u32, &LampState)> {
        self.shown.iter().map(|(resource, lamp)| (*resource, lamp.watchers, &lamp.state))
    }
}

/// A phone wants to watch something, or watches it no more.
pub(crate) fn handle(
    event: LampEvent,
    snapshot: &Snapshot,
    calls: &Calls,
    tables: &mut Tables,
) -> Option<Effect> {
    let command = match event {
        LampEvent::Asked { id, watched } => match found(&watched, snapshot) {
            Ok((resource, name)) => {
                let state = state(resource, snapshot, calls, tables);
                tables.lamps.subscriptions.insert(id, resource);
                let fresh = || Lamp { name: name.clone(), watchers: 0, state: state.clone() };
                let lamp = tables.lamps.shown.entry(resource).or_insert_with(fresh);
                lamp.watchers += 1;
                LampCommand::Grant { id, resource: name, state }
            }
            Err(status) => LampCommand::Refuse { id, status },
        },
        LampEvent::Ended { id } => {
            let resource = tables.lamps.subscriptions.remove(&id)?;
            let lamp = tables.lamps.shown.get_mut(&resource)?;
            lamp.watchers = lamp.watchers.saturating_sub(1);
            if lamp.watchers == 0 {
                tables.lamps.shown.remove(&resource);
            }
            return None;
        }
    };
    Some(Effect::Lamp(command))
}

/// What somebody wants to watch, and how it is called; the error is the status owed.
fn found(watched: &Watched, snapshot: &Snapshot) -> Result<(Resource, Number), u16> {
    if watched.package == Package::Dialog && !snapshot.routing.settings.shown.presence {
        return Err(403);
    }
    let by = snapshot.extension(watched.by).map(|e| &**e);
    let named = route::destination(snapshot, by, watched.resource.as_str());
    match (watched.package, named) {
        (Package::Dialog, Ok(Destination::Extension(extension))) => {
            Ok((Resource::Calls(extension.id), Number::from(&extension.name)))
        }
        (Package::Dialog, Ok(Destination::Feature(Feature::Retrieve(Some(slot))))) => {
            Ok((Resource::Slot(slot), slots::name(slot)))
        }
        (Package::Dialog, _) => Err(404),
        (Package::MessageSummary, named) => own_messages(watched, named.ok(), snapshot),
    }
}

/// Messages are watched by their owner, whatever the phone calls itself.
fn own_messages(
    watched: &Watched,
    named: Option<Destination>,
    snapshot: &Snapshot,
) -> Result<(Resource, Number), u16> {
    let own = snapshot.extension(watched.by).ok_or(404_u16)?;
    let login = own.phone.as_ref().map(|phone| phone.login.as_str());
    let is_own = login == Some(watched.resource.as_str())
        || match &named {
            Some(Destination::Extension(extension)) => extension.id == own.id,
            Some(Destination::Feature(feature)) => *feature == Feature::Voicemail,
            _ => false,
        };
    match named {
        _ if is_own => Ok((Resource::Messages(own.id), Number::from(&own.name))),
        Some(Destination::Extension(_)) => Err(403),
        _ => Err(404),
    }
}

/// The configuration is new: what is there no more, or is called otherwise, cannot be watched.
pub(crate) fn configure(snapshot: &Snapshot, tables: &mut Tables, effects: &mut Vec<Effect>) {
    let is_called = |id, lamp: &Lamp| {
        let name = snapshot.extension(id).map(|extension| extension.name.as_str());
        name == Some(lamp.name.as_str())
    };
    let is_shown = snapshot.routing.settings.shown.presence;
    let is_there = |resource: Resource, lamp: &Lamp| match resource {
        Resource::Calls(id) => is_shown && is_called(id, lamp),
        Resource::Messages(id) => is_called(id, lamp),
        Resource::Slot(slot) => is_shown && slots::numbers(snapshot).any(|number| number == slot),
    };
    tables.mailboxes.configure(snapshot);
    let lamps = &mut tables.lamps;
    let gone = lamps.shown.iter().filter(|(resource, lamp)| !is_there(**resource, lamp));
    let gone: Vec<Resource> = gone.map(|(resource, _)| *resource).collect();
    for resource in gone {
        lamps.subscriptions.retain(|_, of| *of != resource);
        let Some(lamp) = lamps.shown.remove(&resource) else { continue };
        let (package, resource) = (lamp.state.package(), lamp.name);
        effects.push(Effect::Lamp(LampCommand::Gone { package, resource }));
    }
    // How the others are called may have changed.
    lamps.stir_all();
}

/// Shows what has changed of what was stirred.
pub(crate) fn show(
    snapshot: &Snapshot,
    calls: &Calls,
    tables: &mut Tables,
    effects: &mut Vec<Effect>,
) {
    while let Some(resource) = tables.lamps.stirred.pop_first() {
        if !tables.lamps.shown.contains_key(&resource) {
            continue;
        }
        let now = state(resource, snapshot, calls, tables);
        let Some(lamp) = tables.lamps.shown.get_mut(&resource) else { continue };
        if lamp.state != now {
            lamp.state = now.clone();
            let resource = lamp.name.clone();
            effects.push(Effect::Lamp(LampCommand::Show { resource, state: now }));
        }
    }
}

/// How something is now.
pub(crate) fn state(
    resource: Resource,
    snapshot: &Snapshot,
    calls: &Calls,
    tables: &Tables,
) -> LampState {
    let dialogs = match resource {
        Resource::Calls(extension) => {
            let ids: BTreeSet<CallId> = tables.calls_of(extension).iter().copied().collect();
            let parts = ids.iter().filter_map(|id| calls.get(id)).flat_map(|call| {
                let own = call.branches.values().filter(|b| b.extension == Some(extension));
                own.filter_map(|branch| dialog(branch, call, snapshot))
            });
            parts.collect()
        }
        Resource::Slot(slot) => parked(slot, snapshot, calls, tables).into_iter().collect(),
        Resource::Messages(extension) => {
            let (new, old) = tables.mailboxes.counts(extension);
            return LampState::Messages { new, old };
        }
    };
    LampState::Dialogs(dialogs)
}

/// What an extension's part in a call shows; `None`: no phone of it rings or talks.
fn dialog(branch: &Branch, call: &Call, snapshot: &Snapshot) -> Option<DialogState> {
    // What a rule has led to the outside is on no phone of the extension.
    let (stage, leg) = call
        .legs_of(branch.id)
        .filter(|leg| leg.line.is_none())
        .filter_map(|leg| Some((stage(leg, branch, call)?, leg)))
        .max_by_key(|(stage, leg)| (stage_order(*stage), core::cmp::Reverse(leg.id)))?;
    let owner = call.steps.get(leg.owner);
    // Who listens to whom is nobody's business, nor can it be taken.
    let is_monitor = match owner {
        Some(Step::Monitoring(_)) => true,
        Some(Step::Seeking(seeking)) => matches!(seeking.purpose, Purpose::Monitor { .. }),
        _ => false,
    };
    let remote =
        if is_monitor { Identity::anonymous() } else { remote(leg, owner, branch, call, snapshot) };
    let can_be_taken = match owner {
        // A caller who is not answered cannot be replaced (RFC 3891 3).
        _ if stage == DialogStage::Trying || is_monitor => false,
        // What rings is picked up; another phone of who waits goes on in its place.
        Some(Step::Seeking(seeking)) => {
            stage == DialogStage::Early && seeking.can_be_picked_up() || seeking.can_move(leg.id)
        }
        _ => true,
    };
    Some(DialogState {
        leg: can_be_taken.then_some(leg.id),
        id: branch.id.0,
        direction: if branch.is_called() {
            DialogDirection::Recipient
        } else {
            DialogDirection::Initiator
        },
        stage,
        remote,
    })
}

/// How far a leg is. A device that has not responded does not ring, and may not be there.
fn stage(leg: &Leg, branch: &Branch, call: &Call) -> Option<DialogStage> {
    let is_looked_for = || matches!(call.steps.get(leg.owner), Some(Step::Seeking(_)));
    match leg.state {
        LegState::Calling => Some(DialogStage::Trying),
        LegState::Dialling | LegState::Over => None,
        LegState::Ringing => Some(DialogStage::Early),
        // Who is asked whether the call is taken has not answered. Who consults somebody that rings
        // is in a call.
        LegState::Up if branch.answered.is_none() && branch.is_called() && is_looked_for() => {
            Some(DialogStage::Early)
        }
        LegState::Up => Some(DialogStage::Confirmed),
    }
}

fn stage_order(stage: DialogStage) -> u8 {
    match stage {
        DialogStage::Terminated => 0,
        DialogStage::Trying => 1,
        DialogStage::Early => 2,
        DialogStage::Confirmed => 3,
    }
}

/// Who is at the other end of a leg.
fn remote(
    leg: &Leg,
    owner: Option<&Step>,
    branch: &Branch,
    call: &Call,
    snapshot: &Snapshot,
) -> Identity {
    if let Some(there) = owner.and_then(|step| there(leg.id, step, call, snapshot)) {
        return there;
    }
    if branch.is_called() {
        return call.party(branch).map_or_else(Identity::anonymous, |p| p.identity.clone());
    }
    // It calls: what it has dialled.
    let of = call.conversation_of(branch);
    of.map_or_else(Identity::anonymous, |of| numbered(crate::records::dialled(of, branch).clone()))
}

/// Whom, or what, the step of a leg has at its other end; `None`: nothing else than it began with.
fn there(leg: LegId, step: &Step, call: &Call, snapshot: &Snapshot) -> Option<Identity> {
    let party = match step {
        Step::Talking(talking) => display::party_in(call, talking.with(leg)?, snapshot),
        // Who sends its far party on has it until that is with somebody else.
        Step::Seeking(seeking) => match seeking.sent_on_from(leg) {
            Some(far) => display::party_in(call, far, snapshot),
            None if seeking.caller != Some(leg) => None,
            None => seeking.last.as_deref().cloned(),
        },
        // Whoever waits has the one for whom it waits, and is nobody else's yet.
        Step::Consulting(waits) => display::party_in_branch(call, waits.branch, snapshot),
        Step::Departing(departing) => departing.last.as_deref().cloned(),
        Step::Parked(parked) => return Some(numbered(slots::name(parked.slot))),
        Step::Serving(_) | Step::Voicemail(_) | Step::Room(_) | Step::Entering(_) => {
            Place::in_step(step, call)?.party(snapshot)
        }
        Step::Clearing(_)
        | Step::Monitoring(_)
        | Step::Telling(_)
        | Step::Mailbox(_)
        | Step::Recording(_) => None,
    };
    party.map(|party| party.identity)
}

fn numbered(number: Number) -> Identity {
    Identity { number: Some(number), ..Identity::nobody() }
}

/// Who is parked in a slot.
fn parked(slot: u8, snapshot: &Snapshot, calls: &Calls, tables: &Tables) -> Option<DialogState> {
    let holder = tables.slots.holder(slot)?;
    let call = calls.get(&holder.call)?;
    let Some(Step::Parked(parked)) = call.steps.get(holder.step) else { return None };
    let party = display::party_in(call, parked.leg, snapshot);
    Some(DialogState {
        leg: None,
        id: holder.step.0,
        direction: DialogDirection::Recipient,
        stage: DialogStage::Confirmed,
        remote: party.map_or_else(Identity::anonymous, |party| party.identity),
    })
}
