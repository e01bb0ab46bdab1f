//! What the API needs of whoever runs the calls.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use leg::{Command, RegistrationView, Reply};
use model::{ExtensionId, Snapshot, TenantId};

/// A value that comes later.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The owner of a tenant's calls cannot take a command now: it is full, stopping or not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unavailable;

/// The owners of all tenants' calls, as the API sees them.
pub trait Switchboard: Send + Sync {
    /// Puts a command to the owner of the tenant's calls.
    fn command(&self, tenant: TenantId, command: Command)
    -> Answer<'_, Result<Reply, Unavailable>>;

    /// The configuration that the owner of the tenant's calls uses; `None`: nobody owns them yet.
    fn snapshot(&self, tenant: TenantId) -> Option<Arc<Snapshot>>;

    /// Called after a change of the tenant's configuration was committed: read it anew. Resolves
    /// when the owner uses it, so that the next call is handled by it. The API waits a second.
    fn changed(&self, tenant: TenantId) -> Answer<'_, ()>;

    /// Called after the messages of an extension have changed: who watches them is shown so.
    fn messages_changed(&self, tenant: TenantId, extension: ExtensionId) -> Answer<'_, ()>;

    /// The registered contacts of one extension, or of all.
    fn registrations(
        &self,
        tenant: TenantId,
        extension: Option<ExtensionId>,
    ) -> Answer<'_, Result<Vec<RegistrationView>, Unavailable>> {
        Box::pin(async move {
            match self.command(tenant, Command::ListRegistrations { extension }).await? {
                Reply::Registrations(views) => Ok(views),
                _ => Err(Unavailable),
            }
        })
    }
}
