"""Requests just as they are written: nothing added, nothing normalised; and botocore's signer for them."""

import http.client
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone

from botocore.auth import SIGV4_TIMESTAMP, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from gateway import REGION


@dataclass(frozen=True)
class Ask:
    """A request; `headers` are pairs, in the order of the wire."""

    target: str
    headers: tuple = ()
    body: bytes = b"{}"
    method: str = "POST"

    def value(self, name):
        """The first value of a header; None if it is not there."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)

    def having(self, *headers):
        """The same with more headers."""
        return replace(self, headers=(*self.headers, *headers))

    def changed(self, name, value):
        """The same with another value of a header that is there once."""
        headers = [(key, value if key.lower() == name.lower() else old) for key, old in self.headers]
        return replace(self, headers=tuple(headers))


@dataclass(frozen=True)
class Answer:
    """What came: the status, the headers by their names in lower case, and the body."""

    status: int
    headers: dict
    body: bytes = field(repr=False)

    @property
    def code(self):
        """The gateway's own code for why it refused; None if it did not."""
        return self.headers.get("x-tollgate-error")


class Wire:
    """A connection that is kept, and made anew where the gateway has closed it."""

    def __init__(self, base_url, context=None):
        scheme, _, self.host = base_url.partition("://")
        options = {"context": context} if scheme == "https" else {}
        kind = http.client.HTTPSConnection if scheme == "https" else http.client.HTTPConnection
        self.connection = kind(self.host, timeout=30, **options)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.close()

    def send(self, ask):
        """Sends a request whose headers include its host, and returns the answer."""
        self.connection.putrequest(ask.method, ask.target, skip_host=True, skip_accept_encoding=True)
        for name, value in ask.headers:
            self.connection.putheader(name, value)
        self.connection.putheader("content-length", str(len(ask.body)))
        try:
            self.connection.endheaders(ask.body)
            answer = self.connection.getresponse()
            headers = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, headers, answer.read())
        except Exception:
            self.connection.close()
            raise

    def ask(self, target, *headers, body=b"{}"):
        """Sends a POST to a target with those headers."""
        return self.send(Ask(target, (("host", self.host), *headers), body))

    def ask_signed(self, target, key, *headers, **how):
        """The same, signed by a key."""
        return self.send(signed(Ask(target, (("host", self.host), *headers)), key, **how))


def signed(ask, key, region=REGION, late=timedelta(), token=None):
    """The request with what botocore's signer adds; `late` moves its date."""
    request = AWSRequest(ask.method, f"http://signed.invalid{ask.target}", data=ask.body)
    for name, value in ask.headers:
        request.headers.add_header(name, value)
    request.context["timestamp"] = (datetime.now(timezone.utc) + late).strftime(SIGV4_TIMESTAMP)
    signer = SigV4Auth(Credentials(key.id, key.secret, token), "bedrock", region)
    added = {"X-Amz-Date": request.context["timestamp"]} | ({"X-Amz-Security-Token": token} if token else {})
    for name, value in added.items():
        request.headers[name] = value
    # What `add_auth` does, but for the date, which it takes from the clock.
    canonical = signer.canonical_request(request)
    signer._inject_signature_to_request(request, signer.signature(signer.string_to_sign(request, canonical), request))
    return ask.having(*added.items(), ("Authorization", request.headers["Authorization"]))
