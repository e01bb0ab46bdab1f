//! The door of every resource but `/oauth/`: token, rate, rights. Behind it a [`Caller`] is known.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use model::Status;
use store::{AppAccess, Bearer, Digest, TokenKind, UserAccess};

use crate::caller::Caller;
use crate::error::ApiError;
use crate::limits;
use crate::routes::Right;
use crate::state::Api;
use crate::{explorer, rate};

/// What the door of one resource asks for.
#[derive(Clone)]
pub(crate) struct Doorkeeper {
    pub(crate) api: Api,
    pub(crate) right: Right,
}

/// Lets a request in whose token is good for it.
pub(crate) async fn pass(
    State(keeper): State<Doorkeeper>,
    mut request: Request,
    next: Next,
) -> Response {
    let bearer = match bearer(&keeper.api, request.headers()).await {
        Ok(bearer) => bearer,
        Err(refusal) => return refusal.into_response(),
    };
    let now = keeper.api.now().mono;
    let counted = keeper.api.hourly().count(bearer.user.tenant, now);
    let mut response = match counted.allowed().and_then(|()| may(&keeper, &bearer, &request)) {
        Ok(()) => {
            request.extensions_mut().insert(Caller::new(bearer));
            next.run(request).await
        }
        Err(refusal) => refusal.into_response(),
    };
    counted.tell(response.headers_mut());
    response
}

/// Counts and tells also what no door was in front of: an unknown path, a method that a resource
/// lacks, OPTIONS. Without a good token nobody is counted, and nothing is refused.
pub(crate) async fn count_the_rest(
    State(api): State<Api>,
    request: Request,
    next: Next,
) -> Response {
    let is_ours = request.uri().path().starts_with(API)
        && !explorer::PUBLIC.iter().any(|path| request.uri().path().starts_with(path));
    let headers = request.headers().clone();
    let mut response = next.run(request).await;
    let is_told = response.headers().contains_key(rate::LIMIT)
        || response.status() == StatusCode::UNAUTHORIZED;
    if !is_ours || is_told || !api.hourly().is_bounded() {
        return response;
    }
    let Ok(bearer) = bearer(&api, &headers).await else { return response };
    let counted = api.hourly().count(bearer.user.tenant, api.now().mono);
    if let Err(refusal) = counted.allowed() {
        response = refusal.into_response();
    }
    counted.tell(response.headers_mut());
    response
}

/// Where all resources with a door are.
const API: &str = "/api/";

/// Who stands behind the request's token.
async fn bearer(api: &Api, headers: &HeaderMap) -> Result<Bearer, ApiError> {
    let token = bearer_token(headers).ok_or_else(ApiError::unauthorized)?;
    let (digest, now) = (Digest::of(token), api.now());
    if let Some(bearer) = api.known().fresh(digest, now) {
        return Ok(bearer);
    }
    match api.store().bearer(digest, TokenKind::Access, now.wall).await {
        Ok(Some(bearer)) => {
            api.known().remember(digest, bearer.clone(), now);
            Ok(bearer)
        }
        Ok(None) => {
            api.known().forget(digest);
            Err(ApiError::unauthorized())
        }
        // Calls can be seen and ended while the database is away.
        Err(error) => match api.known().unexpired(digest, now) {
            Some(bearer) => Ok(bearer),
            None => Err(error.into()),
        },
    }
}

/// The token of `Authorization: Bearer` (RFC 6750 2.1).
fn bearer_token(headers: &HeaderMap) -> Option<&str> {
    let text = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = text.trim().split_once(' ')?;
    let token = token.trim();
    let good = scheme.eq_ignore_ascii_case("bearer")
        && (1..=limits::TOKEN_BYTES_MAX).contains(&token.len());
    good.then_some(token)
}

fn may(keeper: &Doorkeeper, bearer: &Bearer, request: &Request) -> Result<(), ApiError> {
    let user = &bearer.user;
    if user.status == Status::Blocked || user.tenant_status == Status::Blocked {
        return Err(ApiError::user_blocked());
    }
    if keeper.right == Right::Configuration && bearer.app_access == AppAccess::CallApi {
        return Err(ApiError::call_api_only());
    }
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    if user.access == UserAccess::ReadOnly && !reads {
        return Err(ApiError::read_only_user());
    }
    Ok(())
}
