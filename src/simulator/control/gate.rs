//! What every request passes before it is answered: counts, delays, throttles and failures.

use super::super::refusal::Refusal;
use super::action::Action;
use super::plane::Plane;
use super::{ControlPlane, Order};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

/// The span of time in which a throttle counts.
const SECOND: Duration = Duration::from_secs(1);

/// Something that is wrong with the control plane as long as it is told to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trouble {
    /// Connections are reset in place of an answer, and nothing is done. The runtime goes on.
    Down,
    /// What is asked for is done, and then the connection is reset in place of the answer.
    AnswersLost,
    /// `ListInferenceProfiles` lists profiles of both types, whichever was asked for.
    TypeFilterIgnored,
    /// `ListTagsForResource` answers with no tags.
    TagsHidden,
    /// Profiles are made without the tags that they were to have.
    TagsLostAtCreation,
    /// Cost Explorer knows no tag keys but those that it knew before, as it does for a day after their first use.
    CostTagsLate,
}

/// The error with which an action fails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// 403: no policy allows the action, in AWS's words.
    AccessDenied,
    /// 429: too many calls.
    Throttled,
    /// 500: something inside.
    InternalError,
    /// 503: not there.
    Unavailable,
    /// Any other.
    Other {
        /// The HTTP status.
        status: u16,
        /// The exception's name.
        kind: &'static str,
        /// What it says.
        message: String,
    },
}

impl Failure {
    /// Words the error as the service of that action does.
    fn refusal(&self, order: &Order<'_>) -> Refusal {
        let plane = order.action.plane();
        let (status, kind, message) = match (self, plane) {
            (Self::AccessDenied, _) => return order.denied(&order.resource()),
            (Self::Throttled, Plane::Bedrock) => (429, "ThrottlingException", "Too many requests"),
            (Self::Throttled, Plane::Sts) => (400, "Throttling", "Rate exceeded"),
            (Self::Throttled, Plane::CostExplorer) => (400, "ThrottlingException", "Rate exceeded"),
            (Self::InternalError, Plane::Bedrock) => (500, "InternalServerException", "Internal error"),
            (Self::InternalError, _) => (500, "InternalFailure", "Internal error"),
            (Self::Unavailable, Plane::Bedrock) => (503, "ServiceUnavailableException", "Unavailable"),
            (Self::Unavailable, _) => (503, "ServiceUnavailable", "Unavailable"),
            (Self::Other { status, kind, message }, _) => (*status, *kind, message.as_str()),
        };
        Refusal { status, kind, message: message.to_owned() }
    }
}

/// What goes wrong with one action.
#[derive(Debug, Default)]
struct Faults {
    delay: Duration,
    /// How many calls a second are answered, and when those of the last second came.
    throttle: Option<(usize, VecDeque<Instant>)>,
    /// The error, and how many more calls have it; `None` is all of them.
    failure: Option<(Failure, Option<u64>)>,
}

impl Faults {
    fn verdict(&mut self, now: Instant) -> Option<Failure> {
        if let Some((per_second, admitted)) = &mut self.throttle {
            while admitted.front().is_some_and(|at| now.saturating_duration_since(*at) >= SECOND) {
                admitted.pop_front();
            }
            if admitted.len() >= *per_second {
                return Some(Failure::Throttled);
            }
            admitted.push_back(now);
        }
        match &mut self.failure {
            None | Some((_, Some(0))) => None,
            Some((failure, None)) => Some(failure.clone()),
            Some((failure, Some(left))) => {
                *left = left.saturating_sub(1);
                Some(failure.clone())
            }
        }
    }
}

/// What came, and what is to go wrong.
#[derive(Debug, Default)]
pub(super) struct Gate {
    calls: BTreeMap<Action, u64>,
    in_flight: u64,
    most_in_flight: u64,
    faults: BTreeMap<Action, Faults>,
    troubles: BTreeSet<Trouble>,
}

impl Gate {
    pub(super) fn is(&self, trouble: Trouble) -> bool {
        self.troubles.contains(&trouble)
    }

    fn leave(&mut self) {
        self.in_flight = self.in_flight.saturating_sub(1);
    }
}

/// A call that came and is not answered yet.
#[derive(Debug)]
pub(in crate::simulator) struct Entered {
    plane: ControlPlane,
    /// What it is for.
    pub(in crate::simulator) action: Action,
    /// How long its answer is held back.
    pub(in crate::simulator) delay: Duration,
    /// Whether it gets a reset in place of an answer, and has no effect.
    pub(in crate::simulator) is_down: bool,
    /// Whether it gets one after it has been carried out.
    pub(in crate::simulator) is_lost: bool,
    failure: Option<Failure>,
}

impl Entered {
    /// Returns the error with which it is to fail, if it is.
    pub(super) fn refusal(&self, order: &Order<'_>) -> Option<Refusal> {
        Some(self.failure.as_ref()?.refusal(order))
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        self.plane.gate().leave();
    }
}

impl ControlPlane {
    /// Counts a call and decides what goes wrong with it.
    pub(in crate::simulator) fn enter(&self, action: Action, now: Instant) -> Entered {
        let mut gate = self.gate();
        let calls = gate.calls.entry(action).or_default();
        *calls = calls.saturating_add(1);
        gate.in_flight = gate.in_flight.saturating_add(1);
        gate.most_in_flight = gate.most_in_flight.max(gate.in_flight);
        let (is_down, is_lost) = (gate.is(Trouble::Down), gate.is(Trouble::AnswersLost));
        let faults = gate.faults.get_mut(&action);
        let (delay, failure) =
            faults.map_or((Duration::ZERO, None), |faults| (faults.delay, faults.verdict(now)));
        drop(gate);
        Entered { plane: self.clone(), action, delay, is_down, is_lost, failure }
    }

    /// Returns how many calls of an action came, however they were answered.
    pub fn calls_of(&self, action: Action) -> u64 {
        self.gate().calls.get(&action).copied().unwrap_or(0)
    }

    /// Returns how many calls came, by AWS's names of the actions; those that never came are absent.
    pub fn calls(&self) -> BTreeMap<&'static str, u64> {
        self.gate().calls.iter().map(|(action, calls)| (action.name(), *calls)).collect()
    }

    /// Returns how many calls at most were unanswered at one time, of all actions together.
    pub fn most_in_flight(&self) -> u64 {
        self.gate().most_in_flight
    }

    /// Counts from zero again.
    pub fn forget_calls(&self) {
        let mut gate = self.gate();
        gate.calls.clear();
        gate.most_in_flight = gate.in_flight;
    }

    /// Answers at most that many calls of an action within any second, and the others with 429.
    pub fn throttle(&self, action: Action, per_second: usize) {
        self.gate().faults.entry(action).or_default().throttle = Some((per_second, VecDeque::new()));
    }

    /// Lets an action fail until [`ControlPlane::heal`].
    pub fn fail(&self, action: Action, failure: Failure) {
        self.gate().faults.entry(action).or_default().failure = Some((failure, None));
    }

    /// Lets the next calls of an action fail, that many.
    pub fn fail_next(&self, action: Action, calls: u64, failure: Failure) {
        self.gate().faults.entry(action).or_default().failure = Some((failure, Some(calls)));
    }

    /// Holds every answer of an action back for that long.
    pub fn slow(&self, action: Action, delay: Duration) {
        self.gate().faults.entry(action).or_default().delay = delay;
    }

    /// Lets something be wrong until [`ControlPlane::end`] or [`ControlPlane::heal`].
    pub fn begin(&self, trouble: Trouble) {
        self.gate().troubles.insert(trouble);
    }

    /// Ends that trouble.
    pub fn end(&self, trouble: Trouble) {
        self.gate().troubles.remove(&trouble);
    }

    /// Ends all throttles, failures, delays and troubles.
    pub fn heal(&self) {
        let mut gate = self.gate();
        gate.faults.clear();
        gate.troubles.clear();
    }
}
