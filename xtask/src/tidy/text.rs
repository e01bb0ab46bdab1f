//! What no file may hold: lines and files that are too long, paths of one machine, registries of
//! one machine.

use super::Finding;
use super::source::Source;

const LINES_MAX: usize = 800;
const COLUMNS_MAX: usize = 100;

/// Says why a file may be long.
const LONG_FILE: &str = "// long file because ";

/// Folders that exist on somebody's machine only. Put together here so that this file has none.
const MACHINE_PATHS: [&str; 3] =
    [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/ho", "me/")];

/// Endings of source files, whose length counts.
const SOURCES: [&str; 6] = [".rs", ".js", ".css", ".html", ".sql", ".sh"];

/// A file with more than [`LINES_MAX`] lines and no reason.
pub(super) fn length(path: &str, text: &str) -> Option<Finding> {
    let is_source = SOURCES.iter().any(|ending| path.ends_with(ending));
    let is_long = text.lines().count() > LINES_MAX;
    let has_reason = text.lines().any(|line| line.trim_start().starts_with(LONG_FILE));
    (is_source && is_long && !has_reason).then(|| {
        let instead = "split it by knowledge, or add `// long file because ...`";
        Finding::new(path, LINES_MAX + 1, "a file over 800 lines", instead)
    })
}

/// Lines of Rust that rustfmt could not wrap; golden text inside a literal is let be.
pub(super) fn columns(path: &str, source: &Source) -> Vec<Finding> {
    let lines = source.lines.iter().enumerate();
    lines
        .filter(|(_, line)| !line.in_literal && line.raw.chars().count() > COLUMNS_MAX)
        .map(|(index, _)| {
            let instead = "break the literal or the comment by hand";
            Finding::new(path, index + 1, "a line over 100 columns", instead)
        })
        .collect()
}

/// Paths and registries that only one machine has.
pub(super) fn machine(path: &str, text: &str) -> Vec<Finding> {
    let lines = text.lines().enumerate();
    lines.filter_map(|(index, line)| machine_line(path, index + 1, line)).collect()
}

fn machine_line(path: &str, number: usize, line: &str) -> Option<Finding> {
    if MACHINE_PATHS.iter().any(|folder| stands_alone(line, folder)) {
        let instead = "a path from the checkout, or one that the user gives";
        return Some(Finding::new(path, number, "a path of one machine", instead));
    }
    if names_registry(path, line) {
        let instead = "the registry that cargo knows by itself";
        return Some(Finding::new(path, number, "a registry of one machine", instead));
    }
    None
}

/// The folder begins a path: not the middle of `framework/`, `../home/` or a URL's path.
fn stands_alone(line: &str, folder: &str) -> bool {
    line.match_indices(folder).any(|(at, _)| {
        let before = line.get(..at).and_then(|text| text.chars().next_back());
        !before.is_some_and(|c| c.is_alphanumeric() || "._-}~/*".contains(c))
    })
}

/// Another registry than the public one, where cargo reads it.
fn names_registry(path: &str, line: &str) -> bool {
    const PUBLIC: &str = "registry+https://github.com/rust-lang/crates.io-index";
    let is_cargo = path.ends_with(".toml") || path.ends_with("Cargo.lock");
    let foreign = line.contains("registry+") && !line.contains(PUBLIC);
    let replaced = line.contains("replace-with") || line.contains("sparse+");
    is_cargo && (foreign || replaced)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_file_needs_a_reason() {
        let long = "x\n".repeat(LINES_MAX + 1);
        assert!(length("a.rs", &long).is_some());
        assert!(length("a.rs", &format!("{LONG_FILE}the table is one\n{long}")).is_none());
        assert!(length("a.rs", &"x\n".repeat(LINES_MAX)).is_none());
        assert!(length("Cargo.lock", &long).is_none());
    }

    #[test]
    fn a_long_line_is_found_unless_it_is_golden_text() {
        let wide = "x".repeat(COLUMNS_MAX + 1);
        assert_eq!(columns("a.rs", &Source::read(&format!("// {wide}"))).len(), 1);
        let golden = format!("let a = \"\n{wide}\n\";");
        assert_eq!(columns("a.rs", &Source::read(&golden)), []);
        let umlauts = "ä".repeat(COLUMNS_MAX);
        assert_eq!(columns("a.rs", &Source::read(&umlauts)), []);
    }

    #[test]
    fn paths_of_one_machine_are_found() {
        for folder in MACHINE_PATHS {
            assert_eq!(machine("a.md", &format!("see {folder}x")).len(), 1);
            assert_eq!(machine("a.md", &format!("\"{folder}x\"")).len(), 1);
            assert_eq!(machine("a.md", &format!("see https://host.example{folder}x")), []);
        }
        assert_eq!(machine("a.md", "crates/framework/src"), []);
    }

    #[test]
    fn registries_of_one_machine_are_found() {
        assert_eq!(machine("a/Cargo.toml", "replace-with = \"near\"").len(), 1);
        assert_eq!(machine("Cargo.lock", "source = \"registry+https://near/\"").len(), 1);
        let public = "source = \"registry+https://github.com/rust-lang/crates.io-index\"";
        assert_eq!(machine("Cargo.lock", public), []);
    }
}
