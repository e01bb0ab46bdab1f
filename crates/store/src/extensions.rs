//! Table `extensions`: the addressable numbers of a tenant, read together with their phones.

use model::{
    DisplayName, Extension, ExtensionGroupId, ExtensionId, ExtensionKind, ExtensionName,
    ExtensionShown, Login, Phone, Secret, Service, Status, TenantId, Wall,
};

use crate::clients::{self, status_of, status_word};
use crate::connection::Connection;
use crate::connection::commit;
use crate::db::{self, optional, optional_signed, signed, unsigned};
use crate::error::{Conflict, StoreError};
use crate::limits;
use crate::open::Store;
use crate::query::{ManyRows, Row, query};
use crate::{dids, phones, sounds};

/// Extensions with their phones; the tail says which.
macro_rules! select {
    ($tail:literal) => {
        concat!(
            "SELECT e.id, e.client_id, e.name, e.kind, e.status, e.label, e.caller_id_name, \
             e.extension_group_id, e.created_us, e.extra_params, e.dial_rule_id, \
             e.dial_rule_limit, e.ani_rfc3325, e.did_as_transfer_caller_id, e.message_did, \
             e.public_caller_id_number, e.rfc_public_caller_id_number, \
             e.from_public_caller_id_number, p.extension_id AS phone_of, ",
            phones::settings!(),
            " FROM extensions e LEFT JOIN phones p ON p.extension_id = e.id ",
            $tail
        )
    };
}

db::statements! {
    SELECT = select!("WHERE e.client_id = $1 AND e.id = $2");
    SELECT_OF_CLIENT = select!("WHERE e.client_id = $1");
    SELECT_CHANGED = select!("WHERE e.client_id = $1 AND e.revision > $2");
    /// For the node itself, which serves all clients.
    SELECT_ALL = select!("ORDER BY e.client_id");
    SELECT_IDS = "SELECT id FROM extensions WHERE client_id = $1";
    SELECT_NAMES = "SELECT name, id FROM extensions WHERE client_id = $1";
    COUNT = "SELECT count(*) FROM extensions WHERE client_id = $1";
    UPDATE = "UPDATE extensions SET status = $3, label = $4, caller_id_name = $5, \
        extension_group_id = $6, extra_params = $7, dial_rule_id = $8, dial_rule_limit = $9, \
        ani_rfc3325 = $10, did_as_transfer_caller_id = $11, message_did = $12, \
        public_caller_id_number = $13, rfc_public_caller_id_number = $14, \
        from_public_caller_id_number = $15, revision = $16 \
        WHERE client_id = $1 AND id = $2";
    DELETE = "DELETE FROM extensions WHERE client_id = $1 AND id = $2";
    DELETE_BINDINGS = "DELETE FROM bindings WHERE client_id = $1 AND extension_id = $2";
}

/// What an extension begins with.
#[derive(Clone, Debug)]
pub struct NewExtension {
    /// Its short name; unique inside the client.
    pub name: ExtensionName,
    /// What it is, for ever.
    pub kind: ExtensionKind,
    /// Whether it may be used.
    pub status: Status,
    /// Shown on displays.
    pub label: DisplayName,
    /// The caller's name on outgoing calls.
    pub caller_id_name: Option<DisplayName>,
    /// Its group.
    pub group: Option<ExtensionGroupId>,
    /// The remaining fields; `create_date` is taken from `created`.
    pub shown: ExtensionShown,
    /// What its phone begins with; `Some` exactly for [`ExtensionKind::Phone`].
    pub phone: Option<NewPhone>,
    /// Now.
    pub created: Wall,
}

/// What a phone begins with; the rest are the defaults.
#[derive(Clone, Debug)]
pub struct NewPhone {
    /// Logins to try, see [`phones::login_candidates`].
    pub logins: Vec<Login>,
    /// SIP password.
    pub password: Secret,
}

impl NewPhone {
    fn phone(&self, login: Login) -> Phone {
        Phone {
            login,
            password: self.password.clone(),
            auth_type: model::AuthType::Digest,
            incoming_limit: None,
            ring_timeout_s: None,
            shown: model::PhoneShown::default(),
        }
    }
}

impl Store {
    /// Adds an extension and its phone. `None`: no such client.
    pub async fn create_extension(
        &self,
        tenant: TenantId,
        new: &NewExtension,
    ) -> Result<Option<Extension>, StoreError> {
        let mut write = self.begin_write().await?;
        let Some(revision) = clients::next_revision(&mut write, tenant).await? else {
            return Ok(None);
        };
        let mut statement = insert_statement(tenant, revision, std::slice::from_ref(new))?;
        statement.push(" RETURNING id");
        let id: i64 = statement
            .fetch_one(&mut write)
            .await
            .map_err(StoreError::unless(Conflict::ExtensionName, "add an extension"))?;
        let id = ExtensionId(unsigned(id, "extensions.id")?);
        if let Some(phone) = &new.phone {
            let login = phones::free_login(&mut write, phone.logins.clone()).await?;
            phones::insert_many(&mut write, tenant, &[(id, phone.phone(login))]).await?;
        }
        let extension = one(&mut write, tenant, id).await?;
        commit(write).await?;
        Ok(extension)
    }

    /// Changes an extension and its phone: `change` gets what is stored, so that two programs
    /// that change different fields at once both have their way. Name, kind, creation date and
    /// login stay what they are. Sounds must be the client's. `None`: the client has no such
    /// extension.
    pub async fn change_extension(
        &self,
        tenant: TenantId,
        id: ExtensionId,
        change: impl FnOnce(&mut Extension) + Send,
    ) -> Result<Option<Extension>, StoreError> {
        let mut write = self.begin_write().await?;
        let Some(revision) = clients::next_revision(&mut write, tenant).await? else {
            return Ok(None);
        };
        let Some(mut extension) = one(&mut write, tenant, id).await? else {
            return Ok(None);
        };
        let before = extension.phone.as_ref().map(|phone| phone.shown.clone());
        change(&mut extension);
        if let (Some(before), Some(phone)) = (&before, &extension.phone) {
            sounds::check_phone(&mut write, tenant, before, &phone.shown).await?;
        }
        update(&mut write, tenant, revision, &extension).await?;
        if let Some(phone) = &extension.phone {
            phones::update(&mut write, tenant, id, phone).await?;
        }
        let stored = one(&mut write, tenant, id).await?;
        commit(write).await?;
        Ok(stored)
    }

    /// Removes an extension with its phone, its rules, its users and its registrations; DIDs that
    /// led to it lead nowhere. Whether there was such an extension.
    pub async fn delete_extension(
        &self,
        tenant: TenantId,
        id: ExtensionId,
    ) -> Result<bool, StoreError> {
        let mut write = self.begin_write().await?;
        let Some(revision) = clients::next_routing_revision(&mut write, tenant).await? else {
            return Ok(false);
        };
        dids::unbind(&mut write, tenant, id, revision).await?;
        let mut removed = 0;
        for statement in [DELETE_BINDINGS, DELETE] {
            removed = query(statement)
                .bind(signed(tenant.0)?)
                .bind(signed(id.0)?)
                .execute(&mut write)
                .await
                .map_err(StoreError::doing("delete an extension"))?;
        }
        if removed == 0 {
            return Ok(false);
        }
        commit(write).await?;
        Ok(true)
    }

    /// One extension as it is stored.
    pub async fn extension(
        &self,
        tenant: TenantId,
        id: ExtensionId,
    ) -> Result<Option<Extension>, StoreError> {
        let mut read = self.begin_read().await?;
        one(&mut read, tenant, id).await
    }
}

async fn one(
    connection: &mut Connection,
    tenant: TenantId,
    id: ExtensionId,
) -> Result<Option<Extension>, StoreError> {
    let row = query(SELECT)
        .bind(signed(tenant.0)?)
        .bind(signed(id.0)?)
        .row(connection)
        .await
        .map_err(StoreError::doing("read an extension"))?;
    row.as_ref().map(from_row).transpose()
}

/// All extensions of a client.
pub(crate) async fn of_client(
    connection: &mut Connection,
    tenant: TenantId,
) -> Result<Vec<Extension>, StoreError> {
    let rows = query(SELECT_OF_CLIENT)
        .bind(signed(tenant.0)?)
        .rows(connection)
        .await
        .map_err(StoreError::doing("read a client's extensions"))?;
    rows.iter().map(from_row).collect()
}

/// The extensions of a client that changed after a revision.
pub(crate) async fn changed_after(
    connection: &mut Connection,
    tenant: TenantId,
    revision: u64,
) -> Result<Vec<Extension>, StoreError> {
    let rows = query(SELECT_CHANGED)
        .bind(signed(tenant.0)?)
        .bind(signed(revision)?)
        .rows(connection)
        .await
        .map_err(StoreError::doing("read a client's changed extensions"))?;
    rows.iter().map(from_row).collect()
}

/// The extensions of all clients, for [`crate::operator`].
pub(crate) async fn all(
    connection: &mut Connection,
) -> Result<Vec<(TenantId, Extension)>, StoreError> {
    let rows = query(SELECT_ALL)
        .rows(connection)
        .await
        .map_err(StoreError::doing("read all extensions"))?;
    rows.iter().map(|row| Ok((owner(row)?, from_row(row)?))).collect()
}

/// How many extensions a client has.
pub(crate) async fn count(
    connection: &mut Connection,
    tenant: TenantId,
) -> Result<usize, StoreError> {
    let n: i64 = query(COUNT)
        .bind(signed(tenant.0)?)
        .fetch_one(connection)
        .await
        .map_err(StoreError::doing("count a client's extensions"))?;
    unsigned(n, "count(extensions)")
}

/// The ids of a client's extensions.
pub(crate) async fn ids(
    connection: &mut Connection,
    tenant: TenantId,
) -> Result<Vec<ExtensionId>, StoreError> {
    let ids: Vec<i64> = query(SELECT_IDS)
        .bind(signed(tenant.0)?)
        .fetch_values(connection)
        .await
        .map_err(StoreError::doing("read the ids of a client's extensions"))?;
    ids.into_iter().map(|id| Ok(ExtensionId(unsigned(id, "extensions.id")?))).collect()
}

/// The names of a client's extensions with their ids.
pub(crate) async fn names(
    connection: &mut Connection,
    tenant: TenantId,
) -> Result<Vec<(String, ExtensionId)>, StoreError> {
    let names: Vec<(String, i64)> = query(SELECT_NAMES)
        .bind(signed(tenant.0)?)
        .fetch_all(connection)
        .await
        .map_err(StoreError::doing("read the names of a client's extensions"))?;
    names
        .into_iter()
        .map(|(name, id)| Ok((name, ExtensionId(unsigned(id, "extensions.id")?))))
        .collect()
}

/// Adds many extensions, without phones.
pub(crate) async fn insert_many(
    connection: &mut Connection,
    tenant: TenantId,
    revision: i64,
    extensions: &[NewExtension],
) -> Result<(), StoreError> {
    for part in extensions.chunks(limits::ROWS_PER_STATEMENT) {
        insert_statement(tenant, revision, part)?
            .execute(connection)
            .await
            .map_err(StoreError::unless(Conflict::ExtensionName, "add extensions"))?;
    }
    Ok(())
}

pub(crate) fn insert_statement(
    tenant: TenantId,
    revision: i64,
    extensions: &[NewExtension],
) -> Result<ManyRows<'_>, StoreError> {
    let client_id = signed(tenant.0)?;
    let rows = extensions
        .iter()
        .map(|e| {
            let group = optional_signed(e.group.map(|g| g.0))?;
            let rule = optional_signed(e.shown.dial_rule_id)?;
            let limit = optional_signed(e.shown.dial_rule_limit)?;
            Ok((e, group, rule, limit))
        })
        .collect::<Result<Vec<_>, StoreError>>()?;
    let mut statement = ManyRows::new(
        "INSERT INTO extensions (client_id, name, kind, status, label, caller_id_name, \
         extension_group_id, created_us, extra_params, dial_rule_id, dial_rule_limit, \
         ani_rfc3325, did_as_transfer_caller_id, message_did, public_caller_id_number, \
         rfc_public_caller_id_number, from_public_caller_id_number, revision) ",
    );
    statement.push_values(rows, |row, (e, group, dial_rule_id, dial_rule_limit)| {
        row.push_bind(client_id)
            .push_bind(e.name.as_str())
            .push_bind(kind_word(e.kind))
            .push_bind(status_word(e.status))
            .push_bind(e.label.as_str())
            .push_bind(e.caller_id_name.as_ref().map(DisplayName::as_str))
            .push_bind(group)
            .push_bind(e.created.0)
            .push_bind(e.shown.extra_params.as_deref())
            .push_bind(dial_rule_id)
            .push_bind(dial_rule_limit)
            .push_bind(e.shown.ani_rfc3325)
            .push_bind(e.shown.did_as_transfer_caller_id.as_deref())
            .push_bind(e.shown.message_did.as_deref())
            .push_bind(e.shown.public_caller_id_number.as_deref())
            .push_bind(e.shown.rfc_public_caller_id_number)
            .push_bind(e.shown.from_public_caller_id_number)
            .push_bind(revision);
    });
    Ok(statement)
}

async fn update(
    connection: &mut Connection,
    tenant: TenantId,
    revision: i64,
    e: &Extension,
) -> Result<(), StoreError> {
    query(UPDATE)
        .bind(signed(tenant.0)?)
        .bind(signed(e.id.0)?)
        .bind(status_word(e.status))
        .bind(e.label.as_str())
        .bind(e.caller_id_name.as_ref().map(DisplayName::as_str))
        .bind(optional_signed(e.group.map(|g| g.0))?)
        .bind(e.shown.extra_params.as_deref())
        .bind(optional_signed(e.shown.dial_rule_id)?)
        .bind(optional_signed(e.shown.dial_rule_limit)?)
        .bind(e.shown.ani_rfc3325)
        .bind(e.shown.did_as_transfer_caller_id.as_deref())
        .bind(e.shown.message_did.as_deref())
        .bind(e.shown.public_caller_id_number.as_deref())
        .bind(e.shown.rfc_public_caller_id_number)
        .bind(e.shown.from_public_caller_id_number)
        .bind(revision)
        .execute(connection)
        .await
        .map_err(StoreError::doing("change an extension"))?;
    Ok(())
}

fn owner(row: &Row) -> Result<TenantId, StoreError> {
    let id: i64 = row.try_get("client_id").map_err(StoreError::doing("read an extension"))?;
    Ok(TenantId(unsigned(id, "extensions.client_id")?))
}

fn from_row(row: &Row) -> Result<Extension, StoreError> {
    let raw = ExtensionRow::read(row).map_err(StoreError::doing("read an extension"))?;
    let kind = kind_of(&raw.kind)?;
    let phone = match (kind, raw.has_phone) {
        (ExtensionKind::Phone, true) => Some(phones::from_row(row)?),
        (ExtensionKind::Phone, false) => {
            return Err(StoreError::Corrupt {
                column: "phones.extension_id",
                why: format!("extension {} has no phone", raw.id),
            });
        }
        _ => None,
    };
    let caller_id_name = raw.caller_id_name.as_deref().map(DisplayName::parse).transpose();
    Ok(Extension {
        id: ExtensionId(unsigned(raw.id, "extensions.id")?),
        name: ExtensionName::parse(&raw.name).map_err(db::corrupt("extensions.name"))?,
        kind,
        status: status_of(&raw.status, "extensions.status")?,
        label: DisplayName::parse(&raw.label).map_err(db::corrupt("extensions.label"))?,
        caller_id_name: caller_id_name.map_err(db::corrupt("extensions.caller_id_name"))?,
        group: optional(raw.group, "extensions.extension_group_id")?.map(ExtensionGroupId),
        shown: ExtensionShown {
            create_date: Wall(raw.created_us).to_string(),
            dial_rule_id: optional(raw.dial_rule_id, "extensions.dial_rule_id")?,
            dial_rule_limit: optional(raw.dial_rule_limit, "extensions.dial_rule_limit")?,
            ..raw.shown
        },
        phone,
    })
}

/// The columns as they lie in the table; what needs no check stands in `shown` already.
struct ExtensionRow {
    id: i64,
    name: String,
    kind: String,
    status: String,
    label: String,
    caller_id_name: Option<String>,
    group: Option<i64>,
    created_us: i64,
    dial_rule_id: Option<i64>,
    dial_rule_limit: Option<i64>,
    has_phone: bool,
    shown: ExtensionShown,
}

impl ExtensionRow {
    fn read(row: &Row) -> Result<ExtensionRow, sqlx::Error> {
        Ok(ExtensionRow {
            id: row.try_get("id")?,
            name: row.try_get("name")?,
            kind: row.try_get("kind")?,
            status: row.try_get("status")?,
            label: row.try_get("label")?,
            caller_id_name: row.try_get("caller_id_name")?,
            group: row.try_get("extension_group_id")?,
            created_us: row.try_get("created_us")?,
            dial_rule_id: row.try_get("dial_rule_id")?,
            dial_rule_limit: row.try_get("dial_rule_limit")?,
            has_phone: row.try_get::<Option<i64>, _>("phone_of")?.is_some(),
            shown: ExtensionShown {
                extra_params: row.try_get("extra_params")?,
                ani_rfc3325: row.try_get("ani_rfc3325")?,
                did_as_transfer_caller_id: row.try_get("did_as_transfer_caller_id")?,
                message_did: row.try_get("message_did")?,
                public_caller_id_number: row.try_get("public_caller_id_number")?,
                rfc_public_caller_id_number: row.try_get("rfc_public_caller_id_number")?,
                from_public_caller_id_number: row.try_get("from_public_caller_id_number")?,
                ..ExtensionShown::default()
            },
        })
    }
}

fn kind_word(kind: ExtensionKind) -> &'static str {
    match kind {
        ExtensionKind::Phone => "phone",
        ExtensionKind::Queue => "queue",
        ExtensionKind::Ivr => "ivr",
        ExtensionKind::Service(Service::Echo) => "echo",
    }
}

fn kind_of(word: &str) -> Result<ExtensionKind, StoreError> {
    match word {
        "phone" => Ok(ExtensionKind::Phone),
        "queue" => Ok(ExtensionKind::Queue),
        "ivr" => Ok(ExtensionKind::Ivr),
        "echo" => Ok(ExtensionKind::Service(Service::Echo)),
        other => Err(db::unknown_word("extensions.kind", other)),
    }
}

impl NewExtension {
    /// The phone that this extension gets under `login`.
    pub(crate) fn phone_with(&self, login: Login) -> Option<Phone> {
        self.phone.as_ref().map(|phone| phone.phone(login))
    }
}
