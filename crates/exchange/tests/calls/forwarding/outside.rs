//! Rules that lead to outside numbers, by one trunk or the next.

use expect_test::expect;
use model::EndReason;

use super::{check, out};
use crate::support::Pbx;

#[test]
fn an_outside_number_goes_by_the_next_trunk_when_one_does_not_take_it() {
    let mut pbx = Pbx::with_rules("");
    pbx.dials("100", "74951234567");
    pbx.ends(out(1), EndReason::Unreachable, Some(503));
    pbx.rings(out(2));
    pbx.answers(out(2));
    pbx.ends(out(2), EndReason::CalleeHungUp, None);
    check(
        pbx,
        expect![[r#"
        event 1 100100 dial-out CALLING
        audio of 1 legs: silence
        out1 dial 74951234567 by trunk 1 as 100 "Phone 100" offering 20002 SendRecv PCMU,PCMA
        audio of 1 legs: silence
        out2 dial 74951234567 by trunk 2 as 100 "Phone 100" offering 20004 SendRecv PCMU,PCMA
        in0 ring
        audio of 2 legs: in0 hears out2, out2 hears in0
        event 2 100100 answer ANSWER
        in0 answer 20000 SendRecv PCMA
        audio of 0 legs: silence
        in0 end callee_hung_up
        event 3 100100 hangup ANSWER
        cdr 100100 Out callee_hung_up 0 s
    "#]],
    );
}

#[test]
fn a_number_that_is_busy_outside_is_not_tried_again() {
    let mut pbx = Pbx::with_rules("");
    pbx.dials("100", "74951234567");
    pbx.ends(out(1), EndReason::Busy, Some(486));
    assert!(pbx.said().contains("in0 end busy\n"));
    assert!(pbx.is_empty());
}
