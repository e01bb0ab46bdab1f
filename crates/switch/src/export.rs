//! A whole tenant as bytes: CBOR with field names, `version` first.

use cbor4ii::serde::from_slice;
use leg::{ReplacementChange, WrongPinCount};
use model::Now;
use serde::{Deserialize, Serialize};

/// The version that is written.
pub const VERSION: u32 = 1;

/// Why an exported tenant could not be taken up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImportError {
    /// It is damaged, or was never an exported tenant.
    Damaged,
    /// It was written by a newer program.
    Newer {
        /// Its version.
        version: u32,
    },
}

#[derive(Serialize, Deserialize)]
struct Exported {
    version: u32,
    saved: Now,
    calls: Vec<Vec<u8>>,
    stack: Vec<u8>,
    /// The first that were written down had none.
    #[serde(default)]
    replaced: Vec<ReplacementChange>,
    #[serde(default)]
    wrong_pins: Vec<WrongPinCount>,
}

/// What a tenant consists of beside its configuration.
#[derive(Debug)]
pub(crate) struct Parts {
    /// Its calls.
    pub(crate) calls: Vec<Vec<u8>>,
    /// Its dialogs and registrations.
    pub(crate) stack: Vec<u8>,
    /// Extensions that serve each other.
    pub(crate) replaced: Vec<ReplacementChange>,
    /// Wrong PINs that count still.
    pub(crate) wrong_pins: Vec<WrongPinCount>,
}

/// Writes the parts of a tenant down.
pub(crate) fn written(now: Now, parts: Parts) -> Vec<u8> {
    let Parts { calls, stack, replaced, wrong_pins } = parts;
    let exported = Exported { version: VERSION, saved: now, calls, stack, replaced, wrong_pins };
    cbor4ii::serde::to_vec(Vec::new(), &exported).expect("a vector takes every byte")
}

/// Reads them back.
pub(crate) fn read(bytes: &[u8]) -> Result<Parts, ImportError> {
    #[derive(Deserialize)]
    struct Version {
        version: u32,
    }
    let Version { version } = from_slice(bytes).map_err(|_| ImportError::Damaged)?;
    if version > VERSION {
        return Err(ImportError::Newer { version });
    }
    let read: Exported = from_slice(bytes).map_err(|_| ImportError::Damaged)?;
    let Exported { calls, stack, replaced, wrong_pins, .. } = read;
    Ok(Parts { calls, stack, replaced, wrong_pins })
}
