//! Every method from every kind of source, outside of a dialog and inside of somebody's: what is
//! not expressly let in is refused.

use core::net::{Ipv4Addr, SocketAddr};
use std::fmt::Write as _;

use expect_test::expect;
use model::{TenantId, Trunk, TrunkHost, TrunkId};
use sip::digest::{Challenge, Ha1s, Login};
use sip::{Header, Message};
use testkit::{Settings, Sim, millis};

const METHODS: [&str; 14] = [
    "INVITE",
    "ACK",
    "BYE",
    "CANCEL",
    "OPTIONS",
    "REGISTER",
    "PRACK",
    "UPDATE",
    "INFO",
    "SUBSCRIBE",
    "NOTIFY",
    "REFER",
    "MESSAGE",
    "PUBLISH",
];

const ANN: SocketAddr = at(Ipv4Addr::new(198, 51, 100, 1));
const EVE: SocketAddr = at(Ipv4Addr::new(198, 51, 100, 2));
const STRANGER: SocketAddr = at(Ipv4Addr::new(203, 0, 113, 66));
const TRUNK: SocketAddr = at(Ipv4Addr::new(192, 0, 2, 50));

const fn at(ip: Ipv4Addr) -> SocketAddr {
    SocketAddr::V4(core::net::SocketAddrV4::new(ip, 5_060))
}

/// Somebody who can send any request.
struct Actor<'a> {
    sim: &'a Sim,
    address: SocketAddr,
    login: Option<&'static str>,
    sent: u32,
}

/// What a request says of its dialog.
#[derive(Clone)]
struct Dialog {
    target: String,
    from: String,
    to: String,
    call_id: String,
}

impl Actor<'_> {
    fn text(&mut self, method: &str, dialog: &Dialog, more: &str) -> String {
        self.sent += 1;
        let Dialog { target, from, to, call_id } = dialog;
        let ip = self.address.ip();
        let (kind, body) = match method {
            "INVITE" => (
                "Content-Type: application/sdp\r\n",
                format!(
                    "v=0\r\no=- 1 {} IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\n\
                     m=audio 4000 RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\n",
                    self.sent
                ),
            ),
            _ => ("", String::new()),
        };
        format!(
            "{method} {target} SIP/2.0\r\nVia: SIP/2.0/UDP {ip};branch=z9hG4bK{}{}\r\n\
             Max-Forwards: 70\r\nFrom: {from}\r\nTo: {to}\r\nCall-ID: {call_id}\r\n\
             CSeq: {} {method}\r\nContact: <sip:me@{ip}:5060>\r\nUser-Agent: matrix of methods\r\n\
             Refer-To: <sip:101@pbx.example>\r\nEvent: dialog\r\nRAck: 1 1 INVITE\r\n\
             {more}{kind}Content-Length: {}\r\n\r\n{body}",
            method.to_lowercase(),
            self.sent,
            self.sent + 10,
            body.len()
        )
    }

    /// The final answers to what was sent.
    fn answers(&self, text: &str) -> Vec<Message> {
        let before = self.sim.strays().len();
        self.sim.stranger_sends(self.address, text.as_bytes());
        self.sim.run_for(millis(300));
        let strays = self.sim.strays().into_iter().skip(before);
        let to_me = strays.filter(|(to, _)| *to == self.address);
        let messages = to_me.filter_map(|(_, bytes)| Message::parse(bytes).ok());
        messages.filter(|m| m.status().is_some_and(|s| s >= 200)).collect()
    }

    /// Sends a request, with credentials if they are asked for and there; the last final answer.
    fn asks(&mut self, method: &str, dialog: &Dialog) -> Option<Message> {
        let text = self.text(method, dialog, "");
        let first = self.answers(&text).pop()?;
        let (Some(401), Some(login)) = (first.status(), self.login) else { return Some(first) };
        let value = first.values(Header::WwwAuthenticate).last()?;
        let (company, name) = login.strip_prefix('c')?.split_once('-')?;
        let challenge = Challenge::parse(value).ok()?;
        let login = Login {
            username: login,
            ha1s: &Ha1s::of(login, challenge.realm, &format!("secret-{company}-{name}")),
            method,
            uri: &dialog.target,
            cnonce: "abcd",
            count: 1,
        };
        let more = format!("Authorization: {}\r\n", challenge.answer(&login)?);
        let text = self.text(method, dialog, &more);
        self.answers(&text).pop()
    }
}

fn outside(login: &str, target: &str) -> Dialog {
    Dialog {
        target: target.to_owned(),
        from: format!("<sip:{login}@pbx.example>;tag=from{login}"),
        to: format!("<sip:{login}@pbx.example>"),
        call_id: format!("outside-{login}"),
    }
}

fn sim() -> Sim {
    let sim = Sim::with(Settings { seed: 21, companies: 2, ..Settings::default() });
    sim.configure(0, |company| {
        let hosts = vec![TrunkHost { host: TRUNK.ip().to_string(), port: None }];
        company.trunks.push(Trunk::new(TrunkId(1), TenantId(1), "carrier", hosts));
    });
    sim
}

/// What one kind of source gets for a method.
fn cell(method: &str, source: &str, inside: bool) -> String {
    let sim = sim();
    let actor = |address, login| Actor { sim: &sim, address, login, sent: 0 };
    let mut ann = actor(ANN, Some("c0-100"));
    let registered = ann.asks("REGISTER", &outside("c0-100", "sip:pbx.example")).unwrap();
    assert_eq!(registered.status(), Some(200));
    let mut call = outside("c0-100", "sip:199@pbx.example");
    call.to = "<sip:199@pbx.example>".into();
    call.call_id = "the-dialog".into();
    let answered = ann.asks("INVITE", &call).unwrap();
    assert_eq!(answered.status(), Some(200), "the echo answers");
    call.to = answered.text(Header::To).unwrap().into_owned();
    let contact = answered.contact().unwrap().unwrap();
    call.target = contact.uri.as_str().to_owned();
    let text = ann.text("ACK", &call, "");
    let invite = answered.cseq().unwrap().number;
    let text =
        text.replace(&format!("CSeq: {} ACK", ann.sent + 10), &format!("CSeq: {invite} ACK"));
    ann.answers(&text);
    let target = if method == "REGISTER" { "sip:pbx.example" } else { "sip:199@pbx.example" };
    let (mut who, own) = match source {
        "stranger" => (actor(STRANGER, None), outside("nobody", target)),
        "registered" => (ann, outside("c0-100", target)),
        "other" => (actor(EVE, Some("c1-100")), outside("c1-100", target)),
        _ => (actor(TRUNK, None), outside("+4930123456", target)),
    };
    if source == "other" {
        let own = outside("c1-100", "sip:pbx.example");
        assert_eq!(who.asks("REGISTER", &own).unwrap().status(), Some(200));
    }
    let answer = who.asks(method, if inside { &call } else { &own });
    answer.and_then(|a| a.status()).map_or("-".to_owned(), |status| status.to_string())
}

#[test]
fn what_is_not_expressly_let_in_is_refused() {
    let mut table = String::from("          stranger  registered  other     trunk\n");
    table.push_str("          out in    out in      out in    out in\n");
    for method in METHODS {
        let _ = write!(table, "{method:9}");
        for source in ["stranger", "registered", "other", "trunk"] {
            let cells = [false, true].map(|inside| cell(method, source, inside));
            let width = if source == "registered" { 11 } else { 9 };
            let _ = write!(table, " {:width$}", cells.map(|c| format!("{c:3}")).join(" "));
        }
        table.truncate(table.trim_end().len());
        table.push('\n');
    }
    expect![[r#"
                  stranger  registered  other     trunk
                  out in    out in      out in    out in
        INVITE    401 401   200 200     200 403   404 401
        ACK       -   -     -   -       -   -     -   -
        BYE       401 401   481 200     481 403   401 401
        CANCEL    481 481   481 481     481 481   481 481
        OPTIONS   200 401   200 200     200 403   200 401
        REGISTER  401 401   200 403     200 403   401 401
        PRACK     401 401   481 481     481 403   401 401
        UPDATE    401 401   481 200     481 403   401 401
        INFO      401 401   481 200     481 403   401 401
        SUBSCRIBE 401 401   200 489     200 403   401 401
        NOTIFY    401 401   405 405     405 403   401 401
        REFER     401 401   403 603     403 403   401 401
        MESSAGE   401 401   405 405     405 403   401 401
        PUBLISH   401 401   405 405     405 403   401 401
    "#]]
    .assert_eq(&table);
}
