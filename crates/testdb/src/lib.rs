//! A PostgreSQL server for tests: Debian's, started by the test itself.
//!
//! Knows: how to start, stop and hold up a server in a folder of its own, on a socket in that
//! folder and no port. Never knows: who connects to it, what lies in it.
//!
//! A shell owns the server: it takes orders on its standard input and, when that ends because the
//! test process has ended in whatever way, ends the server and removes the folder.
#![forbid(unsafe_code)]

mod account;
mod place;

use std::io::{BufRead as _, BufReader, Lines, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock, mpsc};
use std::time::Duration;

use account::Account;
use place::Place;

/// The superuser of every server.
const USER: &str = "dialplane";
/// Longest wait for a server to start; a busy machine takes its time.
const START: Duration = Duration::from_secs(120);
/// What the server says when it can be used.
const READY: &str = "database system is ready to accept connections";
/// Says that the tests which need the server must not be left out.
const REQUIRED: &str = "DIALPLANE_REQUIRE_POSTGRES";

/// The shell's orders; `$@` is the server's command line.
const KEEPER: &str = r#"
dir=$1; shift
"$@" & server=$!
while read -r order; do
    case $order in
        freeze) kill -STOP $server ;;
        thaw) kill -CONT $server ;;
        stop) kill -CONT $server; kill -QUIT $server; wait $server; server= ;;
        start) "$@" & server=$! ;;
    esac
    echo done
done
[ -z "$server" ] || { kill -CONT $server; kill -QUIT $server; wait $server; }
rm -rf "$dir"
"#;

/// A server that runs until it is dropped, or until this process ends.
pub struct Server {
    place: Place,
    account: Account,
    keeper: Mutex<Keeper>,
    databases: AtomicU32,
}

struct Keeper {
    shell: Child,
    /// `None`: told to end.
    orders: Option<ChildStdin>,
    answers: Lines<BufReader<ChildStdout>>,
    said: mpsc::Receiver<String>,
}

/// The one server that all tests of a binary share. `None`: PostgreSQL is not installed, which is
/// said aloud once.
pub fn shared() -> Option<&'static Server> {
    static SHARED: OnceLock<Option<Server>> = OnceLock::new();
    SHARED.get_or_init(Server::start).as_ref()
}

impl Server {
    /// Starts a server of its own. `None`: PostgreSQL is not installed, which is said aloud.
    ///
    /// # Panics
    ///
    /// If it is installed and does not start, or if it must be installed and is not.
    pub fn start() -> Option<Server> {
        let Some(programs) = place::programs() else {
            let required = std::env::var_os(REQUIRED).is_some_and(|value| value == "1");
            assert!(!required, "PostgreSQL must be installed");
            // Past the test harness, which keeps what a passing test prints to itself.
            let said =
                writeln!(std::io::stderr(), "left out, PostgreSQL is not installed: make deps");
            said.expect("standard error takes a line");
            return None;
        };
        let account = Account::unprivileged();
        let place = Place::new(programs, &account);
        let mut init = account.command(&place.program("initdb"));
        init.current_dir(place.dir()).arg("-D").arg(place.dir().join("data"));
        init.args(["--auth=trust", "--no-sync", "--locale=C", "--encoding=UTF8", "-U", USER]);
        run(init);
        let keeper = Keeper::start(&place, &account);
        let server =
            Server { place, account, keeper: Mutex::new(keeper), databases: AtomicU32::new(0) };
        server.keeper.lock().expect("no test has failed in here").wait_until_ready();
        Some(server)
    }

    /// The URL of a new, empty database.
    pub fn database(&self) -> String {
        let name = format!("test{}", self.databases.fetch_add(1, Ordering::Relaxed));
        let mut create = self.client("createdb");
        create.arg(&name);
        run(create);
        self.url(&name)
    }

    /// The URL of a database of this name, whether there is one or not.
    pub fn url(&self, name: &str) -> String {
        format!("postgres://{USER}@localhost/{name}?host={}", self.place.dir().display())
    }

    /// Holds the server up: connections stay, new ones are taken by the system, nothing answers.
    pub fn freeze(&self) {
        self.order("freeze");
        // The processes that serve connections are the server's children, each its own.
        self.children("-STOP");
    }

    /// Lets it go on.
    pub fn thaw(&self) {
        self.children("-CONT");
        self.order("thaw");
    }

    /// Ends the server at once, as a crash would.
    pub fn stop(&self) {
        self.order("stop");
    }

    /// Starts it again after [`Server::stop`]; what was committed is there.
    pub fn start_again(&self) {
        self.order("start");
        self.keeper.lock().expect("no test has failed in here").wait_until_ready();
    }

    /// A program of PostgreSQL that connects to this server.
    pub fn client(&self, program: &str) -> Command {
        let mut command = self.account.command(&self.place.program(program));
        command.current_dir(self.place.dir());
        command.arg("-h").arg(self.place.dir()).args(["-U", USER]);
        command
    }

    fn order(&self, order: &str) {
        self.keeper.lock().expect("no test has failed in here").order(order);
    }

    fn children(&self, signal: &str) {
        for pid in self.place.server_children() {
            // One that has just ended is as good as stopped.
            let _ = Command::new("kill").arg(signal).arg(pid.to_string()).status();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let mut keeper = self.keeper.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        keeper.orders = None;
        let _ = keeper.shell.wait();
    }
}

impl Keeper {
    fn start(place: &Place, account: &Account) -> Keeper {
        let mut shell = account.command("/bin/sh".as_ref());
        shell.current_dir(place.dir()).args(["-c", KEEPER, "sh"]).arg(place.dir());
        shell.arg(place.program("postgres")).arg("-D").arg(place.dir().join("data"));
        shell.arg("-k").arg(place.dir());
        for setting in [
            "listen_addresses=",
            "fsync=off",
            "full_page_writes=off",
            "max_connections=300",
            "shared_buffers=16MB",
            "log_min_messages=log",
        ] {
            shell.args(["-c", setting]);
        }
        shell.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut shell = shell.spawn().expect("a shell starts");
        let orders = shell.stdin.take();
        let answers = shell.stdout.take().expect("it is piped");
        let errors = shell.stderr.take().expect("it is piped");
        let (say, said) = mpsc::channel();
        // Reads on for as long as the server lives, so that it never waits for a reader.
        std::thread::spawn(move || {
            for line in BufReader::new(errors).lines().map_while(Result::ok) {
                let _ = say.send(line);
            }
        });
        Keeper { shell, orders, answers: BufReader::new(answers).lines(), said }
    }

    fn wait_until_ready(&mut self) {
        let mut seen = Vec::new();
        loop {
            match self.said.recv_timeout(START) {
                Ok(line) if line.contains(READY) => return,
                Ok(line) => seen.push(line),
                Err(error) => panic!("PostgreSQL does not start ({error}): {seen:#?}"),
            }
        }
    }

    fn order(&mut self, order: &str) {
        let orders = self.orders.as_mut().expect("it is open until the server is dropped");
        writeln!(orders, "{order}").expect("the shell reads");
        let answer = self.answers.next().expect("the shell answers").expect("it is text");
        assert_eq!(answer, "done");
    }
}

#[track_caller]
fn run(mut command: Command) {
    let output = command.output().expect("the program starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
}
