//! The demo: a client with phones, an echo service, a user and an application, ready to try.

use std::collections::{BTreeMap, BTreeSet};

use model::{
    Chance, DisplayName, ExtensionId, ExtensionKind, ExtensionName, ExtensionShown, Login, Prefix,
    RoutingSettings, Secret, Service, Status, Tenant, TenantId, TenantKey, Wall,
};

use crate::applications::{self, AppAccess, AppKind, NewApplication};
use crate::clients::{self, NewClient};
use crate::connection::Connection;
use crate::connection::commit;
use crate::error::{Conflict, StoreError};
use crate::extensions::{self, NewExtension, NewPhone};
use crate::open::Store;
use crate::tokens::Digest;
use crate::users::{self, NewUser, UserAccess, UserScope};
use crate::{limits, phones, settings};

/// The number that answers by itself.
const ECHO_NAME: &str = "199";
/// Letters of a SIP password: 100 bits of chance.
const PASSWORD_LETTERS: usize = 20;

/// What the demo shall be.
#[derive(Clone, Debug)]
pub struct Demo {
    /// Name of the company.
    pub name: String,
    /// SIP domain.
    pub domain: String,
    /// Prefix of the domain, `00500`.
    pub domain_prefix: Prefix,
    /// Prefix of the client, `0003`.
    pub prefix: Prefix,
    /// IANA zone.
    pub timezone: String,
    /// Calls at a time.
    pub calls_max: u32,
    /// The client's user.
    pub user_login: String,
    /// Argon2 hash of its password.
    pub user_password_hash: String,
    /// `client_id` of the application, of type trusted with access to everything.
    pub app_id: String,
    /// Digest of its `client_secret`.
    pub app_secret: Digest,
    /// How many phones, at most 9,000.
    pub phones: usize,
    /// Now.
    pub now: Wall,
}

/// What the demo is.
#[derive(Clone, Debug)]
pub struct Seeded {
    /// The client.
    pub tenant: TenantId,
    /// Whether it was made now. If not, user and application are as they were made at first,
    /// whatever was asked.
    pub created: bool,
    /// How many phones were added now.
    pub phones_added: usize,
    /// All phones of the client, by name: short names first.
    pub phones: Vec<SeededPhone>,
}

/// One phone of the demo: what to put into a SIP phone.
#[derive(Clone, Debug)]
pub struct SeededPhone {
    /// Its extension.
    pub id: ExtensionId,
    /// What others dial.
    pub name: ExtensionName,
    /// SIP user.
    pub login: Login,
    /// SIP password.
    pub password: Secret,
}

impl Store {
    /// Makes what the demo lacks: everything at first, later only phones above those that are
    /// there. What is there stays as it is.
    ///
    /// Up to 899 phones have the names 100, 101 and so on without 199, which is the echo; more
    /// have 1000, 1001 and so on. A demo that grows over that bound keeps its short names and goes
    /// on with the long ones.
    pub async fn seed(&self, demo: &Demo, chance: &mut Chance) -> Result<Seeded, StoreError> {
        if demo.phones > limits::DEMO_PHONES_MAX {
            let max = limits::DEMO_PHONES_MAX;
            return Err(StoreError::TooMany { what: "the number of demo phones", max });
        }
        let mut write = self.begin_write().await?;
        let (tenant, created) = client(&mut write, demo, chance).await?;
        user_and_application(&mut write, demo, tenant.id).await?;
        let phones_added = grow(&mut write, demo, &tenant, chance).await?;
        let extensions = extensions::of_client(&mut write, tenant.id).await?;
        commit(write).await?;
        let mut phones: Vec<_> = extensions
            .into_iter()
            .filter_map(|e| {
                let (id, name) = (e.id, e.name);
                e.phone.map(|p| SeededPhone { id, name, login: p.login, password: p.password })
            })
            .collect();
        phones.sort_by_key(|p| (p.name.as_str().len(), p.name.clone()));
        Ok(Seeded { tenant: tenant.id, created, phones_added, phones })
    }
}

async fn client(
    write: &mut Connection,
    demo: &Demo,
    chance: &mut Chance,
) -> Result<(std::sync::Arc<Tenant>, bool), StoreError> {
    if let Some(tenant) = clients::with_prefix(write, &demo.domain, &demo.prefix).await? {
        return Ok((tenant, false));
    }
    let new = NewClient {
        key: tenant_key(chance),
        name: demo.name.clone(),
        domain: demo.domain.clone(),
        domain_prefix: demo.domain_prefix.clone(),
        prefix: demo.prefix.clone(),
        extension_len: if demo.phones > SHORT_NAMES { 4 } else { 3 },
        calls_max: demo.calls_max,
        timezone: demo.timezone.clone(),
        created: demo.now,
    };
    let id = clients::insert(write, &new).await?;
    // A demo calls nobody for help, and 112 may be one of its phones.
    let none = RoutingSettings { emergency_numbers: Vec::new(), ..RoutingSettings::default() };
    settings::save(write, id, &none).await?;
    let made = clients::with_prefix(write, &demo.domain, &demo.prefix).await?;
    Ok((made.expect("the client was inserted in this transaction"), true))
}

/// A key that strangers cannot guess the number of tenants from.
pub fn tenant_key(chance: &mut Chance) -> TenantKey {
    let mut text = String::new();
    chance.token(8, &mut text);
    TenantKey::parse(text.as_bytes()).expect("a token is of lower-case letters and digits")
}

async fn user_and_application(
    write: &mut Connection,
    demo: &Demo,
    tenant: TenantId,
) -> Result<(), StoreError> {
    let user = match users::with_login(write, &demo.user_login).await? {
        Some(user) if user.tenant == tenant => user.id,
        Some(_) => return Err(StoreError::Conflict(Conflict::UserLogin)),
        None => {
            let new = NewUser {
                tenant,
                scope: UserScope::Client,
                login: demo.user_login.clone(),
                name: demo.user_login.clone(),
                email: String::new(),
                password_hash: demo.user_password_hash.clone(),
                access: UserAccess::Full,
                timezone: demo.timezone.clone(),
                created: demo.now,
            };
            users::insert(write, &new).await?
        }
    };
    match applications::with_app_id(write, &demo.app_id).await? {
        Some(application) if application.tenant == tenant => Ok(()),
        Some(_) => Err(StoreError::Conflict(Conflict::ApplicationId)),
        None => {
            let new = NewApplication {
                tenant,
                user,
                app_id: demo.app_id.clone(),
                secret: demo.app_secret,
                name: demo.name.clone(),
                kind: AppKind::Trusted,
                access: AppAccess::All,
                created: demo.now,
            };
            applications::insert(write, &new).await
        }
    }
}

/// Adds the phones and the echo that are missing. How many phones that were.
async fn grow(
    write: &mut Connection,
    demo: &Demo,
    tenant: &Tenant,
    chance: &mut Chance,
) -> Result<usize, StoreError> {
    let there: BTreeSet<String> =
        extensions::names(write, tenant.id).await?.into_iter().map(|(name, _)| name).collect();
    let mut missing: Vec<_> = names(demo.phones, &there)
        .filter(|name| !there.contains(name))
        .map(|name| phone(tenant, &name, demo.now, chance))
        .collect();
    let added = missing.len();
    if tenant.extension_len < 4 && missing.iter().any(|e| e.name.as_str().len() == 4) {
        clients::set_extension_len(write, tenant.id, 4).await?;
    }
    if !there.contains(ECHO_NAME) {
        missing.push(echo(demo.now));
    }
    if missing.is_empty() {
        return Ok(0);
    }
    let revision = clients::next_revision(write, tenant.id).await?.unwrap_or(1);
    extensions::insert_many(write, tenant.id, revision, &missing).await?;
    let ids: BTreeMap<_, _> = extensions::names(write, tenant.id).await?.into_iter().collect();
    let mut taken = phones::all_logins(write).await?;
    let mut made = Vec::with_capacity(missing.len());
    for new in &missing {
        let (Some(phone), Some(id)) = (&new.phone, ids.get(new.name.as_str())) else { continue };
        let free = phone.logins.iter().find(|login| !taken.contains(login.as_str()));
        let login = free.cloned().ok_or(StoreError::Conflict(Conflict::PhoneLogin))?;
        taken.insert(login.as_str().to_owned());
        made.extend(new.phone_with(login).map(|phone| (*id, phone)));
    }
    phones::insert_many(write, tenant.id, &made).await?;
    Ok(added)
}

/// How many phones have three-digit names: 100 to 999 without the echo.
const SHORT_NAMES: usize = 899;

/// The names of the first `phones` phones of a demo that has the names `there`.
fn names(phones: usize, there: &BTreeSet<String>) -> impl Iterator<Item = String> + use<> {
    let fresh = there.is_empty();
    let has_short = there.iter().any(|name| name.len() == 3 && name != ECHO_NAME);
    let first = if has_short || (fresh && phones <= SHORT_NAMES) { 100 } else { 1_000 };
    (first..10_000).map(|n: u32| n.to_string()).filter(|name| name != ECHO_NAME).take(phones)
}

fn phone(tenant: &Tenant, name: &str, now: Wall, chance: &mut Chance) -> NewExtension {
    let mut password = String::new();
    chance.token(PASSWORD_LETTERS, &mut password);
    let mut spare = String::new();
    chance.token(5, &mut spare);
    let phone = NewPhone {
        logins: phones::login_candidates(tenant, name, &spare),
        password: Secret::new(&password),
    };
    extension(name, ExtensionKind::Phone, &format!("Phone {name}"), Some(phone), now)
}

fn echo(now: Wall) -> NewExtension {
    extension(ECHO_NAME, ExtensionKind::Service(Service::Echo), "Echo", None, now)
}

fn extension(
    name: &str,
    kind: ExtensionKind,
    label: &str,
    phone: Option<NewPhone>,
    created: Wall,
) -> NewExtension {
    NewExtension {
        name: ExtensionName::parse(name).expect("names of the demo are 3 or 4 digits"),
        kind,
        status: Status::Active,
        label: DisplayName::parse(label).expect("labels of the demo are short"),
        caller_id_name: None,
        group: None,
        shown: ExtensionShown::default(),
        phone,
        created,
    }
}
