//! Table `events`: what programs are told, in its final form and in order.

use leg::Event;

use crate::connection::Connection;
use crate::db::signed;
use crate::error::StoreError;
use crate::query::{ManyRows, prepared_parts};

/// Adds events; one that is there already stays as it is.
pub(crate) async fn add(connection: &mut Connection, events: &[&Event]) -> Result<(), StoreError> {
    for part in prepared_parts(events) {
        add_statement(part)?.execute(connection).await.map_err(StoreError::doing("add events"))?;
    }
    Ok(())
}

pub(crate) fn add_statement<'a>(events: &'a [&'a Event]) -> Result<ManyRows<'a>, StoreError> {
    let rows = events
        .iter()
        .map(|e| {
            let body = serde_json::to_string(e).map_err(|source| StoreError::Corrupt {
                column: "events.body",
                why: source.to_string(),
            })?;
            Ok((e, signed(e.tenant.0)?, signed(e.extension.0)?, body))
        })
        .collect::<Result<Vec<_>, StoreError>>()?;
    let mut statement = ManyRows::new(
        "INSERT INTO events (client_id, call_uuid, sequence, extension_id, kind, time_us, body) ",
    );
    statement.push_values(rows, |row, (e, client, extension, body)| {
        row.push_bind(client)
            .push_bind(e.call.uuid.hex())
            .push_bind(i64::from(e.sequence))
            .push_bind(extension)
            .push_bind(e.kind.as_str())
            .push_bind(e.time.0)
            .push_bind(body);
    });
    statement.push(" ON CONFLICT (call_uuid, sequence, client_id) DO NOTHING");
    Ok(statement)
}
