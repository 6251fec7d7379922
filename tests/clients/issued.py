"""What tollgate issues: keys of both kinds, and the certificate of a trial."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

import gateway

# The lines that a config of write_config gets for what `secure` makes beside it.
TLS = 'tls.certificates = { "tls/tls.crt" = "tls/tls.key" }'
SECRETS_KEY = 'secrets_key_file = "secrets.key"'


@dataclass(frozen=True)
class Key:
    """A key, by the id that the command line knows it by; a bearer key is its own secret."""

    id: str
    secret: str


def secure(folder: Path):
    """Makes `secrets.key`, and a certificate in `tls` of which `tls/ca.pem` is the CA."""
    tollgate("certs", "self-signed", "--out", folder / "tls")
    tollgate("keys", "secrets-key", "--out", folder / "secrets.key")
    gateway.SECRETS.add((folder / "secrets.key").read_text().strip())


def bearer(config, service, *options):
    """A key that is sent itself."""
    secret, _, line = tollgate("--config", config, "keys", "create", "--service", service, *options).partition("\n")
    digest = line.partition('["')[2] if line.startswith("key_sha256") else line.rpartition(".")[2]
    return Key(digest[:16], secret)


def sigv4(config, service, *options):
    """A key that AWS SDKs sign with."""
    made = tollgate("--config", config, "keys", "create", "--kind", "sigv4", "--service", service, *options)
    return Key(*(line.partition("=")[2] for line in made.splitlines()[:2]))


def tollgate(*arguments):
    """What a command of tollgate's prints."""
    command = [gateway.TOLLGATE, *arguments]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout
