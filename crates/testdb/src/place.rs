//! Where the server's programs and files are.

use std::fs;
use std::path::{Path, PathBuf};

use crate::account::Account;

/// Where Debian has them; elsewhere they are on the path.
const DEBIAN: &str = "/usr/lib/postgresql";

/// The folder of a server, and that of its programs.
pub(crate) struct Place {
    programs: PathBuf,
    dir: PathBuf,
}

/// The folder with the programs of the newest version; `None`: not installed.
pub(crate) fn programs() -> Option<PathBuf> {
    let versions = fs::read_dir(DEBIAN).into_iter().flatten().flatten();
    let newest = versions
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse::<u32>().ok()?, entry.path())))
        .map(|(version, path)| (version, path.join("bin")))
        .filter(|(_, path)| path.join("postgres").is_file() && path.join("initdb").is_file())
        .max();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = || std::env::split_paths(&path).find(|dir| dir.join("initdb").is_file());
    newest.map(|(_, path)| path).or_else(on_path)
}

impl Place {
    /// A new folder that belongs to the account.
    pub(crate) fn new(programs: PathBuf, account: &Account) -> Place {
        // Kept: who runs in it removes it, since it outlives this process by a moment.
        let dir = tempfile::Builder::new().prefix("pg").tempdir().expect("a folder").keep();
        account.own(&dir);
        Place { programs, dir }
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(crate) fn program(&self, name: &str) -> PathBuf {
        self.programs.join(name)
    }

    /// The processes that the server has started.
    pub(crate) fn server_children(&self) -> Vec<u32> {
        // Its first line is the server's own number. Only its account may read the folder.
        let server = fs::read_to_string(self.dir.join("data/postmaster.pid")).unwrap_or_default();
        let Some(server) = server.lines().next() else { return Vec::new() };
        let children = fs::read_to_string(format!("/proc/{server}/task/{server}/children"));
        let children = children.unwrap_or_default();
        children.split_whitespace().filter_map(|pid| pid.parse().ok()).collect()
    }
}
