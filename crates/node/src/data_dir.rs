//! The data directory: made, private, and used by one process at a time.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use model::NodeAddress;
use store::FileStore;

use crate::error::StartError;

/// A data directory that this process alone uses, until this is dropped.
#[derive(Debug)]
pub(crate) struct DataDir {
    path: PathBuf,
    _lock: File,
}

impl DataDir {
    /// Makes the directory if it is not there (mode 0700) and claims it.
    pub(crate) fn claim(path: &Path) -> Result<DataDir, StartError> {
        let shown = path.display();
        let refused = |what: &str, error: io::Error| {
            StartError::setting("data_dir", format!("{what} {shown}: {error}"))
        };
        if !path.exists() {
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(path)
                .map_err(|error| refused("cannot make", error))?;
        }
        let lock = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path.join("lock"))
            .map_err(|error| refused("cannot write into", error))?;
        match lock.try_lock() {
            Ok(()) => Ok(DataDir { path: path.to_owned(), _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(StartError::setting(
                "data_dir",
                format!("{shown} is in use by another process of this program"),
            )),
            Err(TryLockError::Error(error)) => Err(refused("cannot lock", error)),
        }
    }

    /// The journals.
    pub(crate) fn journal(&self) -> PathBuf {
        self.path.join("journal")
    }

    /// Uploaded sounds, messages and recordings.
    pub(crate) fn files(&self) -> FileStore {
        FileStore::new(self.path.join("files"))
    }

    /// The name under which the database keeps the positions of this directory's journals. It is
    /// the directory's own and not the machine's address, which may change between two starts.
    pub(crate) fn journal_name(
        &self,
        chance: &mut model::Chance,
    ) -> Result<NodeAddress, StartError> {
        let failed = StartError::system("read or write the journal's name");
        self.read_or_make_name(chance).map_err(failed)
    }

    fn read_or_make_name(&self, chance: &mut model::Chance) -> io::Result<NodeAddress> {
        let path = self.journal().join("name");
        match File::open(&path) {
            Ok(mut file) => {
                let mut text = String::new();
                file.read_to_string(&mut text)?;
                text.trim().parse().map(NodeAddress).map_err(io::Error::other)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let name = u32::try_from(chance.bits() >> 32).unwrap_or(1);
                DirBuilder::new().recursive(true).mode(0o700).create(self.journal())?;
                write_private(&path, format!("{name}\n").as_bytes())?;
                Ok(NodeAddress(name))
            }
            Err(error) => Err(error),
        }
    }
}

/// Writes a file for the owner only, whole or not at all.
pub fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut beside = path.to_owned().into_os_string();
    beside.push(".new");
    let beside = PathBuf::from(beside);
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
    // A file that a killed process has left may have other rights.
    file.set_permissions(fs::Permissions::from_mode(0o600))?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&beside, path)
}

#[cfg(test)]
mod tests {
    use model::Chance;

    use super::*;

    #[test]
    fn a_directory_serves_one_process_at_a_time() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("data");
        let first = DataDir::claim(&path).unwrap();
        let error = DataDir::claim(&path).unwrap_err().to_string();
        assert!(error.starts_with("setting `data_dir`: ") && error.contains("in use"), "{error}");
        drop(first);
        DataDir::claim(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
    }

    #[test]
    fn the_journals_name_stays() {
        let temp = tempfile::tempdir().unwrap();
        let data = DataDir::claim(temp.path()).unwrap();
        let name = data.journal_name(&mut Chance::from_number(1)).unwrap();
        assert_eq!(data.journal_name(&mut Chance::from_number(2)).unwrap(), name);
    }

    #[test]
    fn a_directory_that_cannot_be_made_names_the_setting() {
        let temp = tempfile::tempdir().unwrap();
        let file = temp.path().join("file");
        fs::write(&file, "").unwrap();
        let error = DataDir::claim(&file.join("data")).unwrap_err().to_string();
        assert!(error.starts_with("setting `data_dir`: cannot make "), "{error}");
    }

    #[test]
    fn a_private_file_is_replaced_whole() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("demo.json");
        write_private(&path, b"a longer text").unwrap();
        write_private(&path, b"short").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"short");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(temp.path()).unwrap().count(), 1);
    }
}
