//! The one table of all resources. Nothing is reachable that is not in it: tests walk it to prove
//! that every resource asks for a token and keeps one client from another's objects.

use axum::Router;
use axum::handler::Handler;
use axum::http::Method;
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodFilter, on};

use crate::state::Api;
use crate::{client_info, current_calls, door, extensions, oauth, phones, registrations, users};

/// What a token must be good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Right {
    /// Needs no token: where tokens come from.
    Open,
    /// Calls, registrations, and who one is: also for applications with the access `Call API`.
    Calls,
    /// Configuration: for applications with access to everything.
    Configuration,
}

/// One method of one resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The method.
    pub method: Method,
    /// The path as it is documented; works with and without a slash at the end.
    pub path: &'static str,
    /// What the token must be good for.
    pub right: Right,
}

/// All resources.
pub fn routes() -> Vec<Route> {
    Table::default().all(None).routes
}

pub(crate) fn build(api: Api) -> Router {
    Table::default().all(Some(&api)).router.with_state(api)
}

#[derive(Default)]
struct Table {
    routes: Vec<Route>,
    router: Router<Api>,
}

impl Table {
    fn all(self, api: Option<&Api>) -> Table {
        use Right::{Calls, Configuration, Open};
        let mut table = Adding { table: self, api };
        let t = &mut table;

        t.add(Method::POST, "/oauth/token", Open, oauth::token);

        t.add(Method::GET, "/api/ver1.0/user/", Calls, users::show_me);
        t.add(
            Method::GET,
            "/api/ver1.0/client/client_info/{client_id}/",
            Configuration,
            client_info::show,
        );

        let path = "/api/ver1.0/client/{client_id}/extension/";
        t.add(Method::GET, path, Configuration, extensions::list);
        t.add(Method::POST, path, Configuration, extensions::create);
        // Users of one extension have no client path, so each has a path without it too.
        for path in [
            "/api/ver1.0/client/{client_id}/extension/{extension_id}",
            "/api/ver1.0/extension/{extension_id}",
        ] {
            t.add(Method::GET, path, Configuration, extensions::show);
            t.add(Method::PUT, path, Configuration, extensions::change);
            t.add(Method::DELETE, path, Configuration, extensions::delete);
        }
        let path = "/api/ver1.0/extension/{extension_id}/phone/";
        t.add(Method::GET, path, Configuration, phones::show);
        t.add(Method::PUT, path, Configuration, phones::change);

        let path = "/api/ver1.0/extension/registration/";
        t.add(Method::GET, path, Calls, registrations::list);
        t.add(Method::GET, "/api/ver1.0/extension/alive/", Calls, registrations::alive);
        let path = "/api/ver1.0/extension/{extension_id}/registration/";
        t.add(Method::GET, path, Calls, registrations::show);

        let path = "/api/ver1.0/client/{client_id}/current_calls/";
        t.add(Method::GET, path, Calls, current_calls::list_of_client);
        let path = "/api/ver1.0/extension/{extension_id}/current_calls/";
        t.add(Method::GET, path, Calls, current_calls::list);
        let path = "/api/ver1.0/extension/{extension_id}/current_calls/{call_api_id}";
        t.add(Method::GET, path, Calls, current_calls::show);
        t.add(Method::DELETE, path, Calls, current_calls::hang_up);
        table.table
    }
}

/// A table that is being filled; without an API only the list is.
struct Adding<'a> {
    table: Table,
    api: Option<&'a Api>,
}

impl Adding<'_> {
    fn add<H, T>(&mut self, method: Method, path: &'static str, right: Right, handler: H)
    where
        H: Handler<T, Api>,
        T: 'static,
    {
        if let Some(api) = self.api {
            let filter =
                MethodFilter::try_from(method.clone()).expect("the table has standard methods");
            let mut resource = on(filter, handler);
            if right != Right::Open {
                let state = door::Doorkeeper { api: api.clone(), right };
                resource = resource.route_layer(from_fn_with_state(state, door::pass));
            }
            // Paths arrive here without a slash at the end, see `envelope`.
            let plain = path.strip_suffix('/').unwrap_or(path);
            let router = std::mem::take(&mut self.table.router);
            self.table.router = router.route(plain, resource);
        }
        self.table.routes.push(Route { method, path, right });
    }
}
