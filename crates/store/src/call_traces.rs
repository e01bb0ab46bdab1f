//! Table `call_traces`: why calls that are over went where they went.

use std::sync::Arc;

use leg::CallTrace;
use model::{CallUuid, TenantId, Wall};

use crate::connection::Connection;
use crate::db::{self, signed};
use crate::error::StoreError;
use crate::open::Store;
use crate::parts::{list_of, list_text};
use crate::query::{ManyRows, prepared_parts, query};

db::statements! {
    SELECT = "SELECT began_us, called_did, caller, lines FROM call_traces \
        WHERE client_id = $1 AND call_uuid = $2";
}

impl Store {
    /// The trace of a call that is over. `None`: there was no such call, or nothing to explain.
    pub async fn call_trace(
        &self,
        tenant: TenantId,
        call: CallUuid,
    ) -> Result<Option<CallTrace>, StoreError> {
        let row: Option<(i64, Option<String>, Option<String>, String)> = query(SELECT)
            .bind(signed(tenant.0)?)
            .bind(call.hex())
            .fetch_optional(&mut self.reading().await?)
            .await
            .map_err(StoreError::doing("read a call's trace"))?;
        let Some((began, did, caller, lines)) = row else { return Ok(None) };
        Ok(Some(CallTrace {
            tenant,
            call,
            did: did.map(Arc::from),
            caller: caller.map(Arc::from),
            began: Wall(began),
            lines: list_of(&lines, "call_traces.lines")?,
        }))
    }
}

/// Adds traces; one that is there already stays as it is.
pub(crate) async fn add(
    connection: &mut Connection,
    traces: &[&CallTrace],
) -> Result<(), StoreError> {
    for part in prepared_parts(traces) {
        add_statement(part)?
            .execute(connection)
            .await
            .map_err(StoreError::doing("add traces of calls"))?;
    }
    Ok(())
}

pub(crate) fn add_statement<'a>(traces: &'a [&'a CallTrace]) -> Result<ManyRows<'a>, StoreError> {
    let rows = traces
        .iter()
        .map(|t| Ok((t, signed(t.tenant.0)?, list_text(&t.lines, "call_traces.lines")?)));
    let rows = rows.collect::<Result<Vec<_>, StoreError>>()?;
    let mut statement = ManyRows::new(
        "INSERT INTO call_traces (client_id, call_uuid, began_us, called_did, caller, lines) ",
    );
    statement.push_values(rows, |row, (trace, client, lines)| {
        row.push_bind(client)
            .push_bind(trace.call.hex())
            .push_bind(trace.began.0)
            .push_bind(trace.did.as_deref())
            .push_bind(trace.caller.as_deref())
            .push_bind(lines);
    });
    statement.push(" ON CONFLICT (client_id, call_uuid) DO NOTHING");
    Ok(statement)
}
