//! `/extension/` as JSON: what is shown, what may be written (API reference 6).

use model::{
    DialRulesId, DisplayName, Extension, ExtensionGroupId, ExtensionKind, ExtensionName, Service,
    Snapshot, Status,
};
use serde::Serialize;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use crate::document::{words, writable};
use crate::error::ApiError;
use crate::fields::{Change, Fields};
use crate::{limits, name};

/// Types of extensions that lists can be filtered by.
pub(crate) const KINDS: &[&str] = &["phone", "queue", "ivr", "fax", "service"];

pub(crate) const STATUSES: &[(&str, Status)] =
    &[("active", Status::Active), ("blocked", Status::Blocked)];

words! {
    /// What an extension is. `service` answers by itself.
    ExtensionKindWord = "phone" | "queue" | "ivr" | "fax" | "service";
    /// What an extension is. `fax` is missing in this version.
    NewKindWord = "phone" | "queue" | "ivr";
    /// Whether it may be used.
    StatusWord = "active" | "blocked";
}

/// An extension. What this installation does not keep yet is null.
#[derive(Serialize, ToSchema)]
#[schema(as = Extension)]
pub(crate) struct ExtensionBody<'a> {
    #[schema(read_only)]
    id: u64,
    /// The full name; the short one is what follows the last `*`.
    #[schema(read_only, example = "0003*100")]
    name: String,
    #[serde(rename = "type")]
    #[schema(value_type = ExtensionKindWord, inline)]
    kind: &'static str,
    #[schema(value_type = StatusWord, inline)]
    status: &'static str,
    /// SIP domain.
    #[schema(read_only)]
    domain: &'a str,
    #[schema(read_only, example = "2020-03-16 12:11:13")]
    create_date: &'a str,
    #[schema(read_only)]
    client_id: u64,
    /// The number of its group, by which users of a group are let to it; 0 is none. Groups are not
    /// kept yet, so that it may be any number.
    extension_group_id: Option<u64>,
    /// Shown on the display of who is called from here.
    #[schema(max_length = 128)]
    label: &'a str,
    #[schema(max_length = 128)]
    caller_id_name: Option<&'a str>,
    /// Its list of rules for outgoing calls; 0 is none.
    dial_rule_id: Option<u64>,
    /// Stored, not used yet.
    #[schema(maximum = 1_000_000)]
    dial_rule_limit: Option<u64>,
    /// Whether the outside number of an incoming call is put into P-Asserted-Identity when the
    /// call is forwarded. Stored, not used yet.
    ani_rfc3325: bool,
    /// How the DID is shown when a call is forwarded: `None`, `default`, `from` or `diversion`.
    /// Stored, not used yet.
    did_as_transfer_caller_id: Option<&'a str>,
    /// Stored, not used yet.
    #[schema(max_length = 64)]
    message_did: Option<&'a str>,
    /// Stored, not used yet.
    rfc_public_caller_id_number: bool,
    /// Stored, not used yet.
    from_public_caller_id_number: bool,
    /// Stored, not used yet.
    #[schema(max_length = 64)]
    public_caller_id_number: Option<&'a str>,
    #[schema(read_only)]
    ani: Option<&'a str>,
    #[schema(read_only)]
    caller_id_group_id: Option<u64>,
    #[schema(read_only)]
    caller_id_group_method: Option<&'a str>,
    #[schema(read_only)]
    client_public_caller_id_number: Option<&'a str>,
    /// Free text of integrators, who often keep JSON in it.
    #[schema(max_length = 16_384)]
    extra_params: Option<&'a str>,
}

impl<'a> ExtensionBody<'a> {
    pub(crate) fn of(snapshot: &'a Snapshot, extension: &'a Extension) -> ExtensionBody<'a> {
        let shown = &extension.shown;
        ExtensionBody {
            id: extension.id.0,
            name: snapshot.full_name(extension),
            kind: kind_word(extension.kind),
            status: status_word(extension.status),
            domain: &snapshot.tenant.domain,
            create_date: &shown.create_date,
            client_id: snapshot.tenant.id.0,
            extension_group_id: extension.group.map(|g| g.0),
            label: extension.label.as_str(),
            caller_id_name: extension.caller_id_name.as_ref().map(DisplayName::as_str),
            dial_rule_id: shown.dial_rule_id,
            dial_rule_limit: shown.dial_rule_limit,
            ani_rfc3325: shown.ani_rfc3325,
            did_as_transfer_caller_id: shown.did_as_transfer_caller_id.as_deref(),
            message_did: shown.message_did.as_deref(),
            rfc_public_caller_id_number: shown.rfc_public_caller_id_number,
            from_public_caller_id_number: shown.from_public_caller_id_number,
            public_caller_id_number: shown.public_caller_id_number.as_deref(),
            ani: snapshot.routing.anis.get(&extension.id).map(model::Number::as_str),
            caller_id_group_id: None,
            caller_id_group_method: None,
            client_public_caller_id_number: None,
            extra_params: shown.extra_params.as_deref(),
        }
    }
}

/// The API's word for a type of extension.
pub(crate) fn kind_word(kind: ExtensionKind) -> &'static str {
    match kind {
        ExtensionKind::Phone => "phone",
        ExtensionKind::Queue => "queue",
        ExtensionKind::Ivr => "ivr",
        ExtensionKind::Service(Service::Echo) => "service",
    }
}

fn status_word(status: Status) -> &'static str {
    match status {
        Status::Active => "active",
        Status::Blocked => "blocked",
    }
}

/// The name of an extension to be made.
pub(crate) fn new_name(fields: &Fields, snapshot: &Snapshot) -> Result<ExtensionName, ApiError> {
    let text = fields.text("name", limits::TEXT_CHARS_MAX)?.unwrap_or_default();
    if text.is_empty() {
        return Err(ApiError::invalid("name", "is required"));
    }
    let tenant = &snapshot.tenant;
    let Some(short) = name::short(&text, tenant) else {
        let why = format_args!("the prefix of this client is {}", tenant.prefix);
        return Err(ApiError::invalid("name", why));
    };
    let len = tenant.extension_len;
    match ExtensionName::parse(short) {
        Ok(name) if name.as_str().len() == usize::from(len) => {
            let emergency = &snapshot.routing.settings.emergency_numbers;
            if emergency.iter().any(|number| number.as_str() == name.as_str()) {
                let why = "is an emergency number of the client, see its settings";
                return Err(ApiError::invalid("name", why));
            }
            Ok(name)
        }
        _ => Err(ApiError::invalid("name", format_args!("must be {len} digits"))),
    }
}

/// The type of an extension to be made.
pub(crate) fn new_kind(fields: &Fields) -> Result<ExtensionKind, ApiError> {
    let kinds = [
        ("phone", ExtensionKind::Phone),
        ("queue", ExtensionKind::Queue),
        ("ivr", ExtensionKind::Ivr),
    ];
    if fields.text("type", limits::TEXT_CHARS_MAX)?.as_deref() == Some("fax") {
        return Err(ApiError::invalid("type", "fax is missing in this version"));
    }
    fields.word("type", &kinds)?.ok_or_else(|| ApiError::invalid("type", "is required"))
}

/// What may be written of an extension, at its creation and later.
#[derive(Debug)]
pub(crate) struct ExtensionChange {
    status: Option<Status>,
    label: Option<DisplayName>,
    caller_id_name: Change<DisplayName>,
    group: Change<u64>,
    dial_rule_id: Change<u64>,
    dial_rule_limit: Change<u64>,
    ani_rfc3325: Option<bool>,
    did_as_transfer_caller_id: Change<String>,
    message_did: Change<String>,
    rfc_public_caller_id_number: Option<bool>,
    from_public_caller_id_number: Option<bool>,
    public_caller_id_number: Change<String>,
    extra_params: Change<String>,
}

impl ExtensionChange {
    pub(crate) fn of(fields: &Fields) -> Result<ExtensionChange, ApiError> {
        let number = |name: &str| fields.text_change(name, model::limits::NUMBER_BYTES_MAX);
        Ok(ExtensionChange {
            status: fields.word("status", STATUSES)?,
            label: fields.parsed("label", DisplayName::parse)?,
            caller_id_name: fields
                .text_change("caller_id_name", usize::MAX)?
                .try_map(|text| named("caller_id_name", &text))?,
            group: fields.id_change("extension_group_id")?,
            dial_rule_id: fields.id_change("dial_rule_id")?,
            dial_rule_limit: fields.number_change("dial_rule_limit", 0..=1_000_000)?,
            ani_rfc3325: fields.flag("ani_rfc3325")?,
            did_as_transfer_caller_id: did_as_transfer(fields)?,
            message_did: number("message_did")?,
            rfc_public_caller_id_number: fields.flag("rfc_public_caller_id_number")?,
            from_public_caller_id_number: fields.flag("from_public_caller_id_number")?,
            public_caller_id_number: number("public_caller_id_number")?,
            extra_params: fields
                .long_text_change("extra_params", limits::EXTRA_PARAMS_CHARS_MAX)?,
        })
    }

    /// Refuses a list of dial rules that the client does not have.
    pub(crate) fn check(&self, snapshot: &Snapshot) -> Result<(), ApiError> {
        match self.dial_rule_id {
            Change::To(id) if !snapshot.routing.dial_rules.contains_key(&DialRulesId(id)) => {
                Err(ApiError::invalid("dial_rule_id", "names nothing that the client has"))
            }
            _ => Ok(()),
        }
    }

    pub(crate) fn apply(self, to: &mut Extension) {
        let set = |from: Option<bool>, to: &mut bool| *to = from.unwrap_or(*to);
        to.status = self.status.unwrap_or(to.status);
        if let Some(label) = self.label {
            to.label = label;
        }
        self.caller_id_name.apply(&mut to.caller_id_name);
        let mut group = to.group.map(|g| g.0);
        self.group.apply(&mut group);
        to.group = group.map(ExtensionGroupId);
        let shown = &mut to.shown;
        self.dial_rule_id.apply(&mut shown.dial_rule_id);
        self.dial_rule_limit.apply(&mut shown.dial_rule_limit);
        set(self.ani_rfc3325, &mut shown.ani_rfc3325);
        self.did_as_transfer_caller_id.apply(&mut shown.did_as_transfer_caller_id);
        self.message_did.apply(&mut shown.message_did);
        set(self.rfc_public_caller_id_number, &mut shown.rfc_public_caller_id_number);
        set(self.from_public_caller_id_number, &mut shown.from_public_caller_id_number);
        self.public_caller_id_number.apply(&mut shown.public_caller_id_number);
        self.extra_params.apply(&mut shown.extra_params);
    }
}

impl PartialSchema for ExtensionChange {
    fn schema() -> RefOr<Schema> {
        let mut object = writable::<ExtensionBody<'_>>();
        object.properties.remove("type");
        object.description = Some("Fields of an extension that shall change.".to_owned());
        object.into()
    }
}

impl ToSchema for ExtensionChange {}

/// What an extension begins with, in the document.
pub(crate) enum NewExtensionBody {}

impl PartialSchema for NewExtensionBody {
    fn schema() -> RefOr<Schema> {
        let mut object = writable::<ExtensionBody<'_>>();
        let name = ObjectBuilder::new()
            .schema_type(Type::String)
            .description(Some(
                "Digits, as many as the client's `extension_len`; with or without its prefix.",
            ))
            .examples([serde_json::json!("100")]);
        object.properties.insert("name".to_owned(), name.into());
        object.properties.insert("type".to_owned(), NewKindWord::schema());
        object.required = vec!["name".to_owned(), "type".to_owned()];
        object.description = Some("What an extension begins with.".to_owned());
        object.into()
    }
}

impl ToSchema for NewExtensionBody {
    fn name() -> std::borrow::Cow<'static, str> {
        "NewExtension".into()
    }
}

fn named(field: &str, text: &str) -> Result<DisplayName, ApiError> {
    DisplayName::parse(text).map_err(|e| ApiError::invalid(field, e))
}

fn did_as_transfer(fields: &Fields) -> Result<Change<String>, ApiError> {
    const WORDS: [&str; 4] = ["None", "default", "from", "diversion"];
    let field = "did_as_transfer_caller_id";
    fields.text_change(field, limits::TEXT_CHARS_MAX)?.try_map(|text| {
        if WORDS.contains(&text.as_str()) {
            return Ok(text);
        }
        Err(ApiError::invalid(field, format_args!("must be one of {}", WORDS.join(", "))))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::properties;

    #[test]
    fn the_document_names_exactly_the_fields_that_are_read() {
        let fields = Fields::parse(b"{}").unwrap();
        ExtensionChange::of(&fields).unwrap();
        assert_eq!(fields.asked(), properties::<ExtensionChange>());
        assert!(new_kind(&fields).is_err());
        let _ = fields.text("name", 1);
        assert_eq!(fields.asked(), properties::<NewExtensionBody>());
    }
}
