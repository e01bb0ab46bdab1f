//! Answers that are little longer than what was asked.

/// An answer of ours to an unverified source in at most `limit` bytes, or nothing: what is merely
/// useful goes first, then spelling, then what a peer assumes anyway. What makes it the answer to
/// that request stays as it is.
pub(crate) fn shortened(answer: &[u8], limit: usize) -> Option<Vec<u8>> {
    let text = core::str::from_utf8(answer).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    let mut lines = lines(head);
    type Step = fn(&mut Vec<Line<'_>>);
    // RFC 3261 7.3.3, 20.14; RFC 7616 3.3: no algorithm means MD5.
    let steps: [Step; 5] = [
        |lines| lines.retain(|l| !MERELY_USEFUL.iter().any(|n| n.eq_ignore_ascii_case(l.name))),
        |lines| lines.iter_mut().for_each(Line::spell_short),
        |lines| lines.iter_mut().for_each(Line::assume_md5),
        |lines| lines.retain(|l| l.name != "l" || l.value != "0"),
        only_the_last_challenge,
    ];
    for step in steps {
        step(&mut lines);
        let length = lines.iter().map(Line::length).sum::<usize>() + 2 + body.len();
        if length <= limit {
            let mut out = String::with_capacity(length);
            lines.iter().for_each(|line| line.write(&mut out));
            out.push_str("\r\n");
            out.push_str(body);
            return Some(out.into_bytes());
        }
    }
    None
}

/// Headers that an answer need not have.
const MERELY_USEFUL: [&str; 6] =
    ["Server", "Allow", "Accept", "Supported", "Accept-Encoding", "Accept-Language"];

/// Compact forms of the headers of our answers.
const SHORT: [(&str, &str); 6] = [
    ("Via", "v"),
    ("From", "f"),
    ("To", "t"),
    ("Call-ID", "i"),
    ("Content-Length", "l"),
    ("Supported", "k"),
];

/// One line with those that continue it. The status line has no name.
struct Line<'a> {
    name: &'a str,
    colon: &'static str,
    value: std::borrow::Cow<'a, str>,
}

fn lines(head: &str) -> Vec<Line<'_>> {
    let mut lines = Vec::new();
    let mut rest = head;
    while !rest.is_empty() {
        let next = rest.match_indices("\r\n").map(|(at, _)| at);
        let folded = |at: &usize| rest[at + 2..].starts_with([' ', '\t']);
        let end = next.into_iter().find(|at| !folded(at)).unwrap_or(rest.len());
        let line = &rest[..end];
        rest = rest.get(end + 2..).unwrap_or("");
        lines.push(match line.split_once(": ").filter(|_| !lines.is_empty()) {
            Some((name, value)) => Line { name, colon: ": ", value: value.into() },
            None => Line { name: "", colon: "", value: line.into() },
        });
    }
    lines
}

/// Of two challenges the last is the one that every phone knows.
fn only_the_last_challenge(lines: &mut Vec<Line<'_>>) {
    let is_challenge = |l: &Line<'_>| l.name == CHALLENGE;
    let mut over = lines.iter().filter(|l| is_challenge(l)).count().saturating_sub(1);
    lines.retain(|line| {
        let goes = over > 0 && is_challenge(line);
        over -= usize::from(goes);
        !goes
    });
}

const CHALLENGE: &str = "WWW-Authenticate";

impl Line<'_> {
    fn spell_short(&mut self) {
        if let Some((_, short)) = SHORT.iter().find(|(long, _)| *long == self.name) {
            self.name = short;
        }
        if !self.name.is_empty() {
            self.colon = ":";
        }
        if self.name == CHALLENGE {
            self.value = self.value.replace(", ", ",").into();
        }
    }

    fn assume_md5(&mut self) {
        if self.name == CHALLENGE {
            self.value = self.value.replace(",algorithm=MD5", "").into();
        }
    }

    fn length(&self) -> usize {
        self.name.len() + self.colon.len() + self.value.len() + 2
    }

    fn write(&self, out: &mut String) {
        for part in [self.name, self.colon, &self.value, "\r\n"] {
            out.push_str(part);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &str = "SIP/2.0 401 Unauthorized\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\n \
        ;received=1.2.3.4\r\nFrom: <sip:a@b>;tag=f\r\nTo: <sip:a@b>;tag=s-1\r\nCall-ID: c\r\n\
        CSeq: 1 REGISTER\r\nAllow: INVITE, ACK\r\n\
        WWW-Authenticate: Digest realm=\"r\", nonce=\"n\", algorithm=MD5, qop=\"auth\"\r\n\
        Content-Length: 0\r\n\r\n";

    fn in_bytes(limit: usize) -> Option<String> {
        shortened(ANSWER.as_bytes(), limit).map(|bytes| String::from_utf8(bytes).unwrap())
    }

    #[test]
    fn what_is_merely_useful_goes_first() {
        let text = in_bytes(ANSWER.len() - 1).unwrap();
        assert_eq!(text, ANSWER.replace("Allow: INVITE, ACK\r\n", ""));
    }

    #[test]
    fn at_last_only_what_is_needed_is_left() {
        let shortest = (0..ANSWER.len()).find_map(in_bytes).unwrap();
        assert_eq!(
            shortest,
            "SIP/2.0 401 Unauthorized\r\nv:SIP/2.0/UDP h;branch=z9hG4bK1\r\n \
             ;received=1.2.3.4\r\nf:<sip:a@b>;tag=f\r\nt:<sip:a@b>;tag=s-1\r\ni:c\r\n\
             CSeq:1 REGISTER\r\nWWW-Authenticate:Digest realm=\"r\",nonce=\"n\",qop=\"auth\"\r\n\r\n"
        );
        assert_eq!(in_bytes(shortest.len() - 1), None);
    }

    #[test]
    fn every_length_that_is_given_is_kept_and_says_the_same() {
        let meant = |text: &str| {
            let message = sip::Message::parse(text.as_bytes().to_vec()).unwrap();
            let challenge = message.challenges(sip::Header::WwwAuthenticate).next().unwrap();
            let (nonce, algorithm) = (challenge.nonce.to_owned(), challenge.algorithm);
            let via = message.top_via().unwrap().branch.map(str::to_owned);
            (message.status(), via, message.call_id().unwrap().to_owned(), nonce, algorithm)
        };
        for limit in 200..ANSWER.len() {
            let Some(text) = in_bytes(limit) else { continue };
            assert!(text.len() <= limit);
            assert_eq!(meant(&text), meant(ANSWER), "{limit}");
        }
    }

    #[test]
    fn of_two_challenges_the_last_stays() {
        let two = ANSWER.replace("WWW-", "WWW-Authenticate: Digest a, algorithm=SHA-256\r\nWWW-");
        let text = (0..two.len()).find_map(|n| shortened(two.as_bytes(), n)).unwrap();
        let text = String::from_utf8(text).unwrap();
        assert!(!text.contains("SHA-256") && text.contains("nonce=\"n\""), "{text}");
    }
}
