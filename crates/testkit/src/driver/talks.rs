//! Who hears whom in a run, compared with the table of [`crate::model`] where that can say it: of
//! two extensions that are listed as talking with each other and with nobody else.

use std::collections::BTreeMap;

use leg::{CallView, Command, Reply};
use model::CallUuid;

use super::stage::Stage;
use crate::device::Phone;
use crate::model::{Heard, heard};
use crate::sim::{millis, secs};

/// What is still on its way has arrived after this: an offer that is made again, a tone of failure.
const SETTLED: core::time::Duration = secs(6);

/// Two who talk, and what each of their phones must hear.
struct Talk {
    situation: &'static str,
    wanted: BTreeMap<String, Heard>,
}

/// Everybody who talks hears what the table says.
pub(super) fn are_heard(stage: &mut Stage) -> Result<(), String> {
    let mut wrong = differs(stage);
    if wrong.is_some() {
        stage.sim.run_for(SETTLED);
        wrong = differs(stage);
    }
    wrong.map_or(Ok(()), Err)
}

fn differs(stage: &mut Stage) -> Option<String> {
    for company in 0..2 {
        for Talk { situation, wanted } in talks(stage, company) {
            stage.summary.heard += 1;
            let hears = stage.sim.who_hears_what();
            for (name, wanted) in wanted {
                let heard = hears.get(&name);
                if !heard.is_some_and(|heard| wanted.is_met_by(heard)) {
                    return Some(format!("{situation}: {name} hears {heard:?}, not {wanted:?}"));
                }
            }
        }
    }
    None
}

fn talks(stage: &Stage, company: usize) -> Vec<Talk> {
    let ticket = stage.sim.ask(company, Command::ListCalls { extension: None });
    stage.sim.run_for(millis(1));
    let Some(Reply::Calls(views)) = stage.sim.answer(ticket) else { return Vec::new() };
    let mut calls: BTreeMap<CallUuid, Vec<&CallView>> = BTreeMap::new();
    let mut parts: BTreeMap<&str, usize> = BTreeMap::new();
    for view in &views {
        let (Some(id), Some(extension)) = (view.call_api_id, &view.extension) else { continue };
        calls.entry(id.uuid).or_default().push(view);
        *parts.entry(&extension.name).or_default() += 1;
    }
    let mut talks = Vec::new();
    for views in calls.values() {
        let [a, b] = views.as_slice() else { continue };
        let is_clear = |view: &CallView| {
            let name = view.extension.as_ref().map_or("", |e| e.name.as_str());
            view.real_call && view.answer_time.is_some() && parts.get(name) == Some(&1)
        };
        if !is_clear(a) || !is_clear(b) {
            continue;
        }
        let (Some(a), Some(b)) = (phone_of(stage, company, a), phone_of(stage, company, b)) else {
            continue;
        };
        let situation = match (a.is_holding(), b.is_holding()) {
            (false, false) => "talk",
            (true, false) => "A holds",
            (false, true) => "B holds",
            (true, true) => "both hold",
        };
        let wanted = heard(situation, &[('A', &a.name()), ('B', &b.name())]);
        talks.push(Talk { situation, wanted });
    }
    talks
}

/// The phone with which an extension talks: the only one that has a call, and no other.
fn phone_of<'a>(stage: &'a Stage, company: usize, view: &CallView) -> Option<&'a Phone> {
    let short = view.extension.as_ref()?.name.rsplit_once('*')?.1.to_owned();
    if stage.held.contains(&(company, short.clone())) {
        return None;
    }
    let its = |n: &usize| stage.company_of(*n) == company && stage.extension_of(*n) == short;
    let mut with_call = (0..stage.phones.len()).filter(its).filter_map(|n| {
        let phone = stage.phones.get(n)?;
        (!phone.is_idle()).then_some(phone)
    });
    let (first, second) = (with_call.next()?, with_call.next());
    let is_one = second.is_none() && first.live_calls() == 1;
    let is_calm = first.is_at_rest() && !first.is_transferring();
    (is_one && first.is_in_call() && is_calm).then_some(first)
}
