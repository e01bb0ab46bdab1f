//! The project's chores, run as `cargo xtask NAME`.
//!
//! Knows: how the project is checked and measured. Never knows: how the product does anything;
//! it builds with nothing of it, so that it works while the product does not compile.

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
  deps       Debian packages that the phone tests want (installs them when root)
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let name = arguments.first().map_or("help", String::as_str);
    match run(name) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{name}: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(name: &str) -> Result<()> {
    let root = root()?;
    match name {
        "ci" => ci::run(&root),
        "tidy" => tidy::run(&root),
        "licences" => licences::run(&root),
        "deps" => deps::run(),
        "help" | "-h" | "--help" => {
            print!("{HELP}");
            Ok(())
        }
        _ => bail!("there is no such chore\n\n{HELP}"),
    }
}

/// The top of the checkout.
fn root() -> Result<PathBuf> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().map(Path::to_owned).context("the workspace has no folder above xtask")
}
