//! `Idempotency-Key`: what was done once is not done again.

use std::sync::Arc;

use crate::support::files::{WAV, content_type, upload};
use crate::support::{Answer, World};
use axum::body::Body;
use axum::http::{HeaderValue, Method, Request};
use leg::Refusal;
use serde_json::json;
use store::{AppAccess, UserAccess, UserScope};
use tokio::sync::Semaphore;

const RULES: &str = "/extension/@100/incom_rule/";
const RULE: &str = r#"{"type":"busy","name":"kept"}"#;

fn request(method: Method, path: &str, token: &str, key: &[u8], body: &str) -> Request<Body> {
    Request::builder()
        .method(method)
        .uri(format!("/api/ver1.0{path}"))
        .header("authorization", format!("Bearer {token}"))
        .header("content-type", content_type(body))
        .header("idempotency-key", HeaderValue::from_bytes(key).unwrap())
        .body(Body::from(body.to_owned()))
        .unwrap()
}

impl World {
    async fn keyed(&self, method: Method, path: &str, key: &str, body: &str) -> Answer {
        self.send(request(method, path, &self.own.token, key.as_bytes(), body)).await
    }

    async fn rules(&self) -> usize {
        self.get(RULES).await.json().as_array().unwrap().len()
    }

    /// Another token of the same user: the first one lives shorter than its keys.
    async fn later_token(&self) -> String {
        let form = "grant_type=client_credentials&client_id=trusted0003&client_secret=app-secret";
        self.oauth(form).await.json()["access_token"].as_str().unwrap().to_owned()
    }

    fn hold_path(&self) -> String {
        format!("/extension/@100/current_calls/{}", self.own.call)
    }

    fn asked(&self) -> usize {
        self.switchboard.asked.lock().unwrap().len()
    }
}

fn was_replayed(answer: &Answer) -> bool {
    answer.header("idempotent-replayed") == Some("true")
}

const HOLD: &str = r#"{"action":"hold"}"#;

#[tokio::test]
async fn the_same_request_with_the_same_key_is_done_once_and_answered_twice() {
    let world = World::with(Some(100)).await;
    let before = world.rules().await;
    let first = world.keyed(Method::POST, RULES, "k 1", RULE).await;
    let second = world.keyed(Method::POST, RULES, "k 1", RULE).await;
    assert_eq!((first.status.as_u16(), was_replayed(&first)), (201, false));
    assert_eq!((second.status.as_u16(), was_replayed(&second)), (201, true));
    assert_eq!(first.text, second.text);
    for name in ["content-type", "location"] {
        assert!(first.header(name).is_some(), "{name}");
        assert_eq!(first.header(name), second.header(name), "{name}");
    }
    // It counts as a request all the same.
    assert_eq!(first.header("x-ratelimit-remaining"), Some("98"));
    assert_eq!(second.header("x-ratelimit-remaining"), Some("97"));
    assert_eq!(world.rules().await, before + 1);
    // Another key, or none, is another request.
    world.keyed(Method::POST, RULES, "k 2", RULE).await;
    world.post(RULES, RULE).await;
    assert_eq!(world.rules().await, before + 3);
}

#[tokio::test]
async fn a_key_that_was_used_for_another_request_is_refused() {
    let world = World::new().await;
    let (hold, settings) = (world.hold_path(), "/client/@me/settings/");
    world.keyed(Method::PUT, &hold, "k", HOLD).await;
    let others = [
        (Method::PUT, hold.as_str(), r#"{"action":"offhold"}"#),
        (Method::PUT, "/client/@me/settings", HOLD),
        (Method::POST, RULES, HOLD),
        (Method::PUT, &format!("{hold}?x=1"), HOLD),
    ];
    for (method, path, body) in others {
        let answer = world.keyed(method, path, "k", body).await;
        assert_eq!(answer.verdict(), "409 idempotency_key_reused", "{path}");
    }
    assert_eq!(world.asked(), 1);
    // The same path in another spelling is the same.
    let first = world.keyed(Method::PUT, settings, "s", r#"{"language":"ru"}"#).await;
    let second = world.keyed(Method::PUT, "//client/@me/settings", "s", r#"{"language":"ru"}"#);
    assert_eq!((first.text, true), (second.await.text, true));
}

#[tokio::test]
async fn keys_of_different_users_have_nothing_to_do_with_each_other() {
    let world = World::new().await;
    world.keyed(Method::PUT, &world.hold_path(), "k", HOLD).await;
    let scope = UserScope::Client;
    let token = world.token_of(scope, UserAccess::Full, AppAccess::All).await;
    let path = world.hold_path();
    let other = world.send(request(Method::PUT, &path, &token, b"k", HOLD)).await;
    assert_eq!((other.status.as_u16(), was_replayed(&other), world.asked()), (200, false, 2));
    let path = format!("/extension/@100/current_calls/{}", world.other.call);
    let other = world.send(request(Method::PUT, &path, &world.other.token, b"k", HOLD)).await;
    assert_eq!((other.status.as_u16(), was_replayed(&other), world.asked()), (200, false, 3));
}

#[tokio::test]
async fn a_refusal_is_remembered_but_not_one_that_passes_by_itself() {
    let world = World::new().await;
    let hold = world.hold_path();
    let refuse = |refusal| *world.switchboard.refusing.lock().unwrap() = refusal;
    refuse(Some(Refusal::NotAnswered));
    let first = world.keyed(Method::PUT, &hold, "conflict", HOLD).await;
    refuse(Some(Refusal::Full));
    let busy = world.keyed(Method::PUT, &hold, "busy", HOLD).await;
    assert_eq!(
        (first.verdict().as_str(), busy.verdict().as_str()),
        ("409 not_answered", "503 full")
    );
    refuse(None);
    let again = world.keyed(Method::PUT, &hold, "conflict", HOLD).await;
    assert_eq!((again.text, world.asked()), (first.text, 2));
    let again = world.keyed(Method::PUT, &hold, "busy", HOLD).await;
    assert_eq!((again.status.as_u16(), was_replayed(&again)), (200, false));
}

#[tokio::test]
async fn an_answer_over_the_hourly_limit_is_not_remembered() {
    let world = World::with(Some(1)).await;
    world.get("/user/").await;
    let limited = world.keyed(Method::PUT, &world.hold_path(), "k", HOLD).await;
    assert_eq!(limited.verdict(), "429 rate_limit_exceeded");
    world.pass_seconds(3_600);
    let (path, token) = (world.hold_path(), world.later_token().await);
    let done = world.send(request(Method::PUT, &path, &token, b"k", HOLD)).await;
    assert_eq!((done.status.as_u16(), was_replayed(&done)), (200, false));
}

#[tokio::test]
async fn a_key_is_forgotten_after_a_day() {
    let world = World::new().await;
    let path = world.hold_path();
    world.keyed(Method::PUT, &path, "k", HOLD).await;
    let again = async |seconds: u64| {
        world.pass_seconds(seconds);
        let token = world.later_token().await;
        was_replayed(&world.send(request(Method::PUT, &path, &token, b"k", HOLD)).await)
    };
    assert!(again(86_399).await);
    assert!(!again(1).await);
    assert_eq!(world.asked(), 2);
}

#[tokio::test]
async fn a_request_while_the_first_is_worked_on_is_refused_and_then_answered() {
    let world = World::new().await;
    let gate = Arc::new(Semaphore::new(0));
    *world.switchboard.gate.lock().unwrap() = Some(Arc::clone(&gate));
    let path = world.hold_path();
    let second = async {
        while world.asked() == 0 {
            tokio::task::yield_now().await;
        }
        let second = world.keyed(Method::PUT, &path, "k", HOLD).await;
        gate.add_permits(1);
        second
    };
    let (first, second) = tokio::join!(world.keyed(Method::PUT, &path, "k", HOLD), second);
    assert_eq!(first.status, 200);
    assert_eq!(second.verdict(), "409 idempotency_key_in_progress");
    assert_eq!(second.header("retry-after"), Some("1"));
    assert!(was_replayed(&world.keyed(Method::PUT, &path, "k", HOLD).await));
    assert_eq!(world.asked(), 1);
}

#[tokio::test]
async fn what_was_done_for_who_hung_up_is_not_done_again() {
    let world = World::new().await;
    let gate = Arc::new(Semaphore::new(0));
    *world.switchboard.gate.lock().unwrap() = Some(Arc::clone(&gate));
    let path = world.hold_path();
    let asked = async {
        while world.asked() == 0 {
            tokio::task::yield_now().await;
        }
    };
    // The connection breaks when the command is with the owner of the call.
    tokio::select! {
        biased;
        () = asked => {}
        answer = world.keyed(Method::PUT, &path, "k", HOLD) => panic!("too early: {answer:?}"),
    }
    gate.add_permits(1);
    let answer = loop {
        let answer = world.keyed(Method::PUT, &path, "k", HOLD).await;
        if answer.status != 409 {
            break answer;
        }
        tokio::task::yield_now().await;
    };
    assert_eq!((answer.status.as_u16(), was_replayed(&answer), world.asked()), (200, true, 1));
}

#[tokio::test]
async fn a_key_is_some_printable_characters() {
    let world = World::new().await;
    let path = world.hold_path();
    let long = "x".repeat(256);
    for key in [&b""[..], b"a\tb", "ключ".as_bytes(), b"\xff", long.as_bytes()] {
        let token = &world.own.token;
        let answer = world.send(request(Method::PUT, &path, token, key, HOLD)).await;
        answer.assert_refuses("Idempotency-Key");
    }
    let mut two = request(Method::PUT, &path, &world.own.token, b"a", HOLD);
    two.headers_mut().append("idempotency-key", HeaderValue::from_static("b"));
    world.send(two).await.assert_refuses("Idempotency-Key");
    assert_eq!(world.asked(), 0);
    for key in [&long[1..], "~ {\"a\"}"] {
        assert_eq!(world.keyed(Method::PUT, &path, key, HOLD).await.status, 200, "{key}");
    }
}

#[tokio::test]
async fn reading_and_removing_and_uploading_know_no_keys() {
    let world = World::new().await;
    let long = "x".repeat(256);
    let user = world.keyed(Method::GET, "/user/", &long, "").await;
    assert_eq!(user.status, 200);
    let path = format!("/extension/@100/incom_rule/{}", world.own.rule);
    assert_eq!(world.keyed(Method::DELETE, &path, "k", "").await.status, 204);
    assert_eq!(world.keyed(Method::DELETE, &path, "k", "").await.status, 404);
    let sounds = async || world.get("/client/@me/sound/").await.json().as_array().unwrap().len();
    let before = sounds().await;
    let body = upload("Twice", "twice.wav", WAV);
    for _ in 0..2 {
        let made = world.keyed(Method::POST, "/client/@me/sound/", "k", &body).await;
        assert_eq!((made.status.as_u16(), was_replayed(&made)), (201, false));
    }
    assert_eq!(sounds().await, before + 2);
}

#[tokio::test]
async fn who_has_no_right_learns_nothing_of_a_key() {
    let world = World::new().await;
    let path = world.hold_path();
    world.keyed(Method::PUT, &path, "k", HOLD).await;
    let token = world.read_only_token().await;
    for token in ["wrong", &token] {
        let answer = world.send(request(Method::PUT, &path, token, b"k", HOLD)).await;
        assert!([401, 403].contains(&answer.status.as_u16()) && !was_replayed(&answer));
    }
    // Nor does a user that was blocked since.
    world
        .store
        .set_user_status(world.own.id, world.own.user, model::Status::Blocked)
        .await
        .unwrap();
    world.pass_seconds(2);
    let blocked = world.keyed(Method::PUT, &path, "k", HOLD).await;
    assert_eq!(blocked.verdict(), "403 user_blocked");
}

#[tokio::test]
async fn every_documented_write_reads_a_key() {
    let keyed: Vec<_> = crate::support::document::operations()
        .into_iter()
        .filter(|o| o.access.is_some() && [Method::PUT, Method::POST].contains(&o.method))
        .filter(|o| !["NewSound", "SoundFile"].contains(&o.body.as_deref().unwrap_or_default()))
        .collect();
    assert!(keyed.len() > 20, "{}", keyed.len());
    let world = World::new().await;
    let document = api::document();
    for operation in keyed {
        let path = world.own.fill(&operation.path.replace("/api/ver1.0", ""));
        let method = operation.method.clone();
        let answer = world.keyed(method, &path, &"x".repeat(256), "{}").await;
        answer.assert_refuses("Idempotency-Key");
        let described =
            &document["paths"][&operation.path][operation.method.as_str().to_ascii_lowercase()];
        let named = json!({ "$ref": "#/components/parameters/Idempotency-Key" });
        assert!(described["parameters"].as_array().unwrap().contains(&named), "{operation:?}");
    }
}
