"""All stacks of a running process: how long it takes, and how long it stops.

The process has 200 threads that sleep, or 1 000, and one that measures by how
much it is kept from running (pauses.c). Beside watchfire, gdb and eu-stack,
which stop it for as long as they take.
"""

import os
import resource
import shutil
import subprocess
import time

from workloads import BUILD, WATCHFIRE, median, row

THREADS = (200, 1000)


def pauses(threads, command=None):
    """Stops, the longest and the sum of a run, in ms; and what watching took."""
    process = subprocess.Popen(
        [str(BUILD / "bin/bench_pauses"), str(threads)], text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout.readline() == "ready\n"
    start = time.monotonic()
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    if command is None:
        time.sleep(0.2)
    else:
        subprocess.run(
            [str(word) for word in command(process.pid)], check=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    taken = (time.monotonic() - start) * 1e3
    cpu = (after.ru_utime + after.ru_stime
           - before.ru_utime - before.ru_stime) * 1e3
    out, _ = process.communicate("", timeout=60)
    stops, longest, total = map(int, out.split())
    return taken, cpu, stops, longest / 1e6, total / 1e6


RIVALS = {
    "gdb": lambda pid: ("gdb", "-nx", "-batch", "-p", pid, "-ex",
                        "thread apply all bt"),
    "eu-stack": lambda pid: ("eu-stack", "-p", pid),
    "eu-stack, inlines": lambda pid: ("eu-stack", "-i", "-s", "-p", pid),
}

OURS = {
    "perf events": lambda pid: (WATCHFIRE, "dump", "-p", pid),
    "perf refused": lambda pid: (BUILD / "bin/bench_refuse_perf", WATCHFIRE,
                                 "dump", "-p", pid),
}


CACHE = BUILD / "bench-dump-cache"


def make_index():
    """Of the program and of libc, as a recording makes it, by and by."""
    script = f"echo | {BUILD}/bin/bench_pauses 0; sleep 0.3"
    for _ in range(20):
        subprocess.run(
            [WATCHFIRE, "record", "-F", "9999", "-o", "/dev/null", "-f",
             "folded", "--", "sh", "-c", script], check=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if len(list(CACHE.glob("*.index"))) > 2:
            return


def measure(threads, rounds):
    found = {name: [pauses(threads, command) for _ in range(rounds)]
             for name, command in RIVALS.items()}
    os.environ["WATCHFIRE_CACHE"] = "off"
    found["no index"] = [
        pauses(threads, OURS["perf events"]) for _ in range(rounds)]
    os.environ["WATCHFIRE_CACHE"] = str(CACHE)
    make_index()
    for name, command in OURS.items():
        found[name] = [pauses(threads, command) for _ in range(rounds)]
    return {name: [median(run[i] for run in runs) for i in range(5)]
            for name, runs in found.items()}


def run(rounds):
    for threads in THREADS:
        yield from compare(threads, rounds)


def compare(threads, rounds):
    quiet = median(pauses(threads)[4] for _ in range(rounds))
    cache = os.environ.get("WATCHFIRE_CACHE")
    try:
        found = measure(threads, rounds)
    finally:
        shutil.rmtree(CACHE, ignore_errors=True)
        os.environ.pop("WATCHFIRE_CACHE", None)
        if cache is not None:
            os.environ["WATCHFIRE_CACHE"] = cache
    for name in ("no index", *OURS):
        what = f"{threads} threads, {name}"
        for rival in RIVALS:
            ours, theirs = found[name], found[rival]
            yield row(f"{what}: time, beside {rival}", f"{ours[0]:.0f} ms",
                      f"{theirs[0]:.0f} ms", ours[0] / theirs[0])
            yield row(f"{what}: CPU time, beside {rival}", f"{ours[1]:.0f} ms",
                      f"{theirs[1]:.0f} ms", ours[1] / theirs[1])
            yield row(f"{what}: longest stop, beside {rival}",
                      f"{ours[3]:.2f} ms", f"{theirs[3]:.2f} ms", None, "1 ms")
    yield row(f"{threads} threads that nobody looks at: gaps in all",
              f"{quiet:.2f} ms")
