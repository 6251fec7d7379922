"""A secrets key that KMS has encrypted: ministack's KMS makes it and decrypts it; with it, signatures are verified."""

import base64
import os
import subprocess

import boto3
import pytest
from botocore.exceptions import ClientError

import gateway
from calls import CLAUDE, client, converse
from emulator import KEY


@pytest.fixture
def kms(emulator):
    key, secret = KEY
    return boto3.client(
        "kms",
        region_name=gateway.REGION,
        endpoint_url=emulator.endpoint,
        aws_access_key_id=key,
        aws_secret_access_key=secret,
    )


@pytest.fixture
def config(emulator, tmp_path):
    upstream = f'control_endpoint = "{emulator.endpoint}"'
    return gateway.write_config(tmp_path, emulator.endpoint, emulator.services, upstream=upstream)


def wrapped(kms):
    """The text of a secrets key that KMS has made and encrypted, and the key itself, which the gateway never stores."""
    made = kms.generate_data_key(KeyId=kms.create_key()["KeyMetadata"]["KeyId"], NumberOfBytes=32)
    return f"kms:{gateway.REGION}:{base64.b64encode(made['CiphertextBlob']).decode()}"


def tollgate(config, env, *arguments):
    env = {**os.environ, **gateway.GATEWAY_CREDENTIALS, **env}
    command = [gateway.TOLLGATE, "--config", config, *arguments]
    return subprocess.run(command, env=env, capture_output=True, text=True)


def issued(config, env):
    """An access key of the service, and its secret."""
    made = tollgate(config, env, "keys", "create", "--service", "service-1", "--kind", "sigv4")
    assert made.returncode == 0, made.stderr
    return tuple(line.partition("=")[2] for line in made.stdout.splitlines()[:2])


def test_kms_keeps_the_key_to_the_secrets(kms, config):
    env = {"TOLLGATE_SECRETS_KEY": wrapped(kms)}
    key, secret = issued(config, env)
    with gateway.serve(config, env) as running:
        with running.gains("requests_total", "service") as gained:
            assert converse(client(running.data, key=(key, secret)), CLAUDE)
        assert gained == {("service-1",): 1}
        with pytest.raises(ClientError, match="InvalidSignatureException.*does not match the signature you provided"):
            converse(client(running.data, key=(key, secret + "x")), CLAUDE)


def test_what_kms_does_not_decrypt_opens_nothing(kms, config):
    """A gateway that cannot have its secrets key does not start, and says why."""
    env = {"TOLLGATE_SECRETS_KEY": wrapped(kms)}
    issued(config, env)
    no_blob = {"TOLLGATE_SECRETS_KEY": f"kms:{gateway.REGION}:{base64.b64encode(b'nothing').decode()}"}
    for wrong, expected in [(no_blob, "kms:Decrypt"), ({"TOLLGATE_SECRETS_KEY": wrapped(kms)}, "no secrets key opens it")]:
        failed = tollgate(config, wrong, "serve")
        assert failed.returncode == 1, failed.stderr
        assert expected in failed.stderr and "hint: " in failed.stderr, failed.stderr
