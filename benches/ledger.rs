//! What a ledger of many records costs: to add to, to keep, to ask.
//!
//!     cargo bench --bench ledger -- 10000000
//!
//! adds so many records (a million where nothing is said), spread over 30 days, in a folder for temporary files
//! (`TMPDIR`), and prints what that took; then as many again from two threads through the journal, as a gateway writes
//! them, and as many while the store is away. Every run has the same records.

#![expect(clippy::print_stdout, reason = "its figures are its output")]
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a bench that cannot run is to fail")]

use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use time::OffsetDateTime;
use tollgate::clock::Clock;
use tollgate::config::LedgerSettings;
use tollgate::domain::{
    Attribution, ModelId, Money, Operation, Outcome, ProfileArn, Record, Region, RequestId, ServiceName,
    Tokens, Usage, UsageSource,
};
use tollgate::ledger::store::{Access, From, Grain, RecordFilter, Span, Store, StoreUrl, open};
use tollgate::ledger::{Ledger, OpeningRef};

const BATCH: u64 = 2000;
const SERVICES: u64 = 20;
const MODELS: [&str; 5] = [
    "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
    "us.anthropic.claude-haiku-4-5-20251001-v1:0",
    "us.amazon.nova-pro-v1:0",
    "us.amazon.nova-lite-v1:0",
    "us.meta.llama3-3-70b-instruct-v1:0",
];
const OPERATIONS: [Operation; 3] = [Operation::Converse, Operation::ConverseStream, Operation::InvokeModel];
const MONTH: Duration = Duration::from_hours(30 * 24);

/// 2026-01-01T00:00:00Z.
const START: Duration = Duration::from_hours(490_896);

fn main() {
    let count = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(1_000_000);
    let folder = tempfile::tempdir().unwrap();
    let url = StoreUrl::Sqlite(folder.path().join("ledger.db"));
    let labels = ["feature".to_owned()];
    let mut store = open(&url, Access::Write, &labels).unwrap();
    ingest(&mut *store, count);
    println!("size: {} bytes per record", size(folder.path()) / count);
    let mut reader = open(&url, Access::Read, &labels).unwrap();
    questions(&mut *reader);
    while_reading(&mut *store, &mut *reader, count);
    forget(&mut *store);
    through_the_journal(count);
    while_the_store_is_away(count);
}

/// Opens and closes calls from two threads, and waits until the store has all of them.
fn through_the_journal(count: u64) {
    let folder = tempfile::tempdir().unwrap();
    let ledger = start(folder.path(), StoreUrl::Sqlite(folder.path().join("ledger.db")));
    let mut written = Duration::ZERO;
    let took = Cost::of(|| {
        written = Cost::of(|| write(&ledger, count)).wall;
        while ledger.state().pending_records > 0 {
            std::thread::sleep(Duration::from_millis(1));
        }
    });
    println!(
        "through journal and store: {}, the journal had them after {} ms",
        took.each(count),
        written.as_millis()
    );
    ledger.stop(Duration::from_secs(1));
}

/// Opens and closes calls that nobody takes.
fn while_the_store_is_away(count: u64) {
    let folder = tempfile::tempdir().unwrap();
    let nowhere = StoreUrl::parse("postgres://nobody@127.0.0.1:1/nothing", folder.path()).unwrap();
    let ledger = start(folder.path(), nowhere);
    write(&ledger, count / 10);
    let before = resident();
    write(&ledger, count - count / 10);
    println!(
        "the store away: {} records wait in {} MiB of journal; {} KiB of memory after a tenth of them, {} KiB after all",
        ledger.state().pending_records,
        ledger.state().journal_bytes >> 20,
        before,
        resident()
    );
    ledger.stop(Duration::ZERO);
}

fn start(folder: &Path, store: StoreUrl) -> Ledger {
    let settings = LedgerSettings {
        journal: folder.join("journal"),
        journal_limit_bytes: u64::MAX,
        store,
        ..LedgerSettings::default()
    };
    Ledger::start(&settings, Clock::system(), |opening| unreachable!("{opening:?}")).unwrap()
}

fn write(ledger: &Ledger, count: u64) {
    let calls = Calls::new(count);
    std::thread::scope(|scope| {
        for half in [0, count / 2] {
            let calls = &calls;
            scope.spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
                for number in half..half + count / 2 {
                    let record = calls.call(number);
                    let ticket = runtime.block_on(ledger.open(&opening(&record))).unwrap();
                    ledger.close(ticket, Box::new(record));
                }
            });
        }
    });
}

fn opening(record: &Record) -> OpeningRef<'_> {
    OpeningRef {
        id: record.id,
        started_at: record.started_at,
        service: &record.service,
        tags: &record.tags,
        operation: record.operation,
        requested_model: record.requested_model.as_ref(),
        source_model: record.source_model.as_ref(),
        profile_arn: record.profile_arn.as_ref(),
        region: &record.region,
        key_id: record.key_id.as_deref(),
        labels: &record.labels,
        request_text_bytes: 1000,
        max_output_tokens: None,
    }
}

/// Returns the memory of this process that is resident, in KiB, as Linux tells it; zero elsewhere.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse().unwrap_or_default()
}

fn month() -> Span {
    let since = OffsetDateTime::UNIX_EPOCH + START;
    Span { since, until: since + MONTH }
}

fn ingest(store: &mut dyn Store, count: u64) {
    let calls = Calls::new(count);
    let mut took = Cost::default();
    let mut done = 0;
    while done < count {
        let batch = calls.batch(done, BATCH.min(count - done));
        took += Cost::of(|| assert_eq!(store.append(&batch).unwrap(), BATCH.min(count - done)));
        done += BATCH;
    }
    println!("append: {}", took.each(count));
}

fn questions(reader: &mut dyn Store) {
    for (name, grain, from) in [
        ("a month's totals from rollups", Grain::Whole, From::Rollups),
        ("a month's totals from rollups, by hour", Grain::Hour, From::Rollups),
        ("a month's totals from records", Grain::Whole, From::Records),
    ] {
        let mut slices = 0;
        let took = Cost::of(|| slices = reader.totals(month(), grain, from).unwrap().len());
        println!("{name}: {} ms, {slices} slices", took.wall.as_millis());
    }
    let mut found = 0_u64;
    let span = Span { until: month().since + Duration::from_hours(24), ..month() };
    let took = Cost::of(|| {
        let mut count = |_| {
            found += 1;
            Ok(())
        };
        reader.records(&RecordFilter { span, service: None, id: None }, &mut count).unwrap();
    });
    println!("a day's records: {found}, {}", took.each(found.max(1)));
}

/// Adds records for as long as a report over all of them takes.
fn while_reading(store: &mut dyn Store, reader: &mut dyn Store, count: u64) {
    let calls = Calls::new(count);
    let (mut slowest, mut done) = (Duration::ZERO, 0);
    std::thread::scope(|scope| {
        let report = scope.spawn(|| {
            Cost::of(|| assert!(!reader.totals(month(), Grain::Quarter, From::Records).unwrap().is_empty()))
        });
        while !report.is_finished() {
            let batch = calls.batch(count + done, BATCH);
            slowest = slowest.max(Cost::of(|| assert_eq!(store.append(&batch).unwrap(), BATCH)).wall);
            done += BATCH;
        }
        let wall = report.join().unwrap().wall;
        println!(
            "a report of {} ms by the quarter, meanwhile {done} records added, the slowest batch in {} ms",
            wall.as_millis(),
            slowest.as_millis()
        );
    });
}

fn forget(store: &mut dyn Store) {
    let since = Some(month().since + Duration::from_hours(24));
    let mut gone = 0;
    let took = Cost::of(|| {
        while let rows @ 1.. = store.retain(since, since).unwrap() {
            gone += rows;
        }
    });
    println!("a day forgotten: {gone} rows, {}", took.each(gone.max(1)));
}

fn size(folder: &Path) -> u64 {
    std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().metadata().unwrap().len()).sum()
}

/// How long something took, and how long this thread's CPU was at it.
#[derive(Debug, Clone, Copy, Default)]
struct Cost {
    wall: Duration,
    cpu: Duration,
}

impl Cost {
    fn of(work: impl FnOnce()) -> Self {
        let clock = Clock::system();
        let (began, cpu) = (clock.instant(), cpu_time());
        work();
        Self { wall: clock.instant() - began, cpu: cpu_time().saturating_sub(cpu) }
    }

    fn each(self, count: u64) -> String {
        let nanos = |span: Duration| span.as_nanos() / u128::from(count);
        let rate = u128::from(count) * 1_000_000 / self.wall.as_micros().max(1);
        format!("{rate} per second, {} ns each, {} ns of CPU each", nanos(self.wall), nanos(self.cpu))
    }
}

impl std::ops::AddAssign for Cost {
    fn add_assign(&mut self, other: Self) {
        self.wall += other.wall;
        self.cpu += other.cpu;
    }
}

/// Returns the CPU time of this thread, as Linux tells it; zero elsewhere.
fn cpu_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    Duration::from_nanos(stat.split(' ').next().and_then(|nanos| nanos.parse().ok()).unwrap_or_default())
}

/// Makes calls, evenly over a month, of 300 dimensions; one in five has labels.
struct Calls {
    patterns: Vec<Record>,
    apart: Duration,
}

impl Calls {
    fn new(count: u64) -> Self {
        let patterns = (0..SERVICES).flat_map(|service| {
            MODELS.into_iter().flat_map(move |model| {
                OPERATIONS.into_iter().map(move |operation| pattern(service, model, operation))
            })
        });
        let nanos = u64::try_from(MONTH.as_nanos()).unwrap() / count;
        Self { patterns: patterns.collect(), apart: Duration::from_nanos(nanos) }
    }

    fn batch(&self, first: u64, count: u64) -> Vec<Record> {
        (first..first + count).map(|number| self.call(number)).collect()
    }

    fn call(&self, number: u64) -> Record {
        let random = mixed(number);
        let since_epoch = START + self.apart * u32::try_from(number).unwrap();
        let started_at = OffsetDateTime::UNIX_EPOCH + since_epoch;
        let duration = Duration::from_micros(400_000 + random % 8_000_000);
        let (input, output) = (random % 4000, random % 700);
        let pattern = &self.patterns[usize::try_from(random % 300).unwrap()];
        Record {
            id: id(since_epoch, random),
            started_at,
            finished_at: started_at + duration,
            usage: Usage {
                tokens: Tokens {
                    input: Some(input),
                    output: Some(output),
                    cache_read: Some(0),
                    cache_write_5m: Some(0),
                    ..Tokens::default()
                },
                ..Usage::default()
            },
            usage_raw: Some(statement(input, output)),
            cost: Some(Money::from_picos(i128::from(input * 3_300_000 + output * 16_500_000))),
            time_to_first_byte: Some(duration / 3),
            duration,
            aws_request_id: Some(id(since_epoch, mixed(random)).to_string()),
            labels: labels(random),
            ..pattern.clone()
        }
    }
}

fn pattern(service: u64, model: &str, operation: Operation) -> Record {
    let profile = format!(
        "arn:aws:bedrock:us-west-2:123456789012:application-inference-profile/{service:04}{:08}",
        model.len()
    );
    let tags = [("team", format!("team-{}", service / 3)), ("cost_center", format!("cc-{service}"))];
    Record {
        id: id(START, 0),
        started_at: OffsetDateTime::UNIX_EPOCH,
        finished_at: OffsetDateTime::UNIX_EPOCH,
        service: ServiceName::parse(&format!("service-{service}")).unwrap(),
        tags: Arc::new(tags.map(|(key, value)| (key.to_owned(), value)).into()),
        operation,
        requested_model: Some(ModelId::parse(model).unwrap()),
        source_model: Some(ModelId::parse(model).unwrap()),
        profile_arn: Some(ProfileArn::parse(&profile).unwrap()),
        attribution: Attribution::Profile,
        region: Region::default(),
        status: Some(200),
        outcome: Outcome::Ok,
        client_gone: false,
        usage: Usage::default(),
        usage_source: UsageSource::Converse,
        usage_missing: None,
        usage_raw: None,
        service_tier: None,
        latency_tier: None,
        picture: None,
        invoked_model: None,
        cost: None,
        price_id: Some(format!("builtin-2026-11-24:{model}/2023-01-01+in-region").into()),
        unpriced: None,
        time_to_first_byte: None,
        duration: Duration::ZERO,
        aws_request_id: None,
        key_id: Some(format!("{service:016x}")),
        labels: BTreeMap::new(),
    }
}

fn statement(input: u64, output: u64) -> Box<RawValue> {
    let json = format!(
        r#"{{"body":{{"inputTokens":{input},"outputTokens":{output},"totalTokens":{},"cacheReadInputTokens":0,"cacheWriteInputTokens":0}}}}"#,
        input + output
    );
    RawValue::from_string(json).unwrap()
}

fn labels(random: u64) -> BTreeMap<String, String> {
    if !random.is_multiple_of(5) {
        return BTreeMap::new();
    }
    let feature = format!("feature-{}", random % 4);
    [("feature".to_owned(), feature), ("env".to_owned(), "prod".to_owned())].into()
}

fn id(since_epoch: Duration, random: u64) -> RequestId {
    let random = (u128::from(mixed(random)) << 64) | u128::from(random);
    RequestId::from_bytes(((since_epoch.as_millis() << 80) | (random >> 48)).to_be_bytes())
}

/// Mixes a number's bits (`SplitMix64`).
fn mixed(number: u64) -> u64 {
    let mut bits = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}
