//! Where one site is asked: its clients, and the pace that they share.

use super::error::{Cause, cause};
use super::pace::{Pace, wait};
use super::{Access, Action, AwsError, ErrorKind, Inner, Site};
use crate::config::Upstream;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_runtime::client::identity::IdentityCache;
use aws_smithy_runtime_api::client::identity::SharedIdentityCache;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use std::error::Error;
use std::future::Future;
use std::time::{Duration, Instant};

/// How long one request may take: these answers are short, and come at once or not at all.
const TIMEOUT: Duration = Duration::from_secs(20);

/// How often the same is asked while AWS throttles: for about half a minute, on average.
const THROTTLED_TRIES: u32 = 10;

/// How often the same is asked while AWS fails or cannot be reached.
const FAILED_TRIES: u32 = 4;

/// Makes a client of one service. Their builders have all of this in common, and no trait.
macro_rules! client {
    ($sdk:ident, $access:expr, $upstream:expr, $site:expr, $credentials:expr, $identities:expr) => {{
        let mut config = $sdk::Config::builder()
            .behavior_version($sdk::config::BehaviorVersion::latest())
            .region($sdk::config::Region::new($site.region.as_str().to_owned()))
            .use_fips($upstream.use_fips)
            .use_dual_stack($upstream.use_dual_stack)
            .http_client($access.http.clone())
            .credentials_provider($credentials.clone())
            .timeout_config(timeouts($upstream))
            // Tries again by itself, at the pace that all requests share.
            .retry_config(RetryConfig::disabled());
        config.set_identity_cache($identities.clone());
        config.set_endpoint_url($upstream.control_endpoint.as_ref().map(ToString::to_string));
        $sdk::Client::from_conf(config.build())
    }};
}

fn timeouts(upstream: &Upstream) -> TimeoutConfig {
    TimeoutConfig::builder().connect_timeout(upstream.connect_timeout).operation_timeout(TIMEOUT).build()
}

/// The clients of a site, and their pace.
#[derive(Debug)]
pub(super) struct Desk {
    pub(super) bedrock: aws_sdk_bedrock::Client,
    pub(super) cost: aws_sdk_costexplorer::Client,
    pub(super) sts: aws_sdk_sts::Client,
    pub(super) kms: aws_sdk_kms::Client,
    site: Site,
    pace: Pace,
}

impl Desk {
    pub(super) fn new(aws: &Inner, site: &Site, credentials: &SharedCredentialsProvider) -> Self {
        Self::with(&aws.access, &aws.upstream, site, credentials, &aws.identities)
    }

    /// Returns a desk that signs with the gateway's own credentials, and shares none of them with others.
    pub(super) fn own(access: &Access, upstream: &Upstream) -> Self {
        let site = Site::own(upstream.region.clone());
        Self::with(access, upstream, &site, &access.credentials, &IdentityCache::lazy().build())
    }

    fn with(
        access: &Access,
        upstream: &Upstream,
        site: &Site,
        credentials: &SharedCredentialsProvider,
        identities: &SharedIdentityCache,
    ) -> Self {
        Self {
            bedrock: client!(aws_sdk_bedrock, access, upstream, site, credentials, identities),
            cost: client!(aws_sdk_costexplorer, access, upstream, site, credentials, identities),
            sts: client!(aws_sdk_sts, access, upstream, site, credentials, identities),
            kms: client!(aws_sdk_kms, access, upstream, site, credentials, identities),
            site: site.clone(),
            pace: Pace::new(access.clock),
        }
    }

    /// Asks AWS for one action, about one resource if it is about one, and again while that may help.
    pub(super) async fn ask<T, E, F>(
        &self,
        action: Action,
        resource: Option<&str>,
        send: impl Fn() -> F,
    ) -> Result<T, AwsError>
    where
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
        E: ProvideErrorMetadata + Error + 'static,
    {
        let mut tries = 0_u32;
        loop {
            let went = self.pace.turn().await;
            // The SDK's futures are large.
            let error = match Box::pin(send()).await {
                Ok(answer) => {
                    self.pace.answered();
                    return Ok(answer);
                }
                Err(error) => error,
            };
            let kind = match cause(&error) {
                Cause::Kind(kind) => kind,
                // That has been tried again already.
                Cause::Role(error) => return Err(error),
            };
            tries = tries.saturating_add(1);
            let kind = self.note(kind, went, tries);
            let error = self.error(action, resource, kind);
            if !may_help(&error, tries) {
                return Err(error);
            }
            tokio::time::sleep(wait(tries)).await;
        }
    }

    /// Returns the error of an action.
    pub(super) fn error(&self, action: Action, resource: Option<&str>, kind: ErrorKind) -> AwsError {
        AwsError { action, site: self.site.clone(), resource: resource.map(ToOwned::to_owned), kind }
    }

    /// Lets the pace know what came.
    fn note(&self, kind: ErrorKind, went: Instant, tries: u32) -> ErrorKind {
        if matches!(kind, ErrorKind::Throttled { .. }) {
            self.pace.throttled(went);
            return ErrorKind::Throttled { tries };
        }
        self.pace.answered();
        kind
    }
}

/// Tells whether to ask again, after that many tries. What was throttled was not done; of what failed otherwise nobody
/// knows.
fn may_help(error: &AwsError, tries: u32) -> bool {
    if matches!(error.kind, ErrorKind::Throttled { .. }) {
        tries < THROTTLED_TRIES
    } else {
        error.is_transient() && error.action.is_idempotent() && tries < FAILED_TRIES
    }
}
