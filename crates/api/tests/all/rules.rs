//! `/incom_rule/`: every field and every refusal of the specification, the order, what is said
//! against rules, and what would become of a call.

use crate::support::World;
use axum::http::Method;
use serde_json::{Value, json};
use store::{AppAccess, UserAccess, UserScope};

/// The rules of 101, which has none at first.
const PATH: &str = "/extension/@101/incom_rule/";

async fn add(world: &World, body: Value) -> Value {
    let answer = world.post(PATH, &body.to_string()).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    answer.json()
}

async fn ids(world: &World) -> Vec<u64> {
    let list = world.get(PATH).await.json();
    list.as_array().unwrap().iter().map(|rule| rule["id"].as_u64().unwrap()).collect()
}

/// A rule as it is when only its type is said.
fn plain(id: u64, kind: &str) -> Value {
    json!({
        "id": id, "type": kind, "name": null, "playfile_sound": null, "transfer_dst": null,
        "transfer_timeout": 60, "cascade_numbers": [], "allow_public_transfer": false,
        "caller_id": null, "caller_id_action": "any", "call_status": "any",
        "extension_call_status": "any", "extension_status": "any", "interval": null,
        "enabled": true, "ignore_early_media": true, "final": true,
        "enable_call_screening": false
    })
}

#[tokio::test]
async fn a_rule_has_the_documented_defaults() {
    let world = World::new().await;
    let made = world.post(PATH, r#"{"type":"busy"}"#).await;
    let mut expected = plain(1, "busy");
    expected["warnings"] = json!([]);
    assert_eq!((made.status.as_u16(), made.json()), (201, expected));
    let location = format!("/api/ver1.0/extension/{}/incom_rule/1", world.own.phones[1]);
    assert_eq!(made.header("location"), Some(location.as_str()));
    assert_eq!(world.get(&location).await.json(), plain(1, "busy"));
    assert_eq!(world.get(PATH).await.json(), json!([plain(1, "busy")]));
}

#[tokio::test]
async fn every_field_is_written_alone_and_changes_no_other() {
    let world = World::new().await;
    add(&world, json!({ "type": "busy" })).await;
    let interval = world.own.interval.0;
    let cascade = json!([{ "delay": 0, "number": "097" }, { "delay": 5, "number": "00018966" }]);
    let table = [
        ("name", json!("Ночью")),
        ("transfer_dst", json!("100 +78121234567")),
        ("cascade_numbers", cascade),
        ("type", json!("cascade")),
        ("transfer_timeout", json!(20)),
        ("allow_public_transfer", json!(true)),
        ("caller_id", json!(r"^(\+|)7812")),
        ("caller_id_action", json!("not_matches")),
        ("call_status", json!("busy")),
        ("extension_call_status", json!("no_answer")),
        ("extension_status", json!("unreachable")),
        ("interval", json!(interval)),
        ("enabled", json!(false)),
        ("ignore_early_media", json!(false)),
        ("final", json!(false)),
        ("enable_call_screening", json!(true)),
    ];
    let mut expected = plain(1, "busy");
    for (field, value) in &table {
        assert_ne!(&expected[*field], value, "{field} would not be seen to change");
        expected[*field] = value.clone();
        if *field == "caller_id" {
            // Decision 17.
            expected["caller_id_action"] = json!("matches");
        }
        let answer = world.put(&format!("{PATH}1"), &json!({ *field: value }).to_string()).await;
        let mut answered = answer.json();
        assert!(answered.as_object_mut().unwrap().remove("warnings").is_some());
        assert_eq!((answer.status.as_u16(), answered), (200, expected.clone()), "{field}");
        assert_eq!(world.get(&format!("{PATH}1")).await.json(), expected, "{field}");
    }
    for field in expected.as_object().unwrap().keys() {
        let written = table.iter().any(|(name, _)| name == field);
        assert!(written || ["id", "playfile_sound"].contains(&field.as_str()), "{field}");
    }
    // What may be empty is emptied by the empty string and kept by null.
    for field in ["name", "interval", "transfer_dst"] {
        let kept = world.put(&format!("{PATH}1"), &json!({ field: null }).to_string()).await;
        assert_eq!(kept.json()[field], expected[field], "{field}");
        let emptied = world.put(&format!("{PATH}1"), &json!({ field: "" }).to_string()).await;
        assert_eq!(emptied.json()[field], Value::Null, "{field}");
    }
}

#[tokio::test]
async fn values_that_cannot_be_meant_are_refused_by_name() {
    let world = World::new().await;
    let numbers = |n: usize| vec!["100"; n].join(" ");
    let cascade = |n: usize| json!(vec![json!({ "delay": 1, "number": "100" }); n]);
    let foreign = world.other.interval.0;
    let table = [
        (json!({}), "type"),
        (json!({ "type": "group_call" }), "type"),
        (json!({ "type": 1 }), "type"),
        (json!({ "type": "transfer" }), "transfer_dst"),
        (json!({ "type": "transfer", "transfer_dst": " " }), "transfer_dst"),
        (json!({ "type": "transfer", "transfer_dst": numbers(11) }), "transfer_dst"),
        (json!({ "type": "transfer", "transfer_dst": "1".repeat(65) }), "transfer_dst"),
        (json!({ "type": "transfer", "transfer_dst": "100,101" }), "transfer_dst"),
        (json!({ "type": "transfer", "transfer_dst": "100; 101" }), "transfer_dst"),
        (json!({ "type": "transfer", "transfer_dst": ["100"] }), "transfer_dst"),
        (json!({ "type": "transfer", "transfer_dst": "100 *4101" }), "transfer_dst"),
        (json!({ "type": "transfer", "transfer_dst": "*9" }), "transfer_dst"),
        (json!({ "type": "simple_transfer", "transfer_dst": numbers(51) }), "transfer_dst"),
        (json!({ "type": "cascade" }), "cascade_numbers"),
        (json!({ "type": "cascade", "cascade_numbers": [] }), "cascade_numbers"),
        (json!({ "type": "cascade", "cascade_numbers": cascade(21) }), "cascade_numbers"),
        (json!({ "type": "simple_cascade", "cascade_numbers": cascade(21) }), "cascade_numbers"),
        (json!({ "type": "busy", "cascade_numbers": "100" }), "cascade_numbers"),
        (json!({ "type": "busy", "cascade_numbers": ["100"] }), "cascade_numbers"),
        (
            json!({ "type": "cascade", "cascade_numbers": [{ "delay": 601, "number": "1" }] }),
            "cascade_numbers[0].delay",
        ),
        (
            json!({ "type": "cascade", "cascade_numbers": [{ "delay": 1 }] }),
            "cascade_numbers[0].number",
        ),
        (json!({ "type": "playfile" }), "playfile_sound"),
        (json!({ "type": "playfile", "playfile_sound": 999 }), "playfile_sound"),
        (json!({ "type": "busy", "transfer_timeout": 0 }), "transfer_timeout"),
        (json!({ "type": "busy", "transfer_timeout": 601 }), "transfer_timeout"),
        (json!({ "type": "busy", "transfer_timeout": "soon" }), "transfer_timeout"),
        (json!({ "type": "busy", "name": "x".repeat(256) }), "name"),
        (json!({ "type": "busy", "name": "a\r\nb" }), "name"),
        (json!({ "type": "busy", "allow_public_transfer": "x" }), "allow_public_transfer"),
        (json!({ "type": "busy", "caller_id_action": "matches" }), "caller_id"),
        (json!({ "type": "busy", "caller_id_action": "not_matches" }), "caller_id"),
        (json!({ "type": "busy", "caller_id_action": "all" }), "caller_id_action"),
        (json!({ "type": "busy", "caller_id": "x".repeat(5_000) }), "caller_id"),
        (json!({ "type": "busy", "call_status": "answered" }), "call_status"),
        (json!({ "type": "busy", "extension_call_status": "x" }), "extension_call_status"),
        (json!({ "type": "busy", "extension_status": "busy" }), "extension_status"),
        (json!({ "type": "busy", "interval": 999 }), "interval"),
        (json!({ "type": "busy", "interval": foreign }), "interval"),
        (json!({ "type": "busy", "interval": "x" }), "interval"),
        (json!({ "type": "busy", "enabled": 2 }), "enabled"),
        (json!({ "type": "busy", "ignore_early_media": {} }), "ignore_early_media"),
        (json!({ "type": "busy", "final": "x" }), "final"),
        (json!({ "type": "busy", "enable_call_screening": [] }), "enable_call_screening"),
    ];
    for (body, field) in table {
        let answer = world.post(PATH, &body.to_string()).await;
        assert_eq!(answer.status, 400, "{body}: {answer:?}");
        answer.assert_refuses(field);
    }
    assert_eq!(ids(&world).await, [0; 0], "nothing was stored");
    let many = json!({ "type": "transfer", "transfer_dst": numbers(11) }).to_string();
    let message = world.post(PATH, &many).await.json()["message"].as_str().unwrap().to_owned();
    assert!(message.contains("simple_transfer") && message.contains("queue"), "{message}");
    let pattern = world.post(PATH, r#"{"type":"busy","caller_id":"^(7812"}"#).await;
    pattern.assert_refuses("caller_id");
    assert!(pattern.text.contains("at offset 6"), "{pattern:?}");
    // A change is checked together with what it leaves as it was.
    add(&world, json!({ "type": "transfer", "transfer_dst": numbers(10) })).await;
    let path = format!("{PATH}1");
    world.put(&path, r#"{"transfer_dst":""}"#).await.assert_refuses("transfer_dst");
    world.put(&path, r#"{"type":"cascade"}"#).await.assert_refuses("cascade_numbers");
    assert_eq!(world.get(&path).await.json()["transfer_dst"], numbers(10));
}

#[tokio::test]
async fn voicemail_is_for_phones() {
    let world = World::new().await;
    let queue = world.post("/client/@me/extension/", r#"{"name":"300","type":"queue"}"#).await;
    assert_eq!(queue.status, 201);
    let rules = "/extension/@300/incom_rule/";
    world.post(rules, r#"{"type":"voicemail"}"#).await.assert_refuses("type");
    assert_eq!(world.post(rules, r#"{"type":"hangup"}"#).await.status, 201);
    assert_eq!(world.post(PATH, r#"{"type":"voicemail"}"#).await.status, 201);
}

#[tokio::test]
async fn an_order_is_all_rules_once_and_deleting_closes_the_gap() {
    let world = World::new().await;
    for _ in 0..3 {
        add(&world, json!({ "type": "busy", "enabled": false })).await;
    }
    let order = format!("{PATH}order/");
    assert_eq!(world.get(&order).await.json(), json!({ "order": [1, 2, 3] }));
    let set = world.put(&order, r#"{"order":[3,1,2]}"#).await;
    assert_eq!((set.status.as_u16(), set.json()), (200, json!({ "order": [3, 1, 2] })));
    assert_eq!(ids(&world).await, [3, 1, 2]);
    assert_eq!(world.put(&order, "[2,3,1]").await.status, 200);
    for bad in ["{}", "[]", "[1,2]", "[1,2,3,4]", "[1,1,2]", "[1,2,2,3]", r#"{"order":"1"}"#] {
        world.put(&order, bad).await.assert_refuses("order");
    }
    assert_eq!(ids(&world).await, [2, 3, 1], "nothing changed");
    assert_eq!(world.delete(&format!("{PATH}3")).await.status, 204);
    world.delete(&format!("{PATH}3")).await.assert_error(404);
    world.get(&format!("{PATH}3")).await.assert_error(404);
    world.put(&format!("{PATH}3"), r#"{"name":"x"}"#).await.assert_error(404);
    assert_eq!(world.get(&order).await.json(), json!({ "order": [2, 1] }));
    assert_eq!(add(&world, json!({ "type": "busy" })).await["id"], 4, "ids are given once");
    assert_eq!(ids(&world).await, [2, 1, 4]);
}

#[tokio::test]
async fn the_fifty_first_rule_is_refused() {
    let world = World::new().await;
    let max = world.get("/client/@me/limit/").await.json()["incom_rule"].as_u64().unwrap();
    assert_eq!(max, 50);
    for _ in 0..max {
        add(&world, json!({ "type": "busy" })).await;
    }
    let more = world.post(PATH, r#"{"type":"busy"}"#).await;
    assert_eq!(more.verdict(), "409 limit_reached");
}

#[tokio::test]
async fn a_write_says_what_its_author_will_not_have_meant() {
    let world = World::new().await;
    let warned = |answer: &Value| answer["warnings"].as_array().unwrap().clone();
    let nowhere = add(&world, json!({ "type": "transfer", "transfer_dst": "0003*105" })).await;
    assert_eq!(warned(&nowhere), ["rule 1: neither an extension nor a trunk takes 0003*105"]);
    let explicit = json!({ "type": "busy", "caller_id": "^7", "caller_id_action": "any",
        "enable_call_screening": true });
    let answer = add(&world, explicit).await;
    assert_eq!(answer["caller_id_action"], "any");
    assert_eq!(warned(&answer).len(), 3, "{answer}");
    let back = json!({ "type": "transfer", "transfer_dst": "101" });
    world.post("/extension/@100/incom_rule/", &back.to_string()).await;
    world.put(&format!("{PATH}1"), r#"{"transfer_dst":"100"}"#).await;
    let check = world.get(&format!("{PATH}check/")).await.json();
    let codes: Vec<_> =
        check["findings"].as_array().unwrap().iter().map(|f| f["code"].clone()).collect();
    assert_eq!(codes, ["loop", "never_fires", "no_screening", "unused_pattern"]);
    assert_eq!(check["findings"][0]["path"], json!(["101", "100", "101"]));
}

#[tokio::test]
async fn a_user_of_one_extension_keeps_its_own_rules() {
    let world = World::new().await;
    let scope = UserScope::Extension(world.own.phones[1]);
    let token = world.token_of(scope, UserAccess::Full, AppAccess::All).await;
    let path = "/extension/@me/incom_rule/";
    let made = world.ask(Method::POST, path, &token, r#"{"type":"busy"}"#).await;
    assert_eq!(made.status, 201);
    let changed = world.ask(Method::PUT, &format!("{path}1"), &token, r#"{"name":"x"}"#).await;
    assert_eq!(changed.json()["name"], "x");
    assert_eq!(world.ask(Method::DELETE, &format!("{path}1"), &token, "").await.status, 204);
}

/// What would become of a call: each step as text.
async fn explained(world: &World, question: Value) -> (String, Vec<String>) {
    let answer = world.post(&format!("{PATH}explain/"), &question.to_string()).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let body = answer.json();
    let steps = body["steps"].as_array().unwrap().iter();
    let texts = steps.map(|step| step["text"].as_str().unwrap().to_owned()).collect();
    (body["result"].as_str().unwrap().to_owned(), texts)
}

#[tokio::test]
async fn an_explanation_tells_every_rule_and_why() {
    let world = World::new().await;
    add(&world, json!({ "type": "busy", "caller_id": "^7812" })).await;
    add(&world, json!({ "type": "hangup", "interval": world.own.interval.0 })).await;
    let forward = json!({ "type": "transfer", "transfer_dst": "100", "call_status": "no_answer",
        "final": false });
    add(&world, forward).await;
    let interval = world.own.interval;
    // Midnight in Moscow is three hours earlier in UTC: it is July there already.
    let table = [
        (
            json!({ "caller": "88121234567", "registered": true }),
            "busy",
            vec!["rule 1 fires: busy, the last".to_owned(), "the caller gets 486".to_owned()],
        ),
        (
            json!({ "caller": "74951234567", "at": "2026-06-30 21:00:00", "registered": true }),
            "no_answer",
            vec![
                "rule 1 is skipped: the caller's number".to_owned(),
                "rule 2 fires: hangup, the last".to_owned(),
                "the caller gets 480".to_owned(),
            ],
        ),
        (
            json!({ "caller": "100", "at": "2026-06-30 20:59:59", "registered": true,
                "outcomes": ["no_answer", "answered"] }),
            "answered",
            vec![
                "rule 1 is skipped: the caller's number".to_owned(),
                format!("rule 2 is skipped: interval {interval} is not active"),
                "the extension rings, rule 3 waits for the result".to_owned(),
                "result: no answer".to_owned(),
                "rule 3 fires: transfer".to_owned(),
                "answered".to_owned(),
            ],
        ),
        (
            json!({ "at": "2026-1-1 0:00:00", "registered": true, "outcomes": ["busy"] }),
            "busy",
            vec![
                "rule 1 is skipped: the caller's number".to_owned(),
                format!("rule 2 is skipped: interval {interval} is not active"),
                "the extension rings, rule 3 waits for the result".to_owned(),
                "result: busy".to_owned(),
                "rule 3 is skipped: the last call's result is busy".to_owned(),
                "the caller gets 486".to_owned(),
            ],
        ),
    ];
    for (question, result, steps) in table {
        assert_eq!(
            explained(&world, question.clone()).await,
            (result.to_owned(), steps),
            "{question}"
        );
    }
    // Nobody is registered here, so the extension cannot answer.
    let at = json!({ "at": "2026-01-01 00:00:00", "outcomes": ["answered"] });
    let (result, steps) = explained(&world, at).await;
    assert_eq!(result, "answered", "by 100, to which rule 3 forwards");
    assert!(steps.contains(&"result: no answer".to_owned()), "{steps:?}");
}

/// All of these were "answered", or nothing was said against them.
#[tokio::test]
async fn what_is_said_of_a_number_is_what_becomes_of_it() {
    let world = World::new().await;
    let forward = |number: &str| json!([{ "type": "transfer", "transfer_dst": number }]);
    let fires = "rule 1 fires: transfer, the last";
    let lost = |why: &str, number: &str| {
        let skipped = format!("{number} is skipped: {why}");
        vec![fires.into(), skipped, "result: no answer".into(), "the caller gets 480".into()]
    };
    let answered = || vec![fires.to_owned(), "answered".into()];
    let taken = || vec![fires.to_owned(), "result: no answer".into(), "the caller gets 480".into()];
    let table = [
        ("*8999", "answered", "no_answer", lost("it leads nowhere", "*8999"), "leads_nowhere"),
        (
            "+78091234567",
            "answered",
            "no_answer",
            lost("the client may not call it", "+78091234567"),
            "not_allowed",
        ),
        ("*05", "answered", "answered", answered(), ""),
        ("*05", "no_answer", "no_answer", taken(), ""),
        ("100 *05", "no_answer", "answered", answered(), ""),
        ("*8100", "no_answer", "answered", answered(), ""),
        ("100", "answered", "answered", answered(), ""),
    ];
    for (number, outcome, result, steps, finding) in table {
        let question = json!({ "rules": forward(number), "outcomes": [outcome] });
        assert_eq!(
            explained(&world, question.clone()).await,
            (result.to_owned(), steps),
            "{number}"
        );
        let path = format!("{PATH}explain/");
        let told = world.post(&path, &question.to_string()).await.json();
        let codes: Vec<_> = told["findings"].as_array().unwrap().iter().collect();
        let expected = if finding.is_empty() { 0 } else { 1 };
        assert_eq!(codes.len(), expected, "{number}: {codes:?}");
        assert!(codes.iter().all(|found| found["code"] == finding), "{number}: {codes:?}");
        let rule = &forward(number)[0];
        let warnings = add(&world, rule.clone()).await["warnings"].clone();
        let is_told = warnings.to_string().contains(number);
        assert_eq!(is_told, expected == 1, "{number}: {warnings}");
    }
    // The outcomes are those of steps that dial.
    let rules = json!([
        { "type": "transfer", "transfer_dst": "*8999", "final": false },
        { "type": "transfer", "transfer_dst": "100" },
    ]);
    let (result, steps) = explained(&world, json!({ "rules": rules, "outcomes": ["busy"] })).await;
    assert_eq!(result, "busy", "{steps:?}");
}

#[tokio::test]
async fn rules_that_are_not_saved_are_explained_as_well() {
    let world = World::new().await;
    add(&world, json!({ "type": "busy" })).await;
    let unsaved = json!({ "rules": [
        { "type": "hangup", "caller_id_action": "anonymous", "enabled": false },
        { "type": "transfer", "transfer_dst": "0003*105" },
    ] });
    let (result, steps) = explained(&world, unsaved.clone()).await;
    assert_eq!(result, "no_answer");
    assert_eq!(steps[0], "rule 1 is skipped: disabled");
    assert_eq!(ids(&world).await, [1], "nothing was stored");
    let answer = world.post(&format!("{PATH}explain/"), &unsaved.to_string()).await.json();
    assert_eq!(answer["findings"][0]["code"], "leads_nowhere");
    let table = [
        (json!({ "at": "tomorrow" }), "at"),
        (json!({ "registered": "x" }), "registered"),
        (json!({ "outcomes": ["perhaps"] }), "outcomes[0]"),
        (json!({ "outcomes": "busy" }), "outcomes"),
        (json!({ "did": "78129999999" }), "did"),
        (json!({ "caller": "1".repeat(65) }), "caller"),
        (json!({ "rules": [{}] }), "rules[0].type"),
        (json!({ "rules": [{ "type": "transfer" }] }), "rules[0].transfer_dst"),
        (json!({ "rules": [{ "type": "busy", "caller_id": "(" }] }), "rules[0].caller_id"),
        (json!({ "rules": [{ "type": "busy", "interval": 999 }] }), "rules[0].interval"),
        (
            json!({ "rules": [{ "type": "busy", "id": 1 }, { "type": "busy", "id": 1 }] }),
            "rules[1].id",
        ),
    ];
    for (question, field) in table {
        let answer = world.post(&format!("{PATH}explain/"), &question.to_string()).await;
        assert_eq!(answer.status, 400, "{question}");
        answer.assert_refuses(field);
    }
}

#[tokio::test]
async fn the_trace_of_a_call_is_found_by_its_uuid_in_any_form() {
    let world = World::new().await;
    let uuid = world.own.call.uuid;
    let forms = [uuid.to_string(), uuid.hex(), uuid.to_string().to_uppercase()];
    for form in forms {
        let trace = world.get(&format!("/client/@me/call_history/{form}/trace/")).await.json();
        assert_eq!(
            (&trace["caller"], &trace["called_did"]),
            (&json!("74951234567"), &json!("78121234567"))
        );
        assert_eq!(trace["init_time_gmt"], "2023-11-14 22:13:20");
        assert_eq!(trace["call_uuid"], uuid.hex().to_uppercase());
        let lines = trace["lines"].as_array().unwrap();
        assert_eq!(lines[0]["line"]["text"], "the extension rings");
        assert_eq!(
            (&lines[1]["line"]["what"], &lines[1]["line"]["end"]),
            (&json!("ended"), &json!("no_answer"))
        );
        assert_eq!(lines[0]["time"], "2023-11-14 22:13:20.000000");
    }
    for path in ["x", "37b98fb2-a66c-11ea-ae69-6fd86d94a0e0"] {
        world.get(&format!("/client/@me/call_history/{path}/trace/")).await.assert_error(404);
    }
}

#[tokio::test]
async fn a_call_that_was_is_explained_by_the_rules_of_today() {
    let world = World::new().await;
    let rule = json!({ "type": "busy", "caller_id": "^7495", "caller_id_action": "matches" });
    assert_eq!(world.post(PATH, &rule.to_string()).await.status, 201);
    let uuid = world.own.call.uuid.to_string();
    let asked = async |question: serde_json::Value| {
        world.post(&format!("{PATH}explain/"), &question.to_string()).await
    };
    let told = asked(json!({ "call_uuid": uuid, "registered": true })).await.json();
    assert_eq!((&told["result"], &told["at"]), (&json!("busy"), &json!("2023-11-14 22:13:20")));
    // What the question names goes before what was.
    let other = json!({ "call_uuid": uuid, "caller": "3584567890", "registered": true });
    let told = asked(other).await.json();
    assert_eq!(told["result"], "no_answer");
    for unknown in ["x", "37b98fb2-a66c-11ea-ae69-6fd86d94a0e0"] {
        asked(json!({ "call_uuid": unknown })).await.assert_refuses("call_uuid");
    }
}
