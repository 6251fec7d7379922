//! What calls cost by the built-in table. The expected sums are worked out by hand.

use super::*;

const HAIKU: &str = "anthropic.claude-haiku-4-5-20251001-v1:0";
const US_HAIKU: &str = "us.anthropic.claude-haiku-4-5-20251001-v1:0";

fn cached(input: u64, read: u64, short: u64, long: u64) -> Usage {
    let tokens = Tokens {
        input: Some(input),
        output: Some(0),
        cache_read: Some(read),
        cache_write_5m: Some(short),
        cache_write_1h: Some(long),
    };
    Usage { tokens, ..Usage::default() }
}

#[test]
fn cache_writes_are_never_charged_as_input_too() {
    // 18 at 1.1, 386 at 5.5, 7502 at 1.375 USD per million.
    let usage =
        Usage { tokens: Tokens { output: Some(386), ..cached(18, 0, 7502, 0).tokens }, ..Usage::default() };
    assert_eq!(Call::of(US_HAIKU, usage).listed(), "0.01245805");
}

#[test]
fn writes_for_an_hour_have_their_own_rate() {
    assert_eq!(Call::of(US_HAIKU, cached(0, 0, 0, 1_000_000)).listed(), "2.2");
    assert_eq!(Call::of(US_HAIKU, cached(0, 0, 1_000_000, 0)).listed(), "1.375");
    assert_eq!(Call::of(US_HAIKU, cached(0, 1_000_000, 0, 0)).listed(), "0.11");
}

#[test]
fn explicit_zero_usage_costs_zero() {
    assert_eq!(Call::of(US_HAIKU, tokens(0, 0)).listed(), "0");
    assert_eq!(Call::of("acme.unheard-of", tokens(0, 0)).listed(), "0");
    assert_eq!(Call::of(US_HAIKU, Usage::default()).charge(&PriceTable::builtin()), Charge::default());
}

#[test]
fn a_bare_id_costs_what_its_geography_does() {
    for (region, cost) in [("us-east-1", "1.1"), ("eu-central-1", "1.1"), ("ap-south-1", "1.1")] {
        assert_eq!(Call { region, ..Call::of(HAIKU, tokens(1_000_000, 0)) }.listed(), cost, "{region}");
    }
    // jp., apac. and eu. differ here: 0.396, 0.396, 0.429 USD per million; the global price is 0.3.
    for (region, cost) in [("ap-northeast-1", "0.396"), ("ap-south-1", "0.396"), ("eu-west-1", "0.429")] {
        let call = Call { region, ..Call::of("amazon.nova-2-lite-v1:0", tokens(1_000_000, 0)) };
        assert_eq!(call.listed(), cost, "{region}");
    }
    let id = Call::of(HAIKU, tokens(1, 0)).charge(&PriceTable::builtin()).price_id.unwrap();
    assert_eq!(id.as_ref(), format!("builtin-2026-11-24:{US_HAIKU}/2023-01-01+in-region"));
}

#[test]
fn a_prefixed_id_costs_the_same_from_every_region() {
    for (model, cost) in [
        ("global.anthropic.claude-haiku-4-5-20251001-v1:0", "1"),
        ("eu.anthropic.claude-haiku-4-5-20251001-v1:0", "1.1"),
        ("us.amazon.nova-lite-v1:0", "0.06"),
        ("eu.amazon.nova-lite-v1:0", "0.078"),
    ] {
        for region in ["us-east-1", "eu-central-1", "us-gov-west-1"] {
            assert_eq!(Call { region, ..Call::of(model, tokens(1_000_000, 0)) }.listed(), cost, "{model}");
        }
    }
}

#[test]
fn where_global_costs_no_less_a_bare_id_costs_its_own_price() {
    let call = Call::of("anthropic.claude-sonnet-4-20250514-v1:0", tokens(100_000, 0));
    assert_eq!(call.listed(), "0.3");
    assert_eq!(Call::of("openai.gpt-oss-120b-1:0", tokens(1_000_000, 0)).listed(), "0.15");
}

#[test]
fn a_regions_row_wins_for_a_bare_id() {
    let llama = |region| Call { region, ..Call::of("meta.llama3-8b-instruct-v1:0", tokens(1_000_000, 0)) };
    assert_eq!([llama("us-east-1").listed(), llama("eu-west-2").listed()], ["0.3", "0.39"]);
    let haiku = |region| Call { region, ..Call::of(HAIKU, tokens(1_000_000, 0)) };
    assert_eq!(haiku("us-gov-east-1").listed(), "1.2");
}

#[test]
fn what_the_geography_has_no_price_for_is_unpriced_in_its_regions() {
    let call = Call { region: "ap-south-1", ..Call::of(HAIKU, cached(0, 0, 0, 5)) };
    assert_eq!(call.unpriced(), format!("{HAIKU} cache_write_1h"));
}

#[test]
fn arns_are_charged_by_the_model_inside() {
    let profile = "arn:aws:bedrock:us-west-2:123456789012:inference-profile/us.anthropic.claude-haiku-4-5-20251001-v1:0";
    assert_eq!(Call::of(profile, tokens(1_000_000, 0)).listed(), "1.1");
    let application = "arn:aws:bedrock:us-west-2:123456789012:application-inference-profile/abc";
    assert_eq!(Call::of(application, tokens(1, 1)).unpriced(), application);
}

#[test]
fn versions_are_not_guessed() {
    assert_eq!(Call::of("amazon.nova-lite-v1", tokens(1, 1)).unpriced(), "amazon.nova-lite-v1");
}

#[test]
fn long_input_is_charged_long_prices_above_the_threshold() {
    const GPT: &str = "us.openai.gpt-6-sol";
    assert_eq!(Call::of(GPT, tokens(272_000, 0)).listed(), "0.5984");
    assert_eq!(Call::of(GPT, tokens(272_001, 0)).listed(), "1.1968044");
    // Cached input counts towards the threshold.
    let sonnet = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";
    assert_eq!(Call::of(sonnet, cached(100_000, 100_000, 0, 0)).listed(), "0.363");
    assert_eq!(Call::of(sonnet, cached(100_000, 50_000, 25_000, 25_001)).listed(), "1.2292632");
}

#[test]
fn tiers_are_charged_as_stated() {
    let nova =
        |tier| Call { service_tier: tier, ..Call::of("us.amazon.nova-2-lite-v1:0", cached(10, 0, 5, 0)) };
    let costs = [None, Some("default"), Some("standard"), Some("priority"), Some("flex")];
    assert_eq!(
        costs.map(|tier| nova(tier).listed()),
        ["0.0000033", "0.0000033", "0.0000033", "0.000005775", "0.00000165"]
    );
    let reserved = nova(Some("reserved")).charge(&PriceTable::builtin());
    assert_eq!(reserved.cost, Some(Money::ZERO));
    assert!(reserved.price_id.unwrap().ends_with("+reserved"));
    let haiku = |tier| Call { service_tier: Some(tier), ..Call::of(US_HAIKU, tokens(1, 1)) };
    assert_eq!(haiku("flex").unpriced(), format!("{US_HAIKU} service tier flex"));
    assert_eq!(haiku("platinum").unpriced(), format!("{US_HAIKU} service tier platinum"));
}

#[test]
fn optimised_latency_needs_a_price_of_its_own() {
    let haiku = |tier| Call { latency_tier: Some(tier), ..Call::of(US_HAIKU, tokens(1_000_000, 0)) };
    assert_eq!(haiku("standard").listed(), "1.1");
    assert_eq!(haiku("optimized").unpriced(), format!("{US_HAIKU} latency optimized"));
}

#[test]
fn a_unit_without_a_price_leaves_the_call_unpriced() {
    let claude = "anthropic.claude-3-5-sonnet-20240620-v1:0";
    assert_eq!(Call::of(claude, cached(1, 0, 0, 1)).unpriced(), format!("{claude} cache_write_1h"));
    assert_eq!(Call::of(claude, cached(1, 0, 0, 0)).listed(), "0.000003");
    assert_eq!(Call::of(claude, units(Unit::Queries, 1)).unpriced(), format!("{claude} queries"));
}

#[test]
fn reranking_is_charged_by_the_query() {
    assert_eq!(Call::of("cohere.rerank-v3-5:0", units(Unit::Queries, 1)).listed(), "0.002");
    assert_eq!(Call::of("amazon.rerank-v1:0", units(Unit::Queries, 3)).listed(), "0.003");
}

#[test]
fn embeddings_are_charged_by_their_input_alone() {
    let usage = Usage { tokens: Tokens { input: Some(1_000_000), ..Tokens::default() }, ..Usage::default() };
    assert_eq!(Call::of("cohere.embed-english-v3", usage).listed(), "0.1");
}

#[test]
fn nova_writes_its_cache_for_free() {
    assert_eq!(Call::of("amazon.nova-pro-v1:0", cached(0, 0, 9, 0)).listed(), "0");
}

#[test]
fn images_are_charged_by_size_and_steps() {
    let image = |width, height, steps| Some(Picture { width, height, quality: None, steps: Some(steps) });
    let sdxl = "stability.stable-diffusion-xl-v0";
    for (picture, cost) in [
        (image(512, 512, 50), "0.036"),
        (image(512, 512, 51), "0.072"),
        (image(768, 512, 50), "0.072"),
        (image(1024, 1024, 150), "0.144"),
    ] {
        assert_eq!(Call { picture, ..Call::of(sdxl, units(Unit::Images, 2)) }.listed(), cost);
    }
    assert_eq!(Call::of(sdxl, units(Unit::Images, 1)).unpriced(), format!("{sdxl} images"));
    assert_eq!(Call::of("amazon.nova-canvas-v1:0", units(Unit::Images, 3)).listed(), "0.18");
}

#[test]
fn guardrails_are_charged_by_policy_and_beside_the_tokens() {
    let guarded = |mut usage: Usage| {
        usage.units = vec![(Unit::TextUnits, 6), (Unit::GuardrailImages, 1)];
        usage.policies = vec![(Policy::Topic, 2), (Policy::SensitiveInformation, 3), (Policy::Word, 1)];
        usage
    };
    // 2 at 0.00015, 3 at 0.0001, one image at 0.00075.
    assert_eq!(Call::of("", guarded(Usage::default())).listed(), "0.00135");
    let call = Call::of(US_HAIKU, guarded(tokens(1_000_000, 0)));
    assert_eq!(call.listed(), "1.10135");
    let id = call.charge(&PriceTable::builtin()).price_id.unwrap();
    assert!(id.contains("claude-haiku") && id.contains("guardrails"), "{id}");
    assert_eq!(Call::of("", units(Unit::TextUnits, 2)).unpriced(), "guardrails text_units");
}

#[test]
fn what_cannot_be_is_unpriced() {
    for usage in [tokens(u64::MAX, 0), tokens(u64::MAX, u64::MAX), tokens(9_090_909_091, 0)] {
        assert_eq!(Call::of(US_HAIKU, usage).unpriced(), format!("{US_HAIKU} implausible usage"));
    }
    assert_eq!(Call::of(US_HAIKU, tokens(9_000_000_000, 0)).listed(), "9900");
}

#[test]
fn what_is_not_sold_to_calls_charges_none() {
    assert_eq!(Call::of("openai.gpt-5.4", tokens(1, 1)).unpriced(), "openai.gpt-5.4");
    assert_eq!(Call::of("us.openai.gpt-5.4", tokens(100_000, 0)).listed(), "0.275");
    let kimi = Call { region: "eu-west-3", ..Call::of("moonshotai.kimi-k2-thinking", tokens(1_000_000, 0)) };
    assert_eq!(kimi.listed(), "0.6");
}

#[test]
fn records_charged_one_after_the_other_cost_what_each_costs_alone() {
    let text = "[[price]]\nmodel = \"m.x\"\nservice = \"a\"\nstandard = { input = \"1\", output = \"1\" }\n\
                [[price]]\nmodel = \"m.x\"\nstandard = { input = \"2\", output = \"2\" }\n\
                [[discount]]\npercent = \"10\"\nservice = \"b\"\n[[discount]]\npercent = \"1\"\n";
    let table = PriceTable::with_overrides(Path::new("prices.toml"), text).unwrap();
    let mut charging = Charging::at(&table);
    let mut costs = std::collections::BTreeSet::new();
    for _ in 0..2 {
        for service in ["a", "b", "c"] {
            for model in ["m.x", "amazon.nova-lite-v1:0", "unknown.y"] {
                for region in ["us-west-2", "eu-west-1"] {
                    let mut record = crate::ledger::store::samples::plain(0, 0);
                    record.service = ServiceName::parse(service).unwrap();
                    record.source_model = Some(ModelId::parse(model).unwrap());
                    record.invoked_model = None;
                    record.region = Region::parse(region).unwrap();
                    let charge = charging.charge(&record);
                    assert_eq!(charge, table.charge(&record));
                    costs.insert(charge.cost);
                }
            }
        }
    }
    assert!(costs.len() > 5, "{costs:?}");
}
