//! The two meters of who hears whom, by names and by real sound, against each other.

use std::collections::BTreeSet;

use model::Chance;
use testkit::{Device, Hold, Manner, Pace, Phone, Settings, Sim, Sound, WhenCalled, millis, secs};

fn talking(sim: &Sim, names: [&str; 2]) -> [Phone; 2] {
    let phones = names.map(|name| sim.phone(name));
    connect(sim, &phones);
    phones
}

fn connect(sim: &Sim, [a, b]: &[Phone; 2]) {
    b.answers_after(millis(300));
    a.dials(&b.name());
    sim.run_for(secs(1));
}

fn mute(seed: u64) -> Sim {
    Sim::with(Settings { seed, pace: Pace::Mute, ..Settings::default() })
}

#[test]
fn names_tell_without_a_packet_who_would_be_heard() {
    let sim = mute(1);
    let [ann, bob] = talking(&sim, ["100", "101"]);
    assert_eq!((sim.hears(&ann), sim.hears(&bob)), ([bob.sound()].into(), [ann.sound()].into()));
    assert_eq!((ann.packets(), bob.packets()), (0, 0));
    let all = sim.who_hears_what();
    assert_eq!(all.keys().collect::<Vec<_>>(), ["100", "101"]);
    assert_eq!(all["100"], [bob.sound()].into());

    ann.holds(Hold::SendOnly);
    sim.run_for(secs(1));
    assert_eq!((sim.hears(&ann), sim.hears(&bob)), ([].into(), [Sound::Music].into()));
    ann.resumes();
    sim.run_for(secs(1));
    assert_eq!(sim.hears(&bob), [ann.sound()].into());
    ann.hangs_up();
    sim.run_for(secs(1));
    assert!(sim.who_hears_what().is_empty());
    sim.assert_nothing_left();
}

#[test]
fn every_phone_is_named_and_nobody_of_another_call() {
    let sim = mute(2);
    let [ann, bob] = talking(&sim, ["100", "101"]);
    let [eve, dan] = talking(&sim, ["102", "103"]);
    for (listener, heard) in [(&ann, &bob), (&bob, &ann), (&eve, &dan), (&dan, &eve)] {
        assert_eq!(sim.hears(listener), [heard.sound()].into(), "{}", listener.name());
    }
}

#[test]
fn a_player_and_an_echo_are_named_after_what_they_are() {
    let sim = mute(3);
    let ann = sim.phone("100");
    ann.dials("199");
    sim.run_for(millis(500));
    assert_eq!(sim.hears(&ann), [Sound::TestTone].into());
    sim.run_for(secs(2));
    assert_eq!(sim.hears(&ann), [ann.sound()].into(), "the echo");
}

#[test]
fn what_the_lock_does_not_believe_is_not_heard() {
    let sim = mute(4);
    let phones = [sim.device(Device::of("100").behind_nat()), sim.phone("101")];
    connect(&sim, &phones);
    let [ann, bob] = &phones;
    // Nobody knows where the router lets sound in until some has come out of it.
    assert_eq!(sim.hears(ann), [].into());
    assert_eq!(sim.hears(bob), [ann.sound()].into());
    ann.set_pace(Pace::Steady);
    sim.run_for(millis(100));
    assert_eq!(sim.hears(ann), [bob.sound()].into());
}

#[test]
fn a_cable_that_is_out_silences_both_ways() {
    let sim = mute(5);
    let [ann, bob] = talking(&sim, ["100", "101"]);
    ann.unplug();
    assert_eq!((sim.hears(&ann), sim.hears(&bob)), ([].into(), [].into()));
    ann.plug();
    sim.assert_sounds_as_named(&[&ann, &bob]);
    assert_eq!(sim.hears(&ann), [bob.sound()].into());
}

#[test]
fn who_speaks_to_where_another_is_expected_is_heard_by_nobody() {
    let sim = mute(7);
    let [ann, bob] = talking(&sim, ["100", "101"]);
    let [eve, dan] = talking(&sim, ["102", "103"]);
    ann.speaks_where(&eve);
    assert_eq!(sim.hears(&bob), [].into(), "she does not speak to where he hears her");
    assert_eq!(sim.hears(&dan), [eve.sound()].into(), "and is not believed elsewhere");
    sim.assert_sounds_as_named(&[&ann, &bob, &eve, &dan]);
}

#[test]
fn listening_leaves_the_paces_as_they_were() {
    for pace in [Pace::Mute, Pace::Sparse] {
        let sim = Sim::with(Settings { seed: 6, pace, ..Settings::default() });
        let [ann, bob] = talking(&sim, ["100", "101"]);
        let measured = sim.listens(&[&ann, &bob]);
        assert_eq!(measured["100"], BTreeSet::from([bob.sound()]));
        let before = ann.packets_sent();
        sim.run_for(secs(2));
        let expected = if pace == Pace::Mute { 0 } else { 10 };
        assert!(ann.packets_sent().abs_diff(before + expected) <= 1, "{pace:?}");
    }
}

#[test]
fn both_meters_agree_whatever_people_do() {
    let mut voices = 0;
    for seed in 0..30 {
        let sim = mute(seed);
        let mut chance = Chance::from_number(seed);
        let phones: Vec<Phone> = (100..106)
            .map(|name| {
                let device = Device::of(&name.to_string());
                let device = if chance.below(3) == 0 { device.behind_nat() } else { device };
                let phone = sim.device(device);
                phone.set(|m: &mut Manner| {
                    m.when_called = WhenCalled::Answers(millis(chance.below(800)));
                    if chance.below(2) == 0 {
                        m.codecs.reverse();
                    }
                });
                phone
            })
            .collect();
        for _ in 0..12 {
            let phone = &phones[usize::try_from(chance.below(6)).unwrap()];
            match chance.below(4) {
                _ if phone.is_idle() => phone.dials(&(100 + chance.below(6)).to_string()),
                0 => {
                    phone.hangs_up();
                }
                1 => {
                    phone.holds(Hold::ALL[usize::try_from(chance.below(3)).unwrap()]);
                }
                _ => {
                    phone.resumes();
                }
            }
            // Signalling comes to rest; two that offer at once make it up within four seconds.
            sim.run_for(secs(5));
            let once: Vec<&Phone> = phones.iter().filter(|p| p.live_calls() < 2).collect();
            sim.assert_sounds_as_named(&once);
            voices += once.iter().map(|phone| sim.hears(phone).len()).sum::<usize>();
        }
    }
    assert!(voices > 500, "{voices}");
}
