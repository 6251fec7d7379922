//! What a company's own prices change.

use super::*;

const HAIKU: &str = "us.anthropic.claude-haiku-4-5-20251001-v1:0";
const BARE: &str = "anthropic.claude-haiku-4-5-20251001-v1:0";

fn million(model: &'static str) -> Call {
    Call::of(model, tokens(1_000_000, 0))
}

#[test]
fn an_override_wins_over_the_built_in_row() {
    let table = overridden(&format!(
        "[[price]]\nmodel = '{HAIKU}'\nstandard = {{ input = '0.9' }}\n\
         [[price]]\nmodel = 'acme.private-v1:0'\nstandard = {{ input = '7.000001' }}\n"
    ));
    assert_eq!([million(HAIKU).cost(&table), million("acme.private-v1:0").cost(&table)], ["0.9", "7.000001"]);
    let id = million(HAIKU).charge(&table).price_id.unwrap();
    assert!(id.starts_with("override-") && id.ends_with(HAIKU), "{id}");
    assert_eq!(million(BARE).cost(&table), "1.1", "the regions of a geography keep their price");
}

#[test]
fn an_override_of_a_bare_id_holds_in_every_region() {
    let table = overridden(
        "[[price]]\nmodel = 'meta.llama3-8b-instruct-v1:0'\nstandard = { input = '0.2' }\n\
         [[price]]\nmodel = 'meta.llama3-8b-instruct-v1:0'\nregion = 'eu-west-2'\nstandard = { input = '0.25' }\n",
    );
    let llama = |region| Call { region, ..million("meta.llama3-8b-instruct-v1:0") };
    let costs = ["us-east-1", "ap-south-1", "eu-west-2"].map(|region| llama(region).cost(&table));
    assert_eq!(costs, ["0.2", "0.2", "0.25"]);
}

#[test]
fn an_override_for_a_service_is_for_it_alone() {
    let table = overridden(&format!(
        "[[price]]\nmodel = '{HAIKU}'\nservice = 'checkout'\nstandard = {{ input = '0.5' }}\n"
    ));
    assert_eq!(million(HAIKU).cost(&table), "0.5");
    assert_eq!(Call { service: "search", ..million(HAIKU) }.cost(&table), "1.1");
}

#[test]
fn a_call_is_charged_by_what_held_when_it_started() {
    let table = overridden(&format!(
        "[[price]]\nmodel = '{HAIKU}'\nfrom = '2026-03-01'\nstandard = {{ input = '0.9' }}\n\
         [[price]]\nmodel = '{HAIKU}'\nfrom = '2026-06-01'\nuntil = '2026-09-01'\nstandard = {{ input = '0.8' }}\n\
         [[discount]]\npercent = '50'\nfrom = '2026-07-01'\nuntil = '2026-08-01'\n"
    ));
    let days =
        ["2026-02-28", "2026-03-01", "2026-05-31", "2026-06-01", "2026-07-31", "2026-08-01", "2026-09-01"];
    let costs = days.map(|day| Call { day, ..million(HAIKU) }.cost(&table));
    assert_eq!(costs, ["1.1", "0.9", "0.9", "0.8", "0.4", "0.8", "0.9"]);
}

#[test]
fn what_has_no_end_holds_again_after_what_has_one() {
    let table = overridden(&format!(
        "[[price]]\nmodel = '{HAIKU}'\nstandard = {{ input = '0.9' }}\n\
         [[price]]\nmodel = '{HAIKU}'\nfrom = '2026-06-01'\nuntil = '2026-07-01'\nstandard = {{ input = '0.8' }}\n\
         [[price]]\nmodel = '{HAIKU}'\nfrom = '2026-08-01'\nstandard = {{ input = '0.7' }}\n\
         [[discount]]\npercent = '10'\n\
         [[discount]]\npercent = '50'\nfrom = '2026-09-01'\nuntil = '2026-10-01'\n"
    ));
    let days = ["2026-05-31", "2026-06-30", "2026-07-01", "2026-08-01", "2026-09-30", "2026-10-01"];
    let costs = days.map(|day| Call { day, ..million(HAIKU) }.cost(&table));
    assert_eq!(costs, ["0.81", "0.72", "0.81", "0.63", "0.35", "0.63"]);
}

#[test]
fn the_discount_that_says_most_is_the_one() {
    let table = overridden(&format!(
        "[[discount]]\npercent = '10'\n\
         [[discount]]\npercent = '20'\nvendor = 'anthropic'\n\
         [[discount]]\npercent = '30'\nmodel = 'anthropic.claude-haiku-*'\n\
         [[discount]]\npercent = '0'\nmodel = '{BARE}'\nservice = 'search'\n"
    ));
    assert_eq!(million("amazon.nova-lite-v1:0").cost(&table), "0.054");
    assert_eq!(million("us.anthropic.claude-opus-4-8").cost(&table), "4.4");
    assert_eq!(million(HAIKU).cost(&table), "0.77");
    assert_eq!(Call { service: "search", ..million(HAIKU) }.cost(&table), "1.1");
    let id = million(HAIKU).charge(&table).price_id.unwrap();
    assert!(id.ends_with("-30%"), "{id}");
}

#[test]
fn a_discount_rounds_the_unit_price_once() {
    // 0.11 USD per million is 110,000 of 10^-12 per token; 0.0005% less is 109,999.45, so 109,999.
    let table = overridden("[[discount]]\npercent = '0.0005'\n");
    let usage = Usage {
        tokens: Tokens { cache_read: Some(1000), input: Some(0), ..Tokens::default() },
        ..Usage::default()
    };
    assert_eq!(Call::of(HAIKU, usage).cost(&table), "0.000109999");
}

#[test]
fn a_discount_lowers_own_prices_and_guardrails_too() {
    let table =
        overridden("[[price]]\nmodel = 'acme.x'\nstandard = { input = '2' }\n[[discount]]\npercent = '50'\n");
    assert_eq!(million("acme.x").cost(&table), "1");
    let usage = Usage { policies: vec![(Policy::Topic, 2)], ..units(Unit::TextUnits, 2) };
    assert_eq!(Call::of("", usage).cost(&table), "0.00015");
}

#[test]
fn all_dimensions_can_be_overridden() {
    let table = overridden(
        "[[price]]\nmodel = 'acme.x'\n\
         standard = { input = '1', images = '0.5' }\nlong = { above = 10, input = '2' }\n\
         optimized = { input = '3' }\n\
         images = [{ up_to = '512x512', max_steps = 50, quality = 'premium', price = '0.9' }]\n",
    );
    let optimized = Call { latency_tier: Some("optimized"), ..Call::of("acme.x", tokens(1, 0)) };
    assert_eq!(optimized.cost(&table), "0.000003");
    assert_eq!(Call::of("acme.x", tokens(11, 0)).cost(&table), "0.000022");
    let long = Call { latency_tier: Some("optimized"), ..Call::of("acme.x", tokens(11, 0)) };
    assert_eq!(long.charge(&table).unpriced.as_deref(), Some("acme.x long input in tier optimized"));
    let image = |quality: &str| {
        Some(Picture { width: 512, height: 512, quality: Some(quality.to_owned()), steps: Some(20) })
    };
    let drawn = |quality| Call { picture: image(quality), ..Call::of("acme.x", units(Unit::Images, 1)) };
    assert_eq!([drawn("premium").cost(&table), drawn("standard").cost(&table)], ["0.9", "0.5"]);
}

#[test]
fn each_state_of_the_file_has_a_name_of_its_own() {
    let one = overridden("[[discount]]\npercent = '1'\n");
    let other = overridden("[[discount]]\npercent = '2'\n");
    assert_ne!(one.id(), other.id());
    assert!(one.id().starts_with("builtin-2026-11-24+override-"), "{}", one.id());
}
