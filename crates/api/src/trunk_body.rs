//! `/trunk/` as JSON: what is shown, what may be written.

use std::sync::Arc;

use model::{
    DidFrom, ForwardingHeaders, IdentityHeader, Network, Number, Pattern, Rewriting, Secret,
    ShownOnForward, TenantId, Trunk, TrunkCredentials, TrunkHost, TrunkId, TrunkRegistration,
    TrunkTransport, TrunkUse, limits,
};
use route::Country;
use serde::Serialize;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use crate::document::{words, writable};
use crate::error::ApiError;
use crate::fields::{Change, Fields};
use crate::limits::TEXT_CHARS_MAX;
use crate::rewriting_body::{RewritingBody, rewritings};
use crate::rule_body::word_of;

words! {
    /// How requests travel. `udp` sends large ones by TCP.
    TransportWord = "udp" | "tcp" | "tls";
    /// Which part of its INVITEs names the number that was called.
    DidFromWord = "request-uri" | "to" | "p-called-party-id";
    /// How it is told who calls: From alone, P-Asserted-Identity, Remote-Party-ID.
    IdentityWord = "from" | "pai" | "rpid";
    /// Whose number is shown when a call of the outside is forwarded by it.
    ShownWord = "original" | "diverting" | "fixed";
    /// How it is told that a call was forwarded.
    ForwardingWord = "diversion" | "history-info" | "both" | "none";
}

const TRANSPORTS: [(&str, TrunkTransport); 3] =
    [("udp", TrunkTransport::Udp), ("tcp", TrunkTransport::Tcp), ("tls", TrunkTransport::Tls)];
const DID_FROM: [(&str, DidFrom); 3] = [
    ("request-uri", DidFrom::RequestUri),
    ("to", DidFrom::To),
    ("p-called-party-id", DidFrom::PCalledPartyId),
];
const IDENTITIES: [(&str, IdentityHeader); 3] =
    [("from", IdentityHeader::From), ("pai", IdentityHeader::Pai), ("rpid", IdentityHeader::Rpid)];
const SHOWN: [(&str, ShownOnForward); 3] = [
    ("original", ShownOnForward::Original),
    ("diverting", ShownOnForward::Diverting),
    ("fixed", ShownOnForward::Fixed),
];
const FORWARDING: [(&str, ForwardingHeaders); 4] = [
    ("diversion", ForwardingHeaders::Diversion),
    ("history-info", ForwardingHeaders::HistoryInfo),
    ("both", ForwardingHeaders::Both),
    ("none", ForwardingHeaders::None),
];
/// Seconds that a registration may be asked for; 0: none is made.
const EXPIRES_S_MAX: u64 = 86_400;
/// What is asked for when nothing is said.
const EXPIRES_S: u64 = 3_600;
/// Calls at a time that a trunk may be bound to.
const CHANNELS_MAX: u64 = 100_000;

/// A SIP peer towards the outside.
#[derive(Serialize, ToSchema)]
#[schema(as = Trunk)]
pub(crate) struct TrunkBody {
    #[schema(read_only)]
    id: u64,
    #[schema(read_only)]
    client_id: u64,
    #[schema(max_length = 255)]
    name: String,
    /// Where requests go: the next when one does not take the call; 1 to 10.
    #[schema(example = json!(["carrier.example:5060"]))]
    hosts: Vec<String>,
    /// Where its calls come from, besides its hosts and the flow of the registration; at most 50.
    #[schema(example = json!(["192.0.2.0/24"]))]
    addresses: Vec<String>,
    #[schema(value_type = TransportWord, inline)]
    transport: &'static str,
    /// What proves us to it; null: nothing, it knows our address.
    register: Option<RegisterBody>,
    /// PCRE over numbers: one must match; none: it takes all. At most 100.
    patterns: Vec<String>,
    /// ISO 3166-1 code of the country in whose form it sends numbers; the client's at first.
    #[schema(example = "RU")]
    country: String,
    #[schema(value_type = DidFromWord, inline)]
    did_from: &'static str,
    /// Of numbers that it sends us, the first that matches counts; at most 100.
    rewrite_in: Vec<RewritingBody>,
    /// Of numbers that we send it, the first that matches counts; at most 100.
    rewrite_out: Vec<RewritingBody>,
    /// User part of our From; null: the number that is shown.
    #[schema(max_length = 64)]
    from_user: Option<String>,
    #[schema(value_type = IdentityWord, inline)]
    identity: &'static str,
    #[schema(value_type = ShownWord, inline)]
    caller_id: &'static str,
    /// Shown for `fixed`, and for a caller for whom no other number is set.
    #[schema(max_length = 64)]
    fixed_caller_id: Option<String>,
    #[schema(value_type = ForwardingWord, inline)]
    forwarding_headers: &'static str,
    /// It takes a changed identity during a call.
    update_display: bool,
    /// Calls at a time; null: no bound.
    #[schema(minimum = 1, maximum = 100_000)]
    channels: Option<u32>,
    /// A disabled trunk takes no calls.
    enabled: bool,
    /// What was not understood, in the answer to a write.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(read_only, nullable = false)]
    warnings: Option<Vec<String>>,
}

/// What proves us to a trunk.
#[derive(Serialize, ToSchema)]
#[schema(as = TrunkRegister)]
pub(crate) struct RegisterBody {
    login: String,
    /// Whether a password is set; it is never read back.
    password_set: bool,
    /// Seconds that we ask for; 0: we do not register, and answer its challenges only.
    expires: u32,
}

/// What is written of it.
pub(crate) enum RegisterChange {}

impl PartialSchema for RegisterChange {
    fn schema() -> RefOr<Schema> {
        let text = |description: &str| {
            ObjectBuilder::new().schema_type(Type::String).description(Some(description))
        };
        let expires = ObjectBuilder::new().schema_type(Type::Integer).description(Some(
            "Seconds; 3600 unless given. 0: we do not register, and answer its challenges only.",
        ));
        ObjectBuilder::new()
            .description(Some("What proves us to a trunk; null takes it away."))
            .property("login", text("The digest user."))
            .property("password", text("Its password; may be left out while the login stays."))
            .property("expires", expires.minimum(Some(0)).maximum(Some(86_400)))
            .required("login")
            .into()
    }
}

impl ToSchema for RegisterChange {
    fn name() -> std::borrow::Cow<'static, str> {
        "TrunkRegisterChange".into()
    }
}

impl TrunkBody {
    pub(crate) fn of(plan: &TrunkUse) -> TrunkBody {
        let trunk = &plan.trunk;
        let register = trunk.credentials.as_ref().map(|credentials| RegisterBody {
            login: credentials.login.clone(),
            password_set: true,
            expires: trunk.registration.map_or(0, |r| r.expires_s),
        });
        TrunkBody {
            id: trunk.id.0,
            client_id: trunk.tenant.0,
            name: trunk.name.clone(),
            hosts: trunk.hosts.iter().map(ToString::to_string).collect(),
            addresses: trunk.addresses.iter().map(ToString::to_string).collect(),
            transport: word_of(&TRANSPORTS, trunk.transport),
            register,
            patterns: plan.patterns.iter().map(|p| p.as_str().to_owned()).collect(),
            country: plan.country.to_string(),
            did_from: word_of(&DID_FROM, trunk.did_from),
            rewrite_in: RewritingBody::list(&plan.rewrite_in),
            rewrite_out: RewritingBody::list(&plan.rewrite_out),
            from_user: trunk.from_user.clone(),
            identity: word_of(&IDENTITIES, trunk.identity),
            caller_id: word_of(&SHOWN, plan.caller_id),
            fixed_caller_id: plan.fixed_caller_id.as_ref().map(ToString::to_string),
            forwarding_headers: word_of(&FORWARDING, trunk.forwarding_headers),
            update_display: plan.update_display,
            channels: plan.channels,
            enabled: trunk.enabled,
            warnings: None,
        }
    }

    pub(crate) fn with(self, warnings: Vec<String>) -> TrunkBody {
        TrunkBody { warnings: Some(warnings), ..self }
    }
}

/// What may be written of a trunk, at its creation and later.
#[derive(Debug)]
pub(crate) struct TrunkChange {
    name: Option<String>,
    hosts: Option<Vec<TrunkHost>>,
    addresses: Option<Vec<Network>>,
    transport: Option<TrunkTransport>,
    register: Change<Register>,
    patterns: Option<Vec<Pattern>>,
    country: Option<String>,
    did_from: Option<DidFrom>,
    rewrite_in: Option<Vec<Rewriting>>,
    rewrite_out: Option<Vec<Rewriting>>,
    from_user: Change<String>,
    identity: Option<IdentityHeader>,
    caller_id: Option<ShownOnForward>,
    fixed_caller_id: Change<Number>,
    forwarding_headers: Option<ForwardingHeaders>,
    update_display: Option<bool>,
    channels: Change<u64>,
    enabled: Option<bool>,
}

#[derive(Debug)]
struct Register {
    login: String,
    password: Option<Secret>,
    expires_s: u32,
}

const KNOWN: [&str; 20] = [
    "id",
    "client_id",
    "name",
    "hosts",
    "addresses",
    "transport",
    "register",
    "patterns",
    "country",
    "did_from",
    "rewrite_in",
    "rewrite_out",
    "from_user",
    "identity",
    "caller_id",
    "fixed_caller_id",
    "forwarding_headers",
    "update_display",
    "channels",
    "enabled",
];

impl TrunkChange {
    pub(crate) fn of(fields: &Fields) -> Result<TrunkChange, ApiError> {
        let country = |text: &str| match Country::of(text) {
            Some(_) => Ok(text.to_ascii_uppercase()),
            None => Err("must be a country's two letters like RU"),
        };
        let hosts = fields.parsed_list("hosts", limits::TRUNK_HOSTS_MAX, TrunkHost::parse)?;
        if hosts.as_ref().is_some_and(Vec::is_empty) {
            return Err(fields.invalid("hosts", "must name at least one"));
        }
        let max = limits::TRUNK_ADDRESSES_MAX;
        Ok(TrunkChange {
            name: fields.text("name", TEXT_CHARS_MAX)?,
            hosts,
            addresses: fields.parsed_list("addresses", max, Network::parse)?,
            transport: fields.word("transport", &TRANSPORTS)?,
            register: register(fields)?,
            patterns: fields.parsed_list("patterns", limits::PATTERNS_MAX, Pattern::parse)?,
            country: fields.parsed("country", country)?,
            did_from: fields.word("did_from", &DID_FROM)?,
            rewrite_in: rewritings(fields, "rewrite_in")?,
            rewrite_out: rewritings(fields, "rewrite_out")?,
            from_user: fields.parsed_change("from_user", user_part)?,
            identity: fields.word("identity", &IDENTITIES)?,
            caller_id: fields.word("caller_id", &SHOWN)?,
            fixed_caller_id: fields.parsed_change("fixed_caller_id", Number::parse)?,
            forwarding_headers: fields.word("forwarding_headers", &FORWARDING)?,
            update_display: fields.flag("update_display")?,
            channels: match fields.number_change("channels", 0..=CHANNELS_MAX)? {
                Change::To(0) => Change::Empty,
                change => change,
            },
            enabled: fields.flag("enabled")?,
        })
    }

    /// What of a body was not understood.
    pub(crate) fn warnings(fields: &Fields) -> Vec<String> {
        fields.unknown(&KNOWN).map(|name| format!("{name} is no field of a trunk")).collect()
    }

    /// A trunk that begins with this; its id and owner are the store's to give.
    pub(crate) fn begin(self, country: &str) -> Result<TrunkUse, ApiError> {
        for (field, missing) in [("name", self.name.is_none()), ("hosts", self.hosts.is_none())] {
            if missing {
                return Err(ApiError::invalid(field, "is required"));
            }
        }
        let trunk = Trunk::new(TrunkId(0), TenantId(0), "", Vec::new());
        let mut plan = TrunkUse::new(Arc::new(trunk), country);
        self.apply(&mut plan)?;
        Ok(plan)
    }

    pub(crate) fn apply(self, to: &mut TrunkUse) -> Result<(), ApiError> {
        let trunk = Arc::make_mut(&mut to.trunk);
        replace(self.name, &mut trunk.name);
        replace(self.hosts, &mut trunk.hosts);
        replace(self.addresses, &mut trunk.addresses);
        replace(self.transport, &mut trunk.transport);
        match self.register {
            Change::Keep => {}
            Change::Empty => (trunk.credentials, trunk.registration) = (None, None),
            Change::To(register) => register.apply(trunk)?,
        }
        replace(self.did_from, &mut trunk.did_from);
        self.from_user.apply(&mut trunk.from_user);
        replace(self.identity, &mut trunk.identity);
        replace(self.forwarding_headers, &mut trunk.forwarding_headers);
        replace(self.enabled, &mut trunk.enabled);
        replace(self.patterns, &mut to.patterns);
        replace(self.country.map(Into::into), &mut to.country);
        replace(self.rewrite_in, &mut to.rewrite_in);
        replace(self.rewrite_out, &mut to.rewrite_out);
        replace(self.caller_id, &mut to.caller_id);
        self.fixed_caller_id.apply(&mut to.fixed_caller_id);
        replace(self.update_display, &mut to.update_display);
        let mut channels = to.channels.map(u64::from);
        self.channels.apply(&mut channels);
        // It was read within its bounds.
        to.channels = channels.and_then(|n| u32::try_from(n).ok());
        if to.caller_id == ShownOnForward::Fixed && to.fixed_caller_id.is_none() {
            return Err(ApiError::invalid("fixed_caller_id", "is required by this caller_id"));
        }
        Ok(())
    }
}

impl Register {
    fn apply(self, trunk: &mut Trunk) -> Result<(), ApiError> {
        let before = trunk.credentials.take().filter(|c| c.login == self.login);
        let password = self.password.or(before.map(|c| c.password));
        let password =
            password.ok_or_else(|| ApiError::invalid("register.password", "is required"))?;
        trunk.credentials = Some(TrunkCredentials { login: self.login, password });
        let expires_s = self.expires_s;
        trunk.registration = (expires_s > 0).then_some(TrunkRegistration { expires_s });
        Ok(())
    }
}

fn register(fields: &Fields) -> Result<Change<Register>, ApiError> {
    let Some(register) = fields.object("register")? else {
        return Ok(if fields.is_null("register") { Change::Empty } else { Change::Keep });
    };
    let login = register.text("login", TEXT_CHARS_MAX)?.filter(|login| !login.is_empty());
    let login = login.ok_or_else(|| register.invalid("login", "is required"))?;
    // A quote would end it early in a header.
    if login.contains(['"', '\\']) {
        return Err(register.invalid("login", "must not contain quotes or backslashes"));
    }
    let password = register.text("password", TEXT_CHARS_MAX)?.filter(|p| !p.is_empty());
    let expires = match register.number_change("expires", 0..=EXPIRES_S_MAX)? {
        Change::To(seconds) => seconds,
        Change::Keep | Change::Empty => EXPIRES_S,
    };
    let expires_s = u32::try_from(expires).unwrap_or(0);
    let password = password.as_deref().map(Secret::new);
    Ok(Change::To(Register { login, password, expires_s }))
}

/// The user part of a URI that needs no escaping (RFC 3261 25.1).
fn user_part(text: &str) -> Result<String, &'static str> {
    let good = |b: u8| b.is_ascii_alphanumeric() || b"-_.!~*'()&=+$,;?/".contains(&b);
    match text.len() <= limits::NUMBER_BYTES_MAX && text.bytes().all(good) {
        true => Ok(text.to_owned()),
        false => Err("must be the user part of a SIP address, at most 64 characters"),
    }
}

fn replace<T>(from: Option<T>, to: &mut T) {
    if let Some(value) = from {
        *to = value;
    }
}

fn written() -> utoipa::openapi::schema::Object {
    let mut object = writable::<TrunkBody>();
    let register = utoipa::openapi::schema::Ref::from_schema_name(RegisterChange::name());
    object.properties.insert("register".to_owned(), register.into());
    object
}

impl PartialSchema for TrunkChange {
    fn schema() -> RefOr<Schema> {
        let mut object = written();
        object.description = Some("Fields of a trunk that shall change.".to_owned());
        object.into()
    }
}

impl ToSchema for TrunkChange {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((RegisterChange::name().into_owned(), RegisterChange::schema()));
        TrunkBody::schemas(schemas);
    }
}

/// What a trunk begins with, in the document.
pub(crate) enum NewTrunkBody {}

impl PartialSchema for NewTrunkBody {
    fn schema() -> RefOr<Schema> {
        let mut object = written();
        object.required = vec!["name".to_owned(), "hosts".to_owned()];
        object.description = Some("What a trunk begins with.".to_owned());
        object.into()
    }
}

impl ToSchema for NewTrunkBody {
    fn name() -> std::borrow::Cow<'static, str> {
        "NewTrunk".into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        TrunkChange::schemas(schemas);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::properties;

    #[test]
    fn the_document_names_exactly_the_fields_that_are_read() {
        let fields = Fields::parse(b"{}").unwrap();
        TrunkChange::of(&fields).unwrap();
        assert_eq!(fields.asked(), properties::<TrunkChange>());
        let mut known = properties::<TrunkChange>();
        known.extend(["id", "client_id"].map(str::to_owned));
        assert_eq!(known, KNOWN.iter().map(|name| (*name).to_owned()).collect());
    }
}
