//! Rules that nobody would write, and people who do whatever comes to their minds.
//!
//! After every input the shard checks itself, after every step the ledger checks what was written
//! down; in the end nothing may be left.

use model::Chance;
use testkit::{CallState, Hold, Link, Pace, Phone, Settings, Sim, Ways, millis, secs};

use crate::SEEDS;

const ACTIONS: usize = 60;

const NAMES: [&str; 6] = ["100", "101", "102", "103", "104", "105"];

fn pick<T: Copy>(chance: &mut Chance, of: &[T]) -> T {
    of[usize::try_from(chance.below(of.len() as u64)).unwrap()]
}

/// One to three rules.
fn rules(chance: &mut Chance) -> String {
    let rule = |chance: &mut Chance| {
        let kinds = [
            "busy",
            "hangup",
            "transfer",
            "transfer",
            "transfer",
            "simple_transfer",
            "cascade",
            "simple_cascade",
            "playfile",
            "playfile",
            "voicemail",
            "voicemail",
        ];
        let kind = pick(chance, &kinds);
        let is_final = pick(chance, &["", "+", "+"]);
        let wants = pick(chance, &["", "", "last=busy", "last=no", "own=no", "unreachable"]);
        let mut text = format!("{kind}{is_final} {wants}");
        if kind == "playfile" {
            text += &format!(" sound={}", 1 + chance.below(2));
        }
        if kind.contains("transfer") || kind.contains("cascade") {
            for _ in 0..1 + chance.below(3) {
                let number = pick(chance, &NAMES);
                text += &format!(" {number}@{}", chance.below(8));
            }
            text += &format!(" {}s", 3 + chance.below(30));
            text += pick(chance, &["", "", " screened", " early"]);
        }
        text
    };
    (0..1 + chance.below(3)).map(|_| rule(chance)).collect::<Vec<_>>().join("; ")
}

/// Somebody does something.
fn act(sim: &Sim, phones: &[Phone], chance: &mut Chance) {
    let at = usize::try_from(chance.below(phones.len() as u64)).unwrap();
    let phone = &phones[at];
    match (phone.state(), chance.below(20)) {
        (Some(CallState::Ringing), 0..10) => {
            phone.answers();
        }
        (Some(CallState::Ringing), 10..16) => {
            phone.refuses(pick(chance, &[486, 486, 603, 480]));
        }
        (Some(CallState::Talking), 0..6) => {
            phone.presses(pick(chance, &["1", "1", "#", "5"]));
        }
        (Some(CallState::Talking), 6..8) => {
            phone.holds(pick(chance, &Hold::ALL));
        }
        (Some(CallState::Talking), 8..10) => {
            phone.resumes();
        }
        (Some(CallState::Calling | CallState::Progressing(_)), 0..3)
        | (Some(CallState::Talking), 10..14) => {
            phone.hangs_up();
        }
        (_, 18) => rare(sim, phone, chance),
        (_, 19) => {
            let name = pick(chance, &NAMES);
            let text = rules(chance);
            sim.rules(name, &text);
        }
        _ => {
            if phone.is_idle() {
                phone.dials(pick(chance, &NAMES));
            }
        }
    }
}

/// What happens once in a while.
fn rare(sim: &Sim, phone: &Phone, chance: &mut Chance) {
    match chance.below(6) {
        0 => phone.unplug(),
        1 => phone.plug(),
        2 => sim.kill_after(chance.below(40)),
        3 => {
            let steps = ["seeking", "talking", "voicemail", "clearing"];
            sim.inject_panic(0, pick(chance, &steps));
        }
        4 => {
            let screens = chance.below(2) == 0;
            let name = pick(chance, &NAMES);
            sim.configure(0, |c| c.phone(name).shown.call_screening_enabled = screens);
        }
        _ => {
            // A program hangs up; it may be too late, and the switch may be away.
            let extension = sim.extension(pick(chance, &NAMES));
            if let Some(call) = sim.events().last().map(|e| e.call) {
                sim.ask(0, leg::Command::Hangup { extension, call });
            }
        }
    }
}

fn run(seed: u64) {
    let mut chance = Chance::from_number(seed ^ 0x0A11);
    let sim = Sim::with(Settings { seed, pace: Pace::Sparse, ..Settings::default() });
    sim.configure(0, |c| c.sound(1, 2_000));
    for name in NAMES {
        let text = rules(&mut chance);
        sim.rules(name, &text);
    }
    // Some extensions have two devices.
    let phones: Vec<Phone> = (0..8).map(|n| sim.phone(NAMES[n * 2 / 3])).collect();
    if seed % 2 == 1 {
        let bad = Link { same_lost_max: Some(1), ..Link::BAD };
        sim.set_ways(Ways { sip_up: bad, sip_down: bad, ..Ways::GOOD });
    }
    for _ in 0..ACTIONS {
        act(&sim, &phones, &mut chance);
        sim.run_for(millis(chance.below(1_500)));
    }
    // Everybody goes home.
    sim.is_kill_pending();
    phones.iter().for_each(Phone::plug);
    sim.set_ways(Ways::GOOD);
    for _ in 0..60 {
        if phones.iter().all(Phone::is_idle) {
            break;
        }
        phones.iter().for_each(|p| {
            p.hangs_up();
        });
        sim.run_for(secs(2));
    }
    sim.run_for(secs(100));
    // Who vanished while it held the other side is missed by nobody.
    if sim.gauges().calls > 0 {
        sim.end_all();
    }
    sim.assert_nothing_left();
}

#[test]
fn whatever_the_rules_say_everything_adds_up() {
    for seed in 0..SEEDS {
        run(seed);
    }
}
