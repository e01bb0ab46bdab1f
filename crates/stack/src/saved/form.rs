//! How a saved leg is written.

use std::borrow::Cow;

use leg::{Binding, Direction, Diversion, Identity, LegId, Session};
use model::{DeviceId, EndReason, ExtensionId, Mono, Number, TrunkId, Wall};
use serde::de::{Deserializer, Visitor};
use serde::ser::Serializer;
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use super::SavedLine;
use crate::dialog::{Able, Peer};
use crate::enrol::SavedEnrolment;
use crate::interface::Flow;
use crate::login::Login;
use crate::nonce::Counted;
use crate::refer::SavedRefers;
use crate::saved_dialog::{SavedEarly, SavedReliable, SavedTimed};

/// A saved state.
#[derive(Serialize, Deserialize)]
pub(super) struct Saved<'a> {
    pub(super) version: u32,
    /// Which run of the switch wrote it: only there do connections still exist.
    pub(super) run: u64,
    pub(super) saved_mono: Mono,
    pub(super) saved_wall: Wall,
    pub(super) legs: Vec<SavedLeg<'a>>,
    #[serde(default)]
    pub(super) bindings: Vec<SavedBinding>,
    /// Our registrations with trunks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) trunks: Vec<SavedEnrolment>,
    /// The nonce counts of an exported tenant; `None`: they were not carried along.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) nonces: Option<Vec<Counted>>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct SavedBinding {
    pub(super) extension: ExtensionId,
    pub(super) device: DeviceId,
    pub(super) binding: Binding,
    /// Stood beside the instance in earlier releases.
    pub(super) reg_id: Option<u32>,
    pub(super) flow: Flow,
}

#[derive(Serialize, Deserialize)]
pub(super) struct SavedLeg<'a> {
    pub(super) leg: LegId,
    /// Of a phone; of a leg to a trunk it means nothing.
    pub(super) extension: ExtensionId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) device: Option<DeviceId>,
    /// Of a leg to a trunk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) trunk: Option<SavedTrunk>,
    pub(super) call_id: Cow<'a, str>,
    pub(super) tag: Cow<'a, str>,
    pub(super) local: Cow<'a, str>,
    pub(super) remote: Cow<'a, str>,
    pub(super) flow: Flow,
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub(super) lost: bool,
    pub(super) cseq: u32,
    pub(super) phase: SavedPhase<'a>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) unacked: Option<SavedUnacked<'a>>,
    pub(super) media: SavedMedia<'a>,
    #[serde(default)]
    pub(super) able: Able,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) reliable: Option<SavedReliable>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) timed: Option<SavedTimed>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) refers: Option<SavedRefers>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) display: Option<Cow<'a, Identity>>,
}

/// The trunk at the other end of a leg. The password is the directory's.
#[derive(Serialize, Deserialize)]
pub(super) struct SavedTrunk {
    pub(super) trunk: TrunkId,
    pub(super) name: Option<Box<str>>,
    pub(super) login: Option<Login>,
    /// What is needed to try the hosts of the trunk again, from the first on.
    pub(super) search: Option<SavedSearch>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct SavedSearch {
    pub(super) number: Number,
    /// All that earlier releases knew of the identity.
    pub(super) private: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) identity: Option<Identity>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) diversion: Option<Diversion>,
    pub(super) max_forwards: u8,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum SavedPhase<'a> {
    /// Between two tries to reach a trunk.
    Seeking,
    Invited {
        /// What its responses copy from the INVITE.
        request: Blob<'a>,
        source: Flow,
        peer: Cow<'a, Peer>,
        provisional: Option<Blob<'a>>,
    },
    Inviting {
        /// The INVITE; `None`: it is about to be answered.
        request: Option<Blob<'a>>,
        proceeding: bool,
        /// The forks of version 1: their tags, and whether they had described themselves.
        #[serde(default, skip_serializing)]
        early: Vec<(Cow<'a, str>, bool)>,
        #[serde(default)]
        forks: Vec<SavedEarly>,
        heard: bool,
    },
    Up(Cow<'a, Peer>),
}

#[derive(Serialize, Deserialize)]
pub(super) struct SavedUnacked<'a> {
    pub(super) cseq: u32,
    pub(super) bytes: Blob<'a>,
    pub(super) lost: Mono,
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub(super) first: bool,
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub(super) offer: bool,
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub(super) ending: bool,
    /// Why it is ending.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) why: Option<EndReason>,
    /// Where the 2xx goes; `None`: to the leg's flow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) flow: Option<Flow>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct SavedMedia<'a> {
    pub(super) origin: u64,
    pub(super) version: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) local: Option<Cow<'a, Session>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) remote: Option<Cow<'a, Session>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) shape: Option<SavedShape<'a>>,
    pub(super) own: Direction,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) wanted: Option<Cow<'a, Session>>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct SavedShape<'a> {
    pub(super) media: SmallVec<[SavedLine<'a>; 1]>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) audio: Option<usize>,
    pub(super) time: (u64, u64),
}

/// Bytes that CBOR writes as bytes.
pub(crate) struct Blob<'a>(pub(crate) Cow<'a, [u8]>);

impl Serialize for Blob<'_> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Blob<'_> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Reader;
        impl Visitor<'_> for Reader {
            type Value = Blob<'static>;
            fn expecting(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.write_str("bytes")
            }
            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Self::Value, E> {
                Ok(Blob(Cow::Owned(bytes.to_vec())))
            }
            fn visit_byte_buf<E>(self, bytes: Vec<u8>) -> Result<Self::Value, E> {
                Ok(Blob(Cow::Owned(bytes)))
            }
        }
        d.deserialize_byte_buf(Reader)
    }
}
