//! What many records add up to.

use crate::domain::{Money, Outcome, Record, Tokens, Unit, Usage, UsageSource};

/// Sums over records. Tokens and money include estimates; how much of the money rests on them is told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// Calls that went, or tried to go, upstream.
    pub calls: u64,
    /// Those among them that did not end well.
    pub failed_calls: u64,
    /// Those whose usage is our estimate.
    pub estimated_calls: u64,
    /// Those of whose usage nobody said anything though it was due.
    pub missing_calls: u64,
    /// Those whose usage is known and has no price.
    pub unpriced_calls: u64,
    /// Input tokens outside prompt caches.
    pub input_tokens: u64,
    /// Output tokens.
    pub output_tokens: u64,
    /// Input tokens read from a prompt cache.
    pub cache_read_tokens: u64,
    /// Input tokens written to a prompt cache for five minutes.
    pub cache_write_5m_tokens: u64,
    /// Input tokens written to a prompt cache for one hour.
    pub cache_write_1h_tokens: u64,
    /// Images.
    pub images: u64,
    /// Rerank queries.
    pub queries: u64,
    /// Guardrail text units.
    pub text_units: u64,
    /// Images that guardrails looked at.
    pub guardrail_images: u64,
    /// Estimated cost, at the price table's prices.
    pub cost: Money,
    /// The part of `cost` that rests on estimated usage.
    pub cost_of_estimates: Money,
}

impl Totals {
    /// Returns what one record adds.
    pub fn of(record: &Record) -> Self {
        let Record { usage, outcome, usage_source, cost, unpriced, .. } = record;
        Self::of_call(usage, *outcome, *usage_source, *cost, unpriced.as_deref())
    }

    /// Returns what one call adds.
    pub(super) fn of_call(
        usage: &Usage,
        outcome: Outcome,
        usage_source: UsageSource,
        cost: Option<Money>,
        unpriced: Option<&str>,
    ) -> Self {
        let Tokens { input, output, cache_read, cache_write_5m, cache_write_1h } = usage.tokens;
        let unit = |wanted| {
            let counts = usage.units.iter().filter(|(unit, _)| *unit == wanted).map(|(_, count)| *count);
            counts.fold(0, u64::saturating_add)
        };
        let is_estimated = usage_source == UsageSource::Estimated;
        let cost = cost.unwrap_or_default();
        Self {
            calls: 1,
            failed_calls: u64::from(outcome != Outcome::Ok),
            estimated_calls: u64::from(is_estimated),
            missing_calls: u64::from(usage_source == UsageSource::Missing),
            unpriced_calls: u64::from(unpriced.is_some()),
            input_tokens: input.unwrap_or(0),
            output_tokens: output.unwrap_or(0),
            cache_read_tokens: cache_read.unwrap_or(0),
            cache_write_5m_tokens: cache_write_5m.unwrap_or(0),
            cache_write_1h_tokens: cache_write_1h.unwrap_or(0),
            images: unit(Unit::Images),
            queries: unit(Unit::Queries),
            text_units: unit(Unit::TextUnits),
            guardrail_images: unit(Unit::GuardrailImages),
            cost,
            cost_of_estimates: if is_estimated { cost } else { Money::ZERO },
        }
    }

    /// Adds others.
    pub fn add(&mut self, other: &Self) {
        let counts = [
            (&mut self.calls, other.calls),
            (&mut self.failed_calls, other.failed_calls),
            (&mut self.estimated_calls, other.estimated_calls),
            (&mut self.missing_calls, other.missing_calls),
            (&mut self.unpriced_calls, other.unpriced_calls),
            (&mut self.input_tokens, other.input_tokens),
            (&mut self.output_tokens, other.output_tokens),
            (&mut self.cache_read_tokens, other.cache_read_tokens),
            (&mut self.cache_write_5m_tokens, other.cache_write_5m_tokens),
            (&mut self.cache_write_1h_tokens, other.cache_write_1h_tokens),
            (&mut self.images, other.images),
            (&mut self.queries, other.queries),
            (&mut self.text_units, other.text_units),
            (&mut self.guardrail_images, other.guardrail_images),
        ];
        for (sum, count) in counts {
            *sum = sum.saturating_add(count);
        }
        self.cost += other.cost;
        self.cost_of_estimates += other.cost_of_estimates;
    }
}
