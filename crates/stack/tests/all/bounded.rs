//! One input has so many effects and no more, also when the whole process has slept.

use core::time::Duration;

use leg::LegId;
use stack::limits::TIMERS_AT_ONCE_MAX;
use stack::{Effect, Input};

use crate::bench::{BOB, Bench, Phone, udp};

/// What one timer leads to at most: a message or two, and what the exchange is told.
const EFFECTS_OF_A_TIMER: usize = 4;

/// 300 legs ring a phone that says nothing, and then the process sleeps for an hour.
fn after_a_sleep() -> Bench {
    let mut b = Bench::new();
    let mut bob = Phone::new("bob", udp("198.51.100.8:5060"));
    let device = bob.registers(&mut b);
    for leg in 1..=300 {
        b.dial(LegId::outgoing(leg), BOB, device);
    }
    b.look_away();
    b.now = b.now + Duration::from_secs(3_600);
    b
}

#[test]
fn timers_that_fall_due_together_are_handled_some_at_a_time() {
    let mut b = after_a_sleep();
    let (mut inputs, mut ended) = (0, 0);
    while b.endpoint.deadline().is_some_and(|at| at <= b.now.mono) {
        let mut effects = Vec::new();
        b.endpoint.handle(b.now, Input::Tick, &mut effects);
        let bound = TIMERS_AT_ONCE_MAX * EFFECTS_OF_A_TIMER;
        assert!(effects.len() <= bound, "{} effects of one input", effects.len());
        ended += effects.iter().filter(|e| matches!(e, Effect::Leg { .. })).count();
        inputs += 1;
        assert!(inputs < 100, "timers without end");
    }
    assert!(inputs > 2, "they came in several inputs: {inputs}");
    assert_eq!(ended, 300, "each leg has heard that nobody answers");
    b.run_for(Duration::from_secs(60));
    assert_eq!(b.endpoint.counts().dialogs, 0);
}

#[test]
fn what_has_arrived_is_answered_between_them() {
    let mut b = after_a_sleep();
    let mut alice = Phone::new("alice", udp("198.51.100.7:5060"));
    let options = alice.request("OPTIONS", "sip:acme.example", "<sip:acme.example>", "", "");
    b.receive(alice.flow, options);
    let due = b.endpoint.deadline().is_some_and(|at| at <= b.now.mono);
    assert!(due, "timers of the past still wait");
    assert!(b.sent.iter().any(|(_, message)| message.status() == Some(200)), "and it is answered");
}
