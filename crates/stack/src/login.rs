//! Digest on the client's side: RFC 3261 22.2 and 22.3, RFC 7616, RFC 8760.
//!
//! What a trunk has asked for is kept for its dialog, so that later requests bring their proof
//! along. Credentials belong to (trunk, address that asked, realm as it was first learned); the
//! password is read from the directory each time and kept nowhere.

use core::net::IpAddr;

use model::{Chance, TenantId, TrunkCredentials, TrunkId};
use serde::{Deserialize, Serialize};
use sip::digest::{self, Algorithm, Challenge, Freshness, Ha1s, Qop};
use sip::{Header, Message};

use crate::core::Core;
use crate::limits::CHALLENGE_BYTES_MAX;
use crate::uas::same_ip;

/// What a trunk asks of us.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Login {
    /// Who asked: nobody else gets an answer.
    peer: IpAddr,
    asker: Asker,
    hash: Hash,
    realm: Box<str>,
    nonce: Box<str>,
    opaque: Option<Box<str>>,
    /// `qop=auth`; without it the form of RFC 2069.
    counted: bool,
    /// How often the nonce was used.
    count: u32,
}

/// Who asks: which headers the question and the answer stand in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Asker {
    /// 401, WWW-Authenticate, Authorization.
    Server,
    /// 407, Proxy-Authenticate, Proxy-Authorization.
    Proxy,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Hash {
    Md5,
    Sha256,
}

/// A header that proves who we are.
pub(crate) type Proof = (Header, Box<str>);

impl Login {
    /// What a 401 or 407 asks for. `None`: it cannot or must not be answered. `known` is what the
    /// dialog has learned before: another realm is not answered, nor is the same nonce again,
    /// which says that the password is wrong.
    pub(crate) fn learn(known: Option<&Login>, peer: IpAddr, response: &Message) -> Option<Login> {
        let (asker, header) = match response.status()? {
            401 => (Asker::Server, Header::WwwAuthenticate),
            407 => (Asker::Proxy, Header::ProxyAuthenticate),
            _ => return None,
        };
        if known.is_some_and(|known| !same_ip(known.peer, peer)) {
            return None;
        }
        let short = |text: &str| text.len() <= CHALLENGE_BYTES_MAX;
        let usable = |c: &Challenge<'_>| {
            c.qop != Qop::Unusable
                && known.is_none_or(|known| *known.realm == *c.realm)
                && [c.realm, c.nonce, c.opaque.unwrap_or("")].into_iter().all(short)
        };
        // RFC 8760 2.4: they stand in the order of the server's preference, and no server is
        // asked to take less than it can. The strongest that we know, the first of equals.
        let mut best: Option<Challenge<'_>> = None;
        for challenge in response.challenges(header).filter(usable) {
            if best.as_ref().is_none_or(|b| challenge.algorithm > b.algorithm) {
                best = Some(challenge);
            }
        }
        let challenge = best?;
        let again = known.is_some_and(|known| *known.nonce == *challenge.nonce && known.count > 0);
        if again && challenge.freshness == Freshness::New {
            return None;
        }
        Some(Login {
            peer,
            asker,
            hash: match challenge.algorithm {
                Algorithm::Md5 => Hash::Md5,
                Algorithm::Sha256 => Hash::Sha256,
            },
            realm: challenge.realm.into(),
            nonce: challenge.nonce.into(),
            opaque: challenge.opaque.map(Into::into),
            counted: challenge.qop == Qop::Auth,
            count: 0,
        })
    }

    /// The proof for one request to `to`; `None` when that is not who asked.
    pub(crate) fn prove(
        &mut self,
        chance: &mut Chance,
        credentials: &TrunkCredentials,
        to: IpAddr,
        (method, uri): (&str, &str),
    ) -> Option<Proof> {
        if !same_ip(self.peer, to) {
            return None;
        }
        self.count = self.count.saturating_add(1);
        let mut cnonce = String::with_capacity(16);
        chance.token(16, &mut cnonce);
        let password = credentials.password.expose();
        let ha1s = Ha1s::of(&credentials.login, &self.realm, password);
        let challenge = Challenge {
            realm: &self.realm,
            nonce: &self.nonce,
            algorithm: match self.hash {
                Hash::Md5 => Algorithm::Md5,
                Hash::Sha256 => Algorithm::Sha256,
            },
            opaque: self.opaque.as_deref(),
            freshness: Freshness::New,
            qop: if self.counted { Qop::Auth } else { Qop::Absent },
        };
        let login = digest::Login {
            username: &credentials.login,
            ha1s: &ha1s,
            method,
            uri,
            cnonce: &cnonce,
            count: self.count,
        };
        let header = match self.asker {
            Asker::Server => Header::Authorization,
            Asker::Proxy => Header::ProxyAuthorization,
        };
        Some((header, challenge.answer(&login)?.into()))
    }
}

/// What proves us to a trunk, as the newest configuration has it.
pub(crate) fn credentials(
    core: &Core,
    tenant: TenantId,
    trunk: TrunkId,
) -> Option<TrunkCredentials> {
    let trunk = core.directory.trunks.get(&trunk).filter(|t| t.tenant == tenant)?;
    trunk.credentials.clone()
}

#[cfg(test)]
mod tests {
    use model::Secret;
    use sip::digest::Credentials;

    use super::*;

    const PEER: IpAddr = IpAddr::V4(core::net::Ipv4Addr::new(198, 51, 100, 1));

    fn response(status: u16, lines: &[&str]) -> Message {
        let lines = lines.join("\r\n");
        let text = format!("SIP/2.0 {status} Who\r\n{lines}\r\nContent-Length: 0\r\n\r\n");
        Message::parse(text.into_bytes()).unwrap()
    }

    fn learned(known: Option<&Login>, lines: &[&str]) -> Option<(String, Hash)> {
        let login = Login::learn(known, PEER, &response(401, lines))?;
        Some((login.nonce.to_string(), login.hash))
    }

    const MD5: &str = "WWW-Authenticate: Digest realm=\"r\", nonce=\"m\", qop=\"auth\"";
    const SHA: &str = "WWW-Authenticate: Digest realm=\"r\", algorithm=SHA-256, nonce=\"s\", \
                       qop=\"auth,auth-int\"";
    const ODD: &str = "WWW-Authenticate: Digest realm=\"r\", nonce=\"o\", algorithm=SHA-512-256";
    const INT: &str = "WWW-Authenticate: Digest realm=\"r\", nonce=\"i\", qop=\"auth-int\"";
    const OLD: &str = "WWW-Authenticate: Digest realm=\"r\", nonce=\"2069\"";
    const OTHER: &str = "WWW-Authenticate: Digest realm=\"other\", nonce=\"x\", qop=\"auth\"";
    const BASIC: &str = "WWW-Authenticate: Basic realm=\"r\"";

    #[test]
    fn the_strongest_challenge_that_we_know_is_answered() {
        type Row<'a> = (&'a [&'a str], Option<(&'a str, Hash)>);
        let table: [Row<'_>; 8] = [
            (&[MD5], Some(("m", Hash::Md5))),
            (&[MD5, SHA], Some(("s", Hash::Sha256))),
            (&[SHA, MD5], Some(("s", Hash::Sha256))),
            (&[ODD, MD5, BASIC], Some(("m", Hash::Md5))),
            (&[OLD], Some(("2069", Hash::Md5))),
            (&[INT], None),
            (&[ODD], None),
            (&[BASIC], None),
        ];
        for (lines, expected) in table {
            let expected = expected.map(|(nonce, hash)| (nonce.to_owned(), hash));
            assert_eq!(learned(None, lines), expected, "{lines:?}");
        }
    }

    #[test]
    fn a_407_is_answered_in_its_own_header() {
        let line = "Proxy-Authenticate: Digest realm=\"r\", nonce=\"n\", qop=\"auth\"";
        assert!(Login::learn(None, PEER, &response(401, &[line])).is_none());
        let mut login = Login::learn(None, PEER, &response(407, &[line])).unwrap();
        let credentials = TrunkCredentials { login: "u".into(), password: Secret::new("p") };
        let mut chance = Chance::from_number(1);
        let (header, _) =
            login.prove(&mut chance, &credentials, PEER, ("INVITE", "sip:x")).unwrap();
        assert_eq!(header, Header::ProxyAuthorization);
    }

    #[test]
    fn another_realm_and_another_peer_are_not_answered() {
        let known = Login::learn(None, PEER, &response(401, &[MD5])).unwrap();
        assert!(learned(Some(&known), &[OTHER]).is_none());
        assert!(learned(Some(&known), &[OTHER, SHA]).is_some());
        let elsewhere: IpAddr = "203.0.113.9".parse().unwrap();
        assert!(Login::learn(Some(&known), elsewhere, &response(401, &[SHA])).is_none());
        let mut known = known;
        let credentials = TrunkCredentials { login: "u".into(), password: Secret::new("p") };
        let mut chance = Chance::from_number(1);
        let proof = known.prove(&mut chance, &credentials, elsewhere, ("BYE", "sip:x"));
        assert!(proof.is_none());
    }

    #[test]
    fn the_same_nonce_again_means_a_wrong_password_unless_it_is_stale() {
        let mut known = Login::learn(None, PEER, &response(401, &[MD5])).unwrap();
        let credentials = TrunkCredentials { login: "u".into(), password: Secret::new("p") };
        let mut chance = Chance::from_number(1);
        known.prove(&mut chance, &credentials, PEER, ("INVITE", "sip:x")).unwrap();
        assert!(learned(Some(&known), &[MD5]).is_none());
        let stale = format!("{MD5}, stale=true");
        assert!(learned(Some(&known), &[&stale]).is_some());
        assert!(learned(Some(&known), &[SHA]).is_some());
    }

    #[test]
    fn the_proof_is_what_a_server_checks_and_its_count_rises() {
        for line in [MD5, SHA] {
            let mut login = Login::learn(None, PEER, &response(401, &[line])).unwrap();
            let credentials = TrunkCredentials { login: "u".into(), password: Secret::new("p") };
            let mut chance = Chance::from_number(1);
            for count in 1..4 {
                let request = ("INVITE", "sip:1@x");
                let (_, line) = login.prove(&mut chance, &credentials, PEER, request).unwrap();
                let proof = Credentials::parse(line.as_bytes()).unwrap();
                assert_eq!(proof.count(), Some(count));
                proof.check(&Ha1s::of("u", "r", "p"), "INVITE").unwrap();
                assert!(proof.check(&Ha1s::of("u", "r", "q"), "INVITE").is_err());
            }
        }
    }

    #[test]
    fn a_challenge_that_is_too_long_is_not_answered() {
        let nonce = "n".repeat(CHALLENGE_BYTES_MAX + 1);
        let line = format!("WWW-Authenticate: Digest realm=\"r\", nonce=\"{nonce}\"");
        assert!(learned(None, &[&line]).is_none());
    }
}
