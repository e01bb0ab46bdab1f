//! Listening, whispering, joining in.

use testkit::{Hold, millis, secs};

use crate::{Race, SEEDS, race};

/// Ann and Bob talk, the third phone is rung to do this to Ann's call and answers.
fn monitored(race: &Race, how: &str) {
    race.phone(2).answers_after(millis(100));
    race.talk(0, 1);
    race.sim.control("100", &format!("{how} 102")).unwrap();
    race.until("the monitor is in", || race.phone(2).is_in_call());
}

const CAST: [(char, usize); 3] = [('A', 0), ('B', 1), ('M', 2)];

/// The three ways, and the rows of the table.
const WAYS: [(&str, &str); 3] =
    [("eavesdrop", "M eavesdrops"), ("whisper", "M whispers"), ("conference", "M joins in")];

#[test]
fn a_monitor_is_heard_as_its_mode_says_while_the_parties_hold_and_come_back() {
    race(SEEDS, 3, |race| {
        let (how, row) = race.pick(&WAYS);
        monitored(race, how);
        race.heard(row, &CAST);
        let form = race.pick(&Hold::ALL);
        race.phone(0).holds(form);
        match how {
            "eavesdrop" => race.heard("M eavesdrops, A holds", &CAST),
            // Nothing is heard of the whisper where the phone itself wants to hear nothing.
            _ => race.heard("A holds", &[('A', 0)]),
        }
        race.phone(0).resumes();
        race.heard(row, &CAST);
        race.sim.control("100", "hold").unwrap();
        match how {
            "eavesdrop" => race.heard("M eavesdrops, a program holds for A", &CAST),
            "whisper" => race.heard("M whispers, a program holds for A", &CAST),
            _ => race.heard("A holds", &[('B', 1)]),
        }
        race.sim.control("100", "offhold").unwrap();
        race.heard(row, &CAST);
        let form = race.pick(&Hold::ALL);
        race.phone(1).holds(form);
        race.heard(&format!("{row}, B holds"), &CAST);
        race.phone(1).resumes();
        race.heard(row, &CAST);
        // Who leaves is not heard any more.
        race.phone(2).hangs_up();
        race.heard("talk", &[('A', 0), ('B', 1)]);
    });
}

#[test]
fn a_monitor_ends_with_the_call_at_whatever_moment_that_ends() {
    race(SEEDS, 3, |race| {
        race.phone(2).answers_after(millis(150));
        race.talk(0, 1);
        let (how, _) = race.pick(&WAYS);
        race.sim.control("100", &format!("{how} 102")).unwrap();
        race.pause(500);
        let ender = race.pick(&[0, 1]);
        race.phone(ender).hangs_up();
        race.until("all are free", || race.phones.iter().all(|phone| phone.is_idle()));
    });
}

#[test]
fn a_key_without_the_right_lets_not_one_frame_through() {
    race(SEEDS, 3, |race| {
        race.sim.configure(0, |company| company.rights("eavesdrop=102"));
        monitored(race, "eavesdrop");
        race.heard("M eavesdrops", &CAST);
        let key = race.pick(&["1", "3"]);
        race.phone(2).presses(key);
        let voice = race.phone(2).sound();
        let is_silent = || {
            let hears = |n: usize| race.sim.hears(race.phone(n)).contains(&voice);
            !hears(0) && !hears(1)
        };
        race.sim.run_and_see(secs(2), "a monitor without the right is heard", is_silent);
        race.heard("M eavesdrops", &CAST);
        let audit = race.sim.audit_lines();
        assert!(audit.iter().any(|line| line.contains("refused")), "{audit:?}");
    });
}

#[test]
fn a_right_that_is_withdrawn_counts_at_the_next_key() {
    race(SEEDS, 3, |race| {
        race.sim.configure(0, |company| company.rights("eavesdrop=102 whisper=102"));
        monitored(race, "eavesdrop");
        race.heard("M eavesdrops", &CAST);
        race.phone(2).presses("1");
        race.heard("M whispers", &CAST);
        race.phone(2).presses("0");
        race.heard("M eavesdrops", &CAST);
        race.sim.configure(0, |company| company.rights("eavesdrop=102"));
        race.phone(2).presses("1");
        let voice = race.phone(2).sound();
        let is_silent = || !race.sim.hears(race.phone(0)).contains(&voice);
        race.sim.run_and_see(secs(2), "a whisper without the right", is_silent);
        race.heard("M eavesdrops", &CAST);
    });
}

#[test]
fn a_monitor_is_rung_at_its_devices_only() {
    race(SEEDS, 4, |race| {
        race.sim.rules("102", "transfer 103 20s");
        if race.seed % 2 == 0 {
            // Its phone itself sends the call on: that is no answer.
            race.phone(2).set(|m| m.names = "103".to_owned());
            race.phone(2).refuses_after(millis(0), 302);
        }
        race.talk(0, 1);
        let (how, _) = race.pick(&WAYS);
        race.sim.control("100", &format!("{how} 102")).unwrap();
        let is_quiet = || race.phone(3).is_idle();
        race.sim.run_and_see(secs(3), "a monitor's ringing was forwarded", is_quiet);
        assert_eq!(race.phone(3).call_count(), 0);
        race.heard("talk", &[('A', 0), ('B', 1)]);
    });
}

#[test]
fn two_monitors_hear_the_same_call_each_in_its_own_way() {
    race(SEEDS, 4, |race| {
        race.phone(3).answers_after(millis(100));
        let pairs = [
            ("eavesdrop", "conference", "M eavesdrops, N joins in"),
            ("whisper", "whisper", "M whispers, N whispers"),
        ];
        let (first, second, both) = race.pick(&pairs);
        monitored(race, first);
        race.sim.control("100", &format!("{second} 103")).unwrap();
        race.heard(both, &[('A', 0), ('B', 1), ('M', 2), ('N', 3)]);
    });
}

#[test]
fn a_monitor_goes_along_when_the_extension_consults_somebody_and_comes_back() {
    race(SEEDS, 4, |race| {
        let (how, row) = race.pick(&WAYS[..2]);
        monitored(race, how);
        race.heard(row, &CAST);
        race.phone(3).answers_after(millis(100));
        race.sim.control("100", "attend 103").unwrap();
        let consults = match how {
            "eavesdrop" => "M eavesdrops, A consults C",
            _ => "M whispers, A consults C",
        };
        race.heard(consults, &[('A', 0), ('B', 1), ('C', 3), ('M', 2)]);
        race.phone(3).hangs_up();
        race.heard(row, &CAST);
    });
}

#[test]
fn a_monitor_is_over_when_the_extension_has_parked_or_sent_on_its_call() {
    race(SEEDS, 4, |race| {
        // Three who talk cannot be parked.
        let (how, row) = race.pick(&WAYS[..2]);
        monitored(race, how);
        race.heard(row, &CAST);
        race.phone(3).answers_after(millis(100));
        let away = race.pick(&["park", "transfer 103"]);
        race.sim.control("100", away).unwrap();
        race.until("the monitor is over", || race.phone(2).is_idle());
        match away {
            "park" => race.heard("B is parked", &[('B', 1)]),
            _ => race.heard("B talks with C", &[('B', 1), ('C', 3)]),
        }
    });
}

#[test]
fn a_monitor_hears_on_when_the_parties_change_their_codec() {
    race(SEEDS, 3, |race| {
        let (how, row) = race.pick(&WAYS);
        monitored(race, how);
        race.heard(row, &CAST);
        for n in [0, 1] {
            race.phone(n).set(|m| m.codecs.truncate(1));
            if race.chance.below(2) == 0 {
                race.phone(n).set(|m| m.codecs = vec![model::Codec::Pcmu]);
            }
            race.phone(n).resumes();
            race.heard(row, &CAST);
        }
    });
}
