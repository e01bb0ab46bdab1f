//! Programs control the calls of baresips: who hears whom is measured, each phone by its own pitch.

use std::time::{Duration, Instant};

use media::measure::{level_dbfs, strength_dbfs};
use serde_json::{Value, json};

use crate::support::softphone::{Setup, Softphone};
use crate::support::{BOUND, Site, site};

/// The tone of each of three phones; none is near a multiple of another.
const TONES_HZ: [u32; 3] = [440, 620, 950];

/// The tone of a phone has this much at least where it is heard, and this much at most where it is
/// not.
const HEARD_DBFS: f64 = -30.0;
const NOT_HEARD_DBFS: f64 = -45.0;

/// So long is measured at a time.
const PIECE: Duration = Duration::from_millis(400);

/// Three phones: 100 calls 101, which answers, as 102 does when it is called.
fn three(site: &Site) -> [Softphone; 3] {
    let mut number = 100;
    let mut phones = TONES_HZ.map(|tone_hz| {
        let setup = Setup { tone_hz, ..Setup::AUTO };
        let phone = Softphone::registered(site, &number.to_string(), setup);
        number += 1;
        phone
    });
    phones[0].dial("101");
    phones[1].talks();
    phones[0].talks();
    phones
}

/// Orders something of the only call of an extension.
fn order(site: &mut Site, number: &str, body: &Value) -> Value {
    let calls = site.current_calls(number);
    let [call] = calls.as_slice() else { panic!("{calls:?}") };
    let id = call["call_api_id"].as_str().expect("the call has an id");
    let path = format!("/extension/@{number}/current_calls/{id}");
    let answer = site.api().put(&path, body).expect("the API answers");
    assert!((200..300).contains(&answer.status), "{body}: {answer:?}");
    answer.body
}

/// Waits until a phone hears exactly these tones of the three.
#[track_caller]
fn hears(phone: &mut Softphone, wanted: &[u32]) {
    let until = Instant::now() + BOUND;
    loop {
        let samples = phone.hears(PIECE);
        let strengths = TONES_HZ.map(|hz| strength_dbfs(&samples, f64::from(hz)));
        let is_right = |(hz, strength): (&u32, &f64)| match wanted.contains(hz) {
            true => *strength > HEARD_DBFS,
            false => *strength < NOT_HEARD_DBFS,
        };
        if TONES_HZ.iter().zip(&strengths).all(is_right) {
            return;
        }
        assert!(Instant::now() < until, "{TONES_HZ:?} Hz with {strengths:.1?}, not {wanted:?}");
    }
}

/// Waits until a phone hears music: something, but none of the tones stands out of it.
#[track_caller]
fn hears_music(phone: &mut Softphone) {
    let until = Instant::now() + BOUND;
    loop {
        let samples = phone.hears(PIECE * 2);
        let level = level_dbfs(&samples);
        let is_tone = |hz: &u32| strength_dbfs(&samples, f64::from(*hz)) > level - 3.0;
        if level > -45.0 && !TONES_HZ.iter().any(is_tone) {
            return;
        }
        assert!(Instant::now() < until, "{level:.1} dBFS, a tone or silence");
    }
}

#[test]
fn a_supervisor_listens_whispers_and_joins_in_and_is_heard_as_that_says() {
    let Some(mut site) = site(&["baresip"]) else { return };
    let [mut ann, mut bob, mut eve] = three(&site);
    let [a, b, m] = TONES_HZ;
    hears(&mut bob, &[a]);
    for (action, ann_hears, bob_hears) in [
        ("eavesdrop", vec![b], vec![a]),
        ("whisper", vec![b, m], vec![a]),
        ("conference", vec![b, m], vec![a, m]),
    ] {
        order(&mut site, "100", &json!({"action": action, "send_dst": "102"}));
        eve.talks();
        hears(&mut eve, &[a, b]);
        hears(&mut ann, &ann_hears);
        hears(&mut bob, &bob_hears);
        eve.hang_up();
        hears(&mut ann, &[b]);
        hears(&mut bob, &[a]);
    }
    order(&mut site, "100", &json!({"action": "hold"}));
    hears_music(&mut bob);
    order(&mut site, "100", &json!({"action": "offhold"}));
    hears(&mut bob, &[a]);
    // All three attempts are in the audit, and who has made them.
    let until = Instant::now() + BOUND;
    let rows = loop {
        let answer = site.api().get("/client/@me/audit/").expect("the API answers");
        let rows = answer.body["audit"].as_array().cloned().unwrap_or_default();
        if rows.len() >= 3 {
            break rows;
        }
        assert!(Instant::now() < until, "{answer:?}");
    };
    let mut actions: Vec<&str> = rows.iter().filter_map(|row| row["action"].as_str()).collect();
    actions.sort_unstable();
    assert_eq!(actions, ["conference", "eavesdrop", "whisper"], "{rows:?}");
    assert!(rows.iter().all(|row| row["allowed"] == true && row["source"] == "api"), "{rows:?}");
}

#[test]
fn a_parked_caller_hears_music_and_then_who_takes_it_back() {
    let Some(mut site) = site(&["baresip"]) else { return };
    let [mut ann, mut bob, mut eve] = three(&site);
    let [a, b, m] = TONES_HZ;
    hears(&mut bob, &[a]);
    hears(&mut ann, &[b]);
    order(&mut site, "100", &json!({"action": "park"}));
    ann.call_ends();
    hears_music(&mut bob);
    eve.dial("*01");
    eve.talks();
    hears(&mut eve, &[b]);
    hears(&mut bob, &[m]);
}

#[test]
fn a_caller_who_is_sent_on_hears_the_target_and_is_heard() {
    let Some(mut site) = site(&["baresip"]) else { return };
    let [mut ann, mut bob, mut eve] = three(&site);
    let [a, b, m] = TONES_HZ;
    hears(&mut bob, &[a]);
    order(&mut site, "100", &json!({"action": "transfer", "send_dst": "102"}));
    eve.talks();
    ann.call_ends();
    hears(&mut eve, &[b]);
    hears(&mut bob, &[m]);
}
