//! Screening: a mobile's voicemail swallows no call.

use model::Spoken;
use testkit::{Outcome, Sim, Sound, millis, secs};

use crate::{SEEDS, on_bad_networks, talking, until, until_told};

const ELSEWHERE: &str = "SIP;cause=200;text=\"Call completed elsewhere\"";

#[test]
fn a_voicemail_that_answers_and_never_confirms_is_hung_up_and_the_next_one_rings() {
    on_bad_networks(
        |sim| sim.rules("101", "transfer+ 102 screened 20s; transfer 103"),
        |sim, [ann, _, mobile, dave, _]| {
            mobile.answers_after(secs(2));
            ann.dials("101");
            until(sim, "answered", || mobile.is_in_call());
            let begun = sim.elapsed();
            // Digit by digit, twice.
            for _ in 0..2 {
                for word in [Spoken::CallFrom, Spoken::Digit(1), Spoken::Digit(0)] {
                    until_told(sim, mobile, word);
                }
                until_told(sim, mobile, Spoken::PressOne);
            }
            assert!(ann.hears().is_empty() && !ann.is_in_call(), "{:?}", ann.hears());
            until(sim, "hung up", || mobile.is_idle());
            let asked = sim.elapsed() - begun;
            assert!(asked > secs(22) && asked < secs(40), "{asked:?}");
            until(sim, "ringing", || dave.is_ringing());
            dave.answers();
            talking(sim, ann, dave);
            ann.hangs_up();
            until(sim, "over", || dave.is_idle());
            let answers = sim.events().iter().filter(|e| e.kind == leg::EventKind::Answer).count();
            assert_eq!(answers, 2, "the mobile's is none");
        },
    );
}

#[test]
fn the_first_to_press_the_key_has_the_call_and_the_other_is_hung_up() {
    on_bad_networks(
        |sim| sim.rules("101", "transfer 102 103 screened"),
        |sim, [ann, _, carol, dave, _]| {
            carol.answers_after(secs(1));
            dave.answers_after(secs(3));
            ann.dials("101");
            until(sim, "answered", || carol.is_in_call() && dave.is_in_call());
            sim.run_for(secs(2));
            assert!(!ann.is_in_call());
            carol.presses("5");
            dave.presses("1");
            talking(sim, ann, dave);
            until(sim, "hung up", || carol.is_idle());
            let elsewhere = Outcome::PeerHungUp(Some(ELSEWHERE.to_owned()));
            assert_eq!(carol.outcome(), Some(elsewhere));
            dave.hangs_up();
            until(sim, "over", || ann.is_idle());
        },
    );
}

#[test]
fn a_phone_may_ask_for_it_and_a_caller_may_give_up_at_any_moment_of_it() {
    for seed in 0..SEEDS {
        let sim = Sim::seed(seed);
        sim.configure(0, |c| c.phone("101").shown.call_screening_enabled = true);
        let (ann, bob) = (sim.phone("100"), sim.phone("101"));
        bob.answers_after(secs(1));
        ann.dials("101");
        sim.run_for(secs(1) + millis(seed * 20));
        if seed % 3 == 0 {
            bob.presses("1");
        }
        ann.hangs_up();
        sim.assert_nothing_left();
    }
}

#[test]
fn who_takes_the_call_behind_the_time_of_the_rule_talks() {
    on_bad_networks(
        |sim| sim.rules("101", "transfer 102 103 screened 8s"),
        |sim, [ann, _, carol, dave, _]| {
            ann.dials("101");
            until(sim, "ringing", || carol.is_ringing() && dave.is_ringing());
            sim.run_for(secs(5));
            carol.answers();
            until(sim, "time is over", || dave.is_idle());
            assert_eq!(dave.outcome(), Some(Outcome::Cancelled(None)));
            sim.run_for(secs(3));
            carol.presses("1");
            talking(sim, ann, carol);
            ann.hangs_up();
            until(sim, "over", || carol.is_idle());
        },
    );
}

#[test]
fn a_caller_with_early_media_hears_ringback_from_us_while_somebody_is_asked() {
    let sim = Sim::seed(2);
    sim.rules("101", "transfer 102 early screened");
    let (ann, carol) = (sim.phone("100"), sim.phone("102"));
    carol.speaks_early();
    ann.dials("101");
    sim.run_for(secs(2));
    assert_eq!(ann.hears(), [carol.sound()].into());
    carol.answers();
    until(&sim, "ringback", || ann.hears() == [Sound::Ringback].into());
    assert!(!carol.hears().contains(&ann.sound()));
    carol.presses("1");
    talking(&sim, &ann, &carol);
    carol.hangs_up();
    sim.assert_nothing_left();
}

#[test]
fn a_machine_may_have_the_call_when_nobody_takes_it() {
    let sim = Sim::seed(2);
    sim.rules("101", "transfer 102 103 screened 20s");
    sim.rules("103", "voicemail");
    let (ann, carol) = (sim.phone("100"), sim.phone("102"));
    carol.answers_after(secs(1));
    ann.dials("101");
    sim.run_for(secs(15));
    assert!(carol.is_in_call() && !ann.is_in_call());
    carol.hangs_up();
    until_told(&sim, &ann, Spoken::LeaveMessage);
    ann.hangs_up();
    sim.assert_nothing_left();
}
