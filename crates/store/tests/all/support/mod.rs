//! A store in a directory of its own, and short words for what tests put into it.

use model::{
    Chance, DisplayName, Extension, ExtensionKind, ExtensionName, ExtensionShown, Prefix, Secret,
    Status, TenantId, TenantKey, Wall,
};
use store::{NewClient, NewExtension, NewPhone, NewUser, Store, UserAccess, UserScope};
use tempfile::TempDir;

pub(crate) const NOW: Wall = Wall(1_700_000_000_000_000);

/// A store whose files go with it.
pub(crate) struct World {
    pub(crate) store: Store,
    pub(crate) dir: TempDir,
}

impl std::ops::Deref for World {
    type Target = Store;
    fn deref(&self) -> &Store {
        &self.store
    }
}

impl World {
    pub(crate) async fn new() -> World {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&path(&dir)).await.unwrap();
        World { store, dir }
    }

    /// The same files, opened again.
    pub(crate) async fn reopened(self) -> World {
        self.store.close().await;
        let store = Store::open(&path(&self.dir)).await.unwrap();
        World { store, dir: self.dir }
    }

    pub(crate) fn path(&self) -> String {
        path(&self.dir)
    }

    pub(crate) async fn client(&self, prefix: &str) -> TenantId {
        self.store.create_client(&client(prefix)).await.unwrap()
    }

    pub(crate) async fn phone(&self, tenant: TenantId, name: &str) -> Extension {
        self.store.create_extension(tenant, &phone(name, name)).await.unwrap().unwrap()
    }

    /// What another program does to the database.
    pub(crate) async fn tamper(&self, sql: &'static str) {
        let url = format!("sqlite:{}", self.path());
        let pool = sqlx::SqlitePool::connect(&url).await.unwrap();
        sqlx::raw_sql(sql).execute(&pool).await.unwrap();
        pool.close().await;
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
