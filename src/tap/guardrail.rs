//! Units that guardrails count: those of guardrail operations, and those in the traces of model calls.

use super::lenient::{Count, Lenient, Maybe, Sum, Word, readable};
use crate::domain::{ModelId, Policy};
use serde::Deserialize;
use serde_json::value::RawValue;

/// What guardrails counted: text units that are billed, and images.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Units {
    pub(super) text: u64,
    pub(super) images: u64,
    /// Text units in the order of [`Policy::ALL`]. Those of automated reasoning, which are priced alone, are not
    /// among `text`.
    pub(super) policies: [u64; Policy::ALL.len()],
}

impl Sum for Units {
    fn add(&mut self, item: Self) {
        self.text = self.text.saturating_add(item.text);
        self.images = self.images.saturating_add(item.images);
        for (policy, item) in self.policies.iter_mut().zip(item.policies) {
            *policy = policy.saturating_add(item);
        }
    }
}

/// `usage` of a guardrail, as `ApplyGuardrail`, traces and `InvokeGuardrailChecks` state it.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct GuardrailUsage {
    topic_policy_units: Count,
    content_policy_units: Count,
    word_policy_units: Count,
    sensitive_information_policy_units: Count,
    contextual_grounding_policy_units: Count,
    automated_reasoning_policy_units: Count,
    content_policy_image_units: Count,
    content_filter: Maybe<Check>,
    prompt_attack: Maybe<Check>,
    sensitive_information: Maybe<Check>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Check {
    text_units: Count,
}

impl GuardrailUsage {
    fn units(&self) -> Units {
        let in_text = Policy::ALL.into_iter().filter(|policy| *policy != Policy::AutomatedReasoning);
        let checks = [&self.content_filter, &self.prompt_attack, &self.sensitive_information]
            .map(|check| check.0.as_ref().map(|check| check.text_units).unwrap_or_default());
        let text = in_text.map(|policy| self.policy(policy)).chain(checks).filter_map(|count| count.0);
        Units {
            text: text.fold(0, u64::saturating_add),
            images: self.content_policy_image_units.0.unwrap_or(0),
            policies: Policy::ALL.map(|policy| self.policy(policy).0.unwrap_or(0)),
        }
    }

    fn policy(&self, policy: Policy) -> Count {
        match policy {
            Policy::Topic => self.topic_policy_units,
            Policy::Content => self.content_policy_units,
            Policy::SensitiveInformation => self.sensitive_information_policy_units,
            Policy::ContextualGrounding => self.contextual_grounding_policy_units,
            Policy::AutomatedReasoning => self.automated_reasoning_policy_units,
            Policy::Word => self.word_policy_units,
        }
    }
}

/// Returns the units that a guardrail's `usage` object states, or `None` where it is no object.
pub(super) fn units(statement: &RawValue) -> Option<Units> {
    serde_json::from_str::<Maybe<GuardrailUsage>>(statement.get()).ok()?.0.map(|usage| usage.units())
}

/// All `invocationMetrics.usage` in a trace's assessments, at whatever depth of ids and arrays.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Assessments(pub(super) Units);

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct AssessmentMetrics {
    usage: Maybe<GuardrailUsage>,
}

/// Whether a key is `invocationMetrics`.
#[derive(Default)]
struct IsMetrics(bool);

impl Lenient<'_> for IsMetrics {
    fn from_text(key: &str) -> Self {
        Self(key == "invocationMetrics")
    }
}

readable!(IsMetrics, Assessments);

impl<'de> Lenient<'de> for Assessments {
    fn from_array<A: serde::de::SeqAccess<'de>>(mut items: A) -> Result<Self, A::Error> {
        let mut units = Units::default();
        while let Some(item) = items.next_element::<Self>()? {
            units.add(item.0);
        }
        Ok(Self(units))
    }

    fn from_object<A: serde::de::MapAccess<'de>>(mut members: A) -> Result<Self, A::Error> {
        let mut units = Units::default();
        while let Some(IsMetrics(is_metrics)) = members.next_key()? {
            if !is_metrics {
                units.add(members.next_value::<Self>()?.0);
            } else if let Some(metrics) = members.next_value::<Maybe<AssessmentMetrics>>()?.0 {
                units.add(metrics.usage.0.map(|usage| usage.units()).unwrap_or_default());
            }
        }
        Ok(Self(units))
    }
}

/// A trace: only its guardrail's assessments matter, and the model that a prompt router called.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Trace {
    pub(super) guardrail: Assessments,
    prompt_router: Maybe<PromptRouter>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct PromptRouter {
    invoked_model_id: Word,
}

impl Trace {
    /// Returns the model that a prompt router says it called.
    pub(super) fn invoked_model(&self) -> Option<ModelId> {
        let id = self.prompt_router.0.as_ref()?.invoked_model_id.0.as_deref()?;
        ModelId::parse(id).ok()
    }
}
