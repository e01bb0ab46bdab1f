//! Whose message is it? One pure function, and the shard of a tenant.

use model::{Directory, TenantId, TenantKey};

use crate::pending::Pending;

/// The tenant whose marks a message carries: a response by our branch; a request by our To tag,
/// else by the Call-ID of an INVITE that was let in. `None`: who sent it must say who it is.
pub fn marked(
    message: &sip::Message,
    directory: &Directory,
    pending: &Pending,
) -> Option<TenantId> {
    let of_key = |key: Option<TenantKey>| key.and_then(|k| directory.keys.get(&k).copied());
    if !message.is_request() {
        let via = message.top_via().ok()?;
        return of_key(stack::tenant_key_of_branch(via.branch?));
    }
    // A registration is of no dialog: its sender shows its password, whatever the tag.
    if message.method() == Some(sip::Method::Register) {
        return None;
    }
    if let Some(tag) = message.to_tag() {
        return of_key(stack::tenant_key_of_tag(tag));
    }
    message.call_id().ok().and_then(|id| pending.tenant(id))
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
    fn a_message_belongs_to_whom_our_marks_say() {
        let mut directory = Directory::default();
        directory.add_tenant(TenantId(1), TenantKey(*b"aaaaaaaa"), "pbx.example");
        directory.add_tenant(TenantId(2), TenantKey(*b"bbbbbbbb"), "pbx.example");
        let mut pending = Pending::default();
        pending.taken("taken".into(), TenantId(1));

        let ours = "To: <sip:x@y>;tag=aaaaaaaaaaaaaaaaaaaaa";
        let theirs = "To: <sip:x@y>;tag=123";
        let table = [
            ("SIP/2.0 200 OK", "Via: SIP/2.0/UDP h;branch=z9hG4bKaaaaaaaaaaaaaaaaaaaaa", Some(1)),
            ("SIP/2.0 200 OK", "Via: SIP/2.0/UDP h;branch=z9hG4bKzzzzzzzzaaaaaaaaaaaaa", None),
            ("SIP/2.0 200 OK", "Via: SIP/2.0/UDP h;branch=z9hG4bK77", None),
            ("BYE sip:y SIP/2.0", ours, Some(1)),
            ("BYE sip:y SIP/2.0", theirs, None),
            ("CANCEL sip:y SIP/2.0", "Call-ID: taken", Some(1)),
            ("CANCEL sip:y SIP/2.0", "Call-ID: other", None),
            ("REGISTER sip:y SIP/2.0", ours, None),
            ("OPTIONS sip:y SIP/2.0", "Call-ID: other", None),
        ];
        for (start, header, expected) in table {
            let message = sip::Message::parse(format!("{start}\r\n{header}\r\n\r\n").into());
            let found = marked(&message.unwrap(), &directory, &pending);
            assert_eq!(found, expected.map(TenantId), "{start} {header}");
        }
    }

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
