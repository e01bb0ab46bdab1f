//! Who consults goes on at another phone of its extension, wherever it is, and so does all that it
//! may do there.

use std::time::Duration;

use expect_test::expect;
use leg::{CallAction, Command, LegId, MonitorMode, Refusal, Reply};
use model::{CallApiId, EndReason, Number, PhoneShown};

use crate::replaces::{replaces, replaces_as};
use crate::support::{A, B, Pbx, id};

/// The phone to which 101 moves.
const NEW: LegId = LegId(18);
/// Who else is there.
const C: LegId = LegId(5);

fn attended(number: &str) -> CallAction {
    CallAction::AttendedTransfer(Number::parse(number).unwrap())
}

/// Where 101 consults, and what is heard once it is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Ringing,
    Talk,
    Room,
    Door,
    Echo,
    Slot,
    Voicemail,
}

const PLACES: [Place; 7] = [
    Place::Ringing,
    Place::Talk,
    Place::Room,
    Place::Door,
    Place::Echo,
    Place::Slot,
    Place::Voicemail,
];

/// 100 waits, 101 consults somewhere.
fn consulting(at: Place) -> (Pbx, CallApiId) {
    let rules = if at == Place::Voicemail { "102: voicemail" } else { "" };
    let mut pbx = Pbx::with_phones(rules, |name, shown: &mut PhoneShown| {
        shown.conference_announce_caller_name = false;
        shown.conference_pin = (name == "103" && at == Place::Door).then(|| "4711".into());
    });
    pbx.dials("100", "101");
    pbx.answers(B);
    let call = pbx.call_api_id();
    if at == Place::Slot {
        pbx.dials("102", "103");
        pbx.answers(C);
        let other = handles(&mut pbx, "103")[0].0;
        pbx.control("103", other, CallAction::Park(Some(6))).unwrap();
    }
    let number = match at {
        Place::Ringing | Place::Talk | Place::Voicemail => "102",
        Place::Room => "*8101",
        Place::Door => "*8103",
        Place::Echo => "199",
        Place::Slot => "park+6",
    };
    pbx.control("101", call, attended(number)).unwrap();
    match at {
        Place::Ringing => pbx.rings(C),
        Place::Talk => pbx.answers(C),
        Place::Room => pbx.clip_is_over(B, 3),
        Place::Echo => pbx.run_for(Duration::from_secs(3)),
        Place::Voicemail => {
            pbx.clip_is_over(B, 2);
            pbx.clip_is_over(B, 3);
        }
        Place::Door | Place::Slot => {}
    }
    pbx.said();
    (pbx, call)
}

fn handles(pbx: &mut Pbx, of: &str) -> Vec<(CallApiId, bool)> {
    let listed = pbx.listed().into_iter().filter(|(name, ..)| name.ends_with(of));
    listed.map(|(_, call, talks)| (call, talks)).collect()
}

/// What was declared last of who hears whom, in a call that is not a part of another by now.
fn audio(pbx: &mut Pbx) -> String {
    let said = pbx.said();
    let mut lines = said.lines().rev().filter_map(|l| l.strip_prefix("audio of "));
    let last = lines.find(|line| !line.starts_with("0 legs"));
    last.map_or("as before", |l| l.split_once(": ").unwrap().1).to_owned()
}

/// It moves, and everything is written down and read back.
fn moves(pbx: &mut Pbx) {
    assert_eq!(replaces(pbx, "101", B), NEW);
    is_read_back(pbx);
}

/// Everything is written down and read back, so that all audio is declared anew.
fn is_read_back(pbx: &mut Pbx) {
    pbx.said();
    pbx.moves_to_a_clock_that_began(Duration::from_secs(500));
}

#[test]
fn the_other_phone_is_where_the_first_one_was_and_the_far_party_waits_on() {
    let heard = [
        (Place::Ringing, "in0 hears music, in9 hears ringback"),
        (Place::Talk, "in0 hears music, in9 hears out2, out2 hears in9"),
        (Place::Room, "in0 hears music, in9 hears music"),
        (Place::Door, "in0 hears music, in9 hears clip 3; clip 3: silence300 En:EnterCode"),
        (Place::Echo, "in0 hears music, in9 hears in9"),
        (Place::Slot, "in0 hears music, in1 hears in9, in9 hears in1"),
        (Place::Voicemail, "in0 hears music; recorder 4 hears in9"),
    ];
    for (at, heard) in heard {
        let (mut pbx, call) = consulting(at);
        let before = handles(&mut pbx, "101");
        replaces(&mut pbx, "101", B);
        let said = pbx.said();
        assert!(said.contains("out1 end replaced"), "{at:?}: {said}");
        assert!(said.contains("in9 answer "), "{at:?}: {said}");
        is_read_back(&mut pbx);
        assert_eq!(audio(&mut pbx), heard, "{at:?}");
        let after = handles(&mut pbx, "101");
        assert_eq!(after, before, "the same two, one of which talks: {at:?}");
        assert!(after.contains(&(call, false)), "{at:?}");
    }
}

#[test]
fn the_far_party_waits_on_at_another_phone_of_its_own() {
    for at in PLACES {
        for moment in [Moves::First, Moves::Second] {
            let (mut pbx, call) = consulting(at);
            let far = LegId::incoming(11);
            if moment == Moves::Second {
                moves(&mut pbx);
            }
            replaces_as(&mut pbx, far, "100", A);
            is_read_back(&mut pbx);
            if moment == Moves::First {
                moves(&mut pbx);
            }
            let now = audio(&mut pbx);
            assert!(now.contains("in11 hears music"), "{at:?}: {now}");
            assert_eq!(handles(&mut pbx, "100"), [(call, true)], "{at:?}");
            pbx.control("101", call, CallAction::Offhold).unwrap();
            let now = audio(&mut pbx);
            for pair in ["in11 hears in9", "in9 hears in11"] {
                assert!(now.contains(pair), "{at:?}: {now}");
            }
            ends(pbx, &[far, LegId(2)], at);
        }
        let (mut pbx, _) = consulting(at);
        let far = replaces(&mut pbx, "100", A);
        pbx.ends(far, EndReason::CallerHungUp, None);
        assert_eq!(handles(&mut pbx, "101").len(), 1, "{at:?}");
        ends(pbx, &[B, LegId(2)], at);
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Moves {
    First,
    Second,
}

type Way = (&'static str, fn(&mut Pbx, CallApiId));

const RETURNS: [Way; 3] = [
    ("is told to", |pbx, call| {
        pbx.control("101", call, CallAction::Offhold).unwrap();
    }),
    ("the consultation is hung up", |pbx, call| {
        let own = handles(pbx, "101");
        let (consultation, _) = own.into_iter().find(|(of, _)| *of != call).unwrap();
        let done = pbx.command(Command::Hangup { extension: id("101"), call: consultation });
        assert!(matches!(done, Reply::Done), "{done:?}");
    }),
    ("presses the code", |pbx, _| {
        pbx.presses(NEW, '*');
        pbx.presses(NEW, '2');
    }),
];

#[test]
fn who_has_moved_comes_back_to_the_far_party() {
    for at in PLACES {
        for (how, returns) in RETURNS {
            let (mut pbx, call) = consulting(at);
            moves(&mut pbx);
            pbx.said();
            returns(&mut pbx, call);
            let said = pbx.said();
            assert!(said.contains("in0 hears in9, in9 hears in0"), "{at:?}, {how}: {said}");
            assert!(said.contains("in9 identify Phone 100"), "{at:?}, {how}: {said}");
            // Who was asked in a slot is parked again, in the name of 101.
            let talks: Vec<_> = handles(&mut pbx, "101").into_iter().filter(|h| h.1).collect();
            assert_eq!(talks, [(call, true)], "{at:?}, {how}");
            pbx.control("101", call, CallAction::Hold).unwrap();
            assert!(pbx.said().contains("in0 hears music"), "its hold is the new phone's");
            ends(pbx, &[NEW, LegId(2)], at);
        }
    }
}

#[test]
fn who_has_moved_completes_where_that_can_be_done() {
    let ways: [Way; 2] = [
        ("hangs up", |pbx, _| pbx.ends(NEW, EndReason::CallerHungUp, None)),
        ("is told to", |pbx, call| {
            pbx.control("101", call, CallAction::Transfer(None)).unwrap();
        }),
    ];
    let heard = [
        (Place::Ringing, "in0 hears ringback"),
        (Place::Talk, "in0 hears out2, out2 hears in0"),
        (Place::Room, "in0 hears clip"),
        (Place::Door, "in0 hears clip"),
        (Place::Echo, "in0 hears in0"),
        (Place::Slot, "in0 hears in1, in1 hears in0"),
    ];
    for (at, heard) in heard {
        for (how, completes) in ways {
            let (mut pbx, call) = consulting(at);
            moves(&mut pbx);
            pbx.said();
            completes(&mut pbx, call);
            let now = audio(&mut pbx);
            let room = at == Place::Room && now == "in0 hears music";
            assert!(now.starts_with(heard) || room, "{at:?}, {how}: {now}");
            assert!(handles(&mut pbx, "101").is_empty(), "{at:?}, {how}");
            assert_eq!(handles(&mut pbx, "100"), [(call, true)], "{at:?}, {how}");
            ends(pbx, &[A], at);
        }
    }
    let (mut pbx, call) = consulting(Place::Voicemail);
    moves(&mut pbx);
    let completes = CallAction::Transfer(None);
    assert_eq!(pbx.control("101", call, completes), Err(Refusal::NoFarParty));
}

#[test]
fn the_consultation_of_who_has_moved_ends_as_any_other() {
    // Who is asked hangs up, or declines: back to the far party.
    for (at, reason) in [
        (Place::Ringing, EndReason::Declined),
        (Place::Talk, EndReason::CalleeHungUp),
        (Place::Slot, EndReason::CallerHungUp),
    ] {
        let (mut pbx, call) = consulting(at);
        moves(&mut pbx);
        let asked = if at == Place::Slot { LegId(2) } else { C };
        pbx.ends(asked, reason, None);
        assert_eq!(handles(&mut pbx, "101"), [(call, true)], "{at:?}");
        ends(pbx, &[NEW], at);
    }
    // The far party has gone: what goes on goes on.
    for at in PLACES {
        let (mut pbx, _) = consulting(at);
        moves(&mut pbx);
        pbx.ends(A, EndReason::CallerHungUp, None);
        let own = handles(&mut pbx, "101");
        assert_eq!(own.len(), 1, "{at:?}");
        assert_eq!(own.iter().filter(|h| h.1).count(), 1, "{at:?}");
        ends(pbx, &[NEW], at);
    }
}

#[test]
fn it_may_move_again_and_then_back() {
    for at in PLACES {
        let (mut pbx, call) = consulting(at);
        moves(&mut pbx);
        // The new phone's leg is replaced by one more.
        let next = replaces_as(&mut pbx, LegId::incoming(11), "101", NEW);
        pbx.control("101", call, CallAction::Offhold).unwrap();
        let said = pbx.said();
        assert!(said.contains("in0 hears in11, in11 hears in0"), "{at:?}: {said}");
        ends(pbx, &[next, LegId(2)], at);
    }
}

#[test]
fn nobody_else_takes_the_place_of_who_consults() {
    for at in PLACES {
        let (mut pbx, call) = consulting(at);
        let other = replaces(&mut pbx, "102", B);
        let said = pbx.said();
        assert!(said.contains(&format!("{other} end forbidden")), "{at:?}: {said}");
        assert!(!said.contains("out1"), "{at:?}: {said}");
        pbx.control("101", call, CallAction::Offhold).unwrap();
        assert!(pbx.said().contains("in0 hears out1, out1 hears in0"), "{at:?}");
    }
}

#[test]
fn who_listens_to_who_consults_listens_on() {
    let mut pbx = Pbx::new();
    pbx.dials("100", "101");
    pbx.answers(B);
    let call = pbx.call_api_id();
    let listens = CallAction::Monitor(MonitorMode::Eavesdrop, Number::parse("102").unwrap());
    pbx.control("101", call, listens).unwrap();
    pbx.answers(C);
    pbx.control("101", call, attended("199")).unwrap();
    moves(&mut pbx);
    assert_eq!(audio(&mut pbx), "in0 hears music, in9 hears test, out2 hears in9+test");
    pbx.control("101", call, CallAction::Offhold).unwrap();
    let now = audio(&mut pbx);
    assert!(now.ends_with("out2 hears in9+in0"), "{now}");
    ends(pbx, &[NEW], Place::Echo);
}

#[test]
fn a_talk_that_is_consulted_moves_line_by_line() {
    let (mut pbx, _) = consulting(Place::Talk);
    replaces(&mut pbx, "101", B);
    pbx.ends(NEW, EndReason::CallerHungUp, None);
    expect![[r#"
        event 1 100101 dial-out CALLING
        audio of 3 legs: in0 hears music, in9 hears out2, out2 hears in9
        out1 end replaced
        event 5 100101 hangup ANSWER
        cdr 100101 Out replaced 0 s
        in9 identify Phone 102
        out2 identify Phone 101
        event 2 100101 answer ANSWER
        in9 answer 20006 SendRecv PCMA
        audio of 2 legs: in0 hears out2, out2 hears in0
        event 3 100101 hangup ANSWER
        cdr 100101 Out transferred 0 s
        event 5 100101 hangup ANSWER
        cdr 100101 In transferred 0 s
        in0 identify Phone 102
        out2 identify Phone 100
    "#]]
    .assert_eq(&pbx.said());
    ends(pbx, &[A], Place::Talk);
}

#[test]
fn a_message_goes_on_at_the_other_phone() {
    let mut pbx = Pbx::with_rules("102: voicemail");
    let first = pbx.dials("101", "102");
    pbx.clip_is_over(first, 1);
    pbx.clip_is_over(first, 2);
    pbx.said();
    let new = replaces(&mut pbx, "101", first);
    assert!(audio(&mut pbx).contains("recorder 3 hears in9"));
    pbx.ends(new, EndReason::CallerHungUp, None);
    pbx.recorded(new, 3, 4_000);
    assert!(pbx.said().contains("message for 100102 of 4000 ms"));
    assert!(pbx.is_empty());
}

/// Whoever is left hangs up, and nothing is left.
fn ends(mut pbx: Pbx, legs: &[LegId], at: Place) {
    for leg in legs {
        pbx.ends(*leg, EndReason::CallerHungUp, None);
    }
    pbx.run_for(Duration::from_secs(15));
    assert!(pbx.is_empty(), "{at:?}: {:?}", pbx.listed());
}
