//! Every refusal: its status code and its body, in one place.

use axum::Json;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use leg::{Refusal, Reply};
use serde::Serialize;
use store::{Conflict, StoreError};
use utoipa::ToSchema;

use crate::limits;

/// Why a request was not done. The body is `{"message", "status"}` as API reference 1.5 has it.
#[derive(Debug)]
pub(crate) struct ApiError {
    code: StatusCode,
    status: Option<Status>,
    message: String,
    field: Option<String>,
    oauth: Option<&'static str>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

/// The machine-readable part: tells apart errors of one code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ErrorStatus)]
pub(crate) enum Status {
    AccessDenied,
    UserBlocked,
    UserAccessTypeDeny,
    AppAccessTypeDeny,
    ClientNotFound,
    RateLimitExceeded,
    InvalidValue,
    AlreadyExists,
    LimitReached,
    InUse,
    NotAnswered,
    AlreadyParked,
    TransferInProgress,
    HeldByPhone,
    AlreadyAnswered,
    SlotFull,
    NoFreeSlot,
    TooManyParties,
    NoFarParty,
    NothingParked,
    NotReplaced,
    Forbidden,
    Full,
    IdempotencyKeyReused,
    IdempotencyKeyInProgress,
}

/// Why a request was not done.
#[derive(Serialize, ToSchema)]
#[schema(as = Error)]
pub(crate) struct ErrorBody {
    /// For people.
    message: String,
    /// For programs: tells apart errors of one code.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    status: Option<StatusBody>,
    /// The field of the body, or the parameter, that is at fault.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    field: Option<String>,
    /// Of `/oauth/`: the same in the words of RFC 6749.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    error: Option<&'static str>,
}

/// A word; with 401 the code itself.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
#[schema(as = ErrorStatusOrCode)]
enum StatusBody {
    Word(Status),
    Code(u16),
}

impl ApiError {
    fn new(code: StatusCode, status: Option<Status>, message: impl Into<String>) -> ApiError {
        let (message, headers) = (message.into(), Vec::new());
        ApiError { code, status, message, field: None, oauth: None, headers }
    }

    fn with(mut self, name: HeaderName, value: HeaderValue) -> ApiError {
        self.headers.push((name, value));
        self
    }

    /// The answer to somebody who asks for a token, in the words of RFC 6749.
    pub(crate) fn in_oauth(mut self, error: &'static str) -> ApiError {
        self.oauth = Some(error);
        self
    }

    fn retry_after(self, seconds: u32) -> ApiError {
        self.with(header::RETRY_AFTER, HeaderValue::from(seconds))
    }

    /// No token, or none that is good.
    pub(crate) fn unauthorized() -> ApiError {
        ApiError::new(StatusCode::UNAUTHORIZED, None, "Unauthorized")
            .with(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
    }

    /// The user has no right to this.
    pub(crate) fn access_denied() -> ApiError {
        ApiError::new(StatusCode::FORBIDDEN, Some(Status::AccessDenied), "Access denied")
    }

    /// The user or its client is blocked.
    pub(crate) fn user_blocked() -> ApiError {
        ApiError::new(StatusCode::FORBIDDEN, Some(Status::UserBlocked), "User is blocked")
    }

    /// A user that may only read writes.
    pub(crate) fn read_only_user() -> ApiError {
        let message = "The user may only read";
        ApiError::new(StatusCode::FORBIDDEN, Some(Status::UserAccessTypeDeny), message)
    }

    /// An application that may only control calls asks for more.
    pub(crate) fn call_api_only() -> ApiError {
        let message = "The application's access is Call API";
        ApiError::new(StatusCode::FORBIDDEN, Some(Status::AppAccessTypeDeny), message)
    }

    /// No such thing, or not of this client.
    pub(crate) fn not_found() -> ApiError {
        ApiError::new(StatusCode::NOT_FOUND, None, "Not found")
    }

    /// No such client, or not the token's.
    pub(crate) fn client_not_found() -> ApiError {
        ApiError::new(StatusCode::NOT_FOUND, Some(Status::ClientNotFound), "Client not found")
    }

    /// The resource has no such method.
    pub(crate) fn method_not_allowed() -> ApiError {
        ApiError::new(StatusCode::METHOD_NOT_ALLOWED, None, "Method not allowed")
    }

    /// The body as a whole cannot be read.
    pub(crate) fn bad_body(why: impl Into<String>) -> ApiError {
        ApiError::new(StatusCode::BAD_REQUEST, Some(Status::InvalidValue), why)
    }

    /// A field of the body, or a parameter, has a value that it must not have.
    pub(crate) fn invalid(field: &str, why: impl std::fmt::Display) -> ApiError {
        let mut error = ApiError::bad_body(format!("{field}: {why}"));
        error.field = Some(field.to_owned());
        error
    }

    /// The same, of an object that lies within another at this place.
    pub(crate) fn within(mut self, at: &str) -> ApiError {
        if let Some(field) = self.field.take().filter(|field| !field.starts_with(at)) {
            self.message = format!("{at}{}", self.message);
            self.field = Some(format!("{at}{field}"));
        }
        self
    }

    /// Something of this name is there already.
    pub(crate) fn already_exists(field: &str, why: impl std::fmt::Display) -> ApiError {
        let message = format!("{field}: {why}");
        let mut error = ApiError::new(StatusCode::CONFLICT, Some(Status::AlreadyExists), message);
        error.field = Some(field.to_owned());
        error
    }

    /// There are as many as there may be.
    pub(crate) fn limit_reached(why: impl std::fmt::Display) -> ApiError {
        ApiError::new(StatusCode::CONFLICT, Some(Status::LimitReached), why.to_string())
    }

    /// What shall be removed is still used.
    pub(crate) fn in_use(why: impl std::fmt::Display) -> ApiError {
        ApiError::new(StatusCode::CONFLICT, Some(Status::InUse), why.to_string())
    }

    /// What was sent before with the same `Idempotency-Key` was another request.
    pub(crate) fn key_reused() -> ApiError {
        let message = "Idempotency-Key: was used for another request";
        ApiError::new(StatusCode::CONFLICT, Some(Status::IdempotencyKeyReused), message)
    }

    /// The first request with the same `Idempotency-Key` has no answer yet.
    pub(crate) fn key_in_progress() -> ApiError {
        let message = "Idempotency-Key: the first request with it is still worked on";
        ApiError::new(StatusCode::CONFLICT, Some(Status::IdempotencyKeyInProgress), message)
            .retry_after(limits::RETRY_AFTER_S)
    }

    /// The answer of who runs the calls, when it is not the one that was hoped for.
    pub(crate) fn of_reply(reply: &Reply) -> ApiError {
        match reply {
            Reply::Refused(refusal) => (*refusal).into(),
            _ => {
                tracing::error!("the switchboard answered another question than was asked");
                ApiError::internal()
            }
        }
    }

    /// The body is too large.
    pub(crate) fn body_too_large(bytes_max: usize) -> ApiError {
        let message = format!("The body may have {bytes_max} bytes");
        ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, None, message)
    }

    /// The body took too long.
    pub(crate) fn body_too_slow() -> ApiError {
        ApiError::new(StatusCode::REQUEST_TIMEOUT, None, "The body did not arrive in time")
    }

    /// The client has used up its hour.
    pub(crate) fn rate_limited(seconds: u32) -> ApiError {
        let message = "Rate limit exceeded";
        ApiError::new(StatusCode::TOO_MANY_REQUESTS, Some(Status::RateLimitExceeded), message)
            .retry_after(seconds)
    }

    /// Who runs the calls, or the database, cannot do it now.
    pub(crate) fn unavailable() -> ApiError {
        let message = "Not available now, try again";
        ApiError::new(StatusCode::SERVICE_UNAVAILABLE, None, message)
            .retry_after(limits::RETRY_AFTER_S)
    }

    /// A defect of ours.
    pub(crate) fn internal() -> ApiError {
        ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, None, "Internal error")
    }

    fn body(self) -> ErrorBody {
        // Without a token the code itself is the status (API reference 25).
        let is_code = self.status.is_none() && self.code == StatusCode::UNAUTHORIZED;
        let code = is_code.then(|| StatusBody::Code(self.code.as_u16()));
        ErrorBody {
            message: self.message,
            status: self.status.map(StatusBody::Word).or(code),
            field: self.field,
            error: self.oauth,
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let (code, headers) = (self.code, HeaderMap::from_iter(self.headers.clone()));
        (code, headers, Json(self.body())).into_response()
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> ApiError {
        let conflict = |status, message| ApiError::new(StatusCode::CONFLICT, Some(status), message);
        let missing = |status, message| ApiError::new(StatusCode::NOT_FOUND, Some(status), message);
        match refusal {
            Refusal::NoSuchCall => ApiError::not_found(),
            Refusal::NothingParked => missing(Status::NothingParked, "Nothing is parked there"),
            Refusal::NotReplaced => missing(Status::NotReplaced, "The extension is not replaced"),
            Refusal::NotAnswered => conflict(Status::NotAnswered, "The call is not answered"),
            Refusal::AlreadyParked => conflict(Status::AlreadyParked, "The call is parked"),
            Refusal::TransferInProgress => {
                conflict(Status::TransferInProgress, "The call is being transferred")
            }
            Refusal::HeldByPhone => conflict(Status::HeldByPhone, "The phone holds the call"),
            Refusal::AlreadyAnswered => {
                conflict(Status::AlreadyAnswered, "Somebody has answered the call")
            }
            // The documented text, which clients look for (API reference 1.5).
            Refusal::SlotFull => {
                conflict(Status::SlotFull, "slot already have parked member, slot is full")
            }
            Refusal::NoFreeSlot => conflict(Status::NoFreeSlot, "All slots are taken"),
            Refusal::TooManyParties => {
                conflict(Status::TooManyParties, "The call is not one of two parties")
            }
            Refusal::NoFarParty => {
                let message = "Nobody is at the other end of the call but a machine";
                conflict(Status::NoFarParty, message)
            }
            Refusal::NoSuchSlot => ApiError::invalid("slot", "the client has no such slot"),
            Refusal::BadNumber => ApiError::invalid("send_dst", "leads nowhere"),
            Refusal::NumberMissing => ApiError::invalid("send_dst", "is required"),
            Refusal::OwnNumber => ApiError::invalid("send_dst", "is in the call already"),
            Refusal::Forbidden => {
                ApiError::new(StatusCode::FORBIDDEN, Some(Status::Forbidden), "Not allowed")
            }
            Refusal::Full => {
                let (code, message) = (StatusCode::SERVICE_UNAVAILABLE, "No room for it now");
                ApiError::new(code, Some(Status::Full), message).retry_after(limits::RETRY_AFTER_S)
            }
        }
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> ApiError {
        match error {
            StoreError::Conflict(conflict) => {
                let field = match conflict {
                    Conflict::ExtensionName
                    | Conflict::ClientPrefix
                    | Conflict::Did
                    | Conflict::DidOfAnother => "name",
                    Conflict::PhoneLogin | Conflict::UserLogin => "login",
                    Conflict::ApplicationId => "client_id",
                };
                ApiError::already_exists(field, conflict)
            }
            StoreError::NoSuch { field } => {
                ApiError::invalid(field, "names nothing that the client has")
            }
            StoreError::TooMany { .. } => ApiError::limit_reached(error),
            StoreError::InUse { .. } => ApiError::in_use(format_args!("In use: {error}")),
            StoreError::Database { .. } => {
                tracing::error!(error = &error as &dyn std::error::Error, "database failed");
                ApiError::unavailable()
            }
            other => {
                tracing::error!(error = &other as &dyn std::error::Error, "store failed");
                ApiError::internal()
            }
        }
    }
}
