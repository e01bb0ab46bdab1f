//! Audio as values: RTP and RTCP, codecs, jitter buffers, mixer, tones, digits.
//!
//! Knows: which packets a leg believes, who hears whom, what is played, how it all looks on the
//! wire, and in which order the world has to be told.
//! Never knows: SIP, sockets, files, clocks, threads. [`Plane`] is told the time and the packets,
//! and answers with [`Effects`]; whoever owns the sockets carries them out.
//!
//! Read in this order: [`effects`], `plane` (commands in `relation` and `sounds`, packets in
//! `inbound`, the clock in `frames` and `timers`), then what it is made of: [`source`],
//! [`received`], [`sent`] and `seam`, [`keys`], `inband`, [`presses`], [`jitter`] with `conceal`,
//! [`player`], `clip` with [`speech`], `recorder` with [`wav`], [`opus_file`], [`mp3_file`],
//! [`codec`], [`pcm`] and [`resample`], [`rtp`], [`rtcp`], [`g711`]. [`limits`] has every bound.
//! [`measure`] listens on behalf of tests.
//!
//! ```
//! use core::net::SocketAddr;
//! use media::{Effect, Effects, Plane};
//! use model::{Chance, Now};
//!
//! let now = Now::default();
//! let mut plane = Plane::new(now, Chance::from_number(1));
//! let mut effects = Effects::new();
//! let from: SocketAddr = "192.0.2.1:4000".parse().unwrap();
//! let mut datagram = [0x80, 8, 0, 1, 0, 0, 0, 0, 0, 0, 0, 7, 0xD5];
//! plane.packet(now, 20_000, from, &mut datagram, &mut effects);
//! for effect in &effects {
//!     if let Effect::Send { port, to, bytes } = effect {
//!         println!("{port} to {to}: {} bytes", effects.bytes(&datagram, *bytes).len());
//!     }
//! }
//! effects.clear();
//! ```

mod clip;
pub mod codec;
mod conceal;
pub mod counters;
pub mod effects;
#[doc(hidden)]
pub mod fuzzing;
pub mod g711;
mod inband;
pub mod jitter;
pub mod keys;
pub mod limits;
pub mod measure;
pub mod mp3_file;
mod music;
pub mod opus_file;
pub mod pcm;
mod plane;
pub mod player;
pub mod presses;
pub mod received;
mod recorder;
pub mod resample;
pub mod rtcp;
pub mod rtp;
mod seam;
pub mod sent;
pub mod source;
pub mod speech;
pub mod wav;

pub use clip::Sound;
pub use counters::{Counters, Dropped};
pub use effects::{Bytes, Effect, Effects, Recording, Sought, Taken};
pub use plane::{Audible, LegStats, Outlet, PeerReport, Plane, Way};
pub use player::prepare;
