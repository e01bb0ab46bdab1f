//! Against a name server of our own on loopback.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use hickory_resolver::proto::op::{Message, MessageType, OpCode, ResponseCode};
use hickory_resolver::proto::rr::rdata::{A, SRV};
use hickory_resolver::proto::rr::{Name, Record};
use tokio::net::UdpSocket;

use super::*;

/// What the server knows: names to records; a name with none is known and empty.
type Zone = BTreeMap<(String, RecordType), Vec<RData>>;

fn a(last: u8) -> RData {
    RData::A(A(Ipv4Addr::new(203, 0, 113, last)))
}

fn srv(priority: u16, weight: u16, port: u16, target: &str) -> RData {
    RData::SRV(SRV::new(priority, weight, port, Name::from_ascii(target).unwrap()))
}

fn zone(records: &[(&str, RecordType, &[RData])]) -> Zone {
    let entry = |(name, kind, data): &(&str, RecordType, &[RData])| {
        (((*name).to_owned(), *kind), data.to_vec())
    };
    records.iter().map(entry).collect()
}

/// Serves a zone; `None`: says nothing.
async fn serve(zone: Option<Zone>) -> SocketAddr {
    let socket = UdpSocket::bind(("127.0.0.1", 0)).await.unwrap();
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut buffer = [0; 1_500];
        while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
            let Some(zone) = &zone else { continue };
            let query = Message::from_vec(&buffer[..length]).unwrap();
            let _ = socket.send_to(&answer(zone, &query), from).await;
        }
    });
    address
}

fn answer(zone: &Zone, query: &Message) -> Vec<u8> {
    let mut reply = Message::new(query.metadata.id, MessageType::Response, OpCode::Query);
    reply.metadata.recursion_available = true;
    for question in &query.queries {
        reply.add_query(question.clone());
        let name = question.name().to_utf8().to_ascii_lowercase();
        let known = zone.keys().any(|(n, _)| *n == name);
        for data in zone.get(&(name, question.query_type())).into_iter().flatten() {
            reply.add_answer(Record::from_rdata(question.name().clone(), 90, data.clone()));
        }
        if !known {
            reply.metadata.response_code = ResponseCode::NXDomain;
        }
    }
    reply.to_vec().unwrap()
}

async fn asks(server: SocketAddr, host: &str, port: Option<u16>, transport: Transport) -> Answer {
    let mut lookups = Lookups::new(&[server], Handle::current(), Arc::from([])).unwrap();
    lookups.bound = Duration::from_millis(300);
    if host == "slow.example" {
        lookups.bound = Duration::from_millis(50);
    }
    let lookup = LookupId(1);
    lookups.answer(&Asked { shard: 0, lookup, host: host.into(), port, transport }).await
}

fn text(answer: Answer) -> String {
    match answer {
        Answer::Found { mut sites, ttl_s } => {
            assert!((80..=90).contains(&ttl_s), "{ttl_s}");
            sites.sort_by_key(|s| (s.priority, s.weight));
            let site = |s: &Site| {
                let at: Vec<String> = s.addresses.iter().map(SocketAddr::to_string).collect();
                format!("{}/{} {}", s.priority, s.weight, at.join(","))
            };
            sites.iter().map(site).collect::<Vec<_>>().join("; ")
        }
        other => format!("{other:?}"),
    }
}

/// RFC 3263 4.2.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hosts_are_found_by_srv_records_then_by_addresses() {
    use RecordType as R;
    let server = serve(Some(zone(&[
        (
            "_sip._udp.carrier.example.",
            R::SRV,
            &[
                srv(10, 5, 5070, "one.carrier.example."),
                srv(10, 7, 5060, "two.carrier.example."),
                srv(20, 0, 5060, "gone.carrier.example."),
            ],
        ),
        ("_sips._tcp.carrier.example.", R::SRV, &[srv(1, 1, 5061, "one.carrier.example.")]),
        ("one.carrier.example.", R::A, &[a(1)]),
        ("two.carrier.example.", R::A, &[a(2), a(3)]),
        ("carrier.example.", R::A, &[a(9)]),
        ("none.example.", R::A, &[a(4)]),
        ("_sip._udp.none.example.", R::SRV, &[srv(0, 0, 0, ".")]),
    ])))
    .await;
    for (host, port, transport, expected) in [
        (
            "carrier.example",
            None,
            Transport::Udp,
            "10/5 203.0.113.1:5070; 10/7 203.0.113.2:5060,203.0.113.3:5060",
        ),
        ("carrier.example", None, Transport::Tls, "1/1 203.0.113.1:5061"),
        ("carrier.example", None, Transport::Tcp, "0/0 203.0.113.9:5060"),
        ("carrier.example", Some(5080), Transport::Udp, "0/0 203.0.113.9:5080"),
        ("two.carrier.example", None, Transport::Tls, "0/0 203.0.113.2:5061,203.0.113.3:5061"),
        ("unknown.example", None, Transport::Udp, "Nowhere"),
        ("unknown.example", Some(5060), Transport::Udp, "Nowhere"),
        ("none.example", None, Transport::Udp, "Nowhere"),
    ] {
        let answer = asks(server, host, port, transport).await;
        assert_eq!(text(answer), expected, "{host} {port:?} {transport:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_server_that_says_nothing_is_away() {
    let server = serve(None).await;
    let answer = asks(server, "slow.example", None, Transport::Udp).await;
    assert_eq!(answer, Answer::Away);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_hosts_file_goes_first() {
    let server = serve(None).await;
    let answer = asks(server, "localhost", Some(5060), Transport::Udp).await;
    let Answer::Found { sites, .. } = answer else { panic!("{answer:?}") };
    assert!(sites[0].addresses.contains(&"127.0.0.1:5060".parse().unwrap()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_question_too_many_is_answered_at_once() {
    let server = serve(None).await;
    let (post, inbox) = crate::inbox::inbox(8).unwrap();
    let posts: Arc<[Post<Letter>]> = Arc::from([post]);
    let mut lookups = Lookups::new(&[server], Handle::current(), posts).unwrap();
    lookups.room = Arc::new(Semaphore::new(0));
    let host = "slow.example".into();
    let (lookup, transport) = (LookupId(5), Transport::Udp);
    lookups.ask(Asked { shard: 0, lookup, host, port: None, transport });
    let letter = loop {
        match inbox.next() {
            Some(letter) => break letter,
            None => tokio::task::yield_now().await,
        }
    };
    let Letter::Input(Input::Resolved { lookup: LookupId(5), answer }) = letter else {
        panic!("{letter:?}")
    };
    assert_eq!(answer, Answer::Away);
}

#[test]
fn a_changed_file_of_name_servers_is_noticed_once() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("resolv.conf");
    let write = |text: &str, second: u64| {
        std::fs::write(&path, text).unwrap();
        let file = std::fs::File::options().write(true).open(&path).unwrap();
        file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(second)).unwrap();
    };
    write("nameserver 192.0.2.1", 1_000);
    let mut system = SystemFile::new(path.clone());
    assert!(!system.is_due(), "it was just read");
    assert!(!system.has_changed());
    write("nameserver 192.0.2.2", 2_000);
    assert!(system.has_changed());
    assert!(!system.has_changed(), "once");
    std::fs::remove_file(&path).unwrap();
    assert!(!system.has_changed(), "it is being replaced");
    write("nameserver 192.0.2.2", 3_000);
    assert!(system.has_changed());
}
