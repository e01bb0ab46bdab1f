//! `/current_calls/`: calls that are up, and ending them. What else is done with one lies in
//! `call_control`.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use leg::{CallView, Command, Reply};
use model::{CallApiId, ExtensionKind};
use serde::Deserialize;

use crate::call_views::{self, CallBody, CallList};
use crate::error::ApiError;
use crate::state::Api;
use crate::target::{ClientTarget, ExtensionTarget};

/// The calls of all phones of the client
///
/// A call between two extensions is listed for each.
#[utoipa::path(
    get,
    path = "/api/ver1.0/client/{client_id}/current_calls/",
    tag = "current_calls",
    responses((status = 200, description = "Those that the user may see.", body = CallList)),
)]
pub(crate) async fn list_of_client(
    State(api): State<Api>,
    client: ClientTarget,
) -> Result<Response, ApiError> {
    let command = Command::ListCalls { extension: None };
    let mut calls = calls(api.command(client.caller.tenant(), command).await?)?;
    calls.retain(|call| {
        let extension = call.extension.as_ref().and_then(|e| client.snapshot.extension(e.id));
        extension.is_some_and(|extension| client.caller.sees(extension))
    });
    Ok(call_list(&calls))
}

/// The calls of one extension
///
/// Only phones have calls of their own.
#[utoipa::path(
    get,
    path = "/api/ver1.0/extension/{extension_id}/current_calls/",
    tag = "current_calls",
    responses((status = 200, description = "Its calls.", body = CallList)),
)]
pub(crate) async fn list(
    State(api): State<Api>,
    target: ExtensionTarget,
) -> Result<Response, ApiError> {
    // Only phones have calls of their own (decision 24).
    if target.extension.kind != ExtensionKind::Phone {
        return Ok(call_list(&[]));
    }
    let command = Command::ListCalls { extension: Some(target.extension.id) };
    Ok(call_list(&calls(api.command(target.caller.tenant(), command).await?)?))
}

/// One call of an extension
#[utoipa::path(
    get,
    path = "/api/ver1.0/extension/{extension_id}/current_calls/{call_api_id}",
    tag = "current_calls",
    responses((status = 200, description = "The call.", body = CallBody)),
)]
pub(crate) async fn show(
    State(api): State<Api>,
    target: ExtensionTarget,
    Path(path): Path<CallPath>,
) -> Result<Response, ApiError> {
    let command = Command::ShowCall { extension: target.extension.id, call: path.call()? };
    match api.command(target.caller.tenant(), command).await? {
        Reply::Call(view) => Ok(json(call_views::text(&view).to_owned())),
        other => Err(ApiError::of_reply(&other)),
    }
}

/// Hangs up
#[utoipa::path(
    delete,
    path = "/api/ver1.0/extension/{extension_id}/current_calls/{call_api_id}",
    tag = "current_calls",
    responses((status = 204, description = "The call is ending.")),
)]
pub(crate) async fn hang_up(
    State(api): State<Api>,
    target: ExtensionTarget,
    Path(path): Path<CallPath>,
) -> Result<StatusCode, ApiError> {
    let command = Command::Hangup { extension: target.extension.id, call: path.call()? };
    match api.command(target.caller.tenant(), command).await? {
        Reply::Done => Ok(StatusCode::NO_CONTENT),
        other => Err(ApiError::of_reply(&other)),
    }
}

/// The call's part of the path; the extension's is [`ExtensionTarget`]'s.
#[derive(Deserialize)]
pub(crate) struct CallPath {
    call_api_id: String,
}

impl CallPath {
    /// What is no handle names no call.
    pub(crate) fn call(&self) -> Result<CallApiId, ApiError> {
        self.call_api_id.parse().map_err(|_| ApiError::not_found())
    }
}

fn calls(reply: Reply) -> Result<Vec<Arc<CallView>>, ApiError> {
    match reply {
        Reply::Calls(calls) => Ok(calls),
        other => Err(ApiError::of_reply(&other)),
    }
}

/// `{"call_list": [...]}` from texts that are there already.
fn call_list(calls: &[Arc<CallView>]) -> Response {
    let texts: Vec<_> = calls.iter().map(|call| call_views::text(call)).collect();
    let length: usize = texts.iter().map(|text| text.len() + 1).sum();
    let mut list = String::with_capacity(length + 16);
    list.push_str("{\"call_list\":[");
    for (n, text) in texts.iter().enumerate() {
        if n > 0 {
            list.push(',');
        }
        list.push_str(text);
    }
    list.push_str("]}");
    json(list)
}

/// An answer that is JSON text already.
pub(crate) fn json(text: String) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], text).into_response()
}
