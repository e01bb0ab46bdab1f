//! The OpenAPI document, made of the table of resources: what is in one is in the other.
//!
//! A handler's annotation says what is its own: summary, parameters of the query, body, answers.
//! What all have in common is added here: parameters of the path, the token, the errors, the
//! headers of the hourly limit.

use std::collections::{BTreeMap, BTreeSet};

use axum::http::Method;
use serde_json::{Map, Value, json};
use utoipa::openapi::schema::{Object, Schema};
use utoipa::openapi::{RefOr, path};
use utoipa::{PartialSchema, ToSchema};

use crate::error::ErrorBody;
use crate::routes::{self, Right};

/// What the document says of itself.
const DESCRIPTION: &str = "\
Steers the phones of a client and their calls.

Take a token at `/oauth/token` and send it as `Authorization: Bearer TOKEN`. Every path works with \
and without a slash at its end. Where a number is expected, a numeric string is read as well; null \
and an empty parameter mean absent; unknown keys and parameters are ignored. A field that may be \
empty is emptied by the empty string. Times are `YYYY-MM-DD HH:MM:SS`, in UTC. What belongs to \
another client does not exist: 404. Every resource answers HEAD as GET, without the body, and \
OPTIONS with its methods. A PUT or POST that may have been done although its answer was not heard \
is sent again with the same `Idempotency-Key`: it is done once.";

/// The parameters of paths; every one in the table must be here.
const PATH_PARAMETERS: [(&str, &str, &str); 11] = [
    ("client_id", "The client: its number, or `@me` for the client of the token.", "@me"),
    (
        "extension_id",
        "The extension: its number, `@` and its name (`@100`, `@0003*100`), or `@me` for a user of \
         the type extension.",
        "@100",
    ),
    (
        "call_api_id",
        "The call: `call_api_id` of `current_calls`.",
        "3232240860-37b98fb2-a66c-11ea-ae69-6fd86d94a0e0",
    ),
    ("sound_id", "The sound: its number.", "1"),
    ("record_uuid", "The message: `record_uuid` of the list.", "624835feee0e11e6a19d331e4d6a0606"),
    (
        "call_uuid",
        "The call: its UUID in either case, with or without hyphens.",
        "37B98FB2-A66C-11EA-AE69-6FD86D94A0E0",
    ),
    ("rule_id", "The rule: its number within the extension.", "1"),
    ("interval_id", "The interval: its number.", "1"),
    ("did_id", "The DID: its number, not the one that is dialled.", "1"),
    ("dial_rule_id", "The list of dial rules: its number.", "1"),
    ("trunk_id", "The trunk: its number.", "1"),
];

/// Headers of every answer behind the door, when the installation has a limit.
const LIMIT_HEADERS: [(&str, &str); 3] = [
    ("X-RateLimit-Limit", "Requests an hour of the client."),
    ("X-RateLimit-Remaining", "What is left of them in the running hour."),
    ("X-RateLimit-Reset", "Seconds until the next hour begins."),
];

/// The parameter of writes that are done once, and the header of an answer that was given before.
const KEY: &str = "Idempotency-Key";
const REPLAYED: &str = "Idempotent-Replayed";

/// One operation as its handler describes it.
pub(crate) struct Operation {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) right: Right,
    pub(crate) described: path::Operation,
}

/// The schemas that operations name.
pub(crate) type Schemas = Vec<(String, RefOr<Schema>)>;

/// The OpenAPI 3.1 document of the API.
pub fn document() -> Value {
    let (operations, mut schemas) = routes::described();
    schemas.push((ErrorBody::name().into_owned(), ErrorBody::schema()));
    ErrorBody::schemas(&mut schemas);
    let mut schemas: BTreeMap<String, Value> =
        schemas.into_iter().map(|(name, schema)| (name, json(&schema))).collect();
    let mut paths = Map::new();
    for operation in operations {
        let item = paths.entry(operation.path.clone()).or_insert_with(|| json!({}));
        let method = operation.method.as_str().to_ascii_lowercase();
        item[method] = described(operation);
    }
    let paths = Value::Object(paths);
    let answers = answers(&paths, &schemas);
    for (name, schema) in &mut schemas {
        if answers.contains(name) {
            require_what_is_always_there(schema);
        }
    }
    let mut headers: BTreeMap<_, _> = LIMIT_HEADERS
        .iter()
        .map(|(name, text)| {
            (*name, json!({ "description": text, "schema": { "type": "integer", "minimum": 0 } }))
        })
        .collect();
    let text = "The answer to an earlier request with the same key.";
    let replayed = json!({ "type": "string", "enum": ["true"] });
    headers.insert(REPLAYED, json!({ "description": text, "schema": replayed }));
    let flow = |text: &str| json!({ "tokenUrl": "/oauth/token", "scopes": { "all": text } });
    let mut password = flow("Everything that the user may do.");
    password["refreshUrl"] = json!("/oauth/token");
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Dialplane API",
            "version": "1.0",
            "description": DESCRIPTION,
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": "/", "description": "Where this document comes from." }],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "headers": headers,
            "parameters": { KEY: key_parameter() },
            "securitySchemes": {
                "oauth2": {
                    "type": "oauth2",
                    "description": "Applications of the type `trusted` use client_credentials and \
                        act for who made them, those of the type `password_credentials` use \
                        password and act for the given user.",
                    "flows": {
                        "clientCredentials": flow("Everything that the application may do."),
                        "password": password,
                    },
                },
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A token that was taken before.",
                },
            },
        },
    })
}

/// An operation with all that it has in common with others.
fn described(operation: Operation) -> Value {
    let Operation { method, path, right, described } = operation;
    let mut value = json(&described);
    value["operationId"] = json!(operation_id(&method, &path));
    let names: Vec<&str> = path
        .split('/')
        .filter_map(|part| part.strip_prefix('{').and_then(|part| part.strip_suffix('}')))
        .collect();
    let mut parameters: Vec<Value> = names.iter().map(|name| path_parameter(name)).collect();
    let own = value.get("parameters").and_then(Value::as_array).cloned().unwrap_or_default();
    let asks = !own.is_empty();
    parameters.extend(own);
    let keyed = right != Right::Open && is_done_once(&method, &value);
    if keyed {
        let parameter = format!("#/components/parameters/{KEY}");
        parameters.push(json!({ "$ref": parameter }));
    }
    if !parameters.is_empty() {
        value["parameters"] = parameters.into();
    }
    let asks = Asks {
        body: value.get("requestBody").is_some(),
        parameters: asks,
        key: keyed,
        object: !names.is_empty(),
        token: right != Right::Open,
    };
    if right == Right::Open {
        value["security"] = json!([]);
    } else {
        value["security"] = json!([{ "oauth2": ["all"] }, { "bearer": [] }]);
        let access = if right == Right::Calls { "Call API" } else { "All" };
        value["x-application-access"] = json!(access);
    }
    let responses = value["responses"].as_object_mut().expect("an operation has answers");
    for (code, text) in asks.errors() {
        responses.entry(code.to_string()).or_insert_with(|| error(text));
    }
    if keyed {
        for (_, response) in responses.iter_mut().filter(|(code, _)| code.starts_with('2')) {
            let header = format!("#/components/headers/{REPLAYED}");
            response["headers"][REPLAYED] = json!({ "$ref": header });
        }
    }
    if right != Right::Open {
        for (code, response) in responses {
            if code != "401" {
                for (name, _) in LIMIT_HEADERS {
                    let header = format!("#/components/headers/{name}");
                    response["headers"][name] = json!({ "$ref": header });
                }
            }
        }
    }
    value
}

/// What an operation asks for.
struct Asks {
    body: bool,
    /// In the query.
    parameters: bool,
    /// An `Idempotency-Key` is read.
    key: bool,
    /// Its path names something.
    object: bool,
    token: bool,
}

impl Asks {
    /// The errors that come of what is asked for.
    fn errors(&self) -> Vec<(u16, &'static str)> {
        let mut errors = vec![(500, "A defect of the switch."), (503, "Not now; see Retry-After.")];
        if self.body {
            errors.push((408, "The body did not arrive in time."));
            errors.push((413, "The body is too large."));
        }
        if self.body || self.parameters || self.key {
            errors.push((400, "A value cannot be meant; `field` names it."));
        }
        if self.key {
            errors.push((409, "The key was used for another request, or the first is worked on."));
        }
        if self.object {
            errors.push((404, "There is no such thing, or it is another client's."));
        }
        if self.token {
            errors.push((401, "No token, or none that is good."));
            errors.push((403, "The user, or the application, has no right to it."));
            errors.push((429, "The client has used up its hour."));
        }
        errors
    }
}

/// `get_extension_extension_id_phone`: unique, and the same for ever.
fn operation_id(method: &Method, path: &str) -> String {
    let mut id = method.as_str().to_ascii_lowercase();
    let path = path.strip_prefix("/api/ver1.0").unwrap_or(path);
    for part in path.split(['/', '{', '}']).filter(|part| !part.is_empty()) {
        id.push('_');
        id.push_str(part);
    }
    id
}

fn path_parameter(name: &str) -> Value {
    let known = PATH_PARAMETERS.iter().find(|(known, ..)| *known == name);
    let (_, text, example) = known.expect("every parameter of a path is in PATH_PARAMETERS");
    json!({
        "name": name, "in": "path", "required": true, "description": text, "example": example,
        "schema": { "type": "string" },
    })
}

/// Whether a key keeps an operation from being done twice: writes, but for uploads.
fn is_done_once(method: &Method, operation: &Value) -> bool {
    let content = operation["requestBody"]["content"].as_object();
    let uploads = content.is_some_and(|content| content.contains_key("multipart/form-data"));
    matches!(*method, Method::PUT | Method::POST) && !uploads
}

fn key_parameter() -> Value {
    json!({
        "name": KEY, "in": "header", "required": false, "example": "4f2d6c1e-transfer-1",
        "description": "Any text that names this request among the user's. Within 24 hours the \
            same request with the same key is not done again, but answered as the first time, with \
            `Idempotent-Replayed: true`; another request with it, or one that comes while the \
            first is worked on, is answered 409. Answers 429 and 5xx are not remembered, nor is \
            anything over a restart; 10,000 answers of a client are, of 8 MB together and 256 KB \
            each.",
        "schema": { "type": "string", "minLength": 1, "maxLength": 255 },
    })
}

fn error(text: &str) -> Value {
    let schema = json!({ "$ref": format!("#/components/schemas/{}", ErrorBody::name()) });
    json!({ "description": text, "content": { "application/json": { "schema": schema } } })
}

/// The names of the schemas that answers are made of.
fn answers(paths: &Value, schemas: &BTreeMap<String, Value>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let operations = paths.as_object().into_iter().flat_map(|paths| paths.values());
    for operation in operations.filter_map(Value::as_object).flat_map(|item| item.values()) {
        follow(&operation["responses"], schemas, &mut found);
    }
    found
}

fn follow(value: &Value, schemas: &BTreeMap<String, Value>, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            if let Some(Value::String(reference)) = fields.get("$ref")
                && let Some(name) = reference.strip_prefix("#/components/schemas/")
                && found.insert(name.to_owned())
                && let Some(schema) = schemas.get(name)
            {
                follow(schema, schemas, found);
            }
            fields.values().for_each(|field| follow(field, schemas, found));
        }
        Value::Array(items) => items.iter().for_each(|item| follow(item, schemas, found)),
        _ => {}
    }
}

/// What an answer does not know is null, not absent; what may be absent is never null.
fn require_what_is_always_there(schema: &mut Value) {
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else { return };
    let required = schema.get("required").and_then(Value::as_array);
    let named = |name: &str| required.is_some_and(|names| names.iter().any(|n| n == name));
    let always: Vec<_> = properties
        .iter()
        .filter(|(name, schema)| named(name) || may_be_null(schema))
        .map(|(name, _)| name.clone())
        .collect();
    schema["required"] = json!(always);
}

fn may_be_null(schema: &Value) -> bool {
    let is_null = |kind: &Value| kind == "null";
    let types = schema.get("type").and_then(Value::as_array);
    let either = ["oneOf", "anyOf"].iter().find_map(|word| schema.get(*word)?.as_array());
    types.is_some_and(|types| types.iter().any(is_null))
        || either.is_some_and(|any| any.iter().any(|one| one.get("type").is_some_and(is_null)))
}

/// What may be written of an object: its fields but those that are only read. None must be there.
pub(crate) fn writable<T: PartialSchema>() -> Object {
    let RefOr::T(Schema::Object(mut object)) = T::schema() else {
        unreachable!("an object's schema is an object")
    };
    object.properties.retain(|_, field| match field {
        RefOr::T(Schema::Object(field)) => field.read_only != Some(true),
        _ => true,
    });
    // What answers warn of.
    object.properties.remove("warnings");
    object.required.clear();
    object
}

/// The names of an object's fields in the document.
#[cfg(test)]
pub(crate) fn properties<T: PartialSchema>() -> BTreeSet<String> {
    let RefOr::T(Schema::Object(object)) = T::schema() else {
        unreachable!("an object's schema is an object")
    };
    object.properties.into_keys().collect()
}

/// A type of the document: one of some words.
macro_rules! words {
    ($($(#[doc = $doc:literal])* $name:ident = $($word:literal)|+;)*) => {
        $($(#[doc = $doc])*
        pub(crate) enum $name {}

        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                utoipa::openapi::schema::ObjectBuilder::new()
                    .schema_type(utoipa::openapi::schema::Type::String)
                    .enum_values(Some([$($word),+]))
                    .description(Some(concat!($($doc),*).trim()))
                    .into()
            }
        }

        impl utoipa::ToSchema for $name {})*
    };
}
pub(crate) use words;

fn json(value: &impl serde::Serialize) -> Value {
    serde_json::to_value(value).expect("a document is JSON")
}
