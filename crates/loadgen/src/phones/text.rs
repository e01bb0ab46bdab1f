//! The messages that the phones send, as text.

use std::net::SocketAddr;

use crate::demo::Account;
use crate::message::Message;

/// One phone: its account, and the socket that it shares with others.
#[derive(Debug, Clone)]
pub(super) struct Phone {
    /// Login, password, number.
    pub(super) account: Account,
    /// SIP domain of its client.
    pub(super) domain: String,
    /// Its socket among those of the generator.
    pub(super) socket: usize,
    /// Port of that socket.
    pub(super) port: u16,
}

/// What all requests of one dialog, or of one registration, have in common.
#[derive(Debug, Clone)]
pub(super) struct Course {
    /// Request-URI.
    pub(super) uri: String,
    /// To, whole.
    pub(super) to: String,
    /// Tag of From.
    pub(super) from_tag: String,
    /// Call-ID.
    pub(super) call_id: String,
    /// CSeq of the next request.
    pub(super) cseq: u32,
}

impl Phone {
    /// Address of record.
    pub(super) fn own_uri(&self) -> String {
        format!("sip:{}@{}", self.account.login, self.domain)
    }

    fn contact(&self) -> String {
        format!("<sip:{}@127.0.0.1:{}>", self.account.login, self.port)
    }

    /// A request; `lines` are further headers, each whole.
    pub(super) fn request(
        &self,
        method: &str,
        course: &Course,
        branch: u64,
        lines: &[String],
        body: &str,
    ) -> Vec<u8> {
        let Course { uri, to, from_tag, call_id, cseq } = course;
        let mut text = format!(
            "{method} {uri} SIP/2.0\r\n\
             Via: SIP/2.0/UDP 127.0.0.1:{port};branch={MAGIC}{branch};rport\r\n\
             Max-Forwards: 70\r\nFrom: <{own}>;tag={from_tag}\r\nTo: {to}\r\n\
             Call-ID: {call_id}\r\nCSeq: {cseq} {method}\r\nContact: {contact}\r\n",
            port = self.port,
            own = self.own_uri(),
            contact = self.contact(),
        );
        for line in lines {
            text.push_str(line);
            text.push_str("\r\n");
        }
        finish(text, body)
    }

    /// The answer to a request, with our tag in To.
    pub(super) fn response(&self, request: &Message<'_>, status: &str, body: &str) -> Vec<u8> {
        let mut text = format!("SIP/2.0 {status}\r\n");
        for via in &request.via {
            text.push_str(&format!("Via: {via}\r\n"));
        }
        for route in &request.record_route {
            text.push_str(&format!("Record-Route: {route}\r\n"));
        }
        let tag = if request.to_tag().is_some() { "" } else { ";tag=callee" };
        text.push_str(&format!(
            "From: {}\r\nTo: {}{tag}\r\nCall-ID: {}\r\nCSeq: {}\r\nContact: {}\r\n",
            request.from,
            request.to,
            request.call_id,
            request.cseq,
            self.contact(),
        ));
        finish(text, body)
    }
}

/// Begins every branch (RFC 3261 8.1.1.7), ours by the letters behind it.
pub(super) const MAGIC: &str = "z9hG4bKlg";

fn finish(mut text: String, body: &str) -> Vec<u8> {
    if !body.is_empty() {
        text.push_str("Content-Type: application/sdp\r\n");
    }
    text.push_str(&format!("Content-Length: {}\r\n\r\n{body}", body.len()));
    text.into_bytes()
}

/// An offer or an answer: G.711 A-law, µ-law and digits at `port`.
pub(super) fn session(port: u16) -> String {
    format!(
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
         m=audio {port} RTP/AVP 8 0 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\n\
         a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\na=sendrecv\r\n"
    )
}

/// Acknowledges a final response that was no success: the INVITE's branch again (RFC 3261
/// 17.1.1.3).
pub(super) fn refusal_ack(
    phone: &Phone,
    course: &Course,
    branch: u64,
    to: &str,
    cseq: u32,
) -> Vec<u8> {
    let course = Course { to: to.to_owned(), cseq, ..course.clone() };
    phone.request("ACK", &course, branch, &[], "")
}

/// Where a request to a contact URI goes: always the switch, which is the only peer.
pub(super) fn uri_of(contact: &str, server: SocketAddr) -> String {
    if contact.is_empty() { format!("sip:{server}") } else { contact.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_can_be_read() {
        let account = Account {
            extension_id: 1,
            number: "100".into(),
            name: "0003*100".into(),
            login: "0003100".into(),
            password: "p".into(),
        };
        let phone = Phone { account, domain: "demo.example".into(), socket: 0, port: 4000 };
        let course = Course {
            uri: "sip:101@demo.example".into(),
            to: "<sip:101@demo.example>".into(),
            from_tag: "a".into(),
            call_id: "c".into(),
            cseq: 7,
        };
        let bytes = phone.request("INVITE", &course, 9, &[], &session(4002));
        let message = Message::parse(&bytes).unwrap();
        assert_eq!((message.method, message.cseq), ("INVITE", "7 INVITE"));
        assert_eq!(message.branch(), format!("{MAGIC}9"));
        assert_eq!(message.audio().unwrap().port(), 4002);
        let bytes = phone.response(&message, "200 OK", "");
        let answer = Message::parse(&bytes).unwrap();
        assert_eq!((answer.status, answer.to_tag()), (Some(200), Some("callee")));
        assert_eq!(answer.via, message.via);
    }
}
