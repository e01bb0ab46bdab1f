//! Where segments live: the seam at which tests let writes fail.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{FallocateFlags, fallocate};

/// A directory of segments.
pub(crate) trait Disk: Send + Sync {
    /// Makes a segment of `bytes` zeros that does not exist yet.
    fn create(&self, name: &str, bytes: u64) -> io::Result<Box<dyn Segment>>;
    /// Removes a segment.
    fn remove(&self, name: &str) -> io::Result<()>;
}

/// One file of a journal.
pub(crate) trait Segment: Send + Sync {
    /// Writes all of `bytes`.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;
    /// Reads exactly `bytes.len()` bytes.
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()>;
    /// Returns when everything that was written before is on the medium.
    fn sync(&self) -> io::Result<()>;
}

/// A directory of the file system.
pub(crate) struct Directory {
    path: PathBuf,
}

impl Directory {
    /// The directory at `path`; made with mode 0700 if it is not there.
    pub(crate) fn open(path: &Path) -> io::Result<Directory> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(path)?;
        Ok(Directory { path: path.to_owned() })
    }
}

impl Disk for Directory {
    fn create(&self, name: &str, bytes: u64) -> io::Result<Box<dyn Segment>> {
        let path = self.path.join(name);
        let file =
            OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path)?;
        // The name must survive a power cut too, or the synced bytes would be lost with it.
        let made = preallocate(&file, bytes).and_then(|()| File::open(&self.path)?.sync_all());
        match made {
            Ok(()) => Ok(Box::new(file)),
            Err(error) => {
                // Half a segment must not hold space that the next attempt needs.
                let _ = fs::remove_file(&path);
                Err(error)
            }
        }
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.path.join(name))
    }
}

fn preallocate(file: &File, bytes: u64) -> io::Result<()> {
    let length = i64::try_from(bytes).map_err(io::Error::other)?;
    match fallocate(file, FallocateFlags::empty(), 0, length) {
        // A file system that cannot preallocate lets the file grow instead.
        Ok(()) | Err(Errno::EOPNOTSUPP | Errno::ENOSYS) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

impl Segment for File {
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        FileExt::write_all_at(self, bytes, offset)
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        FileExt::read_exact_at(self, bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }
}

/// The name of a segment: shard and number, so that a directory listing is in order.
pub(crate) fn segment_name(shard: u32, number: u64) -> String {
    format!("shard-{shard:03}-{number:012}.log")
}

/// Shard and number of a segment's name.
pub(crate) fn read_segment_name(name: &str) -> Option<(u32, u64)> {
    let (shard, number) = name.strip_prefix("shard-")?.strip_suffix(".log")?.split_once('-')?;
    Some((shard.parse().ok()?, number.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn segments_and_their_directory_are_for_the_owner_only() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("journal");
        Directory::open(&path).unwrap().create("shard-000-000000000001.log", 4096).unwrap();
        let mode = |p: &Path| fs::metadata(p).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&path), 0o700);
        assert_eq!(mode(&path.join("shard-000-000000000001.log")), 0o600);
    }

    #[test]
    fn a_segments_name_reads_as_it_was_made() {
        assert_eq!(read_segment_name(&segment_name(3, 71)), Some((3, 71)));
        for name in ["x.log", "shard-1.log", "shard-1-2.log.damaged", "shard-a-2.log"] {
            assert_eq!(read_segment_name(name), None, "{name}");
        }
    }
}
