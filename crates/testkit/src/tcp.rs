//! Connections of phones: bytes in order, in pieces of any size, until they are cut.

use core::net::SocketAddr;

use model::{Chance, Mono};
use sip::framing::{Frame, Framer};
use smallvec::SmallVec;
use stack::{Flow, FlowId};

use crate::network::Link;

/// One connection.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) phone: usize,
    pub(crate) flow: Flow,
    up: Half,
    down: Half,
}

/// One direction.
#[derive(Debug, Default)]
struct Half {
    framer: Framer,
    /// When the last piece arrives: none overtakes it.
    last: Mono,
}

/// What was cut out of a stream.
#[derive(Debug)]
pub(crate) enum Cut {
    Message(Vec<u8>),
    Ping,
    Broken,
}

impl Connection {
    pub(crate) fn open(phone: usize, id: u64, local: SocketAddr, remote: SocketAddr) -> Connection {
        let flow = Flow { id: FlowId(id), transport: stack::Transport::Tcp, local, remote };
        Connection { phone, flow, up: Half::default(), down: Half::default() }
    }

    /// The pieces in which bytes of the phone arrive at the switch.
    pub(crate) fn pieces_up(
        &mut self,
        now: Mono,
        link: &Link,
        bytes: &[u8],
        chance: &mut Chance,
    ) -> Vec<(Mono, Vec<u8>)> {
        self.up.pieces(now, link, bytes, chance)
    }

    /// The same towards the phone.
    pub(crate) fn pieces_down(
        &mut self,
        now: Mono,
        link: &Link,
        bytes: &[u8],
        chance: &mut Chance,
    ) -> Vec<(Mono, Vec<u8>)> {
        self.down.pieces(now, link, bytes, chance)
    }

    /// A piece has arrived at the switch.
    pub(crate) fn arrived_up(&mut self, bytes: &[u8]) -> SmallVec<[Cut; 2]> {
        self.up.arrived(bytes)
    }

    /// A piece has arrived at the phone.
    pub(crate) fn arrived_down(&mut self, bytes: &[u8]) -> SmallVec<[Cut; 2]> {
        self.down.arrived(bytes)
    }
}

impl Half {
    fn pieces(
        &mut self,
        now: Mono,
        link: &Link,
        bytes: &[u8],
        chance: &mut Chance,
    ) -> Vec<(Mono, Vec<u8>)> {
        let mut pieces = Vec::new();
        let mut rest = bytes;
        while !rest.is_empty() {
            let len = 1 + usize::try_from(chance.below(rest.len() as u64)).unwrap_or(0);
            let (piece, after) = rest.split_at(len.min(rest.len()));
            rest = after;
            // What is lost is repeated underneath: it comes late, and so does what follows.
            let takes = link.carry(chance).first().copied().unwrap_or(link.delay * 20);
            self.last = self.last.max(now + takes);
            pieces.push((self.last, piece.to_vec()));
        }
        pieces
    }

    fn arrived(&mut self, bytes: &[u8]) -> SmallVec<[Cut; 2]> {
        let mut cuts = SmallVec::new();
        self.framer.push(bytes);
        while let Some(frame) = self.framer.next_frame() {
            cuts.push(match frame {
                Ok(Frame::Message(message)) => Cut::Message(message.bytes().to_vec()),
                Ok(Frame::Ping) => Cut::Ping,
                Ok(Frame::Pong) => continue,
                Err(_) => Cut::Broken,
            });
        }
        cuts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_arrive_in_order_and_make_the_same_messages() {
        let mut chance = Chance::from_number(5);
        let at = |s: &str| s.parse::<SocketAddr>().unwrap();
        let mut connection = Connection::open(0, 9, at("10.0.0.1:5060"), at("10.1.0.1:40000"));
        let message = b"OPTIONS sip:a SIP/2.0\r\nContent-Length: 2\r\n\r\nhi";
        let mut arrived = Vec::new();
        let mut last = Mono(0);
        for n in 0..50 {
            for (at, piece) in connection.pieces_up(Mono(n * 100), &Link::BAD, message, &mut chance)
            {
                assert!(at >= last);
                last = at;
                arrived.extend(connection.arrived_up(&piece));
            }
        }
        assert_eq!(arrived.len(), 50);
        assert!(arrived.iter().all(|c| matches!(c, Cut::Message(m) if m == message)));
    }
}
