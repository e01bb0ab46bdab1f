//! Writing: responses and what they copy, ACK, CANCEL, and values that try to begin a new line.

use sip::{Header, Message, Method, Reply, Rport, Writer, validate};

fn request(lines: &[&str]) -> Message {
    let text = format!("INVITE sip:bob@example.com SIP/2.0\r\n{}\r\n\r\n", lines.join("\r\n"));
    Message::parse(text.into_bytes()).unwrap()
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap()
}

fn respond(request: &Message, reply: Reply<'_>) -> String {
    text(Writer::response(request, reply).finish())
}

const LINES: [&str; 8] = [
    "v: SIP/2.0/UDP 10.0.0.9:5062 ;branch=z9hG4bKa;rport, SIP/2.0/TCP p.example;branch=z9hG4bKb",
    "Via: SIP / 2.0 / UDP q.example.com",
    "Record-Route: <sip:p.example.com;lr>",
    "f: \"A\\\"\" <sip:a@example.com>  ; tag = 1",
    "t: sip:b@example.com",
    "i: 1@2",
    "Cseq:  7\r\n INVITE",
    "Timestamp: 54",
];

#[test]
fn a_response_copies_its_request_byte_for_byte() {
    let reply = Reply { to_tag: Some("x"), ..Reply::new(180) };
    assert_eq!(
        respond(&request(&LINES), reply),
        "SIP/2.0 180 Ringing\r\n\
         Via: SIP/2.0/UDP 10.0.0.9:5062 ;branch=z9hG4bKa;rport, SIP/2.0/TCP \
         p.example;branch=z9hG4bKb\r\n\
         Via: SIP / 2.0 / UDP q.example.com\r\n\
         From: \"A\\\"\" <sip:a@example.com>  ; tag = 1\r\n\
         To: sip:b@example.com;tag=x\r\n\
         Call-ID: 1@2\r\n\
         CSeq: 7\r\n INVITE\r\n\
         Record-Route: <sip:p.example.com;lr>\r\n\
         Content-Length: 0\r\n\r\n"
    );
}

#[test]
fn a_100_has_the_timestamp_and_no_tag() {
    let reply = Reply { to_tag: Some("x"), ..Reply::new(100) };
    let response = respond(&request(&LINES), reply);
    assert!(
        response.contains("\r\nTimestamp: 54\r\n")
            && response.contains("To: sip:b@example.com\r\n")
    );
    assert!(!response.contains("Record-Route"));
    assert!(!respond(&request(&LINES), Reply::new(180)).contains("Timestamp"));
}

#[test]
fn a_final_refusal_makes_no_dialog_so_it_has_no_record_route() {
    assert!(!respond(&request(&LINES), Reply::new(404)).contains("Record-Route"));
    assert!(respond(&request(&LINES), Reply::new(200)).contains("Record-Route"));
}

#[test]
fn a_tag_is_added_once() {
    for to in ["<sip:b@c>;tag=z", "\"x <sip:b@c>;tag=z", "< sip:b@c >; tag = z"] {
        let m = request(&["Via: SIP/2.0/UDP a", &format!("To: {to}")]);
        let reply = Reply { to_tag: Some("ours"), ..Reply::new(400) };
        assert!(respond(&m, reply).contains(&format!("To: {to}\r\n")), "{to}");
    }
}

/// The topmost Via of the response to a request that came from 192.0.2.7:4000.
fn seen(via: &str) -> String {
    let m = request(&[&format!("Via: {via}"), "Via: SIP/2.0/UDP z"]);
    let source = Some("192.0.2.7:4000".parse().unwrap());
    let response = respond(&m, Reply { source, ..Reply::new(200) });
    assert!(response.contains("\r\nVia: SIP/2.0/UDP z\r\n"));
    response.lines().nth(1).unwrap().strip_prefix("Via: ").unwrap().to_owned()
}

#[test]
fn the_top_via_is_told_where_the_request_came_from() {
    for (via, expected) in [
        ("SIP/2.0/UDP 192.0.2.7:4000;branch=1", "SIP/2.0/UDP 192.0.2.7:4000;branch=1"),
        ("SIP/2.0/UDP 10.0.0.1;branch=1", "SIP/2.0/UDP 10.0.0.1;branch=1;received=192.0.2.7"),
        ("SIP/2.0/UDP a.example", "SIP/2.0/UDP a.example;received=192.0.2.7"),
        (
            "SIP/2.0/UDP 192.0.2.7;rport;branch=1",
            "SIP/2.0/UDP 192.0.2.7;branch=1;received=192.0.2.7;rport=4000",
        ),
        (
            "SIP/2.0/UDP 10.1.1.1;received=1.2.3.4;rport=9;x=\"a;b\",SIP/2.0/UDP y",
            "SIP/2.0/UDP 10.1.1.1;x=\"a;b\";received=192.0.2.7;rport=4000,SIP/2.0/UDP y",
        ),
        ("SIP/2.0/UDP [::ffff:192.0.2.7]", "SIP/2.0/UDP [::ffff:192.0.2.7];received=192.0.2.7"),
        ("SIP/2.0/UDP ;;broken", "SIP/2.0/UDP ;;broken"),
    ] {
        assert_eq!(seen(via), expected);
    }
}

#[test]
fn an_ipv6_source_is_told_without_brackets() {
    let m = request(&["Via: SIP/2.0/UDP a;rport"]);
    let source = Some("[2001:db8::1]:5060".parse().unwrap());
    let response = respond(&m, Reply { source, ..Reply::new(200) });
    assert!(response.contains(";received=2001:db8::1;rport=5060\r\n"));
    let response = Message::parse(response.into_bytes()).unwrap();
    assert_eq!(response.top_via().unwrap().rport, Rport::Port(5060));
}

#[test]
fn a_request_without_anything_can_be_answered() {
    assert_eq!(
        respond(&request(&["From: \"", "CSeq: x"]), Reply::new(400)),
        "SIP/2.0 400 Bad Request\r\nFrom: \"\r\nCSeq: x\r\nContent-Length: 0\r\n\r\n"
    );
}

#[test]
fn no_value_begins_a_new_line() {
    let evil = "a\r\nVia: SIP/2.0/UDP evil\nX:\0y";
    let mut w = Writer::request(Method::Message, evil);
    w.header(Header::Subject, evil).named("X-A\r\nB", evil).named("\r\n:", "nothing");
    w.header(Header::Other, "nothing").header(Header::Malformed, "nothing");
    let m = Message::parse(w.finish_with("text/plain\r\nX: y", b"hello\r\n")).unwrap();
    let lines: Vec<_> = m.lines().map(|l| String::from_utf8_lossy(l.name).into_owned()).collect();
    assert_eq!(lines, ["Subject", "X-AB", "Content-Type", "Content-Length"]);
    assert_eq!(m.body(), b"hello\r\n");
    let reason = Reply { reason: Some(evil), to_tag: Some(evil), ..Reply::new(400) };
    let m = request(&["Via: SIP/2.0/UDP a", "To: <sip:a@b>"]);
    let response = Message::parse(Writer::response(&m, reason).finish()).unwrap();
    assert_eq!(response.line_count(), 3);
}

#[test]
fn a_lone_carriage_return_is_not_passed_on() {
    let m = request(&["Via: SIP/2.0/UDP a", "From: <sip:a@b>\rX: y", "To: <sip:a@b>\r\n ;x"]);
    assert_eq!(validate(&m).unwrap_err().to_string(), "400 Stray Carriage Return");
    let response = respond(&m, Reply::new(400));
    assert!(response.contains("From: <sip:a@b> X: y\r\n"));
    assert!(response.contains("To: <sip:a@b>\r\n ;x\r\n"));
}

#[test]
fn an_ack_repeats_the_invite_and_the_to_of_the_response() {
    let mut w = Writer::request(Method::Invite, "sip:bob@192.0.2.4");
    w.header(Header::Via, "SIP/2.0/UDP c.example;branch=z9hG4bKc, SIP/2.0/UDP d.example")
        .header(Header::Route, "<sip:p1;lr>")
        .header(Header::Route, "<sip:p2;lr>")
        .header(Header::From, "<sip:a@b>;tag=f")
        .header(Header::To, "<sip:bob@b>")
        .header(Header::CallId, "id")
        .header(Header::CSeq, "314 INVITE");
    let invite = Message::parse(w.finish()).unwrap();
    let reply = Reply { to_tag: Some("t"), ..Reply::new(486) };
    let response = Message::parse(Writer::response(&invite, reply).finish()).unwrap();
    let common = "Via: SIP/2.0/UDP c.example;branch=z9hG4bKc\r\nFrom: <sip:a@b>;tag=f\r\n";
    let rest =
        "Route: <sip:p1;lr>\r\nRoute: <sip:p2;lr>\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(
        text(Writer::ack(&invite, &response)),
        format!(
            "ACK sip:bob@192.0.2.4 SIP/2.0\r\n{common}To: <sip:bob@b>;tag=t\r\nCall-ID: id\r\n\
             CSeq: 314 ACK\r\n{rest}"
        )
    );
    assert_eq!(
        text(Writer::cancel(&invite).finish()),
        format!(
            "CANCEL sip:bob@192.0.2.4 SIP/2.0\r\n{common}To: <sip:bob@b>\r\nCall-ID: id\r\n\
             CSeq: 314 CANCEL\r\n{rest}"
        )
    );
}

#[test]
fn what_may_not_be_answered_is_discarded() {
    let verdict = |text: &str| {
        let m = Message::parse(text.as_bytes().to_vec()).unwrap();
        validate(&m).unwrap_err().to_string()
    };
    assert_eq!(verdict("ACK sip:a SIP/2.0\r\nVia: x\r\n\r\n"), "dropped: Bad Via");
    assert_eq!(verdict("BYE sip:a SIP/2.0\r\nTo: <sip:a>\r\n\r\n"), "dropped: Missing Via");
    assert_eq!(verdict("SIP/2.0 200 OK\r\nVia: x\r\n\r\n"), "dropped: Bad Via");
    assert_eq!(verdict("BYE sip:a SIP/2.0\r\nVia: x\r\n\r\n"), "400 Bad Via");
}

#[test]
fn the_header_part_is_bounded() {
    let lines = vec!["x: y"; sip::limits::HEADER_LINES_MAX];
    let m = request(&[&["Via: SIP/2.0/UDP a"], &lines[..]].concat());
    assert_eq!(validate(&m).unwrap_err().to_string(), "400 Too Many Headers");
    let long = vec![b'x'; sip::limits::MESSAGE_BYTES_MAX + 1];
    assert_eq!(Message::parse(long).unwrap_err(), sip::ParseError::TooLong);
}

#[test]
fn a_response_is_not_dropped_for_what_only_requests_need() {
    let lines = "Via: SIP/2.0/UDP a\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>;tag=2\r\n\
                 Call-ID: x\r\nCSeq: 1 INVITE\r\nContact: <\r\nExpires: x\r\nRoute: y\r\n\r\n";
    let response = format!("SIP/2.0 404 Not Found\r\n{lines}").into_bytes();
    assert_eq!(validate(&Message::parse(response).unwrap()), Ok(()));
    let request = format!("INVITE sip:c@d SIP/2.0\r\n{lines}").into_bytes();
    let verdict = validate(&Message::parse(request).unwrap()).unwrap_err();
    assert_eq!(verdict.to_string(), "400 Bad Expires");
}
