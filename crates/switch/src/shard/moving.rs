//! Tenants that come from another shard and go to one.

use std::sync::Arc;

use model::{Now, Snapshot, TenantId};

use super::Shard;
use crate::export::{self, ImportError, Parts};
use crate::interface::Effect;

impl Shard {
    /// Takes a tenant out: its calls, dialogs and registrations, for another shard, process or
    /// machine. Nothing is sent; whoever imports it carries on. `None`: it does not live here.
    pub fn export(&mut self, now: Now, tenant: TenantId) -> Option<Vec<u8>> {
        let mut exchange = self.tenants.remove(&tenant)?;
        self.wake_at(tenant, None);
        self.touched.retain(|t| *t != tenant);
        let replaced = exchange.replaced();
        let calls = exchange.export(now, &mut self.ports);
        let stack = self.endpoint.export(now, tenant);
        Some(export::written(now, Parts { calls, stack, replaced }))
    }

    /// Takes up a tenant that another shard exported. Its calls keep their ports where those are
    /// free here, and go on without audio where they are not.
    pub fn import(
        &mut self,
        now: Now,
        snapshot: Arc<Snapshot>,
        exported: &[u8],
        effects: &mut Vec<Effect>,
    ) -> Result<(), ImportError> {
        let Parts { calls, stack, replaced } = export::read(exported)?;
        let tenant = snapshot.tenant.id;
        self.configure(snapshot, None, effects);
        self.endpoint.import(now, tenant, &stack).map_err(|_| ImportError::Damaged)?;
        for call in calls {
            let exchange = self.tenants.get_mut(&tenant).ok_or(ImportError::Damaged)?;
            exchange.load(now, &call, &mut self.ports).map_err(|_| ImportError::Damaged)?;
        }
        self.push_exchange(tenant, exchange::Input::Replaced(replaced));
        // A tick lets the endpoint say which devices can be reached, and declares audio anew.
        self.push_stack(stack::Input::Tick);
        self.push_exchange(tenant, exchange::Input::Resume);
        self.drain_queue(now, effects);
        self.save_touched(now, effects);
        Ok(())
    }
}
