//! Table `intervals`: when rules hold.

use std::sync::Arc;

use model::{Interval, IntervalId, TenantId, Zone};

use crate::clients;
use crate::connection::{Connection, commit};
use crate::db::{self, signed, unsigned};
use crate::error::StoreError;
use crate::open::Store;
use crate::parts::{Part, first_number, list_of, list_text};
use crate::query::{Row, query};

macro_rules! select {
    ($tail:literal) => {
        concat!("SELECT id, client_id, name, timezone, conditions FROM intervals ", $tail)
    };
}

db::statements! {
    SELECT = select!("WHERE client_id = $1 AND id = $2");
    SELECT_OF_CLIENT = select!("WHERE client_id = $1");
    SELECT_CHANGED = select!("WHERE client_id = $1 AND revision > $2");
    /// For the node itself, which serves all clients.
    SELECT_ALL = select!("ORDER BY client_id");
    SELECT_IDS = "SELECT id FROM intervals WHERE client_id = $1";
    COUNT = "SELECT count(*) FROM intervals WHERE client_id = $1";
    INSERT = "INSERT INTO intervals (client_id, name, timezone, conditions, revision) \
        VALUES ($1, $2, $3, $4, $5) RETURNING id";
    UPDATE = "UPDATE intervals SET name = $3, timezone = $4, conditions = $5, revision = $6 \
        WHERE client_id = $1 AND id = $2";
    DELETE = "DELETE FROM intervals WHERE client_id = $1 AND id = $2";
    USED_BY = "SELECT r.id, e.name FROM rules r JOIN extensions e ON e.id = r.extension_id \
        WHERE r.client_id = $1 AND r.interval_id = $2 ORDER BY e.name, r.id LIMIT 1";
}

pub(crate) const PART: Part<IntervalId, Arc<Interval>> = Part {
    name: "read intervals",
    of_client: SELECT_OF_CLIENT,
    changed: SELECT_CHANGED,
    keys: SELECT_IDS,
    all: SELECT_ALL,
    key: |row| Ok(IntervalId(first_number(row)?)),
    read: |row| from_row(row).map(|interval| (interval.id, Arc::new(interval))),
};

impl Store {
    /// Adds an interval; its id is given anew. `None`: no such client.
    pub async fn create_interval(
        &self,
        tenant: TenantId,
        new: &Interval,
    ) -> Result<Option<Interval>, StoreError> {
        let mut write = self.begin_write().await?;
        let Some(revision) = clients::next_routing_revision(&mut write, tenant).await? else {
            return Ok(None);
        };
        let max = model::limits::INTERVALS_MAX;
        db::room(&mut write, COUNT, tenant, "intervals", max).await?;
        let id: i64 = query(INSERT)
            .bind(signed(tenant.0)?)
            .bind(&*new.name)
            .bind(new.zone.name())
            .bind(list_text(&new.conditions, "intervals.conditions")?)
            .bind(revision)
            .fetch_one(&mut write)
            .await
            .map_err(StoreError::doing("add an interval"))?;
        let made = one(&mut write, tenant, IntervalId(unsigned(id, "intervals.id")?)).await?;
        commit(write).await?;
        Ok(made)
    }

    /// Changes an interval: `change` gets what is stored. `None`: the client has no such interval.
    pub async fn change_interval<E: From<StoreError>>(
        &self,
        tenant: TenantId,
        id: IntervalId,
        change: impl FnOnce(&mut Interval) -> Result<(), E> + Send,
    ) -> Result<Option<Interval>, E> {
        let mut write = self.begin_write().await?;
        let Some(revision) = clients::next_routing_revision(&mut write, tenant).await? else {
            return Ok(None);
        };
        let Some(mut interval) = one(&mut write, tenant, id).await? else { return Ok(None) };
        change(&mut interval)?;
        query(UPDATE)
            .bind(signed(tenant.0)?)
            .bind(signed(id.0)?)
            .bind(&*interval.name)
            .bind(interval.zone.name())
            .bind(list_text(&interval.conditions, "intervals.conditions")?)
            .bind(revision)
            .execute(&mut write)
            .await
            .map_err(StoreError::doing("change an interval"))?;
        let stored = one(&mut write, tenant, id).await?;
        commit(write).await?;
        Ok(stored)
    }

    /// Removes an interval that no rule uses. Whether there was such an interval.
    pub async fn delete_interval(
        &self,
        tenant: TenantId,
        id: IntervalId,
    ) -> Result<bool, StoreError> {
        let mut write = self.begin_write().await?;
        clients::next_routing_revision(&mut write, tenant).await?;
        let user = query(USED_BY)
            .bind(signed(tenant.0)?)
            .bind(signed(id.0)?)
            .fetch_optional::<(i64, String)>(&mut write)
            .await
            .map_err(StoreError::doing("look who uses an interval"))?;
        if let Some((rule, extension)) = user {
            let by = format!("rule {rule} of extension {extension}");
            return Err(StoreError::InUse { by });
        }
        let removed = query(DELETE)
            .bind(signed(tenant.0)?)
            .bind(signed(id.0)?)
            .execute(&mut write)
            .await
            .map_err(StoreError::doing("delete an interval"))?;
        if removed == 0 {
            return Ok(false);
        }
        commit(write).await?;
        Ok(true)
    }
}

async fn one(
    connection: &mut Connection,
    tenant: TenantId,
    id: IntervalId,
) -> Result<Option<Interval>, StoreError> {
    let row = query(SELECT)
        .bind(signed(tenant.0)?)
        .bind(signed(id.0)?)
        .row(connection)
        .await
        .map_err(StoreError::doing("read an interval"))?;
    row.as_ref().map(from_row).transpose()
}

/// Whether the client has an interval.
pub(crate) async fn exists(
    connection: &mut Connection,
    tenant: TenantId,
    id: IntervalId,
) -> Result<bool, StoreError> {
    Ok(one(connection, tenant, id).await?.is_some())
}

fn from_row(row: &Row) -> Result<Interval, StoreError> {
    let read = || -> Result<(i64, String, String, String), sqlx::Error> {
        Ok((
            row.try_get("id")?,
            row.try_get("name")?,
            row.try_get("timezone")?,
            row.try_get("conditions")?,
        ))
    };
    let (id, name, zone, conditions) = read().map_err(StoreError::doing("read an interval"))?;
    Ok(Interval {
        id: IntervalId(unsigned(id, "intervals.id")?),
        name: name.into(),
        zone: Zone::parse(&zone).ok_or_else(|| db::unknown_word("intervals.timezone", &zone))?,
        conditions: list_of(&conditions, "intervals.conditions")?,
    })
}
