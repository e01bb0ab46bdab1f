//! Who is shown as calling.

use model::routing::rewritten;
use model::{DisplayName, Extension, Number, ShownOnForward, Snapshot, TrunkUse};

use crate::e164::{self, Country};

/// Number and name under which an extension shows itself to other extensions of its tenant.
///
/// Never what the phone says of itself in From: any phone could say anything.
pub fn caller_identity(snapshot: &Snapshot, extension: &Extension) -> (Number, DisplayName) {
    let name = extension.caller_id_name.clone().unwrap_or_else(|| extension.label.clone());
    (snapshot.number_of(extension), name)
}

/// Who calls the outside.
#[derive(Clone, Copy, Debug)]
pub enum Calling<'a> {
    /// An extension, or a rule of another one with its call.
    Extension(&'a Extension),
    /// A caller of the outside, whom an extension of ours forwards to the outside.
    Outside {
        /// The caller's number; `None`: hidden.
        number: Option<&'a Number>,
        /// The country of the trunk by which the call came.
        country: Option<Country>,
        /// The number of ours that was called.
        did: Option<&'a Number>,
        /// The extension that forwards.
        by: Option<&'a Extension>,
    },
}

/// What a trunk is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// The number in the form in which the trunk takes it; `None`: nobody's.
    pub number: Option<Number>,
    /// It is the caller's own, so that the caller's name and wish to hide go with it.
    pub is_callers: bool,
}

/// The number that a trunk is shown as calling.
pub fn shown_outside(snapshot: &Snapshot, plan: &TrunkUse, calling: Calling<'_>) -> Shown {
    let (number, is_callers) = match calling {
        Calling::Extension(extension) => {
            let own = || Some(snapshot.number_of(extension));
            (own_number(snapshot, plan, Some(extension)).or_else(own), true)
        }
        Calling::Outside { number, country, did, by } => {
            let own = || own_number(snapshot, plan, by);
            match plan.caller_id {
                ShownOnForward::Original => (number.map(|n| in_full(n, country)), true),
                ShownOnForward::Diverting => (did.cloned().or_else(own), false),
                ShownOnForward::Fixed => {
                    let fixed = plan.fixed_caller_id.clone();
                    (fixed.or_else(|| did.cloned()).or_else(own), false)
                }
            }
        }
    };
    Shown { number: number.map(|n| rewritten(&n, &plan.rewrite_out)), is_callers }
}

/// What an extension shows to the outside: its own number, else the client's, else the trunk's.
fn own_number(
    snapshot: &Snapshot,
    plan: &TrunkUse,
    extension: Option<&Extension>,
) -> Option<Number> {
    let routing = &snapshot.routing;
    let own = extension.and_then(|e| routing.anis.get(&e.id));
    own.or(routing.settings.ani.as_ref()).or(plan.fixed_caller_id.as_ref()).cloned()
}

/// A number as every network reads it: its E.164 digits, where it has some.
fn in_full(number: &Number, country: Option<Country>) -> Number {
    let digits = e164::digits(number.as_str(), country);
    digits.and_then(|d| Number::parse(&d).ok()).unwrap_or_else(|| number.clone())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use model::{
        ExtensionId, Pattern, Rewriting, Routing, RoutingSettings, TenantId, Trunk, TrunkId,
    };

    use super::*;
    use crate::dial::tests::snapshot;

    #[test]
    fn the_caller_id_name_goes_before_the_label() {
        let snapshot = snapshot();
        let mut extension = (**snapshot.extension(ExtensionId(100_000)).unwrap()).clone();
        assert_eq!(caller_identity(&snapshot, &extension).1.as_str(), "Ann");
        extension.caller_id_name = Some(DisplayName::parse("Sales").unwrap());
        assert_eq!(caller_identity(&snapshot, &extension).1.as_str(), "Sales");
    }

    /// `ext=`, `client=`, `fixed=`: the numbers that are set; `original`, `diverting`, `fixed`:
    /// what the trunk shows on forwarding; `plus`: it wants a plus.
    fn shown(set: &str, caller: &str) -> String {
        let number = |text: &str| Number::parse(text).unwrap();
        let value = |key: &str| {
            set.split(' ').find_map(|word| word.strip_prefix(key)?.strip_prefix('=')).map(number)
        };
        let mut snapshot = snapshot();
        let id = ExtensionId(100_000);
        snapshot.routing = Arc::new(Routing {
            anis: value("ext").map(|n| (id, n)).into_iter().collect(),
            settings: RoutingSettings { ani: value("client"), ..RoutingSettings::default() },
            ..Routing::default()
        });
        let has = |word: &str| set.split(' ').any(|w| w == word);
        let plus = Rewriting {
            match_exp: Pattern::parse("^([0-9]{11})$").unwrap(),
            repl_exp: r"+\1".into(),
        };
        let plan = TrunkUse {
            caller_id: if has("diverting") {
                ShownOnForward::Diverting
            } else if has("fixed") {
                ShownOnForward::Fixed
            } else {
                ShownOnForward::Original
            },
            fixed_caller_id: value("fixed"),
            rewrite_out: if has("plus") { vec![plus] } else { Vec::new() },
            ..TrunkUse::new(Arc::new(Trunk::new(TrunkId(1), TenantId(1), "", Vec::new())), "RU")
        };
        let extension = Arc::clone(snapshot.extension(id).unwrap());
        let did = number("74959998877");
        let from = caller.strip_prefix("outside ").map(|n| n.replace("hidden", ""));
        let from = from.filter(|n| !n.is_empty()).map(|n| number(&n));
        let calling = if caller == "100" {
            Calling::Extension(&extension)
        } else {
            Calling::Outside {
                number: from.as_ref(),
                country: Country::of("RU"),
                did: Some(&did),
                by: Some(&extension),
            }
        };
        let shown = shown_outside(&snapshot, &plan, calling);
        let whose = if shown.is_callers { "caller's" } else { "ours" };
        format!("{} {whose}", shown.number.map_or("-".into(), |n| n.to_string()))
    }

    #[test]
    fn who_is_shown_to_the_outside_is_what_was_set() {
        let table = [
            ("ext=7001 client=7002 fixed=7003", "100", "7001 caller's"),
            ("client=7002 fixed=7003", "100", "7002 caller's"),
            ("fixed=7003", "100", "7003 caller's"),
            ("", "100", "100 caller's"),
            ("ext=74950000001 plus", "100", "+74950000001 caller's"),
            ("original ext=7001", "outside 89161234567", "79161234567 caller's"),
            ("original plus", "outside 89161234567", "+79161234567 caller's"),
            ("original", "outside +442071838750", "442071838750 caller's"),
            ("original", "outside 911", "911 caller's"),
            ("original ext=7001", "outside hidden", "- caller's"),
            ("diverting ext=7001", "outside 89161234567", "74959998877 ours"),
            ("diverting plus", "outside hidden", "+74959998877 ours"),
            ("fixed fixed=7003 ext=7001", "outside 89161234567", "7003 ours"),
            ("fixed ext=7001", "outside 89161234567", "74959998877 ours"),
        ];
        for (set, caller, expected) in table {
            assert_eq!(shown(set, caller), expected, "{set}: {caller}");
        }
    }
}
