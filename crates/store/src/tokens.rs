//! Table `tokens`: access and refresh tokens, known by their digests only.

use std::fmt;

use model::{TenantId, UserId, Wall};
use sha2::{Digest as _, Sha256};

use crate::applications::{AppAccess, AppKind, Application, access_of, kind_of};
use crate::connection::commit;
use crate::db::{self, signed};
use crate::error::StoreError;
use crate::limits;
use crate::open::Store;
use crate::query::query;
use crate::users::{User, UserRow};

db::statements! {
    INSERT = "INSERT INTO tokens (hash, kind, client_id, user_id, application_id, created_us, \
        expires_us) VALUES ($1, $2, $3, $4, $5, $6, $7)";
    /// Finds the tenant: only who has the token knows the digest.
    SELECT_BEARER = "SELECT t.expires_us, t.application_id, a.access AS app_access, \
        a.kind AS app_kind, a.app_id, \
        u.id, u.client_id, u.extension_id, u.extension_group_id, u.login, u.name, u.email, \
        u.password_hash, u.access, u.status, u.timezone, u.comment, u.extra_params, \
        c.status AS client_status \
        FROM tokens t \
        JOIN users u ON u.id = t.user_id \
        JOIN applications a ON a.id = t.application_id \
        JOIN clients c ON c.id = u.client_id \
        WHERE t.hash = $1 AND t.kind = $2 AND t.expires_us > $3";
    EXTEND = "UPDATE tokens SET expires_us = $3 WHERE client_id = $1 AND hash = $2";
    /// Housekeeping for all clients.
    DELETE_EXPIRED = "DELETE FROM tokens WHERE expires_us <= $1";
    DELETE_OLDEST = "DELETE FROM tokens WHERE client_id = $1 AND hash IN (\
        SELECT hash FROM tokens WHERE user_id = $2 AND application_id = $3 AND kind = $4 \
        ORDER BY created_us DESC LIMIT 1000 OFFSET $5)";
}

/// The SHA-256 digest of a secret that has chance enough in it: a token, an application's secret.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of `secret`.
    pub fn of(secret: &str) -> Digest {
        Digest(Sha256::digest(secret).into())
    }

    /// Its bytes; compare them in constant time where a guess could be timed.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    pub(crate) fn from_bytes(bytes: &[u8], column: &'static str) -> Result<Digest, StoreError> {
        let why = || StoreError::Corrupt { column, why: "a digest has 32 bytes".to_owned() };
        Ok(Digest(bytes.try_into().map_err(|_| why())?))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digest")
    }
}

/// What a token is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// Requests.
    Access,
    /// New access tokens.
    Refresh,
}

impl TokenKind {
    fn word(self) -> &'static str {
        match self {
            TokenKind::Access => "access",
            TokenKind::Refresh => "refresh",
        }
    }
}

/// For whom, through which application, a token is issued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IssuedTo {
    /// The user's client.
    pub tenant: TenantId,
    /// For whom requests with it act.
    pub user: UserId,
    application: i64,
}

impl IssuedTo {
    /// A token for `user`, asked for by `application`.
    pub fn new(user: &User, application: &Application) -> IssuedTo {
        IssuedTo { tenant: user.tenant, user: user.id, application: application.id }
    }
}

/// Who stands behind a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bearer {
    /// For whom requests with it act.
    pub user: User,
    /// `client_id` of the application that asked for it.
    pub app_id: String,
    /// How that application gets its tokens.
    pub app_kind: AppKind,
    /// What that application may reach.
    pub app_access: AppAccess,
    /// When the token runs out.
    pub expires: Wall,
    application: i64,
}

impl Bearer {
    /// For whom a further token is issued, in exchange for this one.
    pub fn issued_to(&self) -> IssuedTo {
        IssuedTo { tenant: self.user.tenant, user: self.user.id, application: self.application }
    }
}

impl Store {
    /// Remembers tokens that are handed out together. Tokens that have run out, and the oldest of
    /// a user that has very many, are forgotten on the way.
    pub async fn issue_tokens(
        &self,
        to: IssuedTo,
        tokens: &[(TokenKind, Digest, Wall)],
        now: Wall,
    ) -> Result<(), StoreError> {
        let failed = || StoreError::doing("issue a token");
        let (client, user) = (signed(to.tenant.0)?, signed(to.user.0)?);
        let mut write = self.begin_write().await?;
        query(DELETE_EXPIRED).bind(now.0).execute(&mut write).await.map_err(failed())?;
        for (kind, digest, expires) in tokens {
            query(INSERT)
                .bind(digest.bytes())
                .bind(kind.word())
                .bind(client)
                .bind(user)
                .bind(to.application)
                .bind(now.0)
                .bind(expires.0)
                .execute(&mut write)
                .await
                .map_err(failed())?;
            query(DELETE_OLDEST)
                .bind(client)
                .bind(user)
                .bind(to.application)
                .bind(kind.word())
                .bind(limits::TOKENS_PER_USER_MAX)
                .execute(&mut write)
                .await
                .map_err(failed())?;
        }
        commit(write).await
    }

    /// Who stands behind a token that is good at `now`.
    pub async fn bearer(
        &self,
        digest: Digest,
        kind: TokenKind,
        now: Wall,
    ) -> Result<Option<Bearer>, StoreError> {
        let failed = || StoreError::doing("look up a token");
        let row = query(SELECT_BEARER)
            .bind(digest.bytes())
            .bind(kind.word())
            .bind(now.0)
            .row(&mut self.reading().await?)
            .await
            .map_err(failed())?;
        let Some(row) = row else { return Ok(None) };
        let app_access: String = row.try_get("app_access").map_err(failed())?;
        let app_kind: String = row.try_get("app_kind").map_err(failed())?;
        Ok(Some(Bearer {
            user: row.read::<UserRow>().map_err(failed())?.user()?,
            app_id: row.try_get("app_id").map_err(failed())?,
            app_kind: kind_of(&app_kind)?,
            app_access: access_of(&app_access)?,
            expires: Wall(row.try_get("expires_us").map_err(failed())?),
            application: row.try_get("application_id").map_err(failed())?,
        }))
    }

    /// Lets a token live longer.
    pub async fn extend_token(
        &self,
        tenant: TenantId,
        digest: Digest,
        expires: Wall,
    ) -> Result<(), StoreError> {
        query(EXTEND)
            .bind(signed(tenant.0)?)
            .bind(digest.bytes())
            .bind(expires.0)
            .execute(&mut self.writing().await?)
            .await
            .map_err(StoreError::doing("extend a token"))?;
        Ok(())
    }
}
