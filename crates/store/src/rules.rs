//! Table `rules`: incoming call rules, with what else the routing keeps of an extension: the
//! number that it shows to the outside.
//!
//! The rules of one extension are few and are written together, in their order.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::{
    CallerAction, ExtensionId, IncomingRule, IntervalId, Number, Pattern, RuleId, RuleKind, Rules,
    SoundId, TenantId, Wanted, WantedStatus, limits,
};

use crate::connection::{Connection, commit};
use crate::db::{self, corrupt, optional, optional_signed, signed, unsigned};
use crate::error::StoreError;
use crate::open::Store;
use crate::parts::{client_of, list_of, list_text, words};
use crate::query::{ManyRows, Row, query};
use crate::{clients, intervals, sounds};

macro_rules! columns {
    () => {
        "r.id, r.extension_id, r.client_id, r.name, r.kind, r.enabled, r.is_final, r.caller_id, \
         r.caller_id_action, r.call_status, r.extension_call_status, r.extension_status, \
         r.interval_id, r.playfile_sound, r.transfer_dst, r.transfer_timeout_s, \
         r.cascade_numbers, r.allow_public_transfer, r.ignore_early_media, \
         r.enable_call_screening"
    };
}

db::statements! {
    SELECT = concat!(
        "SELECT ", columns!(), " FROM rules r WHERE r.client_id = $1 AND r.extension_id = $2 \
        ORDER BY r.position"
    );
    SELECT_OF_CLIENT = concat!(
        "SELECT ", columns!(), " FROM rules r WHERE r.client_id = $1 \
        ORDER BY r.extension_id, r.position"
    );
    SELECT_CHANGED = concat!(
        "SELECT ", columns!(), " FROM extensions e JOIN rules r ON r.extension_id = e.id \
        WHERE e.client_id = $1 AND e.routing_revision > $2 ORDER BY r.extension_id, r.position"
    );
    /// For the node itself, which serves all clients.
    SELECT_ALL = concat!(
        "SELECT ", columns!(), " FROM rules r ORDER BY r.client_id, r.extension_id, r.position"
    );
    SELECT_ANIS = "SELECT id, client_id, ani FROM extensions \
        WHERE client_id = $1 AND ani IS NOT NULL";
    SELECT_CHANGED_ANIS = "SELECT id, client_id, ani FROM extensions \
        WHERE client_id = $1 AND routing_revision > $2";
    /// For the node itself, which serves all clients.
    SELECT_ALL_ANIS = "SELECT id, client_id, ani FROM extensions WHERE ani IS NOT NULL";
    DELETE = "DELETE FROM rules WHERE client_id = $1 AND extension_id = $2";
    TOUCH = "UPDATE extensions SET routing_revision = $3 WHERE client_id = $1 AND id = $2";
    NEXT_ID = "UPDATE extensions SET next_rule_id = next_rule_id + 1 \
        WHERE client_id = $1 AND id = $2 RETURNING next_rule_id";
    SET_ANI = "UPDATE extensions SET ani = $3, routing_revision = $4 \
        WHERE client_id = $1 AND id = $2";
}

impl Store {
    /// Adds a rule behind the others. `None`: the client has no such extension.
    pub async fn create_rule(
        &self,
        tenant: TenantId,
        extension: ExtensionId,
        new: &IncomingRule,
    ) -> Result<Option<IncomingRule>, StoreError> {
        let mut write = self.begin_write().await?;
        let Some(revision) = clients::next_revision(&mut write, tenant).await? else {
            return Ok(None);
        };
        let next: Option<i64> = query(NEXT_ID)
            .bind(signed(tenant.0)?)
            .bind(signed(extension.0)?)
            .fetch_value(&mut write)
            .await
            .map_err(StoreError::doing("number a rule"))?;
        let Some(next) = next else { return Ok(None) };
        let id = RuleId(unsigned(next - 1, "extensions.next_rule_id")?);
        let mut rules = of_extension(&mut write, tenant, extension).await?;
        if rules.len() >= limits::RULES_MAX {
            let max = limits::RULES_MAX;
            return Err(StoreError::TooMany { what: "the rules of an extension", max });
        }
        let made = IncomingRule { id, ..new.clone() };
        rules.push(made.clone());
        write_all(&mut write, (tenant, extension), revision, &rules).await?;
        commit(write).await?;
        Ok(Some(made))
    }

    /// Changes the rules of an extension: `change` gets what is stored, in the order of
    /// evaluation, and leaves what shall be; it invents no ids. `None`: the client has no such
    /// extension.
    pub async fn change_rules<T: Send, E: From<StoreError>>(
        &self,
        tenant: TenantId,
        extension: ExtensionId,
        change: impl FnOnce(&mut Vec<IncomingRule>) -> Result<T, E> + Send,
    ) -> Result<Option<T>, E> {
        let mut write = self.begin_write().await?;
        let Some(revision) = clients::next_revision(&mut write, tenant).await? else {
            return Ok(None);
        };
        let mut rules = of_extension(&mut write, tenant, extension).await?;
        let done = change(&mut rules)?;
        if !write_all(&mut write, (tenant, extension), revision, &rules).await? {
            return Ok(None);
        }
        commit(write).await?;
        Ok(Some(done))
    }

    /// Sets the number that an extension shows to the outside, in E.164 digits, or takes it away.
    /// Whether the client has such an extension.
    pub async fn set_extension_ani(
        &self,
        tenant: TenantId,
        extension: ExtensionId,
        ani: Option<&Number>,
    ) -> Result<bool, StoreError> {
        let mut write = self.begin_write().await?;
        let Some(revision) = clients::next_revision(&mut write, tenant).await? else {
            return Ok(false);
        };
        crate::dids::must_be_own(&mut write, tenant, ani).await?;
        let done = query(SET_ANI)
            .bind(signed(tenant.0)?)
            .bind(signed(extension.0)?)
            .bind(ani.map(Number::as_str))
            .bind(revision)
            .execute(&mut write)
            .await
            .map_err(StoreError::doing("set an extension's number"))?;
        commit(write).await?;
        Ok(done > 0)
    }
}

async fn of_extension(
    connection: &mut Connection,
    tenant: TenantId,
    extension: ExtensionId,
) -> Result<Vec<IncomingRule>, StoreError> {
    let rows = query(SELECT)
        .bind(signed(tenant.0)?)
        .bind(signed(extension.0)?)
        .rows(connection)
        .await
        .map_err(StoreError::doing("read rules"))?;
    rows.iter().map(from_row).collect()
}

/// Writes the rules of an extension anew. Whether there is such an extension.
async fn write_all(
    connection: &mut Connection,
    (tenant, extension): (TenantId, ExtensionId),
    revision: i64,
    rules: &[IncomingRule],
) -> Result<bool, StoreError> {
    for interval in rules.iter().filter_map(|rule| rule.interval) {
        if !intervals::exists(connection, tenant, interval).await? {
            return Err(StoreError::NoSuch { field: "interval" });
        }
    }
    for sound in rules.iter().filter_map(|rule| rule.playfile_sound) {
        if !sounds::exists(connection, tenant, sound).await? {
            return Err(StoreError::NoSuch { field: "playfile_sound" });
        }
    }
    let touched = query(TOUCH)
        .bind(signed(tenant.0)?)
        .bind(signed(extension.0)?)
        .bind(revision)
        .execute(connection)
        .await
        .map_err(StoreError::doing("write rules"))?;
    if touched == 0 {
        return Ok(false);
    }
    query(DELETE)
        .bind(signed(tenant.0)?)
        .bind(signed(extension.0)?)
        .execute(connection)
        .await
        .map_err(StoreError::doing("write rules"))?;
    if !rules.is_empty() {
        insert_statement(tenant, extension, rules)?
            .execute(connection)
            .await
            .map_err(StoreError::doing("write rules"))?;
    }
    Ok(true)
}

pub(crate) fn insert_statement(
    tenant: TenantId,
    extension: ExtensionId,
    rules: &[IncomingRule],
) -> Result<ManyRows<'_>, StoreError> {
    let (client_id, extension_id) = (signed(tenant.0)?, signed(extension.0)?);
    let rows = (0i64..).zip(rules).map(|(position, rule)| Ok((position, rule, Texts::of(rule)?)));
    let rows = rows.collect::<Result<Vec<_>, StoreError>>()?;
    let mut statement = ManyRows::new(
        "INSERT INTO rules (client_id, extension_id, id, position, name, kind, enabled, is_final, \
         caller_id, caller_id_action, call_status, extension_call_status, extension_status, \
         interval_id, playfile_sound, transfer_dst, transfer_timeout_s, cascade_numbers, \
         allow_public_transfer, ignore_early_media, enable_call_screening) ",
    );
    statement.push_values(rows, |row, (position, rule, texts)| {
        row.push_bind(client_id)
            .push_bind(extension_id)
            .push_bind(texts.id)
            .push_bind(position)
            .push_bind(rule.name.as_deref())
            .push_bind(rule.kind.as_str())
            .push_bind(rule.enabled)
            .push_bind(rule.is_final)
            .push_bind(rule.caller_id.as_ref().map(Pattern::as_str))
            .push_bind(action_word(rule.caller_id_action))
            .push_bind(wanted_word(rule.call_status))
            .push_bind(wanted_word(rule.extension_call_status))
            .push_bind(status_word(rule.extension_status))
            .push_bind(texts.interval)
            .push_bind(texts.sound)
            .push_bind(texts.transfer_dst)
            .push_bind(rule.transfer_timeout_s.map(i64::from))
            .push_bind(texts.cascade_numbers)
            .push_bind(rule.allow_public_transfer)
            .push_bind(rule.ignore_early_media)
            .push_bind(rule.enable_call_screening);
    });
    Ok(statement)
}

/// What of a rule is not as its column holds it.
struct Texts {
    id: i64,
    interval: Option<i64>,
    sound: Option<i64>,
    transfer_dst: String,
    cascade_numbers: String,
}

impl Texts {
    fn of(rule: &IncomingRule) -> Result<Texts, StoreError> {
        let numbers: Vec<&str> = rule.transfer_dst.iter().map(Number::as_str).collect();
        Ok(Texts {
            id: signed(rule.id.0)?,
            interval: optional_signed(rule.interval.map(|id| id.0))?,
            sound: optional_signed(rule.playfile_sound.map(|id| id.0))?,
            transfer_dst: numbers.join(" "),
            cascade_numbers: list_text(&rule.cascade_numbers, "rules.cascade_numbers")?,
        })
    }
}

/// Rules of extensions, each in the order of evaluation.
pub(crate) type ByExtension = BTreeMap<ExtensionId, Arc<Rules>>;
/// Numbers that extensions show to the outside.
pub(crate) type Anis = BTreeMap<ExtensionId, Number>;

/// The rules and numbers of a client's extensions.
pub(crate) async fn of_client(
    connection: &mut Connection,
    tenant: TenantId,
) -> Result<(ByExtension, Anis), StoreError> {
    let doing = || StoreError::doing("read a client's rules");
    let client = signed(tenant.0)?;
    let rows = query(SELECT_OF_CLIENT).bind(client).rows(connection).await.map_err(doing())?;
    let rules = grouped(&rows)?.into_iter().map(|((_, id), rules)| (id, rules)).collect();
    let rows = query(SELECT_ANIS).bind(client).rows(connection).await.map_err(doing())?;
    let anis = rows.iter().map(ani).collect::<Result<Vec<_>, _>>()?;
    Ok((rules, anis.into_iter().filter_map(|(id, ani)| Some((id, ani?))).collect()))
}

/// Brings rules and numbers to what they are now. Those of extensions that are gone are the
/// caller's to remove.
pub(crate) async fn follow(
    connection: &mut Connection,
    tenant: TenantId,
    revision: u64,
    (rules, anis): (&mut ByExtension, &mut Anis),
) -> Result<(), StoreError> {
    let doing = || StoreError::doing("read a client's changed rules");
    let (client, since) = (signed(tenant.0)?, signed(revision)?);
    let changed = query(SELECT_CHANGED_ANIS).bind(client).bind(since);
    let changed = changed.rows(connection).await.map_err(doing())?;
    for (id, ani) in changed.iter().map(ani).collect::<Result<Vec<_>, _>>()? {
        rules.remove(&id);
        anis.remove(&id);
        anis.extend(ani.map(|ani| (id, ani)));
    }
    if !changed.is_empty() {
        let rows = query(SELECT_CHANGED).bind(client).bind(since);
        let rows = rows.rows(connection).await.map_err(doing())?;
        rules.extend(grouped(&rows)?.into_iter().map(|((_, id), rules)| (id, rules)));
    }
    Ok(())
}

/// The rules and numbers of all clients' extensions, for [`crate::operator`].
pub(crate) async fn all(
    connection: &mut Connection,
) -> Result<BTreeMap<TenantId, (ByExtension, Anis)>, StoreError> {
    let doing = || StoreError::doing("read all rules");
    let mut all: BTreeMap<TenantId, (ByExtension, Anis)> = BTreeMap::new();
    let rows = query(SELECT_ALL).rows(connection).await.map_err(doing())?;
    for ((tenant, id), rules) in grouped(&rows)? {
        all.entry(tenant).or_default().0.insert(id, rules);
    }
    for row in &query(SELECT_ALL_ANIS).rows(connection).await.map_err(doing())? {
        if let (id, Some(ani)) = ani(row)? {
            all.entry(client_of(row)?).or_default().1.insert(id, ani);
        }
    }
    Ok(all)
}

/// Rows in the order of their extensions, by extension.
fn grouped(rows: &[Row]) -> Result<BTreeMap<(TenantId, ExtensionId), Arc<Rules>>, StoreError> {
    let mut by_extension: BTreeMap<_, Vec<IncomingRule>> = BTreeMap::new();
    for row in rows {
        let id: i64 = row.try_get("extension_id").map_err(StoreError::doing("read a rule"))?;
        let extension = ExtensionId(unsigned(id, "rules.extension_id")?);
        by_extension.entry((client_of(row)?, extension)).or_default().push(from_row(row)?);
    }
    let sealed = |(key, rules): (_, Vec<_>)| (key, Arc::new(Rules(rules.into())));
    Ok(by_extension.into_iter().map(sealed).collect())
}

fn ani(row: &Row) -> Result<(ExtensionId, Option<Number>), StoreError> {
    let read = || -> Result<(i64, Option<String>), sqlx::Error> {
        Ok((row.try_get("id")?, row.try_get("ani")?))
    };
    let (id, ani) = read().map_err(StoreError::doing("read an extension's number"))?;
    let ani = ani.as_deref().map(Number::parse).transpose().map_err(corrupt("extensions.ani"))?;
    Ok((ExtensionId(unsigned(id, "extensions.id")?), ani))
}

fn from_row(row: &Row) -> Result<IncomingRule, StoreError> {
    let raw = RuleRow::read(row).map_err(StoreError::doing("read a rule"))?;
    let caller_id = raw.caller_id.as_deref().map(Pattern::parse).transpose();
    let transfer_dst = raw.transfer_dst.split(' ').filter(|n| !n.is_empty()).map(Number::parse);
    Ok(IncomingRule {
        id: RuleId(unsigned(raw.id, "rules.id")?),
        name: raw.name.map(Into::into),
        kind: kind_of(&raw.kind)?,
        enabled: raw.enabled,
        is_final: raw.is_final,
        caller_id: caller_id.map_err(corrupt("rules.caller_id"))?,
        caller_id_action: action_of(&raw.caller_id_action)?,
        call_status: wanted_of(&raw.call_status)?,
        extension_call_status: wanted_of(&raw.extension_call_status)?,
        extension_status: status_of(&raw.extension_status)?,
        interval: optional(raw.interval, "rules.interval_id")?.map(IntervalId),
        playfile_sound: optional(raw.sound, "rules.playfile_sound")?.map(SoundId),
        transfer_dst: transfer_dst
            .collect::<Result<_, _>>()
            .map_err(corrupt("rules.transfer_dst"))?,
        transfer_timeout_s: optional(raw.transfer_timeout_s, "rules.transfer_timeout_s")?,
        cascade_numbers: list_of(&raw.cascade_numbers, "rules.cascade_numbers")?,
        allow_public_transfer: raw.allow_public_transfer,
        ignore_early_media: raw.ignore_early_media,
        enable_call_screening: raw.enable_call_screening,
    })
}

/// The columns as they lie in the table.
struct RuleRow {
    id: i64,
    name: Option<String>,
    kind: String,
    enabled: bool,
    is_final: bool,
    caller_id: Option<String>,
    caller_id_action: String,
    call_status: String,
    extension_call_status: String,
    extension_status: String,
    interval: Option<i64>,
    sound: Option<i64>,
    transfer_dst: String,
    transfer_timeout_s: Option<i64>,
    cascade_numbers: String,
    allow_public_transfer: bool,
    ignore_early_media: bool,
    enable_call_screening: bool,
}

impl RuleRow {
    fn read(row: &Row) -> Result<RuleRow, sqlx::Error> {
        Ok(RuleRow {
            id: row.try_get("id")?,
            name: row.try_get("name")?,
            kind: row.try_get("kind")?,
            enabled: row.try_get("enabled")?,
            is_final: row.try_get("is_final")?,
            caller_id: row.try_get("caller_id")?,
            caller_id_action: row.try_get("caller_id_action")?,
            call_status: row.try_get("call_status")?,
            extension_call_status: row.try_get("extension_call_status")?,
            extension_status: row.try_get("extension_status")?,
            interval: row.try_get("interval_id")?,
            sound: row.try_get("playfile_sound")?,
            transfer_dst: row.try_get("transfer_dst")?,
            transfer_timeout_s: row.try_get("transfer_timeout_s")?,
            cascade_numbers: row.try_get("cascade_numbers")?,
            allow_public_transfer: row.try_get("allow_public_transfer")?,
            ignore_early_media: row.try_get("ignore_early_media")?,
            enable_call_screening: row.try_get("enable_call_screening")?,
        })
    }
}

fn kind_of(word: &str) -> Result<RuleKind, StoreError> {
    let found = RuleKind::ALL.into_iter().find(|kind| kind.as_str() == word);
    found.ok_or_else(|| db::unknown_word("rules.kind", word))
}

words!("rules.caller_id_action": action_word, action_of, CallerAction {
    "any" = CallerAction::Any,
    "matches" = CallerAction::Matches,
    "not_matches" = CallerAction::NotMatches,
    "anonymous" = CallerAction::Anonymous,
});
words!("rules.call_status": wanted_word, wanted_of, Wanted {
    "any" = Wanted::Any,
    "busy" = Wanted::Busy,
    "no_answer" = Wanted::NoAnswer,
});
words!("rules.extension_status": status_word, status_of, WantedStatus {
    "any" = WantedStatus::Any,
    "registered" = WantedStatus::Registered,
    "unreachable" = WantedStatus::Unreachable,
});
