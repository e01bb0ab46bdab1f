//! Calls over TLS, WebSocket and IPv6, and from behind NAT.

use std::fs;
use std::io::Write as _;
use std::net::UdpSocket;
use std::process::Command;
use std::thread;
use std::time::Duration;

use media::measure::{level_dbfs, pitch_hz};

use crate::support::softphone::{Setup, Softphone};
use crate::support::wire_phone::{Call, WirePhone};
use crate::support::{Site, site, site_for, site_with};

const LOW_HZ: u32 = 440;
const HIGH_HZ: u32 = 620;

const SECOND: Duration = Duration::from_secs(1);

/// 100 has called 101, each over its transport, and they talk.
fn talking(site: &Site, caller: &str, callee: &str) -> (Softphone, Softphone) {
    let low = Setup { tone_hz: LOW_HZ, transport: caller, ..Setup::AUTO };
    let high = Setup { tone_hz: HIGH_HZ, transport: callee, ..Setup::AUTO };
    let mut caller = Softphone::registered(site, "100", low);
    let mut callee = Softphone::registered(site, "101", high);
    caller.dial("101");
    caller.talks();
    callee.talks();
    (caller, callee)
}

#[track_caller]
fn assert_tone(samples: &[i16], hz: u32) {
    let heard = pitch_hz(samples);
    let is_near = heard.is_some_and(|heard| (heard - f64::from(hz)).abs() < 5.0);
    assert!(is_near, "heard {heard:?} at {:.1} dBFS instead of {hz} Hz", level_dbfs(samples));
}

/// The one says a high tone, the other a low one.
#[track_caller]
fn hear_each_other(high: &WirePhone, call: &Call, low: &mut Softphone) {
    let (by_high, by_low) = thread::scope(|scope| {
        let listening = scope.spawn(|| low.hears(SECOND));
        (high.talks(call, HIGH_HZ, SECOND * 2), listening.join())
    });
    assert_tone(end(&by_high), LOW_HZ);
    assert_tone(end(&by_low.expect("it hears something")), HIGH_HZ);
}

/// The sound of the last half second.
fn end(samples: &[i16]) -> &[i16] {
    samples.get(samples.len().saturating_sub(4_000)..).unwrap_or_default()
}

#[test]
fn two_phones_on_tls_hear_each_other() {
    let Some(site) = site(&["baresip"]) else { return };
    let (mut caller, mut callee) = talking(&site, "tls", "tls");
    assert_tone(&callee.hears(SECOND), LOW_HZ);
    assert_tone(&caller.hears(SECOND), HIGH_HZ);
    caller.hang_up();
    callee.call_ends();
}

#[test]
fn a_phone_on_udp_talks_with_one_on_tls() {
    let Some(site) = site(&["baresip"]) else { return };
    let (mut caller, mut callee) = talking(&site, "udp", "tls");
    assert_tone(&callee.hears(SECOND), LOW_HZ);
    assert_tone(&caller.hears(SECOND), HIGH_HZ);
    callee.hang_up();
    caller.call_ends();
}

#[test]
fn a_new_certificate_during_a_call_drops_nothing() {
    let Some(mut site) = site(&["baresip", "openssl"]) else { return };
    let (mut caller, mut callee) = talking(&site, "tls", "tls");
    renew_certificate(&mut site);
    assert_tone(&callee.hears(SECOND), LOW_HZ);
    // Who comes now is shown the new one, and believes no other.
    let mut web = WirePhone::registered(&site, "102", "tls");
    let call = web.dials("199");
    web.hangs_up(&call);
    // What was connected before goes on: the BYE takes the old connections.
    caller.hang_up();
    callee.call_ends();
}

#[test]
fn a_new_certificate_drops_none_of_fifty_calls() {
    let five = ["--phones", "5"];
    let Some(mut site) = site_for(&["openssl"], "127.0.0.1:0", &five, 240) else { return };
    let numbers = ["100", "101", "102", "103", "104"];
    let mut phones: Vec<WirePhone> =
        numbers.iter().map(|number| WirePhone::registered(&site, number, "tls")).collect();
    let calls: Vec<Vec<Call>> =
        phones.iter_mut().map(|phone| (0..10).map(|_| phone.dials("199")).collect()).collect();
    assert_eq!(site.metric("dialplane_calls"), 50.0);
    renew_certificate(&mut site);
    assert_eq!(site.metric("dialplane_calls"), 50.0);
    // Each is ended over the connection that it was begun on, and answered there.
    for (phone, calls) in phones.iter_mut().zip(&calls) {
        calls.iter().for_each(|call| phone.hangs_up(call));
    }
    assert_eq!(site.metric("dialplane_calls"), 0.0);
}

/// Puts another certificate in the place of the present one and has it read.
fn renew_certificate(site: &mut Site) {
    let certificate = site.certificate().to_owned();
    let before = fs::read(&certificate).expect("the old one");
    let key = certificate.with_file_name("key.pem");
    let mut openssl = Command::new("openssl");
    openssl.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]);
    openssl.args(["-nodes", "-days", "90", "-subj", "/CN=new", "-addext"]);
    openssl.args(["subjectAltName=DNS:localhost,IP:127.0.0.1", "-addext"]);
    openssl.arg("basicConstraints=critical,CA:FALSE");
    openssl.arg("-keyout").arg(&key).arg("-out").arg(&certificate);
    let made = openssl.output().expect("openssl runs");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    assert_ne!(fs::read(&certificate).expect("the new one"), before);
    site.rereads();
}

#[test]
fn a_web_phone_and_a_softphone_call_each_other() {
    let Some(site) = site_with(&["baresip"], "127.0.0.1:0", &["--sip-ws", "127.0.0.1:0"]) else {
        return;
    };
    let mut web = WirePhone::registered(&site, "102", "ws");
    let low = Setup { tone_hz: LOW_HZ, ..Setup::AUTO };
    let mut softphone = Softphone::registered(&site, "101", low);
    let call = web.dials("101");
    hear_each_other(&web, &call, &mut softphone);
    web.hangs_up(&call);
    softphone.call_ends();

    softphone.dial("102");
    let call = web.is_called();
    softphone.talks();
    hear_each_other(&web, &call, &mut softphone);
    softphone.hang_up();
    softphone.call_ends();
}

#[test]
fn phones_behind_nat_register_and_talk_over_every_transport() {
    let secure_web = ["--sip-ws", "127.0.0.1:0", "--sip-wss", "127.0.0.1:0"];
    let Some(site) = site_with(&[], "127.0.0.1:0", &secure_web) else { return };
    for transport in ["udp", "tcp", "tls", "ws", "wss"] {
        let mut caller = WirePhone::registered(&site, "100", transport);
        // The echo announces itself by a tone, then sends back what it hears.
        let call = caller.dials("199");
        let heard = caller.talks(&call, HIGH_HZ, SECOND * 4);
        assert_tone(end(&heard), HIGH_HZ);
        caller.hangs_up(&call);
    }
}

#[test]
fn a_phone_on_ipv6_talks_with_one_on_ipv4() {
    if UdpSocket::bind("[::1]:0").is_err() {
        let said = writeln!(std::io::stderr(), "left out, this machine has no IPv6");
        return said.expect("standard error takes a line");
    }
    let Some(site) = site_with(&["baresip"], "[::]:0", &[]) else { return };
    let mut six = WirePhone::registered_by_ipv6(&site, "102");
    let low = Setup { tone_hz: LOW_HZ, ..Setup::AUTO };
    let mut four = Softphone::registered(&site, "101", low);
    let call = six.dials("101");
    hear_each_other(&six, &call, &mut four);
    six.hangs_up(&call);
    four.call_ends();

    four.dial("102");
    let call = six.is_called();
    four.talks();
    hear_each_other(&six, &call, &mut four);
    six.hangs_up(&call);
    four.call_ends();
}
