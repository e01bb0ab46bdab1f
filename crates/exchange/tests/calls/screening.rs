//! Screening: who answers hears who calls, and takes the call with a key.

use std::time::Duration;

use crate::support::{Pbx, id};
use expect_test::{Expect, expect};
use leg::{Direction, LegEvent, LegId};
use model::{Digit, EndReason};

const A: LegId = LegId(0);

/// The n-th leg that was dialled.
fn out(n: u64) -> LegId {
    LegId(n * 2 + 1)
}

fn check(mut pbx: Pbx, expected: Expect) {
    expected.assert_eq(&pbx.said());
    assert!(pbx.is_empty(), "something is left");
}

/// A mobile and a colleague ring for 101, and the mobile has answered.
fn asked() -> Pbx {
    let mut pbx =
        Pbx::with_rules("101: transfer+ 79161112233 102 screened 20s; hangup last=no; busy");
    pbx.dials("100", "101");
    pbx.rings(out(1));
    pbx.rings(out(2));
    pbx.run_for(Duration::from_secs(5));
    pbx.said();
    pbx.answers(out(1));
    pbx
}

#[test]
fn who_answers_hears_who_calls_and_takes_the_call_with_a_key() {
    let mut pbx = asked();
    pbx.clip_is_over(out(1), 1);
    pbx.presses(out(1), '2');
    pbx.presses(out(1), '1');
    expect![[r#"
        101: rule 1 fires: transfer
        101: 79161112233 rings
        101: 102 rings
        101: who has answered is asked to take the call
        101: answered
    "#]]
    .assert_eq(&pbx.trace());
    pbx.run_for(Duration::from_secs(3));
    pbx.ends(A, EndReason::CallerHungUp, None);
    check(
        pbx,
        expect![[r#"
        audio of 2 legs: out1 hears clip 1; clip 1: silence300 En:CallFrom 1 0 0 En:PressOne
        audio of 2 legs: silence
        audio of 2 legs: in0 hears out1, out1 hears in0
        out2 end answered_elsewhere
        event 5 100102 hangup CANCEL
        cdr 100102 In answered_elsewhere 0 s
        event 6 100101 answer ANSWER
        event 7 100100 answer ANSWER
        in0 answer 20000 SendRecv PCMA
        audio of 0 legs: silence
        event 8 100100 hangup ANSWER
        cdr 100100 Out caller_hung_up 3 s
        out1 end caller_hung_up
        event 9 100101 hangup ANSWER
        cdr 100101 Out caller_hung_up 3 s
        event 10 100101 hangup ANSWER
        cdr 100101 In caller_hung_up 3 s
    "#]],
    );
}

#[test]
fn a_leg_that_is_asked_is_written_down_at_once() {
    let mut pbx = asked();
    let mut saved: Vec<LegId> = Vec::new();
    pbx.exchange.take_unsaved(pbx.now, |_, _, _| {});
    pbx.answers(out(2));
    pbx.exchange.take_unsaved(pbx.now, |_, _, legs| saved.extend(legs));
    assert_eq!(saved, [A, out(1), out(2)]);
}

#[test]
fn a_key_by_info_during_the_announcement_takes_the_call_too() {
    let mut pbx = asked();
    pbx.event(out(1), LegEvent::Digit(Digit::from_char('1').unwrap()));
    assert!(pbx.said().contains("in0 answer"));
}

#[test]
fn the_announcement_is_repeated_once_and_then_nobody_has_answered() {
    let mut pbx = asked();
    pbx.ends(out(2), EndReason::Refused, Some(480));
    pbx.said();
    pbx.clip_is_over(out(1), 1);
    pbx.said();
    pbx.run_for(Duration::from_millis(9_999));
    assert_eq!(pbx.said(), "");
    pbx.run_for(Duration::from_millis(1));
    assert!(pbx.said().contains("out1 hears clip 2"));
    pbx.clip_is_over(out(1), 2);
    pbx.said();
    pbx.run_for(Duration::from_millis(9_999));
    assert_eq!(pbx.said(), "");
    pbx.run_for(Duration::from_millis(1));
    check(
        pbx,
        expect![[r#"
        audio of 0 legs: silence
        out1 end no_answer
        event 6 100101 hangup NOANSWER
        cdr 100101 Out no_answer 0 s
        event 7 100101 hangup NOANSWER
        cdr 100101 In hangup_by_rule 0 s
        in0 end hangup_by_rule
        event 8 100100 hangup NOANSWER
        cdr 100100 Out hangup_by_rule 0 s
    "#]],
    );
}

#[test]
fn who_hangs_up_while_asked_has_not_answered() {
    let mut pbx = asked();
    pbx.ends(out(1), EndReason::CalleeHungUp, None);
    let said = pbx.said();
    assert!(said.contains("cdr 100101 Out no_answer 0 s"), "{said}");
    assert!(!said.contains("in0 answer") && !said.contains("100101 answer"), "{said}");
    pbx.answers(out(2));
    pbx.presses(out(2), '1');
    assert!(pbx.said().contains("in0 answer"), "the colleague may");
}

#[test]
fn the_first_to_press_wins_and_not_the_first_to_answer() {
    let mut pbx = asked();
    pbx.answers(out(2));
    pbx.said();
    pbx.presses(out(2), '1');
    expect![[r#"
        audio of 2 legs: in0 hears out2, out2 hears in0
        out1 end answered_elsewhere
        event 5 100101 hangup CANCEL
        cdr 100101 Out answered_elsewhere 0 s
        event 6 100102 answer ANSWER
        event 7 100100 answer ANSWER
        in0 answer 20000 SendRecv PCMA
    "#]]
    .assert_eq(&pbx.said());
}

#[test]
fn the_time_of_the_rule_ends_what_rings_and_waits_for_who_is_asked() {
    let mut pbx = asked();
    pbx.run_for(Duration::from_secs(14));
    pbx.clip_is_over(out(1), 1);
    pbx.said();
    pbx.run_for(Duration::from_secs(1));
    expect![[r#"
        audio of 1 legs: silence
        out2 end no_answer
        event 5 100102 hangup NOANSWER
        cdr 100102 In no_answer 0 s
    "#]]
    .assert_eq(&pbx.said());
    pbx.run_for(Duration::from_secs(4));
    pbx.presses(out(1), '1');
    assert!(pbx.said().contains("in0 answer"));
    pbx.ends(A, EndReason::CallerHungUp, None);
    assert!(pbx.is_empty());
}

#[test]
fn a_rule_whose_time_is_over_goes_on_when_who_was_asked_is_out() {
    let mut pbx = asked();
    pbx.run_for(Duration::from_secs(16));
    pbx.said();
    pbx.ends(out(1), EndReason::CalleeHungUp, None);
    assert!(pbx.said().contains("in0 end hangup_by_rule"), "the result is no answer");
    assert!(pbx.is_empty());
}

#[test]
fn nothing_begins_below_a_rule_whose_time_is_over() {
    let mut pbx =
        Pbx::with_phones("101: transfer 102 103 8s\n102: transfer own=no 79161112233", |_, p| {
            p.call_screening_enabled = true;
        });
    pbx.dials("100", "101");
    pbx.answers(out(1));
    pbx.rings(out(2));
    pbx.run_for(Duration::from_secs(8));
    pbx.said();
    pbx.ends(out(1), EndReason::CalleeHungUp, None);
    let said = pbx.said();
    assert!(
        said.contains("cdr 100102 In no_answer") && said.contains("in0 end no_answer"),
        "{said}"
    );
    assert!(pbx.is_empty());
}

#[test]
fn a_phone_may_ask_for_it_by_itself_and_its_ring_timeout_does_not_end_it() {
    let mut pbx = Pbx::with_phones("", |name, phone| phone.call_screening_enabled = name == "101");
    pbx.device("101", 2);
    pbx.dials("100", "101");
    pbx.rings(out(1));
    pbx.rings(out(2));
    pbx.run_for(Duration::from_secs(19));
    pbx.answers(out(1));
    pbx.said();
    pbx.run_for(Duration::from_secs(1));
    expect![[r#"
        audio of 1 legs: out1 hears clip 1; clip 1: silence300 En:CallFrom 1 0 0 En:PressOne
        out2 end no_answer
    "#]]
    .assert_eq(&pbx.said());
    pbx.presses(out(1), '1');
    assert!(pbx.said().contains("in0 answer"));
    pbx.ends(out(1), EndReason::CalleeHungUp, None);
    assert!(pbx.is_empty());
}

#[test]
fn an_announcement_whose_end_is_never_told_counts_as_said() {
    let mut pbx = Pbx::with_phones("", |_, phone| phone.call_screening_enabled = true);
    pbx.dials("100", "101");
    pbx.answers(out(1));
    pbx.run_for(Duration::from_secs(2 * 70) - Duration::from_millis(1));
    assert!(!pbx.is_empty());
    pbx.run_for(Duration::from_millis(1));
    assert!(pbx.said().contains("in0 end no_answer"));
    assert!(pbx.is_empty());
}

#[test]
fn a_caller_who_gives_up_while_somebody_is_asked_ends_that_leg() {
    let mut pbx = asked();
    pbx.said();
    pbx.ends(A, EndReason::Cancelled, None);
    check(
        pbx,
        expect![[r#"
        audio of 0 legs: silence
        out1 end cancelled
        out2 end cancelled
        event 5 100101 hangup CANCEL
        cdr 100101 Out cancelled 0 s
        event 6 100102 hangup CANCEL
        cdr 100102 In cancelled 0 s
        event 7 100101 hangup CANCEL
        cdr 100101 In cancelled 0 s
        event 8 100100 hangup CANCEL
        cdr 100100 Out cancelled 0 s
    "#]],
    );
}

#[test]
fn a_phone_that_never_rang_is_told_to_the_caller_as_ringing() {
    let mut pbx = Pbx::with_phones("", |_, phone| phone.call_screening_enabled = true);
    pbx.dials("100", "101");
    pbx.answers(out(1));
    let said = pbx.said();
    assert!(said.contains("in0 ring\n") && !said.contains("in0 answer"), "{said}");
}

#[test]
fn the_caller_hears_no_early_media_of_who_is_asked() {
    let mut pbx = Pbx::with_rules("101: transfer 79161112233 early screened");
    pbx.dials("100", "101");
    let early = Some(Box::new(crate::support::both()));
    pbx.event(out(1), LegEvent::Progress { status: 183, early });
    assert!(pbx.said().contains("in0 hears out1"));
    pbx.answers(out(1));
    assert!(pbx.said().contains("in0 hears ringback"));
}

#[test]
fn a_hidden_number_is_said_so_and_who_holds_hears_nothing() {
    let mut pbx = Pbx::with_phones("", |_, phone| phone.call_screening_enabled = true);
    pbx.dials_privately("100", "101");
    pbx.answers(out(1));
    assert!(pbx.said().contains("silence300 En:CallFrom En:HiddenNumber En:PressOne\n"));
    pbx.offers(out(1), Direction::SendOnly);
    assert!(pbx.said().contains("audio of 1 legs: silence; clip 1"));
}

#[test]
fn who_is_asked_hears_which_number_of_the_outside_was_called() {
    let mut pbx = Pbx::with("101: transfer 102 screened", |_, routing| {
        let did = model::Did { name: "+74950000001".into(), extension: Some(id("101")) };
        routing.dids = [("74950000001".into(), std::sync::Arc::new(did))].into();
    });
    let number = model::Number::parse("+79161112233").unwrap();
    let caller = leg::Identity::of(number, model::DisplayName::default());
    pbx.called(1, "74950000001", caller);
    pbx.answers(out(1));
    let said = pbx.said();
    let told = "En:CallFrom En:Plus 7 9 1 6 1 1 1 2 2 3 3 \
                En:ToNumber En:Plus 7 4 9 5 0 0 0 0 0 0 1 En:PressOne\n";
    assert!(said.contains(told), "{said}");
}

#[test]
fn a_program_ends_the_part_of_who_is_asked() {
    let mut pbx = Pbx::with_rules("101: transfer 102 103 screened");
    pbx.dials("100", "101");
    pbx.answers(out(1));
    pbx.rings(out(2));
    pbx.said();
    let call = pbx.call_api_id();
    pbx.command(leg::Command::Hangup { extension: id("102"), call });
    expect![[r#"
        audio of 1 legs: silence
        out1 end api_hangup
        event 5 100102 hangup CANCEL
        cdr 100102 In api_hangup 0 s
    "#]]
    .assert_eq(&pbx.said());
}
