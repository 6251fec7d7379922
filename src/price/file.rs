//! Price files: the built-in ones and the overrides file, in one format.

use super::discount::{Discount, Models, Percent};
use super::meter::Meter;
use super::overlap::{self, Placed};
use super::routing;
use super::row::{Days, ImagePrice, Origin, Prices, Row, Sold, Tier};
use super::values::{date, model, model_pattern, pixels, price, region, service, vendor_name, word_of};
use crate::domain::Money;
use crate::sheet::{Problem, Raw, Section, Sheet, Value};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// What a price file holds.
#[derive(Debug, Default)]
pub(super) struct Content {
    pub(super) rows: Vec<Arc<Row>>,
    pub(super) discounts: Vec<Arc<Discount>>,
    pub(super) problems: Vec<Problem>,
}

/// A number in quotes: TOML's bare numbers with a point are floats, which hold no exact price.
struct Quoted(String);

impl Raw for Quoted {
    const EXPECTED: &'static str = "a number in quotes, as in \"3.3\" (without them it would be rounded)";

    fn of(value: &Value<'_>) -> Option<Self> {
        value.as_text().map(|text| Self(text.to_owned()))
    }
}

/// Reads a file's text.
pub(super) fn read(path: &Path, text: &str, origin: Origin) -> Content {
    let mut sheet = Sheet::new(path, Arc::new(text.to_owned()), BTreeMap::new());
    let (mut rows, mut discounts) = (Vec::new(), Vec::new());
    if let Some(table) = sheet.parse(text) {
        let mut root = sheet.root(&table);
        root.each("price", |section| {
            let place = section.path();
            rows.extend(read_row(section, origin).map(|of| Placed { place, of }));
        });
        if origin == Origin::Override {
            root.each("discount", |section| {
                let place = section.path();
                discounts.extend(read_discount(section).map(|of| Placed { place, of }));
            });
        }
        root.finish();
        overlap::check_rows(&rows, &mut sheet);
        overlap::check_discounts(&discounts, &mut sheet);
    }
    sheet.problems.sort_by_key(|problem| problem.line);
    Content {
        rows: rows.into_iter().map(|row| Arc::new(row.of)).collect(),
        discounts: discounts.into_iter().map(|discount| Arc::new(discount.of)).collect(),
        problems: sheet.problems,
    }
}

/// Reads a row, or says why it is none.
fn read_row(mut section: Section<'_>, origin: Origin) -> Option<Row> {
    let mut row = Row {
        model: String::new(),
        region: None,
        service: None,
        sold: Sold::OnDemand,
        days: Days::default(),
        prices: Arc::default(),
        source: None,
        as_of: None,
        origin,
    };
    section.read_text("model", &mut row.model, model);
    section.read_text("region", &mut row.region, |name| region(name).map(Some));
    section
        .read_text("sold", &mut row.sold, |word| word_of(word, &Sold::ALL.map(|sold| (sold.name(), sold))));
    section.read_text("service", &mut row.service, |name| service(name).map(Some));
    row.prices = Arc::new(read_prices(&mut section));
    row.days = read_days(&mut section);
    section.read_text("source", &mut row.source, |text| Ok::<_, String>(Some(text.to_owned())));
    section.read_text("as_of", &mut row.as_of, |text| date(text).map(Some));
    check_row(&row, &mut section);
    section.finish();
    (!row.model.is_empty()).then_some(row)
}

fn check_row(row: &Row, section: &mut Section<'_>) {
    if !section.has("model") {
        section.wrong("names no model: write model = \"us.anthropic.claude-haiku-4-5-20251001-v1:0\"");
    }
    if row.region.is_some() && !row.model.is_empty() && !routing::is_bare(&row.model) {
        let message = "the price of a model with a geography is the same from every region: leave this out";
        section.wrong_key("region", message);
    }
    if !section.has("images") && !Tier::ALL.iter().any(|tier| section.has(tier.name())) {
        section.wrong("has no prices: write standard = { input = \"3.3\", output = \"16.5\" }");
    }
}

fn read_prices(section: &mut Section<'_>) -> Prices {
    let mut prices = Prices::default();
    for tier in Tier::ALL {
        if section.has(tier.name()) {
            read_tier(section.section(tier.name()), tier, &mut prices);
        } else {
            section.may_have(tier.name());
        }
    }
    section.each("images", |image| prices.images.extend(read_image(image)));
    prices
}

fn read_tier(mut section: Section<'_>, tier: Tier, prices: &mut Prices) {
    for meter in Meter::ALL {
        let mut unit = None;
        section.read(meter.name(), &mut unit, |Quoted(text)| price(&text, meter).map(Some));
        prices.units.extend(unit.map(|unit| (tier, meter, unit)));
    }
    if tier == Tier::Long {
        section.read("above", &mut prices.long_above, |tokens: i64| {
            let tokens = u64::try_from(tokens).ok().filter(|tokens| *tokens > 0);
            tokens.map(Some).ok_or_else(|| "must be a number of tokens, as in 200000".to_owned())
        });
        if !section.has("above") {
            section.wrong("does not say from where on: write above = 200000");
        }
    }
    section.finish();
}

fn read_image(mut section: Section<'_>) -> Option<ImagePrice> {
    let mut image = ImagePrice { pixels: None, steps: None, quality: None, price: Money::ZERO };
    let mut unit = None;
    section.read_text("up_to", &mut image.pixels, |size| pixels(size).map(Some));
    section.read("max_steps", &mut image.steps, |steps: i64| {
        u32::try_from(steps).map(Some).map_err(|_| "must be a number of steps, as in 50".to_owned())
    });
    section.read_text("quality", &mut image.quality, |text| Ok::<_, String>(Some(text.to_owned())));
    section.read("price", &mut unit, |Quoted(text)| price(&text, Meter::Images).map(Some));
    if !section.has("price") {
        section.wrong("has no price: write price = \"0.04\"");
    }
    section.finish();
    unit.map(|price| ImagePrice { price, ..image })
}

fn read_discount(mut section: Section<'_>) -> Option<Discount> {
    let (mut pattern, mut vendor, mut percent, mut for_service) = (None, None, None, None);
    section.read_text("model", &mut pattern, |text| model_pattern(text).map(Some));
    section.read_text("vendor", &mut vendor, |text| vendor_name(text).map(Some));
    section.read_text("service", &mut for_service, |name| service(name).map(Some));
    section.read("percent", &mut percent, |Quoted(text)| {
        let wrong =
            || format!("'{text}' is no percentage: use 0 to 100 with at most 6 decimals, as in \"12.5\"");
        Percent::parse(&text).map(Some).ok_or_else(wrong)
    });
    let days = read_days(&mut section);
    if !section.has("percent") {
        section.wrong("says not how much: write percent = \"12.5\"");
    }
    let models = match (pattern, vendor) {
        (Some(_), Some(_)) => {
            section.wrong_key("vendor", "cannot hold together with model: remove one of them");
            None
        }
        (Some(pattern), None) => Some(pattern),
        (None, Some(vendor)) => Some(Models::Vendor(vendor)),
        (None, None) => Some(Models::All),
    };
    section.finish();
    Some(Discount { models: models?, service: for_service, days, percent: percent? })
}

fn read_days(section: &mut Section<'_>) -> Days {
    let mut days = Days::default();
    section.read_text("from", &mut days.from, |text| date(text).map(Some));
    section.read_text("until", &mut days.until, |text| date(text).map(Some));
    if let (Some(from), Some(until)) = (days.from, days.until)
        && until <= from
    {
        let message = "is not after from: it is the first day on which this does not hold any more";
        section.wrong_key("until", message);
    }
    days
}
