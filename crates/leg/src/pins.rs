//! Wrong PINs, as they are written down: how many, never which.

use model::{ExtensionId, TenantId, Wall};
use serde::{Deserialize, Serialize};

/// What a PIN is for: wrong ones of one kind do not lock another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PinKind {
    /// To be served by another's phones.
    Replace,
    /// To listen to one's messages.
    Mailbox,
}

impl PinKind {
    /// All of them.
    pub const ALL: [PinKind; 2] = [PinKind::Replace, PinKind::Mailbox];

    /// `replace` or `mailbox`.
    pub fn as_str(self) -> &'static str {
        match self {
            PinKind::Replace => "replace",
            PinKind::Mailbox => "mailbox",
        }
    }
}

/// How many wrong PINs were said, as they count from now on. Applied again, it changes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WrongPinCount {
    /// The tenant.
    pub tenant: TenantId,
    /// What the PINs are for.
    pub pin: PinKind,
    /// Who has said them; `None`: all together.
    pub actor: Option<ExtensionId>,
    /// Whose PIN it is.
    pub target: ExtensionId,
    /// How many; 0: they are forgiven.
    pub wrong: u8,
    /// When it was written down.
    pub at: Wall,
    /// Until then they count.
    pub until: Wall,
}
