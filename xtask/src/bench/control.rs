//! How soon a program is answered that controls calls while many are up.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use loadgen::{CallPlan, Http, Phones, usage};
use serde_json::{Value, json};

use super::bare::Answers;
use super::place::Place;
use super::table::Row;

/// Clients among which the calls are spread: one alone may have 500 at a time.
const TENANTS: usize = 2;
/// Phones of each.
const PHONES: usize = 50;
/// Calls that are up, of both clients together.
const CALLS: usize = 1_000;
/// Times that each thing is asked for.
const TIMES: usize = 1_000;
/// Rounds of all of it, of which the middle one counts.
const ROUNDS: usize = 5;
/// From one to the next: a program that asks again and again, and time for the calls' records to
/// get to the database meanwhile, as they do when it is somebody else's calls.
const PACE: Duration = Duration::from_millis(10);

/// The list of a client, and a hold with its end, while a thousand calls are up.
pub(super) fn control(place: &Place) -> Result<Vec<Row>> {
    let mut subject = place.subject(TENANTS, PHONES, Vec::new())?;
    subject.register()?;
    let count = place.count(CALLS);
    let report = subject.phones.call(&CallPlan { count, per_second: 200.0, hold: None })?;
    ensure!(report.failed.is_empty(), "calls failed: {:?}", report.failed);
    let mut api = Http::connect(subject.demo())?;
    api.log_in(&subject.demo().tenant)?;
    let list = "/client/@me/current_calls/";
    let listed = api.get(list)?.body;
    let listed = listed["call_list"].as_array().context("a list of calls")?;
    // Each call stands under both of its extensions.
    ensure!(listed.len() == count / TENANTS * 2, "{} entries are listed", listed.len());
    let paths = listed.iter().map(path).collect::<Result<Vec<_>>>()?;
    let size = api.last().len();

    let bare = Answers::start(place)?;
    let mut rounds = Rounds::default();
    for _ in 0..ROUNDS {
        let phones = &mut subject.phones;
        rounds.lists.push(timed(times(place), phones, || ask(&mut api, list))?);
        let mut paths = paths.iter().cycle();
        let mut next = || paths.next().context("a call");
        let pairs = timed(times(place), phones, || hold_and_offhold(&mut api, next()?));
        rounds.pairs.push(pairs.with_context(|| subject.last_lines())?);
        rounds.bare.push(timed(times(place), &mut subject.phones, || bare.pair())?);
    }
    subject.phones.hang_up()?;
    let mut rows = figures(&format!("list of a client, {count} calls up"), &rounds.lists, 3.0);
    rows.push(Row::note("one list", format!("{} entries, {size} bytes", paths.len())));
    rows.extend(figures(&format!("hold, offhold, {count} calls up"), &rounds.pairs, 2.0));
    rows.push(Row::note("bare pair, p99 of each round", per_round(&rounds.bare, 990)));
    rows.push(Row::note("bare pair, slowest of each round", per_round(&rounds.bare, 1_000)));
    Ok(rows)
}

fn times(place: &Place) -> usize {
    place.count(TIMES)
}

/// Sorted times of each round, ns.
#[derive(Debug, Default)]
struct Rounds {
    lists: Vec<Vec<u64>>,
    pairs: Vec<Vec<u64>>,
    bare: Vec<Vec<u64>>,
}

/// Does something so many times, one each [`PACE`], and says how long each took. Between them the
/// phones answer: a call without audio is asked after a minute whether it is still there.
fn timed(
    times: usize,
    phones: &mut Phones,
    mut what: impl FnMut() -> Result<Duration>,
) -> Result<Vec<u64>> {
    let mut all = Vec::with_capacity(times);
    for _ in 0..times {
        let next = Instant::now() + PACE;
        all.push(u64::try_from(what()?.as_nanos())?);
        loop {
            let left = next.saturating_duration_since(Instant::now());
            phones.turn(left)?;
            if left.is_zero() {
                break;
            }
        }
    }
    all.sort_unstable();
    Ok(all)
}

fn ask(api: &mut Http, list: &str) -> Result<Duration> {
    let (status, time) = api.time(list)?;
    ensure!(status == 200, "the list is answered with {status}");
    Ok(time)
}

fn hold_and_offhold(api: &mut Http, path: &str) -> Result<Duration> {
    let mut pair = Duration::ZERO;
    for action in ["hold", "offhold"] {
        let (status, time) = api.time_put(path, &json!({ "action": action }))?;
        ensure!(status == 200, "{action} of {path} is answered with {status}");
        pair += time;
    }
    Ok(pair)
}

/// The middle and the slowest but one in a hundred, in the middle round; the goal is the latter's,
/// ms. A machine that others use stands still for milliseconds about once a second: that falls into
/// one round more often than into another, and into those of the bare pairs alike.
fn figures(name: &str, rounds: &[Vec<u64>], goal: f64) -> Vec<Row> {
    let p50 = middle(rounds, 500);
    vec![
        Row::note(&format!("{name}, p50"), format!("{p50:.2} ms")),
        Row::at_most(&format!("{name}, p99"), middle(rounds, 990), goal, "ms"),
        Row::note("p99 of each round", per_round(rounds, 990)),
    ]
}

fn ms(round: &[u64], per_mille: usize) -> f64 {
    usage::percentile(round, per_mille) as f64 / 1e6
}

fn middle(rounds: &[Vec<u64>], per_mille: usize) -> f64 {
    let mut all: Vec<f64> = rounds.iter().map(|round| ms(round, per_mille)).collect();
    all.sort_unstable_by(f64::total_cmp);
    all.get(all.len() / 2).copied().unwrap_or(f64::NAN)
}

fn per_round(rounds: &[Vec<u64>], per_mille: usize) -> String {
    let all: Vec<String> =
        rounds.iter().map(|round| format!("{:.2}", ms(round, per_mille))).collect();
    format!("{} ms", all.join(", "))
}

/// Where one side of a call is controlled.
fn path(call: &Value) -> Result<String> {
    let id = call["call_api_id"].as_str().context("a handle")?;
    let extension = call["extension_id"].as_u64().context("an extension")?;
    Ok(format!("/extension/{extension}/current_calls/{id}"))
}
