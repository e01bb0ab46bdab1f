//! A phone's ear and mouth: what a test hears of RTP, and what it says.

use model::Codec;

use crate::codec::{Decoder, Encoder, payload_samples};
use crate::pcm::Rate;
use crate::rtp::{Header, Malformed, Packet, sequence_after, timestamp_after};

/// Listens to a stream of RTP as a phone would, and takes note of everything that is not in order.
/// Samples have the rate of the codec's sound.
#[derive(Debug)]
pub struct Ear {
    codec: Codec,
    decoder: Decoder,
    payload_type: u8,
    stream: Option<(Header, usize)>,
    first: Option<u32>,
    /// The sound from the first packet on; silence where none came.
    pub samples: Vec<i16>,
    /// What was noticed of the stream.
    pub heard: Heard,
}

/// What an [`Ear`] noticed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heard {
    /// Audio packets.
    pub packets: usize,
    /// Audio packets with a marker.
    pub markers: usize,
    /// Another SSRC than before.
    pub new_streams: usize,
    /// Sequence numbers that were left out.
    pub missing: usize,
    /// Packets that were not newer than the one before.
    pub disorder: usize,
    /// A timestamp that did not rise by what the packet before covered.
    pub jumps: usize,
    /// Packets of another payload type: digits and whatever else.
    pub others: Vec<Header>,
}

impl Ear {
    /// An ear for one codec under one payload type.
    pub fn new(codec: Codec, payload_type: u8) -> Ear {
        Ear {
            codec,
            decoder: Decoder::new(codec),
            payload_type,
            stream: None,
            first: None,
            samples: Vec::new(),
            heard: Heard::default(),
        }
    }

    /// Hears one datagram. A packet from before the recording is noticed and not heard.
    pub fn hear(&mut self, datagram: &[u8]) -> Result<Header, Malformed> {
        let packet = Packet::parse(datagram)?;
        let header = packet.header;
        let payload = packet.payload(datagram);
        if let Some((before, covered)) = self.stream {
            let ahead = sequence_after(header.sequence, before.sequence);
            if header.ssrc != before.ssrc {
                self.heard.new_streams += 1;
            } else if ahead <= 0 {
                self.heard.disorder += 1;
            } else {
                self.heard.missing += usize::from(ahead.unsigned_abs()) - 1;
                let passed = timestamp_after(header.timestamp, before.timestamp);
                if usize::try_from(passed) != Ok(covered) {
                    self.heard.jumps += 1;
                }
            }
        }
        let audio = header.payload_type == self.payload_type;
        let sound = if audio { payload_samples(self.codec, payload) } else { 0 };
        self.stream = Some((header, sound / factor(self.codec)));
        if !audio {
            self.heard.others.push(header);
            return Ok(header);
        }
        self.heard.packets += 1;
        self.heard.markers += usize::from(header.marker);
        let first = *self.first.get_or_insert(header.timestamp);
        // A minute ahead is not a pause but a stream that cannot be laid on one line.
        let at = usize::try_from(timestamp_after(header.timestamp, first)).unwrap_or(usize::MAX);
        let at = at.saturating_mul(factor(self.codec));
        if at <= self.samples.len() + 2_880_000 {
            let mut decoded = Vec::new();
            self.decoder.decode(payload, &mut decoded);
            let end = at + decoded.len();
            if self.samples.len() < end {
                self.samples.resize(end, 0);
            }
            for (to, sample) in self.samples.iter_mut().skip(at).zip(decoded) {
                *to = sample;
            }
        }
        Ok(header)
    }
}

impl Ear {
    /// The sound so far; what comes next is laid at the beginning of a new recording.
    pub fn take(&mut self) -> Vec<i16> {
        let taken = u32::try_from(self.samples.len() / factor(self.codec)).unwrap_or(0);
        self.first = self.first.map(|first| first.wrapping_add(taken));
        core::mem::take(&mut self.samples)
    }
}

/// Samples in a unit of the RTP clock.
fn factor(codec: Codec) -> usize {
    if codec == Codec::G722 { 2 } else { 1 }
}

/// Says a steady sound in RTP, as a phone would.
#[derive(Debug)]
pub struct Mouth {
    /// The codec.
    pub codec: Codec,
    /// The header of the next packet.
    pub next: Header,
    /// Samples per packet.
    pub packet_samples: usize,
    encoder: Encoder,
    sound: Vec<i16>,
    at: usize,
}

impl Mouth {
    /// Says `sound`, which has the codec's rate, over and over, from a given first header, 20 ms
    /// per packet.
    pub fn new(codec: Codec, first: Header, sound: Vec<i16>) -> Mouth {
        let (packet_samples, encoder) = (Rate::of(codec).frame(), Encoder::new(codec));
        Mouth { codec, next: first, packet_samples, encoder, sound, at: 0 }
    }

    /// The next packet.
    pub fn say(&mut self) -> Vec<u8> {
        let mut packet = self.next.to_bytes().to_vec();
        if self.encoder.codec() != self.codec {
            self.encoder = Encoder::new(self.codec);
        }
        let sound = self.sound.iter().cycle().skip(self.at).take(self.packet_samples);
        self.encoder.encode(&sound.copied().collect::<Vec<_>>(), &mut packet);
        self.pass();
        packet
    }

    /// Says another sound from now on; what was said before comes back.
    pub fn change(&mut self, sound: Vec<i16>) -> Vec<i16> {
        self.at = 0;
        core::mem::replace(&mut self.sound, sound)
    }

    /// Says nothing for the time of a packet; the next one is `gap` numbers further.
    pub fn lose(&mut self) {
        self.pass();
    }

    fn pass(&mut self) {
        self.at = (self.at + self.packet_samples) % self.sound.len().max(1);
        self.next.marker = false;
        self.next.sequence = self.next.sequence.wrapping_add(1);
        let covered = u32::try_from(self.packet_samples / factor(self.codec)).unwrap_or(0);
        self.next.timestamp = self.next.timestamp.wrapping_add(covered);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::{longest_gap, pitch_hz, sine};

    fn mouth() -> Mouth {
        let first = Header {
            marker: true,
            payload_type: 8,
            sequence: 65_530,
            timestamp: u32::MAX - 500,
            ssrc: 9,
        };
        Mouth::new(Codec::Pcma, first, sine(500.0, -10.0, 8_000))
    }

    #[test]
    fn the_ear_hears_what_the_mouth_says() {
        let (mut mouth, mut ear) = (mouth(), Ear::new(Codec::Pcma, 8));
        for _ in 0..50 {
            ear.hear(&mouth.say()).unwrap();
        }
        assert_eq!(ear.heard, Heard { packets: 50, markers: 1, ..Heard::default() });
        assert!((pitch_hz(&ear.samples).unwrap() - 500.0).abs() < 1.0);
    }

    #[test]
    fn the_ear_notices_loss_disorder_jumps_and_strange_packets() {
        let (mut mouth, mut ear) = (mouth(), Ear::new(Codec::Pcma, 8));
        for _ in 0..5 {
            ear.hear(&mouth.say()).unwrap();
        }
        mouth.lose();
        mouth.lose();
        let late = mouth.say();
        ear.hear(&mouth.say()).unwrap();
        ear.hear(&late).unwrap();
        mouth.next.ssrc = 10;
        ear.hear(&mouth.say()).unwrap();
        mouth.next.payload_type = 101;
        ear.hear(&mouth.say()).unwrap();
        let heard = &ear.heard;
        assert_eq!((heard.missing, heard.jumps), (3, 1));
        assert_eq!((heard.disorder, heard.new_streams, heard.others.len()), (1, 1, 1));
        assert!(longest_gap(&ear.samples, 50) >= 320);
    }
}
