//! What the values in price files look like.

use super::discount::Models;
use super::meter::Meter;
use crate::domain::{ModelId, Money, Region, ServiceName};
use crate::sheet::nearest;
use time::{Date, Month};

/// Returns the price of a single unit.
pub(super) fn price(text: &str, meter: Meter) -> Result<Money, String> {
    let quoted = Money::parse(text).map_err(|error| format!("'{text}' is {error}"))?;
    if quoted < Money::ZERO {
        return Err(format!("'{text}' is below zero: a price is not; a [[discount]] makes it less"));
    }
    let units = i128::from(meter.quoted_for());
    match (quoted.picos().checked_div(units), quoted.picos().checked_rem(units)) {
        (Some(picos), Some(0)) => Ok(Money::from_picos(picos)),
        _ => Err(format!("'{text}' has more than 6 decimals: it is in USD per 1,000,000 tokens")),
    }
}

pub(super) fn model(text: &str) -> Result<String, String> {
    let model = ModelId::parse(text).map_err(|error| format!("'{text}': {error}"))?;
    Ok(model.bare().to_owned())
}

pub(super) fn model_pattern(text: &str) -> Result<Models, String> {
    model(&text.replace('*', "x"))?;
    Ok(Models::pattern(text))
}

pub(super) fn vendor_name(text: &str) -> Result<String, String> {
    let legal = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    let wrong = || format!("'{text}' is no vendor: use what a model id begins with, as in anthropic");
    legal.then(|| text.to_owned()).ok_or_else(wrong)
}

pub(super) fn service(text: &str) -> Result<ServiceName, String> {
    ServiceName::parse(text).map_err(|error| format!("'{text}': {error}"))
}

/// Returns the region of that name, which has a shape: letters, and a number behind.
pub(super) fn region(text: &str) -> Result<Region, String> {
    let wrong = || format!("'{text}' is no region's name; one looks like us-west-2");
    let mut parts: Vec<&str> = text.split('-').collect();
    let number = parts.pop().unwrap_or_default();
    let digits = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    let letters = |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase());
    let shaped = digits && parts.len() >= 2 && parts.iter().all(letters);
    Region::parse(text).filter(|_| shaped).ok_or_else(wrong)
}

/// Returns the day that a text names.
pub(crate) fn date(text: &str) -> Result<Date, String> {
    calendar_day(text).ok_or_else(|| format!("'{text}' is no date: write it as \"2026-11-24\""))
}

fn calendar_day(text: &str) -> Option<Date> {
    let mut parts = text.splitn(3, '-');
    let year = digits(parts.next()?, 4)?;
    let month = u8::try_from(digits(parts.next()?, 2)?).ok()?;
    let day = u8::try_from(digits(parts.next()?, 2)?).ok()?;
    Date::from_calendar_date(year.into(), Month::try_from(month).ok()?, day).ok()
}

fn digits(part: &str, len: usize) -> Option<u16> {
    let legal = part.len() == len && part.bytes().all(|byte| byte.is_ascii_digit());
    part.parse().ok().filter(|_| legal)
}

/// Returns the pixels of a size such as 1024x1024.
pub(super) fn pixels(text: &str) -> Result<u64, String> {
    let side = |text: &str| text.parse::<u32>().ok().filter(|side| *side > 0).map(u64::from);
    let sides = text.split_once('x').and_then(|(width, height)| side(width)?.checked_mul(side(height)?));
    sides.ok_or_else(|| format!("'{text}' is no size: write it as \"1024x1024\""))
}

/// Returns what a word stands for, or which one was meant.
pub(super) fn word_of<T: Copy>(word: &str, words: &[(&str, T)]) -> Result<T, String> {
    let names = || words.iter().map(|(name, _)| *name);
    words.iter().find(|(name, _)| *name == word).map(|(_, value)| *value).ok_or_else(|| {
        match nearest(word, names()) {
            Some(meant) => format!("'{word}' is unknown; did you mean '{meant}'?"),
            None => format!("'{word}' is not one of {}", names().collect::<Vec<_>>().join(", ")),
        }
    })
}
