//! A bounded queue into a thread that sleeps in `epoll`.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use nix::sys::eventfd::{EfdFlags, EventFd};

/// Makes a queue for at most `capacity` letters.
pub(crate) fn inbox<T>(capacity: usize) -> io::Result<(Post<T>, Inbox<T>)> {
    let (sender, receiver) = bounded(capacity);
    let bell = Arc::new(Bell::new()?);
    let post = Post { sender, bell: Arc::clone(&bell), refused: Arc::default() };
    Ok((post, Inbox { receiver, bell }))
}

/// Wakes a thread from `epoll`; ringing twice before it has woken costs nothing more.
pub(crate) struct Bell {
    event: EventFd,
    rung: AtomicBool,
}

impl Bell {
    pub(crate) fn new() -> io::Result<Bell> {
        let flags = EfdFlags::EFD_NONBLOCK | EfdFlags::EFD_CLOEXEC;
        Ok(Bell { event: EventFd::from_flags(flags)?, rung: AtomicBool::new(false) })
    }

    /// Wakes the thread.
    pub(crate) fn ring(&self) {
        if !self.rung.swap(true, Ordering::AcqRel) {
            // It can only fail when 2^64 - 2 rings wait, and then it is readable already.
            let _ = self.event.write(1);
        }
    }

    /// The bell was heard. The thread looks at its queues after this, so no ring is lost: a ring
    /// between the two lines comes after its letter, and a late one is heard once for nothing.
    pub(crate) fn hush(&self) {
        let _ = self.event.read();
        self.rung.store(false, Ordering::Release);
    }
}

impl AsFd for Bell {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.event.as_fd()
    }
}

/// The sending end; cheap to clone.
pub(crate) struct Post<T> {
    sender: Sender<T>,
    bell: Arc<Bell>,
    refused: Arc<AtomicU64>,
}

impl<T> Clone for Post<T> {
    fn clone(&self) -> Post<T> {
        let (sender, bell) = (self.sender.clone(), Arc::clone(&self.bell));
        Post { sender, bell, refused: Arc::clone(&self.refused) }
    }
}

impl<T> Post<T> {
    /// Puts a letter in, or gives it back and counts when the queue is full or its thread is gone.
    pub(crate) fn try_send(&self, letter: T) -> Result<(), T> {
        match self.sender.try_send(letter) {
            Ok(()) => {
                self.bell.ring();
                Ok(())
            }
            Err(TrySendError::Full(letter) | TrySendError::Disconnected(letter)) => {
                self.refused.fetch_add(1, Ordering::Relaxed);
                Err(letter)
            }
        }
    }

    /// Letters that found the queue full.
    pub(crate) fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Letters that wait.
    pub(crate) fn waiting(&self) -> usize {
        self.sender.len()
    }
}

impl<T: Send> Post<T> {
    /// Puts a letter in that must not be lost; waits while the queue is full.
    pub(crate) async fn deliver(&self, mut letter: T) {
        let mut pause = core::time::Duration::from_millis(1);
        loop {
            match self.sender.try_send(letter) {
                Ok(()) => return self.bell.ring(),
                // The thread is gone: nobody is left to whom it could matter.
                Err(TrySendError::Disconnected(_)) => return,
                Err(TrySendError::Full(back)) => letter = back,
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(core::time::Duration::from_millis(50));
        }
    }
}

/// The receiving end.
pub(crate) struct Inbox<T> {
    receiver: Receiver<T>,
    bell: Arc<Bell>,
}

impl<T> Inbox<T> {
    /// What to wait on.
    pub(crate) fn bell(&self) -> &Bell {
        &self.bell
    }

    /// The next letter.
    pub(crate) fn next(&self) -> Option<T> {
        self.receiver.try_recv().ok()
    }

    /// Whether nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.receiver.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

    use super::*;

    fn rings(bell: &Bell) -> bool {
        poll(&mut [PollFd::new(bell.as_fd(), PollFlags::POLLIN)], PollTimeout::ZERO).unwrap() == 1
    }

    #[test]
    fn a_full_queue_gives_the_letter_back_and_counts() {
        let (post, inbox) = inbox(2).unwrap();
        assert_eq!(post.try_send(1), Ok(()));
        assert_eq!(post.try_send(2), Ok(()));
        assert_eq!(post.try_send(3), Err(3));
        assert_eq!((post.refused(), post.waiting()), (1, 2));
        assert_eq!([inbox.next(), inbox.next(), inbox.next()], [Some(1), Some(2), None]);
    }

    #[test]
    fn the_bell_is_silent_after_hush_and_rings_for_the_next_letter() {
        let (post, inbox) = inbox(8).unwrap();
        assert!(!rings(inbox.bell()));
        post.try_send(1).unwrap();
        post.try_send(2).unwrap();
        assert!(rings(inbox.bell()));
        inbox.bell().hush();
        assert!(!rings(inbox.bell()), "one hush is enough for both");
        assert!(!inbox.is_empty());
        post.try_send(3).unwrap();
        assert!(rings(inbox.bell()));
    }

    #[tokio::test]
    async fn what_must_not_be_lost_waits_for_room() {
        let (post, inbox) = inbox(1).unwrap();
        post.deliver(1).await;
        let second = tokio::spawn({
            let post = post.clone();
            async move { post.deliver(2).await }
        });
        tokio::task::yield_now().await;
        assert_eq!(inbox.next(), Some(1));
        second.await.unwrap();
        assert_eq!(inbox.next(), Some(2));
        assert_eq!(post.refused(), 0);
    }
}
