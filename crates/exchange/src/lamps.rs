//! Who may watch what.

use leg::{LampCommand, LampEvent};

use crate::interface::Effect;

/// The answer to what a phone wants to watch: nothing can be watched yet.
pub(crate) fn answer(event: &LampEvent) -> Option<Effect> {
    match event {
        LampEvent::Asked { id, .. } => {
            Some(Effect::Lamp(LampCommand::Refuse { id: *id, status: 489 }))
        }
        LampEvent::Ended { .. } => None,
    }
}
