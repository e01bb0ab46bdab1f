//! Codes that are pressed in a talk.

use std::time::Duration;

use expect_test::expect;
use leg::{LegEvent, LegId};
use model::{Digit, EndReason};

use crate::support::{A, B, Pbx, out, talking};

fn check(pbx: &mut Pbx, expected: &expect_test::Expect) {
    expected.assert_eq(&pbx.said());
}

fn presses(pbx: &mut Pbx, leg: LegId, keys: &str) {
    for key in keys.chars() {
        pbx.presses(leg, key);
    }
}

#[test]
fn a_phone_sends_its_far_party_on_with_a_code_of_which_that_hears_nothing() {
    let mut pbx = talking();
    presses(&mut pbx, B, "#1102#");
    pbx.answers(out(2));
    check(
        &mut pbx,
        &expect![[r#"
        audio of 3 legs: in0 hears ringback
        event 5 100102 dial-in CALLING
        out2 dial as 100 "Phone 100" offering 20004 SendRecv PCMA,PCMU
        audio of 2 legs: in0 hears out2, out2 hears in0
        event 6 100102 answer ANSWER
        out1 end transferred
        event 7 100101 hangup ANSWER
        cdr 100101 In transferred 0 s
        in0 identify Phone 102
    "#]],
    );
    pbx.ends(A, EndReason::CallerHungUp, None);
    assert!(pbx.is_empty());
}

#[test]
fn a_phone_asks_somebody_and_comes_back_with_a_code() {
    for answered in [true, false] {
        let mut pbx = talking();
        presses(&mut pbx, A, "*2102#");
        if answered {
            pbx.answers(out(2));
        }
        assert!(pbx.said().contains("out1 hears music"));
        for key in "*2".chars() {
            pbx.event(A, LegEvent::Digit(Digit::from_char(key).unwrap()));
        }
        let said = pbx.said();
        assert!(said.contains("in0 hears out1, out1 hears in0"), "{said}");
        assert!(said.contains("out2 end"), "{said}");
        pbx.ends(B, EndReason::CalleeHungUp, None);
        assert!(pbx.is_empty());
    }
}

#[test]
fn a_number_is_over_when_nothing_more_is_pressed() {
    let mut pbx = talking();
    presses(&mut pbx, B, "#1102");
    pbx.said();
    pbx.run_for(Duration::from_secs(4));
    assert!(pbx.said().contains("out2 dial as 100"));
}

#[test]
fn keys_that_are_no_code_reach_the_other_side_in_their_order() {
    let mut pbx = talking();
    presses(&mut pbx, B, "5#25*");
    check(
        &mut pbx,
        &expect![[r#"
        digit 5 to in0 for 160 ms
        digit # to in0 for 160 ms
        digit 2 to in0 for 160 ms
        digit 5 to in0 for 160 ms
    "#]],
    );
    pbx.run_for(Duration::from_secs(4));
    check(
        &mut pbx,
        &expect![[r#"
        digit * to in0 for 160 ms
    "#]],
    );
}

#[test]
fn a_code_that_cannot_be_followed_is_told_by_a_tone() {
    let mut pbx = talking();
    presses(&mut pbx, B, "#1999#");
    assert_eq!(pbx.said(), "audio of 2 legs: in0 hears out1, out1 hears congestion\n");
    pbx.run_for(Duration::from_secs(3));
    assert_eq!(pbx.said(), "audio of 2 legs: in0 hears out1, out1 hears in0\n");
}

#[test]
fn codes_are_off_for_a_phone_that_has_none_and_for_outside_parties() {
    let mut pbx = Pbx::with_phones("", |_, phone| phone.keypad_codes = false);
    pbx.dials("100", "101");
    pbx.answers(B);
    pbx.said();
    presses(&mut pbx, B, "#1");
    check(
        &mut pbx,
        &expect![[r#"
        digit # to in0 for 160 ms
        digit 1 to in0 for 160 ms
    "#]],
    );

    for (lets, passed) in [(false, true), (true, false)] {
        let mut pbx = Pbx::with("101: transfer 74951234567", |_, routing| {
            for rules in routing.rules.values_mut() {
                let rules = std::sync::Arc::make_mut(rules);
                rules.0.iter_mut().for_each(|rule| rule.allow_public_transfer = lets);
            }
        });
        pbx.dials("100", "101");
        pbx.answers(B);
        pbx.said();
        presses(&mut pbx, B, "#1");
        assert_eq!(pbx.said().contains("digit"), passed);
    }
}

#[test]
fn what_is_held_survives_a_restart() {
    let mut pbx = talking();
    presses(&mut pbx, B, "#110");
    pbx.moves_to_a_clock_that_began(Duration::from_secs(500));
    presses(&mut pbx, B, "2#");
    assert!(pbx.said().contains("out2 dial as 100"));
}
