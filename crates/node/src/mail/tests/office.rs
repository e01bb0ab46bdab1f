//! A phone with a voicemail, a relay that is played, and who brings messages from one to the other.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use api::{Answer, Switchboard, Unavailable};
use leg::{Command, Message, Record, Reply};
use model::{
    CallUuid, DisplayName, Extension, ExtensionId, ExtensionKind, ExtensionName, ExtensionShown,
    FileId, Login, NodeAddress, Prefix, Secret, Snapshot, Status, TenantId, TenantKey, Wall,
};
use store::{FileStore, JournalId, NewClient, NewExtension, NewPhone, Sizes, Store, StoredMessage};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::loader::Tables;
use crate::mail::{MailFigures, MailSettings, Postman, Relay};

const NODE: NodeAddress = NodeAddress(7);

/// 2026-11-21 15:00:03 UTC.
pub(super) const LEFT: Wall = Wall(1_795_273_203_000_000);

/// What a relay was told in one session, and what it does.
#[derive(Default)]
pub(super) struct Played {
    /// What it says to the next RCPTs, instead of taking them.
    pub(super) refusals: Mutex<VecDeque<&'static str>>,
    /// Recipients and text of each mail that it has taken.
    taken: Mutex<Vec<(Vec<String>, String)>>,
    /// Sessions that were begun.
    pub(super) sessions: AtomicU64,
    /// It takes a mail and the session breaks before it can say so.
    pub(super) breaks: std::sync::atomic::AtomicBool,
}

impl Played {
    async fn serve(self: Arc<Self>, listener: TcpListener) {
        while let Ok((stream, _)) = listener.accept().await {
            self.sessions.fetch_add(1, Ordering::Relaxed);
            let played = Arc::clone(&self);
            tokio::spawn(async move { played.session(stream).await });
        }
    }

    /// As much of RFC 5321 as a client needs.
    async fn session(&self, stream: TcpStream) -> Option<()> {
        let (read, mut write) = stream.into_split();
        let mut lines = BufReader::new(read).lines();
        let mut to = Vec::new();
        write.write_all(b"220 relay\r\n").await.ok()?;
        loop {
            let line = lines.next_line().await.ok()??;
            let answer = match line.get(..4).unwrap_or_default() {
                "EHLO" => "250-relay\r\n250 8BITMIME",
                "RCPT" => {
                    let refusal = self.refusals.lock().unwrap().pop_front();
                    if refusal.is_none() {
                        to.push(line.clone());
                    }
                    refusal.unwrap_or("250 ok")
                }
                "DATA" => {
                    write.write_all(b"354 go on\r\n").await.ok()?;
                    let mut text = String::new();
                    loop {
                        let line = lines.next_line().await.ok()??;
                        if line == "." {
                            break;
                        }
                        text.push_str(&line);
                        text.push('\n');
                    }
                    self.taken.lock().unwrap().push((core::mem::take(&mut to), text));
                    if self.breaks.load(Ordering::Relaxed) {
                        return None;
                    }
                    "250 taken"
                }
                "QUIT" => "221 bye",
                _ => "250 ok",
            };
            write.write_all(format!("{answer}\r\n").as_bytes()).await.ok()?;
        }
    }

    pub(super) fn taken(&self) -> Vec<(Vec<String>, String)> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The configuration that a test changes at will.
struct Configured(Mutex<BTreeMap<TenantId, Arc<Snapshot>>>);

impl Switchboard for Configured {
    fn messages_changed(&self, _: TenantId, _: ExtensionId) -> Answer<'_, ()> {
        Box::pin(std::future::ready(()))
    }

    fn command(&self, _: TenantId, _: Command) -> Answer<'_, Result<Reply, Unavailable>> {
        Box::pin(async { Err(Unavailable) })
    }

    fn snapshot(&self, tenant: TenantId) -> Option<Arc<Snapshot>> {
        self.0.lock().unwrap().get(&tenant).cloned()
    }

    fn changed(&self, _: TenantId) -> Answer<'_, ()> {
        Box::pin(async {})
    }
}

/// A phone with a voicemail, a relay, and who brings messages from one to the other.
pub(super) struct Office {
    pub(super) tables: Tables,
    configured: Arc<Configured>,
    pub(super) relay: Arc<Played>,
    address: std::net::SocketAddr,
    pub(super) tenant: TenantId,
    phone: ExtensionId,
    figures: Arc<MailFigures>,
    _dir: tempfile::TempDir,
}

impl Office {
    pub(super) async fn new() -> Office {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path().join("a.db").to_str().unwrap()).await.unwrap();
        let files = FileStore::new(dir.path().join("files"));
        let client = NewClient {
            key: TenantKey::parse(b"abcdefgh").unwrap(),
            name: "Office".to_owned(),
            domain: "sip.example.com".to_owned(),
            domain_prefix: Prefix::parse("00500").unwrap(),
            prefix: Prefix::parse("0003").unwrap(),
            extension_len: 3,
            calls_max: 5,
            timezone: "Europe/Moscow".to_owned(),
            created: Wall(0),
        };
        let tenant = store.create_client(&client).await.unwrap();
        let phone = NewExtension {
            name: ExtensionName::parse("100").unwrap(),
            kind: ExtensionKind::Phone,
            status: Status::Active,
            label: DisplayName::parse("Анна").unwrap(),
            caller_id_name: None,
            group: None,
            shown: ExtensionShown::default(),
            phone: Some(NewPhone {
                logins: vec![Login::parse("0003100").unwrap()],
                password: Secret::new("password"),
            }),
            created: Wall(0),
        };
        let phone = store.create_extension(tenant, &phone).await.unwrap().unwrap().id;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let relay = Arc::new(Played::default());
        tokio::spawn(Arc::clone(&relay).serve(listener));
        let (left, recorded) = Default::default();
        let tables = Tables { store, node: NODE, files, left, recorded };
        let configured = Arc::new(Configured(Mutex::default()));
        let figures = Arc::default();
        let office =
            Office { tables, configured, relay, address, tenant, phone, figures, _dir: dir };
        office.set(Some("anna@example.com"), true).await;
        office
    }

    /// What the phone is set to.
    pub(super) async fn set(&self, to: Option<&str>, with_file: bool) {
        let change = |extension: &mut Extension| {
            let shown = &mut extension.phone.as_mut().unwrap().shown;
            (shown.vm_mailto, shown.vm_attach_file) = (to.map(str::to_owned), with_file);
        };
        self.tables.store.change_extension(self.tenant, self.phone, change).await.unwrap();
        let snapshot = self.tables.store.snapshot(self.tenant).await.unwrap().unwrap();
        self.configured.0.lock().unwrap().insert(self.tenant, Arc::new(snapshot));
    }

    /// A caller leaves a message; which of those there are tells its id.
    pub(super) async fn left(&self, id: u128) {
        let file = FileId(id);
        self.tables.files.write(file, format!("sound {id}").as_bytes()).unwrap();
        let message = Message {
            tenant: self.tenant,
            extension: self.phone,
            file,
            length_ms: 61_500,
            call: CallUuid(1),
            sub_call_id: "1".into(),
            caller_number: "74951234567".into(),
            caller_name: "Bob\r\nBcc: all@example.com".into(),
            did: Some("78121234567".into()),
            time: LEFT,
        };
        let journal = JournalId { node: NODE, shard: u32::try_from(id).unwrap() };
        let batch = [(1, vec![Record::Message(Box::new(message))])];
        self.tables.store.apply(journal, 1, &batch, &Sizes::new()).await.unwrap();
    }

    pub(super) fn postman(&self, wall: fn() -> Wall) -> (Postman, watch::Sender<bool>) {
        let (stop, stopped) = watch::channel(false);
        let url = format!("smtp://{}", self.address);
        let settings = MailSettings::parse(&url, Some("PBX <pbx@example.com>")).unwrap();
        let postman = Postman {
            tables: self.tables.clone(),
            switchboard: Arc::clone(&self.configured) as Arc<dyn Switchboard>,
            relay: Relay::new(&settings, None).unwrap(),
            wall,
            stop: stopped,
            figures: Arc::clone(&self.figures),
        };
        (postman, stop)
    }

    /// Everything that is due at a moment is tried once.
    pub(super) async fn round(&self, wall: fn() -> Wall) {
        let (mut postman, _stop) = self.postman(wall);
        for message in self.due(wall()).await {
            postman.bring(&message).await;
        }
    }

    pub(super) async fn due(&self, now: Wall) -> Vec<StoredMessage> {
        self.tables.store.messages_to_mail(NODE, now).await.unwrap()
    }

    pub(super) fn counted(&self) -> [u64; 3] {
        let MailFigures { sent, failures, given_up } = &*self.figures;
        [sent, failures, given_up].map(|figure| figure.load(Ordering::Relaxed))
    }
}

pub(super) fn soon() -> Wall {
    Wall(LEFT.0 + 1_000_000)
}
