//! A shard's thread: a plain loop of inputs, journal, effects.

use std::collections::BTreeMap;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use leg::{Record, Reply};
use model::{Mono, Now};
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use stack::{Flow, Transport};
use switch::{Ban, Counters, Effect, Gauges, Input, Ticket};
use tokio::sync::oneshot;
use tracing::{error, warn};

use crate::connector::{Connector, Wanted};
use crate::flows::{DATAGRAMS, Flows};
use crate::inbox::{Inbox, Post};
use crate::journal::Journal;
use crate::letter::{Letter, LoopCounts, Report};
use crate::lookups::{Asked, Lookups};
use crate::mailbox::Mailbox;
use crate::sip_socket::SipSocket;
use crate::{clock, limits, turns};

mod gathering;

use gathering::Gathering;

/// What a shard's thread drives: [`switch::Shard`], or a test's stand-in.
pub(crate) trait Machine: Send + 'static {
    /// One input; effects are appended in the order in which they shall be carried out.
    fn handle(&mut self, now: Now, input: Input, effects: &mut Vec<Effect>);
    /// When [`Input::Tick`] is due.
    fn deadline(&self) -> Option<Mono>;
    /// What it holds.
    fn gauges(&self) -> Gauges;
    /// What it has counted.
    fn counters(&self) -> Counters;
    /// Who is banned.
    fn bans(&self, now: Now) -> Vec<Ban>;
    /// How many sources are known.
    fn known_sources(&self) -> usize;
}

impl Machine for switch::Shard {
    fn handle(&mut self, now: Now, input: Input, effects: &mut Vec<Effect>) {
        switch::Shard::handle(self, now, input, effects);
    }

    fn deadline(&self) -> Option<Mono> {
        switch::Shard::deadline(self)
    }

    fn gauges(&self) -> Gauges {
        switch::Shard::gauges(self)
    }

    fn counters(&self) -> Counters {
        switch::Shard::counters(self)
    }

    fn bans(&self, now: Now) -> Vec<Ban> {
        switch::Shard::bans(self, now)
    }

    fn known_sources(&self) -> usize {
        switch::Shard::known_sources(self)
    }
}

/// What a shard's thread is made of.
pub(crate) struct Parts<M> {
    /// Which shard.
    pub(crate) index: usize,
    /// What it drives.
    pub(crate) machine: M,
    /// Its sockets, bound: one for each address, at least one.
    pub(crate) sockets: Vec<UdpSocket>,
    /// Its queue.
    pub(crate) inbox: Inbox<Letter>,
    /// All shards' queues, its own among them.
    pub(crate) posts: Arc<[Post<Letter>]>,
    /// The connections.
    pub(crate) flows: Arc<Flows>,
    /// Makes connections.
    pub(crate) connector: Connector,
    /// Asks the name system.
    pub(crate) lookups: Lookups,
    /// The media thread of its tenants.
    pub(crate) media: Arc<Mailbox>,
    /// Its journal.
    pub(crate) journal: Journal,
}

/// Starts the thread. It ends with [`Letter::Stop`].
pub(crate) fn start<M: Machine>(parts: Parts<M>) -> io::Result<JoinHandle<()>> {
    let name = format!("shard-{}", parts.index);
    thread::Builder::new().name(name).spawn(move || {
        turns::shorten();
        match ShardLoop::new(parts) {
            Ok(shard) => shard.run(),
            Err(error) => error!(%error, "a shard cannot read its socket"),
        }
    })
}

/// Tokens of what is waited on; a socket's is its place in the list, and then this.
const BELL: u64 = 0;
const SOCKET: u64 = 1;

struct ShardLoop<M> {
    index: usize,
    machine: M,
    epoll: Epoll,
    sockets: Vec<SipSocket>,
    inbox: Inbox<Letter>,
    posts: Arc<[Post<Letter>]>,
    flows: Arc<Flows>,
    connector: Connector,
    lookups: Lookups,
    media: Arc<Mailbox>,
    journal: Journal,
    /// What one input brought.
    fresh: Vec<Effect>,
    /// Its records.
    records: Vec<Record>,
    /// What the batch brought, records apart.
    outgoing: Vec<Effect>,
    /// What of it leaves before the records are written.
    last_words: Vec<Effect>,
    /// Datagrams of the batch.
    datagrams: Vec<Input>,
    tickets: BTreeMap<Ticket, oneshot::Sender<Reply>>,
    next_ticket: u64,
    counts: LoopCounts,
    /// Since when something waits for the media thread.
    media_waits: Option<Mono>,
    gathering: Gathering,
    stop: bool,
}

impl<M: Machine> ShardLoop<M> {
    fn new(parts: Parts<M>) -> io::Result<ShardLoop<M>> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        let sockets: io::Result<_> = parts.sockets.into_iter().map(SipSocket::new).collect();
        epoll.add(parts.inbox.bell(), EpollEvent::new(EpollFlags::EPOLLIN, BELL))?;
        Ok(ShardLoop {
            index: parts.index,
            machine: parts.machine,
            epoll,
            sockets: sockets?,
            inbox: parts.inbox,
            posts: parts.posts,
            flows: parts.flows,
            connector: parts.connector,
            lookups: parts.lookups,
            media: parts.media,
            journal: parts.journal,
            fresh: Vec::new(),
            records: Vec::new(),
            outgoing: Vec::new(),
            last_words: Vec::new(),
            datagrams: Vec::new(),
            tickets: BTreeMap::new(),
            next_ticket: 0,
            counts: LoopCounts::default(),
            media_waits: None,
            gathering: Gathering::new(clock::mono()),
            stop: false,
        })
    }

    fn run(mut self) {
        let mut events = [EpollEvent::empty(); 1 + limits::LISTENERS_MAX];
        while !self.stop {
            let (rung, readable) = match self.gather() {
                Some(true) => (true, Readable::default()),
                Some(false) => (false, Readable::first(self.sockets.len())),
                None => self.wait(&mut events),
            };
            if rung {
                self.inbox.bell().hush();
            }
            self.round(readable);
        }
        let lost_bytes = self.journal.finish();
        if lost_bytes > 0 {
            error!(shard = self.index, lost_bytes, "the disk has not taken the last records");
        }
    }

    /// Sleeps until something is to be done. Says whether the bell has rung.
    fn wait(&self, events: &mut [EpollEvent]) -> (bool, Readable) {
        let ready = match self.epoll.wait(events, self.timeout()) {
            Ok(ready) => ready,
            Err(nix::errno::Errno::EINTR) => 0,
            Err(error) => {
                error!(shard = self.index, %error, "a shard cannot wait for its socket");
                thread::sleep(limits::ACCEPT_PAUSE);
                0
            }
        };
        let ready = events.get(..ready).unwrap_or_default();
        (ready.iter().any(|event| event.data() == BELL), Readable::of(ready))
    }

    /// Lets datagrams gather, if they come closely; `None`: they do not. Only the bell is heard
    /// meanwhile, and `Some` says whether it has rung.
    fn gather(&self) -> Option<bool> {
        let rest = self.gathering.rest(clock::mono()).filter(|_| self.inbox.is_empty())?;
        let mut bell = [PollFd::new(self.inbox.bell().as_fd(), PollFlags::POLLIN)];
        // A signal may end it early, which costs nothing.
        let rung = ppoll(&mut bell, Some(rest.into()), None);
        Some(rung.is_ok_and(|rung| rung > 0))
    }

    fn timeout(&self) -> EpollTimeout {
        if !self.inbox.is_empty() {
            return EpollTimeout::ZERO;
        }
        let media = self.media_waits.map(|since| since + limits::MEDIA_SOON);
        let deadlines = [self.machine.deadline(), self.journal.deadline(), media];
        let deadline = deadlines.into_iter().flatten().min();
        let left = clock::wait_ms(clock::mono(), deadline, limits::SLEEP_MS_MAX);
        // What is due is done at once; what will be waits for others that are due soon too.
        EpollTimeout::from(if left == 0 { 0 } else { left.max(limits::TIMERS_TOGETHER_MS) })
    }

    /// One batch: take what waits, handle it, say the last words, write it down, carry it out.
    fn round(&mut self, readable: Readable) {
        let now = clock::now();
        if self.machine.deadline().is_some_and(|at| at <= now.mono) {
            self.handle(now, Input::Tick);
        }
        for _ in 0..limits::QUEUE_ROUND {
            let Some(letter) = self.inbox.next() else { break };
            self.open(now, letter);
        }
        self.read_sockets(now, readable);
        self.say_last_words();
        if let Some(is_full) = self.journal.commit(now.mono) {
            self.handle(now, Input::JournalFull(is_full));
            self.say_last_words();
            self.journal.commit(now.mono);
        }
        self.carry_out();
        self.remind_media(now.mono);
    }

    /// Wakes the media thread for what no packet has woken it for.
    fn remind_media(&mut self, now: Mono) {
        self.media_waits = match self.media_waits {
            _ if !self.media.hurries() => None,
            Some(since) if now.since(since) >= limits::MEDIA_SOON => {
                self.media.ring();
                None
            }
            waits => waits.or(Some(now)),
        };
    }

    /// What must not be lost between the write and the socket leaves before the write.
    fn say_last_words(&mut self) {
        core::mem::swap(&mut self.outgoing, &mut self.last_words);
        self.carry_out();
        core::mem::swap(&mut self.outgoing, &mut self.last_words);
    }

    fn open(&mut self, now: Now, letter: Letter) {
        match letter {
            Letter::Input(input) => self.handle(now, input),
            Letter::Command { tenant, command, reply } => {
                if let Some(ticket) = self.ticket(reply) {
                    self.handle(now, Input::Command { tenant, ticket, command });
                }
            }
            Letter::Snapshot { snapshot, reply } => {
                let ticket = self.ticket(reply);
                self.handle(now, Input::Snapshot { snapshot, ticket });
            }
            Letter::Report(reply) => {
                let report = Report {
                    gauges: self.machine.gauges(),
                    counters: self.machine.counters(),
                    known_sources: self.machine.known_sources(),
                    banned_sources: self.machine.bans(now).len(),
                    lost: self.counts,
                    socket: self.sockets.iter().map(SipSocket::counts).sum(),
                };
                // Who asked may have stopped waiting.
                let _ = reply.send(report);
            }
            Letter::Bans(reply) => {
                // Who asked may have stopped waiting.
                let _ = reply.send(self.machine.bans(now));
            }
            Letter::Listen => {
                for (token, socket) in (SOCKET..).zip(&self.sockets) {
                    let event = EpollEvent::new(EpollFlags::EPOLLIN, token);
                    if let Err(error) = self.epoll.add(socket, event) {
                        error!(shard = self.index, %error, "a shard cannot read its socket");
                    }
                }
            }
            Letter::Stop => self.stop = true,
        }
    }

    /// A ticket for an answer; `None`: too many are awaited, and the asker is told by the drop.
    fn ticket(&mut self, reply: oneshot::Sender<Reply>) -> Option<Ticket> {
        if self.tickets.len() >= limits::TICKETS_MAX {
            self.tickets.retain(|_, reply| !reply.is_closed());
        }
        if self.tickets.len() >= limits::TICKETS_MAX {
            self.counts.commands_refused += 1;
            return None;
        }
        self.next_ticket += 1;
        let ticket = Ticket(self.next_ticket);
        self.tickets.insert(ticket, reply);
        Some(ticket)
    }

    fn read_sockets(&mut self, now: Now, readable: Readable) {
        if readable.is_empty() {
            return;
        }
        let (mut datagrams, mut left_some) = (0, false);
        for at in readable {
            let read = self.read_socket(now, at);
            datagrams += read;
            left_some |= read >= limits::UDP_ROUND;
        }
        self.gathering.took(now.mono, datagrams, left_some);
    }

    /// Handles what one socket has, up to a bound. Says how many datagrams it was.
    fn read_socket(&mut self, now: Now, at: usize) -> usize {
        let mut all = 0;
        while all < limits::UDP_ROUND {
            let datagrams = &mut self.datagrams;
            let Some(socket) = self.sockets.get_mut(at) else { break };
            let read = socket.receive(|datagram| {
                let flow = Flow {
                    id: DATAGRAMS,
                    transport: Transport::Udp,
                    local: datagram.local,
                    remote: datagram.remote,
                };
                // Phones keep their NAT open with less than four bytes (RFC 5626 4.4.1, and zeros).
                if datagram.bytes.len() > 4 {
                    let bytes = datagram.bytes.to_vec();
                    datagrams.push(Input::Received { flow, bytes });
                }
            });
            let mut datagrams = core::mem::take(&mut self.datagrams);
            for input in datagrams.drain(..) {
                self.handle(now, input);
            }
            self.datagrams = datagrams;
            match read {
                Ok(read) => {
                    all += read;
                    if read < limits::UDP_BATCH {
                        break;
                    }
                }
                Err(error) => {
                    error!(shard = self.index, %error, "a shard cannot read its socket");
                    break;
                }
            }
        }
        all
    }

    /// Hands one input to the machine and puts its records into the journal's batch.
    fn handle(&mut self, now: Now, input: Input) {
        self.counts.inputs += 1;
        let (machine, fresh) = (&mut self.machine, &mut self.fresh);
        // Calls are isolated inside; this is the last wall, so that a defect costs one input.
        let done = catch_unwind(AssertUnwindSafe(|| machine.handle(now, input, fresh)));
        if done.is_err() {
            self.counts.panics += 1;
            error!(shard = self.index, "a defect outside of any call was caught");
        }
        let last_words = switch::last_words_first(&mut self.fresh);
        self.last_words.extend(self.fresh.drain(..last_words));
        for effect in self.fresh.drain(..) {
            match effect {
                Effect::Record(record) => self.records.push(record),
                effect => self.outgoing.push(effect),
            }
        }
        self.journal.add(&self.records);
        self.records.clear();
    }

    /// In order; all but last words after the journal's write.
    fn carry_out(&mut self) {
        let mut wakes_media = false;
        for effect in self.outgoing.drain(..) {
            match effect {
                Effect::Send { flow, bytes } => match flow.transport {
                    Transport::Udp => {
                        if let Some(socket) = socket_of(&mut self.sockets, flow.local) {
                            socket.send(flow.local.ip(), flow.remote, &bytes);
                        }
                    }
                    Transport::Tcp | Transport::Tls | Transport::Ws | Transport::Wss => {
                        self.flows.write(flow.id, bytes);
                    }
                },
                Effect::Connect { connect, transport, remote, name } => {
                    let shard = self.index;
                    self.connector.connect(Wanted { shard, connect, transport, remote, name });
                }
                Effect::Resolve { lookup, host, port, transport } => {
                    let shard = self.index;
                    self.lookups.ask(Asked { shard, lookup, host, port, transport });
                }
                Effect::CloseFlow(flow) => self.flows.close(flow),
                Effect::HandOver { to, what } => {
                    let letter = Letter::Input(Input::HandedOver(what));
                    let sent = self.posts.get(to).map(|post| post.try_send(letter));
                    if !matches!(sent, Some(Ok(()))) {
                        self.counts.hand_overs_dropped += 1;
                    }
                }
                Effect::Media { tenant, command } => wakes_media |= self.media.put(tenant, command),
                Effect::Reply { ticket, reply } => {
                    if let Some(asker) = self.tickets.remove(&ticket) {
                        // Who asked may have stopped waiting.
                        let _ = asker.send(reply);
                    }
                }
                Effect::Alert { tenant, alert } => {
                    let extension = alert.extension.map_or(0, |e| e.0);
                    warn!(%tenant, extension, cause = alert.cause.label(), "alert");
                }
                // They went into the journal when they came.
                Effect::Record(_) => {}
            }
        }
        if wakes_media {
            self.media.ring();
        }
    }
}

/// The socket that datagrams from our address `local` leave from. A flow that was read back after
/// a start may name an address that is not listened on any more: then any is better than none.
fn socket_of(sockets: &mut [SipSocket], local: SocketAddr) -> Option<&mut SipSocket> {
    let at = match &*sockets {
        [_] => 0,
        several => several.iter().position(|socket| socket.serves(local)).unwrap_or(0),
    };
    sockets.get_mut(at)
}

/// The sockets that can be read, or may be.
#[derive(Clone, Copy, Default)]
struct Readable(u64);

impl Readable {
    /// So many of them, from the first on.
    fn first(sockets: usize) -> Readable {
        Readable((0..sockets).fold(0, |bits, at| bits | 1 << (at % 64)))
    }

    fn is_empty(self) -> bool {
        self.0 == 0
    }

    fn of(ready: &[EpollEvent]) -> Readable {
        let sockets = ready.iter().filter_map(|event| event.data().checked_sub(SOCKET));
        Readable(sockets.fold(0, |bits, at| bits | 1 << (at % 64)))
    }
}

impl Iterator for Readable {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        let at = (self.0 != 0).then(|| self.0.trailing_zeros())?;
        self.0 &= self.0 - 1;
        usize::try_from(at).ok()
    }
}

#[cfg(test)]
mod tests;
