//! What is told of calls that were up when the process died.

use std::time::Duration;

use exchange::Input;
use leg::{CallAction, LegId, MonitorMode, Record};
use model::{EndReason, Number};

use crate::support::{Pbx, out, talking};

/// Whoever is rung besides the two who talk.
const C: LegId = LegId(5);

/// The process dies and another one ends the calls that were up: the reasons in the records.
fn reasons_after_a_restart(mut pbx: Pbx) -> Vec<(String, EndReason)> {
    pbx.moves_to_a_clock_that_began(Duration::from_secs(60));
    pbx.records.clear();
    pbx.input(Input::EndAll(EndReason::Restart));
    assert!(pbx.is_empty());
    let records = pbx.records.iter().filter_map(|record| match record {
        Record::Cdr(cdr) => Some((cdr.extension_name.to_string(), cdr.reason)),
        _ => None,
    });
    records.collect()
}

fn number(text: &str) -> Number {
    Number::parse(text).unwrap()
}

#[test]
fn whoever_was_in_a_call_or_rung_for_it_is_out_since_the_switch_was_started_anew() {
    type Situation = (&'static str, fn(&mut Pbx), usize);
    let situations: [Situation; 4] = [
        (
            "somebody listens",
            |pbx| {
                let call = pbx.call_api_id();
                let mode = MonitorMode::Eavesdrop;
                pbx.control("101", call, CallAction::Monitor(mode, number("102"))).unwrap();
                pbx.answers(C);
            },
            3,
        ),
        (
            "somebody is rung who would listen",
            |pbx| {
                let call = pbx.call_api_id();
                let mode = MonitorMode::Whisper;
                pbx.control("101", call, CallAction::Monitor(mode, number("102"))).unwrap();
                pbx.rings(C);
            },
            3,
        ),
        (
            "a parked call rings back",
            |pbx| {
                let call = pbx.call_api_id();
                pbx.control("101", call, CallAction::Park(None)).unwrap();
                pbx.run_for(Duration::from_secs(181));
                pbx.rings(C);
            },
            2,
        ),
        (
            "somebody is rung who would take it",
            |pbx| {
                let call = pbx.call_api_id();
                pbx.control("101", call, CallAction::Pickup(number("102"))).unwrap();
                pbx.rings(out(2));
            },
            3,
        ),
    ];
    for (what, happens, parts) in situations {
        let mut pbx = talking();
        happens(&mut pbx);
        let told = reasons_after_a_restart(pbx);
        assert_eq!(told.len(), parts, "{what}: {told:?}");
        let other = told.iter().find(|(_, reason)| *reason != EndReason::Restart);
        assert_eq!(other, None, "{what}");
    }
}
