//! The demo: a client with phones to try, and what a person or a program needs to use it.

use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use node::{
    CertificateSource, Credentials, Node, Prepared, PublicAddress, SeedRequest, SeededClient,
    Settings, write_private,
};
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
    /// Over TLS, and the certificate that phones must believe for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sip_tls: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tls_certificate: Option<PathBuf>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sip_ws: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sip_wss: Option<String>,
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
    let mut config = Config::read(&demo.options, Purpose::Demo)?;
    secure(&mut config.settings);
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
    let certificate = match &config.settings.certificate {
        Some(CertificateSource::Files(files)) => files.certificate.clone(),
        Some(CertificateSource::SelfSigned(_)) | None => {
            config.settings.data_dir.join("certificate.pem")
        }
    };
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
    let served = node.sip();
    let first_of = |all: &[SocketAddr]| all.first().map(|at| reachable(*at).to_string());
    let is_secure = !served.tls.is_empty() || !served.wss.is_empty();
    let file = DemoFile {
        http: format!("http://{}", reachable(node.http())),
        sip: first_of(&served.plain).expect("the setting has an address at least"),
        sip_tls: first_of(&served.tls),
        tls_certificate: is_secure.then_some(certificate),
        sip_ws: first_of(&served.ws),
        sip_wss: first_of(&served.wss),
        first,
        tenants: if clients.len() > 1 { clients } else { Vec::new() },
    };
    let text = serde_json::to_vec_pretty(&file)
        .map_err(|error| Failure::System("write demo.json", error.into()))?;
    write_private(path, &text).map_err(|error| Failure::System("write demo.json", error))?;
    Ok((node, file))
}

/// TLS beside the plain address, with a certificate of the demo's own, unless the settings say
/// otherwise or the port is taken.
fn secure(settings: &mut Settings) {
    let sip = &settings.sip;
    if settings.certificate.is_none() {
        let mut names = vec![DOMAIN.to_owned(), "localhost".to_owned()];
        let local = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
        let served = sip.plain.iter().chain(&sip.tls).chain(&sip.wss).map(|at| at.ip());
        let public = settings.public_address.map(|PublicAddress { v4, v6 }| {
            [v4.map(IpAddr::V4), v6.map(IpAddr::V6)].into_iter().flatten()
        });
        for ip in local.into_iter().chain(served).chain(public.into_iter().flatten()) {
            let name = ip.to_string();
            if !ip.is_unspecified() && !names.contains(&name) {
                names.push(name);
            }
        }
        settings.certificate = Some(CertificateSource::SelfSigned(names));
    }
    if let (true, Some(first)) = (sip.tls.is_empty(), sip.plain.first()) {
        let port = if first.port() == 0 { 0 } else { first.port().saturating_add(1) };
        let beside = SocketAddr::new(first.ip(), port);
        match TcpListener::bind(beside) {
            Ok(_) => settings.sip.tls.push(beside),
            Err(error) => println!("\n  No SIP over TLS: cannot use {beside}: {error}"),
        }
    }
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
        for (kind, address) in [
            ("TLS", &self.sip_tls),
            ("WebSocket", &self.sip_ws),
            ("secure WebSocket", &self.sip_wss),
        ] {
            if let Some(address) = address {
                line(format!("               {address} ({kind})"));
            }
        }
        if let Some(certificate) = &self.tls_certificate {
            line(format!("               certificate to believe: {}", certificate.display()));
        }
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
