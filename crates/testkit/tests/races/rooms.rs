//! Conference rooms: whoever is in one hears all others, and who has not said its code hears
//! nobody in it and is heard by nobody there, whatever happens in between.

use core::time::Duration;

use testkit::{Phone, secs};

use crate::{FEW_SEEDS, Race, SEEDS, race};

/// At the door.
const ANN: usize = 0;
/// Owns the room, and needs no code.
const EVE: usize = 1;
/// Is in it, or asks there.
const DAN: usize = 2;
/// Another phone of whoever is at the door, or the far party of who asks.
const BOB: usize = 3;

const ROOM: &str = "*8101";
const CODE: &str = "4711";
const OTHER_CODE: &str = "9753";
const WRONG: &str = "4712";

#[test]
fn whoever_is_in_a_room_hears_all_others_and_whoever_leaves_is_missed_at_once() {
    race(SEEDS, 4, |race| {
        // The owner comes first, the others at the same instant.
        for n in [0, 1, 2] {
            race.phone(n).dials("*8100");
            race.pause(30);
        }
        let cast = [('A', 0), ('B', 1), ('C', 2)];
        let phones: Vec<_> = cast.iter().map(|(part, n)| (*part, race.phone(*n))).collect();
        let is_so = || race.sim.is_heard("A, B, C in a room", &phones);
        if !race.sim.run_while(secs(60), || !is_so()) {
            // On a bad network a call may find nobody in time; then it is not in the room.
            assert!(race.phones.iter().any(|phone| !phone.is_in_call()), "seed {}", race.seed);
            return;
        }
        race.heard("A, B, C in a room", &cast);
        let leaves = race.pick(&[1, 2]);
        race.phone(leaves).hangs_up();
        race.heard("talk", &[('A', 0), ('B', 3 - leaves)]);
    });
}

/// The room of Eve has a code; she and Dan are in it. `false`: on a bad network one found nobody.
fn in_a_room(race: &mut Race) -> bool {
    race.sim.configure(0, |company| {
        let shown = &mut company.phone("101").shown;
        shown.conference_pin = Some(CODE.into());
        shown.conference_announce_caller_name = false;
    });
    race.phone(EVE).dials(ROOM);
    if !enters(race, DAN) {
        return false;
    }
    let cast = [('A', race.phone(EVE)), ('B', race.phone(DAN))];
    race.sim.run_while(secs(60), || !race.sim.is_heard("talk", &cast))
}

/// Somebody dials the room and says its code.
fn enters(race: &Race, who: usize) -> bool {
    comes_to_the_door(race, who) && race.phone(who).presses(CODE)
}

fn comes_to_the_door(race: &Race, who: usize) -> bool {
    race.phone(who).dials(ROOM);
    race.sim.run_while(secs(60), || !race.phone(who).is_in_call())
}

/// Who has not said the code neither hears the others nor is heard by them, at any instant.
#[track_caller]
fn keeps_out(race: &Race, outside: &[usize], time: Duration) {
    let voice = |who: &usize| race.phone(*who).sound();
    let inside: Vec<usize> = [EVE, DAN].into_iter().filter(|who| !outside.contains(who)).collect();
    let is_out = |who: &usize| {
        let hears = |listener: &usize, speaker: &usize| {
            race.sim.hears(race.phone(*listener)).contains(&voice(speaker))
        };
        inside.iter().all(|other| !hears(who, other) && !hears(other, who))
    };
    let all_out = || outside.iter().all(is_out);
    race.sim.run_and_see(time, &format!("seed {}: let in", race.seed), all_out);
}

/// What happens while Ann says the code.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Deed {
    /// Nothing.
    GoesOn,
    /// She hangs up.
    HangsUp,
    /// A program hangs her up.
    IsHungUp,
    /// A program wants to send her somewhere, or hold her: she has no far party.
    IsOrdered(&'static str),
    /// Eve leaves, and with her everybody who is in the room.
    OwnerLeaves,
    /// Another code is set.
    CodeChanges,
    /// She goes on at her other phone.
    Moves,
    /// The switch is killed, and starts again.
    Restarts,
}

const DEEDS: [Deed; 10] = [
    Deed::GoesOn,
    Deed::HangsUp,
    Deed::IsHungUp,
    Deed::IsOrdered("transfer 103"),
    Deed::IsOrdered("park"),
    Deed::IsOrdered("hold"),
    Deed::OwnerLeaves,
    Deed::CodeChanges,
    Deed::Moves,
    Deed::Restarts,
];

impl Deed {
    fn happens(self, race: &Race) {
        match self {
            Deed::GoesOn | Deed::Moves => {}
            Deed::HangsUp => _ = race.phone(ANN).hangs_up(),
            Deed::IsHungUp => {
                let call = race.sim.calls_of("100")[0];
                race.sim.api_hangs_up("100", call);
            }
            Deed::IsOrdered(what) => {
                let done = race.sim.control("100", what);
                assert!(done.is_err(), "seed {}: {what}: {done:?}", race.seed);
            }
            Deed::OwnerLeaves => _ = race.phone(EVE).hangs_up(),
            Deed::CodeChanges => race.sim.configure(0, |company| {
                company.phone("101").shown.conference_pin = Some(OTHER_CODE.into());
            }),
            Deed::Restarts => race.sim.kill(),
        }
    }
}

/// Somebody at the door, or about to come to it, says a code until it is so.
#[track_caller]
fn gets_in(race: &Race, who: usize, code: &str, situation: &str, cast: &[(char, usize)]) {
    let phones: Vec<(char, &Phone)> = cast.iter().map(|(c, n)| (*c, race.phone(*n))).collect();
    for _ in 0..5 {
        if !race.phone(who).is_in_call() && !comes_to_the_door(race, who) {
            continue;
        }
        // Whatever was pressed before is no part of it.
        race.phone(who).presses("#");
        race.sim.run_for(secs(1));
        race.phone(who).presses(code);
        if race.sim.run_while(secs(6), || !race.sim.is_heard(situation, &phones)) {
            break;
        }
    }
    race.heard(situation, cast);
}

#[test]
fn nobody_is_let_into_a_room_before_its_code_is_said_whatever_happens_meanwhile() {
    most(SEEDS, |race| {
        if !in_a_room(race) || !comes_to_the_door(race, ANN) {
            return false;
        }
        let (deed, keys) = (race.pick(&DEEDS), race.pick(&[0, 1, 2, 3]));
        if race.pick(&[true, false, false]) {
            race.phone(ANN).presses(WRONG);
            keeps_out(race, &[ANN], secs(2));
        }
        race.phone(ANN).presses(&CODE[..keys]);
        race.pause(600);
        deed.happens(race);
        keeps_out(race, &[ANN], secs(2));
        follows(race, deed, keys)
    });
}

/// The same for many seeds, of which most must come to their end: on a bad network somebody may
/// find nobody in time.
fn most(seeds: u64, mut flow: impl FnMut(&mut Race) -> bool) {
    let (mut tried, mut done) = (0, 0);
    race(seeds, 4, |race| {
        tried += 1;
        done += u64::from(flow(race));
    });
    assert!(done * 10 >= tried * 8, "{done} of {tried}");
}

/// What comes of it, and how she is in at last.
fn follows(race: &mut Race, deed: Deed, keys: usize) -> bool {
    let rest = &CODE[keys..];
    let all = ("A, B, C in a room", [('A', ANN), ('B', EVE), ('C', DAN)]);
    match deed {
        Deed::GoesOn | Deed::IsOrdered(_) => {
            race.heard("B, C in a room, A at its door", &[('A', ANN), ('B', EVE), ('C', DAN)]);
            race.phone(ANN).presses(rest);
            race.heard(all.0, &all.1);
        }
        Deed::HangsUp | Deed::IsHungUp => {
            race.until("she is out", || race.phone(ANN).is_idle());
            race.heard("talk", &[('A', EVE), ('B', DAN)]);
            gets_in(race, ANN, CODE, all.0, &all.1);
        }
        Deed::OwnerLeaves => {
            let are_out = || [EVE, DAN].iter().all(|who| race.phone(*who).is_idle());
            race.until("all are out", are_out);
            gets_in(race, ANN, CODE, "A is alone in a room", &[('A', ANN)]);
        }
        Deed::CodeChanges => {
            race.phone(ANN).presses(rest);
            keeps_out(race, &[ANN], secs(2));
            gets_in(race, ANN, OTHER_CODE, all.0, &all.1);
        }
        Deed::Moves => {
            let names = race.phone(ANN).dialog_names().expect("she has a dialog");
            race.phones.push(race.sim.phone("100"));
            let other = race.phones.len() - 1;
            race.phone(other).dials_replacing("100", &names);
            if !race.sim.run_while(secs(60), || !race.phone(other).is_in_call()) {
                return false;
            }
            race.until("her first phone is out", || race.phone(ANN).is_idle());
            if keys > 0 {
                race.phone(other).presses(rest);
            }
            keeps_out(race, &[ANN, other], secs(2));
            let cast = [('A', other), ('B', EVE), ('C', DAN)];
            gets_in(race, other, CODE, all.0, &cast);
        }
        Deed::Restarts => {
            race.until("all are out", || race.phones.iter().all(|phone| phone.is_idle()));
            if !comes_to_the_door(race, ANN) {
                return false;
            }
            if keys > 0 {
                race.phone(ANN).presses(rest);
            }
            race.phone(EVE).dials(ROOM);
            let is_in = || race.sim.is_heard("A is alone in a room", &[('A', race.phone(EVE))]);
            if !race.sim.run_while(secs(60), || !is_in()) {
                return false;
            }
            keeps_out(race, &[ANN], secs(2));
            gets_in(race, ANN, CODE, "talk", &[('A', ANN), ('B', EVE)]);
        }
    }
    true
}

#[test]
fn who_is_put_at_the_door_in_the_place_of_who_asks_there_says_the_code_itself() {
    most(SEEDS, |race| {
        race.sim.configure(0, |company| {
            company.phone("101").shown.conference_pin = Some(CODE.into());
            company.phone("101").shown.conference_announce_caller_name = false;
        });
        race.phone(EVE).dials(ROOM);
        race.talk(DAN, BOB);
        let alone = || race.sim.is_heard("A is alone in a room", &[('A', race.phone(EVE))]);
        if !race.sim.run_while(secs(60), || !alone()) {
            return false;
        }
        let call = race.sim.calls_of("102")[0];
        race.sim.control("102", &format!("attend {ROOM}")).unwrap();
        let keys = race.pick(&[0, 1, 2, 3]);
        race.phone(DAN).presses(&CODE[..keys]);
        race.pause(600);
        let out = [DAN, BOB];
        let deed = race.pick(&["hangs up", "transfer", "offhold", "Eve leaves"]);
        match deed {
            "hangs up" => _ = race.phone(DAN).hangs_up(),
            "Eve leaves" => _ = race.phone(EVE).hangs_up(),
            "offhold" => {
                race.sim.control_call("102", call, "offhold").unwrap();
                keeps_out(race, &out, secs(2));
                race.heard("talk", &[('A', DAN), ('B', BOB)]);
                return true;
            }
            order => _ = race.sim.control_call("102", call, order).unwrap(),
        }
        keeps_out(race, &out, secs(2));
        if deed == "Eve leaves" {
            race.until("she is out", || race.phone(EVE).is_idle());
            gets_in(race, DAN, CODE, "A is alone in a room", &[('A', DAN)]);
            return true;
        }
        race.until("he is out", || race.phone(DAN).is_idle());
        if keys > 0 {
            race.phone(BOB).presses(&CODE[keys..]);
        }
        keeps_out(race, &out, secs(2));
        gets_in(race, BOB, CODE, "talk", &[('A', BOB), ('B', EVE)]);
        true
    });
}

#[test]
fn three_wrong_codes_put_out_whoever_says_them_also_behind_a_restart() {
    most(FEW_SEEDS, |race| {
        if !in_a_room(race) {
            return false;
        }
        for restarts in [true, false] {
            if !comes_to_the_door(race, ANN) {
                return false;
            }
            let before = if restarts { race.pick(&[0, 1, 2]) } else { 3 };
            for _ in 0..before {
                race.phone(ANN).presses(WRONG);
                keeps_out(race, &[ANN], secs(2));
            }
            if restarts {
                race.sim.kill();
                race.until("all are out", || race.phones.iter().all(|phone| phone.is_idle()));
                if !in_a_room(race) {
                    return false;
                }
            } else {
                race.until("she is out", || race.phone(ANN).is_idle());
                race.heard("talk", &[('A', EVE), ('B', DAN)]);
            }
        }
        true
    });
}
