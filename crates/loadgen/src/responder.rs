//! A responder without a switch behind it: what the phones can do by themselves is known by having
//! them call this.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::Result;

use crate::message::Message;
use crate::process::Process;

/// A responder in a process of its own; it ends when this is dropped.
#[derive(Debug)]
pub struct Responder {
    /// The process.
    pub process: Process,
    /// Where it is called.
    pub address: SocketAddr,
}

impl Responder {
    /// Starts `program` with `words`, which must come to [`serve`], on `core`.
    pub fn start(program: &Path, words: &[&str], core: usize) -> Result<Responder> {
        let mut command = Command::new(program);
        command.args(words);
        let mut process = Process::start(command, Some(core))?;
        let address = process.line(Duration::from_secs(30), "its port", |line| {
            Some((Ipv4Addr::LOCALHOST, line.strip_prefix("port ")?.parse().ok()?).into())
        })?;
        Ok(Responder { process, address })
    }
}

/// Challenges each first INVITE and REGISTER, answers everything else with 200, for ever.
pub fn serve() -> Result<()> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    let own = socket.local_addr()?;
    println!("port {}", own.port());
    let mut buffer = [0; 4096];
    loop {
        let (length, from) = socket.recv_from(&mut buffer)?;
        let Some(bytes) = buffer.get(..length) else { continue };
        let Some(message) = Message::parse(bytes) else { continue };
        if message.status.is_none() && message.method != "ACK" {
            // A full buffer or a peer that is gone is a lost packet, as on any network.
            let _ = socket.send_to(&answer(&message, bytes, own), from);
        }
    }
}

fn answer(message: &Message<'_>, bytes: &[u8], own: SocketAddr) -> Vec<u8> {
    let text = core::str::from_utf8(bytes).unwrap_or_default();
    let proven = text.contains("\r\nAuthorization: ") || message.method == "BYE";
    let (status, extra) = match proven {
        false => (
            "401 Unauthorized",
            "WWW-Authenticate: Digest realm=\"r\", nonce=\"n\", qop=\"auth\"\r\n",
        ),
        true => ("200 OK", ""),
    };
    let body = match (proven, message.method) {
        (true, "INVITE") => "v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio 9 RTP/AVP 8\r\n",
        _ => "",
    };
    let via: String = message.via.iter().map(|via| format!("Via: {via}\r\n")).collect();
    let tag = if message.to.contains(";tag=") { "" } else { ";tag=s" };
    format!(
        "SIP/2.0 {status}\r\n{via}From: {}\r\nTo: {}{tag}\r\nCall-ID: {}\r\nCSeq: {}\r\n\
         Contact: <sip:{own}>\r\n{extra}Content-Length: {}\r\n\r\n{body}",
        message.from,
        message.to,
        message.call_id,
        message.cseq,
        body.len()
    )
    .into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invite_is_challenged_first_and_answered_with_audio_then() {
        let own = "127.0.0.1:9".parse().unwrap();
        let invite = |lines: &str| {
            format!(
                "INVITE sip:a SIP/2.0\r\nVia: SIP/2.0/UDP b;branch=z\r\nFrom: <sip:b>;tag=1\r\n\
                 To: <sip:a>\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\n{lines}\r\n"
            )
        };
        let answered = |lines: &str| {
            let bytes = invite(lines).into_bytes();
            String::from_utf8(answer(&Message::parse(&bytes).unwrap(), &bytes, own)).unwrap()
        };
        assert!(answered("").starts_with("SIP/2.0 401 "));
        let ok = answered("Authorization: Digest x\r\n");
        assert!(ok.starts_with("SIP/2.0 200 ") && ok.contains("m=audio 9"), "{ok}");
    }
}
