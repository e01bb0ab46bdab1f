//! What the calls of a tenant share. Changed only by the exchange, after a step has returned.

use core::net::IpAddr;
use std::collections::{BTreeMap, BTreeSet};

use leg::{CallFlow, LegId};
use model::{CallApiId, CallId, CallUuid, DeviceId, ExtensionId, Mono};

use crate::call::StepId;
use crate::lamps::Lamps;
use crate::limits;
use crate::mailboxes::Mailboxes;
use crate::names::Names;
use crate::outside::OutsideCalls;
use crate::pins::WrongPins;
use crate::replaced::Replaced;
use crate::slots::Slots;
use crate::small_map::SmallMap;
use crate::step::Timer;

/// The shared tables of one tenant.
#[derive(Clone, Debug, Default)]
pub struct Tables {
    /// How many calls there are, with the one being handled.
    pub calls: usize,
    /// Which call a leg belongs to.
    pub legs: BTreeMap<LegId, CallId>,
    /// Which call a UUID names.
    pub uuids: BTreeMap<CallUuid, CallId>,
    /// How extensions are called in what is written down.
    pub names: Names,
    /// All timers of all steps.
    pub timers: BTreeSet<(Mono, CallId, StepId, Timer)>,
    /// What phones watch.
    pub lamps: Lamps,
    /// The messages in voicemails.
    pub mailboxes: Mailboxes,
    /// Where calls are parked.
    pub slots: Slots,
    /// Calls with the outside.
    pub outside: OutsideCalls,
    /// Who serves whom.
    pub replaced: Replaced,
    /// Wrong PINs.
    pub pins: WrongPins,
    devices: BTreeMap<ExtensionId, SmallMap<DeviceId, IpAddr>>,
    parts: BTreeMap<ExtensionId, Parts>,
    hung_up: std::collections::VecDeque<(Mono, CallApiId, ExtensionId)>,
}

/// The calls in which one extension takes part.
#[derive(Clone, Debug, Default)]
struct Parts {
    /// In how many it is called.
    incoming: u32,
    /// Which, oldest first; twice if it takes part twice.
    calls: Vec<CallId>,
}

impl Tables {
    /// The devices that serve an extension and can be reached: whose they are, and where.
    pub fn devices(
        &self,
        extension: ExtensionId,
    ) -> impl Iterator<Item = (ExtensionId, DeviceId, IpAddr)> {
        let of = self.replaced.other(extension);
        let devices = self.devices.get(&of).into_iter().flat_map(SmallMap::iter);
        devices.map(move |(device, address)| (of, device, *address))
    }

    /// A device can be reached.
    pub fn device_up(&mut self, extension: ExtensionId, device: DeviceId, address: IpAddr) {
        self.devices.entry(extension).or_default().insert(device, address);
    }

    /// A device cannot be reached any more.
    pub fn device_down(&mut self, extension: ExtensionId, device: DeviceId) {
        if let Some(devices) = self.devices.get_mut(&extension) {
            devices.remove(device);
            if devices.is_empty() {
                self.devices.remove(&extension);
            }
        }
    }

    /// In how many calls an extension is called at the moment.
    pub fn incoming(&self, extension: ExtensionId) -> u32 {
        self.parts.get(&extension).map_or(0, |p| p.incoming)
    }

    /// The calls in which an extension takes part, oldest first.
    pub fn calls_of(&self, extension: ExtensionId) -> &[CallId] {
        self.parts.get(&extension).map_or(&[], |p| &p.calls)
    }

    /// How many extensions take part in how many calls; both zero when nothing is going on.
    pub fn parts_total(&self) -> usize {
        self.parts.values().map(|p| p.calls.len()).sum()
    }

    /// An extension takes part in a call.
    pub fn join(&mut self, extension: Option<ExtensionId>, call: CallId, flow: CallFlow) {
        let Some(extension) = extension else { return };
        let parts = self.parts.entry(extension).or_default();
        parts.incoming += u32::from(flow == CallFlow::In);
        parts.calls.push(call);
        self.lamps.stir(extension);
    }

    /// An extension takes part no more.
    pub fn leave(&mut self, extension: Option<ExtensionId>, call: CallId, flow: CallFlow) {
        let Some(extension) = extension else { return };
        self.lamps.stir(extension);
        let Some(parts) = self.parts.get_mut(&extension) else { return };
        parts.incoming = parts.incoming.saturating_sub(u32::from(flow == CallFlow::In));
        if let Some(at) = parts.calls.iter().position(|c| *c == call) {
            parts.calls.remove(at);
        }
        if parts.calls.is_empty() {
            self.parts.remove(&extension);
        }
    }

    /// An extension's part in one call is a part in another from now on.
    pub fn move_part(&mut self, extension: Option<ExtensionId>, from: CallId, to: CallId) {
        let parts = extension.and_then(|extension| self.parts.get_mut(&extension));
        let Some(parts) = parts else { return };
        if let Some(call) = parts.calls.iter_mut().find(|c| **c == from) {
            *call = to;
        }
    }

    /// Remembers that a program has ended an extension's part in a call: it may do so again.
    pub fn remember_hangup(&mut self, now: Mono, call: CallApiId, extension: ExtensionId) {
        self.forget_hangups(now);
        if self.hung_up.len() == limits::HANGUPS_REMEMBERED_MAX {
            self.hung_up.pop_front();
        }
        self.hung_up.push_back((now + limits::HANGUPS_REMEMBERED, call, extension));
    }

    /// Whether a program has ended an extension's part in a call lately.
    pub fn was_hung_up(&mut self, now: Mono, call: CallApiId, extension: ExtensionId) -> bool {
        self.forget_hangups(now);
        self.hung_up.iter().any(|(_, c, e)| *c == call && *e == extension)
    }

    fn forget_hangups(&mut self, now: Mono) {
        while self.hung_up.front().is_some_and(|(until, ..)| *until <= now) {
            self.hung_up.pop_front();
        }
    }
}
