//! Keys that are pressed in a call.

use testkit::{Events, secs};

use crate::{SEEDS, race};

#[test]
fn a_menu_that_wants_digits_and_a_hash_gets_them_whole_and_in_order() {
    race(SEEDS, 2, |race| {
        let by_info = race.chance.below(3) == 0;
        if by_info {
            race.phones.iter().for_each(|phone| phone.set(|m| m.events = Events::Info));
        }
        race.talk(0, 1);
        for key in ["1", "2", "3", "4", "#"] {
            race.phone(0).presses(key);
            // A phone that sends INFO waits for the answer before the next one.
            race.until("the key is taken", || race.phone(0).is_at_rest());
        }
        let bob = race.phone(1);
        let heard = || bob.digits() + &bob.info_digits();
        race.until("the menu has them", || heard().len() == 5);
        assert_eq!(heard(), "1234#");
        race.sim.run_for(secs(8));
        assert_eq!(heard(), "1234#", "and none twice");
        race.heard("talk", &[('A', 0), ('B', 1)]);
    });
}

#[test]
fn keys_that_form_no_code_are_heard_by_the_other_side_when_it_is_clear_that_they_do_not() {
    race(SEEDS, 2, |race| {
        race.talk(0, 1);
        let keys = race.pick(&["#1", "#", "*2", "#5", "*"]);
        race.phone(0).presses(keys);
        // Nobody goes on: the talk does.
        race.sim.run_for(secs(8));
        race.heard("talk", &[('A', 0), ('B', 1)]);
    });
}
