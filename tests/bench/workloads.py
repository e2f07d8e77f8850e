"""The programs that benches watch, and how one run of one is measured."""

import os
import shutil
import socket
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

TOP = Path.cwd()
BUILD = TOP / "build/release"
WATCHFIRE = BUILD / "bin/watchfire"
LIBRARY = BUILD / "lib/libwatchfire.so"
TIMED = BUILD / "bin/bench_timed"
PROGRAMS = TOP / "tests/programs"

PYTHON_PROGRAM = """
def fibonacci(n):
    return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)
fibonacci(32)
sorted(str(i) for i in range(1000000))
"""


def compile_cxx(folder):
    return ["g++", "-std=c++20", "-O2", "-c", PROGRAMS / "demo.cc", "-o",
            folder / "x.o"], None


def compress(folder):
    words = " ".join(f"word{i * i % 9973}" for i in range(20000))
    (folder / "text").write_text(words * 60)
    return ["xz", "-T2", "--block-size=2MiB", "-6", folder / "text"], None


def python(folder):
    return ["/usr/bin/python3", "-c", PYTHON_PROGRAM], None


def redis(folder):
    # redis-tools has the server as redis-check-rdb, told by its name.
    (folder / "redis-server").symlink_to(shutil.which("redis-check-rdb"))
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = str(listener.getsockname()[1])

    def client(*words):
        return subprocess.run(
            [words[0], "-p", port, *words[1:]], capture_output=True, text=True)

    def load():
        while "PONG" not in client("redis-cli", "ping").stdout:
            time.sleep(0.02)
        client("redis-benchmark", "-q", "-n", "300000", "-P", "4", "-t",
               "set,get,lpush")
        client("redis-cli", "shutdown", "nosave")

    return [folder / "redis-server", "--port", port, "--bind", "127.0.0.1",
            "--save", "", "--logfile", folder / "log"], load


def mix(folder):
    """The C++ library at work: strings, maps, regular expressions."""
    return [BUILD / "bin/bench_mix"], None


WORKLOADS = {"g++": compile_cxx, "xz": compress, "python3": python,
             "redis": redis}


class Run:
    """One run of a workload: what its tree used by the kernel's account, with
    and without what is around it, and what it printed to standard error."""

    def __init__(self, workload, prefix=lambda folder: (), environment=None,
                 observe=None, inspect=None):
        with tempfile.TemporaryDirectory(prefix="watchfire-bench-") as name:
            folder = Path(name)
            command, cleanup = workload(folder)
            words = [*prefix(folder), TIMED, folder / "usage", *command]
            more = environment(folder) if environment else {}
            with open(folder / "stderr", "w+") as errors:
                process = subprocess.Popen(
                    [str(word) for word in words],
                    env={**os.environ, **more}, cwd=folder,
                    stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                    stderr=errors)
                if cleanup:
                    cleanup()
                if observe:
                    observe(process.pid, folder)
                _, status, usage = os.wait4(process.pid, 0)
                self.end_ns = time.time_ns()
                process.returncode = os.waitstatus_to_exitcode(status)
                errors.seek(0)
                self.stderr = errors.read()
            if process.returncode != 0:
                raise SystemExit(
                    f"status {process.returncode}: {words}\n{self.stderr}")
            self.all_ns = (usage.ru_utime + usage.ru_stime) * 1e9
            self.program_ns = sum(
                map(int, (folder / "usage").read_text().split()))
            self.program_end_ns = (folder / "usage").stat().st_mtime_ns
            self.seen = inspect(folder) if inspect else None


def record_prefix(rate, output="w.data"):
    """At the rate that is asked for: the governor would lower it."""
    return lambda folder: [
        WATCHFIRE, "record", "-F", rate, "--max-overhead", 100, "-o",
        folder / output, "--"]


def perf_prefix(rate, graph="-g"):
    return lambda folder: [
        "perf", "record", "-q", "-e", "cpu-clock", "-F", rate, graph,
        "-o", folder / "p.data", "--"]


def median(values):
    values = list(values)
    return statistics.median(values) if values else float("nan")


def lines_of(program, *arguments):
    """What one of the bench's own programs prints, as lists of words."""
    result = subprocess.run(
        [BUILD / "bin" / f"bench_{program}", *map(str, arguments)],
        capture_output=True, text=True, check=True)
    return [line.split() for line in result.stdout.splitlines()]


class Row:
    """One line of the table at the end."""

    def __init__(self, what, ours, rival, ratio, budget):
        self.cells = (what, ours, rival, ratio, budget)


def row(what, ours, rival="", ratio=None, budget=""):
    return Row(what, ours, rival, "" if ratio is None else f"{ratio:.2f} x",
               budget)
