//! Voicemail: what the caller hears, when a message is one, and that none is lost.

use std::time::Duration;

use crate::support::{Pbx, id};
use exchange::Input;
use expect_test::{Expect, expect};
use leg::{Command, Direction, LegEvent, LegId, MediaEventKind, RecorderId, Reply};
use model::{Digit, EndReason};

const A: LegId = LegId(0);
const RECORDER: u32 = 3;

fn check(mut pbx: Pbx, expected: Expect) {
    expected.assert_eq(&pbx.said());
    assert!(pbx.is_empty(), "something is left");
}

/// 100 leaves a message for 101, of which this many seconds are recorded.
fn recording(seconds: u64) -> Pbx {
    let mut pbx = Pbx::with_rules("101: voicemail");
    pbx.dials("100", "101");
    pbx.event(A, LegEvent::Acknowledged);
    pbx.clip_is_over(A, 1);
    pbx.clip_is_over(A, 2);
    pbx.run_for(Duration::from_secs(seconds));
    pbx
}

#[test]
fn a_message_is_greeted_recorded_and_told_when_its_file_is_complete() {
    let mut pbx = recording(7);
    pbx.ends(A, EndReason::CallerHungUp, None);
    pbx.run_for(Duration::from_millis(50));
    pbx.recorded(A, RECORDER, 7_000);
    check(
        pbx,
        expect![[r#"
        event 1 100100 dial-out CALLING
        audio of 1 legs: in0 hears clip 1; clip 1: silence300 En:LeaveMessage
        event 2 100101 dial-in CALLING
        event 3 100100 answer ANSWER
        in0 answer 20000 SendRecv PCMU
        audio of 1 legs: in0 hears clip 2; clip 2: Test400
        audio of 1 legs: silence; recorder 3 hears in0
        audio of 0 legs: silence
        event 4 100100 hangup ANSWER
        cdr 100100 Out caller_hung_up 7 s
        event 5 100101 hangup ANSWER
        cdr 100101 In caller_hung_up 7 s
        event 6 100101 voicemail ANSWER
        message for 100101 of 7000 ms
    "#]],
    );
}

#[test]
fn a_call_that_waits_for_its_message_is_shown_to_nobody() {
    let mut pbx = recording(7);
    let call = pbx.call_api_id();
    pbx.ends(A, EndReason::CallerHungUp, None);
    assert!(!pbx.is_empty());
    let Reply::Calls(calls) = pbx.command(Command::ListCalls { extension: None }) else { panic!() };
    assert!(calls.is_empty());
    for name in ["100", "101"] {
        let show = Command::ShowCall { extension: id(name), call };
        assert!(matches!(pbx.command(show), Reply::Refused(_)), "{name}");
        let hangup = Command::Hangup { extension: id(name), call };
        assert!(matches!(pbx.command(hangup), Reply::Refused(_)), "{name}");
    }
    assert_eq!(pbx.exchange.tables().incoming(id("101")), 0);
    assert!(pbx.ports.taken().is_empty());
    pbx.recorded(A, RECORDER, 7_000);
    assert!(pbx.said().contains("message for 100101 of 7000 ms"));
    assert!(pbx.is_empty());
}

#[test]
fn a_key_skips_the_greeting_and_ends_the_message_however_it_comes() {
    for by_info in [false, true] {
        let mut pbx = Pbx::with_rules("101: voicemail");
        let press = |pbx: &mut Pbx, key: char| match by_info {
            true => pbx.event(A, LegEvent::Digit(Digit::from_char(key).unwrap())),
            false => pbx.presses(A, key),
        };
        pbx.dials("100", "101");
        press(&mut pbx, '1');
        assert!(!pbx.said().contains("Test400"), "another key means nothing");
        press(&mut pbx, '#');
        assert!(pbx.said().contains("in0 hears clip 2; clip 2: Test400"));
        press(&mut pbx, '#');
        assert_eq!(pbx.said(), "", "the tone is soon over");
        pbx.clip_is_over(A, 2);
        assert!(pbx.said().contains("recorder 3 hears in0"));
        press(&mut pbx, '5');
        assert_eq!(pbx.said(), "");
        press(&mut pbx, '#');
        assert!(pbx.said().contains("in0 end service_done"));
        pbx.recorded(A, RECORDER, 2_000);
        assert!(pbx.said().contains("message for 100101 of 2000 ms"));
        assert!(pbx.is_empty());
    }
}

#[test]
fn a_message_ends_with_five_seconds_of_silence_or_its_full_length() {
    let recorder = RecorderId(RECORDER);
    for kind in [MediaEventKind::RecorderSilent(recorder), MediaEventKind::RecorderFull(recorder)] {
        let mut pbx = recording(20);
        pbx.said();
        pbx.media(A, kind);
        assert!(pbx.said().contains("in0 end service_done"), "{kind:?}");
        pbx.recorded(A, RECORDER, 20_000);
        assert!(pbx.said().contains("message for 100101 of 20000 ms"), "{kind:?}");
        assert!(pbx.is_empty(), "{kind:?}");
    }
}

#[test]
fn what_nobody_has_spoken_for_a_second_is_no_message() {
    let silent = MediaEventKind::RecorderSilent(RecorderId(RECORDER));
    let table = [
        (None, 999, false),
        (None, 1_000, true),
        (Some(silent), 5_999, false),
        (Some(silent), 6_000, true),
    ];
    for (before, length_ms, is_message) in table {
        let mut pbx = recording(6);
        match before {
            Some(kind) => pbx.media(A, kind),
            None => pbx.ends(A, EndReason::CallerHungUp, None),
        }
        pbx.recorded(A, RECORDER, length_ms);
        let said = pbx.said();
        assert_eq!(said.contains("message for"), is_message, "{length_ms}: {said}");
        assert_eq!(said.contains("voicemail"), is_message, "{length_ms}: {said}");
        assert!(pbx.is_empty(), "{length_ms}");
    }
}

#[test]
fn a_full_recording_that_is_complete_at_once_is_a_message_too() {
    let mut pbx = recording(180);
    pbx.recorded(A, RECORDER, 180_000);
    let said = pbx.said();
    assert!(said.contains("in0 end service_done"), "{said}");
    assert!(said.contains("message for 100101 of 180000 ms"), "{said}");
    assert!(pbx.is_empty());
}

#[test]
fn who_hangs_up_before_the_recording_leaves_nothing() {
    for clips in [0, 1] {
        let mut pbx = Pbx::with_rules("101: voicemail");
        pbx.dials("100", "101");
        (1..=clips).for_each(|clip| pbx.clip_is_over(A, clip));
        pbx.ends(A, EndReason::CallerHungUp, None);
        assert!(pbx.is_empty(), "after {clips} clips");
        assert!(!pbx.said().contains("recorder"));
    }
}

#[test]
fn a_recording_that_fails_ends_the_call_and_is_no_message() {
    let failed = MediaEventKind::RecordingFailed(RecorderId(RECORDER));
    let mut pbx = recording(4);
    let call = pbx.exchange.calls().next().unwrap().id;
    pbx.input(Input::Media(leg::MediaEvent { call, leg: A, kind: failed }));
    assert!(pbx.said().contains("in0 end service_done"));
    pbx.input(Input::Media(leg::MediaEvent { call, leg: A, kind: failed }));
    assert!(pbx.is_empty());
    let mut pbx = recording(4);
    pbx.ends(A, EndReason::CallerHungUp, None);
    pbx.input(Input::Media(leg::MediaEvent { call, leg: A, kind: failed }));
    assert!(!pbx.said().contains("message"));
    assert!(pbx.is_empty());
}

#[test]
fn nobody_waits_for_a_recording_for_ever() {
    let mut pbx = recording(4);
    pbx.ends(A, EndReason::CallerHungUp, None);
    pbx.run_for(Duration::from_millis(9_999));
    assert!(!pbx.is_empty());
    pbx.run_for(Duration::from_millis(1));
    assert!(pbx.is_empty());
    // Media that says nothing at all keeps no call either.
    let mut pbx = Pbx::with_rules("101: voicemail");
    pbx.dials("100", "101");
    pbx.run_for(Duration::from_secs(60 + 11 + 190 + 10));
    assert!(pbx.is_empty());
}

#[test]
fn a_restart_in_the_middle_of_a_recording_still_yields_the_message() {
    let mut pbx = recording(7);
    pbx.moves_to_a_clock_that_began(Duration::from_secs(900));
    let call = pbx.exchange.calls().next().unwrap().id;
    pbx.said();
    pbx.input(Input::EndCall { call, reason: EndReason::Restart });
    let said = pbx.said();
    assert!(said.contains("cdr 100100 Out restart 7 s"), "{said}");
    assert!(said.contains("find recording 3"), "{said}");
    pbx.moves_to_a_clock_that_began(Duration::from_secs(900));
    // However often: the wait goes on.
    pbx.input(Input::EndCall { call, reason: EndReason::Restart });
    pbx.input(Input::EndAll(EndReason::Drained));
    pbx.run_for(Duration::from_secs(9));
    assert!(!pbx.is_empty());
    pbx.recorded(A, RECORDER, 7_000);
    check(
        pbx,
        expect![[r#"
            audio of 0 legs: silence
            find recording 3
            event 6 100101 voicemail ANSWER
            message for 100101 of 7000 ms
        "#]],
    );
}

#[test]
fn who_holds_hears_nothing_and_the_greeting_goes_on() {
    let mut pbx = Pbx::with_rules("101: voicemail");
    pbx.dials("100", "101");
    pbx.said();
    pbx.offers(A, Direction::SendOnly);
    expect![[r#"
        audio of 1 legs: silence; clip 1: silence300 En:LeaveMessage
        in0 answer offer 20000 RecvOnly PCMU
    "#]]
    .assert_eq(&pbx.said());
    pbx.offers(A, Direction::SendRecv);
    assert!(pbx.said().contains("in0 hears clip 1"));
    pbx.media(A, MediaEventKind::Silent);
    assert!(pbx.said().contains("in0 offer"));
    pbx.ends(A, EndReason::TransportLost, None);
    assert!(pbx.said().contains("media_lost"));
    assert!(pbx.is_empty());
}

#[test]
fn the_greeting_is_the_phones_own_if_it_is_there() {
    for (sound, said) in
        [(Some(1), "file51"), (Some(7), "En:LeaveMessage"), (None, "En:LeaveMessage")]
    {
        let mut pbx = Pbx::with_phones("101: voicemail", |_, phone| phone.vm_greeting = sound);
        pbx.dials("100", "101");
        assert!(pbx.said().contains(&format!("clip 1: silence300 {said}\n")), "{sound:?}");
    }
}

#[test]
fn a_phone_that_takes_no_messages_skips_the_rule() {
    let mut pbx = Pbx::with_phones("101: voicemail", |_, phone| phone.vm_enabled = false);
    pbx.dials("100", "101");
    assert!(pbx.trace().contains("rule 1 is skipped: the extension takes no messages"));
    assert!(!pbx.said().contains("answer"));
}

#[test]
fn the_message_of_a_target_is_the_targets() {
    let mut pbx = Pbx::with_rules("101: transfer 102\n102: voicemail");
    pbx.dials("100", "101");
    pbx.clip_is_over(A, 1);
    pbx.clip_is_over(A, 2);
    pbx.ends(A, EndReason::CallerHungUp, None);
    pbx.recorded(A, RECORDER, 3_000);
    let said = pbx.said();
    assert!(said.contains("100102 voicemail ANSWER\nmessage for 100102 of 3000 ms"), "{said}");
    assert!(pbx.is_empty());
}
