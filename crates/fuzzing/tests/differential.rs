//! Another parser (`sipx-sip`) reads the same messages: what the two read differently stands in
//! `differential/differences.tsv` with the sentence that makes us right; anything else fails.
//!
//! Set `UPDATE_EXPECT` to write what is found into the file, with its shortest example, to be
//! reviewed.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use fuzzing::{Mutator, seeds};
use sip::{Contact, Header, Host, Message, StartLine, Uri};
use sipx_sip::error::{HeaderError, ParseError};
use sipx_sip::headers as theirs;
use sipx_sip::message::TypedHeader;
use sipx_sip::{Limits, parse_datagram};

const MUTATIONS: usize = 60_000;

/// Classes of differences, each with the shortest input that shows it.
#[derive(Default)]
struct Differences {
    found: BTreeMap<String, String>,
    /// Inputs that both took.
    both: usize,
    /// Values that both read, and read the same.
    same: usize,
}

impl Differences {
    fn note(&mut self, class: String, example: &[u8]) {
        let example = String::from(example.escape_ascii().to_string().trim());
        let known = self.found.entry(class).or_insert_with(|| example.clone());
        if (example.len(), &example) < (known.len(), &*known) {
            *known = example;
        }
    }

    /// Compares two readings of one value.
    fn compare<A: PartialEq<B>, B>(
        &mut self,
        field: &str,
        value: &[u8],
        ours: Result<A, String>,
        other: Result<B, String>,
    ) {
        match (ours, other) {
            (Ok(a), Ok(b)) if a == b => self.same += 1,
            (Ok(_), Ok(_)) => self.note(format!("{field}: read differently"), value),
            (Ok(_), Err(theirs)) => {
                self.note(format!("{field}: we take, they say {theirs}"), value)
            }
            (Err(ours), Ok(_)) => self.note(format!("{field}: they take, we want {ours}"), value),
            (Err(_), Err(_)) => self.same += 1,
        }
    }
}

/// Both parsers on one datagram.
fn compare(bytes: &[u8], differences: &mut Differences) {
    let limits = Limits {
        max_message_bytes: sip::limits::MESSAGE_BYTES_MAX,
        max_body_bytes: sip::limits::MESSAGE_BYTES_MAX,
        max_headers: 100_000,
        max_header_bytes: sip::limits::MESSAGE_BYTES_MAX,
        max_folding_lines: 100_000,
    };
    let other = parse_datagram(bytes.to_vec().into(), &limits);
    let ours = Message::parse(bytes.to_vec());
    let ours = ours.map_err(|e| match e {
        sip::ParseError::StartLine { expected, .. } => expected.to_owned(),
        other => other.to_string(),
    });
    // Both are lazy: what is wrong with the header part as a whole comes out of validation here.
    let strange = |m: &Message| match m.start() {
        StartLine::Request { version, .. } | StartLine::Response { version, .. } => {
            !version.eq_ignore_ascii_case(b"SIP/2.0")
        }
    };
    if ours.as_ref().is_ok_and(strange) {
        // The grammar of another version is nobody's business.
        differences.same += 1;
        return;
    }
    let ours = ours.and_then(|m| match sip::validate(&m) {
        Err(v) if other.is_err() || SHAPE.contains(&v.reason()) => Err(v.reason().to_owned()),
        _ => Ok(m),
    });
    match (ours, other) {
        (Ok(ours), Ok(other)) => {
            differences.both += 1;
            start_lines(&ours, &other, differences);
            headers(&ours, &other, differences);
            verdicts(&ours, &other, differences);
        }
        (Ok(_), Err(e)) => {
            differences.note(format!("message: we take, they say {}", message_error(&e)), bytes);
        }
        (Err(e), Ok(_)) => differences.note(format!("message: they take, we want {e}"), bytes),
        (Err(_), Err(_)) => differences.same += 1,
    }
}

/// Verdicts on the message as a whole, which the other parser gives while parsing.
const SHAPE: &[&str] = &[
    "Malformed Header Line",
    "Stray Carriage Return",
    "Missing End Of Headers",
    "Bad Content-Length",
    "Body Cut Short",
    "Bad Method",
    "Bad Request-URI",
];

/// Both on what every message must have.
fn verdicts(ours: &Message, other: &sipx_sip::Message, differences: &mut Differences) {
    let found = sipx_sip::validate(other);
    match (sip::validate(ours), found.first()) {
        (Ok(()), None) | (Err(_), Some(_)) => differences.same += 1,
        (Ok(()), Some(finding)) => {
            let class = format!("verdict: we take, they find {finding:?}");
            differences.note(class, ours.bytes());
        }
        (Err(verdict), None) => {
            let class = format!("verdict: they take, we say {}", verdict.reason());
            differences.note(class, ours.bytes());
        }
    }
}

fn message_error(error: &ParseError) -> String {
    match error {
        // Without the number of the line.
        ParseError::HeaderSyntax { kind, .. } => kind.to_string(),
        ParseError::Limit { limit, .. } => format!("limit of {limit}"),
        other => other.to_string(),
    }
}

fn start_lines(ours: &Message, other: &sipx_sip::Message, differences: &mut Differences) {
    match (ours.start(), other) {
        (StartLine::Request { name, uri, version, .. }, sipx_sip::Message::Request(r)) => {
            let say = |what: &str| format!("start line: another {what}");
            if name != r.method.as_bytes() {
                differences.note(say("method"), name);
            }
            if uri != r.uri.to_bytes() {
                differences.note(say("Request-URI"), uri);
            }
            if !version.eq_ignore_ascii_case(r.version.as_bytes()) {
                differences.note(say("version"), version);
            }
            if let Ok(read) = ours.uri() {
                compare_uri("Request-URI", uri, &read, &r.uri, differences);
            }
        }
        (StartLine::Response { status, version, reason }, sipx_sip::Message::Response(r)) => {
            if status != r.status.code() || !version.eq_ignore_ascii_case(r.version.as_bytes()) {
                differences.note("start line: another status or version".into(), ours.bytes());
            }
            if reason != r.reason.trim_ascii() {
                differences.note("start line: another reason".into(), reason);
            }
        }
        _ => differences.note("start line: a request or a response".into(), ours.bytes()),
    }
    if ours.body() != other.body() {
        differences.note("message: another body".into(), ours.bytes());
    }
}

fn headers(ours: &Message, other: &sipx_sip::Message, differences: &mut Differences) {
    let all = other.headers();
    let count = ours.lines().count();
    if count != all.len() {
        differences.note("message: another number of headers".into(), ours.bytes());
        return;
    }
    addresses(ours, Header::From, all.typed::<theirs::From>().map(|a| a.map(|a| a.0)), differences);
    addresses(ours, Header::To, all.typed::<theirs::To>().map(|a| a.map(|a| a.0)), differences);
    contacts(ours, all, differences);
    vias(ours, all, differences);
    let value = |header| ours.value(header).unwrap_or_default();
    if let Some(other) = all.typed::<theirs::CSeq>() {
        let ours = ours.cseq().map(|c| (c.number, c.name.as_bytes().to_vec()));
        let other = other.map(|c| (c.sequence, c.method.as_bytes().to_vec()));
        let (ours, other) = (ours.map_err(|e| e.expected.into()), other.map_err(header_error));
        differences.compare("CSeq", value(Header::CSeq), ours, other);
    }
    if let Some(other) = all.typed::<theirs::CallId>() {
        let ours = ours.call_id().map(|id| id.as_bytes().to_vec());
        let (ours, other) =
            (ours.map_err(|e| e.expected.into()), other.map(|id| id.0).map_err(header_error));
        differences.compare("Call-ID", value(Header::CallId), ours, other);
    }
    if let Some(other) = all.typed::<theirs::ContentLength>() {
        let ours = ours.number(Header::ContentLength).map(|n| n.map(u64::from));
        let other = other.map(|l| Some(l.0)).map_err(header_error);
        let ours = ours.map_err(|e| e.expected.into());
        differences.compare("Content-Length", value(Header::ContentLength), ours, other);
    }
}

fn header_error(error: HeaderError) -> String {
    match error {
        HeaderError::Uri { source, .. } => source.to_string(),
        HeaderError::Syntax { .. } => "malformed".into(),
        HeaderError::OutOfRange { .. } => "out of range".into(),
        HeaderError::UnterminatedQuotedString { .. } => "unterminated quoted string".into(),
        other => other.to_string(),
    }
}

fn addresses(
    ours: &Message,
    header: Header,
    other: Option<Result<theirs::Address, HeaderError>>,
    differences: &mut Differences,
) {
    let Some(other) = other else {
        if ours.has(header) {
            differences.note("address: they have none".into(), ours.bytes());
        }
        return;
    };
    let value = ours.value(header).unwrap_or_default();
    let read = if header == Header::From { ours.from() } else { ours.to() };
    match (read, other) {
        (Ok(a), Ok(b)) => compare_address(value, &a, &b, differences),
        (Ok(_), Err(e)) => {
            let hint = if matches!(e, HeaderError::Syntax { .. }) { hint(value) } else { "" };
            let class = format!("address: we take, they say {}{hint}", header_error(e));
            differences.note(class, value);
        }
        (Err(e), Ok(_)) => {
            differences.note(format!("address: they take, we want {}", e.expected), value);
        }
        (Err(_), Err(_)) => differences.same += 1,
    }
}

/// What may be odd about an address that the other parser calls malformed without saying why.
fn hint(value: &[u8]) -> &'static str {
    let is_token = |b: &u8| b.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(b);
    let angle = value.iter().position(|&b| b == b'<');
    let name = angle.map_or(&b""[..], |at| &value[..at]);
    let after = value.iter().rposition(|&b| b == b'>').map_or(value, |at| &value[at + 1..]);
    let is_blank = |b: &u8| b" \t\r\n".contains(b);
    if !name.starts_with(b"\"") && !name.iter().all(|b| is_token(b) || is_blank(b)) {
        return " (a display name that is no token)";
    }
    let is_empty = |p: &[u8]| p.trim_ascii().ends_with(b"=");
    if after.split(|&b| b == b';').any(is_empty) {
        return " (an empty parameter value)";
    }
    if after.iter().any(|b| !is_token(b) && !is_blank(b) && !b";=\"".contains(b)) {
        return " (a parameter value that is no token)";
    }
    ""
}

fn compare_address(
    value: &[u8],
    ours: &sip::NameAddr<'_>,
    other: &theirs::Address,
    differences: &mut Differences,
) {
    let uri = other.uri.to_bytes();
    if ours.uri.as_str().as_bytes() != uri {
        differences.note("address: another URI".into(), value);
        return;
    }
    let tag = other.tag().filter(|tag| !tag.is_empty()).map(<[u8]>::to_vec);
    let read = ours.tag.map(|tag| sip::unquote(tag).into_owned().into_bytes());
    if read != tag {
        differences.note("address: another tag".into(), value);
    }
    let name = other.display_name.clone().unwrap_or_default();
    let shown = String::from_utf8(name.clone())
        .unwrap_or_else(|_| name.iter().map(|&b| char::from(b)).collect());
    if ours.display.text() != shown.trim() && ours.display.text() != shown {
        differences.note("address: another display name".into(), value);
    }
    let names = |n: &str| n.to_ascii_lowercase().into_bytes();
    let params: Vec<_> = ours.params.iter().map(|(n, _)| names(n)).collect();
    if params != other.params.iter().map(|p| p.name.clone()).collect::<Vec<_>>() {
        differences.note("address: other parameters".into(), value);
    }
    compare_uri("URI", value, &ours.uri, &other.uri, differences);
}

fn compare_uri(
    field: &str,
    value: &[u8],
    ours: &Uri<'_>,
    other: &sipx_sip::Uri,
    differences: &mut Differences,
) {
    let Uri::Sip(sip) = ours else {
        differences.same += 1;
        return;
    };
    let mut say = |what: &str| differences.note(format!("{field}: another {what}"), value);
    if sip.raw_user.map(str::as_bytes) != other.user() {
        say("user");
    }
    if sip.raw_password.map(str::as_bytes) != other.password() {
        say("password");
    }
    if other.host().is_none_or(|host| !same_host(&sip.host, host)) {
        say("host");
    }
    if sip.port != other.port() {
        say("port");
    }
    let params: Vec<_> = sip.params.iter().map(|(n, v)| (bytes(n), v.map(bytes))).collect();
    let theirs = other.params().into_iter().flat_map(|all| all.iter());
    let theirs: Vec<_> =
        theirs.map(|p| (p.name().to_vec(), p.value().map(<[u8]>::to_vec))).collect();
    if params != theirs {
        say("list of parameters");
    }
    if sip.headers.is_empty() == other.has_headers() {
        say("opinion on headers");
    }
    differences.same += 1;
}

fn bytes(text: &str) -> Vec<u8> {
    text.as_bytes().to_vec()
}

fn same_host(ours: &Host<'_>, other: &sipx_sip::Host) -> bool {
    match (ours, other) {
        (Host::Name(a), sipx_sip::Host::Name(b)) => a.as_bytes() == b.as_bytes(),
        (ours, sipx_sip::Host::Ip(ip)) => ours.ip() == Some(*ip),
        _ => false,
    }
}

fn contacts(ours: &Message, all: &sipx_sip::Headers, differences: &mut Differences) {
    let value = ours.values(Header::Contact).fold(Vec::new(), |mut all, v| {
        all.extend_from_slice(v);
        all.push(b' ');
        all
    });
    let read: Result<Vec<_>, _> = ours.contacts().collect();
    let other: Result<Vec<_>, _> = all.typed_all::<theirs::ContactValue>().collect();
    match (read, other) {
        (Ok(read), Ok(other)) => {
            if read.len() != other.len() {
                return differences.note("Contact: another number".into(), &value);
            }
            for (a, b) in read.iter().zip(&other) {
                match (a, b) {
                    (Contact::Star, theirs::ContactValue::Wildcard) => differences.same += 1,
                    (Contact::Address(a), theirs::ContactValue::Address(b)) => {
                        compare_address(&value, a, b, differences);
                    }
                    _ => differences.note("Contact: a star or none".into(), &value),
                }
            }
        }
        (Ok(_), Err(e)) => {
            let hint = if matches!(e, HeaderError::Syntax { .. }) { hint(&value) } else { "" };
            differences
                .note(format!("Contact: we take, they say {}{hint}", header_error(e)), &value);
        }
        (Err(e), Ok(_)) => {
            differences.note(format!("Contact: they take, we want {}", e.expected), &value);
        }
        (Err(_), Err(_)) => differences.same += 1,
    }
}

fn vias(ours: &Message, all: &sipx_sip::Headers, differences: &mut Differences) {
    let name = theirs::Via::NAME;
    let lines = ours.values(Header::Via).zip(all.get_all(&name));
    // Line by line, so that one bad one hides no other.
    for (value, line) in lines {
        let head = b"OPTIONS sip:a@b SIP/2.0\r\nVia: ";
        let Ok(one) = Message::parse([head, value, b"\r\n\r\n"].concat()) else { continue };
        let read: Result<Vec<_>, _> = one.vias().collect();
        match (read, theirs::Via::parse_list(&line.value())) {
            (Ok(read), Ok(other)) if read.len() == other.len() => {
                for (a, b) in read.iter().zip(&other) {
                    compare_via(value, a, b, differences);
                }
            }
            (Ok(_), Ok(_)) => differences.note("Via: another number".into(), value),
            (Ok(_), Err(e)) => {
                differences.note(format!("Via: we take, they say {}", header_error(e)), value);
            }
            (Err(e), Ok(_)) => {
                differences.note(format!("Via: they take, we want {}", e.expected), value);
            }
            (Err(_), Err(_)) => differences.same += 1,
        }
    }
}

fn compare_via(
    value: &[u8],
    ours: &sip::Via<'_>,
    other: &theirs::Via,
    differences: &mut Differences,
) {
    let unquoted = |text: &str| sip::unquote(text).into_owned().into_bytes();
    let mut say = |what: &str| differences.note(format!("Via: another {what}"), value);
    if ours.transport.as_bytes() != other.transport {
        say("transport");
    }
    if !same_host(&ours.host, &other.host) {
        say("host");
    }
    if ours.port != other.port {
        say("port");
    }
    if ours.branch.map(unquoted) != other.branch().map(<[u8]>::to_vec) {
        say("branch");
    }
    if ours.maddr.map(unquoted) != other.maddr().map(<[u8]>::to_vec) {
        say("maddr");
    }
    let address = other.received().and_then(|r| core::str::from_utf8(r).ok());
    let bare = |r: &str| r.strip_prefix('[').and_then(|r| r.strip_suffix(']')).map(str::to_owned);
    let address = address.map(|r| bare(r).unwrap_or_else(|| r.to_owned()).parse().ok());
    if ours.received != address.flatten() {
        say("received");
    }
    if (ours.rport != sip::Rport::Absent) != other.rport().is_some() {
        say("rport");
    }
    differences.same += 1;
}

#[test]
fn another_parser_reads_the_same_but_for_what_was_reviewed() {
    let seeds = seeds::messages();
    let mut differences = Differences::default();
    for bytes in &seeds {
        compare(bytes, &mut differences);
    }
    let mut mutator = Mutator::new(0xD1FF, seeds::SIP_WORDS);
    // What is rare is looked for when the list is made.
    let more = if std::env::var_os("UPDATE_EXPECT").is_some() { 20 } else { 1 };
    for _ in 0..MUTATIONS * more {
        compare(&mutator.input(&seeds), &mut differences);
    }
    assert!(differences.both > MUTATIONS / 4, "{} messages compared", differences.both);
    assert!(differences.same > MUTATIONS, "{} values were the same", differences.same);
    against_the_list(&differences);
}

/// Every class must be listed, and most of the listed ones must still be there: some are rare.
fn against_the_list(differences: &Differences) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/differential/differences.tsv");
    let text = std::fs::read_to_string(&path).unwrap_or_default();
    let listed: BTreeMap<&str, &str> = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once('\t'))
        .collect();
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        let mut new = String::from("# class\twho is right, and why\tthe shortest example\n");
        for (class, example) in &differences.found {
            let reason = listed.get(class.as_str()).and_then(|r| r.split('\t').next());
            let _ =
                writeln!(new, "{class}\t{}\t{}", reason.unwrap_or("TO BE REVIEWED"), cut(example));
        }
        std::fs::write(&path, new).unwrap();
        return;
    }
    let unlisted: Vec<_> = differences
        .found
        .iter()
        .filter(|(class, _)| !listed.contains_key(class.as_str()))
        .map(|(class, example)| format!("{class}\n    {}", cut(example)))
        .collect();
    assert!(unlisted.is_empty(), "not in {}:\n{}", path.display(), unlisted.join("\n"));
    let reviewed = listed.iter().filter(|(_, reason)| reason.starts_with("TO BE"));
    assert_eq!(reviewed.count(), 0, "some of {} are not reviewed", path.display());
    let gone: Vec<_> =
        listed.keys().filter(|class| !differences.found.contains_key(**class)).collect();
    assert!(gone.len() * 2 < listed.len(), "no longer found: {gone:#?}");
}

fn cut(example: &str) -> String {
    example.chars().take(160).collect()
}
