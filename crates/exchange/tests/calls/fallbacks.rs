//! The client's `park_fallback`: where those go whom nobody takes back.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use expect_test::expect;
use leg::CallAction;
use model::{EndReason, Number, Status};

use crate::joined::shown;
use crate::support::{A, B, Pbx, id, out};

fn number(text: &str) -> Number {
    Number::parse(text).unwrap()
}

/// 100 talks with 101; 103 has a voicemail, its room a code.
fn talking(fallback: &str) -> Pbx {
    let mut pbx = Pbx::with("103: voicemail", |snapshot, routing| {
        for extension in snapshot.extensions.values_mut() {
            let extension = Arc::make_mut(extension);
            let Some(phone) = &mut extension.phone else { continue };
            phone.shown.conference_announce_caller_name = false;
            let has_code = extension.name.as_str() == "103";
            phone.shown.conference_pin = has_code.then(|| "4711".into());
        }
        routing.settings.shown.park_fallback = Some(number(fallback));
    });
    pbx.dials("100", "101");
    pbx.answers(B);
    pbx.said();
    pbx
}

/// What has come last: what 100 hears, who is rung, or why it is over.
fn outcome(pbx: &mut Pbx) -> String {
    let said = pbx.said();
    let dials = said.lines().rev().find_map(|l| l.split_once(" dial ").map(|(_, to)| to));
    let shown = said.lines().rev().find_map(|l| l.strip_prefix("in0 identify "));
    if let Some(end) = said.lines().find_map(|l| l.strip_prefix("in0 end ")) {
        return format!("over, {end}");
    }
    let audio = said.lines().rev().filter_map(|l| l.strip_prefix("audio of "));
    let heard = audio.filter_map(|line| line.split_once("in0 hears ")).map(|(_, heard)| heard);
    let heard = heard.map(|heard| heard.split([',', ';']).next().unwrap()).next();
    let heard = heard.unwrap_or("what it heard");
    match dials {
        Some(dial) => format!("rings {}, hears {heard}", dial.split(" offering").next().unwrap()),
        None => format!("hears {heard}, is shown {}", shown.unwrap_or("nothing")),
    }
}

/// 100 is parked by 101, which does not take it back when it rings.
fn parked_in_vain(fallback: &str, before_the_last: impl FnOnce(&mut Pbx)) -> (Pbx, String) {
    let mut pbx = talking(fallback);
    let call = pbx.call_api_id();
    pbx.control("101", call, CallAction::Park(Some(5))).unwrap();
    for round in 2..=3 {
        pbx.run_for(Duration::from_secs(180));
        pbx.ends(out(round), EndReason::Busy, Some(486));
    }
    pbx.run_for(Duration::from_secs(180));
    before_the_last(&mut pbx);
    pbx.said();
    pbx.ends(out(4), EndReason::Busy, Some(486));
    assert!(pbx.exchange.tables().slots.holder(5).is_none(), "{fallback}: the slot is free");
    let outcome = outcome(&mut pbx);
    (pbx, outcome)
}

/// 100 is sent on by 101 to 102, which rings and does not answer, and 101 does not take it back.
fn sent_on_in_vain(fallback: &str) -> (Pbx, String) {
    let mut pbx = talking(fallback);
    let call = pbx.call_api_id();
    pbx.control("101", call, CallAction::Transfer(Some(number("102")))).unwrap();
    pbx.rings(out(2));
    pbx.ends(out(2), EndReason::Busy, Some(486));
    pbx.said();
    pbx.ends(out(3), EndReason::Busy, Some(486));
    let outcome = outcome(&mut pbx);
    (pbx, outcome)
}

#[test]
fn a_fallback_leads_wherever_a_blind_transfer_does_but_not_into_a_slot() {
    let mut table = String::new();
    for fallback in [
        "102",
        "103",
        "0003*102",
        "74957654321",
        "199",
        "*8102",
        "*8103",
        "999",
        "109",
        "*8999",
        "*8199",
        "*0",
        "*05",
        "park+6",
        "*9",
        "*7",
        "*4102",
        "*1",
    ] {
        let (parked, by_park) = parked_in_vain(fallback, |_| {});
        let (sent, by_transfer) = sent_on_in_vain(fallback);
        writeln!(table, "{fallback}: {by_park} | {by_transfer}").unwrap();
        for mut pbx in [parked, sent] {
            pbx.moves_to_a_clock_that_began(Duration::from_secs(100));
            if pbx.exchange.calls().any(|call| call.legs.get(A).is_some()) {
                pbx.ends(A, EndReason::CallerHungUp, None);
            }
            assert!(pbx.is_empty(), "{fallback}");
        }
    }
    expect![[r#"
        102: rings as 100 "Phone 100", hears ringback | rings as 100 "Phone 100", hears ringback
        103: hears clip 3, is shown Phone 103 | hears clip 2, is shown Phone 103
        0003*102: rings as 100 "Phone 100", hears ringback | rings as 100 "Phone 100", hears ringback
        74957654321: rings 74957654321 by trunk 1 as 100 "Phone 100", hears ringback | rings 74957654321 by trunk 1 as 100 "Phone 100", hears ringback
        199: hears test, is shown Phone 199 | hears test, is shown Phone 199
        *8102: hears clip 4, is shown *8102 | hears clip 3, is shown *8102
        *8103: hears clip 3, is shown *8103 | hears clip 2, is shown *8103
        999: rings 999 by trunk 1 as 100 "Phone 100", hears ringback | rings 999 by trunk 1 as 100 "Phone 100", hears ringback
        109: over, park_expired | over, not_taken_back
        *8999: over, park_expired | over, not_taken_back
        *8199: over, park_expired | over, not_taken_back
        *0: over, park_expired | over, not_taken_back
        *05: over, park_expired | over, not_taken_back
        park+6: over, park_expired | over, not_taken_back
        *9: over, park_expired | over, not_taken_back
        *7: over, park_expired | over, not_taken_back
        *4102: over, park_expired | over, not_taken_back
        *1: over, park_expired | over, not_taken_back
    "#]]
    .assert_eq(&table);
}

#[test]
fn the_rights_of_who_has_parked_are_those_that_it_has_when_the_fallback_is_needed() {
    let blocks = |pbx: &mut Pbx| {
        let mut snapshot = (**pbx.exchange.snapshot()).clone();
        let own = snapshot.extensions.get_mut(&id("101")).unwrap();
        Arc::make_mut(own).status = Status::Blocked;
        pbx.input(exchange::Input::Snapshot(Arc::new(snapshot)));
    };
    for fallback in ["*8102", "199", "74957654321"] {
        let (pbx, outcome) = parked_in_vain(fallback, blocks);
        assert_eq!(outcome, "over, park_expired", "{fallback}");
        assert!(pbx.is_empty());
    }
}

/// After a slot it was listed as if 101 were called, which 100 had dialled.
#[test]
fn who_is_rung_by_the_fallback_is_listed_with_its_own_number() {
    for (mut pbx, _) in [parked_in_vain("102", |_| {}), sent_on_in_vain("102")] {
        assert_eq!(shown(&mut pbx, "102"), "in from 0003*100 to 102 (0003*102) talks");
    }
}
