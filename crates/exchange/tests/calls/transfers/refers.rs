//! Blind transfers by REFER, and what is told to the phone that asks for them.

use std::time::Duration;

use expect_test::expect;
use leg::Direction;
use model::EndReason;

use super::{check, refer};
use crate::support::{A, B, Pbx, out, talking};

#[test]
fn a_transfer_by_refer_leaves_the_phone_to_hang_up() {
    let mut pbx = talking();
    pbx.offers(B, Direction::SendOnly);
    pbx.said();
    refer(&mut pbx, B, "102");
    pbx.rings(out(2));
    pbx.answers(out(2));
    pbx.ends(B, EndReason::CalleeHungUp, None);
    check(
        &mut pbx,
        &expect![[r#"
        audio of 3 legs: in0 hears ringback
        out1 refer 1 accepted
        out1 refer 1 100
        event 5 100102 dial-in CALLING
        out2 dial as 100 "Phone 100" offering 20004 SendRecv PCMA,PCMU
        out1 refer 1 180
        audio of 3 legs: in0 hears out2, out2 hears in0
        event 6 100102 answer ANSWER
        out1 refer 1 200
        in0 identify Phone 102
        audio of 2 legs: in0 hears out2, out2 hears in0
        event 7 100101 hangup ANSWER
        cdr 100101 In transferred 0 s
    "#]],
    );
    pbx.ends(A, EndReason::CallerHungUp, None);
    assert!(pbx.is_empty());
}

#[test]
fn a_phone_that_does_not_hang_up_after_its_transfer_is_hung_up() {
    let mut pbx = talking();
    refer(&mut pbx, B, "102");
    pbx.answers(out(2));
    pbx.said();
    pbx.run_for(Duration::from_secs(6));
    check(
        &mut pbx,
        &expect![[r#"
        audio of 2 legs: in0 hears out2, out2 hears in0
        out1 end transferred
        event 7 100101 hangup ANSWER
        cdr 100101 In transferred 5 s
    "#]],
    );
    pbx.ends(A, EndReason::CallerHungUp, None);
    assert!(pbx.is_empty());
}

#[test]
fn a_refer_that_fails_leaves_the_call_as_the_phone_left_it() {
    let mut pbx = talking();
    pbx.offers(B, Direction::SendOnly);
    refer(&mut pbx, B, "102");
    pbx.rings(out(2));
    pbx.said();
    pbx.ends(out(2), EndReason::Busy, Some(486));
    check(
        &mut pbx,
        &expect![[r#"
        audio of 2 legs: in0 hears music
        event 6 100102 hangup BUSY
        cdr 100102 In busy 0 s
        out1 refer 1 486
    "#]],
    );
    pbx.ends(B, EndReason::CalleeHungUp, None);
    assert!(pbx.is_empty());
}

#[test]
fn a_phone_that_hangs_up_behind_its_refer_does_not_end_the_call_of_the_other() {
    let mut pbx = talking();
    refer(&mut pbx, B, "102");
    pbx.ends(B, EndReason::CalleeHungUp, None);
    pbx.said();
    pbx.ends(out(2), EndReason::Busy, Some(486));
    check(
        &mut pbx,
        &expect![[r#"
        audio of 2 legs: in0 hears ringback
        event 7 100102 hangup BUSY
        cdr 100102 In busy 0 s
        event 8 100101 dial-in CALLING
        out3 dial as 100 "Back: Phone 100" offering 20006 SendRecv PCMA,PCMU
    "#]],
    );
    pbx.ends(A, EndReason::CallerHungUp, None);
    assert!(pbx.is_empty());
}

#[test]
fn a_refer_to_what_may_not_be_called_is_refused() {
    for (number, status) in [("999", 603), ("109", 403), ("*9", 403)] {
        let mut pbx = talking();
        refer(&mut pbx, B, number);
        assert_eq!(pbx.said(), format!("out1 refer 1 refused {status}\n"));
    }
    let mut pbx = Pbx::new();
    pbx.dials("100", "101");
    pbx.said();
    refer(&mut pbx, A, "102");
    assert_eq!(pbx.said(), "in0 refer 1 refused 603\n", "it still dials");
}

#[test]
fn an_outside_party_sends_nobody_on_unless_the_rule_lets_it() {
    for (lets, said) in [(false, "out1 refer 1 refused 603"), (true, "out1 refer 1 accepted")] {
        let mut pbx = Pbx::with("101: transfer 74951234567", |_, routing| {
            for rules in routing.rules.values_mut() {
                let rules = std::sync::Arc::make_mut(rules);
                rules.0.iter_mut().for_each(|rule| rule.allow_public_transfer = lets);
            }
        });
        pbx.dials("100", "101");
        pbx.answers(B);
        pbx.said();
        refer(&mut pbx, B, "102");
        assert!(pbx.said().contains(said), "{lets}");
    }
}
