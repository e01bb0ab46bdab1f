//! Heap allocations per message are counted, not guessed.

use allocation_counter::measure;
use sip::{Message, Reply, Writer, validate};

const INVITE: &[u8] = include_bytes!("messages/invite.sip");

#[test]
fn parsing_allocates_the_header_table_and_nothing_else() {
    let buffer = INVITE.to_vec();
    let found = measure(|| drop(Message::parse(buffer).unwrap()));
    assert_eq!(found.count_total, 1);
}

#[test]
fn typed_headers_and_validation_allocate_nothing() {
    let m = Message::parse(INVITE.to_vec()).unwrap();
    let found = measure(|| {
        assert!(validate(&m).is_ok());
        assert!(m.top_via().unwrap().has_rfc3261_branch());
        assert!(m.from().unwrap().tag.is_some() && m.to().unwrap().tag.is_none());
        assert_eq!(m.cseq().unwrap().number, 2);
        assert!(m.contact().unwrap().is_some() && m.call_id().is_ok());
        assert_eq!(m.credentials(sip::Header::Authorization).count(), 1);
    });
    assert_eq!(found.count_total, 0);
}

#[test]
fn a_response_is_one_allocation() {
    let m = Message::parse(INVITE.to_vec()).unwrap();
    let source = Some("192.168.20.31:5060".parse().unwrap());
    let found = measure(|| {
        let reply = Reply { to_tag: Some("a"), source, ..Reply::new(180) };
        assert!(!Writer::response(&m, reply).finish().is_empty());
    });
    assert_eq!(found.count_total, 1);
}
