//! Taking calls that ring.

use testkit::{Outcome, action, millis};

use crate::{Race, SEEDS, race};

fn rings(race: &Race) {
    for _ in 0..5 {
        race.phone(0).dials("101");
        if race.sim.run_while(testkit::secs(10), || !race.phone(1).is_ringing()) {
            return;
        }
        race.phone(0).hangs_up();
        race.until("given up", || race.phone(0).is_idle());
    }
    panic!("nobody is reached");
}

#[test]
fn of_two_who_pick_up_at_once_one_has_the_call_and_the_other_is_hung_up() {
    race(SEEDS, 4, |race| {
        race.phone(2).answers_after(millis(200));
        race.phone(3).answers_after(millis(200));
        rings(race);
        let call = race.sim.calls_of("101")[0];
        race.sim.orders(0, "101", call, action("pickup 102"));
        race.pause(2);
        race.sim.orders(0, "101", call, action("pickup 103"));
        let has =
            |n: usize| race.sim.is_heard("talk", &[('A', race.phone(0)), ('B', race.phone(n))]);
        race.until("one has the call", || has(2) || has(3));
        let (winner, loser) = if has(2) { (2, 3) } else { (3, 2) };
        race.until("the other is free", || race.phone(loser).is_idle());
        race.until("the phone that rang is quiet", || race.phone(1).is_idle());
        let elsewhere = race.phone(1).outcome();
        let reason = "SIP;cause=200;text=\"Call completed elsewhere\"".to_owned();
        assert_eq!(elsewhere, Some(Outcome::Cancelled(Some(reason))));
        race.heard("talk", &[('A', 0), ('B', winner)]);
    });
}

#[test]
fn a_caller_who_gives_up_at_the_instant_of_the_pickup_is_in_no_call() {
    race(SEEDS, 3, |race| {
        race.phone(2).answers_after(millis(100));
        rings(race);
        let call = race.sim.calls_of("101")[0];
        race.sim.orders(0, "101", call, action("pickup 102"));
        race.pause(400);
        race.phone(0).hangs_up();
        race.until("all are free", || race.phones.iter().all(|phone| phone.is_idle()));
    });
}
