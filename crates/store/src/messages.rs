//! Table `messages`: what callers have left in voicemails, and which of it is still to be mailed.
//!
//! Rows come from the journal; their files are whole by then. The table is the queue of the mail:
//! a message is due from the moment it is there until its owner has it, or wants none.

use std::collections::BTreeMap;

use leg::{KnownMessage, Message, MessageChange, MessageFate};
use model::{CallUuid, ExtensionId, FileId, NodeAddress, TenantId, Wall};

use crate::connection::{Connection, commit};
use crate::db::{self, signed, unknown_word, unsigned};
use crate::error::StoreError;
use crate::limits;
use crate::open::Store;
use crate::query::{ManyRows, Row, query};
use crate::recordings;
use crate::sounds::{self, file_of};

macro_rules! select {
    ($tail:literal) => {
        concat!(
            "SELECT file, client_id, extension_id, call_uuid, sub_call_id, caller_number, \
             caller_name, called_did, time_us, length_ms, bytes, heard, mail_attempts \
             FROM messages ",
            $tail
        )
    };
}

db::statements! {
    SELECT = select!("WHERE client_id = $1 AND file = $2");
    SELECT_OF_CLIENT = select!(
        "WHERE client_id = $1 AND time_us >= $2 AND time_us <= $3 ORDER BY time_us, file LIMIT $4"
    );
    SELECT_OF_EXTENSION = select!(
        "WHERE client_id = $1 AND extension_id = $2 AND time_us >= $3 AND time_us <= $4 \
         ORDER BY time_us, file LIMIT $5"
    );
    /// For the node itself, which mails the messages of all clients.
    SELECT_TO_MAIL =
        select!("WHERE node = $1 AND mail_due_us <= $2 ORDER BY mail_due_us LIMIT $3");
    COUNT_OF_CLIENT = "SELECT extension_id, heard, COUNT(*) AS messages FROM messages \
        WHERE client_id = $1 GROUP BY extension_id, heard";
    COUNT_OF_EXTENSION = "SELECT extension_id, heard, COUNT(*) AS messages FROM messages \
        WHERE client_id = $1 AND extension_id = $2 GROUP BY extension_id, heard";
    SELECT_KNOWN = "SELECT file, length_ms, caller_number, time_us, heard FROM messages \
        WHERE client_id = $1 AND extension_id = $2 ORDER BY heard, time_us, file LIMIT $3";
    UPDATE_HEARD = "UPDATE messages SET heard = $3 WHERE client_id = $1 AND file = $2";
    UPDATE_MAIL = "UPDATE messages SET mail_due_us = $3, mail_attempts = $4, mailed = $5 \
        WHERE client_id = $1 AND file = $2";
    DELETE = "DELETE FROM messages WHERE client_id = $1 AND file = $2";
}

/// A message in a voicemail.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredMessage {
    /// What was left, and by whom.
    pub message: Message,
    /// The size of its file.
    pub bytes: u64,
    /// Whether somebody has listened to it.
    pub heard: bool,
    /// How often it was tried to mail it.
    pub mail_attempts: u32,
}

/// Whose messages are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessagesOf {
    /// All of the client.
    Client,
    /// Those of one extension.
    Extension(ExtensionId),
}

/// How many messages an extension has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MessageCounts {
    /// That nobody has listened to.
    pub new: u32,
    /// That somebody has listened to.
    pub old: u32,
}

/// What becomes of the mail for a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mail {
    /// A relay has taken it.
    Sent,
    /// It failed so often; the next time is then.
    Later {
        /// Attempts so far.
        attempts: u32,
        /// When to try again.
        due: Wall,
    },
    /// Nobody wants it, or no attempt can ever help.
    Never,
}

impl Store {
    /// Messages whose recording began in a span of time, both ends in it; the earliest first.
    pub async fn messages(
        &self,
        tenant: TenantId,
        of: MessagesOf,
        from: Wall,
        to: Wall,
    ) -> Result<Vec<StoredMessage>, StoreError> {
        let statement = match of {
            MessagesOf::Client => query(SELECT_OF_CLIENT).bind(signed(tenant.0)?),
            MessagesOf::Extension(id) => {
                query(SELECT_OF_EXTENSION).bind(signed(tenant.0)?).bind(signed(id.0)?)
            }
        };
        let rows = statement
            .bind(from.0)
            .bind(to.0)
            .bind(limits::MESSAGES_PER_LIST)
            .rows(&mut self.reading().await?)
            .await
            .map_err(StoreError::doing("read messages"))?;
        rows.iter().map(from_row).collect()
    }

    /// How many messages extensions have; those that have none are left out.
    pub async fn message_counts(
        &self,
        tenant: TenantId,
        of: MessagesOf,
    ) -> Result<BTreeMap<ExtensionId, MessageCounts>, StoreError> {
        let statement = match of {
            MessagesOf::Client => query(COUNT_OF_CLIENT).bind(signed(tenant.0)?),
            MessagesOf::Extension(id) => {
                query(COUNT_OF_EXTENSION).bind(signed(tenant.0)?).bind(signed(id.0)?)
            }
        };
        let doing = StoreError::doing("count messages");
        let rows = statement.rows(&mut self.reading().await?).await.map_err(doing)?;
        let mut all: BTreeMap<ExtensionId, MessageCounts> = BTreeMap::new();
        for row in &rows {
            let read = || -> Result<(i64, bool, i64), sqlx::Error> {
                Ok((row.try_get("extension_id")?, row.try_get("heard")?, row.try_get("messages")?))
            };
            let (extension, heard, count) = read().map_err(StoreError::doing("count messages"))?;
            let of = ExtensionId(unsigned(extension, "messages.extension_id")?);
            let counts = all.entry(of).or_default();
            let counter = if heard { &mut counts.old } else { &mut counts.new };
            *counter = unsigned(count, "messages")?;
        }
        Ok(all)
    }

    /// The messages of an extension that are listened to from a phone: new ones, then old ones,
    /// each the earliest first; no more than the bound.
    pub async fn known_messages(
        &self,
        tenant: TenantId,
        of: ExtensionId,
    ) -> Result<Vec<KnownMessage>, StoreError> {
        let doing = || StoreError::doing("read the messages of an extension");
        let rows = query(SELECT_KNOWN)
            .bind(signed(tenant.0)?)
            .bind(signed(of.0)?)
            .bind(limits::KNOWN_MESSAGES)
            .rows(&mut self.reading().await?)
            .await
            .map_err(doing())?;
        rows.iter().map(|row| known(row).map_err(doing())?).collect()
    }

    /// One message.
    pub async fn message(
        &self,
        tenant: TenantId,
        file: FileId,
    ) -> Result<Option<StoredMessage>, StoreError> {
        let row = query(SELECT)
            .bind(signed(tenant.0)?)
            .bind(file.to_string())
            .row(&mut self.reading().await?)
            .await
            .map_err(StoreError::doing("read a message"))?;
        row.as_ref().map(from_row).transpose()
    }

    /// Notes that somebody has listened to a message.
    pub async fn message_heard(&self, tenant: TenantId, file: FileId) -> Result<(), StoreError> {
        query(UPDATE_HEARD)
            .bind(signed(tenant.0)?)
            .bind(file.to_string())
            .bind(true)
            .execute(&mut self.writing().await?)
            .await
            .map_err(StoreError::doing("mark a message"))?;
        Ok(())
    }

    /// Removes a message. Whether there was one; its file is of no use any more.
    pub async fn delete_message(&self, tenant: TenantId, file: FileId) -> Result<bool, StoreError> {
        let mut write = self.begin_write().await?;
        let removed = query(DELETE)
            .bind(signed(tenant.0)?)
            .bind(file.to_string())
            .execute(&mut write)
            .await
            .map_err(StoreError::doing("delete a message"))?;
        commit(write).await?;
        Ok(removed > 0)
    }

    /// The messages of a node that are to be mailed by now, the longest due first; some at a time.
    pub async fn messages_to_mail(
        &self,
        node: NodeAddress,
        now: Wall,
    ) -> Result<Vec<StoredMessage>, StoreError> {
        let rows = query(SELECT_TO_MAIL)
            .bind(i64::from(node.0))
            .bind(now.0)
            .bind(limits::MAILS_AT_ONCE)
            .rows(&mut self.reading().await?)
            .await
            .map_err(StoreError::doing("read messages that are to be mailed"))?;
        rows.iter().map(from_row).collect()
    }

    /// Notes what has become of the mail for a message.
    pub async fn set_mail(
        &self,
        tenant: TenantId,
        file: FileId,
        mail: Mail,
    ) -> Result<(), StoreError> {
        let (due, attempts, sent) = match mail {
            Mail::Sent => (None, 0, true),
            Mail::Later { attempts, due } => (Some(due.0), i64::from(attempts), false),
            Mail::Never => (None, 0, false),
        };
        query(UPDATE_MAIL)
            .bind(signed(tenant.0)?)
            .bind(file.to_string())
            .bind(due)
            .bind(attempts)
            .bind(sent)
            .execute(&mut self.writing().await?)
            .await
            .map_err(StoreError::doing("note a mail"))?;
        Ok(())
    }

    /// Those of `files` that no sound, no message and no recording names.
    pub async fn unnamed(&self, files: &[FileId]) -> Result<Vec<FileId>, StoreError> {
        let mut read = self.begin_read().await?;
        let mut unnamed = Vec::new();
        for part in files.chunks(limits::ROWS_PER_STATEMENT) {
            let texts: Vec<String> = part.iter().map(FileId::to_string).collect();
            let mut named = Vec::new();
            for statement in [
                named_statement(&texts),
                recordings::named_statement(&texts),
                sounds::named_statement(&texts),
            ] {
                let found: Vec<String> = statement
                    .fetch_values(&mut read)
                    .await
                    .map_err(StoreError::doing("look for files that are in use"))?;
                named.extend(found);
            }
            let is_named = |file: &FileId| named.iter().any(|name| *name == file.to_string());
            unnamed.extend(part.iter().filter(|file| !is_named(file)));
        }
        Ok(unnamed)
    }
}

/// Adds messages with the sizes of their files, due to be mailed at once; one that is there already
/// stays as it is.
pub(crate) async fn add(
    connection: &mut Connection,
    node: NodeAddress,
    messages: &[(&Message, u64)],
) -> Result<(), StoreError> {
    for part in messages.chunks(limits::ROWS_PER_STATEMENT) {
        add_statement(node, part)?
            .execute(connection)
            .await
            .map_err(StoreError::doing("add messages"))?;
    }
    Ok(())
}

/// Notes what became of messages. What has gone meanwhile is left so; few come at once, since each
/// is somebody's key.
pub(crate) async fn change(
    connection: &mut Connection,
    changes: &[&MessageChange],
) -> Result<(), StoreError> {
    for change in changes {
        let (tenant, file) = (signed(change.tenant.0)?, change.file.to_string());
        let statement = match change.fate {
            MessageFate::Heard => query(UPDATE_HEARD).bind(tenant).bind(file).bind(true),
            MessageFate::Removed => query(DELETE).bind(tenant).bind(file),
        };
        let doing = StoreError::doing("change a message");
        statement.execute(connection).await.map_err(doing)?;
    }
    Ok(())
}

pub(crate) fn add_statement<'a>(
    node: NodeAddress,
    messages: &'a [(&'a Message, u64)],
) -> Result<ManyRows<'a>, StoreError> {
    let rows = messages
        .iter()
        .map(|(m, bytes)| Ok((m, signed(m.tenant.0)?, signed(m.extension.0)?, signed(*bytes)?)))
        .collect::<Result<Vec<_>, StoreError>>()?;
    let mut statement = ManyRows::new(
        "INSERT INTO messages (file, client_id, extension_id, call_uuid, sub_call_id, \
         caller_number, caller_name, called_did, time_us, length_ms, bytes, heard, node, \
         mail_due_us, mail_attempts, mailed) ",
    );
    statement.push_values(rows, |row, (m, client, extension, bytes)| {
        row.push_bind(m.file.to_string())
            .push_bind(client)
            .push_bind(extension)
            .push_bind(m.call.hex())
            .push_bind(&*m.sub_call_id)
            .push_bind(&*m.caller_number)
            .push_bind(&*m.caller_name)
            .push_bind(m.did.as_deref())
            .push_bind(m.time.0)
            .push_bind(i64::from(m.length_ms))
            .push_bind(bytes)
            .push_bind(false)
            .push_bind(i64::from(node.0))
            .push_bind(m.time.0)
            .push_bind(0i64)
            .push_bind(false);
    });
    statement.push(" ON CONFLICT (file) DO NOTHING");
    Ok(statement)
}

/// Which of these files some message names.
pub(crate) fn named_statement(files: &[String]) -> ManyRows<'_> {
    let mut statement = ManyRows::new("SELECT file FROM messages WHERE file IN (");
    statement.push_values(files, |row, file| {
        row.push_bind(file);
    });
    statement.push(")");
    statement
}

fn known(row: &Row) -> Result<Result<KnownMessage, StoreError>, sqlx::Error> {
    let (file, length_ms): (String, i64) = (row.try_get("file")?, row.try_get("length_ms")?);
    let (caller, time_us): (String, i64) = (row.try_get("caller_number")?, row.try_get("time_us")?);
    let heard = row.try_get("heard")?;
    let message = || {
        Ok(KnownMessage {
            file: file_of(&file, "messages.file")?,
            length_ms: unsigned(length_ms, "messages.length_ms")?,
            caller_number: caller.into(),
            time: Wall(time_us),
            heard,
        })
    };
    Ok(message())
}

fn from_row(row: &Row) -> Result<StoredMessage, StoreError> {
    let raw = MessageRow::read(row).map_err(StoreError::doing("read a message"))?;
    let call = CallUuid::parse(&raw.call_uuid)
        .ok_or_else(|| unknown_word("messages.call_uuid", &raw.call_uuid))?;
    Ok(StoredMessage {
        message: Message {
            tenant: TenantId(unsigned(raw.client_id, "messages.client_id")?),
            extension: ExtensionId(unsigned(raw.extension_id, "messages.extension_id")?),
            file: file_of(&raw.file, "messages.file")?,
            length_ms: unsigned(raw.length_ms, "messages.length_ms")?,
            call,
            sub_call_id: raw.sub_call_id.into(),
            caller_number: raw.caller_number.into(),
            caller_name: raw.caller_name.into(),
            did: raw.called_did.map(Into::into),
            time: Wall(raw.time_us),
        },
        bytes: unsigned(raw.bytes, "messages.bytes")?,
        heard: raw.heard,
        mail_attempts: unsigned(raw.mail_attempts, "messages.mail_attempts")?,
    })
}

struct MessageRow {
    file: String,
    client_id: i64,
    extension_id: i64,
    call_uuid: String,
    sub_call_id: String,
    caller_number: String,
    caller_name: String,
    called_did: Option<String>,
    time_us: i64,
    length_ms: i64,
    bytes: i64,
    heard: bool,
    mail_attempts: i64,
}

impl MessageRow {
    fn read(row: &Row) -> Result<MessageRow, sqlx::Error> {
        Ok(MessageRow {
            file: row.try_get("file")?,
            client_id: row.try_get("client_id")?,
            extension_id: row.try_get("extension_id")?,
            call_uuid: row.try_get("call_uuid")?,
            sub_call_id: row.try_get("sub_call_id")?,
            caller_number: row.try_get("caller_number")?,
            caller_name: row.try_get("caller_name")?,
            called_did: row.try_get("called_did")?,
            time_us: row.try_get("time_us")?,
            length_ms: row.try_get("length_ms")?,
            bytes: row.try_get("bytes")?,
            heard: row.try_get("heard")?,
            mail_attempts: row.try_get("mail_attempts")?,
        })
    }
}
