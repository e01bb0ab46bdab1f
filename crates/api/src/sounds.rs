//! `/client/{client_id}/sound/`: what rules play and phones are set to (API reference 21).

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use model::{FileId, TenantId};
use serde::Serialize;
use store::{SoundContent, StoreError, StoredSound};
use utoipa::ToSchema;

use crate::error::{ApiError, ErrorBody};
use crate::fields::Fields;
use crate::query::Query;
use crate::state::Api;
use crate::target::{ClientTarget, SoundTarget};
use crate::upload::Upload;
use crate::{download, limits};

/// A sound: what rules play and phones are set to.
#[derive(Serialize, ToSchema)]
#[schema(as = Sound)]
pub(crate) struct SoundBody {
    id: u64,
    client_id: u64,
    /// Sounds of the provider, which this installation does not keep, would name it.
    dealer_id: Option<u64>,
    #[schema(max_length = 255)]
    title: String,
    /// As it was uploaded.
    filename: String,
    /// How long it is, milliseconds.
    length_ms: u32,
}

/// A sound that shall be added.
#[derive(ToSchema)]
#[schema(as = NewSound)]
#[expect(dead_code, reason = "the document's words for a multipart body")]
pub(crate) struct NewSoundBody {
    #[schema(min_length = 1, max_length = 255)]
    title: String,
    /// WAV (8, 16, 24 or 32 bits, A-law, mu-law) or MP3, at most 10 MB and 10 minutes.
    #[schema(value_type = String, format = Binary)]
    file: Vec<u8>,
}

/// The new content of a sound.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the document's words for a multipart body")]
pub(crate) struct SoundFile {
    /// WAV (8, 16, 24 or 32 bits, A-law, mu-law) or MP3, at most 10 MB and 10 minutes.
    #[schema(value_type = String, format = Binary)]
    file: Vec<u8>,
}

/// What may be changed of a sound without a file.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the document's words for what is read field by field")]
pub(crate) struct SoundChange {
    #[schema(min_length = 1, max_length = 255, nullable = false)]
    title: Option<String>,
}

impl SoundBody {
    fn of(tenant: TenantId, sound: StoredSound) -> SoundBody {
        SoundBody {
            id: sound.id.0,
            client_id: tenant.0,
            dealer_id: None,
            title: sound.title,
            filename: sound.content.filename,
            length_ms: sound.content.length_ms,
        }
    }
}

/// The sounds of the client
#[utoipa::path(
    get,
    path = "/api/ver1.0/client/{client_id}/sound/",
    tag = "sound",
    params(
        ("id" = Option<Vec<u64>>, Query, description = "Only these; may be repeated."),
        ("own_only" = Option<bool>, Query,
            description = "Without those of the provider; this installation keeps none."),
        ("title" = Option<String>, Query,
            description = "Only those whose title contains this, in large or small letters."),
    ),
    responses((status = 200, description = "In the order of their ids.", body = [SoundBody])),
)]
pub(crate) async fn list(
    State(api): State<Api>,
    client: ClientTarget,
    query: Query,
) -> Result<Response, ApiError> {
    let tenant = client.caller.tenant();
    let ids: Vec<&str> = query.all("id").collect();
    let titles: Vec<String> = query.all("title").map(str::to_lowercase).collect();
    let wanted = |sound: &StoredSound| {
        let title = sound.title.to_lowercase();
        let is_named = ids.is_empty() || ids.iter().any(|id| id.parse() == Ok(sound.id.0));
        is_named && titles.iter().all(|part| title.contains(part.as_str()))
    };
    let sounds = api.store().sounds(tenant).await?;
    let bodies: Vec<_> =
        sounds.into_iter().filter(wanted).map(|sound| SoundBody::of(tenant, sound)).collect();
    Ok(Json(bodies).into_response())
}

/// Adds a sound
///
/// The file is checked by decoding it and kept as what is played: one channel, 16 kHz. For users of
/// the whole client.
#[utoipa::path(
    post,
    path = "/api/ver1.0/client/{client_id}/sound/",
    tag = "sound",
    request_body(content = NewSoundBody, content_type = "multipart/form-data"),
    responses(
        (status = 201, description = "It was added.", body = SoundBody,
            headers(("Location" = String, description = "Its path."))),
        (status = 409, description = "The client has as many as it may have.", body = ErrorBody),
    ),
)]
pub(crate) async fn create(
    State(api): State<Api>,
    client: ClientTarget,
    upload: Upload,
) -> Result<Response, ApiError> {
    client.caller.must_administer()?;
    let tenant = client.caller.tenant();
    let title = upload.title.clone().ok_or_else(|| ApiError::invalid("title", "must be given"))?;
    let content = kept(&api, upload).await?;
    let made = api.store().create_sound(tenant, &title, &content, api.now().wall).await;
    let made = unless_refused(&api, made, content.file).await?;
    let made = made.ok_or_else(ApiError::client_not_found)?;
    api.changed(tenant).await;
    let path = format!("/api/ver1.0/client/{tenant}/sound/{}", made.id);
    let body = Json(SoundBody::of(tenant, made));
    Ok((StatusCode::CREATED, [(header::LOCATION, path)], body).into_response())
}

/// One sound
#[utoipa::path(
    get,
    path = "/api/ver1.0/client/{client_id}/sound/{sound_id}",
    tag = "sound",
    responses((status = 200, description = "The sound.", body = SoundBody)),
)]
pub(crate) async fn show(target: SoundTarget) -> Response {
    Json(SoundBody::of(target.client.caller.tenant(), target.sound)).into_response()
}

/// Replaces the content of a sound
///
/// Whatever plays it plays the new content from the next time on. For users of the whole client.
#[utoipa::path(
    post,
    path = "/api/ver1.0/client/{client_id}/sound/{sound_id}",
    tag = "sound",
    request_body(content = SoundFile, content_type = "multipart/form-data"),
    responses(
        (status = 201, description = "As it is now.", body = SoundBody),
        (status = 409, description = "The client has as much as it may have.", body = ErrorBody),
    ),
)]
pub(crate) async fn replace(
    State(api): State<Api>,
    target: SoundTarget,
    upload: Upload,
) -> Result<Response, ApiError> {
    target.client.caller.must_administer()?;
    let tenant = target.client.caller.tenant();
    let content = kept(&api, upload).await?;
    let replaced = api.store().replace_sound(tenant, target.sound.id, &content).await;
    let replaced = unless_refused(&api, replaced, content.file).await?;
    let Some((sound, old)) = replaced else {
        // It was deleted meanwhile.
        discard(&api, content.file).await;
        return Err(ApiError::not_found());
    };
    api.changed(tenant).await;
    discard(&api, old).await;
    Ok((StatusCode::CREATED, Json(SoundBody::of(tenant, sound))).into_response())
}

/// Renames a sound
///
/// For users of the whole client.
#[utoipa::path(
    put,
    path = "/api/ver1.0/client/{client_id}/sound/{sound_id}",
    tag = "sound",
    request_body = SoundChange,
    responses((status = 200, description = "As it is now.", body = SoundBody)),
)]
pub(crate) async fn rename(
    State(api): State<Api>,
    target: SoundTarget,
    fields: Fields,
) -> Result<Response, ApiError> {
    target.client.caller.must_administer()?;
    let tenant = target.client.caller.tenant();
    let title = fields.text("title", limits::TEXT_CHARS_MAX)?;
    let sound = match title {
        Some(title) if title.trim().is_empty() => {
            return Err(ApiError::invalid("title", "must not be empty"));
        }
        Some(title) => api.store().rename_sound(tenant, target.sound.id, &title).await?,
        None => Some(target.sound),
    };
    let sound = sound.ok_or_else(ApiError::not_found)?;
    Ok(Json(SoundBody::of(tenant, sound)).into_response())
}

/// Removes a sound
///
/// For users of the whole client.
#[utoipa::path(
    delete,
    path = "/api/ver1.0/client/{client_id}/sound/{sound_id}",
    tag = "sound",
    responses(
        (status = 204, description = "It is gone."),
        (status = 409, description = "A rule or a phone uses it.", body = ErrorBody),
    ),
)]
pub(crate) async fn delete(
    State(api): State<Api>,
    target: SoundTarget,
) -> Result<StatusCode, ApiError> {
    target.client.caller.must_administer()?;
    let tenant = target.client.caller.tenant();
    let old =
        api.store().delete_sound(tenant, target.sound.id).await?.ok_or_else(ApiError::not_found)?;
    api.changed(tenant).await;
    discard(&api, old).await;
    Ok(StatusCode::NO_CONTENT)
}

/// The file of a sound
///
/// As it is played: WAV, 16 bits, one channel, 16 kHz.
#[utoipa::path(
    get,
    path = "/api/ver1.0/client/{client_id}/sound/{sound_id}/download/",
    tag = "sound",
    responses((status = 200, description = "The file.", content_type = "audio/wav", body = [u8])),
)]
pub(crate) async fn download(
    State(api): State<Api>,
    target: SoundTarget,
) -> Result<Response, ApiError> {
    let SoundContent { filename, file, .. } = target.sound.content;
    let stem = filename.rsplit_once('.').map_or(filename.as_str(), |(stem, _)| stem);
    download::file(&api, file, &format!("{stem}.wav")).await
}

/// Converts an upload and writes its file.
async fn kept(api: &Api, upload: Upload) -> Result<SoundContent, ApiError> {
    let Upload { filename, file, .. } = upload;
    let converted = api.uploads().convert(file).await?;
    let id = api.new_file();
    let bytes = converted.wav.len() as u64;
    let files = api.files().clone();
    let written = download::blocking(move || files.write(id, &converted.wav)).await;
    written.map_err(|error| {
        tracing::error!(%error, "a sound cannot be written");
        ApiError::unavailable()
    })?;
    Ok(SoundContent { filename, file: id, length_ms: converted.length_ms, bytes })
}

/// What the database has done with a sound whose file is there; the file goes when it was refused.
/// What only may have failed keeps its file, which is looked for at the next start.
async fn unless_refused<T>(
    api: &Api,
    done: Result<T, StoreError>,
    file: FileId,
) -> Result<T, ApiError> {
    if done.as_ref().is_err_and(StoreError::is_lasting) {
        discard(api, file).await;
    }
    Ok(done?)
}

/// Removes a file that nothing names any more. One that stays is found at the next start.
pub(crate) async fn discard(api: &Api, file: FileId) {
    let files = api.files().clone();
    if let Err(error) = download::blocking(move || files.remove(file)).await {
        tracing::warn!(%file, %error, "a file cannot be removed");
    }
}
