//! Wrong PINs: what outlasts a restart.

use leg::{Record, WrongPinCount};
use model::Now;

use super::Exchange;
use crate::interface::Effect;

impl Exchange {
    /// The wrong PINs that count at this moment, to be written down elsewhere.
    pub fn wrong_pins(&self, now: Now) -> Vec<WrongPinCount> {
        let tenant = self.snapshot.tenant.id;
        self.tables.pins.iter(now.mono).map(|count| count.written(tenant, now)).collect()
    }

    pub(super) fn restore_wrong_pins(
        &mut self,
        now: Now,
        counts: &[WrongPinCount],
        effects: &mut Vec<Effect>,
    ) {
        let tenant = self.snapshot.tenant.id;
        for read in counts {
            if let Some(shortened) = self.tables.pins.restore(now, read) {
                let record = Record::WrongPins(shortened.written(tenant, now));
                effects.push(Effect::Record(record));
            }
        }
    }
}
