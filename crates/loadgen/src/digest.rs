//! The phone's half of digest authentication (RFC 7616) with MD5, as most phones have it.

use md5::{Digest as _, Md5};

use crate::message::Challenge;

/// Answers the MD5 challenge among `challenges`: a whole header line without its end.
pub fn answer(
    challenges: &[Challenge<'_>],
    login: &str,
    password: &str,
    method: &str,
    uri: &str,
) -> Option<String> {
    let challenge = challenges.iter().find(|challenge| is_md5(challenge.value))?;
    let realm = parameter(challenge.value, "realm")?;
    let nonce = parameter(challenge.value, "nonce")?;
    let ha1 = hash(&[login, realm, password]);
    let ha2 = hash(&[method, uri]);
    // A fresh nonce each time, so the count and the client's nonce may stay.
    let response = hash(&[&ha1, nonce, "00000001", "c0ffee", "auth", &ha2]);
    let name = if challenge.proxy { "Proxy-Authorization" } else { "Authorization" };
    let opaque = parameter(challenge.value, "opaque");
    let opaque = opaque.map(|opaque| format!(", opaque=\"{opaque}\"")).unwrap_or_default();
    Some(format!(
        "{name}: Digest username=\"{login}\", realm=\"{realm}\", nonce=\"{nonce}\", \
         uri=\"{uri}\", response=\"{response}\", algorithm=MD5, qop=auth, nc=00000001, \
         cnonce=\"c0ffee\"{opaque}"
    ))
}

/// No algorithm means MD5.
fn is_md5(challenge: &str) -> bool {
    parameter(challenge, "algorithm").is_none_or(|name| name.eq_ignore_ascii_case("MD5"))
}

/// A parameter's value without quotes. No challenge of a sane server has a comma in a value but
/// in `qop`, which is not asked for.
fn parameter<'a>(challenge: &'a str, name: &str) -> Option<&'a str> {
    let list = challenge.trim_start().strip_prefix("Digest")?;
    list.split(',').find_map(|part| {
        let (key, value) = part.split_once('=')?;
        key.trim().eq_ignore_ascii_case(name).then(|| value.trim().trim_matches('"'))
    })
}

/// Lower-case hexadecimal MD5 of the parts with colons between.
fn hash(parts: &[&str]) -> String {
    let mut md5 = Md5::new();
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            md5.update(b":");
        }
        md5.update(part.as_bytes());
    }
    let digits = b"0123456789abcdef";
    let mut text = String::with_capacity(32);
    for byte in md5.finalize() {
        for half in [byte >> 4, byte & 15] {
            text.push(char::from(digits[usize::from(half)]));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_rfc_2617_gives_its_ha1_and_ha2() {
        let ha1 = hash(&["Mufasa", "testrealm@host.com", "Circle Of Life"]);
        assert_eq!(ha1, "939e7578ed9e3c518a452acee763bce9");
        assert_eq!(hash(&["GET", "/dir/index.html"]), "39aff3a2bab6126f332b942af96d3366");
    }

    #[test]
    fn the_md5_challenge_is_taken_among_several() {
        let challenge = |value| Challenge { proxy: false, value };
        let sha = challenge("Digest realm=\"r\", nonce=\"a\", algorithm=SHA-256");
        let md5 = challenge("Digest realm=\"r\", nonce=\"b\", algorithm=MD5, qop=\"auth\"");
        let line = answer(&[sha, md5], "u", "p", "REGISTER", "sip:r").unwrap();
        assert!(line.contains("nonce=\"b\"") && line.starts_with("Authorization: "), "{line}");
        assert_eq!(answer(&[sha], "u", "p", "REGISTER", "sip:r"), None);
    }
}
