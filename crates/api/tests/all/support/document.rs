//! What the document says: which operations there are, and whether an answer is one of those that
//! it promises. Every answer of every test is held against it.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use axum::http::Method;
use boon::{Compiler, SchemaIndex, Schemas};
use serde_json::{Value, json};

use super::Answer;

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

/// For each operation and status the schema of the answer; `None`: it has no body.
struct Answers {
    schemas: Schemas,
    known: BTreeMap<(String, String, String), Option<SchemaIndex>>,
}

static ANSWERS: LazyLock<Answers> = LazyLock::new(|| {
    let mut components = DOCUMENT["components"].clone();
    allow_nothing_else(&mut components);
    let mut promised = Vec::new();
    for (path, item) in DOCUMENT["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            for (status, response) in operation["responses"].as_object().unwrap() {
                let key = (method.to_ascii_uppercase(), path.clone(), status.clone());
                promised
                    .push((key, response["content"]["application/json"].get("schema").cloned()));
            }
        }
    }
    let all: Vec<_> = promised.iter().filter_map(|(_, schema)| schema.clone()).collect();
    let root = "http://localhost/answers.json";
    let (mut compiler, mut schemas) = (Compiler::new(), Schemas::new());
    compiler.add_resource(root, json!({ "components": components, "prefixItems": all })).unwrap();
    let mut known = BTreeMap::new();
    let mut index = 0;
    for (key, schema) in promised {
        let compiled = schema.map(|_| {
            let place = format!("{root}#/prefixItems/{index}");
            index += 1;
            compiler.compile(&place, &mut schemas).unwrap()
        });
        known.insert(key, compiled);
    }
    Answers { schemas, known }
});

/// A field that the document does not name is a mistake of one of the two.
fn allow_nothing_else(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            if fields.get("properties").is_some_and(Value::is_object) {
                fields.insert("additionalProperties".to_owned(), json!(false));
            }
            fields.values_mut().for_each(allow_nothing_else);
        }
        Value::Array(items) => items.iter_mut().for_each(allow_nothing_else),
        _ => {}
    }
}

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
    let key = (method.to_string(), template, answer.status.as_u16().to_string());
    let Some(promised) = ANSWERS.known.get(&key) else {
        panic!("the document does not name this answer: {key:?} {answer:?}");
    };
    let Some(schema) = promised else {
        assert_eq!(answer.text, "", "{key:?}");
        return;
    };
    if answer.header("content-encoding").is_some() {
        return;
    }
    let body = answer.json();
    if let Err(error) = ANSWERS.schemas.validate(&body, *schema) {
        panic!("{key:?}: {error:#} in {body:#}");
    }
}
