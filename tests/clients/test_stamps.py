"""The stamps that AWS's books know a service by, beside its profile: the session that signs, and request metadata.

The session is lent by ministack's STS, which plays it as somebody else reads it; the call then reaches the recorder, which
holds its signature against botocore's own signer, with the credentials that were lent. What ministack cannot show is what
a session's tags do: it takes them, and nothing of it depends on them.
"""

import json
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest

import gateway
from calls import CLAUDE, MESSAGES, client, profile_arn
from lender import Lender

ROLE = "arn:aws:iam::123456789012:role/bills"
SERVICES = f"""
[services.shop]
session_role_arn = "{ROLE}"
stamp_request_metadata = true
tags = {{ team = "payments" }}
[services.shop.profiles]
"{CLAUDE}" = "{profile_arn('shop')}"
[services.b.profiles]
"{CLAUDE}" = "{profile_arn('b')}"
"""


@pytest.fixture
def lender(emulator):
    with Lender(emulator.endpoint) as running:
        yield running


@pytest.fixture
def config(recorder, lender, tmp_path):
    upstream = f'control_endpoint = "{lender.endpoint}"'
    return gateway.write_config(tmp_path, recorder.endpoint, SERVICES, upstream=upstream)


def signer(request):
    """The access key that signed a request."""
    return request.headers["authorization"].partition("Credential=")[2].partition("/")[0]


def test_a_session_of_ministacks_signs(recorder, lender, config):
    """One session, however many calls come at first, and none for a service without a role."""
    with gateway.serve(config) as running, ThreadPoolExecutor(8) as pool:
        before = len(recorder.requests)
        clients = [client(f"{running.data}/s/shop") for _ in range(8)]
        list(pool.map(lambda bedrock: bedrock.converse(modelId=CLAUDE, messages=MESSAGES), clients))
        (session,) = lender.sessions
        assert (session.role, session.name) == (ROLE, "shop")
        assert session.tags == {"Service": "shop", "team": "payments"}
        calls = recorder.requests[before:]
        assert len(calls) == 8
        assert {signer(call) for call in calls} == {session.key} and session.key.startswith("ASIA")
        assert all(call.problem() is None for call in calls)
        client(f"{running.data}/s/b").converse(modelId=CLAUDE, messages=MESSAGES)
        assert signer(recorder.last) == gateway.GATEWAY_CREDENTIALS["AWS_ACCESS_KEY_ID"]
        assert len(lender.sessions) == 1


def test_check_begins_the_session(lender, config):
    """`tollgate check --aws` says who the service's calls are. Of the recorder's profiles ministack knows nothing."""
    command = [gateway.TOLLGATE, "--config", config, "check", "--aws", "--format", "json"]
    env = {**os.environ, **gateway.GATEWAY_CREDENTIALS}
    ran = subprocess.run(command, capture_output=True, text=True, env=env, timeout=60)
    (session,) = lender.sessions
    assert (session.name, session.tags) == ("shop", {"Service": "shop", "team": "payments"})
    assert json.loads(ran.stdout)["aws"]["sessions"]["shop"]["arn"].endswith(":assumed-role/bills/shop")


def test_metadata_is_stamped(recorder, config):
    """boto3's own metadata stays, in Converse's body and in InvokeModel's header, and the signatures hold."""
    with gateway.serve(config) as running:
        bedrock = client(f"{running.data}/s/shop")
        converse = bedrock.converse(
            modelId=CLAUDE, messages=MESSAGES, requestMetadata={"feature": "search", "tollgate.service": "other"}
        )
        metadata = json.loads(recorder.last.body)["requestMetadata"]
        invoke = bedrock.invoke_model(modelId=CLAUDE, body=b'{"prompt":"x"}')
        header = json.loads(recorder.last.headers["x-amzn-bedrock-request-metadata"])
        assert recorder.last.body == b'{"prompt":"x"}'
    for answer, stamped in ((converse, metadata), (invoke, header)):
        own = {key: value for key, value in stamped.items() if key.startswith("tollgate.")}
        call = answer["ResponseMetadata"]["HTTPHeaders"]["x-tollgate-request-id"]
        assert own == {
            "tollgate.service": "shop",
            "tollgate.request_id": call,
            "tollgate.tag.team": "payments",
        }
    assert metadata["feature"] == "search" and len(metadata) == 4
    assert len(header) == 3
