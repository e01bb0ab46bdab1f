//! Orders: what somebody wants done with a call, from wherever it came.

use leg::CallAction;

use crate::call::BranchId;

/// Something to do with an extension's part in a call. The step that takes care of the part checks
/// it completely before anything is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// The part.
    pub branch: BranchId,
    /// What.
    pub action: CallAction,
}
