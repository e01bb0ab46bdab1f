//! Screening: who has answered hears who calls, and takes the call with a key.
//!
//! So a machine at the other end - the voicemail of a mobile above all - never swallows a call. The
//! caller hears it ring until then, others may answer meanwhile, and the first to press the key has
//! the call. Who hangs up or presses nothing has not answered.

use leg::{LegId, Piece};
use model::{Digit, EndReason, Line, Spoken};
use serde::{Deserialize, Serialize};

use super::node::{Kind, NodeId};
use super::{After, Seeking, Work};
use crate::limits;
use crate::step::sounds::Saying;
use crate::step::{Action, Facts, Timer};

/// The key that takes a call.
const TAKE: char = '1';

/// Somebody has answered and is asked to take the call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Screen {
    /// What is said. It sounds, or was said and a key is waited for.
    pub saying: Saying,
    /// It sounds.
    pub sounds: bool,
    /// It is not said once more.
    pub is_last: bool,
}

impl Seeking {
    /// Whether who answers a leg of a node must take the call with a key: a rule on the way to it
    /// says so, or the phone.
    pub(super) fn is_screened(&self, node: NodeId, facts: &Facts<'_>) -> bool {
        if self.is_wary(node) {
            return true;
        }
        self.way_up(node).any(|(_, n)| match &n.kind {
            Kind::Forward(forward) => forward.screens,
            Kind::Group(group) => {
                let extension = facts.snapshot.extension(group.extension);
                let phone = extension.and_then(|e| e.phone.as_ref());
                phone.is_some_and(|phone| phone.shown.call_screening_enabled)
            }
            Kind::Visit(_) | Kind::Outside(_) | Kind::Machine(_) => false,
        })
    }

    /// A leg of a node was answered: it hears who calls.
    pub(super) fn begin_screen(&mut self, node: NodeId, leg: LegId, work: &mut Work<'_, '_>) {
        // The caller hears it ring on.
        if self.early == Some(leg) {
            self.early = None;
        }
        if !self.told {
            self.told = true;
            self.ring_caller(None, work);
        }
        self.trace(node, Line::Asked, work);
        // The leg has a dialog from now on, which somebody must end.
        work.actions.push(Action::Save);
        let saying =
            Saying { clip: work.actions.fresh_clip(), pieces: self.announcement(work.facts) };
        self.screens.insert(leg, Screen { saying, sounds: true, is_last: false });
        let after = limits::ANNOUNCEMENT_MAX;
        work.actions.push(Action::Timer { timer: Timer::Screen(leg), after });
    }

    /// A clip has ended: was it an announcement, a key is waited for.
    pub(super) fn announced(&mut self, clip: leg::ClipId, work: &mut Work<'_, '_>) {
        let said = self.screens.iter().find(|(_, s)| s.sounds && s.saying.clip == clip);
        let Some(leg) = said.map(|(leg, _)| leg) else { return };
        if let Some(screen) = self.screens.get_mut(leg) {
            screen.sounds = false;
        }
        let after = limits::SCREEN_WAIT;
        work.actions.push(Action::Timer { timer: Timer::Screen(leg), after });
    }

    /// Nothing was pressed: it is said once more, then the leg has not answered.
    pub(super) fn not_taken(&mut self, leg: LegId, work: &mut Work<'_, '_>) -> After {
        let Some(screen) = self.screens.get_mut(leg) else { return After::Seeking };
        if screen.sounds {
            let clip = screen.saying.clip;
            self.announced(clip, work);
            return After::Seeking;
        }
        if screen.is_last {
            let reason = EndReason::NoAnswer;
            work.actions.push(Action::End { leg, reason });
            let Some(node) = self.owner(leg) else { return After::Seeking };
            return self.leg_failed(node, leg, reason, None, work);
        }
        // What a held leg could not hear the first time it may hear now.
        screen.saying.clip = work.actions.fresh_clip();
        (screen.sounds, screen.is_last) = (true, true);
        let after = limits::ANNOUNCEMENT_MAX;
        work.actions.push(Action::Timer { timer: Timer::Screen(leg), after });
        After::Seeking
    }

    /// A key on a leg that is asked; others mean nothing.
    pub(super) fn pressed(&self, leg: LegId, digit: Digit) -> After {
        match self.screens.get(leg) {
            Some(_) if digit.as_char() == TAKE => After::Found(leg),
            _ => After::Seeking,
        }
    }

    /// A leg is asked no more; `false`: it was not.
    pub(super) fn end_screen(&mut self, leg: LegId, work: &mut Work<'_, '_>) -> bool {
        let was_asked = self.screens.remove(leg).is_some();
        if was_asked {
            work.actions.push(Action::DropTimer(Timer::Screen(leg)));
        }
        was_asked
    }

    /// Who calls, digit by digit, and what to press.
    fn announcement(&self, facts: &Facts<'_>) -> Vec<Piece> {
        let language = facts.snapshot.routing.settings.language;
        let party = self.party(facts);
        let number = party.map(|p| &p.identity).filter(|caller| !caller.private);
        let number = number.and_then(|caller| caller.number.as_ref());
        let mut said = vec![Spoken::CallFrom];
        match number.map(|n| digits(n.as_str())).filter(|digits| !digits.is_empty()) {
            Some(digits) => said.extend(digits),
            None => said.push(Spoken::HiddenNumber),
        }
        if let Some(came) = party.and_then(|p| p.came_by.as_ref()) {
            said.push(Spoken::ToNumber);
            said.extend(digits(came.did.as_str()));
        }
        said.push(Spoken::PressOne);
        let spoken = said.into_iter().map(|word| Piece::Spoken(language, word));
        core::iter::once(Piece::Silence(limits::LEAD_IN_MS)).chain(spoken).collect()
    }
}

/// A number, digit by digit.
pub(crate) fn digits(number: &str) -> Vec<Spoken> {
    let said = |c: char| match c {
        '+' => Some(Spoken::Plus),
        _ => c.to_digit(10).and_then(|d| u8::try_from(d).ok()).map(Spoken::Digit),
    };
    number.chars().filter_map(said).collect()
}
