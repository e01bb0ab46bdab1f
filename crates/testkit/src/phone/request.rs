//! Requests of the phone, from a draft to bytes.

use core::net::SocketAddr;

use sip::{Header, Method, Writer};

/// How a phone's messages travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// Datagrams.
    Udp,
    /// One connection, opened by the phone.
    Tcp,
}

impl Transport {
    /// As Via writes it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Transport::Udp => "UDP",
            Transport::Tcp => "TCP",
        }
    }
}

/// Who a phone is and where.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// As ladders call it.
    pub(crate) name: String,
    /// Number in the run.
    pub(crate) number: u8,
    pub(crate) login: String,
    pub(crate) password: String,
    pub(crate) domain: String,
    /// Its socket, as others see it.
    pub(crate) address: SocketAddr,
    /// Its socket, as it tells; another one behind NAT.
    pub(crate) told: SocketAddr,
    pub(crate) transport: Transport,
}

impl Place {
    /// The URI of its Contact.
    pub(super) fn contact(&self) -> String {
        let transport = match self.transport {
            Transport::Udp => "",
            Transport::Tcp => ";transport=tcp",
        };
        format!("sip:{}@{}{transport}", self.login, self.told)
    }
}

/// A request before its Via is known.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    pub(super) method: Method,
    pub(super) uri: String,
    /// With its tag.
    pub(super) from: String,
    /// With its tag, if the dialog has one.
    pub(super) to: String,
    pub(super) call_id: String,
    pub(super) cseq: u32,
    pub(super) max_forwards: u8,
    pub(super) routes: Vec<String>,
    /// The Contact header, where one belongs.
    pub(super) contact: Option<String>,
    pub(super) extra: Vec<(Header, String)>,
    /// Content-Type and text.
    pub(super) body: Option<(&'static str, String)>,
    /// How often credentials were tried.
    pub(super) attempts: u8,
}

impl Draft {
    pub(super) fn bytes(&self, place: &Place, branch: &str) -> Vec<u8> {
        let mut w = Writer::request(self.method, &self.uri);
        let via =
            format!("SIP/2.0/{} {};branch={branch};rport", place.transport.as_str(), place.told);
        w.header(Header::Via, via).header(Header::MaxForwards, self.max_forwards);
        for route in &self.routes {
            w.header(Header::Route, route);
        }
        w.header(Header::From, &self.from).header(Header::To, &self.to);
        w.header(Header::CallId, &self.call_id);
        w.header(Header::CSeq, format_args!("{} {}", self.cseq, self.method));
        if let Some(contact) = &self.contact {
            w.header(Header::Contact, contact);
        }
        for (header, value) in &self.extra {
            w.header(*header, value);
        }
        match &self.body {
            Some((kind, text)) => w.finish_with(kind, text.as_bytes()),
            None => w.finish(),
        }
    }

    /// Replaces or adds a header.
    pub(super) fn set(&mut self, header: Header, value: String) {
        self.extra.retain(|(h, _)| *h != header);
        self.extra.push((header, value));
    }
}
