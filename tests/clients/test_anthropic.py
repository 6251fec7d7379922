"""Anthropic's SDK with nothing changed but its base URL, or one header; and a service key alone."""

import asyncio
import subprocess

import anthropic
import pytest

import gateway
from calls import CLAUDE, STEERING, client, converse, of_body, profile_arn
from conftest import SERVICES
from gateway import REGION, SIMULATOR_CREDENTIALS, TOLLGATE

SERVICE = {"x-tollgate-service": "service-1"}
KEYS = {"aws_access_key": "AKIACLIENT", "aws_secret_key": "the-client's", "aws_session_token": "the client's"}
ASK = {"max_tokens": 100, "messages": [{"role": "user", "content": "How much is the fish?"}]}
NAMINGS = {"header": ("", STEERING | SERVICE), "path": ("/s/service-1", STEERING)}
MODELS = {"id": CLAUDE, "profile ARN": profile_arn("f10epf91dhod"), "alias": "claude"}


def sdk(base_url, headers=None, kind=anthropic.AnthropicBedrock, **auth):
    auth = auth or KEYS
    return kind(base_url=base_url, aws_region=REGION, default_headers=headers, max_retries=0, **auth)


def of_service(usage):
    """The samples of tollgate_tokens_total that an answer with that usage is to add."""
    return {("service-1", CLAUDE, kind): count for kind, count in of_body(usage.to_dict()).items()}


@pytest.fixture(params=NAMINGS.values(), ids=NAMINGS.keys())
def naming(request):
    return request.param


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS.keys())
def test_a_message(demo, naming, model):
    """A message's own usage is what /metrics gains."""
    base, headers = naming
    with demo.tokens() as gained:
        message = sdk(demo.data + base, headers).messages.create(model=model, **ASK)
    assert message.content[0].text
    assert message.usage.input_tokens == 1100
    assert gained == of_service(message.usage)


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS.keys())
def test_a_stream(demo, naming, model):
    """A stream's text arrives in pieces, and the usage of its final message is what /metrics gains."""
    base, headers = naming
    bedrock = sdk(demo.data + base, headers)
    with demo.tokens() as gained, bedrock.messages.stream(model=model, **ASK) as stream:
        pieces = list(stream.text_stream)
        message = stream.get_final_message()
    assert len(pieces) > 1 and "".join(pieces) == message.content[0].text
    assert gained == of_service(message.usage)


def test_the_asynchronous_client(demo):
    """Ten messages at the same time, each counted."""

    async def ask():
        bedrock = sdk(demo.data, STEERING | SERVICE, anthropic.AsyncAnthropicBedrock)
        return await asyncio.gather(*[bedrock.messages.create(model=CLAUDE, **ASK) for _ in range(10)])

    with demo.tokens() as gained:
        messages = asyncio.run(ask())
    expected = of_service(messages[0].usage)
    assert gained == {labels: 10 * count for labels, count in expected.items()}


ERRORS = {
    "no service": ("", {}, anthropic.BadRequestError, 400, "service_missing"),
    "unknown service": ("/s/nobody", {}, anthropic.PermissionDeniedError, 403, "service_unknown"),
    "no profile": ("/s/service-2", {}, anthropic.PermissionDeniedError, 403, "model_unmapped"),
    "malformed path": ("/s/service-1/a%20b", {}, anthropic.BadRequestError, 400, "path_malformed"),
    "throttled": ("/s/service-1", {"x-sim-fault": "throttle"}, anthropic.RateLimitError, 429, None),
    "Bedrock fails": ("/s/service-1", {"x-sim-fault": "status:500"}, anthropic.InternalServerError, 500, None),
}


@pytest.mark.parametrize("base, headers, kind, status, code", ERRORS.values(), ids=ERRORS.keys())
def test_errors(demo, base, headers, kind, status, code):
    """The gateway's refusals and Bedrock's errors are the SDK's own exceptions."""
    with pytest.raises(anthropic.APIStatusError) as raised:
        sdk(demo.data + base, headers).messages.create(model="claude", **ASK)
    assert type(raised.value) is kind and raised.value.status_code == status
    assert raised.value.response.headers.get("x-tollgate-error") == code
    assert raised.value.body["message"]


def test_an_exception_inside_a_stream(demo):
    """An exception among the events of a 200 answer is raised as an error."""
    headers = SERVICE | {"x-sim-fault": "exception:3:throttlingException"}
    with pytest.raises(anthropic.APIStatusError):
        list(sdk(demo.data, headers).messages.create(model=CLAUDE, stream=True, **ASK))


@pytest.fixture(scope="module")
def keyed(demo, tmp_path_factory):
    """A gateway, and a key of service-1 made by `tollgate keys create`."""
    config = gateway.write_config(tmp_path_factory.mktemp("keyed"), demo.bedrock, SERVICES)
    command = [TOLLGATE, "--config", config, "keys", "create", "--service", "service-1"]
    key = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[0]
    with gateway.serve(config, SIMULATOR_CREDENTIALS) as running:
        yield running, key


def test_a_service_key(keyed):
    """A key alone names the service: sent as a bearer token by Anthropic's SDK, and as x-api-key by boto3."""
    running, key = keyed
    with running.tokens() as gained:
        message = sdk(running.data, STEERING, api_key=key).messages.create(model=CLAUDE, **ASK)
    assert gained == of_service(message.usage)
    assert converse(client(running.data, {"x-api-key": key}), CLAUDE)


def test_a_key_and_another_name(keyed):
    """A key beside another service's name is refused, and so is a key that nobody made."""
    running, key = keyed
    for base, sent, code in (("/s/service-2", key, "identity_conflict"), ("", key[:-1], "key_invalid")):
        with pytest.raises(anthropic.PermissionDeniedError) as raised:
            sdk(running.data + base, api_key=sent).messages.create(model=CLAUDE, **ASK)
        assert raised.value.response.headers["x-tollgate-error"] == code
