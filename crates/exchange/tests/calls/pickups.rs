//! Taking calls: over the API and with codes, ringing ones and answered ones; and listening with
//! codes.

use std::time::Duration;

use expect_test::expect;
use leg::{CallAction, LegEvent, LegId, Refusal};
use model::{Codec, ControlGroups, EndReason, Number};

use crate::support::{A, B, Pbx, out, talking};

/// The second leg that comes in.
const C: LegId = LegId(2);

fn pickup(number: &str) -> CallAction {
    CallAction::Pickup(Number::parse(number).unwrap())
}

/// A document in which 100 and 101, and 101 and 102, share pickup.
fn sharing() -> ControlGroups {
    let group = |name: &str, members: [&str; 2]| (name.into(), members.map(Into::into).into());
    ControlGroups {
        pickup_all: Some(false),
        groups: Some(vec![group("support", ["100", "101"]), group("sales", ["101", "102"])]),
        pickup_share_groups: Some(vec!["support".into(), "sales".into()]),
        ..ControlGroups::default()
    }
}

/// What is said of a leg.
fn about(said: &str, leg: LegId) -> String {
    let lines = said.lines().filter(|l| l.starts_with(&format!("{leg} ")));
    lines.map(|l| format!("{l}\n")).collect()
}

#[test]
fn who_is_rung_for_it_takes_the_far_party_of_an_answered_call() {
    let mut pbx = talking();
    let call = pbx.call_api_id();
    pbx.control("101", call, pickup("102")).unwrap();
    pbx.rings(out(2));
    pbx.answers(out(2));
    let listed = pbx.listed();
    let listed: Vec<_> = listed.iter().map(|(n, c, r)| (&n[5..], *c == call, *r)).collect();
    assert_eq!(listed, [("100", true, true), ("102", true, true)]);
    pbx.ends(out(2), EndReason::CalleeHungUp, None);
    assert!(pbx.is_empty());
    expect![[r#"
        audio of 3 legs: in0 hears out1, out1 hears in0
        event 5 100102 dial-in CALLING
        out2 dial as 100 "Phone 100" offering 20004 SendRecv PCMA,PCMU
        audio of 2 legs: in0 hears out2, out2 hears in0
        event 6 100102 answer ANSWER
        out1 end replaced
        event 7 100101 hangup ANSWER
        cdr 100101 In replaced 0 s
        out2 identify Phone 100
        in0 identify Phone 102
        audio of 0 legs: silence
        in0 end callee_hung_up
        event 8 100100 hangup ANSWER
        cdr 100100 Out callee_hung_up 0 s
        event 9 100102 hangup ANSWER
        cdr 100102 In callee_hung_up 0 s
    "#]]
    .assert_eq(&pbx.said());
}

#[test]
fn the_called_side_of_an_answered_call_is_taken_from_its_caller() {
    let mut pbx = talking();
    let call = pbx.call_api_id();
    pbx.control("100", call, CallAction::Hold).unwrap();
    pbx.control("100", call, pickup("102")).unwrap();
    assert!(pbx.said().contains("out2 dial as 101 \"Phone 101\""));
    pbx.answers(out(2));
    let said = pbx.said();
    assert!(said.contains("out2 hears out1, out1 hears out2"), "nobody holds any more: {said}");
    assert!(about(&said, A).contains("end replaced"), "{said}");
}

#[test]
fn nobody_takes_a_call_that_is_over_or_that_somebody_else_has_taken() {
    let mut pbx = talking();
    let call = pbx.call_api_id();
    pbx.control("101", call, pickup("102")).unwrap();
    pbx.control("101", call, pickup("103")).unwrap();
    pbx.answers(out(3));
    let said = pbx.said();
    assert!(said.contains("out2 end cancelled"), "whose place it was is gone: {said}");
    pbx.ends(out(3), EndReason::CalleeHungUp, None);
    assert!(pbx.is_empty());

    let mut pbx = talking();
    pbx.control("101", call, pickup("102")).unwrap();
    pbx.ends(A, EndReason::CallerHungUp, None);
    assert!(pbx.said().contains("out2 end cancelled"));
    assert!(pbx.is_empty());
}

#[test]
fn an_outside_number_takes_an_answered_call_with_a_key() {
    let mut pbx = Pbx::with_rules("");
    pbx.dials("100", "101");
    pbx.answers(B);
    let call = pbx.call_api_id();
    pbx.control("101", call, pickup("79991234567")).unwrap();
    pbx.answers(out(2));
    assert!(!pbx.said().contains("in0 hears out2"));
    pbx.presses(out(2), '1');
    assert!(pbx.said().contains("in0 hears out2, out2 hears in0"));
    assert!(pbx.audited().contains("79991234567 may pickup 0003*101 by api (robot): token"));
}

#[test]
fn a_program_takes_calls_by_groups_where_that_is_set() {
    let mut pbx = Pbx::with("", |_, routing| {
        routing.settings.shown.call_control_api = model::CallControlApi::Groups;
    });
    pbx.allow(ControlGroups { pickup_all: Some(false), ..ControlGroups::default() });
    pbx.dials("100", "101");
    let call = pbx.call_api_id();
    assert_eq!(pbx.control("101", call, pickup("102")), Err(Refusal::Forbidden));
    assert_eq!(pbx.control("101", call, pickup("79991234567")), Err(Refusal::Forbidden));
    pbx.answers(B);
    assert_eq!(pbx.control("101", call, pickup("102")), Err(Refusal::Forbidden));
    pbx.allow(sharing());
    pbx.control("101", call, pickup("102")).unwrap();
}

#[test]
fn a_code_takes_the_call_of_an_extension() {
    let mut pbx = Pbx::new();
    pbx.dials("100", "101");
    pbx.rings(B);
    pbx.said();
    pbx.dials("102", "*7101");
    let said = pbx.said();
    pbx.ends(C, EndReason::CallerHungUp, None);
    assert!(pbx.is_empty());
    expect![[r#"
        event 1 100102 dial-out CALLING
        audio of 2 legs: in0 hears in1, in1 hears in0
        out1 end answered_elsewhere
        event 3 100101 hangup CANCEL
        cdr 100101 In answered_elsewhere 0 s
        event 2 100102 answer ANSWER
        in0 identify Phone 102
        in1 identify Phone 100
        in1 answer 20004 SendRecv PCMU
        event 4 100100 answer ANSWER
        in0 answer 20000 SendRecv PCMU
    "#]]
    .assert_eq(&said);
    assert_eq!(pbx.audited(), "0003*102 may pickup 0003*101 by phone: pickup_all\n");
}

#[test]
fn the_oldest_call_of_the_merged_groups_is_taken_but_no_own_one() {
    let mut pbx = Pbx::new();
    pbx.allow(sharing());
    // 102 has placed the oldest, and 103 is in no group.
    pbx.dials("102", "101");
    pbx.run_for(Duration::from_secs(1));
    pbx.dials("101", "103");
    pbx.run_for(Duration::from_secs(1));
    pbx.said();
    let third = pbx.dials("102", "*7");
    assert!(about(&pbx.said(), third).contains("end forbidden"));
    expect![[r#"
        0003*102 may not group_pickup nobody by phone: nothing
    "#]]
    .assert_eq(&pbx.audited());

    let mut pbx = Pbx::new();
    pbx.allow(sharing());
    pbx.dials("103", "101");
    pbx.run_for(Duration::from_secs(1));
    pbx.dials("103", "101");
    pbx.run_for(Duration::from_secs(1));
    let first = pbx.dials("102", "*7");
    let said = pbx.said();
    assert!(said.contains(&format!("in0 hears {first}")), "the older one: {said}");
    assert!(said.contains("out1 end answered_elsewhere"), "{said}");
    let second = pbx.dials("100", "*7");
    let said = pbx.said();
    assert!(said.contains(&format!("in1 hears {second}")), "who is second finds the next: {said}");
    expect![[r#"
        0003*102 may group_pickup 0003*101 by phone: pickup_share_groups
        0003*100 may group_pickup 0003*101 by phone: pickup_share_groups
    "#]]
    .assert_eq(&pbx.audited());
}

#[test]
fn a_call_rings_at_an_extension_while_its_rules_ring_elsewhere() {
    let mut pbx = Pbx::with_rules("101: transfer 103 60s");
    pbx.dials("100", "101");
    pbx.rings(B);
    pbx.said();
    pbx.dials("102", "*7101");
    let said = pbx.said();
    assert!(said.contains("in0 hears in1, in1 hears in0"), "{said}");
    assert!(said.contains("out1 end answered_elsewhere"), "{said}");
}

#[test]
fn every_refusal_is_the_same_whoever_is_called_and_whatever_it_does() {
    let mut pbx = Pbx::new();
    pbx.allow(sharing());
    // 100 and 101 talk, 102 rings, 555 is not there, and 103 who asks is in no group.
    pbx.dials("100", "101");
    pbx.answers(B);
    pbx.dials("100", "102");
    let mut refusals = std::collections::BTreeSet::new();
    for code in
        ["*7", "*7100", "*7101", "*7102", "*7103", "*7555", "*4100", "*5101", "*6102", "*4555"]
    {
        pbx.said();
        let leg = pbx.dials("103", code);
        refusals.insert(about(&pbx.said(), leg).replace(&leg.to_string(), "leg"));
    }
    assert_eq!(refusals.into_iter().collect::<Vec<_>>(), ["leg end forbidden\n"]);
    let rows = pbx.audited();
    assert_eq!(rows.lines().count(), 10, "{rows}");
    assert!(rows.contains("0003*103 may not pickup 555 by phone: nothing"), "{rows}");
}

#[test]
fn the_caller_who_cancels_before_leaves_nothing_to_take() {
    let mut pbx = Pbx::new();
    pbx.dials("100", "101");
    pbx.ends(A, EndReason::Cancelled, None);
    pbx.said();
    let leg = pbx.dials("102", "*7101");
    assert!(about(&pbx.said(), leg).contains("end forbidden"));
    assert!(pbx.is_empty());
    let rows = pbx.audited();
    assert_eq!(rows, "0003*102 may pickup 0003*101 by phone: pickup_all, no such call\n");
    // And at the same instant, the other way round.
    pbx.dials("100", "101");
    let taker = pbx.dials("102", "*7101");
    pbx.ends(LegId(4), EndReason::Cancelled, None);
    assert!(about(&pbx.said(), taker).contains("end"));
    assert!(pbx.is_empty());
}

#[test]
fn two_who_take_one_call_do_not_both_have_it() {
    let mut pbx = Pbx::new();
    pbx.dials("100", "101");
    let first = pbx.dials("102", "*7101");
    pbx.said();
    let second = pbx.dials("103", "*7101");
    assert!(about(&pbx.said(), second).contains("end forbidden"));
    assert_eq!(pbx.listed().len(), 2);
    pbx.ends(first, EndReason::CallerHungUp, None);
    assert!(pbx.is_empty());
}

#[test]
fn a_code_listens_to_the_call_that_is_not_held() {
    let mut pbx = Pbx::new();
    pbx.allow(ControlGroups { allow_all: Some(true), ..ControlGroups::default() });
    pbx.dials("100", "101");
    pbx.answers(B);
    pbx.dials("103", "101");
    pbx.answers(out(2));
    let newest = pbx.listed()[3].1;
    pbx.control("101", newest, CallAction::Hold).unwrap();
    pbx.said();
    let leg = pbx.dials("102", "*6101");
    let said = pbx.said();
    assert!(said.contains(&format!("in0 hears out1+{leg}")), "{said}");
    pbx.presses(leg, '0');
    pbx.presses(leg, '*');
    let said = pbx.said();
    assert!(about(&said, leg).contains("end caller_hung_up"), "{said}");
    expect![[r#"
        0003*102 may conference 0003*101 by phone: allow_all
        0003*102 may eavesdrop 0003*101 by phone: allow_all
    "#]]
    .assert_eq(&pbx.audited());
}

#[test]
fn whose_turn_it_was_to_ring_shows_no_missed_call_and_the_taker_sees_who_calls() {
    let mut pbx = Pbx::new();
    pbx.dials("100", "101");
    let taker = pbx.dials("102", "*7101");
    let said = pbx.said();
    assert!(said.contains("out1 end answered_elsewhere"), "{said}");
    assert!(about(&said, taker).starts_with(&format!("{taker} identify Phone 100\n")), "{said}");
    assert!(about(&said, A).contains("in0 identify Phone 102\n"), "{said}");
}

#[test]
fn who_is_rung_to_take_a_call_is_offered_the_codec_first_that_the_other_side_talks() {
    let with = |codec| {
        let answer = Some(Box::new(crate::support::session(5_000, &[codec])));
        LegEvent::Answered { answer, capabilities: leg::Capabilities::default() }
    };
    for (codec, first) in [(Codec::Pcmu, "PCMU,PCMA"), (Codec::Pcma, "PCMA,PCMU")] {
        let mut pbx = Pbx::new();
        pbx.dials("100", "101");
        pbx.event(B, with(codec));
        let call = pbx.call_api_id();
        pbx.said();
        // The far party of either side, and who is parked.
        pbx.control("101", call, pickup("102")).unwrap();
        pbx.control("100", call, pickup("103")).unwrap();
        let offers = |pbx: &mut Pbx| {
            let said = pbx.said();
            let offered = said.lines().filter_map(|l| l.split_once("SendRecv ")).map(|l| l.1);
            offered.map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(offers(&mut pbx), [first, first]);
        pbx.control("101", call, CallAction::Park(None)).unwrap();
        pbx.said();
        pbx.control("101", call, pickup("102")).unwrap();
        assert_eq!(offers(&mut pbx), [first]);
    }
}
