//! [`Source`]: who sent something, as far as an address can tell.

use core::fmt;
use core::hash::{BuildHasher, Hasher};
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::hash::DefaultHasher;

use model::Chance;

/// An IPv4 address, or the /64 of an IPv6 one: what one customer of a provider has to himself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// A /32.
    V4(u32),
    /// A /64.
    V6(u64),
}

impl Source {
    /// The source of an address.
    pub fn of(address: IpAddr) -> Source {
        match address.to_canonical() {
            IpAddr::V4(v4) => Source::V4(v4.to_bits()),
            IpAddr::V6(v6) => Source::V6(u64::try_from(v6.to_bits() >> 64).unwrap_or(0)),
        }
    }

    /// A number by which all shards agree whose matter the source is.
    pub(crate) fn number(self) -> u64 {
        match self {
            Source::V4(bits) => u64::from(bits),
            Source::V6(bits) => bits ^ 0x6_6666,
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Source::V4(bits) => Ipv4Addr::from_bits(bits).fmt(f),
            Source::V6(bits) => write!(f, "{}/64", Ipv6Addr::from_bits(u128::from(bits) << 64)),
        }
    }
}

/// A hash under a key of the process's own chance, so that nobody can choose addresses that meet.
#[derive(Clone, Debug)]
pub(crate) struct Keyed(u64);

impl Keyed {
    pub(crate) fn new(chance: &mut Chance) -> Keyed {
        Keyed(chance.bits())
    }
}

impl BuildHasher for Keyed {
    type Hasher = DefaultHasher;

    fn build_hasher(&self) -> DefaultHasher {
        let mut hasher = DefaultHasher::new();
        hasher.write_u64(self.0);
        hasher
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> Source {
        Source::of(text.parse().unwrap())
    }

    #[test]
    fn an_ipv6_source_is_its_64_and_an_ipv4_one_is_itself_however_written() {
        assert_eq!(source("2001:db8:1:2::1"), source("2001:db8:1:2:ffff::9"));
        assert_ne!(source("2001:db8:1:2::1"), source("2001:db8:1:3::1"));
        assert_ne!(source("192.0.2.1"), source("192.0.2.2"));
        assert_eq!(source("::ffff:192.0.2.1"), source("192.0.2.1"));
        assert_eq!(source("192.0.2.1").to_string(), "192.0.2.1");
        assert_eq!(source("2001:db8:1:2::1").to_string(), "2001:db8:1:2::/64");
    }
}
