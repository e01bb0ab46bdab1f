//! Digest: the vectors of RFC 7616, RFC 8760's choice of hash, and what proves nothing.

use sip::digest::{Algorithm, Challenge, Credentials, DigestError, Freshness, Ha1s, Login, Qop};

const REALM: &str = "http-auth@example.org";

fn mufasa() -> Ha1s {
    Ha1s::of("Mufasa", REALM, "Circle of Life")
}

/// RFC 7616 3.9.1.
fn rfc7616(algorithm: &str, response: &str) -> String {
    format!(
        "Digest username=\"Mufasa\",\r\n realm=\"{REALM}\", uri=\"/dir/index.html\", \
         algorithm={algorithm}, nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", \
         nc=00000001, cnonce=\"f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ\", qop=auth, \
         response=\"{response}\", opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\""
    )
}

const MD5: &str = "8ca523f5e9506fed4657c9700eebdbec";
const SHA256: &str = "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1";

#[test]
fn the_vectors_of_rfc_7616_are_accepted() {
    for (algorithm, response) in [("MD5", MD5), ("SHA-256", SHA256), ("sha-256", SHA256)] {
        let value = rfc7616(algorithm, response);
        let credentials = Credentials::parse(value.as_bytes()).unwrap();
        assert_eq!((credentials.username, credentials.realm), ("Mufasa", REALM));
        assert_eq!(credentials.count(), Some(1));
        assert_eq!(credentials.check(&mufasa(), "GET"), Ok(()), "{algorithm}");
        assert_eq!(credentials.check(&mufasa(), "POST"), Err(DigestError::Mismatch));
    }
}

#[test]
fn the_vector_of_rfc_2617_is_accepted_with_md5_unnamed() {
    let value = "Digest username=\"Mufasa\", realm=\"testrealm@host.com\", \
        nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", uri=\"/dir/index.html\", qop=auth, \
        nc=00000001, cnonce=\"0a4f113b\", response=\"6629FAE49393A05397450978507C4EF1\"";
    let credentials = Credentials::parse(value.as_bytes()).unwrap();
    assert_eq!(credentials.algorithm, Algorithm::Md5);
    let ha1s = Ha1s::of("Mufasa", "testrealm@host.com", "Circle Of Life");
    assert_eq!(credentials.check(&ha1s, "GET"), Ok(()));
}

#[test]
fn another_password_user_or_hash_proves_nothing() {
    let value = rfc7616("MD5", MD5);
    let credentials = Credentials::parse(value.as_bytes()).unwrap();
    for other in [
        Ha1s::of("Mufasa", REALM, "Circle of life"),
        Ha1s::of("mufasa", REALM, "Circle of Life"),
        Ha1s::of("Mufasa", "example.org", "Circle of Life"),
    ] {
        assert_eq!(credentials.check(&other, "GET"), Err(DigestError::Mismatch));
    }
    for (algorithm, response) in [("MD5", SHA256), ("SHA-256", MD5), ("MD5", "")] {
        let value = rfc7616(algorithm, response);
        let credentials = Credentials::parse(value.as_bytes()).unwrap();
        assert_eq!(credentials.check(&mufasa(), "GET"), Err(DigestError::Mismatch));
    }
}

#[test]
fn without_qop_auth_nothing_is_proved() {
    for (from, to) in [
        ("qop=auth", "qop=auth-int"),
        ("qop=auth,", ""),
        ("nc=00000001,", ""),
        ("nc=00000001", "nc=1"),
        ("nc=00000001", "nc=+0000001"),
        ("nc=00000001", "nc=0000000g"),
        ("cnonce", "x"),
    ] {
        let value = rfc7616("MD5", MD5).replace(from, to);
        let credentials = Credentials::parse(value.as_bytes()).unwrap();
        assert_eq!(credentials.check(&mufasa(), "GET"), Err(DigestError::Qop), "{to}");
    }
}

#[test]
fn what_is_no_digest_is_refused_with_its_place() {
    for (value, expected) in [
        ("", "expected a scheme at byte 0"),
        ("Basic abc", "expected the scheme Digest at byte 5"),
        ("Digest", "expected a parameter name at byte 6"),
        ("Digest a", "expected '=' at byte 8"),
        ("Digest realm=\"a", "expected a closing quote at byte 13"),
        ("Digest realm=a nonce=b", "expected ',' or the end of the value at byte 15"),
        ("Digest realm=a, realm=b", "expected each parameter once at byte 23"),
        ("Digest realm=a", "expected username at byte 0"),
    ] {
        assert_eq!(Credentials::parse(value.as_bytes()).unwrap_err().to_string(), expected);
    }
    let sess = rfc7616("MD5-sess", MD5);
    assert!(Credentials::parse(sess.as_bytes()).is_err());
}

fn challenge(algorithm: Algorithm) -> Challenge<'static> {
    Challenge {
        realm: "pbx",
        nonce: "n0",
        algorithm,
        opaque: Some("op"),
        freshness: Freshness::Stale,
        qop: Qop::Auth,
    }
}

#[test]
fn a_challenge_reads_as_it_prints() {
    for algorithm in [Algorithm::Md5, Algorithm::Sha256] {
        let text = challenge(algorithm).to_string();
        assert_eq!(Challenge::parse(text.as_bytes()), Ok(challenge(algorithm)), "{text}");
    }
}

#[test]
fn our_answer_to_a_challenge_proves_the_password() {
    for algorithm in [Algorithm::Md5, Algorithm::Sha256] {
        let ha1s = Ha1s::of("100", "pbx", "secret");
        let login = Login {
            username: "100",
            ha1s: &ha1s,
            method: "REGISTER",
            uri: "sip:pbx",
            cnonce: "c0",
            count: 0x1f,
        };
        let answer = challenge(algorithm).answer(&login).unwrap();
        let credentials = Credentials::parse(answer.as_bytes()).unwrap();
        assert_eq!(credentials.check(&ha1s, "REGISTER"), Ok(()));
        assert_eq!(credentials.check(&ha1s, "INVITE"), Err(DigestError::Mismatch));
        assert_eq!((credentials.nc, credentials.opaque), (Some("0000001f"), Some("op")));
        assert_eq!((credentials.nonce, credentials.uri), ("n0", "sip:pbx"));
    }
}

#[test]
fn a_challenge_of_rfc_2069_is_answered_in_its_form() {
    // The values of RFC 2617 3.5 without qop; the response was computed with another program.
    let text = "Digest realm=\"testrealm@host.com\", nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\"";
    let challenge = Challenge::parse(text.as_bytes()).unwrap();
    assert_eq!((challenge.qop, challenge.algorithm), (Qop::Absent, Algorithm::Md5));
    let ha1s = Ha1s::of("Mufasa", "testrealm@host.com", "Circle Of Life");
    let login = Login {
        username: "Mufasa",
        ha1s: &ha1s,
        method: "GET",
        uri: "/dir/index.html",
        cnonce: "",
        count: 1,
    };
    let answer = challenge.answer(&login).unwrap();
    assert!(answer.contains("response=\"670fd8c2df070c60b045671b8b24ff02\""), "{answer}");
    assert!(!answer.contains("qop") && !answer.contains("nc="));
}

#[test]
fn a_challenge_that_only_offers_integrity_is_not_answered() {
    let text = "Digest realm=\"r\", nonce=\"n\", qop=\"auth-int\"";
    let challenge = Challenge::parse(text.as_bytes()).unwrap();
    let ha1s = Ha1s::of("a", "r", "b");
    let login =
        Login { username: "a", ha1s: &ha1s, method: "BYE", uri: "u", cnonce: "c", count: 1 };
    assert_eq!(challenge.answer(&login), None);
}

#[test]
fn quotes_cannot_end_a_value() {
    let nasty = Challenge { realm: "a\", x=\"y\r\n\\", opaque: None, ..challenge(Algorithm::Md5) };
    let text = nasty.to_string();
    assert!(text.starts_with("Digest realm=\"a, x=y\", nonce"), "{text}");
}

#[test]
fn secrets_are_not_shown() {
    assert_eq!(format!("{:?}", mufasa()), "Ha1s");
}

/// The proof of an answer was of the folded nonce, but the fold was left out of what was sent.
#[test]
fn a_value_that_cannot_be_sent_back_as_it_came_is_refused() {
    for nonce in ["a\r\n b", "a\tb", "a\u{7f}b", "a\u{85}b"] {
        let value = format!("Digest realm=\"r\", nonce=\"{nonce}\", qop=\"auth\"");
        assert!(Challenge::parse(value.as_bytes()).is_err(), "{nonce:?}");
    }
    assert!(Challenge::parse(br#"Digest realm="r", nonce=a\, qop="auth""#).is_err());
    // Folds between the parameters are as good as spaces.
    let value = "Digest realm=\"r\",\r\n nonce=\"a b\"";
    assert_eq!(Challenge::parse(value.as_bytes()).unwrap().nonce, "a b");
}

#[test]
fn credentials_for_a_realm_are_the_first_of_it_however_often_they_are_asked_for() {
    let line = |user: &str, realm: &str| {
        format!(
            "Authorization: Digest username=\"{user}\", realm=\"{realm}\", nonce=\"n\", \
            uri=\"sip:x\", response=\"00\", qop=auth, nc=00000001, cnonce=\"\", opaque=\"o\"\r\n"
        )
    };
    let lines = [line("a", "one"), line("b", "two"), line("c", "two")].concat();
    let text = format!("INVITE sip:x SIP/2.0\r\nAuthorization: Basic x\r\n{lines}\r\n");
    let message = sip::Message::parse(text.into_bytes()).unwrap();
    let user = |realm: &str| message.credentials_for(realm).map(|c| c.username);
    for realm in ["two", "two", "one", "three", "one", "two"] {
        let first = message.credentials(sip::Header::Authorization).find(|c| c.realm == realm);
        assert_eq!(user(realm), first.map(|c| c.username), "{realm}");
        let again = message.credentials_for(realm);
        assert_eq!(format!("{again:?}"), format!("{first:?}"));
    }
    assert_eq!((user("two"), user("one"), user("three")), (Some("b"), Some("a"), None));
}
