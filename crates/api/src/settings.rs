//! `/client/{client_id}/settings/`: what a client sets for itself (API reference, decision 22).

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use model::{
    CallControlApi, DialRulesId, Language, Number, Pattern, PickupMerge, RoutingSettings, Skipped,
    Snapshot, SoundId, limits,
};
use route::{Country, Lead, NoTarget};
use serde::Serialize;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::Schema;
use utoipa::{PartialSchema, ToSchema};

use crate::document::{words, writable};
use crate::error::ApiError;
use crate::fields::{Change, Fields};
use crate::rule_body::word_of;
use crate::state::Api;
use crate::target::ClientTarget;

/// The client's settings
///
/// For users of the whole client.
#[utoipa::path(
    get,
    path = "/api/ver1.0/client/{client_id}/settings/",
    tag = "settings",
    responses((status = 200, description = "All of them.", body = SettingsBody)),
)]
pub(crate) async fn show(client: ClientTarget) -> Result<Response, ApiError> {
    client.caller.must_administer()?;
    Ok(Json(SettingsBody::of(&client.snapshot.routing.settings)).into_response())
}

/// Changes the client's settings
///
/// Those that are not sent stay as they are; an unknown one is refused. The next call is handled
/// by the new ones. For users of the whole client.
#[utoipa::path(
    put,
    path = "/api/ver1.0/client/{client_id}/settings/",
    tag = "settings",
    request_body = SettingsChange,
    responses((status = 200, description = "All of them, as they are now.", body = SettingsBody)),
)]
pub(crate) async fn change(
    State(api): State<Api>,
    client: ClientTarget,
    fields: Fields,
) -> Result<Response, ApiError> {
    client.caller.must_administer()?;
    let tenant = client.caller.tenant();
    let change = SettingsChange::of(&fields, &client.snapshot)?;
    let apply = |settings: &mut RoutingSettings| {
        change.apply(settings);
        Ok::<_, ApiError>(())
    };
    let settings = api.store().change_settings(tenant, apply).await?;
    let settings = settings.ok_or_else(ApiError::client_not_found)?;
    api.changed(tenant).await;
    Ok(Json(SettingsBody::of(&settings)).into_response())
}

words! {
    /// Whether the rights of call control groups count for the API too.
    CallControlApiWord = "open" | "groups";
    /// Whether groups with a common member that share pickup are one, or only the actor's own.
    PickupMergeWord = "chain" | "own";
    /// In which language the switch speaks.
    LanguageWord = "en" | "ru";
    /// Whether extensions and parking slots can be watched.
    PresenceWord = "yes" | "no";
}

const CONTROL: [(&str, CallControlApi); 2] =
    [("open", CallControlApi::Open), ("groups", CallControlApi::Groups)];
const MERGE: [(&str, PickupMerge); 2] = [("chain", PickupMerge::Chain), ("own", PickupMerge::Own)];
pub(crate) const PRESENCE: [(&str, bool); 2] = [("yes", true), ("no", false)];
pub(crate) const LANGUAGES: [(&str, Language); 2] = [("en", Language::En), ("ru", Language::Ru)];

/// The most that a bound on calls to the outside may be.
const OUTSIDE_MAX: u64 = 100_000;

/// What a client sets for itself.
#[derive(Serialize, ToSchema)]
#[schema(as = Settings)]
pub(crate) struct SettingsBody {
    #[schema(value_type = CallControlApiWord, inline)]
    call_control_api: &'static str,
    /// Slots to park calls in.
    #[schema(minimum = 1, maximum = 9)]
    valet_park_slots: u8,
    /// Where a parked call goes that nobody takes back.
    park_fallback: Option<String>,
    #[schema(value_type = PickupMergeWord, inline)]
    pickup_merge: &'static str,
    /// A phone that declines (600, 603) counts as busy.
    decline_is_busy: bool,
    /// They try every trunk, and no bound stops them. None may be the name of an extension.
    emergency_numbers: Vec<String>,
    /// ISO 3166-1 code of the country in whose form numbers are read.
    #[schema(example = "RU")]
    country: String,
    /// Calls from and to other clients of the domain. Stored, not used yet.
    interclient_calls: bool,
    /// PCRE over numbers beyond the country that may be called, in E.164 with the plus.
    #[schema(example = json!(["^\\+49"]))]
    outside_allowed: Vec<String>,
    outside_limits: OutsideLimitsBody,
    #[schema(value_type = LanguageWord, inline)]
    language: &'static str,
    /// The client's list of dial rules; 0 is none.
    dial_rule_id: Option<u64>,
    /// The sound that one hears who is held by an extension without music of its own; 0 is none.
    hold_music: Option<u64>,
    #[schema(value_type = PresenceWord, inline)]
    presence: &'static str,
}

/// Bounds of calls to the outside.
#[derive(Serialize, ToSchema)]
#[schema(as = OutsideLimits)]
pub(crate) struct OutsideLimitsBody {
    /// At a time, of the client.
    #[schema(maximum = 100_000)]
    calls: u32,
    /// That begin in a minute, of the client.
    #[schema(maximum = 100_000)]
    calls_per_minute: u32,
    /// At a time, of one extension.
    #[schema(maximum = 100_000)]
    extension_calls: u32,
    /// That begin in a minute, of one extension.
    #[schema(maximum = 100_000)]
    extension_calls_per_minute: u32,
}

impl SettingsBody {
    fn of(settings: &RoutingSettings) -> SettingsBody {
        let (limits, shown) = (&settings.outside_limits, &settings.shown);
        SettingsBody {
            call_control_api: word_of(&CONTROL, shown.call_control_api),
            valet_park_slots: shown.valet_park_slots,
            park_fallback: shown.park_fallback.as_ref().map(ToString::to_string),
            pickup_merge: word_of(&MERGE, shown.pickup_merge),
            decline_is_busy: settings.decline_is_busy,
            emergency_numbers: settings.emergency_numbers.iter().map(Number::to_string).collect(),
            country: settings.country.to_string(),
            interclient_calls: shown.interclient_calls,
            outside_allowed: settings
                .outside_allowed
                .iter()
                .map(|p| p.as_str().to_owned())
                .collect(),
            outside_limits: OutsideLimitsBody {
                calls: limits.calls,
                calls_per_minute: limits.calls_per_minute,
                extension_calls: limits.extension_calls,
                extension_calls_per_minute: limits.extension_calls_per_minute,
            },
            language: word_of(&LANGUAGES, settings.language),
            dial_rule_id: settings.dial_rules.map(|id| id.0),
            hold_music: shown.hold_music.map(|id| id.0),
            presence: word_of(&PRESENCE, shown.presence),
        }
    }
}

/// What may be written.
#[derive(Debug)]
pub(crate) struct SettingsChange {
    call_control_api: Option<CallControlApi>,
    valet_park_slots: Option<u8>,
    park_fallback: Change<Number>,
    pickup_merge: Option<PickupMerge>,
    decline_is_busy: Option<bool>,
    emergency_numbers: Option<Vec<Number>>,
    country: Option<String>,
    interclient_calls: Option<bool>,
    outside_allowed: Option<Vec<Pattern>>,
    /// In the order of [`OUTSIDE`].
    outside: [Option<u32>; 4],
    language: Option<Language>,
    dial_rules: Change<u64>,
    hold_music: Change<u64>,
    presence: Option<bool>,
}

const KNOWN: [&str; 14] = [
    "call_control_api",
    "valet_park_slots",
    "park_fallback",
    "pickup_merge",
    "decline_is_busy",
    "emergency_numbers",
    "country",
    "interclient_calls",
    "outside_allowed",
    "outside_limits",
    "language",
    "dial_rule_id",
    "hold_music",
    "presence",
];
const OUTSIDE: [&str; 4] =
    ["calls", "calls_per_minute", "extension_calls", "extension_calls_per_minute"];

impl SettingsChange {
    fn of(fields: &Fields, snapshot: &Snapshot) -> Result<SettingsChange, ApiError> {
        if let Some(unknown) = fields.unknown(&KNOWN).next() {
            return Err(fields.invalid(unknown, "is no setting"));
        }
        let slots = 1..=u64::from(limits::PARK_SLOTS_MAX);
        let country = |text: &str| match Country::of(text) {
            Some(_) => Ok(text.to_ascii_uppercase()),
            None => Err("must be a country's two letters like RU"),
        };
        let emergency = |text: &str| match Number::parse(text) {
            Ok(number) if snapshot.named(text).is_some() => {
                Err(format!("{number} is an extension of the client"))
            }
            Ok(number) if number.as_str().bytes().all(is_key) => Ok(number),
            Ok(number) => Err(format!("{number} is not of digits, +, * and #")),
            Err(why) => Err(why.to_string()),
        };
        let fallback = |text: &str| {
            let number = Number::parse(text).map_err(|why| why.to_string())?;
            // What is set may be written back, whatever has become of it.
            if snapshot.routing.settings.shown.park_fallback.as_ref() == Some(&number) {
                return Ok(number);
            }
            if let Err(NoTarget::FeatureCode) = route::target(snapshot, None, text) {
                return Err(format!("{number} is a code that can only be dialled"));
            }
            match route::lead(snapshot, None, text) {
                Ok(Lead::Slot(_)) => {
                    Err(format!("{number} is a place to park, where nobody was taken back"))
                }
                Ok(Lead::Barred(_)) => Err(format!("the client may not call {number}")),
                // A blocked extension may be let in again.
                Ok(_) | Err(Skipped::Blocked) => Ok(number),
                Err(why) => Err(format!("{number}: {why}")),
            }
        };
        let max = limits::EMERGENCY_NUMBERS_MAX;
        Ok(SettingsChange {
            call_control_api: fields.word("call_control_api", &CONTROL)?,
            valet_park_slots: match fields.number_change("valet_park_slots", slots)? {
                Change::To(n) => u8::try_from(n).ok(),
                Change::Empty => Some(limits::PARK_SLOTS_MAX),
                Change::Keep => None,
            },
            park_fallback: fields.parsed_change("park_fallback", fallback)?,
            pickup_merge: fields.word("pickup_merge", &MERGE)?,
            decline_is_busy: fields.flag("decline_is_busy")?,
            emergency_numbers: fields.parsed_list("emergency_numbers", max, emergency)?,
            country: fields.parsed("country", country)?,
            interclient_calls: fields.flag("interclient_calls")?,
            outside_allowed: fields.parsed_list(
                "outside_allowed",
                limits::PATTERNS_MAX,
                Pattern::parse,
            )?,
            outside: outside(fields)?,
            language: fields.word("language", &LANGUAGES)?,
            dial_rules: fields.id_change("dial_rule_id")?,
            hold_music: fields.id_change("hold_music")?,
            presence: fields.word("presence", &PRESENCE)?,
        })
    }

    fn apply(self, to: &mut RoutingSettings) {
        let (limits, shown) = (&mut to.outside_limits, &mut to.shown);
        replace(self.call_control_api, &mut shown.call_control_api);
        replace(self.valet_park_slots, &mut shown.valet_park_slots);
        self.park_fallback.apply(&mut shown.park_fallback);
        replace(self.pickup_merge, &mut shown.pickup_merge);
        replace(self.interclient_calls, &mut shown.interclient_calls);
        replace(self.presence, &mut shown.presence);
        let mut music = shown.hold_music.map(|id| id.0);
        self.hold_music.apply(&mut music);
        shown.hold_music = music.map(SoundId);
        replace(self.decline_is_busy, &mut to.decline_is_busy);
        replace(self.emergency_numbers, &mut to.emergency_numbers);
        replace(self.country.map(Into::into), &mut to.country);
        replace(self.outside_allowed, &mut to.outside_allowed);
        let [calls, calls_per_minute, extension_calls, extension_calls_per_minute] = self.outside;
        replace(calls, &mut limits.calls);
        replace(calls_per_minute, &mut limits.calls_per_minute);
        replace(extension_calls, &mut limits.extension_calls);
        replace(extension_calls_per_minute, &mut limits.extension_calls_per_minute);
        replace(self.language, &mut to.language);
        let mut list = to.dial_rules.map(|id| id.0);
        self.dial_rules.apply(&mut list);
        to.dial_rules = list.map(DialRulesId);
    }
}

/// What can be pressed, and the plus.
fn is_key(byte: u8) -> bool {
    byte.is_ascii_digit() || matches!(byte, b'+' | b'*' | b'#')
}

fn replace<T>(from: Option<T>, to: &mut T) {
    if let Some(value) = from {
        *to = value;
    }
}

fn outside(fields: &Fields) -> Result<[Option<u32>; 4], ApiError> {
    let mut bounds = [None; 4];
    let Some(limits) = fields.object("outside_limits")? else { return Ok(bounds) };
    if let Some(unknown) = limits.unknown(&OUTSIDE).next() {
        return Err(limits.invalid(unknown, "is no setting"));
    }
    for (bound, name) in bounds.iter_mut().zip(OUTSIDE) {
        if let Change::To(n) = limits.number_change(name, 0..=OUTSIDE_MAX)? {
            *bound = u32::try_from(n).ok();
        }
    }
    Ok(bounds)
}

impl PartialSchema for SettingsChange {
    fn schema() -> RefOr<Schema> {
        let mut object = writable::<SettingsBody>();
        object.description = Some("Settings that shall change.".to_owned());
        object.into()
    }
}

impl ToSchema for SettingsChange {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        SettingsBody::schemas(schemas);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::document::properties;

    #[test]
    fn what_is_known_is_what_the_document_names() {
        let known: BTreeSet<String> = KNOWN.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(known, properties::<SettingsChange>());
        let known: BTreeSet<String> = OUTSIDE.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(known, properties::<OutsideLimitsBody>());
    }
}
