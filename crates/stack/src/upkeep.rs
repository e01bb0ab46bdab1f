//! What the endpoint holds, whether it adds up, and what a defect costs.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use leg::{BindingChange, LegEvent, LegId, RegistrationView};
use model::{Directory, EndReason, ExtensionId, Now, Status, TenantId};
use sip::{Message, Method};

use crate::contact::{Kept, flow_of};
use crate::core::{LegKey, Turn};
use crate::counters::{Counters, Counts};
use crate::endpoint::Endpoint;
use crate::enrol::{self, Standing};
use crate::flows::FlowUser;
use crate::interface::{Effect, Flow};
use crate::transaction::{Machine, User, invite_server};
use crate::watch;
use crate::ways::Waiter;

impl Endpoint {
    /// What the endpoint holds.
    pub fn counts(&self) -> Counts {
        Counts {
            transactions: self.core.transactions.len(),
            dialogs: self.legs.len(),
            bindings: self.core.registrars.values().map(|r| r.len()).sum(),
            timers: self.core.timers.len(),
            panics: self.core.counters.panics,
            trunks_registered: self.enrolled(Standing::Registered),
            trunks_missing: self.enrolled(Standing::Missing),
        }
    }

    fn enrolled(&self, standing: Standing) -> usize {
        let now = self.last.mono;
        self.core.enrolments.values().filter(|e| e.standing(now) == standing).count()
    }

    /// What the endpoint has counted.
    pub fn counters(&self) -> Counters {
        self.core.counters
    }

    /// The registered contacts of one extension of a tenant, or of all, at the moment of the last
    /// input.
    pub fn registrations(
        &self,
        tenant: TenantId,
        extension: Option<ExtensionId>,
    ) -> Vec<RegistrationView> {
        let registrar = self.core.registrars.get(&tenant);
        registrar.map(|r| r.views(self.last, extension)).unwrap_or_default()
    }

    /// Drops everything of a leg without sending or telling anything; only that its INVITE is gone
    /// comes with the next [`Endpoint::handle`].
    pub fn forget(&mut self, tenant: TenantId, leg: LegId) {
        let mut effects = core::mem::take(&mut self.core.queued);
        let mut turn = Turn { core: &mut self.core, now: self.last, effects: &mut effects };
        if let Some(mut gone) = self.legs.remove(&(tenant, leg)) {
            gone.clear(&mut turn);
        }
        for id in turn.core.transactions.of(User::Leg(tenant, leg)) {
            turn.drop_transaction(id);
        }
        self.core.queued = effects;
    }

    /// Checks that tables, timers and legs agree: for tests and the simulator.
    pub fn check(&self) -> Result<(), String> {
        self.core.transactions.check(&self.core.timers)?;
        let mut timers: usize = self.core.transactions.iter().map(|(_, t)| t.timers()).sum();
        for (tenant, registrar) in &self.core.registrars {
            timers += registrar.check_tables(*tenant, &self.core.timers)?;
        }
        for (key, leg) in &self.legs {
            if leg.key != *key {
                return Err(format!("{key:?} holds another leg"));
            }
            if self.core.by_tag.get(&self.core.tag_key(&leg.tag)) != Some(key) {
                return Err(format!("{key:?} is not found by its tag"));
            }
            timers += leg.check(&self.core)?;
        }
        timers += self.core.watches.values().map(|watch| watch.timers()).sum::<usize>();
        if self.core.watch_tags.len() != self.core.watches.len() {
            return Err("more tags than subscriptions".into());
        }
        timers += self.core.enrolments.values().map(|e| e.timers()).sum::<usize>();
        let waits =
            |key: LegKey| self.legs.contains_key(&key) || self.core.enrolments.contains_key(&key);
        for key in self.core.names.waiting() {
            if !waits(key) {
                return Err(format!("{key:?} waits for a name and is gone"));
            }
        }
        for waiter in self.core.ways.waiting() {
            let there = match waiter {
                Waiter::Leg(key) => waits(key),
                Waiter::Request(id) => self.core.transactions.get(id).is_some(),
            };
            if !there {
                return Err(format!("{waiter:?} waits for a connection and is gone"));
            }
        }
        if self.core.by_tag.len() != self.legs.len() {
            return Err("more tags than legs".into());
        }
        if self.core.timers.len() != timers {
            return Err(format!("{} timers run, {timers} have owners", self.core.timers.len()));
        }
        for (flow, user) in self.core.flows.iter() {
            let there = match user {
                FlowUser::Transaction(id) => self.core.transactions.get(*id).is_some(),
                FlowUser::Leg(tenant, leg) => self.legs.contains_key(&(*tenant, *leg)),
                FlowUser::Device(tenant, device) => {
                    self.core.registrars.get(tenant).is_some_and(|r| r.knows(*device))
                }
            };
            if !there {
                return Err(format!("{flow:?} has a user that is gone: {user:?}"));
            }
        }
        Ok(())
    }

    /// Registrations that were read back.
    pub(crate) fn bindings(
        &mut self,
        now: Now,
        tenant: TenantId,
        bindings: Vec<BindingChange>,
        effects: &mut Vec<Effect>,
    ) {
        let mut turn = Turn { core: &mut self.core, now, effects };
        let (registrar, mut around) = turn.registrar(tenant);
        for change in bindings {
            let Some(binding) = change.binding else { continue };
            let flow = flow_of(&binding);
            let (extension, device) = (change.extension, change.device);
            let kept = Kept { extension, device, binding, flow };
            registrar.restore(&mut around, kept);
        }
    }

    /// Logins have changed: who has none any more, or is blocked, is not registered any more.
    pub(crate) fn directory(
        &mut self,
        now: Now,
        directory: Arc<Directory>,
        effects: &mut Vec<Effect>,
    ) {
        let of = |status| {
            let logins = directory.logins.values().filter(move |login| login.status == status);
            logins.map(|l| (l.tenant, l.extension)).collect::<BTreeSet<(TenantId, ExtensionId)>>()
        };
        let known = of(Status::Active);
        self.core.blocked = of(Status::Blocked);
        self.core.directory = directory;
        let tenants: Vec<TenantId> = self.core.registrars.keys().copied().collect();
        let mut turn = Turn { core: &mut self.core, now, effects };
        for tenant in tenants {
            let (registrar, mut around) = turn.registrar(tenant);
            for device in registrar.not_of(|extension| known.contains(&(tenant, extension))) {
                registrar.remove(&mut around, device);
            }
        }
        watch::reconcile(&mut turn, |tenant, extension| known.contains(&(tenant, extension)));
        enrol::reconcile(&mut turn);
    }

    /// Runs `work`; a panic in it costs the leg at hand.
    pub(crate) fn guarded(
        &mut self,
        now: Now,
        effects: &mut Vec<Effect>,
        work: impl FnOnce(&mut Endpoint, &mut Vec<Effect>),
    ) -> bool {
        let result = catch_unwind(AssertUnwindSafe(|| work(self, effects)));
        if result.is_ok() {
            return true;
        }
        self.core.counters.panics += 1;
        if let Some(key) = self.busy.take() {
            let mut turn = Turn { core: &mut self.core, now, effects };
            turn.core.by_tag.retain(|_, leg| *leg != key);
            turn.core.timers.drop_leg(key);
            turn.core.flows.drop_leg(key);
            turn.core.names.drop_leg(key);
            turn.core.ways.drop_leg(key);
            for id in turn.core.transactions.of(User::Leg(key.0, key.1)) {
                let answered = turn.core.transactions.get(id).is_some_and(|t| {
                    // A server that owes a response stays for the 500 that follows.
                    t.machine != Machine::InviteServer(invite_server::State::Proceeding)
                });
                if answered {
                    turn.drop_transaction(id);
                } else if let Some(transaction) = turn.core.transactions.get_mut(id) {
                    transaction.user = User::Nobody;
                }
            }
            let reason = EndReason::Internal;
            turn.tell(key, LegEvent::Ended { reason, status: None, elsewhere: false });
        }
        false
    }

    /// 500 for a request whose handling a defect ended.
    pub(crate) fn apologise(
        &mut self,
        now: Now,
        flow: Flow,
        message: &Message,
        effects: &mut Vec<Effect>,
    ) {
        let method = message.method();
        if method.is_none() || method == Some(Method::Ack) {
            return;
        }
        let mut turn = Turn { core: &mut self.core, now, effects };
        let key = turn.core.server_key(message, &message.method_name());
        match key.and_then(|k| turn.core.transactions.find(k)) {
            Some(id) => {
                let writer = turn.response(message, &flow, 500, None);
                turn.respond(id, 500, writer.finish().into());
            }
            None => turn.refuse(message, &flow, 500, |_| {}),
        }
    }
}
