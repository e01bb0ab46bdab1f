//! Calls that do not come about (RFC 3665 3.9 to 3.11, and the limits of a PBX).

use expect_test::expect;
use model::{EndReason, Status};
use testkit::{Outcome, Settings, Sim, millis, secs};

/// The caller dials, and the call is refused with this status and this reason.
fn refused(sim: &Sim, number: &str) -> (u16, EndReason) {
    let ann = sim.phone("100");
    sim.begin_ladder();
    ann.dials(number);
    sim.run_for(secs(3));
    let status = match ann.outcome() {
        Some(Outcome::Refused(status)) => status,
        other => panic!("{other:?}"),
    };
    let reason = sim.cdrs().last().map(|c| c.reason);
    (status, reason.expect("a call record"))
}

#[test]
fn a_busy_phone_is_told_as_486() {
    let sim = Sim::seed(1);
    sim.phone("101").refuses_after(secs(0), 486);
    assert_eq!(refused(&sim, "101"), (486, EndReason::Busy));
    expect![[r#"
        100 > INVITE 101 (sendrecv)
        100 < 401
        100 > ACK
        100 > INVITE 101 auth (sendrecv)
        100 < 100
        101 < INVITE from 100 (sendrecv)
        101 > 486
        100 < 486
        100 > ACK
        101 < ACK
    "#]]
    .assert_eq(&sim.ladder());
    expect![[r#"
        100 dial-out CALLING
        101 dial-in CALLING
        101 hangup BUSY busy
        100 hangup BUSY busy
    "#]]
    .assert_eq(&sim.event_lines());
    sim.assert_nothing_left();
}

#[test]
fn a_declined_call_is_told_as_480() {
    let sim = Sim::seed(1);
    sim.phone("101").refuses_after(secs(1), 603);
    assert_eq!(refused(&sim, "101"), (480, EndReason::Declined));
    expect![[r#"
        100 > INVITE 101 (sendrecv)
        100 < 401
        100 > ACK
        100 > INVITE 101 auth (sendrecv)
        100 < 100
        101 < INVITE from 100 (sendrecv)
        101 > 180
        100 < 180
        101 > 603
        100 < 480
        100 > ACK
        101 < ACK
    "#]]
    .assert_eq(&sim.ladder());
    expect![[r#"
        100 dial-out CALLING
        101 dial-in CALLING
        101 hangup NOANSWER declined
        100 hangup NOANSWER declined
    "#]]
    .assert_eq(&sim.event_lines());
    sim.assert_nothing_left();
}

#[test]
fn a_phone_that_cannot_take_it_is_told_as_480() {
    let sim = Sim::seed(1);
    sim.phone("101").refuses_after(millis(200), 480);
    assert_eq!(refused(&sim, "101"), (480, EndReason::Refused));
    sim.assert_nothing_left();
}

#[test]
fn a_number_that_leads_nowhere_is_404() {
    let sim = Sim::seed(1);
    assert_eq!(refused(&sim, "555"), (404, EndReason::NotFound));
    expect![[r#"
        100 > INVITE 555 (sendrecv)
        100 < 401
        100 > ACK
        100 > INVITE 555 auth (sendrecv)
        100 < 404
        100 > ACK
    "#]]
    .assert_eq(&sim.ladder());
    expect![[r#"
        100 dial-out CALLING
        100 hangup CONGESTION not_found
    "#]]
    .assert_eq(&sim.event_lines());
    sim.assert_nothing_left();
}

#[test]
fn an_extension_without_a_phone_is_480() {
    let sim = Sim::seed(1);
    assert_eq!(refused(&sim, "101"), (480, EndReason::Unreachable));
    sim.assert_nothing_left();
}

#[test]
fn a_blocked_extension_is_480_as_if_its_phone_were_off() {
    let sim = Sim::seed(1);
    let bob = sim.phone("101");
    sim.configure(0, |c| c.extension("101").status = Status::Blocked);
    assert_eq!(refused(&sim, "101"), (480, EndReason::ExtensionBlocked));
    assert_eq!(bob.call_count(), 0);
    sim.assert_nothing_left();
}

#[test]
fn a_blocked_extension_cannot_call() {
    let sim = Sim::seed(1);
    sim.phone("101");
    let ann = sim.phone("100");
    sim.configure(0, |c| c.extension("100").status = Status::Blocked);
    ann.dials("101");
    sim.run_for(secs(3));
    assert_eq!(ann.outcome(), Some(Outcome::Refused(403)));
    sim.assert_nothing_left();
}

#[test]
fn a_blocked_tenant_cannot_call() {
    let sim = Sim::seed(1);
    sim.phone("101");
    let ann = sim.phone("100");
    sim.configure(0, |c| c.tenant.status = Status::Blocked);
    ann.dials("101");
    sim.run_for(secs(3));
    assert_eq!(ann.outcome(), Some(Outcome::Refused(403)));
    sim.assert_nothing_left();
}

#[test]
fn one_call_more_than_the_extension_takes_is_busy() {
    let sim = Sim::seed(1);
    sim.configure(0, |c| c.phone("101").incoming_limit = Some(1));
    let (bob, eve) = (sim.phone("101"), sim.phone("102"));
    eve.dials("101");
    sim.run_for(secs(1));
    assert!(bob.is_ringing());
    assert_eq!(refused(&sim, "101"), (486, EndReason::ExtensionLimit));
    assert_eq!(bob.call_count(), 1);
    bob.answers();
    sim.run_for(secs(1));
    sim.assert_talking(&bob, &eve);
    eve.hangs_up();
    sim.assert_nothing_left();
}

#[test]
fn one_call_more_than_the_tenant_may_have_is_503_and_comes_back_later() {
    let sim = Sim::seed(1);
    sim.configure(0, |c| c.tenant.calls_max = 1);
    let (bob, eve) = (sim.phone("101"), sim.phone("102"));
    eve.dials("101");
    sim.run_for(secs(1));
    assert_eq!(refused(&sim, "101"), (503, EndReason::TenantLimit));
    assert!(sim.ladder().contains("503 [Retry-After: 5]"), "{}", sim.ladder());
    bob.refuses(486);
    sim.run_for(secs(1));
    eve.dials("101");
    sim.run_for(secs(1));
    assert!(bob.is_ringing());
    eve.hangs_up();
    sim.assert_nothing_left();
}

#[test]
fn without_ports_a_call_is_503_and_with_them_again_it_rings() {
    let sim = Sim::with(Settings { rtp_ports: 20_000..=20_003, ..Settings::default() });
    let (bob, eve, joe) = (sim.phone("101"), sim.phone("102"), sim.phone("103"));
    bob.answers_after(millis(100));
    eve.dials("101");
    sim.run_for(secs(1));
    sim.assert_talking(&bob, &eve);
    assert_eq!(refused(&sim, "103"), (503, EndReason::NodeLimit));
    sim.assert_talking(&bob, &eve);
    eve.hangs_up();
    sim.run_for(secs(3));
    joe.dials("101");
    sim.run_for(secs(1));
    sim.assert_talking(&bob, &joe);
    joe.hangs_up();
    sim.assert_nothing_left();
}

#[test]
fn one_port_is_not_enough_for_a_call() {
    let sim = Sim::with(Settings { rtp_ports: 20_000..=20_001, ..Settings::default() });
    sim.phone("101");
    assert_eq!(refused(&sim, "101"), (503, EndReason::NodeLimit));
    sim.assert_nothing_left();
}
