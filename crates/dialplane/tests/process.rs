//! The real binary as an operator meets it: start, files, ports, signals, mistakes.
//!
//! Every test has a process, a folder and ports of its own, and waits only for events.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use loadgen::http::Body;
use loadgen::{Demo, Http, Process, Switch, SwitchOptions, ports};
use nix::sys::signal::Signal;
use serde_json::Value;
use tempfile::TempDir;

/// No wait of these tests is longer.
const BOUND: Duration = Duration::from_secs(30);
/// As few RTP ports as a switch takes: two pairs for each shard, and a shard for each processor.
fn rtp_ports() -> std::ops::RangeInclusive<u16> {
    let shards = std::thread::available_parallelism().unwrap().get().min(64);
    ports::free_range(4 * u16::try_from(shards).unwrap()).unwrap()
}

/// Where a test's switches keep what they have.
struct Place {
    dir: TempDir,
    options: SwitchOptions,
}

impl Place {
    fn new() -> Place {
        let dir = tempfile::tempdir().unwrap();
        let options = SwitchOptions {
            binary: PathBuf::from(env!("CARGO_BIN_EXE_dialplane")),
            data_dir: dir.path().join("data"),
            sip: SocketAddr::from(([127, 0, 0, 1], 0)),
            rtp_ports: rtp_ports(),
            arguments: Vec::new(),
            core: None,
        };
        Place { dir, options }
    }

    fn with(arguments: &[&str]) -> Place {
        let mut place = Place::new();
        place.options.arguments = arguments.iter().map(ToString::to_string).collect();
        place
    }

    fn start(&self) -> Switch {
        Switch::start(&self.options).unwrap()
    }

    fn demo_json(&self) -> PathBuf {
        self.options.data_dir.join("demo.json")
    }

    /// What a start with these words says on its way out, and its exit status.
    fn fails(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let mut command = self.command();
        command.args(arguments);
        let mut process = Process::start(command, None).unwrap();
        let status = process.wait(BOUND).unwrap();
        let mut last = String::new();
        // Both streams end with the process: read what is still on its way.
        while let Ok(line) = process.line(BOUND, "anything", |line| Some(line.to_owned())) {
            last = line;
        }
        (status.code(), last)
    }

    /// The arguments that keep a demo away from everybody else.
    fn own_demo(&self) -> Vec<String> {
        let range = &self.options.rtp_ports;
        let words = ["demo", "--http", "127.0.0.1:0", "--sip", "127.0.0.1:0", "--rtp-ports"];
        let mut words: Vec<_> = words.map(str::to_owned).into();
        words.push(format!("{}-{}", range.start(), range.end()));
        words
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.options.binary);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("DIALPLANE_") {
                command.env_remove(name);
            }
        }
        command.current_dir(self.dir.path());
        command
    }
}

/// Says `arguments` to the binary and expects one sentence that holds `sentence`, and status 2.
#[track_caller]
fn refuses(place: &Place, arguments: &[&str], sentence: &str) {
    let (code, said) = place.fails(arguments);
    assert!(said.starts_with("dialplane: setting `"), "{said}");
    assert!(said.contains(sentence), "{said}");
    assert_eq!(code, Some(2), "{said}");
}

fn health(demo: &Demo) -> (u16, Value) {
    let answer = Http::connect(demo).unwrap().ask("GET", "/healthz", Body::None).unwrap();
    (answer.status, answer.body)
}

fn text(demo: &Demo, path: &str) -> String {
    let address = demo.http.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

fn options(over: &str) -> String {
    format!(
        "OPTIONS sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/{over} 127.0.0.1:9;rport;branch=z9hG4bKt\r\n\
         From: <sip:test@127.0.0.1>;tag=t\r\nTo: <sip:127.0.0.1>\r\nCall-ID: test\r\n\
         CSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
    )
}

/// The answer to an OPTIONS over each transport.
fn sip_answers(sip: SocketAddr) -> [String; 2] {
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    udp.set_read_timeout(Some(BOUND)).unwrap();
    udp.send_to(options("UDP").as_bytes(), sip).unwrap();
    let mut buffer = [0; 2_000];
    let (length, from) = udp.recv_from(&mut buffer).expect("an answer over UDP");
    assert_eq!(from, sip);
    let over_udp = String::from_utf8_lossy(&buffer[..length]).into_owned();

    let mut tcp = TcpStream::connect(sip).unwrap();
    tcp.set_read_timeout(Some(BOUND)).unwrap();
    tcp.write_all(options("TCP").as_bytes()).unwrap();
    let length = tcp.read(&mut buffer).expect("an answer over TCP");
    [over_udp, String::from_utf8_lossy(&buffer[..length]).into_owned()]
}

fn stop(mut switch: Switch, signal: Signal) -> Option<i32> {
    switch.process.signal(signal);
    switch.process.wait(BOUND).unwrap().code()
}

#[test]
fn a_demo_serves_all_that_its_file_says_and_ends_well_when_told() {
    let place = Place::new();
    let switch = place.start();
    let (status, body) = health(&switch.demo);
    assert_eq!((status, body["status"].as_str()), (200, Some("ok")), "{body}");
    for answer in sip_answers(switch.demo.sip) {
        assert!(answer.starts_with("SIP/2.0 200 "), "{answer}");
    }
    let demo = &switch.demo;
    let numbers: Vec<_> = demo.tenant.phones.iter().map(|p| p.number.as_str()).collect();
    assert_eq!(numbers, ["100", "101", "102", "103"]);
    let mut api = Http::connect(demo).unwrap();
    api.log_in(&demo.tenant).unwrap();
    let list = api.get("/client/@me/extension/").unwrap();
    assert_eq!(list.status, 200, "{list:?}");
    assert_eq!(stop(switch, Signal::SIGTERM), Some(0));
}

#[test]
fn what_is_written_is_for_the_owner_only() {
    let place = Place::new();
    let _switch = place.start();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let data = &place.options.data_dir;
    assert_eq!(mode(data), 0o700);
    let mut files = Vec::new();
    for folder in [data.clone(), data.join("journal")] {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        files.extend(entries.filter(|path| path.is_file()));
    }
    assert!(files.len() >= 5, "{files:?}");
    for file in files {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
}

#[test]
fn a_second_start_keeps_everything_and_adds_phones_when_asked() {
    let mut place = Place::new();
    let first = place.start();
    let before = fs::read_to_string(place.demo_json()).unwrap();
    let sip = first.demo.sip;
    assert_eq!(stop(first, Signal::SIGTERM), Some(0));

    place.options.sip = sip;
    place.options.arguments = vec!["--phones".to_owned(), "6".to_owned()];
    let second = place.start();
    let [mut before, mut after] = [before, fs::read_to_string(place.demo_json()).unwrap()]
        .map(|text| serde_json::from_str::<Value>(&text).unwrap());
    assert_eq!(second.demo.sip, sip);
    let phones = after["phones"].as_array_mut().unwrap();
    assert_eq!(phones.len(), 6);
    phones.truncate(4);
    before["http"] = after["http"].clone();
    // Beside the port that was free the last time, which may not be free now.
    before["sip_tls"] = after["sip_tls"].clone();
    before["tls_certificate"] = after["tls_certificate"].clone();
    assert_eq!(before, after);
    let mut api = Http::connect(&second.demo).unwrap();
    api.log_in(&second.demo.tenant).expect("the old secret is good");
}

#[test]
fn a_killed_switch_starts_again_on_the_same_data() {
    let mut place = Place::new();
    let first = place.start();
    place.options.sip = first.demo.sip;
    // Dropping kills with SIGKILL.
    drop(first);
    let second = place.start();
    assert_eq!(health(&second.demo).0, 200);
    let mut api = Http::connect(&second.demo).unwrap();
    api.log_in(&second.demo.tenant).expect("the old secret is good");
    assert_eq!(stop(second, Signal::SIGINT), Some(0));
}

#[test]
fn secrets_that_nobody_knows_any_more_are_replaced() {
    let place = Place::new();
    assert_eq!(stop(place.start(), Signal::SIGTERM), Some(0));
    fs::remove_file(place.demo_json()).unwrap();
    let second = place.start();
    assert_ne!(second.demo.tenant.user.login, "demo");
    let mut api = Http::connect(&second.demo).unwrap();
    api.log_in(&second.demo.tenant).expect("the new secret is good");
}

#[test]
fn several_clients_each_have_their_own_phones_and_secrets() {
    let place = Place::with(&["--tenants", "3", "--phones", "2"]);
    let switch = place.start();
    let tenants = switch.demo.all_tenants();
    assert_eq!(tenants.len(), 3);
    assert_eq!(tenants[0].client.id, switch.demo.tenant.client.id);
    let mut logins: Vec<_> =
        tenants.iter().flat_map(|t| &t.phones).map(|p| p.login.clone()).collect();
    logins.sort();
    logins.dedup();
    assert_eq!(logins.len(), 6);
    for tenant in tenants {
        let mut api = Http::connect(&switch.demo).unwrap();
        api.log_in(tenant).unwrap();
        let shown = api.get("/client/@me/extension/").unwrap();
        assert_eq!(shown.status, 200, "{shown:?}");
    }
}

#[test]
fn metrics_name_every_reason() {
    let place = Place::new();
    let switch = place.start();
    let metrics = text(&switch.demo, "/metrics");
    for line in [
        "dialplane_shard_up{shard=\"0\"} 1",
        "dialplane_legs_ended_total{reason=\"caller_hung_up\"} 0",
        "dialplane_media_dropped_total{reason=\"stranger\"} 0",
        "dialplane_connections_ended_total{reason=\"slow\"} 0",
        "dialplane_journal_full{shard=\"0\"} 0",
        "dialplane_draining 0",
    ] {
        assert!(metrics.contains(line), "{line} in {metrics}");
    }
    let names: Vec<_> = metrics.lines().filter_map(|l| l.strip_prefix("# TYPE ")).collect();
    let mut once = names.clone();
    once.sort_unstable();
    once.dedup();
    assert_eq!(once.len(), names.len(), "each family is described once");
}

#[test]
fn a_taken_port_is_one_sentence_that_names_the_setting() {
    let place = Place::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let own = place.own_demo();
    let own: Vec<&str> = own.iter().map(String::as_str).collect();
    let with = |option: &'static str, value: &str| {
        let mut words: Vec<String> = Vec::new();
        let mut left = own.iter();
        while let Some(word) = left.next() {
            words.push((*word).to_owned());
            if *word == option {
                left.next();
                words.push(value.to_owned());
            }
        }
        words
    };
    let check = |words: Vec<String>, sentence: &str| {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        refuses(&place, &words, sentence);
    };
    check(with("--http", &address), "setting `http`: cannot use 127.0.0.1:");
    check(with("--sip", &address), "setting `sip`: cannot use 127.0.0.1:");
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = udp.local_addr().unwrap().to_string();
    check(with("--sip", &address), "setting `sip`: cannot use 127.0.0.1:");
    let port = *place.options.rtp_ports.start() + 1;
    let _rtp = UdpSocket::bind(("127.0.0.1", port)).unwrap();
    check(
        own.iter().map(ToString::to_string).collect(),
        &format!("setting `rtp_ports`: port {port} "),
    );
}

#[test]
fn a_directory_that_cannot_be_used_is_one_sentence_that_names_the_setting() {
    let place = Place::new();
    let file = place.dir.path().join("file");
    fs::write(&file, "").unwrap();
    // Also for root, who may write anywhere that is a directory.
    let below = file.join("data");
    let mut words = place.own_demo();
    words.extend(["--data-dir".to_owned(), below.display().to_string()]);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    refuses(&place, &words, "setting `data_dir`: cannot make ");

    let switch = place.start();
    let mut words = place.own_demo();
    words.extend(["--data-dir".to_owned(), place.options.data_dir.display().to_string()]);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    refuses(&place, &words, "is in use by another process");
    assert_eq!(health(&switch.demo).0, 200, "the first is not disturbed");
}

#[test]
fn a_bad_configuration_is_one_sentence_that_names_the_setting() {
    let place = Place::new();
    let file = place.dir.path().join("dialplane.toml");
    for (written, sentence) in [
        ("htpp = \"127.0.0.1:1\"", "setting `htpp`: "),
        ("drain_limit = \"soon\"", "setting `drain_limit`: "),
        ("rtp_ports = 5", "setting `rtp_ports`: "),
        ("= broken", "setting `config`: "),
    ] {
        fs::write(&file, written).unwrap();
        let path = file.display().to_string();
        for action in ["serve", "check-config"] {
            refuses(&place, &[action, "--config", &path], sentence);
        }
    }
    refuses(&place, &["serve", "--config", "nowhere.toml"], "setting `config`: cannot read");
    refuses(&place, &["demo", "--rtp-ports", "20000"], "setting `rtp_ports`: ");
    refuses(&place, &["serve", "--log", "info,=="], "setting `log`: ");
    let database = ["demo", "--rtp-ports", "20000-20001", "--http", "127.0.0.1:0"];
    refuses(&place, &database, "setting `rtp_ports`: 20000-20001 is too small");
}

#[test]
fn check_config_shows_what_file_and_environment_make() {
    let place = Place::new();
    let file = place.dir.path().join("dialplane.toml");
    fs::write(&file, "http = \"127.0.0.1:7777\"\nsip = \"127.0.0.1:7778\"\n").unwrap();
    let mut command = place.command();
    command.env("DIALPLANE_SIP", "127.0.0.1:7779").env("DIALPLANE_DRAIN_LIMIT", "7");
    let output = command.args(["check-config", "--config"]).arg(&file).output().unwrap();
    let shown = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{shown}");
    for line in ["http = 127.0.0.1:7777", "sip = 127.0.0.1:7779", "drain_limit = 7 s"] {
        assert!(shown.contains(line), "{shown}");
    }
    assert!(!place.dir.path().join("dialplane-data").exists(), "nothing else is done");
}

#[test]
fn help_says_what_can_be_set() {
    let place = Place::new();
    let output = place.command().args(["serve", "--help"]).output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    for word in ["--data-dir", "DIALPLANE_RTP_PORTS", "20000-29999", "--public-address"] {
        assert!(help.contains(word), "{help}");
    }
}
