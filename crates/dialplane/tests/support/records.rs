//! What the switch has written down, read as an operator would: from its database.

use std::time::Duration;

use loadgen::watch;
use model::FileId;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteRow};
use sqlx::{ConnectOptions as _, Row as _};

use super::Site;

/// The record of one leg.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CallRecord {
    /// The extension that owned the leg.
    pub(crate) extension: u64,
    /// What makes it unique.
    pub(crate) sub_call_id: String,
    /// Why it ended.
    pub(crate) reason: String,
}

/// Waits until there are `count` records of legs, and gives all that there are.
pub(crate) fn call_records(site: &Site, count: usize, within: Duration) -> Vec<CallRecord> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    let found = watch::until(site.data_dir(), within, "call records", || {
        let records = runtime.block_on(read(site)).unwrap_or_default();
        Ok((records.len() >= count).then_some(records))
    });
    found.expect("the records are in the database")
}

/// The row of a recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RecordingRow {
    /// Its file.
    pub(crate) file: FileId,
    /// What its file is.
    pub(crate) format: String,
    /// How large it is.
    pub(crate) bytes: u64,
}

/// All recordings that there are; none while the database is busy.
pub(crate) fn recordings(site: &Site) -> Vec<RecordingRow> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let query = async {
        let query = "SELECT file, format, bytes FROM recordings ORDER BY file";
        sqlx::query(query).fetch_all(&mut connect(site).await?).await
    };
    let rows = runtime.expect("a runtime").block_on(query).unwrap_or_default();
    let row = |row: &SqliteRow| RecordingRow {
        file: FileId::parse(row.get(0)).expect("an id"),
        format: row.get(1),
        bytes: u64::try_from(row.get::<i64, _>(2)).expect("a size"),
    };
    rows.iter().map(row).collect()
}

async fn connect(site: &Site) -> Result<SqliteConnection, sqlx::Error> {
    let entries = std::fs::read_dir(site.data_dir())?;
    let database = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.extension().is_some_and(|ending| ending == "db" || ending == "sqlite"))
        .ok_or(sqlx::Error::RowNotFound)?;
    let options = SqliteConnectOptions::new().filename(database).read_only(true);
    options.connect().await
}

async fn read(site: &Site) -> Result<Vec<CallRecord>, sqlx::Error> {
    let mut connection = connect(site).await?;
    let query = "SELECT extension_id, sub_call_id, reason FROM cdr_legs ORDER BY sub_call_id";
    let rows = sqlx::query(query).fetch_all(&mut connection).await?;
    rows.iter()
        .map(|row| {
            Ok(CallRecord {
                extension: u64::try_from(row.try_get::<i64, _>(0)?).unwrap_or_default(),
                sub_call_id: row.try_get(1)?,
                reason: row.try_get(2)?,
            })
        })
        .collect()
}
