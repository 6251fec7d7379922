"""Client certificates, made with openssl: whose they are, and which end the handshake."""

import ssl
import subprocess

import pytest

import gateway
import issued
from test_attacks import SERVICES, TARGET, ask
from wire import Wire

CA = """
[ca]
default_ca = it
[it]
new_certs_dir = .
database = index
serial = serial
crlnumber = crlnumber
default_md = sha256
private_key = ca.key
certificate = ca.pem
policy = any
copy_extensions = copy
default_crl_days = 30
[any]
commonName = supplied
"""
# How it is signed.
HOLDING = {"a": [], "b": [], "early": ["-startdate", "20990101000000Z", "-enddate", "20990201000000Z"], "revoked": []}


@pytest.fixture(scope="module")
def place(demo, tmp_path_factory):
    """A gateway that asks for certificates, and the folder of these."""
    folder = tmp_path_factory.mktemp("certificates")

    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    issued.secure(folder)
    for name, text in {"ca.conf": CA, "index": "", "serial": "1001", "crlnumber": "01"}.items():
        (folder / name).write_text(text)
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    openssl("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=clients", "-days", "9")
    for name, dates in HOLDING.items():
        uri, dates = f"subjectAltName=URI:spiffe://test/{name}", dates or ["-days", "5"]
        openssl("req", *key, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}", "-addext", uri)
        openssl("ca", "-batch", "-notext", "-config", "ca.conf", "-in", f"{name}.csr", "-out", f"{name}.pem", *dates)
    openssl("ca", "-config", "ca.conf", "-revoke", "revoked.pem")
    openssl("ca", "-config", "ca.conf", "-gencrl", "-out", "clients.crl")
    services = "".join(f'[services.{name}]\nclient_certificates = ["spiffe://test/{name}"]\n' for name in ("a", "b"))
    services += SERVICES
    lines = f'{issued.TLS}\ntls.client_ca = "ca.pem"\ntls.client_crl = ["clients.crl"]'
    identity = issued.SECRETS_KEY
    config = gateway.write_config(folder, demo.bedrock, services, listen=lines, identity=identity)
    key = issued.bearer(config, "b")
    with gateway.serve(config, gateway.SIMULATOR_CREDENTIALS) as running:
        yield running, folder, key


def showing(place, name):
    """A connection that shows a certificate."""
    running, folder, _ = place
    context = ssl.create_default_context(cafile=folder / "tls/ca.pem")
    context.load_cert_chain(folder / f"{name}.pem", folder / f"{name}.key")
    return Wire(running.data, context)


def test_a_certificate_goes_with_no_other_name(place):
    """It names its service alone, and goes with no path, header or key of another's."""
    with showing(place, "a") as wire:
        answer = wire.send(ask(wire.host))
        assert (answer.status, answer.headers["x-tollgate-service"]) == (200, "a")
        bearer = ("authorization", f"Bearer {place[2].secret}")
        for target, headers in (
            (TARGET, [("x-tollgate-service", "b")]),
            (f"/s/b{TARGET}", []),
            (TARGET, [bearer]),
        ):
            assert wire.send(ask(wire.host, target, headers)).code == "identity_conflict"


@pytest.mark.parametrize("name", ["early", "revoked"])
def test_a_certificate_that_does_not_hold(place, name):
    """It ends the connection, though none is asked for."""
    with pytest.raises((ssl.SSLError, ConnectionError)), showing(place, name) as wire:
        wire.send(ask(wire.host, f"/s/a{TARGET}"))
