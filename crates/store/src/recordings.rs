//! Table `recordings`: talks that were recorded.
//!
//! Rows come from the journal; their files are whole by then. A call record finds its recording by
//! `SubCallID`, whichever of the two was written first.

use leg::Recording;
use model::{CallUuid, ExtensionId, NodeAddress, TenantId, Wall};

use crate::connection::Connection;
use crate::db::{self, signed, unknown_word, unsigned};
use crate::error::StoreError;
use crate::limits;
use crate::open::Store;
use crate::query::{ManyRows, query};
use crate::sounds::file_of;

db::statements! {
    SELECT_OF_PART = "SELECT file, extension_id, call_uuid, time_us, length_ms, bytes \
        FROM recordings WHERE client_id = $1 AND sub_call_id = $2";
}

/// A recording whose file is there.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredRecording {
    /// What was recorded.
    pub recording: Recording,
    /// The size of its file.
    pub bytes: u64,
}

impl Store {
    /// The recording of an extension's part in a call.
    pub async fn recording_of(
        &self,
        tenant: TenantId,
        sub_call_id: &str,
    ) -> Result<Option<StoredRecording>, StoreError> {
        let row = query(SELECT_OF_PART)
            .bind(signed(tenant.0)?)
            .bind(sub_call_id)
            .row(&mut self.reading().await?)
            .await
            .map_err(StoreError::doing("read a recording"))?;
        let Some(row) = row else { return Ok(None) };
        let text = |column: &str| -> Result<String, sqlx::Error> { row.try_get(column) };
        let number = |column: &str| -> Result<i64, sqlx::Error> { row.try_get(column) };
        let read = || -> Result<_, sqlx::Error> {
            let numbers = (number("extension_id")?, number("time_us")?, number("length_ms")?);
            Ok((text("file")?, text("call_uuid")?, numbers, number("bytes")?))
        };
        let (file, call, (extension, time, length_ms), bytes) =
            read().map_err(StoreError::doing("read a recording"))?;
        let call =
            CallUuid::parse(&call).ok_or_else(|| unknown_word("recordings.call_uuid", &call))?;
        let recording = Recording {
            tenant,
            extension: ExtensionId(unsigned(extension, "recordings.extension_id")?),
            file: file_of(&file, "recordings.file")?,
            length_ms: unsigned(length_ms, "recordings.length_ms")?,
            call,
            sub_call_id: sub_call_id.into(),
            time: Wall(time),
        };
        let bytes = unsigned(bytes, "recordings.bytes")?;
        Ok(Some(StoredRecording { recording, bytes }))
    }
}

/// Adds recordings with the sizes of their files; one that is there already stays as it is.
pub(crate) async fn add(
    connection: &mut Connection,
    node: NodeAddress,
    recordings: &[(&Recording, u64)],
) -> Result<(), StoreError> {
    for part in recordings.chunks(limits::ROWS_PER_STATEMENT) {
        add_statement(node, part)?
            .execute(connection)
            .await
            .map_err(StoreError::doing("add recordings"))?;
    }
    Ok(())
}

pub(crate) fn add_statement<'a>(
    node: NodeAddress,
    recordings: &'a [(&'a Recording, u64)],
) -> Result<ManyRows<'a>, StoreError> {
    let rows = recordings
        .iter()
        .map(|(r, bytes)| Ok((r, signed(r.tenant.0)?, signed(r.extension.0)?, signed(*bytes)?)))
        .collect::<Result<Vec<_>, StoreError>>()?;
    let mut statement = ManyRows::new(
        "INSERT INTO recordings (file, client_id, extension_id, call_uuid, sub_call_id, time_us, \
         length_ms, bytes, node) ",
    );
    statement.push_values(rows, |row, (r, client, extension, bytes)| {
        row.push_bind(r.file.to_string())
            .push_bind(client)
            .push_bind(extension)
            .push_bind(r.call.hex())
            .push_bind(&*r.sub_call_id)
            .push_bind(r.time.0)
            .push_bind(i64::from(r.length_ms))
            .push_bind(bytes)
            .push_bind(i64::from(node.0));
    });
    statement.push(" ON CONFLICT (file) DO NOTHING");
    Ok(statement)
}

/// Which of these files some recording names.
pub(crate) fn named_statement(files: &[String]) -> ManyRows<'_> {
    let mut statement = ManyRows::new("SELECT file FROM recordings WHERE file IN (");
    statement.push_values(files, |row, file| {
        row.push_bind(file);
    });
    statement.push(")");
    statement
}
