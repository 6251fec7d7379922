"""An account of AWS, as ministack or the simulator plays it, and what a platform engineer has beside it: a folder with
a config, and the command line."""

import os
import subprocess
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import boto3
from botocore.exceptions import ClientError

import gateway
from calls import converse

# The shortest that a config may have.
REFRESH_SECONDS = 10
# One look at AWS comes that much later than it should at the most, by chance, and takes some time on a busy machine.
ONE_REFRESH = REFRESH_SECONDS * 1.1 + 4


@dataclass(frozen=True)
class Account:
    """Where AWS is, and the environment that has its keys."""

    endpoint: str
    env: dict

    def bedrock(self):
        """A client of the control plane, without the gateway."""
        return control_plane(self.endpoint, tuple(self.env.values()))

    def profiles(self):
        """The application inference profiles that there are, by ARN."""
        # ministack takes no notice of the type that is asked for.
        pages = self.bedrock().get_paginator("list_inference_profiles").paginate(typeEquals="APPLICATION")
        summaries = [summary for page in pages for summary in page["inferenceProfileSummaries"]]
        return {one["inferenceProfileArn"]: one for one in summaries if one["type"] == "APPLICATION"}

    def tags(self, arn):
        """The tags of a profile."""
        return {tag["key"]: tag["value"] for tag in self.bedrock().list_tags_for_resource(resourceARN=arn)["tags"]}

    def make(self, name, model, **tags):
        """Makes a profile, as anyone may with AWS's own tools, and returns its ARN."""
        made = self.bedrock().create_inference_profile(
            inferenceProfileName=name,
            modelSource={"copyFrom": f"arn:aws:bedrock:{gateway.REGION}::foundation-model/{model}"},
            tags=[{"key": key, "value": value} for key, value in tags.items()],
        )
        return made["inferenceProfileArn"]


@cache
def control_plane(endpoint, key=("AKIACLIENT", "the-client's")):
    """A client of Bedrock's control plane."""
    return boto3.client(
        "bedrock",
        region_name=gateway.REGION,
        endpoint_url=endpoint,
        aws_access_key_id=key[0],
        aws_secret_access_key=key[1],
    )


class Place:
    """A folder with a config of an account: its profiles are discovered."""

    def __init__(self, folder: Path, account, services="", catalog=""):
        self.account = account
        self.services = folder / "services.toml"
        self.config = gateway.write_config(
            folder,
            account.endpoint,
            services,
            upstream=f'control_endpoint = "{account.endpoint}"',
            catalog=f"discover = true\nrefresh_seconds = {REFRESH_SECONDS}\n{catalog}",
        )

    def run(self, *arguments, **env):
        """What a command of tollgate's prints."""
        ran = self.attempt(*arguments, **env)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return ran.stdout

    def attempt(self, *arguments, **env):
        command = [gateway.TOLLGATE, "--config", self.config, *arguments]
        env = {**os.environ, **self.account.env, **env}
        return subprocess.run(command, capture_output=True, text=True, env=env, timeout=60)

    @contextmanager
    def serve(self, **env):
        """`tollgate serve`, once it is ready."""
        with gateway.serve(self.config, {**self.account.env, **env}) as running:
            wait_until_ready(running)
            yield running


def wait_until_ready(running):
    """Returns once the gateway has looked at AWS, or has tried to."""
    end = time.monotonic() + gateway.START_SECONDS
    while True:
        try:
            return urllib.request.urlopen(f"{running.admin}/readyz", timeout=5).close()
        except urllib.error.HTTPError as not_yet:
            assert time.monotonic() < end, not_yet
            time.sleep(0.05)


def first_usage(bedrock, model, seconds):
    """The usage of the first call that is not refused any more, which must come within that time."""
    end = time.monotonic() + seconds
    while True:
        try:
            return converse(bedrock, model)
        except ClientError as refused:
            assert refused.response["Error"]["Code"] == "AccessDeniedException", refused
            assert time.monotonic() < end, refused
            time.sleep(0.1)
