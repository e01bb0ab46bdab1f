//! Which messages are mailed, to whom and when, and what reaches the relay.

use std::sync::atomic::Ordering;

use model::{FileId, Wall};
use store::Mail;

use super::office::{LEFT, Office, soon};
use crate::mail::{MailSettings, Relay};

/// Base64 and quoted-printable parts of a mail as people see them, one after the other.
fn body_parts(text: &str) -> Vec<&str> {
    text.split("\n\n").collect()
}

#[tokio::test]
async fn a_message_is_mailed_with_its_sound_and_only_once() {
    let office = Office::new().await;
    office.left(0xA1).await;
    office.round(soon).await;
    office.round(soon).await;
    let taken = office.relay.taken();
    let [(to, text)] = taken.as_slice() else { panic!("{taken:?}") };
    assert_eq!(*to, ["RCPT TO:<anna@example.com>"]);
    for line in [
        "From: PBX <pbx@example.com>",
        "To: anna@example.com",
        "Subject: Voice message from 74951234567 (1:02)",
        "Message-ID: <000000000000000000000000000000a1@example.com>",
        "Auto-Submitted: auto-generated",
        "Content-Type: audio/wav",
        // "sound 161"
        "c291bmQgMTYx",
        "Date: Sat, 21 Nov 2026 15:00:03 +0000",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} in {text}");
    }
    let head = body_parts(text)[0];
    assert!(!head.contains("Bcc"), "{head}");
    assert_eq!(office.counted(), [1, 0, 0]);
    assert!(office.due(Wall(i64::MAX)).await.is_empty());
}

#[tokio::test]
async fn a_mail_without_the_sound_is_text_alone() {
    let office = Office::new().await;
    office.set(Some("anna@example.com,bob@example.com"), false).await;
    office.left(1).await;
    office.round(soon).await;
    let taken = office.relay.taken();
    assert_eq!(taken[0].0, ["RCPT TO:<anna@example.com>", "RCPT TO:<bob@example.com>"]);
    assert!(!taken[0].1.contains("multipart") && !taken[0].1.contains("audio/"), "{taken:?}");
}

#[tokio::test]
async fn nobody_is_mailed_who_has_not_asked() {
    let office = Office::new().await;
    office.set(None, true).await;
    office.left(1).await;
    office.round(soon).await;
    assert_eq!(office.relay.sessions.load(Ordering::Relaxed), 0);
    assert!(office.due(Wall(i64::MAX)).await.is_empty());
    // Who asks later gets what comes later.
    office.set(Some("anna@example.com"), true).await;
    office.left(2).await;
    office.round(soon).await;
    assert_eq!(office.relay.taken().len(), 1);
}

#[tokio::test]
async fn a_relay_that_refuses_for_now_is_asked_again_after_longer_and_longer_pauses() {
    let office = Office::new().await;
    office.left(1).await;
    let now = soon();
    for (attempts, pause_s) in [(1, 60), (2, 120), (3, 240)] {
        office.relay.refusals.lock().unwrap().push_back("451 later");
        office.round(soon).await;
        assert!(office.due(Wall(now.0 + (pause_s * 1_000_000) - 1)).await.is_empty());
        let due = office.due(Wall(now.0 + pause_s * 1_000_000)).await;
        assert_eq!(due[0].mail_attempts, attempts);
        // As if so much time had passed.
        let mail = Mail::Later { attempts, due: now };
        office.tables.store.set_mail(office.tenant, FileId(1), mail).await.unwrap();
    }
    let many = Mail::Later { attempts: 60, due: now };
    office.tables.store.set_mail(office.tenant, FileId(1), many).await.unwrap();
    office.relay.refusals.lock().unwrap().push_back("451 later");
    office.round(soon).await;
    assert_eq!(office.due(Wall(now.0 + 3_600_000_000)).await.len(), 1, "an hour at most");
    assert_eq!(office.counted(), [0, 4, 0]);
    assert!(office.relay.taken().is_empty());
}

#[tokio::test]
async fn a_relay_that_is_away_loses_nothing_over_a_start() {
    let office = Office::new().await;
    office.left(1).await;
    let (mut postman, _stop) = office.postman(soon);
    let nowhere = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let settings =
        MailSettings::parse(&format!("smtp://{nowhere}"), Some("pbx@example.com")).unwrap();
    postman.relay = Relay::new(&settings, None).unwrap();
    let due = office.due(soon()).await;
    postman.bring(&due[0]).await;
    assert_eq!(office.counted(), [0, 1, 0]);
    fn later() -> Wall {
        Wall(soon().0 + 60_000_000)
    }
    office.round(later).await;
    assert_eq!(office.relay.taken().len(), 1);
}

#[tokio::test]
async fn what_a_relay_will_never_take_is_given_up() {
    let office = Office::new().await;
    office.left(1).await;
    office.relay.refusals.lock().unwrap().push_back("550 no such user");
    office.round(soon).await;
    assert_eq!(office.counted(), [0, 0, 1]);
    assert!(office.due(Wall(i64::MAX)).await.is_empty());
}

#[tokio::test]
async fn one_bad_address_of_several_keeps_the_mail_from_nobody_else() {
    let office = Office::new().await;
    office.set(Some("gone@example.com,bob@example.com"), true).await;
    office.left(1).await;
    // Of both together, then of the first alone.
    office.relay.refusals.lock().unwrap().extend(["550 no", "550 no"]);
    office.round(soon).await;
    let taken = office.relay.taken();
    assert_eq!(taken.len(), 1);
    assert_eq!(taken[0].0, ["RCPT TO:<bob@example.com>"]);
    assert_eq!(office.counted(), [1, 0, 0]);
}

#[tokio::test]
async fn a_session_that_breaks_after_the_mail_brings_it_again_under_the_same_id() {
    let office = Office::new().await;
    office.left(1).await;
    office.relay.breaks.store(true, Ordering::Relaxed);
    office.round(soon).await;
    office.relay.breaks.store(false, Ordering::Relaxed);
    fn later() -> Wall {
        Wall(soon().0 + 60_000_000)
    }
    office.round(later).await;
    let taken = office.relay.taken();
    let id = |text: &str| text.lines().find(|l| l.starts_with("Message-ID")).map(str::to_owned);
    assert_eq!(taken.len(), 2);
    assert!(id(&taken[0].1).is_some());
    assert_eq!(id(&taken[0].1), id(&taken[1].1));
}

#[tokio::test]
async fn an_old_message_is_not_mailed_any_more() {
    fn days_later() -> Wall {
        Wall(LEFT.0 + 4 * 86_400_000_000)
    }
    let office = Office::new().await;
    office.left(1).await;
    office.round(days_later).await;
    assert_eq!(office.relay.sessions.load(Ordering::Relaxed), 0);
    assert_eq!(office.counted(), [0, 0, 1]);
    assert!(office.due(Wall(i64::MAX)).await.is_empty());
}

#[tokio::test]
async fn a_lost_file_is_told_of_without_it() {
    let office = Office::new().await;
    office.left(1).await;
    office.tables.files.remove(FileId(1)).unwrap();
    office.round(soon).await;
    assert_eq!(office.counted(), [1, 0, 0]);
    assert!(!office.relay.taken()[0].1.contains("audio/wav"));
}

#[tokio::test]
async fn the_worker_wakes_for_new_messages_and_ends_when_told() {
    let office = Office::new().await;
    office.left(1).await;
    let (postman, stop) = office.postman(soon);
    let worker = tokio::spawn(postman.run());
    while office.relay.taken().is_empty() {
        tokio::task::yield_now().await;
    }
    for id in 2..=30 {
        office.left(id).await;
    }
    office.tables.left.notify_one();
    while office.relay.taken().len() < 30 {
        tokio::task::yield_now().await;
    }
    stop.send(true).unwrap();
    worker.await.unwrap();
    assert_eq!(office.relay.taken().len(), 30);
    assert!(office.due(Wall(i64::MAX)).await.is_empty());
}
