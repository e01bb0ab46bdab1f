//! A whole tenant as bytes: CBOR with field names, `version` first.

use cbor4ii::serde::from_slice;
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
}

/// Writes the parts of a tenant down.
pub(crate) fn written(now: Now, calls: Vec<Vec<u8>>, stack: Vec<u8>) -> Vec<u8> {
    let exported = Exported { version: VERSION, saved: now, calls, stack };
    cbor4ii::serde::to_vec(Vec::new(), &exported).expect("a vector takes every byte")
}

/// Reads them back.
pub(crate) fn read(bytes: &[u8]) -> Result<(Vec<Vec<u8>>, Vec<u8>), ImportError> {
    #[derive(Deserialize)]
    struct Version {
        version: u32,
    }
    let Version { version } = from_slice(bytes).map_err(|_| ImportError::Damaged)?;
    if version > VERSION {
        return Err(ImportError::Newer { version });
    }
    let read: Exported = from_slice(bytes).map_err(|_| ImportError::Damaged)?;
    Ok((read.calls, read.stack))
}
