//! When two escaped texts, parameter lists or header lists of URIs are equal (RFC 3261 19.1.4).

use smallvec::SmallVec;

use super::{UriParams, escaped, unescape};
use crate::limits;
use crate::work::visit;

impl UriParams<'_> {
    /// Whether parameters that both have are equal, and `decisive` ones are with both or neither.
    pub(super) fn equals(self, other: UriParams<'_>, decisive: impl Fn(&str) -> bool) -> bool {
        if self.0 == other.0 {
            return true;
        }
        let max = limits::URI_PARAMS_COMPARED_MAX;
        let a: SmallVec<[_; 8]> = self.iter().take(max + 1).collect();
        let b: SmallVec<[_; 8]> = other.iter().take(max + 1).collect();
        if a.len() > max || b.len() > max {
            return false;
        }
        let one_way = |a: &[(&str, Option<&str>)], b: &[(&str, Option<&str>)]| {
            a.iter().all(|(name, value)| {
                let twin = b.iter().find(|(n, _)| same(Some(n), Some(name), Case::Ignored));
                match twin {
                    Some((_, v)) => same(*v, *value, Case::Ignored),
                    None => !decisive(name),
                }
            })
        };
        one_way(&a, &b) && one_way(&b, &a)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Case {
    Sensitive,
    Ignored,
}

/// Equal after unescaping; an escaped reserved character is not the same as the plain one.
pub(super) fn same(a: Option<&str>, b: Option<&str>, case: Case) -> bool {
    let (a, b) = match (a, b) {
        (None, None) => return true,
        (Some(a), Some(b)) => (a.as_bytes(), b.as_bytes()),
        _ => return false,
    };
    visit(a.len().min(b.len()));
    let (mut i, mut k) = (0, 0);
    loop {
        match (unit(a, i), unit(b, k)) {
            (None, None) => return true,
            (Some(x), Some(y)) => {
                let equal = x.reserved == y.reserved
                    && (x.byte == y.byte
                        || (case == Case::Ignored && x.byte.eq_ignore_ascii_case(&y.byte)));
                if !equal {
                    return false;
                }
                i += x.len;
                k += y.len;
            }
            _ => return false,
        }
    }
}

/// One character of an escaped text.
struct Unit {
    byte: u8,
    /// It is a reserved character that was escaped.
    reserved: bool,
    len: usize,
}

fn unit(bytes: &[u8], i: usize) -> Option<Unit> {
    let byte = *bytes.get(i)?;
    match escaped(bytes, i) {
        Some(plain) if byte == b'%' => {
            Some(Unit { byte: plain, reserved: b";/?:@&=+$,".contains(&plain), len: 3 })
        }
        _ => Some(Unit { byte, reserved: false, len: 1 }),
    }
}

/// The same headers in any order; beyond the bound only the same text.
pub(super) fn same_headers(a: &str, b: &str) -> bool {
    if a == b {
        return true;
    }
    let split = |text: &'_ str| -> SmallVec<[String; 4]> {
        let max = limits::URI_PARAMS_COMPARED_MAX;
        text.split('&').take(max + 1).map(|h| unescape(h).to_ascii_lowercase()).collect()
    };
    let (mut a, mut b) = (split(a), split(b));
    if a.len() > limits::URI_PARAMS_COMPARED_MAX || a.len() != b.len() {
        return false;
    }
    a.sort_unstable();
    b.sort_unstable();
    a == b
}
