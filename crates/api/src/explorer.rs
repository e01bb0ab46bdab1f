//! `/api/ver1.0/client_api_explorer/`: a page to try the API with, and the document that it shows.
//! All its files are in the program; the page asks nothing of any other server.

use std::sync::LazyLock;

use axum::Router;
use axum::body::Bytes;
use axum::extract::Path;
use axum::http::{HeaderName, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use crate::document;
use crate::error::ApiError;
use crate::state::Api;

/// Where the page lies.
pub(crate) const PAGE: &str = "/api/ver1.0/client_api_explorer";
/// Where the document lies.
pub(crate) const DOCUMENT: &str = "/api/ver1.0/openapi.json";

/// Scripts and styles from here only, none in the page itself; no other page frames it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    img-src 'self' data:; connect-src 'self'; form-action 'none'; base-uri 'none'; \
    frame-ancestors 'none'";

/// A file of the page: its name, its type, its bytes.
type File = (&'static str, &'static str, &'static [u8]);

const INDEX: File = ("", "text/html; charset=utf-8", include_bytes!("explorer/index.html"));

const FILES: [File; 4] = [
    ("explorer.js", JAVASCRIPT, include_bytes!("explorer/explorer.js")),
    (
        "swagger-ui-bundle.js",
        JAVASCRIPT,
        include_bytes!(concat!(env!("OUT_DIR"), "/swagger-ui-bundle.js")),
    ),
    (
        "swagger-ui.css",
        "text/css; charset=utf-8",
        include_bytes!(concat!(env!("OUT_DIR"), "/swagger-ui.css")),
    ),
    (
        "favicon-32x32.png",
        "image/png",
        include_bytes!(concat!(env!("OUT_DIR"), "/favicon-32x32.png")),
    ),
];

const JAVASCRIPT: &str = "text/javascript; charset=utf-8";

/// What it serves, which needs no token: it is the same for everybody.
pub(crate) const PATHS: [&str; 3] = [PAGE, "/api/ver1.0/client_api_explorer/{file}", DOCUMENT];

/// How those paths begin.
pub(crate) const PUBLIC: [&str; 2] = [PAGE, DOCUMENT];

pub(crate) fn routes(router: Router<Api>) -> Router<Api> {
    let [page, files, document] = PATHS;
    router
        .route(page, get(async || served(&INDEX)))
        .route(files, get(file))
        .route(document, get(async || show_document()))
}

async fn file(Path(name): Path<String>) -> Response {
    match FILES.iter().find(|(file, ..)| *file == name) {
        Some(file) => served(file),
        None => ApiError::not_found().into_response(),
    }
}

fn served((_, kind, bytes): &File) -> Response {
    let headers: [(HeaderName, &'static str); 4] = [
        (header::CONTENT_TYPE, kind),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::REFERRER_POLICY, "no-referrer"),
        // Another version of the program has other files under the same names.
        (header::CACHE_CONTROL, "max-age=600"),
    ];
    (headers, Bytes::from_static(bytes)).into_response()
}

fn show_document() -> Response {
    static TEXT: LazyLock<String> = LazyLock::new(|| document().to_string());
    ([(header::CONTENT_TYPE, "application/json")], TEXT.as_str()).into_response()
}
