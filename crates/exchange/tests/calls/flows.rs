//! Calls between phones of one tenant: what goes in, what comes out, line by line.

use std::time::Duration;

use crate::support::{Pbx, id, session};
use expect_test::{Expect, expect};
use leg::{Command, Direction, LegEvent, LegId, MediaEventKind, Refusal, Reply};
use model::{Codec, Digit, EndReason};

const A: LegId = LegId(0);
const B: LegId = LegId(3);
const B2: LegId = LegId(5);

fn check(mut pbx: Pbx, expected: Expect) {
    expected.assert_eq(&pbx.said());
    assert!(pbx.is_empty(), "something is left");
}

/// 100 talks with 101 and nothing has been looked at yet.
fn talking() -> Pbx {
    let mut pbx = Pbx::new();
    pbx.dials("100", "101");
    pbx.rings(B);
    pbx.answers(B);
    pbx.event(A, LegEvent::Acknowledged);
    pbx.said();
    pbx
}

#[test]
fn a_call_is_rung_answered_and_hung_up() {
    let mut pbx = Pbx::new();
    pbx.dials("100", "101");
    pbx.rings(B);
    pbx.run_for(Duration::from_secs(3));
    pbx.answers(B);
    pbx.event(A, LegEvent::Acknowledged);
    pbx.run_for(Duration::from_secs(7));
    pbx.ends(A, EndReason::CallerHungUp, None);
    check(
        pbx,
        expect![[r#"
        event 1 100100 dial-out CALLING
        audio of 1 legs: silence
        event 2 100101 dial-in CALLING
        out1 dial as 100 "Phone 100" offering 20002 SendRecv PCMU,PCMA
        in0 ring
        audio of 2 legs: in0 hears out1, out1 hears in0
        event 3 100101 answer ANSWER
        event 4 100100 answer ANSWER
        in0 answer 20000 SendRecv PCMA
        audio of 0 legs: silence
        event 5 100100 hangup ANSWER
        cdr 100100 Out caller_hung_up 7 s
        out1 end caller_hung_up
        event 6 100101 hangup ANSWER
        cdr 100101 In caller_hung_up 7 s
    "#]],
    );
}

#[test]
fn the_callee_hangs_up() {
    let mut pbx = talking();
    // The endpoint cannot know who called; the branch says it.
    pbx.ends(B, EndReason::CallerHungUp, None);
    check(
        pbx,
        expect![[r#"
        audio of 0 legs: silence
        in0 end callee_hung_up
        event 5 100100 hangup ANSWER
        cdr 100100 Out callee_hung_up 0 s
        event 6 100101 hangup ANSWER
        cdr 100101 In callee_hung_up 0 s
    "#]],
    );
}

#[test]
fn a_busy_phone_makes_the_caller_hear_486() {
    let mut pbx = Pbx::new();
    pbx.dials("100", "101");
    pbx.ends(B, EndReason::Busy, Some(486));
    check(
        pbx,
        expect![[r#"
        event 1 100100 dial-out CALLING
        audio of 1 legs: silence
        event 2 100101 dial-in CALLING
        out1 dial as 100 "Phone 100" offering 20002 SendRecv PCMU,PCMA
        audio of 0 legs: silence
        event 3 100101 hangup BUSY
        cdr 100101 In busy 0 s
        in0 end busy
        event 4 100100 hangup BUSY
        cdr 100100 Out busy 0 s
    "#]],
    );
}

#[test]
fn a_declined_call_is_no_answer_to_the_caller() {
    let mut pbx = Pbx::new();
    pbx.device("101", 2);
    pbx.dials("100", "101");
    pbx.rings(B);
    pbx.rings(B2);
    pbx.ends(B, EndReason::Declined, Some(603));
    check(
        pbx,
        expect![[r#"
        event 1 100100 dial-out CALLING
        audio of 2 legs: silence
        event 2 100101 dial-in CALLING
        out1 dial as 100 "Phone 100" offering 20002 SendRecv PCMU,PCMA
        out2 dial as 100 "Phone 100" offering 20004 SendRecv PCMU,PCMA
        in0 ring
        audio of 0 legs: silence
        out2 end declined
        event 3 100101 hangup NOANSWER
        cdr 100101 In declined 0 s
        in0 end declined
        event 4 100100 hangup NOANSWER
        cdr 100100 Out declined 0 s
    "#]],
    );
}

#[test]
fn nobody_answers_in_the_ring_timeout() {
    let mut pbx = Pbx::new();
    pbx.dials("100", "101");
    pbx.rings(B);
    pbx.run_for(Duration::from_secs(19));
    assert!(!pbx.is_empty());
    pbx.run_for(Duration::from_secs(1));
    check(
        pbx,
        expect![[r#"
        event 1 100100 dial-out CALLING
        audio of 1 legs: silence
        event 2 100101 dial-in CALLING
        out1 dial as 100 "Phone 100" offering 20002 SendRecv PCMU,PCMA
        in0 ring
        audio of 0 legs: silence
        out1 end no_answer
        event 3 100101 hangup NOANSWER
        cdr 100101 In no_answer 0 s
        in0 end no_answer
        event 4 100100 hangup NOANSWER
        cdr 100100 Out no_answer 0 s
    "#]],
    );
}

#[test]
fn the_caller_gives_up() {
    let mut pbx = Pbx::new();
    pbx.dials("100", "101");
    pbx.rings(B);
    pbx.said();
    pbx.ends(A, EndReason::Cancelled, None);
    check(
        pbx,
        expect![[r#"
        audio of 0 legs: silence
        out1 end cancelled
        event 3 100101 hangup CANCEL
        cdr 100101 In cancelled 0 s
        event 4 100100 hangup CANCEL
        cdr 100100 Out cancelled 0 s
    "#]],
    );
}

#[test]
fn the_first_of_several_devices_wins() {
    let mut pbx = Pbx::new();
    pbx.device("101", 2);
    pbx.dials("100", "101");
    pbx.rings(B);
    pbx.rings(B2);
    pbx.said();
    pbx.answers(B2);
    // The other answer has crossed: the endpoint ends that leg alone.
    pbx.answers(B);
    pbx.ends(B2, EndReason::CalleeHungUp, None);
    check(
        pbx,
        expect![[r#"
        audio of 2 legs: in0 hears out2, out2 hears in0
        out1 end answered_elsewhere
        event 3 100101 answer ANSWER
        event 4 100100 answer ANSWER
        in0 answer 20000 SendRecv PCMA
        audio of 0 legs: silence
        in0 end callee_hung_up
        event 5 100100 hangup ANSWER
        cdr 100100 Out callee_hung_up 0 s
        event 6 100101 hangup ANSWER
        cdr 100101 In callee_hung_up 0 s
    "#]],
    );
}

#[test]
fn a_busy_device_does_not_stop_the_other_one() {
    let mut pbx = Pbx::new();
    pbx.device("101", 2);
    pbx.dials("100", "101");
    pbx.rings(B2);
    pbx.said();
    pbx.ends(B, EndReason::Busy, Some(486));
    expect![[r#"
        audio of 1 legs: silence
    "#]]
    .assert_eq(&pbx.said());
    pbx.ends(B2, EndReason::Refused, Some(480));
    check(
        pbx,
        expect![[r#"
        audio of 0 legs: silence
        event 3 100101 hangup BUSY
        cdr 100101 In busy 0 s
        in0 end busy
        event 4 100100 hangup BUSY
        cdr 100100 Out busy 0 s
    "#]],
    );
}

#[test]
fn a_silent_device_is_given_up_after_six_seconds() {
    let mut pbx = Pbx::new();
    pbx.dials("100", "101");
    pbx.said();
    pbx.run_for(Duration::from_secs(6));
    check(
        pbx,
        expect![[r#"
        audio of 0 legs: silence
        out1 end unreachable
        event 3 100101 hangup CHANUNAVAIL
        cdr 100101 In unreachable 0 s
        in0 end unreachable
        event 4 100100 hangup CHANUNAVAIL
        cdr 100100 Out unreachable 0 s
    "#]],
    );
}

#[test]
fn a_device_that_only_tries_is_there() {
    let mut pbx = Pbx::new();
    pbx.dials("100", "101");
    pbx.said();
    pbx.event(B, LegEvent::Progress { status: 100, early: None });
    pbx.run_for(Duration::from_secs(19));
    expect![""].assert_eq(&pbx.said());
    pbx.run_for(Duration::from_secs(1));
    assert!(pbx.is_empty());
}

#[test]
fn a_silent_device_does_not_stop_the_other_one() {
    let mut pbx = Pbx::new();
    pbx.device("101", 2);
    pbx.dials("100", "101");
    pbx.rings(B2);
    pbx.said();
    pbx.run_for(Duration::from_secs(6));
    expect![[r#"
        audio of 1 legs: silence
        out1 end unreachable
    "#]]
    .assert_eq(&pbx.said());
    pbx.answers(B2);
    pbx.ends(A, EndReason::CallerHungUp, None);
    pbx.said();
    assert!(pbx.is_empty());
}

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
fn a_silent_leg_is_asked_and_ended_when_it_does_not_answer() {
    let mut pbx = talking();
    pbx.media(A, MediaEventKind::Silent);
    pbx.ends(A, EndReason::TransportLost, None);
    check(
        pbx,
        expect![[r#"
        in0 offer 20000 SendRecv PCMA
        audio of 0 legs: silence
        event 5 100100 hangup ANSWER
        cdr 100100 Out media_lost 0 s
        out1 end media_lost
        event 6 100101 hangup ANSWER
        cdr 100101 In media_lost 0 s
    "#]],
    );
}

#[test]
fn refused_calls_have_their_record() {
    let mut pbx = Pbx::new();
    for to in ["999", "109", "100"] {
        pbx.dials("100", to);
    }
    pbx.dials_with("100", "101", Some(session(4_000, &[])));
    check(
        pbx,
        expect![[r#"
        event 1 100100 dial-out CALLING
        in0 end not_found
        event 2 100100 hangup CONGESTION
        cdr 100100 Out not_found 0 s
        event 1 100100 dial-out CALLING
        in1 end extension_blocked
        event 2 100100 hangup CHANUNAVAIL
        cdr 100100 Out extension_blocked 0 s
        event 1 100100 dial-out CALLING
        event 2 100100 dial-in CALLING
        event 3 100100 hangup CHANUNAVAIL
        cdr 100100 In unreachable 0 s
        in2 end unreachable
        event 4 100100 hangup CHANUNAVAIL
        cdr 100100 Out unreachable 0 s
        event 1 100100 dial-out CALLING
        in3 end no_common_codec
        event 2 100100 hangup CONGESTION
        cdr 100100 Out no_common_codec 0 s
    "#]],
    );
}

#[test]
fn the_incoming_limit_makes_an_extension_busy() {
    let mut pbx = Pbx::new();
    pbx.dials("100", "103");
    pbx.said();
    pbx.dials("101", "103");
    expect![[r#"
        event 1 100101 dial-out CALLING
        event 2 100103 dial-in CALLING
        event 3 100103 hangup BUSY
        cdr 100103 In extension_limit 0 s
        in1 end extension_limit
        event 4 100101 hangup BUSY
        cdr 100101 Out extension_limit 0 s
    "#]]
    .assert_eq(&pbx.said());
}

#[test]
fn a_tenant_has_at_most_its_number_of_calls() {
    let mut pbx = Pbx::new();
    for _ in 0..crate::support::CALLS_MAX {
        pbx.dials("100", "101");
    }
    pbx.said();
    pbx.dials("100", "101");
    expect![[r#"
        event 1 100100 dial-out CALLING
        in3 end tenant_limit retry after 5
        event 2 100100 hangup CONGESTION
        cdr 100100 Out tenant_limit 0 s
    "#]]
    .assert_eq(&pbx.said());
}

#[test]
fn without_a_port_a_call_is_refused() {
    let mut pbx = Pbx::with_ports(2);
    pbx.dials("100", "101");
    pbx.said();
    pbx.dials("102", "101");
    expect![[r#"
        event 1 100102 dial-out CALLING
        in1 end node_limit retry after 5
        event 2 100102 hangup CONGESTION
        cdr 100102 Out node_limit 0 s
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
fn a_program_hangs_up_in_every_state() {
    for (stage, extension) in [("ringing", "100"), ("ringing", "101"), ("up", "100"), ("up", "101")]
    {
        let mut pbx = Pbx::new();
        pbx.dials("100", "101");
        pbx.rings(B);
        if stage == "up" {
            pbx.answers(B);
        }
        let call = pbx.call_api_id();
        let hangup = Command::Hangup { extension: id(extension), call };
        assert!(matches!(pbx.command(hangup.clone()), Reply::Done), "{stage} {extension}");
        assert!(pbx.is_empty(), "{stage} {extension}");
        pbx.run_for(Duration::from_secs(59));
        assert!(matches!(pbx.command(hangup.clone()), Reply::Done), "again");
        pbx.run_for(Duration::from_secs(1));
        let gone = pbx.command(hangup);
        assert!(matches!(gone, Reply::Refused(Refusal::NoSuchCall)), "after a minute");
    }
}

#[test]
fn programs_see_both_sides_of_a_call() {
    let mut pbx = talking();
    let Reply::Calls(all) = pbx.command(Command::ListCalls { extension: None }) else { panic!() };
    let sides: Vec<_> = all
        .iter()
        .map(|v| {
            let name = &v.extension.as_ref().unwrap().name;
            (name.clone(), v.flow.unwrap().as_str(), v.answer_time.is_some(), v.real_call)
        })
        .collect();
    let expected = [("0003*100", "out", true, true), ("0003*101", "in", true, true)];
    assert_eq!(sides, expected.map(|(n, f, a, r)| (n.to_owned(), f, a, r)));
    let of = Command::ListCalls { extension: Some(id("102")) };
    assert!(matches!(pbx.command(of), Reply::Calls(c) if c.is_empty()));
    let call = pbx.call_api_id();
    let foreign = Command::ShowCall { extension: id("102"), call };
    assert!(matches!(pbx.command(foreign), Reply::Refused(Refusal::NoSuchCall)));
}

#[test]
fn a_saved_call_is_carried_on_and_ended_by_another_exchange() {
    let mut pbx = talking();
    let mut saved = Vec::new();
    pbx.exchange.take_unsaved(pbx.now, |_, bytes, legs| saved.push((bytes, legs.to_vec())));
    let (bytes, legs) = saved.pop().expect("an answered call is written down");
    assert_eq!(legs, [A, B]);

    let mut other = Pbx::new();
    other.now = other.now + Duration::from_secs(100);
    let call = other.exchange.load(other.now, &bytes, &mut other.ports).unwrap();
    other.exchange.check(&other.ports).unwrap();
    let reason = EndReason::Restart;
    other.input(exchange::Input::EndCall { call, reason });
    check(
        other,
        expect![[r#"
            in0 end restart
            event 5 100100 hangup ANSWER
            cdr 100100 Out restart 100 s
            out1 end restart
            event 6 100101 hangup ANSWER
            cdr 100101 In restart 100 s
        "#]],
    );
}

#[cfg(feature = "faults")]
#[test]
fn a_defect_costs_the_one_call() {
    for kind in ["seeking", "talking", "serving", "voicemail", "clearing"] {
        let mut pbx = Pbx::with_rules(match kind {
            "voicemail" => "101: voicemail",
            "clearing" => "101: playfile+ sound=1; busy",
            _ => "",
        });
        pbx.dials("102", "103");
        let bystander = pbx.call_api_id();
        let leg = pbx.dials("100", if kind == "serving" { "199" } else { "101" });
        match kind {
            "talking" => pbx.answers(LegId(5)),
            "clearing" => pbx.clip_is_over(leg, 1),
            _ => {}
        }
        pbx.said();
        pbx.exchange.inject_panic(kind);
        pbx.ends(leg, EndReason::CallerHungUp, None);
        let said = pbx.said();
        // Who is being cleared is alone in the call.
        let parts = if kind == "clearing" { 1 } else { 2 };
        assert_eq!(said.matches("cdr").count(), parts, "{kind}: {said}");
        assert!(said.matches("internal").count() >= 2, "{kind}: {said}");
        assert_eq!(pbx.exchange.panics(), 1);
        assert_eq!(pbx.call_api_id(), bystander);
        assert_eq!(pbx.exchange.calls().count(), 1);
    }
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

/// Every version of a saved call that was ever written must load for ever. A new version adds a
/// file; this test never loses one.
#[test]
fn every_saved_version_loads() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/saved");
    let newest = format!("{folder}/v{}.cbor", exchange::saved::VERSION);
    if std::env::var_os("UPDATE_SAVED").is_some() {
        let mut pbx = talking();
        pbx.exchange.take_unsaved(pbx.now, |_, bytes, _| std::fs::write(&newest, bytes).unwrap());
    }
    for version in 1..=exchange::saved::VERSION {
        let bytes = std::fs::read(format!("{folder}/v{version}.cbor")).unwrap();
        let mut pbx = Pbx::new();
        let call = pbx.exchange.load(pbx.now, &bytes, &mut pbx.ports).unwrap();
        pbx.exchange.check(&pbx.ports).unwrap();
        pbx.input(exchange::Input::EndCall { call, reason: EndReason::Restart });
        assert_eq!(pbx.said().matches("cdr").count(), 2);
        assert!(pbx.is_empty());
    }
}

#[test]
fn state_of_a_newer_program_and_garbage_are_refused() {
    let mut pbx = Pbx::new();
    for bytes in [&b"\xa1gversion\x19\x03\xe8"[..], b"", b"\xff\xff", b"\xa1gversion\x01"] {
        assert!(pbx.exchange.load(pbx.now, bytes, &mut pbx.ports).is_err());
    }
    assert!(pbx.is_empty());
}
