//! Three phones, each with a tone of its own, so that it can be measured who hears whom; and what
//! programs ask about their calls.

use std::thread;
use std::time::{Duration, Instant};

use media::measure::{level_dbfs, strength_dbfs};
use serde_json::{Value, json};

use crate::support::softphone::{Setup, Softphone};
use crate::support::{BOUND, Site};

/// The tones of 100, 101 and 102; none is near a multiple of another.
pub(crate) const TONES_HZ: [u32; 3] = [440, 620, 950];
/// What says that it rings at the other end, or that something cannot be done.
const SIGNAL_HZ: f64 = 425.0;

/// The tone of a phone has this much at least where it is heard, and this much at most where it is
/// not.
const HEARD_DBFS: f64 = -30.0;
const NOT_HEARD_DBFS: f64 = -45.0;

/// So long is measured at a time.
const PIECE: Duration = Duration::from_millis(400);

/// Phones that answer by themselves and phones that ring: `auto` or `manual`, from 100 on.
pub(crate) fn phones<const N: usize>(site: &Site, answers: [&str; N]) -> [Softphone; N] {
    let mut number = 100;
    answers.map(|answer| {
        let tone_hz = TONES_HZ[number - 100];
        let setup = Setup { tone_hz, answer, ..Setup::AUTO };
        let phone = Softphone::registered(site, &number.to_string(), setup);
        number += 1;
        phone
    })
}

/// Three phones: 100 calls 101, which answers, as 102 does when it is called.
pub(crate) fn three(site: &Site) -> [Softphone; 3] {
    let mut phones = phones(site, ["auto"; 3]);
    phones[0].dial("101");
    phones[1].talks();
    phones[0].talks();
    phones
}

/// Waits until a phone hears exactly these tones of the three.
#[track_caller]
pub(crate) fn hears(phone: &mut Softphone, wanted: &[u32]) {
    hear([(phone, wanted)]);
}

/// Waits until each of these phones hears exactly these tones; they are listened to at once.
#[track_caller]
pub(crate) fn hear<const N: usize>(phones: [(&mut Softphone, &[u32]); N]) {
    let heard = thread::scope(|scope| {
        let listening = phones.map(|(phone, wanted)| scope.spawn(|| listen(phone, wanted)));
        listening.map(thread::ScopedJoinHandle::join)
    });
    for (which, heard) in heard.into_iter().enumerate() {
        match heard {
            Ok(Ok(())) => {}
            Ok(Err(instead)) => panic!("phone {which} of {N}: {instead}"),
            Err(_) => panic!("phone {which} of {N} hears nothing at all"),
        }
    }
}

/// Listens to a phone until it hears exactly these tones; else what it has heard last.
fn listen(phone: &mut Softphone, wanted: &[u32]) -> Result<(), String> {
    let until = Instant::now() + BOUND;
    loop {
        let samples = phone.hears(PIECE);
        let strengths = TONES_HZ.map(|hz| strength_dbfs(&samples, f64::from(hz)));
        let is_right = |(hz, strength): (&u32, &f64)| match wanted.contains(hz) {
            true => *strength > HEARD_DBFS,
            false => *strength < NOT_HEARD_DBFS,
        };
        if TONES_HZ.iter().zip(&strengths).all(is_right) {
            return Ok(());
        }
        if Instant::now() > until {
            return Err(format!("{TONES_HZ:?} Hz with {strengths:.1?}, not {wanted:?}"));
        }
    }
}

/// Waits until two phones hear each other, of which these are the tones, and nobody else.
#[track_caller]
pub(crate) fn talk(one: (&mut Softphone, u32), other: (&mut Softphone, u32)) {
    hear([(one.0, &[other.1]), (other.0, &[one.1])]);
}

/// Waits until a phone hears music: something, but none of the tones stands out of it.
#[track_caller]
pub(crate) fn hears_music(phone: &mut Softphone) {
    let until = Instant::now() + BOUND;
    loop {
        let samples = phone.hears(PIECE * 2);
        let level = level_dbfs(&samples);
        let tones = TONES_HZ.map(f64::from).into_iter().chain([SIGNAL_HZ]);
        let mut strengths = tones.map(|hz| strength_dbfs(&samples, hz));
        if level > -45.0 && !strengths.any(|strength| strength > level - 3.0) {
            return;
        }
        assert!(Instant::now() < until, "{level:.1} dBFS, a tone or silence");
    }
}

/// Waits until a phone hears the tone of the switch: it rings there, or it cannot be done.
#[track_caller]
pub(crate) fn hears_signal(phone: &mut Softphone) {
    let until = Instant::now() + BOUND;
    loop {
        let samples = phone.hears(PIECE / 2);
        let level = level_dbfs(&samples);
        let signal = strength_dbfs(&samples, SIGNAL_HZ);
        if level > -45.0 && signal > level - 2.0 {
            return;
        }
        assert!(Instant::now() < until, "{signal:.1} of {level:.1} dBFS");
    }
}

/// The handle of the only call of an extension.
#[track_caller]
pub(crate) fn call_of(site: &mut Site, number: &str) -> String {
    let calls = site.current_calls(number);
    let [call] = calls.as_slice() else { panic!("{calls:?}") };
    call["call_api_id"].as_str().expect("the call has an id").to_owned()
}

/// Waits until an extension has so many calls; gives them.
#[track_caller]
pub(crate) fn calls_of(site: &mut Site, number: &str, count: usize) -> Vec<Value> {
    let until = Instant::now() + BOUND;
    loop {
        let calls = site.current_calls(number);
        if calls.len() == count {
            return calls;
        }
        assert!(Instant::now() < until, "{calls:?}");
    }
}

/// Orders something of the only call of an extension.
#[track_caller]
pub(crate) fn order(site: &mut Site, number: &str, body: &Value) -> Value {
    let call = call_of(site, number);
    let (status, answer) = ask(site, ("current_calls", number, &call), body);
    assert_eq!(status, 200, "{body}: {answer}");
    answer
}

/// Orders something of a call in the name of an extension; status and body of the answer.
pub(crate) fn ask(
    site: &mut Site,
    (resource, number, call): (&str, &str, &str),
    body: &Value,
) -> (u16, Value) {
    let path = format!("/extension/@{number}/{resource}/{call}");
    let answer = site.api().put(&path, body).expect("the API answers");
    (answer.status, answer.body)
}

/// Writes the control groups.
#[track_caller]
pub(crate) fn grants(site: &mut Site, groups: &Value) {
    let answer = site.api().put("/client/@me/call_control_group/", groups).expect("an answer");
    assert_eq!((answer.status, &answer.body), (200, groups));
}

/// What the audit says, the oldest first, once it has so many rows: who, what, to whom, whether it
/// was allowed, by what, and by which groups.
#[track_caller]
pub(crate) fn audit(site: &mut Site, count: usize) -> Vec<Value> {
    let until = Instant::now() + BOUND;
    loop {
        let answer = site.api().get("/client/@me/audit/?order=asc").expect("the API answers");
        let rows = answer.body["audit"].as_array().cloned().unwrap_or_default();
        if rows.len() >= count {
            return rows;
        }
        assert!(Instant::now() < until, "{answer:?}");
    }
}

/// A row of the audit in short: `phone 0003*102 whisper 0003*100 refused by nothing`.
pub(crate) fn in_short(row: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let name = |value: &Value| text(&value["name"]);
    let verdict = if row["allowed"] == true { "allowed" } else { "refused" };
    let mut short = format!(
        "{} {} {} {} {verdict} by {}",
        text(&row["source"]),
        name(&row["actor"]),
        text(&row["action"]),
        name(&row["target"]),
        text(&row["clause"]),
    );
    for group in row["groups"].as_array().into_iter().flatten() {
        short += &format!(" {}", text(group));
    }
    short
}

/// All rows of the audit in short.
#[track_caller]
pub(crate) fn audited(site: &mut Site, count: usize) -> Vec<String> {
    audit(site, count).iter().map(in_short).collect()
}

/// A body with an action and whom it is for.
pub(crate) fn action(name: &str, send_dst: &str) -> Value {
    json!({"action": name, "send_dst": send_dst})
}
