//! `/client/{client_id}/extension/` and `/extension/{extension_id}`.

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use model::{Extension, ExtensionId, ExtensionKind, ExtensionShown, Secret, Snapshot, Status};
use store::{NewExtension, NewPhone};

use crate::error::{ApiError, ErrorBody};
use crate::extension_body::{
    ExtensionBody, ExtensionChange, ExtensionKindWord, KINDS, NewExtensionBody, kind_word,
    new_kind, new_name,
};
use crate::fields::Fields;
use crate::query::Query;
use crate::state::Api;
use crate::target::{ClientTarget, ExtensionTarget};
use crate::{limits, name};

crate::document::words! {
    /// Ascending or descending.
    Order = "asc" | "desc";
}

/// The extensions of the client
#[utoipa::path(
    get,
    path = "/api/ver1.0/client/{client_id}/extension/",
    tag = "extension",
    params(
        ("type" = inline(Option<Vec<ExtensionKindWord>>), Query,
            description = "Only extensions of these types; may be repeated."),
        ("name" = Option<Vec<String>>, Query,
            description = "Only these names, short or full; may be repeated."),
        ("page" = Option<u32>, Query, minimum = 1, description = "Which page; 1 unless given."),
        ("per_page" = Option<u32>, Query, minimum = 1, maximum = 100_000,
            description = "Extensions a page; all unless given. `count` is read as well."),
        ("order" = inline(Option<Order>), Query,
            description = "By id, which is the order of creation; `desc` unless given."),
    ),
    responses((status = 200, description = "Those that the user may see.", body = [ExtensionBody])),
)]
pub(crate) async fn list(client: ClientTarget, query: Query) -> Result<Response, ApiError> {
    let extensions = page_of(&client, &query)?;
    let bodies: Vec<_> =
        extensions.iter().map(|e| ExtensionBody::of(&client.snapshot, e)).collect();
    Ok(Json(bodies).into_response())
}

/// Makes an extension
///
/// A phone gets a SIP login and password, see `/extension/{extension_id}/phone/`. It can be called
/// when the answer comes. For users of the whole client.
#[utoipa::path(
    post,
    path = "/api/ver1.0/client/{client_id}/extension/",
    tag = "extension",
    request_body = NewExtensionBody,
    responses(
        (status = 201, description = "It was made.", body = ExtensionBody,
            headers(("Location" = String, description = "Its path."))),
        (status = 409, description = "There is an extension of this name.", body = ErrorBody),
    ),
)]
pub(crate) async fn create(
    State(api): State<Api>,
    client: ClientTarget,
    fields: Fields,
) -> Result<Response, ApiError> {
    client.caller.must_administer()?;
    let tenant = client.caller.tenant();
    let new = new_extension(&api, &client.snapshot, &fields)?;
    let made = api.store().create_extension(tenant, &new).await?;
    let made = made.ok_or_else(ApiError::client_not_found)?;
    api.changed(tenant).await;
    let location = (header::LOCATION, format!("/api/ver1.0/client/{tenant}/extension/{}", made.id));
    let body = Json(ExtensionBody::of(&client.snapshot, &made));
    Ok((StatusCode::CREATED, [location], body).into_response())
}

/// One extension
#[utoipa::path(
    get,
    path = "/api/ver1.0/client/{client_id}/extension/{extension_id}",
    tag = "extension",
    responses((status = 200, description = "The extension.", body = ExtensionBody)),
)]
pub(crate) async fn show(target: ExtensionTarget) -> Response {
    Json(ExtensionBody::of(&target.snapshot, &target.extension)).into_response()
}

/// Changes an extension
///
/// Fields that are not sent stay as they are. The next call is handled by the new ones. For users
/// of the whole client.
#[utoipa::path(
    put,
    path = "/api/ver1.0/client/{client_id}/extension/{extension_id}",
    tag = "extension",
    request_body = ExtensionChange,
    responses((status = 200, description = "As it is now.", body = ExtensionBody)),
)]
pub(crate) async fn change(
    State(api): State<Api>,
    target: ExtensionTarget,
    fields: Fields,
) -> Result<Response, ApiError> {
    target.caller.must_administer()?;
    unchangeable(&target, &fields)?;
    let change = ExtensionChange::of(&fields)?;
    change.check(&target.snapshot)?;
    let changed = commit(&api, &target, |extension| change.apply(extension)).await?;
    Ok(Json(ExtensionBody::of(&target.snapshot, &changed)).into_response())
}

/// Removes an extension
///
/// With its phone, its users and its registrations. Its id is never given again. For users of the
/// whole client.
#[utoipa::path(
    delete,
    path = "/api/ver1.0/client/{client_id}/extension/{extension_id}",
    tag = "extension",
    responses((status = 204, description = "It is gone.")),
)]
pub(crate) async fn delete(
    State(api): State<Api>,
    target: ExtensionTarget,
) -> Result<StatusCode, ApiError> {
    target.caller.must_administer()?;
    let tenant = target.caller.tenant();
    if !api.store().delete_extension(tenant, target.extension.id).await? {
        return Err(ApiError::not_found());
    }
    api.known().forget_all();
    api.changed(tenant).await;
    Ok(StatusCode::NO_CONTENT)
}

/// Writes a change of an extension or its phone and waits until the next call is handled by it.
pub(crate) async fn commit(
    api: &Api,
    target: &ExtensionTarget,
    change: impl FnOnce(&mut Extension) + Send,
) -> Result<Extension, ApiError> {
    let tenant = target.caller.tenant();
    let changed = api.store().change_extension(tenant, target.extension.id, change).await?;
    // It may have been deleted since it was looked up.
    let changed = changed.ok_or_else(ApiError::not_found)?;
    api.changed(tenant).await;
    Ok(changed)
}

/// The extensions that the query asks for, newest first unless it says otherwise.
fn page_of<'a>(client: &'a ClientTarget, query: &Query) -> Result<Vec<&'a Extension>, ApiError> {
    let kinds = query.words("type", KINDS)?;
    let names: Vec<_> = query.all("name").collect();
    let page = query.page(limits::PER_PAGE_MAX)?;
    let tenant = &client.snapshot.tenant;
    let wanted = |e: &&Extension| {
        let of_kind = kinds.is_empty() || kinds.contains(&kind_word(e.kind));
        let of_name = |text: &&str| name::short(text, tenant) == Some(e.name.as_str());
        of_kind && (names.is_empty() || names.iter().any(of_name))
    };
    let all = client.extensions().map(AsRef::as_ref);
    Ok(if page.ascending {
        page.of(all.filter(wanted)).collect()
    } else {
        page.of(all.rev().filter(wanted)).collect()
    })
}

fn new_extension(
    api: &Api,
    snapshot: &Snapshot,
    fields: &Fields,
) -> Result<NewExtension, ApiError> {
    let (name, kind) = (new_name(fields, snapshot)?, new_kind(fields)?);
    // What is not said is as an extension without anything set has it.
    let mut extension = Extension {
        id: ExtensionId(0),
        name,
        kind,
        status: Status::Active,
        label: model::DisplayName::default(),
        caller_id_name: None,
        group: None,
        shown: ExtensionShown::default(),
        phone: None,
    };
    let change = ExtensionChange::of(fields)?;
    change.check(snapshot)?;
    change.apply(&mut extension);
    let phone = (kind == ExtensionKind::Phone).then(|| {
        let (tenant, name) = (&snapshot.tenant, extension.name.as_str());
        NewPhone {
            logins: store::phones::login_candidates(tenant, name, &api.token(5)),
            password: Secret::new(&api.token(limits::SIP_PASSWORD_LETTERS)),
        }
    });
    Ok(NewExtension {
        name: extension.name,
        kind,
        status: extension.status,
        label: extension.label,
        caller_id_name: extension.caller_id_name,
        group: extension.group,
        shown: extension.shown,
        phone,
        created: api.now().wall,
    })
}

/// Name and type are fixed at creation; saying them again as they are is no change.
fn unchangeable(target: &ExtensionTarget, fields: &Fields) -> Result<(), ApiError> {
    let extension = &target.extension;
    let fixed = "is fixed at creation: delete the extension and create it anew";
    if let Some(text) = fields.text("name", limits::TEXT_CHARS_MAX)?
        && name::short(&text, &target.snapshot.tenant) != Some(extension.name.as_str())
    {
        return Err(ApiError::invalid("name", fixed));
    }
    if let Some(text) = fields.text("type", limits::TEXT_CHARS_MAX)?
        && text != kind_word(extension.kind)
    {
        return Err(ApiError::invalid("type", fixed));
    }
    Ok(())
}
