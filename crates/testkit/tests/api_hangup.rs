//! A program hangs up: in every state of a call, and again.

use leg::{Command, Refusal, Reply};
use model::{CallApiId, EndReason};
use testkit::{Hold, Outcome, Phone, Sim, secs};

/// A call that was begun, and how far it shall come before it is hung up.
fn begun(sim: &Sim, state: &str) -> (Phone, Phone, CallApiId) {
    let (ann, bob) = (sim.phone("100"), sim.phone("101"));
    if state == "dialling" {
        bob.unplug();
    }
    ann.dials("101");
    sim.run_for(secs(1));
    if matches!(state, "talking" | "held") {
        bob.answers();
        sim.run_for(secs(1));
        sim.assert_talking(&ann, &bob);
    }
    if state == "held" {
        ann.holds(Hold::SendOnly);
        sim.run_for(secs(1));
    }
    let calls = sim.calls_of("100");
    assert_eq!(calls, sim.calls_of("101"));
    let [call] = calls.as_slice() else { panic!("{calls:?}") };
    (ann, bob, *call)
}

#[test]
fn a_call_is_hung_up_in_every_state_and_again_within_a_minute() {
    for state in ["dialling", "ringing", "talking", "held"] {
        for side in ["100", "101"] {
            let sim = Sim::seed(9);
            let (ann, bob, call) = begun(&sim, state);
            let what = format!("{state}, {side}");
            assert!(matches!(sim.api_hangs_up(side, call), Reply::Done), "{what}");
            sim.run_for(secs(1));
            assert!(ann.is_idle(), "{what}: {:?}", ann.state());
            match state {
                "dialling" => assert_eq!(ann.outcome(), Some(Outcome::Refused(480)), "{what}"),
                "ringing" => {
                    assert_eq!(ann.outcome(), Some(Outcome::Refused(480)), "{what}");
                    assert_eq!(bob.outcome(), Some(Outcome::Cancelled(None)), "{what}");
                }
                _ => {
                    let reason = "Q.850;cause=16;text=\"Ended by a program\"".to_owned();
                    let ended = Some(Outcome::PeerHungUp(Some(reason)));
                    assert_eq!((ann.outcome(), bob.outcome()), (ended.clone(), ended), "{what}");
                }
            }
            assert!(sim.cdrs().iter().all(|c| c.reason == EndReason::ApiHangup), "{what}");
            assert_eq!(sim.cdrs().len(), 2, "{what}");
            // Done before is done again; both sides may ask.
            for side in ["100", "101"] {
                assert!(matches!(sim.api_hangs_up(side, call), Reply::Done), "{what}");
            }
            assert_eq!(sim.cdrs().len(), 2, "{what}");
            sim.run_for(secs(61));
            let gone = sim.api_hangs_up(side, call);
            assert!(matches!(gone, Reply::Refused(Refusal::NoSuchCall)), "{what}: {gone:?}");
            sim.assert_nothing_left();
        }
    }
}

#[test]
fn a_call_is_not_hung_up_for_an_extension_that_has_no_part_in_it() {
    let sim = Sim::seed(9);
    let (ann, bob, call) = begun(&sim, "talking");
    let reply = sim.api_hangs_up("102", call);
    assert!(matches!(reply, Reply::Refused(Refusal::NoSuchCall)));
    sim.run_for(secs(1));
    sim.assert_talking(&ann, &bob);
}

#[test]
fn a_call_is_not_hung_up_nor_shown_for_another_tenant() {
    let sim = Sim::with(testkit::Settings { companies: 2, ..Default::default() });
    let (ann, bob, call) = begun(&sim, "talking");
    let extension = sim.extension("100");
    for command in [Command::Hangup { extension, call }, Command::ShowCall { extension, call }] {
        let reply = sim.answer_to(1, command);
        assert!(matches!(reply, Reply::Refused(Refusal::NoSuchCall)), "{reply:?}");
    }
    match sim.answer_to(1, Command::ListCalls { extension: None }) {
        Reply::Calls(calls) => assert_eq!(calls.len(), 0),
        other => panic!("{other:?}"),
    }
    sim.assert_talking(&ann, &bob);
}

#[test]
fn the_list_shows_a_call_from_the_first_ring_to_the_end() {
    let sim = Sim::seed(9);
    let (ann, bob, call) = begun(&sim, "ringing");
    let show = |side: &str| {
        let extension = sim.extension(side);
        match sim.answer_to(0, Command::ShowCall { extension, call }) {
            Reply::Call(view) => view,
            other => panic!("{other:?}"),
        }
    };
    assert!(show("100").answer_time.is_none());
    bob.answers();
    sim.run_for(secs(1));
    assert!(show("101").answer_time.is_some());
    assert_eq!(show("101").caller_id_number, "0003*100");
    ann.hangs_up();
    sim.run_for(secs(1));
    assert_eq!(sim.calls_of("100"), []);
}
