//! Call control groups: who may pick up, hear, whisper to, join and replace whom from a telephone.
//!
//! [`groups`] is the document as it was written (specification page `/call_control_group/`),
//! `document` its JSON, `changes` tells two of them apart; [`rights`] is what it is compiled into,
//! and the one function that decides; `table` is where it looks.

mod changes;
mod document;
pub mod groups;
pub mod monitor;
pub mod rights;
mod table;

pub use groups::{BadGroups, ControlGroups};
pub use monitor::MonitorMode;
pub use rights::{Clause, ControlAction, GroupSet, Rights, Verdict};
