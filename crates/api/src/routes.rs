//! The one table of all resources. Nothing is reachable that is not in it, but for the explorer's
//! files: the OpenAPI document is made of it, and tests walk the document to prove that every
//! resource asks for a token and keeps one client from another's objects.
//!
//! A further resource is a file with annotated handlers and a line for each in [`Adding::all`].

use std::collections::BTreeMap;

use axum::Router;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::from_fn_with_state;
use axum::response::IntoResponse;
use axum::routing::options;
use utoipa::openapi::path::{self, Paths};
use utoipa_axum::router::UtoipaMethodRouter;
use utoipa_axum::routes;

use crate::document::{Operation, Schemas};
use crate::state::Api;
use crate::{anis, client_info, client_limits, current_calls, dial_rules, dids, door, explain};
use crate::{audit, call_control, control_groups, feature_codes, idempotency, phone_replace};
use crate::{explorer, extensions, intervals, oauth, phones, registrations, rules, settings};
use crate::{sounds, trunks, users, valet_park, voicemail};

/// What a token must be good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Right {
    /// Needs no token: where tokens come from.
    Open,
    /// Calls, registrations, and who one is: also for applications with the access `Call API`.
    Calls,
    /// Configuration: for applications with access to everything.
    Configuration,
}

/// All operations, as their handlers describe them, and the schemas that they name.
pub(crate) fn described() -> (Vec<Operation>, Schemas) {
    let table = Adding::all(None);
    (table.operations, table.schemas)
}

pub(crate) fn build(api: Api) -> Router {
    let table = Adding::all(Some(&api));
    explorer::routes(table.answer_options()).with_state(api)
}

/// A table that is being filled; without an API only the descriptions are.
struct Adding<'a> {
    api: Option<&'a Api>,
    operations: Vec<Operation>,
    schemas: Schemas,
    router: Router<Api>,
}

impl<'a> Adding<'a> {
    fn all(api: Option<&'a Api>) -> Adding<'a> {
        use Right::{Calls, Configuration, Open};
        let router = Router::new();
        let mut table = Adding { api, operations: Vec::new(), schemas: Vec::new(), router };
        let t = &mut table;

        t.add(Open, routes!(oauth::token));

        t.add(Calls, routes!(users::show_me));
        t.add(Configuration, routes!(client_info::show));
        t.add(Configuration, routes!(client_info::change));

        t.add(Configuration, routes!(extensions::list));
        t.add(Configuration, routes!(extensions::create));
        t.add(Configuration, routes!(extensions::show));
        t.add(Configuration, routes!(extensions::change));
        t.add(Configuration, routes!(extensions::delete));
        // Users of one extension have no client path, so there is a path without it too.
        let path = "/api/ver1.0/extension/{extension_id}";
        t.also(path, Configuration, routes!(extensions::show));
        t.also(path, Configuration, routes!(extensions::change));
        t.also(path, Configuration, routes!(extensions::delete));
        t.add(Configuration, routes!(phones::show));
        t.add(Configuration, routes!(phones::change));

        t.add(Configuration, routes!(sounds::list));
        t.add(Configuration, routes!(sounds::create));
        t.add(Configuration, routes!(sounds::show));
        t.add(Configuration, routes!(sounds::replace));
        t.add(Configuration, routes!(sounds::rename));
        t.add(Configuration, routes!(sounds::delete));
        t.add(Configuration, routes!(sounds::download));

        t.add(Calls, routes!(voicemail::list));
        t.add(Calls, routes!(voicemail::download));
        t.add(Calls, routes!(voicemail::delete));
        let path = "/api/ver1.0/extension/{extension_id}/voicemail/{record_uuid}/download/";
        t.also(path, Calls, routes!(voicemail::download));
        let path = "/api/ver1.0/client/{client_id}/voicemail/";
        t.also(path, Calls, routes!(voicemail::list));
        let path = "/api/ver1.0/client/{client_id}/voicemail/{record_uuid}";
        t.also(path, Calls, routes!(voicemail::download));
        t.also(path, Calls, routes!(voicemail::delete));
        let path = "/api/ver1.0/client/{client_id}/voicemail/{record_uuid}/download/";
        t.also(path, Calls, routes!(voicemail::download));

        t.add(Configuration, routes!(rules::list));
        t.add(Configuration, routes!(rules::create));
        t.add(Configuration, routes!(rules::order));
        t.add(Configuration, routes!(rules::reorder));
        t.add(Configuration, routes!(rules::check));
        t.add(Configuration, routes!(explain::explain));
        t.add(Configuration, routes!(rules::show));
        t.add(Configuration, routes!(rules::change));
        t.add(Configuration, routes!(rules::delete));
        t.add(Configuration, routes!(explain::trace));

        t.add(Configuration, routes!(intervals::list));
        t.add(Configuration, routes!(intervals::create));
        t.add(Configuration, routes!(intervals::show));
        t.add(Configuration, routes!(intervals::change));
        t.add(Configuration, routes!(intervals::delete));
        t.add(Configuration, routes!(intervals::preview));

        t.add(Configuration, routes!(dids::list));
        t.add(Configuration, routes!(dids::create));
        t.add(Configuration, routes!(dids::show));
        t.add(Configuration, routes!(dids::change));
        t.add(Configuration, routes!(dids::delete));
        t.add(Configuration, routes!(anis::show_of_client));
        t.add(Configuration, routes!(anis::change_of_client));
        t.add(Configuration, routes!(anis::show));
        t.add(Configuration, routes!(anis::change));

        t.add(Configuration, routes!(dial_rules::list));
        t.add(Configuration, routes!(dial_rules::create));
        t.add(Configuration, routes!(dial_rules::show));
        t.add(Configuration, routes!(dial_rules::change));
        t.add(Configuration, routes!(dial_rules::delete));
        t.add(Configuration, routes!(trunks::list));
        t.add(Configuration, routes!(trunks::create));
        t.add(Configuration, routes!(trunks::show));
        t.add(Configuration, routes!(trunks::change));
        t.add(Configuration, routes!(trunks::delete));
        t.add(Configuration, routes!(settings::show));
        t.add(Configuration, routes!(settings::change));
        t.add(Configuration, routes!(feature_codes::show));
        t.add(Configuration, routes!(feature_codes::change));
        t.add(Configuration, routes!(client_limits::show));

        t.add(Configuration, routes!(control_groups::show));
        t.add(Configuration, routes!(control_groups::change));
        t.add(Configuration, routes!(control_groups::may));
        t.add(Configuration, routes!(audit::list));
        t.add(Configuration, routes!(audit::check));

        t.add(Calls, routes!(registrations::list));
        t.add(Calls, routes!(registrations::alive));
        t.add(Calls, routes!(registrations::show));

        t.add(Calls, routes!(current_calls::list_of_client));
        t.add(Calls, routes!(current_calls::list));
        t.add(Calls, routes!(current_calls::show));
        t.add(Calls, routes!(call_control::control));
        t.add(Calls, routes!(current_calls::hang_up));
        t.add(Calls, routes!(valet_park::change));
        t.add(Calls, routes!(phone_replace::list));
        t.add(Calls, routes!(phone_replace::end));
        table
    }

    /// A handler at the path that it is annotated with.
    fn add(&mut self, right: Right, handler: UtoipaMethodRouter<Api>) {
        let (path, _) = only_path(&handler.1);
        self.also(&path, right, handler);
    }

    /// A handler at another path.
    fn also(
        &mut self,
        path: &str,
        right: Right,
        (schemas, paths, handler): UtoipaMethodRouter<Api>,
    ) {
        if let Some(api) = self.api {
            let mut resource = handler;
            if right != Right::Open {
                let state = door::Doorkeeper { api: api.clone(), right };
                // The last one is the outermost.
                resource = resource
                    .route_layer(from_fn_with_state(api.clone(), idempotency::pass))
                    .route_layer(from_fn_with_state(state, door::pass));
            }
            let router = std::mem::take(&mut self.router);
            self.router = router.route(plain(path), resource);
        }
        let (_, item) = only_path(&paths);
        let described = [
            (Method::GET, item.get),
            (Method::POST, item.post),
            (Method::PUT, item.put),
            (Method::DELETE, item.delete),
        ];
        for (method, described) in described {
            let Some(described) = described else { continue };
            self.operations.push(Operation { method, path: path.to_owned(), right, described });
        }
        self.schemas.extend(schemas);
    }

    /// Every resource tells its methods to who asks with OPTIONS, and with a method that it lacks.
    fn answer_options(self) -> Router<Api> {
        let mut methods: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for operation in &self.operations {
            let of_path = methods.entry(plain(&operation.path)).or_insert_with(|| vec!["OPTIONS"]);
            of_path.push(operation.method.as_str());
            if operation.method == Method::GET {
                of_path.push("HEAD");
            }
        }
        for path in explorer::PATHS {
            methods.insert(path, vec!["OPTIONS", "GET", "HEAD"]);
        }
        methods.into_iter().fold(self.router, |router, (path, methods)| {
            let allow = HeaderValue::from_str(&methods.join(",")).expect("methods are words");
            let answer =
                async move || (StatusCode::NO_CONTENT, [(header::ALLOW, allow)]).into_response();
            router.route(path, options(answer))
        })
    }
}

/// Paths arrive here without a slash at the end, see `envelope`.
fn plain(path: &str) -> &str {
    path.strip_suffix('/').unwrap_or(path)
}

/// The path of a handler that has one.
fn only_path(paths: &Paths) -> (String, path::PathItem) {
    let (path, item) = paths.paths.iter().next().expect("a handler is annotated with its path");
    (path.clone(), item.clone())
}
