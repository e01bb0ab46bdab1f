//! Digest access authentication (RFC 7616, RFC 8760): `qop=auth` with MD5 or SHA-256.
//!
//! Nonces, and which nonce counts were seen, are the caller's matter; here are the texts and the
//! hashes. Session variants (`-sess`), `auth-int` and `userhash` are neither offered nor taken.

mod params;

use core::fmt;

use md5::Md5;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use thiserror::Error;

use self::params::{AuthParams, Name};
use crate::cursor::Cursor;
use crate::params::quote;

/// Which hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    /// MD5: what all phones can do.
    Md5,
    /// SHA-256.
    Sha256,
}

impl Algorithm {
    /// As the parameter writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Algorithm::Md5 => "MD5",
            Algorithm::Sha256 => "SHA-256",
        }
    }

    fn parse(text: &str) -> Option<Algorithm> {
        let is = |a: &Algorithm| text.eq_ignore_ascii_case(a.as_str());
        [Algorithm::Md5, Algorithm::Sha256].into_iter().find(is)
    }

    /// The hash of the pieces joined by colons, in lower-case hexadecimal.
    fn hash(self, pieces: &[&str]) -> Hex {
        match self {
            Algorithm::Md5 => Hex::of(&md5(pieces)),
            Algorithm::Sha256 => Hex::of(&sha256(pieces)),
        }
    }
}

fn md5(pieces: &[&str]) -> [u8; 16] {
    let mut hasher = Md5::new();
    feed(&mut hasher, pieces);
    hasher.finalize().into()
}

fn sha256(pieces: &[&str]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    feed(&mut hasher, pieces);
    hasher.finalize().into()
}

fn feed(hasher: &mut impl Digest, pieces: &[&str]) {
    for (i, piece) in pieces.iter().enumerate() {
        if i > 0 {
            hasher.update(b":");
        }
        hasher.update(piece.as_bytes());
    }
}

/// A hash in hexadecimal, without an allocation.
struct Hex {
    text: [u8; 64],
    len: usize,
}

impl Hex {
    fn of(bytes: &[u8]) -> Hex {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut hex = Hex { text: [0; 64], len: 0 };
        for (pair, &b) in hex.text.chunks_exact_mut(2).zip(bytes) {
            if let [high, low] = pair {
                *high = DIGITS.get(usize::from(b >> 4)).copied().unwrap_or(b'0');
                *low = DIGITS.get(usize::from(b & 15)).copied().unwrap_or(b'0');
            }
            hex.len += 2;
        }
        hex
    }

    fn as_str(&self) -> &str {
        self.text.get(..self.len).and_then(|t| core::str::from_utf8(t).ok()).unwrap_or("")
    }
}

/// H(user:realm:password) with each hash: all that a server needs to keep of a password.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Ha1s {
    /// With MD5.
    pub md5: [u8; 16],
    /// With SHA-256.
    pub sha256: [u8; 32],
}

impl Ha1s {
    /// Computes both.
    pub fn of(user: &str, realm: &str, password: &str) -> Ha1s {
        let pieces = [user, realm, password];
        Ha1s { md5: md5(&pieces), sha256: sha256(&pieces) }
    }

    fn hex(&self, algorithm: Algorithm) -> Hex {
        match algorithm {
            Algorithm::Md5 => Hex::of(&self.md5),
            Algorithm::Sha256 => Hex::of(&self.sha256),
        }
    }
}

/// Shows nothing: whoever has it can log in.
impl fmt::Debug for Ha1s {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ha1s")
    }
}

/// The value of Authorization or Proxy-Authorization.
///
/// Quoted values are as they stand between the quotes, backslashes included: so they go into the
/// hash on both sides.
#[derive(Clone, Copy, Debug)]
pub struct Credentials<'a> {
    /// Who wants in.
    pub username: &'a str,
    /// The realm that was challenged.
    pub realm: &'a str,
    /// Our nonce.
    pub nonce: &'a str,
    /// The Request-URI that the response was computed for.
    pub uri: &'a str,
    /// The proof, hexadecimal.
    pub response: &'a str,
    /// Which hash; MD5 when none was named.
    pub algorithm: Algorithm,
    /// The qop that the response was computed for.
    pub qop: Option<&'a str>,
    /// The client's nonce.
    pub cnonce: Option<&'a str>,
    /// The nonce count as it is written.
    pub nc: Option<&'a str>,
    /// What we told to send back.
    pub opaque: Option<&'a str>,
}

/// Why credentials prove nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum DigestError {
    /// The response was not computed for `qop=auth`, with cnonce and nonce count of 8 digits.
    #[error("qop=auth with cnonce and nc is required")]
    Qop,
    /// The password is another.
    #[error("the response does not match")]
    Mismatch,
}

/// The value is no digest credentials or challenge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("expected {expected} at byte {offset}")]
pub struct NotDigest {
    /// Where in the value.
    pub offset: usize,
    /// What should have been there.
    pub expected: &'static str,
}

impl<'a> Credentials<'a> {
    /// Reads the value of one line.
    pub fn parse(value: &'a [u8]) -> Result<Credentials<'a>, NotDigest> {
        Credentials::read(Cursor::new(value))
    }

    pub(crate) fn read(value: Cursor<'a>) -> Result<Credentials<'a>, NotDigest> {
        let p = AuthParams::read(value)?;
        Ok(Credentials {
            username: p.needed(Name::Username)?,
            realm: p.needed(Name::Realm)?,
            nonce: p.needed(Name::Nonce)?,
            uri: p.needed(Name::Uri)?,
            response: p.needed(Name::Response)?,
            algorithm: p.algorithm()?,
            qop: p.value(Name::Qop),
            cnonce: p.value(Name::Cnonce),
            nc: p.value(Name::Nc),
            opaque: p.value(Name::Opaque),
        })
    }

    /// The nonce count.
    pub fn count(&self) -> Option<u32> {
        let nc = self.nc.filter(|nc| nc.len() == 8 && !nc.starts_with('+'))?;
        u32::from_str_radix(nc, 16).ok()
    }

    /// Checks the proof for a request with this method. Takes the same time whether it matches or
    /// not; nonce, realm and nonce count are the caller's to check.
    pub fn check(&self, ha1s: &Ha1s, method: &str) -> Result<(), DigestError> {
        let (Some(nc), Some(cnonce), Some(_)) = (self.nc, self.cnonce, self.count()) else {
            return Err(DigestError::Qop);
        };
        if !self.qop.is_some_and(|q| q.eq_ignore_ascii_case("auth")) {
            return Err(DigestError::Qop);
        }
        let proof = Proof { nonce: self.nonce, method, uri: self.uri };
        let owed = proof.compute(
            self.algorithm,
            ha1s,
            Some(Counted { nc, cnonce, qop: self.qop.unwrap_or("auth") }),
        );
        let mut sent = [0; 64];
        let sent = match sent.get_mut(..self.response.len()) {
            Some(sent) => {
                sent.copy_from_slice(self.response.as_bytes());
                sent.make_ascii_lowercase();
                sent
            }
            // No hash of ours is as long.
            None => &mut [],
        };
        if bool::from(owed.as_str().as_bytes().ct_eq(sent)) {
            Ok(())
        } else {
            Err(DigestError::Mismatch)
        }
    }
}

/// What goes into a response besides the password.
struct Proof<'a> {
    nonce: &'a str,
    method: &'a str,
    uri: &'a str,
}

/// What `qop=auth` adds.
struct Counted<'a> {
    nc: &'a str,
    cnonce: &'a str,
    qop: &'a str,
}

impl Proof<'_> {
    /// RFC 7616 3.4.1; without `counted` the form of RFC 2069.
    fn compute(&self, algorithm: Algorithm, ha1s: &Ha1s, counted: Option<Counted<'_>>) -> Hex {
        let ha1 = ha1s.hex(algorithm);
        let ha2 = algorithm.hash(&[self.method, self.uri]);
        match counted {
            Some(Counted { nc, cnonce, qop }) => {
                algorithm.hash(&[ha1.as_str(), self.nonce, nc, cnonce, qop, ha2.as_str()])
            }
            None => algorithm.hash(&[ha1.as_str(), self.nonce, ha2.as_str()]),
        }
    }
}

/// The value of WWW-Authenticate or Proxy-Authenticate; `Display` writes it.
///
/// ```
/// use sip::digest::{Algorithm, Challenge, Freshness, Qop};
/// let challenge = Challenge {
///     realm: "example.com",
///     nonce: "abc",
///     algorithm: Algorithm::Sha256,
///     opaque: None,
///     freshness: Freshness::New,
///     qop: Qop::Auth,
/// };
/// assert_eq!(
///     challenge.to_string(),
///     r#"Digest realm="example.com", nonce="abc", algorithm=SHA-256, qop="auth""#
/// );
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Challenge<'a> {
    /// Whose password is asked for.
    pub realm: &'a str,
    /// The server's nonce.
    pub nonce: &'a str,
    /// Which hash.
    pub algorithm: Algorithm,
    /// To be sent back.
    pub opaque: Option<&'a str>,
    /// Whether the password was right and only the nonce too old.
    pub freshness: Freshness,
    /// Which protection is offered.
    pub qop: Qop,
}

/// Whether a challenge repeats one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// A first challenge, or the password was wrong.
    New,
    /// `stale=true`: the password was right, the nonce too old.
    Stale,
}

/// The qop options that a challenge offers, as far as we can use them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Qop {
    /// `auth` is among them.
    Auth,
    /// None at all: the form of RFC 2069. We answer such challenges and never send one.
    Absent,
    /// Only others: cannot be answered.
    Unusable,
}

/// What a client answers a challenge with.
#[derive(Clone, Copy, Debug)]
pub struct Login<'a> {
    /// The user.
    pub username: &'a str,
    /// What is kept of the password, for the challenge's realm.
    pub ha1s: &'a Ha1s,
    /// Method of the request.
    pub method: &'a str,
    /// Its Request-URI.
    pub uri: &'a str,
    /// Our nonce, new for each answer.
    pub cnonce: &'a str,
    /// How often the server's nonce was used, this time included.
    pub count: u32,
}

impl<'a> Challenge<'a> {
    /// Reads the value of one line.
    pub fn parse(value: &'a [u8]) -> Result<Challenge<'a>, NotDigest> {
        let p = AuthParams::read(Cursor::new(value))?;
        let stale = p.value(Name::Stale).is_some_and(|s| s.eq_ignore_ascii_case("true"));
        let qop = match p.value(Name::Qop) {
            None => Qop::Absent,
            Some(list) if list.split(',').any(|q| q.trim().eq_ignore_ascii_case("auth")) => {
                Qop::Auth
            }
            Some(_) => Qop::Unusable,
        };
        Ok(Challenge {
            realm: p.needed(Name::Realm)?,
            nonce: p.needed(Name::Nonce)?,
            algorithm: p.algorithm()?,
            opaque: p.value(Name::Opaque),
            freshness: if stale { Freshness::Stale } else { Freshness::New },
            qop,
        })
    }

    /// The value of Authorization (or Proxy-Authorization) that answers it; `None` when it offers
    /// nothing that we can do.
    pub fn answer(&self, login: &Login<'_>) -> Option<String> {
        let proof = Proof { nonce: self.nonce, method: login.method, uri: login.uri };
        let nc = format!("{:08x}", login.count);
        let counted = match self.qop {
            Qop::Auth => Some(Counted { nc: &nc, cnonce: login.cnonce, qop: "auth" }),
            Qop::Absent => None,
            Qop::Unusable => return None,
        };
        let response = proof.compute(self.algorithm, login.ha1s, counted);
        let mut out = String::from("Digest username=");
        quote(login.username, &mut out);
        raw_quoted(&mut out, ", realm=", self.realm);
        raw_quoted(&mut out, ", nonce=", self.nonce);
        raw_quoted(&mut out, ", uri=", login.uri);
        raw_quoted(&mut out, ", response=", response.as_str());
        out.push_str(", algorithm=");
        out.push_str(self.algorithm.as_str());
        if self.qop == Qop::Auth {
            raw_quoted(&mut out, ", cnonce=", login.cnonce);
            out.push_str(", qop=auth, nc=");
            out.push_str(&nc);
        }
        if let Some(opaque) = self.opaque {
            raw_quoted(&mut out, ", opaque=", opaque);
        }
        Some(out)
    }
}

impl fmt::Display for Challenge<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let room = 64 + self.realm.len() + self.nonce.len() + self.opaque.map_or(0, str::len);
        let mut out = String::with_capacity(room);
        out.push_str("Digest");
        raw_quoted(&mut out, " realm=", self.realm);
        raw_quoted(&mut out, ", nonce=", self.nonce);
        if let Some(opaque) = self.opaque {
            raw_quoted(&mut out, ", opaque=", opaque);
        }
        if self.freshness == Freshness::Stale {
            out.push_str(", stale=true");
        }
        out.push_str(", algorithm=");
        out.push_str(self.algorithm.as_str());
        if self.qop == Qop::Auth {
            out.push_str(", qop=\"auth\"");
        }
        f.write_str(&out)
    }
}

/// Appends a value that goes between quotes as it is: its escapes, if any, are in it already.
/// A quote that is not escaped would end it and is left out.
fn raw_quoted(out: &mut String, before: &str, value: &str) {
    out.push_str(before);
    out.push('"');
    let mut escaped = false;
    for c in value.chars() {
        if (c == '"' && !escaped) || c.is_control() {
            continue;
        }
        escaped = c == '\\' && !escaped;
        out.push(c);
    }
    if escaped {
        out.pop();
    }
    out.push('"');
}
