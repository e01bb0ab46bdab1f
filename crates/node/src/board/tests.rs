//! A board over a real database, with the test as the shards.

use model::{Chance, DisplayName, ExtensionId, Prefix, Wall};
use store::{Demo, Digest};

use super::*;
use crate::inbox::{Inbox, inbox};

const REALM: &str = "test";

struct Bench {
    board: Board,
    store: Store,
    tenant: TenantId,
    inboxes: Vec<Inbox<Letter>>,
    _files: tempfile::TempDir,
}

async fn bench(capacity: usize) -> Bench {
    let files = tempfile::tempdir().unwrap();
    let store = Store::open(files.path().join("test.db").to_str().unwrap()).await.unwrap();
    let demo = Demo {
        name: "Test".to_owned(),
        domain: "test.example".to_owned(),
        domain_prefix: Prefix::parse("00500").unwrap(),
        prefix: Prefix::parse("0003").unwrap(),
        timezone: "UTC".to_owned(),
        calls_max: 10,
        user_login: "user".to_owned(),
        user_password_hash: String::new(),
        app_id: "app".to_owned(),
        app_secret: Digest::of("secret"),
        phones: 3,
        now: Wall(0),
    };
    let tenant = store.seed(&demo, &mut Chance::from_number(1)).await.unwrap().tenant;
    let snapshots = store.all_snapshots().await.unwrap();
    let directory = Arc::new(store::directory::build(&snapshots, REALM));
    let snapshots = snapshots.into_iter().map(|s| (s.tenant.id, Arc::new(s))).collect();
    let (posts, inboxes): (Vec<_>, Vec<_>) = (0..2).map(|_| inbox(capacity).unwrap()).unzip();
    let board = Board::new(store.clone(), REALM, posts.into(), snapshots, directory);
    Bench { board, store, tenant, inboxes, _files: files }
}

impl Bench {
    fn owner(&self) -> usize {
        switch::shard_of(self.tenant, 2)
    }

    /// The next letter for a shard.
    async fn letter(&self, shard: usize) -> Letter {
        let waiting = async {
            loop {
                if let Some(letter) = self.inboxes[shard].next() {
                    return letter;
                }
                tokio::task::yield_now().await;
            }
        };
        timeout(core::time::Duration::from_secs(10), waiting).await.expect("a letter in time")
    }

    fn phone(&self) -> ExtensionId {
        let snapshot = self.board.snapshot(self.tenant).unwrap();
        snapshot.named("100").unwrap().id
    }
}

#[tokio::test]
async fn a_command_goes_to_the_owner_and_its_answer_comes_back() {
    let bench = bench(8).await;
    let asked = bench.board.command(bench.tenant, Command::ListCalls { extension: None });
    let shard = async {
        let Letter::Command { tenant, reply, .. } = bench.letter(bench.owner()).await else {
            panic!("no command")
        };
        assert_eq!(tenant, bench.tenant);
        reply.send(Reply::Done).unwrap();
    };
    let (answer, ()) = tokio::join!(asked, shard);
    assert!(matches!(answer, Ok(Reply::Done)));
}

#[tokio::test]
async fn a_shard_that_is_full_or_silent_or_refuses_is_unavailable() {
    let bench = bench(1).await;
    // From here on nothing but the clock can end a wait.
    tokio::time::pause();
    let ask = || bench.board.command(bench.tenant, Command::ListCalls { extension: None });
    assert_eq!(ask().await.unwrap_err(), Unavailable, "silent");
    assert_eq!(ask().await.unwrap_err(), Unavailable, "full");
    drop(bench.letter(bench.owner()).await);
    let refuses = async { drop(bench.letter(bench.owner()).await) };
    let (answer, ()) = tokio::join!(ask(), refuses);
    assert_eq!(answer.unwrap_err(), Unavailable, "dropped the request");
}

#[tokio::test]
async fn a_new_password_is_in_every_shards_directory_before_the_owner_has_the_snapshot() {
    let bench = bench(8).await;
    let phone = bench.phone();
    let change = |extension: &mut model::Extension| {
        let phone = extension.phone.as_mut().expect("a phone");
        phone.password = model::Secret::new("new");
    };
    bench.store.change_extension(bench.tenant, phone, change).await.unwrap();
    let before = bench.board.snapshot(bench.tenant).unwrap();
    let changed = bench.board.changed(bench.tenant);
    let shards = async {
        for shard in [0, 1] {
            let Letter::Input(Input::Directory(directory)) = bench.letter(shard).await else {
                panic!("no directory")
            };
            let expected =
                store::directory::build(&bench.store.all_snapshots().await.unwrap(), REALM);
            for (login, credential) in &directory.logins {
                assert_eq!(credential.ha1_md5, expected.logins[login].ha1_md5);
            }
        }
        let Letter::Snapshot { snapshot, reply } = bench.letter(bench.owner()).await else {
            panic!("no snapshot")
        };
        assert!(snapshot.revision > before.revision);
        assert_eq!(bench.board.snapshot(bench.tenant).unwrap().revision, before.revision);
        reply.send(Reply::Done).unwrap();
    };
    tokio::join!(changed, shards);
    assert!(bench.board.snapshot(bench.tenant).unwrap().revision > before.revision);
}

#[tokio::test]
async fn a_change_that_concerns_no_login_leaves_the_directory_alone() {
    let bench = bench(8).await;
    let snapshot = bench.board.snapshot(bench.tenant).unwrap();
    let echo = snapshot.named("199").unwrap().id;
    let change = |extension: &mut model::Extension| {
        extension.label = DisplayName::parse("Mirror").unwrap();
    };
    bench.store.change_extension(bench.tenant, echo, change).await.unwrap();
    let changed = bench.board.changed(bench.tenant);
    let shard = async {
        let Letter::Snapshot { snapshot, reply } = bench.letter(bench.owner()).await else {
            panic!("no snapshot first")
        };
        assert_eq!(snapshot.named("199").unwrap().label.as_str(), "Mirror");
        reply.send(Reply::Done).unwrap();
    };
    tokio::join!(changed, shard);
    assert!(bench.inboxes.iter().all(|inbox| inbox.next().is_none()));
}

#[tokio::test]
async fn who_stops_waiting_does_not_leave_half_a_change() {
    let bench = bench(8).await;
    let phone = bench.phone();
    bench.store.delete_extension(bench.tenant, phone).await.unwrap();
    drop(bench.board.changed(bench.tenant));
    for shard in [0, 1] {
        let letter = bench.letter(shard).await;
        assert!(matches!(letter, Letter::Input(Input::Directory(d)) if d.logins.len() == 2));
    }
    let Letter::Snapshot { snapshot, reply } = bench.letter(bench.owner()).await else {
        panic!("no snapshot")
    };
    assert!(snapshot.extension(phone).is_none());
    reply.send(Reply::Done).unwrap();
}
