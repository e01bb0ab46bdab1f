//! The jitter buffer of a leg that is decoded for mixing: packets in, one frame per 20 ms out.
//!
//! Samples are laid on a ring by their timestamps, so packets of any length and in any order fall
//! into place, and a hole is simply a place where nothing lies. The delay finds its own size: for a
//! packet that is late, with nothing heard yet of what follows it, the play goes back; a stream
//! that is always early gives a frame up.

use model::Codec;

use crate::g711;
use crate::limits::{
    FRAME_SAMPLES, FRAME_UNITS, JITTER_DEPTH_SAMPLES, JITTER_PREFILL_SAMPLES, JITTER_RING_SAMPLES,
    JITTER_SHRINK_FRAMES,
};
use crate::rtp::timestamp_after;

/// One frame of linear samples.
pub type Frame = [i16; FRAME_SAMPLES];

/// A jitter buffer. Its memory is fixed when it is made.
#[derive(Debug)]
pub struct Jitter {
    ring: [Option<i16>; JITTER_RING_SAMPLES],
    /// Timestamp of the next sample to play; `None` until a packet comes.
    cursor: Option<u32>,
    /// Timestamp after the newest sample.
    end: u32,
    /// Timestamp after the last sample that was played.
    heard: u32,
    frame: Frame,
    /// Samples in a row that were missing.
    missing: u32,
    /// The lowest depth since `watched` began to count.
    lowest: u32,
    watched: u32,
}

/// The packet came too late to be heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLate;

impl Default for Jitter {
    fn default() -> Jitter {
        Jitter {
            ring: [None; JITTER_RING_SAMPLES],
            cursor: None,
            end: 0,
            heard: 0,
            frame: [0; FRAME_SAMPLES],
            missing: FRAME_UNITS,
            lowest: u32::MAX,
            watched: 0,
        }
    }
}

impl Jitter {
    /// Lays a packet in.
    pub fn insert(&mut self, timestamp: u32, codec: Codec, payload: &[u8]) -> Result<(), TooLate> {
        let payload = payload.get(..payload.len().min(PAYLOAD_MAX)).unwrap_or(&[]);
        let length = u32::try_from(payload.len()).unwrap_or(0);
        let end = timestamp.wrapping_add(length);
        let cursor = match self.cursor {
            Some(cursor) => self.place_packet(cursor, timestamp, length)?,
            None => self.begin(timestamp),
        };
        self.cursor = Some(cursor);
        for (at, code) in (0u32..).zip(payload) {
            let at = timestamp.wrapping_add(at);
            if timestamp_after(at, cursor) >= 0 {
                self.ring[place(at)] = Some(g711::decode(codec, *code));
            }
        }
        if timestamp_after(end, self.end) > 0 {
            self.end = end;
        }
        let excess = self.waiting(cursor).saturating_sub(JITTER_DEPTH_SAMPLES + length);
        self.skip(excess);
        Ok(())
    }

    /// Where the cursor must stand for a packet: mostly where it is; back where a late packet
    /// begins, if nothing after that was heard yet; or anew.
    fn place_packet(&mut self, cursor: u32, timestamp: u32, length: u32) -> Result<u32, TooLate> {
        let end = timestamp.wrapping_add(length);
        let ahead = timestamp_after(timestamp, cursor);
        if ahead >= 0 && timestamp_after(end, cursor) <= RING {
            return Ok(cursor);
        }
        if (-RING..0).contains(&ahead) {
            let newest = if timestamp_after(end, self.end) > 0 { end } else { self.end };
            let depth = u32::try_from(timestamp_after(newest, timestamp)).unwrap_or(u32::MAX);
            let unheard = timestamp_after(timestamp, self.heard) >= 0;
            return if unheard && depth <= JITTER_DEPTH_SAMPLES + length {
                Ok(timestamp)
            } else if timestamp_after(end, cursor) > 0 {
                Ok(cursor)
            } else {
                Err(TooLate)
            };
        }
        // A packet from long ago, while the stream goes on; but with nothing left to play it is the
        // stream that has gone back.
        if ahead < 0 && self.waiting(cursor) > 0 {
            return Err(TooLate);
        }
        Ok(self.begin(timestamp))
    }

    /// The next frame. What is missing is what was heard a frame before, softer, for as long as a
    /// frame; then silence.
    pub fn pull(&mut self) -> &Frame {
        self.watch();
        let cursor = self.cursor;
        for (at, sample) in (0u32..).zip(&mut self.frame) {
            let laid = cursor.map(|cursor| cursor.wrapping_add(at));
            if let Some(at) = laid
                && let Some(value) = self.ring[place(at)].take()
            {
                *sample = value;
                (self.heard, self.missing) = (at.wrapping_add(1), 0);
            } else {
                *sample = if self.missing < FRAME_UNITS { *sample / 2 } else { 0 };
                self.missing = self.missing.saturating_add(1);
            }
        }
        self.cursor = cursor.map(|cursor| cursor.wrapping_add(FRAME_UNITS));
        &self.frame
    }

    /// The frame that was pulled last.
    pub fn frame(&self) -> &Frame {
        &self.frame
    }

    /// Samples between the one to be played next and the newest.
    pub fn depth(&self) -> u32 {
        self.cursor.map_or(0, |cursor| self.waiting(cursor))
    }

    /// The stream begins anew: what waits is forgotten.
    pub fn restart(&mut self) {
        self.cursor = None;
        self.ring.fill(None);
    }

    fn begin(&mut self, timestamp: u32) -> u32 {
        self.restart();
        let cursor = timestamp.wrapping_sub(JITTER_PREFILL_SAMPLES);
        (self.cursor, self.end, self.heard) = (Some(cursor), timestamp, cursor);
        (self.lowest, self.watched) = (u32::MAX, 0);
        // Before its beginning nothing is missing.
        self.missing = FRAME_UNITS;
        cursor
    }

    fn waiting(&self, cursor: u32) -> u32 {
        u32::try_from(timestamp_after(self.end, cursor)).unwrap_or(0)
    }

    /// Gives a frame up when there was always more than one to spare.
    fn watch(&mut self) {
        self.lowest = self.lowest.min(self.depth());
        self.watched += 1;
        if self.watched >= JITTER_SHRINK_FRAMES {
            if self.lowest > 2 * FRAME_UNITS {
                self.skip(FRAME_UNITS);
            }
            (self.lowest, self.watched) = (u32::MAX, 0);
        }
    }

    /// Leaves samples out. Their places are emptied, since the ring comes round to them again.
    fn skip(&mut self, samples: u32) {
        let Some(cursor) = self.cursor else { return };
        for at in 0..samples {
            self.ring[place(cursor.wrapping_add(at))] = None;
        }
        self.cursor = Some(cursor.wrapping_add(samples));
        if samples > 0 {
            self.heard = cursor.wrapping_add(samples);
        }
    }
}

/// Longer payloads are cut: with the depth they must fit the ring.
const PAYLOAD_MAX: usize = JITTER_RING_SAMPLES - JITTER_DEPTH_SAMPLES as usize - FRAME_SAMPLES;
const RING: i32 = JITTER_RING_SAMPLES as i32;

fn place(timestamp: u32) -> usize {
    timestamp as usize % JITTER_RING_SAMPLES
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Packets of 20 ms whose samples all have the packet's number, played by a script: a number
    /// lays that packet in (`!` where it must be refused), `.` pulls a frame. Shown is what each
    /// frame holds: a number (half of it where it is repeated, softer), `-` silence, or `a|b` where
    /// it changes within.
    fn played(script: &str) -> String {
        let mut jitter = Jitter::default();
        let mut shown = Vec::new();
        let code = |n: u32| g711::encode(Codec::Pcmu, i16::try_from(n).unwrap() * 1_000);
        for word in script.split_whitespace() {
            if word != "." {
                let n: u32 = word.trim_end_matches('!').parse().unwrap();
                // Timestamps that wrap between the second packet and the third.
                let timestamp = (n * 160).wrapping_sub(480);
                let laid = jitter.insert(timestamp, Codec::Pcmu, &[code(n); 160]);
                assert_eq!(laid.is_err(), word.ends_with('!'), "{word} in {script}");
                continue;
            }
            let name = |sample: i16| match (i32::from(sample) + 500) / 1_000 {
                0 => String::from("-"),
                number => number.to_string(),
            };
            let frame = jitter.pull();
            let (first, last) = (name(frame[0]), name(frame[159]));
            shown.push(if first == last { first } else { format!("{first}|{last}") });
        }
        shown.join(" ")
    }

    #[test]
    fn packets_are_heard_in_order_once_and_whole() {
        let cases = [
            ("in order", "1 . 2 . 3 . 4 .", "-|1 1|2 2|3 3|4"),
            ("nothing yet", ". . 1 . 2 .", "- - -|1 1|2"),
            ("disorder", "1 3 2 . . .", "-|1 1|2 2|3"),
            ("a copy", "1 1 . 2 2 . 3 .", "-|1 1|2 2|3"),
            ("a copy of what was heard", "1 2 . . 1! 3 .", "-|1 1|2 2|3"),
            ("late, and nothing after it heard", "1 . . 2 . 3 .", "-|1 1|- 2 3"),
            ("late, but its half", "1 . . 2 3 . .", "-|1 1|- 2 3"),
            ("late, and the next was heard", "1 3 . . . 2! 4 .", "-|1 1|- -|3 3|4"),
            ("lost", "1 2 . . 4 . . 5 .", "-|1 1|2 2|1 1|4 4|5"),
            ("stopped", "1 2 . . . . . .", "-|1 1|2 2|1 1|- - -"),
        ];
        for (what, script, expected) in cases {
            assert_eq!(played(script), expected, "{what}");
        }
    }

    fn packet(jitter: &mut Jitter, n: u32) {
        jitter.insert(n * 160, Codec::Pcmu, &[0x80; 160]).unwrap();
    }

    #[test]
    fn a_burst_is_cut_to_the_depth() {
        let mut jitter = Jitter::default();
        (0..20).for_each(|n| packet(&mut jitter, n));
        assert_eq!(jitter.depth(), JITTER_DEPTH_SAMPLES + 160);
        let frames = (0..10).filter(|_| jitter.pull()[80] != 0).count();
        assert_eq!(frames, 5, "four frames waited, and one is repeated");
    }

    #[test]
    fn a_delay_that_is_never_needed_is_given_up() {
        let mut jitter = Jitter::default();
        (0..4).for_each(|n| packet(&mut jitter, n));
        let deep = jitter.depth();
        for n in 4..4 + 3 * JITTER_SHRINK_FRAMES {
            packet(&mut jitter, n);
            jitter.pull();
        }
        assert!(jitter.depth() < deep && jitter.depth() <= 320, "{deep} {}", jitter.depth());
        assert_eq!(jitter.pull()[159], 32_124);
    }

    #[test]
    fn a_stream_that_jumps_begins_anew_and_a_stray_does_not_stop_it() {
        let far = [5_000_000, 2_100, u32::MAX - 100_000];
        for (jump, waiting) in far.into_iter().flat_map(|jump| [(jump, true), (jump, false)]) {
            let mut jitter = Jitter::default();
            packet(&mut jitter, 0);
            if !waiting {
                (0..3).for_each(|_| _ = jitter.pull());
            }
            let laid = jitter.insert(jump, Codec::Pcmu, &[0; 160]);
            let long_ago = jump > u32::MAX / 2;
            assert_eq!(laid.is_err(), waiting && long_ago, "{jump} {waiting}");
            let (first, later) = (jitter.pull()[159], [(); 4].map(|()| jitter.pull()[159]));
            if laid.is_ok() {
                // At once, or after the silence that the depth allows.
                assert!(first == -32_124 || later.contains(&-32_124), "{jump} {waiting}");
            } else {
                assert_eq!(first, 32_124, "{jump} {waiting}");
            }
        }
    }

    #[test]
    fn after_a_pause_a_timestamp_that_stood_still_is_taken() {
        for frames in [3, 10, 50, 5_000] {
            let mut jitter = Jitter::default();
            packet(&mut jitter, 0);
            (0..frames).for_each(|_| _ = jitter.pull());
            packet(&mut jitter, 1);
            assert_eq!(jitter.pull()[159], 32_124, "{frames}");
        }
    }

    #[test]
    fn the_longest_payload_fits() {
        let mut jitter = Jitter::default();
        for n in 0..10u32 {
            let laid = jitter.insert(n * 1_460, Codec::Pcma, &[0x2A; 1_460]);
            assert!(laid.is_ok() || n > 0);
            (0..9).for_each(|_| _ = jitter.pull());
            assert!(jitter.depth() <= JITTER_DEPTH_SAMPLES + 1_460);
        }
    }
}
