"""From nothing to a service's own line on the bill, with no console: profiles are planned, made, tagged and found by
tollgate, and AWS's own tools see the same.

Against the simulator, and against ministack, which plays the control plane as somebody else reads it, and differs from
AWS (as of the pinned version): it lists profiles of every type, in one page, whatever is asked for; knows a profile by
its id, not by its ARN; remembers no clientRequestToken; gives what a profile was copied from as its only model; and has
its system-defined profiles route to their own region alone, so that every source fits more than one of them.
"""

import itertools
import json
import os
import signal
import socket
import subprocess
import tomllib
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from botocore.exceptions import ClientError

import gateway
import matrix
from account import ONE_REFRESH, Account, Place, control_plane, first_usage
from calls import CLAUDE_35, NOVA, client, converse

SERVICES = f"""\
# Whoever is to carry its own cost.

[services.service-1]
tags = {{ team = "payments" }}
models = ["{CLAUDE_35}"]

[services.service-2]
tags = {{ team = "search" }}
models = ["{CLAUDE_35}"] # for now
"""

# More than a page of AWS's listing has.
MANY = 1_001

ACCOUNTS = itertools.count(111122223333)


@pytest.fixture
def simulated():
    """An account that the simulator plays."""
    with gateway.demo() as running:
        yield Account(running.bedrock, gateway.SIMULATOR_CREDENTIALS)


@pytest.fixture(params=["ministack", "simulator"])
def account(request):
    """An account of each that plays AWS."""
    if request.param == "simulator":
        return request.getfixturevalue("simulated")
    # It takes a key of twelve digits for the account's number: each test has one of its own.
    key = {"AWS_ACCESS_KEY_ID": str(next(ACCOUNTS)), "AWS_SECRET_ACCESS_KEY": "any"}
    return Account(request.getfixturevalue("emulator").endpoint, key)


@contextmanager
def nobody():
    """The URL of an endpoint that refuses connections."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


def id_of(arn):
    return arn.rpartition("/")[2]


def through(running, service):
    """A boto3 client of the runtime, as one service."""
    return client(f"{running.data}/s/{service}")


def by_profile(service, arn, usage):
    """What `tokens_total` gains, by service, profile and kind."""
    return {(service, id_of(arn), kind): count for kind, count in usage.items() if count}


def test_services_are_live_with_one_line_or_one_tag(account, tmp_path):
    """The founding use case: two services by a line in a file, a third by nothing but a tag in AWS.

    The third has to wait for the next look at AWS; with the simulator SIGHUP asks for it.
    """
    place, before = Place(tmp_path, account, SERVICES), account.profiles()
    planned = place.run("profiles", "plan")
    assert planned.endswith("\n2 to create, 0 to tag, 0 to replace, 0 to delete; 0 profiles in place\n")
    assert account.profiles() == before
    assert place.services.read_text() == SERVICES

    applied = place.run("profiles", "apply", "--yes", "--write")
    written = place.services.read_text()
    services = tomllib.loads(written)["services"]
    arns = {service: table["profiles"][CLAUDE_35] for service, table in services.items()}
    assert sorted(arns) == ["service-1", "service-2"]
    assert set(arns.values()) == account.profiles().keys() - before.keys()
    assert all(f"created {arn} for {service}, {CLAUDE_35}\n" in applied for service, arn in arns.items())
    tables = [f'\n[services.{service}.profiles]\n"{CLAUDE_35}" = "{arn}"\n' for service, arn in arns.items()]
    first, second = SERVICES.split("\n[services.service-2]")
    assert written == f"{first}{tables[0]}\n[services.service-2]{second}{tables[1]}"
    for service, team in (("service-1", "payments"), ("service-2", "search")):
        tags = {"Service": service, "team": team, "tollgate:source": CLAUDE_35}
        assert account.tags(arns[service]) == tags
    assert place.run("profiles", "plan") == "nothing to do: 2 profiles as asked for\n"
    assert listed(place) == {(service, arn, "file") for service, arn in arns.items()}

    with place.serve() as running:
        with running.gains("tokens_total", "service", "profile", "kind") as gained:
            used = {service: converse(through(running, service), CLAUDE_35) for service in arns}
        each = [by_profile(service, arn, used[service]) for service, arn in arns.items()]
        assert gained == each[0] | each[1]

        files = [place.config.read_bytes(), place.services.read_bytes()]
        arn = account.make("service 3", CLAUDE_35)
        account.bedrock().tag_resource(resourceARN=arn, tags=[{"key": "Service", "value": "service-3"}])
        if account.env == gateway.SIMULATOR_CREDENTIALS:
            running.process.send_signal(signal.SIGHUP)
        with running.gains("tokens_total", "service", "profile", "kind") as gained:
            usage = first_usage(through(running, "service-3"), CLAUDE_35, ONE_REFRESH)
        assert gained == by_profile("service-3", arn, usage)
        assert files == [place.config.read_bytes(), place.services.read_bytes()]
        assert listed(place) == {(service, arn, "file") for service, arn in arns.items()} | {("service-3", arn, "tag")}
        way = json.loads(place.run("resolve", "--service=service-3", f"--model={CLAUDE_35}", "--format=json"))
        assert (way["profile_arn"], way["routing"], way["source_inferred"]) == (arn, "in-region", True)

    imported = tmp_path / "imported.toml"
    place.run("profiles", "import", "--output", imported)
    found = {name: table["profiles"] for name, table in tomllib.loads(imported.read_text())["services"].items()}
    assert found == {service: {CLAUDE_35: arn} for service, arn in {**arns, "service-3": arn}.items()}


def listed(place):
    """The services that `tollgate profiles list` knows, their profiles, and by what each is used."""
    profiles = json.loads(place.run("profiles", "list", "--format", "json"))
    # The demo's own profiles are no service's.
    return {(one["service"], one["arn"], one["used"]) for one in profiles if one.get("service")}


def test_the_first_call_makes_the_profile(account, tmp_path):
    """With `unmapped_model = "provision"`: once, however many ask at the same time, and within allowed_models."""
    services = '[services.shop]\ntags = { team = "search" }\nallowed_models = ["anthropic.*"]\n'
    place, before = Place(tmp_path, account, services, 'unmapped_model = "provision"'), account.profiles()
    with place.serve() as running, ThreadPoolExecutor(8) as pool:
        converse(through(running, "shop"), CLAUDE_35)
        clients = [through(running, "shop") for _ in range(8)]
        haiku = "anthropic.claude-3-haiku-20240307-v1:0"
        assert len({str(usage) for usage in pool.map(lambda bedrock: converse(bedrock, haiku), clients)}) == 1
        with pytest.raises(ClientError, match="may not use model .*: its allowed_models take anthropic"):
            converse(clients[0], NOVA)
        made = account.profiles().keys() - before.keys()
        sources = {tags.pop("tollgate:source"): tags for tags in map(account.tags, made)}
        assert len(made) == 2
        assert sources == {model: {"Service": "shop", "team": "search"} for model in (CLAUDE_35, haiku)}


def test_many_profiles_and_a_start_without_the_control_plane(simulated, tmp_path):
    """All pages are read; when AWS cannot be asked, what it last said serves, and only its age changes."""
    with ThreadPoolExecutor(8) as pool:
        arns = list(pool.map(lambda n: simulated.make(f"many {n}", CLAUDE_35, Service=f"many-{n}"), range(MANY)))
    place = Place(tmp_path, simulated)
    some = (0, MANY // 2, MANY - 1)

    def call_some(running):
        with running.gains("tokens_total", "service", "profile", "kind") as gained:
            used = {n: first_usage(through(running, f"many-{n}"), CLAUDE_35, 30) for n in some}
        expected = [by_profile(f"many-{n}", arns[n], used[n]) for n in some]
        assert gained == {key: count for one in expected for key, count in one.items()}

    with place.serve() as running:
        call_some(running)
    with nobody() as url, place.serve(TOLLGATE__UPSTREAM__CONTROL_ENDPOINT=url) as running:
        call_some(running)
        lines = running.metrics().splitlines()
        assert next(line for line in lines if line.startswith("tollgate_catalog_age_seconds ")).split()[1] != "0"
        refused = place.attempt("profiles", "list", TOLLGATE__UPSTREAM__CONTROL_ENDPOINT=url)
        assert (refused.returncode, refused.stdout) == (1, "")
        assert refused.stderr.startswith("error: ") and "ListInferenceProfiles" in refused.stderr
        way = place.run("resolve", f"--service=many-{MANY - 1}", f"--model={CLAUDE_35}")
        assert arns[-1] in way


@pytest.fixture
def onboarded(simulated, tmp_path):
    """A gateway whose services have just got their profiles, and these."""
    place = Place(tmp_path, simulated, SERVICES.replace(f'"{CLAUDE_35}"', f'"{CLAUDE_35}", "{NOVA}"'))
    place.run("profiles", "apply", "--yes", "--write")
    with place.serve() as running:
        yield running, tomllib.loads(place.services.read_text())["services"]


def test_a_service_is_told_of_its_own_profiles_alone(onboarded):
    """boto3's own client of the control plane, with the gateway for an endpoint, gets what AWS would answer of them."""
    running, services = onboarded
    mine, others = (services[name]["profiles"].values() for name in ("service-1", "service-2"))
    bedrock = control_plane(f"{running.data}/s/service-1")
    pages = bedrock.get_paginator("list_inference_profiles").paginate(PaginationConfig={"PageSize": 1})
    pages = [page["inferenceProfileSummaries"] for page in pages]
    assert [len(page) for page in pages] == [1, 1]
    assert {page[0]["inferenceProfileArn"] for page in pages} == set(mine)
    for (one,) in pages:
        arn = one["inferenceProfileArn"]
        for identifier in (arn, id_of(arn)):
            answer = bedrock.get_inference_profile(inferenceProfileIdentifier=identifier)
            assert answer["ResponseMetadata"]["HTTPStatusCode"] == 200
            assert {**one, "ResponseMetadata": None} == {**answer, "ResponseMetadata": None}
        assert (one["type"], one["status"]) == ("APPLICATION", "ACTIVE")
        assert [model["modelArn"].partition("foundation-model/")[0] for model in one["models"]]
    for arn in others:
        with pytest.raises(bedrock.exceptions.ResourceNotFoundException):
            bedrock.get_inference_profile(inferenceProfileIdentifier=arn)
    with pytest.raises(ClientError, match="UnknownOperationException"):
        bedrock.delete_inference_profile(inferenceProfileIdentifier=next(iter(mine)))


def test_langchain_asks_what_is_behind_a_profile(onboarded):
    """LangChain asks the gateway for the model behind a profile's ARN, unless it is told, and calls go under it."""
    running, services = onboarded
    arn = services["service-1"]["profiles"][CLAUDE_35]
    env = {
        "PATH": os.environ["PATH"],
        "AWS_ACCESS_KEY_ID": "AKIACLIENT",
        "AWS_SECRET_ACCESS_KEY": "the-client's",
        "BASE_URL": f"{running.data}/s/service-1",
        "PROFILE_ARN": arn,
    }
    command = [matrix.ENVIRONMENTS / "python/bin/python", matrix.PROGRAMS / "langchain_profile.py"]
    with running.gains("tokens_total", "service", "profile", "kind") as gained:
        ran = subprocess.run(command, capture_output=True, text=True, env=env, timeout=matrix.ANSWER_SECONDS)
    assert ran.returncode == 0, ran.stderr
    told = [json.loads(line) for line in ran.stdout.splitlines()]
    assert [one["behind"] for one in told] == [CLAUDE_35] * 2
    used = {kind: sum(one[kind] for one in told) for kind in ("input", "output")}
    assert gained == by_profile("service-1", arn, used)
