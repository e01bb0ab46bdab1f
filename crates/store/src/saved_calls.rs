//! Table `saved_calls`: the newest state of each call that is up.

use leg::SavedCall;
use model::{CallId, TenantId};

use crate::connection::Connection;
use crate::db::{self, signed, unsigned};
use crate::error::StoreError;
use crate::query::{ManyRows, prepared_parts, query};

db::statements! {
    /// For the node itself at its start.
    SELECT_ALL = "SELECT client_id, call_id, exchange, stack FROM saved_calls \
        ORDER BY client_id, call_id";
}

/// A call: ids of calls are unique inside their tenant.
pub(crate) type CallKey = (TenantId, CallId);

/// Writes the newest states of calls.
pub(crate) async fn save(
    connection: &mut Connection,
    calls: &[&SavedCall],
) -> Result<(), StoreError> {
    for part in prepared_parts(calls) {
        save_statement(part)?.execute(connection).await.map_err(StoreError::doing("save calls"))?;
    }
    Ok(())
}

pub(crate) fn save_statement<'a>(calls: &'a [&'a SavedCall]) -> Result<ManyRows<'a>, StoreError> {
    let rows = calls
        .iter()
        .map(|c| Ok((signed(c.tenant.0)?, signed(c.call.0)?, &c.exchange, &c.stack)))
        .collect::<Result<Vec<_>, StoreError>>()?;
    let mut statement =
        ManyRows::new("INSERT INTO saved_calls (client_id, call_id, exchange, stack) ");
    statement.push_values(rows, |row, (client, call, exchange, stack)| {
        row.push_bind(client)
            .push_bind(call)
            .push_bind(exchange.as_slice())
            .push_bind(stack.as_slice());
    });
    statement.push(
        " ON CONFLICT (client_id, call_id) DO UPDATE SET exchange = excluded.exchange, \
         stack = excluded.stack",
    );
    Ok(statement)
}

/// Forgets calls that are over.
pub(crate) async fn forget(
    connection: &mut Connection,
    calls: &[CallKey],
) -> Result<(), StoreError> {
    for part in prepared_parts(calls) {
        forget_statement(part)?
            .execute(connection)
            .await
            .map_err(StoreError::doing("forget calls"))?;
    }
    Ok(())
}

pub(crate) fn forget_statement(calls: &[CallKey]) -> Result<ManyRows<'_>, StoreError> {
    let rows = calls
        .iter()
        .map(|(tenant, call)| Ok((signed(tenant.0)?, signed(call.0)?)))
        .collect::<Result<Vec<_>, StoreError>>()?;
    let mut statement = ManyRows::new("DELETE FROM saved_calls WHERE (client_id, call_id) IN (");
    statement.push_values(rows, |row, (client, call)| {
        row.push_bind(client).push_bind(call);
    });
    statement.push(")");
    Ok(statement)
}

/// All calls that were up, for [`crate::operator`].
pub(crate) async fn all(connection: &mut Connection) -> Result<Vec<SavedCall>, StoreError> {
    let rows: Vec<(i64, i64, Vec<u8>, Vec<u8>)> = query(SELECT_ALL)
        .fetch_all(connection)
        .await
        .map_err(StoreError::doing("read saved calls"))?;
    rows.into_iter()
        .map(|(client, call, exchange, stack)| {
            Ok(SavedCall {
                tenant: TenantId(unsigned(client, "saved_calls.client_id")?),
                call: CallId(unsigned(call, "saved_calls.call_id")?),
                exchange,
                stack,
            })
        })
        .collect()
}
