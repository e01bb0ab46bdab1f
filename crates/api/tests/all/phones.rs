//! `/phone/`: every field is read, written, checked.

use crate::support::World;
use axum::http::Method;
use serde_json::{Value, json};

const PATH: &str = "/extension/@100/phone/";

#[tokio::test]
async fn a_phone_is_shown_with_every_documented_field() {
    let world = World::new().await;
    let expected = json!({
        "extension_id": world.own.phones[0].0, "label": "Phone 100", "login": "0003100",
        "password": "sip-password-0003100", "auth_type": "digest", "incoming_limit": null,
        "ring_timeout": null, "announce_sound_upon_outgoing_call": null,
        "announce_sound_upon_incoming_call": null, "append_to_cid_name_on_transfer": null,
        "call_screening_enabled": false, "conference_announce_caller_name": true,
        "conference_end_on_exit": true, "conference_pin": null, "allow_webrtc": false,
        "record_enabled": false, "record_transfer": false, "record_format": "mp3",
        "record_stereo": false, "hold_music": null, "ringback_sound": null, "geo_list": null,
        "replace_pin_set": false, "vm_enabled": true, "vm_pin": null, "vm_greeting": null,
        "vm_attach_file": false, "vm_mailto": null, "keypad_codes": true
    });
    assert_eq!(world.get(PATH).await.json(), expected);
}

#[tokio::test]
async fn every_field_is_written_alone_and_changes_no_other() {
    let world = World::new().await;
    let table = [
        ("label", json!("Анна")),
        ("password", json!("s3cret:word")),
        ("auth_type", json!("both")),
        ("incoming_limit", json!(2)),
        ("ring_timeout", json!(25)),
        ("announce_sound_upon_outgoing_call", json!(world.own.sound.0)),
        ("announce_sound_upon_incoming_call", json!(world.own.sound.0)),
        ("append_to_cid_name_on_transfer", json!("via 100: ")),
        ("call_screening_enabled", json!(true)),
        ("conference_announce_caller_name", json!(false)),
        ("conference_end_on_exit", json!(false)),
        ("conference_pin", json!("77")),
        ("allow_webrtc", json!(true)),
        ("record_enabled", json!(true)),
        ("record_transfer", json!(true)),
        ("record_format", json!("wav")),
        ("record_stereo", json!(true)),
        ("hold_music", json!(world.own.sound.0)),
        ("ringback_sound", json!(world.own.sound.0)),
        ("geo_list", json!("RU")),
        ("vm_enabled", json!(false)),
        ("vm_pin", json!("4321")),
        ("vm_greeting", json!(world.own.sound.0)),
        ("vm_attach_file", json!(true)),
        ("keypad_codes", json!(false)),
    ];
    let mut expected = world.get(PATH).await.json();
    for (field, value) in &table {
        assert_ne!(&expected[*field], value, "{field} would not be seen to change");
        expected[*field] = value.clone();
        let answer = world.put(PATH, &json!({ *field: value }).to_string()).await;
        assert_eq!((answer.status.as_u16(), answer.json()), (200, expected.clone()), "{field}");
        assert_eq!(world.get(PATH).await.json(), expected, "{field}");
    }
    let stored = world.store.extension(world.own.id, world.own.phones[0]).await.unwrap().unwrap();
    assert_eq!(stored.phone.unwrap().password.expose(), "s3cret:word");
    let known = ["extension_id", "login", "replace_pin_set", "vm_mailto"];
    for field in expected.as_object().unwrap().keys() {
        let written = table.iter().any(|(name, _)| name == field);
        assert!(written || known.contains(&field.as_str()), "{field} is not in the table");
    }
}

#[tokio::test]
async fn values_that_cannot_be_meant_are_refused_by_name() {
    let world = World::new().await;
    let before = world.get(PATH).await.json();
    let table = [
        ("label", json!("a\nb")),
        ("password", json!("")),
        ("password", json!("short77")),
        ("password", json!("with a space")),
        ("password", json!("пароль-пароль")),
        ("password", json!("x".repeat(65))),
        ("password", json!("line\r\nVia: x")),
        ("auth_type", json!("none")),
        ("incoming_limit", json!(0)),
        ("incoming_limit", json!(1001)),
        ("incoming_limit", json!("many")),
        ("ring_timeout", json!(4)),
        ("ring_timeout", json!(181)),
        ("ring_timeout", json!(18446744073709551615u64)),
        ("announce_sound_upon_outgoing_call", json!("x")),
        ("announce_sound_upon_incoming_call", json!(-1)),
        ("append_to_cid_name_on_transfer", json!("x".repeat(256))),
        ("call_screening_enabled", json!("maybe")),
        ("conference_announce_caller_name", json!(2)),
        ("conference_end_on_exit", json!([])),
        ("conference_pin", json!("12a")),
        ("conference_pin", json!("12345678901")),
        ("allow_webrtc", json!({})),
        ("record_enabled", json!("x")),
        ("record_transfer", json!("x")),
        ("record_format", json!("ogg")),
        ("record_stereo", json!("x")),
        ("hold_music", json!(1.5)),
        ("ringback_sound", json!(true)),
        ("geo_list", json!(["RU"])),
        ("replace_pin", json!("123")),
        ("replace_pin", json!("123456789")),
        ("vm_enabled", json!("x")),
        ("vm_pin", json!("12")),
        ("vm_greeting", json!(1u64 << 60)),
        ("vm_attach_file", json!("x")),
        ("vm_mailto", json!("a@example.com")),
        ("keypad_codes", json!("x")),
    ];
    for (field, value) in table {
        // A good field beside it is not written either.
        let body = json!({ field: value, "append_to_cid_name_on_transfer": "good" });
        let body =
            if field == "append_to_cid_name_on_transfer" { json!({ field: value }) } else { body };
        world.put(PATH, &body.to_string()).await.assert_refuses(field);
    }
    assert_eq!(world.get(PATH).await.json(), before);
}

#[tokio::test]
async fn fields_that_may_be_empty_are_emptied_by_the_empty_string_and_kept_by_null() {
    let world = World::new().await;
    let fields = [
        ("incoming_limit", json!(2)),
        ("hold_music", json!(world.own.sound.0)),
        ("conference_pin", json!("77")),
        ("geo_list", json!("RU")),
        ("vm_pin", json!("4321")),
    ];
    for (field, value) in fields {
        world.put(PATH, &json!({ field: value }).to_string()).await;
        let kept = world.put(PATH, &json!({ field: null }).to_string()).await.json();
        assert_eq!(kept[field], value, "{field}");
        let emptied = world.put(PATH, &json!({ field: "" }).to_string()).await.json();
        assert_eq!(emptied[field], Value::Null, "{field}");
    }
    world.put(PATH, &json!({ "hold_music": world.own.sound.0 }).to_string()).await;
    assert_eq!(world.put(PATH, r#"{"hold_music":0}"#).await.json()["hold_music"], Value::Null);
    world.put(PATH, r#"{"ring_timeout":25}"#).await;
    let emptied = world.put(PATH, r#"{"ring_timeout":""}"#).await.json();
    assert_eq!(emptied["ring_timeout"], Value::Null);
}

/// It was shown as 60, which is longer than an extension with rules rings where nothing is set.
#[tokio::test]
async fn what_was_read_of_a_phone_changes_nothing_when_it_is_written_back() {
    let world = World::new().await;
    let id = world.own.phones[0];
    let phone = || {
        let snapshot = api::Switchboard::snapshot(&*world.switchboard, world.own.id).unwrap();
        format!("{:?}", snapshot.extension(id).unwrap())
    };
    let (read, before) = (world.get(PATH).await, phone());
    assert_eq!(world.put(PATH, &read.text).await.json(), read.json());
    assert_eq!(phone(), before);
}

#[tokio::test]
async fn a_sound_that_the_client_does_not_have_is_refused_by_name() {
    let world = World::new().await;
    for field in ["vm_greeting", "hold_music", "ringback_sound"] {
        for id in [world.other.sound.0, 999] {
            world.put(PATH, &json!({ field: id }).to_string()).await.assert_refuses(field);
        }
    }
}

#[tokio::test]
async fn mail_addresses_are_taken_where_there_is_a_relay() {
    let world = World::with_mail().await;
    let taken = [
        ("a@example.com", json!("a@example.com")),
        (" a@example.com , b@example.com ", json!("a@example.com,b@example.com")),
        ("", Value::Null),
    ];
    for (text, expected) in taken {
        let answer = world.put(PATH, &json!({ "vm_mailto": text }).to_string()).await;
        assert_eq!(answer.json()["vm_mailto"], expected, "{text}");
    }
    let six = ["a@b"; 6].join(",");
    for text in ["nobody", "a@b,", "a@b;c@d", "a@b\nBcc: c@d", &six] {
        world
            .put(PATH, &json!({ "vm_mailto": text }).to_string())
            .await
            .assert_refuses("vm_mailto");
    }
}

#[tokio::test]
async fn a_replace_pin_is_never_read_back_and_null_takes_it_away() {
    let world = World::new().await;
    let set = world.put(PATH, r#"{"replace_pin":"987654"}"#).await;
    assert_eq!(set.json()["replace_pin_set"], true);
    assert!(!set.text.contains("987654") && !world.get(PATH).await.text.contains("987654"));
    assert_eq!(world.put(PATH, r#"{"label":"x"}"#).await.json()["replace_pin_set"], true);
    let gone = world.put(PATH, r#"{"replace_pin":null}"#).await;
    assert_eq!(gone.json()["replace_pin_set"], false);
}

#[tokio::test]
async fn who_may_only_read_is_shown_no_password() {
    let world = World::new().await;
    world.put(PATH, r#"{"vm_pin":"4321","conference_pin":"77"}"#).await;
    let token = world.read_only_token().await;
    let answer = world.ask(Method::GET, PATH, &token, "").await;
    for secret in ["password", "vm_pin", "conference_pin"] {
        assert_eq!(answer.json()[secret], Value::Null, "{secret}");
    }
    assert_eq!(answer.json()["login"], "0003100");
}

#[tokio::test]
async fn what_is_no_phone_has_none() {
    let world = World::new().await;
    world.post("/client/@me/extension/", r#"{"name":"150","type":"queue"}"#).await;
    world.get("/extension/@150/phone/").await.assert_error(404);
    world.put("/extension/@150/phone/", "{}").await.assert_error(404);
}

#[tokio::test]
async fn a_changed_password_is_in_use_when_it_is_answered() {
    let world = World::new().await;
    world.put(PATH, r#"{"password":"new-password"}"#).await;
    let used = api::Switchboard::snapshot(&*world.switchboard, world.own.id).unwrap();
    let directory = store::directory::build([&*used], "realm");
    let stored = world.store.directory("realm").await.unwrap();
    assert_eq!(directory.logins["0003100"].ha1_md5, stored.logins["0003100"].ha1_md5);
    assert_eq!(
        used.named("100").unwrap().phone.as_ref().unwrap().password.expose(),
        "new-password"
    );
}
