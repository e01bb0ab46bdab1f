//! How extensions are called in what is written down.

use std::sync::Arc;

use crate::support::{Pbx, snapshot};
use exchange::{Effect, Facilities, Input};
use leg::{LegEvent, LegId, Record};
use model::{Chance, EndReason, Snapshot, Tenant};

/// The caller hangs up; the addresses in the records of that.
fn addresses_at_the_end(pbx: &mut Pbx, caller: LegId) -> Vec<String> {
    let reason = EndReason::Cancelled;
    let event = LegEvent::Ended { reason, status: None, elsewhere: false };
    let mut chance = Chance::from_number(1);
    let mut effects = Vec::new();
    let mut facilities = Facilities { ports: &mut pbx.ports, chance: &mut chance };
    let input = Input::Leg { leg: caller, event };
    pbx.exchange.handle(pbx.now, input, &mut facilities, &mut effects);
    let address = |effect: &Effect| match effect {
        Effect::Record(Record::Cdr(cdr)) => Some(cdr.extension_name.to_string()),
        Effect::Record(Record::Event(event)) => {
            event.caller_extension.as_ref().map(|(address, _)| address.to_string())
        }
        _ => None,
    };
    effects.iter().filter_map(address).collect()
}

#[test]
fn a_domain_that_changes_during_a_call_is_the_one_in_its_records() {
    let mut pbx = Pbx::new();
    let caller = pbx.dials("100", "101");
    let before = snapshot();
    let tenant = Tenant { domain: "new.example".to_owned(), ..(*before.tenant).clone() };
    let extensions = before.extensions.values().cloned();
    let after = Snapshot::new(before.revision + 1, Arc::new(tenant), extensions);
    pbx.input(Input::Snapshot(Arc::new(after)));
    let mut addresses = addresses_at_the_end(&mut pbx, caller);
    addresses.sort();
    addresses.dedup();
    assert_eq!(addresses, ["0003*100@new.example", "0003*101@new.example"]);
}
