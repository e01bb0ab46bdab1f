//! What goes into a [`Shard`](crate::Shard) and what comes out of it.

use core::ops::RangeInclusive;
use std::sync::Arc;

use crate::door::{DoorCounters, News};
use crate::outside::FoundHost;
use core::net::{IpAddr, SocketAddr};
use leg::{
    Alert, BindingChange, Command, MediaCommand, MediaEvent, Record, ReplacementChange, Reply,
    SavedCall, WrongPinCount,
};
use model::{Directory, NodeAddress, Snapshot, TenantId, TrunkId};
use stack::{Answer, Bytes, ConnectId, Flow, FlowId, LookupId, Transport};

/// Settings of one shard.
#[derive(Clone, Debug)]
pub struct ShardConfig {
    /// Which of `shards` this is, from 0.
    pub index: usize,
    /// How many there are; a tenant's shard is found by rendezvous hash.
    pub shards: usize,
    /// First half of every `call_api_id`.
    pub node: NodeAddress,
    /// Ports for RTP (even) and RTCP (odd) of this shard alone.
    pub rtp_ports: RangeInclusive<u16>,
    /// Settings of the SIP endpoint.
    pub stack: stack::Config,
}

/// Something for a shard to handle.
#[derive(Debug)]
pub enum Input {
    /// One SIP message: a datagram, or what the framing of a stream cut out.
    Received {
        /// Where it came from.
        flow: Flow,
        /// Its bytes.
        bytes: Vec<u8>,
    },
    /// What another shard of this node read or noticed, for this one.
    HandedOver(Box<HandOver>),
    /// A connection is gone. Given to every shard.
    FlowClosed(FlowId),
    /// The answer to [`Effect::Resolve`]; see [`stack::Input::Resolved`].
    Resolved {
        /// Which question.
        lookup: LookupId,
        /// Where the host is.
        answer: Answer,
    },
    /// The answer to [`Effect::Connect`]; see [`stack::Input::Connected`].
    Connected {
        /// Which connection was asked for.
        connect: ConnectId,
        /// The connection, if it could be made.
        flow: Option<Flow>,
    },
    /// Media noticed something.
    Media(TenantId, MediaEvent),
    /// A program asks something; answered by [`Effect::Reply`] with the same ticket, always.
    Command {
        /// Whose calls.
        tenant: TenantId,
        /// Given back with the answer.
        ticket: Ticket,
        /// What is asked.
        command: Command,
    },
    /// A tenant's configuration is new; a tenant not known yet begins here. Answered by
    /// [`Effect::Reply`] with [`Reply::Done`] when a ticket is given.
    Snapshot {
        /// The configuration.
        snapshot: Arc<Snapshot>,
        /// Given back with the answer.
        ticket: Option<Ticket>,
    },
    /// Logins, tenants and keys have changed. Given to every shard, before the snapshots.
    Directory(Arc<Directory>),
    /// What the journal knew of a tenant at the start, after its snapshot: registrations are
    /// there again; calls that were up end with [`model::EndReason::Restart`].
    Restore {
        /// Whose.
        tenant: TenantId,
        /// Live registrations.
        bindings: Vec<BindingChange>,
        /// Calls that were up.
        calls: Vec<SavedCall>,
        /// Extensions that served each other.
        replaced: Vec<ReplacementChange>,
        /// Wrong PINs that may count still.
        wrong_pins: Vec<WrongPinCount>,
    },
    /// An operator lifts the ban of this address. Given to every shard.
    LiftBan(IpAddr),
    /// The tenant is gone: its calls end, its registrations are forgotten.
    RemoveTenant(TenantId),
    /// The journal takes nothing (`true`), or takes records again (`false`): new calls get 503
    /// meanwhile, running calls go on. A draining switch stays closed.
    JournalFull(bool),
    /// The switch is stopping: new calls get 503 with Retry-After, running calls go on.
    Drain,
    /// The limit for running calls has passed: end them all.
    EndAll,
    /// The deadline has come.
    Tick,
}

/// Names a request of the outside until its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// What one shard passes to another.
#[derive(Debug)]
pub enum HandOver {
    /// A message for a tenant that lives there.
    Message {
        /// Whose it is.
        tenant: TenantId,
        /// The trunk that calls the tenant by it, and the number that it calls.
        call: Option<(TrunkId, Box<str>)>,
        /// The shard that read it.
        reader: usize,
        /// Where it came from.
        flow: Flow,
        /// The parsed message.
        message: sip::Message,
    },
    /// To the reader: the INVITE with this Call-ID was let in.
    InviteTaken {
        /// Whose it is.
        tenant: TenantId,
        /// The Call-ID.
        call_id: Arc<str>,
    },
    /// To the reader: the INVITE with this Call-ID is done, its pending entry can go.
    InviteGone {
        /// The Call-ID.
        call_id: Arc<str>,
    },
    /// Where a host of a trunk is. Lost, its calls are let in after the next look-up.
    FoundHost(Arc<FoundHost>),
    /// What the door of one shard tells that of another. Lost, a source is counted as a stranger
    /// a little longer, or banned a little later.
    News(Arc<[News]>),
}

/// Something that a shard wants done. In order.
///
/// All [`Effect::Record`]s of one [`Shard::handle`](crate::Shard::handle) are one journal record,
/// and no other effect of that call may leave before the record's `write()` has returned, but for
/// last words, which leave before it: see [`last_words_first`](crate::last_words_first).
#[derive(Debug)]
pub enum Effect {
    /// Send one SIP message.
    Send {
        /// On which flow.
        flow: Flow,
        /// The message.
        bytes: Bytes,
    },
    /// Close a connection: its peer broke the rules.
    CloseFlow(FlowId),
    /// Find out where a host is; see [`stack::Effect::Resolve`].
    Resolve {
        /// Given back with the answer.
        lookup: LookupId,
        /// A host name.
        host: Box<str>,
        /// The port, if it is known.
        port: Option<u16>,
        /// How it shall be spoken to.
        transport: Transport,
    },
    /// Make a connection; see [`stack::Effect::Connect`].
    Connect {
        /// Given back with the answer.
        connect: ConnectId,
        /// UDP, TCP or TLS.
        transport: Transport,
        /// To where.
        remote: SocketAddr,
        /// For TLS: the name that the certificate must be good for.
        name: Option<Box<str>>,
    },
    /// Give this to another shard; when its ring is full it is dropped and counted.
    HandOver {
        /// Which shard.
        to: usize,
        /// What.
        what: Box<HandOver>,
    },
    /// For the media thread of the tenant.
    Media {
        /// Whose legs.
        tenant: TenantId,
        /// What media shall do.
        command: MediaCommand,
    },
    /// Part of this step's journal record.
    Record(Record),
    /// Tell the operators.
    Alert {
        /// Whose call it was.
        tenant: TenantId,
        /// What.
        alert: Alert,
    },
    /// The answer to a request.
    Reply {
        /// Which request.
        ticket: Ticket,
        /// The answer.
        reply: Reply,
    },
}

/// What a shard holds at the moment, for metrics and leak checks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gauges {
    /// Tenants.
    pub tenants: usize,
    /// Calls.
    pub calls: usize,
    /// Legs.
    pub legs: usize,
    /// Registered contacts.
    pub bindings: usize,
    /// SIP transactions.
    pub transactions: usize,
    /// SIP dialogs.
    pub dialogs: usize,
    /// RTP ports in use.
    pub ports_taken: usize,
    /// Timers of calls and of the endpoint.
    pub timers: usize,
    /// Entries of the pending table.
    pub pending: usize,
    /// Our registrations with trunks that stand.
    pub trunks_registered: usize,
    /// Those that do not.
    pub trunks_missing: usize,
}

/// What a shard has counted since it began, for metrics. Rising only.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// What the door has let in, answered and dropped.
    pub door: DoorCounters,
    /// What the SIP endpoint has counted.
    pub stack: stack::Counters,
    /// Messages of no tenant: challenged, answered without state, or dropped.
    pub strangers: u64,
    /// Messages handed to another shard.
    pub handed_over: u64,
    /// Calls that a defect ended.
    pub panics: u64,
    /// Saved calls that could not be read back.
    pub unreadable: u64,
    /// Legs by the reason of their end.
    pub ended: EndCounts,
    /// Alerts, in the order of [`leg::AlertCause::ALL`].
    pub alerts: [u64; leg::AlertCause::ALL.len()],
}

/// How many legs have ended for each reason, in the order of [`model::EndReason::ALL`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndCounts(pub [u64; model::EndReason::ALL.len()]);

impl Default for EndCounts {
    fn default() -> EndCounts {
        EndCounts([0; model::EndReason::ALL.len()])
    }
}
