//! Every message of RFC 4475 and RFC 5118 gets what `EXPECT.tsv` says, as far as the message alone
//! can tell: credentials, the dialled user and which Via is ours are known elsewhere.

use std::path::PathBuf;

use sip::application::{
    Refusal, check_accept, check_body, check_method, check_require, check_scheme,
};
use sip::{Message, Method, Verdict, validate};

/// What happens to each message. `ok`: a UAS goes on with it.
const OUTCOMES: &[(&str, &str)] = &[
    ("wsinv.dat", "ok"),
    ("intmeth.dat", "501 Not Implemented"),
    ("esc01.dat", "ok"),
    ("escnull.dat", "ok"),
    ("esc02.dat", "501 Not Implemented"),
    ("lwsdisp.dat", "ok"),
    ("longreq.dat", "ok"),
    ("dblreq.dat", "ok"),
    ("semiuri.dat", "ok"),
    ("transports.dat", "ok"),
    ("mpart01.dat", "ok"),
    ("unreason.dat", "ok"),
    ("noreason.dat", "ok"),
    ("badinv01.dat", "400 Bad Via"),
    ("clerr.dat", "400 Body Cut Short"),
    ("ncl.dat", "400 Bad Content-Length"),
    ("scalar02.dat", "400 Bad CSeq"),
    ("scalarlg.dat", "discard: Bad CSeq"),
    ("quotbal.dat", "400 Bad To"),
    ("ltgtruri.dat", "400 Bad Request-URI"),
    ("lwsruri.dat", "400 Bad Request-URI"),
    ("lwsstart.dat", "ok"),
    ("trws.dat", "ok"),
    ("escruri.dat", "400 Headers In Request-URI"),
    ("baddate.dat", "ok"),
    ("regbadct.dat", "400 Bad Contact"),
    ("badaspec.dat", "400 Bad To"),
    ("baddn.dat", "400 Missing End Of Headers"),
    ("badvers.dat", "505 Version Not Supported"),
    ("mismatch01.dat", "400 CSeq Of Another Method"),
    ("mismatch02.dat", "400 CSeq Of Another Method"),
    ("bigcode.dat", "unreadable"),
    ("badbranch.dat", "400 Bad Branch"),
    ("insuf.dat", "400 Missing From"),
    ("unkscm.dat", "416 Unsupported URI Scheme"),
    ("novelsc.dat", "416 Unsupported URI Scheme"),
    ("unksm2.dat", "ok"),
    ("bext01.dat", "420 nothingSupportsThis,nothingSupportsThisEither"),
    ("invut.dat", "415 Unsupported Media Type"),
    ("regaut01.dat", "ok"),
    ("multi01.dat", "400 Repeated Header"),
    ("mcl01.dat", "400 Repeated Header"),
    ("bcast.dat", "ok"),
    ("zeromf.dat", "ok"),
    ("cparam01.dat", "ok"),
    ("cparam02.dat", "ok"),
    ("regescrt.dat", "ok"),
    ("sdp01.dat", "406 Not Acceptable"),
    ("inv2543.dat", "ok"),
    ("not-in-rfc-test.dat", "unreadable"),
    ("ipv6-good", "ok"),
    ("ipv6-bad", "400 Bad Request-URI"),
    ("port-ambiguous", "ok"),
    ("port-unambiguous", "ok"),
    ("via-received-param-with-delim", "ok"),
    ("via-received-param-no-delim", "ok"),
    ("ipv6-in-sdp", "ok"),
    ("mult-ip-in-header", "ok"),
    ("mult-ip-in-sdp", "ok"),
    ("ipv4-mapped-ipv6", "ok"),
    ("ipv6-bug-abnf-3-colons", "400 Bad To"),
    ("ipv6-correct-abnf-2-colons", "ok"),
];

/// Rows whose expectation needs more than the message; what the message tells is pinned above.
const ELSEWHERE: &[(&str, &str)] = &[
    ("regaut01.dat", "401: no credentials that we know of, the caller challenges"),
    ("bcast.dat", "discard: the caller knows which Vias are its own"),
    ("unksm2.dat", "400: the registrar's answer to an address of record that is no SIP URI"),
];

const EXTENSIONS: [&str; 3] = ["100rel", "replaces", "timer"];

fn corpus(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/corpora").join(name)
}

fn outcome(bytes: Vec<u8>) -> String {
    let Ok(message) = Message::parse(bytes) else { return "unreadable".into() };
    match validate(&message) {
        Err(Verdict::Answer { status, reason }) => return format!("{status} {reason}"),
        Err(Verdict::Discard { reason }) => return format!("discard: {reason}"),
        Ok(()) => {}
    }
    if !message.is_request() {
        return "ok".into();
    }
    match serve(&message) {
        Ok(()) => "ok".into(),
        Err(Refusal::Extension(tags)) => format!("420 {}", tags.join(",")),
        Err(refusal) => format!("{} {refusal}", refusal.status()),
    }
}

/// The order of RFC 3261 8.2.
fn serve(message: &Message) -> Result<(), Refusal<'_>> {
    check_method(message, &Method::ALL)?;
    check_scheme(message)?;
    check_require(message, &EXTENSIONS)?;
    if message.method() == Some(Method::Invite) {
        check_body(message)?;
        check_accept(message)?;
    }
    Ok(())
}

/// Whether the words of EXPECT.tsv allow the outcome.
fn allowed(expected: &str, outcome: &str) -> bool {
    let words: Vec<&str> = expected.split(|c: char| !c.is_ascii_alphanumeric()).collect();
    let says = |word: &str| words.iter().any(|w| w.eq_ignore_ascii_case(word));
    match outcome.split([' ', ':']).next() {
        Some("ok") => {
            ["200", "parse", "process", "accept", "leniency", "ignore"].iter().any(|w| says(w))
        }
        Some("discard" | "unreadable") => says("discard"),
        Some(status) => says(status),
        None => false,
    }
}

#[test]
fn every_message_gets_its_verdict() {
    let mut seen = 0;
    for (folder, column) in [("rfc4475", 3), ("rfc5118", 2)] {
        let table = std::fs::read_to_string(corpus(folder).join("EXPECT.tsv")).unwrap();
        for row in table.lines().skip(1) {
            let columns: Vec<&str> = row.split('\t').collect();
            let (file, expected) = (columns[0], columns[column]);
            let found = outcome(std::fs::read(corpus(folder).join(file)).unwrap());
            let pinned = OUTCOMES.iter().find(|(name, _)| *name == file).expect(file);
            assert_eq!(found, pinned.1, "{file}");
            let elsewhere = ELSEWHERE.iter().find(|(name, _)| *name == file);
            if let Some((_, words)) = elsewhere {
                let first = words.split(':').next().unwrap();
                assert!(expected.contains(first) && found == "ok", "{file}");
            } else {
                assert!(allowed(expected, &found), "{file}: {found}, expected {expected}");
            }
            seen += 1;
        }
    }
    assert_eq!(seen, OUTCOMES.len());
    assert_eq!(seen, 62);
}
