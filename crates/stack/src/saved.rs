//! Dialogs and registrations written down and taken up again: CBOR with field names.
//!
//! A saved state names its version first, holds no secrets (the INVITE that a leg came with is
//! kept without its Authorization), and must be readable for ever: fields are only added.

mod form;
mod restored;

use core::time::Duration;
use std::borrow::Cow;

use leg::LegId;
use model::{ExtensionId, Mono, Now, TenantId};
use sip::{Header, Message, Method, Writer};
use thiserror::Error;

pub(crate) use self::form::Blob;
use self::form::{
    Saved, SavedBinding, SavedLeg, SavedMedia, SavedPhase, SavedSearch, SavedShape, SavedTrunk,
    SavedUnacked,
};
use self::restored::restore;
use crate::contact::Kept;
use crate::core::{Core, LegKey, Turn};
use crate::dialog::{Far, Leg, Phase};
use crate::endpoint::Endpoint;
use crate::enrol;
use crate::interface::{Effect, Flow, FlowId};
use crate::nonce::Counted;
use crate::offer::{Cause, Pending};
use crate::saved_dialog::{SavedEarly, SavedReliable, SavedTimed};
use crate::transaction::{Machine, invite_client};
use crate::trunk::Outside;

/// The version that is written.
const VERSION: u32 = 3;

/// Why a saved state cannot be taken up.
#[derive(Debug, Error)]
pub enum LoadError {
    /// It is no CBOR of this shape.
    #[error("reading the saved state")]
    Unreadable(#[source] Box<dyn core::error::Error + Send + Sync>),
    /// A newer release wrote it.
    #[error("version {found} of the saved state is newer than {VERSION}")]
    TooNew {
        /// Its version.
        found: u32,
    },
    /// The tenant is not in the directory.
    #[error("the tenant is unknown")]
    NoTenant,
    /// A message in it cannot be read.
    #[error("a message in the saved state cannot be read")]
    Message,
}

/// Kind, protocol and first format of an m= line.
type SavedLine<'a> = (Cow<'a, str>, Cow<'a, str>, Cow<'a, str>);

impl Endpoint {
    /// The dialogs of these legs as they are now. Legs that are not there are left out.
    pub fn save_legs(&self, now: Now, tenant: TenantId, legs: &[LegId]) -> Vec<u8> {
        let mut saved = Vec::with_capacity(legs.len());
        for leg in legs.iter().filter_map(|leg| self.legs.get(&(tenant, *leg))) {
            saved.push(save(&self.core, leg));
        }
        written(&self.saved(now, saved, Vec::new()))
    }

    /// Takes up saved dialogs. Afterwards [`leg::LegCommand::End`] sends what each of them needs:
    /// a final response, CANCEL or BYE. Deadlines that passed meanwhile are due at once. Legs that
    /// are there already stay as they are. Effects come with the next [`Endpoint::handle`].
    pub fn load_legs(&mut self, now: Now, tenant: TenantId, saved: &[u8]) -> Result<(), LoadError> {
        self.load(now, tenant, saved).map(|_| ())
    }

    /// Takes a tenant out: its dialogs and its registrations. Nothing is sent, nobody is told.
    pub fn export(&mut self, now: Now, tenant: TenantId) -> Vec<u8> {
        let all = (tenant, LegId(0))..=(tenant, LegId(u64::MAX));
        let saved = {
            let legs: Vec<_> = self.legs.range(all).map(|(_, leg)| save(&self.core, leg)).collect();
            let registrar = self.core.registrars.get(&tenant);
            let kept = registrar.into_iter().flat_map(|r| r.kept(now));
            let bindings = kept.filter_map(|k| {
                let Kept { extension, device, binding, flow } = k;
                Some(SavedBinding { extension, device, binding, reg_id: None, flow: flow? })
            });
            let nonces = Some(self.core.nonces.counts_of(tenant));
            let enrolments = self.core.enrolments.iter().filter(|(key, _)| key.0 == tenant);
            let trunks = enrolments.filter_map(|(_, e)| e.save()).collect();
            written(&Saved { nonces, trunks, ..self.saved(now, legs, bindings.collect()) })
        };
        self.remove_tenant(tenant);
        saved
    }

    /// Takes up a tenant that another endpoint exported. Effects come with the next
    /// [`Endpoint::handle`]: each device that can be reached is up, each whose connection is gone
    /// is down.
    pub fn import(&mut self, now: Now, tenant: TenantId, saved: &[u8]) -> Result<(), LoadError> {
        let came = self.load(now, tenant, saved)?;
        match came.nonces {
            Some(counts) if came.same_run => self.core.nonces.remember(now.mono, tenant, counts),
            // The nonces of another run are none of ours.
            Some(_) => {}
            // Which counts were seen is not known, so older nonces count as stale here.
            None => self.core.nonces.raise_floor(now.mono),
        }
        Ok(())
    }

    /// Drops the legs and registrations of a tenant without a word. Requests that are on their way
    /// (a last BYE) are still repeated until they are answered.
    pub fn remove_tenant(&mut self, tenant: TenantId) {
        let all = (tenant, LegId(0))..=(tenant, LegId(u64::MAX));
        let legs: Vec<LegId> = self.legs.range(all).map(|(key, _)| key.1).collect();
        for leg in legs {
            self.forget(tenant, leg);
        }
        self.core.homes.remove(&tenant);
        let keys = self.core.enrolments.keys().filter(|key| key.0 == tenant);
        let keys: Vec<LegKey> = keys.copied().collect();
        let mut effects = core::mem::take(&mut self.core.queued);
        let mut turn = Turn { core: &mut self.core, now: self.last, effects: &mut effects };
        crate::watch::remove_tenant(&mut turn, tenant);
        for mut gone in
            keys.iter().filter_map(|key| turn.core.enrolments.remove(key)).collect::<Vec<_>>()
        {
            gone.forget(&mut turn);
        }
        self.core.queued = effects;
        if let Some(mut registrar) = self.core.registrars.remove(&tenant) {
            registrar.clear(tenant, &mut self.core.timers, &mut self.core.flows);
        }
    }

    fn saved<'a>(
        &self,
        now: Now,
        legs: Vec<SavedLeg<'a>>,
        bindings: Vec<SavedBinding>,
    ) -> Saved<'a> {
        Saved {
            version: VERSION,
            run: self.core.nonces.run(),
            saved_mono: now.mono,
            saved_wall: now.wall,
            legs,
            bindings,
            trunks: Vec::new(),
            nonces: None,
        }
    }

    fn load(&mut self, now: Now, tenant: TenantId, saved: &[u8]) -> Result<Came, LoadError> {
        let saved: Saved =
            cbor4ii::serde::from_slice(saved).map_err(|e| LoadError::Unreadable(Box::new(e)))?;
        if saved.version > VERSION {
            return Err(LoadError::TooNew { found: saved.version });
        }
        self.core.key_of(tenant).ok_or(LoadError::NoTenant)?;
        let moved = Moved {
            same_run: saved.run == self.core.nonces.run(),
            saved: saved.saved_mono,
            elapsed: Duration::from_micros(
                u64::try_from(now.wall.0.saturating_sub(saved.saved_wall.0)).unwrap_or(0),
            ),
            now: now.mono,
        };
        let mut effects = core::mem::take(&mut self.core.queued);
        let mut turn = Turn { core: &mut self.core, now, effects: &mut effects };
        let mut result = Ok(Came { same_run: moved.same_run, nonces: saved.nonces });
        for saved in saved.legs {
            let key = (tenant, saved.leg);
            if self.legs.contains_key(&key) {
                continue;
            }
            match restore(&mut turn, key, saved, &moved) {
                Some(leg) => {
                    self.legs.insert(key, leg);
                }
                None => result = Err(LoadError::Message),
            }
        }
        for saved in saved.bindings {
            let SavedBinding { extension, device, mut binding, reg_id, flow } = saved;
            if let (Some(instance), Some(reg_id)) = (&mut binding.instance, reg_id) {
                *instance = format!("{instance};reg-id={reg_id}");
            }
            let flow = moved.flow(flow);
            let (registrar, mut around) = turn.registrar(tenant);
            if flow.is_none() {
                around.effects.push(Effect::DeviceDown { tenant, extension, device });
            }
            let kept = Kept { extension, device, binding, flow };
            registrar.restore(&mut around, kept);
        }
        for saved in saved.trunks {
            let flow = moved.flow(saved.flow());
            enrol::restore(&mut turn, tenant, saved, flow, |moment| moved.left(moment));
        }
        self.core.queued = effects;
        result
    }
}

/// What a saved state brings besides dialogs and registrations.
struct Came {
    /// The run of the switch that goes on has written it.
    same_run: bool,
    nonces: Option<Vec<Counted>>,
}

/// What has changed between saving and loading.
pub(crate) struct Moved {
    same_run: bool,
    saved: Mono,
    elapsed: Duration,
    now: Mono,
}

impl Moved {
    /// The flow as it is now; `None`: its connection is gone.
    fn flow(&self, flow: Flow) -> Option<Flow> {
        if self.same_run {
            Some(flow)
        } else if flow.transport.is_reliable() {
            None
        } else {
            Some(Flow { id: FlowId::BY_ADDRESS, ..flow })
        }
    }

    /// How long a saved deadline is away.
    pub(crate) fn left(&self, deadline: Mono) -> Duration {
        // Between shards of one run the clock is the same.
        if self.same_run {
            deadline.since(self.now)
        } else {
            deadline.since(self.saved).saturating_sub(self.elapsed)
        }
    }
}

/// A connection of another run: on it nothing is sent, since its number may be another's by now.
fn nowhere(flow: Flow) -> Flow {
    Flow { id: FlowId::BY_ADDRESS, ..flow }
}

fn written(saved: &Saved<'_>) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(2_560);
    model::cbor::write(&mut bytes, saved);
    bytes
}

fn save<'a>(core: &'a Core, leg: &'a Leg) -> SavedLeg<'a> {
    let media = &leg.media;
    // An offer of ours that has no answer is made again; one of the peer's is expected again.
    let wanted = match &media.pending {
        Pending::Ours(session, Cause::Exchange) | Pending::Waiting(_, session) => {
            Some(media.wanted.as_deref().unwrap_or(session))
        }
        Pending::Idle | Pending::Theirs(_) | Pending::Ours(_, Cause::Refresh) => {
            media.wanted.as_deref()
        }
    };
    let again = matches!(media.pending, Pending::Theirs(_));
    let (extension, device, trunk) = match &leg.far {
        Far::Phone { extension, device } => (*extension, *device, None),
        Far::Trunk(outside) => (ExtensionId(0), None, Some(save_trunk(outside))),
    };
    SavedLeg {
        leg: leg.id(),
        extension,
        device,
        trunk,
        call_id: (&*leg.call_id).into(),
        tag: (&*leg.tag).into(),
        local: (&*leg.local).into(),
        remote: (&*leg.remote).into(),
        flow: leg.flow,
        lost: leg.lost,
        cseq: leg.cseq,
        phase: match &leg.phase {
            Phase::Invited(invited) => SavedPhase::Invited {
                request: Blob(bare(&invited.request).into()),
                source: invited.source,
                peer: Cow::Borrowed(&invited.peer),
                provisional: invited.provisional.as_ref().map(|(b, _)| Blob((&**b).into())),
            },
            Phase::Seeking(_) => SavedPhase::Seeking,
            Phase::Inviting(inviting) => {
                let transaction = core.transactions.get(inviting.transaction);
                let message = transaction.and_then(|t| t.message.as_ref());
                let proceeding = Machine::InviteClient(invite_client::State::Proceeding);
                SavedPhase::Inviting {
                    request: message.map(|b| match &leg.far {
                        Far::Phone { .. } => Blob((&**b).into()),
                        Far::Trunk(_) => Blob(without_proof(b).into()),
                    }),
                    proceeding: transaction.is_some_and(|t| t.machine == proceeding),
                    early: Vec::new(),
                    forks: inviting.early.iter().map(SavedEarly::of).collect(),
                    heard: inviting.heard,
                }
            }
            Phase::Up(peer) => {
                let mut peer = Cow::Borrowed(peer);
                if again {
                    let peer = peer.to_mut();
                    peer.cseq = peer.cseq.map(|n| n.saturating_sub(1));
                }
                SavedPhase::Up(peer)
            }
        },
        unacked: leg.unacked.as_ref().map(|u| SavedUnacked {
            cseq: u.cseq,
            bytes: Blob((&*u.bytes).into()),
            lost: u.lost.at(),
            first: u.first,
            offer: u.offer,
            ending: u.ending.is_some(),
            why: u.ending,
            flow: Some(u.flow).filter(|flow| *flow != leg.flow),
        }),
        media: SavedMedia {
            origin: media.origin,
            version: media.version,
            local: media.local.as_deref().map(Cow::Borrowed),
            remote: media.remote.as_deref().map(Cow::Borrowed),
            shape: media.shape.as_deref().map(|s| SavedShape {
                media: s
                    .media
                    .iter()
                    .map(|m| ((&*m.kind).into(), (&*m.protocol).into(), (&*m.format).into()))
                    .collect(),
                audio: s.audio,
                time: s.time,
            }),
            own: media.own,
            wanted: wanted.map(Cow::Borrowed),
        },
        able: leg.able,
        reliable: leg.reliable.as_deref().map(SavedReliable::of),
        timed: SavedTimed::of(leg),
        refers: leg.refers.saved(),
        display: leg.display.untold().map(Cow::Borrowed),
    }
}

/// The INVITE with what its responses copy or answer, and nothing else: no secrets.
fn bare(request: &Message) -> Vec<u8> {
    let uri = request.uri().map(|u| u.as_str()).unwrap_or("sip:invalid");
    let mut w = Writer::request(Method::Invite, uri);
    for header in [Header::Via, Header::RecordRoute] {
        w.copy(request, header);
    }
    for header in [Header::From, Header::To, Header::CallId, Header::CSeq] {
        w.copy_first(request, header);
    }
    for header in [Header::Supported, Header::Require, Header::SessionExpires, Header::MinSe] {
        w.copy(request, header);
    }
    w.finish()
}

fn save_trunk(outside: &Outside) -> SavedTrunk {
    SavedTrunk {
        trunk: outside.trunk,
        name: outside.name.clone(),
        login: outside.login.clone(),
        search: outside.search.as_deref().map(|search| SavedSearch {
            number: search.number.clone(),
            private: search.identity.private,
            identity: Some(search.identity.clone()),
            diversion: search.diversion.clone(),
            max_forwards: search.max_forwards,
        }),
    }
}

/// An INVITE to a trunk without what proves us: enough for its CANCEL and its ACK.
fn without_proof(invite: &[u8]) -> Vec<u8> {
    let Ok(invite) = Message::parse(invite.to_vec()) else { return Vec::new() };
    let proves = [Header::Authorization, Header::ProxyAuthorization];
    if !proves.into_iter().any(|header| invite.has(header)) {
        return invite.bytes().to_vec();
    }
    let mut writer = Writer::request(Method::Invite, invite.uri().map_or("", |u| u.as_str()));
    for header in [Header::Via, Header::Route] {
        writer.copy(&invite, header);
    }
    for header in [Header::From, Header::To, Header::CallId, Header::CSeq] {
        writer.copy_first(&invite, header);
    }
    writer.finish()
}
