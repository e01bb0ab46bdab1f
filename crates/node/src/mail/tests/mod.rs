//! Messages, a relay that is played, and what reaches it.

mod deliveries;
mod office;
mod relay;
mod text;
