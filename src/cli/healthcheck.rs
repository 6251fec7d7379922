//! `tollgate healthcheck`

mod asking;

use super::{Context, Failure};
use crate::config::{ClientAuth, Config, TlsSettings, load_settings};
use anyhow::Context as _;
use asking::{Answered, ask, shown};
use clap::Args;
use http::uri::PathAndQuery;
use http::{StatusCode, Uri};
use rustls::pki_types::CertificateDer;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

/// How long the answer may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// What is asked, where no path is given.
const HEALTHZ: PathAndQuery = PathAndQuery::from_static("/healthz");

/// Which gateway is asked.
#[derive(Debug, Args)]
pub struct HealthcheckArgs {
    /// The gateway, in place of the config's listen.data, without TLS; with a path, that in place of /healthz.
    #[arg(long)]
    url: Option<Uri>,
}

/// What is asked.
#[derive(Debug)]
struct Target {
    url: Uri,
    /// The certificates that the config's files show; `None` where TLS is not spoken.
    certificates: Option<Vec<CertificateDer<'static>>>,
}

/// Asks whether the gateway is well. Whatever is wrong is exit status 1: the only failure that containers know.
pub(super) fn run(context: &mut Context<'_>, args: &HealthcheckArgs) -> Result<(), Failure> {
    let target = target(context, args)?;
    let url = &target.url;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let cause = match runtime.block_on(async { tokio::time::timeout(PATIENCE, ask(&target)).await }) {
        Ok(Ok(Answered { status: StatusCode::OK, is_known })) => {
            writeln!(context.out, "{url} answers")?;
            if !is_known {
                writeln!(
                    context.out,
                    "warning: by a certificate that is in none of the config's files: {LOOK}"
                )?;
            }
            return Ok(());
        }
        Ok(Ok(answered)) => format!("it answers {}", answered.status),
        Ok(Err(error)) => error.root_cause().to_string(),
        Err(_) => format!("no answer within {}", humantime::format_duration(PATIENCE)),
    };
    let hint = "see whether `tollgate serve` runs there, and what it logs; --url asks elsewhere";
    Err(Failure::refused(format!("{url} is not well: {cause}"), hint))
}

/// What to do about files that the gateway has not taken up. It goes on with what it had, so it is not ill for that:
/// whoever restarts what is ill would have it not start.
const LOOK: &str = "the gateway has not taken them up; its log and `tollgate check` say why";

fn target(context: &Context<'_>, args: &HealthcheckArgs) -> Result<Target, Failure> {
    let Some(url) = &args.url else { return configured(context) };
    let mut parts = url.clone().into_parts();
    parts.path_and_query = parts.path_and_query.filter(|path| path != "/").or(Some(HEALTHZ));
    let whole = Uri::from_parts(parts).ok().filter(|url| url.scheme_str() == Some("http"));
    let url = whole.ok_or_else(|| {
        let hint = "write it with http:// and a host, as in --url http://127.0.0.1:8080; without --url, the \
                    configured gateway is asked, by TLS where it speaks that";
        Failure::refused("--url cannot be asked", hint)
    })?;
    Ok(Target { url, certificates: None })
}

/// Returns where the configured gateway is found from this machine.
fn configured(context: &Context<'_>) -> Result<Target, Failure> {
    let settings = load_settings(&context.config, context.env.clone()).map_err(|problems| {
        let hint = problems.hints().join("; ");
        Failure::refused(
            format!("the config does not tell where to ask: {problems}"),
            format!("{hint}; or give --url"),
        )
    })?;
    let (key, address, tls) = plane(&settings);
    let address = reachable(address);
    if address.port() == 0 {
        let message = format!("{key} takes any free port, so nobody can tell which");
        return Err(Failure::refused(message, "give --url, as in --url http://127.0.0.1:8080"));
    }
    let scheme = if tls.is_some() { "https" } else { "http" };
    let url = format!("{scheme}://{address}/healthz").parse::<Uri>().context(key)?;
    Ok(Target { url, certificates: tls.map(shown) })
}

/// Returns the plane to ask: the data plane, unless that asks for a certificate, which a health check has none of.
fn plane(config: &Config) -> (&'static str, SocketAddr, Option<&TlsSettings>) {
    let listen = &config.listen;
    let clients = listen.tls.as_ref().and_then(|tls| tls.clients.as_ref());
    if clients.is_some_and(|clients| clients.auth == ClientAuth::Required) {
        ("listen.admin", listen.admin, listen.admin_tls.as_ref())
    } else {
        ("listen.data", listen.data, listen.tls.as_ref())
    }
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
