//! Machines: sounds that rules play, calls that are answered and go on, and that a machine never
//! beats a person.

use std::time::Duration;

use crate::support::{Pbx, id};
use expect_test::{Expect, expect};
use leg::{ClipId, Direction, LegEvent, LegId, MediaEventKind};
use model::EndReason;

const A: LegId = LegId(0);

/// The n-th leg that was dialled.
fn out(n: u64) -> LegId {
    LegId(n * 2 + 1)
}

fn check(mut pbx: Pbx, expected: Expect) {
    expected.assert_eq(&pbx.said());
    assert!(pbx.is_empty(), "something is left");
}

#[test]
fn a_final_sound_is_played_to_its_end_and_the_call_is_over() {
    let mut pbx = Pbx::with_rules("101: playfile sound=1");
    pbx.dials("100", "101");
    pbx.event(A, LegEvent::Acknowledged);
    pbx.run_for(Duration::from_secs(4));
    pbx.clip_is_over(A, 1);
    check(
        pbx,
        expect![[r#"
        event 1 100100 dial-out CALLING
        audio of 1 legs: in0 hears clip 1; clip 1: silence300 file51
        event 2 100101 dial-in CALLING
        event 3 100100 answer ANSWER
        in0 answer 20000 SendRecv PCMU
        audio of 0 legs: silence
        event 4 100101 hangup ANSWER
        cdr 100101 In service_done 4 s
        in0 end service_done
        event 5 100100 hangup ANSWER
        cdr 100100 Out service_done 4 s
    "#]],
    );
}

#[test]
fn after_a_sound_that_is_not_final_the_answered_caller_hears_the_next_one_ring() {
    let mut pbx = Pbx::with_rules("101: playfile+ sound=1; transfer 102");
    pbx.dials("100", "101");
    pbx.clip_is_over(A, 1);
    pbx.rings(out(1));
    expect![[r#"
        101: rule 1 fires: playfile
        101: played
        101: rule 2 fires: transfer, the last
        101: 102 rings
    "#]]
    .assert_eq(&pbx.trace());
    pbx.run_for(Duration::from_secs(2));
    pbx.answers(out(1));
    pbx.ends(A, EndReason::CallerHungUp, None);
    check(
        pbx,
        expect![[r#"
        event 1 100100 dial-out CALLING
        audio of 1 legs: in0 hears clip 1; clip 1: silence300 file51
        event 2 100101 dial-in CALLING
        event 3 100100 answer ANSWER
        in0 answer 20000 SendRecv PCMU
        audio of 2 legs: in0 hears ringback
        event 4 100102 dial-in CALLING
        out1 dial as 100 "Phone 100" offering 20002 SendRecv PCMU,PCMA
        audio of 2 legs: in0 hears out1, out1 hears in0
        event 5 100102 answer ANSWER
        audio of 0 legs: silence
        event 6 100100 hangup ANSWER
        cdr 100100 Out caller_hung_up 2 s
        out1 end caller_hung_up
        event 7 100102 hangup ANSWER
        cdr 100102 In caller_hung_up 0 s
        event 8 100101 hangup ANSWER
        cdr 100101 In caller_hung_up 2 s
    "#]],
    );
}

#[test]
fn when_nobody_takes_an_answered_call_the_busy_tone_sounds_for_three_seconds() {
    let table = [
        ("transfer 102", Some("busy")),
        ("transfer+ 102; busy", Some("busy_by_rule")),
        ("transfer+ 102; hangup", None),
    ];
    for (rules, tone) in table {
        let mut pbx = Pbx::with_rules(&format!("101: playfile+ sound=1; {rules}"));
        pbx.dials("100", "101");
        pbx.clip_is_over(A, 1);
        pbx.said();
        pbx.ends(out(1), EndReason::Busy, Some(486));
        let said = pbx.said();
        assert_eq!(said.contains("in0 hears busy"), tone.is_some(), "{rules}: {said}");
        assert_eq!(pbx.is_empty(), tone.is_none(), "{rules}");
        let Some(reason) = tone else { continue };
        pbx.run_for(Duration::from_millis(2_999));
        assert_eq!(pbx.said(), "", "{rules}");
        pbx.run_for(Duration::from_millis(1));
        let over = format!(
            "audio of 0 legs: silence\nin0 end {reason}\nevent 7 100100 hangup ANSWER\n\
             cdr 100100 Out {reason} 3 s\n"
        );
        assert_eq!(pbx.said(), over, "{rules}");
        assert!(pbx.is_empty(), "{rules}");
    }
}

#[test]
fn a_caller_may_hold_and_hang_up_while_the_busy_tone_sounds() {
    let mut pbx = Pbx::with_rules("101: playfile+ sound=1; busy");
    pbx.dials("100", "101");
    pbx.clip_is_over(A, 1);
    pbx.said();
    pbx.offers(A, Direction::SendOnly);
    assert!(pbx.said().contains("audio of 1 legs: silence"));
    pbx.ends(A, EndReason::CallerHungUp, None);
    assert!(pbx.said().contains("cdr 100100 Out busy_by_rule"));
    assert!(pbx.is_empty());
}

#[test]
fn a_sound_that_is_not_there_counts_as_played_and_nobody_is_answered() {
    let mut pbx = Pbx::with_rules("101: playfile+ sound=7; hangup");
    pbx.dials("100", "101");
    let said = pbx.said();
    assert!(said.contains("in0 end hangup_by_rule") && !said.contains("answer"), "{said}");
    assert!(pbx.is_empty());
    let mut pbx = Pbx::with_rules("101: playfile+ sound=7");
    pbx.dials("100", "101");
    expect![[r#"
        101: rule 1 fires: playfile
        101: sound 7 is missing or damaged: it counts as played
        101: played
        101: the extension rings
    "#]]
    .assert_eq(&pbx.trace());
}

#[test]
fn a_damaged_sound_is_told_and_counts_as_played() {
    let mut pbx = Pbx::with_rules("101: playfile+ sound=1");
    pbx.dials("100", "101");
    pbx.media(A, MediaEventKind::ClipBroken(ClipId(1)));
    pbx.clip_is_over(A, 1);
    expect![[r#"
        101: rule 1 fires: playfile
        101: sound 1 is missing or damaged: it counts as played
        101: played
        101: the extension rings
    "#]]
    .assert_eq(&pbx.trace());
    pbx.ends(A, EndReason::CallerHungUp, None);
    assert!(pbx.is_empty());
}

#[test]
fn a_sound_whose_end_is_never_told_ends_in_time() {
    let mut pbx = Pbx::with_rules("101: playfile sound=1");
    pbx.dials("100", "101");
    pbx.run_for(Duration::from_secs(14) - Duration::from_millis(1));
    assert!(!pbx.is_empty());
    pbx.run_for(Duration::from_millis(1));
    assert!(pbx.is_empty());
}

#[test]
fn a_caller_without_an_offer_hears_the_sound_from_its_beginning() {
    let mut pbx = Pbx::with_rules("101: playfile sound=1");
    pbx.dials_with("100", "101", None);
    assert!(!pbx.said().contains("clip"), "nothing can be heard yet");
    pbx.event(A, LegEvent::Answer(Box::new(crate::support::both())));
    assert!(pbx.said().contains("in0 hears clip 1"));
    pbx.clip_is_over(A, 1);
    assert!(pbx.is_empty());
}

#[test]
fn a_caller_who_hangs_up_ends_what_plays_and_what_rings_behind_it() {
    let mut pbx = Pbx::with_rules("101: playfile+ sound=1; transfer 102");
    pbx.dials("100", "101");
    pbx.presses(A, '#');
    pbx.ends(A, EndReason::CallerHungUp, None);
    assert!(pbx.said().contains("cdr 100101 In caller_hung_up"));
    assert!(pbx.is_empty());
    pbx.dials("100", "101");
    let leg = LegId(2);
    pbx.clip_is_over(leg, 2);
    pbx.rings(out(1));
    pbx.said();
    pbx.ends(leg, EndReason::CallerHungUp, None);
    check(
        pbx,
        expect![[r#"
        audio of 0 legs: silence
        out1 end cancelled
        event 5 100102 hangup CANCEL
        cdr 100102 In caller_hung_up 0 s
        event 6 100101 hangup ANSWER
        cdr 100101 In caller_hung_up 0 s
        event 7 100100 hangup ANSWER
        cdr 100100 Out caller_hung_up 0 s
    "#]],
    );
}

#[test]
fn who_dials_after_the_answer_is_offered_the_codec_that_the_caller_talks() {
    use model::Codec::{Pcma, Pcmu};
    let mut pbx = Pbx::with_rules("101: playfile+ sound=1; transfer 102");
    pbx.dials_with("100", "101", Some(crate::support::session(4_000, &[Pcmu, Pcma])));
    pbx.clip_is_over(A, 1);
    let said = pbx.said();
    assert!(said.contains("in0 answer 20000 SendRecv PCMU\n"), "{said}");
    assert!(said.contains("offering 20002 SendRecv PCMU,PCMA"), "{said}");
}

#[test]
fn a_silent_caller_of_a_machine_is_asked_whether_it_is_still_there() {
    let mut pbx = Pbx::with_rules("101: playfile sound=1");
    pbx.dials("100", "101");
    pbx.said();
    pbx.media(A, MediaEventKind::Silent);
    assert!(pbx.said().contains("in0 offer"));
    pbx.event(A, LegEvent::OfferRejected { status: 408 });
    assert!(pbx.said().contains("cdr 100100 Out media_lost"));
    assert!(pbx.is_empty());
}

const COLLEAGUES: &str = "101: transfer 102 103\n102: voicemail";

#[test]
fn a_machine_waits_while_a_colleague_may_still_answer() {
    let mut pbx = Pbx::with_rules(COLLEAGUES);
    pbx.dials("100", "101");
    pbx.rings(out(1));
    pbx.run_for(Duration::from_secs(5));
    pbx.answers(out(1));
    pbx.ends(A, EndReason::CallerHungUp, None);
    check(
        pbx,
        expect![[r#"
        event 1 100100 dial-out CALLING
        audio of 1 legs: silence
        event 2 100101 dial-in CALLING
        event 3 100102 dial-in CALLING
        event 4 100103 dial-in CALLING
        out1 dial as 100 "Phone 100" offering 20002 SendRecv PCMU,PCMA
        in0 ring
        audio of 2 legs: in0 hears out1, out1 hears in0
        event 5 100102 hangup CANCEL
        cdr 100102 In answered_elsewhere 0 s
        event 6 100103 answer ANSWER
        event 7 100100 answer ANSWER
        in0 answer 20000 SendRecv PCMA
        audio of 0 legs: silence
        event 8 100100 hangup ANSWER
        cdr 100100 Out caller_hung_up 0 s
        out1 end caller_hung_up
        event 9 100103 hangup ANSWER
        cdr 100103 In caller_hung_up 0 s
        event 10 100101 hangup ANSWER
        cdr 100101 In caller_hung_up 0 s
    "#]],
    );
}

#[test]
fn the_machine_has_the_call_when_all_others_have_failed() {
    let mut pbx = Pbx::with_rules(COLLEAGUES);
    pbx.dials("100", "101");
    pbx.rings(out(1));
    pbx.said();
    pbx.ends(out(1), EndReason::Busy, Some(486));
    expect![[r#"
        101: rule 1 fires: transfer, the last
        101: 102 rings
        102: rule 1 fires: voicemail, the last
        101: 103 rings
        101: 103: busy
        102: answered
    "#]]
    .assert_eq(&pbx.trace());
    pbx.ends(A, EndReason::CallerHungUp, None);
    check(
        pbx,
        expect![[r#"
        audio of 1 legs: in0 hears clip 1; clip 1: silence300 En:LeaveMessage
        event 5 100103 hangup BUSY
        cdr 100103 In busy 0 s
        event 6 100100 answer ANSWER
        in0 answer 20000 SendRecv PCMU
        audio of 0 legs: silence
        event 7 100100 hangup ANSWER
        cdr 100100 Out caller_hung_up 0 s
        event 8 100101 hangup ANSWER
        cdr 100101 In caller_hung_up 0 s
        event 9 100102 hangup ANSWER
        cdr 100102 In caller_hung_up 0 s
    "#]],
    );
}

#[test]
fn the_time_of_the_rule_ends_the_wait_of_the_machine_too() {
    let mut pbx = Pbx::with_rules("101: transfer 102 103 8s; hangup\n102: voicemail");
    pbx.dials("100", "101");
    pbx.rings(out(1));
    pbx.said();
    pbx.run_for(Duration::from_secs(8));
    expect![[r#"
        audio of 1 legs: in0 hears clip 1; clip 1: silence300 En:LeaveMessage
        out1 end no_answer
        event 5 100103 hangup NOANSWER
        cdr 100103 In no_answer 0 s
        event 6 100100 answer ANSWER
        in0 answer 20000 SendRecv PCMU
    "#]]
    .assert_eq(&pbx.said());
    pbx.ends(A, EndReason::CallerHungUp, None);
    assert!(pbx.is_empty());
}

#[test]
fn of_several_machines_the_first_of_the_list_has_the_call() {
    let rules =
        "101: transfer 102 103 100\n102: transfer+ 100 5s; voicemail\n103: playfile sound=1";
    let mut pbx = Pbx::with_rules(rules);
    pbx.dials("100", "101");
    // 102 becomes ready after 103, and is taken all the same.
    pbx.device("100", 2);
    pbx.run_for(Duration::from_secs(7));
    let said = pbx.said();
    assert!(said.contains("LeaveMessage") && !said.contains("file51"), "{said}");
    assert!(said.contains("cdr 100103 In answered_elsewhere"), "{said}");
    pbx.ends(A, EndReason::CallerHungUp, None);
    assert!(pbx.is_empty());
}

#[test]
fn a_machine_that_is_ready_keeps_no_number_of_a_cascade_waiting() {
    let mut pbx = Pbx::with_rules("101: cascade 102 103@20\n102: voicemail");
    pbx.dials("100", "101");
    let said = pbx.said();
    assert!(said.contains("out1 dial") && !said.contains("answer"), "no dead air: {said}");
    pbx.ends(out(1), EndReason::Refused, Some(480));
    assert!(pbx.said().contains("in0 hears clip 1"));
    pbx.ends(A, EndReason::CallerHungUp, None);
    assert!(pbx.is_empty());
}

#[test]
fn a_machine_that_becomes_ready_later_lets_the_next_number_start_too() {
    let mut pbx = Pbx::with_rules("101: cascade 102 103@60 120s\n102: voicemail last=no");
    pbx.dials("100", "101");
    pbx.rings(out(1));
    pbx.said();
    // 102 rings for 20 s, then its voicemail is ready.
    pbx.run_for(Duration::from_secs(20));
    let said = pbx.said();
    assert!(said.contains("out2 dial") && !said.contains("in0 answer"), "{said}");
    pbx.ends(A, EndReason::Cancelled, None);
    assert!(pbx.is_empty());
}

#[test]
fn a_machine_of_a_targets_target_waits_for_everybody_in_the_call() {
    let rules = "101: transfer 102 103\n102: transfer 100 9s\n100: voicemail";
    let mut pbx = Pbx::with_rules(rules);
    pbx.dials("109", "101");
    pbx.dials("102", "101");
    let leg = LegId(2);
    pbx.rings(out(1));
    pbx.run_for(Duration::from_secs(15));
    assert!(!pbx.said().contains("in1 answer"), "103 still rings");
    pbx.ends(out(1), EndReason::Refused, Some(480));
    assert!(pbx.said().contains("in1 answer"));
    pbx.ends(leg, EndReason::CallerHungUp, None);
    assert!(pbx.is_empty());
}

#[test]
fn a_caller_who_gives_up_while_a_machine_is_ready_leaves_nothing() {
    let mut pbx = Pbx::with_rules(COLLEAGUES);
    pbx.dials("100", "101");
    pbx.rings(out(1));
    pbx.ends(A, EndReason::Cancelled, None);
    let said = pbx.said();
    assert!(said.contains("cdr 100102 In cancelled"), "{said}");
    assert!(pbx.is_empty());
}

#[test]
fn a_final_sound_of_a_target_ends_the_call_and_another_lets_the_rules_go_on() {
    for (kind, goes_on) in [("playfile", false), ("playfile+", true)] {
        let rules = format!("101: transfer+ 102; transfer 103\n102: {kind} sound=1; hangup");
        let mut pbx = Pbx::with_rules(&rules);
        pbx.dials("100", "101");
        pbx.clip_is_over(A, 1);
        assert_eq!(pbx.said().contains("out1 dial"), goes_on, "{kind}");
        assert_eq!(pbx.is_empty(), !goes_on, "{kind}");
    }
}

#[test]
fn a_sound_that_outlasts_the_rule_is_played_to_its_end_and_nothing_begins_behind_it() {
    let rules = "101: transfer+ 102 2s; transfer 103\n102: playfile+ sound=1; transfer 100";
    let mut pbx = Pbx::with_rules(rules);
    pbx.dials("101", "101");
    pbx.said();
    pbx.run_for(Duration::from_secs(3));
    assert_eq!(pbx.said(), "");
    pbx.clip_is_over(A, 1);
    let said = pbx.said();
    assert!(said.contains("cdr 100102 In no_answer") && !said.contains("100100"), "{said}");
    assert!(said.contains("100103 dial-in"), "{said}");
}

#[test]
fn a_program_ends_an_answered_call_without_a_tone() {
    let mut pbx = Pbx::with_rules("101: playfile sound=1");
    pbx.dials("100", "101");
    let call = pbx.call_api_id();
    pbx.said();
    pbx.command(leg::Command::Hangup { extension: id("101"), call });
    check(
        pbx,
        expect![[r#"
        audio of 0 legs: silence
        event 4 100101 hangup ANSWER
        cdr 100101 In api_hangup 0 s
        in0 end api_hangup
        event 5 100100 hangup ANSWER
        cdr 100100 Out api_hangup 0 s
    "#]],
    );
}
