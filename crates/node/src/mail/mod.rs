//! Messages go to their owners by mail, behind the calls.
//!
//! The table of messages is the queue: what is due lies there until a relay has taken it, over any
//! number of starts. One worker takes a few at a time. A relay that takes a mail and a database
//! that does not hear of it any more are the one way in which a mail comes twice; both then have
//! the same Message-ID, by which mailboxes know it.

mod relay;
mod text;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use api::Switchboard;
use model::{Extension, FileId, Snapshot, Wall};
use store::{Mail, StoredMessage};
use tokio::sync::watch;
use tokio::time::{Duration, sleep};
use tracing::{error, info, warn};

pub(crate) use relay::Relay;
pub use relay::{BadMailSettings, MailSettings};

use crate::error::with_causes;
use crate::limits;
use crate::loader::Tables;

/// The mail in figures.
#[derive(Debug, Default)]
pub(crate) struct MailFigures {
    /// Mails that the relay has taken.
    pub(crate) sent: AtomicU64,
    /// Attempts that failed and are made again.
    pub(crate) failures: AtomicU64,
    /// Mails that no further attempt is made for.
    pub(crate) given_up: AtomicU64,
}

/// Who brings messages to the relay.
pub(crate) struct Postman {
    /// Where messages and their files lie; rings when there are new ones.
    pub(crate) tables: Tables,
    /// Who wants what mailed.
    pub(crate) switchboard: Arc<dyn Switchboard>,
    /// Who takes mails.
    pub(crate) relay: Relay,
    /// Where the moment comes from.
    pub(crate) wall: fn() -> Wall,
    /// `true`: begin no further mail.
    pub(crate) stop: watch::Receiver<bool>,
    /// For metrics.
    pub(crate) figures: Arc<MailFigures>,
}

/// A mail as the relay gets it.
pub(crate) struct Outgoing {
    /// The addresses, as they are set.
    pub(crate) to: Vec<String>,
    /// Subject, in any letters.
    pub(crate) subject: String,
    /// Text, in any letters.
    pub(crate) text: String,
    /// The message itself, with its name.
    pub(crate) attachment: Option<(String, Vec<u8>)>,
    /// By which a mailbox knows a mail that comes twice.
    pub(crate) id: FileId,
    /// When it was written.
    pub(crate) date: Wall,
}

/// Why the relay has not taken a mail.
#[derive(Debug)]
pub(crate) enum Untaken {
    /// It is away, busy or refuses for now.
    Yet(String),
    /// It will never take it.
    Ever(String),
}

impl Postman {
    /// Runs until it is told to stop; a mail that is on its way is brought to its end.
    pub(crate) async fn run(mut self) {
        while !*self.stop.borrow_and_update() {
            let due =
                match self.tables.store.messages_to_mail(self.tables.node, (self.wall)()).await {
                    Ok(due) => due,
                    Err(error) => {
                        warn!(error = with_causes(&error), "messages to be mailed cannot be read");
                        Vec::new()
                    }
                };
            let found = !due.is_empty();
            for message in due {
                if *self.stop.borrow() {
                    return;
                }
                self.bring(&message).await;
            }
            if found {
                continue;
            }
            tokio::select! {
                () = self.tables.left.notified() => {}
                () = sleep(limits::MAIL_POLL) => {}
                _ = self.stop.changed() => {}
            }
        }
    }

    async fn bring(&mut self, stored: &StoredMessage) {
        let (file, tenant) = (stored.message.file, stored.message.tenant);
        let mail = match self.written(stored).await {
            Ok(Some(mail)) => self.sent(stored, mail).await,
            Ok(None) => Mail::Never,
            Err(error) => {
                error!(%file, %error, "the file of a message that is to be mailed cannot be read");
                self.after_failure(stored)
            }
        };
        let counter = match mail {
            Mail::Sent => Some(&self.figures.sent),
            Mail::Later { .. } => Some(&self.figures.failures),
            Mail::Never => None,
        };
        if let Some(counter) = counter {
            counter.fetch_add(1, Ordering::Relaxed);
        }
        // Until this is noted the mail would be sent again.
        while let Err(error) = self.tables.store.set_mail(tenant, file, mail).await {
            warn!(%file, error = with_causes(&error), "what became of a mail cannot be noted yet");
            if *self.stop.borrow() {
                break;
            }
            sleep(limits::READ_BACK_RETRY).await;
        }
    }

    /// The mail for a message; `None`: nobody wants it.
    async fn written(&self, stored: &StoredMessage) -> io::Result<Option<Outgoing>> {
        let message = &stored.message;
        let Some(snapshot) = self.switchboard.snapshot(message.tenant) else { return Ok(None) };
        let Some(owner) = snapshot.extension(message.extension) else { return Ok(None) };
        let Some((to, with_file)) = wanted(owner) else { return Ok(None) };
        if self.is_too_old(message.time) {
            warn!(file = %message.file, "a message was not mailed for days and is not any more");
            self.figures.given_up.fetch_add(1, Ordering::Relaxed);
            return Ok(None);
        }
        let Snapshot { tenant, routing, .. } = &*snapshot;
        let words = text::of(stored, owner, &tenant.timezone, routing.settings.language);
        let attachment = if with_file {
            match self.content(message.file).await {
                Ok(bytes) => Some((words.filename, bytes)),
                // It was deleted after it was read from the table, or the disk has lost it: that
                // somebody called is worth a mail all the same.
                Err(error) if error.kind() == io::ErrorKind::NotFound => None,
                Err(error) => return Err(error),
            }
        } else {
            None
        };
        let (subject, text) = (words.subject, words.text);
        let (id, date) = (message.file, message.time);
        Ok(Some(Outgoing { to, subject, text, attachment, id, date }))
    }

    async fn content(&self, file: FileId) -> io::Result<Vec<u8>> {
        let path = self.tables.files.path(file);
        let read = tokio::task::spawn_blocking(move || std::fs::read(path)).await;
        read.unwrap_or_else(|error| Err(io::Error::other(error)))
    }

    async fn sent(&self, stored: &StoredMessage, mail: Outgoing) -> Mail {
        let file = stored.message.file;
        match self.relay.send(&mail).await {
            Ok(()) => {
                info!(%file, tenant = stored.message.tenant.0, "a message was mailed");
                Mail::Sent
            }
            Err(Untaken::Yet(why)) => {
                warn!(%file, why, attempts = stored.mail_attempts + 1, "a mail was not taken yet");
                self.after_failure(stored)
            }
            Err(Untaken::Ever(why)) => {
                error!(%file, why, "a mail will never be taken");
                self.figures.given_up.fetch_add(1, Ordering::Relaxed);
                Mail::Never
            }
        }
    }

    /// Twice as long after each attempt.
    fn after_failure(&self, stored: &StoredMessage) -> Mail {
        let doublings = stored.mail_attempts.min(16);
        let pause = limits::MAIL_RETRY_MIN * 2u32.pow(doublings);
        let pause = pause.min(limits::MAIL_RETRY_MAX);
        Mail::Later {
            attempts: stored.mail_attempts.saturating_add(1),
            due: Wall((self.wall)().0.saturating_add(micros(pause))),
        }
    }

    fn is_too_old(&self, time: Wall) -> bool {
        (self.wall)().0.saturating_sub(time.0) > micros(limits::MAIL_LIFE)
    }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

/// Who gets an extension's messages, and whether with their sound.
fn wanted(owner: &Extension) -> Option<(Vec<String>, bool)> {
    let phone = owner.phone.as_ref()?;
    let to = phone.shown.vm_mailto.as_deref()?;
    let to: Vec<String> = to.split(',').map(str::to_owned).collect();
    Some((to, phone.shown.vm_attach_file))
}

#[cfg(test)]
mod tests;
