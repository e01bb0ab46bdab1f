//! A whole node in this process, with the real shards.

use std::io::{Read, Write};
use std::net::{TcpStream, UdpSocket};
use std::path::Path;
use std::time::Duration;

use super::*;
use crate::call_log::LoggedNumbers;
use crate::ports::SipAddresses;
use crate::seed::SeedRequest;
use crate::settings::PasswordCost;

fn settings(data_dir: &Path) -> Settings {
    let here = || vec!["127.0.0.1:0".parse().unwrap()];
    let free = || UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    // A free port has free neighbours most often; the caller tries again.
    let first = free().next_multiple_of(2).min(65_000);
    Settings {
        data_dir: data_dir.to_owned(),
        database: None,
        http: "127.0.0.1:0".parse().unwrap(),
        sip: SipAddresses { plain: here(), tls: here(), ..SipAddresses::default() },
        certificate: Some(CertificateSource::SelfSigned(vec!["127.0.0.1".to_owned()])),
        tls_roots: None,
        dns_servers: Vec::new(),
        ws_origins: None,
        rtp_ports: first..=first + 15,
        public_address: None,
        shards: Some(2),
        drain_limit: Duration::from_secs(60),
        numbers: LoggedNumbers::Shortened,
        rate_limit_per_hour: None,
        digest_algorithms: stack::Digests::Md5,
        mail: None,
        passwords: PasswordCost::Demo,
    }
}

async fn prepared(data_dir: &Path) -> Prepared {
    for _ in 0..100 {
        match Prepared::open(settings(data_dir)).await {
            Ok(prepared) => return prepared,
            Err(StartError::Setting { setting: "rtp_ports", .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }
    panic!("no free ports");
}

fn request() -> SeedRequest {
    SeedRequest {
        name: "Test".to_owned(),
        domain: "test.example".to_owned(),
        domain_prefix: "00500".to_owned(),
        prefix: "0003".to_owned(),
        known: None,
        user: "test".to_owned(),
        phones: 2,
    }
}

/// The head of the answer to an OPTIONS over UDP.
fn options(sip: std::net::SocketAddr) -> String {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let request = "OPTIONS sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:9;rport;\
        branch=z9hG4bKt\r\nFrom: <sip:t@127.0.0.1>;tag=t\r\nTo: <sip:127.0.0.1>\r\nCall-ID: t\r\n\
        CSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n";
    socket.send_to(request.as_bytes(), sip).unwrap();
    let mut buffer = [0; 2_000];
    let (length, from) = socket.recv_from(&mut buffer).expect("an answer");
    assert_eq!(from, sip);
    String::from_utf8_lossy(&buffer[..length]).lines().next().unwrap_or_default().to_owned()
}

fn get(http: std::net::SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(http).unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

async fn blocking<T: Send + 'static>(run: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(run).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_starts_serves_stops_and_leaves_nothing_to_recover() {
    let temp = tempfile::tempdir().unwrap();
    let mut first = prepared(temp.path()).await;
    let seeded = first.seed(&request()).await.unwrap();
    assert!(seeded.created && seeded.phones.len() == 2);
    let node = first.start().await.unwrap();
    let (sip, http) = (node.sip().plain[0], node.http());
    assert_eq!(blocking(move || options(sip)).await, "SIP/2.0 200 OK");
    let health = blocking(move || get(http, "/healthz")).await;
    assert!(
        health.starts_with("HTTP/1.1 200 ") && health.contains("\"status\":\"ok\""),
        "{health}"
    );
    node.stop(core::future::pending()).await;
    let left: Vec<_> = std::fs::read_dir(temp.path().join("journal"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(left, ["name"], "the journals are applied and gone");

    // Everything is given back: the same process can start again on the same data.
    let mut second = prepared(temp.path()).await;
    assert!(!second.seed(&request()).await.unwrap().created);
    let node = second.start().await.unwrap();
    let sip = node.sip().plain[0];
    assert_eq!(blocking(move || options(sip)).await, "SIP/2.0 200 OK");
    node.stop(core::future::pending()).await;
}

#[tokio::test]
async fn too_few_ports_for_the_shards_are_refused_before_anything_is_opened() {
    let temp = tempfile::tempdir().unwrap();
    let settings = Settings { rtp_ports: 20_000..=20_006, ..settings(temp.path()) };
    let error = Prepared::open(settings).await.err().unwrap().to_string();
    assert!(
        error.starts_with("setting `rtp_ports`: 20000-20006 is too small: 2 shards"),
        "{error}"
    );
    assert!(!temp.path().join("dialplane.db").exists());
}
