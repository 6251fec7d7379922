//! `tollgate demo`

mod trickle;

use super::amount::Decimals;
use super::grid::{Align, Column, Grid, thousands};
use super::samples::{CONFIG, SERVICES};
use super::{Context, Failure};
use crate::config::{Loaded, Log, load};
use crate::domain::{Money, Tokens};
use crate::gateway::Gateway;
use crate::server::reload::Sources;
use crate::server::{Server, StartError, Surroundings};
use crate::simulator::{Settings, SimulatedProfile, Simulator, demo_credentials};
use crate::telemetry;
use anyhow::Context as _;
use aws_credential_types::provider::SharedCredentialsProvider;
use clap::Args;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;

/// How a demo is run.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// No traffic of its own, and no screen.
    #[arg(long)]
    quiet: bool,
    /// The address of the data plane; port 0 takes any free port.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    data: SocketAddr,
    /// The address of the admin plane; port 0 takes any free port.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9090")]
    admin: SocketAddr,
    /// The address of the simulated Bedrock; port 0 takes any free port.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    simulator: SocketAddr,
}

/// The pause between two events of a simulated stream.
const PACE: Duration = Duration::from_millis(40);

/// What the profiles of services that are added while the demo runs were made from.
const OTHER_MODEL: &str = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";

/// Runs simulator and gateway until told to stop.
pub(super) fn run(context: &mut Context<'_>, args: &DemoArgs) -> Result<(), Failure> {
    let folder = Folder::create()?;
    let runtime = tokio::runtime::Runtime::new().context("cannot start the runtime")?;
    let result = runtime.block_on(demonstrate(context, args, &folder.0));
    runtime.shutdown_background();
    result
}

async fn demonstrate(context: &mut Context<'_>, args: &DemoArgs, folder: &Path) -> Result<(), Failure> {
    let config = folder.join("tollgate.toml");
    let profiles = profiles(&load(&config, overrides(args, "http://127.0.0.1:1"))?);
    let settings = Settings {
        address: args.simulator,
        pace: PACE,
        profiles,
        other_profiles: Some(OTHER_MODEL.to_owned()),
        ..Settings::default()
    };
    let simulator = Simulator::start(settings)
        .await
        .map_err(|error| cannot_listen(args.simulator, "--simulator", &error))?;
    let env = overrides(args, &simulator.endpoint());
    let loaded = load(&config, env.clone())?;
    telemetry::init(&Log { level: "warn".to_owned(), ..Log::default() })?;
    let (access_log, _guard) = telemetry::access_log(&loaded.config.log.access)?.unzip();
    let sources = Sources { config, env, files: loaded.files.clone(), demand: Arc::new(Notify::new()) };
    let credentials = SharedCredentialsProvider::new(demo_credentials());
    let server =
        Server::start(loaded, Surroundings { credentials, access_log }).await.map_err(not_started)?;
    let gateway = Arc::clone(server.gateway());
    gateway.shutdown.tasks.spawn(sources.watch(Arc::clone(&gateway)));
    if args.quiet {
        writeln!(context.out, "{}", addresses(&server, &simulator))?;
    } else {
        write!(context.out, "{}", screen(&server, &simulator, folder))?;
    }
    context.out.flush()?;
    until_told_to_stop(&server, args).await?;
    server.stop().await;
    simulator.stop().await;
    if !args.quiet {
        write_totals(context.out, &gateway)?;
    }
    Ok(())
}

/// Waits for a signal, with a trickle of traffic unless it is to be quiet.
async fn until_told_to_stop(server: &Server, args: &DemoArgs) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let traffic = async {
        if args.quiet {
            std::future::pending::<()>().await;
        }
        trickle::trickle(&format!("http://{}", server.data())).await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        () = traffic => {}
    }
    Ok(())
}

/// Says why the gateway does not start, by the names of the demo's own arguments.
fn not_started(error: StartError) -> Failure {
    match error {
        StartError::Listen { address, key, source } => {
            cannot_listen(address, &key.replace("listen.", "--"), &source)
        }
        StartError::Tls(_)
        | StartError::Endpoint(_)
        | StartError::Ledger(_)
        | StartError::Keys(_)
        | StartError::Internal(..) => error.into(),
    }
}

fn cannot_listen(address: SocketAddr, argument: &str, error: &dyn std::fmt::Display) -> Failure {
    let hint = format!("choose another with {argument}; `{argument} 127.0.0.1:0` takes any free port");
    Failure::refused(format!("cannot listen on {address} ({argument}): {error}"), hint)
}

/// Returns what the demo has otherwise than the sample config.
fn overrides(args: &DemoArgs, endpoint: &str) -> Vec<(String, String)> {
    let set = |key: &str, value: String| (format!("TOLLGATE__{key}"), value);
    vec![
        set("LISTEN__DATA", args.data.to_string()),
        set("LISTEN__ADMIN", args.admin.to_string()),
        set("LISTEN__SHUTDOWN_GRACE", "3s".to_owned()),
        set("UPSTREAM__ENDPOINT", endpoint.to_owned()),
        set("LOG__ACCESS", "access.jsonl".to_owned()),
    ]
}

/// Returns the profiles of the sample services, for the simulator to have.
fn profiles(loaded: &Loaded) -> Vec<SimulatedProfile> {
    let services = loaded.services.services.iter();
    let profiles = services.flat_map(|service| {
        service.profiles.iter().map(|(model, arn)| SimulatedProfile {
            arn: arn.to_string(),
            source_model: model.to_string(),
            tags: BTreeMap::clone(&service.tags),
        })
    });
    profiles.collect()
}

fn addresses(server: &Server, simulator: &Simulator) -> String {
    format!("data http://{} admin http://{} bedrock {}", server.data(), server.admin(), simulator.endpoint())
}

fn screen(server: &Server, simulator: &Simulator, folder: &Path) -> String {
    let (data, admin, folder) = (server.data(), server.admin(), folder.display());
    format!(
        r#"tollgate demo: a gateway in front of a simulated Bedrock, with traffic of two services

  data plane  http://{data}        your AWS SDK's base URL
  metrics     http://{admin}/metrics
  Bedrock     {bedrock}        simulated; checks every signature
  services    {folder}/services.toml   edit it: a change takes effect at once
  access log  {folder}/access.jsonl

Call a model as service-1, with curl:

  curl http://{data}/model/us.anthropic.claude-sonnet-4-5-20250929-v1:0/converse \
    -H 'x-tollgate-service: service-1' -H 'content-type: application/json' \
    -d '{{"messages":[{{"role":"user","content":[{{"text":"Hello"}}]}}]}}'

With boto3, as service-2, by nothing but the base URL (any credentials will do; the gateway signs with its own):

  import boto3
  bedrock = boto3.client("bedrock-runtime", region_name="us-west-2", endpoint_url="http://{data}/s/service-2",
                         aws_access_key_id="any", aws_secret_access_key="any")
  print(bedrock.converse(modelId="amazon.nova-lite-v1:0",
                         messages=[{{"role": "user", "content": [{{"text": "Hello"}}]}}])["usage"])

What each service has used and spent, and single calls:

  curl -s http://{admin}/metrics | grep tokens_total
  tollgate report --config {folder}/tollgate.toml --by service,model
  tollgate records --config {folder}/tollgate.toml --limit 5

Ctrl-C ends the demo and shows what each service has used and spent.
"#,
        bedrock = simulator.endpoint()
    )
}

/// What is above the columns of the totals.
const HEADINGS: [(&str, Align); 8] = [
    ("SERVICE", Align::Left),
    ("MODEL", Align::Left),
    ("INPUT", Align::Right),
    ("OUTPUT", Align::Right),
    ("CACHE READ", Align::Right),
    ("CACHE WRITE 5M", Align::Right),
    ("CACHE WRITE 1H", Align::Right),
    ("COST USD", Align::Right),
];

/// Writes what each service has used and spent, by model.
fn write_totals(out: &mut dyn Write, gateway: &Gateway) -> io::Result<()> {
    let mut spent = spent(gateway);
    spent.sort();
    let decimals = Decimals::of(spent.iter().map(|(_, cost)| *cost));
    let rows: Vec<Vec<String>> = spent
        .iter()
        .map(|(cells, cost)| cells.iter().cloned().chain([decimals.show(*cost)]).collect())
        .collect();
    let columns = HEADINGS.map(|(heading, align)| Column { heading: heading.to_owned(), align, rank: 0 });
    let grid = Grid::new(columns.to_vec(), rows.iter().map(Vec::as_slice), None);
    writeln!(out, "\n\nTokens as Bedrock stated them, and what they cost at list prices:\n")?;
    writeln!(out, "{}", grid.headings())?;
    rows.iter().try_for_each(|row| writeln!(out, "{}", grid.line(row)))?;
    let all: Money = spent.iter().map(|(_, cost)| *cost).sum();
    writeln!(out, "\nEstimated cost of all: {all} USD")
}

/// Returns service, model and tokens by kind of every profile that was used, with what that cost.
fn spent(gateway: &Gateway) -> Vec<([String; 7], Money)> {
    let snapshot = gateway.snapshot.load();
    let mut spent = Vec::new();
    for service in snapshot.catalog.services() {
        for profile in &service.profiles {
            let (id, model) = (profile.arn.id(), profile.source_model.as_str());
            let counts = Tokens::default()
                .by_kind()
                .map(|(kind, _)| gateway.metrics.tokens(&service.name, id, model, kind));
            if counts.iter().all(|count| *count == 0) {
                continue;
            }
            let [input, output, read, short, long] = counts.map(|count| thousands(&count.to_string()));
            let cells = [service.name.to_string(), model.to_owned(), input, output, read, short, long];
            spent.push((cells, gateway.metrics.cost(&service.name, id, model)));
        }
    }
    spent
}

/// A folder of the demo's own, with the sample config, gone when the demo is.
#[derive(Debug)]
struct Folder(PathBuf);

impl Folder {
    fn create() -> anyhow::Result<Self> {
        let path = std::env::temp_dir().join(format!("tollgate-demo-{}", std::process::id()));
        let folder = Self(path);
        std::fs::create_dir(&folder.0).with_context(|| format!("cannot make {}", folder.0.display()))?;
        for (name, text) in [("tollgate.toml", CONFIG), ("services.toml", SERVICES)] {
            std::fs::write(folder.0.join(name), text).with_context(|| format!("cannot write {name}"))?;
        }
        Ok(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // It is in the system's folder for what may be lost.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
