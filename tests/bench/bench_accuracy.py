"""What profilers see of programs: samples, CPU time, complete stacks.

Asked for one rate, all of them: how many samples come, what share of the
kernel's figure of CPU time they stand for, and how many stacks reach the
thread's first frame. What each costs is in bench_added.
"""

import functools
import re
import struct
import subprocess
from pathlib import Path

from workloads import Run, WORKLOADS, median, perf_prefix, record_prefix, row

RATE = 999
PROFILER_LIBRARY = "/usr/lib/x86_64-linux-gnu/libprofiler.so.0"

# Where a thread's outermost frame may lie. perf's unwinder ends one or two
# frames short of it, in the functions that call main; that is counted for it.
FIRST_FUNCTIONS = {
    "_start", "clone3", "__clone3", "clone", "__clone",
    "__libc_start_call_main", "start_thread",
}

class Seen:
    """What one profiler says of one run."""

    def __init__(self, samples, weight_ns, complete):
        self.samples = samples
        self.weight_ns = weight_ns
        self.complete = complete  # samples that reach the first frame


@functools.cache
def entry_offset(path):
    """Where a file's entry point lies in it; -1 without one: a map of names."""
    with open(path, "rb") as file:
        head = file.read(64)
        if not head.startswith(b"\x7fELF"):
            return -1
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


def inspect_gperftools(folder):
    # One file a process; those of a process that sampled nothing are bare.
    all_seen = [read_gperftools(path) for path in folder.glob("g.prof*")
                if path.stat().st_size > 64]
    return Seen(*(sum(getattr(seen, field) for seen in all_seen)
                  for field in ("samples", "weight_ns", "complete")))


TOOLS = {
    "watchfire": {
        "prefix": record_prefix(RATE),
        "inspect": lambda folder: read_perf_data(folder / "w.data")},
    "perf -g": {
        "prefix": perf_prefix(RATE),
        "inspect": lambda folder: read_perf_data(folder / "p.data")},
    "perf dwarf": {
        "prefix": perf_prefix(RATE, "--call-graph=dwarf"),
        "inspect": lambda folder: read_perf_data(folder / "p.data")},
    "gperftools": {
        "environment": lambda folder: {
            "LD_PRELOAD": PROFILER_LIBRARY,
            "CPUPROFILE": str(folder / "g.prof"),
            "CPUPROFILE_FREQUENCY": str(RATE)},
        "inspect": inspect_gperftools},
}


def run(rounds):
    for name, workload in WORKLOADS.items():
        texts = {}
        for tool, how in TOOLS.items():
            runs = [Run(workload, **how) for _ in range(max(1, rounds // 2))]
            rate = median(run.seen.samples / (run.program_ns / 1e9 * RATE)
                          for run in runs)
            seen = median(run.seen.weight_ns / run.program_ns for run in runs)
            complete = median(run.seen.complete / max(1, run.seen.samples)
                              for run in runs)
            texts[tool] = (f"rate {rate:.3f}, CPU {seen:.3f}, "
                           f"complete {complete:.1%}")
        for tool in list(TOOLS)[1:]:
            yield row(f"{name} at {RATE} Hz", texts["watchfire"],
                      f"{tool}: {texts[tool]}", None,
                      "0.99, 1 +- 0.01, 99.9 %")
