//! One row of the price table: the prices of a model from a date on.

use super::Meter;
use crate::domain::{Money, Picture, Region, ServiceName};
use std::sync::Arc;
use time::{Date, OffsetDateTime};

/// Under which of a model's prices a call falls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tier {
    /// Where nothing else is stated.
    Standard,
    /// All of a call whose input is above the row's threshold.
    Long,
    /// Service tier `priority`.
    Priority,
    /// Service tier `flex`.
    Flex,
    /// Batch jobs.
    Batch,
    /// Latency-optimised inference.
    Optimized,
    /// The `ultrafast` tier.
    Ultrafast,
    /// The `ultrafast` tier above the row's threshold.
    UltrafastLong,
}

impl Tier {
    /// Every tier, in the order in which prices are shown.
    pub const ALL: [Self; 8] = [
        Self::Standard,
        Self::Long,
        Self::Priority,
        Self::Flex,
        Self::Batch,
        Self::Optimized,
        Self::Ultrafast,
        Self::UltrafastLong,
    ];

    /// Returns the tier's name, as price files spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::Long => "long",
            Self::Priority => "priority",
            Self::Flex => "flex",
            Self::Batch => "batch",
            Self::Optimized => "optimized",
            Self::Ultrafast => "ultrafast",
            Self::UltrafastLong => "ultrafast_long",
        }
    }
}

/// How a row's prices are sold; calls of the gateway are on demand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Sold {
    /// Through the Bedrock runtime, by what is used.
    #[default]
    OnDemand,
    /// Through the bedrock-mantle endpoint.
    Mantle,
    /// As provisioned throughput, bound for a month.
    OneMonth,
    /// As provisioned throughput, bound for six months.
    SixMonths,
}

impl Sold {
    /// Every way, in the order of declaration.
    pub const ALL: [Self; 4] = [Self::OnDemand, Self::Mantle, Self::OneMonth, Self::SixMonths];

    /// Returns the way's name, as price files spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::OnDemand => "on-demand",
            Self::Mantle => "mantle",
            Self::OneMonth => "1-month-commitment",
            Self::SixMonths => "6-month-commitment",
        }
    }
}

/// Where a row stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// In the table that is built in.
    BuiltIn,
    /// In the overrides file.
    Override,
}

/// The price of an image of some kind; what is absent does not matter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImagePrice {
    /// The most pixels: width times height.
    pub pixels: Option<u64>,
    /// The most diffusion steps.
    pub steps: Option<u32>,
    /// The quality that was asked for.
    pub quality: Option<String>,
    /// USD per image.
    pub price: Money,
}

impl ImagePrice {
    fn fits(&self, picture: &Picture) -> bool {
        let pixels = u64::from(picture.width).saturating_mul(picture.height.into());
        let steps = |most| picture.steps.is_some_and(|steps| steps <= most);
        self.pixels.is_none_or(|most| pixels <= most)
            && self.steps.is_none_or(steps)
            && self.quality.as_ref().is_none_or(|quality| picture.quality.as_ref() == Some(quality))
    }
}

/// Prices in USD per single unit.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Prices {
    /// By tier and meter.
    pub units: Vec<(Tier, Meter, Money)>,
    /// By kind of image; the first that fits holds.
    pub images: Vec<ImagePrice>,
    /// The input tokens, cached ones among them, above which the long prices hold.
    pub long_above: Option<u64>,
}

impl Prices {
    /// Returns the price of a unit in exactly that tier.
    pub fn get(&self, tier: Tier, meter: Meter) -> Option<Money> {
        self.units.iter().find(|(at, of, _)| *at == tier && *of == meter).map(|(_, _, price)| *price)
    }

    /// Tells whether a tier has a price at all.
    pub fn lists(&self, tier: Tier) -> bool {
        self.units.iter().any(|(at, _, _)| *at == tier)
    }

    /// Returns the price of one such image, where that depends on its kind.
    pub fn image(&self, picture: &Picture) -> Option<Money> {
        self.images.iter().find(|image| image.fits(picture)).map(|image| image.price)
    }

    /// Returns the prices with each unit's price changed once.
    pub(super) fn map(&self, change: impl Fn(Money) -> Money) -> Self {
        let image = |image: &ImagePrice| ImagePrice { price: change(image.price), ..image.clone() };
        Self {
            units: self.units.iter().map(|(tier, meter, price)| (*tier, *meter, change(*price))).collect(),
            images: self.images.iter().map(image).collect(),
            long_above: self.long_above,
        }
    }
}

/// From which day on, and until before which, something holds: midnight of UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Days {
    /// The first day; absent: as far back as records go.
    pub from: Option<Date>,
    /// The first day on which it does not hold any more; absent: it holds whenever
    /// nothing that began later does.
    pub until: Option<Date>,
}

impl Days {
    /// Tells whether a moment is among these days.
    pub fn hold(self, at: OffsetDateTime) -> bool {
        let starts = |day: Date| day.midnight().assume_utc();
        self.from.is_none_or(|from| starts(from) <= at) && self.until.is_none_or(|until| at < starts(until))
    }
}

/// One row of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The model's id, geography prefix and all.
    pub model: String,
    /// The region that it is for; absent: every region.
    pub region: Option<Region>,
    /// The service that it is for; absent: every service.
    pub service: Option<ServiceName>,
    /// How it is sold.
    pub sold: Sold,
    /// When it holds.
    pub days: Days,
    /// The prices.
    pub prices: Arc<Prices>,
    /// Where the prices were found.
    pub source: Option<String>,
    /// The day on which they were found there.
    pub as_of: Option<Date>,
    /// Where the row stands.
    pub origin: Origin,
}
