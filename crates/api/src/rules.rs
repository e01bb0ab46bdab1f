//! `/extension/{extension_id}/incom_rule/`: rules for incoming calls.

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use model::{ExtensionId, IncomingRule, RuleId, Rules, Skipped, Snapshot, limits};
use route::findings::{Finding, Onward};
use serde::Serialize;
use utoipa::ToSchema;

use crate::document::words;
use crate::error::{ApiError, ErrorBody};
use crate::fields::Fields;
use crate::order::Order;
use crate::rule_body::{NewRuleBody, RuleBody, RuleChange};
use crate::state::Api;
use crate::target::{ExtensionTarget, ItemId};

/// The rules of an extension
///
/// In the order of evaluation.
#[utoipa::path(
    get,
    path = "/api/ver1.0/extension/{extension_id}/incom_rule/",
    tag = "incom_rule",
    responses((status = 200, description = "The rules.", body = [RuleBody])),
)]
pub(crate) async fn list(target: ExtensionTarget) -> Response {
    let rules = target.snapshot.rules_of(target.extension.id);
    Json(rules.0.iter().map(RuleBody::of).collect::<Vec<_>>()).into_response()
}

/// Adds a rule
///
/// Behind the others, at most 50. The next call is handled by it.
#[utoipa::path(
    post,
    path = "/api/ver1.0/extension/{extension_id}/incom_rule/",
    tag = "incom_rule",
    request_body = NewRuleBody,
    responses(
        (status = 201, description = "It was added.", body = RuleBody,
            headers(("Location" = String, description = "Its path."))),
        (status = 409, description = "There are 50 rules.", body = ErrorBody),
    ),
)]
pub(crate) async fn create(
    State(api): State<Api>,
    target: ExtensionTarget,
    fields: Fields,
) -> Result<Response, ApiError> {
    // Its id is given by the store.
    let new = RuleChange::of(&fields)?.begin(RuleId(0), &target)?;
    let (tenant, extension) = (target.caller.tenant(), target.extension.id);
    let made = api.store().create_rule(tenant, extension, &new).await?;
    let made = made.ok_or_else(ApiError::not_found)?;
    api.changed(tenant).await;
    let path = format!("/api/ver1.0/extension/{extension}/incom_rule/{}", made.id);
    let body = Json(written(&api, &target, &made)?);
    Ok((StatusCode::CREATED, [(header::LOCATION, path)], body).into_response())
}

/// One rule
#[utoipa::path(
    get,
    path = "/api/ver1.0/extension/{extension_id}/incom_rule/{rule_id}",
    tag = "incom_rule",
    responses((status = 200, description = "The rule.", body = RuleBody)),
)]
pub(crate) async fn show(
    target: ExtensionTarget,
    ItemId(id): ItemId,
) -> Result<Response, ApiError> {
    let rules = target.snapshot.rules_of(target.extension.id);
    let rule = rules.0.iter().find(|rule| rule.id.0 == id).ok_or_else(ApiError::not_found)?;
    Ok(Json(RuleBody::of(rule)).into_response())
}

/// Changes a rule
///
/// Fields that are not sent stay as they are. The next call is handled by the new ones.
#[utoipa::path(
    put,
    path = "/api/ver1.0/extension/{extension_id}/incom_rule/{rule_id}",
    tag = "incom_rule",
    request_body = RuleChange,
    responses((status = 200, description = "As it is now.", body = RuleBody)),
)]
pub(crate) async fn change(
    State(api): State<Api>,
    target: ExtensionTarget,
    ItemId(id): ItemId,
    fields: Fields,
) -> Result<Response, ApiError> {
    let change = RuleChange::of(&fields)?;
    let changed = commit(&api, &target, |rules| {
        let rule = rules.iter_mut().find(|rule| rule.id.0 == id).ok_or_else(ApiError::not_found)?;
        change.apply(rule, &target)?;
        Ok(rule.clone())
    })
    .await?;
    Ok(Json(written(&api, &target, &changed)?).into_response())
}

/// Removes a rule
///
/// Its id is never given again within the extension.
#[utoipa::path(
    delete,
    path = "/api/ver1.0/extension/{extension_id}/incom_rule/{rule_id}",
    tag = "incom_rule",
    responses((status = 204, description = "It is gone.")),
)]
pub(crate) async fn delete(
    State(api): State<Api>,
    target: ExtensionTarget,
    ItemId(id): ItemId,
) -> Result<StatusCode, ApiError> {
    commit(&api, &target, |rules| {
        let at = rules.iter().position(|rule| rule.id.0 == id).ok_or_else(ApiError::not_found)?;
        rules.remove(at);
        Ok(())
    })
    .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The order of evaluation
#[utoipa::path(
    get,
    path = "/api/ver1.0/extension/{extension_id}/incom_rule/order/",
    tag = "incom_rule",
    responses((status = 200, description = "The ids of the rules.", body = RuleOrderBody)),
)]
pub(crate) async fn order(target: ExtensionTarget) -> Response {
    let rules = target.snapshot.rules_of(target.extension.id);
    Json(RuleOrderBody::of(&rules.0)).into_response()
}

/// Sets the order of evaluation
///
/// All ids of the extension's rules and no others; a bare list is taken as well.
#[utoipa::path(
    put,
    path = "/api/ver1.0/extension/{extension_id}/incom_rule/order/",
    tag = "incom_rule",
    request_body = RuleOrderBody,
    responses((status = 200, description = "As it is now.", body = RuleOrderBody)),
)]
pub(crate) async fn reorder(
    State(api): State<Api>,
    target: ExtensionTarget,
    Order(order): Order,
) -> Result<Response, ApiError> {
    let body = commit(&api, &target, |rules| {
        let mut sorted = order.clone();
        sorted.sort_unstable();
        let mut ids: Vec<u64> = rules.iter().map(|rule| rule.id.0).collect();
        ids.sort_unstable();
        if sorted != ids {
            let ids: Vec<_> = ids.iter().map(ToString::to_string).collect();
            let why = format!("must have each of the extension's rules once: {}", ids.join(", "));
            return Err(ApiError::invalid("order", why));
        }
        rules.sort_by_key(|rule| order.iter().position(|id| *id == rule.id.0));
        Ok(RuleOrderBody::of(rules))
    })
    .await?;
    Ok(Json(body).into_response())
}

/// What can be said against the rules of an extension
///
/// Rules that can never fire, forwards in a circle, numbers that lead nowhere or may not be called.
#[utoipa::path(
    get,
    path = "/api/ver1.0/extension/{extension_id}/incom_rule/check/",
    tag = "incom_rule",
    responses((status = 200, description = "What was found.", body = RuleCheckBody)),
)]
pub(crate) async fn check(target: ExtensionTarget) -> Response {
    let rules = target.snapshot.rules_of(target.extension.id);
    let found = findings(&target.snapshot, target.extension.id, &rules);
    Json(RuleCheckBody { findings: found.iter().map(FindingBody::of).collect() }).into_response()
}

/// Writes the rules anew and waits until the next call is handled by them.
async fn commit<T: Send>(
    api: &Api,
    target: &ExtensionTarget,
    change: impl FnOnce(&mut Vec<IncomingRule>) -> Result<T, ApiError> + Send,
) -> Result<T, ApiError> {
    let tenant = target.caller.tenant();
    let done = api.store().change_rules(tenant, target.extension.id, change).await?;
    // The extension may have been deleted since it was looked up.
    let done = done.ok_or_else(ApiError::not_found)?;
    api.changed(tenant).await;
    Ok(done)
}

/// A rule that was written, with what is to be said against it now.
fn written(api: &Api, target: &ExtensionTarget, rule: &IncomingRule) -> Result<RuleBody, ApiError> {
    let snapshot = api.snapshot(target.caller.tenant())?;
    let rules = snapshot.rules_of(target.extension.id);
    let found = findings(&snapshot, target.extension.id, &rules);
    let of_rule = found.iter().filter(|finding| rule_of(finding) == rule.id);
    Ok(RuleBody::of(rule).with(of_rule.map(ToString::to_string).collect()))
}

/// What can be said against these rules of an extension, whether they are saved or not.
pub(crate) fn findings(snapshot: &Snapshot, id: ExtensionId, rules: &Rules) -> Vec<Finding> {
    let Some(extension) = snapshot.extension(id) else { return Vec::new() };
    let voicemail = extension.phone.as_ref().is_some_and(|phone| phone.shown.vm_enabled);
    let rules_of = |other: ExtensionId| match other == id {
        true => Some(rules),
        false => snapshot.routing.rules.get(&other).map(|rules| &**rules),
    };
    let lead = |here: &str, number: &str| {
        let dialler = snapshot.named(here).map(|extension| &**extension);
        match route::lead(snapshot, dialler, number) {
            Ok(route::Lead::Extension(found)) => match snapshot.extension(found.id) {
                Some(found) if found.name.as_str() == here => Onward::Own,
                Some(found) => Onward::Extension(found.name.as_str(), rules_of(found.id)),
                None => Onward::Skipped(Skipped::NoSuchNumber),
            },
            Ok(route::Lead::Barred(_)) => Onward::Skipped(Skipped::NotAllowed),
            Ok(route::Lead::Room(_) | route::Lead::Slot(_) | route::Lead::Outside(_)) => {
                Onward::Elsewhere
            }
            Err(why) => Onward::Skipped(why),
        }
    };
    route::findings::findings(extension.name.as_str(), rules, voicemail, &lead)
}

fn rule_of(finding: &Finding) -> RuleId {
    match finding {
        Finding::NeverFires { rule, .. }
        | Finding::NoScreening { rule }
        | Finding::UnusedPattern { rule }
        | Finding::Loop { rule, .. }
        | Finding::LeadsNowhere { rule, .. }
        | Finding::NotAllowed { rule, .. }
        | Finding::NotServed { rule, .. }
        | Finding::NoVoicemail { rule } => *rule,
    }
}

/// The rules of an extension by their ids, in the order of evaluation.
#[derive(Serialize, ToSchema)]
#[schema(as = IncomingRuleOrder)]
pub(crate) struct RuleOrderBody {
    order: Vec<u64>,
}

impl RuleOrderBody {
    fn of(rules: &[IncomingRule]) -> RuleOrderBody {
        RuleOrderBody { order: rules.iter().map(|rule| rule.id.0).collect() }
    }
}

words! {
    /// What was found.
    FindingWord = "never_fires" | "no_screening" | "unused_pattern" | "loop" | "leads_nowhere"
        | "not_allowed" | "not_served" | "no_voicemail";
}

/// What can be said against the rules of an extension.
#[derive(Serialize, ToSchema)]
#[schema(as = IncomingRuleCheck)]
pub(crate) struct RuleCheckBody {
    findings: Vec<FindingBody>,
}

/// Something about a rule that its author will not have meant.
#[derive(Serialize, ToSchema)]
#[schema(as = IncomingRuleFinding)]
pub(crate) struct FindingBody {
    rule: u64,
    #[schema(value_type = FindingWord, inline)]
    code: &'static str,
    /// For people.
    message: String,
    /// The way around, of a loop: names of extensions.
    path: Option<Vec<String>>,
}

impl FindingBody {
    pub(crate) fn of(finding: &Finding) -> FindingBody {
        let code = match finding {
            Finding::NeverFires { .. } => "never_fires",
            Finding::NoScreening { .. } => "no_screening",
            Finding::UnusedPattern { .. } => "unused_pattern",
            Finding::Loop { .. } => "loop",
            Finding::LeadsNowhere { .. } => "leads_nowhere",
            Finding::NotAllowed { .. } => "not_allowed",
            Finding::NotServed { .. } => "not_served",
            Finding::NoVoicemail { .. } => "no_voicemail",
        };
        let path = match finding {
            Finding::Loop { path, .. } => Some(path.clone()),
            _ => None,
        };
        FindingBody { rule: rule_of(finding).0, code, message: finding.to_string(), path }
    }
}

const _: () = assert!(limits::RULES_MAX == 50, "the document names it");
