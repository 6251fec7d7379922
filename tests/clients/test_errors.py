"""What goes wrong has a name that boto3 knows: the gateway's own refusals, Bedrock's errors, and cut answers."""

import pytest
from botocore.exceptions import BotoCoreError, ClientError, EventStreamError

from calls import CLAUDE, MESSAGES, body, client, converse, converse_stream, profile_arn
from gateway import SIMULATOR_CREDENTIALS

SERVICE = {"x-tollgate-service": "service-1"}
LABELS = ("service", "operation", "status", "outcome")


def error_of(call, *args, **kwargs):
    """The ClientError that a call ends with."""
    with pytest.raises(ClientError) as raised:
        call(*args, **kwargs)
    return raised.value


def named(error):
    """An error's name, its status, and the gateway's code for it, if it is the gateway's."""
    metadata = error.response["ResponseMetadata"]
    code = metadata["HTTPHeaders"].get("x-tollgate-error")
    return error.response["Error"]["Code"], metadata["HTTPStatusCode"], code


# The gateway's codes: the error's name and status, and whether the service is known when it is refused.
CODES = {
    "service_missing": ("ValidationException", 400, "unknown"),
    "service_unknown": ("AccessDeniedException", 403, "unknown"),
    "identity_conflict": ("AccessDeniedException", 403, "unknown"),
    "key_invalid": ("AccessDeniedException", 403, "unknown"),
    "model_unmapped": ("AccessDeniedException", 403, "service-1"),
    "profile_foreign": ("AccessDeniedException", 403, "service-1"),
}

# Base path, headers and model of a call that is refused; the gateway's code for it.
REFUSALS = {
    "no service": ("", {}, CLAUDE, "service_missing"),
    "unknown service": ("/s/nobody", {}, CLAUDE, "service_unknown"),
    "no legal name": ("", {"x-tollgate-service": "No Body"}, CLAUDE, "service_unknown"),
    "two services": ("/s/service-2", SERVICE, CLAUDE, "identity_conflict"),
    "no such key": ("", {"x-api-key": "tg_none"}, CLAUDE, "key_invalid"),
    "no profile": ("", SERVICE, "meta.llama3-8b-v1:0", "model_unmapped"),
    "another's profile": ("", SERVICE, profile_arn("1u33xtplpft7"), "profile_foreign"),
}

# Base path and model of paths that no Bedrock client should send.
MALFORMED = {
    "encoded twice": ("/s/service-1", "anthropic.claude-v2%3A1"),
    "a space": ("/s/service-1", "anthropic claude"),
    "a climbing base": ("/%2e%2e", CLAUDE),
}


@pytest.mark.parametrize("base, headers, model, code", REFUSALS.values(), ids=REFUSALS.keys())
def test_refusals(demo, base, headers, model, code):
    """A refused call goes nowhere, says why and what to do, and is counted as refused."""
    name, status, counted = CODES[code]
    bedrock = client(demo.data + base, headers)
    with demo.gains("requests_total", *LABELS) as sent, demo.gains("rejected_total", "service", "code") as refused:
        error = error_of(converse, bedrock, model)
    assert named(error) == (name, status, code)
    assert len(error.response["Error"]["Message"]) > 20
    headers = error.response["ResponseMetadata"]["HTTPHeaders"]
    assert headers["x-tollgate-request-id"] == error.response["ResponseMetadata"]["RequestId"]
    assert not sent
    assert refused == {(counted, code): 1}


@pytest.mark.parametrize("base, model", MALFORMED.values(), ids=MALFORMED.keys())
def test_malformed_paths(demo, base, model):
    """A path that could mean two things is refused, not guessed at."""
    error = error_of(converse, client(demo.data + base), model)
    assert named(error) == ("ValidationException", 400, "path_malformed")


def test_operations_that_a_service_may_not_use(demo):
    """The operations beyond model calls are refused to a service that was not given them."""
    bedrock = client(f"{demo.data}/s/service-1")
    source = {"guardrailIdentifier": "g1", "guardrailVersion": "1", "source": "INPUT", "content": []}
    for call, args in ((bedrock.list_async_invokes, {}), (bedrock.apply_guardrail, source)):
        assert named(error_of(call, **args)) == ("AccessDeniedException", 403, "operation_denied")


@pytest.mark.parametrize("size", [2_000, 20_000_000])
def test_a_body_over_the_limit(demo, served, size):
    """Too large a body is refused by its name, also where the answer comes before boto3 has sent all of it."""
    limited = served(demo.bedrock, {"TOLLGATE__LISTEN__BODY_LIMIT_BYTES": "1000", **SIMULATOR_CREDENTIALS})
    bedrock = client(f"{limited.data}/s/service-1", {"x-sim-pace-ms": "0"})
    error = error_of(bedrock.invoke_model, modelId=CLAUDE, body=b"x" * size)
    assert named(error) == ("RequestEntityTooLargeException", 413, "body_too_large")
    assert converse(bedrock, CLAUDE), "the same client goes on"


# What the simulated Bedrock is told to answer; the error's name, its status, and the outcome that is counted.
UPSTREAM_ERRORS = {
    "throttle": ("ThrottlingException", 429, "throttled"),
    "status:400": ("ValidationException", 400, "client_error"),
    "status:404": ("ResourceNotFoundException", 404, "client_error"),
    "status:408": ("ModelTimeoutException", 408, "client_error"),
    "status:424": ("ModelErrorException", 424, "client_error"),
    "status:500": ("InternalServerException", 500, "upstream_error"),
    "status:503": ("ServiceUnavailableException", 503, "upstream_error"),
}


@pytest.mark.parametrize("call, operation", [(converse, "Converse"), (converse_stream, "ConverseStream")])
@pytest.mark.parametrize("fault", UPSTREAM_ERRORS)
def test_errors_of_bedrock_pass(demo, call, operation, fault):
    """Bedrock's own errors arrive as they are, once: the gateway does not retry."""
    name, status, outcome = UPSTREAM_ERRORS[fault]
    bedrock = client(demo.data, SERVICE | {"x-sim-fault": fault})
    with demo.gains("requests_total", *LABELS) as sent:
        error = error_of(call, bedrock, CLAUDE)
    assert named(error) == (name, status, None)
    assert sent == {("service-1", operation, str(status), outcome): 1}


def test_boto3_retries_what_is_throttled(demo):
    """Each of the client's own attempts is a call of its own."""
    bedrock = client(demo.data, SERVICE | {"x-sim-fault": "throttle"}, retries={"total_max_attempts": 2})
    with demo.gains("requests_total", *LABELS) as sent:
        error = error_of(converse, bedrock, CLAUDE)
    assert error.response["ResponseMetadata"]["RetryAttempts"] == 1
    assert sent == {("service-1", "Converse", "429", "throttled"): 2}


def test_an_exception_inside_a_stream(demo):
    """An exception among the events of a 200 answer is raised, and counted as what it is."""
    bedrock = client(demo.data, SERVICE | {"x-sim-fault": "exception:2:throttlingException"})
    thrown = pytest.raises(EventStreamError, match="throttlingException")
    with demo.gains("requests_total", *LABELS) as sent, thrown:
        converse_stream(bedrock, CLAUDE)
    assert sent == {("service-1", "ConverseStream", "200", "throttled"): 1}


def test_a_cut_answer_is_no_answer(demo):
    """Where Bedrock breaks off in the middle of a body, boto3 is not left with half of one."""
    bedrock = client(demo.data, SERVICE | {"x-sim-fault": "reset:20"})
    with pytest.raises(BotoCoreError):
        converse(bedrock, CLAUDE)
    with pytest.raises(BotoCoreError):
        bedrock.invoke_model(modelId=CLAUDE, body=body())["body"].read()


def test_nobody_listens_upstream(served):
    """An upstream that is down is a 503 that names itself as the gateway's."""
    bedrock = client(f"{served('http://127.0.0.1:9', {}).data}/s/service-1")
    error = error_of(bedrock.converse, modelId=CLAUDE, messages=MESSAGES)
    assert named(error) == ("ServiceUnavailableException", 503, "upstream_unreachable")
