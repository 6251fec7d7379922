"""A ministack: somebody else's emulation of AWS, and so somebody else's reading of Bedrock's API."""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import boto3

from calls import CLAUDE
from gateway import GATEWAY_CREDENTIALS, REGION, START_SECONDS, process

# It derives its account from the access key, so the gateway and direct calls use the same.
KEY = tuple(GATEWAY_CREDENTIALS.values())


class Emulator:
    """A ministack process on a free port, with one application inference profile made in it."""

    def __init__(self, folder):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self.folder = folder

    def __enter__(self):
        settings = {"GATEWAY_PORT": str(self.port), "BIND_HOST": "127.0.0.1", "LOG_LEVEL": "ERROR"}
        env = {**os.environ, **settings, "TMPDIR": str(self.folder)}
        command = [sys.executable, "-m", "ministack"]
        self.process = process(command, cwd=self.folder, env=env, stdout=subprocess.DEVNULL)
        running = self.process.__enter__()
        self.wait(running)
        self.arn = self.make_profile()
        self.services = f'[services.service-1.profiles]\n"{CLAUDE}" = "{self.arn}"\n'
        return self

    def __exit__(self, *exception):
        self.process.__exit__(*exception)

    def wait(self, running):
        """Returns once it answers."""
        for _ in range(START_SECONDS * 10):
            try:
                urllib.request.urlopen(f"{self.endpoint}/_ministack/health", timeout=5).close()
                return
            except urllib.error.URLError:
                if running.poll() is not None:
                    break
                time.sleep(0.1)
        self.__exit__(None, None, None)
        raise RuntimeError("ministack did not start")

    def make_profile(self):
        """Makes an application inference profile with the control plane's own API, and returns its ARN."""
        key, secret = KEY
        bedrock = boto3.client(
            "bedrock",
            region_name=REGION,
            endpoint_url=self.endpoint,
            aws_access_key_id=key,
            aws_secret_access_key=secret,
        )
        source = f"arn:aws:bedrock:{REGION}:000000000000:inference-profile/{CLAUDE}"
        made = bedrock.create_inference_profile(inferenceProfileName="service-1", modelSource={"copyFrom": source})
        return made["inferenceProfileArn"]
