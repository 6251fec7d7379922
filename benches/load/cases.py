"""What is measured, and what it is to reach."""

from dataclasses import dataclass
from math import ceil

KIB, MIB = 1024, 1024 * 1024


@dataclass(frozen=True)
class Case:
    """A kind of load."""

    name: str
    title: str
    connections: int
    operation: str = "converse"
    body: int = KIB
    # Of a streamed answer: how many events of text, how far apart in ms; 0 is all at once.
    events: int = 0
    every_ms: int = 0
    # Whether the proxy has a core of its own, and load and upstream the other; or everybody any.
    pinned: bool = True
    # How long the bodies are of calls that two more connections make meanwhile, which are not in the figures; 0 is none.
    beside: int = 0
    # Whether the bench's own client makes the calls, which sees an answer's first byte, rather than wrk.
    first_byte: bool = False
    # How many calls on each connection syscalls are counted over, and allocations; 0 is not at all.
    counted: int = 0
    counted_slowly: int = 0

    @property
    def streams(self):
        """Whether streams stay open, rather than that calls are made one after the other."""
        return self.every_ms > 0

    def schedule(self, seconds):
        """Returns, for streams that stay open, in ms: within what they are opened, when all are, how long that is
        looked at; and of how many events each is, so that none ends sooner."""
        ramp = max(500, 2 * self.connections)
        up = ramp + max(500, self.every_ms)
        hold = max(1000 * seconds, 2 * self.every_ms)
        return ramp, up, hold, ceil((up + hold + 2500) / self.every_ms)


CASES = [
    Case("c1", "Converse, 1 KiB, 1 connection", 1, counted=500),
    Case("c32", "Converse, 1 KiB, 32 connections", 32, counted=200, counted_slowly=20),
    Case("c128", "Converse, 1 KiB, 128 connections", 128, counted=100),
    Case("c32-shared", "Converse, 1 KiB, 32 connections, cores shared", 32, pinned=False),
    Case("c128-shared", "Converse, 1 KiB, 128 connections, cores shared", 128, pinned=False),
    Case("beside", "Converse, 1 KiB, 8 connections, beside 20 MiB on 2, cores shared", 8, pinned=False,
         beside=20 * MIB),
    Case("burst", "ConverseStream, 20 events at once, 32 connections", 32, "converse-stream", events=20,
         counted=100, counted_slowly=20),
    Case("first-byte", "ConverseStream, 20 events at once, 1 connection", 1, "converse-stream", events=20,
         first_byte=True),
    Case("mb1", "Converse, 1 MiB, 8 connections", 8, body=MIB, counted=20, counted_slowly=3),
    Case("mb20", "Converse, 20 MiB, 4 connections", 4, body=20 * MIB),
    Case("steady", "200 open streams, an event every 20 ms", 200, "converse-stream", every_ms=20),
    Case("slow-1000", "1,000 open streams, an event every second", 1000, "converse-stream", every_ms=1000),
    Case("slow-5000", "5,000 open streams, an event every second", 5000, "converse-stream", every_ms=1000),
]


@dataclass(frozen=True)
class Target:
    """A figure that is to be reached: of the gateway with its ledger, in this case."""

    case: str
    title: str
    figure: str
    limit: float
    at_least: bool = False

    def reached(self, figures):
        """Tells whether a case's figures reach it."""
        value = figures[self.figure]
        return value >= self.limit if self.at_least else value <= self.limit


TARGETS = [
    *[Target(case, "CPU per request, to nginx's", "cpu_to_nginx", 1.2) for case in ("c1", "c32", "c128")],
    Target("c32", "CPU per request of LiteLLM's, to its", "litellm_to_cpu", 500, at_least=True),
    *[Target(case, "requests per second, to nginx's", "rate_to_nginx", 0.8, at_least=True)
      for case in ("c32-shared", "c128-shared")],
    Target("c1", "added p50, us", "added_p50_us", 60),
    Target("c1", "added p99, us", "added_p99_us", 300),
    Target("first-byte", "added until the first byte, p50, us", "added_p50_us", 100),
    *[Target(case, "KiB per open stream", "stream_kib", 16) for case in ("slow-1000", "slow-5000")],
    Target("steady", "CPU per event, to nginx's", "cpu_to_nginx", 1.2),
    Target("mb20", "memory per call in flight, in bodies", "bodies_per_call", 1.1),
    Target("mb20", "bytes per second, to SHA-256's alone", "rate_to_sha256", 0.8, at_least=True),
    *[Target(case, "idle memory, MiB", "idle_mib", 20) for case in ("c1", "c32")],
]
