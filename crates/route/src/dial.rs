//! The dial plan: what a number leads to when an extension dials it.

use std::sync::Arc;

use model::routing::rewritten;
use model::{DialRulesId, Extension, Number, Snapshot, Status, TrunkId};
use smallvec::SmallVec;

use crate::feature::{self, Feature};

/// Where a dialled number leads.
#[derive(Clone, Debug)]
pub enum Destination {
    /// To an extension of the same tenant.
    Extension(Arc<Extension>),
    /// To the outside.
    Outside(Outside),
    /// The switch itself does something.
    Feature(Feature),
}

/// A number of the outside and the ways to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outside {
    /// The number after the rewritings of extension and client; a trunk may rewrite it once more.
    pub number: Number,
    /// The trunks that take it, in the order in which they are tried; at least one.
    pub trunks: SmallVec<[TrunkId; 2]>,
    /// No limit, ban, block or channel count stops it.
    pub emergency: bool,
}

/// Why a dialled number leads nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unroutable {
    /// No extension, no code and no trunk takes it: 404.
    NoSuchNumber,
    /// The extension is there but blocked: 480, as if its phone were switched off.
    Blocked,
}

/// Finds what `number` (the user part after unescaping, parameters cut off) leads to when
/// `dialler` dials it; without one only the client's own rewritings count.
///
/// In order: an emergency number; a feature code; an extension: `100`, `0003*100`,
/// `00500*0003*100`, each also with `@domain`; prefix and name without `*`, `0003100`, unless a
/// trunk takes that number; the outside.
/// Absolute names begin with a digit and codes with `*` or `#`, so they never clash.
pub fn destination(
    snapshot: &Snapshot,
    dialler: Option<&Extension>,
    number: &str,
) -> Result<Destination, Unroutable> {
    let tenant = &snapshot.tenant;
    let number = match number.split_once('@') {
        Some((user, domain)) if domain.eq_ignore_ascii_case(&tenant.domain) => user,
        Some(_) => return Err(Unroutable::NoSuchNumber),
        None => number,
    };
    let settings = &snapshot.routing.settings;
    if let Some(number) = settings.emergency_numbers.iter().find(|e| e.as_str() == number) {
        let trunks: SmallVec<_> = usable_trunks(snapshot).map(|(id, _)| id).collect();
        if trunks.is_empty() {
            return Err(Unroutable::NoSuchNumber);
        }
        let number = number.clone();
        return Ok(Destination::Outside(Outside { number, trunks, emergency: true }));
    }
    if let Some(feature) = feature::dialled(snapshot, number) {
        return feature.map(Destination::Feature).ok_or(Unroutable::NoSuchNumber);
    }
    if let Some(extension) = named(snapshot, number) {
        return active(extension);
    }
    if let Some(outside) = outside(snapshot, dialler, number) {
        return Ok(Destination::Outside(outside));
    }
    let joined = number.strip_prefix(tenant.prefix.as_str()).and_then(|n| snapshot.named(n));
    joined.map_or(Err(Unroutable::NoSuchNumber), active)
}

/// Why a number is no target of a transfer, a rule or a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoTarget {
    /// It is a feature code that can only be dialled.
    FeatureCode,
    /// It leads nowhere.
    Unroutable(Unroutable),
}

/// Finds what `number` leads to when a call is to be sent there, as [`destination`] does.
///
/// Of the features only rooms and places to park may be targets. Parking as a target is not taking
/// back what is parked: who is sent to [`Feature::Retrieve`] is parked there. Numbers of rules are
/// looked at by [`crate::lead`].
pub fn target(
    snapshot: &Snapshot,
    dialler: Option<&Extension>,
    number: &str,
) -> Result<Destination, NoTarget> {
    match destination(snapshot, dialler, number) {
        Ok(Destination::Feature(feature)) if !feature.may_be_target() => Err(NoTarget::FeatureCode),
        // Half of such a code is no better than the whole.
        Err(Unroutable::NoSuchNumber) if feature::begins_no_target(snapshot, number) => {
            Err(NoTarget::FeatureCode)
        }
        other => other.map_err(NoTarget::Unroutable),
    }
}

fn active(extension: &Arc<Extension>) -> Result<Destination, Unroutable> {
    match extension.status {
        Status::Active => Ok(Destination::Extension(Arc::clone(extension))),
        Status::Blocked => Err(Unroutable::Blocked),
    }
}

/// The extension with this name, short or with its prefixes.
fn named<'s>(snapshot: &'s Snapshot, number: &str) -> Option<&'s Arc<Extension>> {
    let tenant = &snapshot.tenant;
    let mut parts = number.rsplit('*');
    let name = parts.next().unwrap_or("");
    let is_ours = match (parts.next(), parts.next(), parts.next()) {
        (None, ..) => true,
        (Some(prefix), None, _) => prefix == tenant.prefix.as_str(),
        (Some(prefix), Some(domain_prefix), None) => {
            prefix == tenant.prefix.as_str() && domain_prefix == tenant.domain_prefix.as_str()
        }
        (Some(_), Some(_), Some(_)) => false,
    };
    if is_ours { snapshot.named(name) } else { None }
}

/// The outside: the extension's rewritings, then the client's, then the trunks that take it.
fn outside(snapshot: &Snapshot, dialler: Option<&Extension>, number: &str) -> Option<Outside> {
    // Codes and names with prefixes are nothing that a network knows.
    if !number.starts_with(|c: char| c.is_ascii_digit() || c == '+') || number.contains('*') {
        return None;
    }
    let mut number = Number::parse(number).ok()?;
    let of_extension = dialler.and_then(|e| e.shown.dial_rule_id).map(DialRulesId);
    let of_client = snapshot.routing.settings.dial_rules;
    for id in of_extension.into_iter().chain(of_client) {
        if let Some(list) = snapshot.routing.dial_rules.get(&id) {
            number = rewritten(&number, list);
        }
    }
    let trunks: SmallVec<[TrunkId; 2]> = usable_trunks(snapshot)
        .filter(|(_, plan)| {
            let takes = |p: &model::Pattern| p.is_match(number.as_str()).unwrap_or(false);
            plan.patterns.is_empty() || plan.patterns.iter().any(takes)
        })
        .map(|(id, _)| id)
        .collect();
    (!trunks.is_empty()).then_some(Outside { number, trunks, emergency: false })
}

fn usable_trunks(snapshot: &Snapshot) -> impl Iterator<Item = (TrunkId, &model::TrunkUse)> {
    let trunks = snapshot.routing.trunks.iter();
    trunks.filter(|(_, plan)| plan.trunk.enabled).map(|(id, plan)| (*id, &**plan))
}

#[cfg(test)]
pub(crate) mod tests {
    use model::{
        DisplayName, ExtensionId, ExtensionKind, ExtensionName, ExtensionShown, Pattern, Prefix,
        Rewriting, Routing, RoutingSettings, Tenant, TenantId, TenantKey, Trunk, TrunkUse,
    };

    use super::*;

    pub(crate) fn snapshot() -> Snapshot {
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
        let extension = |id, name, status| {
            Arc::new(Extension {
                id: ExtensionId(id),
                name: ExtensionName::parse(name).unwrap(),
                kind: ExtensionKind::Ivr,
                status,
                label: DisplayName::parse("Ann").unwrap(),
                caller_id_name: None,
                group: None,
                shown: ExtensionShown::default(),
                phone: None,
            })
        };
        let extensions =
            [extension(100_000, "100", Status::Active), extension(100_001, "101", Status::Blocked)];
        Snapshot::new(1, Arc::new(tenant), extensions)
    }

    #[test]
    fn every_form_of_a_number_leads_where_the_dial_plan_says() {
        let table = [
            ("100", Ok(100_000)),
            ("0003*100", Ok(100_000)),
            ("00500*0003*100", Ok(100_000)),
            ("100@pbx.example", Ok(100_000)),
            ("0003*100@PBX.example", Ok(100_000)),
            ("0003100", Ok(100_000)),
            ("101", Err(Unroutable::Blocked)),
            ("102", Err(Unroutable::NoSuchNumber)),
            ("0004*100", Err(Unroutable::NoSuchNumber)),
            ("00501*0003*100", Err(Unroutable::NoSuchNumber)),
            ("1*00500*0003*100", Err(Unroutable::NoSuchNumber)),
            ("100@other.example", Err(Unroutable::NoSuchNumber)),
            ("0004100", Err(Unroutable::NoSuchNumber)),
            ("*100", Err(Unroutable::NoSuchNumber)),
            ("*77", Err(Unroutable::NoSuchNumber)),
            ("*2100", Err(Unroutable::NoSuchNumber)),
            ("#1", Err(Unroutable::NoSuchNumber)),
            ("", Err(Unroutable::NoSuchNumber)),
            ("74951234567", Err(Unroutable::NoSuchNumber)),
        ];
        let snapshot = snapshot();
        for (number, expected) in table {
            let found = destination(&snapshot, None, number).map(|d| match d {
                Destination::Extension(e) => e.id.0,
                Destination::Outside(_) => panic!("there is no trunk"),
                Destination::Feature(feature) => panic!("{feature:?}"),
            });
            assert_eq!(found, expected, "{number}");
        }
    }

    /// Trunk 1 takes Russian numbers in full form, 2 is switched off, 3 takes all.
    fn with_trunks() -> Snapshot {
        let trunk = |id, pattern: Option<&str>, enabled| {
            let sip = Trunk { enabled, ..Trunk::new(TrunkId(id), TenantId(1), "", Vec::new()) };
            let plan = TrunkUse {
                patterns: pattern.iter().map(|p| Pattern::parse(p).unwrap()).collect(),
                ..TrunkUse::new(Arc::new(sip), "RU")
            };
            (TrunkId(id), Arc::new(plan))
        };
        let rewriting = |match_exp, repl_exp: &str| Rewriting {
            match_exp: Pattern::parse(match_exp).unwrap(),
            repl_exp: repl_exp.into(),
        };
        let lists = [
            (DialRulesId(1), Arc::from([rewriting("^([0-9]{7})$", r"8812\1")])),
            (DialRulesId(2), Arc::from([rewriting("^8([0-9]{10})$", r"7\1")])),
        ];
        let trunks =
            [trunk(1, Some("^7[0-9]{10}$"), true), trunk(2, None, false), trunk(3, None, true)];
        let mut snapshot = snapshot();
        snapshot.routing = Arc::new(Routing {
            trunks: trunks.into(),
            dial_rules: lists.into(),
            settings: RoutingSettings { dial_rules: Some(DialRulesId(2)), ..Default::default() },
            ..Routing::default()
        });
        snapshot
    }

    #[test]
    fn outside_numbers_are_rewritten_and_lead_to_the_trunks_that_take_them() {
        let snapshot = with_trunks();
        let mut dialler = (**snapshot.named("100").unwrap()).clone();
        dialler.shown.dial_rule_id = Some(1);
        let table = [
            ("74951234567", "74951234567 by 1 3"),
            ("88121234567", "78121234567 by 1 3"),
            ("1234567", "78121234567 by 1 3"),
            ("+442071838750", "+442071838750 by 3"),
            ("112", "112 by 1 3 emergency"),
            ("0003100", "78120003100 by 1 3"),
            ("100", "extension 100000"),
            ("0003*100", "extension 100000"),
            ("0004*100", "NoSuchNumber"),
            ("*7", "GroupPickup"),
            ("*774951234567", "NoSuchNumber"),
            ("101", "Blocked"),
            ("alice", "NoSuchNumber"),
            ("74951234567@elsewhere.example", "NoSuchNumber"),
        ];
        for (number, expected) in table {
            let found = match destination(&snapshot, Some(&dialler), number) {
                Ok(Destination::Extension(e)) => format!("extension {}", e.id),
                Ok(Destination::Outside(o)) => {
                    let ways: Vec<_> = o.trunks.iter().map(ToString::to_string).collect();
                    let emergency = if o.emergency { " emergency" } else { "" };
                    format!("{} by {}{emergency}", o.number, ways.join(" "))
                }
                Ok(Destination::Feature(feature)) => format!("{feature:?}"),
                Err(why) => format!("{why:?}"),
            };
            assert_eq!(found, expected, "{number}");
        }
    }
}
