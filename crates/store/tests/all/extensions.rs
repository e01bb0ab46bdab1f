//! Extensions and phones: what may be stored, and whose it is.

use crate::support::{World, client, phone, user};
use model::{
    AuthType, DisplayName, ExtensionGroupId, ExtensionId, Login, PhoneShown, RecordFormat, Secret,
    Status, TenantId,
};
use store::{Conflict, StoreError, UserScope};

async fn ids_begin_at_100000_and_are_never_given_again(world: World) {
    let tenant = world.client("0003").await;
    let first = world.phone(tenant, "100").await.id;
    let second = world.phone(tenant, "101").await.id;
    assert_eq!((first, second), (ExtensionId(100_000), ExtensionId(100_001)));
    assert!(world.delete_extension(tenant, second).await.unwrap());
    assert_eq!(world.phone(tenant, "101").await.id, ExtensionId(100_002));
}

async fn every_field_comes_back_as_it_was_written(world: World) {
    let tenant = world.client("0003").await;
    for file in 1..=5 {
        let content = store::SoundContent {
            filename: "a.wav".to_owned(),
            file: model::FileId(file),
            length_ms: 1,
            bytes: 1,
        };
        world.create_sound(tenant, "a", &content, crate::support::NOW).await.unwrap();
    }
    let id = world.phone(tenant, "100").await.id;
    let text = |t: &str| Some(t.to_owned());
    let written = world
        .change_extension(tenant, id, |e| {
            e.status = Status::Blocked;
            e.label = DisplayName::parse("Иван").unwrap();
            e.caller_id_name = Some(DisplayName::parse("Ivan").unwrap());
            e.group = Some(ExtensionGroupId(7));
            e.shown.extra_params = text("{\"a\":1}");
            e.shown.dial_rule_id = Some(61);
            e.shown.dial_rule_limit = Some(2);
            e.shown.ani_rfc3325 = true;
            e.shown.did_as_transfer_caller_id = text("from");
            e.shown.message_did = text("78121234567");
            e.shown.public_caller_id_number = text("78127654321");
            e.shown.rfc_public_caller_id_number = true;
            e.shown.from_public_caller_id_number = true;
            let phone = e.phone.as_mut().unwrap();
            phone.password = Secret::new("another");
            phone.auth_type = AuthType::Both;
            phone.incoming_limit = Some(3);
            phone.ring_timeout_s = Some(25);
            phone.shown = PhoneShown {
                announce_sound_upon_outgoing_call: Some(1),
                announce_sound_upon_incoming_call: Some(2),
                append_to_cid_name_on_transfer: text("via 100: "),
                call_screening_enabled: true,
                conference_announce_caller_name: false,
                conference_end_on_exit: false,
                conference_pin: text("12"),
                allow_webrtc: true,
                record_enabled: true,
                record_transfer: true,
                record_format: RecordFormat::Wav,
                record_stereo: true,
                hold_music: Some(3),
                ringback_sound: Some(4),
                geo_list: text("RU"),
                replace_pin: Some(Secret::new("4321")),
                vm_enabled: false,
                vm_pin: text("1234"),
                vm_greeting: Some(5),
                vm_attach_file: true,
                vm_mailto: text("a@example.com"),
                keypad_codes: false,
            };
        })
        .await
        .unwrap()
        .unwrap();
    let read = world.extension(tenant, id).await.unwrap().unwrap();
    assert_eq!(format!("{read:?}"), format!("{written:?}"));
    assert_eq!(read.shown.dial_rule_id, Some(61));
    let phone = read.phone.unwrap();
    // What Debug hides.
    assert_eq!(phone.password.expose(), "another");
    assert_eq!(phone.shown.replace_pin.unwrap().expose(), "4321");
    // Each column has its own value: 1 to 5 for sounds, so none is swapped with another.
    assert_eq!(phone.shown.ringback_sound, Some(4));
    assert_eq!(phone.shown.vm_greeting, Some(5));
    assert_eq!(read.shown.create_date, "2023-11-14 22:13:20");
}

async fn another_client_neither_reads_nor_changes_nor_deletes_it(world: World) {
    let (owner, stranger) = (world.client("0003").await, world.client("0004").await);
    let id = world.phone(owner, "100").await.id;
    assert!(world.extension(stranger, id).await.unwrap().is_none());
    let change = world.change_extension(stranger, id, |e| e.status = Status::Blocked);
    assert!(change.await.unwrap().is_none());
    assert!(!world.delete_extension(stranger, id).await.unwrap());
    let kept = world.extension(owner, id).await.unwrap().unwrap();
    assert_eq!(kept.status, Status::Active);
}

async fn a_name_is_taken_inside_its_client_only(world: World) {
    let (a, b) = (world.client("0003").await, world.client("0004").await);
    world.phone(a, "100").await;
    let again = world.create_extension(a, &phone("100", "other")).await;
    assert!(matches!(again, Err(StoreError::Conflict(Conflict::ExtensionName))), "{again:?}");
    assert!(world.create_extension(b, &phone("100", "other")).await.unwrap().is_some());
}

async fn a_login_is_taken_on_the_whole_node(world: World) {
    let (a, b) = (world.client("0003").await, world.client("0004").await);
    world.create_extension(a, &phone("100", "x")).await.unwrap();
    let same = world.create_extension(b, &phone("100", "x")).await;
    assert!(matches!(same, Err(StoreError::Conflict(Conflict::PhoneLogin))), "{same:?}");
    assert!(
        world.snapshot(b).await.unwrap().unwrap().extensions.is_empty(),
        "nothing is half done"
    );
    let mut new = phone("100", "x");
    new.phone.as_mut().unwrap().logins.push(Login::parse("y").unwrap());
    let made = world.create_extension(b, &new).await.unwrap().unwrap();
    assert_eq!(made.phone.unwrap().login.as_str(), "y");
}

async fn login_candidates_go_from_short_to_certain(world: World) {
    let tenant = world.client("0003").await;
    let snapshot = world.snapshot(tenant).await.unwrap().unwrap();
    let logins = store::phones::login_candidates(&snapshot.tenant, "100", "abcde");
    let logins: Vec<_> = logins.iter().map(|l| l.as_str()).collect();
    assert_eq!(logins, ["0003100", "005000003100", "0003100-abcde"]);
}

async fn two_changes_of_different_fields_both_stay(world: World) {
    let tenant = world.client("0003").await;
    let id = world.phone(tenant, "100").await.id;
    let block = world.change_extension(tenant, id, |e| e.status = Status::Blocked);
    let label = world.change_extension(tenant, id, |e| {
        e.label = DisplayName::parse("Anna").unwrap();
    });
    let (block, label) = tokio::join!(block, label);
    block.unwrap();
    label.unwrap();
    let both = world.extension(tenant, id).await.unwrap().unwrap();
    assert_eq!((both.status, both.label.as_str()), (Status::Blocked, "Anna"));
}

async fn many_changes_at_once_are_made_one_after_another(world: World) {
    let tenant = world.client("0003").await;
    let id = world.phone(tenant, "100").await.id;
    let before = world.snapshot(tenant).await.unwrap().unwrap().revision;
    let changes = (0..12).map(|_| {
        let store = world.store.clone();
        tokio::spawn(async move {
            let count = |e: &mut model::Extension| {
                e.shown.dial_rule_limit = Some(e.shown.dial_rule_limit.unwrap_or(0) + 1);
            };
            store.change_extension(tenant, id, count).await.unwrap().unwrap();
        })
    });
    for change in changes.collect::<Vec<_>>() {
        change.await.unwrap();
    }
    let after = world.snapshot(tenant).await.unwrap().unwrap();
    assert_eq!(after.extensions[&id].shown.dial_rule_limit, Some(12));
    assert_eq!(after.revision, before + 12);
}

async fn an_extension_takes_its_users_with_it(world: World) {
    let tenant = world.client("0003").await;
    let id = world.phone(tenant, "100").await.id;
    let mut own = user(tenant, "own");
    own.scope = UserScope::Extension(id);
    world.create_user(&own).await.unwrap();
    world.create_user(&user(tenant, "boss")).await.unwrap();
    assert!(world.delete_extension(tenant, id).await.unwrap());
    assert!(world.user_with_login("own").await.unwrap().is_none());
    assert!(world.user_with_login("boss").await.unwrap().is_some());
    assert!(!world.delete_extension(tenant, id).await.unwrap(), "it is gone");
}

async fn a_client_that_does_not_exist_gets_no_extension(world: World) {
    let none = world.create_extension(TenantId(99), &phone("100", "x")).await.unwrap();
    assert!(none.is_none());
}

async fn a_prefix_is_taken_inside_its_domain_only(world: World) {
    world.client("0003").await;
    let mut again = client("0003");
    again.key = model::TenantKey(*b"another0");
    let same = world.create_client(&again).await;
    assert!(matches!(same, Err(StoreError::Conflict(Conflict::ClientPrefix))), "{same:?}");
    again.domain = "other.example.com".to_owned();
    assert!(world.create_client(&again).await.is_ok());
}

crate::support::on_both! {
    ids_begin_at_100000_and_are_never_given_again,
    every_field_comes_back_as_it_was_written,
    another_client_neither_reads_nor_changes_nor_deletes_it,
    a_name_is_taken_inside_its_client_only,
    a_login_is_taken_on_the_whole_node,
    login_candidates_go_from_short_to_certain,
    two_changes_of_different_fields_both_stay,
    many_changes_at_once_are_made_one_after_another,
    an_extension_takes_its_users_with_it,
    a_client_that_does_not_exist_gets_no_extension,
    a_prefix_is_taken_inside_its_domain_only,
}
