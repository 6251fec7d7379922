use super::samples::{any_opening, any_record};
use super::*;
use crate::ledger::journal::common::Memo;
use crate::ledger::journal::payload::{read_opening, read_record, write_opening, write_record};
use proptest::prelude::*;
use std::sync::Arc;

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
        let mut memo = Memo::default();
        let back = read_record(record.id, &buffer, &mut memo).unwrap();
        prop_assert_eq!(format!("{back:?}"), format!("{record:?}"));
        let again = read_record(record.id, &buffer, &mut memo).unwrap();
        prop_assert_eq!(format!("{again:?}"), format!("{record:?}"));
        prop_assert!(Arc::ptr_eq(&again.tags, &back.tags));
    }

    #[test]
    fn no_bytes_make_a_payload_panic(bytes in any::<Vec<u8>>()) {
        let id = opening(1).id;
        let _ = (read_opening(id, &bytes), read_record(id, &bytes, &mut Memo::default()));
    }
}

#[test]
fn records_share_what_they_have_in_common_and_nothing_else() {
    let mut memo = Memo::default();
    let mut back = |service: &str| {
        let service = crate::domain::ServiceName::parse(service).unwrap();
        let written = crate::domain::Record { service, price_id: Some("price".into()), ..*record(1) };
        let mut buffer = Vec::new();
        write_record(&written, &mut buffer).unwrap();
        read_record(written.id, &buffer, &mut memo).unwrap()
    };
    let records = [back("a"), back("b"), back("a")];
    assert_eq!(records.each_ref().map(|record| record.service.as_str()), ["a", "b", "a"]);
    assert!(
        Arc::ptr_eq(&records[0].tags, &records[2].tags) && !Arc::ptr_eq(&records[0].tags, &records[1].tags)
    );
    let prices = records.each_ref().map(|record| record.price_id.clone().unwrap());
    assert!(Arc::ptr_eq(&prices[0], &prices[1]));
    for number in 0..3000 {
        assert_eq!(back(&format!("s{number}")).service.as_str(), format!("s{number}"));
    }
}
