//! Lamps of calls in detail: which way each call goes, and who is at its other end.
//!
//! What a lamp tells of an extension is compared with what its own phones know: which of them have
//! called, what they have dialled, whom the switch has shown them; and with who hears whom.

use std::collections::BTreeMap;

use super::stage::Stage;
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

    /// Whether this is what a lamp shows of the call.
    fn is_shown_by(&self, dialog: &LampDialog) -> bool {
        let LampDialog { remote, display, .. } = dialog;
        let is_its = match &self.shown {
            _ if self.is_monitor() => remote == "anonymous" && display.is_empty(),
            // Why it rings is shown while it does.
            Some((number, name)) if self.state == "confirmed" => {
                let name = name.split_once(": ").map_or(name.as_str(), |(_, name)| name);
                remote == number && display == name
            }
            Some((number, name)) => remote == number && display == name,
            // The rules of who was called may have led elsewhere.
            None if self.state == "confirmed" && *display == person(remote) => true,
            None => *remote == self.dialled && display.is_empty(),
        };
        is_its && dialog.state == self.state && dialog.direction == self.direction
    }
}

/// How an extension is called.
fn person(name: &str) -> String {
    format!("Person {name}")
}

/// Whether a slot is shown with this extension in it.
pub(super) fn holds(dialog: &LampDialog, name: &str) -> bool {
    let LampDialog { state, direction, remote, target, display, names } = dialog;
    let is_parked = (state.as_str(), direction.as_str()) == ("confirmed", "recipient");
    is_parked && remote == name && target == name && *display == person(name) && names.is_none()
}

/// What a lamp tells wrongly of the calls of an extension; `None`: nothing.
pub(super) fn wrong(
    stage: &Stage,
    (company, name): (usize, &str),
    shown: &[LampDialog],
    talks: &Talks,
) -> Option<String> {
    let of = (company, name.to_owned());
    let its = |n: &usize| stage.company_of(*n) == company && stage.extension_of(*n) == name;
    let phones = (0..stage.phones.len()).filter(its).filter_map(|n| stage.phones.get(n));
    let known: Vec<Known> = phones
        .flat_map(|phone| phone.with(|p| p.calls.iter().filter_map(Known::of).collect::<Vec<_>>()))
        .collect();
    let is_right = |dialog: &&LampDialog| {
        dialog.target == dialog.remote
            && if stage.consulted.contains(&of) {
                // Its phone knows nothing of whom the switch lets it talk to meanwhile.
                dialog.display.is_empty() || dialog.display.ends_with(&person(&dialog.remote))
            } else {
                let is_in_room =
                    |call: &Known| stage.rooms.contains(&company) && dialog.remote == call.dialled;
                // Who was parked or sent on waits for who that was done for.
                let acted = (company, dialog.remote.clone());
                let is_done_for = |call: &Known| {
                    stage.acted.contains(&acted)
                        && dialog.display == person(&dialog.remote)
                        && (dialog.state.as_str(), dialog.direction.as_str())
                            == (call.state, call.direction)
                };
                let is_its = |call: &Known| {
                    call.is_shown_by(dialog) || is_in_room(call) || is_done_for(call)
                };
                known.iter().any(is_its)
            }
    };
    if let Some(dialog) = shown.iter().find(|dialog| !is_right(dialog)) {
        return Some(format!("{name}: {dialog:?}, but {known:?}"));
    }
    let with = talks.get(&of)?;
    let is_with = |dialog: &LampDialog| dialog.state == "confirmed" && dialog.remote == *with;
    let is_told = shown.iter().any(is_with);
    (!is_told).then(|| format!("{name}: {shown:?}, but it talks with {with}"))
}

/// Who hears one phone, and is heard by nobody but that one.
pub(super) fn talks(stage: &Stage) -> Talks {
    // In a room nobody is at the other end.
    if !stage.is_plain {
        return Talks::new();
    }
    let mut extensions = BTreeMap::new();
    for (number, phone) in stage.phones.iter().enumerate() {
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
