//! Calls that a machine takes, because a rule says so: what is heard, what is kept, and why.

use std::time::Duration;

use loadgen::http::{Answer, Upload};
use loadgen::watch;
use media::measure::{level_dbfs, pitch_at_rate_hz, pitch_hz};
use media::wav::{Coding, Wav};
use serde_json::{Value, json};

use crate::support::wire_phone::{Call, WirePhone};
use crate::support::{BOUND, Site, site};

const CALLER_HZ: u32 = 440;
const SOUND_HZ: u32 = 620;
const SECOND: Duration = Duration::from_secs(1);

#[track_caller]
fn assert_tone(samples: &[i16], hz: u32) {
    let heard = pitch_hz(samples);
    let is_near = heard.is_some_and(|heard| (heard - f64::from(hz)).abs() < 5.0);
    assert!(is_near, "heard {heard:?} at {:.1} dBFS instead of {hz} Hz", level_dbfs(samples));
}

/// A tone as a WAV file of 8 kHz.
fn tone(hz: u32, seconds: u32) -> Vec<u8> {
    let sample = |n: u32| {
        let angle = f64::from(n * hz) / 8_000.0 * core::f64::consts::TAU;
        (angle.sin() * 8_000.0) as i16
    };
    let channel = (0..8_000 * seconds).map(sample).collect();
    Wav { rate_hz: 8_000, channels: vec![channel] }.write(Coding::Linear)
}

#[track_caller]
fn good(answer: anyhow::Result<Answer>) -> Value {
    let answer = answer.expect("the API answers");
    assert!(matches!(answer.status, 200 | 201), "{answer:?}");
    answer.body
}

/// 101 gets a rule.
fn rule(site: &mut Site, rule: &Value) -> Value {
    good(site.api().post("/extension/@101/incom_rule/", rule))
}

/// The trace of a call that is over, once it is stored.
fn trace(site: &mut Site, uuid: &str) -> Value {
    let folder = site.data_dir().to_owned();
    let path = format!("/client/@me/call_history/{uuid}/trace/");
    let found = watch::until(&folder, BOUND, "the trace", || {
        let answer = site.api().get(&path)?;
        Ok((answer.status == 200).then_some(answer.body))
    });
    found.expect("it is stored")
}

fn uuid_of(site: &mut Site) -> String {
    let calls = site.current_calls("101");
    let id = calls.first().and_then(|call| call["call_api_id"].as_str()).expect("a call");
    id.split_once('-').expect("node and call").1.to_owned()
}

#[test]
fn a_sound_of_a_rule_is_heard_and_the_trace_says_why() {
    let Some(mut site) = site(&[]) else { return };
    let bytes = tone(SOUND_HZ, 4);
    let upload = Upload { fields: &[("title", "Closed")], filename: "closed.wav", bytes: &bytes };
    let sound = good(site.api().upload("/client/@me/sound/", &upload));
    let busy = json!({"type": "busy", "name": "never", "enabled": false});
    rule(&mut site, &busy);
    let plays = json!({"type": "playfile", "name": "closed", "playfile_sound": sound["id"]});
    let plays = rule(&mut site, &plays);
    let asked = json!({"caller": "100", "registered": false});
    let expected = good(site.api().post("/extension/@101/incom_rule/explain", &asked));
    assert!(expected.to_string().contains(&format!("\"rule\":{}", plays["id"])), "{expected}");

    let mut caller = WirePhone::registered(&site, "100", "udp");
    let call = caller.dials("101");
    let uuid = uuid_of(&mut site);
    let heard = caller.talks(&call, CALLER_HZ, SECOND * 2);
    assert_tone(&heard[heard.len() - 4_000..], SOUND_HZ);
    caller.is_hung_up(&call);
    let trace = trace(&mut site, &uuid).to_string();
    assert!(trace.contains("disabled") && trace.contains("fired"), "{trace}");
    let gone = site.api().delete(&format!("/client/@me/sound/{}", sound["id"])).expect("an answer");
    assert_eq!(gone.status, 409, "a rule plays it: {gone:?}");
}

/// The messages of 101, once there is one.
fn messages(site: &mut Site) -> Vec<Value> {
    let folder = site.data_dir().to_owned();
    let path = voicemail_path();
    let found = watch::until(&folder, BOUND, "the message", || {
        let answer = site.api().get(&path)?;
        anyhow::ensure!(answer.status == 200, "{answer:?}");
        let list = answer.body.as_array().cloned().unwrap_or_default();
        Ok((!list.is_empty()).then_some(list))
    });
    found.expect("it is listed")
}

/// The list of all messages of yesterday to tomorrow.
fn voicemail_path() -> String {
    let now = jiff::Timestamp::now();
    let day = jiff::SignedDuration::from_hours(24);
    let text = |at: jiff::Timestamp| at.strftime("%Y-%m-%d%%20%H:%M:%S").to_string();
    let (from, to) = (text(now - day), text(now + day));
    format!("/extension/@101/voicemail/?start_datetime={from}&end_datetime={to}")
}

/// 100 calls 101 and leaves its tone for so long after the beep.
fn leaves_a_message(site: &Site, length: Duration) -> (WirePhone, Call) {
    let mut caller = WirePhone::registered(site, "100", "udp");
    let call = caller.dials("101");
    // The greeting can be left out by its key; the beep follows it.
    caller.presses(&call, '#');
    caller.talks(&call, CALLER_HZ, length);
    (caller, call)
}

#[test]
fn a_message_is_left_listed_and_downloaded_with_the_callers_tone_in_it() {
    let Some(mut site) = site(&[]) else { return };
    rule(&mut site, &json!({"type": "voicemail", "name": "leave one"}));
    let (mut caller, call) = leaves_a_message(&site, SECOND * 4);
    caller.hangs_up(&call);
    let list = messages(&mut site);
    assert_eq!(list.len(), 1, "{list:?}");
    let id = list[0]["record_uuid"].as_str().expect("an id").to_owned();
    assert!(list[0]["record_file_size"].as_u64().is_some_and(|size| size > 16_000), "{list:?}");
    let path = format!("/extension/@101/voicemail/{id}");
    let status = site.api().get(&path).expect("an answer").status;
    assert_eq!(status, 200);
    let wav = Wav::read(site.api().last()).expect("a WAV file");
    let samples = &wav.channels[0];
    let half = usize::try_from(wav.rate_hz / 2).expect("a rate");
    assert!(samples.len() > 4 * half, "{} samples", samples.len());
    let part = &samples[samples.len() - 2 * half..samples.len() - half];
    let heard = pitch_at_rate_hz(part, f64::from(wav.rate_hz));
    assert!(heard.is_some_and(|hz| (hz - f64::from(CALLER_HZ)).abs() < 5.0), "{heard:?}");
    assert_eq!(site.api().delete(&path).expect("an answer").status, 204);
    assert_eq!(site.api().get(&path).expect("an answer").status, 404);
}

#[test]
fn a_message_that_was_being_left_when_the_switch_was_killed_is_not_lost() {
    let Some(mut site) = site(&[]) else { return };
    rule(&mut site, &json!({"type": "voicemail", "name": "leave one"}));
    let (_caller, _call) = leaves_a_message(&site, SECOND * 5);
    site.kill_and_restart();
    let list = messages(&mut site);
    assert_eq!(list.len(), 1, "{list:?}");
}

#[test]
fn who_answers_a_screened_call_hears_who_calls_and_takes_it_with_a_key() {
    let Some(mut site) = site(&[]) else { return };
    let on = json!({"call_screening_enabled": true});
    good(site.api().put("/extension/@101/phone/", &on));
    let mut caller = WirePhone::registered(&site, "100", "udp");
    let mut callee = WirePhone::registered(&site, "101", "udp");
    std::thread::scope(|scope| {
        let calling = scope.spawn(|| {
            let call = caller.dials("101");
            let heard = caller.talks(&call, CALLER_HZ, SECOND * 3);
            (heard, call)
        });
        let call = callee.is_called();
        // Somebody speaks: no tone, and no silence.
        let said = callee.talks(&call, SOUND_HZ, SECOND * 2);
        assert!(level_dbfs(&said) > -40.0, "{:.1} dBFS", level_dbfs(&said));
        callee.presses(&call, '1');
        let heard = callee.talks(&call, SOUND_HZ, SECOND * 3);
        assert_tone(&heard[heard.len() - 4_000..], CALLER_HZ);
        let (by_caller, theirs) = calling.join().expect("the caller talks");
        assert_tone(&by_caller[by_caller.len() - 4_000..], SOUND_HZ);
        callee.hangs_up(&call);
        let _ = theirs;
    });
}
