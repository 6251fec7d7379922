"""Computes what calls cost with exact decimals from the reference prices, and compares.

Knows nothing of tollgate's code or of its price files: only the reference's own keys, and the rules by which AWS
charges. Standard library only.

    oracle.py reference.json cases.json      the cases' costs; exit status 1 if one differs
"""

import json
import re
import sys
from decimal import Decimal

GEOGRAPHIES = ("us", "eu", "apac", "global", "jp", "au", "us-gov", "in")

# Keys that mean a model which another key names, too, at the same prices.
SAME = {
    "bedrock/invoke/anthropic.claude-3-5-sonnet-20240620-v1:0": "anthropic.claude-3-5-sonnet-20240620-v1:0",
    "bedrock/us.anthropic.claude-3-5-haiku-20241022-v1:0": "us.anthropic.claude-3-5-haiku-20241022-v1:0",
    "bedrock/moonshotai.kimi-k2.5": "moonshotai.kimi-k2.5",
    "anthropic.claude-haiku-4-5@20251001": "anthropic.claude-haiku-4-5-20251001-v1:0",
}
IMAGE_KEY = re.compile(r"(\d+|max)-x-(?:\d+|max)/(\d+|max)-steps/(?:bedrock/)?(.+)")
ABOVE = re.compile(r"_above_(\d+)k_tokens")

TOKENS = {
    "input": "input_cost_per_token",
    "output": "output_cost_per_token",
    "cache_read": "cache_read_input_token_cost",
    "cache_write_5m": "cache_creation_input_token_cost",
    "cache_write_1h": "cache_creation_input_token_cost_above_1hr",
}
POLICIES = {
    "topic_policy_units": "topicPolicyUnits",
    "content_policy_units": "contentPolicyUnits",
    "word_policy_units": "wordPolicyUnits",
    "sensitive_information_policy_units": "sensitiveInformationPolicyUnits",
    "contextual_grounding_policy_units": "contextualGroundingPolicyUnits",
    "automated_reasoning_policy_units": "automatedReasoningPolicyUnits",
    "guardrail_images": "contentPolicyImageUnits",
}


class Unpriced(Exception):
    """Something was used that has no price."""


def geography(model):
    first, _, rest = model.partition(".")
    return first if first in GEOGRAPHIES and "." in rest else None


def homes(region):
    """The geographies whose prices may hold in a region, the nearest first."""
    if region.startswith("us-gov-"):
        return ["us-gov", "us"]
    if region.startswith("eu-"):
        return ["eu", "us"]
    if region in ("ap-northeast-1", "ap-northeast-3"):
        return ["jp", "apac", "us"]
    if region in ("ap-southeast-2", "ap-southeast-4"):
        return ["au", "apac", "us"]
    if region in ("ap-south-1", "ap-south-2"):
        return ["in", "apac", "us"]
    return ["apac", "us"] if region.startswith("ap-") else ["us"]


def find(prices, model, region):
    """The prices of a model that is called in a region, or None."""
    if geography(model):
        return prices.get(model)
    own = prices.get(f"bedrock/{region}/{model}")
    if own is not None:
        return own
    bare = prices.get(model)
    if bare is None:
        return prices.get(f"bedrock/{model}")
    others = [prices.get(f"{place}.{model}") for place in GEOGRAPHIES if place != "global"]
    if prices.get(f"global.{model}") == bare and any(other not in (None, bare) for other in others):
        for place in homes(region):
            if f"{place}.{model}" in prices:
                return prices[f"{place}.{model}"]
    return bare


def token_price(row, kind, suffix, thousands):
    """The price of one token: above a threshold, else in a tier, else the standard one."""
    key = TOKENS[kind]
    for name in (f"{key}_above_{thousands}k_tokens", key + suffix, key):
        if name in row:
            return Decimal(row[name])
    raise Unpriced(kind)


def suffix_of(row, tier):
    if tier in (None, "default", "standard"):
        return ""
    suffix = f"_{tier}"
    if tier not in ("priority", "flex") or not any(key.endswith(suffix) for key in row):
        raise Unpriced(tier)
    return suffix


def image_price(prices, row, model, picture):
    """The price of an image: that of its size and steps, where the model has such, else its only one."""
    sizes = {}
    for key, value in prices.items():
        match = IMAGE_KEY.fullmatch(key)
        if match and match[3] == model:
            sizes[(match[1], match[2])] = Decimal(value["output_cost_per_image"])
    if sizes and picture:
        pixels, steps = picture["width"] * picture["height"], picture.get("steps")
        for side in (512, 1024, "max"):
            if side == "max" or pixels <= side * side:
                for most in (50, "max"):
                    if (str(side), str(most)) in sizes and (most == "max" or (steps or 51) <= most):
                        return sizes[(str(side), str(most))]
    if row and "output_cost_per_image" in row:
        return Decimal(row["output_cost_per_image"])
    raise Unpriced("images")


def guardrails(prices, usage):
    row = prices["bedrock/guardrails"]["guardrail_cost_per_unit"]
    told = sum(usage.get(policy, 0) for policy in POLICIES if policy not in ("guardrail_images", "automated_reasoning_policy_units"))
    if told < usage.get("text_units", 0):
        raise Unpriced("text units of no policy")
    return sum((usage.get(ours, 0) * Decimal(row[theirs]) for ours, theirs in POLICIES.items()), Decimal(0))


def model_cost(prices, case):
    usage, model = case["usage"], case["model"]
    used = {kind: usage.get(kind, 0) for kind in TOKENS}
    images, queries = usage.get("images", 0), usage.get("queries", 0)
    if not any(used.values()) and not images and not queries or case.get("service_tier") == "reserved":
        return Decimal(0)
    row = find(prices, model, case["region"])
    if row is None and not images:
        raise Unpriced(model)
    row = row or {}
    suffix = suffix_of(row, case.get("service_tier"))
    if case.get("latency_tier") == "optimized":
        raise Unpriced("optimized")
    thousands = next((int(found[1]) for key in row if (found := ABOVE.search(key))), None)
    taken_in = sum(count for kind, count in used.items() if kind != "output")
    if thousands is None or taken_in <= thousands * 1000:
        thousands = None
    # AWS's own price list has Nova's cache writes at 0 USD; the reference leaves them out.
    if "amazon.nova" in model and "cache_read_input_token_cost" in row:
        used["cache_write_5m"] = 0
    cost = sum((count * token_price(row, kind, suffix, thousands) for kind, count in used.items() if count), Decimal(0))
    if images:
        cost += images * image_price(prices, row, model, case.get("picture"))
    if queries:
        if "input_cost_per_query" not in row:
            raise Unpriced("queries")
        cost += queries * Decimal(row["input_cost_per_query"])
    return cost


def expected(prices, case):
    try:
        cost = model_cost(prices, case) + guardrails(prices, case["usage"])
    except Unpriced:
        return None
    return cost if cost <= 10000 else None


def uncovered(prices, models):
    """The keys of the reference whose model no case called, though one can be called by it."""
    for key in prices:
        plain = SAME.get(key, key)
        image = IMAGE_KEY.fullmatch(plain)
        if image:
            plain = image[3]
        if plain.startswith("bedrock_mantle/") or "-commitment/" in plain or plain == "bedrock/guardrails":
            continue
        parts = plain.split("/")
        region = parts[1] if len(parts) == 3 else None
        if not any(model == parts[-1] and region in (None, at) for model, at in models):
            yield key


def listed(prices):
    """Every price of the reference by model, region, way of sale, tier and unit, as a price file quotes it."""
    units = {theirs: ours for ours, theirs in TOKENS.items()} | {
        "input_cost_per_image_token": "input_image_tokens",
        "input_cost_per_audio_token": "input_audio_tokens",
        "output_cost_per_audio_token": "output_audio_tokens",
        "output_cost_per_image": "images",
        "input_cost_per_image": "input_images",
        "input_cost_per_query": "queries",
        "input_cost_per_video_per_second": "video_seconds",
        "input_cost_per_audio_per_second": "audio_seconds",
        "cost_per_second": "seconds",
        "input_cost_per_second": "seconds",
        "search_context_cost_per_query": "web_searches",
    }
    guards = {theirs: ours for ours, theirs in POLICIES.items()}
    guards["sensitiveInformationPolicyFreeUnits"] = "sensitive_information_policy_free_units"
    for key, row in prices.items():
        if IMAGE_KEY.fullmatch(key):
            continue
        *path, model = SAME.get(key, key).split("/")
        sold = "mantle" if path[:1] == ["bedrock_mantle"] else "on-demand"
        sold = next((part for part in path if part.endswith("-commitment")), sold)
        region = next((part for part in path[1:] if re.fullmatch(r"[a-z-]+-\d", part)), None)
        for name, value in row.items():
            tier, above = "standard", ABOVE.search(name)
            for ending, of in (("_batches", "batch"), ("_flex", "flex"), ("_priority", "priority"), ("_ultrafast", "ultrafast")):
                if name.endswith(ending):
                    name, tier = name.removesuffix(ending), of
            if above:
                name, tier = name.replace(above[0], ""), {"standard": "long", "ultrafast": "ultrafast_long"}[tier]
            if name == "guardrail_cost_per_unit":
                for policy, price in value.items():
                    yield (model, region, sold, tier, guards[policy]), Decimal(price)
            elif isinstance(value, dict):
                for price in value.values():
                    yield (model, region, sold, tier, units[name]), Decimal(price)
            else:
                yield (model, region, sold, tier, units[name]), Decimal(value)


def differences(prices, given):
    """What the table lists otherwise than the reference."""
    theirs = dict(listed(prices))
    ours = {tuple(row[:5]): Decimal(row[5]) for row in given["table"]}
    for key in theirs.keys() | ours.keys():
        free = key[4] == "cache_write_5m" and "amazon.nova" in key[0] and ours.get(key) == 0
        if theirs.get(key) != ours.get(key) and not free:
            yield f"{key}: the reference has {theirs.get(key)}, the table {ours.get(key)}"


def main(reference, cases):
    with open(reference, encoding="utf-8") as file:
        prices = json.load(file)
    if "models" in prices:
        prices = {key: entry["prices"] for key, entry in prices["models"].items()}
    with open(cases, encoding="utf-8") as file:
        given = json.load(file)
    wrong = list(differences(prices, given))
    priced = {case["model"] for case in given["cases"] if case["cost"] is not None and Decimal(case["cost"])}
    wrong += [f"{model} is never priced" for model in {case["model"] for case in given["cases"]} - priced]
    wrong += [f"no case for {key}" for key in uncovered(prices, {(c["model"], c["region"]) for c in given["cases"]})]
    for case in given["cases"]:
        due = expected(prices, case)
        cost = None if case["cost"] is None else Decimal(case["cost"])
        if due != cost:
            wrong.append(f"{json.dumps(case)}: should be {due}")
    count = sum(case["cost"] is not None for case in given["cases"])
    print(f"{len(prices)} entries, {len(priced)} models, {len(given['cases'])} cases, {count} priced, {len(wrong)} wrong")
    print("\n".join(wrong[:20]))
    return 1 if wrong or not priced else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
