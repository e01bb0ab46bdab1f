//! Calls that end at the instant at which something is wanted of them.

use leg::{Refusal, Reply};
use testkit::{action, millis};

use crate::{SEEDS, race};

#[test]
fn a_call_is_deleted_twice_at_once_by_both_sides() {
    race(SEEDS, 2, |race| {
        race.talk(0, 1);
        let call = race.sim.calls_of("100")[0];
        let tickets: Vec<_> = ["100", "101", "100"]
            .map(|name| {
                let extension = race.sim.extension(name);
                race.pause(1);
                race.sim.ask(0, leg::Command::Hangup { extension, call })
            })
            .into();
        race.sim.run_for(millis(10));
        for ticket in tickets {
            let reply = race.sim.answer(ticket);
            assert!(matches!(reply, Some(Reply::Done)), "{reply:?}");
        }
        race.until("both are free", || race.phones.iter().all(|phone| phone.is_idle()));
        let records = race.sim.cdrs();
        assert_eq!(records.len(), 2, "{records:?}");
    });
}

/// Everything that a program can order.
const ORDERS: [&str; 12] = [
    "transfer 102",
    "transfer",
    "attend 102",
    "eavesdrop 102",
    "whisper 102",
    "conference 102",
    "hold",
    "offhold",
    "park",
    "park 2",
    "bridge",
    "pickup 102",
];

#[test]
fn whatever_is_ordered_of_a_call_that_ends_in_the_same_millisecond_nothing_is_left() {
    race(SEEDS, 3, |race| {
        race.phone(2).answers_after(millis(50));
        race.talk(0, 1);
        let call = race.sim.calls_of("100")[0];
        let (order, side) = (race.pick(&ORDERS), race.pick(&["100", "101"]));
        let ender = race.pick(&[0, 1]);
        let orders_first = race.chance.below(2) == 0;
        let ticket = orders_first.then(|| race.sim.orders(0, side, call, action(order)));
        race.phone(ender).hangs_up();
        race.pause(60);
        let ticket = ticket.unwrap_or_else(|| race.sim.orders(0, side, call, action(order)));
        race.sim.run_for(millis(5));
        let reply = race.sim.answer(ticket);
        assert!(reply.is_some(), "{order} has no answer");
        race.sim.run_for(testkit::secs(40));
        race.until("who hung up is free", || race.phone(ender).is_idle());
    });
}

#[test]
fn a_call_that_is_over_is_not_there_for_any_order() {
    race(20, 3, |race| {
        race.talk(0, 1);
        let call = race.sim.calls_of("100")[0];
        race.phone(0).hangs_up();
        race.until("both are free", || race.phones.iter().all(|phone| phone.is_idle()));
        for order in ORDERS {
            let answer = race.sim.control_call("100", call, order);
            assert_eq!(answer.err(), Some(Refusal::NoSuchCall), "{order}");
        }
    });
}
