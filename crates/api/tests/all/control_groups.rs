//! `/call_control_group/`: each sentence of its page and of what completes it.

use serde_json::{Value, json};

use crate::support::World;

const PATH: &str = "/client/@me/call_control_group/";

/// The example of the page.
fn example() -> Value {
    json!({
        "allow_all": false,
        "pickup_all": true,
        "groups": {
            "support": ["100", "101"],
            "sales": ["102", "101"],
            "hr": ["100", "101", "103"]
        },
        "pickup_share_groups": ["support", "sales"],
        "phone_replace_groups": ["support"],
        "eavesdrop_100": ["support"],
        "whisper_101": ["sales", "hr"]
    })
}

/// With phones 100 to 103.
async fn world() -> World {
    let world = World::new().await;
    for name in ["102", "103"] {
        let body = json!({ "name": name, "type": "phone" }).to_string();
        assert_eq!(world.post("/client/@me/extension/", &body).await.verdict(), "201");
    }
    world
}

#[track_caller]
fn assert_json(answer: &crate::support::Answer, expected: &Value) {
    assert_eq!((answer.verdict().as_str(), &answer.json()), ("200", expected));
}

#[tokio::test]
async fn while_nothing_is_written_pickup_is_allowed_and_nothing_else() {
    let world = world().await;
    let expected = json!({ "allow_all": false, "pickup_all": true, "groups": {} });
    assert_json(&world.get(PATH).await, &expected);
    for (action, allowed) in [
        ("pickup", true),
        ("group_pickup", false),
        ("eavesdrop", false),
        ("whisper", false),
        ("conference", false),
        ("replace", false),
    ] {
        let body = json!({ "actor": "100", "action": action, "target": "103" }).to_string();
        let answer = world.post(&format!("{PATH}may"), &body).await;
        assert_eq!(answer.json()["allowed"], allowed, "{action}");
    }
}

#[tokio::test]
async fn what_is_sent_is_shown_and_nothing_is_added() {
    let world = world().await;
    let text = |value: &Value| Value::String(value.to_string());
    let table = [
        (example(), example()),
        // It replaces what was there.
        (json!({}), json!({})),
        (json!({ "call_control_groups": example() }), example()),
        (json!({ "call_control_groups": text(&example()) }), example()),
        (json!({ "call_control_groups": null, "allow_all": true }), json!({ "allow_all": true })),
        (json!({ "call_control_groups": "{}" , "allow_all": true }), json!({})),
        (
            json!({ "pickup_all": "false", "allow_all": 0, "groups": { "a": [100, "0003*101"] } }),
            json!({ "pickup_all": false, "allow_all": false,
                "groups": { "a": ["100", "0003*101"] } }),
        ),
        (json!({ "unknown": [1], "eavesdrop": 1, "groups": null }), json!({})),
        // Repeated ones, ones that do not exist, other clients' ones.
        (
            json!({ "groups": { "a": ["100", "100", "999", "0004*100", "x y"], "c": null },
                "pickup_share_groups": ["nobody", "nobody"] }),
            Value::Null,
        ),
        (
            json!({ "groups": { "a": ["100", "100", "999", "0004*100", "x y"], "b": [] },
                "pickup_share_groups": ["nobody", "nobody"], "whisper_999": ["nobody"],
                "eavesdrop_0003*100": [] }),
            json!({ "groups": { "a": ["100", "100", "999", "0004*100", "x y"], "b": [] },
                "pickup_share_groups": ["nobody", "nobody"], "whisper_999": ["nobody"],
                "eavesdrop_0003*100": [] }),
        ),
    ];
    for (sent, expected) in table {
        let answer = world.put(PATH, &sent.to_string()).await;
        if expected.is_null() {
            answer.assert_refuses("groups.c");
            continue;
        }
        assert_json(&answer, &expected);
        assert_json(&world.get(PATH).await, &expected);
    }
}

/// It took all rights away without a word.
#[tokio::test]
async fn what_says_nothing_of_groups_replaces_nothing() {
    let world = world().await;
    world.put(PATH, &example().to_string()).await;
    world.put(PATH, "").await.assert_error(400);
    for (body, field) in [
        (json!({ "Groups": {} }), "Groups"),
        (json!({ "call_control_groups": { "rights": [] } }), "rights"),
        (json!({ "call_control_groups": "{\"x\":1}" }), "x"),
    ] {
        world.put(PATH, &body.to_string()).await.assert_refuses(field);
    }
    assert_json(&world.get(PATH).await, &example());
}

#[tokio::test]
async fn a_refusal_names_the_field_and_changes_nothing() {
    let world = world().await;
    world.put(PATH, &example().to_string()).await;
    let many = |n: usize| (0..n).map(|n| n.to_string()).collect::<Vec<_>>();
    let groups = |n: usize| {
        let of = |n: usize| (n.to_string(), json!([]));
        Value::Object((0..n).map(of).collect())
    };
    let long = "x".repeat(256);
    let table = [
        (json!({ "allow_all": "yes" }), "allow_all"),
        (json!({ "allow_all": [] }), "allow_all"),
        (json!({ "pickup_all": 2 }), "pickup_all"),
        (json!({ "groups": [] }), "groups"),
        (json!({ "groups": "a" }), "groups"),
        (json!({ "groups": { "a": "100" } }), "groups.a"),
        (json!({ "groups": { "a": [["100"]] } }), "groups.a"),
        (json!({ "groups": { "a: b": [true] } }), "groups.a: b"),
        (json!({ "groups": { "a": many(201) } }), "groups.a"),
        (json!({ "groups": groups(101) }), "groups"),
        (json!({ "groups": { "a\n": [] } }), "groups"),
        (json!({ "groups": { "a": ["1\u{0}"] } }), "groups.a"),
        (json!({ "groups": { "a": [""] } }), "groups"),
        (json!({ "groups": { long.as_str(): [] } }), "groups"),
        (json!({ "pickup_share_groups": "support" }), "pickup_share_groups"),
        (json!({ "pickup_share_groups": [{}] }), "pickup_share_groups"),
        (json!({ "pickup_share_groups": [""] }), "pickup_share_groups"),
        (json!({ "phone_replace_groups": true }), "phone_replace_groups"),
        (json!({ "eavesdrop_100": "support" }), "eavesdrop_100"),
        (json!({ "eavesdrop_100": [long] }), "eavesdrop_100"),
        (json!({ "eavesdrop_boss": [] }), "eavesdrop_boss"),
        (json!({ "eavesdrop_": [] }), "eavesdrop_"),
        (json!({ "whisper_0003*": {} }), "whisper_0003*"),
        (json!({ "call_control_groups": [] }), "call_control_groups"),
        (json!({ "call_control_groups": "[]" }), "call_control_groups"),
        (json!({ "call_control_groups": "{" }), "call_control_groups"),
        (json!({ "call_control_groups": { "allow_all": "x" } }), "allow_all"),
    ];
    for (sent, field) in table {
        world.put(PATH, &sent.to_string()).await.assert_refuses(field);
    }
    for no_object in ["[]", "1", "{", "null"] {
        world.put(PATH, no_object).await.assert_error(400);
    }
    assert_json(&world.get(PATH).await, &example());
    let most = json!({ "groups": groups(99), "x": 1, "pickup_share_groups": many(99) });
    let mut most = most;
    most["groups"]["last"] = json!(many(200));
    assert_eq!(world.put(PATH, &most.to_string()).await.verdict(), "200");
    // Refusals are no changes.
    assert_eq!(world.get("/client/@me/audit/").await.json()["audit"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn the_example_of_the_page_decides_as_its_json_says() {
    let world = world().await;
    world.put(PATH, &example().to_string()).await;
    let joined = json!(["sales", "support"]);
    let none = json!([]);
    let table = [
        ("100", "group_pickup", "102", "pickup_share_groups", joined.clone()),
        ("102", "group_pickup", "100", "pickup_share_groups", joined),
        ("103", "group_pickup", "100", "nothing", none.clone()),
        ("103", "pickup", "100", "pickup_all", none.clone()),
        ("100", "eavesdrop", "101", "eavesdrop", json!(["support"])),
        ("100", "eavesdrop", "102", "nothing", none.clone()),
        ("100", "whisper", "101", "nothing", none.clone()),
        ("101", "whisper", "103", "whisper", json!(["hr"])),
        ("101", "eavesdrop", "102", "whisper", json!(["sales"])),
        ("101", "conference", "102", "nothing", none.clone()),
        ("101", "replace", "100", "phone_replace_groups", json!(["support"])),
        ("102", "replace", "101", "nothing", none),
    ];
    for (actor, action, target, clause, groups) in table {
        let body = json!({ "actor": actor, "action": action, "target": target }).to_string();
        let expected = json!({
            "allowed": clause != "nothing", "clause": clause, "groups": groups,
        });
        assert_json(&world.post(&format!("{PATH}may"), &body).await, &expected);
    }
}

#[tokio::test]
async fn allow_all_both_rights_and_the_setting_decide_at_once() {
    let world = world().await;
    let may = async |actor: &str, action: &str, target: &str| {
        let body = json!({ "actor": actor, "action": action, "target": target }).to_string();
        world.post(&format!("{PATH}may"), &body).await.json()["clause"].as_str().unwrap().to_owned()
    };
    world.put(PATH, r#"{"allow_all":true,"pickup_all":false}"#).await;
    for action in ["group_pickup", "pickup", "eavesdrop", "whisper", "conference", "replace"] {
        assert_eq!(may("102", action, "103").await, "allow_all", "{action}");
    }
    let mut both = example();
    both["whisper_100"] = json!(["support"]);
    both["pickup_all"] = json!(false);
    world.put(PATH, &both.to_string()).await;
    assert_eq!(may("100", "conference", "101").await, "eavesdrop_and_whisper");
    assert_eq!(may("100", "pickup", "103").await, "nothing");
    assert_eq!(may("100", "pickup", "102").await, "pickup_share_groups");
    world.put("/client/@me/settings/", r#"{"pickup_merge":"own"}"#).await;
    assert_eq!(may("100", "pickup", "102").await, "nothing");
}

#[tokio::test]
async fn an_extension_is_asked_for_by_any_name_or_its_id() {
    let world = world().await;
    world.put(PATH, &example().to_string()).await;
    let [own, _] = world.own.phones;
    for actor in [
        json!("100"),
        json!(100),
        json!("0003*100"),
        json!("@100"),
        json!("00500*0003*100"),
        json!(own.0),
        json!(own.to_string()),
    ] {
        let body = json!({ "actor": actor, "action": "eavesdrop", "target": "101" }).to_string();
        let answer = world.post(&format!("{PATH}may"), &body).await;
        assert_eq!(answer.json()["clause"], "eavesdrop", "{actor}");
    }
    let good = json!({ "actor": "100", "action": "eavesdrop", "target": "101" });
    let other = world.other.phones[0];
    let table = [
        ("actor", json!(null)),
        ("actor", json!("")),
        ("actor", json!("199")),
        ("actor", json!("0004*100")),
        ("target", json!(other.0)),
        ("target", json!("me")),
        ("target", json!([])),
        ("action", json!(null)),
        ("action", json!("park")),
    ];
    for (field, value) in table {
        let mut body = good.clone();
        body[field] = value;
        world.post(&format!("{PATH}may"), &body.to_string()).await.assert_refuses(field);
    }
}
