//! Keys pressed in a call reach the other side, whatever each side can.

use testkit::{Events, Phone, Sim, millis, secs};

fn talking(sim: &Sim, set: impl Fn(&Phone, &Phone)) -> (Phone, Phone) {
    let (ann, bob) = (sim.phone("100"), sim.phone("101"));
    set(&ann, &bob);
    bob.answers_after(millis(500));
    ann.dials("101");
    sim.run_for(secs(2));
    sim.assert_talking(&ann, &bob);
    (ann, bob)
}

#[test]
fn keys_by_rtp_events_arrive_as_rtp_events_in_both_directions() {
    let sim = Sim::seed(8);
    let (ann, bob) = talking(&sim, |_, _| {});
    ann.presses("12#*");
    bob.presses("A0");
    sim.run_for(secs(3));
    assert_eq!((bob.digits(), ann.digits()), ("12#*".to_owned(), "A0".to_owned()));
    assert_eq!((bob.info_digits(), ann.info_digits()), (String::new(), String::new()));
    sim.assert_talking(&ann, &bob);
    ann.hangs_up();
    sim.assert_nothing_left();
}

#[test]
fn the_same_key_twice_is_two_digits() {
    let sim = Sim::seed(8);
    let (ann, bob) = talking(&sim, |_, _| {});
    ann.presses("5555");
    sim.run_for(secs(3));
    assert_eq!(bob.digits(), "5555");
}

#[test]
fn keys_by_info_arrive_as_rtp_events() {
    let sim = Sim::seed(8);
    let (ann, bob) = talking(&sim, |ann, _| ann.set(|m| m.events = Events::Info));
    for key in ["1", "9", "#"] {
        ann.presses(key);
        sim.run_for(millis(500));
    }
    // It might have begun a code.
    sim.run_for(secs(1));
    assert_eq!(bob.digits(), "19#");
    sim.assert_talking(&ann, &bob);
    ann.hangs_up();
    sim.assert_nothing_left();
}

#[test]
fn keys_by_rtp_events_arrive_by_info_at_a_phone_without_them() {
    let sim = Sim::seed(8);
    let (ann, bob) = talking(&sim, |_, bob| bob.set(|m| m.events = Events::Info));
    ann.presses("42");
    sim.run_for(secs(3));
    assert_eq!((bob.digits(), bob.info_digits()), (String::new(), "42".to_owned()));
    ann.hangs_up();
    sim.assert_nothing_left();
}

#[test]
fn every_key_arrives_once_although_rtp_is_lost_and_doubled() {
    for seed in 0..20 {
        let sim = Sim::seed(seed);
        let (ann, bob) = talking(&sim, |_, _| {});
        let mut ways = testkit::Ways::GOOD;
        ways.rtp_up = testkit::Link { loss: 100, twice: 100, ..testkit::Link::GOOD };
        ann.set_ways(ways);
        ann.presses("0123456789");
        sim.run_for(secs(8));
        assert_eq!(bob.digits(), "0123456789", "seed {seed}");
    }
}

#[test]
fn a_key_is_never_heard_by_who_pressed_it_nor_by_strangers() {
    let sim = Sim::seed(8);
    let (ann, bob) = talking(&sim, |_, _| {});
    let eve = sim.phone("102");
    let joe = sim.phone("103");
    joe.answers_after(millis(100));
    eve.dials("103");
    sim.run_for(secs(1));
    ann.presses("7");
    sim.run_for(secs(1));
    assert_eq!(bob.digits(), "7");
    for other in [&ann, &eve, &joe] {
        assert_eq!(other.digits(), "", "{}", other.name());
    }
}
