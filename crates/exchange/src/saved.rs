//! A call's state as bytes: CBOR with field names, `version` first, no secrets.
//!
//! Every version that was ever written must load for ever; `tests/saved/` holds one file of each.

use core::convert::Infallible;
use core::time::Duration;

use cbor4ii::serde::{DecodeError, from_slice};
use model::Now;
use serde::{Deserialize, Serialize};

use crate::call::Call;
use crate::step::Step;
use crate::step::legacy::CallV2;
use crate::step::talking::Talking;

/// The version that is written.
pub const VERSION: u32 = 3;

#[derive(Serialize)]
struct SavedRef<'a> {
    version: u32,
    saved: Now,
    call: &'a Call,
}

#[derive(Deserialize)]
struct Saved {
    saved: Now,
    call: Call,
}

/// Earlier versions had one conversation in a call.
const FIRST_WITH_CONVERSATIONS: u32 = 3;

#[derive(Deserialize)]
struct Old {
    saved: Now,
    call: CallV2,
}

/// Why saved state could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// It is damaged, or was never a saved call.
    Damaged(String),
    /// It was written by a newer program.
    Newer {
        /// Its version.
        version: u32,
    },
}

/// Writes a call down.
pub fn save(call: &Call, now: Now) -> Vec<u8> {
    let saved = SavedRef { version: VERSION, saved: now, call };
    let mut bytes = Vec::with_capacity(1_536);
    model::cbor::write(&mut bytes, &saved);
    bytes
}

/// Reads a call back; its moments are moved so that durations go on as the wall clock says.
pub fn load(bytes: &[u8], now: Now) -> Result<Call, Unreadable> {
    #[derive(Deserialize)]
    struct Version {
        version: u32,
    }
    let damaged = |e: DecodeError<Infallible>| Unreadable::Damaged(e.to_string());
    let Version { version } = from_slice(bytes).map_err(damaged)?;
    if version > VERSION {
        return Err(Unreadable::Newer { version });
    }
    let (mut call, saved) = if version < FIRST_WITH_CONVERSATIONS {
        let old: Old = from_slice(bytes).map_err(damaged)?;
        (Call::from(old.call), old.saved)
    } else {
        let saved: Saved = from_slice(bytes).map_err(damaged)?;
        (saved.call, saved.saved)
    };
    rebase(&mut call, saved, now);
    note_holders(&mut call);
    Ok(call)
}

/// For whom a program holds a call was kept in the talk by earlier releases.
fn note_holders(call: &mut Call) {
    let Call { steps, legs, .. } = call;
    let mut hold = |leg| {
        if let Some(leg) = legs.get_mut(leg) {
            leg.held = true;
        }
    };
    for step in steps.values_mut() {
        match step {
            Step::Talking(talk) => talk.holders().for_each(&mut hold),
            Step::Seeking(seeking) => {
                seeking.senders_talk().into_iter().flat_map(Talking::holders).for_each(&mut hold);
            }
            Step::Consulting(waits) => {
                let away = waits.leg;
                for holder in waits.talk.holders() {
                    if holder == away {
                        waits.held = true;
                    } else {
                        hold(holder);
                    }
                }
            }
            _ => {}
        }
    }
}

/// Moves every monotonic moment from the clock of the run that saved it to this run's clock.
fn rebase(call: &mut Call, saved: Now, now: Now) {
    let away = u64::try_from(now.wall.0.saturating_sub(saved.wall.0)).unwrap_or(0);
    let here = |moment: model::Mono| {
        // What lay `ahead` of the save lies that far ahead, less the time away. What was the very
        // moment of the save (a call is saved as it is answered) is past.
        if moment > saved.mono {
            let ahead = moment.since(saved.mono).saturating_sub(Duration::from_micros(away));
            now.mono + ahead
        } else {
            let behind = u64::try_from(saved.mono.since(moment).as_micros()).unwrap_or(u64::MAX);
            model::Mono(now.mono.0.saturating_sub(behind).saturating_sub(away))
        }
    };
    for of in call.conversations.values_mut() {
        of.began.mono = here(of.began.mono);
    }
    let keys: Vec<_> = call.branches.keys().collect();
    for key in keys {
        if let Some(branch) = call.branches.get_mut(key) {
            branch.began.mono = here(branch.began.mono);
            if let Some(answered) = &mut branch.answered {
                answered.mono = here(answered.mono);
            }
        }
    }
    for (at, ..) in &mut call.timers {
        *at = here(*at);
    }
    let steps: Vec<_> = call.steps.keys().collect();
    for step in steps {
        match call.steps.get_mut(step) {
            Some(Step::Seeking(seeking)) => {
                seeking.moments().for_each(|moment| *moment = here(*moment));
            }
            Some(Step::Parked(parked)) => {
                parked.moments().for_each(|moment| *moment = here(*moment));
            }
            Some(Step::Recording(recording)) => {
                recording.moments().for_each(|moment| *moment = here(*moment));
            }
            _ => {}
        }
    }
}
