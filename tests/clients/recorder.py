"""An upstream that records what it is sent, and verifies each signature with botocore's own signer."""

import re
import threading
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from http.client import HTTPMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from botocore.auth import SIGV4_TIMESTAMP, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from gateway import GATEWAY_CREDENTIALS, REGION

SESSION_CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "ASIASESSION",
    "AWS_SECRET_ACCESS_KEY": "the session's secret",
    "AWS_SESSION_TOKEN": "FwoGZXIvYXdzE/token+with==",
}

# Whose signatures are accepted, by access key id.
ACCEPTED = {
    env["AWS_ACCESS_KEY_ID"]: Credentials(
        env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"], env.get("AWS_SESSION_TOKEN")
    )
    for env in (GATEWAY_CREDENTIALS, SESSION_CREDENTIALS)
}

AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(\w+)/(\d{8})/([a-z0-9-]+)/bedrock/aws4_request, "
    r"SignedHeaders=([a-z0-9;-]+), Signature=([0-9a-f]{64})"
)
CONVERSE = (
    b'{"output":{"message":{"role":"assistant","content":[{"text":"Free."}]}},"stopReason":"end_turn",'
    b'"usage":{"inputTokens":5,"outputTokens":2,"totalTokens":7},"metrics":{"latencyMs":1}}'
)


@dataclass(frozen=True)
class Request:
    """A request as it came off the wire."""

    method: str
    target: str
    headers: HTTPMessage
    body: bytes

    def problem(self):
        """What is wrong with its signature; None if nothing is."""
        parts = AUTHORIZATION.fullmatch(self.headers.get("authorization", ""))
        if not parts:
            return "authorization is missing or malformed"
        key, day, region, signed, signature = parts.groups()
        stamp = self.headers["x-amz-date"]
        age = datetime.now(timezone.utc) - datetime.strptime(stamp, SIGV4_TIMESTAMP).replace(tzinfo=timezone.utc)
        if abs(age) > timedelta(minutes=5) or day != stamp[:8]:
            return f"signed at {stamp}, for {day}"
        if key not in ACCEPTED or region != REGION:
            return f"signed by {key} for {region}"
        if self.headers.get("x-amz-security-token") != ACCEPTED[key].token:
            return "the session token is not the signer's"
        if missing := self.meaningful() - set(signed.split(";")):
            return f"not signed: {missing}"
        expected = self.expected(ACCEPTED[key], signed.split(";"))
        return None if signature == expected else f"the signature is {signature}, not {expected}"

    def meaningful(self):
        """The headers that must be signed, of those that there are."""
        always = {"host", "x-amz-date", "x-amz-security-token", "content-type"}
        names = {name.lower() for name in self.headers}
        return {name for name in names if name in always or name.startswith("x-amzn-bedrock-")}

    def expected(self, credentials, signed):
        """The signature that botocore gives to this request."""
        url = f"http://{self.headers['host']}{self.target}"
        headers = {name: self.headers[name] for name in signed}
        request = AWSRequest(method=self.method, url=url, data=self.body, headers=headers)
        request.context["timestamp"] = self.headers["x-amz-date"]
        signer = SigV4Auth(credentials, "bedrock", REGION)
        return signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request)


class Recorder:
    """The server; `requests` are those that came."""

    def __init__(self):
        self.requests = []
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.requests = self.requests
        self.endpoint = f"http://127.0.0.1:{self.server.server_port}"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    @property
    def last(self):
        return self.requests[-1]


class Handler(BaseHTTPRequestHandler):
    """Converse gets an answer, InvokeModel its own body back, everything else an empty object."""

    protocol_version = "HTTP/1.1"
    # An answer is written in two pieces, of which the second would wait for the first to be acknowledged.
    disable_nagle_algorithm = True

    def do_POST(self):
        length = int(self.headers.get("content-length", 0))
        request = Request(self.command, self.path, self.headers, self.rfile.read(length))
        self.server.requests.append(request)
        problem = request.problem()
        if problem:
            self.answer(403, f'{{"message":"{problem}"}}'.encode(), {"x-amzn-errortype": "InvalidSignatureException"})
        elif self.path.endswith("/converse"):
            self.answer(200, CONVERSE)
        elif self.path.endswith("/invoke") and "/model/" in self.path:
            self.answer(200, request.body, {"content-type": request.headers.get("content-type", "")})
        else:
            self.answer(200, b"{}")

    do_GET = do_POST

    def answer(self, status, body, headers=None):
        self.send_response(status)
        for name, value in {"content-type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass
