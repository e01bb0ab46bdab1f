//! `Idempotency-Key`: a write that comes again with the key of an earlier one is not done again; it
//! gets the first one's answer. So a program that did not hear the answer may simply ask again.
//!
//! It stands behind the door, so a key is the token's user's own, and an answer again counts as a
//! request. Uploads and token requests do not know keys. What is remembered, and for how long, is
//! the matter of `first_answers`.

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use sha2::{Digest as _, Sha256};

use crate::caller::Caller;
use crate::error::ApiError;
use crate::first_answers::{Begun, Fingerprint, Kept, KeyOf};
use crate::state::Api;
use crate::{body, limits};

/// The header of a request.
const KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// The header of an answer that was given before.
const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");
/// What an answer given again has of the first one's headers; all others are made anew.
const KEPT_HEADERS: [HeaderName; 2] = [header::CONTENT_TYPE, header::LOCATION];

/// Lets a request pass, but one that was done already.
pub(crate) async fn pass(State(api): State<Api>, request: Request, next: Next) -> Response {
    let done = match key(&request) {
        Ok(None) => return next.run(request).await,
        Ok(Some(key)) => once(api, key, request, next).await,
        Err(refusal) => Err(refusal),
    };
    done.unwrap_or_else(IntoResponse::into_response)
}

/// The key of a request that may have one.
fn key(request: &Request) -> Result<Option<Box<str>>, ApiError> {
    if !matches!(*request.method(), Method::PUT | Method::POST) || is_upload(request.headers()) {
        return Ok(None);
    }
    let mut keys = request.headers().get_all(KEY).into_iter();
    let (Some(key), others) = (keys.next(), keys.count()) else { return Ok(None) };
    let printable = |key: &str| key.bytes().all(|b| b == b' ' || b.is_ascii_graphic());
    let key = key.to_str().ok().filter(|key| printable(key) && others == 0);
    match key.filter(|key| (1..=limits::IDEMPOTENCY_KEY_BYTES_MAX).contains(&key.len())) {
        Some(key) => Ok(Some(key.into())),
        None => {
            let max = limits::IDEMPOTENCY_KEY_BYTES_MAX;
            let why = format_args!("must be one of 1 to {max} printable ASCII characters");
            Err(ApiError::invalid("Idempotency-Key", why))
        }
    }
}

/// A file is read where it is bounded and counted, not here.
fn is_upload(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    kind.get(.."multipart/".len()).is_some_and(|kind| kind.eq_ignore_ascii_case(b"multipart/"))
}

/// Does a request unless one with this key was done or is worked on.
async fn once(api: Api, key: Box<str>, request: Request, next: Next) -> Result<Response, ApiError> {
    let (parts, body) = request.into_parts();
    let caller = parts.extensions.get::<Caller>().ok_or_else(ApiError::unauthorized)?;
    let of = KeyOf { tenant: caller.tenant(), user: caller.user().id, key };
    let body = body::read(&parts.headers, body).await?;
    let fingerprint = fingerprint(&parts, &body);
    match api.first_answers().begin(of.clone(), fingerprint, api.now().mono) {
        Begun::First => {}
        Begun::Again(kept) => return Ok(again(&kept)),
        Begun::InProgress => return Err(ApiError::key_in_progress()),
        Begun::OtherRequest => return Err(ApiError::key_reused()),
        Begun::Full => return Err(ApiError::unavailable()),
    }
    let place = Place { api, of: Some(of) };
    // In a task of its own: who asked may be gone before it is done, and it is just then that the
    // answer has to be remembered.
    let done = tokio::spawn(async move {
        let response = next.run(Request::from_parts(parts, Body::from(body))).await;
        place.keep(response).await
    });
    done.await.unwrap_or_else(|error| {
        tracing::error!(%error, "a request with a key was not answered");
        Err(ApiError::internal())
    })
}

/// What makes two requests the same.
fn fingerprint(parts: &Parts, body: &Bytes) -> Fingerprint {
    let mut hash = Sha256::new();
    let path = parts.uri.path_and_query().map_or("", |path| path.as_str());
    // Neither a method nor a path has a line break in it.
    for part in [parts.method.as_str(), "\n", path, "\n"] {
        hash.update(part);
    }
    hash.update(body);
    Fingerprint(hash.finalize().into())
}

fn again(kept: &Kept) -> Response {
    let mut response = Response::new(Body::from(kept.body.clone()));
    *response.status_mut() = kept.status;
    response.headers_mut().extend(kept.headers.iter().cloned());
    response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    response
}

/// A key whose request is worked on. However that ends, the key is free again or has its answer.
struct Place {
    api: Api,
    of: Option<KeyOf>,
}

impl Place {
    /// Keeps an answer that would be the same the next time.
    async fn keep(mut self, response: Response) -> Result<Response, ApiError> {
        let status = response.status();
        if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
            return Ok(response);
        }
        let (parts, body) = response.into_parts();
        // The handlers put their answers together in memory, so nothing more is taken by this.
        let body = axum::body::to_bytes(body, usize::MAX).await.map_err(|error| {
            tracing::error!(%error, "an answer cannot be read");
            ApiError::internal()
        })?;
        if let Some(of) = self.of.take() {
            let header = |name| parts.headers.get(&name).map(|value| (name, value.clone()));
            let headers = KEPT_HEADERS.into_iter().filter_map(header).collect();
            let kept = Kept { status: parts.status, headers, body: body.clone() };
            self.api.first_answers().keep(of, kept, self.api.now().mono);
        }
        Ok(Response::from_parts(parts, Body::from(body)))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(of) = self.of.take() {
            self.api.first_answers().forget(&of);
        }
    }
}
