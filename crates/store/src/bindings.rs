//! Table `bindings`: the registered contacts of phones.

use std::net::SocketAddr;

use leg::{Binding, BindingChange};
use model::{DeviceId, ExtensionId, TenantId, Wall};
use sqlx::FromRow;

use crate::connection::Connection;
use crate::db::{self, signed, unsigned};
use crate::error::StoreError;
use crate::limits;
use crate::query::{ManyRows, query};

db::statements! {
    /// For the node itself at its start. What belongs to an extension that is gone is left out:
    /// its journal may have been loaded after the extension was deleted.
    SELECT_LIVE = "SELECT b.client_id, b.extension_id, b.device_id, b.contact, b.call_id, b.cseq, \
        b.q, b.expires_us, b.transport, b.local, b.remote, b.path, b.user_agent, b.instance \
        FROM bindings b JOIN extensions e ON e.id = b.extension_id AND e.client_id = b.client_id \
        WHERE b.expires_us > $1 ORDER BY b.client_id, b.extension_id, b.device_id";
}

/// One registered contact: devices are numbered inside their extension.
pub(crate) type BindingKey = (TenantId, ExtensionId, DeviceId);

/// Writes the newest states of contacts.
pub(crate) async fn save(
    connection: &mut Connection,
    bindings: &[(BindingKey, &Binding)],
) -> Result<(), StoreError> {
    for part in bindings.chunks(limits::ROWS_PER_STATEMENT) {
        save_statement(part)?
            .execute(connection)
            .await
            .map_err(StoreError::doing("save registrations"))?;
    }
    Ok(())
}

pub(crate) fn save_statement<'a>(
    bindings: &'a [(BindingKey, &'a Binding)],
) -> Result<ManyRows<'a>, StoreError> {
    let rows = bindings
        .iter()
        .map(|(key, b)| Ok((signed_key(key)?, path_text(&b.path)?, *b)))
        .collect::<Result<Vec<_>, StoreError>>()?;
    let mut statement = ManyRows::new(
        "INSERT INTO bindings (client_id, extension_id, device_id, contact, call_id, cseq, q, \
         expires_us, transport, local, remote, path, user_agent, instance) ",
    );
    statement.push_values(rows, |row, ([client, extension, device], path, b)| {
        row.push_bind(client)
            .push_bind(extension)
            .push_bind(device)
            .push_bind(b.contact.as_str())
            .push_bind(b.call_id.as_str())
            .push_bind(i64::from(b.cseq))
            .push_bind(i64::from(b.q))
            .push_bind(b.expires.0)
            .push_bind(b.transport.as_str())
            .push_bind(b.local.to_string())
            .push_bind(b.remote.to_string())
            .push_bind(path)
            .push_bind(b.user_agent.as_str())
            .push_bind(b.instance.as_deref());
    });
    statement.push(
        " ON CONFLICT (client_id, extension_id, device_id) DO UPDATE SET \
         contact = excluded.contact, call_id = excluded.call_id, cseq = excluded.cseq, \
         q = excluded.q, expires_us = excluded.expires_us, transport = excluded.transport, \
         local = excluded.local, remote = excluded.remote, path = excluded.path, \
         user_agent = excluded.user_agent, instance = excluded.instance",
    );
    Ok(statement)
}

/// Forgets contacts that are gone.
pub(crate) async fn forget(
    connection: &mut Connection,
    keys: &[BindingKey],
) -> Result<(), StoreError> {
    for part in keys.chunks(limits::ROWS_PER_STATEMENT) {
        forget_statement(part)?
            .execute(connection)
            .await
            .map_err(StoreError::doing("forget registrations"))?;
    }
    Ok(())
}

pub(crate) fn forget_statement(keys: &[BindingKey]) -> Result<ManyRows<'_>, StoreError> {
    let rows = keys.iter().map(signed_key).collect::<Result<Vec<_>, StoreError>>()?;
    let mut statement =
        ManyRows::new("DELETE FROM bindings WHERE (client_id, extension_id, device_id) IN (");
    statement.push_values(rows, |row, [client, extension, device]| {
        row.push_bind(client).push_bind(extension).push_bind(device);
    });
    statement.push(")");
    Ok(statement)
}

/// The contacts of all clients that are good at `now`, for [`crate::operator`].
pub(crate) async fn live(
    connection: &mut Connection,
    now: Wall,
) -> Result<Vec<BindingChange>, StoreError> {
    let rows: Vec<BindingRow> = query(SELECT_LIVE)
        .bind(now.0)
        .fetch_all(connection)
        .await
        .map_err(StoreError::doing("read registrations"))?;
    rows.into_iter().map(BindingRow::change).collect()
}

fn signed_key((tenant, extension, device): &BindingKey) -> Result<[i64; 3], StoreError> {
    Ok([signed(tenant.0)?, signed(extension.0)?, signed(device.0)?])
}

/// The Path of RFC 3327 as a JSON array of texts: its URIs may hold any separator.
fn path_text(path: &[String]) -> Result<String, StoreError> {
    serde_json::to_string(path).map_err(db::corrupt("bindings.path"))
}

#[derive(FromRow)]
struct BindingRow {
    client_id: i64,
    extension_id: i64,
    device_id: i64,
    contact: String,
    call_id: String,
    cseq: i64,
    q: i64,
    expires_us: i64,
    transport: String,
    local: String,
    remote: String,
    path: String,
    user_agent: String,
    instance: Option<String>,
}

impl BindingRow {
    fn change(self) -> Result<BindingChange, StoreError> {
        let address = |text: &str, column| text.parse::<SocketAddr>().map_err(db::corrupt(column));
        Ok(BindingChange {
            tenant: TenantId(unsigned(self.client_id, "bindings.client_id")?),
            extension: ExtensionId(unsigned(self.extension_id, "bindings.extension_id")?),
            device: DeviceId(unsigned(self.device_id, "bindings.device_id")?),
            binding: Some(Binding {
                cseq: unsigned(self.cseq, "bindings.cseq")?,
                q: unsigned(self.q, "bindings.q")?,
                expires: Wall(self.expires_us),
                local: address(&self.local, "bindings.local")?,
                remote: address(&self.remote, "bindings.remote")?,
                path: serde_json::from_str(&self.path).map_err(db::corrupt("bindings.path"))?,
                contact: self.contact,
                call_id: self.call_id,
                transport: self.transport,
                user_agent: self.user_agent,
                instance: self.instance,
            }),
        })
    }
}
