//! A database with data, of every schema that there ever was, is brought to the newest one: nothing
//! is lost, and it can be used.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use sqlx::migrate::Migrator;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, SqliteConnection};
use store::Store;

use crate::support::NOW;

/// What a database of the first schema held, and what came into it with each later one; `{yes}`,
/// `{no}` and `{bytes}` are as the database writes them. A schema that only adds columns brings
/// nothing.
const DATA: [(i64, &str); 7] = [
    (
        1,
        "INSERT INTO clients (key, name, domain, domain_prefix, prefix, extension_len, status,
            calls_max, timezone, created_us, revision)
        VALUES ('key00003', 'Acme', 'sip.example.com', '00500', '0003', 3, 'active', 50,
            'Europe/Moscow', 1600000000000000, 7);
        INSERT INTO extensions (client_id, name, kind, status, label, caller_id_name, created_us,
            ani_rfc3325, rfc_public_caller_id_number, from_public_caller_id_number, revision)
        VALUES (1, '100', 'phone', 'active', 'Anna', 'Анна', 1600000000000000, {no}, {no}, {no}, 5),
            (1, '112', 'phone', 'blocked', 'Help', NULL, 1600000000000000, {no}, {no}, {yes}, 6);
        INSERT INTO phones (extension_id, client_id, login, password, auth_type,
            call_screening_enabled, conference_announce_caller_name, conference_end_on_exit,
            allow_webrtc, record_enabled, record_transfer, record_stereo, vm_enabled,
            vm_attach_file, keypad_codes)
        VALUES (100000, 1, 'acme100', 'secret-100', 'digest', {no}, {no}, {no}, {no}, {no}, {no},
                {no}, {yes}, {no}, {yes}),
            (100001, 1, 'acme112', 'secret-112', 'digest', {no}, {no}, {no}, {no}, {no}, {no},
                {no}, {no}, {no}, {yes});
        INSERT INTO users (client_id, login, name, email, password_hash, access, status, timezone,
            created_us)
        VALUES (1, 'anna', 'Anna', 'anna@example.com', '$argon2id$', 'full', 'active', 'UTC', 1);
        INSERT INTO applications (client_id, user_id, app_id, secret_hash, name, kind, access,
            redirect_urls, created_us)
        VALUES (1, 1, 'app', {bytes}, 'App', 'trusted', 'All', '[]', 1);
        INSERT INTO tokens (hash, kind, client_id, user_id, application_id, created_us, expires_us)
        VALUES ({bytes}, 'access', 1, 1, 1, 1, 2);
        INSERT INTO bindings (client_id, extension_id, device_id, contact, call_id, cseq, q,
            expires_us, transport, local, remote, path, user_agent)
        VALUES (1, 100000, 1, 'sip:100@192.0.2.1', 'abc', 3, 1000, 9000000000000000, 'UDP',
            '192.0.2.9:5060', '192.0.2.1:5060', '[]', 'Phone/1.0');
        INSERT INTO cdr_legs (client_id, call_uuid, sub_call_id, extension_id, extension_name,
            extension_kind, flow, reason, init_us, hangup_us, talk_us, from_username, from_domain,
            from_screen_name, to_username, to_domain)
        VALUES (1, 'A0', 'a-1', 100000, '0003*100@sip.example.com', 'phone', 'in',
            'callee_hung_up', 1, 2, 3, '101', 'd', 'Bob', '100', 'd');
        INSERT INTO events (client_id, call_uuid, sequence, extension_id, kind, time_us, body)
        VALUES (1, 'A0', 1, 100000, 'dial-in', 1, '{}');
        INSERT INTO saved_calls (client_id, call_id, exchange, stack)
        VALUES (1, 9, {bytes}, {bytes});
        INSERT INTO journal_positions (node, shard, sequence) VALUES (7, 0, 42);",
    ),
    (
        2,
        "INSERT INTO intervals (client_id, name, timezone, conditions, revision)
        VALUES (1, 'Night', 'Europe/Moscow', '[]', 8);
        INSERT INTO rules (extension_id, id, client_id, position, kind, enabled, is_final,
            caller_id_action, call_status, extension_call_status, extension_status, transfer_dst,
            cascade_numbers, allow_public_transfer, ignore_early_media, enable_call_screening)
        VALUES (100000, 1, 1, 0, 'busy', {yes}, {no}, 'any', 'any', 'any', 'any', '', '[]', {no},
            {no}, {no});
        INSERT INTO trunks (client_id, name, hosts, addresses, transport, patterns, country,
            did_from, rewrite_in, rewrite_out, identity, caller_id, forwarding_headers,
            update_display, channels, enabled, revision)
        VALUES (1, 'Carrier', '[\"sip.carrier.example\"]', '[]', 'udp', '[]', 'RU', 'to', '[]', '[]',
            'pai', 'original', 'none', {no}, 4, {yes}, 8);
        INSERT INTO dial_rules (client_id, rules, revision) VALUES (1, '[]', 8);
        INSERT INTO dids (client_id, number, name, extension_id, allow_message, created_us,
            revision)
        VALUES (1, '74950000001', '+7 495 000-00-01', 100000, {no}, 1, 8);
        INSERT INTO call_traces (client_id, call_uuid, began_us, caller, lines)
        VALUES (1, 'A0', 1, '101', '[]');",
    ),
    (
        3,
        "INSERT INTO sounds (client_id, title, filename, file, length_ms, bytes, created_us,
            revision)
        VALUES (1, 'Hello', 'hello.wav', '0000000000000000000000000000000a', 900, 7244, 1, 9);
        INSERT INTO messages (file, client_id, extension_id, call_uuid, sub_call_id,
            caller_number, caller_name, time_us, length_ms, bytes, heard, node, mail_attempts,
            mailed)
        VALUES ('0000000000000000000000000000000b', 1, 100000, 'A0', 'a-1', '101', 'Bob', 1, 2000,
            32044, {no}, 7, 0, {no});",
    ),
    (
        4,
        "INSERT INTO control_groups (client_id, document, revision) VALUES (1, '{}', 10);
        INSERT INTO audit (client_id, number, time_us, source, action, allowed, clause,
            clause_groups, hash)
        VALUES (1, 1, 1, 'api', 'hangup', {yes}, 'open', '[]', {bytes});
        INSERT INTO audit_heads (client_id, number, hash) VALUES (1, 1, {bytes});",
    ),
    (
        7,
        "INSERT INTO replacements (client_id, extension_id, with_id, since_us)
        VALUES (1, 100000, 100001, 1);",
    ),
    (
        8,
        "INSERT INTO recordings (file, client_id, extension_id, call_uuid, sub_call_id, time_us,
            length_ms, bytes, node)
        VALUES ('0000000000000000000000000000000c', 1, 100000, 'A0', 'a-1', 1, 7000, 112044, 7);",
    ),
    (
        12,
        "INSERT INTO wrong_pins (client_id, target_id, actor_id, kind, wrong, until_us)
        VALUES (1, 100001, 100000, 'replace', 5, 9000000000000000);",
    ),
];

/// A database that is opened by hand.
enum Database {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

impl Database {
    async fn open(location: &str) -> Database {
        match location.starts_with("postgres") {
            true => Database::Postgres(PgConnection::connect(location).await.unwrap()),
            false => {
                let url = format!("sqlite://{location}?mode=rwc");
                Database::Sqlite(SqliteConnection::connect(&url).await.unwrap())
            }
        }
    }

    fn folder(&self) -> PathBuf {
        let name = match self {
            Database::Sqlite(_) => "sqlite",
            Database::Postgres(_) => "postgres",
        };
        Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(name)
    }

    /// Brings it to this schema, as the version did that had it as its newest.
    async fn migrate(&mut self, to: i64) {
        let dir = tempfile::tempdir().unwrap();
        for file in std::fs::read_dir(self.folder()).unwrap() {
            let file = file.unwrap();
            if version(&file.path()) <= to {
                std::fs::copy(file.path(), dir.path().join(file.file_name())).unwrap();
            }
        }
        let migrator = Migrator::new(dir.path().to_owned()).await.unwrap();
        match self {
            Database::Sqlite(connection) => migrator.run(connection).await.unwrap(),
            Database::Postgres(connection) => migrator.run(connection).await.unwrap(),
        }
    }

    async fn run(&mut self, sql: &str) {
        let [yes, no, bytes] = match self {
            Database::Sqlite(_) => ["1", "0", "x'0aff'"],
            Database::Postgres(_) => ["true", "false", "'\\x0aff'::bytea"],
        };
        let sql = sql.replace("{yes}", yes).replace("{no}", no).replace("{bytes}", bytes);
        let sql = AssertSqlSafe(sql);
        match self {
            Database::Sqlite(c) => sqlx::raw_sql(sql).execute(c).await.map(drop).unwrap(),
            Database::Postgres(c) => sqlx::raw_sql(sql).execute(c).await.map(drop).unwrap(),
        }
    }

    /// The texts of a statement's only column.
    async fn texts(&mut self, sql: String) -> Vec<String> {
        let sql = AssertSqlSafe(sql);
        match self {
            Database::Sqlite(c) => sqlx::query_scalar(sql).fetch_all(c).await.unwrap(),
            Database::Postgres(c) => sqlx::query_scalar(sql).fetch_all(c).await.unwrap(),
        }
    }

    async fn columns(&mut self) -> BTreeMap<String, Vec<String>> {
        let tables = match self {
            Database::Sqlite(_) => {
                "SELECT name FROM sqlite_schema WHERE type = 'table'
                AND name NOT LIKE 'sqlite_%' AND name NOT LIKE '_sqlx_%'"
            }
            Database::Postgres(_) => {
                "SELECT table_name::text FROM information_schema.tables
                WHERE table_schema = 'public' AND table_name NOT LIKE '\\_sqlx\\_%'"
            }
        };
        let mut found = BTreeMap::new();
        for table in self.texts(tables.to_owned()).await {
            let columns = match self {
                Database::Sqlite(_) => format!("SELECT name FROM pragma_table_info('{table}')"),
                Database::Postgres(_) => format!(
                    "SELECT column_name::text FROM information_schema.columns
                    WHERE table_schema = 'public' AND table_name = '{table}'"
                ),
            };
            let columns = self.texts(columns).await;
            found.insert(table, columns);
        }
        found
    }

    /// All rows of a table with these of its columns.
    async fn rows(&mut self, table: &str, columns: &[String]) -> Vec<String> {
        let column = |name: &String| match self {
            Database::Sqlite(_) => format!("quote(\"{name}\")"),
            Database::Postgres(_) => format!("coalesce(\"{name}\"::text, 'NULL')"),
        };
        let list: Vec<_> = columns.iter().map(column).collect();
        self.texts(format!("SELECT {} FROM {table}", list.join(" || ', ' || "))).await
    }

    async fn close(self) {
        match self {
            Database::Sqlite(connection) => connection.close().await.unwrap(),
            Database::Postgres(connection) => connection.close().await.unwrap(),
        }
    }
}

fn version(file: &Path) -> i64 {
    let name = file.file_name().unwrap().to_str().unwrap();
    name.split_once('_').unwrap().0.parse().unwrap()
}

/// All versions of the schema, the oldest first.
fn versions() -> Vec<i64> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations/sqlite");
    let files = std::fs::read_dir(folder).unwrap();
    let mut versions: Vec<i64> = files.map(|file| version(&file.unwrap().path())).collect();
    versions.sort_unstable();
    versions
}

/// A database that has lived through all versions up to this one, brought to the newest.
async fn lives_on(location: &str, last: i64) {
    let mut old = Database::open(location).await;
    for version in versions().into_iter().filter(|version| *version <= last) {
        old.migrate(version).await;
        for (_, data) in DATA.iter().filter(|(of, _)| *of == version) {
            old.run(data).await;
        }
    }
    let columns = old.columns().await;
    let mut before = BTreeMap::new();
    for (table, columns) in &columns {
        let rows = old.rows(table, columns).await;
        assert!(!rows.is_empty(), "schema {last}: no data for the table {table}");
        before.insert(table, rows);
    }
    old.close().await;

    let store = Store::open(location).await.unwrap();
    let mut new = Database::open(location).await;
    for (table, rows) in before {
        let now = new.rows(table, &columns[table]).await;
        for row in rows {
            assert!(now.contains(&row), "schema {last}: {table} has lost {row}, it has {now:#?}");
        }
    }
    new.close().await;

    let snapshot = store.all_snapshots().await.unwrap().remove(0);
    let phone = snapshot.named("100").and_then(|e| e.phone.as_ref()).unwrap();
    assert_eq!(phone.password.expose(), "secret-100", "schema {last}");
    assert_eq!(snapshot.routing.trunks.len(), usize::from(last >= 2), "schema {last}");
    // 112 is somebody's name there: no emergency number of that client.
    assert!(snapshot.routing.settings.emergency_numbers.is_empty(), "schema {last}");
    let live = store.live(NOW).await.unwrap();
    let live = live.get(&snapshot.tenant.id).unwrap();
    assert_eq!((live.bindings.len(), live.calls.len()), (1, 1), "schema {last}");
    let added = store.create_client(&crate::support::client("0004")).await.unwrap();
    assert_eq!(added.0, 2, "schema {last}: ids go on");
    let phone = crate::support::phone("100", "another100");
    let phone = store.create_extension(added, &phone).await.unwrap().unwrap();
    assert_eq!(phone.id.0, 100_002, "schema {last}: ids go on");
    store.close().await;
}

#[tokio::test]
async fn files_of_every_older_schema_are_brought_to_the_newest_with_their_data() {
    for last in versions() {
        let dir = tempfile::tempdir().unwrap();
        lives_on(&crate::support::path(&dir), last).await;
    }
}

#[tokio::test]
async fn databases_of_a_server_of_every_older_schema_are_brought_to_the_newest_with_their_data() {
    let Some(server) = testdb::shared() else { return };
    for last in versions() {
        lives_on(&server.database(), last).await;
    }
}

#[test]
fn data_belongs_to_schemas_that_there_are() {
    let versions = versions();
    assert!(DATA.iter().all(|(version, _)| versions.contains(version)));
    assert_eq!(versions.first(), Some(&1));
}
