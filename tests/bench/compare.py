"""Runs programs under profilers in turn and compares what they cost and see.

Called by tests/bench/run, from the top of the source tree. Every figure is a
ratio between runs that took place next to each other.
"""

import argparse
import functools
import os
import re
import shutil
import socket
import statistics
import struct
import subprocess
import tempfile
import time
from pathlib import Path

RATE = 999
TOP = Path.cwd()
WATCHFIRE = TOP / "build/release/bin/watchfire"
TIMED = TOP / "build/bench/timed"
DEMO = TOP / "tests/programs/demo.cc"
PROFILER_LIBRARY = "/usr/lib/x86_64-linux-gnu/libprofiler.so.0"

# Where a thread's outermost frame may lie. perf's unwinder ends one or two
# frames short of it, in the functions that call main; that is counted for it.
FIRST_FUNCTIONS = {
    "_start", "clone3", "__clone3", "clone", "__clone",
    "__libc_start_call_main", "start_thread",
}

PYTHON_PROGRAM = """
def fibonacci(n):
    return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)
fibonacci(32)
sorted(str(i) for i in range(1000000))
"""


class Seen:
    """What one profiler says of one run."""

    def __init__(self, samples, weight_ns, complete):
        self.samples = samples
        self.weight_ns = weight_ns
        self.complete = complete  # samples that reach the first frame


@functools.cache
def entry_offset(path):
    """Where an ELF file's entry point lies in the file; -1 without one."""
    with open(path, "rb") as file:
        head = file.read(64)
        entry, table = struct.unpack_from("<QQ", head, 24)
        size, count = struct.unpack_from("<HH", head, 54)
        for i in range(count):
            file.seek(table + i * size)
            kind, _, offset, address, _, bytes_ = struct.unpack(
                "<IIQQQQ", file.read(40))
            if kind == 1 and address <= entry < address + bytes_:
                return entry - address + offset
    return -1


@functools.cache
def is_first(path, offset, symbol=None):
    """Whether a frame is one that a thread starts in."""
    if symbol in FIRST_FUNCTIONS:
        return True
    if not Path(path).is_file():
        return False
    if 0 <= offset - entry_offset(path) < 64:
        return True
    if symbol is not None:
        return False
    # gperftools gives addresses alone: ask for the name. Offsets in a file
    # and addresses agree in the libraries of interest, libc among them.
    answer = subprocess.run(
        ["addr2line", "-f", "-e", path, hex(offset)],
        capture_output=True, text=True).stdout
    return answer.split("\n")[0] in FIRST_FUNCTIONS


def read_perf_data(path):
    """Our recordings and perf's, through perf's eyes alone."""
    script = subprocess.run(
        ["perf", "script", "-i", str(path), "--no-inline", "--max-stack",
         "4096", "-F", "comm,period,ip,sym,dso"],
        capture_output=True, text=True, check=True)
    samples = weight = complete = 0
    for block in script.stdout.split("\n\n"):
        lines = block.strip("\n").splitlines()
        if not lines:
            continue
        weight += int(lines[0].split()[-1].rstrip(":"))
        frames = [re.match(r"\s+([0-9a-f]+) (.*) \((.*)\)$", line)
                  for line in lines[1:]]
        if frames and frames[-1] and re.fullmatch(
                r"\[(startup|exit|exec|unsampled)\]", frames[-1][2]):
            continue  # weight that no sample stands for
        samples += 1
        if frames and frames[-1]:
            complete += is_first(
                frames[-1][3], int(frames[-1][1], 16), frames[-1][2])
    return Seen(samples, weight, complete)


def read_gperftools(path):
    """The words of a CPUPROFILE file, then the process's maps as text.
    (gperftools, docs/cpuprofile-fileformat.html)"""
    data = path.read_bytes()
    period_us = struct.unpack_from("<5Q", data)[3]
    at = 40
    stacks = []
    while True:
        count, depth = struct.unpack_from("<2Q", data, at)
        pcs = struct.unpack_from(f"<{depth}Q", data, at + 16)
        at += 16 + 8 * depth
        if count == 0:
            break
        stacks.append((count, pcs))
    maps = []
    for line in data[at:].decode(errors="replace").splitlines():
        match = re.match(
            r"([0-9a-f]+)-([0-9a-f]+) \S+ ([0-9a-f]+) \S+ \d+\s+(/.*)$", line)
        if match:
            maps.append((*(int(match[i], 16) for i in (1, 2, 3)), match[4]))
    complete = 0
    for count, pcs in stacks:
        for start, end, offset, name in maps:
            if start <= pcs[-1] < end:
                complete += count * is_first(name, pcs[-1] - start + offset)
    samples = sum(count for count, _ in stacks)
    return Seen(samples, samples * period_us * 1000, complete)


class Plain:
    name = "alone"

    def prefix(self, folder):
        return []

    def environment(self, folder):
        return {}

    def seen(self, folder):
        return None


class Watchfire(Plain):
    name = "watchfire"

    def prefix(self, folder):
        return [WATCHFIRE, "record", "-F", RATE, "-o", folder / "w.data", "--"]

    def seen(self, folder):
        return read_perf_data(folder / "w.data")


class Perf(Plain):
    name = "perf -g"

    def prefix(self, folder):
        return ["perf", "record", "-q", "-e", "cpu-clock", "-F", RATE, "-g",
                "-o", folder / "p.data", "--"]

    def seen(self, folder):
        return read_perf_data(folder / "p.data")


class PerfDwarf(Perf):
    name = "perf dwarf"

    def prefix(self, folder):
        words = super().prefix(folder)
        words[words.index("-g")] = "--call-graph=dwarf"
        return words


class Gperftools(Plain):
    name = "gperftools"

    def environment(self, folder):
        return {"LD_PRELOAD": PROFILER_LIBRARY,
                "CPUPROFILE": str(folder / "g.prof"),
                "CPUPROFILE_FREQUENCY": str(RATE)}

    def seen(self, folder):
        # One file a process; those of a process that sampled nothing are bare.
        all_seen = [read_gperftools(path)
                    for path in folder.glob("g.prof*")
                    if path.stat().st_size > 64]
        return Seen(*(sum(getattr(seen, field) for seen in all_seen)
                      for field in ("samples", "weight_ns", "complete")))


TOOLS = (Plain(), Watchfire(), Perf(), PerfDwarf(), Gperftools())


class Run:
    """One run: what the tree used by the kernel's account, with and without
    the profiler's own part, and what the profiler saw."""

    def __init__(self, tool, workload):
        with tempfile.TemporaryDirectory(prefix="watchfire-bench-") as name:
            folder = Path(name)
            command, cleanup = workload(folder)
            words = [*tool.prefix(folder), TIMED, folder / "usage", *command]
            process = subprocess.Popen(
                [str(word) for word in words],
                env={**os.environ, **tool.environment(folder)}, cwd=folder,
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL)
            if cleanup:
                cleanup()
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            if process.returncode != 0:
                raise SystemExit(
                    f"{tool.name}: status {process.returncode}: {words}")
            self.all_ns = (usage.ru_utime + usage.ru_stime) * 1e9
            self.program_ns = sum(
                map(int, (folder / "usage").read_text().split()))
            self.seen = tool.seen(folder)


def compile_cxx(folder):
    return ["g++", "-std=c++20", "-O2", "-c", DEMO, "-o", folder / "x.o"], None


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


WORKLOADS = {"g++": compile_cxx, "xz": compress, "python3": python,
             "redis": redis}


def median(values):
    return statistics.median(values) if values else float("nan")


def compare(name, rounds):
    """Print one program's rows: medians over rounds of paired runs."""
    runs = {tool.name: [] for tool in TOOLS}
    for _ in range(rounds):
        for tool in TOOLS:
            runs[tool.name].append(Run(tool, WORKLOADS[name]))
    for tool in TOOLS[1:]:
        rows = runs[tool.name]
        rate = median([row.seen.samples / (row.program_ns / 1e9 * RATE)
                       for row in rows])
        seen = median([row.seen.weight_ns / row.program_ns for row in rows])
        complete = median([row.seen.complete / max(1, row.seen.samples)
                           for row in rows])
        added = median([row.all_ns / alone.all_ns - 1
                        for row, alone in zip(rows, runs["alone"])])
        print(f"{name:8} {tool.name:11} {rate:9.3f} {seen:9.3f} "
              f"{complete:9.1%} {added:+10.1%}", flush=True)


def main():
    parser = argparse.ArgumentParser(prog="tests/bench/run")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", choices=WORKLOADS)
    chosen = parser.parse_args()
    print(f"\nAsked for {RATE} Hz; medians of {chosen.rounds} paired runs.\n"
          "rate: samples delivered, of those asked for. CPU seen: sum of\n"
          "weights, of the kernel's figure. complete: stacks that reach the\n"
          "thread's first frame. CPU added: program and profiler together.\n")
    print(f"{'program':8} {'profiler':11} {'rate':>9} {'CPU seen':>9} "
          f"{'complete':>9} {'CPU added':>10}")
    for name in WORKLOADS:
        if chosen.only in (None, name):
            compare(name, chosen.rounds)


main()
