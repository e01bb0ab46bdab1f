//! Recordings of talks: a row each, whichever of its records comes first.

use leg::{CdrFlow, CdrLeg, Record, Recording};
use model::{CallUuid, EndReason, ExtensionId, FileFormat, FileId, NodeAddress, TenantId, Wall};
use store::{Conversion, JournalId, Sizes, StoredRecording, Unconverted};

use crate::support::{NOW, World, on_both};

const JOURNAL: JournalId = JournalId { node: NodeAddress(7), shard: 0 };
const FILE: FileId = FileId(0x6248_35fe);

fn recording(tenant: TenantId) -> Recording {
    Recording {
        tenant,
        extension: ExtensionId(100_000),
        file: FILE,
        length_ms: 7_000,
        call: CallUuid(0xabc),
        sub_call_id: "100000-1".into(),
        time: NOW,
        format: FileFormat::Wav,
    }
}

fn cdr(tenant: TenantId) -> Record {
    Record::Cdr(Box::new(CdrLeg {
        tenant,
        call: CallUuid(0xabc),
        sub_call_id: "100000-1".into(),
        extension: ExtensionId(100_000),
        extension_name: "0003*100@sip.example.com".into(),
        extension_kind: "phone".into(),
        flow: CdrFlow::In,
        reason: EndReason::CalleeHungUp,
        status: None,
        init_time: NOW,
        answer_time: Some(NOW),
        hangup_time: NOW,
        talk_us: 7_000_000,
        from: Default::default(),
        to: Default::default(),
        did_number: None,
        asserted: None,
    }))
}

async fn loads(world: &World, sequence: u64, records: &[Record], bytes: u64) {
    let sizes: Sizes = [(FILE, bytes)].into();
    world.store.apply(JOURNAL, sequence, &[(sequence, records.to_vec())], &sizes).await.unwrap();
}

async fn a_call_record_finds_its_recording_in_whichever_order_they_come(world: World) {
    let (tenant, other) = (world.client("0003").await, world.client("0004").await);
    let recorded = Record::Recording(Box::new(recording(tenant)));
    loads(&world, 1, &[cdr(tenant)], 0).await;
    assert_eq!(world.recording_of(tenant, "100000-1").await.unwrap(), None);
    loads(&world, 2, &[recorded], 112_044).await;
    let (format, bytes) = (FileFormat::Wav, 112_044);
    let expected = StoredRecording { recording: recording(tenant), format, bytes };
    assert_eq!(world.recording_of(tenant, "100000-1").await.unwrap(), Some(expected));
    assert_eq!(world.recording_of(tenant, "100000-2").await.unwrap(), None);
    assert_eq!(world.recording_of(other, "100000-1").await.unwrap(), None, "not its own");
    // The other way round, in one batch.
    let second = Recording { file: FileId(2), ..recording(other) };
    let records = [Record::Recording(Box::new(second)), cdr(other)];
    loads(&world, 3, &records, 0).await;
    let found = world.recording_of(other, "100000-1").await.unwrap().unwrap();
    assert_eq!((found.recording.file, found.bytes), (FileId(2), 0));
    let joined = "SELECT count(*) FROM cdr_legs c JOIN recordings r \
        ON r.client_id = c.client_id AND r.sub_call_id = c.sub_call_id";
    assert_eq!(world.number(joined.to_owned()).await, 2);
}

async fn a_recording_that_comes_twice_is_one(world: World) {
    let tenant = world.client("0003").await;
    let recorded = Record::Recording(Box::new(recording(tenant)));
    loads(&world, 1, &[recorded.clone(), recorded.clone()], 112_044).await;
    // A later journal says it again, and does not know how large it is any more.
    loads(&world, 2, &[recorded], 0).await;
    assert_eq!(world.number("SELECT count(*) FROM recordings".to_owned()).await, 1);
    let found = world.recording_of(tenant, "100000-1").await.unwrap().unwrap();
    assert_eq!(found.bytes, 112_044);
}

/// The recordings of the journal's node that are due then, by their files; 4 wants to be MP3.
async fn due(world: &World, now: Wall) -> Vec<(u128, u32)> {
    let due = world.store.recordings_to_convert(JOURNAL.node, now).await.unwrap();
    let wanted = |file: FileId| if file.0 == 4 { FileFormat::Mp3 } else { FileFormat::Opus };
    assert!(due.iter().all(|d| d.wanted == wanted(d.file)), "{due:?}");
    due.into_iter().map(|Unconverted { file, attempts, .. }| (file.0, attempts)).collect()
}

async fn what_wants_another_format_is_due_until_it_has_it_or_never_will(world: World) {
    let tenant = world.client("0003").await;
    let later = |us: i64| Wall(NOW.0 + us);
    let recorded = |n: u128, format| {
        let file = FileId(n);
        let sub_call_id = format!("100000-{n}").into();
        let time = later(10 - i64::try_from(n).unwrap());
        Record::Recording(Box::new(Recording {
            file,
            sub_call_id,
            time,
            format,
            ..recording(tenant)
        }))
    };
    let (wav, opus, mp3) = (FileFormat::Wav, FileFormat::Opus, FileFormat::Mp3);
    let records = [recorded(1, opus), recorded(2, wav), recorded(3, opus), recorded(4, mp3)];
    loads(&world, 1, &records, 0).await;
    let found = || world.recording_of(tenant, "100000-3");
    let before = found().await.unwrap().unwrap();
    assert_eq!((before.recording.format, before.format), (opus, wav));
    // The longest due first; no other node's.
    assert_eq!(due(&world, later(9)).await, [(4, 0), (3, 0), (1, 0)]);
    assert_eq!(due(&world, later(7)).await, [(4, 0), (3, 0)]);
    assert_eq!(world.recordings_to_convert(NodeAddress(8), later(9)).await.unwrap(), []);

    let note = |n, conversion| world.store.set_conversion(tenant, FileId(n), conversion);
    assert!(note(3, Conversion::Done { format: opus, bytes: 20_000 }).await.unwrap());
    assert!(note(4, Conversion::Later { attempts: 2, due: later(60) }).await.unwrap());
    assert!(note(1, Conversion::Never { attempts: 9 }).await.unwrap());
    assert_eq!(due(&world, later(59)).await, []);
    assert_eq!(due(&world, later(60)).await, [(4, 2)]);
    let after = found().await.unwrap().unwrap();
    assert_eq!((after.format, after.bytes), (opus, 20_000));
    assert_eq!(after.recording, before.recording);
    // A journal that says it again makes nothing due.
    loads(&world, 2, &records, 5).await;
    assert_eq!(due(&world, later(59)).await, []);
    assert_eq!(found().await.unwrap().unwrap(), after);
    // Another client's, and one that is gone.
    let other = world.client("0004").await;
    let done = Conversion::Done { format: opus, bytes: 1 };
    assert!(!world.store.set_conversion(other, FileId(4), done).await.unwrap());
    assert!(!note(77, done).await.unwrap());
    let files: Vec<_> = (1..=1_200).map(FileId).collect();
    assert!(note(4, Conversion::Done { format: mp3, bytes: 30_000 }).await.unwrap());
    let converted = world.store.converted(&files).await.unwrap();
    let converted: Vec<_> = converted.into_iter().collect();
    assert_eq!(converted, [(FileId(3), opus), (FileId(4), mp3)]);
}

async fn lists_by_client_or_extension_in_time_find_their_rows_by_an_index(world: World) {
    let tenant = world.client("0003").await.0;
    let select = "SELECT file FROM recordings WHERE";
    let (end, of) =
        ("time_us >= 1 AND time_us <= 9 ORDER BY time_us, file LIMIT 5", "extension_id = 7");
    for (index, list) in [
        ("recordings_in_time", format!("{select} client_id = {tenant} AND {end}")),
        ("recordings_of_extension", format!("{select} client_id = {tenant} AND {of} AND {end}")),
    ] {
        let plan = world.plan(&list).await;
        assert!(
            plan.contains(index) && !plan.contains("TEMP B-TREE") && !plan.contains("Sort"),
            "{plan}"
        );
    }
}

on_both! {
    what_wants_another_format_is_due_until_it_has_it_or_never_will,
    lists_by_client_or_extension_in_time_find_their_rows_by_an_index,
    a_call_record_finds_its_recording_in_whichever_order_they_come,
    a_recording_that_comes_twice_is_one,
}
