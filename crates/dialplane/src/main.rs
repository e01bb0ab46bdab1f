//! The binary: command line, configuration, start, drain, stop.
//!
//! Knows: what an operator may say, and how to tell what went wrong in one sentence.
//! Never knows: anything that happens between start and stop; that is `node`.
//!
//! Read in this order: [`cli`], [`config`], [`run`], [`demo`].

mod cli;
mod config;
mod demo;
mod run;

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;

use crate::cli::{Action, Arguments};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// For how long freed memory is kept: records go to the database once a second, and with
/// mimalloc's own second their memory would go to the system and come back each time, which costs
/// the loader a page fault for every 4 kB.
const KEEP_FREED: Duration = Duration::from_secs(10);

fn main() -> ExitCode {
    ffi::keep_freed(KEEP_FREED);
    let arguments = Arguments::parse();
    let done = match arguments.action {
        Action::Serve(options) => run::serve(&options),
        Action::Demo(options) => demo::run(&options),
        Action::CheckConfig(options) => config::check(&options),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("dialplane: {failure}");
            ExitCode::from(failure.exit_code())
        }
    }
}
