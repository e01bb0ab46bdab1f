//! What a call that is up occupies.

use anyhow::{Result, ensure};
use loadgen::CallPlan;

use super::place::Place;
use super::table::Row;

/// Calls up before the first look: they fill what the start has left free in the heap.
const WARM: usize = 1_000;

/// Memory of the switch with many calls up, less that with few.
pub(super) fn calls(place: &Place) -> Result<Vec<Row>> {
    let count = place.count(2_000);
    let mut subject = place.subject(8, 50, Vec::new())?;
    let start = subject.memory()?;
    subject.register()?;
    let up = |count| CallPlan { count, per_second: 200.0, hold: None };
    let report = subject.phones.call(&up(WARM))?;
    ensure!(report.failed.is_empty(), "calls failed: {:?}", report.failed);
    let before = subject.memory()?;
    let report = subject.phones.call(&up(count))?;
    ensure!(report.failed.is_empty(), "calls failed: {:?}", report.failed);
    let after = subject.memory()?;
    let each = after.saturating_sub(before) as f64 / count as f64 / 1e3;
    subject.phones.hang_up()?;
    let mb = |bytes: u64| bytes as f64 / 1e6;
    Ok(vec![
        Row::at_most("memory per active call", each, 25.0, "kB"),
        Row::note(
            "resident",
            format!(
                "{:.1} MB after the start, {:.1} MB with {WARM} calls, {:.1} MB with {}",
                mb(start),
                mb(before),
                mb(after),
                WARM + count,
            ),
        ),
    ])
}
