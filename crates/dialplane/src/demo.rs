//! The demo: a client with phones to try, and what a person or a program needs to use it.

use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

use node::{Credentials, Node, Prepared, SeedRequest, SeededClient, write_private};
use serde::{Deserialize, Serialize};

use crate::cli::DemoOptions;
use crate::config::{Config, Purpose};
use crate::run::{Failure, Signals, begin_to_log, runtime};

/// The SIP domain of the demo's clients. It need not resolve: phones are given the address too.
const DOMAIN: &str = "demo.dialplane.example";
const DOMAIN_PREFIX: &str = "00500";
/// The first client's prefix is 0003, as in the API reference; further ones count on.
const FIRST_PREFIX: u32 = 3;
/// Phones that are printed; all are in the file.
const PHONES_SHOWN: usize = 8;

/// `demo.json`: what a program needs. The plain secrets are kept nowhere else.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct DemoFile {
    http: String,
    sip: String,
    #[serde(flatten)]
    first: Client,
    /// All clients, when there are several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    tenants: Vec<Client>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Client {
    application: Application,
    user: User,
    client: ClientName,
    phones: Vec<Phone>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Application {
    id: String,
    secret: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct User {
    login: String,
    password: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct ClientName {
    id: u64,
    name: String,
    prefix: String,
    domain: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Phone {
    extension_id: u64,
    number: String,
    name: String,
    login: String,
    password: String,
}

/// Serves the demo until a signal.
pub(crate) fn run(demo: &DemoOptions) -> Result<(), Failure> {
    let config = Config::read(&demo.options, Purpose::Demo)?;
    begin_to_log(&config.log)?;
    let path = config.settings.data_dir.join("demo.json");
    runtime()?.block_on(async {
        let mut signals = Signals::listen()?;
        let start = start(config, demo, &path);
        if let Some((node, file)) = signals.unless_told_to_stop(start).await? {
            print!("{}", file.for_people(&path));
            signals.serve(node).await;
        }
        Ok(())
    })
}

async fn start(
    config: Config,
    demo: &DemoOptions,
    path: &Path,
) -> Result<(Node, DemoFile), Failure> {
    let mut prepared = Prepared::open(config.settings).await?;
    let before = DemoFile::read(path)?;
    let mut clients = Vec::new();
    for number in 0..demo.tenants {
        let request = request(number, demo.phones, before.as_ref());
        let seeded = prepared.seed(&request).await?;
        clients.push(Client::of(&request, seeded));
    }
    let node = prepared.start().await?;
    let first = clients.first().cloned().expect("the command line asks for one client at least");
    let file = DemoFile {
        http: format!("http://{}", reachable(node.http())),
        sip: reachable(node.sip()).to_string(),
        first,
        tenants: if clients.len() > 1 { clients } else { Vec::new() },
    };
    let text = serde_json::to_vec_pretty(&file)
        .map_err(|error| Failure::System("write demo.json", error.into()))?;
    write_private(path, &text).map_err(|error| Failure::System("write demo.json", error))?;
    Ok((node, file))
}

fn request(number: u32, phones: u32, before: Option<&DemoFile>) -> SeedRequest {
    let prefix = format!("{:04}", FIRST_PREFIX + number);
    let is_first = number == 0;
    let known = before.and_then(|file| file.client(&prefix)).map(|client| Credentials {
        application_id: client.application.id.clone(),
        application_secret: client.application.secret.clone(),
        user_login: client.user.login.clone(),
        user_password: client.user.password.clone(),
    });
    SeedRequest {
        name: if is_first { "Demo".to_owned() } else { format!("Demo {}", number + 1) },
        domain: DOMAIN.to_owned(),
        domain_prefix: DOMAIN_PREFIX.to_owned(),
        user: if is_first { "demo".to_owned() } else { format!("demo{}", number + 1) },
        prefix,
        known,
        phones: usize::try_from(phones).unwrap_or(usize::MAX),
    }
}

/// An address that programs on this machine reach a listener at.
fn reachable(bound: SocketAddr) -> SocketAddr {
    let ip = match bound.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, bound.port())
}

impl DemoFile {
    /// What an earlier start has written; `None`: this is the first.
    fn read(path: &Path) -> Result<Option<DemoFile>, Failure> {
        let text = match fs::read(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Failure::System("read demo.json", error)),
        };
        serde_json::from_slice(&text).map(Some).map_err(|error| {
            let shown = path.display();
            let why =
                format!("setting `data_dir`: {shown} cannot be understood ({error}); remove it");
            Failure::Configuration(why)
        })
    }

    fn clients(&self) -> &[Client] {
        if self.tenants.is_empty() { core::slice::from_ref(&self.first) } else { &self.tenants }
    }

    fn client(&self, prefix: &str) -> Option<&Client> {
        self.clients().iter().find(|client| client.client.prefix == prefix)
    }

    /// What a person needs.
    fn for_people(&self, path: &Path) -> String {
        use core::fmt::Write as _;
        let mut text = String::new();
        let first = &self.first;
        let domain = &first.client.domain;
        let mut line = |line: String| {
            let _ = writeln!(text, "{line}");
        };
        line(String::new());
        line(format!("Dialplane {} demo: ready", env!("CARGO_PKG_VERSION")));
        line(String::new());
        line(format!("  HTTP API     {}/api/ver1.0/", self.http));
        line(format!("  SIP          {} (UDP and TCP), domain {domain}", self.sip));
        let client = &first.client;
        line(format!(
            "  Client       {} (id {}, prefix {})",
            client.name, client.id, client.prefix
        ));
        line(format!("  Application  client_id {}", first.application.id));
        line(format!("               client_secret {}", first.application.secret));
        line(format!("  User         {}  password {}", first.user.login, first.user.password));
        line(String::new());
        line("  Number  SIP login    SIP password".to_owned());
        for phone in first.phones.iter().take(PHONES_SHOWN) {
            line(format!("  {:<6}  {:<11}  {}", phone.number, phone.login, phone.password));
        }
        if let more @ 1.. = first.phones.len().saturating_sub(PHONES_SHOWN) {
            line(format!("  and {more} more"));
        }
        line(String::new());
        line("  Dial 199 to hear yourself, another phone's number to talk.".to_owned());
        if self.clients().len() > 1 {
            line(format!("  {} clients in all.", self.clients().len()));
        }
        line(format!("  All of this for programs: {}", path.display()));
        line("  Ctrl+C stops; what is here now is here again at the next start.".to_owned());
        line(String::new());
        text
    }
}

impl Client {
    fn of(request: &SeedRequest, seeded: SeededClient) -> Client {
        let SeedRequest { name, prefix, domain, .. } = request.clone();
        let Credentials { application_id, application_secret, user_login, user_password } =
            seeded.credentials;
        let phone = |phone: node::SeededPhone| Phone {
            extension_id: phone.extension_id,
            name: format!("{prefix}*{}", phone.number),
            number: phone.number,
            login: phone.login,
            password: phone.password,
        };
        Client {
            application: Application { id: application_id, secret: application_secret },
            user: User { login: user_login, password: user_password },
            phones: seeded.phones.into_iter().map(phone).collect(),
            client: ClientName { id: seeded.id, name, prefix, domain },
        }
    }
}
