//! The running process against the messages of RFC 4475 and RFC 5118, and against mutations of
//! them, while good calls go on. All of it on loopback, bounded in count and time.

use std::collections::BTreeMap;
use std::fs;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::time::Duration;

use loadgen::http::Body;
use loadgen::strangers::{self, Plan, Salvo};
use loadgen::{CallPlan, Http, Phones, Switch, SwitchOptions, ports, usage};
use tempfile::TempDir;

/// How long an answer may take before the question is repeated, as phones do it.
const PATIENCE: Duration = Duration::from_millis(500);
/// Repetitions of one question.
const REPEATS: usize = 40;

/// What a stranger gets for each message, over UDP. 0: nothing; what is asked for has no place for
/// an answer, or may not have one.
const OWED: &str = "
    wsinv.dat 481, intmeth.dat 501, esc01.dat 401, escnull.dat 401, esc02.dat 501, lwsdisp.dat 200,
    longreq.dat 401, dblreq.dat 401, semiuri.dat 200, transports.dat 200, mpart01.dat 401,
    unreason.dat 0, noreason.dat 0, badinv01.dat 400, clerr.dat 400, ncl.dat 400, scalar02.dat 400,
    scalarlg.dat 0, quotbal.dat 400, ltgtruri.dat 400, lwsruri.dat 400, lwsstart.dat 401,
    trws.dat 200, escruri.dat 400, baddate.dat 401, regbadct.dat 400, badaspec.dat 400,
    baddn.dat 400, badvers.dat 505, mismatch01.dat 400, mismatch02.dat 400, bigcode.dat 0,
    badbranch.dat 400, insuf.dat 400, unkscm.dat 416, novelsc.dat 416, unksm2.dat 401,
    bext01.dat 420, invut.dat 415, regaut01.dat 401, multi01.dat 400, mcl01.dat 400, bcast.dat 0,
    zeromf.dat 200, cparam01.dat 401, cparam02.dat 401, regescrt.dat 401, sdp01.dat 406,
    inv2543.dat 401, not-in-rfc-test.dat 0,
    ipv6-good 401, ipv6-bad 400, port-ambiguous 401, port-unambiguous 401,
    via-received-param-with-delim 481, via-received-param-no-delim 200, ipv6-in-sdp 401,
    mult-ip-in-header 481, mult-ip-in-sdp 401, ipv4-mapped-ipv6 401, ipv6-bug-abnf-3-colons 400,
    ipv6-correct-abnf-2-colons 200";

struct Site {
    switch: Switch,
    _dir: TempDir,
}

fn site(ip: IpAddr) -> Site {
    let dir = tempfile::tempdir().unwrap();
    // One shard, so that what strangers get in all is the same on every machine.
    let config = dir.path().join("dialplane.toml");
    fs::write(&config, "shards = 1\n").unwrap();
    let options = SwitchOptions {
        binary: PathBuf::from(env!("CARGO_BIN_EXE_dialplane")),
        data_dir: dir.path().join("data"),
        sip: SocketAddr::new(ip, 0),
        rtp_ports: ports::free_range(80).unwrap(),
        arguments: vec!["--config".to_owned(), config.display().to_string()],
        core: None,
    };
    Site { switch: Switch::start(&options).unwrap(), _dir: dir }
}

/// The messages of one RFC by name; `EXPECT.tsv` names them all.
fn corpus(folder: &str) -> BTreeMap<String, Vec<u8>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../sip/tests/corpora").join(folder);
    let table = fs::read_to_string(root.join("EXPECT.tsv")).unwrap();
    let names = table.lines().skip(1).filter_map(|line| line.split('\t').next());
    names.map(|name| (name.to_owned(), fs::read(root.join(name)).unwrap())).collect()
}

fn owed(name: &str) -> u16 {
    let row =
        OWED.split(',').map(str::trim).find_map(|row| row.strip_prefix(name)?.strip_prefix(' '));
    row.unwrap_or_else(|| panic!("{name} has no row")).parse().unwrap()
}

fn status(bytes: &[u8]) -> u16 {
    let text = String::from_utf8_lossy(bytes);
    text.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0)
}

/// A stranger with an address of its own, so that none has another's share of answers.
struct Stranger {
    socket: UdpSocket,
    number: u64,
}

impl Stranger {
    fn new(ip: IpAddr, to: SocketAddr) -> Stranger {
        let socket = UdpSocket::bind((ip, 0)).unwrap();
        socket.connect(to).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Stranger { socket, number: 0 }
    }

    fn read(&self) -> Option<Vec<u8>> {
        let mut buffer = [0; 65_536];
        match self.socket.recv(&mut buffer) {
            Ok(length) => Some(buffer[..length].to_vec()),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                None
            }
            Err(error) => panic!("{error}"),
        }
    }

    /// Sends OPTIONS after what was sent before and gives all that came before its answer.
    fn settles(&mut self) -> Vec<Vec<u8>> {
        let mut before = Vec::new();
        for _ in 0..REPEATS {
            self.number += 1;
            let mark = format!("stranger-{}@", self.number);
            self.socket.send(&strangers::request("OPTIONS", "x", self.number, "")).unwrap();
            while let Some(answer) = self.read() {
                let text = String::from_utf8_lossy(&answer);
                if text.contains("stranger-") {
                    assert!(text.starts_with("SIP/2.0 200 "), "{text}");
                    if text.contains(&mark) {
                        return before;
                    }
                } else {
                    before.push(answer);
                }
            }
        }
        panic!("OPTIONS is not answered any more");
    }
}

/// Sends every message of a folder and compares what comes back.
fn torture(folder: &str, ip: impl Fn(u32) -> IpAddr, to: SocketAddr) {
    let mut wrong = Vec::new();
    for (n, (name, bytes)) in (0u32..).zip(&corpus(folder)) {
        let mut stranger = Stranger::new(ip(n), to);
        let mut got = Vec::new();
        for _ in 0..3 {
            stranger.socket.send(bytes).unwrap();
            got = stranger.settles();
            if !got.is_empty() || owed(name) == 0 {
                break;
            }
        }
        let statuses: Vec<u16> = got.iter().map(|answer| status(answer)).collect();
        let expected: Vec<u16> = Some(owed(name)).filter(|s| *s > 0).into_iter().collect();
        let out: usize = got.iter().map(Vec::len).sum();
        if statuses != expected || out * 10 > bytes.len() * 12 {
            wrong.push(format!("{name}: {statuses:?} of {out} bytes for {}", bytes.len()));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

fn metrics(switch: &Switch) -> String {
    let mut http = Http::connect(&switch.demo).unwrap();
    http.ask("GET", "/metrics", Body::None).unwrap();
    String::from_utf8(http.last().to_vec()).unwrap()
}

fn assert_unharmed(site: &mut Site) {
    assert_eq!(site.switch.process.status(), None, "it still runs");
    let text = metrics(&site.switch);
    for name in ["dialplane_call_panics_total", "dialplane_shard_panics_total"] {
        assert!(text.contains(name), "{name}");
        assert_eq!(usage::metric(&text, name), 0, "{name}");
    }
}

#[test]
fn every_message_of_rfc_4475_gets_what_it_is_owed_over_udp() {
    let mut site = site(Ipv4Addr::LOCALHOST.into());
    let ip = |n| IpAddr::V4(Ipv4Addr::from(u32::from(Ipv4Addr::new(127, 8, 0, 1)) + n));
    torture("rfc4475", ip, site.switch.demo.sip);
    assert_unharmed(&mut site);
}

#[test]
fn every_message_of_rfc_5118_gets_what_it_is_owed_on_ipv6() {
    let mut site = site(Ipv6Addr::LOCALHOST.into());
    torture("rfc5118", |_| Ipv6Addr::LOCALHOST.into(), site.switch.demo.sip);
    assert_unharmed(&mut site);
}

#[test]
fn what_frames_a_stream_badly_is_answered_and_closed() {
    let mut site = site(Ipv4Addr::LOCALHOST.into());
    let corpus = corpus("rfc4475");
    // What is read until the switch closes; the writing side is closed after the message.
    let talk = |name: &str| {
        let mut stream = TcpStream::connect(site.switch.demo.sip).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        stream.write_all(&corpus[name]).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut all = Vec::new();
        // A reset is an end like another: there may have been more to read.
        let _ = stream.read_to_end(&mut all);
        let text = String::from_utf8_lossy(&all).into_owned();
        let lines = text.lines().filter(|line| line.starts_with("SIP/2.0 "));
        lines.map(|line| status(line.as_bytes())).collect::<Vec<_>>()
    };
    assert_eq!(talk("ncl.dat"), [400]);
    assert_eq!(talk("mcl01.dat"), [400]);
    assert_eq!(talk("clerr.dat"), [0u16; 0], "the rest never comes");
    // Its body is longer than it says: two requests, then rubbish.
    assert_eq!(talk("dblreq.dat"), [401, 401], "two requests in a stream are two");
    Stranger::new(Ipv4Addr::LOCALHOST.into(), site.switch.demo.sip).settles();
    assert_unharmed(&mut site);
}

#[test]
fn twenty_thousand_mutated_datagrams_harm_neither_the_process_nor_good_calls() {
    let mut site = site(Ipv4Addr::LOCALHOST.into());
    let mut phones = Phones::new(&site.switch.demo, Vec::new()).unwrap();
    let report = phones.register(0..phones.len(), 4).unwrap();
    assert!(report.failed.is_empty(), "{report:?}");
    let messages = ["rfc4475", "rfc5118"].iter().flat_map(|f| corpus(f).into_values()).collect();
    let plan = Plan {
        to: site.switch.demo.sip,
        salvo: Salvo::Mutations(messages),
        sources: strangers::sources(8),
        count: 20_000,
        per_second: 5_000,
        seed: 20_264_475,
    };
    let flood = std::thread::spawn(move || strangers::run(&plan).unwrap());
    let hold = Some(Duration::from_millis(50));
    let calls = phones.call(&CallPlan { count: 8, per_second: 2.0, hold }).unwrap();
    assert!(calls.failed.is_empty() && calls.completed == 8, "{calls:?}");
    let flood = flood.join().unwrap();
    assert_eq!(flood.sent, 20_000);
    assert!(flood.answer_bytes * 10 <= flood.sent_bytes * 12);
    assert!(flood.answers > 0, "somebody is answered");
    assert_unharmed(&mut site);
}

#[test]
fn who_guesses_is_banned_and_an_operator_sees_and_lifts_it() {
    let mut site = site(Ipv4Addr::LOCALHOST.into());
    let plan = Plan {
        to: site.switch.demo.sip,
        salvo: Salvo::Guesses { login: "0003100".into(), realm: "dialplane".into() },
        sources: strangers::sources(1),
        count: 200,
        per_second: 1_000,
        seed: 1,
    };
    let guesses = strangers::run(&plan).unwrap();
    assert_eq!(guesses.answers, 9, "{guesses:?}");
    let mut http = Http::connect(&site.switch.demo).unwrap();
    let bans = http.ask("GET", "/bans", Body::None).unwrap();
    assert_eq!(bans.status, 200);
    let list = bans.body["bans"].as_array().unwrap();
    assert_eq!(list.len(), 1, "{bans:?}");
    assert_eq!(list[0]["source"], "127.9.0.1");
    assert!(list[0]["seconds_left"].as_u64().unwrap() > 60);
    let text = metrics(&site.switch);
    assert_eq!(usage::metric(&text, "dialplane_door_banned_sources"), 1);
    assert!(usage::metric(&text, "dialplane_door_denied_total{reason=\"banned\"}") >= 170);
    let mut lift =
        |address: &str| http.ask("DELETE", &format!("/bans/{address}"), Body::None).unwrap().status;
    assert_eq!(lift("nobody"), 400);
    assert_eq!(lift("192.0.2.1"), 404);
    assert_eq!(lift("127.9.0.1"), 204);
    assert_eq!(lift("127.9.0.1"), 404);
    Stranger::new(plan.sources[0].into(), site.switch.demo.sip).settles();
    assert_unharmed(&mut site);
}
