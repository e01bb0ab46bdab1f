//! The node-wide directory: whose a SIP login is, with what proves it; and the trunks of all.
//!
//! Built from snapshots, which hold the logins and passwords already; so it can follow a change of
//! one tenant without the database. The logins of blocked tenants and extensions are not in it:
//! they can neither register nor call, and look like logins that do not exist. Nor are the trunks
//! of blocked tenants.

use std::sync::Arc;

use md5::{Digest as _, Md5};
use model::{
    Credential, Directory, Extension, Phone, Snapshot, Status, TenantId, TrunkId, TrunkUse,
};
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
    let open_ways = |snapshot| Option::into_iter(snapshot).flat_map(trunks);
    for (id, _) in open_ways(old) {
        directory.trunks.remove(id);
    }
    for (id, plan) in open_ways(new) {
        directory.trunks.insert(*id, Arc::clone(&plan.trunk));
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

/// The trunks of a tenant that may call.
fn trunks(snapshot: &Snapshot) -> impl Iterator<Item = (&TrunkId, &Arc<TrunkUse>)> {
    let is_open = snapshot.tenant.status == Status::Active;
    snapshot.routing.trunks.iter().filter(move |_| is_open)
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
