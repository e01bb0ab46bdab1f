//! Settings: defaults, file, environment and command line become one checked value.

use core::fmt;
use core::time::Duration;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use figment::Figment;
use figment::providers::{Env, Format, Serialized, Toml};
use node::{
    CertificateFiles, CertificateSource, Digests, LoggedNumbers, MailSettings, PasswordCost,
    PublicAddress, Settings, SipAddresses, StartError,
};
use serde::{Deserialize, Serialize};

use crate::cli::Options;
use crate::run::Failure;

/// What differs between the ways to serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// For people's phones.
    Serve,
    /// For trying out: on this machine only, without a bound on the API.
    Demo,
}

/// Settings as they are written down.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    data_dir: PathBuf,
    database: Option<String>,
    http: String,
    sip: String,
    sip_tls: Option<String>,
    sip_ws: Option<String>,
    sip_wss: Option<String>,
    tls_certificate: Option<PathBuf>,
    tls_key: Option<PathBuf>,
    tls_roots: Option<PathBuf>,
    ws_origins: Option<String>,
    dns_servers: Option<String>,
    rtp_ports: String,
    public_address: Option<String>,
    log: String,
    /// `shortened` or `whole`.
    log_numbers: String,
    /// Seconds.
    drain_limit: u64,
    shards: Option<usize>,
    /// 0: no limit.
    rate_limit_per_hour: u32,
    /// `md5`, `sha-256` or `both`.
    digest_algorithms: String,
    /// `smtp://USER:PASSWORD@HOST:PORT`
    smtp: Option<String>,
    smtp_from: Option<String>,
}

/// What can be set in the environment.
const NAMES: [&str; 22] = [
    "data_dir",
    "database",
    "http",
    "sip",
    "sip_tls",
    "sip_ws",
    "sip_wss",
    "tls_certificate",
    "tls_key",
    "tls_roots",
    "ws_origins",
    "dns_servers",
    "rtp_ports",
    "public_address",
    "log",
    "log_numbers",
    "drain_limit",
    "shards",
    "rate_limit_per_hour",
    "digest_algorithms",
    "smtp",
    "smtp_from",
];

/// Longest time that a stop may take, seconds: a day.
const DRAIN_LIMIT_MAX_S: u64 = 86_400;

/// Checked settings.
pub(crate) struct Config {
    /// For the node.
    pub(crate) settings: Settings,
    /// What is logged.
    pub(crate) log: String,
}

impl Config {
    /// Reads all sources.
    pub(crate) fn read(options: &Options, purpose: Purpose) -> Result<Config, Failure> {
        let mut sources = Figment::from(Serialized::defaults(Written::default_for(purpose)));
        if let Some(path) = &options.config {
            let text = std::fs::read_to_string(path).map_err(|error| {
                bad("config", format!("cannot read {}: {error}", path.display()))
            })?;
            sources = sources.merge(Toml::string(&text));
        }
        let written: Written = sources
            .merge(Env::prefixed("DIALPLANE_").only(&NAMES))
            .merge(Serialized::defaults(options))
            .extract()
            .map_err(|error| explain(&error, options.config.as_deref()))?;
        written.check(purpose)
    }
}

impl Written {
    fn default_for(purpose: Purpose) -> Written {
        let (sip, rate_limit_per_hour) = match purpose {
            Purpose::Serve => ("0.0.0.0:5060", 10_000),
            Purpose::Demo => ("127.0.0.1:5060", 0),
        };
        Written {
            data_dir: PathBuf::from("dialplane-data"),
            database: None,
            http: "127.0.0.1:8080".to_owned(),
            sip: sip.to_owned(),
            sip_tls: None,
            sip_ws: None,
            sip_wss: None,
            tls_certificate: None,
            tls_key: None,
            tls_roots: None,
            ws_origins: None,
            dns_servers: None,
            rtp_ports: "20000-29999".to_owned(),
            public_address: None,
            log: "info".to_owned(),
            log_numbers: "shortened".to_owned(),
            drain_limit: 60,
            shards: None,
            rate_limit_per_hour,
            digest_algorithms: "md5".to_owned(),
            smtp: None,
            smtp_from: None,
        }
    }

    fn check(self, purpose: Purpose) -> Result<Config, Failure> {
        let numbers = match self.log_numbers.as_str() {
            "shortened" => LoggedNumbers::Shortened,
            "whole" => LoggedNumbers::Whole,
            other => {
                let why = format!("{other:?} is neither \"shortened\" nor \"whole\"");
                return Err(bad("log_numbers", why));
            }
        };
        if self.shards.is_some_and(|n| n == 0 || n > node::SHARDS_MAX) {
            return Err(bad("shards", format!("must be 1 to {}", node::SHARDS_MAX)));
        }
        if self.drain_limit > DRAIN_LIMIT_MAX_S {
            return Err(bad("drain_limit", format!("must be at most {DRAIN_LIMIT_MAX_S} seconds")));
        }
        let settings = Settings {
            http: address("http", &self.http)?,
            sip: SipAddresses {
                plain: addresses("sip", Some(&self.sip))?,
                tls: addresses("sip_tls", self.sip_tls.as_deref())?,
                ws: addresses("sip_ws", self.sip_ws.as_deref())?,
                wss: addresses("sip_wss", self.sip_wss.as_deref())?,
            },
            certificate: certificate(self.tls_certificate, self.tls_key)?,
            tls_roots: self.tls_roots,
            ws_origins: self.ws_origins.as_deref().map(origins).transpose()?,
            dns_servers: servers(self.dns_servers.as_deref())?,
            rtp_ports: ports(&self.rtp_ports)?,
            public_address: self.public_address.as_deref().map(public_address).transpose()?,
            data_dir: self.data_dir,
            database: self.database,
            shards: self.shards,
            drain_limit: Duration::from_secs(self.drain_limit),
            numbers,
            digest_algorithms: digests(&self.digest_algorithms)?,
            rate_limit_per_hour: Some(self.rate_limit_per_hour).filter(|n| *n > 0),
            passwords: match purpose {
                Purpose::Serve => PasswordCost::Guarded,
                Purpose::Demo => PasswordCost::Demo,
            },
            mail: mail(self.smtp.as_deref(), self.smtp_from.as_deref())?,
        };
        Ok(Config { settings, log: self.log })
    }
}

/// Says what a start would do.
pub(crate) fn check(options: &Options) -> Result<(), Failure> {
    let config = Config::read(options, Purpose::Serve)?;
    println!("{config}\nThe configuration is good.");
    Ok(())
}

impl fmt::Display for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let s = &self.settings;
        let or_default = |text: Option<String>, default: &str| text.unwrap_or(default.to_owned());
        writeln!(f, "data_dir = {}", s.data_dir.display())?;
        let beside = s.data_dir.join("dialplane.db").display().to_string();
        let database = s.database.as_deref().map(node::shown_database);
        writeln!(f, "database = {}", or_default(database, &beside))?;
        writeln!(f, "http = {}", s.http)?;
        for (setting, addresses) in [
            ("sip", &s.sip.plain),
            ("sip_tls", &s.sip.tls),
            ("sip_ws", &s.sip.ws),
            ("sip_wss", &s.sip.wss),
        ] {
            let listed = (!addresses.is_empty()).then(|| list(addresses));
            writeln!(f, "{setting} = {}", or_default(listed, "(nowhere)"))?;
        }
        if let Some(CertificateSource::Files(files)) = &s.certificate {
            writeln!(f, "tls_certificate = {}", files.certificate.display())?;
            writeln!(f, "tls_key = {}", files.key.display())?;
        }
        let roots = s.tls_roots.as_ref().map(|path| path.display().to_string());
        writeln!(f, "tls_roots = {}", or_default(roots, "(the system's)"))?;
        let origins = s.ws_origins.as_deref().map(list);
        writeln!(f, "ws_origins = {}", or_default(origins, "(all)"))?;
        writeln!(f, "rtp_ports = {}-{}", s.rtp_ports.start(), s.rtp_ports.end())?;
        let servers = (!s.dns_servers.is_empty()).then(|| list(&s.dns_servers));
        writeln!(f, "dns_servers = {}", or_default(servers, "(the system's)"))?;
        let public = s.public_address.map(|PublicAddress { v4, v6 }| {
            let both = [v4.map(IpAddr::V4), v6.map(IpAddr::V6)];
            list(&both.into_iter().flatten().collect::<Vec<_>>())
        });
        writeln!(f, "public_address = {}", or_default(public, "(the local one)"))?;
        writeln!(f, "shards = {}", or_default(s.shards.map(|n| n.to_string()), "(processors)"))?;
        writeln!(f, "drain_limit = {} s", s.drain_limit.as_secs())?;
        let limit = s.rate_limit_per_hour.map(|n| n.to_string());
        writeln!(f, "rate_limit_per_hour = {}", or_default(limit, "(none)"))?;
        let digests = DIGESTS.iter().find(|(_, d)| *d == s.digest_algorithms);
        writeln!(f, "digest_algorithms = {}", digests.map_or("", |(name, _)| name))?;
        let mail = s.mail.as_ref().map(MailSettings::shown);
        writeln!(f, "smtp = {}", or_default(mail, "(no mail)"))?;
        writeln!(f, "log = {}", self.log)?;
        let numbers = match s.numbers {
            LoggedNumbers::Shortened => "shortened",
            LoggedNumbers::Whole => "whole",
        };
        write!(f, "log_numbers = {numbers}")
    }
}

/// Where mail goes out; what it comes from says nothing alone.
fn mail(smtp: Option<&str>, from: Option<&str>) -> Result<Option<MailSettings>, Failure> {
    let Some(smtp) = smtp.filter(|text| !text.is_empty()) else { return Ok(None) };
    let parsed = MailSettings::parse(smtp, from);
    parsed.map(Some).map_err(|error| bad(error.setting, error.why))
}

fn address(setting: &'static str, text: &str) -> Result<SocketAddr, Failure> {
    let why = || format!("{text:?} is not ADDRESS:PORT, such as 127.0.0.1:8080 or [::]:5060");
    text.parse().map_err(|_| bad(setting, why()))
}

/// Several, with commas between.
fn addresses(setting: &'static str, text: Option<&str>) -> Result<Vec<SocketAddr>, Failure> {
    let list = text.into_iter().flat_map(|text| text.split(','));
    let all: Vec<_> = list.map(|one| address(setting, one.trim())).collect::<Result<_, _>>()?;
    if all.len() > node::limits::LISTENERS_MAX {
        let why = format!("has more than {} addresses", node::limits::LISTENERS_MAX);
        return Err(bad(setting, why));
    }
    Ok(all)
}

/// One of each family at most.
/// Name servers: addresses, with a port or on the usual one.
fn servers(text: Option<&str>) -> Result<Vec<SocketAddr>, Failure> {
    let one = |one: &str| {
        let at = one.parse().or_else(|_| one.parse().map(|ip: IpAddr| SocketAddr::new(ip, 53)));
        at.map_err(|_| bad("dns_servers", format!("{one:?} is no ADDRESS or ADDRESS:PORT")))
    };
    text.into_iter().flat_map(|text| text.split(',')).map(|part| one(part.trim())).collect()
}

fn public_address(text: &str) -> Result<PublicAddress, Failure> {
    let mut public = PublicAddress::default();
    for one in text.split(',') {
        let parsed = one.trim().parse();
        let parsed =
            parsed.map_err(|_| bad("public_address", format!("{one:?} is no IP address")))?;
        let taken = match parsed {
            IpAddr::V4(v4) => public.v4.replace(v4).is_some(),
            IpAddr::V6(v6) => public.v6.replace(v6).is_some(),
        };
        if taken {
            return Err(bad("public_address", format!("{text:?} has two of one family")));
        }
    }
    Ok(public)
}

/// Both files or none.
fn certificate(
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
) -> Result<Option<CertificateSource>, Failure> {
    match (certificate, key) {
        (None, None) => Ok(None),
        (Some(certificate), Some(key)) => {
            Ok(Some(CertificateSource::Files(CertificateFiles { certificate, key })))
        }
        (Some(_), None) => Err(bad("tls_key", "needed beside `tls_certificate`".to_owned())),
        (None, Some(_)) => Err(bad("tls_certificate", "needed beside `tls_key`".to_owned())),
    }
}

/// As browsers write them: scheme, host, and the port unless it is the scheme's own.
fn origins(text: &str) -> Result<Vec<String>, Failure> {
    let one = |origin: &str| {
        let origin = origin.trim();
        let host = origin.split_once("://").map(|(_, host)| host);
        let is_origin = host.is_some_and(|host| !host.is_empty() && !host.contains('/'));
        let why = || format!("{origin:?} is not like https://phone.example.com");
        is_origin.then(|| origin.to_owned()).ok_or_else(|| bad("ws_origins", why()))
    };
    text.split(',').map(one).collect()
}

fn list<T: ToString>(all: &[T]) -> String {
    all.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn ports(text: &str) -> Result<RangeInclusive<u16>, Failure> {
    let range = text.split_once('-').and_then(|(first, last)| {
        let (first, last) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
        (1 <= first && first < last).then_some(first..=last)
    });
    let why = || format!("{text:?} is not FIRST-LAST, such as 20000-29999");
    range.ok_or_else(|| bad("rtp_ports", why()))
}

/// What challenges may offer, by the names of the setting.
const DIGESTS: [(&str, Digests); 3] =
    [("md5", Digests::Md5), ("sha-256", Digests::Sha256), ("both", Digests::Both)];

fn digests(text: &str) -> Result<Digests, Failure> {
    let found = DIGESTS.iter().find(|(name, _)| *name == text);
    let why = || format!("{text:?} is none of \"md5\", \"sha-256\" and \"both\"");
    found.map(|(_, digests)| *digests).ok_or_else(|| bad("digest_algorithms", why()))
}

fn bad(setting: &'static str, why: String) -> Failure {
    Failure::Start(StartError::Setting { setting, why })
}

/// One sentence that names the setting, and the file where it stands.
fn explain(error: &figment::Error, file: Option<&Path>) -> Failure {
    let setting = error.path.join(".");
    let is_file = error.metadata.as_ref().is_some_and(|m| m.name.contains("TOML"));
    let place = match file {
        Some(file) if is_file => format!("{}: ", file.display()),
        _ => String::new(),
    };
    // What the TOML parser says is a drawing of several lines.
    let kind = error.kind.to_string();
    let kind = kind.lines().map(str::trim).filter(|l| !l.is_empty()).collect::<Vec<_>>().join(" ");
    let text = match setting.is_empty() {
        true => format!("setting `config`: {place}{kind}"),
        false => format!("setting `{setting}`: {place}{kind}"),
    };
    Failure::Configuration(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from_file(text: &str) -> Result<Config, String> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("dialplane.toml");
        std::fs::write(&path, text).unwrap();
        let options = Options { config: Some(path.clone()), ..Options::default() };
        let place = path.display().to_string();
        Config::read(&options, Purpose::Serve).map_err(|e| e.to_string().replace(&place, "FILE"))
    }

    #[test]
    fn an_empty_file_leaves_every_default() {
        let config = from_file("").ok().unwrap();
        let shown = config.to_string();
        for line in [
            "http = 127.0.0.1:8080",
            "sip = 0.0.0.0:5060",
            "rtp_ports = 20000-29999",
            "digest_algorithms = md5",
        ] {
            assert!(shown.contains(line), "{shown}");
        }
        let demo = Config::read(&Options::default(), Purpose::Demo).ok().unwrap();
        assert_eq!(demo.settings.sip.plain, ["127.0.0.1:5060".parse().unwrap()]);
        assert_eq!(demo.settings.rate_limit_per_hour, None);
    }

    #[test]
    fn the_command_line_is_stronger_than_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.toml");
        std::fs::write(&path, "http = \"127.0.0.1:1\"\nsip = \"127.0.0.1:2\"\n").unwrap();
        let http = Some("127.0.0.1:3".to_owned());
        let options = Options { config: Some(path), http, ..Options::default() };
        let settings = Config::read(&options, Purpose::Serve).ok().unwrap().settings;
        assert_eq!((settings.http.port(), settings.sip.plain[0].port()), (3, 2));
    }

    #[test]
    fn a_mail_relay_is_shown_without_its_password_and_needs_an_address_to_come_from() {
        let relay = "smtp = \"smtp://pbx:hunter2@mail.example.com\"\n";
        let config = from_file(&format!("{relay}smtp_from = \"pbx@example.com\"\n")).ok().unwrap();
        let shown = config.to_string();
        let line = "smtp = smtp://pbx:***@mail.example.com:587 from pbx@example.com\n";
        assert!(shown.contains(line) && !shown.contains("hunter2"), "{shown}");
        assert!(from_file("").ok().unwrap().to_string().contains("smtp = (no mail)\n"));
        let refused = from_file(relay).err().unwrap();
        assert!(refused.contains("`smtp_from`") && !refused.contains("hunter2"), "{refused}");
        let refused = from_file("smtp = \"mail.example.com:hunter2\"\n").err().unwrap();
        assert!(refused.contains("`smtp`") && !refused.contains("hunter2"), "{refused}");
    }

    #[test]
    fn what_may_be_several_is_written_with_commas() {
        let text = "sip = \"0.0.0.0:5060, [::]:5060\"\nsip_tls = \"0.0.0.0:5061\"\n\
                    sip_ws = \"127.0.0.1:8088\"\ntls_certificate = \"c.pem\"\ntls_key = \"k.pem\"\n\
                    public_address = \"203.0.113.7, 2001:db8::7\"\n\
                    dns_servers = \"192.0.2.53, [2001:db8::53]:5353\"\n\
                    ws_origins = \"https://a.example, http://b.example:8000\"\n";
        let config = from_file(text).ok().unwrap();
        let shown = config.to_string();
        for line in [
            "sip = 0.0.0.0:5060, [::]:5060\n",
            "sip_tls = 0.0.0.0:5061\n",
            "sip_ws = 127.0.0.1:8088\n",
            "sip_wss = (nowhere)\n",
            "tls_key = k.pem\n",
            "tls_roots = (the system's)\n",
            "dns_servers = 192.0.2.53:53, [2001:db8::53]:5353\n",
            "public_address = 203.0.113.7, 2001:db8::7\n",
            "ws_origins = https://a.example, http://b.example:8000\n",
        ] {
            assert!(shown.contains(line), "{line} in {shown}");
        }
    }

    #[test]
    fn a_bad_setting_is_named_in_one_line() {
        let table = [
            ("http = \"8080\"", "setting `http`: \"8080\" is not ADDRESS:PORT"),
            ("sip = \"localhost\"", "setting `sip`: \"localhost\" is not ADDRESS:PORT"),
            ("rtp_ports = \"20000\"", "setting `rtp_ports`: \"20000\" is not FIRST-LAST"),
            ("rtp_ports = \"9-8\"", "setting `rtp_ports`: \"9-8\" is not FIRST-LAST"),
            ("public_address = \"me\"", "setting `public_address`: \"me\" is no IP address"),
            (
                "public_address = \"1.2.3.4,5.6.7.8\"",
                "setting `public_address`: \"1.2.3.4,5.6.7.8\" has two",
            ),
            ("sip = \"127.0.0.1:1,\"", "setting `sip`: \"\" is not ADDRESS:PORT"),
            ("dns_servers = \"one\"", "setting `dns_servers`: \"one\" is no ADDRESS or"),
            ("sip_wss = \"5061\"", "setting `sip_wss`: \"5061\" is not ADDRESS:PORT"),
            ("tls_certificate = \"a\"", "setting `tls_key`: needed beside"),
            ("tls_key = \"a\"", "setting `tls_certificate`: needed beside"),
            ("ws_origins = \"a.example\"", "setting `ws_origins`: \"a.example\" is not like"),
            ("log_numbers = \"no\"", "setting `log_numbers`: \"no\" is neither"),
            ("digest_algorithms = \"sha\"", "setting `digest_algorithms`: \"sha\" is none of"),
            ("shards = 0", "setting `shards`: must be 1 to"),
            ("drain_limit = 100000", "setting `drain_limit`: must be at most 86400"),
            ("drain_limit = \"long\"", "setting `drain_limit`: FILE: invalid type"),
            ("htpp = \"127.0.0.1:1\"", "setting `htpp`: FILE: unknown field"),
            ("http = ", "setting `config`: FILE: "),
        ];
        for (text, expected) in table {
            let error = from_file(text).err().unwrap();
            assert!(error.starts_with(expected), "{text}: {error}");
            assert_eq!(error.lines().count(), 1, "{error}");
        }
    }

    #[test]
    fn every_setting_can_come_from_the_environment() {
        let written = serde_json::to_value(Written::default_for(Purpose::Serve)).unwrap();
        let mut fields: Vec<_> = written.as_object().unwrap().keys().cloned().collect();
        fields.sort();
        let mut names = NAMES.to_vec();
        names.sort_unstable();
        assert_eq!(fields, names);
    }
}
