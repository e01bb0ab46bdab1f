//! Sound files: uploaded sounds, messages, recordings, each under its id in one folder tree.
//!
//! A file is written under another name, made to last, and only then renamed: nothing half ever
//! lies under a final name, whatever happens to the process or the machine. It is never changed
//! after that; new content is a new file.
//!
//! The calls here wait for the disk: whoever serves a network gives them to a thread that may.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use model::{FileFormat, FileId};

/// What a file of ours ends with while it is written.
const PART: &str = "part";

/// The files of a node: `ab/ab12....wav` below one folder. Cheap to clone.
#[derive(Clone, Debug)]
pub struct FileStore {
    dir: PathBuf,
}

/// A file by what it is; one id may be there in two formats while it is converted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FileName {
    /// Its id.
    pub id: FileId,
    /// What it is.
    pub format: FileFormat,
}

/// As every file begins, and most remain.
impl From<FileId> for FileName {
    fn from(id: FileId) -> FileName {
        FileName { id, format: FileFormat::Wav }
    }
}

impl From<(FileId, FileFormat)> for FileName {
    fn from((id, format): (FileId, FileFormat)) -> FileName {
        FileName { id, format }
    }
}

/// A file that is there, as [`FileStore::list`] finds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Its id.
    pub id: FileId,
    /// Whether it was written to its end.
    pub whole: Whole,
    /// When it was written last.
    pub changed: SystemTime,
}

/// Whether a file was written to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whole {
    /// It has its final name.
    Yes(FileFormat),
    /// It has its temporary name: somebody writes it, or died writing it.
    No,
}

impl FileStore {
    /// The files below `dir`, which is made with the first of them.
    pub fn new(dir: impl Into<PathBuf>) -> FileStore {
        FileStore { dir: dir.into() }
    }

    /// Where a file lies once it is whole.
    pub fn path(&self, name: impl Into<FileName>) -> PathBuf {
        let FileName { id, format } = name.into();
        self.folder(id).join(format!("{id}.{}", format.as_str()))
    }

    /// Where it lies while it is written, whatever it is: beside it, so that renaming it is one
    /// step.
    pub fn temporary_path(&self, id: FileId) -> PathBuf {
        self.folder(id).join(format!("{id}.{PART}"))
    }

    /// Begins a file under its temporary name, for this user only. What a dead process has left
    /// under that name goes.
    pub fn create(&self, id: FileId) -> io::Result<File> {
        self.make_folder(id)?;
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(self.temporary_path(id))?;
        // A file that was there may have other rights.
        file.set_permissions(fs::Permissions::from_mode(0o600))?;
        Ok(file)
    }

    /// Ends a file that was begun with [`FileStore::create`]: once this returns, it is there, and
    /// still there after a loss of power.
    pub fn finish(&self, name: impl Into<FileName>, file: &File) -> io::Result<()> {
        let name = name.into();
        file.sync_all()?;
        fs::rename(self.temporary_path(name.id), self.path(name))?;
        sync_folder(&self.folder(name.id))
    }

    /// Writes a whole file.
    pub fn write(&self, id: FileId, bytes: &[u8]) -> io::Result<()> {
        let mut file = self.create(id)?;
        let written = file.write_all(bytes).and_then(|()| self.finish(id, &file));
        if written.is_err() {
            self.discard(id)?;
        }
        written
    }

    /// Gives up a file that was begun.
    pub fn discard(&self, id: FileId) -> io::Result<()> {
        gone(fs::remove_file(self.temporary_path(id))).map(|_| ())
    }

    /// Opens a whole file to read it.
    pub fn open(&self, name: impl Into<FileName>) -> io::Result<File> {
        File::open(self.path(name))
    }

    /// How many bytes a whole file has.
    pub fn size(&self, name: impl Into<FileName>) -> io::Result<u64> {
        Ok(fs::metadata(self.path(name))?.len())
    }

    /// Removes a whole file. Whether there was one. Who has it open reads it to its end.
    pub fn remove(&self, name: impl Into<FileName>) -> io::Result<bool> {
        gone(fs::remove_file(self.path(name)))
    }

    /// All files that were changed at least `age` ago, those that are being written included.
    /// What has no name of ours is nobody's business here.
    pub fn list(&self, now: SystemTime, age: Duration) -> io::Result<Vec<Stored>> {
        let mut found = Vec::new();
        let Some(folders) = entries(&self.dir)? else { return Ok(found) };
        for folder in folders {
            let folder = folder?.path();
            let Ok(Some(files)) = entries(&folder) else { continue };
            for file in files {
                let path = file?.path();
                let Some((id, whole)) = named(&path) else { continue };
                let at_its_place = match whole {
                    Whole::Yes(format) => path == self.path((id, format)),
                    Whole::No => path == self.temporary_path(id),
                };
                // It may have gone meanwhile.
                let Ok(changed) = fs::metadata(&path).and_then(|m| m.modified()) else { continue };
                let is_old = now.duration_since(changed).is_ok_and(|passed| passed >= age);
                if at_its_place && is_old {
                    found.push(Stored { id, whole, changed });
                }
            }
        }
        Ok(found)
    }

    fn folder(&self, id: FileId) -> PathBuf {
        let mut name = id.to_string();
        name.truncate(2);
        self.dir.join(name)
    }

    fn make_folder(&self, id: FileId) -> io::Result<()> {
        let folder = self.folder(id);
        if folder.is_dir() {
            return Ok(());
        }
        DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
        sync_folder(&self.dir)?;
        self.dir.parent().map_or(Ok(()), sync_folder)
    }
}

/// The id that a path is named after.
fn named(path: &Path) -> Option<(FileId, Whole)> {
    let whole = match path.extension()?.to_str()? {
        PART => Whole::No,
        format => Whole::Yes(FileFormat::parse(format)?),
    };
    Some((FileId::parse(path.file_stem()?.to_str()?)?, whole))
}

fn entries(folder: &Path) -> io::Result<Option<fs::ReadDir>> {
    match fs::read_dir(folder) {
        Ok(entries) => Ok(Some(entries)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// A name lasts when its folder was written.
fn sync_folder(folder: &Path) -> io::Result<()> {
    // A relative path of one part has the empty path above it.
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    File::open(folder)?.sync_all()
}

/// Whether there was something to remove.
fn gone(removed: io::Result<()>) -> io::Result<bool> {
    match removed {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    const ID: FileId = FileId(0xab12_0000_0000_0000_0000_0000_0000_0001);

    fn files() -> (FileStore, tempfile::TempDir) {
        let dir = tempfile::tempdir().unwrap();
        (FileStore::new(dir.path().join("files")), dir)
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_file_lies_in_the_folder_of_its_first_two_digits_for_the_owner_only() {
        let (files, dir) = files();
        files.write(ID, b"sound").unwrap();
        let path = dir.path().join("files/ab/ab120000000000000000000000000001.wav");
        assert_eq!(files.path(ID), path);
        assert_eq!(fs::read(&path).unwrap(), b"sound");
        assert_eq!(files.size(ID).unwrap(), 5);
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn nothing_is_under_the_final_name_until_the_file_is_whole() {
        let (files, _dir) = files();
        let mut file = files.create(ID).unwrap();
        file.write_all(b"half").unwrap();
        assert_eq!(files.open(ID).unwrap_err().kind(), io::ErrorKind::NotFound);
        files.finish(ID, &file).unwrap();
        let mut text = String::new();
        files.open(ID).unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "half");
        assert!(!files.temporary_path(ID).exists());
    }

    #[test]
    fn what_a_dead_writer_left_does_not_get_into_the_next_file() {
        let (files, _dir) = files();
        files.create(ID).unwrap().write_all(b"a longer text").unwrap();
        files.write(ID, b"short").unwrap();
        assert_eq!(files.size(ID).unwrap(), 5);
        files.create(ID).unwrap();
        files.discard(ID).unwrap();
        files.discard(ID).unwrap();
        assert_eq!(files.size(ID).unwrap(), 5);
    }

    #[test]
    fn a_file_in_two_formats_is_two_files() {
        let (files, _dir) = files();
        files.write(ID, b"sound").unwrap();
        let opus = FileName { id: ID, format: FileFormat::Opus };
        files.create(ID).unwrap().write_all(b"small").unwrap();
        files.finish(opus, &File::open(files.temporary_path(ID)).unwrap()).unwrap();
        assert_eq!(files.path(opus).extension().unwrap(), "opus");
        let read = |name: FileName| fs::read(files.path(name)).ok();
        assert_eq!((read(ID.into()), read(opus)), (Some(b"sound".into()), Some(b"small".into())));
        assert!(files.remove(ID).unwrap());
        assert_eq!((read(ID.into()), read(opus)), (None, Some(b"small".into())));
    }

    #[test]
    fn removing_says_whether_there_was_a_file() {
        let (files, _dir) = files();
        files.write(ID, b"").unwrap();
        let mut open = files.open(ID).unwrap();
        assert!(files.remove(ID).unwrap());
        assert!(!files.remove(ID).unwrap());
        assert_eq!(open.read(&mut [0; 8]).unwrap(), 0);
    }

    #[test]
    fn the_list_has_files_of_ours_that_are_old_enough() {
        let (files, dir) = files();
        let now = SystemTime::now();
        assert_eq!(files.list(now, Duration::ZERO).unwrap(), []);
        files.write(ID, b"").unwrap();
        files.create(FileId(7)).unwrap();
        let opus = files.create(ID).unwrap();
        files.finish((ID, FileFormat::Opus), &opus).unwrap();
        let folder = dir.path().join("files/ab");
        for foreign in ["x.wav", "ab12.wav", "00000000000000000000000000000007.wav", "a.txt"] {
            fs::write(folder.join(foreign), "").unwrap();
        }
        let later = now + Duration::from_secs(100);
        let mut found: Vec<_> = files
            .list(later, Duration::from_secs(50))
            .unwrap()
            .into_iter()
            .map(|stored| (stored.id, stored.whole))
            .collect();
        found.sort_by_key(|(id, whole)| (*id, matches!(whole, Whole::Yes(FileFormat::Opus))));
        let wav = Whole::Yes(FileFormat::Wav);
        assert_eq!(found, [(FileId(7), Whole::No), (ID, wav), (ID, Whole::Yes(FileFormat::Opus))]);
        assert_eq!(files.list(later, Duration::from_secs(200)).unwrap(), []);
    }
}
