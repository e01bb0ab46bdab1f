//! Parameters of a token request, wherever a client puts them.

use axum::RequestExt;
use axum::body::{Body, Bytes};
use axum::extract::{Multipart, Request};
use axum::http::{HeaderMap, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::OauthError;
use crate::error::ApiError;
use crate::{body, query};

/// What the request says: form body, multipart body, then query string; the first that names a
/// parameter counts.
pub(crate) struct Parameters {
    pairs: Vec<(String, String)>,
    basic: Option<(String, String)>,
}

impl Parameters {
    pub(crate) async fn read(request: Request) -> Result<Parameters, ReadError> {
        let (parts, body) = request.into_parts();
        let bytes = body::read(&parts.headers, body).await.map_err(ReadError::Body)?;
        let mut pairs = if is_multipart(&parts.headers) {
            let copy = Request::from_parts(parts.clone(), Body::from(bytes));
            multipart(copy).await.ok_or(ReadError::Multipart)?
        } else {
            form(&bytes)
        };
        pairs.extend(query::pairs(parts.uri.query().unwrap_or_default()));
        Ok(Parameters { pairs, basic: basic(&parts.headers) })
    }

    /// A parameter under the first of its names that is given.
    pub(crate) fn first(&self, names: &[&str]) -> Option<&str> {
        names.iter().find_map(|name| {
            self.pairs.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
        })
    }

    /// A parameter that the grant cannot do without.
    pub(crate) fn required(&self, name: &'static str) -> Result<&str, OauthError> {
        self.first(&[name]).ok_or(OauthError::Missing(name))
    }

    /// Id and secret of the application, also by HTTP Basic (RFC 6749 2.3.1).
    pub(crate) fn application(&self) -> Result<(&str, &str), OauthError> {
        let id = self.first(&["client_id", "application_id"]);
        let secret = self.first(&["client_secret", "application_secret"]);
        match (id, secret, &self.basic) {
            (Some(id), Some(secret), _) => Ok((id, secret)),
            (None, None, Some((id, secret))) => Ok((id, secret)),
            (None, _, _) => Err(OauthError::Missing("client_id")),
            (_, None, _) => Err(OauthError::Missing("client_secret")),
        }
    }
}

/// Why a request could not be read.
pub(crate) enum ReadError {
    Body(ApiError),
    Multipart,
}

fn form(bytes: &Bytes) -> Vec<(String, String)> {
    query::pairs(&String::from_utf8_lossy(bytes))
}

fn is_multipart(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok());
    kind.is_some_and(|kind| kind.to_ascii_lowercase().starts_with("multipart/form-data"))
}

async fn multipart(request: Request) -> Option<Vec<(String, String)>> {
    let mut parts = request.extract::<Multipart, _>().await.ok()?;
    let mut pairs = Vec::new();
    while let Some(part) = parts.next_field().await.ok()? {
        let name = part.name().unwrap_or_default().to_owned();
        let value = part.text().await.ok()?;
        if !value.is_empty() {
            pairs.push((name, value));
        }
    }
    Some(pairs)
}

fn basic(headers: &HeaderMap) -> Option<(String, String)> {
    let text = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, encoded) = text.trim().split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (id, secret) = text.split_once(':')?;
    Some((id.to_owned(), secret.to_owned()))
}
