//! Recordings of talks: a row each, whichever of its records comes first.

use leg::{CdrFlow, CdrLeg, Record, Recording};
use model::{CallUuid, EndReason, ExtensionId, FileId, NodeAddress, TenantId};
use store::recordings::StoredRecording;
use store::{JournalId, Sizes};

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
    let expected = StoredRecording { recording: recording(tenant), bytes: 112_044 };
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

on_both! {
    a_call_record_finds_its_recording_in_whichever_order_they_come,
    a_recording_that_comes_twice_is_one,
}
