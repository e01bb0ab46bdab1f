//! Connections that the switch makes, to peers of this process.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;
use crate::streams::tests::{Bench, OPTIONS, pass};

struct Calling {
    bench: Bench,
    connector: Connector,
    next: u64,
}

impl Calling {
    async fn new() -> Calling {
        let bench = Bench::listening(Transport::Tcp, None).await;
        let any = |port| vec![SocketAddr::from(([0, 0, 0, 0], port))];
        let listening = SipAddresses { plain: any(5_060), tls: any(5_061), ..Default::default() };
        let connector =
            Connector::new(bench.streams.clone(), Handle::current(), Arc::new(listening));
        Calling { bench, connector, next: 0 }
    }

    fn asks(&mut self, transport: Transport, remote: SocketAddr, name: Option<&str>) -> ConnectId {
        self.next += 1;
        let connect = ConnectId(self.next);
        let name = name.map(Box::from);
        self.connector.connect(Wanted { shard: 1, connect, transport, remote, name });
        connect
    }

    /// The answer, which only the asking shard gets.
    async fn answer(&self) -> (ConnectId, Option<Flow>) {
        match self.bench.letters(1).await.remove(0) {
            (1, Letter::Input(Input::Connected { connect, flow })) => (connect, flow),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_connection_of_ours_is_told_first_and_then_read_by_the_shard_that_asked() {
    let mut calling = Calling::new().await;
    let peer = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let remote = peer.local_addr().unwrap();
    for round in 1..=2 {
        let asked = calling.asks(Transport::Tcp, remote, None);
        let (mut stream, from) = peer.accept().await.unwrap();
        // It talks before the shard can know of it.
        stream.write_all(OPTIONS.as_bytes()).await.unwrap();
        let (connect, flow) = calling.answer().await;
        let flow = flow.expect("it was made");
        assert_eq!((connect, flow.remote, flow.transport), (asked, remote, Transport::Tcp));
        assert_eq!(flow.local, SocketAddr::new(from.ip(), 5_060), "where the peer finds us");
        let (shard, on, bytes) = calling.bench.received(1).await.remove(0);
        assert_eq!((shard, on, bytes.as_slice()), (1, flow, OPTIONS.as_bytes()), "{round}");

        calling.bench.streams.flows.write(flow.id, b"word".as_slice().into());
        stream.read_exact(&mut [0; 4]).await.unwrap();
        drop(stream);
        let closed = calling.bench.letters(2).await;
        assert!(closed.iter().all(
            |(_, letter)| matches!(letter, Letter::Input(Input::FlowClosed(id)) if *id == flow.id)
        ));
    }
    let figures = calling.bench.streams.flows.figures();
    assert_eq!((figures.made, figures.unmade, figures.open), (2, 0, [0; 4]));
}

#[tokio::test]
async fn over_tls_the_certificate_must_be_good_for_the_name() {
    let temp = tempfile::tempdir().unwrap();
    let names = ["trunk.example".to_owned()];
    let files = crate::self_signed::files_in(temp.path(), &names).unwrap();
    let theirs = crate::tls::Tls::new(Some(files.clone()), None).unwrap();
    let ours = crate::tls::Tls::new(None, Some(files.certificate)).unwrap();
    let mut calling = Calling::new().await;
    calling.connector.streams.tls = Arc::new(ours);

    let peer = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let remote = peer.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = peer.accept().await {
            if let Some(mut stream) = theirs.accept(stream).await {
                let _ = stream.write_all(OPTIONS.as_bytes()).await;
                let _ = stream.read(&mut [0; 1]).await;
            }
        }
    });
    calling.asks(Transport::Tls, remote, Some("other.example"));
    assert_eq!(calling.answer().await.1, None);
    calling.asks(Transport::Tls, remote, Some("trunk.example"));
    let flow = calling.answer().await.1.expect("the right name");
    assert_eq!((flow.transport, flow.local.port()), (Transport::Tls, 5_061));
    assert_eq!(calling.bench.received(1).await[0].1, flow);
    // What was verified for one name serves no other.
    calling.asks(Transport::Tls, remote, Some("other.example"));
    assert_eq!(calling.answer().await.1, None);
    assert_eq!(calling.bench.streams.flows.figures().unmade, 2);
}

#[tokio::test]
async fn what_cannot_be_connected_to_is_told() {
    let mut calling = Calling::new().await;
    let closed = {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap()
    };
    let asked = calling.asks(Transport::Tcp, closed, None);
    assert_eq!(calling.answer().await, (asked, None));
    let asked = calling.asks(Transport::Ws, calling.bench.address, None);
    assert_eq!(calling.answer().await, (asked, None));
}

#[tokio::test]
async fn as_many_are_being_made_as_may_be_and_one_more_is_told_at_once() {
    let mut calling = Calling::new().await;
    // It accepts, but never says a word of TLS.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let remote = silent.local_addr().unwrap();
    for _ in 0..limits::CONNECTING_MAX {
        calling.asks(Transport::Tls, remote, None);
    }
    let mut held = Vec::new();
    while held.len() < limits::CONNECTING_MAX {
        held.push(silent.accept().await.unwrap());
    }
    let last = calling.asks(Transport::Tls, remote, None);
    assert_eq!(calling.answer().await, (last, None));
}

#[tokio::test]
async fn a_handshake_that_never_ends_is_given_up() {
    let mut calling = Calling::new().await;
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let asked = calling.asks(Transport::Tls, silent.local_addr().unwrap(), None);
    let _held = silent.accept().await.unwrap();
    tokio::time::pause();
    let begun = tokio::time::Instant::now();
    pass(limits::CONNECT_TIME).await;
    assert_eq!(calling.answer().await, (asked, None));
    assert!(begun.elapsed() < limits::CONNECT_TIME * 2);
}

#[tokio::test]
async fn datagrams_need_no_connection_but_an_address_to_leave_from() {
    let mut calling = Calling::new().await;
    let remote = "127.0.0.9:5060".parse().unwrap();
    let asked = calling.asks(Transport::Udp, remote, None);
    let local = "127.0.0.1:5060".parse().unwrap();
    let flow = Flow { id: DATAGRAMS, transport: Transport::Udp, local, remote };
    assert_eq!(calling.answer().await, (asked, Some(flow)));
    calling.asks(Transport::Udp, "[::1]:5060".parse().unwrap(), None);
    assert_eq!(calling.answer().await.1, None, "no socket of ours can send there");
}

#[test]
fn the_listener_that_peers_find_us_at_serves_our_address() {
    let all: Vec<SocketAddr> = ["192.0.2.1:1", "0.0.0.0:2", "[::]:3", "[2001:db8::1]:4"]
        .map(|at| at.parse().unwrap())
        .to_vec();
    let port = |list: &[SocketAddr], local: &str| {
        serving(list, local.parse().unwrap()).map(|at| at.port())
    };
    assert_eq!(port(&all, "192.0.2.1"), Some(1));
    assert_eq!(port(&all, "192.0.2.7"), Some(2));
    assert_eq!(port(&all, "2001:db8::7"), Some(3));
    assert_eq!(port(&all, "2001:db8::1"), Some(4));
    assert_eq!(port(&all[2..], "192.0.2.7"), Some(3), "both families");
    assert_eq!(port(&all[..1], "192.0.2.7"), Some(1), "better than none");
    assert_eq!(port(&all[..2], "2001:db8::7"), None);
}
