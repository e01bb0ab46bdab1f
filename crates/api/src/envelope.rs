//! Around all resources: paths as clients write them, answers to what is no resource.

use axum::Router;
use axum::extract::Request;
use axum::http::uri::{PathAndQuery, Uri};
use axum::http::{HeaderValue, header};
use axum::middleware::{from_fn_with_state, map_request, map_response};
use axum::response::Response;
use tower_http::CompressionLevel;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{DefaultPredicate, NotForContentType, Predicate as _};

use crate::door;
use crate::error::ApiError;
use crate::state::Api;

/// Sound hardly gets smaller, and its length is told beforehand.
const SOUND: NotForContentType = NotForContentType::const_new("audio/");

/// Wraps the router of the resources, whose paths have neither double nor trailing slashes.
pub(crate) fn wrap(resources: Router, api: Api) -> Router {
    let resources = resources
        .method_not_allowed_fallback(async || ApiError::method_not_allowed())
        .fallback(async || ApiError::not_found());
    // Rewriting the path must come before routing: so the resources are a service of their own.
    Router::new()
        .fallback_service(resources)
        .layer(from_fn_with_state(api, door::count_the_rest))
        .layer(map_request(plain_path))
        .layer(map_response(headers))
        .layer(
            CompressionLayer::new()
                .quality(CompressionLevel::Fastest)
                .compress_when(DefaultPredicate::new().and(SOUND)),
        )
}

/// `//` collapses and a slash at the end is dropped: every path works with and without it, without
/// a redirect, which many clients do not follow.
async fn plain_path(mut request: Request) -> Request {
    let path = request.uri().path();
    let double = path.contains("//");
    let trailing = path.len() > 1 && path.ends_with('/');
    if !double && !trailing {
        return request;
    }
    let mut plain: String = path.split('/').filter(|part| !part.is_empty()).fold(
        String::with_capacity(path.len()),
        |mut plain, part| {
            plain.push('/');
            plain.push_str(part);
            plain
        },
    );
    if plain.is_empty() {
        plain.push('/');
    }
    if let Some(query) = request.uri().query() {
        plain.push('?');
        plain.push_str(query);
    }
    if let Ok(path_and_query) = plain.parse::<PathAndQuery>() {
        let mut parts = request.uri().clone().into_parts();
        parts.path_and_query = Some(path_and_query);
        if let Ok(uri) = Uri::from_parts(parts) {
            *request.uri_mut() = uri;
        }
    }
    request
}

/// Answers hold passwords and tokens, so nobody may keep them; and they are what they say.
async fn headers(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
