//! URIs: what they are made of, and which are equal (RFC 3261 19.1).

use sip::{Host, NameAddr, Uri, escape_user, unescape};

fn uri(text: &str) -> Uri<'_> {
    Uri::parse(text).unwrap_or_else(|e| panic!("{text}: {e}"))
}

#[test]
fn a_sip_uri_is_taken_apart() {
    let text = "SIP:a%2Ab;x=1:p%40w@[2001:db8::1]:5070;transport=tcp;LR?h=1&i=2";
    let sip = *uri(text).sip().unwrap();
    assert_eq!((sip.raw_user, sip.raw_password), (Some("a%2Ab;x=1"), Some("p%40w")));
    assert_eq!(sip.user().unwrap(), "a*b;x=1");
    assert_eq!(
        (sip.address().unwrap().0.to_string().as_str(), sip.port),
        ("2001:db8::1", Some(5070))
    );
    assert_eq!((sip.transport(), sip.is_loose_router()), (Some("tcp"), true));
    assert_eq!((sip.headers, sip.text), ("h=1&i=2", text));
    let sip = *uri("sips:example.com").sip().unwrap();
    assert_eq!((sip.raw_user, sip.port, sip.host), (None, None, Host::Name("example.com")));
}

#[test]
fn what_is_no_uri_is_refused_with_its_place() {
    for (text, expected) in [
        ("", "expected a scheme at byte 0 of the URI"),
        ("example.com", "expected a scheme at byte 0 of the URI"),
        ("1sip:a", "expected a scheme at byte 0 of the URI"),
        ("sip:", "expected a host at byte 4 of the URI"),
        ("sip:@b", "expected a user before '@' at byte 4 of the URI"),
        ("sip:a@", "expected a host at byte 6 of the URI"),
        ("sip:a@b@c", "expected a host at byte 6 of the URI"),
        ("sip:a b@c", "expected a character of a URI at byte 5 of the URI"),
        ("sip:a\"@c", "expected a character of a URI at byte 5 of the URI"),
        ("sip:a\0@c", "expected a character of a URI at byte 5 of the URI"),
        ("sip:a%4@c", "expected two hexadecimal digits after '%' at byte 5 of the URI"),
        ("sip:b:", "expected a port from 1 to 65535 at byte 4 of the URI"),
        ("sip:b:0", "expected a port from 1 to 65535 at byte 4 of the URI"),
        ("sip:b:65536", "expected a port from 1 to 65535 at byte 4 of the URI"),
        ("sip:[::1", "expected a host at byte 4 of the URI"),
        ("sip:[::1]x", "expected ':' or the end of the host at byte 4 of the URI"),
        ("sip:[1.2.3.4]", "expected a host at byte 4 of the URI"),
    ] {
        assert_eq!(Uri::parse(text).unwrap_err().to_string(), expected, "{text}");
    }
}

#[test]
fn equal_uris_are_equal_and_others_are_not() {
    // The examples of RFC 3261 19.1.4 first.
    for (a, b, equal) in [
        ("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtLanTa.CoM;Transport=tcp", true),
        ("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5", true),
        ("sip:carol@chicago.com", "sip:carol@chicago.com;security=on", true),
        ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;newparam=5", true),
        (
            "sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
            "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com",
            true,
        ),
        (
            "sip:alice@atlanta.com?subject=project%20x&priority=urgent",
            "sip:alice@atlanta.com?priority=urgent&subject=project%20x",
            true,
        ),
        ("SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP", false),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060", false),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp", false),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp", false),
        ("sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting", false),
        ("sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4", false),
        ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off", false),
        ("sip:a@b", "sips:a@b", false),
        ("sip:a:p@b", "sip:a@b", false),
        ("sip:a@b;user=phone", "sip:a@b", false),
        ("sip:a@b;maddr=c", "sip:a@b", false),
        ("sip:a%3Bb@c", "sip:a;b@c", false),
        ("sip:a%2ab@c", "sip:a*b@c", true),
        ("sip:a@[2001:db8::1]", "sip:a@[2001:DB8:0::1]", true),
        ("sip:a@1.2.3.4", "sip:a@1.2.3.5", false),
        ("sip:a@b", "sip:@b", false),
        ("tel:+1-201-555", "tel:+12.01555", false),
        ("tel:+1-201-555", "tel:+1.201.555", true),
        ("tel:+1201", "tel:+1202", false),
        ("isbn:123", "isbn:123", true),
        ("isbn:123", "isbn:124", false),
        ("tel:100", "sip:100@a", false),
    ] {
        let (Ok(x), Ok(y)) = (Uri::parse(a), Uri::parse(b)) else {
            assert!(!equal, "{a} {b}");
            continue;
        };
        assert_eq!(x.equals(&y), equal, "{a} {b}");
        assert_eq!(y.equals(&x), equal, "{b} {a}");
    }
}

#[test]
fn the_number_is_what_a_person_would_dial() {
    for (text, number) in [
        ("sip:0003*100@example.com", Some("0003*100")),
        ("sip:0003%2A100@example.com", Some("0003*100")),
        ("sip:100;phone-context=x@example.com", Some("100")),
        ("sip:%23%2A1@example.com", Some("#*1")),
        ("sip:#31#100@example.com", Some("#31#100")),
        ("sip:example.com", None),
        ("tel:+1-(201).555;phone-context=a-b", Some("+1201555")),
        ("mailto:a@b", None),
    ] {
        assert_eq!(uri(text).number().as_deref(), number, "{text}");
    }
}

#[test]
fn escaped_users_come_back() {
    for user in ["0003*100", "a b", "é#", "x@y:z;?%", "\r\n", ""] {
        let mut text = "sip:".to_owned();
        escape_user(user, &mut text);
        text.push_str("@b");
        match Uri::parse(&text) {
            Ok(uri) => assert_eq!(uri.sip().unwrap().user().unwrap(), user),
            Err(_) => assert_eq!(user, ""),
        }
    }
    assert_eq!(unescape("a%FFb"), "a%FFb");
    assert_eq!(unescape("%d0%b1"), "б");
}

#[test]
fn an_address_is_read_from_text() {
    let address = NameAddr::parse(" \"A \\\"B\\\"\" <sip:a@b;x>;tag=1;q=0.25;expires=60 ").unwrap();
    assert_eq!(address.display.text(), "A \"B\"");
    assert_eq!((address.uri.as_str(), address.tag), ("sip:a@b;x", Some("1")));
    assert_eq!((address.q(), address.expires()), (250, Some(Some(60))));
    assert_eq!(NameAddr::parse("sip:a@b;tag=;q=2;expires=x").unwrap().tag, None);
    let odd = NameAddr::parse("sip:a@b;q=1.5;expires=4294967296").unwrap();
    assert_eq!((odd.q(), odd.expires()), (1000, Some(None)));
    for text in ["", "<sip:a@b", "a <sip:a@b> b", "\"a\" sip:a@b", "<sip:a>, <sip:b>", "sip:a?b=c"]
    {
        assert!(NameAddr::parse(text).is_none(), "{text}");
    }
}
