//! `tollgate prices show`

use super::ShowArgs;
use crate::cli::table::write_table;
use crate::cli::{Context, Failure, Format, write_json};
use crate::clock::Clock;
use crate::config::load_files;
use crate::domain::{ModelId, Money, Region};
use crate::price::{InForce, Meter, Origin, PriceTable, Row, Sold, Tier, Way};
use std::collections::{BTreeMap, BTreeSet};
use time::OffsetDateTime;

/// The meters that have columns of their own in the table.
const COLUMNS: [Meter; 5] =
    [Meter::Input, Meter::Output, Meter::CacheRead, Meter::CacheWrite5m, Meter::CacheWrite1h];

/// One price as it is shown.
#[derive(Debug, serde::Serialize)]
struct Shown {
    model: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    region: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service: Option<String>,
    sold: &'static str,
    /// By tier and meter, as price files quote them.
    prices: BTreeMap<&'static str, BTreeMap<&'static str, Money>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    long_above: Option<u64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    images: Vec<Image>,
    origin: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    discount: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    price_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    as_of: Option<String>,
}

/// The price of an image of some kind.
#[derive(Debug, serde::Serialize)]
struct Image {
    #[serde(skip_serializing_if = "Option::is_none")]
    pixels: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_steps: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    quality: Option<String>,
    price: Money,
}

/// Shows the prices.
pub(super) fn run(context: &mut Context<'_>, args: &ShowArgs) -> Result<(), Failure> {
    let table = load_files(&context.config, context.env.clone())?.prices;
    let at = args.at.map_or_else(|| Clock::system().utc(), |day| day.midnight().assume_utc());
    let shown = shown(&table, args, at);
    if shown.is_empty() {
        let message = match &args.model {
            Some(part) => format!("no model whose id contains '{part}' has a price"),
            None => "nothing has a price".to_owned(),
        };
        let hint = "`tollgate prices show` lists every model; a row of the overrides file adds one (see `tollgate \
                    prices show --help`)";
        return Err(Failure::refused(message, hint));
    }
    match args.format {
        Format::Json => write_json(context.out, &shown),
        Format::Table => {
            let rows: Vec<[String; 12]> = shown.iter().flat_map(rows).collect();
            let headings = [
                "MODEL",
                "REGION",
                "TIER",
                "INPUT",
                "OUTPUT",
                "CACHE READ",
                "WRITE 5M",
                "WRITE 1H",
                "OTHER",
                "FROM WHERE",
                "AS OF",
                "SOURCE",
            ];
            writeln!(
                context.out,
                "USD, of tokens per 1,000,000, of anything else per one; prices {}",
                table.id()
            )?;
            write_table(context.out, headings, &rows).map_err(Failure::from)
        }
    }
}

fn shown(table: &PriceTable, args: &ShowArgs, at: OffsetDateTime) -> Vec<Shown> {
    let wanted = |model: &&str| args.model.as_ref().is_none_or(|part| model.contains(part.as_str()));
    let models: BTreeSet<&str> = table.rows().map(|row| row.model.as_str()).collect();
    let mut shown = Vec::new();
    for model in models.into_iter().filter(wanted) {
        let Ok(id) = ModelId::parse(model) else { continue };
        for region in regions(table, model, args.region.as_ref()) {
            let in_force = table.in_force(args.service.as_ref(), &id, region.as_ref(), at);
            let mut price = in_force.map(|in_force| of_call(model, region.as_ref(), &in_force));
            if let Some(price) = price.as_mut().filter(|_| region.is_none() && table.is_global_price(model)) {
                price.origin.push_str(", the global price");
            }
            shown.extend(price);
        }
        if args.region.is_none() {
            let others = table.rows().filter(|row| row.model == model && row.sold != Sold::OnDemand);
            shown.extend(others.filter(|row| row.days.hold(at)).map(|row| of_row(row)));
        }
    }
    shown
}

/// Returns for which regions a model's price is looked up: the one that is asked for, or every one whose price is
/// not that of all others.
fn regions(table: &PriceTable, model: &str, asked: Option<&Region>) -> Vec<Option<Region>> {
    if let Some(region) = asked {
        return vec![Some(region.clone())];
    }
    let own = table.rows().filter(|row| row.model == model && row.sold == Sold::OnDemand);
    let mut regions: BTreeSet<Option<Region>> = own.map(|row| row.region.clone()).collect();
    regions.insert(None);
    if table.is_global_price(model) {
        // One of each geography.
        let names =
            ["us-east-1", "us-gov-west-1", "eu-central-1", "ap-northeast-1", "ap-southeast-2", "ap-south-1"];
        regions.extend(names.map(Region::parse));
    }
    regions.into_iter().collect()
}

/// Returns what a call is charged.
fn of_call(model: &str, region: Option<&Region>, in_force: &InForce) -> Shown {
    let row = &in_force.row;
    let mut shown = of_row(row);
    model.clone_into(&mut shown.model);
    shown.region = region.map(|region| region.as_str().to_owned());
    shown.prices = quoted(&in_force.prices.units);
    shown.images = images(&in_force.prices.images);
    if in_force.way == Way::InRegion {
        shown.origin = format!("in-region: {}", row.model);
    }
    shown.discount = in_force.discount.as_ref().map(|discount| {
        let service = discount.service.as_ref().map(|service| format!(" for {service}")).unwrap_or_default();
        format!("{} off {}{service}", discount.percent, discount.models)
    });
    shown.price_id = Some(in_force.id.to_string());
    shown
}

fn of_row(row: &Row) -> Shown {
    let origin = match row.origin {
        Origin::BuiltIn => "built in",
        Origin::Override => "override",
    };
    Shown {
        model: row.model.clone(),
        region: row.region.as_ref().map(|region| region.as_str().to_owned()),
        service: row.service.as_ref().map(ToString::to_string),
        sold: row.sold.name(),
        prices: quoted(&row.prices.units),
        long_above: row.prices.long_above,
        images: images(&row.prices.images),
        origin: origin.to_owned(),
        discount: None,
        price_id: None,
        from: row.days.from.map(|day| day.to_string()),
        until: row.days.until.map(|day| day.to_string()),
        source: row.source.clone(),
        as_of: row.as_of.map(|day| day.to_string()),
    }
}

fn quoted(units: &[(Tier, Meter, Money)]) -> BTreeMap<&'static str, BTreeMap<&'static str, Money>> {
    let mut tiers: BTreeMap<&str, BTreeMap<&str, Money>> = BTreeMap::new();
    for (tier, meter, price) in units {
        let quoted = price.checked_mul(meter.quoted_for()).unwrap_or(*price);
        tiers.entry(tier.name()).or_default().insert(meter.name(), quoted);
    }
    tiers
}

fn images(images: &[crate::price::ImagePrice]) -> Vec<Image> {
    let image = |image: &crate::price::ImagePrice| Image {
        pixels: image.pixels,
        max_steps: image.steps,
        quality: image.quality.clone(),
        price: image.price,
    };
    images.iter().map(image).collect()
}

/// Returns the lines of a table: one per tier, and one per kind of image.
fn rows(shown: &Shown) -> Vec<[String; 12]> {
    let mut lines: Vec<[String; 12]> = Vec::new();
    for tier in Tier::ALL {
        let Some(prices) = shown.prices.get(tier.name()) else { continue };
        let above = shown.long_above.filter(|_| matches!(tier, Tier::Long | Tier::UltrafastLong));
        let name = above.map_or_else(|| tier.name().to_owned(), |above| format!("{} > {above}", tier.name()));
        let columns = COLUMNS.map(|meter| prices.get(meter.name()).map(Money::to_string).unwrap_or_default());
        let own = |name: &&str| COLUMNS.iter().any(|meter| meter.name() == *name);
        let other = prices.iter().filter(|(name, _)| !own(name));
        let other: Vec<String> = other.map(|(name, price)| format!("{name} {price}")).collect();
        lines.push(line(shown, name, columns, other.join(", ")));
    }
    for image in &shown.images {
        let pixels = image.pixels.map(|pixels| format!(" up to {pixels} pixels")).unwrap_or_default();
        let steps = image.max_steps.map(|steps| format!(" up to {steps} steps")).unwrap_or_default();
        let quality = image.quality.as_ref().map(|quality| format!(" {quality}")).unwrap_or_default();
        let other = format!("images{quality}{pixels}{steps} {}", image.price);
        lines.push(line(shown, Tier::Standard.name().to_owned(), Default::default(), other));
    }
    lines
}

fn line(shown: &Shown, tier: String, columns: [String; 5], other: String) -> [String; 12] {
    let sold = if shown.sold == Sold::OnDemand.name() { String::new() } else { format!(", {}", shown.sold) };
    let service = shown.service.as_ref().map(|service| format!(" for {service}")).unwrap_or_default();
    let off = shown.discount.as_ref().map(|discount| format!(", {discount}")).unwrap_or_default();
    let [input, output, read, short, long] = columns;
    [
        shown.model.clone(),
        shown.region.clone().unwrap_or_else(|| "any".to_owned()),
        tier,
        input,
        output,
        read,
        short,
        long,
        other,
        format!("{}{service}{sold}{off}", shown.origin),
        shown.as_of.clone().unwrap_or_default(),
        shown.source.clone().unwrap_or_default(),
    ]
}
