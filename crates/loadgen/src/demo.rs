//! The switch under test: started as a user would start it, known by the `demo.json` it writes.

use std::fs;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;

use crate::process::Process;
use crate::watch;

/// What the switch says of itself once it serves.
#[derive(Debug, Clone, Deserialize)]
pub struct Demo {
    /// Root of the HTTP server.
    pub http: String,
    /// Where phones register.
    pub sip: SocketAddr,
    /// Where they register over TLS, if they can.
    #[serde(default)]
    pub sip_tls: Option<SocketAddr>,
    /// The certificate that they must believe then.
    #[serde(default)]
    pub tls_certificate: Option<PathBuf>,
    /// Where they register over WebSocket, if they can.
    #[serde(default)]
    pub sip_ws: Option<SocketAddr>,
    /// Where they register over WebSocket in TLS, if they can.
    #[serde(default)]
    pub sip_wss: Option<SocketAddr>,
    /// The first client; of several the others are in `tenants`.
    #[serde(flatten)]
    pub tenant: Tenant,
    /// All clients, where more than one was asked for.
    #[serde(default)]
    pub tenants: Vec<Tenant>,
}

/// One client of the demo.
#[derive(Debug, Clone, Deserialize)]
pub struct Tenant {
    /// Its API application.
    pub application: Application,
    /// Its user.
    pub user: User,
    /// Itself.
    pub client: Client,
    /// Its phones, in the order of their numbers.
    pub phones: Vec<Account>,
}

/// Client credentials of the API.
#[derive(Debug, Clone, Deserialize)]
pub struct Application {
    /// `client_id`.
    pub id: String,
    /// `client_secret`.
    pub secret: String,
}

/// A user of the API.
#[derive(Debug, Clone, Deserialize)]
pub struct User {
    /// User name.
    pub login: String,
    /// Password.
    pub password: String,
}

/// A client as the API shows it.
#[derive(Debug, Clone, Deserialize)]
pub struct Client {
    /// `client_id`.
    pub id: u64,
    /// Name of the company.
    pub name: String,
    /// Its prefix inside the domain.
    pub prefix: String,
    /// SIP domain.
    pub domain: String,
}

/// What a phone needs to register.
#[derive(Debug, Clone, Deserialize)]
pub struct Account {
    /// Id of its extension.
    pub extension_id: u64,
    /// What others dial.
    pub number: String,
    /// Full name of the extension.
    pub name: String,
    /// Digest user.
    pub login: String,
    /// Digest password.
    pub password: String,
}

impl Demo {
    /// All clients, the first one included.
    pub fn all_tenants(&self) -> &[Tenant] {
        if self.tenants.is_empty() { std::slice::from_ref(&self.tenant) } else { &self.tenants }
    }
}

/// How the switch is started.
#[derive(Debug, Clone)]
pub struct SwitchOptions {
    /// The binary.
    pub binary: PathBuf,
    /// Where it keeps everything.
    pub data_dir: PathBuf,
    /// Where phones shall register; port 0 takes a free one.
    pub sip: SocketAddr,
    /// Ports for audio.
    pub rtp_ports: RangeInclusive<u16>,
    /// Further words of the command line.
    pub arguments: Vec<String>,
    /// The core it runs on; `None`: all.
    pub core: Option<usize>,
}

/// A running switch. Dropping it kills it.
#[derive(Debug)]
pub struct Switch {
    /// The process.
    pub process: Process,
    /// What it said of itself.
    pub demo: Demo,
}

/// Longest start that is waited for: seeding thousands of phones included.
const START: Duration = Duration::from_secs(60);

impl Switch {
    /// Starts the demo and waits until it serves: until it has written its `demo.json` anew.
    pub fn start(options: &SwitchOptions) -> Result<Switch> {
        let dir = &options.data_dir;
        fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        let file = dir.join("demo.json");
        let before = identity(&file);
        let mut process = Process::start(command(options), options.core)?;
        let demo = watch::until(dir, START, "the switch's demo.json", || {
            if process.status().is_some() {
                bail!("the switch ended before it served\n{}", process.said());
            }
            let now = identity(&file);
            if now.is_none() || now == before {
                return Ok(None);
            }
            let text = fs::read(&file).context("cannot read demo.json")?;
            serde_json::from_slice(&text).context("demo.json is not as expected").map(Some)
        });
        let demo = demo.with_context(|| process.said())?;
        Ok(Switch { process, demo })
    }
}

fn command(options: &SwitchOptions) -> Command {
    let mut command = Command::new(&options.binary);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("DIALPLANE_") {
            command.env_remove(name);
        }
    }
    let ports = &options.rtp_ports;
    command.arg("demo").arg("--data-dir").arg(&options.data_dir);
    command.args(["--http", "127.0.0.1:0", "--sip", &options.sip.to_string()]);
    command.args(["--rtp-ports", &format!("{}-{}", ports.start(), ports.end())]);
    command.args(&options.arguments);
    command
}

/// What tells a file from the one that an earlier run has left.
fn identity(file: &Path) -> Option<(u64, i64, i64)> {
    let metadata = fs::metadata(file).ok()?;
    Some((metadata.ino(), metadata.mtime(), metadata.mtime_nsec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_client_or_several_are_read() {
        let tenant = r#""application": {"id": "a", "secret": "s"},
            "user": {"login": "l", "password": "p"},
            "client": {"id": 1, "name": "Demo", "prefix": "0003", "domain": "demo.example"},
            "phones": [{"extension_id": 100000, "number": "100", "name": "0003*100",
                        "login": "0003100", "password": "p"}]"#;
        let addresses = r#""http": "http://127.0.0.1:8080", "sip": "127.0.0.1:5060""#;
        let one: Demo = serde_json::from_str(&format!("{{{addresses}, {tenant}}}")).unwrap();
        assert_eq!(one.all_tenants().len(), 1);
        let several =
            format!("{{{addresses}, {tenant}, \"tenants\": [{{{tenant}}}, {{{tenant}}}]}}");
        let several: Demo = serde_json::from_str(&several).unwrap();
        assert_eq!(several.all_tenants().len(), 2);
    }
}
