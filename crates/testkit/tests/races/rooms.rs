//! Conference rooms.

use testkit::secs;

use crate::{SEEDS, race};

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
