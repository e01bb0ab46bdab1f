//! Rules that park: the caller waits in a slot in the name of the extension whose rule it is.

use expect_test::expect;
use leg::{CallAction, Command, LegEvent, LegId, Record};
use model::EndReason;

use super::{check, free, in_slot, listed, names, number, secs};
use crate::support::{A, B, Pbx, id};

/// 100 has called 101, whose rules are these.
fn called(rules: &str) -> Pbx {
    let mut pbx = Pbx::with_rules(rules);
    pbx.dials("100", "101");
    pbx.event(A, LegEvent::Acknowledged);
    pbx
}

/// All of these led nowhere.
#[test]
fn a_rule_parks_the_caller_by_every_form_and_every_type() {
    let forms = [("*05", 5), ("park+5", 5), ("*0", 1), ("555 *02", 2)];
    for kind in ["transfer", "simple_transfer", "cascade", "simple_cascade"] {
        for (form, slot) in forms {
            let mut pbx = called(&format!("101: {kind} {form}"));
            let call = pbx.call_api_id();
            assert_eq!(in_slot(&mut pbx, slot), Some(call.uuid), "{kind} {form}");
            assert_eq!(pbx.exchange.tables().slots.holder(slot).unwrap().by, id("101"));
            let both = [("100", true), ("101", false)];
            assert_eq!(names(&mut pbx, call), listed(&both), "{kind} {form}");
            pbx.ends(A, EndReason::CallerHungUp, None);
            assert!(pbx.is_empty(), "{kind} {form}");
        }
    }
}

#[test]
fn who_is_parked_by_a_rule_is_answered_and_hears_music_and_the_part_of_the_extension_is_over() {
    let mut pbx = called("101: transfer *05");
    expect![[r#"
        101: rule 1 fires: transfer, the last
        101: *05 rings
        101: answered
    "#]]
    .assert_eq(&pbx.trace());
    check(
        &mut pbx,
        &expect![[r#"
            event 1 100100 dial-out CALLING
            audio of 1 legs: in0 hears music
            event 2 100101 dial-in CALLING
            event 3 100100 answer ANSWER
            in0 answer 20000 SendRecv PCMU
            event 4 100101 hangup ANSWER
            cdr 100101 In parked 0 s
        "#]],
    );
}

#[test]
fn it_rings_back_at_the_extension_whose_rule_it_was_and_not_by_that_rule() {
    let mut pbx = called("101: transfer *05\n102: transfer 101");
    let call = pbx.call_api_id();
    pbx.said();
    pbx.run_for(secs(180));
    let said = pbx.said();
    assert!(said.contains("dial as 100 \"P5: Phone 100\""), "{said}");
    pbx.answers(B);
    assert_eq!(names(&mut pbx, call), listed(&[("100", true), ("101", true)]));
    assert_eq!(in_slot(&mut pbx, 5), None);
    pbx.ends(A, EndReason::CallerHungUp, None);
    assert!(pbx.is_empty());
    // Of two whose rules have led there it is the last.
    let mut pbx = Pbx::with_rules("101: transfer *05\n102: transfer 101");
    pbx.dials("100", "102");
    assert_eq!(pbx.exchange.tables().slots.holder(5).unwrap().by, id("101"));
    pbx.ends(A, EndReason::CallerHungUp, None);
    assert!(pbx.is_empty());
}

#[test]
fn who_is_parked_by_a_rule_is_taken_back_sent_on_and_hung_up_like_anybody() {
    for what in ["retrieved", "picked up", "sent on", "hung up"] {
        let mut pbx = called("101: transfer *05");
        let call = pbx.call_api_id();
        match what {
            "retrieved" => _ = pbx.dials("102", "*05"),
            "picked up" => {
                pbx.control("101", call, CallAction::Pickup(number("102"))).unwrap();
                pbx.answers(B);
            }
            "sent on" => {
                pbx.control("101", call, CallAction::Transfer(Some(number("102")))).unwrap();
                pbx.answers(B);
            }
            _ => {
                let extension = id("101");
                pbx.command(Command::Hangup { extension, call });
            }
        }
        assert_eq!(free(&mut pbx).len(), 9, "{what}");
        if what != "hung up" {
            let both = [("100", true), ("102", true)];
            assert_eq!(names(&mut pbx, call), listed(&both), "{what}");
            pbx.ends(A, EndReason::CallerHungUp, None);
        }
        assert!(pbx.is_empty(), "{what}");
    }
}

#[test]
fn a_slot_that_is_taken_is_skipped_and_the_rules_go_on() {
    let mut pbx = Pbx::with_rules("103: transfer+ *05; transfer 102");
    let parked = parked_in_5(&mut pbx);
    let caller = pbx.dials("101", "103");
    let traces = traces(&pbx);
    let [skipped, goes_on] = ["*05 is skipped: somebody is parked there", "102 rings"];
    assert!(traces.contains(skipped) && traces.contains(goes_on), "{traces}");
    pbx.ends(caller, EndReason::CallerHungUp, None);
    pbx.ends(parked, EndReason::CallerHungUp, None);
    assert!(pbx.is_empty());
}

#[test]
fn a_slot_is_nobodys_while_people_ring_and_the_one_who_comes_first_has_it() {
    let mut pbx = called("101: transfer 102 *05 20s");
    pbx.rings(B);
    assert_eq!(in_slot(&mut pbx, 5), None, "no machine beats a person");
    pbx.run_for(secs(20));
    assert!(in_slot(&mut pbx, 5).is_some(), "nobody else has come");
    pbx.ends(A, EndReason::CallerHungUp, None);
    assert!(pbx.is_empty());

    let mut pbx = Pbx::with_rules("103: transfer+ 103 *05 20s; transfer 101");
    let late = pbx.dials("102", "103");
    pbx.rings(B);
    let parked = parked_in_5(&mut pbx);
    pbx.run_for(secs(20));
    let traces = traces(&pbx);
    assert!(traces.contains("*05 is skipped: somebody is parked there"), "{traces}");
    assert!(traces.contains("101 rings"), "{traces}");
    pbx.ends(late, EndReason::CallerHungUp, None);
    pbx.ends(parked, EndReason::CallerHungUp, None);
    assert!(pbx.is_empty());
}

/// 100 is parked by 101; its leg.
fn parked_in_5(pbx: &mut Pbx) -> LegId {
    let leg = pbx.dials("100", "101");
    let rings = pbx.exchange.calls().flat_map(|call| call.legs.keys()).max_by_key(|leg| leg.0);
    pbx.answers(rings.unwrap());
    let listed = pbx.listed().into_iter().find(|(name, ..)| name.ends_with("101"));
    pbx.control("101", listed.unwrap().1, CallAction::Park(Some(5))).unwrap();
    leg
}

/// The traces of all calls, also of those that are over.
fn traces(pbx: &Pbx) -> String {
    let over = pbx.records.iter().filter_map(|record| match record {
        Record::Trace(trace) => Some(&trace.lines),
        _ => None,
    });
    let live = pbx.exchange.calls().flat_map(|call| call.conversations.values());
    let entries = over.chain(live.map(|c| &c.trace)).flatten();
    entries.map(|entry| format!("{}\n", entry.line)).collect()
}

#[test]
fn who_consults_is_parked_by_nobodys_rule() {
    let mut pbx = called("103: transfer *05");
    pbx.answers(B);
    let call = pbx.call_api_id();
    pbx.control("101", call, CallAction::AttendedTransfer(number("103"))).unwrap();
    let traces = traces(&pbx);
    assert!(traces.contains("*05 is skipped: the caller cannot be parked now"), "{traces}");
    assert_eq!(free(&mut pbx).len(), 9);
    pbx.ends(A, EndReason::CallerHungUp, None);
    pbx.ends(B, EndReason::CalleeHungUp, None);
    assert!(pbx.is_empty());
}

#[test]
fn who_was_sent_to_an_extension_is_parked_by_its_rule_and_who_has_sent_it_is_out() {
    let mut pbx = called("103: transfer *05");
    pbx.answers(B);
    let call = pbx.call_api_id();
    pbx.said();
    pbx.control("101", call, CallAction::Transfer(Some(number("103")))).unwrap();
    let said = pbx.said();
    assert!(said.contains("out1 end transferred"), "{said}");
    assert_eq!(pbx.exchange.tables().slots.holder(5).unwrap().by, id("103"));
    assert_eq!(names(&mut pbx, call), listed(&[("100", true), ("103", false)]));
    pbx.ends(A, EndReason::CallerHungUp, None);
    assert!(pbx.is_empty());
}

#[test]
fn a_phone_that_names_a_slot_instead_of_itself_has_parked_the_caller_there() {
    let mut pbx = called("");
    pbx.redirects(B, "park+5");
    assert_eq!(pbx.exchange.tables().slots.holder(5).unwrap().by, id("101"));
    pbx.ends(A, EndReason::CallerHungUp, None);
    assert!(pbx.is_empty());
}
