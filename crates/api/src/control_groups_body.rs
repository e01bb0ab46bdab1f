//! The body of `/call_control_group/`: read leniently, refused with the field named.

use axum::extract::{FromRequest, Request};
use model::ControlGroups;
use model::control::BadGroups;
use model::control::groups::Names;
use serde_json::{Map, Value};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use crate::body;
use crate::error::ApiError;

/// Where the document may be wrapped in.
const WRAPPER: &str = "call_control_groups";

/// A document that keeps the limits.
pub(crate) struct Document(pub(crate) ControlGroups);

impl<S: Send + Sync> FromRequest<S> for Document {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Document, ApiError> {
        let (parts, content) = request.into_parts();
        parse(&body::read(&parts.headers, content).await?).map(Document)
    }
}

fn parse(bytes: &[u8]) -> Result<ControlGroups, ApiError> {
    // Nothing at all is a mistake; `{}` is an order to forget everything.
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(ApiError::bad_body("The body must be a JSON object: it replaces all groups"));
    }
    let fields = match serde_json::from_slice(bytes) {
        Ok(Value::Object(fields)) => unwrapped(fields)?,
        Ok(_) => return Err(ApiError::bad_body("The body must be a JSON object")),
        Err(e) => return Err(ApiError::bad_body(format!("The body is not JSON: {e}"))),
    };
    if let Some(unknown) = fields.keys().next()
        && !fields.keys().any(|name| is_known(name))
    {
        return Err(ApiError::invalid(unknown, "is no field of control groups"));
    }
    let groups = document(&fields)?;
    groups.check().map_err(|bad| refused(&bad))?;
    Ok(groups)
}

/// The document itself, where it came in a wrapper.
fn unwrapped(mut fields: Map<String, Value>) -> Result<Map<String, Value>, ApiError> {
    match fields.remove(WRAPPER) {
        None | Some(Value::Null) => Ok(fields),
        Some(Value::Object(inner)) => Ok(inner),
        Some(Value::String(text)) => {
            let why = |e| ApiError::invalid(WRAPPER, format_args!("is not a JSON object: {e}"));
            serde_json::from_str(&text).map_err(why)
        }
        Some(_) => Err(ApiError::invalid(WRAPPER, "must be an object")),
    }
}

fn is_known(name: &str) -> bool {
    const FIELDS: [&str; 5] =
        ["allow_all", "pickup_all", "groups", "pickup_share_groups", "phone_replace_groups"];
    FIELDS.contains(&name) || name.starts_with("eavesdrop_") || name.starts_with("whisper_")
}

/// The known fields; null means absent, unknown ones are ignored.
fn document(fields: &Map<String, Value>) -> Result<ControlGroups, ApiError> {
    let mut groups = ControlGroups::default();
    for (name, value) in fields.iter().filter(|(_, value)| !value.is_null()) {
        match name.as_str() {
            "allow_all" => groups.allow_all = Some(flag(name, value)?),
            "pickup_all" => groups.pickup_all = Some(flag(name, value)?),
            "groups" => groups.groups = Some(members(value)?),
            "pickup_share_groups" => groups.pickup_share_groups = Some(names(name, value)?),
            "phone_replace_groups" => groups.phone_replace_groups = Some(names(name, value)?),
            other => {
                if let Some(extension) = other.strip_prefix("eavesdrop_") {
                    groups.eavesdrop.push((extension.into(), names(name, value)?));
                } else if let Some(extension) = other.strip_prefix("whisper_") {
                    groups.whisper.push((extension.into(), names(name, value)?));
                }
            }
        }
    }
    Ok(groups)
}

fn flag(field: &str, value: &Value) -> Result<bool, ApiError> {
    match value {
        Value::Bool(flag) => Ok(*flag),
        Value::String(text) if matches!(text.as_str(), "true" | "1") => Ok(true),
        Value::String(text) if matches!(text.as_str(), "false" | "0") => Ok(false),
        value if value.as_u64() == Some(1) => Ok(true),
        value if value.as_u64() == Some(0) => Ok(false),
        _ => Err(ApiError::invalid(field, "must be true or false")),
    }
}

fn members(value: &Value) -> Result<Vec<(Box<str>, Names)>, ApiError> {
    let Value::Object(groups) = value else {
        return Err(ApiError::invalid("groups", "must be an object of lists"));
    };
    let group = |(name, value): (&String, &Value)| {
        if name.chars().any(char::is_control) {
            let why = "the name of a group must not contain control characters";
            return Err(ApiError::invalid("groups", why));
        }
        Ok((name.as_str().into(), names(&format!("groups.{name}"), value)?))
    };
    groups.iter().map(group).collect()
}

/// A list of names; a number stands for its digits.
fn names(field: &str, value: &Value) -> Result<Names, ApiError> {
    let Value::Array(items) = value else {
        return Err(ApiError::invalid(field, "must be a list of strings"));
    };
    let name = |item: &Value| match item {
        Value::String(text) if text.chars().any(char::is_control) => {
            Err(ApiError::invalid(field, "must not contain control characters"))
        }
        Value::String(text) => Ok(text.as_str().into()),
        Value::Number(number) => Ok(number.to_string().into()),
        _ => Err(ApiError::invalid(field, "must be a list of strings")),
    };
    items.iter().map(name).collect()
}

/// The domain says `field: why`; no reason has a colon.
fn refused(bad: &BadGroups) -> ApiError {
    let text = bad.to_string();
    let (field, why) = text.rsplit_once(": ").unwrap_or(("groups", &text));
    ApiError::invalid(field, why)
}

/// The document of a client, in the OpenAPI document.
pub(crate) enum ControlGroupsBody {}

impl PartialSchema for ControlGroupsBody {
    fn schema() -> RefOr<Schema> {
        let flag =
            |text: &str| ObjectBuilder::new().schema_type(Type::Boolean).description(Some(text));
        let names = |text: &str| {
            let item = ObjectBuilder::new().schema_type(Type::String);
            ArrayBuilder::new().items(item).description(Some(text))
        };
        ObjectBuilder::new()
            .description(Some(
                "Who may pick up, hear, whisper to and replace whom from a telephone. Beside these \
                 fields: `eavesdrop_{ext}`, the groups that the extension `ext` may listen to, and \
                 `whisper_{ext}`, those that it may listen to and whisper to. An extension is \
                 `100` or `0003*100`. Names that nothing has grant nothing. Who may do both to \
                 somebody may also join.",
            ))
            .property("allow_all", flag("Everybody may do everything to everybody."))
            .property(
                "pickup_all",
                flag(
                    "Pickup with a number reaches the whole PBX; else the groups of \
                     `pickup_share_groups` alone. True unless sent.",
                ),
            )
            .property(
                "groups",
                ObjectBuilder::new()
                    .description(Some("At most 100 groups of at most 200 extensions."))
                    .additional_properties(Some(names("The extensions."))),
            )
            .property(
                "pickup_share_groups",
                names(
                    "Groups within which pickup needs no number. Those with a common member count \
                     as one, see the setting `pickup_merge`.",
                ),
            )
            .property(
                "phone_replace_groups",
                names("Groups within which extensions may replace each other by a PIN."),
            )
            .additional_properties(Some(names("`eavesdrop_{ext}` or `whisper_{ext}`.")))
            .examples([serde_json::json!({
                "allow_all": false,
                "pickup_all": true,
                "groups": {
                    "support": ["100", "101"],
                    "sales": ["102", "101"],
                    "hr": ["100", "101", "103"]
                },
                "pickup_share_groups": ["support", "sales"],
                "phone_replace_groups": ["support"],
                "eavesdrop_100": ["support"],
                "whisper_101": ["sales", "hr"]
            })])
            .into()
    }
}

impl ToSchema for ControlGroupsBody {
    fn name() -> std::borrow::Cow<'static, str> {
        "CallControlGroups".into()
    }
}
