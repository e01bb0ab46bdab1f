//! Rubbish, floods and avalanches, while good calls go on.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use loadgen::rtp::Pace;
use loadgen::strangers::{self, Plan, Report, Salvo};
use loadgen::{CallPlan, CallReport, Streams};

use super::place::{Findings, Subject, Wishes};

/// What no kind of rubbish may make the switch keep.
const GROWTH_MAX: u64 = 32 << 20;
/// Calls with audio in both directions while a flood goes on, and the generator's sockets.
const TALKING: usize = 25;
const SOCKETS: usize = 8;
/// How long a good call is up.
const HOLD: Duration = Duration::from_millis(200);
/// All methods that a stranger may think of.
const METHODS: [&str; 8] =
    ["INVITE", "OPTIONS", "REGISTER", "SUBSCRIBE", "MESSAGE", "NOTIFY", "PUBLISH", "BYE"];

/// A million mutated messages while one good call a second succeeds.
pub(super) fn live_fuzz(wishes: &Wishes) -> Result<Findings> {
    let mut subject = Subject::registered(4)?;
    let per_second = wishes.rate.unwrap_or(5_000);
    let plan = Plan {
        to: subject.sip(),
        salvo: Salvo::Mutations(corpus()?),
        sources: strangers::sources(16),
        count: wishes.datagrams,
        per_second,
        seed: wishes.seed,
    };
    let mut findings = Findings::default();
    let seconds = (wishes.datagrams / per_second).max(2);
    let (report, calls) = under(&mut subject, &plan, seconds, 1.0, &mut findings)?;
    findings.see(calls.failed.is_empty(), good(&calls));
    findings.see(report.sent == plan.count, sent(&report));
    let ratio = report.answer_bytes as f64 / report.sent_bytes.max(1) as f64;
    findings.see(ratio <= 1.2, format!("{ratio:.3} bytes out for one in"));
    Ok(findings)
}

/// Requests of strangers: half of the time from one address, then from a thousand.
pub(super) fn flood(wishes: &Wishes) -> Result<Findings> {
    let mut streams = Streams::new(SOCKETS)?.with_pace(Pace::Asleep);
    let mut subject = Subject::with_audio(20, streams.ports().to_vec())?;
    let up = subject.phones.call(&CallPlan { count: TALKING, per_second: 50.0, hold: None })?;
    ensure!(up.failed.is_empty(), "calls failed: {:?}", up.failed);
    let legs: Vec<(usize, SocketAddr)> =
        subject.phones.audio_legs().iter().map(|leg| (leg.port, leg.remote)).collect();
    let per_second = wishes.rate.unwrap_or(10_000);
    let seconds = wishes.seconds / 2;
    let mut findings = Findings::default();
    for (name, sources, methods) in
        [("one source", 1, &METHODS[..1]), ("1,000 sources", 1_000, &METHODS[..])]
    {
        let plan = Plan {
            to: subject.sip(),
            salvo: Salvo::Requests(methods.to_vec()),
            sources: strangers::sources(sources),
            count: per_second * seconds,
            per_second,
            seed: wishes.seed,
        };
        let cpu = subject.cpu()?;
        let length = Duration::from_secs(seconds);
        let (under, audio) = thread::scope(|scope| {
            let audio = scope.spawn(|| streams.run(&legs, length, || Ok(())));
            let under = under(&mut subject, &plan, seconds, 10.0, &mut findings);
            (under, audio.join())
        });
        let (report, calls) = under?;
        let audio = audio.ok().context("the audio broke")??;
        findings.see(calls.failed.is_empty(), format!("{name}: {}", good(&calls)));
        let lost = audio.lost_per_mille();
        let heard = format!("{lost:.2} of 1,000 packets lost in {} streams", legs.len());
        findings.see(lost < 1.0, heard);
        let p99 = calls.setup_ms(990);
        findings.see(p99 < 150.0, format!("setup p99 {p99:.1} ms"));
        let each = report.answers as f64 / report.elapsed.as_secs_f64();
        findings.see(each <= 200.0, format!("{each:.0} answers/s"));
        let used = (subject.cpu()? - cpu).as_secs_f64() / report.elapsed.as_secs_f64();
        findings.see(true, format!("{:.0} % of a core at {}", used * 100.0, sent(&report)));
    }
    let ended = subject.phones.hang_up()?;
    findings.see(ended == TALKING, format!("{ended} of {TALKING} long calls up to the end"));
    Ok(findings)
}

/// Known phones after an outage, and new ones behind one NAT.
pub(super) fn avalanche(_: &Wishes) -> Result<Findings> {
    let mut findings = Findings::default();
    let mut known = Subject::registered(9_000)?;
    known.kill_and_restart()?;
    let phones = known.phones.len();
    let took = known.register(phones)?;
    let per_10_000 = took.as_secs_f64() * 10_000.0 / phones as f64;
    let text = format!("{phones} known ones in {:.1} s", took.as_secs_f64());
    findings.see(per_10_000 <= 30.0, text);
    drop(known);
    let mut new = Subject::new(1_000)?;
    let took = new.register(1_000)?;
    let text = format!("1,000 new ones in {:.1} s", took.as_secs_f64());
    findings.see(took <= Duration::from_secs(60), text);
    Ok(findings)
}

/// Carries out a plan of strangers while good calls are made, and looks for harm.
fn under(
    subject: &mut Subject,
    plan: &Plan,
    seconds: u64,
    calls_per_second: f64,
    findings: &mut Findings,
) -> Result<(Report, CallReport)> {
    let each = |count| CallPlan { count, per_second: calls_per_second, hold: Some(HOLD) };
    // What calls leave behind for a while is not the strangers' doing.
    subject.phones.call(&each(10))?;
    let memory = subject.memory()?;
    let count = (seconds as f64 * calls_per_second) as usize;
    let (report, calls) = thread::scope(|scope| {
        let flood = scope.spawn(|| strangers::run(plan));
        let calls = subject.phones.call(&each(count));
        let report = flood.join().ok().context("the flood broke")?;
        anyhow::Ok((report?, calls?))
    })?;
    let harm = subject.harm()?;
    ensure!(harm.is_empty(), "{harm}");
    let growth = subject.memory()?.saturating_sub(memory);
    findings.see(growth < GROWTH_MAX, format!("{:.1} MB more", growth as f64 / 1e6));
    Ok((report, calls))
}

fn good(calls: &CallReport) -> String {
    let failed =
        if calls.failed.is_empty() { String::new() } else { format!("{:?}", calls.failed) };
    format!("{} of {} calls {failed}", calls.completed, calls.started).trim().to_owned()
}

fn sent(report: &Report) -> String {
    let rate = report.sent as f64 / report.elapsed.as_secs_f64().max(1e-9);
    format!("{} datagrams at {rate:.0}/s", report.sent)
}

/// The messages that are mutated: those of RFC 4475 and RFC 5118.
fn corpus() -> Result<Vec<Vec<u8>>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/sip/tests/corpora");
    let mut paths = Vec::new();
    for folder in ["rfc4475", "rfc5118"] {
        for entry in fs::read_dir(root.join(folder)).context("the corpora are in the checkout")? {
            paths.push(entry?.path());
        }
    }
    paths.retain(|path| path.extension().is_none_or(|e| e != "tsv" && e != "md"));
    paths.sort();
    paths.iter().map(|path| Ok(fs::read(path)?)).collect()
}
