//! `/current_calls/` and registrations: what the switchboard says, as JSON.

use std::sync::atomic::Ordering;

use crate::support::{START, World};
use leg::RegistrationView;
use model::{DeviceId, ExtensionId, Wall};
use serde_json::{Value, json};

fn calls(list: &Value) -> &Vec<Value> {
    list["call_list"].as_array().unwrap()
}

#[tokio::test]
async fn a_call_is_shown_with_every_documented_field() {
    let world = World::new().await;
    let [caller, called] = world.own.phones;
    let client = world.own.id.0;
    let extension = |id: ExtensionId, name: &str| {
        json!({ "name": name, "id": id.0, "client_id": client, "type": "phone",
                "extension_group_id": null })
    };
    let handle = world.own.call.to_string();
    let expected = json!({
        "call_api_id": handle, "call_flow": "out", "called_number": "101", "called_did": null,
        "caller_id_number": "0003*100", "caller_id_name": "Anna \"A\"",
        "caller_extension": extension(caller, "0003*100"),
        "called_extension": extension(called, "0003*101"),
        "init_time_gmt": "2023-11-14 22:13:20", "answer_time_gmt": "2023-11-14 22:13:22",
        "record_uuid": null, "real_call": true, "extension_id": caller.0, "callback_id": null,
        "subcall_id": format!("{caller}-000000000000000000000000000000ff"),
        "call_id": world.own.call.uuid.hex(),
    });
    assert!(handle.starts_with("3232240860-00000000-0000-"), "{handle}");
    let one = world.get(&format!("/extension/@100/current_calls/{handle}")).await.json();
    assert_eq!(one, expected);
    let list = world.get("/extension/@100/current_calls/").await.json();
    assert_eq!(list, json!({ "call_list": [expected] }));
}

#[tokio::test]
async fn the_client_lists_both_sides_of_a_call() {
    let world = World::new().await;
    let list = world.get("/client/@me/current_calls/").await.json();
    let sides: Vec<_> =
        calls(&list).iter().map(|c| (&c["extension_id"], &c["call_flow"])).collect();
    let [caller, called] = world.own.phones.map(|id| json!(id.0));
    assert_eq!(sides, [(&caller, &json!("out")), (&called, &json!("in"))]);
}

#[tokio::test]
async fn a_call_is_rendered_once() {
    let world = World::new().await;
    let views = world.switchboard.views(world.own.id);
    assert!(views.iter().all(|view| view.rendered.get().is_none()));
    world.get("/client/@me/current_calls/").await;
    let text = views[0].rendered.get().unwrap().as_ptr();
    world.get("/client/@me/current_calls/").await;
    assert_eq!(views[0].rendered.get().unwrap().as_ptr(), text);
}

#[tokio::test]
async fn hanging_up_ends_the_call_on_both_sides() {
    let world = World::new().await;
    let path = format!("/extension/@101/current_calls/{}", world.own.call);
    let done = world.delete(&path).await;
    assert_eq!((done.status.as_u16(), done.text.as_str()), (204, ""));
    assert_eq!(world.get("/client/@me/current_calls/").await.text, r#"{"call_list":[]}"#);
    world.get(&path).await.assert_error(404);
    world.delete(&path).await.assert_error(404);
    assert_eq!(world.switchboard.views(world.other.id).len(), 2, "the other client talks on");
}

#[tokio::test]
async fn what_is_no_handle_of_a_call_names_no_call() {
    let world = World::new().await;
    let other = "3232240860-37b98fb2-a66c-11ea-ae69-6fd86d94a0e0";
    for handle in ["x", "1-2", "-", "%20", other] {
        let path = format!("/extension/@100/current_calls/{handle}");
        world.get(&path).await.assert_error(404);
        world.delete(&path).await.assert_error(404);
    }
}

#[tokio::test]
async fn queues_and_menus_have_no_calls_of_their_own() {
    let world = World::new().await;
    for (name, kind) in [("150", "queue"), ("151", "ivr")] {
        let body = json!({ "name": name, "type": kind }).to_string();
        world.post("/client/@me/extension/", &body).await;
        let list = world.get(&format!("/extension/@{name}/current_calls/")).await;
        assert_eq!(list.text, r#"{"call_list":[]}"#, "{kind}");
    }
}

fn registration(extension: ExtensionId, device: u64) -> RegistrationView {
    RegistrationView {
        extension,
        registration_id: DeviceId(device),
        device: "Phone/1.0".to_owned(),
        real_address: "192.0.2.1:5062".parse().unwrap(),
        contact_address: "sip:100@10.0.0.1:5060".to_owned(),
        expires: Wall(START.0 + 90_000_000),
    }
}

#[tokio::test]
async fn registrations_are_listed_by_extension() {
    let world = World::new().await;
    let [first, second] = world.own.phones;
    world.switchboard.register(world.own.id, registration(first, 1));
    world.switchboard.register(world.own.id, registration(first, 2));
    world.switchboard.register(world.other.id, registration(world.other.phones[0], 1));
    world.pass_seconds(30);
    let contact = |id: &str| {
        json!({ "device": "Phone/1.0", "real_address": "192.0.2.1:5062",
                "contact_address": "sip:100@10.0.0.1:5060", "expires": 60, "registration_id": id })
    };
    let up = json!({ "extension_id": first.0, "registered": true,
                     "registrations": [contact("1"), contact("2")] });
    let down = json!({ "extension_id": second.0, "registered": false, "registrations": [] });
    let table = [
        ("/extension/registration/".to_owned(), json!([up, down])),
        (format!("/extension/registration?extension_id={second}"), json!([down])),
        (
            format!("/extension/registration/?extension_id={second}&extension_id={first}"),
            json!([down, up]),
        ),
        ("/extension/registration/?extension_id=@100".to_owned(), json!([up])),
        ("/extension/@100/registration/".to_owned(), up.clone()),
        ("/extension/@101/registration".to_owned(), down.clone()),
        ("/extension/alive/".to_owned(), json!([{ "extension_id": first.0 }])),
        (format!("/extension/alive/?extension_id={second}"), json!([])),
    ];
    for (path, expected) in table {
        assert_eq!(world.get(&path).await.json(), expected, "{path}");
    }
    world.pass_seconds(1_000);
    let late = world.get("/extension/@100/registration/").await.json();
    assert_eq!(late["registrations"][0]["expires"], 0);
}

#[tokio::test]
async fn a_switchboard_that_is_away_is_told_with_when_to_try_again() {
    let world = World::new().await;
    world.switchboard.away.store(true, Ordering::Relaxed);
    for path in
        ["/client/@me/current_calls/", "/extension/@100/current_calls/", "/extension/alive/"]
    {
        let answer = world.get(path).await;
        answer.assert_error(503);
        assert_eq!(answer.header("retry-after"), Some("1"), "{path}");
    }
    assert_eq!(world.get("/extension/@100").await.status, 200, "configuration is still shown");
}

#[tokio::test]
async fn a_change_is_answered_in_the_end_though_nobody_uses_it_yet() {
    let world = World::new().await;
    world.switchboard.stuck.store(true, Ordering::Relaxed);
    let answer = world.put("/extension/@100", r#"{"label":"late"}"#).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["label"]), (200, &json!("late")));
    let used = api::Switchboard::snapshot(&*world.switchboard, world.own.id).unwrap();
    assert_eq!(used.named("100").unwrap().label.as_str(), "Phone 100");
}
