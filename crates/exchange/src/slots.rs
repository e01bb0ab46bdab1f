//! Slots: where calls are parked.

use std::collections::BTreeMap;

use leg::Refusal;
use model::{CallId, CallUuid, ExtensionId, Mono, Number, Snapshot};

use crate::call::StepId;

/// How the name of a slot begins where phones watch it or dial it.
const NAME: &str = "park+";

/// What holds a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    /// The call.
    pub call: CallId,
    /// Its step that is parked there.
    pub step: StepId,
    /// Since when, also if it has rung back meanwhile.
    pub since: Mono,
    /// The extension in whose name it was parked.
    pub by: ExtensionId,
    /// The UUID under which the call is listed.
    pub conversation: CallUuid,
}

/// The slots of a tenant.
#[derive(Clone, Debug, Default)]
pub struct Slots {
    taken: BTreeMap<u8, Slot>,
}

impl Slots {
    /// The slots that are taken, rising.
    pub fn iter(&self) -> impl Iterator<Item = (u8, &Slot)> {
        self.taken.iter().map(|(number, slot)| (*number, slot))
    }

    /// What holds a slot.
    pub fn holder(&self, number: u8) -> Option<&Slot> {
        self.taken.get(&number)
    }

    /// The slots that are free, rising.
    pub fn free(&self, snapshot: &Snapshot) -> impl Iterator<Item = u8> {
        numbers(snapshot).filter(|number| !self.taken.contains_key(number))
    }

    /// What has been parked longest; of several since one moment the lowest.
    pub fn longest(&self) -> Option<(u8, &Slot)> {
        self.iter().min_by_key(|(number, slot)| (slot.since, *number))
    }

    /// What holds a slot, or what has been parked longest.
    pub fn parked(&self, wanted: Option<u8>) -> Option<(u8, &Slot)> {
        match wanted {
            Some(number) => self.holder(number).map(|slot| (number, slot)),
            None => self.longest(),
        }
    }

    /// A slot to park in: the one that is wanted, else the lowest free one.
    pub fn choose(&self, wanted: Option<u8>, snapshot: &Snapshot) -> Result<u8, Refusal> {
        match wanted {
            Some(number) if !numbers(snapshot).any(|n| n == number) => Err(Refusal::NoSuchSlot),
            Some(number) if self.taken.contains_key(&number) => Err(Refusal::SlotFull),
            Some(number) => Ok(number),
            None => self.free(snapshot).next().ok_or(Refusal::NoFreeSlot),
        }
    }

    /// Somebody is parked.
    pub(crate) fn occupy(&mut self, number: u8, slot: Slot) {
        self.taken.insert(number, slot);
    }

    /// Nobody is parked there any more.
    pub(crate) fn vacate(&mut self, number: u8) {
        self.taken.remove(&number);
    }

    /// What a call has parked belongs to another one from now on.
    pub(crate) fn pass_on(&mut self, from: CallId, to: CallId) {
        for slot in self.taken.values_mut().filter(|slot| slot.call == from) {
            slot.call = to;
        }
    }

    /// A call is gone: the slots that it held.
    pub(crate) fn forget(&mut self, call: CallId) -> Vec<u8> {
        let held = self.taken.iter().filter(|(_, slot)| slot.call == call);
        let held: Vec<u8> = held.map(|(number, _)| *number).collect();
        for number in &held {
            self.taken.remove(number);
        }
        held
    }
}

/// The slots that there are.
pub fn numbers(snapshot: &Snapshot) -> core::ops::RangeInclusive<u8> {
    1..=snapshot.routing.settings.shown.valet_park_slots
}

/// Under which name a slot is watched and dialled.
pub fn name(number: u8) -> Number {
    let digit = Number::parse(&format!("{NAME}{number}"));
    digit.expect("a short text without spaces is a number")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot(call: u64) -> Slot {
        Slot {
            call: CallId(call),
            step: StepId(call),
            since: Mono::default(),
            by: ExtensionId(1),
            conversation: CallUuid(call.into()),
        }
    }

    #[test]
    fn what_a_call_has_parked_goes_with_it_into_another_and_is_forgotten_with_that() {
        let mut slots = Slots::default();
        for (number, call) in [(1, 7), (2, 8), (3, 7)] {
            slots.occupy(number, slot(call));
        }
        slots.pass_on(CallId(7), CallId(9));
        let holders: Vec<_> = slots.iter().map(|(number, slot)| (number, slot.call.0)).collect();
        assert_eq!(holders, [(1, 9), (2, 8), (3, 9)]);
        assert_eq!(slots.forget(CallId(7)), []);
        assert_eq!(slots.forget(CallId(9)), [1, 3]);
        assert_eq!(slots.iter().count(), 1);
    }
}
