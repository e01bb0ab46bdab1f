//! Conference rooms.

use std::time::Duration;

use expect_test::expect;
use leg::{CallAction, Command, Direction, LegEvent, LegId};
use leg::{ReferId, ReferTo, Refusal, Reply};
use model::{EndReason, Number, PhoneShown};

use crate::support::{A, B, Pbx, id, talking};

/// The `n`th leg that comes in, from 0.
fn leg(n: u64) -> LegId {
    LegId::incoming(n)
}

fn with(set: impl Fn(&mut PhoneShown)) -> Pbx {
    Pbx::with_phones("", |name, shown| {
        if name == "100" {
            set(shown);
        }
    })
}

/// A room that says nothing, with 101, 102 and its owner in it.
fn three() -> Pbx {
    let mut pbx = with(|room| room.conference_announce_caller_name = false);
    for name in ["101", "102", "100"] {
        pbx.dials(name, "*8100");
    }
    pbx.clip_is_over(leg(0), 2);
    pbx.said();
    pbx
}

/// What was declared last of who hears whom.
fn audio(pbx: &mut Pbx) -> String {
    let said = pbx.said();
    let last = said.lines().rev().find_map(|l| l.strip_prefix("audio of "));
    last.map_or("as before", |l| l.split_once(": ").unwrap().1).to_owned()
}

#[test]
fn who_comes_first_hears_music_and_each_hears_all_others() {
    let mut pbx = with(|_| {});
    pbx.dials("101", "*8100");
    pbx.clip_is_over(leg(0), 2);
    pbx.dials("102", "*8100");
    pbx.clip_is_over(leg(0), 3);
    pbx.dials("100", "*8100");
    pbx.clip_is_over(leg(0), 4);
    assert_eq!(pbx.exchange.calls().count(), 1);
    assert_eq!(pbx.listed().len(), 3);
    pbx.ends(leg(1), EndReason::CallerHungUp, None);
    pbx.ends(leg(2), EndReason::CallerHungUp, None);
    assert!(pbx.is_empty(), "it is over with its owner");
    expect![[r#"
        event 1 100101 dial-out CALLING
        audio of 1 legs: in0 hears clip 2; clip 2: silence300 En:AloneInRoom
        event 2 100101 answer ANSWER
        in0 answer 20000 SendRecv PCMU
        audio of 1 legs: in0 hears music
        event 1 100102 dial-out CALLING
        audio of 2 legs: in0 hears in1+clip 3, in1 hears in0+clip 3; clip 3: silence300 1 0 2
        event 2 100102 answer ANSWER
        in1 answer 20002 SendRecv PCMU
        audio of 2 legs: in0 hears in1, in1 hears in0
        event 1 100100 dial-out CALLING
        audio of 3 legs: in0 hears in1+in2+clip 4, in1 hears in0+in2+clip 4, in2 hears in0+in1+clip 4; clip 4: silence300 1 0 0
        event 2 100100 answer ANSWER
        in2 answer 20004 SendRecv PCMU
        audio of 3 legs: in0 hears in1+in2, in1 hears in0+in2, in2 hears in0+in1
        audio of 2 legs: in0 hears in2, in2 hears in0
        event 3 100102 hangup ANSWER
        cdr 100102 Out caller_hung_up 0 s
        audio of 0 legs: silence
        event 3 100100 hangup ANSWER
        cdr 100100 Out caller_hung_up 0 s
        in0 end service_done
        event 3 100101 hangup ANSWER
        cdr 100101 Out service_done 0 s
    "#]]
    .assert_eq(&pbx.said());
}

#[test]
fn who_holds_neither_hears_nor_plays_music_to_the_others() {
    let mut pbx = three();
    pbx.offers(leg(1), Direction::SendOnly);
    assert_eq!(audio(&mut pbx), "in0 hears in2, in2 hears in0");
    pbx.offers(leg(1), Direction::SendRecv);
    assert_eq!(audio(&mut pbx), "in0 hears in1+in2, in1 hears in0+in2, in2 hears in0+in1");
}

#[test]
fn a_room_goes_on_without_its_owner_if_that_is_set() {
    let mut pbx = with(|room| {
        room.conference_end_on_exit = false;
        room.conference_announce_caller_name = false;
    });
    pbx.dials("101", "*8100");
    pbx.dials("100", "*8100");
    pbx.clip_is_over(leg(0), 2);
    pbx.ends(leg(1), EndReason::CallerHungUp, None);
    assert_eq!(audio(&mut pbx), "in0 hears music");
    pbx.ends(leg(0), EndReason::CallerHungUp, None);
    assert!(pbx.is_empty());
}

#[test]
fn the_code_is_asked_of_all_but_the_owner_and_three_wrong_ones_are_the_end() {
    let mut pbx = with(|room| room.conference_pin = Some("4711".into()));
    pbx.dials("101", "*8100");
    expect![[r#"
        event 1 100101 dial-out CALLING
        audio of 1 legs: in0 hears clip 1; clip 1: silence300 En:EnterCode
        event 2 100101 answer ANSWER
        in0 answer 20000 SendRecv PCMU
    "#]]
    .assert_eq(&pbx.said());
    for key in ['1', '2', '#'] {
        pbx.presses(leg(0), key);
    }
    assert!(pbx.said().contains("En:WrongCode En:EnterCode"));
    for key in ['4', '7', '1', '2'] {
        pbx.presses(leg(0), key);
    }
    assert!(pbx.said().contains("En:WrongCode"));
    pbx.clip_is_over(leg(0), 3);
    pbx.run_for(Duration::from_secs(11));
    assert!(pbx.said().contains("in0 end forbidden"), "silence is a wrong one too");
    assert!(pbx.is_empty());

    pbx.dials("100", "*8100");
    pbx.dials("101", "*8100");
    for key in ['4', '7', '1', '1'] {
        pbx.presses(leg(2), key);
    }
    let said = pbx.said();
    assert!(said.contains("in1 hears in2"), "a right one opens, without an end: {said}");
    assert_eq!(pbx.exchange.calls().count(), 1);
}

#[test]
fn nobody_finds_a_room_where_no_phone_is() {
    let mut pbx = Pbx::new();
    for code in ["*8555", "*8199"] {
        let leg = pbx.dials("101", code);
        assert!(pbx.said().contains(&format!("{leg} end not_found")));
    }
    assert!(pbx.is_empty());
}

#[test]
fn nothing_is_done_with_who_is_in_a_room_but_to_end_it() {
    let mut pbx = three();
    let call = pbx.call_api_id();
    for action in [CallAction::Hold, CallAction::Park(None)] {
        assert_eq!(pbx.control("101", call, action), Err(Refusal::TooManyParties));
    }
    let (extension, call) = (crate::support::id("101"), call);
    pbx.command(leg::Command::Hangup { extension, call });
    assert_eq!(audio(&mut pbx), "in1 hears in2, in2 hears in1");
}

#[test]
fn people_are_sent_to_a_room_by_programs_phones_and_rules() {
    // By a program: who sends is out.
    let mut pbx = three();
    pbx.dials("103", "101");
    pbx.answers(B);
    let call = pbx.listed()[4].1;
    pbx.said();
    let number = || Number::parse("*8100").unwrap();
    pbx.control("101", call, CallAction::Transfer(Some(number()))).unwrap();
    let said = pbx.said();
    assert!(said.contains("in3 hears in0+in1+in2"), "{said}");
    assert!(said.contains("out1 end transferred"), "{said}");
    // By REFER: its phone is told, and hangs up by itself.
    pbx.dials("103", "101");
    pbx.answers(LegId::outgoing(2));
    pbx.said();
    let to = ReferTo::Number(number());
    let refer = LegEvent::Refer { refer: ReferId(7), to, referred_by: None };
    pbx.event(LegId::outgoing(2), refer);
    let said = pbx.said();
    assert!(said.contains("in4 hears in0+in1+in2+in3"), "{said}");
    assert!(said.contains("out2 refer 7 accepted\nout2 refer 7 200\n"), "{said}");
    pbx.run_for(Duration::from_secs(6));
    assert!(pbx.said().contains("out2 end transferred"));
    // By a rule: the extension that forwards has no leg, and goes with who was forwarded.
    let mut pbx = Pbx::with_rules("101: transfer 102 *8100 30s");
    pbx.dials("100", "101");
    pbx.ends(B, EndReason::Busy, Some(486));
    assert!(audio(&mut pbx).contains("in0 hears clip"));
    let talks: Vec<bool> = pbx.listed().iter().map(|(.., talks)| *talks).collect();
    assert_eq!(talks, [true, false]);
    pbx.ends(leg(0), EndReason::CallerHungUp, None);
    assert!(pbx.is_empty());
}

/// It was answered as done, and both went on: the caller, and the part of who was called.
#[test]
fn whom_a_rule_has_led_to_a_room_is_hung_up_by_who_was_called() {
    for is_alone in [true, false] {
        let mut pbx = Pbx::with_rules("101: transfer *8103 60s");
        if !is_alone {
            pbx.dials("102", "*8103");
        }
        let caller = leg(u64::from(!is_alone));
        pbx.dials("100", "101");
        pbx.event(caller, LegEvent::Acknowledged);
        let command = Command::ListCalls { extension: Some(id("101")) };
        let Reply::Calls(calls) = pbx.command(command) else { panic!("no list") };
        let call = calls[0].call_api_id.unwrap();
        pbx.said();
        let done = pbx.command(Command::Hangup { extension: id("101"), call });
        assert!(matches!(done, Reply::Done));
        let said = pbx.said();
        assert!(said.contains(&format!("{caller} end api_hangup")), "{said}");
        assert!(!said.contains("in0 end") || is_alone, "{said}");
        assert_eq!(pbx.control("101", call, CallAction::Hold), Err(Refusal::NoSuchCall));
        assert_eq!(pbx.is_empty(), is_alone);
    }
}

#[test]
fn a_phone_sends_its_caller_on_to_a_room() {
    let mut pbx = Pbx::new();
    pbx.dials("100", "101");
    pbx.redirects(B, "*8101");
    assert!(pbx.said().contains("En:AloneInRoom"));
    pbx.ends(A, EndReason::CallerHungUp, None);
    assert!(pbx.is_empty());
}

#[test]
fn who_is_parked_is_sent_to_a_room() {
    let mut pbx = talking();
    let call = pbx.call_api_id();
    pbx.control("101", call, CallAction::Park(None)).unwrap();
    let number = Number::parse("*8102").unwrap();
    pbx.control("101", call, CallAction::Transfer(Some(number))).unwrap();
    assert!(pbx.said().contains("En:AloneInRoom"));
    pbx.ends(A, EndReason::CallerHungUp, None);
    assert!(pbx.is_empty(), "the slot is free again");
}

#[test]
fn a_room_outlives_a_restart_and_lets_people_in() {
    let mut pbx = three();
    pbx.moves_to_a_clock_that_began(Duration::from_secs(10));
    assert_eq!(audio(&mut pbx), "in0 hears in1+in2, in1 hears in0+in2, in2 hears in0+in1");
    pbx.dials("103", "*8100");
    assert!(audio(&mut pbx).contains("in3 hears in0+in1+in2"));
}

#[test]
fn no_more_than_fifty_are_in_one_room() {
    let mut pbx = Pbx::with_ports(60);
    let mut snapshot = (**pbx.exchange.snapshot()).clone();
    std::sync::Arc::make_mut(&mut snapshot.tenant).calls_max = 100;
    pbx.input(exchange::Input::Snapshot(std::sync::Arc::new(snapshot)));
    for _ in 0..50 {
        pbx.dials("101", "*8100");
    }
    pbx.said();
    pbx.dials("102", "*8100");
    assert!(pbx.said().contains("in50 hears busy"));
}

#[test]
fn who_is_at_the_door_of_a_room_outlives_a_restart() {
    let mut pbx = with(|room| room.conference_pin = Some("4711".into()));
    pbx.dials("101", "*8100");
    pbx.presses(leg(0), '4');
    // What was pressed need not be pressed again.
    pbx.moves_to_a_clock_that_began(Duration::from_secs(10));
    for key in ['7', '1', '1'] {
        pbx.presses(leg(0), key);
    }
    assert!(pbx.said().contains("En:AloneInRoom"));
    // A room that waits for somebody who still rings.
    let mut pbx = Pbx::with_rules("101: transfer 102 *8100 30s");
    pbx.dials("100", "101");
    pbx.moves_to_a_clock_that_began(Duration::from_secs(10));
    pbx.ends(B, EndReason::Busy, Some(486));
    assert!(pbx.said().contains("En:AloneInRoom"));
}
