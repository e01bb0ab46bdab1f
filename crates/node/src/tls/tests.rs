//! Whom we believe: peers with certificates of every kind of wrongness.

use std::fs;
use std::path::Path;

use rcgen::{
    BasicConstraints, Certificate as Made, CertificateParams, CustomExtension, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, date_time_ymd,
};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;
use crate::self_signed;

/// What a node with a certificate of its own making for these names has, in `dir`.
pub(crate) fn tls_for(dir: &Path, names: &[&str]) -> Tls {
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    let files = self_signed::files_in(dir, &names).unwrap();
    Tls::new(Some(files), None).unwrap()
}

/// A client that believes the certificates in a file, and the system's roots.
pub(crate) fn believing(roots: &Path) -> Arc<ClientConfig> {
    Tls::new(None, Some(roots.to_owned())).unwrap().theirs.config().unwrap()
}

/// A root, and what it has signed.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    root: Made,
}

impl Authority {
    fn new() -> Authority {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let root = params.self_signed(&key).unwrap();
        Authority { issuer: Issuer::new(params, key), root }
    }

    fn signs(&self, params: &CertificateParams) -> Shown {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Shown { chain: vec![certificate.der().clone()], key }
    }
}

/// What a peer shows.
struct Shown {
    chain: Vec<CertificateDer<'static>>,
    key: KeyPair,
}

fn good(names: &[&str]) -> CertificateParams {
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.not_after = date_time_ymd(2099, 1, 1);
    params
}

/// Connects to a peer that shows this; whether its word arrives.
async fn connects(roots: &Path, shown: Shown, name: Option<&str>) -> bool {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let remote = listener.local_addr().unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(shown.key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&VERSIONS)
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(shown.chain, key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let peer = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut stream = acceptor.accept(stream).await.ok()?;
        stream.write_all(b"word").await.ok()
    });
    let tls = Tls::new(None, Some(roots.to_owned())).unwrap();
    let stream = TcpStream::connect(remote).await.unwrap();
    let made = tls.connect(stream, remote, name).await;
    let heard = match made {
        Some(mut stream) => stream.read_exact(&mut [0; 4]).await.is_ok(),
        None => false,
    };
    peer.await.unwrap();
    heard
}

#[tokio::test]
async fn only_a_certificate_that_is_good_for_the_name_is_believed() {
    let temp = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    let roots = temp.path().join("roots.pem");
    fs::write(&roots, authority.root.pem()).unwrap();
    let name = Some("trunk.example");

    let signed = authority.signs(&good(&["trunk.example"]));
    assert!(connects(&roots, signed, name).await, "all is well");
    let signed = authority.signs(&good(&["127.0.0.1"]));
    assert!(connects(&roots, signed, None).await, "by its address");

    let signed = authority.signs(&good(&["other.example"]));
    assert!(!connects(&roots, signed, name).await, "wrong name");
    let signed = authority.signs(&good(&["trunk.example"]));
    assert!(!connects(&roots, signed, None).await, "wrong address");
    let signed = authority.signs(&good(&["*.trunk.example"]));
    assert!(!connects(&roots, signed, name).await, "a name below");

    let mut expired = good(&["trunk.example"]);
    (expired.not_before, expired.not_after) =
        (date_time_ymd(2020, 1, 1), date_time_ymd(2021, 1, 1));
    assert!(!connects(&roots, authority.signs(&expired), name).await, "expired");
    let mut future = good(&["trunk.example"]);
    future.not_before = date_time_ymd(2098, 1, 1);
    assert!(!connects(&roots, authority.signs(&future), name).await, "not yet good");

    let key = KeyPair::generate().unwrap();
    let own = good(&["trunk.example"]).self_signed(&key).unwrap();
    let own = Shown { chain: vec![own.der().clone()], key };
    assert!(!connects(&roots, own, name).await, "self-signed");
    let signed = Authority::new().signs(&good(&["trunk.example"]));
    assert!(!connects(&roots, signed, name).await, "of an unknown root");
}

#[tokio::test]
async fn a_chain_of_more_than_16_kilobytes_is_refused() {
    let temp = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    let roots = temp.path().join("roots.pem");
    fs::write(&roots, authority.root.pem()).unwrap();
    for (filling, is_believed) in [(1 << 10, true), (16 << 10, false)] {
        let mut params = good(&["trunk.example"]);
        // An extension of nobody's, not critical.
        let content = vec![0x05; filling];
        let extension = CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 99_999, 1], content);
        params.custom_extensions = vec![extension];
        let signed = authority.signs(&params);
        let believed = connects(&roots, signed, Some("trunk.example")).await;
        assert_eq!(believed, is_believed, "{filling} bytes more");
    }
}

#[tokio::test]
async fn a_peer_that_answers_with_tls_1_1_is_refused() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let remote = listener.local_addr().unwrap();
    let peer = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut hello = [0; 512];
        let _ = stream.read(&mut hello).await.unwrap();
        // A ServerHello of TLS 1.1: version, random, no session, a cipher suite, no compression.
        let mut body = vec![0x03, 0x02];
        body.extend([7; 32]);
        body.extend([0, 0xc0, 0x13, 0]);
        let length = u8::try_from(body.len()).unwrap();
        let mut record = vec![22, 3, 2, 0, length + 4, 2, 0, 0, length];
        record.extend(body);
        stream.write_all(&record).await.unwrap();
        let mut alert = Vec::new();
        let _ = stream.read_to_end(&mut alert).await;
        alert
    });
    let tls = Tls::new(None, None).unwrap();
    let stream = TcpStream::connect(remote).await.unwrap();
    assert!(tls.connect(stream, remote, Some("trunk.example")).await.is_none());
    let said = peer.await.unwrap();
    assert!(said.ends_with(&[2, 70]), "a fatal alert, protocol_version: {said:?}");
}

#[test]
fn files_that_cannot_be_used_name_their_setting() {
    let temp = tempfile::tempdir().unwrap();
    let at = |name: &str| temp.path().join(name);
    let names = vec!["a.example".to_owned()];
    let good = self_signed::files_in(temp.path(), &names).unwrap();
    fs::create_dir(at("other")).unwrap();
    let other = self_signed::files_in(&at("other"), &names).unwrap();
    fs::write(at("text"), "no PEM").unwrap();
    let with = |certificate: &Path, key: &Path| {
        let files = CertificateFiles { certificate: certificate.into(), key: key.into() };
        Tls::new(Some(files), None).unwrap_err().to_string()
    };
    for (error, sentence) in [
        (with(&at("none"), &good.key), "setting `tls_certificate`: DIR/none: No such file"),
        (with(&at("text"), &good.key), "setting `tls_certificate`: DIR/text: holds no certificate"),
        (with(&good.certificate, &at("none")), "setting `tls_key`: DIR/none: No such file"),
        (with(&good.certificate, &at("text")), "setting `tls_key`: DIR/text: holds no private key"),
        (
            with(&good.certificate, &other.key),
            "setting `tls_key`: DIR/other/key.pem: is not the key",
        ),
        (
            Tls::new(None, Some(at("text"))).unwrap_err().to_string(),
            "setting `tls_roots`: DIR/text: holds no certificate",
        ),
    ] {
        let error = error.replace(&temp.path().display().to_string(), "DIR");
        assert!(error.starts_with(sentence), "{error}");
    }
}
