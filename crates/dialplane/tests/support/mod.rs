//! The real binary with a demo's phones, and real phones to use them.
//!
//! Every [`Site`] is a process of its own with a folder and ports of its own; what it started is
//! gone when it is dropped. Nothing sleeps: every wait is for an event, and has a bound.

pub(crate) mod records;
pub(crate) mod sipp;
pub(crate) mod softphone;
mod trace;
pub(crate) mod wire_phone;

use std::env;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use loadgen::demo::Account;
use loadgen::{Http, Switch, SwitchOptions, ports};
use model::TenantId;
use nix::sys::signal::Signal;
use serde_json::Value;
use tempfile::TempDir;

/// No wait of these tests is longer.
pub(crate) const BOUND: Duration = Duration::from_secs(30);

/// RTP ports of a switch: ten calls of two legs on each of two shards, and as many that have just
/// ended.
const RTP_PORTS: u16 = 160;

/// A running switch with the demo's phones 100, 101, ... and the echo 199.
pub(crate) struct Site {
    switch: Option<Switch>,
    options: SwitchOptions,
    api: Http,
    dir: TempDir,
}

/// A site, if the programs that the test wants are there; `None` is said aloud.
pub(crate) fn site(programs: &[&str]) -> Option<Site> {
    site_with(programs, "127.0.0.1:0", &[])
}

/// A site that serves SIP at this address and is told more besides.
pub(crate) fn site_with(programs: &[&str], sip: &str, arguments: &[&str]) -> Option<Site> {
    site_for(programs, sip, arguments, RTP_PORTS)
}

/// A site with so many RTP ports: two for each leg.
pub(crate) fn site_for(
    programs: &[&str],
    sip: &str,
    arguments: &[&str],
    rtp_ports: u16,
) -> Option<Site> {
    let path = env::var_os("PATH").unwrap_or_default();
    let is_there = |name: &&&str| env::split_paths(&path).any(|dir| dir.join(name).is_file());
    let missing: Vec<_> = programs.iter().filter(|name| !is_there(name)).collect();
    if missing.is_empty() {
        return Some(Site::open(sip, arguments, rtp_ports));
    }
    let required = env::var_os("DIALPLANE_REQUIRE_PHONES").is_some_and(|value| value == "1");
    assert!(!required, "{missing:?} must be installed");
    // Past the test harness, which keeps what a passing test prints to itself.
    let said = writeln!(std::io::stderr(), "left out, {missing:?} is not installed: make deps");
    said.expect("standard error takes a line");
    None
}

impl Site {
    fn open(sip: &str, arguments: &[&str], rtp_ports: u16) -> Site {
        let dir = tempfile::tempdir().expect("a folder for the test");
        let options = SwitchOptions {
            binary: PathBuf::from(env!("CARGO_BIN_EXE_dialplane")),
            data_dir: dir.path().join("data"),
            sip: sip.parse().expect("an address"),
            rtp_ports: ports::free_range(rtp_ports).expect("free ports"),
            arguments: arguments.iter().map(ToString::to_string).collect(),
            core: None,
        };
        let switch = Switch::start(&options).expect("the switch serves");
        let api = api(&switch);
        Site { switch: Some(switch), options, api, dir }
    }

    /// The account of the phone with this number.
    pub(crate) fn account(&self, number: &str) -> &Account {
        let phones = &self.switch().demo.tenant.phones;
        phones.iter().find(|phone| phone.number == number).expect("a phone of the demo")
    }

    /// SIP domain of the phones.
    pub(crate) fn domain(&self) -> &str {
        &self.switch().demo.tenant.client.domain
    }

    /// Where phones register.
    pub(crate) fn sip(&self) -> SocketAddr {
        self.switch().demo.sip
    }

    /// Where phones register over a transport, by IPv4 if they can choose.
    pub(crate) fn server(&self, transport: &str) -> SocketAddr {
        let demo = &self.switch().demo;
        let at = match transport {
            "tls" => demo.sip_tls.expect("it serves TLS"),
            "ws" => demo.sip_ws.expect("it serves WebSocket"),
            "wss" => demo.sip_wss.expect("it serves WebSocket in TLS"),
            _ => demo.sip,
        };
        // A socket for both families is named by its IPv6 address.
        if at.is_ipv6() { SocketAddr::from(([127, 0, 0, 1], at.port())) } else { at }
    }

    /// The certificate that phones must believe.
    pub(crate) fn certificate(&self) -> &Path {
        self.switch().demo.tls_certificate.as_deref().expect("it serves TLS")
    }

    /// Tells the switch to read its certificate again, and waits until it has.
    pub(crate) fn rereads(&mut self) {
        let switch = self.switch.as_mut().expect("it runs");
        switch.process.signal(Signal::SIGHUP);
        let outcome = |line: &str| {
            let is_one = line.contains("TLS certificate");
            is_one.then(|| !line.contains("cannot be used"))
        };
        let taken = switch.process.line(BOUND, "what came of the certificate", outcome);
        assert!(taken.expect("it says so"), "the new certificate is taken");
    }

    /// A folder inside the test's own.
    pub(crate) fn folder(&self, name: &str) -> PathBuf {
        let folder = self.dir.path().join(name);
        std::fs::create_dir_all(&folder).expect("a folder for a phone");
        folder
    }

    /// Where the switch keeps everything.
    pub(crate) fn data_dir(&self) -> &Path {
        &self.options.data_dir
    }

    /// The API, with a token of the demo's application.
    pub(crate) fn api(&mut self) -> &mut Http {
        &mut self.api
    }

    /// A metric, over all its labels.
    pub(crate) fn metric(&mut self, name: &str) -> f64 {
        let all = self.api.metrics().expect("the metrics answer");
        let of_name = |key: &str| key.split('{').next() == Some(name);
        all.iter().filter(|(key, _)| of_name(key)).map(|(_, value)| value).sum()
    }

    /// What `current_calls` lists for an extension.
    pub(crate) fn current_calls(&mut self, number: &str) -> Vec<Value> {
        let path = format!("/extension/@{number}/current_calls/");
        let answer = self.api.get(&path).expect("the API answers");
        assert_eq!(answer.status, 200, "{answer:?}");
        let list = answer.body.get("call_list").and_then(Value::as_array);
        list.expect("a list of calls").clone()
    }

    /// Kills the switch as a power cut would, and starts it again on the same ports and data.
    pub(crate) fn kill_and_restart(&mut self) {
        self.options.sip = self.sip();
        // Dropping kills with SIGKILL and waits for the end.
        self.switch = None;
        let switch = Switch::start(&self.options).expect("the switch serves again");
        self.api = api(&switch);
        self.switch = Some(switch);
    }

    /// Changes the database while the switch is away.
    pub(crate) fn restart_with<F: Future<Output = ()>>(
        &mut self,
        change: impl FnOnce(store::Store, TenantId) -> F,
    ) {
        self.options.sip = self.sip();
        let tenant = TenantId(self.switch().demo.tenant.client.id);
        self.switch = None;
        let database = self.data_dir().join("dialplane.db");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(async {
            let store = store::Store::open(&database.to_string_lossy()).await;
            change(store.expect("the database opens"), tenant).await;
        });
        let switch = Switch::start(&self.options).expect("the switch serves again");
        self.api = api(&switch);
        self.switch = Some(switch);
    }

    /// Asks the switch to stop gracefully.
    pub(crate) fn ask_to_stop(&mut self) {
        let switch = self.switch.as_mut().expect("it runs");
        switch.process.signal(Signal::SIGTERM);
    }

    /// The exit status of a switch that was asked to stop.
    pub(crate) fn exit_code(&mut self) -> Option<i32> {
        let switch = self.switch.as_mut().expect("it runs");
        switch.process.wait(BOUND).expect("it stops").code()
    }

    fn switch(&self) -> &Switch {
        self.switch.as_ref().expect("it runs")
    }
}

fn api(switch: &Switch) -> Http {
    let mut api = Http::connect(&switch.demo).expect("the API listens");
    api.log_in(&switch.demo.tenant).expect("the demo's application gets a token");
    api
}
