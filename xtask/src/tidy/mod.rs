//! `cargo xtask tidy`: house rules that no other tool knows.
//!
//! Every finding names the file, the line, the rule and what to use instead.

mod directions;
mod rules;
mod source;
mod text;

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::metadata::{self, Scope};
use rules::Place;
use source::Source;

/// One breach of a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Finding {
    path: String,
    line: usize,
    rule: &'static str,
    instead: String,
}

impl Finding {
    fn new(path: &str, line: usize, rule: &'static str, instead: &str) -> Finding {
        Finding { path: path.to_owned(), line, rule, instead: instead.to_owned() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}; {}", self.path, self.line, self.rule, self.instead)
    }
}

/// Checks every file of the checkout.
pub(crate) fn run(root: &Path) -> Result<()> {
    let files = files(root)?;
    let mut findings = directions::check(&metadata::packages(root, Scope::Workspace)?);
    for path in &files {
        let bytes = fs::read(root.join(path)).with_context(|| format!("cannot read {path}"))?;
        // Files from outside that are no text are stored as they came.
        if let Ok(text) = String::from_utf8(bytes) {
            findings.extend(check(path, &text));
        }
    }
    if findings.is_empty() {
        println!("{} files, all tidy", files.len());
        return Ok(());
    }
    for finding in &findings {
        println!("{finding}");
    }
    bail!("{} findings", findings.len())
}

/// All rules that look at one file.
fn check(path: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.extend(text::length(path, text));
    findings.extend(text::machine(path, text));
    if path.ends_with(".rs") {
        let source = Source::read(text);
        findings.extend(text::columns(path, &source));
        findings.extend(rules::check(Place { path }, &source));
    }
    findings
}

/// Paths of all files that are tracked or about to be, from the top; without git, all but what
/// builds leave behind.
fn files(root: &Path) -> Result<Vec<String>> {
    let mut command = Command::new("git");
    command.current_dir(root).args(["ls-files", "-z", "--cached", "--others"]);
    command.arg("--exclude-standard");
    let listed = command.output().ok().filter(|output| output.status.success());
    let mut paths: Vec<String> = match listed {
        Some(output) => String::from_utf8_lossy(&output.stdout)
            .split_terminator('\0')
            .map(str::to_owned)
            .collect(),
        None => walk(root, root)?,
    };
    // Deleted but not yet committed.
    paths.retain(|path| root.join(path).is_file());
    paths.sort();
    paths.dedup();
    Ok(paths)
}

fn walk(root: &Path, folder: &Path) -> Result<Vec<String>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read {folder:?}"))? {
        let path: PathBuf = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if path.is_dir() {
            if name != "target" && name != ".git" {
                paths.extend(walk(root, &path)?);
            }
        } else if let Some(path) = path.strip_prefix(root).ok().and_then(Path::to_str) {
            paths.push(path.to_owned());
        }
    }
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_names_place_rule_and_remedy() {
        let found = check("crates/sip/src/a.rs", "\nuse std::time::Instant;\n");
        let lines: Vec<String> = found.iter().map(Finding::to_string).collect();
        let expected =
            "crates/sip/src/a.rs:2: a clock in a pure crate; take model::Now as an argument";
        assert_eq!(lines, [expected]);
    }

    #[test]
    fn without_git_the_files_are_found_by_walking() {
        let own = Path::new(env!("CARGO_MANIFEST_DIR"));
        let paths = walk(own, own).unwrap();
        assert!(paths.contains(&"src/tidy/mod.rs".to_owned()));
    }
}
