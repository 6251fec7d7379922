"""A way to ministack's STS that takes down which sessions were asked for, and has the recorder accept what was lent."""

import threading
import urllib.error
import urllib.request
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs
from xml.etree import ElementTree

from botocore.credentials import Credentials

from recorder import ACCEPTED


@dataclass(frozen=True)
class Session:
    """A session that was lent: what it was asked for by, and the access key that it got."""

    role: str
    name: str
    tags: dict
    key: str


class Lender:
    """The server, in front of a ministack; `sessions` are those that it has lent."""

    def __init__(self, upstream):
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.upstream = upstream
        self.sessions = self.server.sessions = []
        self.endpoint = f"http://127.0.0.1:{self.server.server_port}"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
        for session in self.sessions:
            ACCEPTED.pop(session.key, None)


class Handler(BaseHTTPRequestHandler):
    """Hands requests and answers on as they are."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        request = urllib.request.Request(self.server.upstream + self.path, body, dict(self.headers.items()))
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                status, headers, content = answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as error:
            status, headers, content = error.code, error.headers, error.read()
        form = {name: values[0] for name, values in parse_qs(body.decode()).items()}
        if status == 200 and form.get("Action") == "AssumeRole":
            self.lend(form, content)
        self.send_response(status)
        self.send_header("content-type", headers.get("content-type", "text/xml"))
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def lend(self, form, answer):
        """Takes down a session, and accepts its credentials."""
        lent = {element.tag.rpartition("}")[2]: element.text for element in ElementTree.fromstring(answer).iter()}
        key = lent["AccessKeyId"]
        ACCEPTED[key] = Credentials(key, lent["SecretAccessKey"], lent["SessionToken"])
        numbers = sorted({name.split(".")[2] for name in form if name.startswith("Tags.member.")})
        tags = {form[f"Tags.member.{n}.Key"]: form[f"Tags.member.{n}.Value"] for n in numbers}
        self.server.sessions.append(Session(form["RoleArn"], form["RoleSessionName"], tags, key))

    def log_message(self, *_):
        pass
