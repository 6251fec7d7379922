//! Making the profile that a call lacks: once, for all calls that wait for it.

use super::{Basis, Gateway, Snapshot};
use crate::aws::{Aws, Site};
use crate::clock::Clock;
use crate::config::ServiceSpec;
use crate::discovery::{Place, Progress};
use crate::domain::ProfileArn;
use crate::inventory::FoundProfile;
use crate::provision::{CarryError, Leftovers, Plan, Problem, Settings, Step, Unlisted, plan};
use crate::resolve::Wish;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Semaphore, watch};

/// How long a failure that is AWS's last word is the answer, before AWS is asked again.
const REFUSED_HOLDS: Duration = Duration::from_mins(1);

/// The same of one that may pass by itself.
const TROUBLE_HOLDS: Duration = Duration::from_secs(5);

/// How long AWS's listings may lack a profile that it has made.
const LISTED_AFTER: Duration = Duration::from_mins(2);

/// Why no profile was made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("service '{}' has no profile for model '{}', and none could be made: {cause}", .wish.service, .wish.model)]
pub struct NotMade {
    wish: Wish,
    cause: String,
    /// What to do about it, for whoever runs the gateway.
    hint: String,
    /// Whether it may pass by itself.
    pub is_transient: bool,
}

/// How many profiles are made at a time: plans take processor time, and AWS's rate is discovery's as well.
const AT_A_TIME: usize = 4;

/// How many attempts are under way or remembered at most: who asks for random models is not to fill the memory.
const MAX_ATTEMPTS: usize = 1024;

/// What comes of making a profile, and when it did; `None` while it goes on.
type Outcome = Option<(Instant, Result<(), NotMade>)>;

/// One attempt, for whoever waits for it.
#[derive(Debug)]
struct Attempt(watch::Receiver<Outcome>);

/// Makes profiles.
#[derive(Debug)]
pub struct Provisioner {
    aws: Aws,
    clock: Clock,
    attempts: Mutex<HashMap<Wish, Attempt>>,
    places: Semaphore,
    /// What was made of late, and when.
    made: Mutex<Vec<(Instant, ProfileArn, FoundProfile)>>,
}

impl Provisioner {
    /// Makes profiles in AWS.
    pub fn new(aws: Aws, clock: Clock) -> Self {
        Self {
            aws,
            clock,
            attempts: Mutex::default(),
            places: Semaphore::new(AT_A_TIME),
            made: Mutex::default(),
        }
    }

    /// Returns what was made so late that a look at AWS which began then may not have seen it.
    pub fn unseen(&self, look_began: Instant) -> Vec<(ProfileArn, FoundProfile)> {
        let mut made = lock(&self.made);
        made.retain(|(at, ..)| look_began.saturating_duration_since(*at) < LISTED_AFTER);
        made.iter().map(|(_, arn, profile)| (arn.clone(), profile.clone())).collect()
    }

    /// Returns the attempt that is under way or that failed of late; else begins one, for which `make` is called. `None`
    /// is that there are too many.
    fn attempt(
        &self,
        wish: &Wish,
        make: impl FnOnce(watch::Sender<Outcome>),
    ) -> Option<watch::Receiver<Outcome>> {
        let now = self.clock.instant();
        let mut attempts = lock(&self.attempts);
        if let Some(attempt) = attempts.get(wish).filter(|attempt| attempt.holds(now)) {
            return Some(attempt.0.clone());
        }
        if attempts.len() >= MAX_ATTEMPTS {
            attempts.retain(|_, attempt| attempt.holds(now));
        }
        if attempts.len() >= MAX_ATTEMPTS {
            return None;
        }
        let (sender, outcome) = watch::channel(None);
        attempts.insert(wish.clone(), Attempt(outcome.clone()));
        make(sender);
        Some(outcome)
    }
}

impl Attempt {
    /// Tells whether it still answers for its wish. One that succeeded does not: whoever asks again lacks the profile.
    fn holds(&self, now: Instant) -> bool {
        match &*self.0.borrow() {
            None => self.0.has_changed().is_ok(),
            Some((_, Ok(()))) => false,
            Some((ended, Err(error))) => {
                let holds = if error.is_transient { TROUBLE_HOLDS } else { REFUSED_HOLDS };
                now.saturating_duration_since(*ended) < holds
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Gateway {
    /// Sees to it that a service has a profile, and returns when calls can be made with it. However many ask, it is made
    /// once; whoever leaves does not end it.
    pub(super) async fn provide(self: &Arc<Self>, wish: &Wish) -> Result<(), NotMade> {
        let outcome = self.provisioner.attempt(wish, |sender| {
            let (gateway, wish) = (Arc::clone(self), wish.clone());
            self.shutdown.tasks.spawn(async move {
                let grace_over = gateway.shutdown.grace_over.clone();
                let made = grace_over.run_until_cancelled(gateway.make(&wish)).await;
                let gone = || NotMade::yet(&wish, "the gateway shuts down", "the next call tries again");
                let made = made.unwrap_or_else(|| Err(gone()));
                // Nobody may be waiting any more.
                let _ = sender.send(Some((gateway.clock.instant(), made)));
            });
        });
        let hint =
            "a service asks for more and more models: name those that it may have in its allowed_models";
        let mut outcome = outcome.ok_or_else(|| NotMade::yet(wish, "too many others are asked for", hint))?;
        match outcome.wait_for(Option::is_some).await.map(|outcome| outcome.clone()) {
            Ok(Some((_, made))) => made,
            Ok(None) | Err(_) => Err(NotMade::yet(wish, "making it broke off", "report it")),
        }
    }

    /// Makes a profile, and serves it.
    async fn make(self: &Arc<Self>, wish: &Wish) -> Result<(), NotMade> {
        // Nobody closes it.
        let _place = self.provisioner.places.acquire().await.ok();
        let made = self.make_in_aws(wish).await;
        self.metrics.provisioned(&wish.service, &made);
        match &made {
            Ok(arns) => {
                let arns = arns.iter().map(ProfileArn::as_str).collect::<Vec<_>>().join(" ");
                tracing::info!(service = %wish.service, model = %wish.model, arns, "a profile was made");
            }
            Err(error) => tracing::error!(%error, hint = error.hint, "a profile could not be made"),
        }
        made.map(|_| ())
    }

    async fn make_in_aws(self: &Arc<Self>, wish: &Wish) -> Result<Vec<ProfileArn>, NotMade> {
        let not_yet = |cause: &str, hint: &str| NotMade::yet(wish, cause, hint);
        let snapshot = self.snapshot.load_full();
        let region = snapshot.config.upstream.region.clone();
        let aws = &self.provisioner.aws;
        // What an earlier run has seen is too old: somebody may have made the profile since.
        let unread = || {
            let hint = "the log says what keeps the gateway from reading AWS's profiles";
            not_yet("which profiles there are is not known yet: AWS has not been read", hint)
        };
        let listed = self.discovery.as_ref().map(Progress::places).unwrap_or_default();
        if listed.is_empty() {
            return Err(unread());
        }
        let account = aws.account(&Site::own(region.clone())).await;
        let account = account.map_err(|error| NotMade::carried(wish, &error.into()))?;
        let place = Place { region, account };
        if !listed.contains(&place) {
            return Err(unread());
        }
        let service_tag = snapshot.config.catalog.service_tag.clone();
        let plan = planned(&snapshot, wish, place)
            .await
            .ok_or_else(|| not_yet("planning it failed", "report it"))?;
        drop(snapshot);
        let steps: Vec<Step<'_>> =
            plan.steps().into_iter().filter(|step| !matches!(step, Step::Delete(_))).collect();
        if steps.is_empty() && plan.problems.is_empty() {
            // It has come to light since the call was resolved.
            return Ok(Vec::new());
        }
        if steps.is_empty() {
            let passes = plan
                .problems
                .iter()
                .any(|problem| matches!(problem, Problem::Unread { .. } | Problem::NotActive { .. }));
            let blocked = not_yet(&blocked(&plan), "`tollgate profiles list` shows what there is");
            return Err(NotMade { is_transient: passes, ..blocked });
        }
        let mut arns = Vec::new();
        for step in steps {
            let arn = step.carry_out(aws, &service_tag).await;
            arns.push(arn.map_err(|error| NotMade::carried(wish, &error))?);
        }
        for arn in &arns {
            self.serve_made(arn).await.map_err(|error| NotMade::carried(wish, &error))?;
        }
        Ok(arns)
    }

    /// Puts a profile that was just made or tagged among those that are known.
    async fn serve_made(&self, arn: &ProfileArn) -> Result<(), CarryError> {
        let aws = &self.provisioner.aws;
        let site = aws.site_of(arn.account(), arn.region());
        let (found, tags) = tokio::try_join!(aws.profile(&site, arn), aws.tags(&site, arn))?;
        let found = FoundProfile { tags: Some(tags), ..found };
        lock(&self.provisioner.made).push((self.clock.instant(), arn.clone(), found.clone()));
        let swapped = self.swap(|snapshot| {
            let mut inventory = (*snapshot.inventory).clone();
            inventory.profiles.insert(arn.clone(), found);
            Some(Basis { inventory: Arc::new(inventory), ..snapshot.basis() })
        });
        if let Err(error) = swapped.await {
            tracing::error!(%error, "a profile that was made cannot be served yet: the next look at AWS tries again");
        }
        Ok(())
    }
}

impl NotMade {
    /// It may pass by itself.
    fn yet(wish: &Wish, cause: &str, hint: &str) -> Self {
        Self { wish: wish.clone(), cause: cause.to_owned(), hint: hint.to_owned(), is_transient: true }
    }

    fn carried(wish: &Wish, error: &CarryError) -> Self {
        let is_transient = match error {
            CarryError::Aws(error) => error.is_transient(),
            CarryError::NotActive { .. } => true,
            CarryError::NeverNew { .. } => false,
        };
        Self { wish: wish.clone(), cause: error.to_string(), hint: error.hint(), is_transient }
    }
}

/// Plans one profile, as `tollgate profiles plan` would if the services file asked for it and for nothing else.
async fn planned(snapshot: &Arc<Snapshot>, wish: &Wish, place: Place) -> Option<Plan> {
    let (snapshot, wish) = (Arc::clone(snapshot), wish.clone());
    let planning = tokio::task::spawn_blocking(move || {
        let mut file = (*snapshot.services).clone();
        file.services.iter_mut().for_each(|service| service.models.clear());
        let service = snapshot.catalog.service(wish.service.as_str())?;
        let tags = service.tags.iter().filter(|(key, _)| **key != snapshot.config.catalog.service_tag);
        let tags = Arc::new(tags.map(|(key, value)| (key.clone(), value.clone())).collect());
        match file.services.iter_mut().find(|spec| spec.name == wish.service) {
            Some(spec) => spec.models.push(wish.model),
            None => file.services.push(ServiceSpec {
                models: vec![wish.model],
                tags,
                ..ServiceSpec::new(wish.service)
            }),
        }
        let settings = Settings {
            service_tag: snapshot.config.catalog.service_tag.clone(),
            places: vec![place],
            unlisted: Unlisted::Alive,
            unused: Leftovers::Kept,
        };
        Some(plan(&file, &snapshot.inventory, &settings))
    });
    planning.await.ok().flatten()
}

/// Says why a plan does nothing.
fn blocked(plan: &Plan) -> String {
    let mut text = String::new();
    for problem in &plan.problems {
        let separator = if text.is_empty() { "" } else { "; " };
        // Writing to a string cannot fail.
        let _ = write!(text, "{separator}{problem}");
    }
    text
}
