"""Every client that has a program, by each way of identity it has, over http and over https: each feature once, through
a gateway for each transport.

What a client tells its user must be what the gateway's metrics gained for the client's service. The manifest is
clients.toml; what is said between runner and program is in programs/protocol.py.
"""

import json
import os
import queue
import subprocess
import threading
import time
import tomllib
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import gateway
import issued
from calls import CLAUDE, profile_arn

HERE = Path(__file__).parent
PROGRAMS = HERE / "programs"
# Where `run` put what the programs need: python, a virtual environment, and node, with the JavaScript clients.
ENVIRONMENTS = Path(os.environ["CLIENTS"])

FEATURES = (
    "converse",
    "converse-stream",
    "invoke",
    "invoke-stream",
    "tools",
    "image",
    "cached-prompt",
    "unmapped",
    "throttled",
    "cancelled",
)

# Those that show that identity and transport hold, where a client plays the rest by its other ways.
ESSENTIAL = ("converse", "converse-stream", "invoke", "invoke-stream", "unmapped")
TRANSPORTS = ("http", "https")

# How long a program may take for one answer, its start and its client's retries included, on a busy machine.
ANSWER_SECONDS = 180
# How long a call whose client left may still go on.
DRAIN_SECONDS = 60
# Most of a program's time is spent on waiting for its client's next attempt.
PROGRAMS_AT_A_TIME = 6
# How much of a program's stderr a failure shows.
STDERR_LINES = 15

# What each of these features has to be for the gateway.
OPERATIONS = {
    "converse": "Converse",
    "converse-stream": "ConverseStream",
    "invoke": "InvokeModel",
    "invoke-stream": "InvokeModelWithResponseStream",
}

# The counters that are compared, and the label that tells their samples apart within a service.
COUNTERS = [
    ("tokens_total", "kind"),
    ("estimated_tokens_total", "kind"),
    ("usage_missing_total", "reason"),
    ("requests_total", "outcome"),
    ("requests_total", "operation"),
    ("rejected_total", "code"),
    ("client_gone_total", "action"),
]


@dataclass(frozen=True)
class Client:
    """A table of the manifest."""

    name: str
    title: str
    program: str
    language: str
    http: tuple
    https: tuple
    ca: str
    unmapped: str
    throttled: str
    attempts: int
    key: str = "SERVICE_KEY"
    thorough: bool = False

    def command(self):
        program = PROGRAMS / self.program
        return {
            ".py": [ENVIRONMENTS / "python/bin/python", program],
            ".mjs": [ENVIRONMENTS / "node/run", self.program],
            ".rs": [Path(gateway.TOLLGATE).parent / "examples" / program.stem],
            ".sh": ["bash", program],
        }[program.suffix]


@dataclass(frozen=True)
class Run:
    """A client with one way of identity over one transport, and a service to itself."""

    client: Client
    identity: str
    transport: str

    @property
    def service(self):
        return f"{self.client.name}-{self.identity}" + ("-https" if self.transport == "https" else "")

    @property
    def features(self):
        """What it plays."""
        usual = self.transport == "http" and self.identity != "sigv4"
        return FEATURES if usual or self.client.thorough else ESSENTIAL


@dataclass
class Outcome:
    """What became of a feature: nothing is wrong with it, or some things are, or the client does not have it.

    A client that `reads_on` ends for its user where it is cancelled, while it reads the stream to its end.
    """

    wrong: list = field(default_factory=list)
    absent: str = ""
    reads_on: bool = False


def clients():
    """The clients of the manifest."""
    tables = tomllib.loads((HERE / "clients.toml").read_text())
    return [
        Client(name, **table | {transport: tuple(table[transport]) for transport in TRANSPORTS})
        for name, table in tables.items()
    ]


def runs():
    return [
        Run(client, identity, transport)
        for client in clients()
        for transport in TRANSPORTS
        for identity in getattr(client, transport)
    ]


def play(endpoint, folder, wanted):
    """Runs the programs on their features (`wanted`: run to features), and returns the outcome of each of them."""
    with ExitStack() as stack:
        gateways = {}
        for transport in {run.transport for run in wanted}:
            config, keys = prepare(endpoint, folder / transport, [run for run in wanted if run.transport == transport])
            served = gateway.serve(config, gateway.SIMULATOR_CREDENTIALS)
            gateways[transport] = stack.enter_context(served), keys
        pool = stack.enter_context(ThreadPoolExecutor(PROGRAMS_AT_A_TIME))

        def start(run):
            running, keys = gateways[run.transport]
            return pool.submit(play_run, running, folder, (run, keys.get(run)), wanted[run])

        played = {run: start(run) for run in wanted}
        return {(run, feature): outcome for run, of in played.items() for feature, outcome in of.result().items()}


def prepare(endpoint, folder, runs):
    """Makes what the gateway of one transport needs, and returns its config and the keys of the runs that have one."""
    folder.mkdir()
    issued.secure(folder)
    # The simulated Bedrock knows any application inference profile as one of this model.
    tables = [
        f'[services.{run.service}.profiles]\n"{CLAUDE}" = "{profile_arn(f"{number:012}")}"\n'
        for number, run in enumerate(runs)
    ]
    tls = issued.TLS if runs[0].transport == "https" else ""
    config = gateway.write_config(folder, endpoint, "".join(tables), listen=tls, identity=issued.SECRETS_KEY)
    make = {"key": issued.bearer, "sigv4": issued.sigv4}
    return config, {run: make[run.identity](config, run.service) for run in runs if run.identity in make}


def environment(running, folder, run, key):
    """How a program is told where the gateway is, and what it is to identify itself by."""
    said = {"BASE_URL": f"{running.data}/s/{run.service}" if run.identity == "path" else running.data}
    if run.transport == "https":
        said[run.client.ca] = str(folder / "https/tls/ca.pem")
    match run.identity:
        case "header":
            said["SERVICE"] = run.service
        case "key":
            said[run.client.key] = key.secret
        case "sigv4":
            said |= {"AWS_ACCESS_KEY_ID": key.id, "AWS_SECRET_ACCESS_KEY": key.secret}
    return said


def play_run(running, folder, of, features):
    """Starts one program, and asks it for one feature after the other; `of` is the run, and its key."""
    run, key = of
    outcomes = {}
    with Program(run, environment(running, folder, run, key), folder) as program:
        for feature in features:
            before = books(running, run.service)
            try:
                answer = program.answer(feature)
            except NoAnswer as silence:
                outcomes[feature] = Outcome([f"{silence}\n{program.noise()}"])
                continue
            if feature == "cancelled":
                wait_for_the_drain(running, run.service, before)
            gained = books(running, run.service) - before
            outcomes[feature] = judge(run.client, feature, answer, gained)
            if outcomes[feature].wrong:
                outcomes[feature].wrong.append(f"{answer}\n{program.noise()}")
    return outcomes


class NoAnswer(Exception):
    """The program ended, or said nothing for too long, or said what is no JSON."""


class Program:
    """A running program. It sees nothing of this process's environment."""

    def __init__(self, run, env, folder):
        self.log = folder / f"{run.service}.log"
        self.command = run.client.command()
        self.env = {
            "PATH": f"{ENVIRONMENTS / 'python/bin'}:{os.environ['PATH']}",
            "HOME": str(folder),
            "LC_ALL": "C.UTF-8",
            "PYTHONDONTWRITEBYTECODE": "1",
            "AWS_REGION": gateway.REGION,
            "AWS_ACCESS_KEY_ID": "AKIACLIENT",
            "AWS_SECRET_ACCESS_KEY": "the-client's",
            **env,
        }
        self.lines = queue.Queue()

    def __enter__(self):
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        with self.log.open("w") as stderr:
            self.context = gateway.process(self.command, env=self.env, stderr=stderr, **pipes)
            self.running = self.context.__enter__()
        threading.Thread(target=self.read, daemon=True).start()
        return self

    def __exit__(self, *exception):
        self.context.__exit__(*exception)

    def read(self):
        for line in self.running.stdout:
            self.lines.put(line)
        self.lines.put(None)

    def answer(self, feature):
        """What the program answers to the name of a feature."""
        try:
            self.running.stdin.write(f"{feature}\n")
            self.running.stdin.flush()
            line = self.lines.get(timeout=ANSWER_SECONDS)
        except (queue.Empty, OSError, ValueError):
            line = None
        if line is None:
            # What it may still say would be taken for the next answer.
            self.running.kill()
            self.lines.put(None)
            raise NoAnswer(f"no answer within {ANSWER_SECONDS} s, or the program has ended")
        try:
            return json.loads(line)
        except ValueError:
            raise NoAnswer(f"an answer that is no JSON: {line}")

    def noise(self):
        """The end of what the program wrote to stderr."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-STDERR_LINES:])


def books(running, service):
    """All that the gateway has counted for a service, by label and its value."""
    counted = Counter()
    for name, label in COUNTERS:
        for (owner, value), count in running.counter(name, "service", label).items():
            if owner == service:
                counted["estimated" if name == "estimated_tokens_total" else label, value] += count
    return counted


def wait_for_the_drain(running, service, before):
    """Returns once a call whose client left has been read to its end, or should have been."""
    end = time.monotonic() + DRAIN_SECONDS
    while time.monotonic() < end and not (books(running, service) - before).keys() & ENDS_OF_A_DRAIN:
        time.sleep(0.1)


ENDS_OF_A_DRAIN = {("kind", "output"), ("estimated", "output")}


def judge(client, feature, answer, gained):
    """Holds what a program answered against what the gateway counted."""
    used = {value: count for (label, value), count in gained.items() if label == "kind"}
    operations = [value for label, value in gained if label == "operation"]
    rest = {key: count for key, count in gained.items() if key[0] not in ("kind", "operation")}
    if "absent" in answer:
        return Outcome([f"absent, but counted: {gained}"] if gained else [], absent=answer["absent"])
    if feature in ("unmapped", "throttled"):
        exception, counted = {
            "unmapped": (client.unmapped, {("code", "model_unmapped"): 1}),
            "throttled": (client.throttled, {("outcome", "throttled"): client.attempts}),
        }[feature]
        found = [("exception", answer.get("exception"), exception), ("counted", rest, counted), ("tokens", used, {})]
    elif feature == "cancelled":
        found = [("cancelled", answer.get("cancelled"), True)]
        gone = {} if answer.get("reads_on") else {("action", "drained"): 1}
        found += [("counted", rest, {**gone, ("outcome", "ok"): 1})]
        found += [("kinds of tokens", sorted(used), ["input", "output"])]
    else:
        stated = {kind: count for kind, count in (answer.get("stated") or {}).items() if count is not None}
        cached = ["cache_read", "cache_write_5m"] if feature == "cached-prompt" else []
        found = [("counted", rest, {("outcome", "ok"): 1}), ("text", bool(answer.get("text")), True)]
        # What the client tells its user of is what was counted, and the two that every answer has were.
        found += [("stated", stated, {kind: used.get(kind, 0) for kind in stated})]
        found += [("kinds of tokens", sorted(used), [*cached, "input", "output"])]
        if answer.get("stated", {}) is not None:
            found += [("states input and output", {"input", "output"} <= stated.keys(), True)]
        if feature in OPERATIONS:
            found += [("operations", operations, [OPERATIONS[feature]])]
    wrong = [f"{what}: {got}, not {expected}" for what, got, expected in found if got != expected]
    return Outcome(wrong, reads_on=answer.get("reads_on", False))
