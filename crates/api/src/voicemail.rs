//! `/voicemail/` of an extension and of the client: what callers have left (API reference 15).

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use model::{Snapshot, Wall};
use serde::Serialize;
use store::{MessagesOf, StoredMessage};
use utoipa::ToSchema;

use crate::document::words;
use crate::error::ApiError;
use crate::extensions::Order;
use crate::query::Query;
use crate::state::Api;
use crate::target::{MessageTarget, VoicemailTarget};
use crate::{download, limits, sounds};

words! {
    /// How the call came to the extension.
    MessageFlowWord = "in";
    /// What became of the call.
    MessageResultWord = "voicemail";
}

/// A message in a voicemail, with the fields of a call record.
#[derive(Serialize, ToSchema)]
#[schema(as = Message)]
pub(crate) struct MessageBody<'a> {
    /// Names the message in other paths.
    #[schema(example = "624835feee0e11e6a19d331e4d6a0606")]
    record_uuid: String,
    /// Bytes of its file.
    record_file_size: u64,
    #[schema(example = "2021-01-01-00-00-18-UTC_in_100.wav")]
    file_name: String,
    /// Whether somebody has fetched it.
    heard: bool,
    /// The call in which it was left.
    call_uuid: String,
    subcall_id: &'a str,
    #[schema(value_type = MessageFlowWord, inline)]
    flow: &'static str,
    #[schema(value_type = MessageResultWord, inline)]
    result: &'static str,
    /// When its recording began.
    #[schema(example = "2021-01-01 16:29:38")]
    init_time_gmt: String,
    start_time_gmt: String,
    hangup_time_gmt: String,
    /// Seconds.
    duration: u32,
    extension_id: u64,
    /// Null when the extension is gone.
    #[schema(example = "0003*100@sip.example.com")]
    extension_name: Option<String>,
    extension_type: &'static str,
    client_owner_id: u64,
    extension_group_owner_id: Option<u64>,
    /// The caller's number; empty when it is hidden.
    from_username: &'a str,
    from_domain: &'a str,
    from_screen_name: &'a str,
    to_username: Option<&'a str>,
    to_domain: &'a str,
    /// The outside number that was called.
    did_number: Option<&'a str>,
}

impl<'a> MessageBody<'a> {
    fn of(snapshot: &'a Snapshot, stored: &'a StoredMessage) -> MessageBody<'a> {
        let message = &stored.message;
        let owner = snapshot.extension(message.extension);
        let domain = snapshot.tenant.domain.as_str();
        let end = Wall(message.time.0 + i64::from(message.length_ms) * 1_000);
        MessageBody {
            record_uuid: message.file.to_string(),
            record_file_size: stored.bytes,
            file_name: file_name(snapshot, stored),
            heard: stored.heard,
            call_uuid: message.call.hex().to_ascii_uppercase(),
            subcall_id: &message.sub_call_id,
            flow: "in",
            result: "voicemail",
            init_time_gmt: message.time.to_string(),
            start_time_gmt: message.time.to_string(),
            hangup_time_gmt: end.to_string(),
            duration: message.length_ms.div_ceil(1_000),
            extension_id: message.extension.0,
            extension_name: owner.map(|e| format!("{}@{domain}", snapshot.full_name(e))),
            extension_type: "phone",
            client_owner_id: message.tenant.0,
            extension_group_owner_id: owner.and_then(|e| e.group).map(|group| group.0),
            from_username: &message.caller_number,
            from_domain: domain,
            from_screen_name: &message.caller_name,
            to_username: owner.map(|e| e.name.as_str()),
            to_domain: domain,
            did_number: message.did.as_deref(),
        }
    }
}

/// `2021-01-01-00-00-18-UTC_in_100.wav`.
fn file_name(snapshot: &Snapshot, stored: &StoredMessage) -> String {
    let time: String = stored
        .message
        .time
        .to_string()
        .chars()
        .map(|c| if c.is_ascii_digit() { c } else { '-' })
        .collect();
    let owner = snapshot.extension(stored.message.extension);
    let owner = owner.map_or_else(|| stored.message.extension.to_string(), |e| e.name.to_string());
    format!("{time}-UTC_in_{owner}.wav")
}

/// Messages in voicemail
///
/// Of the extension, or of all extensions that the user may see.
#[utoipa::path(
    get,
    path = "/api/ver1.0/extension/{extension_id}/voicemail/",
    tag = "voicemail",
    params(
        ("start_datetime" = String, Query, example = "2021-01-01 00:00:00",
            description = "Left at this moment or later."),
        ("end_datetime" = String, Query, example = "2021-01-31 23:59:59",
            description = "Left at this moment or earlier, at most two months after the start."),
        ("order" = inline(Option<Order>), Query, description = "By time; `desc` unless given."),
        ("page" = Option<u32>, Query, minimum = 1, description = "Which page; 1 unless given."),
        ("per_page" = Option<u32>, Query, minimum = 1, maximum = 100_000,
            description = "Messages a page; all unless given. `count` is read as well."),
    ),
    responses((status = 200, description = "The messages.", body = [MessageBody])),
)]
pub(crate) async fn list(
    State(api): State<Api>,
    target: VoicemailTarget,
    query: Query,
) -> Result<Response, ApiError> {
    let (from, to) = window(&query)?;
    let page = query.page(limits::PER_PAGE_MAX)?;
    let client = &target.client;
    let of = target.extension.map_or(MessagesOf::Client, MessagesOf::Extension);
    let all = api.store().messages(client.caller.tenant(), of, from, to).await?;
    let seen = all.iter().filter(|stored| client.caller.sees_of(&client.snapshot, stored));
    let bodies: Vec<_> = if page.ascending {
        page.of(seen).map(|stored| MessageBody::of(&client.snapshot, stored)).collect()
    } else {
        page.of(seen.rev()).map(|stored| MessageBody::of(&client.snapshot, stored)).collect()
    };
    Ok(Json(bodies).into_response())
}

/// The file of a message
///
/// Whoever fetches it has heard it.
#[utoipa::path(
    get,
    path = "/api/ver1.0/extension/{extension_id}/voicemail/{record_uuid}",
    tag = "voicemail",
    responses((status = 200, description = "The file.", content_type = "audio/wav", body = [u8])),
)]
pub(crate) async fn download(
    State(api): State<Api>,
    target: MessageTarget,
) -> Result<Response, ApiError> {
    let stored = found(&api, &target).await?;
    let name = file_name(&target.voicemail.client.snapshot, &stored);
    let response = download::file(&api, target.file, &name).await?;
    if !stored.heard {
        api.store().message_heard(stored.message.tenant, target.file).await?;
        api.messages_changed(stored.message.tenant, stored.message.extension).await;
    }
    Ok(response)
}

/// Removes a message
#[utoipa::path(
    delete,
    path = "/api/ver1.0/extension/{extension_id}/voicemail/{record_uuid}",
    tag = "voicemail",
    responses((status = 204, description = "It is gone.")),
)]
pub(crate) async fn delete(
    State(api): State<Api>,
    target: MessageTarget,
) -> Result<StatusCode, ApiError> {
    let stored = found(&api, &target).await?;
    if !api.store().delete_message(stored.message.tenant, target.file).await? {
        return Err(ApiError::not_found());
    }
    api.messages_changed(stored.message.tenant, stored.message.extension).await;
    sounds::discard(&api, target.file).await;
    Ok(StatusCode::NO_CONTENT)
}

/// The message that is meant, if the user may see it where it is looked for.
async fn found(api: &Api, target: &MessageTarget) -> Result<StoredMessage, ApiError> {
    let VoicemailTarget { client, extension } = &target.voicemail;
    let stored = api.store().message(client.caller.tenant(), target.file).await?;
    let is_here = |stored: &StoredMessage| {
        extension.is_none_or(|id| id == stored.message.extension)
            && client.caller.sees_of(&client.snapshot, stored)
    };
    stored.filter(is_here).ok_or_else(ApiError::not_found)
}

/// The span of time that is asked for.
fn window(query: &Query) -> Result<(Wall, Wall), ApiError> {
    let required =
        |name| query.moment(name)?.ok_or_else(|| ApiError::invalid(name, "must be given"));
    let (from, to) = (required("start_datetime")?, required("end_datetime")?);
    if to < from {
        return Err(ApiError::invalid("end_datetime", "must not be before start_datetime"));
    }
    if to.seconds() - from.seconds() > limits::MESSAGES_SPAN_S {
        let why = "must be within two months after start_datetime";
        return Err(ApiError::invalid("end_datetime", why));
    }
    // Both seconds belong to it whole.
    Ok((from, Wall(to.0 + 999_999)))
}
