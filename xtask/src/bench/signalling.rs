//! What calls and registrations cost.

use std::thread::sleep;
use std::time::Duration;

use anyhow::{Result, ensure};
use loadgen::{CallPlan, CallReport, Http, usage};

use super::bare::{BareLoop, BareRelay};
use super::place::{Place, Subject, own_share};
use super::table::Row;

/// Clients of the demo among which calls are spread: one alone may have 500 at a time.
const TENANTS: usize = 8;
/// Phones of each client.
const PHONES: usize = 50;
/// Calls begun a second while their cost is taken.
const STEADY: f64 = 200.0;
/// Calls begun a second while their setup time is taken.
const QUIET: f64 = 50.0;
/// Seconds of that before anything is measured: until every audio port was used once, and as long
/// as ended transactions are remembered.
const WARM_S: u64 = 32;
/// From answer to hang-up: short, since ports rest for seconds after a call and are not endless.
const HOLD: Duration = Duration::from_millis(50);
/// Calls a second that are tried one after the other.
const LADDER: [f64; 6] = [500.0, 1000.0, 1500.0, 2000.0, 2500.0, 3000.0];
/// Each for so long, seconds: longer than a transaction lives (64 T1), so that what is held is held
/// for ever.
const STEP_S: u64 = 40;

/// Until what was written down is in the database: the loader looks once a second.
const LOADED: Duration = Duration::from_secs(3);
/// Until what was freed by that is the system's again: the switch keeps it for ten seconds.
const FREED: Duration = Duration::from_secs(15);

/// Registrations: their rate, their cost, and what a registered phone occupies.
pub(super) fn registrations(place: &Place) -> Result<Vec<Row>> {
    // The first phones fill what the start has left free in the heap; the second count.
    let warm = place.count(3_000);
    let phones = warm + place.count(5_000);
    let mut subject = place.subject(1, phones, Vec::new())?;
    subject.register_some(0..warm)?;
    sleep(LOADED + FREED);
    let (memory, cpu) = (subject.memory()?, subject.cpu()?);
    let (report, share) = own_share(|| subject.register_some(warm..phones))?;
    sleep(LOADED);
    let cpu = (subject.cpu()? - cpu).as_secs_f64() * 1e3;
    sleep(FREED);
    let memory = subject.memory()?.saturating_sub(memory);
    let count = report.registered as f64;
    let again = report.retransmitted;
    Ok(vec![
        Row::at_least("registrations with digest", report.per_second(), 5_000.0, "/s"),
        Row::at_most("CPU per registration with digest", cpu / count, 0.05, "ms"),
        Row::at_most("memory per registered phone", memory as f64 / count / 1e3, 2.0, "kB"),
        note(share, again, &subject)?,
    ])
}

/// Calls at a steady rate: their cost, and their setup time at a quiet one. What a packet of a bare
/// relay costs before and after, and what a call of a bare loop costs and takes, tells runs apart;
/// the goal is the goal.
pub(super) fn calls(place: &Place) -> Result<Vec<Row>> {
    let mut subject = registered(place)?;
    let mut bare = BareLoop::start(place, subject.demo())?;
    let mut relay = BareRelay::start(place)?;
    relay.take(place.time(10))?;
    // Warm caches, grown tables, each port used before: it is a switch that has run for long. What
    // is counted follows at once, so that as many transactions end as begin.
    run(&mut subject, STEADY, place.time(WARM_S))?;
    let (cpu, threads) = (subject.cpu()?, subject.threads()?);
    let (steady, share) = own_share(|| run(&mut subject, STEADY, place.time(20)))?;
    let each = |used: Duration| used.as_secs_f64() * 1e3 / steady.answered.max(1) as f64;
    let cpu = each(subject.cpu()? - cpu);
    let by_thread = subject.threads()?.into_iter().map(|(name, used)| {
        let before = threads.get(&name).copied().unwrap_or_default();
        format!("{name} {:.3}", each(used.saturating_sub(before)))
    });
    let by_thread = by_thread.collect::<Vec<_>>().join(", ");
    relay.take(place.time(10))?;
    bare.take(STEADY, HOLD, place.time(10))?;
    let (quiet, quiet_share) = own_share(|| run(&mut subject, QUIET, place.time(20)))?;
    let bare_quiet = bare.call(QUIET, HOLD, place.time(20))?;
    let relayed = format!("{:.2} us", relay.packet_us());
    let answered = format!("{:.3} ms", bare.call_ms());
    let setup =
        |calls: &CallReport| format!("{:.2}, {:.2} ms", calls.setup_ms(500), calls.setup_ms(990));
    Ok(vec![
        Row::at_most("CPU per answered call with digest", cpu, 0.4, "ms"),
        Row::note("bare relay, CPU a packet", relayed),
        Row::note("bare loop, CPU a call of one leg", answered),
        Row::note("by thread, ms", by_thread),
        Row::at_most("setup p50 at 50 calls/s", quiet.setup_ms(500), 1.0, "ms"),
        Row::at_most("setup p99 at 50 calls/s", quiet.setup_ms(990), 4.0, "ms"),
        Row::note("bare loop, setup p50, p99 at 50 calls/s", setup(&bare_quiet)),
        Row::note("setup p50, p99 at 200 calls/s", setup(&steady)),
        note(quiet_share, quiet.retransmitted, &subject)?,
        note(share, steady.retransmitted, &subject)?,
    ])
}

/// The highest rate at which every call is set up, held and ended without anything sent twice.
pub(super) fn held(place: &Place) -> Result<Vec<Row>> {
    let mut subject = registered(place)?;
    run(&mut subject, QUIET, Duration::from_secs(1))?;
    let mut best = 0.0;
    let mut notes = Vec::new();
    for rate in LADDER {
        let drops = subject.phones.kernel_drops()?;
        let (report, share) = own_share(|| attempt(&mut subject, rate, place.time(STEP_S)))?;
        let lost = subject.phones.kernel_drops()? - drops;
        let clean = report.is_clean() && lost == 0;
        notes.push(Row::note(
            &format!("at {rate} calls/s"),
            format!(
                "{} of {} answered, {} sent again, failed {:?}, setup p99 {:.1} ms, generator \
                 {share:.0} % of its core, {lost} dropped, at most {:?} late",
                report.answered,
                report.started,
                report.retransmitted,
                report.failed,
                report.setup_ms(990),
                report.late,
            ),
        ));
        if !clean {
            break;
        }
        best = rate;
    }
    let mut rows = vec![Row::at_least("calls/s held cleanly", best, 2_000.0, "/s")];
    rows.extend(notes);
    Ok(rows)
}

/// The list of all calls of a client over the API while 500 are up.
pub(super) fn list(place: &Place) -> Result<Vec<Row>> {
    let mut subject = place.subject(1, PHONES, Vec::new())?;
    subject.register()?;
    let report = subject.phones.call(&CallPlan { count: 250, per_second: 200.0, hold: None })?;
    ensure!(report.failed.is_empty(), "calls failed: {:?}", report.failed);
    let mut api = Http::connect(subject.demo())?;
    api.log_in(&subject.demo().tenant)?;
    let path = "/client/@me/current_calls/";
    let listed = api.get(path)?.body["call_list"].as_array().map_or(0, Vec::len);
    // Each call stands under both of its extensions.
    ensure!(listed == 500, "{listed} calls are listed");
    let size = api.last().len();
    let mut times = Vec::new();
    for _ in 0..place.count(400) {
        let (status, time) = api.time(path)?;
        ensure!(status == 200, "the list is answered with {status}");
        times.push(u64::try_from(time.as_nanos())?);
    }
    times.sort_unstable();
    let ms = |per_mille| usage::percentile(&times, per_mille) as f64 / 1e6;
    subject.phones.hang_up()?;
    Ok(vec![
        Row::at_most("list of 500 calls over the API, p50", ms(500), 1.0, "ms"),
        Row::at_most("list of 500 calls over the API, p99", ms(990), 3.0, "ms"),
        Row::note("one list", format!("{size} bytes")),
    ])
}

fn registered(place: &Place) -> Result<Subject> {
    let mut subject = place.subject(TENANTS, PHONES, Vec::new())?;
    subject.register()?;
    Ok(subject)
}

/// Calls at a rate for a while; all of them must be clean.
fn run(subject: &mut Subject, per_second: f64, length: Duration) -> Result<CallReport> {
    let report = attempt(subject, per_second, length)?;
    let lost = report.started - report.answered;
    ensure!(report.failed.is_empty(), "{lost} calls failed: {:?}", report.failed);
    Ok(report)
}

fn attempt(subject: &mut Subject, per_second: f64, length: Duration) -> Result<CallReport> {
    let count = (per_second * length.as_secs_f64()).ceil() as usize;
    subject.phones.call(&CallPlan { count, per_second, hold: Some(HOLD) })
}

fn note(share: f64, again: usize, subject: &Subject) -> Result<Row> {
    let drops = subject.phones.kernel_drops()?;
    let text = format!("{share:.0} % of its core, {again} sent again, {drops} dropped unread");
    Ok(Row::note("generator", text))
}
