//! `cargo xtask licences`: every dependency has an allowed licence and comes from the registry.
//!
//! `deny.toml` is the list, so that cargo-deny, where somebody has it, checks the same.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail};

use crate::metadata::{self, Package, Scope};

const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// Checks all packages of this machine's build.
pub(crate) fn run(root: &Path) -> Result<()> {
    let text = fs::read_to_string(root.join("deny.toml")).context("cannot read deny.toml")?;
    let allowed = allow_list(&text).context("deny.toml has no list `allow = [...]`")?;
    let packages = metadata::packages(root, Scope::Resolved)?;
    let findings: Vec<String> =
        packages.iter().filter_map(|package| refusal(package, &allowed)).collect();
    for line in duplicates(&packages) {
        println!("note: {line}");
    }
    if findings.is_empty() {
        println!("{} packages, all allowed", packages.len());
        return Ok(());
    }
    bail!("{}", findings.join("\n"))
}

/// Why a package may not be used.
fn refusal(package: &Package, allowed: &[String]) -> Option<String> {
    let Package { name, version, licence, source, .. } = package;
    let Some(source) = source else { return None };
    if source != REGISTRY {
        return Some(format!("{name} {version}: comes from {source}; take a published release"));
    }
    match licence {
        None => Some(format!("{name} {version}: names no licence")),
        Some(licence) if permits(licence, allowed) => None,
        Some(licence) => Some(format!(
            "{name} {version}: {licence} is not allowed by deny.toml; take another crate"
        )),
    }
}

/// Crates that are built in more than one version; for people, nothing is refused for it.
fn duplicates(packages: &[Package]) -> Vec<String> {
    let mut versions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for package in packages {
        versions.entry(&package.name).or_default().push(&package.version);
    }
    versions.retain(|_, versions| versions.len() > 1);
    versions.iter().map(|(name, of)| format!("{name} is built as {}", of.join(", "))).collect()
}

/// The strings of `allow = [...]` under `[licenses]`.
fn allow_list(text: &str) -> Option<Vec<String>> {
    let section = text.split("[licenses]").nth(1)?;
    let list = section.split("allow = [").nth(1)?.split(']').next()?;
    Some(list.split('"').skip(1).step_by(2).map(str::to_owned).collect())
}

/// Whether an SPDX expression leaves a choice of allowed licences.
fn permits(expression: &str, allowed: &[String]) -> bool {
    // The old way of writing OR.
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut parser = Expression { words: &words, allowed };
    parser.any() && parser.words.is_empty()
}

/// `any := all (OR all)*`, `all := one (AND one)*`, `one := "(" any ")" | NAME [WITH NAME]`.
struct Expression<'a> {
    words: &'a [&'a str],
    allowed: &'a [String],
}

impl Expression<'_> {
    fn any(&mut self) -> bool {
        let mut permitted = self.all();
        while self.take("OR") {
            permitted |= self.all();
        }
        permitted
    }

    fn all(&mut self) -> bool {
        let mut permitted = self.one();
        while self.take("AND") {
            permitted &= self.one();
        }
        permitted
    }

    fn one(&mut self) -> bool {
        if self.take("(") {
            let permitted = self.any();
            return self.take(")") && permitted;
        }
        let Some((name, rest)) = self.words.split_first() else { return false };
        self.words = rest;
        let name = if self.take("WITH") {
            let Some((exception, rest)) = self.words.split_first() else { return false };
            self.words = rest;
            format!("{name} WITH {exception}")
        } else {
            (*name).to_owned()
        };
        self.allowed.contains(&name)
    }

    fn take(&mut self, word: &str) -> bool {
        let Some((first, rest)) = self.words.split_first() else { return false };
        let taken = *first == word;
        if taken {
            self.words = rest;
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expression_needs_one_allowed_choice() {
        let allowed = ["MIT".to_owned(), "Apache-2.0 WITH LLVM-exception".to_owned()];
        for (expression, verdict) in [
            ("MIT", true),
            ("MIT OR GPL-3.0-only", true),
            ("GPL-3.0-only/MIT", true),
            ("MIT AND GPL-3.0-only", false),
            ("(GPL-3.0-only OR MIT) AND MIT", true),
            ("GPL-3.0-only OR (MIT AND ISC)", false),
            ("Apache-2.0 WITH LLVM-exception", true),
            ("Apache-2.0", false),
            ("MIT OR", true),
            ("MIT MIT", false),
            ("(MIT", false),
            ("", false),
        ] {
            assert_eq!(permits(expression, &allowed), verdict, "{expression}");
        }
    }

    #[test]
    fn packages_from_elsewhere_are_refused() {
        let package = |source: Option<&str>, licence: Option<&str>| Package {
            name: "a".into(),
            version: "1.0.0".into(),
            licence: licence.map(str::to_owned),
            source: source.map(str::to_owned),
            dependencies: Vec::new(),
        };
        let allowed = ["MIT".to_owned()];
        assert_eq!(refusal(&package(None, None), &allowed), None);
        assert_eq!(refusal(&package(Some(REGISTRY), Some("MIT")), &allowed), None);
        assert!(refusal(&package(Some(REGISTRY), None), &allowed).is_some());
        assert!(refusal(&package(Some("git+https://host/a"), Some("MIT")), &allowed).is_some());
    }

    #[test]
    fn the_allow_list_is_read_from_its_section() {
        let text = "[bans]\nallow = [\"x\"]\n[licenses]\nallow = [\n  \"MIT\",\n  \"ISC\",\n]\n";
        assert_eq!(allow_list(text).unwrap(), ["MIT", "ISC"]);
    }
}
