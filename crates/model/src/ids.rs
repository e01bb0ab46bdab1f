//! Identifiers: one type per kind of thing, so that none can be passed as another.

use core::fmt;
use core::net::Ipv4Addr;
use core::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::time::Wall;

macro_rules! number_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        pub struct $name(pub u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number_id!(
    /// A customer's PBX; the API calls it `client_id`.
    TenantId
);
number_id!(
    /// An extension; unique on the installation, six digits or more.
    ExtensionId
);
number_id!(
    /// A user of the API.
    UserId
);
number_id!(
    /// A group of extensions.
    ExtensionGroupId
);
number_id!(
    /// One call (conversation) inside its tenant; internal, never shown.
    CallId
);
number_id!(
    /// One registered contact of a phone extension; internal, numbered by the registrar.
    DeviceId
);
number_id!(
    /// A trunk; unique on the installation.
    TrunkId
);
number_id!(
    /// An incoming call rule; unique within its extension.
    RuleId
);
number_id!(
    /// A time interval; unique on the installation.
    IntervalId
);
number_id!(
    /// A list of rewritings for dialled numbers; unique on the installation.
    DialRulesId
);
number_id!(
    /// A sound file; unique on the installation.
    SoundId
);
number_id!(
    /// A number of the outside that leads to an extension; unique on the installation.
    DidId
);

/// The opaque key of a tenant that our branches, tags and Contacts carry: 8 letters or digits.
///
/// It tells whose message it is without telling strangers how tenants are numbered.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TenantKey(pub [u8; 8]);

impl TenantKey {
    /// Reads a key: exactly 8 lower-case letters or digits.
    pub fn parse(text: &[u8]) -> Option<TenantKey> {
        let key: [u8; 8] = text.try_into().ok()?;
        key.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()).then_some(TenantKey(key))
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        core::str::from_utf8(&self.0).unwrap_or("")
    }
}

impl fmt::Display for TenantKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for TenantKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The UUID of a conversation: the second half of `call_api_id`, and `CallID` without hyphens.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CallUuid(pub u128);

impl CallUuid {
    /// A version 7 UUID (RFC 9562 5.7): the millisecond, then 74 random bits. Calls of one time
    /// lie together in the tables, which is what makes writing many of them cheap.
    pub fn new(time: Wall, random: u128) -> CallUuid {
        let millis = u128::try_from(time.0 / 1_000).unwrap_or(0) & 0xFFFF_FFFF_FFFF;
        let version = 0x7u128 << 76;
        let variant = 0x2u128 << 62;
        let random = random & (u128::MAX >> 48) & !(0xFu128 << 76) & !(0x3u128 << 62);
        CallUuid((millis << 80) | version | variant | random)
    }

    /// 32 lower-case hexadecimal digits: the form of `CallID` in events.
    pub fn hex(self) -> String {
        // Not by `core::fmt`, which takes ten times as long: each record of a call has some.
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let digit = |nibble: u8| char::from(DIGITS.get(usize::from(nibble)).copied().unwrap_or(0));
        let bytes = self.0.to_be_bytes();
        bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
    }

    /// Reads 32 hexadecimal digits of either case, with or without the hyphens of RFC 9562.
    pub fn parse(text: &str) -> Option<CallUuid> {
        let hyphens = match text.len() {
            32 => false,
            36 => true,
            _ => return None,
        };
        let mut value = 0u128;
        for (i, b) in text.bytes().enumerate() {
            if hyphens && matches!(i, 8 | 13 | 18 | 23) {
                if b != b'-' {
                    return None;
                }
                continue;
            }
            value = (value << 4) | u128::from(char::from(b).to_digit(16)?);
        }
        Some(CallUuid(value))
    }
}

/// The hyphenated form of RFC 9562.
impl fmt::Display for CallUuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let h = self.hex();
        write!(f, "{}-{}-{}-{}-{}", &h[..8], &h[8..12], &h[12..16], &h[16..20], &h[20..])
    }
}

impl fmt::Debug for CallUuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A sound file in the store of the node: an uploaded sound, a message, a recording.
///
/// A file is written once and never changed: new content is a new file.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FileId(pub u128);

impl FileId {
    /// Reads 32 hexadecimal digits.
    pub fn parse(text: &str) -> Option<FileId> {
        CallUuid::parse(text).filter(|_| text.len() == 32).map(|uuid| FileId(uuid.0))
    }
}

/// 32 lower-case hexadecimal digits.
impl fmt::Display for FileId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for FileId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The IPv4 address of the node as an unsigned number: the first half of `call_api_id`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct NodeAddress(pub u32);

impl From<Ipv4Addr> for NodeAddress {
    fn from(a: Ipv4Addr) -> NodeAddress {
        NodeAddress(u32::from(a))
    }
}

/// The handle of a call in the HTTP API: `<node>-<uuid>` (API reference, decision 7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CallApiId {
    /// The node on which the call began.
    pub node: NodeAddress,
    /// The conversation.
    pub uuid: CallUuid,
}

impl fmt::Display for CallApiId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.node.0, self.uuid)
    }
}

/// The text is no `call_api_id`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("call_api_id must be <number>-<uuid>")]
pub struct BadCallApiId;

impl FromStr for CallApiId {
    type Err = BadCallApiId;
    fn from_str(text: &str) -> Result<CallApiId, BadCallApiId> {
        let (node, uuid) = text.split_once('-').ok_or(BadCallApiId)?;
        if node.is_empty() || !node.bytes().all(|b| b.is_ascii_digit()) {
            return Err(BadCallApiId);
        }
        Ok(CallApiId {
            node: NodeAddress(node.parse().map_err(|_| BadCallApiId)?),
            uuid: CallUuid::parse(uuid).ok_or(BadCallApiId)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn call_api_id_reads_and_prints_the_specified_form() {
        let text = "3232240860-37b98fb2-a66c-11ea-ae69-6fd86d94a0e0";
        let id: CallApiId = text.parse().unwrap();
        assert_eq!(id.node, Ipv4Addr::new(192, 168, 20, 220).into());
        assert_eq!(id.to_string(), text);
        assert_eq!(id.uuid.hex(), "37b98fb2a66c11eaae696fd86d94a0e0");
    }

    #[test]
    fn malformed_call_api_ids_are_refused() {
        for text in ["", "-", "1-", "+1-37b98fb2-a66c-11ea-ae69-6fd86d94a0e0", "1-37b98fb2", "x-y"]
        {
            assert_eq!(text.parse::<CallApiId>(), Err(BadCallApiId), "{text}");
        }
    }

    #[test]
    fn uuid_has_version_and_variant() {
        let text = CallUuid::new(Wall(1_645_557_742_000_000), u128::MAX).to_string();
        assert_eq!(text, "017f22e2-79b0-7fff-bfff-ffffffffffff");
    }
}
