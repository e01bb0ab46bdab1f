//! A fifth of all SIP datagrams is lost: every flow comes out as on a good network.

use model::EndReason;
use testkit::{Hold, Link, Outcome, Pace, Phone, Settings, Sim, Sound, Ways, millis, secs};

const SEEDS: u64 = 200;

/// Whether a flow went as it should, or the called phone could not be heard in time: of a hundred
/// phones behind such a network one or two send no response that arrives within six seconds.
#[derive(PartialEq)]
enum Came {
    Through,
    Unreachable,
}

/// Runs a flow on many bad networks; afterwards nothing may be left.
fn on_bad_networks(flow: impl Fn(&Sim, &Phone, &Phone) -> Came) {
    let mut unreachable = 0;
    for seed in 0..SEEDS {
        let sim = Sim::with(Settings { seed, pace: Pace::Sparse, ..Settings::default() });
        let (ann, bob) = (sim.phone("100"), sim.phone("101"));
        sim.set_ways(match seed % 4 {
            // Late and doubled datagrams too.
            0 => Ways { sip_up: Link::BAD, sip_down: Link::BAD, ..Ways::GOOD },
            _ => Ways::losing(20),
        });
        if flow(&sim, &ann, &bob) == Came::Unreachable {
            assert_eq!(reasons(&sim), [EndReason::Unreachable; 2]);
            let refused_or_tired = [Outcome::Refused(480), Outcome::GaveUp];
            assert!(ann.outcome().is_some_and(|o| refused_or_tired.contains(&o)));
            unreachable += 1;
        }
        sim.assert_nothing_left();
    }
    assert!(unreachable <= SEEDS / 25, "{unreachable}");
}

fn until(sim: &Sim, what: &str, is_so: impl Fn() -> bool) {
    assert!(sim.run_while(secs(90), || !is_so()), "never {what}");
}

/// Waits for something that a caller may miss by being refused.
fn unless_refused(sim: &Sim, what: &str, ann: &Phone, is_so: impl Fn() -> bool) -> Came {
    let is_refused = || matches!(ann.outcome(), Some(Outcome::Refused(480)));
    until(sim, what, || is_so() || is_refused());
    if is_so() { Came::Through } else { Came::Unreachable }
}

fn talk(sim: &Sim, ann: &Phone, bob: &Phone) -> Came {
    bob.answers_after(millis(900));
    ann.dials("101");
    unless_refused(sim, "talking", ann, || sim.are_talking(ann, bob))
}

/// Ends the flow here when the call did not come through.
macro_rules! through {
    ($came:expr) => {
        if $came == Came::Unreachable {
            return Came::Unreachable;
        }
    };
}

fn reasons(sim: &Sim) -> Vec<EndReason> {
    sim.cdrs().iter().map(|c| c.reason).collect()
}

#[test]
fn a_call_is_connected_and_hung_up_by_the_caller() {
    on_bad_networks(|sim, ann, bob| {
        through!(talk(sim, ann, bob));
        ann.hangs_up();
        until(sim, "over", || bob.is_idle());
        assert_eq!(bob.outcome(), Some(Outcome::PeerHungUp(None)));
        assert_eq!(reasons(sim), [EndReason::CallerHungUp; 2]);
        Came::Through
    });
}

#[test]
fn a_call_is_connected_and_hung_up_by_the_called() {
    on_bad_networks(|sim, ann, bob| {
        through!(talk(sim, ann, bob));
        bob.hangs_up();
        until(sim, "over", || ann.is_idle());
        assert_eq!(ann.outcome(), Some(Outcome::PeerHungUp(None)));
        assert_eq!(reasons(sim), [EndReason::CalleeHungUp; 2]);
        Came::Through
    });
}

#[test]
fn a_busy_phone_is_busy() {
    on_bad_networks(|sim, ann, bob| {
        bob.refuses_after(secs(0), 486);
        ann.dials("101");
        let is_busy = || ann.outcome() == Some(Outcome::Refused(486));
        through!(unless_refused(sim, "busy", ann, is_busy));
        assert_eq!(reasons(sim), [EndReason::Busy; 2]);
        Came::Through
    });
}

#[test]
fn a_declined_call_is_declined() {
    on_bad_networks(|sim, ann, bob| {
        bob.refuses_after(millis(900), 603);
        ann.dials("101");
        until(sim, "over", || ann.is_idle());
        if reasons(sim).contains(&EndReason::Unreachable) {
            return Came::Unreachable;
        }
        assert_eq!(ann.outcome(), Some(Outcome::Refused(480)));
        assert_eq!(reasons(sim), [EndReason::Declined; 2]);
        Came::Through
    });
}

#[test]
fn a_number_that_leads_nowhere_leads_nowhere() {
    on_bad_networks(|sim, ann, _| {
        ann.dials("555");
        until(sim, "over", || ann.is_idle());
        assert_eq!(ann.outcome(), Some(Outcome::Refused(404)));
        assert_eq!(reasons(sim), [EndReason::NotFound]);
        Came::Through
    });
}

#[test]
fn a_caller_that_gives_up_has_given_up() {
    on_bad_networks(|sim, ann, bob| {
        ann.dials("101");
        through!(unless_refused(sim, "ringing", ann, || bob.is_ringing()));
        ann.hangs_up();
        until(sim, "over", || ann.is_idle() && bob.is_idle());
        if reasons(sim).contains(&EndReason::Unreachable) {
            return Came::Unreachable;
        }
        assert_eq!(ann.outcome(), Some(Outcome::GaveUp));
        assert!(matches!(bob.outcome(), Some(Outcome::Cancelled(None))), "{:?}", bob.outcome());
        assert_eq!(reasons(sim), [EndReason::Cancelled; 2]);
        Came::Through
    });
}

#[test]
fn a_phone_that_nobody_answers_is_not_answered() {
    on_bad_networks(|sim, ann, bob| {
        sim.configure(0, |c| c.phone("101").ring_timeout_s = Some(15));
        ann.dials("101");
        until(sim, "over", || ann.is_idle() && bob.is_idle());
        if reasons(sim).contains(&EndReason::Unreachable) {
            return Came::Unreachable;
        }
        assert_eq!(ann.outcome(), Some(Outcome::Refused(480)));
        assert_eq!(reasons(sim), [EndReason::NoAnswer; 2]);
        Came::Through
    });
}

#[test]
fn early_media_is_heard_and_the_call_is_connected() {
    on_bad_networks(|sim, ann, bob| {
        bob.speaks_early();
        bob.answers_after(secs(4));
        ann.dials("101");
        through!(unless_refused(sim, "talking", ann, || sim.are_talking(ann, bob)));
        ann.hangs_up();
        until(sim, "over", || bob.is_idle());
        Came::Through
    });
}

#[test]
fn hold_and_resume_arrive() {
    on_bad_networks(|sim, ann, bob| {
        through!(talk(sim, ann, bob));
        bob.holds(Hold::SendOnly);
        until(sim, "held", || ann.hears() == [Sound::Music].into());
        sim.run_for(secs(2));
        bob.resumes();
        until(sim, "talking", || sim.are_talking(ann, bob));
        ann.hangs_up();
        until(sim, "over", || bob.is_idle());
        assert_eq!(reasons(sim), [EndReason::CallerHungUp; 2]);
        Came::Through
    });
}

#[test]
fn both_sides_hold_at_the_same_moment() {
    on_bad_networks(|sim, ann, bob| {
        through!(talk(sim, ann, bob));
        ann.holds(Hold::Inactive);
        bob.holds(Hold::NoAddress);
        until(sim, "held", || ann.hears().is_empty() && bob.hears().is_empty());
        sim.run_for(secs(5));
        ann.resumes();
        bob.resumes();
        until(sim, "talking", || sim.are_talking(ann, bob));
        bob.hangs_up();
        until(sim, "over", || ann.is_idle());
        Came::Through
    });
}

#[test]
fn of_several_devices_one_wins() {
    on_bad_networks(|sim, ann, desk| {
        let mobile = sim.phone("101");
        desk.answers_after(millis(1_000));
        mobile.answers_after(millis(1_200));
        ann.dials("101");
        let is_talking = || sim.are_talking(ann, desk) || sim.are_talking(ann, &mobile);
        through!(unless_refused(sim, "talking", ann, is_talking));
        ann.hangs_up();
        until(sim, "over", || desk.is_idle() && mobile.is_idle());
        assert_eq!(reasons(sim), [EndReason::CallerHungUp; 2]);
        Came::Through
    });
}
