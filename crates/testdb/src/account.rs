//! As whom the server runs: PostgreSQL refuses to run as root.

use std::os::unix::fs::{MetadataExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

/// Whom root may run it as, best first.
const NAMES: [&str; 2] = ["postgres", "nobody"];

/// As whom programs run; `None`: as who runs this.
pub(crate) struct Account(Option<Ids>);

struct Ids {
    user: u32,
    group: u32,
}

impl Account {
    /// Another account if this is root.
    pub(crate) fn unprivileged() -> Account {
        let own = std::fs::metadata("/proc/self").expect("there is /proc").uid();
        if own != 0 {
            return Account(None);
        }
        let accounts = std::fs::read_to_string("/etc/passwd").expect("accounts are readable");
        let ids = NAMES.iter().find_map(|name| ids(&accounts, name));
        Account(Some(ids.expect("there is an account that is not root's")))
    }

    /// A program that runs as this account, without what the environment says of other servers.
    pub(crate) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("PG") {
                command.env_remove(name);
            }
        }
        // Numbers and messages as this crate reads them.
        command.env("LC_ALL", "C");
        if let Some(ids) = &self.0 {
            command.uid(ids.user).gid(ids.group);
        }
        command
    }

    /// Gives a folder to it.
    pub(crate) fn own(&self, dir: &Path) {
        if let Some(ids) = &self.0 {
            chown(dir, Some(ids.user), Some(ids.group)).expect("root may give folders away");
        }
    }
}

fn ids(accounts: &str, name: &str) -> Option<Ids> {
    let line = accounts.lines().find(|line| line.split(':').next() == Some(name))?;
    let mut fields = line.split(':').skip(2);
    Some(Ids { user: fields.next()?.parse().ok()?, group: fields.next()?.parse().ok()? })
}
