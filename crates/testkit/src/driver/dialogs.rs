//! Lamps of calls in detail: which way each call goes, and who is at its other end.
//!
//! What a lamp tells of an extension is compared with what its own phones know: which of them have
//! called, what they have dialled, whom the switch has shown them; and with who hears whom.

use std::collections::BTreeMap;

use super::lamps::{Slot, Slots};
use super::outside;
use super::stage::Stage;
use crate::company::ECHO;
use crate::device::Phone;
use crate::phone::call::{Call, CallState, Way};
use crate::phone::sound::Sound;
use crate::phone::watch::LampDialog;

/// The codes of who listens to others, and what is shown to who is asked to.
const MONITORS: [&str; 3] = ["*4", "*5", "*6"];
const MONITOR: &str = "Monitor ";

/// Who talks with whom, as one hears it: extension by extension.
pub(super) type Talks = BTreeMap<(usize, String), String>;

/// A call as its phone knows it.
#[derive(Debug)]
struct Known {
    state: &'static str,
    direction: &'static str,
    dialled: String,
    /// Number and name of who is shown.
    shown: Option<(String, String)>,
}

impl Known {
    fn of(call: &Call) -> Option<Known> {
        let state = match call.state {
            CallState::Calling | CallState::Progressing(_) => "trying",
            CallState::Ringing => "early",
            CallState::Talking => "confirmed",
            CallState::Over(_) => return None,
        };
        let direction = if call.way == Way::Out { "initiator" } else { "recipient" };
        let shown = call.shown.as_ref().map(|shown| (shown.number.clone(), shown.name.clone()));
        Some(Known { state, direction, dialled: call.number.clone(), shown })
    }

    /// Who listens to whom is nobody's business.
    fn is_monitor(&self) -> bool {
        let is_asked = self.shown.as_ref().is_some_and(|(_, name)| name.starts_with(MONITOR));
        is_asked || MONITORS.iter().any(|code| self.dialled.starts_with(code))
    }

    /// Whether this is what a lamp shows of the call. `led`: whether it may have been led there.
    fn is_shown_by(&self, dialog: &LampDialog, led: &impl Fn(&str) -> bool) -> bool {
        let LampDialog { remote, display, .. } = dialog;
        let is_its = match &self.shown {
            _ if self.is_monitor() => remote == "anonymous" && display.is_empty(),
            // Why it rings is shown while it does.
            Some((number, name)) if self.state == "confirmed" => {
                let name = name.split_once(": ").map_or(name.as_str(), |(_, name)| name);
                // Who has no name rings under its number.
                remote == number && display == if name == number { "" } else { name }
            }
            Some((number, name)) => remote == number && display == name,
            // The rules of who was called may have led elsewhere.
            None if self.state == "confirmed" && is_named(remote, display) => {
                self.dialled.ends_with(remote) || led(remote)
            }
            None => *remote == self.dialled && display.is_empty(),
        };
        is_its && self.goes_as(dialog)
    }

    /// Whether it is as far, and goes the same way.
    fn goes_as(&self, dialog: &LampDialog) -> bool {
        dialog.state == self.state && dialog.direction == self.direction
    }
}

/// Whether somebody is called so: an extension has a name, who is outside tells one when it calls.
fn is_named(number: &str, display: &str) -> bool {
    match outside::name_of(number) {
        Some(name) => display.is_empty() || display == name,
        None => display.strip_prefix("Person ") == Some(number),
    }
}

/// Whether a slot is shown with this extension, or who is outside, in it.
pub(super) fn holds(dialog: &LampDialog, name: &str) -> bool {
    let LampDialog { state, direction, remote, target, display, names } = dialog;
    let is_parked = (state.as_str(), direction.as_str()) == ("confirmed", "recipient");
    is_parked && remote == name && target == name && is_named(name, display) && names.is_none()
}

/// What a lamp tells wrongly of the calls of an extension; `None`: nothing.
pub(super) fn wrong(
    stage: &Stage,
    (company, name): (usize, &str),
    shown: &[LampDialog],
    (talks, slots): (&Talks, &Slots),
) -> Option<String> {
    let known = known(stage, company, name);
    let led = |name: &str| stage.led.contains(&(company, name.to_owned()));
    // Whom it has consulted may have parked it, when its far party was gone.
    let asks =
        |dialog: &LampDialog| dialog.direction == "initiator" && stage.consulted.may(company, name);
    let is_right = |dialog: &&LampDialog| {
        let is_it = |call: &Known| {
            call.is_shown_by(dialog, &led)
                || is_parked(name, dialog, slots) && (call.goes_as(dialog) || asks(dialog))
                || call.state == "confirmed" && is_consulting(stage, (company, name), dialog)
        };
        dialog.target == dialog.remote && known.iter().any(is_it)
    };
    if let Some(dialog) = shown.iter().find(|dialog| !is_right(dialog)) {
        return Some(format!("{name}: {dialog:?}, but {known:?}"));
    }
    // What rings can be taken by its lamp, but for who listens to whom. Who is rung to take the far
    // party of a talk has nothing yet that another could take.
    let is_hidden = |dialog: &&LampDialog| {
        let is_monitor = dialog.remote == "anonymous";
        dialog.state == "early" && dialog.names.is_none() && !is_monitor
    };
    if let Some(dialog) = shown.iter().find(is_hidden)
        && !stage.pickups.contains(&company)
    {
        return Some(format!("{name}: {dialog:?} cannot be taken"));
    }
    let waits_in = |(slot, holder): &(&String, &Slot)| {
        let is_shown = || shown.iter().any(|dialog| dialog.remote == **slot);
        matches!(holder, Slot::Holds(who) if who == name) && !is_shown()
    };
    if let Some((slot, _)) = slots.iter().find(waits_in) {
        return Some(format!("{name}: {shown:?}, but it waits in {slot}"));
    }
    let with = talks.get(&(company, name.to_owned()))?;
    // Who is outside is shown as the extension whose rules have led there, when it consults for it.
    let stands_for = |remote: &str| {
        outside::whose(with).is_some() && stage.ruled.contains(&(company, remote.to_owned()))
    };
    let is_with = |dialog: &LampDialog| {
        let LampDialog { state, remote, .. } = dialog;
        state == "confirmed" && (remote == with || stands_for(remote))
    };
    let is_told = shown.iter().any(is_with);
    (!is_told).then(|| format!("{name}: {shown:?}, but it talks with {with}"))
}

/// The calls of an extension as its phones know them.
fn known(stage: &Stage, company: usize, name: &str) -> Vec<Known> {
    phones(stage, company, name)
        .flat_map(|phone| phone.with(|p| p.calls.iter().filter_map(Known::of).collect::<Vec<_>>()))
        .collect()
}

fn phones<'a>(stage: &'a Stage, company: usize, name: &'a str) -> impl Iterator<Item = &'a Phone> {
    let is_its = move |n: &usize| stage.company_of(*n) == company && stage.extension_of(*n) == name;
    (0..stage.phones.len()).filter(is_its).filter_map(|n| stage.phones.get(n))
}

/// Whether a lamp shows an extension in a slot: its phone was not told that it is parked, so the
/// switch is asked who is in which.
fn is_parked(name: &str, dialog: &LampDialog, slots: &Slots) -> bool {
    let is_there = match slots.get(&dialog.remote) {
        Some(Slot::Holds(who)) => who == name,
        // It was parked when there were more slots.
        Some(Slot::Gone) => true,
        Some(Slot::HoldsOneOf(_) | Slot::Free) | None => false,
    };
    is_there && dialog.state == "confirmed" && dialog.display.is_empty()
}

/// Whether a lamp shows whom an extension may consult: its phone knows nothing of that one, but who
/// has answered was shown who consults. That one may have parked it since, or sent it on.
fn is_consulting(stage: &Stage, (company, name): (usize, &str), dialog: &LampDialog) -> bool {
    let LampDialog { remote, display, state, direction, .. } = dialog;
    if (state.as_str(), direction.as_str()) != ("confirmed", "initiator") {
        return false;
    }
    // The echo has no phone, and who is outside none of ours. Who was asked may have sent the call
    // on to them, or joined it with one of its own.
    if display.is_empty() || remote == ECHO {
        let is_led = || stage.led.contains(&(company, remote.clone()));
        let shows = |call: &Call| call.shown.as_ref().is_some_and(|shown| shown.number == *remote);
        let is_shown =
            || phones(stage, company, name).any(|p| p.with(|p| p.calls.iter().any(shows)));
        let may_be_led = match outside::whose(remote) {
            Some(of) => of == company && (is_led() || is_shown()),
            None => remote == ECHO && is_led(),
        };
        return stage.consulted.may_be((company, name), remote)
            || may_be_led && stage.consulted.may(company, name);
    }
    let is_its = |call: &Call| call.shown.as_ref().is_some_and(|shown| shown.number == name);
    let was_its = |phone: &Phone| phone.with(|p| p.calls.iter().chain(&p.past).any(is_its));
    let was_asked = || phones(stage, company, remote).any(was_its);
    is_named(remote, display) && stage.consulted.may(company, name) && was_asked()
}

/// Who hears one phone, and is heard by nobody but that one.
pub(super) fn talks(stage: &Stage) -> Talks {
    // In a room nobody is at the other end.
    if !stage.is_plain {
        return Talks::new();
    }
    let mut extensions = BTreeMap::new();
    // Before the answer somebody may be heard, too, in one call, and hear in another.
    let is_answered = |call: &Call| matches!(call.state, CallState::Talking | CallState::Over(_));
    let phones = stage.phones.iter().enumerate();
    for (number, phone) in phones.filter(|(_, p)| p.with(|p| p.calls.iter().all(is_answered))) {
        let of = (stage.company_of(number), stage.extension_of(number));
        extensions.insert(Sound::Phone(phone.name()), of);
    }
    let hears = stage.sim.who_hears_what();
    let only = |listener: &Sound| {
        let Sound::Phone(name) = listener else { return None };
        let heard = hears.get(name)?;
        heard.first().filter(|_| heard.len() == 1)
    };
    let talk = |(phone, of): (&Sound, &(usize, String))| {
        let with = only(phone).filter(|with| *with != phone && only(with) == Some(phone))?;
        extensions.get(with).map(|(_, name)| (of.clone(), name.clone()))
    };
    extensions.iter().filter_map(talk).collect()
}
