"""What the gateway sends is signed as botocore would have signed it, with its own credentials and not the client's."""

import os
from datetime import datetime, timezone

import pytest
from botocore import UNSIGNED
from botocore.exceptions import ClientError

from calls import CLAUDE, MESSAGES, client, converse, profile_arn
from gateway import GATEWAY_CREDENTIALS
from recorder import SESSION_CREDENTIALS

PROFILE = "arn%3Aaws%3Abedrock%3Aus-west-2%3A123456789012%3Aapplication-inference-profile%2Ff10epf91dhod"
INVOCATION = "arn:aws:bedrock:us-west-2:123456789012:async-invoke/abcdefghijkl"
GUARDRAIL = "arn:aws:bedrock:us-west-2:123456789012:guardrail/abc123"


@pytest.fixture
def bedrock(recorded):
    return client(f"{recorded.data}/s/service-1")


def test_the_verifier_knows_a_good_signature_from_a_bad_one(recorder):
    """The recorder accepts what boto3 signs with an accepted key, and nothing that another secret signed."""
    key, secret = GATEWAY_CREDENTIALS.values()
    assert converse(client(recorder.endpoint, key=(key, secret)), "a:b/c")
    for wrong in ({"key": (key, "another")}, {"key": ("AKIAOTHER", secret)}, {"signature_version": UNSIGNED}):
        with pytest.raises(ClientError, match="InvalidSignatureException"):
            converse(client(recorder.endpoint, **wrong), "a:b/c")


@pytest.mark.parametrize("asked", [CLAUDE, CLAUDE.removeprefix("us."), profile_arn("f10epf91dhod")])
def test_converse(recorder, bedrock, asked):
    """The profile takes the model's place in the path, encoded once; the signature encodes it twice."""
    assert converse(bedrock, asked)
    assert recorder.last.target == f"/model/{PROFILE}/converse"
    assert recorder.last.headers["authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKIAGATEWAY/")


def test_session_credentials(recorder, served):
    """Temporary credentials go out with their token, which the signature covers."""
    assert converse(client(f"{served(recorder.endpoint, SESSION_CREDENTIALS).data}/s/service-1"), CLAUDE)
    assert recorder.last.headers["x-amz-security-token"] == SESSION_CREDENTIALS["AWS_SESSION_TOKEN"]


@pytest.mark.parametrize("asked", ["anthropic.claude-v2:1", "arn:aws:bedrock:us-west-2:1:prompt/ABCDEFGHIJ:1", "plain"])
def test_ids_that_pass_as_they_are(recorder, served, asked):
    """An id with colons and slashes that no profile stands for is sent, and signed, as boto3 would."""
    passing = served(recorder.endpoint, {"TOLLGATE__CATALOG__UNMAPPED_MODEL": "passthrough"})
    assert converse(client(f"{passing.data}/s/service-1"), asked)
    key = tuple(GATEWAY_CREDENTIALS.values())
    through = recorder.last.target
    assert converse(client(recorder.endpoint, key=key), asked)
    assert through == recorder.last.target


def test_count_tokens(recorder, bedrock):
    """CountTokens takes no profile: the foundation model's id, with its colon, is signed."""
    bedrock.count_tokens(modelId=CLAUDE, input={"converse": {"messages": MESSAGES}})
    assert recorder.last.target == "/model/anthropic.claude-sonnet-4-5-20250929-v1%3A0/count-tokens"


def test_queries(recorder, bedrock):
    """A query is signed in the canonical order and encoding, and sent unchanged."""
    at = datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc)
    bedrock.list_async_invokes()
    assert recorder.last.target == "/async-invoke"
    bedrock.list_async_invokes(
        submitTimeAfter=at, statusEquals="Completed", maxResults=5, nextToken="a+b/c=&d ü~", sortOrder="Descending"
    )
    assert recorder.last.method == "GET"
    assert "nextToken=a%2Bb%2Fc%3D%26d%20%C3%BC~" in recorder.last.target


def test_other_operations(recorder, bedrock):
    """ARNs elsewhere in the path are encoded and signed alike."""
    bedrock.get_async_invoke(invocationArn=INVOCATION)
    assert recorder.last.target == "/async-invoke/" + INVOCATION.replace(":", "%3A").replace("/", "%2F")
    content = [{"text": {"text": "Fish."}}]
    bedrock.apply_guardrail(guardrailIdentifier=GUARDRAIL, guardrailVersion="DRAFT", source="INPUT", content=content)
    guardrail = GUARDRAIL.replace(":", "%3A").replace("/", "%2F")
    assert recorder.last.target == f"/guardrail/{guardrail}/version/DRAFT/apply"
    output = {"s3OutputDataConfig": {"s3Uri": "s3://bucket/key"}}
    bedrock.start_async_invoke(modelId="amazon.nova-reel-v1:0", modelInput={"a": 1}, outputDataConfig=output)
    assert (recorder.last.method, recorder.last.target) == ("POST", "/async-invoke")


BEDROCK_HEADERS = {
    "x-amzn-bedrock-trace": "ENABLED",
    "x-amzn-bedrock-guardrailidentifier": GUARDRAIL,
    "x-amzn-bedrock-guardrailversion": "7",
    "x-amzn-bedrock-performanceconfig-latency": "optimized",
    "x-amzn-bedrock-service-tier": "flex",
    "x-amzn-bedrock-request-metadata": '{"a  b":"c,  d"}',
}
BEDROCK_PARAMETERS = {
    "trace": "ENABLED",
    "guardrailIdentifier": GUARDRAIL,
    "guardrailVersion": "7",
    "performanceConfigLatency": "optimized",
    "serviceTier": "flex",
    "requestMetadata": BEDROCK_HEADERS["x-amzn-bedrock-request-metadata"],
}


def test_bedrock_headers(recorder, bedrock):
    """Every x-amzn-bedrock-* header goes out as it came, and is signed."""
    bedrock.invoke_model(modelId=CLAUDE, body=b"{}", accept="*/*", contentType="application/json", **BEDROCK_PARAMETERS)
    assert BEDROCK_HEADERS.items() <= dict(recorder.last.headers.items()).items()
    bedrock.invoke_model_with_response_stream(modelId=CLAUDE, body=b"{}", accept="*/*", **BEDROCK_PARAMETERS)
    expected = BEDROCK_HEADERS | {"x-amzn-bedrock-accept": "*/*"}
    assert expected.items() <= dict(recorder.last.headers.items()).items()


@pytest.mark.parametrize("body", [b"{}", b" \n{}\n", bytes(range(256)), os.urandom(5_000_000)], ids=len)
def test_bodies_pass_unchanged(recorder, bedrock, body):
    """Any bytes arrive upstream as they are, with their hash signed, and any bytes come back as they are."""
    answer = bedrock.invoke_model(modelId=CLAUDE, body=body, contentType="application/x-any")
    assert recorder.last.body == body == answer["body"].read()
    assert answer["contentType"] == "application/x-any"


def test_nothing_of_the_client_s_identity_goes_on(recorder, recorded):
    """What identified or signed for the client stays behind; its user agent and invocation id go on."""
    headers = {
        "x-tollgate-service": "service-1",
        "x-tollgate-labels": "feature=search",
        "x-api-key": "other",
        "x-amz-security-token": "the client's",
        "accept-encoding": "gzip",
    }
    assert converse(client(recorded.data, headers, hook="before-send"), CLAUDE)
    sent = {name.lower(): value for name, value in recorder.last.headers.items()}
    assert not {"x-tollgate-service", "x-tollgate-labels", "x-api-key", "x-amz-security-token"} & set(sent)
    assert sent["accept-encoding"] == "identity"
    assert sent["user-agent"].startswith("Boto3/") and sent["amz-sdk-invocation-id"]
    assert "AKIACLIENT" not in str(sent)
