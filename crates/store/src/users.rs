//! Table `users`: people and programs that may use the API.

use model::{ExtensionGroupId, ExtensionId, Status, TenantId, UserId, Wall};
use sqlx::FromRow;

use crate::clients::{status_of, status_word};
use crate::connection::Connection;
use crate::db::{self, optional, optional_signed, signed, unsigned};
use crate::error::{Conflict, StoreError};
use crate::open::Store;
use crate::query::query;

macro_rules! columns {
    () => {
        "u.id, u.client_id, u.extension_id, u.extension_group_id, u.login, u.name, u.email, \
         u.password_hash, u.access, u.status, u.timezone, u.comment, u.extra_params, \
         c.status AS client_status"
    };
}

db::statements! {
    INSERT = "INSERT INTO users (client_id, extension_id, extension_group_id, login, name, email, \
        password_hash, access, status, timezone, comment, extra_params, created_us) \
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) RETURNING id";
    /// Finds the tenant: logins are one space for all clients.
    SELECT_BY_LOGIN = concat!(
        "SELECT ", columns!(), " FROM users u JOIN clients c ON c.id = u.client_id \
        WHERE u.login = $1"
    );
    SELECT = concat!(
        "SELECT ", columns!(), " FROM users u JOIN clients c ON c.id = u.client_id \
        WHERE u.client_id = $1 AND u.id = $2"
    );
    SET_STATUS = "UPDATE users SET status = $3 WHERE client_id = $1 AND id = $2";
}

/// What a user may see and touch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserScope {
    /// The whole client.
    Client,
    /// The extensions of one group.
    Group(ExtensionGroupId),
    /// One extension.
    Extension(ExtensionId),
}

/// What a user may do with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserAccess {
    /// Everything.
    Full,
    /// GET only.
    ReadOnly,
}

/// What a user begins with.
#[derive(Clone, Debug)]
pub struct NewUser {
    /// Whose user it is.
    pub tenant: TenantId,
    /// What it may see.
    pub scope: UserScope,
    /// Unique on the installation.
    pub login: String,
    /// Name of the person.
    pub name: String,
    /// Where the person gets mail.
    pub email: String,
    /// Argon2 hash in the PHC string format.
    pub password_hash: String,
    /// What it may do.
    pub access: UserAccess,
    /// IANA zone.
    pub timezone: String,
    /// Now.
    pub created: Wall,
}

/// A user as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Its id.
    pub id: UserId,
    /// Whose user it is.
    pub tenant: TenantId,
    /// Whether its client may be used.
    pub tenant_status: Status,
    /// What it may see.
    pub scope: UserScope,
    /// What it signs in with.
    pub login: String,
    /// Name of the person.
    pub name: String,
    /// Where the person gets mail.
    pub email: String,
    /// Argon2 hash in the PHC string format.
    pub password_hash: String,
    /// What it may do.
    pub access: UserAccess,
    /// Whether it may sign in.
    pub status: Status,
    /// IANA zone.
    pub timezone: String,
    /// Free text.
    pub comment: Option<String>,
    /// Free text of integrators.
    pub extra_params: Option<String>,
}

impl Store {
    /// Adds a user.
    pub async fn create_user(&self, new: &NewUser) -> Result<UserId, StoreError> {
        let mut write = self.begin_write().await?;
        let id = insert(&mut write, new).await?;
        crate::connection::commit(write).await?;
        Ok(id)
    }

    /// The user with this login, to check its password.
    pub async fn user_with_login(&self, login: &str) -> Result<Option<User>, StoreError> {
        let mut read = self.begin_read().await?;
        with_login(&mut read, login).await
    }

    /// A user of the client.
    pub async fn user(&self, tenant: TenantId, id: UserId) -> Result<Option<User>, StoreError> {
        let row: Option<UserRow> = query(SELECT)
            .bind(signed(tenant.0)?)
            .bind(signed(id.0)?)
            .fetch_optional(&mut self.reading().await?)
            .await
            .map_err(StoreError::doing("read a user"))?;
        row.map(UserRow::user).transpose()
    }

    /// Blocks a user or lets it in again. Whether the client has such a user.
    pub async fn set_user_status(
        &self,
        tenant: TenantId,
        id: UserId,
        status: Status,
    ) -> Result<bool, StoreError> {
        let done = query(SET_STATUS)
            .bind(signed(tenant.0)?)
            .bind(signed(id.0)?)
            .bind(status_word(status))
            .execute(&mut self.writing().await?)
            .await
            .map_err(StoreError::doing("set a user's status"))?;
        Ok(done > 0)
    }
}

pub(crate) async fn with_login(
    connection: &mut Connection,
    login: &str,
) -> Result<Option<User>, StoreError> {
    let row: Option<UserRow> = query(SELECT_BY_LOGIN)
        .bind(login)
        .fetch_optional(connection)
        .await
        .map_err(StoreError::doing("find a user by login"))?;
    row.map(UserRow::user).transpose()
}

pub(crate) async fn insert(
    connection: &mut Connection,
    new: &NewUser,
) -> Result<UserId, StoreError> {
    let (extension, group) = match new.scope {
        UserScope::Client => (None, None),
        UserScope::Group(id) => (None, Some(id.0)),
        UserScope::Extension(id) => (Some(id.0), None),
    };
    let id: i64 = query(INSERT)
        .bind(signed(new.tenant.0)?)
        .bind(optional_signed(extension)?)
        .bind(optional_signed(group)?)
        .bind(&new.login)
        .bind(&new.name)
        .bind(&new.email)
        .bind(&new.password_hash)
        .bind(access_word(new.access))
        .bind(status_word(Status::Active))
        .bind(&new.timezone)
        .bind(None::<&str>)
        .bind(None::<&str>)
        .bind(new.created.0)
        .fetch_one(connection)
        .await
        .map_err(StoreError::unless(Conflict::UserLogin, "create a user"))?;
    Ok(UserId(unsigned(id, "users.id")?))
}

fn access_word(access: UserAccess) -> &'static str {
    match access {
        UserAccess::Full => "full",
        UserAccess::ReadOnly => "read_only",
    }
}

#[derive(FromRow)]
pub(crate) struct UserRow {
    id: i64,
    client_id: i64,
    extension_id: Option<i64>,
    extension_group_id: Option<i64>,
    login: String,
    name: String,
    email: String,
    password_hash: String,
    access: String,
    status: String,
    timezone: String,
    comment: Option<String>,
    extra_params: Option<String>,
    client_status: String,
}

impl UserRow {
    pub(crate) fn user(self) -> Result<User, StoreError> {
        let extension = optional(self.extension_id, "users.extension_id")?.map(ExtensionId);
        let group = optional(self.extension_group_id, "users.extension_group_id")?;
        Ok(User {
            id: UserId(unsigned(self.id, "users.id")?),
            tenant: TenantId(unsigned(self.client_id, "users.client_id")?),
            tenant_status: status_of(&self.client_status, "clients.status")?,
            scope: match (extension, group.map(ExtensionGroupId)) {
                (Some(extension), _) => UserScope::Extension(extension),
                (None, Some(group)) => UserScope::Group(group),
                (None, None) => UserScope::Client,
            },
            login: self.login,
            name: self.name,
            email: self.email,
            password_hash: self.password_hash,
            access: match self.access.as_str() {
                "full" => UserAccess::Full,
                "read_only" => UserAccess::ReadOnly,
                other => return Err(db::unknown_word("users.access", other)),
            },
            status: status_of(&self.status, "users.status")?,
            timezone: self.timezone,
            comment: self.comment,
            extra_params: self.extra_params,
        })
    }
}
