//! Inputs that once broke something, again.

use std::fs;
use std::path::Path;

use fuzzing::campaign;
use fuzzing::target::find;

#[test]
fn what_once_broke_a_promise_does_not_break_it_again() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("findings");
    let mut replayed = 0;
    for folder in fs::read_dir(&root).unwrap().map(|entry| entry.unwrap().path()) {
        if !folder.is_dir() {
            continue;
        }
        let name = folder.file_name().unwrap().to_str().unwrap();
        let target = find(name).unwrap_or_else(|| panic!("findings of no target: {name}"));
        for file in fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()) {
            let broken = campaign::breaks(target, &fs::read(&file).unwrap());
            assert_eq!(broken, None, "{}", file.display());
            replayed += 1;
        }
    }
    assert!(replayed > 0, "the findings are gone");
}

/// The test above would see one.
#[test]
fn a_broken_promise_is_noticed_and_made_small() {
    fn picky(data: &[u8]) {
        assert!(!data.windows(3).any(|w| w == b"bad"), "bad data");
    }
    let target = fuzzing::Target {
        name: "picky",
        run: picky,
        seeds: || vec![b"here is nothing".to_vec()],
        dictionary: &["bad"],
        rounds: 0,
    };
    let (_, finding) = campaign::run(&target, 1, |tried| tried < 1_000);
    let finding = finding.unwrap();
    assert!(finding.said.starts_with("bad data\n  at "), "{}", finding.said);
    assert_eq!(campaign::smaller(&target, &finding.data), b"bad");
    assert_eq!(campaign::breaks(&target, b"good"), None);
}
