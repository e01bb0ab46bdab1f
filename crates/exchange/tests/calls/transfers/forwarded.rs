//! Who has forwarded a call and sends it on: how long it is part of it.

use leg::CallAction;
use model::{EndReason, Number};

use super::{listed, to};
use crate::support::{A, B, Pbx, out};

/// What an extension that has forwarded a call does with it, and what comes of it.
type Sent = (&'static str, CallAction, fn(&mut Pbx));

#[test]
fn the_part_of_who_has_forwarded_a_call_and_sends_it_on_is_over_with_that() {
    let ends: [Sent; 4] = [
        ("sent on", to("103"), |pbx| pbx.rings(out(2))),
        ("sent to a room", to("*8103"), |_| {}),
        ("asked", attended("103"), |pbx| {
            pbx.answers(out(2));
            let call = pbx.call_api_id();
            pbx.control("101", call, CallAction::Transfer(None)).unwrap();
        }),
        ("asked in a room", attended("*8103"), |pbx| {
            let call = pbx.call_api_id();
            pbx.control("101", call, CallAction::Transfer(None)).unwrap();
        }),
    ];
    for (what, action, then) in ends {
        let mut pbx = Pbx::with_rules("101: transfer 102 60s");
        pbx.dials("100", "101");
        pbx.answers(B);
        let call = pbx.call_api_id();
        pbx.control("101", call, action).unwrap();
        if what != "sent to a room" {
            assert!(listed(&mut pbx).contains("101"), "{what}: as long as it may fail");
            pbx.said();
        }
        then(&mut pbx);
        let left = listed(&mut pbx);
        assert!(!left.contains("101") && !left.contains("102"), "{what}: {left}");
        assert_eq!(pbx.said().matches("cdr 100101 In transferred").count(), 1, "{what}");
        pbx.input(exchange::Input::EndAll(EndReason::Drained));
        assert!(pbx.is_empty(), "{what}");
    }
}

#[test]
fn who_has_forwarded_a_call_is_part_of_it_still_when_its_transfer_comes_to_nothing() {
    for (action, busy) in [(to("103"), true), (attended("103"), true), (attended("103"), false)] {
        let mut pbx = Pbx::with_rules("101: transfer 102 60s");
        pbx.dials("100", "101");
        pbx.answers(B);
        let call = pbx.call_api_id();
        let before = listed(&mut pbx);
        pbx.control("101", call, action).unwrap();
        match busy {
            true => pbx.ends(out(2), EndReason::Busy, Some(486)),
            false => {
                pbx.control("101", call, CallAction::Offhold).unwrap();
            }
        }
        assert_eq!(listed(&mut pbx), before);
        pbx.ends(A, EndReason::CallerHungUp, None);
        assert!(pbx.is_empty());
    }
}

fn attended(number: &str) -> CallAction {
    CallAction::AttendedTransfer(Number::parse(number).unwrap())
}
