"""Pydantic AI, whose provider for Bedrock speaks Converse."""

# manual:
import os

from pydantic_ai import Agent
from pydantic_ai.models.bedrock import BedrockConverseModel
from pydantic_ai.providers.bedrock import BedrockProvider

provider = BedrockProvider(region_name="us-west-2", base_url=os.environ["BASE_URL"])
model = BedrockConverseModel("us.anthropic.claude-sonnet-4-5-20250929-v1:0", provider=provider)


def ask(prompt):
    return Agent(model).run_sync(prompt)


# end of manual

import asyncio

from pydantic_ai import BinaryContent, CachePoint

from protocol import CACHED, PIXEL, PROMPT, SLOW, THROTTLED, UNMAPPED, serve, told

if "SERVICE" in os.environ:
    # manual: With the service in a header, which is signed too:
    def name_the_service(request, **_):
        request.headers["x-tollgate-service"] = os.environ["SERVICE"]

    provider.client.meta.events.register("before-sign.bedrock-runtime", name_the_service)
    # end of manual


def told_by(result):
    """Pydantic AI's input tokens are all there are, cached ones too."""
    usage = result.usage
    fresh = usage.input_tokens - usage.cache_read_tokens - usage.cache_write_tokens
    cache = {"cache_read": usage.cache_read_tokens, "cache_write_5m": usage.cache_write_tokens}
    return told(result.output, fresh, usage.output_tokens, **cache)


def price(fish: str) -> str:
    """What a fish costs."""
    return "3.80"


async def leave():
    async with Agent(model).run_stream(SLOW) as result:
        async for _ in result.stream_text():
            break


def cancelled():
    asyncio.run(leave())
    return {"cancelled": True}


# Without a limit it has Claude's answers streamed, behind the scenes.
LIMITED = {"max_tokens": 100}
ONLY_CONVERSE = "its provider for Bedrock has Converse and ConverseStream (pydantic_ai.models.bedrock)"

serve(
    {
        "converse": lambda: told_by(Agent(model, model_settings=LIMITED).run_sync(PROMPT)),
        "converse-stream": lambda: told_by(ask(PROMPT)),
        "invoke": ONLY_CONVERSE,
        "invoke-stream": ONLY_CONVERSE,
        "tools": lambda: told_by(Agent(model, tools=[price]).run_sync(PROMPT)),
        "image": lambda: told_by(ask([PROMPT, BinaryContent(PIXEL, media_type="image/png")])),
        "cached-prompt": lambda: told_by(ask([CACHED, CachePoint()])),
        "unmapped": lambda: told_by(Agent(BedrockConverseModel(UNMAPPED, provider=provider)).run_sync(PROMPT)),
        "throttled": lambda: told_by(ask(THROTTLED)),
        "cancelled": cancelled,
    }
)
