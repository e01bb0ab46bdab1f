//! Extensions that serve each other, as the journal tells it: they outlast a restart, once each.

use leg::{Record, ReplacementChange};
use model::{ExtensionId, NodeAddress, TenantId, Wall};
use store::JournalId;

use crate::support::{NOW, World};

const JOURNAL: JournalId = JournalId { node: NodeAddress(7), shard: 0 };

struct Office {
    world: World,
    tenant: TenantId,
    phones: [ExtensionId; 3],
}

impl Office {
    async fn new(world: World) -> Office {
        let tenant = world.client("0003").await;
        let mut phones = [ExtensionId(0); 3];
        for (id, name) in phones.iter_mut().zip(["100", "101", "102"]) {
            *id = world.phone(tenant, name).await.id;
        }
        Office { world, tenant, phones }
    }

    fn pair(&self, by: usize, with: usize, since: Option<i64>) -> Record {
        let (by, with) = (self.phones[by], self.phones[with]);
        let since = since.map(Wall);
        Record::Replacement(ReplacementChange { tenant: self.tenant, by, with, since })
    }

    /// Loads one record a step, the first with this sequence.
    async fn load(&self, first: u64, records: Vec<Record>) {
        let batch: Vec<_> = (first..).zip(records.into_iter().map(|record| vec![record])).collect();
        self.world.apply(JOURNAL, first, &batch).await.unwrap();
    }

    async fn live(&self) -> Vec<Record> {
        let live = self.world.live(NOW).await.unwrap().remove(&self.tenant).unwrap_or_default();
        live.replaced.into_iter().map(Record::Replacement).collect()
    }
}

async fn a_pair_is_there_until_it_has_ended(world: World) {
    let office = Office::new(world).await;
    office.load(1, vec![office.pair(0, 1, Some(5))]).await;
    assert_eq!(office.live().await, [office.pair(0, 1, Some(5))]);
    office.load(2, vec![office.pair(0, 1, None)]).await;
    assert_eq!(office.live().await, []);
}

async fn the_newest_state_of_a_batch_counts_and_what_comes_twice_changes_nothing(world: World) {
    let office = Office::new(world).await;
    let records = || {
        vec![
            office.pair(0, 1, Some(5)),
            office.pair(0, 1, None),
            office.pair(0, 2, Some(6)),
            office.pair(1, 2, Some(7)),
            office.pair(1, 2, None),
        ]
    };
    office.load(1, records()).await;
    assert_eq!(office.live().await, [office.pair(0, 2, Some(6))]);
    office.load(6, vec![office.pair(0, 2, None), office.pair(0, 1, Some(8))]).await;
    office.load(1, records()).await;
    assert_eq!(office.live().await, [office.pair(0, 1, Some(8))]);
}

async fn a_pair_of_which_one_is_gone_is_not_live(world: World) {
    let office = Office::new(world).await;
    office.load(1, vec![office.pair(0, 1, Some(5))]).await;
    assert!(office.world.delete_extension(office.tenant, office.phones[1]).await.unwrap());
    assert_eq!(office.live().await, []);
}

crate::support::on_both! {
    a_pair_is_there_until_it_has_ended,
    the_newest_state_of_a_batch_counts_and_what_comes_twice_changes_nothing,
    a_pair_of_which_one_is_gone_is_not_live,
}
