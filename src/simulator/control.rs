//! Bedrock's control plane, with the little of STS and Cost Explorer that goes with it: profiles are made,
//! read, tagged and deleted, per account and region.
//!
//! Clients of these operations add no headers, so what goes wrong is told to [`ControlPlane`], while it runs.

mod action;
mod bedrock;
mod callers;
mod cost;
mod estate;
mod gate;
mod patterns;
mod plane;
mod sts;
mod system;

#[cfg(test)]
mod billing_tests;
#[cfg(test)]
mod fault_tests;
#[cfg(test)]
mod tests;

use super::calls::Call;
use super::models::Answer;
use super::refusal::Refusal;
use super::{Settings, SimulatedProfile};
use crate::domain::{InvalidProfileArn, Region};
pub use action::Action;
pub(super) use callers::Caller;
use callers::Callers;
use cost::Billing;
use estate::Estate;
pub(super) use gate::Entered;
use gate::Gate;
pub use gate::{Failure, Trouble};
pub(super) use plane::Plane;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A request whose signature holds: for where, and by whom.
#[derive(Debug)]
pub(super) struct Signed {
    /// The region that it was signed for.
    pub(super) region: Region,
    /// Who signed.
    pub(super) caller: Arc<Caller>,
}

/// A request to be answered.
#[derive(Debug)]
pub(super) struct Order<'a> {
    /// The request.
    pub(super) call: &'a Call,
    /// What it is for.
    pub(super) action: Action,
    /// By whom and for where.
    pub(super) signed: &'a Signed,
    /// The answer's id.
    pub(super) request_id: &'a str,
    /// When it came, since the Unix epoch.
    pub(super) now: Duration,
}

impl Order<'_> {
    fn region(&self) -> &Region {
        &self.signed.region
    }

    fn account(&self) -> &str {
        &self.signed.caller.account
    }

    /// Returns an ARN of the region as far as the slash.
    fn arn_head(&self, account: &str, kind: &str) -> String {
        format!("arn:{}:bedrock:{}:{account}:{kind}", self.region().partition(), self.region())
    }

    /// Returns an ARN of the caller's account in the region.
    fn arn(&self, kind: &str, id: &str) -> String {
        format!("{}/{id}", self.arn_head(self.account(), kind))
    }

    /// Returns what a policy would have to allow the action on.
    fn resource(&self) -> String {
        match self.action {
            Action::AssumeRole => self.call.form("RoleArn").unwrap_or_default(),
            Action::GetCallerIdentity => "*".to_owned(),
            Action::ListCostAllocationTags
            | Action::UpdateCostAllocationTagsStatus
            | Action::StartCostAllocationTagBackfill => {
                format!("arn:aws:ce:us-east-1:{}:/{}", self.account(), self.action.name())
            }
            Action::ListFoundationModels => self.arn_head("", "foundation-model/*"),
            Action::CreateInferenceProfile => self.arn("application-inference-profile", "*"),
            Action::DeleteInferenceProfile
            | Action::GetInferenceProfile
            | Action::ListInferenceProfiles
            | Action::ListTagsForResource
            | Action::TagResource
            | Action::UntagResource => self.arn("inference-profile", "*"),
        }
    }

    /// Says that no policy allows the action on a resource.
    fn denied(&self, resource: &str) -> Refusal {
        let refusal = Refusal::denied(&self.signed.caller.arn, &self.action.permission(), resource);
        match self.action.plane() {
            Plane::Bedrock => refusal,
            Plane::Sts => Refusal { kind: "AccessDenied", ..refusal },
            Plane::CostExplorer => Refusal { status: 400, ..refusal },
        }
    }
}

/// A running simulator's control plane, to be looked into and steered; clones are the same one.
#[derive(Debug, Clone)]
pub struct ControlPlane(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    callers: Callers,
    estate: Mutex<Estate>,
    gate: Mutex<Gate>,
    /// By account.
    billing: Mutex<BTreeMap<String, Billing>>,
    /// The source of every profile that is not in the estate.
    other_profiles: Option<String>,
    /// How long roles are lent, in place of what is asked for.
    lease: Mutex<Option<Duration>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl ControlPlane {
    /// Sets up what a simulator is started with.
    pub(super) fn new(settings: &Settings) -> Result<Self, InvalidProfileArn> {
        let account = settings.account.clone();
        let (callers, mut estate) = (Callers::default(), Estate::default());
        callers.add(Caller {
            credentials: settings.credentials.clone(),
            arn: format!("arn:aws:iam::{account}:user/simulator"),
            user_id: "AIDASIMULATOR".to_owned(),
            tags: BTreeMap::new(),
            expires: None,
            account,
        });
        for profile in &settings.profiles {
            estate.add_simulated(profile.clone())?;
        }
        Ok(Self(Arc::new(Inner {
            callers,
            estate: Mutex::new(estate),
            gate: Mutex::default(),
            billing: Mutex::default(),
            other_profiles: settings.other_profiles.clone(),
            lease: Mutex::default(),
        })))
    }

    fn callers(&self) -> &Callers {
        &self.0.callers
    }

    fn estate(&self) -> MutexGuard<'_, Estate> {
        lock(&self.0.estate)
    }

    fn gate(&self) -> MutexGuard<'_, Gate> {
        lock(&self.0.gate)
    }

    fn billing(&self) -> MutexGuard<'_, BTreeMap<String, Billing>> {
        lock(&self.0.billing)
    }

    fn is(&self, trouble: Trouble) -> bool {
        self.gate().is(trouble)
    }

    /// Returns who has an access key.
    pub(super) fn caller(&self, access_key: &str) -> Option<Arc<Caller>> {
        self.callers().get(access_key)
    }

    /// Returns what the application inference profile with that ARN was made from.
    pub(super) fn source_of(&self, arn: &str) -> Option<String> {
        let found = self.estate().get(arn).map(|profile| profile.source_model.clone());
        found.or_else(|| self.0.other_profiles.clone())
    }

    /// Lends roles from now on for that long, whatever is asked for; AWS lends none for less than 15 minutes.
    pub fn lend_for(&self, lease: Duration) {
        *lock(&self.0.lease) = Some(lease);
    }

    /// Answers a request, or fails as it is told to.
    pub(super) fn answer(&self, order: &Order<'_>, entered: &Entered) -> Result<Answer, Refusal> {
        if let Some(refusal) = entered.refusal(order) {
            return Err(refusal);
        }
        let bedrock = |value| Answer::json(&value);
        let cost = |value| plane::cost_answer(&value);
        match order.action {
            Action::CreateInferenceProfile => {
                let made = self.create_profile(order)?;
                Ok(Answer { status: 201, ..Answer::json(&made) })
            }
            Action::GetInferenceProfile => self.get_profile(order).map(bedrock),
            Action::DeleteInferenceProfile => self.delete_profile(order).map(bedrock),
            Action::ListInferenceProfiles => self.list_profiles(order).map(bedrock),
            Action::ListFoundationModels => Ok(bedrock(bedrock::foundation_models(order))),
            Action::ListTagsForResource => self.list_tags(order).map(bedrock),
            Action::TagResource => self.tag(order).map(bedrock),
            Action::UntagResource => self.untag(order).map(bedrock),
            Action::AssumeRole => self.assume_role(order),
            Action::GetCallerIdentity => Ok(sts::caller_identity(order)),
            Action::ListCostAllocationTags => self.list_cost_tags(order).map(cost),
            Action::UpdateCostAllocationTagsStatus => self.update_cost_tags(order).map(cost),
            Action::StartCostAllocationTagBackfill => self.start_backfill(order).map(cost),
        }
    }

    /// Returns the application inference profiles of all accounts and regions, the oldest first.
    pub fn profiles(&self) -> Vec<SimulatedProfile> {
        let estate = self.estate();
        let profiles = estate.all().map(|profile| SimulatedProfile {
            arn: profile.arn.to_string(),
            source_model: profile.source_model.clone(),
            tags: profile.tags.clone(),
        });
        profiles.collect()
    }

    /// Returns the name of the profile with that ARN.
    pub fn name_of(&self, arn: &str) -> Option<String> {
        self.estate().get(arn).map(|profile| profile.name.clone())
    }

    /// Adds a profile, in the place of one that has its ARN.
    pub fn add(&self, profile: SimulatedProfile) -> Result<(), InvalidProfileArn> {
        self.estate().add_simulated(profile)
    }

    /// Removes the profile with that ARN; tells whether there was one.
    pub fn remove(&self, arn: &str) -> bool {
        self.estate().remove(arn).is_some()
    }

    /// Gives the profile with that ARN other tags; tells whether there is one.
    pub fn retag(&self, arn: &str, tags: BTreeMap<String, String>) -> bool {
        self.estate().get_mut(arn).is_some_and(|profile| {
            profile.tags = tags;
            true
        })
    }

    /// Lets profiles that are made from now on be `CREATING` for that many reads of each, before they are `ACTIVE`.
    ///
    /// AWS documents no status but `ACTIVE`, so this stands for whatever another might be called. Every mention in
    /// an answer of `GetInferenceProfile` or `ListInferenceProfiles` is a read. Model calls are served all the same.
    pub fn delay_readiness(&self, reads: u32) {
        self.estate().unready_reads = reads;
    }
}
