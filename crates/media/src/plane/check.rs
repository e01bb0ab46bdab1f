//! What must hold after every input.

use std::collections::BTreeSet;

use ::leg::Player;

use crate::limits::{DIGIT_QUEUE_MAX, LEGS_PER_CALL_MAX, SOURCES_PER_LEG_MAX};

use super::leg::{Hearing, Leg, Voice};
use super::{Call, LegKey, Plane};

impl Plane {
    /// Checks the plane against itself; the error names what is broken. For simulations and tests:
    /// it looks at everything.
    pub fn check(&self) -> Result<(), &'static str> {
        self.check_calls()?;
        self.check_ports()?;
        self.check_timers()?;
        self.check_clock()
    }

    fn check_calls(&self) -> Result<(), &'static str> {
        hold(self.by_id.len() == self.calls.len(), "every call is known by its id")?;
        let mut owned = BTreeSet::new();
        for (id, key) in &self.by_id {
            let call = self.calls.get(key.0).ok_or("an id leads to a call")?;
            hold(*id == (call.tenant, call.id), "an id leads to its own call")?;
            hold(!call.legs.is_empty(), "a call has legs")?;
            hold(call.legs.len() <= LEGS_PER_CALL_MAX, "a call has a bounded number of legs")?;
            for leg in &call.legs {
                hold(owned.insert(*leg), "a leg is in one call")?;
                let leg = self.legs.get(leg.0).ok_or("a call's legs exist")?;
                hold(leg.call == Some(*key), "a leg knows its call")?;
                hold(leg.call_id == call.id, "a leg knows its call's name")?;
                hold(leg.past.is_none(), "a call's legs are resolved")?;
                hold(leg.tenant == call.tenant, "a leg is of its call's tenant")?;
                hold(leg.presses.waiting() <= DIGIT_QUEUE_MAX, "digit queues are bounded")?;
            }
            self.check_relation(call)?;
        }
        for key in self.parted.legs() {
            hold(owned.insert(key), "a leg that waits is in no call, and waits once")?;
            let leg = self.legs.get(key.0).ok_or("a leg that waits exists")?;
            hold(leg.call.is_none() && leg.past.is_some(), "a leg that waits knows it")?;
            hold(leg.relayed_to.is_empty(), "a leg that waits is heard by nobody")?;
            hold(leg.watch.expected.is_none(), "nobody misses a leg that waits")?;
        }
        hold(self.parted.is_in_order(), "what waits is bounded and in order")?;
        hold(owned.len() == self.legs.len(), "every leg is in a call, or waits")
    }

    fn check_relation(&self, call: &Call) -> Result<(), &'static str> {
        let mut relays = BTreeSet::new();
        let mut decoded = BTreeSet::new();
        let mut heard = BTreeSet::new();
        let mut players = BTreeSet::new();
        for key in &call.legs {
            match self.legs.get(key.0).map(|leg| &leg.hearing) {
                Some(Hearing::Relay(source)) => {
                    hold(call.legs.contains(source), "sound stays within its call")?;
                    relays.insert((*source, *key));
                    heard.insert(*source);
                }
                Some(Hearing::Mix(voices)) => {
                    hold(voices.len() <= SOURCES_PER_LEG_MAX, "mixes are bounded")?;
                    for (voice, _) in voices {
                        match voice {
                            Voice::Leg(source) => {
                                hold(call.legs.contains(source), "sound stays within its call")?;
                                decoded.insert(*source);
                                heard.insert(*source);
                            }
                            Voice::Player(player) => {
                                players.insert(*player);
                            }
                        }
                    }
                }
                Some(Hearing::Nothing) | None => {}
            }
        }
        for voice in call.recorded() {
            match voice {
                Voice::Leg(source) => {
                    hold(call.legs.contains(&source), "a recorder stays within its call")?;
                    decoded.insert(source);
                    heard.insert(source);
                }
                Voice::Player(player) => {
                    players.insert(player);
                }
            }
        }
        players.retain(|player| !matches!(player, Player::Clip(_)));
        let tones = |key: &&LegKey| self.legs.get(key.0).is_some_and(|leg| leg.wants.inband_digits);
        decoded.extend(call.legs.iter().filter(tones));
        let mut back = BTreeSet::new();
        for key in &call.legs {
            let leg = self.legs.get(key.0).ok_or("a call's legs exist")?;
            back.extend(leg.relayed_to.iter().map(|listener| (*key, *listener)));
            hold(leg.jitter.is_some() == decoded.contains(key), "the mixed legs are decoded")?;
            let sends = leg.wants.remote.is_some() && heard.contains(key);
            hold(leg.watch.expected.is_some() == sends, "who is heard is watched")?;
        }
        hold(relays == back, "a leg knows whom it is relayed to")?;
        let playing: BTreeSet<_> = call.players.iter().map(|p| p.player).collect();
        hold(playing == players && playing.len() == call.players.len(), "who is heard plays, once")
    }

    fn check_ports(&self) -> Result<(), &'static str> {
        hold(self.ports.used() == self.legs.len(), "every leg has one port")?;
        for (key, leg) in &self.legs {
            let port = leg.wants.port;
            hold(port != 0 && port.is_multiple_of(2), "an RTP port is even")?;
            hold(self.leg_at(port) == Some(LegKey(key)), "a port leads to its leg")?;
            if let Some(locked) = leg.lock.locked() {
                hold(leg.lock.target() == Some(locked), "a connected port sends to its peer")?;
            }
        }
        Ok(())
    }

    fn check_timers(&self) -> Result<(), &'static str> {
        let armed: BTreeSet<_> =
            self.legs.iter().filter_map(|(key, leg)| Some((leg.armed?, LegKey(key)))).collect();
        hold(armed == self.timers, "every timer is a leg's, and every leg's is there")?;
        let exact = |(_, leg): (usize, &Leg)| leg.armed == leg.deadline();
        hold(self.legs.iter().all(exact), "a leg is woken when it wants to be")?;
        let lost_ends =
            |(_, leg): (usize, &Leg)| leg.keys.deadline().is_none() || leg.key_at.is_some();
        hold(self.legs.iter().all(lost_ends), "a pressed key has a timer")
    }

    fn check_clock(&self) -> Result<(), &'static str> {
        hold(self.clocked.is_sorted_by(|a, b| a < b), "clocked calls are in order, once each")?;
        let clocked: BTreeSet<_> = self.clocked.iter().copied().collect();
        let needed: BTreeSet<_> =
            self.by_id.values().copied().filter(|key| self.needs_clock(*key)).collect();
        hold(clocked == needed, "the clock plays the calls that need it and no other")
    }
}

fn hold(holds: bool, invariant: &'static str) -> Result<(), &'static str> {
    if holds { Ok(()) } else { Err(invariant) }
}
