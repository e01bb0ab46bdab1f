//! What is done next: anything, but mostly something that makes sense.

use model::Chance;

use super::Step;
use super::act::{Act, Does, Order, Setting};
use super::outside;
use super::stage::{ALL_PHONES, NAMES, Stage};
use crate::phone::call::CallState;
use crate::phone::manner::Hold;

/// Codes and other numbers that are no extension.
const ODD_NUMBERS: [&str; 18] = [
    "199",
    "555",
    "0003*101",
    "0004*101",
    "*7",
    "*7102",
    "*4101",
    "*5101",
    "*6101",
    "*8101",
    "*0",
    "*01",
    "*02",
    "*9",
    "*1",
    "*3102*1234",
    "*3",
    "park+1",
];

const KEYS: [&str; 14] = [
    "#1102#", "#1103", "#1*01#", "*2104#", "*2", "1", "5", "1234#", "0", "3", "*", "#1", "*0", "#",
];

const ACTIONS: [&str; 10] = [
    "transfer",
    "attend",
    "eavesdrop",
    "whisper",
    "conference",
    "hold",
    "offhold",
    "park",
    "bridge",
    "pickup",
];

/// `OUT` and `OUT2` are somebody outside.
const RULES: [&str; 14] = [
    "",
    "",
    "busy",
    "transfer 104 105 8s",
    "cascade 103@0 104@2 10s early",
    // Into a slot: at once, when nobody comes, and on to somebody when the slot is taken.
    "transfer *0",
    "simple_transfer 106 *02 6s",
    "transfer+ park+1; transfer 104 8s",
    "cascade 105@0 park+2@3 9s",
    // Out: at once, when nobody comes, to several.
    "transfer OUT 9s",
    "transfer OUT 9s public",
    "transfer+ 104 OUT 9s; transfer OUT2 8s",
    "cascade 103@0 OUT@2 OUT2@4 10s early",
    "transfer OUT 105 20s screened",
];

/// The kinds of steps in which a defect is met, those that there are most of more than once.
const KINDS: [&str; 17] = [
    "seeking",
    "seeking",
    "seeking",
    "talking",
    "talking",
    "talking",
    "serving",
    "clearing",
    "monitoring",
    "entering",
    "room",
    "parked",
    "parked",
    "departing",
    "consulting",
    "telling",
    "mailbox",
];

pub(super) fn pick<T: Copy>(chance: &mut Chance, of: &[T]) -> T {
    let at = usize::try_from(chance.below(of.len() as u64)).unwrap_or(0);
    of.get(at).copied().unwrap_or_else(|| unreachable!("a list that is not empty"))
}

/// The next step.
pub(super) fn step(stage: &Stage, chance: &mut Chance) -> Step {
    let act = match chance.below(100) {
        0..62 => person(stage, chance),
        62..90 => Act::Order(order(stage, chance)),
        90..95 => {
            let company = company(chance);
            Act::Set(company, setting(company, chance))
        }
        95..96 if stage.may_lose => Act::Kill(chance.below(60)),
        96..99 if stage.is_faulty => Act::Break(company(chance), pick(chance, &KINDS)),
        _ => rare(stage, chance),
    };
    let wait_ms = match chance.below(20) {
        // At the same instant, or before a message has come across.
        0..4 => 0,
        4..7 => chance.below(30),
        7..17 => 20 + chance.below(900),
        17..19 => 1_000 + chance.below(5_000),
        _ => 10_000 + chance.below(180_000),
    };
    Step { act, wait_ms }
}

fn company(chance: &mut Chance) -> usize {
    usize::from(chance.below(3) == 0)
}

fn name(chance: &mut Chance) -> String {
    pick(chance, &NAMES).to_owned()
}

/// Where a call may go: mostly to an extension, now and then out.
fn somewhere(company: usize, chance: &mut Chance) -> String {
    if chance.below(6) == 0 { outside::any(company, chance) } else { name(chance) }
}

fn person(stage: &Stage, chance: &mut Chance) -> Act {
    let (inside, all) = (ALL_PHONES as u64, stage.phones.len() as u64);
    // Who is outside does as much as three of the others.
    let phone = match chance.below(5) {
        0 | 1 => inside + chance.below(all - inside),
        _ => chance.below(inside),
    };
    let phone = usize::try_from(phone).unwrap_or(0);
    let company = stage.company_of(phone);
    let does = match (stage.phones[phone].state(), chance.below(10)) {
        (Some(CallState::Ringing), 0..7) => Does::Answers,
        (Some(CallState::Ringing), 7..9) => Does::Refuses(pick(chance, &[486, 603, 480])),
        (Some(CallState::Talking), 0..2) => Does::HangsUp,
        (Some(CallState::Talking), 2..3) => Does::Holds(pick(chance, &Hold::ALL)),
        (Some(CallState::Talking), 3..4) => Does::Resumes,
        (Some(CallState::Talking), 4..6) => Does::Presses(keys(company, chance)),
        (Some(CallState::Talking), 6..8) => refers(stage, company, chance),
        (Some(CallState::Talking), 8..9) => dials(stage, phone, chance),
        (Some(CallState::Calling | CallState::Progressing(_)), 0..3) => Does::HangsUp,
        (_, 9) if stage.is_inside(phone) => Does::Dials(odd(stage, chance).to_owned()),
        _ => dials(stage, phone, chance),
    };
    Act::At(phone, does)
}

/// Who is outside knows the numbers that lead in, and now and then one of the other customer.
fn dials(stage: &Stage, phone: usize, chance: &mut Chance) -> Does {
    let company = stage.company_of(phone);
    if stage.is_inside(phone) {
        return Does::Dials(somewhere(company, chance));
    }
    let of = if chance.below(20) == 0 { 1 - company } else { company };
    Does::Dials(outside::did(of, &name(chance)))
}

fn keys(company: usize, chance: &mut Chance) -> String {
    match chance.below(10) {
        0 => format!("#1{}#", outside::any(company, chance)),
        1 => format!("*2{}#", outside::any(company, chance)),
        _ => pick(chance, &KEYS).to_owned(),
    }
}

/// A number that is no extension; a code that listens to nobody, where nobody shall listen.
fn odd(stage: &Stage, chance: &mut Chance) -> &'static str {
    match pick(chance, &ODD_NUMBERS) {
        code if stage.is_plain && ["*4", "*5", "*6", "*8"].iter().any(|c| code.starts_with(c)) => {
            "*7"
        }
        number => number,
    }
}

fn refers(stage: &Stage, company: usize, chance: &mut Chance) -> Does {
    match chance.below(6) {
        0 | 1 => Does::JoinsItsCalls,
        2 => {
            let other = chance.below(stage.phones.len() as u64);
            Does::RefersToThatOf(usize::try_from(other).unwrap_or(0))
        }
        3 => Does::Refers(odd(stage, chance).to_owned()),
        _ => Does::Refers(somewhere(company, chance)),
    }
}

fn rare(stage: &Stage, chance: &mut Chance) -> Act {
    let phone = usize::try_from(chance.below(stage.phones.len() as u64)).unwrap_or(0);
    let does = match chance.below(8) {
        // Nobody outside is registered, or watches.
        0..3 | 5 if !stage.is_inside(phone) => Does::HangsUp,
        0 => Does::Unregisters,
        1 | 2 => Does::Registers,
        3 if stage.may_lose => Does::Unplugs,
        3 | 4 => Does::Plugs,
        5 => Does::Watches(pick(chance, &["101", "102", "park+1", "0004*101"]).to_owned()),
        _ => {
            let other = chance.below(stage.phones.len() as u64);
            Does::TakesThatOf(usize::try_from(other).unwrap_or(0))
        }
    };
    Act::At(phone, does)
}

fn order(stage: &Stage, chance: &mut Chance) -> Order {
    // Mostly of somebody who has a call.
    let phone = usize::try_from(chance.below(ALL_PHONES as u64)).unwrap_or(0);
    let busy = (0..ALL_PHONES).map(|n| (phone + n) % ALL_PHONES);
    let busy = busy.clone().find(|n| !stage.phones[*n].is_idle()).unwrap_or(phone);
    let (calls_of, own) = (stage.company_of(busy), stage.extension_of(busy));
    // Whose call it is need not talk in it.
    let own = match stage.with_calls(calls_of) {
        names if !names.is_empty() && chance.below(4) == 0 => pick(chance, &names).to_owned(),
        _ => own,
    };
    let company = if chance.below(20) == 0 { 1 - calls_of } else { calls_of };
    let name = if chance.below(12) == 0 { name(chance) } else { own };
    let call = usize::from(chance.below(6) == 0);
    let action = match chance.below(8) {
        0 => "delete".to_owned(),
        _ => action(stage, calls_of, chance),
    };
    Order { company, calls_of, name, call, action }
}

fn action(stage: &Stage, company: usize, chance: &mut Chance) -> String {
    let word = match pick(chance, &ACTIONS) {
        "eavesdrop" | "whisper" | "conference" if stage.is_plain => "transfer",
        word => word,
    };
    match word {
        "hold" | "offhold" => word.to_owned(),
        "transfer" if chance.below(3) == 0 => word.to_owned(),
        "park" | "bridge" => match chance.below(4) {
            0 | 1 => word.to_owned(),
            _ => format!("{word} {}", 1 + chance.below(3)),
        },
        _ => {
            let to = match chance.below(8) {
                0 => pick(chance, &["199", "555", "0004*101", "*0", "*01", "park+2"]).to_owned(),
                _ => somewhere(company, chance),
            };
            format!("{word} {to}")
        }
    }
}

/// The rules of an extension.
pub(super) fn rules(company: usize, chance: &mut Chance) -> String {
    let (one, other) = (outside::any(company, chance), outside::any(company, chance));
    pick(chance, &RULES).replace("OUT2", &other).replace("OUT", &one)
}

fn setting(company: usize, chance: &mut Chance) -> Setting {
    match chance.below(7) {
        0 | 1 => Setting::Rights(pick(
            chance,
            &["", "all", "share", "eavesdrop=100,101,102", "whisper=103,104 share named"],
        )),
        2 => Setting::Rules(name(chance), rules(company, chance)),
        3 => Setting::Limit(name(chance), pick(chance, &[None, Some(1), Some(2)])),
        4 => match chance.below(2) {
            0 => Setting::Slots(pick(chance, &[1, 2, 9])),
            _ => Setting::Fallback(match chance.below(4) {
                0 => None,
                1 => Some("105".to_owned()),
                2 => Some("199".to_owned()),
                _ => Some(outside::any(company, chance)),
            }),
        },
        5 => Setting::Screens(name(chance), chance.below(2) == 0),
        _ => Setting::Messages(name(chance), pick(chance, &[0, 1, 7]), pick(chance, &[0, 2])),
    }
}
