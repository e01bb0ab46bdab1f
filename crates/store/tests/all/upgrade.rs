//! A database of an earlier version, with data in it, is brought to the newest schema.

use std::borrow::Cow;
use std::path::Path;

use model::{CodeName, FeatureCodes, FileFormat, Language, NodeAddress, TenantId, Wall};
use sqlx::migrate::Migrator;
use sqlx::{Connection as _, SqliteConnection};
use store::Store;

/// Makes a database as the version whose newest migration was `last` would have left it.
async fn database_at(last: i64, path: &Path) -> SqliteConnection {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations/sqlite");
    let mut migrations = Migrator::new(folder).await.unwrap();
    let kept = migrations.migrations.iter().filter(|m| m.version <= last).cloned();
    migrations.migrations = Cow::Owned(kept.collect());
    let location = format!("sqlite://{}?mode=rwc", path.display());
    let mut connection = SqliteConnection::connect(&location).await.unwrap();
    migrations.run_direct(None, &mut connection, false).await.unwrap();
    connection
}

#[tokio::test]
async fn settings_written_before_there_were_feature_codes_are_kept_and_codes_are_the_defaults() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.db");
    let mut old = database_at(4, &path).await;
    let client = "INSERT INTO clients (id, key, name, domain, domain_prefix, prefix, \
        extension_len, status, calls_max, timezone, created_us, revision) VALUES \
        (1, 'abcdefgh', 'Acme', 'pbx.example', '00500', '0003', 3, 'active', 10, 'UTC', \
        0, 1)";
    let settings = "INSERT INTO client_settings (client_id, decline_is_busy, emergency_numbers, \
        outside_allowed, country, outside_calls, outside_calls_per_minute, extension_calls, \
        extension_calls_per_minute, language, call_control_api, valet_park_slots, pickup_merge, \
        interclient_calls) VALUES (1, 1, '[]', '[]', 'US', 1, 2, 3, 4, 'ru', 'open', 9, 'chain', 0)";
    for statement in [client, settings] {
        sqlx::query(statement).execute(&mut old).await.unwrap();
    }
    old.close().await.unwrap();

    let store = Store::open(path.to_str().unwrap()).await.unwrap();
    let snapshot = store.snapshot(TenantId(1)).await.unwrap().unwrap();
    let settings = &snapshot.routing.settings;
    assert_eq!((settings.language, &*settings.country), (Language::Ru, "US"));
    assert_eq!(settings.feature_codes, FeatureCodes::default());
    let off = |settings: &mut model::RoutingSettings| {
        settings.feature_codes = settings.feature_codes.changed([(CodeName::Room, None)]).unwrap();
        Ok::<_, store::StoreError>(())
    };
    store.change_settings(TenantId(1), off).await.unwrap().unwrap();
    let snapshot = store.snapshot(TenantId(1)).await.unwrap().unwrap();
    assert_eq!(snapshot.routing.settings.feature_codes.code(CodeName::Room), None);
}

#[tokio::test]
async fn call_records_written_before_there_were_recordings_are_kept_and_have_none() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.db");
    let mut old = database_at(7, &path).await;
    let leg = "INSERT INTO cdr_legs (client_id, call_uuid, sub_call_id, extension_id, \
        extension_name, extension_kind, flow, reason, init_us, hangup_us, talk_us, \
        from_username, from_domain, from_screen_name, to_username, to_domain) VALUES \
        (1, 'A0', '100000-1', 100000, '0003*100@sip.example.com', 'phone', 'in', \
        'callee_hung_up', 1, 2, 3, '101', 'd', 'Bob', '100', 'd')";
    sqlx::query(leg).execute(&mut old).await.unwrap();
    old.close().await.unwrap();

    let store = Store::open(path.to_str().unwrap()).await.unwrap();
    assert_eq!(store.recording_of(TenantId(1), "100000-1").await.unwrap(), None);
    store.close().await;
    let location = format!("sqlite://{}", path.display());
    let mut new = SqliteConnection::connect(&location).await.unwrap();
    let kept: i64 =
        sqlx::query_scalar("SELECT count(*) FROM cdr_legs").fetch_one(&mut new).await.unwrap();
    assert_eq!(kept, 1);
}

#[tokio::test]
async fn recordings_written_before_there_were_formats_are_wav_and_stay_so() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.db");
    let mut old = database_at(8, &path).await;
    let recording = "INSERT INTO recordings (file, client_id, extension_id, call_uuid, \
        sub_call_id, time_us, length_ms, bytes, node) VALUES \
        ('0000000000000000000000000000000c', 1, 100000, \
        '0123456789abcdef0123456789abcdef', '100000-1', 1, 7000, 112044, 7)";
    sqlx::query(recording).execute(&mut old).await.unwrap();
    old.close().await.unwrap();

    let store = Store::open(path.to_str().unwrap()).await.unwrap();
    let found = store.recording_of(TenantId(1), "100000-1").await.unwrap().unwrap();
    let wav = FileFormat::Wav;
    assert_eq!((found.recording.format, found.format, found.bytes), (wav, wav, 112_044));
    let due = store.recordings_to_convert(NodeAddress(7), Wall(i64::MAX)).await.unwrap();
    assert_eq!(due, []);
}

#[tokio::test]
async fn ids_that_were_given_before_records_lay_by_their_time_are_never_given_again() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.db");
    let mut old = database_at(10, &path).await;
    let add = "INSERT INTO events (client_id, call_uuid, sequence, extension_id, kind, time_us, \
        body) VALUES (1, 'A0', 1, 2, 'dial-in', 3, '{}'), (1, 'A0', 2, 2, 'hangup', 3, '{}')";
    sqlx::query(add).execute(&mut old).await.unwrap();
    sqlx::query("DELETE FROM events WHERE sequence = 2").execute(&mut old).await.unwrap();
    old.close().await.unwrap();

    Store::open(path.to_str().unwrap()).await.unwrap().close().await;
    let location = format!("sqlite://{}", path.display());
    let mut new = SqliteConnection::connect(&location).await.unwrap();
    sqlx::query(sqlx::AssertSqlSafe(add.replace("A0", "B0"))).execute(&mut new).await.unwrap();
    let ids: Vec<i64> =
        sqlx::query_scalar("SELECT id FROM events ORDER BY id").fetch_all(&mut new).await.unwrap();
    assert_eq!(ids, [1, 3, 4]);
}
