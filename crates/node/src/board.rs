//! The shards as the HTTP API sees them.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use api::{Answer, Switchboard, Unavailable};
use leg::{Command, Reply};
use model::{Directory, ExtensionId, Snapshot, TenantId};
use store::{MessageCounts, MessagesOf, Store, StoreError};
use switch::Input;
use tokio::sync::{Mutex, oneshot};
use tokio::time::{sleep, timeout};
use tracing::{error, warn};

use crate::inbox::Post;
use crate::letter::Letter;
use crate::limits;

/// Passes commands and configuration to the shards.
#[derive(Clone)]
pub(crate) struct Board(Arc<Shared>);

struct Shared {
    store: Store,
    realm: String,
    posts: Arc<[Post<Letter>]>,
    /// What the shards use.
    snapshots: RwLock<BTreeMap<TenantId, Arc<Snapshot>>>,
    /// Held while a change is passed on, so that changes reach every shard in one order.
    directory: Mutex<Arc<Directory>>,
    /// Held while messages are counted and told, so that the newest count is told last.
    counting: Mutex<()>,
}

impl Board {
    /// A board over these shards, which use `snapshots` and `directory` already.
    pub(crate) fn new(
        store: Store,
        realm: &str,
        posts: Arc<[Post<Letter>]>,
        snapshots: BTreeMap<TenantId, Arc<Snapshot>>,
        directory: Arc<Directory>,
    ) -> Board {
        Board(Arc::new(Shared {
            store,
            realm: realm.to_owned(),
            posts,
            snapshots: RwLock::new(snapshots),
            directory: Mutex::new(directory),
            counting: Mutex::new(()),
        }))
    }

    /// Tells the shards how many messages all extensions have.
    pub(crate) async fn tell_all_messages(self) {
        let tenants: Vec<TenantId> = {
            let snapshots = self.0.snapshots.read().unwrap_or_else(PoisonError::into_inner);
            snapshots.keys().copied().collect()
        };
        for tenant in tenants {
            self.tell_messages(tenant, MessagesOf::Client).await;
        }
    }

    /// Tells the owner of a tenant's calls how many messages its extensions have.
    async fn tell_messages(&self, tenant: TenantId, of: MessagesOf) {
        let _counting = self.0.counting.lock().await;
        let mut counts = match self.0.store.message_counts(tenant, of).await {
            Ok(counts) => counts,
            Err(error) => {
                // Lamps only: the next change shows them right again.
                warn!(tenant = tenant.0, %error, "messages cannot be counted");
                return;
            }
        };
        if let MessagesOf::Extension(extension) = of {
            counts.entry(extension).or_default();
        }
        for (extension, MessageCounts { new, old }) in counts {
            let known = match self.0.store.known_messages(tenant, extension).await {
                Ok(known) => known,
                Err(error) => {
                    warn!(tenant = tenant.0, %error, "messages cannot be read");
                    continue;
                }
            };
            let command = Command::NoteMessages { extension, new, old, messages: known };
            if self.command(tenant, command).await.is_err() {
                warn!(tenant = tenant.0, "a shard does not hear of messages");
            }
        }
    }
}

impl Switchboard for Board {
    fn command(
        &self,
        tenant: TenantId,
        command: Command,
    ) -> Answer<'_, Result<Reply, Unavailable>> {
        Box::pin(async move {
            let (reply, answer) = oneshot::channel();
            let post = self.0.post(tenant).ok_or(Unavailable)?;
            post.try_send(Letter::Command { tenant, command, reply }).map_err(|_| Unavailable)?;
            match timeout(limits::COMMAND_TIME, answer).await {
                Ok(Ok(reply)) => Ok(reply),
                Ok(Err(_)) | Err(_) => Err(Unavailable),
            }
        })
    }

    fn messages_changed(&self, tenant: TenantId, extension: ExtensionId) -> Answer<'_, ()> {
        let board = self.clone();
        // In a task of its own: who asked may stop waiting, and the lamps would stay as they are.
        let told = tokio::spawn(async move {
            board.tell_messages(tenant, MessagesOf::Extension(extension)).await;
        });
        Box::pin(async move {
            if told.await.is_err() {
                error!(tenant = tenant.0, "messages could not be counted");
            }
        })
    }

    fn snapshot(&self, tenant: TenantId) -> Option<Arc<Snapshot>> {
        self.0.snapshots.read().unwrap_or_else(PoisonError::into_inner).get(&tenant).cloned()
    }

    fn changed(&self, tenant: TenantId) -> Answer<'_, ()> {
        let shared = Arc::clone(&self.0);
        // In a task of its own: who asked may stop waiting, and half a change is none.
        let passed_on = tokio::spawn(async move { shared.follow(tenant).await });
        Box::pin(async move {
            if passed_on.await.is_err() {
                error!(tenant = tenant.0, "a change of configuration could not be passed on");
            }
        })
    }
}

impl Shared {
    fn post(&self, tenant: TenantId) -> Option<&Post<Letter>> {
        self.posts.get(switch::shard_of(tenant, self.posts.len()))
    }

    /// Brings the shards from what they use to what is stored.
    async fn follow(&self, tenant: TenantId) {
        let mut directory = self.directory.lock().await;
        let old = {
            let snapshots = self.snapshots.read().unwrap_or_else(PoisonError::into_inner);
            snapshots.get(&tenant).cloned()
        };
        let new = match self.read(tenant, old.as_deref()).await {
            Ok(new) => new.map(Arc::new),
            Err(error) => {
                error!(tenant = tenant.0, %error, "a stored change cannot be read back");
                return;
            }
        };
        if let (Some(old), Some(new)) = (&old, &new)
            && old.revision == new.revision
        {
            // An earlier change was read together with this one.
            return;
        }
        if concerns_directory(old.as_deref(), new.as_deref()) {
            let mut next = (**directory).clone();
            store::directory::follow(&mut next, old.as_deref(), new.as_deref(), &self.realm);
            *directory = Arc::new(next);
            for post in self.posts.iter() {
                post.deliver(Letter::Input(Input::Directory(Arc::clone(&directory)))).await;
            }
        }
        self.pass_on(tenant, new.clone()).await;
        let mut snapshots = self.snapshots.write().unwrap_or_else(PoisonError::into_inner);
        match new {
            Some(new) => snapshots.insert(tenant, new),
            None => snapshots.remove(&tenant),
        };
    }

    /// What is stored. It was committed, so it is there: a database that went away since only
    /// delays it, and nobody else could pass on more meanwhile.
    async fn read(
        &self,
        tenant: TenantId,
        old: Option<&Snapshot>,
    ) -> Result<Option<Snapshot>, StoreError> {
        loop {
            let read = match old {
                Some(old) => self.store.snapshot_after(old).await,
                None => self.store.snapshot(tenant).await,
            };
            let Err(error @ StoreError::Database { .. }) = read else { return read };
            warn!(tenant = tenant.0, %error, "a stored change cannot be read back yet");
            sleep(limits::READ_BACK_RETRY).await;
        }
    }

    async fn pass_on(&self, tenant: TenantId, new: Option<Arc<Snapshot>>) {
        let Some(post) = self.post(tenant) else { return };
        let Some(snapshot) = new else {
            return post.deliver(Letter::Input(Input::RemoveTenant(tenant))).await;
        };
        let (reply, used) = oneshot::channel();
        post.deliver(Letter::Snapshot { snapshot, reply }).await;
        if !matches!(timeout(limits::COMMAND_TIME, used).await, Ok(Ok(Reply::Done))) {
            warn!(tenant = tenant.0, "a shard is slow to use a new configuration");
        }
    }
}

/// Whether the node-wide directory has to follow. Parts that two states share have not changed.
fn concerns_directory(old: Option<&Snapshot>, new: Option<&Snapshot>) -> bool {
    let (Some(old), Some(new)) = (old, new) else { return true };
    let of_tenant = |s: &Snapshot| (s.tenant.domain.clone(), s.tenant.key, s.tenant.status);
    if of_tenant(old) != of_tenant(new) {
        return true;
    }
    let (trunks, others) = (&old.routing.trunks, &new.routing.trunks);
    let same = |(id, plan)| others.get(id).is_some_and(|other| Arc::ptr_eq(plan, other));
    if trunks.len() != others.len() || !trunks.iter().all(same) {
        return true;
    }
    if !old.routing.dids.keys().eq(new.routing.dids.keys()) {
        return true;
    }
    let changed = |a: &Snapshot, b: &Snapshot| {
        a.extensions.values().any(|extension| {
            let same = b.extension(extension.id).is_some_and(|e| Arc::ptr_eq(e, extension));
            !same && extension.phone.is_some()
        })
    };
    changed(old, new) || changed(new, old)
}

#[cfg(test)]
mod tests;
