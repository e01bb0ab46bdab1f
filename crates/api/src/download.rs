//! Sound files as answers: read piece by piece, so that a slow reader costs one piece.

use std::fs::File;
use std::io::{self, Read as _};

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use store::FileName;

use crate::error::ApiError;
use crate::state::Api;

/// Bytes that are read at a time.
const PIECE: usize = 64 * 1024;

/// A file as an attachment of this name, with the type that its format has.
pub(crate) async fn file(
    api: &Api,
    of: impl Into<FileName>,
    name: &str,
) -> Result<Response, ApiError> {
    let of @ FileName { id, format } = of.into();
    let files = api.files().clone();
    let opened = blocking(move || {
        let file = files.open(of)?;
        let size = file.metadata()?.len();
        Ok((file, size))
    });
    let (file, size) = opened.await.map_err(|error| {
        if error.kind() == io::ErrorKind::NotFound {
            tracing::warn!(file = %id, "a file is missing");
            return ApiError::not_found();
        }
        tracing::error!(file = %id, %error, "a file cannot be read");
        ApiError::internal()
    })?;
    let pieces = futures_util::stream::try_unfold(file, |file| blocking(move || piece(file)));
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(format.media_type())),
        (header::CONTENT_LENGTH, HeaderValue::from(size)),
        (header::CONTENT_DISPOSITION, disposition(name)),
    ];
    Ok((headers, Body::from_stream(pieces)).into_response())
}

/// The next piece; `None`: that was all.
fn piece(mut file: File) -> io::Result<Option<(Bytes, File)>> {
    let mut piece = Vec::with_capacity(PIECE);
    let read = file.by_ref().take(PIECE as u64).read_to_end(&mut piece)?;
    Ok((read > 0).then(|| (Bytes::from(piece), file)))
}

/// Work that waits for the disk, on a thread that may.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(io::Error::other(error)))
}

/// `Content-Disposition` with a name in any letters (RFC 6266 4.3).
fn disposition(name: &str) -> HeaderValue {
    let plain: String = name
        .chars()
        .map(|c| if c.is_ascii_graphic() && !matches!(c, '"' | '\\' | '%') { c } else { '_' })
        .collect();
    let mut encoded = String::new();
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_') {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    let text = format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{encoded}");
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static("attachment"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_name_fits_into_the_header() {
        let table = [
            ("a-b.wav", "attachment; filename=\"a-b.wav\"; filename*=UTF-8''a-b.wav"),
            ("a \"b\".wav", "attachment; filename=\"a__b_.wav\"; filename*=UTF-8''a%20%22b%22.wav"),
            ("Ж\n.wav", "attachment; filename=\"__.wav\"; filename*=UTF-8''%D0%96%0A.wav"),
        ];
        for (name, expected) in table {
            assert_eq!(disposition(name), expected, "{name}");
        }
    }
}
