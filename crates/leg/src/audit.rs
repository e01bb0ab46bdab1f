//! What somebody tried to do to another's call, or did to the rights to do so, and which clause of
//! the control groups decided: one row of a client's audit.

use std::sync::Arc;

use model::{CallUuid, ControlAction, ExtensionId, Rights, TenantId, UserId, Verdict, Wall};
use serde::{Deserialize, Serialize};

/// One attempt, allowed or not.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Audit {
    /// The tenant.
    pub tenant: TenantId,
    /// When.
    pub time: Wall,
    /// By which way.
    pub source: AuditSource,
    /// The extension that acts; none where a program acts for nobody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<AuditExtension>,
    /// The program that asked, with [`AuditSource::Api`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub program: Option<AuditProgram>,
    /// What.
    pub action: AuditAction,
    /// To whose call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<AuditExtension>,
    /// Which call, where one was found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<CallUuid>,
    /// Whether it was allowed.
    pub allowed: bool,
    /// What decided: [`model::control::Clause::as_str`]; `token`: the rights of the program's user.
    pub clause: Arc<str>,
    /// The groups that counted, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<Arc<str>>,
    /// What else people want to know, one line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<Arc<str>>,
}

/// By which way somebody acted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuditSource {
    /// With a telephone.
    Phone,
    /// Over HTTP.
    Api,
}

/// An extension, as it was called then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditExtension {
    /// Its id; `None`: what was dialled is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<ExtensionId>,
    /// `0003*100`, or what was dialled.
    pub name: Arc<str>,
}

/// A program with its user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditProgram {
    /// The user.
    pub user: UserId,
    /// The user's login.
    pub login: Arc<str>,
    /// `client_id` of the application.
    pub application: Arc<str>,
}

/// What somebody tried or did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)] // The first six are those of `ControlAction`.
pub enum AuditAction {
    GroupPickup,
    Pickup,
    Eavesdrop,
    Whisper,
    Conference,
    Replace,
    /// Two extensions serve each other no more.
    EndReplace,
    /// The control groups were written anew.
    ChangeGroups,
}

/// Who tried what, for [`Audit::attempt`].
#[derive(Clone, Debug)]
pub struct Attempt {
    /// When.
    pub time: Wall,
    /// By which way.
    pub source: AuditSource,
    /// The extension that acts.
    pub actor: AuditExtension,
    /// What.
    pub action: ControlAction,
    /// To whose call.
    pub target: Option<AuditExtension>,
    /// Which call, where one was found.
    pub call: Option<CallUuid>,
}

impl Audit {
    /// The row of an attempt that control groups decided.
    pub fn attempt(tenant: TenantId, attempt: Attempt, rights: &Rights, verdict: Verdict) -> Audit {
        let Attempt { time, source, actor, action, target, call } = attempt;
        Audit {
            tenant,
            time,
            source,
            actor: Some(actor),
            program: None,
            action: action.into(),
            target,
            call,
            allowed: verdict.is_allowed,
            clause: verdict.clause.as_str().into(),
            groups: rights.names_of(verdict.clause.groups()).map(Arc::from).collect(),
            detail: None,
        }
    }
}

impl AuditAction {
    /// All of them.
    pub const ALL: [AuditAction; 8] = [
        AuditAction::GroupPickup,
        AuditAction::Pickup,
        AuditAction::Eavesdrop,
        AuditAction::Whisper,
        AuditAction::Conference,
        AuditAction::Replace,
        AuditAction::EndReplace,
        AuditAction::ChangeGroups,
    ];

    /// As the API names it.
    pub fn as_str(self) -> &'static str {
        match self {
            AuditAction::GroupPickup => "group_pickup",
            AuditAction::Pickup => "pickup",
            AuditAction::Eavesdrop => "eavesdrop",
            AuditAction::Whisper => "whisper",
            AuditAction::Conference => "conference",
            AuditAction::Replace => "replace",
            AuditAction::EndReplace => "end_replace",
            AuditAction::ChangeGroups => "change_groups",
        }
    }
}

impl From<ControlAction> for AuditAction {
    fn from(action: ControlAction) -> AuditAction {
        match action {
            ControlAction::GroupPickup => AuditAction::GroupPickup,
            ControlAction::Pickup => AuditAction::Pickup,
            ControlAction::Eavesdrop => AuditAction::Eavesdrop,
            ControlAction::Whisper => AuditAction::Whisper,
            ControlAction::Conference => AuditAction::Conference,
            ControlAction::Replace => AuditAction::Replace,
        }
    }
}

impl AuditSource {
    /// `phone` or `api`.
    pub fn as_str(self) -> &'static str {
        match self {
            AuditSource::Phone => "phone",
            AuditSource::Api => "api",
        }
    }
}
