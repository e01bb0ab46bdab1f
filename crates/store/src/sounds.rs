//! Table `sounds`: what clients have uploaded, each with the file that is played.
//!
//! A file belongs to one row. Whoever changes or removes a row gets the id of the file that no row
//! names any more, and removes it after the commit; what a crash leaves between the two is found
//! by [`Store::unnamed`].

use std::sync::Arc;

use model::{FileId, Sound, SoundId, TenantId, Wall};

use crate::clients;
use crate::connection::{Connection, commit};
use crate::db::{self, signed, unknown_word, unsigned};
use crate::error::StoreError;
use crate::limits;
use crate::open::Store;
use crate::parts::{Part, first_number};
use crate::query::{ManyRows, Row, query};

macro_rules! columns {
    () => {
        "id, client_id, title, filename, file, length_ms, bytes, created_us"
    };
}

db::statements! {
    SELECT = concat!("SELECT ", columns!(), " FROM sounds WHERE client_id = $1 AND id = $2");
    SELECT_OF_CLIENT = concat!("SELECT ", columns!(), " FROM sounds WHERE client_id = $1");
    SELECT_CHANGED =
        concat!("SELECT ", columns!(), " FROM sounds WHERE client_id = $1 AND revision > $2");
    /// For the node itself, which serves all clients.
    SELECT_ALL = concat!("SELECT ", columns!(), " FROM sounds ORDER BY client_id");
    SELECT_IDS = "SELECT id FROM sounds WHERE client_id = $1";
    SELECT_EXTENT = "SELECT count(*) AS sounds, CAST(COALESCE(sum(bytes), 0) AS BIGINT) AS bytes \
        FROM sounds WHERE client_id = $1";
    INSERT = "INSERT INTO sounds (client_id, title, filename, file, length_ms, bytes, created_us, \
        revision) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING id";
    UPDATE_TITLE = "UPDATE sounds SET title = $3, revision = $4 WHERE client_id = $1 AND id = $2";
    UPDATE_CONTENT = "UPDATE sounds SET filename = $3, file = $4, length_ms = $5, bytes = $6, \
        revision = $7 WHERE client_id = $1 AND id = $2";
    DELETE = "DELETE FROM sounds WHERE client_id = $1 AND id = $2";
    /// The first phone that is set to a sound, and the field that names it.
    SELECT_USED_BY_PHONE = "SELECT e.name, CASE \
        WHEN p.vm_greeting = $2 THEN 'vm_greeting' \
        WHEN p.hold_music = $2 THEN 'hold_music' \
        WHEN p.ringback_sound = $2 THEN 'ringback_sound' \
        WHEN p.announce_sound_upon_outgoing_call = $2 THEN 'announce_sound_upon_outgoing_call' \
        ELSE 'announce_sound_upon_incoming_call' END AS field \
        FROM extensions e JOIN phones p ON p.extension_id = e.id WHERE e.client_id = $1 \
        AND $2 IN (p.vm_greeting, p.hold_music, p.ringback_sound, \
        p.announce_sound_upon_outgoing_call, p.announce_sound_upon_incoming_call) \
        ORDER BY e.name LIMIT 1";
    /// Whether the client's own music is a sound.
    SELECT_USED_BY_CLIENT =
        "SELECT 1 FROM client_settings WHERE client_id = $1 AND hold_music = $2";
    /// The first rule that plays a sound, and whose it is.
    SELECT_USED_BY_RULE = "SELECT e.name, r.id FROM rules r \
        JOIN extensions e ON e.id = r.extension_id \
        WHERE r.client_id = $1 AND r.playfile_sound = $2 ORDER BY e.name, r.position LIMIT 1";
}

/// What calls see of sounds.
pub(crate) const PART: Part<SoundId, Arc<Sound>> = Part {
    name: "read sounds",
    of_client: SELECT_OF_CLIENT,
    changed: SELECT_CHANGED,
    keys: SELECT_IDS,
    all: SELECT_ALL,
    key: |row| Ok(SoundId(first_number(row)?)),
    read: played,
};

/// A sound with what only its owner sees of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredSound {
    /// Its id, never given again.
    pub id: SoundId,
    /// What its owner calls it.
    pub title: String,
    /// What is played.
    pub content: SoundContent,
    /// When it was added.
    pub created: Wall,
}

/// An uploaded and converted file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SoundContent {
    /// As it was uploaded.
    pub filename: String,
    /// The converted file.
    pub file: FileId,
    /// How long it is, milliseconds.
    pub length_ms: u32,
    /// The size of the converted file.
    pub bytes: u64,
}

impl Store {
    /// Adds a sound whose file is there already. `None`: no such client.
    pub async fn create_sound(
        &self,
        tenant: TenantId,
        title: &str,
        content: &SoundContent,
        created: Wall,
    ) -> Result<Option<StoredSound>, StoreError> {
        let mut write = self.begin_write().await?;
        let Some(revision) = clients::next_routing_revision(&mut write, tenant).await? else {
            return Ok(None);
        };
        fits(&mut write, tenant, Adding { sounds: 1, bytes: content.bytes, instead_of: 0 }).await?;
        let id: i64 = query(INSERT)
            .bind(signed(tenant.0)?)
            .bind(title)
            .bind(&content.filename)
            .bind(content.file.to_string())
            .bind(i64::from(content.length_ms))
            .bind(signed(content.bytes)?)
            .bind(created.0)
            .bind(revision)
            .fetch_one(&mut write)
            .await
            .map_err(StoreError::doing("add a sound"))?;
        let stored = one(&mut write, tenant, SoundId(unsigned(id, "sounds.id")?)).await?;
        commit(write).await?;
        Ok(stored)
    }

    /// Gives a sound another title. `None`: the client has no such sound.
    pub async fn rename_sound(
        &self,
        tenant: TenantId,
        id: SoundId,
        title: &str,
    ) -> Result<Option<StoredSound>, StoreError> {
        let mut write = self.begin_write().await?;
        let Some(revision) = clients::next_routing_revision(&mut write, tenant).await? else {
            return Ok(None);
        };
        let done = query(UPDATE_TITLE)
            .bind(signed(tenant.0)?)
            .bind(signed(id.0)?)
            .bind(title)
            .bind(revision)
            .execute(&mut write)
            .await
            .map_err(StoreError::doing("rename a sound"))?;
        if done == 0 {
            return Ok(None);
        }
        let stored = one(&mut write, tenant, id).await?;
        commit(write).await?;
        Ok(stored)
    }

    /// Gives a sound another content, whose file is there already; with the file that is of no use
    /// any more. `None`: the client has no such sound.
    pub async fn replace_sound(
        &self,
        tenant: TenantId,
        id: SoundId,
        content: &SoundContent,
    ) -> Result<Option<(StoredSound, FileId)>, StoreError> {
        let mut write = self.begin_write().await?;
        let Some(revision) = clients::next_routing_revision(&mut write, tenant).await? else {
            return Ok(None);
        };
        let Some(old) = one(&mut write, tenant, id).await? else { return Ok(None) };
        let (bytes, instead_of) = (content.bytes, old.content.bytes);
        fits(&mut write, tenant, Adding { sounds: 0, bytes, instead_of }).await?;
        query(UPDATE_CONTENT)
            .bind(signed(tenant.0)?)
            .bind(signed(id.0)?)
            .bind(&content.filename)
            .bind(content.file.to_string())
            .bind(i64::from(content.length_ms))
            .bind(signed(content.bytes)?)
            .bind(revision)
            .execute(&mut write)
            .await
            .map_err(StoreError::doing("replace a sound"))?;
        let stored = one(&mut write, tenant, id).await?;
        commit(write).await?;
        Ok(stored.map(|stored| (stored, old.content.file)))
    }

    /// Removes a sound that nothing uses; with its file. `None`: the client has no such sound.
    pub async fn delete_sound(
        &self,
        tenant: TenantId,
        id: SoundId,
    ) -> Result<Option<FileId>, StoreError> {
        let mut write = self.begin_write().await?;
        // Whoever would begin to use it waits until this is done.
        clients::next_routing_revision(&mut write, tenant).await?;
        let Some(old) = one(&mut write, tenant, id).await? else { return Ok(None) };
        if let Some(by) = used_by(&mut write, tenant, id).await? {
            return Err(StoreError::InUse { by });
        }
        query(DELETE)
            .bind(signed(tenant.0)?)
            .bind(signed(id.0)?)
            .execute(&mut write)
            .await
            .map_err(StoreError::doing("delete a sound"))?;
        commit(write).await?;
        Ok(Some(old.content.file))
    }

    /// The sounds of a client, by their ids.
    pub async fn sounds(&self, tenant: TenantId) -> Result<Vec<StoredSound>, StoreError> {
        let rows = query(SELECT_OF_CLIENT)
            .bind(signed(tenant.0)?)
            .rows(&mut self.reading().await?)
            .await
            .map_err(StoreError::doing("read a client's sounds"))?;
        let mut sounds = rows.iter().map(from_row).collect::<Result<Vec<_>, _>>()?;
        sounds.sort_by_key(|sound| sound.id);
        Ok(sounds)
    }

    /// One sound.
    pub async fn sound(
        &self,
        tenant: TenantId,
        id: SoundId,
    ) -> Result<Option<StoredSound>, StoreError> {
        one(&mut self.reading().await?, tenant, id).await
    }
}

/// That what a phone is to be set to is there; fields that are as they were stay as they are.
pub(crate) async fn check_phone(
    connection: &mut Connection,
    tenant: TenantId,
    old: &model::PhoneShown,
    new: &model::PhoneShown,
) -> Result<(), StoreError> {
    let fields = |phone: &model::PhoneShown| {
        [
            ("vm_greeting", phone.vm_greeting),
            ("hold_music", phone.hold_music),
            ("ringback_sound", phone.ringback_sound),
            ("announce_sound_upon_outgoing_call", phone.announce_sound_upon_outgoing_call),
            ("announce_sound_upon_incoming_call", phone.announce_sound_upon_incoming_call),
        ]
    };
    for ((field, wanted), (_, before)) in fields(new).into_iter().zip(fields(old)) {
        let Some(id) = wanted.filter(|_| wanted != before) else { continue };
        if !exists(connection, tenant, SoundId(id)).await? {
            return Err(StoreError::NoSuch { field });
        }
    }
    Ok(())
}

/// Whether a client has a sound.
pub(crate) async fn exists(
    connection: &mut Connection,
    tenant: TenantId,
    id: SoundId,
) -> Result<bool, StoreError> {
    Ok(one(connection, tenant, id).await?.is_some())
}

/// What uses a sound, in words for its owner.
async fn used_by(
    connection: &mut Connection,
    tenant: TenantId,
    id: SoundId,
) -> Result<Option<String>, StoreError> {
    let phone: Option<(String, String)> = query(SELECT_USED_BY_PHONE)
        .bind(signed(tenant.0)?)
        .bind(signed(id.0)?)
        .fetch_optional(connection)
        .await
        .map_err(StoreError::doing("look for what uses a sound"))?;
    if let Some((name, field)) = phone {
        return Ok(Some(format!("{field} of the phone {name}")));
    }
    let rule: Option<(String, i64)> = query(SELECT_USED_BY_RULE)
        .bind(signed(tenant.0)?)
        .bind(signed(id.0)?)
        .fetch_optional(connection)
        .await
        .map_err(StoreError::doing("look for what uses a sound"))?;
    if let Some((name, id)) = rule {
        return Ok(Some(format!("rule {id} of extension {name}")));
    }
    let is_client_s = query(SELECT_USED_BY_CLIENT)
        .bind(signed(tenant.0)?)
        .bind(signed(id.0)?)
        .row(connection)
        .await
        .map_err(StoreError::doing("look for what uses a sound"))?;
    Ok(is_client_s.map(|_| "hold_music of the client".to_owned()))
}

/// What comes to a client's sounds.
struct Adding {
    sounds: u64,
    bytes: u64,
    /// Bytes that go in return.
    instead_of: u64,
}

async fn fits(
    connection: &mut Connection,
    tenant: TenantId,
    adding: Adding,
) -> Result<(), StoreError> {
    let extent: Option<(i64, i64)> = query(SELECT_EXTENT)
        .bind(signed(tenant.0)?)
        .fetch_optional(connection)
        .await
        .map_err(StoreError::doing("measure a client's sounds"))?;
    let (sounds, bytes) = extent.unwrap_or_default();
    let sounds: u64 = unsigned(sounds, "count(sounds)")?;
    let bytes: u64 = unsigned(bytes, "sum(sounds.bytes)")?;
    let after = bytes.saturating_sub(adding.instead_of).saturating_add(adding.bytes);
    if sounds + adding.sounds > limits::SOUNDS_MAX {
        return Err(too_many("sounds", limits::SOUNDS_MAX));
    }
    if after > limits::SOUND_BYTES_MAX {
        return Err(too_many("bytes of all sounds", limits::SOUND_BYTES_MAX));
    }
    Ok(())
}

fn too_many(what: &'static str, max: u64) -> StoreError {
    StoreError::TooMany { what, max: usize::try_from(max).unwrap_or(usize::MAX) }
}

async fn one(
    connection: &mut Connection,
    tenant: TenantId,
    id: SoundId,
) -> Result<Option<StoredSound>, StoreError> {
    let row = query(SELECT)
        .bind(signed(tenant.0)?)
        .bind(signed(id.0)?)
        .row(connection)
        .await
        .map_err(StoreError::doing("read a sound"))?;
    row.as_ref().map(from_row).transpose()
}

/// Which of these files some sound names.
pub(crate) fn named_statement(files: &[String]) -> ManyRows<'_> {
    let mut statement = ManyRows::new("SELECT file FROM sounds WHERE file IN (");
    statement.push_values(files, |row, file| {
        row.push_bind(file);
    });
    statement.push(")");
    statement
}

fn played(row: &Row) -> Result<(SoundId, Arc<Sound>), StoreError> {
    let StoredSound { id, content: SoundContent { file, length_ms, .. }, .. } = from_row(row)?;
    Ok((id, Arc::new(Sound { file, length_ms })))
}

fn from_row(row: &Row) -> Result<StoredSound, StoreError> {
    let raw = SoundRow::read(row).map_err(StoreError::doing("read a sound"))?;
    Ok(StoredSound {
        id: SoundId(unsigned(raw.id, "sounds.id")?),
        title: raw.title,
        content: SoundContent {
            filename: raw.filename,
            file: file_of(&raw.file, "sounds.file")?,
            length_ms: unsigned(raw.length_ms, "sounds.length_ms")?,
            bytes: unsigned(raw.bytes, "sounds.bytes")?,
        },
        created: Wall(raw.created_us),
    })
}

/// A column with the name of a file.
pub(crate) fn file_of(text: &str, column: &'static str) -> Result<FileId, StoreError> {
    FileId::parse(text).ok_or_else(|| unknown_word(column, text))
}

struct SoundRow {
    id: i64,
    title: String,
    filename: String,
    file: String,
    length_ms: i64,
    bytes: i64,
    created_us: i64,
}

impl SoundRow {
    fn read(row: &Row) -> Result<SoundRow, sqlx::Error> {
        Ok(SoundRow {
            id: row.try_get("id")?,
            title: row.try_get("title")?,
            filename: row.try_get("filename")?,
            file: row.try_get("file")?,
            length_ms: row.try_get("length_ms")?,
            bytes: row.try_get("bytes")?,
            created_us: row.try_get("created_us")?,
        })
    }
}
