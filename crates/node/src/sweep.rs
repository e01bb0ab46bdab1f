//! Files that nothing names: what a crash has left between a commit and the removal of a file.

use std::time::SystemTime;

use model::FileId;
use store::files::Whole;
use tracing::{info, warn};

use crate::error::with_causes;
use crate::limits;
use crate::loader::Tables;

/// Removes files that no sound and no message names, and what was never finished. Those of the last
/// day stay: their row may be on its way, or somebody writes them.
pub(crate) async fn sweep(tables: Tables) {
    let files = tables.files.clone();
    let listed = move || files.list(SystemTime::now(), limits::UNNAMED_FILE_AGE);
    let found = match tokio::task::spawn_blocking(listed).await {
        Ok(Ok(found)) => found,
        Ok(Err(error)) => return warn!(%error, "the files cannot be listed"),
        Err(error) => return warn!(%error, "the files cannot be listed"),
    };
    let of = |whole| found.iter().filter(move |file| file.whole == whole).map(|file| file.id);
    let whole: Vec<FileId> = of(Whole::Yes).collect();
    let parts: Vec<FileId> = of(Whole::No).collect();
    let unnamed = match tables.store.unnamed(&whole).await {
        Ok(unnamed) => unnamed,
        Err(error) => {
            return warn!(error = with_causes(&error), "files in use cannot be told from others");
        }
    };
    if unnamed.is_empty() && parts.is_empty() {
        return;
    }
    info!(
        unnamed = unnamed.len(),
        unfinished = parts.len(),
        "files that nothing names are removed"
    );
    let remove = move || {
        for id in unnamed {
            if let Err(error) = tables.files.remove(id) {
                warn!(file = %id, %error, "a file cannot be removed");
            }
        }
        for id in parts {
            if let Err(error) = tables.files.discard(id) {
                warn!(file = %id, %error, "a file cannot be removed");
            }
        }
    };
    if let Err(error) = tokio::task::spawn_blocking(remove).await {
        warn!(%error, "files cannot be removed");
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::sync::Arc;
    use std::time::Duration;

    use model::{NodeAddress, TenantKey, Wall};
    use store::{FileStore, NewClient, SoundContent, Store};

    use super::*;

    #[tokio::test]
    async fn only_old_files_that_nothing_names_are_removed() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path().join("a.db").to_str().unwrap()).await.unwrap();
        let client = NewClient {
            key: TenantKey::parse(b"abcdefgh").unwrap(),
            name: String::new(),
            domain: "sip.example.com".to_owned(),
            domain_prefix: model::Prefix::parse("00500").unwrap(),
            prefix: model::Prefix::parse("0003").unwrap(),
            extension_len: 3,
            calls_max: 1,
            timezone: "UTC".to_owned(),
            created: Wall(0),
        };
        let tenant = store.create_client(&client).await.unwrap();
        let files = FileStore::new(dir.path().join("files"));
        let (named, orphan, young, part, young_part) =
            (FileId(1), FileId(2), FileId(3), FileId(4), FileId(5));
        let filename = "a.wav".to_owned();
        let content = SoundContent { filename, file: named, length_ms: 1, bytes: 1 };
        store.create_sound(tenant, "a", &content, Wall(0)).await.unwrap().unwrap();
        for id in [named, orphan, young] {
            files.write(id, b"x").unwrap();
        }
        for id in [part, young_part] {
            files.create(id).unwrap();
        }
        let old = SystemTime::now() - limits::UNNAMED_FILE_AGE - Duration::from_secs(60);
        for path in [files.path(named), files.path(orphan), files.temporary_path(part)] {
            File::options().write(true).open(path).unwrap().set_modified(old).unwrap();
        }
        let left = Arc::default();
        sweep(Tables { store, node: NodeAddress(1), files: files.clone(), left }).await;
        let mut kept: Vec<_> = files
            .list(SystemTime::now(), Duration::ZERO)
            .unwrap()
            .into_iter()
            .map(|file| (file.id, file.whole))
            .collect();
        kept.sort_by_key(|(id, _)| *id);
        assert_eq!(kept, [(named, Whole::Yes), (young, Whole::Yes), (young_part, Whole::No)]);
    }
}
