//! Holding, by programs and by phones.

use testkit::Hold;

use crate::{SEEDS, race};

/// Who holds: for each side whether its phone and whether a program does.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Holders {
    by_phone: [bool; 2],
    by_program: [bool; 2],
}

impl Holders {
    fn situation(self) -> &'static str {
        let holds = |side: usize| self.by_phone[side] || self.by_program[side];
        match (holds(0), holds(1)) {
            (false, false) => "talk",
            (true, false) => "A holds",
            (false, true) => "B holds",
            (true, true) => "both hold",
        }
    }
}

#[test]
fn programs_and_phones_hold_in_every_order_and_audio_is_back_when_nobody_does() {
    race(SEEDS, 2, |race| {
        race.talk(0, 1);
        let mut holders = Holders::default();
        for _ in 0..6 {
            let side = usize::try_from(race.chance.below(2)).unwrap();
            let name = race.phone(side).name();
            match race.chance.below(4) {
                0 => {
                    race.sim.control(&name, "hold").unwrap();
                    holders.by_program[side] = true;
                }
                1 => {
                    let answer = race.sim.control(&name, "offhold");
                    let only_phone = holders.by_phone[side] && !holders.by_program[side];
                    assert_eq!(answer.is_err(), only_phone, "{answer:?} {holders:?}");
                    holders.by_program[side] = false;
                }
                2 => {
                    let form = race.pick(&Hold::ALL);
                    race.phone(side).holds(form);
                    holders.by_phone[side] = true;
                }
                _ => {
                    race.phone(side).resumes();
                    holders.by_phone[side] = false;
                }
            }
            race.heard(holders.situation(), &[('A', 0), ('B', 1)]);
        }
    });
}

#[test]
fn all_who_hold_at_the_same_instant_are_counted() {
    race(SEEDS, 2, |race| {
        race.talk(0, 1);
        let call = race.sim.calls_of("100")[0];
        let form = race.pick(&Hold::ALL);
        race.phone(0).holds(form);
        race.pause(3);
        race.sim.orders(0, "100", call, testkit::action("hold"));
        race.pause(3);
        race.phone(1).holds(form);
        race.heard("both hold", &[('A', 0), ('B', 1)]);
        race.phone(1).resumes();
        race.pause(3);
        race.phone(0).resumes();
        race.heard("A holds", &[('A', 0), ('B', 1)]);
        race.sim.control("100", "offhold").unwrap();
        race.heard("talk", &[('A', 0), ('B', 1)]);
    });
}
