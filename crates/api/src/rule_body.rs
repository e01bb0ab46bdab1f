//! `/incom_rule/` as JSON: what is shown, what may be written (specification page `/incom_rule/`;
//! API reference, decisions 12-18).

use model::{
    CallerAction, CascadeNumber, ExtensionKind, IncomingRule, IntervalId, Number, Pattern, RuleId,
    RuleKind, SoundId, Wanted, WantedStatus, limits,
};
use route::NoTarget;
use serde::Serialize;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::Schema;
use utoipa::{PartialSchema, ToSchema};

use crate::document::{words, writable};
use crate::error::ApiError;
use crate::fields::{Change, Fields};
use crate::target::ExtensionTarget;

words! {
    /// What a rule does: `busy` answers 486, `hangup` 480; `transfer` and `cascade` ring numbers
    /// and run their rules, `simple_transfer` and `simple_cascade` ring their devices only;
    /// `playfile` answers and plays a sound; `voicemail` answers and records a message.
    RuleTypeWord = "busy" | "transfer" | "simple_transfer" | "hangup" | "playfile" | "voicemail"
        | "cascade" | "simple_cascade";
    /// Which callers it is for.
    CallerActionWord = "any" | "matches" | "not_matches" | "anonymous";
    /// Only when the last thing that was dialled had this result.
    CallStatusWord = "any" | "busy" | "no_answer";
    /// Only when the extension itself was rung with this result.
    ExtensionCallStatusWord = "any" | "busy" | "no_answer";
    /// Only while the extension is in this state.
    ExtensionStatusWord = "any" | "registered" | "unreachable";
}

const KINDS: [(&str, RuleKind); 8] = {
    let mut kinds = [("", RuleKind::Busy); 8];
    let mut n = 0;
    while n < kinds.len() {
        kinds[n] = (RuleKind::ALL[n].as_str(), RuleKind::ALL[n]);
        n += 1;
    }
    kinds
};
const CALLER_ACTIONS: [(&str, CallerAction); 4] = [
    ("any", CallerAction::Any),
    ("matches", CallerAction::Matches),
    ("not_matches", CallerAction::NotMatches),
    ("anonymous", CallerAction::Anonymous),
];
const RESULTS: [(&str, Wanted); 3] =
    [("any", Wanted::Any), ("busy", Wanted::Busy), ("no_answer", Wanted::NoAnswer)];
const STATUSES: [(&str, WantedStatus); 3] = [
    ("any", WantedStatus::Any),
    ("registered", WantedStatus::Registered),
    ("unreachable", WantedStatus::Unreachable),
];

/// A rule for incoming calls of an extension.
#[derive(Serialize, ToSchema)]
#[schema(as = IncomingRule)]
pub(crate) struct RuleBody {
    /// Unique within the extension.
    #[schema(read_only)]
    id: u64,
    #[serde(rename = "type")]
    #[schema(value_type = RuleTypeWord, inline)]
    kind: &'static str,
    #[schema(max_length = 255)]
    name: Option<String>,
    /// The sound that `playfile` plays.
    playfile_sound: Option<u64>,
    /// Numbers, separated by spaces, which ring all at once: of `transfer` at most 10, of
    /// `simple_transfer` 50.
    #[schema(example = "101 102")]
    transfer_dst: Option<String>,
    /// Seconds that a rule rings its numbers.
    #[schema(minimum = 1, maximum = 600)]
    transfer_timeout: u16,
    /// Numbers that ring one after the other: of `cascade` and `simple_cascade`, at most 20.
    cascade_numbers: Vec<CascadeNumberBody>,
    /// Whether an outside party that the call was forwarded to may transfer it.
    allow_public_transfer: bool,
    /// PCRE over the caller's number in each of its forms.
    #[schema(example = "^(\\+|)7812")]
    caller_id: Option<String>,
    #[schema(value_type = CallerActionWord, inline)]
    caller_id_action: &'static str,
    #[schema(value_type = CallStatusWord, inline)]
    call_status: &'static str,
    #[schema(value_type = ExtensionCallStatusWord, inline)]
    extension_call_status: &'static str,
    #[schema(value_type = ExtensionStatusWord, inline)]
    extension_status: &'static str,
    /// Only while this interval is active.
    interval: Option<u64>,
    enabled: bool,
    /// The caller hears ringback, not what the called network says.
    ignore_early_media: bool,
    /// Nothing is looked at after it has fired.
    #[serde(rename = "final")]
    is_final: bool,
    /// Who answers hears who calls and presses 1: of `transfer` and `cascade`.
    enable_call_screening: bool,
    /// What its author will not have meant, in the answer to a write.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(read_only, nullable = false)]
    warnings: Option<Vec<String>>,
}

/// A number of a cascade.
#[derive(Serialize, ToSchema)]
#[schema(as = CascadeNumber)]
pub(crate) struct CascadeNumberBody {
    /// Seconds from the start of the rule; the smallest of a rule counts as 0.
    #[schema(maximum = 600)]
    delay: u16,
    number: String,
}

impl RuleBody {
    pub(crate) fn of(rule: &IncomingRule) -> RuleBody {
        let numbers: Vec<&str> = rule.transfer_dst.iter().map(Number::as_str).collect();
        let cascade = rule.cascade_numbers.iter();
        RuleBody {
            id: rule.id.0,
            kind: rule.kind.as_str(),
            name: rule.name.as_deref().map(str::to_owned),
            playfile_sound: rule.playfile_sound.map(|id| id.0),
            transfer_dst: (!numbers.is_empty()).then(|| numbers.join(" ")),
            transfer_timeout: rule.transfer_timeout_s.unwrap_or(limits::TRANSFER_TIMEOUT_S_DEFAULT),
            cascade_numbers: cascade
                .map(|c| CascadeNumberBody { delay: c.delay_s, number: c.number.to_string() })
                .collect(),
            allow_public_transfer: rule.allow_public_transfer,
            caller_id: rule.caller_id.as_ref().map(|p| p.as_str().to_owned()),
            caller_id_action: word_of(&CALLER_ACTIONS, rule.caller_id_action),
            call_status: word_of(&RESULTS, rule.call_status),
            extension_call_status: word_of(&RESULTS, rule.extension_call_status),
            extension_status: word_of(&STATUSES, rule.extension_status),
            interval: rule.interval.map(|id| id.0),
            enabled: rule.enabled,
            ignore_early_media: rule.ignore_early_media,
            is_final: rule.is_final,
            enable_call_screening: rule.enable_call_screening,
            warnings: None,
        }
    }

    pub(crate) fn with(self, warnings: Vec<String>) -> RuleBody {
        RuleBody { warnings: Some(warnings), ..self }
    }
}

/// The word for a value of a closed set.
pub(crate) fn word_of<T: PartialEq>(set: &[(&'static str, T)], value: T) -> &'static str {
    set.iter().find(|(_, meaning)| *meaning == value).map_or("", |(word, _)| word)
}

/// What may be written of a rule, at its creation and later.
#[derive(Debug)]
pub(crate) struct RuleChange {
    kind: Option<RuleKind>,
    name: Change<String>,
    playfile_sound: Change<u64>,
    transfer_dst: Change<Vec<Number>>,
    transfer_timeout: Change<u64>,
    cascade_numbers: Option<Vec<CascadeNumber>>,
    allow_public_transfer: Option<bool>,
    caller_id: Change<Pattern>,
    caller_id_action: Option<CallerAction>,
    call_status: Option<Wanted>,
    extension_call_status: Option<Wanted>,
    extension_status: Option<WantedStatus>,
    interval: Change<u64>,
    enabled: Option<bool>,
    ignore_early_media: Option<bool>,
    is_final: Option<bool>,
    enable_call_screening: Option<bool>,
}

impl RuleChange {
    pub(crate) fn of(fields: &Fields) -> Result<RuleChange, ApiError> {
        let (min, max) = (limits::TRANSFER_TIMEOUT_S_MIN, limits::TRANSFER_TIMEOUT_S_MAX);
        let seconds = u64::from(min)..=u64::from(max);
        Ok(RuleChange {
            kind: fields.word("type", &KINDS)?,
            name: fields.text_change("name", limits::RULE_NAME_CHARS_MAX)?,
            playfile_sound: fields.id_change("playfile_sound")?,
            transfer_dst: fields.parsed_change("transfer_dst", numbers)?,
            transfer_timeout: fields.number_change("transfer_timeout", seconds)?,
            cascade_numbers: cascade_numbers(fields)?,
            allow_public_transfer: fields.flag("allow_public_transfer")?,
            caller_id: fields.parsed_change("caller_id", Pattern::parse)?,
            caller_id_action: fields.word("caller_id_action", &CALLER_ACTIONS)?,
            call_status: fields.word("call_status", &RESULTS)?,
            extension_call_status: fields.word("extension_call_status", &RESULTS)?,
            extension_status: fields.word("extension_status", &STATUSES)?,
            interval: fields.id_change("interval")?,
            enabled: fields.flag("enabled")?,
            ignore_early_media: fields.flag("ignore_early_media")?,
            is_final: fields.flag("final")?,
            enable_call_screening: fields.flag("enable_call_screening")?,
        })
    }

    /// A rule that begins with this, under an id of the caller's.
    pub(crate) fn begin(
        self,
        id: RuleId,
        target: &ExtensionTarget,
    ) -> Result<IncomingRule, ApiError> {
        let kind = self.kind.ok_or_else(|| ApiError::invalid("type", "is required"))?;
        let mut rule = IncomingRule::new(id, kind);
        self.apply(&mut rule, target)?;
        Ok(rule)
    }

    /// Carries the change out and checks what comes of it.
    pub(crate) fn apply(
        self,
        to: &mut IncomingRule,
        target: &ExtensionTarget,
    ) -> Result<(), ApiError> {
        let set = |from: Option<bool>, to: &mut bool| *to = from.unwrap_or(*to);
        to.kind = self.kind.unwrap_or(to.kind);
        let mut name = to.name.take().map(String::from);
        self.name.apply(&mut name);
        to.name = name.map(Into::into);
        if let Change::To(sound) = self.playfile_sound
            && !target.snapshot.routing.sounds.contains_key(&SoundId(sound))
        {
            return Err(ApiError::invalid("playfile_sound", "names nothing that the client has"));
        }
        let mut sound = to.playfile_sound.map(|id| id.0);
        self.playfile_sound.apply(&mut sound);
        to.playfile_sound = sound.map(SoundId);
        match self.transfer_dst {
            Change::Keep => {}
            Change::Empty => to.transfer_dst.clear(),
            Change::To(numbers) => {
                let bad = numbers.iter().find_map(|number| no_target(number, target));
                if let Some(why) = bad {
                    return Err(ApiError::invalid("transfer_dst", why));
                }
                to.transfer_dst = numbers.into();
            }
        }
        let mut timeout = to.transfer_timeout_s.map(u64::from);
        self.transfer_timeout.apply(&mut timeout);
        // It was read within its bounds.
        to.transfer_timeout_s = timeout.and_then(|s| u16::try_from(s).ok());
        if let Some(numbers) = self.cascade_numbers {
            let bad = numbers.iter().enumerate();
            let mut bad = bad.filter_map(|(n, c)| Some((n, no_target(&c.number, target)?)));
            if let Some((n, why)) = bad.next() {
                return Err(ApiError::invalid(&format!("cascade_numbers[{n}].number"), why));
            }
            to.cascade_numbers = numbers;
        }
        set(self.allow_public_transfer, &mut to.allow_public_transfer);
        let is_new = matches!(self.caller_id, Change::To(_));
        self.caller_id.apply(&mut to.caller_id);
        // Decision 17: a pattern alone means that it shall match.
        let implied = (is_new && to.caller_id_action == CallerAction::Any)
            .then_some(CallerAction::Matches)
            .filter(|_| self.caller_id_action.is_none());
        to.caller_id_action = self.caller_id_action.or(implied).unwrap_or(to.caller_id_action);
        to.call_status = self.call_status.unwrap_or(to.call_status);
        to.extension_call_status = self.extension_call_status.unwrap_or(to.extension_call_status);
        to.extension_status = self.extension_status.unwrap_or(to.extension_status);
        let mut interval = to.interval.map(|id| id.0);
        self.interval.apply(&mut interval);
        to.interval = interval.map(IntervalId);
        set(self.enabled, &mut to.enabled);
        set(self.ignore_early_media, &mut to.ignore_early_media);
        set(self.is_final, &mut to.is_final);
        set(self.enable_call_screening, &mut to.enable_call_screening);
        if to.kind == RuleKind::Voicemail && target.extension.kind != ExtensionKind::Phone {
            return Err(ApiError::invalid("type", "voicemail is for phones only"));
        }
        to.check().map_err(|bad| ApiError::invalid(bad.field, bad.why))
    }
}

/// Why a rule, or a program, cannot lead to a number at all. That it leads nowhere today is no
/// reason.
pub(crate) fn no_target(number: &Number, target: &ExtensionTarget) -> Option<String> {
    match route::target(&target.snapshot, Some(&target.extension), number.as_str()) {
        Err(NoTarget::FeatureCode) => Some(format!("{number} is a code that can only be dialled")),
        Ok(_) | Err(NoTarget::Unroutable(_)) => None,
    }
}

/// Numbers, separated by spaces. What has a comma or a semicolon in it is a list that was meant for
/// several and would lead nowhere as one number.
fn numbers(text: &str) -> Result<Vec<Number>, String> {
    let parse = |n: &str| match n.contains([',', ';']) {
        true => Err("numbers are separated by spaces".to_owned()),
        false => Number::parse(n).map_err(|why| format!("a number {why}")),
    };
    text.split_whitespace().map(parse).collect()
}

fn cascade_numbers(fields: &Fields) -> Result<Option<Vec<CascadeNumber>>, ApiError> {
    let max = limits::CASCADE_NUMBERS_MAX;
    let Some(items) = fields.objects("cascade_numbers", max)? else { return Ok(None) };
    let delays = 0..=u64::from(limits::CASCADE_DELAY_S_MAX);
    let numbers = items.iter().map(|item| {
        let delay = match item.number_change("delay", delays.clone())? {
            Change::To(delay) => delay,
            Change::Keep | Change::Empty => 0,
        };
        let number = item.parsed("number", Number::parse)?;
        Ok(CascadeNumber {
            delay_s: u16::try_from(delay).unwrap_or(limits::CASCADE_DELAY_S_MAX),
            number: number.ok_or_else(|| item.invalid("number", "is required"))?,
        })
    });
    numbers.collect::<Result<_, _>>().map(Some)
}

impl PartialSchema for RuleChange {
    fn schema() -> RefOr<Schema> {
        let mut object = writable::<RuleBody>();
        object.description = Some(
            "Fields of a rule. A `caller_id` without `caller_id_action` means `matches`."
                .to_owned(),
        );
        object.into()
    }
}

impl ToSchema for RuleChange {
    fn name() -> std::borrow::Cow<'static, str> {
        "IncomingRuleChange".into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        RuleBody::schemas(schemas);
    }
}

/// What a rule begins with, in the document.
pub(crate) enum NewRuleBody {}

impl PartialSchema for NewRuleBody {
    fn schema() -> RefOr<Schema> {
        let mut object = writable::<RuleBody>();
        object.required = vec!["type".to_owned()];
        object.description = Some(
            "What a rule begins with. A `caller_id` without `caller_id_action` means `matches`."
                .to_owned(),
        );
        object.into()
    }
}

impl ToSchema for NewRuleBody {
    fn name() -> std::borrow::Cow<'static, str> {
        "NewIncomingRule".into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        RuleBody::schemas(schemas);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::properties;

    #[test]
    fn the_document_names_exactly_the_fields_that_are_read() {
        let fields = Fields::parse(b"{}").unwrap();
        RuleChange::of(&fields).unwrap();
        assert_eq!(fields.asked(), properties::<RuleChange>());
        assert_eq!(fields.asked(), properties::<NewRuleBody>());
    }
}
