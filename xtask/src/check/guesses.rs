//! Those who look for a way in: guessed passwords, and which extensions there are.

use std::net::UdpSocket;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use loadgen::http::Body;
use loadgen::strangers::{self, Plan, Salvo, request};
use loadgen::{Http, Phones, usage};

use super::place::{Findings, Subject, Wishes};

/// The digest realm of every switch.
const REALM: &str = "dialplane";

/// A thousand wrong passwords a second, from outside and from behind a phone's own NAT.
pub(super) fn brute_force(wishes: &Wishes) -> Result<Findings> {
    let mut findings = Findings::default();
    let mut subject = Subject::registered(4)?;
    let login = subject.switch.demo.tenant.phones.get(1).context("a second phone")?.login.clone();
    let plan = |sources| Plan {
        to: subject.sip(),
        salvo: Salvo::Guesses { login: login.clone(), realm: REALM.to_owned() },
        sources,
        count: wishes.rate.unwrap_or(1_000) * 10,
        per_second: wishes.rate.unwrap_or(1_000),
        seed: wishes.seed,
    };
    let outside = plan(strangers::sources(1));
    let inside = plan(vec![std::net::Ipv4Addr::LOCALHOST]);
    let cpu = subject.cpu()?;
    let begun = Instant::now();
    let report = strangers::run(&outside)?;
    let used = (subject.cpu()? - cpu).as_secs_f64() / begun.elapsed().as_secs_f64() * 100.0;
    let (answers, last) = (report.answers, report.last_answer);
    findings.see(answers <= 10, format!("{answers} guesses answered"));
    findings.see(last <= Duration::from_secs(1), format!("refused after {last:?}"));
    findings.see(used < 10.0, format!("{used:.1} % of a core"));
    let banned = Instant::now();

    // Behind the NAT of a registered phone: all phones there go on, with new challenges.
    let phones: Result<Phones> = thread::scope(|scope| {
        let guesses = scope.spawn(|| strangers::run(&inside));
        let mut phones = Phones::new(&subject.switch.demo, Vec::new())?;
        let report = phones.register(0..4, 4)?;
        let failed = report.failed.values().sum::<usize>();
        findings.see(failed == 0, format!("{} right ones let in meanwhile", report.registered));
        let report = guesses.join().ok().context("the guesses broke")??;
        findings.see(true, format!("{} wrong ones from there answered", report.answers));
        Ok(phones)
    });
    subject.phones = phones?;

    let mut http = Http::connect(&subject.switch.demo)?;
    let bans = http.ask("GET", "/bans", Body::None)?;
    let count = bans.body["bans"].as_array().map_or(0, Vec::len);
    findings.see(count == 1, format!("{count} ban shown"));
    let source = *outside.sources.first().context("a source")?;
    let socket = UdpSocket::bind((source, 0))?;
    socket.set_read_timeout(Some(Duration::from_secs(1)))?;
    let ended = (0..300u64).find(|n| {
        let asked = socket.send_to(&request("OPTIONS", "x", *n, ""), subject.sip());
        asked.is_ok() && socket.recv(&mut [0; 4_096]).is_ok()
    });
    let after = banned.elapsed().as_secs();
    findings.see(ended.is_some(), format!("ban over by itself after {after} s"));
    let harm = subject.harm()?;
    findings
        .see(harm.is_empty(), format!("harm: {}", if harm.is_empty() { "none" } else { &harm }));
    Ok(findings)
}

/// Whether answers and their times tell which extensions exist.
pub(super) fn enumeration(wishes: &Wishes) -> Result<Findings> {
    let mut findings = Findings::default();
    // Each registration earns its address answers, so that as many probes as these are answered.
    let subject = Subject::registered(1_500)?;
    let exists = subject.switch.demo.tenant.phones.first().context("a phone")?.login.clone();
    let absent: String = exists.chars().rev().collect();
    ensure!(absent != exists, "the logins must differ");
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    socket.connect(subject.sip())?;
    socket.set_read_timeout(Some(Duration::from_secs(2)))?;
    let mut number = 0;
    for method in ["REGISTER", "INVITE", "OPTIONS"] {
        let mut times = [Vec::new(), Vec::new()];
        let mut shapes = [None, None];
        for probe in 0..wishes.probes * 2 {
            // In pairs, each in an order of its own, so that the machine's moods meet both alike.
            let pair = u64::try_from(probe / 2)?.wrapping_add(wishes.seed);
            let first = usize::try_from(pair.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 63)?;
            let which = (probe + first) % 2;
            let user = if which == 0 { &exists } else { &absent };
            number += 1;
            let bytes = request(method, user, 1_000_000 + number, "");
            let begun = Instant::now();
            socket.send(&bytes)?;
            let mut buffer = [0; 4_096];
            let length = socket.recv(&mut buffer).context("a probe was not answered")?;
            let took = u64::try_from(begun.elapsed().as_nanos())?;
            let text = String::from_utf8_lossy(buffer.get(..length).unwrap_or(&[])).into_owned();
            let shape = shape(&text.replace(user.as_str(), "USER"));
            if let (Some(times), Some(known)) = (times.get_mut(which), shapes.get_mut(which)) {
                times.push(took);
                let known = known.get_or_insert_with(|| shape.clone());
                ensure!(*known == shape, "{method}: answers differ:\n{known}\n{shape}");
            }
        }
        findings.see(shapes[0] == shapes[1], format!("{method}: answers equal"));
        times.iter_mut().for_each(|times| times.sort_unstable());
        let [a, b] = &times;
        let (m, n) = (usage::percentile(a, 500) as f64, usage::percentile(b, 500) as f64);
        let apart = (m - n).abs() / m * 100.0;
        findings.see(apart < 2.0, format!("medians {:.1} and {:.1} us", m / 1e3, n / 1e3));
        let p = kolmogorov_smirnov(a, b);
        findings.see(p > 0.01, format!("KS p {p:.2}"));
    }
    Ok(findings)
}

/// An answer without what differs in any two: digits stand for numbers, stars for what comes by
/// chance; lengths stay.
fn shape(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    let marks = ["nonce=\"", ";tag=s-"];
    while let Some(at) = marks.iter().filter_map(|m| rest.find(m).map(|at| at + m.len())).min() {
        let (before, after) = rest.split_at(at);
        let end = after.find(['"', ';', '\r']).unwrap_or(after.len());
        out.push_str(before);
        out.push_str(&"*".repeat(end));
        rest = &after[end..];
    }
    out.push_str(rest);
    out.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect()
}

/// Probability that two sorted samples of one distribution lie as far apart as these (two-sided
/// Kolmogorov-Smirnov test, asymptotic).
fn kolmogorov_smirnov(a: &[u64], b: &[u64]) -> f64 {
    let below = |sample: &[u64], x: u64| {
        sample.partition_point(|y| *y <= x) as f64 / sample.len().max(1) as f64
    };
    let distance =
        a.iter().chain(b).map(|x| (below(a, *x) - below(b, *x)).abs()).fold(0.0, f64::max);
    let (n, m) = (a.len() as f64, b.len() as f64);
    let effective = (n * m / (n + m)).sqrt();
    let lambda = (effective + 0.12 + 0.11 / effective) * distance;
    if lambda < 0.2 {
        return 1.0;
    }
    let term = |k: i32| {
        let sign = if k % 2 == 1 { 1.0 } else { -1.0 };
        sign * (-2.0 * f64::from(k * k) * lambda * lambda).exp()
    };
    (2.0 * (1..=100).map(term).sum::<f64>()).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_samples_are_likely_and_shifted_ones_are_not() {
        let a: Vec<u64> = (0..1_000).map(|n| n * 7 % 1_000).collect::<Vec<_>>();
        let mut a = a;
        a.sort_unstable();
        let b: Vec<u64> = a.iter().map(|x| x + 100).collect();
        assert!(kolmogorov_smirnov(&a, &a) > 0.99);
        assert!(kolmogorov_smirnov(&a, &b) < 0.001);
    }

    #[test]
    fn a_shape_keeps_lengths_and_hides_chance() {
        let text = |n: u8| format!("SIP/2.0 401\r\nTo: <a>;tag=s-{n}{n}\r\nX: nonce=\"{n}b\"\r\n");
        assert_eq!(shape(&text(1)), shape(&text(2)));
        assert_ne!(shape(&text(1)), shape(&text(10)));
    }
}
