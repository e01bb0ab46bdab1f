//! The domain's words as validated types, and [`Snapshot`]: one tenant's whole configuration.
//!
//! Knows: what a tenant, an extension, a phone, a number, a moment and an end of a call are.
//! Never knows: I/O, SIP syntax, SQL, HTTP. `serde` is for saved state only; the API has its own
//! types for JSON.
//!
//! Read in this order: [`time`], [`chance`], [`ids`], [`names`], [`codec`], [`end`], [`pattern`],
//! [`interval`], [`rule`], [`trace`], [`trunk`],
//! [`speech`], [`settings`], [`feature_codes`], [`routing`], [`control`], [`record_format`],
//! [`snapshot`].

pub mod cbor;
pub mod chance;
pub mod codec;
pub mod control;
pub mod directory;
pub mod end;
pub mod feature_codes;
pub mod ids;
pub mod interval;
pub mod limits;
pub mod names;
pub mod pattern;
pub mod record_format;
pub mod routing;
pub mod rule;
pub mod settings;
pub mod snapshot;
pub mod speech;
pub mod time;
pub mod trace;
pub mod trunk;

pub use chance::Chance;
pub use codec::{Codec, Digit};
pub use control::{ControlAction, ControlGroups, MonitorMode, Rights, Verdict};
pub use directory::{Credential, Directory, TenantEntry};
pub use end::EndReason;
pub use feature_codes::{BadCode, Code, CodeClash, CodeMoment, CodeName, FeatureCodes};
pub use ids::{
    CallApiId, CallId, CallUuid, DeviceId, DialRulesId, DidId, ExtensionGroupId, ExtensionId,
    FileId, IntervalId, NodeAddress, RuleId, SoundId, TenantId, TenantKey, TrunkId, UserId,
};
pub use interval::{BadCondition, Condition, Interval, Schedule, Zone};
pub use names::{DisplayName, ExtensionName, Login, Number, Prefix};
pub use pattern::Pattern;
pub use record_format::{FileFormat, RecordFormat};
pub use routing::{Did, OutsideLimits, Rewriting, Routing, RoutingSettings, Sound, TrunkUse};
pub use rule::{
    BadRule, CallerAction, CascadeNumber, IncomingRule, Outcome, RuleKind, Rules, Wanted,
    WantedStatus,
};
pub use settings::{CallControlApi, PickupMerge, SettingsShown};
pub use snapshot::{
    AuthType, Extension, ExtensionKind, ExtensionShown, Phone, PhoneShown, Secret, Service,
    Snapshot, Status, Tenant,
};
pub use speech::{Language, Spoken};
pub use time::{Mono, Now, Wall};
pub use trace::{End, Line, Skipped, Stop, TraceEntry};
pub use trunk::{
    DidFrom, ForwardingHeaders, IdentityHeader, Network, ShownOnForward, Trunk, TrunkCredentials,
    TrunkHost, TrunkRegistration, TrunkTransport,
};
