//! Feature codes: what is there by default, what may be set, what is refused and why.

use serde_json::{Value, json};

use crate::support::World;

const PATH: &str = "/client/@me/feature_codes/";

fn defaults() -> Value {
    json!({
        "pickup": "*7", "eavesdrop": "*4", "whisper": "*5", "barge": "*6", "room": "*8",
        "replace": "*3", "park": "*0", "voicemail": "*9", "agent": "*1", "transfer": "#1",
        "attended_transfer": "*2", "park_in_call": null
    })
}

#[tokio::test]
async fn the_codes_are_the_documented_ones_until_they_are_set() {
    let world = World::new().await;
    assert_eq!(world.get(PATH).await.json(), defaults());
    assert_eq!(world.put(PATH, "{}").await.json(), defaults());
}

#[tokio::test]
async fn each_code_can_be_set_and_switched_off_and_the_others_stay() {
    let world = World::new().await;
    let mut expected = defaults();
    for (n, name) in defaults().as_object().unwrap().keys().enumerate() {
        expected[name] = json!(format!("#9{n:02}"));
        let body = json!({ name: expected[name] }).to_string();
        assert_eq!(world.put(PATH, &body).await.json(), expected, "{name}");
    }
    for (n, name) in defaults().as_object().unwrap().keys().enumerate() {
        // Both mean: off.
        let off = if n % 2 == 0 { Value::Null } else { json!("") };
        expected[name] = Value::Null;
        assert_eq!(world.put(PATH, &json!({ name: off }).to_string()).await.json(), expected);
    }
    assert_eq!(world.get(PATH).await.json(), expected);
    let snapshot = world.store.snapshot(world.own.id).await.unwrap().unwrap();
    assert!(snapshot.routing.settings.feature_codes.iter().all(|(_, code)| code.is_none()));
    let other = world.store.snapshot(world.other.id).await.unwrap().unwrap();
    assert_eq!(other.routing.settings.feature_codes, model::FeatureCodes::default());
}

#[tokio::test]
async fn two_codes_may_be_exchanged_in_one_request() {
    let world = World::new().await;
    let answer = world.put(PATH, r#"{"pickup":"*4","eavesdrop":"*7"}"#).await.json();
    assert_eq!((&answer["pickup"], &answer["eavesdrop"]), (&json!("*4"), &json!("*7")));
}

#[tokio::test]
async fn a_code_that_cannot_be_is_refused_by_name_and_nothing_changes() {
    let world = World::new().await;
    let table = [
        (json!({ "dance": "*77" }), "dance"),
        (json!({ "pickup": "7" }), "pickup"),
        (json!({ "pickup": "*" }), "pickup"),
        (json!({ "pickup": "*1234" }), "pickup"),
        (json!({ "pickup": "*7a" }), "pickup"),
        (json!({ "pickup": ["*7"] }), "pickup"),
        (json!({ "pickup": 7 }), "pickup"),
        (json!({ "room": "*88", "pickup": "*4" }), "pickup"),
        (json!({ "room": "*45" }), "room"),
        (json!({ "park_in_call": "*22" }), "park_in_call"),
    ];
    for (body, field) in table {
        world.put(PATH, &body.to_string()).await.assert_refuses(field);
    }
    assert_eq!(world.get(PATH).await.json(), defaults());
    let clash = world.put(PATH, r#"{"room":"*45"}"#).await.json();
    let expected = "room: *45 cannot be told from *4, the code of eavesdrop";
    assert_eq!(clash["message"], expected);
}

#[tokio::test]
async fn a_rule_leads_to_a_room_or_a_slot_but_to_no_other_code() {
    let world = World::new().await;
    let rules = "/extension/@100/incom_rule/";
    for number in ["*8101", "*0", "*05", "park+5"] {
        let body = json!({ "type": "transfer", "transfer_dst": number, "final": false });
        let body = body.to_string();
        let made = world.post(rules, &body).await;
        assert_eq!((made.status.as_u16(), &made.json()["warnings"]), (201, &json!([])), "{number}");
    }
    let cascade = json!({ "type": "cascade", "cascade_numbers": [
        { "number": "101", "delay": 0 }, { "number": "*7", "delay": 5 }] });
    world.post(rules, &cascade.to_string()).await.assert_refuses("cascade_numbers[1].number");
    // The codes that count are those of the client.
    world.put(PATH, r#"{"room":null,"pickup":"*8"}"#).await;
    let room = json!({ "type": "transfer", "transfer_dst": "*8101" }).to_string();
    world.post(rules, &room).await.assert_refuses("transfer_dst");
    world.put(&format!("{rules}1"), r#"{"name":"kept"}"#).await.json();
}
