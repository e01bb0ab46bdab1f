//! `/oauth/token`: where tokens come from (RFC 6749, API reference 2).

mod guard;
pub(crate) mod known;
mod parameters;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use model::{Status, Wall};
use serde::Serialize;
use store::{AppKind, Application, Digest, IssuedTo, StoreError, TokenKind, User};
use subtle::ConstantTimeEq;
use utoipa::ToSchema;

pub(crate) use guard::Guard;
use guard::{Account, Source, Wait};
use parameters::{Parameters, ReadError};

use crate::document::words;
use crate::error::{ApiError, ErrorBody};
use crate::limits;
use crate::state::Api;

/// Takes a token
///
/// The parameters may stand in a form, in a multipart body or in the query string; the first that
/// names one counts. `client_id` and `client_secret` are read from HTTP Basic too, and under the
/// names `application_id` and `application_secret`.
#[utoipa::path(
    post,
    path = "/oauth/token",
    tag = "oauth",
    request_body(
        content = TokenRequest,
        content_type = "application/x-www-form-urlencoded",
    ),
    responses(
        (status = 200, description = "A token.", body = TokenBody),
        (status = 400, description = "The request is not one.", body = OauthErrorBody),
        (status = 401, description = "The credentials are wrong.", body = OauthErrorBody),
        (status = 403, description = "The user is blocked.", body = ErrorBody),
        (status = 429, description = "Too many requests; see Retry-After.", body = OauthErrorBody),
    ),
)]
pub(crate) async fn token(State(api): State<Api>, request: Request) -> Response {
    let source = Source::of(&request);
    if let Err(wait) = api.guard().admit(source, api.now().mono) {
        return OauthError::Slower(wait).into_response();
    }
    let _inside = match api.guard().enter(source) {
        Ok(inside) => inside,
        Err(wait) => return OauthError::Slower(wait).into_response(),
    };
    let parameters = match Parameters::read(request).await {
        Ok(parameters) => parameters,
        Err(ReadError::Body(refusal)) => {
            return refusal.in_oauth("invalid_request").into_response();
        }
        Err(ReadError::Multipart) => return OauthError::BadMultipart.into_response(),
    };
    match grant(&api, source, &parameters).await {
        Ok(answer) => Json(answer).into_response(),
        Err(error) => error.into_response(),
    }
}

words! {
    /// How a token is asked for.
    GrantType = "client_credentials" | "password" | "refresh_token";
    /// What is wrong, in the words of RFC 6749.
    OauthErrorWord = "invalid_request" | "unsupported_grant_type" | "unauthorized_client"
        | "invalid_client" | "invalid_grant" | "slow_down";
    /// How a token is used.
    TokenType = "Bearer";
    /// What it is good for.
    TokenScope = "all";
}

/// The parameters of a token request.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the document's name for what is read leniently")]
pub(crate) struct TokenRequest {
    #[schema(value_type = GrantType, inline)]
    grant_type: String,
    /// The application's id.
    client_id: String,
    /// The application's secret.
    client_secret: String,
    /// For `password`.
    #[schema(nullable = false)]
    username: Option<String>,
    /// For `password`.
    #[schema(nullable = false)]
    password: Option<String>,
    /// For `refresh_token`.
    #[schema(nullable = false)]
    refresh_token: Option<String>,
    /// Anything; it makes no difference.
    #[schema(nullable = false)]
    scope: Option<String>,
}

/// A token.
#[derive(Serialize, ToSchema)]
#[schema(as = Token)]
pub(crate) struct TokenBody {
    access_token: String,
    #[schema(value_type = TokenType, inline)]
    token_type: &'static str,
    /// Seconds.
    expires_in: u32,
    #[schema(value_type = TokenScope, inline)]
    scope: &'static str,
    /// For a new access token later; only for `password` and `refresh_token`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    refresh_token: Option<String>,
}

/// Why no token was given (RFC 6749 5.2).
#[derive(Serialize, ToSchema)]
#[schema(as = OauthError)]
pub(crate) struct OauthErrorBody {
    #[schema(value_type = OauthErrorWord, inline)]
    error: &'static str,
    error_description: String,
    /// The same again, where other errors have it.
    message: String,
}

async fn grant(
    api: &Api,
    source: Source,
    parameters: &Parameters,
) -> Result<TokenBody, OauthError> {
    let grant_type = parameters.required("grant_type")?;
    match grant_type {
        "client_credentials" => {
            let application = application(api, source, parameters, &[AppKind::Trusted]).await?;
            let user = api.store().user(application.tenant, application.user).await?;
            let user = user.ok_or(OauthError::InvalidGrant)?;
            issue(api, &user, IssuedTo::new(&user, &application), NewRefresh::No).await
        }
        "password" => {
            // A trusted application may do all that its maker may; a user of the same client who
            // signs in through it gives it nothing more.
            let kinds = [AppKind::PasswordCredentials, AppKind::Trusted];
            let application = application(api, source, parameters, &kinds).await?;
            let user = user(api, source, parameters, &application).await?;
            issue(api, &user, IssuedTo::new(&user, &application), NewRefresh::Yes).await
        }
        "refresh_token" => refresh(api, source, parameters).await,
        _ => Err(OauthError::UnsupportedGrant),
    }
}

/// The application that asks, if its secret is right and it is of a kind that the grant takes.
async fn application(
    api: &Api,
    source: Source,
    parameters: &Parameters,
    kinds: &[AppKind],
) -> Result<Application, OauthError> {
    let application = any_application(api, source, parameters).await?;
    if kinds.contains(&application.kind) {
        Ok(application)
    } else {
        Err(OauthError::UnauthorizedClient)
    }
}

async fn any_application(
    api: &Api,
    source: Source,
    parameters: &Parameters,
) -> Result<Application, OauthError> {
    let (id, secret) = parameters.application()?;
    let account = Account::application(id, source);
    api.guard().may_try(account, api.now().mono)?;
    let application = api.store().application(id).await?;
    let given = Digest::of(secret);
    match application {
        Some(application) if bool::from(application.secret.bytes().ct_eq(given.bytes())) => {
            api.guard().succeeded(account);
            Ok(application)
        }
        _ => {
            api.guard().failed(account, api.now().mono);
            Err(OauthError::InvalidClient)
        }
    }
}

/// The user of a password grant. Users of other clients are as unknown as those that do not
/// exist: an application belongs to one client.
async fn user(
    api: &Api,
    source: Source,
    parameters: &Parameters,
    application: &Application,
) -> Result<User, OauthError> {
    let (login, password) = (parameters.required("username")?, parameters.required("password")?);
    let account = Account::user(login, source);
    api.guard().may_try(account, api.now().mono)?;
    let user = api.store().user_with_login(login).await?;
    let user = user.filter(|user| user.tenant == application.tenant);
    let hash = user.as_ref().map(|user| user.password_hash.as_str());
    let good = api.passwords().check(password, hash).await;
    match (user, good.map_err(|_| OauthError::Busy)?) {
        (Some(user), true) => {
            api.guard().succeeded(account);
            Ok(user)
        }
        _ => {
            api.guard().failed(account, api.now().mono);
            Err(OauthError::InvalidGrant)
        }
    }
}

/// A refresh token stays the same and lives on from its last use: a client that lost an answer is
/// not locked out, and who holds it must have the application's secret as well.
async fn refresh(
    api: &Api,
    source: Source,
    parameters: &Parameters,
) -> Result<TokenBody, OauthError> {
    let application = any_application(api, source, parameters).await?;
    let token = parameters.required("refresh_token")?;
    let (digest, now) = (Digest::of(token), api.now().wall);
    let bearer = api.store().bearer(digest, TokenKind::Refresh, now).await?;
    let bearer = bearer.filter(|bearer| bearer.app_id == application.app_id);
    let bearer = bearer.ok_or(OauthError::InvalidGrant)?;
    let mut answer = issue(api, &bearer.user, bearer.issued_to(), NewRefresh::No).await?;
    let expires = after(now, limits::REFRESH_TOKEN_LIFE);
    api.store().extend_token(bearer.user.tenant, digest, expires).await?;
    answer.refresh_token = Some(token.to_owned());
    Ok(answer)
}

/// Whether a refresh token comes with the access token.
#[derive(Clone, Copy, PartialEq, Eq)]
enum NewRefresh {
    No,
    Yes,
}

async fn issue(
    api: &Api,
    user: &User,
    to: IssuedTo,
    new_refresh: NewRefresh,
) -> Result<TokenBody, OauthError> {
    if user.status == Status::Blocked || user.tenant_status == Status::Blocked {
        return Err(OauthError::Blocked);
    }
    let now = api.now().wall;
    let life = std::time::Duration::from_secs(limits::ACCESS_TOKEN_S.into());
    let access_token = api.token(limits::TOKEN_LETTERS);
    let mut tokens = vec![(TokenKind::Access, Digest::of(&access_token), after(now, life))];
    let refresh_token = (new_refresh == NewRefresh::Yes).then(|| api.token(limits::TOKEN_LETTERS));
    if let Some(token) = &refresh_token {
        let expires = after(now, limits::REFRESH_TOKEN_LIFE);
        tokens.push((TokenKind::Refresh, Digest::of(token), expires));
    }
    api.store().issue_tokens(to, &tokens, now).await?;
    Ok(TokenBody {
        access_token,
        token_type: "Bearer",
        expires_in: limits::ACCESS_TOKEN_S,
        scope: "all",
        refresh_token,
    })
}

fn after(now: Wall, life: std::time::Duration) -> Wall {
    let us = i64::try_from(life.as_micros()).unwrap_or(i64::MAX);
    Wall(now.0.saturating_add(us))
}

/// Why no token was given (RFC 6749 5.2).
enum OauthError {
    Missing(&'static str),
    BadMultipart,
    UnsupportedGrant,
    UnauthorizedClient,
    InvalidClient,
    InvalidGrant,
    Blocked,
    Slower(Wait),
    Busy,
    Store(StoreError),
}

impl From<StoreError> for OauthError {
    fn from(error: StoreError) -> OauthError {
        OauthError::Store(error)
    }
}

impl From<Wait> for OauthError {
    fn from(wait: Wait) -> OauthError {
        OauthError::Slower(wait)
    }
}

impl IntoResponse for OauthError {
    fn into_response(self) -> Response {
        let bad = StatusCode::BAD_REQUEST;
        let (code, error, why, wait) = match self {
            OauthError::Missing(name) => {
                (bad, "invalid_request", format!("{name} is missing"), None)
            }
            OauthError::BadMultipart => {
                (bad, "invalid_request", "the multipart body cannot be read".to_owned(), None)
            }
            OauthError::UnsupportedGrant => {
                let why = "grant_type must be client_credentials, password or refresh_token";
                (bad, "unsupported_grant_type", why.to_owned(), None)
            }
            OauthError::UnauthorizedClient => {
                let why = "an application of this type does not use this grant";
                (bad, "unauthorized_client", why.to_owned(), None)
            }
            OauthError::InvalidClient => {
                let why = "client_id or client_secret is wrong";
                (StatusCode::UNAUTHORIZED, "invalid_client", why.to_owned(), None)
            }
            OauthError::InvalidGrant => {
                let why = "username and password, or refresh_token, are not good";
                (StatusCode::UNAUTHORIZED, "invalid_grant", why.to_owned(), None)
            }
            OauthError::Blocked => {
                return ApiError::user_blocked().in_oauth("access_denied").into_response();
            }
            OauthError::Slower(Wait(seconds)) => {
                let why = "too many requests, or too many wrong credentials";
                (StatusCode::TOO_MANY_REQUESTS, "slow_down", why.to_owned(), Some(seconds))
            }
            OauthError::Busy => {
                return ApiError::unavailable().in_oauth("temporarily_unavailable").into_response();
            }
            OauthError::Store(error) => {
                return ApiError::from(error).in_oauth("temporarily_unavailable").into_response();
            }
        };
        let body = OauthErrorBody { error, error_description: why.clone(), message: why };
        let mut response = (code, Json(body)).into_response();
        if let Some(seconds) = wait {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
