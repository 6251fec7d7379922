"""What the Python programs share: the prompts, and the loop that reads the names of features and answers each with
one line of JSON."""

import base64
import json
import os
import sys
import traceback

# The header that names the service, where that is the way of identity.
HEADERS = {"x-tollgate-service": os.environ["SERVICE"]} if "SERVICE" in os.environ else {}
# The service key, where that is.
SERVICE_KEY = os.environ.get("SERVICE_KEY")

CLAUDE = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
# A model that no service has a profile for.
UNMAPPED = "anthropic.claude-3-opus-20240229-v1:0"

PROMPT = "How much is the fish?"
CACHED = f"{PROMPT} x-sim-cache-read-tokens=500 x-sim-cache-write-tokens=31"
THROTTLED = f"{PROMPT} x-sim-fault=throttle"
SLOW = f"{PROMPT} x-sim-pace-ms=200 x-sim-chunks=20"

# A PNG of one pixel.
PIXEL_BASE64 = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGP4z8DwHwAFAAH/iZk9HQAAAABJRU5ErkJggg=="
PIXEL = base64.b64decode(PIXEL_BASE64)

# What a tool's input looks like, as a JSON schema.
FISH = {"type": "object", "properties": {"fish": {"type": "string"}}, "required": ["fish"]}


def serve(features):
    """Answers the features that come in, each with what its function in `features` returns or raises."""
    answers, sys.stdout = sys.stdout, sys.stderr
    for name in map(str.strip, sys.stdin):
        print(json.dumps(attempt(features[name])), file=answers, flush=True)


def attempt(feature):
    """A feature is a function, or says why the client has no such thing."""
    if isinstance(feature, str):
        return {"absent": feature}
    try:
        return feature()
    except Exception as error:
        traceback.print_exc()
        return {"exception": type(error).__name__, "message": str(error)}


def told(text, input, output, **cache):
    """What a client tells: the text, and the tokens of each kind that it knows of."""
    return {"stated": {"input": input, "output": output, **cache}, "text": text}


def told_by_converse(text, usage):
    """The usage of Converse, in the words of the gateway's metrics."""
    written = {f"cache_write_{detail['ttl']}": detail["inputTokens"] for detail in usage.get("cacheDetails", [])}
    return told(text, usage["inputTokens"], usage["outputTokens"], cache_read=usage["cacheReadInputTokens"], **written)


def told_by_claude(text, usage):
    """The usage of Claude's own body, in the words of the gateway's metrics."""
    written = {
        "cache_write_5m": usage["cache_creation"]["ephemeral_5m_input_tokens"],
        "cache_write_1h": usage["cache_creation"]["ephemeral_1h_input_tokens"],
    }
    return told(
        text, usage["input_tokens"], usage["output_tokens"], cache_read=usage["cache_read_input_tokens"], **written
    )
