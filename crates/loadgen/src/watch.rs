//! Waiting for something to appear in a folder, woken by the kernel instead of a clock.

use std::os::fd::AsFd as _;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};

/// How often is looked again without an event: what is waited for may also depend on something
/// outside the folder.
const LOOK_AGAIN_MS: u8 = 200;

/// Looks with `found` each time a file of `folder` has changed, until it finds something.
pub fn until<T>(
    folder: &Path,
    within: Duration,
    what: &str,
    mut found: impl FnMut() -> Result<Option<T>>,
) -> Result<T> {
    let watch = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC)?;
    let changes = AddWatchFlags::IN_MOVED_TO
        | AddWatchFlags::IN_CREATE
        | AddWatchFlags::IN_MODIFY
        | AddWatchFlags::IN_CLOSE_WRITE;
    watch.add_watch(folder, changes).with_context(|| format!("cannot watch {folder:?}"))?;
    let end = Instant::now() + within;
    loop {
        if let Some(found) = found()? {
            return Ok(found);
        }
        if Instant::now() > end {
            bail!("{what}: not within {within:?}");
        }
        let mut fds = [PollFd::new(watch.as_fd(), PollFlags::POLLIN)];
        poll(&mut fds, PollTimeout::from(LOOK_AGAIN_MS))?;
        match watch.read_events() {
            Ok(_) | Err(Errno::EAGAIN) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::thread;

    #[test]
    fn a_file_that_appears_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("there");
        let writer = thread::spawn({
            let path = path.clone();
            move || fs::write(path, "x").unwrap()
        });
        let bound = Duration::from_secs(30);
        let look = || Ok(fs::read_to_string(&path).ok().filter(|text| !text.is_empty()));
        assert_eq!(until(dir.path(), bound, "the file", look).unwrap(), "x");
        writer.join().unwrap();
    }

    #[test]
    fn what_does_not_come_is_an_error_with_its_name() {
        let dir = tempfile::tempdir().unwrap();
        let bound = Duration::from_millis(1);
        let error = until(dir.path(), bound, "the file", || Ok(None::<()>)).unwrap_err();
        assert!(error.to_string().starts_with("the file"));
    }
}
