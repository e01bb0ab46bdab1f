//! Where a call goes: the dial plan, incoming call rules, time intervals, and who is shown as
//! calling. Pure functions of the snapshot.
//!
//! Knows: a tenant's configuration, numbers. Never knows: SIP syntax, calls in progress, SQL.
//!
//! The live switch and every dry run use the same functions. Read in this order: [`dial`],
//! [`feature`], [`e164`], [`allowed`], [`forward`], [`caller`], [`interval`], [`rules`],
//! [`findings`], [`identity`].

pub mod allowed;
pub mod caller;
pub mod dial;
pub mod e164;
pub mod feature;
pub mod findings;
pub mod forward;
pub mod identity;
pub mod interval;
pub mod rules;

pub use allowed::is_allowed;
pub use caller::Caller;
pub use dial::{Destination, NoTarget, Outside, Unroutable, destination, target};
pub use e164::Country;
pub use feature::{Feature, Named, without_pin};
pub use forward::{Lead, Reach, lead, reach};
pub use identity::{Calling, Shown, caller_identity, shown_outside};
pub use rules::{Facts, Next, Own, Registers, Report};
