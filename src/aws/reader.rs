//! What discovery reads AWS with: look after look, new profiles before known ones.

use super::{Aws, Effort, Look};
use crate::discovery::{Ask, Read, Reading};
use crate::domain::ProfileArn;
use crate::inventory::Inventory;
use futures_util::FutureExt;
use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// How long one look reads the tags of new profiles, before it hands over what it has; of looks that follow at once
/// since there are more, each reads twice as long as the one before, up to 16 times: each lists all pages again.
const FOR_NEW: Duration = Duration::from_secs(5);
const MAX_DOUBLINGS: u32 = 4;

/// When tags were tried last, over all looks.
#[derive(Debug)]
struct Tried {
    began: Instant,
    at: Mutex<HashMap<ProfileArn, Instant>>,
    /// How many looks in a row have left new profiles.
    partial: AtomicU32,
}

/// Whether a look has tried tags that were never tried before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Gained {
    New,
    Nothing,
}

impl Aws {
    /// Returns what reads for discovery; once stopped, it asks for no more.
    ///
    /// A look reads the tags of new profiles for some seconds at most, and leaves the rest to the next look; it reads
    /// those of known ones again for half of the time between two looks, the longest unread first.
    pub fn reader(&self, stop: CancellationToken) -> Read {
        let aws = self.clone();
        let tried = Arc::new(Tried {
            began: self.0.access.clock.instant(),
            at: Mutex::default(),
            partial: AtomicU32::new(0),
        });
        Box::new(move |ask| {
            let (aws, tried, stop) = (aws.clone(), Arc::clone(&tried), stop.clone());
            async move { aws.look(ask, &tried, stop).await }.boxed()
        })
    }

    async fn look(&self, ask: Ask, tried: &Tried, stop: CancellationToken) -> Reading {
        let began = self.0.access.clock.instant();
        let effort = Effort {
            only: None,
            tried_at: tried.with(&ask.before),
            for_new: Some(FOR_NEW * 2_u32.pow(tried.partial.load(Relaxed).min(MAX_DOUBLINGS))),
            for_known: Some(ask.every / 2),
            stop,
        };
        let look = self.read(&self.sites(&ask.regions), &effort, &|_| {}).await;
        tried.note(&look, began);
        let is_new = |arn: &ProfileArn| !effort.tried_at.contains_key(arn);
        let gained = if look.tried.iter().any(is_new) { Gained::New } else { Gained::Nothing };
        let reading = reading(look, ask, self.accounts(), gained);
        let partial = if reading.is_partial { tried.partial.load(Relaxed).saturating_add(1) } else { 0 };
        tried.partial.store(partial, Relaxed);
        reading
    }
}

impl Tried {
    /// Returns when tags were tried; those that an earlier run has read count as tried at the start of this one.
    fn with(&self, before: &Inventory) -> HashMap<ProfileArn, Instant> {
        let known = before.profiles.iter().filter(|(_, profile)| profile.tags.is_some());
        let mut at: HashMap<ProfileArn, Instant> = known.map(|(arn, _)| (arn.clone(), self.began)).collect();
        at.extend(self.at().iter().map(|(arn, tried)| (arn.clone(), *tried)));
        at
    }

    fn note(&self, look: &Look, at: Instant) {
        let mut known = self.at();
        if look.failures.is_empty() && look.left == 0 {
            known.retain(|arn, _| look.found.profiles.contains_key(arn));
        }
        known.extend(look.tried.iter().map(|arn| (arn.clone(), at)));
    }

    fn at(&self) -> MutexGuard<'_, HashMap<ProfileArn, Instant>> {
        self.at.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns what a look comes to; where it left new profiles and got to none, that is a failure.
fn reading(look: Look, ask: Ask, accounts: Option<BTreeSet<String>>, gained: Gained) -> Reading {
    let mut failures: Vec<String> =
        look.failures.iter().map(|error| format!("{error}; {}", error.hint())).collect();
    let is_partial = look.left > 0 && gained == Gained::New;
    if look.left > 0 && !is_partial && failures.is_empty() {
        failures.push(format!("no tags were read in time, those of {} profiles are missing", look.left));
    }
    let Look { found, complete, .. } = look;
    Reading { found, complete, regions: ask.regions, accounts, failures, is_partial }
}
