//! Transfers that a phone asks for.

use leg::{LegCommand, LegId, ReferId};

use crate::interface::Effect;

/// The answer to a REFER: no call is sent on by a phone yet.
pub(crate) fn answer(leg: LegId, refer: ReferId) -> Effect {
    let command = LegCommand::ReferRefused { refer, status: 603 };
    Effect::Leg { leg, command }
}
