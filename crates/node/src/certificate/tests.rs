//! New files, bad files, and the end of a certificate.

use rcgen::{CertificateParams, KeyPair, date_time_ymd};

use super::*;
use crate::streams::tests::pass;

struct Bench {
    temp: tempfile::TempDir,
    certificate: Certificate,
}

impl Bench {
    fn new() -> Bench {
        let temp = tempfile::tempdir().unwrap();
        write(temp.path(), 2090);
        let files = CertificateFiles {
            certificate: temp.path().join("c.pem"),
            key: temp.path().join("k.pem"),
        };
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        Bench { certificate: Certificate::read(files, provider).unwrap(), temp }
    }

    fn shown(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.certificate.used.read().unwrap().key)
    }

    fn counts(&self) -> (u64, u64) {
        let figures = self.certificate.figures();
        (figures.reloads, figures.failures)
    }
}

/// A new certificate until this year with its key.
fn write(dir: &Path, year: i32) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(["a.example".to_owned()]).unwrap();
    params.not_after = date_time_ymd(year, 1, 1);
    // As tools do it: new files take the place of the old ones.
    for (name, text) in
        [("k.pem", key.serialize_pem()), ("c.pem", params.self_signed(&key).unwrap().pem())]
    {
        fs::write(dir.join("new"), text).unwrap();
        fs::rename(dir.join("new"), dir.join(name)).unwrap();
    }
}

#[test]
fn new_files_are_taken_when_they_are_seen_and_only_then() {
    let bench = Bench::new();
    let (before, end) = (bench.shown(), bench.certificate.not_after());
    bench.certificate.look();
    assert!(Arc::ptr_eq(&before, &bench.shown()), "nothing has changed");
    assert_eq!(bench.counts(), (0, 0));
    write(bench.temp.path(), 2095);
    bench.certificate.look();
    assert_ne!(before.cert, bench.shown().cert);
    assert!(bench.certificate.not_after() > end);
    bench.certificate.look();
    assert_eq!(bench.counts(), (1, 0));
}

#[test]
fn bad_files_leave_the_old_certificate_and_are_counted_once() {
    let bench = Bench::new();
    let before = bench.shown();
    for (file, text, failures) in [("k.pem", "no key", 1), ("c.pem", "no certificate", 2)] {
        fs::write(bench.temp.path().join(file), text).unwrap();
        bench.certificate.look();
        bench.certificate.look();
        assert!(Arc::ptr_eq(&before, &bench.shown()));
        assert_eq!(bench.counts(), (0, failures));
    }
    fs::remove_file(bench.temp.path().join("c.pem")).unwrap();
    bench.certificate.look();
    assert_eq!(bench.counts(), (0, 3));
    write(bench.temp.path(), 2091);
    bench.certificate.look();
    assert_eq!(bench.counts(), (1, 3), "good files heal it");
}

#[test]
fn days_are_whole_and_warnings_come_at_30_7_and_1() {
    let end = Duration::from_secs(100 * 86_400);
    let left = |seconds: i64| days_left(end, seconds * 1_000_000);
    assert_eq!(left(0), 100);
    assert_eq!(left(1), 99);
    assert_eq!(left(100 * 86_400 - 1), 0);
    assert_eq!(left(100 * 86_400 + 1), -1);
    let due: Vec<_> = [31, 30, 8, 7, 2, 1, 0, -1].into_iter().map(warning_due).collect();
    assert_eq!(due, [None, Some(30), Some(30), Some(7), Some(7), Some(1), Some(1), Some(-1)]);
}

#[tokio::test(start_paused = true)]
async fn the_files_are_looked_at_once_a_minute_and_when_told() {
    let bench = Bench::new();
    let Bench { temp, certificate } = bench;
    let certificate = Arc::new(certificate);
    let (again, asked) = watch::channel(0);
    let (stop, stopped) = watch::channel(false);
    let watching = tokio::spawn(Arc::clone(&certificate).watch(asked, stopped));
    write(temp.path(), 2091);
    pass(limits::CERTIFICATE_LOOK / 2).await;
    assert_eq!(certificate.figures().reloads, 0);
    pass(limits::CERTIFICATE_LOOK).await;
    assert_eq!(certificate.figures().reloads, 1);
    again.send_modify(|times| *times += 1);
    pass(Duration::from_millis(1)).await;
    assert_eq!(certificate.figures().reloads, 2, "also when nothing has changed");
    stop.send_replace(true);
    watching.await.unwrap();
}
