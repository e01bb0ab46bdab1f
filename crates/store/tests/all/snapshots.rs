//! Snapshots and the directory: what they hold and how they follow changes.

use std::sync::Arc;

use crate::support::World;
use model::{Snapshot, Status, TenantId};
use store::directory;

async fn snapshot(world: &World, tenant: TenantId) -> Snapshot {
    world.snapshot(tenant).await.unwrap().unwrap()
}

/// Everything of a snapshot as text, to compare two.
fn text(snapshot: &Snapshot) -> String {
    format!("{snapshot:?}")
}

async fn a_snapshot_has_the_client_and_exactly_its_extensions(world: World) {
    let (a, b) = (world.client("0003").await, world.client("0004").await);
    world.phone(a, "100").await;
    world.create_extension(b, &crate::support::phone("100", "b100")).await.unwrap();
    let snapshot = snapshot(&world, a).await;
    assert_eq!(snapshot.tenant.prefix.as_str(), "0003");
    assert_eq!(snapshot.tenant.calls_max, 50);
    assert_eq!(snapshot.extensions.len(), 1);
    assert_eq!(snapshot.full_name(snapshot.named("100").unwrap()), "0003*100");
    assert!(world.snapshot(TenantId(99)).await.unwrap().is_none());
}

async fn a_snapshot_follows_every_kind_of_change_and_shares_the_rest(world: World) {
    let tenant = world.client("0003").await;
    let (kept, changed, deleted) = (
        world.phone(tenant, "100").await.id,
        world.phone(tenant, "101").await.id,
        world.phone(tenant, "102").await.id,
    );
    let old = snapshot(&world, tenant).await;
    world.change_extension(tenant, changed, |e| e.status = Status::Blocked).await.unwrap();
    world.delete_extension(tenant, deleted).await.unwrap();
    world.phone(tenant, "103").await;
    world.set_client_status(tenant, Status::Blocked).await.unwrap();
    let new = world.snapshot_after(&old).await.unwrap().unwrap();
    assert_eq!(text(&new), text(&snapshot(&world, tenant).await));
    assert_eq!(new.tenant.status, Status::Blocked);
    assert!(new.revision > old.revision);
    assert!(Arc::ptr_eq(&new.extensions[&kept], &old.extensions[&kept]));
    let names: Vec<_> = new.names.keys().map(|n| n.as_str()).collect();
    assert_eq!(names, ["100", "101", "103"]);
}

async fn a_deletion_alone_and_one_hidden_by_an_addition_are_noticed(world: World) {
    let tenant = world.client("0003").await;
    let first = world.phone(tenant, "100").await.id;
    let old = snapshot(&world, tenant).await;
    world.delete_extension(tenant, first).await.unwrap();
    let empty = world.snapshot_after(&old).await.unwrap().unwrap();
    assert!(empty.extensions.is_empty());
    // Deleted and made anew under the same name, seen from before both.
    let second = world.phone(tenant, "100").await.id;
    let new = world.snapshot_after(&old).await.unwrap().unwrap();
    assert_eq!(new.extensions.keys().collect::<Vec<_>>(), [&second]);
}

async fn all_snapshots_are_those_of_each_client(world: World) {
    let (a, b) = (world.client("0003").await, world.client("0004").await);
    world.phone(a, "100").await;
    let all = world.all_snapshots().await.unwrap();
    let each = [snapshot(&world, a).await, snapshot(&world, b).await];
    assert_eq!(all.iter().map(text).collect::<Vec<_>>(), each.iter().map(text).collect::<Vec<_>>());
}

async fn a_credential_is_the_hash_of_login_realm_and_password(world: World) {
    let tenant = world.client("0003").await;
    let new = crate::support::phone("100", "Mufasa");
    let id = world.create_extension(tenant, &new).await.unwrap().unwrap().id;
    let change = |e: &mut model::Extension| {
        e.phone.as_mut().unwrap().password = model::Secret::new("Circle of Life");
    };
    world.change_extension(tenant, id, change).await.unwrap();
    let directory = world.directory("http-auth@example.org").await.unwrap();
    let credential = &directory.logins["Mufasa"];
    assert_eq!((credential.tenant, credential.extension), (tenant, id));
    // The user, realm and password of the example of RFC 7616 3.9.1.
    let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
    assert_eq!(hex(&credential.ha1_md5), "3d78807defe7de2157e2b0b6573a855f");
    assert_eq!(
        hex(&credential.ha1_sha256),
        "7987c64c30e25f1b74be53f966b49b90f2808aa92faf9a00262392d7b4794232"
    );
    assert_eq!(directory.keys[&directory.tenants[&tenant].key], tenant);
    assert_eq!(directory.tenants[&tenant].domain, "sip.example.com");
}

async fn the_directory_that_follows_is_the_directory_built_anew(world: World) {
    let tenant = world.client("0003").await;
    let ids = [
        world.phone(tenant, "100").await.id,
        world.phone(tenant, "101").await.id,
        world.phone(tenant, "102").await.id,
    ];
    let old = snapshot(&world, tenant).await;
    let mut following = directory::build([&old], "realm");
    let set_password = |e: &mut model::Extension| {
        e.phone.as_mut().unwrap().password = model::Secret::new("new");
    };
    world.change_extension(tenant, ids[0], set_password).await.unwrap();
    world.change_extension(tenant, ids[1], |e| e.status = Status::Blocked).await.unwrap();
    world.delete_extension(tenant, ids[2]).await.unwrap();
    // The login of a deleted extension goes to a new one.
    world.create_extension(tenant, &crate::support::phone("105", "102")).await.unwrap();
    let new = world.snapshot_after(&old).await.unwrap().unwrap();
    directory::follow(&mut following, Some(&old), Some(&new), "realm");
    let built = world.directory("realm").await.unwrap();
    let hashes = |d: &model::Directory| {
        d.logins
            .iter()
            .map(|(login, c)| (login.clone(), c.extension, c.status, c.ha1_md5, c.ha1_sha256))
            .collect::<Vec<_>>()
    };
    assert_eq!(hashes(&following), hashes(&built));
    let of = |d: &model::Directory, status| {
        let logins = d.logins.values().filter(|c| c.status == status);
        logins.map(|c| c.extension).collect::<Vec<_>>()
    };
    assert_eq!(of(&following, Status::Blocked), [ids[1]], "a blocked phone says that it is");
    assert_eq!(of(&following, Status::Active).len(), 2);
    world.set_client_status(tenant, Status::Blocked).await.unwrap();
    let blocked = world.snapshot_after(&new).await.unwrap().unwrap();
    directory::follow(&mut following, Some(&new), Some(&blocked), "realm");
    assert_eq!(of(&following, Status::Blocked).len(), 3);
    assert_eq!(hashes(&following), hashes(&world.directory("realm").await.unwrap()));
    directory::follow(&mut following, Some(&blocked), Some(&new), "realm");
    assert_eq!(hashes(&following), hashes(&built));
    directory::follow(&mut following, Some(&new), None, "realm");
    assert!(following.logins.is_empty() && following.tenants.is_empty());
    assert!(following.keys.is_empty());
}

crate::support::on_both! {
    a_snapshot_has_the_client_and_exactly_its_extensions,
    a_snapshot_follows_every_kind_of_change_and_shares_the_rest,
    a_deletion_alone_and_one_hidden_by_an_addition_are_noticed,
    all_snapshots_are_those_of_each_client,
    a_credential_is_the_hash_of_login_realm_and_password,
    the_directory_that_follows_is_the_directory_built_anew,
}
