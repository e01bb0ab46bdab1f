//! The whole node in figures, asked of everybody who counts.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use switch::{Ban, Input, Source};
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::certificate::Certificate;
use crate::convert::ConvertFigures;
use crate::flows::{FlowFigures, Flows};
use crate::inbox::Post;
use crate::journal::{JournalFigures, Shared};
use crate::letter::{Letter, Report};
use crate::limits;
use crate::loader::LoaderFigures;
use crate::mail::MailFigures;
use crate::mailbox::Mailbox;
use crate::media_thread::MediaFigures;

/// How far the node's life has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Takes calls.
    Serving,
    /// Takes no new calls.
    Draining,
}

/// Everybody who counts.
pub(crate) struct Overview {
    pub(crate) posts: Arc<[Post<Letter>]>,
    pub(crate) mailboxes: Vec<Arc<Mailbox>>,
    pub(crate) journals: Vec<Arc<Shared>>,
    pub(crate) flows: Arc<Flows>,
    pub(crate) certificate: Option<Arc<Certificate>>,
    pub(crate) loader: Arc<LoaderFigures>,
    /// Where there is a relay.
    pub(crate) mail: Option<Arc<MailFigures>>,
    pub(crate) convert: Arc<ConvertFigures>,
    phase: AtomicU8,
}

/// What they said.
pub(crate) struct Figures {
    /// By shard; `None`: it does not answer.
    pub(crate) shards: Vec<ShardFigures>,
    /// The connections.
    pub(crate) flows: FlowFigures,
}

/// One shard with all that belongs to it.
pub(crate) struct ShardFigures {
    pub(crate) report: Option<Report>,
    pub(crate) media: Option<MediaFigures>,
    pub(crate) journal: JournalFigures,
    pub(crate) queue: usize,
    pub(crate) queue_refused: u64,
    pub(crate) media_refused: u64,
}

/// What counts behind the calls.
pub(crate) struct Behind {
    pub(crate) loader: Arc<LoaderFigures>,
    /// Where there is a relay.
    pub(crate) mail: Option<Arc<MailFigures>>,
    pub(crate) convert: Arc<ConvertFigures>,
}

impl Overview {
    pub(crate) fn new(
        posts: Arc<[Post<Letter>]>,
        mailboxes: Vec<Arc<Mailbox>>,
        journals: Vec<Arc<Shared>>,
        flows: Arc<Flows>,
        certificate: Option<Arc<Certificate>>,
        behind: Behind,
    ) -> Overview {
        let Behind { loader, mail, convert } = behind;
        let phase = AtomicU8::new(0);
        Overview { posts, mailboxes, journals, flows, certificate, loader, mail, convert, phase }
    }

    pub(crate) fn phase(&self) -> Phase {
        match self.phase.load(Ordering::Relaxed) {
            0 => Phase::Serving,
            _ => Phase::Draining,
        }
    }

    pub(crate) fn begin_to_drain(&self) {
        self.phase.store(1, Ordering::Relaxed);
    }

    /// Who is banned: what any shard says of a source, the longest time counts.
    pub(crate) async fn bans(&self) -> Vec<Ban> {
        let asked: Vec<_> = self
            .posts
            .iter()
            .map(|post| {
                let (reply, bans) = oneshot::channel();
                // A full queue is an answer too: none in time.
                let _ = post.try_send(Letter::Bans(reply));
                bans
            })
            .collect();
        let deadline = tokio::time::Instant::now() + limits::REPORT_TIME;
        let mut all: BTreeMap<Source, Ban> = BTreeMap::new();
        for bans in asked {
            for ban in in_time(deadline, bans).await.unwrap_or_default() {
                let known = all.entry(ban.source).or_insert(ban);
                if ban.left > known.left {
                    *known = ban;
                }
            }
        }
        all.into_values().collect()
    }

    /// Lifts the ban of an address on every shard.
    pub(crate) async fn lift_ban(&self, address: IpAddr) {
        for post in self.posts.iter() {
            post.deliver(Letter::Input(Input::LiftBan(address))).await;
        }
    }

    /// Asks everybody at once.
    pub(crate) async fn ask(&self) -> Figures {
        let shards: Vec<_> = self
            .posts
            .iter()
            .map(|post| {
                let (reply, report) = oneshot::channel();
                // A full queue is an answer too: none in time.
                let _ = post.try_send(Letter::Report(reply));
                report
            })
            .collect();
        let media: Vec<_> = self.mailboxes.iter().map(|mailbox| mailbox.ask()).collect();
        let deadline = tokio::time::Instant::now() + limits::REPORT_TIME;
        let mut figures = Vec::with_capacity(shards.len());
        for (at, (report, media)) in shards.into_iter().zip(media).enumerate() {
            figures.push(ShardFigures {
                report: in_time(deadline, report).await,
                media: in_time(deadline, media).await,
                journal: self.journals.get(at).map(|j| j.figures()).unwrap_or_default(),
                queue: self.posts.get(at).map_or(0, Post::waiting),
                queue_refused: self.posts.get(at).map_or(0, Post::refused),
                media_refused: self.mailboxes.get(at).map_or(0, |m| m.refused()),
            });
        }
        Figures { shards: figures, flows: self.flows.figures() }
    }
}

impl Figures {
    /// A sum over the shards that answered.
    pub(crate) fn sum(&self, of: impl Fn(&Report) -> usize) -> usize {
        self.shards.iter().filter_map(|shard| shard.report.as_ref()).map(of).sum()
    }

    /// Whether every thread answers.
    pub(crate) fn all_answer(&self) -> bool {
        self.shards.iter().all(|shard| shard.report.is_some() && shard.media.is_some())
    }
}

async fn in_time<T>(deadline: tokio::time::Instant, answer: oneshot::Receiver<T>) -> Option<T> {
    let left = deadline.saturating_duration_since(tokio::time::Instant::now());
    timeout(left, answer).await.ok()?.ok()
}
