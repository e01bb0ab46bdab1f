//! Keys that a peer presses: RFC 4733 events, each reported once at its start and once at its end.
//!
//! An event is known by its timestamp: all its packets carry that of the press, with a duration
//! that rises, and the last one comes three times. Any of them may be lost, doubled or late.

use leg::MediaEventKind;
use model::{Digit, Mono};
use smallvec::SmallVec;

use crate::limits::{DIGIT_LOST_END, DIGIT_MEMORY};
use crate::rtp::{Header, timestamp_after};

/// Units of the event clock in a millisecond.
const UNITS_PER_MS: u32 = 8;
/// A duration that can rise no more: a longer press goes on in a new segment (RFC 4733 2.5.1.3).
const SEGMENT_UNITS: u16 = u16::MAX;

/// What one packet can tell at most: an old key was released, a new one was pressed and released.
pub type KeyEvents = SmallVec<[MediaEventKind; 3]>;

/// The keys of one leg's peer.
#[derive(Debug, Default)]
pub struct Keys {
    pressed: Option<Pressed>,
    released: Option<Released>,
}

#[derive(Debug)]
struct Pressed {
    digit: Digit,
    /// Of the current segment.
    timestamp: u32,
    /// Of the segments before.
    earlier_units: u32,
    /// Of the current segment.
    units: u16,
    /// When the newest packet came.
    at: Mono,
}

/// The newest key that was released: its late packets must not press it again.
#[derive(Debug)]
struct Released {
    timestamp: u32,
    at: Mono,
}

/// The four bytes of an event (RFC 4733 2.3).
struct Event {
    digit: Digit,
    end: bool,
    units: u16,
}

impl Keys {
    /// Takes an event packet. Events that are no digits (flash, fax tones) say nothing.
    pub fn packet(&mut self, now: Mono, header: &Header, payload: &[u8]) -> KeyEvents {
        let mut events = KeyEvents::new();
        let Some(event) = read(payload) else { return events };
        if let Some(pressed) = &mut self.pressed {
            let after = timestamp_after(header.timestamp, pressed.timestamp);
            if after < 0 {
                return events;
            }
            let same = pressed.digit == event.digit;
            let goes_on = after == i32::from(SEGMENT_UNITS) && pressed.units == SEGMENT_UNITS;
            if after > 0 && same && goes_on {
                pressed.earlier_units += u32::from(SEGMENT_UNITS);
                (pressed.timestamp, pressed.units) = (header.timestamp, 0);
            }
            if timestamp_after(header.timestamp, pressed.timestamp) == 0 {
                if same {
                    pressed.units = pressed.units.max(event.units);
                    pressed.at = now;
                    if event.end {
                        self.release(now, &mut events);
                    }
                }
                return events;
            }
            self.release(now, &mut events);
        }
        if self.is_old(now, header.timestamp) {
            return events;
        }
        events.push(MediaEventKind::DigitStart(event.digit));
        self.pressed = Some(Pressed {
            digit: event.digit,
            timestamp: header.timestamp,
            earlier_units: 0,
            units: event.units,
            at: now,
        });
        if event.end {
            self.release(now, &mut events);
        }
        events
    }

    /// When the pressed key counts as released if no packet comes.
    pub fn deadline(&self) -> Option<Mono> {
        self.pressed.as_ref().map(|pressed| pressed.at + DIGIT_LOST_END)
    }

    /// The end of a key whose packets stopped coming, if that time has passed.
    pub fn expire(&mut self, now: Mono) -> KeyEvents {
        let mut events = KeyEvents::new();
        if self.deadline().is_some_and(|at| at <= now) {
            self.release(now, &mut events);
        }
        events
    }

    /// The peer's stream began anew: old timestamps mean nothing. Ends a pressed key.
    pub fn restart(&mut self, now: Mono) -> KeyEvents {
        let mut events = KeyEvents::new();
        self.release(now, &mut events);
        self.released = None;
        events
    }

    fn release(&mut self, now: Mono, events: &mut KeyEvents) {
        let Some(pressed) = self.pressed.take() else { return };
        let ms = (pressed.earlier_units + u32::from(pressed.units)) / UNITS_PER_MS;
        events.push(MediaEventKind::DigitEnd {
            digit: pressed.digit,
            duration_ms: u16::try_from(ms).unwrap_or(u16::MAX),
        });
        self.released = Some(Released { timestamp: pressed.timestamp, at: now });
    }

    fn is_old(&self, now: Mono, timestamp: u32) -> bool {
        self.released.as_ref().is_some_and(|released| {
            let after = timestamp_after(timestamp, released.timestamp);
            after == 0 || (after < 0 && now.since(released.at) < DIGIT_MEMORY)
        })
    }
}

fn read(payload: &[u8]) -> Option<Event> {
    let [code, flags, d1, d0] = *payload.first_chunk()?;
    Some(Event {
        digit: Digit::from_event(code)?,
        end: flags & 0x80 != 0,
        units: u16::from_be_bytes([d1, d0]),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A script of packets `digit@timestamp:duration` with `.` for the end bit, `+ms` for a wait
    /// and `!` for a new stream; the answer lists `v5` for a start and `^5:ms` for an end.
    fn told(script: &str) -> String {
        let mut keys = Keys::default();
        let mut now = Mono(0);
        let mut told = Vec::new();
        for word in script.split_whitespace() {
            let events = if let Some(ms) = word.strip_prefix('+') {
                now = Mono(now.0 + ms.parse::<u64>().unwrap() * 1_000);
                keys.expire(now)
            } else if word == "!" {
                keys.restart(now)
            } else {
                let (digit, rest) = word.split_once('@').unwrap();
                let (timestamp, duration) = rest.trim_end_matches('.').split_once(':').unwrap();
                let code = digit.parse::<u8>().unwrap();
                let [d1, d0] = duration.parse::<u16>().unwrap().to_be_bytes();
                let end = if word.ends_with('.') { 0x8A } else { 0x0A };
                let header = Header {
                    marker: false,
                    payload_type: 101,
                    sequence: 0,
                    timestamp: timestamp.parse().unwrap(),
                    ssrc: 1,
                };
                keys.packet(now, &header, &[code, end, d1, d0])
            };
            told.extend(events.into_iter().map(|e| match e {
                MediaEventKind::DigitStart(d) => format!("v{d:?}"),
                MediaEventKind::DigitEnd { digit, duration_ms } => {
                    format!("^{digit:?}:{duration_ms}")
                }
                _ => String::from("?"),
            }));
        }
        told.join(" ")
    }

    #[test]
    fn every_key_starts_once_and_ends_once() {
        let cases = [
            ("whole", "5@100:160 5@100:320 5@100:800. 5@100:800. 5@100:800.", "v5 ^5:100"),
            ("start lost", "5@100:320 5@100:800.", "v5 ^5:100"),
            ("only an end came", "5@100:800.", "v5 ^5:100"),
            ("packets doubled", "5@100:160 5@100:160 5@100:800. 5@100:800.", "v5 ^5:100"),
            ("an update after the end", "5@100:800. 5@100:640", "v5 ^5:100"),
            ("disorder of updates", "5@100:640 5@100:320 +100 5@100:800.", "v5 ^5:100"),
            ("end lost, next key", "5@100:160 5@100:800 6@2000:160.", "v5 ^5:100 v6 ^6:20"),
            ("end lost, silence", "5@100:160 +199 5@100:320 +199 +1", "v5 ^5:40"),
            ("end after giving up", "5@100:160 +250 5@100:800.", "v5 ^5:20"),
            ("same key twice", "5@100:800. +60 5@1900:800.", "v5 ^5:100 v5 ^5:100"),
            ("late packet of the key before", "5@100:800. 6@2000:160 5@100:800.", "v5 ^5:100 v6"),
            ("late after both ended", "5@100:8. 6@2000:8. 5@100:8.", "v5 ^5:1 v6 ^6:1"),
            ("timestamp wraps", "5@4294967290:800. 6@1000:800.", "v5 ^5:100 v6 ^6:100"),
            ("a long press in segments", "5@0:65535 5@65535:800.", "v5 ^5:8291"),
            ("flash is no digit", "16@100:800.", ""),
            ("all keys", "10@0:8. 11@99:8. 15@999:8.", "v* ^*:1 v# ^#:1 vD ^D:1"),
            ("a new stream", "5@5000:800 ! 5@5000:160.", "v5 ^5:100 v5 ^5:20"),
            ("old timestamps after a while", "5@9000:8. +5000 5@100:8.", "v5 ^5:1 v5 ^5:1"),
        ];
        for (what, script, expected) in cases {
            assert_eq!(told(script), expected, "{what}");
        }
    }

    #[test]
    fn a_short_payload_says_nothing() {
        let mut keys = Keys::default();
        let header = Header { marker: true, payload_type: 101, sequence: 0, timestamp: 0, ssrc: 1 };
        for length in 0..4 {
            assert!(keys.packet(Mono(0), &header, &[5, 0, 0, 0][..length]).is_empty());
        }
        assert_eq!(keys.packet(Mono(0), &header, &[5, 0, 0, 9, 9]).len(), 1);
    }
}
