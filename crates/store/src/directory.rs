//! The node-wide directory: whose a SIP login is, with what proves it; and the trunks and
//! numbers of all.
//!
//! Built from snapshots, which hold the logins and passwords already; so it can follow a change of
//! one tenant without the database. What is blocked is in it and says so: a blocked phone may call
//! for help, by its tenant's trunks, and nothing else.

use std::sync::Arc;

use md5::{Digest as _, Md5};
use model::{Credential, Directory, Extension, Phone, Snapshot, Status, TenantId};
use sha2::Sha256;

/// The directory of these tenants for the digest realm `realm`.
pub fn build<'a>(snapshots: impl IntoIterator<Item = &'a Snapshot>, realm: &str) -> Directory {
    let mut directory = Directory::default();
    for snapshot in snapshots {
        follow(&mut directory, None, Some(snapshot), realm);
    }
    directory
}

/// Brings a directory from `old` to `new`, two states of one tenant; `None` where there is none.
/// Parts that the two share cost nothing.
pub fn follow(
    directory: &mut Directory,
    old: Option<&Snapshot>,
    new: Option<&Snapshot>,
    realm: &str,
) {
    for (extension, phone) in old.into_iter().flat_map(phones) {
        let status = old.map_or(Status::Blocked, |old| status(old, extension));
        if !new.is_some_and(|new| knows_alike(new, extension, status)) {
            directory.logins.remove(&phone.login);
        }
    }
    if let Some(tenant) = new.or(old).map(|snapshot| snapshot.tenant.id) {
        let [old, new] = [old, new].map(|state| state.map(|snapshot| &*snapshot.routing));
        directory.follow_routing(tenant, old, new);
    }
    if let (Some(old), None) = (old, new) {
        directory.tenants.remove(&old.tenant.id);
        directory.keys.remove(&old.tenant.key);
    }
    let Some(new) = new else { return };
    directory.add_tenant(new.tenant.id, new.tenant.key, &new.tenant.domain);
    directory.set_status(new.tenant.id, new.tenant.status);
    for (extension, phone) in phones(new) {
        let status = status(new, extension);
        if !old.is_some_and(|old| knows_alike(old, extension, status)) {
            let credential = credential(new.tenant.id, (extension, phone), status, realm);
            directory.logins.insert(phone.login.clone(), credential);
        }
    }
}

/// The phones of a tenant.
fn phones(snapshot: &Snapshot) -> impl Iterator<Item = (&Arc<Extension>, &Phone)> {
    snapshot.extensions.values().filter_map(|e| Some((e, e.phone.as_ref()?)))
}

/// Whether a phone may be used: neither it nor its tenant is blocked.
fn status(snapshot: &Snapshot, extension: &Extension) -> Status {
    match [snapshot.tenant.status, extension.status] {
        [Status::Active, Status::Active] => Status::Active,
        _ => Status::Blocked,
    }
}

/// Whether a state of the tenant knows this phone with the same login and password, and with this
/// status.
fn knows_alike(snapshot: &Snapshot, extension: &Arc<Extension>, of: Status) -> bool {
    let Some(there) = snapshot.extension(extension.id) else { return false };
    if status(snapshot, there) != of {
        return false;
    }
    let proof = |e: &Extension| e.phone.as_ref().map(|p| (p.login.clone(), p.password.clone()));
    Arc::ptr_eq(there, extension) || proof(there) == proof(extension)
}

/// H(login:realm:password) in both algorithms (RFC 7616 3.4.2).
fn credential(
    tenant: TenantId,
    (extension, phone): (&Extension, &Phone),
    status: Status,
    realm: &str,
) -> Credential {
    let text = format!("{}:{realm}:{}", phone.login, phone.password.expose());
    Credential {
        tenant,
        extension: extension.id,
        ha1_md5: Md5::digest(&text).into(),
        ha1_sha256: Sha256::digest(&text).into(),
        status,
    }
}
