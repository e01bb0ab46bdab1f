//! The demo: made once, kept, grown.

use std::collections::BTreeSet;

use crate::support::{NOW, World, chance};
use model::{ExtensionKind, Prefix, Service, TenantId};
use store::{Conflict, Demo, Digest, Seeded, StoreError};

fn demo(phones: usize) -> Demo {
    Demo {
        name: "Demo".to_owned(),
        domain: "demo.example.com".to_owned(),
        domain_prefix: Prefix::parse("00500").unwrap(),
        prefix: Prefix::parse("0003").unwrap(),
        timezone: "UTC".to_owned(),
        calls_max: 500,
        user_login: "demo".to_owned(),
        user_password_hash: "$argon2id$".to_owned(),
        app_id: "demo-app".to_owned(),
        app_secret: Digest::of("demo-secret"),
        phones,
        now: NOW,
    }
}

async fn seeded(world: &World, phones: usize) -> Seeded {
    world.seed(&demo(phones), &mut chance()).await.unwrap()
}

fn names(seeded: &Seeded) -> Vec<&str> {
    seeded.phones.iter().map(|p| p.name.as_str()).collect()
}

async fn a_demo_has_phones_an_echo_a_user_and_an_application(world: World) {
    let seeded = seeded(&world, 3).await;
    assert!(seeded.created);
    assert_eq!(names(&seeded), ["100", "101", "102"]);
    let logins: Vec<_> = seeded.phones.iter().map(|p| p.login.as_str()).collect();
    assert_eq!(logins, ["0003100", "0003101", "0003102"]);
    let snapshot = world.snapshot(seeded.tenant).await.unwrap().unwrap();
    let echo = snapshot.named("199").unwrap();
    assert_eq!(echo.kind, ExtensionKind::Service(Service::Echo));
    assert_eq!(snapshot.extensions.len(), 4);
    assert_eq!(snapshot.tenant.extension_len, 3);
    let user = world.user_with_login("demo").await.unwrap().unwrap();
    let application = world.application("demo-app").await.unwrap().unwrap();
    assert_eq!((application.user, application.tenant), (user.id, seeded.tenant));
    assert_eq!(application.secret, Digest::of("demo-secret"));
}

async fn passwords_are_long_and_different(world: World) {
    let seeded = seeded(&world, 50).await;
    let passwords: BTreeSet<_> = seeded.phones.iter().map(|p| p.password.expose()).collect();
    assert_eq!(passwords.len(), 50);
    assert!(passwords.iter().all(|p| p.len() == 20));
}

async fn a_second_start_keeps_everything(world: World) {
    let first = seeded(&world, 3).await;
    let world = world.reopened().await;
    let second = world.seed(&demo(3), &mut model::Chance::from_number(2)).await.unwrap();
    assert!(!second.created);
    assert_eq!(second.phones_added, 0);
    assert_eq!(second.tenant, first.tenant);
    let known = |s: &Seeded| {
        let phones = s.phones.iter();
        phones.map(|p| (p.id, p.login.clone(), p.password.clone())).collect::<Vec<_>>()
    };
    assert!(known(&second) == known(&first), "the phones are not what they were");
    assert_eq!(seeded(&world, 2).await.phones.len(), 3, "fewer takes none away");
}

async fn asking_for_more_phones_adds_them_and_skips_the_echo(world: World) {
    seeded(&world, 3).await;
    let more = seeded(&world, 101).await;
    assert_eq!(more.phones_added, 98);
    let names = names(&more);
    assert_eq!((names[98], names[99], names[100]), ("198", "200", "201"));
}

async fn above_899_phones_names_have_four_digits(world: World) {
    let seeded = seeded(&world, 900).await;
    assert_eq!(names(&seeded).first().copied(), Some("1000"));
    assert_eq!(names(&seeded).last().copied(), Some("1899"));
    let snapshot = world.snapshot(seeded.tenant).await.unwrap().unwrap();
    assert_eq!(snapshot.tenant.extension_len, 4);
    assert!(snapshot.named("199").is_some());
    let again = world.seed(&demo(20), &mut chance()).await.unwrap();
    assert_eq!(again.phones_added, 0);
}

async fn a_demo_that_outgrows_short_names_keeps_them_and_goes_on_with_long_ones(world: World) {
    seeded(&world, 20).await;
    let grown = seeded(&world, 901).await;
    assert_eq!(grown.phones.len(), 901);
    assert_eq!(names(&grown)[898..], ["999", "1000", "1001"]);
    let snapshot = world.snapshot(grown.tenant).await.unwrap().unwrap();
    assert_eq!(snapshot.tenant.extension_len, 4);
    assert_eq!(seeded(&world, 901).await.phones_added, 0);
}

async fn nine_thousand_phones_are_made_and_read_at_once(world: World) {
    let seeded = seeded(&world, 9_000).await;
    assert_eq!(seeded.phones.len(), 9_000);
    assert_eq!(names(&seeded).last().copied(), Some("9999"));
    let snapshots = world.all_snapshots().await.unwrap();
    assert_eq!(snapshots[0].extensions.len(), 9_001);
    assert_eq!(world.directory("realm").await.unwrap().logins.len(), 9_000);
    let too_many = world.seed(&demo(9_001), &mut chance()).await;
    assert!(matches!(too_many, Err(StoreError::TooMany { max: 9_000, .. })), "{too_many:?}");
}

async fn a_login_that_is_another_clients_is_not_taken_over(world: World) {
    let other = world.client("0004").await;
    world.create_user(&crate::support::user(other, "demo")).await.unwrap();
    let refused = world.seed(&demo(1), &mut chance()).await;
    assert!(matches!(refused, Err(StoreError::Conflict(Conflict::UserLogin))), "{refused:?}");
    assert!(world.snapshot(TenantId(2)).await.unwrap().is_none(), "nothing is half made");
}

async fn a_demo_phone_whose_login_is_taken_gets_the_next_one(world: World) {
    let other = world.client("0004").await;
    world.create_extension(other, &crate::support::phone("100", "0003100")).await.unwrap();
    let seeded = seeded(&world, 2).await;
    let logins: Vec<_> = seeded.phones.iter().map(|p| p.login.as_str()).collect();
    assert_eq!(logins, ["005000003100", "0003101"]);
}

crate::support::on_both! {
    a_demo_has_phones_an_echo_a_user_and_an_application,
    passwords_are_long_and_different,
    a_second_start_keeps_everything,
    asking_for_more_phones_adds_them_and_skips_the_echo,
    above_899_phones_names_have_four_digits,
    a_demo_that_outgrows_short_names_keeps_them_and_goes_on_with_long_ones,
    nine_thousand_phones_are_made_and_read_at_once,
    a_login_that_is_another_clients_is_not_taken_over,
    a_demo_phone_whose_login_is_taken_gets_the_next_one,
}
