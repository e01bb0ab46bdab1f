//! The API as programs see it: in process, and once over a real socket.
//! One binary, so that it is linked once.

mod audit;
mod bounds;
mod call_control;
mod calls;
mod control_groups;
mod document;
mod extensions;
mod feature_codes;
mod idempotency;
mod numbers;
mod oauth;
mod phones;
mod rules;
mod sounds;
mod support;
mod tolerance;
mod voicemail;
mod walk;
mod worked_example;
