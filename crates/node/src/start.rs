//! From settings to a running node, in the order in which things may go wrong.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::net::{IpAddr, TcpListener, UdpSocket};
use std::ops::RangeInclusive;
use std::sync::Arc;

use api::{Api, Parts as ApiParts};
use model::{Chance, Directory, Snapshot, TenantId};
use stack::{Expires, Transport};
use store::{Live, Store};
use switch::{Input, Shard, ShardConfig};
use tokio::sync::{Notify, oneshot, watch};
use tokio::task::JoinSet;
use tracing::info;

use crate::board::Board;
use crate::connector::Connector;
use crate::convert::{ConvertFigures, Converter, Worker};
use crate::data_dir::DataDir;
use crate::error::StartError;
use crate::files::{Files, complete_leftovers};
use crate::flows::Flows;
use crate::inbox::{Inbox, Post, inbox};
use crate::journal::{self, Reader};
use crate::letter::Letter;
use crate::lit::Lit;
use crate::loader::{Loader, LoaderFigures, Tables};
use crate::lookups::Lookups;
use crate::mail::{MailFigures, Postman, Relay};
use crate::media_thread::MediaThread;
use crate::node::{Node, Tasks, Threads};
use crate::overview::{Behind, Overview};
use crate::ports::{self, SipListeners, SipPorts};
use crate::recover::{Starts, recover};
use crate::rtp_sockets::{self, RtpSockets};
use crate::settings::{CertificateSource, Settings};
use crate::streams::Streams;
use crate::sweep::sweep;
use crate::tls::Tls;
use crate::{clock, http, limits, self_signed, shard_thread};

/// The digest realm. Passwords are stored, not their hashes with a realm, so it may change.
const REALM: &str = "dialplane";

/// Server and User-Agent of SIP messages.
const PRODUCT: &str = concat!("Dialplane/", env!("CARGO_PKG_VERSION"));

/// Shortest, longest and usual time between two registrations of a phone. The longest is below
/// [`limits::IDLE_TIME`], so that a quiet phone keeps its connection.
const EXPIRES: Expires = Expires { min: 30, max: 3_600, default: 3_600 };

/// A node that has all that it needs, but serves nobody yet: the moment to seed the database.
pub struct Prepared {
    settings: Settings,
    data: DataDir,
    sip: SipListeners,
    tls: Arc<Tls>,
    http: TcpListener,
    slices: Vec<RangeInclusive<u16>>,
    rtp: Vec<RtpSockets>,
    connections: usize,
    tables: Tables,
    mail_figures: Arc<MailFigures>,
    convert_figures: Arc<ConvertFigures>,
    starts: Starts,
    chance: Chance,
}

impl Prepared {
    /// Claims the data directory, binds all ports, opens the database and applies what the last
    /// run has left in its journals.
    pub async fn open(settings: Settings) -> Result<Prepared, StartError> {
        let data = DataDir::claim(&settings.data_dir)?;
        let shards = settings.shard_count();
        let slices = rtp_sockets::slices(&settings.rtp_ports, shards).ok_or_else(|| {
            let (first, last) = (settings.rtp_ports.start(), settings.rtp_ports.end());
            let needed = shards * 4;
            let why = format!("{first}-{last} is too small: {shards} shards need {needed} ports");
            StartError::setting("rtp_ports", why)
        })?;
        let certificate = match settings.certificate.clone() {
            None => None,
            Some(CertificateSource::Files(files)) => Some(files),
            Some(CertificateSource::SelfSigned(names)) => {
                let made = self_signed::files_in(&settings.data_dir, &names);
                Some(made.map_err(StartError::system("make a certificate"))?)
            }
        };
        let needed = settings.sip.tls.len() + settings.sip.wss.len();
        if needed > 0 && certificate.is_none() {
            let why = "needed for `sip_tls` and `sip_wss`: the PEM file with the certificate chain";
            return Err(StartError::setting("tls_certificate", why));
        }
        let tls = Arc::new(Tls::new(certificate, settings.tls_roots.clone())?);
        let sip = ports::bind_sip(&settings.sip, shards)?;
        let http = ports::bind_http(settings.http)?;
        let sockets = slices.iter().map(|slice| slice.clone().count()).sum();
        let connections = ports::raise_file_limit(sockets)?;
        let rtp = bind_rtp(ports::audio_address(&sip.addresses), &slices)?;
        let mut chance =
            Chance::from_seed(seed().map_err(StartError::system("read the system's chance"))?);
        let journal_name = data.journal_name(&mut chance)?;
        let store = Store::open(&database(&settings)).await?;
        let (left, recorded) = Default::default();
        let tables = Tables { store, node: journal_name, files: data.files(), left, recorded };
        let starts = recover(&data.journal(), &tables, settings.numbers).await?;
        Ok(Prepared {
            settings,
            data,
            sip,
            tls,
            http,
            slices,
            rtp,
            connections,
            tables,
            mail_figures: Arc::default(),
            convert_figures: Arc::default(),
            starts,
            chance,
        })
    }

    /// The database, before anybody is served from it.
    pub(crate) fn store(&self) -> &Store {
        &self.tables.store
    }

    /// The system's chance.
    pub(crate) fn chance(&mut self) -> &mut Chance {
        &mut self.chance
    }

    /// How dear password checks are.
    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Starts all threads, gives the shards what is stored, and only then opens for traffic.
    pub async fn start(mut self) -> Result<Node, StartError> {
        let started = |what| StartError::system(what);
        let configured = Configured::read(&self.tables.store).await?;
        let posts = self.queues().map_err(started("make the shards' queues"))?;
        let (posts, inboxes): (Vec<_>, Vec<_>) = posts.into_iter().unzip();
        let posts: Arc<[Post<Letter>]> = posts.into();
        let flows = Arc::new(Flows::new(self.connections));
        let written = Arc::new(Notify::new());
        let mut built = Built::default();
        let origins = self.settings.ws_origins.take().map(Arc::from);
        let tls = Arc::clone(&self.tls);
        let streams = Streams::new(Arc::clone(&flows), Arc::clone(&posts), tls, origins);
        self.build_shards(&mut built, inboxes, &streams, &written)?;

        configured.give_to(&posts).await;
        for post in posts.iter() {
            post.deliver(Letter::Listen).await;
        }
        for post in posts.iter() {
            let (reply, ready) = oneshot::channel();
            post.deliver(Letter::Report(reply)).await;
            // Its answer says that everything before was handled.
            let _ = ready.await;
        }

        let (stop_loading, loading_stopped) = watch::channel(false);
        let (stop_serving, serving_stopped) = watch::channel(false);
        let figures = Arc::new(LoaderFigures::default());
        let overview = Arc::new(Overview::new(
            Arc::clone(&posts),
            built.threads.media.iter().map(|media| Arc::clone(media.mailbox())).collect(),
            built.readers.iter().map(|reader| Arc::clone(reader.shared())).collect(),
            Arc::clone(&flows),
            self.tls.certificate().cloned(),
            Behind {
                loader: Arc::clone(&figures),
                mail: self.settings.mail.is_some().then(|| Arc::clone(&self.mail_figures)),
                convert: Arc::clone(&self.convert_figures),
            },
        ));
        let board = Arc::new(Board::new(
            self.tables.store.clone(),
            REALM,
            Arc::clone(&posts),
            configured.snapshots,
            configured.directory,
        ));
        let loader = Loader {
            sink: Lit { tables: self.tables.clone(), board: Arc::clone(&board) },
            readers: built.readers,
            written,
            stop: loading_stopped,
            figures,
            numbers: self.settings.numbers,
        };
        tokio::spawn(Board::clone(&board).tell_all_messages());
        let mail = self.postman(&board, &serving_stopped)?;
        let api = self.api(board).map_err(started("read the system's chance"))?;
        let http_address = self.http.local_addr().map_err(started("look at the HTTP listener"))?;
        let (reread, again) = watch::channel(0);
        if let Some(certificate) = self.tls.certificate() {
            let certificate = Arc::clone(certificate);
            tokio::spawn(certificate.watch(again, serving_stopped.clone()));
        }
        let converter = self.converter(&serving_stopped)?;
        let tables = self.tables.clone();
        // Swept before anything is converted: until its row is written, nothing names a new file.
        let recordings = tokio::spawn(async move {
            sweep(tables).await;
            converter.run().await;
        });
        let streams = accept(streams, self.sip.plain, self.sip.others, &serving_stopped)
            .map_err(started("listen for SIP connections"))?;
        let tasks = Tasks {
            loader: loader.start().map_err(started("start the loader's thread"))?,
            mail: mail.map(|postman| tokio::spawn(postman.run())),
            recordings,
            streams,
            http: tokio::spawn(http::serve(self.http, api, Arc::clone(&overview), serving_stopped)),
            stop_loading,
            stop_serving,
        };
        let sip = self.sip.addresses;
        info!(
            sip = ?sip.plain, tls = ?sip.tls, ws = ?sip.ws, wss = ?sip.wss, http = %http_address,
            "serving"
        );
        Ok(Node {
            sip,
            tls: self.tls,
            reread,
            http: http_address,
            drain_limit: self.settings.drain_limit,
            overview,
            threads: built.threads,
            tasks,
            store: self.tables.store,
            _data: self.data,
        })
    }

    fn queues(&self) -> std::io::Result<Vec<(Post<Letter>, Inbox<Letter>)>> {
        (0..self.slices.len()).map(|_| inbox(limits::SHARD_QUEUE)).collect()
    }

    fn build_shards(
        &mut self,
        built: &mut Built,
        inboxes: Vec<Inbox<Letter>>,
        streams: &Streams,
        written: &Arc<Notify>,
    ) -> Result<(), StartError> {
        let mut nonce_key = [0; 32];
        self.chance.fill(&mut nonce_key);
        let stack = stack::Config {
            realm: REALM.to_owned(),
            public_address: self.settings.public_address,
            product: PRODUCT.to_owned(),
            nonce_key,
            expires_s: EXPIRES,
            digests: self.settings.digest_algorithms,
        };
        let node = ports::node_address(self.settings.public_address).into();
        let Streams { posts, flows, .. } = streams;
        let listening = Arc::new(self.sip.addresses.clone());
        let runtime = tokio::runtime::Handle::current();
        let connector = Connector::new(streams.clone(), runtime.clone(), listening);
        let lookups = Lookups::new(&self.settings.dns_servers, runtime, Arc::clone(posts))
            .map_err(|error| StartError::setting("dns_servers", error.to_string()))?;
        let sockets = by_shard(&mut self.sip.plain, posts.len());
        let rtp = core::mem::take(&mut self.rtp).into_iter();
        complete_leftovers(&self.data.files());
        let (files, threads) = Files::start(self.data.files())
            .map_err(StartError::system("start the files' threads"))?;
        built.threads.files = Some(threads);
        // The first caller who is held must not stop the audio of all others for it.
        media::prepare();
        for (index, ((inbox, sockets), rtp)) in
            inboxes.into_iter().zip(sockets).zip(rtp).enumerate()
        {
            let Some(post) = posts.get(index) else { break };
            let Some(rtp_ports) = self.slices.get(index).cloned() else { break };
            let shard = u32::try_from(index).unwrap_or(u32::MAX);
            let (journal, syncer, reader) = journal::open(
                &self.data.journal(),
                shard,
                self.starts.of(shard),
                Arc::clone(written),
            )
            .map_err(StartError::system("make the journal in the data directory"))?;
            let media =
                MediaThread::start(index, rtp, post.clone(), files.clone(), self.more_chance())
                    .map_err(StartError::system("start a media thread"))?;
            let shards = posts.len();
            let config = ShardConfig { index, shards, node, rtp_ports, stack: stack.clone() };
            let thread = shard_thread::start(shard_thread::Parts {
                index,
                machine: Shard::new(config, self.more_chance()),
                sockets,
                inbox,
                posts: Arc::clone(posts),
                flows: Arc::clone(flows),
                connector: connector.clone(),
                lookups: lookups.clone(),
                media: Arc::clone(media.mailbox()),
                journal,
            })
            .map_err(StartError::system("start a shard's thread"))?;
            built.readers.push(reader);
            built.threads.shards.push(thread);
            built.threads.media.push(media);
            built.threads.syncers.push(syncer);
        }
        Ok(())
    }

    fn api(&mut self, board: Arc<Board>) -> std::io::Result<axum::Router> {
        let settings = api::Settings {
            rate_limit_per_hour: self.settings.rate_limit_per_hour,
            password_cost: self.settings.passwords.argon2(),
            mail: match self.settings.mail {
                Some(_) => api::MailRelay::Configured,
                None => api::MailRelay::None,
            },
        };
        Ok(api::router(Api::new(ApiParts {
            store: self.tables.store.clone(),
            files: self.tables.files.clone(),
            switchboard: board,
            clock: Arc::new(clock::now),
            settings,
            seed: seed()?,
        })))
    }

    /// Who brings messages to the relay, where there is one.
    fn postman(
        &self,
        board: &Arc<Board>,
        stop: &watch::Receiver<bool>,
    ) -> Result<Option<Postman>, StartError> {
        let Some(mail) = &self.settings.mail else { return Ok(None) };
        let relay = Relay::new(mail, self.settings.tls_roots.as_deref())
            .map_err(|why| StartError::setting("smtp", why))?;
        Ok(Some(Postman {
            tables: self.tables.clone(),
            switchboard: Arc::clone(board) as Arc<dyn api::Switchboard>,
            relay,
            wall: clock::wall,
            stop: stop.clone(),
            figures: Arc::clone(&self.mail_figures),
        }))
    }

    /// Who has recordings converted.
    fn converter(&self, stop: &watch::Receiver<bool>) -> Result<Converter, StartError> {
        let worker = Worker::start(self.tables.files.clone())
            .map_err(StartError::system("start the thread that converts recordings"))?;
        Ok(Converter {
            tables: self.tables.clone(),
            worker,
            wall: clock::wall,
            stop: stop.clone(),
            figures: Arc::clone(&self.convert_figures),
        })
    }

    fn more_chance(&mut self) -> Chance {
        let mut seed = [0; 32];
        self.chance.fill(&mut seed);
        Chance::from_seed(seed)
    }
}

/// What is made shard by shard.
#[derive(Default)]
struct Built {
    threads: Threads,
    readers: Vec<Reader>,
}

/// What the database holds at the start.
struct Configured {
    snapshots: BTreeMap<TenantId, Arc<Snapshot>>,
    directory: Arc<Directory>,
    live: BTreeMap<TenantId, Live>,
}

impl Configured {
    async fn read(store: &Store) -> Result<Configured, StartError> {
        let snapshots = store.all_snapshots().await?;
        let directory = Arc::new(store::directory::build(&snapshots, REALM));
        let live = store.live(clock::wall()).await?;
        let snapshots: BTreeMap<_, _> =
            snapshots.into_iter().map(|s| (s.tenant.id, Arc::new(s))).collect();
        info!(tenants = snapshots.len(), logins = directory.logins.len(), "configuration read");
        Ok(Configured { snapshots, directory, live })
    }

    /// The directory to every shard, then each tenant to its own, with what it had running.
    async fn give_to(&self, posts: &[Post<Letter>]) {
        for post in posts {
            let directory = Arc::clone(&self.directory);
            post.deliver(Letter::Input(Input::Directory(directory))).await;
        }
        for (tenant, snapshot) in &self.snapshots {
            let tenant = *tenant;
            let Some(post) = posts.get(switch::shard_of(tenant, posts.len())) else { continue };
            let snapshot = Arc::clone(snapshot);
            post.deliver(Letter::Input(Input::Snapshot { snapshot, ticket: None })).await;
            if let Some(live) = self.live.get(&tenant).cloned() {
                let Live { bindings, calls, replaced, wrong_pins } = live;
                let restore = Input::Restore { tenant, bindings, calls, replaced, wrong_pins };
                post.deliver(Letter::Input(restore)).await;
            }
        }
    }
}

/// Begins to accept connections of every kind.
fn accept(
    streams: Streams,
    plain: Vec<SipPorts>,
    others: Vec<(Transport, TcpListener)>,
    stop: &watch::Receiver<bool>,
) -> std::io::Result<JoinSet<()>> {
    let plain = plain.into_iter().map(|ports| (Transport::Tcp, ports.listener));
    let mut tasks = JoinSet::new();
    for (transport, listener) in plain.chain(others) {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        tasks.spawn(streams.clone().accept(listener, transport, stop.clone()));
    }
    Ok(tasks)
}

/// The datagram sockets of each shard, one for each address.
fn by_shard(plain: &mut [SipPorts], shards: usize) -> Vec<Vec<UdpSocket>> {
    let mut by_shard: Vec<Vec<UdpSocket>> = (0..shards).map(|_| Vec::new()).collect();
    for ports in plain {
        for (sockets, socket) in by_shard.iter_mut().zip(ports.datagrams.drain(..)) {
            sockets.push(socket);
        }
    }
    by_shard
}

fn bind_rtp(
    address: IpAddr,
    slices: &[RangeInclusive<u16>],
) -> Result<Vec<RtpSockets>, StartError> {
    let bind = |slice: &RangeInclusive<u16>| RtpSockets::bind(address, slice.clone());
    slices.iter().map(bind).collect::<Result<_, _>>().map_err(|taken| {
        let why = format!(
            "port {} cannot be used: {}; choose a range that no other program uses",
            taken.port, taken.source
        );
        StartError::setting("rtp_ports", why)
    })
}

fn database(settings: &Settings) -> String {
    settings
        .database
        .clone()
        .unwrap_or_else(|| settings.data_dir.join("dialplane.db").to_string_lossy().into_owned())
}

/// 32 bytes of the operating system's chance.
fn seed() -> std::io::Result<[u8; 32]> {
    let mut seed = [0; 32];
    File::open("/dev/urandom")?.read_exact(&mut seed)?;
    Ok(seed)
}

#[cfg(test)]
mod tests;
