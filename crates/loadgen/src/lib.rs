//! SIP phones and RTP streams by the thousand, for measuring the switch from outside.
//!
//! Knows: what goes over the wire, and how a process is started, pinned and watched.
//! Never knows: any crate of the product; what it measures it sees as a stranger would.
//!
//! Read in this order: [`process`], [`demo`], [`message`], [`digest`], [`phones`], [`rtp`],
//! [`relay`], [`responder`], [`strangers`], [`usage`].

pub mod demo;
pub mod digest;
pub mod http;
pub mod message;
pub mod phones;
pub mod ports;
pub mod process;
pub mod relay;
pub mod responder;
pub mod rtp;
pub mod socket;
pub mod strangers;
pub mod usage;
pub mod watch;

pub use demo::{Demo, Switch, SwitchOptions};
pub use http::Http;
pub use phones::{CallPlan, CallReport, Phones, RegisterReport};
pub use process::Process;
pub use rtp::{Pace, RtpReport, Streams};
