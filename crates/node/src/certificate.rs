//! The certificate that we show: read from its files, and again when they change.

use core::fmt;
use core::time::Duration;
use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::sync::watch;
use tracing::{error, info, warn};

use crate::expiry::not_after;
use crate::{clock, limits};

/// Where a certificate with its chain and its key lie, both PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The certificate, then those that lead to its root.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// Why a certificate cannot be used; names the file.
#[derive(Debug, thiserror::Error)]
#[error("{}: {why}", path.display())]
pub(crate) struct BadCertificate {
    /// Which of the two settings.
    pub(crate) part: Part,
    path: PathBuf,
    why: String,
}

/// A certificate has two files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// The chain.
    Certificate,
    /// The key.
    Key,
}

/// The certificate in use.
pub(crate) struct Certificate {
    files: CertificateFiles,
    provider: Arc<CryptoProvider>,
    used: RwLock<Used>,
    /// The files as they were when they were last looked at.
    seen: Mutex<Stamp>,
    /// The number of days that was warned of last.
    warned: Mutex<Option<i64>>,
    reloads: AtomicU64,
    failures: AtomicU64,
}

struct Used {
    key: Arc<CertifiedKey>,
    /// Since 1970.
    not_after: Duration,
}

/// The certificate in figures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct CertificateFigures {
    /// Whole days until it has run out; below zero: since.
    pub(crate) days_left: i64,
    /// Times that new files were taken.
    pub(crate) reloads: u64,
    /// Times that new files could not be used.
    pub(crate) failures: u64,
}

/// Days before the end at which a warning is due.
const WARNINGS: [i64; 3] = [1, 7, 30];

impl Certificate {
    /// Reads the files.
    pub(crate) fn read(
        files: CertificateFiles,
        provider: Arc<CryptoProvider>,
    ) -> Result<Certificate, BadCertificate> {
        let seen = Stamp::of(&files);
        let used = load(&files, &provider)?;
        Ok(Certificate {
            files,
            provider,
            used: RwLock::new(used),
            seen: Mutex::new(seen),
            warned: Mutex::default(),
            reloads: AtomicU64::new(0),
            failures: AtomicU64::new(0),
        })
    }

    /// Looks at the files now and then, and whenever `again` says so, until `stop`.
    pub(crate) async fn watch(
        self: Arc<Self>,
        mut again: watch::Receiver<u64>,
        mut stop: watch::Receiver<bool>,
    ) {
        loop {
            self.warn_before_the_end(days_left(self.not_after(), clock::wall().0));
            tokio::select! {
                _ = tokio::time::sleep(limits::CERTIFICATE_LOOK) => self.look(),
                Ok(()) = again.changed() => self.reload(),
                _ = stop.wait_for(|stop| *stop) => return,
            }
        }
    }

    /// Takes the files if they have changed.
    pub(crate) fn look(&self) {
        let now = Stamp::of(&self.files);
        if *self.seen.lock().unwrap_or_else(PoisonError::into_inner) != now {
            self.reload();
        }
    }

    /// Takes the files if they can be used; else what is in use stays.
    pub(crate) fn reload(&self) {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Stamp::of(&self.files);
        match load(&self.files, &self.provider) {
            Ok(used) => {
                let days_left = days_left(used.not_after, clock::wall().0);
                *self.used.write().unwrap_or_else(PoisonError::into_inner) = used;
                self.reloads.fetch_add(1, Ordering::Relaxed);
                info!(days_left, "the TLS certificate was read again");
            }
            Err(error) => {
                self.failures.fetch_add(1, Ordering::Relaxed);
                error!(%error, "the new TLS certificate cannot be used, the old one stays");
            }
        }
    }

    /// The certificate in figures.
    pub(crate) fn figures(&self) -> CertificateFigures {
        CertificateFigures {
            days_left: days_left(self.not_after(), clock::wall().0),
            reloads: self.reloads.load(Ordering::Relaxed),
            failures: self.failures.load(Ordering::Relaxed),
        }
    }

    fn not_after(&self) -> Duration {
        self.used.read().unwrap_or_else(PoisonError::into_inner).not_after
    }

    fn warn_before_the_end(&self, days_left: i64) {
        let mut warned = self.warned.lock().unwrap_or_else(PoisonError::into_inner);
        let due = warning_due(days_left);
        if due.is_some() && (warned.is_none() || due < *warned) {
            match days_left {
                ..0 => error!(days_left, "the TLS certificate has run out"),
                0.. => warn!(days_left, "the TLS certificate runs out soon"),
            }
        }
        *warned = due;
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let used = self.used.read().unwrap_or_else(PoisonError::into_inner);
        Some(Arc::clone(&used.key))
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate").field("files", &self.files).finish_non_exhaustive()
    }
}

/// Which warning holds: the lowest bound that is not below the days left; after the end -1.
fn warning_due(days_left: i64) -> Option<i64> {
    if days_left < 0 {
        return Some(-1);
    }
    WARNINGS.into_iter().find(|bound| days_left <= *bound)
}

/// Whole days from a moment in microseconds to the end.
fn days_left(not_after: Duration, wall_us: i64) -> i64 {
    let end = i64::try_from(not_after.as_secs()).unwrap_or(i64::MAX);
    (end - wall_us.div_euclid(1_000_000)).div_euclid(86_400)
}

fn load(files: &CertificateFiles, provider: &Arc<CryptoProvider>) -> Result<Used, BadCertificate> {
    let CertificateFiles { certificate, key } = files;
    let bad = |part, path: &Path, why: String| BadCertificate { part, path: path.to_owned(), why };
    let in_chain = |why| bad(Part::Certificate, certificate, why);
    let in_key = |why| bad(Part::Key, key, why);

    let text = read(certificate).map_err(|error| in_chain(error.to_string()))?;
    let chain = certificates(&text).map_err(in_chain)?;
    let end = chain.first().and_then(|c| not_after(c));
    let not_after = end.ok_or_else(|| in_chain("its first certificate is none".to_owned()))?;

    let text = read(key).map_err(|error| in_key(error.to_string()))?;
    let secret = PrivateKeyDer::from_pem_slice(&text)
        .map_err(|_| in_key("holds no private key in PEM".to_owned()))?;
    let secret = provider
        .key_provider
        .load_private_key(secret)
        .map_err(|error| in_key(format!("its key cannot be used: {error}")))?;

    let pair = CertifiedKey::new(chain, secret);
    match pair.keys_match() {
        Ok(()) | Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::Unknown)) => {}
        Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::KeyMismatch)) => {
            let why = format!("is not the key of the certificate in {}", certificate.display());
            return Err(in_key(why));
        }
        Err(error) => return Err(in_chain(error.to_string())),
    }
    Ok(Used { key: Arc::new(pair), not_after })
}

/// The certificates of a PEM file, at least one.
pub(crate) fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) | Err(_) => Err("holds no certificate in PEM".to_owned()),
    }
}

/// A whole file, if it is not absurdly long.
pub(crate) fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(limits::PEM_BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// What changes when a file is written or replaced.
#[derive(Debug, PartialEq, Eq)]
struct Stamp([Option<(u64, u64, i64, i64)>; 2]);

impl Stamp {
    fn of(files: &CertificateFiles) -> Stamp {
        let of = |m: Metadata| (m.ino(), m.size(), m.mtime(), m.mtime_nsec());
        Stamp([&files.certificate, &files.key].map(|path| fs::metadata(path).ok().map(of)))
    }
}

#[cfg(test)]
mod tests;
