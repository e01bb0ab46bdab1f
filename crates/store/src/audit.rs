//! Tables `audit` and `audit_heads`: who tried what, in a chain of hashes for each client.
//!
//! The hash of a row is the SHA-256 of the hash before it (32 zeros before the first) and of the
//! row as a JSON list of its other columns. So whoever changes, removes or inserts a row must make
//! all hashes after it anew, and then the newest is not the one that somebody has kept elsewhere.

use std::collections::BTreeMap;

use leg::{Audit, AuditAction, AuditExtension, AuditProgram, AuditSource};
use model::{CallUuid, ExtensionId, TenantId, UserId, Wall};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use sqlx::FromRow;

use crate::connection::Connection;
use crate::db::{self, optional, optional_signed, signed, unknown_word, unsigned};
use crate::error::StoreError;
use crate::limits;
use crate::open::Store;
use crate::parts::{list_of, list_text};
use crate::query::{ManyRows, query};

macro_rules! columns {
    () => {
        "client_id, number, time_us, source, actor_id, actor_name, user_id, user_login, \
         application, action, target_id, target_name, call_uuid, allowed, clause, clause_groups, \
         detail, hash"
    };
}

macro_rules! page {
    ($order:literal) => {
        concat!(
            "SELECT ",
            columns!(),
            " FROM audit WHERE client_id = $1 AND time_us >= $2 \
             AND time_us <= $3 AND ($4 = 0 OR actor_id = $4) \
             AND ($5 = '' OR actor_name = $5 OR user_login = $5) AND ($6 = '' OR action = $6) \
             AND allowed IN ($7, $8) ORDER BY number ",
            $order,
            " LIMIT $9 OFFSET $10"
        )
    };
}

db::statements! {
    /// Tells the end of the chain and holds up whoever else would lengthen it.
    CLAIM = "INSERT INTO audit_heads (client_id, number, hash) VALUES ($1, 0, $2) \
        ON CONFLICT (client_id) DO UPDATE SET number = audit_heads.number \
        RETURNING number, hash";
    SET_HEAD = "UPDATE audit_heads SET number = $2, hash = $3 WHERE client_id = $1";
    SELECT_HEAD = "SELECT number, hash FROM audit_heads WHERE client_id = $1";
    SELECT_LAST =
        "SELECT number FROM audit WHERE client_id = $1 ORDER BY number DESC LIMIT 1";
    SELECT_NEWEST = page!("DESC");
    SELECT_OLDEST = page!("ASC");
    SELECT_AFTER = concat!(
        "SELECT ", columns!(), " FROM audit WHERE client_id = $1 AND number > $2 \
        ORDER BY number LIMIT $3"
    );
}

/// A hash of a chain.
pub type Hash = [u8; 32];

/// What stands before the first row.
const BEGINNING: Hash = [0; 32];

/// One row with its place in the chain.
#[derive(Clone, Debug, PartialEq)]
pub struct AuditRow {
    /// From 1, without a gap.
    pub number: u64,
    /// What the row says.
    pub audit: Audit,
    /// Its hash.
    pub hash: Hash,
}

/// Which rows are wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditQuery {
    /// Not before.
    pub start: Option<Wall>,
    /// Not after.
    pub end: Option<Wall>,
    /// Who acted.
    pub actor: Option<AuditActor>,
    /// What was tried.
    pub action: Option<AuditAction>,
    /// Only what was allowed, or only what was not.
    pub allowed: Option<bool>,
    /// Which come first.
    pub order: AuditOrder,
    /// How many rows are left out before the first.
    pub offset: u64,
    /// How many rows are wanted.
    pub limit: u64,
}

/// Who acted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuditActor {
    /// The extension with this id.
    Extension(ExtensionId),
    /// An extension that was called so then (`0003*100`), or a user with this login.
    Named(String),
}

/// Which rows come first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuditOrder {
    /// The newest.
    Newest,
    /// The oldest.
    Oldest,
}

/// What became of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuditCheck {
    /// Rows that are as they were written, from the first on.
    pub rows: u64,
    /// The hash of the last of them.
    pub hash: Hash,
    /// The number of the first row that is not as it was written, or is missing.
    pub broken: Option<u64>,
}

impl Store {
    /// Some rows of a client's audit.
    pub async fn audit(
        &self,
        tenant: TenantId,
        wanted: &AuditQuery,
    ) -> Result<Vec<AuditRow>, StoreError> {
        let sql = match wanted.order {
            AuditOrder::Newest => SELECT_NEWEST,
            AuditOrder::Oldest => SELECT_OLDEST,
        };
        let (id, name) = match &wanted.actor {
            None => (0, ""),
            Some(AuditActor::Extension(id)) => (signed(id.0)?, ""),
            Some(AuditActor::Named(name)) => (0, name.as_str()),
        };
        let action = wanted.action.map_or("", AuditAction::as_str);
        let rows: Vec<Columns> = query(sql)
            .bind(signed(tenant.0)?)
            .bind(wanted.start.map_or(i64::MIN, |start| start.0))
            .bind(wanted.end.map_or(i64::MAX, |end| end.0))
            .bind(id)
            .bind(name)
            .bind(action)
            .bind(wanted.allowed.unwrap_or(true))
            .bind(wanted.allowed.unwrap_or(false))
            .bind(signed(wanted.limit)?)
            .bind(signed(wanted.offset)?)
            .fetch_all(&mut self.reading().await?)
            .await
            .map_err(StoreError::doing("read an audit"))?;
        rows.iter().map(Columns::row).collect()
    }

    /// Whether the rows of a client's audit are all there and as they were written.
    ///
    /// What is added meanwhile is not looked at.
    pub async fn check_audit(&self, tenant: TenantId) -> Result<AuditCheck, StoreError> {
        let (head, newest) = self.audit_ends(tenant).await?;
        let mut found = AuditCheck { rows: 0, hash: BEGINNING, broken: None };
        while found.rows < head.number {
            let rows = self.audit_after(tenant, found.rows).await?;
            let left = usize::try_from(head.number - found.rows).unwrap_or(usize::MAX);
            for row in rows.iter().take(left) {
                let number = found.rows + 1;
                let hash = row.hash_after(&found.hash);
                if row.number != signed(number)? || row.hash != hash {
                    return Ok(AuditCheck { broken: Some(number), ..found });
                }
                (found.rows, found.hash) = (number, hash);
            }
            if rows.len() < limits::AUDIT_CHECK_ROWS {
                break;
            }
        }
        if found.rows < head.number || newest > head.number {
            // Cut off at the end, or added there by hand.
            found.broken = Some(found.rows + 1);
        } else if found.hash != head.hash {
            found.broken = Some(found.rows);
        }
        Ok(found)
    }

    /// The end of a chain, and the number of the newest row that there is.
    async fn audit_ends(&self, tenant: TenantId) -> Result<(Head, u64), StoreError> {
        let doing = || StoreError::doing("check an audit");
        let client = signed(tenant.0)?;
        let mut read = self.begin_read().await?;
        let head: Option<(i64, Vec<u8>)> =
            query(SELECT_HEAD).bind(client).fetch_optional(&mut read).await.map_err(doing())?;
        let head = head.map(Head::of).transpose()?.unwrap_or(Head { number: 0, hash: BEGINNING });
        let newest: Option<i64> =
            query(SELECT_LAST).bind(client).fetch_value(&mut read).await.map_err(doing())?;
        Ok((head, unsigned(newest.unwrap_or(0), "audit.number")?))
    }

    async fn audit_after(&self, tenant: TenantId, number: u64) -> Result<Vec<Columns>, StoreError> {
        query(SELECT_AFTER)
            .bind(signed(tenant.0)?)
            .bind(signed(number)?)
            .bind(i64::try_from(limits::AUDIT_CHECK_ROWS).unwrap_or(i64::MAX))
            .fetch_all(&mut self.reading().await?)
            .await
            .map_err(StoreError::doing("check an audit"))
    }
}

/// Adds rows to the chains of their clients, in the order in which they stand. Part of a
/// transaction: another that would lengthen the same chain waits for its end.
pub(crate) async fn add(connection: &mut Connection, rows: &[&Audit]) -> Result<(), StoreError> {
    let mut chains: BTreeMap<TenantId, Vec<&Audit>> = BTreeMap::new();
    for row in rows {
        chains.entry(row.tenant).or_default().push(row);
    }
    for (tenant, rows) in chains {
        let mut head = claim(connection, tenant).await?;
        let mut linked = Vec::with_capacity(rows.len());
        for row in rows {
            let row = Columns::linked(row, &head)?;
            head = Head::of((row.number, row.hash.clone()))?;
            linked.push(row);
        }
        for part in linked.chunks(limits::ROWS_PER_STATEMENT) {
            add_statement(part)
                .execute(connection)
                .await
                .map_err(StoreError::doing("add to an audit"))?;
        }
        query(SET_HEAD)
            .bind(signed(tenant.0)?)
            .bind(signed(head.number)?)
            .bind(head.hash.as_slice())
            .execute(connection)
            .await
            .map_err(StoreError::doing("move the end of an audit"))?;
    }
    Ok(())
}

async fn claim(connection: &mut Connection, tenant: TenantId) -> Result<Head, StoreError> {
    let head: Option<(i64, Vec<u8>)> = query(CLAIM)
        .bind(signed(tenant.0)?)
        .bind(BEGINNING.as_slice())
        .fetch_optional(connection)
        .await
        .map_err(StoreError::doing("read the end of an audit"))?;
    head.map_or(Ok(Head { number: 0, hash: BEGINNING }), Head::of)
}

pub(crate) fn add_statement(rows: &[Columns]) -> ManyRows<'_> {
    let mut statement = ManyRows::new(concat!("INSERT INTO audit (", columns!(), ") "));
    statement.push_values(rows, |values, row| {
        values
            .push_bind(row.client_id)
            .push_bind(row.number)
            .push_bind(row.time_us)
            .push_bind(&row.source)
            .push_bind(row.actor_id)
            .push_bind(row.actor_name.as_deref())
            .push_bind(row.user_id)
            .push_bind(row.user_login.as_deref())
            .push_bind(row.application.as_deref())
            .push_bind(&row.action)
            .push_bind(row.target_id)
            .push_bind(row.target_name.as_deref())
            .push_bind(row.call_uuid.as_deref())
            .push_bind(row.allowed)
            .push_bind(&row.clause)
            .push_bind(&row.clause_groups)
            .push_bind(row.detail.as_deref())
            .push_bind(row.hash.as_slice());
    });
    statement
}

/// The end of a chain.
struct Head {
    number: u64,
    hash: Hash,
}

impl Head {
    fn of((number, hash): (i64, Vec<u8>)) -> Result<Head, StoreError> {
        Ok(Head { number: unsigned(number, "audit_heads.number")?, hash: hash_of(&hash)? })
    }
}

/// A row as it lies in the table. All columns but the last, in this order, are what is hashed.
#[derive(Clone, Debug, FromRow)]
pub(crate) struct Columns {
    client_id: i64,
    number: i64,
    time_us: i64,
    source: String,
    actor_id: Option<i64>,
    actor_name: Option<String>,
    user_id: Option<i64>,
    user_login: Option<String>,
    application: Option<String>,
    action: String,
    target_id: Option<i64>,
    target_name: Option<String>,
    call_uuid: Option<String>,
    allowed: bool,
    clause: String,
    clause_groups: String,
    detail: Option<String>,
    hash: Vec<u8>,
}

impl Columns {
    /// What follows the end of a chain.
    fn linked(audit: &Audit, after: &Head) -> Result<Columns, StoreError> {
        let id = |extension: &Option<AuditExtension>| {
            optional_signed(extension.as_ref().and_then(|e| e.id).map(|id| id.0))
        };
        let name = |extension: &Option<AuditExtension>| {
            extension.as_ref().map(|extension| plain(&extension.name))
        };
        let program = audit.program.as_ref();
        let mut row = Columns {
            client_id: signed(audit.tenant.0)?,
            number: signed(after.number)?.saturating_add(1),
            time_us: audit.time.0,
            source: audit.source.as_str().to_owned(),
            actor_id: id(&audit.actor)?,
            actor_name: name(&audit.actor),
            user_id: optional_signed(program.map(|program| program.user.0))?,
            user_login: program.map(|program| plain(&program.login)),
            application: program.map(|program| plain(&program.application)),
            action: audit.action.as_str().to_owned(),
            target_id: id(&audit.target)?,
            target_name: name(&audit.target),
            call_uuid: audit.call.map(|call| call.hex()),
            allowed: audit.allowed,
            clause: plain(&audit.clause),
            clause_groups: plain(&list_text(&audit.groups, "audit.clause_groups")?),
            detail: audit.detail.as_deref().map(plain),
            hash: Vec::new(),
        };
        row.hash = row.hash_after(&after.hash).to_vec();
        Ok(row)
    }

    fn hash_after(&self, before: &Hash) -> Hash {
        let columns = json!([
            self.client_id,
            self.number,
            self.time_us,
            self.source,
            self.actor_id,
            self.actor_name,
            self.user_id,
            self.user_login,
            self.application,
            self.action,
            self.target_id,
            self.target_name,
            self.call_uuid,
            self.allowed,
            self.clause,
            self.clause_groups,
            self.detail,
        ]);
        let text = columns.to_string();
        Sha256::new().chain_update(before).chain_update(text).finalize().into()
    }

    fn row(&self) -> Result<AuditRow, StoreError> {
        let extension = |id: Option<i64>, name: &Option<String>| {
            let Some(name) = name else { return Ok(None) };
            let id = optional(id, "audit.actor_id")?.map(ExtensionId);
            Ok::<_, StoreError>(Some(AuditExtension { id, name: name.as_str().into() }))
        };
        let program = match (self.user_id, &self.user_login, &self.application) {
            (Some(user), Some(login), Some(application)) => Some(AuditProgram {
                user: UserId(unsigned(user, "audit.user_id")?),
                login: login.as_str().into(),
                application: application.as_str().into(),
            }),
            _ => None,
        };
        let call =
            |text: &str| CallUuid::parse(text).ok_or_else(|| unknown_word("audit.call_uuid", text));
        let audit = Audit {
            tenant: TenantId(unsigned(self.client_id, "audit.client_id")?),
            time: Wall(self.time_us),
            source: source_of(&self.source)?,
            actor: extension(self.actor_id, &self.actor_name)?,
            program,
            action: action_of(&self.action)?,
            target: extension(self.target_id, &self.target_name)?,
            call: self.call_uuid.as_deref().map(call).transpose()?,
            allowed: self.allowed,
            clause: self.clause.as_str().into(),
            groups: list_of(&self.clause_groups, "audit.clause_groups")?,
            detail: self.detail.as_deref().map(Into::into),
        };
        let number = unsigned(self.number, "audit.number")?;
        Ok(AuditRow { number, audit, hash: hash_of(&self.hash)? })
    }
}

#[cfg(test)]
impl Columns {
    /// A row of no meaning.
    pub(crate) fn example() -> Columns {
        let audit = Audit {
            tenant: TenantId(1),
            time: Wall(0),
            source: AuditSource::Phone,
            actor: None,
            program: None,
            action: AuditAction::Pickup,
            target: None,
            call: None,
            allowed: true,
            clause: "".into(),
            groups: Vec::new(),
            detail: None,
        };
        let row = Columns::linked(&audit, &Head { number: 0, hash: BEGINNING });
        row.expect("a row without ids always fits")
    }
}

/// Without zero characters, which one of the databases cannot hold: what is hashed is what is
/// stored.
fn plain(text: &str) -> String {
    text.replace('\0', "")
}

fn hash_of(bytes: &[u8]) -> Result<Hash, StoreError> {
    let why = || format!("{} bytes instead of 32", bytes.len());
    Hash::try_from(bytes).map_err(|_| StoreError::Corrupt { column: "audit.hash", why: why() })
}

fn source_of(word: &str) -> Result<AuditSource, StoreError> {
    let known = [AuditSource::Phone, AuditSource::Api];
    let found = known.into_iter().find(|source| source.as_str() == word);
    found.ok_or_else(|| unknown_word("audit.source", word))
}

fn action_of(word: &str) -> Result<AuditAction, StoreError> {
    let found = AuditAction::ALL.into_iter().find(|action| action.as_str() == word);
    found.ok_or_else(|| unknown_word("audit.action", word))
}
