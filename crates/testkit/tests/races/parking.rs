//! Parking and taking back.

use leg::Refusal;
use testkit::{action, millis, secs};

use crate::{FEW_SEEDS, Race, SEEDS, race};

fn park(race: &Race, by: usize, order: &str) -> Option<u8> {
    let parked = race.sim.control(&race.phone(by).name(), order);
    parked.unwrap_or_else(|refusal| panic!("{refusal:?}")).slot
}

#[test]
fn of_more_parks_than_slots_exactly_as_many_are_parked_as_there_are() {
    race(SEEDS, 6, |race| {
        race.sim.configure(0, |c| c.routing.settings.shown.valet_park_slots = 2);
        crowd(race, 2);
    });
}

#[test]
fn of_ten_parks_for_nine_slots_nine_are_parked() {
    race(FEW_SEEDS, 20, |race| {
        race.sim.configure(0, |c| c.routing.settings.shown.valet_park_slots = 9);
        crowd(race, 9);
    });
}

/// One call more than slots, all parked at the same instant.
fn crowd(race: &mut Race, slots: usize) {
    let tickets: Vec<_> = (0..=slots).map(|n| (2 * n, 2 * n + 1)).collect();
    tickets.iter().for_each(|(a, b)| race.talk(*a, *b));
    let tickets: Vec<_> = tickets
        .iter()
        .map(|(a, _)| {
            let name = race.phone(*a).name();
            let call = race.sim.calls_of(&name)[0];
            (*a, race.sim.orders(0, &name, call, action("park")))
        })
        .collect();
    race.sim.run_for(millis(50));
    let mut refused = Vec::new();
    for (a, ticket) in tickets {
        match race.sim.answer(ticket) {
            Some(leg::Reply::Controlled { slot: Some(_), .. }) => {
                race.heard("B is parked", &[('B', a + 1)]);
                race.until("who has parked is free", || race.phone(a).is_idle());
            }
            Some(leg::Reply::Refused(Refusal::NoFreeSlot)) => refused.push(a),
            other => panic!("{other:?}"),
        }
    }
    let [a] = refused.as_slice() else { panic!("refused: {refused:?}") };
    race.heard("talk", &[('A', *a), ('B', a + 1)]);
    assert_eq!(race.sim.free_slots(), []);
}

#[test]
fn a_slot_whose_caller_hangs_up_is_free_at_once_and_never_has_two() {
    race(SEEDS, 4, |race| {
        race.talk(0, 1);
        race.talk(2, 3);
        assert_eq!(park(race, 0, "park 1"), Some(1));
        race.phone(1).hangs_up();
        race.pause(120);
        match race.sim.control("102", "park 1") {
            Ok(done) => {
                assert_eq!(done.slot, Some(1));
                race.heard("B is parked", &[('B', 3)]);
            }
            Err(refusal) => {
                assert_eq!(refusal, Refusal::SlotFull);
                race.heard("talk", &[('A', 2), ('B', 3)]);
                race.until("the caller is gone", || race.phone(1).is_idle());
                race.until("the slot is free", || race.sim.free_slots().contains(&1));
                assert_eq!(park(race, 2, "park 1"), Some(1));
                race.heard("B is parked", &[('B', 3)]);
            }
        }
    });
}

/// The parked call comes back to who has parked it.
fn rings_back(race: &Race) {
    race.talk(0, 1);
    assert_eq!(park(race, 0, "park 1"), Some(1));
    race.heard("B is parked", &[('B', 1)]);
    race.until("who has parked is free", || race.phone(0).is_idle());
    let rings = || race.phone(0).is_ringing();
    assert!(race.sim.run_while(secs(195), || !rings()), "it does not come back");
}

#[test]
fn a_call_that_comes_back_is_answered_or_retrieved_by_exactly_one() {
    race(SEEDS, 3, |race| {
        rings_back(race);
        if race.chance.below(2) == 0 {
            race.phone(0).answers();
            race.pause(60);
            race.phone(2).dials("*01");
        } else {
            race.phone(2).dials("*01");
            race.pause(60);
            race.phone(0).answers();
        }
        let has =
            |n: usize| race.sim.is_heard("talk", &[('A', race.phone(1)), ('B', race.phone(n))]);
        race.until("one has it", || has(0) || has(2));
        let (winner, loser) = if has(0) { (0, 2) } else { (2, 0) };
        race.until("the other has nothing", || race.phone(loser).is_idle());
        race.heard("talk", &[('A', 1), ('B', winner)]);
        race.until("the slot is free", || race.sim.free_slots().contains(&1));
    });
}

#[test]
fn a_call_comes_back_whatever_the_parker_does_meanwhile() {
    race(SEEDS, 3, |race| {
        race.talk(0, 1);
        assert_eq!(park(race, 0, "park 1"), Some(1));
        race.until("who has parked is free", || race.phone(0).is_idle());
        match race.seed / 4 % 4 {
            // On another call: it rings besides, whatever the limit of calls is.
            0 => {
                race.sim.configure(0, |c| c.phone("100").incoming_limit = Some(1));
                race.talk(2, 0);
                let second = || race.phone(0).live_calls() == 2;
                assert!(race.sim.run_while(secs(195), || !second()), "it does not come back");
            }
            // Forwarded: its rules do not count.
            1 => {
                race.sim.rules("100", "transfer 102 20s");
                let rings = || race.phone(0).is_ringing();
                assert!(race.sim.run_while(secs(195), || !rings()), "it does not come back");
                assert_eq!(race.phone(2).call_count(), 0);
                race.phone(0).answers();
                race.heard("talk", &[('A', 0), ('B', 1)]);
            }
            // Not registered: it waits on, and can be retrieved.
            2 => {
                race.phone(0).unregisters();
                race.sim.run_for(secs(200));
                race.heard("B is parked", &[('B', 1)]);
                race.phone(2).dials("*01");
                race.heard("talk", &[('A', 2), ('B', 1)]);
            }
            // Deleted.
            _ => {
                race.sim.configure(0, |c| c.extensions.retain(|e| e.name.as_str() != "100"));
                race.sim.run_for(secs(200));
                race.heard("B is parked", &[('B', 1)]);
                race.phone(2).dials("*01");
                race.heard("talk", &[('A', 2), ('B', 1)]);
            }
        }
    });
}

#[test]
fn a_parked_call_that_nobody_wants_comes_to_its_end() {
    race(40, 2, |race| {
        race.talk(0, 1);
        assert_eq!(park(race, 0, "park"), Some(1));
        race.until("who has parked is free", || race.phone(0).is_idle());
        race.phone(0).refuses_after(millis(100), 486);
        let is_over = || race.phone(1).is_idle();
        assert!(race.sim.run_while(secs(800), || !is_over()), "it waits for ever");
        assert_eq!(race.sim.free_slots().first(), Some(&1));
    });
}
