//! Which rule has its turn, where rules lead in circles, and what the caller notices.

use std::time::Duration;

use expect_test::expect;
use leg::LegEvent;
use model::EndReason;

use super::{A, check, out};
use crate::support::{Pbx, both, id};

#[test]
fn a_forward_rings_the_target_and_the_extension_stays_in_the_call() {
    let mut pbx = Pbx::with_rules("101: transfer 102");
    pbx.dials("100", "101");
    pbx.rings(out(1));
    pbx.answers(out(1));
    pbx.run_for(Duration::from_secs(5));
    expect![[r#"
        101: rule 1 fires: transfer, the last
        101: 102 rings
        102: answered
    "#]]
    .assert_eq(&pbx.trace());
    pbx.ends(out(1), EndReason::CalleeHungUp, None);
    check(
        pbx,
        expect![[r#"
        event 1 100100 dial-out CALLING
        audio of 1 legs: silence
        event 2 100101 dial-in CALLING
        event 3 100102 dial-in CALLING
        out1 dial as 100 "Phone 100" offering 20002 SendRecv PCMU,PCMA
        in0 ring
        audio of 2 legs: in0 hears out1, out1 hears in0
        event 4 100102 answer ANSWER
        event 5 100100 answer ANSWER
        in0 answer 20000 SendRecv PCMA
        audio of 0 legs: silence
        in0 end callee_hung_up
        event 6 100100 hangup ANSWER
        cdr 100100 Out callee_hung_up 5 s
        event 7 100102 hangup ANSWER
        cdr 100102 In callee_hung_up 5 s
        event 8 100101 hangup ANSWER
        cdr 100101 In callee_hung_up 5 s
    "#]],
    );
}

#[test]
fn an_unanswered_forward_gives_the_next_rule_its_turn() {
    let mut pbx = Pbx::with_rules("101: transfer+ 102 5s; simple_transfer 103 last=no");
    pbx.dials("100", "101");
    pbx.rings(out(1));
    pbx.run_for(Duration::from_secs(5));
    pbx.ends(out(2), EndReason::Busy, Some(486));
    check(
        pbx,
        expect![[r#"
        event 1 100100 dial-out CALLING
        audio of 1 legs: silence
        event 2 100101 dial-in CALLING
        event 3 100102 dial-in CALLING
        out1 dial as 100 "Phone 100" offering 20002 SendRecv PCMU,PCMA
        in0 ring
        audio of 1 legs: silence
        out1 end no_answer
        event 4 100102 hangup NOANSWER
        cdr 100102 In no_answer 0 s
        event 5 100103 dial-in CALLING
        out2 dial as 100 "Phone 100" offering 20004 SendRecv PCMU,PCMA
        audio of 0 legs: silence
        event 6 100103 hangup BUSY
        cdr 100103 In busy 0 s
        event 7 100101 hangup BUSY
        cdr 100101 In busy 0 s
        in0 end busy
        event 8 100100 hangup BUSY
        cdr 100100 Out busy 0 s
    "#]],
    );
}

#[test]
fn a_rule_that_waits_for_the_extension_rings_it_first() {
    let mut pbx = Pbx::with_rules("101: transfer 102 own=busy");
    pbx.dials("100", "101");
    pbx.rings(out(1));
    pbx.ends(out(1), EndReason::Busy, Some(486));
    pbx.rings(out(2));
    expect![[r#"
        101: the extension rings, rule 1 waits for the result
        101: result: busy
        101: rule 1 fires: transfer, the last
        101: 102 rings
    "#]]
    .assert_eq(&pbx.trace());
    pbx.ends(A, EndReason::Cancelled, None);
    check(
        pbx,
        expect![[r#"
        event 1 100100 dial-out CALLING
        audio of 1 legs: silence
        event 2 100101 dial-in CALLING
        out1 dial as 100 "Phone 100" offering 20002 SendRecv PCMU,PCMA
        in0 ring
        audio of 1 legs: silence
        event 3 100102 dial-in CALLING
        out2 dial as 100 "Phone 100" offering 20004 SendRecv PCMU,PCMA
        audio of 0 legs: silence
        out2 end cancelled
        event 4 100102 hangup CANCEL
        cdr 100102 In cancelled 0 s
        event 5 100101 hangup CANCEL
        cdr 100101 In cancelled 0 s
        event 6 100100 hangup CANCEL
        cdr 100100 Out cancelled 0 s
    "#]],
    );
}

#[test]
fn mutual_forwards_skip_the_way_back() {
    let mut pbx = Pbx::with_rules("101: transfer+ 102\n102: transfer+ 101");
    pbx.dials("100", "101");
    expect![[r#"
        101: rule 1 fires: transfer
        101: 102 rings
        102: rule 1 fires: transfer
        102: 101 is skipped: its rules have led here
        102: result: no answer
        102: the extension rings
    "#]]
    .assert_eq(&pbx.trace());
    pbx.ends(A, EndReason::Cancelled, None);
    check(
        pbx,
        expect![[r#"
        event 1 100100 dial-out CALLING
        audio of 1 legs: silence
        event 2 100101 dial-in CALLING
        event 3 100102 dial-in CALLING
        out1 dial as 100 "Phone 100" offering 20002 SendRecv PCMU,PCMA
        audio of 0 legs: silence
        out1 end cancelled
        event 4 100102 hangup CANCEL
        cdr 100102 In cancelled 0 s
        event 5 100101 hangup CANCEL
        cdr 100101 In cancelled 0 s
        event 6 100100 hangup CANCEL
        cdr 100100 Out cancelled 0 s
    "#]],
    );
}

#[test]
fn simple_transfer_breaks_the_circle() {
    let mut pbx = Pbx::with_rules("101: simple_transfer 102\n102: transfer 101");
    pbx.dials("100", "101");
    pbx.rings(out(1));
    pbx.answers(out(1));
    pbx.ends(A, EndReason::CallerHungUp, None);
    let said = pbx.said();
    assert!(said.contains("event 3 100102 dial-in"), "{said}");
    assert!(pbx.is_empty());
}

#[test]
fn rules_of_a_target_run_inside_of_the_rule_that_led_there() {
    let mut pbx = Pbx::with_rules("101: transfer+ 102 40s; busy\n102: transfer+ 103 5s; hangup");
    pbx.dials("100", "101");
    pbx.rings(out(1));
    pbx.run_for(Duration::from_secs(5));
    expect![[r#"
        event 1 100100 dial-out CALLING
        audio of 1 legs: silence
        event 2 100101 dial-in CALLING
        event 3 100102 dial-in CALLING
        event 4 100103 dial-in CALLING
        out1 dial as 100 "Phone 100" offering 20002 SendRecv PCMU,PCMA
        in0 ring
        audio of 0 legs: silence
        out1 end no_answer
        event 5 100103 hangup NOANSWER
        cdr 100103 In no_answer 0 s
        event 6 100102 hangup NOANSWER
        cdr 100102 In hangup_by_rule 0 s
        event 7 100101 hangup BUSY
        cdr 100101 In busy_by_rule 0 s
        in0 end busy_by_rule
        event 8 100100 hangup BUSY
        cdr 100100 Out busy_by_rule 0 s
    "#]]
    .assert_eq(&pbx.said());
    assert!(pbx.is_empty());
}

#[test]
fn a_silent_extension_is_unreachable_and_its_rules_for_that_run() {
    let mut pbx = Pbx::with_rules("101: transfer 102 unreachable; hangup last=no");
    pbx.dials("100", "101");
    pbx.run_for(Duration::from_secs(6));
    expect![[r#"
        101: rule 1 is skipped: the extension is registered
        101: the extension rings, rule 2 waits for the result
        101: result: no answer
        101: the extension is unreachable
        101: rule 1 fires: transfer, the last
        101: 102 rings
    "#]]
    .assert_eq(&pbx.trace());
    pbx.ends(A, EndReason::Cancelled, None);
    check(
        pbx,
        expect![[r#"
        event 1 100100 dial-out CALLING
        audio of 1 legs: silence
        event 2 100101 dial-in CALLING
        out1 dial as 100 "Phone 100" offering 20002 SendRecv PCMU,PCMA
        audio of 1 legs: silence
        out1 end unreachable
        event 3 100102 dial-in CALLING
        out2 dial as 100 "Phone 100" offering 20004 SendRecv PCMU,PCMA
        audio of 0 legs: silence
        out2 end cancelled
        event 4 100102 hangup CANCEL
        cdr 100102 In cancelled 0 s
        event 5 100101 hangup CANCEL
        cdr 100101 In cancelled 0 s
        event 6 100100 hangup CANCEL
        cdr 100100 Out cancelled 0 s
    "#]],
    );
}

#[test]
fn early_media_is_kept_from_the_caller_unless_the_rule_says_otherwise() {
    for (rule, heard) in [("transfer 79161112233", false), ("transfer 79161112233 early", true)] {
        let mut pbx = Pbx::with_rules(&format!("101: {rule}"));
        pbx.dials("100", "101");
        let early = Some(Box::new(both()));
        pbx.event(out(1), LegEvent::Progress { status: 183, early });
        assert_eq!(pbx.said().contains("in0 ring early"), heard, "{rule}");
        pbx.ends(A, EndReason::Cancelled, None);
        assert!(pbx.is_empty());
    }
}

#[test]
fn what_a_program_hangs_up_is_one_branch_if_a_rule_rang_it() {
    let mut pbx = Pbx::with_rules("101: transfer 102 103");
    pbx.dials("100", "101");
    pbx.rings(out(1));
    pbx.rings(out(2));
    pbx.said();
    let call = pbx.call_api_id();
    let command = leg::Command::Hangup { extension: id("102"), call };
    pbx.command(command);
    expect![[r#"
        audio of 1 legs: silence
        out1 end api_hangup
        event 5 100102 hangup CANCEL
        cdr 100102 In api_hangup 0 s
    "#]]
    .assert_eq(&pbx.said());
    let command = leg::Command::Hangup { extension: id("101"), call };
    pbx.command(command);
    check(
        pbx,
        expect![[r#"
        audio of 0 legs: silence
        out2 end api_hangup
        event 6 100103 hangup CANCEL
        cdr 100103 In api_hangup 0 s
        event 7 100101 hangup CANCEL
        cdr 100101 In api_hangup 0 s
        in0 end api_hangup
        event 8 100100 hangup CANCEL
        cdr 100100 Out api_hangup 0 s
    "#]],
    );
}

#[test]
fn an_extension_with_too_many_calls_is_busy_to_its_rules() {
    // 103 takes one call at a time.
    let mut pbx = Pbx::with_rules("103: transfer 102 own=busy");
    pbx.dials("101", "103");
    pbx.said();
    pbx.dials("100", "103");
    expect![[r#"
        event 1 100100 dial-out CALLING
        audio of 1 legs: silence
        event 2 100103 dial-in CALLING
        event 3 100102 dial-in CALLING
        out2 dial as 100 "Phone 100" offering 20006 SendRecv PCMU,PCMA
    "#]]
    .assert_eq(&pbx.said());
}

#[test]
fn a_caller_is_told_every_minute_that_it_still_rings() {
    for (rules, early, told) in [
        ("101: transfer 79161112233 200s", false, "in0 ring\n"),
        ("101: transfer 79161112233 200s early", true, "in0 ring early 20000 SendRecv PCMU\n"),
    ] {
        let mut pbx = Pbx::with_rules(rules);
        pbx.dials("100", "101");
        pbx.run_for(Duration::from_secs(1));
        let session = early.then(|| Box::new(both()));
        pbx.event(out(1), LegEvent::Progress { status: 183, early: session });
        assert_eq!(pbx.said().matches(told).count(), 1, "{rules}");
        pbx.run_for(Duration::from_secs(190));
        assert_eq!(pbx.said(), told.repeat(3), "{rules}");
        pbx.run_for(Duration::from_secs(9));
        assert!(pbx.is_empty(), "{rules}");
    }
}
