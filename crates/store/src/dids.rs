//! Table `dids`: numbers of the outside that lead to extensions.

use std::sync::Arc;

use model::{Did, DidId, ExtensionId, Number, TenantId, Wall};

use crate::connection::{Connection, commit};
use crate::db::{self, optional, optional_signed, signed, unsigned};
use crate::error::{Conflict, StoreError};
use crate::open::Store;
use crate::parts::Part;
use crate::query::{Row, query};
use crate::{claims, clients};

macro_rules! select {
    ($tail:literal) => {
        concat!(
            "SELECT id, client_id, number, name, extension_id, allow_message, \
             message_extension_id, comment, created_us FROM dids ",
            $tail
        )
    };
}

db::statements! {
    SELECT = select!("WHERE client_id = $1 AND id = $2");
    SELECT_OF_CLIENT = select!("WHERE client_id = $1 ORDER BY id");
    SELECT_CHANGED = select!("WHERE client_id = $1 AND revision > $2");
    /// For the node itself, which serves all clients.
    SELECT_ALL = select!("ORDER BY client_id");
    SELECT_NUMBERS = "SELECT number FROM dids WHERE client_id = $1";
    SELECT_BY_NUMBER = "SELECT id FROM dids WHERE client_id = $1 AND number = $2";
    COUNT = "SELECT count(*) FROM dids WHERE client_id = $1";
    INSERT = "INSERT INTO dids (client_id, number, name, extension_id, allow_message, \
        message_extension_id, comment, created_us, revision) \
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING id";
    UPDATE = "UPDATE dids SET extension_id = $3, allow_message = $4, message_extension_id = $5, \
        comment = $6, revision = $7 WHERE client_id = $1 AND id = $2";
    UNBIND = "UPDATE dids SET extension_id = NULL, revision = $3 \
        WHERE client_id = $1 AND extension_id = $2";
    UNBIND_MESSAGES = "UPDATE dids SET message_extension_id = NULL, revision = $3 \
        WHERE client_id = $1 AND message_extension_id = $2";
    DELETE = "DELETE FROM dids WHERE client_id = $1 AND id = $2";
    SHOWN_BY_EXTENSION =
        "SELECT name FROM extensions WHERE client_id = $1 AND ani = $2 ORDER BY name LIMIT 1";
    SHOWN_BY_CLIENT = "SELECT client_id FROM client_settings WHERE client_id = $1 AND ani = $2";
}

pub(crate) const PART: Part<Box<str>, Arc<Did>> = Part {
    name: "read DIDs",
    of_client: SELECT_OF_CLIENT,
    changed: SELECT_CHANGED,
    keys: SELECT_NUMBERS,
    all: SELECT_ALL,
    key: |row| {
        let number: String = row.try_get(0).map_err(StoreError::doing("read DIDs"))?;
        Ok(number.into())
    },
    read: |row| {
        let stored = from_row(row)?;
        let did = Did { name: stored.name.into(), extension: stored.extension };
        Ok((stored.number.into(), Arc::new(did)))
    },
};

/// A DID as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredDid {
    /// Unique on the installation.
    pub id: DidId,
    /// Its E.164 digits; unique inside the client, and on the node for each way in.
    pub number: String,
    /// As it was written.
    pub name: String,
    /// Where it leads.
    pub extension: Option<ExtensionId>,
    /// Text messages to it are taken.
    pub allow_message: bool,
    /// Where they go.
    pub message_extension: Option<ExtensionId>,
    /// For people.
    pub comment: Option<String>,
    /// When it was added.
    pub created: Wall,
}

impl Store {
    /// The DIDs of a client, in the order in which they were added.
    pub async fn dids(&self, tenant: TenantId) -> Result<Vec<StoredDid>, StoreError> {
        let rows = query(SELECT_OF_CLIENT)
            .bind(signed(tenant.0)?)
            .rows(&mut self.reading().await?)
            .await
            .map_err(StoreError::doing("read a client's DIDs"))?;
        rows.iter().map(from_row).collect()
    }

    /// One DID as it is stored.
    pub async fn did(&self, tenant: TenantId, id: DidId) -> Result<Option<StoredDid>, StoreError> {
        one(&mut self.reading().await?, tenant, id).await
    }

    /// Adds a DID; its id is given anew. `None`: no such client.
    pub async fn create_did(
        &self,
        tenant: TenantId,
        new: &StoredDid,
    ) -> Result<Option<StoredDid>, StoreError> {
        let mut write = self.begin_write().await?;
        let Some(revision) = clients::next_routing_revision(&mut write, tenant).await? else {
            return Ok(None);
        };
        db::room(&mut write, COUNT, tenant, "DIDs", model::limits::DIDS_MAX).await?;
        let id: i64 = query(INSERT)
            .bind(signed(tenant.0)?)
            .bind(&new.number)
            .bind(&new.name)
            .bind(optional_signed(new.extension.map(|e| e.0))?)
            .bind(new.allow_message)
            .bind(optional_signed(new.message_extension.map(|e| e.0))?)
            .bind(new.comment.as_deref())
            .bind(new.created.0)
            .bind(revision)
            .fetch_one(&mut write)
            .await
            .map_err(StoreError::unless(Conflict::Did, "add a DID"))?;
        claims::check(&mut write, tenant).await?;
        let made = one(&mut write, tenant, DidId(unsigned(id, "dids.id")?)).await?;
        commit(write).await?;
        Ok(made)
    }

    /// Changes a DID: `change` gets what is stored. Number, name and creation date stay what they
    /// are. `None`: the client has no such DID.
    pub async fn change_did<E: From<StoreError>>(
        &self,
        tenant: TenantId,
        id: DidId,
        change: impl FnOnce(&mut StoredDid) -> Result<(), E> + Send,
    ) -> Result<Option<StoredDid>, E> {
        let mut write = self.begin_write().await?;
        let Some(revision) = clients::next_routing_revision(&mut write, tenant).await? else {
            return Ok(None);
        };
        let Some(mut did) = one(&mut write, tenant, id).await? else { return Ok(None) };
        change(&mut did)?;
        query(UPDATE)
            .bind(signed(tenant.0)?)
            .bind(signed(id.0)?)
            .bind(optional_signed(did.extension.map(|e| e.0))?)
            .bind(did.allow_message)
            .bind(optional_signed(did.message_extension.map(|e| e.0))?)
            .bind(did.comment.as_deref())
            .bind(revision)
            .execute(&mut write)
            .await
            .map_err(StoreError::doing("change a DID"))?;
        let stored = one(&mut write, tenant, id).await?;
        commit(write).await?;
        Ok(stored)
    }

    /// Removes a DID that nobody shows to the outside. Whether there was such a DID.
    pub async fn delete_did(&self, tenant: TenantId, id: DidId) -> Result<bool, StoreError> {
        let mut write = self.begin_write().await?;
        clients::next_routing_revision(&mut write, tenant).await?;
        let Some(did) = one(&mut write, tenant, id).await? else { return Ok(false) };
        if let Some(by) = shown_by(&mut write, tenant, &did.number).await? {
            return Err(StoreError::InUse { by });
        }
        query(DELETE)
            .bind(signed(tenant.0)?)
            .bind(signed(id.0)?)
            .execute(&mut write)
            .await
            .map_err(StoreError::doing("delete a DID"))?;
        commit(write).await?;
        Ok(true)
    }
}

/// Only numbers of its own does a client show to the outside.
pub(crate) async fn must_be_own(
    connection: &mut Connection,
    tenant: TenantId,
    number: Option<&Number>,
) -> Result<(), StoreError> {
    let Some(number) = number else { return Ok(()) };
    let own: Option<i64> = query(SELECT_BY_NUMBER)
        .bind(signed(tenant.0)?)
        .bind(number.as_str())
        .fetch_value(connection)
        .await
        .map_err(StoreError::doing("look for a DID"))?;
    own.map(|_| ()).ok_or(StoreError::NoSuch { field: "ani_number" })
}

/// DIDs of an extension that goes lead nowhere from then on.
pub(crate) async fn unbind(
    connection: &mut Connection,
    tenant: TenantId,
    extension: ExtensionId,
    revision: i64,
) -> Result<(), StoreError> {
    for statement in [UNBIND, UNBIND_MESSAGES] {
        query(statement)
            .bind(signed(tenant.0)?)
            .bind(signed(extension.0)?)
            .bind(revision)
            .execute(connection)
            .await
            .map_err(StoreError::doing("unbind DIDs"))?;
    }
    Ok(())
}

async fn shown_by(
    connection: &mut Connection,
    tenant: TenantId,
    number: &str,
) -> Result<Option<String>, StoreError> {
    let doing = || StoreError::doing("look who shows a DID");
    let extension: Option<String> = query(SHOWN_BY_EXTENSION)
        .bind(signed(tenant.0)?)
        .bind(number)
        .fetch_value(connection)
        .await
        .map_err(doing())?;
    if let Some(name) = extension {
        return Ok(Some(format!("extension {name}, whose ani it is")));
    }
    let client: Option<i64> = query(SHOWN_BY_CLIENT)
        .bind(signed(tenant.0)?)
        .bind(number)
        .fetch_value(connection)
        .await
        .map_err(doing())?;
    Ok(client.map(|_| "the client, whose ani it is".to_owned()))
}

async fn one(
    connection: &mut Connection,
    tenant: TenantId,
    id: DidId,
) -> Result<Option<StoredDid>, StoreError> {
    let row = query(SELECT)
        .bind(signed(tenant.0)?)
        .bind(signed(id.0)?)
        .row(connection)
        .await
        .map_err(StoreError::doing("read a DID"))?;
    row.as_ref().map(from_row).transpose()
}

fn from_row(row: &Row) -> Result<StoredDid, StoreError> {
    let doing = || StoreError::doing("read a DID");
    let numbers = || -> Result<(i64, Option<i64>, Option<i64>, i64), sqlx::Error> {
        Ok((
            row.try_get("id")?,
            row.try_get("extension_id")?,
            row.try_get("message_extension_id")?,
            row.try_get("created_us")?,
        ))
    };
    let (id, extension, message_extension, created) = numbers().map_err(doing())?;
    let message_extension = optional(message_extension, "dids.message_extension_id")?;
    Ok(StoredDid {
        id: DidId(unsigned(id, "dids.id")?),
        number: row.try_get("number").map_err(doing())?,
        name: row.try_get("name").map_err(doing())?,
        extension: optional(extension, "dids.extension_id")?.map(ExtensionId),
        allow_message: row.try_get("allow_message").map_err(doing())?,
        message_extension: message_extension.map(ExtensionId),
        comment: row.try_get("comment").map_err(doing())?,
        created: Wall(created),
    })
}
