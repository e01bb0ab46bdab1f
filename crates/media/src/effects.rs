//! What the plane asks of the outside world.

use core::net::SocketAddr;

use leg::MediaEvent;
use model::TenantId;

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

    /// The bytes of a datagram; `packet` is the buffer that was handed to [`crate::Plane::packet`]
    /// (anything, after a command or a tick: those send from the scratch area only).
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
