"""From the program's end to the flame graph: every frame, inlines, lines.

Cold is without a cache of what debug information says, warm with the one that
the runs before left behind. Where the collector lives on after the picture is
there, to finish what the next run will find in the cache, its end is shown as
well.
"""

import os
import select
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from workloads import PROGRAMS, WATCHFIRE, median, row

RATE = 997

PYTHON = """
import json, re, random, zlib
rng = random.Random(1)
data = {str(i): [rng.random() for _ in range(8)] for i in range(1200)}
for _ in range(28):
    text = json.dumps(data, indent=1)
    json.loads(text)
    re.findall(r"([0-9]+)\\\\.([0-9]+)", text)
    sorted(text.split())
    zlib.compress(text.encode())
    "".join(reversed(text)).upper().replace("1", "one")
"""

PROGRAMS_RUN = (
    ("g++ -O2", lambda folder: [
        "g++", "-std=c++20", "-O2", "-c", PROGRAMS / "demo.cc", "-o",
        folder / "x.o"]),
    ("python3.11d", lambda folder: ["python3.11d", "-c", PYTHON]),
)


KINDS = (("cold", "0.3 s"), ("warm", "0.1 s"),
         ("cold, one processor", "0.3 s"))


def cpu_clock(pid):
    """A clock of what a process used, until it is waited for (clock_getcpu-
    clockid(3)); its children do not count."""
    return (~pid << 3) | 2


def only_child(pid):
    """The program that `record` runs; None when it is gone already."""
    children = Path(f"/proc/{pid}/task/{pid}/children")
    while True:
        found = children.read_text().split()
        if found:
            return int(found[0])
        if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            return None
        time.sleep(0.001)


class End:
    """One recording: seconds from the end of the program on."""

    def __init__(self, words, folder, cache, processors):
        picture = folder / "x.svg"
        picture.unlink(missing_ok=True)
        recorder = subprocess.Popen(
            [str(word) for word in (
                WATCHFIRE, "record", "-F", RATE, "-o", picture, "--", *words)],
            cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            preexec_fn=lambda: os.sched_setaffinity(0, processors),
            env={**os.environ, "WATCHFIRE_CACHE": str(cache)})
        program = os.pidfd_open(only_child(recorder.pid))
        select.select([program], [], [])
        os.close(program)
        ended = time.time()
        clock = cpu_clock(recorder.pid)
        before = time.clock_gettime(clock)
        os.waitid(os.P_PID, recorder.pid, os.WEXITED | os.WNOWAIT)
        self.whole = time.time() - ended
        self.cpu = time.clock_gettime(clock) - before
        self.all_cpu = time.clock_gettime(clock)
        errors = recorder.communicate()[1].decode()
        if recorder.returncode != 0:
            raise SystemExit(f"status {recorder.returncode}: {errors}")
        # It appears by being renamed, which sets this time.
        self.picture = picture.stat().st_ctime - ended


def measure(make, rounds):
    """For each round: a cold run, a warm one, and a cold one that has to share
    a single processor with the program."""
    everywhere = os.sched_getaffinity(0)
    with tempfile.TemporaryDirectory(prefix="watchfire-bench-") as name:
        folder = Path(name)
        words = make(folder)
        for _ in range(rounds):
            cache = folder / "cache"
            shutil.rmtree(cache, ignore_errors=True)
            cold = End(words, folder, cache, everywhere)
            warm = End(words, folder, cache, everywhere)
            shutil.rmtree(cache)
            yield cold, warm, End(words, folder, cache, {max(everywhere)})


def run(rounds):
    for name, make in PROGRAMS_RUN:
        if shutil.which(make(Path("/"))[0]) is None:
            continue
        ends = list(zip(*measure(make, rounds)))
        for (kind, budget), runs in zip(KINDS, ends):
            times = sorted(end.picture for end in runs)
            yield row(f"{name}: end of the program to the flame graph, {kind}",
                      f"{median(times):.3f} s",
                      f"{times[0]:.3f} to {times[-1]:.3f} s", None, budget)
            yield row(f"{name}: to the end of the collector, {kind}",
                      f"{median(end.whole for end in runs):.3f} s",
                      f"{median(end.cpu for end in runs):.3f} s of CPU")
