//! A phone that is gone without a word does not keep a call for ever.

use model::EndReason;
use testkit::{Pace, Sim, secs};

#[test]
fn a_phone_that_vanishes_in_a_call_is_found_out() {
    for gone in 0..2 {
        let sim = Sim::seed(16);
        let (ann, bob) = (sim.phone("100"), sim.phone("101"));
        bob.answers_after(secs(0));
        ann.dials("101");
        sim.run_for(secs(10));
        sim.assert_talking(&ann, &bob);
        let (gone, stays) = if gone == 0 { (&ann, &bob) } else { (&bob, &ann) };
        gone.unplug();
        sim.run_for(secs(59));
        assert!(stays.is_in_call());
        // A minute of silence, and half a minute for the answer to our question.
        sim.run_for(secs(35));
        assert!(stays.is_idle(), "{:?}", stays.state());
        let reasons: Vec<_> = sim.cdrs().iter().map(|c| c.reason).collect();
        assert_eq!(reasons, [EndReason::MediaLost; 2]);
        gone.forgets();
        sim.assert_nothing_left();
    }
}

#[test]
fn a_phone_that_is_mute_but_answers_keeps_its_call() {
    let sim = Sim::seed(16);
    let (ann, bob) = (sim.phone("100"), sim.phone("101"));
    bob.answers_after(secs(0));
    ann.dials("101");
    sim.run_for(secs(10));
    ann.set_pace(Pace::Mute);
    sim.run_for(secs(300));
    assert!(ann.is_in_call() && bob.is_in_call());
    assert_eq!(bob.hears(), [].into());
    ann.set_pace(Pace::Steady);
    sim.run_for(secs(1));
    sim.assert_talking(&ann, &bob);
    ann.hangs_up();
    sim.assert_nothing_left();
}

#[test]
fn a_call_of_two_phones_that_both_vanish_is_ended_with_records() {
    let sim = Sim::seed(16);
    let (ann, bob) = (sim.phone("100"), sim.phone("101"));
    bob.answers_after(secs(0));
    ann.dials("101");
    sim.run_for(secs(10));
    ann.forgets();
    bob.forgets();
    sim.run_for(secs(100));
    assert_eq!(sim.cdrs().len(), 2);
    sim.assert_nothing_left();
}

/// Nothing is expected of a phone that holds, so its silence says nothing: the session timer
/// (RFC 4028) finds out that it is gone, in half of its 1,800 s and the time for a last question.
#[test]
fn a_call_whose_phones_vanish_while_both_hold_ends_with_its_session() {
    let vanish: [fn(&testkit::Phone); 2] = [|p| p.unplug(), |p| p.forgets()];
    for vanishes in vanish {
        let sim = Sim::seed(16);
        let (ann, bob) = (sim.phone("100"), sim.phone("101"));
        bob.answers_after(secs(0));
        ann.dials("101");
        sim.run_for(secs(10));
        ann.holds(testkit::Hold::Inactive);
        sim.run_for(secs(1));
        bob.holds(testkit::Hold::Inactive);
        sim.run_for(secs(1));
        vanishes(&ann);
        vanishes(&bob);
        sim.run_for(secs(880));
        assert_eq!(sim.gauges().calls, 1);
        sim.run_for(secs(60));
        assert_eq!(sim.gauges().calls, 0);
        let reasons: Vec<_> = sim.cdrs().iter().map(|c| c.reason).collect();
        assert_eq!(reasons, [EndReason::SessionExpired; 2]);
        ann.forgets();
        bob.forgets();
        sim.assert_nothing_left();
    }
}

#[test]
fn a_phone_that_vanishes_while_it_holds_costs_the_other_nothing_but_music() {
    for gone in 0..2 {
        let sim = Sim::seed(17);
        let (ann, bob) = (sim.phone("100"), sim.phone("101"));
        bob.answers_after(secs(0));
        ann.dials("101");
        sim.run_for(secs(10));
        let (gone, stays) = if gone == 0 { (&ann, &bob) } else { (&bob, &ann) };
        gone.holds(testkit::Hold::SendOnly);
        sim.run_for(secs(1));
        gone.unplug();
        sim.run_for(secs(300));
        assert_eq!(stays.hears(), [testkit::Sound::Music].into());
        sim.run_for(secs(650));
        assert!(stays.is_idle(), "{:?}", stays.state());
        gone.forgets();
        sim.assert_nothing_left();
    }
}
