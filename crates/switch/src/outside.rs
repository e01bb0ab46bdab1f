//! Calls of the outside: which trunk an INVITE comes from, and whose number it calls.
//!
//! A trunk is known by the address that calls, or by the Contact of our registration with it in
//! the Request-URI. Several tenants may have trunks with one carrier: the number decides.

use core::net::IpAddr;
use core::time::Duration;
use std::collections::BTreeMap;
use std::sync::Arc;

use model::routing::rewritten;
use model::{Directory, Mono, Network, TenantId, Trunk, TrunkId};
use sip::Message;

/// How long a host's addresses count after they were looked up: names are asked for again long
/// before, and carriers do not move within the day.
const FOUND_FOR: Duration = Duration::from_secs(24 * 3_600);

/// Host names with addresses that are remembered; each is of a trunk.
const FOUND_MAX: usize = 10_000;

/// What an INVITE of no dialog is, as far as the outside goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// It comes from no trunk.
    NotATrunk,
    /// It comes from a trunk and calls a number that no tenant with that trunk has.
    NoSuchNumber,
    /// It calls a number of a tenant's.
    Called {
        /// Whose.
        tenant: TenantId,
        /// By which trunk.
        trunk: TrunkId,
        /// The number, as [`Directory::dids`] knows it.
        did: Box<str>,
    },
}

/// Where a host of a trunk is, as one shard tells the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundHost {
    /// Its name, in lower case.
    pub host: Box<str>,
    /// Its addresses.
    pub addresses: Vec<IpAddr>,
}

/// Trunks by what they are known by.
#[derive(Debug, Default)]
pub(crate) struct Trunks {
    addresses: BTreeMap<IpAddr, Vec<TrunkId>>,
    ranges: Vec<(Network, TrunkId)>,
    tokens: BTreeMap<Box<str>, TrunkId>,
    /// Trunks by the names of their hosts.
    names: BTreeMap<Box<str>, Vec<TrunkId>>,
    /// Names by the addresses at which they were found.
    found: BTreeMap<IpAddr, Vec<(Mono, Box<str>)>>,
}

impl Trunks {
    /// The trunks of a new directory. What was found of their hosts stays.
    pub(crate) fn configure(&mut self, directory: &Directory) {
        let found = core::mem::take(&mut self.found);
        *self = Trunks { found, ..Trunks::default() };
        let is_in_use = |trunk: &&Arc<Trunk>| trunk.enabled && !directory.is_blocked(trunk.tenant);
        for trunk in directory.trunks.values().filter(is_in_use) {
            self.add(trunk, directory);
        }
    }

    fn add(&mut self, trunk: &Trunk, directory: &Directory) {
        for network in &trunk.addresses {
            match network.address() {
                Some(address) => self.at(address, trunk.id),
                None => self.ranges.push((*network, trunk.id)),
            }
        }
        for host in &trunk.hosts {
            match host.host.trim_matches(['[', ']']).parse::<IpAddr>() {
                Ok(address) => self.at(address, trunk.id),
                Err(_) => {
                    let name = host.host.to_ascii_lowercase().into();
                    self.names.entry(name).or_default().push(trunk.id);
                }
            }
        }
        if let (Some(_), Some(entry)) = (trunk.registration, directory.tenants.get(&trunk.tenant)) {
            self.tokens.insert(stack::trunk_token(entry.key, trunk), trunk.id);
        }
    }

    fn at(&mut self, address: IpAddr, trunk: TrunkId) {
        let trunks = self.addresses.entry(address.to_canonical()).or_default();
        if !trunks.contains(&trunk) {
            trunks.push(trunk);
        }
    }

    /// A host was looked up. `true`: that is news.
    pub(crate) fn found(&mut self, now: Mono, host: &FoundHost) -> bool {
        if !self.names.contains_key(&host.host) {
            return false;
        }
        let mut is_news = false;
        for address in &host.addresses {
            let until = now + FOUND_FOR;
            if !self.found.contains_key(&address.to_canonical()) && self.found.len() >= FOUND_MAX {
                self.found.retain(|_, names| names.iter().any(|(until, _)| *until > now));
                if self.found.len() >= FOUND_MAX {
                    return is_news;
                }
            }
            let names = self.found.entry(address.to_canonical()).or_default();
            names.retain(|(until, _)| *until > now);
            match names.iter_mut().find(|(_, name)| *name == host.host) {
                Some((old, _)) => {
                    // The others hear of it before half of the time is over.
                    is_news |= old.since(now) < FOUND_FOR / 2;
                    if is_news {
                        *old = until;
                    }
                }
                None => {
                    names.push((until, host.host.clone()));
                    is_news = true;
                }
            }
        }
        is_news
    }

    /// The trunks that call from an address.
    fn calling_from(&self, now: Mono, address: IpAddr) -> impl Iterator<Item = TrunkId> {
        let address = address.to_canonical();
        let exact = self.addresses.get(&address).into_iter().flatten();
        let wide = self.ranges.iter().filter(move |(range, _)| range.contains(address));
        let names = self.found.get(&address).into_iter().flatten();
        let names = names.filter(move |(until, _)| *until > now);
        let named = names.filter_map(|(_, name)| self.names.get(name)).flatten();
        exact.chain(wide.map(|(_, trunk)| trunk)).chain(named).copied()
    }

    /// What an INVITE of no dialog is.
    pub(crate) fn arrival(
        &self,
        now: Mono,
        message: &Message,
        from: IpAddr,
        directory: &Directory,
    ) -> Arrival {
        let user = message.uri().ok().and_then(|uri| uri.number());
        let token = user.and_then(|user| self.tokens.get(&*user).copied());
        let mut is_trunk = token.is_some();
        let mut calling = token.into_iter().chain(
            // Who calls a token has said which trunk it is.
            token.is_none().then(|| self.calling_from(now, from)).into_iter().flatten(),
        );
        let is_ours = |user: &str| self.tokens.contains_key(user);
        // Tenants of one carrier mostly write numbers alike.
        let mut last: Option<(Arc<model::TrunkUse>, Option<String>)> = None;
        let called = calling.find_map(|id| {
            is_trunk = true;
            let (trunk, plan) = (directory.trunks.get(&id)?, directory.uses.get(&id)?);
            let is_alike = |other: &model::TrunkUse| {
                other.country == plan.country
                    && other.rewrite_in == plan.rewrite_in
                    && other.trunk.did_from == trunk.did_from
            };
            let did = match &last {
                Some((other, did)) if is_alike(other) => did.clone(),
                _ => {
                    let number = stack::called_number(message, trunk.did_from, is_ours);
                    number.map(|number| {
                        let number = rewritten(&number, &plan.rewrite_in);
                        route::e164::did_key(number.as_str(), route::Country::of(&plan.country))
                    })
                }
            };
            last = Some((Arc::clone(plan), did.clone()));
            let did = did.filter(|did| directory.has_did(trunk.tenant, did))?;
            Some(Arrival::Called { tenant: trunk.tenant, trunk: id, did: did.into() })
        });
        match (called, is_trunk) {
            (Some(called), _) => called,
            (None, true) => Arrival::NoSuchNumber,
            (None, false) => Arrival::NotATrunk,
        }
    }
}

#[cfg(test)]
mod tests {
    use model::{
        DidFrom, Routing, Secret, TenantKey, TrunkCredentials, TrunkHost, TrunkRegistration,
        TrunkUse,
    };

    use super::*;

    /// Trunk 1 of tenant 1 and trunk 2 of tenant 2 are with one carrier; trunk 3 of tenant 1 is
    /// known by its name, trunk 4 by a range, trunk 5 registers.
    fn directory() -> Directory {
        let mut directory = Directory::default();
        let host = |host: &str| TrunkHost { host: host.into(), port: None };
        let named = |id: u64, tenant: u64, hosts: &[&str]| {
            let hosts = hosts.iter().map(|h| host(h)).collect();
            Trunk::new(TrunkId(id), TenantId(tenant), "", hosts)
        };
        let login = TrunkCredentials { login: "acme".into(), password: Secret::new("secret") };
        let trunks = [
            named(1, 1, &["203.0.113.1"]),
            Trunk { addresses: vec![Network::parse("203.0.113.1").unwrap()], ..named(2, 2, &[]) },
            named(3, 1, &["SIP.Carrier.example"]),
            Trunk {
                addresses: vec![Network::parse("198.51.100.0/24").unwrap()],
                did_from: DidFrom::To,
                ..named(4, 2, &[])
            },
            Trunk {
                registration: Some(TrunkRegistration { expires_s: 600 }),
                credentials: Some(login),
                ..named(5, 2, &["registrar.example"])
            },
            Trunk { enabled: false, ..named(6, 1, &["203.0.113.6"]) },
        ];
        let dids = [(1, ["74950000001", "74950000003"]), (2, ["74950000002", "74950000005"])];
        for (tenant, numbers) in dids {
            let id = TenantId(tenant);
            let key = TenantKey::parse(format!("tenant0{tenant}").as_bytes()).unwrap();
            directory.add_tenant(id, key, "pbx.example");
            let of_it = trunks.iter().filter(|trunk| trunk.tenant == id);
            let did =
                |n: &str| (n.into(), Arc::new(model::Did { name: n.into(), extension: None }));
            let routing = Routing {
                trunks: of_it
                    .map(|t| (t.id, Arc::new(TrunkUse::new(Arc::new(t.clone()), "RU"))))
                    .collect(),
                dids: numbers.into_iter().map(did).collect(),
                ..Routing::default()
            };
            directory.follow_routing(id, None, Some(&routing));
        }
        directory
    }

    fn invite(number: &str, to: &str) -> Message {
        let text = format!("INVITE sip:{number}@us SIP/2.0\r\nTo: <sip:{to}@us>\r\n\r\n");
        Message::parse(text.into_bytes()).unwrap()
    }

    fn short(arrival: &Arrival) -> String {
        match arrival {
            Arrival::NotATrunk => "no trunk".into(),
            Arrival::NoSuchNumber => "404".into(),
            Arrival::Called { tenant, trunk, did } => format!("{did} of {tenant} by {trunk}"),
        }
    }

    #[test]
    fn the_number_and_the_source_say_whose_call_it_is() {
        let directory = directory();
        let mut trunks = Trunks::default();
        trunks.configure(&directory);
        let host = FoundHost {
            host: "sip.carrier.example".into(),
            addresses: vec!["192.0.2.33".parse().unwrap()],
        };
        assert!(trunks.found(Mono(0), &host), "the first time it is news");
        assert!(!trunks.found(Mono(1), &host));
        let token = stack::trunk_token(
            directory.tenants.get(&TenantId(2)).unwrap().key,
            directory.trunks.get(&TrunkId(5)).unwrap(),
        );
        let table = [
            ("203.0.113.1", "74950000001", "x", "74950000001 of 1 by 1"),
            ("203.0.113.1", "+74950000001", "x", "74950000001 of 1 by 1"),
            ("203.0.113.1", "4950000001", "x", "74950000001 of 1 by 1"),
            ("::ffff:203.0.113.1", "74950000001", "x", "74950000001 of 1 by 1"),
            ("203.0.113.1", "74950000002", "x", "74950000002 of 2 by 2"),
            ("203.0.113.1", "74950000009", "x", "404"),
            ("203.0.113.1", "100", "x", "404"),
            ("203.0.113.1", "alice", "x", "404"),
            ("203.0.113.9", "74950000001", "x", "no trunk"),
            ("203.0.113.6", "74950000001", "x", "no trunk"),
            ("192.0.2.33", "74950000001", "x", "74950000001 of 1 by 3"),
            ("192.0.2.33", "74950000002", "x", "404"),
            ("198.51.100.77", "acme", "84950000005", "74950000005 of 2 by 4"),
            ("198.51.100.77", "74950000005", "74950000001", "404"),
            ("192.0.2.250", &token, "74950000005", "74950000005 of 2 by 5"),
            ("192.0.2.250", &token, "74950000001", "404"),
            ("203.0.113.1", &token, "74950000001", "404"),
        ];
        for (from, number, to, expected) in table {
            let from: IpAddr = from.parse().unwrap();
            let found = trunks.arrival(Mono(2), &invite(number, to), from, &directory);
            assert_eq!(short(&found), expected, "{from} {number} {to}");
        }
        let late = Mono(0) + FOUND_FOR + Duration::from_secs(1);
        let from: IpAddr = "192.0.2.33".parse().unwrap();
        let found = trunks.arrival(late, &invite("74950000001", "x"), from, &directory);
        assert_eq!(found, Arrival::NotATrunk, "a host that was not found for a day");
    }

    #[test]
    fn from_the_trunks_of_a_blocked_tenant_nobody_calls() {
        let mut directory = directory();
        directory.set_status(TenantId(1), model::Status::Blocked);
        let mut trunks = Trunks::default();
        trunks.configure(&directory);
        let host = FoundHost {
            host: "sip.carrier.example".into(),
            addresses: vec!["192.0.2.33".parse().unwrap()],
        };
        assert!(!trunks.found(Mono(0), &host), "nobody waits for it");
        let table = [
            ("203.0.113.1", "74950000001", "404"),
            ("203.0.113.1", "74950000002", "74950000002 of 2 by 2"),
            ("192.0.2.33", "74950000001", "no trunk"),
        ];
        for (from, number, expected) in table {
            let from: IpAddr = from.parse().unwrap();
            let found = trunks.arrival(Mono(1), &invite(number, "x"), from, &directory);
            assert_eq!(short(&found), expected, "{from} {number}");
        }
    }

    #[test]
    fn what_is_written_alike_is_read_once_and_what_is_not_anew() {
        let mut directory = directory();
        let plan = directory.uses.get_mut(&TrunkId(2)).unwrap();
        let mut own = (**plan).clone();
        own.rewrite_in = vec![model::Rewriting {
            match_exp: model::Pattern::parse("^77$").unwrap(),
            repl_exp: "74950000002".into(),
        }];
        *plan = Arc::new(own);
        let mut trunks = Trunks::default();
        trunks.configure(&directory);
        let from: IpAddr = "203.0.113.1".parse().unwrap();
        let found = trunks.arrival(Mono(0), &invite("77", "x"), from, &directory);
        assert_eq!(short(&found), "74950000002 of 2 by 2");
    }
}
