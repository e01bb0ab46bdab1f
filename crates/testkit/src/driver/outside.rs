//! Who is outside: some parties of each customer, each behind a trunk of its own, who are called by
//! their numbers and call the numbers of extensions.

use std::collections::BTreeSet;

use model::{Chance, Pattern};

use super::choose::pick;
use super::stage::{ALL_PHONES, NAMES, Stage};
use crate::device::Phone;
use crate::phone::call::Call;
use crate::phone::manner::WhenCalled;
use crate::phone::sound::Sound;
use crate::sim::{Sim, millis};

/// Outside parties of the first customer, and of the second.
pub(super) const PARTIES: [usize; 2] = [3, 2];

/// The `n`th of all outside parties, those of the first customer first: whose it is, and how it is
/// called there, from 0.
fn place(n: usize) -> (usize, usize) {
    n.checked_sub(PARTIES[0]).map_or((0, n), |n| (1, n))
}

/// Of which customer the `n`th of all is.
pub(super) fn company_of(n: usize) -> usize {
    place(n).0
}

/// By which number the `n`th of all is called, and calls.
pub(super) fn number_of(n: usize) -> String {
    let (company, own) = place(n);
    format!("791600000{company}{}", own + 1)
}

/// The number of the outside that leads to an extension.
pub(super) fn did(company: usize, name: &str) -> String {
    format!("7495000{}{name}", company + 1)
}

/// How the `n`th of all is called where it calls.
fn name(n: usize) -> String {
    let (company, own) = place(n);
    format!("outside{company}{}", own + 1)
}

/// The same of the one who has a number, if one has.
pub(super) fn name_of(number: &str) -> Option<String> {
    (0..PARTIES.iter().sum()).find(|n| number_of(*n) == number).map(name)
}

/// Of which customer a number of the outside is, of an outside party or one that leads in; `None`:
/// it is neither.
pub(super) fn whose(number: &str) -> Option<usize> {
    let all = (0..PARTIES.iter().sum()).map(|n| (number_of(n), company_of(n)));
    let ways_in = (0..2).flat_map(|of| NAMES.iter().map(move |name| (did(of, name), of)));
    let number = number.trim_start_matches('+');
    all.chain(ways_in).find(|(own, _)| own == number).map(|(_, of)| of)
}

/// The outside parties of both, with their trunks and the numbers that lead in.
pub(super) fn enter(sim: &Sim) -> Vec<Phone> {
    for of in 0..2 {
        sim.configure(of, |company| {
            NAMES.iter().for_each(|name| company.did(&did(of, name), name))
        });
    }
    let party = |n: usize| {
        let (of, own) = place(n);
        let number = number_of(n);
        let party = sim.outsider(&name(n), &number);
        sim.trunk(of, n as u64 + 1, &party, |plan| {
            plan.patterns = Pattern::parse(&format!("^{number}$")).into_iter().collect();
            plan.update_display = own == 0;
        });
        party
    };
    (0..PARTIES.iter().sum()).map(party).collect()
}

/// How one of them takes calls: mostly soon, now and then it gives no sign of life.
pub(super) fn takes_calls(chance: &mut Chance) -> WhenCalled {
    match chance.below(8) {
        0 => WhenCalled::Tries,
        1..4 => WhenCalled::Rings,
        _ => WhenCalled::Answers(millis(400)),
    }
}

/// The number of an outside party of a customer, or now and then of the other one.
pub(super) fn any(company: usize, chance: &mut Chance) -> String {
    let of = if chance.below(12) == 0 { 1 - company } else { company };
    let all: Vec<usize> = (0..PARTIES.iter().sum()).filter(|n| company_of(*n) == of).collect();
    number_of(pick(chance, &all))
}

/// The numbers of the outside parties of a customer that may be in a slot: they are in a call, and
/// hear the music unless they hold themselves, or a program holds for one that they stand for.
pub(super) fn waiting(stage: &Stage, company: usize) -> BTreeSet<String> {
    let hears = stage.sim.who_hears_what();
    let hears_music =
        |phone: &Phone| hears.get(&phone.name()).is_some_and(|heard| heard.contains(&Sound::Music));
    let is_held = stage.held.iter().any(|(of, _)| *of == company);
    let holds =
        |phone: &Phone| is_held || phone.with(|agent| agent.calls.iter().any(Call::is_holding));
    let waits = |n: &usize| {
        let party = stage.phones.get(ALL_PHONES + n);
        party.is_some_and(|phone| !phone.is_idle() && (holds(phone) || hears_music(phone)))
    };
    let its = (0..PARTIES.iter().sum()).filter(|n| company_of(*n) == company);
    its.filter(waits).map(number_of).collect()
}

/// Who calls or is called at the other end of a call is of the same customer.
pub(super) fn is_called_by_its_own(stage: &Stage) -> Result<(), String> {
    for (n, phone) in stage.phones.iter().enumerate().filter(|(_, phone)| phone.is_ringing()) {
        let number = phone.number().unwrap_or_default();
        if whose(&number).is_some_and(|of| of != stage.company_of(n)) {
            return Err(format!("{} is called by {number}", phone.name()));
        }
    }
    Ok(())
}
