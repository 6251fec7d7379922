"""Anthropic's SDK for Python, which knows InvokeModel and its stream as `messages`."""

# manual:
import os

from anthropic import AnthropicBedrock

anthropic = AnthropicBedrock(aws_region="us-west-2", base_url=os.environ["BASE_URL"])


def ask(content):
    return anthropic.messages.create(
        model="us.anthropic.claude-sonnet-4-5-20250929-v1:0",
        max_tokens=100,
        messages=[{"role": "user", "content": content}],
    )


# end of manual

from protocol import CACHED, CLAUDE, FISH, PIXEL_BASE64, PROMPT, SLOW, THROTTLED, UNMAPPED, serve, told_by_claude

if "SERVICE" in os.environ:
    # manual: With the service in a header, which is signed too:
    anthropic = AnthropicBedrock(
        aws_region="us-west-2",
        base_url=os.environ["BASE_URL"],
        default_headers={"x-tollgate-service": os.environ["SERVICE"]},
    )
    # end of manual

if "SERVICE_KEY" in os.environ:
    # manual: With a service key, or with `AWS_BEARER_TOKEN_BEDROCK` set to it, and no AWS credentials:
    anthropic = AnthropicBedrock(
        aws_region="us-west-2",
        base_url=os.environ["BASE_URL"],
        api_key=os.environ["SERVICE_KEY"],
    )
    # end of manual


def told(message):
    return told_by_claude(message.content[0].text, message.usage.to_dict())


def request(*content, **more):
    return {"model": CLAUDE, "max_tokens": 100, "messages": [{"role": "user", "content": content}], **more}


def create(*content, **more):
    return told(anthropic.messages.create(**request(*content, **more)))


def stream():
    with anthropic.messages.stream(**request(TEXT)) as events:
        return told(events.get_final_message())


def cancelled():
    events = anthropic.messages.create(**request({"type": "text", "text": SLOW}), stream=True)
    next(events)
    events.close()
    return {"cancelled": True}


TEXT = {"type": "text", "text": PROMPT}
IMAGE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL_BASE64}}
ONLY_MESSAGES = "the SDK's one resource on Bedrock is `messages`, which is InvokeModel (its README)"

serve(
    {
        "converse": ONLY_MESSAGES,
        "converse-stream": ONLY_MESSAGES,
        "invoke": lambda: told(ask(PROMPT)),
        "invoke-stream": stream,
        "tools": lambda: create(TEXT, tools=[{"name": "price", "input_schema": FISH}]),
        "image": lambda: create(TEXT, IMAGE),
        "cached-prompt": lambda: create({"type": "text", "text": CACHED, "cache_control": {"type": "ephemeral"}}),
        "unmapped": lambda: create(TEXT, model=UNMAPPED),
        "throttled": lambda: create({"type": "text", "text": THROTTLED}),
        "cancelled": cancelled,
    }
)
