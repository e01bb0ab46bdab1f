//! How many calls an extension is called in, while a step decides whether it may be called once
//! more: what the step has begun and ended already counts, though nothing of it is applied yet.

use leg::CallFlow;
use model::ExtensionId;
use smallvec::SmallVec;

use super::Work;
use crate::call::BranchId;
use crate::step::Action;

impl Work<'_, '_> {
    /// In how many calls an extension is called at this point of the step.
    pub(super) fn incoming(&self, extension: ExtensionId) -> u32 {
        let mut count = self.facts.tables.incoming(extension);
        let mut begun: SmallVec<[BranchId; 4]> = SmallVec::new();
        let mut ended: SmallVec<[BranchId; 4]> = SmallVec::new();
        for action in &self.actions.list {
            match action {
                Action::Join { branch, extension: Some(of), flow: CallFlow::In, .. }
                    if *of == extension =>
                {
                    begun.push(*branch);
                    count = count.saturating_add(1);
                }
                Action::Leave { branch, .. } | Action::LeaveListed { branch, .. }
                    if !ended.contains(branch)
                        && (begun.contains(branch) || self.is_called(*branch, extension)) =>
                {
                    ended.push(*branch);
                    count = count.saturating_sub(1);
                }
                _ => {}
            }
        }
        count
    }

    fn is_called(&self, branch: BranchId, extension: ExtensionId) -> bool {
        let part = self.facts.call.branches.get(branch);
        part.is_some_and(|b| b.extension == Some(extension) && b.counts_as() == CallFlow::In)
    }
}
