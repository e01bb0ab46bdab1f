//! Which registrations there are to be, and what is saved of them.

use core::time::Duration;
use std::sync::Arc;

use leg::LegId;
use model::{Directory, Mono, Secret, TenantId, Trunk, TrunkHost, TrunkId};
use serde::{Deserialize, Serialize};

use super::{Enrolment, Hop, Stands, address};
use crate::core::{LegKey, Turn};
use crate::interface::Flow;
use crate::login::Login;

/// An enrolment written down.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct SavedEnrolment {
    trunk: TrunkId,
    call_id: Box<str>,
    tag: Box<str>,
    cseq: u32,
    expires_s: u32,
    host: String,
    port: Option<u16>,
    flow: Flow,
    refresh: Mono,
    until: Mono,
    login: Option<Login>,
}

impl SavedEnrolment {
    /// The way on which it was made.
    pub(crate) fn flow(&self) -> Flow {
        self.flow
    }
}

/// Names an enrolment among those who wait. Legs are numbered from below and never come so far.
pub(super) fn key_of(trunk: &Trunk) -> LegKey {
    (trunk.tenant, LegId(u64::MAX - trunk.id.0))
}

/// Brings the enrolments to what the directory says, for the tenants that live here.
pub(crate) fn reconcile(turn: &mut Turn<'_>) {
    let directory = Arc::clone(&turn.core.directory);
    let kept: Vec<LegKey> = turn.core.enrolments.keys().copied().collect();
    for key in kept {
        let id = TrunkId(u64::MAX - key.1.0);
        let now = directory.trunks.get(&id).filter(|t| is_kept(&directory, t) && t.tenant == key.0);
        let stays =
            turn.core.enrolments.get(&key).zip(now).is_some_and(|(e, t)| is_same(&e.trunk, t));
        if !stays && let Some(mut gone) = turn.core.enrolments.remove(&key) {
            gone.leave(turn);
        }
    }
    let all = directory.trunks.values();
    let wanted = all.filter(|t| is_kept(&directory, t) && turn.core.homes.contains(&t.tenant));
    let wanted: Vec<Arc<Trunk>> = wanted.filter(|t| needs(t)).cloned().collect();
    for trunk in wanted {
        let key = key_of(&trunk);
        if !turn.core.enrolments.contains_key(&key)
            && let Some(mut new) = Enrolment::new(turn, trunk)
        {
            new.wake(turn);
            turn.core.enrolments.insert(key, Box::new(new));
        }
    }
}

/// Whether anything leads in by a trunk: nothing does with a blocked tenant.
pub(super) fn is_kept(directory: &Directory, trunk: &Trunk) -> bool {
    trunk.enabled && !directory.is_blocked(trunk.tenant)
}

/// Whether something is to be kept of a trunk.
pub(super) fn needs(trunk: &Trunk) -> bool {
    trunk.registration.is_some() || trunk.hosts.iter().any(|host| address(host).is_none())
}

/// Whether a changed configuration changes nothing for an enrolment.
pub(super) fn is_same(a: &Arc<Trunk>, b: &Arc<Trunk>) -> bool {
    let login = |t: &Trunk| {
        t.credentials.as_ref().map(|c| (c.login.clone(), Secret::new(c.password.expose())))
    };
    Arc::ptr_eq(a, b)
        || (a.registration == b.registration
            && a.hosts == b.hosts
            && a.transport == b.transport
            && login(a) == login(b))
}

/// Takes up a registration that another endpoint has made. `left`: how far a moment of its clock
/// is away. `flow`: its way, if that is still there.
pub(crate) fn restore(
    turn: &mut Turn<'_>,
    tenant: TenantId,
    saved: SavedEnrolment,
    flow: Option<Flow>,
    left: impl Fn(Mono) -> Duration,
) {
    let directory = &turn.core.directory;
    let trunk = directory.trunks.get(&saved.trunk);
    let trunk = trunk.filter(|t| t.tenant == tenant && is_kept(directory, t));
    let Some(trunk) = trunk.cloned() else { return };
    if trunk.registration.is_none() || turn.core.enrolments.contains_key(&key_of(&trunk)) {
        return;
    }
    let Some(mut enrolment) = Enrolment::new(turn, trunk) else { return };
    (enrolment.call_id, enrolment.tag) = (saved.call_id.into(), saved.tag);
    (enrolment.cseq, enrolment.expires_s) = (saved.cseq, saved.expires_s);
    enrolment.login = saved.login;
    let now = turn.now.mono;
    if let Some(flow) = flow {
        let host = TrunkHost { host: saved.host, port: saved.port };
        let hop = Hop { host, remote: flow.remote };
        let (refresh, until) = (now + left(saved.refresh), now + left(saved.until));
        enrolment.stands = Some(Stands { flow, hop, refresh, until });
    }
    enrolment.rest(turn, Duration::ZERO);
    turn.core.enrolments.insert(enrolment.key, Box::new(enrolment));
}

impl Enrolment {
    /// The registration that stands, written down.
    pub(crate) fn save(&self) -> Option<SavedEnrolment> {
        let stands = self.stands.as_ref()?;
        Some(SavedEnrolment {
            trunk: self.trunk.id,
            call_id: self.call_id.as_ref().into(),
            tag: self.tag.clone(),
            cseq: self.cseq,
            expires_s: self.expires_s,
            host: stands.hop.host.host.clone(),
            port: stands.hop.host.port,
            flow: stands.flow,
            refresh: stands.refresh,
            until: stands.until,
            login: self.login.clone(),
        })
    }
}
