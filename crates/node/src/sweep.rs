//! Files that nothing names: what a crash has left between a commit and the removal of a file.

use std::collections::BTreeSet;
use std::time::SystemTime;

use model::{FileFormat, FileId};
use store::files::{self, FileName};
use store::{FileStore, Store, StoreError};
use tracing::{info, warn};

use crate::error::with_causes;
use crate::limits;
use crate::loader::Tables;

/// Removes files that nothing names, what was never finished, and of recordings in two formats the
/// one that their rows do not name. Those of the last day stay: their row may be on its way, or
/// somebody writes them.
pub(crate) async fn sweep(tables: Tables) {
    let files = tables.files.clone();
    let found = match tokio::task::spawn_blocking(move || find(&files)).await {
        Ok(Ok(found)) => found,
        Ok(Err(error)) => return warn!(%error, "the files cannot be listed"),
        Err(error) => return warn!(%error, "the files cannot be listed"),
    };
    let useless = match useless(&tables.store, &found.whole).await {
        Ok(useless) => useless,
        Err(error) => {
            return warn!(error = with_causes(&error), "files in use cannot be told from others");
        }
    };
    let parts = found.parts;
    if useless.is_empty() && parts.is_empty() {
        return;
    }
    info!(
        unnamed = useless.len(),
        unfinished = parts.len(),
        "files that nothing names are removed"
    );
    let remove = move || {
        for name in useless {
            if let Err(error) = tables.files.remove(name) {
                warn!(file = %name.id, %error, "a file cannot be removed");
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

/// The files of more than a day.
struct Found {
    whole: Vec<Whole>,
    parts: Vec<FileId>,
}

/// A file that is complete.
#[derive(Clone, Copy)]
struct Whole {
    name: FileName,
    /// There is another of the same id.
    is_double: bool,
}

fn find(files: &FileStore) -> std::io::Result<Found> {
    let mut found = Found { whole: Vec::new(), parts: Vec::new() };
    for stored in files.list(SystemTime::now(), limits::UNNAMED_FILE_AGE)? {
        match stored.whole {
            files::Whole::Yes(format) => {
                let mut others = FileFormat::ALL.into_iter().filter(|other| *other != format);
                let is_double = others.any(|other| files.size((stored.id, other)).is_ok());
                let name = FileName { id: stored.id, format };
                found.whole.push(Whole { name, is_double });
            }
            files::Whole::No => found.parts.push(stored.id),
        }
    }
    Ok(found)
}

/// Those that no row names. A file that is alone is never one of them while anything has its id:
/// a database from a backup may say that it is what it was.
async fn useless(store: &Store, whole: &[Whole]) -> Result<Vec<FileName>, StoreError> {
    let ids = |double: bool| -> Vec<FileId> {
        let of = whole.iter().filter(|file| file.is_double || !double).map(|file| file.name.id);
        of.collect::<BTreeSet<_>>().into_iter().collect()
    };
    let unnamed: BTreeSet<_> = store.unnamed(&ids(false)).await?.into_iter().collect();
    let converted = store.converted(&ids(true)).await?;
    let is_useless = |file: &&Whole| {
        let FileName { id, format } = file.name;
        let is_named = format == converted.get(&id).copied().unwrap_or(FileFormat::Wav);
        unnamed.contains(&id) || file.is_double && !is_named
    };
    Ok(whole.iter().filter(is_useless).map(|file| file.name).collect())
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::time::Duration;

    use leg::{Record, Recording};
    use model::{CallUuid, ExtensionId, NodeAddress, TenantId, TenantKey, Wall};
    use store::{Conversion, JournalId, NewClient, Sizes, SoundContent};

    use super::*;

    async fn tables(dir: &std::path::Path) -> (Tables, TenantId) {
        let store = Store::open(dir.join("a.db").to_str().unwrap()).await.unwrap();
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
        let (files, (left, recorded)) = (FileStore::new(dir.join("files")), Default::default());
        (Tables { store, node: NodeAddress(1), files, left, recorded }, tenant)
    }

    fn make_old(path: &std::path::Path) {
        let old = SystemTime::now() - limits::UNNAMED_FILE_AGE - Duration::from_secs(60);
        File::options().write(true).open(path).unwrap().set_modified(old).unwrap();
    }

    fn kept(files: &FileStore) -> Vec<(FileId, files::Whole)> {
        let found = files.list(SystemTime::now(), Duration::ZERO).unwrap();
        let mut kept: Vec<_> = found.into_iter().map(|file| (file.id, file.whole)).collect();
        kept.sort_by_key(|(id, whole)| (*id, *whole != WAV));
        kept
    }

    const WAV: files::Whole = files::Whole::Yes(FileFormat::Wav);
    const OPUS: files::Whole = files::Whole::Yes(FileFormat::Opus);

    #[tokio::test]
    async fn only_old_files_that_nothing_names_are_removed() {
        let dir = tempfile::tempdir().unwrap();
        let (tables, tenant) = tables(dir.path()).await;
        let files = tables.files.clone();
        let (named, orphan, young, part, young_part) =
            (FileId(1), FileId(2), FileId(3), FileId(4), FileId(5));
        let filename = "a.wav".to_owned();
        let content = SoundContent { filename, file: named, length_ms: 1, bytes: 1 };
        tables.store.create_sound(tenant, "a", &content, Wall(0)).await.unwrap().unwrap();
        for id in [named, orphan, young] {
            files.write(id, b"x").unwrap();
        }
        for id in [part, young_part] {
            files.create(id).unwrap();
        }
        for path in [files.path(named), files.path(orphan), files.temporary_path(part)] {
            make_old(&path);
        }
        sweep(tables).await;
        assert_eq!(kept(&files), [(named, WAV), (young, WAV), (young_part, files::Whole::No)]);
    }

    #[tokio::test]
    async fn a_recording_keeps_the_format_that_its_row_names_and_is_never_without_a_file() {
        let dir = tempfile::tempdir().unwrap();
        let (tables, tenant) = tables(dir.path()).await;
        let files = tables.files.clone();
        let recording = |n: u128| Recording {
            tenant,
            extension: ExtensionId(100_000),
            file: FileId(n),
            length_ms: 1_000,
            call: CallUuid(1),
            sub_call_id: n.to_string().into(),
            time: Wall(1),
            format: if n == 6 { FileFormat::Mp3 } else { FileFormat::Opus },
        };
        let records = (1..=6).map(|n| Record::Recording(Box::new(recording(n)))).collect();
        let journal = JournalId { node: NodeAddress(1), shard: 0 };
        tables.store.apply(journal, 1, &[(1, records)], &Sizes::new()).await.unwrap();
        for n in [1, 3, 5] {
            let done = Conversion::Done { format: FileFormat::Opus, bytes: 1 };
            assert!(tables.store.set_conversion(tenant, FileId(n), done).await.unwrap());
        }
        let done = Conversion::Done { format: FileFormat::Mp3, bytes: 1 };
        assert!(tables.store.set_conversion(tenant, FileId(6), done).await.unwrap());
        let opus = |n| FileName { id: FileId(n), format: FileFormat::Opus };
        let mp3 = FileName { id: FileId(6), format: FileFormat::Mp3 };
        // In both formats: converted, and not yet; in the one that its row does not name; nobody's.
        let wav = [1, 2, 3, 9].map(|n| FileName::from(FileId(n)));
        let others = [opus(1), opus(2), opus(4), opus(9), opus(5), opus(6), mp3];
        for name in wav.into_iter().chain(others) {
            let file = files.create(name.id).unwrap();
            files.finish(name, &file).unwrap();
            // The new file of 5 is young; its old one was written a day before.
            if name != opus(5) {
                make_old(&files.path(name));
            }
        }
        files.write(FileId(5), b"x").unwrap();
        make_old(&files.path(FileId(5)));
        sweep(tables).await;
        let [one, two, three, four, five] = [1, 2, 3, 4, 5].map(FileId);
        let expected = [(one, OPUS), (two, WAV), (three, WAV), (four, OPUS), (five, OPUS)];
        let mp3 = (mp3.id, files::Whole::Yes(mp3.format));
        assert_eq!(kept(&files), [&expected[..], &[mp3]].concat());
    }
}
