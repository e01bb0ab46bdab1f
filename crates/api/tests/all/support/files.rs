//! Sounds and messages that are there from the beginning, and bodies with files in them.

use leg::{Message, Record};
use model::{CallUuid, ExtensionId, FileId, NodeAddress, SoundId, TenantId, Wall};
use store::{FileStore, JournalId, Sizes, SoundContent, Store};

use super::START;

/// A WAV file that is text too: 80 samples of one value, 8 bits, 8 kHz.
pub(crate) const WAV: &str = "RIFFt\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x40\x1f\0\0\
    \x01\0\x08\0dataP\0\0\0PPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPP";

/// The boundary of our multipart bodies.
const BOUNDARY: &str = "--in-between";

/// What kind of body this is.
pub(crate) fn content_type(body: &str) -> &'static str {
    if body.starts_with(BOUNDARY) {
        "multipart/form-data; boundary=in-between"
    } else {
        "application/json"
    }
}

/// A multipart body: a title, unless it is empty, and a file.
pub(crate) fn upload(title: &str, filename: &str, file: &str) -> String {
    let disposition = "Content-Disposition: form-data; name=";
    let mut body = String::new();
    if !title.is_empty() {
        body.push_str(&format!("{BOUNDARY}\r\n{disposition}\"title\"\r\n\r\n{title}\r\n"));
    }
    body.push_str(&format!(
        "{BOUNDARY}\r\n{disposition}\"file\"; filename=\"{filename}\"\r\n\
         Content-Type: audio/x-wav\r\n\r\n{file}\r\n{BOUNDARY}--\r\n"
    ));
    body
}

/// A sound of the client.
pub(crate) async fn sound(store: &Store, files: &FileStore, tenant: TenantId) -> SoundId {
    let file = FileId(u128::from(tenant.0) << 64 | 1);
    files.write(file, b"a sound").unwrap();
    let filename = "hello.mp3".to_owned();
    let content = SoundContent { filename, file, length_ms: 1_500, bytes: 7 };
    store.create_sound(tenant, "Hello", &content, START).await.unwrap().unwrap().id
}

/// A message for an extension of the client, an hour before the tests begin.
pub(crate) async fn message(
    store: &Store,
    files: &FileStore,
    of: (TenantId, ExtensionId),
) -> FileId {
    let file = FileId(u128::from(of.0.0) << 64 | 2);
    leave(store, files, of, file, Wall(START.0 - 3_600_000_000)).await;
    file
}

/// Leaves a message at a moment.
pub(crate) async fn leave(
    store: &Store,
    files: &FileStore,
    (tenant, extension): (TenantId, ExtensionId),
    file: FileId,
    time: Wall,
) {
    files.write(file, b"a message").unwrap();
    let message = Message {
        tenant,
        extension,
        file,
        length_ms: 2_500,
        call: CallUuid(0xABC),
        sub_call_id: "100000-000000000000000000000000000000ff".into(),
        caller_number: "74951234567".into(),
        caller_name: "Anna".into(),
        did: Some("78121234567".into()),
        time,
    };
    let (record, sizes) = (Record::Message(Box::new(message)), Sizes::from([(file, 9)]));
    // Each has a journal of its own, so that nobody counts.
    let shard = u32::try_from(file.0 % 65_521).unwrap();
    let journal = JournalId { node: NodeAddress(1), shard };
    store.apply(journal, 1, &[(1, vec![record])], &sizes).await.unwrap();
}
