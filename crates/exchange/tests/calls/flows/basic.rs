//! A call rings, is answered or is not, and is hung up by either side or by a program.

use std::time::Duration;

use expect_test::expect;
use leg::{Command, LegEvent, Refusal, Reply};
use model::EndReason;

use super::{A, B, B2, check, talking};
use crate::support::{Pbx, id};

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
