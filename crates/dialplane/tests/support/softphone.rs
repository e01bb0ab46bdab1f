//! baresip without ears and mouth: it says a tone and writes down what it hears.

use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use loadgen::{Process, ports, watch};
use media::measure::Wav;
use serde_json::{Value, json};

use super::trace::Trace;
use super::{BOUND, Site};

/// How a phone is set up.
#[derive(Clone, Copy)]
pub(crate) struct Setup<'a> {
    /// The tone that it says.
    pub(crate) tone_hz: u32,
    /// `auto` or `manual`.
    pub(crate) answer: &'a str,
    /// `udp`, `tcp` or `tls`.
    pub(crate) transport: &'a str,
    /// Its password; `None`: the right one.
    pub(crate) password: Option<&'a str>,
}

impl Setup<'_> {
    /// A phone that answers by itself.
    pub(crate) const AUTO: Setup<'static> =
        Setup { tone_hz: 440, answer: "auto", transport: "udp", password: None };
    /// A phone that rings.
    pub(crate) const MANUAL: Setup<'static> = Setup { answer: "manual", ..Setup::AUTO };
}

/// A running phone.
pub(crate) struct Softphone {
    process: Process,
    control: Control,
    folder: PathBuf,
    domain: String,
    /// Where its messages come from, as it prints it.
    switch: String,
}

/// Samples a second.
const RATE: usize = 8_000;
/// Where every phone looks for free ports, one for each call, until it has them: beside those that
/// switches are given, and below those that the system gives.
const RTP_PORTS: &str = "32002-32766";
const MODULES: &str = "/usr/lib/baresip/modules";

impl Softphone {
    /// Starts the phone of `number`; it registers by itself.
    pub(crate) fn start(site: &Site, number: &str, setup: Setup<'_>) -> Softphone {
        let folder = site.folder(&format!("phone{number}"));
        let control = free_tcp_port();
        fs::write(folder.join("config"), config(site, &folder, control, setup))
            .expect("its config");
        fs::write(folder.join("accounts"), account(site, number, setup)).expect("its account");
        fs::write(folder.join("contacts"), "").expect("its contacts");
        let mut command = Command::new("baresip");
        // It prints every message.
        command.arg("-s").arg("-f").arg(&folder);
        let mut process = Process::start(command, None).expect("baresip starts");
        let ready = |line: &str| line.contains("baresip is ready").then_some(());
        process.line(BOUND, "that it is ready", ready).expect("baresip starts");
        let (domain, switch) = (site.domain().to_owned(), site.server(setup.transport).to_string());
        Softphone { process, control: Control::connect(control), folder, domain, switch }
    }

    /// Starts a phone and waits until it is registered.
    pub(crate) fn registered(site: &Site, number: &str, setup: Setup<'_>) -> Softphone {
        let mut phone = Softphone::start(site, number, setup);
        assert!(phone.registers(), "{} is not registered\n{}", number, phone.process.said());
        phone
    }

    /// Waits for the outcome of the registration. It may be known before the control connection
    /// is there, so it is read from what the phone prints.
    pub(crate) fn registers(&mut self) -> bool {
        let outcome = |line: &str| match line {
            line if line.contains("200 OK") && line.contains("binding") => Some(true),
            line if line.contains("reg: ") => Some(false),
            _ => None,
        };
        self.process.line(BOUND, "how its registration went", outcome).expect("an outcome")
    }

    /// Calls a number.
    pub(crate) fn dial(&mut self, number: &str) {
        self.control.command("dial", number);
    }

    /// Answers what rings.
    pub(crate) fn answer(&mut self) {
        self.control.command("accept", "");
    }

    /// Ends the call.
    pub(crate) fn hang_up(&mut self) {
        self.control.command("hangup", "");
    }

    /// Puts the other side on hold.
    pub(crate) fn hold(&mut self) {
        self.control.command("hold", "");
    }

    /// Takes the other side off hold.
    pub(crate) fn resume(&mut self) {
        self.control.command("resume", "");
    }

    /// From now on it answers by itself or rings: `auto` or `manual`.
    pub(crate) fn answers(&mut self, mode: &str) {
        self.control.command("answermode", mode);
    }

    /// Takes its first or its second call to do something with.
    pub(crate) fn takes_line(&mut self, line: u8) {
        self.control.command("line", &line.to_string());
    }

    /// Presses keys, which go with the audio (RFC 4733).
    pub(crate) fn presses(&mut self, keys: &str) {
        for key in keys.chars() {
            // It lets go behind the last key of a command only.
            self.control.command("sndcode", &key.to_string());
            // Without audio in between, the next key would have the same timestamp and be the same
            // press: so it is when the machine is busy and the phone catches up.
            let before = self.recordings(SAID);
            let grown = watch::until(&self.folder, BOUND, "audio", || {
                Ok(grown(&before, &self.recordings(SAID), BETWEEN_KEYS))
            });
            grown.unwrap_or_else(|error| panic!("{error}\n{}", self.process.said()));
        }
    }

    /// Waits until it is told of a key that the other side has pressed.
    pub(crate) fn hears_key(&mut self) -> String {
        self.expects("CALL_DTMF_START")
    }

    /// Sends the other side on to a number by REFER.
    pub(crate) fn refers_to(&mut self, number: &str) {
        let target = format!("sip:{number}@{}", self.domain);
        self.control.command("transfer", &target);
    }

    /// Sends the other side of its first call on to that of its second one, by REFER with
    /// Replaces. The phone has no command for it, but takes any URI.
    pub(crate) fn joins_its_calls(&mut self, second: &str) {
        let (call_id, to, from) =
            self.is_told("of a call to that number", |trace| trace.dialog_with(second));
        let with = format!("Replaces={call_id}%3Bto-tag%3D{to}%3Bfrom-tag%3D{from}");
        let target = format!("<sip:{second}@{}?{with}>", self.domain);
        self.takes_line(1);
        self.control.command("transfer", &target);
    }

    /// Waits until the switch has last told it that it talks to this name and number.
    #[track_caller]
    pub(crate) fn shows(&mut self, name: &str, number: &str) {
        let wanted = (name.to_owned(), number.to_owned());
        let what = format!("that it talks to {wanted:?}");
        self.is_told(&what, |trace| trace.shown().filter(|shown| *shown == wanted));
    }

    /// Waits until it was told so often that somebody else has taken what rang: it shows no missed
    /// call.
    #[track_caller]
    pub(crate) fn misses_no_call(&mut self, count: usize) {
        let told = |trace: &Trace| (trace.answered_elsewhere() == count).then_some(());
        self.is_told(&format!("of {count} calls that somebody else has answered"), told);
    }

    /// Waits until something stands in its messages. What it prints may be read later than its
    /// events.
    #[track_caller]
    fn is_told<T>(&mut self, what: &str, found: impl Fn(&Trace) -> Option<T>) -> T {
        let until = Instant::now() + BOUND;
        loop {
            let said = self.process.said();
            let trace = Trace::of(&said, &self.switch);
            if let Some(found) = found(&trace) {
                return found;
            }
            let shown = trace.shown();
            assert!(Instant::now() < until, "not told {what}; it shows {shown:?}\n{said}");
            // Nothing more is printed: the next look is the last one.
            let _ = self.process.line(BOUND, "anything", |_| Some(()));
        }
    }

    /// Waits until it rings.
    pub(crate) fn rings(&mut self) {
        self.expects("CALL_INCOMING");
    }

    /// Waits until it hears that the other side rings.
    pub(crate) fn hears_ringing(&mut self) {
        self.expects("CALL_RINGING");
    }

    /// Waits until the call is answered.
    pub(crate) fn talks(&mut self) {
        self.expects("CALL_ESTABLISHED");
    }

    /// Waits until the call is over; gives what the phone says of it.
    pub(crate) fn call_ends(&mut self) -> String {
        self.expects("CALL_CLOSED")
    }

    fn expects(&mut self, kind: &str) -> String {
        match self.control.event(|found| found == kind) {
            Ok(event) => event.param,
            Err(seen) => panic!("no {kind}, but {seen:?}"),
        }
    }

    /// What it hears from now on for this long, in whichever of its calls it hears something. A
    /// phone writes nothing down while it hears nothing, so this is also the wait for sound.
    pub(crate) fn hears(&mut self, length: Duration) -> Vec<i16> {
        let wanted = length.as_millis() as usize * RATE / 1000;
        let before = self.recordings(HEARD);
        let heard = watch::until(&self.folder, BOUND, "sound", || {
            let grown = grown(&before, &self.recordings(HEARD), wanted);
            Ok(grown.and_then(|(path, from)| samples(&path, from, wanted)))
        });
        heard.unwrap_or_else(|error| panic!("{error}\n{}", self.process.said()))
    }

    /// What it writes down of each of its calls, and how many samples that are.
    fn recordings(&self, ending: &str) -> Recordings {
        let entries = fs::read_dir(&self.folder).expect("its folder");
        let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
        let files = paths.filter(|path| path.to_string_lossy().ends_with(ending));
        let bytes = |path: &Path| fs::metadata(path).map_or(0, |file| file.len() as usize);
        let counted = files.map(|path| {
            let samples = bytes(&path).saturating_sub(HEADER) / 2;
            (path, samples)
        });
        counted.collect()
    }
}

/// Files, and the samples in each.
type Recordings = BTreeMap<PathBuf, usize>;

/// How the files end with what a phone hears, and with what it says.
const HEARD: &str = "-dec.wav";
const SAID: &str = "-enc.wav";

/// Samples that a phone says between two keys: a key takes five packets of 20 ms.
const BETWEEN_KEYS: usize = 960;

/// A file that has so many samples more than it had, and how many it had.
fn grown(before: &Recordings, now: &Recordings, by: usize) -> Option<(PathBuf, usize)> {
    let from = |path| before.get(path).copied().unwrap_or(0);
    let grown = now.iter().find(|(path, length)| **length >= from(*path) + by);
    grown.map(|(path, _)| (path.clone(), from(path)))
}

/// So many samples of a file from that one on, if it has them.
fn samples(path: &Path, from: usize, count: usize) -> Option<Vec<i16>> {
    let wav = Wav::read(&whole(fs::read(path).ok()?)).ok()?;
    let channel = wav.channels.into_iter().next()?;
    channel.get(from..from + count).map(<[i16]>::to_vec)
}

/// Bytes before the samples of a recording.
const HEADER: usize = 44;

/// Of a test that fails, what every phone has said tells why.
impl Drop for Softphone {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{} has said:\n{}", self.folder.display(), self.process.said());
        }
    }
}

/// The header of a file that is still written says that it is empty: put its true length in.
fn whole(mut bytes: Vec<u8>) -> Vec<u8> {
    if let Some(data) = bytes.len().checked_sub(HEADER)
        && let Ok(length) = u32::try_from(data)
    {
        bytes[40..HEADER].copy_from_slice(&length.to_le_bytes());
    }
    bytes
}

fn config(site: &Site, folder: &Path, control: u16, setup: Setup<'_>) -> String {
    format!(
        "poll_method epoll\n\
         sip_listen 127.0.0.1:0\n\
         {roots}\
         net_interface 127.0.0.1\n\
         audio_player aubridge,phone\n\
         audio_source ausine,{tone}\n\
         audio_alert aubridge,alert\n\
         ausrc_srate 48000\n\
         ausrc_channels 2\n\
         auplay_srate 48000\n\
         rtp_ports {RTP_PORTS}\n\
         module_path {MODULES}\n\
         module g711.so\n\
         module ausine.so\n\
         module aubridge.so\n\
         module sndfile.so\n\
         snd_path {folder}\n\
         module_app account.so\n\
         module_app menu.so\n\
         module_app ctrl_tcp.so\n\
         ctrl_tcp_listen 127.0.0.1:{control}\n",
        roots = match setup.transport {
            "tls" => format!("sip_cafile {}\n", site.certificate().display()),
            _ => String::new(),
        },
        tone = setup.tone_hz,
        folder = folder.display(),
    )
}

fn account(site: &Site, number: &str, setup: Setup<'_>) -> String {
    let account = site.account(number);
    format!(
        "<sip:{login}@{domain};transport={transport}>;auth_user={login};auth_pass={password};\
         outbound=\"sip:{sip};transport={transport}\";regint=600;answermode={answer};\
         audio_codecs=pcma,pcmu\n",
        login = account.login,
        domain = site.domain(),
        transport = setup.transport,
        password = setup.password.unwrap_or(&account.password),
        sip = site.server(setup.transport),
        answer = setup.answer,
    )
}

/// A port for the control connection, which baresip cannot choose by itself: none of those that the
/// system gives, since a connection could have taken it before baresip does.
fn free_tcp_port() -> u16 {
    let free = (0..100).find_map(|_| {
        let port = *ports::free_range(1).ok()?.start();
        TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok().map(|_| port)
    });
    free.expect("a free port")
}

/// baresip's control connection: JSON in netstrings, commands one way, events the other.
struct Control {
    stream: TcpStream,
    bytes: Vec<u8>,
    events: VecDeque<Event>,
    /// Commands that it has not answered.
    unanswered: usize,
}

#[derive(Debug)]
struct Event {
    kind: String,
    param: String,
}

impl Control {
    fn connect(port: u16) -> Control {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("baresip's control");
        Control { stream, bytes: Vec::new(), events: VecDeque::new(), unanswered: 0 }
    }

    /// Gives a command and waits until it was carried out.
    fn command(&mut self, name: &str, params: &str) {
        let text = json!({"command": name, "params": params}).to_string();
        write!(self.stream, "{}:{text},", text.len()).expect("baresip takes commands");
        self.unanswered += 1;
        while self.unanswered > 0 {
            assert!(self.receive(BOUND), "{name} is not answered");
        }
    }

    /// The next event that `wanted` is true of; else the kinds that came instead.
    fn event(&mut self, wanted: impl Fn(&str) -> bool) -> Result<Event, Vec<String>> {
        let until = Instant::now() + BOUND;
        let mut others = Vec::new();
        loop {
            while let Some(event) = self.events.pop_front() {
                if wanted(&event.kind) {
                    return Ok(event);
                }
                others.push(format!("{} {}", event.kind, event.param));
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() || !self.receive(left) {
                return Err(others);
            }
        }
    }

    fn receive(&mut self, within: Duration) -> bool {
        let mut buffer = [0; 4096];
        self.stream.set_read_timeout(Some(within)).expect("a bound");
        let Ok(count @ 1..) = self.stream.read(&mut buffer) else { return false };
        self.bytes.extend_from_slice(&buffer[..count]);
        while let Some(event) = self.cut() {
            match event {
                Some(event) => self.events.push_back(event),
                None => self.unanswered = self.unanswered.saturating_sub(1),
            }
        }
        true
    }

    /// Cuts one netstring off; the inner `None` is the answer to a command.
    fn cut(&mut self) -> Option<Option<Event>> {
        let colon = self.bytes.iter().position(|&byte| byte == b':')?;
        let length =
            std::str::from_utf8(&self.bytes[..colon]).ok()?.trim().parse::<usize>().ok()?;
        let text = self.bytes.get(colon + 1..colon + 1 + length)?;
        let value: Value = serde_json::from_slice(text).unwrap_or(Value::Null);
        let string = |key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
        let event =
            string("type").map(|kind| Event { kind, param: string("param").unwrap_or_default() });
        self.bytes.drain(..(colon + length + 2).min(self.bytes.len()));
        Some(event)
    }
}
