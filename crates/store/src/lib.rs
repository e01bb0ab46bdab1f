//! SQL: the schema, its queries, building snapshots, loading the journal into tables.
//!
//! Knows: how clients, users, applications, tokens, extensions, phones, registrations, call
//! records, events and saved calls lie in tables, and nothing of who asks for them.
//! Never knows: SIP, HTTP, what an exchange is, the clock (moments are handed in).
//!
//! One file a table, one function a query, its name from the domain. Every query names the tenant
//! in its WHERE, with two kinds of exceptions: what finds the tenant in the first place (a login,
//! an application, a token), and [`operator`], which serves the node itself. `claims` alone holds
//! one client's configuration against another's. Rows of tables are
//! types of their own; making a `model` value of one checks it, so that a row that somebody edited
//! by hand is an error with a name and never a panic.
//!
//! The database is a file of SQLite or a server of PostgreSQL. Both take the same statements
//! (numbered parameters, `ON CONFLICT`, `RETURNING`); which of the two it is know only `query`,
//! `connection` and the two files that open them. The schema is written down once for each, under
//! `migrations/`, and a test compares the two.
//!
//! In PostgreSQL writers go side by side. A write to a client's configuration begins by counting
//! its revision, and loading a journal by claiming its position: both hold up whoever would do
//! the same, so that neither ever works on what another is about to change.
//!
//! Read in this order: [`open`], `sqlite`, `postgres`, `connection`, `query`, [`db`], [`clients`],
//! [`extensions`], [`phones`], `parts`, [`intervals`], [`sounds`], [`rules`], [`trunks`],
//! [`dids`], `claims`, [`dial_rules`], [`settings`] with `feature_codes`, [`routing`],
//! [`control_groups`], [`snapshot`], [`directory`], [`users`], [`applications`], [`tokens`],
//! [`journal`] with the tables that it fills ([`bindings`], [`cdr_legs`], [`call_traces`],
//! [`audit`], [`events`], [`messages`], [`recordings`], [`saved_calls`], [`replacements`],
//! [`wrong_pins`], [`positions`]), [`operator`], [`seed`]. Beside the tables stands [`files`]:
//! what is too large for them.
#![forbid(unsafe_code)]

pub mod applications;
pub mod audit;
pub mod bindings;
pub mod call_traces;
pub mod cdr_legs;
mod claims;
pub mod clients;
mod connection;
pub mod control_groups;
pub mod db;
pub mod dial_rules;
pub mod dids;
pub mod directory;
pub mod error;
pub mod events;
pub mod extensions;
mod feature_codes;
pub mod files;
pub mod intervals;
pub mod journal;
pub mod limits;
pub mod messages;
pub mod open;
pub mod operator;
mod parts;
pub mod phones;
pub mod positions;
mod postgres;
mod query;
pub mod recordings;
pub mod replacements;
pub mod routing;
pub mod rules;
pub mod saved_calls;
pub mod seed;
pub mod settings;
pub mod snapshot;
pub mod sounds;
mod sqlite;
pub mod tokens;
pub mod trunks;
pub mod users;
pub mod wrong_pins;

#[cfg(test)]
mod statements;

pub use applications::{AppAccess, AppKind, Application, NewApplication};
pub use audit::{AuditActor, AuditCheck, AuditOrder, AuditQuery, AuditRow};
pub use clients::NewClient;
pub use dids::StoredDid;
pub use error::{Conflict, StoreError};
pub use extensions::{NewExtension, NewPhone};
pub use files::{FileName, FileStore};
pub use journal::{Applied, Batch, Sizes};
pub use messages::{Mail, MessageCounts, MessagesOf, StoredMessage};
pub use open::{Store, shown};
pub use operator::Live;
pub use positions::JournalId;
pub use recordings::{Conversion, StoredRecording, Unconverted};
pub use seed::{Demo, Seeded, SeededPhone};
pub use sounds::{SoundContent, StoredSound};
pub use tokens::{Bearer, Digest, IssuedTo, TokenKind};
pub use users::{NewUser, User, UserAccess, UserScope};
