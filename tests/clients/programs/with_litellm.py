"""LiteLLM as a library: `bedrock/converse/` speaks Converse, `bedrock/invoke/` InvokeModel."""

import os

# Otherwise it fetches its list of prices when it is imported.
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

# manual:
import os

import litellm

MODEL = "bedrock/converse/us.anthropic.claude-sonnet-4-5-20250929-v1:0"
settings = {"api_base": os.environ["BASE_URL"], "aws_region_name": "us-west-2"}


def ask(content, model=MODEL, **more):
    return litellm.completion(model=model, messages=[{"role": "user", "content": content}], **settings, **more)


# end of manual

from protocol import CACHED, CLAUDE, FISH, PIXEL_BASE64, PROMPT, SLOW, THROTTLED, UNMAPPED, serve, told

if "SERVICE" in os.environ:
    # manual: With the service in a header:
    settings["extra_headers"] = {"x-tollgate-service": os.environ["SERVICE"]}
    # end of manual

if "SERVICE_KEY" in os.environ:
    # manual: With a service key, or with `AWS_BEARER_TOKEN_BEDROCK` set to it, and no AWS credentials:
    settings["api_key"] = os.environ["SERVICE_KEY"]
    # end of manual


def told_by(answer):
    """LiteLLM's prompt tokens are all there are, cached ones too."""
    usage = answer.usage
    read, written = usage.cache_read_input_tokens, usage.cache_creation_input_tokens
    text, fresh = answer.choices[0].message.content, usage.prompt_tokens - read - written
    return told(text, fresh, usage.completion_tokens, cache_read=read, cache_write_5m=written)


def stream(model):
    chunks = list(ask(PROMPT, model, stream=True, stream_options={"include_usage": True}))
    return told_by(litellm.stream_chunk_builder(chunks))


def cancelled():
    answer = ask(SLOW, stream=True)
    next(answer)
    answer.completion_stream.close()
    return {"cancelled": True}


CACHED_TEXT = {"type": "text", "text": CACHED, "cache_control": {"type": "ephemeral"}}
TEXT = {"type": "text", "text": PROMPT}
IMAGE = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL_BASE64}"}}
TOOL = {"type": "function", "function": {"name": "price", "parameters": FISH}}

serve(
    {
        "converse": lambda: told_by(ask(PROMPT)),
        "converse-stream": lambda: stream(MODEL),
        "invoke": lambda: told_by(ask(PROMPT, f"bedrock/invoke/{CLAUDE}")),
        "invoke-stream": lambda: stream(f"bedrock/invoke/{CLAUDE}"),
        "tools": lambda: told_by(ask(PROMPT, tools=[TOOL])),
        "image": lambda: told_by(ask([TEXT, IMAGE])),
        "cached-prompt": lambda: told_by(ask([CACHED_TEXT])),
        "unmapped": lambda: told_by(ask(PROMPT, f"bedrock/converse/{UNMAPPED}")),
        "throttled": lambda: told_by(ask(THROTTLED)),
        "cancelled": cancelled,
    }
)
