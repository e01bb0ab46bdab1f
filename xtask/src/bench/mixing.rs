//! What decoded audio costs: the example `plane_bench` of `media`, a row for each of its lines.

use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::place::Place;
use super::table::Row;

/// Legs, and seconds of their audio.
const LEGS: &str = "600";
/// A line begins with its name, so wide.
const NAME: usize = 44;

/// Relayed, transcoded, mixed and monitored legs, without sockets.
pub(super) fn mixing(place: &Place) -> Result<Vec<Row>> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let seconds = place.count(20).to_string();
    let out = Command::new(cargo)
        .args(["run", "--release", "--quiet", "-p", "media", "--example", "plane_bench", "--"])
        .args([LEGS, &seconds])
        .output()
        .context("cargo cannot be started")?;
    ensure!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let text = String::from_utf8(out.stdout).context("the example writes text")?;
    let row = |line: &str| {
        let (name, figures) = line.split_at_checked(NAME)?;
        Some(Row::note(name.trim(), figures.trim().to_owned()))
    };
    Ok(text.lines().skip(1).filter_map(row).collect())
}
