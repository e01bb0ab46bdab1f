//! Whose message is it? One pure function, and the shard of a tenant.

use model::{Directory, TenantId};

use crate::pending::Pending;

/// The tenant to which a message belongs; `None`: nobody's, so it is a stranger's.
///
/// In order: a response by our branch; a request by our To tag; else by the Call-ID of an INVITE
/// that was let in; else by the login that it wants to prove.
pub fn owner(message: &sip::Message, directory: &Directory, pending: &Pending) -> Option<TenantId> {
    if !message.is_request() {
        let via = message.via().ok()?;
        let key = stack::tenant_key_of_branch(via.branch()?)?;
        return directory.keys.get(&key).copied();
    }
    if let Some(tag) = message.to().ok().and_then(|to| to.tag().map(str::to_owned)) {
        let key = stack::tenant_key_of_tag(&tag)?;
        return directory.keys.get(&key).copied();
    }
    if let Some(tenant) = message.call_id().and_then(|id| pending.tenant(id)) {
        return Some(tenant);
    }
    let login = message.digest_user()?;
    directory.logins.get(&*login).map(|c| c.tenant)
}

/// The shard on which a tenant lives: the one with the highest hash of both (rendezvous), so that
/// a change of their number moves as few tenants as can be.
pub fn shard_of(tenant: TenantId, shards: usize) -> usize {
    (0..shards.max(1)).max_by_key(|shard| mix(tenant.0, *shard as u64)).unwrap_or(0)
}

/// SplitMix64's finaliser over both numbers; spreads well and stays the same for ever.
fn mix(tenant: u64, shard: u64) -> u64 {
    let mut z =
        tenant.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ shard.wrapping_mul(0xD1B5_4A32_D192_ED03);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tenants_spread_and_few_move_when_a_shard_is_added() {
        let of =
            |shards| (1..=1_000).map(move |t| shard_of(TenantId(t), shards)).collect::<Vec<_>>();
        let (two, three) = (of(2), of(3));
        let on_first = two.iter().filter(|s| **s == 0).count();
        assert!((400..600).contains(&on_first), "{on_first}");
        let moved = two.iter().zip(&three).filter(|(a, b)| a != b).count();
        assert!((250..420).contains(&moved), "{moved}");
        assert!(two.iter().zip(&three).all(|(a, b)| a == b || *b == 2));
    }
}
