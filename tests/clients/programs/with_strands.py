"""Strands Agents, which speaks Converse: its stream, unless it is told otherwise."""

# manual:
import os

from strands import Agent
from strands.models import BedrockModel

model = BedrockModel(
    model_id="us.anthropic.claude-sonnet-4-5-20250929-v1:0",
    region_name="us-west-2",
    endpoint_url=os.environ["BASE_URL"],
)


def ask(prompt):
    return Agent(model=model, callback_handler=None)(prompt)


# end of manual

from strands import ModelRetryStrategy, tool

from protocol import CACHED, PIXEL, PROMPT, THROTTLED, UNMAPPED, serve, told

if "SERVICE" in os.environ:
    # manual: With the service in a header, which is signed too:
    def name_the_service(request, **_):
        request.headers["x-tollgate-service"] = os.environ["SERVICE"]

    model.client.meta.events.register("before-sign.bedrock-runtime", name_the_service)
    # end of manual

if "SERVICE_KEY" in os.environ:
    # manual: With a service key, and no AWS credentials:
    model = BedrockModel(
        model_id="us.anthropic.claude-sonnet-4-5-20250929-v1:0",
        region_name="us-west-2",
        endpoint_url=os.environ["BASE_URL"],
        api_key=os.environ["SERVICE_KEY"],
    )
    # end of manual


def told_by(result):
    usage = result.metrics.accumulated_usage
    cache = {"cache_read": usage["cacheReadInputTokens"], "cache_write_5m": usage["cacheWriteInputTokens"]}
    return told(str(result).strip(), usage["inputTokens"], usage["outputTokens"], **cache)


def agent(**more):
    return Agent(model=model, callback_handler=None, **more)


def with_setting(call, **setting):
    """A call with another setting of the model."""
    usual = dict(model.config)
    model.update_config(**setting)
    try:
        return call()
    finally:
        model.config = usual


@tool
def price(fish: str) -> str:
    """What a fish costs."""
    return "3.80"


def cancelled():
    def cancel(data=None, **_):
        if data:
            leaving.cancel()

    leaving = Agent(model=model, callback_handler=cancel)
    stopped = leaving(FAR_APART).stop_reason
    return {"cancelled": stopped == "cancelled", "reads_on": True}


IMAGE = {"image": {"format": "png", "source": {"bytes": PIXEL}}}
# By default it asks six times, with pauses that add up to two minutes, and boto3 three times each.
TWICE = ModelRetryStrategy(max_attempts=2, initial_delay=1)
# `agent.cancel()` sets a signal that the agent looks at every 50 ms, and the thread that reads the stream with each
# chunk. The agent takes it back when it ends, so that the thread does not see it where chunks are further apart.
FAR_APART = f"{PROMPT} x-sim-pace-ms=1000 x-sim-chunks=4"
ONLY_CONVERSE = "its provider for Bedrock has Converse and ConverseStream (strands.models.bedrock)"

serve(
    {
        "converse": lambda: with_setting(lambda: told_by(ask(PROMPT)), streaming=False),
        "converse-stream": lambda: told_by(ask(PROMPT)),
        "invoke": ONLY_CONVERSE,
        "invoke-stream": ONLY_CONVERSE,
        "tools": lambda: told_by(agent(tools=[price])(PROMPT)),
        "image": lambda: told_by(agent()([{"text": PROMPT}, IMAGE])),
        "cached-prompt": lambda: told_by(agent()([{"text": CACHED}, {"cachePoint": {"type": "default"}}])),
        "unmapped": lambda: with_setting(lambda: told_by(ask(PROMPT)), model_id=UNMAPPED),
        "throttled": lambda: told_by(agent(retry_strategy=TWICE)(THROTTLED)),
        "cancelled": cancelled,
    }
)
