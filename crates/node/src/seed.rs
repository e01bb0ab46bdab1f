//! Filling the database before the first call: what the demo shows to a new user.

use model::Prefix;
use store::{Demo, Digest};

use crate::clock;
use crate::error::StartError;
use crate::start::Prepared;

/// A client that shall be there.
#[derive(Clone, Debug)]
pub struct SeedRequest {
    /// Name of the company.
    pub name: String,
    /// SIP domain.
    pub domain: String,
    /// Prefix of the domain.
    pub domain_prefix: String,
    /// Prefix of the client; with the domain what tells it from others.
    pub prefix: String,
    /// Its user and application, if they were made before; they are kept then.
    pub known: Option<Credentials>,
    /// The user's name if one has to be made.
    pub user: String,
    /// How many phones, at least.
    pub phones: usize,
}

/// How programs and people get in.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// `client_id` of the application.
    pub application_id: String,
    /// Its `client_secret`.
    pub application_secret: String,
    /// The user's name.
    pub user_login: String,
    /// Its password.
    pub user_password: String,
}

impl core::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Credentials({}, {})", self.application_id, self.user_login)
    }
}

/// A client that is there now.
#[derive(Clone, Debug)]
pub struct SeededClient {
    /// `client_id`.
    pub id: u64,
    /// Whether it was made now.
    pub created: bool,
    /// How to get in: those that were known, or new ones.
    pub credentials: Credentials,
    /// All its phones, short names first.
    pub phones: Vec<SeededPhone>,
}

/// What to put into a SIP phone.
#[derive(Clone)]
pub struct SeededPhone {
    /// Its extension.
    pub extension_id: u64,
    /// What others dial.
    pub number: String,
    /// SIP user.
    pub login: String,
    /// SIP password.
    pub password: String,
}

impl core::fmt::Debug for SeededPhone {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "SeededPhone({}, {})", self.extension_id, self.number)
    }
}

/// Calls at a time of a seeded client: enough to see how the machine does under load.
const CALLS_MAX: u32 = 10_000;
/// Letters of a secret, five bits each.
const SECRET_LETTERS: usize = 26;

impl Prepared {
    /// Makes what is not there of a client, its user, its application, its phones and the echo.
    pub async fn seed(&mut self, request: &SeedRequest) -> Result<SeededClient, StartError> {
        let prefix = |setting, text: &str| {
            Prefix::parse(text).map_err(|e| StartError::setting(setting, format!("{text:?} {e}")))
        };
        let credentials = match &request.known {
            Some(known) => known.clone(),
            None => self.new_credentials(&request.user).await?,
        };
        let cost = self.settings().passwords.argon2();
        let demo = Demo {
            name: request.name.clone(),
            domain: request.domain.clone(),
            domain_prefix: prefix("domain_prefix", &request.domain_prefix)?,
            prefix: prefix("prefix", &request.prefix)?,
            timezone: "UTC".to_owned(),
            calls_max: CALLS_MAX,
            user_login: credentials.user_login.clone(),
            user_password_hash: api::password::hash(
                &credentials.user_password,
                cost,
                self.chance(),
            ),
            app_id: credentials.application_id.clone(),
            app_secret: Digest::of(&credentials.application_secret),
            phones: request.phones,
            now: clock::wall(),
        };
        let store = self.store().clone();
        let seeded = store.seed(&demo, self.chance()).await?;
        let phone = |phone: store::SeededPhone| SeededPhone {
            extension_id: phone.id.0,
            number: phone.name.as_str().to_owned(),
            login: phone.login.as_str().to_owned(),
            password: phone.password.expose().to_owned(),
        };
        Ok(SeededClient {
            id: seeded.tenant.0,
            created: seeded.created,
            credentials,
            phones: seeded.phones.into_iter().map(phone).collect(),
        })
    }

    /// New secrets. A user of that name may be there though nobody knows its password any more:
    /// then the new one gets another name.
    async fn new_credentials(&mut self, user: &str) -> Result<Credentials, StartError> {
        let mut user_login = user.to_owned();
        if self.store().user_with_login(user).await?.is_some() {
            user_login.push('-');
            user_login.push_str(&self.token(5));
        }
        Ok(Credentials {
            application_id: self.token(SECRET_LETTERS),
            application_secret: self.token(SECRET_LETTERS),
            user_login,
            user_password: self.token(SECRET_LETTERS),
        })
    }

    fn token(&mut self, letters: usize) -> String {
        let mut token = String::new();
        self.chance().token(letters, &mut token);
        token
    }
}
