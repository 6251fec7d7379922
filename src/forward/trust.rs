//! Whom the gateway trusts: the machine's CAs, and those of a bundle beside them.

use crate::config::{CaBundle, Egress};
use aws_sdk_bedrockruntime::config::SharedHttpClient;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_http_client::{Builder, Connector};
use rustls::client::Resumption;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::{ClientConfig, RootCertStore};
use rustls_native_certs::{CertificateResult, Error, load_native_certs};
use std::io;
use std::sync::{Arc, LazyLock};

/// The CA certificates of this machine, which are many files on some: read once, at the first question.
static NATIVE: LazyLock<Native> = LazyLock::new(Native::read);

/// What of this machine's CA certificates is needed: the certificates themselves take twice as much memory.
struct Native {
    roots: Arc<RootCertStore>,
    /// Why there may be fewer than there should be.
    errors: Vec<Error>,
}

impl Native {
    fn read() -> Self {
        let CertificateResult { certs, errors, .. } = load_native_certs();
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(certs);
        Self { roots: Arc::new(roots), errors }
    }
}

/// Reads this machine's CA certificates, if nothing has read them yet.
pub(crate) fn read_native() {
    LazyLock::force(&NATIVE);
}

/// How many TLS sessions are remembered, to be resumed: rustls keeps 8 tickets for each of an eighth as many hosts, so this
/// does for an endpoint in every region of AWS, of which there are more than the 32 hosts that it remembers by default.
const SESSIONS: usize = 8 * 128;

/// Returns how TLS is spoken with upstream.
///
/// # Errors
/// There is nobody to trust.
pub(super) fn tls(bundle: Option<&CaBundle>) -> io::Result<ClientConfig> {
    let roots = roots(bundle)?;
    let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()));
    let builder = builder.with_safe_default_protocol_versions().map_err(io::Error::other)?;
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.resumption = Resumption::in_memory_sessions(SESSIONS);
    Ok(config)
}

/// Checks that there is somebody to trust.
///
/// # Errors
/// There are no CA certificates, neither on this machine nor in a bundle.
pub fn check_trust(egress: &Egress) -> io::Result<()> {
    roots(egress.ca_bundle.as_ref()).map(drop)
}

fn roots(bundle: Option<&CaBundle>) -> io::Result<Arc<RootCertStore>> {
    let mut roots = Arc::clone(&NATIVE.roots);
    if let Some(bundle) = bundle {
        Arc::make_mut(&mut roots).add_parsable_certificates(bundle.certificates().iter().cloned());
    }
    if roots.is_empty() {
        let errors: Vec<String> = NATIVE.errors.iter().map(ToString::to_string).collect();
        let message = format!("no CA certificates found on this machine ({})", errors.join("; "));
        return Err(io::Error::new(io::ErrorKind::NotFound, message));
    }
    Ok(roots)
}

/// Returns whom the AWS SDK's HTTP clients are to trust: whom the machine trusts, and a bundle, if there is one.
pub(crate) fn aws_trust(bundle: Option<&CaBundle>) -> anyhow::Result<TlsContext> {
    // Without any of the machine's own, the SDK's debug assertions fail.
    let has_native = !NATIVE.roots.is_empty();
    let mut store = TrustStore::empty().with_native_roots(has_native);
    if let Some(bundle) = bundle {
        store = store.with_pem_certificate(bundle.pem());
    }
    Ok(TlsContext::builder().with_trust_store(store).build()?)
}

/// Returns the HTTP client of the AWS SDK as it is by default, trusting a bundle as well, if there is one.
pub(crate) fn aws_client(bundle: Option<&CaBundle>) -> anyhow::Result<SharedHttpClient> {
    let context = aws_trust(bundle)?;
    Ok(Builder::new().build_with_connector_fn(move |settings, components| {
        let mut builder = Connector::builder()
            .tls_provider(Provider::rustls(CryptoMode::AwsLc))
            .tls_context(context.clone())
            .proxy_config(ProxyConfig::from_env());
        builder.set_connector_settings(settings.cloned());
        if let Some(components) = components {
            builder.set_sleep_impl(components.sleep_impl());
        }
        builder.build()
    }))
}
