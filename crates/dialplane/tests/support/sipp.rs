//! sipp with the scenarios of `tests/sipp`.

use std::net::{Ipv4Addr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::Command;

use loadgen::Process;

use super::{BOUND, Site};

/// One phone played by sipp: an account and a port of its own.
pub(crate) struct Sipp {
    number: String,
    address: Ipv4Addr,
    port: u16,
    transport: &'static str,
}

/// A scenario on its way.
pub(crate) struct Run {
    process: Process,
    folder: PathBuf,
    scenario: String,
}

impl Sipp {
    /// The phone of `number` over `u1` (UDP) or `t1` (TCP).
    pub(crate) fn phone(number: &str, transport: &'static str) -> Sipp {
        Sipp::at(Ipv4Addr::LOCALHOST, number, transport)
    }

    fn at(address: Ipv4Addr, number: &str, transport: &'static str) -> Sipp {
        let socket = UdpSocket::bind((address, 0)).expect("a free port");
        let port = socket.local_addr().expect("its number").port();
        Sipp { number: number.to_owned(), address, port, transport }
    }

    /// A carrier over UDP, at an address of its own: the phone's account is of no use to it.
    pub(crate) fn carrier(address: Ipv4Addr) -> Sipp {
        Sipp::at(address, "100", "u1")
    }

    /// Where it is.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The phone over UDP, registered.
    pub(crate) fn registered(site: &Site, number: &str) -> Sipp {
        let phone = Sipp::phone(number, "u1");
        phone.plays(site, "register", "").succeeds();
        phone
    }

    /// Starts a scenario; `callee` is the number that it calls, if it calls.
    pub(crate) fn plays(&self, site: &Site, scenario: &str, callee: &str) -> Run {
        let account = site.account(&self.number);
        let folder = site.folder(&format!("sipp{}-{}-{scenario}", self.number, self.port));
        let scenarios = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sipp");
        let mut command = Command::new("sipp");
        command.current_dir(&folder);
        command.arg(site.sip().to_string());
        command.arg("-sf").arg(scenarios.join(format!("{scenario}.xml")));
        command.args(["-m", "1", "-nostdin", "-timeout", "30s", "-timeout_error"]);
        command.args(["-i", &self.address.to_string(), "-p", &self.port.to_string()]);
        command.args(["-t", self.transport]);
        // What digest is computed over must be the Request-URI; sipp would take the address.
        let uri = if callee.is_empty() {
            site.domain().to_owned()
        } else {
            format!("{callee}@{}", site.domain())
        };
        command.args(["-auth_uri", &uri]);
        command.args(["-s", callee, "-au", &account.login, "-ap", &account.password]);
        command.args(["-key", "login", &account.login, "-key", "domain", site.domain()]);
        command.args(["-trace_msg", "-message_file", "messages", "-trace_err"]);
        command.args(["-error_file", "errors"]);
        let process = Process::start(command, None).expect("sipp starts");
        Run { process, folder, scenario: scenario.to_owned() }
    }
}

impl Run {
    /// Waits for its end and asserts that all went as the scenario says.
    pub(crate) fn succeeds(mut self) {
        let status = self.process.wait(BOUND * 2);
        if !status.as_ref().is_ok_and(std::process::ExitStatus::success) {
            let read = |name: &str| {
                let bytes = std::fs::read(self.folder.join(name)).unwrap_or_default();
                String::from_utf8_lossy(&bytes).into_owned()
            };
            let (errors, messages) = (read("errors"), read("messages"));
            panic!("{}: {status:?}\n{errors}\n{messages}", self.scenario);
        }
    }
}
