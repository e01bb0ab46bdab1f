//! The switch is killed between any two things that it does, and starts again.

use std::collections::BTreeSet;

use leg::Command;
use model::EndReason;
use testkit::{Hold, Pace, Phone, Settings, Sim, millis, secs};

/// What three phones do while the switch is killed: two people, and a second device of one.
type Flow = fn(&Sim, &Phone, &Phone, &Phone);

const FLOWS: &[(&str, u64, Flow)] = &[
    ("talk, hold and hang-up by the called", 20, |sim, ann, bob, _| {
        ann.dials("101");
        sim.run_for(secs(1));
        bob.answers();
        sim.run_for(secs(1));
        ann.holds(Hold::SendOnly);
        sim.run_for(secs(1));
        bob.hangs_up();
    }),
    ("talk and hang-up by the caller", 15, |sim, ann, bob, _| {
        bob.answers_after(secs(1));
        ann.dials("101");
        sim.run_for(secs(2));
        ann.hangs_up();
    }),
    ("the caller gives up", 10, |sim, ann, _, _| {
        ann.dials("101");
        sim.run_for(secs(1));
        ann.hangs_up();
    }),
    ("busy", 10, |_, ann, bob, mobile| {
        bob.refuses_after(secs(0), 486);
        mobile.refuses_after(millis(300), 486);
        ann.dials("101");
    }),
    ("one of two devices answers", 15, |sim, ann, bob, mobile| {
        bob.answers_after(millis(200));
        ann.dials("101");
        sim.run_for(secs(1));
        mobile.dials("100");
        sim.run_for(secs(1));
        ann.answers();
        sim.run_for(secs(1));
        ann.hangs_up();
        sim.run_for(secs(1));
        ann.hangs_up();
    }),
    ("early media and a decline", 10, |sim, ann, bob, _| {
        bob.speaks_early();
        ann.dials("101");
        sim.run_for(secs(1));
        bob.refuses(603);
    }),
    ("echo", 8, |sim, ann, _, _| {
        ann.dials("199");
        sim.run_for(secs(3));
        ann.hangs_up();
    }),
    ("a program hangs up", 12, |sim, ann, bob, _| {
        bob.answers_after(millis(100));
        ann.dials("101");
        sim.run_for(secs(1));
        let extension = sim.extension("100");
        if let Some(call) = sim.events().first().map(|e| e.call) {
            sim.ask(0, Command::Hangup { extension, call });
        }
    }),
    ("nowhere", 3, |_, ann, _, _| ann.dials("555")),
    ("registrations", 4, |sim, ann, bob, _| {
        ann.unregisters();
        sim.run_for(secs(1));
        ann.registers();
        bob.registers();
    }),
];

/// Runs a flow with a kill after so many things; `false`: it was over before.
fn killed(flow: Flow, kills: u64) -> bool {
    let sim = Sim::with(Settings { seed: 13, pace: Pace::Sparse, ..Settings::default() });
    let (ann, bob, mobile) = (sim.phone("100"), sim.phone("101"), sim.phone("101"));
    let phones = [&ann, &bob, &mobile];
    sim.kill_after(kills);
    flow(&sim, &ann, &bob, &mobile);
    sim.run_for(secs(2));
    if sim.is_kill_pending() {
        return false;
    }
    // Whoever was in a call is told, or finds out by asking, without doing anything.
    bob.just_rings();
    mobile.just_rings();
    sim.run_for(secs(40));
    for phone in phones {
        assert!(phone.is_idle(), "{}: {:?}", phone.name(), phone.state());
    }
    sim.assert_nothing_left();
    // And the switch is as good as new.
    phones.iter().for_each(|p| p.registers());
    sim.run_for(secs(2));
    ann.dials("101");
    sim.run_for(secs(1));
    assert!(bob.is_ringing() && mobile.is_ringing());
    mobile.answers();
    sim.run_for(secs(1));
    sim.assert_talking(&ann, &mobile);
    ann.hangs_up();
    sim.assert_nothing_left();
    true
}

#[test]
fn a_kill_between_any_two_effects_leaves_one_record_a_part_and_no_phone_behind() {
    for (name, at_least, flow) in FLOWS {
        let points = (0..).take_while(|kills| killed(*flow, *kills)).count();
        assert!(points >= *at_least as usize, "{name}: {points} points");
    }
}

#[test]
fn both_phones_of_an_answered_call_are_hung_up_after_a_restart() {
    let sim = Sim::seed(13);
    let (ann, bob) = (sim.phone("100"), sim.phone("101"));
    ann.dials("101");
    sim.run_for(secs(1));
    bob.answers();
    sim.run_for(secs(10));
    sim.kill();
    sim.run_for(secs(3));
    assert!(ann.is_idle() && bob.is_idle(), "{:?} {:?}", ann.state(), bob.state());
    let reasons: BTreeSet<_> = sim.cdrs().iter().map(|c| c.reason).collect();
    assert_eq!(reasons, [EndReason::Restart].into());
    // The time away counts, by the wall clock.
    let talked: Vec<_> = sim.cdrs().iter().map(|c| c.talk_us).collect();
    assert!(talked.iter().all(|us| (10_000_000..12_000_000).contains(us)), "{talked:?}");
    sim.assert_nothing_left();
}

#[test]
fn both_phones_of_a_ringing_call_are_told_after_a_restart() {
    let sim = Sim::seed(13);
    let (ann, bob) = (sim.phone("100"), sim.phone("101"));
    ann.dials("101");
    sim.run_for(secs(3));
    assert!(bob.is_ringing());
    sim.kill();
    sim.run_for(secs(3));
    assert_eq!(ann.outcome(), Some(testkit::Outcome::Refused(500)));
    assert!(bob.is_idle(), "{:?}", bob.state());
    sim.assert_nothing_left();
}

#[test]
fn a_phone_that_has_not_registered_anew_rings_after_a_restart() {
    let sim = Sim::seed(13);
    let (ann, bob) = (sim.phone("100"), sim.phone("101"));
    sim.begin_ladder();
    sim.kill();
    sim.run_for(secs(1));
    assert_eq!(sim.gauges().bindings, 2);
    ann.dials("101");
    sim.run_for(secs(1));
    assert!(bob.is_ringing());
    assert!(!sim.whole_ladder().contains("REGISTER"));
    bob.answers();
    sim.run_for(secs(1));
    sim.assert_talking(&ann, &bob);
    ann.hangs_up();
    sim.assert_nothing_left();
}

#[test]
fn a_removed_registration_does_not_come_back_with_a_restart() {
    let sim = Sim::seed(13);
    let (ann, bob) = (sim.phone("100"), sim.phone("101"));
    bob.unregisters();
    sim.run_for(secs(1));
    sim.kill();
    sim.run_for(secs(1));
    assert_eq!(sim.gauges().bindings, 1);
    ann.dials("101");
    sim.run_for(secs(1));
    assert_eq!(ann.outcome(), Some(testkit::Outcome::Refused(480)));
}

#[test]
fn a_registration_that_ran_out_while_the_switch_was_away_does_not_come_back() {
    let sim = Sim::with(Settings { downtime: secs(4_000), ..Settings::default() });
    sim.phone("100").forgets();
    sim.kill();
    sim.run_for(secs(4_001));
    assert_eq!(sim.gauges().bindings, 0);
}

#[test]
fn kills_one_after_the_other_are_survived() {
    for seed in 0..30 {
        let sim = Sim::seed(seed);
        let (ann, bob) = (sim.phone("100"), sim.phone("101"));
        bob.answers_after(millis(300));
        for round in 0..5 {
            sim.kill_after(seed % 13 + round * 2);
            ann.dials("101");
            sim.run_for(secs(3));
            ann.hangs_up();
            sim.run_for(secs(3));
        }
        sim.is_kill_pending();
        // A phone that the dead switch owed an answer waits for it in vain.
        sim.run_for(secs(40));
        sim.assert_nothing_left();
        assert!(sim.lives() > 1);
    }
}

#[test]
fn a_full_journal_that_is_killed_loses_only_what_was_not_written() {
    let sim = Sim::seed(13);
    let (ann, bob) = (sim.phone("100"), sim.phone("101"));
    bob.answers_after(secs(0));
    ann.dials("101");
    sim.run_for(secs(1));
    sim.assert_talking(&ann, &bob);
    sim.kill();
    sim.run_for(secs(2));
    assert_eq!(sim.cdrs().len(), 2);
    sim.assert_nothing_left();
}
