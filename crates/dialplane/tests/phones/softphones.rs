//! Calls between baresips: what people hear, and what programs see.

use std::time::{Duration, Instant};

use media::measure::{level_dbfs, pitch_hz, strength_dbfs};

use crate::support::softphone::{Setup, Softphone};
use crate::support::{BOUND, Site, site};

const LOW_HZ: u32 = 440;
const HIGH_HZ: u32 = 620;

const SECOND: Duration = Duration::from_secs(1);

/// 100 with a low tone has called 101 with a high one, and it has answered.
fn talking(site: &Site, transport: &str) -> (Softphone, Softphone) {
    let low = Setup { tone_hz: LOW_HZ, transport, ..Setup::AUTO };
    let high = Setup { tone_hz: HIGH_HZ, transport, ..Setup::AUTO };
    let mut caller = Softphone::registered(site, "100", low);
    let mut callee = Softphone::registered(site, "101", high);
    caller.dial("101");
    callee.talks();
    caller.talks();
    (caller, callee)
}

#[track_caller]
fn assert_tone(samples: &[i16], hz: u32) {
    let heard = pitch_hz(samples);
    let is_near = heard.is_some_and(|heard| (heard - f64::from(hz)).abs() < 5.0);
    assert!(is_near, "heard {heard:?} at {:.1} dBFS instead of {hz} Hz", level_dbfs(samples));
}

#[test]
fn two_phones_hear_each_other() {
    let Some(site) = site(&["baresip"]) else { return };
    let (mut caller, mut callee) = talking(&site, "udp");
    assert_tone(&callee.hears(SECOND), LOW_HZ);
    assert_tone(&caller.hears(SECOND), HIGH_HZ);
    callee.hang_up();
    caller.call_ends();
}

#[test]
fn two_phones_on_tcp_hear_each_other() {
    let Some(site) = site(&["baresip"]) else { return };
    let (mut caller, mut callee) = talking(&site, "tcp");
    assert_tone(&callee.hears(SECOND), LOW_HZ);
    assert_tone(&caller.hears(SECOND), HIGH_HZ);
    caller.hang_up();
    callee.call_ends();
}

#[test]
fn a_program_sees_the_call_and_ends_it() {
    let Some(mut site) = site(&["baresip"]) else { return };
    let (mut caller, mut callee) = talking(&site, "udp");
    let of_caller = site.current_calls("100");
    let of_callee = site.current_calls("101");
    assert_eq!((of_caller.len(), of_callee.len()), (1, 1), "{of_caller:?} {of_callee:?}");
    let id = of_callee[0]["call_api_id"].as_str().expect("the call has an id").to_owned();
    assert_eq!(of_caller[0]["call_api_id"], id.as_str());
    let path = format!("/extension/@101/current_calls/{id}");
    assert_eq!(site.api().delete(&path).expect("the API answers").status, 204);
    caller.call_ends();
    callee.call_ends();
    assert_eq!(site.current_calls("101").len(), 0);
    assert_eq!(site.api().delete(&path).expect("the API answers").status, 204);
}

#[test]
fn a_ringing_call_is_listed_and_the_callee_can_answer_it() {
    let Some(mut site) = site(&["baresip"]) else { return };
    let mut caller = Softphone::registered(&site, "100", Setup::AUTO);
    let mut callee = Softphone::registered(&site, "101", Setup::MANUAL);
    caller.dial("101");
    callee.rings();
    caller.hears_ringing();
    let ringing = site.current_calls("101");
    assert_eq!(ringing.len(), 1);
    assert!(ringing[0]["answer_time_gmt"].is_null(), "{ringing:?}");
    callee.answer();
    caller.talks();
    assert_tone(&caller.hears(SECOND), Setup::MANUAL.tone_hz);
}

#[test]
fn the_echo_sends_back_what_is_said() {
    let Some(site) = site(&["baresip"]) else { return };
    let mut phone = Softphone::registered(&site, "100", Setup { tone_hz: HIGH_HZ, ..Setup::AUTO });
    phone.dial("199");
    phone.talks();
    // The announcing tone comes first.
    phone.hears(SECOND * 3);
    assert_tone(&phone.hears(SECOND), HIGH_HZ);
}

#[test]
fn the_held_side_hears_music_and_then_the_other_again() {
    let Some(site) = site(&["baresip"]) else { return };
    let (mut caller, mut callee) = talking(&site, "udp");
    assert_tone(&callee.hears(SECOND), LOW_HZ);
    caller.hold();
    // What was on its way when the key was pressed is not counted.
    callee.hears(SECOND / 2);
    let music = callee.hears(SECOND * 2);
    assert!(level_dbfs(&music) > -45.0, "silence: {:.1} dBFS", level_dbfs(&music));
    let tone = strength_dbfs(&music, f64::from(LOW_HZ));
    assert!(tone < level_dbfs(&music) - 6.0, "the other side's tone is heard while held");
    caller.resume();
    callee.hears(SECOND / 2);
    assert_tone(&callee.hears(SECOND), LOW_HZ);
}

#[test]
fn a_wrong_password_gets_no_registration_and_a_right_one_beside_it_does() {
    let Some(mut site) = site(&["baresip"]) else { return };
    let wrong = Setup { password: Some("not-the-password"), ..Setup::AUTO };
    let _insists = Softphone::start(&site, "100", wrong);
    // It tries and tries until its address is refused.
    let bans = "dialplane_door_bans_total";
    let until = Instant::now() + BOUND;
    while site.metric(bans) < 1.0 {
        assert!(Instant::now() < until, "it is never refused");
    }
    // Nobody is there to ring, and who knows the password is let in from the same address.
    let mut caller = Softphone::registered(&site, "101", Setup::AUTO);
    caller.dial("100");
    assert!(caller.call_ends().contains("480"));
}
