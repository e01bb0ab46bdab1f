//! Messages, a relay that is played, and what reaches it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use api::{Answer, Unavailable};
use leg::{Command, Message, Record, Reply};
use model::{
    CallUuid, DisplayName, ExtensionId, ExtensionKind, ExtensionName, ExtensionShown, Login,
    NodeAddress, Prefix, Secret, Status, TenantId, TenantKey,
};
use store::{FileStore, JournalId, NewClient, NewExtension, NewPhone, Sizes, Store};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::*;

const NODE: NodeAddress = NodeAddress(7);
/// 2026-11-21 15:00:03 UTC.
const LEFT: Wall = Wall(1_795_273_203_000_000);

/// What a relay was told in one session, and what it does.
#[derive(Default)]
struct Played {
    /// What it says to the next RCPTs, instead of taking them.
    refusals: Mutex<VecDeque<&'static str>>,
    /// Recipients and text of each mail that it has taken.
    taken: Mutex<Vec<(Vec<String>, String)>>,
    /// Sessions that were begun.
    sessions: AtomicU64,
    /// It takes a mail and the session breaks before it can say so.
    breaks: std::sync::atomic::AtomicBool,
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

    fn taken(&self) -> Vec<(Vec<String>, String)> {
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
struct Office {
    tables: Tables,
    configured: Arc<Configured>,
    relay: Arc<Played>,
    address: std::net::SocketAddr,
    tenant: TenantId,
    phone: ExtensionId,
    figures: Arc<MailFigures>,
    _dir: tempfile::TempDir,
}

impl Office {
    async fn new() -> Office {
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
    async fn set(&self, to: Option<&str>, with_file: bool) {
        let change = |extension: &mut Extension| {
            let shown = &mut extension.phone.as_mut().unwrap().shown;
            (shown.vm_mailto, shown.vm_attach_file) = (to.map(str::to_owned), with_file);
        };
        self.tables.store.change_extension(self.tenant, self.phone, change).await.unwrap();
        let snapshot = self.tables.store.snapshot(self.tenant).await.unwrap().unwrap();
        self.configured.0.lock().unwrap().insert(self.tenant, Arc::new(snapshot));
    }

    /// A caller leaves a message; which of those there are tells its id.
    async fn left(&self, id: u128) {
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

    fn postman(&self, wall: fn() -> Wall) -> (Postman, watch::Sender<bool>) {
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
    async fn round(&self, wall: fn() -> Wall) {
        let (mut postman, _stop) = self.postman(wall);
        for message in self.due(wall()).await {
            postman.bring(&message).await;
        }
    }

    async fn due(&self, now: Wall) -> Vec<StoredMessage> {
        self.tables.store.messages_to_mail(NODE, now).await.unwrap()
    }

    fn counted(&self) -> [u64; 3] {
        let MailFigures { sent, failures, given_up } = &*self.figures;
        [sent, failures, given_up].map(|figure| figure.load(Ordering::Relaxed))
    }
}

fn soon() -> Wall {
    Wall(LEFT.0 + 1_000_000)
}

/// Base64 and quoted-printable parts of a mail as people see them, one after the other.
fn body_parts(text: &str) -> Vec<&str> {
    text.split("\n\n").collect()
}

#[tokio::test]
async fn a_message_is_mailed_with_its_sound_and_only_once() {
    let office = Office::new().await;
    office.left(0xA1).await;
    office.round(soon).await;
    office.round(soon).await;
    let taken = office.relay.taken();
    let [(to, text)] = taken.as_slice() else { panic!("{taken:?}") };
    assert_eq!(*to, ["RCPT TO:<anna@example.com>"]);
    for line in [
        "From: PBX <pbx@example.com>",
        "To: anna@example.com",
        "Subject: Voice message from 74951234567 (1:02)",
        "Message-ID: <000000000000000000000000000000a1@example.com>",
        "Auto-Submitted: auto-generated",
        "Content-Type: audio/wav",
        // "sound 161"
        "c291bmQgMTYx",
        "Date: Sat, 21 Nov 2026 15:00:03 +0000",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} in {text}");
    }
    let head = body_parts(text)[0];
    assert!(!head.contains("Bcc"), "{head}");
    assert_eq!(office.counted(), [1, 0, 0]);
    assert!(office.due(Wall(i64::MAX)).await.is_empty());
}

#[tokio::test]
async fn a_mail_without_the_sound_is_text_alone() {
    let office = Office::new().await;
    office.set(Some("anna@example.com,bob@example.com"), false).await;
    office.left(1).await;
    office.round(soon).await;
    let taken = office.relay.taken();
    assert_eq!(taken[0].0, ["RCPT TO:<anna@example.com>", "RCPT TO:<bob@example.com>"]);
    assert!(!taken[0].1.contains("multipart") && !taken[0].1.contains("audio/"), "{taken:?}");
}

#[tokio::test]
async fn nobody_is_mailed_who_has_not_asked() {
    let office = Office::new().await;
    office.set(None, true).await;
    office.left(1).await;
    office.round(soon).await;
    assert_eq!(office.relay.sessions.load(Ordering::Relaxed), 0);
    assert!(office.due(Wall(i64::MAX)).await.is_empty());
    // Who asks later gets what comes later.
    office.set(Some("anna@example.com"), true).await;
    office.left(2).await;
    office.round(soon).await;
    assert_eq!(office.relay.taken().len(), 1);
}

#[tokio::test]
async fn a_relay_that_refuses_for_now_is_asked_again_after_longer_and_longer_pauses() {
    let office = Office::new().await;
    office.left(1).await;
    let now = soon();
    for (attempts, pause_s) in [(1, 60), (2, 120), (3, 240)] {
        office.relay.refusals.lock().unwrap().push_back("451 later");
        office.round(soon).await;
        assert!(office.due(Wall(now.0 + (pause_s * 1_000_000) - 1)).await.is_empty());
        let due = office.due(Wall(now.0 + pause_s * 1_000_000)).await;
        assert_eq!(due[0].mail_attempts, attempts);
        // As if so much time had passed.
        let mail = Mail::Later { attempts, due: now };
        office.tables.store.set_mail(office.tenant, FileId(1), mail).await.unwrap();
    }
    let many = Mail::Later { attempts: 60, due: now };
    office.tables.store.set_mail(office.tenant, FileId(1), many).await.unwrap();
    office.relay.refusals.lock().unwrap().push_back("451 later");
    office.round(soon).await;
    assert_eq!(office.due(Wall(now.0 + 3_600_000_000)).await.len(), 1, "an hour at most");
    assert_eq!(office.counted(), [0, 4, 0]);
    assert!(office.relay.taken().is_empty());
}

#[tokio::test]
async fn a_relay_that_is_away_loses_nothing_over_a_start() {
    let office = Office::new().await;
    office.left(1).await;
    let (mut postman, _stop) = office.postman(soon);
    let nowhere = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let settings =
        MailSettings::parse(&format!("smtp://{nowhere}"), Some("pbx@example.com")).unwrap();
    postman.relay = Relay::new(&settings, None).unwrap();
    let due = office.due(soon()).await;
    postman.bring(&due[0]).await;
    assert_eq!(office.counted(), [0, 1, 0]);
    fn later() -> Wall {
        Wall(soon().0 + 60_000_000)
    }
    office.round(later).await;
    assert_eq!(office.relay.taken().len(), 1);
}

#[tokio::test]
async fn what_a_relay_will_never_take_is_given_up() {
    let office = Office::new().await;
    office.left(1).await;
    office.relay.refusals.lock().unwrap().push_back("550 no such user");
    office.round(soon).await;
    assert_eq!(office.counted(), [0, 0, 1]);
    assert!(office.due(Wall(i64::MAX)).await.is_empty());
}

#[tokio::test]
async fn one_bad_address_of_several_keeps_the_mail_from_nobody_else() {
    let office = Office::new().await;
    office.set(Some("gone@example.com,bob@example.com"), true).await;
    office.left(1).await;
    // Of both together, then of the first alone.
    office.relay.refusals.lock().unwrap().extend(["550 no", "550 no"]);
    office.round(soon).await;
    let taken = office.relay.taken();
    assert_eq!(taken.len(), 1);
    assert_eq!(taken[0].0, ["RCPT TO:<bob@example.com>"]);
    assert_eq!(office.counted(), [1, 0, 0]);
}

#[tokio::test]
async fn a_session_that_breaks_after_the_mail_brings_it_again_under_the_same_id() {
    let office = Office::new().await;
    office.left(1).await;
    office.relay.breaks.store(true, Ordering::Relaxed);
    office.round(soon).await;
    office.relay.breaks.store(false, Ordering::Relaxed);
    fn later() -> Wall {
        Wall(soon().0 + 60_000_000)
    }
    office.round(later).await;
    let taken = office.relay.taken();
    let id = |text: &str| text.lines().find(|l| l.starts_with("Message-ID")).map(str::to_owned);
    assert_eq!(taken.len(), 2);
    assert!(id(&taken[0].1).is_some());
    assert_eq!(id(&taken[0].1), id(&taken[1].1));
}

#[tokio::test]
async fn an_old_message_is_not_mailed_any_more() {
    fn days_later() -> Wall {
        Wall(LEFT.0 + 4 * 86_400_000_000)
    }
    let office = Office::new().await;
    office.left(1).await;
    office.round(days_later).await;
    assert_eq!(office.relay.sessions.load(Ordering::Relaxed), 0);
    assert_eq!(office.counted(), [0, 0, 1]);
    assert!(office.due(Wall(i64::MAX)).await.is_empty());
}

#[tokio::test]
async fn a_lost_file_is_told_of_without_it() {
    let office = Office::new().await;
    office.left(1).await;
    office.tables.files.remove(FileId(1)).unwrap();
    office.round(soon).await;
    assert_eq!(office.counted(), [1, 0, 0]);
    assert!(!office.relay.taken()[0].1.contains("audio/wav"));
}

#[tokio::test]
async fn the_worker_wakes_for_new_messages_and_ends_when_told() {
    let office = Office::new().await;
    office.left(1).await;
    let (postman, stop) = office.postman(soon);
    let worker = tokio::spawn(postman.run());
    while office.relay.taken().is_empty() {
        tokio::task::yield_now().await;
    }
    for id in 2..=30 {
        office.left(id).await;
    }
    office.tables.left.notify_one();
    while office.relay.taken().len() < 30 {
        tokio::task::yield_now().await;
    }
    stop.send(true).unwrap();
    worker.await.unwrap();
    assert_eq!(office.relay.taken().len(), 30);
    assert!(office.due(Wall(i64::MAX)).await.is_empty());
}

#[test]
fn settings_are_read_and_shown_without_the_password() {
    let from = Some("PBX <pbx@example.com>");
    let table = [
        ("smtp://relay", "smtp://relay:25 from PBX <pbx@example.com>"),
        ("smtp://relay:2525/", "smtp://relay:2525 from PBX <pbx@example.com>"),
        ("smtp://u:p@relay", "smtp://u:***@relay:587 from PBX <pbx@example.com>"),
        ("smtps://u%40x:p%2Fq@relay", "smtps://u@x:***@relay:465 from PBX <pbx@example.com>"),
        ("smtp://[::1]:25", "smtp://[::1]:25 from PBX <pbx@example.com>"),
    ];
    for (url, expected) in table {
        let settings = MailSettings::parse(url, from).unwrap();
        assert_eq!(settings.shown(), expected);
        assert!(!format!("{settings:?}").contains("p/q"), "{settings:?}");
    }
    for bad in [
        "relay",
        "http://relay",
        "smtp://",
        "smtp://u@relay",
        "smtp://relay:x",
        "smtp://a/b",
        "smtp://u:%zz@relay",
        "smtp://[::1",
        "smtp://relay:0",
    ] {
        assert_eq!(MailSettings::parse(bad, from).unwrap_err().setting, "smtp", "{bad}");
    }
    for bad in [None, Some("nobody")] {
        assert_eq!(MailSettings::parse("smtp://relay", bad).unwrap_err().setting, "smtp_from");
    }
}

#[tokio::test]
async fn a_password_is_not_sent_to_another_machine_in_the_clear() {
    let url = "smtp://user:secret@192.0.2.1";
    let settings = MailSettings::parse(url, Some("pbx@example.com")).unwrap();
    let shown = format!("{settings:?}");
    assert!(shown.contains("Required"), "{shown}");
    assert!(!shown.contains("secret"), "{shown}");
}

#[test]
fn a_mail_speaks_the_language_of_the_client_on_its_clock() {
    let message = |number: &str, name: &str| StoredMessage {
        message: Message {
            tenant: TenantId(1),
            extension: ExtensionId(100_000),
            file: FileId(1),
            length_ms: 12_001,
            call: CallUuid(1),
            sub_call_id: "".into(),
            caller_number: number.into(),
            caller_name: name.into(),
            did: None,
            time: LEFT,
        },
        bytes: 0,
        heard: false,
        mail_attempts: 0,
    };
    let owner = Extension {
        id: ExtensionId(100_000),
        name: ExtensionName::parse("100").unwrap(),
        kind: ExtensionKind::Phone,
        status: Status::Active,
        label: DisplayName::default(),
        caller_id_name: None,
        group: None,
        shown: ExtensionShown::default(),
        phone: None,
    };
    let english = text::of(&message("101", "Bob"), &owner, "Europe/Moscow", model::Language::En);
    assert_eq!(english.subject, "Voice message from 101 (0:13)");
    assert_eq!(
        english.text,
        "A voice message was left for 100.\n\nFrom: 101 (Bob)\n\
         Time: 2026-11-21 18:00:03 (Europe/Moscow)\nLength: 0:13\n"
    );
    assert_eq!(english.filename, "message-2026-11-21-18-00-03.wav");
    let russian = text::of(&message("", "Bob"), &owner, "Nowhere", model::Language::Ru);
    assert_eq!(russian.subject, "Голосовое сообщение от скрытого номера (0:13)");
    assert_eq!(
        russian.text,
        "Оставлено голосовое сообщение для номера 100.\n\nОт: скрытого номера\n\
         Время: 2026-11-21 15:00:03 (UTC)\nДлительность: 0:13\n"
    );
}
