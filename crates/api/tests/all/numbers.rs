//! Intervals, DIDs, numbers shown, dial rules, trunks and settings: every field, every refusal.

use crate::support::World;
use serde_json::{Value, json};

/// Writes each field alone and sees it and no other change.
async fn walks(world: &World, path: &str, table: &[(&str, Value)], fixed: &[&str]) {
    let mut expected = world.get(path).await.json();
    for (field, value) in table {
        assert_ne!(&expected[*field], value, "{field} would not be seen to change");
        expected[*field] = value.clone();
        let answer = world.put(path, &json!({ *field: value }).to_string()).await;
        let mut answered = answer.json();
        answered.as_object_mut().unwrap().remove("warnings");
        assert_eq!((answer.status.as_u16(), answered), (200, expected.clone()), "{field}");
        assert_eq!(world.get(path).await.json(), expected, "{field}");
    }
    for field in expected.as_object().unwrap().keys() {
        let written = table.iter().any(|(name, _)| name == field);
        assert!(written || fixed.contains(&field.as_str()), "{field} is not in the table");
    }
}

/// Each body is refused for this field, by a POST to one path or a PUT to another.
async fn refuses(world: &World, post: Option<&str>, put: Option<&str>, table: &[(Value, &str)]) {
    for (body, field) in table {
        let body = body.to_string();
        if let Some(path) = post {
            let answer = world.post(path, &body).await;
            assert_eq!(answer.status, 400, "{body}: {answer:?}");
            answer.assert_refuses(field);
        }
        if let Some(path) = put {
            let answer = world.put(path, &body).await;
            assert_eq!(answer.status, 400, "{body}: {answer:?}");
            answer.assert_refuses(field);
        }
    }
}

const NO_CONDITION: &str = r#"{"start_dow":0,"end_dow":0,"start_mday":0,"end_mday":0,"month":0,
    "start_time":null,"end_time":null,"start_datetime":null,"end_datetime":null,
    "sched_start_date":null,"sched_active_days":0,"sched_skip_days":0}"#;

/// A condition with these fields, as it is shown.
fn condition(fields: Value) -> Value {
    let mut condition: Value = serde_json::from_str(NO_CONDITION).unwrap();
    for (name, value) in fields.as_object().unwrap() {
        condition[name] = value.clone();
    }
    condition
}

#[tokio::test]
async fn an_interval_is_written_and_shown_with_every_field() {
    let world = World::new().await;
    let path = format!("/client/@me/interval/{}", world.own.interval);
    let conditions = json!([
        condition(json!({ "start_dow": 3, "end_dow": 1, "start_mday": 1, "end_mday": 31,
            "month": 7, "start_time": "22:00:00", "end_time": "06:59:59" })),
        condition(json!({ "start_datetime": "2026-01-01 00:00:00",
            "end_datetime": "2026-01-02 23:59:59" })),
        condition(json!({ "sched_start_date": "2026-01-01", "sched_active_days": 1,
            "sched_skip_days": 2 })),
    ]);
    let table =
        [("name", json!("Nights")), ("timezone", json!("Asia/Tokyo")), ("conditions", conditions)];
    walks(&world, &path, &table, &["id", "client_id"]).await;
    let made = world
        .post(
            "/client/@me/interval/",
            r#"{"name":"n","timezone":"UTC",
                "conditions":[{"start_time":"9:00","end_time":"9:5:1"}]}"#,
        )
        .await;
    assert_eq!(made.status, 201, "{made:?}");
    let shown = condition(json!({ "start_time": "09:00:00", "end_time": "09:05:01" }));
    assert_eq!(made.json()["conditions"], json!([shown]));
    let list = world.get("/client/@me/interval/").await.json();
    assert_eq!(list.as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn an_interval_that_cannot_be_is_refused_by_name() {
    let world = World::new().await;
    let with = |fields: Value| json!({ "name": "n", "timezone": "UTC", "conditions": [fields] });
    let required = [
        (json!({ "timezone": "UTC", "conditions": [] }), "name"),
        (json!({ "name": "n", "conditions": [] }), "timezone"),
        (json!({ "name": "n", "timezone": "UTC" }), "conditions"),
    ];
    refuses(&world, Some("/client/@me/interval/"), None, &required).await;
    let table = [
        (json!({ "name": " " }), "name"),
        (json!({ "name": "x".repeat(256) }), "name"),
        (json!({ "timezone": "Mars/Base" }), "timezone"),
        (json!({ "timezone": 3 }), "timezone"),
        (json!({ "conditions": {} }), "conditions"),
        (json!({ "conditions": [1] }), "conditions"),
        (json!({ "conditions": vec![json!({ "month": 1 }); 101] }), "conditions"),
        (with(json!({})), "conditions[0].start_dow"),
        (with(json!({ "start_dow": 8, "end_dow": 1 })), "conditions[0].start_dow"),
        (with(json!({ "start_dow": 1 })), "conditions[0].end_dow"),
        (with(json!({ "end_dow": 1 })), "conditions[0].start_dow"),
        (with(json!({ "start_mday": 5, "end_mday": 4 })), "conditions[0].start_mday"),
        (with(json!({ "start_mday": 5, "end_mday": 32 })), "conditions[0].start_mday"),
        (with(json!({ "month": 13 })), "conditions[0].month"),
        (with(json!({ "month": "July" })), "conditions[0].month"),
        (with(json!({ "start_time": "09:00:00" })), "conditions[0].end_time"),
        (with(json!({ "start_time": "24:00", "end_time": "1:00" })), "conditions[0].start_time"),
        (with(json!({ "end_datetime": "2026-01-01 00:00:00" })), "conditions[0].start_datetime"),
        (
            with(json!({ "start_datetime": "2026-01-02 00:00:00",
                "end_datetime": "2026-01-01 00:00:00" })),
            "conditions[0].end_datetime",
        ),
        (with(json!({ "start_datetime": "x" })), "conditions[0].start_datetime"),
        (with(json!({ "sched_active_days": 1 })), "conditions[0].sched_start_date"),
        (with(json!({ "sched_start_date": "2026-01-01" })), "conditions[0].sched_active_days"),
        (with(json!({ "sched_start_date": "2026-02-30" })), "conditions[0].sched_start_date"),
        (with(json!({ "sched_skip_days": -1 })), "conditions[0].sched_skip_days"),
    ];
    let path = format!("/client/@me/interval/{}", world.own.interval);
    refuses(&world, None, Some(&path), &table).await;
}

#[tokio::test]
async fn a_preview_tells_when_an_interval_is_active() {
    let world = World::new().await;
    let body = r#"{"name":"n","timezone":"Europe/Moscow",
        "conditions":[{"start_time":"09:00:00","end_time":"17:59:59","start_dow":2,"end_dow":6}]}"#;
    let id = world.post("/client/@me/interval/", body).await.json()["id"].clone();
    let path = format!("/client/@me/interval/{id}/preview/");
    let ask = format!("{path}?from=2026-01-02%2007:00:00&to=2026-01-05%2023:00:00");
    let expected = json!({ "active": true, "periods": [
        { "from": "2026-01-02 07:00:00", "to": "2026-01-02 15:00:00" },
        { "from": "2026-01-05 06:00:00", "to": "2026-01-05 15:00:00" },
    ] });
    assert_eq!(world.get(&ask).await.json(), expected);
    assert_eq!(world.get(&path).await.json()["periods"].as_array().unwrap().len(), 5, "a week");
    for (query, field) in [
        ("from=x", "from"),
        ("to=2026-01-01", "to"),
        ("from=2026-01-02%2000:00:00&to=2026-01-01%2000:00:00", "to"),
        ("from=2026-01-01%2000:00:00&to=2028-01-01%2000:00:00", "to"),
    ] {
        world.get(&format!("{path}?{query}")).await.assert_refuses(field);
    }
}

#[tokio::test]
async fn what_is_in_use_is_not_removed() {
    let world = World::new().await;
    let interval = format!("/client/@me/interval/{}", world.own.interval);
    let rule = json!({ "type": "busy", "interval": world.own.interval.0 }).to_string();
    assert_eq!(world.post("/extension/@101/incom_rule/", &rule).await.status, 201);
    let kept = world.delete(&interval).await;
    assert_eq!(kept.verdict(), "409 in_use");
    assert!(kept.text.contains("rule 1 of extension 101"), "{kept:?}");
    assert_eq!(world.delete("/extension/@101/incom_rule/1").await.status, 204);
    assert_eq!(world.delete(&interval).await.status, 204);

    let list = format!("/client/@me/dial_rule/{}", world.own.dial_rule);
    let assign = json!({ "dial_rule_id": world.own.dial_rule.0 }).to_string();
    assert_eq!(world.put("/extension/@100", &assign).await.status, 200);
    assert_eq!(world.delete(&list).await.verdict(), "409 in_use");
    assert_eq!(world.put("/extension/@100", r#"{"dial_rule_id":0}"#).await.status, 200);
    assert_eq!(world.put("/client/@me/settings/", &assign).await.status, 200);
    assert_eq!(world.delete(&list).await.verdict(), "409 in_use");
    let info = world.get("/client/client_info/@me/").await.json();
    assert_eq!(info["dial_rule_id"], world.own.dial_rule.0);

    let did = format!("/client/@me/did/{}", world.own.did);
    let number = json!({ "ani_number": "+78120000003" }).to_string();
    assert_eq!(world.put("/extension/@100/ani/", &number).await.status, 200);
    assert_eq!(world.delete(&did).await.verdict(), "409 in_use");
    assert_eq!(world.put("/extension/@100/ani/", "{}").await.json()["default"], "None");
    assert_eq!(world.delete(&did).await.status, 204);
    for body in [r#"{"dial_rule_id":999}"#.to_owned(), {
        json!({ "dial_rule_id": world.other.dial_rule.0 }).to_string()
    }] {
        world.put("/extension/@100", &body).await.assert_refuses("dial_rule_id");
        world.put("/client/@me/settings/", &body).await.assert_refuses("dial_rule_id");
    }
}

#[tokio::test]
async fn a_did_is_added_bound_and_removed() {
    let world = World::new().await;
    let [phone, other] = world.own.phones.map(|id| id.0);
    let body = json!({ "name": "8 (812) 765-43-21", "extension_id": phone }).to_string();
    let made = world.post("/client/@me/did/", &body).await;
    assert_eq!(made.status, 201, "{made:?}");
    let id = made.json()["id"].as_u64().unwrap();
    let expected = json!({
        "id": id, "name": "8 (812) 765-43-21", "domain": "sip.example.com",
        "client_id": world.own.id.0, "extension_id": phone, "allow_message": false,
        "message_extension_id": null, "comment": null, "create_date": "2023-11-14 22:13:20"
    });
    assert_eq!(made.json(), expected);
    let path = format!("/client/@me/did/{id}");
    let table = [
        ("extension_id", json!(other)),
        ("allow_message", json!(true)),
        ("message_extension_id", json!(phone)),
        ("comment", json!("main")),
    ];
    walks(&world, &path, &table, &["id", "client_id", "name", "domain", "create_date"]).await;
    assert_eq!(world.put(&path, r#"{"extension_id":0}"#).await.json()["extension_id"], Value::Null);
    // Saying the number again as it is is no change, however it is written.
    assert_eq!(world.put(&path, r#"{"name":"+78127654321"}"#).await.status, 200);
    let taken = world.post("/client/@me/did/", r#"{"name":"78127654321"}"#).await;
    assert_eq!(taken.verdict(), "409 already_exists");
    let foreign = json!({ "extension_id": world.other.phones[0].0 });
    let table = [
        (json!({ "name": "+78127654322" }), "name"),
        (foreign, "extension_id"),
        (json!({ "message_extension_id": 999 }), "message_extension_id"),
        (json!({ "allow_message": "x" }), "allow_message"),
        (json!({ "comment": "x".repeat(256) }), "comment"),
    ];
    refuses(&world, None, Some(&path), &table).await;
    let table =
        [(json!({}), "name"), (json!({ "name": "abc" }), "name"), (json!({ "name": "+" }), "name")];
    refuses(&world, Some("/client/@me/did/"), None, &table).await;
    assert_eq!(world.delete(&path).await.status, 204);
    world.get(&path).await.assert_error(404);
}

#[tokio::test]
async fn a_number_that_comes_to_another_client_by_the_same_way_is_refused() {
    let world = World::new().await;
    // The other client's number; its carrier is another, so this is no claim on it.
    let body = r#"{"name":"+78120000004"}"#;
    assert_eq!(world.post("/client/@me/did/", body).await.status, 201);
    let trunk = r#"{"name":"same","hosts":["carrier0004.example"]}"#;
    let refused = world.post("/client/@me/trunk/", trunk).await;
    assert_eq!(refused.verdict(), "409 already_exists");
}

#[tokio::test]
async fn only_own_numbers_are_shown_to_the_outside() {
    let world = World::new().await;
    for path in ["/client/@me/ani/", "/extension/@100/ani/"] {
        assert_eq!(world.get(path).await.json(), json!({ "default": "None" }));
        let set = world.put(path, r#"{"ani_number":"8 812 000 00 03"}"#).await;
        assert_eq!(set.json(), json!({ "default": "78120000003" }));
        assert_eq!(world.get(path).await.json(), json!({ "default": "78120000003" }));
        for other in ["78120000004", "112", "abc"] {
            let body = json!({ "ani_number": other }).to_string();
            world.put(path, &body).await.assert_refuses("ani_number");
        }
        assert_eq!(world.get(path).await.json(), json!({ "default": "78120000003" }));
    }
    assert_eq!(world.get("/extension/@100").await.json()["ani"], "78120000003");
    let reset = world.put("/extension/@100/ani/", r#"{"ani_number":"None"}"#).await;
    assert_eq!(reset.json(), json!({ "default": "None" }));
}

#[tokio::test]
async fn a_list_of_dial_rules_is_written_whole() {
    let world = World::new().await;
    let rules = json!([{ "match_exp": "^([0-9]{7})$", "repl_exp": r"8812\1" }]);
    let body = json!({ "dial_rules": rules }).to_string();
    let made = world.post("/client/@me/dial_rule/", &body).await;
    let id = made.json()["id"].clone();
    let expected = json!({ "id": id, "client_id": world.own.id.0, "dial_rules": rules });
    assert_eq!((made.status.as_u16(), made.json()), (201, expected));
    let path = format!("/client/@me/dial_rule/{id}");
    assert_eq!(world.put(&path, r#"{"dial_rules":[]}"#).await.json()["dial_rules"], json!([]));
    let table = [
        (json!({}), "dial_rules"),
        (json!({ "dial_rules": "x" }), "dial_rules"),
        (json!({ "dial_rules": vec![json!({}); 101] }), "dial_rules"),
        (json!({ "dial_rules": [{ "repl_exp": "1" }] }), "dial_rules[0].match_exp"),
        (json!({ "dial_rules": [{ "match_exp": "1" }] }), "dial_rules[0].repl_exp"),
        (
            json!({ "dial_rules": [{ "match_exp": "(", "repl_exp": "" }] }),
            "dial_rules[0].match_exp",
        ),
    ];
    refuses(&world, Some("/client/@me/dial_rule/"), Some(&path), &table).await;
}

#[tokio::test]
async fn a_trunk_is_written_and_shown_with_every_field() {
    let world = World::new().await;
    let path = format!("/client/@me/trunk/{}", world.own.trunk);
    let table = [
        ("name", json!("Main")),
        ("hosts", json!(["carrier.example:5060", "[2001:db8::1]:5061"])),
        ("addresses", json!(["192.0.2.0/24", "198.51.100.7"])),
        ("transport", json!("tls")),
        ("patterns", json!(["^7", "^8"])),
        ("country", json!("DE")),
        ("did_from", json!("p-called-party-id")),
        ("rewrite_in", json!([{ "match_exp": "^8", "repl_exp": "7" }])),
        ("rewrite_out", json!([{ "match_exp": "^7", "repl_exp": "8" }])),
        ("from_user", json!("78120000000")),
        ("identity", json!("rpid")),
        ("fixed_caller_id", json!("78120000001")),
        ("caller_id", json!("fixed")),
        ("forwarding_headers", json!("both")),
        ("update_display", json!(true)),
        ("channels", json!(30)),
        ("enabled", json!(false)),
    ];
    walks(&world, &path, &table, &["id", "client_id", "register"]).await;
    let unknown = world.put(&path, r#"{"colour":"red"}"#).await.json();
    assert_eq!(unknown["warnings"], json!(["colour is no field of a trunk"]));
}

#[tokio::test]
async fn a_trunks_password_is_never_read_back_and_stays_until_it_is_changed() {
    let world = World::new().await;
    let path = format!("/client/@me/trunk/{}", world.own.trunk);
    let stored = async || {
        let snapshot = world.store.snapshot(world.own.id).await.unwrap().unwrap();
        let trunk = &snapshot.routing.trunks[&world.own.trunk].trunk;
        let credentials = trunk.credentials.clone();
        let expires = trunk.registration.map(|r| r.expires_s);
        (credentials.map(|c| format!("{}:{}", c.login, c.password.expose())), expires)
    };
    let set = world.put(&path, r#"{"register":{"login":"us","password":"s3cret"}}"#).await;
    let shown = json!({ "login": "us", "password_set": true, "expires": 3600 });
    assert_eq!(set.json()["register"], shown);
    assert!(!set.text.contains("s3cret") && !world.get(&path).await.text.contains("s3cret"));
    assert_eq!(stored().await, (Some("us:s3cret".to_owned()), Some(3600)));
    let only = world.put(&path, r#"{"register":{"login":"us","expires":0}}"#).await;
    assert_eq!(only.json()["register"]["expires"], 0);
    assert_eq!(stored().await, (Some("us:s3cret".to_owned()), None), "answers challenges only");
    let other = world.put(&path, r#"{"register":{"login":"them"}}"#).await;
    other.assert_refuses("register.password");
    world.put(&path, r#"{"name":"x"}"#).await;
    assert_eq!(stored().await.0.as_deref(), Some("us:s3cret"));
    assert_eq!(world.put(&path, r#"{"register":null}"#).await.json()["register"], Value::Null);
    assert_eq!(stored().await, (None, None));
}

#[tokio::test]
async fn a_trunk_that_cannot_be_is_refused_by_name() {
    let world = World::new().await;
    let table = [
        (json!({ "hosts": ["a.example"] }), "name"),
        (json!({ "name": "x" }), "hosts"),
        (json!({ "name": "x", "hosts": [] }), "hosts"),
    ];
    refuses(&world, Some("/client/@me/trunk/"), None, &table).await;
    let rewriting = json!([{ "match_exp": "(", "repl_exp": "" }]);
    let table = [
        (json!({ "name": "a\nb" }), "name"),
        (json!({ "hosts": "a.example" }), "hosts"),
        (json!({ "hosts": ["a b"] }), "hosts[0]"),
        (json!({ "hosts": ["a.example", "a.example:0"] }), "hosts[1]"),
        (json!({ "hosts": vec!["a.example"; 11] }), "hosts"),
        (json!({ "addresses": ["192.0.2.7/24"] }), "addresses[0]"),
        (json!({ "addresses": vec!["192.0.2.7"; 51] }), "addresses"),
        (json!({ "transport": "ws" }), "transport"),
        (json!({ "register": "x" }), "register"),
        (json!({ "register": {} }), "register.login"),
        (json!({ "register": { "login": "a" } }), "register.password"),
        (json!({ "register": { "login": "a\"b", "password": "p" } }), "register.login"),
        (
            json!({ "register": { "login": "a", "password": "p", "expires": 86401 } }),
            "register.expires",
        ),
        (json!({ "patterns": ["("] }), "patterns[0]"),
        (json!({ "patterns": [1, {}] }), "patterns"),
        (json!({ "country": "XX" }), "country"),
        (json!({ "did_from": "from" }), "did_from"),
        (json!({ "rewrite_in": rewriting }), "rewrite_in[0].match_exp"),
        (json!({ "rewrite_out": rewriting }), "rewrite_out[0].match_exp"),
        (json!({ "from_user": "a@b" }), "from_user"),
        (json!({ "identity": "x" }), "identity"),
        (json!({ "caller_id": "x" }), "caller_id"),
        (json!({ "caller_id": "fixed" }), "fixed_caller_id"),
        (json!({ "fixed_caller_id": "1 2" }), "fixed_caller_id"),
        (json!({ "forwarding_headers": "x" }), "forwarding_headers"),
        (json!({ "update_display": "x" }), "update_display"),
        (json!({ "channels": -1 }), "channels"),
        (json!({ "channels": 100_001 }), "channels"),
        (json!({ "enabled": "x" }), "enabled"),
    ];
    let path = format!("/client/@me/trunk/{}", world.own.trunk);
    let before = world.get(&path).await.json();
    refuses(&world, None, Some(&path), &table).await;
    assert_eq!(world.get(&path).await.json(), before);
}

#[tokio::test]
async fn settings_have_the_documented_defaults_and_every_one_can_be_set() {
    let world = World::new().await;
    let path = "/client/@me/settings/";
    let expected = json!({
        "call_control_api": "open", "valet_park_slots": 9, "park_fallback": null,
        "pickup_merge": "chain", "decline_is_busy": false, "emergency_numbers": ["112"],
        "country": "RU", "interclient_calls": false, "outside_allowed": [],
        "outside_limits": { "calls": 100, "calls_per_minute": 120, "extension_calls": 10,
            "extension_calls_per_minute": 20 },
        "language": "en", "dial_rule_id": null, "hold_music": null, "presence": "yes"
    });
    assert_eq!(world.get(path).await.json(), expected);
    let limits = json!({ "calls": 1, "calls_per_minute": 2, "extension_calls": 3,
        "extension_calls_per_minute": 4 });
    let table = [
        ("call_control_api", json!("groups")),
        ("valet_park_slots", json!(5)),
        ("park_fallback", json!("101")),
        ("pickup_merge", json!("own")),
        ("decline_is_busy", json!(true)),
        ("emergency_numbers", json!(["112", "911"])),
        ("country", json!("US")),
        ("interclient_calls", json!(true)),
        ("outside_allowed", json!([r"^\+49"])),
        ("outside_limits", limits),
        ("language", json!("ru")),
        ("dial_rule_id", json!(world.own.dial_rule.0)),
        ("hold_music", json!(world.own.sound.0)),
        ("presence", json!("no")),
    ];
    walks(&world, path, &table, &[]).await;
    let part = world.put(path, r#"{"outside_limits":{"calls":7}}"#).await.json();
    assert_eq!(part["outside_limits"]["calls"], 7);
    assert_eq!(part["outside_limits"]["calls_per_minute"], 2, "the others stay");
}

#[tokio::test]
async fn a_setting_that_cannot_be_is_refused_by_name() {
    let world = World::new().await;
    let table = [
        (json!({ "colour": "red" }), "colour"),
        (json!({ "call_control_api": "x" }), "call_control_api"),
        (json!({ "valet_park_slots": 0 }), "valet_park_slots"),
        (json!({ "valet_park_slots": 10 }), "valet_park_slots"),
        (json!({ "park_fallback": "1 2" }), "park_fallback"),
        (json!({ "park_fallback": "*4100" }), "park_fallback"),
        (json!({ "park_fallback": "park+5" }), "park_fallback"),
        (json!({ "park_fallback": "*0" }), "park_fallback"),
        (json!({ "park_fallback": "abc" }), "park_fallback"),
        (json!({ "park_fallback": "*8999" }), "park_fallback"),
        (json!({ "park_fallback": "+78091234567" }), "park_fallback"),
        (json!({ "emergency_numbers": ["abc"] }), "emergency_numbers[0]"),
        (json!({ "pickup_merge": "x" }), "pickup_merge"),
        (json!({ "decline_is_busy": "x" }), "decline_is_busy"),
        (json!({ "emergency_numbers": "112" }), "emergency_numbers"),
        (json!({ "emergency_numbers": vec!["112"; 21] }), "emergency_numbers"),
        (json!({ "emergency_numbers": ["112", "100"] }), "emergency_numbers[1]"),
        (json!({ "country": "Russia" }), "country"),
        (json!({ "interclient_calls": 2 }), "interclient_calls"),
        (json!({ "outside_allowed": ["("] }), "outside_allowed[0]"),
        (json!({ "outside_limits": 1 }), "outside_limits"),
        (json!({ "outside_limits": { "calls": -1 } }), "outside_limits.calls"),
        (json!({ "outside_limits": { "minutes": 1 } }), "outside_limits.minutes"),
        (json!({ "language": "de" }), "language"),
        (json!({ "dial_rule_id": "x" }), "dial_rule_id"),
        (json!({ "hold_music": "x" }), "hold_music"),
        (json!({ "hold_music": 999_999 }), "hold_music"),
        (json!({ "presence": true }), "presence"),
    ];
    let before = world.get("/client/@me/settings/").await.json();
    refuses(&world, None, Some("/client/@me/settings/"), &table).await;
    assert_eq!(world.get("/client/@me/settings/").await.json(), before);
    let name = r#"{"name":"112","type":"phone"}"#;
    world.post("/client/@me/extension/", name).await.assert_refuses("name");
}
