#!/usr/bin/python3
"""The symbolizer beside others: tests/bench/symbolize.py [--rounds N]

Fetches ceph-mds-dbg (266 MB of DWARF, from Debian) and gimli's addr2line (from
crates.io), builds what is missing below build/bench, and prints ratios of CPU
time, and of elapsed time, between runs that took place next to each other.
Without a cargo that can build the latter it is left out. Never passes, never
fails.
"""

import argparse
import os
import random
import re
import resource
import shutil
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
WORK = TOP / "build/bench/symbolize"
DEBUG = WORK / "ceph-mds.debug"
WATCHFIRE = TOP / "build/release/bin/watchfire"
PACKAGE = "ceph-mds-dbg"
ADDRESSES = 20000


def run(*command, **options):
    return subprocess.run(
        [str(word) for word in command], check=True, **options)


# ---- what is compared ----

def fetch_debug_file():
    if DEBUG.exists():
        return
    folder = WORK / "package"
    folder.mkdir(parents=True, exist_ok=True)
    run("apt-get", "-q", "download", PACKAGE, cwd=folder)
    run("dpkg-deb", "-x", next(folder.glob("*.deb")), folder)
    largest = max(folder.rglob("*.debug"), key=lambda f: f.stat().st_size)
    run("eu-elfcompress", "-q", "-t", "none", "-o", DEBUG, largest)
    shutil.rmtree(folder)


def build_gimli():
    binary = WORK / "cargo/bin/addr2line"
    if not binary.exists() and shutil.which("cargo"):
        subprocess.run(
            ["cargo", "install", "-q", "addr2line", "--features", "bin",
             "--root", str(WORK / "cargo")], check=False)
    return binary


def build_ours():
    run("cmake", "--preset", "release", "-DBUILD_TESTING=OFF",
        "--log-level=WARNING", cwd=TOP, stdout=subprocess.DEVNULL)
    run("cmake", "--build", "--preset", "release", "--", "--quiet", cwd=TOP)
    release = TOP / "build/release"
    libraries = subprocess.run(
        ["pkg-config", "--libs", "libdw", "libelf", "liblzma", "zlib",
         "libzstd"], capture_output=True, text=True, check=True)
    bench = WORK / "symbolize"
    run("gcc", "-std=c11", "-O2", "-D_GNU_SOURCE", f"-I{TOP}",
        TOP / "tests/bench/symbolize.c",
        release / "symbolizer/libwf_symbolizer.a",
        release / "profiler/libwf_base.a", *libraries.stdout.split(),
        "-liberty", "-lpthread", "-o", bench)
    return bench


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
    """CPU and elapsed seconds, and megabytes, of one run."""

    def __init__(self, command, addresses, environment=None):
        with tempfile.TemporaryFile("w+") as source:
            source.write(addresses)
            source.flush()
            source.seek(0)
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            start = time.monotonic()
            run(*command, stdin=source, stdout=subprocess.DEVNULL,
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
        found["gimli addr2line"] = ([gimli, "-afi", "-e", DEBUG], None)
    if shutil.which("llvm-symbolizer-14"):
        found["llvm-symbolizer"] = (
            ["llvm-symbolizer-14", "--output-style=GNU", "-afi",
             "--no-demangle", "-e", DEBUG], None)
    if shutil.which("addr2line"):
        found["binutils addr2line"] = (["addr2line", "-afi", "-e", DEBUG], None)
    return found


def compare(addresses, rounds, slow_rounds):
    costs = {}
    for turn in range(rounds):
        for name, (command, environment) in tools().items():
            if turn < slow_rounds or name in ("watchfire", "gimli addr2line"):
                costs.setdefault(name, []).append(
                    Cost(command, addresses, environment))
    base = costs.get("gimli addr2line")
    count = addresses.count("\n")
    print(f"\n{count} address{'es' if count > 1 else ''}, cold: "
          f"functions, inlined calls, lines")
    print(f"{'':20}{'CPU s':>8}{'elapsed':>9}{'x gimli CPU':>13}")
    for name, runs in costs.items():
        cpu = statistics.median(run.cpu for run in runs)
        elapsed = statistics.median(run.elapsed for run in runs)
        ratio = ""
        if base:
            ratio = f"{cpu / statistics.median(r.cpu for r in base):.2f}"
        print(f"{name:20}{cpu:8.3f}{elapsed:9.3f}{ratio:>13}")


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


def show_index(bench, addresses):
    with tempfile.TemporaryDirectory() as folder:
        peak, output = anonymous_peak([bench, "make", DEBUG, folder])
        index = next(Path(folder).iterdir()).stat().st_size
        warm = subprocess.run(
            [str(bench), "warm", str(DEBUG), folder], input=addresses,
            capture_output=True, text=True, check=True).stdout
    figures = {}
    for line in (output + warm).splitlines():
        name, value = line.split()
        figures[name] = float(value)
    share = 100 * index / DEBUG.stat().st_size
    print(f"""
the index
made in                {figures['make']:.2f} s of CPU, \
{peak:.0f} MB of anonymous memory at most
size                   {index / 1e6:.1f} MB, {share:.1f} % of the debug file
opened, first answer   {1000 * figures['first']:.2f} ms
addresses a second     {figures['random'] / 1e6:.2f} M in random order, \
{figures['sorted'] / 1e6:.2f} M sorted, {figures['batch'] / 1e6:.2f} M with \
the sorting
the first time         {figures['raw'] / 1e6:.2f} M, \
{figures['naming'] / 1e6:.2f} M with names demangled""")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    WORK.mkdir(parents=True, exist_ok=True)
    fetch_debug_file()
    bench = build_ours()
    addresses = random_addresses(DEBUG, ADDRESSES)
    compare(addresses.split("\n", 1)[0] + "\n", options.rounds, 1)
    compare(addresses, options.rounds, 1)
    show_index(bench, addresses)


if __name__ == "__main__":
    main()
