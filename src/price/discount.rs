//! Percent discounts.

use super::row::Days;
use crate::domain::{ModelId, Money, ServiceName};
use std::fmt;

/// Millionths of a percent in the whole.
const WHOLE: u64 = 100_000_000;

/// A percentage, 0 to 100, with at most 6 decimals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Percent(u64);

impl Percent {
    /// Returns the percentage that a text states.
    pub fn parse(text: &str) -> Option<Self> {
        let picos = Money::parse(text).ok()?.picos();
        let millionths = u64::try_from(picos / 1_000_000).ok()?;
        (picos % 1_000_000 == 0 && millionths <= WHOLE).then_some(Self(millionths))
    }

    /// Returns a price less the percentage, rounded half to even once.
    pub fn off(self, price: Money) -> Option<Money> {
        price.scaled(WHOLE.saturating_sub(self.0), WHOLE)
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let picos = i128::from(self.0).saturating_mul(1_000_000);
        write!(f, "{}%", Money::from_picos(picos))
    }
}

/// Which models a discount is for; later ones say more, and win.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Models {
    /// Every model.
    All,
    /// Those of a vendor: what stands before the first dot of a foundation model's id.
    Vendor(String),
    /// Those whose id, with or without its geography, fits a pattern in which `*` stands for any text. The longer
    /// pattern says more.
    Pattern(usize, String),
}

impl Models {
    /// Returns what a pattern stands for.
    pub(super) fn pattern(text: &str) -> Self {
        Self::Pattern(text.len(), text.to_owned())
    }

    fn hold(&self, model: &ModelId) -> bool {
        match self {
            Self::All => true,
            Self::Vendor(vendor) => {
                model.foundation_model().split_once('.').is_some_and(|(first, _)| first == vendor)
            }
            Self::Pattern(_, pattern) => {
                fits(pattern, model.bare()) || fits(pattern, model.foundation_model())
            }
        }
    }
}

impl fmt::Display for Models {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all models"),
            Self::Vendor(vendor) => write!(f, "vendor {vendor}"),
            Self::Pattern(_, pattern) => f.write_str(pattern),
        }
    }
}

/// Tells whether a text is what a pattern says, `*` standing for any text.
fn fits(pattern: &str, text: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else { return pattern == text };
    let (middle, end) = rest.rsplit_once('*').unwrap_or(("", rest));
    let inner = text.strip_prefix(start).and_then(|text| text.strip_suffix(end));
    let after = |text: &'_ str, part: &str| text.find(part).map(|at| at.saturating_add(part.len()));
    let mut left = inner;
    for part in middle.split('*') {
        left = left.and_then(|text| text.get(after(text, part)?..));
    }
    left.is_some()
}

/// One discount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Discount {
    /// Which models it is for.
    pub models: Models,
    /// The service that it is for; absent: every service.
    pub service: Option<ServiceName>,
    /// When it holds.
    pub days: Days,
    /// How much less is paid.
    pub percent: Percent,
}

impl Discount {
    /// Tells whether it is for a service's calls of a model.
    pub(super) fn is_for(&self, service: Option<&ServiceName>, model: &ModelId) -> bool {
        self.service.as_ref().is_none_or(|own| service == Some(own)) && self.models.hold(model)
    }

    /// Returns what the one that holds is greatest by: a service's own, then what says more of the model, then the
    /// latest.
    pub(super) fn weight(&self) -> impl Ord {
        (self.service.is_some(), self.models.clone(), self.days.from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentage_is_exact_and_within_bounds() {
        for (text, shown) in [("0", "0%"), ("12.5", "12.5%"), ("100", "100%"), ("0.000001", "0.000001%")] {
            assert_eq!(Percent::parse(text).unwrap().to_string(), shown);
        }
        for bad in ["-1", "100.1", "1e1", "", "0.0000001", "12,5", "10%"] {
            assert_eq!(Percent::parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn a_discounted_price_is_rounded_half_to_even_once() {
        let off = |percent: &str, picos| {
            Percent::parse(percent).unwrap().off(Money::from_picos(picos)).unwrap().picos()
        };
        assert_eq!([off("50", 1), off("50", 3), off("12.5", 3_300_000), off("100", 7)], [0, 2, 2_887_500, 0]);
    }

    #[test]
    fn stars_stand_for_any_text() {
        for (pattern, text) in [
            ("*", ""),
            ("anthropic.*", "anthropic.claude"),
            ("*claude*-v1:0", "us.claude-3-v1:0"),
            ("a", "a"),
        ] {
            assert!(fits(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [("a*b", "ac"), ("a", "ab"), ("", "a"), ("anthropic.*", "us.anthropic.x")] {
            assert!(!fits(pattern, text), "{pattern} {text}");
        }
    }
}
