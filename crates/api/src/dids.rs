//! `/client/{client_id}/did/`: numbers of the outside (API reference 19.1). Listing and binding
//! are documented; adding and removing them is ours.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use model::{DidId, ExtensionId, Snapshot, limits};
use route::Country;
use serde::Serialize;
use store::StoredDid;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use crate::document::writable;
use crate::error::{ApiError, ErrorBody};
use crate::fields::{Change, Fields};
use crate::limits::TEXT_CHARS_MAX;
use crate::state::Api;
use crate::target::{ClientTarget, ItemId};

/// The DIDs of the client
///
/// For users of the whole client.
#[utoipa::path(
    get,
    path = "/api/ver1.0/client/{client_id}/did/",
    tag = "did",
    responses((status = 200, description = "In the order in which they were added.",
        body = [DidBody])),
)]
pub(crate) async fn list(
    State(api): State<Api>,
    client: ClientTarget,
) -> Result<Response, ApiError> {
    client.caller.must_administer()?;
    let dids = api.store().dids(client.caller.tenant()).await?;
    Ok(Json(dids.iter().map(|d| DidBody::of(&client.snapshot, d)).collect::<Vec<_>>())
        .into_response())
}

/// Adds a DID
///
/// On one installation a number leads to one client for each trunk by which it can come in. For
/// users of the whole client.
#[utoipa::path(
    post,
    path = "/api/ver1.0/client/{client_id}/did/",
    tag = "did",
    request_body = NewDidBody,
    responses(
        (status = 201, description = "It was added.", body = DidBody,
            headers(("Location" = String, description = "Its path."))),
        (status = 409, description = "The client has it, it comes to another client by the same \
            way, or there are as many as there may be.", body = ErrorBody),
    ),
)]
pub(crate) async fn create(
    State(api): State<Api>,
    client: ClientTarget,
    fields: Fields,
) -> Result<Response, ApiError> {
    client.caller.must_administer()?;
    let tenant = client.caller.tenant();
    let (name, number) = number(&fields, &client.snapshot)?;
    let mut new = StoredDid {
        id: DidId(0),
        number,
        name,
        extension: None,
        allow_message: false,
        message_extension: None,
        comment: None,
        created: api.now().wall,
    };
    DidChange::of(&fields, &client.snapshot)?.apply(&mut new);
    let made = api.store().create_did(tenant, &new).await?;
    let made = made.ok_or_else(ApiError::client_not_found)?;
    api.changed(tenant).await;
    let path = format!("/api/ver1.0/client/{tenant}/did/{}", made.id);
    let body = Json(DidBody::of(&client.snapshot, &made));
    Ok((StatusCode::CREATED, [(header::LOCATION, path)], body).into_response())
}

/// One DID
///
/// For users of the whole client.
#[utoipa::path(
    get,
    path = "/api/ver1.0/client/{client_id}/did/{did_id}",
    tag = "did",
    responses((status = 200, description = "The DID.", body = DidBody)),
)]
pub(crate) async fn show(
    State(api): State<Api>,
    client: ClientTarget,
    ItemId(id): ItemId,
) -> Result<Response, ApiError> {
    client.caller.must_administer()?;
    let did = api.store().did(client.caller.tenant(), DidId(id)).await?;
    let did = did.ok_or_else(ApiError::not_found)?;
    Ok(Json(DidBody::of(&client.snapshot, &did)).into_response())
}

/// Binds a DID to an extension
///
/// Fields that are not sent stay as they are. The next call is handled by the new ones. For users
/// of the whole client.
#[utoipa::path(
    put,
    path = "/api/ver1.0/client/{client_id}/did/{did_id}",
    tag = "did",
    request_body = DidChange,
    responses((status = 200, description = "As it is now.", body = DidBody)),
)]
pub(crate) async fn change(
    State(api): State<Api>,
    client: ClientTarget,
    ItemId(id): ItemId,
    fields: Fields,
) -> Result<Response, ApiError> {
    client.caller.must_administer()?;
    let tenant = client.caller.tenant();
    let change = DidChange::of(&fields, &client.snapshot)?;
    let written = if fields.text("name", limits::NUMBER_BYTES_MAX)?.is_some() {
        Some(number(&fields, &client.snapshot)?.1)
    } else {
        None
    };
    let apply = |did: &mut StoredDid| {
        if written.is_some_and(|number| number != did.number) {
            let fixed = "is fixed: delete the DID and add it anew";
            return Err(ApiError::invalid("name", fixed));
        }
        change.apply(did);
        Ok(())
    };
    let changed = api.store().change_did(tenant, DidId(id), apply).await?;
    let changed = changed.ok_or_else(ApiError::not_found)?;
    api.changed(tenant).await;
    Ok(Json(DidBody::of(&client.snapshot, &changed)).into_response())
}

/// Removes a DID
///
/// One that is shown to the outside stays. For users of the whole client.
#[utoipa::path(
    delete,
    path = "/api/ver1.0/client/{client_id}/did/{did_id}",
    tag = "did",
    responses(
        (status = 204, description = "It is gone."),
        (status = 409, description = "It is somebody's ani.", body = ErrorBody),
    ),
)]
pub(crate) async fn delete(
    State(api): State<Api>,
    client: ClientTarget,
    ItemId(id): ItemId,
) -> Result<StatusCode, ApiError> {
    client.caller.must_administer()?;
    let tenant = client.caller.tenant();
    let was_there = api.store().delete_did(tenant, DidId(id)).await?;
    api.removed(tenant, was_there).await
}

/// The number as it is written, and its E.164 digits.
fn number(fields: &Fields, snapshot: &Snapshot) -> Result<(String, String), ApiError> {
    let name = fields.text("name", limits::NUMBER_BYTES_MAX)?.unwrap_or_default();
    let name = name.trim();
    if name.is_empty() {
        return Err(fields.invalid("name", "is required"));
    }
    if !name.chars().all(|c| c.is_ascii_digit() || "+-.() ".contains(c)) {
        return Err(fields.invalid("name", "must be a telephone number like +7 812 123-45-67"));
    }
    let country = Country::of(&snapshot.routing.settings.country);
    let number = route::e164::did_key(name, country);
    if number.is_empty() {
        return Err(fields.invalid("name", "must have digits"));
    }
    Ok((name.to_owned(), number))
}

/// A number of the outside.
#[derive(Serialize, ToSchema)]
#[schema(as = Did)]
pub(crate) struct DidBody {
    #[schema(read_only)]
    id: u64,
    /// As it was written; two spellings of one number are one DID.
    #[schema(read_only, example = "78121234567")]
    name: String,
    /// SIP domain.
    #[schema(read_only)]
    domain: String,
    #[schema(read_only)]
    client_id: u64,
    /// Where it leads; 0 is nowhere.
    extension_id: Option<u64>,
    allow_message: bool,
    /// Where text messages to it go; 0 is nowhere.
    message_extension_id: Option<u64>,
    #[schema(max_length = 255)]
    comment: Option<String>,
    #[schema(read_only, example = "2020-03-16 12:11:13")]
    create_date: String,
}

impl DidBody {
    fn of(snapshot: &Arc<Snapshot>, did: &StoredDid) -> DidBody {
        DidBody {
            id: did.id.0,
            name: did.name.clone(),
            domain: snapshot.tenant.domain.clone(),
            client_id: snapshot.tenant.id.0,
            extension_id: did.extension.map(|id| id.0),
            allow_message: did.allow_message,
            message_extension_id: did.message_extension.map(|id| id.0),
            comment: did.comment.clone(),
            create_date: did.created.to_string(),
        }
    }
}

/// What may be written of a DID, when it is added and later.
#[derive(Debug)]
pub(crate) struct DidChange {
    extension: Change<u64>,
    allow_message: Option<bool>,
    message_extension: Change<u64>,
    comment: Change<String>,
}

impl DidChange {
    fn of(fields: &Fields, snapshot: &Snapshot) -> Result<DidChange, ApiError> {
        let extension = |name: &str| {
            let change = fields.id_change(name)?;
            match change {
                Change::To(id) if snapshot.extension(ExtensionId(id)).is_none() => {
                    Err(fields.invalid(name, "names nothing that the client has"))
                }
                change => Ok(change),
            }
        };
        Ok(DidChange {
            extension: extension("extension_id")?,
            allow_message: fields.flag("allow_message")?,
            message_extension: extension("message_extension_id")?,
            comment: fields.text_change("comment", TEXT_CHARS_MAX)?,
        })
    }

    fn apply(self, to: &mut StoredDid) {
        let bind = |change: Change<u64>, to: &mut Option<ExtensionId>| {
            let mut id = to.map(|id| id.0);
            change.apply(&mut id);
            *to = id.map(ExtensionId);
        };
        bind(self.extension, &mut to.extension);
        bind(self.message_extension, &mut to.message_extension);
        to.allow_message = self.allow_message.unwrap_or(to.allow_message);
        self.comment.apply(&mut to.comment);
    }
}

impl PartialSchema for DidChange {
    fn schema() -> RefOr<Schema> {
        let mut object = writable::<DidBody>();
        object.description = Some("Fields of a DID that shall change.".to_owned());
        object.into()
    }
}

impl ToSchema for DidChange {}

/// What a DID begins with, in the document.
pub(crate) enum NewDidBody {}

impl PartialSchema for NewDidBody {
    fn schema() -> RefOr<Schema> {
        let mut object = writable::<DidBody>();
        let name = ObjectBuilder::new().schema_type(Type::String).description(Some(
            "The number, with a plus or as it is dialled in the client's country.",
        ));
        object.properties.insert("name".to_owned(), name.into());
        object.required = vec!["name".to_owned()];
        object.description = Some("What a DID begins with.".to_owned());
        object.into()
    }
}

impl ToSchema for NewDidBody {
    fn name() -> std::borrow::Cow<'static, str> {
        "NewDid".into()
    }
}
