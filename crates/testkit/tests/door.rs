//! Strangers at the door: what they get to hear, how much of it, and what it costs others.

use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use core::time::Duration;
use std::collections::BTreeMap;
use std::path::PathBuf;

use sip::digest::{Challenge, Ha1s, Login};
use sip::{Header, Message};
use switch::Denied;
use testkit::{Outcome, Readers, Settings, Sim, millis, secs};

const ROGUE: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 66);

fn at(ip: impl Into<IpAddr>) -> SocketAddr {
    SocketAddr::new(ip.into(), 5_060)
}

/// A request as a phone would send it.
fn request(method: &str, user: &str, number: usize, more: &str) -> String {
    format!(
        "{method} sip:pbx.example SIP/2.0\r\n\
         Via: SIP/2.0/UDP 203.0.113.66:5060;branch=z9hG4bK{number:06};rport\r\n\
         Max-Forwards: 70\r\nFrom: <sip:{user}@pbx.example>;tag=f{number:06}\r\n\
         To: <sip:{user}@pbx.example>\r\nCall-ID: call-{number:06}@203.0.113.66\r\n\
         CSeq: 1 {method}\r\nContact: <sip:{user}@203.0.113.66:5060>\r\n\
         User-Agent: A phone of some company 1.2.3\r\nExpires: 3600\r\n\
         Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE\r\n{more}Content-Length: 0\r\n\r\n"
    )
}

/// An Authorization for a nonce of ours.
fn credentials(challenge: &Message, method: &str, user: &str, password: &str) -> String {
    let value = challenge.values(Header::WwwAuthenticate).last().unwrap();
    let challenge = Challenge::parse(value).unwrap();
    let login = Login {
        username: user,
        ha1s: &Ha1s::of(user, challenge.realm, password),
        method,
        uri: "sip:pbx.example",
        cnonce: "abcd",
        count: 1,
    };
    format!("Authorization: {}\r\n", challenge.answer(&login).unwrap())
}

/// Sends from an address without a phone and gives what comes back within a tenth of a second.
fn answers(sim: &Sim, from: SocketAddr, bytes: &[u8]) -> Vec<Vec<u8>> {
    let before = sim.strays().len();
    sim.stranger_sends(from, bytes);
    sim.run_for(millis(100));
    let strays = sim.strays().into_iter().skip(before);
    strays.filter(|(to, _)| *to == from).map(|(_, bytes)| bytes).collect()
}

fn answer(sim: &Sim, from: SocketAddr, text: &str) -> Option<Message> {
    let mut all = answers(sim, from, text.as_bytes());
    assert!(all.len() <= 1, "{} answers", all.len());
    all.pop().map(|bytes| Message::parse(bytes).unwrap())
}

fn denied(sim: &Sim, why: Denied) -> u64 {
    sim.counters().iter().map(|c| c.door.denials.of(why)).sum()
}

/// Every message of the two RFCs, and those that this project has.
fn corpus() -> BTreeMap<String, Vec<u8>> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../sip/tests");
    let folders = ["corpora/rfc4475", "corpora/rfc5118", "messages"].map(|f| root.join(f));
    let files = folders.iter().flat_map(|folder| std::fs::read_dir(folder).unwrap());
    files
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_none_or(|e| e != "tsv" && e != "md"))
        .map(|path| (path.display().to_string(), std::fs::read(&path).unwrap()))
        .collect()
}

#[test]
fn a_stranger_gets_at_most_a_fifth_more_bytes_than_it_sent() {
    let sim = Sim::seed(3);
    let corpus = corpus();
    assert!(corpus.len() >= 62, "{}", corpus.len());
    let mut answered = 0;
    for (n, (name, bytes)) in (1u32..).zip(&corpus) {
        let from = at(Ipv4Addr::from_bits(0x0a63_0000 + n));
        let got: usize = answers(&sim, from, bytes).iter().map(Vec::len).sum();
        assert!(got * 10 <= bytes.len() * 12, "{name}: {got} for {}", bytes.len());
        answered += usize::from(got > 0);
    }
    assert!(answered >= 45, "{answered}");
    // The least that can be called a REGISTER: its challenge does not fit, so it gets none.
    let least = "REGISTER sip:a SIP/2.0\r\nv:SIP/2.0/UDP a;branch=z9hG4bK1\r\nf:<sip:a@a>;tag=1\r\n\
                 t:<sip:a@a>\r\ni:1\r\nCSeq:1 REGISTER\r\n\r\n";
    assert!(answer(&sim, at(ROGUE), least).is_none());
    assert_eq!(denied(&sim, Denied::AnswerTooLong), 1);
}

#[test]
fn phones_of_usual_verbosity_get_a_whole_challenge() {
    // What sipp 3.6 sends, with short names everywhere.
    let short = "REGISTER sip:127.0.0.1:5060 SIP/2.0\r\n\
         Via: SIP/2.0/UDP 127.0.1.1:5061;branch=z9hG4bK-2077-1-0\r\n\
         From: <sip:0003100@127.0.0.1:5060>;tag=1\r\nTo: <sip:0003100@127.0.0.1:5060>\r\n\
         Call-ID: 1-2077@127.0.1.1\r\nCSeq: 1 REGISTER\r\n\
         Contact: <sip:0003100@127.0.1.1:5061>\r\nMax-Forwards: 70\r\nExpires: 300\r\n\
         User-Agent: sipp\r\nContent-Length: 0\r\n\r\n";
    for text in [short.to_owned(), request("REGISTER", "c0-100", 1, "")] {
        let sim = Sim::seed(3);
        let challenge = answer(&sim, at(ROGUE), &text).unwrap_or_else(|| panic!("none to {text}"));
        assert_eq!(challenge.status(), Some(401));
        let nonce = challenge.challenges(Header::WwwAuthenticate).next().unwrap().nonce.to_owned();
        assert_eq!(nonce.len(), 24, "{challenge:?}");
        assert!(challenge.to().unwrap().tag.is_some());
    }
}

#[test]
fn extensions_that_exist_and_those_that_do_not_cannot_be_told_apart() {
    // Company 1 may live on the other shard than the one that reads.
    let probe = |user: &str, method: &str, wrong: bool, shards| {
        let readers = Readers::Only(0);
        let sim =
            Sim::with(Settings { seed: 5, shards, readers, companies: 2, ..Default::default() });
        let first = answer(&sim, at(ROGUE), &request(method, user, 7, "")).unwrap();
        let last = if wrong {
            let more = credentials(&first, method, user, "wrong");
            answer(&sim, at(ROGUE), &request(method, user, 8, &more)).unwrap()
        } else {
            first
        };
        let text = String::from_utf8(last.bytes().to_vec()).unwrap();
        let counters = sim.counters();
        let handed: u64 = counters.iter().map(|c| c.handed_over).sum();
        assert_eq!(handed, 0, "a refusal is made where the message was read");
        masked(&text.replace(user, "USER"))
    };
    for method in ["REGISTER", "INVITE", "OPTIONS", "SUBSCRIBE", "MESSAGE", "REFER", "PUBLISH"] {
        for wrong in [false, true] {
            if wrong && method == "OPTIONS" {
                continue;
            }
            for shards in [1, 2] {
                let of = |user| probe(user, method, wrong, shards);
                let exists = of("c0-100");
                assert_eq!(exists, of("c0-999"), "{method} {wrong} {shards}");
                assert_eq!(exists, of("c1-100"), "{method} {wrong} {shards}");
                let status = if method == "OPTIONS" { "200" } else { "401" };
                assert!(exists.starts_with(&format!("SIP/2.0 {status} ")), "{exists}");
            }
        }
    }
}

/// Without nonce, tag and branch, whose lengths stay.
fn masked(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = ["nonce=\"", ";tag=", ";branch="]
        .iter()
        .filter_map(|mark| rest.find(mark).map(|at| at + mark.len()))
        .min()
    {
        let (before, after) = rest.split_at(at);
        let end = after.find(['"', ';', '\r']).unwrap_or(after.len());
        out.push_str(before);
        out.push_str(&"*".repeat(end));
        rest = &after[end..];
    }
    out + rest
}

#[test]
fn a_flood_of_strangers_gets_few_answers_and_phones_notice_nothing() {
    let sim = Sim::with(Settings { seed: 8, shards: 2, ..Settings::default() });
    let (ann, bob) = (sim.phone("100"), sim.phone("101"));
    bob.answers_after(millis(200));
    ann.dials("101");
    let from = |n: usize| at(Ipv4Addr::from_bits(0xc633_0000 + u32::try_from(n % 60_000).unwrap()));
    for ms in 0..3_000usize {
        for n in 0..10 {
            let number = ms * 10 + n;
            // One source for a third of the time, then ever new ones.
            let source = if ms < 1_000 { at(ROGUE) } else { from(number) };
            let method = ["INVITE", "REGISTER", "OPTIONS", "SUBSCRIBE", "BYE"][number % 5];
            sim.stranger_sends(source, request(method, "c0-100", number, "").as_bytes());
        }
        sim.run_for(millis(1));
    }
    sim.run_for(secs(1));
    sim.assert_talking(&ann, &bob);
    let answers = sim.strays();
    assert!(answers.len() <= 3 * 200 + 200, "{}", answers.len());
    let rogue = answers.iter().filter(|(to, _)| *to == at(ROGUE)).count();
    assert!((25..=100).contains(&rogue), "one source has its share: {rogue}");
    assert!(answers.len() - rogue >= 300, "newcomers are answered: {}", answers.len() - rogue);
    // A phone that was never here before, in the middle of it all.
    sim.run_for(secs(1));
    let eve = sim.phone("102");
    assert!(eve.is_registered());
    ann.hangs_up();
    sim.assert_nothing_left();
}

#[test]
fn who_guesses_passwords_is_banned_and_nobody_else_is() {
    let sim = Sim::with(Settings { seed: 9, shards: 2, ..Settings::default() });
    let ann = sim.phone("100");
    let challenge = answer(&sim, at(ROGUE), &request("REGISTER", "c0-101", 0, "")).unwrap();
    let guess = |number: usize, password: &str| {
        let more = credentials(&challenge, "REGISTER", "c0-101", password);
        answer(&sim, at(ROGUE), &request("REGISTER", "c0-101", number, &more))
    };
    let answered = (1..40).filter(|n| guess(*n, &format!("guess {n}")).is_some()).count();
    assert_eq!(answered, 9);
    assert!(guess(50, "secret-0-101").is_none(), "not even the right one, now");
    assert!(answer(&sim, at(ROGUE), &request("OPTIONS", "x", 51, "")).is_none());
    assert!(denied(&sim, Denied::Banned) > 30);
    ann.registers();
    sim.run_for(secs(1));
    assert!(ann.is_registered());
    // Bans end by themselves.
    sim.run_for(secs(120));
    assert!(answer(&sim, at(ROGUE), &request("OPTIONS", "x", 52, "")).is_some());
}

#[test]
fn a_right_password_works_behind_the_nat_from_which_others_are_guessed() {
    let sim = Sim::with(Settings { seed: 9, shards: 2, ..Settings::default() });
    let ann = sim.phone("100");
    let nat = ann.address().ip();
    let behind = |port| SocketAddr::new(nat, port);
    let challenge = answer(&sim, behind(7_000), &request("REGISTER", "c0-101", 0, "")).unwrap();
    let guess = |number: usize, password: &str| {
        let more = credentials(&challenge, "REGISTER", "c0-101", password);
        answer(&sim, behind(7_000), &request("REGISTER", "c0-101", number, &more))
    };
    let answered = (1..100).filter(|n| guess(*n, &format!("guess {n}")).is_some()).count();
    assert_eq!(answered, 9, "then wrong ones fall silent");
    let right = guess(200, "secret-0-101").expect("an answer");
    assert_eq!(right.status(), Some(200));
    ann.dials("199");
    sim.run_for(secs(1));
    assert!(!matches!(ann.outcome(), Some(Outcome::Refused(_))));
}

#[test]
fn registrations_that_were_read_back_make_their_sources_known() {
    let sim = Sim::with(Settings { seed: 4, shards: 2, ..Settings::default() });
    let ann = sim.phone("100");
    let home = ann.address();
    sim.kill();
    sim.run_for(secs(1));
    assert_eq!(sim.lives(), 2);
    // A stranger would get a quarter of 200 at most.
    let other = SocketAddr::new(home.ip(), 9_999);
    let before = sim.strays().len();
    for n in 0..120 {
        sim.stranger_sends(other, request("OPTIONS", "x", n, "").as_bytes());
    }
    sim.run_for(Duration::from_millis(300));
    assert_eq!(sim.strays().len() - before, 120);
}
