//! The outside world: sockets, threads, timers, files. The only reader of clock and network.
//!
//! Knows: how bytes come in and go out, in what order a shard's effects leave, and what must be on
//! disk before they do.
//! Never knows: what a call is. It has no rules of its own.
//!
//! [`Prepared::open`] claims what the [`Settings`] name, [`Prepared::start`] makes a [`Node`] of
//! it, [`Node::stop`] ends it in good order. Read in this order: `start` and `node`; a shard's
//! thread in `shard_thread` with its `inbox`, `sip_socket` and `journal`; connections in `streams`
//! and `flows`, what is spoken on them in `framed` and `websocket`, who is believed in `tls` and
//! `certificate`, those that we make in `connector`; audio in `media_thread`, `mailbox`,
//! `rtp_sockets` and, from and to the disk, `files`; the way into the database in `loader` and
//! `recover`; what becomes of messages and recordings behind the calls in `mail`, `convert` and
//! `sweep`; what programs and operators see in `board`, `http`, `bans`, `overview` and
//! `metrics`, and what is logged in `log_lines`. [`limits`] has every bound.

mod bans;
mod board;
mod call_log;
mod certificate;
mod clock;
mod connector;
mod convert;
mod data_dir;
mod error;
mod expiry;
mod files;
mod flows;
mod framed;
mod http;
mod inbox;
mod journal;
mod letter;
pub mod limits;
mod lit;
mod loader;
mod log_lines;
mod lookups;
mod mail;
mod mailbox;
pub mod measure;
mod media_thread;
mod metrics;
mod node;
mod overview;
mod patience;
mod ports;
mod recover;
mod rtp_sockets;
mod seed;
mod self_signed;
mod settings;
mod shard_thread;
mod sip_socket;
mod start;
mod streams;
mod sweep;
mod tls;
pub mod turns;
mod websocket;

pub use call_log::LoggedNumbers;
pub use certificate::CertificateFiles;
pub use data_dir::write_private;
pub use error::StartError;
pub use log_lines::LogLines;
pub use mail::{BadMailSettings, MailSettings};
pub use node::Node;
pub use ports::SipAddresses;
pub use seed::{Credentials, SeedRequest, SeededClient, SeededPhone};
pub use settings::{CertificateSource, PasswordCost, SHARDS_MAX, Settings};
pub use stack::{Digests, PublicAddress};
pub use start::Prepared;
pub use store::shown as shown_database;
