//! Inputs that mutation begins with: our own in `seeds/`, the torture messages that the crate
//! `sip` keeps, and whatever lies in the folder that `DIALPLANE_CORPORA` names.

use std::fs;
use std::path::{Path, PathBuf};

use media::measure::{Coding, Wav, sine};
use media::rtcp::{Block, Goodbye, Report, Sender};
use media::rtp::Header;
use model::{Chance, Codec};

/// Files longer than this in a corpus are no messages.
const FILE_BYTES_MAX: u64 = 65_536;

/// Words that SIP parsers trip over.
pub const SIP_WORDS: &[&str] = &[
    "\r\n",
    "\n",
    "\r",
    "\r\n ",
    "\r\n\t",
    "\r\n\r\n",
    "\n\n",
    "\0",
    " ",
    "\t",
    ";",
    ",",
    ":",
    "<",
    ">",
    "\"",
    "\\",
    "\\\"",
    "=",
    "@",
    "%",
    "%00",
    "%zz",
    "%0d%0a",
    "[",
    "]",
    "[::1]",
    "(",
    ")",
    "?",
    "*",
    "+",
    "-1",
    "0",
    "4294967296",
    "99999999999999999999999",
    "\u{e9}",
    "\u{feff}",
    "\u{2028}",
    "SIP/2.0",
    "SIP/3.0",
    "SIP/",
    "SIP/2.0/UDP ",
    "Via: ",
    "v:",
    "To: x\r\n",
    "f : ",
    "t\t:",
    "i:",
    "CSeq: ",
    "Cseq: 1 INVITE\r\n",
    "Max-Forwards: ",
    "Contact: *\r\n",
    "m:",
    "Route: ",
    "Record-Route: <sip:a;lr>\r\n",
    "Require: ",
    "Proxy-Require: x\r\n",
    "Expires: ",
    "Event: ",
    "Supported: 100rel\r\n",
    "Content-Length: ",
    "\r\nl: 5\r\n",
    "\r\nl: 0\r\n",
    "Content-Type: application/sdp\r\n",
    "Content-Type: multipart/mixed;boundary=a\r\n",
    "Content-Encoding: gzip\r\n",
    "Accept: ",
    "Authorization: Digest ",
    "Refer-To: ",
    "Replaces: ",
    "Session-Expires: ",
    "RAck: ",
    "RSeq: ",
    "Retry-After: ",
    "Reason: ",
    "Warning: ",
    "Identity: ",
    "Privacy: ",
    "Timestamp: ",
    "Date: ",
    ";tag=",
    ";branch=z9hG4bK",
    ";rport",
    ";rport=",
    ";received=1.2.3.4",
    ";maddr=",
    ";ttl=",
    ";lr",
    ";q=0.5",
    ";expires=",
    "sip:",
    "sips:",
    "tel:",
    "urn:",
    "INVITE ",
    "ACK ",
    "BYE ",
    "CANCEL ",
    "REGISTER ",
    "OPTIONS ",
    "PRACK ",
    "UPDATE ",
    "INFO ",
    "REFER ",
    "NOTIFY ",
    "Digest ",
    "m=audio 1 RTP/AVP 0\r\n",
    "c=IN IP4 0.0.0.0\r\n",
    "--",
    "--a\r\n",
    "--a--\r\n",
];

/// Words of URIs, addresses and Vias.
pub const VALUE_WORDS: &[&str] = &[
    ";",
    ",",
    ":",
    "<",
    ">",
    "\"",
    "\\",
    "\\\"",
    "=",
    "@",
    "%",
    "%00",
    "%40",
    "%25",
    "%3B",
    "%zz",
    "[",
    "]",
    "[::1]",
    "[::ffff:1.2.3.4]",
    "(",
    ")",
    "?",
    "&",
    "*",
    "/",
    " ",
    "\t",
    "\r\n ",
    "\r",
    "\n",
    "\0",
    "\u{e9}",
    "sip:",
    "sips:",
    "tel:",
    "urn:",
    "SIP/2.0/UDP ",
    ";tag=",
    ";tag",
    ";lr",
    ";branch=z9hG4bK",
    ";branch=Z9HG4BK",
    ";rport",
    ";received=::1",
    ";maddr=",
    ";transport=tcp",
    ";user=phone",
    ";method=",
    ";q=0.5",
    ";q=1.0001",
    ";expires=",
    ";expires=4294967296",
    ":0",
    ":65536",
    ":5060",
    "..",
    "1.2.3.4",
    "1.2.3.256",
    "+1",
];

/// Words of digest values.
pub const DIGEST_WORDS: &[&str] = &[
    "Digest ",
    "digest",
    "username=",
    "realm=",
    "nonce=",
    "uri=",
    "response=",
    "algorithm=",
    "qop=",
    "cnonce=",
    "nc=",
    "opaque=",
    "stale=",
    "MD5",
    "SHA-256",
    "MD5-sess",
    "auth",
    "auth-int",
    "00000001",
    "ffffffff",
    "+0000001",
    "\"",
    "\\",
    "\\\"",
    ",",
    "=",
    " ",
    "\r\n ",
    "\t",
    "\u{e9}",
    "\u{7f}",
    ",,",
    "\"\"",
];

/// Words of session descriptions and multipart bodies.
pub const SDP_WORDS: &[&str] = &[
    "v=0\r\n",
    "o=- 1 1 IN IP4 1.2.3.4\r\n",
    "s=-\r\n",
    "t=0 0\r\n",
    "c=IN IP4 1.2.3.4\r\n",
    "c=IN IP4 0.0.0.0\r\n",
    "c=IN IP6 ::1\r\n",
    "c=IN IP6 ::\r\n",
    "c=\r\n",
    "m=audio 4000 RTP/AVP 8\r\n",
    "m=audio 0 RTP/AVP 0\r\n",
    "m=video 1 RTP/AVP 31\r\n",
    "m=",
    "m=audio",
    " RTP/AVP ",
    "a=rtpmap:",
    "a=rtpmap:8 PCMU/8000\r\n",
    "a=rtpmap:101 telephone-event/8000\r\n",
    "a=fmtp:",
    "a=ptime:",
    "a=rtcp:",
    "a=rtcp-mux\r\n",
    "a=sendonly\r\n",
    "a=inactive\r\n",
    "a=recvonly\r\n",
    "a=sendrecv\r\n",
    "\r\n",
    "\n",
    "\r",
    " ",
    "/",
    ":",
    "=",
    "0",
    "127",
    "128",
    "65536",
    "--uniq",
    "--uniq--",
    "--uniq\r\nContent-Type: application/sdp\r\n\r\n",
    "--",
    "Content-Type: application/sdp\r\n",
    "\r\n\r\n",
    "\0",
];

/// SIP messages: ours, RFC 4475 and RFC 5118, and the corpora of the environment.
pub fn messages() -> Vec<Vec<u8>> {
    let mut all = own_messages();
    all.extend(torture().into_iter().map(|(_, bytes)| bytes));
    all.extend(corpora());
    all
}

/// Our own messages, with their lines ended by CRLF and their Content-Length filled in.
pub fn own_messages() -> Vec<Vec<u8>> {
    sections(include_str!("../seeds/messages.txt")).iter().map(|text| wired(text)).collect()
}

/// The messages of RFC 4475 and RFC 5118 that the crate `sip` keeps with their origin, and its two
/// big INVITEs; by name.
///
/// # Panics
///
/// When they are not there.
pub fn torture() -> Vec<(String, Vec<u8>)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../sip/tests");
    let mut all = Vec::new();
    for folder in ["corpora/rfc4475", "corpora/rfc5118", "messages"] {
        for (path, bytes) in files(&root.join(folder)) {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if !name.ends_with(".tsv") && !name.ends_with(".md") {
                all.push((name, bytes));
            }
        }
    }
    assert!(all.len() >= 61, "the torture messages are missing: {} found", all.len());
    all
}

/// Everything in the folder that `DIALPLANE_CORPORA` names; nothing when it is not set.
pub fn corpora() -> Vec<Vec<u8>> {
    let Some(root) = std::env::var_os("DIALPLANE_CORPORA") else { return Vec::new() };
    let all = files(Path::new(&root));
    assert!(!all.is_empty(), "DIALPLANE_CORPORA names {root:?}, where nothing is");
    all.into_iter().map(|(_, bytes)| bytes).collect()
}

/// What strangers send to a SIP port: messages, and what is none.
pub fn strangers() -> Vec<Vec<u8>> {
    let mut all = messages();
    // A STUN binding request (RFC 8489 5), an allocation, a ClientHello of TLS and of DTLS.
    all.push(b"\x00\x01\x00\x00\x21\x12\xa4\x42abcdefghijkl".to_vec());
    all.push(
        b"\x00\x03\x00\x08\x21\x12\xa4\x42abcdefghijkl\x00\x19\x00\x04\x11\x00\x00\x00".to_vec(),
    );
    all.push(b"\x16\x03\x01\x00\x2f\x01\x00\x00\x2b\x03\x03".to_vec());
    all.push(b"\x16\xfe\xff\x00\x00\x00\x00\x00\x00\x00\x00\x00\x36\x01\x00\x00\x2a".to_vec());
    // HTTP, RTSP, a keep-alive, a ping of some phones.
    all.push(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n".to_vec());
    all.push(b"OPTIONS rtsp://a/ RTSP/1.0\r\nCSeq: 1\r\n\r\n".to_vec());
    all.push(b"\r\n\r\n".to_vec());
    all.push(b"jaK\0".to_vec());
    all.extend(packets());
    all.extend(reports());
    all
}

/// URIs.
pub fn uris() -> Vec<Vec<u8>> {
    lines(include_str!("../seeds/uris.txt"))
}

/// Values of From, To, Contact, Route.
pub fn addresses() -> Vec<Vec<u8>> {
    lines(include_str!("../seeds/addresses.txt"))
}

/// Values of Via.
pub fn vias() -> Vec<Vec<u8>> {
    lines(include_str!("../seeds/vias.txt"))
}

/// Values of Authorization and WWW-Authenticate.
pub fn digests() -> Vec<Vec<u8>> {
    lines(include_str!("../seeds/digests.txt"))
}

/// Session descriptions: ours and those in all messages.
pub fn descriptions() -> Vec<Vec<u8>> {
    let own = sections(include_str!("../seeds/descriptions.txt"));
    let mut all: Vec<_> = own.iter().map(|text| crlf(text).into_bytes()).collect();
    for bytes in messages() {
        let Ok(message) = sip::Message::parse(bytes) else { continue };
        all.extend(sip::body::session_description(&message).map(<[u8]>::to_vec));
    }
    all
}

/// Bodies in several parts.
pub fn bodies() -> Vec<Vec<u8>> {
    let parsed = messages().into_iter().filter_map(|bytes| sip::Message::parse(bytes).ok());
    parsed.map(|m| m.body().to_vec()).filter(|body| body.starts_with(b"--")).collect()
}

/// RTP packets.
pub fn packets() -> Vec<Vec<u8>> {
    let header = Header { marker: true, payload_type: 101, sequence: 1, timestamp: 2, ssrc: 3 };
    let mut plain = header.to_bytes().to_vec();
    plain.extend([0x55; 160]);
    // With padding and a header extension.
    let mut rich = header.to_bytes().to_vec();
    if let Some(first) = rich.first_mut() {
        *first |= 0x30;
    }
    rich.extend([0, 0, 0, 2, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 3]);
    vec![plain, rich]
}

/// RTCP reports.
pub fn reports() -> Vec<Vec<u8>> {
    let sender = Sender { ntp: 1 << 40, timestamp: 160, packets: 1, octets: 160 };
    let block =
        Block { ssrc: 2, fraction: 3, lost: -4, highest: 5, jitter: 6, last_report: 7, delay: 8 };
    [(None, Goodbye::Yes), (Some(block), Goodbye::No)]
        .into_iter()
        .map(|(block, goodbye)| {
            let mut bytes = Vec::new();
            let cname = b"abcdefghijklmnop";
            let sender = block.is_some().then_some(sender);
            Report { ssrc: 1, cname, sender, block, goodbye }.write(&mut bytes);
            bytes
        })
        .collect()
}

/// WAV files.
pub fn waves() -> Vec<Vec<u8>> {
    let wav = Wav::mono(sine(440.0, -10.0, 50));
    vec![wav.write(Coding::Linear), wav.write(Coding::G711(Codec::Pcmu))]
}

/// Noise of several lengths: what sequences of operations begin with.
pub fn noise() -> Vec<Vec<u8>> {
    let mut chance = Chance::from_number(0);
    let lengths = [40, 100, 200, 400, 400, 800, 800, 1_600, 1_600, 4_000];
    let noise = |length: usize| {
        let mut bytes = vec![0; length];
        chance.fill(&mut bytes);
        bytes
    };
    lengths.into_iter().map(noise).collect()
}

/// All files below a folder, in the order of their names.
pub(crate) fn files(root: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut all = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for path in entries.flatten().map(|entry| entry.path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.metadata().is_ok_and(|m| m.len() <= FILE_BYTES_MAX)
                && let Ok(bytes) = fs::read(&path)
            {
                all.push((path, bytes));
            }
        }
    }
    all.sort();
    all
}

fn lines(text: &str) -> Vec<Vec<u8>> {
    text.lines().map(|line| line.as_bytes().to_vec()).collect()
}

/// The texts between lines that begin with `===`.
fn sections(text: &'static str) -> Vec<&'static str> {
    let after_title = |section: &'static str| section.split_once('\n').map(|(_, text)| text);
    text.split("=== ").filter(|s| !s.is_empty()).filter_map(after_title).collect()
}

fn crlf(text: &str) -> String {
    text.replace('\n', "\r\n")
}

/// `Content-Length: @` becomes the length.
fn wired(text: &str) -> Vec<u8> {
    let text = crlf(text);
    let body = text.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    text.replace("Content-Length: @", &format!("Content-Length: {}", body.len())).into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_messages_are_good_ones() {
        let all = own_messages();
        assert!(all.len() >= 23, "{}", all.len());
        for bytes in all {
            let message = sip::Message::parse(bytes.clone()).unwrap();
            assert_eq!(sip::validate(&message), Ok(()), "{message:?}");
            assert_eq!(message.bytes(), bytes, "nothing stands after the body");
        }
    }

    #[test]
    fn there_are_seeds_of_every_kind() {
        let kinds = [uris(), addresses(), vias(), digests(), descriptions(), bodies(), noise()];
        assert!(kinds.iter().all(|seeds| seeds.len() >= 3));
        assert!([packets(), reports(), waves()].iter().all(|seeds| seeds.len() == 2));
    }
}
