//! `/client/{client_id}/feature_codes/`: what is dialled, or pressed during a call, to make the
//! switch do something.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use model::{Code, CodeName, FeatureCodes, RoutingSettings};
use serde::Serialize;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::Schema;
use utoipa::{PartialSchema, ToSchema};

use crate::document::writable;
use crate::error::ApiError;
use crate::fields::{Change, Fields};
use crate::state::Api;
use crate::target::ClientTarget;

/// The client's feature codes
///
/// Null: that one is switched off. For users of the whole client.
#[utoipa::path(
    get,
    path = "/api/ver1.0/client/{client_id}/feature_codes/",
    tag = "feature_codes",
    responses((status = 200, description = "All of them.", body = FeatureCodesBody)),
)]
pub(crate) async fn show(client: ClientTarget) -> Result<Response, ApiError> {
    client.caller.must_administer()?;
    let codes = &client.snapshot.routing.settings.feature_codes;
    Ok(Json(FeatureCodesBody::of(codes)).into_response())
}

/// Changes the client's feature codes
///
/// A code is `*` or `#` and 1 to 3 digits; null, or the empty string, switches it off. Those that
/// are not sent stay as they are; an unknown one is refused. No code may begin with another of the
/// same moment: when one dials, or during a call. The next call is handled by them. For users of
/// the whole client.
#[utoipa::path(
    put,
    path = "/api/ver1.0/client/{client_id}/feature_codes/",
    tag = "feature_codes",
    request_body = FeatureCodesChange,
    responses((status = 200, description = "All of them, as they are now.",
        body = FeatureCodesBody)),
)]
pub(crate) async fn change(
    State(api): State<Api>,
    client: ClientTarget,
    fields: Fields,
) -> Result<Response, ApiError> {
    client.caller.must_administer()?;
    let tenant = client.caller.tenant();
    let change = FeatureCodesChange::of(&fields)?;
    let apply = |settings: &mut RoutingSettings| change.apply(&mut settings.feature_codes);
    let settings = api.store().change_settings(tenant, apply).await?;
    let settings = settings.ok_or_else(ApiError::client_not_found)?;
    api.changed(tenant).await;
    Ok(Json(FeatureCodesBody::of(&settings.feature_codes)).into_response())
}

/// What is dialled, or pressed during a call, to make the switch do something.
#[derive(Serialize, ToSchema)]
#[schema(as = FeatureCodes)]
pub(crate) struct FeatureCodesBody {
    /// Dialled: takes the oldest call that rings in the own groups; with an extension the call that
    /// rings there.
    #[schema(example = "*7")]
    pickup: Option<String>,
    /// Dialled, with an extension: hears its call.
    #[schema(example = "*4")]
    eavesdrop: Option<String>,
    /// Dialled, with an extension: hears its call, and is heard by the extension.
    #[schema(example = "*5")]
    whisper: Option<String>,
    /// Dialled, with an extension: joins its call.
    #[schema(example = "*6")]
    barge: Option<String>,
    /// Dialled, with an extension: enters its conference room.
    #[schema(example = "*8")]
    room: Option<String>,
    /// Dialled, with an extension, `*` and its `replace_pin`: the phones of both serve each other;
    /// alone: no more.
    #[schema(example = "*3")]
    replace: Option<String>,
    /// Dialled: takes back who was parked first; with a slot who is parked there.
    #[schema(example = "*0")]
    park: Option<String>,
    /// Dialled: the own messages.
    #[schema(example = "*9")]
    voicemail: Option<String>,
    /// Dialled: the own agent logs in or out.
    #[schema(example = "*1")]
    agent: Option<String>,
    /// During a call, with a number and `#`: sends the other side there.
    #[schema(example = "#1")]
    transfer: Option<String>,
    /// During a call, with a number and `#`: asks there first, while the other side waits; again:
    /// back to it.
    #[schema(example = "*2")]
    attended_transfer: Option<String>,
    /// During a call: parks the other side, in the slot that follows or in a free one.
    park_in_call: Option<String>,
}

impl FeatureCodesBody {
    fn of(codes: &FeatureCodes) -> FeatureCodesBody {
        let code = |name| codes.code(name).map(ToString::to_string);
        FeatureCodesBody {
            pickup: code(CodeName::Pickup),
            eavesdrop: code(CodeName::Eavesdrop),
            whisper: code(CodeName::Whisper),
            barge: code(CodeName::Barge),
            room: code(CodeName::Room),
            replace: code(CodeName::Replace),
            park: code(CodeName::Park),
            voicemail: code(CodeName::Voicemail),
            agent: code(CodeName::Agent),
            transfer: code(CodeName::Transfer),
            attended_transfer: code(CodeName::AttendedTransfer),
            park_in_call: code(CodeName::ParkInCall),
        }
    }
}

/// What may be written.
#[derive(Debug)]
pub(crate) struct FeatureCodesChange(Vec<(CodeName, Option<Code>)>);

impl FeatureCodesChange {
    fn of(fields: &Fields) -> Result<FeatureCodesChange, ApiError> {
        let known: Vec<&str> = CodeName::all().map(CodeName::as_str).collect();
        if let Some(unknown) = fields.unknown(&known).next() {
            return Err(fields.invalid(unknown, "is no feature code"));
        }
        let mut changes = Vec::new();
        for name in CodeName::all() {
            match fields.parsed_change(name.as_str(), Code::parse)? {
                Change::To(code) => changes.push((name, Some(code))),
                Change::Empty => changes.push((name, None)),
                Change::Keep if fields.is_null(name.as_str()) => changes.push((name, None)),
                Change::Keep => {}
            }
        }
        Ok(FeatureCodesChange(changes))
    }

    fn apply(self, to: &mut FeatureCodes) -> Result<(), ApiError> {
        let changed = to.changed(self.0);
        *to = changed.map_err(|clash| ApiError::invalid(clash.name.as_str(), &clash))?;
        Ok(())
    }
}

impl PartialSchema for FeatureCodesChange {
    fn schema() -> RefOr<Schema> {
        let mut object = writable::<FeatureCodesBody>();
        object.description = Some("Codes that shall change.".to_owned());
        object.into()
    }
}

impl ToSchema for FeatureCodesChange {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        FeatureCodesBody::schemas(schemas);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::document::properties;

    #[test]
    fn the_document_names_every_code() {
        let known: BTreeSet<String> = CodeName::all().map(|n| n.as_str().to_owned()).collect();
        assert_eq!(known, properties::<FeatureCodesChange>());
    }
}
