//! Who asks.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use leg::AuditProgram;
use model::{Extension, ExtensionId, Snapshot, TenantId};
use store::{Bearer, StoredMessage, User, UserAccess, UserScope};

use crate::error::ApiError;

/// The user behind a request that came through the door.
#[derive(Clone)]
pub(crate) struct Caller(Arc<Bearer>);

impl Caller {
    pub(crate) fn new(bearer: Bearer) -> Caller {
        Caller(Arc::new(bearer))
    }

    pub(crate) fn user(&self) -> &User {
        &self.0.user
    }

    /// The program, as the audit names it.
    pub(crate) fn program(&self) -> AuditProgram {
        AuditProgram {
            user: self.0.user.id,
            login: self.0.user.login.as_str().into(),
            application: self.0.app_id.as_str().into(),
        }
    }

    /// The client of the token; nothing of another is ever looked at.
    pub(crate) fn tenant(&self) -> TenantId {
        self.0.user.tenant
    }

    /// The extension of a user of type extension: what `@me` means for it.
    pub(crate) fn own_extension(&self) -> Option<ExtensionId> {
        match self.0.user.scope {
            UserScope::Extension(id) => Some(id),
            UserScope::Client | UserScope::Group(_) => None,
        }
    }

    /// Whether an extension of the client is within what the user may see.
    pub(crate) fn sees(&self, extension: &Extension) -> bool {
        match self.0.user.scope {
            UserScope::Client => true,
            UserScope::Group(group) => extension.group == Some(group),
            UserScope::Extension(id) => extension.id == id,
        }
    }

    /// Whether the user may see a message: that of an extension that is gone, only who sees all.
    pub(crate) fn sees_of(&self, snapshot: &Snapshot, stored: &StoredMessage) -> bool {
        match snapshot.extension(stored.message.extension) {
            Some(extension) => self.sees(extension),
            None => self.0.user.scope == UserScope::Client,
        }
    }

    /// Only users of the whole client add, change and remove extensions.
    pub(crate) fn must_administer(&self) -> Result<(), ApiError> {
        match self.0.user.scope {
            UserScope::Client => Ok(()),
            UserScope::Group(_) | UserScope::Extension(_) => Err(ApiError::access_denied()),
        }
    }

    /// Whether it may be shown passwords: who may only read could else make calls with them.
    pub(crate) fn sees_passwords(&self) -> bool {
        self.0.user.access == UserAccess::Full
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Caller, ApiError> {
        // Only the door puts it there.
        parts.extensions.get::<Caller>().cloned().ok_or_else(ApiError::unauthorized)
    }
}
