//! The loop over real loopback sockets around the real plane.

use std::net::UdpSocket;

use leg::{
    Audio, Format, Gain, Hears, LegId, MediaCommand, MediaEventKind, MediaLeg, Player, Revision,
    Source, SourceLock, Tone,
};
use model::{CallId, Codec, TenantId};
use smallvec::{SmallVec, smallvec};
use store::FileStore;

use super::*;
use crate::inbox::{Inbox, inbox};

const TENANT: TenantId = TenantId(1);
const CALL: CallId = CallId(1);

struct Bench {
    thread: MediaThread,
    events: Inbox<Letter>,
    /// First port of the slice: even, with at least three free ones behind it.
    first: u16,
    store: FileStore,
    _folder: tempfile::TempDir,
}

/// A thread with two pairs of ports that were free a moment ago.
fn bench() -> Bench {
    bench_with(64, |files| files)
}

/// The same with so much room in the shard's queue and with these threads for files.
fn bench_with(room: usize, files_of: impl Fn(Files) -> Files) -> Bench {
    let (post, events) = inbox(room).unwrap();
    let address = "127.0.0.1".parse().unwrap();
    let free = || {
        let port = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        port.next_multiple_of(2).min(65_532)
    };
    let (first, sockets) = (0..100)
        .find_map(|_| {
            let first = free();
            Some((first, RtpSockets::bind(address, first..=first + 3).ok()?))
        })
        .expect("free ports");
    let folder = tempfile::tempdir().unwrap();
    let store = FileStore::new(folder.path().join("files"));
    let (files, _) = Files::start(store.clone()).unwrap();
    let files = files_of(files);
    let thread = MediaThread::start(0, sockets, post, files, Chance::from_number(1)).unwrap();
    Bench { thread, events, first, store, _folder: folder }
}

impl Bench {
    fn port(&self, leg: LegId) -> u16 {
        self.first + if leg == A { 0 } else { 2 }
    }

    fn to(&self, leg: LegId) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port(leg)))
    }

    /// Makes the call's audio so and waits until it is.
    fn audio(
        &self,
        revision: Revision,
        legs: &[(LegId, &UdpSocket, u32)],
        hears: &[(LegId, Source)],
    ) -> MediaFigures {
        let legs: SmallVec<[MediaLeg; 2]> = legs
            .iter()
            .map(|(leg, phone, negotiation)| self.leg(*leg, phone, *negotiation))
            .collect();
        let hears = hears
            .iter()
            .map(|(listener, source)| Hears {
                listener: *listener,
                sources: smallvec![(*source, Gain::UNITY)],
            })
            .collect();
        let audio = Audio::of(CALL, revision, legs, hears);
        self.thread.mailbox().deliver(TENANT, MediaCommand::Audio(audio));
        self.figures()
    }

    fn leg(&self, leg: LegId, phone: &UdpSocket, negotiation: u32) -> MediaLeg {
        let format = Format { payload_type: 8, codec: Codec::Pcma };
        MediaLeg {
            leg,
            port: self.port(leg),
            remote: Some(phone.local_addr().unwrap()),
            remote_rtcp: None,
            rtcp_mux: true,
            send: Some(format),
            receive: smallvec![format],
            send_digits: Some(101),
            receive_digits: Some(101),
            lock: SourceLock::Learn { signalled: None },
            negotiation,
            inband_digits: false,
        }
    }

    fn figures(&self) -> MediaFigures {
        self.thread.mailbox().ask().blocking_recv().unwrap()
    }

    /// The call is over; for a moment its legs could go on in another one.
    fn until_nothing_is_open(&self) {
        let begun = clock::mono();
        loop {
            let figures = self.figures();
            let left = (figures.calls, figures.legs, figures.open);
            if left == (0, 0, 0) {
                break;
            }
            assert!(clock::mono().since(begun) < GONE_BY, "{left:?}");
        }
    }
}

const A: LegId = LegId(2);
const B: LegId = LegId(3);

fn phone() -> UdpSocket {
    let phone = UdpSocket::bind("127.0.0.1:0").unwrap();
    phone.set_read_timeout(Some(core::time::Duration::from_secs(10))).unwrap();
    phone
}

/// An RTP packet of 20 ms with this payload.
fn packet(sequence: u16, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x80, 8];
    packet.extend_from_slice(&sequence.to_be_bytes());
    packet.extend_from_slice(&(u32::from(sequence) * 160).to_be_bytes());
    packet.extend_from_slice(&7u32.to_be_bytes());
    packet.extend_from_slice(payload);
    packet
}

/// The payload of the next RTP packet (not RTCP) that a phone gets.
fn hear(phone: &UdpSocket) -> Vec<u8> {
    let mut buffer = [0; 2_000];
    loop {
        let (length, _) = phone.recv_from(&mut buffer).expect("audio in time");
        if buffer[1] & 0x7f == 8 {
            return buffer[12..length].to_vec();
        }
    }
}

#[test]
fn two_phones_hear_each_other_and_strangers_are_not_heard() {
    let bench = bench();
    let (a, b, stranger) = (phone(), phone(), phone());
    let talk = [(A, Source::Leg(B)), (B, Source::Leg(A))];
    assert_eq!(
        bench.audio(1, &[(A, &a, 1), (B, &b, 1)], &talk).open,
        2,
        "RTCP is on the same ports"
    );
    for n in 0..50u16 {
        a.send_to(&packet(n, &[0x55; 160]), bench.to(A)).unwrap();
        assert_eq!(hear(&b), [0x55; 160], "packet {n}");
        b.send_to(&packet(n, &[0xd5; 160]), bench.to(B)).unwrap();
        assert_eq!(hear(&a), [0xd5; 160], "packet {n}");
        // The source is locked and the socket connected: the kernel answers "refused".
        let _ = stranger.send_to(&packet(n, &[0; 160]), bench.to(A));
    }
    let figures = bench.figures();
    assert_eq!(figures.plane.relayed, 100);
    assert!(figures.plane.received <= 101, "{figures:?}");
    assert_eq!(figures.lost, MediaCounts::default());
}

#[test]
fn a_changed_source_is_heard_after_a_new_negotiation() {
    let bench = bench();
    let (a, b, moved) = (phone(), phone(), phone());
    let talk = [(A, Source::Leg(B)), (B, Source::Leg(A))];
    bench.audio(1, &[(A, &a, 1), (B, &b, 1)], &talk);
    a.send_to(&packet(1, &[1; 160]), bench.to(A)).unwrap();
    assert_eq!(hear(&b), [1; 160]);
    bench.audio(2, &[(A, &moved, 2), (B, &b, 1)], &talk);
    moved.send_to(&packet(2, &[2; 160]), bench.to(A)).unwrap();
    assert_eq!(hear(&b), [2; 160]);
}

#[test]
fn a_tone_comes_every_20_ms_without_drift() {
    let bench = bench();
    let a = phone();
    let tone = Source::Player(Player::Tone(Tone::Test));
    bench.audio(1, &[(A, &a, 1)], &[(A, tone)]);
    hear(&a);
    let begun = clock::mono();
    let frames = 50;
    for _ in 0..frames {
        assert_eq!(hear(&a).len(), 160);
    }
    let took = clock::mono().since(begun);
    // On a busy machine a frame may come late, but never does the clock run fast or fall behind.
    assert!(took >= core::time::Duration::from_millis(20 * (frames - 5)), "{took:?}");
    let figures = bench.figures();
    assert_eq!(figures.lost.panics, 0);
}

/// More than any machine takes to close what has waited for a moment.
const GONE_BY: core::time::Duration = core::time::Duration::from_secs(10);

#[test]
fn an_ended_call_leaves_no_open_socket_and_its_ports_serve_the_next() {
    let bench = bench();
    for round in 1..=5u64 {
        let (a, b) = (phone(), phone());
        let talk = [(A, Source::Leg(B)), (B, Source::Leg(A))];
        let negotiation = u32::try_from(round).unwrap();
        bench.audio(2 * round, &[(A, &a, negotiation), (B, &b, negotiation)], &talk);
        a.send_to(&packet(1, &[9; 160]), bench.to(A)).unwrap();
        assert_eq!(hear(&b), [9; 160], "round {round}");
        bench.audio(2 * round + 1, &[], &[]);
        bench.until_nothing_is_open();
        // Nobody listens: what is sent now must not reach the next call.
        let _ = a.send_to(&packet(2, &[8; 160]), bench.to(A));
    }
}

/// A socket that nobody reads would fill up.
#[test]
fn who_speaks_to_a_port_after_its_call_is_refused_by_the_kernel() {
    let bench = bench();
    let a = phone();
    bench.audio(1, &[(A, &a, 1)], &[]);
    bench.audio(2, &[], &[]);
    bench.until_nothing_is_open();
    a.connect(bench.to(A)).unwrap();
    let begun = clock::mono();
    while a.send(&packet(1, &[9; 160])).is_ok() {
        bench.figures();
        assert!(clock::mono().since(begun) < GONE_BY, "somebody listens");
    }
}

#[test]
fn a_pressed_key_reaches_the_shard() {
    let bench = bench();
    let (a, b) = (phone(), phone());
    bench.audio(1, &[(A, &a, 1), (B, &b, 1)], &[(B, Source::Leg(A))]);
    let mut event = packet(1, &[5, 0x0a, 0, 160]);
    event[1] = 101;
    a.send_to(&event, bench.to(A)).unwrap();
    let heard = loop {
        if let Some(Letter::Input(Input::Media(TENANT, event))) = bench.events.next() {
            break event;
        }
        // Asking waits for the thread's next round.
        bench.figures();
    };
    assert_eq!((heard.call, heard.leg), (CALL, A));
    assert!(matches!(heard.kind, MediaEventKind::DigitStart(digit) if digit.as_char() == '5'));
}

#[test]
fn an_event_for_a_full_shard_is_dropped_and_counted() {
    let bench = bench();
    let (a, b) = (phone(), phone());
    bench.audio(1, &[(A, &a, 1), (B, &b, 1)], &[(B, Source::Leg(A))]);
    for n in 0..200u16 {
        // Each key has its own beginning and end.
        let mut event = packet(n * 10, &[5, 0x8a, 0, 160]);
        event[1] = 101;
        a.send_to(&event, bench.to(A)).unwrap();
        bench.figures();
    }
    let dropped = bench.figures().lost.events_dropped;
    assert!(dropped > 0, "{dropped}");
}

#[test]
fn a_clip_of_a_file_is_played_and_recorded_into_another() {
    use leg::{Clip, ClipId, Piece, Recorder, RecorderId};
    use media::measure::{Coding, Wav, sine, strength_dbfs};
    use model::FileId;

    let bench = bench();
    let (here, missing, tape) = (FileId(1), FileId(2), FileId(3));
    bench.store.write(here, &Wav::mono(sine(700.0, -15.0, 4_000)).write(Coding::Linear)).unwrap();
    let a = phone();
    let clip = Source::Player(Player::Clip(ClipId(1)));
    let mut audio = Audio::of(
        CALL,
        1,
        smallvec![bench.leg(A, &a, 1)],
        smallvec![Hears { listener: A, sources: smallvec![(clip, Gain::UNITY)] }],
    );
    audio.clips.push(Clip {
        id: ClipId(1),
        leg: A,
        pieces: vec![Piece::File(missing), Piece::File(here)],
        repeats: false,
    });
    audio.recorders.push(Recorder {
        id: RecorderId(5),
        leg: B,
        file: tape,
        channels: smallvec![smallvec![(clip, Gain::UNITY)]],
        silence_ms: None,
        max_ms: 60_000,
    });
    bench.thread.mailbox().deliver(TENANT, MediaCommand::Audio(audio));
    let next = || loop {
        if let Some(Letter::Input(Input::Media(TENANT, event))) = bench.events.next() {
            break event;
        }
        bench.figures();
    };
    let mut kinds = [next().kind, next().kind];
    kinds.sort_by_key(|kind| matches!(kind, MediaEventKind::ClipDone(_)));
    assert_eq!(
        kinds,
        [MediaEventKind::ClipBroken(ClipId(1)), MediaEventKind::ClipDone(ClipId(1)),]
    );
    assert!((0..20).any(|_| hear(&a) != [0xd5; 160]), "it was heard");
    // The call is over; its recording is told all the same, to its own leg's owner.
    bench.audio(2, &[], &[]);
    let told = next();
    let MediaEventKind::Recorded { recorder: RecorderId(5), length_ms } = told.kind else {
        panic!("{told:?}");
    };
    assert_eq!(told.leg, B);
    let bytes = std::fs::read(bench.store.path(tape)).unwrap();
    let wav = Wav::read(&bytes).unwrap();
    let samples = &wav.channels[0];
    assert_eq!(u32::try_from(samples.len()).unwrap(), length_ms * 8);
    assert!((500..60_000).contains(&length_ms), "{length_ms}");
    let begin = samples.iter().position(|s| *s != 0).unwrap();
    let sound = &samples[begin..(begin + 3_900).min(samples.len())];
    assert!((strength_dbfs(sound, 700.0) + 15.0).abs() < 0.5);
    assert_eq!(bench.figures().lost.files_missing, 1);
}

#[test]
fn that_a_recording_has_failed_waits_for_room_in_the_shards_queue() {
    use leg::{Recorder, RecorderId};
    use model::FileId;

    // The writer takes nothing, and the shard has no room to be told so.
    let bench = bench_with(1, |_| Files::deaf());
    let mut audio = Audio::of(CALL, 1, smallvec![bench.leg(A, &phone(), 1)], smallvec![]);
    let tone = Source::Player(Player::Tone(Tone::Busy));
    for recorder in [5, 6] {
        audio.recorders.push(Recorder {
            id: RecorderId(recorder),
            leg: A,
            file: FileId(u128::from(recorder)),
            channels: smallvec![smallvec![(tone, Gain::UNITY)]],
            silence_ms: None,
            max_ms: 60_000,
        });
    }
    bench.thread.mailbox().deliver(TENANT, MediaCommand::Audio(audio));
    while bench.figures().lost.recordings_failed < 2 {}
    let mut told = Vec::new();
    for _ in 0..2 {
        // Each of these is a turn of the thread.
        bench.figures();
        let Some(Letter::Input(Input::Media(TENANT, event))) = bench.events.next() else { break };
        told.push(event.kind);
    }
    let failed = |n| MediaEventKind::RecordingFailed(RecorderId(n));
    assert_eq!(told, [failed(5), failed(6)]);
    assert_eq!(bench.figures().lost.events_dropped, 0);
}
