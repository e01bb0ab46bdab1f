//! What the phone takes from a message that it has received.

use sip::{Contact, Header, Message, Method};

/// A received message with what the phone needs of every message.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) message: Message,
    pub(crate) branch: String,
    pub(crate) call_id: String,
    pub(crate) from_tag: String,
    /// Empty: there is none.
    pub(crate) to_tag: String,
    pub(crate) cseq: u32,
    pub(crate) method: Method,
}

/// Somebody at the other end of a call, as a display shows him.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Party {
    pub(crate) number: String,
    /// Empty where none is told.
    pub(crate) name: String,
}

impl Seen {
    /// Reads a message as strictly as the RFC allows; the error is for people.
    pub(crate) fn read(bytes: &[u8]) -> Result<Seen, String> {
        let message = Message::parse(bytes.to_vec()).map_err(|e| e.to_string())?;
        sip::validate(&message).map_err(|v| format!("{v:?}"))?;
        let told = |e: sip::ValueError| e.to_string();
        let branch = message.top_via().map_err(told)?.branch.unwrap_or("").to_owned();
        let from_tag = message.from().map_err(told)?.tag.unwrap_or("").to_owned();
        let to_tag = message.to().map_err(told)?.tag.unwrap_or("").to_owned();
        let cseq = message.cseq().map_err(told)?;
        let (cseq, method) = (cseq.number, cseq.method);
        let call_id = message.call_id().map_err(told)?.to_owned();
        Ok(Seen { branch, call_id, from_tag, to_tag, cseq, method, message })
    }

    /// The status of a response; 0 of a request.
    pub(crate) fn status(&self) -> u16 {
        self.message.status().unwrap_or(0)
    }

    /// The URI of the first Contact.
    pub(crate) fn contact(&self) -> Option<String> {
        match self.message.contacts().next()?.ok()? {
            Contact::Address(address) => Some(address.uri.as_str().to_owned()),
            Contact::Star => None,
        }
    }

    /// The route set that a dialog takes from this message, in its order.
    pub(crate) fn record_route(&self) -> Vec<String> {
        let routes = self.message.addresses(Header::RecordRoute).flatten();
        routes.map(|r| String::from_utf8_lossy(r.raw).into_owned()).collect()
    }

    /// The user part of From.
    pub(crate) fn caller(&self) -> String {
        let user = self.message.from().ok().and_then(|f| f.uri.number());
        user.map(|u| u.into_owned()).unwrap_or_default()
    }

    /// Whom P-Asserted-Identity tells.
    pub(crate) fn asserted(&self) -> Option<Party> {
        self.party(Header::PAssertedIdentity)
    }

    /// Who calls, as the person at the phone reads it.
    pub(crate) fn calling(&self) -> Option<Party> {
        self.asserted().or_else(|| self.party(Header::From))
    }

    fn party(&self, header: Header) -> Option<Party> {
        let address = self.message.text(header)?;
        let (name, rest) = address.split_once("sip:")?;
        let number = sip::unescape(rest.split_once('@')?.0).into_owned();
        let name = name.trim_end_matches('<').trim().trim_matches('"').to_owned();
        Some(Party { number, name })
    }

    /// Reason as text.
    pub(crate) fn reason(&self) -> Option<String> {
        self.message.text(Header::Reason).map(|t| t.into_owned())
    }
}
