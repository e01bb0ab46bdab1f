//! Extensions that serve each other: whose a call is, what programs ask, what outlasts a restart.

use std::borrow::Cow;

use leg::{AuditProgram, Incoming, Origin, Record, Refusal, ReplaceView, ReplacementChange, Reply};
use model::{ExtensionId, Now};

use super::Exchange;
use crate::attempts;
use crate::interface::Effect;
use crate::replaced::Pair;
use crate::view;

impl Exchange {
    /// A call as it is taken: by a device that serves another extension it is that one's.
    pub(super) fn served<'i>(&self, incoming: &'i Incoming) -> Cow<'i, Incoming> {
        let Origin::Extension(own) = incoming.origin else { return Cow::Borrowed(incoming) };
        let acts = self.tables.replaced.other(own);
        if acts == own {
            return Cow::Borrowed(incoming);
        }
        Cow::Owned(Incoming { origin: Origin::Extension(acts), ..incoming.clone() })
    }

    /// Who serves whom, to be written down elsewhere.
    pub fn replaced(&self) -> Vec<ReplacementChange> {
        let tenant = self.snapshot.tenant.id;
        self.tables.replaced.iter().map(|pair| pair.begins(tenant)).collect()
    }

    /// Those go on of whom both are still there.
    pub(super) fn restore_replaced(
        &mut self,
        pairs: &[ReplacementChange],
        effects: &mut Vec<Effect>,
    ) {
        for change in pairs {
            let Some(since) = change.since else { continue };
            let pair = Pair { by: change.by, with: change.with, since };
            let known = |id| self.snapshot.extension(id).is_some();
            if !(known(pair.by) && known(pair.with) && self.tables.replaced.begin(pair)) {
                self.write_end(pair, effects);
            }
        }
    }

    /// An extension that is gone serves nobody.
    pub(super) fn end_pairs_of_the_gone(&mut self, effects: &mut Vec<Effect>) {
        let known = |id| self.snapshot.extension(id).is_some();
        let is_over = |pair: &&Pair| !(known(pair.by) && known(pair.with));
        let over: Vec<Pair> = self.tables.replaced.iter().filter(is_over).copied().collect();
        for pair in over {
            self.tables.replaced.end(pair.by);
            self.write_end(pair, effects);
        }
    }

    pub(super) fn pairs_shown(&self) -> Vec<ReplaceView> {
        let shown = |pair: &Pair| {
            let by = view::reference(&self.snapshot, pair.by)?;
            let with = view::reference(&self.snapshot, pair.with)?;
            Some(ReplaceView { by, with, since: pair.since })
        };
        self.tables.replaced.iter().filter_map(shown).collect()
    }

    pub(super) fn end_replace(
        &mut self,
        now: Now,
        extension: ExtensionId,
        program: &AuditProgram,
        effects: &mut Vec<Effect>,
    ) -> Reply {
        match self.tables.replaced.end(extension) {
            Some(pair) => {
                let row =
                    attempts::ended_by_program((pair, extension), program, now, &self.snapshot);
                effects.push(Effect::Record(Record::Audit(Box::new(row))));
                self.write_end(pair, effects);
                Reply::Done
            }
            None => Reply::Refused(Refusal::NotReplaced),
        }
    }

    fn write_end(&self, pair: Pair, effects: &mut Vec<Effect>) {
        let change = pair.ends(self.snapshot.tenant.id);
        effects.push(Effect::Record(Record::Replacement(change)));
    }
}
