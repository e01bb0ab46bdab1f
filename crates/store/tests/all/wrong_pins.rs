//! Wrong PINs, as the journal tells them: how many outlast a restart, until they are over.

use leg::{PinKind, Record, WrongPinCount};
use model::{ExtensionId, NodeAddress, TenantId, Wall};
use store::JournalId;

use crate::support::{NOW, World};

const JOURNAL: JournalId = JournalId { node: NodeAddress(7), shard: 0 };
const ANN: Option<ExtensionId> = Some(ExtensionId(100_000));

fn seconds(after: i64) -> Wall {
    Wall(NOW.0 + after * 1_000_000)
}

/// So many wrong ones at the same extension, so many seconds after the first moment.
fn count(tenant: u64, actor: Option<ExtensionId>, wrong: u8, at: i64) -> WrongPinCount {
    WrongPinCount {
        tenant: TenantId(tenant),
        pin: PinKind::Replace,
        actor,
        target: ExtensionId(100_001),
        wrong,
        at: seconds(at),
        until: seconds(if wrong == 0 { at } else { at + 900 }),
    }
}

fn of_mailbox(count: WrongPinCount) -> WrongPinCount {
    WrongPinCount { pin: PinKind::Mailbox, ..count }
}

/// Loads one record a step, the first with this sequence.
async fn load(world: &World, first: u64, counts: &[WrongPinCount]) {
    let records = counts.iter().map(|count| vec![Record::WrongPins(*count)]);
    let batch: Vec<_> = (first..).zip(records).collect();
    world.apply(JOURNAL, first, &batch).await.unwrap();
}

/// What a start at this moment finds: of whom, how many, and until when.
async fn live(
    world: &World,
    tenant: u64,
    at: i64,
) -> Vec<(PinKind, Option<ExtensionId>, u8, Wall)> {
    let mut live = world.live(seconds(at)).await.unwrap();
    let counts = live.remove(&TenantId(tenant)).unwrap_or_default().wrong_pins;
    let told = |c: &WrongPinCount| {
        assert_eq!((c.tenant, c.target), (TenantId(tenant), ExtensionId(100_001)));
        (c.pin, c.actor, c.wrong, c.until)
    };
    counts.iter().map(told).collect()
}

async fn the_newest_count_is_there_until_it_is_over(world: World) {
    let counts = [
        count(1, None, 1, 0),
        count(1, ANN, 1, 0),
        of_mailbox(count(1, ANN, 3, 1)),
        count(1, None, 2, 2),
        count(1, ANN, 2, 2),
        count(2, ANN, 4, 3),
    ];
    for _ in 0..2 {
        load(&world, 1, &counts).await;
        let mailbox = (PinKind::Mailbox, ANN, 3, seconds(901));
        let pair = (PinKind::Replace, ANN, 2, seconds(902));
        let all = (PinKind::Replace, None, 2, seconds(902));
        assert_eq!(live(&world, 1, 2).await, [mailbox, all, pair]);
        assert_eq!(live(&world, 1, 901).await, [all, pair]);
        assert_eq!(live(&world, 1, 902).await, []);
        assert_eq!(live(&world, 2, 902).await, [(PinKind::Replace, ANN, 4, seconds(903))]);
    }
}

async fn what_is_forgiven_is_gone_and_what_others_have_said_is_not(world: World) {
    load(&world, 1, &[count(1, None, 1, 0), count(1, ANN, 1, 0)]).await;
    load(&world, 3, &[count(1, ANN, 0, 5)]).await;
    assert_eq!(live(&world, 1, 5).await, [(PinKind::Replace, None, 1, seconds(900))]);
    load(&world, 4, &[count(1, ANN, 1, 6)]).await;
    assert_eq!(live(&world, 1, 6).await.len(), 2);
}

async fn what_is_over_is_removed_with_the_next_change_of_its_client(world: World) {
    let old = [count(1, ANN, 1, 0), count(2, ANN, 1, 0), of_mailbox(count(1, ANN, 1, 500))];
    load(&world, 1, &old).await;
    load(&world, 4, &[count(1, None, 1, 900)]).await;
    // A start in the past would see all rows that there are.
    let kinds = live(&world, 1, -1).await.into_iter().map(|(kind, actor, ..)| (kind, actor));
    let kinds: Vec<_> = kinds.collect();
    assert_eq!(kinds, [(PinKind::Mailbox, ANN), (PinKind::Replace, None)]);
    assert_eq!(live(&world, 2, -1).await.len(), 1);
}

async fn a_clock_that_is_set_back_removes_nothing_that_counts(world: World) {
    load(&world, 1, &[count(1, None, 1, 5_000), count(1, ANN, 1, 0)]).await;
    assert_eq!(live(&world, 1, 0).await.len(), 2);
}

crate::support::on_both! {
    the_newest_count_is_there_until_it_is_over,
    what_is_forgiven_is_gone_and_what_others_have_said_is_not,
    what_is_over_is_removed_with_the_next_change_of_its_client,
    a_clock_that_is_set_back_removes_nothing_that_counts,
}
