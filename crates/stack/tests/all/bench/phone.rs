//! A phone that is scripted: it writes requests and responses as text.

use leg::{LegCommand, LegEvent, LegId};
use model::DeviceId;
use sip::digest::{Challenge, Ha1s, Login as DigestLogin};
use sip::{Header, Message, Method};
use stack::{Effect, Flow};

use super::{BOB, Bench, REALM, boxed, message, sdp, udp};

/// A phone: writes requests and responses as text.
#[derive(Clone)]
pub(crate) struct Phone {
    pub(crate) login: &'static str,
    pub(crate) flow: Flow,
    pub(crate) cseq: u32,
    pub(crate) call_id: String,
    pub(crate) tag: String,
    /// To of the dialog with its tag, once there is one.
    pub(crate) to: String,
    /// Our Contact of the other side.
    pub(crate) target: String,
    /// More headers of its INVITEs outside a dialog, and of its responses to INVITE.
    pub(crate) extra: &'static str,
    branches: u32,
    /// The challenge of the last 401 and how often it was used.
    challenge: Option<(String, u32)>,
}

impl Phone {
    pub(crate) fn new(login: &'static str, flow: Flow) -> Phone {
        Phone {
            login,
            flow,
            cseq: 0,
            call_id: format!("{login}-call"),
            tag: format!("{login}-tag"),
            to: String::new(),
            target: String::new(),
            extra: "",
            branches: 0,
            challenge: None,
        }
    }

    pub(crate) fn ip(&self) -> String {
        self.flow.remote.ip().to_string()
    }

    pub(crate) fn contact(&self) -> String {
        format!("<sip:{}@{}>", self.login, self.flow.remote)
    }

    pub(crate) fn sdp(&self, version: u32, direction: &str) -> String {
        sdp(&self.ip(), 4_000, version, direction)
    }

    pub(crate) fn branch(&mut self) -> String {
        self.branches += 1;
        format!("z9hG4bK-{}-{}-{}", self.login, self.call_id, self.branches)
    }

    /// A request with a new branch and the next CSeq.
    pub(crate) fn request(
        &mut self,
        method: &str,
        uri: &str,
        to: &str,
        more: &str,
        body: &str,
    ) -> Message {
        self.cseq += 1;
        let cseq = self.cseq;
        self.request_of(method, uri, to, cseq, more, body)
    }

    pub(crate) fn request_of(
        &mut self,
        method: &str,
        uri: &str,
        to: &str,
        cseq: u32,
        more: &str,
        body: &str,
    ) -> Message {
        let branch = self.branch();
        let transport = self.flow.transport.as_str();
        let (login, tag, call_id) = (self.login, &self.tag, &self.call_id);
        let contact = self.contact();
        let contact = if more.contains("Contact:") || matches!(method, "BYE" | "ACK" | "REGISTER") {
            String::new()
        } else {
            format!("Contact: {contact}\n")
        };
        let more = more.trim();
        let head = format!(
            "{method} {uri} SIP/2.0
             Via: SIP/2.0/{transport} {ip};rport;branch={branch}
             Max-Forwards: 70
             From: <sip:{login}@acme.example>;tag={tag}
             To: {to}
             Call-ID: {call_id}
             CSeq: {cseq} {method}
             {contact}{more}",
            ip = self.flow.remote,
        );
        message(&head, body)
    }

    /// The Authorization that answers the challenge at hand.
    pub(crate) fn authorization(&mut self, method: &str, uri: &str) -> String {
        let (challenge, count) = self.challenge.as_mut().expect("no challenge yet");
        *count += 1;
        let password = format!("{}-secret", self.login);
        let ha1s = Ha1s::of(self.login, REALM, &password);
        let challenge = Challenge::parse(challenge.as_bytes()).unwrap();
        let login = DigestLogin {
            username: self.login,
            ha1s: &ha1s,
            method,
            uri,
            cnonce: "c",
            count: *count,
        };
        format!("Authorization: {}", challenge.answer(&login).unwrap())
    }

    /// Takes the challenge of a 401.
    pub(crate) fn challenged(&mut self, response: &Message) {
        assert_eq!(response.status(), Some(401));
        let value = response.text(Header::WwwAuthenticate).unwrap();
        self.challenge = Some((value.into_owned(), 0));
    }

    /// Sends a request, answers the challenge, and returns what was sent at last.
    pub(crate) fn prove(
        &mut self,
        bench: &mut Bench,
        method: &str,
        uri: &str,
        to: &str,
        more: &str,
        body: &str,
    ) -> Message {
        let first = self.request(method, uri, to, more, body);
        bench.receive(self.flow, first);
        let challenge = bench.next_of("401");
        self.challenged(&challenge);
        if method == "INVITE" {
            // 17.1.1.3: same branch; the endpoint absorbs it without state.
            let tagged = challenge.text(Header::To).unwrap().into_owned();
            let cseq = self.cseq;
            let ack = self.request_of("ACK", uri, &tagged, cseq, "", "");
            bench.receive(self.flow, ack);
        }
        let authorization = self.authorization(method, uri);
        let request =
            self.request(method, uri, to, format!("{more}\n{authorization}").trim(), body);
        bench.receive(self.flow, request.clone());
        request
    }

    /// Registers its contact for 600 seconds; its number.
    pub(crate) fn registers(&mut self, bench: &mut Bench) -> DeviceId {
        let aor = format!("<sip:{}@acme.example>", self.login);
        let more = format!("Contact: {};expires=600\nUser-Agent: Test 1.0", self.contact());
        let kept = (self.call_id.clone(), self.cseq);
        self.call_id = format!("{}-register", self.login);
        self.prove(bench, "REGISTER", "sip:acme.example", &aor, &more, "");
        let ok = bench.next_of("200");
        assert_eq!(ok.status(), Some(200));
        (self.call_id, self.cseq) = kept;
        let up = bench.others.iter().find_map(|e| match e {
            Effect::DeviceUp { device, .. } => Some(*device),
            _ => None,
        });
        bench.look_away();
        up.expect("no device came up")
    }

    /// Invites a number with digest; the leg.
    pub(crate) fn invites(&mut self, bench: &mut Bench, number: &str, body: &str) -> LegId {
        let uri = format!("sip:{number}@acme.example");
        let more = match self.extra {
            "" => "Allow: INVITE, INFO".to_owned(),
            extra if extra.contains("Allow:") => extra.to_owned(),
            extra => format!("Allow: INVITE, INFO\n{extra}"),
        };
        self.prove(bench, "INVITE", &uri, &format!("<{uri}>"), &more, body);
        match bench.events.back() {
            Some((leg, LegEvent::Incoming(_))) => *leg,
            other => panic!("no leg came in but {other:?}: {}", bench.ladder),
        }
    }

    /// Learns the dialog from a response with a To tag.
    pub(crate) fn learns(&mut self, response: &Message) {
        self.to = response.text(Header::To).unwrap().into_owned();
        if let Ok(Some(contact)) = response.contact() {
            self.target = contact.uri.as_str().to_owned();
        }
    }

    /// Acknowledges a 2xx.
    pub(crate) fn acks(&mut self, bench: &mut Bench, ok: &Message, body: &str) {
        self.learns(ok);
        let (target, to) = (self.target.clone(), self.to.clone());
        let cseq = ok.cseq().unwrap().number;
        let ack = self.request_of("ACK", &target, &to, cseq, "", body);
        bench.receive(self.flow, ack);
    }

    /// Sends a request inside the dialog.
    pub(crate) fn sends(
        &mut self,
        bench: &mut Bench,
        method: &str,
        more: &str,
        body: &str,
    ) -> Message {
        let (target, to) = (self.target.clone(), self.to.clone());
        let request = self.request(method, &target, &to, more, body);
        bench.receive(self.flow, request.clone());
        request
    }

    /// Answers a request.
    pub(crate) fn answers(&self, bench: &mut Bench, request: &Message, status: u16, body: &str) {
        let response = self.response(request, status, body);
        bench.receive(self.flow, response);
    }

    pub(crate) fn response(&self, request: &Message, status: u16, body: &str) -> Message {
        let reply = sip::Reply { to_tag: Some(&self.tag), ..sip::Reply::new(status) };
        let mut writer = sip::Writer::response(request, reply);
        writer.header(Header::Contact, self.contact());
        let is_invite = request.method() == Some(Method::Invite);
        for line in self.extra.lines().filter(|_| is_invite && status > 100 && status != 487) {
            let (name, value) = line.split_once(": ").unwrap();
            writer.header(Header::of_name(name.as_bytes()), value);
        }
        let bytes = if body.is_empty() {
            writer.finish()
        } else {
            writer.finish_with("application/sdp", body.as_bytes())
        };
        Message::parse(bytes).unwrap()
    }

    /// Takes part in a dialog that an INVITE to it began.
    pub(crate) fn joins(&mut self, invite: &Message) {
        self.call_id = invite.call_id().unwrap().to_owned();
        self.to = invite.text(Header::From).unwrap().into_owned();
        self.target = invite.contact().unwrap().unwrap().uri.as_str().to_owned();
    }
}

/// Alice, whose INVITE was answered and acknowledged.
pub(crate) fn talking(bench: &mut Bench) -> (Phone, LegId) {
    let mut alice = Phone::new("alice", udp("198.51.100.7:5060"));
    bench.name(&alice.flow, "alice");
    let body = alice.sdp(1, "sendrecv");
    let leg = alice.invites(bench, "101", &body);
    bench.command(leg, LegCommand::Answer(boxed(10_000)));
    let ok = bench.next_of("200");
    alice.acks(bench, &ok, "");
    bench.look_away();
    (alice, leg)
}

/// Bob, whom we dialled and who has answered.
pub(crate) fn dialled(bench: &mut Bench) -> (Phone, LegId) {
    let mut bob = Phone::new("bob", udp("198.51.100.8:5060"));
    bench.name(&bob.flow, "bob");
    let device = bob.registers(bench);
    let leg = LegId::outgoing(1);
    bench.dial(leg, BOB, device);
    let invite = bench.next_of("INVITE");
    bob.joins(&invite);
    let body = bob.sdp(1, "sendrecv");
    bob.answers(bench, &invite, 200, &body);
    bench.look_away();
    (bob, leg)
}
