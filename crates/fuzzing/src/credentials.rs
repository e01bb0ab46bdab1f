//! Any text as digest credentials and as a challenge.

use sip::digest::{Challenge, Credentials, DigestError, Ha1s, Login, Qop};

/// Any value of Authorization or WWW-Authenticate.
pub fn digest(data: &[u8]) {
    let ha1s = Ha1s::of("alice", "pbx.example", "secret");
    if let Ok(credentials) = Credentials::parse(data) {
        let _ = credentials.count();
        assert!(credentials.check(&ha1s, "INVITE").is_err(), "nobody guesses a password");
    }
    let Ok(challenge) = Challenge::parse(data) else { return };
    let text = challenge.to_string();
    let again = Challenge::parse(text.as_bytes()).expect("a challenge that we write is one");
    let clean = !data.iter().any(|b| b.is_ascii_control()) && data.is_ascii();
    if clean && challenge.qop != Qop::Unusable {
        assert_eq!(again, challenge, "{text}");
    }
    can_be_met(&challenge, &ha1s);
}

/// Who knows the password passes, whatever the server put into its challenge.
fn can_be_met(challenge: &Challenge<'_>, ha1s: &Ha1s) {
    let login = Login {
        username: "alice \"a\" \\",
        ha1s,
        method: "REGISTER",
        uri: "sip:pbx.example",
        cnonce: "0a4f113b",
        count: 1,
    };
    let Some(answer) = challenge.answer(&login) else {
        assert_eq!(challenge.qop, Qop::Unusable);
        return;
    };
    let credentials = Credentials::parse(answer.as_bytes()).expect("an answer is credentials");
    assert!(!answer.contains(['\r', '\n']), "an answer is one line: {answer:?}");
    assert_eq!(credentials.uri, "sip:pbx.example");
    assert_eq!(credentials.algorithm, challenge.algorithm);
    if challenge.qop == Qop::Auth {
        assert_eq!(credentials.count(), Some(1));
        assert_eq!(credentials.check(ha1s, "REGISTER"), Ok(()), "{answer:?}");
        let other = credentials.check(ha1s, "INVITE");
        assert_eq!(other, Err(DigestError::Mismatch), "another method is another proof");
        assert_eq!(credentials.nonce, challenge.nonce);
        assert_eq!(credentials.opaque, challenge.opaque);
    }
}
