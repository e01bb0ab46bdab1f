//! Trunks: calls to them, and registrations with them.

mod calls;
mod connections;
mod digest;
mod enrolments;
mod hosts;
mod loss;
mod names;
mod saving;
