//! A store in a directory of its own, and short words for what tests put into it.

use model::{
    Chance, DisplayName, Extension, ExtensionKind, ExtensionName, ExtensionShown, Prefix, Secret,
    Status, TenantId, TenantKey, Wall,
};
use sqlx::{Connection as _, PgConnection, Row as _, SqliteConnection};
use store::{NewClient, NewExtension, NewPhone, NewUser, Store, UserAccess, UserScope};
use tempfile::TempDir;

pub(crate) const NOW: Wall = Wall(1_700_000_000_000_000);

/// A store of its own, on either database.
pub(crate) struct World {
    pub(crate) store: Store,
    pub(crate) location: String,
    /// The files of an SQLite database, which go with it.
    dir: Option<TempDir>,
}

impl std::ops::Deref for World {
    type Target = Store;
    fn deref(&self) -> &Store {
        &self.store
    }
}

/// Runs each test twice: on a new file of SQLite and on a new database of PostgreSQL.
macro_rules! on_both {
    ($($test:ident,)*) => {
        mod on_sqlite {
            use crate::support::World;
            $(#[tokio::test]
            async fn $test() {
                super::$test(World::on_sqlite().await).await;
            })*
        }

        mod on_postgresql {
            use crate::support::World;
            $(#[tokio::test]
            async fn $test() {
                if let Some(world) = World::on_postgresql().await {
                    super::$test(world).await;
                }
            })*
        }
    };
}
pub(crate) use on_both;

impl World {
    pub(crate) async fn on_sqlite() -> World {
        let dir = tempfile::tempdir().unwrap();
        let location = path(&dir);
        let store = Store::open(&location).await.unwrap();
        World { store, location, dir: Some(dir) }
    }

    /// `None`: PostgreSQL is not installed, which is said aloud.
    pub(crate) async fn on_postgresql() -> Option<World> {
        World::on(testdb::shared()?).await
    }

    /// On this server.
    pub(crate) async fn on(server: &testdb::Server) -> Option<World> {
        let location = server.database();
        let store = Store::open(&location).await.unwrap();
        Some(World { store, location, dir: None })
    }

    /// The same database, opened again.
    pub(crate) async fn reopened(self) -> World {
        self.store.close().await;
        let store = Store::open(&self.location).await.unwrap();
        World { store, ..self }
    }

    /// The folder of an SQLite database.
    pub(crate) fn dir(&self) -> &std::path::Path {
        self.dir.as_ref().unwrap().path()
    }

    /// Applies a batch whose records name no files that anybody knows of.
    pub(crate) async fn apply(
        &self,
        journal: store::JournalId,
        first: u64,
        batch: &store::Batch,
    ) -> Result<store::Applied, store::StoreError> {
        self.store.apply(journal, first, batch, &store::Sizes::new()).await
    }

    pub(crate) async fn client(&self, prefix: &str) -> TenantId {
        self.store.create_client(&client(prefix)).await.unwrap()
    }

    pub(crate) async fn phone(&self, tenant: TenantId, name: &str) -> Extension {
        self.store.create_extension(tenant, &phone(name, name)).await.unwrap().unwrap()
    }

    /// What another program does to the database.
    pub(crate) async fn tamper(&self, sql: &str) {
        let sql = sqlx::AssertSqlSafe(sql.to_owned());
        if self.dir.is_some() {
            let mut other = SqliteConnection::connect(&self.location).await.unwrap();
            sqlx::raw_sql(sql).execute(&mut other).await.unwrap();
            other.close().await.unwrap();
        } else {
            let mut other = PgConnection::connect(&self.location).await.unwrap();
            sqlx::raw_sql(sql).execute(&mut other).await.unwrap();
            other.close().await.unwrap();
        }
    }

    /// The number that another program reads.
    pub(crate) async fn number(&self, sql: String) -> i64 {
        let sql = sqlx::AssertSqlSafe(sql);
        if self.dir.is_some() {
            let mut other = SqliteConnection::connect(&self.location).await.unwrap();
            sqlx::query_scalar(sql).fetch_one(&mut other).await.unwrap()
        } else {
            let mut other = PgConnection::connect(&self.location).await.unwrap();
            sqlx::query_scalar(sql).fetch_one(&mut other).await.unwrap()
        }
    }

    /// How the database would find the rows of a statement.
    pub(crate) async fn plan(&self, sql: &str) -> String {
        let rows: Vec<String> = if self.dir.is_some() {
            let mut other = SqliteConnection::connect(&self.location).await.unwrap();
            let explain = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}"));
            let rows = sqlx::query(explain).fetch_all(&mut other).await.unwrap();
            rows.iter().map(|row| row.get("detail")).collect()
        } else {
            let mut other = PgConnection::connect(&self.location).await.unwrap();
            // Empty tables are scanned because they are empty.
            let hint = "SET enable_seqscan = off; SET enable_bitmapscan = off";
            sqlx::raw_sql(hint).execute(&mut other).await.unwrap();
            let explain = sqlx::AssertSqlSafe(format!("EXPLAIN {sql}"));
            let rows = sqlx::raw_sql(explain).fetch_all(&mut other).await.unwrap();
            rows.iter().map(|row| row.get(0)).collect()
        };
        rows.join("\n")
    }
}

pub(crate) fn path(dir: &TempDir) -> String {
    dir.path().join("dialplane.db").to_str().unwrap().to_owned()
}

pub(crate) fn client(prefix: &str) -> NewClient {
    NewClient {
        key: TenantKey::parse(format!("key{prefix:0>5}").as_bytes()).unwrap(),
        name: format!("Client {prefix}"),
        domain: "sip.example.com".to_owned(),
        domain_prefix: Prefix::parse("00500").unwrap(),
        prefix: Prefix::parse(prefix).unwrap(),
        extension_len: 3,
        calls_max: 50,
        timezone: "Europe/Moscow".to_owned(),
        created: NOW,
    }
}

/// A phone whose only login is `login`.
pub(crate) fn phone(name: &str, login: &str) -> NewExtension {
    NewExtension {
        name: ExtensionName::parse(name).unwrap(),
        kind: ExtensionKind::Phone,
        status: Status::Active,
        label: DisplayName::default(),
        caller_id_name: None,
        group: None,
        shown: ExtensionShown::default(),
        phone: Some(NewPhone {
            logins: vec![model::Login::parse(login).unwrap()],
            password: Secret::new("secret"),
        }),
        created: NOW,
    }
}

pub(crate) fn user(tenant: TenantId, login: &str) -> NewUser {
    NewUser {
        tenant,
        scope: UserScope::Client,
        login: login.to_owned(),
        name: "A person".to_owned(),
        email: "person@example.com".to_owned(),
        password_hash: "$argon2id$".to_owned(),
        access: UserAccess::Full,
        timezone: "UTC".to_owned(),
        created: NOW,
    }
}

pub(crate) fn chance() -> Chance {
    Chance::from_number(1)
}
