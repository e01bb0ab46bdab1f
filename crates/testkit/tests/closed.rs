//! The switch takes no new calls: it is stopping, or its journal is full.

use model::EndReason;
use testkit::{Outcome, Phone, Sim, secs};

fn talking(sim: &Sim) -> (Phone, Phone) {
    let (ann, bob) = (sim.phone("100"), sim.phone("101"));
    bob.answers_after(secs(0));
    ann.dials("101");
    sim.run_for(secs(1));
    sim.assert_talking(&ann, &bob);
    (ann, bob)
}

fn is_refused_for_now(sim: &Sim, eve: &Phone) {
    sim.begin_ladder();
    eve.dials("101");
    sim.run_for(secs(1));
    assert_eq!(eve.outcome(), Some(Outcome::Refused(503)));
    assert!(sim.ladder().contains("503 [Retry-After: "), "{}", sim.ladder());
}

#[test]
fn while_it_drains_new_calls_are_503_and_running_ones_go_on() {
    let sim = Sim::seed(10);
    let (ann, bob) = talking(&sim);
    let eve = sim.phone("102");
    sim.drain();
    is_refused_for_now(&sim, &eve);
    sim.assert_talking(&ann, &bob);
    ann.hangs_up();
    sim.assert_nothing_left();
    assert_eq!(sim.gauges().bindings, 3);
}

#[test]
fn at_the_limit_of_draining_the_rest_is_ended_with_records() {
    let sim = Sim::seed(10);
    let (ann, bob) = talking(&sim);
    sim.drain();
    sim.run_for(secs(60));
    sim.assert_talking(&ann, &bob);
    sim.end_all();
    sim.run_for(secs(1));
    let reason = "SIP;cause=503;text=\"Switch restarts\"".to_owned();
    let ended = Some(Outcome::PeerHungUp(Some(reason)));
    assert_eq!((ann.outcome(), bob.outcome()), (ended.clone(), ended));
    let reasons: Vec<_> = sim.cdrs().iter().map(|c| c.reason).collect();
    assert_eq!(reasons, [EndReason::Drained; 2]);
    sim.assert_nothing_left();
}

#[test]
fn a_full_journal_refuses_new_calls_until_it_has_room_and_loses_nothing() {
    let sim = Sim::seed(10);
    let (ann, bob) = talking(&sim);
    let eve = sim.phone("102");
    sim.journal_full(true);
    is_refused_for_now(&sim, &eve);
    sim.run_for(secs(5));
    sim.assert_talking(&ann, &bob);
    ann.hangs_up();
    sim.run_for(secs(1));
    assert!(bob.is_idle());
    sim.journal_full(false);
    assert!(sim.cdrs().iter().filter(|c| c.reason == EndReason::CallerHungUp).count() == 2);
    eve.dials("101");
    sim.run_for(secs(1));
    sim.assert_talking(&eve, &bob);
    eve.hangs_up();
    sim.assert_nothing_left();
}
