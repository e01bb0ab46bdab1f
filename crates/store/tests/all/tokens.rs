//! Users, applications and the tokens between them.

use crate::support::{NOW, World, user};
use model::{Status, TenantId, Wall};
use store::{
    AppAccess, AppKind, Application, Conflict, Digest, IssuedTo, NewApplication, StoreError,
    TokenKind, User, UserAccess, UserScope,
};

const HOUR_US: i64 = 3_600_000_000;

struct Signed {
    user: User,
    application: Application,
}

async fn signed(world: &World, tenant: TenantId, login: &str) -> Signed {
    let id = world.create_user(&user(tenant, login)).await.unwrap();
    let new = NewApplication {
        tenant,
        user: id,
        app_id: format!("app of {login}"),
        secret: Digest::of("app secret"),
        name: "Program".to_owned(),
        kind: AppKind::Trusted,
        access: AppAccess::CallApi,
        created: NOW,
    };
    world.create_application(&new).await.unwrap();
    let user = world.user(tenant, id).await.unwrap().unwrap();
    let application = world.application(&new.app_id).await.unwrap().unwrap();
    Signed { user, application }
}

impl Signed {
    async fn token(&self, world: &World, text: &str, kind: TokenKind, now: Wall) {
        let to = IssuedTo::new(&self.user, &self.application);
        let token = (kind, Digest::of(text), Wall(now.0 + HOUR_US));
        world.issue_tokens(to, &[token], now).await.unwrap();
    }
}

async fn holds(world: &World, text: &str, kind: TokenKind, now: Wall) -> bool {
    world.bearer(Digest::of(text), kind, now).await.unwrap().is_some()
}

async fn a_token_tells_its_user_and_its_application(world: World) {
    let tenant = world.client("0003").await;
    let signed = signed(&world, tenant, "anna").await;
    signed.token(&world, "t", TokenKind::Access, NOW).await;
    let bearer = world.bearer(Digest::of("t"), TokenKind::Access, NOW).await.unwrap().unwrap();
    assert_eq!(bearer.user, signed.user);
    assert_eq!(bearer.user.scope, UserScope::Client);
    assert_eq!(bearer.user.access, UserAccess::Full);
    assert_eq!((bearer.app_kind, bearer.app_access), (AppKind::Trusted, AppAccess::CallApi));
    assert_eq!(bearer.app_id, "app of anna");
    assert_eq!(bearer.expires, Wall(NOW.0 + HOUR_US));
    assert_eq!(bearer.issued_to(), IssuedTo::new(&signed.user, &signed.application));
}

async fn a_token_is_good_for_its_kind_and_until_it_runs_out(world: World) {
    let tenant = world.client("0003").await;
    let signed = signed(&world, tenant, "anna").await;
    signed.token(&world, "t", TokenKind::Refresh, NOW).await;
    let end = Wall(NOW.0 + HOUR_US);
    assert!(!holds(&world, "t", TokenKind::Access, NOW).await);
    assert!(holds(&world, "t", TokenKind::Refresh, Wall(end.0 - 1)).await);
    assert!(!holds(&world, "t", TokenKind::Refresh, end).await);
    world.extend_token(TenantId(99), Digest::of("t"), Wall(end.0 + 2)).await.unwrap();
    assert!(!holds(&world, "t", TokenKind::Refresh, end).await, "not another client's to extend");
    world.extend_token(tenant, Digest::of("t"), Wall(end.0 + 2)).await.unwrap();
    assert!(holds(&world, "t", TokenKind::Refresh, end).await);
}

#[tokio::test]
async fn no_token_or_secret_lies_in_the_files() {
    let world = World::on_sqlite().await;
    let tenant = world.client("0003").await;
    let signed = signed(&world, tenant, "anna").await;
    signed.token(&world, "plain-text-of-a-token", TokenKind::Access, NOW).await;
    world.store.close().await;
    for file in std::fs::read_dir(world.dir()).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        for secret in ["plain-text-of-a-token", "app secret"] {
            assert!(!bytes.windows(secret.len()).any(|w| w == secret.as_bytes()), "{secret}");
        }
    }
}

async fn the_oldest_of_very_many_tokens_makes_room(world: World) {
    let tenant = world.client("0003").await;
    let (anna, boris) =
        (signed(&world, tenant, "anna").await, signed(&world, tenant, "boris").await);
    boris.token(&world, "boris", TokenKind::Access, NOW).await;
    anna.token(&world, "refresh", TokenKind::Refresh, NOW).await;
    for n in 0..=200 {
        anna.token(&world, &n.to_string(), TokenKind::Access, Wall(NOW.0 + n)).await;
    }
    assert!(!holds(&world, "0", TokenKind::Access, NOW).await);
    assert!(holds(&world, "1", TokenKind::Access, NOW).await);
    assert!(holds(&world, "refresh", TokenKind::Refresh, NOW).await);
    assert!(holds(&world, "boris", TokenKind::Access, NOW).await);
}

async fn a_blocked_user_or_client_shows_in_its_tokens(world: World) {
    let tenant = world.client("0003").await;
    let signed = signed(&world, tenant, "anna").await;
    signed.token(&world, "t", TokenKind::Access, NOW).await;
    assert!(!world.set_user_status(TenantId(99), signed.user.id, Status::Blocked).await.unwrap());
    assert!(world.set_user_status(tenant, signed.user.id, Status::Blocked).await.unwrap());
    assert!(world.set_client_status(tenant, Status::Blocked).await.unwrap());
    let bearer = world.bearer(Digest::of("t"), TokenKind::Access, NOW).await.unwrap().unwrap();
    assert_eq!(bearer.user.status, Status::Blocked);
    assert_eq!(bearer.user.tenant_status, Status::Blocked);
}

async fn logins_and_application_ids_are_taken_on_the_whole_installation(world: World) {
    let (a, b) = (world.client("0003").await, world.client("0004").await);
    let signed = signed(&world, a, "anna").await;
    let login = world.create_user(&user(b, "anna")).await;
    assert!(matches!(login, Err(StoreError::Conflict(Conflict::UserLogin))), "{login:?}");
    let new = NewApplication {
        tenant: b,
        user: signed.user.id,
        app_id: "app of anna".to_owned(),
        secret: Digest::of("x"),
        name: String::new(),
        kind: AppKind::Public,
        access: AppAccess::All,
        created: NOW,
    };
    let id = world.create_application(&new).await;
    assert!(matches!(id, Err(StoreError::Conflict(Conflict::ApplicationId))), "{id:?}");
    assert!(world.user(b, signed.user.id).await.unwrap().is_none());
}

crate::support::on_both! {
    a_token_tells_its_user_and_its_application,
    a_token_is_good_for_its_kind_and_until_it_runs_out,
    the_oldest_of_very_many_tokens_makes_room,
    a_blocked_user_or_client_shows_in_its_tokens,
    logins_and_application_ids_are_taken_on_the_whole_installation,
}
