//! The two ends of a dialog as a request names them.

use sip::{Header, Line, Method, Writer};

use super::peer::Peer;
use crate::core::{ALLOW, SUPPORTED_IN_DIALOG, Turn};
use crate::interface::Flow;

/// What both ends of a dialog call themselves.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ends<'a> {
    /// Our From without its tag.
    pub(crate) local: &'a str,
    /// Our tag.
    pub(crate) local_tag: &'a str,
    /// The peer's To without its tag.
    pub(crate) remote: &'a str,
    /// Call-ID.
    pub(crate) call_id: &'a str,
    /// Max-Forwards.
    pub(crate) max_forwards: u8,
}

impl Ends<'_> {
    /// Everything of a request but its body: RFC 3261 12.2.1.1.
    pub(crate) fn write(
        &self,
        turn: &Turn<'_>,
        flow: &Flow,
        peer: &Peer,
        method: Method,
        cseq: u32,
        branch: &str,
    ) -> Writer {
        let (uri, routes) = peer.route();
        let mut w = Writer::request_on(turn.core.paper(), method, uri);
        w.header(Header::Via, turn.core.via(flow, branch));
        for route in routes {
            w.header(Header::Route, ["<", route, ">"]);
        }
        w.header(Header::MaxForwards, self.max_forwards);
        w.header(Header::From, [self.local, ";tag=", self.local_tag]);
        if peer.tag.is_empty() {
            w.header(Header::To, self.remote);
        } else {
            w.header(Header::To, [self.remote, ";tag=", &peer.tag]);
        }
        w.header(Header::CallId, self.call_id);
        w.header(Header::CSeq, |line: &mut Line<'_>| {
            line.number(cseq).text(" ").value(method);
        });
        if matches!(method, Method::Invite | Method::Update) {
            w.header(Header::Contact, turn.core.contact(flow, self.local_tag));
            w.header(Header::Allow, ALLOW);
            w.header(Header::Supported, SUPPORTED_IN_DIALOG);
        }
        if !turn.core.config.product.is_empty() {
            w.header(Header::UserAgent, &turn.core.config.product);
        }
        w
    }
}
