//! What outlives the process: registrations, records, goodbyes.

use std::collections::BTreeSet;
use std::time::Instant;

use crate::support::records::{CallRecord, call_records};
use crate::support::softphone::{Setup, Softphone};
use crate::support::{BOUND, Site, site};

/// Two phones on the phone with each other.
fn talking(site: &Site) -> (Softphone, Softphone) {
    let mut caller = Softphone::registered(site, "100", Setup::AUTO);
    let mut callee = Softphone::registered(site, "101", Setup::AUTO);
    caller.dial("101");
    callee.talks();
    caller.talks();
    (caller, callee)
}

fn legs(records: &[CallRecord]) -> BTreeSet<&str> {
    records.iter().map(|record| record.sub_call_id.as_str()).collect()
}

#[test]
fn after_a_crash_calls_are_over_and_phones_ring_without_registering_again() {
    let Some(mut site) = site(&["baresip"]) else { return };
    let (mut caller, mut callee) = talking(&site);
    let extensions = [site.account("100").extension_id, site.account("101").extension_id];
    site.kill_and_restart();

    caller.call_ends();
    callee.call_ends();
    let records = call_records(&site, 2, BOUND);
    assert_eq!(legs(&records).len(), records.len(), "one record per leg: {records:?}");
    assert_eq!(records.iter().map(|r| r.extension).collect::<Vec<_>>(), extensions);
    assert!(records.iter().all(|record| record.reason == "restart"), "{records:?}");

    let mut third = Softphone::registered(&site, "102", Setup::AUTO);
    third.dial("101");
    third.talks();
    callee.talks();
}

#[test]
fn a_stopping_switch_refuses_new_calls_and_waits_for_the_running_ones() {
    let Some(mut site) = site(&["baresip"]) else { return };
    let mut third = Softphone::registered(&site, "102", Setup::AUTO);
    let (mut caller, mut callee) = talking(&site);
    site.ask_to_stop();

    // The signal and the first call go separate ways, so a call may be the faster one.
    let begin = Instant::now();
    loop {
        third.dial("103");
        let refusal = third.call_ends();
        if refusal.contains("503") {
            break;
        }
        assert!(refusal.contains("480") && begin.elapsed() < BOUND, "{refusal}");
    }

    caller.hang_up();
    callee.call_ends();
    assert_eq!(site.exit_code(), Some(0));
    let records = call_records(&site, 2, BOUND);
    let talked: Vec<_> = records.iter().filter(|r| r.reason == "caller_hung_up").collect();
    assert_eq!(talked.len(), 2, "{records:?}");
}
