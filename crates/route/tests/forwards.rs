//! Where numbers of rules lead, and why some never do.

use std::sync::Arc;

use model::{
    CascadeNumber, DisplayName, Extension, ExtensionId, ExtensionKind, ExtensionName,
    ExtensionShown, IncomingRule, Login, Number, Pattern, Phone, PhoneShown, Prefix, Routing,
    RuleId, RuleKind, Secret, Service, Skipped, Snapshot, Status, Tenant, TenantId, TenantKey,
    Trunk, TrunkId, TrunkUse,
};
use route::{Lead, Reach, lead, reach};

/// 100 and 101 are phones, 102 is blocked, 199 the echo, 300 a queue; one trunk takes numbers of
/// Russia.
fn snapshot() -> Snapshot {
    let tenant = Tenant {
        id: TenantId(1),
        key: TenantKey(*b"abcdefgh"),
        name: "Acme".into(),
        domain: "pbx.example".into(),
        domain_prefix: Prefix::parse("00500").unwrap(),
        prefix: Prefix::parse("0003").unwrap(),
        extension_len: 3,
        status: Status::Active,
        calls_max: 10,
        timezone: "UTC".into(),
        create_date: "2026-01-01 00:00:00".into(),
    };
    let extensions = [
        ("100", ExtensionKind::Phone, Status::Active),
        ("101", ExtensionKind::Phone, Status::Active),
        ("102", ExtensionKind::Phone, Status::Blocked),
        ("199", ExtensionKind::Service(Service::Echo), Status::Active),
        ("300", ExtensionKind::Queue, Status::Active),
    ];
    let extensions = extensions.map(|(name, kind, status)| {
        let phone = (kind == ExtensionKind::Phone).then(|| Phone {
            login: Login::parse(&format!("p{name}")).unwrap(),
            password: Secret::new("x"),
            auth_type: model::AuthType::Digest,
            incoming_limit: None,
            ring_timeout_s: None,
            shown: PhoneShown::default(),
        });
        Arc::new(Extension {
            id: ExtensionId(100_000 + name.parse::<u64>().unwrap()),
            name: ExtensionName::parse(name).unwrap(),
            kind,
            status,
            label: DisplayName::parse("Ann").unwrap(),
            caller_id_name: None,
            group: None,
            shown: ExtensionShown::default(),
            phone,
        })
    });
    let mut snapshot = Snapshot::new(1, Arc::new(tenant), extensions);
    let trunk = Trunk::new(TrunkId(1), TenantId(1), "Carrier", Vec::new());
    let pattern = Pattern::parse("^[+]?7").unwrap();
    let trunk = TrunkUse { patterns: vec![pattern], ..TrunkUse::new(Arc::new(trunk), "RU") };
    let trunks = [(TrunkId(1), Arc::new(trunk))].into();
    snapshot.routing = Arc::new(Routing { trunks, ..Routing::default() });
    snapshot
}

fn rule(numbers: &str) -> IncomingRule {
    let mut rule = IncomingRule::new(RuleId(1), RuleKind::Cascade);
    let numbers = numbers.split_whitespace().map(|n| Number::parse(n).unwrap());
    rule.cascade_numbers = numbers.map(|number| CascadeNumber { delay_s: 0, number }).collect();
    rule
}

#[test]
fn every_number_of_a_rule_leads_where_a_call_goes() {
    let snapshot = snapshot();
    let table = [
        ("100", "extension 100"),
        ("0003*101", "extension 101"),
        ("199", "extension 199"),
        ("*8101", "room of 100101"),
        ("*0", "slot None"),
        ("*05", "slot Some(5)"),
        ("park+7", "slot Some(7)"),
        ("74951234567", "outside 74951234567"),
        ("112", "outside 112"),
        ("+78091234567", "barred +78091234567"),
        ("*8999", "it leads nowhere"),
        ("*8199", "it leads nowhere"),
        ("*7", "it leads nowhere"),
        ("*00", "it leads nowhere"),
        ("102", "its extension is blocked"),
        ("300", "nothing enters such an extension"),
    ];
    for (number, expected) in table {
        let found = match lead(&snapshot, None, number) {
            Ok(Lead::Extension(extension)) => format!("extension {}", extension.name),
            Ok(Lead::Room(of)) => format!("room of {of}"),
            Ok(Lead::Slot(slot)) => format!("slot {slot:?}"),
            Ok(Lead::Outside(outside)) => format!("outside {}", outside.number),
            Ok(Lead::Barred(outside)) => format!("barred {}", outside.number),
            Err(why) => why.to_string(),
        };
        assert_eq!(found, expected, "{number}");
    }
}

#[test]
fn a_rule_comes_to_what_its_numbers_lead_to() {
    let snapshot = snapshot();
    let own = snapshot.named("100").unwrap();
    let nothing = Reach::default;
    let skipped = |number: &str, why| vec![(Number::parse(number).unwrap(), why)];
    let table = [
        ("100", Reach { own: true, ..nothing() }),
        ("100 101", Reach { own: true, others: true, ..nothing() }),
        ("74951234567", Reach { others: true, ..nothing() }),
        ("199", Reach { taken: true, ..nothing() }),
        ("101 *8100", Reach { others: true, taken: true, ..nothing() }),
        ("*0", Reach { parks: true, ..nothing() }),
        ("999", Reach { skipped: skipped("999", Skipped::NoSuchNumber), ..nothing() }),
        (
            "101 +78091234567",
            Reach {
                others: true,
                skipped: skipped("+78091234567", Skipped::NotAllowed),
                ..nothing()
            },
        ),
    ];
    for (numbers, expected) in table {
        let found = reach(&snapshot, own, &rule(numbers));
        assert_eq!(found.is_nothing(), numbers == "999", "{numbers}");
        assert_eq!(found, expected, "{numbers}");
    }
}
