"""Counts what a request causes: system calls, allocations, instructions. Counts, unlike times, come out the same again."""

import re
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path

import subjects
from machine import Stop, find
from measure import with_client

# What the gateway's own allocator is called by, and the C library's, which SQLite and the TLS library use.
ALLOCATIONS = re.compile(r"mi_(heap_)?(malloc|zalloc|calloc|realloc|rezalloc)\w*|malloc|calloc|realloc|memalign"
                         r"|posix_memalign|aligned_alloc")


def syscalls(processes, tools, subject, case, body, upstream):
    """Returns the system calls per request, by name: those of all the proxy's threads, by strace."""
    running = subjects.start(processes, subject, case, upstream)
    with_client(processes, tools, running, case, body, 10)
    output = processes.folder / "strace"
    targets = [word for pid in running.pids() for word in ("-p", pid)]
    strace = processes.start([find("strace"), "-c", "-f", "-o", output, *targets])
    wait_until(lambda: all(map(traced, running.pids())), "strace does not attach", processes)
    figures = with_client(processes, tools, running, case, body, case.counted)
    time.sleep(0.3)
    strace.send_signal(signal.SIGINT)
    strace.wait(10)
    processes.stop(strace)
    subjects.stop(processes, running)
    # Columns: % time, seconds, usecs/call, calls, errors (may be empty), syscall.
    rows = (line.split() for line in output.read_text().splitlines())
    counts = {row[-1]: int(row[3]) / figures["calls"] for row in rows if len(row) >= 5 and row[3].isdigit()}
    counts.pop("total", None)
    return counts


def traced(pid):
    tasks = Path(f"/proc/{pid}/task").glob("*/status")
    return all("TracerPid:\t0\n" not in task.read_text() for task in tasks)


def wait_until(happened, otherwise, processes, patience=60):
    for _ in range(patience * 20):
        if happened():
            return
        time.sleep(0.05)
    raise Stop(f"{otherwise}: {processes.last_words()}")


def allocations(processes, tools, subject, case, body, upstream):
    """Returns the gateway's allocations and instructions per request: those outside the kernel, by callgrind."""
    output = processes.folder / f"callgrind-{subject.name}-{case.name}"
    around = [find("valgrind"), "--tool=callgrind", f"--callgrind-out-file={output}"]
    running = subjects.start(processes, subject, case, upstream, around)
    with_client(processes, tools, running, case, body, case.counted_slowly)
    dump(processes, running.process.pid, output, 1)
    figures = with_client(processes, tools, running, case, body, case.counted_slowly)
    dump(processes, running.process.pid, output, 2)
    subjects.stop(processes, running)
    count, instructions = read(f"{output}.2")
    return {"allocations": count / figures["calls"] if count else None,
            "instructions": instructions / figures["calls"]}


def dump(processes, pid, output, number):
    """Has callgrind write down what it has counted since it last did."""
    time.sleep(0.5)
    subprocess.run([find("callgrind_control"), "--dump", str(pid)], check=True, stdout=subprocess.DEVNULL)
    written = Path(f"{output}.{number}")
    wait_until(lambda: written.exists() and "\ntotals:" in written.read_text(), "callgrind writes nothing", processes)


def read(path):
    """Returns, of a dump, the calls to allocators from outside them, and all instructions.

    The format (valgrind's manual, "Callgrind Format Specification"): `fn=(id) name` says whose lines follow, `cfn=`
    whom it calls and the `calls=` line after it how often; a name stands beside its id only the first time.
    """
    names, calls, caller, callee, total = {}, Counter(), None, None, 0
    for line in Path(path).read_text().splitlines():
        if line.startswith(("fn=", "cfn=")):
            kind, rest = line.split("=", 1)
            number, _, name = rest.partition(" ")
            if name:
                names[number] = name
            if kind == "fn":
                caller = number
            else:
                callee = number
        elif line.startswith("calls="):
            calls[caller, callee] += int(line[6:].split()[0])
        elif line.startswith("totals:"):
            total = int(line.split()[1])
    allocates = {number for number, name in names.items() if ALLOCATIONS.fullmatch(name.split("'")[0])}
    outside = sum(count for (caller, callee), count in calls.items() if callee in allocates and caller not in allocates)
    return outside, total
