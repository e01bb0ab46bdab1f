//! `(extension_id, call_api_id)` names one extension's side of a call: what it is shown of it, and
//! until when it has one.

use std::time::Duration;

use leg::{CallAction, Command, LegEvent, Refusal, Reply};
use model::{CallApiId, EndReason, Number};

use crate::joined::{handles, shown};
use crate::replaces::replaces;
use crate::support::{A, B, Pbx, id, out};

const LED: &str = "in from 0003*100 to 101 (0003*101) does not talk";

fn number(text: &str) -> Number {
    Number::parse(text).unwrap()
}

fn to(text: &str) -> CallAction {
    CallAction::Transfer(Some(number(text)))
}

/// 100 has called 101, and whom its rules have led to has answered.
fn led(rules: &str) -> (Pbx, CallApiId) {
    let mut pbx = Pbx::with_rules(rules);
    pbx.dials("100", "101");
    pbx.answers(B);
    pbx.event(A, LegEvent::Acknowledged);
    pbx.said();
    let call = pbx.call_api_id();
    (pbx, call)
}

fn hang_up(pbx: &mut Pbx, name: &str, call: CallApiId) -> Reply {
    pbx.command(Command::Hangup { extension: id(name), call })
}

/// Each mobile that rang was one entry more under the same handle, and one of them talked.
#[test]
fn an_extension_that_has_led_a_call_to_mobiles_is_listed_once_and_does_not_talk() {
    let mut pbx = Pbx::with_rules("101: transfer 74951234567 74951234568 60s");
    pbx.dials("100", "101");
    pbx.rings(B);
    assert_eq!(shown(&mut pbx, "101"), LED);
    pbx.answers(B);
    assert_eq!(shown(&mut pbx, "101"), LED);
    // A colleague talks himself.
    let (mut pbx, _) = led("101: transfer 102 60s");
    assert_eq!(shown(&mut pbx, "101"), LED);
    assert_eq!(shown(&mut pbx, "102"), "in from 0003*100 to 101 (0003*101) talks");
}

#[test]
fn who_has_sent_a_call_to_the_outside_does_not_talk_in_it() {
    let (mut pbx, call) = led("");
    pbx.control("101", call, to("74951234567")).unwrap();
    assert_eq!(shown(&mut pbx, "101"), "in from 0003*100 to 101 (0003*101) talks", "not yet out");
    pbx.rings(out(2));
    let sent = "out from 0003*100 to 74951234567 (-) does not talk";
    assert_eq!(shown(&mut pbx, "101"), sent);
    pbx.answers(out(2));
    assert_eq!(shown(&mut pbx, "101"), sent);
}

/// 101 called 101, said the list.
#[test]
fn who_is_rung_for_somebody_who_was_sent_on_was_called_itself() {
    let (mut pbx, call) = led("");
    pbx.control("100", call, to("102")).unwrap();
    pbx.rings(out(2));
    assert_eq!(shown(&mut pbx, "102"), "in from 0003*101 to 102 (0003*102) talks");
}

/// It stayed listed, and what was ordered for it struck those who talked then.
#[test]
fn who_has_led_a_call_elsewhere_and_sends_it_on_is_out_with_all_on_the_way() {
    let ways = [
        ("101: transfer 74951234567 60s", &["101"][..]),
        ("101: transfer 102 60s\n102: transfer 74951234567 60s", &["101", "102"]),
        ("101: transfer 102 60s\n102: simple_transfer 101 103 60s", &["101", "102"]),
    ];
    for (rules, way) in ways {
        for action in [to("109"), CallAction::Pickup(number("109"))] {
            let mut pbx = Pbx::with(rules, |snapshot, _| {
                let phone = snapshot.extensions.get_mut(&id("109")).unwrap();
                std::sync::Arc::make_mut(phone).status = model::Status::Active;
            });
            pbx.dials("100", "101");
            let answers = if rules.contains("103") { out(2) } else { B };
            pbx.answers(answers);
            let call = pbx.call_api_id();
            for name in way {
                assert_eq!(handles(&mut pbx, name), [call], "{rules}");
            }
            pbx.control("101", call, action.clone()).unwrap();
            let rung = pbx.exchange.calls().flat_map(|call| call.legs.keys()).max().unwrap();
            pbx.rings(rung);
            pbx.answers(rung);
            for name in way {
                assert_eq!(shown(&mut pbx, name), "", "{rules} {action:?} {name}");
                let refused = pbx.control(name, call, CallAction::Hold);
                assert_eq!(refused, Err(Refusal::NoSuchCall));
                assert!(matches!(hang_up(&mut pbx, name, call), Reply::Refused(_)));
            }
            assert!(shown(&mut pbx, "100").contains("talks"));
            assert!(shown(&mut pbx, "109").contains("talks"));
            pbx.ends(A, EndReason::CallerHungUp, None);
            assert!(pbx.is_empty());
        }
    }
}

#[test]
fn who_was_led_to_goes_on_at_another_phone_in_the_same_name() {
    let (mut pbx, call) = led("101: transfer 102 60s");
    let taker = replaces(&mut pbx, "102", B);
    assert_eq!(shown(&mut pbx, "101"), LED);
    pbx.control("101", call, CallAction::Park(Some(6))).unwrap();
    assert!(pbx.said().contains(&format!("{taker} end parked")));
}

#[test]
fn who_takes_back_what_its_rules_have_led_away_talks_and_is_listed_once() {
    let (mut pbx, call) = led("101: transfer 74951234567 60s");
    pbx.control("101", call, CallAction::Pickup(number("101"))).unwrap();
    pbx.rings(out(2));
    pbx.answers(out(2));
    assert_eq!(handles(&mut pbx, "101"), [call]);
    assert!(shown(&mut pbx, "101").ends_with(") talks"));
    assert_eq!(pbx.said().matches("cdr 100101").count(), 2, "what it has dialled, and its rules");
}

/// It was said not to be answered, which is what ringing through is for.
#[test]
fn a_call_that_rings_at_a_mobile_is_rung_through_for_the_extension() {
    let mut pbx = Pbx::with_rules("101: transfer 74951234567 60s");
    pbx.dials("100", "101");
    pbx.rings(B);
    let call = pbx.call_api_id();
    pbx.control("101", call, to("103")).unwrap();
    assert!(pbx.said().contains("out1 end cancelled"));
    pbx.answers(out(2));
    assert!(shown(&mut pbx, "103").ends_with(") talks"));
    assert_eq!(shown(&mut pbx, "101"), LED);
}

#[test]
fn who_was_dialled_is_hung_up_while_its_mobile_rings() {
    let mut pbx = Pbx::with_rules("101: transfer+ 74951234567 60s; voicemail");
    pbx.dials("100", "101");
    pbx.rings(B);
    let call = pbx.call_api_id();
    assert!(matches!(hang_up(&mut pbx, "101", call), Reply::Done));
    assert!(pbx.said().contains("in0 end api_hangup"));
    assert!(pbx.is_empty());
}

/// It was done, it said, while the two went on.
#[test]
fn only_who_was_hung_up_by_a_program_is_so_again() {
    let (mut pbx, call) = led("");
    pbx.control("100", call, to("102")).unwrap();
    pbx.rings(out(2));
    pbx.answers(out(2));
    assert!(matches!(hang_up(&mut pbx, "100", call), Reply::Refused(Refusal::NoSuchCall)));
    assert!(matches!(hang_up(&mut pbx, "102", call), Reply::Done));
    assert!(pbx.is_empty());
    assert!(matches!(hang_up(&mut pbx, "102", call), Reply::Done));
    assert!(matches!(hang_up(&mut pbx, "101", call), Reply::Done), "with whom it talked");
    assert!(matches!(hang_up(&mut pbx, "100", call), Reply::Refused(_)), "it had left");
    pbx.run_for(Duration::from_secs(61));
    assert!(matches!(hang_up(&mut pbx, "102", call), Reply::Refused(_)), "long ago");
}

#[test]
fn who_has_hung_up_a_call_of_two_handles_may_do_so_again_by_both() {
    let (mut pbx, call) = led("");
    let other = {
        pbx.control("101", call, CallAction::AttendedTransfer(number("102"))).unwrap();
        pbx.answers(out(2));
        handles(&mut pbx, "102")[0]
    };
    pbx.control("101", call, CallAction::Transfer(None)).unwrap();
    assert!(matches!(hang_up(&mut pbx, "102", other), Reply::Done));
    for handle in [call, other] {
        assert!(matches!(hang_up(&mut pbx, "102", handle), Reply::Done));
    }
}

/// What earlier releases saved does not say to whom the rules have led.
#[test]
fn a_part_that_was_saved_without_whom_it_has_led_to_lasts_as_long_as_its_call() {
    let (mut pbx, call) = led("101: transfer 102 60s");
    let mut saved = pbx.exchange.export(pbx.now, &mut pbx.ports);
    let name = b"led_to";
    let at = saved[0].windows(name.len()).position(|w| w == name).unwrap();
    // Another name of the same length: a field that is not known is passed over.
    saved[0][at..at + name.len()].copy_from_slice(b"led_of");
    pbx.exchange.load(pbx.now, &saved[0], &mut pbx.ports).unwrap();
    assert_eq!(shown(&mut pbx, "101"), LED);
    pbx.control("101", call, CallAction::Hold).unwrap();
    assert!(matches!(hang_up(&mut pbx, "101", call), Reply::Done));
    assert!(pbx.is_empty());
}
