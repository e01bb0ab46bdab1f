//! Table `dial_rules`: lists of rewritings for dialled numbers.

use std::sync::Arc;

use model::{DialRulesId, Rewriting, TenantId};

use crate::clients;
use crate::connection::{Connection, commit};
use crate::db::{self, signed, unsigned};
use crate::error::StoreError;
use crate::open::Store;
use crate::parts::{Part, first_number, list_of, list_text};
use crate::query::{Row, query};

macro_rules! select {
    ($tail:literal) => {
        concat!("SELECT id, client_id, rules FROM dial_rules ", $tail)
    };
}

db::statements! {
    SELECT = select!("WHERE client_id = $1 AND id = $2");
    SELECT_OF_CLIENT = select!("WHERE client_id = $1");
    SELECT_CHANGED = select!("WHERE client_id = $1 AND revision > $2");
    /// For the node itself, which serves all clients.
    SELECT_ALL = select!("ORDER BY client_id");
    SELECT_IDS = "SELECT id FROM dial_rules WHERE client_id = $1";
    COUNT = "SELECT count(*) FROM dial_rules WHERE client_id = $1";
    INSERT =
        "INSERT INTO dial_rules (client_id, rules, revision) VALUES ($1, $2, $3) RETURNING id";
    UPDATE = "UPDATE dial_rules SET rules = $3, revision = $4 WHERE client_id = $1 AND id = $2";
    DELETE = "DELETE FROM dial_rules WHERE client_id = $1 AND id = $2";
    USED_BY_EXTENSION = "SELECT name FROM extensions WHERE client_id = $1 AND dial_rule_id = $2 \
        ORDER BY name LIMIT 1";
    USED_BY_CLIENT =
        "SELECT client_id FROM client_settings WHERE client_id = $1 AND dial_rule_id = $2";
}

pub(crate) const PART: Part<DialRulesId, Arc<[Rewriting]>> = Part {
    name: "read lists of rewritings",
    of_client: SELECT_OF_CLIENT,
    changed: SELECT_CHANGED,
    keys: SELECT_IDS,
    all: SELECT_ALL,
    key: |row| Ok(DialRulesId(first_number(row)?)),
    read: from_row,
};

impl Store {
    /// Adds a list. `None`: no such client.
    pub async fn create_dial_rules(
        &self,
        tenant: TenantId,
        list: &[Rewriting],
    ) -> Result<Option<DialRulesId>, StoreError> {
        let mut write = self.begin_write().await?;
        let Some(revision) = clients::next_routing_revision(&mut write, tenant).await? else {
            return Ok(None);
        };
        let max = model::limits::DIAL_RULE_LISTS_MAX;
        db::room(&mut write, COUNT, tenant, "lists of dial rules", max).await?;
        let id: i64 = query(INSERT)
            .bind(signed(tenant.0)?)
            .bind(list_text(list, "dial_rules.rules")?)
            .bind(revision)
            .fetch_one(&mut write)
            .await
            .map_err(StoreError::doing("add a list of rewritings"))?;
        commit(write).await?;
        Ok(Some(DialRulesId(unsigned(id, "dial_rules.id")?)))
    }

    /// Writes a list anew. Whether the client has such a list.
    pub async fn change_dial_rules(
        &self,
        tenant: TenantId,
        id: DialRulesId,
        list: &[Rewriting],
    ) -> Result<bool, StoreError> {
        let mut write = self.begin_write().await?;
        let Some(revision) = clients::next_routing_revision(&mut write, tenant).await? else {
            return Ok(false);
        };
        let changed = query(UPDATE)
            .bind(signed(tenant.0)?)
            .bind(signed(id.0)?)
            .bind(list_text(list, "dial_rules.rules")?)
            .bind(revision)
            .execute(&mut write)
            .await
            .map_err(StoreError::doing("change a list of rewritings"))?;
        commit(write).await?;
        Ok(changed > 0)
    }

    /// Removes a list that neither an extension nor the client uses. Whether there was such a list.
    pub async fn delete_dial_rules(
        &self,
        tenant: TenantId,
        id: DialRulesId,
    ) -> Result<bool, StoreError> {
        let mut write = self.begin_write().await?;
        clients::next_routing_revision(&mut write, tenant).await?;
        if let Some(by) = user(&mut write, tenant, id).await? {
            return Err(StoreError::InUse { by });
        }
        let removed = query(DELETE)
            .bind(signed(tenant.0)?)
            .bind(signed(id.0)?)
            .execute(&mut write)
            .await
            .map_err(StoreError::doing("delete a list of rewritings"))?;
        if removed == 0 {
            return Ok(false);
        }
        commit(write).await?;
        Ok(true)
    }
}

/// Who uses a list.
async fn user(
    connection: &mut Connection,
    tenant: TenantId,
    id: DialRulesId,
) -> Result<Option<String>, StoreError> {
    let doing = || StoreError::doing("look who uses a list of rewritings");
    let extension: Option<String> = query(USED_BY_EXTENSION)
        .bind(signed(tenant.0)?)
        .bind(signed(id.0)?)
        .fetch_value(connection)
        .await
        .map_err(doing())?;
    if let Some(name) = extension {
        return Ok(Some(format!("extension {name}")));
    }
    let client: Option<i64> = query(USED_BY_CLIENT)
        .bind(signed(tenant.0)?)
        .bind(signed(id.0)?)
        .fetch_value(connection)
        .await
        .map_err(doing())?;
    Ok(client.map(|_| "the settings of the client".to_owned()))
}

/// Whether the client has a list.
pub(crate) async fn exists(
    connection: &mut Connection,
    tenant: TenantId,
    id: DialRulesId,
) -> Result<bool, StoreError> {
    let row = query(SELECT)
        .bind(signed(tenant.0)?)
        .bind(signed(id.0)?)
        .row(connection)
        .await
        .map_err(StoreError::doing("read a list of rewritings"))?;
    Ok(row.is_some())
}

fn from_row(row: &Row) -> Result<(DialRulesId, Arc<[Rewriting]>), StoreError> {
    let read = StoreError::doing("read a list of rewritings");
    let text: String = row.try_get("rules").map_err(read)?;
    let list: Vec<Rewriting> = list_of(&text, "dial_rules.rules")?;
    Ok((DialRulesId(first_number(row)?), list.into()))
}
