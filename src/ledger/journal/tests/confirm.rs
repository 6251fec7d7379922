use super::*;

#[test]
fn what_was_confirmed_is_not_read_again_after_a_crash() {
    let dir = tempfile::tempdir().unwrap();
    let mut started = start(dir.path(), Settings { segment_bytes: 8 << 10, ..SMALL });
    let journal = &started.journal;
    // Holds the first segment.
    let _long = journal.opening(&opening(1000).view()).unwrap();
    let ids: Vec<_> = (0..40).map(|number| call(journal, number)).collect();
    let mut left = 30;
    while left > 0 {
        let batch = started.reader.next_batch(left, 1 << 20).unwrap();
        left -= batch.records.len();
        started.reader.confirm(batch);
    }
    let copy = killed(dir.path());
    let mut restarted = start(copy.path(), SMALL);
    assert_eq!((restarted.recovery.interrupted, restarted.recovery.pending_records), (1, 11));
    let mut expected = ids[30..].to_vec();
    expected.push(opening(1000).id);
    assert_eq!(drain(&mut restarted.reader), expected);
    // What was confirmed by the first process stays so when the second one confirms.
    let copy = killed(copy.path());
    assert_eq!(start(copy.path(), SMALL).recovery.pending_records, 0);
}

#[test]
fn a_confirmation_that_is_torn_or_foreign_counts_for_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut started = start(dir.path(), Settings { segment_bytes: 1 << 20, ..SMALL });
    let _long = started.journal.opening(&opening(1000).view()).unwrap();
    for number in 0..4 {
        call(&started.journal, number);
    }
    drain(&mut started.reader);
    let pending = |bytes: &[u8]| {
        let copy = killed(dir.path());
        std::fs::write(copy.path().join("confirmed"), bytes).unwrap();
        start(copy.path(), SMALL).recovery.pending_records
    };
    let bytes = std::fs::read(dir.path().join("confirmed")).unwrap();
    assert_eq!(pending(&bytes), 1);
    assert_eq!(pending(&[bytes.as_slice(), b"left from before"].concat()), 1);
    for cut in 0..bytes.len() {
        assert_eq!(pending(&bytes[..cut]), 5, "cut at {cut}");
        let mut flipped = bytes.clone();
        flipped[cut] ^= 1;
        assert_eq!(pending(&flipped), 5, "flipped at {cut}");
    }
    // Another journal's, whose segments have the same names.
    let other = tempfile::tempdir().unwrap();
    let mut elsewhere = start(other.path(), Settings { segment_bytes: 1 << 20, ..SMALL });
    for number in 0..8 {
        call(&elsewhere.journal, number);
    }
    drain(&mut elsewhere.reader);
    assert_eq!(pending(&std::fs::read(other.path().join("confirmed")).unwrap()), 5);
}
