//! The answering side: every call is answered at once, every question politely.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::text::session;
use super::timers::{GIVE_UP, T1, T2, Timer};
use super::{AudioLeg, Phones};
use crate::message::Message;

/// A call that one of the phones has answered.
#[derive(Debug)]
pub(super) struct Served {
    call_id: String,
    /// Branch of its INVITE: the same again is a retransmission.
    branch: String,
    answer: Vec<u8>,
    socket: usize,
    peer: SocketAddr,
    acknowledged: bool,
    begun: Instant,
    gap: Duration,
    port: u16,
}

impl Phones {
    pub(super) fn request(&mut self, message: &Message<'_>, from: SocketAddr, socket: usize) {
        match (message.method, message.to_tag().is_some()) {
            ("INVITE", false) => self.invited(message, from, socket),
            ("ACK", _) => {
                let served = self.served_by_call_id.get(message.call_id);
                if let Some(served) = served.and_then(|id| self.served.get_mut(id)) {
                    served.acknowledged = true;
                }
            }
            ("BYE", _) => {
                if let Some(id) = self.served_by_call_id.remove(message.call_id) {
                    self.served.remove(&id);
                } else {
                    self.ended_by_peer(message.call_id);
                }
                self.reply(message, "", from, socket);
            }
            // An offer in the dialog is answered as the first one was.
            ("INVITE" | "UPDATE", true) => {
                let served = self.served_by_call_id.get(message.call_id);
                let port = served.and_then(|id| self.served.get(id)).map_or(9, |s| s.port);
                let body = if message.body.is_empty() { String::new() } else { session(port) };
                self.reply(message, &body, from, socket);
            }
            _ => self.reply(message, "", from, socket),
        }
    }

    fn invited(&mut self, message: &Message<'_>, from: SocketAddr, socket: usize) {
        let known = self.served_by_call_id.get(message.call_id).copied();
        if let Some(served) = known.and_then(|id| self.served.get(&id))
            && served.branch == message.branch()
        {
            let answer = served.answer.clone();
            self.retransmitted(None);
            self.send(socket, &answer, from);
            return;
        }
        let Some(phone) = self.phone_of(message.uri) else { return };
        let (index, port) = self.next_audio();
        let Some(who) = self.phones.get(phone) else { return };
        let ringing = who.response(message, "180 Ringing", "");
        let answer = who.response(message, "200 OK", &session(port));
        self.send(socket, &ringing, from);
        self.send(socket, &answer, from);
        if let Some(remote) = message.audio() {
            self.legs.push(AudioLeg { port: index, remote });
        }
        self.branch += 1;
        let id = self.branch;
        let begun = Instant::now();
        self.served_by_call_id.insert(message.call_id.to_owned(), id);
        let served = Served {
            call_id: message.call_id.to_owned(),
            branch: message.branch().to_owned(),
            answer,
            socket,
            peer: from,
            acknowledged: false,
            begun,
            gap: T1,
            port,
        };
        self.served.insert(id, served);
        self.timers.set(begun + T1, Timer::Answer(id));
    }

    /// Until its ACK a 200 is sent again (RFC 3261 13.3.1.4).
    pub(super) fn answer_again(&mut self, id: u64, now: Instant) {
        let Some(served) = self.served.get_mut(&id) else { return };
        if served.acknowledged {
            return;
        }
        if now.saturating_duration_since(served.begun) > GIVE_UP {
            let call_id = served.call_id.clone();
            self.served.remove(&id);
            self.served_by_call_id.remove(&call_id);
            *self.calls_report.failed.entry("no ACK".to_owned()).or_default() += 1;
            return;
        }
        served.gap = T2.min(served.gap * 2);
        let next = now + served.gap;
        let (socket, answer, peer) = (served.socket, served.answer.clone(), served.peer);
        self.timers.set(next, Timer::Answer(id));
        self.retransmitted(None);
        self.send(socket, &answer, peer);
    }

    fn reply(&mut self, message: &Message<'_>, body: &str, from: SocketAddr, socket: usize) {
        // In a dialog the Request-URI is our Contact; a stranger's question anybody may answer.
        let phone = self.phone_of(message.uri).unwrap_or(0);
        if let Some(who) = self.phones.get(phone) {
            let answer = who.response(message, "200 OK", body);
            self.send(socket, &answer, from);
        }
    }

    /// Whose Contact a Request-URI is.
    fn phone_of(&self, uri: &str) -> Option<usize> {
        let user = uri.strip_prefix("sip:")?.split(['@', ';', ':']).next()?;
        self.by_login.get(user).copied()
    }
}
