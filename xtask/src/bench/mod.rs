//! `cargo xtask bench`: what a call, a packet, a phone costs, beside its goal.
//!
//! The switch runs as users run it, a release build on core 0; the generators on core 1. Ratios
//! hold on other machines, absolute figures move with them; so every figure about audio stands
//! beside a bare relay's in the same run.

mod audio;
mod bare;
mod ceilings;
mod control;
mod in_process;
mod memory;
mod mixing;
mod place;
mod signalling;
mod sipp_phones;
mod sipp_text;
mod soak;
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
    /// How long the long groups take.
    minutes: Option<u64>,
}

/// A group of rows that one run gives.
struct Group {
    name: &'static str,
    run: fn(&Place) -> Result<Vec<Row>>,
    kind: Kind,
}

/// When a group runs, and what a missed goal means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Always; its goals are something to work towards.
    Figures,
    /// When it is asked for; a missed goal is a failure.
    Proof,
}

const GROUPS: &[Group] = &[
    Group { name: "parse", run: in_process::parse, kind: Kind::Figures },
    Group { name: "allocations", run: in_process::allocations, kind: Kind::Figures },
    Group { name: "journal", run: in_process::journal, kind: Kind::Figures },
    Group { name: "registrations", run: signalling::registrations, kind: Kind::Figures },
    Group { name: "calls", run: signalling::calls, kind: Kind::Figures },
    Group { name: "calls-held", run: signalling::held, kind: Kind::Figures },
    Group { name: "memory", run: memory::calls, kind: Kind::Figures },
    Group { name: "audio", run: audio::relay, kind: Kind::Figures },
    Group { name: "mixing", run: mixing::mixing, kind: Kind::Figures },
    Group { name: "list", run: signalling::list, kind: Kind::Figures },
    Group { name: "control", run: control::control, kind: Kind::Figures },
    Group { name: "ceilings", run: ceilings::generators, kind: Kind::Figures },
    Group { name: "soak", run: soak::soak, kind: Kind::Proof },
    Group { name: "sipp-phones", run: sipp_phones::phones, kind: Kind::Proof },
];

/// Runs all groups, or the one that was asked for, and prints the table.
pub(crate) fn run(words: &[String]) -> Result<()> {
    if let [word, peers] = words
        && word == place::RELAY
    {
        return loadgen::relay::serve(peers);
    }
    if let [word] = words
        && word == place::RESPONDER
    {
        return loadgen::responder::serve();
    }
    let wishes = read(words)?;
    let groups: Vec<&Group> = GROUPS
        .iter()
        .filter(|group| match &wishes.only {
            Some(only) => only == group.name,
            None => group.kind == Kind::Figures,
        })
        .collect();
    if groups.is_empty() {
        let names: Vec<_> = GROUPS.iter().map(|group| group.name).collect();
        bail!("there is no such group of rows; there are: {}", names.join(", "));
    }
    let place = Place::new(wishes.quick, wishes.minutes)?;
    println!("{}", place.header());
    let mut failed = Vec::new();
    for group in groups {
        eprintln!("... {}", group.name);
        match (group.run)(&place) {
            Ok(rows) => {
                rows.iter().for_each(|row| println!("{row}"));
                if group.kind == Kind::Proof && rows.iter().any(Row::is_missed) {
                    failed.push(format!("{}: not as it must be", group.name));
                }
            }
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
            "--minutes" => {
                let minutes = words.next().context("--minutes wants a number")?;
                wishes.minutes = Some(minutes.parse().context("--minutes wants a number")?);
            }
            "--only" => wishes.only = Some(words.next().context("--only wants a name")?.clone()),
            other => bail!("unknown option {other}"),
        }
    }
    Ok(wishes)
}
