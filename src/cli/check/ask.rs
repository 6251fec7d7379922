//! Asking AWS what the config depends on, all of it within a limit of time.

use super::CheckArgs;
use crate::aws::{Access, Action, Aws, AwsError, CostTagStatus, Effort, ErrorKind, Look, Site, TagsRead};
use crate::cli::progress::Progress;
use crate::cli::{Failure, serve};
use crate::clock::Clock;
use crate::config::Loaded;
use crate::discovery::Place;
use crate::domain::{ProfileArn, Region, RoleArn, ServiceName};
use crate::forward::root_cause;
use crate::inventory::FoundProfile;
use aws_credential_types::Credentials;
use aws_credential_types::provider::ProvideCredentials;
use futures_util::stream::{StreamExt, iter};
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::time::{Duration, Instant};
use time::OffsetDateTime;
use tokio::runtime::Builder;

/// How many sessions are begun at a time.
const SESSIONS: usize = 8;

/// What AWS has answered.
#[derive(Debug, Default)]
pub(super) struct Facts {
    /// Where the credentials come from, by the AWS SDK's name of it.
    pub(super) provider: Option<String>,
    /// Who the gateway is.
    pub(super) caller: Option<Caller>,
    /// Who it is with each of its roles that it may take on.
    pub(super) roles: BTreeMap<RoleArn, Caller>,
    /// Who calls are, by their service, where that has a session of its own that may begin.
    pub(super) sessions: BTreeMap<ServiceName, Caller>,
    /// The profiles.
    pub(super) look: Look,
    /// Whether time ran out before all profiles were listed and their tags read.
    pub(super) is_cut: bool,
    /// Whether the bill shows the service tag; that is asked of the gateway's own account.
    pub(super) cost_tag: Option<CostTagStatus>,
    /// What has been mended.
    pub(super) mended: Mended,
    /// What failed beside the profiles.
    pub(super) failures: Vec<AwsError>,
    /// What was asked beside the profiles, and not answered in time.
    pub(super) late: Vec<Action>,
    /// What AWS has allowed.
    pub(super) allowed: BTreeSet<Action>,
}

/// Somebody who signs.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub(super) struct Caller {
    /// The account's 12-digit number.
    pub(super) account: String,
    /// The ARN by which AWS calls them.
    pub(super) arn: String,
}

/// What has been mended in AWS.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Mended {
    /// Whether the tag has been activated.
    pub(super) activated: bool,
    /// From when on past months are filled in.
    pub(super) backfill_from: Option<OffsetDateTime>,
}

/// What AWS has answered; `None` where it did not in time.
type Answer<T> = Option<Result<T, AwsError>>;

/// How long may be waited.
#[derive(Debug, Clone, Copy)]
struct Limit {
    began: Instant,
    lasts: Duration,
    clock: Clock,
}

impl Limit {
    fn left(&self) -> Duration {
        self.lasts.saturating_sub(self.clock.instant().duration_since(self.began))
    }

    async fn within<T>(&self, asking: impl Future<Output = T>) -> Option<T> {
        tokio::time::timeout(self.left(), asking).await.ok()
    }
}

/// Asks AWS.
pub(super) fn ask(loaded: &Loaded, args: &CheckArgs) -> Result<Facts, Failure> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let progress = Progress::begin("asking AWS");
    let facts = runtime.block_on(async {
        let clock = Clock::system();
        let limit = Limit { began: clock.instant(), lasts: args.timeout, clock };
        let chain = serve::default_chain(&loaded.config.upstream, &loaded.egress).await?;
        let access = Access::new(chain, &loaded.egress, clock)?;
        let aws = Aws::new(&access, &loaded.config.upstream);
        let asking = Asking { aws, loaded, limit, progress: &progress };
        Ok(Box::pin(asking.ask(&access, args)).await)
    });
    // Whoever sleeps for the SDK is not waited for.
    runtime.shutdown_background();
    facts
}

/// Returns the regions that hold what the config depends on.
pub(super) fn regions(loaded: &Loaded) -> BTreeSet<Region> {
    let mut regions: BTreeSet<Region> = profiles(loaded).map(|arn| arn.region().clone()).collect();
    regions.insert(loaded.config.upstream.region.clone());
    if loaded.config.catalog.discover {
        regions.extend(loaded.config.catalog.regions.iter().cloned());
    }
    regions
}

/// Returns the services file's profiles.
fn profiles(loaded: &Loaded) -> impl Iterator<Item = &ProfileArn> {
    loaded.services.services.iter().flat_map(|service| service.profiles.iter().map(|(_, arn)| arn))
}

struct Asking<'a> {
    aws: Aws,
    loaded: &'a Loaded,
    limit: Limit,
    progress: &'a Progress,
}

impl Asking<'_> {
    async fn ask(&self, access: &Access, args: &CheckArgs) -> Facts {
        let mut facts = Facts::default();
        match self.limit.within(access.credentials().provide_credentials()).await {
            Some(Ok(credentials)) => facts.provider = Some(provider(&credentials)),
            Some(Err(error)) => {
                facts.failures.push(self.no_credentials(root_cause(&error)));
                return facts;
            }
            None => {
                let cause = "whoever should give them does not answer".to_owned();
                facts.failures.push(self.no_credentials(cause));
                return facts;
            }
        }
        let home = Site::own(self.loaded.config.upstream.region.clone());
        let called = self.limit.within(self.aws.caller(&home)).await;
        facts.caller = facts.take(Action::GetCallerIdentity, called).map(caller);
        let is_nobody = |error: &AwsError| {
            matches!(error.kind, ErrorKind::NoCredentials { .. } | ErrorKind::BadCredentials { .. })
        };
        if facts.failures.iter().any(is_nobody) {
            return facts;
        }
        let key = &self.loaded.config.catalog.service_tag;
        let profiles = async {
            let (look, is_cut) = self.look().await;
            let probes = if is_cut { Vec::new() } else { self.probe(&look).await };
            (look, is_cut, probes)
        };
        let ((look, is_cut, probes), roles, sessions, status) =
            tokio::join!(profiles, self.roles(), self.sessions(), self.limit.within(self.aws.cost_tag(key)));
        (facts.look, facts.is_cut) = (look, is_cut);
        for probe in probes {
            facts.take(Action::GetInferenceProfile, probe);
        }
        for (role, called) in roles {
            if let Some(called) = facts.take(Action::AssumeRole, called) {
                facts.roles.insert(role, caller(called));
            }
        }
        for (service, begun) in sessions {
            if let Some(called) = facts.take(Action::AssumeRole, begun) {
                facts.allowed.insert(Action::TagSession);
                facts.sessions.insert(service, caller(called));
            }
        }
        facts.cost_tag = facts.take(Action::ListCostAllocationTags, status);
        if args.fix {
            self.fix(&mut facts, args.backfill_from).await;
        }
        facts
    }

    fn no_credentials(&self, cause: String) -> AwsError {
        let site = Site::own(self.loaded.config.upstream.region.clone());
        let kind = ErrorKind::NoCredentials { cause };
        AwsError { action: Action::GetCallerIdentity, site, resource: None, kind }
    }

    /// Reads the profiles; tells whether time ran out.
    async fn look(&self) -> (Look, bool) {
        let settings = &self.loaded.config.catalog;
        let regions = regions(self.loaded);
        let (sites, only) = if settings.discover {
            (self.aws.sites(&regions), None)
        } else {
            let of_file = profiles(self.loaded).map(|arn| self.aws.site_of(arn.account(), arn.region()));
            let home = Site::own(self.loaded.config.upstream.region.clone());
            let sites: BTreeSet<Site> = of_file.chain([home]).collect();
            (sites.into_iter().collect(), Some(profiles(self.loaded).cloned().collect()))
        };
        let effort = Effort { only, ..Effort::default() };
        let count = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        let tell = |read: TagsRead| self.progress.at(count(read.done), count(read.of));
        let mut reading = Box::pin(self.aws.read(&sites, &effort, &tell));
        if let Some(look) = self.limit.within(&mut reading).await {
            return (look, false);
        }
        effort.stop.cancel();
        (reading.await, true)
    }

    /// Asks as each role who the gateway is.
    async fn roles(&self) -> Vec<(RoleArn, Answer<(String, String)>)> {
        let upstream = &self.loaded.config.upstream;
        let asking = upstream.roles.values().map(|role| async {
            let site = Site::of_role(role.clone(), upstream.region.clone());
            (role.clone(), self.limit.within(self.aws.caller(&site)).await)
        });
        futures_util::future::join_all(asking).await
    }

    /// Begins the session of each service that has one.
    async fn sessions(&self) -> Vec<(ServiceName, Answer<(String, String)>)> {
        let tag = &self.loaded.config.catalog.service_tag;
        let services = self.loaded.services.services.iter();
        let sessions = services.filter_map(|service| Some((service.name.clone(), service.session(tag)?)));
        let beginning = sessions
            .map(async |(service, session)| (service, self.limit.within(self.aws.assume(&session)).await));
        iter(beginning).buffered(SESSIONS).collect().await
    }

    /// Asks for one profile of each place by itself, to see whether that is allowed.
    async fn probe(&self, look: &Look) -> Vec<Answer<FoundProfile>> {
        let mut places: BTreeMap<Place, &ProfileArn> = BTreeMap::new();
        for arn in look.found.profiles.keys() {
            places.entry(Place::of(arn)).or_insert(arn);
        }
        let mut answers = Vec::new();
        for arn in places.into_values() {
            let site = self.aws.site_of(arn.account(), arn.region());
            answers.push(self.limit.within(self.aws.profile(&site, arn)).await);
        }
        answers
    }

    /// Activates the service tag where it is inactive, and has past months filled in where that is asked for.
    async fn fix(&self, facts: &mut Facts, backfill_from: Option<OffsetDateTime>) {
        let key = &self.loaded.config.catalog.service_tag;
        if facts.cost_tag == Some(CostTagStatus::Inactive) {
            let activated = self.limit.within(self.aws.activate_cost_tag(key)).await;
            if facts.take(Action::UpdateCostAllocationTagsStatus, activated).is_some() {
                facts.mended.activated = true;
                facts.cost_tag = Some(CostTagStatus::Active);
            }
        }
        if let Some(from) = backfill_from.filter(|_| facts.cost_tag == Some(CostTagStatus::Active)) {
            let started = self.limit.within(self.aws.backfill_cost_tags(from)).await;
            if facts.take(Action::StartCostAllocationTagBackfill, started).is_some() {
                facts.mended.backfill_from = Some(from);
            }
        }
    }
}

impl Facts {
    /// Takes an answer, or takes note of what came in its place.
    fn take<T>(&mut self, action: Action, answer: Answer<T>) -> Option<T> {
        match answer {
            Some(Ok(value)) => {
                self.allowed.insert(action);
                return Some(value);
            }
            Some(Err(error)) => self.failures.push(error),
            None => self.late.push(action),
        }
        None
    }
}

fn caller((account, arn): (String, String)) -> Caller {
    Caller { account, arn }
}

/// Returns the AWS SDK's name of where credentials come from, which nothing but their `Debug` tells.
fn provider(credentials: &Credentials) -> String {
    let text = format!("{credentials:?}");
    let name = text.split_once("provider_name: \"").and_then(|(_, rest)| rest.split('"').next());
    name.unwrap_or("a provider that the AWS SDK does not name").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_provider_is_named_and_no_secret_is_shown() {
        let credentials =
            Credentials::new("AKIA", "secret", Some("token".to_owned()), None, "EnvironmentVariable");
        assert_eq!(provider(&credentials), "EnvironmentVariable");
    }
}
