//! The jitter buffer of a leg that is decoded: packets in, one frame per 20 ms out.
//!
//! Packets wait in the order of their timestamps and are decoded when their sound is due, so that
//! codecs with a memory work. What is missing is made up. The delay finds its own size: a stream
//! that runs dry is heard again from where it stopped, one that is always early gives up a period
//! of its sound, and after a pause the delay begins anew.

use core::time::Duration;

use model::{Codec, Mono};

use crate::codec::{Decoder, payload_samples};
use crate::conceal::Conceal;
use crate::limits::{
    CONCEAL, JITTER_BEGIN, JITTER_CUT, JITTER_DEPTH, JITTER_PACKETS_MAX, JITTER_PAUSE_FRAMES,
    JITTER_SHRINK_FRAMES, PACKET_SOUND,
};
use crate::pcm::{Feed, Rate, Rates};
use crate::rtp::timestamp_after;

/// A jitter buffer with its decoder.
#[derive(Debug)]
pub struct Jitter {
    decoder: Decoder,
    /// By their timestamps.
    packets: Vec<Waiting>,
    /// Payloads to be used again.
    spare: Vec<Vec<u8>>,
    /// Decoded and not yet played.
    queue: Vec<i16>,
    decoded: Vec<i16>,
    /// Timestamp after the queue; `None` until a packet comes.
    next: Option<u32>,
    /// Samples made up while nothing waited; the stream's time stood still for them.
    dry: usize,
    dry_frames: u32,
    conceal: Conceal,
    frame: Vec<i16>,
    feed: Feed,
    lowest: usize,
    watched: u32,
    noise: Noise,
}

#[derive(Debug)]
struct Waiting {
    timestamp: u32,
    units: u32,
    payload: Vec<u8>,
}

/// The packet came too late to be heard, or holds no sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLate;

/// A jump of the timestamps by more than this is a new stream under the old name.
const JUMP: Duration = Duration::from_secs(2);
/// The way from one period to the next when one is left out.
const BLEND: Duration = Duration::from_millis(5);

impl Default for Jitter {
    fn default() -> Jitter {
        Jitter {
            decoder: Decoder::new(Codec::Pcma),
            packets: Vec::new(),
            spare: Vec::new(),
            queue: Vec::new(),
            decoded: Vec::new(),
            next: None,
            dry: 0,
            dry_frames: 0,
            conceal: Conceal::default(),
            frame: vec![0; Rate::Narrow.frame()],
            feed: Feed::default(),
            lowest: usize::MAX,
            watched: 0,
            noise: Noise::default(),
        }
    }
}

impl Jitter {
    /// Lays a packet in; `due` is when the next frame is pulled.
    pub fn insert(
        &mut self,
        (now, due): (Mono, Mono),
        timestamp: u32,
        codec: Codec,
        payload: &[u8],
    ) -> Result<(), TooLate> {
        if codec != self.decoder.codec() {
            self.restart();
            self.decoder = Decoder::new(codec);
            self.conceal.restart(self.rate());
        }
        let samples = payload_samples(codec, payload);
        let units = self.units(samples);
        if samples == 0 || samples > self.samples(PACKET_SOUND) {
            return Err(TooLate);
        }
        let next = match self.next {
            None => self.begin(due.since(now), timestamp),
            Some(next) => self.place(next, (due.since(now), timestamp, units))?,
        };
        self.next = Some(next);
        (self.dry, self.dry_frames) = (0, 0);
        self.lay(timestamp, units, payload);
        self.cut(units);
        Ok(())
    }

    /// The peer says how loud its silence is (RFC 3389), in -dBov.
    pub fn comfort(&mut self, level: u8) {
        self.noise.level = Some(level);
    }

    /// The next frame, at the rate of the stream's codec.
    pub fn pull(&mut self) -> (Rate, &[i16]) {
        let length = self.rate().frame();
        self.fill(length);
        if self.watch() {
            self.leave_out(length);
        }
        self.frame.clear();
        let have = self.queue.len().min(length);
        self.frame.extend(self.queue.drain(..have));
        (self.rate(), &self.frame)
    }

    /// Pulls the next frame and makes it what [`Jitter::feed`] has.
    pub(crate) fn pull_feed(&mut self, wanted: Rates) {
        self.pull();
        let rate = self.rate();
        self.feed.set(rate, &self.frame, wanted);
    }

    /// The frame that was pulled last, at the rates that were wanted.
    pub(crate) fn feed(&self) -> &Feed {
        &self.feed
    }

    /// What waits: the sound between what is played next and the newest.
    pub fn depth(&self) -> Duration {
        let samples = self.queue.len() + self.waiting() as usize * self.factor();
        Duration::from_micros(samples as u64 * 1_000_000 / u64::from(self.rate().hz()))
    }

    /// The stream begins anew: what waits is forgotten.
    pub fn restart(&mut self) {
        self.next = None;
        self.forget_before(None);
        (self.dry, self.dry_frames) = (0, 0);
        self.noise.level = None;
    }

    fn rate(&self) -> Rate {
        Rate::of(self.decoder.codec())
    }

    /// Samples in a unit of the RTP clock.
    fn factor(&self) -> usize {
        match self.decoder.codec() {
            Codec::G722 => 2,
            Codec::Pcma | Codec::Pcmu | Codec::Opus => 1,
        }
    }

    fn units(&self, samples: usize) -> u32 {
        u32::try_from(samples / self.factor()).unwrap_or(u32::MAX)
    }

    fn samples(&self, time: Duration) -> usize {
        let micros = u64::try_from(time.as_micros()).unwrap_or(0);
        usize::try_from(micros * u64::from(self.rate().hz()) / 1_000_000).unwrap_or(usize::MAX)
    }

    fn units_of(&self, time: Duration) -> i32 {
        i32::try_from(self.units(self.samples(time))).unwrap_or(i32::MAX)
    }

    /// Units of the packets that wait, and of the holes between them.
    fn waiting(&self) -> u32 {
        let end = self.packets.last().map(|p| p.timestamp.wrapping_add(p.units));
        let next = self.next.unwrap_or(0);
        u32::try_from(end.map_or(0, |end| timestamp_after(end, next))).unwrap_or(0)
    }

    /// The first packet of a stream, or after a pause: how much silence goes before it.
    fn begin(&mut self, until_due: Duration, timestamp: u32) -> u32 {
        self.forget_before(None);
        (self.lowest, self.watched) = (usize::MAX, 0);
        let before = JITTER_BEGIN.saturating_sub(until_due);
        timestamp.wrapping_sub(self.units_of(before).unsigned_abs())
    }

    /// Where the stream's time must stand for a packet.
    fn place(
        &mut self,
        next: u32,
        (until_due, timestamp, units): (Duration, u32, u32),
    ) -> Result<u32, TooLate> {
        let ahead = timestamp_after(timestamp, next);
        let jump = self.units_of(JUMP);
        let is_dry = self.dry > 0 && self.packets.is_empty();
        if !is_dry {
            if ahead > jump {
                return Ok(self.begin(until_due, timestamp));
            }
            let end = ahead.saturating_add(i32::try_from(units).unwrap_or(i32::MAX));
            return if end <= 0 { Err(TooLate) } else { Ok(next) };
        }
        if ahead.saturating_abs() > jump || self.dry_frames > JITTER_PAUSE_FRAMES {
            // What was heard before stays in mind only to lead over softly.
            return Ok(self.begin(until_due, timestamp));
        }
        if ahead.saturating_add(i32::try_from(units).unwrap_or(i32::MAX)) <= 0 {
            return Err(TooLate);
        }
        if ahead < 0 {
            return Ok(next);
        }
        // It is heard at once, unless it has come before its time.
        let early = ahead - i32::try_from(self.units(self.dry)).unwrap_or(0);
        let early = early.clamp(0, self.units_of(JITTER_DEPTH));
        Ok(timestamp.wrapping_sub(early.unsigned_abs()))
    }

    fn lay(&mut self, timestamp: u32, units: u32, payload: &[u8]) {
        let after = |p: &Waiting| timestamp_after(p.timestamp, timestamp) >= 0;
        let at = self.packets.iter().position(after).unwrap_or(self.packets.len());
        if self.packets.get(at).is_some_and(|p| p.timestamp == timestamp) {
            return;
        }
        let mut bytes = self.spare.pop().unwrap_or_default();
        bytes.clear();
        bytes.extend_from_slice(payload);
        self.packets.insert(at, Waiting { timestamp, units, payload: bytes });
    }

    /// A burst is cut: who waits for all of it is always late.
    fn cut(&mut self, units: u32) {
        let Some(next) = self.next else { return };
        let waiting = i32::try_from(self.waiting()).unwrap_or(i32::MAX);
        let most = self.units_of(JITTER_DEPTH) + i32::try_from(units).unwrap_or(0);
        if waiting <= most && self.packets.len() <= JITTER_PACKETS_MAX {
            return;
        }
        let keep = self.units_of(JITTER_CUT).min(waiting);
        let begin = next.wrapping_add((waiting - keep).unsigned_abs());
        self.forget_before(Some(begin));
        // The last sound leads over to what comes.
        self.conceal.make_up(&mut [0]);
        self.next = Some(begin);
    }

    /// Forgets what is decoded, and the packets that end before a time; `None`: all.
    fn forget_before(&mut self, begin: Option<u32>) {
        self.queue.clear();
        let ends =
            |p: &Waiting, begin| timestamp_after(p.timestamp.wrapping_add(p.units), begin) <= 0;
        let gone = |p: &Waiting| begin.is_none_or(|begin| ends(p, begin));
        let many = self.packets.iter().take_while(|p| gone(p)).count();
        self.spare.extend(self.packets.drain(..many).map(|p| p.payload));
        self.spare.truncate(JITTER_PACKETS_MAX);
    }

    /// Brings the queue to a length.
    fn fill(&mut self, length: usize) {
        while self.queue.len() < length {
            let need = length - self.queue.len();
            let (Some(next), Some(first)) = (self.next, self.packets.first()) else {
                self.run_dry(need);
                return;
            };
            let ahead = timestamp_after(first.timestamp, next);
            if ahead > 0 {
                self.bridge(next, ahead.unsigned_abs(), need);
            } else {
                self.play_packet(next, ahead.unsigned_abs());
            }
        }
        if self.dry == 0 {
            self.dry_frames = 0;
        }
    }

    /// Nothing waits: makes up what is needed, while the stream's time stands still.
    fn run_dry(&mut self, need: usize) {
        self.dry_frames = self.dry_frames.saturating_add(1);
        self.dry = self.dry.saturating_add(need);
        let is_faded = self.conceal.lost() > self.samples(CONCEAL);
        if is_faded || self.next.is_none() {
            let from = self.queue.len();
            self.queue.resize(from + need, 0);
            if let Some(silence) = self.queue.get_mut(from..) {
                self.noise.fill(silence);
            }
        } else {
            self.make_up(need, None);
        }
    }

    /// A hole before the first packet that waits.
    fn bridge(&mut self, next: u32, ahead: u32, need: usize) {
        let hole = ahead as usize * self.factor();
        let one_packet = self.packets.first().is_some_and(|p| p.units == ahead);
        let length = if one_packet { hole } else { hole.min(need.next_multiple_of(self.factor())) };
        self.make_up(length, one_packet.then_some(0));
        self.next = Some(next.wrapping_add(self.units(length)));
    }

    /// Appends made-up sound; from the packet behind the hole, if the codec can.
    fn make_up(&mut self, length: usize, behind: Option<usize>) {
        let from = self.queue.len();
        let next = behind.and_then(|n| self.packets.get(n)).map(|p| p.payload.as_slice());
        if self.conceal.lost() == 0 && self.decoder.repair(length, next, &mut self.queue) {
            self.queue.resize(from + length, 0);
            let sound = self.queue.get(from..).unwrap_or(&[]);
            self.conceal.follow(sound);
            return;
        }
        self.queue.resize(from + length, 0);
        if let Some(hole) = self.queue.get_mut(from..) {
            self.conceal.make_up(hole);
        }
    }

    /// Decodes the first packet, of which `heard` units are over.
    fn play_packet(&mut self, next: u32, heard: u32) {
        let first = self.packets.remove(0);
        self.decoded.clear();
        self.decoder.decode(&first.payload, &mut self.decoded);
        let end = first.timestamp.wrapping_add(first.units);
        let over = heard as usize * self.factor();
        let whole = first.units as usize * self.factor();
        // A packet that does not decode is a hole of its length.
        self.decoded.resize(whole, 0);
        if let Some(sound) = self.decoded.get_mut(over..) {
            self.conceal.heard(sound);
            self.queue.extend_from_slice(sound);
        }
        if timestamp_after(end, next) > 0 {
            self.next = Some(end);
        }
        self.spare.push(first.payload);
    }

    /// Whether there has been more than enough to spare for a while.
    fn watch(&mut self) -> bool {
        let left = self.queue.len() + self.waiting() as usize * self.factor();
        let frame = self.rate().frame();
        self.lowest = self.lowest.min(left.saturating_sub(frame));
        self.watched += 1;
        if self.watched < JITTER_SHRINK_FRAMES {
            return false;
        }
        let spare = self.lowest > frame + frame / 2 && self.dry == 0;
        (self.lowest, self.watched) = (usize::MAX, 0);
        spare
    }

    /// Leaves a period out, blended so that nobody notices.
    fn leave_out(&mut self, length: usize) {
        let period = self.conceal.period().min(length);
        self.fill(length + period);
        let blend = self.samples(BLEND).min(length);
        for n in 0..blend {
            let later = self.queue.get(n + period).copied().unwrap_or(0);
            if let Some(sample) = self.queue.get_mut(n) {
                let (part, all) = (n as i64 + 1, blend as i64 + 1);
                let mixed = (i64::from(later) * part + i64::from(*sample) * (all - part)) / all;
                *sample = i16::try_from(mixed).unwrap_or(0);
            }
        }
        let end = (blend + period).min(self.queue.len());
        self.queue.drain(blend.min(end)..end);
    }
}

/// The soft noise of a line, as loud as the peer says.
#[derive(Debug, Default)]
struct Noise {
    level: Option<u8>,
    state: u32,
}

impl Noise {
    fn fill(&mut self, out: &mut [i16]) {
        let Some(level) = self.level else { return };
        // Never so loud that it could be taken for a voice.
        let dbov = -f64::from(level.clamp(50, 90));
        let peak = 32_767.0 * 10f64.powf(dbov / 20.0) * 1.7;
        for sample in out {
            self.state = self.state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let unit = f64::from(self.state >> 8) / f64::from(1u32 << 23) - 1.0;
            *sample = (unit * peak) as i16;
        }
    }
}

#[cfg(test)]
mod tests;
