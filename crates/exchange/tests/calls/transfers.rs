//! Blind transfers, by programs and by REFER, and what becomes of a far party that nobody takes.

use std::time::Duration;

use expect_test::expect;
use leg::{CallAction, Direction, LegEvent, LegId, ReferId, ReferTo, Refusal};
use model::{CallApiId, EndReason, Number};

use crate::support::{A, B, Pbx, out, talking};

fn check(pbx: &mut Pbx, expected: &expect_test::Expect) {
    expected.assert_eq(&pbx.said());
}

fn to(text: &str) -> CallAction {
    CallAction::Transfer(Some(Number::parse(text).unwrap()))
}

fn refer(pbx: &mut Pbx, leg: LegId, number: &str) {
    let to = ReferTo::Number(Number::parse(number).unwrap());
    pbx.event(leg, LegEvent::Refer { refer: ReferId(1), to, referred_by: None });
}

/// Who is listed and talks, and who is listed only: `100 101-`.
fn listed(pbx: &mut Pbx) -> String {
    let name = |(name, _, real): (String, CallApiId, bool)| {
        format!("{}{}", &name[5..], if real { "" } else { "-" })
    };
    pbx.listed().into_iter().map(name).collect::<Vec<_>>().join(" ")
}

/// 100 talks with 101, which sends it on to a number; the far party waits.
fn sent_on_to(number: &str) -> Pbx {
    let mut pbx = talking();
    let call = pbx.call_api_id();
    pbx.control("101", call, to(number)).unwrap();
    pbx
}

#[test]
fn the_far_party_is_rung_through_and_who_sends_it_on_is_out_when_it_rings() {
    let mut pbx = sent_on_to("102");
    let call = pbx.call_api_id();
    pbx.rings(out(2));
    pbx.answers(out(2));
    assert_eq!(pbx.call_api_id(), call, "it is the same conversation");
    assert_eq!(listed(&mut pbx), "100 102");
    pbx.ends(A, EndReason::CallerHungUp, None);
    assert!(pbx.is_empty());
    check(
        &mut pbx,
        &expect![[r#"
            audio of 3 legs: in0 hears ringback
            event 5 100102 dial-in CALLING
            out2 dial as 100 "Phone 100" offering 20004 SendRecv PCMA,PCMU
            audio of 2 legs: in0 hears ringback
            out1 end transferred
            event 6 100101 hangup ANSWER
            cdr 100101 In transferred 0 s
            audio of 2 legs: in0 hears out2, out2 hears in0
            event 7 100102 answer ANSWER
            in0 identify Phone 102
            audio of 0 legs: silence
            event 8 100100 hangup ANSWER
            cdr 100100 Out caller_hung_up 0 s
            out2 end caller_hung_up
            event 9 100102 hangup ANSWER
            cdr 100102 In caller_hung_up 0 s
        "#]],
    );
}

#[test]
fn the_caller_may_send_the_called_side_on() {
    let mut pbx = talking();
    let call = pbx.call_api_id();
    pbx.control("100", call, to("102")).unwrap();
    pbx.rings(out(2));
    pbx.answers(out(2));
    pbx.ends(out(2), EndReason::CalleeHungUp, None);
    assert!(pbx.is_empty());
    check(
        &mut pbx,
        &expect![[r#"
            audio of 3 legs: out1 hears ringback
            event 5 100102 dial-in CALLING
            out2 dial as 101 "Phone 101" offering 20004 SendRecv PCMA,PCMU
            audio of 2 legs: out1 hears ringback
            in0 end transferred
            event 6 100100 hangup ANSWER
            cdr 100100 Out transferred 0 s
            audio of 2 legs: out1 hears out2, out2 hears out1
            event 7 100102 answer ANSWER
            out1 identify Phone 102
            audio of 0 legs: silence
            out1 end callee_hung_up
            event 8 100101 hangup ANSWER
            cdr 100101 In callee_hung_up 0 s
            event 9 100102 hangup ANSWER
            cdr 100102 In callee_hung_up 0 s
        "#]],
    );
}

#[test]
fn what_may_not_be_called_changes_nothing() {
    let mut pbx = talking();
    let call = pbx.call_api_id();
    let table =
        [("999", Refusal::BadNumber), ("*4100", Refusal::BadNumber), ("109", Refusal::Forbidden)];
    for (number, refusal) in table {
        assert_eq!(pbx.control("101", call, to(number)), Err(refusal), "{number}");
    }
    assert_eq!(pbx.said(), "");
    assert_eq!(pbx.control("102", call, to("103")), Err(Refusal::NoSuchCall));
}

#[test]
fn who_sends_its_far_party_on_leaves_after_ten_seconds_at_the_latest() {
    let mut pbx = Pbx::with_rules("");
    pbx.dials("100", "101");
    pbx.answers(B);
    let call = pbx.call_api_id();
    pbx.control("101", call, to("74951234567")).unwrap();
    pbx.event(out(2), LegEvent::Progress { status: 100, early: None });
    pbx.run_for(Duration::from_secs(9));
    pbx.said();
    pbx.run_for(Duration::from_secs(2));
    check(
        &mut pbx,
        &expect![[r#"
        audio of 2 legs: in0 hears ringback
        out1 end transferred
        event 6 100101 hangup ANSWER
        cdr 100101 In transferred 10 s
    "#]],
    );
    pbx.ends(A, EndReason::CallerHungUp, None);
    assert!(pbx.is_empty());
}

#[test]
fn a_transfer_that_fails_at_once_leaves_both_talking_behind_a_tone() {
    let mut pbx = sent_on_to("102");
    pbx.said();
    pbx.ends(out(2), EndReason::Busy, Some(486));
    pbx.run_for(Duration::from_secs(3));
    check(
        &mut pbx,
        &expect![[r#"
        audio of 2 legs: in0 hears out1, out1 hears congestion
        event 6 100102 hangup BUSY
        cdr 100102 In busy 0 s
        audio of 2 legs: in0 hears out1, out1 hears in0
    "#]],
    );
    let call = pbx.call_api_id();
    pbx.control("101", call, CallAction::Hold).unwrap();
    assert!(pbx.said().contains("in0 hears music"));
    pbx.ends(B, EndReason::CalleeHungUp, None);
    assert!(pbx.is_empty());
}

#[test]
fn a_far_party_that_nobody_takes_is_given_back() {
    let mut pbx = sent_on_to("102");
    pbx.rings(out(2));
    pbx.said();
    pbx.run_for(Duration::from_secs(21));
    pbx.rings(out(3));
    pbx.answers(out(3));
    check(
        &mut pbx,
        &expect![[r#"
        audio of 2 legs: in0 hears ringback
        out2 end no_answer
        event 7 100102 hangup NOANSWER
        cdr 100102 In no_answer 0 s
        event 8 100101 dial-in CALLING
        out3 dial as 100 "Back: Phone 100" offering 20006 SendRecv PCMA,PCMU
        audio of 2 legs: in0 hears out3, out3 hears in0
        event 9 100101 answer ANSWER
    "#]],
    );
    pbx.ends(out(3), EndReason::CalleeHungUp, None);
    assert!(pbx.is_empty());
}

#[test]
fn a_transfer_takes_a_minute_at_most() {
    let mut pbx = Pbx::with_rules("102: transfer+ 74951234567 600s; transfer 103");
    pbx.dials("100", "101");
    pbx.answers(B);
    let call = pbx.call_api_id();
    pbx.control("101", call, to("102")).unwrap();
    pbx.rings(out(2));
    pbx.run_for(Duration::from_secs(59));
    pbx.said();
    pbx.run_for(Duration::from_secs(2));
    check(
        &mut pbx,
        &expect![[r#"
        audio of 2 legs: in0 hears ringback
        out2 end no_answer
        event 8 100102 hangup NOANSWER
        cdr 100102 Out no_answer 0 s
        event 9 100102 hangup NOANSWER
        cdr 100102 In no_answer 0 s
        event 10 100101 dial-in CALLING
        out3 dial as 100 "Back: Phone 100" offering 20006 SendRecv PCMA,PCMU
    "#]],
    );
    pbx.ends(A, EndReason::CallerHungUp, None);
    assert!(pbx.is_empty());
}

#[test]
fn a_far_party_that_is_not_taken_back_goes_to_the_fallback_number() {
    let mut pbx = Pbx::with("", |_, routing| {
        routing.settings.shown.park_fallback = Some(Number::parse("103").unwrap());
    });
    pbx.dials("100", "101");
    pbx.answers(B);
    let call = pbx.call_api_id();
    pbx.control("101", call, to("102")).unwrap();
    pbx.rings(out(2));
    pbx.ends(out(2), EndReason::Declined, Some(603));
    pbx.said();
    pbx.rings(out(3));
    pbx.run_for(Duration::from_secs(31));
    pbx.rings(out(4));
    pbx.answers(out(4));
    check(
        &mut pbx,
        &expect![[r#"
        audio of 2 legs: in0 hears ringback
        out3 end no_answer
        event 9 100101 hangup NOANSWER
        cdr 100101 In no_answer 0 s
        event 10 100103 dial-in CALLING
        out4 dial as 100 "Phone 100" offering 20008 SendRecv PCMA,PCMU
        audio of 2 legs: in0 hears out4, out4 hears in0
        event 11 100103 answer ANSWER
        in0 identify Phone 103
    "#]],
    );
    pbx.ends(A, EndReason::CallerHungUp, None);
    assert!(pbx.is_empty());
}

#[test]
fn a_far_party_that_nobody_wants_is_hung_up() {
    let mut pbx = sent_on_to("102");
    pbx.rings(out(2));
    pbx.ends(out(2), EndReason::Busy, Some(486));
    pbx.ends(out(3), EndReason::Busy, Some(486));
    assert!(pbx.is_empty());
    assert!(pbx.said().contains("in0 end not_taken_back"));
}

#[test]
fn who_is_sent_on_may_end_in_the_voicemail_of_the_target() {
    let mut pbx = Pbx::with_rules("102: voicemail");
    pbx.dials("100", "101");
    pbx.answers(B);
    let call = pbx.call_api_id();
    pbx.said();
    pbx.control("101", call, to("102")).unwrap();
    check(
        &mut pbx,
        &expect![[r#"
        audio of 1 legs: in0 hears clip 2; clip 2: silence300 En:LeaveMessage
        event 5 100102 dial-in CALLING
        out1 end transferred
        event 6 100101 hangup ANSWER
        cdr 100101 In transferred 0 s
        in0 identify Phone 102
    "#]],
    );
    pbx.ends(A, EndReason::CallerHungUp, None);
    assert!(pbx.is_empty());
}

#[test]
fn rules_do_not_lead_back_to_who_sends_the_caller_on() {
    let mut pbx = Pbx::with_rules("102: transfer 101 103 30s");
    pbx.dials("100", "101");
    pbx.answers(B);
    let call = pbx.call_api_id();
    pbx.control("101", call, to("102")).unwrap();
    assert!(pbx.trace().contains("101"), "{}", pbx.trace());
    let rung = pbx.said();
    assert!(!rung.contains("100101 dial-in") || rung.matches("100101 dial-in").count() == 1);
    assert!(rung.contains("100103 dial-in"));
}

#[test]
fn the_mark_of_who_sends_it_on_is_behind_the_name() {
    let mut pbx = Pbx::with_phones("", |name, phone| {
        if name == "101" {
            phone.append_to_cid_name_on_transfer = Some(" via 101".into());
        }
    });
    pbx.dials("100", "101");
    pbx.answers(B);
    let call = pbx.call_api_id();
    pbx.control("101", call, to("102")).unwrap();
    assert!(pbx.said().contains("out2 dial as 100 \"Phone 100 via 101\""));
}

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

#[test]
fn a_ringing_call_is_rung_through() {
    let mut pbx = Pbx::with_rules("101: transfer 103 last=busy 20s");
    pbx.dials("100", "101");
    pbx.rings(B);
    let call = pbx.call_api_id();
    pbx.said();
    assert_eq!(pbx.control("100", call, to("102")), Err(Refusal::NotAnswered));
    assert_eq!(pbx.control("101", call, to("999")), Err(Refusal::BadNumber));
    assert_eq!(pbx.control("101", call, to("101")), Err(Refusal::BadNumber));
    assert_eq!(pbx.said(), "");
    pbx.control("101", call, to("102")).unwrap();
    pbx.rings(out(2));
    pbx.ends(out(2), EndReason::Busy, Some(486));
    check(
        &mut pbx,
        &expect![[r#"
        audio of 1 legs: silence
        out1 end cancelled
        event 3 100102 dial-in CALLING
        out2 dial as 100 "Phone 100" offering 20004 SendRecv PCMU,PCMA
        audio of 1 legs: silence
        event 4 100102 hangup BUSY
        cdr 100102 In busy 0 s
        event 5 100103 dial-in CALLING
        out3 dial as 100 "Phone 100" offering 20006 SendRecv PCMU,PCMA
    "#]],
    );
    pbx.answers(out(3));
    pbx.ends(A, EndReason::CallerHungUp, None);
    assert!(pbx.is_empty());
}

#[test]
fn nothing_else_is_done_with_who_is_sent_on() {
    let mut pbx = sent_on_to("102");
    let call = pbx.call_api_id();
    for action in [CallAction::Hold, to("103"), CallAction::Park(None)] {
        let in_progress = Err(Refusal::TransferInProgress);
        assert_eq!(pbx.control("101", call, action.clone()), in_progress);
        assert_eq!(pbx.control("100", call, action), in_progress);
    }
}

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
