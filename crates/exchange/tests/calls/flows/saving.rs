//! Calls that were written down, by this version and by older ones.

use std::time::Duration;

use expect_test::expect;
use model::EndReason;

use super::{A, B, check, talking};
use crate::support::Pbx;

#[test]
fn a_saved_call_is_carried_on_and_ended_by_another_exchange() {
    let mut pbx = talking();
    let mut saved = Vec::new();
    pbx.exchange.take_unsaved(pbx.now, |_, bytes, legs| saved.push((bytes, legs.to_vec())));
    let (bytes, legs) = saved.pop().expect("an answered call is written down");
    assert_eq!(legs, [A, B]);

    let mut other = Pbx::new();
    other.now = other.now + Duration::from_secs(100);
    let call = other.exchange.load(other.now, &bytes, &mut other.ports).unwrap();
    other.exchange.check(&other.ports).unwrap();
    let reason = EndReason::Restart;
    other.input(exchange::Input::EndCall { call, reason });
    check(
        other,
        expect![[r#"
            in0 end restart
            event 5 100100 hangup ANSWER
            cdr 100100 Out restart 100 s
            out1 end restart
            event 6 100101 hangup ANSWER
            cdr 100101 In restart 100 s
        "#]],
    );
}

/// Every version of a saved call that was ever written must load for ever. A new version adds a
/// file; this test never loses one.
#[test]
fn every_saved_version_loads() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/saved");
    let newest = format!("{folder}/v{}.cbor", exchange::saved::VERSION);
    if std::env::var_os("UPDATE_SAVED").is_some() {
        let mut pbx = talking();
        pbx.exchange.take_unsaved(pbx.now, |_, bytes, _| std::fs::write(&newest, bytes).unwrap());
    }
    for version in 1..=exchange::saved::VERSION {
        let bytes = std::fs::read(format!("{folder}/v{version}.cbor")).unwrap();
        let mut pbx = Pbx::new();
        let call = pbx.exchange.load(pbx.now, &bytes, &mut pbx.ports).unwrap();
        pbx.exchange.check(&pbx.ports).unwrap();
        pbx.input(exchange::Input::EndCall { call, reason: EndReason::Restart });
        assert_eq!(pbx.said().matches("cdr").count(), 2);
        assert!(pbx.is_empty());
    }
}

#[test]
fn state_of_a_newer_program_and_garbage_are_refused() {
    let mut pbx = Pbx::new();
    for bytes in [&b"\xa1gversion\x19\x03\xe8"[..], b"", b"\xff\xff", b"\xa1gversion\x01"] {
        assert!(pbx.exchange.load(pbx.now, bytes, &mut pbx.ports).is_err());
    }
    assert!(pbx.is_empty());
}
