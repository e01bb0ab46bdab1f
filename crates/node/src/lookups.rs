//! Where hosts are: the answers to [`switch::Effect::Resolve`], from the name system.
//!
//! SRV records, then the addresses of their targets (RFC 3263 4.2, RFC 2782); without SRV records
//! or with a port the addresses of the host itself. `/etc/hosts` goes first. Each question is a
//! task with a bound in time; what does not fit is answered with [`Answer::Away`] at once.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant, SystemTime};

use hickory_resolver::config::{
    ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolveHosts, ResolverConfig,
};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::{RData, RecordType};
use hickory_resolver::{Resolver, TokioResolver};
use stack::{Answer, LookupId, Site, Transport};
use switch::Input;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tracing::{debug, info, warn};

use crate::inbox::Post;
use crate::letter::Letter;
use crate::limits;

/// Where the system names its name servers.
const RESOLV_CONF: &str = "/etc/resolv.conf";

/// Asks the name system for the shards.
#[derive(Clone)]
pub(crate) struct Lookups {
    resolver: Arc<RwLock<Current>>,
    /// Where its tasks run.
    runtime: Handle,
    posts: Arc<[Post<Letter>]>,
    room: Arc<Semaphore>,
    bound: Duration,
}

/// A question.
#[derive(Debug)]
pub(crate) struct Asked {
    /// The shard that asks.
    pub(crate) shard: usize,
    /// How it names the question.
    pub(crate) lookup: LookupId,
    /// The host name.
    pub(crate) host: Box<str>,
    /// Its port; with one no SRV records are asked for.
    pub(crate) port: Option<u16>,
    /// How it shall be spoken to.
    pub(crate) transport: Transport,
}

/// The resolver in use.
struct Current {
    resolver: Arc<TokioResolver>,
    /// Where its name servers come from; `None`: from the settings.
    system: Option<SystemFile>,
}

/// A file of the system that is looked at now and then.
struct SystemFile {
    path: PathBuf,
    changed: Option<SystemTime>,
    looked: Instant,
}

impl SystemFile {
    fn new(path: PathBuf) -> SystemFile {
        SystemFile { changed: changed(&path), path, looked: Instant::now() }
    }

    fn is_due(&self) -> bool {
        self.looked.elapsed() >= limits::RESOLV_CONF_LOOK
    }

    /// Looks again.
    fn has_changed(&mut self) -> bool {
        self.looked = Instant::now();
        let now = changed(&self.path);
        // A file that is being replaced is away for a moment.
        now.is_some() && core::mem::replace(&mut self.changed, now) != now
    }
}

fn changed(path: &Path) -> Option<SystemTime> {
    path.metadata().and_then(|file| file.modified()).ok()
}

impl Lookups {
    /// With these name servers; without any, those of the system (`/etc/resolv.conf`).
    pub(crate) fn new(
        servers: &[SocketAddr],
        runtime: Handle,
        posts: Arc<[Post<Letter>]>,
    ) -> Result<Lookups, NetError> {
        let current = Current {
            resolver: Arc::new(resolver(servers)?),
            system: servers.is_empty().then(|| SystemFile::new(RESOLV_CONF.into())),
        };
        Ok(Lookups {
            resolver: Arc::new(RwLock::new(current)),
            runtime,
            posts,
            room: Arc::new(Semaphore::new(limits::LOOKUPS_MAX)),
            bound: limits::LOOKUP_TIME,
        })
    }

    /// Asks; the shard hears of the answer in any case.
    pub(crate) fn ask(&self, asked: Asked) {
        let lookups = self.clone();
        self.runtime.spawn(async move {
            let answer = match lookups.room.try_acquire() {
                Ok(_room) => lookups.answer(&asked).await,
                Err(_) => Answer::Away,
            };
            debug!(host = %asked.host, ?answer, "a name was looked up");
            if let Some(post) = lookups.posts.get(asked.shard) {
                let lookup = asked.lookup;
                post.deliver(Letter::Input(Input::Resolved { lookup, answer })).await;
            }
        });
    }

    /// The resolver, made anew when the system's name servers have changed: a machine that has
    /// moved to another network keeps its trunks.
    fn resolver(&self) -> Arc<TokioResolver> {
        let is_due = |current: &Current| current.system.as_ref().is_some_and(SystemFile::is_due);
        {
            let current = self.resolver.read().unwrap_or_else(PoisonError::into_inner);
            if !is_due(&current) {
                return Arc::clone(&current.resolver);
            }
        }
        let mut current = self.resolver.write().unwrap_or_else(PoisonError::into_inner);
        if current.system.as_mut().is_some_and(SystemFile::has_changed) {
            match resolver(&[]) {
                Ok(resolver) => {
                    info!("the system's name servers were read again");
                    current.resolver = Arc::new(resolver);
                }
                Err(error) => warn!(%error, "the system's name servers stay as they were"),
            }
        }
        Arc::clone(&current.resolver)
    }

    async fn answer(&self, asked: &Asked) -> Answer {
        let resolver = self.resolver();
        let found = find(&resolver, &asked.host, asked.port, asked.transport);
        match timeout(self.bound, found).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) if error.is_no_records_found() => Answer::Nowhere,
            // Whatever went wrong, it says nothing about the host.
            Ok(Err(_)) | Err(_) => Answer::Away,
        }
    }
}

fn resolver(servers: &[SocketAddr]) -> Result<TokioResolver, NetError> {
    let provider = TokioRuntimeProvider::default();
    let mut builder = if servers.is_empty() {
        Resolver::builder(provider).unwrap_or_else(|error| {
            warn!(%error, "no name servers are known: trunks are reached by address only");
            let none = ResolverConfig::from_parts(None, Vec::new(), Vec::new());
            Resolver::builder_with_config(none, TokioRuntimeProvider::default())
        })
    } else {
        let servers = servers.iter().map(|at| {
            let (mut udp, mut tcp) = (ConnectionConfig::udp(), ConnectionConfig::tcp());
            (udp.port, tcp.port) = (at.port(), at.port());
            NameServerConfig::new(at.ip(), true, vec![udp, tcp])
        });
        let config = ResolverConfig::from_parts(None, Vec::new(), servers.collect());
        Resolver::builder_with_config(config, provider)
    };
    let options = builder.options_mut();
    options.use_hosts_file = ResolveHosts::Always;
    options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
    // A lost datagram must leave time for a second one.
    options.timeout = limits::LOOKUP_TIME / 3;
    options.attempts = 2;
    // The endpoint remembers; a second memory would only make its answers older.
    options.cache_size = 0;
    builder.build()
}

/// Where a host is. An error that is no "no records" means that nobody knows.
async fn find(
    resolver: &Arc<TokioResolver>,
    host: &str,
    port: Option<u16>,
    transport: Transport,
) -> Result<Answer, NetError> {
    let (service, usual) = service_of(transport);
    if port.is_none() {
        match resolver
            .lookup(format!("{service}.{}.", host.trim_end_matches('.')), RecordType::SRV)
            .await
        {
            Ok(found) => {
                let ttl_s = seconds_to(found.valid_until());
                let records = found.answers().iter().filter_map(|r| match &r.data {
                    RData::SRV(srv) => Some(srv),
                    _ => None,
                });
                let targets: Vec<_> = records
                    // RFC 2782: a target of "." says that there is no such service.
                    .filter(|srv| !srv.target.is_root())
                    .take(limits::LOOKUP_TARGETS_MAX)
                    .map(|srv| (srv.priority, srv.weight, srv.port, srv.target.to_utf8()))
                    .collect();
                return targets_at(resolver, targets, ttl_s).await;
            }
            // RFC 3263 4.2: then the host itself.
            Err(error) if error.is_no_records_found() => {}
            Err(error) => return Err(error),
        }
    }
    let (ips, ttl_s) = addresses(resolver, host).await?;
    let port = port.unwrap_or(usual);
    let addresses = ips.into_iter().map(|ip| SocketAddr::new(ip, port)).collect();
    Ok(Answer::Found { sites: vec![Site { priority: 0, weight: 0, addresses }], ttl_s })
}

type Target = (u16, u16, u16, String);

/// The addresses of the targets of SRV records, looked up at the same time.
async fn targets_at(
    resolver: &Arc<TokioResolver>,
    targets: Vec<Target>,
    mut ttl_s: u32,
) -> Result<Answer, NetError> {
    let mut tasks = JoinSet::new();
    for (priority, weight, port, target) in targets {
        let resolver = Arc::clone(resolver);
        tasks.spawn(async move {
            let found = addresses(&resolver, &target).await;
            (Site { priority, weight, addresses: Vec::new() }, port, found)
        });
    }
    let (mut sites, mut away) = (Vec::new(), None);
    while let Some(done) = tasks.join_next().await {
        match done {
            Ok((mut site, port, Ok((ips, ttl)))) => {
                site.addresses = ips.into_iter().map(|ip| SocketAddr::new(ip, port)).collect();
                ttl_s = ttl_s.min(ttl);
                sites.push(site);
            }
            Ok((_, _, Err(error))) if error.is_no_records_found() => {}
            Ok((_, _, Err(error))) => away = Some(error),
            Err(_) => {}
        }
    }
    // In whatever order the answers came, the same answers are the same.
    sites.sort_by(|a, b| (a.priority, &a.addresses).cmp(&(b.priority, &b.addresses)));
    match (sites.is_empty(), away) {
        (false, _) => Ok(Answer::Found { sites, ttl_s }),
        (true, Some(error)) => Err(error),
        (true, None) => Ok(Answer::Nowhere),
    }
}

/// The addresses of a host, and how long they hold, seconds.
async fn addresses(resolver: &TokioResolver, host: &str) -> Result<(Vec<IpAddr>, u32), NetError> {
    let found = resolver.lookup_ip(host).await?;
    let mut ips: Vec<IpAddr> = found.iter().take(limits::LOOKUP_TARGETS_MAX).collect();
    ips.sort_by_key(IpAddr::is_ipv6);
    Ok((ips, seconds_to(found.valid_until())))
}

/// The service in SRV records and the usual port: RFC 3263 4.2, RFC 3261 19.1.2.
fn service_of(transport: Transport) -> (&'static str, u16) {
    match transport {
        Transport::Udp => ("_sip._udp", 5060),
        Transport::Tcp => ("_sip._tcp", 5060),
        Transport::Tls => ("_sips._tcp", 5061),
        // RFC 7118 has no records of its own; nobody asks.
        Transport::Ws => ("_sip._ws", 80),
        Transport::Wss => ("_sips._ws", 443),
    }
}

fn seconds_to(end: Instant) -> u32 {
    let left = end.saturating_duration_since(Instant::now());
    u32::try_from(left.as_secs()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
