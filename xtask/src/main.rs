//! The project's chores, run as `cargo xtask NAME`.
//!
//! Knows: how the project is checked and measured. Never knows: how the product does anything;
//! but for the bench it builds with nothing of it, so that it works while the product does not
//! compile.

#[cfg(feature = "bench")]
mod bench;
#[cfg(feature = "check")]
mod check;
mod ci;
mod deps;
mod licences;
mod metadata;
mod tidy;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};

const HELP: &str = "\
cargo xtask NAME

  ci         everything that must hold before a change goes in
  tidy       house rules that no other tool knows
  licences   licences and origins of all dependencies against deny.toml
  bench      what a call, a packet, a phone costs, beside its goal; --quick, --only GROUP;
             --only soak and --only sipp-phones prove that it stays so; --minutes N
  fuzz       hostile input for longer than a test tries it; --seconds N, --target NAME, --seed S
  sim        people who do whatever they like in the simulator; --seeds N, --from S, --threads T
  check      the running switch against floods, guesses, rubbish: live-fuzz, flood, avalanche,
             brute-force, enumeration, slow-tcp, all; --datagrams N, --rate R, --seconds S, --probes N
  openapi    docs/openapi.json anew from the API's handlers
  deps       Debian packages that the phone tests want (installs them when root)
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let name = arguments.first().map_or("help", String::as_str);
    match run(name, arguments.get(1..).unwrap_or(&[])) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{name}: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(name: &str, words: &[String]) -> Result<()> {
    let root = root()?;
    match name {
        "ci" => ci::run(&root),
        "bench" => bench(&root, words),
        "check" => check(&root, words),
        "tidy" => tidy::run(&root),
        "licences" => licences::run(&root),
        "fuzz" => fuzz(&root, words),
        "sim" => sim(&root, words),
        "openapi" => openapi(&root),
        "deps" => deps::run(),
        "help" | "-h" | "--help" => {
            print!("{HELP}");
            Ok(())
        }
        _ => bail!("there is no such chore\n\n{HELP}"),
    }
}

/// Lets the test that compares the committed document write it instead.
fn openapi(root: &Path) -> Result<()> {
    let mut cargo = std::process::Command::new("cargo");
    cargo.current_dir(root).env("UPDATE_EXPECT", "1");
    cargo.args(["test", "--package", "api", "--test", "all", "the_document_is_as_committed"]);
    match cargo.status().context("cannot run cargo")?.success() {
        true => Ok(()),
        false => bail!("the document could not be made"),
    }
}

/// Measures with a release build of everything, this program included.
#[cfg(feature = "bench")]
fn bench(_: &Path, words: &[String]) -> Result<()> {
    bench::run(words)
}

#[cfg(not(feature = "bench"))]
fn bench(root: &Path, words: &[String]) -> Result<()> {
    again(root, "bench", "bench", words)
}

/// Checks the release build of the switch.
#[cfg(feature = "check")]
fn check(_: &Path, words: &[String]) -> Result<()> {
    check::run(words)
}

#[cfg(not(feature = "check"))]
fn check(root: &Path, words: &[String]) -> Result<()> {
    again(root, "check", "check", words)
}

/// Builds the switch and this program as they are measured, and runs that.
#[cfg(not(all(feature = "bench", feature = "check")))]
fn again(root: &Path, feature: &str, name: &str, words: &[String]) -> Result<()> {
    let cargo = |arguments: &[&str], words: &[String]| {
        let mut command = std::process::Command::new("cargo");
        let status = command.current_dir(root).args(arguments).args(words).status();
        match status.context("cannot run cargo")?.success() {
            true => Ok(()),
            false => bail!("cargo {} failed", arguments.join(" ")),
        }
    };
    cargo(&["build", "--release", "--package", "dialplane"], &[])?;
    let run =
        ["run", "--quiet", "--release", "--package", "xtask", "--features", feature, "--", name];
    cargo(&run, words)
}

/// Runs the fuzzing targets, optimised; what they are belongs to their crate.
fn fuzz(root: &Path, words: &[String]) -> Result<()> {
    let run = ["run", "--quiet", "--profile", "quick", "--package", "fuzzing", "--"];
    let mut command = std::process::Command::new("cargo");
    let status = command.current_dir(root).args(run).args(words).status();
    match status.context("cannot run cargo")?.success() {
        true => Ok(()),
        false => bail!("a promise was broken"),
    }
}

/// Runs the simulator's random driver, optimised.
fn sim(root: &Path, words: &[String]) -> Result<()> {
    let run = ["run", "--quiet", "--profile", "quick", "--package", "testkit", "--example", "sim"];
    let mut command = std::process::Command::new("cargo");
    let status = command.current_dir(root).args(run).arg("--").args(words).status();
    match status.context("cannot run cargo")?.success() {
        true => Ok(()),
        false => bail!("something did not hold"),
    }
}

/// The top of the checkout.
fn root() -> Result<PathBuf> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().map(Path::to_owned).context("the workspace has no folder above xtask")
}
