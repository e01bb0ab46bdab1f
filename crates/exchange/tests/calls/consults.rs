//! Consultations where nobody is rung: in a conference room, at a service, with who is parked, and
//! before a voicemail.

use std::time::Duration;

use expect_test::expect;
use leg::{CallAction, Command, LegEvent, LegId, ReferId, ReferTo, Refusal, Reply};
use model::{CallApiId, EndReason, Number, PhoneShown};

use crate::support::{A, B, Pbx, id, out};

/// The `n`th leg that comes in, from 0.
fn leg(n: u64) -> LegId {
    LegId::incoming(n)
}

fn attended(number: &str) -> CallAction {
    CallAction::AttendedTransfer(Number::parse(number).unwrap())
}

/// What was declared last of who hears whom, in a call that is not a part of another by now.
fn audio(pbx: &mut Pbx) -> String {
    let said = pbx.said();
    let mut lines = said.lines().rev().filter_map(|l| l.strip_prefix("audio of "));
    let last = lines.find(|line| !line.starts_with("0 legs"));
    last.map_or("as before", |l| l.split_once(": ").unwrap().1).to_owned()
}

/// The handles under which an extension is listed, and whether it talks there.
fn handles(pbx: &mut Pbx, of: &str) -> Vec<(CallApiId, bool)> {
    let listed = pbx.listed().into_iter().filter(|(name, ..)| name.ends_with(of));
    listed.map(|(_, call, talks)| (call, talks)).collect()
}

fn hangs_up(pbx: &mut Pbx, of: &str, call: CallApiId) {
    let done = pbx.command(Command::Hangup { extension: id(of), call });
    assert!(matches!(done, Reply::Done), "{done:?}");
}

/// 100 talks with 101, whose rooms say nothing.
fn talking(rules: &str, set: impl Fn(&str, &mut PhoneShown)) -> Pbx {
    let mut pbx = Pbx::with_phones(rules, |name, shown| {
        shown.conference_announce_caller_name = false;
        set(name, shown);
    });
    pbx.dials("100", "101");
    pbx.answers(B);
    pbx.event(A, LegEvent::Acknowledged);
    pbx.said();
    pbx
}

/// The same, while 102 is in the room of 103, and 101 has gone there to ask.
fn in_a_room() -> (Pbx, CallApiId) {
    let mut pbx = talking("", |_, _| {});
    let call = pbx.call_api_id();
    pbx.dials("102", "*8103");
    pbx.clip_is_over(leg(1), 3);
    pbx.said();
    pbx.control("101", call, attended("*8103")).unwrap();
    (pbx, call)
}

/// How who consults may be out.
type End = (&'static str, fn(&mut Pbx, CallApiId));
const COMPLETES: [End; 2] = [
    ("hangs up", |pbx, _| pbx.ends(B, EndReason::CalleeHungUp, None)),
    ("is told to complete", |pbx, call| {
        pbx.control("101", call, CallAction::Transfer(None)).unwrap();
    }),
];
/// How it may come back.
const RETURNS: [End; 3] = [
    ("is told to", |pbx, call| {
        pbx.control("101", call, CallAction::Offhold).unwrap();
    }),
    ("the consultation is hung up", |pbx, call| {
        let own = handles(pbx, "101");
        let (consultation, _) = own.into_iter().find(|(of, _)| *of != call).unwrap();
        hangs_up(pbx, "101", consultation);
    }),
    ("presses the code", |pbx, _| {
        pbx.presses(B, '*');
        pbx.presses(B, '2');
    }),
];

#[test]
fn who_asks_in_a_room_hears_those_in_it_and_leaves_the_far_party_there() {
    for (how, completes) in COMPLETES {
        let (mut pbx, call) = in_a_room();
        assert_eq!(audio(&mut pbx), "in0 hears music, in1 hears out1, out1 hears in1");
        assert_eq!(handles(&mut pbx, "101").iter().map(|h| h.1).collect::<Vec<_>>(), [false, true]);
        completes(&mut pbx, call);
        assert_eq!(audio(&mut pbx), "in1 hears in0, in0 hears in1", "{how}");
        assert!(handles(&mut pbx, "101").is_empty(), "{how}");
        assert_eq!(handles(&mut pbx, "100"), [(call, true)], "{how}");
        pbx.ends(A, EndReason::CallerHungUp, None);
        pbx.ends(leg(1), EndReason::CallerHungUp, None);
        assert!(pbx.is_empty(), "{how}");
    }
}

#[test]
fn the_far_party_is_alone_in_a_room_where_nobody_else_was() {
    for (how, completes) in COMPLETES {
        let mut pbx = talking("", |_, _| {});
        let call = pbx.call_api_id();
        pbx.control("101", call, attended("*8103")).unwrap();
        pbx.clip_is_over(B, 3);
        assert_eq!(audio(&mut pbx), "in0 hears music, out1 hears music");
        completes(&mut pbx, call);
        assert_eq!(audio(&mut pbx), "in0 hears music", "{how}");
        let owner = pbx.dials("103", "*8103");
        assert!(audio(&mut pbx).contains(&format!("in0 hears {owner}")), "{how}");
        pbx.ends(owner, EndReason::CallerHungUp, None);
        assert!(pbx.is_empty(), "{how}");
    }
}

#[test]
fn who_asks_in_a_room_may_come_back_and_the_others_stay() {
    for (how, returns) in RETURNS {
        let (mut pbx, call) = in_a_room();
        returns(&mut pbx, call);
        let heard = audio(&mut pbx);
        assert!(heard.starts_with("in0 hears out1, out1 hears in0"), "{how}: {heard}");
        assert_eq!(handles(&mut pbx, "101"), [(call, true)], "{how}");
        assert_eq!(handles(&mut pbx, "102").len(), 1, "{how}");
        pbx.ends(A, EndReason::CallerHungUp, None);
        pbx.ends(leg(1), EndReason::CallerHungUp, None);
        assert!(pbx.is_empty(), "{how}");
    }
}

#[test]
fn a_room_that_is_over_with_its_owner_gives_who_asks_back() {
    let (mut pbx, call) = in_a_room();
    let owner = pbx.dials("103", "*8103");
    pbx.ends(owner, EndReason::CallerHungUp, None);
    assert_eq!(audio(&mut pbx), "in0 hears out1, out1 hears in0");
    assert_eq!(handles(&mut pbx, "101"), [(call, true)]);
    pbx.ends(B, EndReason::CalleeHungUp, None);
    assert!(pbx.is_empty());
}

#[test]
fn two_ask_in_one_room_and_both_come_back_when_its_owner_does() {
    let mut pbx = talking("", |_, _| {});
    let call = pbx.call_api_id();
    pbx.dials("102", "103");
    pbx.answers(out(2));
    let other = handles(&mut pbx, "103")[0].0;
    pbx.control("101", call, attended("*8103")).unwrap();
    pbx.control("103", other, attended("*8103")).unwrap();
    pbx.clip_is_over(B, 4);
    let together = "in0 hears music, in1 hears music, out1 hears out2, out2 hears out1";
    assert_eq!(audio(&mut pbx), together);
    pbx.control("103", other, CallAction::Offhold).unwrap();
    let heard = audio(&mut pbx);
    for pair in ["in0 hears out1", "out1 hears in0", "in1 hears out2", "out2 hears in1"] {
        assert!(heard.contains(pair), "{heard}");
    }
    pbx.ends(A, EndReason::CallerHungUp, None);
    pbx.ends(leg(1), EndReason::CallerHungUp, None);
    assert!(pbx.is_empty());
}

#[test]
fn nothing_else_is_done_with_who_asks_in_a_room() {
    let (mut pbx, call) = in_a_room();
    let (consultation, _) = handles(&mut pbx, "101")[1];
    for (of, named) in [("101", call), ("101", consultation), ("100", call)] {
        for action in [CallAction::Hold, CallAction::Park(None), attended("102")] {
            let refused = Err(Refusal::TransferInProgress);
            assert_eq!(pbx.control(of, named, action), refused, "{of}");
        }
    }
}

#[test]
fn who_asks_is_asked_for_the_code_of_a_room_and_so_is_the_far_party() {
    let with_code = || {
        let mut pbx = talking("", |name, shown| {
            shown.conference_pin = (name == "103").then(|| "4711".into());
        });
        let call = pbx.call_api_id();
        pbx.control("101", call, attended("*8103")).unwrap();
        (pbx, call)
    };
    let (mut pbx, call) = with_code();
    assert!(audio(&mut pbx).contains("out1 hears clip 2; clip 2: silence300 En:EnterCode"));
    pbx.ends(B, EndReason::CalleeHungUp, None);
    assert!(audio(&mut pbx).contains("in0 hears clip 3; clip 3: silence300 En:EnterCode"));
    assert_eq!(handles(&mut pbx, "100"), [(call, true)]);
    "4711".chars().for_each(|key| pbx.presses(A, key));
    assert!(audio(&mut pbx).contains("En:AloneInRoom"));
    pbx.ends(A, EndReason::CallerHungUp, None);
    assert!(pbx.is_empty());

    // Three wrong ones: back to the far party, behind a tone.
    let (mut pbx, call) = with_code();
    "1#1#1#".chars().for_each(|key| pbx.presses(B, key));
    assert_eq!(audio(&mut pbx), "in0 hears out1, out1 hears congestion");
    assert_eq!(handles(&mut pbx, "101"), [(call, true)]);
}

#[test]
fn who_asks_by_keys_at_a_service_comes_back_or_leaves_the_far_party_there() {
    for (how, returns) in RETURNS {
        let mut pbx = talking("", |_, _| {});
        let call = pbx.call_api_id();
        "*2199#".chars().for_each(|key| pbx.presses(B, key));
        assert_eq!(audio(&mut pbx), "in0 hears music, out1 hears test", "{how}");
        returns(&mut pbx, call);
        assert_eq!(audio(&mut pbx), "in0 hears out1, out1 hears in0", "{how}");
        assert_eq!(handles(&mut pbx, "101"), [(call, true)], "{how}");
        pbx.ends(B, EndReason::CalleeHungUp, None);
        assert!(pbx.is_empty(), "{how}");
    }
    for (how, completes) in COMPLETES {
        let mut pbx = talking("", |_, _| {});
        let call = pbx.call_api_id();
        pbx.control("101", call, attended("199")).unwrap();
        pbx.run_for(Duration::from_secs(3));
        assert_eq!(audio(&mut pbx), "in0 hears music, out1 hears out1", "{how}");
        completes(&mut pbx, call);
        assert_eq!(audio(&mut pbx), "in0 hears in0", "{how}");
        assert_eq!(handles(&mut pbx, "100"), [(call, true)], "{how}");
        pbx.ends(A, EndReason::CallerHungUp, None);
        assert!(pbx.is_empty(), "{how}");
    }
}

/// 102 is parked in slot 6 by 103, and 101 has taken it back to ask it something for 100.
fn asks_who_is_parked() -> (Pbx, CallApiId) {
    let mut pbx = talking("", |_, _| {});
    let call = pbx.call_api_id();
    pbx.dials("102", "103");
    pbx.answers(out(2));
    let other = handles(&mut pbx, "103")[0].0;
    pbx.control("103", other, CallAction::Park(Some(6))).unwrap();
    pbx.said();
    pbx.control("101", call, attended("park+6")).unwrap();
    (pbx, call)
}

#[test]
fn who_asks_a_slot_talks_with_who_is_parked_and_leaves_the_two_together() {
    for (how, completes) in COMPLETES {
        let (mut pbx, call) = asks_who_is_parked();
        assert_eq!(audio(&mut pbx), "in0 hears music, in1 hears out1, out1 hears in1");
        assert!(pbx.exchange.tables().slots.holder(6).is_none());
        completes(&mut pbx, call);
        assert_eq!(audio(&mut pbx), "in0 hears in1, in1 hears in0", "{how}");
        assert_eq!(handles(&mut pbx, "102"), [(call, true)], "the older handle: {how}");
        pbx.ends(A, EndReason::CallerHungUp, None);
        assert!(pbx.is_empty(), "{how}");
    }
}

#[test]
fn who_was_parked_and_asked_waits_again_in_its_slot() {
    for (how, returns) in RETURNS {
        let (mut pbx, call) = asks_who_is_parked();
        returns(&mut pbx, call);
        assert_eq!(audio(&mut pbx), "in0 hears out1, out1 hears in0, in1 hears music", "{how}");
        let holder = pbx.exchange.tables().slots.holder(6).unwrap();
        assert_eq!(holder.by, id("101"), "in whose name it is parked now: {how}");
        assert_eq!(handles(&mut pbx, "101").iter().filter(|h| h.1).count(), 1, "{how}");
        pbx.ends(A, EndReason::CallerHungUp, None);
        // It rings back at who has asked.
        pbx.said();
        pbx.run_for(Duration::from_secs(181));
        assert!(pbx.said().contains("dial as 102 \"P6: Phone 102\""), "{how}");
        let taker = pbx.dials("103", "*06");
        assert!(audio(&mut pbx).contains(&format!("in1 hears {taker}")), "{how}");
        pbx.ends(leg(1), EndReason::CallerHungUp, None);
        assert!(pbx.is_empty(), "{how}");
    }
}

#[test]
fn who_was_parked_waits_in_another_slot_when_its_own_was_taken() {
    let (mut pbx, call) = asks_who_is_parked();
    pbx.dials("103", "74951234567");
    pbx.answers(out(3));
    let third = handles(&mut pbx, "103")[0].0;
    pbx.control("103", third, CallAction::Park(Some(6))).unwrap();
    pbx.control("101", call, CallAction::Offhold).unwrap();
    let slots = &pbx.exchange.tables().slots;
    assert_eq!(
        slots.iter().map(|(slot, of)| (slot, of.by)).collect::<Vec<_>>(),
        [(1, id("101")), (6, id("103"))]
    );
    pbx.ends(A, EndReason::CallerHungUp, None);
    pbx.ends(leg(1), EndReason::CallerHungUp, None);
    pbx.ends(out(3), EndReason::CalleeHungUp, None);
    assert!(pbx.is_empty());
}

#[test]
fn who_was_parked_and_hangs_up_while_asked_leaves_the_others_talking() {
    let (mut pbx, _) = asks_who_is_parked();
    pbx.ends(leg(1), EndReason::CallerHungUp, None);
    assert_eq!(audio(&mut pbx), "in0 hears out1, out1 hears in0");
    assert!(pbx.exchange.tables().slots.iter().next().is_none());
    pbx.ends(A, EndReason::CallerHungUp, None);
    assert!(pbx.is_empty());
}

#[test]
fn a_free_slot_can_be_asked_nothing() {
    let mut pbx = talking("", |_, _| {});
    let call = pbx.call_api_id();
    for slot in ["park+6", "*06", "*0"] {
        assert_eq!(pbx.control("101", call, attended(slot)), Err(Refusal::NothingParked), "{slot}");
    }
    assert_eq!(pbx.said(), "");
    "*2*06#".chars().for_each(|key| pbx.presses(B, key));
    assert_eq!(audio(&mut pbx), "in0 hears out1, out1 hears congestion");
}

/// 100 waits while 101 speaks to the voicemail of 102.
fn before_a_voicemail() -> (Pbx, CallApiId) {
    let mut pbx = talking("102: voicemail", |_, _| {});
    let call = pbx.call_api_id();
    pbx.control("101", call, attended("102")).unwrap();
    pbx.clip_is_over(B, 2);
    pbx.clip_is_over(B, 3);
    pbx.said();
    (pbx, call)
}

#[test]
fn who_speaks_to_a_voicemail_comes_back_and_the_message_is_kept() {
    for (how, returns) in RETURNS {
        let (mut pbx, call) = before_a_voicemail();
        returns(&mut pbx, call);
        assert_eq!(audio(&mut pbx), "in0 hears out1, out1 hears in0", "{how}");
        assert_eq!(handles(&mut pbx, "101"), [(call, true)], "{how}");
        pbx.recorded(B, 4, 3_000);
        assert!(pbx.said().contains("message for 100102 of 3000 ms"), "{how}");
        pbx.ends(B, EndReason::CalleeHungUp, None);
        assert!(pbx.is_empty(), "{how}");
    }
    // So does who has said all.
    let (mut pbx, call) = before_a_voicemail();
    pbx.presses(B, '#');
    assert_eq!(audio(&mut pbx), "in0 hears out1, out1 hears in0");
    assert_eq!(handles(&mut pbx, "101"), [(call, true)]);
}

#[test]
fn nobody_is_put_before_a_voicemail_that_somebody_else_speaks_to() {
    let (mut pbx, call) = before_a_voicemail();
    let completes = CallAction::Transfer(None);
    assert_eq!(pbx.control("101", call, completes), Err(Refusal::NoFarParty), "it has answered");
    assert_eq!(pbx.said(), "");
}

#[test]
fn a_phone_that_has_dialled_a_room_or_a_service_itself_sends_its_far_party_there() {
    for (number, heard) in [("*8103", "in0 hears music"), ("199", "in0 hears in0")] {
        let mut pbx = talking("", |_, _| {});
        let second = pbx.dials("101", number);
        pbx.run_for(Duration::from_secs(61));
        pbx.said();
        let to = ReferTo::Replace(second);
        pbx.event(B, LegEvent::Refer { refer: ReferId(1), to, referred_by: None });
        let said = pbx.said();
        assert!(said.contains("out1 refer 1 200"), "{number}: {said}");
        assert!(said.contains("in1 end transferred"), "{number}: {said}");
        assert!(said.contains(heard), "{number}: {said}");
        pbx.ends(B, EndReason::CalleeHungUp, None);
        assert!(handles(&mut pbx, "101").is_empty(), "{number}");
        pbx.ends(A, EndReason::CallerHungUp, None);
        assert!(pbx.is_empty(), "{number}");
    }
}

#[test]
fn what_one_input_gives_comes_in_its_order() {
    let mut pbx = Pbx::with_phones("", |name, shown| {
        shown.conference_announce_caller_name = false;
        shown.conference_pin = (name == "103").then(|| "4711".into());
    });
    pbx.dials("103", "101");
    pbx.answers(B);
    let call = pbx.call_api_id();
    pbx.dials("102", "*8103");
    "4711".chars().for_each(|key| pbx.presses(leg(1), key));
    pbx.clip_is_over(leg(1), 3);
    pbx.control("101", call, attended("*8103")).unwrap();
    pbx.said();
    // Its own part is over before the owner, who needs no code, is in the room of another call.
    pbx.ends(B, EndReason::CalleeHungUp, None);
    expect![[r#"
        audio of 2 legs: in1 hears in0+clip 4, in0 hears in1+clip 4; clip 4: silence300 En:AloneInRoom
        event 3 100101 hangup ANSWER
        cdr 100101 Out transferred 0 s
        in0 identify *8103
        event 5 100101 hangup ANSWER
        cdr 100101 In transferred 0 s
        audio of 0 legs: silence
    "#]]
    .assert_eq(&pbx.said());
    pbx.ends(A, EndReason::CallerHungUp, None);
    assert!(pbx.is_empty());
}

/// Its part in the consultation is over, and only listed as of whom it has parked.
#[test]
fn who_lets_somebody_wait_again_is_told_to_be_out_of_that_talk_at_once() {
    let (mut pbx, call) = asks_who_is_parked();
    pbx.said();
    pbx.control("101", call, CallAction::Offhold).unwrap();
    let said = pbx.said();
    let events: Vec<&str> = said.lines().filter(|line| line.starts_with("event")).collect();
    assert_eq!(events, ["event 3 100101 hangup ANSWER"]);
}
