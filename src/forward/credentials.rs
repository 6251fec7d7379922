//! The gateway's own credentials: asked for once, kept, renewed before they expire.

use super::ForwardError;
pub(crate) use super::trust::aws_client;
use crate::aws::AwsError;
use crate::clock::Clock;
use crate::config::CaBundle;
use crate::domain::Region;
use anyhow::Context as _;
use arc_swap::ArcSwapOption;
use aws_config::BehaviorVersion;
use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{self, ProvideCredentials, SharedCredentialsProvider};
use std::error::Error as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::{Mutex, OnceCell};
use tokio_util::task::TaskTracker;

/// How long before their end credentials are renewed, as the AWS SDKs do.
const RENEW_BEFORE: Duration = Duration::from_mins(5);

/// How long a failure is taken as the answer, so that calls do not queue up to hear it one by one.
const FAILURE_HOLDS: Duration = Duration::from_secs(1);

/// How long a call waits for credentials.
const TIMEOUT: Duration = Duration::from_secs(10);

/// What to do where there are none.
const HINT: &str = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or give the machine or pod a role; \
    `aws sts get-caller-identity` shows what the chain finds";

/// Returns the AWS SDK's default chain: environment, profile, SSO, web identity, ECS, IMDS. Its own
/// calls honour the proxies that the environment names, and trust a bundle as the gateway does.
///
/// # Errors
/// The chain cannot be set up.
pub async fn default_chain(
    region: &Region,
    bundle: Option<&CaBundle>,
) -> anyhow::Result<SharedCredentialsProvider> {
    let region = aws_config::Region::new(region.as_str().to_owned());
    let mut loader = aws_config::defaults(BehaviorVersion::latest()).region(region);
    if let Some(bundle) = bundle {
        loader = loader.http_client(aws_client(Some(bundle))?);
    }
    loader.load().await.credentials_provider().context("the AWS SDK has no credentials provider")
}

/// The default chain, set up when it is asked for what the environment, where it begins, has not: that takes a start longer,
/// and memory.
#[derive(Debug)]
pub struct LazyChain {
    region: Region,
    bundle: Option<CaBundle>,
    chain: OnceCell<SharedCredentialsProvider>,
}

impl LazyChain {
    /// Returns the chain that [`default_chain`] would.
    pub fn new(region: Region, bundle: Option<CaBundle>) -> Self {
        Self { region, bundle, chain: OnceCell::new() }
    }

    async fn ask(&self) -> provider::Result {
        let stated = EnvironmentVariableCredentialsProvider::new().provide_credentials().await;
        if stated.is_ok() {
            return stated;
        }
        let set_up = || default_chain(&self.region, self.bundle.as_ref());
        let chain = self.chain.get_or_try_init(set_up).await;
        chain
            .map_err(|error| CredentialsError::provider_error(format!("{error:#}")))?
            .provide_credentials()
            .await
    }
}

impl ProvideCredentials for LazyChain {
    fn provide_credentials<'a>(&'a self) -> provider::future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        provider::future::ProvideCredentials::new(self.ask())
    }

    fn fallback_on_interrupt(&self) -> Option<Credentials> {
        self.chain.get()?.fallback_on_interrupt()
    }
}

/// Credentials of one provider, kept until shortly before they expire.
#[derive(Debug)]
pub struct CredentialsCache {
    /// Whose they are, for the log.
    whose: String,
    provider: SharedCredentialsProvider,
    current: ArcSwapOption<Credentials>,
    /// Held by who asks; when the last failure was.
    asking: Mutex<Option<Instant>>,
    renewing: AtomicBool,
    clock: Clock,
    tasks: TaskTracker,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Age {
    Fresh,
    Renewable,
    Expired,
}

impl CredentialsCache {
    /// Keeps what a provider gives, and says in the log whose that is; renewals run as tasks of `tasks`.
    pub fn new(whose: String, provider: SharedCredentialsProvider, clock: Clock, tasks: TaskTracker) -> Self {
        let (current, asking) = (ArcSwapOption::empty(), Mutex::new(None));
        Self { whose, provider, current, asking, renewing: AtomicBool::new(false), clock, tasks }
    }

    /// Returns valid credentials; waits only where there are none.
    pub async fn get(self: &Arc<Self>) -> Result<Arc<Credentials>, ForwardError> {
        let Some(known) = self.current.load_full() else { return self.ask(Age::Renewable).await };
        match self.age(&known) {
            Age::Fresh => Ok(known),
            Age::Renewable => {
                self.renew();
                Ok(known)
            }
            Age::Expired => self.ask(Age::Renewable).await,
        }
    }

    fn age(&self, credentials: &Credentials) -> Age {
        let Some(expiry) = credentials.expiry() else { return Age::Fresh };
        let expiry = expiry.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let left = expiry.saturating_sub(self.clock.since_epoch());
        match left {
            Duration::ZERO => Age::Expired,
            left if left <= RENEW_BEFORE => Age::Renewable,
            _ => Age::Fresh,
        }
    }

    /// Asks the provider for credentials that are that fresh, one caller at a time; who waited takes what the first one
    /// got.
    async fn ask(&self, at_worst: Age) -> Result<Arc<Credentials>, ForwardError> {
        let mut failed_at = self.asking.lock().await;
        if let Some(known) = self.current.load_full().filter(|known| self.age(known) <= at_worst) {
            return Ok(known);
        }
        if failed_at.is_some_and(|at| self.clock.instant().duration_since(at) < FAILURE_HOLDS) {
            return Err(ForwardError::Credentials);
        }
        self.fetch().await.inspect_err(|_| *failed_at = Some(self.clock.instant()))
    }

    /// Asks the provider; what keeps it from answering is for the log, and none of the caller's business.
    async fn fetch(&self) -> Result<Arc<Credentials>, ForwardError> {
        match tokio::time::timeout(TIMEOUT, self.provider.provide_credentials()).await {
            Ok(Ok(credentials)) => {
                let credentials = Arc::new(credentials);
                self.current.store(Some(Arc::clone(&credentials)));
                Ok(credentials)
            }
            Ok(Err(error)) => {
                let cause = error.source().map_or_else(|| error.to_string(), ToString::to_string);
                // Of a role, AWS itself says why it is not to be had.
                let hint = error.source().and_then(|cause| cause.downcast_ref::<AwsError>());
                let hint = hint.map_or_else(|| HINT.to_owned(), AwsError::hint);
                let whose = &self.whose;
                tracing::error!(%error, cause, hint, whose, "no AWS credentials: calls fail until there are some");
                Err(ForwardError::Credentials)
            }
            Err(_) => {
                let whose = &self.whose;
                tracing::error!(timeout = ?TIMEOUT, hint = HINT, whose, "no AWS credentials: the provider is silent");
                Err(ForwardError::Credentials)
            }
        }
    }

    fn renew(self: &Arc<Self>) {
        if self.renewing.swap(true, Ordering::AcqRel) {
            return;
        }
        let cache = Arc::clone(self);
        self.tasks.spawn(async move {
            // A failure is logged there; the credentials at hand serve until they expire.
            let _ = cache.ask(Age::Fresh).await;
            cache.renewing.store(false, Ordering::Release);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_credential_types::provider::future::ProvideCredentials as Provided;
    use std::sync::atomic::AtomicUsize;

    /// Gives credentials that last as long as told, and counts.
    #[derive(Debug)]
    struct Source {
        lasts: Option<Duration>,
        asked: Arc<AtomicUsize>,
    }

    impl ProvideCredentials for Source {
        fn provide_credentials<'a>(&'a self) -> Provided<'a>
        where
            Self: 'a,
        {
            let number = self.asked.fetch_add(1, Ordering::SeqCst);
            let Some(lasts) = self.lasts else {
                return Provided::ready(Err(CredentialsError::not_loaded("nowhere")));
            };
            let expiry = SystemTime::UNIX_EPOCH + Clock::system().since_epoch() + lasts;
            Provided::ready(Ok(Credentials::new(number.to_string(), "s", None, Some(expiry), "test")))
        }
    }

    fn cache(lasts: Option<Duration>) -> (Arc<CredentialsCache>, Arc<AtomicUsize>) {
        let asked = Arc::new(AtomicUsize::new(0));
        let provider = SharedCredentialsProvider::new(Source { lasts, asked: Arc::clone(&asked) });
        let whose = "a test".to_owned();
        (Arc::new(CredentialsCache::new(whose, provider, Clock::system(), TaskTracker::new())), asked)
    }

    #[tokio::test]
    async fn fresh_ones_are_asked_for_once() {
        let (cache, asked) = cache(Some(Duration::from_hours(1)));
        for _ in 0..3 {
            assert_eq!(cache.get().await.unwrap().access_key_id(), "0");
        }
        assert_eq!(asked.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn ones_that_end_soon_are_renewed_behind_the_call() {
        let (cache, asked) = cache(Some(Duration::from_mins(1)));
        assert_eq!(cache.get().await.unwrap().access_key_id(), "0");
        assert_eq!(cache.get().await.unwrap().access_key_id(), "0");
        cache.tasks.close();
        cache.tasks.wait().await;
        assert_eq!(asked.load(Ordering::SeqCst), 2);
        assert_eq!(cache.get().await.unwrap().access_key_id(), "1");
    }

    #[tokio::test]
    async fn a_provider_without_any_is_named() {
        let (cache, _) = cache(None);
        assert!(matches!(cache.get().await, Err(ForwardError::Credentials)));
    }
}
