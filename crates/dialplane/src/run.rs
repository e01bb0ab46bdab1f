//! From settings to exit: logs, signals, the node's life.

use core::fmt;
use std::io::{self, IsTerminal};

use node::{LogLines, Node, Prepared, StartError, turns};
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::error;
use tracing_subscriber::EnvFilter;

use crate::cli::Options;
use crate::config::{Config, Purpose};

/// Why the process ends with an error.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The configuration cannot be read.
    Configuration(String),
    /// The node does not start.
    Start(StartError),
    /// The machine did not do what it should.
    System(&'static str, io::Error),
}

impl Failure {
    /// 2: the operator can mend it by changing a setting; 1: something else.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Failure::Configuration(_)
            | Failure::Start(StartError::Setting { .. } | StartError::Store(_)) => 2,
            Failure::Start(StartError::System { .. }) | Failure::System(..) => 1,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Configuration(text) => f.write_str(text),
            Failure::Start(error) => error.fmt(f),
            Failure::System(doing, error) => write!(f, "cannot {doing}: {error}"),
        }
    }
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Failure {
        Failure::Start(error)
    }
}

/// Serves until a signal.
pub(crate) fn serve(options: &Options) -> Result<(), Failure> {
    let config = Config::read(options, Purpose::Serve)?;
    begin_to_log(&config.log)?;
    runtime()?.block_on(async {
        let mut signals = Signals::listen()?;
        let start =
            async { Ok::<_, Failure>(Prepared::open(config.settings).await?.start().await?) };
        if let Some(node) = signals.unless_told_to_stop(start).await? {
            signals.serve(node).await;
        }
        Ok(())
    })
}

/// For everything that is no call.
pub(crate) fn runtime() -> Result<Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .thread_name("http")
        .on_thread_start(turns::shorten)
        .enable_all()
        .build()
        .map_err(|error| Failure::System("start the runtime", error))
}

/// Logs to standard error, panics included.
pub(crate) fn begin_to_log(filter: &str) -> Result<(), Failure> {
    let filter = EnvFilter::try_new(filter).map_err(|error| {
        Failure::Configuration(format!("setting `log`: {filter:?} is no filter: {error}"))
    })?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(io::stderr().is_terminal())
        .with_writer(|| LogLines)
        .init();
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        error!(place, what = panic.payload_as_str(), "a defect of ours");
    }));
    Ok(())
}

/// The signals that end a process in good order.
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
    /// A hang-up is one of our terminal, not of an operator who wants something.
    has_terminal: bool,
}

impl Signals {
    /// From now on they do not kill any more.
    pub(crate) fn listen() -> Result<Signals, Failure> {
        let listen =
            |kind| signal(kind).map_err(|error| Failure::System("listen for signals", error));
        Ok(Signals {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
            hang_up: listen(SignalKind::hangup())?,
            has_terminal: io::stdin().is_terminal(),
        })
    }

    /// Lets the node serve until the first signal that ends; a second one hurries it. SIGHUP lets
    /// it read its certificate again.
    pub(crate) async fn serve(mut self, node: Node) {
        while self.next().await == Said::Reread {
            node.reread();
        }
        node.stop(self.end()).await;
    }

    /// What `start` gives, or nothing if a signal comes first: then dropping it is stop enough.
    pub(crate) async fn unless_told_to_stop<T>(
        &mut self,
        start: impl Future<Output = Result<T, Failure>>,
    ) -> Result<Option<T>, Failure> {
        tokio::select! {
            started = start => started.map(Some),
            () = self.end() => Ok(None),
        }
    }

    async fn end(&mut self) {
        while self.next().await != Said::End {}
    }

    async fn next(&mut self) -> Said {
        tokio::select! {
            _ = self.terminate.recv() => Said::End,
            _ = self.interrupt.recv() => Said::End,
            _ = self.hang_up.recv() => {
                if self.has_terminal { Said::End } else { Said::Reread }
            }
        }
    }
}

/// What a signal says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said {
    /// Stop.
    End,
    /// Look at the files again.
    Reread,
}
