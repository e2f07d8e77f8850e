"""Nine servers under load, watched while they serve, in each way.

What a request costs them beside the same without a watcher, in pairs
(server_costs.py), at two rates; what their clients saw; and whether the stacks
and the shares of functions are those that perf finds in the same seconds
(server_stacks.py), and those of threads what the kernel says they used.

--rounds is how often each way comes and goes at 997 Hz for each server; at
99 Hz it does a third as often. What is found stands in
build/release/bench-servers/table.md after each server, and is kept where a
server fails, takes too long, or all of it is interrupted.
"""

import functools
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

from server_costs import (
    Costs, NothingAnswered, Refused, Watcher, apart, as_text)
from server_stacks import Stacks
from servers import BUILT, SERVERS, missing
from workloads import WATCHFIRE, row

HIGH, LOW = 997, 99
BUDGETS = {HIGH: "3 %", LOW: "0.5 %"}
LOW_EACH = 3  # rounds: one of them at the low rate, too, and with perf
# Those that the kernel's tick limits have as many samples of it.
SHARES_SECONDS = {"perf": 10, "inject": 18, "ptrace": 18}
COMPLETE_ENOUGH = 95  # percent of perf's stacks, for its totals to be of use
FAILURES_MOST = 3  # in a row
SERVER_SECONDS = 300  # and not more, whatever happens
PERF = "perf -g"
# The kernel's tick limits those; what they cost at 99 Hz is told from there.
DELIVERED_HZ = {"inject": 250, "ptrace": 250}
HEADS = ("server", "way", "CPU a request at 997 Hz", "at 99 Hz, from that",
         "at 99 Hz, measured", "failed, wrong", "longest wait, ms (without us)",
         "functions' self, total: points from `perf -a`, and by chance",
         "complete stacks, % (perf fp, dwarf)", "held, ms")


@functools.cache
def ways():
    """Those that this watchfire has."""
    words = subprocess.run(
        [WATCHFIRE, "record", "--help"], capture_output=True, text=True
    ).stdout
    return [way for way in ("perf", "inject", "ptrace")
            if re.search(rf"\b{way}\b", words)]


def pids(server):
    return ",".join(map(str, server.pids()))


def watchfire(way):
    """At the rate that is asked for: the governor would lower it. Children are
    found."""
    bound = ("--max-overhead", 90) if way == "inject" else ()
    return lambda server, rate, output: [
        WATCHFIRE, "record", "-F", rate, *bound, "--via", way, "-o", output,
        "-p", server.pid]


def perf(server, rate, output):
    """perf takes no children that are there already, if not told of them."""
    return ["perf", "record", "-q", "-e", "cpu-clock", "-F", rate, "-g", "-o",
            output, "-p", pids(server)]


def perf_of_processors(*graph):
    return lambda server, rate, output: [
        "perf", "record", "-q", "-a", "-e", "cpu-clock", "-F", rate, *graph,
        "-o", output]


def held(said):
    """The longest that a thread was held, by what the watcher says; or none."""
    found = [re.search(pattern, text) for text in said for pattern in (
        r"held for ([0-9.]+) ms", r"the longest for ([0-9.]+)")]
    return max((float(match[1]) for match in found if match), default=None)


class Found:
    """What one server and one way have come to: a line of the table."""

    def __init__(self, server, way):
        self.server, self.way = server, way
        self.costs = {HIGH: Costs(), LOW: Costs()}
        self.shares = self.complete = ""

    def cost(self, rate):
        costs = self.costs[rate]
        return as_text(costs.interval()) if costs.ratios else ""

    def low_from_high(self):
        if not self.costs[HIGH].ratios:
            return ""
        share = LOW / DELIVERED_HZ.get(self.way, HIGH)
        return as_text([value * share for value in
                        self.costs[HIGH].interval()], 2)

    def cells(self):
        both = self.costs.values()
        is_seen = any(costs.ratios for costs in both)
        longest = max(costs.longest_ms for costs in both)
        without = max(costs.longest_without_ms for costs in both)
        held_ms = held([text for costs in both for text in costs.said])
        return (
            self.server, self.way, self.cost(HIGH), self.low_from_high(),
            self.cost(LOW),
            f"{sum(costs.failed for costs in both)}, "
            f"{sum(costs.wrong for costs in both)}" if is_seen else "",
            f"{longest:.1f} ({without:.1f})" if is_seen else "",
            self.shares, self.complete,
            "" if held_ms is None else f"{held_ms:.2f}")


def of_all(found):
    """The pairs of all servers together."""
    for way in dict.fromkeys(one.way for one in found):
        mine = [one for one in found if one.way == way]
        both = Found("all", way)
        for rate, costs in both.costs.items():
            for one in mine:
                costs.ratios += one.costs[rate].ratios
                costs.said += one.costs[rate].said
                costs.failed += one.costs[rate].failed
                costs.wrong += one.costs[rate].wrong
                costs.longest_ms = max(
                    costs.longest_ms, one.costs[rate].longest_ms)
                costs.longest_without_ms = max(
                    costs.longest_without_ms,
                    one.costs[rate].longest_without_ms)
        yield both


class Report:
    """All that was found, as Markdown, kept in a file as it comes."""

    def __init__(self):
        self.found, self.notes = [], []
        self.path = BUILT / "table.md"

    def note(self, text):
        self.notes.append(text)
        print(f"  {text}", file=sys.stderr, flush=True)

    def text(self):
        lines = [HEADS, ["---"] * len(HEADS)]
        lines += [one.cells() for one in (*self.found, *of_all(self.found))]
        return "\n".join("| " + " | ".join(cells) + " |" for cells in lines) + (
            "\n\n" + "\n".join(f"- {note}" for note in self.notes) + "\n")

    def keep(self):
        self.path.write_text(self.text())


@contextmanager
def noting(report, what):
    """A failure is told, and ends no more than it has to."""
    try:
        yield
    except (Exception, SystemExit) as error:
        report.note(f"{what}: {type(error).__name__}: "
                    f"{' '.join(str(error).split())[:300]}")
        if not isinstance(error, (Refused, NothingAnswered)):
            traceback.print_exc()
        if isinstance(error, Overdue):
            raise


class Overdue(Exception):
    """A server takes too long."""


@contextmanager
def bounded(seconds):
    def expire(*_):
        raise Overdue(f"more than {seconds} s")

    before = signal.signal(signal.SIGALRM, expire)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


# ---- what it costs ----


def turns(i):
    """Of round `i`: each way at 997 Hz, one of them at 99 Hz, now and then
    perf."""
    mine = ways()
    chosen = [(way, HIGH) for way in mine]
    chosen += [(way, LOW) for k, way in enumerate(mine)
               if (i + k) % LOW_EACH == 0]
    return chosen + ([(PERF, HIGH)] if i % LOW_EACH == 0 else [])


def measure(report, server, found, rounds, folder):
    """In turns; who fails three times in a row is not asked again."""
    failures = Counter()
    for i in range(rounds):
        for way, rate in turns(i):
            if failures[way] == FAILURES_MOST:
                continue
            failures[way] += 1
            with noting(report, f"{server.name} by {way} at {rate} Hz"):
                command = perf if way == PERF else watchfire(way)
                found[way].costs[rate].measure(
                    server,
                    lambda: command(server, rate, folder / "cost.data"))
                failures[way] = 0
            server.client.check()


# ---- what it finds ----


def used_by_thread(server):
    """CPU time of those that live, as the kernel counts it."""
    used = {}
    for pid in server.pids():
        for task in Path(f"/proc/{pid}/task").iterdir():
            try:
                text = (task / "schedstat").read_text()
            except OSError:
                continue  # it has ended
            used[int(task.name)] = int(text.split()[0])
    return used


def record(server, recorders, seconds, folder):
    """All at once, so that they see the same; what threads used meanwhile."""
    watchers = []
    try:
        for name, command in recorders.items():
            watchers.append(
                Watcher(command(server, HIGH, folder / f"{name}.data")))
        before = used_by_thread(server)
        time.sleep(seconds)
        used = {tid: ns - before.get(tid, 0)
                for tid, ns in used_by_thread(server).items()}
        server.write_names()
        while watchers:
            watchers.pop().end()
        return used
    finally:
        for watcher in watchers:
            watcher.kill()


def find(report, server, found, folder):
    has_kernel = found.way == "perf"
    recorders = {
        "ours": watchfire(found.way), "fp": perf_of_processors("-g"),
        "dwarf": perf_of_processors("--call-graph", "dwarf,8192")}
    used = record(
        server, recorders, SHARES_SECONDS[found.way], folder)
    stacks = {name: Stacks(folder / f"{name}.data", has_kernel, pids(server))
              for name in recorders}
    for name in recorders:
        (folder / f"{name}.data").unlink()
    ours = stacks.pop("ours")
    rivals = ", ".join(f"{name} {theirs.completeness():.2f}"
                       for name, theirs in stacks.items())
    found.complete = f"{ours.completeness():.2f} ({rivals})"
    own = ours.difference(stacks["fp"], "own")
    # Of perf's the one whose stacks are the most complete knows the totals.
    best = max(stacks, key=lambda name: stacks[name].completeness())
    total = ours.difference(stacks[best], "total")
    is_known = stacks[best].completeness() >= COMPLETE_ENOUGH
    found.shares = f"{own}, {total if is_known else '-'}"
    report.note(
        f"{server.name} by {found.way}: self {own} of {own.whose}; total, "
        f"beside {best}, {total} of {total.whose}; threads "
        f"{ours.thread_difference(used):.2f} points from the kernel's figures; "
        f"of ours {ours.most_cut()}")


# ---- all of them ----


def run_server(report, name, rounds, folder):
    began = time.monotonic()
    server = SERVERS[name](folder)
    server.name = name
    found = {way: Found(name, way) for way in (*ways(), PERF)}
    report.found += found.values()
    everywhere = os.sched_getaffinity(0)
    try:
        server.begin()
        with apart(server):
            measure(report, server, found, rounds, folder)
        for way, one in found.items():
            if way != PERF:
                with noting(report, f"{name} by {way}, shares"):
                    find(report, server, one, folder)
    finally:
        os.sched_setaffinity(0, everywhere)
        said = server.end()
        plain = [ns for one in found.values() for costs in one.costs.values()
                 for ns in costs.without_ns]
        if plain:
            report.note(
                f"{name}: {sorted(plain)[len(plain) // 2] / 1e3:.1f} us of CPU "
                f"time a request without a watcher; {said or 'no failure'}; "
                f"{time.monotonic() - began:.0f} s in all")


def run_servers(report, rounds):
    wanted = os.environ.get("BENCH_SERVERS", ",".join(SERVERS)).split(",")
    for name in wanted:
        if name not in SERVERS:
            report.note(f"{name}: no such server; {', '.join(SERVERS)}")
            continue
        lacking = missing(*SERVERS[name].needs)
        if lacking:
            report.note(f"{name}: not measured, missing: {' '.join(lacking)}")
            continue
        print(f"{name} ...", file=sys.stderr, flush=True)
        with tempfile.TemporaryDirectory(
                prefix="watchfire-bench-", ignore_cleanup_errors=True
        ) as folder:
            try:
                with noting(report, name), bounded(SERVER_SECONDS):
                    run_server(report, name, rounds, Path(folder))
            except Overdue:
                pass  # it is told, and the next one begins
            finally:
                report.keep()


def interrupt(*_):
    raise KeyboardInterrupt


def run(rounds):
    BUILT.mkdir(parents=True, exist_ok=True)
    report = Report()
    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        run_servers(report, rounds)
    except KeyboardInterrupt:
        report.note("interrupted")
        report.keep()
    finally:
        signal.signal(signal.SIGTERM, before)
    print(report.text(), flush=True)
    for one in (*report.found, *of_all(report.found)):
        for rate in (HIGH, LOW):
            yield row(f"{one.server} by {one.way} at {rate} Hz, a request",
                      one.cost(rate), "", None,
                      BUDGETS[rate] if one.way != PERF else "")
