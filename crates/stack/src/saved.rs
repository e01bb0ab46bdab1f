//! Dialogs and registrations written down and taken up again: CBOR with field names.
//!
//! A saved state names its version first, holds no secrets (the INVITE that a leg came with is
//! kept without its Authorization), and must be readable for ever: fields are only added.

use core::time::Duration;
use std::borrow::Cow;

use leg::{Binding, Direction, Diversion, Identity, LegId, Session};
use model::{DeviceId, EndReason, ExtensionId, Mono, Now, Number, TenantId, TrunkId, Wall};
use serde::de::{Deserializer, Visitor};
use serde::ser::Serializer;
use serde::{Deserialize, Serialize};
use sip::sdp::OfferShape;
use sip::{Header, Message, Method, Writer};
use smallvec::SmallVec;
use thiserror::Error;

use crate::contact::Kept;
use crate::core::{Core, LegKey, Turn};
use crate::dialog::{Able, Far, Invited, Inviting, Leg, Peer, Phase, Unacked};
use crate::display::Display;
use crate::endpoint::Endpoint;
use crate::enrol::{self, SavedEnrolment};
use crate::flows::FlowUser;
use crate::interface::{Bytes, Effect, Flow, FlowId};
use crate::limits::{PROVISIONAL_INTERVAL, STALLED, T1, T1_64};
use crate::login::Login;
use crate::nonce::Counted;
use crate::offer::{Cause, Media, Pending};
use crate::refer::{Refers, SavedRefers};
use crate::saved_dialog::{SavedEarly, SavedReliable, SavedTimed, early_of_version_1};
use crate::session_timer::Timed;
use crate::timers::LegTimer;
use crate::transaction::{
    Machine, Purpose, Timer, Transaction, TransactionId, User, invite_client, invite_server,
};
use crate::trunk::{self, Outside, Search, Stage};

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

/// A saved state.
#[derive(Serialize, Deserialize)]
struct Saved<'a> {
    version: u32,
    /// Which run of the switch wrote it: only there do connections still exist.
    run: u64,
    saved_mono: Mono,
    saved_wall: Wall,
    legs: Vec<SavedLeg<'a>>,
    #[serde(default)]
    bindings: Vec<SavedBinding>,
    /// Our registrations with trunks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    trunks: Vec<SavedEnrolment>,
    /// The nonce counts of an exported tenant; `None`: they were not carried along.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    nonces: Option<Vec<Counted>>,
}

#[derive(Serialize, Deserialize)]
struct SavedBinding {
    extension: ExtensionId,
    device: DeviceId,
    binding: Binding,
    /// Stood beside the instance in earlier releases.
    reg_id: Option<u32>,
    flow: Flow,
}

#[derive(Serialize, Deserialize)]
struct SavedLeg<'a> {
    leg: LegId,
    /// Of a phone; of a leg to a trunk it means nothing.
    extension: ExtensionId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    device: Option<DeviceId>,
    /// Of a leg to a trunk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    trunk: Option<SavedTrunk>,
    call_id: Cow<'a, str>,
    tag: Cow<'a, str>,
    local: Cow<'a, str>,
    remote: Cow<'a, str>,
    flow: Flow,
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    lost: bool,
    cseq: u32,
    phase: SavedPhase<'a>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    unacked: Option<SavedUnacked<'a>>,
    media: SavedMedia<'a>,
    #[serde(default)]
    able: Able,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reliable: Option<SavedReliable>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    timed: Option<SavedTimed>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refers: Option<SavedRefers>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    display: Option<Cow<'a, Identity>>,
}

/// The trunk at the other end of a leg. The password is the directory's.
#[derive(Serialize, Deserialize)]
struct SavedTrunk {
    trunk: TrunkId,
    name: Option<Box<str>>,
    login: Option<Login>,
    /// What is needed to try the hosts of the trunk again, from the first on.
    search: Option<SavedSearch>,
}

#[derive(Serialize, Deserialize)]
struct SavedSearch {
    number: Number,
    /// All that earlier releases knew of the identity.
    private: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    identity: Option<Identity>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    diversion: Option<Diversion>,
    max_forwards: u8,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum SavedPhase<'a> {
    /// Between two tries to reach a trunk.
    Seeking,
    Invited {
        /// What its responses copy from the INVITE.
        request: Blob<'a>,
        source: Flow,
        peer: Cow<'a, Peer>,
        provisional: Option<Blob<'a>>,
    },
    Inviting {
        /// The INVITE; `None`: it is about to be answered.
        request: Option<Blob<'a>>,
        proceeding: bool,
        /// The forks of version 1: their tags, and whether they had described themselves.
        #[serde(default, skip_serializing)]
        early: Vec<(Cow<'a, str>, bool)>,
        #[serde(default)]
        forks: Vec<SavedEarly>,
        heard: bool,
    },
    Up(Cow<'a, Peer>),
}

#[derive(Serialize, Deserialize)]
struct SavedUnacked<'a> {
    cseq: u32,
    bytes: Blob<'a>,
    lost: Mono,
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    first: bool,
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    offer: bool,
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    ending: bool,
    /// Why it is ending.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    why: Option<EndReason>,
    /// Where the 2xx goes; `None`: to the leg's flow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    flow: Option<Flow>,
}

#[derive(Serialize, Deserialize)]
struct SavedMedia<'a> {
    origin: u64,
    version: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    local: Option<Cow<'a, Session>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    remote: Option<Cow<'a, Session>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    shape: Option<SavedShape<'a>>,
    own: Direction,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    wanted: Option<Cow<'a, Session>>,
}

/// Kind, protocol and first format of an m= line.
type SavedLine<'a> = (Cow<'a, str>, Cow<'a, str>, Cow<'a, str>);

#[derive(Serialize, Deserialize)]
struct SavedShape<'a> {
    media: SmallVec<[SavedLine<'a>; 1]>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    audio: Option<usize>,
    time: (u64, u64),
}

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

fn restore_trunk(turn: &Turn<'_>, saved: SavedTrunk) -> Outside {
    let trunk = turn.core.directory.trunks.get(&saved.trunk);
    let search = trunk.zip(saved.search).map(|(trunk, search)| {
        let SavedSearch { number, private, identity, diversion, max_forwards } = search;
        let identity = identity.unwrap_or(Identity { private, ..Identity::nobody() });
        Search::new(trunk, number, (identity, diversion), max_forwards)
    });
    let mut outside = Outside::new(saved.trunk, search);
    outside.name = saved.name;
    outside.login = saved.login;
    outside
}

fn restore(
    turn: &mut Turn<'_>,
    key: LegKey,
    saved: SavedLeg<'_>,
    moved: &Moved,
) -> Option<Box<Leg>> {
    let flow = moved.flow(saved.flow);
    let is_trunk = saved.trunk.is_some();
    let far = match saved.trunk {
        Some(trunk) => Far::Trunk(Box::new(restore_trunk(turn, trunk))),
        None => Far::Phone { extension: saved.extension, device: saved.device },
    };
    let mut leg = Box::new(Leg {
        key,
        far,
        call_id: saved.call_id.into(),
        tag: saved.tag.into(),
        local: saved.local.into(),
        remote: saved.remote.into(),
        flow: flow.unwrap_or_else(|| nowhere(saved.flow)),
        lost: saved.lost || flow.is_none(),
        cseq: saved.cseq,
        // Replaced below.
        phase: Phase::Up(Peer::default()),
        unacked: None,
        media: restored_media(saved.media),
        able: saved.able,
        reliable: None,
        timed: Timed::default(),
        refers: Refers::default(),
        keys: Default::default(),
        display: Display::default(),
    });
    let flow = leg.flow;
    leg.phase = match saved.phase {
        SavedPhase::Seeking => {
            trunk::resume(turn, &mut leg);
            Phase::Seeking(Stage::Begin)
        }
        SavedPhase::Up(peer) => Phase::Up(peer.into_owned()),
        SavedPhase::Invited { request, source, peer, provisional } => {
            let request = Box::new(Message::parse(request.0.into_owned()).ok()?);
            let peer = peer.into_owned();
            let source = moved.flow(source).unwrap_or_else(|| nowhere(source));
            let transaction = invited(turn, key, &request, source, provisional.as_ref())?;
            let provisional = provisional.map(|bytes| {
                let timer = leg.start(turn, PROVISIONAL_INTERVAL, LegTimer::Provisional);
                (bytes.0.into(), timer)
            });
            let stalled = leg.start(turn, STALLED, LegTimer::Stalled);
            Phase::Invited(Invited { request, source, transaction, peer, provisional, stalled })
        }
        SavedPhase::Inviting { request, proceeding, early, forks, heard } => {
            let way = match is_trunk && leg.lost {
                true => Flow { id: FlowId::BY_ADDRESS, ..flow },
                false => flow,
            };
            let transaction = inviting(turn, key, request?, way, proceeding)?;
            let toward = leg.toward(Purpose::Invite);
            if toward.is_some() {
                // Its proof was not kept, so it is not sent again.
                turn.core.transactions.stop_repeating(transaction, &mut turn.core.timers);
                if let Some(invite) = turn.core.transactions.get_mut(transaction) {
                    invite.toward = toward;
                }
                if !heard {
                    trunk::listen(turn, &mut leg);
                }
            }
            let heard_of = leg.media.remote.clone();
            let of_version_1 = early.into_iter().map(|(tag, described)| {
                early_of_version_1(tag.into(), heard_of.clone().filter(|_| described))
            });
            let early = of_version_1.chain(forks.into_iter().map(SavedEarly::restore)).collect();
            Phase::Inviting(Inviting { transaction, early, heard, spare: None })
        }
    };
    if let Some(unacked) = saved.unacked {
        leg.unacked = Some(Unacked {
            cseq: unacked.cseq,
            bytes: unacked.bytes.0.into(),
            interval: T1,
            repeat: leg.start(turn, T1, LegTimer::Answer),
            lost: leg.start(turn, moved.left(unacked.lost), LegTimer::AnswerLost),
            first: unacked.first,
            offer: unacked.offer,
            ending: unacked.ending.then(|| unacked.why.unwrap_or(EndReason::CallerHungUp)),
            flow: unacked.flow.and_then(|f| moved.flow(f)).unwrap_or(flow),
        });
    }
    if let Some(reliable) = saved.reliable {
        leg.reliable = Some(reliable.restore(turn, &leg, moved));
    }
    if let Some(timed) = saved.timed {
        timed.restore(turn, &mut leg, moved);
    }
    if let Some(refers) = saved.refers {
        refers.restore(turn, &mut leg, moved);
    }
    leg.display.restore(saved.display.map(Cow::into_owned));
    let Leg { media, .. } = &mut *leg;
    media.remember(turn, &flow);
    if !leg.lost {
        turn.core.flows.add(&leg.flow, FlowUser::Leg(key.0, key.1));
    }
    let print = turn.core.tag_key(&leg.tag);
    turn.core.by_tag.insert(print, key);
    if key.1.is_incoming() {
        turn.core.incoming = turn.core.incoming.max((key.1.0 >> 1).saturating_add(1));
    }
    Some(leg)
}

fn restored_media(saved: SavedMedia<'_>) -> Media {
    let owned = |session: Option<Cow<'_, Session>>| session.map(|s| Box::new(s.into_owned()));
    let mut media = Media::new(0);
    media.origin = saved.origin;
    media.version = saved.version;
    media.local = owned(saved.local);
    media.remote = owned(saved.remote);
    media.own = saved.own;
    media.wanted = owned(saved.wanted);
    media.shape = saved.shape.map(|s| {
        let line = |(kind, protocol, format): SavedLine<'_>| sip::sdp::Media {
            kind: kind.into(),
            protocol: protocol.into(),
            format: format.into(),
        };
        let media: SmallVec<_> = s.media.into_iter().map(line).collect();
        Box::new(OfferShape { media, audio: s.audio, time: s.time })
    });
    media
}

/// The server transaction of an INVITE that has no final response.
fn invited(
    turn: &mut Turn<'_>,
    key: LegKey,
    request: &Message,
    source: Flow,
    provisional: Option<&Blob<'_>>,
) -> Option<TransactionId> {
    let print = turn.core.server_key(request, Method::Invite.as_str())?;
    let initial = turn.core.initial(request)?;
    let machine = Machine::InviteServer(invite_server::State::Proceeding);
    let user = User::Leg(key.0, key.1);
    let mut transaction = Transaction::new(print, machine, source, Purpose::Invite, user);
    transaction.message = provisional.map(|b| (&*b.0).into());
    let call_id = initial.call_id.clone();
    transaction.initial = Some(Box::new(initial));
    turn.effects.push(Effect::InviteTaken { tenant: key.0, call_id });
    Some(turn.insert(transaction))
}

/// The client transaction of an INVITE that has no final response.
fn inviting(
    turn: &mut Turn<'_>,
    key: LegKey,
    request: Blob<'_>,
    flow: Flow,
    proceeding: bool,
) -> Option<TransactionId> {
    let bytes: Bytes = (&*request.0).into();
    let request = Message::parse(request.0.into_owned()).ok()?;
    let branch = request.top_via().ok()?.branch?;
    let print = turn.core.client_key(branch, Method::Invite);
    let state = if proceeding {
        invite_client::State::Proceeding
    } else {
        invite_client::State::Calling { interval_ms: 500 }
    };
    let (machine, user) = (Machine::InviteClient(state), User::Leg(key.0, key.1));
    let mut transaction = Transaction::new(print, machine, flow, Purpose::Invite, user);
    transaction.message = Some(bytes);
    let id = turn.insert(transaction);
    if !proceeding {
        let (now, timers) = (turn.now.mono, &mut turn.core.timers);
        if !flow.transport.is_reliable() {
            turn.core.transactions.start_timer(id, now, timers, Timer::A, T1);
        }
        turn.core.transactions.start_timer(id, now, timers, Timer::B, T1_64);
    }
    Some(id)
}

/// Bytes that CBOR writes as bytes.
pub(crate) struct Blob<'a>(pub(crate) Cow<'a, [u8]>);

impl Serialize for Blob<'_> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Blob<'_> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Reader;
        impl Visitor<'_> for Reader {
            type Value = Blob<'static>;
            fn expecting(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.write_str("bytes")
            }
            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Self::Value, E> {
                Ok(Blob(Cow::Owned(bytes.to_vec())))
            }
            fn visit_byte_buf<E>(self, bytes: Vec<u8>) -> Result<Self::Value, E> {
                Ok(Blob(Cow::Owned(bytes)))
            }
        }
        d.deserialize_byte_buf(Reader)
    }
}
