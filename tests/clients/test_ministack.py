"""ministack as the upstream: through the gateway, its answers are what it gives when it is asked directly.

What it does not do (as of the pinned version) is held here too, so that a newer one that does is noticed: it has no
CountTokens, and to a profile it answers InvokeModelWithResponseStream in a shape that states no usage.
"""

import json
from http.client import HTTPConnection
from urllib.parse import quote, urlsplit

import pytest
from botocore.exceptions import ClientError

from calls import CLAUDE, MESSAGES, body, client, converse, converse_stream
from emulator import KEY

# Its answers state how many milliseconds they took: both ways are asked again until they took as long.
TRIES = 50
# What each answer has of its own.
OF_ONE_ANSWER = {"date", "x-amzn-requestid", "x-amz-request-id", "x-amz-id-2"}
OF_THE_GATEWAY = {"x-tollgate-request-id", "x-tollgate-service", "x-tollgate-profile"}
AUTHORIZATION = (
    f"AWS4-HMAC-SHA256 Credential={KEY[0]}/20260102/us-west-2/bedrock/aws4_request, SignedHeaders=host, Signature=0"
)
PATHS = {
    "converse": {"messages": MESSAGES},
    "converse-stream": {"messages": MESSAGES},
    "invoke": json.loads(body()),
    "invoke-with-response-stream": json.loads(body()),
    "count-tokens": {"input": {"converse": {"messages": MESSAGES}}},
}


@pytest.fixture
def through(emulated):
    return client(f"{emulated.data}/s/service-1")


@pytest.fixture
def direct(emulator):
    return client(emulator.endpoint, key=KEY)


def post(base_url, path, content):
    """The status, the headers and the bytes of the answer to a request that no SDK made."""
    url = urlsplit(base_url)
    connection = HTTPConnection(url.netloc, timeout=30)
    headers = {"content-type": "application/json", "authorization": AUTHORIZATION}
    connection.request("POST", url.path + path, json.dumps(content), headers)
    answer = connection.getresponse()
    names = {name.lower(): value for name, value in answer.getheaders() if name.lower() not in OF_ONE_ANSWER}
    result = answer.status, names, answer.read()
    connection.close()
    return result


@pytest.mark.parametrize("operation, content", PATHS.items(), ids=PATHS.keys())
def test_byte_for_byte(emulator, emulated, operation, content):
    """Status, headers and body are the same both ways; the gateway only adds its own headers."""
    model = CLAUDE.removeprefix("us.") if operation == "count-tokens" else emulator.arn
    for _ in range(TRIES):
        status, headers, direct = post(emulator.endpoint, f"/model/{quote(model, safe='')}/{operation}", content)
        through = post(f"{emulated.data}/s/service-1", f"/model/{quote(CLAUDE, safe='')}/{operation}", content)
        if through[2] == direct:
            break
    assert through[0] == status
    assert through[2] == direct
    assert headers == {name: value for name, value in through[1].items() if name not in OF_THE_GATEWAY}
    assert OF_THE_GATEWAY <= through[1].keys()


@pytest.mark.parametrize("call", [converse, converse_stream])
def test_converse(emulator, emulated, through, direct, call):
    """Usage is the same both ways, and /metrics gains it."""
    with emulated.tokens() as gained:
        stated = call(through, CLAUDE)
    assert stated == call(direct, emulator.arn)
    assert gained == {("service-1", CLAUDE, kind): count for kind, count in stated.items()}


def test_invoke_model(emulator, emulated, through, direct):
    """To a profile it answers in a shape of no vendor's; its usage is that of the token-count headers."""
    with emulated.tokens() as gained:
        answer = through.invoke_model(modelId=CLAUDE, body=body())
        said = answer["body"].read()
    headers = answer["ResponseMetadata"]["HTTPHeaders"]
    stated = {kind: int(headers[f"x-amzn-bedrock-{kind}-token-count"]) for kind in ("input", "output")}
    assert gained == {("service-1", CLAUDE, kind): count for kind, count in stated.items() if count}
    assert said == direct.invoke_model(modelId=emulator.arn, body=body())["body"].read()


def test_invoke_model_stream(emulator, emulated, through, direct):
    """To a profile its stream states no usage: that is counted as missing, never as zero tokens."""
    with emulated.tokens() as gained, emulated.gains("usage_missing_total", "service", "reason") as missing:
        events = list(through.invoke_model_with_response_stream(modelId=CLAUDE, body=body())["body"])
    assert events == list(direct.invoke_model_with_response_stream(modelId=emulator.arn, body=body())["body"])
    assert not gained
    assert missing == {("service-1", "no_statement"): 1}


def test_count_tokens_is_not_there(through, direct):
    """It has no such operation, and says so alike both ways."""
    said = []
    for bedrock, model in ((through, CLAUDE), (direct, CLAUDE.removeprefix("us."))):
        with pytest.raises(ClientError) as raised:
            bedrock.count_tokens(modelId=model, input={"converse": {"messages": MESSAGES}})
        said.append(raised.value.response["Error"])
    assert said[0] == said[1]
    assert said[0]["Code"] == "ValidationException" and "No route" in said[0]["Message"]
