"""boto3 with nothing changed but its base URL, or one header: every operation, and the tokens that it costs."""

import pytest
from botocore import UNSIGNED

from calls import CLAUDE, CLAUDE_35, MESSAGES, NOVA, OPERATIONS, STEERING, body, client, profile_arn

SERVICE = {"x-tollgate-service": "service-1"}

# What a client asks for, and the model that service-1 pays for.
MODELS = {
    "claude": (CLAUDE, CLAUDE),
    "nova": (NOVA, NOVA),
    "foundation model": (CLAUDE.removeprefix("us."), CLAUDE),
    "profile ARN": (profile_arn("f10epf91dhod"), CLAUDE),
    "system profile ARN": (f"arn:aws:bedrock:us-west-2:123456789012:inference-profile/{CLAUDE}", CLAUDE),
    "alias": ("claude", CLAUDE),
    "default": ("default", CLAUDE_35),
}

# How a client names its service.
NAMINGS = {
    "header before-call": ("", {"hook": "before-call", "headers": STEERING | SERVICE}),
    "header before-sign": ("", {"hook": "before-sign", "headers": STEERING | SERVICE}),
    "header before-send": ("", {"hook": "before-send", "headers": STEERING | SERVICE}),
    "path": ("/s/service-1", {"headers": STEERING}),
    "path, unsigned": ("/s/service-1", {"headers": STEERING, "signature_version": UNSIGNED}),
}


@pytest.fixture(params=NAMINGS.values(), ids=NAMINGS.keys())
def bedrock(demo, request):
    base, options = request.param
    return client(demo.data + base, **options)


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("asked, paid", MODELS.values(), ids=MODELS.keys())
def test_metrics_gain_what_the_answer_states(demo, bedrock, operation, asked, paid):
    """Whatever names the service and the model, /metrics gains exactly the tokens that boto3 was told."""
    with demo.tokens() as gained:
        stated = OPERATIONS[operation](bedrock, asked)
    assert stated["input"] == 1100 and stated["output"] == 70
    assert gained == {("service-1", paid, kind): count for kind, count in stated.items()}


def test_count_tokens(demo, bedrock):
    """CountTokens is answered for either kind of input, and costs nothing."""
    with demo.tokens() as gained:
        for asked in (CLAUDE, "claude", "default"):
            inputs = [{"converse": {"messages": MESSAGES}}, {"invokeModel": {"body": body()}}]
            assert [bedrock.count_tokens(modelId=asked, input=one)["inputTokens"] for one in inputs] == [1100, 1100]
    assert not gained


def test_services_are_told_apart(demo):
    """Two services that ask for the same model each pay their own."""
    with demo.tokens() as gained:
        for service, count in (("service-1", "3"), ("service-2", "4")):
            headers = {"x-sim-input-tokens": count, "x-sim-output-tokens": count}
            OPERATIONS["Converse"](client(f"{demo.data}/s/{service}", headers), NOVA)
    kinds = ("input", "output")
    expected = {("service-1", NOVA, kind): 3 for kind in kinds} | {("service-2", NOVA, kind): 4 for kind in kinds}
    assert gained == expected


def test_answers_name_what_paid(demo):
    """An answer keeps Bedrock's request id, and adds the gateway's own, the service and the profile."""
    answer = client(f"{demo.data}/s/service-1").converse(modelId="claude", messages=MESSAGES)
    headers = answer["ResponseMetadata"]["HTTPHeaders"]
    assert headers["x-tollgate-service"] == "service-1"
    assert headers["x-tollgate-profile"] == profile_arn("f10epf91dhod")
    assert answer["ResponseMetadata"]["RequestId"] == headers["x-amzn-requestid"] != headers["x-tollgate-request-id"]
