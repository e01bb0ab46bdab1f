//! Calls with the outside: what is listed of who talks there, who may end it, and what is written
//! down of it.
//!
//! Who talks with whom is heard. An extension that talks with somebody outside is listed; of two
//! who are outside, whoever has brought them together, who does not talk.

use std::sync::Arc;

use leg::{CallFlow, CallView, CdrFlow, CdrLeg, Command, Reply};
use model::Wall;

use super::stage::Stage;
use crate::phone::call::{CallState, Way};
use crate::sim::{millis, secs};

/// What is still on its way has arrived after one of these.
const SETTLED: [core::time::Duration; 3] = [secs(1), secs(7), secs(12)];

/// Who talked at a moment, at least one of them outside: by their numbers on the stage.
#[derive(Clone, Copy, Debug)]
pub(super) struct Talk {
    of: [usize; 2],
    at: Wall,
    /// Which of them we have called.
    was_called: [bool; 2],
}

/// Whoever talks with the outside is in the lists; remembered is who did.
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

fn first_wrong(stage: &mut Stage) -> Option<String> {
    let lists = [listed(stage, 0), listed(stage, 1)];
    let talks = talks(stage);
    let wrong = talks.iter().find_map(|talk| wrong(stage, talk, &lists));
    if wrong.is_none() {
        stage.summary.outside += talks.len() as u64;
        stage.outside.extend(talks);
    }
    wrong
}

fn wrong(stage: &Stage, talk: &Talk, lists: &[Vec<Arc<CallView>>; 2]) -> Option<String> {
    let [one, other] = talk.of;
    let (company, with) = (stage.company_of(one), stage.company_of(other));
    let names = [one, other].map(|n| stage.extension_of(n));
    if company != with {
        return Some(format!("{names:?} talk, of two customers"));
    }
    let answered = || lists[company].iter().filter(|view| view.answer_time.is_some());
    let inside = [one, other].into_iter().find(|n| stage.is_inside(*n));
    let Some(inside) = inside else {
        let mut views = answered().filter(|view| is_about(view, &names)).peekable();
        if views.peek().is_none() {
            let all: Vec<_> = answered().collect();
            return Some(format!(
                "{names:?} talk outside, and nobody is listed with them: {all:?}"
            ));
        }
        let talks = views.find(|view| view.real_call)?;
        return Some(format!(
            "{names:?} talk outside, and it is listed that another does: {talks:?}"
        ));
    };
    let own = stage.extension_of(inside);
    let is_own = |view: &&Arc<CallView>| {
        view.real_call && view.extension.as_ref().is_some_and(|e| e.name.ends_with(&own))
    };
    let count = answered().filter(is_own).count();
    (count == 0).then(|| format!("{names:?} talk, and {own} is not listed"))
}

/// Whether a call is listed with one of these numbers, or is of an extension whose rules have led
/// away: it is listed with who called it then, whatever has become of that one.
fn is_about(view: &CallView, numbers: &[String; 2]) -> bool {
    let is_named = [&view.called_number, &view.caller_id_number].map(|n| numbers.contains(n));
    is_named.contains(&true) || view.flow == Some(CallFlow::In) && !view.real_call
}

fn listed(stage: &Stage, company: usize) -> Vec<Arc<CallView>> {
    let ticket = stage.sim.ask(company, Command::ListCalls { extension: None });
    stage.sim.run_for(millis(1));
    match stage.sim.answer(ticket) {
        Some(Reply::Calls(views)) => views,
        _ => Vec::new(),
    }
}

/// Who talks with somebody outside: they hear each other, have no other call and nobody else's
/// voice.
fn talks(stage: &Stage) -> Vec<Talk> {
    let hears = stage.sim.who_hears_what();
    let at = stage.sim.world().wall();
    let is_calm = |n: &usize| {
        let phone = &stage.phones[*n];
        let is_one = phone.live_calls() == 1 && phone.state() == Some(CallState::Talking);
        is_one && phone.is_at_rest() && !phone.is_transferring()
    };
    let calm: Vec<usize> = (0..stage.phones.len()).filter(is_calm).collect();
    let hears_only = |one: usize, other: usize| {
        let (one, other) = (&stage.phones[one], &stage.phones[other]);
        hears.get(&one.name()).is_some_and(|heard| *heard == [other.sound()].into())
    };
    let was_called = |n: usize| {
        stage.phones[n].with(|agent| agent.call().is_some_and(|call| call.way == Way::In))
    };
    let outside = calm.iter().filter(|n| !stage.is_inside(**n));
    let talk = |one: &usize| {
        let others = calm.iter().filter(|n| stage.is_inside(**n) || *n < one);
        let mut with = others.filter(|n| hears_only(*one, **n) && hears_only(**n, *one));
        with.next().map(|other| {
            let of = [*one, *other];
            Talk { of, at, was_called: of.map(was_called) }
        })
    };
    outside.filter_map(talk).collect()
}

/// Programs end what goes on outside by whom it is listed with.
pub(super) fn are_ended(stage: &mut Stage) -> Result<(), String> {
    for talk in talks(stage) {
        if talk.of.iter().any(|n| stage.is_inside(*n)) {
            continue;
        }
        let names = talk.of.map(|n| stage.extension_of(n));
        let company = stage.company_of(talk.of[0]);
        for view in listed(stage, company).iter().filter(|view| is_about(view, &names)) {
            let (Some(extension), Some(call)) = (&view.extension, view.call_api_id) else {
                continue;
            };
            stage.sim.ask(company, Command::Hangup { extension: extension.id, call });
        }
        let talk_on = || talk.of.iter().any(|n| !stage.phones[*n].is_idle());
        if !stage.sim.run_while(secs(40), talk_on) {
            return Err(format!("{names:?} talk on outside, whatever programs end"));
        }
    }
    Ok(())
}

/// In the end there is a record of each time that was talked with the outside.
pub(super) fn are_recorded(stage: &Stage) -> Result<(), String> {
    let world = stage.sim.world();
    for Talk { of, at, was_called } in &stage.outside {
        let company = &world.companies[stage.company_of(of[0])];
        let covers = |cdr: &&CdrLeg| {
            let begun = cdr.answer_time.is_some_and(|begun| begun <= *at);
            cdr.tenant == company.id() && begun && *at <= cdr.hangup_time
        };
        let at_that_time = || world.ledger.cdrs().iter().filter(covers);
        let names = of.map(|n| stage.extension_of(n));
        let is_named =
            |cdr: &CdrLeg, name: &String| [&*cdr.from.0, &*cdr.to.0].contains(&name.as_str());
        let is_written = match of.iter().find(|n| stage.is_inside(**n)) {
            Some(n) => {
                let own = company.extension_id(&stage.extension_of(*n));
                at_that_time().any(|cdr| cdr.extension == own)
            }
            None => at_that_time().any(|cdr| names.iter().any(|name| is_named(cdr, name))),
        };
        if !is_written {
            return Err(format!("{names:?} talked at {at:?}, and no record tells of it"));
        }
        // What a call to the outside costs is somebody's, also when nobody of the client talks.
        let is_outside = of.iter().all(|n| !stage.is_inside(*n));
        let called = names.iter().zip(was_called).filter(|(_, was)| is_outside && **was);
        for (name, _) in called {
            let is_its = |cdr: &&CdrLeg| cdr.flow == CdrFlow::Out && *cdr.to.0 == **name;
            if !at_that_time().any(|cdr| is_its(&cdr)) {
                return Err(format!("{names:?} talked at {at:?}, and nobody has called {name}"));
            }
        }
    }
    Ok(())
}
