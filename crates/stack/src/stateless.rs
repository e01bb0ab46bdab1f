//! Answers that leave no state: what strangers get.

use core::net::{IpAddr, SocketAddr};

use sip::{Header, Message, Method, Reply, Rport, Writer, application};

use crate::core::{OPTIONS, Turn};
use crate::interface::{Effect, Flow};
use crate::{owed, tag};

impl Turn<'_> {
    /// Answers a request without state. Copies of the request get the same answer to the byte.
    /// Never for an ACK, which is not answered (17.1.1.3).
    pub(crate) fn refuse(
        &mut self,
        request: &Message,
        flow: &Flow,
        status: u16,
        more: impl FnOnce(&mut Writer),
    ) {
        let tag = self.stateless_tag(request, flow);
        // Without Server: strangers learn nothing, and get little more than they sent.
        let source = Some(flow.remote);
        let reply = Reply { status, reason: None, to_tag: Some(&tag), source };
        let mut writer = Writer::response_on(self.core.paper(), request, reply);
        self.core.counters.stateless += 1;
        more(&mut writer);
        let way = self.reply_flow(request, flow);
        self.stateless(way, writer.finish());
    }

    /// Answers a request that is not as it must be, without state.
    pub(crate) fn refuse_because(
        &mut self,
        request: &Message,
        flow: &Flow,
        status: u16,
        reason: &str,
    ) {
        let tag = self.stateless_tag(request, flow);
        let source = Some(flow.remote);
        let reply = Reply { status, reason: Some(reason), to_tag: Some(&tag), source };
        self.core.counters.stateless += 1;
        let way = self.reply_flow(request, flow);
        self.stateless(way, Writer::response(request, reply).finish());
    }

    fn stateless(&mut self, flow: Flow, answer: Vec<u8>) {
        let bytes = self.core.sealed(answer);
        self.effects.push(Effect::Answer { flow, bytes });
    }

    /// Where responses to a request go: RFC 3261 18.2.2, RFC 3581 4. Over a connection, on it.
    /// Else to where it came from, with `rport` to the very port; without, to the port of its
    /// Via - but only where the Via names the address that it came from: behind NAT another port
    /// than the one that it used leads nowhere. `maddr` counts for nobody: no group of ours sends
    /// requests, and a stranger shall not choose who gets our answer.
    pub(crate) fn reply_flow(&self, request: &Message, flow: &Flow) -> Flow {
        if flow.transport.is_reliable() {
            return *flow;
        }
        let Ok(via) = request.top_via() else { return *flow };
        let told = via.rport == Rport::Absent && via.host.is_ip(flow.remote.ip().to_canonical());
        let port = via.port_or_default();
        if !told || port == 0 {
            return *flow;
        }
        Flow { remote: SocketAddr::new(flow.remote.ip(), port), ..*flow }
    }

    /// The To tag of an answer without state: the same for the same request.
    fn stateless_tag(&self, request: &Message, flow: &Flow) -> String {
        let remote = match flow.remote.ip() {
            IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
            IpAddr::V6(v6) => v6.octets(),
        };
        let port = flow.remote.port().to_be_bytes();
        let via = request.value(Header::Via).unwrap_or_default();
        let call_id = request.value(Header::CallId).unwrap_or_default();
        let from = request.value(Header::From).unwrap_or_default();
        let cseq = request.value(Header::CSeq).unwrap_or_default();
        // CSeq names the method too, which an ACK or CANCEL of the same request changes: only its
        // number counts, so that they carry the tag that they answer to.
        let number = cseq.split(|b| !b.is_ascii_digit()).next().unwrap_or_default();
        let parts = [&remote[..], &port, via, call_id, from, number];
        tag::stateless_tag(self.core.nonces.hash(b"tag", &parts))
    }

    /// What is owed by the request alone, whoever sent it: RFC 3261 8.2.1 to 8.2.3. Answered
    /// without state.
    pub(crate) fn refused(&mut self, message: &Message, flow: &Flow) -> bool {
        let method = message.method().unwrap_or(Method::Other);
        if method == Method::Other {
            self.refuse(message, flow, 501, |w| owed::write(w, 501));
            return true;
        }
        let carries_session = matches!(method, Method::Invite | Method::Update | Method::Prack);
        let supported: &[&str] = match method {
            Method::Register => &crate::register::EXTENSIONS,
            _ => &OPTIONS,
        };
        let checked = application::check_scheme(message)
            .and_then(|()| application::check_require(message, supported))
            .and_then(|()| if carries_session { application::check_body(message) } else { Ok(()) })
            .and_then(
                |()| {
                    if carries_session { application::check_accept(message) } else { Ok(()) }
                },
            );
        let Err(refusal) = checked else { return false };
        self.refuse(message, flow, refusal.status(), |w| owed::write_refusal(w, &refusal));
        true
    }
}
