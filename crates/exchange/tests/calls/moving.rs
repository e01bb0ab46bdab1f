//! Another phone of an extension goes on in the place of one, wherever that is (RFC 3891).

mod anywhere;

use std::fmt::Write as _;
use std::time::Duration;

use exchange::Input;
use leg::{
    CallAction, Command, Direction, Identity, KnownMessage, LampEvent, LampState, LegEvent, LegId,
    Package, Record, ReferId, ReferTo, Reply, Source, SubscriptionId, Watched,
};
use model::{ControlGroups, Did, EndReason, FileId, Number, PhoneShown, Wall};

use crate::replaces::{replaces, replaces_as};
use crate::support::{B, Pbx, id, out};

use anywhere::{
    ANYWHERE, Somewhere, clip, is_parked, is_sent_on, listens, plays_message, presses,
    sounds_to_its_end,
};

fn number(text: &str) -> Number {
    Number::parse(text).unwrap()
}

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// 100 has messages and a code for them, 101 lets everybody leave one, 102 plays a sound and is
/// rung then, and the room of 103 has a code.
fn pbx() -> Pbx {
    let rules = "101: voicemail\n102: playfile+ sound=1";
    let mut pbx = Pbx::with_phones(rules, |name, shown: &mut PhoneShown| {
        shown.conference_announce_caller_name = false;
        match name {
            "100" => shown.vm_pin = Some("2468".into()),
            "103" => shown.conference_pin = Some("4711".into()),
            _ => {}
        }
    });
    let message = |file: u128| KnownMessage {
        file: FileId(file),
        length_ms: 8_000,
        caller_number: "200".into(),
        time: Wall(1),
        heard: false,
    };
    let (extension, messages) = (id("100"), vec![message(1), message(2)]);
    pbx.command(Command::NoteMessages { extension, new: 2, old: 0, messages });
    pbx.device("100", 2);
    pbx
}

/// What a leg hears, where that is itself under another name.
fn heard(pbx: &Pbx, leg: LegId) -> String {
    let call = pbx.exchange.calls().find(|call| call.legs.get(leg).is_some()).unwrap();
    let audio = exchange::audio::desired(call, pbx.exchange.snapshot());
    let source = |source: &Source| match source {
        Source::Leg(of) if *of == leg => "itself".to_owned(),
        other => format!("{other:?}"),
    };
    let of = audio.hears.iter().filter(|h| h.listener == leg).flat_map(|h| &h.sources);
    let mut text = of.map(|(of, _)| source(of)).collect::<Vec<_>>().join("+");
    for clip in audio.clips.iter().filter(|clip| clip.leg == leg) {
        write!(text, ", {:?}", clip.pieces).unwrap();
    }
    for recorder in audio.recorders.iter().filter(|recorder| recorder.leg == leg) {
        let (id, file) = (recorder.id, recorder.file);
        let channels: Vec<_> =
            recorder.channels.iter().flatten().map(|(of, _)| source(of)).collect();
        write!(text, ", {id:?} {file:?} {channels:?}").unwrap();
    }
    // Who hears it.
    let others = audio.hears.iter().filter(|h| h.listener != leg);
    for other in others.filter(|h| h.sources.iter().any(|(of, _)| *of == Source::Leg(leg))) {
        write!(text, ", {:?} hears it", other.listener).unwrap();
    }
    text
}

fn watches(pbx: &mut Pbx) {
    let watched = Watched { by: id("109"), package: Package::Dialog, resource: number("100") };
    pbx.input(Input::Lamp(LampEvent::Asked { id: SubscriptionId(1), watched }));
}

/// Whom the lamp of 100 says that it talks with.
fn lamp(pbx: &Pbx) -> String {
    let state = pbx.exchange.tables().lamps.iter().next().unwrap().2.clone();
    let LampState::Dialogs(dialogs) = state else { panic!("{state:?}") };
    let shown = dialogs.iter().map(|dialog| {
        let number = dialog.remote.number.as_ref().map_or("-", |n| n.as_str());
        format!("{:?} {number} {:?}", dialog.stage, dialog.remote.name.as_str())
    });
    shown.collect::<Vec<_>>().join(", ")
}

/// With whom 100 is listed.
fn listed(pbx: &mut Pbx) -> String {
    let all = pbx.command(Command::ListCalls { extension: Some(id("100")) });
    let Reply::Calls(calls) = all else { panic!("no list") };
    let views = calls.iter().map(|view| {
        let with = match view.flow {
            Some(leg::CallFlow::Out) => &view.called_number,
            _ => &view.caller_id_number,
        };
        let answered = if view.answer_time.is_some() { "" } else { " not answered" };
        format!("{with}{answered}")
    });
    views.collect::<Vec<_>>().join(", ")
}

#[test]
fn a_call_moves_to_another_phone_wherever_it_is() {
    for (place, comes) in ANYWHERE {
        let mut pbx = pbx();
        watches(&mut pbx);
        let from = comes(&mut pbx);
        let (hears, shows, lists) = (heard(&pbx, from), lamp(&pbx), listed(&mut pbx));
        pbx.said();
        let new = replaces(&mut pbx, "100", from);
        let said = pbx.said();
        assert!(said.contains(&format!("{from} end replaced\n")), "{place}: {said}");
        assert!(said.contains(&format!("{new} answer ")), "{place}: {said}");
        assert!(said.contains("cdr 100100 Out replaced"), "{place}: {said}");
        assert_eq!(heard(&pbx, new), hears, "{place}");
        assert_eq!((lamp(&pbx), listed(&mut pbx)), (shows, lists), "{place}");
        pbx.moves_to_a_clock_that_began(secs(500));
        assert_eq!(heard(&pbx, new), hears, "{place}, after a restart");
        pbx.ends(new, EndReason::CallerHungUp, None);
        let said = pbx.said();
        assert!(said.contains("cdr 100100 Out "), "{place}: {said}");
        let first = |pbx: &Pbx| pbx.exchange.calls().find_map(|call| call.legs.keys().next());
        while let Some(leg) = first(&pbx) {
            pbx.ends(leg, EndReason::CallerHungUp, None);
        }
        pbx.run_for(secs(20));
        assert!(pbx.is_empty(), "{place}");
    }
}

#[test]
fn nobody_elses_phone_takes_an_answered_call_wherever_it_is() {
    for (place, comes) in ANYWHERE {
        let mut pbx = pbx();
        let from = comes(&mut pbx);
        let before = format!("{:?}", pbx.exchange.calls().collect::<Vec<_>>());
        pbx.said();
        replaces(&mut pbx, "109", from);
        replaces_as(&mut pbx, LegId::incoming(10), "101", from);
        let said = pbx.said();
        assert_eq!(said.matches(" end forbidden").count(), 2, "{place}: {said}");
        let after = format!("{:?}", pbx.exchange.calls().collect::<Vec<_>>());
        assert_eq!(after, before, "{place}");
        // Nor does its record say what the other has dialled.
        for record in pbx.records.drain(..) {
            let Record::Cdr(cdr) = record else { continue };
            assert!(cdr.reason != EndReason::Forbidden || &*cdr.to.0 == "x", "{place}: {cdr:?}");
        }
    }
}

#[test]
fn who_was_called_is_listed_with_who_has_called_at_its_other_phone_too() {
    let mut pbx = pbx();
    watches(&mut pbx);
    pbx.dials("102", "100");
    pbx.answers(B);
    let (shows, lists) = (lamp(&pbx), listed(&mut pbx));
    replaces(&mut pbx, "100", B);
    assert_eq!((lamp(&pbx).as_str(), listed(&mut pbx).as_str()), (shows.as_str(), "102"));
    assert_eq!(lists, "0003*102");
    // Who hides is hidden there too.
    let mut pbx = Pbx::with("", |_, routing| {
        let did = Did { name: "74950000001".into(), extension: Some(id("100")) };
        routing.dids = [("74950000001".into(), did.into())].into();
    });
    let hidden = Identity { number: Some(number("74957654321")), ..Identity::anonymous() };
    pbx.called(1, "74950000001", hidden);
    pbx.answers(B);
    replaces(&mut pbx, "100", B);
    assert_eq!(listed(&mut pbx), "x");
}

#[test]
fn a_message_that_was_begun_at_one_phone_and_ended_at_another_is_one() {
    let mut pbx = pbx();
    let from = pbx.dials("100", "101");
    sounds_to_its_end(&mut pbx, from);
    sounds_to_its_end(&mut pbx, from);
    pbx.run_for(secs(4));
    pbx.said();
    let new = replaces(&mut pbx, "100", from);
    let moved = pbx.said();
    assert!(moved.contains("silence; recorder 3 hears in9"), "the same recording: {moved}");
    assert!(!moved.contains("recorder 3 hears in0"), "{moved}");
    // What was said of the leg that is gone may be under way.
    pbx.run_for(secs(4));
    pbx.ends(new, EndReason::CallerHungUp, None);
    pbx.recorded(new, 3, 8_000);
    let said = pbx.said();
    assert_eq!(said.matches("message for 100101 of 8000 ms").count(), 1, "{said}");
    assert!(pbx.is_empty());
}

#[test]
fn what_media_has_told_of_the_leg_that_is_gone_counts_for_the_one_in_its_place() {
    let mut pbx = pbx();
    let from = pbx.dials("100", "101");
    let greeting = clip(&pbx, from);
    let call = pbx.exchange.calls().next().unwrap().id;
    replaces(&mut pbx, "100", from);
    pbx.said();
    let told = |pbx: &mut Pbx, kind| {
        pbx.input(Input::Media(leg::MediaEvent { call, leg: from, kind }));
    };
    told(&mut pbx, leg::MediaEventKind::ClipDone(leg::ClipId(77)));
    assert_eq!(pbx.said(), "", "another clip");
    told(&mut pbx, leg::MediaEventKind::ClipDone(leg::ClipId(greeting)));
    assert!(pbx.said().contains("Test400"), "the tone follows");
    sounds_to_its_end(&mut pbx, LegId::incoming(9));
    told(&mut pbx, leg::MediaEventKind::RecorderSilent(leg::RecorderId(3)));
    assert!(pbx.said().contains("in9 end service_done"));
}

#[test]
fn who_is_asked_for_a_code_is_asked_anew_at_another_phone_and_forgiven_nothing() {
    for (code, open, refused) in [("*8103", "4711", "end forbidden"), ("*9", "2468#", "congestion")]
    {
        for wrong in 0..3 {
            let mut pbx = pbx();
            let from = pbx.dials("100", code);
            (0..wrong).for_each(|_| presses(&mut pbx, from, "1#"));
            presses(&mut pbx, from, &open[..2]);
            pbx.said();
            let new = replaces(&mut pbx, "100", from);
            assert!(pbx.said().contains("silence300 En:EnterCode"), "{code}");
            presses(&mut pbx, new, &open[2..]);
            if open.len() == 4 {
                presses(&mut pbx, new, "#");
            }
            // Half a code is a wrong one; how many there may be is as before.
            let said = pbx.said();
            assert_eq!(said.contains(refused), wrong == 2, "{code} {wrong}: {said}");
            if wrong < 2 {
                presses(&mut pbx, new, open);
                let said = pbx.said();
                let is_open = ["En:AloneInRoom", "En:MessageMenu"].iter().any(|o| said.contains(o));
                assert!(is_open, "{code} {wrong}: {said}");
            }
        }
    }
}

#[test]
fn a_message_that_was_not_heard_while_the_first_phone_held_begins_anew() {
    let mut pbx = pbx();
    let from = plays_message(&mut pbx);
    pbx.run_for(secs(5));
    pbx.offers(from, Direction::SendOnly);
    let first = clip(&pbx, from);
    let new = replaces(&mut pbx, "100", from);
    assert_ne!(clip(&pbx, new), first);
    pbx.said();
    sounds_to_its_end(&mut pbx, new);
    assert!(pbx.said().contains("message file1 heard"));
    // One that was heard all the while goes on.
    let mut pbx = self::pbx();
    let from = plays_message(&mut pbx);
    pbx.run_for(secs(5));
    let first = clip(&pbx, from);
    let new = replaces(&mut pbx, "100", from);
    assert_eq!(clip(&pbx, new), first);
    pbx.said();
    pbx.presses(new, '2');
    assert!(pbx.said().contains("message file1 heard"), "it has sounded long enough");
}

#[test]
fn who_listens_goes_on_at_another_phone_if_it_may_still_and_the_audit_says_so() {
    for (code, name) in [("*4", "eavesdrop"), ("*5", "whisper"), ("*6", "conference")] {
        for may in [true, false] {
            let mut pbx = pbx();
            let from = listens(&mut pbx, code);
            pbx.allow(ControlGroups { allow_all: Some(may), ..ControlGroups::default() });
            let hears = heard(&pbx, from);
            pbx.audited();
            pbx.said();
            let new = replaces(&mut pbx, "100", from);
            let (row, said) = (pbx.audited(), pbx.said());
            let verdict = if may { "may" } else { "may not" };
            let wanted = format!("0003*100 {verdict} {name} 0003*103 by phone: ");
            assert!(row.starts_with(&wanted) && row.lines().count() == 1, "{code}: {row}");
            assert!(!row.contains("no such call"), "{row}");
            let there = if may { new } else { from };
            assert_eq!(heard(&pbx, there), hears, "{code}");
            let end =
                if may { format!("{from} end replaced") } else { format!("{new} end forbidden") };
            assert!(said.contains(&end), "{code}: {said}");
            assert_eq!(said.contains("in9 identify Monitor Phone 103"), may, "{said}");
        }
    }
}

#[test]
fn who_is_parked_waits_in_the_same_slot_as_long_as_before() {
    let mut pbx = pbx();
    let from = is_parked(&mut pbx);
    pbx.run_for(secs(100));
    let slot = *pbx.exchange.tables().slots.holder(5).unwrap();
    pbx.said();
    let new = replaces(&mut pbx, "100", from);
    assert!(pbx.said().contains("in9 identify Phone 103"), "it is shown who has parked it");
    assert_eq!(pbx.exchange.tables().slots.holder(5), Some(&slot));
    pbx.run_for(secs(79));
    assert_eq!(pbx.said(), "");
    pbx.run_for(secs(1));
    assert!(pbx.said().contains("dial as 100 \"P5: Phone 100\""));
    // While that rings it may change its phone again.
    pbx.rings(out(2));
    let newer = replaces_as(&mut pbx, LegId::incoming(10), "100", new);
    pbx.said();
    pbx.answers(out(2));
    assert_eq!(heard(&pbx, newer), "Leg(out2), out2 hears it");
    assert!(pbx.exchange.tables().slots.holder(5).is_none());
}

#[test]
fn the_lamp_of_a_slot_follows_who_is_parked_to_its_other_phone() {
    let mut pbx = pbx();
    let leg = pbx.dials_privately("100", "103");
    pbx.answers(B);
    let watched = Watched { by: id("109"), package: Package::Dialog, resource: number("park+5") };
    pbx.input(Input::Lamp(LampEvent::Asked { id: SubscriptionId(1), watched }));
    let call = pbx.call_api_id();
    pbx.control("103", call, CallAction::Park(Some(5))).unwrap();
    let lamp = |pbx: &mut Pbx| {
        let said = pbx.said();
        said.lines().rev().find_map(|l| l.strip_prefix("lamp park+5: ")).map(str::to_owned)
    };
    assert!(lamp(&mut pbx).unwrap().ends_with(" hidden"), "it has hidden itself");
    replaces(&mut pbx, "100", leg);
    assert_eq!(lamp(&mut pbx).unwrap(), "recipient confirmed 100 \"phone 100\"");
}

#[test]
fn whoever_is_rung_to_take_a_call_goes_on_ringing_when_that_changes_its_phone() {
    let rung: [Somewhere; 2] = [
        ("who is parked", is_parked),
        ("whom a sound was played", |pbx| {
            let leg = pbx.dials("100", "102");
            sounds_to_its_end(pbx, leg);
            pbx.rings(B);
            leg
        }),
    ];
    for (whose, comes) in rung {
        let mut pbx = pbx();
        let from = comes(&mut pbx);
        let call = pbx.call_api_id();
        let part = if whose == "who is parked" { "103" } else { "102" };
        pbx.control(part, call, CallAction::Pickup(number("101"))).unwrap();
        pbx.rings(out(2));
        let new = replaces(&mut pbx, "100", from);
        pbx.answers(out(2));
        let hears = heard(&pbx, new);
        assert!(hears.contains("out2"), "{whose}: {hears}");
    }
}

#[test]
fn who_was_sent_on_in_vain_talks_on_at_its_other_phone() {
    let mut pbx = pbx();
    let from = is_sent_on(&mut pbx, "74951234567");
    presses(&mut pbx, from, "7");
    let new = replaces(&mut pbx, "100", from);
    presses(&mut pbx, new, "8");
    pbx.said();
    pbx.ends(out(2), EndReason::Busy, Some(486));
    pbx.ends(out(3), EndReason::Busy, Some(486));
    let said = pbx.said();
    assert!(said.contains("in9 hears out1, out1 hears congestion"), "{said}");
    let keys = "digit 7 to out1 for 160 ms\ndigit 8 to out1 for 160 ms\n";
    assert!(said.contains(keys), "{said}");
    pbx.run_for(secs(3));
    assert!(pbx.said().contains("out1 hears in9"));
}

#[test]
fn who_is_out_and_about_to_hang_up_has_no_call_that_could_move() {
    let mut pbx = pbx();
    pbx.dials("100", "103");
    pbx.answers(B);
    let to = ReferTo::Number(number("park+3"));
    pbx.event(LegId::incoming(0), LegEvent::Refer { refer: ReferId(1), to, referred_by: None });
    pbx.said();
    replaces(&mut pbx, "100", LegId::incoming(0));
    assert!(pbx.said().contains("in9 end dialog_over"), "its far party is parked");
    assert_eq!(EndReason::DialogOver.sip_status(), 603);

    let mut pbx = self::pbx();
    is_sent_on(&mut pbx, "74951234567");
    pbx.said();
    replaces(&mut pbx, "103", B);
    assert!(pbx.said().contains("in9 end dialog_over"), "its far party is sent on");
}

#[test]
fn who_is_asked_to_take_a_call_takes_it_at_another_phone() {
    let mut pbx = Pbx::with_phones("", |name, shown| {
        shown.call_screening_enabled = name == "100";
    });
    pbx.dials("101", "100");
    pbx.answers(B);
    assert!(pbx.said().contains("En:PressOne"));
    let new = replaces(&mut pbx, "100", B);
    let said = pbx.said();
    assert!(said.contains("in0 hears in9, in9 hears in0"), "{said}");
    assert!(said.contains("out1 end answered_elsewhere"), "{said}");
    pbx.ends(new, EndReason::CallerHungUp, None);
    assert!(pbx.is_empty());
}
