"""Who is measured: nobody (the load goes straight to the fake of Bedrock), nginx, LiteLLM, and the gateway."""

import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from machine import Stop, cpu_ns, family, find, forget_peak, free_port, memory, wait_for

PROXY_CORE, LOAD_CORE = 0, 1
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI"}
LITELLM = "1.108.7"
LITELLM_KEY = "sk-0123456789abcdef0123456789abcdef"
MODEL = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"


@dataclass(frozen=True)
class Subject:
    """Somebody between the load and the fake of Bedrock."""

    name: str
    kind: str
    binary: Path | None = None
    ledger: bool = False
    # How many services it knows, the caller's among them.
    services: int = 1
    # The SQLite file of its ledger, where that is not a new one.
    store: Path | None = None


@dataclass
class Running:
    """A subject at work."""

    port: int
    process: object = None
    headers: list = field(default_factory=list)
    # What stands before an operation's path.
    prefix: str = ""

    def pids(self):
        return family(self.process.pid) if self.process else []

    def cpu_ns(self):
        return cpu_ns(self.pids())

    def memory(self, row="VmRSS"):
        return memory(self.pids(), row)

    def forget_peak(self):
        forget_peak(self.pids())

    def url(self, operation):
        return f"http://127.0.0.1:{self.port}{self.prefix}/model/{MODEL.replace(':', '%3A')}/{operation}"


def start_fake(processes, tools, case, events):
    """Starts the fake of Bedrock, and returns its port and process."""
    port = free_port()
    command = [tools / "fake_bedrock", port, events, case.every_ms]
    process = processes.start(command, LOAD_CORE if case.pinned else None)
    wait_for(port, process, processes.last_words)
    return port, process


def start(processes, subject, case, upstream, around=()):
    """Starts a subject in front of the fake, `around` before its command."""
    core = PROXY_CORE if case.pinned else None
    if subject.kind == "direct":
        return Running(upstream)
    if subject.kind == "litellm":
        return start_litellm(processes, subject, core, upstream)
    folder = processes.folder / f"{subject.name}-{free_port()}"
    folder.mkdir()
    port = free_port()
    if subject.kind == "nginx":
        (folder / "nginx.conf").write_text(nginx_conf(folder, port, upstream, 1 if case.pinned else 2))
        command, env = [find("nginx"), "-c", folder / "nginx.conf"], None
    else:
        (folder / "tollgate.toml").write_text(gateway_conf(folder, port, upstream, subject.ledger, subject.store))
        (folder / "services.toml").write_text(services_conf(subject.services))
        command = [*around, subject.binary, "serve", "--config", folder / "tollgate.toml"]
        env = CREDENTIALS
    process = processes.start(command, core, env)
    wait_for(port, process, processes.last_words, 300 if around else 20)
    headers = ["x-tollgate-service: service-1"] if subject.kind == "gateway" else []
    return Running(port, process, headers)


def start_litellm(processes, subject, core, upstream):
    """Starts LiteLLM's proxy as a pass-through to Bedrock, with one worker, as it has one core."""
    port = free_port()
    env = CREDENTIALS | {"AWS_REGION_NAME": "us-west-2", "AWS_BEDROCK_RUNTIME_ENDPOINT": f"http://127.0.0.1:{upstream}",
                         "LITELLM_MASTER_KEY": LITELLM_KEY, "LITELLM_LOCAL_MODEL_COST_MAP": "True",
                         "LITELLM_LOG": "ERROR"}
    command = [subject.binary, "--host", "127.0.0.1", "--port", port, "--num_workers", "1"]
    process = processes.start(command, core, env)
    wait_for(port, process, processes.last_words, 90)
    return Running(port, process, [f"authorization: Bearer {LITELLM_KEY}"], "/bedrock")


def install_litellm(folder):
    """Installs LiteLLM's proxy, of one version, where it is not there yet; returns its command."""
    home = folder / f"litellm-{LITELLM}"
    command = home / "bin/litellm"
    if not command.exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", home], check=True)
        subprocess.run([home / "bin/pip", "install", "--quiet", f"litellm[proxy]=={LITELLM}"], check=True)
    return command


def stop(processes, running):
    """Stops a subject."""
    if running.process is None:
        return
    if running.process.poll() is not None:
        raise Stop(f"a proxy has ended by itself: {processes.last_words()}")
    processes.stop(running.process)


# A plain reverse proxy at its best: connections kept on both sides, nothing buffered, nothing logged.
def nginx_conf(folder, port, upstream, workers):
    temporary = " ".join(f"{name}_temp_path {folder}/{name};"
                         for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    return f"""worker_processes {workers}; daemon off; pid {folder}/pid; error_log {folder}/error.log;
events {{ worker_connections 16384; }}
http {{
  access_log off; client_max_body_size 32m; client_body_buffer_size 2m; keepalive_requests 100000000; {temporary}
  upstream bedrock {{ server 127.0.0.1:{upstream}; keepalive 1024; keepalive_requests 100000000; }}
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location / {{
      proxy_pass http://bedrock; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_buffering off; proxy_request_buffering off; proxy_read_timeout 120s;
    }}
  }}
}}
"""


# As it comes: every default but for where things are, and for the ledger.
def gateway_conf(folder, port, upstream, ledger, store=None):
    return f"""[listen]
data = "127.0.0.1:{port}"
admin = "127.0.0.1:{free_port()}"
[upstream]
region = "us-west-2"
endpoint = "http://127.0.0.1:{upstream}"
[ledger]
enabled = {str(ledger).lower()}
{f'store = "sqlite:{store}"' if store else ""}
[log]
level = "warn"
access = "{folder}/access.jsonl"
"""


def services_conf(count=1):
    return "".join(f"""[services.service-{number}]
tags = {{ team = "payments", cost_center = "cc-42" }}
[services.service-{number}.profiles]
"{MODEL}" = "arn:aws:bedrock:us-west-2:123456789012:application-inference-profile/f10epf{number:06x}"
""" for number in range(1, count + 1))
