"""What profilers found of a server in the same seconds: the shares of functions
and threads, and how many stacks reach the thread's first frame.
"""

import math
import re
import subprocess
from collections import Counter
from pathlib import Path

from bench_accuracy import is_first

TOP_FUNCTIONS = 20
PATIENCE = 200

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


class Difference:
    """In percentage points: of what function, and the standard deviation that
    chance has with as many samples."""

    def __init__(self, points, chance, whose):
        self.points, self.chance, self.whose = points, chance, whose

    def __str__(self):
        return f"{self.points:.1f} ({self.chance:.1f})"


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
            capture_output=True, text=True, errors="replace",
            timeout=PATIENCE).stdout
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
        if self.weight == 0:
            raise RuntimeError(f"{path.name}: no samples")

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
        """The largest of the most frequent."""
        mine, theirs = getattr(self, field), getattr(other, field)
        names = [name for name in theirs if not name.startswith("[unknown]")]
        names.sort(key=theirs.get, reverse=True)
        points, name = max(
            (abs(self.share(mine, name) - other.share(theirs, name)), name)
            for name in names[:TOP_FUNCTIONS])
        share = other.share(theirs, name)
        chance = math.sqrt(share * (100 - share) * sum(
            stacks.squares / max(1, stacks.weight) ** 2
            for stacks in (self, other)))
        return Difference(points, chance, name)

    def thread_difference(self, used):
        """The largest in points, to what the kernel says of threads."""
        weight, all_used = sum(self.threads.values()), sum(used.values())
        return max(
            abs(100 * self.threads[tid] / max(1, weight)
                - 100 * used[tid] / max(1, all_used)) for tid in used)

    def completeness(self):
        return 100 * self.complete / max(1, self.all)

    def most_cut(self):
        """Where most of those end that are not complete."""
        if not self.ends:
            return "none"
        name, weight = self.ends.most_common(1)[0]
        return f"{100 * weight / self.all:.2f} % end in {name}"
