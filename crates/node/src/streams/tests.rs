//! Connections over real sockets, and their times over pipes in memory.

use core::task::{Context, Waker};
use core::time::Duration;
use std::collections::BTreeSet;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsConnector;

use super::*;
use crate::inbox::{Inbox, inbox};
use crate::tls::tests::{believing, tls_for};

pub(crate) const OPTIONS: &str = "OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/TCP h;branch=z9hG4bK1\r\n\
     From: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\n\
     Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n";

/// A listener with two shards that only collect what they are given.
pub(crate) struct Bench {
    pub(crate) streams: Streams,
    pub(crate) address: SocketAddr,
    inboxes: Vec<Inbox<Letter>>,
    _stop: watch::Sender<bool>,
    _temp: tempfile::TempDir,
}

impl Bench {
    pub(crate) async fn listening(transport: Transport, origins: Origins) -> Bench {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (posts, inboxes): (Vec<_>, Vec<_>) = (0..2).map(|_| inbox(64).unwrap()).unzip();
        let temp = tempfile::tempdir().unwrap();
        let tls = tls_for(temp.path(), &["a.example", "127.0.0.1"]);
        let flows = Arc::new(Flows::new(1_000));
        let streams = Streams::new(flows, posts.into(), Arc::new(tls), origins);
        let (stop, stopped) = watch::channel(false);
        tokio::spawn(streams.clone().accept(listener, transport, stopped));
        Bench { streams, address, inboxes, _stop: stop, _temp: temp }
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Where its certificate lies.
    pub(crate) fn certificate(&self) -> std::path::PathBuf {
        self._temp.path().join("certificate.pem")
    }

    /// The next letters, as many.
    pub(crate) async fn letters(&self, count: usize) -> Vec<(usize, Letter)> {
        let mut all = Vec::new();
        while all.len() < count {
            for (shard, inbox) in self.inboxes.iter().enumerate() {
                all.extend(inbox.next().map(|letter| (shard, letter)));
            }
            tokio::task::yield_now().await;
        }
        all
    }

    /// The next messages, as many, with the shard that got each.
    pub(crate) async fn received(&self, count: usize) -> Vec<(usize, Flow, Vec<u8>)> {
        let one = |(shard, letter)| match letter {
            Letter::Input(Input::Received { flow, bytes }) => (shard, flow, bytes),
            other => panic!("{other:?}"),
        };
        self.letters(count).await.into_iter().map(one).collect()
    }

    /// Waits until so many connections have ended so.
    pub(crate) async fn ended(&self, why: Shut, count: u64) {
        let at = Shut::ALL.iter().position(|w| *w == why).unwrap();
        while self.streams.flows.figures().shut[at] < count {
            tokio::task::yield_now().await;
        }
    }
}

async fn plain() -> Bench {
    Bench::listening(Transport::Tcp, None).await
}

#[tokio::test]
async fn messages_of_a_connection_go_whole_to_one_shard_and_answers_come_back_on_it() {
    let bench = plain().await;
    let mut peer = bench.connect().await;
    let twice = OPTIONS.repeat(2);
    for piece in twice.as_bytes().chunks(7) {
        peer.write_all(piece).await.unwrap();
    }
    let got = bench.received(2).await;
    let (shard, flow, bytes) = &got[0];
    assert_eq!(bytes, OPTIONS.as_bytes());
    assert_eq!(*shard, usize::try_from(flow.id.0 % 2).unwrap());
    assert_eq!((got[1].0, got[1].1), (*shard, *flow));
    assert_eq!((flow.local, flow.remote), (bench.address, peer.local_addr().unwrap()));

    bench.streams.flows.write(flow.id, b"answer".as_slice().into());
    let mut answer = [0; 6];
    peer.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"answer");
}

#[tokio::test]
async fn every_shard_learns_that_a_connection_is_gone() {
    let bench = plain().await;
    let mut peer = bench.connect().await;
    peer.write_all(OPTIONS.as_bytes()).await.unwrap();
    let id = bench.received(1).await[0].1.id;
    drop(peer);
    let mut gone = bench.letters(2).await;
    gone.sort_by_key(|(shard, _)| *shard);
    assert!(matches!(gone[0], (0, Letter::Input(Input::FlowClosed(f))) if f == id));
    assert!(matches!(gone[1], (1, Letter::Input(Input::FlowClosed(f))) if f == id));
    assert_eq!(bench.streams.flows.figures().open, [0; 4]);
}

#[tokio::test]
async fn a_connection_that_never_said_anything_is_no_matter_for_the_shards() {
    let bench = plain().await;
    let mut silent = bench.connect().await;
    silent.write_all(b"\r\n\r\n").await.unwrap();
    silent.read_exact(&mut [0; 2]).await.unwrap();
    drop(silent);
    bench.ended(Shut::ByPeer, 1).await;
    let mut peer = bench.connect().await;
    peer.write_all(OPTIONS.as_bytes()).await.unwrap();
    // The first that any of them hears of is this.
    bench.received(1).await;
}

#[tokio::test]
async fn a_ping_is_answered_with_a_pong() {
    let bench = plain().await;
    let mut peer = bench.connect().await;
    peer.write_all(b"\r\n\r\n").await.unwrap();
    let mut pong = [0; 2];
    peer.read_exact(&mut pong).await.unwrap();
    assert_eq!(&pong, b"\r\n");
}

#[tokio::test]
async fn a_request_that_cannot_be_framed_is_answered_and_the_connection_closed() {
    let bench = plain().await;
    let mut peer = bench.connect().await;
    let request = OPTIONS.replace("Content-Length: 0\r\n", "");
    peer.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    peer.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("SIP/2.0 400 Missing Content-Length\r\n"), "{answer}");
}

#[tokio::test]
async fn a_connection_that_speaks_no_sip_is_closed() {
    let bench = plain().await;
    let mut peer = bench.connect().await;
    peer.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let mut rest = Vec::new();
    peer.read_to_end(&mut rest).await.unwrap();
    assert!(rest.is_empty());
}

#[tokio::test]
async fn closing_waits_for_what_was_written() {
    let bench = plain().await;
    let mut peer = bench.connect().await;
    peer.write_all(OPTIONS.as_bytes()).await.unwrap();
    let id = bench.received(1).await[0].1.id;
    bench.streams.flows.write(id, b"last words".as_slice().into());
    bench.streams.flows.close(id);
    let mut rest = String::new();
    peer.read_to_string(&mut rest).await.unwrap();
    assert_eq!(rest, "last words");
}

#[tokio::test]
async fn one_address_gets_only_so_many_silent_connections() {
    let bench = plain().await;
    let mut silent = Vec::new();
    for _ in 0..limits::UNPROVEN_PER_ADDRESS {
        silent.push(bench.connect().await);
    }
    let mut refused = bench.connect().await;
    assert_eq!(refused.read(&mut [0; 1]).await.unwrap_or(0), 0, "closed at once");
    let open: usize = bench.streams.flows.figures().open.iter().sum();
    assert_eq!(open, limits::UNPROVEN_PER_ADDRESS);
}

#[tokio::test]
async fn the_kernel_asks_a_silent_peer_whether_it_is_still_there() {
    let (listener, peer) = {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let peer = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        (listener, peer)
    };
    let (stream, _) = listener.accept().await.unwrap();
    prepare(&stream).unwrap();
    let socket = SockRef::from(&stream);
    assert!(socket.keepalive().unwrap() && stream.nodelay().unwrap());
    assert_eq!(socket.tcp_keepalive_time().unwrap(), limits::KEEPALIVE_AFTER);
    drop(peer);
}

#[tokio::test]
async fn sip_inside_tls_is_sip() {
    let bench = Bench::listening(Transport::Tls, None).await;
    let stream = bench.connect().await;
    let connector = TlsConnector::from(believing(&bench.certificate()));
    let name = "a.example".try_into().unwrap();
    let mut peer = connector.connect(name, stream).await.unwrap();
    peer.write_all(OPTIONS.as_bytes()).await.unwrap();
    let (_, flow, bytes) = bench.received(1).await.remove(0);
    assert_eq!((flow.transport, flow.local), (Transport::Tls, bench.address));
    assert_eq!(bytes, OPTIONS.as_bytes());
    bench.streams.flows.write(flow.id, b"last words".as_slice().into());
    bench.streams.flows.close(flow.id);
    let mut rest = String::new();
    // An end without TLS's own goodbye would be an error.
    peer.read_to_string(&mut rest).await.unwrap();
    assert_eq!(rest, "last words");
}

#[tokio::test]
async fn what_is_no_tls_of_today_is_closed() {
    let bench = Bench::listening(Transport::Tls, None).await;
    let mut plain = bench.connect().await;
    plain.write_all(OPTIONS.as_bytes()).await.unwrap();
    let mut rest = Vec::new();
    let _ = plain.read_to_end(&mut rest).await;
    bench.ended(Shut::Handshake, 1).await;

    // RFC 5246 7.2: a fatal alert, protocol_version; and as the proof of the test, TLS 1.2 gets on.
    let mut old = bench.connect().await;
    old.write_all(&client_hello(0x02)).await.unwrap();
    let mut alert = Vec::new();
    old.read_to_end(&mut alert).await.unwrap();
    assert_eq!((alert[0], &alert[5..]), (21, &[2, 70][..]));
    bench.ended(Shut::Handshake, 2).await;
    let mut new = bench.connect().await;
    new.write_all(&client_hello(0x03)).await.unwrap();
    assert_eq!(new.read_u8().await.unwrap(), 22);
}

/// A ClientHello (RFC 5246 7.4.1.2) of TLS 1.1 (minor version 2) or 1.2 (3): a cipher suite, its
/// curve and its signature.
fn client_hello(minor: u8) -> Vec<u8> {
    let extensions = [
        &[0, 10, 0, 4, 0, 2, 0, 0x17][..],
        &[0, 11, 0, 2, 1, 0],
        &[0, 13, 0, 4, 0, 2, 4, 3],
        &[0, 23, 0, 0],
    ]
    .concat();
    let mut hello = vec![0x03, minor];
    hello.extend([7; 32]);
    hello.extend([0, 0, 2, 0xc0, 0x2b, 1, 0, 0, u8::try_from(extensions.len()).unwrap()]);
    hello.extend(extensions);
    let length = u8::try_from(hello.len()).unwrap();
    let mut record = vec![22, 3, 1, 0, length + 4, 1, 0, 0, length];
    record.extend(hello);
    record
}

/// A pipe in memory whose other end the framed reader serves. It stands for a connection where
/// time is to pass, which waits for no real socket.
struct Pipe {
    peer: tokio::io::DuplexStream,
    served: tokio::task::JoinHandle<Shut>,
}

fn pipe(bench: &Bench) -> Pipe {
    let (peer, ours) = tokio::io::duplex(64 << 10);
    let (id, orders) = bench.streams.flows.open([127, 0, 0, 1].into(), Transport::Tcp).unwrap();
    let remote = "127.0.0.1:9".parse().unwrap();
    let flow = Flow { id, transport: Transport::Tcp, local: bench.address, remote };
    let streams = bench.streams.clone();
    let served = tokio::spawn(async move {
        let mut patience = Patience::new();
        framed::serve(&streams, ours, Lane { flow, home: 0 }, &mut patience, orders).await
    });
    Pipe { peer, served }
}

/// Lets the time of a paused clock pass; everybody else gets his turns meanwhile.
pub(crate) async fn pass(time: Duration) {
    let _ = timeout(time, core::future::pending::<()>()).await;
}

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn a_peer_that_sends_a_byte_a_second_has_32_seconds_for_its_message() {
    // Its first message, and the one after a whole one.
    let bench = plain().await;
    for before in ["", OPTIONS] {
        let mut pipe = pipe(&bench);
        pipe.peer.write_all(before.as_bytes()).await.unwrap();
        let begun = tokio::time::Instant::now();
        let mut sent = 0;
        for byte in OPTIONS.as_bytes() {
            if pipe.served.is_finished() || pipe.peer.write_all(&[*byte]).await.is_err() {
                break;
            }
            sent += 1;
            pass(SECOND).await;
        }
        assert_eq!(pipe.served.await.unwrap(), Shut::Slow);
        assert!((31..=33).contains(&sent), "{sent}");
        assert!(begun.elapsed() <= limits::MESSAGE_TIME + SECOND);
    }
}

#[tokio::test(start_paused = true)]
async fn a_phone_that_pings_stays_and_a_silent_one_is_closed_after_the_idle_time() {
    let bench = plain().await;
    let mut pipe = pipe(&bench);
    pipe.peer.write_all(OPTIONS.as_bytes()).await.unwrap();
    let ping_for = limits::IDLE_TIME * 2;
    let begun = tokio::time::Instant::now();
    while begun.elapsed() < ping_for {
        pass(SECOND * 1_800).await;
        pipe.peer.write_all(b"\r\n\r\n").await.unwrap();
        pipe.peer.read_exact(&mut [0; 2]).await.unwrap();
    }
    assert!(!pipe.served.is_finished());
    let silent = tokio::time::Instant::now();
    assert_eq!(pipe.served.await.unwrap(), Shut::Idle);
    assert_eq!(silent.elapsed().as_secs(), limits::IDLE_TIME.as_secs());
}

#[tokio::test(start_paused = true)]
async fn a_handshake_has_10_seconds() {
    let bench = plain().await;
    let begun = tokio::time::Instant::now();
    let silent = core::future::pending::<Option<()>>();
    assert_eq!(bench.streams.in_time(silent).await, Err(Shut::Slow));
    assert_eq!(begun.elapsed(), limits::HANDSHAKE_TIME);
}

#[tokio::test]
async fn only_so_many_handshakes_go_on_at_a_time() {
    let bench = plain().await;
    let mut going: Vec<_> = (0..limits::HANDSHAKES_MAX)
        .map(|_| Box::pin(bench.streams.in_time(core::future::pending::<Option<()>>())))
        .collect();
    let mut context = Context::from_waker(Waker::noop());
    for handshake in &mut going {
        assert!(handshake.as_mut().poll(&mut context).is_pending());
    }
    let one_more = bench.streams.in_time(async { Some(()) }).await;
    assert_eq!(one_more, Err(Shut::TooManyHandshakes));
    going.pop();
    assert_eq!(bench.streams.in_time(async { Some(()) }).await, Ok(()));
}

#[tokio::test]
async fn messages_cut_at_every_byte_arrive_the_same() {
    let body = "v=0\r\n\r\nnot a message\r\n\r\n";
    let message = OPTIONS.replace("Length: 0\r\n\r\n", &format!("Length: {}\r\n\r\n", body.len()));
    let message = format!("{message}{body}");
    let three = format!("{OPTIONS}\r\n\r\n{message}{OPTIONS}");
    let expected = [OPTIONS, &message, OPTIONS];
    let bench = plain().await;
    for cut in 1..three.len() {
        let mut pipe = pipe(&bench);
        let (first, second) = three.as_bytes().split_at(cut);
        pipe.peer.write_all(first).await.unwrap();
        // The reader takes what is there before the rest comes.
        tokio::task::yield_now().await;
        pipe.peer.write_all(second).await.unwrap();
        let got = bench.received(3).await;
        let texts: Vec<_> = got.iter().map(|(_, _, bytes)| bytes.as_slice()).collect();
        assert_eq!(texts, expected.map(str::as_bytes), "cut at {cut}");
        bench.streams.flows.forget(got[0].1.id, Shut::ByPeer);
    }
}

#[tokio::test]
async fn a_thousand_slow_connections_leave_room_for_a_good_one() {
    let bench = plain().await;
    let mut slow = Vec::new();
    for n in 0..1_000u16 {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        // 200 from each of five addresses.
        let from = [127, 0, 1, u8::try_from(n / 200).unwrap()];
        socket.bind((from, 0).into()).unwrap();
        let mut stream = socket.connect(bench.address).await.unwrap();
        // One that was closed at once cannot be written to.
        let _ = stream.write_all(b"O").await;
        slow.push(stream);
    }
    bench.ended(Shut::TooManyUnproven, 500).await;
    let open: usize = bench.streams.flows.figures().open.iter().sum();
    assert_eq!(open, 5 * limits::UNPROVEN_PER_ADDRESS);
    let mut good = bench.connect().await;
    good.write_all(OPTIONS.as_bytes()).await.unwrap();
    let (_, flow, _) = bench.received(1).await.remove(0);
    assert_eq!(flow.remote, good.local_addr().unwrap());
    let remotes: BTreeSet<_> = slow.iter().filter_map(|s| s.local_addr().ok()).collect();
    assert!(!remotes.contains(&flow.remote));
}
