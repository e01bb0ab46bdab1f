//! `/extension/`: what is made, changed, listed, deleted.

use crate::support::{START, World};
use axum::http::Method;
use model::{ExtensionGroupId, Status};
use serde_json::{Value, json};
use store::{AppAccess, UserAccess, UserScope};

const PATH: &str = "/client/@me/extension/";

fn names(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|e| e["name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn an_extension_is_made_with_every_documented_field() {
    let world = World::new().await;
    let answer = world.post(PATH, r#"{"name":"102","type":"phone"}"#).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let id = answer.json()["id"].as_u64().unwrap();
    assert!(id >= 100_000);
    let expected = json!({
        "id": id, "name": "0003*102", "type": "phone", "status": "active",
        "domain": "sip.example.com", "create_date": START.to_string(),
        "client_id": world.own.id.0, "extension_group_id": null, "label": "",
        "caller_id_name": null, "dial_rule_id": null, "dial_rule_limit": null,
        "ani_rfc3325": false, "did_as_transfer_caller_id": null, "message_did": null,
        "rfc_public_caller_id_number": false, "from_public_caller_id_number": false,
        "public_caller_id_number": null, "ani": null, "caller_id_group_id": null,
        "caller_id_group_method": null, "client_public_caller_id_number": null,
        "extra_params": null
    });
    assert_eq!(answer.json(), expected);
    let location = format!("/api/ver1.0/client/{}/extension/{id}", world.own.id);
    assert_eq!(answer.header("location"), Some(location.as_str()));
    assert_eq!(world.get(&location).await.json(), expected);
    let phone = world.get(&format!("/extension/{id}/phone/")).await.json();
    assert_eq!(phone["login"], "0003102");
    assert_eq!(phone["password"].as_str().unwrap().len(), 20);
}

#[tokio::test]
async fn names_are_taken_in_each_form_and_of_this_client_only() {
    let world = World::new().await;
    for (n, name) in
        ["102", "0003*103", "00500*0003*104", "0003*105@sip.example.com"].iter().enumerate()
    {
        let body = json!({ "name": name, "type": "queue" }).to_string();
        let made = world.post(PATH, &body).await;
        assert_eq!(made.status, 201, "{name}");
        assert_eq!(made.json()["name"], format!("0003*10{}", n + 2));
    }
    let numeric = world.post(PATH, r#"{"name":106,"type":"ivr"}"#).await;
    assert_eq!(numeric.json()["name"], "0003*106");
    for name in ["", "1", "10", "1000", "1a1", "0004*107", "0003*", "*107", "0003*107@x", "１００"]
    {
        let body = json!({ "name": name, "type": "phone" }).to_string();
        world.post(PATH, &body).await.assert_refuses("name");
    }
    let taken = world.post(PATH, r#"{"name":"0003*100","type":"phone"}"#).await;
    assert_eq!(taken.verdict(), "409 already_exists");
    assert_eq!(taken.json()["field"], "name");
}

#[tokio::test]
async fn values_that_cannot_be_meant_are_refused_by_name() {
    let world = World::new().await;
    let table = [
        ("type", json!("fax")),
        ("type", json!("service")),
        ("type", json!(1)),
        ("type", json!(null)),
        ("name", json!(null)),
        ("name", json!(["102"])),
        ("status", json!("sleeping")),
        ("label", json!("a\r\nb")),
        ("label", json!("x".repeat(129))),
        ("caller_id_name", json!({})),
        ("extension_group_id", json!("x")),
        ("dial_rule_id", json!(-1)),
        ("dial_rule_limit", json!(1.5)),
        ("ani_rfc3325", json!("perhaps")),
        ("did_as_transfer_caller_id", json!("other")),
        ("message_did", json!("1".repeat(65))),
        ("public_caller_id_number", json!("1\n2")),
        ("rfc_public_caller_id_number", json!(3)),
        ("from_public_caller_id_number", json!([])),
        ("extra_params", json!({"a": 1})),
    ];
    for (field, value) in table {
        let mut body = json!({ "name": "102", "type": "phone" });
        body[field] = value;
        world.post(PATH, &body.to_string()).await.assert_refuses(field);
        if !["type", "name"].contains(&field) {
            let change = json!({ field: body[field].clone() }).to_string();
            world.put("/extension/@100", &change).await.assert_refuses(field);
        }
    }
    let fax = world.post(PATH, r#"{"name":"102","type":"fax"}"#).await;
    assert!(fax.text.contains("missing"), "{fax:?}");
    assert_eq!(names(&world.get(PATH).await.json()).len(), 2, "nothing was made");
}

#[tokio::test]
async fn a_change_is_in_use_when_it_is_answered() {
    let world = World::new().await;
    let id = world.own.phones[0];
    let body = r#"{"status":"blocked","label":"Анна","caller_id_name":"Anna","dial_rule_limit":"3",
        "extra_params":"{\"crm\":[1,2]}","did_as_transfer_caller_id":"None","ani_rfc3325":true}"#;
    let answer = world.put(&format!("{PATH}{id}"), body).await.json();
    assert_eq!((&answer["status"], &answer["label"]), (&json!("blocked"), &json!("Анна")));
    assert_eq!(answer["extra_params"], "{\"crm\":[1,2]}");
    assert_eq!((&answer["dial_rule_limit"], &answer["ani_rfc3325"]), (&json!(3), &json!(true)));
    let used = api::Switchboard::snapshot(&*world.switchboard, world.own.id).unwrap();
    assert_eq!(used.extension(id).unwrap().status, Status::Blocked);
    assert_eq!(world.get("/extension/@100").await.json(), answer);
    // Null keeps, the empty string empties.
    let kept = world.put("/extension/@100", r#"{"caller_id_name":null,"extra_params":""}"#).await;
    assert_eq!(kept.json()["caller_id_name"], "Anna");
    assert_eq!(kept.json()["extra_params"], Value::Null);
}

#[tokio::test]
async fn name_and_type_are_fixed() {
    let world = World::new().await;
    for body in [r#"{"name":"100","type":"phone"}"#, r#"{"name":"0003*100"}"#] {
        assert_eq!(world.put("/extension/@100", body).await.status, 200, "{body}");
    }
    world.put("/extension/@100", r#"{"name":"150"}"#).await.assert_refuses("name");
    world.put("/extension/@100", r#"{"name":"0004*100"}"#).await.assert_refuses("name");
    world.put("/extension/@100", r#"{"type":"ivr"}"#).await.assert_refuses("type");
}

#[tokio::test]
async fn a_deleted_extension_is_gone_for_everybody() {
    let world = World::new().await;
    let id = world.own.phones[0];
    let scope = UserScope::Extension(id);
    let token = world.token_of(scope, UserAccess::Full, AppAccess::All).await;
    assert_eq!(world.ask(Method::GET, "/extension/@me", &token, "").await.status, 200);
    assert_eq!(world.delete(&format!("{PATH}{id}")).await.status, 204);
    let used = api::Switchboard::snapshot(&*world.switchboard, world.own.id).unwrap();
    assert!(used.extension(id).is_none());
    for path in [format!("{PATH}{id}"), "/extension/@100".to_owned()] {
        world.get(&path).await.assert_error(404);
        world.delete(&path).await.assert_error(404);
        world.put(&path, "{}").await.assert_error(404);
    }
    world.ask(Method::GET, "/user/", &token, "").await.assert_error(401);
    let again = world.post(PATH, r#"{"name":"100","type":"phone"}"#).await.json();
    assert!(again["id"].as_u64().unwrap() > id.0, "ids are not given again");
}

#[tokio::test]
async fn lists_are_filtered_ordered_and_paged() {
    let world = World::new().await;
    for (name, kind) in [("102", "queue"), ("103", "ivr"), ("104", "phone")] {
        world.post(PATH, &json!({ "name": name, "type": kind }).to_string()).await;
    }
    let all = ["0003*104", "0003*103", "0003*102", "0003*101", "0003*100"];
    let table: &[(&str, &[&str])] = &[
        ("", &all),
        ("order=desc", &all),
        ("order=asc&per_page=2", &["0003*100", "0003*101"]),
        ("order=asc&per_page=2&page=3", &["0003*104"]),
        ("order=asc&per_page=2&page=4", &[]),
        ("order=asc&count=1", &["0003*100"]),
        ("page=4294967295&per_page=100000", &[]),
        ("type=phone", &["0003*104", "0003*101", "0003*100"]),
        ("type=queue&type=ivr", &["0003*103", "0003*102"]),
        ("type=phone&per_page=1&page=2", &["0003*101"]),
        ("type=fax", &[]),
        ("name=103", &["0003*103"]),
        ("name=0003*103", &["0003*103"]),
        ("name=0003%2A103&type=phone", &[]),
        ("name=0004*103", &[]),
        ("name=103&name=100", &["0003*103", "0003*100"]),
        ("type=&name=&page=&per_page=&order=&unknown=7", &all),
    ];
    for (query, expected) in table {
        let list = world.get(&format!("{PATH}?{query}")).await.json();
        assert_eq!(names(&list), *expected, "{query}");
    }
}

#[tokio::test]
async fn bad_parameters_of_a_list_are_refused_by_name() {
    let world = World::new().await;
    for (field, value) in [
        ("page", "0"),
        ("page", "x"),
        ("page", "-1"),
        ("per_page", "0"),
        ("per_page", "100001"),
        ("order", "up"),
        ("type", "toaster"),
    ] {
        world.get(&format!("{PATH}?{field}={value}")).await.assert_refuses(field);
    }
}

#[tokio::test]
async fn a_user_of_one_extension_knows_it_as_me() {
    let world = World::new().await;
    let scope = UserScope::Extension(world.own.phones[1]);
    let token = world.token_of(scope, UserAccess::Full, AppAccess::All).await;
    let get = async |path: &str| world.ask(Method::GET, path, &token, "").await.json();
    assert_eq!(get("/extension/@me").await["name"], "0003*101");
    assert_eq!(names(&get(PATH).await), ["0003*101"]);
    let me = get("/user/").await;
    assert_eq!(
        (&me["extension_id"], &me["client_id"]),
        (&json!(world.own.phones[1].0), &json!(null))
    );
    let changed =
        world.ask(Method::PUT, "/extension/@me/phone/", &token, r#"{"label":"Me"}"#).await;
    assert_eq!(changed.json()["label"], "Me");
    // A user of the client has no extension of its own.
    world.get("/extension/@me").await.assert_error(404);
}

#[tokio::test]
async fn a_user_of_a_group_sees_its_group() {
    let world = World::new().await;
    world.put("/extension/@100", r#"{"extension_group_id":7}"#).await;
    let scope = UserScope::Group(ExtensionGroupId(7));
    let token = world.token_of(scope, UserAccess::Full, AppAccess::All).await;
    let list = world.ask(Method::GET, PATH, &token, "").await.json();
    assert_eq!(names(&list), ["0003*100"]);
    let calls = world.ask(Method::GET, "/client/@me/current_calls/", &token, "").await.json();
    assert_eq!(calls["call_list"].as_array().unwrap().len(), 1);
    let other = world.ask(Method::GET, "/extension/@101", &token, "").await;
    assert_eq!(other.verdict(), "403 access_denied");
}

#[tokio::test]
async fn the_client_shows_itself() {
    let world = World::new().await;
    let info = world.get("/client/client_info/@me/").await.json();
    assert_eq!(info["id"], world.own.id.0);
    assert_eq!((&info["prefix"], &info["domain_prefix"]), (&json!("0003"), &json!("00500")));
    assert_eq!((&info["extension_len"], &info["timezone"]), (&json!(3), &json!("Europe/Moscow")));
    let me = world.get("/user/").await.json();
    let expected = json!({
        "dealer_id": null, "admin": false, "extra_params": null, "access": "full",
        "extension_id": null, "client_id": world.own.id.0, "extension_group_id": null,
        "timezone": "Europe/Moscow", "login": "boss0003", "id": world.own.user.0
    });
    assert_eq!(me, expected);
}

#[tokio::test]
async fn what_a_client_may_change_of_itself_is_kept_and_all_else_stays() {
    let world = World::new().await;
    let path = "/client/client_info/@me/";
    let before = world.get(path).await.json();
    assert_eq!((&before["presence"], &before["hold_music"]), (&json!("yes"), &json!(null)));
    let body = json!({
        "presence": "no", "hold_music": world.own.sound.0, "dial_rule_id": world.own.dial_rule.0,
        "timezone": "Asia/Tomsk", "id": 7, "prefix": "0009", "email": "x@example.com"
    });
    let answer = world.put(path, &body.to_string()).await;
    let mut expected = before.clone();
    for field in ["presence", "hold_music", "dial_rule_id", "timezone"] {
        expected[field] = body[field].clone();
    }
    assert_eq!((answer.status.as_u16(), answer.json()), (200, expected.clone()));
    assert_eq!(world.get(path).await.json(), expected);
    let settings = world.get("/client/@me/settings/").await.json();
    assert_eq!(
        (&settings["presence"], &settings["hold_music"]),
        (&body["presence"], &body["hold_music"])
    );
    let emptied = json!({ "hold_music": "", "dial_rule_id": 0, "presence": "yes",
        "timezone": "Europe/Moscow" });
    assert_eq!(world.put(path, &emptied.to_string()).await.json(), before);
    let theirs = world.other.sound.0;
    for (body, field) in [
        (json!({ "presence": "maybe" }), "presence"),
        (json!({ "timezone": "X/Y" }), "timezone"),
        (json!({ "call_interactive_out_call": true }), "call_interactive_out_call"),
        (json!({ "call_interactive_url": "https://example.com/" }), "call_interactive_url"),
        (json!({ "call_interactive_method": "POST" }), "call_interactive_method"),
        (json!({ "call_interactive_timeout": 5 }), "call_interactive_timeout"),
        (json!({ "sip_network_permission_id": 5 }), "sip_network_permission_id"),
        (json!({ "disk_space_notify_email": "a@example.com" }), "disk_space_notify_email"),
        (json!({ "disk_space_notify_threshold": 90 }), "disk_space_notify_threshold"),
        (json!({ "geo_list": "RU" }), "geo_list"),
        (json!({ "hold_music": theirs }), "hold_music"),
        (json!({ "dial_rule_id": world.other.dial_rule.0 }), "dial_rule_id"),
    ] {
        world.put(path, &body.to_string()).await.assert_refuses(field);
    }
    assert_eq!(world.get(path).await.json(), before);
    assert_eq!(before["language"], "en");
    // What was read may be written back.
    assert_eq!(world.put(path, &before.to_string()).await.json(), before);
}
