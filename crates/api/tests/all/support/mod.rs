//! Two clients, a switchboard that is played, a clock that is set by hand, and short words for
//! requests and what comes back.

pub(crate) mod document;
pub(crate) mod files;
mod schema;
mod switchboard;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use api::{Api, MailRelay, Parts, PasswordCost, Settings};
use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt as _;
use model::{
    CallApiId, CallUuid, Chance, DialRulesId, DidId, ExtensionId, FileId, IncomingRule, Interval,
    IntervalId, Mono, NodeAddress, Now, Prefix, RuleId, RuleKind, Secret, SoundId, TenantId,
    TrunkId, TrunkUse, UserId, Wall,
};
use serde_json::Value;
use store::{
    AppAccess, AppKind, Digest, FileStore, JournalId, NewApplication, NewClient, NewExtension,
    NewPhone, NewUser, Store, StoredDid, UserAccess, UserScope,
};
use tempfile::TempDir;
use tower::ServiceExt as _;

pub(crate) use switchboard::Played;

/// The moment at which tests begin.
pub(crate) const START: Wall = Wall(1_700_000_000_000_000);

/// The API with two clients of one domain that have the same numbers.
pub(crate) struct World {
    pub(crate) router: Router,
    pub(crate) store: Store,
    pub(crate) files: FileStore,
    pub(crate) switchboard: Arc<Played>,
    /// The client that tests act for.
    pub(crate) own: Client,
    /// The client whose objects must stay out of reach.
    pub(crate) other: Client,
    clock: Arc<AtomicU64>,
    _dir: TempDir,
}

/// A client with two phones.
pub(crate) struct Client {
    pub(crate) id: TenantId,
    pub(crate) user: UserId,
    pub(crate) token: String,
    /// The phones 100 and 101.
    pub(crate) phones: [ExtensionId; 2],
    pub(crate) call: CallApiId,
    pub(crate) sound: SoundId,
    /// What was left for the first phone, an hour before the tests begin.
    pub(crate) message: FileId,
    /// One of each: a rule of the first phone, an interval, a DID, a list of dial rules, a trunk.
    pub(crate) rule: RuleId,
    pub(crate) interval: IntervalId,
    pub(crate) did: DidId,
    pub(crate) dial_rule: DialRulesId,
    pub(crate) trunk: TrunkId,
}

impl Client {
    /// A path of the document with this client's objects in the place of its parameters.
    pub(crate) fn fill(&self, path: &str) -> String {
        let filled = self.parameters();
        filled.iter().fold(path.to_owned(), |path, (name, value)| path.replace(name, value))
    }

    /// Every parameter of a path, with this client's object.
    pub(crate) fn parameters(&self) -> [(&'static str, String); 11] {
        [
            ("{client_id}", self.id.to_string()),
            ("{extension_id}", self.phones[0].to_string()),
            ("{call_api_id}", self.call.to_string()),
            ("{call_uuid}", self.call.uuid.to_string()),
            ("{rule_id}", self.rule.to_string()),
            ("{interval_id}", self.interval.to_string()),
            ("{did_id}", self.did.to_string()),
            ("{dial_rule_id}", self.dial_rule.to_string()),
            ("{trunk_id}", self.trunk.to_string()),
            ("{sound_id}", self.sound.to_string()),
            ("{record_uuid}", self.message.to_string()),
        ]
    }
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.header("content-type"), Some("application/json"), "{self:?}");
        serde_json::from_str(&self.text).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// The answer's code and, of an error, its `status`: `404 client_not_found`.
    pub(crate) fn verdict(&self) -> String {
        let error = self.status.is_client_error() || self.status.is_server_error();
        let body = serde_json::from_str::<Value>(&self.text).ok().filter(|_| error);
        let status = body.and_then(|v| Some(v.get("status")?.as_str()?.to_owned()));
        format!("{} {}", self.status.as_u16(), status.unwrap_or_default()).trim_end().to_owned()
    }

    /// That an error is what every error must be.
    #[track_caller]
    pub(crate) fn assert_error(&self, status: u16) {
        assert_eq!(self.status.as_u16(), status, "{self:?}");
        assert!(self.json()["message"].is_string(), "{self:?}");
    }

    /// That a value was refused, and the refusal names the field.
    #[track_caller]
    pub(crate) fn assert_refuses(&self, field: &str) {
        self.assert_error(400);
        assert_eq!(self.json()["field"], field, "{self:?}");
        let message = self.json()["message"].as_str().unwrap().to_owned();
        assert!(message.starts_with(&format!("{field}: ")), "{message}");
    }
}

impl World {
    pub(crate) async fn new() -> World {
        World::with(None).await
    }

    /// With a mail relay.
    pub(crate) async fn with_mail() -> World {
        World::made(None, MailRelay::Configured).await
    }

    /// With a limit of requests an hour.
    pub(crate) async fn with(rate_limit_per_hour: Option<u32>) -> World {
        World::made(rate_limit_per_hour, MailRelay::None).await
    }

    async fn made(rate_limit_per_hour: Option<u32>, mail: MailRelay) -> World {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path().join("a.db").to_str().unwrap()).await.unwrap();
        let switchboard = Arc::new(Played::new(store.clone()));
        let clock = Arc::new(AtomicU64::new(0));
        let files = FileStore::new(dir.path().join("files"));
        let own = client(&store, &files, &switchboard, "0003").await;
        let other = client(&store, &files, &switchboard, "0004").await;
        let read = Arc::clone(&clock);
        let parts = Parts {
            store: store.clone(),
            files: files.clone(),
            switchboard: Arc::clone(&switchboard) as Arc<dyn api::Switchboard>,
            clock: Arc::new(move || {
                let mono = read.load(Ordering::Relaxed);
                let wall = Wall(START.0 + i64::try_from(mono).unwrap());
                Now { mono: Mono(mono), wall }
            }),
            settings: Settings { rate_limit_per_hour, password_cost: PasswordCost::CHEAPEST, mail },
            seed: [7; 32],
        };
        let router = api::router(Api::new(parts));
        World { router, store, files, switchboard, own, other, clock, _dir: dir }
    }

    /// Gives the own client so many phones, and an echo.
    pub(crate) async fn grow(&self, phones: usize) {
        let demo = store::Demo {
            name: "Client 0003".to_owned(),
            domain: "sip.example.com".to_owned(),
            domain_prefix: Prefix::parse("00500").unwrap(),
            prefix: Prefix::parse("0003").unwrap(),
            timezone: "Europe/Moscow".to_owned(),
            calls_max: 50,
            user_login: "boss0003".to_owned(),
            user_password_hash: String::new(),
            app_id: "trusted0003".to_owned(),
            app_secret: Digest::of("app-secret"),
            phones,
            now: START,
        };
        let seeded = self.store.seed(&demo, &mut Chance::from_number(1)).await.unwrap();
        assert_eq!((seeded.tenant, seeded.phones.len()), (self.own.id, phones));
        self.switchboard.load(self.own.id).await;
    }

    pub(crate) fn pass_seconds(&self, seconds: u64) {
        self.clock.fetch_add(seconds * 1_000_000, Ordering::Relaxed);
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let answer = Answer { status: parts.status, headers: parts.headers, text };
        document::check(&method, &path, &answer);
        answer
    }

    /// A request with a token; an empty body is none. Paths may leave out what all begin with.
    pub(crate) async fn ask(&self, method: Method, path: &str, token: &str, body: &str) -> Answer {
        let whole = ["/api/", "//api/", "/oauth/"].iter().any(|start| path.starts_with(start));
        let path = if whole { path.to_owned() } else { format!("/api/ver1.0{path}") };
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("authorization", format!("Bearer {token}"))
            .header("content-type", files::content_type(body))
            .body(Body::from(body.to_owned()))
            .unwrap();
        self.send(request).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.ask(Method::GET, path, &self.own.token, "").await
    }

    pub(crate) async fn put(&self, path: &str, body: &str) -> Answer {
        self.ask(Method::PUT, path, &self.own.token, body).await
    }

    pub(crate) async fn post(&self, path: &str, body: &str) -> Answer {
        self.ask(Method::POST, path, &self.own.token, body).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.ask(Method::DELETE, path, &self.own.token, "").await
    }

    /// A token request with an urlencoded body.
    pub(crate) async fn oauth(&self, form: &str) -> Answer {
        let request = Request::post("/oauth/token")
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Body::from(form.to_owned()))
            .unwrap();
        self.send(request).await
    }

    /// A token of another user of the own client, through an application of its own.
    pub(crate) async fn token_of(
        &self,
        scope: UserScope,
        access: UserAccess,
        app_access: AppAccess,
    ) -> String {
        let n = self.clock.fetch_add(1, Ordering::Relaxed);
        let mut new = user(self.own.id, &format!("user {n}"));
        (new.scope, new.access) = (scope, access);
        let id = self.store.create_user(&new).await.unwrap();
        let app = format!("app {n}");
        let kind = AppKind::Trusted;
        self.store
            .create_application(&application(self.own.id, id, &app, kind, app_access))
            .await
            .unwrap();
        token(&self.store, self.own.id, id, &app).await
    }

    /// A token that may only read.
    pub(crate) async fn read_only_token(&self) -> String {
        self.token_of(UserScope::Client, UserAccess::ReadOnly, AppAccess::All).await
    }
}

/// A token as the API issues them, without asking it for one.
async fn token(store: &Store, tenant: TenantId, user: UserId, app_id: &str) -> String {
    let user = store.user(tenant, user).await.unwrap().unwrap();
    let application = store.application(app_id).await.unwrap().unwrap();
    let token = format!("token of {app_id}").replace(' ', "-");
    let issued = (store::TokenKind::Access, Digest::of(&token), Wall(START.0 + 3_600_000_000));
    let to = store::IssuedTo::new(&user, &application);
    store.issue_tokens(to, &[issued], START).await.unwrap();
    token
}

async fn client(store: &Store, files: &FileStore, switchboard: &Played, prefix: &str) -> Client {
    let id = store
        .create_client(&NewClient {
            key: model::TenantKey::parse(format!("key{prefix:0>5}").as_bytes()).unwrap(),
            name: format!("Client {prefix}"),
            domain: "sip.example.com".to_owned(),
            domain_prefix: Prefix::parse("00500").unwrap(),
            prefix: Prefix::parse(prefix).unwrap(),
            extension_len: 3,
            calls_max: 50,
            timezone: "Europe/Moscow".to_owned(),
            created: START,
        })
        .await
        .unwrap();
    let login = format!("boss{prefix}");
    let user_id = store.create_user(&user(id, &login)).await.unwrap();
    for (app, kind) in [
        (format!("trusted{prefix}"), AppKind::Trusted),
        (format!("password{prefix}"), AppKind::PasswordCredentials),
    ] {
        let new = application(id, user_id, &app, kind, AppAccess::All);
        store.create_application(&new).await.unwrap();
    }
    let token = token(store, id, user_id, &format!("trusted{prefix}")).await;
    let phones = [phone(store, id, prefix, "100").await, phone(store, id, prefix, "101").await];
    let sound = files::sound(store, files, id).await;
    let message = files::message(store, files, (id, phones[0])).await;
    let call = CallApiId { node: NodeAddress(3_232_240_860), uuid: CallUuid(u128::from(id.0)) };
    write_trace(store, id, call.uuid).await;
    let client = Client {
        id,
        user: user_id,
        token,
        phones,
        call,
        sound,
        message,
        rule: rule(store, id, phones[0]).await,
        interval: store.create_interval(id, &interval()).await.unwrap().unwrap().id,
        did: store.create_did(id, &did(&format!("7812000{prefix}"))).await.unwrap().unwrap().id,
        dial_rule: store.create_dial_rules(id, &[]).await.unwrap().unwrap(),
        trunk: store.create_trunk(id, &trunk(prefix)).await.unwrap().unwrap().trunk.id,
    };
    switchboard.load(id).await;
    switchboard.begin_call(id, call, phones);
    switchboard.replace(id, phones);
    client
}

/// A rule that never fires; its number is another in each client.
async fn rule(store: &Store, tenant: TenantId, phone: ExtensionId) -> RuleId {
    let mut new = IncomingRule::new(RuleId(0), RuleKind::Busy);
    new.enabled = false;
    let mut made = Vec::new();
    for _ in 0..tenant.0 {
        made.push(store.create_rule(tenant, phone, &new).await.unwrap().unwrap().id);
    }
    let last = *made.last().unwrap();
    let keep = |rules: &mut Vec<IncomingRule>| {
        rules.retain(|rule| rule.id == last);
        Ok::<(), store::StoreError>(())
    };
    store.change_rules(tenant, phone, keep).await.unwrap().unwrap();
    last
}

fn interval() -> Interval {
    let condition = model::Condition { month: Some(7), ..Default::default() };
    Interval {
        id: IntervalId(0),
        name: "July".into(),
        zone: model::Zone::parse("Europe/Moscow").unwrap(),
        conditions: vec![condition],
    }
}

fn did(number: &str) -> StoredDid {
    StoredDid {
        id: DidId(0),
        number: number.to_owned(),
        name: format!("+{number}"),
        extension: None,
        allow_message: false,
        message_extension: None,
        comment: None,
        created: START,
    }
}

fn trunk(prefix: &str) -> TrunkUse {
    let host = model::TrunkHost::parse(&format!("carrier{prefix}.example")).unwrap();
    let trunk = model::Trunk::new(TrunkId(0), TenantId(0), "Carrier", vec![host]);
    TrunkUse::new(Arc::new(trunk), "RU")
}

/// A call that rang 100 and was not answered.
async fn write_trace(store: &Store, tenant: TenantId, call: CallUuid) {
    let entry = |line| model::TraceEntry { at: START, extension: None, line };
    let trace = leg::CallTrace {
        tenant,
        call,
        did: Some("78121234567".into()),
        caller: Some("74951234567".into()),
        began: START,
        lines: vec![
            entry(model::Line::Rings { waiting: None }),
            entry(model::Line::Ended { end: model::End::NoAnswer }),
        ],
    };
    let journal = JournalId { node: NodeAddress(9), shard: u32::try_from(tenant.0).unwrap() };
    let record = leg::Record::Trace(Box::new(trace));
    store.apply(journal, 1, &[(1, vec![record])], &Default::default()).await.unwrap();
}

async fn phone(store: &Store, tenant: TenantId, prefix: &str, name: &str) -> ExtensionId {
    let new = NewExtension {
        name: model::ExtensionName::parse(name).unwrap(),
        kind: model::ExtensionKind::Phone,
        status: model::Status::Active,
        label: model::DisplayName::parse(&format!("Phone {name}")).unwrap(),
        caller_id_name: None,
        group: None,
        shown: model::ExtensionShown::default(),
        phone: Some(NewPhone {
            logins: vec![model::Login::parse(&format!("{prefix}{name}")).unwrap()],
            password: Secret::new(&format!("sip-password-{prefix}{name}")),
        }),
        created: START,
    };
    store.create_extension(tenant, &new).await.unwrap().unwrap().id
}

pub(crate) fn user(tenant: TenantId, login: &str) -> NewUser {
    let mut chance = Chance::from_number(1);
    NewUser {
        tenant,
        scope: UserScope::Client,
        login: login.to_owned(),
        name: login.to_owned(),
        email: String::new(),
        password_hash: api::password::hash("right", PasswordCost::CHEAPEST, &mut chance),
        access: UserAccess::Full,
        timezone: "Europe/Moscow".to_owned(),
        created: START,
    }
}

pub(crate) fn application(
    tenant: TenantId,
    user: UserId,
    app_id: &str,
    kind: AppKind,
    access: AppAccess,
) -> NewApplication {
    NewApplication {
        tenant,
        user,
        app_id: app_id.to_owned(),
        secret: Digest::of("app-secret"),
        name: app_id.to_owned(),
        kind,
        access,
        created: START,
    }
}
