//! Carriers, played by sipp at addresses of their own: calls in, calls out, registration.

use std::net::Ipv4Addr;
use std::sync::Arc;

use model::{
    ExtensionId, IncomingRule, Network, Number, RuleId, RuleKind, Secret, Trunk, TrunkCredentials,
    TrunkHost, TrunkId, TrunkRegistration, TrunkUse, Wall,
};
use store::StoredDid;

use crate::support::sipp::Sipp;
use crate::support::{BOUND, Site, site};

const DID: &str = "74950000001";

/// What a carrier at this address is to the demo's client.
fn trunk(address: Ipv4Addr, port: u16) -> Trunk {
    let host = TrunkHost { host: address.to_string(), port: Some(port) };
    Trunk {
        addresses: vec![Network::one(address.into())],
        ..Trunk::new(TrunkId(0), model::TenantId(0), "Carrier", vec![host])
    }
}

/// Gives the demo's client this trunk, the number for 101, and this rule of 101.
fn sets_up(site: &mut Site, trunk: Trunk, rule: Option<IncomingRule>) {
    let extension = ExtensionId(site.account("101").extension_id);
    site.restart_with(|store, tenant| async move {
        let plan = TrunkUse::new(Arc::new(trunk), "RU");
        store
            .create_trunk(tenant, &plan)
            .await
            .expect("it is stored")
            .expect("the client is there");
        let did = StoredDid {
            id: model::DidId(0),
            number: DID.to_owned(),
            name: DID.to_owned(),
            extension: Some(extension),
            allow_message: false,
            message_extension: None,
            comment: None,
            created: Wall(0),
        };
        store.create_did(tenant, &did).await.expect("it is stored").expect("the client is there");
        if let Some(rule) = rule {
            let made = store.create_rule(tenant, extension, &rule).await.expect("it is stored");
            made.expect("the extension is there");
        }
    });
}

#[test]
fn a_carrier_calls_a_number_and_a_phone_answers() {
    let Some(mut site) = site(&["sipp"]) else { return };
    let address = Ipv4Addr::new(127, 0, 0, 2);
    let carrier = Sipp::carrier(address);
    sets_up(&mut site, trunk(address, carrier.port()), None);
    let answering = Sipp::registered(&site, "101").plays(&site, "answer", "");
    carrier.plays(&site, "carrier_calls", DID).succeeds();
    answering.succeeds();
    // What nobody has is refused, and a stranger is asked for a password.
    Sipp::carrier(address).plays(&site, "carrier_misdials", "74950000009").succeeds();
    let stranger = Sipp::carrier(Ipv4Addr::new(127, 0, 0, 9));
    stranger.plays(&site, "stranger_calls", DID).succeeds();
}

#[test]
fn a_forwarded_call_tells_the_carrier_who_calls_and_who_forwards() {
    let Some(mut site) = site(&["sipp"]) else { return };
    let (from, to) = (Ipv4Addr::new(127, 0, 0, 3), Ipv4Addr::new(127, 0, 0, 4));
    let (caller, callee) = (Sipp::carrier(from), Sipp::carrier(to));
    let mut rule = IncomingRule::new(RuleId(0), RuleKind::Transfer);
    rule.transfer_dst.push(Number::parse("74951234567").expect("a number"));
    let mut both = trunk(to, callee.port());
    both.addresses.push(Network::one(from.into()));
    sets_up(&mut site, both, Some(rule));
    let answering = callee.plays(&site, "carrier_answers_a_forward", "");
    caller.plays(&site, "carrier_calls", DID).succeeds();
    answering.succeeds();
}

#[test]
fn the_switch_registers_with_a_carrier_by_digest() {
    let Some(mut site) = site(&["sipp"]) else { return };
    let address = Ipv4Addr::new(127, 0, 0, 5);
    let carrier = Sipp::carrier(address);
    let registrar = carrier.plays(&site, "carrier_registrar", "");
    let trunk = Trunk {
        registration: Some(TrunkRegistration { expires_s: 600 }),
        credentials: Some(TrunkCredentials {
            login: "acme".to_owned(),
            password: Secret::new("trunk-secret"),
        }),
        ..trunk(address, carrier.port())
    };
    sets_up(&mut site, trunk, None);
    registrar.succeeds();
    let begin = std::time::Instant::now();
    while site.metric("dialplane_trunks_registered") != 1.0 {
        assert!(begin.elapsed() < BOUND, "the registration stands");
    }
}
