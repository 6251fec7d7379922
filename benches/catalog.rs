//! What ten thousand services cost: reading them from the services file and from discovery's snapshot, building what
//! decides a call's way, and resolving a call.
//!
//! `cargo bench --bench catalog`; the memory that a route takes is printed first.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a bench that cannot be set up is to fail, and one tells"
)]

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use http::{HeaderMap, HeaderValue, Method};
use std::fmt::Write;
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use tempfile::TempDir;
use time::OffsetDateTime;
use tokio::runtime::Runtime;
use tokio_util::task::TaskTracker;
use tollgate::aws::Access;
use tollgate::clock::Clock;
use tollgate::config::{Egress, Loaded, Upstream, load};
use tollgate::discovery::stored::Stored;
use tollgate::domain::Peer;
use tollgate::domain::ProfileArn;
use tollgate::forward::signers::Signers;
use tollgate::gateway::{Basis, Setting, Snapshot};
use tollgate::identify::{Shown, identify};
use tollgate::inventory::{FoundProfile, Inventory};
use tollgate::keys::Keyring;
use tollgate::metrics::Metrics;
use tollgate::operation;
use tollgate::shutdown::Shutdown;

const MANY: usize = 10_000;
const FEW: usize = 10;
const MODELS: [&str; 3] = ["amazon.nova-lite-v1:0", "amazon.nova-pro-v1:0", "amazon.titan-embed-text-v2:0"];

fn arn(service: usize, model: usize) -> String {
    format!("arn:aws:bedrock:us-west-2:123456789012:application-inference-profile/p{service:06}m{model:04}")
}

/// Returns a config folder with that many services of three profiles each.
fn files(services: usize) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut text = String::new();
    for service in 0..services {
        writeln!(text, "[services.service-{service}]\ntags = {{ team = \"team-{}\" }}", service % 40)
            .unwrap();
        writeln!(text, "[services.service-{service}.profiles]").unwrap();
        for (index, model) in MODELS.iter().enumerate() {
            writeln!(text, "\"{model}\" = \"{}\"", arn(service, index)).unwrap();
        }
    }
    std::fs::write(folder.path().join("services.toml"), text).unwrap();
    std::fs::write(folder.path().join("tollgate.toml"), "catalog.discover = true\n").unwrap();
    folder
}

/// Returns that many services of three profiles each as AWS has them.
fn inventory(services: usize) -> Inventory {
    let mut inventory = Inventory::default();
    for service in 0..services {
        for (index, model) in MODELS.iter().enumerate() {
            let tags =
                [("Service", format!("service-{service}")), ("team", format!("team-{}", service % 40))];
            let profile = FoundProfile {
                name: format!("service-{service}-{index}"),
                status: "ACTIVE".to_owned(),
                models: vec![format!("arn:aws:bedrock:us-west-2::foundation-model/{model}")],
                tags: Some(tags.map(|(key, value)| (key.to_owned(), value)).into()),
                created_at: Some(OffsetDateTime::UNIX_EPOCH),
            };
            inventory.profiles.insert(ProfileArn::parse(&arn(service, index)).unwrap(), profile);
        }
    }
    inventory
}

fn read(folder: &TempDir) -> Loaded {
    load(&folder.path().join("tollgate.toml"), Vec::new()).unwrap()
}

fn build(runtime: &Runtime, basis: Basis) -> Snapshot {
    let provider = SharedCredentialsProvider::new(Credentials::new("a", "s", None, None, "bench"));
    let access = Access::new(provider, &Egress::default(), Clock::system()).unwrap();
    let setting = Setting {
        signers: Arc::new(Signers::new(&access, &Upstream::default(), TaskTracker::new())),
        metrics: Arc::new(Metrics::new().unwrap()),
        shutdown: Shutdown::default(),
        clock: Clock::system(),
    };
    runtime.block_on(Snapshot::build(basis, setting)).unwrap()
}

fn discovered(services: usize) -> Basis {
    Basis::new(read(&files(0)), Keyring::default(), Arc::new(inventory(services)))
}

/// Resolves one call, as the gateway does.
fn resolve(snapshot: &Snapshot, headers: &HeaderMap, model: &str) {
    let path = format!("/model/{model}/converse");
    let target = operation::parse(&Method::POST, black_box(&path)).unwrap();
    let peer = Peer::default();
    let shown = Shown { headers, path_service: target.service, peer: &peer, at: OffsetDateTime::UNIX_EPOCH };
    let caller = identify(snapshot.known(), shown).unwrap();
    black_box(snapshot.route(&caller.service, target.operation, &target.resource).unwrap());
}

fn named(service: usize) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let name = HeaderValue::from_str(&format!("service-{service}")).unwrap();
    headers.insert("x-tollgate-service", name);
    headers
}

/// Returns the memory of this process, in bytes: the second number of Linux's `statm`, in pages of 4 KiB.
fn resident() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    pages.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok()).unwrap_or(0) * 4096
}

/// Prints what services and routes take. The profiles as AWS has them are counted apart: a file's are smaller.
fn memory(runtime: &Runtime) {
    let start = resident();
    let basis = discovered(MANY);
    let known = resident();
    let snapshot = build(runtime, basis);
    let built = resident();
    for service in 0..MANY {
        let headers = named(service);
        for model in MODELS {
            resolve(&snapshot, &headers, model);
        }
    }
    let routed = resident();
    println!(
        "{MANY} services of {} profiles: {} bytes per profile as AWS has it, {} per service in the snapshot, {} per \
         route in use",
        MODELS.len(),
        (known - start) / MANY / MODELS.len(),
        (built - known) / MANY,
        (routed - built) / MANY / MODELS.len(),
    );
}

fn catalog(criterion: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    memory(&runtime);
    let mut group = criterion.benchmark_group("10,000 services of 3 profiles");
    group.sample_size(10);
    let folder = files(MANY);
    group.bench_function("read the services file", |bencher| bencher.iter(|| read(&folder)));
    let stored = folder.path().join("catalog.json");
    Stored::write(&stored, OffsetDateTime::UNIX_EPOCH, &inventory(MANY)).unwrap();
    let read_stored = |file: &Path| Stored::read(file).unwrap().unwrap();
    group.bench_function("read the catalog's snapshot", |bencher| bencher.iter(|| read_stored(&stored)));
    for (what, basis) in [
        ("file", Basis::new(read(&folder), Keyring::default(), Arc::default())),
        ("discovery", discovered(MANY)),
    ] {
        group.bench_function(format!("build from {what}"), |bencher| {
            bencher.iter_batched(|| basis.clone(), |basis| build(&runtime, basis), BatchSize::PerIteration);
        });
    }
    group.finish();
    for services in [FEW, MANY] {
        let snapshot = build(&runtime, discovered(services));
        let headers = named(services - 1);
        criterion.bench_function(&format!("resolve among {services} services"), |bencher| {
            bencher.iter(|| resolve(&snapshot, &headers, MODELS[0]));
        });
    }
}

criterion_group!(benches, catalog);
criterion_main!(benches);
