//! Headers that mean something only between parties that trust each other.

use sip::{Header, Message};

/// What names of our own begin with.
const OWN: &[u8] = b"X-Dialplane-";

/// How far a message's sender is trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trust {
    /// A phone, or a stranger.
    Phone,
    /// A trunk's host (RFC 3325: inside of the trust domain).
    Trunk,
}

/// Forgets what the sender may not say. A header is known by its canonical name, which parsing
/// gave it whatever its case, its compact form or the white space before its colon.
pub(crate) fn strip(message: &mut Message, trust: Trust) {
    message.retain_lines(|line| match line.header {
        // RFC 3325 9.2: a hint of a phone's to its proxy. The credential says who it is.
        Header::PPreferredIdentity => false,
        Header::PAssertedIdentity
        | Header::RemotePartyId
        | Header::Diversion
        | Header::HistoryInfo => trust == Trust::Trunk,
        Header::Other => {
            !line.name.get(..OWN.len()).is_some_and(|start| start.eq_ignore_ascii_case(OWN))
        }
        // Identity (RFC 8224) is signed: it goes through as it is.
        _ => true,
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every spelling under which a header's name might get past a filter.
    const SPELLINGS: [fn(&str) -> String; 9] = [
        |name| format!("{name}: v"),
        |name| format!("{name} : v"),
        |name| format!("{name}\t: v"),
        |name| format!("{name} \t :v"),
        |name| format!("{}: v", name.to_uppercase()),
        |name| format!("{}:v", name.to_lowercase()),
        |name| format!("{name}:\r\n v"),
        |name| format!("{name}:: v"),
        |name| format!("{name}: a\r\n{name} : b\r\nSubject: s\r\n{name}:c"),
    ];

    fn stripped(line: &str, trust: Trust) -> Message {
        let text = format!("INVITE sip:a@b SIP/2.0\r\n{line}\r\nIdentity: kept\r\n\r\n");
        let mut message = Message::parse(text.into_bytes()).unwrap();
        strip(&mut message, trust);
        message
    }

    #[test]
    fn private_headers_of_phones_are_forgotten_in_any_spelling() {
        let names = [
            "X-Dialplane-Tenant",
            "X-DIALPLANE-",
            "P-Asserted-Identity",
            "P-Preferred-Identity",
            "Remote-Party-ID",
            "Diversion",
            "History-Info",
        ];
        for name in names {
            for spelling in SPELLINGS {
                let line = spelling(name);
                let message = stripped(&line, Trust::Phone);
                let left: Vec<_> = message
                    .lines()
                    .filter(|l| l.name.eq_ignore_ascii_case(name.as_bytes()))
                    .collect();
                assert!(left.is_empty(), "{line:?} left {left:?}");
                let mut printed = Vec::new();
                message.print(&mut printed);
                let printed = String::from_utf8(printed).unwrap().to_ascii_lowercase();
                assert!(!printed.contains(&name.to_ascii_lowercase()), "{line:?} in {printed}");
                assert_eq!(message.text(Header::Identity).unwrap(), "kept", "{line:?}");
            }
        }
    }

    #[test]
    fn a_name_that_is_folded_is_no_header_at_all() {
        for line in
            ["X-Dialplane-Tenant\r\n : v", "Diversion\r\n\t: v", "P-Asserted\r\n -Identity: v"]
        {
            let message = stripped(line, Trust::Phone);
            assert!(sip::validate(&message).is_err(), "{line:?} is answered with 400");
            assert!(!message.has(Header::Diversion) && !message.has(Header::PAssertedIdentity));
            assert!(message.other("X-Dialplane-Tenant").is_none());
        }
    }

    #[test]
    fn a_trunk_asserts_and_diverts_but_never_speaks_for_us() {
        let kept = |line: &str| stripped(line, Trust::Trunk).line_count() == 2;
        assert!(kept("P-Asserted-Identity: <sip:1@a>") && kept("Diversion: <sip:1@a>"));
        assert!(kept("History-Info: <sip:1@a>") && kept("Remote-Party-ID: <sip:1@a>"));
        assert!(!kept("X-Dialplane-Tenant: 1") && !kept("P-Preferred-Identity: <sip:1@a>"));
    }

    #[test]
    fn other_headers_stay() {
        for line in ["X-Dialplan: v", "X-Other: v", "Subject: v", "P-Early-Media: v"] {
            assert_eq!(stripped(line, Trust::Phone).line_count(), 2, "{line}");
        }
    }
}
