//! Table `control_groups`: who may do what to whose calls, as clients have written it.

use std::collections::BTreeMap;
use std::sync::Arc;

use leg::{Audit, AuditAction, AuditProgram, AuditSource};
use model::{ControlGroups, Rights, Snapshot, TenantId, Wall};

use crate::connection::{Connection, commit};
use crate::db::{self, corrupt, signed};
use crate::error::StoreError;
use crate::open::Store;
use crate::parts::client_of;
use crate::query::query;
use crate::{audit, clients};

db::statements! {
    SELECT = "SELECT document FROM control_groups WHERE client_id = $1";
    SELECT_CHANGED =
        "SELECT document FROM control_groups WHERE client_id = $1 AND revision > $2";
    /// For the node itself, which serves all clients.
    SELECT_ALL = "SELECT client_id, document FROM control_groups";
    SAVE = "INSERT INTO control_groups (client_id, document, revision) VALUES ($1, $2, $3) \
        ON CONFLICT (client_id) DO UPDATE SET document = excluded.document, \
        revision = excluded.revision";
}

/// What decides when a program does what its user may do.
const BY_TOKEN: &str = "token";

impl Store {
    /// Writes a client's control groups anew, together with the row of the audit that says so.
    /// The document must have passed [`ControlGroups::check`]. Whether there is such a client.
    pub async fn write_control_groups(
        &self,
        tenant: TenantId,
        groups: &ControlGroups,
        by: AuditProgram,
        time: Wall,
    ) -> Result<bool, StoreError> {
        let mut write = self.begin_write().await?;
        let Some(revision) = clients::next_revision(&mut write, tenant).await? else {
            return Ok(false);
        };
        let old = of_client(&mut write, tenant).await?.unwrap_or_else(ControlGroups::unwritten);
        let document = serde_json::to_string(groups).map_err(corrupt(COLUMN))?;
        query(SAVE)
            .bind(signed(tenant.0)?)
            .bind(document)
            .bind(revision)
            .execute(&mut write)
            .await
            .map_err(StoreError::doing("write a client's control groups"))?;
        let row = Audit {
            tenant,
            time,
            source: AuditSource::Api,
            actor: None,
            program: Some(by),
            action: AuditAction::ChangeGroups,
            target: None,
            call: None,
            allowed: true,
            clause: BY_TOKEN.into(),
            groups: Vec::new(),
            detail: Some(old.changes(groups).into()),
        };
        audit::add(&mut write, &[&row]).await?;
        commit(write).await?;
        Ok(true)
    }
}

const COLUMN: &str = "control_groups.document";

/// What a client has written. `None`: nothing.
pub(crate) async fn of_client(
    connection: &mut Connection,
    tenant: TenantId,
) -> Result<Option<ControlGroups>, StoreError> {
    let document: Option<String> = query(SELECT)
        .bind(signed(tenant.0)?)
        .fetch_value(connection)
        .await
        .map_err(StoreError::doing("read a client's control groups"))?;
    document.as_deref().map(read).transpose()
}

/// What all clients have written, for [`crate::operator`].
pub(crate) async fn all(
    connection: &mut Connection,
) -> Result<BTreeMap<TenantId, ControlGroups>, StoreError> {
    let doing = "read all clients' control groups";
    let rows = query(SELECT_ALL).rows(connection).await.map_err(StoreError::doing(doing))?;
    let one = |row| {
        let document: String =
            crate::query::Row::try_get(row, "document").map_err(StoreError::doing(doing))?;
        Ok((client_of(row)?, read(&document)?))
    };
    rows.iter().map(one).collect()
}

/// The rights of a client that has written this, or nothing.
pub(crate) fn compiled(document: Option<ControlGroups>, snapshot: &Snapshot) -> Arc<Rights> {
    let document = document.unwrap_or_else(ControlGroups::unwritten);
    let merge = snapshot.routing.settings.shown.pickup_merge;
    let find = |name: &str| snapshot.named_in_full(name).map(|extension| extension.id);
    Arc::new(Rights::compile(document, merge, find))
}

/// The rights after changes: those of `old`, unless the document, the setting or the names of the
/// extensions, all of them in `new`, are others now.
pub(crate) async fn follow(
    connection: &mut Connection,
    old: &Snapshot,
    new: &Snapshot,
) -> Result<Arc<Rights>, StoreError> {
    let document: Option<String> = query(SELECT_CHANGED)
        .bind(signed(old.tenant.id.0)?)
        .bind(signed(old.revision)?)
        .fetch_value(connection)
        .await
        .map_err(StoreError::doing("read a client's control groups"))?;
    let merge = new.routing.settings.shown.pickup_merge;
    match document {
        Some(document) => Ok(compiled(Some(read(&document)?), new)),
        None if old.control.merge() == merge && old.names == new.names => {
            Ok(Arc::clone(&old.control))
        }
        None => Ok(compiled(Some(old.control.document().clone()), new)),
    }
}

fn read(document: &str) -> Result<ControlGroups, StoreError> {
    let groups: ControlGroups = serde_json::from_str(document).map_err(corrupt(COLUMN))?;
    groups.check().map_err(corrupt(COLUMN))?;
    Ok(groups)
}
