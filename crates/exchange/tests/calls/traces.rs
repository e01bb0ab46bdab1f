//! Why a call went where it went is written down when it is over.

use exchange::{Effect, Facilities, Input};
use leg::{CallTrace, LegEvent, LegId, Record};
use model::EndReason;

use crate::support::Pbx;

const A: LegId = LegId(0);

/// Hangs up and returns the traces that are written, with how many records of the call's end
/// come after them.
fn hang_up(pbx: &mut Pbx) -> Vec<(CallTrace, usize)> {
    let event = LegEvent::Ended { reason: EndReason::CallerHungUp, status: None, elsewhere: false };
    let mut effects = Vec::new();
    let mut facilities = Facilities { ports: &mut pbx.ports, chance: &mut pbx.chance };
    pbx.exchange.handle(pbx.now, Input::Leg { leg: A, event }, &mut facilities, &mut effects);
    let gone = |effect: &Effect| matches!(effect, Effect::Record(Record::CallGone { .. }));
    let traces = effects.iter().enumerate().filter_map(|(at, effect)| match effect {
        Effect::Record(Record::Trace(trace)) => {
            Some(((**trace).clone(), effects.iter().skip(at).filter(|e| gone(e)).count()))
        }
        _ => None,
    });
    traces.collect()
}

#[test]
fn the_trace_is_written_once_when_the_call_is_over_and_before_it_is_forgotten() {
    let mut pbx = Pbx::with_rules("101: transfer 102");
    pbx.dials("100", "101");
    let call = pbx.call_api_id();
    let kept = {
        let call = pbx.exchange.calls().next().unwrap();
        call.conversations.values().next().unwrap().trace.clone()
    };
    pbx.exchange.take_unsaved(pbx.now, |_, _, _| {});
    let written = hang_up(&mut pbx);
    let [(trace, after)] = &written[..] else { panic!("{written:?}") };
    assert_eq!(*after, 1);
    assert_eq!(trace.call, call.uuid);
    assert_eq!((trace.caller.as_deref(), &trace.did), (Some("0003*100"), &None));
    assert!(trace.lines.len() >= kept.len() && trace.lines.starts_with(&kept), "{trace:?}");
    let first = trace.lines[0].line.to_string();
    assert_eq!(first, "rule 1 fires: transfer, the last");
    assert!(pbx.is_empty());
}

#[test]
fn a_call_without_anything_to_explain_has_no_trace() {
    let mut pbx = Pbx::new();
    pbx.dials("100", "199");
    assert!(hang_up(&mut pbx).is_empty());
}
