//! Reading all profiles with their tags: pages first, then the tags of each profile, a few at a time.

use super::{Action, Aws, AwsError, ErrorKind, Site};
use crate::discovery::Place;
use crate::domain::ProfileArn;
use crate::inventory::{FoundProfile, Inventory, SystemProfile};
use futures_util::stream::{StreamExt, iter};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// How many sites are read at a time.
const SITES: usize = 8;

/// How many profiles of one site have their tags read at a time; the pace, not this, is what AWS limits.
const READS: usize = 8;

/// How many reads in a row may fail at a site before the rest is not tried.
const HOPELESS: usize = 32;

/// How many of the first reads may be denied, where a policy may yet allow others.
const DENIED: usize = 100;

/// How many failures of one site are told.
const TOLD: usize = 10;

/// How far reading tags has come, of all sites whose listing is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TagsRead {
    /// How many profiles have been asked for their tags, well or not.
    pub done: usize,
    /// How many profiles are listed by now.
    pub of: usize,
}

/// Whose tags are read first, and when to leave off.
#[derive(Debug, Clone, Default)]
pub struct Effort {
    /// The profiles whose tags are read; `None` is all of them. The others are found without.
    pub only: Option<BTreeSet<ProfileArn>>,
    /// When the tags of a profile were tried last. Those that never were are new and come first; where there are such,
    /// the others are left. Then comes what was tried the longest ago.
    pub tried_at: HashMap<ProfileArn, Instant>,
    /// How long new tags are read, of each site; then the look ends. `None` is to the end.
    pub for_new: Option<Duration>,
    /// How long known tags are read again.
    pub for_known: Option<Duration>,
    /// Ends it at once.
    pub stop: CancellationToken,
}

/// What was read, and what was not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Look {
    /// What there is; profiles whose tags were not read have none.
    pub found: Inventory,
    /// The places whose listing is whole.
    pub complete: BTreeSet<Place>,
    /// What failed: of the tags of each site, the first few.
    pub failures: Vec<AwsError>,
    /// The profiles whose tags were asked for, well or not.
    pub tried: Vec<ProfileArn>,
    /// How many profiles were left for another look: new ones for lack of time, known ones since there were new ones.
    pub left: usize,
}

impl Look {
    fn merge(&mut self, other: Self) {
        for (arn, profile) in other.found.profiles {
            // Two sites may see the same account; one that reads the tags is enough.
            if profile.tags.is_some() || !self.found.profiles.contains_key(&arn) {
                self.found.profiles.insert(arn, profile);
            }
        }
        self.found.systems.extend(other.found.systems);
        self.complete.extend(other.complete);
        self.failures.extend(other.failures);
        self.tried.extend(other.tried);
        self.left = self.left.saturating_add(other.left);
    }
}

/// What is counted over all sites.
struct Count<'a> {
    done: AtomicUsize,
    of: AtomicUsize,
    tell: &'a (dyn Fn(TagsRead) + Sync),
}

impl Count<'_> {
    fn listed(&self, profiles: usize) {
        self.of.fetch_add(profiles, Ordering::Relaxed);
    }

    fn read(&self) {
        let done = self.done.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        (self.tell)(TagsRead { done, of: self.of.load(Ordering::Relaxed) });
    }
}

/// How the tag reads of a site fare, to know when to leave off.
#[derive(Debug, Default)]
struct Luck {
    read: usize,
    failed_in_a_row: usize,
}

impl Luck {
    fn succeeded(&mut self) {
        self.read = self.read.saturating_add(1);
        self.failed_in_a_row = 0;
    }

    /// Tells whether there is hope for the others.
    fn failed(&mut self, error: &AwsError) -> bool {
        self.failed_in_a_row = self.failed_in_a_row.saturating_add(1);
        if matches!(error.kind, ErrorKind::AccessDenied { .. }) && error.action == Action::ListTagsForResource
        {
            self.read > 0 || self.failed_in_a_row < DENIED
        } else {
            self.failed_in_a_row < HOPELESS
        }
    }
}

/// A listed profile whose tags are to be read.
struct Turn {
    arn: ProfileArn,
    profile: FoundProfile,
    /// `None` is new.
    tried_at: Option<Instant>,
}

impl Aws {
    /// Reads all profiles of sites with their tags, and tells how that goes on. Takes minutes for ten thousands. What
    /// cannot be read loses nothing else.
    pub async fn read(&self, sites: &[Site], effort: &Effort, tell: &(dyn Fn(TagsRead) + Sync)) -> Look {
        let count = Count { done: AtomicUsize::new(0), of: AtomicUsize::new(0), tell };
        let effort = Effort { stop: effort.stop.child_token(), ..effort.clone() };
        let reads = sites.iter().map(|site| self.read_site(site, &effort, &count));
        let mut looks: Vec<Look> = iter(reads.collect::<Vec<_>>()).buffer_unordered(SITES).collect().await;
        looks.sort_by(|one, other| one.complete.cmp(&other.complete));
        let mut all = Look::default();
        for look in looks {
            all.merge(look);
        }
        all
    }

    async fn read_site(&self, site: &Site, effort: &Effort, count: &Count<'_>) -> Look {
        let mut look = Look::default();
        let listing = async {
            let (profiles, systems) = tokio::try_join!(self.profiles(site), self.systems(site))?;
            let account = self.account_of(site, &profiles, &systems).await?;
            Ok((profiles, systems, account))
        };
        let (profiles, systems, account) = match effort.stop.run_until_cancelled(listing).await {
            Some(Ok(listed)) => listed,
            Some(Err(error)) => {
                look.failures.push(error);
                return look;
            }
            None => return look,
        };
        look.complete.insert(Place { region: site.region.clone(), account });
        look.found.systems = systems;
        let is_wanted = |arn: &ProfileArn| effort.only.as_ref().is_none_or(|only| only.contains(arn));
        let (wanted, others): (BTreeMap<_, _>, BTreeMap<_, _>) =
            profiles.into_iter().partition(|(arn, _)| is_wanted(arn));
        look.found.profiles = others;
        count.listed(wanted.len());
        self.read_tags(site, turns(wanted, effort), (effort, count), &mut look).await;
        look
    }

    /// Returns the account that was listed. STS is asked only where no ARN tells.
    async fn account_of(
        &self,
        site: &Site,
        profiles: &BTreeMap<ProfileArn, FoundProfile>,
        systems: &BTreeMap<String, SystemProfile>,
    ) -> Result<String, AwsError> {
        let of_system = || systems.keys().find_map(|arn| arn.split(':').nth(4));
        let told = profiles.keys().next().map(ProfileArn::account).or_else(of_system);
        match told.filter(|account| !account.is_empty()) {
            Some(account) if site.role.is_none() => {
                let told = async || Ok(account.to_owned());
                self.0.account.get_or_try_init(told).await.cloned()
            }
            Some(account) => Ok(account.to_owned()),
            None => self.account(site).await,
        }
    }

    /// Reads the tags of profiles, and adds these to a look.
    async fn read_tags(
        &self,
        site: &Site,
        turns: Vec<Turn>,
        (effort, count): (&Effort, &Count<'_>),
        look: &mut Look,
    ) {
        let clock = self.0.access.clock;
        let (began, left_off) = (clock.instant(), effort.stop.child_token());
        let has_new = turns.first().is_some_and(|turn| turn.tried_at.is_none());
        let for_known = if has_new { Some(Duration::ZERO) } else { effort.for_known };
        let reads = turns.into_iter().map(|turn| {
            let left_off = &left_off;
            async move {
                let limit = if turn.tried_at.is_none() { effort.for_new } else { for_known };
                let left = limit.map(|limit| limit.saturating_sub(clock.instant().duration_since(began)));
                let reading = within(left, self.tags(site, &turn.arn));
                let tags = left_off.run_until_cancelled(reading).await.flatten();
                (turn, tags)
            }
        });
        let mut reads = iter(reads).buffer_unordered(READS);
        let (mut luck, mut is_hopeless) = (Luck::default(), false);
        while let Some((Turn { arn, mut profile, tried_at }, tags)) = reads.next().await {
            count.read();
            if tags.is_some() {
                look.tried.push(arn.clone());
            } else if has_new && !is_hopeless {
                look.left = look.left.saturating_add(1);
                if tried_at.is_none() {
                    // What is new is wanted soon: it is handed over before more is read, here or elsewhere.
                    effort.stop.cancel();
                }
            }
            match tags {
                Some(Ok(tags)) => {
                    luck.succeeded();
                    profile.tags = Some(tags);
                }
                // Deleted since it was listed.
                Some(Err(error)) if error.is_not_found() => continue,
                Some(Err(error)) => {
                    if !luck.failed(&error) {
                        is_hopeless = true;
                        left_off.cancel();
                    }
                    if look.failures.len() < TOLD {
                        look.failures.push(error);
                    }
                }
                None => {}
            }
            look.found.profiles.insert(arn, profile);
        }
    }
}

/// Returns the profiles in the order in which their tags are read.
fn turns(profiles: BTreeMap<ProfileArn, FoundProfile>, effort: &Effort) -> Vec<Turn> {
    let turn = |(arn, profile)| Turn { tried_at: effort.tried_at.get(&arn).copied(), arn, profile };
    let mut turns: Vec<Turn> = profiles.into_iter().map(turn).collect();
    turns.sort_by_key(|turn| turn.tried_at);
    turns
}

/// Waits as long as is left; without a limit, until it is done.
async fn within<T>(left: Option<Duration>, future: impl Future<Output = T>) -> Option<T> {
    match left {
        Some(Duration::ZERO) => None,
        Some(left) => tokio::time::timeout(left, future).await.ok(),
        None => Some(future.await),
    }
}
