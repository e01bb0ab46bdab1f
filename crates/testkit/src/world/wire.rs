//! What travels between phones, strangers and the switch.

use core::net::{IpAddr, SocketAddr};

use stack::{Flow, Transport};
use switch::Input;

use super::{Event, World};
use crate::ladder::{Direction, Line};
use crate::network::Link;
use crate::node;
use crate::phone::request;
use crate::settings::Readers;
use crate::tcp::{Connection, Cut};

impl World {
    /// Sends a datagram to a port of the switch; to any other place it vanishes.
    pub(crate) fn rtp_to_switch(
        &mut self,
        link: &Link,
        from: SocketAddr,
        to: SocketAddr,
        bytes: Vec<u8>,
    ) {
        if to.ip() != node::ADDRESS {
            return;
        }
        for after in link.carry(&mut self.chance) {
            let event = Event::Rtp { port: to.port(), from, bytes: bytes.clone() };
            self.queue.push(self.now + after, event);
        }
    }

    pub(super) fn phone_sends(&mut self, phone: usize, bytes: Vec<u8>) {
        let place = &self.phones[phone].place;
        let (name, address, transport) = (place.name.clone(), place.address, place.transport);
        let (direction, at) = (Direction::Sent, self.now);
        self.lines.push(Line { at, phone: name, direction, bytes: bytes.clone() });
        let link = self.ways[phone].sip_up;
        match transport {
            request::Transport::Udp => self.sip_to_switch(&link, address, bytes),
            request::Transport::Tcp => {
                let id = self.connection_of(phone);
                let Some(connection) = self.connections.get_mut(&id) else { return };
                let pieces = connection.pieces_up(at, &link, &bytes, &mut self.chance);
                for (at, bytes) in pieces {
                    self.queue.push(at, Event::TcpUp { connection: id, bytes });
                }
            }
        }
    }

    /// Sends a SIP datagram from any address.
    pub(crate) fn sip_to_switch(&mut self, link: &Link, from: SocketAddr, bytes: Vec<u8>) {
        for after in self.losses.carry(link, &bytes, &mut self.chance) {
            self.queue.push(self.now + after, Event::Sip { from, bytes: bytes.clone() });
        }
    }

    pub(super) fn switch_sends(&mut self, flow: Flow, bytes: &[u8]) {
        match flow.transport {
            Transport::Udp => {
                let to = flow.remote;
                let link = self.by_ip.get(&to.ip()).map(|p| self.ways[*p].sip_down);
                let link = link.unwrap_or(self.settings.ways.sip_down);
                for after in self.losses.carry(&link, bytes, &mut self.chance) {
                    let event = Event::SipDown { to, bytes: bytes.to_vec() };
                    self.queue.push(self.now + after, event);
                }
            }
            Transport::Tcp | Transport::Tls | Transport::Ws | Transport::Wss => {
                self.write_to(flow.id.0, bytes);
            }
        }
    }

    pub(super) fn write_to(&mut self, id: u64, bytes: &[u8]) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let link = self.ways[connection.phone].sip_down;
        let pieces = connection.pieces_down(self.now, &link, bytes, &mut self.chance);
        for (at, bytes) in pieces {
            self.queue.push(at, Event::TcpDown { connection: id, bytes });
        }
    }

    /// The connection of a phone, a new one if it has none.
    pub(super) fn connection_of(&mut self, phone: usize) -> u64 {
        if let Some((id, _)) = self.connections.iter().find(|(_, c)| c.phone == phone) {
            return *id;
        }
        let id = self.next_connection;
        self.next_connection += 1;
        let port = 40_000 + u16::try_from(id % 20_000).unwrap_or(0);
        let remote = SocketAddr::new(self.phones[phone].place.address.ip(), port);
        let connection = Connection::open(phone, id, node::sip_address(), remote);
        self.connections.insert(id, connection);
        id
    }

    /// Cuts the connection of a phone; both sides learn of it.
    pub(crate) fn cut(&mut self, phone: usize) {
        let ids: Vec<u64> =
            self.connections.iter().filter(|(_, c)| c.phone == phone).map(|(id, _)| *id).collect();
        for id in ids {
            self.close(id);
        }
    }

    pub(super) fn close(&mut self, id: u64) {
        let Some(connection) = self.connections.remove(&id) else { return };
        self.queue.push(self.now, Event::TcpGone { phone: connection.phone });
        for shard in 0..self.settings.shards {
            self.shard(shard, Input::FlowClosed(connection.flow.id));
        }
    }

    /// The shard whose socket gets a datagram of this address.
    pub(super) fn reader(&self, from: SocketAddr) -> usize {
        match self.settings.readers {
            Readers::Only(shard) => shard,
            Readers::ByAddress => {
                let IpAddr::V4(ip) = from.ip() else { return 0 };
                let bits = u32::from(ip).wrapping_mul(0x9E37_79B1).rotate_left(8);
                usize::try_from(bits).unwrap_or(0) % self.settings.shards
            }
        }
    }

    pub(super) fn phone_receives(&mut self, phone: usize, bytes: Vec<u8>) {
        self.trace.note(self.now, format_args!("SIP to phone {phone}"), &bytes);
        let now = self.now;
        self.phones[phone].receive(now, &bytes);
        if let Some(complaint) = self.phones[phone].complaints.pop() {
            let text = String::from_utf8_lossy(&bytes);
            self.fail(&format!("a phone cannot read this: {complaint}\n{text}"));
        }
        let (at, direction) = (self.now, Direction::Received);
        let agent = &self.phones[phone];
        if !agent.is_unplugged {
            let name = agent.place.name.clone();
            self.lines.push(Line { at, phone: name, direction, bytes });
        }
        self.flush_phone(phone);
    }

    pub(super) fn stream_up(&mut self, id: u64, bytes: &[u8]) {
        if self.node.is_none() {
            return;
        }
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let flow = connection.flow;
        let cuts = connection.arrived_up(bytes);
        // The home shard of a connection.
        let home = usize::try_from(id).unwrap_or(0) % self.settings.shards;
        for cut in cuts {
            match cut {
                Cut::Message(bytes) => {
                    self.trace.note(self.now, format_args!("SIP on {id}"), &bytes);
                    self.shard(home, Input::Received { flow, bytes });
                }
                Cut::Ping => self.write_to(id, b"\r\n"),
                Cut::Broken => return self.close(id),
            }
        }
    }

    pub(super) fn stream_down(&mut self, id: u64, bytes: &[u8]) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let phone = connection.phone;
        for cut in connection.arrived_down(bytes) {
            match cut {
                Cut::Message(bytes) => self.phone_receives(phone, bytes),
                Cut::Ping => {}
                Cut::Broken => self.fail("the switch wrote a stream that cannot be framed"),
            }
        }
    }
}
