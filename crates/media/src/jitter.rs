//! The jitter buffer of a leg that is decoded for mixing: packets in, one frame per 20 ms out.
//!
//! Samples are laid on a ring by their timestamps, so packets of any length and in any order fall
//! into place, and a hole is simply a place where nothing lies. The delay finds its own size: a
//! stream that is late with nothing left to play begins anew, a little later; one that is always
//! early gives a frame up.

use model::Codec;

use crate::g711;
use crate::limits::{
    FRAME_SAMPLES, FRAME_UNITS, JITTER_DEPTH_SAMPLES, JITTER_FORGET_FRAMES, JITTER_PREFILL_SAMPLES,
    JITTER_RING_SAMPLES, JITTER_SHRINK_FRAMES,
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
    frame: Frame,
    concealed: Concealed,
    /// Frames since a packet came.
    idle: u32,
    /// The lowest depth since `watched` began to count.
    lowest: u32,
    watched: u32,
}

/// What was done about missing sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Concealed {
    /// The frame is what the peer said.
    Nothing,
    /// The frame before was repeated, softer.
    Repeated,
    /// Silence.
    Silenced,
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
            frame: [0; FRAME_SAMPLES],
            concealed: Concealed::Silenced,
            idle: 0,
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
            Some(cursor) if self.fits(cursor, timestamp, end) => cursor,
            Some(cursor) if self.waiting(cursor) > 0 && is_near(cursor, timestamp) => {
                return Err(TooLate);
            }
            Some(_) | None => self.begin(timestamp),
        };
        self.idle = 0;
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

    /// The next frame. What is missing is the frame before, softer, once; then silence.
    pub fn pull(&mut self) -> &Frame {
        let Some(cursor) = self.cursor else {
            self.conceal();
            return &self.frame;
        };
        self.watch(cursor);
        let mut missing = 0;
        let mut fresh = [0; FRAME_SAMPLES];
        for (at, sample) in (0u32..).zip(&mut fresh) {
            match self.ring[place(cursor.wrapping_add(at))].take() {
                Some(value) => *sample = value,
                None => missing += 1,
            }
        }
        self.cursor = Some(cursor.wrapping_add(FRAME_UNITS));
        if missing == FRAME_SAMPLES {
            self.conceal();
        } else {
            (self.frame, self.concealed) = (fresh, Concealed::Nothing);
        }
        self.idle += 1;
        if self.idle >= JITTER_FORGET_FRAMES {
            self.restart();
        }
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
        (self.cursor, self.end) = (Some(cursor), timestamp);
        (self.lowest, self.watched) = (u32::MAX, 0);
        cursor
    }

    /// Whether a packet lies where the ring reaches, and is not wholly past.
    fn fits(&self, cursor: u32, timestamp: u32, end: u32) -> bool {
        timestamp_after(end, cursor) > 0
            && timestamp_after(timestamp, cursor) > -RING
            && timestamp_after(end, cursor) <= RING
            && (timestamp_after(timestamp, cursor) >= 0 || self.waiting(cursor) > 0)
    }

    fn waiting(&self, cursor: u32) -> u32 {
        u32::try_from(timestamp_after(self.end, cursor)).unwrap_or(0)
    }

    /// Gives a frame up when there was always more than one to spare.
    fn watch(&mut self, cursor: u32) {
        self.lowest = self.lowest.min(self.waiting(cursor));
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
    }

    fn conceal(&mut self) {
        self.concealed = match self.concealed {
            Concealed::Nothing => {
                self.frame.iter_mut().for_each(|sample| *sample /= 2);
                Concealed::Repeated
            }
            Concealed::Repeated | Concealed::Silenced => {
                self.frame = [0; FRAME_SAMPLES];
                Concealed::Silenced
            }
        };
    }
}

/// Longer payloads are cut: with the depth they must fit the ring.
const PAYLOAD_MAX: usize = JITTER_RING_SAMPLES - JITTER_DEPTH_SAMPLES as usize - FRAME_SAMPLES;
const RING: i32 = JITTER_RING_SAMPLES as i32;

fn place(timestamp: u32) -> usize {
    timestamp as usize % JITTER_RING_SAMPLES
}

/// Whether a timestamp is so near the cursor that the packet is late or early, not of another time.
fn is_near(cursor: u32, timestamp: u32) -> bool {
    timestamp_after(timestamp, cursor).unsigned_abs() < 4 * RING.unsigned_abs()
}
