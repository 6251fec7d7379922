"""A gateway process: how it is started, asked for its metrics, and stopped."""

import json
import os
import re
import subprocess
import threading
import tomllib
import urllib.request
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

TOLLGATE = os.environ["TOLLGATE_BIN"]
REGION = "us-west-2"
STOP_SECONDS = 10
START_SECONDS = 30

# The gateway's own credentials, where it has an upstream other than its simulator.
GATEWAY_CREDENTIALS = {"AWS_ACCESS_KEY_ID": "AKIAGATEWAY", "AWS_SECRET_ACCESS_KEY": "the-gateway's-own/secret+key"}
# Those that the simulator accepts.
SIMULATOR_CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "AKIASIMULATOR",
    "AWS_SECRET_ACCESS_KEY": "no-secret-but-agreed-with-the-simulator",
}

# What no gateway of this session may ever say: these, and whatever has the form of a key or of a private key.
SECRETS = {GATEWAY_CREDENTIALS["AWS_SECRET_ACCESS_KEY"], SIMULATOR_CREDENTIALS["AWS_SECRET_ACCESS_KEY"]}
SECRET_FORMS = re.compile(r"tg_[0-9A-Za-z]{49}|-----BEGIN[A-Z ]*PRIVATE KEY")
# Every line that they have written, and the last text of each one's metrics.
SAID = []
METRICS = {}

SAMPLE = re.compile(r"^tollgate_(\w+?)\{(.*)\} (\d+)$", re.MULTILINE)
LABEL = re.compile(r'(\w+)="([^"]*)"')


@dataclass(frozen=True)
class Gateway:
    """The process of a running gateway, and the base URLs."""

    process: subprocess.Popen
    data: str
    admin: str
    bedrock: str

    def metrics(self):
        """The text of /metrics."""
        with urllib.request.urlopen(f"{self.admin}/metrics", timeout=5) as answer:
            METRICS[self.admin] = answer.read().decode()
        return METRICS[self.admin]

    def counter(self, name, *labels):
        """One counter of /metrics, its samples keyed by the values of those labels."""
        samples = Counter()
        for family, pairs, value in SAMPLE.findall(self.metrics()):
            if family == name:
                of = dict(LABEL.findall(pairs))
                samples[tuple(of[label] for label in labels)] += int(value)
        return samples

    @contextmanager
    def gains(self, name, *labels):
        """What a counter gains inside the `with` block; complete once the block has ended."""
        gained = Counter()
        before = self.counter(name, *labels)
        yield gained
        gained.update(self.counter(name, *labels) - before)

    def tokens(self):
        """The tokens gained, by service, source model and kind."""
        return self.gains("tokens_total", "service", "model", "kind")


def secrets_in(texts):
    """The texts that hold a secret."""
    return [text for text in texts if SECRET_FORMS.search(text) or any(secret in text for secret in SECRETS)]


@contextmanager
def demo():
    """`tollgate demo`: the sample services in front of the simulated Bedrock, which checks every signature."""
    ports = ["--data", "127.0.0.1:0", "--admin", "127.0.0.1:0"]
    with process([TOLLGATE, "demo", "--quiet", *ports], stdout=subprocess.PIPE) as running:
        line = first_line(running, running.stdout, lambda line: line.startswith("data "))
        words = line.split()
        yield Gateway(running, data=words[1], admin=words[3], bedrock=words[5])


@contextmanager
def serve(config: Path, env=None):
    """`tollgate serve` with that config file."""
    env = {**os.environ, **GATEWAY_CREDENTIALS, **(env or {})}
    with process([TOLLGATE, "serve", "--config", config], stderr=subprocess.PIPE, env=env) as running:
        line = first_line(running, running.stderr, lambda line: '"message":"serving"' in line)
        said, settings = json.loads(line), tomllib.loads(config.read_text())
        scheme = "https" if "tls" in settings["listen"] else "http"
        data, admin = f"{scheme}://{said['data']}", f"http://{said['admin']}"
        yield Gateway(running, data=data, admin=admin, bedrock=settings["upstream"]["endpoint"])


def write_config(folder: Path, endpoint, services, **more):
    """Writes the two files of a config into a folder, and returns the path of the first; its tables may get more
    lines, as in `catalog="discover = true"`."""
    lines = {name: "" for name in ("listen", "upstream", "identity", "catalog", "log")} | more
    (folder / "services.toml").write_text(services)
    config = folder / "tollgate.toml"
    config.write_text(
        f"""
        [listen]
        data = "127.0.0.1:0"
        admin = "127.0.0.1:0"
        shutdown_grace = "3s"
        {lines["listen"]}
        [upstream]
        region = "{REGION}"
        endpoint = "{endpoint}"
        {lines["upstream"]}
        [identity]
        {lines["identity"]}
        [catalog]
        services = "services.toml"
        {lines["catalog"]}
        [log]
        access = "off"
        {lines["log"]}
        """
    )
    return config


@contextmanager
def process(command, **options):
    """A child process that is told to stop when the `with` block ends, and killed if it does not."""
    running = subprocess.Popen(command, text=True, **options)
    try:
        yield running
    finally:
        running.terminate()
        try:
            running.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            running.kill()
            running.wait()
            raise


def first_line(running, stream, wanted):
    """The first line of a child's output that is wanted; what comes after it is read away."""
    lines = []
    found = threading.Event()

    def read():
        for line in stream:
            SAID.append(line)
            if not found.is_set():
                lines.append(line)
                if wanted(line):
                    found.set()

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    for _ in range(START_SECONDS * 10):
        if found.wait(0.1):
            return lines[-1]
        if running.poll() is not None:
            break
    reader.join(1)
    raise RuntimeError(f"{running.args[0]} did not start:\n{''.join(lines)}")
