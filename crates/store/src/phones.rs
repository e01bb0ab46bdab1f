//! Table `phones`: what a phone extension is set to. One row for each extension of kind phone.
//!
//! Rows are read together with their extension (see [`crate::extensions`]), so that thousands
//! cost one query.

use std::collections::BTreeSet;

use model::{
    AuthType, ExtensionId, Login, Phone, PhoneShown, RecordFormat, Secret, Tenant, TenantId,
};

use crate::connection::Connection;
use crate::db::{self, optional, optional_signed, signed};
use crate::error::{Conflict, StoreError};
use crate::limits;
use crate::query::{ManyRows, Row, query};

/// The columns that both reading and writing name, in one order.
macro_rules! settings {
    () => {
        "login, password, auth_type, incoming_limit, ring_timeout_s, \
         announce_sound_upon_outgoing_call, announce_sound_upon_incoming_call, \
         append_to_cid_name_on_transfer, call_screening_enabled, \
         conference_announce_caller_name, conference_end_on_exit, conference_pin, allow_webrtc, \
         record_enabled, record_transfer, record_format, record_stereo, hold_music, \
         ringback_sound, geo_list, replace_pin, vm_enabled, vm_pin, vm_greeting, vm_attach_file, \
         vm_mailto, keypad_codes"
    };
}
pub(crate) use settings;

db::statements! {
    /// `login` stays what it was: it is part of what the phone has been told.
    UPDATE = "UPDATE phones SET password = $3, auth_type = $4, incoming_limit = $5, \
        ring_timeout_s = $6, announce_sound_upon_outgoing_call = $7, \
        announce_sound_upon_incoming_call = $8, append_to_cid_name_on_transfer = $9, \
        call_screening_enabled = $10, conference_announce_caller_name = $11, \
        conference_end_on_exit = $12, conference_pin = $13, allow_webrtc = $14, \
        record_enabled = $15, record_transfer = $16, record_format = $17, record_stereo = $18, \
        hold_music = $19, ringback_sound = $20, geo_list = $21, replace_pin = $22, \
        vm_enabled = $23, vm_pin = $24, vm_greeting = $25, vm_attach_file = $26, \
        vm_mailto = $27, keypad_codes = $28 \
        WHERE client_id = $1 AND extension_id = $2";
    /// Logins are one space for all clients of the node.
    LOGIN_IS_TAKEN = "SELECT extension_id FROM phones WHERE login = $1";
    /// For a demo that adds thousands at once.
    ALL_LOGINS = "SELECT login FROM phones";
}

/// What a phone may be called, best first: `0003100`; with the domain's prefix, should another
/// domain of this node have the same client prefix; with `spare` letters behind it, should even
/// that read like another phone's.
pub fn login_candidates(tenant: &Tenant, name: &str, spare: &str) -> Vec<Login> {
    let Tenant { domain_prefix, prefix, .. } = tenant;
    [
        format!("{prefix}{name}"),
        format!("{domain_prefix}{prefix}{name}"),
        format!("{prefix}{name}-{spare}"),
    ]
    .iter()
    .filter_map(|text| Login::parse(text).ok())
    .collect()
}

/// The first login that no phone of the node has.
pub(crate) async fn free_login(
    connection: &mut Connection,
    candidates: Vec<Login>,
) -> Result<Login, StoreError> {
    for login in candidates {
        let taken: Option<i64> = query(LOGIN_IS_TAKEN)
            .bind(login.as_str())
            .fetch_value(connection)
            .await
            .map_err(StoreError::doing("look for a free login"))?;
        if taken.is_none() {
            return Ok(login);
        }
    }
    Err(StoreError::Conflict(Conflict::PhoneLogin))
}

/// All logins of the node.
pub(crate) async fn all_logins(
    connection: &mut Connection,
) -> Result<BTreeSet<String>, StoreError> {
    let logins: Vec<String> = query(ALL_LOGINS)
        .fetch_values(connection)
        .await
        .map_err(StoreError::doing("read all logins"))?;
    Ok(logins.into_iter().collect())
}

/// Adds phones to extensions that have none.
pub(crate) async fn insert_many(
    connection: &mut Connection,
    tenant: TenantId,
    phones: &[(ExtensionId, Phone)],
) -> Result<(), StoreError> {
    for part in phones.chunks(limits::ROWS_PER_STATEMENT) {
        insert_statement(tenant, part)?
            .execute(connection)
            .await
            .map_err(StoreError::unless(Conflict::PhoneLogin, "add phones"))?;
    }
    Ok(())
}

pub(crate) fn insert_statement(
    tenant: TenantId,
    phones: &[(ExtensionId, Phone)],
) -> Result<ManyRows<'_>, StoreError> {
    let client_id = signed(tenant.0)?;
    let rows = phones
        .iter()
        .map(|(extension, phone)| Ok((signed(extension.0)?, phone, Numbers::of(phone)?)))
        .collect::<Result<Vec<_>, StoreError>>()?;
    let mut statement =
        ManyRows::new(concat!("INSERT INTO phones (client_id, extension_id, ", settings!(), ") "));
    statement.push_values(rows, |row, (extension_id, phone, numbers)| {
        let shown = &phone.shown;
        row.push_bind(client_id)
            .push_bind(extension_id)
            .push_bind(phone.login.as_str())
            .push_bind(phone.password.expose())
            .push_bind(auth_word(phone.auth_type))
            .push_bind(phone.incoming_limit.map(i64::from))
            .push_bind(phone.ring_timeout_s.map(i64::from))
            .push_bind(numbers.announce_outgoing)
            .push_bind(numbers.announce_incoming)
            .push_bind(shown.append_to_cid_name_on_transfer.as_deref())
            .push_bind(shown.call_screening_enabled)
            .push_bind(shown.conference_announce_caller_name)
            .push_bind(shown.conference_end_on_exit)
            .push_bind(shown.conference_pin.as_deref())
            .push_bind(shown.allow_webrtc)
            .push_bind(shown.record_enabled)
            .push_bind(shown.record_transfer)
            .push_bind(shown.record_format.as_str())
            .push_bind(shown.record_stereo)
            .push_bind(numbers.hold_music)
            .push_bind(numbers.ringback_sound)
            .push_bind(shown.geo_list.as_deref())
            .push_bind(shown.replace_pin.as_ref().map(Secret::expose))
            .push_bind(shown.vm_enabled)
            .push_bind(shown.vm_pin.as_deref())
            .push_bind(numbers.vm_greeting)
            .push_bind(shown.vm_attach_file)
            .push_bind(shown.vm_mailto.as_deref())
            .push_bind(shown.keypad_codes);
    });
    Ok(statement)
}

/// Writes a phone's settings, all but its login.
pub(crate) async fn update(
    connection: &mut Connection,
    tenant: TenantId,
    extension: ExtensionId,
    phone: &Phone,
) -> Result<(), StoreError> {
    let (shown, numbers) = (&phone.shown, Numbers::of(phone)?);
    query(UPDATE)
        .bind(signed(tenant.0)?)
        .bind(signed(extension.0)?)
        .bind(phone.password.expose())
        .bind(auth_word(phone.auth_type))
        .bind(phone.incoming_limit.map(i64::from))
        .bind(phone.ring_timeout_s.map(i64::from))
        .bind(numbers.announce_outgoing)
        .bind(numbers.announce_incoming)
        .bind(shown.append_to_cid_name_on_transfer.as_deref())
        .bind(shown.call_screening_enabled)
        .bind(shown.conference_announce_caller_name)
        .bind(shown.conference_end_on_exit)
        .bind(shown.conference_pin.as_deref())
        .bind(shown.allow_webrtc)
        .bind(shown.record_enabled)
        .bind(shown.record_transfer)
        .bind(shown.record_format.as_str())
        .bind(shown.record_stereo)
        .bind(numbers.hold_music)
        .bind(numbers.ringback_sound)
        .bind(shown.geo_list.as_deref())
        .bind(shown.replace_pin.as_ref().map(Secret::expose))
        .bind(shown.vm_enabled)
        .bind(shown.vm_pin.as_deref())
        .bind(numbers.vm_greeting)
        .bind(shown.vm_attach_file)
        .bind(shown.vm_mailto.as_deref())
        .bind(shown.keypad_codes)
        .execute(connection)
        .await
        .map_err(StoreError::doing("change a phone"))?;
    Ok(())
}

/// Reads the phone's columns of a joined row.
pub(crate) fn from_row(row: &Row) -> Result<Phone, StoreError> {
    let read = StoreError::doing("read a phone");
    let raw = PhoneRow::read(row).map_err(read)?;
    Ok(Phone {
        login: Login::parse(&raw.login).map_err(db::corrupt("phones.login"))?,
        password: Secret::new(&raw.password),
        auth_type: auth_of(&raw.auth_type)?,
        incoming_limit: optional(raw.incoming_limit, "phones.incoming_limit")?,
        ring_timeout_s: optional(raw.ring_timeout_s, "phones.ring_timeout_s")?,
        shown: PhoneShown {
            announce_sound_upon_outgoing_call: optional(
                raw.announce_outgoing,
                "phones.announce_sound_upon_outgoing_call",
            )?,
            announce_sound_upon_incoming_call: optional(
                raw.announce_incoming,
                "phones.announce_sound_upon_incoming_call",
            )?,
            hold_music: optional(raw.hold_music, "phones.hold_music")?,
            ringback_sound: optional(raw.ringback_sound, "phones.ringback_sound")?,
            vm_greeting: optional(raw.vm_greeting, "phones.vm_greeting")?,
            record_format: record_format_of(raw.record_format.as_deref())?,
            ..raw.shown
        },
    })
}

/// The columns as they lie in the table; what needs no check stands in `shown` already.
struct PhoneRow {
    login: String,
    password: String,
    auth_type: String,
    incoming_limit: Option<i64>,
    ring_timeout_s: Option<i64>,
    announce_outgoing: Option<i64>,
    announce_incoming: Option<i64>,
    hold_music: Option<i64>,
    ringback_sound: Option<i64>,
    vm_greeting: Option<i64>,
    record_format: Option<String>,
    shown: PhoneShown,
}

impl PhoneRow {
    fn read(row: &Row) -> Result<PhoneRow, sqlx::Error> {
        let replace_pin: Option<String> = row.try_get("replace_pin")?;
        Ok(PhoneRow {
            login: row.try_get("login")?,
            password: row.try_get("password")?,
            auth_type: row.try_get("auth_type")?,
            incoming_limit: row.try_get("incoming_limit")?,
            ring_timeout_s: row.try_get("ring_timeout_s")?,
            announce_outgoing: row.try_get("announce_sound_upon_outgoing_call")?,
            announce_incoming: row.try_get("announce_sound_upon_incoming_call")?,
            hold_music: row.try_get("hold_music")?,
            ringback_sound: row.try_get("ringback_sound")?,
            vm_greeting: row.try_get("vm_greeting")?,
            record_format: row.try_get("record_format")?,
            shown: PhoneShown {
                append_to_cid_name_on_transfer: row.try_get("append_to_cid_name_on_transfer")?,
                call_screening_enabled: row.try_get("call_screening_enabled")?,
                conference_announce_caller_name: row.try_get("conference_announce_caller_name")?,
                conference_end_on_exit: row.try_get("conference_end_on_exit")?,
                conference_pin: row.try_get("conference_pin")?,
                allow_webrtc: row.try_get("allow_webrtc")?,
                record_enabled: row.try_get("record_enabled")?,
                record_transfer: row.try_get("record_transfer")?,
                record_stereo: row.try_get("record_stereo")?,
                geo_list: row.try_get("geo_list")?,
                replace_pin: replace_pin.as_deref().map(Secret::new),
                vm_enabled: row.try_get("vm_enabled")?,
                vm_pin: row.try_get("vm_pin")?,
                vm_attach_file: row.try_get("vm_attach_file")?,
                vm_mailto: row.try_get("vm_mailto")?,
                keypad_codes: row.try_get("keypad_codes")?,
                ..PhoneShown::default()
            },
        })
    }
}

/// The ids of sounds, as the database holds numbers.
struct Numbers {
    announce_outgoing: Option<i64>,
    announce_incoming: Option<i64>,
    hold_music: Option<i64>,
    ringback_sound: Option<i64>,
    vm_greeting: Option<i64>,
}

impl Numbers {
    fn of(phone: &Phone) -> Result<Numbers, StoreError> {
        let shown = &phone.shown;
        Ok(Numbers {
            announce_outgoing: optional_signed(shown.announce_sound_upon_outgoing_call)?,
            announce_incoming: optional_signed(shown.announce_sound_upon_incoming_call)?,
            hold_music: optional_signed(shown.hold_music)?,
            ringback_sound: optional_signed(shown.ringback_sound)?,
            vm_greeting: optional_signed(shown.vm_greeting)?,
        })
    }
}

/// Phones that were never asked have the usual one.
fn record_format_of(word: Option<&str>) -> Result<RecordFormat, StoreError> {
    let Some(word) = word else { return Ok(RecordFormat::default()) };
    RecordFormat::parse(word).ok_or_else(|| db::unknown_word("phones.record_format", word))
}

fn auth_word(auth: AuthType) -> &'static str {
    match auth {
        AuthType::Digest => "digest",
        AuthType::Network => "network",
        AuthType::Both => "both",
    }
}

fn auth_of(word: &str) -> Result<AuthType, StoreError> {
    match word {
        "digest" => Ok(AuthType::Digest),
        "network" => Ok(AuthType::Network),
        "both" => Ok(AuthType::Both),
        other => Err(db::unknown_word("phones.auth_type", other)),
    }
}
