//! `/voicemail/`: what callers have left.

use axum::http::Method;
use model::{ExtensionGroupId, FileId, Wall};
use serde_json::{Value, json};
use store::{AppAccess, UserAccess, UserScope};

use crate::support::files::leave;
use crate::support::{START, World};

const SPAN: &str = "?start_datetime=2023-11-01%2000:00:00&end_datetime=2023-12-01%2000:00:00";

/// The files of a list, in its order.
fn files(list: &Value) -> Vec<String> {
    let list = list.as_array().unwrap();
    list.iter().map(|m| m["record_uuid"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_message_is_shown_with_the_fields_of_a_call_record() {
    let world = World::new().await;
    let message = world.own.message.to_string();
    let expected = json!([{
        "record_uuid": message, "record_file_size": 9,
        "file_name": "2023-11-14-21-13-20-UTC_in_100.wav", "heard": false,
        "call_uuid": "00000000000000000000000000000ABC",
        "subcall_id": "100000-000000000000000000000000000000ff",
        "flow": "in", "result": "voicemail", "init_time_gmt": "2023-11-14 21:13:20",
        "start_time_gmt": "2023-11-14 21:13:20", "hangup_time_gmt": "2023-11-14 21:13:22",
        "duration": 3, "extension_id": world.own.phones[0].0,
        "extension_name": "0003*100@sip.example.com", "extension_type": "phone",
        "client_owner_id": world.own.id.0, "extension_group_owner_id": null,
        "from_username": "74951234567", "from_domain": "sip.example.com",
        "from_screen_name": "Anna", "to_username": "100", "to_domain": "sip.example.com",
        "did_number": "78121234567",
    }]);
    for path in ["/client/@me/voicemail/", "/extension/@100/voicemail/"] {
        assert_eq!(world.get(&format!("{path}{SPAN}")).await.json(), expected, "{path}");
    }
    assert_eq!(world.get(&format!("/extension/@101/voicemail/{SPAN}")).await.text, "[]");
}

#[tokio::test]
async fn messages_are_listed_newest_first_page_by_page() {
    let world = World::new().await;
    for n in 1..=3 {
        let of = (world.own.id, world.own.phones[0]);
        let time = Wall(START.0 - 100_000_000 + n * 1_000_000);
        leave(&world.store, &world.files, of, FileId(n.unsigned_abs().into()), time).await;
    }
    let listed = async |query: &str| {
        let path = format!("/extension/@100/voicemail/{SPAN}{query}");
        files(&world.get(&path).await.json())
    };
    let [first, a, b, c] =
        [world.own.message, FileId(1), FileId(2), FileId(3)].map(|f| f.to_string());
    assert_eq!(listed("").await, [&c, &b, &a, &first].map(String::clone));
    assert_eq!(listed("&order=asc").await, [&first, &a, &b, &c].map(String::clone));
    assert_eq!(listed("&per_page=2&page=2").await, [&a, &first].map(String::clone));
    assert_eq!(listed("&count=1&order=asc").await, [first]);
    assert_eq!(listed("&page=9&per_page=4").await, Vec::<String>::new());
}

#[tokio::test]
async fn a_list_needs_a_span_of_at_most_two_months() {
    let world = World::new().await;
    let table = [
        ("", "start_datetime"),
        ("?start_datetime=2023-11-01", "end_datetime"),
        ("?start_datetime=x&end_datetime=2023-11-01", "start_datetime"),
        ("?start_datetime=2023-11-02&end_datetime=2023-11-01", "end_datetime"),
        ("?start_datetime=2023-11-01&end_datetime=2024-01-03", "end_datetime"),
        ("?start_datetime=2023-11-01&end_datetime=2023-11-02&order=up", "order"),
        ("?start_datetime=2023-11-01&end_datetime=2023-11-02&page=0", "page"),
    ];
    for (query, field) in table {
        let answer = world.get(&format!("/client/@me/voicemail/{query}")).await;
        answer.assert_refuses(field);
    }
    // July and August are the longest two months.
    let months = "?start_datetime=2023-7-1&end_datetime=2023-8-31%2023:59:59";
    assert_eq!(world.get(&format!("/client/@me/voicemail/{months}")).await.text, "[]");
    // A message in the last second of the span belongs to it.
    let second = "?start_datetime=2023-11-14%2021:13:20&end_datetime=2023-11-14%2021:13:20";
    assert_eq!(files(&world.get(&format!("/client/@me/voicemail/{second}")).await.json()).len(), 1);
}

#[tokio::test]
async fn who_fetches_a_message_has_heard_it() {
    let world = World::new().await;
    let message = world.own.message.to_string();
    let heard = async || {
        let list = world.get(&format!("/client/@me/voicemail/{SPAN}")).await.json();
        list[0]["heard"].as_bool().unwrap()
    };
    assert!(!heard().await);
    // In large letters too, as older records are named.
    let path = format!("/extension/@100/voicemail/{}", message.to_uppercase());
    let fetched = world.get(&path).await;
    assert_eq!((fetched.status.as_u16(), fetched.text.as_str()), (200, "a message"));
    assert_eq!(
        fetched.header("content-disposition"),
        Some(
            "attachment; filename=\"2023-11-14-21-13-20-UTC_in_100.wav\"; \
             filename*=UTF-8''2023-11-14-21-13-20-UTC_in_100.wav"
        )
    );
    assert!(heard().await);
    for path in [format!("{path}/download/"), format!("/client/@me/voicemail/{message}/download")] {
        assert_eq!(world.get(&path).await.text, "a message", "{path}");
    }
    // Who watches the messages was shown the change once.
    assert_eq!(world.switchboard.messages_changed.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_message_goes_with_its_file() {
    let world = World::new().await;
    let path = format!("/extension/@100/voicemail/{}", world.own.message);
    assert_eq!(world.delete(&path).await.status, 204);
    assert!(!world.files.path(world.own.message).exists());
    world.delete(&path).await.assert_error(404);
    world.get(&path).await.assert_error(404);
    assert_eq!(world.get(&format!("/client/@me/voicemail/{SPAN}")).await.text, "[]");
}

#[tokio::test]
async fn a_message_is_found_only_where_it_belongs() {
    let world = World::new().await;
    for path in [
        format!("/extension/@101/voicemail/{}", world.own.message),
        format!("/client/@me/voicemail/{}", FileId(77)),
        "/client/@me/voicemail/xyz".to_owned(),
    ] {
        world.get(&path).await.assert_error(404);
        world.delete(&path).await.assert_error(404);
    }
    assert!(world.files.path(world.own.message).exists());
}

#[tokio::test]
async fn users_of_an_extension_or_a_group_see_only_its_messages() {
    let world = World::new().await;
    let of = (world.own.id, world.own.phones[1]);
    leave(&world.store, &world.files, of, FileId(5), START).await;
    let change = |e: &mut model::Extension| e.group = Some(ExtensionGroupId(8));
    world.store.change_extension(world.own.id, world.own.phones[1], change).await.unwrap();
    world.switchboard.load(world.own.id).await;
    let first = (UserScope::Extension(world.own.phones[0]), world.own.message, FileId(5));
    let second = (UserScope::Group(ExtensionGroupId(8)), FileId(5), world.own.message);
    for (scope, own, foreign) in [first, second] {
        let token = world.token_of(scope, UserAccess::Full, AppAccess::CallApi).await;
        let ask = async |method, path: &str| world.ask(method, path, &token, "").await;
        let list = ask(Method::GET, &format!("/client/@me/voicemail/{SPAN}")).await;
        assert_eq!(files(&list.json()), [own.to_string()], "{scope:?}");
        ask(Method::GET, &format!("/client/@me/voicemail/{foreign}")).await.assert_error(404);
        ask(Method::DELETE, &format!("/client/@me/voicemail/{foreign}")).await.assert_error(404);
        assert_eq!(ask(Method::GET, &format!("/client/@me/voicemail/{own}")).await.status, 200);
    }
}

#[tokio::test]
async fn messages_of_an_extension_that_is_gone_stay_for_the_client() {
    let world = World::new().await;
    world.delete("/extension/@100").await;
    let list = world.get(&format!("/client/@me/voicemail/{SPAN}")).await.json();
    assert_eq!(files(&list), [world.own.message.to_string()]);
    assert_eq!((&list[0]["extension_name"], &list[0]["to_username"]), (&Value::Null, &Value::Null));
    let path = format!("/client/@me/voicemail/{}", world.own.message);
    assert_eq!(world.get(&path).await.text, "a message");
    assert_eq!(world.delete(&path).await.status, 204);
}
