//! What the plane asks of the outside world.

use core::net::SocketAddr;

use leg::{LegId, MediaEvent, MediaEventKind, RecorderId};
use model::{CallId, FileId, TenantId};

/// One thing to do. To be done in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Begin to read a bound port; what already waits in its socket belongs to nobody: drop it.
    Open {
        /// RTP, or RTCP (the next port).
        port: u16,
    },
    /// Connect the port's socket: from now on only this address is read from and sent to.
    Connect {
        /// Ours.
        port: u16,
        /// The peer's.
        to: SocketAddr,
    },
    /// Take the connection back: the source may be learned again.
    Disconnect {
        /// Ours.
        port: u16,
    },
    /// Stop reading the port. A connected one is disconnected before.
    Close {
        /// Ours.
        port: u16,
    },
    /// Send a datagram.
    Send {
        /// From this port.
        port: u16,
        /// To this address; after [`Effect::Connect`] it is always the connected one.
        to: SocketAddr,
        /// Where its bytes are: [`Effects::bytes`] fetches them.
        bytes: Bytes,
    },
    /// Tell the tenant's exchange.
    Event {
        /// Whose leg it is.
        tenant: TenantId,
        /// What happened.
        event: MediaEvent,
    },
    /// Fetch a sound file and hand it to [`crate::Plane::file`]; or nothing, if there is none.
    NeedFile {
        /// Which.
        file: FileId,
    },
    /// Begin to write a recording.
    RecordStart {
        /// Its number.
        recording: Recording,
        /// What it is.
        taken: Taken,
    },
    /// Write more of it.
    Record {
        /// Its number.
        recording: Recording,
        /// 16-bit samples, little-endian, the channels in turn; [`Effects::bytes`] fetches them.
        bytes: Bytes,
    },
    /// The recording goes on in another call of the tenant, or has another owner: what
    /// [`Taken::done`] tells names these from now on.
    RecordMoved {
        /// Its number.
        recording: Recording,
        /// The call.
        call: CallId,
        /// Whose owner is told.
        leg: LegId,
    },
    /// The recording is complete: make a file of it and tell [`Taken::done`].
    RecordEnd {
        /// Its number.
        recording: Recording,
    },
    /// Look for a recording of an earlier process and tell [`Sought::found`].
    FindRecording(Sought),
}

/// A recording of an earlier process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sought {
    /// Whose it is.
    pub tenant: TenantId,
    /// The call.
    pub call: CallId,
    /// Whose owner is told.
    pub leg: LegId,
    /// Its number.
    pub recorder: RecorderId,
    /// Under which name it is kept.
    pub file: FileId,
}

impl Sought {
    /// The event that tells its owner how long it is; `None`: there is none.
    pub fn found(&self, length_ms: Option<u32>) -> MediaEvent {
        let recorder = self.recorder;
        let kind = match length_ms {
            Some(length_ms) => MediaEventKind::Recorded { recorder, length_ms },
            None => MediaEventKind::RecordingFailed(recorder),
        };
        MediaEvent { call: self.call, leg: self.leg, kind }
    }
}

/// Number of a recording; a plane never uses it again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Recording(pub u64);

/// What is recorded, for whom, and how its samples are laid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Whose it is.
    pub tenant: TenantId,
    /// The call.
    pub call: CallId,
    /// Whose owner is told.
    pub leg: LegId,
    /// Its number.
    pub recorder: RecorderId,
    /// Under which name it is kept.
    pub file: FileId,
    /// Samples of one channel in a second.
    pub rate_hz: u32,
    /// One, or left and right.
    pub channels: u16,
}

impl Taken {
    /// The event that tells its owner how it ended.
    pub fn done(&self, kind: MediaEventKind) -> Effect {
        let event = MediaEvent { call: self.call, leg: self.leg, kind };
        Effect::Event { tenant: self.tenant, event }
    }

    /// How long `bytes` of its samples last, milliseconds.
    pub fn length_ms(&self, bytes: u64) -> u32 {
        let a_second = u64::from(self.rate_hz) * u64::from(self.channels) * 2;
        u32::try_from(bytes.saturating_mul(1_000) / a_second.max(1)).unwrap_or(u32::MAX)
    }
}

/// Where the bytes of a datagram to be sent are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bytes {
    /// In the datagram that was handed to [`crate::Plane::packet`], rewritten in place.
    Packet {
        /// First byte.
        start: u32,
        /// One past the last.
        end: u32,
    },
    /// In the scratch area of the [`Effects`].
    Scratch {
        /// First byte.
        start: u32,
        /// One past the last.
        end: u32,
    },
}

/// Effects in order, in a buffer that the caller reuses.
///
/// The plane only appends. The caller carries out what is there and then calls
/// [`Effects::clear`], at the latest before it reuses the datagram buffer that a
/// [`Bytes::Packet`] points into. Once grown, it never allocates again.
#[derive(Debug, Default)]
pub struct Effects {
    list: Vec<Effect>,
    scratch: Vec<u8>,
}

impl Effects {
    /// No effects, and no room yet.
    pub fn new() -> Effects {
        Effects::default()
    }

    /// Forgets all effects and keeps the room.
    pub fn clear(&mut self) {
        self.list.clear();
        self.scratch.clear();
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// In the order in which they are to be done.
    pub fn iter(&self) -> core::slice::Iter<'_, Effect> {
        self.list.iter()
    }

    /// The bytes of a datagram or of a recording; `packet` is the buffer that was handed to
    /// [`crate::Plane::packet`] (anything, after a command or a tick: those send from the scratch
    /// area only).
    pub fn bytes<'a>(&'a self, packet: &'a [u8], bytes: Bytes) -> &'a [u8] {
        let (from, start, end) = match bytes {
            Bytes::Packet { start, end } => (packet, start, end),
            Bytes::Scratch { start, end } => (self.scratch.as_slice(), start, end),
        };
        // 32 bits fit `usize` on every machine that this runs on.
        from.get(start as usize..end as usize).unwrap_or(&[])
    }

    pub(crate) fn push(&mut self, effect: Effect) {
        self.list.push(effect);
    }

    /// Sends what `write` appends to the scratch area.
    pub(crate) fn send(&mut self, port: u16, to: SocketAddr, write: impl FnOnce(&mut Vec<u8>)) {
        let start = self.scratch.len();
        write(&mut self.scratch);
        let bytes = Bytes::Scratch { start: offset(start), end: offset(self.scratch.len()) };
        self.push(Effect::Send { port, to, bytes });
    }

    /// Gives more of a recording.
    pub(crate) fn record(&mut self, recording: Recording, samples: &[i16]) {
        let start = offset(self.scratch.len());
        self.scratch.extend(samples.iter().flat_map(|sample| sample.to_le_bytes()));
        let bytes = Bytes::Scratch { start, end: offset(self.scratch.len()) };
        self.push(Effect::Record { recording, bytes });
    }

    /// Sends a part of the datagram that is being handled.
    pub(crate) fn send_packet(&mut self, port: u16, to: SocketAddr, start: usize, end: usize) {
        let bytes = Bytes::Packet { start: offset(start), end: offset(end) };
        self.push(Effect::Send { port, to, bytes });
    }
}

impl<'a> IntoIterator for &'a Effects {
    type Item = &'a Effect;
    type IntoIter = core::slice::Iter<'a, Effect>;
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// The scratch area is cleared after every input: it never comes near 4 GiB.
fn offset(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}
