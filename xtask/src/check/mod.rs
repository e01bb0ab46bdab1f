//! `cargo xtask check NAME`: the running release binary against those who mean it no good.
//!
//! Each check is bounded in count and time, stays on the loopback network, and prints one line:
//! name, target, measured, pass or FAIL, seed, commit.

mod guesses;
mod load;
mod place;
mod slow;

use anyhow::{Context as _, Result, bail};

use place::{Findings, Wishes};

/// One check.
struct Check {
    name: &'static str,
    target: &'static str,
    run: fn(&Wishes) -> Result<Findings>,
}

const CHECKS: &[Check] = &[
    Check {
        name: "live-fuzz",
        target: "0 ends, 0 panics, all good calls, memory < 32 MB more",
        run: load::live_fuzz,
    },
    Check {
        name: "flood",
        target: "all good calls, setup p99 < 150 ms, audio lost < 0.1 %, <= 200 answers/s, \
                 memory < 32 MB more",
        run: load::flood,
    },
    Check {
        name: "avalanche",
        target: "10,000 known phones in 30 s, 1,000 new ones behind one NAT in 60 s",
        run: load::avalanche,
    },
    Check {
        name: "brute-force",
        target: "banned after 10 within 1 s, right password works, ends by itself, CPU < 10 %",
        run: guesses::brute_force,
    },
    Check {
        name: "enumeration",
        target: "equal answers, medians within 2 %, KS p > 0.01",
        run: guesses::enumeration,
    },
    Check {
        name: "slow-tcp",
        target: "all good calls, 100 unfinished per address, closed in 32 s, cut anywhere alike",
        run: slow::slow_tcp,
    },
];

/// Runs the check that was asked for, or all.
pub(crate) fn run(words: &[String]) -> Result<()> {
    let names = || CHECKS.iter().map(|check| check.name).collect::<Vec<_>>().join(", ");
    let (name, rest) = words.split_first().with_context(|| format!("name one of: {}", names()))?;
    let wishes = read(rest)?;
    let chosen: Vec<&Check> = CHECKS.iter().filter(|c| name == "all" || c.name == name).collect();
    if chosen.is_empty() {
        bail!("there is no such check; there are: {}", names());
    }
    let mut failed = Vec::new();
    for check in chosen {
        let findings = (check.run)(&wishes).with_context(|| check.name)?;
        println!("{}", findings.line(check.name, check.target, wishes.seed)?);
        if !findings.is_good() {
            failed.push(check.name);
        }
    }
    if failed.is_empty() { Ok(()) } else { bail!("missed: {}", failed.join(", ")) }
}

fn read(words: &[String]) -> Result<Wishes> {
    let mut wishes =
        Wishes { datagrams: 1_000_000, rate: None, seconds: 60, probes: 1_500, seed: 20_264_475 };
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let mut number = || -> Result<u64> {
            let text = words.next().with_context(|| format!("{word} wants a number"))?;
            text.parse().with_context(|| format!("{text} is no number"))
        };
        match word.as_str() {
            "--datagrams" => wishes.datagrams = number()?.min(10_000_000),
            "--rate" => wishes.rate = Some(number()?.clamp(1, 100_000)),
            "--seconds" => wishes.seconds = number()?.clamp(2, 600),
            "--probes" => wishes.probes = usize::try_from(number()?.clamp(100, 10_000))?,
            "--seed" => wishes.seed = number()?,
            other => bail!("unknown option {other}"),
        }
    }
    Ok(wishes)
}
