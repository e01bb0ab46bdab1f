//! What existing clients do that is not quite right, and works.

use crate::support::World;
use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use serde_json::json;

#[tokio::test]
async fn every_path_works_as_clients_write_it() {
    let world = World::new().await;
    let id = world.own.phones[0];
    let variants = [
        format!("/api/ver1.0/extension/{id}/phone/"),
        format!("/api/ver1.0/extension/{id}/phone"),
        format!("/api/ver1.0//extension/{id}/phone//"),
        format!("//api/ver1.0/extension//{id}/phone/"),
        format!("/api/ver1.0/extension/{id}/phone/?"),
        format!("/api/ver1.0/extension/{id}/phone/?unknown=1&empty="),
        "/api/ver1.0/extension/@100/phone/".to_owned(),
        "/api/ver1.0/extension/%40100/phone/".to_owned(),
        "/api/ver1.0/extension/@0003*100/phone/".to_owned(),
        "/api/ver1.0/extension/%400003%2A100/phone".to_owned(),
        "/api/ver1.0/extension/@00500*0003*100/phone".to_owned(),
        "/api/ver1.0/extension/@0003*100@sip.example.com/phone".to_owned(),
    ];
    for path in variants {
        let answer = world.get(&path).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}");
        assert_eq!(answer.json()["extension_id"], id.0, "{path}");
    }
}

#[tokio::test]
async fn with_and_without_a_slash_the_answer_is_the_same_for_every_resource() {
    let world = World::new().await;
    for route in crate::support::document::operations() {
        let path = route.path.replace("{client_id}", "@me").replace("{extension_id}", "@100");
        let path = world.own.fill(&path);
        let bare = path.trim_end_matches('/').to_owned();
        if route.method == Method::GET {
            // What lists of messages cannot do without; others ignore it.
            let query = "?start_datetime=2023-11-01&end_datetime=2023-12-01";
            let a = world.get(&format!("{bare}{query}")).await;
            let b = world.get(&format!("{bare}/{query}")).await;
            assert_eq!((a.status, &a.text), (StatusCode::OK, &b.text), "{path}");
        }
        let (a, b) = (
            world.ask(route.method.clone(), &bare, "wrong", "").await,
            world.ask(route.method.clone(), &format!("{bare}/"), "wrong", "").await,
        );
        assert_eq!(a.status, b.status, "{path}");
        assert!(a.status != 404 && a.status != 405, "{path}");
    }
}

#[tokio::test]
async fn the_client_is_known_as_me_by_number_and_escaped() {
    let world = World::new().await;
    let number = world.own.id.to_string();
    for client in ["@me", "%40me", number.as_str()] {
        let answer = world.get(&format!("/client/{client}/extension/")).await;
        assert_eq!(answer.json().as_array().unwrap().len(), 2, "{client}");
    }
    for client in ["@you", "0", "-1", "x", "%FF"] {
        let answer = world.get(&format!("/client/{client}/extension/")).await;
        answer.assert_error(404);
    }
}

#[tokio::test]
async fn unknown_resources_are_not_found_in_json() {
    let world = World::new().await;
    for path in ["/", "/api", "/api/ver1.0", "/api/ver1.0/nothing", "/api/ver2.0/user/", "/oauth"] {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let answer = world.send(request).await;
        answer.assert_error(404);
        assert_eq!(answer.json(), json!({ "message": "Not found" }), "{path}");
    }
}

#[tokio::test]
async fn content_type_is_not_looked_at() {
    let world = World::new().await;
    for kind in ["application/json", "text/plain", "application/x-www-form-urlencoded", "nonsense"]
    {
        for (method, body) in [(Method::GET, ""), (Method::PUT, r#"{"label":"A"}"#)] {
            let request = Request::builder()
                .method(&method)
                .uri("/api/ver1.0/extension/@100/phone/")
                .header("authorization", format!("bearer  {}", world.own.token))
                .header("content-type", kind)
                .body(Body::from(body))
                .unwrap();
            assert_eq!(world.send(request).await.status, StatusCode::OK, "{method} {kind}");
        }
    }
}

#[tokio::test]
async fn a_body_on_get_and_delete_is_ignored() {
    let world = World::new().await;
    let token = &world.own.token;
    let got = world.ask(Method::GET, "/user/", token, "not json").await;
    assert_eq!(got.status, StatusCode::OK);
    let gone = world.ask(Method::DELETE, "/extension/@100", token, "not json").await;
    assert_eq!((gone.status, gone.text.as_str()), (StatusCode::NO_CONTENT, ""));
}

#[tokio::test]
async fn an_empty_body_changes_nothing() {
    let world = World::new().await;
    let before = world.get("/extension/@100/phone/").await.json();
    for body in ["", "{}", " \n", r#"{"unknown":[1]}"#] {
        let answer = world.put("/extension/@100/phone/", body).await;
        assert_eq!((answer.status, answer.json()), (StatusCode::OK, before.clone()), "{body}");
    }
}

#[tokio::test]
async fn a_body_that_is_no_object_is_refused() {
    let world = World::new().await;
    for body in ["[]", "1", "\"x\"", "{", "{\"a\":}", "label=A"] {
        world.put("/extension/@100/phone/", body).await.assert_error(400);
        world.post("/client/@me/extension/", body).await.assert_error(400);
    }
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    world.put("/extension/@100/phone/", &deep).await.assert_error(400);
}

#[tokio::test]
async fn an_object_that_was_read_can_be_written_back() {
    let world = World::new().await;
    for path in ["/extension/@100", "/extension/@100/phone/", "/client/@me/extension/@100"] {
        let read = world.get(path).await;
        let written = world.put(path, &read.text).await;
        assert_eq!((written.status, written.json()), (StatusCode::OK, read.json()), "{path}");
    }
}

#[tokio::test]
async fn answers_may_be_compressed_and_are_kept_by_nobody() {
    let world = World::new().await;
    let request = Request::get("/api/ver1.0/client/@me/extension/")
        .header("authorization", format!("Bearer {}", world.own.token))
        .header("accept-encoding", "gzip")
        .body(Body::empty())
        .unwrap();
    let answer = world.send(request).await;
    assert_eq!(answer.header("content-encoding"), Some("gzip"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(world.get("/client/@me/extension/").await.header("content-encoding"), None);
}

#[tokio::test]
async fn head_is_get_without_the_body() {
    let world = World::new().await;
    let answer = world.ask(Method::HEAD, "/user/", &world.own.token, "").await;
    assert_eq!((answer.status, answer.text.as_str()), (StatusCode::OK, ""));
}
