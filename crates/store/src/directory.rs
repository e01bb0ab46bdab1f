//! The node-wide directory: whose a SIP login is, with what proves it.
//!
//! Built from snapshots, which hold the logins and passwords already; so it can follow a change of
//! one tenant without the database. Blocked tenants and extensions are in it: that they may not
//! call is decided, and answered, where their status is known.

use std::sync::Arc;

use md5::{Digest as _, Md5};
use model::{Credential, Directory, Extension, Snapshot, TenantId};
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
    for extension in old.iter().flat_map(|s| s.extensions.values()) {
        let kept = new.and_then(|s| s.extension(extension.id));
        if !kept.is_some_and(|kept| same_credential(kept, extension))
            && let Some(phone) = &extension.phone
        {
            directory.logins.remove(&phone.login);
        }
    }
    if let (Some(old), None) = (old, new) {
        directory.tenants.remove(&old.tenant.id);
        directory.keys.remove(&old.tenant.key);
    }
    let Some(new) = new else { return };
    directory.add_tenant(new.tenant.id, new.tenant.key, &new.tenant.domain);
    for extension in new.extensions.values() {
        let known = old.and_then(|s| s.extension(extension.id));
        if known.is_some_and(|known| same_credential(known, extension)) {
            continue;
        }
        if let Some(phone) = &extension.phone {
            let credential = credential(new.tenant.id, extension, phone, realm);
            directory.logins.insert(phone.login.clone(), credential);
        }
    }
}

fn same_credential(a: &Arc<Extension>, b: &Arc<Extension>) -> bool {
    let key = |e: &Arc<Extension>| e.phone.as_ref().map(|p| (p.login.clone(), p.password.clone()));
    Arc::ptr_eq(a, b) || key(a) == key(b)
}

/// H(login:realm:password) in both algorithms (RFC 7616 3.4.2).
fn credential(
    tenant: TenantId,
    extension: &Extension,
    phone: &model::Phone,
    realm: &str,
) -> Credential {
    let text = format!("{}:{realm}:{}", phone.login, phone.password.expose());
    Credential {
        tenant,
        extension: extension.id,
        ha1_md5: Md5::digest(&text).into(),
        ha1_sha256: Sha256::digest(&text).into(),
    }
}
