//! Connections that the switch makes: to trunks over TCP and TLS.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use stack::{ConnectId, Flow, Transport};
use switch::Input;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;
use tracing::debug;

use crate::flows::Order;
use crate::letter::Letter;
use crate::patience::Patience;
use crate::streams::{Lane, Streams, canonical, prepare};
use crate::{framed, limits};

/// Makes connections. Each is a new one: none is shared between names, so that what was verified
/// for one peer never serves another.
#[derive(Clone)]
pub(crate) struct Connector {
    streams: Streams,
    /// Where its tasks run.
    runtime: Handle,
    room: Arc<Semaphore>,
    listening: Listening,
}

/// The ports at which peers find us, which our messages name whatever port a connection of ours
/// leaves from (RFC 3261 18.1.1).
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Listening {
    /// Of TCP.
    pub(crate) tcp: Option<u16>,
    /// Of TLS.
    pub(crate) tls: Option<u16>,
}

/// What is wanted.
#[derive(Debug)]
pub(crate) struct Wanted {
    /// The shard that asks.
    pub(crate) shard: usize,
    /// How it names the connection.
    pub(crate) connect: ConnectId,
    /// TCP or TLS.
    pub(crate) transport: Transport,
    /// To where.
    pub(crate) remote: SocketAddr,
    /// For TLS: the name that the certificate must be good for.
    pub(crate) name: Option<Box<str>>,
}

impl Connector {
    /// For tasks of `runtime`.
    pub(crate) fn new(streams: Streams, runtime: Handle, listening: Listening) -> Connector {
        let room = Arc::new(Semaphore::new(limits::CONNECTING_MAX));
        Connector { streams, runtime, room, listening }
    }

    /// Begins to connect; the shard hears of the outcome in any case, before the first message.
    pub(crate) fn connect(&self, wanted: Wanted) {
        let connector = self.clone();
        self.runtime.spawn(async move {
            let Wanted { shard, connect, remote, .. } = wanted;
            let made = match connector.room.clone().try_acquire_owned() {
                Ok(_room) => {
                    let made = timeout(limits::CONNECT_TIME, connector.make(&wanted)).await;
                    made.ok().flatten()
                }
                Err(_) => None,
            };
            let Some(made) = made else {
                debug!(%remote, "a connection was not made");
                connector.streams.flows.not_made();
                return connector.answer(shard, connect, None).await;
            };
            connector.answer(shard, connect, Some(made.lane.flow)).await;
            connector.serve(made).await;
        });
    }

    async fn answer(&self, shard: usize, connect: ConnectId, flow: Option<Flow>) {
        if let Some(post) = self.streams.posts.get(shard) {
            post.deliver(Letter::Input(Input::Connected { connect, flow })).await;
        }
    }

    async fn make(&self, wanted: &Wanted) -> Option<Made> {
        let stream = TcpStream::connect(wanted.remote).await.ok()?;
        prepare(&stream).ok()?;
        let local = canonical(stream.local_addr().ok()?);
        let (stream, port): (Box<dyn Stream>, _) = match wanted.transport {
            Transport::Tcp => (Box::new(stream), self.listening.tcp),
            Transport::Tls => {
                let name = wanted.name.as_deref();
                let stream = self.streams.tls.connect(stream, wanted.remote, name).await?;
                (Box::new(stream), self.listening.tls)
            }
            // Browsers come to us, never we to them.
            Transport::Udp | Transport::Ws | Transport::Wss => return None,
        };
        let local = SocketAddr::new(local.ip(), port.unwrap_or(local.port()));
        // Last, so that nothing has to be taken back.
        let (id, orders) = self.streams.flows.make(wanted.transport)?;
        let (transport, remote) = (wanted.transport, wanted.remote);
        let flow = Flow { id, transport, local, remote };
        Some(Made { lane: Lane { flow, home: wanted.shard }, stream, orders })
    }

    async fn serve(&self, made: Made) {
        let Made { lane, stream, orders } = made;
        let mut patience = Patience::new();
        patience.prove();
        let why = framed::serve(&self.streams, stream, lane, &mut patience, orders).await;
        let (id, remote) = (lane.flow.id, lane.flow.remote);
        debug!(flow = id.0, %remote, why = why.label(), "our connection closed");
        self.streams.over(id, why, true).await;
    }
}

/// A connection that stands.
struct Made {
    lane: Lane,
    stream: Box<dyn Stream>,
    orders: mpsc::Receiver<Order>,
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// The port of the first listener in the list that a peer of this kind can use.
pub(crate) fn port_of(listeners: &[SocketAddr]) -> Option<u16> {
    let reachable = |a: &&SocketAddr| !matches!(a.ip(), IpAddr::V4(ip) if ip.is_loopback());
    listeners.iter().find(reachable).or_else(|| listeners.first()).map(SocketAddr::port)
}

#[cfg(test)]
mod tests;
