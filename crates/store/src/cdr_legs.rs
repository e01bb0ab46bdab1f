//! Table `cdr_legs`: the records of legs that have ended.

use leg::{CdrFlow, CdrLeg};

use crate::connection::Connection;
use crate::db::signed;
use crate::error::StoreError;
use crate::query::{ManyRows, prepared_parts};

/// Adds records; one that is there already stays as it is.
pub(crate) async fn add(connection: &mut Connection, legs: &[&CdrLeg]) -> Result<(), StoreError> {
    for part in prepared_parts(legs) {
        add_statement(part)?
            .execute(connection)
            .await
            .map_err(StoreError::doing("add call records"))?;
    }
    Ok(())
}

pub(crate) fn add_statement<'a>(legs: &'a [&'a CdrLeg]) -> Result<ManyRows<'a>, StoreError> {
    let rows = legs
        .iter()
        .map(|l| Ok((l, signed(l.tenant.0)?, signed(l.extension.0)?, signed(l.talk_us)?)))
        .collect::<Result<Vec<_>, StoreError>>()?;
    let mut statement = ManyRows::new(
        "INSERT INTO cdr_legs (client_id, call_uuid, sub_call_id, extension_id, extension_name, \
         extension_kind, flow, reason, status, init_us, answer_us, hangup_us, talk_us, \
         from_username, from_domain, from_screen_name, to_username, to_domain, did_number, \
         asserted) ",
    );
    statement.push_values(rows, |row, (l, client, extension, talk_us)| {
        let (from_username, from_domain, from_screen_name) = &l.from;
        let (to_username, to_domain) = &l.to;
        row.push_bind(client)
            .push_bind(l.call.hex())
            .push_bind(&l.sub_call_id)
            .push_bind(extension)
            .push_bind(&l.extension_name)
            .push_bind(&*l.extension_kind)
            .push_bind(flow_word(l.flow))
            .push_bind(l.reason.label())
            .push_bind(l.status.map(i64::from))
            .push_bind(l.init_time.0)
            .push_bind(l.answer_time.map(|t| t.0))
            .push_bind(l.hangup_time.0)
            .push_bind(talk_us)
            .push_bind(from_username)
            .push_bind(from_domain)
            .push_bind(from_screen_name)
            .push_bind(to_username)
            .push_bind(to_domain)
            .push_bind(l.did_number.as_deref())
            .push_bind(l.asserted.as_deref());
    });
    statement.push(" ON CONFLICT (call_uuid, client_id, sub_call_id) DO NOTHING");
    Ok(statement)
}

fn flow_word(flow: CdrFlow) -> &'static str {
    match flow {
        CdrFlow::In => "in",
        CdrFlow::Out => "out",
        CdrFlow::Transfer => "transfer",
    }
}
