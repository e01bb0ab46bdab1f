//! `/audit/`: what was tried, page by page, and whether it is whole.

use leg::{Attempt, Audit, AuditExtension, AuditSource, Record};
use model::{CallUuid, ControlAction, ExtensionId, NodeAddress, Wall};
use serde_json::{Value, json};
use store::JournalId;

use crate::support::{START, World};

/// With one attempt a second, eight in all: two by each way to be allowed or not.
async fn world() -> World {
    let world = World::new().await;
    let snapshot = world.store.snapshot(world.own.id).await.unwrap().unwrap();
    let journal = JournalId { node: NodeAddress(9), shard: 0 };
    let records = (1..=8i64).map(|n| {
        let action = if n % 2 == 0 { ControlAction::Pickup } else { ControlAction::Eavesdrop };
        let attempt = Attempt {
            time: Wall(START.0 + n * 1_000_000),
            source: AuditSource::Phone,
            actor: AuditExtension { id: Some(world.own.phones[0]), name: "0003*100".into() },
            action,
            target: Some(AuditExtension { id: None, name: "999".into() }),
            call: (n == 2).then_some(CallUuid(0xAB)),
        };
        let verdict = snapshot.control.may(world.own.phones[0], action, ExtensionId(1));
        Record::Audit(Box::new(Audit::attempt(world.own.id, attempt, &snapshot.control, verdict)))
    });
    let batch = [(1, records.collect())];
    world.store.apply(journal, 1, &batch, &Default::default()).await.unwrap();
    world
}

async fn numbers(world: &World, query: &str) -> Vec<u64> {
    let answer = world.get(&format!("/client/@me/audit/?{query}")).await;
    let rows = answer.json()["audit"].as_array().unwrap().clone();
    rows.iter().map(|row| row["number"].as_u64().unwrap()).collect()
}

#[tokio::test]
async fn rows_are_found_by_what_is_asked() {
    let world = world().await;
    let id = world.own.phones[0];
    let at = |seconds: i64| Wall(START.0 + seconds * 1_000_000).to_string().replace(' ', "+");
    let table: [(String, &[u64]); 16] = [
        (String::new(), &[8, 7, 6, 5, 4, 3, 2, 1]),
        ("order=asc&per_page=3".to_owned(), &[1, 2, 3]),
        ("order=asc&per_page=3&page=3".to_owned(), &[7, 8]),
        ("count=2&page=2".to_owned(), &[6, 5]),
        (format!("start_datetime={}", at(7)), &[8, 7]),
        (format!("end_datetime={}", at(2)), &[2, 1]),
        (format!("start_datetime={}&end_datetime={}", at(3), at(4)), &[4, 3]),
        ("action=pickup".to_owned(), &[8, 6, 4, 2]),
        ("allowed=true".to_owned(), &[8, 6, 4, 2]),
        ("allowed=0".to_owned(), &[7, 5, 3, 1]),
        ("actor=100&count=1".to_owned(), &[8]),
        ("actor=0003*100&count=1".to_owned(), &[8]),
        (format!("actor={id}&count=1"), &[8]),
        ("actor=101".to_owned(), &[]),
        ("actor=boss0003".to_owned(), &[]),
        ("page=4000000000&per_page=1000".to_owned(), &[]),
    ];
    for (query, expected) in table {
        assert_eq!(numbers(&world, &query).await, expected, "{query}");
    }
    for (query, field) in [
        ("action=park", "action"),
        ("allowed=perhaps", "allowed"),
        ("start_datetime=soon", "start_datetime"),
        ("per_page=1001", "per_page"),
        ("order=up", "order"),
    ] {
        world.get(&format!("/client/@me/audit/?{query}")).await.assert_refuses(field);
    }
}

#[tokio::test]
async fn a_row_says_who_what_whom_and_why() {
    let world = world().await;
    let path = "/client/@me/call_control_group/";
    world.put(path, r#"{"groups":{"a":["100"]},"allow_all":true}"#).await;
    let body = world.get("/client/@me/audit/").await.json();
    assert_eq!(
        (&body["page"], &body["per_page"], &body["order"]),
        (&json!(1), &json!(1000), &json!("desc"))
    );
    let row = |n: usize| {
        let mut row = body["audit"][n].clone();
        assert_eq!(row["hash"].as_str().unwrap().len(), 64);
        row["hash"].take();
        row
    };
    let change = row(0);
    assert_eq!(change["detail"], "allow_all: false to true; groups: +a");
    assert_eq!((&change["action"], &change["clause"]), (&json!("change_groups"), &json!("token")));
    let program = json!({
        "user_id": world.own.user.0, "user_login": "boss0003", "application": "trusted0003",
    });
    assert_eq!(change["program"], program);
    let expected = json!({
        "number": 2, "time_gmt": Wall(START.0 + 2_000_000).to_string(), "source": "phone",
        "actor": { "id": world.own.phones[0].0, "name": "0003*100" }, "program": null,
        "action": "pickup", "target": { "id": null, "name": "999" },
        "call_uuid": "000000000000000000000000000000AB", "allowed": true,
        "clause": "pickup_all", "groups": [], "detail": null, "hash": Value::Null,
    });
    assert_eq!(row(7), expected);
    assert_eq!(numbers(&world, "actor=boss0003").await, [9]);
    let other = world.ask(axum::http::Method::GET, "/client/@me/audit/", &world.other.token, "");
    assert_eq!(other.await.json()["audit"], json!([]));
}

#[tokio::test]
async fn a_check_tells_the_hash_to_keep() {
    let world = world().await;
    let path = "/client/@me/audit/check";
    let newest = world.get("/client/@me/audit/?count=1").await.json()["audit"][0]["hash"].clone();
    let whole = json!({ "ok": true, "rows": 8, "hash": newest, "broken": null });
    assert_eq!(world.get(path).await.json(), whole);
}
