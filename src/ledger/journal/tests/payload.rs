use super::samples::{any_opening, any_record};
use super::*;
use crate::ledger::journal::payload::{read_opening, read_record, write_opening, write_record};
use proptest::prelude::*;

proptest! {
    #[test]
    fn an_opening_comes_back_with_every_field(opening in any_opening()) {
        let mut buffer = Vec::new();
        write_opening(&opening.view(), &mut buffer).unwrap();
        prop_assert_eq!(read_opening(opening.id, &buffer).unwrap(), opening);
    }

    #[test]
    fn a_record_comes_back_with_every_field(record in any_record()) {
        let mut buffer = Vec::new();
        write_record(&record, &mut buffer).unwrap();
        let back = read_record(record.id, &buffer).unwrap();
        prop_assert_eq!(format!("{back:?}"), format!("{record:?}"));
    }

    #[test]
    fn no_bytes_make_a_payload_panic(bytes in any::<Vec<u8>>()) {
        let id = opening(1).id;
        let _ = (read_opening(id, &bytes), read_record(id, &bytes));
    }
}
