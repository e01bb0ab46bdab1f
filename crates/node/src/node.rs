//! A running node, and how it stops.

use core::future::Future;
use core::time::Duration;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;

use store::Store;
use switch::Input;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use tracing::{error, info, warn};

use crate::data_dir::DataDir;
use crate::files::FileThreads;
use crate::journal::Syncer;
use crate::letter::Letter;
use crate::limits;
use crate::media_thread::MediaThread;
use crate::overview::{Figures, Overview};
use crate::ports::SipAddresses;
use crate::tls::Tls;

/// A running node.
pub struct Node {
    pub(crate) sip: SipAddresses,
    pub(crate) tls: Arc<Tls>,
    pub(crate) reread: watch::Sender<u64>,
    pub(crate) http: SocketAddr,
    pub(crate) drain_limit: Duration,
    pub(crate) overview: Arc<Overview>,
    pub(crate) threads: Threads,
    pub(crate) tasks: Tasks,
    pub(crate) store: Store,
    pub(crate) _data: DataDir,
}

/// Its threads.
#[derive(Default)]
pub(crate) struct Threads {
    pub(crate) shards: Vec<JoinHandle<()>>,
    pub(crate) media: Vec<MediaThread>,
    pub(crate) syncers: Vec<Syncer>,
    pub(crate) files: Option<FileThreads>,
}

/// Its tasks.
pub(crate) struct Tasks {
    pub(crate) loader: oneshot::Receiver<()>,
    pub(crate) mail: Option<tokio::task::JoinHandle<()>>,
    pub(crate) recordings: tokio::task::JoinHandle<()>,
    pub(crate) streams: JoinSet<()>,
    pub(crate) http: tokio::task::JoinHandle<()>,
    pub(crate) stop_loading: watch::Sender<bool>,
    pub(crate) stop_serving: watch::Sender<bool>,
}

impl Node {
    /// Where SIP is served.
    pub fn sip(&self) -> &SipAddresses {
        &self.sip
    }

    /// Reads the files of certificate and roots again. What stands goes on as it is; files that
    /// cannot be used change nothing.
    pub fn reread(&self) {
        self.tls.forget_roots();
        self.reread.send_modify(|times| *times += 1);
    }

    /// Where HTTP is served.
    pub fn http(&self) -> SocketAddr {
        self.http
    }

    /// Stops: new calls are refused at once, running ones may go on until the limit or until
    /// `hurry` resolves, then everything that was written down goes into the database.
    pub async fn stop(mut self, hurry: impl Future<Output = ()>) {
        self.overview.begin_to_drain();
        self.tell_all(|| Input::Drain).await;
        let calls = self.calls_at_the_end(hurry).await;
        if calls > 0 {
            warn!(calls, "calls are ended by the stop");
            self.tell_all(|| Input::EndAll).await;
            let deadline = Instant::now() + limits::FAREWELL_TIME;
            self.wait_until(deadline, |figures| figures.sum(|r| r.gauges.dialogs) == 0).await;
        }
        self.tasks.stop_serving.send_replace(true);
        for post in self.overview.posts.iter() {
            post.deliver(Letter::Stop).await;
        }
        let threads = self.threads;
        let joined = tokio::task::spawn_blocking(move || threads.join()).await;
        if joined.is_err() {
            error!("the threads could not be ended");
        }
        self.tasks.stop_loading.send_replace(true);
        if timeout(limits::LAST_LOAD_TIME, self.tasks.loader).await.is_err() {
            warn!("the database has not taken everything; the rest is applied at the next start");
        }
        let _ = timeout(limits::FAREWELL_TIME, self.tasks.http).await;
        let recordings = self.tasks.recordings.abort_handle();
        if timeout(limits::CONVERT_STOP_TIME, self.tasks.recordings).await.is_err() {
            recordings.abort();
        }
        if let Some(mail) = self.tasks.mail
            && timeout(limits::LAST_MAIL_TIME, mail).await.is_err()
        {
            warn!("a mail is under way; it is sent again at the next start");
        }
        self.tasks.streams.abort_all();
        self.store.close().await;
        info!("stopped");
    }

    /// How many calls are left when the limit has passed; 0 as soon as there is none.
    async fn calls_at_the_end(&self, hurry: impl Future<Output = ()>) -> usize {
        let calls = |figures: &Figures| figures.sum(|report| report.gauges.calls);
        let left = calls(&self.overview.ask().await);
        if left == 0 {
            return 0;
        }
        let limit_s = self.drain_limit.as_secs();
        info!(calls = left, limit_s, "stopping: running calls may end");
        let deadline = Instant::now() + self.drain_limit;
        tokio::select! {
            () = self.wait_until(deadline, |figures| calls(figures) == 0) => {}
            () = hurry => {}
        }
        calls(&self.overview.ask().await)
    }

    async fn wait_until(&self, deadline: Instant, done: impl Fn(&Figures) -> bool) {
        while Instant::now() < deadline && !done(&self.overview.ask().await) {
            sleep(limits::DRAIN_POLL).await;
        }
    }

    async fn tell_all(&self, input: impl Fn() -> Input) {
        for post in self.overview.posts.iter() {
            post.deliver(Letter::Input(input())).await;
        }
    }
}

impl Threads {
    /// Waits for the shards, which were told to stop, then ends what served them.
    fn join(self) {
        for shard in self.shards {
            if shard.join().is_err() {
                error!("a shard's thread has panicked");
            }
        }
        for media in self.media {
            media.stop();
        }
        // The media threads were the last to order something.
        if let Some(files) = self.files {
            files.join();
        }
        for syncer in self.syncers {
            syncer.stop();
        }
    }
}
