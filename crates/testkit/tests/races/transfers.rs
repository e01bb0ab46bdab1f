//! Transfers.

use testkit::{AfterRefer, Device, Hold, Outcome, WhenCalled, millis, secs};

use crate::{Race, SEEDS, race};

#[test]
fn a_dialog_of_another_customer_is_named_in_vain() {
    race(SEEDS, 2, |race| {
        let dan = race.sim.device(Device::of("100").of_company(1));
        let eve = race.sim.device(Device::of("101").of_company(1));
        race.phones.extend([dan, eve]);
        race.talk(0, 1);
        let at = race.chance.below(2);
        let names = race.phone(usize::try_from(at).unwrap()).dialog_names().unwrap();
        let dan = race.phone(2);
        dan.dials_replacing("101", &names);
        race.until("an INVITE with foreign Replaces is refused", || dan.is_idle());
        assert_eq!(dan.outcome(), Some(Outcome::Refused(481)));
        let eve = race.phone(3);
        eve.answers_after(millis(100));
        dan.dials("101");
        if race.sim.run_while(secs(30), || !dan.is_in_call()) {
            dan.refers_to_dialog(&names);
            let told = || dan.refer_progress().last() == Some(&481);
            race.until("a REFER to a foreign dialog fails", told);
        }
        race.heard("talk", &[('A', 0), ('B', 1)]);
    });
}

/// The ways to send Bob on to the third phone without asking it.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Blind {
    ByProgram,
    ByRefer,
}

const BLIND: [Blind; 2] = [Blind::ByProgram, Blind::ByRefer];

fn sends_on(race: &Race, how: Blind) {
    match how {
        Blind::ByProgram => {
            race.sim.control("100", "transfer 102").unwrap();
        }
        Blind::ByRefer => {
            assert!(race.phone(0).refers_to("102"));
        }
    }
}

const JOINED: [(char, usize); 2] = [('B', 1), ('C', 2)];

#[test]
fn who_is_sent_on_talks_with_the_target_and_who_has_sent_is_free() {
    race(SEEDS, 3, |race| {
        let after = race.pick(&[AfterRefer::Byes, AfterRefer::ByesAtOnce, AfterRefer::Stays]);
        race.phone(0).set(|m| m.after_refer = after);
        race.phone(2).answers_after(millis(300));
        race.talk(0, 1);
        let how = race.pick(&BLIND);
        sends_on(race, how);
        race.heard("B talks with C", &JOINED);
        race.until("who has sent is free", || race.phone(0).is_idle());
        race.heard("B talks with C", &JOINED);
    });
}

#[test]
fn whoever_hangs_up_at_whatever_stage_of_a_transfer_nothing_is_left() {
    race(SEEDS, 3, |race| {
        match race.chance.below(4) {
            0 => race.phone(2).refuses_after(millis(700), 486),
            1 => race.phone(2).just_rings(),
            _ => race.phone(2).answers_after(millis(700)),
        }
        race.talk(0, 1);
        let how = race.pick(&BLIND);
        sends_on(race, how);
        race.pause(2_000);
        let who = race.pick(&[0, 1, 2]);
        race.phone(who).hangs_up();
        race.pause(1_500);
    });
}

#[test]
fn a_bye_right_after_a_refer_does_not_end_the_call_of_who_is_sent_on() {
    race(SEEDS, 3, |race| {
        race.phone(2).answers_after(millis(300));
        race.talk(0, 1);
        assert!(race.phone(0).refers_to("102"));
        if race.seed % 4 == 0 {
            // Nothing overtakes here what was sent six milliseconds earlier.
            race.sim.run_for(millis(6));
        } else {
            // The 202 may be overtaken by all that it has led to.
            let is_taken = || race.phone(0).refer_answers() == [202] || race.phone(0).is_idle();
            race.until("the REFER is taken", is_taken);
        }
        race.phone(0).hangs_up();
        race.heard("B talks with C", &JOINED);
        race.until("who has sent is free", || race.phone(0).is_idle());
    });
}

#[test]
fn a_transfer_that_fails_leaves_the_phone_that_asked_by_refer_in_its_call() {
    race(SEEDS, 3, |race| {
        race.phone(0).set(|m| m.after_refer = AfterRefer::Byes);
        race.phone(2).refuses_after(millis(200), 486);
        race.talk(0, 1);
        assert!(race.phone(0).refers_to("102"));
        let failed = || race.phone(0).refer_progress().last().is_some_and(|s| *s >= 300);
        race.until("its failure is told", failed);
        race.heard("talk", &[('A', 0), ('B', 1)]);
    });
}
/// Why nobody is consulted.
fn unwilling(race: &mut Race) {
    let target = race.phone(2).clone();
    match race.chance.below(4) {
        0 => target.refuses_after(millis(100), 486),
        1 => target.refuses_after(millis(100), 603),
        2 => {
            target.unregisters();
            race.until("it is gone", || !target.is_registered());
        }
        _ => target.set(|m| m.when_called = WhenCalled::Tries),
    }
}

#[test]
fn who_wants_to_consult_somebody_who_is_not_there_is_back_with_the_far_party() {
    race(SEEDS, 3, |race| {
        race.talk(0, 1);
        unwilling(race);
        race.sim.control("100", "attend 102").unwrap();
        race.heard("A calls C about B", &[('B', 1)]);
        race.until("the consultation is over", || race.sim.calls_of("100").len() == 1);
        race.heard("talk", &[('A', 0), ('B', 1)]);
    });
}

#[test]
fn while_the_target_rings_who_waits_for_it_hears_ringback_and_nobody_is_heard() {
    race(SEEDS, 3, |race| {
        race.talk(0, 1);
        if race.seed / 4 % 2 == 0 {
            race.sim.control("100", "transfer 102").unwrap();
            race.heard("B is sent on", &[('A', 0), ('B', 1), ('C', 2)]);
        } else {
            race.sim.control("100", "attend 102").unwrap();
            race.heard("A calls C about B", &[('A', 0), ('B', 1), ('C', 2)]);
        }
    });
}

#[test]
fn a_transfer_that_fails_at_once_is_told_by_a_tone_and_both_talk_on() {
    race(SEEDS, 3, |race| {
        race.phone(2).refuses_after(millis(0), 486);
        race.talk(0, 1);
        race.sim.control("100", "transfer 102").unwrap();
        race.heard("A cannot transfer", &[('A', 0), ('B', 1)]);
        race.heard("talk", &[('A', 0), ('B', 1)]);
    });
}

/// Ann talks with Bob and consults the third phone.
fn consulting(race: &Race) {
    race.phone(2).answers_after(millis(200));
    race.talk(0, 1);
    race.sim.control("100", "attend 102").unwrap();
    race.heard("A consults C", &[('A', 0), ('B', 1), ('C', 2)]);
}

#[test]
fn a_consultation_is_completed_or_given_up_as_programs_and_people_like() {
    race(SEEDS, 3, |race| {
        consulting(race);
        let calls = race.sim.calls_of("100");
        let [original, consultation] = calls.as_slice() else { panic!("{calls:?}") };
        let extension = race.sim.extension("100");
        let is_completed = match race.chance.below(5) {
            0 => race.phone(0).hangs_up(),
            1 => race.sim.control_call("100", *original, "transfer").is_ok(),
            2 => race.sim.control_call("100", *original, "offhold").is_err(),
            3 => {
                race.sim.ask(0, leg::Command::Hangup { extension, call: *consultation });
                false
            }
            _ => !race.phone(2).hangs_up(),
        };
        if is_completed {
            race.heard("B talks with C", &JOINED);
            race.until("who has consulted is free", || race.phone(0).is_idle());
        } else {
            race.heard("talk", &[('A', 0), ('B', 1)]);
            race.until("the target is free", || race.phone(2).is_idle());
        }
    });
}

#[test]
fn whoever_hangs_up_at_whatever_stage_of_a_consultation_nothing_is_left() {
    race(SEEDS, 3, |race| {
        race.phone(2).answers_after(millis(400));
        race.talk(0, 1);
        race.sim.control("100", "attend 102").unwrap();
        race.pause(1_500);
        let (first, second) = (race.pick(&[0, 1, 2]), race.pick(&[0, 1, 2]));
        race.phone(first).hangs_up();
        race.pause(100);
        race.phone(second).hangs_up();
        race.pause(1_500);
    });
}

#[test]
fn a_phone_joins_two_calls_of_its_own() {
    race(SEEDS, 3, |race| {
        race.talk(0, 1);
        race.phone(0).holds(Hold::SendOnly);
        race.heard("A holds", &[('A', 0), ('B', 1)]);
        race.phone(2).answers_after(millis(100));
        race.phone(0).dials("102");
        race.until("it is answered", || race.phone(2).is_in_call() && race.phone(0).is_in_call());
        race.until("it is at rest", || race.phone(0).is_at_rest());
        assert!(race.phone(0).joins_its_calls());
        race.heard("B talks with C", &JOINED);
        race.until("who has joined them is free", || {
            race.phone(0).hangs_up();
            race.phone(0).is_idle()
        });
        race.heard("B talks with C", &JOINED);
    });
}

#[test]
fn a_phone_may_join_its_calls_while_the_second_still_rings() {
    race(SEEDS, 3, |race| {
        race.talk(0, 1);
        race.phone(0).holds(Hold::SendOnly);
        race.heard("A holds", &[('A', 0), ('B', 1)]);
        race.phone(0).dials("102");
        let rings = || race.phone(2).is_ringing() && race.phone(0).hears_it_ring();
        if !race.sim.run_while(secs(10), || !rings()) {
            return;
        }
        assert!(race.phone(0).joins_its_calls());
        race.pause(800);
        race.phone(2).answers();
        race.heard("B talks with C", &JOINED);
    });
}

#[test]
fn a_consultation_that_the_rules_of_the_target_refuse_at_once_leaves_no_timer() {
    race(20, 3, |race| {
        race.sim.rules("102", "busy");
        race.talk(0, 1);
        race.sim.control("100", "attend 102").unwrap();
        race.until("the consultation is over", || race.sim.calls_of("100").len() == 1);
        race.heard("talk", &[('A', 0), ('B', 1)]);
    });
}
