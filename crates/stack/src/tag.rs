//! Whose message it is, by what we put into it: tags, branches and Contact users of ours begin
//! with the tenant's opaque key.

use std::fmt::Write as _;

use hmac::{Hmac, KeyInit as _, Mac as _};
use model::{Chance, TenantKey, Trunk};
use sha2::Sha256;

/// RFC 3261 8.1.1.7: what the branches of RFC 3261 begin with.
pub(crate) const MAGIC_COOKIE: &str = "z9hG4bK";

/// Random letters after the key: 65 bits of chance. 19.3 wants 32.
const RANDOM_LETTERS: usize = 13;

/// 5 bits each.
const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// Letters of a trunk's token after the key: 130 bits.
const TOKEN_LETTERS: usize = 26;

/// Bytes of a key.
const KEY_LETTERS: usize = 8;

/// What the tags of answers without state begin with; no tenant's key holds a hyphen.
const STATELESS: &str = "s-";

/// The tenant key in a tag that an endpoint of ours made; `None`: it is not one of ours.
///
/// ```
/// use model::TenantKey;
/// assert_eq!(stack::tenant_key_of_tag("k2345678abcdefghijkmn"), TenantKey::parse(b"k2345678"));
/// assert_eq!(stack::tenant_key_of_tag("s-1b2c3d4e5f607182"), None);
/// ```
pub fn tenant_key_of_tag(tag: &str) -> Option<TenantKey> {
    if tag.len() != KEY_LETTERS + RANDOM_LETTERS || !tag.bytes().all(|b| b.is_ascii_alphanumeric())
    {
        return None;
    }
    TenantKey::parse(tag.as_bytes().get(..KEY_LETTERS)?)
}

/// The tenant key in a branch that an endpoint of ours made; `None`: it is not one of ours.
///
/// ```
/// use model::TenantKey;
/// let branch = "z9hG4bKk2345678abcdefghijkmn";
/// assert_eq!(stack::tenant_key_of_branch(branch), TenantKey::parse(b"k2345678"));
/// assert_eq!(stack::tenant_key_of_branch("z9hG4bK-524287-1---abc"), None);
/// ```
pub fn tenant_key_of_branch(branch: &str) -> Option<TenantKey> {
    tenant_key_of_tag(branch.strip_prefix(MAGIC_COOKIE)?)
}

/// The tenant key in the user part of a Contact that an endpoint of ours made.
pub fn tenant_key_of_user(user: &str) -> Option<TenantKey> {
    tenant_key_of_tag(user)
}

/// The user part of the Contact with which we register with a trunk. It says which trunk it is,
/// stays the same over restarts, so that no old binding of ours rings too, and nobody can guess it
/// who does not know the password of the trunk.
pub fn trunk_token(key: TenantKey, trunk: &Trunk) -> Box<str> {
    let (login, password) =
        trunk.credentials.as_ref().map_or(("", ""), |c| (c.login.as_str(), c.password.expose()));
    let mut mac = Hmac::<Sha256>::new_from_slice(password.as_bytes()).expect("HMAC takes any key");
    mac.update(b"trunk contact");
    mac.update(&trunk.id.0.to_be_bytes());
    mac.update(key.as_str().as_bytes());
    mac.update(login.as_bytes());
    let mut token = String::with_capacity(KEY_LETTERS + TOKEN_LETTERS);
    token.push_str(key.as_str());
    for byte in mac.finalize().into_bytes().into_iter().take(TOKEN_LETTERS) {
        let letter = LETTERS.get(usize::from(byte & 31)).copied().unwrap_or(b'a');
        token.push(char::from(letter));
    }
    token.into_boxed_str()
}

/// A new tag of ours. It is the user part of our Contact too.
pub(crate) fn new_tag(key: TenantKey, chance: &mut Chance) -> Box<str> {
    let mut tag = String::with_capacity(KEY_LETTERS + RANDOM_LETTERS);
    tag.push_str(key.as_str());
    chance.token(RANDOM_LETTERS, &mut tag);
    tag.into_boxed_str()
}

/// A new branch of ours.
pub(crate) fn new_branch(key: TenantKey, chance: &mut Chance) -> String {
    let mut branch = String::with_capacity(MAGIC_COOKIE.len() + KEY_LETTERS + RANDOM_LETTERS);
    branch.push_str(MAGIC_COOKIE);
    branch.push_str(key.as_str());
    chance.token(RANDOM_LETTERS, &mut branch);
    branch
}

/// The tag of an answer without state, from a keyed hash of the request.
pub(crate) fn stateless_tag(hash: u64) -> String {
    let mut tag = String::with_capacity(STATELESS.len() + 16);
    tag.push_str(STATELESS);
    // Writing into a String cannot fail.
    let _ = write!(tag, "{hash:016x}");
    tag
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_tags_and_branches_carry_the_key() {
        let key = TenantKey::parse(b"abcd2345").unwrap();
        let mut chance = Chance::from_number(1);
        let (tag, other) = (new_tag(key, &mut chance), new_tag(key, &mut chance));
        assert_ne!(tag, other);
        assert_eq!(tenant_key_of_tag(&tag), Some(key));
        let branch = new_branch(key, &mut chance);
        assert_eq!(tenant_key_of_branch(&branch), Some(key));
        assert_eq!(tenant_key_of_tag(&branch), None);
    }

    #[test]
    fn the_token_of_a_trunk_is_its_own_and_follows_its_password() {
        use model::{Secret, TenantId, TrunkCredentials, TrunkId};
        let key = TenantKey::parse(b"abcd2345").unwrap();
        let trunk = |id, password: &str| Trunk {
            credentials: Some(TrunkCredentials {
                login: "acme".into(),
                password: Secret::new(password),
            }),
            ..Trunk::new(TrunkId(id), TenantId(1), "", Vec::new())
        };
        let token = trunk_token(key, &trunk(1, "secret"));
        assert_eq!(token, trunk_token(key, &trunk(1, "secret")));
        assert_ne!(token, trunk_token(key, &trunk(2, "secret")));
        assert_ne!(token, trunk_token(key, &trunk(1, "other")));
        assert_eq!(tenant_key_of_tag(&token), None, "no tag of a dialog");
    }

    #[test]
    fn a_stateless_tag_is_no_tenants() {
        assert!((0..100).all(|n| tenant_key_of_tag(&stateless_tag(n << 50)).is_none()));
    }

    #[test]
    fn strange_texts_are_nobodys() {
        for text in ["", "abcd2345", "ABCD2345abcdefghijkmn", "abcd2345abcdefghijkm\u{e9}"] {
            assert_eq!(tenant_key_of_tag(text), None, "{text}");
        }
    }
}
