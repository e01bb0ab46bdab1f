//! Table `clients`: the tenants.

use std::sync::Arc;

use model::{Prefix, Status, Tenant, TenantId, TenantKey, Wall};
use sqlx::FromRow;

use crate::connection::Connection;
use crate::connection::commit;
use crate::db::{self, signed, unsigned};
use crate::error::{Conflict, StoreError};
use crate::open::Store;
use crate::query::query;

macro_rules! columns {
    () => {
        "id, key, name, domain, domain_prefix, prefix, extension_len, status, calls_max, timezone, \
         created_us, revision, routing_revision"
    };
}

db::statements! {
    INSERT = "INSERT INTO clients (key, name, domain, domain_prefix, prefix, extension_len, \
        status, calls_max, timezone, created_us, revision) \
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 1) RETURNING id";
    SELECT = concat!("SELECT ", columns!(), " FROM clients WHERE id = $1");
    SELECT_BY_PREFIX =
        concat!("SELECT ", columns!(), " FROM clients WHERE domain = $1 AND prefix = $2");
    /// For the node itself, which serves all clients.
    SELECT_ALL = concat!("SELECT ", columns!(), " FROM clients ORDER BY id");
    SET_STATUS = "UPDATE clients SET status = $2, revision = revision + 1 WHERE id = $1";
    SET_EXTENSION_LEN =
        "UPDATE clients SET extension_len = $2, revision = revision + 1 WHERE id = $1";
    SET_TIMEZONE = "UPDATE clients SET timezone = $2, revision = revision + 1 WHERE id = $1";
    NEXT_REVISION =
        "UPDATE clients SET revision = revision + 1 WHERE id = $1 RETURNING revision";
    NEXT_ROUTING_REVISION = "UPDATE clients SET revision = revision + 1, \
        routing_revision = revision + 1 WHERE id = $1 RETURNING revision";
}

/// What a client begins with.
#[derive(Clone, Debug)]
pub struct NewClient {
    /// What branches, tags and Contacts will carry; unique.
    pub key: TenantKey,
    /// Name of the company.
    pub name: String,
    /// SIP domain.
    pub domain: String,
    /// Prefix of the domain.
    pub domain_prefix: Prefix,
    /// Prefix of the client; unique inside the domain.
    pub prefix: Prefix,
    /// Digits of an extension's name, 2 to 4.
    pub extension_len: u8,
    /// Calls at a time.
    pub calls_max: u32,
    /// IANA zone.
    pub timezone: String,
    /// Now.
    pub created: Wall,
}

impl Store {
    /// Adds a client.
    pub async fn create_client(&self, new: &NewClient) -> Result<TenantId, StoreError> {
        let mut write = self.begin_write().await?;
        let id = insert(&mut write, new).await?;
        commit(write).await?;
        Ok(id)
    }

    /// Blocks a client or lets it in again. Whether there is such a client.
    pub async fn set_client_status(
        &self,
        tenant: TenantId,
        status: Status,
    ) -> Result<bool, StoreError> {
        let done = query(SET_STATUS)
            .bind(signed(tenant.0)?)
            .bind(status_word(status))
            .execute(&mut self.writing().await?)
            .await
            .map_err(StoreError::doing("set a client's status"))?;
        Ok(done > 0)
    }

    /// Sets the zone in which a client reads times. Whether there is such a client.
    pub async fn set_timezone(&self, tenant: TenantId, zone: &str) -> Result<bool, StoreError> {
        let done = query(SET_TIMEZONE)
            .bind(signed(tenant.0)?)
            .bind(zone)
            .execute(&mut self.writing().await?)
            .await
            .map_err(StoreError::doing("set a client's timezone"))?;
        Ok(done > 0)
    }
}

pub(crate) async fn insert(
    connection: &mut Connection,
    new: &NewClient,
) -> Result<TenantId, StoreError> {
    let id: i64 = query(INSERT)
        .bind(new.key.as_str())
        .bind(&new.name)
        .bind(&new.domain)
        .bind(new.domain_prefix.as_str())
        .bind(new.prefix.as_str())
        .bind(i64::from(new.extension_len))
        .bind(status_word(Status::Active))
        .bind(i64::from(new.calls_max))
        .bind(&new.timezone)
        .bind(new.created.0)
        .fetch_one(connection)
        .await
        .map_err(StoreError::unless(Conflict::ClientPrefix, "create a client"))?;
    Ok(TenantId(unsigned(id, "clients.id")?))
}

/// How far a client's configuration has come.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Revisions {
    /// Rises with every change.
    pub(crate) newest: u64,
    /// Of the last change of intervals, trunks, lists of rewritings, DIDs or settings.
    pub(crate) routing: u64,
}

/// One tenant and its configuration's revisions.
pub(crate) async fn tenant(
    connection: &mut Connection,
    tenant: TenantId,
) -> Result<Option<(Arc<Tenant>, Revisions)>, StoreError> {
    let row: Option<ClientRow> = query(SELECT)
        .bind(signed(tenant.0)?)
        .fetch_optional(connection)
        .await
        .map_err(StoreError::doing("read a client"))?;
    row.map(ClientRow::tenant).transpose()
}

/// The tenant with this prefix in this domain.
pub(crate) async fn with_prefix(
    connection: &mut Connection,
    domain: &str,
    prefix: &Prefix,
) -> Result<Option<Arc<Tenant>>, StoreError> {
    let row: Option<ClientRow> = query(SELECT_BY_PREFIX)
        .bind(domain)
        .bind(prefix.as_str())
        .fetch_optional(connection)
        .await
        .map_err(StoreError::doing("find a client by prefix"))?;
    Ok(row.map(ClientRow::tenant).transpose()?.map(|(tenant, _)| tenant))
}

/// All tenants with their revisions, for [`crate::operator`].
pub(crate) async fn all(
    connection: &mut Connection,
) -> Result<Vec<(Arc<Tenant>, Revisions)>, StoreError> {
    let rows: Vec<ClientRow> = query(SELECT_ALL)
        .fetch_all(connection)
        .await
        .map_err(StoreError::doing("read all clients"))?;
    rows.into_iter().map(ClientRow::tenant).collect()
}

/// Counts a change of a client's configuration: the first step of every write to it, since it
/// holds up all other writers to the same client until this one is done. `None`: no such client.
pub(crate) async fn next_revision(
    connection: &mut Connection,
    tenant: TenantId,
) -> Result<Option<i64>, StoreError> {
    query(NEXT_REVISION)
        .bind(signed(tenant.0)?)
        .fetch_value(connection)
        .await
        .map_err(StoreError::doing("count a change of a client"))
}

/// The same, when what changes is an interval, a trunk, a list of rewritings, a DID or a setting.
pub(crate) async fn next_routing_revision(
    connection: &mut Connection,
    tenant: TenantId,
) -> Result<Option<i64>, StoreError> {
    query(NEXT_ROUTING_REVISION)
        .bind(signed(tenant.0)?)
        .fetch_value(connection)
        .await
        .map_err(StoreError::doing("count a change of a client's routing"))
}

/// Makes the names of a client's extensions longer; only a demo that grows does so.
pub(crate) async fn set_extension_len(
    connection: &mut Connection,
    tenant: TenantId,
    digits: u8,
) -> Result<(), StoreError> {
    query(SET_EXTENSION_LEN)
        .bind(signed(tenant.0)?)
        .bind(i64::from(digits))
        .execute(connection)
        .await
        .map_err(StoreError::doing("set a client's extension_len"))?;
    Ok(())
}

pub(crate) fn status_word(status: Status) -> &'static str {
    match status {
        Status::Active => "active",
        Status::Blocked => "blocked",
    }
}

pub(crate) fn status_of(word: &str, column: &'static str) -> Result<Status, StoreError> {
    match word {
        "active" => Ok(Status::Active),
        "blocked" => Ok(Status::Blocked),
        other => Err(db::unknown_word(column, other)),
    }
}

#[derive(FromRow)]
struct ClientRow {
    id: i64,
    key: String,
    name: String,
    domain: String,
    domain_prefix: String,
    prefix: String,
    extension_len: i64,
    status: String,
    calls_max: i64,
    timezone: String,
    created_us: i64,
    revision: i64,
    routing_revision: i64,
}

impl ClientRow {
    fn tenant(self) -> Result<(Arc<Tenant>, Revisions), StoreError> {
        let key = TenantKey::parse(self.key.as_bytes())
            .ok_or_else(|| db::unknown_word("clients.key", &self.key))?;
        let prefix = |text: &str, column| Prefix::parse(text).map_err(db::corrupt(column));
        let tenant = Tenant {
            id: TenantId(unsigned(self.id, "clients.id")?),
            key,
            name: self.name,
            domain: self.domain,
            domain_prefix: prefix(&self.domain_prefix, "clients.domain_prefix")?,
            prefix: prefix(&self.prefix, "clients.prefix")?,
            extension_len: unsigned(self.extension_len, "clients.extension_len")?,
            status: status_of(&self.status, "clients.status")?,
            calls_max: unsigned(self.calls_max, "clients.calls_max")?,
            timezone: self.timezone,
            create_date: Wall(self.created_us).to_string(),
        };
        let revisions = Revisions {
            newest: unsigned(self.revision, "clients.revision")?,
            routing: unsigned(self.routing_revision, "clients.routing_revision")?,
        };
        Ok((Arc::new(tenant), revisions))
    }
}
