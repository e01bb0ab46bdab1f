//! A plane with phones around it, on a clock of whole milliseconds and a network without delay.

use core::net::SocketAddr;
use std::collections::{BTreeMap, BTreeSet};

use leg::{
    Audio, Clip, Format, Gain, Hears, LegId, MediaCommand, MediaEvent, MediaLeg, Player, Recorder,
    Source, SourceLock,
};
use media::measure::{Ear, Mouth, sine_at_rate};
use media::rtp::{Header, is_rtcp};
use media::{Effect, Effects, Plane, Recording, Sound, Taken};
use model::{CallId, Chance, Codec, FileId, Mono, Now, TenantId, Wall};

pub(crate) const TENANT: TenantId = TenantId(7);
pub(crate) const CALL: CallId = CallId(70);
pub(crate) const DIGITS: u8 = 101;

/// A phone: one leg of the call.
pub(crate) struct Phone {
    pub(crate) leg: MediaLeg,
    pub(crate) at: SocketAddr,
    pub(crate) mouth: Mouth,
    pub(crate) ear: Ear,
    /// Whether it says something every 20 ms.
    pub(crate) talks: bool,
    /// At which millisecond of each 20 it does.
    pub(crate) phase_ms: u64,
    /// RTCP datagrams that it got.
    pub(crate) reports: Vec<Vec<u8>>,
    /// RTP datagrams that it got.
    pub(crate) datagrams: Vec<Vec<u8>>,
}

pub(crate) struct Stage {
    pub(crate) plane: Plane,
    pub(crate) now: Now,
    pub(crate) phones: Vec<Phone>,
    pub(crate) events: Vec<MediaEvent>,
    pub(crate) connected: BTreeMap<u16, SocketAddr>,
    pub(crate) open: BTreeSet<u16>,
    pub(crate) revision: u64,
    pub(crate) hears: Vec<Hears>,
    pub(crate) clips: Vec<Clip>,
    pub(crate) recorders: Vec<Recorder>,
    /// Files that are there; what is asked for comes at once.
    pub(crate) files: BTreeMap<FileId, Sound>,
    /// What was recorded, the channels in turn; and whether it has ended.
    pub(crate) recorded: BTreeMap<FileId, (Taken, Vec<i16>, bool)>,
    recordings: BTreeMap<Recording, FileId>,
    /// Datagrams to nobody on the stage.
    pub(crate) strays: Vec<(u16, SocketAddr, Vec<u8>)>,
    effects: Effects,
}

impl Stage {
    /// Phones with these codecs; each says a tone of its own ([`tone_hz`]) at -12 dBFS. Nobody
    /// hears anything yet.
    pub(crate) fn new(codecs: &[Codec]) -> Stage {
        let now = Now { mono: Mono(3_000_007), wall: Wall(1_700_000_000_000_000) };
        let phones = codecs.iter().enumerate().map(|(n, codec)| phone(n, *codec)).collect();
        let mut stage = Stage {
            plane: Plane::new(now, Chance::from_number(42)),
            now,
            phones,
            events: Vec::new(),
            connected: BTreeMap::new(),
            open: BTreeSet::new(),
            revision: 0,
            hears: Vec::new(),
            clips: Vec::new(),
            recorders: Vec::new(),
            files: BTreeMap::new(),
            recorded: BTreeMap::new(),
            recordings: BTreeMap::new(),
            strays: Vec::new(),
            effects: Effects::new(),
        };
        stage.apply();
        stage
    }

    /// Two phones in one codec that hear each other.
    pub(crate) fn talking() -> Stage {
        let mut stage = Stage::new(&[Codec::Pcma, Codec::Pcma]);
        stage.hear(&[(0, &[voice(1)]), (1, &[voice(0)])]);
        stage
    }

    /// Commands who hears what.
    pub(crate) fn hear(&mut self, relation: &[(usize, &[(Source, Gain)])]) {
        let hears = |(listener, sources): &(usize, &[(Source, Gain)])| Hears {
            listener: leg_id(*listener),
            sources: sources.iter().copied().collect(),
        };
        self.hears = relation.iter().map(hears).collect();
        self.apply();
    }

    /// Commands the call's audio as it stands.
    pub(crate) fn apply(&mut self) {
        self.revision += 1;
        let legs = self.phones.iter().map(|phone| phone.leg.clone()).collect();
        let hears = self.hears.iter().cloned().collect();
        let mut audio = Audio::of(CALL, self.revision, legs, hears);
        audio.clips.clone_from(&self.clips);
        audio.recorders.clone_from(&self.recorders);
        self.command(MediaCommand::Audio(audio));
    }

    /// Ends the call, and waits until nothing of it is left.
    pub(crate) fn end(&mut self) {
        let (legs, hears) = Default::default();
        let audio = Audio::of(CALL, self.revision + 1, legs, hears);
        self.command(MediaCommand::Audio(audio));
        self.stall(100);
    }

    pub(crate) fn command(&mut self, command: MediaCommand) {
        let mut effects = core::mem::take(&mut self.effects);
        self.plane.command(self.now, TENANT, command, &mut effects);
        self.carry_out(effects, &[]);
    }

    /// A datagram arrives.
    pub(crate) fn arrive(&mut self, port: u16, from: SocketAddr, mut datagram: Vec<u8>) {
        let mut effects = core::mem::take(&mut self.effects);
        self.plane.packet(self.now, port, from, &mut datagram, &mut effects);
        self.carry_out(effects, &datagram);
    }

    /// A phone says its next 20 ms.
    pub(crate) fn say(&mut self, phone: usize) {
        let speaker = &mut self.phones[phone];
        let (port, from, datagram) = (speaker.leg.port, speaker.at, speaker.mouth.say());
        self.arrive(port, from, datagram);
    }

    /// A phone sends a packet of an event.
    pub(crate) fn press(&mut self, phone: usize, payload: [u8; 4], timestamp: u32) {
        let speaker = &mut self.phones[phone];
        let header = Header { payload_type: DIGITS, timestamp, ..speaker.mouth.next };
        speaker.mouth.next.sequence = header.sequence.wrapping_add(1);
        let mut datagram = header.to_bytes().to_vec();
        datagram.extend(payload);
        let (port, from) = (speaker.leg.port, speaker.at);
        self.arrive(port, from, datagram);
    }

    pub(crate) fn run_for(&mut self, ms: u64) {
        for _ in 0..ms {
            self.now = self.now + core::time::Duration::from_millis(1);
            let phase = self.now.mono.0 / 1_000 % 20;
            for n in 0..self.phones.len() {
                if self.phones[n].talks && self.phones[n].phase_ms == phase {
                    self.say(n);
                }
            }
            self.tick_if_due();
        }
    }

    /// Time passes unnoticed: the machine stood still.
    pub(crate) fn stall(&mut self, ms: u64) {
        self.now = self.now + core::time::Duration::from_millis(ms);
        self.tick_if_due();
    }

    fn tick_if_due(&mut self) {
        if self.plane.deadline().is_some_and(|at| at <= self.now.mono) {
            let mut effects = core::mem::take(&mut self.effects);
            self.plane.tick(self.now, &mut effects);
            self.carry_out(effects, &[]);
            let next = self.plane.deadline();
            assert!(next.is_none_or(|at| at > self.now.mono), "a tick leaves nothing due");
        }
    }

    fn carry_out(&mut self, mut effects: Effects, datagram: &[u8]) {
        let mut needed = Vec::new();
        for effect in &effects {
            match *effect {
                Effect::Open { port } => assert!(self.open.insert(port), "{port} opened twice"),
                Effect::Close { port } => {
                    assert!(self.open.remove(&port), "{port} closed twice");
                    assert_eq!(self.connected.get(&port), None, "{port} closed while connected");
                }
                Effect::Connect { port, to } => {
                    assert!(self.open.contains(&port), "{port} connected while closed");
                    assert_eq!(self.connected.insert(port, to), None, "{port} connected twice");
                }
                Effect::Disconnect { port } => {
                    assert!(self.connected.remove(&port).is_some(), "{port} was not connected");
                }
                Effect::Event { tenant, event } => {
                    assert_eq!(tenant, TENANT);
                    self.events.push(event);
                }
                Effect::NeedFile { file } => needed.push(file),
                Effect::FindRecording(_) => panic!("nobody looks for a recording"),
                Effect::RecordStart { recording, taken } => {
                    assert!(self.recordings.insert(recording, taken.file).is_none());
                    let begun = self.recorded.insert(taken.file, (taken, Vec::new(), false));
                    assert!(begun.is_none(), "two recordings of one file");
                }
                Effect::Record { recording, bytes } => {
                    let file = &self.recordings[&recording];
                    let (_, samples, ended) = self.recorded.get_mut(file).unwrap();
                    assert!(!*ended);
                    let bytes = effects.bytes(datagram, bytes).chunks(2);
                    samples.extend(bytes.map(|b| i16::from_le_bytes([b[0], b[1]])));
                }
                Effect::RecordMoved { recording, call, leg } => {
                    let file = &self.recordings[&recording];
                    let (taken, _, ended) = self.recorded.get_mut(file).unwrap();
                    assert!(!*ended, "moved when it was over");
                    (taken.call, taken.leg) = (call, leg);
                }
                Effect::RecordEnd { recording } => {
                    let file = &self.recordings[&recording];
                    let (_, _, ended) = self.recorded.get_mut(file).unwrap();
                    assert!(!core::mem::replace(ended, true), "ended twice");
                }
                Effect::Send { port, to, bytes } => {
                    assert!(self.open.contains(&port), "{port} sends while closed");
                    let connected = self.connected.get(&port).copied().unwrap_or(to);
                    assert_eq!(connected, to, "{port} sends elsewhere than it is connected to");
                    self.deliver(port, to, effects.bytes(datagram, bytes).to_vec());
                }
            }
        }
        effects.clear();
        for file in needed {
            self.plane.file(file, self.files.get(&file), &mut effects);
        }
        if effects.is_empty() {
            self.effects = effects;
            self.plane.check().unwrap();
        } else {
            self.carry_out(effects, &[]);
        }
    }

    /// What one channel of a recording has heard so far.
    pub(crate) fn channel(&self, file: FileId, channel: usize) -> Vec<i16> {
        let (taken, samples, _) = &self.recorded[&file];
        samples.iter().skip(channel).step_by(taken.channels.into()).copied().collect()
    }

    fn deliver(&mut self, port: u16, to: SocketAddr, datagram: Vec<u8>) {
        let beside = |at: SocketAddr| SocketAddr::new(at.ip(), at.port() + 1);
        for phone in &mut self.phones {
            if (to == phone.at || to == beside(phone.at)) && is_rtcp(&datagram) {
                phone.reports.push(datagram);
                return;
            }
            if to == phone.at {
                assert_eq!(port, phone.leg.port);
                phone.ear.hear(&datagram).unwrap();
                phone.datagrams.push(datagram);
                return;
            }
        }
        self.strays.push((port, to, datagram));
    }

    /// What a phone has heard since this was asked last.
    pub(crate) fn heard(&mut self, phone: usize) -> Vec<i16> {
        self.phones[phone].ear.take()
    }

    /// Forgets what a phone has heard and noticed; its stream goes on.
    pub(crate) fn listen_anew(&mut self, phone: usize) {
        let listener = &mut self.phones[phone];
        listener.datagrams.clear();
        listener.ear = Ear::new(listener.ear_codec(), listener.leg.send.unwrap().payload_type);
    }
}

impl Phone {
    fn ear_codec(&self) -> Codec {
        self.leg.send.unwrap().codec
    }
}

pub(crate) fn leg_id(n: usize) -> LegId {
    LegId::incoming(n as u64 + 1)
}

/// The source that a phone is, as loud as it speaks.
pub(crate) fn voice(n: usize) -> (Source, Gain) {
    (Source::Leg(leg_id(n)), Gain::UNITY)
}

pub(crate) fn player(player: Player) -> (Source, Gain) {
    (Source::Player(player), Gain::UNITY)
}

/// What the `n`th phone says: whole periods in a second, so that it never clicks.
pub(crate) fn tone_hz(n: usize) -> f64 {
    500.0 + 170.0 * n as f64
}

pub(crate) fn format(codec: Codec) -> Format {
    Format { payload_type: codec.payload_type(), codec }
}

fn phone(n: usize, codec: Codec) -> Phone {
    let host = u8::try_from(n + 1).unwrap();
    let at = SocketAddr::from(([192, 0, 2, host], 5_000));
    let leg = MediaLeg {
        leg: leg_id(n),
        port: 20_000 + 2 * u16::from(host),
        remote: Some(at),
        remote_rtcp: None,
        rtcp_mux: false,
        send: Some(format(codec)),
        receive: [format(codec)].into_iter().collect(),
        send_digits: Some(DIGITS),
        receive_digits: Some(DIGITS),
        lock: SourceLock::Learn { signalled: Some(at.ip()) },
        negotiation: 1,
        inband_digits: false,
    };
    let first = Header {
        marker: true,
        payload_type: codec.payload_type(),
        sequence: 65_500 + u16::from(host),
        timestamp: u32::MAX - 4_000 * u32::from(host),
        ssrc: 0xA000 + u32::from(host),
    };
    Phone {
        leg,
        at,
        mouth: Mouth::new(
            codec,
            first,
            sine_at_rate(
                tone_hz(n),
                -12.0,
                codec.sample_rate_hz() as usize,
                codec.sample_rate_hz(),
            ),
        ),
        ear: Ear::new(codec, codec.payload_type()),
        talks: true,
        phase_ms: 3 + 5 * n as u64 % 20,
        reports: Vec::new(),
        datagrams: Vec::new(),
    }
}
