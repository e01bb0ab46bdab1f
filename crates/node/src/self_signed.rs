//! A certificate of our own making, for trying out: phones are told to believe it.

use std::fs;
use std::io;
use std::path::Path;

use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, date_time_ymd};

use crate::certificate::CertificateFiles;
use crate::data_dir::write_private;

/// The files of a certificate for these names and addresses in `dir`. What an earlier start has
/// made stays as long as it is for the same names, so that phones need not be told again.
pub(crate) fn files_in(dir: &Path, names: &[String]) -> io::Result<CertificateFiles> {
    let files =
        CertificateFiles { certificate: dir.join("certificate.pem"), key: dir.join("key.pem") };
    // PEM begins at its first line of dashes; what stands before is for the reader.
    let title = format!("For {}\n", names.join(", "));
    let is_there = fs::read_to_string(&files.certificate).is_ok_and(|t| t.starts_with(&title));
    if is_there && files.key.exists() {
        return Ok(files);
    }
    let mut params = CertificateParams::new(names).map_err(io::Error::other)?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "Dialplane demo");
    params.not_before = date_time_ymd(2024, 1, 1);
    params.not_after = date_time_ymd(2049, 12, 31);
    let key = KeyPair::generate().map_err(io::Error::other)?;
    let certificate = params.self_signed(&key).map_err(io::Error::other)?;
    write_private(&files.key, key.serialize_pem().as_bytes())?;
    write_private(&files.certificate, (title + &certificate.pem()).as_bytes())?;
    Ok(files)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::certificate::Certificate;

    #[test]
    fn a_certificate_is_made_once_for_the_same_names() {
        let temp = tempfile::tempdir().unwrap();
        let names = |list: &[&str]| list.iter().map(ToString::to_string).collect::<Vec<_>>();
        let text = |files: &CertificateFiles| fs::read(&files.certificate).unwrap();
        let files = files_in(temp.path(), &names(&["a.example", "127.0.0.1", "::1"])).unwrap();
        let first = text(&files);
        files_in(temp.path(), &names(&["a.example", "127.0.0.1", "::1"])).unwrap();
        assert_eq!(text(&files), first);
        files_in(temp.path(), &names(&["b.example"])).unwrap();
        assert_ne!(text(&files), first);
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let read = Certificate::read(files, provider).expect("it can be used");
        assert!(read.figures().days_left > 1_000);
    }
}
