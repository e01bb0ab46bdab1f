//! `/client/client_info/{client_id}/`: what is known of the client itself.

use axum::Json;
use model::Tenant;
use serde::Serialize;
use utoipa::ToSchema;

use crate::error::ApiError;
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
    let mut body = ClientInfoBody::of(&client.snapshot.tenant);
    body.dial_rule_id = client.snapshot.routing.settings.dial_rules.map(|id| id.0);
    Ok(Json(body))
}

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
    language: Option<String>,
    #[schema(example = "2020-03-16 12:11:13")]
    create_date: String,
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
    hold_music: Option<u64>,
    call_interactive_out_call: bool,
    call_interactive_url: Option<String>,
    call_interactive_method: &'static str,
    call_interactive_timeout: Option<u64>,
    sip_network_permission_id: Option<u64>,
    timezone: String,
    disk_space_notify_email: Option<String>,
    disk_space_notify_threshold: Option<u64>,
    dial_rule_id: Option<u64>,
    geo_list: Option<String>,
}

impl ClientInfoBody {
    fn of(tenant: &Tenant) -> ClientInfoBody {
        ClientInfoBody {
            id: tenant.id.0,
            name: tenant.name.clone(),
            domain: tenant.domain.clone(),
            domain_prefix: tenant.domain_prefix.to_string(),
            prefix: tenant.prefix.to_string(),
            kind: "client",
            email: None,
            language: None,
            create_date: tenant.create_date.clone(),
            presence: "yes",
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
            hold_music: None,
            call_interactive_out_call: false,
            call_interactive_url: None,
            call_interactive_method: "GET",
            call_interactive_timeout: None,
            sip_network_permission_id: None,
            timezone: tenant.timezone.clone(),
            disk_space_notify_email: None,
            disk_space_notify_threshold: None,
            dial_rule_id: None,
            geo_list: None,
        }
    }
}
