//! A plane and the world around it, as a fuzzer's choices move them.

use core::net::SocketAddr;
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use leg::{Audio, Clip, ClipId, Format, LegId, MediaCommand, MediaLeg, Piece, SourceLock};
use model::{CallId, Chance, Codec, Digit, FileId, Mono, Now, TenantId, Wall};

use super::Choices;
use super::any::{any_address, any_clip, any_hears, any_port, any_recorder, own_address};
use crate::clip::Sound;
use crate::effects::{Effect, Effects, Recording, Taken};
use crate::limits::{CATCH_UP_FRAMES_MAX, FRAME, PARTED_FRAMES};
use crate::pcm::Rate;
use crate::plane::Plane;
use crate::rtcp::{Block, Goodbye, Report, Sender};
use crate::rtp::{Header, Packet, is_rtcp};

const TENANTS: u64 = 2;
const CALLS: u64 = 2;

pub(super) struct World {
    pub(super) plane: Plane,
    now: Now,
    revision: u64,
    negotiation: u32,
    numbers: [u16; 64],
    effects: Effects,
    open: BTreeSet<u16>,
    connected: BTreeMap<u16, SocketAddr>,
    /// The SSRC that was sent from a port since it was opened.
    ssrcs: BTreeMap<u16, u32>,
    /// What was commanded last.
    audios: BTreeMap<(TenantId, CallId), Audio>,
    /// Files that are asked for.
    needed: BTreeSet<FileId>,
    /// Recordings under way, and what of them has come.
    recordings: BTreeMap<Recording, (Taken, u64)>,
}

impl World {
    pub(super) fn new() -> World {
        let now = Now { mono: Mono(77), wall: Wall(0) };
        World {
            plane: Plane::new(now, Chance::from_number(1)),
            now,
            revision: 10,
            negotiation: 0,
            numbers: [0; 64],
            effects: Effects::new(),
            open: BTreeSet::new(),
            connected: BTreeMap::new(),
            ssrcs: BTreeMap::new(),
            audios: BTreeMap::new(),
            needed: BTreeSet::new(),
            recordings: BTreeMap::new(),
        }
    }

    pub(super) fn command_audio(&mut self, bytes: &mut Choices) {
        let count = [0, 1, 2, 3, 4, 4, 5, 5][bytes.index(8)];
        let legs = (0..count).map(|_| self.any_leg(bytes)).collect();
        let listeners = bytes.below(12);
        let hears = (0..listeners).map(|_| any_hears(bytes)).collect();
        self.revision += 1;
        let revision = self.revision - u64::from(bytes.below(10) / 9 * 3);
        let call = CallId(u64::from(bytes.next()) % CALLS);
        let tenant = TenantId(u64::from(bytes.next()) % TENANTS);
        let mut audio = Audio::of(call, revision, legs, hears);
        audio.clips = (0..bytes.below(4)).map(|_| any_clip(bytes)).collect();
        if bytes.below(16) == 0 {
            // More than there may be, and one with too many pieces.
            let silence = |n: u32| Clip {
                id: ClipId(n),
                leg: LegId(0),
                pieces: vec![Piece::Silence(20); if n == 0 { 200 } else { 1 }],
                repeats: true,
            };
            audio.clips.extend((0..70).map(silence));
        }
        audio.recorders = (0..bytes.below(4)).map(|_| any_recorder(bytes)).collect();
        self.audios.insert((tenant, call), audio.clone());
        self.command(tenant, MediaCommand::Audio(audio));
    }

    /// A call takes legs, clips and recorders of another; its command comes first or last. Its legs
    /// go on as they were.
    pub(super) fn merge(&mut self, bytes: &mut Choices) {
        let tenant = TenantId(u64::from(bytes.next()) % TENANTS);
        let from = CallId(u64::from(bytes.next()) % CALLS);
        let to = CallId((from.0 + 1) % CALLS);
        self.revision += 1;
        let empty = |call| Audio::of(call, self.revision, Default::default(), Default::default());
        let mut taken = self.audios.remove(&(tenant, from)).unwrap_or_else(|| empty(from));
        let mut merged = self.audios.remove(&(tenant, to)).unwrap_or_else(|| empty(to));
        (taken.revision, merged.revision) = (self.revision, self.revision);
        let mut streams = Vec::new();
        for leg in core::mem::take(&mut taken.legs) {
            let clash = merged.legs.iter().any(|l| l.leg == leg.leg || l.port == leg.port);
            if clash {
                continue;
            }
            if bytes.below(8) == 0 {
                taken.legs.push(leg);
                continue;
            }
            let ssrc = |world: &World, call| {
                world.plane.leg_stats(tenant, call, leg.leg).map(|stats| stats.ssrc)
            };
            // It may have lost its port to another call.
            if self.plane.has_leg(tenant, from, &leg) {
                streams.push((leg.leg, ssrc(self, from)));
            }
            merged.legs.push(leg);
        }
        // Nothing is named twice.
        let is_free = |leg: &MediaLeg| {
            merged.legs.iter().all(|other| other.leg != leg.leg && other.port != leg.port)
        };
        taken.legs.retain(|leg| is_free(leg));
        merged.hears.append(&mut taken.hears);
        merged.clips.append(&mut taken.clips);
        merged.recorders.append(&mut taken.recorders);
        let mut commands = [taken.clone(), merged.clone()];
        if bytes.yes() {
            commands.reverse();
        }
        let moved = self.plane.counters().moved;
        for audio in commands {
            self.command(tenant, MediaCommand::Audio(audio));
            if bytes.below(4) == 0 {
                self.speak(bytes);
            }
        }
        let count = u64::try_from(streams.len()).unwrap_or(0);
        assert!(self.plane.counters().moved - moved >= count, "a leg has not moved");
        for (leg, ssrc) in streams {
            let now = self.plane.leg_stats(tenant, to, leg).map(|stats| stats.ssrc);
            assert_eq!(now, ssrc, "a leg has not gone on in the other call");
        }
        self.audios.insert((tenant, from), taken);
        self.audios.insert((tenant, to), merged);
    }

    /// What was asked for comes, or does not; and a recording fails.
    pub(super) fn answer(&mut self, bytes: &mut Choices) {
        while let Some(file) = self.needed.pop_first() {
            let samples = (0..bytes.index(500)).map(|n| i16::try_from(n).unwrap_or(0)).collect();
            let rate = if bytes.yes() { Rate::Wide } else { Rate::Narrow };
            let sound = Sound { rate, samples };
            self.plane.file(file, bytes.yes().then_some(&sound), &mut self.effects);
            self.carry_out(&[]);
        }
        if bytes.below(4) == 0
            && let Some((recording, _)) = self.recordings.pop_first()
        {
            self.plane.recording_failed(self.now, recording);
        }
    }

    pub(super) fn command_digit(&mut self, bytes: &mut Choices) {
        let tenant = TenantId(u64::from(bytes.next()) % TENANTS);
        let command = MediaCommand::SendDigit {
            call: CallId(u64::from(bytes.next()) % CALLS),
            leg: LegId(u64::from(bytes.below(5))),
            digit: Digit::from_event(bytes.below(16)).unwrap_or_else(|| unreachable!()),
            duration_ms: u16::from(bytes.next()) * 257,
        };
        let times = if bytes.below(8) == 0 { 40 } else { 1 };
        (0..times).for_each(|_| self.command(tenant, command.clone()));
    }

    fn command(&mut self, tenant: TenantId, command: MediaCommand) {
        self.plane.command(self.now, tenant, command, &mut self.effects);
        self.carry_out(&[]);
    }

    pub(super) fn garbage(&mut self, bytes: &mut Choices) {
        let length = bytes.index(40);
        let mut datagram: Vec<u8> = (0..length).map(|_| bytes.next()).collect();
        if bytes.yes()
            && let Some(first) = datagram.first_mut()
        {
            *first = 0x80 | (*first & 0x3F);
        }
        self.arrive(any_port(bytes) + u16::from(bytes.below(2)), any_address(bytes), datagram);
    }

    pub(super) fn report(&mut self, bytes: &mut Choices) {
        let port = any_port(bytes);
        let ssrc = self.ssrcs.get(&port).copied().unwrap_or(0);
        let value = u32::from(bytes.next()) << 20;
        let block = Block {
            ssrc,
            fraction: bytes.next(),
            lost: i32::from(bytes.next()) - 100,
            highest: value,
            jitter: value,
            last_report: value,
            delay: value,
        };
        let sender =
            Sender { ntp: u64::from(value) << 16, timestamp: value, packets: 1, octets: 2 };
        let report = Report {
            ssrc: u32::from(bytes.next()),
            cname: b"0123456789abcdef",
            sender: bytes.yes().then_some(sender),
            block: bytes.yes().then_some(block),
            goodbye: if bytes.yes() { Goodbye::Yes } else { Goodbye::No },
        };
        let mut datagram = Vec::new();
        report.write(&mut datagram);
        let beside = port + u16::from(bytes.below(2));
        let from = if bytes.yes() { own_address(beside) } else { any_address(bytes) };
        self.arrive(beside, from, datagram);
    }

    pub(super) fn speak(&mut self, bytes: &mut Choices) {
        let port = any_port(bytes);
        let from = if bytes.below(8) == 0 { any_address(bytes) } else { own_address(port) };
        let number = &mut self.numbers[usize::from(port) % 64];
        *number = match bytes.below(16) {
            0 => number.wrapping_sub(u16::from(bytes.below(4))),
            1 => number.wrapping_add(u16::from(bytes.next()) * 97),
            _ => number.wrapping_add(1),
        };
        let header = Header {
            marker: bytes.below(8) == 0,
            payload_type: [8, 8, 8, 8, 8, 8, 8, 0, 0, 0, 0, 0, 9, 107, 13, 101, 96]
                [bytes.index(17)],
            sequence: *number,
            timestamp: u32::from(*number).wrapping_mul(160),
            ssrc: u32::from(bytes.below(30) / 29),
        };
        let mut datagram = header.to_bytes().to_vec();
        let length = [4, 160, 160, 160, 80, 0, 480, 1_460][bytes.index(8)];
        datagram.resize(12 + length, bytes.next());
        self.arrive(port, from, datagram);
    }

    fn arrive(&mut self, port: u16, from: SocketAddr, mut datagram: Vec<u8>) {
        self.plane.packet(self.now, port, from, &mut datagram, &mut self.effects);
        self.carry_out(&datagram);
    }

    pub(super) fn tick(&mut self, bytes: &mut Choices) {
        let factor = [1, 1_000, 1_000, 5_000, 20_000, 20_000, 300_000, 70_000_000][bytes.index(8)];
        let passed = u64::from(bytes.below(25)) * factor;
        self.now = self.now + Duration::from_micros(passed);
        let frames = self.plane.counters().mixed;
        let legs = u64::try_from(self.plane.legs()).unwrap_or(0);
        self.plane.tick(self.now, &mut self.effects);
        let most = CATCH_UP_FRAMES_MAX * legs;
        assert!(self.plane.counters().mixed - frames <= most, "a late tick is no burst");
        let due = self.plane.deadline();
        assert!(due.is_none_or(|at| at > self.now.mono), "a tick leaves nothing due");
        self.carry_out(&[]);
    }

    pub(super) fn end_all(&mut self) {
        for tenant in 0..TENANTS {
            for call in 0..CALLS {
                self.revision += 1;
                let (legs, hears) = Default::default();
                let audio = Audio::of(CallId(call), self.revision, legs, hears);
                self.command(TenantId(tenant), MediaCommand::Audio(audio));
            }
        }
        self.now = self.now + FRAME * (u32::try_from(PARTED_FRAMES).unwrap_or(0) * 2);
        self.plane.tick(self.now, &mut self.effects);
        self.carry_out(&[]);
        assert!(self.open.is_empty() && self.connected.is_empty(), "all ports are given back");
        assert!(self.recordings.is_empty(), "every recording was ended");
        assert_eq!((self.plane.calls(), self.plane.legs(), self.plane.deadline()), (0, 0, None));
    }

    fn carry_out(&mut self, datagram: &[u8]) {
        for effect in &self.effects {
            match *effect {
                Effect::Open { port } => assert!(self.open.insert(port), "opened twice"),
                Effect::Close { port } => {
                    assert!(self.open.remove(&port), "closed what was not open");
                    assert!(!self.connected.contains_key(&port), "closed while connected");
                    self.ssrcs.remove(&port);
                }
                Effect::Connect { port, to } => {
                    assert!(self.open.contains(&port), "connected what is not open");
                    assert!(self.connected.insert(port, to).is_none(), "connected twice");
                }
                Effect::Disconnect { port } => {
                    assert!(self.connected.remove(&port).is_some(), "was not connected");
                }
                Effect::Send { port, to, bytes } => {
                    assert!(self.open.contains(&port), "sends from a closed port");
                    let connected = self.connected.get(&port).copied().unwrap_or(to);
                    assert_eq!(connected, to, "sends elsewhere than it is connected to");
                    let sent = self.effects.bytes(datagram, bytes);
                    if !is_rtcp(sent) {
                        let Ok(packet) = Packet::parse(sent) else { panic!("sends no RTP") };
                        let ssrc = *self.ssrcs.entry(port).or_insert(packet.header.ssrc);
                        assert_eq!(ssrc, packet.header.ssrc, "the stream changed its name");
                    }
                }
                Effect::Event { tenant, .. } => assert!(tenant.0 < TENANTS),
                Effect::NeedFile { file } => {
                    self.needed.insert(file);
                }
                Effect::RecordStart { recording, taken } => {
                    assert!((1..=2).contains(&taken.channels), "recorded in one channel or two");
                    assert!(self.recordings.insert(recording, (taken, 0)).is_none(), "used twice");
                }
                Effect::Record { recording, bytes } => {
                    let bytes = self.effects.bytes(datagram, bytes).len();
                    let Some((taken, length)) = self.recordings.get_mut(&recording) else {
                        panic!("more of what is over");
                    };
                    let frame = 320 * usize::from(taken.channels);
                    assert!(bytes > 0 && bytes.is_multiple_of(frame));
                    *length += u64::try_from(bytes).unwrap_or(u64::MAX);
                }
                Effect::RecordMoved { recording, call, leg } => {
                    let Some((taken, _)) = self.recordings.get_mut(&recording) else {
                        panic!("moved when it was over");
                    };
                    (taken.call, taken.leg) = (call, leg);
                }
                Effect::RecordEnd { recording } => {
                    assert!(self.recordings.remove(&recording).is_some(), "ended twice");
                }
                Effect::FindRecording(_) => panic!("nobody looks for a recording"),
            }
        }
        self.effects.clear();
    }

    fn any_leg(&mut self, bytes: &mut Choices) -> MediaLeg {
        if bytes.below(4) == 0 {
            self.negotiation += 1;
        }
        let format = |bytes: &mut Choices| {
            let codec =
                Codec::ALL[[0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 2, 3][bytes.index(16)]];
            Format { payload_type: codec.payload_type(), codec }
        };
        let port = any_port(bytes) + u16::from(bytes.below(32) / 31);
        MediaLeg {
            leg: LegId(u64::from(bytes.below(5))),
            port,
            remote: match bytes.below(8) {
                0 => None,
                1 => Some(any_address(bytes)),
                _ => Some(own_address(port)),
            },
            remote_rtcp: (bytes.below(8) == 0).then(|| any_address(bytes)),
            rtcp_mux: bytes.yes(),
            send: (bytes.below(8) > 0).then(|| format(bytes)),
            receive: (0..bytes.below(6)).map(|_| format(bytes)).collect(),
            send_digits: bytes.yes().then_some(101),
            receive_digits: bytes.yes().then_some(101),
            inband_digits: bytes.yes(),
            lock: match bytes.below(4) {
                0 => SourceLock::Described,
                1 => SourceLock::Learn { signalled: None },
                _ => SourceLock::Learn { signalled: Some(any_address(bytes).ip()) },
            },
            negotiation: self.negotiation,
        }
    }
}
