//! Request bodies: bounded in size and time, whatever their Content-Type says.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, header};

use crate::error::ApiError;
use crate::fields::Fields;
use crate::limits;

/// What a body may cost.
#[derive(Clone, Copy)]
pub(crate) struct Bounds {
    pub(crate) bytes: usize,
    pub(crate) time: Duration,
}

/// The whole body.
pub(crate) async fn read(headers: &HeaderMap, body: Body) -> Result<Bytes, ApiError> {
    let bounds = Bounds { bytes: limits::BODY_BYTES_MAX, time: limits::BODY_TIMEOUT };
    read_within(headers, body, bounds).await
}

/// The whole body within other bounds.
pub(crate) async fn read_within(
    headers: &HeaderMap,
    body: Body,
    bounds: Bounds,
) -> Result<Bytes, ApiError> {
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok());
    let announced = announced.and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
    if usize::try_from(announced).map_or(true, |n| n > bounds.bytes) {
        return Err(ApiError::body_too_large(bounds.bytes));
    }
    let bytes = axum::body::to_bytes(body, bounds.bytes);
    match tokio::time::timeout(bounds.time, bytes).await {
        Ok(Ok(bytes)) => Ok(bytes),
        // Either it is too large, or the connection broke and nobody reads the answer.
        Ok(Err(_)) => Err(ApiError::body_too_large(bounds.bytes)),
        Err(_) => Err(ApiError::body_too_slow()),
    }
}

/// A JSON object; an empty body is an object without fields.
impl<S: Send + Sync> FromRequest<S> for Fields {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Fields, ApiError> {
        let (parts, body) = request.into_parts();
        Fields::parse(&read(&parts.headers, body).await?)
    }
}
