//! What must hold after every act, beyond what the shards and the ledger check by themselves.

use std::collections::BTreeSet;

use super::outside;
use super::stage::Stage;
use crate::phone::sound::Sound;

/// Finds the first thing that does not hold.
pub(super) fn hold(stage: &Stage) -> Result<(), String> {
    no_defect_was_met(stage)?;
    nobody_hears_another_customer(stage)?;
    who_calls_is_of_the_same_customer(stage)?;
    outside::is_called_by_its_own(stage)
}

/// No call was ended by a defect but the injected ones, each of which has ended one call at most;
/// and none could not be taken up again.
fn no_defect_was_met(stage: &Stage) -> Result<(), String> {
    let (met, injected) = stage.defects();
    // A switch that was killed counts from the start.
    if met > injected || met < injected && !stage.may_lose {
        return Err(format!("{met} defects were met, {injected} injected"));
    }
    let ended = stage.sim.world().ledger.defects();
    if ended > injected {
        return Err(format!("{ended} calls were ended by defects, {injected} injected"));
    }
    for counters in stage.sim.counters() {
        if counters.unreadable > 0 {
            return Err("a saved call could not be read back".to_owned());
        }
    }
    Ok(())
}

fn nobody_hears_another_customer(stage: &Stage) -> Result<(), String> {
    let people = stage.people();
    for (listener, heard) in stage.sim.who_hears_what() {
        let own = people.get(&listener);
        let strangers: BTreeSet<&Sound> = heard
            .iter()
            .filter(|sound| match sound {
                Sound::Phone(name) => people.get(name) != own,
                Sound::Unknown => true,
                _ => false,
            })
            .collect();
        if !strangers.is_empty() {
            return Err(format!("{listener} hears {strangers:?}"));
        }
    }
    Ok(())
}

/// Who is shown as calling belongs to the same customer, by the names of its extensions.
fn who_calls_is_of_the_same_customer(stage: &Stage) -> Result<(), String> {
    let prefixes = ["0003*", "0004*"];
    for (n, phone) in stage.phones.iter().enumerate() {
        let foreign = prefixes[1 - stage.company_of(n)];
        let number = phone.number().unwrap_or_default();
        if phone.is_ringing() && number.starts_with(foreign) {
            return Err(format!("{} is called by {number}", phone.name()));
        }
    }
    Ok(())
}
