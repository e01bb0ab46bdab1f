//! [`Directory`]: whose a login, a key, a trunk and a number of the outside are.

use core::fmt;
use std::collections::BTreeMap;
use std::sync::Arc;

use smallvec::SmallVec;

use crate::ids::{ExtensionId, TenantId, TenantKey, TrunkId};
use crate::names::Login;
use crate::routing::{Routing, TrunkUse};
use crate::snapshot::Status;
use crate::trunk::Trunk;

/// What proves a phone's identity, and whose it is.
#[derive(Clone)]
pub struct Credential {
    /// The tenant of the phone.
    pub tenant: TenantId,
    /// The extension of the phone.
    pub extension: ExtensionId,
    /// H(user:realm:password) with MD5 (RFC 7616 3.4.2).
    pub ha1_md5: [u8; 16],
    /// The same with SHA-256.
    pub ha1_sha256: [u8; 32],
    /// Blocked, by itself or with its tenant: it proves who calls for help, and nothing else.
    pub status: Status,
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credential({}, {})", self.tenant, self.extension)
    }
}

/// The node-wide directory: whose a login is and whose a key is. Immutable; a change makes a new
/// one, which is an input to every shard.
#[derive(Clone, Debug, Default)]
pub struct Directory {
    /// Digest users; unique on a node.
    pub logins: BTreeMap<Login, Credential>,
    /// What everybody may need to know of a tenant.
    pub tenants: BTreeMap<TenantId, TenantEntry>,
    /// Tenants by the key that our branches, tags and Contacts carry; the inverse of `tenants`.
    pub keys: BTreeMap<TenantKey, TenantId>,
    /// Trunks of all tenants; with their secrets, which no saved state carries.
    pub trunks: BTreeMap<TrunkId, Arc<Trunk>>,
    /// How their tenants use them: in whose form they send numbers.
    pub uses: BTreeMap<TrunkId, Arc<TrunkUse>>,
    /// Numbers of the outside that lead to somebody here, by their E.164 digits. Several tenants
    /// may have one, with other carriers.
    pub dids: BTreeMap<Box<str>, SmallVec<[TenantId; 1]>>,
}

/// A tenant as the directory shows it.
#[derive(Clone, Debug)]
pub struct TenantEntry {
    /// What our branches, tags and Contacts carry.
    pub key: TenantKey,
    /// SIP domain of its phones: what we put into From and To.
    pub domain: String,
    /// Blocked: nothing leads to it, and only calls for help lead out of it.
    pub status: Status,
}

impl Directory {
    /// Adds a tenant that is in use.
    pub fn add_tenant(&mut self, id: TenantId, key: TenantKey, domain: &str) {
        let entry = TenantEntry { key, domain: domain.to_owned(), status: Status::Active };
        self.tenants.insert(id, entry);
        self.keys.insert(key, id);
    }

    /// Notes whether a tenant that is there may be used.
    pub fn set_status(&mut self, tenant: TenantId, status: Status) {
        if let Some(entry) = self.tenants.get_mut(&tenant) {
            entry.status = status;
        }
    }

    /// Whether a tenant is blocked: its numbers lead nowhere, and its trunks carry calls for help
    /// out and nothing in.
    pub fn is_blocked(&self, tenant: TenantId) -> bool {
        self.tenants.get(&tenant).is_some_and(|entry| entry.status == Status::Blocked)
    }

    /// Brings what leads from and to the outside from `old` to `new`, two states of one tenant;
    /// `None` where there is none.
    pub fn follow_routing(
        &mut self,
        tenant: TenantId,
        old: Option<&Routing>,
        new: Option<&Routing>,
    ) {
        if let (Some(old), Some(new)) = (old, new)
            && core::ptr::eq(old, new)
        {
            return;
        }
        for id in old.into_iter().flat_map(|routing| routing.trunks.keys()) {
            self.trunks.remove(id);
            self.uses.remove(id);
        }
        for did in old.into_iter().flat_map(|routing| routing.dids.keys()) {
            if let Some(owners) = self.dids.get_mut(did) {
                owners.retain(|owner| *owner != tenant);
                if owners.is_empty() {
                    self.dids.remove(did);
                }
            }
        }
        for (id, plan) in new.into_iter().flat_map(|routing| &routing.trunks) {
            self.trunks.insert(*id, Arc::clone(&plan.trunk));
            self.uses.insert(*id, Arc::clone(plan));
        }
        for did in new.into_iter().flat_map(|routing| routing.dids.keys()) {
            let owners = self.dids.entry(did.clone()).or_default();
            if !owners.contains(&tenant) {
                owners.push(tenant);
            }
        }
    }

    /// Whether a tenant has this number, and may be called.
    pub fn has_did(&self, tenant: TenantId, did: &str) -> bool {
        let owners = self.dids.get(did);
        owners.is_some_and(|owners| owners.contains(&tenant)) && !self.is_blocked(tenant)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routing::Did;

    fn routing(trunk: u64, dids: &[&str]) -> Routing {
        let id = TrunkId(trunk);
        let sip = Arc::new(Trunk::new(id, TenantId(trunk), "", Vec::new()));
        let did =
            |name: &&str| ((*name).into(), Arc::new(Did { name: (*name).into(), extension: None }));
        Routing {
            trunks: [(id, Arc::new(TrunkUse::new(sip, "RU")))].into(),
            dids: dids.iter().map(did).collect(),
            ..Routing::default()
        }
    }

    #[test]
    fn the_numbers_of_a_blocked_tenant_lead_nowhere_and_its_trunks_stay() {
        let mut directory = Directory::default();
        directory.add_tenant(TenantId(1), TenantKey(*b"aaaaaaaa"), "pbx.example");
        directory.follow_routing(TenantId(1), None, Some(&routing(1, &["71"])));
        assert!(directory.has_did(TenantId(1), "71") && !directory.is_blocked(TenantId(1)));
        directory.set_status(TenantId(1), Status::Blocked);
        assert!(!directory.has_did(TenantId(1), "71") && directory.is_blocked(TenantId(1)));
        assert!(directory.trunks.contains_key(&TrunkId(1)));
    }

    #[test]
    fn a_number_of_two_tenants_stays_with_the_other_when_one_gives_it_up() {
        let mut directory = Directory::default();
        let (one, two) = (routing(1, &["71", "72"]), routing(2, &["72"]));
        directory.follow_routing(TenantId(1), None, Some(&one));
        directory.follow_routing(TenantId(2), None, Some(&two));
        assert!(directory.has_did(TenantId(1), "72") && directory.has_did(TenantId(2), "72"));
        assert!(!directory.has_did(TenantId(2), "71"));
        let less = routing(1, &["71"]);
        directory.follow_routing(TenantId(1), Some(&one), Some(&less));
        assert!(!directory.has_did(TenantId(1), "72") && directory.has_did(TenantId(2), "72"));
        assert!(directory.trunks.contains_key(&TrunkId(1)));
        directory.follow_routing(TenantId(1), Some(&less), None);
        directory.follow_routing(TenantId(2), Some(&two), None);
        assert!(directory.dids.is_empty() && directory.trunks.is_empty());
        assert!(directory.uses.is_empty());
    }
}
