//! Connections: accepted within bounds, made secure, served, and reported when they are over.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use socket2::{SockRef, TcpKeepalive};
use stack::{Flow, FlowId, Transport};
use switch::Input;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::time::timeout;
use tracing::{debug, warn};

use crate::flows::{Flows, Order, Shut};
use crate::inbox::Post;
use crate::letter::Letter;
use crate::patience::Patience;
use crate::tls::Tls;
use crate::websocket::Origins;
use crate::{framed, limits, websocket};

/// What every connection needs.
#[derive(Clone)]
pub(crate) struct Streams {
    /// The table of connections.
    pub(crate) flows: Arc<Flows>,
    /// The shards' queues.
    pub(crate) posts: Arc<[Post<Letter>]>,
    /// What makes connections secure.
    pub(crate) tls: Arc<Tls>,
    /// Whose web pages may open a WebSocket.
    pub(crate) origins: Origins,
    /// Room for handshakes.
    handshakes: Arc<Semaphore>,
}

/// A connection and the shard that its messages go to, always the same.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lane {
    /// The connection.
    pub(crate) flow: Flow,
    /// The shard.
    pub(crate) home: usize,
}

impl Streams {
    /// Nothing open yet.
    pub(crate) fn new(
        flows: Arc<Flows>,
        posts: Arc<[Post<Letter>]>,
        tls: Arc<Tls>,
        origins: Origins,
    ) -> Streams {
        let handshakes = Arc::new(Semaphore::new(limits::HANDSHAKES_MAX));
        Streams { flows, posts, tls, origins, handshakes }
    }

    /// Accepts connections that speak `transport` until `stop` says so.
    pub(crate) async fn accept(
        self,
        listener: TcpListener,
        transport: Transport,
        mut stop: watch::Receiver<bool>,
    ) {
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                _ = stop.wait_for(|stop| *stop) => return,
            };
            match accepted {
                Ok((stream, remote)) => self.take(stream, canonical(remote), transport),
                Err(error) => {
                    warn!(%error, "a connection cannot be accepted");
                    // Without descriptors it would fail again at once, and for ever.
                    tokio::time::sleep(limits::ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn take(&self, stream: TcpStream, remote: SocketAddr, transport: Transport) {
        let (id, orders) = match self.flows.open(remote.ip(), transport) {
            Ok(open) => open,
            Err(why) => return debug!(%remote, why = why.label(), "connection refused"),
        };
        let streams = self.clone();
        tokio::spawn(async move {
            let mut patience = Patience::new();
            let why = match Lane::accepted(&streams, &stream, id, remote, transport) {
                Ok(lane) => streams.begin(stream, lane, &mut patience, orders).await,
                Err(_) => Shut::ByPeer,
            };
            debug!(flow = id.0, %remote, why = why.label(), "connection closed");
            // Of one that never passed a message on no shard knows.
            streams.over(id, why, patience.is_proven()).await;
        });
    }

    /// Serves an accepted connection from its first byte.
    async fn begin(
        &self,
        stream: TcpStream,
        lane: Lane,
        patience: &mut Patience,
        orders: mpsc::Receiver<Order>,
    ) -> Shut {
        match lane.flow.transport {
            Transport::Udp | Transport::Tcp => {
                framed::serve(self, stream, lane, patience, orders).await
            }
            // On the heap: they are larger, and a plain connection shall not pay for them.
            Transport::Tls => {
                Box::pin(async {
                    match self.in_time(self.tls.accept(stream)).await {
                        Ok(stream) => framed::serve(self, stream, lane, patience, orders).await,
                        Err(why) => why,
                    }
                })
                .await
            }
            Transport::Ws => {
                Box::pin(async {
                    match self.in_time(websocket::accept(stream, &self.origins)).await {
                        Ok(socket) => websocket::serve(self, socket, lane, patience, orders).await,
                        Err(why) => why,
                    }
                })
                .await
            }
            Transport::Wss => {
                Box::pin(async {
                    let both = async {
                        let stream = self.tls.accept(stream).await?;
                        websocket::accept(stream, &self.origins).await
                    };
                    match self.in_time(both).await {
                        Ok(socket) => websocket::serve(self, socket, lane, patience, orders).await,
                        Err(why) => why,
                    }
                })
                .await
            }
        }
    }

    /// A handshake, if there is room for one more, within its time.
    async fn in_time<T>(&self, handshake: impl Future<Output = Option<T>>) -> Result<T, Shut> {
        let Ok(_room) = self.handshakes.try_acquire() else { return Err(Shut::TooManyHandshakes) };
        match timeout(limits::HANDSHAKE_TIME, handshake).await {
            Err(_) => Err(Shut::Slow),
            Ok(None) => Err(Shut::Handshake),
            Ok(Some(done)) => Ok(done),
        }
    }

    /// To the connection's home shard. A full queue makes the peer wait.
    pub(crate) async fn pass_on(&self, lane: Lane, bytes: Vec<u8>) {
        if let Some(post) = self.posts.get(lane.home) {
            post.deliver(Letter::Input(Input::Received { flow: lane.flow, bytes })).await;
        }
    }

    /// A connection is over: its place is free, and the shards hear of it if they know it.
    pub(crate) async fn over(&self, id: FlowId, why: Shut, known: bool) {
        self.flows.forget(id, why);
        for post in self.posts.iter().filter(|_| known) {
            post.deliver(Letter::Input(Input::FlowClosed(id))).await;
        }
    }
}

impl Lane {
    fn accepted(
        streams: &Streams,
        stream: &TcpStream,
        id: FlowId,
        remote: SocketAddr,
        transport: Transport,
    ) -> io::Result<Lane> {
        prepare(stream)?;
        let local = canonical(stream.local_addr()?);
        let shards = u64::try_from(streams.posts.len()).unwrap_or(1).max(1);
        let home = usize::try_from(id.0 % shards).unwrap_or(0);
        Ok(Lane { flow: Flow { id, transport, local, remote }, home })
    }
}

/// Messages leave at once, and a peer that is gone without a word is noticed.
pub(crate) fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let keepalive = TcpKeepalive::new()
        .with_time(limits::KEEPALIVE_AFTER)
        .with_interval(limits::KEEPALIVE_GAP)
        .with_retries(limits::KEEPALIVE_PROBES);
    SockRef::from(stream).set_tcp_keepalive(&keepalive)
}

/// An IPv4 peer of a dual-stack listener is an IPv4 peer.
pub(crate) fn canonical(address: SocketAddr) -> SocketAddr {
    match address.ip().to_canonical() {
        ip @ IpAddr::V4(_) => SocketAddr::new(ip, address.port()),
        IpAddr::V6(_) => address,
    }
}

#[cfg(test)]
pub(crate) mod tests;
