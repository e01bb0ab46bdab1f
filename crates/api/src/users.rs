//! `/user/`: who am I.

use axum::Json;
use serde::Serialize;
use store::{User, UserAccess, UserScope};
use utoipa::ToSchema;

use crate::caller::Caller;

/// Who the token's user is
#[utoipa::path(
    get,
    path = "/api/ver1.0/user/",
    tag = "user",
    responses((status = 200, description = "The user.", body = UserBody)),
)]
pub(crate) async fn show_me(caller: Caller) -> Json<UserBody> {
    Json(UserBody::of(caller.user()))
}

crate::document::words! {
    /// What a user may do: everything, or GET only.
    UserAccessWord = "full" | "read_only";
}

/// A user. Exactly one of `dealer_id`, `client_id`, `extension_group_id` and `extension_id` says
/// of what type it is.
#[derive(Serialize, ToSchema)]
#[schema(as = User)]
pub(crate) struct UserBody {
    id: u64,
    /// Unique.
    login: String,
    admin: bool,
    dealer_id: Option<u64>,
    /// A user of the whole client.
    client_id: Option<u64>,
    /// A user of the extensions of one group.
    extension_group_id: Option<u64>,
    /// A user of one extension, which is its `@me`.
    extension_id: Option<u64>,
    #[schema(value_type = UserAccessWord, inline)]
    access: &'static str,
    /// IANA zone.
    timezone: String,
    /// Free text of integrators.
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
