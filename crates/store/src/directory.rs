//! The node-wide directory: whose a SIP login is, with what proves it; and the trunks and
//! numbers of all.
//!
//! Built from snapshots, which hold the logins and passwords already; so it can follow a change of
//! one tenant without the database. The logins of blocked tenants and extensions are not in it:
//! they can neither register nor call, and look like logins that do not exist. Nor are the trunks
//! and numbers of blocked tenants.

use std::sync::Arc;

use md5::{Digest as _, Md5};
use model::{Credential, Directory, Extension, Phone, Routing, Snapshot, Status, TenantId};
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
    for (extension, phone) in old.into_iter().flat_map(admitted) {
        if !new.is_some_and(|new| admits_alike(new, extension)) {
            directory.logins.remove(&phone.login);
        }
    }
    if let Some(tenant) = new.or(old).map(|snapshot| snapshot.tenant.id) {
        directory.follow_routing(tenant, old.and_then(outside), new.and_then(outside));
    }
    if let (Some(old), None) = (old, new) {
        directory.tenants.remove(&old.tenant.id);
        directory.keys.remove(&old.tenant.key);
    }
    let Some(new) = new else { return };
    directory.add_tenant(new.tenant.id, new.tenant.key, &new.tenant.domain);
    for (extension, phone) in admitted(new) {
        if !old.is_some_and(|old| admits_alike(old, extension)) {
            let credential = credential(new.tenant.id, extension, phone, realm);
            directory.logins.insert(phone.login.clone(), credential);
        }
    }
}

/// What leads from and to the outside; nothing does with a blocked tenant.
fn outside(snapshot: &Snapshot) -> Option<&Routing> {
    (snapshot.tenant.status == Status::Active).then_some(&*snapshot.routing)
}

/// The phones of a tenant that may register and call.
fn admitted(snapshot: &Snapshot) -> impl Iterator<Item = (&Arc<Extension>, &Phone)> {
    let is_open = snapshot.tenant.status == Status::Active;
    let extensions = snapshot.extensions.values();
    extensions
        .filter(move |e| is_open && e.status == Status::Active)
        .filter_map(|e| Some((e, e.phone.as_ref()?)))
}

/// Whether a state of the tenant admits this phone with the same login and password.
fn admits_alike(snapshot: &Snapshot, extension: &Arc<Extension>) -> bool {
    let Some(there) = snapshot.extension(extension.id) else { return false };
    if [snapshot.tenant.status, there.status] != [Status::Active; 2] {
        return false;
    }
    let proof = |e: &Extension| e.phone.as_ref().map(|p| (p.login.clone(), p.password.clone()));
    Arc::ptr_eq(there, extension) || proof(there) == proof(extension)
}

/// H(login:realm:password) in both algorithms (RFC 7616 3.4.2).
fn credential(tenant: TenantId, extension: &Extension, phone: &Phone, realm: &str) -> Credential {
    let text = format!("{}:{realm}:{}", phone.login, phone.password.expose());
    Credential {
        tenant,
        extension: extension.id,
        ha1_md5: Md5::digest(&text).into(),
        ha1_sha256: Sha256::digest(&text).into(),
    }
}
