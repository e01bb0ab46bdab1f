//! Calls from and to the outside: whose number is shown, what is let out, what nothing stops.

use std::sync::Arc;
use std::time::Duration;

use expect_test::{Expect, expect};
use leg::{Identity, LegEvent, LegId, Record};
use model::{
    Did, DisplayName, EndReason, Number, OutsideLimits, Pattern, Rewriting, Routing,
    ShownOnForward, Snapshot, Status, TrunkId, TrunkUse,
};

use crate::support::{Pbx, id};

const A: LegId = LegId(0);

fn out(n: u64) -> LegId {
    LegId::outgoing(n)
}

fn check(mut pbx: Pbx, expected: Expect) {
    expected.assert_eq(&pbx.said());
    assert!(pbx.is_empty(), "nothing is left");
}

fn number(text: &str) -> Number {
    Number::parse(text).unwrap()
}

fn ann() -> Identity {
    Identity::of(number("+79161112233"), DisplayName::parse("Ann").unwrap())
}

/// The number 74950000001 leads to 101, ...2 to nobody, ...9 to a blocked phone.
fn dids(_: &mut Snapshot, routing: &mut Routing) {
    let did = |name: &str, extension: Option<&str>| {
        let did = Did { name: format!("+{name}").into(), extension: extension.map(id) };
        (name.into(), Arc::new(did))
    };
    routing.dids = [
        did("74950000001", Some("101")),
        did("74950000002", None),
        did("74950000009", Some("109")),
    ]
    .into();
}

fn plan(routing: &mut Routing, trunk: u64, change: impl FnOnce(&mut TrunkUse)) {
    let plan = routing.trunks.get_mut(&TrunkId(trunk)).unwrap();
    let mut changed = (**plan).clone();
    change(&mut changed);
    *plan = Arc::new(changed);
}

#[test]
fn a_call_of_the_outside_rings_the_extension_of_its_number() {
    let mut pbx = Pbx::with("", dids);
    pbx.called(1, "74950000001", ann());
    pbx.rings(out(1));
    pbx.answers(out(1));
    pbx.ends(A, EndReason::CallerHungUp, None);
    check(
        pbx,
        expect![[r#"
            audio of 1 legs: silence
            event 1 100101 dial-in CALLING
            out1 dial as +79161112233 "Ann" offering 20002 SendRecv PCMU,PCMA
            in0 ring
            audio of 2 legs: in0 hears out1, out1 hears in0
            event 2 100101 answer ANSWER
            in0 answer 20000 SendRecv PCMA
            audio of 0 legs: silence
            out1 end caller_hung_up
            event 3 100101 hangup ANSWER
            cdr 100101 In caller_hung_up 0 s
        "#]],
    );
}

#[test]
fn a_number_that_leads_nowhere_is_404_and_a_blocked_phone_480() {
    for (did, reason) in [
        ("74950000002", "not_found"),
        ("74950000007", "not_found"),
        ("74950000009", "extension_blocked"),
    ] {
        let mut pbx = Pbx::with("", dids);
        pbx.called(1, did, ann());
        assert!(pbx.said().contains(&format!("in0 end {reason}\n")), "{did}");
        assert!(pbx.is_empty());
    }
}

/// The records of a call that 101 lets ring out.
fn records(did: &str, identity: Identity) -> Vec<Record> {
    let mut pbx = Pbx::with("", dids);
    pbx.called(1, did, identity);
    pbx.records.clear();
    pbx.ends(out(1), EndReason::Busy, Some(486));
    std::mem::take(&mut pbx.records)
}

#[test]
fn events_and_records_name_the_number_that_was_called() {
    let records = records("74950000001", Identity { asserted: Some(number("7999")), ..ann() });
    let event = records.iter().find_map(|r| match r {
        Record::Event(event) => Some(event),
        _ => None,
    });
    let event = event.expect("a hangup");
    assert_eq!(event.called_did.as_deref(), Some("+74950000001"), "as the client writes it");
    assert_eq!(&*event.caller_number, "+79161112233");
    assert_eq!(event.caller_extension, None);
    let cdr = records.iter().find_map(|r| match r {
        Record::Cdr(cdr) => Some(cdr),
        _ => None,
    });
    let cdr = cdr.expect("a record");
    assert_eq!(cdr.did_number.as_deref(), Some("+74950000001"));
    assert_eq!(cdr.asserted.as_deref(), Some("7999"));
}

#[test]
fn who_hides_is_kept_for_the_record_and_shown_to_nobody() {
    let hidden = Identity { asserted: Some(number("+79161112233")), ..Identity::anonymous() };
    let mut pbx = Pbx::with("", dids);
    pbx.called(1, "74950000001", hidden.clone());
    assert!(pbx.said().contains("out1 dial as - \"\" hidden offering"));
    for record in records("74950000001", hidden) {
        match record {
            Record::Event(event) => assert_eq!(&*event.caller_number, ""),
            Record::Cdr(cdr) => {
                assert_eq!(&*cdr.from.0, "");
                assert_eq!(cdr.asserted.as_deref(), Some("+79161112233"));
            }
            _ => {}
        }
    }
}

#[test]
fn what_a_trunk_sends_is_rewritten_and_read_in_its_country() {
    let mut pbx = Pbx::with("", |snapshot, routing| {
        dids(snapshot, routing);
        plan(routing, 1, |plan| {
            plan.rewrite_in = vec![Rewriting {
                match_exp: Pattern::parse("^8([0-9]{10})$").unwrap(),
                repl_exp: r"+7\1".into(),
            }];
        });
    });
    pbx.called(1, "74950000001", Identity { number: Some(number("89161112233")), ..ann() });
    assert!(pbx.said().contains("out1 dial as +79161112233"));
}

/// How 101 forwards a call of the outside, with its rules and the trunk as they are set.
fn forwarded(rules: &str, identity: Identity, change: impl FnOnce(&mut TrunkUse)) -> String {
    let mut pbx = Pbx::with(rules, |snapshot, routing| {
        dids(snapshot, routing);
        routing.settings.ani = Some(number("74950000099"));
        plan(routing, 1, change);
    });
    pbx.called(1, "74950000001", identity);
    if pbx.log.contains("out1 dial as") {
        pbx.ends(out(1), EndReason::Busy, Some(486));
    }
    let said = pbx.said();
    let line = said.lines().find(|line| line.contains("by trunk 1")).unwrap_or("none");
    line.split(" offering").next().unwrap().split_once(" as ").map_or(line, |(_, l)| l).to_owned()
}

#[test]
fn a_forwarded_call_shows_what_the_trunk_is_set_to() {
    let always = "101: transfer 79162223344";
    let table = [
        (ShownOnForward::Original, ann(), "79161112233 \"Ann\""),
        (ShownOnForward::Diverting, ann(), "74950000001 \"\""),
        (ShownOnForward::Fixed, ann(), "74957777777 \"\""),
        (ShownOnForward::Original, Identity::anonymous(), "- \"\" hidden"),
        (ShownOnForward::Diverting, Identity::anonymous(), "74950000001 \"\""),
    ];
    for (shown, identity, expected) in table {
        let line = forwarded(always, identity, |plan| {
            plan.caller_id = shown;
            plan.fixed_caller_id = Some(number("74957777777"));
        });
        let expected = format!("{expected} diverted by 74950000001 Unconditional");
        assert_eq!(line, expected, "{shown:?}");
    }
    let busy = "101: transfer 79162223344 last=busy";
    let line = forwarded(busy, ann(), |_| {});
    assert_eq!(line, "79161112233 \"Ann\" diverted by 74950000001 Busy");
}

#[test]
fn an_extension_shows_its_own_number_and_diverts_nothing() {
    let mut pbx = Pbx::with("101: transfer 79162223344", |_, routing| {
        routing.anis = [(id("100"), number("74950000003"))].into();
    });
    pbx.dials("100", "79162223344");
    assert!(pbx.said().contains("by trunk 1 as 74950000003 \"Phone 100\" offering"));
    pbx.dials("100", "101");
    assert!(pbx.said().contains("by trunk 1 as 74950000003 \"Phone 100\" offering"));
}

#[test]
fn a_trunk_without_a_channel_left_is_passed_over() {
    let mut pbx = Pbx::with("", |snapshot, routing| {
        dids(snapshot, routing);
        plan(routing, 1, |plan| plan.channels = Some(1));
        plan(routing, 2, |plan| plan.channels = Some(1));
    });
    pbx.called(1, "74950000001", ann());
    pbx.said();
    pbx.dials("100", "79162223344");
    assert!(pbx.said().contains("by trunk 2"), "the call that came in has the channel");
    pbx.dials("102", "79162223344");
    assert!(pbx.said().contains("in2 end outside_limit"));
    pbx.ends(A, EndReason::Cancelled, None);
    pbx.said();
    pbx.dials("102", "79162223344");
    assert!(pbx.said().contains("by trunk 1"));
}

#[test]
fn a_stolen_password_calls_as_often_as_the_bounds_say() {
    let limits = OutsideLimits {
        calls: 100,
        calls_per_minute: 100,
        extension_calls: 2,
        extension_calls_per_minute: 3,
    };
    let mut pbx = Pbx::with("103: transfer 79160000001 79160000002 79160000003", |_, routing| {
        routing.settings.outside_limits = limits;
    });
    let tries = |pbx: &mut Pbx| {
        pbx.dials("100", "79162223344");
        pbx.said()
    };
    assert!(tries(&mut pbx).contains("out1 dial"));
    assert!(tries(&mut pbx).contains("out2 dial"));
    let refused = tries(&mut pbx);
    assert!(refused.contains("in2 end outside_limit retry after 5\n"), "{refused}");
    assert!(refused.contains("alert outside_limit\n"));
    pbx.ends(out(1), EndReason::Busy, Some(486));
    assert!(pbx.said().contains("in0 end busy"));
    assert!(tries(&mut pbx).contains("out3 dial"));
    pbx.ends(out(3), EndReason::Busy, Some(486));
    pbx.said();
    let refused = tries(&mut pbx);
    assert!(refused.contains("end outside_limit"), "three have begun in this minute");
    assert!(!refused.contains("alert"), "one alert a minute");
    pbx.run_for(Duration::from_secs(60));
    pbx.said();
    assert!(tries(&mut pbx).contains("dial"));
    pbx.dials("101", "103");
    let said = pbx.said();
    assert_eq!(
        said.matches("by trunk").count(),
        2,
        "a rule has no more than its extension: {said}"
    );
}

#[test]
fn a_number_of_another_country_is_not_called_unless_it_is_allowed() {
    let foreign = "+442071838750";
    let mut pbx = Pbx::with("101: transfer +442071838750", |_, _| {});
    pbx.dials("100", foreign);
    let said = pbx.said();
    assert!(said.contains("in0 end outside_not_allowed\n"), "{said}");
    assert!(said.contains("alert outside_not_allowed\n"));
    pbx.dials("100", "101");
    let said = pbx.said();
    assert!(!said.contains("by trunk") && said.contains("in1 end no_answer"), "{said}");
    let mut pbx = Pbx::with("", |_, routing| {
        routing.settings.outside_allowed = vec![Pattern::parse(r"^\+44").unwrap()];
    });
    pbx.dials("100", foreign);
    assert!(pbx.said().contains("by trunk 1"));
}

#[test]
fn nothing_stops_a_call_for_help() {
    let mut pbx = Pbx::with("", |snapshot, routing| {
        let mut tenant = (*snapshot.tenant).clone();
        (tenant.status, tenant.calls_max) = (Status::Blocked, 0);
        snapshot.tenant = Arc::new(tenant);
        routing.settings.outside_limits = OutsideLimits {
            calls: 0,
            calls_per_minute: 0,
            extension_calls: 0,
            extension_calls_per_minute: 0,
        };
        plan(routing, 1, |plan| plan.channels = Some(0));
        plan(routing, 2, |plan| plan.patterns = vec![Pattern::parse("^9$").unwrap()]);
    });
    for (caller, leg) in [("109", 1), ("100", 3)] {
        pbx.dials(caller, "112");
        let said = pbx.said();
        assert!(said.contains("alert emergency\n"), "each raises one: {said}");
        assert!(said.contains(&format!("out{leg} dial 112 by trunk 1")), "{said}");
        pbx.ends(out(leg), EndReason::Refused, Some(403));
        assert!(pbx.said().contains(&format!("out{} dial 112 by trunk 2", leg + 1)));
        pbx.ends(out(leg + 1), EndReason::CalleeHungUp, None);
    }
    pbx.dials("100", "79162223344");
    assert!(pbx.said().contains("end tenant_blocked"));
}

#[test]
fn a_phone_that_sends_the_call_on_does_so_with_its_own_rights() {
    let mut pbx = Pbx::with("", dids);
    pbx.called(1, "74950000001", ann());
    pbx.redirects(out(1), "79162223344");
    pbx.rings(out(2));
    pbx.answers(out(2));
    pbx.ends(out(2), EndReason::CalleeHungUp, None);
    check(
        pbx,
        expect![[r#"
            audio of 1 legs: silence
            event 1 100101 dial-in CALLING
            out1 dial as +79161112233 "Ann" offering 20002 SendRecv PCMU,PCMA
            audio of 1 legs: silence
            event 2 100101 dial-out CALLING
            out2 dial 79162223344 by trunk 1 as 79161112233 "Ann" diverted by 74950000001 Deflection offering 20004 SendRecv PCMU,PCMA
            in0 ring
            audio of 2 legs: in0 hears out2, out2 hears in0
            event 3 100101 answer ANSWER
            in0 answer 20000 SendRecv PCMA
            audio of 0 legs: silence
            in0 end callee_hung_up
            event 4 100101 hangup ANSWER
            cdr 100101 Out callee_hung_up 0 s
            event 5 100101 hangup ANSWER
            cdr 100101 In callee_hung_up 0 s
        "#]],
    );
}

#[test]
fn a_302_to_what_may_not_be_called_is_no_answer_and_the_rules_go_on() {
    // Premium, foreign, the phone itself, nobody; in a loop; of devices that ring without rules.
    for target in ["88091234567", "+442071838750", "101", "555@elsewhere.example"] {
        let mut pbx = Pbx::with("101: transfer 102 last=no_answer", dids);
        pbx.called(1, "74950000001", ann());
        pbx.said();
        pbx.redirects(out(1), target);
        let said = pbx.said();
        assert!(!said.contains("by trunk"), "{target}: {said}");
        assert!(
            said.contains("event 2 100102 dial-in") || said.contains("100102 dial-in"),
            "{said}"
        );
    }
    let mut pbx = Pbx::with("", dids);
    pbx.dials("100", "101");
    pbx.redirects(out(1), "102");
    pbx.said();
    pbx.redirects(out(2), "101");
    let said = pbx.said();
    assert!(said.contains("in0 end no_answer") || said.contains("in0 end refused"), "{said}");
    assert!(pbx.is_empty());
    let mut pbx = Pbx::with("101: simple_transfer 102", dids);
    pbx.dials("100", "101");
    pbx.redirects(out(1), "103");
    assert!(!pbx.said().contains("100103"), "devices alone may not");
    assert!(pbx.is_empty());
}

#[test]
fn a_302_ends_the_ringing_of_the_other_devices_and_is_given_up_with_the_call() {
    let mut pbx = Pbx::with("", dids);
    pbx.device("101", 2);
    pbx.called(1, "74950000001", ann());
    pbx.rings(out(1));
    pbx.rings(out(2));
    pbx.said();
    pbx.redirects(out(1), "102");
    let said = pbx.said();
    assert!(said.contains("out2 end cancelled") && said.contains("100102 dial-in"), "{said}");
    pbx.moves_to_a_clock_that_began(Duration::from_secs(5));
    pbx.ends(A, EndReason::Cancelled, None);
    assert!(pbx.said().contains("out3 end cancelled"));
    assert!(pbx.is_empty());
}

#[test]
fn what_a_302_leads_to_rings_a_minute_and_no_longer() {
    let mut pbx = Pbx::with("", dids);
    pbx.called(1, "74950000001", ann());
    pbx.redirects(out(1), "79162223344");
    pbx.rings(out(2));
    pbx.said();
    pbx.run_for(Duration::from_secs(59));
    assert_eq!(pbx.said(), "");
    pbx.run_for(Duration::from_secs(1));
    assert!(pbx.said().contains("in0 end no_answer"));
    assert!(pbx.is_empty());
}

#[test]
fn a_call_of_the_outside_is_carried_over_a_restart_with_its_channel() {
    let mut pbx = Pbx::with("", |snapshot, routing| {
        dids(snapshot, routing);
        plan(routing, 1, |plan| plan.channels = Some(1));
    });
    pbx.called(1, "74950000001", ann());
    pbx.moves_to_a_clock_that_began(Duration::from_secs(5));
    pbx.said();
    pbx.dials("100", "79162223344");
    assert!(pbx.said().contains("by trunk 2"));
    pbx.event(A, LegEvent::Ended { reason: EndReason::Cancelled, status: None, elsewhere: false });
    assert!(pbx.said().contains("100101 hangup"));
}
