//! Calls that a program controls over HTTP while phones talk.

use std::thread;
use std::time::Duration;

use media::measure::{level_dbfs, pitch_hz};
use serde_json::{Value, json};

use crate::support::wire_phone::{Call, WirePhone};
use crate::support::{Site, site, site_with};

const LOW_HZ: u32 = 440;
const HIGH_HZ: u32 = 620;
/// Somebody who says nothing.
const NOTHING_HZ: u32 = 0;

const TALK: Duration = Duration::from_secs(2);

/// What is quieter is silence: two of G.711 mixed come to -60.
const SILENCE_DBFS: f64 = -50.0;

/// A phone in a call, and the tone that it says.
type Party<'a> = (&'a mut WirePhone, &'a Call, u32);

/// All talk at the same time; what each hears in the last half second.
fn hear<const N: usize>(parties: [Party<'_>; N]) -> [Vec<i16>; N] {
    thread::scope(|scope| {
        let talking = parties.map(|(phone, call, tone)| {
            scope.spawn(move || {
                let heard = phone.talks(call, tone, TALK);
                heard.get(heard.len().saturating_sub(4_000)..).unwrap_or_default().to_vec()
            })
        });
        talking.map(|talk| talk.join().expect("it talks"))
    })
}

fn is_tone(samples: &[i16], hz: u32) -> bool {
    pitch_hz(samples).is_some_and(|heard| (heard - f64::from(hz)).abs() < 5.0)
}

fn is_silence(samples: &[i16]) -> bool {
    samples.is_empty() || level_dbfs(samples) < SILENCE_DBFS
}

/// 100 calls 101, which answers.
fn talking(site: &Site) -> [(WirePhone, Call); 2] {
    let mut caller = WirePhone::registered(site, "100", "udp");
    let mut callee = WirePhone::registered(site, "101", "udp");
    let [call, called] = calls(&mut caller, &mut callee);
    [(caller, call), (callee, called)]
}

/// The one calls the other, which is 101 and answers.
fn calls(caller: &mut WirePhone, callee: &mut WirePhone) -> [Call; 2] {
    thread::scope(|scope| {
        let answering = scope.spawn(move || callee.is_called());
        [caller.dials("101"), answering.join().expect("it is called")]
    })
}

/// The only call of an extension.
fn call_of(site: &mut Site, number: &str) -> Value {
    let calls = site.current_calls(number);
    assert_eq!(calls.len(), 1, "{calls:?}");
    calls[0].clone()
}

/// Does something with the only call of an extension; the status of the answer, and its body.
fn control(site: &mut Site, number: &str, body: &Value) -> (u16, Value) {
    put(site, ("current_calls", number), body)
}

fn put(site: &mut Site, (resource, number): (&str, &str), body: &Value) -> (u16, Value) {
    let call = call_of(site, number);
    let id = call["call_api_id"].as_str().expect("a handle");
    let path = format!("/extension/@{number}/{resource}/{id}");
    let answer = site.api().put(&path, body).expect("the API answers");
    (answer.status, answer.body)
}

#[test]
fn a_far_party_hears_music_while_a_program_holds_the_call() {
    let Some(mut site) = site(&[]) else { return };
    let [(mut caller, call), (mut callee, called)] = talking(&site);
    let mut both = || hear([(&mut caller, &call, LOW_HZ), (&mut callee, &called, HIGH_HZ)]);
    let [by_caller, by_callee] = both();
    assert!(is_tone(&by_caller, HIGH_HZ) && is_tone(&by_callee, LOW_HZ), "they talk");

    let listed = call_of(&mut site, "100");
    // Holding twice is holding.
    for _ in 0..2 {
        let held = control(&mut site, "100", &json!({ "action": "hold" }));
        assert_eq!(held, (200, listed.clone()));
    }
    let [by_caller, by_callee] = both();
    assert!(is_silence(&by_caller), "who holds hears {:.1} dBFS", level_dbfs(&by_caller));
    assert!(!is_tone(&by_callee, LOW_HZ) && !is_silence(&by_callee), "who is held hears music");

    let taken_back = control(&mut site, "100", &json!({ "action": "offhold" }));
    assert_eq!(taken_back, (200, listed));
    let [by_caller, by_callee] = both();
    assert!(is_tone(&by_caller, HIGH_HZ) && is_tone(&by_callee, LOW_HZ), "they talk again");
    caller.hangs_up(&call);
    callee.is_hung_up(&called);
}

#[test]
fn a_program_has_somebody_listen_whom_nobody_hears() {
    let Some(mut site) = site(&[]) else { return };
    let [(mut caller, call), (mut callee, called)] = talking(&site);
    let mut monitor = WirePhone::registered(&site, "102", "udp");
    let eavesdrop = json!({ "action": "eavesdrop", "send_dst": "102" });
    let (status, body) = control(&mut site, "101", &eavesdrop);
    assert_eq!((status, &body), (200, &call_of(&mut site, "101")));
    let listening = monitor.is_called();
    // The callee and the monitor take turns at being the only one who could be heard.
    for (by_callee_hz, by_monitor_hz) in [(LOW_HZ, HIGH_HZ), (NOTHING_HZ, HIGH_HZ)] {
        let [by_caller, by_callee, by_monitor] = hear([
            (&mut caller, &call, NOTHING_HZ),
            (&mut callee, &called, by_callee_hz),
            (&mut monitor, &listening, by_monitor_hz),
        ]);
        assert!(is_silence(&by_callee), "the callee hears {:.1} dBFS", level_dbfs(&by_callee));
        for heard in [&by_caller, &by_monitor] {
            match by_callee_hz {
                NOTHING_HZ => assert!(is_silence(heard), "{:.1} dBFS", level_dbfs(heard)),
                hz => assert!(is_tone(heard, hz), "{:?} Hz", pitch_hz(heard)),
            }
        }
    }
    caller.hangs_up(&call);
    callee.is_hung_up(&called);
    monitor.is_hung_up(&listening);
    assert_eq!(site.current_calls("101"), Vec::<Value>::new());
}

#[test]
fn a_program_parks_a_call_and_joins_it_with_another() {
    let Some(mut site) = site_with(&[], "127.0.0.1:0", &["--phones", "4"]) else { return };
    let [(mut first, parked), (mut callee, called)] = talking(&site);
    let id = call_of(&mut site, "101")["call_api_id"].as_str().expect("a handle").to_owned();
    let (_, uuid) = id.split_once('-').expect("an address and a UUID");
    let in_six = json!({ "slot": "6", "UUID": uuid });
    let valet = ("valet_park", "101");
    let park = json!({ "action": "park", "slot": "6" });
    assert_eq!(put(&mut site, valet, &park), (200, in_six.clone()));
    callee.is_hung_up(&called);
    let [by_first] = hear([(&mut first, &parked, LOW_HZ)]);
    assert!(!is_silence(&by_first), "who is parked hears music");

    let mut second = WirePhone::registered(&site, "102", "udp");
    let [call, called] = calls(&mut second, &mut callee);
    // The extension may have a part in the parked call still: it is named by the newer one here.
    let listed = site.current_calls("101");
    let newer = listed.iter().find(|call| call["call_api_id"] != id.as_str());
    let newer = newer.and_then(|call| call["call_api_id"].as_str()).expect("another call");
    let path = format!("/extension/@101/valet_park/{newer}");
    let mut ask = |body: Value| {
        let answer = site.api().put(&path, &body).expect("the API answers");
        (answer.status, answer.body)
    };
    let free = json!({ "slots": ["1", "2", "3", "4", "5", "7", "8", "9"] });
    assert_eq!(ask(json!({ "action": "slots" })), (200, free));
    assert_eq!(ask(json!({ "action": "slots", "slot": 6 })), (200, in_six.clone()));
    let full = "slot already have parked member, slot is full";
    let (status, answer) = ask(park);
    assert_eq!((status, &answer["message"]), (409, &json!(full)));
    assert_eq!(ask(json!({ "action": "bridge", "slot": 6 })), (200, in_six));
    callee.is_hung_up(&called);
    let [by_first, by_second] =
        hear([(&mut first, &parked, LOW_HZ), (&mut second, &call, HIGH_HZ)]);
    assert!(is_tone(&by_first, HIGH_HZ) && is_tone(&by_second, LOW_HZ), "they talk");
    let empty = json!({ "slot": "6", "UUID": null });
    assert_eq!(ask(json!({ "action": "slots", "slot": 6 })), (200, empty));
    second.hangs_up(&call);
    first.is_hung_up(&parked);
}

#[test]
fn what_cannot_be_done_is_refused_and_the_call_goes_on() {
    let Some(mut site) = site(&[]) else { return };
    let [(mut caller, call), (mut callee, called)] = talking(&site);
    let refused = [
        (json!({ "action": "explode" }), 400),
        (json!({ "action": "eavesdrop" }), 400),
        (json!({ "action": "eavesdrop", "send_dst": "555" }), 400),
    ];
    for (body, expected) in refused {
        let (status, answer) = control(&mut site, "100", &body);
        assert_eq!(status, expected, "{body} {answer}");
        assert!(answer["message"].is_string(), "{answer}");
    }
    let both = [(&mut caller, &call, LOW_HZ), (&mut callee, &called, HIGH_HZ)];
    let [by_caller, by_callee] = hear(both);
    assert!(is_tone(&by_caller, HIGH_HZ) && is_tone(&by_callee, LOW_HZ));
    callee.hangs_up(&called);
    caller.is_hung_up(&call);
}

#[test]
fn a_refer_that_comes_to_nothing_leaves_both_talking() {
    let Some(mut site) = site(&[]) else { return };
    let [(mut caller, call), (mut callee, called)] = talking(&site);
    let mut both = |caller: &mut WirePhone| {
        let [by_caller, by_callee] =
            hear([(caller, &call, LOW_HZ), (&mut callee, &called, HIGH_HZ)]);
        is_tone(&by_caller, HIGH_HZ) && is_tone(&by_callee, LOW_HZ)
    };
    // A number that nobody has, a code, and a phone that is not there.
    for (number, status) in [("555", 603), ("*4102", 403), ("102", 202)] {
        assert_eq!(caller.refers(&call, number), Some(status), "{number}");
        if status == 202 {
            assert_eq!(caller.is_told_what_came_of_it(), "100 480");
        }
        assert!(both(&mut caller), "they talk after {number}");
    }
    assert_eq!(call_of(&mut site, "101")["real_call"], true);
    caller.hangs_up(&call);
    callee.is_hung_up(&called);
}
