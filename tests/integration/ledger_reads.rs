//! `tollgate records` and `tollgate report`, on a ledger with calls in it.

use crate::program::{Ran, Workplace};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tollgate::domain::{
    Attribution, MissingReason, ModelId, Money, Operation, Outcome, ProfileArn, Record, Region, RequestId,
    ServiceName, Tokens, Unit, Usage, UsageSource,
};
use tollgate::ledger::store::{Access, StoreUrl, open};

const SERVICES: &str = "[services.checkout]\ntags = { team = 'payments', env = 'prod' }\n";
const CONFIG: &str = "[ledger]\nlabel_keys = ['feature', 'env']\n";

pub(crate) fn at(text: &str) -> OffsetDateTime {
    OffsetDateTime::parse(text, &Rfc3339).unwrap()
}

/// Returns a call that cost so many dollars.
pub(crate) fn call(service: &str, model: &str, start: &str, cost: &str) -> Record {
    let (started_at, geo) = (at(start), model.starts_with("us."));
    let account = if geo { "123456789012" } else { "210987654321" };
    let arn = format!("arn:aws:bedrock:us-west-2:{account}:application-inference-profile/p{service}");
    let tokens = Tokens {
        input: Some(1200),
        output: Some(386),
        cache_write_5m: geo.then_some(7502),
        ..Tokens::default()
    };
    Record {
        id: RequestId::new(Duration::from_nanos(u64::try_from(started_at.unix_timestamp_nanos()).unwrap())),
        started_at,
        finished_at: started_at + Duration::from_millis(1234),
        service: ServiceName::parse(service).unwrap(),
        tags: Arc::new([("team".to_owned(), "payments".to_owned())].into()),
        operation: Operation::Converse,
        requested_model: Some(ModelId::parse(model).unwrap()),
        source_model: Some(ModelId::parse(model).unwrap()),
        profile_arn: Some(ProfileArn::parse(&arn).unwrap()),
        attribution: Attribution::Profile,
        region: Region::default(),
        status: Some(200),
        outcome: Outcome::Ok,
        client_gone: false,
        usage: Usage { tokens, ..Usage::default() },
        usage_source: UsageSource::Converse,
        usage_missing: None,
        usage_raw: None,
        service_tier: None,
        latency_tier: None,
        picture: None,
        invoked_model: None,
        cost: Some(Money::parse(cost).unwrap()),
        price_id: Some("p1".into()),
        unpriced: None,
        time_to_first_byte: Some(Duration::from_millis(312)),
        duration: Duration::from_millis(1234),
        aws_request_id: Some("aws-1".to_owned()),
        key_id: None,
        labels: BTreeMap::from([
            ("feature".to_owned(), "search".to_owned()),
            ("x".to_owned(), "1".to_owned()),
        ]),
    }
}

pub(crate) const HAIKU: &str = "us.anthropic.claude-haiku-4-5-20251001-v1:0";
pub(crate) const NOVA: &str = "amazon.nova-lite-v1:0";

/// Returns calls of two days, one of each kind that there is.
pub(crate) fn calls() -> Vec<Record> {
    let failed = Record {
        outcome: Outcome::Throttled,
        status: Some(429),
        usage: Usage::default(),
        usage_source: UsageSource::NotApplicable,
        cost: None,
        price_id: None,
        labels: BTreeMap::new(),
        ..call("search", NOVA, "2026-11-01T10:00:03Z", "0")
    };
    let unpriced = Record {
        cost: None,
        unpriced: Some("x.model".into()),
        ..call("search", "x.model", "2026-11-01T23:30:00.000001Z", "0")
    };
    let missing = Record {
        usage: Usage::default(),
        usage_source: UsageSource::Missing,
        usage_missing: Some(MissingReason::NoStatement),
        cost: None,
        ..call("search", NOVA, "2026-11-02T09:00:00Z", "0")
    };
    let images = Record {
        usage: Usage { units: vec![(Unit::Images, 2)], ..Usage::default() },
        operation: Operation::InvokeModel,
        ..call("artist", "amazon.nova-canvas-v1:0", "2026-11-02T09:30:00Z", "0.08")
    };
    let cut = Record {
        outcome: Outcome::UpstreamReset,
        usage_source: UsageSource::Estimated,
        ..call("checkout", HAIKU, "2026-11-02T12:00:00Z", "0.000000000001")
    };
    vec![
        call("checkout", HAIKU, "2026-11-01T09:59:59.999999Z", "0.01245805"),
        failed,
        call("checkout", NOVA, "2026-11-01T12:00:00Z", "1234.5"),
        unpriced,
        missing,
        images,
        cut,
    ]
}

/// Makes a folder with a ledger that holds records.
pub(crate) fn place(records: &[Record]) -> Workplace {
    let place = Workplace::with(CONFIG, SERVICES);
    std::fs::create_dir(place.path("config/data")).unwrap();
    let url = StoreUrl::Sqlite(place.path("config/data/ledger.db"));
    let mut store = open(&url, Access::Write, &["feature".to_owned(), "env".to_owned()]).unwrap();
    assert_eq!(store.append(records).unwrap(), u64::try_from(records.len()).unwrap());
    place
}

pub(crate) fn run(place: &Workplace, arguments: &str) -> Ran {
    place.run(&arguments.split(' ').collect::<Vec<_>>(), &[])
}

fn lines(text: &str) -> Vec<&str> {
    text.lines().collect()
}

pub(crate) fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap()
}

/// Tells whether a command was refused with exit status 2, nothing written, and a way out.
pub(crate) fn is_misuse(ran: &Ran, error: &str, hint: &str) {
    assert!(ran.status == 2 && ran.out.is_empty(), "{ran:?}");
    assert!(ran.err.starts_with("error: ") && ran.err.contains(error) && ran.err.contains(hint), "{ran:?}");
}

#[test]
fn records_are_told_oldest_first() {
    let records = calls();
    let place = place(&records);
    let ran = run(&place, "records --since 2026-11-01 --format jsonl");
    let expected: Vec<String> = records.iter().map(|record| serde_json::to_string(record).unwrap()).collect();
    assert_eq!(
        (lines(&ran.out), ran.err.as_str(), ran.status),
        (expected.iter().map(String::as_str).collect(), "", 0)
    );
    let newest = run(&place, "records --since 2026-11-01 --format jsonl --limit 2").out;
    assert_eq!(lines(&newest), expected[5..]);
    let search =
        run(&place, "records --since 2026-11-01 --until 2026-11-02 --format jsonl --service search").out;
    assert_eq!(lines(&search), [expected[1].as_str(), &expected[3]]);
    let id = records[6].id;
    assert_eq!(lines(&run(&place, &format!("records --format jsonl --id {id}")).out), [expected[6].as_str()]);
    let ran = run(&place, "records --id 019ab3c2-7d1e-7c4a-9f00-3f6f0e0d8a11");
    assert!(
        ran.status == 1 && ran.out.is_empty() && ran.err.contains("there is no record 019ab3c2"),
        "{ran:?}"
    );
    is_misuse(&run(&place, &format!("records --id {id} --since 1h")), "cannot be used with", "");
    assert_eq!(run(&place, "records --until 2026-10-01 --since 2026-09-01").out, "no calls\n");
    assert_eq!(run(&place, "records --until 2026-10-01 --since 2026-09-01 --format jsonl").out, "");
}

#[test]
fn records_are_a_table_for_people() {
    let place = place(&calls());
    let ran = run(&place, "records --since 2026-11-01 --timezone Asia/Kolkata");
    let cells = |line: &str| {
        line.split("  ").map(|cell| cell.trim().to_owned()).filter(|cell| !cell.is_empty()).collect()
    };
    let table: Vec<Vec<String>> = ran.out.lines().map(cells).collect();
    assert_eq!(table[0], ["TIME", "SERVICE", "MODEL", "OUTCOME", "IN", "OUT", "COST USD", "MS", "ID"]);
    let shown = |row: usize| table[row][..8].join("|");
    assert_eq!(shown(1), format!("2026-11-01 15:29:59|checkout|{HAIKU}|200|8,702|386|0.012458|1,234"));
    assert_eq!(shown(2), format!("2026-11-01 15:30:03|search|{NOVA}|429 throttled|-|-|-|1,234"));
    assert!(shown(4).ends_with("|1,200|386|no price|1,234"), "{table:?}");
    assert!(shown(5).ends_with("|200|-|-|unknown|1,234"), "{table:?}");
    assert!(shown(7).ends_with("|200 upstream_reset|~8,702|~386|<0.000001|1,234"), "{table:?}");
    assert!(!ran.out.contains('\x1b'), "no terminal, no colours");
    let text = run(&place, "records --since 2026-11-01 --format csv").out;
    let mut file = csv::Reader::from_reader(text.as_bytes());
    let rows: Vec<BTreeMap<String, String>> = file.deserialize().map(Result::unwrap).collect();
    let cost = |row: usize| rows[row]["estimated_cost_usd"].as_str();
    assert_eq!((rows.len(), cost(0), cost(1)), (7, "0.01245805", ""));
    assert_eq!(rows[0]["labels"], r#"{"feature":"search","x":"1"}"#);
}

#[test]
fn whoever_reads_only_the_head_is_served_in_peace() {
    let start = |number| (at("2026-11-01T00:00:00Z") + Duration::from_secs(number)).format(&Rfc3339).unwrap();
    let many: Vec<Record> = (0..3000).map(|number| call("checkout", HAIKU, &start(number), "1")).collect();
    let place = place(&many);
    let program = env!("CARGO_BIN_EXE_tollgate");
    for format in ["jsonl", "csv", "table"] {
        let pipe = format!(
            "{program} records --since 2026-11-01 --format {format} | head -1; echo ${{PIPESTATUS[0]}}"
        );
        let mut bash = std::process::Command::new("bash");
        let output = bash.arg("-c").arg(pipe).current_dir(place.path("")).output().unwrap();
        let out = String::from_utf8(output.stdout).unwrap();
        assert!(out.ends_with("\n0\n") && output.stderr.is_empty(), "{format}: {out}");
    }
}

#[test]
fn a_report_is_the_sum_of_its_records() {
    let records = calls();
    let place = place(&records);
    let sum: Money = records.iter().filter_map(|record| record.cost).sum();
    for by in [
        "service",
        "day,model",
        "label:x",
        "feature,hour",
        "team",
        "attribution,key,region,operation,profile",
    ] {
        for zone in ["UTC", "America/St_Johns"] {
            let ran =
                run(&place, &format!("report --since 2026-11-01 --format json --by {by} --timezone {zone}"));
            let report = json(&ran.out);
            assert_eq!(report["totals"]["estimated_cost_usd"], sum.to_string().as_str(), "{by}: {ran:?}");
            assert_eq!(report["totals"]["calls"], 7);
            let groups = report["groups"].as_array().unwrap();
            let costs = groups.iter().map(|group| group["estimated_cost_usd"].as_str().unwrap());
            assert_eq!(costs.map(|cost| Money::parse(cost).unwrap()).sum::<Money>(), sum, "{by}");
        }
    }
    // Its edges are exact: a microsecond decides.
    let until = |time: &str| {
        let ran = run(&place, &format!("report --since 2026-11-01 --until {time} --format json"));
        json(&ran.out)["totals"]["calls"].as_u64().unwrap()
    };
    assert_eq!((until("2026-11-01T23:30:00.000001Z"), until("2026-11-01T23:30:00.000002Z")), (3, 4));
}

#[test]
fn a_report_is_a_table_for_people() {
    let place = place(&calls());
    let ran = run(&place, "report --since 2026-11-01 --until 2026-11-03 --by service --top 1");
    let expected = "\
Estimated cost from 2026-11-01 00:00:00 to 2026-11-03 00:00:00 UTC

SERVICE   CALLS  FAILED  INPUT  OUTPUT  CACHE WRITE 5M  IMAGES   COST USD   SHARE
checkout      3       1  3,600   1,158          15,004       0  1,234.512  100.0%
(other)       4       1  1,200     386               0       2      0.080    0.0%
total         7       2  4,800   1,544          15,004       2  1,234.592  100.0%

without a price, and not in the cost: 1 call; `tollgate prices check` names the models
without a word on their usage, and in no sum: 1 call; `tollgate records --format jsonl` says why, in `usage_missing`
on estimated usage, of calls that were cut short: <0.000001 USD of the cost, 1 call
";
    assert_eq!((ran.out.as_str(), ran.err.as_str(), ran.status), (expected, "", 0));
    let ran = run(&place, "report --since 2020-01-01 --until 2020-02-01");
    assert!(ran.status == 0 && ran.out.ends_with("\nno calls\n"), "{ran:?}");
    assert!(ran.err.starts_with("warning: before 20") && ran.err.contains("`keep_records`"), "{ran:?}");
}

#[test]
fn csv_is_exact() {
    let place = place(&calls());
    let ran = run(
        &place,
        "report --since 2026-11-01 --by day,tag:team,feature --timezone Europe/Berlin --format csv",
    );
    let mut file = csv::Reader::from_reader(ran.out.as_bytes());
    let names: Vec<String> = file.headers().unwrap().iter().map(str::to_owned).collect();
    assert_eq!(names[..4], ["day", "tag:team", "label:feature", "calls"]);
    let cost = names.iter().position(|name| name == "estimated_cost_usd").unwrap();
    let rows = file.records().map(|row| [0, 1, 2, 3, cost].map(|at| row.as_ref().unwrap()[at].to_owned()));
    let (first, second) = ("2026-11-01T00:00:00+01:00", "2026-11-02T00:00:00+01:00");
    assert_eq!(
        rows.collect::<Vec<_>>(),
        [
            [first, "payments", "search", "2", "1234.51245805"],
            [first, "payments", "", "1", "0"],
            [second, "payments", "search", "4", "0.080000000001"],
        ]
    );
}

#[test]
fn parquet_holds_the_same_numbers() {
    use parquet::file::reader::{FileReader, SerializedFileReader};
    use parquet::record::Field;
    let place = place(&calls());
    let ran = run(
        &place,
        "report --since 2026-11-01 --by day,service,key --format parquet --output report.parquet",
    );
    assert_eq!((ran.status, ran.out.as_str(), ran.err.as_str()), (0, "", ""));
    assert_eq!(std::fs::read_dir(place.path("")).unwrap().count(), 2, "nothing is left behind");
    let file = SerializedFileReader::new(std::fs::File::open(place.path("report.parquet")).unwrap()).unwrap();
    let rows: Vec<_> = file.get_row_iter(None).unwrap().map(Result::unwrap).collect();
    let first: Vec<(String, Field)> =
        rows[0].get_column_iter().map(|(name, field)| (name.clone(), field.clone())).collect();
    let day = at("2026-11-01T00:00:00Z").unix_timestamp() * 1_000_000;
    assert_eq!(first[0], ("day".to_owned(), Field::TimestampMicros(day)));
    assert_eq!(first[1], ("service".to_owned(), Field::Str("checkout".to_owned())));
    assert_eq!(first[2], ("key".to_owned(), Field::Null));
    assert_eq!(first[3], ("calls".to_owned(), Field::Long(2)));
    let money = |row: usize| {
        let cost = rows[row].get_column_iter().find(|(name, _)| *name == "estimated_cost_usd").unwrap().1;
        let Field::Decimal(decimal) = cost else { panic!("{cost:?}") };
        assert_eq!((decimal.precision(), decimal.scale()), (38, 12));
        Money::from_picos(i128::from_be_bytes(decimal.data().try_into().unwrap()))
    };
    let sum: Money = (0..rows.len()).map(money).sum();
    assert_eq!(sum, calls().iter().filter_map(|record| record.cost).sum());
    let ran = run(&place, "report --format parquet --output nowhere/report.parquet");
    assert!(
        ran.status == 1 && ran.err.contains("nowhere/report.parquet") && ran.err.contains("hint: "),
        "{ran:?}"
    );
}

#[test]
fn other_questions_are_refused_with_a_way_out() {
    let place = place(&[]);
    is_misuse(
        &run(&place, "report --by modle"),
        "'modle' is nothing to group by",
        "the services' tags are env, team",
    );
    is_misuse(&run(&place, "report --by env"), "'env' is both a tag and a label", "tag:env or label:env");
    is_misuse(&run(&place, "report --since never"), "for '--since <TIME>'", "as in 1h, 90m");
    is_misuse(&run(&place, "report --since today --until today"), "ends where it begins", "hint: ");
    is_misuse(&run(&place, "report --timezone Berlin"), "no such time zone", "Europe/Berlin");
    is_misuse(&run(&place, "report --top 0"), "--top", "");
    is_misuse(&run(&place, "records --id 1"), "no record's id", "019ab3c2");
    let empty = Workplace::with("", "");
    for command in ["report", "records"] {
        is_misuse(&run(&empty, command), "config/data/ledger.db", "hint: ");
    }
    assert!(!empty.path("config/data").exists(), "nothing is made");
}
