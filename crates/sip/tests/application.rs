//! What a UAS owes by the request alone.

use sip::application::{
    Refusal, check_accept, check_body, check_method, check_require, check_scheme,
};
use sip::{Message, Method};

fn request(start: &str, headers: &str, body: &str) -> Message {
    let text = format!("{start} SIP/2.0\r\n{headers}\r\n{body}");
    Message::parse(text.into_bytes()).unwrap()
}

#[test]
fn methods_are_served_known_or_unknown() {
    let served = [Method::Invite, Method::Bye];
    let check = |name: &str| {
        let m = request(&format!("{name} sip:a"), "", "");
        check_method(&m, &served).map_err(|r| r.status())
    };
    assert_eq!(check("BYE"), Ok(()));
    assert_eq!(check("PUBLISH"), Err(405));
    assert_eq!(check("bye"), Err(501));
}

#[test]
fn schemes_that_lead_nowhere_are_416() {
    for (uri, ok) in [("sip:a", true), ("sips:a", true), ("tel:1", true), ("http://a", false)] {
        let m = request(&format!("INVITE {uri}"), "", "");
        assert_eq!(check_scheme(&m).is_ok(), ok, "{uri}");
    }
}

#[test]
fn unknown_extensions_are_named() {
    let headers = "Require: 100rel, foo\r\nRequire: Timer,bar\r\n";
    let m = request("INVITE sip:a", headers, "");
    let Err(Refusal::Extension(tags)) = check_require(&m, &["100rel", "timer"]) else { panic!() };
    assert_eq!(tags.as_slice(), ["foo", "bar"]);
    for method in ["CANCEL sip:a", "ACK sip:a"] {
        assert_eq!(check_require(&request(method, headers, ""), &[]), Ok(()), "{method}");
    }
}

#[test]
fn bodies_must_hold_a_description_or_be_optional() {
    let sdp = "Content-Type: application/sdp\r\n";
    for (headers, body, ok) in [
        ("", "", true),
        (sdp, "v=0\r\n", true),
        ("c: APPLICATION/SDP ; charset=utf-8\r\n", "v=0\r\n", true),
        ("", "v=0\r\n", false),
        ("Content-Type: text/plain\r\n", "x", false),
        ("Content-Type: text/plain\r\nContent-Disposition: x; handling=optional\r\n", "x", true),
        ("Content-Type: application/sdp\r\nContent-Encoding: gzip\r\n", "x", false),
        ("Content-Type: application/sdp\r\ne: identity\r\n", "v=0\r\n", true),
        (
            "c: multipart/mixed;boundary=b\r\n",
            "--b\r\nc: application/sdp\r\n\r\nv=0\r\n--b--",
            true,
        ),
        ("c: multipart/mixed;boundary=b\r\n", "--b\r\nc: text/plain\r\n\r\nv=0\r\n--b--", false),
        (
            "c: multipart/mixed;boundary=b\r\n",
            "--bb\r\nc: application/sdp\r\n\r\nv=0\r\n--b--",
            false,
        ),
        ("c: multipart/mixed;boundary=b\r\n", "--b\r\nc: application/sdp\r\n\r\nv=0\r\n", false),
        (
            "c: multipart/mixed;boundary=b\r\n",
            "x--b\r\nc: application/sdp\r\n\r\nv=0\r\n--b--",
            false,
        ),
        ("c: multipart/mixed\r\n", "--b\r\nc: application/sdp\r\n\r\nv=0\r\n--b--", false),
    ] {
        let m = request("INVITE sip:a", headers, body);
        assert_eq!(check_body(&m).is_ok(), ok, "{headers}{body}");
    }
}

#[test]
fn who_takes_no_description_gets_406() {
    for (accept, ok) in [
        ("", true),
        ("Accept: application/sdp\r\n", true),
        ("Accept: text/plain, Application/*;q=0.1\r\n", true),
        ("Accept: */*\r\n", true),
        ("Accept:\r\n", false),
        ("Accept: text/plain\r\n", false),
        ("Accept: application/sdp;q=0\r\n", false),
        ("Accept: text/plain\r\nAccept: application/sdp\r\n", true),
    ] {
        let m = request("INVITE sip:a", accept, "");
        assert_eq!(check_accept(&m).is_ok(), ok, "{accept}");
    }
}
