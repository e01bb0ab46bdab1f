//! What `cargo metadata` says, as far as the chores want it.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

/// One package of the workspace or of the registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Package {
    /// Its name.
    pub(crate) name: String,
    /// Its version.
    pub(crate) version: String,
    /// SPDX expression.
    pub(crate) licence: Option<String>,
    /// Where it comes from; `None`: this workspace.
    pub(crate) source: Option<String>,
    /// What it depends on.
    pub(crate) dependencies: Vec<Dependency>,
}

/// A dependency as a manifest names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Dependency {
    /// Name of the package.
    pub(crate) name: String,
    /// Only tests, examples and benches see it.
    pub(crate) dev: bool,
}

/// Which packages are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Those of the workspace; needs neither network nor lock file.
    Workspace,
    /// All that this machine's build resolves to.
    Resolved,
}

/// Asks cargo.
pub(crate) fn packages(root: &Path, scope: Scope) -> Result<Vec<Package>> {
    let mut command = Command::new("cargo");
    command.current_dir(root).args(["metadata", "--format-version", "1"]);
    match scope {
        Scope::Workspace => command.arg("--no-deps"),
        Scope::Resolved => command.args(["--filter-platform", &host()?]),
    };
    let output = command.output().context("cannot run cargo metadata")?;
    if !output.status.success() {
        bail!("cargo metadata: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    read(&serde_json::from_slice(&output.stdout)?)
}

fn host() -> Result<String> {
    let output = Command::new("rustc").arg("-vV").output().context("cannot run rustc")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).context("rustc -vV names no host")
}

fn read(metadata: &Value) -> Result<Vec<Package>> {
    let list = |value: &Value, key: &str| value.get(key).and_then(Value::as_array).cloned();
    let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
    // With a platform filter `packages` still lists every platform's; the resolved nodes do not.
    let nodes: Option<Vec<String>> = metadata
        .get("resolve")
        .and_then(|resolve| list(resolve, "nodes"))
        .map(|nodes| nodes.iter().filter_map(|node| text(node, "id")).collect());
    let packages = list(metadata, "packages").context("cargo metadata lists no packages")?;
    let wanted = |package: &Value| match (&nodes, text(package, "id")) {
        (Some(nodes), Some(id)) => nodes.contains(&id),
        _ => true,
    };
    packages
        .iter()
        .filter(|package| wanted(package))
        .map(|package| {
            let dependencies = list(package, "dependencies").unwrap_or_default();
            Ok(Package {
                name: text(package, "name").context("a package without a name")?,
                version: text(package, "version").context("a package without a version")?,
                licence: text(package, "license"),
                source: text(package, "source"),
                dependencies: dependencies
                    .iter()
                    .filter_map(|dependency| {
                        let dev = text(dependency, "kind").as_deref() == Some("dev");
                        Some(Dependency { name: text(dependency, "name")?, dev })
                    })
                    .collect(),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_of_other_platforms_are_left_out() {
        let metadata = serde_json::json!({
            "packages": [
                {"id": "a", "name": "a", "version": "1.0.0", "license": "MIT", "source": "r",
                 "dependencies": [{"name": "b", "kind": null}, {"name": "c", "kind": "dev"}]},
                {"id": "w", "name": "windows", "version": "1.0.0", "dependencies": []}
            ],
            "resolve": {"nodes": [{"id": "a"}]}
        });
        let packages = read(&metadata).unwrap();
        assert_eq!(packages.len(), 1);
        assert_eq!(packages[0].licence.as_deref(), Some("MIT"));
        let dev: Vec<_> = packages[0].dependencies.iter().map(|d| d.dev).collect();
        assert_eq!(dev, [false, true]);
    }
}
