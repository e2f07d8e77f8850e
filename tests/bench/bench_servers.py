"""Servers under load, watched from the moment they serve.

What a request costs them beside the same without a watcher, in turns, at two
rates; what the clients saw; and whether the stacks and the shares of functions
are those that perf finds in the same seconds, and those of threads what the
kernel says they used.
"""

import math
import os
import re
import signal
import subprocess
import tempfile
import time
from collections import Counter
from pathlib import Path

from bench_accuracy import is_first
from servers import BUILT, SERVERS, missing
from workloads import WATCHFIRE, median, row

# At the highest there is most to see; what 99 Hz cost is told from there too.
RATES = {99: "0.5 %", 997: "3 %", 4999: ""}
HIGHEST = max(RATES)
WINDOW_SECONDS, SHARES_SECONDS = 1, 15
BEGUN_SECONDS = 0.7  # until a watcher watches
TOP_FUNCTIONS = 20

# Where threads begin, beside what bench_accuracy knows of glibc's.
FIRST_FUNCTIONS = {
    "_start_c", "__libc_start_main", "start", "runtime.goexit.abi0",
    "runtime.goexit", "runtime.mstart.abi0", "runtime.mstart",
    "runtime.rt0_go.abi0", "_rt0_amd64_linux", "ret_from_fork_asm",
    # Where Go's own tracebacks end: a thread's first function, and what leaves
    # a goroutine for the scheduler, with a frame pointer of zero.
    "runtime.clone.abi0", "runtime.mcall",
    "ret_from_fork", "thread_native_entry",
}

# Where a thread is switched to, its clocks are armed one after the other, which
# takes microseconds in a virtual machine; those that run out meanwhile are seen
# at its end: how many, depends on who else watches (5 to 31 % of redis). They
# are left out of the shares of all others.
#
# And perf is asked to sample processors, whose clocks are armed for good. On
# threads, what would run out within 10 us of a switch does so later, so that
# what a server does first has too little (kernel/events/core.c,
# perf_swevent_start_hrtimer). Of redis, with all stacks complete on both sides,
# our totals were 2.0 points from those of perf -p, with 11 to 14 % in that
# function against our 7 to 8; and 1.1 from those of perf -a, with 7 as well.
# Where a way in sees no kernel, epoll_wait() had 23 % by perf -p instead of 14.
ARMING = "finish_task_switch.isra.0 ([kernel.kallsyms])"


def ways():
    """Those that this watchfire has."""
    words = subprocess.run(
        [WATCHFIRE, "record", "--help"], capture_output=True, text=True
    ).stdout
    return [way for way in ("perf", "inject", "ptrace")
            if re.search(rf"\b{way}\b", words)]


def watchfire(way):
    """At the rate that is asked for: the governor would lower it. By perf
    events a process's children are found, else they have to be named."""
    bound = ("--max-overhead", 90) if way == "inject" else ()
    return lambda server, rate, output: [
        WATCHFIRE, "record", "-F", rate, *bound, "--via", way, "-o", output,
        "-p", server.pid if way == "perf" else pids(server)]


def pids(server):
    return ",".join(map(str, server.pids()))


def perf(*graph):
    """perf takes no children that are there already, if not told of them."""
    return lambda server, rate, output: [
        "perf", "record", "-q", "-e", "cpu-clock", "-F", rate, *graph, "-o",
        output, "-p", pids(server)]


def perf_of_processors(*graph):
    return lambda server, rate, output: [
        "perf", "record", "-q", "-a", "-e", "cpu-clock", "-F", rate, *graph,
        "-o", output]


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


class Watcher:
    """A profiler beside a server, until it is ended."""

    def __init__(self, command):
        self.process = subprocess.Popen(
            [str(word) for word in command], stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        time.sleep(BEGUN_SECONDS)

    def end(self):
        """What it says when it fails; an empty text: it does not."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        said = self.process.communicate()[1]
        # perf ends by the signal it was sent.
        good = (0, -signal.SIGINT)
        return "" if self.process.returncode in good else said.strip()


# ---- what it costs ----


def interval(values):
    """The median, and between which values it lies with 95 %, whatever their
    distribution: the binomial's ranks. Of five and fewer: between which all
    lie."""
    values = sorted(values)
    count, rank, below = len(values), 0, 0.5 ** len(values)
    while count > 5 and below <= 0.025:
        rank += 1
        below += math.comb(count, rank) / 2 ** count
    rank = max(0, rank - 1)
    return median(values), values[rank], values[count - 1 - rank]


def measure(server, watchers, rounds, folder):
    """Loads by watcher and rate, those without a watcher between them."""
    found = {None: []}
    for _ in range(rounds):
        found[None].append(server.load(WINDOW_SECONDS))
        for name, command in list(watchers.items()):
            for rate in RATES:
                watcher = Watcher(command(server, rate, folder / "cost.data"))
                load = server.load(WINDOW_SECONDS)
                load.without = found[None][-1]
                said = watcher.end()
                if said:
                    watchers.pop(name)
                    yield row(f"{server.name} by {name}", "does not apply",
                              said.splitlines()[0])
                    break
                found.setdefault((name, rate), []).append(load)
    found[None].append(server.load(WINDOW_SECONDS))
    yield from judge_costs(server, found)


def judge_costs(server, found):
    quiet = found.pop(None)
    noise = interval(
        [b.cost_ns() / a.cost_ns() - 1 for a, b in zip(quiet, quiet[1:])])
    yield row(f"{server.name} without a watcher",
              f"{median(load.cost_ns() for load in quiet) / 1e3:.1f} us a "
              f"request", f"{noise[0]:+.1%} ({noise[1]:+.1%} to "
              f"{noise[2]:+.1%}) from one to the next")
    for (name, rate), loads in found.items():
        middle, low, high = interval(
            [load.cost_ns() / load.without.cost_ns() - 1 for load in loads])
        yield row(f"{server.name} by {name} at {rate} Hz, a request",
                  f"{middle:+.2%} ({low:+.2%} to {high:+.2%})", "", None,
                  RATES[rate] if not name.startswith("perf ") else "")
        if rate == HIGHEST:
            yield row("", f"at 99 Hz, by that: {middle * 99 / rate:+.3%} "
                      f"({low * 99 / rate:+.3%} to {high * 99 / rate:+.3%})",
                      "", None, RATES[99])
        longest = max(load.longest_ms for load in loads)
        yield row("", f"{sum(load.failed for load in loads)} failed, "
                  f"{sum(load.wrong for load in loads)} wrong, longest "
                  f"{longest:.1f} ms",
                  f"{sum(load.failed for load in quiet)}, "
                  f"{sum(load.wrong for load in quiet)}, "
                  f"{max(load.longest_ms for load in quiet):.1f} ms",
                  None, "0, 0")


# ---- what it finds ----


class Stacks:
    """What perf script says of a recording: shares by function, in percent.

    Without the kernel's functions, its time is that of who called it, as all
    of it is where the way in sees no kernel."""

    def __init__(self, path, has_kernel, pids):
        self.own, self.total, self.threads = Counter(), Counter(), Counter()
        self.squares = 0  # of weights
        self.weight = self.complete = self.all = self.arming = 0
        self.ends = Counter()  # where those end that are not complete
        script = subprocess.run(
            ["perf", "script", "-i", str(path), "--no-inline", "--max-stack",
             "4096", "-F", "comm,tid,period,ip,sym,dso", "--pid", pids],
            capture_output=True, text=True, check=True).stdout
        for block in script.split("\n\n"):
            head, *lines = block.strip("\n").splitlines() or [""]
            frames = [re.match(r"\s+([0-9a-f]+) (.*) \((.*)\)$", line)
                      for line in lines]
            frames = [frame.groups() for frame in frames if frame and (
                has_kernel or "[kernel" not in frame[3])]
            # No sample, but the rest of the account.
            if frames and not re.fullmatch(
                    r"\[(startup|exit|exec|unsampled)\]", frames[-1][1]):
                tid, weight = re.match(r".*?(\d+)\s+(\d+):?\s*$", head).groups()
                self.threads[int(tid)] += int(weight)
                self.add(int(weight), frames)

    def add(self, weight, frames):
        names = [f"{name.split('+0x')[0]} ({Path(module).name})"
                 for _, name, module in frames]
        self.all += weight
        offset, name, module = frames[-1]
        if name in FIRST_FUNCTIONS or is_first(module, int(offset, 16), name):
            self.complete += weight
        else:
            self.ends[names[-1]] += weight
        if names[0] == ARMING:
            self.arming += weight
            return
        self.weight += weight
        self.squares += weight ** 2
        self.own[names[0]] += weight
        for function in set(names):
            self.total[function] += weight

    def share(self, counter, name):
        return 100 * counter[name] / max(1, self.weight)

    def difference(self, other, field):
        """The largest in percentage points, of the most frequent, whose, and
        what chance makes of as many samples."""
        mine, theirs = getattr(self, field), getattr(other, field)
        points, name = max(
            (abs(self.share(mine, name) - other.share(theirs, name)), name)
            for name, _ in theirs.most_common(TOP_FUNCTIONS))
        share = other.share(theirs, name)
        deviation = math.sqrt(share * (100 - share) * sum(
            stacks.squares / max(1, stacks.weight) ** 2
            for stacks in (self, other)))
        return points, f"{name}, by chance {deviation:.1f}"

    def thread_difference(self, used):
        """The largest in points, to what the kernel says of threads."""
        weight, all_used = sum(self.threads.values()), sum(used.values())
        return max(
            abs(100 * self.threads[tid] / max(1, weight)
                - 100 * used[tid] / max(1, all_used)) for tid in used)

    def completeness(self):
        text = f"{self.complete / max(1, self.all):.2%}"
        if self.ends:
            name, count = self.ends.most_common(1)[0]
            text += f" ({count / self.all:.2%} end in {name})"
        return text


def find(server, way, folder):
    """All at once, so that they see the same."""
    has_kernel = way == "perf"
    recorders = {"ours": watchfire(way), "perf fp": perf_of_processors("-g")}
    if has_kernel:
        recorders["perf dwarf"] = perf_of_processors(
            "--call-graph", "dwarf,16384")
    watchers = {name: Watcher(command(server, 997, folder / f"{name}.data"))
                for name, command in recorders.items()}
    before = used_by_thread(server)
    server.load(SHARES_SECONDS)
    used = {tid: ns - before.get(tid, 0)
            for tid, ns in used_by_thread(server).items()}
    server.write_names()
    said = [watcher.end() for watcher in watchers.values()]
    if any(said):
        yield row(f"{server.name} by {way}", "does not apply", " ".join(said))
        return
    stacks = {name: Stacks(folder / f"{name}.data", has_kernel, pids(server))
              for name in recorders}
    yield from compare(f"{server.name} by {way}", stacks, used)


def compare(what, stacks, used):
    ours = stacks.pop("ours")
    for rival, theirs in stacks.items():
        yield row(f"{what}: complete, beside {rival}",
                  ours.completeness(), theirs.completeness())
        yield row(f"{what}: self of finish_task_switch, beside {rival}",
                  f"{ours.arming / max(1, ours.all):.1%}",
                  f"{theirs.arming / max(1, theirs.all):.1%}")
        yield row(f"{what}: threads, beside the kernel's figures, and {rival}",
                  f"{ours.thread_difference(used):.2f} points at most",
                  f"{theirs.thread_difference(used):.2f}", None, "2 points")
        for field, name in (("own", "self"), ("total", "total")):
            points, whose = ours.difference(theirs, field)
            yield row(f"{what}: {name}, beside {rival}",
                      f"{points:.2f} points at most", whose, None, "2 points")


# ---- all of them ----


def run_server(name, rounds, folder):
    server = SERVERS[name](folder)
    server.name = name
    try:
        applicable = ways()
        watchers = {way: watchfire(way) for way in applicable}
        server.pin({0})
        # The clients and whoever watches: a processor of their own.
        everywhere = os.sched_getaffinity(0)
        os.sched_setaffinity(0, everywhere - {0} or everywhere)
        try:
            yield from measure(
                server, {**watchers, "perf -g": perf("-g")}, rounds, folder)
        finally:
            os.sched_setaffinity(0, everywhere)
        server.pin(everywhere)
        for way in applicable:
            yield from find(server, way, folder)
    finally:
        server.end()


def run(rounds):
    BUILT.mkdir(parents=True, exist_ok=True)
    wanted = os.environ.get("BENCH_SERVERS", ",".join(SERVERS)).split(",")
    for name in wanted:
        lacking = missing(*SERVERS[name].needs)
        if lacking:
            yield row(name, "not measured", f"missing: {' '.join(lacking)}")
            continue
        with tempfile.TemporaryDirectory(prefix="watchfire-bench-") as folder:
            yield from run_server(name, rounds, Path(folder))
