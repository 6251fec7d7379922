"""Measures one subject under one case's load, for one turn."""

import hashlib
import json
import os
import subprocess
import time

from cases import MIB
from machine import Stop, find, settle
from subjects import LOAD_CORE, PROXY_CORE

PASSAGE = "Summarise the following passage for a busy reader, keeping every number. "


def write_body(path, size):
    """Writes a request's body of that many bytes."""
    def body(text):
        message = {"role": "user", "content": [{"text": text}]}
        return json.dumps({"messages": [message], "inferenceConfig": {"maxTokens": 64}})
    room = size - len(body(""))
    path.write_text(body((PASSAGE * (room // len(PASSAGE) + 1))[:room]))


def start_wrk(processes, running, case, connections, body, seconds):
    """Has wrk make calls on so many connections, for so long."""
    threads = 1 if case.pinned else min(2, connections)
    command = [find("wrk"), f"-t{threads}", f"-c{connections}", f"-d{seconds}s", "--timeout", "60s",
               "-s", os.path.join(os.path.dirname(__file__), "post.lua"), running.url(case.operation)]
    env = {"BODY": str(body), "HEADERS": "\n".join(running.headers)}
    return processes.start(command, LOAD_CORE if case.pinned else None, env, stdout=subprocess.PIPE)


def with_wrk(processes, running, case, body, seconds):
    """Has wrk make calls for so long; returns its figures."""
    wrk = start_wrk(processes, running, case, case.connections, body, seconds)
    return whole(processes, finish(processes, wrk, seconds + 70))


def beside(processes, running, case, body, seconds):
    """The same, while two more connections carry bodies of another length."""
    long_body = processes.folder / f"body-{case.beside}"
    write_body(long_body, case.beside)
    others = start_wrk(processes, running, case, 2, long_body, seconds + 1)
    figures = with_wrk(processes, running, case, body, seconds)
    whole(processes, finish(processes, others, seconds + 70))
    return figures


def whole(processes, figures):
    """Returns wrk's figures, of calls that were all answered."""
    if figures["errors"] or not figures["calls"]:
        raise Stop(f"{figures['errors']} of {figures['calls']} calls failed: {processes.last_words()}")
    return figures


def with_client(processes, tools, running, case, body, each, connections=None):
    """Has the bench's own client make so many calls on each connection; returns its figures."""
    command = [tools / "client", running.url(case.operation), body, connections or case.connections,
               "calls", each, *running.headers]
    process = processes.start(command, LOAD_CORE if case.pinned else None, stdout=subprocess.PIPE)
    return finish(processes, process, 600)


def finish(processes, process, patience):
    """Waits for a load's end; returns the JSON of the last line that it has printed."""
    output, _ = process.communicate(timeout=patience)
    processes.stop(process)
    if process.returncode:
        raise Stop(f"the load failed: {processes.last_words()}")
    return json.loads(output.decode().strip().splitlines()[-1])


def calls(processes, tools, running, case, body, seconds):
    """Takes a turn of calls that follow one another."""
    before = running.cpu_ns()
    running.forget_peak()
    if case.first_byte:
        figures = with_client(processes, tools, running, case, body, 1000 * seconds)
        figures |= figures["first_byte"]
    else:
        figures = (beside if case.beside else with_wrk)(processes, running, case, body, seconds)
    settle(running.pids())
    turn = {name: figures[name] for name in ("p50_us", "p99_us", "p999_us")}
    turn["rate"] = figures["calls"] / figures["seconds"]
    if running.process:
        if not case.beside:
            turn["cpu_us"] = (running.cpu_ns() - before) / 1000 / figures["calls"]
        turn["peak_mib"] = running.memory("VmHWM") / MIB
    return turn


def streams(processes, tools, running, case, body, seconds):
    """Takes a turn of streams that stay open; CPU is that of the time while all are."""
    ramp, up, hold, _ = case.schedule(seconds)
    idle = running.memory()
    command = [tools / "client", running.url(case.operation), body, case.connections,
               "streams", ramp, up, hold, *running.headers]
    core = LOAD_CORE if case.pinned else None
    process = processes.start(command, core, stdout=subprocess.PIPE)

    def look():
        line = process.stdout.readline()
        if not line:
            raise Stop(f"the load failed: {processes.last_words()}")
        seen = json.loads(line)
        if seen["open"] != case.connections:
            raise Stop(f"{seen['open']} of {case.connections} streams are open: {processes.last_words()}")
        return seen["events"], time.monotonic(), running.cpu_ns(), running.memory()

    first, last = look(), look()
    figures = finish(processes, process, 120)
    events, elapsed, cpu, _ = (after - before for after, before in zip(last, first))
    turn = {name: figures["first_byte"][name] for name in ("p50_us", "p99_us", "p999_us")}
    turn["rate"] = events / elapsed
    if running.process:
        turn["cpu_us"] = cpu / 1000 / events
        turn["peak_mib"] = last[3] / MIB
        turn["stream_kib"] = (last[3] - idle) / case.connections / 1024
    return turn


def sha256_rate():
    """Returns how many bytes per second SHA-256 takes in on the proxies' core, at its best."""
    everywhere = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {PROXY_CORE})
    block, times = b"x" * (4 * MIB), []
    for _ in range(20):
        started = time.perf_counter()
        hashlib.sha256(block).digest()
        times.append(time.perf_counter() - started)
    os.sched_setaffinity(0, everywhere)
    return len(block) / min(times)
