//! [`Plane`]: the media of many calls as one value.
//!
//! Files: `relation` carries commands out, with `sounds` those of clips and recorders and `parted`
//! what goes from call to call;
//! `inbound` takes packets, `frames` plays, mixes and records, `timers` reports and watches,
//! `audible` says who is heard where, `check` what must always hold.

mod audible;
mod check;
mod frames;
mod inbound;
mod leg;
mod parted;
mod relation;
mod sounds;
mod timers;

use core::num::NonZeroU32;
use std::collections::{BTreeMap, BTreeSet};

use ::leg::{LegId, MediaCommand, Revision};
use model::{CallId, Chance, Mono, Now, TenantId};
use slab::Slab;
use smallvec::SmallVec;

use crate::counters::{Counters, Dropped};
use crate::effects::{Effect, Effects, Sought};
use crate::limits::FRAME;

use crate::clip::ClipPlaying;
use crate::pcm::Rates;

pub use self::audible::{Audible, Outlet, Way};
use self::frames::Playing;
use self::leg::Leg;
pub use self::leg::{LegStats, PeerReport};
use self::parted::Parted;
use self::sounds::Ear;

/// The media of many tenants' calls on one thread.
///
/// Inputs: [`Plane::command`], [`Plane::packet`], [`Plane::tick`], and the answers
/// [`Plane::file`] and [`Plane::recording_failed`]. Each appends to the caller's
/// [`Effects`], which are to be carried out in order. [`Plane::deadline`] tells when the next
/// [`Plane::tick`] is due; packets need none. Addresses in effects are canonical: IPv4 is never
/// shown mapped into IPv6.
///
/// Relayed packets and mixed frames allocate nothing; commands do.
pub struct Plane {
    chance: Chance,
    /// The beginning of the mixing clock.
    start: Mono,
    /// The newest tick of the mixing clock that was played.
    ticks: u64,
    calls: Slab<Call>,
    by_id: BTreeMap<(TenantId, CallId), CallKey>,
    legs: Slab<Leg>,
    ports: Ports,
    /// The calls in which something is played, mixed or pressed, in rising order.
    clocked: Vec<CallKey>,
    timers: BTreeSet<(Mono, LegKey)>,
    counters: Counters,
    /// The number of the next recording.
    recordings: u64,
    /// The number of the next leg.
    serials: u64,
    /// What no call names any more, for a moment.
    parted: Parted,
}

/// The slot of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct CallKey(usize);

/// The slot of a leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct LegKey(usize);

/// Which leg has a port: one look per packet, four bytes per pair of ports.
#[derive(Default)]
struct Ports {
    /// By the half of the port's number, since a leg has an even port and the next: the leg's slot
    /// and one.
    legs: Vec<Option<NonZeroU32>>,
}

impl Ports {
    /// The leg that has this port or the one before.
    fn leg(&self, port: u16) -> Option<LegKey> {
        let slot = self.legs.get(usize::from(port >> 1)).copied().flatten()?;
        usize::try_from(slot.get() - 1).ok().map(LegKey)
    }

    fn set(&mut self, port: u16, leg: Option<LegKey>) {
        let place = usize::from(port >> 1);
        if self.legs.len() <= place {
            self.legs.reserve_exact((place + 1).next_multiple_of(1_024) - self.legs.len());
            self.legs.resize(place + 1, None);
        }
        if let Some(at) = self.legs.get_mut(place) {
            // There are fewer legs than ports.
            *at = leg.and_then(|key| NonZeroU32::new(u32::try_from(key.0).ok()? + 1));
        }
    }

    fn used(&self) -> usize {
        self.legs.iter().flatten().count()
    }
}

struct Call {
    tenant: TenantId,
    id: CallId,
    revision: Revision,
    legs: SmallVec<[LegKey; 2]>,
    /// As commanded last; the legs' `hearing` is made of it.
    hears: SmallVec<[::leg::Hears; 2]>,
    players: Vec<Playing>,
    clips: Vec<ClipPlaying>,
    /// The rates at which its sounds are mixed.
    rates: Rates,
    ears: Vec<Ear>,
}

impl Plane {
    /// A plane without calls. `now` is the beginning of its 20 ms clock; `chance` gives the random
    /// beginnings of the streams.
    pub fn new(now: Now, chance: Chance) -> Plane {
        Plane {
            chance,
            start: now.mono,
            ticks: 0,
            calls: Slab::new(),
            by_id: BTreeMap::new(),
            legs: Slab::new(),
            ports: Ports::default(),
            clocked: Vec::new(),
            timers: BTreeSet::new(),
            counters: Counters::default(),
            recordings: 0,
            serials: 0,
            parted: Parted::default(),
        }
    }

    /// Carries a command of the tenant's exchange out. Never fails: what cannot be done is counted.
    pub fn command(
        &mut self,
        now: Now,
        tenant: TenantId,
        command: MediaCommand,
        effects: &mut Effects,
    ) {
        match command {
            MediaCommand::Audio(audio) => self.apply(now, tenant, audio, effects),
            MediaCommand::SendDigit { call, leg, digit, duration_ms } => {
                let key = self.find_leg(tenant, call, leg);
                let leg = key.and_then(|key| self.legs.get_mut(key.0));
                let Some(leg) = leg.filter(|leg| leg.takes_digits()) else {
                    self.counters.drop_one(Dropped::DigitUnwanted);
                    return;
                };
                let call = leg.call;
                if leg.presses.push(digit, duration_ms).is_err() {
                    self.counters.drop_one(Dropped::DigitOverflow);
                }
                if let Some(call) = call {
                    self.watch_clock(now, call);
                }
            }
            MediaCommand::FindRecording { call, leg, recorder, file } => {
                let sought = Sought { tenant, call, leg, recorder, file };
                effects.push(Effect::FindRecording(sought));
            }
        }
    }

    /// When [`Plane::tick`] is due: at the next multiple of 20 ms from the start while anything is
    /// played, mixed or pressed; else when a leg's report or silence is due, or the end of what no
    /// call names any more; `None` without legs.
    pub fn deadline(&self) -> Option<Mono> {
        let frame = (!self.clocked.is_empty()).then(|| self.time_of(self.ticks + 1));
        let timer = self.timers.first().map(|(at, _)| *at);
        frame.into_iter().chain(timer).chain(self.parted.deadline()).min()
    }

    /// Plays the frames that are due and runs the timers that have expired. Calling it too early
    /// does nothing; late, it makes up for a few frames and leaves the rest out, without drift.
    pub fn tick(&mut self, now: Now, effects: &mut Effects) {
        self.play(now, effects);
        self.expire_parted(now, effects);
        self.run_timers(now, effects);
    }

    /// What was counted since the plane was made.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// What is known of a leg's streams.
    pub fn leg_stats(&self, tenant: TenantId, call: CallId, leg: LegId) -> Option<LegStats> {
        let key = self.find_leg(tenant, call, leg)?;
        self.legs.get(key.0).map(Leg::stats)
    }

    /// Whether a call has this leg at this port.
    pub(crate) fn has_leg(&self, tenant: TenantId, call: CallId, wants: &::leg::MediaLeg) -> bool {
        let key = self.find_leg(tenant, call, wants.leg);
        key.and_then(|key| self.legs.get(key.0)).is_some_and(|leg| leg.wants.port == wants.port)
    }

    /// How many calls there are.
    pub fn calls(&self) -> usize {
        self.calls.len()
    }

    /// How many legs there are, those included that their call has just named no more.
    pub fn legs(&self) -> usize {
        self.legs.len()
    }

    fn find_leg(&self, tenant: TenantId, call: CallId, leg: LegId) -> Option<LegKey> {
        let call = self.calls.get(self.by_id.get(&(tenant, call))?.0)?;
        call.legs.iter().copied().find(|key| self.legs.get(key.0).is_some_and(|l| l.id == leg))
    }

    fn leg_at(&self, port: u16) -> Option<LegKey> {
        self.ports.leg(port)
    }

    /// The tick that a moment lies in.
    fn tick_at(&self, at: Mono) -> u64 {
        u64::try_from(at.since(self.start).as_micros() / FRAME.as_micros()).unwrap_or(u64::MAX)
    }

    /// The tick in which something that a call begins now is played first.
    fn next_tick(&self, now: Now, key: CallKey) -> u64 {
        if self.clocked.contains(&key) { self.ticks + 1 } else { self.tick_at(now.mono) + 1 }
    }

    fn time_of(&self, tick: u64) -> Mono {
        let frame_us = u64::try_from(FRAME.as_micros()).unwrap_or(u64::MAX);
        Mono(self.start.0.saturating_add(tick.saturating_mul(frame_us)))
    }

    /// Moves a leg's timer to where its deadlines are now.
    fn arm(&mut self, key: LegKey) {
        let Some(leg) = self.legs.get_mut(key.0) else { return };
        let next = leg.deadline();
        if leg.armed == next {
            return;
        }
        if let Some(at) = core::mem::replace(&mut leg.armed, next) {
            self.timers.remove(&(at, key));
        }
        if let Some(at) = next {
            self.timers.insert((at, key));
        }
    }
}
