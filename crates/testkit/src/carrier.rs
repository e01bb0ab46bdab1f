//! Carriers: SIP peers of the outside that are trunks of customers.

use std::sync::Arc;

use model::{
    Did, Network, Number, Secret, Trunk, TrunkCredentials, TrunkHost, TrunkId, TrunkRegistration,
    TrunkUse,
};

use crate::company::Company;
use crate::device::{Device, Phone};
use crate::sim::Sim;

/// The user that a carrier that wants to be registered with knows.
const ACCOUNT: &str = "acme";

impl Sim {
    /// A carrier, and the trunk of the first customer to it: the `number`th, from 1. It is called
    /// with every number, and what it calls it calls as 79160000001 and so on. It behaves like a
    /// phone that needs no password.
    pub fn carrier(&self, number: u64) -> Phone {
        let carrier = self.outsider(&format!("carrier{number}"), &format!("7916000000{number}"));
        self.trunk(0, number, &carrier, |_| ());
        carrier
    }

    /// A customer has a trunk to this peer, of this number in the whole run.
    pub(crate) fn trunk(
        &self,
        of: usize,
        number: u64,
        peer: &Phone,
        change: impl FnOnce(&mut TrunkUse),
    ) {
        let address = peer.address().ip();
        self.configure(of, |company| {
            let host = TrunkHost { host: address.to_string(), port: None };
            let id = TrunkId(number);
            let trunk = Trunk {
                addresses: vec![Network::one(address)],
                ..Trunk::new(id, company.id(), "Carrier", vec![host])
            };
            let mut plan = TrunkUse::new(Arc::new(trunk), "RU");
            change(&mut plan);
            company.routing.trunks.insert(id, Arc::new(plan));
        });
    }

    /// The same, and the switch registers with it.
    pub fn registrar(&self, number: u64, expires_s: u32) -> Phone {
        let carrier = self.carrier(number);
        self.configure(0, |company| {
            company.change_trunk(number, |trunk| {
                trunk.registration = Some(TrunkRegistration { expires_s });
                trunk.credentials = Some(TrunkCredentials {
                    login: ACCOUNT.to_owned(),
                    password: Secret::new("trunk-secret"),
                });
            });
        });
        carrier
    }

    /// Somebody outside who is nothing to anybody, and calls as `user`.
    pub fn outsider(&self, name: &str, user: &str) -> Phone {
        self.device(Device::of(name).with_login(user).unregistered())
    }

    /// A number of the outside leads to an extension of the first customer.
    pub fn did(&self, number: &str, extension: &str) {
        self.configure(0, |company| company.did(number, extension));
    }
}

impl Company {
    /// A number of the outside leads to one of its extensions.
    pub fn did(&mut self, number: &str, extension: &str) {
        let extension = Some(self.extension_id(extension));
        let did = Did { name: number.into(), extension };
        self.routing.dids.insert(number.into(), Arc::new(did));
    }

    /// Changes the SIP side of one of its trunks.
    ///
    /// # Panics
    ///
    /// When there is none of this number.
    pub fn change_trunk(&mut self, number: u64, change: impl FnOnce(&mut Trunk)) {
        let plan = self.routing.trunks.get_mut(&TrunkId(number)).expect("a trunk of this number");
        let mut trunk = (*plan.trunk).clone();
        change(&mut trunk);
        *plan = Arc::new(TrunkUse { trunk: Arc::new(trunk), ..(**plan).clone() });
    }

    /// The number that it shows to the outside.
    ///
    /// # Panics
    ///
    /// When it is none.
    pub fn shows(&mut self, number: &str) {
        self.routing.settings.ani = Some(Number::parse(number).expect("a number"));
    }
}
