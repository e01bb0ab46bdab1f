//! Where tokens come from, and what keeps guessing slow.

use std::net::SocketAddr;

use crate::support::{Answer, World};
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Method, Request};
use model::Status;
use serde_json::Value;

const CLIENT: &str = "grant_type=client_credentials&client_id=trusted0003&client_secret=app-secret";

fn password_form(login: &str, password: &str) -> String {
    format!(
        "grant_type=password&client_id=password0003&client_secret=app-secret\
         &username={login}&password={password}"
    )
}

/// A token request from an address of its own.
async fn from(world: &World, address: &str, form: &str) -> Answer {
    let address: SocketAddr = address.parse().unwrap();
    let request = Request::post("/oauth/token")
        .extension(ConnectInfo(address))
        .body(Body::from(form.to_owned()))
        .unwrap();
    world.send(request).await
}

fn text<'a>(answer: &'a Value, name: &str) -> &'a str {
    answer[name].as_str().unwrap_or_else(|| panic!("no {name} in {answer}"))
}

#[tokio::test]
async fn a_trusted_application_acts_for_who_made_it() {
    let world = World::new().await;
    let answer = world.oauth(CLIENT).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let body = answer.json();
    assert_eq!(text(&body, "token_type"), "Bearer");
    assert_eq!(text(&body, "scope"), "all");
    assert_eq!(body["expires_in"], 3600);
    assert!(body.get("refresh_token").is_none());
    let token = text(&body, "access_token");
    assert!(token.len() == 30 && token.bytes().all(|b| b.is_ascii_alphanumeric()), "{token}");
    let me = world.ask(Method::GET, "/user/", token, "").await.json();
    assert_eq!((text(&me, "login"), &me["client_id"]), ("boss0003", &world.own.id.0.into()));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("x-ratelimit-limit"), None);
}

#[tokio::test]
async fn parameters_may_stand_wherever_clients_put_them() {
    let world = World::new().await;
    let multipart = "--x\r\nContent-Disposition: form-data; name=\"grant_type\"\r\n\r\n\
        client_credentials\r\n--x\r\nContent-Disposition: form-data; name=\"client_id\"\r\n\r\n\
        trusted0003\r\n--x\r\nContent-Disposition: form-data; name=\"client_secret\"\r\n\r\n\
        app-secret\r\n--x--\r\n";
    let aliases = CLIENT.replace("client_id", "application_id");
    let aliases = aliases.replace("client_secret", "application_secret");
    let query = format!("/oauth/token?{CLIENT}");
    let form = "application/x-www-form-urlencoded";
    let table = [
        ("/oauth/token", form, CLIENT),
        ("/oauth/token/", form, CLIENT),
        ("//oauth//token", form, CLIENT),
        ("/oauth/token", "text/plain", CLIENT),
        ("/oauth/token", form, aliases.as_str()),
        ("/oauth/token", form, &format!("{CLIENT}&scope=anything")),
        (query.as_str(), form, ""),
        (query.as_str(), "application/json", ""),
        ("/oauth/token", "multipart/form-data; boundary=x", multipart),
        ("/oauth/token?grant_type=client_credentials", form, CLIENT),
    ];
    for (path, kind, body) in table {
        let request = Request::post(path)
            .header("content-type", kind)
            .body(Body::from(body.to_owned()))
            .unwrap();
        let answer = world.send(request).await;
        assert_eq!(answer.status, 200, "{path} {kind} {body}: {answer:?}");
    }
    let basic = Request::post("/oauth/token")
        .header("authorization", "Basic dHJ1c3RlZDAwMDM6YXBwLXNlY3JldA==")
        .body(Body::from("grant_type=client_credentials"))
        .unwrap();
    assert_eq!(world.send(basic).await.status, 200);
}

#[tokio::test]
async fn what_is_wrong_with_a_request_is_told_by_the_words_of_rfc_6749() {
    let world = World::new().await;
    let table = [
        ("", 400, "invalid_request"),
        ("grant_type=client_credentials", 400, "invalid_request"),
        ("grant_type=client_credentials&client_id=trusted0003", 400, "invalid_request"),
        (
            "grant_type=magic&client_id=trusted0003&client_secret=app-secret",
            400,
            "unsupported_grant_type",
        ),
        ("grant_type=client_credentials&client_id=nobody&client_secret=x", 401, "invalid_client"),
        (
            "grant_type=client_credentials&client_id=trusted0003&client_secret=x",
            401,
            "invalid_client",
        ),
        (
            "grant_type=client_credentials&client_id=password0003&client_secret=app-secret",
            400,
            "unauthorized_client",
        ),
        (
            "grant_type=password&client_id=trusted0003&client_secret=app-secret\
             &username=boss0003&password=wrong",
            401,
            "invalid_grant",
        ),
        (&password_form("boss0003", ""), 400, "invalid_request"),
        (&password_form("boss0003", "wrong"), 401, "invalid_grant"),
        (&password_form("nobody", "right"), 401, "invalid_grant"),
        // A user of another client, with the right password.
        (&password_form("boss0004", "right"), 401, "invalid_grant"),
        (
            "grant_type=refresh_token&client_id=password0003&client_secret=app-secret\
             &refresh_token=x",
            401,
            "invalid_grant",
        ),
    ];
    for (form, code, error) in table {
        let answer = world.oauth(form).await;
        answer.assert_error(code);
        assert_eq!(text(&answer.json(), "error"), error, "{form}");
    }
    let broken = Request::post("/oauth/token")
        .header("content-type", "multipart/form-data; boundary=x")
        .body(Body::from("no multipart"))
        .unwrap();
    assert_eq!(text(&world.send(broken).await.json(), "error"), "invalid_request");
}

#[tokio::test]
async fn six_requests_of_one_source_are_worked_on_at_a_time() {
    let world = World::new().await;
    let (anna, boris) = ("203.0.113.1:1000", "203.0.113.2:1000");
    let (a, b, c, d) = tokio::join!(
        async { tokio::join!(from(&world, anna, CLIENT), from(&world, anna, CLIENT)) },
        async { tokio::join!(from(&world, anna, CLIENT), from(&world, anna, CLIENT)) },
        async { tokio::join!(from(&world, anna, CLIENT), from(&world, anna, CLIENT)) },
        async { tokio::join!(from(&world, anna, CLIENT), from(&world, boris, CLIENT)) },
    );
    for answer in [a.0, a.1, b.0, b.1, c.0, c.1, d.1] {
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    d.0.assert_error(429);
    assert_eq!((text(&d.0.json(), "error"), d.0.header("retry-after")), ("slow_down", Some("1")));
    assert_eq!(from(&world, anna, CLIENT).await.status, 200, "the others are done");
}

#[tokio::test]
async fn a_user_signs_in_through_a_trusted_application_too() {
    let world = World::new().await;
    let form = password_form("boss0003", "right").replace("password0003", "trusted0003");
    let token = world.oauth(&form).await.json();
    let answer = world.ask(Method::GET, "/user/", text(&token, "access_token"), "").await;
    assert_eq!(text(&answer.json(), "login"), "boss0003");
}

#[tokio::test]
async fn a_user_signs_in_and_renews_its_token_again_and_again() {
    let world = World::new().await;
    let first = world.oauth(&password_form("boss0003", "right")).await.json();
    let refresh = text(&first, "refresh_token").to_owned();
    // Each renewal lets the refresh token live 30 days more.
    for _ in 0..3 {
        world.pass_seconds(20 * 86_400);
        let form = format!(
            "grant_type=refresh_token&client_id=password0003&client_secret=app-secret\
             &refresh_token={refresh}&redirect_uri=x"
        );
        let renewed = world.oauth(&form).await.json();
        assert_eq!(text(&renewed, "refresh_token"), refresh);
        let token = text(&renewed, "access_token");
        assert_eq!(world.ask(Method::GET, "/user/", token, "").await.status, 200);
    }
    world.pass_seconds(31 * 86_400);
    let form = format!(
        "grant_type=refresh_token&client_id=password0003&client_secret=app-secret\
         &refresh_token={refresh}"
    );
    world.oauth(&form).await.assert_error(401);
}

#[tokio::test]
async fn a_refresh_token_is_no_access_token_and_only_its_applications() {
    let world = World::new().await;
    let answer = world.oauth(&password_form("boss0003", "right")).await.json();
    let refresh = text(&answer, "refresh_token");
    world.ask(Method::GET, "/user/", refresh, "").await.assert_error(401);
    let form = format!(
        "grant_type=refresh_token&client_id=trusted0003&client_secret=app-secret\
         &refresh_token={refresh}"
    );
    let other = world.oauth(&form).await;
    assert_eq!(text(&other.json(), "error"), "invalid_grant");
}

#[tokio::test]
async fn an_access_token_runs_out_after_an_hour() {
    let world = World::new().await;
    let token = text(&world.oauth(CLIENT).await.json(), "access_token").to_owned();
    world.pass_seconds(3_599);
    assert_eq!(world.ask(Method::GET, "/user/", &token, "").await.status, 200);
    world.pass_seconds(1);
    world.ask(Method::GET, "/user/", &token, "").await.assert_error(401);
}

#[tokio::test]
async fn a_blocked_user_gets_no_token() {
    let world = World::new().await;
    world.store.set_user_status(world.own.id, world.own.user, Status::Blocked).await.unwrap();
    let blocked = world.oauth(CLIENT).await;
    assert_eq!(blocked.verdict(), "403 user_blocked");
    assert_eq!(blocked.json()["error"], "access_denied");
    let by_password = world.oauth(&password_form("boss0003", "right")).await;
    assert_eq!(by_password.verdict(), "403 user_blocked");
}

#[tokio::test]
async fn twenty_requests_a_second_from_one_source_are_answered() {
    let world = World::new().await;
    for n in 0..20 {
        assert_eq!(from(&world, "192.0.2.1:5", CLIENT).await.status, 200, "{n}");
    }
    let refused = from(&world, "192.0.2.1:6", CLIENT).await;
    refused.assert_error(429);
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert_eq!(from(&world, "192.0.2.2:5", CLIENT).await.status, 200, "another source");
    world.pass_seconds(1);
    assert_eq!(from(&world, "192.0.2.1:5", CLIENT).await.status, 200, "another second");
}

#[tokio::test]
async fn a_v6_network_and_a_mapped_v4_address_are_one_source() {
    let world = World::new().await;
    for n in 0..10 {
        from(&world, &format!("[2001:db8:0:1::{n}]:5"), CLIENT).await;
        from(&world, &format!("[2001:db8:0:1:{n}::]:5"), CLIENT).await;
        from(&world, "192.0.2.9:5", CLIENT).await;
        from(&world, "[::ffff:192.0.2.9]:5", CLIENT).await;
    }
    from(&world, "[2001:db8:0:1:ffff::1]:5", CLIENT).await.assert_error(429);
    from(&world, "192.0.2.9:5", CLIENT).await.assert_error(429);
    assert_eq!(from(&world, "[2001:db8:0:2::1]:5", CLIENT).await.status, 200);
}

#[tokio::test]
async fn a_thousand_bad_logins_a_minute_slow_down_one_account_only() {
    let world = World::new().await;
    let second = crate::support::user(world.own.id, "second");
    world.store.create_user(&second).await.unwrap();
    let (mut tried, mut slowed) = (0, 0);
    for _ in 0..60 {
        for _ in 0..17 {
            let answer = world.oauth(&password_form("boss0003", "wrong")).await;
            match answer.status.as_u16() {
                401 => tried += 1,
                429 => {
                    assert!(answer.header("retry-after").is_some());
                    slowed += 1;
                }
                _ => panic!("{answer:?}"),
            }
        }
        let other = world.oauth(&password_form("second", "right")).await;
        assert_eq!(other.status, 200, "the other account: {other:?}");
        world.pass_seconds(1);
    }
    assert_eq!(tried + slowed, 1_020);
    assert!(tried <= 12, "{tried} of a thousand guesses were looked at");
    // From elsewhere the owner gets in, and after the wait from here as well.
    let elsewhere = from(&world, "192.0.2.7:5", &password_form("boss0003", "right")).await;
    assert_eq!(elsewhere.status, 200);
    world.pass_seconds(60);
    assert_eq!(world.oauth(&password_form("boss0003", "right")).await.status, 200);
    // And all is forgiven.
    for _ in 0..4 {
        world.oauth(&password_form("boss0003", "wrong")).await.assert_error(401);
    }
    assert_eq!(world.oauth(&password_form("boss0003", "right")).await.status, 200);
}

#[tokio::test]
async fn guessing_an_applications_secret_is_slowed_down_too() {
    let world = World::new().await;
    let wrong = CLIENT.replace("app-secret", "wrong");
    for _ in 0..5 {
        world.oauth(&wrong).await.assert_error(401);
    }
    world.oauth(CLIENT).await.assert_error(429);
    world.pass_seconds(1);
    assert_eq!(world.oauth(CLIENT).await.status, 200);
}

#[tokio::test]
async fn a_token_request_has_no_other_method_and_no_large_body() {
    let world = World::new().await;
    let get = Request::get(format!("/oauth/token?{CLIENT}")).body(Body::empty()).unwrap();
    world.send(get).await.assert_error(405);
    let large = "x".repeat((1 << 20) + 1);
    let answer = world.oauth(&large).await;
    answer.assert_error(413);
    assert_eq!(answer.json()["error"], "invalid_request");
}
