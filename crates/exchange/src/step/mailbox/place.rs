//! Which messages the keys mean in each phase of a mailbox.

use super::Phase;

/// Which messages the keys mean.
pub(super) struct Place {
    /// The present one.
    pub(super) at: Option<usize>,
    /// The one behind it.
    pub(super) next: Option<usize>,
    /// The one before it; before the first one it is that one again.
    pub(super) before: Option<usize>,
}

impl Place {
    pub(super) fn of(phase: &Phase, messages: usize) -> Place {
        let last = messages.checked_sub(1);
        match phase {
            Phase::Naming { at, .. } | Phase::Playing { at, .. } | Phase::Waiting { at } => {
                Place { at: Some(*at), next: Some(*at + 1), before: Some(at.saturating_sub(1)) }
            }
            Phase::Counting(_) => Place { at: None, next: Some(0), before: Some(0) },
            Phase::Removed { next, .. } => {
                let before = last.map(|last| next.saturating_sub(1).min(last));
                Place { at: None, next: None, before }
            }
            Phase::Over { at: Some(at), .. } => {
                Place { at: Some(*at), next: None, before: Some(at.saturating_sub(1)) }
            }
            Phase::Over { at: None, .. } => Place { at: None, next: None, before: last },
            Phase::Code { .. } | Phase::Empty(_) => Place { at: None, next: None, before: None },
        }
    }
}
