//! `cargo xtask ci`: everything that must hold before a change goes in.
//!
//! All steps that compile use one profile and one set of features, so that each crate is checked
//! once and built once.

use std::env;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use crate::{deps, licences, tidy};

/// One step: what it is called and what does it.
struct Step {
    name: &'static str,
    how: How,
}

enum How {
    /// A part of this program, repeated by `cargo xtask NAME`.
    Own(fn(&Path) -> Result<()>),
    /// Another program.
    Program { words: &'static [&'static str], env: &'static [(&'static str, &'static str)] },
}

/// What nobody builds every day must still compile.
const BENCH: &str = "xtask/bench";
const DENY_WARNINGS: (&str, &str) = ("RUSTDOCFLAGS", "-D warnings");
/// That the tests which need programs from Debian are not left out.
const REQUIRE_ALL: [(&str, &str); 2] =
    [("DIALPLANE_REQUIRE_PHONES", "1"), ("DIALPLANE_REQUIRE_POSTGRES", "1")];

/// The steps, cheapest first.
fn steps(programs: bool, cargo_deny: bool) -> Vec<Step> {
    let program = |name, words, env| Step { name, how: How::Program { words, env } };
    let mut steps = vec![
        program("fmt", &["cargo", "fmt", "--all", "--check"], &[]),
        Step { name: "tidy", how: How::Own(tidy::run) },
        Step { name: "licences", how: How::Own(licences::run) },
    ];
    if cargo_deny {
        steps.push(program("deny", &["cargo", "deny", "--workspace", "check"], &[]));
    }
    let clippy: &[&str] = &[
        "cargo",
        "clippy",
        "--workspace",
        "--all-targets",
        "--features",
        BENCH,
        "--",
        "-D",
        "warnings",
    ];
    steps.push(program("clippy", clippy, &[]));
    let env: &[_] = if programs { &REQUIRE_ALL } else { &[] };
    steps.push(program("test", &["cargo", "test", "--workspace", "--features", BENCH], env));
    let doc: &[&str] = &["cargo", "doc", "--workspace", "--no-deps", "--features", BENCH];
    steps.push(program("doc", doc, &[DENY_WARNINGS]));
    steps
}

/// Runs the steps in order, stops at the first that fails.
pub(crate) fn run(root: &Path) -> Result<()> {
    let mut times = Vec::new();
    for step in steps(deps::complete(), is_on_path("cargo-deny")) {
        println!("\n=== {}", step.name);
        let begin = Instant::now();
        let result = step.run(root);
        let took = begin.elapsed();
        times.push((step.name, took));
        println!("=== {} {} in {}", step.name, outcome(&result), seconds(took));
        result.with_context(|| format!("repeat with: {}", step.repeat()))?;
    }
    println!();
    for (name, took) in &times {
        println!("{name:10} {:>8}", seconds(*took));
    }
    println!("{:10} {:>8}", "all", seconds(times.iter().map(|(_, took)| *took).sum()));
    Ok(())
}

impl Step {
    fn run(&self, root: &Path) -> Result<()> {
        match self.how {
            How::Own(own) => own(root),
            How::Program { words, env } => {
                let (program, arguments) = words.split_first().context("an empty command")?;
                let mut command = Command::new(program);
                command.current_dir(root).args(arguments).envs(env.iter().copied());
                let status = command.status().with_context(|| format!("cannot run {program}"))?;
                if !status.success() {
                    bail!("{} failed", self.name);
                }
                Ok(())
            }
        }
    }

    /// What to type to see it again.
    fn repeat(&self) -> String {
        match self.how {
            How::Own(_) => format!("cargo xtask {}", self.name),
            How::Program { words, env } => {
                let env = env.iter().map(|(name, value)| format!("{name}={}", quoted(value)));
                env.chain(words.iter().map(|word| quoted(word))).collect::<Vec<_>>().join(" ")
            }
        }
    }
}

fn quoted(word: &str) -> String {
    if word.contains(' ') { format!("'{word}'") } else { word.to_owned() }
}

fn outcome(result: &Result<()>) -> &'static str {
    match result {
        Ok(()) => "passed",
        Err(_) => "FAILED",
    }
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

fn is_on_path(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|dir| dir.join(program).is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(name: &str) -> Step {
        steps(true, true).into_iter().find(|step| step.name == name).unwrap()
    }

    #[test]
    fn every_step_says_how_to_repeat_it() {
        assert_eq!(step("tidy").repeat(), "cargo xtask tidy");
        let doc =
            "RUSTDOCFLAGS='-D warnings' cargo doc --workspace --no-deps --features xtask/bench";
        assert_eq!(step("doc").repeat(), doc);
        let test = "DIALPLANE_REQUIRE_PHONES=1 DIALPLANE_REQUIRE_POSTGRES=1 \
            cargo test --workspace --features xtask/bench";
        assert_eq!(step("test").repeat(), test);
    }

    #[test]
    fn a_failing_program_fails_its_step() {
        let how = How::Program { words: &["false"], env: &[] };
        assert!(Step { name: "never", how }.run(Path::new(".")).is_err());
    }

    #[test]
    fn programs_are_required_only_where_they_are_there() {
        let without = steps(false, false).into_iter().find(|step| step.name == "test").unwrap();
        assert_eq!(without.repeat(), "cargo test --workspace --features xtask/bench");
    }
}
