//! `cargo xtask bench`: what a call, a packet, a phone costs, beside its goal.
//!
//! The switch runs as users run it, a release build on core 0; the generators on core 1. Ratios
//! hold on other machines, absolute figures move with them; so every figure about audio stands
//! beside a bare relay's in the same run.

mod audio;
mod in_process;
mod memory;
mod place;
mod signalling;
mod table;

use anyhow::{Context as _, Result, bail};

use place::Place;
use table::Row;

/// What the command line asks for.
#[derive(Debug, Clone, Default)]
struct Wishes {
    /// Shorter runs, rougher figures.
    quick: bool,
    /// One group of rows.
    only: Option<String>,
}

/// A group of rows that one run gives.
struct Group {
    name: &'static str,
    run: fn(&Place) -> Result<Vec<Row>>,
}

const GROUPS: &[Group] = &[
    Group { name: "parse", run: in_process::parse },
    Group { name: "allocations", run: in_process::allocations },
    Group { name: "journal", run: in_process::journal },
    Group { name: "registrations", run: signalling::registrations },
    Group { name: "calls", run: signalling::calls },
    Group { name: "calls-held", run: signalling::held },
    Group { name: "memory", run: memory::calls },
    Group { name: "audio", run: audio::relay },
    Group { name: "list", run: signalling::list },
];

/// Runs all groups, or the one that was asked for, and prints the table.
pub(crate) fn run(words: &[String]) -> Result<()> {
    if let [word, peers] = words
        && word == place::RELAY
    {
        return loadgen::relay::serve(peers);
    }
    let wishes = read(words)?;
    let groups: Vec<&Group> = GROUPS
        .iter()
        .filter(|group| wishes.only.as_ref().is_none_or(|only| only == group.name))
        .collect();
    if groups.is_empty() {
        let names: Vec<_> = GROUPS.iter().map(|group| group.name).collect();
        bail!("there is no such group of rows; there are: {}", names.join(", "));
    }
    let place = Place::new(wishes.quick)?;
    println!("{}", place.header());
    let mut failed = Vec::new();
    for group in groups {
        eprintln!("... {}", group.name);
        match (group.run)(&place) {
            Ok(rows) => rows.iter().for_each(|row| println!("{row}")),
            Err(error) => {
                println!("{:<34} could not be measured", group.name);
                failed.push(format!("{}: {error:#}", group.name));
            }
        }
    }
    if failed.is_empty() { Ok(()) } else { bail!("{}", failed.join("\n")) }
}

fn read(words: &[String]) -> Result<Wishes> {
    let mut wishes = Wishes::default();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--quick" => wishes.quick = true,
            "--only" => wishes.only = Some(words.next().context("--only wants a name")?.clone()),
            other => bail!("unknown option {other}"),
        }
    }
    Ok(wishes)
}
