//! The connections of the node: who may write on them, and how many there may be.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use stack::{Bytes, FlowId, Transport};
use tokio::sync::mpsc;

use crate::limits;

/// The flow of datagrams: all shards' sockets are one listener to the outside.
pub(crate) const DATAGRAMS: FlowId = FlowId(0);

/// What a connection's task is told.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// Write these bytes.
    Write(Bytes),
    /// Write what was ordered before, then close.
    Close,
}

/// All open connections.
#[derive(Debug)]
pub(crate) struct Flows {
    table: Mutex<Table>,
    max: usize,
    counts: Counts,
}

#[derive(Debug, Default)]
struct Table {
    open: HashMap<FlowId, Connection>,
    addresses: BTreeMap<IpAddr, Address>,
    transports: [usize; TRANSPORTS.len()],
    outgoing: usize,
    next: u64,
}

#[derive(Debug)]
struct Connection {
    orders: mpsc::Sender<Order>,
    transport: Transport,
    /// The address that it counts for; `None`: we made it.
    from: Option<IpAddr>,
    proven: bool,
}

/// What connections speak, in the order of [`FlowFigures::open`].
pub(crate) const TRANSPORTS: [Transport; 4] =
    [Transport::Tcp, Transport::Tls, Transport::Ws, Transport::Wss];

#[derive(Debug, Default)]
struct Address {
    connections: usize,
    unproven: usize,
}

/// Why there is no connection, or none any more. At once the metric label and the log field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shut {
    /// As many connections as the node takes.
    TooMany,
    /// As many connections as one address may have.
    TooManyFromAddress,
    /// As many connections as one address may have that never sent a whole message.
    TooManyUnproven,
    /// As many handshakes at a time as the node takes.
    TooManyHandshakes,
    /// The handshake of TLS or WebSocket failed.
    Handshake,
    /// The peer closed it.
    ByPeer,
    /// The stack wanted it closed.
    ByUs,
    /// What came on it was no SIP.
    Garbage,
    /// A message or a handshake did not get whole in time.
    Slow,
    /// Nothing came for too long.
    Idle,
    /// The peer does not read what we write.
    Stuck,
}

impl Shut {
    pub(crate) const ALL: [Shut; 11] = [
        Shut::TooMany,
        Shut::TooManyFromAddress,
        Shut::TooManyUnproven,
        Shut::TooManyHandshakes,
        Shut::Handshake,
        Shut::ByPeer,
        Shut::ByUs,
        Shut::Garbage,
        Shut::Slow,
        Shut::Idle,
        Shut::Stuck,
    ];

    pub(crate) fn label(self) -> &'static str {
        match self {
            Shut::TooMany => "too_many",
            Shut::TooManyFromAddress => "too_many_from_address",
            Shut::TooManyUnproven => "too_many_unproven",
            Shut::TooManyHandshakes => "too_many_handshakes",
            Shut::Handshake => "handshake",
            Shut::ByPeer => "by_peer",
            Shut::ByUs => "by_us",
            Shut::Garbage => "garbage",
            Shut::Slow => "slow",
            Shut::Idle => "idle",
            Shut::Stuck => "stuck",
        }
    }
}

#[derive(Debug, Default)]
struct Counts {
    accepted: AtomicU64,
    made: AtomicU64,
    unmade: AtomicU64,
    shut: [AtomicU64; Shut::ALL.len()],
}

/// The connections in figures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct FlowFigures {
    /// Open now, in the order of [`TRANSPORTS`].
    pub(crate) open: [usize; TRANSPORTS.len()],
    /// Accepted since the start.
    pub(crate) accepted: u64,
    /// Made by us since the start.
    pub(crate) made: u64,
    /// Wanted by us and not made.
    pub(crate) unmade: u64,
    /// Refused or ended since the start, in the order of [`Shut::ALL`].
    pub(crate) shut: [u64; Shut::ALL.len()],
}

impl Flows {
    /// No connections, at most `max`.
    pub(crate) fn new(max: usize) -> Flows {
        Flows { table: Mutex::default(), max, counts: Counts::default() }
    }

    /// A connection from this address: its number and its orders, or why it is not taken.
    pub(crate) fn open(
        &self,
        from: IpAddr,
        transport: Transport,
    ) -> Result<(FlowId, mpsc::Receiver<Order>), Shut> {
        let from = neighbourhood(from);
        let mut table = self.table();
        let address = table.addresses.get(&from);
        let (connections, unproven) = address.map_or((0, 0), |a| (a.connections, a.unproven));
        let refused = if table.open.len() >= self.max {
            Some(Shut::TooMany)
        } else if connections >= limits::CONNECTIONS_PER_ADDRESS {
            Some(Shut::TooManyFromAddress)
        } else if unproven >= limits::UNPROVEN_PER_ADDRESS {
            Some(Shut::TooManyUnproven)
        } else {
            None
        };
        if let Some(why) = refused {
            drop(table);
            self.count(why);
            return Err(why);
        }
        let address = table.addresses.entry(from).or_default();
        address.connections += 1;
        address.unproven += 1;
        self.counts.accepted.fetch_add(1, Ordering::Relaxed);
        Ok(table.add(transport, Some(from)))
    }

    /// A connection that we make; `None`: there are as many as there may be.
    pub(crate) fn make(&self, transport: Transport) -> Option<(FlowId, mpsc::Receiver<Order>)> {
        let mut table = self.table();
        if table.open.len() >= self.max || table.outgoing >= limits::OUTGOING_MAX {
            return None;
        }
        table.outgoing += 1;
        self.counts.made.fetch_add(1, Ordering::Relaxed);
        Some(table.add(transport, None))
    }

    /// A connection that we wanted was not made.
    pub(crate) fn not_made(&self) {
        self.counts.unmade.fetch_add(1, Ordering::Relaxed);
    }

    /// A whole message came on it.
    pub(crate) fn prove(&self, flow: FlowId) {
        let mut table = self.table();
        let Some(connection) = table.open.get_mut(&flow).filter(|c| !c.proven) else { return };
        connection.proven = true;
        let from = connection.from;
        if let Some(address) = from.and_then(|from| table.addresses.get_mut(&from)) {
            address.unproven -= 1;
        }
    }

    /// Writes on a connection. One whose queue is full is closed; one that is not there any more
    /// is no matter, its end was reported.
    pub(crate) fn write(&self, flow: FlowId, bytes: Bytes) {
        let orders = self.table().open.get(&flow).map(|c| c.orders.clone());
        let Some(orders) = orders else { return };
        if let Err(mpsc::error::TrySendError::Full(_)) = orders.try_send(Order::Write(bytes)) {
            // Its task sees the queue's end when it is through with what was ordered, and its
            // write timeout if that never happens.
            self.forget(flow, Shut::Stuck);
        }
    }

    /// Closes a connection after what was written.
    pub(crate) fn close(&self, flow: FlowId) {
        let orders = self.table().open.get(&flow).map(|c| c.orders.clone());
        let Some(orders) = orders else { return };
        if orders.try_send(Order::Close).is_err() {
            self.forget(flow, Shut::Stuck);
        }
    }

    /// A connection is over; counts only the first reason.
    pub(crate) fn forget(&self, flow: FlowId, why: Shut) {
        let mut table = self.table();
        let Some(connection) = table.open.remove(&flow) else { return };
        if let Some(open) = table.of(connection.transport) {
            *open -= 1;
        }
        match connection.from {
            None => table.outgoing -= 1,
            Some(from) => {
                if let Some(address) = table.addresses.get_mut(&from) {
                    address.connections -= 1;
                    address.unproven -= usize::from(!connection.proven);
                    if address.connections == 0 {
                        table.addresses.remove(&from);
                    }
                }
            }
        }
        drop(table);
        self.count(why);
    }

    /// The connections in figures.
    pub(crate) fn figures(&self) -> FlowFigures {
        let mut shut = [0; Shut::ALL.len()];
        for (figure, count) in shut.iter_mut().zip(&self.counts.shut) {
            *figure = count.load(Ordering::Relaxed);
        }
        FlowFigures {
            open: self.table().transports,
            accepted: self.counts.accepted.load(Ordering::Relaxed),
            made: self.counts.made.load(Ordering::Relaxed),
            unmade: self.counts.unmade.load(Ordering::Relaxed),
            shut,
        }
    }

    fn count(&self, why: Shut) {
        let at = Shut::ALL.iter().position(|s| *s == why);
        if let Some(count) = at.and_then(|at| self.counts.shut.get(at)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// No change is ever left half done, so poison means nothing.
    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn add(
        &mut self,
        transport: Transport,
        from: Option<IpAddr>,
    ) -> (FlowId, mpsc::Receiver<Order>) {
        let (orders, receiver) = mpsc::channel(limits::FLOW_QUEUE);
        self.next += 1;
        let flow = FlowId(DATAGRAMS.0 + self.next);
        // Whom we have called ourselves need not show what it speaks.
        let proven = from.is_none();
        self.open.insert(flow, Connection { orders, transport, from, proven });
        if let Some(open) = self.of(transport) {
            *open += 1;
        }
        (flow, receiver)
    }

    fn of(&mut self, transport: Transport) -> Option<&mut usize> {
        let at = TRANSPORTS.iter().position(|t| *t == transport)?;
        self.transports.get_mut(at)
    }
}

/// What counts as one address: of IPv6 the network that a site is given (RFC 6177), since within
/// it anybody has as many addresses as he likes.
fn neighbourhood(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    #[test]
    fn an_address_may_have_only_so_many_connections_that_have_shown_nothing() {
        let flows = Flows::new(limits::CONNECTIONS_MAX);
        let silent: Vec<_> = (0..limits::UNPROVEN_PER_ADDRESS)
            .map(|_| flows.open(HERE, Transport::Tcp).unwrap().0)
            .collect();
        assert_eq!(flows.open(HERE, Transport::Tcp).unwrap_err(), Shut::TooManyUnproven);
        assert!(
            flows.open([192, 0, 2, 1].into(), Transport::Tcp).is_ok(),
            "others are not concerned"
        );
        flows.prove(silent[0]);
        flows.prove(silent[0]);
        assert!(flows.open(HERE, Transport::Tcp).is_ok(), "one has shown that it speaks SIP");
        assert_eq!(flows.open(HERE, Transport::Tcp).unwrap_err(), Shut::TooManyUnproven);
        flows.forget(silent[0], Shut::ByPeer);
        assert_eq!(flows.open(HERE, Transport::Tcp).unwrap_err(), Shut::TooManyUnproven);
        flows.forget(silent[1], Shut::ByPeer);
        assert!(flows.open(HERE, Transport::Tcp).is_ok());
    }

    #[test]
    fn an_address_and_the_node_have_a_bound() {
        let flows = Flows::new(limits::CONNECTIONS_PER_ADDRESS + 1);
        for _ in 0..limits::CONNECTIONS_PER_ADDRESS {
            let (flow, _) = flows.open(HERE, Transport::Tcp).unwrap();
            flows.prove(flow);
        }
        assert_eq!(flows.open(HERE, Transport::Tcp).unwrap_err(), Shut::TooManyFromAddress);
        assert!(flows.open([192, 0, 2, 1].into(), Transport::Tcp).is_ok());
        assert_eq!(flows.open([192, 0, 2, 2].into(), Transport::Tcp).unwrap_err(), Shut::TooMany);
        assert_eq!(flows.figures().shut[..2], [1, 1]);
    }

    #[test]
    fn a_connection_whose_queue_is_full_is_closed() {
        let flows = Flows::new(10);
        let (flow, mut orders) = flows.open(HERE, Transport::Tcp).unwrap();
        for _ in 0..limits::FLOW_QUEUE + 5 {
            flows.write(flow, [1u8].as_slice().into());
        }
        let mut written = 0;
        while orders.try_recv().is_ok() {
            written += 1;
        }
        assert_eq!(written, limits::FLOW_QUEUE);
        assert!(orders.is_closed() || orders.try_recv().is_err());
        assert_eq!(flows.figures().open, [0; 4]);
        assert_eq!(flows.figures().shut[10], 1, "stuck");
    }

    #[test]
    fn numbers_of_connections_are_never_used_again() {
        let flows = Flows::new(10);
        let (first, _) = flows.open(HERE, Transport::Tcp).unwrap();
        flows.forget(first, Shut::ByPeer);
        flows.forget(first, Shut::Idle);
        let (second, _) = flows.open(HERE, Transport::Tcp).unwrap();
        assert!(second != first && first != DATAGRAMS);
        assert_eq!(flows.figures().shut.iter().sum::<u64>(), 1, "only the first reason counts");
    }

    #[test]
    fn an_ipv6_network_counts_as_one_address() {
        let flows = Flows::new(limits::CONNECTIONS_MAX);
        let of = |network: u16, host: u16| IpAddr::from([0x2001, 0xdb8, 0, network, 0, 0, 0, host]);
        for host in 0..limits::UNPROVEN_PER_ADDRESS {
            let host = u16::try_from(host).unwrap();
            flows.open(of(1, host), Transport::Tls).unwrap();
        }
        let refused = flows.open(of(1, 9_999), Transport::Wss).unwrap_err();
        assert_eq!(refused, Shut::TooManyUnproven);
        assert!(flows.open(of(2, 1), Transport::Wss).is_ok(), "the neighbour's network");
        assert_eq!(flows.figures().open, [0, limits::UNPROVEN_PER_ADDRESS, 0, 1]);
    }

    #[test]
    fn our_own_connections_have_a_bound_of_their_own() {
        let flows = Flows::new(limits::CONNECTIONS_MAX);
        let ours: Vec<_> =
            (0..limits::OUTGOING_MAX).map(|_| flows.make(Transport::Tls).unwrap().0).collect();
        assert!(flows.make(Transport::Tcp).is_none());
        assert!(flows.open(HERE, Transport::Tcp).is_ok(), "others are not concerned");
        flows.forget(ours[0], Shut::ByPeer);
        assert!(flows.make(Transport::Tcp).is_some());
    }
}
