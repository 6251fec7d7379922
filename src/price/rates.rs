//! What one call costs.

use super::meter::Meter;
use super::row::Tier;
use super::timeline::{InForce, Timeline};
use crate::domain::{Charge, Money, Picture, Policy, Record, Tokens, Unit, Usage, UsageSource};
use std::sync::Arc;
use time::OffsetDateTime;

/// The most that one call can plausibly cost: what is above comes of a count that no model could have reached.
const MOST: Money = Money::from_picos(10_000 * 1_000_000_000_000);

/// What the row of guardrails is called.
pub(super) const GUARDRAILS: &str = "guardrails";

/// What a call used, as its response says.
#[derive(Debug, Clone, Copy)]
pub struct Used<'a> {
    /// When it started.
    pub at: OffsetDateTime,
    /// How much it used.
    pub usage: &'a Usage,
    /// The service tier.
    pub service_tier: Option<&'a str>,
    /// The latency tier.
    pub latency_tier: Option<&'a str>,
    /// The pictures that were asked for.
    pub picture: Option<&'a Picture>,
}

/// The prices of one model for one service in one region; cheap to keep and to clone.
#[derive(Debug, Clone)]
pub struct Rates(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    model: Arc<str>,
    timeline: Timeline,
    guardrails: Timeline,
    reserved: Arc<str>,
}

/// What has no price.
#[derive(Debug, Clone, Copy)]
enum Unpriced<'a> {
    /// The model.
    Model,
    /// Its calls of a service tier.
    ServiceTier(&'a str),
    /// Its calls of a latency tier.
    LatencyTier(&'a str),
    /// Its calls of a tier whose input is above the row's threshold.
    LongInput(Tier),
    /// One of its units.
    Unit(&'static str),
    /// One of the guardrails' units.
    Guardrail(&'static str),
    /// Nothing, but the amount cannot be.
    Implausible,
}

/// A sum, and the prices that it was computed with.
type Priced<'a> = Result<(Money, Option<&'a Arc<str>>), Unpriced<'a>>;

impl Rates {
    pub(super) fn new(model: Option<&str>, timeline: Timeline, guardrails: Timeline) -> Self {
        let model = model.unwrap_or("no model").into();
        Self(Arc::new(Inner { model, timeline, guardrails, reserved: "reserved".into() }))
    }

    /// Returns what is in force at a moment, if the model has a price.
    pub fn in_force(&self, at: OffsetDateTime) -> Option<&InForce> {
        self.0.timeline.at(at)
    }

    /// Returns what a call costs; nothing at all where nothing was said of what it used.
    ///
    /// Not for calls whose usage is missing or not applicable: of them a part may be known, and would look like all.
    pub fn charge(&self, used: &Used<'_>) -> Charge {
        if used.usage.is_empty() {
            return Charge::default();
        }
        match self.sum(used) {
            Ok((cost, price_id)) => Charge { cost: Some(cost), price_id, unpriced: None },
            Err(unpriced) => Charge { unpriced: Some(self.unpriced(unpriced)), ..Charge::default() },
        }
    }

    /// Returns what a record's call costs at these rates: nothing at all where nothing is due, or its usage is missing.
    pub fn charge_record(&self, record: &Record) -> Charge {
        let due = record.operation.is_billable() && record.usage_missing.is_none();
        if !due || matches!(record.usage_source, UsageSource::Missing | UsageSource::NotApplicable) {
            return Charge::default();
        }
        self.charge(&Used {
            at: record.started_at,
            usage: &record.usage,
            service_tier: record.service_tier.as_deref(),
            latency_tier: record.latency_tier.as_deref(),
            picture: record.picture.as_ref(),
        })
    }

    fn sum<'a>(&'a self, used: &Used<'a>) -> Result<(Money, Option<Arc<str>>), Unpriced<'a>> {
        let (model, model_id) = self.model(used)?;
        let (guardrails, guardrails_id) = self.guardrails(used)?;
        let cost = model.checked_add(guardrails).filter(|cost| *cost <= MOST);
        let id = match (model_id, guardrails_id) {
            (Some(model), Some(guardrails)) => Some(format!("{model}+{guardrails}").into()),
            (id, None) | (None, id) => id.cloned(),
        };
        Ok((cost.ok_or(Unpriced::Implausible)?, id))
    }

    /// Returns what the model's own units cost.
    fn model<'a>(&'a self, used: &Used<'a>) -> Priced<'a> {
        let in_force = self.in_force(used.at);
        let units = [Unit::Images, Unit::Queries].map(|unit| count(used.usage, unit));
        if total(&used.usage.tokens) == 0 && units == [0, 0] {
            let said = !used.usage.tokens.is_empty();
            return Ok((Money::ZERO, in_force.filter(|_| said).map(|in_force| &in_force.id)));
        }
        if used.service_tier == Some("reserved") {
            let id = in_force.map_or(&self.0.reserved, |in_force| &in_force.reserved_id);
            return Ok((Money::ZERO, Some(id)));
        }
        let in_force = in_force.ok_or(Unpriced::Model)?;
        let tier = tier(in_force, used)?;
        let mut sum = Money::ZERO;
        for (meter, count) in tokens(&used.usage.tokens) {
            sum = add(sum, count, || in_force.price(tier, meter), Unpriced::Unit(meter.name()))?;
        }
        let [images, queries] = units;
        let image = || in_force.image(tier, used.picture);
        sum = add(sum, images, image, Unpriced::Unit(Meter::Images.name()))?;
        let query = || in_force.price(tier, Meter::Queries);
        sum = add(sum, queries, query, Unpriced::Unit(Meter::Queries.name()))?;
        Ok((sum, Some(&in_force.id)))
    }

    /// Returns what guardrails cost.
    fn guardrails<'a>(&'a self, used: &Used<'a>) -> Priced<'a> {
        let usage = used.usage;
        let (text, images) = (count(usage, Unit::TextUnits), count(usage, Unit::GuardrailImages));
        if text == 0 && images == 0 && usage.policies.iter().all(|(_, units)| *units == 0) {
            return Ok((Money::ZERO, None));
        }
        if told(usage) < text {
            return Err(Unpriced::Guardrail(Unit::TextUnits.name()));
        }
        let prices = self.0.guardrails.at(used.at).ok_or(Unpriced::Guardrail(Unit::TextUnits.name()))?;
        let policy = |(policy, units): &(Policy, u64)| (Meter::Policy(*policy), *units);
        let counts = usage.policies.iter().map(policy).chain([(Meter::GuardrailImages, images)]);
        let mut sum = Money::ZERO;
        for (meter, count) in counts {
            let price = || prices.price(Tier::Standard, meter);
            sum = add(sum, count, price, Unpriced::Guardrail(meter.name()))?;
        }
        Ok((sum, Some(&prices.id)))
    }

    fn unpriced(&self, what: Unpriced<'_>) -> Arc<str> {
        let model = &self.0.model;
        match what {
            Unpriced::Model => Arc::clone(model),
            Unpriced::ServiceTier(tier) => format!("{model} service tier {tier}").into(),
            Unpriced::LatencyTier(tier) => format!("{model} latency {tier}").into(),
            Unpriced::LongInput(tier) => format!("{model} long input in tier {}", tier.name()).into(),
            Unpriced::Unit(unit) => format!("{model} {unit}").into(),
            Unpriced::Guardrail(unit) => format!("{GUARDRAILS} {unit}").into(),
            Unpriced::Implausible => format!("{model} implausible usage").into(),
        }
    }
}

/// Returns the tier that a call is charged in, or what the row has no price for. It has none for two tiers together:
/// neither service with latency, nor either with long input.
fn tier<'a>(in_force: &InForce, used: &Used<'a>) -> Result<Tier, Unpriced<'a>> {
    let listed = |tier: Tier| in_force.prices.lists(tier).then_some(Some(tier));
    let service = match used.service_tier {
        None | Some("default" | "standard") => None,
        Some("priority") => listed(Tier::Priority).ok_or(Unpriced::ServiceTier("priority"))?,
        Some("flex") => listed(Tier::Flex).ok_or(Unpriced::ServiceTier("flex"))?,
        Some(other) => return Err(Unpriced::ServiceTier(other)),
    };
    let latency = match used.latency_tier {
        None | Some("standard") => None,
        Some("optimized") => listed(Tier::Optimized).ok_or(Unpriced::LatencyTier("optimized"))?,
        Some(other) => return Err(Unpriced::LatencyTier(other)),
    };
    if let (Some(_), Some(_)) = (service, latency) {
        return Err(Unpriced::LatencyTier("optimized"));
    }
    let is_long = in_force.prices.long_above.is_some_and(|above| input(&used.usage.tokens) > above);
    match service.or(latency) {
        Some(tier) if is_long => Err(Unpriced::LongInput(tier)),
        Some(tier) => Ok(tier),
        None if is_long => Ok(Tier::Long),
        None => Ok(Tier::Standard),
    }
}

impl InForce {
    /// Returns a unit's price in a tier; the standard one where the tier has none of its own for it.
    fn price(&self, tier: Tier, meter: Meter) -> Option<Money> {
        self.prices.get(tier, meter).or_else(|| self.prices.get(Tier::Standard, meter))
    }

    fn image(&self, tier: Tier, picture: Option<&Picture>) -> Option<Money> {
        let own = picture.and_then(|picture| self.prices.image(picture));
        own.or_else(|| self.price(tier, Meter::Images))
    }
}

/// Adds a count of something at its price; what was not used needs no price.
fn add(
    sum: Money,
    count: u64,
    price: impl FnOnce() -> Option<Money>,
    unpriced: Unpriced<'_>,
) -> Result<Money, Unpriced<'_>> {
    if count == 0 {
        return Ok(sum);
    }
    let cost = price().ok_or(unpriced)?.checked_mul(count);
    cost.and_then(|cost| sum.checked_add(cost)).ok_or(Unpriced::Implausible)
}

fn tokens(tokens: &Tokens) -> [(Meter, u64); 5] {
    [
        (Meter::Input, tokens.input),
        (Meter::Output, tokens.output),
        (Meter::CacheRead, tokens.cache_read),
        (Meter::CacheWrite5m, tokens.cache_write_5m),
        (Meter::CacheWrite1h, tokens.cache_write_1h),
    ]
    .map(|(meter, count)| (meter, count.unwrap_or(0)))
}

/// Returns all input tokens: those from and for caches, too.
fn input(tokens: &Tokens) -> u64 {
    total(&Tokens { output: None, ..*tokens })
}

fn total(stated: &Tokens) -> u64 {
    tokens(stated).iter().fold(0, |sum, (_, count)| sum.saturating_add(*count))
}

/// Returns of how many text units the policy is known.
fn told(usage: &Usage) -> u64 {
    let in_text = usage.policies.iter().filter(|(policy, _)| *policy != Policy::AutomatedReasoning);
    in_text.fold(0, |sum, (_, units)| sum.saturating_add(*units))
}

fn count(usage: &Usage, unit: Unit) -> u64 {
    usage.units.iter().find(|(of, _)| *of == unit).map_or(0, |(_, count)| *count)
}
