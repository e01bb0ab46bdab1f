//! The loop over real sockets, with a machine that does what the test says.

use std::net::SocketAddr;
use std::os::fd::AsFd as _;
use std::sync::mpsc;

use leg::Command;
use model::{CallId, TenantId, Wall};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use stack::FlowId;
use tokio::sync::Notify;

use super::*;
use crate::inbox::inbox;
use crate::journal::{self, Reader, Start, Syncer};
use crate::ports::Reach;
use crate::sip_socket;
use crate::streams::Streams;
use crate::tls::Tls;

/// What is expected comes in a moment, or not at all.
const WAIT: core::time::Duration = core::time::Duration::from_secs(10);

/// What a thread answers.
fn soon<T>(answer: oneshot::Receiver<T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let answer = runtime.block_on(async { tokio::time::timeout(WAIT, answer).await });
    answer.expect("an answer in time").unwrap()
}

/// Does what the first letters of a datagram say, and tells the test what it was given.
struct Fake {
    seen: mpsc::Sender<String>,
    deadline: Option<Mono>,
    revision: u64,
}

impl Machine for Fake {
    fn handle(&mut self, now: Now, input: Input, effects: &mut Vec<Effect>) {
        self.seen.send(format!("{input:?}")).unwrap();
        match input {
            Input::Received { flow, bytes } => self.received(now, flow, &bytes, effects),
            Input::Command { ticket, command: Command::ListCalls { .. }, .. } => {
                effects.push(Effect::Reply { ticket, reply: Reply::Done });
            }
            Input::Command { .. } => panic!("as the test wants"),
            Input::Tick => self.deadline = None,
            _ => {}
        }
    }

    fn deadline(&self) -> Option<Mono> {
        self.deadline
    }

    fn gauges(&self) -> Gauges {
        Gauges { calls: 7, ..Gauges::default() }
    }

    fn bans(&self, _: Now) -> Vec<switch::Ban> {
        Vec::new()
    }

    fn known_sources(&self) -> usize {
        0
    }

    fn counters(&self) -> Counters {
        Counters::default()
    }
}

impl Fake {
    fn received(&mut self, now: Now, flow: Flow, bytes: &[u8], effects: &mut Vec<Effect>) {
        let answer = |bytes: &[u8]| Effect::Send { flow, bytes: bytes.into() };
        match bytes {
            b"panic" => panic!("as the test wants"),
            b"record" => {
                effects.push(answer(b"first"));
                effects.push(Effect::Record(gone(1)));
                effects.push(Effect::Record(gone(2)));
                effects.push(answer(b"second"));
            }
            b"audio" => {
                self.revision += 1;
                effects.push(audio(self.revision));
                effects.push(answer(b"audio"));
            }
            b"timer" => self.deadline = Some(Mono(now.mono.0 + 1)),
            _ => effects.push(answer(bytes)),
        }
    }
}

fn gone(call: u64) -> Record {
    Record::CallGone { tenant: TenantId(1), call: CallId(call) }
}

/// Audio of a call with one leg at a port.
fn audio(revision: u64) -> Effect {
    let leg = leg::MediaLeg {
        leg: leg::LegId::incoming(1),
        port: 20_000,
        remote: None,
        remote_rtcp: None,
        rtcp_mux: false,
        send: None,
        receive: Default::default(),
        send_digits: None,
        receive_digits: None,
        lock: leg::SourceLock::Described,
        negotiation: 1,
        inband_digits: false,
    };
    let (legs, hears) = ([leg].into_iter().collect(), Default::default());
    let audio = leg::Audio::of(CallId(1), revision, legs, hears);
    Effect::Media { tenant: TenantId(1), command: leg::MediaCommand::Audio(audio) }
}

/// Of a runtime that never runs.
fn connector(flows: &Arc<Flows>, post: &Post<Letter>) -> Connector {
    let tls = Arc::new(Tls::new(None, None).unwrap());
    let streams = Streams::new(Arc::clone(flows), [post.clone()].into(), tls, None);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    Connector::new(streams, runtime.handle().clone(), Arc::default())
}

fn lookups(post: &Post<Letter>) -> Lookups {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let nobody = "127.0.0.1:9".parse().unwrap();
    Lookups::new(&[nobody], runtime.handle().clone(), [post.clone()].into()).unwrap()
}

struct Bench {
    address: SocketAddr,
    peer: UdpSocket,
    post: Post<Letter>,
    seen: mpsc::Receiver<String>,
    flows: Arc<Flows>,
    media: Arc<Mailbox>,
    reader: Reader,
    thread: Option<JoinHandle<()>>,
    _syncer: Syncer,
    _directory: tempfile::TempDir,
}

impl Bench {
    fn start() -> Bench {
        let directory = tempfile::tempdir().unwrap();
        let start_at = Start { sequence: 0, segment: 0 };
        let (journal, syncer, reader) =
            journal::open(directory.path(), 0, start_at, Arc::new(Notify::new())).unwrap();
        let socket = sip_socket::bind("127.0.0.1:0".parse().unwrap(), Reach::BothFamilies).unwrap();
        let address = socket.local_addr().unwrap();
        let (post, inbox) = inbox(64).unwrap();
        let (sender, seen) = mpsc::channel();
        let flows = Arc::new(Flows::new(10));
        let media = Arc::new(Mailbox::new().unwrap());
        let thread = start(Parts {
            index: 0,
            machine: Fake { seen: sender, deadline: None, revision: 0 },
            sockets: vec![socket],
            inbox,
            posts: [post.clone()].into(),
            flows: Arc::clone(&flows),
            connector: connector(&flows, &post),
            lookups: lookups(&post),
            media: Arc::clone(&media),
            journal,
        })
        .unwrap();
        post.try_send(Letter::Listen).unwrap();
        let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
        peer.set_read_timeout(Some(WAIT)).unwrap();
        Bench {
            address,
            peer,
            post,
            seen,
            flows,
            media,
            reader,
            thread: Some(thread),
            _syncer: syncer,
            _directory: directory,
        }
    }

    fn say(&self, bytes: &[u8]) {
        self.peer.send_to(bytes, self.address).unwrap();
    }

    fn hear(&self) -> Vec<u8> {
        let mut buffer = [0; 2_000];
        let (length, from) = self.peer.recv_from(&mut buffer).expect("an answer in time");
        assert_eq!(from, self.address);
        buffer[..length].to_vec()
    }

    fn report(&self) -> Report {
        let (reply, report) = oneshot::channel();
        self.send(Letter::Report(reply));
        soon(report)
    }

    /// Puts a letter in, however full the queue is at the moment.
    fn send(&self, letter: Letter) {
        let mut letter = Some(letter);
        let is_alive = || self.thread.as_ref().is_some_and(|thread| !thread.is_finished());
        while let Some(full) = letter.take().filter(|_| is_alive()) {
            letter = self.post.try_send(full).err();
            std::thread::yield_now();
        }
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        // A thread that hears its bell no more would be waited for until nobody has time.
        if thread::panicking() {
            return;
        }
        self.report();
        self.send(Letter::Stop);
        self.thread.take().unwrap().join().unwrap();
    }
}

#[test]
fn a_datagram_reaches_the_machine_and_its_answer_the_peer() {
    let bench = Bench::start();
    for n in 0..100u32 {
        bench.say(format!("message {n}").as_bytes());
        assert_eq!(bench.hear(), format!("message {n}").into_bytes());
    }
    let seen = bench.seen.try_recv().unwrap();
    let peer = bench.peer.local_addr().unwrap();
    assert!(seen.contains(&format!("UDP#0 {}>{peer}", bench.address)), "{seen}");
    assert_eq!(bench.report().socket.received, 100);
}

#[test]
fn datagrams_that_gather_are_answered_in_order_and_commands_between_them() {
    let bench = Bench::start();
    for round in 0..300u32 {
        for n in 0..10 {
            bench.say(format!("message {round}.{n}").as_bytes());
        }
        let (reply, answer) = oneshot::channel();
        let command = Command::ListCalls { extension: None };
        bench.send(Letter::Command { tenant: TenantId(1), command, reply });
        assert!(matches!(soon(answer), Reply::Done), "round {round}");
        for n in 0..10 {
            assert_eq!(bench.hear(), format!("message {round}.{n}").into_bytes());
        }
    }
    assert_eq!(bench.report().socket.received, 3_000);
}

#[test]
fn keep_alives_of_a_few_bytes_do_not_reach_the_machine() {
    let bench = Bench::start();
    for bytes in [&b""[..], b"\r\n", b"\r\n\r\n", b"\0", b"hello"] {
        bench.say(bytes);
    }
    assert_eq!(bench.hear(), b"hello");
    assert_eq!(bench.report().lost.inputs, 1);
}

#[test]
fn the_socket_is_not_read_before_everything_is_configured() {
    let temp = tempfile::tempdir().unwrap();
    let at = Start { sequence: 0, segment: 0 };
    let (journal, _syncer, _reader) =
        journal::open(temp.path(), 0, at, Arc::new(Notify::new())).unwrap();
    let socket = sip_socket::bind("127.0.0.1:0".parse().unwrap(), Reach::BothFamilies).unwrap();
    let address = socket.local_addr().unwrap();
    let (post, inbox) = inbox(8).unwrap();
    let (sender, seen) = mpsc::channel();
    let machine = Fake { seen: sender, deadline: None, revision: 0 };
    let posts = [post.clone()].into();
    let (flows, media) = (Arc::new(Flows::new(1)), Arc::new(Mailbox::new().unwrap()));
    let (connector, lookups) = (connector(&flows, &post), lookups(&post));
    let (index, sockets) = (0, vec![socket]);
    let parts =
        Parts { index, machine, sockets, inbox, posts, flows, connector, lookups, media, journal };
    let thread = start(parts).unwrap();
    UdpSocket::bind("127.0.0.1:0").unwrap().send_to(b"too early", address).unwrap();
    post.try_send(Letter::Input(Input::Drain)).unwrap();
    assert_eq!(seen.recv_timeout(WAIT).unwrap(), "Drain");
    post.try_send(Letter::Listen).unwrap();
    assert!(seen.recv_timeout(WAIT).unwrap().starts_with("Received"), "it has waited");
    post.try_send(Letter::Stop).unwrap();
    thread.join().unwrap();
}

#[test]
fn the_records_of_a_step_are_one_journal_record_and_written_before_any_effect_leaves() {
    let mut bench = Bench::start();
    bench.say(b"record");
    assert_eq!(bench.hear(), b"first");
    // The answer is here, so the record must be too.
    assert_eq!(bench.reader.read().unwrap(), vec![(1, vec![gone(1), gone(2)])]);
    assert_eq!(bench.hear(), b"second");
}

#[test]
fn a_panic_is_caught_and_counted_and_the_thread_goes_on() {
    let bench = Bench::start();
    bench.say(b"panic");
    bench.say(b"after");
    assert_eq!(bench.hear(), b"after");
    assert_eq!(bench.report().lost.panics, 1);
}

#[test]
fn a_command_is_answered_with_its_own_reply() {
    let bench = Bench::start();
    let ask = |command| {
        let (reply, answer) = oneshot::channel();
        let tenant = TenantId(1);
        bench.post.try_send(Letter::Command { tenant, command, reply }).unwrap();
        answer
    };
    let answer = ask(Command::ListCalls { extension: None });
    assert!(matches!(soon(answer), Reply::Done));
}

#[test]
fn answers_that_nobody_waits_for_any_more_make_room() {
    let bench = Bench::start();
    for _ in 0..limits::TICKETS_MAX + 10 {
        // The machine panics instead of answering; the asker goes away.
        let (reply, _) = oneshot::channel();
        let command = Command::ListRegistrations { extension: None };
        bench.send(Letter::Command { tenant: TenantId(1), command, reply });
    }
    assert_eq!(bench.report().lost.commands_refused, 0);
}

#[test]
fn a_deadline_becomes_a_tick() {
    let bench = Bench::start();
    bench.say(b"timer");
    assert!(bench.seen.recv_timeout(WAIT).unwrap().starts_with("Received"));
    assert_eq!(bench.seen.recv_timeout(WAIT).unwrap(), "Tick");
}

#[test]
fn audio_that_waits_for_a_packet_is_brought_by_the_bell_when_none_comes() {
    let bench = Bench::start();
    let rings = || {
        let mut bell = [PollFd::new(bench.media.bell().as_fd(), PollFlags::POLLIN)];
        let rung = poll(&mut bell, PollTimeout::from(10_000u16)).unwrap() == 1;
        bench.media.bell().hush();
        rung
    };
    let mut mail = crate::mailbox::Mail::default();
    bench.say(b"audio");
    bench.hear();
    assert!(rings(), "a port is opened at once");
    bench.media.take(&mut mail);
    bench.say(b"audio");
    bench.hear();
    assert!(bench.media.hurries(), "nobody was woken for the second");
    assert!(rings(), "nothing else has come");
    bench.media.take(&mut mail);
    assert_eq!(mail.commands.len(), 2);
}

#[test]
fn answers_to_a_connection_go_to_its_task() {
    let bench = Bench::start();
    let (id, mut orders) = bench.flows.open([127, 0, 0, 1].into(), Transport::Tcp).unwrap();
    let remote = "127.0.0.1:9".parse().unwrap();
    let flow = Flow { id, transport: Transport::Tcp, local: bench.address, remote };
    let bytes = b"over tcp".to_vec();
    bench.post.try_send(Letter::Input(Input::Received { flow, bytes })).unwrap();
    let order = orders.blocking_recv().unwrap();
    assert_eq!(order, crate::flows::Order::Write(b"over tcp".as_slice().into()));
}

#[test]
fn a_hand_over_to_a_full_queue_is_dropped_and_counted() {
    struct HandsOver;
    impl Machine for HandsOver {
        fn handle(&mut self, _: Now, input: Input, effects: &mut Vec<Effect>) {
            if let Input::Drain = input {
                for to in [0, 1, 1, 1] {
                    let call_id = "a".into();
                    let what = Box::new(switch::HandOver::InviteGone { call_id });
                    effects.push(Effect::HandOver { to, what });
                }
            }
        }
        fn deadline(&self) -> Option<Mono> {
            None
        }
        fn gauges(&self) -> Gauges {
            Gauges::default()
        }

        fn bans(&self, _: Now) -> Vec<switch::Ban> {
            Vec::new()
        }

        fn known_sources(&self) -> usize {
            0
        }
        fn counters(&self) -> Counters {
            Counters::default()
        }
    }
    let directory = tempfile::tempdir().unwrap();
    let at = Start { sequence: 0, segment: 0 };
    let (journal, _syncer, _reader) =
        journal::open(directory.path(), 0, at, Arc::new(Notify::new())).unwrap();
    let (post, own) = inbox(64).unwrap();
    let (other, others) = inbox(2).unwrap();
    let socket = sip_socket::bind("127.0.0.1:0".parse().unwrap(), Reach::BothFamilies).unwrap();
    let flows = Arc::new(Flows::new(10));
    let thread = start(Parts {
        index: 0,
        machine: HandsOver,
        sockets: vec![socket],
        inbox: own,
        posts: [post.clone(), other].into(),
        connector: connector(&flows, &post),
        lookups: lookups(&post),
        flows,
        media: Arc::new(Mailbox::new().unwrap()),
        journal,
    })
    .unwrap();
    post.try_send(Letter::Input(Input::Drain)).unwrap();
    // The one to itself comes behind the report's letter if that is quick, so ask twice.
    for _ in 0..2 {
        let (reply, report) = oneshot::channel();
        post.try_send(Letter::Report(reply)).unwrap();
        assert!(soon(report).lost.hand_overs_dropped <= 1);
    }
    post.try_send(Letter::Stop).unwrap();
    thread.join().unwrap();
    assert!(others.next().is_some() && others.next().is_some() && others.next().is_none());
}

#[test]
fn restored_flows_of_datagrams_are_answered_whatever_their_number() {
    let bench = Bench::start();
    let remote = bench.peer.local_addr().unwrap();
    let id = FlowId(u64::MAX);
    let flow = Flow { id, transport: Transport::Udp, local: bench.address, remote };
    let bytes = b"to a restored phone".to_vec();
    bench.post.try_send(Letter::Input(Input::Received { flow, bytes })).unwrap();
    assert_eq!(bench.hear(), b"to a restored phone");
    assert!(clock::wall() > Wall(0));
}

#[test]
fn every_address_is_read_and_answers_leave_from_the_one_that_was_reached() {
    let directory = tempfile::tempdir().unwrap();
    let at = Start { sequence: 0, segment: 0 };
    let (journal, _syncer, _reader) =
        journal::open(directory.path(), 0, at, Arc::new(Notify::new())).unwrap();
    let bind = |at: &str| sip_socket::bind(at.parse().unwrap(), Reach::BothFamilies).ok();
    let sockets: Vec<UdpSocket> = ["127.0.0.1:0", "127.0.0.2:0", "0.0.0.0:0", "[::1]:0"]
        .into_iter()
        .filter_map(bind)
        .collect();
    assert!(sockets.len() >= 3, "without IPv6 there is one less");
    let reached = |socket: &UdpSocket| match socket.local_addr().unwrap() {
        any if any.ip().is_unspecified() => SocketAddr::from(([127, 0, 0, 3], any.port())),
        one => one,
    };
    let addresses: Vec<SocketAddr> = sockets.iter().map(reached).collect();
    let (post, inbox) = inbox(8).unwrap();
    let (sender, _seen) = mpsc::channel();
    let machine = Fake { seen: sender, deadline: None, revision: 0 };
    let posts = [post.clone()].into();
    let (flows, media) = (Arc::new(Flows::new(1)), Arc::new(Mailbox::new().unwrap()));
    let (index, connector, lookups) = (0, connector(&flows, &post), lookups(&post));
    let parts =
        Parts { index, machine, sockets, inbox, posts, flows, connector, lookups, media, journal };
    let thread = start(parts).unwrap();
    post.try_send(Letter::Listen).unwrap();
    for address in addresses {
        let any = if address.is_ipv4() { "127.0.0.1:0" } else { "[::1]:0" };
        let peer = UdpSocket::bind(any).unwrap();
        peer.set_read_timeout(Some(WAIT)).unwrap();
        peer.send_to(b"word!", address).unwrap();
        let (length, from) = peer.recv_from(&mut [0; 16]).unwrap();
        assert_eq!((length, from), (5, address));
    }
    post.try_send(Letter::Stop).unwrap();
    thread.join().unwrap();
}
