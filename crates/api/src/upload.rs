//! Uploads: a multipart body with a file in it, bounded in size, time and number.

use std::sync::Arc;

use axum::RequestExt;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, FromRequest, Multipart, Request};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::ApiError;
use crate::state::Api;
use crate::{body, limits};

/// What was uploaded. While it is there it counts against the bound of uploads.
pub(crate) struct Upload {
    /// The field `title`, if there is one that says something.
    pub(crate) title: Option<String>,
    /// The name of the file; the uploader's words, to be shown and never to be used as a path.
    pub(crate) filename: String,
    /// What is in it.
    pub(crate) file: Vec<u8>,
    _place: OwnedSemaphorePermit,
}

/// How many uploads are worked on.
pub(crate) struct Uploads {
    places: Arc<Semaphore>,
    conversions: Semaphore,
}

impl Default for Uploads {
    fn default() -> Uploads {
        Uploads {
            places: Arc::new(Semaphore::new(limits::UPLOADS_AT_ONCE)),
            conversions: Semaphore::new(limits::CONVERSIONS_AT_ONCE),
        }
    }
}

impl Uploads {
    /// Makes what can be played of an uploaded file, when a core is free for it.
    pub(crate) async fn convert(&self, file: Vec<u8>) -> Result<sound::Converted, ApiError> {
        // The semaphore is never closed.
        let _turn = self.conversions.acquire().await.map_err(|_| ApiError::unavailable())?;
        let converted = tokio::task::spawn_blocking(move || sound::convert(&file)).await;
        match converted {
            Ok(Ok(converted)) => Ok(converted),
            Ok(Err(why)) => Err(ApiError::invalid("file", why)),
            Err(error) => {
                tracing::error!(%error, "converting a sound failed");
                Err(ApiError::internal())
            }
        }
    }
}

impl FromRequest<Api> for Upload {
    type Rejection = ApiError;

    async fn from_request(request: Request, api: &Api) -> Result<Upload, ApiError> {
        let places = Arc::clone(&api.uploads().places);
        let place = places.try_acquire_owned().map_err(|_| ApiError::unavailable())?;
        let (parts, body) = request.into_parts();
        let bounds = body::Bounds { bytes: limits::UPLOAD_BYTES_MAX, time: limits::UPLOAD_TIMEOUT };
        let bytes = body::read_within(&parts.headers, body, bounds).await?;
        let mut whole = Request::from_parts(parts, Body::from(bytes));
        // It is bounded already.
        DefaultBodyLimit::disable().apply(&mut whole);
        let broken =
            |_| ApiError::bad_body("The body must be multipart/form-data with a field file");
        let mut fields = whole.extract::<Multipart, _>().await.map_err(|_| broken(()))?;
        let (mut title, mut found) = (None, None);
        while let Some(field) = fields.next_field().await.map_err(|_| broken(()))? {
            match field.name() {
                Some("title") => {
                    title = Some(field.text().await.map_err(|_| broken(()))?);
                }
                Some("file") => {
                    let name = filename(field.file_name().unwrap_or_default());
                    let file = field.bytes().await.map_err(|_| broken(()))?;
                    found = Some((name, Vec::from(file)));
                }
                _ => {}
            }
        }
        let (filename, file) = found.ok_or_else(|| ApiError::invalid("file", "must be sent"))?;
        let title = title.filter(|text| !text.trim().is_empty()).map(checked_title).transpose()?;
        Ok(Upload { title, filename, file, _place: place })
    }
}

/// A title as it is kept.
fn checked_title(text: String) -> Result<String, ApiError> {
    if text.chars().count() > limits::TEXT_CHARS_MAX {
        let why = format_args!("must have at most {} characters", limits::TEXT_CHARS_MAX);
        return Err(ApiError::invalid("title", why));
    }
    if text.chars().any(char::is_control) {
        return Err(ApiError::invalid("title", "must not contain control characters"));
    }
    Ok(text)
}

/// The last part of what a browser says, without what a header or a screen would stumble over.
fn filename(text: &str) -> String {
    let last = text.rsplit(['/', '\\']).next().unwrap_or_default();
    let name: String =
        last.chars().filter(|c| !c.is_control()).take(limits::TEXT_CHARS_MAX).collect();
    if name.trim().is_empty() { "sound.wav".to_owned() } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_file_is_no_path_and_no_header() {
        let table = [
            ("hello.mp3", "hello.mp3"),
            ("C:\\Users\\Anna\\Привет.wav", "Привет.wav"),
            ("../../etc/passwd", "passwd"),
            ("a\r\nb: c.wav", "ab: c.wav"),
            ("dir/", "sound.wav"),
            ("", "sound.wav"),
        ];
        for (text, expected) in table {
            assert_eq!(filename(text), expected, "{text}");
        }
        assert_eq!(filename(&"x".repeat(1_000)).len(), 255);
    }
}
