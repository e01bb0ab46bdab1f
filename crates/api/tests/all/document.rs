//! The OpenAPI document and its explorer.

use std::collections::{BTreeMap, BTreeSet};

use crate::support::{World, document};
use axum::body::Body;
use axum::http::{Method, Request};
use expect_test::expect_file;
use serde_json::Value;

#[test]
fn the_document_is_as_committed() {
    let mut text = serde_json::to_string_pretty(&api::document()).unwrap();
    text.push('\n');
    // `cargo xtask openapi` writes it anew.
    expect_file!["../../../../docs/openapi.json"].assert_eq(&text);
}

#[test]
fn every_reference_leads_somewhere_and_every_schema_is_referred_to() {
    fn references(value: &Value, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(fields) => {
                if let Some(Value::String(reference)) = fields.get("$ref") {
                    found.insert(reference.clone());
                }
                fields.values().for_each(|field| references(field, found));
            }
            Value::Array(items) => items.iter().for_each(|item| references(item, found)),
            _ => {}
        }
    }
    let document = api::document();
    let mut found = BTreeSet::new();
    references(&document, &mut found);
    for reference in &found {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
    for name in document["components"]["schemas"].as_object().unwrap().keys() {
        assert!(found.contains(&format!("#/components/schemas/{name}")), "{name}");
    }
}

#[test]
fn every_operation_has_its_own_name_a_summary_a_tag_and_an_answer() {
    let document = api::document();
    let mut names = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let text = |field: &str| operation[field].as_str().unwrap_or_default();
            assert!(names.insert(text("operationId").to_owned()), "{method} {path}");
            assert!(
                !text("summary").is_empty() && !text("summary").ends_with('.'),
                "{method} {path}"
            );
            assert_eq!(operation["tags"].as_array().unwrap().len(), 1, "{method} {path}");
            let responses = operation["responses"].as_object().unwrap();
            assert!(responses.keys().any(|code| code.starts_with('2')), "{method} {path}");
        }
    }
    assert!(names.len() >= 20);
}

#[test]
fn what_an_answer_does_not_know_is_null_and_not_absent() {
    let document = api::document();
    let schemas = &document["components"]["schemas"];
    let required = |name: &str| -> BTreeSet<String> {
        let names = schemas[name]["required"].as_array().unwrap();
        names.iter().map(|n| n.as_str().unwrap().to_owned()).collect()
    };
    assert!(required("Extension").contains("ani") && required("Call").contains("record_uuid"));
    assert!(!required("Token").contains("refresh_token") && !required("Error").contains("field"));
    assert_eq!(required("NewExtension").into_iter().collect::<Vec<_>>(), ["name", "type"]);
    assert!(schemas["ExtensionChange"].get("required").is_none());
}

/// A request without a token.
async fn ask(world: &World, method: Method, path: &str) -> crate::support::Answer {
    world.send(Request::builder().method(method).uri(path).body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn the_document_is_served_to_everybody() {
    let world = World::new().await;
    let served = ask(&world, Method::GET, "/api/ver1.0/openapi.json").await;
    assert_eq!(served.json(), api::document());
}

#[tokio::test]
async fn the_explorer_is_a_page_whose_files_are_all_here() {
    let world = World::new().await;
    let page = "/api/ver1.0/client_api_explorer";
    for path in [page.to_owned(), format!("{page}/"), format!("/{page}//")] {
        let answer = ask(&world, Method::GET, &path).await;
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"));
        let policy = answer.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self'"));
        assert!(!policy.contains("unsafe"), "{policy}");
        // Nothing inline, nothing from elsewhere; and all that it names is there.
        assert!(!answer.text.contains("://") && !answer.text.contains("style="), "{}", answer.text);
        assert_eq!(
            answer.text.matches("<script").count(),
            answer.text.matches("<script src=\"").count()
        );
        let mut named = 0;
        for link in answer.text.split(['"']).filter(|text| text.starts_with("/api/")) {
            let file = ask(&world, Method::GET, link).await;
            assert_eq!(file.status, 200, "{link}");
            assert!(file.text.len() > 100, "{link}");
            named += 1;
        }
        assert_eq!(named, 5);
    }
    let script = ask(&world, Method::GET, &format!("{page}/swagger-ui-bundle.js")).await;
    assert_eq!(script.header("content-type"), Some("text/javascript; charset=utf-8"));
    assert!(script.text.len() > 1_000_000 && script.text.contains("SwaggerUIBundle"));
    let own = ask(&world, Method::GET, &format!("{page}/explorer.js")).await;
    assert!(own.text.contains("\"/api/ver1.0/openapi.json\"") && !own.text.contains("://"));
    ask(&world, Method::GET, &format!("{page}/nothing.js")).await.assert_error(404);
    ask(&world, Method::GET, &format!("{page}/..%2Fexplorer.js")).await.assert_error(404);
}

#[tokio::test]
async fn every_path_tells_its_methods() {
    let world = World::new().await;
    let mut methods: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for operation in document::operations() {
        let of_path = methods.entry(operation.path).or_default();
        of_path.insert("OPTIONS".to_owned());
        of_path.insert(operation.method.to_string());
        if operation.method == Method::GET {
            of_path.insert("HEAD".to_owned());
        }
    }
    for path in ["/api/ver1.0/openapi.json", "/api/ver1.0/client_api_explorer/"] {
        let of_path = ["GET", "HEAD", "OPTIONS"].map(str::to_owned);
        methods.insert(path.to_owned(), of_path.into());
    }
    for (path, expected) in methods {
        let path = path.replace(['{', '}'], "");
        for method in [Method::OPTIONS, Method::PATCH] {
            let answer = ask(&world, method.clone(), &path).await;
            let allow = answer.header("allow").unwrap_or_else(|| panic!("{method} {path}"));
            let allow: BTreeSet<_> = allow.split(',').map(str::to_owned).collect();
            assert_eq!(allow, expected, "{method} {path}");
            assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
            if method == Method::OPTIONS {
                assert_eq!((answer.status.as_u16(), answer.text.as_str()), (204, ""), "{path}");
            } else {
                answer.assert_error(405);
            }
        }
    }
}
