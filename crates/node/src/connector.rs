//! Connections that the switch makes: to trunks over TCP and TLS.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::Arc;

use stack::{ConnectId, Flow, Transport};
use switch::Input;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;
use tracing::debug;

use crate::flows::{DATAGRAMS, Order};
use crate::letter::Letter;
use crate::patience::Patience;
use crate::ports::SipAddresses;
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
    /// Where peers find us, which our messages name whatever port a connection of ours leaves from
    /// (RFC 3261 18.1.1).
    listening: Arc<SipAddresses>,
}

/// What is wanted.
#[derive(Debug)]
pub(crate) struct Wanted {
    /// The shard that asks.
    pub(crate) shard: usize,
    /// How it names the connection.
    pub(crate) connect: ConnectId,
    /// UDP, TCP or TLS.
    pub(crate) transport: Transport,
    /// To where.
    pub(crate) remote: SocketAddr,
    /// For TLS: the name that the certificate must be good for.
    pub(crate) name: Option<Box<str>>,
}

impl Connector {
    /// For tasks of `runtime`.
    pub(crate) fn new(
        streams: Streams,
        runtime: Handle,
        listening: Arc<SipAddresses>,
    ) -> Connector {
        let room = Arc::new(Semaphore::new(limits::CONNECTING_MAX));
        Connector { streams, runtime, room, listening }
    }

    /// Begins to connect; the shard hears of the outcome in any case, before the first message.
    pub(crate) fn connect(&self, wanted: Wanted) {
        let connector = self.clone();
        self.runtime.spawn(async move {
            let Wanted { shard, connect, remote, .. } = wanted;
            if wanted.transport == Transport::Udp {
                let flow = connector.datagrams(remote);
                return connector.answer(shard, connect, flow).await;
            }
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

    /// How datagrams to a peer leave: nothing is made for them.
    fn datagrams(&self, remote: SocketAddr) -> Option<Flow> {
        // The routing table knows from where; nothing is sent by connecting.
        let any: IpAddr = match remote {
            SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let socket = UdpSocket::bind((any, 0)).ok()?;
        socket.connect(remote).ok()?;
        let routed = canonical(socket.local_addr().ok()?).ip();
        let bound = serving(&self.listening.plain, routed)?;
        let ip = if bound.ip().is_unspecified() { routed } else { bound.ip() };
        let local = SocketAddr::new(ip, bound.port());
        Some(Flow { id: DATAGRAMS, transport: Transport::Udp, local, remote })
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
        let (stream, listening): (Box<dyn Stream>, _) = match wanted.transport {
            Transport::Tcp => (Box::new(stream), &self.listening.plain),
            Transport::Tls => {
                let name = wanted.name.as_deref();
                let stream = self.streams.tls.connect(stream, wanted.remote, name).await?;
                (Box::new(stream), &self.listening.tls)
            }
            // Browsers come to us, never we to them.
            Transport::Udp | Transport::Ws | Transport::Wss => return None,
        };
        let port = serving(listening, local.ip()).map_or(local.port(), |at| at.port());
        let local = SocketAddr::new(local.ip(), port);
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

/// The listener at which one of our addresses is served: its own, else one for every address, else
/// any of its family.
fn serving(listeners: &[SocketAddr], local: IpAddr) -> Option<SocketAddr> {
    let own = |at: &&SocketAddr| at.ip() == local;
    let every = |at: &&SocketAddr| at.ip().is_unspecified() && (at.is_ipv6() || local.is_ipv4());
    let family = |at: &&SocketAddr| at.is_ipv4() == local.is_ipv4();
    let find = |wanted: &dyn Fn(&&SocketAddr) -> bool| listeners.iter().find(wanted).copied();
    find(&own).or_else(|| find(&every)).or_else(|| find(&family))
}

#[cfg(test)]
mod tests;
