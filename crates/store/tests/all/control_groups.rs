//! Control groups: what is written is what is read, and what it comes to follows every change.

use std::sync::Arc;

use leg::AuditProgram;
use model::{
    ControlAction, ControlGroups, ExtensionId, PickupMerge, Snapshot, TenantId, UserId, Verdict,
};
use store::StoreError;

use crate::support::{NOW, World, phone};

pub(crate) fn program() -> AuditProgram {
    AuditProgram { user: UserId(7), login: "boss".into(), application: "app".into() }
}

/// Each group is `name: members`.
pub(crate) fn groups(list: &[&str]) -> ControlGroups {
    let names = |text: &str| text.split_whitespace().map(Into::into).collect();
    let group = |text: &&str| {
        let (name, members) = text.split_once(':').unwrap();
        (name.into(), names(members))
    };
    ControlGroups { groups: Some(list.iter().map(group).collect()), ..ControlGroups::default() }
}

async fn write(world: &World, tenant: TenantId, groups: &ControlGroups) {
    assert!(world.write_control_groups(tenant, groups, program(), NOW).await.unwrap());
}

async fn snapshot(world: &World, tenant: TenantId) -> Snapshot {
    world.snapshot(tenant).await.unwrap().unwrap()
}

fn hears(snapshot: &Snapshot, actor: ExtensionId, target: ExtensionId) -> Verdict {
    snapshot.control.may(actor, ControlAction::Eavesdrop, target)
}

async fn a_document_is_read_as_it_was_written(world: World) {
    let tenant = world.client("0003").await;
    let unwritten = snapshot(&world, tenant).await;
    assert_eq!(*unwritten.control.document(), ControlGroups::unwritten());
    let full = ControlGroups {
        allow_all: Some(true),
        pickup_all: Some(false),
        pickup_share_groups: Some(vec!["z".into(), "no such".into(), "z".into()]),
        phone_replace_groups: Some(vec![]),
        eavesdrop: vec![("101".into(), vec!["z".into()]), ("0003*100".into(), vec![])],
        whisper: vec![("999".into(), vec!["Ночь \"a\"".into()])],
        ..groups(&["z: 100 100 0003*101", "Ночь \"a\":", "a: 999"])
    };
    for document in [full, ControlGroups::default(), groups(&[])] {
        let old = snapshot(&world, tenant).await;
        write(&world, tenant, &document).await;
        let whole = snapshot(&world, tenant).await;
        let followed = world.snapshot_after(&old).await.unwrap().unwrap();
        let all = world.all_snapshots().await.unwrap().remove(0);
        for read in [whole, followed, all] {
            assert_eq!(*read.control.document(), document);
        }
    }
}

async fn a_document_of_one_client_is_none_of_another(world: World) {
    let (own, other) = (world.client("0003").await, world.client("0004").await);
    write(&world, own, &groups(&["a: 100"])).await;
    let read = snapshot(&world, other).await;
    assert_eq!(*read.control.document(), ControlGroups::unwritten());
    let none = world.write_control_groups(TenantId(99), &groups(&[]), program(), NOW).await;
    assert!(!none.unwrap());
}

async fn rights_are_shared_until_something_of_theirs_changes(world: World) {
    let tenant = world.client("0003").await;
    let a = world.phone(tenant, "100").await.id;
    write(&world, tenant, &groups(&["a: 100"])).await;
    let old = snapshot(&world, tenant).await;
    let change = |e: &mut model::Extension| e.status = model::Status::Blocked;
    world.change_extension(tenant, a, change).await.unwrap();
    let same = world.snapshot_after(&old).await.unwrap().unwrap();
    assert!(Arc::ptr_eq(&same.control, &old.control) && same.revision > old.revision);
    write(&world, tenant, &groups(&["a: 100"])).await;
    let newer = world.snapshot_after(&same).await.unwrap().unwrap();
    assert!(!Arc::ptr_eq(&newer.control, &old.control));
}

async fn a_name_means_who_has_it_now(world: World) {
    let tenant = world.client("0003").await;
    let a = world.phone(tenant, "100").await.id;
    let mut document = groups(&["a: 0003*101 0004*100"]);
    document.eavesdrop.push(("100".into(), vec!["a".into()]));
    write(&world, tenant, &document).await;
    let before = snapshot(&world, tenant).await;
    let b = world.phone(tenant, "101").await.id;
    let with = world.snapshot_after(&before).await.unwrap().unwrap();
    assert!(!hears(&before, a, b).is_allowed && hears(&with, a, b).is_allowed);
    assert!(!hears(&with, a, a).is_allowed, "0004*100 is another client's");
    world.delete_extension(tenant, b).await.unwrap();
    let anew = world.create_extension(tenant, &phone("101", "new")).await.unwrap().unwrap().id;
    let after = world.snapshot_after(&with).await.unwrap().unwrap();
    assert!(!hears(&after, a, b).is_allowed && hears(&after, a, anew).is_allowed);
}

async fn the_setting_says_how_groups_are_merged(world: World) {
    let tenant = world.client("0003").await;
    let [a, _, c] = [
        world.phone(tenant, "100").await.id,
        world.phone(tenant, "101").await.id,
        world.phone(tenant, "102").await.id,
    ];
    let mut document = groups(&["support: 100 101", "sales: 102 101"]);
    document.pickup_share_groups = Some(vec!["support".into(), "sales".into()]);
    write(&world, tenant, &document).await;
    let chain = snapshot(&world, tenant).await;
    let own = |settings: &mut model::RoutingSettings| {
        settings.shown.pickup_merge = PickupMerge::Own;
        Ok::<(), StoreError>(())
    };
    world.change_settings(tenant, own).await.unwrap();
    let own = world.snapshot_after(&chain).await.unwrap().unwrap();
    let picks = |s: &Snapshot| s.control.may(a, ControlAction::GroupPickup, c).is_allowed;
    assert!(picks(&chain) && !picks(&own) && !picks(&snapshot(&world, tenant).await));
}

async fn a_document_that_somebody_has_damaged_is_told(world: World) {
    let tenant = world.client("0003").await;
    write(&world, tenant, &groups(&["a: 100"])).await;
    let too_long = format!(r#"{{"eavesdrop_x{}":[]}}"#, "1".repeat(300));
    for damaged in ["{", "[]", r#"{"groups":[]}"#, r#"{"allow_all":1}"#, &too_long] {
        world.tamper(&format!("UPDATE control_groups SET document = '{damaged}'")).await;
        let error = world.snapshot(tenant).await.unwrap_err();
        let is_named =
            matches!(error, StoreError::Corrupt { column: "control_groups.document", .. });
        assert!(is_named, "{damaged}: {error}");
    }
}

crate::support::on_both! {
    a_document_is_read_as_it_was_written,
    a_document_of_one_client_is_none_of_another,
    rights_are_shared_until_something_of_theirs_changes,
    a_name_means_who_has_it_now,
    the_setting_says_how_groups_are_merged,
    a_document_that_somebody_has_damaged_is_told,
}
