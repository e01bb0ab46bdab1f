//! Who listens to calls, takes them or meets in rooms: by real phones, with real sound.

use std::collections::BTreeSet;

use testkit::{Hold, Outcome, Pace, Phone, Settings, Sim, Sound, Ways, millis, secs};

fn voices(phones: &[&Phone]) -> BTreeSet<Sound> {
    phones.iter().map(|phone| phone.sound()).collect()
}

/// 100 calls 101, and they talk.
fn talking(sim: &Sim) -> (Phone, Phone) {
    let (ann, bob) = (sim.phone("100"), sim.phone("101"));
    bob.answers_after(millis(500));
    ann.dials("101");
    sim.run_for(secs(2));
    (ann, bob)
}

/// What three phones hear in real sound: far party, extension, monitor.
fn heard(sim: &Sim, phones: [&Phone; 3]) -> [BTreeSet<Sound>; 3] {
    let listened = sim.listens(&phones);
    phones.map(|phone| listened.get(&phone.name()).cloned().unwrap_or_default())
}

#[test]
fn each_mode_is_heard_as_it_shall_be_through_holds_and_a_transfer() {
    for (mode, far_hears_it, extension_hears_it) in
        [("eavesdrop", false, false), ("whisper", false, true), ("conference", true, true)]
    {
        let sim = Sim::seed(11);
        let (ann, bob) = talking(&sim);
        let eve = sim.phone("102");
        eve.answers_after(millis(300));
        sim.control("101", &format!("{mode} 102")).unwrap();
        sim.run_for(secs(2));
        assert_eq!(eve.number().as_deref(), Some("101"));
        let with_eve = |hears: bool, other: &Phone| {
            if hears { voices(&[other, &eve]) } else { voices(&[other]) }
        };
        let all = || {
            [
                with_eve(far_hears_it, &bob),
                with_eve(extension_hears_it, &ann),
                voices(&[&ann, &bob]),
            ]
        };
        assert_eq!(heard(&sim, [&ann, &bob, &eve]), all(), "{mode}");

        sim.control("101", "hold").unwrap();
        sim.run_for(secs(1));
        let whisper = if extension_hears_it { voices(&[&eve]) } else { [].into() };
        let expected = [[].into(), whisper, voices(&[&bob])];
        assert_eq!(heard(&sim, [&ann, &bob, &eve]), expected, "{mode} while it holds");
        sim.control("101", "offhold").unwrap();
        ann.holds(Hold::SendOnly);
        sim.run_for(secs(1));
        ann.resumes();
        sim.run_for(secs(1));
        assert_eq!(heard(&sim, [&ann, &bob, &eve]), all(), "{mode} after holds");

        // The far party sends the extension on: the monitor stays with the extension.
        let dan = sim.phone("103");
        dan.answers_after(millis(300));
        sim.control("100", "transfer 103").unwrap();
        sim.run_for(secs(3));
        let expected = [
            with_eve(far_hears_it, &bob),
            with_eve(extension_hears_it, &dan),
            voices(&[&dan, &bob]),
        ];
        assert_eq!(heard(&sim, [&dan, &bob, &eve]), expected, "{mode} after a transfer");

        // The extension sends its far party on: there is nothing to listen to any more.
        ann.answers_after(millis(300));
        sim.control("101", "transfer 100").unwrap();
        sim.run_for(secs(3));
        assert!(eve.is_idle(), "{mode}");
        sim.assert_talking(&dan, &ann);
        dan.hangs_up();
        sim.assert_nothing_left();
    }
}

#[test]
fn keys_of_a_phone_switch_what_its_extension_may_and_leave() {
    let sim = Sim::seed(12);
    sim.configure(0, |company| company.rights("eavesdrop=102"));
    let (ann, bob) = talking(&sim);
    let eve = sim.phone("102");
    eve.dials("*5101");
    sim.run_for(secs(1));
    assert_eq!(eve.outcome(), Some(Outcome::Refused(403)));
    eve.dials("*4101");
    sim.run_for(secs(1));
    assert!(eve.is_in_call());
    let silent = [voices(&[&bob]), voices(&[&ann]), voices(&[&ann, &bob])];
    assert_eq!(heard(&sim, [&ann, &bob, &eve]), silent);
    eve.presses("3");
    sim.run_for(secs(1));
    assert_eq!(heard(&sim, [&ann, &bob, &eve]), silent, "not one frame leaks");
    sim.configure(0, |company| company.rights("eavesdrop=102 whisper=102"));
    eve.presses("1");
    sim.run_for(secs(1));
    let whispered = [voices(&[&bob]), voices(&[&ann, &eve]), voices(&[&ann, &bob])];
    assert_eq!(heard(&sim, [&ann, &bob, &eve]), whispered);
    // A right that is gone ends nothing that goes on, but grants nothing anew.
    sim.configure(0, |company| company.rights(""));
    eve.presses("3");
    sim.run_for(secs(1));
    assert_eq!(heard(&sim, [&ann, &bob, &eve]), whispered);
    assert_eq!((ann.digits(), bob.digits()), (String::new(), String::new()));
    eve.presses("*");
    sim.run_for(secs(1));
    assert!(eve.is_idle());
    sim.assert_talking(&ann, &bob);
    ann.hangs_up();
    sim.assert_nothing_left();
}

#[test]
fn a_code_takes_the_call_and_the_phone_that_rang_shows_none_missed() {
    let sim = Sim::seed(13);
    sim.configure(0, |company| company.rights("share"));
    let (ann, bob, eve) = (sim.phone("100"), sim.phone("101"), sim.phone("102"));
    bob.just_rings();
    ann.dials("101");
    sim.run_for(secs(1));
    assert!(bob.is_ringing());
    eve.dials("*7");
    sim.run_for(secs(2));
    sim.assert_talking(&ann, &eve);
    let Some(Outcome::Cancelled(Some(reason))) = bob.outcome() else {
        panic!("{:?}", bob.outcome())
    };
    assert!(reason.contains("cause=200"), "{reason}");
    // Nothing rings any more.
    let dan = sim.phone("103");
    dan.dials("*7101");
    sim.run_for(secs(1));
    assert_eq!(dan.outcome(), Some(Outcome::Refused(403)));
    // A program has the far party of the answered call taken.
    dan.answers_after(millis(300));
    sim.control("102", "pickup 103").unwrap();
    sim.run_for(secs(2));
    sim.assert_talking(&ann, &dan);
    assert!(eve.is_idle());
    ann.hangs_up();
    sim.assert_nothing_left();
}

#[test]
fn people_meet_in_a_room_and_its_owner_ends_it() {
    let sim = Sim::seed(14);
    sim.configure(0, |company| {
        company.phone("100").shown.conference_pin = Some("4711".into());
        company.phone("100").shown.conference_announce_caller_name = false;
    });
    let [ann, bob, eve] = ["100", "101", "102"].map(|name| sim.phone(name));
    for phone in [&bob, &eve] {
        phone.dials("*8100");
        sim.run_for(secs(4));
        phone.presses("4711");
        sim.run_for(secs(6));
    }
    ann.dials("*8100");
    sim.run_for(secs(6));
    let expected = [voices(&[&bob, &eve]), voices(&[&ann, &eve]), voices(&[&ann, &bob])];
    assert_eq!(heard(&sim, [&ann, &bob, &eve]), expected);
    ann.hangs_up();
    sim.run_for(secs(1));
    assert!(bob.is_idle() && eve.is_idle());
    sim.assert_nothing_left();
}

/// Whatever is lost on the way, each run ends with nothing left and with nobody hearing whom it
/// shall not.
#[test]
fn nothing_is_left_and_nobody_leaks_over_ways_that_lose() {
    for seed in 0..25 {
        let settings =
            Settings { seed, pace: Pace::Mute, ways: Ways::losing(15), ..Settings::default() };
        let sim = Sim::with(settings);
        sim.configure(0, |company| company.rights("share eavesdrop=102 whisper=103"));
        let phones = ["100", "101", "102", "103", "104"].map(|name| sim.phone(name));
        let [ann, bob, eve, dan, tom] = &phones;
        phones.iter().for_each(|phone| phone.answers_after(millis(300 + 400 * (seed % 3))));
        ann.dials("101");
        sim.run_for(secs(3));
        eve.dials("*4101");
        dan.dials("*5101");
        // Refusals are of use here too: some calls are not up yet.
        let _ = sim.control("101", "conference 104");
        sim.run_for(secs(3));
        for key in ["3", "1"] {
            eve.presses(key);
            sim.run_for(secs(1));
            let far = sim.hears(ann);
            assert!(!far.contains(&eve.sound()), "seed {seed}: who may not speak is heard");
            assert!(!far.contains(&dan.sound()), "seed {seed}: a whisper reaches the far party");
            assert!(!sim.hears(bob).contains(&eve.sound()), "seed {seed}");
        }
        let _ = sim.control("101", "pickup 105");
        tom.dials("*7");
        sim.run_for(millis(seed * 40));
        phones[usize::try_from(seed % 2).unwrap()].hangs_up();
        sim.run_for(secs(2));
        for phone in &phones {
            while phone.live_calls() > 0 && phone.hangs_up() {
                sim.run_for(millis(500));
            }
        }
        sim.assert_nothing_left();
    }
}
