"""The symbolizer beside gimli's, LLVM's and binutils': 266 MB of DWARF.

Fetches ceph-mds-dbg (from Debian) and gimli's addr2line (from crates.io) below
build/bench, once. Without a cargo that can build the latter it is left out.
Times are CPU seconds; those that elapsed stand beside them.
"""

import os
import random
import re
import resource
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from workloads import BUILD, TOP, WATCHFIRE, median, row

WORK = TOP / "build/bench/symbolize"
DEBUG = WORK / "ceph-mds.debug"
BENCH = BUILD / "bin/bench_symbolize"
PACKAGE = "ceph-mds-dbg"
ADDRESSES = 20000
GIMLI = "gimli addr2line"


def call(*command, **options):
    return subprocess.run(
        [str(word) for word in command], check=True, **options)


# ---- what is compared ----

def fetch_debug_file():
    if DEBUG.exists():
        return
    folder = WORK / "package"
    folder.mkdir(parents=True, exist_ok=True)
    call("apt-get", "-q", "download", PACKAGE, cwd=folder)
    call("dpkg-deb", "-x", next(folder.glob("*.deb")), folder)
    largest = max(folder.rglob("*.debug"), key=lambda f: f.stat().st_size)
    call("eu-elfcompress", "-q", "-t", "none", "-o", DEBUG, largest)
    shutil.rmtree(folder)


def build_gimli():
    binary = WORK / "cargo/bin/addr2line"
    if not binary.exists() and shutil.which("cargo"):
        subprocess.run(
            ["cargo", "install", "-q", "addr2line", "--features", "bin",
             "--root", str(WORK / "cargo")], check=False)
    return binary


def text_section(path):
    listing = subprocess.run(
        ["readelf", "-SW", str(path)], capture_output=True, text=True)
    found = re.search(r"\.text\s+\w+\s+(\w+)\s+\w+\s+(\w+)", listing.stdout)
    return int(found[1], 16), int(found[2], 16)


def random_addresses(path, count):
    start, size = text_section(path)
    rng = random.Random(20)
    return "".join(
        f"{start + rng.randrange(size):#x}\n" for _ in range(count))


# ---- measuring ----

class Cost:
    """CPU and elapsed seconds of one run."""

    def __init__(self, command, addresses, environment=None):
        with tempfile.TemporaryFile("w+") as source:
            source.write(addresses)
            source.flush()
            source.seek(0)
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            start = time.monotonic()
            call(*command, stdin=source, stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={**os.environ, **(environment or {})})
            self.elapsed = time.monotonic() - start
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
        self.cpu = (after.ru_utime + after.ru_stime -
                    before.ru_utime - before.ru_stime)


def tools():
    """Commands that read addresses and print functions, inlines and lines."""
    found = {"watchfire": ([WATCHFIRE, "symbolize", "-afi", "-e", DEBUG],
                           {"WATCHFIRE_CACHE": "off"})}
    gimli = build_gimli()
    if gimli.exists():
        found[GIMLI] = ([gimli, "-afi", "-e", DEBUG], None)
    if shutil.which("llvm-symbolizer-14"):
        found["llvm-symbolizer"] = (
            ["llvm-symbolizer-14", "--output-style=GNU", "-afi",
             "--no-demangle", "-e", DEBUG], None)
    if shutil.which("addr2line"):
        found["binutils addr2line"] = (["addr2line", "-afi", "-e", DEBUG], None)
    return found


def compare(addresses, rounds):
    """Rows for each of the others beside us, by the medians of all rounds."""
    costs = {}
    for turn in range(rounds):
        for name, (command, environment) in tools().items():
            if turn == 0 or name in ("watchfire", GIMLI):
                costs.setdefault(name, []).append(
                    Cost(command, addresses, environment))
    cpu = {name: median(run.cpu for run in runs)
           for name, runs in costs.items()}
    elapsed = {name: median(run.elapsed for run in runs)
               for name, runs in costs.items()}
    count = addresses.count("\n")
    what = f"{count} address{'es' if count > 1 else ''}, cold"
    for name in costs:
        if name == "watchfire":
            continue
        budget = "" if name != GIMLI else "0.1 s" if count == 1 else "0.7 x"
        yield row(f"{what}, beside {name}",
                  f"{cpu['watchfire']:.3f} s ({elapsed['watchfire']:.3f})",
                  f"{cpu[name]:.3f} s ({elapsed[name]:.3f})",
                  cpu["watchfire"] / cpu[name], budget)


def anonymous_peak(command):
    """Megabytes of anonymous memory at the worst moment, and the output."""
    child = subprocess.Popen(
        [str(word) for word in command], stdout=subprocess.PIPE, text=True)
    peak = 0
    while child.poll() is None:
        try:
            status = Path(f"/proc/{child.pid}/status").read_text()
        except OSError:
            break
        found = re.search(r"RssAnon:\s+(\d+)", status)
        peak = max(peak, int(found[1]) if found else 0)
        time.sleep(0.002)
    return peak / 1024, child.communicate()[0]


def figures_of(text):
    return {name: float(value)
            for name, value in (line.split() for line in text.splitlines())}


def show_index(addresses):
    with tempfile.TemporaryDirectory() as folder:
        peak, output = anonymous_peak([BENCH, "make", DEBUG, folder])
        index = next(Path(folder).iterdir()).stat().st_size
        output += call(BENCH, "warm", DEBUG, folder, input=addresses,
                       capture_output=True, text=True).stdout
    found = figures_of(output)
    yield row("the index, to make", f"{found['make']:.2f} s of CPU")
    yield row("anonymous memory meanwhile, at most", f"{peak:.0f} MB",
              budget="150 MB")
    yield row("its size", f"{index / 1e6:.1f} MB",
              f"{DEBUG.stat().st_size / 1e6:.0f} MB of debug file",
              index / DEBUG.stat().st_size, "0.10 x")
    yield row("opened, with the first answer",
              f"{1000 * found['first']:.2f} ms", budget="2 ms")
    for name, what in (
            ("random", "in random order"), ("sorted", "sorted"),
            ("batch", "with the sorting"), ("raw", "the first time"),
            ("naming", "the first time, with names demangled")):
        yield row(f"addresses a second, {what}", f"{found[name] / 1e6:.2f} M",
                  budget="2 M" if name == "random" else "")


def show_names(addresses):
    """By symbol tables alone: no DWARF is touched."""
    found = figures_of(call(
        BENCH, "names", DEBUG, input=addresses, capture_output=True,
        text=True).stdout)
    yield row("names alone: opened, with the first answer",
              f"{1000 * found['first']:.1f} ms",
              f"{found['symbols']:.0f} symbols")
    yield row("names alone: a symbol", f"{found['find']:.0f} ns",
              budget="tens of ns")
    yield row("names alone: an answer with the name a person reads",
              f"{found['lookup']:.0f} ns")


def run(rounds):
    WORK.mkdir(parents=True, exist_ok=True)
    fetch_debug_file()
    addresses = random_addresses(DEBUG, ADDRESSES)
    yield from compare(addresses.split("\n", 1)[0] + "\n", rounds)
    yield from compare(addresses, rounds)
    yield from show_index(addresses)
    yield from show_names(addresses)
