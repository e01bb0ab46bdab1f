//! Transfers between scripted phones, on good networks and on bad ones: whatever is lost, the far
//! party ends up with somebody.

use model::EndReason;
use testkit::{AfterRefer, Pace, Phone, Settings, Sim, Sound, Ways, millis, secs};

const SEEDS: u64 = 40;

fn world(seed: u64, after_refer: AfterRefer) -> (Sim, [Phone; 3]) {
    let sim = Sim::with(Settings { seed, pace: Pace::Sparse, ..Settings::default() });
    let phones = ["100", "101", "102"].map(|name| sim.phone(name));
    for phone in &phones {
        phone.answers_after(millis(900));
        phone.set(|manner| manner.after_refer = after_refer);
    }
    (sim, phones)
}

/// Runs a flow on bad networks, in which the first phone has called the second; a call that did not
/// come about on them proves nothing.
fn on_bad_networks(flow: impl Fn(&Sim, &[Phone; 3], AfterRefer)) {
    let mut flows = 0;
    for seed in 0..SEEDS {
        let after = [AfterRefer::Byes, AfterRefer::ByesAtOnce, AfterRefer::Stays];
        let after = after[usize::try_from(seed % 3).unwrap()];
        let (sim, phones) = world(seed, after);
        if seed > 2 {
            sim.set_ways(Ways::losing(15));
        }
        phones[0].dials("101");
        let talk = || sim.are_talking(&phones[0], &phones[1]);
        sim.run_while(secs(60), || !talk());
        if talk() {
            flow(&sim, &phones, after);
            flows += 1;
        }
        sim.set_ways(Ways::GOOD);
        sim.assert_nothing_left();
    }
    assert!(flows > SEEDS * 4 / 5, "{flows}");
}

fn until(sim: &Sim, what: &str, is_so: impl Fn() -> bool) {
    assert!(sim.run_while(secs(120), || !is_so()), "never {what}");
}

#[test]
fn a_phone_sends_its_far_party_on() {
    on_bad_networks(|sim, [ann, bob, eve], after| {
        assert!(bob.refers_to("102"));
        until(sim, "sent on", || {
            sim.are_talking(ann, eve) || ann.is_idle() || sim.are_talking(ann, bob)
        });
        // On such a network one phone in fifty cannot be reached in time, and is given back then.
        if sim.are_talking(ann, eve) {
            until(sim, "out", || bob.is_idle());
            if after == AfterRefer::Byes {
                assert_eq!(bob.refer_progress().last(), Some(&200));
            }
        }
        ann.hangs_up();
        until(sim, "over", || ann.is_idle() && eve.is_idle() && bob.is_idle());
    });
}

#[test]
fn a_phone_joins_its_two_calls() {
    on_bad_networks(|sim, [ann, bob, eve], _| {
        bob.dials("102");
        if !sim.run_while(secs(60), || !sim.are_talking(bob, eve)) {
            return;
        }
        assert!(bob.joins_its_calls());
        until(sim, "joined", || sim.are_talking(ann, eve));
        until(sim, "out", || bob.is_idle());
        eve.hangs_up();
        until(sim, "over", || ann.is_idle() && eve.is_idle());
    });
}

#[test]
fn a_program_has_somebody_asked_and_the_phone_hangs_up() {
    on_bad_networks(|sim, [ann, bob, eve], _| {
        let asked = sim.control("101", "attend 102");
        assert!(asked.is_ok(), "{asked:?}");
        until(sim, "asked or back", || sim.are_talking(bob, eve) || sim.are_talking(ann, bob));
        bob.hangs_up();
        until(sim, "joined or over", || {
            sim.are_talking(ann, eve) || (ann.is_idle() && bob.is_idle() && eve.is_idle())
        });
        ann.hangs_up();
        until(sim, "over", || ann.is_idle() && bob.is_idle() && eve.is_idle());
    });
}

#[test]
fn the_far_party_hears_music_then_ringback_then_whom_it_was_sent_to() {
    let (sim, [ann, bob, eve]) = world(1, AfterRefer::Byes);
    for phone in [&ann, &bob, &eve] {
        phone.set_pace(Pace::Steady);
    }
    ann.dials("101");
    sim.run_for(secs(2));
    sim.assert_talking(&ann, &bob);
    eve.answers_after(secs(5));
    sim.control("101", "attend 102").unwrap();
    sim.run_for(secs(3));
    assert_eq!(ann.hears(), [Sound::Music].into());
    bob.hangs_up();
    sim.run_for(secs(1));
    assert_eq!(sim.hears(&ann), [Sound::Ringback].into());
    sim.run_for(secs(3));
    sim.assert_talking(&ann, &eve);
    assert!(eve.shown().is_some(), "its display follows");
    ann.hangs_up();
    sim.run_for(secs(1));
    assert!(sim.cdrs().iter().any(|cdr| cdr.reason == EndReason::Transferred));
    sim.assert_nothing_left();
}
