//! What holds for every call.

use super::*;
use proptest::prelude::*;

const MODEL: &str = "us.anthropic.claude-opus-4-8";

fn any_tokens() -> impl Strategy<Value = Tokens> {
    let count = || proptest::option::of(0_u64..100_000_000);
    (count(), count(), count(), count(), count()).prop_map(|(input, output, read, write_5m, write_1h)| {
        Tokens { input, output, cache_read: read, cache_write_5m: write_5m, cache_write_1h: write_1h }
    })
}

fn cost(tokens: Tokens) -> Money {
    let usage = Usage { tokens, ..Usage::default() };
    Call::of(MODEL, usage).charge(&PriceTable::builtin()).cost.unwrap_or_default()
}

fn sum(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    one.map(|one| one + other.unwrap_or(0)).or(other)
}

proptest! {
    #[test]
    fn costs_are_never_negative_and_add_up(one in any_tokens(), other in any_tokens()) {
        let both = Tokens {
            input: sum(one.input, other.input),
            output: sum(one.output, other.output),
            cache_read: sum(one.cache_read, other.cache_read),
            cache_write_5m: sum(one.cache_write_5m, other.cache_write_5m),
            cache_write_1h: sum(one.cache_write_1h, other.cache_write_1h),
        };
        prop_assert!(cost(one) >= Money::ZERO);
        let parts = cost(one) + cost(other);
        prop_assume!(cost(both) != Money::ZERO || parts == Money::ZERO);
        prop_assert_eq!(cost(both), parts);
    }

    #[test]
    fn a_price_file_of_any_text_is_read_or_refused(text in "(?s).{0,200}") {
        let _ = PriceTable::with_overrides(Path::new("prices.toml"), &text);
    }
}
