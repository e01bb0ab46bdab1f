//! Lamps of a run: what each phone was shown last, compared with what the phones, the parking slots
//! and the database say. Nothing here asks the switch how it makes a lamp's state.

use core::ops::RangeInclusive;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use leg::{CallView, Command, Reply};
use model::CallUuid;

use super::dialogs::{self, Talks};
use super::outside;
use super::stage::{NAMES, Stage};
use crate::phone::agent::Agent;
use crate::phone::call::{Call, CallState};
use crate::phone::watch::{self, DIALOG, LampDialog, Watch};
use crate::sim::{millis, secs};

/// What is still on its way has arrived after one of these: a NOTIFY, a call that just begins, a
/// screened call that is taken.
const SETTLED: [core::time::Duration; 3] = [secs(1), secs(7), secs(12)];

/// No customer has more slots.
const SLOTS: RangeInclusive<u8> = 1..=9;

/// What a slot is about.
#[derive(Debug)]
pub(super) enum Slot {
    Free,
    /// Who waits in it.
    Holds(String),
    /// One of these numbers of the outside. An extension is listed with whom it has dialled, not
    /// with whom it has parked, so no list says which.
    HoldsOneOf(BTreeSet<String>),
    /// There is no such slot.
    Gone,
}

/// All slots by their names.
pub(super) type Slots = BTreeMap<String, Slot>;

/// Who watches what when a run begins: two phones that watch the others, one of each customer.
pub(super) fn begin(stage: &Stage) {
    for phone in [&stage.phones[1], &stage.phones[13]] {
        NAMES.into_iter().chain(["park+1", "park+2"]).for_each(|name| phone.watches(name));
    }
    for number in [0, 4, 12, 16] {
        stage.phones[number].watches_messages(&stage.extension_of(number));
    }
}

/// Every lamp shows what is so.
pub(super) fn are_right(stage: &mut Stage) -> Result<(), String> {
    let mut wrong = first_wrong(stage);
    for time in SETTLED {
        if wrong.is_none() {
            break;
        }
        stage.sim.run_for(time);
        wrong = first_wrong(stage);
    }
    wrong.map_or(Ok(()), Err)
}

/// All calls are over: no lamp of a call is lit.
pub(super) fn are_dark(stage: &Stage) -> Result<(), String> {
    for phone in &stage.phones {
        let lit = phone.with(|agent| {
            let mut lamps = live(agent).filter(|watch| watch.event == DIALOG);
            let lit = lamps.find(|watch| !stages(watch).is_empty());
            lit.map(|watch| format!("{} stays lit: {:?}", watch.resource, stages(watch)))
        });
        if let Some(lit) = lit {
            return Err(format!("{}: {lit}", phone.name()));
        }
    }
    Ok(())
}

/// All calls are over: nobody is parked.
pub(super) fn slots_are_free(stage: &Stage) -> Result<(), String> {
    for number in 0..2 {
        let count = stage.sim.world().companies[number].routing.settings.shown.valet_park_slots;
        let ticket = stage.sim.ask(number, Command::ListSlots { slot: None });
        stage.sim.run_for(millis(1));
        match stage.sim.answer(ticket) {
            Some(Reply::Slots(free)) if free.len() == usize::from(count) => {}
            free => return Err(format!("slots are taken by nobody: {free:?} of {count} are free")),
        }
    }
    Ok(())
}

/// The subscriptions that are granted and go on.
fn live(agent: &Agent) -> impl Iterator<Item = &Watch> {
    agent.watches.iter().filter(|watch| watch.status == 200 && !watch.is_over)
}

/// How far each of the calls is that a lamp shows.
fn stages(watch: &Watch) -> Vec<String> {
    let shown = watch.shown.as_deref().map(watch::dialogs).unwrap_or_default();
    shown.into_iter().map(|dialog| dialog.state).collect()
}

/// What the lamps of an extension may show.
#[derive(Debug)]
struct Extension {
    trying: usize,
    early: RangeInclusive<usize>,
    confirmed: usize,
    /// Who has answered may be about to take the call with a key, and still counts as ringing.
    is_screened: bool,
}

fn first_wrong(stage: &mut Stage) -> Option<String> {
    let slots = [slots(stage, 0), slots(stage, 1)];
    let talks = dialogs::talks(stage);
    let mut checked = 0;
    let wrong = stage.phones.iter().enumerate().find_map(|(number, phone)| {
        let company = stage.company_of(number);
        let wrong = phone.with(|agent| {
            live(agent).find_map(|watch| {
                checked += 1;
                wrong(stage, (company, number), watch, &slots[company], &talks)
            })
        });
        wrong.map(|wrong| format!("{} watches {wrong}", phone.name()))
    });
    stage.summary.lamps += checked;
    wrong
}

/// What is wrong with a lamp of a phone; `None`: nothing.
fn wrong(
    stage: &Stage,
    (company, number): (usize, usize),
    watch: &Watch,
    slots: &Slots,
    talks: &Talks,
) -> Option<String> {
    let resource = watch.resource.as_str();
    if watch.event != DIALOG {
        let name = stage.extension_of(number);
        let (new, old) = stage.mail.get(&(company, name)).copied().unwrap_or_default();
        let wanted = format!("Voice-Message: {new}/{old} ");
        let shown = watch.shown.as_deref().unwrap_or_default();
        return (!shown.contains(&wanted)).then(|| format!("its messages: {shown}, not {wanted}"));
    }
    let shown = stages(watch);
    if let Some(slot) = slots.get(resource) {
        let lamp = watch.shown.as_deref().map(watch::dialogs).unwrap_or_default();
        let is_right = match slot {
            Slot::Gone => return Some(format!("{resource}, which is there no more")),
            Slot::Free => lamp.is_empty(),
            Slot::Holds(name) => lamp.len() == 1 && lamp.iter().all(|d| dialogs::holds(d, name)),
            Slot::HoldsOneOf(numbers) => {
                let is_one =
                    |d: &LampDialog| numbers.iter().any(|number| dialogs::holds(d, number));
                lamp.len() == 1 && lamp.iter().all(is_one)
            }
        };
        return (!is_right).then(|| format!("{resource}: {lamp:?}, not {slot:?}"));
    }
    // Of another customer nothing is shown.
    let own = resource.strip_prefix(["0003*", "0004*"][company]).unwrap_or(resource);
    let Some(name) = NAMES.iter().find(|name| **name == own) else {
        return Some(format!("{resource}, which is not its to watch"));
    };
    let wanted = extension(stage, company, name);
    let count = |state: &str| shown.iter().filter(|s| *s == state).count();
    let (trying, early, confirmed) = (count("trying"), count("early"), count("confirmed"));
    let is_right = if wanted.is_screened {
        let answered = early + confirmed;
        trying == wanted.trying && (answered > 0) == (wanted.confirmed + wanted.early.end() > 0)
    } else {
        trying == wanted.trying && wanted.early.contains(&early) && confirmed == wanted.confirmed
    };
    let is_right = is_right && trying + early + confirmed == shown.len();
    if !is_right {
        return Some(format!("{name}: {shown:?}, but {wanted:?}"));
    }
    if wanted.is_screened {
        return None;
    }
    let shown = watch.shown.as_deref().map(watch::dialogs).unwrap_or_default();
    dialogs::wrong(stage, (company, name), &shown, (talks, slots))
}

/// What the phones of an extension do.
fn extension(stage: &Stage, company: usize, name: &str) -> Extension {
    let of = (company, name.to_owned());
    // Whom a screened call is led to is asked as well.
    let screens = stage.screens.iter().any(|(at, _)| *at == company);
    let is_screened = stage.screens.contains(&of) || screens && stage.led.contains(&of);
    let mut found = Extension { trying: 0, early: 0..=0, confirmed: 0, is_screened };
    let (mut most, mut sum) = (0, 0);
    let its = |n: &usize| stage.company_of(*n) == company && stage.extension_of(*n) == name;
    for phone in (0..stage.phones.len()).filter(its).filter_map(|n| stage.phones.get(n)) {
        phone.with(|agent| {
            let count = |which: fn(&Call) -> bool| agent.calls.iter().filter(|c| which(c)).count();
            found.trying +=
                count(|c| matches!(c.state, CallState::Calling | CallState::Progressing(_)));
            found.confirmed += count(|c| c.state == CallState::Talking);
            let rings = count(|c| c.state == CallState::Ringing);
            (most, sum) = (most.max(rings), sum + rings);
        });
    }
    // What rings at several phones of an extension is one call or several.
    found.early = most..=sum;
    found
}

/// Which extension each slot holds, if any.
fn slots(stage: &Stage, company: usize) -> Slots {
    let ask = |slot| {
        let ticket = stage.sim.ask(company, Command::ListSlots { slot: Some(slot) });
        (format!("park+{slot}"), ticket)
    };
    let tickets: Vec<_> = SLOTS.map(ask).collect();
    let calls = stage.sim.ask(company, Command::ListCalls { extension: None });
    stage.sim.run_for(millis(1));
    let Some(Reply::Calls(calls)) = stage.sim.answer(calls) else { return Slots::new() };
    let parked = |uuid: CallUuid| {
        let is_in = |view: &&Arc<CallView>| view.call_api_id.is_some_and(|id| id.uuid == uuid);
        let is_its = |view: &&Arc<CallView>| view.real_call && view.answer_time.is_some();
        let its = calls.iter().filter(is_in).find(is_its)?;
        let name = &its.extension.as_ref()?.name;
        name.rsplit_once('*').map(|(_, name)| name.to_owned())
    };
    let told = |(name, ticket)| match stage.sim.answer(ticket) {
        Some(Reply::Slot(None)) => (name, Slot::Free),
        Some(Reply::Slot(Some(uuid))) => {
            let outside = || Slot::HoldsOneOf(outside::waiting(stage, company));
            (name, parked(uuid).map_or_else(outside, Slot::Holds))
        }
        _ => (name, Slot::Gone),
    };
    tickets.into_iter().map(told).collect()
}
