//! Phones that know neither RFC 4733 nor INFO: their keys are tones.

use model::{Codec, Spoken};
use testkit::{Events, Phone, Sim, millis, secs};

fn phones(sim: &Sim) -> (Phone, Phone) {
    let (ann, bob) = (sim.phone("100"), sim.phone("101"));
    bob.set(|m| m.events = Events::InBand);
    (ann, bob)
}

fn talking(sim: &Sim) -> (Phone, Phone) {
    let (ann, bob) = phones(sim);
    bob.answers_after(millis(300));
    ann.dials("101");
    sim.run_for(secs(2));
    sim.assert_talking(&ann, &bob);
    (ann, bob)
}

#[test]
fn a_screened_call_is_taken_with_a_tone() {
    for codec in [Codec::Pcma, Codec::Pcmu, Codec::G722, Codec::Opus] {
        let sim = Sim::seed(1);
        sim.rules("100", "transfer 101 screened");
        let (_, bob) = phones(&sim);
        let eve = sim.phone("102");
        bob.set(|m| m.codecs = vec![codec]);
        bob.answers_after(millis(300));
        eve.dials("100");
        sim.run_for(secs(4));
        assert!(bob.is_in_call() && !eve.is_in_call());
        bob.presses("5");
        sim.run_for(secs(1));
        assert!(!eve.is_in_call(), "{codec:?}: that is not the key");
        bob.presses("1");
        sim.run_for(secs(2));
        assert!(eve.is_in_call(), "{codec:?}");
        sim.assert_talking(&bob, &eve);
        eve.hangs_up();
        sim.assert_nothing_left();
    }
}

#[test]
fn a_phone_that_never_presses_the_key_is_hung_up_and_speech_is_no_key() {
    let sim = Sim::seed(2);
    sim.rules("100", "transfer 101 screened");
    let (_, bob) = phones(&sim);
    let eve = sim.phone("102");
    bob.answers_after(millis(300));
    eve.dials("100");
    sim.run_for(secs(2));
    assert!(bob.is_in_call());
    let told = || bob.is_told(model::Language::En, Spoken::PressOne);
    assert!(sim.run_while(secs(20), || !told()), "it is asked for the key");
    sim.run_for(secs(40));
    assert!(bob.is_idle() && !eve.is_in_call());
    sim.assert_nothing_left();
}

#[test]
fn keys_by_rtp_events_reach_such_a_phone_as_tones() {
    for key in "0123456789*#".chars() {
        let sim = Sim::seed(3);
        let (ann, bob) = talking(&sim);
        ann.presses(&key.to_string());
        if "*#".contains(key) {
            // It may begin a code, and is held for so long.
            sim.run_for(secs(1));
        }
        sim.run_for(millis(900));
        assert_eq!(bob.tones(), key.to_string());
        assert_eq!((bob.digits(), bob.info_digits()), (String::new(), String::new()));
        sim.run_for(secs(1));
        sim.assert_talking(&ann, &bob);
        ann.hangs_up();
        sim.assert_nothing_left();
    }
}

#[test]
fn keys_by_info_reach_such_a_phone_as_tones() {
    let sim = Sim::seed(4);
    let (ann, bob) = phones(&sim);
    ann.set(|m| m.events = Events::Info);
    bob.answers_after(millis(300));
    ann.dials("101");
    sim.run_for(secs(2));
    ann.presses("7");
    sim.run_for(millis(900));
    assert_eq!(bob.tones(), "7");
    ann.hangs_up();
    sim.assert_nothing_left();
}

#[test]
fn tones_between_such_phones_go_through_as_sound() {
    let sim = Sim::seed(5);
    let (ann, bob) = phones(&sim);
    ann.set(|m| m.events = Events::InBand);
    bob.answers_after(millis(300));
    ann.dials("101");
    sim.run_for(secs(2));
    ann.presses("42");
    sim.run_for(millis(900));
    assert_eq!(bob.tones(), "42");
    ann.hangs_up();
    sim.assert_nothing_left();
}
