//! Asking, configuring, checking: what tests do to the run as a whole.

use core::time::Duration;
use std::collections::BTreeSet;

use leg::{Command, Player, Tone};
use switch::{Input, Ticket};

use super::{BEGIN, Event, World};
use crate::company;
use crate::phone::agent::Agent;
use crate::phone::keypad;
use crate::phone::sound::{self, Content, FRAME, Sound};

impl World {
    pub(crate) fn elapsed(&self) -> Duration {
        self.now.since(BEGIN)
    }

    /// Gives the newest configuration of a customer to the switch.
    pub(crate) fn configure(&mut self, number: usize) {
        let directory = company::directory(&self.companies);
        self.all_shards(|| Input::Directory(directory.clone()));
        let snapshot = self.companies[number].snapshot();
        let shard = switch::shard_of(snapshot.tenant.id, self.settings.shards);
        self.shard(shard, Input::Snapshot { snapshot, ticket: None });
    }

    pub(crate) fn all_shards(&mut self, input: impl Fn() -> Input) {
        for shard in 0..self.settings.shards {
            self.shard(shard, input());
        }
    }

    pub(crate) fn ask(&mut self, number: usize, command: Command) -> Ticket {
        let ticket = Ticket(self.next_ticket);
        self.next_ticket += 1;
        let tenant = self.companies[number].id();
        let shard = switch::shard_of(tenant, self.settings.shards);
        self.queue.push(self.now, Event::Command { shard, tenant, ticket, command });
        ticket
    }

    /// The sounds of the newest call of a phone in the last `window`.
    pub(crate) fn heard(&self, phone: usize, window: Duration) -> BTreeSet<Sound> {
        let mut sounds = BTreeSet::new();
        let mut samples = Vec::new();
        let Some(call) = self.phones[phone].call() else { return sounds };
        let name = |n: u8| Sound::Phone(self.phones[usize::from(n)].place.name.clone());
        for content in call.ear.heard(self.now, window) {
            match content {
                Content::Labelled(label) => {
                    sounds.insert(name(label.phone));
                }
                Content::Played(player) => {
                    sounds.insert(Sound::of(*player));
                }
                Content::Silence => {}
                Content::Samples(more) => samples.extend_from_slice(more),
            }
        }
        // Less than three frames say nothing sure: one is cut where the source changed.
        if samples.len() >= 3 * FRAME {
            let count = u8::try_from(self.phones.len()).unwrap_or(u8::MAX);
            let phones = sound::phones_in(&samples, count);
            if phones.is_empty() {
                sounds.insert(Sound::Unknown);
            }
            sounds.extend(phones.into_iter().map(name));
        }
        sounds
    }

    /// What of the newest call of a phone in the last `window` was neither relayed nor silence.
    pub(crate) fn samples(&self, phone: usize, window: Duration) -> Vec<i16> {
        let call = self.phones[phone].call();
        let heard = call.into_iter().flat_map(|call| call.ear.heard(self.now, window));
        let samples = |content: &Content| match content {
            Content::Samples(samples) => samples.clone(),
            Content::Labelled(_) | Content::Played(_) | Content::Silence => Vec::new(),
        };
        heard.flat_map(samples).collect()
    }

    /// The keys that were heard as tones in the newest call of a phone in the last second.
    pub(crate) fn tones(&self, phone: usize) -> String {
        let call = self.phones[phone].call();
        let heard = call.into_iter().flat_map(|c| c.ear.heard(self.now, Duration::from_secs(1)));
        keypad::keys_in(heard)
    }

    /// Whether the cadence of the busy tone is heard: short pauses, which ringback does not make.
    /// Most frames of the two are the same.
    pub(crate) fn hears_busy_tone(&self, phone: usize) -> bool {
        /// Half a second of pause, with packets lost.
        const PAUSE: core::ops::RangeInclusive<usize> = 8..=40;
        let call = self.phones[phone].call();
        let window = Duration::from_millis(1_600);
        let (mut has_begun, mut silent) = (false, 0);
        for content in call.into_iter().flat_map(|call| call.ear.heard(self.now, window)) {
            match content {
                Content::Played(Player::Tone(Tone::Ringback | Tone::Busy)) => {
                    if has_begun && PAUSE.contains(&silent) {
                        return true;
                    }
                    (has_begun, silent) = (true, 0);
                }
                Content::Silence => silent += 1,
                _ => {}
            }
        }
        false
    }

    pub(crate) fn gauges(&self) -> switch::Gauges {
        let mut sum = switch::Gauges::default();
        for shard in self.node.iter().flat_map(|n| &n.shards) {
            let one = shard.gauges();
            sum.tenants += one.tenants;
            sum.calls += one.calls;
            sum.legs += one.legs;
            sum.bindings += one.bindings;
            sum.transactions += one.transactions;
            sum.dialogs += one.dialogs;
            sum.ports_taken += one.ports_taken;
            sum.timers += one.timers;
            sum.pending += one.pending;
            sum.trunks_registered += one.trunks_registered;
            sum.trunks_missing += one.trunks_missing;
        }
        sum
    }

    /// What is left although all calls are over.
    pub(crate) fn leftovers(&self) -> Result<(), String> {
        let mut gauges = self.gauges();
        // A registration waits for its expiry, one of ours for its refresh; nothing else may wait.
        let ours = gauges.trunks_registered + gauges.trunks_missing;
        gauges.timers = gauges.timers.saturating_sub(gauges.bindings + ours);
        (gauges.trunks_registered, gauges.trunks_missing) = (0, 0);
        let left = switch::Gauges { tenants: 0, bindings: 0, ..gauges };
        if left != switch::Gauges::default() {
            return Err(format!("left in the switch: {left:?}"));
        }
        for plane in self.node.iter().flat_map(|n| &n.planes) {
            if (plane.calls(), plane.legs()) != (0, 0) {
                return Err(format!("{} calls left in media", plane.calls()));
            }
        }
        if let Some(open) = self.node.iter().find_map(|n| n.sockets.keys().next()) {
            return Err(format!("port {open} is still read"));
        }
        if let Some(left) = self.phones.iter().find_map(Agent::leftovers) {
            return Err(left);
        }
        self.ledger.finish()
    }
}
