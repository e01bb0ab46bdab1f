//! A registered contact, and the forms in which it leaves the registrar.

use core::net::SocketAddr;
use core::time::Duration;
use std::fmt::Write as _;

use leg::{Binding, BindingChange};
use model::{DeviceId, ExtensionId, Mono, Now, TenantId, Wall};
use sip::Uri;

use crate::interface::{Effect, Flow, FlowId, Transport};
use crate::limits::BINDING_JOURNAL_INTERVAL;
use crate::timers::TimerId;

/// One registered contact: a device.
#[derive(Debug)]
pub(crate) struct Contact {
    /// Its number.
    pub(crate) device: DeviceId,
    /// The URI as the phone sent it: the Request-URI of what we send to it.
    pub(crate) uri: Box<str>,
    /// Where requests go.
    pub(crate) flow: Flow,
    /// The route to it, in order (RFC 3327).
    pub(crate) path: Box<[Box<str>]>,
    /// When it runs out.
    pub(crate) expires: Mono,
    /// Preference in thousandths.
    pub(crate) q: u16,
    pub(crate) call_id: Box<str>,
    pub(crate) cseq: u32,
    pub(crate) user_agent: Box<str>,
    pub(crate) instance: Option<Instance>,
    /// Rises with every REGISTER: of several flows to one phone the newest goes first.
    pub(crate) order: u64,
    /// What the exchange knows it as.
    pub(crate) role: Role,
    /// When the last change was written down.
    pub(crate) written: Mono,
    pub(crate) timer: TimerId,
}

impl Contact {
    /// As the 200 to a REGISTER lists it.
    pub(crate) fn line(&self, now: Mono) -> String {
        let expires_s = self.expires.since(now).as_secs();
        let mut line = format!("<{}>;expires={expires_s}", self.uri);
        // Writing into a String cannot fail.
        if self.q != 1_000 {
            let _ = write!(line, ";q=0.{:03}", self.q);
        }
        if let Some(instance) = &self.instance {
            line.push_str(";+sip.instance=");
            sip::quote(&instance.urn, &mut line);
            if let Some(reg_id) = instance.reg_id {
                let _ = write!(line, ";reg-id={reg_id}");
            }
        }
        line
    }
}

/// What the exchange knows a contact as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// A device.
    Device,
    /// Another flow to a device that it knows (RFC 5626 4.2): nothing.
    Spare,
}

/// What names a phone for good, whatever its contact: RFC 5626 4.1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Instance {
    /// `+sip.instance` without its quotes.
    pub(crate) urn: Box<str>,
    /// `reg-id`: one phone may register over several flows.
    pub(crate) reg_id: Option<u32>,
}

impl Instance {
    /// In one text: `reg-id` follows as it follows in a Contact.
    fn kept(&self) -> String {
        match self.reg_id {
            Some(reg_id) => format!("{}{REG_ID}{reg_id}", self.urn),
            None => self.urn.to_string(),
        }
    }

    /// Reads [`Instance::kept`].
    pub(crate) fn of_kept(text: &str) -> Instance {
        let flow = text.rsplit_once(REG_ID).and_then(|(urn, id)| Some((urn, id.parse().ok()?)));
        match flow {
            Some((urn, reg_id)) => Instance { urn: urn.into(), reg_id: Some(reg_id) },
            None => Instance { urn: text.into(), reg_id: None },
        }
    }

    /// Whether both are flows of one phone.
    pub(crate) fn is_beside(&self, other: &Instance) -> bool {
        self.urn == other.urn && self.reg_id.is_some() && other.reg_id.is_some()
    }
}

const REG_ID: &str = ";reg-id=";

/// A contact as it is kept outside of the registrar.
#[derive(Debug)]
pub(crate) struct Kept {
    /// Whose.
    pub(crate) extension: ExtensionId,
    /// Its number.
    pub(crate) device: DeviceId,
    /// The contact.
    pub(crate) binding: Binding,
    /// Its flow; `None`: that was a connection, which is gone.
    pub(crate) flow: Option<Flow>,
}

/// The flow of a binding that was read back: a datagram socket is found by its address.
pub(crate) fn flow_of(binding: &Binding) -> Option<Flow> {
    (binding.transport == Transport::Udp.as_str()).then_some(Flow {
        id: FlowId::BY_ADDRESS,
        transport: Transport::Udp,
        local: binding.local,
        remote: binding.remote,
    })
}

/// Equality of 19.1.4; texts that are no SIP URIs must be the same.
pub(crate) fn same_uri(a: &str, b: &str) -> bool {
    a == b
        || match (Uri::parse(a), Uri::parse(b)) {
            (Ok(a), Ok(b)) => a.equals(&b),
            _ => false,
        }
}

pub(crate) fn up(tenant: TenantId, extension: ExtensionId, contact: &Contact) -> Effect {
    up_as(tenant, extension, contact.device, contact)
}

/// News of a flow to a device that the exchange knows under another number.
pub(crate) fn up_as(
    tenant: TenantId,
    extension: ExtensionId,
    device: DeviceId,
    contact: &Contact,
) -> Effect {
    let address: SocketAddr = contact.flow.remote;
    Effect::DeviceUp { tenant, extension, device, address: address.ip(), q: contact.q }
}

pub(crate) fn change(
    now: Now,
    tenant: TenantId,
    extension: ExtensionId,
    contact: &Contact,
) -> Effect {
    // Refreshes in the next five minutes will not be written, so a short registration is written
    // as if the last of them had happened: a phone that is still there is never lost in a restart.
    let short = contact.expires.since(now.mono) < BINDING_JOURNAL_INTERVAL * 2;
    let slack = if short { BINDING_JOURNAL_INTERVAL } else { Duration::ZERO };
    Effect::Binding(Box::new(BindingChange {
        tenant,
        extension,
        device: contact.device,
        binding: Some(binding(now, contact, slack)),
    }))
}

pub(crate) fn binding(now: Now, contact: &Contact, slack: Duration) -> Binding {
    Binding {
        contact: contact.uri.to_string(),
        call_id: contact.call_id.to_string(),
        cseq: contact.cseq,
        q: contact.q,
        expires: wall_of(now, contact.expires + slack),
        transport: contact.flow.transport.as_str().to_owned(),
        local: contact.flow.local,
        remote: contact.flow.remote,
        path: contact.path.iter().map(|p| p.to_string()).collect(),
        user_agent: contact.user_agent.to_string(),
        instance: contact.instance.as_ref().map(Instance::kept),
    }
}

pub(crate) fn wall_of(now: Now, deadline: Mono) -> Wall {
    (now + deadline.since(now.mono)).wall
}
