//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use serde::Serialize;

/// A hosted-PBX switch: SIP phones register with it, it routes, connects and controls their calls,
/// and programs steer it over an HTTP API.
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = "Every setting can be given, from the strongest to the weakest: on the command \
line, in the environment as DIALPLANE_NAME, in the file named by --config. `dialplane \
check-config` shows what comes of it.\n\nTry it: `dialplane demo` makes four phones and prints \
what to put into them."
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) action: Action,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Action {
    /// Serves the clients in the database until it is told to stop (SIGTERM, Ctrl+C).
    ///
    /// The first signal lets running calls end, for `drain_limit` seconds at most; new calls are
    /// refused with 503. A second signal ends them at once.
    Serve(Options),
    /// Serves a client with phones to try, made on the first start and kept ever after.
    ///
    /// What a person needs is printed, what a program needs is written to demo.json in the data
    /// directory, once everything is served. Dial 199 to hear yourself.
    Demo(DemoOptions),
    /// Reads the configuration as `serve` would, says what comes of it, and does nothing else.
    CheckConfig(Options),
}

/// What every action that serves may be told. Unset ones come from environment, file, default.
#[derive(Clone, Debug, Default, Args, Serialize)]
pub(crate) struct Options {
    /// TOML file with settings, named as below with `_` for `-`.
    #[arg(long, value_name = "FILE", env = "DIALPLANE_CONFIG")]
    #[serde(skip)]
    pub(crate) config: Option<PathBuf>,

    /// Where database, journal and lock lie; made if it is not there [default: dialplane-data]
    #[arg(long, value_name = "DIRECTORY", env = "DIALPLANE_DATA_DIR")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) data_dir: Option<PathBuf>,

    /// SQLite file, or postgres://USER:PASSWORD@HOST/DATABASE
    /// [default: dialplane.db in the data directory]
    #[arg(long, value_name = "FILE|URL", env = "DIALPLANE_DATABASE", hide_env_values = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) database: Option<String>,

    /// Where the HTTP API, /metrics and /healthz are served; port 0 takes a free one
    /// [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS:PORT", env = "DIALPLANE_HTTP")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) http: Option<String>,

    /// Where SIP is served over UDP and TCP, several with commas between; port 0 takes a free one.
    /// `0.0.0.0:5060` is all of IPv4, `[::]:5060` all of both families; audio is on the same
    /// address [default: 0.0.0.0:5060, for the demo 127.0.0.1:5060]
    #[arg(long, value_name = "ADDRESS:PORT", env = "DIALPLANE_SIP")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) sip: Option<String>,

    /// Where SIP is served over TLS; needs a certificate, which the demo makes itself
    /// [default: nowhere, for the demo the address of `sip` with the next port]
    #[arg(long, value_name = "ADDRESS:PORT", env = "DIALPLANE_SIP_TLS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) sip_tls: Option<String>,

    /// Where SIP is served over WebSocket, for a reverse proxy that adds TLS [default: nowhere]
    #[arg(long, value_name = "ADDRESS:PORT", env = "DIALPLANE_SIP_WS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) sip_ws: Option<String>,

    /// Where SIP is served over WebSocket in TLS; needs a certificate [default: nowhere]
    #[arg(long, value_name = "ADDRESS:PORT", env = "DIALPLANE_SIP_WSS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) sip_wss: Option<String>,

    /// PEM file with the certificate for TLS and those that lead to its root; it is read again when
    /// it changes, and on SIGHUP
    #[arg(long, value_name = "FILE", env = "DIALPLANE_TLS_CERTIFICATE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tls_certificate: Option<PathBuf>,

    /// PEM file with the certificate's private key
    #[arg(long, value_name = "FILE", env = "DIALPLANE_TLS_KEY")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tls_key: Option<PathBuf>,

    /// PEM file with roots that are believed besides the system's when the switch calls over TLS
    #[arg(long, value_name = "FILE", env = "DIALPLANE_TLS_ROOTS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tls_roots: Option<PathBuf>,

    /// Web pages that may open a WebSocket, as `https://phone.example.com`, several with commas
    /// between [default: all]
    #[arg(long, value_name = "ORIGINS", env = "DIALPLANE_WS_ORIGINS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ws_origins: Option<String>,

    /// Name servers that are asked where trunks are, as ADDRESS or ADDRESS:PORT, several with
    /// commas between [default: those of the system]
    #[arg(long, value_name = "ADDRESSES", env = "DIALPLANE_DNS_SERVERS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) dns_servers: Option<String>,

    /// UDP ports for audio, four for each call [default: 20000-29999]
    #[arg(long, value_name = "FIRST-LAST", env = "DIALPLANE_RTP_PORTS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) rtp_ports: Option<String>,

    /// The address that phones reach this machine at, if a router stands between; one of each
    /// family with a comma between [default: the local address towards each phone]
    #[arg(long, value_name = "ADDRESS", env = "DIALPLANE_PUBLIC_ADDRESS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) public_address: Option<String>,

    /// What challenges offer to phones: md5, sha-256 or both; answers with either are taken
    /// [default: md5, since phones that know only that give up at the sight of another]
    #[arg(long, value_name = "NAME", env = "DIALPLANE_DIGEST_ALGORITHMS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) digest_algorithms: Option<String>,

    /// The relay that messages are mailed by: smtp://USER:PASSWORD@HOST:PORT, or smtps:// for TLS
    /// from the first byte; others can read the command line, so better set it in the file or in
    /// the environment [default: nothing is mailed]
    #[arg(long, value_name = "URL", env = "DIALPLANE_SMTP", hide_env_values = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) smtp: Option<String>,

    /// The address that these mails come from, such as `PBX <pbx@example.com>`
    #[arg(long, value_name = "ADDRESS", env = "DIALPLANE_SMTP_FROM")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) smtp_from: Option<String>,

    /// What is logged: error, warn, info, debug, or a list such as `info,node=debug`
    /// [default: info]
    #[arg(long, value_name = "FILTER", env = "DIALPLANE_LOG")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) log: Option<String>,
}

/// What the demo may be told besides.
#[derive(Clone, Debug, Args)]
pub(crate) struct DemoOptions {
    #[command(flatten)]
    pub(crate) options: Options,

    /// Phones of each client: 100, 101, ...; above 899 four-digit numbers
    #[arg(long, value_name = "N", default_value_t = 4,
          value_parser = clap::value_parser!(u32).range(1..=9_000))]
    pub(crate) phones: u32,

    /// Clients, each with its own phones, user and application
    #[arg(long, value_name = "N", default_value_t = 1,
          value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub(crate) tenants: u32,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn every_option_has_an_environment_variable_of_its_name() {
        let command = Arguments::command();
        let serve = command.find_subcommand("serve").unwrap();
        let named: Vec<_> = serve.get_arguments().filter(|a| a.get_id() != "help").collect();
        assert!(named.len() >= 8);
        for argument in named {
            let expected = format!("DIALPLANE_{}", argument.get_id().as_str().to_uppercase());
            assert_eq!(argument.get_env().unwrap().to_str(), Some(expected.as_str()));
        }
    }
}
