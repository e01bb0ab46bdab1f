//! The writing thread, an order at a time.

use crossbeam_channel::bounded;
use leg::{LegId, RecorderId};
use media::Recording;
use model::{CallId, TenantId};

use super::*;
use crate::inbox::inbox;
use crate::mailbox::Mailbox;

fn tape(n: u64) -> Tape {
    Tape { media: 0, recording: Recording(n) }
}

fn start(n: u64) -> Write {
    let (shard, _) = inbox(8).unwrap();
    let owner = Owner { shard, media: Arc::new(Mailbox::new().unwrap()) };
    let taken = Taken {
        tenant: TenantId(1),
        call: CallId(2),
        leg: LegId(3),
        recorder: RecorderId(1),
        file: FileId(u128::from(n)),
        rate_hz: 8_000,
        channels: 1,
    };
    Write::Start { tape: tape(n), taken, owner }
}

#[test]
fn what_was_given_up_is_forgotten_behind_its_last_order_though_the_queue_is_never_empty() {
    let folder = tempfile::tempdir().unwrap();
    let store = FileStore::new(folder.path().join("files"));
    let given_up = Arc::<Mutex<BTreeSet<Tape>>>::default();
    let mut writer = Writer::new(store.clone(), Arc::clone(&given_up));
    let (to, orders) = bounded(4);
    let more = |n| Write::More { tape: tape(n), bytes: vec![0; 32] };
    let mut next = |then: Write| {
        to.try_send(then).unwrap();
        writer.carry_out(orders.recv().unwrap());
        writer.throw_away(orders.len());
        writer.broken.len()
    };
    // 1 finds the queue full behind its own beginning, while 2 goes on and on.
    for order in [start(2), more(2), start(1)] {
        to.try_send(order).unwrap();
    }
    assert_eq!(next(more(2)), 0);
    given_up.lock().unwrap().insert(tape(1));
    let remembered: Vec<_> = (0..5).map(|_| next(more(2))).collect();
    assert_eq!(remembered, [1, 1, 1, 0, 0]);
    assert!(given_up.lock().unwrap().is_empty());
    assert!(!store.temporary_path(FileId(1)).exists(), "its beginning came behind the news");
    assert!(store.temporary_path(FileId(2)).exists());
}
