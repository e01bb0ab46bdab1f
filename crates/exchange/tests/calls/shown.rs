//! What phones are shown of who is at the other end, when somebody else has come there.

use leg::{CallAction, LegId};
use model::{EndReason, Number};

use crate::support::{A, B, Pbx, out, talking};

/// The second leg that is dialled.
const C: LegId = LegId(5);

fn number(text: &str) -> Number {
    Number::parse(text).unwrap()
}

fn transfer(to: &str) -> CallAction {
    CallAction::Transfer(Some(number(to)))
}

/// The lines that show something to a leg, or say that it is answered.
fn shown_to(said: &str, leg: LegId) -> Vec<&str> {
    let of_leg = |line: &&str| line.starts_with(&format!("{leg} "));
    let tells = |line: &&str| line.contains("identify") || line.contains(" answer ");
    let lines = said.lines().filter(of_leg).filter(tells);
    lines.map(|line| line.split_once(' ').unwrap().1.trim_end_matches(char::is_numeric)).collect()
}

#[test]
fn who_calls_is_shown_to_whom_a_program_has_sent_its_ringing_call() {
    for rules in ["", "101: transfer 103"] {
        let mut pbx = Pbx::with_rules(rules);
        pbx.dials("100", "101");
        let rung = B;
        pbx.rings(rung);
        let call = pbx.call_api_id();
        pbx.control("101", call, transfer("102")).unwrap();
        pbx.rings(C);
        pbx.said();
        pbx.answers(C);
        let said = pbx.said();
        let shown = shown_to(&said, A);
        assert_eq!(shown.first(), Some(&"identify Phone "), "in the 200, {rules}: {said}");
        assert!(said.contains("in0 identify Phone 102"), "{rules}: {said}");
        assert_eq!(shown.len(), 2, "and once: {said}");
        pbx.ends(A, EndReason::CallerHungUp, None);
        assert!(pbx.is_empty());
    }
    // Whom a rule has forwarded to is not: who calls knows what it has dialled.
    let mut pbx = Pbx::with_rules("101: transfer 102");
    pbx.dials("100", "101");
    pbx.answers(B);
    assert!(!pbx.said().contains("in0 identify"));
}

#[test]
fn who_calls_is_shown_the_room_to_which_a_program_has_sent_its_ringing_call() {
    let mut pbx = Pbx::new();
    pbx.dials("100", "101");
    pbx.rings(B);
    let call = pbx.call_api_id();
    pbx.control("101", call, transfer("*8103")).unwrap();
    assert!(pbx.said().contains("in0 identify *8103"));
}

#[test]
fn who_hides_comes_back_under_the_word_that_says_why_it_rings() {
    let mut pbx = Pbx::new();
    pbx.dials_privately("100", "101");
    pbx.answers(B);
    let call = pbx.call_api_id();
    pbx.control("101", call, transfer("102")).unwrap();
    pbx.rings(C);
    pbx.said();
    pbx.ends(C, EndReason::Busy, Some(486));
    let said = pbx.said();
    assert!(said.contains("out3 dial as - \"Back: Anonymous\" offering"), "{said}");
    pbx.answers(out(3));
    let said = pbx.said();
    assert!(
        said.contains("in0 hears out3, out3 hears in0") && !said.contains("Phone 100"),
        "{said}"
    );
}

/// 100 is given back to 101, at which it rings.
fn given_back() -> Pbx {
    let mut pbx = talking();
    let call = pbx.call_api_id();
    pbx.control("101", call, transfer("102")).unwrap();
    pbx.rings(C);
    pbx.ends(C, EndReason::Busy, Some(486));
    assert!(pbx.said().contains("out3 dial as 100 \"Back: Phone 100\""));
    pbx
}

#[test]
fn why_it_rings_at_who_has_transferred_is_not_told_to_whom_that_sends_it_on() {
    let mut pbx = given_back();
    let call = pbx.call_api_id();
    pbx.control("101", call, transfer("103")).unwrap();
    pbx.answers(out(4));
    let said = pbx.said();
    assert!(said.contains("out4 dial as 100 \"Phone 100\""), "{said}");
    assert!(said.contains("in0 identify Phone 103"), "{said}");
    assert!(!said.contains("Back"), "{said}");
}

#[test]
fn why_it_rings_at_who_has_transferred_is_not_told_to_who_takes_it() {
    let mut pbx = given_back();
    let call = pbx.call_api_id();
    pbx.control("101", call, CallAction::Pickup(number("103"))).unwrap();
    pbx.answers(out(4));
    let said = pbx.said();
    assert!(said.contains("out4 dial as 100 \"Phone 100\""), "{said}");
    assert!(!said.contains("Back"), "{said}");
    let mut pbx = given_back();
    let taker = pbx.dials("103", "*7101");
    assert!(pbx.said().contains(&format!("{taker} identify Phone 100")));
}

#[test]
fn who_takes_a_call_that_is_transferred_and_its_far_party_are_shown_each_other_once() {
    let mut pbx = talking();
    let call = pbx.call_api_id();
    pbx.control("101", call, transfer("102")).unwrap();
    pbx.rings(C);
    pbx.said();
    let taker = pbx.dials("103", "*7102");
    let said = pbx.said();
    assert_eq!(said.matches("in0 identify Phone 103").count(), 1, "{said}");
    assert_eq!(said.matches(&format!("{taker} identify Phone 100")).count(), 1, "{said}");
    pbx.ends(A, EndReason::CallerHungUp, None);
    assert!(pbx.is_empty());
}
