//! Who waits for what others do: in a consultation, in a transfer, in a slot.

use std::time::Duration;

use leg::{CallAction, Direction, Refusal};
use model::{EndReason, Number};

use crate::support::{A, B, Pbx, out, talking};

fn number(text: &str) -> Number {
    Number::parse(text).unwrap()
}

/// 100 waits while 101 looks for 102, which rings.
fn consulting(mut pbx: Pbx) -> Pbx {
    let call = pbx.call_api_id();
    pbx.control("101", call, CallAction::AttendedTransfer(number("102"))).unwrap();
    pbx.rings(out(2));
    pbx.said();
    pbx
}

fn called(mut pbx: Pbx) -> Pbx {
    pbx.dials("100", "101");
    pbx.answers(B);
    pbx
}

#[test]
fn who_waits_and_holds_itself_hears_no_music() {
    let mut pbx = consulting(talking());
    pbx.offers(A, Direction::SendOnly);
    let said = pbx.said();
    let heard = said.lines().find(|line| line.starts_with("audio of ")).unwrap();
    assert!(!heard.contains("in0 hears"), "{heard}");
}

#[test]
fn a_phone_that_has_no_codes_does_not_come_back_by_one() {
    for has_codes in [true, false] {
        let set = |_: &str, shown: &mut model::PhoneShown| shown.keypad_codes = has_codes;
        let mut pbx = consulting(called(Pbx::with_phones("", set)));
        "*2".chars().for_each(|key| pbx.presses(B, key));
        let said = pbx.said();
        assert_eq!(said.contains("in0 hears out1, out1 hears in0"), has_codes, "{said}");
    }
}

#[test]
fn who_waits_for_whom_somebody_has_looked_for_waits_no_longer_than_a_transfer() {
    let rules = "102: transfer+ 103 25s; transfer+ 103 25s; transfer+ 103 25s; transfer+ 103 25s";
    let mut pbx = consulting(called(Pbx::with_rules(rules)));
    pbx.ends(B, EndReason::CalleeHungUp, None);
    // Whoever is dialled rings.
    let mut rings_for = |seconds: u64| {
        for _ in 0..seconds {
            (2..9).for_each(|leg| pbx.rings(out(leg)));
            pbx.run_for(Duration::from_secs(1));
        }
        pbx.said()
    };
    assert!(!rings_for(58).contains("\"Back: "), "the third rule is tried");
    let said = rings_for(4);
    assert!(said.contains("\"Back: "), "{said}");
}

#[test]
fn an_extension_that_has_rung_in_vain_can_be_rung_by_the_next_rule_whatever_its_limit() {
    let mut pbx = Pbx::with_rules("102: transfer+ 103 5s; transfer 103 5s");
    pbx.dials("100", "102");
    pbx.rings(out(1));
    pbx.run_for(Duration::from_secs(6));
    let said = pbx.said();
    assert!(said.contains("out2 dial as 100") && !said.contains("extension_limit"), "{said}");
}

#[test]
fn an_extension_is_not_rung_twice_by_one_rule_beyond_its_limit() {
    let mut pbx = Pbx::with_rules("102: simple_cascade 103 103@1 104");
    pbx.dials("100", "102");
    pbx.rings(out(1));
    pbx.run_for(Duration::from_secs(3));
    let said = pbx.said();
    assert!(said.contains("extension_limit") && !said.contains("out2 dial"), "{said}");
}

#[test]
fn who_waits_in_the_place_of_somebody_is_in_one_conversation_with_all_that_are_rung() {
    let mut pbx = consulting(called(Pbx::with_rules("102: transfer+ 103 5s; transfer 103 60s")));
    let call = pbx.call_api_id();
    pbx.ends(B, EndReason::CalleeHungUp, None);
    pbx.run_for(Duration::from_secs(6));
    pbx.rings(out(3));
    let listed = pbx.listed();
    let rung = listed.iter().find(|(name, ..)| name.ends_with("103"));
    assert_eq!(rung.map(|(_, of, _)| *of), Some(call), "{listed:?}");
}

#[test]
fn a_parked_call_that_is_sent_on_while_it_rings_back_rings_back_no_more() {
    let mut pbx = talking();
    let call = pbx.call_api_id();
    pbx.control("101", call, CallAction::Park(None)).unwrap();
    pbx.run_for(Duration::from_secs(181));
    pbx.rings(out(2));
    pbx.said();
    pbx.control("101", call, CallAction::Transfer(Some(number("102")))).unwrap();
    let said = pbx.said();
    assert!(said.contains("out2 end ") && said.contains("out3 dial as 100"), "{said}");
    pbx.ends(A, EndReason::CallerHungUp, None);
    assert!(pbx.is_empty());
}

#[test]
fn without_a_port_nobody_is_sent_on() {
    let mut pbx = Pbx::with_ports(2);
    pbx.dials("100", "101");
    pbx.answers(B);
    let call = pbx.call_api_id();
    pbx.said();
    for order in
        [CallAction::Transfer(Some(number("102"))), CallAction::AttendedTransfer(number("102"))]
    {
        assert_eq!(pbx.control("101", call, order), Err(Refusal::Full));
    }
    assert_eq!(pbx.said(), "");
}

#[test]
fn nobody_is_sent_on_to_where_its_client_does_not_call() {
    let mut pbx = called(Pbx::with("", |_, _| {}));
    let call = pbx.call_api_id();
    pbx.said();
    let premium = number("78091234567");
    for order in
        [CallAction::Transfer(Some(premium.clone())), CallAction::AttendedTransfer(premium)]
    {
        assert_eq!(pbx.control("101", call, order), Err(Refusal::Forbidden));
    }
    assert_eq!(pbx.said(), "");
}
