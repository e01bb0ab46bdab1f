//! Any text as a URI, an address, a Via.

use core::net::SocketAddr;

use sip::{
    Contact, Header, Host, Message, NameAddr, Reply, Rport, Uri, Via, Writer, escape_user, quote,
    unescape,
};

/// Any text; before and after the first line end are two URIs.
pub fn uri(data: &[u8]) {
    let Ok(text) = core::str::from_utf8(data) else {
        assert!(Uri::from_bytes(data).is_err(), "a URI is UTF-8");
        return;
    };
    let (one, two) = text.split_once('\n').unwrap_or((text, text));
    let (one, two) = (Uri::parse(one), Uri::parse(two));
    for uri in [one, two].iter().flatten() {
        uri_is_sound(uri);
    }
    if let (Ok(one), Ok(two)) = (one, two) {
        assert_eq!(one.equals(&two), two.equals(&one), "{one} and {two}");
    }
    escaping_is_undone(text);
}

fn uri_is_sound(uri: &Uri<'_>) {
    let text = uri.as_str();
    let again = Uri::parse(text).expect("a URI that was read is a URI");
    assert_eq!(again.as_str(), text);
    assert!(uri.equals(uri), "{text} equals itself");
    let _ = uri.number();
    assert!(!text.contains([' ', '<', '>', '"', '\r', '\n', '\0']), "{text:?}");
    let Uri::Sip(sip) = uri else { return };
    let _ = (sip.user(), sip.transport(), sip.is_loose_router(), sip.address());
    let host = sip.host.to_string();
    let read = Host::parse(&host).expect("a host that was read is a host");
    assert!(read == sip.host, "{host}");
    for (name, value) in sip.params.iter() {
        assert!(!name.contains(';') && value.is_none_or(|v| !v.contains(';')), "{text}");
    }
    // Scheme and host are compared in any case: RFC 3261 19.1.4.
    let shouted = text.replacen(&host, &host.to_uppercase(), 1);
    if matches!(sip.host, Host::Name(_)) && sip.raw_user.is_none() {
        let other = Uri::parse(&shouted).expect("case makes no URI bad");
        assert!(uri.equals(&other), "{text} and {shouted}");
    }
}

/// A user part that we write is read as what it was made of.
fn escaping_is_undone(text: &str) {
    let mut escaped = String::new();
    escape_user(text, &mut escaped);
    assert_eq!(unescape(&escaped), text);
    if !text.is_empty() {
        let written = format!("sip:{escaped}@h.example");
        let uri = Uri::parse(&written).expect("what we write is a URI");
        let user = uri.sip().and_then(|sip| sip.user());
        assert_eq!(user.as_deref(), Some(text));
    }
}

/// Any text as an address, and as the value of Contact and Route.
pub fn name_addr(data: &[u8]) {
    if let Ok(text) = core::str::from_utf8(data)
        && let Some(address) = NameAddr::parse(text)
    {
        address_is_sound(&address);
    }
    let Some(m) = with_header("Contact", data) else { return };
    let mut found = 0;
    for contact in m.contacts().filter_map(Result::ok) {
        found += 1;
        if let Contact::Address(address) = contact {
            address_is_sound(&address);
            let _ = (address.q() <= 1_000, address.expires());
            assert!(address.q() <= 1_000);
        }
    }
    let errors = m.contacts().filter(Result::is_err).count();
    assert!(errors <= 1, "after an error nothing comes");
    assert_eq!(m.contacts().count(), found + errors);
    if let Some(m) = with_header("Route", data) {
        for address in m.addresses(Header::Route).flatten() {
            address_is_sound(&address);
        }
    }
}

fn address_is_sound(address: &NameAddr<'_>) {
    let uri = address.uri.as_str();
    assert!(address.uri.equals(&address.uri));
    let params = address.params.as_str();
    assert!(params.is_empty() || params.starts_with(';'), "{params}");
    let tag = address
        .params
        .iter()
        .find(|(n, v)| n.eq_ignore_ascii_case("tag") && v.is_some_and(|v| !v.is_empty()));
    assert_eq!(address.tag, tag.and_then(|(_, v)| v), "the tag is the first that is not empty");
    // Written anew it means the same.
    let name = address.display.text();
    let mut written = String::new();
    quote(&name, &mut written);
    written.push_str(&format!(" <{uri}>{params}"));
    let again = NameAddr::parse(&written).expect("an address that we write is an address");
    assert_eq!(again.uri.as_str(), uri);
    assert_eq!(again.tag, address.tag);
    assert_eq!(again.params.as_str().trim_end(), params.trim_end());
    if !name.contains(char::is_control) {
        assert_eq!(again.display.text(), name);
    }
    // So does what was copied.
    if let Ok(raw) = core::str::from_utf8(address.raw) {
        let copy = NameAddr::parse(raw).expect("a copy of an address is an address");
        assert_eq!((copy.uri.as_str(), copy.tag), (uri, address.tag));
    }
}

/// Any text as the value of the topmost Via.
pub fn via(data: &[u8]) {
    if has_lone_cr(data) {
        // It is not passed on, but for a space, and `validate` refuses it.
        return;
    }
    let Some(m) = with_header("Via", data) else { return };
    let Ok(top) = m.top_via() else { return };
    assert!(!top.raw.is_empty() && !top.transport.is_empty());
    assert!(top.port != Some(0), "no port 0");
    let _ = (top.has_rfc3261_branch(), top.port_or_default(), top.maddr);
    let all: Vec<_> = m.vias().collect();
    assert!(all.iter().rev().skip(1).all(Result::is_ok), "after an error nothing comes");
    for source in ["198.51.100.7:5066", "[2001:db8::7]:5066", "[::ffff:198.51.100.7]:1"] {
        let source: SocketAddr = source.parse().expect("an address");
        answer_goes_back(&m, &top, source);
    }
}

/// The response's topmost Via says where the request came from, and is the same for the rest.
fn answer_goes_back(m: &Message, top: &Via<'_>, source: SocketAddr) {
    let reply = Reply { source: Some(source), ..Reply::new(200) };
    let response = Message::parse(Writer::response(m, reply).finish()).expect("a response");
    let seen = response.top_via().expect("a Via that was read can be read when it was told more");
    assert_eq!((seen.transport, seen.port), (top.transport, top.port));
    assert!(seen.host == top.host);
    assert_eq!((seen.branch, seen.maddr), (top.branch, top.maddr));
    let ip = source.ip().to_canonical();
    assert_eq!(seen.received.or(seen.host.ip()), Some(ip));
    match top.rport {
        Rport::Absent => assert_eq!(seen.rport, Rport::Absent),
        Rport::Asked | Rport::Port(_) => assert_eq!(seen.rport, Rport::Port(source.port())),
    }
    let others = |m: &Message| -> Vec<Option<Vec<u8>>> {
        m.vias().skip(1).map(|v| v.ok().map(|v| v.raw.to_vec())).collect()
    };
    assert_eq!(others(&response), others(m));
}

/// A message with this header, if the value stays within it.
fn with_header(name: &str, value: &[u8]) -> Option<Message> {
    let mut bytes = format!("OPTIONS sip:a@b SIP/2.0\r\n{name}: ").into_bytes();
    bytes.extend_from_slice(value);
    bytes.extend_from_slice(b"\r\n\r\n");
    Message::parse(bytes).ok()
}

fn has_lone_cr(text: &[u8]) -> bool {
    let next = text.iter().skip(1).chain(b"\r");
    text.iter().zip(next).any(|(a, b)| *a == b'\r' && *b != b'\n')
}
