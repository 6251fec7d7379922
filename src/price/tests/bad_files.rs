//! Mistakes in overrides files: each is told with its line, its key and what would be right.

use super::*;

/// Returns what is wrong with a file, one line per mistake.
fn problems(text: &str) -> Vec<String> {
    let problems = PriceTable::with_overrides(Path::new("prices.toml"), text).unwrap_err();
    problems.iter().map(ToString::to_string).collect()
}

#[track_caller]
fn assert_one(text: &str, expected: &str) {
    let problems = problems(text);
    assert_eq!(problems.len(), 1, "{problems:#?}");
    assert!(problems[0].contains(expected), "{} lacks {expected}", problems[0]);
}

#[test]
fn every_mistake_is_told_at_once() {
    let text = "[[price]]\nmodel = 'acme.x'\nstandard = { input = 3.3, outptu = '1', cache_read = '-1' }\n\
                from = '2026-02-30'\n[[discount]]\npercent = '101'\nvendr = 'anthropic'\n";
    let problems = problems(text);
    let expected = [
        "prices.toml:3: price[0].standard.input: expected a number in quotes, as in \"3.3\"",
        "prices.toml:3: price[0].standard.outptu: unknown key; did you mean 'output'?",
        "prices.toml:3: price[0].standard.cache_read: '-1' is below zero",
        "prices.toml:4: price[0].from: '2026-02-30' is no date: write it as \"2026-11-24\"",
        "prices.toml:6: discount[0].percent: '101' is no percentage: use 0 to 100",
        "prices.toml:7: discount[0].vendr: unknown key; did you mean 'vendor'?",
    ];
    assert_eq!(problems.len(), expected.len(), "{problems:#?}");
    for expected in expected {
        assert!(problems.iter().any(|problem| problem.starts_with(expected)), "{expected}: {problems:#?}");
    }
}

#[test]
fn what_is_no_toml_is_told_with_its_line() {
    assert_one("[[price]]\nmodel = \n", "prices.toml:2: not TOML");
    assert_one("price = 'x'\n", "prices.toml:1: price: expected an array of tables, found string");
    assert_one("[[prices]]\nmodel = 'x'\n", "unknown key; did you mean 'price'?");
}

#[test]
fn prices_have_bounds_and_digits() {
    let row = |unit: &str| format!("[[price]]\nmodel = 'acme.x'\nstandard = {{ {unit} }}\n");
    assert_one(&row("input = '0.0000001'"), "more than 6 decimals");
    assert_one(&row("queries = '0.0000000000001'"), "at most 12 after the point");
    assert_one(&row("input = '1e-6'"), "no exponent");
    assert_one(&row("input = ''"), "not an amount in US dollars");
}

#[test]
fn rows_name_a_model_and_prices() {
    assert_one("[[price]]\nstandard = { input = '1' }\n", "names no model");
    assert_one("[[price]]\nmodel = 'acme.x'\n", "has no prices");
    assert_one("[[price]]\nmodel = 'a b'\nstandard = { input = '1' }\n", "a model id is");
    assert_one("[[price]]\nmodel = 'acme.x'\nlong = { input = '1' }\n", "above = 200000");
    assert_one(
        "[[price]]\nmodel = 'acme.x'\nprioritty = { input = '1' }\nflex = { input = '1' }\n",
        "'priority'",
    );
}

#[test]
fn regions_have_a_shape_and_are_for_bare_ids() {
    let row = |model, region| {
        format!("[[price]]\nmodel = '{model}'\nregion = '{region}'\nstandard = {{ input = '1' }}\n")
    };
    for region in ["us-west", "US-WEST-2", "west", "", "us--2", "us-west-2a"] {
        assert_one(&row("acme.x", region), "is no region's name; one looks like us-west-2");
    }
    assert_one(&row("us.acme.x", "us-west-2"), "the same from every region");
}

#[test]
fn two_rows_never_hold_at_once() {
    let row = |dates: &str| format!("[[price]]\nmodel = 'acme.x'\nstandard = {{ input = '1' }}\n{dates}\n");
    assert_one(&(row("") + &row("")), "price[1]: is for the same as price[0] from the beginning on");
    let (first, second) = (row("from = '2026-01-01'\nuntil = '2026-03-01'"), row("from = '2026-02-01'"));
    assert_one(&(first + &second), "begins on 2026-02-01, before price[0] ends on 2026-03-01");
    let discount = "[[discount]]\npercent = '1'\n";
    assert_one(&discount.repeat(2), "discount[1]: is for the same as discount[0]");
    assert_one(&row("from = '2026-02-01'\nuntil = '2026-02-01'"), "until: is not after from");
}

#[test]
fn rows_that_follow_each_other_are_no_mistake() {
    let row = |dates: &str| format!("[[price]]\nmodel = 'acme.x'\nstandard = {{ input = '1' }}\n{dates}\n");
    overridden(&(row("") + &row("from = '2026-01-01'\nuntil = '2026-03-01'") + &row("from = '2026-03-01'")));
    overridden(&(row("service = 'a'") + &row("service = 'b'") + &row("region = 'us-west-2'")));
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let problems = PriceTable::load(Some(Path::new("/nonexistent/prices.toml"))).unwrap_err();
    assert!(problems.to_string().starts_with("/nonexistent/prices.toml: cannot read"), "{problems}");
}
