//! What both sides hear: early media, hold, digits, codecs and the echo.

use std::time::Duration;

use expect_test::expect;
use leg::{Direction, LegEvent, MediaEventKind};
use model::{Codec, Digit, EndReason};

use super::{A, B, check, talking};
use crate::support::{Pbx, session};

#[test]
fn early_media_is_heard_and_repeated_in_the_answer() {
    let mut pbx = Pbx::new();
    pbx.dials("100", "101");
    let early = Some(Box::new(session(5_000, &[Codec::Pcma])));
    pbx.event(B, LegEvent::Progress { status: 183, early });
    pbx.event(B, LegEvent::Answered { answer: None, capabilities: Default::default() });
    pbx.ends(A, EndReason::CallerHungUp, None);
    check(
        pbx,
        expect![[r#"
        event 1 100100 dial-out CALLING
        audio of 1 legs: silence
        event 2 100101 dial-in CALLING
        out1 dial as 100 "Phone 100" offering 20002 SendRecv PCMU,PCMA
        audio of 2 legs: in0 hears out1
        in0 ring early 20000 SendRecv PCMA
        audio of 2 legs: in0 hears out1, out1 hears in0
        event 3 100101 answer ANSWER
        event 4 100100 answer ANSWER
        in0 answer 20000 SendRecv PCMA
        audio of 0 legs: silence
        event 5 100100 hangup ANSWER
        cdr 100100 Out caller_hung_up 0 s
        out1 end caller_hung_up
        event 6 100101 hangup ANSWER
        cdr 100101 In caller_hung_up 0 s
    "#]],
    );
}

#[test]
fn an_invite_without_offer_gets_ours_in_the_answer() {
    let mut pbx = Pbx::new();
    pbx.dials_with("100", "101", None);
    pbx.said();
    pbx.answers(B);
    pbx.event(A, LegEvent::Answer(Box::new(session(4_000, &[Codec::Pcma]))));
    pbx.ends(A, EndReason::CallerHungUp, None);
    check(
        pbx,
        expect![[r#"
        audio of 2 legs: in0 hears out1, out1 hears in0
        event 3 100101 answer ANSWER
        event 4 100100 answer ANSWER
        in0 answer 20000 SendRecv PCMA,PCMU
        audio of 2 legs: in0 hears out1, out1 hears in0
        audio of 0 legs: silence
        event 5 100100 hangup ANSWER
        cdr 100100 Out caller_hung_up 0 s
        out1 end caller_hung_up
        event 6 100101 hangup ANSWER
        cdr 100101 In caller_hung_up 0 s
    "#]],
    );
}

#[test]
fn a_held_party_hears_music() {
    let mut pbx = talking();
    pbx.offers(A, Direction::SendOnly);
    pbx.offers(B, Direction::Inactive);
    pbx.offers(A, Direction::SendRecv);
    pbx.offers(B, Direction::SendRecv);
    expect![[r#"
        audio of 2 legs: out1 hears music
        in0 answer offer 20000 RecvOnly PCMA
        audio of 2 legs: silence
        out1 answer offer 20002 Inactive PCMA
        audio of 2 legs: in0 hears music
        in0 answer offer 20000 SendRecv PCMA
        audio of 2 legs: in0 hears out1, out1 hears in0
        out1 answer offer 20002 SendRecv PCMA
    "#]]
    .assert_eq(&pbx.said());
}

#[test]
fn digits_go_to_the_other_side() {
    let mut pbx = talking();
    let digit = Digit::from_char('5').unwrap();
    pbx.media(A, MediaEventKind::DigitStart(digit));
    pbx.media(A, MediaEventKind::DigitEnd { digit, duration_ms: 90 });
    pbx.event(B, LegEvent::Digit(digit));
    expect![[r#"
        digit 5 to out1 for 90 ms
        digit 5 to in0 for 160 ms
    "#]]
    .assert_eq(&pbx.said());
}

#[test]
fn an_offer_without_a_common_codec_changes_nothing() {
    let mut pbx = talking();
    pbx.event(A, LegEvent::Offer(Box::new(session(4_000, &[]))));
    expect![[r#"
        in0 reject offer 488
    "#]]
    .assert_eq(&pbx.said());
}

#[test]
fn the_echo_plays_a_tone_and_then_sends_back() {
    let mut pbx = Pbx::new();
    pbx.dials("100", "199");
    pbx.run_for(Duration::from_secs(2));
    pbx.run_for(Duration::from_secs(600));
    check(
        pbx,
        expect![[r#"
        event 1 100100 dial-out CALLING
        audio of 1 legs: in0 hears test
        event 2 100199 dial-in CALLING
        event 3 100100 answer ANSWER
        in0 answer 20000 SendRecv PCMU
        audio of 1 legs: in0 hears in0
        audio of 0 legs: silence
        event 4 100199 hangup CONGESTION
        cdr 100199 In service_done 0 s
        in0 end service_done
        event 5 100100 hangup ANSWER
        cdr 100100 Out service_done 602 s
    "#]],
    );
}

#[test]
fn the_callers_only_codec_serves_end_to_end_if_it_can() {
    let mut pbx = Pbx::new();
    pbx.dials_with("100", "101", Some(session(4_000, &[Codec::Pcmu])));
    assert!(pbx.said().contains("offering 20002 SendRecv PCMU,PCMA"));
    // The callee insists on another: the caller keeps its own, and media translates.
    pbx.answers(B);
    assert!(pbx.said().contains("in0 answer 20000 SendRecv PCMU"));
}
