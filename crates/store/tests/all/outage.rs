//! A server that goes away, does not answer, comes back: nothing is lost, nobody waits for long.

use std::time::Duration;

use crate::support::{NOW, World, phone, user};
use leg::{Record, SavedCall};
use model::{CallId, DisplayName, Extension, NodeAddress, TenantId};
use store::{Applied, Digest, JournalId, StoreError, TokenKind};
use testdb::Server;
use tokio::time::Instant;

const JOURNAL: JournalId = JournalId { node: NodeAddress(7), shard: 0 };

/// A server that only this test uses, since it does it no good.
async fn alone() -> Option<(Server, World)> {
    let server = Server::start()?;
    let world = World::on(&server).await?;
    Some((server, world))
}

fn label(text: &'static str) -> impl FnOnce(&mut Extension) + Send {
    move |extension| extension.label = DisplayName::parse(text).unwrap()
}

fn batch() -> [(u64, Vec<Record>); 2] {
    let call =
        |n| SavedCall { tenant: TenantId(1), call: CallId(n), exchange: vec![1], stack: vec![] };
    [1, 2].map(|n| (n, vec![Record::CallSaved(Box::new(call(n)))]))
}

#[track_caller]
fn assert_away<T: std::fmt::Debug>(result: Result<T, StoreError>) {
    let error = result.expect_err("the server is away");
    assert!(matches!(error, StoreError::Database { .. }) && !error.is_lasting(), "{error:?}");
}

#[tokio::test]
async fn who_is_in_a_hurry_is_told_within_a_second_that_the_server_does_not_answer() {
    let Some((server, world)) = alone().await else { return };
    let tenant = world.client("0003").await;
    let id = world.phone(tenant, "100").await.id;
    let hurried = world.store.hurried();
    server.freeze();
    // Waits take no time from here on, so that what they would have taken can be told exactly.
    tokio::time::pause();
    for _ in 0..20 {
        let begin = Instant::now();
        assert_away(hurried.change_extension(tenant, id, label("late")).await);
        assert!(begin.elapsed() < Duration::from_secs(1), "{:?}", begin.elapsed());
        let begin = Instant::now();
        assert_away(hurried.bearer(Digest::of("t"), TokenKind::Access, NOW).await);
        assert!(begin.elapsed() < Duration::from_secs(1), "{:?}", begin.elapsed());
    }
    tokio::time::resume();
    server.thaw();
    let changed = world.change_extension(tenant, id, label("now")).await.unwrap().unwrap();
    assert_eq!(changed.label.as_str(), "now");
}

#[tokio::test]
async fn a_server_that_crashed_is_used_again_when_it_is_back_and_has_everything() {
    let Some((server, world)) = alone().await else { return };
    let tenant = world.client("0003").await;
    let id = world.phone(tenant, "100").await.id;
    server.stop();
    let hurried = world.store.hurried();
    assert_away(hurried.change_extension(tenant, id, label("late")).await);
    assert_away(hurried.create_extension(tenant, &phone("101", "101")).await);
    assert_away(hurried.create_user(&user(tenant, "anna")).await);
    assert_away(hurried.snapshot(tenant).await);
    server.start_again();
    let snapshot = world.snapshot(tenant).await.unwrap().unwrap();
    assert_eq!(snapshot.extensions.len(), 1);
    assert_eq!(snapshot.extensions[&id].label.as_str(), "");
    world.change_extension(tenant, id, label("now")).await.unwrap().unwrap();
}

#[tokio::test]
async fn records_of_a_journal_wait_for_the_server_and_come_once() {
    let Some((server, world)) = alone().await else { return };
    world.apply(JOURNAL, 1, &batch()[..1]).await.unwrap();
    server.stop();
    assert_away(world.store.hurried().apply(JOURNAL, 1, &batch(), &store::Sizes::new()).await);
    server.start_again();
    let applied = world.apply(JOURNAL, 1, &batch()).await.unwrap();
    assert_eq!(applied, Applied { position: 2, written: 1, skipped: 1, missing: 0 });
    assert_eq!(world.number("SELECT count(*) FROM saved_calls".to_owned()).await, 2);
}
