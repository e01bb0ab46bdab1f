//! Table `trunks`: SIP peers towards the outside, and how their client uses them.

use std::sync::Arc;

use model::{
    DidFrom, ForwardingHeaders, IdentityHeader, Network, Number, Pattern, Secret, ShownOnForward,
    TenantId, Trunk, TrunkCredentials, TrunkHost, TrunkId, TrunkRegistration, TrunkTransport,
    TrunkUse,
};

use crate::connection::{Connection, commit};
use crate::db::{self, corrupt, optional, signed, unsigned};
use crate::error::StoreError;
use crate::open::Store;
use crate::parts::{Part, client_of, first_number, list_of, list_text, words};
use crate::query::{Query, Row, query};
use crate::{claims, clients};

macro_rules! select {
    ($tail:literal) => {
        concat!(
            "SELECT id, client_id, name, hosts, addresses, transport, login, password, \
             register_expires_s, patterns, country, did_from, rewrite_in, rewrite_out, from_user, \
             identity, caller_id, fixed_caller_id, forwarding_headers, update_display, channels, \
             enabled FROM trunks ",
            $tail
        )
    };
}

db::statements! {
    SELECT = select!("WHERE client_id = $1 AND id = $2");
    SELECT_OF_CLIENT = select!("WHERE client_id = $1");
    SELECT_CHANGED = select!("WHERE client_id = $1 AND revision > $2");
    /// For the node itself, which serves all clients.
    SELECT_ALL = select!("ORDER BY client_id");
    SELECT_IDS = "SELECT id FROM trunks WHERE client_id = $1";
    COUNT = "SELECT count(*) FROM trunks WHERE client_id = $1";
    INSERT = "INSERT INTO trunks (client_id, name, hosts, addresses, transport, login, password, \
        register_expires_s, patterns, country, did_from, rewrite_in, rewrite_out, from_user, \
        identity, caller_id, fixed_caller_id, forwarding_headers, update_display, channels, \
        enabled, revision) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, \
        $15, $16, $17, $18, $19, $20, $21, $22) RETURNING id";
    UPDATE = "UPDATE trunks SET name = $2, hosts = $3, addresses = $4, transport = $5, \
        login = $6, password = $7, register_expires_s = $8, patterns = $9, country = $10, \
        did_from = $11, rewrite_in = $12, rewrite_out = $13, from_user = $14, identity = $15, \
        caller_id = $16, fixed_caller_id = $17, forwarding_headers = $18, update_display = $19, \
        channels = $20, enabled = $21, revision = $22 WHERE client_id = $1 AND id = $23";
    DELETE = "DELETE FROM trunks WHERE client_id = $1 AND id = $2";
}

pub(crate) const PART: Part<TrunkId, Arc<TrunkUse>> = Part {
    name: "read trunks",
    of_client: SELECT_OF_CLIENT,
    changed: SELECT_CHANGED,
    keys: SELECT_IDS,
    all: SELECT_ALL,
    key: |row| Ok(TrunkId(first_number(row)?)),
    read: |row| from_row(row).map(|plan| (plan.trunk.id, Arc::new(plan))),
};

impl Store {
    /// Adds a trunk; its id and tenant are given anew. `None`: no such client.
    pub async fn create_trunk(
        &self,
        tenant: TenantId,
        new: &TrunkUse,
    ) -> Result<Option<TrunkUse>, StoreError> {
        let mut write = self.begin_write().await?;
        let Some(revision) = clients::next_routing_revision(&mut write, tenant).await? else {
            return Ok(None);
        };
        db::room(&mut write, COUNT, tenant, "trunks", model::limits::TRUNKS_MAX).await?;
        let id: i64 = bound(query(INSERT).bind(signed(tenant.0)?), new)?
            .bind(revision)
            .fetch_one(&mut write)
            .await
            .map_err(StoreError::doing("add a trunk"))?;
        let made = one(&mut write, tenant, TrunkId(unsigned(id, "trunks.id")?)).await?;
        claims::check(&mut write, tenant).await?;
        commit(write).await?;
        Ok(made)
    }

    /// Changes a trunk: `change` gets what is stored. Its id stays what it is. `None`: the client
    /// has no such trunk.
    pub async fn change_trunk<E: From<StoreError>>(
        &self,
        tenant: TenantId,
        id: TrunkId,
        change: impl FnOnce(&mut TrunkUse) -> Result<(), E> + Send,
    ) -> Result<Option<TrunkUse>, E> {
        let mut write = self.begin_write().await?;
        let Some(revision) = clients::next_routing_revision(&mut write, tenant).await? else {
            return Ok(None);
        };
        let Some(mut plan) = one(&mut write, tenant, id).await? else { return Ok(None) };
        change(&mut plan)?;
        bound(query(UPDATE).bind(signed(tenant.0)?), &plan)?
            .bind(revision)
            .bind(signed(id.0)?)
            .execute(&mut write)
            .await
            .map_err(StoreError::doing("change a trunk"))?;
        let stored = one(&mut write, tenant, id).await?;
        claims::check(&mut write, tenant).await?;
        commit(write).await?;
        Ok(stored)
    }

    /// Removes a trunk. Whether there was such a trunk.
    pub async fn delete_trunk(&self, tenant: TenantId, id: TrunkId) -> Result<bool, StoreError> {
        let mut write = self.begin_write().await?;
        clients::next_routing_revision(&mut write, tenant).await?;
        let removed = query(DELETE)
            .bind(signed(tenant.0)?)
            .bind(signed(id.0)?)
            .execute(&mut write)
            .await
            .map_err(StoreError::doing("delete a trunk"))?;
        if removed == 0 {
            return Ok(false);
        }
        commit(write).await?;
        Ok(true)
    }
}

/// The values of all columns from `name` to `enabled`, in the order of the table.
fn bound<'q>(query: Query<'q>, plan: &'q TrunkUse) -> Result<Query<'q>, StoreError> {
    let trunk = &plan.trunk;
    let texts = |list: Vec<String>| list_text(&list, "trunks");
    let credentials = trunk.credentials.as_ref();
    Ok(query
        .bind(trunk.name.as_str())
        .bind(texts(trunk.hosts.iter().map(ToString::to_string).collect())?)
        .bind(texts(trunk.addresses.iter().map(ToString::to_string).collect())?)
        .bind(transport_word(trunk.transport))
        .bind(credentials.map(|c| c.login.as_str()))
        .bind(credentials.map(|c| c.password.expose()))
        .bind(trunk.registration.map(|r| i64::from(r.expires_s)))
        .bind(list_text(&plan.patterns, "trunks.patterns")?)
        .bind(&*plan.country)
        .bind(did_from_word(trunk.did_from))
        .bind(list_text(&plan.rewrite_in, "trunks.rewrite_in")?)
        .bind(list_text(&plan.rewrite_out, "trunks.rewrite_out")?)
        .bind(trunk.from_user.as_deref())
        .bind(identity_word(trunk.identity))
        .bind(shown_word(plan.caller_id))
        .bind(plan.fixed_caller_id.as_ref().map(Number::as_str))
        .bind(forwarding_word(trunk.forwarding_headers))
        .bind(plan.update_display)
        .bind(plan.channels.map(i64::from))
        .bind(trunk.enabled))
}

async fn one(
    connection: &mut Connection,
    tenant: TenantId,
    id: TrunkId,
) -> Result<Option<TrunkUse>, StoreError> {
    let row = query(SELECT)
        .bind(signed(tenant.0)?)
        .bind(signed(id.0)?)
        .row(connection)
        .await
        .map_err(StoreError::doing("read a trunk"))?;
    row.as_ref().map(from_row).transpose()
}

fn from_row(row: &Row) -> Result<TrunkUse, StoreError> {
    let raw = TrunkRow::read(row).map_err(StoreError::doing("read a trunk"))?;
    let hosts: Vec<String> = list_of(&raw.hosts, "trunks.hosts")?;
    let hosts = hosts.iter().map(|host| TrunkHost::parse(host)).collect::<Result<_, _>>();
    let addresses: Vec<String> = list_of(&raw.addresses, "trunks.addresses")?;
    let addresses = addresses.iter().map(|a| Network::parse(a)).collect::<Result<_, _>>();
    let credentials = raw
        .login
        .zip(raw.password)
        .map(|(login, password)| TrunkCredentials { login, password: Secret::new(&password) });
    let registration = optional(raw.register_expires_s, "trunks.register_expires_s")?;
    let trunk = Trunk {
        id: TrunkId(unsigned(raw.id, "trunks.id")?),
        tenant: client_of(row)?,
        name: raw.name,
        hosts: hosts.map_err(corrupt("trunks.hosts"))?,
        transport: transport_of(&raw.transport)?,
        credentials,
        registration: registration.map(|expires_s| TrunkRegistration { expires_s }),
        addresses: addresses.map_err(corrupt("trunks.addresses"))?,
        did_from: did_from_of(&raw.did_from)?,
        from_user: raw.from_user,
        identity: identity_of(&raw.identity)?,
        forwarding_headers: forwarding_of(&raw.forwarding_headers)?,
        enabled: raw.enabled,
    };
    let fixed = raw.fixed_caller_id.as_deref().map(Number::parse).transpose();
    let patterns: Vec<Pattern> = list_of(&raw.patterns, "trunks.patterns")?;
    Ok(TrunkUse {
        trunk: Arc::new(trunk),
        patterns,
        country: raw.country.into(),
        rewrite_in: list_of(&raw.rewrite_in, "trunks.rewrite_in")?,
        rewrite_out: list_of(&raw.rewrite_out, "trunks.rewrite_out")?,
        channels: optional(raw.channels, "trunks.channels")?,
        caller_id: shown_of(&raw.caller_id)?,
        fixed_caller_id: fixed.map_err(corrupt("trunks.fixed_caller_id"))?,
        update_display: raw.update_display,
    })
}

/// The columns as they lie in the table.
struct TrunkRow {
    id: i64,
    name: String,
    hosts: String,
    addresses: String,
    transport: String,
    login: Option<String>,
    password: Option<String>,
    register_expires_s: Option<i64>,
    patterns: String,
    country: String,
    did_from: String,
    rewrite_in: String,
    rewrite_out: String,
    from_user: Option<String>,
    identity: String,
    caller_id: String,
    fixed_caller_id: Option<String>,
    forwarding_headers: String,
    update_display: bool,
    channels: Option<i64>,
    enabled: bool,
}

impl TrunkRow {
    fn read(row: &Row) -> Result<TrunkRow, sqlx::Error> {
        Ok(TrunkRow {
            id: row.try_get("id")?,
            name: row.try_get("name")?,
            hosts: row.try_get("hosts")?,
            addresses: row.try_get("addresses")?,
            transport: row.try_get("transport")?,
            login: row.try_get("login")?,
            password: row.try_get("password")?,
            register_expires_s: row.try_get("register_expires_s")?,
            patterns: row.try_get("patterns")?,
            country: row.try_get("country")?,
            did_from: row.try_get("did_from")?,
            rewrite_in: row.try_get("rewrite_in")?,
            rewrite_out: row.try_get("rewrite_out")?,
            from_user: row.try_get("from_user")?,
            identity: row.try_get("identity")?,
            caller_id: row.try_get("caller_id")?,
            fixed_caller_id: row.try_get("fixed_caller_id")?,
            forwarding_headers: row.try_get("forwarding_headers")?,
            update_display: row.try_get("update_display")?,
            channels: row.try_get("channels")?,
            enabled: row.try_get("enabled")?,
        })
    }
}

words!("trunks.transport": transport_word, transport_of, TrunkTransport {
    "udp" = TrunkTransport::Udp,
    "tcp" = TrunkTransport::Tcp,
    "tls" = TrunkTransport::Tls,
});
words!("trunks.did_from": did_from_word, did_from_of, DidFrom {
    "request-uri" = DidFrom::RequestUri,
    "to" = DidFrom::To,
    "p-called-party-id" = DidFrom::PCalledPartyId,
});
words!("trunks.identity": identity_word, identity_of, IdentityHeader {
    "from" = IdentityHeader::From,
    "pai" = IdentityHeader::Pai,
    "rpid" = IdentityHeader::Rpid,
});
words!("trunks.caller_id": shown_word, shown_of, ShownOnForward {
    "original" = ShownOnForward::Original,
    "diverting" = ShownOnForward::Diverting,
    "fixed" = ShownOnForward::Fixed,
});
words!("trunks.forwarding_headers": forwarding_word, forwarding_of, ForwardingHeaders {
    "diversion" = ForwardingHeaders::Diversion,
    "history-info" = ForwardingHeaders::HistoryInfo,
    "both" = ForwardingHeaders::Both,
    "none" = ForwardingHeaders::None,
});
