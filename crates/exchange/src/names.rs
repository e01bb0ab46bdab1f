//! How extensions are called in events and call records, made once for each configuration: every
//! call of an extension is told of eight times, always under the same names.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::{ExtensionId, Snapshot};

/// The names of the extensions that had a call since the configuration is in use.
#[derive(Clone, Debug, Default)]
pub struct Names {
    made: BTreeMap<ExtensionId, Name>,
    domain: Option<Arc<str>>,
}

/// How one extension is called.
#[derive(Clone, Debug)]
pub struct Name {
    /// `0003*100`; of an extension that was deleted meanwhile, its id.
    pub full: Arc<str>,
    /// `0003*100@domain`.
    pub address: Arc<str>,
    /// It is there.
    pub exists: bool,
}

impl Names {
    /// The configuration has changed.
    pub fn forget(&mut self) {
        *self = Names::default();
    }

    /// The name of an extension.
    pub fn of(&mut self, snapshot: &Snapshot, id: ExtensionId) -> Name {
        let made = self.made.entry(id).or_insert_with(|| {
            let extension = snapshot.extension(id);
            let full = extension.map_or_else(|| id.to_string(), |e| snapshot.full_name(e));
            let address = format!("{full}@{}", snapshot.tenant.domain).into();
            Name { full: full.into(), address, exists: extension.is_some() }
        });
        made.clone()
    }

    /// The domain of the tenant.
    pub fn domain(&mut self, snapshot: &Snapshot) -> Arc<str> {
        let domain = || Arc::from(snapshot.tenant.domain.as_str());
        Arc::clone(self.domain.get_or_insert_with(domain))
    }
}
