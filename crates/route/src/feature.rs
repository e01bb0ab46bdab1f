//! Feature codes as they are dialled: `*7`, `*4100`, `*3100*1234`, `park+3`.

use model::limits::{REPLACE_PIN_DIGITS_MAX, REPLACE_PIN_DIGITS_MIN};
use model::{
    CodeMoment, CodeName, ExtensionId, ExtensionName, MonitorMode, Number, Secret, Snapshot,
};

/// What somebody has dialled a code for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Feature {
    /// To take the oldest call that rings in the own groups.
    GroupPickup,
    /// To take the call that rings there.
    Pickup(Named),
    /// To hear a call of an extension.
    Monitor(MonitorMode, Named),
    /// To enter the conference room of an extension.
    Room(Named),
    /// To have the own devices and those of an extension serve each other.
    Replace {
        /// Whose.
        with: Named,
        /// What must be that extension's PIN.
        pin: Secret,
    },
    /// To end that.
    EndReplace,
    /// To take back who is parked in this slot, or who was parked first. As a target: to be parked
    /// there, or in a free one.
    Retrieve(Option<u8>),
    /// To hear the own messages.
    Voicemail,
    /// To log the own agent in or out.
    Agent,
}

impl Feature {
    /// Whether a call may be sent there, rather than dialled only.
    pub fn may_be_target(&self) -> bool {
        match self {
            Feature::Room(_) | Feature::Retrieve(_) => true,
            Feature::GroupPickup
            | Feature::Pickup(_)
            | Feature::Monitor(..)
            | Feature::Replace { .. }
            | Feature::EndReplace
            | Feature::Voicemail
            | Feature::Agent => false,
        }
    }
}

/// An extension that a code names. Whether it exists must not be heard from the answer, so one
/// that does not is no other kind of mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Named {
    /// It exists.
    Extension(ExtensionId),
    /// Nothing is called so.
    Unknown(ExtensionName),
}

impl Named {
    /// The extension, if it exists.
    pub fn extension(&self) -> Option<ExtensionId> {
        match self {
            Named::Extension(id) => Some(*id),
            Named::Unknown(_) => None,
        }
    }
}

/// Under which name the slots of a client are parked in and watched (RFC 4235), before the number.
const PARK: &str = "park+";

/// The feature that was dialled. `None`: it begins with no code; `Some(None)`: with one, but means
/// nothing.
pub(crate) fn dialled(snapshot: &Snapshot, number: &str) -> Option<Option<Feature>> {
    if let Some(slot) = number.strip_prefix(PARK) {
        return Some(slot_of(snapshot, slot).map(|slot| Feature::Retrieve(Some(slot))));
    }
    let codes = &snapshot.routing.settings.feature_codes;
    let (name, rest) = codes.split(CodeMoment::Idle, number)?;
    Some(meant(snapshot, name, rest))
}

/// Whether a number begins with a code that can never be a target.
pub(crate) fn begins_no_target(snapshot: &Snapshot, number: &str) -> bool {
    let codes = &snapshot.routing.settings.feature_codes;
    let name = codes.split(CodeMoment::Idle, number).map(|(name, _)| name);
    name.is_some_and(|name| !matches!(name, CodeName::Room | CodeName::Park))
}

/// What was dialled without the PIN in it, for everything that is shown or written down: what
/// follows the extension behind the code, however wrong it was dialled.
pub fn without_pin(snapshot: &Snapshot, dialled: &Number) -> Number {
    let codes = &snapshot.routing.settings.feature_codes;
    let text = dialled.as_str();
    let Some((CodeName::Replace, rest)) = codes.split(CodeMoment::Idle, text) else {
        return dialled.clone();
    };
    let name = rest.split_once('*').map_or(rest, |(name, _)| name);
    let name = name.get(..usize::from(snapshot.tenant.extension_len)).unwrap_or(name);
    let kept = text.len() - rest.len() + name.len();
    let kept = text.get(..kept).and_then(|kept| Number::parse(kept).ok());
    kept.unwrap_or_else(|| dialled.clone())
}

fn meant(snapshot: &Snapshot, name: CodeName, rest: &str) -> Option<Feature> {
    let named = || named(snapshot, rest);
    let alone = |feature| rest.is_empty().then_some(feature);
    match name {
        CodeName::Pickup => alone(Feature::GroupPickup).or_else(|| named().map(Feature::Pickup)),
        CodeName::Eavesdrop => named().map(|of| Feature::Monitor(MonitorMode::Eavesdrop, of)),
        CodeName::Whisper => named().map(|of| Feature::Monitor(MonitorMode::Whisper, of)),
        CodeName::Barge => named().map(|of| Feature::Monitor(MonitorMode::Conference, of)),
        CodeName::Room => named().map(Feature::Room),
        CodeName::Replace => alone(Feature::EndReplace).or_else(|| replace(snapshot, rest)),
        CodeName::Park => alone(Feature::Retrieve(None))
            .or_else(|| slot_of(snapshot, rest).map(|slot| Feature::Retrieve(Some(slot)))),
        CodeName::Voicemail => alone(Feature::Voicemail),
        CodeName::Agent => alone(Feature::Agent),
        CodeName::Transfer | CodeName::AttendedTransfer | CodeName::ParkInCall => None,
    }
}

/// `100*1234`.
fn replace(snapshot: &Snapshot, rest: &str) -> Option<Feature> {
    let (name, pin) = rest.split_once('*')?;
    let is_pin = (REPLACE_PIN_DIGITS_MIN..=REPLACE_PIN_DIGITS_MAX).contains(&pin.len())
        && pin.bytes().all(|b| b.is_ascii_digit());
    let with = named(snapshot, name).filter(|_| is_pin)?;
    Some(Feature::Replace { with, pin: Secret::new(pin) })
}

/// The extension with this name, which has exactly as many digits as the client's names have.
fn named(snapshot: &Snapshot, name: &str) -> Option<Named> {
    if name.len() != usize::from(snapshot.tenant.extension_len) {
        return None;
    }
    let name = ExtensionName::parse(name).ok()?;
    let found = snapshot.named(name.as_str()).map(|extension| extension.id);
    Some(found.map_or(Named::Unknown(name), Named::Extension))
}

fn slot_of(snapshot: &Snapshot, text: &str) -> Option<u8> {
    let slots = 1..=snapshot.routing.settings.shown.valet_park_slots;
    // One digit, without sign or zeros before it.
    let slot = text.parse().ok().filter(|_| text.len() == 1)?;
    slots.contains(&slot).then_some(slot)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use model::{Code, CodeName, Routing, RoutingSettings, SettingsShown};

    use super::*;
    use crate::dial::tests::snapshot;
    use crate::{Destination, NoTarget, Unroutable, destination, target};

    const A: Named = Named::Extension(ExtensionId(100_000));

    /// 100 is there, 101 is blocked, 199 is not; slots are 1 to 5; rooms have the code `#88`,
    /// agents none; `*7112` is an emergency number.
    fn pbx() -> Snapshot {
        let settings = RoutingSettings::default();
        let code = |text| Code::parse(text).ok();
        let codes = [(CodeName::Room, code("#88")), (CodeName::Agent, None)];
        let settings = RoutingSettings {
            feature_codes: settings.feature_codes.changed(codes).unwrap(),
            emergency_numbers: vec![Number::parse("*7112").unwrap()],
            shown: SettingsShown { valet_park_slots: 5, ..SettingsShown::default() },
            ..settings
        };
        let mut snapshot = snapshot();
        snapshot.routing = Arc::new(Routing { settings, ..Routing::default() });
        snapshot
    }

    fn feature(number: &str) -> Result<Feature, Unroutable> {
        destination(&pbx(), None, number).map(|found| match found {
            Destination::Feature(feature) => feature,
            other => panic!("{number} is {other:?}"),
        })
    }

    #[test]
    fn every_code_means_what_it_is_documented_to_mean() {
        let monitor = Feature::Monitor;
        let replace = |with, pin| Feature::Replace { with, pin: Secret::new(pin) };
        let table = [
            ("*7", Feature::GroupPickup),
            ("*7100", Feature::Pickup(A)),
            ("*7101", Feature::Pickup(Named::Extension(ExtensionId(100_001)))),
            ("*7199", Feature::Pickup(Named::Unknown(ExtensionName::parse("199").unwrap()))),
            ("*7100@pbx.example", Feature::Pickup(A)),
            ("*4100", monitor(MonitorMode::Eavesdrop, A)),
            ("*5100", monitor(MonitorMode::Whisper, A)),
            ("*6100", monitor(MonitorMode::Conference, A)),
            ("#88100", Feature::Room(A)),
            ("*3100*1234", replace(A, "1234")),
            ("*3100*12345678", replace(A, "12345678")),
            ("*3", Feature::EndReplace),
            ("*0", Feature::Retrieve(None)),
            ("*05", Feature::Retrieve(Some(5))),
            ("park+5", Feature::Retrieve(Some(5))),
            ("park+1@pbx.example", Feature::Retrieve(Some(1))),
            ("*9", Feature::Voicemail),
        ];
        for (number, expected) in table {
            assert_eq!(feature(number), Ok(expected), "{number}");
        }
    }

    #[test]
    fn half_a_code_is_no_number() {
        let numbers = [
            "*4",
            "*410",
            "*41000",
            "*4abc",
            "*5",
            "*6",
            "#88",
            "#8",
            "*71",
            "*70003*100",
            "*3100",
            "*3100*",
            "*3100*123",
            "*3100*123456789",
            "*3100*12a4",
            "*310*1234",
            "*3*1234",
            "*06",
            "*00",
            "*055",
            "*0+",
            "park+",
            "park+6",
            "park+0",
            "park+55",
            "park+a",
            "*91",
            "*1",
            "*8100",
            "*7100@other.example",
            "*",
            "#",
        ];
        for number in numbers {
            assert_eq!(feature(number), Err(Unroutable::NoSuchNumber), "{number}");
        }
    }

    #[test]
    fn nothing_but_an_emergency_number_comes_before_a_code() {
        // No trunk takes it, so the call for help fails; it does not pick up a call.
        assert_eq!(feature("*7112"), Err(Unroutable::NoSuchNumber));
    }

    #[test]
    fn a_pin_is_shown_in_no_log() {
        let shown = format!("{:?}", feature("*3100*98765"));
        assert!(shown.contains("100000") && !shown.contains("98765"), "{shown}");
    }

    #[test]
    fn no_pin_is_written_down_however_wrong_it_was_dialled() {
        let table = [
            ("*3100*98765", "*3100"),
            ("*310098765", "*3100"),
            ("*3100*98a765", "*3100"),
            ("*3*98765", "*3"),
            ("*3100", "*3100"),
            ("*3", "*3"),
            ("*4100", "*4100"),
            ("100", "100"),
        ];
        for (dialled, kept) in table {
            let found = without_pin(&pbx(), &Number::parse(dialled).unwrap());
            assert_eq!(found.as_str(), kept, "{dialled}");
        }
    }

    #[test]
    fn only_rooms_and_places_to_park_are_targets() {
        let refused = ["*7", "*7100", "*4100", "*5100", "*6100", "*3", "*3100*1234", "*9", "*4"];
        for number in refused {
            let found = target(&pbx(), None, number).map(|_| ());
            assert_eq!(found, Err(NoTarget::FeatureCode), "{number}");
        }
        for number in ["#88100", "*0", "*05", "park+5"] {
            let found = target(&pbx(), None, number);
            assert!(matches!(found, Ok(Destination::Feature(_))), "{number}: {found:?}");
        }
        assert!(matches!(target(&pbx(), None, "100"), Ok(Destination::Extension(_))));
        for number in ["#88", "*06", "199", "*1", "*12"] {
            let nowhere = Err(NoTarget::Unroutable(Unroutable::NoSuchNumber));
            assert_eq!(target(&pbx(), None, number).map(|_| ()), nowhere, "{number}");
        }
        let blocked = Err(NoTarget::Unroutable(Unroutable::Blocked));
        assert_eq!(target(&pbx(), None, "101").map(|_| ()), blocked);
    }
}
