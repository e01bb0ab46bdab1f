//! How soon a program is answered that controls calls while many are up.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use loadgen::{CallPlan, Http, usage};
use serde_json::{Value, json};

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

    let mut lists = Vec::new();
    let mut pairs = Vec::new();
    let times = place.count(TIMES);
    for _ in 0..times {
        let begun = Instant::now();
        let (status, time) = api.time(list)?;
        ensure!(status == 200, "the list is answered with {status}");
        lists.push(u64::try_from(time.as_nanos())?);
        sleep(PACE.saturating_sub(begun.elapsed()));
    }
    for path in paths.iter().cycle().take(times) {
        let begun = Instant::now();
        let mut pair = 0;
        for action in ["hold", "offhold"] {
            let (status, time) = api.time_put(path, &json!({ "action": action }))?;
            ensure!(status == 200, "{action} is answered with {status}");
            pair += u64::try_from(time.as_nanos())?;
        }
        pairs.push(pair);
        sleep(PACE.saturating_sub(begun.elapsed()));
    }
    subject.phones.hang_up()?;
    let mut rows = figures(&format!("list of a client, {count} calls up"), lists, 3.0);
    rows.push(Row::note("one list", format!("{} entries, {size} bytes", paths.len())));
    rows.extend(figures(&format!("hold and offhold, {count} calls up"), pairs, 2.0));
    Ok(rows)
}

/// The middle and the slowest but one in a hundred of some times in nanoseconds; the goal is the
/// latter's, ms.
fn figures(name: &str, mut times: Vec<u64>, goal: f64) -> Vec<Row> {
    times.sort_unstable();
    let ms = |per_mille| usage::percentile(&times, per_mille) as f64 / 1e6;
    vec![
        Row::note(&format!("{name}, p50"), format!("{:.2} ms", ms(500))),
        Row::at_most(&format!("{name}, p99"), ms(990), goal, "ms"),
    ]
}

/// Where one side of a call is controlled.
fn path(call: &Value) -> Result<String> {
    let id = call["call_api_id"].as_str().context("a handle")?;
    let extension = call["extension_id"].as_u64().context("an extension")?;
    Ok(format!("/extension/{extension}/current_calls/{id}"))
}
