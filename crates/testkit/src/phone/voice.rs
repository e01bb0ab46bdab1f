//! The audio of one call at a phone: what it sends, and what has arrived.

use core::net::SocketAddr;
use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};

use media::codec::{Decoder, Encoder};
use model::{Codec, Digit, Mono};

use super::keypad;
use super::manner::Events;
use super::sound::{self, Content, FRAME, Label};

/// How long what was heard is remembered.
const MEMORY: Duration = Duration::from_millis(1_000);

/// Packets of a key that is pressed, and repeated ends (RFC 4733 2.5.1).
const KEY_PACKETS: u16 = 8;
const END_PACKETS: u16 = 3;

/// The sending half.
#[derive(Debug)]
pub(crate) struct Mouth {
    label: Label,
    ssrc: u32,
    sequence: u16,
    timestamp: u32,
    /// When the next packet is due.
    pub(crate) next: Option<Mono>,
    /// Keys that wait to be sent, and how many packets of the first are out.
    keys: VecDeque<Digit>,
    key_packets: u16,
    is_first: bool,
    /// Keys that wait to be sent as tones, and how many packets of the first are out.
    tones: VecDeque<Digit>,
    tone_packets: u32,
    /// What encodes codecs that have a memory.
    encoder: Option<Encoder>,
    /// Their payloads of the last second, oldest first.
    pub(crate) said: VecDeque<Vec<u8>>,
}

/// Packets of a key that is pressed as a tone, and of the pause behind it.
const TONE_PACKETS: u32 = 6;
const PAUSE_PACKETS: u32 = 4;

/// Payloads of one second.
const SAID_MAX: usize = 50;

/// Where a packet goes and what it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Channel {
    /// Where the other side receives.
    pub(crate) to: SocketAddr,
    /// The codec in use.
    pub(crate) codec: Codec,
    /// Payload type under which the other side takes RFC 4733 events.
    pub(crate) events: Option<u8>,
}

impl Mouth {
    pub(crate) fn new(phone: u8, call: u8, ssrc: u32, sequence: u16) -> Mouth {
        Mouth {
            label: Label { phone, call, packet: 0 },
            ssrc,
            sequence,
            timestamp: ssrc.rotate_left(7),
            next: None,
            keys: VecDeque::new(),
            key_packets: 0,
            is_first: true,
            tones: VecDeque::new(),
            tone_packets: 0,
            encoder: None,
            said: VecDeque::new(),
        }
    }

    /// Presses a key: it comes before further audio.
    pub(crate) fn press(&mut self, digit: Digit, events: Events) {
        match events {
            Events::InBand => self.tones.push_back(digit),
            Events::Rfc4733 | Events::Info => self.keys.push_back(digit),
        }
    }

    /// Whether keys wait to be sent.
    pub(crate) fn is_pressing(&self) -> bool {
        !self.keys.is_empty() || !self.tones.is_empty()
    }

    /// How many packets of audio it has sent.
    pub(crate) fn packets(&self) -> u32 {
        self.label.packet
    }

    /// The packet that is due; `elapsed` since the one before.
    pub(crate) fn say(&mut self, channel: &Channel, elapsed: Duration) -> Vec<u8> {
        let key = match (self.keys.front(), channel.events) {
            (Some(digit), Some(pt)) => Some((*digit, pt)),
            // The other side takes none: whoever presses here finds the key dead.
            (Some(_), None) => {
                self.keys.clear();
                None
            }
            (None, _) => None,
        };
        let packet = match key {
            Some((digit, pt)) => self.key_packet(digit, pt),
            None => self.audio_packet(channel.codec, elapsed),
        };
        self.sequence = self.sequence.wrapping_add(1);
        packet
    }

    fn audio_packet(&mut self, codec: Codec, elapsed: Duration) -> Vec<u8> {
        let mut packet = self.header(codec.payload_type(), self.is_first);
        self.is_first = false;
        packet.extend(self.payload(codec));
        self.label.packet += 1;
        let per_ms = u128::from(codec.clock_rate_hz() / 1_000);
        let units = u32::try_from(elapsed.as_millis() * per_ms).unwrap_or(0);
        self.timestamp = self.timestamp.wrapping_add(units);
        packet
    }

    fn payload(&mut self, codec: Codec) -> Vec<u8> {
        let number = self.label.packet;
        let samples = match self.tones.front() {
            None if sound::CODECS.contains(&codec) => return sound::say(codec, self.label),
            None => sound::tone(codec, self.label.phone, number),
            Some(digit) if self.tone_packets < TONE_PACKETS => {
                sound::waves(codec, self.tone_packets, &keypad::hz_of(*digit))
            }
            Some(_) => sound::waves(codec, number, &[]),
        };
        if !self.tones.is_empty() {
            self.tone_packets += 1;
            if self.tone_packets == TONE_PACKETS + PAUSE_PACKETS {
                self.tones.pop_front();
                self.tone_packets = 0;
            }
        }
        if self.encoder.as_ref().is_none_or(|encoder| encoder.codec() != codec) {
            self.encoder = Some(Encoder::new(codec));
        }
        let mut payload = Vec::new();
        if let Some(encoder) = &mut self.encoder {
            encoder.encode(&samples, &mut payload);
        }
        while self.said.len() >= SAID_MAX {
            self.said.pop_front();
        }
        self.said.push_back(payload.clone());
        payload
    }

    fn key_packet(&mut self, digit: Digit, payload_type: u8) -> Vec<u8> {
        let at = self.key_packets;
        self.key_packets += 1;
        let mut packet = self.header(payload_type, at == 0);
        let is_end = at >= KEY_PACKETS;
        let duration = (at + 1).min(KEY_PACKETS + 1) * 160;
        packet.extend([digit.event(), if is_end { 0x8A } else { 0x0A }]);
        packet.extend(duration.to_be_bytes());
        if self.key_packets == KEY_PACKETS + END_PACKETS {
            self.keys.pop_front();
            self.key_packets = 0;
            let units = u32::from(KEY_PACKETS + END_PACKETS) * 160;
            self.timestamp = self.timestamp.wrapping_add(units);
            self.is_first = true;
        }
        packet
    }

    fn header(&self, payload_type: u8, marker: bool) -> Vec<u8> {
        let mut packet = Vec::with_capacity(12 + FRAME);
        packet.extend([0x80, payload_type | if marker { 0x80 } else { 0 }]);
        packet.extend(self.sequence.to_be_bytes());
        packet.extend(self.timestamp.to_be_bytes());
        packet.extend(self.ssrc.to_be_bytes());
        packet
    }
}

/// The hearing half.
#[derive(Debug, Default)]
pub(crate) struct Ear {
    heard: VecDeque<(Mono, Content)>,
    /// Digits by RFC 4733, each once.
    pub(crate) digits: String,
    last_event: Option<u32>,
    /// Events whose end has come; as many as digits when all is well.
    pub(crate) ended_events: usize,
    last_ended: Option<u32>,
    /// What came from each call of each phone.
    pub(crate) streams: BTreeMap<(u8, u8), Received>,
    /// RTP packets.
    pub(crate) packets: u64,
    /// Packets that are no RTP of the session.
    pub(crate) strange: u64,
    ssrc: Option<u32>,
    /// How often the SSRC has changed under way.
    pub(crate) ssrc_changes: u32,
    /// What decodes codecs that have a memory.
    decoder: Option<Decoder>,
    /// Their newest payload.
    pub(crate) newest: Vec<u8>,
}

/// The labelled packets of one speaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Received {
    pub(crate) first: u32,
    pub(crate) last: u32,
    pub(crate) count: u32,
}

impl Received {
    /// Packets between the first and the last that have not come.
    pub(crate) fn missing(&self) -> u32 {
        (self.last - self.first + 1).saturating_sub(self.count)
    }
}

impl Ear {
    /// Takes one datagram of the RTP port.
    pub(crate) fn hear(&mut self, now: Mono, bytes: &[u8], events: u8) {
        let (Some(head), Some(payload)) = (bytes.get(..12), bytes.get(12..)) else {
            self.strange += 1;
            return;
        };
        // RTCP with the RTP port (RFC 5761 4).
        if head.first().is_none_or(|b| b & 0xC0 != 0x80) || (192..224).contains(&head[1]) {
            self.strange += 1;
            return;
        }
        let payload_type = head[1] & 0x7F;
        let number =
            |at: usize| u32::from_be_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        let (timestamp, ssrc) = (number(4), number(8));
        self.packets += 1;
        if self.ssrc.is_some_and(|s| s != ssrc) {
            self.ssrc_changes += 1;
        }
        self.ssrc = Some(ssrc);
        if payload_type == events {
            return self.event(timestamp, payload);
        }
        let Some(codec) = Codec::ALL.into_iter().find(|c| c.payload_type() == payload_type) else {
            self.strange += 1;
            return;
        };
        let content = match sound::CODECS.contains(&codec) {
            true => sound::listen(codec, payload),
            false => self.decoded(codec, payload),
        };
        if let Content::Labelled(label) = &content {
            self.note(*label);
        }
        while self.heard.front().is_some_and(|(at, _)| now.since(*at) > MEMORY) {
            self.heard.pop_front();
        }
        self.heard.push_back((now, content));
    }

    fn decoded(&mut self, codec: Codec, payload: &[u8]) -> Content {
        if self.decoder.as_ref().is_none_or(|decoder| decoder.codec() != codec) {
            self.decoder = Some(Decoder::new(codec));
        }
        let mut samples = Vec::new();
        if let Some(decoder) = &mut self.decoder {
            decoder.decode(payload, &mut samples);
        }
        payload.clone_into(&mut self.newest);
        sound::listen_wide(codec, &samples)
    }

    fn note(&mut self, label: Label) {
        let new = Received { first: label.packet, last: label.packet, count: 0 };
        let stream = self.streams.entry((label.phone, label.call)).or_insert(new);
        stream.first = stream.first.min(label.packet);
        stream.last = stream.last.max(label.packet);
        stream.count += 1;
    }

    fn event(&mut self, timestamp: u32, payload: &[u8]) {
        let &[code, flags, _, _] = payload else {
            self.strange += 1;
            return;
        };
        if self.last_event != Some(timestamp) {
            self.last_event = Some(timestamp);
            self.digits.extend(Digit::from_event(code).map(Digit::as_char));
        }
        if flags & 0x80 != 0 && self.last_ended != Some(timestamp) {
            self.last_ended = Some(timestamp);
            self.ended_events += 1;
        }
    }

    /// What came in the last `window` before `now`.
    pub(crate) fn heard(&self, now: Mono, window: Duration) -> impl Iterator<Item = &Content> {
        self.heard.iter().filter(move |(at, _)| now.since(*at) <= window).map(|(_, c)| c)
    }
}
