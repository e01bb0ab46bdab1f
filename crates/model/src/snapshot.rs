//! [`Snapshot`]: one tenant's whole configuration, immutable.
//!
//! Parts are shared (`Arc` per extension): a write rebuilds its part and makes a new snapshot,
//! which reaches the tenant's exchange as an input like any other.

use core::borrow::Borrow;
use core::fmt;
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::control::Rights;
use crate::ids::{ExtensionGroupId, ExtensionId, TenantId, TenantKey};
use crate::limits;
use crate::names::{DisplayName, ExtensionName, Login, Number, Prefix};
use crate::record_format::RecordFormat;
use crate::routing::Routing;
use crate::rule::Rules;

/// Whether a tenant or an extension may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// In use.
    Active,
    /// No calls, no registration; a blocked tenant has no API either.
    Blocked,
}

/// A customer's PBX: what the API shows as the client.
#[derive(Clone, Debug)]
pub struct Tenant {
    /// `client_id`.
    pub id: TenantId,
    /// What branches, tags and Contacts carry.
    pub key: TenantKey,
    /// Name of the company.
    pub name: String,
    /// SIP domain of its phones, shared by all clients of one provider.
    pub domain: String,
    /// Prefix of the domain, `00500`.
    pub domain_prefix: Prefix,
    /// Prefix of the client inside the domain, `0003`; unique there.
    pub prefix: Prefix,
    /// Digits of an extension's name, 2 to 4, fixed at creation.
    pub extension_len: u8,
    /// Whether it may be used.
    pub status: Status,
    /// Calls at a time; one more is refused with 503.
    pub calls_max: u32,
    /// IANA zone in which people of this tenant read times.
    pub timezone: String,
    /// `YYYY-MM-DD HH:MM:SS`.
    pub create_date: String,
}

/// What an extension is; fixed at creation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExtensionKind {
    /// A person's phone with its devices.
    Phone,
    /// A waiting queue with agents.
    Queue,
    /// A voice menu.
    Ivr,
    /// An internal service that answers by itself.
    Service(Service),
}

/// Internal services that an extension may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// Answers, plays a tone for two seconds, then sends back what it hears.
    Echo,
}

/// An addressable number inside a tenant.
#[derive(Clone, Debug)]
pub struct Extension {
    /// `extension_id`, six digits or more.
    pub id: ExtensionId,
    /// `100`; the API shows it as `0003*100`.
    pub name: ExtensionName,
    /// What it is.
    pub kind: ExtensionKind,
    /// Whether it may be used.
    pub status: Status,
    /// Shown on the display of who is called or calls.
    pub label: DisplayName,
    /// Overrides `label` as the caller's name on outgoing calls.
    pub caller_id_name: Option<DisplayName>,
    /// The group, for users that see only their group.
    pub group: Option<ExtensionGroupId>,
    /// The remaining documented fields, which only the API shows so far.
    pub shown: ExtensionShown,
    /// What the phone is set to; `Some` exactly for [`ExtensionKind::Phone`].
    pub phone: Option<Phone>,
}

/// Documented fields of an extension that no call depends on yet.
#[derive(Clone, Debug, Default)]
pub struct ExtensionShown {
    /// `YYYY-MM-DD HH:MM:SS`.
    pub create_date: String,
    /// Free text of integrators.
    pub extra_params: Option<String>,
    /// Outgoing rule list.
    pub dial_rule_id: Option<u64>,
    /// Outgoing rule limit.
    pub dial_rule_limit: Option<u64>,
    /// P-Asserted-Identity on forwarding.
    pub ani_rfc3325: bool,
    /// How the DID is shown on forwarding.
    pub did_as_transfer_caller_id: Option<String>,
    /// Number for messages.
    pub message_did: Option<String>,
    /// Number shown to the outside.
    pub public_caller_id_number: Option<String>,
    /// See the API reference 6.
    pub rfc_public_caller_id_number: bool,
    /// See the API reference 6.
    pub from_public_caller_id_number: bool,
}

/// How the requests of a phone prove who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthType {
    /// With the password.
    Digest,
    /// By coming from a known network.
    Network,
    /// Both together.
    Both,
}

/// A phone terminal.
#[derive(Clone, Debug)]
pub struct Phone {
    /// Digest user and user part of the address of record; unique on the node.
    pub login: Login,
    /// SIP password.
    pub password: Secret,
    /// How requests prove who they are.
    pub auth_type: AuthType,
    /// Calls at a time that may be offered to this extension; one more is busy. `None`: no bound.
    pub incoming_limit: Option<u32>,
    /// How long the extension rings, seconds.
    pub ring_timeout_s: Option<u16>,
    /// The remaining documented fields, which only the API shows so far.
    pub shown: PhoneShown,
}

impl Phone {
    /// How long the extension rings, seconds.
    pub fn ring_timeout_s(&self) -> u16 {
        self.ring_timeout_s.unwrap_or(limits::RING_TIMEOUT_S_DEFAULT)
    }
}

/// Documented fields of a phone that no call depends on yet. API reference 7 and 26.23.
#[derive(Clone, Debug)]
#[allow(missing_docs)] // The names are the documented ones.
pub struct PhoneShown {
    pub announce_sound_upon_outgoing_call: Option<u64>,
    pub announce_sound_upon_incoming_call: Option<u64>,
    pub append_to_cid_name_on_transfer: Option<String>,
    pub call_screening_enabled: bool,
    pub conference_announce_caller_name: bool,
    pub conference_end_on_exit: bool,
    pub conference_pin: Option<String>,
    pub allow_webrtc: bool,
    pub record_enabled: bool,
    pub record_transfer: bool,
    pub record_format: RecordFormat,
    pub record_stereo: bool,
    pub hold_music: Option<u64>,
    pub ringback_sound: Option<u64>,
    pub geo_list: Option<String>,
    /// Write-only; shown as whether it is set.
    pub replace_pin: Option<Secret>,
    pub vm_enabled: bool,
    pub vm_pin: Option<String>,
    pub vm_greeting: Option<u64>,
    pub vm_attach_file: bool,
    pub vm_mailto: Option<String>,
    pub keypad_codes: bool,
}

impl Default for PhoneShown {
    fn default() -> PhoneShown {
        PhoneShown {
            announce_sound_upon_outgoing_call: None,
            announce_sound_upon_incoming_call: None,
            append_to_cid_name_on_transfer: None,
            call_screening_enabled: false,
            conference_announce_caller_name: true,
            conference_end_on_exit: true,
            conference_pin: None,
            allow_webrtc: false,
            record_enabled: false,
            record_transfer: false,
            record_format: RecordFormat::default(),
            record_stereo: false,
            hold_music: None,
            ringback_sound: None,
            geo_list: None,
            replace_pin: None,
            vm_enabled: true,
            vm_pin: None,
            vm_greeting: None,
            vm_attach_file: false,
            vm_mailto: None,
            keypad_codes: true,
        }
    }
}

/// A text that no log may show.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Box<str>);

impl Secret {
    /// Wraps a secret.
    pub fn new(text: &str) -> Secret {
        Secret(text.into())
    }

    /// The secret itself; name the place that reads it with care.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// One tenant's whole configuration.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// Rises with every change of this tenant.
    pub revision: u64,
    /// The tenant itself.
    pub tenant: Arc<Tenant>,
    /// Its extensions.
    pub extensions: BTreeMap<ExtensionId, Arc<Extension>>,
    /// Its extensions by short name; exactly the entries of `extensions`.
    pub names: BTreeMap<ExtensionName, ExtensionId>,
    /// Where calls go besides.
    pub routing: Arc<Routing>,
    /// Who may do what to whose calls from a telephone.
    pub control: Arc<Rights>,
}

impl Snapshot {
    /// Puts a snapshot together; `names` is derived from `extensions`, `routing` is empty and
    /// `control` that of a client who has written nothing.
    pub fn new(
        revision: u64,
        tenant: Arc<Tenant>,
        extensions: impl IntoIterator<Item = Arc<Extension>>,
    ) -> Snapshot {
        let extensions: BTreeMap<_, _> = extensions.into_iter().map(|e| (e.id, e)).collect();
        let names = extensions.values().map(|e| (e.name.clone(), e.id)).collect();
        let (routing, control) = (Arc::default(), Arc::default());
        Snapshot { revision, tenant, extensions, names, routing, control }
    }

    /// The extension with this id.
    pub fn extension(&self, id: ExtensionId) -> Option<&Arc<Extension>> {
        self.extensions.get(&id)
    }

    /// The incoming call rules of an extension; empty without.
    pub fn rules_of(&self, id: ExtensionId) -> Arc<Rules> {
        self.routing.rules.get(&id).cloned().unwrap_or_default()
    }

    /// The extension with this short name.
    pub fn named(&self, name: &str) -> Option<&Arc<Extension>> {
        self.extensions.get(self.names.get(name)?)
    }

    /// The extension that `100` or `0003*100` names.
    pub fn named_in_full(&self, name: &str) -> Option<&Arc<Extension>> {
        let short = match name.rsplit_once('*') {
            Some((prefix, short)) if prefix == self.tenant.prefix.as_str() => short,
            Some(_) => return None,
            None => name,
        };
        self.named(short)
    }

    /// `0003*100`: the main form of an extension's name, in output and as input.
    pub fn full_name(&self, extension: &Extension) -> String {
        format!("{}*{}", self.tenant.prefix, extension.name)
    }

    /// The number under which an extension is known to callers inside the tenant.
    pub fn number_of(&self, extension: &Extension) -> Number {
        Number::from(&extension.name)
    }
}

impl Borrow<str> for ExtensionName {
    fn borrow(&self) -> &str {
        self.as_str()
    }
}

impl Borrow<str> for Login {
    fn borrow(&self) -> &str {
        self.as_str()
    }
}
