use super::*;
use proptest::prelude::*;

/// What a drainer, its store and callers do.
#[derive(Debug, Clone, Copy)]
enum Step {
    Calls(u8),
    /// So many records at most go to the store.
    Stored(usize),
    /// The store does not take them.
    Refused(usize),
    /// The disk is full for one closing.
    Overdue,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (1..20_u8).prop_map(Step::Calls),
        (1..12_usize).prop_map(Step::Stored),
        (1..12_usize).prop_map(Step::Refused),
        Just(Step::Overdue),
    ]
}

/// Makes a call whose closing comes late.
fn overdue_call(journal: &Journal, number: u64) -> RequestId {
    let opening = opening(number);
    let ticket = journal.opening(&opening.view()).unwrap();
    *journal.shared.disk.room.lock().unwrap() = Some(0);
    journal.closing(Some(ticket), record(number));
    *journal.shared.disk.room.lock().unwrap() = None;
    journal.shared.heal();
    opening.id
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn records_come_in_order_from_memory_or_files(
        steps in prop::collection::vec(step(), 1..40),
        fresh_records in 0..40_usize,
        left_behind in 0..8_u64,
    ) {
        let dir = tempfile::tempdir().unwrap();
        let mut expected = Vec::new();
        {
            let before = start(dir.path(), SMALL);
            expected.extend((0..left_behind).map(|number| call(&before.journal, number)));
        }
        let Started { journal, mut reader, .. } = start(dir.path(), Settings { fresh_records, ..SMALL });
        let (mut numbers, mut stored) = (left_behind.., Vec::new());
        for step in steps {
            match step {
                Step::Calls(count) => {
                    expected.extend(numbers.by_ref().take(count.into()).map(|number| call(&journal, number)));
                }
                Step::Overdue => expected.push(overdue_call(&journal, numbers.next().unwrap())),
                Step::Stored(count) => {
                    let batch = reader.next_batch(count, 1 << 20).unwrap();
                    prop_assert!(batch.records.len() <= count);
                    stored.extend(batch.records.iter().map(|record| record.id));
                    reader.confirm(batch);
                }
                Step::Refused(count) => drop(reader.next_batch(count, 1 << 20).unwrap()),
            }
            prop_assert!(expected.starts_with(&stored));
        }
        stored.extend(drain(&mut reader));
        prop_assert_eq!(stored, expected);
        prop_assert_eq!(journal.health().pending_records, 0);
    }
}

#[test]
fn what_is_read_from_memory_is_what_is_in_the_files() {
    let (from_memory, from_files) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let read = |dir: &Path, fresh_records: usize| {
        let mut started = start(dir, Settings { fresh_records, ..SMALL });
        call(&started.journal, 1);
        format!("{:?}", started.reader.next_batch(1, 1 << 20).unwrap().records)
    };
    assert_eq!(read(from_memory.path(), 1), read(from_files.path(), 0));
}
