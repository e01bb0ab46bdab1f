//! Which crate may depend on which: knowledge flows one way.

use crate::metadata::Package;

use super::Finding;

/// Each crate with those directly below it; what is below those may be used as well.
const BELOW: &[(&str, &[&str])] = &[
    ("model", &["ffi"]),
    ("leg", &["model"]),
    ("sip", &["leg"]),
    ("stack", &["sip", "leg"]),
    ("media", &["leg"]),
    ("route", &["model"]),
    ("exchange", &["route", "leg", "model"]),
    ("switch", &["exchange", "stack"]),
    ("ffi", &[]),
    ("sound", &[]),
    ("store", &["leg"]),
    ("outbox", &["leg"]),
    ("api", &["model", "leg", "route", "store", "outbox", "sound"]),
    ("node", &["switch", "media", "api", "outbox", "store", "ffi"]),
    ("dialplane", &["node"]),
    ("testkit", &["switch", "media"]),
    ("loadgen", &[]),
    ("fuzzing", &["switch", "media", "sound"]),
    ("testdb", &[]),
    ("xtask", &["loadgen", "testkit", "node"]),
];

/// Only these may see the exchange: what they know of calls is what it tells them.
const EXCHANGE_USERS: [&str; 2] = ["switch", "testkit"];

/// Crates that only tests and chores use.
const TOOLS: [&str; 5] = ["testkit", "loadgen", "fuzzing", "testdb", "xtask"];

/// Dependencies between workspace crates that point the wrong way. Tests may use anything.
pub(super) fn check(packages: &[Package]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in packages {
        let path = manifest(&package.name);
        if !BELOW.iter().any(|(name, _)| *name == package.name) {
            let instead = "give it a place in xtask/src/tidy/directions.rs and ARCHITECTURE.md";
            findings.push(Finding::new(&path, 1, "a crate without a place", instead));
            continue;
        }
        for dependency in package.dependencies.iter().filter(|dependency| !dependency.dev) {
            let ours = packages.iter().any(|other| other.name == dependency.name);
            if ours && !may_use(&package.name, &dependency.name) {
                let instead = format!("{} must not know {}", package.name, dependency.name);
                findings.push(Finding::new(&path, 1, "a dependency that points up", &instead));
            }
        }
    }
    findings
}

fn manifest(name: &str) -> String {
    if name == "xtask" {
        "xtask/Cargo.toml".to_owned()
    } else {
        format!("crates/{name}/Cargo.toml")
    }
}

fn may_use(user: &str, used: &str) -> bool {
    if used == "exchange" && !EXCHANGE_USERS.contains(&user) {
        return false;
    }
    if TOOLS.contains(&used) && !TOOLS.contains(&user) {
        return false;
    }
    is_below(user, used)
}

fn is_below(user: &str, used: &str) -> bool {
    let below = BELOW.iter().find(|(name, _)| *name == user).map_or(&[][..], |(_, below)| below);
    below.iter().any(|name| *name == used || is_below(name, used))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::Dependency;

    fn package(name: &str, dependencies: &[&str], dev: bool) -> Package {
        let dependency = |name: &&str| Dependency { name: (*name).to_owned(), dev };
        Package {
            name: name.to_owned(),
            version: "0.1.0".to_owned(),
            licence: None,
            source: None,
            dependencies: dependencies.iter().map(dependency).collect(),
        }
    }

    fn verdict(user: &str, used: &str, dev: bool) -> usize {
        check(&[package(user, &[used], dev), package(used, &[], dev)]).len()
    }

    #[test]
    fn dependencies_point_down_only() {
        for (user, used, findings) in [
            ("leg", "model", 0),
            ("model", "leg", 1),
            ("stack", "model", 0),
            ("exchange", "sip", 1),
            ("route", "leg", 1),
            ("switch", "exchange", 0),
            ("node", "exchange", 1),
            ("api", "switch", 1),
            ("dialplane", "model", 0),
            ("node", "testkit", 1),
            ("xtask", "loadgen", 0),
        ] {
            assert_eq!(verdict(user, used, false), findings, "{user} > {used}");
        }
    }

    #[test]
    fn tests_may_use_anything() {
        assert_eq!(verdict("model", "testkit", true), 0);
    }

    #[test]
    fn a_new_crate_needs_a_place() {
        assert_eq!(check(&[package("utils", &[], false)]).len(), 1);
    }
}
