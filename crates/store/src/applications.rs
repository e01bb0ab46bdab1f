//! Table `applications`: programs that may ask for tokens.

use model::{TenantId, UserId, Wall};
use sqlx::FromRow;

use crate::connection::Connection;
use crate::db::{self, signed, unsigned};
use crate::error::{Conflict, StoreError};
use crate::open::Store;
use crate::query::query;
use crate::tokens::Digest;

db::statements! {
    INSERT = "INSERT INTO applications (client_id, user_id, app_id, secret_hash, name, kind, \
        access, redirect_urls, created_us) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) \
        RETURNING id";
    /// Finds the tenant: application ids are one space for all clients.
    SELECT_BY_APP_ID = "SELECT id, client_id, user_id, app_id, secret_hash, name, kind, access \
        FROM applications WHERE app_id = $1";
}

/// How an application gets its tokens (API reference 2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AppKind {
    /// `client_credentials`, in the name of who made it.
    Trusted,
    /// `authorization_code`, in the name of who consents.
    Public,
    /// `password`, in the name of the given user.
    PasswordCredentials,
}

/// What an application may reach, whoever uses it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AppAccess {
    /// Calls only.
    CallApi,
    /// Everything.
    All,
}

/// What an application begins with.
#[derive(Clone, Debug)]
pub struct NewApplication {
    /// Whose it is.
    pub tenant: TenantId,
    /// Who made it.
    pub user: UserId,
    /// `client_id` of token requests; unique.
    pub app_id: String,
    /// Digest of `client_secret`, which has enough chance in it to need no slow hash.
    pub secret: Digest,
    /// For people.
    pub name: String,
    /// How it gets its tokens.
    pub kind: AppKind,
    /// What it may reach.
    pub access: AppAccess,
    /// Now.
    pub created: Wall,
}

/// An application as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Application {
    /// Its row.
    pub(crate) id: i64,
    /// Whose it is.
    pub tenant: TenantId,
    /// Who made it.
    pub user: UserId,
    /// `client_id` of token requests.
    pub app_id: String,
    /// Digest of `client_secret`.
    pub secret: Digest,
    /// For people.
    pub name: String,
    /// How it gets its tokens.
    pub kind: AppKind,
    /// What it may reach.
    pub access: AppAccess,
}

impl Store {
    /// Adds an application.
    pub async fn create_application(&self, new: &NewApplication) -> Result<(), StoreError> {
        let mut write = self.begin_write().await?;
        insert(&mut write, new).await?;
        crate::connection::commit(write).await
    }

    /// The application with this id, to check its secret.
    pub async fn application(&self, app_id: &str) -> Result<Option<Application>, StoreError> {
        let mut read = self.begin_read().await?;
        with_app_id(&mut read, app_id).await
    }
}

pub(crate) async fn with_app_id(
    connection: &mut Connection,
    app_id: &str,
) -> Result<Option<Application>, StoreError> {
    let row: Option<ApplicationRow> = query(SELECT_BY_APP_ID)
        .bind(app_id)
        .fetch_optional(connection)
        .await
        .map_err(StoreError::doing("find an application"))?;
    row.map(ApplicationRow::application).transpose()
}

pub(crate) async fn insert(
    connection: &mut Connection,
    new: &NewApplication,
) -> Result<(), StoreError> {
    query(INSERT)
        .bind(signed(new.tenant.0)?)
        .bind(signed(new.user.0)?)
        .bind(&new.app_id)
        .bind(new.secret.bytes())
        .bind(&new.name)
        .bind(match new.kind {
            AppKind::Trusted => "trusted",
            AppKind::Public => "public",
            AppKind::PasswordCredentials => "password_credentials",
        })
        .bind(match new.access {
            AppAccess::CallApi => "Call API",
            AppAccess::All => "All",
        })
        .bind("")
        .bind(new.created.0)
        .execute(connection)
        .await
        .map_err(StoreError::unless(Conflict::ApplicationId, "create an application"))?;
    Ok(())
}

pub(crate) fn kind_of(word: &str) -> Result<AppKind, StoreError> {
    match word {
        "trusted" => Ok(AppKind::Trusted),
        "public" => Ok(AppKind::Public),
        "password_credentials" => Ok(AppKind::PasswordCredentials),
        other => Err(db::unknown_word("applications.kind", other)),
    }
}

pub(crate) fn access_of(word: &str) -> Result<AppAccess, StoreError> {
    match word {
        "Call API" => Ok(AppAccess::CallApi),
        "All" => Ok(AppAccess::All),
        other => Err(db::unknown_word("applications.access", other)),
    }
}

#[derive(FromRow)]
struct ApplicationRow {
    id: i64,
    client_id: i64,
    user_id: i64,
    app_id: String,
    secret_hash: Vec<u8>,
    name: String,
    kind: String,
    access: String,
}

impl ApplicationRow {
    fn application(self) -> Result<Application, StoreError> {
        Ok(Application {
            id: self.id,
            tenant: TenantId(unsigned(self.client_id, "applications.client_id")?),
            user: UserId(unsigned(self.user_id, "applications.user_id")?),
            app_id: self.app_id,
            secret: Digest::from_bytes(&self.secret_hash, "applications.secret_hash")?,
            name: self.name,
            kind: kind_of(&self.kind)?,
            access: access_of(&self.access)?,
        })
    }
}
