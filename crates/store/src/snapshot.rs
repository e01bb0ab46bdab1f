//! Snapshots: one tenant's whole configuration as a value, and how it follows a change.

use std::collections::BTreeSet;
use std::sync::Arc;

use model::{Snapshot, TenantId};

use crate::error::StoreError;
use crate::open::Store;
use crate::{clients, control_groups, extensions, routing};

impl Store {
    /// A tenant's configuration as it is stored. `None`: no such tenant.
    pub async fn snapshot(&self, tenant: TenantId) -> Result<Option<Snapshot>, StoreError> {
        let mut read = self.begin_read().await?;
        let Some((client, revisions)) = clients::tenant(&mut read, tenant).await? else {
            return Ok(None);
        };
        let extensions = extensions::of_client(&mut read, tenant).await?;
        let extensions = extensions.into_iter().map(Arc::new);
        let mut snapshot = Snapshot::new(revisions.newest, client, extensions);
        snapshot.routing = Arc::new(routing::of_client(&mut read, tenant).await?);
        let groups = control_groups::of_client(&mut read, tenant).await?;
        snapshot.control = control_groups::compiled(groups, &snapshot);
        Ok(Some(snapshot))
    }

    /// The configuration after changes: `old` with the parts read anew that changed since; all
    /// others are shared with it. `None`: the tenant is gone.
    ///
    /// With thousands of extensions this costs a small part of [`Store::snapshot`].
    pub async fn snapshot_after(&self, old: &Snapshot) -> Result<Option<Snapshot>, StoreError> {
        let tenant = old.tenant.id;
        let mut read = self.begin_read().await?;
        let Some((client, revisions)) = clients::tenant(&mut read, tenant).await? else {
            return Ok(None);
        };
        let mut parts = old.extensions.clone();
        for changed in extensions::changed_after(&mut read, tenant, old.revision).await? {
            parts.insert(changed.id, Arc::new(changed));
        }
        // `parts` has everything that exists, so it has as many only if nothing was deleted.
        if extensions::count(&mut read, tenant).await? != parts.len() {
            let left: BTreeSet<_> = extensions::ids(&mut read, tenant).await?.into_iter().collect();
            parts.retain(|id, _| left.contains(id));
        }
        let routing = routing::follow(&mut read, old, revisions.routing, &parts).await?;
        let mut snapshot = Snapshot::new(revisions.newest, client, parts.into_values());
        snapshot.routing = routing;
        snapshot.control = control_groups::follow(&mut read, old, &snapshot).await?;
        Ok(Some(snapshot))
    }
}
