//! `tollgate keys list --last-use`, on a ledger with calls in it.

use crate::ledger_reads::{NOVA, call, place};
use serde_json::Value;
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime, UtcOffset};
use tollgate::clock::Clock;
use tollgate::domain::Record;

#[test]
fn the_last_use_of_each_key_is_told_to_the_hour() {
    let (used, unused) = ("ab".repeat(32), "cd".repeat(32));
    let now = Clock::system().utc();
    let with_key = |ago: Duration, key: &str| {
        let at = (now - ago).format(&Rfc3339).unwrap();
        Record { key_id: Some(key.to_owned()), ..call("checkout", NOVA, &at, "1") }
    };
    let (last, earlier) = (Duration::hours(30), Duration::hours(50));
    let place = place(&[with_key(earlier, &used[..16]), with_key(last, &used[..16])]);
    let services = format!("[services.checkout]\nkey_sha256 = ['{used}', '{unused}']\n");
    std::fs::write(place.path("config/services.toml"), services).unwrap();
    let ran = place.run(&["keys", "list", "--last-use", "--format", "json"], &[]);
    assert_eq!((ran.status, ran.err.as_str()), (0, ""), "{ran:?}");
    let listed: Value = serde_json::from_str(&ran.out).unwrap();
    let hour = OffsetDateTime::parse(listed[0]["last_used"].as_str().unwrap(), &Rfc3339).unwrap();
    assert!(hour <= now - last && hour > now - last - Duration::hours(1), "{hour}");
    assert_eq!((hour.minute(), hour.second(), hour.offset()), (0, 0, UtcOffset::UTC));
    assert_eq!(listed[1]["last_used"], Value::Null);
    let ran = place.run(&["keys", "list", "--last-use"], &[]);
    assert!(ran.out.starts_with("SERVICE   KEY ID            KIND    LAST USED\n"), "{}", ran.out);
    assert!(ran.out.contains("  not in 90 days\n"), "{}", ran.out);
}
