//! SIP over TCP: accept, cut into messages, hand to the connection's home shard, write.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use sip::framing::{Frame, Framer, FramingError};
use sip::{Reply, Verdict, Writer};
use stack::{Flow, FlowId, Transport};
use switch::Input;
use tokio::io::AsyncWriteExt;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, timeout, timeout_at};
use tracing::{debug, warn};

use crate::flows::{Flows, Order, Shut};
use crate::inbox::Post;
use crate::letter::Letter;
use crate::limits;

/// What every connection needs.
#[derive(Clone)]
pub(crate) struct Streams {
    /// The table of connections.
    pub(crate) flows: Arc<Flows>,
    /// The shards' queues.
    pub(crate) posts: Arc<[Post<Letter>]>,
}

impl Streams {
    /// Accepts connections until `stop` says so.
    pub(crate) async fn accept(self, listener: TcpListener, mut stop: watch::Receiver<bool>) {
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                _ = stop.wait_for(|stop| *stop) => return,
            };
            match accepted {
                Ok((stream, remote)) => self.take(stream, canonical(remote)),
                Err(error) => {
                    warn!(%error, "a connection cannot be accepted");
                    // Without descriptors it would fail again at once, and for ever.
                    tokio::time::sleep(limits::ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn take(&self, stream: TcpStream, remote: SocketAddr) {
        let (id, orders) = match self.flows.open(remote.ip()) {
            Ok(open) => open,
            Err(why) => return debug!(%remote, why = why.label(), "connection refused"),
        };
        let streams = self.clone();
        tokio::spawn(async move {
            let why = streams.serve(stream, id, remote, orders).await.unwrap_or(Shut::ByPeer);
            debug!(flow = id.0, %remote, why = why.label(), "connection closed");
            streams.flows.forget(id, why);
            for post in streams.posts.iter() {
                post.deliver(Letter::Input(Input::FlowClosed(id))).await;
            }
        });
    }

    async fn serve(
        &self,
        stream: TcpStream,
        id: FlowId,
        remote: SocketAddr,
        orders: mpsc::Receiver<Order>,
    ) -> io::Result<Shut> {
        stream.set_nodelay(true)?;
        let local = canonical(stream.local_addr()?);
        let flow = Flow { id, transport: Transport::Tcp, local, remote };
        let (read, write) = stream.into_split();
        let writing = write_orders(write, orders);
        tokio::pin!(writing);
        let why = tokio::select! {
            why = self.read_messages(read, flow) => why,
            why = &mut writing => return Ok(why),
        };
        if why == Shut::Garbage {
            // What it is owed goes out before the connection closes.
            self.flows.close(id);
            let _ = timeout(limits::FAREWELL_TIME, writing).await;
        }
        Ok(why)
    }

    async fn read_messages(&self, read: OwnedReadHalf, flow: Flow) -> Shut {
        let mut reading = Reading::new();
        loop {
            match timeout_at(reading.deadline(), read.readable()).await {
                Err(_) => return reading.why_late(),
                Ok(Err(_)) => return Shut::ByPeer,
                Ok(Ok(())) => {}
            }
            // The buffer does not live across an await, so a silent connection holds none.
            match reading.push_from(&read) {
                Ok(0) => return Shut::ByPeer,
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
                Err(_) => return Shut::ByPeer,
            }
            while let Some(frame) = reading.next_frame() {
                match frame {
                    Ok(Frame::Message(message)) => {
                        if !reading.proven {
                            reading.proven = true;
                            self.flows.prove(flow.id);
                        }
                        self.pass_on(flow, message.bytes().to_vec()).await;
                    }
                    Ok(Frame::Ping) => self.flows.write(flow.id, b"\r\n".as_slice().into()),
                    Ok(Frame::Pong) => {}
                    Err(error) => {
                        self.answer_garbage(flow, &error);
                        return Shut::Garbage;
                    }
                }
            }
            reading.pushed();
        }
    }

    /// To the connection's home shard, always the same. A full queue makes the peer wait.
    async fn pass_on(&self, flow: Flow, bytes: Vec<u8>) {
        let shards = u64::try_from(self.posts.len()).unwrap_or(1).max(1);
        let home = usize::try_from(flow.id.0 % shards).unwrap_or(0);
        if let Some(post) = self.posts.get(home) {
            post.deliver(Letter::Input(Input::Received { flow, bytes })).await;
        }
    }

    fn answer_garbage(&self, flow: Flow, error: &FramingError) {
        debug!(flow = flow.id.0, remote = %flow.remote, error = error.reason, "no SIP on it");
        if let Some((request, Verdict::Answer { status, reason })) = error.answer.as_deref() {
            let source = Some(flow.remote);
            let reply = Reply { reason: Some(reason), source, ..Reply::new(*status) };
            let bytes = Writer::response(request, reply).finish();
            self.flows.write(flow.id, bytes.into());
        }
    }
}

/// One connection's reading end.
struct Reading {
    framer: Framer,
    proven: bool,
    opened: Instant,
    last: Instant,
    /// When the first byte of a message came that is not whole yet.
    begun: Option<Instant>,
}

impl Reading {
    fn new() -> Reading {
        let now = Instant::now();
        Reading { framer: Framer::new(), proven: false, opened: now, last: now, begun: None }
    }

    fn push_from(&mut self, read: &OwnedReadHalf) -> io::Result<usize> {
        let mut buffer = [0; limits::STREAM_READ_BYTES];
        let length = read.try_read(&mut buffer)?;
        self.framer.push(buffer.get(..length).unwrap_or_default());
        Ok(length)
    }

    fn next_frame(&mut self) -> Option<Result<Frame, FramingError>> {
        let frame = self.framer.next_frame()?;
        // What follows is another message, with a time of its own.
        self.begun = None;
        Some(frame)
    }

    fn pushed(&mut self) {
        self.last = Instant::now();
        if self.framer.pending() == 0 {
            self.begun = None;
        } else if self.begun.is_none() {
            self.begun = Some(self.last);
        }
    }

    fn deadline(&self) -> Instant {
        match (self.begun, self.proven) {
            (Some(begun), true) => begun + limits::MESSAGE_TIME,
            (_, false) => self.opened + limits::MESSAGE_TIME,
            (None, true) => self.last + limits::IDLE_TIME,
        }
    }

    fn why_late(&self) -> Shut {
        if self.begun.is_some() || !self.proven { Shut::Slow } else { Shut::Idle }
    }
}

async fn write_orders(mut write: OwnedWriteHalf, mut orders: mpsc::Receiver<Order>) -> Shut {
    while let Some(order) = orders.recv().await {
        match order {
            Order::Write(bytes) => {
                match timeout(limits::MESSAGE_TIME, write.write_all(&bytes)).await {
                    Err(_) => return Shut::Stuck,
                    Ok(Err(_)) => return Shut::ByPeer,
                    Ok(Ok(())) => {}
                }
            }
            Order::Close => return Shut::ByUs,
        }
    }
    // The table has dropped the connection: its queue was full.
    Shut::Stuck
}

/// An IPv4 peer of a dual-stack listener is an IPv4 peer.
pub(crate) fn canonical(address: SocketAddr) -> SocketAddr {
    match address.ip().to_canonical() {
        ip @ std::net::IpAddr::V4(_) => SocketAddr::new(ip, address.port()),
        std::net::IpAddr::V6(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;

    use super::*;
    use crate::inbox::{Inbox, inbox};

    const OPTIONS: &str = "OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/TCP h;branch=z9hG4bK1\r\n\
        From: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\n\
        Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n";

    struct Bench {
        streams: Streams,
        address: SocketAddr,
        inboxes: Vec<Inbox<Letter>>,
        _stop: watch::Sender<bool>,
    }

    async fn bench() -> Bench {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (posts, inboxes): (Vec<_>, Vec<_>) = (0..2).map(|_| inbox(64).unwrap()).unzip();
        let streams = Streams { flows: Arc::new(Flows::new(1_000)), posts: posts.into() };
        let (stop, stopped) = watch::channel(false);
        tokio::spawn(streams.clone().accept(listener, stopped));
        Bench { streams, address, inboxes, _stop: stop }
    }

    /// The next letters, until `done` has enough of them.
    async fn letters(
        bench: &Bench,
        done: impl Fn(&[(usize, Letter)]) -> bool,
    ) -> Vec<(usize, Letter)> {
        let mut all = Vec::new();
        while !done(&all) {
            for (shard, inbox) in bench.inboxes.iter().enumerate() {
                all.extend(inbox.next().map(|letter| (shard, letter)));
            }
            tokio::task::yield_now().await;
        }
        all
    }

    fn received(letters: &[(usize, Letter)]) -> Vec<(usize, Flow, &[u8])> {
        let one = |(shard, letter): &'_ (usize, Letter)| match letter {
            Letter::Input(Input::Received { flow, bytes }) => Some((*shard, *flow, bytes.clone())),
            _ => None,
        };
        letters.iter().filter_map(one).map(|(s, f, b)| (s, f, &*b.leak())).collect()
    }

    #[tokio::test]
    async fn messages_of_a_connection_go_whole_to_one_shard_and_answers_come_back_on_it() {
        let bench = bench().await;
        let mut peer = TcpStream::connect(bench.address).await.unwrap();
        let twice = OPTIONS.repeat(2);
        for piece in twice.as_bytes().chunks(7) {
            peer.write_all(piece).await.unwrap();
        }
        let all = letters(&bench, |all| all.len() == 2).await;
        let got = received(&all);
        assert_eq!(got.len(), 2);
        let (shard, flow, bytes) = got[0];
        assert_eq!(bytes, OPTIONS.as_bytes());
        assert_eq!(shard, usize::try_from(flow.id.0 % 2).unwrap());
        assert_eq!((got[1].0, got[1].1), (shard, flow));
        assert_eq!((flow.local, flow.remote), (bench.address, peer.local_addr().unwrap()));

        bench.streams.flows.write(flow.id, b"answer".as_slice().into());
        let mut answer = [0; 6];
        peer.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"answer");
    }

    #[tokio::test]
    async fn every_shard_learns_that_a_connection_is_gone() {
        let bench = bench().await;
        let mut peer = TcpStream::connect(bench.address).await.unwrap();
        peer.write_all(OPTIONS.as_bytes()).await.unwrap();
        let id = received(&letters(&bench, |all| all.len() == 1).await)[0].1.id;
        drop(peer);
        let mut gone = letters(&bench, |all| all.len() == 2).await;
        gone.sort_by_key(|(shard, _)| *shard);
        assert!(matches!(gone[0], (0, Letter::Input(Input::FlowClosed(f))) if f == id));
        assert!(matches!(gone[1], (1, Letter::Input(Input::FlowClosed(f))) if f == id));
        assert_eq!(bench.streams.flows.figures().open, 0);
    }

    #[tokio::test]
    async fn a_ping_is_answered_with_a_pong() {
        let bench = bench().await;
        let mut peer = TcpStream::connect(bench.address).await.unwrap();
        peer.write_all(b"\r\n\r\n").await.unwrap();
        let mut pong = [0; 2];
        peer.read_exact(&mut pong).await.unwrap();
        assert_eq!(&pong, b"\r\n");
    }

    #[tokio::test]
    async fn a_request_that_cannot_be_framed_is_answered_and_the_connection_closed() {
        let bench = bench().await;
        let mut peer = TcpStream::connect(bench.address).await.unwrap();
        let request = OPTIONS.replace("Content-Length: 0\r\n", "");
        peer.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        peer.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("SIP/2.0 400 Missing Content-Length\r\n"), "{answer}");
    }

    #[tokio::test]
    async fn a_connection_that_speaks_no_sip_is_closed() {
        let bench = bench().await;
        let mut peer = TcpStream::connect(bench.address).await.unwrap();
        peer.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        let mut rest = Vec::new();
        peer.read_to_end(&mut rest).await.unwrap();
        assert!(rest.is_empty());
    }

    #[tokio::test]
    async fn closing_waits_for_what_was_written() {
        let bench = bench().await;
        let mut peer = TcpStream::connect(bench.address).await.unwrap();
        peer.write_all(OPTIONS.as_bytes()).await.unwrap();
        let id = received(&letters(&bench, |all| all.len() == 1).await)[0].1.id;
        bench.streams.flows.write(id, b"last words".as_slice().into());
        bench.streams.flows.close(id);
        let mut rest = String::new();
        peer.read_to_string(&mut rest).await.unwrap();
        assert_eq!(rest, "last words");
    }

    #[tokio::test]
    async fn one_address_gets_only_so_many_silent_connections() {
        let bench = bench().await;
        let mut silent = Vec::new();
        for _ in 0..limits::UNPROVEN_PER_ADDRESS {
            silent.push(TcpStream::connect(bench.address).await.unwrap());
        }
        let mut refused = TcpStream::connect(bench.address).await.unwrap();
        assert_eq!(refused.read(&mut [0; 1]).await.unwrap_or(0), 0, "closed at once");
        assert_eq!(bench.streams.flows.figures().open, limits::UNPROVEN_PER_ADDRESS);
    }

    /// The bounds in time, on values: no test waits half a minute.
    #[tokio::test(start_paused = true)]
    async fn half_a_message_has_a_deadline_and_a_quiet_phone_a_long_one() {
        let mut reading = Reading::new();
        let opened = reading.opened;
        assert_eq!(reading.deadline(), opened + limits::MESSAGE_TIME);
        assert_eq!(reading.why_late(), Shut::Slow, "nothing at all");

        reading.proven = true;
        tokio::time::advance(limits::MESSAGE_TIME).await;
        reading.framer.push(b"OPTIONS sip");
        reading.pushed();
        let begun = Instant::now();
        tokio::time::advance(limits::MESSAGE_TIME / 2).await;
        reading.framer.push(b":a@b");
        assert!(reading.next_frame().is_none());
        reading.pushed();
        assert_eq!(reading.deadline(), begun + limits::MESSAGE_TIME, "trickling does not help");
        assert_eq!(reading.why_late(), Shut::Slow);

        let rest = OPTIONS.strip_prefix("OPTIONS sip:a@b").unwrap();
        reading.framer.push(rest.as_bytes());
        reading.framer.push(b"OPTIONS");
        assert!(reading.next_frame().is_some() && reading.next_frame().is_none());
        reading.pushed();
        let deadline = Instant::now() + limits::MESSAGE_TIME;
        assert_eq!(reading.deadline(), deadline, "the next message has its own time");

        let mut quiet = Reading::new();
        quiet.proven = true;
        quiet.pushed();
        assert_eq!(quiet.deadline(), Instant::now() + limits::IDLE_TIME);
        assert_eq!(quiet.why_late(), Shut::Idle);
    }
}
