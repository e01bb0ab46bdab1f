//! Table `client_settings`: what a client has set. A client without a row has the defaults.

use std::collections::BTreeMap;

use model::{
    CallControlApi, DialRulesId, Language, Number, OutsideLimits, Pattern, PickupMerge,
    RoutingSettings, SettingsShown, SoundId, TenantId,
};

use crate::connection::{Connection, commit};
use crate::db::{self, corrupt, optional, optional_signed, signed, unsigned};
use crate::error::StoreError;
use crate::open::Store;
use crate::parts::{client_of, list_of, list_text, words};
use crate::query::{Row, query};
use crate::{clients, dial_rules, dids, feature_codes, sounds};

macro_rules! columns {
    () => {
        "client_id, decline_is_busy, emergency_numbers, outside_allowed, country, dial_rule_id, \
         ani, outside_calls, outside_calls_per_minute, extension_calls, \
         extension_calls_per_minute, language, call_control_api, valet_park_slots, \
         park_fallback, pickup_merge, interclient_calls, feature_codes, hold_music, presence"
    };
}

db::statements! {
    SELECT = concat!("SELECT ", columns!(), " FROM client_settings WHERE client_id = $1");
    /// For the node itself, which serves all clients.
    SELECT_ALL = concat!("SELECT ", columns!(), " FROM client_settings");
    SAVE = concat!(
        "INSERT INTO client_settings (", columns!(), ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, \
        $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20) ON CONFLICT (client_id) DO UPDATE SET \
        decline_is_busy = excluded.decline_is_busy, \
        emergency_numbers = excluded.emergency_numbers, \
        outside_allowed = excluded.outside_allowed, country = excluded.country, \
        dial_rule_id = excluded.dial_rule_id, ani = excluded.ani, \
        outside_calls = excluded.outside_calls, \
        outside_calls_per_minute = excluded.outside_calls_per_minute, \
        extension_calls = excluded.extension_calls, \
        extension_calls_per_minute = excluded.extension_calls_per_minute, \
        language = excluded.language, call_control_api = excluded.call_control_api, \
        valet_park_slots = excluded.valet_park_slots, park_fallback = excluded.park_fallback, \
        pickup_merge = excluded.pickup_merge, interclient_calls = excluded.interclient_calls, \
        feature_codes = excluded.feature_codes, hold_music = excluded.hold_music, \
        presence = excluded.presence"
    );
}

impl Store {
    /// Changes a client's settings: `change` gets what is stored, or the defaults. `None`: no such
    /// client.
    pub async fn change_settings<E: From<StoreError>>(
        &self,
        tenant: TenantId,
        change: impl FnOnce(&mut RoutingSettings) -> Result<(), E> + Send,
    ) -> Result<Option<RoutingSettings>, E> {
        let mut write = self.begin_write().await?;
        if clients::next_routing_revision(&mut write, tenant).await?.is_none() {
            return Ok(None);
        }
        let before = of_client(&mut write, tenant).await?;
        let mut settings = before.clone();
        change(&mut settings)?;
        if settings.ani != before.ani {
            dids::must_be_own(&mut write, tenant, settings.ani.as_ref()).await?;
        }
        if let Some(list) = settings.dial_rules
            && !dial_rules::exists(&mut write, tenant, list).await?
        {
            return Err(StoreError::NoSuch { field: "dial_rule_id" }.into());
        }
        if let Some(music) = settings.shown.hold_music
            && before.shown.hold_music != Some(music)
            && !sounds::exists(&mut write, tenant, music).await?
        {
            return Err(StoreError::NoSuch { field: "hold_music" }.into());
        }
        save(&mut write, tenant, &settings).await?;
        commit(write).await?;
        Ok(Some(settings))
    }
}

/// What a client has set.
pub(crate) async fn of_client(
    connection: &mut Connection,
    tenant: TenantId,
) -> Result<RoutingSettings, StoreError> {
    let row = query(SELECT)
        .bind(signed(tenant.0)?)
        .row(connection)
        .await
        .map_err(StoreError::doing("read a client's settings"))?;
    Ok(row.as_ref().map(from_row).transpose()?.unwrap_or_default())
}

/// What all clients have set, for [`crate::operator`].
pub(crate) async fn all(
    connection: &mut Connection,
) -> Result<BTreeMap<TenantId, RoutingSettings>, StoreError> {
    let rows = query(SELECT_ALL)
        .rows(connection)
        .await
        .map_err(StoreError::doing("read all clients' settings"))?;
    rows.iter().map(|row| Ok((client_of(row)?, from_row(row)?))).collect()
}

/// Writes a client's settings.
pub(crate) async fn save(
    connection: &mut Connection,
    tenant: TenantId,
    settings: &RoutingSettings,
) -> Result<(), StoreError> {
    let (limits, shown) = (&settings.outside_limits, &settings.shown);
    query(SAVE)
        .bind(signed(tenant.0)?)
        .bind(settings.decline_is_busy)
        .bind(list_text(&settings.emergency_numbers, "client_settings.emergency_numbers")?)
        .bind(list_text(&settings.outside_allowed, "client_settings.outside_allowed")?)
        .bind(&*settings.country)
        .bind(optional_signed(settings.dial_rules.map(|id| id.0))?)
        .bind(settings.ani.as_ref().map(Number::as_str))
        .bind(i64::from(limits.calls))
        .bind(i64::from(limits.calls_per_minute))
        .bind(i64::from(limits.extension_calls))
        .bind(i64::from(limits.extension_calls_per_minute))
        .bind(language_word(settings.language))
        .bind(control_word(shown.call_control_api))
        .bind(i64::from(shown.valet_park_slots))
        .bind(shown.park_fallback.as_ref().map(Number::as_str))
        .bind(merge_word(shown.pickup_merge))
        .bind(shown.interclient_calls)
        .bind(feature_codes::text(&settings.feature_codes)?)
        .bind(optional_signed(shown.hold_music.map(|id| id.0))?)
        .bind(shown.presence)
        .execute(connection)
        .await
        .map_err(StoreError::doing("write a client's settings"))?;
    Ok(())
}

fn from_row(row: &Row) -> Result<RoutingSettings, StoreError> {
    let raw = SettingsRow::read(row).map_err(StoreError::doing("read a client's settings"))?;
    let ani = raw.ani.as_deref().map(Number::parse).transpose();
    let park_fallback = raw.park_fallback.as_deref().map(Number::parse).transpose();
    let outside_allowed: Vec<Pattern> =
        list_of(&raw.outside_allowed, "client_settings.outside_allowed")?;
    let [calls, calls_per_minute, extension_calls, extension_calls_per_minute] = raw.limits;
    let limit = |n| unsigned(n, "client_settings.outside_calls");
    Ok(RoutingSettings {
        decline_is_busy: raw.decline_is_busy,
        emergency_numbers: list_of(&raw.emergency_numbers, "client_settings.emergency_numbers")?,
        country: raw.country.into(),
        dial_rules: optional(raw.dial_rules, "client_settings.dial_rule_id")?.map(DialRulesId),
        ani: ani.map_err(corrupt("client_settings.ani"))?,
        outside_allowed,
        outside_limits: OutsideLimits {
            calls: limit(calls)?,
            calls_per_minute: limit(calls_per_minute)?,
            extension_calls: limit(extension_calls)?,
            extension_calls_per_minute: limit(extension_calls_per_minute)?,
        },
        language: language_of(&raw.language)?,
        feature_codes: feature_codes::read(&raw.feature_codes)?,
        shown: SettingsShown {
            call_control_api: control_of(&raw.call_control_api)?,
            valet_park_slots: unsigned(raw.valet_park_slots, "client_settings.valet_park_slots")?,
            park_fallback: park_fallback.map_err(corrupt("client_settings.park_fallback"))?,
            pickup_merge: merge_of(&raw.pickup_merge)?,
            interclient_calls: raw.interclient_calls,
            hold_music: optional(raw.hold_music, "client_settings.hold_music")?.map(SoundId),
            presence: raw.presence,
        },
    })
}

/// The columns as they lie in the table.
struct SettingsRow {
    decline_is_busy: bool,
    emergency_numbers: String,
    outside_allowed: String,
    country: String,
    dial_rules: Option<i64>,
    ani: Option<String>,
    limits: [i64; 4],
    language: String,
    call_control_api: String,
    valet_park_slots: i64,
    park_fallback: Option<String>,
    pickup_merge: String,
    interclient_calls: bool,
    feature_codes: String,
    hold_music: Option<i64>,
    presence: bool,
}

impl SettingsRow {
    fn read(row: &Row) -> Result<SettingsRow, sqlx::Error> {
        Ok(SettingsRow {
            decline_is_busy: row.try_get("decline_is_busy")?,
            emergency_numbers: row.try_get("emergency_numbers")?,
            outside_allowed: row.try_get("outside_allowed")?,
            country: row.try_get("country")?,
            dial_rules: row.try_get("dial_rule_id")?,
            ani: row.try_get("ani")?,
            limits: [
                row.try_get("outside_calls")?,
                row.try_get("outside_calls_per_minute")?,
                row.try_get("extension_calls")?,
                row.try_get("extension_calls_per_minute")?,
            ],
            language: row.try_get("language")?,
            call_control_api: row.try_get("call_control_api")?,
            valet_park_slots: row.try_get("valet_park_slots")?,
            park_fallback: row.try_get("park_fallback")?,
            pickup_merge: row.try_get("pickup_merge")?,
            interclient_calls: row.try_get("interclient_calls")?,
            feature_codes: row.try_get("feature_codes")?,
            hold_music: row.try_get("hold_music")?,
            presence: row.try_get("presence")?,
        })
    }
}

words!("client_settings.language": language_word, language_of, Language {
    "en" = Language::En,
    "ru" = Language::Ru,
});
words!("client_settings.call_control_api": control_word, control_of, CallControlApi {
    "open" = CallControlApi::Open,
    "groups" = CallControlApi::Groups,
});
words!("client_settings.pickup_merge": merge_word, merge_of, PickupMerge {
    "chain" = PickupMerge::Chain,
    "own" = PickupMerge::Own,
});
