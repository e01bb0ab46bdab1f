//! Settings: defaults, file, environment and command line become one checked value.

use core::fmt;
use core::time::Duration;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use figment::Figment;
use figment::providers::{Env, Format, Serialized, Toml};
use node::{LoggedNumbers, PasswordCost, Settings, StartError};
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
}

/// What can be set in the environment.
const NAMES: [&str; 11] = [
    "data_dir",
    "database",
    "http",
    "sip",
    "rtp_ports",
    "public_address",
    "log",
    "log_numbers",
    "drain_limit",
    "shards",
    "rate_limit_per_hour",
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
            rtp_ports: "20000-29999".to_owned(),
            public_address: None,
            log: "info".to_owned(),
            log_numbers: "shortened".to_owned(),
            drain_limit: 60,
            shards: None,
            rate_limit_per_hour,
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
            sip: address("sip", &self.sip)?,
            rtp_ports: ports(&self.rtp_ports)?,
            public_address: self.public_address.as_deref().map(public_address).transpose()?,
            data_dir: self.data_dir,
            database: self.database,
            shards: self.shards,
            drain_limit: Duration::from_secs(self.drain_limit),
            numbers,
            rate_limit_per_hour: Some(self.rate_limit_per_hour).filter(|n| *n > 0),
            passwords: match purpose {
                Purpose::Serve => PasswordCost::Guarded,
                Purpose::Demo => PasswordCost::Demo,
            },
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
        writeln!(f, "database = {}", or_default(s.database.clone(), &beside))?;
        writeln!(f, "http = {}", s.http)?;
        writeln!(f, "sip = {}", s.sip)?;
        writeln!(f, "rtp_ports = {}-{}", s.rtp_ports.start(), s.rtp_ports.end())?;
        let public = s.public_address.map(|a| a.to_string());
        writeln!(f, "public_address = {}", or_default(public, "(the local one)"))?;
        writeln!(f, "shards = {}", or_default(s.shards.map(|n| n.to_string()), "(processors)"))?;
        writeln!(f, "drain_limit = {} s", s.drain_limit.as_secs())?;
        let limit = s.rate_limit_per_hour.map(|n| n.to_string());
        writeln!(f, "rate_limit_per_hour = {}", or_default(limit, "(none)"))?;
        writeln!(f, "log = {}", self.log)?;
        let numbers = match s.numbers {
            LoggedNumbers::Shortened => "shortened",
            LoggedNumbers::Whole => "whole",
        };
        write!(f, "log_numbers = {numbers}")
    }
}

fn address(setting: &'static str, text: &str) -> Result<SocketAddr, Failure> {
    let why = || format!("{text:?} is not ADDRESS:PORT, such as 127.0.0.1:8080 or [::]:5060");
    text.parse().map_err(|_| bad(setting, why()))
}

fn public_address(text: &str) -> Result<IpAddr, Failure> {
    text.parse().map_err(|_| bad("public_address", format!("{text:?} is no IP address")))
}

fn ports(text: &str) -> Result<RangeInclusive<u16>, Failure> {
    let range = text.split_once('-').and_then(|(first, last)| {
        let (first, last) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
        (1 <= first && first < last).then_some(first..=last)
    });
    let why = || format!("{text:?} is not FIRST-LAST, such as 20000-29999");
    range.ok_or_else(|| bad("rtp_ports", why()))
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
        for line in ["http = 127.0.0.1:8080", "sip = 0.0.0.0:5060", "rtp_ports = 20000-29999"] {
            assert!(shown.contains(line), "{shown}");
        }
        let demo = Config::read(&Options::default(), Purpose::Demo).ok().unwrap();
        assert_eq!(demo.settings.sip, "127.0.0.1:5060".parse().unwrap());
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
        assert_eq!((settings.http.port(), settings.sip.port()), (3, 2));
    }

    #[test]
    fn a_bad_setting_is_named_in_one_line() {
        let table = [
            ("http = \"8080\"", "setting `http`: \"8080\" is not ADDRESS:PORT"),
            ("sip = \"localhost\"", "setting `sip`: \"localhost\" is not ADDRESS:PORT"),
            ("rtp_ports = \"20000\"", "setting `rtp_ports`: \"20000\" is not FIRST-LAST"),
            ("rtp_ports = \"9-8\"", "setting `rtp_ports`: \"9-8\" is not FIRST-LAST"),
            ("public_address = \"me\"", "setting `public_address`: \"me\" is no IP address"),
            ("log_numbers = \"no\"", "setting `log_numbers`: \"no\" is neither"),
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
