//! Where rules, transfers and services have led: each lamp shows what is on the phones of its own
//! extension, and whom those really have at the other end, in whosever name it was ordered.

use std::time::Duration;

use exchange::Input;
use exchange::lamps::Resource;
use leg::{
    CallAction, EventKind, LampEvent, LegEvent, LegId, Package, Record, ReferId, ReferTo,
    SubscriptionId, Watched,
};
use model::{CallApiId, EndReason, Number, PhoneShown};

use crate::replaces::replaces;
use crate::support::{A, B, Pbx, id, lamp_state_text, out};

const NAMES: [&str; 4] = ["100", "101", "102", "103"];

fn number(text: &str) -> Number {
    Number::parse(text).unwrap()
}

/// All lamps are watched.
fn watched(mut pbx: Pbx) -> Pbx {
    for (at, name) in (0..).zip(NAMES) {
        let (by, resource) = (id("104"), number(name));
        let watched = Watched { by, package: Package::Dialog, resource };
        pbx.input(Input::Lamp(LampEvent::Asked { id: SubscriptionId(at), watched }));
    }
    pbx
}

/// What the phones were shown last that watch an extension.
fn lamp(pbx: &Pbx, name: &str) -> String {
    let resource = Resource::Calls(id(name));
    let lamps = &pbx.exchange.tables().lamps;
    let (.., state) = lamps.iter().find(|(of, ..)| *of == resource).unwrap();
    lamp_state_text(state)
}

fn lamps(pbx: &Pbx) -> [String; 4] {
    NAMES.map(|name| lamp(pbx, name))
}

/// 100 has called 101, whose rules have led to 102: those two talk.
fn led() -> (Pbx, CallApiId) {
    led_with("101: transfer 102 60s")
}

fn led_with(rules: &str) -> (Pbx, CallApiId) {
    let set = |_: &str, shown: &mut PhoneShown| shown.conference_announce_caller_name = false;
    let mut pbx = watched(Pbx::with_phones(rules, set));
    pbx.dials("100", "101");
    pbx.rings(B);
    pbx.answers(B);
    pbx.event(A, LegEvent::Acknowledged);
    pbx.said();
    let call = pbx.call_api_id();
    (pbx, call)
}

fn orders(pbx: &mut Pbx, of: &str, call: CallApiId, action: CallAction) {
    pbx.control(of, call, action).unwrap();
}

fn attended(to: &str) -> CallAction {
    CallAction::AttendedTransfer(number(to))
}

fn transfer(to: &str) -> CallAction {
    CallAction::Transfer(Some(number(to)))
}

fn refers(pbx: &mut Pbx, leg: LegId, to: &str) {
    let to = ReferTo::Number(number(to));
    pbx.event(leg, LegEvent::Refer { refer: ReferId(1), to, referred_by: None });
}

const IDLE: &str = "idle";
const WITH_100: &str = "recipient confirmed 100 \"phone 100\" by out1";

/// It was a call of 101, of which no phone had it, and was shown to 103 as from there.
#[test]
fn a_consultation_is_of_the_extension_whose_phone_it_is_whoever_it_was_ordered_for() {
    for ordered_for in ["101", "102"] {
        let (mut pbx, call) = led();
        assert_eq!(lamps(&pbx)[1..], [IDLE, WITH_100, IDLE]);
        pbx.records.clear();
        orders(&mut pbx, ordered_for, call, attended("103"));
        assert!(pbx.said().contains("dial as 102 \"Phone 102\""), "{ordered_for}");
        pbx.rings(out(2));
        assert_eq!(
            lamps(&pbx),
            [
                "initiator confirmed 102 \"phone 102\" by in0",
                IDLE,
                "initiator confirmed 103 \"\" by out1",
                "recipient early 102 \"phone 102\" by out2",
            ],
            "{ordered_for}"
        );
        pbx.answers(out(2));
        assert_eq!(
            lamps(&pbx),
            [
                "initiator confirmed 102 \"phone 102\" by in0",
                IDLE,
                "initiator confirmed 103 \"phone 103\" by out1",
                "recipient confirmed 102 \"phone 102\" by out2",
            ],
            "{ordered_for}"
        );
        let placed = pbx.records.iter().filter_map(|record| match record {
            Record::Event(event) if event.kind == EventKind::DialOut => Some(event.extension),
            _ => None,
        });
        assert_eq!(placed.collect::<Vec<_>>(), [id("102")], "{ordered_for}");
        let listed = pbx.listed();
        let of = |name: &str| {
            let own = listed.iter().filter(|(full, ..)| full.ends_with(name));
            own.map(|(_, of, talks)| (*of == call, *talks)).collect::<Vec<_>>()
        };
        assert_eq!(of("101"), [(true, false)], "{ordered_for}");
        assert_eq!(of("102"), [(true, false), (false, true)], "{ordered_for}");
    }
}

/// How a consultation ends, and what all lamps show then.
type End = (&'static str, fn(&mut Pbx, CallApiId), [&'static str; 4]);

#[test]
fn a_consultation_in_anothers_name_ends_where_it_was_begun() {
    let together = [
        "initiator confirmed 103 \"phone 103\" by in0",
        IDLE,
        IDLE,
        "recipient confirmed 100 \"phone 100\" by out2",
    ];
    let back = ["initiator confirmed 102 \"phone 102\" by in0", IDLE, WITH_100, IDLE];
    let ends: [End; 5] = [
        ("hangs up", |pbx, _| pbx.ends(B, EndReason::CalleeHungUp, None), together),
        (
            "is told to complete",
            |pbx, of| orders(pbx, "101", of, CallAction::Transfer(None)),
            together,
        ),
        ("is told to return", |pbx, of| orders(pbx, "101", of, CallAction::Offhold), back),
        ("presses the way back", |pbx, _| "*2".chars().for_each(|key| pbx.presses(B, key)), back),
        ("is left", |pbx, _| pbx.ends(out(2), EndReason::CalleeHungUp, None), back),
    ];
    for (how, end, shown) in ends {
        let (mut pbx, call) = led();
        orders(&mut pbx, "101", call, attended("103"));
        pbx.rings(out(2));
        pbx.answers(out(2));
        end(&mut pbx, call);
        assert_eq!(lamps(&pbx), shown, "{how}");
        pbx.ends(A, EndReason::CallerHungUp, None);
        assert!(pbx.is_empty(), "{how}");
        assert_eq!(lamps(&pbx), [IDLE; 4], "{how}");
    }
}

/// It was shown with the extension for which that was ordered, with whom it has never talked.
#[test]
fn whoever_waits_is_shown_with_whom_it_talked_and_not_in_whose_name_it_waits() {
    let with_102 = "initiator confirmed 102 \"phone 102\" by in0";
    let held = "initiator confirmed 102 \"phone 102\" by in0";
    let parked = "initiator confirmed park+6 \"\" by in0";
    for (action, shown) in
        [(attended("103"), held), (transfer("103"), with_102), (CallAction::Park(Some(6)), parked)]
    {
        let (mut pbx, call) = led();
        orders(&mut pbx, "101", call, action.clone());
        assert_eq!(lamp(&pbx, "100"), shown, "{action:?}");
        assert_eq!(lamp(&pbx, "101"), IDLE, "{action:?}");
    }
    // Who has sent it on is out, and it still waits.
    let (mut pbx, call) = led();
    orders(&mut pbx, "101", call, transfer("103"));
    pbx.rings(out(2));
    assert_eq!(lamps(&pbx)[..3], [with_102, IDLE, IDLE]);
    // Nobody takes it: it waits for the devices of who has sent it on.
    pbx.run_for(Duration::from_secs(20));
    assert_eq!(lamp(&pbx, "100"), with_102);
    pbx.rings(out(3));
    assert_eq!(lamp(&pbx, "101"), "recipient early 100 \"back: phone 100\" by out3");
    // Who consults hangs up before anybody has answered.
    let (mut pbx, call) = led();
    orders(&mut pbx, "101", call, attended("103"));
    pbx.rings(out(2));
    pbx.ends(B, EndReason::CalleeHungUp, None);
    assert_eq!(lamps(&pbx)[..3], [with_102, IDLE, IDLE]);
    pbx.answers(out(2));
    assert_eq!(lamp(&pbx, "100"), "initiator confirmed 103 \"phone 103\" by in0");
    // Who has spoken to a voicemail in the other's name is out.
    let (mut pbx, call) = led_with("101: transfer 102 60s\n103: voicemail");
    orders(&mut pbx, "101", call, attended("103"));
    assert_eq!(lamp(&pbx, "102"), "initiator confirmed 103 \"phone 103\" by out1");
    pbx.ends(B, EndReason::CalleeHungUp, None);
    assert_eq!(lamp(&pbx, "100"), with_102);
}

#[test]
fn who_was_parked_is_shown_in_its_slot_and_afterwards_with_whom_it_talked() {
    let (mut pbx, call) = led();
    orders(&mut pbx, "101", call, CallAction::Park(Some(6)));
    pbx.run_for(Duration::from_secs(181));
    pbx.rings(out(2));
    assert_eq!(lamp(&pbx, "101"), "recipient early 100 \"p6: phone 100\" by out2");
    assert_eq!(lamp(&pbx, "100"), "initiator confirmed park+6 \"\" by in0");
    orders(&mut pbx, "101", call, transfer("103"));
    assert_eq!(lamp(&pbx, "100"), "initiator confirmed 102 \"phone 102\" by in0");
    // The same where nobody takes it back and it goes to the fallback.
    let rules = "101: transfer 102 60s";
    let mut pbx = watched(Pbx::with(rules, |_, routing| {
        routing.settings.shown.park_fallback = Some(number("103"));
    }));
    pbx.dials("100", "101");
    pbx.answers(B);
    pbx.event(A, LegEvent::Acknowledged);
    let call = pbx.call_api_id();
    orders(&mut pbx, "101", call, CallAction::Park(Some(6)));
    let mut left = 900;
    while lamp(&pbx, "100").contains("park") {
        pbx.run_for(Duration::from_secs(1));
        left -= 1;
        assert!(left > 0, "{}", lamp(&pbx, "100"));
    }
    assert_eq!(lamp(&pbx, "100"), "initiator confirmed 102 \"phone 102\" by in0");
}

#[test]
fn who_asked_who_is_parked_and_went_back_leaves_it_in_its_slot() {
    let (mut pbx, call) = led();
    let parked = pbx.dials("101", "103");
    pbx.answers(out(2));
    let mut listed = pbx.listed().into_iter();
    let (_, other, _) = listed.find(|(name, ..)| name.ends_with("103")).unwrap();
    orders(&mut pbx, "103", other, CallAction::Park(Some(6)));
    let in_slot = format!("initiator confirmed park+6 \"\" by {parked}");
    assert_eq!(lamp(&pbx, "101"), in_slot);
    orders(&mut pbx, "101", call, attended("park+6"));
    assert_eq!(lamp(&pbx, "102"), "initiator confirmed 101 \"phone 101\" by out1");
    let asked = format!("initiator confirmed 102 \"phone 102\" by {parked}");
    assert_eq!(lamp(&pbx, "101"), asked);
    orders(&mut pbx, "101", call, CallAction::Offhold);
    assert_eq!(lamp(&pbx, "101"), in_slot);
    assert_eq!(lamp(&pbx, "102"), WITH_100);
    assert_eq!(pbx.exchange.tables().slots.holder(6).unwrap().by, id("102"));
    orders(&mut pbx, "102", other, transfer("103"));
    let waits = format!("initiator confirmed 102 \"phone 102\" by {parked}");
    assert_eq!(lamp(&pbx, "101"), waits, "with whom it talked");
}

/// The lamp of who consults somebody showed itself when its far party was gone.
#[test]
fn who_consults_and_is_left_alone_is_shown_with_whom_it_calls() {
    let (mut pbx, call) = led();
    orders(&mut pbx, "101", call, attended("103"));
    pbx.rings(out(2));
    pbx.ends(A, EndReason::CallerHungUp, None);
    assert_eq!(lamp(&pbx, "102"), "initiator confirmed 103 \"\" by out1");
    pbx.answers(out(2));
    assert_eq!(lamp(&pbx, "102"), "initiator confirmed 103 \"phone 103\" by out1");
}

/// They were shown with whom they had dialled, or who had called them.
#[test]
fn whoever_was_sent_to_a_room_or_a_service_is_shown_there() {
    let named = |number: &str, name: &str| format!("{number} \"{name}\"");
    for (to, there) in [("*8103", named("*8103", "")), ("199", named("199", "phone 199"))] {
        let (mut pbx, call) = led();
        orders(&mut pbx, "101", call, transfer(to));
        assert_eq!(lamps(&pbx)[..3], [&format!("initiator confirmed {there} by in0"), IDLE, IDLE]);
        // And whoever is called, by who has called it.
        let (mut pbx, _) = led();
        refers(&mut pbx, A, to);
        assert_eq!(lamp(&pbx, "102"), format!("recipient confirmed {there} by out1"));
        assert_eq!(lamp(&pbx, "100"), "initiator confirmed 102 \"phone 102\" by in0", "it leaves");
        let (mut pbx, _) = led();
        pbx.ends(A, EndReason::CallerHungUp, None);
        let leg = pbx.dials("100", to);
        assert_eq!(lamp(&pbx, "100"), format!("initiator confirmed {there} by {leg}"));
    }
    // While it is asked for the code, too.
    let set = |_: &str, shown: &mut PhoneShown| shown.conference_pin = Some("4711".into());
    let mut pbx = watched(Pbx::with_phones("", set));
    pbx.dials("100", "101");
    pbx.answers(B);
    refers(&mut pbx, A, "*8103");
    assert_eq!(lamp(&pbx, "101"), "recipient confirmed *8103 \"\" by out1");
}

#[test]
fn whoever_speaks_to_a_voicemail_is_shown_with_whose_it_is() {
    let (mut pbx, call) = led_with("101: transfer 102 60s\n103: voicemail");
    orders(&mut pbx, "101", call, transfer("103"));
    assert_eq!(lamps(&pbx), ["initiator confirmed 103 \"phone 103\" by in0", IDLE, IDLE, IDLE],);
}

/// What it had dialled was shown while it was about to hang up.
#[test]
fn whoever_has_sent_somebody_on_is_shown_with_that_one_to_the_end() {
    for to in ["103", "park+6", "*8103", "199"] {
        let (mut pbx, _) = led();
        let taker = replaces(&mut pbx, "102", B);
        assert_eq!(lamp(&pbx, "102"), format!("initiator confirmed 100 \"phone 100\" by {taker}"));
        refers(&mut pbx, taker, to);
        if to == "103" {
            pbx.rings(out(2));
            pbx.answers(out(2));
        }
        let shown = lamp(&pbx, "102");
        assert!(shown.starts_with("initiator confirmed 100 \"phone 100\""), "{to}: {shown}");
        pbx.ends(taker, EndReason::CallerHungUp, None);
        assert_eq!(lamp(&pbx, "102"), IDLE, "{to}");
    }
}

/// The lamp of an extension was lit by what its rules have sent to the outside.
#[test]
fn what_rules_have_led_to_the_outside_is_on_no_phone_of_theirs() {
    let mut pbx = watched(Pbx::with_rules("101: transfer 74951234567 60s"));
    pbx.dials("100", "101");
    pbx.rings(B);
    assert_eq!(lamp(&pbx, "101"), IDLE);
    pbx.answers(B);
    let with_it = "initiator confirmed 74951234567 \"\" by in0";
    assert_eq!(lamps(&pbx)[..2], [with_it, IDLE]);
    let call = pbx.call_api_id();
    orders(&mut pbx, "101", call, attended("103"));
    pbx.rings(out(2));
    assert_eq!(lamps(&pbx)[..2], [with_it, IDLE]);
    assert_eq!(lamp(&pbx, "103"), "recipient early 101 \"phone 101\" by out2");
}

#[test]
fn the_outside_is_consulted_with_the_rights_of_who_ordered_it_and_shown_who_talks() {
    let (mut pbx, call) = led();
    orders(&mut pbx, "101", call, attended("74951234567"));
    assert!(pbx.said().contains("dial 74951234567 by trunk 1 as 102 \"Phone 102\""));
    let line = pbx.exchange.calls().find_map(|call| call.legs.get(out(2))?.line).unwrap();
    assert_eq!(line.by, Some(id("101")));
}

#[test]
fn two_that_ring_for_each_other_both_show_what_rings_at_theirs() {
    let mut pbx = watched(Pbx::with_rules("101: transfer 101 102 60s\n102: transfer 101 102 60s"));
    pbx.dials("100", "101");
    pbx.dials("103", "102");
    for n in 1..5 {
        pbx.rings(out(n));
    }
    let calling = |name: &str| format!("recipient early {name} \"phone {name}\"");
    for name in ["101", "102"] {
        let shown = lamp(&pbx, name);
        for caller in ["100", "103"] {
            assert!(shown.contains(&calling(caller)), "{name}: {shown}");
        }
    }
}

/// They went on showing who was parked, and whom one had talked with in another's name.
#[test]
fn phones_are_shown_whom_they_come_back_to_or_are_given_to() {
    // Who has asked who is parked hears that one hang up.
    let (mut pbx, call) = led();
    let parked = pbx.dials("101", "103");
    pbx.answers(out(2));
    let mut listed = pbx.listed().into_iter();
    let (_, other, _) = listed.find(|(name, ..)| name.ends_with("103")).unwrap();
    orders(&mut pbx, "103", other, CallAction::Park(Some(6)));
    orders(&mut pbx, "101", call, attended("park+6"));
    assert!(pbx.said().contains("out1 identify Phone 101"));
    pbx.ends(parked, EndReason::CallerHungUp, None);
    assert!(pbx.said().contains("out1 identify Phone 100"));
    assert_eq!(lamp(&pbx, "102"), WITH_100);

    // Nobody takes who was sent on: it is given to 101, in whose name that was done.
    let (mut pbx, call) = led();
    orders(&mut pbx, "101", call, transfer("103"));
    pbx.rings(out(2));
    pbx.ends(out(2), EndReason::Busy, Some(486));
    pbx.rings(out(3));
    pbx.said();
    pbx.answers(out(3));
    assert!(pbx.said().contains("in0 identify Phone 101"));
    assert_eq!(lamp(&pbx, "100"), "initiator confirmed 101 \"phone 101\" by in0");

    // It is where it was before: it is shown that already.
    let (mut pbx, call) = led();
    orders(&mut pbx, "102", call, transfer("103"));
    pbx.rings(out(2));
    pbx.ends(out(2), EndReason::Busy, Some(486));
    pbx.rings(out(3));
    pbx.said();
    pbx.answers(out(3));
    assert!(!pbx.said().contains("identify"));

    // Nobody takes back who is parked, and it goes to the fallback.
    let mut pbx = watched(Pbx::with("", |_, routing| {
        routing.settings.shown.park_fallback = Some(number("103"));
    }));
    pbx.dials("100", "101");
    pbx.answers(B);
    pbx.event(A, LegEvent::Acknowledged);
    let call = pbx.call_api_id();
    orders(&mut pbx, "101", call, CallAction::Park(Some(6)));
    for _ in 0..900 {
        pbx.run_for(Duration::from_secs(1));
        if !lamp(&pbx, "100").contains("park") {
            break;
        }
    }
    assert_eq!(lamp(&pbx, "100"), "initiator confirmed 101 \"phone 101\" by in0");
    let rung = pbx.exchange.calls().flat_map(|call| call.legs.keys()).max().unwrap();
    pbx.rings(rung);
    pbx.said();
    pbx.answers(rung);
    assert!(pbx.said().contains("in0 identify Phone 103"));
    assert_eq!(lamp(&pbx, "100"), "initiator confirmed 103 \"phone 103\" by in0");
}

/// The lamp showed the phone's own number, which that had dialled to go on there.
#[test]
fn who_consults_goes_on_at_another_phone_and_is_shown_with_whom_it_calls() {
    let (mut pbx, call) = led();
    orders(&mut pbx, "102", call, attended("103"));
    pbx.rings(out(2));
    let new = replaces(&mut pbx, "102", B);
    assert_eq!(lamp(&pbx, "102"), format!("initiator confirmed 103 \"\" by {new}"));
}

#[test]
fn who_waits_in_anothers_name_and_goes_on_at_another_phone_is_shown_with_whom_it_talked() {
    for action in [CallAction::Park(Some(6)), transfer("103")] {
        let (mut pbx, call) = led();
        orders(&mut pbx, "101", call, action.clone());
        pbx.rings(out(2));
        pbx.said();
        let leg = replaces(&mut pbx, "100", A);
        assert!(pbx.said().contains(&format!("{leg} identify Phone 102")), "{action:?}");
    }
}

#[test]
fn who_is_joined_with_somebody_that_still_rings_is_shown_with_whom_it_talked() {
    let mut pbx = watched(Pbx::new());
    pbx.dials("100", "101");
    pbx.answers(B);
    pbx.event(A, LegEvent::Acknowledged);
    let second = pbx.dials("101", "102");
    pbx.rings(out(2));
    let refer =
        LegEvent::Refer { refer: ReferId(1), to: ReferTo::Replace(second), referred_by: None };
    pbx.event(B, refer);
    assert_eq!(lamp(&pbx, "100"), "initiator confirmed 101 \"phone 101\" by in0");
    assert_eq!(lamp(&pbx, "101"), "recipient confirmed 100 \"phone 100\"");
}

#[test]
fn neither_who_consults_nor_in_whose_name_it_does_is_rung_by_its_rules() {
    // The phone that consults does not ring itself.
    for (asked, rung) in [("101", Some("101")), ("102", None)] {
        let (mut pbx, call) = led_with("101: simple_transfer 102 60s\n102: transfer 103 60s");
        orders(&mut pbx, "101", call, attended(asked));
        pbx.rings(out(2));
        let early = NAMES.map(|name| lamp(&pbx, name).contains("recipient early"));
        assert_eq!(early, NAMES.map(|name| Some(name) == rung), "{asked}");
    }
}
