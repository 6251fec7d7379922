"""The parts of docs/CLIENTS.md that are not written by hand: the snippets, and what the last run of all clients found.

A part stands between `<!-- written: NAME -->` and `<!-- end -->`. A program's snippets stand between the lines
`manual:`, perhaps with a sentence to go before the snippet, and `end of manual`, both as comments.
"""

import re
import textwrap

import pytest

import matrix

PAGE = matrix.HERE.parents[1] / "docs/CLIENTS.md"
# Where a run leaves its outcomes, by (run, feature).
OUTCOMES = pytest.StashKey()

PART = re.compile(r"(?<=<!-- written: )([\w-]+)( -->\n).*?(?=<!-- end -->)", re.DOTALL)
SNIPPET = re.compile(r"^ *[#/]+ manual:([^\n]*)\n(.*?)^ *[#/]+ end of manual", re.DOTALL | re.MULTILINE)


def written(page, outcomes):
    """The page with its parts as they should be."""
    parts = {client.name: snippets(client) for client in matrix.clients()}
    parts |= {"features": features(outcomes), "exceptions": exceptions(), "variables": variables()}
    there = {name for name, _ in PART.findall(page)}
    assert there == parts.keys(), f"the page has parts for {sorted(there)}, not for {sorted(parts)}"
    return PART.sub(lambda part: f"{part[1]}{part[2]}{parts[part[1]]}\n", page)


def snippets(client):
    """What a program shows its reader, as it ran."""
    shown = []
    for sentence, code in SNIPPET.findall((matrix.PROGRAMS / client.program).read_text()):
        shown += [sentence.strip()] if sentence.strip() else []
        shown.append(f"```{client.language}\n{textwrap.dedent(code).strip()}\n```")
    assert shown, f"{client.program} has nothing for the manual"
    return "\n\n".join(shown)


def features(outcomes):
    """The table of clients and features."""
    rows = [["client", "over http by", "over https by", *matrix.FEATURES]]
    for client in matrix.clients():
        cells = [cell(client, feature, outcomes) for feature in matrix.FEATURES]
        rows.append([client.title, ", ".join(client.http), ", ".join(client.https), *cells])
    return table(rows)


def cell(client, feature, outcomes):
    """One client's feature by all its ways of identity, over both transports; `None` are those that did not run."""
    runs = [run for run in matrix.runs() if run.client == client and feature in run.features]
    ran = {f"{run.identity} over {run.transport}": outcomes.get((run, feature)) for run in runs}
    failed = [way for way, outcome in ran.items() if outcome and outcome.wrong]
    if failed:
        return f"FAIL ({', '.join(failed)})"
    if not all(ran.values()):
        return "not run"
    if all(outcome.absent for outcome in ran.values()):
        return "-"
    return "reads on" if any(outcome.reads_on for outcome in ran.values()) else "yes"


def exceptions():
    """What the user of each client catches."""
    rows = [["client", "no profile for the model", "throttled by Bedrock", "attempts until then"]]
    for client in matrix.clients():
        rows.append([client.title, f"`{client.unmapped}`", f"`{client.throttled}`", str(client.attempts)])
    return table(rows)


def variables():
    """How each client is given what it identifies itself by, and what it trusts."""
    rows = [["client", "a service key goes into", "a CA of one's own goes into"]]
    for client in matrix.clients():
        key = f"`{client.key}`" if client.key.startswith("AWS_") else "code, below"
        rows.append([client.title, key, f"`{client.ca}`"])
    return table(rows)


def table(rows):
    head, *rest = rows
    return "\n".join("| " + " | ".join(row) + " |" for row in [head, ["---"] * len(head), *rest])
