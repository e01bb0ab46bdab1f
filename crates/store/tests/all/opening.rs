//! Opening a database: files, modes, schemas.

use std::os::unix::fs::PermissionsExt;

use crate::support::World;
use store::{Store, StoreError};

async fn refusal(location: &str) -> StoreError {
    Store::open(location).await.expect_err("it should have been refused")
}

#[tokio::test]
async fn all_files_are_for_this_user_only() {
    let world = World::on_sqlite().await;
    world.client("0003").await;
    let mut files = 0;
    for file in std::fs::read_dir(world.dir()).unwrap() {
        let file = file.unwrap();
        let mode = file.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{:?}", file.file_name());
        files += 1;
    }
    assert!(files >= 2, "the database and its log");
}

#[tokio::test]
async fn what_was_stored_is_there_after_opening_again() {
    let world = World::on_sqlite().await;
    let tenant = world.client("0003").await;
    world.phone(tenant, "100").await;
    let world = world.reopened().await;
    let snapshot = world.snapshot(tenant).await.unwrap().unwrap();
    assert!(snapshot.named("100").is_some());
}

#[tokio::test]
async fn a_location_is_a_path_or_an_sqlite_url() {
    let dir = tempfile::tempdir().unwrap();
    let path = crate::support::path(&dir);
    for location in [path.clone(), format!("sqlite:{path}"), format!("sqlite://{path}")] {
        Store::open(&location).await.unwrap().close().await;
    }
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "all three are one file");
}

#[tokio::test]
async fn locations_that_cannot_be_are_refused_with_the_settings_name() {
    let dir = tempfile::tempdir().unwrap();
    let garbage = dir.path().join("garbage.db");
    std::fs::write(&garbage, "this is no database, and long enough to be sure of it".repeat(9))
        .unwrap();
    let missing = dir.path().join("no/such/folder/a.db");
    let locations = [
        "",
        ":memory:",
        "postgres://localhost",
        "postgres://localhost:1/a",
        "postgres://localhost/a?sslmode=perhaps",
        garbage.to_str().unwrap(),
        missing.to_str().unwrap(),
    ];
    for location in locations {
        let text = refusal(location).await.to_string();
        assert!(text.starts_with("setting `database`: "), "{location}: {text}");
        assert!(text.contains(&format!("{location:?}")), "{location}: {text}");
    }
    assert!(!dir.path().join("no").exists());
}

#[tokio::test]
async fn a_newer_schema_is_refused_and_left_as_it_is() {
    let world = World::on_sqlite().await;
    world.client("0003").await;
    world
        .tamper(
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
             VALUES (9999, 'from the future', 1, x'00', 0)",
        )
        .await;
    let path = world.location.clone();
    world.close().await;
    let before = std::fs::read(&path).unwrap();
    let error = refusal(&path).await;
    assert!(matches!(error, StoreError::NewerSchema { found: 9999, known: 1.., .. }), "{error:?}");
    assert!(error.to_string().contains("has schema 9999"), "{error}");
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[tokio::test]
async fn a_row_that_somebody_edited_is_an_error_with_its_column() {
    let world = World::on_sqlite().await;
    let tenant = world.client("0003").await;
    world.phone(tenant, "100").await;
    world.tamper("UPDATE extensions SET name = 'abc'").await;
    let error = world.snapshot(tenant).await.expect_err("the name is no name");
    assert_eq!(
        error.to_string(),
        "the database holds an invalid extensions.name: must be 2 to 4 digits"
    );
}

#[tokio::test]
async fn a_password_is_not_told() {
    let text = refusal("postgres://anna:secret@localhost:1/a?password=secret").await.to_string();
    assert!(text.contains("anna:***@localhost:1/a") && !text.contains("secret"), "{text}");
}

#[tokio::test]
async fn a_database_that_the_server_lacks_is_refused_with_its_words() {
    let Some(server) = testdb::shared() else { return };
    let error = refusal(&server.url("nothing")).await;
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(cause.contains("database \"nothing\" does not exist"), "{cause}");
}

#[tokio::test]
async fn a_newer_schema_of_postgresql_is_refused_and_left_as_it_is() {
    let Some(world) = World::on_postgresql().await else { return };
    world
        .tamper(
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
             VALUES (9999, 'from the future', true, '\\x00', 0); DROP TABLE journal_positions",
        )
        .await;
    let error = refusal(&world.location).await;
    assert!(matches!(error, StoreError::NewerSchema { found: 9999, known: 1.., .. }), "{error:?}");
    let tables = "SELECT count(*) FROM pg_tables WHERE tablename = 'journal_positions'";
    assert_eq!(world.number(tables.to_owned()).await, 0, "nothing was mended");
}

/// The last to close a file cleans up behind itself, in the way of who opens it just then.
async fn opened_by_many_at_once(location: String) {
    let open = (0..6).map(|_| {
        let location = location.clone();
        tokio::spawn(async move {
            for _ in 0..4 {
                let store = Store::open(&location).await?;
                assert!(store.all_snapshots().await?.is_empty());
                store.close().await;
            }
            Ok::<_, StoreError>(())
        })
    });
    for opened in open.collect::<Vec<_>>() {
        opened.await.unwrap().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn processes_that_open_a_new_file_at_once_do_not_collide() {
    let dir = tempfile::tempdir().unwrap();
    opened_by_many_at_once(crate::support::path(&dir)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn processes_that_open_a_new_database_of_a_server_at_once_do_not_collide() {
    let Some(server) = testdb::shared() else { return };
    opened_by_many_at_once(server.database()).await;
}
