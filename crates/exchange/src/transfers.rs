//! Transfers that a phone asks for.

use leg::{LegCommand, LegId, ReferId};

use crate::interface::Effect;

/// A REFER that no step has answered is refused: whom the phone talks with cannot be sent on.
/// `start`: where the effects of the REFER begin.
pub(crate) fn answer(leg: LegId, refer: ReferId, start: usize, effects: &mut Vec<Effect>) {
    let is_answer = |effect: &Effect| match effect {
        Effect::Leg { leg: of, command } => {
            let answers = match command {
                LegCommand::ReferAccepted { refer: to }
                | LegCommand::ReferRefused { refer: to, .. } => *to == refer,
                _ => false,
            };
            *of == leg && answers
        }
        _ => false,
    };
    if !effects.iter().skip(start).any(is_answer) {
        let command = LegCommand::ReferRefused { refer, status: 603 };
        effects.push(Effect::Leg { leg, command });
    }
}
