//! Packets: judged by their source, told apart by their payload, relayed in the caller's buffer.

use core::net::SocketAddr;

use ::leg::MediaEventKind;
use model::{Codec, Now};

use crate::codec::payload_samples;
use crate::counters::Dropped;
use crate::effects::{Effect, Effects};
use crate::g711;
use crate::limits::RTP_HEADER_BYTES;
use crate::received::{Arrival, Timed};
use crate::rtcp::{self, Told};
use crate::rtp::{Header, Packet, is_rtcp};
use crate::sent::{Origin, Stamp};
use crate::source::Verdict;

use super::leg::{Leg, Payload, PeerReport, clock_hz, duration_of_units};
use super::relation::event;
use super::{LegKey, Plane};

/// Longer round trips are a clock that was set, not a network.
const ROUND_TRIP_MAX_UNITS: u32 = 30 << 16;

impl Plane {
    /// Takes a datagram that came to one of our ports. It may be rewritten in place: an
    /// [`Effect::Send`] may point into it, so it must stay until the effects are carried out.
    pub fn packet(
        &mut self,
        now: Now,
        port: u16,
        from: SocketAddr,
        bytes: &mut [u8],
        effects: &mut Effects,
    ) {
        let Some(key) = self.leg_at(port) else {
            self.counters.drop_one(Dropped::NoLeg);
            return;
        };
        match (port % 2 == 1, is_rtcp(bytes)) {
            (false, false) => self.rtp(now, key, from, bytes, effects),
            (_, true) => self.rtcp(now, key, port, from, bytes, effects),
            (true, false) => self.counters.drop_one(Dropped::Malformed),
        }
    }

    fn rtp(
        &mut self,
        now: Now,
        key: LegKey,
        from: SocketAddr,
        bytes: &mut [u8],
        effects: &mut Effects,
    ) {
        let Ok(packet) = Packet::parse(bytes) else {
            self.counters.drop_one(Dropped::Malformed);
            return;
        };
        let header = packet.header;
        let due = self.time_of(self.ticks + 1);
        let Some(leg) = self.legs.get_mut(key.0) else { return };
        match leg.lock.judge(now.mono, from, &header) {
            Verdict::Stranger => {
                self.counters.drop_one(Dropped::Stranger);
                return;
            }
            Verdict::Locked => {
                let to = leg.lock.locked().unwrap_or(from);
                effects.push(Effect::Connect { port: leg.wants.port, to });
            }
            Verdict::Believed => {}
        }
        self.counters.received += 1;
        let mut rearm = leg.watch.heard(now.mono);
        if rearm {
            effects.push(event(leg, MediaEventKind::Audible));
        }
        let payload = leg.payload(header.payload_type);
        let timed = match payload {
            Payload::Audio(codec) if packet.start < packet.end => {
                Timed::Yes { clock_hz: codec.clock_rate_hz() }
            }
            _ => Timed::No,
        };
        match leg.received.note(now.mono, &header, timed) {
            Arrival::Wild => {
                self.counters.drop_one(Dropped::WildSequence);
                self.arm(key);
                return;
            }
            Arrival::First => {
                if let Some(jitter) = &mut leg.jitter {
                    jitter.restart();
                }
                for kind in leg.keys.restart(now.mono) {
                    effects.push(event(leg, kind));
                }
            }
            Arrival::Next | Arrival::Late => {}
        }
        match payload {
            Payload::Audio(codec) if timed != Timed::No => {
                if let Some(jitter) = &mut leg.jitter {
                    let (payload, times) = (packet.payload(bytes), (now.mono, due));
                    if jitter.insert(times, header.timestamp, codec, payload).is_err() {
                        self.counters.drop_one(Dropped::TooLate);
                    }
                }
                if leg.spoken.replace(codec) != Some(codec) {
                    // Perhaps it can be passed on no more as it is, or now it can.
                    if let Some(call) = leg.call {
                        self.resolve(now, call);
                        self.watch_clock(now, call);
                    }
                }
                self.relay(now, key, codec, packet, bytes, effects);
            }
            Payload::Digit => {
                self.counters.digits_received += 1;
                for kind in leg.keys.packet(now.mono, &header, packet.payload(bytes)) {
                    effects.push(event(leg, kind));
                }
                if leg.key_at.is_none() {
                    leg.key_at = leg.keys.deadline();
                    rearm = leg.key_at.is_some();
                }
                self.withhold(key, &header);
            }
            Payload::ComfortNoise => {
                self.counters.comfort_noise += 1;
                if let (Some(jitter), Some(level)) =
                    (&mut leg.jitter, packet.payload(bytes).first())
                {
                    jitter.comfort(level & 0x7F);
                }
                self.withhold(key, &header);
            }
            Payload::Unknown => {
                self.counters.drop_one(Dropped::UnknownPayload);
                self.withhold(key, &header);
            }
            Payload::Audio(_) => {
                self.counters.drop_one(Dropped::Empty);
                self.withhold(key, &header);
            }
        }
        if rearm {
            self.arm(key);
        }
    }

    /// Sends a packet on to every leg that hears this one alone. The last of them gets it in the
    /// caller's buffer, the others in the scratch area.
    fn relay(
        &mut self,
        now: Now,
        key: LegKey,
        codec: Codec,
        packet: Packet,
        bytes: &mut [u8],
        effects: &mut Effects,
    ) {
        let listeners = self.legs.get(key.0).map_or(0, |leg| leg.relayed_to.len());
        if listeners == 0 {
            return;
        }
        let span = match codec {
            Codec::Pcma | Codec::Pcmu | Codec::G722 => packet.end - packet.start,
            Codec::Opus => payload_samples(codec, packet.payload(bytes)),
        };
        let span = u32::try_from(span).unwrap_or(0);
        let origin = Origin::Stream { leg: key.0, ssrc: packet.header.ssrc };
        for n in 0..listeners {
            let listener = self.legs.get(key.0).and_then(|leg| leg.relayed_to.get(n)).copied();
            let listener = listener.and_then(|listener| self.legs.get_mut(listener.0));
            let Some(listener) = listener else { continue };
            if listener.presses.busy() {
                self.counters.drop_one(Dropped::DuringDigit);
                continue;
            }
            let Some((to, format)) = listener.outlet() else {
                // What is not sent is not missed: the next packet that is sent begins a run.
                listener.sent.break_run();
                continue;
            };
            if !g711::converts(codec, format.codec) {
                self.counters.drop_one(Dropped::UnknownPayload);
                listener.sent.break_run();
                continue;
            }
            let stamp = listener.sent.relay(now.mono, origin, &packet.header, span);
            let Some(stamp) = stamp else {
                self.counters.drop_one(Dropped::BeforeChange);
                continue;
            };
            listener.sent.count(packet.end - packet.start);
            self.counters.relayed += 1;
            let header = stamped(stamp, format.payload_type, listener.sent.ssrc()).to_bytes();
            let port = listener.wants.port;
            if n + 1 < listeners {
                effects.send(port, to, |datagram| {
                    datagram.extend(header);
                    let start = datagram.len();
                    datagram.extend(packet.payload(bytes));
                    let payload = datagram.get_mut(start..).unwrap_or(&mut []);
                    g711::convert(codec, format.codec, payload);
                    listener.seam.pass(format.codec, payload);
                });
                continue;
            }
            // Right before the payload, over whatever extension or CSRCs stood there.
            let start = packet.start.saturating_sub(RTP_HEADER_BYTES);
            let datagram = bytes.get_mut(start..packet.end).unwrap_or(&mut []);
            if let Some((place, payload)) = datagram.split_first_chunk_mut() {
                *place = header;
                g711::convert(codec, format.codec, payload);
                listener.seam.pass(format.codec, payload);
            }
            effects.send_packet(port, to, start, packet.end);
        }
    }

    /// The listeners are not given a packet, and shall not miss it either.
    fn withhold(&mut self, key: LegKey, header: &Header) {
        let listeners = self.legs.get(key.0).map_or(0, |leg| leg.relayed_to.len());
        let origin = Origin::Stream { leg: key.0, ssrc: header.ssrc };
        for n in 0..listeners {
            let listener = self.legs.get(key.0).and_then(|leg| leg.relayed_to.get(n)).copied();
            if let Some(listener) = listener.and_then(|listener| self.legs.get_mut(listener.0)) {
                listener.sent.skip(origin, header.sequence);
            }
        }
    }

    fn rtcp(
        &mut self,
        now: Now,
        key: LegKey,
        port: u16,
        from: SocketAddr,
        bytes: &[u8],
        effects: &mut Effects,
    ) {
        let Some(leg) = self.legs.get_mut(key.0) else { return };
        let verdict = if port == leg.wants.port {
            leg.lock.admit(from)
        } else if leg.wants.rtcp_mux {
            Verdict::Stranger
        } else {
            leg.control.judge(from, &leg.lock)
        };
        match verdict {
            Verdict::Stranger => {
                self.counters.drop_one(Dropped::Stranger);
                return;
            }
            Verdict::Locked => {
                let to = leg.control.locked().unwrap_or(from);
                effects.push(Effect::Connect { port, to });
            }
            Verdict::Believed => {}
        }
        match rtcp::read(bytes, |told| leg.note(now, told)) {
            Ok(()) => self.counters.reports_received += 1,
            Err(rtcp::Malformed) => self.counters.drop_one(Dropped::Malformed),
        }
    }
}

impl Leg {
    /// Takes note of what the peer reports. It is never passed on: each side has its own streams.
    fn note(&mut self, now: Now, told: Told) {
        match told {
            Told::Sender { ssrc, sender } => {
                self.received.note_report(now.mono, ssrc, sender.ntp);
            }
            Told::Block(block) if block.ssrc == self.sent.ssrc() => {
                let middle = u32::try_from((rtcp::ntp(now.wall) >> 16) & 0xFFFF_FFFF).unwrap_or(0);
                let units = middle.wrapping_sub(block.last_report).wrapping_sub(block.delay);
                let known = block.last_report != 0 && units < ROUND_TRIP_MAX_UNITS;
                self.peer = Some(PeerReport {
                    lost: block.lost,
                    fraction: block.fraction,
                    jitter: duration_of_units(
                        block.jitter,
                        clock_hz(self.wants.send.map(|f| f.codec)),
                    ),
                    round_trip: known.then(|| {
                        core::time::Duration::from_micros((u64::from(units) * 1_000_000) >> 16)
                    }),
                });
            }
            // The signalling says when a call is over; a stream's end says nothing about it.
            Told::Block(_) | Told::Goodbye => {}
        }
    }
}

pub(super) fn stamped(stamp: Stamp, payload_type: u8, ssrc: u32) -> Header {
    Header {
        marker: stamp.marker,
        payload_type,
        sequence: stamp.sequence,
        timestamp: stamp.timestamp,
        ssrc,
    }
}
