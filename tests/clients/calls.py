"""Bedrock through boto3: clients, the four model operations alike, and the usage that each kind of answer states."""

import json

import boto3
from botocore.config import Config

from gateway import REGION

CLAUDE = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
CLAUDE_35 = "anthropic.claude-3-5-sonnet-20241022-v2:0"
NOVA = "amazon.nova-lite-v1:0"

MESSAGES = [{"role": "user", "content": [{"text": "How much is the fish?"}]}]

# What the simulated Bedrock is told to state, and how it is to be counted.
STEERING = {
    "x-sim-input-tokens": "1100",
    "x-sim-output-tokens": "70",
    "x-sim-cache-read-tokens": "500",
    "x-sim-cache-write-tokens": "31",
    "x-sim-cache-write-1h-tokens": "2",
    "x-sim-pace-ms": "0",
}


def profile_arn(profile):
    return f"arn:aws:bedrock:{REGION}:123456789012:application-inference-profile/{profile}"


def client(base_url, headers=None, hook="before-call", key=("AKIACLIENT", "the-client's"), **config):
    """A bedrock-runtime client that does not retry, and sends those headers by that botocore event."""
    config = Config(**{"retries": {"total_max_attempts": 1}, **config})
    made = boto3.client(
        "bedrock-runtime",
        region_name=REGION,
        endpoint_url=base_url,
        aws_access_key_id=key[0],
        aws_secret_access_key=key[1],
        config=config,
    )

    def add(params=None, request=None, **_):
        sent = params["headers"] if request is None else request.headers
        for name, value in headers.items():
            sent[name] = value

    if headers:
        made.meta.events.register(f"{hook}.bedrock-runtime", add)
    return made


def converse(bedrock, model):
    return of_converse(bedrock.converse(modelId=model, messages=MESSAGES)["usage"])


def converse_stream(bedrock, model):
    events = list(bedrock.converse_stream(modelId=model, messages=MESSAGES)["stream"])
    assert "messageStart" in events[0]
    return of_converse(events[-1]["metadata"]["usage"])


def invoke_model(bedrock, model):
    answer = json.loads(bedrock.invoke_model(modelId=model, body=body())["body"].read())
    return of_body(answer["usage"])


def invoke_model_stream(bedrock, model):
    stream = bedrock.invoke_model_with_response_stream(modelId=model, body=body())["body"]
    chunks = [json.loads(event["chunk"]["bytes"]) for event in stream]
    stated = of_counts(chunks[-1]["amazon-bedrock-invocationMetrics"])
    if chunks[0].get("type") == "message_start":
        stated |= of_cache_creation(chunks[0]["message"]["usage"]["cache_creation"])
    return stated


# The operations that use tokens; each returns the tokens that its answer states, by kind.
OPERATIONS = {
    "Converse": converse,
    "ConverseStream": converse_stream,
    "InvokeModel": invoke_model,
    "InvokeModelWithResponseStream": invoke_model_stream,
}


def body():
    return json.dumps({"messages": MESSAGES, "max_tokens": 100})


def of_converse(usage):
    """Converse's usage names each cache write's time to live."""
    written = {f"cache_write_{detail['ttl']}": detail["inputTokens"] for detail in usage.get("cacheDetails", [])}
    read = {"cache_read": usage["cacheReadInputTokens"]} if "cacheReadInputTokens" in usage else {}
    return {"input": usage["inputTokens"], "output": usage["outputTokens"], **read, **written}


def of_body(usage):
    """InvokeModel's body is the vendor's own: Anthropic's, or Nova's, which knows one kind of cache write."""
    if "input_tokens" not in usage:
        return of_counts(usage, "inputTokens", "outputTokens")
    counts = {"input": usage["input_tokens"], "output": usage["output_tokens"]}
    return counts | {"cache_read": usage["cache_read_input_tokens"]} | of_cache_creation(usage["cache_creation"])


def of_cache_creation(written):
    return {
        "cache_write_5m": written["ephemeral_5m_input_tokens"],
        "cache_write_1h": written["ephemeral_1h_input_tokens"],
    }


def of_counts(counts, input_name="inputTokenCount", output_name="outputTokenCount"):
    """A stream's last chunk counts as Nova does; Claude's first chunk tells the cache writes apart."""
    return {
        "input": counts[input_name],
        "output": counts[output_name],
        "cache_read": counts["cacheReadInputTokenCount"],
        "cache_write_5m": counts["cacheWriteInputTokenCount"],
    }
