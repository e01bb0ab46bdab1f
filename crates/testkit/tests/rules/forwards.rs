//! Rules that ring others: at once, one after the other, with and without their own rules.

use testkit::{Outcome, Sim, millis, secs};

use crate::{SEEDS, on_bad_networks, talking, until};

const ELSEWHERE: &str = "SIP;cause=200;text=\"Call completed elsewhere\"";

#[test]
fn busy_and_hangup_refuse_the_caller() {
    for (rule, status) in [("busy", 486), ("hangup", 480)] {
        on_bad_networks(
            |sim| sim.rules("101", rule),
            |sim, [ann, bob, ..]| {
                ann.dials("101");
                until(sim, "refused", || ann.outcome() == Some(Outcome::Refused(status)));
                assert_eq!(bob.call_count(), 0, "{rule}");
            },
        );
    }
}

#[test]
fn a_transfer_runs_the_rules_of_its_target_and_a_simple_one_rings_its_devices() {
    for (rule, rings) in [("transfer 102", 3), ("simple_transfer 102", 2)] {
        on_bad_networks(
            |sim| {
                sim.rules("101", rule);
                sim.rules("102", "transfer 103");
            },
            |sim, phones| {
                let (ann, called) = (&phones[0], &phones[rings]);
                called.answers_after(secs(1));
                ann.dials("101");
                talking(sim, ann, called);
                assert_eq!((phones[1].call_count(), phones[5 - rings].call_count()), (0, 0));
                ann.hangs_up();
                until(sim, "over", || called.is_idle());
            },
        );
    }
}

#[test]
fn a_cascade_whose_first_number_fails_at_once_has_no_dead_air_and_the_others_ring_on() {
    on_bad_networks(
        |sim| sim.rules("101", "cascade 102@0 103@5 104@20 60s"),
        |sim, [ann, bob, carol, dave, erin]| {
            carol.refuses_after(secs(1), 480);
            ann.dials("101");
            until(sim, "called", || carol.call_count() == 1);
            let begun = sim.elapsed();
            until(sim, "refused", || carol.is_idle());
            until(sim, "the second rings", || dave.is_ringing());
            let after = sim.elapsed() - begun;
            assert!(after < secs(5), "{after:?}");
            until(sim, "the third rings", || erin.is_ringing());
            let after = sim.elapsed() - begun;
            assert!(after > secs(17) && after < secs(24), "{after:?}");
            assert!(dave.is_ringing());
            erin.answers();
            talking(sim, ann, erin);
            until(sim, "told", || dave.is_idle());
            assert_eq!(dave.outcome(), Some(Outcome::Cancelled(Some(ELSEWHERE.to_owned()))));
            assert_eq!(bob.call_count(), 0);
            erin.hangs_up();
            until(sim, "over", || ann.is_idle());
        },
    );
}

#[test]
fn a_busy_device_leaves_the_other_ringing_and_a_busy_colleague_too() {
    on_bad_networks(
        |sim| sim.rules("101", "transfer 102 103"),
        |sim, [ann, _, desk, dave, _]| {
            let mobile = sim.phone("102");
            desk.refuses_after(secs(1), 486);
            dave.refuses_after(secs(2), 486);
            ann.dials("101");
            until(sim, "refused", || desk.call_count() + dave.call_count() == 2);
            until(sim, "refused", || desk.is_idle() && dave.is_idle() && mobile.is_ringing());
            assert!(ann.outcome().is_none());
            mobile.answers();
            talking(sim, ann, &mobile);
            ann.hangs_up();
            until(sim, "over", || mobile.is_idle());
        },
    );
}

#[test]
fn of_several_numbers_one_busy_makes_busy() {
    on_bad_networks(
        |sim| sim.rules("101", "transfer 102 103"),
        |sim, [ann, _, carol, dave, _]| {
            carol.refuses_after(secs(1), 486);
            dave.refuses_after(secs(2), 480);
            ann.dials("101");
            until(sim, "refused", || ann.outcome().is_some());
            assert_eq!(ann.outcome(), Some(Outcome::Refused(486)));
        },
    );
}

#[test]
fn a_decline_stops_the_own_devices_and_no_colleague() {
    on_bad_networks(
        |sim| sim.rules("101", "transfer 102 103"),
        |sim, [ann, _, desk, dave, _]| {
            let mobile = sim.phone("102");
            ann.dials("101");
            let all = [desk, &mobile, dave];
            until(sim, "all ring", || all.iter().all(|p| p.is_ringing()));
            desk.refuses(603);
            until(sim, "stopped", || mobile.is_idle());
            assert_eq!(mobile.outcome(), Some(Outcome::Cancelled(None)));
            assert!(dave.is_ringing() && ann.outcome().is_none());
            dave.answers();
            talking(sim, ann, dave);
            dave.hangs_up();
            until(sim, "over", || ann.is_idle());
        },
    );
}

#[test]
fn a_phone_that_says_nothing_is_unreachable_and_its_rules_for_that_run_then() {
    on_bad_networks(
        |sim| sim.rules("101", "transfer 102 unreachable; hangup last=no"),
        |sim, [ann, bob, carol, ..]| {
            bob.unplug();
            carol.answers_after(secs(1));
            ann.dials("101");
            until(sim, "trying", || ann.state().is_some());
            talking(sim, ann, carol);
            ann.hangs_up();
            until(sim, "over", || carol.is_idle());
            bob.forgets();
        },
    );
}

/// What a phone that has answered and is not wanted any more gets.
fn lost(outcome: Option<Outcome>) -> bool {
    matches!(outcome, Some(Outcome::PeerHungUp(_) | Outcome::Cancelled(_)))
}

#[test]
fn an_answer_that_crosses_the_end_of_the_ringing_is_acknowledged_and_hung_up() {
    let mut races = [0, 0];
    for seed in 0..SEEDS {
        let sim = Sim::seed(seed);
        sim.rules("101", "transfer+ 102 5s; hangup");
        let (ann, bob) = (sim.phone("100"), sim.phone("102"));
        ann.dials("101");
        until(&sim, "ringing", || bob.is_ringing());
        // The CANCEL leaves 5 s after the INVITE, and both take 10 ms.
        sim.run_for(secs(5) - millis(40) + core::time::Duration::from_micros(300 * seed));
        let answered = bob.answers();
        sim.run_for(secs(1));
        if sim.are_talking(&ann, &bob) {
            races[0] += 1;
            ann.hangs_up();
        } else {
            races[1] += usize::from(answered);
            assert_eq!(ann.outcome(), Some(Outcome::Refused(480)), "seed {seed}");
            assert!(bob.is_idle() && lost(bob.outcome()), "seed {seed}: {:?}", bob.outcome());
        }
        sim.assert_nothing_left();
    }
    assert!(races.iter().all(|n| *n > 10), "both ends were met: {races:?}");
}

#[test]
fn an_answer_that_crosses_the_callers_hanging_up_is_acknowledged_and_hung_up() {
    on_bad_networks(
        |sim| sim.rules("101", "transfer 102"),
        |sim, [ann, _, carol, ..]| {
            ann.dials("101");
            until(sim, "ringing", || carol.is_ringing());
            carol.answers();
            sim.run_for(millis(3));
            ann.hangs_up();
            until(sim, "over", || ann.is_idle() && carol.is_idle());
        },
    );
}

#[test]
fn early_media_is_kept_from_the_caller_unless_the_rule_passes_it_on() {
    for (rule, heard) in [("transfer 102 103", false), ("transfer 102 103 early", true)] {
        let sim = Sim::seed(3);
        sim.rules("101", rule);
        let (ann, carol, dave) = (sim.phone("100"), sim.phone("102"), sim.phone("103"));
        carol.speaks_early();
        ann.dials("101");
        sim.run_for(secs(2));
        assert_eq!(ann.hears().contains(&carol.sound()), heard, "{rule}");
        dave.answers();
        sim.run_for(secs(1));
        sim.assert_talking(&ann, &dave);
        assert_eq!(carol.outcome(), Some(Outcome::Cancelled(Some(ELSEWHERE.to_owned()))));
        ann.hangs_up();
        sim.assert_nothing_left();
    }
}

#[test]
fn a_call_that_rings_for_four_minutes_is_answered_all_the_same() {
    for seed in 0..20 {
        let sim = Sim::seed(seed);
        sim.rules("101", "simple_transfer 102 300s");
        let (ann, carol) = (sim.phone("100"), sim.phone("102"));
        ann.dials("101");
        sim.run_for(secs(240));
        assert!(carol.is_ringing() && ann.hears_it_ring(), "seed {seed}: {:?}", ann.outcome());
        carol.answers();
        sim.run_for(secs(1));
        sim.assert_talking(&ann, &carol);
        ann.hangs_up();
        sim.assert_nothing_left();
    }
}
