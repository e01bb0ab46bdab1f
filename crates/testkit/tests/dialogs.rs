//! What happens inside of dialogs while a fifth of all SIP datagrams is lost: reliable provisional
//! responses, UPDATE, holding on both sides at once, session timers, phones that vanish.

use std::cell::Cell;

use model::EndReason;
use testkit::{
    Hold, Link, Offer, Outcome, Pace, Phone, Reliable, Settings, Sim, Sound, Ways, millis, secs,
};

const SEEDS: u64 = 200;

/// Runs a flow on many bad networks; afterwards nothing may be left, and no phone may have seen
/// anything that it could not understand. A flow says whether the called phone was heard in time:
/// of a hundred one or two are not.
fn on_bad_networks(flow: impl Fn(&Sim, &Phone, &Phone) -> bool) {
    let mut unreachable = 0;
    for seed in 0..SEEDS {
        let sim = Sim::with(Settings { seed, pace: Pace::Sparse, ..Settings::default() });
        let (ann, bob) = (sim.phone("100"), sim.phone("101"));
        sim.set_ways(match seed % 4 {
            // Late and doubled datagrams too, which overtake each other.
            0 => Ways { sip_up: Link::BAD, sip_down: Link::BAD, ..Ways::GOOD },
            _ => Ways::losing(20),
        });
        if !flow(&sim, &ann, &bob) {
            assert_eq!(reasons(&sim), [EndReason::Unreachable; 2], "seed {seed}");
            unreachable += 1;
        }
        sim.assert_nothing_left();
    }
    assert!(unreachable <= SEEDS / 25, "{unreachable}");
}

fn reasons(sim: &Sim) -> Vec<EndReason> {
    sim.cdrs().iter().map(|c| c.reason).collect()
}

fn until(sim: &Sim, what: &str, is_so: impl Fn() -> bool) {
    assert!(sim.run_while(secs(120), || !is_so()), "never {what}");
}

/// Dials and waits until both talk; `false`: the called phone was not heard in time.
fn talk(sim: &Sim, ann: &Phone, bob: &Phone) -> bool {
    ann.dials("101");
    let refused = || matches!(ann.outcome(), Some(Outcome::Refused(480)));
    until(sim, "talking", || sim.are_talking(ann, bob) || refused());
    !refused()
}

fn hang_up(sim: &Sim, ann: &Phone, bob: &Phone) {
    ann.hangs_up();
    until(sim, "over", || bob.is_idle());
    assert_eq!(reasons(sim), [EndReason::CallerHungUp; 2]);
}

#[test]
fn a_call_rings_reliably_on_both_sides() {
    let acknowledged = Cell::new(0);
    on_bad_networks(|sim, ann, bob| {
        ann.rings_reliably(Reliable::Required);
        bob.rings_reliably(Reliable::Supported);
        bob.answers_after(secs(2));
        if !talk(sim, ann, bob) {
            return false;
        }
        // A ringing without a description may be overtaken by the answer (RFC 3262 3); the phone
        // that we call waits with its answer until we have acknowledged it.
        acknowledged.set(acknowledged.get() + u64::from(ann.pracks() >= 1));
        assert!(bob.pracks() >= 1, "the called phone was acknowledged nothing");
        hang_up(sim, ann, bob);
        true
    });
    assert!(acknowledged.get() > SEEDS * 3 / 4, "{}", acknowledged.get());
}

#[test]
fn reliable_early_media_is_heard_and_the_call_is_connected() {
    on_bad_networks(|sim, ann, bob| {
        ann.rings_reliably(Reliable::Supported);
        bob.rings_reliably(Reliable::Supported);
        bob.speaks_early();
        bob.answers_after(secs(6));
        if !talk(sim, ann, bob) {
            return false;
        }
        assert!(ann.pracks() >= 1 && bob.pracks() >= 1);
        hang_up(sim, ann, bob);
        true
    });
}

#[test]
fn an_invite_without_offer_that_requires_reliable_ringing_is_connected() {
    on_bad_networks(|sim, ann, bob| {
        ann.rings_reliably(Reliable::Required);
        ann.set(|m| m.offer = Offer::Delayed);
        bob.answers_after(secs(2));
        if !talk(sim, ann, bob) {
            return false;
        }
        hang_up(sim, ann, bob);
        true
    });
}

#[test]
fn an_invite_without_offer_is_connected() {
    on_bad_networks(|sim, ann, bob| {
        ann.set(|m| m.offer = Offer::Delayed);
        bob.answers_after(secs(1));
        if !talk(sim, ann, bob) {
            return false;
        }
        hang_up(sim, ann, bob);
        true
    });
}

#[test]
fn a_caller_gives_up_while_it_rings_reliably() {
    on_bad_networks(|sim, ann, bob| {
        ann.rings_reliably(Reliable::Required);
        bob.rings_reliably(Reliable::Supported);
        ann.dials("101");
        let refused = || matches!(ann.outcome(), Some(Outcome::Refused(480)));
        until(sim, "ringing", || bob.is_ringing() || refused());
        ann.hangs_up();
        until(sim, "over", || ann.is_idle() && bob.is_idle());
        !reasons(sim).contains(&EndReason::Unreachable)
    });
}

#[test]
fn hold_and_resume_by_update_arrive() {
    on_bad_networks(|sim, ann, bob| {
        ann.offers_by_update();
        bob.answers_after(millis(900));
        if !talk(sim, ann, bob) {
            return false;
        }
        for form in Hold::ALL {
            ann.holds(form);
            until(sim, "held", || bob.hears() == [Sound::Music].into());
            sim.run_for(secs(1));
            ann.resumes();
            until(sim, "talking", || sim.are_talking(ann, bob));
        }
        hang_up(sim, ann, bob);
        true
    });
}

#[test]
fn both_hold_at_once_one_of_them_by_update_and_both_come_back() {
    on_bad_networks(|sim, ann, bob| {
        ann.offers_by_update();
        bob.answers_after(millis(900));
        if !talk(sim, ann, bob) {
            return false;
        }
        for _ in 0..2 {
            ann.holds(Hold::SendOnly);
            bob.holds(Hold::Inactive);
            until(sim, "held", || ann.hears().is_empty() && bob.hears().is_empty());
            sim.run_for(secs(5));
            ann.resumes();
            bob.resumes();
            until(sim, "talking", || sim.are_talking(ann, bob));
        }
        hang_up(sim, ann, bob);
        true
    });
}

/// Whether a phone keeps time, whether it refreshes its own calls, and how.
type Keeper = (Option<(u32, bool)>, bool);

#[test]
fn a_call_of_hours_is_refreshed_by_whoever_shall_do_it() {
    let keepers: [Keeper; 5] = [
        (None, false),
        (Some((200, true)), false),
        (Some((200, true)), true),
        (Some((200, false)), false),
        (Some((90, false)), true),
    ];
    for seed in 0..40 {
        let sim = Sim::with(Settings { seed, pace: Pace::Mute, ..Settings::default() });
        let (ann, bob) = (sim.phone("100"), sim.phone("101"));
        bob.answers_after(secs(0));
        for (phone, n) in [(&ann, seed), (&bob, seed / 5)] {
            let (time, by_update) = keepers[usize::try_from(n % 5).unwrap()];
            if let Some((interval_s, refreshes)) = time {
                phone.keeps_time(interval_s, refreshes);
            }
            if by_update {
                phone.offers_by_update();
            }
        }
        ann.dials("101");
        sim.run_for(secs(3));
        assert!(ann.is_in_call(), "{seed}: {:?}", ann.outcome());
        // Both hold, so that nothing but the session timer asks anything.
        ann.holds(Hold::Inactive);
        sim.run_for(secs(5));
        bob.holds(Hold::Inactive);
        sim.run_for(secs(5));
        sim.set_ways(Ways::losing(20));
        sim.run_for(secs(2 * 3_600));
        assert!(
            ann.is_in_call() && bob.is_in_call(),
            "{seed}: {:?} {:?}",
            ann.state(),
            bob.state()
        );
        for (phone, n) in [(&ann, seed), (&bob, seed / 5)] {
            let keeps_time = keepers[usize::try_from(n % 5).unwrap()].0.is_some();
            assert!(!keeps_time || phone.refreshes() >= 30, "{seed}: {}", phone.refreshes());
        }
        sim.set_ways(Ways::GOOD);
        ann.hangs_up();
        sim.run_for(secs(1));
        assert_eq!(reasons(&sim), [EndReason::CallerHungUp; 2]);
        sim.assert_nothing_left();
    }
}

#[test]
fn a_phone_that_vanishes_is_found_out_whoever_refreshes() {
    for seed in 0..60 {
        let sim = Sim::with(Settings { seed, pace: Pace::Sparse, ..Settings::default() });
        let (ann, bob) = (sim.phone("100"), sim.phone("101"));
        bob.answers_after(secs(0));
        match seed % 3 {
            0 => ann.keeps_time(300, true),
            1 => ann.keeps_time(300, false),
            _ => {}
        }
        ann.dials("101");
        sim.run_for(secs(3));
        sim.assert_talking(&ann, &bob);
        sim.set_ways(Ways::losing(20));
        let (gone, stays) = if seed % 2 == 0 { (&ann, &bob) } else { (&bob, &ann) };
        let holds = seed % 4 < 2;
        if holds {
            gone.holds(Hold::SendOnly);
            until(&sim, "held", || stays.hears() == [Sound::Music].into());
            sim.run_for(secs(5));
        }
        gone.unplug();
        // A minute without audio and the time of a question; held, half a session and that.
        let latest = if holds { 900 + 40 } else { 60 + 40 };
        assert!(sim.run_while(secs(latest), || !stays.is_idle()), "{seed}: {:?}", stays.state());
        let expected = if holds { EndReason::SessionExpired } else { EndReason::MediaLost };
        assert_eq!(reasons(&sim), [expected; 2], "{seed}");
        gone.forgets();
        sim.assert_nothing_left();
    }
}
