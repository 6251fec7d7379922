"""The machine: processes that are started on their core and stopped at the end, and what they use of it."""

import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path


class Stop(Exception):
    """What ends the bench, said in one sentence."""


class Lacking(Stop):
    """What this machine lacks for the bench to begin."""


class Processes:
    """Every process that the bench has started; leaving it stops them all."""

    def __init__(self, folder):
        self.folder = folder
        self.running = []

    def __enter__(self):
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        return self

    def __exit__(self, *_):
        for process in self.running[:]:
            self.stop(process)

    def start(self, command, core=None, env=None, **pipes):
        """Starts a command, on that core or on any; what it says goes into the folder's log unless piped."""
        pinned = ["taskset", "-c", str(core)] if core is not None else []
        with open(self.folder / "log", "ab") as log:
            pipes = {"stdin": subprocess.DEVNULL, "stdout": log, "stderr": log} | pipes
            # A session of its own: Ctrl-C is the bench's to handle, and no child of the process outlives it.
            process = subprocess.Popen(
                [*pinned, *map(str, command)], env={**os.environ, **(env or {})}, start_new_session=True, **pipes
            )
        self.running.append(process)
        return process

    def stop(self, process, patience=10):
        """Ends a process and what it has started."""
        self.running.remove(process)
        for sign in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(process.pid, sign)
            except ProcessLookupError:
                pass
            try:
                process.wait(patience)
                break
            except subprocess.TimeoutExpired:
                continue
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()

    def last_words(self):
        """Returns the end of what processes have said."""
        return (self.folder / "log").read_text(errors="replace")[-2000:]


def need(commands):
    """Makes sure that commands are there: installs their packages of Debian's where that is allowed."""
    missing = {name: package for name, package in commands.items() if find(name) is None}
    if missing and os.geteuid() == 0 and shutil.which("apt-get"):
        quiet = {"env": {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}, "stdout": subprocess.DEVNULL}
        subprocess.run(["apt-get", "update", "-qq"], check=False, **quiet)
        packages = sorted(set(missing.values()))
        subprocess.run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages], check=False, **quiet)
        missing = {name: package for name, package in commands.items() if find(name) is None}
    if missing:
        raise Lacking("not there, and not to be installed: " + ", ".join(sorted(missing)) + " (of Debian's packages "
                      + ", ".join(sorted(set(missing.values()))) + ")")


def find(name):
    """Returns a command's path; servers are in folders that users' PATH may lack."""
    return shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")


def raise_file_limit(streams):
    """Has processes open as many files as so many streams take, as a deployment would: a proxy has two of each."""
    wanted = 2 * streams + 1000
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < wanted:
        raise Lacking(f"a process may open {hard} files here, and {streams} streams take {wanted}: raise `ulimit -Hn`")
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted if hard == resource.RLIM_INFINITY else hard, hard))


def free_port():
    """Returns a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(port, process, said, patience=20):
    """Waits until a port is listened on, at most so many seconds."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            if process.poll() is not None:
                break
            time.sleep(0.05)
    raise Stop(f"nobody listens on port {port}: {said()}")


def family(pid):
    """Returns a process and its descendants."""
    found, todo = [], [pid]
    while todo:
        pid = todo.pop()
        found.append(pid)
        for task in Path(f"/proc/{pid}/task").glob("*/children"):
            try:
                todo += map(int, task.read_text().split())
            except OSError:
                pass
    return found


def cpu_ns(pids):
    """Returns the CPU time of processes in ns: of every thread, those that have ended too.

    It is the clock of clock_getcpuclockid(3), which the C library makes of the pid in this way. /proc/PID/schedstat is
    of the first thread alone, and /proc/PID/stat counts in hundredths of a second.
    """
    return sum(time.clock_gettime_ns((~pid << 3) | 2) for pid in pids)


def settle(pids):
    """Waits until processes have done what is left to do: what a call caused is the call's, also after its end."""
    before = cpu_ns(pids)
    for _ in range(20):
        time.sleep(0.1)
        now = cpu_ns(pids)
        if now - before < 2_000_000:
            return
        before = now


def memory(pids, row="VmRSS"):
    """Returns the resident bytes of processes; with VmHWM the most there were since `forget_peak`."""
    total = 0
    for pid in pids:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith(row + ":"):
                total += int(line.split()[1]) * 1024
    return total


def forget_peak(pids):
    """Has VmHWM begin anew (proc(5), clear_refs)."""
    for pid in pids:
        Path(f"/proc/{pid}/clear_refs").write_text("5")


def describe():
    """Returns what the machine is, for whoever reads the figures."""
    model = next((line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
                  if line.startswith("model name")), os.uname().machine)
    return {"cpu": model, "cores": len(os.sched_getaffinity(0)), "kernel": os.uname().release.split("-")[0]}
