use super::*;
use crate::domain::{Outcome, Record};
use crate::ledger::journal::Recovery;
use proptest::prelude::*;

/// A process that wrote calls 0 to 3 into one segment, and died before call 2 ended.
struct LeftBehind {
    dir: TempDir,
    file: PathBuf,
    bytes: Vec<u8>,
    /// Where header and entries end.
    ends: Vec<usize>,
}

impl LeftBehind {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let started = start(home.path(), Settings { segment_bytes: 1 << 20, ..SMALL });
        let file = files(home.path()).remove(0);
        let len = || usize::try_from(std::fs::metadata(&file).unwrap().len()).unwrap();
        let mut ends = vec![len()];
        let mut tickets = Vec::new();
        for number in 0..4 {
            tickets.push(started.journal.opening(&opening(number).view()).unwrap());
            ends.push(len());
        }
        for (number, ticket) in (0..4).zip(tickets) {
            if number != 2 {
                started.journal.closing(Some(ticket), record(number));
                ends.push(len());
            }
        }
        let dir = killed(home.path());
        let file = dir.path().join(file.file_name().unwrap());
        Self { bytes: std::fs::read(&file).unwrap(), dir, file, ends }
    }

    /// Puts other bytes into the segment.
    fn write(&self, bytes: &[u8]) {
        std::fs::write(&self.file, bytes).unwrap();
    }
}

/// What a journal finds, which then dies at once.
fn found(dir: &Path) -> (Vec<Record>, Recovery, TempDir) {
    let mut started = start(dir, SMALL);
    let batch = started.reader.next_batch(100, 1 << 20).unwrap();
    (batch.records, started.recovery, killed(dir))
}

fn summary(records: &[Record]) -> Vec<(RequestId, Outcome)> {
    let mut all: Vec<_> = records.iter().map(|record| (record.id, record.outcome)).collect();
    all.sort_unstable_by_key(|(id, _)| *id);
    all
}

#[test]
fn any_cut_leaves_exactly_the_entries_before_it() {
    let left = LeftBehind::new();
    for cut in (0..left.bytes.len()).step_by(5).chain(left.ends.iter().copied()) {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(left.file.file_name().unwrap()), &left.bytes[..cut]).unwrap();
        let (records, recovery, _) = found(dir.path());
        let whole = left.ends.iter().filter(|end| **end <= cut).count();
        let opened = [0, 1, 2, 3].into_iter().take(whole.saturating_sub(1));
        let closed: Vec<u64> = [0, 1, 3].into_iter().take(whole.saturating_sub(5)).collect();
        let outcome = |number| if closed.contains(&number) { Outcome::Ok } else { Outcome::Interrupted };
        let expected: Vec<_> = opened.map(|number| (opening(number).id, outcome(number))).collect();
        assert_eq!(summary(&records), expected, "cut at {cut}");
        assert_eq!(recovery.tails.len(), usize::from(!left.ends.contains(&cut)), "cut at {cut}");
    }
}

#[test]
fn zeros_to_the_end_are_cut_off() {
    let left = LeftBehind::new();
    left.write(&[left.bytes.as_slice(), &[0; 5000]].concat());
    std::fs::write(left.dir.path().join("00000000000000ff.journal"), [0; 5000]).unwrap();
    let (records, recovery, _) = found(left.dir.path());
    assert_eq!(records.len(), 4);
    let tails: Vec<_> = recovery.tails.iter().map(|tail| (tail.offset, tail.bytes)).collect();
    assert_eq!(tails, [(u64::try_from(left.bytes.len()).unwrap(), 5000), (0, 5000)]);
}

#[test]
fn calls_left_open_are_interrupted_once() {
    let left = LeftBehind::new();
    let (records, recovery, dir) = found(left.dir.path());
    assert_eq!((recovery.interrupted, recovery.pending_records), (1, 4));
    let last = records.last().unwrap();
    assert_eq!((last.id, last.outcome), (opening(2).id, Outcome::Interrupted));
    let (again, recovery, dir) = found(dir.path());
    assert_eq!((recovery.interrupted, recovery.pending_records), (0, 4));
    assert_eq!(summary(&again), summary(&records));
    let mut started = start(dir.path(), SMALL);
    assert_eq!(drain(&mut started.reader).len(), 4);
    started.journal.stop();
    assert_eq!(files(dir.path()), Vec::<PathBuf>::new());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn no_flipped_byte_goes_unnoticed(at in any::<prop::sample::Index>(), flip in 1..=255_u8) {
        let left = LeftBehind::new();
        let mut bytes = left.bytes.clone();
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        left.write(&bytes);
        let last = left.ends[left.ends.len() - 2];
        match try_start(left.dir.path(), SMALL) {
            Ok(started) => {
                prop_assert!(at >= last, "byte {}", at);
                prop_assert_eq!(started.recovery.tails.len(), 1);
            }
            Err(error) => {
                prop_assert!(at < last, "byte {}: {}", at, error);
                prop_assert_eq!(std::fs::read(&left.file).unwrap(), bytes);
            }
        }
    }
}

#[test]
fn damage_names_file_and_place_and_changes_nothing() {
    let left = LeftBehind::new();
    let mut bytes = left.bytes.clone();
    bytes[left.ends[1] + 40] ^= 1;
    left.write(&bytes);
    let torn = left.dir.path().join("00000000000000ff.journal");
    std::fs::write(&torn, &bytes[..100]).unwrap();
    let error = try_start(left.dir.path(), SMALL).unwrap_err();
    let at = u64::try_from(left.ends[1]).unwrap();
    assert!(matches!(&error, JournalError::Damaged { offset, .. } if *offset == at), "{error}");
    assert!(error.to_string().contains(&left.file.display().to_string()), "{error}");
    assert!(error.hint().contains("out of the directory"), "{}", error.hint());
    assert_eq!(std::fs::read(&left.file).unwrap(), bytes);
    assert_eq!(std::fs::metadata(&torn).unwrap().len(), 100);
    std::fs::rename(&left.file, left.dir.path().join("aside")).unwrap();
    assert_eq!(start(left.dir.path(), SMALL).recovery.tails.len(), 1);
}

#[test]
fn files_that_are_foreign_or_of_another_format_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("0000000000000000.journal");
    std::fs::write(&file, "hello, this is no journal at all").unwrap();
    let error = try_start(dir.path(), SMALL).unwrap_err();
    assert!(matches!(error, JournalError::NotASegment { .. }), "{error}");
    std::fs::write(&file, [b"tgjrnl\r\n".as_slice(), &[3, 0, 0, 0]].concat()).unwrap();
    let error = try_start(dir.path(), SMALL).unwrap_err();
    assert!(matches!(error, JournalError::OtherFormat { version: 3, known: 2, .. }), "{error}");
    assert_eq!(std::fs::metadata(&file).unwrap().len(), 12);
}

#[test]
fn a_directory_is_one_journals() {
    let dir = tempfile::tempdir().unwrap();
    let first = start(dir.path(), SMALL);
    let error = try_start(dir.path(), SMALL).unwrap_err();
    assert!(matches!(error, JournalError::InUse { .. }), "{error}");
    assert!(error.to_string().contains(&dir.path().display().to_string()), "{error}");
    drop(first);
    start(dir.path(), SMALL).journal.stop();
    let file = tempfile::NamedTempFile::new().unwrap();
    let error = try_start(&file.path().join("journal"), SMALL).unwrap_err();
    assert!(matches!(error, JournalError::SetUp { .. }), "{error}");
}
