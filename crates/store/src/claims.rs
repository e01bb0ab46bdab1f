//! A number of the outside leads to one client for each way by which it can come in. The one
//! place where a client's configuration is held against others'.

use std::collections::BTreeSet;
use std::net::IpAddr;

use model::{Network, TenantId, Trunk, TrunkUse};

use crate::connection::Connection;
use crate::db::{self, signed, unsigned};
use crate::error::{Conflict, StoreError};
use crate::query::query;
use crate::trunks;

db::statements! {
    /// For all clients: it holds up whoever else would claim a number or a way.
    COUNT_CLAIM = "UPDATE did_claims SET claims = claims + 1 WHERE id = 1";
    OTHERS = "SELECT DISTINCT o.client_id FROM dids d \
        JOIN dids o ON o.number = d.number AND o.client_id <> d.client_id WHERE d.client_id = $1";
}

/// Refuses what a write has just made of a client's DIDs and trunks, if a number of it comes to
/// another client by the same way.
pub(crate) async fn check(connection: &mut Connection, tenant: TenantId) -> Result<(), StoreError> {
    let doing = || StoreError::doing("claim a number");
    query(COUNT_CLAIM).execute(connection).await.map_err(doing())?;
    let others: Vec<i64> =
        query(OTHERS).bind(signed(tenant.0)?).fetch_values(connection).await.map_err(doing())?;
    if others.is_empty() {
        return Ok(());
    }
    let own = ways(connection, tenant).await?;
    for other in others {
        let other = TenantId(unsigned(other, "dids.client_id")?);
        if own.meet(&ways(connection, other).await?) {
            return Err(StoreError::Conflict(Conflict::DidOfAnother));
        }
    }
    Ok(())
}

/// The ways by which calls come in to a client.
struct Ways {
    networks: Vec<Network>,
    names: BTreeSet<String>,
}

impl Ways {
    fn of<'a>(trunks: impl Iterator<Item = &'a Trunk>) -> Ways {
        let mut ways = Ways { networks: Vec::new(), names: BTreeSet::new() };
        for trunk in trunks.filter(|trunk| trunk.enabled) {
            ways.networks.extend(&trunk.addresses);
            for host in &trunk.hosts {
                match host.host.parse::<IpAddr>() {
                    Ok(address) => ways.networks.push(Network::one(address)),
                    Err(_) => {
                        ways.names.insert(host.host.clone());
                    }
                }
            }
        }
        ways
    }

    fn meet(&self, other: &Ways) -> bool {
        let crosses = |own: &Network| other.networks.iter().any(|theirs| own.overlaps(*theirs));
        self.networks.iter().any(crosses) || !self.names.is_disjoint(&other.names)
    }
}

async fn ways(connection: &mut Connection, tenant: TenantId) -> Result<Ways, StoreError> {
    let trunks = trunks::PART.of_client(connection, tenant).await?;
    Ok(Ways::of(trunks.values().map(|plan: &std::sync::Arc<TrunkUse>| &*plan.trunk)))
}
