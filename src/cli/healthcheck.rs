//! `tollgate healthcheck`

use super::{Context, Failure};
use crate::config::load_settings;
use anyhow::Context as _;
use bytes::Bytes;
use clap::Args;
use http::uri::PathAndQuery;
use http::{StatusCode, Uri};
use http_body_util::Empty;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

/// How long the answer may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// What is asked, where no path is given.
const HEALTHZ: PathAndQuery = PathAndQuery::from_static("/healthz");

/// Which gateway is asked.
#[derive(Debug, Args)]
pub struct HealthcheckArgs {
    /// The gateway, in place of the config's listen.data; with a path, that in place of /healthz.
    #[arg(long)]
    url: Option<Uri>,
}

/// Asks whether the gateway is well. Whatever is wrong is exit status 1: the only failure that containers know.
pub(super) fn run(context: &mut Context<'_>, args: &HealthcheckArgs) -> Result<(), Failure> {
    let url = target(context, args)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let cause = match runtime.block_on(async { tokio::time::timeout(PATIENCE, ask(url.clone())).await }) {
        Ok(Ok(StatusCode::OK)) => {
            writeln!(context.out, "{url} answers")?;
            return Ok(());
        }
        Ok(Ok(status)) => format!("it answers {status}"),
        Ok(Err(error)) => error.root_cause().to_string(),
        Err(_) => format!("no answer within {}", humantime::format_duration(PATIENCE)),
    };
    let hint = "see whether `tollgate serve` runs there, and what it logs; --url asks elsewhere";
    Err(Failure::refused(format!("{url} is not well: {cause}"), hint))
}

fn target(context: &Context<'_>, args: &HealthcheckArgs) -> Result<Uri, Failure> {
    let url = if let Some(url) = &args.url { url.clone() } else { configured(context)? };
    let mut parts = url.into_parts();
    parts.path_and_query = parts.path_and_query.filter(|path| path != "/").or(Some(HEALTHZ));
    let whole = Uri::from_parts(parts).ok().filter(|url| url.scheme_str() == Some("http"));
    whole.ok_or_else(|| {
        let hint = "write it with http:// and a host, as in --url http://127.0.0.1:8080";
        Failure::refused("--url cannot be asked", hint)
    })
}

/// Returns where the configured gateway is found from this machine.
fn configured(context: &Context<'_>) -> Result<Uri, Failure> {
    let settings = load_settings(&context.config, context.env.clone()).map_err(|problems| {
        let hint = problems.hints().join("; ");
        Failure::refused(
            format!("the config does not tell where to ask: {problems}"),
            format!("{hint}; or give --url"),
        )
    })?;
    let address = reachable(settings.listen.data);
    if address.port() == 0 {
        let message = "listen.data takes any free port, so nobody can tell which";
        return Err(Failure::refused(message, "give --url, as in --url http://127.0.0.1:8080"));
    }
    let url = format!("http://{address}").parse::<Uri>().context("listen.data")?;
    Ok(url)
}

/// Returns an address that a listener of all addresses has.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip @ (IpAddr::V4(_) | IpAddr::V6(_)) => ip,
    };
    SocketAddr::new(ip, address.port())
}

async fn ask(url: Uri) -> anyhow::Result<StatusCode> {
    let client = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
    Ok(client.get(url).await?.status())
}
