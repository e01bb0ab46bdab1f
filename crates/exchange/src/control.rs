//! Orders: what somebody wants done with a call, from wherever it came.

use std::sync::Arc;

use leg::{AuditProgram, CallAction};

use crate::call::BranchId;

/// Something to do with an extension's part in a call. The step that takes care of the part checks
/// it completely before anything is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// The part.
    pub branch: BranchId,
    /// What.
    pub action: CallAction,
    /// The program that wants it; `None`: a person with a telephone.
    pub program: Option<Arc<AuditProgram>>,
}
