//! What all parts of the endpoint share, and one turn of work on it.

mod turn;

use core::cell::Cell;
use core::net::SocketAddr;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use leg::{LegId, Package};
use model::{Chance, Directory, ExtensionId, Now, Number, TenantId, TenantKey};
use sip::{Host, Line, Message, Method, Value};

use crate::counters::Counters;
use crate::enrol::Enrolment;
use crate::fingerprint::{Fingerprint, Fingerprints, Table};
use crate::flows::FlowUsers;
use crate::interface::{Bytes, Config, Effect, Flow, FlowId};
use crate::names::Names;
use crate::nonce::Nonces;
use crate::registrar::Registrar;
use crate::timers::Timers;
use crate::transaction::{Initial, Purpose, TransactionId, Transactions};
use crate::watch::Watch;
use crate::ways::{Bad, Ways};

/// Methods that we take, as Allow tells them.
pub(crate) const ALLOW: &str =
    "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE, PRACK, REGISTER, REFER, SUBSCRIBE";
/// Event packages that are granted to somebody, as Allow-Events tells them.
pub(crate) const ALLOW_EVENTS: &str = "dialog, message-summary, refer";
/// Option tags that we understand, wherever a request may require them.
pub(crate) const OPTIONS: [&str; 5] = ["path", "100rel", "timer", "replaces", "norefersub"];
/// The same as Supported tells them.
pub(crate) const SUPPORTED: &str = "path, 100rel, timer, replaces, norefersub";
/// Those that a dialog may make use of.
pub(crate) const SUPPORTED_IN_DIALOG: &str = "100rel, timer, replaces, norefersub";

/// Names a leg on this endpoint.
pub(crate) type LegKey = (TenantId, LegId);

/// Everything of the endpoint but its legs.
pub(crate) struct Core {
    pub(crate) config: Config,
    pub(crate) chance: Chance,
    pub(crate) directory: Arc<Directory>,
    pub(crate) timers: Timers,
    pub(crate) transactions: Transactions,
    pub(crate) flows: FlowUsers,
    pub(crate) prints: Fingerprints,
    pub(crate) nonces: Nonces,
    pub(crate) registrars: BTreeMap<TenantId, Registrar>,
    pub(crate) counters: Counters,
    /// Legs by the fingerprint of our tag.
    pub(crate) by_tag: Table<LegKey>,
    /// How many legs came in so far: the number of the next one.
    pub(crate) incoming: u64,
    /// INVITEs outside a dialog get 503.
    pub(crate) draining: bool,
    /// Where the names of trunks lead.
    pub(crate) names: Names,
    /// Connections to trunks.
    pub(crate) ways: Ways,
    /// Hosts of trunks that failed lately.
    pub(crate) bad: Bad,
    /// What messages are written in, one after the other.
    paper: Cell<Vec<u8>>,
    /// Tenants that live here.
    pub(crate) homes: BTreeSet<TenantId>,
    /// Phones that may call for help and nothing else.
    pub(crate) blocked: BTreeSet<(TenantId, ExtensionId)>,
    /// What is kept of their trunks besides calls.
    pub(crate) enrolments: BTreeMap<LegKey, Box<Enrolment>>,
    /// Subscriptions of phones.
    pub(crate) watches: BTreeMap<LegKey, Box<Watch>>,
    /// The same by the fingerprint of our tag.
    pub(crate) watch_tags: Table<LegKey>,
    /// The same by what is watched.
    pub(crate) lamps: BTreeMap<(TenantId, Package, Number), BTreeSet<LegKey>>,
    /// How many there were so far.
    pub(crate) subscribed: u64,
    /// Effects of loading, until the next input.
    pub(crate) queued: Vec<Effect>,
    /// Datagram sockets that a message was seen of, by their address.
    sockets: Vec<(SocketAddr, FlowId)>,
    /// Makes the next handling of a leg panic: what a defect would do.
    #[cfg(test)]
    pub(crate) trip: bool,
}

/// One turn: the shared parts, the moment, and where effects go.
pub(crate) struct Turn<'a> {
    pub(crate) core: &'a mut Core,
    pub(crate) now: Now,
    pub(crate) effects: &'a mut Vec<Effect>,
}

/// What the user of a transaction is to be told after a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// Nothing.
    Nothing,
    /// The message at hand.
    Message,
    /// No answer came.
    TimedOut,
    /// The way to the peer is gone.
    Unreachable,
}

impl Core {
    /// Without legs, registrations and transactions.
    pub(crate) fn new(config: Config, mut chance: Chance) -> Core {
        Core {
            prints: Fingerprints::new(&mut chance),
            nonces: Nonces::new(&config.nonce_key),
            config,
            chance,
            directory: Arc::default(),
            timers: Timers::default(),
            transactions: Transactions::default(),
            flows: FlowUsers::default(),
            registrars: BTreeMap::new(),
            counters: Counters::default(),
            by_tag: Table::default(),
            incoming: 0,
            draining: false,
            names: Names::default(),
            ways: Ways::default(),
            bad: Bad::default(),
            paper: Cell::default(),
            homes: BTreeSet::new(),
            blocked: BTreeSet::new(),
            enrolments: BTreeMap::new(),
            watches: BTreeMap::new(),
            watch_tags: Table::default(),
            lamps: BTreeMap::new(),
            subscribed: 0,
            queued: Vec::new(),
            sockets: Vec::new(),
            #[cfg(test)]
            trip: false,
        }
    }

    /// An empty buffer to write a message in; comes back with [`Core::sealed`].
    pub(crate) fn paper(&self) -> Vec<u8> {
        self.paper.take()
    }

    /// A message that was written, to be sent as often as needed.
    pub(crate) fn sealed(&self, mut written: Vec<u8>) -> Bytes {
        let bytes = Bytes::from(written.as_slice());
        written.clear();
        self.paper.set(written);
        bytes
    }

    /// Notes the number of a datagram socket.
    pub(crate) fn see(&mut self, flow: &Flow) {
        if flow.transport.is_reliable() || flow.id == FlowId::BY_ADDRESS {
            return;
        }
        // A node listens on a handful of addresses; the bound is against its mistakes.
        let room = self.sockets.len() < 64;
        match self.sockets.iter_mut().find(|(local, _)| *local == flow.local) {
            Some((_, id)) => *id = flow.id,
            None if room => self.sockets.push((flow.local, flow.id)),
            None => {}
        }
    }

    /// The flow with the number of its socket, as far as that is known.
    fn resolved(&self, flow: Flow) -> Flow {
        if flow.id != FlowId::BY_ADDRESS {
            return flow;
        }
        let known = self.sockets.iter().find(|(local, _)| *local == flow.local);
        known.map_or(flow, |(_, id)| Flow { id: *id, ..flow })
    }

    /// The address that a peer on this flow reaches us at.
    pub(crate) fn address(&self, flow: &Flow) -> SocketAddr {
        let local = flow.local.ip();
        let public = self.config.public_address.and_then(|public| public.beside(local));
        SocketAddr::new(public.unwrap_or(local), flow.local.port())
    }

    /// Our Contact on a flow.
    pub(crate) fn contact<'a>(&self, flow: &Flow, tag: &'a str) -> impl Value + use<'a> {
        let (address, transport) = (self.address(flow), flow.transport);
        move |line: &mut Line<'_>| {
            line.value(["<sip:", tag, "@"]).host_port(address);
            if transport.is_reliable() {
                line.value([";transport=", transport.uri_parameter()]);
            }
            line.text(">");
        }
    }

    /// Our Via on a flow.
    pub(crate) fn via<'a>(&self, flow: &Flow, branch: &'a str) -> impl Value + use<'a> {
        let (address, transport) = (self.address(flow), flow.transport.as_str());
        move |line: &mut Line<'_>| {
            line.value(["SIP/2.0/", transport, " "]).host_port(address);
            line.value([";rport;branch=", branch]);
        }
    }

    /// What tags and branches of a tenant carry; `None`: the tenant has gone.
    pub(crate) fn key_of(&self, tenant: TenantId) -> Option<TenantKey> {
        self.directory.tenants.get(&tenant).map(|t| t.key)
    }

    /// Under what a client transaction is found: RFC 3261 17.1.3.
    pub(crate) fn client_key(&self, branch: &str, method: Method) -> Fingerprint {
        self.prints.of(&[b"client", branch.as_bytes(), method.as_str().as_bytes()])
    }

    /// Under what a server transaction is found: RFC 3261 17.2.3. `method` is INVITE for ACK and
    /// for what CANCEL looks for.
    pub(crate) fn server_key(&self, request: &Message, method: &str) -> Option<Fingerprint> {
        let via = request.top_via().ok()?;
        let (name, v4, v6);
        let host = match via.host {
            Host::Name(text) => {
                name = lower_case(text);
                name.as_bytes()
            }
            Host::V4(ip) => {
                v4 = ip.octets();
                &v4
            }
            Host::V6(ip) => {
                v6 = ip.octets();
                &v6[..]
            }
        };
        let port = via.port_or_default().to_be_bytes();
        if let Some(branch) = via.branch.filter(|_| via.has_rfc3261_branch()) {
            let kind = if via.host.ip().is_some() { b"server at" } else { b"server of" };
            let parts = [&kind[..], branch.as_bytes(), host, &port, method.as_bytes()];
            return Some(self.prints.of(&parts));
        }
        // Of before RFC 3261: the branch need not be unique. The To tag is left out, since an ACK
        // carries ours.
        let parts = [
            b"2543",
            request.call_id().ok()?.as_bytes(),
            request.from_tag().unwrap_or("").as_bytes(),
            &request.cseq().ok()?.number.to_be_bytes(),
            via.raw,
            method.as_bytes(),
        ];
        Some(self.prints.of(&parts))
    }

    /// Whether a transaction is of an INVITE of ours outside a dialog.
    pub(crate) fn is_invite(&self, id: TransactionId) -> bool {
        self.transactions.get(id).is_some_and(|t| t.purpose == Purpose::Invite)
    }

    /// What is to be known of an INVITE outside a dialog.
    pub(crate) fn initial(&self, request: &Message) -> Option<Initial> {
        let call_id = request.call_id().ok()?;
        Some(Initial {
            call_id: call_id.into(),
            call: self.prints.of(&[b"call", call_id.as_bytes()]),
            origin: self.origin_key(request)?,
        })
    }

    /// What makes two INVITEs one, whatever way they came: RFC 3261 8.2.2.2.
    pub(crate) fn origin_key(&self, request: &Message) -> Option<Fingerprint> {
        let cseq = request.cseq().ok()?.number.to_be_bytes();
        let from = request.from_tag().unwrap_or("");
        let call_id = request.call_id().ok()?;
        Some(self.prints.of(&[b"origin", call_id.as_bytes(), from.as_bytes(), &cseq]))
    }

    /// Under what a leg is found by our tag.
    pub(crate) fn tag_key(&self, tag: &str) -> Fingerprint {
        self.prints.of(&[b"tag", tag.as_bytes()])
    }
}

/// A host name as it is compared.
fn lower_case(name: &str) -> Cow<'_, str> {
    if name.bytes().any(|b| b.is_ascii_uppercase()) {
        Cow::Owned(name.to_ascii_lowercase())
    } else {
        Cow::Borrowed(name)
    }
}

impl Turn<'_> {}
