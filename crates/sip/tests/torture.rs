//! What the messages of RFC 4475 and RFC 5118 mean, beyond whether they are taken.

use core::net::{IpAddr, Ipv6Addr};
use std::path::PathBuf;

use sip::{Contact, Header, Host, Message, Rport, Uri, sdp, validate};

fn message(name: &str) -> Message {
    let folder = if name.contains('.') { "rfc4475" } else { "rfc5118" };
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/corpora").join(folder);
    Message::parse(std::fs::read(path.join(name)).unwrap()).unwrap()
}

fn contacts(m: &Message) -> Vec<String> {
    m.contacts().map(|c| c.unwrap().address().unwrap().uri.as_str().to_owned()).collect()
}

#[test]
fn white_space_folds_and_compact_names_do_not_change_the_meaning() {
    let m = message("wsinv.dat");
    assert_eq!(m.to().unwrap().tag, Some("1918181833n"));
    let from = m.from().unwrap();
    assert_eq!((from.tag, &*from.display.text()), (Some("98asjd8"), "J Rosenberg \\\""));
    assert_eq!(m.max_forwards(), Ok(Some(68)));
    assert_eq!(m.cseq().unwrap().number, 9);
    let vias: Vec<_> = m.vias().map(Result::unwrap).collect();
    let told: Vec<_> = vias.iter().map(|v| (v.transport, v.branch.unwrap())).collect();
    assert_eq!(told, [("UDP", "390skdjuw"), ("TCP", "z9hG4bK9ikj8"), ("UDP", "z9hG4bK30239")]);
    assert_eq!(m.other("unknownheaderwithunusualvalue"), Some(&b";;,,;;,;"[..]));
    assert_eq!(m.text(Header::Subject).unwrap(), "");
    let contact = m.contact().unwrap().unwrap();
    assert_eq!(contact.display.text(), "Quoted string \"\"");
    assert_eq!((contact.q(), contact.params.value("newparam")), (330, Some("newvalue")));
    assert!(contact.params.has("secondparam"));
    assert_eq!(m.addresses(Header::Route).count(), 1);
    assert_eq!(m.body().len(), 150);
}

#[test]
fn every_character_of_a_token_and_a_uri_survives() {
    let m = message("intmeth.dat");
    let method = "!interesting-Method0123456789_*+`.%indeed'~";
    assert_eq!(m.method_name(), method);
    assert_eq!(m.cseq().unwrap().name, method);
    let Ok(Uri::Sip(uri)) = m.uri() else { panic!() };
    assert_eq!(uri.raw_user, Some("1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*"));
    assert_eq!(uri.raw_password, Some("&it+has=1,weird!*pas$wo~d_too.(doesn't-it)"));
    assert_eq!(m.call_id().unwrap(), "intmeth.word%ZK-!.*_+'@word`~)(><:\\/\"][?}{");
    assert_eq!(m.from().unwrap().tag, Some("_token~1'+`*%!-."));
    assert_eq!(m.from().unwrap().params.unquoted("fromParam''~+*_!.-%").unwrap(), "работающий");
    assert_eq!(m.to().unwrap().display.text(), "BEL:\u{7} NUL:\0 DEL:\u{7f}");
}

#[test]
fn escapes_are_undone_where_they_are_escapes() {
    let m = message("esc01.dat");
    let Ok(Uri::Sip(uri)) = m.uri() else { panic!() };
    assert_eq!(uri.user().unwrap(), "sips:user@example.com");
    let plain = Uri::parse("sip:user@example.com").unwrap();
    assert!(m.to().unwrap().uri.equals(&plain));
    let contact = m.contact().unwrap().unwrap().uri;
    assert!(
        contact.equals(&Uri::parse("sip:caller@host5.example.net;lr;name=value%2541").unwrap())
    );
    assert!(contact.sip().unwrap().is_loose_router());
}

#[test]
fn an_escaped_nul_ends_no_string() {
    let m = message("escnull.dat");
    let uris = contacts(&m);
    assert_eq!(uris, ["sip:%00@host5.example.com", "sip:%00%00@host5.example.com"]);
    let (a, b) = (Uri::parse(&uris[0]).unwrap(), Uri::parse(&uris[1]).unwrap());
    assert!(!a.equals(&b));
    assert_eq!(b.sip().unwrap().user().unwrap(), "\0\0");
}

#[test]
fn a_percent_sign_is_no_escape_in_names_and_methods() {
    let m = message("esc02.dat");
    assert_eq!(contacts(&m), ["sip:alias1@host1.example.com", "sip:alias3@host3.example.com"]);
    assert_eq!(m.to().unwrap().display.text(), "%Z%45");
}

#[test]
fn long_values_are_whole() {
    let m = message("longreq.dat");
    assert_eq!(m.vias().map(Result::unwrap).count(), 34);
    assert!(m.from().unwrap().tag.unwrap().starts_with("12982982982982"));
    assert_eq!(m.from().unwrap().tag.unwrap().len(), 155);
    assert!(m.to().unwrap().display.text().ends_with("proportion"));
    assert!(m.body().ends_with(b"a=rtpmap:31 LPC\r\n"));
}

#[test]
fn what_follows_the_body_in_a_datagram_is_dropped() {
    let m = message("dblreq.dat");
    assert!(m.body().is_empty());
    assert!(m.bytes().ends_with(b"Content-Length: 0\r\n\r\n"));
}

#[test]
fn a_semicolon_before_the_at_sign_belongs_to_the_user() {
    let m = message("semiuri.dat");
    let Ok(Uri::Sip(uri)) = m.uri() else { panic!() };
    assert_eq!(uri.user().unwrap(), "user;par=u@example.net");
    assert_eq!(uri.params.as_str(), "");
    assert!(m.accepts().flatten().any(|t| t.is("multipart", "signed")));
}

#[test]
fn lower_vias_may_name_any_transport() {
    let m = message("transports.dat");
    let transports: Vec<_> = m.vias().map(|v| v.unwrap().transport).collect();
    assert_eq!(transports, ["UDP", "SCTP", "TLS", "UNKNOWN", "TCP"]);
}

#[test]
fn reason_phrases_are_for_people() {
    let phrase = |m: &Message| match m.start() {
        sip::StartLine::Response { reason, .. } => String::from_utf8(reason.to_vec()).unwrap(),
        sip::StartLine::Request { .. } => panic!(),
    };
    assert_eq!(phrase(&message("unreason.dat")), "= 2**3 * 5**2 но сто девяносто девять - простое");
    assert_eq!(phrase(&message("noreason.dat")), "");
}

#[test]
fn brackets_decide_whose_parameter_it_is() {
    let m = message("cparam01.dat");
    let contact = m.contact().unwrap().unwrap();
    assert_eq!(contact.uri.as_str(), "sip:+19725552222@gw1.example.net");
    assert!(contact.params.has("unknownparam"));
    let m = message("cparam02.dat");
    let contact = m.contact().unwrap().unwrap();
    assert!(contact.uri.sip().unwrap().params.has("unknownparam"));
    assert!(!contact.params.has("unknownparam"));
}

#[test]
fn headers_of_a_contact_stay_with_it() {
    let m = message("regescrt.dat");
    let contact = m.contact().unwrap().unwrap();
    assert_eq!(contact.uri.sip().unwrap().headers, "Route=%3Csip:sip.example.com%3E");
    assert_eq!(m.addresses(Header::Route).count(), 0);
}

#[test]
fn unknown_credentials_are_none() {
    let m = message("regaut01.dat");
    assert!(m.has(Header::Authorization));
    assert_eq!(m.credentials(Header::Authorization).count(), 0);
}

#[test]
fn foreign_schemes_are_kept_as_they_are() {
    let m = message("unksm2.dat");
    assert_eq!(m.to().unwrap().uri.as_str(), "isbn:2983792873");
    assert_eq!(m.from().unwrap().uri.as_str(), "http://www.example.com");
    assert_eq!(contacts(&m), ["name:John_Smith"]);
}

#[test]
fn a_comma_in_an_unquoted_display_name_is_refused() {
    let text = String::from_utf8(message("baddn.dat").bytes().to_vec()).unwrap() + "\r\n";
    let m = Message::parse(text.into_bytes()).unwrap();
    assert_eq!(validate(&m).unwrap_err().to_string(), "400 Bad From");
}

#[test]
fn an_old_invite_has_neither_branch_nor_tag() {
    let m = message("inv2543.dat");
    assert_eq!(m.top_via().unwrap().branch, None);
    assert_eq!(m.from().unwrap().tag, None);
    assert_eq!(m.from().unwrap().uri.sip().unwrap().params.value("user"), Some("phone"));
    assert_eq!(m.to().unwrap().params.value("user"), Some("phone"));
}

#[test]
fn the_address_in_brackets_ends_at_the_bracket() {
    let host_port = |m: &Message| {
        let uri = *m.uri().unwrap().sip().unwrap();
        (uri.host.ip().unwrap(), uri.port)
    };
    let v6 = |text: &str| IpAddr::V6(text.parse::<Ipv6Addr>().unwrap());
    assert_eq!(host_port(&message("port-ambiguous")), (v6("2001:db8::10:5070"), None));
    assert_eq!(host_port(&message("port-unambiguous")), (v6("2001:db8::10"), Some(5070)));
    assert_eq!(host_port(&message("ipv6-correct-abnf-2-colons")).0, v6("2001:db8::192.0.2.1"));
    let m = message("ipv4-mapped-ipv6");
    let via = m.top_via().unwrap();
    assert_eq!((via.host.ip(), via.port), (Some(v6("::ffff:192.0.2.10")), Some(19823)));
}

#[test]
fn received_is_read_with_and_without_brackets() {
    for name in ["via-received-param-with-delim", "via-received-param-no-delim"] {
        let m = message(name);
        let via = m.top_via().unwrap();
        assert_eq!(via.received, Some("2001:db8::9:255".parse().unwrap()), "{name}");
        assert_eq!(via.rport, Rport::Absent);
    }
}

#[test]
fn addresses_of_both_families_stand_side_by_side() {
    let m = message("mult-ip-in-header");
    let hosts: Vec<_> =
        m.vias().map(|v| v.unwrap().host.ip().is_some_and(|i| i.is_ipv6())).collect();
    assert_eq!(hosts, [true, false, true]);
    let m = message("ipv6-in-sdp");
    let session = sdp::parse(m.body()).unwrap().session;
    assert_eq!(session.address, Some("2001:db8::20".parse().unwrap()));
    let m = message("mult-ip-in-sdp");
    let description = sdp::parse(m.body()).unwrap();
    assert_eq!(description.session.address, Some("192.0.2.1".parse().unwrap()));
    assert_eq!(description.session.port, 22334);
    assert_eq!(description.shape.media[1].kind.as_ref(), "video");
}

#[test]
fn a_star_contact_is_told_apart() {
    let text = "REGISTER sip:a SIP/2.0\r\nm: *\r\n\r\n";
    let m = Message::parse(text.into()).unwrap();
    assert!(matches!(m.contacts().next(), Some(Ok(Contact::Star))));
    assert!(matches!(m.uri().unwrap().sip().unwrap().host, Host::Name("a")));
}

#[test]
fn a_star_before_an_address_is_a_display_name() {
    let first = |value: &str| {
        let text = format!("REGISTER sip:a SIP/2.0\r\nm: {value}\r\n\r\n");
        let m = Message::parse(text.into()).unwrap();
        let contact = m.contacts().next().unwrap();
        contact.map(|c| c.address().map(|a| a.display.text().into_owned()))
    };
    assert_eq!(first("* <sip:b@c>"), Ok(Some("*".into())));
    assert_eq!(first(" * "), Ok(None));
    assert!(first("*, <sip:b@c>").is_err() && first("*;expires=0").is_err());
}
