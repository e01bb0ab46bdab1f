//! `PUT /current_calls/`, `/valet_park/` and `/phone_replace/`: what is understood of a body, what
//! the owner of the calls is asked, and what becomes of its answers.

use std::sync::atomic::Ordering;

use crate::support::{Answer, World};
use axum::http::Method;
use leg::{CallAction, Command, MonitorMode, Refusal};
use model::Number;
use serde_json::{Value, json};
use store::{AppAccess, UserAccess, UserScope};

impl World {
    fn calls_path(&self) -> String {
        format!("/extension/@100/current_calls/{}", self.own.call)
    }

    fn park_path(&self) -> String {
        format!("/extension/@100/valet_park/{}", self.own.call)
    }

    fn refuses_with(&self, refusal: Refusal) {
        *self.switchboard.refusing.lock().unwrap() = Some(refusal);
    }

    /// The actions that were asked for since the last time.
    fn actions(&self) -> Vec<CallAction> {
        let commands = std::mem::take(&mut *self.switchboard.asked.lock().unwrap());
        let action = |command| match command {
            Command::Control { action, .. } => action,
            other => panic!("no action: {other:?}"),
        };
        commands.into_iter().map(action).collect()
    }
}

#[tokio::test]
async fn every_action_reaches_the_owner_of_the_call_and_answers_with_the_call() {
    let world = World::new().await;
    let number = |text: &str| Number::parse(text).unwrap();
    let monitor = |mode| CallAction::Monitor(mode, number("101"));
    let table = [
        (r#"{"action":"transfer","send_dst":"101"}"#, CallAction::Transfer(Some(number("101")))),
        (
            r#"{"action":"transfer","send_dst":78121234567}"#,
            CallAction::Transfer(Some(number("78121234567"))),
        ),
        (r#"{"action":"transfer"}"#, CallAction::Transfer(None)),
        (r#"{"action":"transfer","send_dst":null}"#, CallAction::Transfer(None)),
        (r#"{"action":"transfer","send_dst":""}"#, CallAction::Transfer(None)),
        (
            r#"{"action":"attended_transfer","send_dst":"0003*101"}"#,
            CallAction::AttendedTransfer(number("0003*101")),
        ),
        (r#"{"action":"eavesdrop","send_dst":101}"#, monitor(MonitorMode::Eavesdrop)),
        (r#"{"action":"whisper","send_dst":"101"}"#, monitor(MonitorMode::Whisper)),
        (r#"{"action":"conference","send_dst":" 101 "}"#, monitor(MonitorMode::Conference)),
        (r#"{"action":"hold"}"#, CallAction::Hold),
        (r#"{"action":"offhold","unknown":1}"#, CallAction::Offhold),
        (r#"{"action":"pickup","send_dst":"101"}"#, CallAction::Pickup(number("101"))),
        // Being sent to a place to park is being parked there.
        (r#"{"action":"transfer","send_dst":"*06"}"#, CallAction::Transfer(Some(number("*06")))),
        // What an action does not need is not looked at.
        (r#"{"action":"hold","send_dst":["x"]}"#, CallAction::Hold),
    ];
    let call = world.get(&world.calls_path()).await.json();
    for (body, expected) in table {
        let answer = world.put(&world.calls_path(), body).await;
        assert_eq!((answer.status.as_u16(), answer.json()), (200, call.clone()), "{body}");
        assert_eq!(world.actions(), [expected], "{body}");
    }
}

#[tokio::test]
async fn a_parked_call_is_answered_with_its_slot() {
    let world = World::new().await;
    let mut expected = world.get(&world.calls_path()).await.json();
    expected["slot"] = json!("1");
    // This resource knows no slots: the first free one is taken.
    for body in [r#"{"action":"park"}"#, r#"{"action":"park","slot":"6"}"#] {
        let answer = world.put(&world.calls_path(), body).await;
        assert_eq!((answer.status.as_u16(), answer.json()), (200, expected.clone()), "{body}");
        assert_eq!(world.actions(), [CallAction::Park(None)]);
    }
}

#[tokio::test]
async fn a_body_that_cannot_be_meant_is_refused_by_the_field_and_nothing_is_done() {
    let world = World::new().await;
    let calls = [
        ("action", json!({})),
        ("action", json!({ "action": null, "send_dst": "101" })),
        ("action", json!({ "action": "explode" })),
        ("action", json!({ "action": "Hold" })),
        ("action", json!({ "action": ["hold"] })),
        ("send_dst", json!({ "action": "pickup" })),
        ("send_dst", json!({ "action": "eavesdrop", "send_dst": "" })),
        ("send_dst", json!({ "action": "whisper", "send_dst": null })),
        ("send_dst", json!({ "action": "conference", "send_dst": " " })),
        ("send_dst", json!({ "action": "attended_transfer", "send_dst": {} })),
        ("send_dst", json!({ "action": "transfer", "send_dst": "1 2" })),
        ("send_dst", json!({ "action": "transfer", "send_dst": "101\r\nVia: x" })),
        ("send_dst", json!({ "action": "transfer", "send_dst": 1.5 })),
        ("send_dst", json!({ "action": "transfer", "send_dst": -101 })),
        ("send_dst", json!({ "action": "transfer", "send_dst": true })),
        ("send_dst", json!({ "action": "transfer", "send_dst": "1".repeat(65) })),
        // Codes can only be dialled.
        ("send_dst", json!({ "action": "transfer", "send_dst": "*7101" })),
        ("send_dst", json!({ "action": "pickup", "send_dst": "*4101" })),
        ("send_dst", json!({ "action": "eavesdrop", "send_dst": "*3" })),
    ];
    for (field, body) in calls {
        world.put(&world.calls_path(), &body.to_string()).await.assert_refuses(field);
    }
    let park = [
        ("action", json!({})),
        ("action", json!({ "action": "unpark" })),
        ("slot", json!({ "action": "park", "slot": 0 })),
        ("slot", json!({ "action": "bridge", "slot": "10" })),
        ("slot", json!({ "action": "slots", "slot": "x" })),
        ("slot", json!({ "action": "slots", "slot": 1.5 })),
        ("slot", json!({ "action": "park", "slot": [6] })),
    ];
    for (field, body) in park {
        world.put(&world.park_path(), &body.to_string()).await.assert_refuses(field);
    }
    world.put(&world.calls_path(), "[]").await.assert_error(400);
    assert_eq!(world.actions(), []);
}

/// What every refusal is answered with, on either resource.
const REFUSALS: [(Refusal, &str, &str); 18] = [
    (Refusal::NoSuchCall, "404", "Not found"),
    (Refusal::NothingParked, "404 nothing_parked", "Nothing is parked there"),
    (Refusal::NotReplaced, "404 not_replaced", "The extension is not replaced"),
    (Refusal::NotAnswered, "409 not_answered", "The call is not answered"),
    (Refusal::AlreadyParked, "409 already_parked", "The call is parked"),
    (Refusal::TransferInProgress, "409 transfer_in_progress", "The call is being transferred"),
    (Refusal::HeldByPhone, "409 held_by_phone", "The phone holds the call"),
    (Refusal::AlreadyAnswered, "409 already_answered", "Somebody has answered the call"),
    (Refusal::SlotFull, "409 slot_full", "slot already have parked member, slot is full"),
    (Refusal::NoFreeSlot, "409 no_free_slot", "All slots are taken"),
    (Refusal::TooManyParties, "409 too_many_parties", "The call is not one of two parties"),
    (
        Refusal::NoFarParty,
        "409 no_far_party",
        "Nobody is at the other end of the call but a machine",
    ),
    (Refusal::NumberMissing, "400 invalid_value", "send_dst: is required"),
    (Refusal::OwnNumber, "400 invalid_value", "send_dst: is in the call already"),
    (Refusal::NoSuchSlot, "400 invalid_value", "slot: the client has no such slot"),
    (Refusal::BadNumber, "400 invalid_value", "send_dst: leads nowhere"),
    (Refusal::Forbidden, "403 forbidden", "Not allowed"),
    (Refusal::Full, "503 full", "No room for it now"),
];

#[tokio::test]
async fn every_refusal_has_its_code_its_status_and_its_text() {
    let world = World::new().await;
    for (refusal, verdict, message) in REFUSALS {
        world.refuses_with(refusal);
        let calls = world.put(&world.calls_path(), r#"{"action":"park"}"#).await;
        let park = world.put(&world.park_path(), r#"{"action":"park","slot":6}"#).await;
        for answer in [calls, park] {
            assert_eq!(answer.verdict(), verdict);
            assert_eq!(answer.json()["message"], message, "{refusal:?}");
            let again = (answer.status == 503).then_some("1");
            assert_eq!(answer.header("retry-after"), again, "{refusal:?}");
            // The word is the one by which the switch itself calls it.
            let status = answer.json().get("status").cloned();
            let own = status.filter(|status| status != "invalid_value");
            assert!(own.is_none_or(|status| status == refusal.as_str()), "{refusal:?}");
        }
    }
}

#[tokio::test]
async fn a_slot_is_parked_in_and_taken_from_as_documented() {
    let world = World::new().await;
    let uuid = world.own.call.uuid.to_string();
    let table = [
        (r#"{"action":"park","slot":"6"}"#, CallAction::Park(Some(6)), "6"),
        (r#"{"action":"park","slot":6}"#, CallAction::Park(Some(6)), "6"),
        (r#"{"action":"park"}"#, CallAction::Park(None), "1"),
        (r#"{"action":"park","slot":""}"#, CallAction::Park(None), "1"),
        (r#"{"action":"bridge","slot":"9"}"#, CallAction::Bridge(Some(9)), "9"),
        (r#"{"action":"bridge"}"#, CallAction::Bridge(None), "1"),
    ];
    for (body, action, slot) in table {
        let answer = world.put(&world.park_path(), body).await;
        let expected = json!({ "slot": slot, "UUID": uuid });
        assert_eq!((answer.status.as_u16(), answer.json()), (200, expected), "{body}");
        assert_eq!(world.actions(), [action], "{body}");
    }
}

#[tokio::test]
async fn slots_are_told_for_any_call_that_has_a_handle() {
    let world = World::new().await;
    let ended = "3232240860-37b98fb2-a66c-11ea-ae69-6fd86d94a0e0";
    let uuid = world.own.call.uuid.to_string();
    let table = [
        (r#"{"action":"slots","slot":"6"}"#, json!({ "slot": "6", "UUID": uuid })),
        (r#"{"action":"slots","slot":7}"#, json!({ "slot": "7", "UUID": null })),
        (r#"{"action":"slots"}"#, json!({ "slots": ["1", "2", "3", "4", "5", "7", "8", "9"] })),
    ];
    for (body, expected) in table {
        for handle in [&world.own.call.to_string(), ended] {
            let answer = world.put(&format!("/extension/@101/valet_park/{handle}"), body).await;
            assert_eq!(answer.json(), expected, "{body} {handle}");
        }
        world.put("/extension/@101/valet_park/x", body).await.assert_error(404);
    }
}

#[tokio::test]
async fn a_call_that_is_not_this_extensions_is_not_found() {
    let world = World::new().await;
    let ended = "3232240860-37b98fb2-a66c-11ea-ae69-6fd86d94a0e0";
    for handle in [ended, "x", "1-2", &world.other.call.to_string()] {
        let path = format!("/extension/@100/current_calls/{handle}");
        world.put(&path, r#"{"action":"hold"}"#).await.assert_error(404);
        let path = format!("/extension/@100/valet_park/{handle}");
        world.put(&path, r#"{"action":"park"}"#).await.assert_error(404);
    }
}

#[tokio::test]
async fn who_asks_goes_with_the_action_into_the_audit() {
    let world = World::new().await;
    let program_of = |command: &Command| match command {
        Command::Control { program, .. } => (**program).clone(),
        other => panic!("no action: {other:?}"),
    };
    let (calls, park) = (world.calls_path(), world.park_path());
    world.put(&calls, r#"{"action":"eavesdrop","send_dst":"101"}"#).await;
    world.put(&park, r#"{"action":"park"}"#).await;
    let scope = UserScope::Extension(world.own.phones[0]);
    let token = world.token_of(scope, UserAccess::Full, AppAccess::CallApi).await;
    world.ask(Method::PUT, &calls, &token, r#"{"action":"hold"}"#).await;
    let asked = world.switchboard.asked.lock().unwrap();
    let [first, second, third] = [0, 1, 2].map(|n| program_of(&asked[n]));
    assert_eq!((first.user, &*first.login), (world.own.user, "boss0003"));
    assert_eq!((&*first.application, &second), ("trusted0003", &first));
    assert_ne!(third.user, first.user);
    assert!(third.login.starts_with("user ") && third.application.starts_with("app "));
}

#[tokio::test]
async fn a_switchboard_that_is_away_does_nothing_and_says_when_to_try_again() {
    let world = World::new().await;
    world.switchboard.away.store(true, Ordering::Relaxed);
    let refused = |answer: Answer| {
        answer.assert_error(503);
        assert_eq!(answer.header("retry-after"), Some("1"));
    };
    refused(world.put(&world.calls_path(), r#"{"action":"hold"}"#).await);
    refused(world.put(&world.park_path(), r#"{"action":"slots"}"#).await);
    refused(world.get("/client/@me/phone_replace/").await);
    refused(world.delete("/client/@me/phone_replace/@100").await);
}

#[tokio::test]
async fn replacements_are_listed_and_ended_by_either_side() {
    let world = World::new().await;
    let list = async || world.get("/client/@me/phone_replace/").await.json();
    let [by, with] = world.own.phones;
    let extension = |id: u64, name: &str| {
        json!({ "name": name, "id": id, "client_id": world.own.id.0, "type": "phone",
                "extension_group_id": null })
    };
    let pair = json!({
        "extension": extension(by.0, "0003*100"),
        "replaced_extension": extension(with.0, "0003*101"),
        "since_gmt": "2023-11-14 22:13:20",
    });
    assert_eq!(list().await, json!([pair]));
    for side in [by, with] {
        let ended = world.delete(&format!("/client/@me/phone_replace/{side}")).await;
        assert_eq!((ended.status.as_u16(), ended.text.as_str()), (204, ""));
        let asked = world.switchboard.asked.lock().unwrap().pop();
        let Some(Command::EndReplace { extension, program }) = asked else { panic!("{asked:?}") };
        assert_eq!((extension, &*program.login), (side, "boss0003"), "who did it");
        assert_eq!(list().await, json!([]));
        let again = world.delete(&format!("/client/@me/phone_replace/{side}")).await;
        assert_eq!(again.verdict(), "404 not_replaced");
        world.switchboard.replace(world.own.id, world.own.phones);
    }
}

#[tokio::test]
async fn a_user_of_one_extension_sees_its_own_replacement_only() {
    let world = World::new().await;
    world.grow(4).await;
    let snapshot = api::Switchboard::snapshot(&*world.switchboard, world.own.id).unwrap();
    let others = ["102", "103"].map(|name| snapshot.named(name).unwrap().id);
    world.switchboard.replace(world.own.id, others);
    let scope = UserScope::Extension(world.own.phones[1]);
    let token = world.token_of(scope, UserAccess::Full, AppAccess::All).await;
    let seen = world.ask(Method::GET, "/client/@me/phone_replace/", &token, "").await.json();
    let names: Vec<&Value> =
        seen.as_array().unwrap().iter().map(|pair| &pair["replaced_extension"]["name"]).collect();
    assert_eq!(names, ["0003*101"]);
    let all = world.get("/client/@me/phone_replace/").await.json();
    assert_eq!(all.as_array().unwrap().len(), 2);
}
