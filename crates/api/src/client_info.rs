//! `/client/client_info/{client_id}/`: what is known of the client itself.

use axum::Json;
use axum::extract::State;
use model::{DialRulesId, RoutingSettings, SoundId, Tenant, Zone};
use serde::Serialize;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::Schema;
use utoipa::{PartialSchema, ToSchema};

use crate::document::writable;
use crate::error::ApiError;
use crate::fields::{Change, Fields};
use crate::rule_body::word_of;
use crate::settings::{LANGUAGES, LanguageWord, PRESENCE, PresenceWord};
use crate::state::Api;
use crate::target::ClientTarget;

/// What is known of the client itself
///
/// For users of the whole client.
#[utoipa::path(
    get,
    path = "/api/ver1.0/client/client_info/{client_id}/",
    tag = "client",
    responses((status = 200, description = "The client.", body = ClientInfoBody)),
)]
pub(crate) async fn show(client: ClientTarget) -> Result<Json<ClientInfoBody>, ApiError> {
    client.caller.must_administer()?;
    let snapshot = &client.snapshot;
    Ok(Json(ClientInfoBody::of(&snapshot.tenant, &snapshot.routing.settings)))
}

/// Changes what is known of the client
///
/// Beside `timezone`, what can be changed here is among the client's settings too. The other fields
/// that one may write are missing in this version: a value that says something else than what is
/// shown is refused. For users of the whole client.
#[utoipa::path(
    put,
    path = "/api/ver1.0/client/client_info/{client_id}/",
    tag = "client",
    request_body = ClientInfoChange,
    responses((status = 200, description = "The client as it is now.", body = ClientInfoBody)),
)]
pub(crate) async fn change(
    State(api): State<Api>,
    client: ClientTarget,
    fields: Fields,
) -> Result<Json<ClientInfoBody>, ApiError> {
    client.caller.must_administer()?;
    let tenant = client.caller.tenant();
    let change = ClientInfoChange::of(&fields)?;
    let timezone = change.timezone.clone();
    let apply = |settings: &mut RoutingSettings| {
        change.apply(settings);
        Ok::<_, ApiError>(())
    };
    let settings = api.store().change_settings(tenant, apply).await?;
    let settings = settings.ok_or_else(ApiError::client_not_found)?;
    if let Some(zone) = timezone
        && !api.store().set_timezone(tenant, &zone).await?
    {
        return Err(ApiError::client_not_found());
    }
    api.changed(tenant).await;
    let snapshot = api.snapshot(tenant)?;
    Ok(Json(ClientInfoBody::of(&snapshot.tenant, &settings)))
}

/// What may be written of a client; all else that is known of it stays as it is.
#[derive(Debug)]
pub(crate) struct ClientInfoChange {
    hold_music: Change<u64>,
    dial_rules: Change<u64>,
    presence: Option<bool>,
    timezone: Option<String>,
}

const WRITABLE: [&str; 4] = ["hold_music", "dial_rule_id", "presence", "timezone"];

/// What the documentation lets one write and nothing is done with here.
const MISSING: [&str; 8] = [
    "call_interactive_out_call",
    "call_interactive_url",
    "call_interactive_method",
    "call_interactive_timeout",
    "sip_network_permission_id",
    "disk_space_notify_email",
    "disk_space_notify_threshold",
    "geo_list",
];

impl ClientInfoChange {
    fn of(fields: &Fields) -> Result<ClientInfoChange, ApiError> {
        // What is shown may be written back.
        let is_shown = |name: &str| match name {
            "call_interactive_out_call" => fields.flag(name).map(|flag| flag != Some(true)),
            "call_interactive_method" => {
                let method = fields.text(name, usize::MAX)?;
                Ok(method.is_none_or(|method| method.is_empty() || method == "GET"))
            }
            _ => Ok(fields.text(name, usize::MAX)?.is_none_or(|text| text.is_empty())),
        };
        for name in MISSING {
            if !is_shown(name)? {
                return Err(ApiError::invalid(name, "is missing in this version"));
            }
        }
        let zone = |text: &str| match Zone::parse(text) {
            Some(_) => Ok(text.to_owned()),
            None => Err("must be an IANA zone like Europe/Moscow"),
        };
        Ok(ClientInfoChange {
            timezone: fields.parsed("timezone", zone)?,
            hold_music: fields.id_change("hold_music")?,
            dial_rules: fields.id_change("dial_rule_id")?,
            presence: fields.word("presence", &PRESENCE)?,
        })
    }

    fn apply(self, to: &mut RoutingSettings) {
        let mut music = to.shown.hold_music.map(|id| id.0);
        self.hold_music.apply(&mut music);
        to.shown.hold_music = music.map(SoundId);
        let mut list = to.dial_rules.map(|id| id.0);
        self.dial_rules.apply(&mut list);
        to.dial_rules = list.map(DialRulesId);
        to.shown.presence = self.presence.unwrap_or(to.shown.presence);
    }
}

impl PartialSchema for ClientInfoChange {
    fn schema() -> RefOr<Schema> {
        let mut object = writable::<ClientInfoBody>();
        object.properties.retain(|name, _| WRITABLE.contains(&name.as_str()));
        object.description = Some("Fields that shall change.".to_owned());
        object.into()
    }
}

impl ToSchema for ClientInfoChange {}

/// A client. What this installation does not keep is null, or the default.
#[derive(Serialize, ToSchema)]
#[schema(as = ClientInfo)]
pub(crate) struct ClientInfoBody {
    id: u64,
    name: String,
    /// SIP domain.
    domain: String,
    domain_prefix: String,
    /// What stands before the name of an extension: `0003` in `0003*100`.
    prefix: String,
    #[serde(rename = "type")]
    kind: &'static str,
    email: Option<String>,
    #[schema(value_type = LanguageWord, inline)]
    language: &'static str,
    #[schema(example = "2020-03-16 12:11:13")]
    create_date: String,
    #[schema(value_type = PresenceWord, inline)]
    presence: &'static str,
    /// Digits of an extension's name.
    #[schema(minimum = 2, maximum = 4)]
    extension_len: u8,
    record_stereo: bool,
    record_format: &'static str,
    ambassadors: Option<String>,
    contact_phones: Option<String>,
    fact_address: Option<String>,
    jur_address: Option<String>,
    reg_status_log: bool,
    did_as_transfer_caller_id: Option<String>,
    short_local_caller_id: Option<String>,
    extra_params: Option<String>,
    /// The sound that one hears who is held by an extension without music of its own; 0 is none.
    hold_music: Option<u64>,
    call_interactive_out_call: bool,
    call_interactive_url: Option<String>,
    call_interactive_method: &'static str,
    call_interactive_timeout: Option<u64>,
    sip_network_permission_id: Option<u64>,
    /// IANA zone.
    #[schema(example = "Europe/Moscow")]
    timezone: String,
    disk_space_notify_email: Option<String>,
    disk_space_notify_threshold: Option<u64>,
    /// The client's list of dial rules; 0 is none.
    dial_rule_id: Option<u64>,
    geo_list: Option<String>,
}

impl ClientInfoBody {
    fn of(tenant: &Tenant, settings: &RoutingSettings) -> ClientInfoBody {
        ClientInfoBody {
            id: tenant.id.0,
            name: tenant.name.clone(),
            domain: tenant.domain.clone(),
            domain_prefix: tenant.domain_prefix.to_string(),
            prefix: tenant.prefix.to_string(),
            kind: "client",
            email: None,
            language: word_of(&LANGUAGES, settings.language),
            create_date: tenant.create_date.clone(),
            presence: word_of(&PRESENCE, settings.shown.presence),
            extension_len: tenant.extension_len,
            record_stereo: false,
            record_format: "mp3",
            ambassadors: None,
            contact_phones: None,
            fact_address: None,
            jur_address: None,
            reg_status_log: false,
            did_as_transfer_caller_id: None,
            short_local_caller_id: None,
            extra_params: None,
            hold_music: settings.shown.hold_music.map(|id| id.0),
            call_interactive_out_call: false,
            call_interactive_url: None,
            call_interactive_method: "GET",
            call_interactive_timeout: None,
            sip_network_permission_id: None,
            timezone: tenant.timezone.clone(),
            disk_space_notify_email: None,
            disk_space_notify_threshold: None,
            dial_rule_id: settings.dial_rules.map(|id| id.0),
            geo_list: None,
        }
    }
}
