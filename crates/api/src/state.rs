//! What all requests share.

use std::sync::{Arc, Mutex, PoisonError};

use axum::http::StatusCode;
use leg::{Command, RegistrationView, Reply};
use model::{Chance, ExtensionId, FileId, Now, Snapshot, TenantId};
use store::{FileStore, Store};

use crate::error::ApiError;
use crate::first_answers::FirstAnswers;
use crate::limits;
use crate::oauth::Guard;
use crate::oauth::known::KnownTokens;
use crate::password::{PasswordCost, Passwords};
use crate::rate::Hourly;
use crate::switchboard::Switchboard;
use crate::upload::Uploads;

/// Where the moment comes from.
pub type Clock = Arc<dyn Fn() -> Now + Send + Sync>;

/// Settings of the API.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Requests an hour of one client, all its users and applications together; `None`: no limit.
    pub rate_limit_per_hour: Option<u32>,
    /// How dear a password check is.
    pub password_cost: PasswordCost,
    /// Whether messages can be mailed.
    pub mail: MailRelay,
}

/// Whether the installation has a mail relay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MailRelay {
    /// Nothing can be mailed.
    #[default]
    None,
    /// Mail goes out by it.
    Configured,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            rate_limit_per_hour: Some(10_000),
            password_cost: PasswordCost::default(),
            mail: MailRelay::None,
        }
    }
}

/// What the API is made of.
pub struct Parts {
    /// Where configuration is written.
    pub store: Store,
    /// Where sounds and messages lie.
    pub files: FileStore,
    /// Who runs the calls.
    pub switchboard: Arc<dyn Switchboard>,
    /// Where the moment comes from.
    pub clock: Clock,
    /// Settings.
    pub settings: Settings,
    /// For tokens and passwords: 32 bytes of the operating system's chance.
    pub seed: [u8; 32],
}

/// The API's shared state; cheap to clone.
#[derive(Clone)]
pub struct Api(Arc<Shared>);

struct Shared {
    store: Store,
    files: FileStore,
    switchboard: Arc<dyn Switchboard>,
    clock: Clock,
    chance: Mutex<Chance>,
    hourly: Hourly,
    guard: Guard,
    known: KnownTokens,
    passwords: Passwords,
    uploads: Uploads,
    first_answers: FirstAnswers,
    mail: MailRelay,
}

impl Api {
    /// Puts the API together.
    pub fn new(parts: Parts) -> Api {
        let mut chance = Chance::from_seed(parts.seed);
        let passwords = Passwords::new(parts.settings.password_cost, &mut chance);
        Api(Arc::new(Shared {
            store: parts.store.hurried(),
            files: parts.files,
            switchboard: parts.switchboard,
            clock: parts.clock,
            chance: Mutex::new(chance),
            hourly: Hourly::new(parts.settings.rate_limit_per_hour),
            guard: Guard::default(),
            known: KnownTokens::default(),
            passwords,
            uploads: Uploads::default(),
            first_answers: FirstAnswers::default(),
            mail: parts.settings.mail,
        }))
    }

    pub(crate) fn store(&self) -> &Store {
        &self.0.store
    }

    pub(crate) fn files(&self) -> &FileStore {
        &self.0.files
    }

    pub(crate) fn now(&self) -> Now {
        (self.0.clock)()
    }

    pub(crate) fn hourly(&self) -> &Hourly {
        &self.0.hourly
    }

    pub(crate) fn guard(&self) -> &Guard {
        &self.0.guard
    }

    pub(crate) fn known(&self) -> &KnownTokens {
        &self.0.known
    }

    pub(crate) fn passwords(&self) -> &Passwords {
        &self.0.passwords
    }

    pub(crate) fn uploads(&self) -> &Uploads {
        &self.0.uploads
    }

    pub(crate) fn first_answers(&self) -> &FirstAnswers {
        &self.0.first_answers
    }

    pub(crate) fn mail(&self) -> MailRelay {
        self.0.mail
    }

    /// The name of a new file.
    pub(crate) fn new_file(&self) -> FileId {
        FileId(self.0.chance.lock().unwrap_or_else(PoisonError::into_inner).wide_bits())
    }

    /// `letters` random letters and digits.
    pub(crate) fn token(&self, letters: usize) -> String {
        let mut token = String::new();
        let mut chance = self.0.chance.lock().unwrap_or_else(PoisonError::into_inner);
        chance.token(letters, &mut token);
        token
    }

    /// The configuration of a tenant that calls are handled by.
    pub(crate) fn snapshot(&self, tenant: TenantId) -> Result<Arc<Snapshot>, ApiError> {
        self.0.switchboard.snapshot(tenant).ok_or_else(ApiError::unavailable)
    }

    /// Puts a command to the owner of the tenant's calls.
    pub(crate) async fn command(
        &self,
        tenant: TenantId,
        command: Command,
    ) -> Result<Reply, ApiError> {
        let answer = self.0.switchboard.command(tenant, command);
        match tokio::time::timeout(limits::COMMAND_TIMEOUT, answer).await {
            Ok(Ok(reply)) => Ok(reply),
            Ok(Err(_)) | Err(_) => Err(ApiError::unavailable()),
        }
    }

    /// The registered contacts of one extension, or of all.
    pub(crate) async fn registrations(
        &self,
        tenant: TenantId,
        extension: Option<ExtensionId>,
    ) -> Result<Vec<RegistrationView>, ApiError> {
        let answer = self.0.switchboard.registrations(tenant, extension);
        match tokio::time::timeout(limits::COMMAND_TIMEOUT, answer).await {
            Ok(Ok(views)) => Ok(views),
            Ok(Err(_)) | Err(_) => Err(ApiError::unavailable()),
        }
    }

    /// Answers a removal once it counts; 404 when there was nothing to remove.
    pub(crate) async fn removed(
        &self,
        tenant: TenantId,
        was_there: bool,
    ) -> Result<StatusCode, ApiError> {
        if !was_there {
            return Err(ApiError::not_found());
        }
        self.changed(tenant).await;
        Ok(StatusCode::NO_CONTENT)
    }

    /// After the messages of an extension have changed: its lamps follow.
    pub(crate) async fn messages_changed(&self, tenant: TenantId, extension: ExtensionId) {
        self.0.switchboard.messages_changed(tenant, extension).await;
    }

    /// After a commit: waits until the next call is handled by the new configuration.
    pub(crate) async fn changed(&self, tenant: TenantId) {
        let taken = self.0.switchboard.changed(tenant);
        if tokio::time::timeout(limits::CHANGED_TIMEOUT, taken).await.is_err() {
            tracing::warn!(tenant = tenant.0, "the new configuration is stored but not yet in use");
        }
    }
}
