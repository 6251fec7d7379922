"""The gateways and upstreams that the tests share; the environment says nothing of AWS that a test did not."""

import os
from contextlib import ExitStack

import pytest

import gateway
import manual
from calls import profile_arn
from emulator import Emulator
from recorder import Recorder

# A developer's own settings would redirect the clients, or be sent to the gateway under test.
for name in list(os.environ):
    if name.startswith(("AWS_", "ANTHROPIC_", "TOLLGATE__", "TOLLGATE_SECRETS_")) or name.lower().endswith("_proxy"):
        del os.environ[name]
os.environ.update(AWS_CONFIG_FILE=os.devnull, AWS_SHARED_CREDENTIALS_FILE=os.devnull, AWS_EC2_METADATA_DISABLED="true")

# One service, and more operations than are allowed by default.
SERVICES = f"""
[services.service-1]
allowed_operations = ["ApplyGuardrail", "StartAsyncInvoke", "GetAsyncInvoke", "ListAsyncInvokes"]
[services.service-1.profiles]
"us.anthropic.claude-sonnet-4-5-20250929-v1:0" = "{profile_arn("f10epf91dhod")}"
"""


def pytest_addoption(parser):
    parser.addoption("--write", action="store_true", help="write the manual's snippets and tables, if nothing fails")


def pytest_terminal_summary(terminalreporter, config):
    outcomes = config.stash.get(manual.OUTCOMES, None)
    if outcomes:
        terminalreporter.section("clients")
        terminalreporter.write_line(manual.features(outcomes))


@pytest.fixture(scope="session", autouse=True)
def nothing_secret_is_said():
    """No line that any gateway of the session has written, and none of its metrics, holds a secret that was used."""
    planted = [f"a tg_{'0aZ' * 16}0 key", *(f"a {secret} secret" for secret in gateway.SECRETS)]
    assert gateway.secrets_in(["nothing", *planted]) == planted
    yield
    assert len(gateway.SAID) > 0 or not gateway.METRICS
    assert not gateway.secrets_in([*gateway.SAID, *gateway.METRICS.values()])


@pytest.fixture(scope="session")
def demo():
    """A gateway in front of the simulated Bedrock."""
    with gateway.demo() as running:
        yield running


@pytest.fixture(scope="session")
def recorder():
    """An upstream that verifies and records what it is sent."""
    with Recorder() as running:
        yield running


@pytest.fixture(scope="session")
def recorded(recorder, tmp_path_factory):
    """A gateway in front of the recorder, with long-lived credentials."""
    config = gateway.write_config(tmp_path_factory.mktemp("recorded"), recorder.endpoint, SERVICES)
    with gateway.serve(config) as running:
        yield running


@pytest.fixture(scope="session")
def emulator(tmp_path_factory):
    """A ministack, which emulates AWS."""
    with Emulator(tmp_path_factory.mktemp("emulator")) as running:
        yield running


@pytest.fixture(scope="session")
def emulated(emulator, tmp_path_factory):
    """A gateway in front of the ministack, with a profile that was made there."""
    config = gateway.write_config(tmp_path_factory.mktemp("emulated"), emulator.endpoint, emulator.services)
    with gateway.serve(config) as running:
        yield running


@pytest.fixture
def served(tmp_path):
    """Starts gateways of a test's own: `served(endpoint, {variable: value})`, with the services of SERVICES."""
    with ExitStack() as stack:
        yield lambda endpoint, env: stack.enter_context(
            gateway.serve(gateway.write_config(tmp_path, endpoint, SERVICES), env)
        )
