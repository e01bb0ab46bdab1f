//! [`Routing`]: the part of a snapshot that says where calls go, put together from its tables.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::{Extension, ExtensionId, Routing, Snapshot, TenantId};

use crate::connection::Connection;
use crate::error::StoreError;
use crate::{dial_rules, dids, intervals, rules, settings, sounds, trunks};

/// The routing of a client.
pub(crate) async fn of_client(
    connection: &mut Connection,
    tenant: TenantId,
) -> Result<Routing, StoreError> {
    let (rules, anis) = rules::of_client(connection, tenant).await?;
    Ok(Routing {
        rules,
        anis,
        intervals: intervals::PART.of_client(connection, tenant).await?,
        trunks: trunks::PART.of_client(connection, tenant).await?,
        dial_rules: dial_rules::PART.of_client(connection, tenant).await?,
        dids: dids::PART.of_client(connection, tenant).await?,
        sounds: sounds::PART.of_client(connection, tenant).await?,
        settings: settings::of_client(connection, tenant).await?,
    })
}

/// The routing after changes: what has not changed is shared with `old`. `changed` is the revision
/// with which anything but rules and numbers of extensions changed last; `extensions` are those
/// that exist.
pub(crate) async fn follow(
    connection: &mut Connection,
    old: &Snapshot,
    changed: u64,
    extensions: &BTreeMap<ExtensionId, Arc<Extension>>,
) -> Result<Arc<Routing>, StoreError> {
    let (tenant, since) = (old.tenant.id, old.revision);
    let mut now = (*old.routing).clone();
    rules::follow(connection, tenant, since, (&mut now.rules, &mut now.anis)).await?;
    now.rules.retain(|id, _| extensions.contains_key(id));
    now.anis.retain(|id, _| extensions.contains_key(id));
    if changed > since {
        let c = &mut *connection;
        now.intervals = intervals::PART.follow(c, tenant, since, &now.intervals).await?;
        now.trunks = trunks::PART.follow(c, tenant, since, &now.trunks).await?;
        now.dial_rules = dial_rules::PART.follow(c, tenant, since, &now.dial_rules).await?;
        now.dids = dids::PART.follow(c, tenant, since, &now.dids).await?;
        now.sounds = sounds::PART.follow(c, tenant, since, &now.sounds).await?;
        now.settings = settings::of_client(c, tenant).await?;
    }
    Ok(Arc::new(now))
}

/// The routing of all clients that have any, for [`crate::operator`].
pub(crate) async fn all(
    connection: &mut Connection,
) -> Result<BTreeMap<TenantId, Routing>, StoreError> {
    let mut all: BTreeMap<TenantId, Routing> = BTreeMap::new();
    for (tenant, (rules, anis)) in rules::all(connection).await? {
        let routing = all.entry(tenant).or_default();
        (routing.rules, routing.anis) = (rules, anis);
    }
    for (tenant, intervals) in intervals::PART.all(connection).await? {
        all.entry(tenant).or_default().intervals = intervals;
    }
    for (tenant, trunks) in trunks::PART.all(connection).await? {
        all.entry(tenant).or_default().trunks = trunks;
    }
    for (tenant, dial_rules) in dial_rules::PART.all(connection).await? {
        all.entry(tenant).or_default().dial_rules = dial_rules;
    }
    for (tenant, dids) in dids::PART.all(connection).await? {
        all.entry(tenant).or_default().dids = dids;
    }
    for (tenant, sounds) in sounds::PART.all(connection).await? {
        all.entry(tenant).or_default().sounds = sounds;
    }
    for (tenant, settings) in settings::all(connection).await? {
        all.entry(tenant).or_default().settings = settings;
    }
    Ok(all)
}
