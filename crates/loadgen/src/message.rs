//! SIP text as a phone on the other side reads it: the few headers that matter, borrowed.

/// A message, cut up but not copied.
#[derive(Debug, Default)]
pub struct Message<'a> {
    /// Status of a response.
    pub status: Option<u16>,
    /// Method of a request, and of a response the one in CSeq.
    pub method: &'a str,
    /// Request-URI of a request.
    pub uri: &'a str,
    /// Via values, topmost first.
    pub via: Vec<&'a str>,
    /// Record-Route values, as they stand.
    pub record_route: Vec<&'a str>,
    /// Challenges of either kind.
    pub challenges: Vec<Challenge<'a>>,
    /// From, whole.
    pub from: &'a str,
    /// To, whole.
    pub to: &'a str,
    /// Call-ID.
    pub call_id: &'a str,
    /// CSeq, number and method.
    pub cseq: &'a str,
    /// URI of the first Contact.
    pub contact: &'a str,
    /// What follows the empty line.
    pub body: &'a str,
}

/// A digest challenge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Challenge<'a> {
    /// It came from a proxy, so the answer goes into Proxy-Authorization.
    pub proxy: bool,
    /// Everything behind the header's name.
    pub value: &'a str,
}

impl<'a> Message<'a> {
    /// Reads a datagram; `None` when it is no SIP.
    pub fn parse(bytes: &'a [u8]) -> Option<Message<'a>> {
        let text = core::str::from_utf8(bytes).ok()?;
        let (head, body) = text.split_once("\r\n\r\n")?;
        let mut lines = head.split("\r\n");
        let start = lines.next()?;
        let mut message = Message { body, ..Message::default() };
        if let Some(rest) = start.strip_prefix("SIP/2.0 ") {
            message.status = rest.split(' ').next()?.parse().ok();
        } else {
            let mut words = start.split(' ');
            message.method = words.next()?;
            message.uri = words.next()?;
        }
        for line in lines {
            if let Some((name, value)) = line.split_once(':') {
                message.header(name.trim(), value.trim());
            }
        }
        if message.status.is_some() {
            message.method = message.cseq.split_once(' ')?.1;
        }
        (!message.call_id.is_empty()).then_some(message)
    }

    fn header(&mut self, name: &str, value: &'a str) {
        let is = |long: &str, short: &str| {
            name.eq_ignore_ascii_case(long) || name.eq_ignore_ascii_case(short)
        };
        if is("Via", "v") {
            self.via.push(value);
        } else if is("From", "f") {
            self.from = value;
        } else if is("To", "t") {
            self.to = value;
        } else if is("Call-ID", "i") {
            self.call_id = value;
        } else if is("CSeq", "") {
            self.cseq = value;
        } else if is("Contact", "m") {
            if self.contact.is_empty() {
                self.contact = uri(value);
            }
        } else if is("Record-Route", "") {
            self.record_route.push(value);
        } else if is("WWW-Authenticate", "") || is("Proxy-Authenticate", "") {
            let proxy = name.starts_with(['P', 'p']);
            self.challenges.push(Challenge { proxy, value });
        }
    }

    /// `branch` of the topmost Via.
    pub fn branch(&self) -> &'a str {
        self.via.first().and_then(|via| parameter(via, "branch")).unwrap_or("")
    }

    /// `tag` of To.
    pub fn to_tag(&self) -> Option<&'a str> {
        parameter(self.to, "tag")
    }

    /// Where the body's audio goes: its `c=` and `m=` lines.
    pub fn audio(&self) -> Option<std::net::SocketAddr> {
        let line = |start: &str| self.body.lines().find_map(|line| line.strip_prefix(start));
        let host = line("c=IN IP4 ")?.trim().parse().ok()?;
        let port = line("m=audio ")?.split(' ').next()?.parse().ok()?;
        Some(std::net::SocketAddr::new(host, port))
    }
}

/// The URI of a name-addr.
fn uri(value: &str) -> &str {
    match value.split_once('<') {
        Some((_, rest)) => rest.split('>').next().unwrap_or(""),
        None => value.split([';', ',']).next().unwrap_or("").trim(),
    }
}

/// Value of a header parameter.
fn parameter<'a>(value: &'a str, name: &str) -> Option<&'a str> {
    // Parameters inside the angle brackets are the URI's.
    let value = value.rsplit_once('>').map_or(value, |(_, rest)| rest);
    value.split(';').skip(1).find_map(|part| {
        let (key, value) = part.split_once('=')?;
        key.trim().eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_is_read() {
        let text = "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 1.2.3.4;branch=z9hG4bK1;rport=9\r\n\
            f: <sip:a@b>;tag=x\r\nTo: \"N\" <sip:c@d;tag=no>;tag=yes\r\nCall-ID: 7@h\r\n\
            CSeq: 2 INVITE\r\nContact: <sip:c@1.2.3.4:5060;ob>;expires=3\r\n\
            Record-Route: <sip:p;lr>\r\nContent-Length: 40\r\n\r\n\
            v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio 4000 RTP/AVP 8\r\n";
        let message = Message::parse(text.as_bytes()).unwrap();
        assert_eq!((message.status, message.method), (Some(200), "INVITE"));
        assert_eq!((message.branch(), message.to_tag()), ("z9hG4bK1", Some("yes")));
        assert_eq!(message.contact, "sip:c@1.2.3.4:5060;ob");
        assert_eq!(message.record_route, ["<sip:p;lr>"]);
        assert_eq!(message.audio(), Some("127.0.0.1:4000".parse().unwrap()));
    }

    #[test]
    fn every_challenge_is_kept() {
        let text = "SIP/2.0 401 U\r\nCall-ID: 1\r\nCSeq: 1 REGISTER\r\n\
            WWW-Authenticate: Digest a\r\nProxy-Authenticate: Digest b\r\n\r\n";
        let message = Message::parse(text.as_bytes()).unwrap();
        let kinds: Vec<_> = message.challenges.iter().map(|c| (c.proxy, c.value)).collect();
        assert_eq!(kinds, [(false, "Digest a"), (true, "Digest b")]);
    }

    #[test]
    fn what_is_no_sip_is_let_be() {
        assert!(Message::parse(b"\r\n\r\n").is_none());
        assert!(Message::parse(&[0xff; 20]).is_none());
    }
}
