//! Contacts over a restart, and as they are listed and checked.

use core::time::Duration;

use leg::{BindingChange, RegistrationView};
use model::{ExtensionId, Now, TenantId};

use super::{Around, Registrar, Written};
use crate::contact::{Contact, Instance, Kept, Role, binding, wall_of};
use crate::flows::{FlowUser, FlowUsers};
use crate::interface::Effect;
use crate::timers::{Timer, Timers};

impl Registrar {
    /// Takes back a contact that was written down. One whose connection is gone, or whose time
    /// is over, is reported as removed.
    pub(crate) fn restore(&mut self, around: &mut Around<'_>, kept: Kept) {
        let Kept { extension, device, binding, flow } = kept;
        self.last = self.last.max(device.0);
        let left = u64::try_from(binding.expires.0.saturating_sub(around.now.wall.0)).unwrap_or(0);
        let known = self.devices.contains_key(&device);
        if known {
            return;
        }
        let tenant = around.tenant;
        let Some(flow) = flow.filter(|_| left > 0) else {
            around.effects.push(Effect::Binding(Box::new(BindingChange {
                tenant,
                extension,
                device,
                binding: None,
            })));
            return;
        };
        let now = around.now.mono;
        let left = Duration::from_micros(left);
        let contact = Contact {
            device,
            uri: binding.contact.into(),
            flow,
            path: binding.path.into_iter().map(String::into_boxed_str).collect(),
            expires: now + left,
            q: binding.q,
            call_id: binding.call_id.into(),
            cseq: binding.cseq,
            user_agent: binding.user_agent.into(),
            instance: binding.instance.as_deref().map(Instance::of_kept),
            // Which flow was the newest is not known any more: the one that lives longest.
            order: 0,
            role: Role::Device,
            written: now,
            timer: around.timers.start(now, left, Timer::Binding(tenant, device)),
        };
        around.flows.add(&flow, FlowUser::Device(tenant, device));
        self.settle(around, extension, contact, Written::Before);
    }

    /// All contacts as they are kept, in the order of extension and age.
    pub(crate) fn kept(&self, now: Now) -> impl Iterator<Item = Kept> {
        self.contacts.iter().flat_map(move |(extension, contacts)| {
            contacts.iter().map(move |c| Kept {
                extension: *extension,
                device: c.device,
                binding: binding(now, c, Duration::ZERO),
                flow: Some(c.flow),
            })
        })
    }

    /// The contacts as programs see them.
    pub(crate) fn views(&self, now: Now, only: Option<ExtensionId>) -> Vec<RegistrationView> {
        let of = self.contacts.iter().filter(|(e, _)| only.is_none_or(|only| **e == only));
        let mut views: Vec<_> = of
            .flat_map(|(extension, contacts)| {
                contacts.iter().filter(|c| c.expires > now.mono).map(|c| RegistrationView {
                    extension: *extension,
                    registration_id: c.device,
                    device: c.user_agent.to_string(),
                    real_address: c.flow.remote,
                    contact_address: c.uri.to_string(),
                    expires: wall_of(now, c.expires),
                })
            })
            .collect();
        views.sort_by_key(|v| (v.extension, v.registration_id));
        views
    }

    /// Whether tables, timers and flows agree.
    pub(crate) fn check_tables(&self, tenant: TenantId, timers: &Timers) -> Result<usize, String> {
        let mut seen = 0;
        for (extension, contacts) in &self.contacts {
            for contact in contacts {
                seen += 1;
                if self.devices.get(&contact.device) != Some(extension) {
                    return Err(format!("device {} is not of its extension", contact.device));
                }
                if timers.what(contact.timer) != Some(Timer::Binding(tenant, contact.device)) {
                    return Err(format!("device {} has no timer", contact.device));
                }
            }
        }
        if seen != self.devices.len() {
            return Err("the registrar's table of devices holds more than its contacts".into());
        }
        Ok(seen)
    }

    /// Forgets everything without a word: the tenant has gone elsewhere.
    pub(crate) fn clear(&mut self, tenant: TenantId, timers: &mut Timers, flows: &mut FlowUsers) {
        for contact in self.contacts.values().flatten() {
            timers.stop(contact.timer);
            flows.remove(&contact.flow, FlowUser::Device(tenant, contact.device));
        }
        *self = Registrar::default();
    }
}
