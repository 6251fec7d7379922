"""boto3, the AWS SDK for Python."""

# manual:
import os

import boto3

bedrock = boto3.client("bedrock-runtime", region_name="us-west-2", endpoint_url=os.environ["BASE_URL"])


def ask(text):
    return bedrock.converse(
        modelId="us.anthropic.claude-sonnet-4-5-20250929-v1:0",
        messages=[{"role": "user", "content": [{"text": text}]}],
    )


# end of manual

import json

from protocol import CACHED, CLAUDE, FISH, PIXEL, PROMPT, SLOW, THROTTLED, UNMAPPED
from protocol import serve, told_by_claude, told_by_converse


# manual: With the service in a header, which is signed too:
def name_the_service(request, **_):
    request.headers["x-tollgate-service"] = os.environ["SERVICE"]


if "SERVICE" in os.environ:
    bedrock.meta.events.register("before-sign.bedrock-runtime", name_the_service)
# end of manual


def told(answer):
    return told_by_converse(answer["output"]["message"]["content"][0]["text"], answer["usage"])


def converse(*content, model=CLAUDE, **more):
    return told(bedrock.converse(modelId=model, messages=[{"role": "user", "content": content}], **more))


def stream(text):
    messages = [{"role": "user", "content": [{"text": text}]}]
    return bedrock.converse_stream(modelId=CLAUDE, messages=messages)["stream"]


def converse_stream():
    text = ""
    for event in stream(PROMPT):
        text += event.get("contentBlockDelta", {"delta": {"text": ""}})["delta"]["text"]
    return told_by_converse(text, event["metadata"]["usage"])


def invocation():
    messages = [{"role": "user", "content": PROMPT}]
    body = {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 100, "messages": messages}
    return {"modelId": CLAUDE, "body": json.dumps(body)}


def invoke():
    answer = json.loads(bedrock.invoke_model(**invocation())["body"].read())
    return told_by_claude(answer["content"][0]["text"], answer["usage"])


def invoke_stream():
    text, usage = "", {}
    for event in bedrock.invoke_model_with_response_stream(**invocation())["body"]:
        chunk = json.loads(event["chunk"]["bytes"])
        text += chunk.get("delta", {}).get("text", "")
        # The last statement of a count is the one that holds.
        usage |= chunk.get("message", {}).get("usage", {}) | chunk.get("usage", {})
    return told_by_claude(text, usage)


def cancelled():
    answer = stream(SLOW)
    next(iter(answer))
    answer.close()
    return {"cancelled": True}


TOOLS = {"tools": [{"toolSpec": {"name": "price", "inputSchema": {"json": FISH}}}]}

serve(
    {
        "converse": lambda: told(ask(PROMPT)),
        "converse-stream": converse_stream,
        "invoke": invoke,
        "invoke-stream": invoke_stream,
        "tools": lambda: converse({"text": PROMPT}, toolConfig=TOOLS),
        "image": lambda: converse({"text": PROMPT}, {"image": {"format": "png", "source": {"bytes": PIXEL}}}),
        "cached-prompt": lambda: converse({"text": CACHED}, {"cachePoint": {"type": "default"}}),
        "unmapped": lambda: converse({"text": PROMPT}, model=UNMAPPED),
        "throttled": lambda: converse({"text": THROTTLED}),
        "cancelled": cancelled,
    }
)
