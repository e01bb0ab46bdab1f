//! A long steady load, and whether everything is afterwards where it was before.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, ensure};
use loadgen::rtp::Pace;
use loadgen::{CallPlan, Http, RtpReport, Streams, usage};

use super::place::{Place, Subject};
use super::table::Row;

/// Calls begun a second, each up for so long.
const RATE: f64 = 50.0;
const HOLD: Duration = Duration::from_secs(2);
/// Calls with audio, up for a round each.
const TALKING: usize = 20;
const ROUND: Duration = Duration::from_secs(60);
/// Before the first look: caches, pools and tables have taken their size.
const WARM: Duration = Duration::from_secs(60);
/// Before each look: longer than the last transaction lives (64 T1) and the last port rests.
const REST: Duration = Duration::from_secs(45);
/// The end of a rest, in which the idle switch is looked at.
const IDLE: Duration = Duration::from_secs(10);

/// What must be as it was. Bindings stay, since the phones stay registered.
const GAUGES: [&str; 12] = [
    "calls",
    "legs",
    "bindings",
    "sip_transactions",
    "sip_dialogs",
    "rtp_ports_taken",
    "timers",
    "pending_invites",
    "queue_length",
    "media_calls",
    "media_legs",
    "media_sockets_open",
];

/// What must never have happened.
const NEVER: [&str; 9] = [
    "call_panics_total",
    "shard_panics_total",
    "queue_refused_total",
    "hand_overs_dropped_total",
    "media_panics_total",
    "media_socket_failures_total",
    "media_events_dropped_total",
    "journal_lost_total",
    "loader_refused_total",
];

/// The switch at rest.
struct Look {
    memory: u64,
    descriptors: usize,
    threads: usize,
    metrics: BTreeMap<String, f64>,
    /// Share of a core while nothing happens, percent.
    idle: f64,
}

/// 50 calls a second with audio on some.
pub(super) fn soak(place: &Place) -> Result<Vec<Row>> {
    let mut streams = Streams::new(16)?.with_pace(Pace::Asleep);
    let mut subject = place.subject(8, 50, streams.ports().to_vec())?;
    subject.register()?;
    round(&mut subject, &mut streams, WARM)?;
    let before = look(&mut subject)?;
    let (begin, cpu) = (Instant::now(), subject.cpu()?);
    let (mut calls, mut audio) = (0, RtpReport::default());
    while begin.elapsed() < place.long() {
        let left = place.long().saturating_sub(begin.elapsed());
        let (made, report) = round(&mut subject, &mut streams, left.min(ROUND))?;
        calls += made;
        audio.sent += report.sent;
        audio.received += report.received;
    }
    let each = (subject.cpu()? - cpu).as_secs_f64() * 1e3 / calls as f64;
    let after = look(&mut subject)?;
    let mut rows = compared(&before, &after);
    rows.push(Row::note(
        "load",
        format!(
            "{calls} calls in {:.0} minutes, none failed; {} packets, {:.2} per mille lost; \
             {each:.3} ms CPU a call, audio included",
            begin.elapsed().as_secs_f64() / 60.0,
            audio.sent,
            audio.lost_per_mille(),
        ),
    ));
    Ok(rows)
}

/// Calls at the rate for so long, some more with audio all the time. All must be clean.
fn round(
    subject: &mut Subject,
    streams: &mut Streams,
    length: Duration,
) -> Result<(usize, RtpReport)> {
    let phones = &mut subject.phones;
    let known = phones.audio_legs().len();
    let talking = phones.call(&CallPlan { count: TALKING, per_second: RATE, hold: None })?;
    ensure!(talking.failed.is_empty(), "calls failed: {:?}", talking.failed);
    let legs: Vec<(usize, SocketAddr)> =
        phones.audio_legs().iter().skip(known).map(|leg| (leg.port, leg.remote)).collect();
    let count = (RATE * length.as_secs_f64()).ceil() as usize;
    let plan = CallPlan { count, per_second: RATE, hold: Some(HOLD) };
    let (report, audio) = thread::scope(|scope| {
        let audio = scope.spawn(|| streams.run(&legs, length, || Ok(())));
        let report = phones.call(&plan);
        (report, audio.join().map_err(|_| anyhow!("the streams have panicked")))
    });
    let (report, audio) = (report?, audio??);
    ensure!(report.failed.is_empty(), "calls failed: {:?}", report.failed);
    let ended = phones.hang_up()?;
    ensure!(ended == TALKING, "{ended} of {TALKING} calls with audio were up at the end");
    Ok((report.completed + ended, audio))
}

/// Lets everything come to rest, then looks.
fn look(subject: &mut Subject) -> Result<Look> {
    let pid = subject.switch.process.pid();
    wait(subject, REST - IDLE)?;
    let (begin, cpu) = (Instant::now(), usage::cpu(pid)?);
    wait(subject, IDLE)?;
    let idle = (usage::cpu(pid)? - cpu).as_secs_f64() * 100.0 / begin.elapsed().as_secs_f64();
    let metrics = Http::connect(subject.demo())?.metrics()?;
    Ok(Look {
        memory: usage::memory(pid)?,
        descriptors: usage::descriptors(pid)?,
        threads: usage::thread_count(pid)?,
        metrics,
        idle,
    })
}

fn wait(subject: &mut Subject, length: Duration) -> Result<()> {
    let until = Instant::now() + length;
    while Instant::now() < until {
        // The phones go on answering what comes late.
        subject.phones.turn(Duration::from_millis(100)).context("resting")?;
    }
    Ok(())
}

fn compared(before: &Look, after: &Look) -> Vec<Row> {
    let mb = |bytes: u64| bytes as f64 / 1e6;
    let bound = mb(before.memory) * 1.1 + 4.0;
    let mut rows = vec![
        Row::at_most("memory afterwards (before x 1.1 + 4)", mb(after.memory), bound, "MB"),
        Row::note("memory before", format!("{:.1} MB", mb(before.memory))),
    ];
    // The one that asks has a connection, and threads of the pool come and go.
    let near = |name: &str, before: usize, after: usize| {
        Row::at_most(
            &format!("{name} afterwards (before + 2)"),
            after as f64,
            (before + 2) as f64,
            "",
        )
    };
    rows.push(near("descriptors", before.descriptors, after.descriptors));
    rows.push(near("threads", before.threads, after.threads));
    let of = |look: &Look, name: &str| {
        look.metrics.get(&format!("dialplane_{name}")).copied().unwrap_or(f64::INFINITY)
    };
    for name in GAUGES {
        let title = format!("{} afterwards (as before)", name.replace('_', " "));
        rows.push(Row::at_most(&title, of(after, name), of(before, name), ""));
    }
    let never: f64 = NEVER.iter().map(|name| of(after, name)).sum();
    rows.push(Row::at_most("panics, drops, failures, losses", never, 0.0, ""));
    rows.push(Row::at_most("CPU while nothing happens", after.idle, 0.5, "% of a core"));
    rows
}
