//! What the document says: which operations there are, and whether an answer is one of those that
//! it promises. Every answer of every test is held against it.

use std::sync::LazyLock;

use axum::http::Method;
use serde_json::Value;

use super::{Answer, schema};

/// One method of one resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Operation {
    pub(crate) method: Method,
    pub(crate) path: String,
    /// What the application's access must be; `None`: needs no token.
    pub(crate) access: Option<String>,
    /// The schema of the body.
    pub(crate) body: Option<String>,
}

/// Everything that the document names.
pub(crate) fn operations() -> Vec<Operation> {
    let mut found = Vec::new();
    for (path, item) in DOCUMENT["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let needs_token = operation["security"].as_array().unwrap().iter().count() > 0;
            let access = operation["x-application-access"].as_str().map(str::to_owned);
            assert_eq!(needs_token, access.is_some(), "{method} {path}");
            let content = operation["requestBody"]["content"].as_object();
            let schema = content.and_then(|c| c.values().next()?["schema"]["$ref"].as_str());
            found.push(Operation {
                method: method.to_ascii_uppercase().parse().unwrap(),
                path: path.clone(),
                access,
                body: schema.map(|name| name.rsplit('/').next().unwrap().to_owned()),
            });
        }
    }
    found
}

static DOCUMENT: LazyLock<Value> = LazyLock::new(api::document);

/// The path of the document that a request's path is one of.
fn template(method: &Method, path: &str) -> Option<String> {
    let segments: Vec<_> = path.split('/').filter(|part| !part.is_empty()).collect();
    let of_document = operations().into_iter().filter(|operation| operation.method == *method);
    let fitting = of_document.filter(|operation| {
        let parts: Vec<_> = operation.path.split('/').filter(|part| !part.is_empty()).collect();
        let fits = |(part, segment): (&&str, &&str)| part.starts_with('{') || part == segment;
        parts.len() == segments.len() && parts.iter().zip(&segments).all(fits)
    });
    // Words go before parameters, as in the router.
    fitting.min_by_key(|operation| operation.path.matches('{').count()).map(|found| found.path)
}

/// Holds an answer against the document.
#[track_caller]
pub(crate) fn check(method: &Method, path: &str, answer: &Answer) {
    let Some(template) = template(method, path) else { return };
    // No answer of an operation, but of who finds that there is none.
    if answer.status == 405 {
        return;
    }
    let (method, status) = (method.as_str().to_ascii_lowercase(), answer.status.as_u16());
    let responses = &DOCUMENT["paths"][&template][&method]["responses"];
    let Some(promised) = responses.get(status.to_string()) else {
        panic!("the document does not name this answer: {method} {template} {answer:?}");
    };
    if !promised["content"]["audio/wav"].is_null() {
        assert_eq!(answer.header("content-type"), Some("audio/wav"), "{method} {template}");
        return;
    }
    let Some(schema) = promised["content"]["application/json"].get("schema") else {
        assert_eq!(answer.text, "", "{method} {template} {status}");
        return;
    };
    if answer.header("content-encoding").is_some() {
        return;
    }
    let body = answer.json();
    if let Err(why) = schema::fits(&DOCUMENT, schema, &body) {
        panic!("{method} {template} {status}: {why} in {body:#}");
    }
}
