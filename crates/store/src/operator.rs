//! What the node itself asks, across all tenants: at its start, and nowhere in answer to a tenant.

use std::collections::BTreeMap;
use std::sync::Arc;

use leg::{BindingChange, ReplacementChange, SavedCall, WrongPinCount};
use model::{Directory, NodeAddress, Snapshot, TenantId, Wall};

use crate::error::StoreError;
use crate::open::Store;
use crate::positions::{self, JournalId};
use crate::{
    bindings, clients, control_groups, directory, extensions, replacements, routing, saved_calls,
    wrong_pins,
};

/// What one tenant had running when its journal ended.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Live {
    /// Registrations that have not run out.
    pub bindings: Vec<BindingChange>,
    /// Calls that were up.
    pub calls: Vec<SavedCall>,
    /// Extensions that served each other.
    pub replaced: Vec<ReplacementChange>,
    /// Wrong PINs that count still.
    pub wrong_pins: Vec<WrongPinCount>,
}

impl Store {
    /// The configuration of all tenants, in a few queries whatever their number.
    pub async fn all_snapshots(&self) -> Result<Vec<Snapshot>, StoreError> {
        let mut read = self.begin_read().await?;
        let tenants = clients::all(&mut read).await?;
        let mut parts: BTreeMap<TenantId, Vec<_>> = BTreeMap::new();
        for (tenant, extension) in extensions::all(&mut read).await? {
            parts.entry(tenant).or_default().push(Arc::new(extension));
        }
        let mut routings = routing::all(&mut read).await?;
        let mut groups = control_groups::all(&mut read).await?;
        let snapshot = |(tenant, revisions): (Arc<model::Tenant>, clients::Revisions)| {
            let extensions = parts.remove(&tenant.id).unwrap_or_default();
            let routing = routings.remove(&tenant.id).unwrap_or_default();
            let mut snapshot = Snapshot::new(revisions.newest, tenant, extensions);
            snapshot.routing = Arc::new(routing);
            snapshot.control =
                control_groups::compiled(groups.remove(&snapshot.tenant.id), &snapshot);
            snapshot
        };
        Ok(tenants.into_iter().map(snapshot).collect())
    }

    /// Whose every SIP login is, for the digest realm `realm`. See [`directory`] for how it
    /// follows changes.
    pub async fn directory(&self, realm: &str) -> Result<Directory, StoreError> {
        let snapshots = self.all_snapshots().await?;
        Ok(directory::build(&snapshots, realm))
    }

    /// What every tenant had running. Complete once the journals are loaded to their ends.
    pub async fn live(&self, now: Wall) -> Result<BTreeMap<TenantId, Live>, StoreError> {
        let mut read = self.begin_read().await?;
        let mut live: BTreeMap<TenantId, Live> = BTreeMap::new();
        for change in bindings::live(&mut read, now).await? {
            live.entry(change.tenant).or_default().bindings.push(change);
        }
        for call in saved_calls::all(&mut read).await? {
            live.entry(call.tenant).or_default().calls.push(call);
        }
        for change in replacements::all(&mut read).await? {
            live.entry(change.tenant).or_default().replaced.push(change);
        }
        for count in wrong_pins::live(&mut read, now).await? {
            live.entry(count.tenant).or_default().wrong_pins.push(count);
        }
        Ok(live)
    }

    /// How far each journal of a node is in the tables.
    pub async fn positions(
        &self,
        node: NodeAddress,
    ) -> Result<BTreeMap<JournalId, u64>, StoreError> {
        let mut read = self.begin_read().await?;
        Ok(positions::of_node(&mut read, node).await?.into_iter().collect())
    }
}
