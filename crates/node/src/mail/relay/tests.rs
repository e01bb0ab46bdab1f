//! Mail to a relay that speaks TLS, with a certificate that a root of our own has signed.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use model::{FileId, Wall};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::*;

/// How a relay begins.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Begins {
    /// With TLS.
    Secured,
    /// In the clear, and offers STARTTLS.
    Offering,
    /// In the clear, and knows nothing else.
    Plain,
}

/// A relay, and what it was told: before TLS with a `-` in front.
struct Peer {
    port: u16,
    roots: PathBuf,
    heard: Arc<Mutex<Vec<String>>>,
    _dir: tempfile::TempDir,
}

impl Peer {
    /// A relay whose certificate is for this name.
    async fn begin(begins: Begins, name: &str) -> Peer {
        let dir = tempfile::tempdir().unwrap();
        let root_key = KeyPair::generate().unwrap();
        let mut root = CertificateParams::new(Vec::<String>::new()).unwrap();
        root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        root.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let roots = dir.path().join("roots.pem");
        std::fs::write(&roots, root.self_signed(&root_key).unwrap().pem()).unwrap();
        let key = KeyPair::generate().unwrap();
        let own = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let own = own.signed_by(&key, &Issuer::new(root, root_key)).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![own.der().clone()], key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let told = Arc::clone(&heard);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(session(stream, begins, acceptor.clone(), Arc::clone(&told)));
            }
        });
        Peer { port, roots, heard, _dir: dir }
    }

    fn heard(&self) -> String {
        self.heard.lock().unwrap().join("\n")
    }

    /// Brings one mail there; `believes`: the relay's root is in the settings.
    async fn send(&self, security: Security, believes: bool) -> Result<(), Untaken> {
        let settings = MailSettings {
            host: "127.0.0.1".to_owned(),
            port: self.port,
            security,
            login: Some(("pbx".to_owned(), Secret::new("hunter2"))),
            from: "pbx@example.com".parse().unwrap(),
        };
        let relay = Relay::new(&settings, believes.then_some(&*self.roots)).unwrap();
        let mail = Outgoing {
            to: vec!["anna@example.com".to_owned()],
            subject: "A message".to_owned(),
            text: "Listen".to_owned(),
            date: Wall(0),
            id: FileId(1),
            attachment: None,
        };
        relay.send(&mail).await
    }
}

async fn session(
    stream: TcpStream,
    begins: Begins,
    acceptor: TlsAcceptor,
    heard: Arc<Mutex<Vec<String>>>,
) -> Option<()> {
    if begins == Begins::Secured {
        let stream = acceptor.accept(stream).await.ok()?;
        return talk(stream, Some("220 relay"), false, "", &heard).await.map(drop);
    }
    let offers = begins == Begins::Offering;
    let stream = talk(stream, Some("220 relay"), offers, "-", &heard).await?;
    let stream = acceptor.accept(stream).await.ok()?;
    talk(stream, None, false, "", &heard).await.map(drop)
}

/// As much of RFC 5321 as a client needs. `Some`: it has asked for TLS (RFC 3207).
async fn talk<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    greeting: Option<&str>,
    offers: bool,
    mark: &str,
    heard: &Mutex<Vec<String>>,
) -> Option<S> {
    let mut stream = BufReader::new(stream);
    if let Some(greeting) = greeting {
        stream.write_all(format!("{greeting}\r\n").as_bytes()).await.ok()?;
    }
    let mut is_text = false;
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        let line = line.trim_end();
        let word = line.split(' ').next().unwrap_or_default();
        if is_text && line != "." {
            continue;
        }
        heard.lock().unwrap().push(format!("{mark}{word}"));
        is_text = word == "DATA";
        let answer = match word {
            "EHLO" if offers => "250-relay\r\n250-AUTH PLAIN\r\n250 STARTTLS",
            "EHLO" => "250-relay\r\n250 AUTH PLAIN",
            "STARTTLS" => "220 go on",
            "AUTH" => "235 it is you",
            "DATA" => "354 go on",
            "QUIT" => "221 bye",
            _ => "250 ok",
        };
        stream.write_all(format!("{answer}\r\n").as_bytes()).await.ok()?;
        stream.flush().await.ok()?;
        if word == "STARTTLS" {
            return Some(stream.into_inner());
        }
    }
}

const WHOLE: &str = "EHLO\nAUTH\nMAIL\nRCPT\nDATA\n.";

#[tokio::test]
async fn with_tls_from_the_first_byte_mail_goes_to_a_relay_of_a_root_of_our_own() {
    let peer = Peer::begin(Begins::Secured, "127.0.0.1").await;
    peer.send(Security::Implicit, true).await.unwrap();
    assert!(peer.heard().starts_with(WHOLE), "{}", peer.heard());
}

#[tokio::test]
async fn the_password_is_told_after_starttls_and_not_before() {
    for security in [Security::Required, Security::Offered] {
        let peer = Peer::begin(Begins::Offering, "127.0.0.1").await;
        peer.send(security, true).await.unwrap();
        let expected = format!("-EHLO\n-STARTTLS\n{WHOLE}");
        assert!(peer.heard().starts_with(&expected), "{}", peer.heard());
    }
}

#[tokio::test]
async fn where_tls_must_be_and_is_not_offered_nothing_is_told() {
    let peer = Peer::begin(Begins::Plain, "127.0.0.1").await;
    let refused = peer.send(Security::Required, true).await;
    assert!(refused.is_err());
    assert!(!peer.heard().contains("AUTH") && !peer.heard().contains("MAIL"), "{}", peer.heard());
    peer.send(Security::Offered, true).await.unwrap();
    assert!(peer.heard().contains("-AUTH\n-MAIL"), "where it may, it goes in the clear");
}

#[tokio::test]
async fn a_relay_that_nobody_vouches_for_or_that_is_another_gets_nothing() {
    let table = [(Begins::Secured, Security::Implicit), (Begins::Offering, Security::Required)];
    for (begins, security) in table {
        for (name, believes) in [("127.0.0.1", false), ("relay.example", true)] {
            let peer = Peer::begin(begins, name).await;
            let refused = peer.send(security, believes).await;
            assert!(matches!(refused, Err(Untaken::Yet(_))), "{name}: it may be mended");
            let heard = peer.heard();
            assert!(!heard.contains("AUTH") && !heard.contains("MAIL"), "{name}: {heard}");
        }
    }
}
