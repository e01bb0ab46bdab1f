//! The code of a mailbox.

use leg::PinKind;
use model::{ExtensionId, Spoken};

use super::{Mailbox, Phase};
use crate::limits;
use crate::pins::Guess;
use crate::step::{Action, Actions, Facts, Next};

/// Keys that may be a code, which nobody shall read.
#[derive(Clone, Default, PartialEq)]
pub struct Keys(pub(super) String);

impl core::fmt::Debug for Keys {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Keys(..)")
    }
}

/// The code of a mailbox, as it is now.
pub(super) fn code<'a>(of: ExtensionId, facts: &Facts<'a>) -> Option<&'a str> {
    let phone = facts.snapshot.extension(of)?.phone.as_ref()?;
    phone.shown.vm_pin.as_deref().filter(|pin| !pin.is_empty())
}

pub(super) fn guess(of: ExtensionId) -> Guess {
    Guess { pin: PinKind::Mailbox, actor: of, target: of }
}

impl Mailbox {
    /// The code is complete, or no further key has come.
    pub(super) fn code_is_entered(self, facts: &Facts<'_>, actions: &mut Actions) -> Next {
        let Phase::Code { keys, wrong, .. } = &self.phase else { return self.stays() };
        let guess = guess(self.of);
        if facts.tables.pins.is_locked(facts.now.mono, guess) {
            return self.refused(actions);
        }
        let is_right = code(self.of, facts).is_none_or(|code| code == keys.0);
        if is_right {
            actions.push(Action::RightPin(guess));
            return self.open(facts, actions);
        }
        let wrong = wrong.saturating_add(1);
        // Silence is no guess.
        if !keys.0.is_empty() {
            actions.push(Action::WrongPin(guess));
        }
        if wrong >= limits::CODE_TRIES_MAX {
            return self.refused(actions);
        }
        actions.push(Action::Save);
        self.ask(&[Spoken::WrongCode, Spoken::EnterCode], wrong, facts, actions)
    }
}
