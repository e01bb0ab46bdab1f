//! Walks through every operation of the document: whatever is added is walked through too.

use crate::support::document::{Operation, operations};
use crate::support::files::{WAV, upload};
use crate::support::{Client, World};
use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use model::Status;
use store::{AppAccess, UserAccess, UserScope};

/// The resource's path for an object of this client.
fn path_of(route: &Operation, client: &Client) -> String {
    let path = client.fill(&route.path);
    // What its query cannot do without.
    if path.ends_with("/voicemail/") {
        return format!("{path}?start_datetime=2023-11-01&end_datetime=2023-12-01");
    }
    path
}

/// All paths in which one or more of the resource's parameters are the other client's.
fn foreign_paths(route: &Operation, own: &Client, other: &Client) -> Vec<String> {
    let parameters = own.parameters().into_iter().zip(other.parameters());
    let mut paths = vec![(route.path.clone(), false)];
    for ((name, mine), (_, theirs)) in parameters {
        if route.path.contains(name) {
            paths = paths
                .into_iter()
                .flat_map(|(path, foreign)| {
                    [(path.replace(name, &mine), foreign), (path.replace(name, &theirs), true)]
                })
                .collect();
        }
    }
    paths.into_iter().filter(|(_, foreign)| *foreign).map(|(path, _)| path).collect()
}

fn behind_the_door() -> impl Iterator<Item = Operation> {
    operations().into_iter().filter(|route| route.access.is_some())
}

fn writing() -> impl Iterator<Item = Operation> {
    behind_the_door().filter(|route| route.method != Method::GET)
}

/// A body that the operation takes.
fn good_body(route: &Operation) -> String {
    match route.body.as_deref() {
        None => String::new(),
        Some("NewExtension") => r#"{"name":"150","type":"phone"}"#.to_owned(),
        Some("NewSound") => upload("Walked", "walked.wav", WAV),
        Some("SoundFile") => upload("", "walked.wav", WAV),
        Some("SoundChange") => r#"{"title":"walked"}"#.to_owned(),
        Some("ExtensionChange" | "PhoneChange") => r#"{"label":"walked"}"#.to_owned(),
        Some("NewIncomingRule") => r#"{"type":"busy"}"#.to_owned(),
        Some("IncomingRuleChange") => r#"{"name":"walked"}"#.to_owned(),
        Some("IncomingRuleOrder") => r#"{"order":[1]}"#.to_owned(),
        Some("ExplainRequest") => "{}".to_owned(),
        Some("NewInterval") => {
            r#"{"name":"walked","timezone":"UTC","conditions":[{"month":7}]}"#.to_owned()
        }
        Some("IntervalChange") => r#"{"name":"walked"}"#.to_owned(),
        Some("NewDid") => r#"{"name":"+78127654321"}"#.to_owned(),
        Some("DidChange") => r#"{"comment":"walked"}"#.to_owned(),
        Some("AniChange") => r#"{"ani_number":"78120000003"}"#.to_owned(),
        Some("DialRuleChange") => r#"{"dial_rules":[]}"#.to_owned(),
        Some("NewTrunk") => r#"{"name":"walked","hosts":["192.0.2.1"]}"#.to_owned(),
        Some("TrunkChange") => r#"{"name":"walked"}"#.to_owned(),
        Some("SettingsChange") => r#"{"language":"ru"}"#.to_owned(),
        Some("ClientInfoChange") => r#"{"presence":"no"}"#.to_owned(),
        Some("FeatureCodesChange") => r##"{"pickup":"#7"}"##.to_owned(),
        Some("CallControlGroups") => r#"{"allow_all":true}"#.to_owned(),
        Some("CallControl") => r#"{"action":"transfer","send_dst":"101"}"#.to_owned(),
        Some("ValetPark") => r#"{"action":"park"}"#.to_owned(),
        Some("MayRequest") => r#"{"actor":"100","action":"pickup","target":"101"}"#.to_owned(),
        Some(other) => panic!("the walk knows no {other} for {} {}", route.method, route.path),
    }
}

#[test]
fn the_document_has_what_is_documented() {
    let mut found: Vec<_> = operations()
        .iter()
        .map(|r| {
            let path = r.path.replace("/api/ver1.0", "");
            format!("{} {path} {}", r.method, r.access.as_deref().unwrap_or("-"))
        })
        .collect();
    found.sort();
    let expected = "\
DELETE /client/{client_id}/dial_rule/{dial_rule_id} All
DELETE /client/{client_id}/did/{did_id} All
DELETE /client/{client_id}/extension/{extension_id} All
DELETE /client/{client_id}/interval/{interval_id} All
DELETE /client/{client_id}/phone_replace/{extension_id} Call API
DELETE /client/{client_id}/sound/{sound_id} All
DELETE /client/{client_id}/trunk/{trunk_id} All
DELETE /client/{client_id}/voicemail/{record_uuid} Call API
DELETE /extension/{extension_id} All
DELETE /extension/{extension_id}/current_calls/{call_api_id} Call API
DELETE /extension/{extension_id}/incom_rule/{rule_id} All
DELETE /extension/{extension_id}/voicemail/{record_uuid} Call API
GET /client/client_info/{client_id}/ All
GET /client/{client_id}/ani/ All
GET /client/{client_id}/audit/ All
GET /client/{client_id}/audit/check All
GET /client/{client_id}/call_control_group/ All
GET /client/{client_id}/call_history/{call_uuid}/trace/ All
GET /client/{client_id}/current_calls/ Call API
GET /client/{client_id}/dial_rule/ All
GET /client/{client_id}/dial_rule/{dial_rule_id} All
GET /client/{client_id}/did/ All
GET /client/{client_id}/did/{did_id} All
GET /client/{client_id}/extension/ All
GET /client/{client_id}/extension/{extension_id} All
GET /client/{client_id}/feature_codes/ All
GET /client/{client_id}/interval/ All
GET /client/{client_id}/interval/{interval_id} All
GET /client/{client_id}/interval/{interval_id}/preview/ All
GET /client/{client_id}/limit/ All
GET /client/{client_id}/phone_replace/ Call API
GET /client/{client_id}/settings/ All
GET /client/{client_id}/sound/ All
GET /client/{client_id}/sound/{sound_id} All
GET /client/{client_id}/sound/{sound_id}/download/ All
GET /client/{client_id}/trunk/ All
GET /client/{client_id}/trunk/{trunk_id} All
GET /client/{client_id}/voicemail/ Call API
GET /client/{client_id}/voicemail/{record_uuid} Call API
GET /client/{client_id}/voicemail/{record_uuid}/download/ Call API
GET /extension/alive/ Call API
GET /extension/registration/ Call API
GET /extension/{extension_id} All
GET /extension/{extension_id}/ani/ All
GET /extension/{extension_id}/current_calls/ Call API
GET /extension/{extension_id}/current_calls/{call_api_id} Call API
GET /extension/{extension_id}/incom_rule/ All
GET /extension/{extension_id}/incom_rule/check/ All
GET /extension/{extension_id}/incom_rule/order/ All
GET /extension/{extension_id}/incom_rule/{rule_id} All
GET /extension/{extension_id}/phone/ All
GET /extension/{extension_id}/registration/ Call API
GET /extension/{extension_id}/voicemail/ Call API
GET /extension/{extension_id}/voicemail/{record_uuid} Call API
GET /extension/{extension_id}/voicemail/{record_uuid}/download/ Call API
GET /user/ Call API
POST /client/{client_id}/call_control_group/may All
POST /client/{client_id}/dial_rule/ All
POST /client/{client_id}/did/ All
POST /client/{client_id}/extension/ All
POST /client/{client_id}/interval/ All
POST /client/{client_id}/sound/ All
POST /client/{client_id}/sound/{sound_id} All
POST /client/{client_id}/trunk/ All
POST /extension/{extension_id}/incom_rule/ All
POST /extension/{extension_id}/incom_rule/explain/ All
POST /oauth/token -
PUT /client/client_info/{client_id}/ All
PUT /client/{client_id}/ani/ All
PUT /client/{client_id}/call_control_group/ All
PUT /client/{client_id}/dial_rule/{dial_rule_id} All
PUT /client/{client_id}/did/{did_id} All
PUT /client/{client_id}/extension/{extension_id} All
PUT /client/{client_id}/feature_codes/ All
PUT /client/{client_id}/interval/{interval_id} All
PUT /client/{client_id}/settings/ All
PUT /client/{client_id}/sound/{sound_id} All
PUT /client/{client_id}/trunk/{trunk_id} All
PUT /extension/{extension_id} All
PUT /extension/{extension_id}/ani/ All
PUT /extension/{extension_id}/current_calls/{call_api_id} Call API
PUT /extension/{extension_id}/incom_rule/order/ All
PUT /extension/{extension_id}/incom_rule/{rule_id} All
PUT /extension/{extension_id}/phone/ All
PUT /extension/{extension_id}/valet_park/{call_api_id} Call API";
    assert_eq!(found.join("\n"), expected);
}

#[tokio::test]
async fn every_parameter_of_a_path_is_one_that_the_walk_fills_in() {
    let world = World::new().await;
    for route in operations() {
        assert!(!path_of(&route, &world.own).contains('{'), "{route:?}");
    }
}

#[tokio::test]
async fn nothing_is_answered_without_a_good_token() {
    let world = World::new().await;
    let long = "x".repeat(300);
    let headers = [
        None,
        Some("Bearer"),
        Some("Bearer  "),
        Some("Bearer wrong"),
        Some("Basic d3Jvbmc="),
        Some(world.own.token.as_str()),
        Some(long.as_str()),
    ];
    for route in behind_the_door() {
        for header in headers {
            let mut request =
                Request::builder().method(&route.method).uri(path_of(&route, &world.own));
            if let Some(header) = header {
                request = request.header("authorization", header);
            }
            let answer = world.send(request.body(Body::empty()).unwrap()).await;
            answer.assert_error(401);
            let expected = serde_json::json!({ "message": "Unauthorized", "status": 401 });
            assert_eq!(answer.json(), expected, "{route:?}");
        }
    }
}

#[tokio::test]
async fn what_belongs_to_another_client_is_not_found() {
    let world = World::new().await;
    let mut walked = 0;
    for route in behind_the_door() {
        for path in foreign_paths(&route, &world.own, &world.other) {
            // With a body that is taken: only whose it is can be wrong.
            let body = good_body(&route);
            let answer = world.ask(route.method.clone(), &path, &world.own.token, &body).await;
            answer.assert_error(404);
            walked += 1;
        }
    }
    assert!(walked > 20, "{walked}");
    // Nothing of it was done.
    let kept = world.store.snapshot(world.other.id).await.unwrap().unwrap();
    assert_eq!(kept.extensions.len(), 2);
    assert_eq!(world.switchboard.views(world.other.id).len(), 2);
    assert!(world.switchboard.replaced.lock().unwrap().iter().any(|(t, _)| *t == world.other.id));
}

#[tokio::test]
async fn another_clients_extension_in_a_query_is_not_found() {
    let world = World::new().await;
    let (own, other) = (world.own.phones[0], world.other.phones[0]);
    for path in ["registration", "alive"] {
        let query = format!("/extension/{path}/?extension_id={own}&extension_id={other}");
        world.get(&query).await.assert_error(404);
    }
}

#[tokio::test]
async fn own_objects_are_found_by_the_same_walk() {
    // Without this the walk above would pass with a router that finds nothing.
    let world = World::new().await;
    for route in behind_the_door().filter(|route| route.method == Method::GET) {
        let answer = world.get(&path_of(&route, &world.own)).await;
        assert_eq!(answer.status, StatusCode::OK, "{route:?} {answer:?}");
        if answer.header("content-type") != Some("audio/wav") {
            answer.json();
        }
    }
}

#[tokio::test]
async fn every_write_is_done_with_a_good_body() {
    // Without this a walk would pass with handlers that refuse everything.
    let mut walked = 0;
    for route in writing() {
        let world = World::new().await;
        let (path, token) = (path_of(&route, &world.own), &world.own.token);
        let answer = world.ask(route.method.clone(), &path, token, &good_body(&route)).await;
        assert!(answer.status.is_success(), "{route:?} {answer:?}");
        walked += 1;
    }
    assert!(walked > 5, "{walked}");
}

#[tokio::test]
async fn a_user_that_may_only_read_reads_and_does_not_write() {
    let world = World::new().await;
    let token = world.read_only_token().await;
    for route in behind_the_door() {
        let path = path_of(&route, &world.own);
        let answer = world.ask(route.method.clone(), &path, &token, "{}").await;
        let expected =
            if route.method == Method::GET { "200" } else { "403 user_access_type_deny" };
        assert_eq!(answer.verdict(), expected, "{route:?}");
    }
    assert!(writing().count() > 5);
}

#[tokio::test]
async fn an_application_for_calls_does_not_reach_configuration() {
    let world = World::new().await;
    let token = world.token_of(UserScope::Client, UserAccess::Full, AppAccess::CallApi).await;
    for route in behind_the_door() {
        let path = path_of(&route, &world.own);
        let answer = world.ask(route.method.clone(), &path, &token, "{}").await;
        let denied = answer.verdict() == "403 app_access_type_deny";
        assert_eq!(denied, route.access.as_deref() == Some("All"), "{route:?} {answer:?}");
    }
}

#[tokio::test]
async fn a_blocked_user_and_a_user_of_a_blocked_client_get_nothing() {
    let world = World::new().await;
    let (tenant, user) = (world.own.id, world.own.user);
    let blocked = async |what: &str| {
        // What was found good a moment ago is not asked again at once.
        world.pass_seconds(2);
        for route in behind_the_door() {
            let path = path_of(&route, &world.own);
            let answer = world.ask(route.method.clone(), &path, &world.own.token, "{}").await;
            assert_eq!(answer.verdict(), "403 user_blocked", "{what} {route:?}");
        }
    };
    world.get("/user/").await;
    world.store.set_user_status(tenant, user, Status::Blocked).await.unwrap();
    blocked("user").await;
    world.store.set_user_status(tenant, user, Status::Active).await.unwrap();
    world.store.set_client_status(tenant, Status::Blocked).await.unwrap();
    blocked("client").await;
}

#[tokio::test]
async fn a_user_of_one_extension_sees_and_touches_no_other() {
    let world = World::new().await;
    let [own, sibling] = world.own.phones;
    let scope = UserScope::Extension(own);
    let token = world.token_of(scope, UserAccess::Full, AppAccess::All).await;
    for route in behind_the_door().filter(|r| r.path.contains("{extension_id}")) {
        let path = route
            .path
            .replace("{client_id}", "@me")
            .replace("{extension_id}", &sibling.to_string());
        let path = world.own.fill(&path);
        let answer = world.ask(route.method.clone(), &path, &token, "{}").await;
        assert_eq!(answer.verdict(), "403 access_denied", "{route:?}");
    }
    let denied = [
        (Method::GET, "/client/client_info/@me/"),
        (Method::PUT, "/client/client_info/@me/"),
        (Method::GET, "/client/@me/settings/"),
        (Method::PUT, "/client/@me/settings/"),
        (Method::GET, "/client/@me/feature_codes/"),
        (Method::PUT, "/client/@me/feature_codes/"),
        (Method::GET, "/client/@me/call_control_group/"),
        (Method::PUT, "/client/@me/call_control_group/"),
        (Method::POST, "/client/@me/call_control_group/may"),
        (Method::GET, "/client/@me/audit/"),
        (Method::GET, "/client/@me/audit/check"),
        (Method::GET, "/client/@me/did/"),
        (Method::POST, "/client/@me/did/"),
        (Method::GET, "/client/@me/trunk/"),
        (Method::POST, "/client/@me/trunk/"),
        (Method::GET, "/client/@me/dial_rule/"),
        (Method::POST, "/client/@me/dial_rule/"),
        (Method::GET, "/client/@me/ani/"),
        (Method::PUT, "/client/@me/ani/"),
        (Method::PUT, "/extension/@me/ani/"),
        (Method::POST, "/client/@me/interval/"),
        (Method::POST, "/client/@me/extension/"),
        (Method::PUT, "/client/@me/sound/1"),
        (Method::DELETE, "/client/@me/sound/1"),
        (Method::PUT, "/extension/@me"),
        (Method::DELETE, "/extension/@me"),
    ];
    for (method, path) in denied {
        let answer = world.ask(method, path, &token, "{}").await;
        assert_eq!(answer.verdict(), "403 access_denied", "{path}");
    }
}

#[tokio::test]
async fn methods_that_a_resource_lacks_are_refused_in_json() {
    let world = World::new().await;
    let all = [Method::GET, Method::POST, Method::PUT, Method::DELETE, Method::PATCH];
    let table = operations();
    for route in &table {
        let path = path_of(route, &world.own);
        for method in &all {
            let listed = table.iter().any(|r| r.path == route.path && r.method == *method);
            // `registration` and `alive` are also what `{extension_id}` matches.
            if listed || route.path.ends_with("/registration/") || route.path.ends_with("/alive/") {
                continue;
            }
            let answer = world.ask(method.clone(), &path, &world.own.token, "{}").await;
            answer.assert_error(405);
            assert!(answer.header("allow").is_some(), "{method} {path}");
        }
    }
}
