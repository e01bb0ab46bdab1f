//! Bounds: sizes, rates, a database that is away, and the API on a real socket.

use std::net::SocketAddr;

use crate::support::World;
use axum::body::Body;
use axum::http::{Method, Request};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

#[tokio::test]
async fn a_body_of_a_megabyte_is_read_and_one_byte_more_is_not() {
    let world = World::new().await;
    let body = |bytes: usize| format!("{{\"unknown\":\"{}\"}}", "x".repeat(bytes - 14));
    let path = "/extension/@100";
    assert_eq!(world.put(path, &body(1 << 20)).await.status, 200);
    world.put(path, &body((1 << 20) + 1)).await.assert_error(413);
    let announced = Request::put("/api/ver1.0/extension/@100")
        .header("authorization", format!("Bearer {}", world.own.token))
        .header("content-length", "1048577")
        .body(Body::empty())
        .unwrap();
    world.send(announced).await.assert_error(413);
}

#[tokio::test]
async fn a_client_has_its_requests_an_hour_and_is_told_how_many() {
    let world = World::with(Some(3)).await;
    let read_only = world.read_only_token().await;
    let standing = |answer: &crate::support::Answer| {
        ["limit", "remaining", "reset"].map(|name| {
            answer.header(&format!("x-ratelimit-{name}")).unwrap().parse::<u32>().unwrap()
        })
    };
    assert_eq!(standing(&world.get("/user/").await), [3, 2, 3_600]);
    world.pass_seconds(600);
    // Errors count too, and all users of the client together.
    let denied = world.ask(Method::DELETE, "/extension/@100", &read_only, "").await;
    assert_eq!((denied.status.as_u16(), standing(&denied)), (403, [3, 1, 3_000]));
    assert_eq!(standing(&world.get("/extension/1").await), [3, 0, 3_000]);
    let over = world.get("/user/").await;
    assert_eq!(over.verdict(), "429 rate_limit_exceeded");
    assert_eq!(standing(&over), [3, 0, 3_000]);
    assert_eq!(over.header("retry-after"), Some("3000"));
    let other = world.ask(Method::GET, "/user/", &world.other.token, "").await;
    assert_eq!(other.status, 200, "the other client has its own");
    world.pass_seconds(2_999);
    assert_eq!(world.get("/user/").await.status, 429);
    let form = "grant_type=client_credentials&client_id=trusted0003&client_secret=app-secret";
    let fresh = world.oauth(form).await.json()["access_token"].as_str().unwrap().to_owned();
    world.pass_seconds(2);
    let next_hour = world.ask(Method::GET, "/user/", &fresh, "").await;
    assert_eq!((next_hour.status.as_u16(), standing(&next_hour)[1]), (200, 2));
}

/// They carried none, and asking for them was free.
#[tokio::test]
async fn what_is_no_resource_and_what_it_does_not_do_is_counted_and_told_too() {
    let world = World::with(Some(4)).await;
    let token = world.own.token.clone();
    for (method, path, status, left) in [
        (Method::GET, "/no/such/thing", 404, "3"),
        (Method::PATCH, "/user/", 405, "2"),
        (Method::OPTIONS, "/user/", 204, "1"),
        (Method::GET, "/user/", 200, "0"),
        (Method::GET, "/no/such/thing", 429, "0"),
    ] {
        let answer = world.ask(method.clone(), path, &token, "").await;
        assert_eq!(answer.status.as_u16(), status, "{method} {path}");
        assert_eq!(answer.header("x-ratelimit-remaining"), Some(left), "{method} {path}");
    }
    // Of a stranger nothing is counted.
    let stranger = world.ask(Method::GET, "/no/such/thing", "unknown", "").await;
    assert_eq!(stranger.header("x-ratelimit-limit"), None);
    assert_eq!(stranger.status, 404);
}

#[tokio::test]
async fn without_a_limit_nothing_is_told() {
    let world = World::new().await;
    assert_eq!(world.get("/user/").await.header("x-ratelimit-limit"), None);
}

#[tokio::test]
async fn calls_are_seen_and_ended_while_the_database_is_away() {
    let world = World::new().await;
    assert_eq!(world.get("/user/").await.status, 200);
    world.store.close().await;
    world.pass_seconds(60);
    assert_eq!(world.get("/client/@me/current_calls/").await.status, 200);
    assert_eq!(world.get("/extension/@100").await.status, 200);
    let hang_up = world.delete(&format!("/extension/@100/current_calls/{}", world.own.call)).await;
    assert_eq!(hang_up.status, 204);
    // What cannot be stored is not said to be, and a token that nobody has seen is not believed.
    world.put("/extension/@100", r#"{"label":"x"}"#).await.assert_error(503);
    world.ask(Method::GET, "/user/", "unknown", "").await.assert_error(503);
    world.pass_seconds(3_600);
    world.get("/user/").await.assert_error(503);
}

#[tokio::test]
async fn lists_of_many_extensions_come_from_memory() {
    let world = World::new().await;
    world.grow(500).await;
    assert_eq!(world.get("/user/").await.status, 200);
    // No query can be asked any more.
    world.store.close().await;
    let list = world.get("/client/@me/extension/").await.json();
    assert_eq!(list.as_array().unwrap().len(), 501, "the phones and the echo");
    let up = world.get("/extension/registration/").await.json();
    assert_eq!(up.as_array().unwrap().len(), 500);
    assert!(world.get("/extension/@597/phone/").await.json()["extension_id"].is_u64());
}

#[tokio::test]
async fn it_works_over_a_real_socket() {
    let world = World::new().await;
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = world.router.clone().into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, service).await });
    let mut stream = TcpStream::connect(address).await.unwrap();
    let form = "grant_type=client_credentials&client_id=trusted0003&client_secret=app-secret";
    let head =
        format!("POST /oauth/token/ HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", form.len());
    let answer = exchange(&mut stream, &format!("{head}{form}")).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    let token = answer.split("\"access_token\":\"").nth(1).unwrap().split('"').next().unwrap();
    // The same connection goes on, with two slashes and none at the end.
    let get = format!(
        "GET /api/ver1.0//client/%40me/current_calls HTTP/1.1\r\nHost: a\r\n\
         Authorization: Bearer {token}\r\n\r\n"
    );
    let answer = exchange(&mut stream, &get).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.contains("\"call_list\":[{"), "{answer}");
}

/// Sends a request and reads the answer as far as its Content-Length says.
async fn exchange(stream: &mut TcpStream, request: &str) -> String {
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    loop {
        let mut buffer = [0; 4_096];
        let n = stream.read(&mut buffer).await.unwrap();
        assert!(n > 0, "the connection was closed");
        answer.extend_from_slice(&buffer[..n]);
        let text = String::from_utf8_lossy(&answer).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        if body.len() >= length.unwrap().parse::<usize>().unwrap() {
            return text;
        }
    }
}
