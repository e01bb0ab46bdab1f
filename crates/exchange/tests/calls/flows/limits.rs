//! Calls that are refused, bounds, and what one leg or one defect may cost.

use expect_test::expect;
#[cfg(feature = "faults")]
use leg::LegId;
use leg::MediaEventKind;
use model::EndReason;

use super::{A, check, talking};
use crate::support::{Pbx, session};

#[test]
fn a_silent_leg_is_asked_and_ended_when_it_does_not_answer() {
    let mut pbx = talking();
    pbx.media(A, MediaEventKind::Silent);
    pbx.ends(A, EndReason::TransportLost, None);
    check(
        pbx,
        expect![[r#"
        in0 offer 20000 SendRecv PCMA
        audio of 0 legs: silence
        event 5 100100 hangup ANSWER
        cdr 100100 Out media_lost 0 s
        out1 end media_lost
        event 6 100101 hangup ANSWER
        cdr 100101 In media_lost 0 s
    "#]],
    );
}

#[test]
fn refused_calls_have_their_record() {
    let mut pbx = Pbx::new();
    for to in ["999", "109", "100"] {
        pbx.dials("100", to);
    }
    pbx.dials_with("100", "101", Some(session(4_000, &[])));
    check(
        pbx,
        expect![[r#"
        event 1 100100 dial-out CALLING
        in0 end not_found
        event 2 100100 hangup CONGESTION
        cdr 100100 Out not_found 0 s
        event 1 100100 dial-out CALLING
        in1 end extension_blocked
        event 2 100100 hangup CHANUNAVAIL
        cdr 100100 Out extension_blocked 0 s
        event 1 100100 dial-out CALLING
        event 2 100100 dial-in CALLING
        event 3 100100 hangup CHANUNAVAIL
        cdr 100100 In unreachable 0 s
        in2 end unreachable
        event 4 100100 hangup CHANUNAVAIL
        cdr 100100 Out unreachable 0 s
        event 1 100100 dial-out CALLING
        in3 end no_common_codec
        event 2 100100 hangup CONGESTION
        cdr 100100 Out no_common_codec 0 s
    "#]],
    );
}

#[test]
fn the_incoming_limit_makes_an_extension_busy() {
    let mut pbx = Pbx::new();
    pbx.dials("100", "103");
    pbx.said();
    pbx.dials("101", "103");
    expect![[r#"
        event 1 100101 dial-out CALLING
        event 2 100103 dial-in CALLING
        event 3 100103 hangup BUSY
        cdr 100103 In extension_limit 0 s
        in1 end extension_limit
        event 4 100101 hangup BUSY
        cdr 100101 Out extension_limit 0 s
    "#]]
    .assert_eq(&pbx.said());
}

#[test]
fn a_tenant_has_at_most_its_number_of_calls() {
    let mut pbx = Pbx::new();
    for _ in 0..crate::support::CALLS_MAX {
        pbx.dials("100", "101");
    }
    pbx.said();
    pbx.dials("100", "101");
    expect![[r#"
        event 1 100100 dial-out CALLING
        in3 end tenant_limit retry after 5
        event 2 100100 hangup CONGESTION
        cdr 100100 Out tenant_limit 0 s
    "#]]
    .assert_eq(&pbx.said());
}

#[test]
fn without_a_port_a_call_is_refused() {
    let mut pbx = Pbx::with_ports(2);
    pbx.dials("100", "101");
    pbx.said();
    pbx.dials("102", "101");
    expect![[r#"
        event 1 100102 dial-out CALLING
        in1 end node_limit retry after 5
        event 2 100102 hangup CONGESTION
        cdr 100102 Out node_limit 0 s
    "#]]
    .assert_eq(&pbx.said());
}

#[cfg(feature = "faults")]
#[test]
fn a_defect_costs_the_one_call() {
    for kind in ["seeking", "talking", "serving", "voicemail", "clearing"] {
        let mut pbx = Pbx::with_rules(match kind {
            "voicemail" => "101: voicemail",
            "clearing" => "101: playfile+ sound=1; busy",
            _ => "",
        });
        pbx.dials("102", "103");
        let bystander = pbx.call_api_id();
        let leg = pbx.dials("100", if kind == "serving" { "199" } else { "101" });
        match kind {
            "talking" => pbx.answers(LegId(5)),
            "clearing" => pbx.clip_is_over(leg, 1),
            _ => {}
        }
        pbx.said();
        pbx.exchange.inject_panic(kind);
        pbx.ends(leg, EndReason::CallerHungUp, None);
        let said = pbx.said();
        // Who is being cleared is alone in the call.
        let parts = if kind == "clearing" { 1 } else { 2 };
        assert_eq!(said.matches("cdr").count(), parts, "{kind}: {said}");
        assert!(said.matches("internal").count() >= 2, "{kind}: {said}");
        assert_eq!(pbx.exchange.panics(), 1);
        assert_eq!(pbx.call_api_id(), bystander);
        assert_eq!(pbx.exchange.calls().count(), 1);
    }
}
