//! One leg: what the peer sends, what it is sent, what it hears.

use core::net::SocketAddr;
use core::time::Duration;

use ::leg::{Format, Gain, LegId, MediaLeg, Player};
use model::{CallId, Chance, Codec, Mono, TenantId};
use smallvec::SmallVec;

use crate::codec::Encoder;
use crate::inband::Inband;
use crate::jitter::Jitter;
use crate::keys::Keys;
use crate::limits::{REPORT_EVERY, REPORT_SPREAD, SILENCE};
use crate::presses::Presses;
use crate::received::Received;
use crate::seam::Seam;
use crate::sent::Sent;
use crate::source::{ControlLock, Lock};

use super::parted::Past;
use super::{CallKey, LegKey};

/// The payload type of comfort noise (RFC 3389), assigned for ever and never negotiated here.
const COMFORT_NOISE: u8 = 13;

pub(super) struct Leg {
    /// Its number: slots are used again.
    pub(super) serial: u64,
    pub(super) tenant: TenantId,
    pub(super) call_id: CallId,
    /// `None`: it has left its call, and waits to be named by another.
    pub(super) call: Option<CallKey>,
    pub(super) id: LegId,
    pub(super) wants: MediaLeg,
    pub(super) before: Before,
    pub(super) lock: Lock,
    pub(super) control: ControlLock,
    pub(super) received: Received,
    pub(super) peer: Option<PeerReport>,
    pub(super) sent: Sent,
    pub(super) keys: Keys,
    pub(super) presses: Presses,
    /// While its keys are heard as tones.
    pub(super) inband: Option<Inband>,
    pub(super) hearing: Hearing,
    /// From when it left a call until it is resolved in the next.
    pub(super) past: Option<Box<Past>>,
    /// The legs whose `hearing` relays this one.
    pub(super) relayed_to: SmallVec<[LegKey; 2]>,
    /// While it is mixed into what somebody hears.
    pub(super) jitter: Option<Box<Jitter>>,
    /// What the peer's newest packet was coded in; `None`: none has come.
    pub(super) spoken: Option<Codec>,
    /// While it is sent what is mixed, in a codec with a memory.
    pub(super) encoder: Option<Encoder>,
    pub(super) seam: Seam,
    pub(super) cname: [u8; 16],
    /// The count of sent packets at the last report.
    pub(super) reported: u32,
    pub(super) watch: Watch,
    pub(super) report_at: Mono,
    /// When the pressed key counts as released, at the earliest.
    pub(super) key_at: Option<Mono>,
    /// Where the leg stands among the plane's timers.
    pub(super) armed: Option<Mono>,
}

/// Payload types that were taken before the last change, until the first packet of the new.
#[derive(Debug, Default)]
pub(super) struct Before {
    pub(super) receive: SmallVec<[Format; 2]>,
    pub(super) digits: Option<u8>,
}

/// What a leg hears, resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Hearing {
    /// Nothing, so nothing is sent.
    Nothing,
    /// The packets of one leg.
    Relay(LegKey),
    /// A sum, frame by frame.
    Mix(SmallVec<[(Voice, Gain); 2]>),
}

impl Hearing {
    /// What it is made of.
    pub(super) fn voices(&self) -> impl Iterator<Item = Voice> {
        let (relayed, mixed): (_, &[_]) = match self {
            Hearing::Nothing => (None, &[]),
            Hearing::Relay(source) => (Some(Voice::Leg(*source)), &[]),
            Hearing::Mix(voices) => (None, voices),
        };
        relayed.into_iter().chain(mixed.iter().map(|(voice, _)| *voice))
    }
}

/// A summand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Voice {
    Leg(LegKey),
    Player(Player),
}

/// Whether the peer is heard of.
#[derive(Debug, Default)]
pub(super) struct Watch {
    pub(super) heard_at: Option<Mono>,
    /// Since when the peer should be sending; `None`: it need not.
    pub(super) expected: Option<Mono>,
    /// `Silent` was said and `Audible` not yet.
    pub(super) silent: bool,
    /// When the silence has lasted too long, at the earliest.
    pub(super) due: Option<Mono>,
}

/// What the payload of a packet is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Payload {
    Audio(Codec),
    Digit,
    ComfortNoise,
    Unknown,
}

/// What is known of a leg's streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LegStats {
    /// RTP packets of the peer's current stream.
    pub received: u64,
    /// Those that never came.
    pub lost: i64,
    /// Jitter of the peer's stream as RFC 3550 counts it.
    pub jitter: Duration,
    /// RTP packets sent to the peer.
    pub sent: u32,
    /// The SSRC under which the peer knows us.
    pub ssrc: u32,
    /// The source that is believed.
    pub source: Option<SocketAddr>,
    /// Whether that source is locked.
    pub locked: bool,
    /// What the peer says of what we send.
    pub peer: Option<PeerReport>,
}

/// A peer's report on what we send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerReport {
    /// Lost in all.
    pub lost: i32,
    /// Lost in the last interval, in 1/256.
    pub fraction: u8,
    /// Jitter at the peer.
    pub jitter: Duration,
    /// There and back, where the peer told enough to compute it.
    pub round_trip: Option<Duration>,
}

impl Leg {
    pub(super) fn new(
        tenant: TenantId,
        (call, call_id): (CallKey, CallId),
        serial: u64,
        wants: MediaLeg,
        now: Mono,
        chance: &mut Chance,
    ) -> Leg {
        let sent = Sent::new(chance);
        let mut cname = [0; 16];
        let letters = chance.wide_bits().to_be_bytes();
        for (to, bits) in cname.iter_mut().zip(letters) {
            *to = b"abcdefghijkmnpqrstuvwxyz23456789"[usize::from(bits & 31)];
        }
        Leg {
            serial,
            tenant,
            call_id,
            call: Some(call),
            id: wants.leg,
            lock: Lock::new(wants.lock, wants.remote, wants.negotiation),
            control: ControlLock::new(wants.lock, remote_rtcp(&wants)),
            before: Before::default(),
            received: Received::default(),
            peer: None,
            report_at: now + report_period(sent.ssrc()),
            sent,
            keys: Keys::default(),
            presses: Presses::default(),
            inband: None,
            hearing: Hearing::Nothing,
            past: None,
            relayed_to: SmallVec::new(),
            jitter: None,
            spoken: None,
            encoder: None,
            seam: Seam::default(),
            cname,
            reported: 0,
            watch: Watch::default(),
            key_at: None,
            armed: None,
            wants,
        }
    }

    /// Where sound goes, and as what; `None`: nothing is sent.
    pub(super) fn outlet(&self) -> Option<(SocketAddr, Format)> {
        self.wants.remote?;
        Some((self.lock.target()?, self.wants.send?))
    }

    /// Where digits go, and under which payload type.
    pub(super) fn digit_outlet(&self) -> Option<(SocketAddr, u8)> {
        self.wants.remote?;
        Some((self.lock.target()?, self.wants.send_digits?))
    }

    /// Where digits go as tones, and as what: only if the peer takes them in no other way.
    pub(super) fn tone_outlet(&self) -> Option<(SocketAddr, Format)> {
        let as_tones = self.wants.inband_digits && self.wants.send_digits.is_none();
        self.outlet().filter(|_| as_tones)
    }

    /// From which of our ports RTCP goes where.
    pub(super) fn control_outlet(&self) -> Option<(u16, SocketAddr)> {
        self.wants.remote?;
        if self.wants.rtcp_mux {
            Some((self.wants.port, self.lock.target()?))
        } else {
            Some((self.control_port(), self.control.target(&self.lock)?))
        }
    }

    /// Our RTCP port when it is not multiplexed.
    pub(super) fn control_port(&self) -> u16 {
        self.wants.port | 1
    }

    /// What the peer speaks, or is going to speak.
    pub(super) fn speaks(&self) -> Option<Codec> {
        let described = self.wants.send.or(self.wants.receive.first().copied());
        self.spoken.or(described.map(|format| format.codec))
    }

    pub(super) fn takes_digits(&self) -> bool {
        self.digit_outlet().is_some() || self.tone_outlet().is_some()
    }

    /// Whether the 20 ms clock has anything to do for this leg.
    pub(super) fn needs_clock(&self) -> bool {
        self.presses.busy()
            || self.inband.is_some()
            || (matches!(self.hearing, Hearing::Mix(_)) && self.outlet().is_some())
    }

    /// What a payload type means, by the session in force; by the one before it until the first
    /// packet that only the new one knows.
    pub(super) fn payload(&mut self, payload_type: u8) -> Payload {
        let find = |formats: &[Format]| {
            formats.iter().find(|f| f.payload_type == payload_type).map(|f| f.codec)
        };
        let (new, old) = (find(&self.wants.receive), find(&self.before.receive));
        if let Some(codec) = new {
            if old != new {
                self.before.receive.clear();
            }
            return Payload::Audio(codec);
        }
        if self.wants.receive_digits == Some(payload_type) {
            self.before.digits = None;
            return Payload::Digit;
        }
        if let Some(codec) = old {
            return Payload::Audio(codec);
        }
        match payload_type {
            COMFORT_NOISE => Payload::ComfortNoise,
            _ if self.before.digits == Some(payload_type) => Payload::Digit,
            _ => Payload::Unknown,
        }
    }

    pub(super) fn deadline(&self) -> Option<Mono> {
        let others = self.key_at.into_iter().chain(self.watch.due);
        others.chain([self.report_at]).min()
    }

    pub(super) fn stats(&self) -> LegStats {
        LegStats {
            received: self.received.packets(),
            lost: self.received.lost(),
            jitter: duration_of_units(self.received.jitter(), clock_hz(self.speaks())),
            sent: self.sent.totals().0,
            ssrc: self.sent.ssrc(),
            source: self.lock.source(),
            locked: self.lock.locked().is_some(),
            peer: self.peer,
        }
    }
}

impl Watch {
    /// The peer should be sending from now on, or need not any longer.
    pub(super) fn expect(&mut self, now: Mono, expectation: Expectation) {
        match (expectation, self.expected) {
            (Expectation::Sends, None) => {
                self.expected = Some(now);
                self.due = (!self.silent).then(|| now + SILENCE);
            }
            (Expectation::NeedNot, Some(_)) => (self.expected, self.due) = (None, None),
            (Expectation::Sends, Some(_)) | (Expectation::NeedNot, None) => {}
        }
    }

    /// The peer was heard; `true` when that ends a silence.
    pub(super) fn heard(&mut self, now: Mono) -> bool {
        self.heard_at = Some(now);
        let was_silent = core::mem::replace(&mut self.silent, false);
        if was_silent {
            self.due = self.expected.map(|_| now + SILENCE);
        }
        was_silent
    }

    /// `true` when the silence has lasted too long; else looks again when it may have.
    pub(super) fn expire(&mut self, now: Mono) -> bool {
        let Some(expected) = self.expected.filter(|_| self.due.is_some_and(|due| due <= now))
        else {
            return false;
        };
        // Heard before it was expected: then the first `due` was counted from the expectation.
        let due = self.heard_at.unwrap_or(expected) + SILENCE;
        self.silent = due <= now;
        self.due = (!self.silent).then_some(due);
        self.silent
    }
}

/// Whether a peer should be sending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expectation {
    /// Somebody hears it, and it knows where to.
    Sends,
    /// Nobody would notice.
    NeedNot,
}

/// Where the session says that the peer receives RTCP.
pub(super) fn remote_rtcp(wants: &MediaLeg) -> Option<SocketAddr> {
    wants.remote_rtcp.or_else(|| {
        let remote = wants.remote?;
        Some(SocketAddr::new(remote.ip(), remote.port().checked_add(1)?))
    })
}

/// The time between two reports of a stream: spread by its SSRC, so that the reports of calls that
/// began together do not come together.
pub(super) fn report_period(ssrc: u32) -> Duration {
    REPORT_EVERY - REPORT_SPREAD / 2 + REPORT_SPREAD * (ssrc % 1_000) / 1_000
}

pub(super) fn duration_of_units(units: u32, clock_hz: u32) -> Duration {
    Duration::from_micros(u64::from(units) * 1_000_000 / u64::from(clock_hz.max(1)))
}

/// The clock of a codec; G.711's where there is none.
pub(super) fn clock_hz(codec: Option<Codec>) -> u32 {
    codec.map_or(8_000, Codec::clock_rate_hz)
}
