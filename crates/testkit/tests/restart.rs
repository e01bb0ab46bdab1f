//! The switch is killed between any two things that it does, and starts again.

use std::collections::BTreeSet;

use model::EndReason;
use testkit::{Phone, Settings, Sim, millis, secs};

/// From the first INVITE to the end of the call, with a hold in between.
fn basic_call(sim: &Sim, ann: &Phone, bob: &Phone) {
    ann.dials("101");
    sim.run_for(secs(1));
    bob.answers();
    sim.run_for(secs(1));
    ann.holds(testkit::Hold::SendOnly);
    sim.run_for(secs(1));
    bob.hangs_up();
    sim.run_for(secs(1));
}

#[test]
fn a_kill_at_any_point_of_a_call_leaves_one_record_a_part_and_nothing_else() {
    let mut kills = 0;
    loop {
        let sim = Sim::seed(13);
        let (ann, bob) = (sim.phone("100"), sim.phone("101"));
        sim.kill_after(kills);
        basic_call(&sim, &ann, &bob);
        if sim.is_kill_pending() {
            break;
        }
        // Each part that was begun has its one record; the ledger counts.
        sim.run_for(secs(40));
        assert!(
            ann.is_idle() && bob.is_idle(),
            "kill {kills}: {:?} {:?}",
            ann.state(),
            bob.state()
        );
        sim.assert_nothing_left();
        // And the switch is as good as new.
        ann.dials("101");
        sim.run_for(secs(1));
        assert!(bob.is_ringing(), "kill {kills}");
        bob.answers();
        sim.run_for(secs(1));
        sim.assert_talking(&ann, &bob);
        ann.hangs_up();
        sim.assert_nothing_left();
        kills += 1;
    }
    assert!(kills > 15, "{kills}");
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
