//! Several devices of one extension ring at once.

use expect_test::expect;
use testkit::{Outcome, Phone, Sim, secs};

const ELSEWHERE: &str = "SIP;cause=200;text=\"Call completed elsewhere\"";

fn ringing(sim: &Sim) -> (Phone, [Phone; 3]) {
    let ann = sim.phone("100");
    let devices = [sim.phone("101"), sim.phone("101"), sim.phone("101")];
    sim.begin_ladder();
    ann.dials("101");
    sim.run_for(secs(1));
    assert!(devices.iter().all(Phone::is_ringing));
    (ann, devices)
}

#[test]
fn the_first_answer_wins_and_the_others_are_told_that_it_was_answered_elsewhere() {
    let sim = Sim::seed(4);
    let (ann, [desk, mobile, home]) = ringing(&sim);
    mobile.answers();
    sim.run_for(secs(1));
    sim.assert_talking(&ann, &mobile);
    let elsewhere = Some(Outcome::Cancelled(Some(ELSEWHERE.to_owned())));
    assert_eq!((desk.outcome(), home.outcome()), (elsewhere.clone(), elsewhere));
    expect![[r#"
        100 > INVITE 101 (sendrecv)
        100 < 401
        100 > ACK
        100 > INVITE 101 auth (sendrecv)
        100 < 100
        101 < INVITE from 100 (sendrecv)
        101 > 180
        101b < INVITE from 100 (sendrecv)
        101b > 180
        101c < INVITE from 100 (sendrecv)
        101c > 180
        100 < 180
        101b > 200 (sendrecv)
        101 < CANCEL [Reason: SIP;cause=200;text="Call completed elsewhere"]
        101 > 200 CANCEL
        101 > 487
        101c < CANCEL [Reason: SIP;cause=200;text="Call completed elsewhere"]
        101c > 200 CANCEL
        101c > 487
        101b < ACK
        100 < 200 (sendrecv)
        100 > ACK
        101 < ACK
        101c < ACK
    "#]]
    .assert_eq(&sim.ladder());
    expect![[r#"
        100 dial-out CALLING
        101 dial-in CALLING
        101 answer ANSWER
        100 answer ANSWER
    "#]]
    .assert_eq(&sim.event_lines());
    ann.hangs_up();
    sim.assert_nothing_left();
}

#[test]
fn when_two_answer_at_once_one_talks_and_the_other_is_hung_up() {
    let sim = Sim::seed(4);
    let (ann, [desk, mobile, home]) = ringing(&sim);
    desk.answers();
    mobile.answers();
    sim.run_for(secs(1));
    let talks = |phone: &Phone| sim.are_talking(&ann, phone);
    assert!(talks(&desk) != talks(&mobile));
    assert!(desk.is_idle() != mobile.is_idle());
    assert!(home.is_idle());
    ann.hangs_up();
    sim.assert_nothing_left();
}

#[test]
fn when_the_caller_gives_up_all_devices_show_a_missed_call() {
    let sim = Sim::seed(4);
    let (ann, devices) = ringing(&sim);
    ann.hangs_up();
    sim.run_for(secs(1));
    assert!(devices.iter().all(|d| d.outcome() == Some(Outcome::Cancelled(None))));
    sim.assert_nothing_left();
}

#[test]
fn a_person_who_declines_stops_all_own_devices() {
    let sim = Sim::seed(4);
    let (ann, [desk, mobile, home]) = ringing(&sim);
    desk.refuses(603);
    sim.run_for(secs(1));
    assert_eq!(ann.outcome(), Some(Outcome::Refused(480)));
    assert_eq!(mobile.outcome(), Some(Outcome::Cancelled(None)));
    assert_eq!(home.outcome(), Some(Outcome::Cancelled(None)));
    sim.assert_nothing_left();
}

#[test]
fn a_busy_device_leaves_the_others_ringing_and_counts_in_the_end() {
    let sim = Sim::seed(4);
    let (ann, [desk, mobile, home]) = ringing(&sim);
    desk.refuses(486);
    sim.run_for(secs(1));
    assert!(mobile.is_ringing() && home.is_ringing() && ann.hears_it_ring());
    mobile.refuses(480);
    home.refuses(404);
    sim.run_for(secs(1));
    assert_eq!(ann.outcome(), Some(Outcome::Refused(486)));
    sim.assert_nothing_left();
}

#[test]
fn a_person_who_dials_the_own_number_reaches_the_own_other_device() {
    let sim = Sim::seed(4);
    let (desk, mobile) = (sim.phone("101"), sim.phone("101"));
    desk.dials("101");
    sim.run_for(secs(1));
    assert!(mobile.is_ringing());
    mobile.answers();
    sim.run_for(secs(1));
    sim.assert_talking(&desk, &mobile);
    desk.hangs_up();
    sim.assert_nothing_left();
}
