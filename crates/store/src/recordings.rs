//! Table `recordings`: talks that were recorded, and which of them are still to be converted.
//!
//! Rows come from the journal; their files are whole by then, in WAV. A call record finds its
//! recording by `SubCallID`, whichever of the two was written first. The table is the queue of the
//! conversion: a recording whose phone wants another format is due from the moment it is there
//! until it is converted, or it was tried too often. What its file is says the row alone: whoever
//! has read a row and finds no such file reads the row again.

use std::collections::BTreeMap;

use leg::Recording;
use model::{CallUuid, ExtensionId, FileFormat, FileId, NodeAddress, TenantId, Wall};

use crate::connection::{Connection, commit};
use crate::db::{self, signed, unknown_word, unsigned};
use crate::error::StoreError;
use crate::limits;
use crate::open::Store;
use crate::query::{ManyRows, Row, query};
use crate::sounds::file_of;

db::statements! {
    SELECT_OF_PART = "SELECT file, extension_id, call_uuid, time_us, length_ms, bytes, format, \
        wanted FROM recordings WHERE client_id = $1 AND sub_call_id = $2";
    /// For the node itself, which converts the recordings of all clients.
    SELECT_TO_CONVERT = "SELECT file, client_id, wanted, convert_attempts FROM recordings \
        WHERE node = $1 AND convert_due_us <= $2 ORDER BY convert_due_us LIMIT $3";
    UPDATE_CONVERTED = "UPDATE recordings SET format = $3, bytes = $4, convert_due_us = NULL \
        WHERE client_id = $1 AND file = $2";
    UPDATE_CONVERT_DUE = "UPDATE recordings SET convert_due_us = $3, convert_attempts = $4 \
        WHERE client_id = $1 AND file = $2";
}

/// A recording whose file is there.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredRecording {
    /// What was recorded; its format is what was asked for.
    pub recording: Recording,
    /// What its file is.
    pub format: FileFormat,
    /// The size of that file.
    pub bytes: u64,
}

/// A recording that is to be converted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unconverted {
    /// Whose.
    pub tenant: TenantId,
    /// Its file, in WAV.
    pub file: FileId,
    /// What it is to become.
    pub wanted: FileFormat,
    /// How often it was tried.
    pub attempts: u32,
}

/// What becomes of the conversion of a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conversion {
    /// The file of the new format is whole.
    Done {
        /// What it is.
        format: FileFormat,
        /// Its size.
        bytes: u64,
    },
    /// It failed so often; the next time is then.
    Later {
        /// Attempts so far.
        attempts: u32,
        /// When to try again.
        due: Wall,
    },
    /// It stays what it is.
    Never {
        /// Attempts so far.
        attempts: u32,
    },
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
        let raw = RecordingRow::read(&row).map_err(StoreError::doing("read a recording"))?;
        let call = CallUuid::parse(&raw.call_uuid)
            .ok_or_else(|| unknown_word("recordings.call_uuid", &raw.call_uuid))?;
        let recording = Recording {
            tenant,
            extension: ExtensionId(unsigned(raw.extension_id, "recordings.extension_id")?),
            file: file_of(&raw.file, "recordings.file")?,
            length_ms: unsigned(raw.length_ms, "recordings.length_ms")?,
            call,
            sub_call_id: sub_call_id.into(),
            time: Wall(raw.time_us),
            format: format_of(&raw.wanted, "recordings.wanted")?,
        };
        Ok(Some(StoredRecording {
            recording,
            format: format_of(&raw.format, "recordings.format")?,
            bytes: unsigned(raw.bytes, "recordings.bytes")?,
        }))
    }

    /// The recordings of a node that are to be converted by now, the longest due first; some at a
    /// time.
    pub async fn recordings_to_convert(
        &self,
        node: NodeAddress,
        now: Wall,
    ) -> Result<Vec<Unconverted>, StoreError> {
        let doing = || StoreError::doing("read recordings that are to be converted");
        let rows = query(SELECT_TO_CONVERT)
            .bind(i64::from(node.0))
            .bind(now.0)
            .bind(limits::CONVERSIONS_AT_ONCE)
            .rows(&mut self.reading().await?)
            .await
            .map_err(doing())?;
        rows.iter().map(|row| unconverted(row).map_err(doing())?).collect()
    }

    /// Notes what has become of a conversion. Whether there still is such a recording.
    pub async fn set_conversion(
        &self,
        tenant: TenantId,
        file: FileId,
        conversion: Conversion,
    ) -> Result<bool, StoreError> {
        let (client, file) = (signed(tenant.0)?, file.to_string());
        let statement = match conversion {
            Conversion::Done { format, bytes } => query(UPDATE_CONVERTED)
                .bind(client)
                .bind(file)
                .bind(format.as_str())
                .bind(signed(bytes)?),
            Conversion::Later { attempts, due } => query(UPDATE_CONVERT_DUE)
                .bind(client)
                .bind(file)
                .bind(Some(due.0))
                .bind(i64::from(attempts)),
            Conversion::Never { attempts } => query(UPDATE_CONVERT_DUE)
                .bind(client)
                .bind(file)
                .bind(None::<i64>)
                .bind(i64::from(attempts)),
        };
        let mut write = self.begin_write().await?;
        let doing = StoreError::doing("note a conversion");
        let noted = statement.execute(&mut write).await.map_err(doing)?;
        commit(write).await?;
        Ok(noted > 0)
    }

    /// What those of `files` are that some recording names in another format than WAV. For the
    /// node itself, which keeps no file in two formats.
    pub async fn converted(
        &self,
        files: &[FileId],
    ) -> Result<BTreeMap<FileId, FileFormat>, StoreError> {
        let mut read = self.begin_read().await?;
        let mut converted = BTreeMap::new();
        for part in files.chunks(limits::ROWS_PER_STATEMENT) {
            let texts: Vec<String> = part.iter().map(FileId::to_string).collect();
            let doing = || StoreError::doing("look for recordings that were converted");
            let found = converted_statement(&texts).rows(&mut read).await.map_err(doing())?;
            for row in &found {
                let file: String = row.try_get("file").map_err(doing())?;
                let format: String = row.try_get("format").map_err(doing())?;
                let format = format_of(&format, "recordings.format")?;
                converted.insert(file_of(&file, "recordings.file")?, format);
            }
        }
        Ok(converted)
    }
}

/// Adds recordings with the sizes of their files, due to be converted at once where that is wanted;
/// one that is there already stays as it is.
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
         length_ms, bytes, node, format, wanted, convert_due_us) ",
    );
    statement.push_values(rows, |row, (r, client, extension, bytes)| {
        let is_wav = r.format == FileFormat::Wav;
        row.push_bind(r.file.to_string())
            .push_bind(client)
            .push_bind(extension)
            .push_bind(r.call.hex())
            .push_bind(&*r.sub_call_id)
            .push_bind(r.time.0)
            .push_bind(i64::from(r.length_ms))
            .push_bind(bytes)
            .push_bind(i64::from(node.0))
            .push_bind(FileFormat::Wav.as_str())
            .push_bind(r.format.as_str())
            .push_bind((!is_wav).then_some(r.time.0));
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

/// Which of these files some recording names in another format than WAV, and in which.
pub(crate) fn converted_statement(files: &[String]) -> ManyRows<'_> {
    let mut statement =
        ManyRows::new("SELECT file, format FROM recordings WHERE format <> 'wav' AND file IN (");
    statement.push_values(files, |row, file| {
        row.push_bind(file);
    });
    statement.push(")");
    statement
}

fn format_of(word: &str, column: &'static str) -> Result<FileFormat, StoreError> {
    FileFormat::parse(word).ok_or_else(|| unknown_word(column, word))
}

fn unconverted(row: &Row) -> Result<Result<Unconverted, StoreError>, sqlx::Error> {
    let (file, wanted): (String, String) = (row.try_get("file")?, row.try_get("wanted")?);
    let (client, attempts): (i64, i64) =
        (row.try_get("client_id")?, row.try_get("convert_attempts")?);
    let read = || {
        Ok(Unconverted {
            tenant: TenantId(unsigned(client, "recordings.client_id")?),
            file: file_of(&file, "recordings.file")?,
            wanted: format_of(&wanted, "recordings.wanted")?,
            attempts: unsigned(attempts, "recordings.convert_attempts")?,
        })
    };
    Ok(read())
}

/// The columns as they lie in the table.
struct RecordingRow {
    file: String,
    extension_id: i64,
    call_uuid: String,
    time_us: i64,
    length_ms: i64,
    bytes: i64,
    format: String,
    wanted: String,
}

impl RecordingRow {
    fn read(row: &Row) -> Result<RecordingRow, sqlx::Error> {
        Ok(RecordingRow {
            file: row.try_get("file")?,
            extension_id: row.try_get("extension_id")?,
            call_uuid: row.try_get("call_uuid")?,
            time_us: row.try_get("time_us")?,
            length_ms: row.try_get("length_ms")?,
            bytes: row.try_get("bytes")?,
            format: row.try_get("format")?,
            wanted: row.try_get("wanted")?,
        })
    }
}
