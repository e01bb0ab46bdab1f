//! Subscriptions of phones and what they are told: RFC 6665, RFC 4235, RFC 3842.

use core::time::Duration;

use leg::{
    DialogDirection, DialogStage, DialogState, Identity, LampCommand, LampEvent, LampState, LegId,
    Package, SubscriptionId,
};
use model::{DeviceId, Directory, DisplayName, Number};
use sip::{Header, Message};
use stack::{Effect, Input};

use crate::bench::{self, ALICE, BOB, Bench, Phone, TENANT, udp};

const URI: &str = "sip:101@acme.example";

fn command(b: &mut Bench, command: LampCommand) {
    b.input(Input::Lamp { tenant: TENANT, command });
}

fn resource() -> Number {
    Number::parse("101").unwrap()
}

fn show(b: &mut Bench, state: LampState) {
    command(b, LampCommand::Show { resource: resource(), state });
}

fn messages(new: u32) -> LampState {
    LampState::Messages { new, old: 8 }
}

/// What the exchange was told last.
fn told(b: &mut Bench) -> LampEvent {
    let lamps = b.others.iter().rev().find_map(|effect| match effect {
        Effect::Lamp { tenant, event } => Some((*tenant, event.clone())),
        _ => None,
    });
    let (tenant, event) = lamps.unwrap_or_else(|| panic!("nothing was told: {}", b.ladder));
    assert_eq!(tenant, TENANT);
    event
}

fn alice() -> Phone {
    let mut alice = Phone::new("alice", udp("198.51.100.7:5060"));
    alice.call_id = "watching".into();
    alice
}

/// Alice subscribes, and is granted this; the 200 and the first NOTIFY.
fn watching(b: &mut Bench, more: &str, state: LampState) -> (Phone, Message, Message) {
    let mut alice = alice();
    alice.prove(b, "SUBSCRIBE", URI, &format!("<{URI}>"), more, "");
    let LampEvent::Asked { id, watched } = told(b) else { panic!("{}", b.ladder) };
    assert_eq!((watched.by, watched.package), (ALICE, state.package()));
    assert_eq!(watched.resource, resource());
    command(b, LampCommand::Grant { id, resource: resource(), state });
    let ok = b.next_of("200");
    alice.learns(&ok);
    let notify = b.next_of("NOTIFY");
    (alice, ok, notify)
}

/// Subscription-State and body.
fn said(message: &Message) -> (String, String) {
    assert_eq!(message.method(), Some(sip::Method::Notify));
    assert!(message.contact().unwrap().is_some());
    let state = message.text(Header::SubscriptionState).unwrap().into_owned();
    (state, String::from_utf8(message.body().to_vec()).unwrap())
}

fn calls(stage: DialogStage) -> LampState {
    let name = DisplayName::parse("<Ann> & \"Co\"").unwrap();
    LampState::Dialogs(vec![DialogState {
        leg: None,
        id: 7,
        direction: DialogDirection::Recipient,
        stage,
        remote: Identity::of(Number::parse("+49&30").unwrap(), name),
    }])
}

#[test]
fn the_state_is_told_at_once_and_whenever_it_changes_one_at_a_time() {
    let mut b = Bench::new();
    let (alice, ok, first) = watching(&mut b, "Event: message-summary", messages(0));
    assert_eq!(ok.text(Header::Expires).as_deref(), Some("3600"));
    let body = "Messages-Waiting: no\r\nMessage-Account: sip:101@acme.example\r\n\
                Voice-Message: 0/8 (0/0)\r\n";
    assert_eq!(said(&first), ("active;expires=3600".into(), body.into()));
    for new in [1, 2, 3] {
        show(&mut b, messages(new));
    }
    assert!(b.sent.is_empty(), "two at once");
    alice.answers(&mut b, &first, 200, "");
    let second = b.next_sent();
    assert!(said(&second).1.contains("yes") && said(&second).1.contains("3/8"), "{second:?}");
    alice.answers(&mut b, &second, 200, "");
    show(&mut b, messages(3));
    assert!(b.sent.is_empty(), "nothing has changed");
    assert!(second.cseq().unwrap().number > first.cseq().unwrap().number);
}

#[test]
fn the_calls_of_an_extension_are_told_in_full_with_a_rising_version() {
    let mut b = Bench::new();
    let more = "Event: dialog;id=9\nAccept: application/dialog-info+xml";
    let (alice, _, first) = watching(&mut b, more, LampState::Dialogs(Vec::new()));
    assert_eq!(first.text(Header::Event).as_deref(), Some("dialog;id=9"));
    expect_test::expect![[r#"
        <?xml version="1.0"?>
        <dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" version="0" state="full" entity="sip:101@acme.example">
        </dialog-info>
    "#]]
    .assert_eq(&said(&first).1);
    alice.answers(&mut b, &first, 200, "");
    show(&mut b, calls(DialogStage::Early));
    expect_test::expect![[r#"
        <?xml version="1.0"?>
        <dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" version="1" state="full" entity="sip:101@acme.example">
        <dialog id="7" direction="recipient">
        <state>early</state>
        <local><identity>sip:101@acme.example</identity><target uri="sip:101@acme.example"/></local>
        <remote><identity display="&lt;Ann&gt; &amp; &quot;Co&quot;">sip:+49&amp;30@acme.example</identity><target uri="sip:+49&amp;30@acme.example"/></remote>
        </dialog>
        </dialog-info>
    "#]]
    .assert_eq(&said(&b.next_sent()).1);
}

#[test]
fn what_a_lamp_shows_leads_an_invite_with_replaces_to_the_leg_and_ends_no_call() {
    let mut b = Bench::new();
    let (alice, _, first) = watching(&mut b, "Event: dialog", LampState::Dialogs(Vec::new()));
    alice.answers(&mut b, &first, 200, "");
    let mut bob = Phone::new("bob", udp("198.51.100.7:5062"));
    let device: DeviceId = bob.registers(&mut b);
    let leg = LegId::outgoing(1);
    b.dial(leg, BOB, device);
    b.look_away();
    let LampState::Dialogs(mut dialogs) = calls(DialogStage::Early) else { unreachable!() };
    dialogs[0].leg = Some(leg);
    show(&mut b, LampState::Dialogs(dialogs));
    let body = said(&b.next_sent()).1;
    let value = |name: &str| {
        let (_, rest) = body.split_once(&format!(" {name}=\"")).unwrap();
        rest.split('"').next().unwrap().to_owned()
    };
    let (call_id, local, remote) = (value("call-id"), value("local-tag"), value("remote-tag"));
    // It rings, and no response of it has come: there is no tag of its own yet.
    for (tags, found) in [
        (format!("to-tag={local};from-tag={remote};early-only"), true),
        (format!("to-tag={remote};from-tag={local}"), true),
        (format!("to-tag={local};from-tag={local}"), false),
        (format!("to-tag={local};from-tag=0"), false),
    ] {
        let mut picker = Phone::new("alice", udp("198.51.100.7:5060"));
        picker.call_id = format!("pick-{}", tags.len());
        let description = picker.sdp(1, "sendrecv");
        let more = format!("Replaces: {call_id};{tags}");
        picker.prove(&mut b, "INVITE", URI, &format!("<{URI}>"), &more, &description);
        let incoming = b.events.pop_back();
        match incoming {
            Some((_, leg::LegEvent::Incoming(incoming))) if found => {
                assert_eq!(incoming.replaces.map(|r| r.leg), Some(leg));
            }
            other => assert!(!found && other.is_none(), "{tags}: {other:?}"),
        }
    }
}

#[test]
fn what_a_subscribe_is_owed_that_is_not_taken() {
    let table = [
        ("", 489),
        ("Event: presence", 489),
        ("Event: dialog\nExpires: 59", 423),
        ("Event: dialog\nAccept: application/pidf+xml", 406),
    ];
    for (more, status) in table {
        let mut b = Bench::new();
        let mut alice = alice();
        alice.prove(&mut b, "SUBSCRIBE", URI, &format!("<{URI}>"), more, "");
        let answer = b.next_sent();
        assert_eq!(answer.status(), Some(status), "{more}");
        assert_eq!(answer.has(Header::AllowEvents), status == 489);
        assert_eq!(answer.has(Header::MinExpires), status == 423);
        b.leaves_nothing();
    }
    let mut b = Bench::new();
    let mut alice = alice();
    let (uri, to) = ("sip:acme.example", "<sip:acme.example>");
    alice.prove(&mut b, "SUBSCRIBE", uri, to, "Event: dialog", "");
    assert_eq!(b.next_sent().status(), Some(404));
}

#[test]
fn the_exchange_refuses_or_says_nothing() {
    for (answer, status) in [(Some(403), 403), (None, 500)] {
        let mut b = Bench::new();
        let mut alice = alice();
        alice.prove(&mut b, "SUBSCRIBE", URI, &format!("<{URI}>"), "Event: dialog", "");
        let LampEvent::Asked { id, .. } = told(&mut b) else { panic!("{}", b.ladder) };
        match answer {
            Some(status) => command(&mut b, LampCommand::Refuse { id, status }),
            None => b.run_for(Duration::from_secs(5)),
        }
        assert_eq!(b.next_sent().status(), Some(status));
        command(&mut b, LampCommand::Grant { id, resource: resource(), state: messages(1) });
        assert!(b.sent.is_empty());
        b.leaves_nothing();
    }
}

#[test]
fn a_subscription_is_refreshed_ended_and_runs_out() {
    let mut b = Bench::new();
    let (mut alice, _, first) =
        watching(&mut b, "Event: dialog\nExpires: 90000", calls(DialogStage::Early));
    alice.answers(&mut b, &first, 200, "");
    alice.sends(&mut b, "SUBSCRIBE", "Event: dialog\nExpires: 100", "");
    assert_eq!(b.next_of("200").text(Header::Expires).as_deref(), Some("100"));
    let again = b.next_of("NOTIFY");
    assert!(said(&again).1.contains("version=\"1\""), "each refresh is told the state");
    alice.answers(&mut b, &again, 200, "");
    b.run_for(Duration::from_secs(99));
    assert!(b.sent.is_empty());
    b.run_for(Duration::from_secs(1));
    let last = b.next_sent();
    assert_eq!(said(&last).0, "terminated;reason=timeout");
    alice.answers(&mut b, &last, 200, "");
    assert_eq!(told(&mut b), LampEvent::Ended { id: SubscriptionId(1) });
    alice.sends(&mut b, "SUBSCRIBE", "Event: dialog", "");
    assert_eq!(b.next_sent().status(), Some(481));
    b.leaves_nothing();

    let mut b = Bench::new();
    let (mut alice, _, first) = watching(&mut b, "Event: dialog", calls(DialogStage::Early));
    alice.answers(&mut b, &first, 200, "");
    alice.sends(&mut b, "SUBSCRIBE", "Event: dialog\nExpires: 0", "");
    let last = b.next_of("NOTIFY");
    assert_eq!(said(&last).0, "terminated;reason=timeout");
    alice.answers(&mut b, &last, 200, "");
    b.leaves_nothing();
}

#[test]
fn a_look_without_a_subscription_gets_one_notify() {
    let mut b = Bench::new();
    let (alice, ok, only) =
        watching(&mut b, "Event: dialog\nExpires: 0", calls(DialogStage::Early));
    assert_eq!(ok.text(Header::Expires).as_deref(), Some("0"));
    assert_eq!(said(&only).0, "terminated;reason=timeout");
    alice.answers(&mut b, &only, 200, "");
    b.leaves_nothing();
}

#[test]
fn a_phone_that_knows_nothing_of_it_or_is_gone_is_told_no_more() {
    for answer in [Some(481), Some(500), None] {
        let mut b = Bench::new();
        let (alice, _, first) = watching(&mut b, "Event: message-summary", messages(0));
        match answer {
            Some(status) => alice.answers(&mut b, &first, status, ""),
            None => b.run_for(Duration::from_secs(33)),
        }
        assert_eq!(told(&mut b), LampEvent::Ended { id: SubscriptionId(1) });
        b.look_away();
        show(&mut b, messages(1));
        assert!(b.sent.is_empty());
        b.leaves_nothing();
    }
}

#[test]
fn what_is_gone_is_watched_no_more_and_who_is_gone_watches_no_more() {
    let mut b = Bench::new();
    let (alice, _, first) = watching(&mut b, "Event: dialog", calls(DialogStage::Early));
    alice.answers(&mut b, &first, 200, "");
    let package = Package::Dialog;
    command(&mut b, LampCommand::Gone { package, resource: resource() });
    assert_eq!(said(&b.next_sent()).0, "terminated;reason=noresource");

    let mut b = Bench::new();
    let (alice, _, first) = watching(&mut b, "Event: dialog", calls(DialogStage::Early));
    alice.answers(&mut b, &first, 200, "");
    let mut directory: Directory = bench::directory();
    directory.logins.retain(|_, login| login.extension != ALICE);
    b.input(Input::Directory(std::sync::Arc::new(directory)));
    assert_eq!(said(&b.next_sent()).0, "terminated;reason=rejected");

    let mut b = Bench::new();
    watching(&mut b, "Event: dialog", calls(DialogStage::Early));
    b.endpoint.remove_tenant(TENANT);
    b.look_away();
    show(&mut b, calls(DialogStage::Confirmed));
    assert!(b.sent.is_empty());
    b.leaves_nothing();
}

#[test]
fn an_extension_watches_so_much_and_no_more() {
    let mut b = Bench::new();
    let mut alice = alice();
    for n in 0..=stack::limits::SUBSCRIPTIONS_OF_EXTENSION_MAX {
        alice.call_id = format!("watching-{n}");
        alice.prove(&mut b, "SUBSCRIBE", URI, &format!("<{URI}>"), "Event: dialog", "");
    }
    assert_eq!(b.next_of("503").status(), Some(503));
    b.leaves_nothing();
}

#[test]
fn another_phone_from_elsewhere_ends_no_subscription() {
    let mut b = Bench::new();
    let (alice, _, first) = watching(&mut b, "Event: dialog", calls(DialogStage::Early));
    alice.answers(&mut b, &first, 200, "");
    b.look_away();
    let mut thief = alice.clone();
    thief.flow = udp("203.0.113.9:5060");
    thief.sends(&mut b, "SUBSCRIBE", "Event: dialog\nExpires: 0", "");
    assert_eq!(b.next_sent().status(), Some(401));
    assert!(b.sent.is_empty());
}
