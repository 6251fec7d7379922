"""LangChain: ChatBedrockConverse speaks Converse, ChatBedrock InvokeModel."""

# manual:
import os

from langchain_aws import ChatBedrock, ChatBedrockConverse

BASE_URL = os.environ["BASE_URL"]
model = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
converse = ChatBedrockConverse(model=model, region_name="us-west-2", base_url=BASE_URL)
invoke = ChatBedrock(model=model, region_name="us-west-2", endpoint_url=BASE_URL)


def ask(text):
    return converse.invoke(text)


# end of manual

from protocol import CACHED, FISH, PIXEL_BASE64, PROMPT, SLOW, THROTTLED, UNMAPPED, serve, told

if "SERVICE" in os.environ:
    # manual: With the service in a header; ChatBedrock has no setting for headers, its boto3 client has:
    headers = {"x-tollgate-service": os.environ["SERVICE"]}
    converse = ChatBedrockConverse(
        model=model, region_name="us-west-2", base_url=BASE_URL, default_headers=headers
    )

    def name_the_service(request, **_):
        request.headers["x-tollgate-service"] = os.environ["SERVICE"]

    invoke.client.meta.events.register("before-sign.bedrock-runtime", name_the_service)
    # end of manual


def told_by(message):
    """LangChain's input tokens are all there are, cached ones too."""
    usage = message.usage_metadata
    details = usage.get("input_token_details", {})
    read = details.get("cache_read", 0)
    written = details.get("ephemeral_5m_input_tokens", 0) or details.get("cache_creation", 0)
    fresh = usage["input_tokens"] - read - written
    return told(message.text, fresh, usage["output_tokens"], cache_read=read, cache_write_5m=written)


def say(*content):
    return [{"role": "user", "content": list(content)}]


def stream(chat):
    whole = None
    for chunk in chat.stream(PROMPT):
        whole = chunk if whole is None else whole + chunk
    return told_by(whole)


def cancelled():
    chunks = converse.stream(SLOW)
    next(chunks)
    chunks.close()
    return {"cancelled": True}


TEXT = {"type": "text", "text": PROMPT}
IMAGE = {"type": "image", "source_type": "base64", "mime_type": "image/png", "data": PIXEL_BASE64}
TOOL = {"title": "price", "description": "What a fish costs.", **FISH}

serve(
    {
        "converse": lambda: told_by(ask(PROMPT)),
        "converse-stream": lambda: stream(converse),
        "invoke": lambda: told_by(invoke.invoke(PROMPT)),
        "invoke-stream": lambda: stream(invoke),
        "tools": lambda: told_by(converse.bind_tools([TOOL]).invoke(PROMPT)),
        "image": lambda: told_by(converse.invoke(say(TEXT, IMAGE))),
        "cached-prompt": lambda: told_by(
            converse.invoke(say({"type": "text", "text": CACHED}, {"cachePoint": {"type": "default"}}))
        ),
        "unmapped": lambda: told_by(converse.model_copy(update={"model_id": UNMAPPED}).invoke(PROMPT)),
        "throttled": lambda: told_by(converse.invoke(THROTTLED)),
        "cancelled": cancelled,
    }
)
