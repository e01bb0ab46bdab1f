//! Where a far party may be sent blind: the same by a program, by REFER and by keys.

use std::fmt::Write as _;
use std::time::Duration;

use expect_test::expect;
use leg::{CallAction, LegEvent, LegId, Record, ReferId, ReferTo, Refusal};
use model::{CallApiId, EndReason, Number, PhoneShown};

use crate::support::{A, B, Pbx, id, out};

/// Who sends 100 on.
const SENDER: LegId = B;

/// 100 talks with 101, which will send it on; 102 has parked somebody in slot 6. 103 has a
/// voicemail, and its room a code.
fn talking() -> (Pbx, CallApiId) {
    let mut pbx = Pbx::with_phones("103: voicemail", |name, shown: &mut PhoneShown| {
        shown.conference_announce_caller_name = false;
        shown.conference_pin = (name == "103").then(|| "4711".into());
    });
    pbx.dials("100", "101");
    pbx.answers(SENDER);
    let call = pbx.call_api_id();
    pbx.dials("102", "74951234567");
    pbx.answers(out(2));
    let listed = pbx.listed();
    let other = listed.iter().find(|(name, ..)| name.ends_with("102")).unwrap().1;
    pbx.control("102", other, CallAction::Park(Some(6))).unwrap();
    pbx.said();
    (pbx, call)
}

/// What goes on in the call of the sender.
fn state(pbx: &Pbx) -> String {
    let call = pbx.exchange.calls().find(|call| call.legs.get(SENDER).is_some());
    call.map_or("gone".into(), |call| format!("{:?}", call.steps))
}

/// What 100 hears now, if that has changed.
fn heard(said: &str) -> String {
    let audio = said.lines().rev().filter_map(|l| l.strip_prefix("audio of "));
    let mut of_far = audio.filter_map(|line| line.split_once("in0 hears "));
    let heard = of_far.next().map(|(_, heard)| heard.split([',', ';']).next().unwrap().to_owned());
    heard.unwrap_or_else(|| "as before".into())
}

fn by_program(number: &str) -> String {
    let (mut pbx, call) = talking();
    let before = state(&pbx);
    let to = CallAction::Transfer(Some(Number::parse(number).unwrap()));
    let done = pbx.control("101", call, to);
    let said = pbx.said();
    match done {
        Ok(slot) => {
            if said.contains("out1 hears congestion") {
                return "nobody to ring, tone".into();
            }
            assert!(is_sender_out(&mut pbx, &said, number), "{number}: {said}");
            let slot = slot.map_or(String::new(), |slot| format!("in slot {slot} "));
            format!("{slot}hears {}", heard(&said))
        }
        Err(refusal) => {
            assert_eq!((state(&pbx), said.as_str()), (before, ""), "{number}");
            refusal.as_str().to_owned()
        }
    }
}

/// Whether who has sent its far party on is out of it, at once or when somebody answers.
fn is_sender_out(pbx: &mut Pbx, said: &str, number: &str) -> bool {
    let is_out = |said: &str| {
        ["out1 end transferred", "out1 end parked"].iter().any(|end| said.contains(end))
    };
    if is_out(said) {
        return true;
    }
    assert!(said.contains("dial "), "somebody is rung: {number}: {said}");
    pbx.rings(out(3));
    is_out(&pbx.said())
}

fn by_refer(number: &str) -> String {
    let (mut pbx, _) = talking();
    let before = state(&pbx);
    let to = ReferTo::Number(Number::parse(number).unwrap());
    pbx.event(SENDER, LegEvent::Refer { refer: ReferId(1), to, referred_by: None });
    let said = pbx.said();
    let told = said.lines().filter_map(|line| line.strip_prefix("out1 refer 1 "));
    let told = told.collect::<Vec<_>>().join(" ");
    if told.starts_with("refused") {
        assert_eq!((state(&pbx), said.lines().count()), (before, 1), "{number}: {said}");
        return told;
    }
    assert!(!said.contains("out1 end"), "the phone hangs up itself: {number}: {said}");
    let far = heard(&said);
    if told.ends_with("200") {
        pbx.run_for(Duration::from_secs(6));
        let left = pbx.said();
        assert!(left.contains("out1 end"), "or is hung up: {number}: {left}");
    }
    format!("{told}, hears {far}")
}

fn by_keys(number: &str) -> String {
    let (mut pbx, _) = talking();
    let before = state(&pbx);
    format!("#1{number}#").chars().for_each(|key| pbx.presses(SENDER, key));
    let said = pbx.said();
    assert!(!said.contains("digit"), "nobody hears the code: {number}: {said}");
    if said.contains("out1 hears congestion") {
        pbx.run_for(Duration::from_secs(3));
        assert_eq!(state(&pbx), before, "{number}");
        return "tone".into();
    }
    let hears_slot = said.contains("out1 hears clip");
    let spoken = if hears_slot { "is told the slot, " } else { "" };
    if hears_slot {
        pbx.run_for(Duration::from_secs(6));
        assert!(pbx.said().contains("out1 end parked"), "{number}");
    }
    format!("{spoken}hears {}", heard(&said))
}

#[test]
fn a_far_party_may_be_sent_where_it_could_have_dialled_and_nowhere_else() {
    let forms = [
        ("somebody", "102"),
        ("the sender's own number", "101"),
        ("the far party's own number", "100"),
        ("with its prefix", "0003*102"),
        ("a voicemail by a rule", "103"),
        ("the outside", "74957654321"),
        ("nobody", "999"),
        ("a blocked one", "109"),
        ("the echo", "199"),
        ("the echo with its prefix", "0003*199"),
        ("a room", "*8101"),
        ("a room with a code", "*8103"),
        ("nobody's room", "*8999"),
        ("the echo's room", "*8199"),
        ("half a room", "*81"),
        ("any slot", "*0"),
        ("a slot", "*05"),
        ("a taken slot", "*06"),
        ("no slot", "*00"),
        ("a slot by name", "park+5"),
        ("a taken slot by name", "park+6"),
        ("no slot by name", "park+77"),
        ("the own messages", "*9"),
        ("somebody's messages", "*9102"),
        ("pickup", "*7"),
        ("directed pickup", "*7102"),
        ("listening", "*4102"),
        ("whispering", "*5102"),
        ("joining", "*6102"),
        ("replacing", "*3102*1234"),
        ("the end of that", "*3"),
        ("an agent", "*1"),
        ("half a code", "*41"),
        ("no code", "*25"),
    ];
    let mut table = String::new();
    for (what, number) in forms {
        let keys = number.chars().all(|c| c.is_ascii_digit() || c == '*');
        let keys = if keys { by_keys(number) } else { "-".into() };
        let (program, refer) = (by_program(number), by_refer(number));
        writeln!(table, "{what}, {number}: {program} | {refer} | {keys}").unwrap();
    }
    expect![[r#"
        somebody, 102: hears ringback | accepted 100, hears ringback | hears ringback
        the sender's own number, 101: hears ringback | accepted 100, hears ringback | hears ringback
        the far party's own number, 100: nobody to ring, tone | accepted 100 480, hears as before | tone
        with its prefix, 0003*102: hears ringback | accepted 100, hears ringback | hears ringback
        a voicemail by a rule, 103: hears clip 4 | accepted 100 200, hears clip 4 | hears clip 4
        the outside, 74957654321: hears ringback | accepted 100, hears ringback | hears ringback
        nobody, 999: bad_number | refused 603 | tone
        a blocked one, 109: forbidden | refused 403 | tone
        the echo, 199: hears test | accepted 200, hears test | hears test
        the echo with its prefix, 0003*199: hears test | accepted 200, hears test | hears test
        a room, *8101: hears clip 5 | accepted 200, hears clip 5 | hears clip 5
        a room with a code, *8103: hears clip 4 | accepted 200, hears clip 4 | hears clip 4
        nobody's room, *8999: bad_number | refused 603 | tone
        the echo's room, *8199: bad_number | refused 603 | tone
        half a room, *81: bad_number | refused 603 | tone
        any slot, *0: in slot 1 hears music | accepted 200, hears music | is told the slot, hears music
        a slot, *05: in slot 5 hears music | accepted 200, hears music | is told the slot, hears music
        a taken slot, *06: slot_full | refused 603 | tone
        no slot, *00: bad_number | refused 603 | tone
        a slot by name, park+5: in slot 5 hears music | accepted 200, hears music | -
        a taken slot by name, park+6: slot_full | refused 603 | -
        no slot by name, park+77: bad_number | refused 603 | -
        the own messages, *9: bad_number | refused 403 | tone
        somebody's messages, *9102: bad_number | refused 403 | tone
        pickup, *7: bad_number | refused 403 | tone
        directed pickup, *7102: bad_number | refused 403 | tone
        listening, *4102: bad_number | refused 403 | tone
        whispering, *5102: bad_number | refused 403 | tone
        joining, *6102: bad_number | refused 403 | tone
        replacing, *3102*1234: bad_number | refused 403 | tone
        the end of that, *3: bad_number | refused 403 | tone
        an agent, *1: bad_number | refused 403 | tone
        half a code, *41: bad_number | refused 403 | tone
        no code, *25: bad_number | refused 603 | tone
    "#]].assert_eq(&table);
}

#[test]
fn who_is_sent_to_the_echo_is_served_as_if_it_had_dialled_it() {
    let (mut pbx, call) = talking();
    let to = CallAction::Transfer(Some(Number::parse("199").unwrap()));
    pbx.control("101", call, to).unwrap();
    pbx.run_for(Duration::from_secs(3));
    pbx.moves_to_a_clock_that_began(Duration::from_secs(500));
    assert_eq!(heard(&pbx.said()), "in0");
    let listed = pbx.listed();
    let names: Vec<_> = listed.iter().filter(|l| l.1 == call).map(|l| &l.0[5..]).collect();
    assert_eq!(names, ["100"]);
    assert_eq!(
        pbx.control("100", call, CallAction::Park(None)),
        Err(Refusal::NotAnswered),
        "nobody is there who could be parked"
    );
    pbx.run_for(Duration::from_secs(601));
    let said = pbx.said();
    let own = said.lines().filter(|line| ["199", "in0"].iter().any(|it| line.contains(it)));
    let own: String = own.map(|line| format!("{line}\n")).collect();
    expect![[r#"
        event 7 100199 hangup CONGESTION
        cdr 100199 In service_done 0 s
        in0 end service_done
    "#]]
    .assert_eq(&own);
    assert!(pbx.is_empty());
}

#[test]
fn the_echo_is_called_by_who_was_sent_there() {
    let (mut pbx, call) = talking();
    pbx.records.clear();
    // Who has begun the call sends on whom it has called.
    let to = CallAction::Transfer(Some(Number::parse("199").unwrap()));
    pbx.control("100", call, to).unwrap();
    let of_echo = pbx.records.iter().find_map(|record| match record {
        Record::Event(event) if event.extension == id("199") => Some(&event.caller_number),
        _ => None,
    });
    assert_eq!(of_echo.unwrap().as_ref(), "0003*101");
}

#[test]
fn a_call_that_rings_is_sent_to_the_echo_or_a_room_but_not_parked() {
    for (number, wanted) in [
        ("199", Ok("test")),
        ("*8101", Ok("clip")),
        ("park+5", Err(Refusal::NotAnswered)),
        ("*9", Err(Refusal::BadNumber)),
    ] {
        let mut pbx = Pbx::new();
        pbx.dials("100", "101");
        pbx.rings(B);
        pbx.said();
        let call = pbx.call_api_id();
        let to = CallAction::Transfer(Some(Number::parse(number).unwrap()));
        let done = pbx.control("101", call, to);
        let said = pbx.said();
        let now = heard(&said);
        match wanted {
            Ok(heard) => {
                assert!(done.is_ok() && now.starts_with(heard), "{number}: {now}");
                assert!(said.contains("in0 answer"), "{number}: {said}");
                assert!(said.contains("out1 end cancelled"), "{number}: {said}");
            }
            Err(refusal) => assert_eq!((done, said.as_str()), (Err(refusal), ""), "{number}"),
        }
        pbx.ends(A, EndReason::CallerHungUp, None);
        assert!(pbx.is_empty(), "{number}");
    }
}

#[test]
fn a_rule_or_a_phone_may_forward_to_the_echo_which_waits_for_people_as_machines_do() {
    let mut pbx = Pbx::with_rules("101: transfer 199 102");
    pbx.dials("100", "101");
    pbx.rings(B);
    assert!(!pbx.said().contains("100199"), "somebody may still answer");
    pbx.ends(B, EndReason::Declined, Some(603));
    assert_eq!(heard(&pbx.said()), "test");
    pbx.ends(A, EndReason::CallerHungUp, None);
    assert!(pbx.is_empty());

    let mut pbx = Pbx::new();
    pbx.dials("100", "101");
    pbx.redirects(B, "199");
    assert_eq!(heard(&pbx.said()), "test");
    pbx.ends(A, EndReason::CallerHungUp, None);
    assert!(pbx.is_empty());
}

#[test]
fn who_is_parked_may_be_sent_to_the_echo_and_to_a_room_but_not_to_be_parked() {
    for (number, wanted) in [
        ("199", Ok("test")),
        ("*8101", Ok("clip")),
        ("park+5", Err(Refusal::AlreadyParked)),
        ("*9", Err(Refusal::BadNumber)),
    ] {
        let (mut pbx, call) = talking();
        pbx.control("101", call, CallAction::Park(Some(5))).unwrap();
        pbx.said();
        let to = CallAction::Transfer(Some(Number::parse(number).unwrap()));
        let done = pbx.control("101", call, to);
        let now = heard(&pbx.said());
        match wanted {
            Ok(heard) => assert!(done.is_ok() && now.starts_with(heard), "{number}: {now}"),
            Err(refusal) => assert_eq!((done, now.as_str()), (Err(refusal), "as before")),
        }
        let holder = pbx.exchange.tables().slots.holder(5);
        assert_eq!(holder.is_some(), wanted.is_err(), "{number}");
        pbx.ends(A, EndReason::CallerHungUp, None);
        pbx.ends(out(2), EndReason::CalleeHungUp, None);
        assert!(pbx.is_empty(), "{number}");
    }
}
