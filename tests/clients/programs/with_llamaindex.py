"""LlamaIndex, whose BedrockConverse speaks Converse."""

# manual:
import os

from llama_index.llms.bedrock_converse import BedrockConverse

llm = BedrockConverse(
    model="us.anthropic.claude-sonnet-4-5-20250929-v1:0",
    region_name="us-west-2",
    endpoint_url=os.environ["BASE_URL"],
)


def ask(text):
    return llm.complete(text)


# end of manual

import gc

from llama_index.core.llms import CacheControl, CachePoint, ChatMessage, ImageBlock, TextBlock
from llama_index.core.tools import FunctionTool

from protocol import CACHED, CLAUDE, PIXEL, PROMPT, SLOW, THROTTLED, UNMAPPED, serve, told

if "SERVICE" in os.environ:
    # manual: With the service in a header; the boto3 client that would be its own is given to it:
    import boto3

    client = boto3.client("bedrock-runtime", region_name="us-west-2", endpoint_url=os.environ["BASE_URL"])

    def name_the_service(request, **_):
        request.headers["x-tollgate-service"] = os.environ["SERVICE"]

    client.meta.events.register("before-sign.bedrock-runtime", name_the_service)
    llm = BedrockConverse(
        model="us.anthropic.claude-sonnet-4-5-20250929-v1:0", region_name="us-west-2", client=client
    )
    # end of manual


def told_by(answer, text):
    usage = answer.additional_kwargs
    cache = {"cache_read": usage["cache_read_input_tokens"], "cache_write_5m": usage["cache_creation_input_tokens"]}
    return told(text, usage["prompt_tokens"], usage["completion_tokens"], **cache)


def chat(*blocks):
    answer = llm.chat([ChatMessage(role="user", blocks=list(blocks))])
    return told_by(answer, answer.message.content)


def completed(answer):
    return told_by(answer, answer.text)


def stream():
    *_, last = llm.stream_chat([ChatMessage(role="user", content=PROMPT)])
    return told_by(last, last.message.content)


def tools():
    def price(fish: str) -> str:
        """What a fish costs."""

    answer = llm.chat_with_tools([FunctionTool.from_defaults(price)], user_msg=PROMPT)
    return told_by(answer, answer.message.content)


def with_setting(**setting):
    """The same with another setting."""
    usual = {"model": CLAUDE, "region_name": "us-west-2", "endpoint_url": os.environ["BASE_URL"]}
    return BedrockConverse(**usual | {"client": llm._client} | setting)


def cancelled():
    answers = llm.stream_chat([ChatMessage(role="user", content=SLOW)])
    next(answers)
    # Closing ends a generator that stands around the library's own, which holds the connection.
    answers.close()
    gc.collect()
    return {"cancelled": True}


ONLY_CONVERSE = "its integration is of Converse alone (llama-index-llms-bedrock-converse)"

# The number of retries is one of the client's settings, too, where it makes that itself.
ITS_OWN_CLIENT = {} if "SERVICE" in os.environ else {"client": None}

serve(
    {
        "converse": lambda: completed(ask(PROMPT)),
        "converse-stream": stream,
        "invoke": ONLY_CONVERSE,
        "invoke-stream": ONLY_CONVERSE,
        "tools": tools,
        "image": lambda: chat(TextBlock(text=PROMPT), ImageBlock(image=PIXEL)),
        "cached-prompt": lambda: chat(TextBlock(text=CACHED), CachePoint(cache_control=CacheControl(type="default"))),
        "unmapped": lambda: completed(with_setting(model=UNMAPPED).complete(PROMPT)),
        # By default it asks ten times, with pauses that add up to minutes, and its boto3 client eleven times each.
        "throttled": lambda: completed(with_setting(max_retries=2, **ITS_OWN_CLIENT).complete(THROTTLED)),
        "cancelled": cancelled,
    }
)
