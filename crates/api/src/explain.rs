//! `/incom_rule/explain/`: what would become of a call, by the very function that decides for
//! calls that are; and why a call that was went where it went.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use leg::CallTrace;
use model::{
    CallUuid, End, IncomingRule, Line, Outcome, RuleId, RuleKind, Rules, TraceEntry, Wall, limits,
};
use route::rules::{self, Facts, Next, Report};
use route::{Caller, Country, Reach};
use serde::Serialize;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, Ref, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use crate::document::words;
use crate::error::ApiError;
use crate::fields::Fields;
use crate::line_body::{EntryBody, LineBody, end_word};
use crate::rule_body::{NewRuleBody, RuleChange};
use crate::rules::{FindingBody, findings};
use crate::state::Api;
use crate::target::{ClientTarget, ExtensionTarget, ItemText};
use crate::{calendar, name};

/// Explains what would become of a call to the extension
///
/// Nothing is dialled: `outcomes` says what would come of each step. The same function decides for
/// calls that are.
#[utoipa::path(
    post,
    path = "/api/ver1.0/extension/{extension_id}/incom_rule/explain/",
    tag = "incom_rule",
    request_body = ExplainRequestBody,
    responses((status = 200, description = "Every step, and why.", body = ExplainBody)),
)]
pub(crate) async fn explain(
    State(api): State<Api>,
    target: ExtensionTarget,
    fields: Fields,
) -> Result<Response, ApiError> {
    let past = past_call(&fields, &api, &target).await?;
    let question = Question::of(&fields, &api, &target, past.as_ref())?;
    let registered = match question.registered {
        Some(registered) => registered,
        None => {
            let id = target.extension.id;
            let views = api.registrations(target.caller.tenant(), Some(id)).await?;
            target.extension.phone.is_none() || !views.is_empty()
        }
    };
    Ok(Json(question.answer(&target, registered)).into_response())
}

/// The call that was, if one is named: for users of the whole client, as its trace is.
async fn past_call(
    fields: &Fields,
    api: &Api,
    target: &ExtensionTarget,
) -> Result<Option<CallTrace>, ApiError> {
    let text = fields.text("call_uuid", limits::NUMBER_BYTES_MAX)?.unwrap_or_default();
    if text.is_empty() {
        return Ok(None);
    }
    target.caller.must_administer()?;
    let unknown = || fields.invalid("call_uuid", "names no call with a trace");
    let uuid = CallUuid::parse(&text).ok_or_else(unknown)?;
    let trace = api.store().call_trace(target.caller.tenant(), uuid).await?;
    Ok(Some(trace.ok_or_else(unknown)?))
}

/// Why a call went where it went
///
/// Written when the call is over. For users of the whole client.
#[utoipa::path(
    get,
    path = "/api/ver1.0/client/{client_id}/call_history/{call_uuid}/trace/",
    tag = "call_history",
    responses((status = 200, description = "Every step, and why.", body = CallTraceBody)),
)]
pub(crate) async fn trace(
    State(api): State<Api>,
    client: ClientTarget,
    ItemText(uuid): ItemText,
) -> Result<Response, ApiError> {
    client.caller.must_administer()?;
    let uuid = CallUuid::parse(&uuid).ok_or_else(ApiError::not_found)?;
    let trace = api.store().call_trace(client.caller.tenant(), uuid).await?;
    let trace = trace.ok_or_else(ApiError::not_found)?;
    let body = CallTraceBody {
        call_uuid: uuid.hex().to_ascii_uppercase(),
        init_time_gmt: trace.began.to_string(),
        caller: trace.caller.as_deref().map(str::to_owned),
        called_did: trace.did.as_deref().map(str::to_owned),
        lines: trace.lines.iter().map(EntryBody::of).collect(),
    };
    Ok(Json(body).into_response())
}

words! {
    /// What would come of a step: `unreachable` is no answer because no device gives a sign of
    /// life.
    OutcomeWord = "answered" | "busy" | "no_answer" | "unreachable";
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Supposed {
    Answered,
    Busy,
    NoAnswer,
    Unreachable,
}

const SUPPOSED: [(&str, Supposed); 4] = [
    ("answered", Supposed::Answered),
    ("busy", Supposed::Busy),
    ("no_answer", Supposed::NoAnswer),
    ("unreachable", Supposed::Unreachable),
];

/// What is asked.
struct Question {
    caller: Caller,
    at: Wall,
    registered: Option<bool>,
    outcomes: Vec<Supposed>,
    rules: Rules,
    warnings: Vec<String>,
}

impl Question {
    fn of(
        fields: &Fields,
        api: &Api,
        target: &ExtensionTarget,
        past: Option<&CallTrace>,
    ) -> Result<Question, ApiError> {
        let snapshot = &target.snapshot;
        let country = Country::of(&snapshot.routing.settings.country);
        let mut warnings = Vec::new();
        if let Some(did) = fields.text("did", limits::NUMBER_BYTES_MAX)?
            && !did.is_empty()
        {
            let found = snapshot.routing.dids.get(&*route::e164::did_key(&did, country));
            let found =
                found.ok_or_else(|| fields.invalid("did", "names nothing that the client has"))?;
            if found.extension != Some(target.extension.id) {
                warnings.push(format!("{} does not lead to this extension", found.name));
            }
        }
        let past_caller = || past.and_then(|call| call.caller.as_deref()).unwrap_or("").to_owned();
        let caller = fields.text("caller", limits::NUMBER_BYTES_MAX)?.unwrap_or_else(past_caller);
        let tenant = &snapshot.tenant;
        let own = name::short(&caller, tenant).and_then(|short| snapshot.named(short));
        let caller = match own {
            Some(extension) => {
                Caller::internal(tenant.prefix.as_str(), extension.name.as_str(), true)
            }
            None => Caller::external(&caller, country),
        };
        let supposed = |text: &str| {
            let found = SUPPOSED.iter().find(|(word, _)| *word == text);
            found
                .map(|(_, meaning)| *meaning)
                .ok_or("must be answered, busy, no_answer or unreachable")
        };
        // Ringing the extension, and each rule once.
        let outcomes = fields.parsed_list("outcomes", limits::RULES_MAX + 1, supposed)?;
        Ok(Question {
            caller,
            at: fields
                .parsed("at", calendar::moment)?
                .or(past.map(|call| call.began))
                .unwrap_or(api.now().wall),
            registered: fields.flag("registered")?,
            outcomes: outcomes
                .unwrap_or_else(|| past.map(|call| came_of(call, target)).unwrap_or_default()),
            rules: match fields.objects("rules", limits::RULES_MAX)? {
                Some(rules) => unsaved(&rules, target)?,
                None => (*snapshot.rules_of(target.extension.id)).clone(),
            },
            warnings,
        })
    }

    fn answer(self, target: &ExtensionTarget, registered: bool) -> ExplainBody {
        let (snapshot, extension) = (&target.snapshot, &target.extension);
        let facts = Facts {
            caller: &self.caller,
            intervals: &snapshot.routing.intervals,
            wall: self.at,
            registered,
            voicemail: extension.phone.as_ref().is_some_and(|phone| phone.shown.vm_enabled),
        };
        let mut outcomes = self.outcomes.into_iter();
        // The extension without a contact cannot answer.
        let mut is_up = registered;
        let lines = rules::explain(&self.rules, &facts, |step, lines| {
            let reach = match step {
                Next::Fire(rule) if rule.kind == RuleKind::Playfile => {
                    return Some(Report::played());
                }
                Next::Fire(rule) if rule.kind == RuleKind::Voicemail => return None,
                Next::Fire(rule) => route::reach(snapshot, extension, rule),
                Next::Ring | Next::Finish(_) => Reach { own: true, ..Reach::default() },
            };
            let skipped = reach.skipped.iter().cloned();
            lines.extend(skipped.map(|(number, reason)| Line::NumberSkipped { number, reason }));
            if reach.is_nothing() {
                return Some(Report::forwarded(Outcome::NoAnswer));
            }
            let is_rung = reach.own || reach.others;
            let supposed = if reach.own && !reach.others && !is_up {
                Supposed::Unreachable
            } else if is_rung {
                outcomes.next().unwrap_or(Supposed::NoAnswer)
            } else if reach.parks && !reach.taken {
                // A slot is free unless it is said that it is not.
                outcomes.next().unwrap_or(Supposed::Answered)
            } else {
                Supposed::Answered
            };
            is_up &= supposed != Supposed::Unreachable;
            // When nobody who is rung answers, a place takes the call.
            if reach.taken || (reach.parks && is_rung) {
                return None;
            }
            let outcome = match supposed {
                Supposed::Answered => return None,
                Supposed::Busy => Outcome::Busy,
                Supposed::NoAnswer | Supposed::Unreachable => Outcome::NoAnswer,
            };
            let unreachable = supposed == Supposed::Unreachable;
            let rang = Report::rang(outcome, unreachable);
            Some(if reach.own { rang } else { Report::forwarded(outcome) })
        });
        let end = lines.iter().rev().find_map(|line| match line {
            Line::Ended { end } => Some(*end),
            _ => None,
        });
        ExplainBody {
            at: self.at.to_string(),
            registered,
            result: end_word(end.unwrap_or(End::NoAnswer)),
            steps: lines.iter().map(LineBody::of).collect(),
            findings: findings(snapshot, extension.id, &self.rules)
                .iter()
                .map(FindingBody::of)
                .collect(),
            warnings: self.warnings,
        }
    }
}

/// What came of the steps of a call at an extension; of one in which every number was skipped
/// nothing did.
fn came_of(call: &CallTrace, target: &ExtensionTarget) -> Vec<Supposed> {
    let mut is_nothing = false;
    let supposed = |entry: &TraceEntry| {
        match entry.line {
            Line::NumberSkipped { reason, .. } => is_nothing |= reason.is_lasting(),
            Line::Rings { .. } | Line::NumberRings { .. } => is_nothing = false,
            _ => {}
        }
        match entry.line {
            Line::Result { .. } if core::mem::take(&mut is_nothing) => None,
            Line::Result { outcome: Some(Outcome::Busy) } => Some(Supposed::Busy),
            Line::Result { outcome: Some(Outcome::NoAnswer) } => Some(Supposed::NoAnswer),
            Line::Ended { end: End::Answered } => Some(Supposed::Answered),
            _ => None,
        }
    };
    let here = call.lines.iter().filter(|entry| entry.extension == Some(target.extension.id));
    here.filter_map(supposed).take(limits::RULES_MAX + 1).collect()
}

/// Rules that are not saved; those without an id get the next free one.
fn unsaved(bodies: &[Fields], target: &ExtensionTarget) -> Result<Rules, ApiError> {
    let mut rules: Vec<IncomingRule> = Vec::new();
    for (n, body) in bodies.iter().enumerate() {
        let id = match body.id_change("id")? {
            crate::fields::Change::To(id) => RuleId(id),
            _ => RuleId(rules.iter().map(|rule| rule.id.0).max().unwrap_or(0) + 1),
        };
        if rules.iter().any(|rule| rule.id == id) {
            return Err(body.invalid("id", "must be unique"));
        }
        let rule = RuleChange::of(body)?.begin(id, target);
        rules.push(rule.map_err(|error| error.within(&format!("rules[{n}].")))?);
        let interval = rules.last().and_then(|rule| rule.interval);
        if interval.is_some_and(|id| !target.snapshot.routing.intervals.contains_key(&id)) {
            return Err(body.invalid("interval", "names nothing that the client has"));
        }
    }
    Ok(Rules(rules.into()))
}

/// What would become of a call.
#[derive(Serialize, ToSchema)]
#[schema(as = Explanation)]
pub(crate) struct ExplainBody {
    /// The moment that was supposed, in UTC.
    #[schema(example = "2026-01-31 08:00:00")]
    at: String,
    /// Whether the extension was supposed to have a live contact.
    registered: bool,
    /// `answered`, `busy` (486) or `no_answer` (480).
    result: &'static str,
    /// Each rule with what stopped it or what it did, each step with what came of it.
    steps: Vec<LineBody>,
    /// What can be said against the rules.
    findings: Vec<FindingBody>,
    /// What can be said against the question.
    warnings: Vec<String>,
}

/// Why a call went where it went.
#[derive(Serialize, ToSchema)]
#[schema(as = CallTrace)]
pub(crate) struct CallTraceBody {
    call_uuid: String,
    #[schema(example = "2026-01-31 08:00:00")]
    init_time_gmt: String,
    /// The caller's number; null when hidden.
    caller: Option<String>,
    /// The DID by which the call came in.
    called_did: Option<String>,
    lines: Vec<EntryBody>,
}

/// What is asked, in the document.
pub(crate) enum ExplainRequestBody {}

impl PartialSchema for ExplainRequestBody {
    fn schema() -> RefOr<Schema> {
        let text = |description: &str| {
            ObjectBuilder::new().schema_type(Type::String).description(Some(description))
        };
        let list = |description: &str, items: RefOr<Schema>| {
            ArrayBuilder::new().items(items).description(Some(description))
        };
        ObjectBuilder::new()
            .description(Some("A call that might be."))
            .property(
                "caller",
                text("Who calls: a number, or the name of an extension; empty: hidden."),
            )
            .property("did", text("By which DID of the client it comes in."))
            .property("at", text("When, in UTC; now unless given."))
            .property(
                "registered",
                ObjectBuilder::new().schema_type(Type::Boolean).description(Some(
                    "Whether the extension has a live contact; as it is now unless given.",
                )),
            )
            .property(
                "call_uuid",
                text(
                    "A call that was, with a trace: its caller, moment and outcomes are supposed \
                     where the question names none. For users of the whole client.",
                ),
            )
            .property(
                "outcomes",
                list(
                    "What comes of the steps that dial, in order; `no_answer` of what is not \
                     given. An extension without a live contact does not answer whatever is said.",
                    OutcomeWord::schema(),
                ),
            )
            .property(
                "rules",
                list(
                    "Rules to try instead of the saved ones; an `id` is optional.",
                    Ref::from_schema_name(NewRuleBody::name()).into(),
                ),
            )
            .into()
    }
}

impl ToSchema for ExplainRequestBody {
    fn name() -> std::borrow::Cow<'static, str> {
        "ExplainRequest".into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((NewRuleBody::name().into_owned(), NewRuleBody::schema()));
        NewRuleBody::schemas(schemas);
    }
}
