//! The registrar of one tenant: RFC 3261 10.3, with Path (RFC 3327) and instances (RFC 5626).

mod kept;

use core::time::Duration;
use std::collections::BTreeMap;

use leg::BindingChange;
use model::{DeviceId, ExtensionId, Now, TenantId};
use smallvec::SmallVec;

use crate::contact::{Contact, Instance, Role, change, same_uri, up, up_as};
use crate::flows::{FlowUser, FlowUsers};
use crate::interface::{Effect, Expires, Flow};
use crate::limits::{BINDING_JOURNAL_INTERVAL, CONTACTS_MAX};
use crate::timers::{Timer, Timers};

/// One Contact of a REGISTER.
#[derive(Debug)]
pub(crate) struct Wish {
    /// Its URI.
    pub(crate) uri: Box<str>,
    /// Seconds asked for; `None`: as we like.
    pub(crate) expires_s: Option<u32>,
    /// Preference in thousandths.
    pub(crate) q: u16,
    /// Its instance, if it was sent.
    pub(crate) instance: Option<Instance>,
}

/// What a REGISTER asks for.
#[derive(Debug)]
pub(crate) enum Asked {
    /// No Contact: what is registered?
    Fetch,
    /// `Contact: *` with `Expires: 0`.
    RemoveAll,
    /// These.
    Contacts(Vec<Wish>),
}

/// A REGISTER whose sender is proven.
#[derive(Debug)]
pub(crate) struct Register<'a> {
    /// Whose phone.
    pub(crate) extension: ExtensionId,
    /// For the order of requests.
    pub(crate) call_id: &'a str,
    /// For the order of requests.
    pub(crate) cseq: u32,
    /// Where it came from.
    pub(crate) flow: Flow,
    /// Path, in order.
    pub(crate) path: Vec<Box<str>>,
    /// For people.
    pub(crate) user_agent: &'a str,
    /// What it asks for.
    pub(crate) asked: Asked,
}

/// Devices that are on another flow than before.
pub(crate) type Moved = SmallVec<[DeviceId; 1]>;

/// Why a REGISTER was refused; nothing has changed then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// 423: the asked time is shorter than the bound.
    TooBrief,
    /// 500: an older request came after a newer one (10.3 step 7).
    OutOfOrder,
    /// 403: more contacts than an extension may have.
    TooMany,
}

/// What the registrar needs of the endpoint.
pub(crate) struct Around<'a> {
    /// The moment.
    pub(crate) now: Now,
    /// Whose registrar.
    pub(crate) tenant: TenantId,
    /// The endpoint's timers.
    pub(crate) timers: &'a mut Timers,
    /// Who hears of a connection's end.
    pub(crate) flows: &'a mut FlowUsers,
    /// What happens.
    pub(crate) effects: &'a mut Vec<Effect>,
}

/// The registered contacts of one tenant.
#[derive(Debug, Default)]
pub(crate) struct Registrar {
    contacts: BTreeMap<ExtensionId, SmallVec<[Contact; 1]>>,
    devices: BTreeMap<DeviceId, ExtensionId>,
    /// The highest number given so far.
    last: u64,
    /// The highest [`Contact::order`].
    order: u64,
}

impl Registrar {
    /// How many contacts are registered.
    pub(crate) fn len(&self) -> usize {
        self.devices.len()
    }

    /// Whether a device is registered.
    pub(crate) fn knows(&self, device: DeviceId) -> bool {
        self.devices.contains_key(&device)
    }

    /// The devices of extensions that are not known any more.
    pub(crate) fn not_of(&self, known: impl Fn(ExtensionId) -> bool) -> Vec<DeviceId> {
        let gone = self.devices.iter().filter(|(_, extension)| !known(**extension));
        gone.map(|(device, _)| *device).collect()
    }

    /// The contacts of an extension.
    pub(crate) fn of(&self, extension: ExtensionId) -> &[Contact] {
        self.contacts.get(&extension).map_or(&[], |c| c.as_slice())
    }

    /// One device of an extension.
    pub(crate) fn device(&self, extension: ExtensionId, device: DeviceId) -> Option<&Contact> {
        self.of(extension).iter().find(|c| c.device == device)
    }

    /// The contact under which a device has come back that named no instance, after its connection
    /// was lost: the only one that is newer and comes from the same address.
    pub(crate) fn returned(
        &self,
        extension: ExtensionId,
        device: DeviceId,
        lost: &Flow,
    ) -> Option<&Contact> {
        let newer = |c: &&Contact| {
            c.device > device && crate::uas::same_ip(c.flow.remote.ip(), lost.remote.ip())
        };
        let mut contacts = self.of(extension).iter().filter(newer);
        contacts.next().filter(|_| contacts.next().is_none())
    }

    /// All flows to a device, the newest first.
    pub(crate) fn flows(&self, extension: ExtensionId, device: DeviceId) -> Vec<&Contact> {
        let Some(contact) = self.device(extension, device) else { return Vec::new() };
        let mut flows: Vec<_> = self.beside(extension, contact).collect();
        flows.push(contact);
        flows.sort_by_key(|c| core::cmp::Reverse(c.order));
        flows
    }

    /// The other flows to the phone of this contact.
    fn beside<'a>(
        &'a self,
        extension: ExtensionId,
        contact: &'a Contact,
    ) -> impl Iterator<Item = &'a Contact> {
        let of_phone = |c: &&Contact| match (&c.instance, &contact.instance) {
            (Some(one), Some(other)) => one.is_beside(other),
            _ => false,
        };
        self.of(extension).iter().filter(|c| c.device != contact.device).filter(of_phone)
    }

    /// The device of an extension that sends on this flow.
    pub(crate) fn device_on(&self, extension: ExtensionId, flow: &Flow) -> Option<DeviceId> {
        let same = |c: &&Contact| {
            c.flow.transport == flow.transport
                && c.flow.remote == flow.remote
                && (!flow.transport.is_reliable() || c.flow.id == flow.id)
        };
        let contact = self.of(extension).iter().find(same)?;
        let mut known = self.beside(extension, contact).filter(|c| c.role == Role::Device);
        Some(known.next().unwrap_or(contact).device)
    }

    /// Registers, refreshes, removes or merely looks; gives the devices that have moved to another
    /// flow.
    pub(crate) fn register(
        &mut self,
        around: &mut Around<'_>,
        bounds: Expires,
        register: Register<'_>,
    ) -> Result<Moved, Refused> {
        let Register { extension, call_id, cseq, flow, path, user_agent, asked } = register;
        let order = Order { call_id, cseq };
        match asked {
            Asked::Fetch => Ok(Moved::new()),
            Asked::RemoveAll => {
                // 10.3 step 6: all or none.
                if self.of(extension).iter().any(|c| order.is_behind(c)) {
                    return Err(Refused::OutOfOrder);
                }
                for device in self.devices_of(extension) {
                    self.remove(around, device);
                }
                Ok(Moved::new())
            }
            Asked::Contacts(wishes) => {
                self.check(extension, &order, bounds, &wishes)?;
                let mut moved = Moved::new();
                for wish in wishes {
                    let lifetime_s = granted(wish.expires_s, bounds);
                    let found = self.find(extension, &wish);
                    match (found, lifetime_s) {
                        (None, 0) => {}
                        (Some(device), 0) => self.remove(around, device),
                        (Some(device), _) => {
                            let news = News { wish, order: &order, flow, path: &path, user_agent };
                            if self.refresh(around, extension, device, lifetime_s, news) {
                                moved.push(device);
                            }
                        }
                        (None, _) => {
                            let news = News { wish, order: &order, flow, path: &path, user_agent };
                            self.add(around, extension, lifetime_s, news);
                        }
                    }
                }
                Ok(moved)
            }
        }
    }

    /// 10.3 step 7: either every contact can be done as asked or nothing is.
    fn check(
        &self,
        extension: ExtensionId,
        order: &Order<'_>,
        bounds: Expires,
        wishes: &[Wish],
    ) -> Result<(), Refused> {
        let mut count = self.of(extension).len();
        for wish in wishes {
            if wish.expires_s.is_some_and(|s| s > 0 && s < bounds.min) {
                return Err(Refused::TooBrief);
            }
            let found = self.find(extension, wish);
            if let Some(contact) = found.and_then(|d| self.device(extension, d))
                && order.is_behind(contact)
            {
                return Err(Refused::OutOfOrder);
            }
            match (found, granted(wish.expires_s, bounds)) {
                (None, 1..) => count += 1,
                (Some(_), 0) => count = count.saturating_sub(1),
                (None, 0) | (Some(_), 1..) => {}
            }
        }
        if count > CONTACTS_MAX.max(self.of(extension).len()) {
            return Err(Refused::TooMany);
        }
        Ok(())
    }

    fn find(&self, extension: ExtensionId, wish: &Wish) -> Option<DeviceId> {
        let contacts = self.of(extension);
        let instance = wish.instance.as_ref();
        let by_instance =
            instance.and_then(|i| contacts.iter().find(|c| c.instance.as_ref() == Some(i)));
        // RFC 5626 6: of a flow the instance and its reg-id decide, never the URI, which may be the
        // same on all flows of a phone.
        let is_flow = |instance: Option<&Instance>| instance.is_some_and(|i| i.reg_id.is_some());
        let by_uri = |c: &&Contact| {
            is_flow(c.instance.as_ref()) == is_flow(instance)
                && (!is_flow(instance) || c.instance.is_none())
                && same_uri(&c.uri, &wish.uri)
        };
        by_instance.or_else(|| contacts.iter().find(by_uri)).map(|c| c.device)
    }

    fn add(
        &mut self,
        around: &mut Around<'_>,
        extension: ExtensionId,
        lifetime_s: u32,
        news: News<'_>,
    ) {
        self.last = self.last.saturating_add(1);
        self.order = self.order.saturating_add(1);
        let device = DeviceId(self.last);
        let now = around.now.mono;
        let lifetime = Duration::from_secs(lifetime_s.into());
        let contact = Contact {
            device,
            uri: news.wish.uri,
            flow: news.flow,
            path: news.path.into(),
            expires: now + lifetime,
            q: news.wish.q,
            call_id: news.order.call_id.into(),
            cseq: news.order.cseq,
            user_agent: news.user_agent.into(),
            instance: news.wish.instance,
            order: self.order,
            role: Role::Device,
            written: now,
            timer: around.timers.start(now, lifetime, Timer::Binding(around.tenant, device)),
        };
        around.flows.add(&contact.flow, FlowUser::Device(around.tenant, device));
        self.settle(around, extension, contact, Written::New);
    }

    /// Puts a new contact in. Another flow to a phone that is known is told as news of it.
    fn settle(
        &mut self,
        around: &mut Around<'_>,
        extension: ExtensionId,
        mut contact: Contact,
        written: Written,
    ) {
        let mut beside = self.beside(extension, &contact);
        let known = beside.find(|c| c.role == Role::Device).map(|c| c.device);
        drop(beside);
        contact.role = if known.is_some() { Role::Spare } else { Role::Device };
        let known = known.unwrap_or(contact.device);
        around.effects.push(up_as(around.tenant, extension, known, &contact));
        if written == Written::New {
            around.effects.push(change(around.now, around.tenant, extension, &contact));
        }
        self.devices.insert(contact.device, extension);
        self.contacts.entry(extension).or_default().push(contact);
    }

    /// `true`: it is on another flow now.
    fn refresh(
        &mut self,
        around: &mut Around<'_>,
        extension: ExtensionId,
        device: DeviceId,
        lifetime_s: u32,
        news: News<'_>,
    ) -> bool {
        self.order = self.order.saturating_add(1);
        let order = self.order;
        let known = self.known_as(extension, device);
        let contacts = self.contacts.get_mut(&extension);
        let Some(contact) = contacts.and_then(|c| c.iter_mut().find(|c| c.device == device)) else {
            return false;
        };
        let now = around.now.mono;
        let lifetime = Duration::from_secs(lifetime_s.into());
        contact.order = order;
        around.timers.stop(contact.timer);
        contact.timer = around.timers.start(now, lifetime, Timer::Binding(around.tenant, device));
        contact.expires = now + lifetime;
        let user = FlowUser::Device(around.tenant, device);
        let moved = contact.flow != news.flow;
        if moved {
            around.flows.remove(&contact.flow, user);
            around.flows.add(&news.flow, user);
        }
        let told = contact.flow.remote.ip() != news.flow.remote.ip() || contact.q != news.wish.q;
        let changed = moved
            || told
            || contact.uri != news.wish.uri
            || *contact.path != *news.path
            || contact.instance != news.wish.instance;
        if changed {
            contact.flow = news.flow;
            contact.q = news.wish.q;
            contact.uri = news.wish.uri;
            contact.path = news.path.into();
            contact.instance = news.wish.instance;
        }
        if *contact.call_id != *news.order.call_id {
            contact.call_id = news.order.call_id.into();
        }
        contact.cseq = news.order.cseq;
        if *contact.user_agent != *news.user_agent {
            contact.user_agent = news.user_agent.into();
        }
        if told {
            around.effects.push(up_as(around.tenant, extension, known, contact));
        }
        if changed || now.since(contact.written) >= BINDING_JOURNAL_INTERVAL {
            contact.written = now;
            around.effects.push(change(around.now, around.tenant, extension, contact));
        }
        moved
    }

    /// Removes a device: it was asked for, it ran out, or its connection is gone.
    pub(crate) fn remove(&mut self, around: &mut Around<'_>, device: DeviceId) {
        let Some(extension) = self.devices.remove(&device) else { return };
        let tenant = around.tenant;
        let gone = self.device(extension, device);
        let was = gone.map_or(Role::Device, |c| c.role);
        let flows = self.flows(extension, device);
        let heir = flows.into_iter().find(|c| c.device != device).map(|c| c.device);
        let heir = heir.filter(|_| was == Role::Device);
        if let Some(contacts) = self.contacts.get_mut(&extension) {
            if let Some(at) = contacts.iter().position(|c| c.device == device) {
                let gone = contacts.remove(at);
                around.timers.stop(gone.timer);
                around.flows.remove(&gone.flow, FlowUser::Device(around.tenant, device));
            }
            // The newest of the phone's other flows is the device from now on.
            if let Some(heir) = contacts.iter_mut().find(|c| Some(c.device) == heir) {
                heir.role = Role::Device;
                around.effects.push(up(tenant, extension, heir));
            }
            if contacts.is_empty() {
                self.contacts.remove(&extension);
            }
        }
        if was == Role::Device {
            around.effects.push(Effect::DeviceDown { tenant, extension, device });
        }
        around.effects.push(Effect::Binding(Box::new(BindingChange {
            tenant,
            extension,
            device,
            binding: None,
        })));
    }

    /// The number under which the exchange knows a contact.
    fn known_as(&self, extension: ExtensionId, device: DeviceId) -> DeviceId {
        let flows = self.flows(extension, device);
        flows.iter().find(|c| c.role == Role::Device).map_or(device, |c| c.device)
    }

    fn devices_of(&self, extension: ExtensionId) -> SmallVec<[DeviceId; 4]> {
        self.of(extension).iter().map(|c| c.device).collect()
    }
}

/// Whether a contact was written down.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Written {
    /// It was read back.
    Before,
    /// Not yet.
    New,
}

/// The seconds that a contact gets; 0 removes it.
fn granted(asked: Option<u32>, bounds: Expires) -> u32 {
    asked.unwrap_or(bounds.default).min(bounds.max)
}

/// Call-ID and CSeq of a REGISTER.
struct Order<'a> {
    call_id: &'a str,
    cseq: u32,
}

impl Order<'_> {
    /// Whether a newer request of the same Call-ID has touched the contact already.
    fn is_behind(&self, contact: &Contact) -> bool {
        *contact.call_id == *self.call_id && self.cseq <= contact.cseq
    }
}

/// What a REGISTER says anew of a contact.
struct News<'a> {
    wish: Wish,
    order: &'a Order<'a>,
    flow: Flow,
    path: &'a [Box<str>],
    user_agent: &'a str,
}
