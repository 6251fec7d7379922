"""Every client, as the manual says: each (client, way of identity, transport, feature) is a test of its own."""

import re

import pytest

import manual
import matrix

CASES = {f"{run.service}-{feature}": (run, feature) for run in matrix.runs() for feature in run.features}
# Every fault, as the gateway's own test has it.
FAULT = re.compile(r'"(\d{3}) (\w+Exception) (\w+)"')


@pytest.fixture(scope="session")
def outcomes(request, demo, tmp_path_factory):
    """The outcomes of all selected cases; the programs run at the same time, before the first test is told its own."""
    wanted = {}
    for item in request.session.items:
        if item.originalname == "test_feature":
            run, feature = CASES[item.callspec.id]
            wanted.setdefault(run, []).append(feature)
    found = matrix.play(demo.bedrock, tmp_path_factory.mktemp("matrix"), wanted)
    request.config.stash[manual.OUTCOMES] = found
    return found


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_feature(outcomes, case):
    """The client did what its user asked for, and its tokens were counted as it tells."""
    outcome = outcomes[case]
    assert not outcome.wrong, "\n".join(outcome.wrong)
    if outcome.absent:
        pytest.skip(f"not in this client: {outcome.absent}")


def test_the_manual_says_what_is(outcomes, pytestconfig):
    """docs/CLIENTS.md holds the snippets that ran and the table of this run; `--write` makes it so."""
    if len(outcomes) < len(CASES):
        pytest.skip("only a part of the clients ran")
    expected = manual.written(manual.PAGE.read_text(), outcomes)
    if pytestconfig.getoption("write"):
        assert not any(outcome.wrong for outcome in outcomes.values()), "not written: something failed"
        manual.PAGE.write_text(expected)
    assert manual.PAGE.read_text() == expected, "run tests/clients/run --write"


def test_the_manual_knows_every_fault():
    """docs/CLIENTS.md tells what to do about each fault of the gateway's own."""
    faults = set(FAULT.findall((manual.PAGE.parents[1] / "src/error.rs").read_text()))
    rows = {f"| {status} `{exception}` | `{code}` |" for status, exception, code in faults}
    assert len(rows) > 10
    assert not {row for row in rows if row not in manual.PAGE.read_text()}
