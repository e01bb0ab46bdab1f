//! Why the node does not start.

use std::error::Error;
use std::io;

use store::StoreError;
use thiserror::Error;

/// Why the node does not start, in a sentence that names the setting to change.
#[derive(Debug, Error)]
pub enum StartError {
    /// What the operator has set cannot be done.
    #[error("setting `{setting}`: {why}")]
    Setting {
        /// Its name, as in the configuration file.
        setting: &'static str,
        /// What is wrong, and what to do.
        why: String,
    },
    /// The database cannot be used; the sentence names its setting where that is the cause.
    #[error("{}", with_causes(.0))]
    Store(StoreError),
    /// The machine did not do what it should.
    #[error("cannot {doing}: {source}")]
    System {
        /// What was being done.
        doing: &'static str,
        /// The cause.
        #[source]
        source: io::Error,
    },
}

impl StartError {
    /// The operator's to mend.
    pub(crate) fn setting(setting: &'static str, why: impl Into<String>) -> StartError {
        StartError::Setting { setting, why: why.into() }
    }

    /// Ours, or the machine's.
    pub(crate) fn system(doing: &'static str) -> impl FnOnce(io::Error) -> StartError {
        move |source| StartError::System { doing, source }
    }
}

impl From<StoreError> for StartError {
    fn from(error: StoreError) -> StartError {
        StartError::Store(error)
    }
}

/// An error and what caused it, in one line.
pub(crate) fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
