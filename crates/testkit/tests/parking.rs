//! Parking: slots, ring-back, taking back, lamps; also on bad networks and against the clock.

use std::time::Duration;

use leg::Refusal;
use model::Chance;
use testkit::{Hold, Link, Pace, Phone, Settings, Sim, Sound, Ways, millis, secs};

const PARKED: Duration = Duration::from_secs(180);

/// 100 has called 101.
fn talking(sim: &Sim) -> (Phone, Phone) {
    let (ann, bob) = (sim.phone("100"), sim.phone("101"));
    calls(sim, &ann, &bob);
    (ann, bob)
}

fn calls(sim: &Sim, ann: &Phone, bob: &Phone) {
    ann.dials(&bob.name());
    assert!(sim.run_while(secs(20), || !bob.is_ringing()));
    bob.answers();
    assert!(sim.run_while(secs(20), || !(ann.is_in_call() && bob.is_in_call())));
}

/// The states of what a lamp shows.
fn lamp(phone: &Phone, resource: &str) -> Vec<String> {
    phone.lamp(resource).expect("it was shown").into_iter().map(|d| d.state).collect()
}

#[test]
fn who_is_parked_hears_music_until_somebody_takes_it_back() {
    let sim = Sim::seed(1);
    let (ann, bob) = talking(&sim);
    let carl = sim.phone("102");
    carl.watches("park+6");
    carl.watches("101");
    sim.run_for(secs(1));
    assert_eq!(lamp(&carl, "park+6"), [""; 0]);
    assert_eq!(lamp(&carl, "101"), ["confirmed"]);
    let parked = sim.control("101", "park 6").unwrap();
    assert_eq!((parked.slot, parked.call.real_call), (Some(6), false));
    sim.run_for(secs(1));
    assert!(bob.is_idle());
    assert_eq!(ann.hears(), [Sound::Music].into());
    assert_eq!(lamp(&carl, "park+6"), ["confirmed"]);
    assert_eq!(carl.lamp("park+6").unwrap()[0].remote, "100");
    assert_eq!(lamp(&carl, "101"), [""; 0]);
    carl.dials("park+6");
    sim.run_for(secs(1));
    sim.assert_talking(&ann, &carl);
    assert_eq!(lamp(&carl, "park+6"), [""; 0]);
    carl.hangs_up();
    carl.unwatches();
    sim.assert_nothing_left();
}

#[test]
fn a_parked_call_rings_back_with_the_name_of_its_slot() {
    let sim = Sim::seed(2);
    let (ann, bob) = talking(&sim);
    sim.control("101", "park 4").unwrap();
    sim.run_for(PARKED - secs(1));
    assert!(bob.is_idle());
    sim.run_for(secs(2));
    assert!(bob.is_ringing());
    assert_eq!(bob.number().as_deref(), Some("100"));
    assert_eq!(ann.hears(), [Sound::Music].into());
    bob.answers();
    sim.run_for(secs(1));
    sim.assert_talking(&ann, &bob);
    assert_eq!(sim.free_slots().len(), 9);
    ann.hangs_up();
    sim.assert_nothing_left();
}

#[test]
fn ten_parks_for_nine_slots() {
    let sim = Sim::seed(3);
    let callers: Vec<Phone> = (100..110).map(|n| sim.phone(&n.to_string())).collect();
    let bob = sim.phone("111");
    for (n, caller) in callers.iter().enumerate() {
        calls(&sim, caller, &bob);
        let parked = sim.control("111", "park").map(|c| c.slot);
        if n < 9 {
            assert_eq!(parked, Ok(u8::try_from(n + 1).ok()));
        } else {
            assert_eq!(parked, Err(Refusal::NoFreeSlot));
            assert!(bob.is_in_call() && caller.is_in_call(), "it goes on");
        }
    }
    // One caller gives up: the slot is free at once, and the last one finds room.
    callers[6].hangs_up();
    sim.run_for(secs(1));
    assert_eq!(sim.free_slots(), [7]);
    assert_eq!(sim.control("111", "park 7").unwrap().slot, Some(7));
    bob.dials("*0");
    sim.run_for(secs(1));
    sim.assert_talking(&callers[0], &bob);
    callers.iter().for_each(|caller| _ = caller.hangs_up());
    sim.assert_nothing_left();
}

#[test]
fn it_rings_back_whatever_has_become_of_who_parked() {
    for case in ["talks", "forwards", "unregistered", "deleted"] {
        let sim = Sim::seed(4);
        let (ann, bob) = talking(&sim);
        let carl = sim.phone("102");
        sim.control("101", "park").unwrap();
        match case {
            "talks" => calls(&sim, &carl, &bob),
            "forwards" => sim.rules("101", "transfer 102"),
            "unregistered" => bob.unregisters(),
            _ => {
                sim.configure(0, |company| company.extensions.retain(|e| e.name.as_str() != "101"))
            }
        }
        sim.run_for(PARKED + secs(2));
        let rings = bob.is_ringing() || carl.is_ringing();
        match case {
            "talks" => assert!(bob.is_ringing() && bob.live_calls() == 2, "a second call"),
            "forwards" => assert!(bob.is_ringing() && !carl.is_ringing(), "no rules"),
            _ => assert!(!rings, "{case}: nobody to ring"),
        }
        // Nobody takes it, and it still waits in its slot.
        assert_eq!(sim.free_slots().len(), 8, "{case}");
        sim.run_for(secs(30));
        assert_eq!(ann.hears(), [Sound::Music].into(), "{case}");
        let dan = sim.phone("103");
        dan.dials("*0");
        sim.run_for(secs(1));
        sim.assert_talking(&ann, &dan);
        [&ann, &bob, &carl, &dan].into_iter().for_each(|phone| _ = phone.hangs_up());
        sim.run_for(secs(1));
        [&bob, &carl].into_iter().for_each(|phone| _ = phone.hangs_up());
        sim.assert_nothing_left();
    }
}

#[test]
fn answered_and_taken_at_once_exactly_one_has_the_call() {
    let (mut answered, mut taken) = (0, 0);
    for seed in 0..40 {
        let sim = Sim::with(Settings { seed, pace: Pace::Sparse, ..Settings::default() });
        let (ann, bob) = talking(&sim);
        let carl = sim.phone("102");
        sim.control("101", "park 3").unwrap();
        let bad = Link { jitter: millis(30), ..Link::losing(10) };
        sim.set_ways(Ways { sip_up: bad, sip_down: bad, ..Ways::GOOD });
        assert!(sim.run_while(PARKED + secs(20), || !bob.is_ringing()));
        let mut chance = Chance::from_number(seed);
        bob.answers();
        sim.run_for(millis(chance.below(20)));
        carl.dials("*03");
        sim.run_for(secs(40));
        let winners: Vec<&Phone> =
            [&bob, &carl].into_iter().filter(|phone| phone.is_in_call()).collect();
        assert_eq!(winners.len(), 1, "seed {seed}");
        answered += usize::from(bob.is_in_call());
        taken += usize::from(carl.is_in_call());
        sim.set_ways(Ways::GOOD);
        ann.hangs_up();
        sim.run_for(secs(40));
        [&ann, &bob, &carl].into_iter().for_each(|phone| _ = phone.hangs_up());
        sim.assert_nothing_left();
    }
    assert!(answered > 0 && taken > 0, "{answered} answered, {taken} taken");
}

#[test]
fn parking_in_a_slot_whose_caller_hangs_up_is_one_or_the_other() {
    for seed in 0..40 {
        let sim = Sim::with(Settings { seed, pace: Pace::Sparse, ..Settings::default() });
        let (ann, _bob) = talking(&sim);
        sim.control("101", "park 1").unwrap();
        let (carl, dan) = (sim.phone("102"), sim.phone("103"));
        calls(&sim, &carl, &dan);
        ann.hangs_up();
        let mut chance = Chance::from_number(seed);
        sim.run_for(millis(chance.below(60)));
        match sim.control("103", "park 1") {
            Ok(done) => assert_eq!(done.slot, Some(1)),
            Err(refusal) => {
                assert_eq!(refusal, Refusal::SlotFull);
                assert!(dan.is_in_call(), "it goes on");
            }
        }
        carl.hangs_up();
        sim.run_for(secs(1));
        assert_eq!(sim.free_slots().len(), 9);
        sim.assert_nothing_left();
    }
}

#[test]
fn a_defect_while_parked_leaves_no_lamp_lit_and_no_slot_taken() {
    let sim = Sim::seed(8);
    let (ann, _bob) = talking(&sim);
    let carl = sim.phone("102");
    ["park+1", "100", "101"].iter().for_each(|resource| carl.watches(resource));
    sim.control("101", "park").unwrap();
    sim.run_for(secs(1));
    assert_eq!(lamp(&carl, "park+1"), ["confirmed"]);
    sim.inject_panic(0, "parked");
    ann.holds(Hold::SendOnly);
    sim.run_for(secs(2));
    for resource in ["park+1", "100", "101"] {
        assert_eq!(lamp(&carl, resource), [""; 0], "{resource}");
    }
    assert_eq!(sim.free_slots().len(), 9);
    carl.unwatches();
    sim.assert_nothing_left();
}

#[test]
fn after_a_restart_lamps_are_subscribed_to_anew() {
    let sim = Sim::seed(9);
    let (ann, bob) = talking(&sim);
    let carl = sim.phone("102");
    carl.watches("101");
    sim.run_for(secs(1));
    assert_eq!(lamp(&carl, "101"), ["confirmed"]);
    sim.kill();
    sim.run_for(secs(30));
    [&ann, &bob].into_iter().for_each(|phone| _ = phone.hangs_up());
    // The refresh of the phone is answered 481, and it asks anew.
    sim.run_for(secs(3_600));
    assert_eq!(carl.watch_status("101"), Some(481));
    carl.watches("101");
    sim.run_for(secs(1));
    assert_eq!(lamp(&carl, "101"), [""; 0]);
    carl.unwatches();
    sim.assert_nothing_left();
}

/// People call, park and take back at random; one watches everything.
fn busy_day(seed: u64) {
    let mut chance = Chance::from_number(seed ^ 0xBEEF);
    let sim = Sim::with(Settings { seed, pace: Pace::Sparse, ..Settings::default() });
    let names = ["100", "101", "102", "103"];
    let phones: Vec<Phone> = names.iter().map(|name| sim.phone(name)).collect();
    let watcher = sim.phone("105");
    let slots = ["park+1", "park+2"];
    let watched: Vec<&str> = names.into_iter().chain(slots).collect();
    watched.iter().for_each(|resource| watcher.watches(resource));
    sim.run_for(secs(1));
    if seed % 3 == 1 {
        let bad = Link { jitter: millis(30), ..Link::losing(8) };
        let ways = Ways { sip_up: bad, sip_down: bad, ..Ways::GOOD };
        phones.iter().for_each(|phone| phone.set_ways(ways));
    }
    for _ in 0..25 {
        let phone = &phones[usize::try_from(chance.below(4)).unwrap()];
        let numbers = ["100", "101", "102", "103", "*0", "*02", "park+1", "555"];
        let number = numbers[usize::try_from(chance.below(8)).unwrap()];
        match chance.below(9) {
            0..3 if phone.live_calls() < 2 => phone.dials(number),
            3 | 4 => _ = phone.answers(),
            5 => _ = phone.hangs_up(),
            6 => _ = sim.control(&phone.name(), "park 1"),
            7 => _ = sim.control(&phone.name(), "bridge"),
            _ if seed % 7 == 2 => sim.inject_panic(0, "parked"),
            _ => _ = sim.control(&phone.name(), "park"),
        }
        sim.run_for(millis(chance.below(30_000)));
    }
    phones.iter().for_each(|phone| phone.set_ways(Ways::GOOD));
    for _ in 0..40 {
        phones.iter().for_each(|phone| _ = phone.hangs_up());
        sim.run_for(secs(2));
    }
    sim.run_for(secs(60));
    for resource in watched {
        let lit = lamp(&watcher, resource);
        assert_eq!(lit, [""; 0], "{resource} is lit, seed {seed}");
    }
    assert_eq!(sim.free_slots().len(), 9, "seed {seed}");
    watcher.unwatches();
    sim.assert_nothing_left();
}

#[test]
fn after_whatever_day_all_lamps_are_idle() {
    for seed in 0..200 {
        busy_day(seed);
    }
}

#[test]
fn who_watches_its_messages_is_told_how_many_there_are() {
    let sim = Sim::seed(10);
    let ann = sim.phone("100");
    ann.watches_messages("100");
    ann.watches_messages("101");
    sim.run_for(secs(1));
    let shown = |text: &str| assert!(ann.lamp_text("100").unwrap().contains(text), "{text}");
    shown("Voice-Message: 0/0");
    let extension = sim.extension("100");
    sim.ask(0, leg::Command::NoteMessages { extension, new: 2, old: 1, messages: Vec::new() });
    sim.run_for(secs(1));
    shown("Messages-Waiting: yes");
    shown("Voice-Message: 2/1");
    assert_eq!(ann.watch_status("101"), Some(403), "another's");
    ann.unwatches();
    sim.assert_nothing_left();
}
