//! `/user/`: who am I.

use axum::Json;
use serde::Serialize;
use store::{User, UserAccess, UserScope};

use crate::caller::Caller;

/// `GET /user/`
pub(crate) async fn show_me(caller: Caller) -> Json<UserBody> {
    Json(UserBody::of(caller.user()))
}

/// API reference 3. Exactly one of the four ids says what type of user it is.
#[derive(Serialize)]
pub(crate) struct UserBody {
    id: u64,
    login: String,
    admin: bool,
    dealer_id: Option<u64>,
    client_id: Option<u64>,
    extension_group_id: Option<u64>,
    extension_id: Option<u64>,
    access: &'static str,
    timezone: String,
    extra_params: Option<String>,
}

impl UserBody {
    fn of(user: &User) -> UserBody {
        let (client_id, extension_group_id, extension_id) = match user.scope {
            UserScope::Client => (Some(user.tenant.0), None, None),
            UserScope::Group(id) => (None, Some(id.0), None),
            UserScope::Extension(id) => (None, None, Some(id.0)),
        };
        UserBody {
            id: user.id.0,
            login: user.login.clone(),
            admin: false,
            dealer_id: None,
            client_id,
            extension_group_id,
            extension_id,
            access: match user.access {
                UserAccess::Full => "full",
                UserAccess::ReadOnly => "read_only",
            },
            timezone: user.timezone.clone(),
            extra_params: user.extra_params.clone(),
        }
    }
}
