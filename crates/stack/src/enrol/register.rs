//! REGISTER, as we send it.

use model::TrunkHost;
use sip::{Header, Method};

use super::{Enrolment, Hop, Stage};
use crate::core::Turn;
use crate::dialog::{Ends, Peer};
use crate::interface::{Flow, Transport};
use crate::limits::NAMES_ASKED_EVERY;
use crate::login::Proof;
use crate::tag::{self, trunk_token};
use crate::toward::Toward;
use crate::transaction::{Purpose, User};

impl Enrolment {
    pub(super) fn register(&mut self, turn: &mut Turn<'_>, flow: Flow, hop: Hop) {
        let Some((branch, bytes)) = self.request(turn, &flow, &hop, self.expires_s) else {
            return self.failed(turn);
        };
        let toward = Toward {
            tenant: self.key.0,
            trunk: self.trunk.id,
            name: (flow.transport == Transport::Tls).then(|| hop.host.host.as_str().into()),
            login: self.login.clone(),
            answers: 0,
            proof: None,
            datagrams: None,
        };
        let what = (Method::Register, Purpose::Register, User::Leg(self.key.0, self.key.1));
        let sent = turn.request_toward(flow, &branch, what, bytes.into(), Box::new(toward));
        match sent {
            Some(_) => {
                self.stage = Stage::Registering(flow, hop);
                self.rest(turn, NAMES_ASKED_EVERY);
            }
            None => self.failed(turn),
        }
    }

    /// A REGISTER of ours: RFC 3261 10.2.
    pub(super) fn request(
        &mut self,
        turn: &mut Turn<'_>,
        flow: &Flow,
        hop: &Hop,
        expires_s: u32,
    ) -> Option<(String, Vec<u8>)> {
        let key = turn.core.key_of(self.key.0)?;
        let token = trunk_token(key, &self.trunk);
        let branch = tag::new_branch(key, &mut turn.core.chance);
        let target: Box<str> = format!("sip:{}", hop.host).into();
        let domain = TrunkHost { port: None, ..hop.host.clone() };
        let mut own = String::from("<sip:");
        let login = self.trunk.credentials.as_ref().map_or("", |c| c.login.as_str());
        sip::escape_user(login, &mut own);
        own.push_str(&format!("@{domain}>"));
        self.cseq = self.cseq.saturating_add(1);
        let ends = Ends {
            local: &own,
            local_tag: &self.tag,
            remote: &own,
            call_id: &self.call_id,
            max_forwards: crate::dialog::MAX_FORWARDS,
        };
        let uri = target.to_string();
        let peer = Peer { tag: "".into(), target, routes: Box::default(), cseq: None };
        let mut writer = ends.write(turn, flow, &peer, Method::Register, self.cseq, &branch);
        writer.header(Header::Contact, turn.core.contact(flow, &token));
        writer.header(Header::Expires, expires_s);
        if let Some((header, proof)) = self.proof(turn, flow, &uri) {
            writer.header(header, &proof);
        }
        Some((branch, writer.finish()))
    }

    fn proof(&mut self, turn: &mut Turn<'_>, flow: &Flow, uri: &str) -> Option<Proof> {
        let credentials = self.trunk.credentials.as_ref()?;
        let login = self.login.as_mut()?;
        login.prove(&mut turn.core.chance, credentials, flow.remote.ip(), ("REGISTER", uri))
    }
}
