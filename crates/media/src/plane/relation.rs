//! Commands: what a call's audio shall be, made so by difference to what it is.

use ::leg::{Audio, Gain, MediaEvent, MediaEventKind, MediaLeg, Player, Source, Sources};
use model::{CallId, Now, TenantId};
use smallvec::SmallVec;

use crate::counters::Dropped;
use crate::effects::{Effect, Effects};
use crate::g711;
use crate::inband::Inband;
use crate::jitter::Jitter;
use crate::limits::{LEGS_PER_CALL_MAX, SOURCES_PER_LEG_MAX};
use crate::pcm::{Rate, Rates};
use crate::rtcp::Goodbye;
use crate::source::{ControlLock, Relock};

use super::frames::Playing;
use super::leg::{Expectation, Hearing, Leg, Voice, remote_rtcp};
use super::{Call, CallKey, LegKey, Plane};

impl Plane {
    pub(super) fn apply(
        &mut self,
        now: Now,
        tenant: TenantId,
        audio: Audio,
        effects: &mut Effects,
    ) {
        let known = self.by_id.get(&(tenant, audio.call)).copied();
        let current = known.and_then(|key| self.calls.get(key.0)).map(|call| call.revision);
        if current.is_some_and(|current| audio.revision < current) {
            self.counters.drop_one(Dropped::OldRevision);
            return;
        }
        let legs = self.acceptable(audio.legs);
        let call = match known {
            Some(call) => call,
            None if legs.is_empty() => return,
            None => self.insert_call(tenant, audio.call),
        };
        self.drop_legs_not_in(now, call, &legs, effects);
        if legs.is_empty() {
            self.remove_call(now, call, effects);
            return;
        }
        let mut left = SmallVec::<[CallKey; 1]>::new();
        for wants in legs {
            left.extend(self.set_leg(now, call, wants, effects));
        }
        if let Some(call) = self.calls.get_mut(call.0) {
            call.revision = audio.revision;
            call.hears = audio.hears;
        }
        self.set_clips(now, call, audio.clips, &left, effects);
        self.set_recorders(now, call, &audio.recorders, &left, effects);
        for other in left {
            self.after_leaving(now, other, effects);
        }
        self.resolve(now, call);
        self.watch_clock(now, call);
    }

    /// The legs that can be served: an even port of its own each, and not too many.
    fn acceptable(&mut self, legs: SmallVec<[MediaLeg; 2]>) -> SmallVec<[MediaLeg; 2]> {
        let mut kept = SmallVec::<[MediaLeg; 2]>::new();
        for leg in legs {
            let clash = kept.iter().any(|k| k.leg == leg.leg || k.port == leg.port);
            if clash || leg.port == 0 || leg.port % 2 == 1 || kept.len() >= LEGS_PER_CALL_MAX {
                self.counters.drop_one(Dropped::LegRefused);
            } else {
                kept.push(leg);
            }
        }
        kept
    }

    fn insert_call(&mut self, tenant: TenantId, id: CallId) -> CallKey {
        let key = CallKey(self.calls.insert(Call {
            tenant,
            id,
            revision: 0,
            legs: SmallVec::new(),
            hears: SmallVec::new(),
            players: Vec::new(),
            clips: Vec::new(),
            rates: Rates::default(),
            ears: Vec::new(),
        }));
        self.by_id.insert((tenant, id), key);
        key
    }

    fn remove_call(&mut self, now: Now, key: CallKey, effects: &mut Effects) {
        self.clocked.retain(|clocked| *clocked != key);
        self.park_clips(now, key, &[], effects);
        self.park_ears(now, key, &[], effects);
        if let Some(call) = self.calls.try_remove(key.0) {
            self.by_id.remove(&(call.tenant, call.id));
        }
    }

    /// Parts with the legs that are not wanted any more, and ends those that moved to another port.
    fn drop_legs_not_in(
        &mut self,
        now: Now,
        call: CallKey,
        wanted: &[MediaLeg],
        effects: &mut Effects,
    ) {
        let Some(legs) = self.calls.get(call.0).map(|call| call.legs.clone()) else { return };
        for key in legs {
            let Some(leg) = self.legs.get(key.0) else { continue };
            match wanted.iter().find(|wants| wants.leg == leg.id) {
                Some(wants) if wants.port == leg.wants.port => {}
                Some(_) => self.remove_leg(now, key, effects),
                None => self.park_leg(now, key, effects),
            }
        }
    }

    /// Makes a leg so; the call that it was taken from.
    fn set_leg(
        &mut self,
        now: Now,
        call: CallKey,
        wants: MediaLeg,
        effects: &mut Effects,
    ) -> Option<CallKey> {
        let tenant = self.calls.get(call.0)?.tenant;
        let taken = self.leg_at(wants.port);
        let holder = taken.and_then(|key| Some((key, self.legs.get(key.0)?)));
        let Some((key, holder)) = holder else {
            self.insert_leg(now, call, wants, effects);
            return None;
        };
        let (owner, is_same) = (holder.call, (holder.tenant, holder.id) == (tenant, wants.leg));
        if !is_same {
            self.evict(now, key, effects);
            self.insert_leg(now, call, wants, effects);
            return None;
        }
        let left = owner.filter(|owner| *owner != call);
        if owner != Some(call) {
            match owner {
                Some(_) => self.depart(key),
                None => self.unpark_leg(key),
            }
            self.join(key, call);
        }
        self.update_leg(key, wants, effects);
        left
    }

    /// A call that another took legs from: what is left of it.
    fn after_leaving(&mut self, now: Now, key: CallKey, effects: &mut Effects) {
        if self.calls.get(key.0).is_some_and(|call| call.legs.is_empty()) {
            self.remove_call(now, key, effects);
        } else {
            self.resolve(now, key);
            self.watch_clock(now, key);
        }
    }

    fn insert_leg(&mut self, now: Now, call: CallKey, wants: MediaLeg, effects: &mut Effects) {
        let Some(of) = self.calls.get_mut(call.0) else { return };
        let port = wants.port;
        self.serials += 1;
        let (of_call, chance) = ((call, of.id), &mut self.chance);
        let mut leg = Leg::new(of.tenant, of_call, self.serials, wants, now.mono, chance);
        effects.push(Effect::Open { port });
        connect(port, leg.lock.locked(), effects);
        if !leg.wants.rtcp_mux {
            open_control(&leg, effects);
        }
        leg.inband = leg.wants.inband_digits.then(Inband::default);
        let key = LegKey(self.legs.insert(leg));
        of.legs.push(key);
        self.ports.set(port, Some(key));
        self.arm(key);
    }

    fn update_leg(&mut self, key: LegKey, wants: MediaLeg, effects: &mut Effects) {
        let Some(leg) = self.legs.get_mut(key.0) else { return };
        let old = core::mem::replace(&mut leg.wants, wants);
        let wants = &leg.wants;
        if !wants.inband_digits
            && let Some(mut inband) = leg.inband.take()
        {
            for kind in inband.stop() {
                let event = MediaEvent { call: leg.call_id, leg: leg.id, kind };
                effects.push(Effect::Event { tenant: leg.tenant, event });
            }
        } else if wants.inband_digits && leg.inband.is_none() {
            leg.inband = Some(Inband::default());
        }
        if old.receive != wants.receive && !old.receive.is_empty() {
            leg.before.receive = old.receive;
        }
        if old.receive_digits != wants.receive_digits && old.receive_digits.is_some() {
            leg.before.digits = old.receive_digits;
        }
        let relock = leg.lock.negotiate(wants.lock, wants.remote, wants.negotiation);
        carry_out(wants.port, relock, effects);
        let anew = wants.negotiation > old.negotiation;
        match (old.rtcp_mux, wants.rtcp_mux) {
            (true, true) => {}
            (true, false) => {
                leg.control = ControlLock::new(wants.lock, remote_rtcp(wants));
                open_control(leg, effects);
            }
            (false, true) => close_control(leg, effects),
            (false, false) => {
                let locked = leg.control.locked();
                if anew || locked.is_none() {
                    leg.control = ControlLock::new(wants.lock, remote_rtcp(wants));
                    let now_locked = leg.control.locked();
                    if now_locked != locked {
                        let disconnect = locked.is_some();
                        let relock = Relock { disconnect, connect: now_locked };
                        carry_out(leg.control_port(), relock, effects);
                    }
                }
            }
        }
        self.arm(key);
    }

    /// Ends a leg whose port another call has been given: the exchange would not have given it
    /// away if the leg were still alive.
    fn evict(&mut self, now: Now, key: LegKey, effects: &mut Effects) {
        let Some(call) = self.legs.get(key.0).map(|leg| leg.call) else { return };
        self.unpark_leg(key);
        self.remove_leg(now, key, effects);
        if let Some(call) = call {
            self.counters.drop_one(Dropped::PortTaken);
            self.after_leaving(now, call, effects);
        }
    }

    /// Ends a leg's streams: BYE, and its ports are read no more. The call must be resolved anew.
    pub(super) fn remove_leg(&mut self, now: Now, key: LegKey, effects: &mut Effects) {
        self.report(now, key, Goodbye::Yes, effects);
        let Some(mut leg) = self.legs.try_remove(key.0) else { return };
        for kind in leg.keys.restart(now.mono) {
            effects.push(event(&leg, kind));
        }
        for kind in leg.inband.take().unwrap_or_default().stop() {
            effects.push(event(&leg, kind));
        }
        let port = leg.wants.port;
        if leg.lock.locked().is_some() {
            effects.push(Effect::Disconnect { port });
        }
        effects.push(Effect::Close { port });
        if !leg.wants.rtcp_mux {
            close_control(&leg, effects);
        }
        if let Some(at) = leg.armed {
            self.timers.remove(&(at, key));
        }
        self.ports.set(port, None);
        let Some(call) = leg.call.and_then(|call| self.calls.get_mut(call.0)) else { return };
        call.legs.retain(|other| *other != key);
        // Another leg may be given the slot at once: nobody's run may go on with its packets.
        for other in &call.legs {
            let Some(other) = self.legs.get_mut(other.0) else { continue };
            if other.hearing.voices().any(|voice| voice == Voice::Leg(key)) {
                other.sent.break_run();
            }
        }
    }

    /// Makes what the legs hear out of what was commanded.
    pub(super) fn resolve(&mut self, now: Now, key: CallKey) {
        let began = self.settle(key);
        self.resolve_recorders(key);
        let Some(call) = self.calls.get(key.0) else { return };
        let legs = call.legs.clone();
        let hearings: SmallVec<[Hearing; 2]> =
            legs.iter().map(|listener| self.hearing(call, *listener)).collect();

        for key in &legs {
            if let Some(leg) = self.legs.get_mut(key.0) {
                leg.relayed_to.clear();
            }
        }
        let mut decoded = SmallVec::<[LegKey; 2]>::new();
        let mut heard = SmallVec::<[LegKey; 2]>::new();
        let mut played = SmallVec::<[Player; 2]>::new();
        let mut rates = Rates::default();
        call.ears.iter().for_each(|ear| rates.add(ear.running.rate()));
        for (listener, hearing) in legs.iter().zip(hearings) {
            match &hearing {
                Hearing::Nothing => {}
                Hearing::Relay(source) => {
                    heard.push(*source);
                    if let Some(source) = self.legs.get_mut(source.0) {
                        source.relayed_to.push(*listener);
                    }
                }
                Hearing::Mix(voices) => {
                    for (voice, _) in voices {
                        match voice {
                            Voice::Leg(source) => {
                                heard.push(*source);
                                decoded.push(*source);
                            }
                            Voice::Player(player) => played.push(*player),
                        }
                    }
                }
            }
            let Some(leg) = self.legs.get_mut(listener.0) else { continue };
            if let Some(format) = leg.wants.send {
                leg.sent.set_clock(format.codec.clock_rate_hz());
                rates.add(Rate::of(format.codec));
            }
            if !matches!(hearing, Hearing::Mix(_)) {
                leg.encoder = None;
            }
            if leg.hearing != hearing {
                leg.hearing = hearing;
                leg.seam.open();
                leg.sent.break_run();
            }
        }
        for key in &legs {
            // Its keys are in its sound.
            if self.legs.get(key.0).is_some_and(|leg| leg.wants.inband_digits) {
                decoded.push(*key);
                rates.add(Rate::Narrow);
            }
        }
        for voice in call.recorded() {
            match voice {
                Voice::Leg(source) => {
                    heard.push(source);
                    decoded.push(source);
                }
                Voice::Player(player) => played.push(player),
            }
        }
        played.retain(|player| !matches!(player, Player::Clip(_)));
        for key in &legs {
            let Some(leg) = self.legs.get_mut(key.0) else { continue };
            if !decoded.contains(key) {
                leg.jitter = None;
            } else if leg.jitter.is_none() {
                leg.jitter = Some(Box::<Jitter>::default());
            }
            let sends = leg.wants.remote.is_some() && heard.contains(key);
            let expectation = if sends { Expectation::Sends } else { Expectation::NeedNot };
            leg.watch.expect(now.mono, expectation);
            self.arm(*key);
        }
        let next_tick = self.next_tick(now, key);
        if let Some(call) = self.calls.get_mut(key.0) {
            call.rates = rates;
            call.players.retain(|playing| played.contains(&playing.player));
            for player in played {
                if !call.players.iter().any(|playing| playing.player == player) {
                    let known = began.iter().find(|(other, _)| *other == player);
                    let first_tick = known.map_or(next_tick, |(_, tick)| *tick);
                    call.players.push(Playing::new(player, first_tick));
                }
            }
        }
    }

    /// What one leg shall hear. Sources that do not exist, or at no gain, are silent.
    fn hearing(&self, call: &Call, listener: LegKey) -> Hearing {
        let id = self.legs.get(listener.0).map(|leg| leg.id);
        let Some(hears) = call.hears.iter().find(|hears| Some(hears.listener) == id) else {
            return Hearing::Nothing;
        };
        let voices: SmallVec<[(Voice, Gain); 2]> = self.voices(call, &hears.sources);
        match voices.as_slice() {
            [] => Hearing::Nothing,
            [(Voice::Leg(source), Gain::UNITY)] if self.understands(listener, *source) => {
                Hearing::Relay(*source)
            }
            _ => Hearing::Mix(voices),
        }
    }

    /// Whether what one leg's peer says can be sent on to another's without decoding it.
    fn understands(&self, listener: LegKey, source: LegKey) -> bool {
        let spoken = self.legs.get(source.0).and_then(Leg::speaks);
        let heard = self.legs.get(listener.0).and_then(|leg| leg.wants.send);
        match (spoken, heard) {
            (Some(spoken), Some(heard)) => g711::converts(spoken, heard.codec),
            // Nothing is said, or nothing is sent.
            _ => true,
        }
    }

    pub(super) fn voices(&self, call: &Call, sources: &Sources) -> SmallVec<[(Voice, Gain); 2]> {
        let sources = sources.iter().filter(|(_, gain)| *gain != Gain(0));
        let voice = |source: Source| match source {
            Source::Player(Player::Clip(id)) if call.clips.iter().all(|clip| clip.id() != id) => {
                None
            }
            Source::Player(player) => Some(Voice::Player(player)),
            Source::Leg(id) => {
                let is = |key: &&LegKey| self.legs.get(key.0).is_some_and(|leg| leg.id == id);
                call.legs.iter().find(is).map(|key| Voice::Leg(*key))
            }
        };
        sources
            .filter_map(|(source, gain)| Some((voice(*source)?, *gain)))
            .take(SOURCES_PER_LEG_MAX)
            .collect()
    }

    /// Takes a call among those that the 20 ms clock plays, if it has anything for it to do.
    pub(super) fn watch_clock(&mut self, now: Now, key: CallKey) {
        if !self.needs_clock(key) {
            self.clocked.retain(|clocked| *clocked != key);
            return;
        }
        if let Err(place) = self.clocked.binary_search(&key) {
            if self.clocked.is_empty() {
                // Nobody counted the ticks that passed while nothing was played.
                self.ticks = self.tick_at(now.mono);
            }
            self.clocked.insert(place, key);
        }
    }
}

pub(super) fn event(leg: &Leg, kind: MediaEventKind) -> Effect {
    let event = MediaEvent { call: leg.call_id, leg: leg.id, kind };
    Effect::Event { tenant: leg.tenant, event }
}

fn connect(port: u16, to: Option<core::net::SocketAddr>, effects: &mut Effects) {
    if let Some(to) = to {
        effects.push(Effect::Connect { port, to });
    }
}

fn carry_out(port: u16, relock: Relock, effects: &mut Effects) {
    if relock.disconnect {
        effects.push(Effect::Disconnect { port });
    }
    connect(port, relock.connect, effects);
}

fn open_control(leg: &Leg, effects: &mut Effects) {
    effects.push(Effect::Open { port: leg.control_port() });
    connect(leg.control_port(), leg.control.locked(), effects);
}

fn close_control(leg: &Leg, effects: &mut Effects) {
    let port = leg.control_port();
    if leg.control.locked().is_some() {
        effects.push(Effect::Disconnect { port });
    }
    effects.push(Effect::Close { port });
}
