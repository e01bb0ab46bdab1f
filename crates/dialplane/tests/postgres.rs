//! The real binary on PostgreSQL: what was acknowledged is there after every kind of end.

use std::net::{SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::time::Duration;

use loadgen::demo::Account;
use loadgen::message::Message;
use loadgen::{Http, Switch, SwitchOptions, digest, ports};
use serde_json::{Value, json};
use tempfile::TempDir;
use testdb::Server;

/// No wait of these tests is longer.
const BOUND: Duration = Duration::from_secs(30);

struct Site {
    server: Server,
    options: SwitchOptions,
    switch: Option<Switch>,
    api: Http,
    _dir: TempDir,
}

impl Site {
    /// `None`: PostgreSQL is not installed, which is said aloud.
    fn open() -> Option<Site> {
        let server = Server::start()?;
        let dir = tempfile::tempdir().unwrap();
        let shards = u16::try_from(std::thread::available_parallelism().unwrap().get().min(64));
        let options = SwitchOptions {
            binary: PathBuf::from(env!("CARGO_BIN_EXE_dialplane")),
            data_dir: dir.path().join("data"),
            sip: SocketAddr::from(([127, 0, 0, 1], 0)),
            rtp_ports: ports::free_range(4 * shards.unwrap()).unwrap(),
            arguments: vec!["--database".to_owned(), server.database()],
            core: None,
        };
        let switch = Switch::start(&options).unwrap();
        let api = api(&switch);
        Some(Site { server, options, switch: Some(switch), api, _dir: dir })
    }

    fn switch(&self) -> &Switch {
        self.switch.as_ref().unwrap()
    }

    /// Ends the switch as a power cut would.
    fn kill(&mut self) {
        self.options.sip = self.switch().demo.sip;
        // Dropping kills with SIGKILL and waits for the end.
        self.switch = None;
    }

    /// Starts it again on the same ports and data.
    fn start(&mut self) {
        let switch = Switch::start(&self.options).unwrap();
        self.api = api(&switch);
        self.switch = Some(switch);
    }

    fn get(&mut self, path: &str) -> Value {
        let answer = self.api.get(path).unwrap();
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        answer.body
    }

    fn put_label(&mut self, number: &str, label: &str) -> u16 {
        let path = format!("/extension/@{number}");
        self.api.put(&path, &json!({ "label": label })).unwrap().status
    }

    /// The numbers of the phones that are registered.
    fn registered(&mut self) -> Vec<String> {
        let list = self.get("/extension/registration/");
        let up = list.as_array().unwrap().iter().filter(|phone| phone["registered"] == true);
        let ids: Vec<_> = up.map(|phone| phone["extension_id"].as_u64().unwrap()).collect();
        let phones = self.switch().demo.tenant.phones.iter();
        let up = phones.filter(|phone| ids.contains(&phone.extension_id));
        up.map(|phone| phone.number.clone()).collect()
    }

    /// Registers the phone with this number over UDP.
    fn register(&self, number: &str) {
        let demo = &self.switch().demo;
        let phone = demo.tenant.phones.iter().find(|phone| phone.number == number).unwrap();
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(BOUND)).unwrap();
        let domain = &demo.tenant.client.domain;
        let first = register_text(phone, domain, &socket, 1, "");
        let challenge = ask(&socket, demo.sip, &first);
        let challenge = Message::parse(&challenge).unwrap();
        assert_eq!(challenge.status, Some(401));
        let uri = format!("sip:{domain}");
        let proof =
            digest::answer(&challenge.challenges, &phone.login, &phone.password, "REGISTER", &uri);
        let second = register_text(phone, domain, &socket, 2, &format!("{}\r\n", proof.unwrap()));
        let answer = ask(&socket, demo.sip, &second);
        assert_eq!(Message::parse(&answer).unwrap().status, Some(200));
    }
}

fn api(switch: &Switch) -> Http {
    let mut api = Http::connect(&switch.demo).unwrap();
    api.log_in(&switch.demo.tenant).unwrap();
    api
}

fn register_text(
    phone: &Account,
    domain: &str,
    socket: &UdpSocket,
    cseq: u32,
    proof: &str,
) -> String {
    let (login, port) = (&phone.login, socket.local_addr().unwrap().port());
    format!(
        "REGISTER sip:{domain} SIP/2.0\r\n\
         Via: SIP/2.0/UDP 127.0.0.1:{port};rport;branch=z9hG4bK{login}-{cseq}\r\n\
         From: <sip:{login}@{domain}>;tag=t\r\nTo: <sip:{login}@{domain}>\r\n\
         Call-ID: {login}-{port}\r\nCSeq: {cseq} REGISTER\r\nMax-Forwards: 70\r\n\
         Contact: <sip:{login}@127.0.0.1:{port}>;expires=600\r\n{proof}Content-Length: 0\r\n\r\n"
    )
}

fn ask(socket: &UdpSocket, sip: SocketAddr, text: &str) -> Vec<u8> {
    socket.send_to(text.as_bytes(), sip).unwrap();
    let mut answer = vec![0; 4_000];
    let length = socket.recv(&mut answer).expect("an answer");
    answer.truncate(length);
    answer
}

#[test]
fn a_killed_switch_finds_everything_in_postgresql() {
    let Some(mut site) = Site::open() else { return };
    site.register("100");
    assert_eq!(site.put_label("100", "before"), 200);
    let phones = site.switch().demo.tenant.phones.clone();
    site.kill();
    site.start();
    assert_eq!(site.get("/extension/@100")["label"], "before");
    assert_eq!(site.registered(), ["100"]);
    let now = site.switch().demo.tenant.phones.clone();
    let known = |phones: &[Account]| {
        phones.iter().map(|p| (p.extension_id, p.password.clone())).collect::<Vec<_>>()
    };
    assert_eq!(known(&now), known(&phones));
}

#[test]
fn while_postgresql_is_away_phones_register_writes_are_refused_and_nothing_is_lost() {
    let Some(mut site) = Site::open() else { return };
    site.register("100");
    assert_eq!(site.put_label("100", "before"), 200);
    site.server.stop();
    site.register("101");
    assert_eq!(site.put_label("100", "refused"), 503);
    assert_eq!(site.get("/extension/@100")["label"], "before");
    assert_eq!(site.registered(), ["100", "101"]);
    // It ends while the database does not have everything, and starts when it is back.
    site.kill();
    site.server.start_again();
    site.start();
    assert_eq!(site.get("/extension/@100")["label"], "before");
    assert_eq!(site.registered(), ["100", "101"]);
    // And again without an end of the switch: what is away comes back by itself.
    site.server.stop();
    site.register("102");
    assert_eq!(site.put_label("101", "refused"), 503);
    site.server.start_again();
    assert_eq!(site.put_label("101", "after"), 200);
    site.kill();
    site.start();
    assert_eq!(site.get("/extension/@101")["label"], "after");
    assert_eq!(site.registered(), ["100", "101", "102"]);
}

#[test]
fn a_server_that_is_not_there_is_one_sentence_without_the_password() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_dialplane"));
    command.current_dir(dir.path()).args(["demo", "--http", "127.0.0.1:0"]);
    command.args(["--sip", "127.0.0.1:0", "--data-dir", "data"]);
    let range = ports::free_range(256).unwrap();
    command.args(["--rtp-ports", &format!("{}-{}", range.start(), range.end())]);
    let output = command
        .env("DIALPLANE_DATABASE", "postgres://anna:secret@127.0.0.1:1/dialplane")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    let last = said.lines().last().unwrap_or_default();
    let sentence = "dialplane: setting `database`: cannot open \
        \"postgres://anna:***@127.0.0.1:1/dialplane\": ";
    assert!(last.starts_with(sentence), "{said}");
    assert!(!said.contains("secret"), "{said}");
    assert_eq!(output.status.code(), Some(2), "{said}");
}
