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
        let (replaced, wrong_pins) = (exchange.replaced(), exchange.wrong_pins(now));
        let calls = exchange.export(now, &mut self.ports);
        let stack = self.endpoint.export(now, tenant);
        Some(export::written(now, Parts { calls, stack, replaced, wrong_pins }))
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
        let Parts { calls, stack, replaced, wrong_pins } = export::read(exported)?;
        let tenant = snapshot.tenant.id;
        self.configure(snapshot, None, effects);
        self.endpoint.import(now, tenant, &stack).map_err(|_| ImportError::Damaged)?;
        for call in calls {
            let exchange = self.tenants.get_mut(&tenant).ok_or(ImportError::Damaged)?;
            exchange.load(now, &call, &mut self.ports).map_err(|_| ImportError::Damaged)?;
        }
        self.push_exchange(tenant, exchange::Input::Replaced(replaced));
        self.push_exchange(tenant, exchange::Input::WrongPins(wrong_pins));
        // A tick lets the endpoint say which devices can be reached, and declares audio anew.
        self.push_stack(stack::Input::Tick);
        self.push_exchange(tenant, exchange::Input::Resume);
        self.drain_queue(now, effects);
        self.save_touched(now, effects);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::time::Duration;

    use leg::{PinKind, WrongPinCount};
    use model::{
        Chance, Directory, ExtensionId, Mono, NodeAddress, Prefix, Status, Tenant, TenantKey, Wall,
    };

    use super::*;
    use crate::interface::{Input, ShardConfig};

    const TENANT: TenantId = TenantId(1);

    fn shard(index: usize) -> Shard {
        let stack = stack::Config {
            realm: "pbx.example".to_owned(),
            public_address: None,
            product: String::new(),
            nonce_key: [0; 32],
            expires_s: stack::Expires { min: 60, max: 7_200, default: 3_600 },
            digests: stack::Digests::default(),
        };
        let node = NodeAddress::from(Ipv4Addr::new(10, 0, 0, 1));
        let config = ShardConfig { index, shards: 2, node, rtp_ports: 20_000..=20_009, stack };
        Shard::new(config, Chance::from_number(1))
    }

    fn directory() -> Arc<Directory> {
        let mut directory = Directory::default();
        directory.add_tenant(TENANT, TenantKey(*b"abcdefgh"), "pbx.example");
        Arc::new(directory)
    }

    fn snapshot() -> Arc<Snapshot> {
        let tenant = Tenant {
            id: TENANT,
            key: TenantKey(*b"abcdefgh"),
            name: "Acme".into(),
            domain: "pbx.example".into(),
            domain_prefix: Prefix::parse("00500").unwrap(),
            prefix: Prefix::parse("0003").unwrap(),
            extension_len: 3,
            status: Status::Active,
            calls_max: 1,
            timezone: "UTC".into(),
            create_date: String::new(),
        };
        Arc::new(Snapshot::new(1, Arc::new(tenant), []))
    }

    #[test]
    fn wrong_pins_go_with_their_tenant_and_end_when_they_would_have() {
        let wall = |seconds: i64| Wall(seconds * 1_000_000);
        let count = |actor, until| WrongPinCount {
            tenant: TENANT,
            pin: PinKind::Replace,
            actor: Some(ExtensionId(actor)),
            target: ExtensionId(9),
            wrong: 5,
            at: wall(1_000),
            until: wall(until),
        };
        let now = Now { mono: Mono(77_000_000), wall: wall(1_000) };
        let mut from = shard(0);
        let mut effects = Vec::new();
        from.handle(now, Input::Directory(directory()), &mut effects);
        from.handle(now, Input::Snapshot { snapshot: snapshot(), ticket: None }, &mut effects);
        let restore = Input::Restore {
            tenant: TENANT,
            bindings: Vec::new(),
            calls: Vec::new(),
            replaced: Vec::new(),
            wrong_pins: vec![count(1, 1_030), count(2, 1_900)],
        };
        from.handle(now, restore, &mut effects);
        let later = now + Duration::from_secs(60);
        let exported = from.export(later, TENANT).unwrap();

        let mut to = shard(1);
        let there = Now { mono: Mono(5_000_000_000), ..later };
        to.handle(there, Input::Directory(directory()), &mut effects);
        to.import(there, snapshot(), &exported, &mut effects).unwrap();
        let moved = export::read(&to.export(there, TENANT).unwrap()).unwrap();
        assert_eq!(moved.wrong_pins, [WrongPinCount { at: wall(1_060), ..count(2, 1_900) }]);
    }
}
