"""Whoever poses as somebody else, with what it has or has had, is refused, and nothing that the gateway says tells a
secret."""

import base64
import itertools
import json
import os
import ssl
import subprocess
import threading
import time

import pytest

import gateway
import issued
from calls import CLAUDE, NOVA, profile_arn
from issued import tollgate
from wire import Ask, Wire, signed

SERVICES = "".join(
    f'[services.{name}.profiles]\n"{CLAUDE}" = "{profile_arn(f"{name}c")}"\n"{NOVA}" = "{profile_arn(f"{name}n")}"\n'
    for name in ("a", "b")
)
TARGET = f"/model/{NOVA}/converse"
BODY = b'{"messages":[{"role":"user","content":[{"text":"Fish?"}]}]}'
# A file is looked at four times a second, and taken up once it has held still.
TAKEN_UP = 10
REVOKED_WITHIN = 1.0


@pytest.fixture
def place(demo, tmp_path):
    """Starts gateways in front of the simulator: `place(listen=.., identity=..)` is one, and its config."""
    issued.secure(tmp_path)
    with_ = []

    def start(**more):
        more["identity"] = f"{issued.SECRETS_KEY}\n{more.get('identity', '')}"
        config = gateway.write_config(tmp_path, demo.bedrock, SERVICES, **more)
        served = gateway.serve(config, gateway.SIMULATOR_CREDENTIALS)
        with_.append(served)
        return served.__enter__(), config

    yield start
    for served in with_:
        served.__exit__(None, None, None)


def ask(host, target=TARGET, headers=(), key=None):
    """A Converse call; signed, where there is a key."""
    made = Ask(target, (("host", host), ("content-type", "application/json"), *headers), BODY)
    return signed(made, key) if key else made


def until(expected, seconds, call):
    """How long it takes until a call comes to this."""
    began = time.monotonic()
    while (got := call()) != expected:
        assert time.monotonic() - began < seconds, f"{got}, not {expected}"
        time.sleep(0.02)
    return time.monotonic() - began


def issue(config, service="a", *options):
    return issued.bearer(config, service, *options), issued.sigv4(config, service, *options)


def show(wire, way, keys, target=TARGET, headers=()):
    """Sends a call that proves itself by a way: bearer, x-api-key or sigv4."""
    bearer, sigv4 = keys
    shown = {"bearer": ("authorization", f"Bearer {bearer.secret}"), "x-api-key": ("x-api-key", bearer.secret)}
    if way == "sigv4":
        return wire.send(ask(wire.host, target, headers, sigv4))
    return wire.send(ask(wire.host, target, (*headers, shown[way])))


WAYS = ("bearer", "x-api-key", "sigv4")


def test_no_two_names_go_together(place):
    """What proves to be A goes with no name of B, in whatever combination; and alone it is A's."""
    running, config = place()
    mine, theirs = issue(config, "a"), issue(config, "b")
    header = ("x-tollgate-service", "b")
    with Wire(running.data) as wire:
        until(200, TAKEN_UP, lambda: show(wire, "sigv4", theirs).status)
        for way in WAYS:
            assert show(wire, way, mine).headers["x-tollgate-service"] == "a"
            for path, named in itertools.product(("", "/s/b"), ((), (header,))):
                if path or named:
                    assert show(wire, way, mine, path + TARGET, named).code == "identity_conflict"
            assert show(wire, way, mine, f"/s/b{TARGET}", (("x-tollgate-service", "a"),)).code == "identity_conflict"
        for one, other in itertools.permutations(("bearer", "x-api-key", "sigv4"), 2):
            second = ("x-api-key", theirs[0].secret) if other == "x-api-key" else None
            if second:
                assert show(wire, one, mine, headers=(second,)).code == "identity_conflict"


def test_headers_of_proxies(demo, tmp_path):
    """x-forwarded-for counts only from a trusted proxy, and a network limits a way of naming a service."""
    for name, trusted, believed in (("untrusted", "10.0.0.0/8", False), ("trusted", "127.0.0.0/8", True)):
        folder = tmp_path / name
        folder.mkdir()
        lines = f'trusted_proxies = ["{trusted}"]\nnetworks.header = ["192.0.2.0/24"]'
        config = gateway.write_config(folder, demo.bedrock, SERVICES, identity=lines)
        with gateway.serve(config, gateway.SIMULATOR_CREDENTIALS) as running, Wire(running.data) as wire:
            for forwarded, good in (("192.0.2.7", True), ("192.0.2.7, 198.51.100.1", False), ("x", False)):
                headers = (("x-tollgate-service", "a"), ("x-forwarded-for", forwarded))
                answer = wire.send(ask(wire.host, headers=headers))
                expected = (200, None) if good and believed else (400, "service_missing")
                assert (answer.status, answer.code) == expected, (name, forwarded)


@pytest.mark.parametrize("way", ["bearer", "sigv4"])
def test_a_revoked_key_is_refused_within_a_second_under_load(place, way):
    """From one second after `tollgate keys revoke` on, no call of several threads gets through."""
    running, config = place()
    keys = issue(config)
    with Wire(running.data) as wire:
        until(200, TAKEN_UP, lambda: show(wire, way, keys).status)
    passed, stopped, failed = [], threading.Event(), []

    def load():
        try:
            with Wire(running.data) as wire:
                while not stopped.is_set():
                    began = time.monotonic()
                    if show(wire, way, keys).status == 200:
                        passed.append(began)
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=load) for _ in range(4)]
    for thread in threads:
        thread.start()
    tollgate("--config", config, "keys", "revoke", keys[way == "sigv4"].id)
    revoked = time.monotonic()
    with Wire(running.data) as wire:
        until("key_invalid", TAKEN_UP, lambda: show(wire, way, keys).code)
    while time.monotonic() < revoked + 2 * REVOKED_WITHIN:
        time.sleep(0.05)
    stopped.set()
    for thread in threads:
        thread.join()
    assert not failed and passed
    assert max(passed) - revoked < REVOKED_WITHIN


@pytest.mark.parametrize("way", ["bearer", "sigv4"])
def test_a_rotated_key(place, way):
    """Both count, then only the new one."""
    running, config = place()
    old = issue(config)
    with Wire(running.data) as wire:
        until(200, TAKEN_UP, lambda: show(wire, way, old).status)
        printed = tollgate("--config", config, "keys", "rotate", "--overlap", "4s", old[way == "sigv4"].id)
        lines = printed.splitlines()
        secret = issued.Key("", lines[0])
        new = (secret, issued.Key(*(line.partition("=")[2] for line in lines[:2])) if way == "sigv4" else None)
        until(200, TAKEN_UP, lambda: show(wire, way, new).status)
        assert show(wire, way, old).status == 200
        until("key_invalid", TAKEN_UP, lambda: show(wire, way, old).code)
        assert show(wire, way, new).status == 200


@pytest.mark.parametrize("way", WAYS)
def test_limits_of_a_key(place, way):
    """A key ends when it should, and is for its operations and models alone."""
    running, config = place()
    limited = issue(config, "a", "--operation", "Converse", "--model", "us.anthropic.*")
    ending = issue(config, "a", "--expires", "4s")
    with Wire(running.data) as wire:
        until(200, TAKEN_UP, lambda: show(wire, way, ending).status)
        until(200, TAKEN_UP, lambda: show(wire, way, limited, f"/model/{CLAUDE}/converse").status)
        assert show(wire, way, limited).code == "model_denied"
        assert show(wire, way, limited, f"/model/{CLAUDE}/invoke").code == "operation_denied"
        until("key_invalid", TAKEN_UP, lambda: show(wire, way, ending).code)


def test_malformed_credentials(place):
    """Whatever is sent for a credential is refused, and the gateway lives."""
    running, config = place()
    keys = issue(config)
    long = "x" * 60_000
    prefix = f"AWS4-HMAC-SHA256 Credential={keys[1].id}"
    values = ["Bearer tg_", f"Bearer tg_{long}", f"Bearer {long}", "Bearer", "Basic " + long, prefix, f"{prefix}/{long}"]
    values += [f"{prefix}/20260101/r/bedrock/aws4_request, SignedHeaders={'a;' * 20_000}a, Signature={'0' * 64}"]
    values += [f"{prefix}/20260101/r/s3/aws4_request, SignedHeaders=host, Signature={'0' * 64}"]
    values += [f"{prefix}/20260101/r/bedrock/aws4_request, SignedHeaders=host;x-amz-date, Signature={'g' * 64}"]
    values += [f"{prefix}, {prefix}", "AWS4-HMAC-SHA256 " + long, "AWS4-HMAC-SHA256 ,,,,", "\x80\xff", f"Bearer tg_{chr(0xE9)}"]
    sent = [("authorization", value) for value in values] + [("x-api-key", f"tg_{long}"), ("x-api-key", "tg_")]
    for name, value in sent:
        with Wire(running.data) as wire:
            answer = wire.send(ask(wire.host, headers=((name, value.encode("latin-1")),)))
            assert 400 <= answer.status < 500, (name, value[:80], answer)
    with Wire(running.data) as wire:
        until(200, TAKEN_UP, lambda: show(wire, "sigv4", keys).status)
    assert running.process.poll() is None


def trusting(folder, most=None):
    context = ssl.create_default_context(cafile=folder / "tls/ca.pem")
    if most:
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = most
        context.set_ciphers("ALL:@SECLEVEL=0")
    return context


@pytest.mark.parametrize("least, refused", [("1.2", ssl.TLSVersion.TLSv1_1), ("1.3", ssl.TLSVersion.TLSv1_2)])
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_no_older_tls(place, tmp_path, least, refused):
    """A version below the oldest that is spoken is refused, and a newer one is not."""
    running, _ = place(listen=f'{issued.TLS}\ntls.min_version = "{least}"')
    with pytest.raises((ssl.SSLError, ConnectionError)), Wire(running.data, trusting(tmp_path, refused)) as wire:
        wire.send(ask(wire.host, f"/s/a{TARGET}"))
    with Wire(running.data, trusting(tmp_path)) as wire:
        assert wire.send(ask(wire.host, f"/s/a{TARGET}")).status == 200


def test_a_broken_certificate_keeps_the_old_one(place, tmp_path):
    """A file that cannot be used is counted, and handshakes go on with what there was."""
    running, _ = place(listen=issued.TLS)
    (tmp_path / "tls/tls.crt").write_text("broken")
    failed = 'tollgate_config_reloads_total{result="failed"} '

    def has_failed():
        return any(line.startswith(failed) and line.split()[-1] != "0" for line in running.metrics().splitlines())

    until(True, TAKEN_UP, has_failed)
    with Wire(running.data, trusting(tmp_path)) as wire:
        assert wire.send(ask(wire.host, f"/s/a{TARGET}")).status == 200


def forms(secret):
    """A secret as it is, and in base64 and hex."""
    raw = secret.encode()
    return [raw, base64.b64encode(raw).rstrip(b"=")[:-1], raw.hex().encode(), raw.hex().upper().encode()]


def test_nothing_that_it_says_has_a_secret(demo, tmp_path):
    """Logs at debug, metrics, answers, and what commands print: with good and bad credentials, none has a secret."""
    issued.secure(tmp_path)
    token = "the-admin-token-of-this-test"
    (tmp_path / "admin.token").write_text(token)
    lines = f'{issued.TLS}\nadmin_token_file = "admin.token"'
    log = 'level = "debug"'
    config = gateway.write_config(
        tmp_path, demo.bedrock, SERVICES, listen=lines, identity=issued.SECRETS_KEY, log=log
    )
    keys, foreign = issue(config), (issued.Key("", f"tg_{'q' * 49}"), issued.Key("TGAKAAAAAAAAAAAAAAAA", "unknown/secret"))
    basic = "user:password-of-a-proxy"
    env = {
        **os.environ,
        **gateway.SIMULATOR_CREDENTIALS,
        "AWS_SESSION_TOKEN": "the-gateway's-own/session+token",
        "TOLLGATE__LOG__ACCESS": "stdout",
    }
    said = []
    err = (tmp_path / "stderr").open("wb")
    out = (tmp_path / "stdout").open("wb")
    running = subprocess.Popen([gateway.TOLLGATE, "serve", "--config", config], stdout=out, stderr=err, env=env)
    try:
        served = lambda: b'"message":"serving"' in (tmp_path / "stderr").read_bytes()
        until(True, gateway.START_SECONDS, served)
        line = next(one for one in (tmp_path / "stderr").read_text().splitlines() if '"message":"serving"' in one)
        at = json.loads(line)
        with Wire(f"https://{at['data']}", trusting(tmp_path)) as wire:
            for keys_shown, way in itertools.product((keys, foreign), WAYS):
                proxy = ("proxy-authorization", "Basic " + base64.b64encode(basic.encode()).decode())
                for path in ("", "/s/b"):
                    answer = show(wire, way, keys_shown, path + TARGET, (proxy,))
                    said.append(f"{answer.status} {answer.headers}".encode() + answer.body)
        with Wire(f"http://{at['admin']}") as wire:
            for sent in (token, token + "x"):
                asked = Ask("/metrics", (("host", wire.host), ("authorization", f"Bearer {sent}")), b"", "GET")
                answer = wire.send(asked)
                said.append(f"{answer.headers}".encode() + answer.body)
        commands = (["check"], ["keys", "list"], ["services", "list"], ["keys", "reseal"], ["keys", "revoke", keys[0].id])
        for arguments in commands:
            ran = subprocess.run([gateway.TOLLGATE, "--config", config, *arguments], capture_output=True, env=env)
            said.append(ran.stdout + ran.stderr)
    finally:
        running.terminate()
        running.wait(gateway.STOP_SECONDS)
        err.close()
        out.close()
    said += [(tmp_path / name).read_bytes() for name in ("stderr", "stdout")]
    assert b'"DEBUG"' in said[-2] and said[-1], "it was logged"
    private = (tmp_path / "tls/tls.key").read_text().splitlines()[1:-1]
    secrets = [key.secret for key in (*keys, *foreign)] + private
    secrets += [(tmp_path / "secrets.key").read_text().strip(), token, basic, "password-of-a-proxy"]
    secrets += [gateway.SIMULATOR_CREDENTIALS["AWS_SECRET_ACCESS_KEY"], env["AWS_SESSION_TOKEN"]]
    found = [text for secret in secrets for form in forms(secret) for text in said if form in text]
    assert not found, found
