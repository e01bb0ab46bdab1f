//! Programs from Debian that tests want: real phones, a database server.

use std::env;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::Result;

/// A program and the Debian package that brings it.
struct Tool {
    program: &'static str,
    package: &'static str,
}

const TOOLS: &[Tool] = &[
    Tool { program: "sipp", package: "sip-tester" },
    Tool { program: "baresip", package: "baresip-core" },
    Tool { program: "initdb", package: "postgresql" },
];

/// Where Debian has the programs of the server, a folder for each version, none on the path.
const POSTGRESQL: &str = "/usr/lib/postgresql";

/// Installs what is missing when that is possible, else says how to get it. Never fails: the
/// tests that want the programs say themselves what they leave out.
pub(crate) fn run() -> Result<()> {
    let packages = missing(&path());
    if packages.is_empty() {
        return Ok(());
    }
    let command = format!("apt-get install -y {}", packages.join(" "));
    if is_root() && Path::new("/usr/bin/apt-get").exists() {
        println!("installing {}", packages.join(" "));
        if apt(&["update", "-q"]) && apt(&install(&packages)) {
            return Ok(());
        }
    }
    println!("the tests that want them are left out: as root, {command}");
    Ok(())
}

/// Whether all programs are there.
pub(crate) fn complete() -> bool {
    missing(&path()).is_empty()
}

/// Every folder where a program may be.
fn path() -> String {
    let mut path = env::var("PATH").unwrap_or_default();
    for version in fs::read_dir(POSTGRESQL).into_iter().flatten().flatten() {
        path.push(':');
        path.push_str(&version.path().join("bin").to_string_lossy());
    }
    path
}

fn install<'a>(packages: &[&'a str]) -> Vec<&'a str> {
    let mut arguments = vec!["install", "-y", "-q", "--no-install-recommends"];
    arguments.extend(packages);
    arguments
}

fn missing(path: &str) -> Vec<&'static str> {
    let is_there = |program: &str| env::split_paths(path).any(|dir| dir.join(program).is_file());
    TOOLS.iter().filter(|tool| !is_there(tool.program)).map(|tool| tool.package).collect()
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output();
    id.is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

fn apt(arguments: &[&str]) -> bool {
    let mut command = Command::new("apt-get");
    command.args(arguments).env("DEBIAN_FRONTEND", "noninteractive").stdin(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn with_an_empty_path_every_package_is_missing() {
        assert_eq!(missing(""), ["sip-tester", "baresip-core", "postgresql"]);
    }
}
