//! Incoming call rules, with phones at every end: who rings when, what every party hears, what is
//! left afterwards (nothing).

mod forwards;
mod machines;
mod mailbox;
mod messages;
mod random;
mod screening;

use model::{Language, Spoken};
use testkit::{Link, Pace, Phone, Settings, Sim, Ways, millis, secs};

/// How many networks each flow is run on.
const SEEDS: u64 = 200;

/// A network that loses a fifth of all SIP datagrams, doubles some and delivers some late; but none
/// is lost twice, so that every phone is heard in time.
const BAD: Link = Link { same_lost_max: Some(1), ..Link::BAD };

/// Runs a flow between phones `100` to `104` on many networks; afterwards nothing may be left.
fn on_bad_networks(set: impl Fn(&Sim), flow: impl Fn(&Sim, &[Phone; 5])) {
    for seed in 0..SEEDS {
        let sim = Sim::with(Settings { seed, pace: Pace::Sparse, ..Settings::default() });
        set(&sim);
        let phones = ["100", "101", "102", "103", "104"].map(|name| sim.phone(name));
        // The first network is a good one.
        if seed > 0 {
            sim.set_ways(Ways { sip_up: BAD, sip_down: BAD, ..Ways::GOOD });
        }
        flow(&sim, &phones);
        sim.assert_nothing_left();
    }
}

/// Lets time pass until something is so.
#[track_caller]
fn until(sim: &Sim, what: &str, is_so: impl Fn() -> bool) {
    let begun = sim.elapsed();
    while !is_so() {
        assert!(sim.elapsed() - begun < secs(120), "never {what} since {begun:?}");
        sim.run_for(millis(20));
    }
}

/// Lets time pass until a phone hears a word.
#[track_caller]
fn until_told(sim: &Sim, phone: &Phone, word: Spoken) {
    until(sim, "in a call", || phone.is_in_call());
    until(sim, "told", || phone.is_told(Language::En, word));
}

/// The two talk, after whatever time the network takes.
#[track_caller]
fn talking(sim: &Sim, a: &Phone, b: &Phone) {
    until(sim, "talking", || sim.are_talking(a, b));
}

/// Whether a phone hears a tone that no phone has.
fn hears_tone(phone: &Phone, hz: f64) -> bool {
    phone.pitch_hz().is_some_and(|pitch| (pitch - hz).abs() < 20.0)
}
