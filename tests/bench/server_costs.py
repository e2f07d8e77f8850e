"""What a request costs a server that is watched, beside the same not watched.

The client asks without a pause, and a watcher comes and goes many times. Each
time, what a request took just before and just after it came makes a pair, and
just before and just after it went another: two windows of a second or less,
next to each other, so that what changes slowly (the machine, a heap, a table)
is in both, and with one sign in the one pair and the other in the next. No
window is in two pairs.

Of the pairs' ratios it is told around which value they lie evenly (Hodges and
Lehmann: the median of the means of all two), and the interval that has it with
95 %, by Wilcoxon's signed ranks: nearly as narrow as a t interval where there
is only chance, and indifferent to a window in which the machine did something
else.
"""

import math
import os
import signal
import subprocess
import time
from contextlib import contextmanager
from statistics import median

from servers import pin

WINDOW_SECONDS = 0.75
# Until a watcher watches; an agent comes to children one after the other.
BEGUN_SECONDS, BEGUN_INSIDE_SECONDS = 0.7, 1.5
PATIENCE = 60


class Refused(Exception):
    """What a watcher said that could not watch."""


class NothingAnswered(Exception):
    """In a window: the machine had no time for the server."""


class Watcher:
    """A profiler beside a server, until it is ended."""

    def __init__(self, command):
        self.process = subprocess.Popen(
            [str(word) for word in command], stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
            start_new_session=True)  # Ctrl-C is for us
        try:
            time.sleep(
                BEGUN_INSIDE_SECONDS if "inject" in command else BEGUN_SECONDS)
        except BaseException:
            self.kill()
            raise

    def end(self):
        """What it says."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        try:
            said = self.process.communicate(timeout=PATIENCE)[1].strip()
        except BaseException:
            self.kill()
            raise
        # perf ends by the signal it was sent.
        if self.process.returncode not in (0, -signal.SIGINT):
            raise Refused(said or f"status {self.process.returncode}")
        return said

    def kill(self):
        """Where it did not end: not after a signal that it may have taken."""
        self.process.kill()
        self.process.communicate()


class Mark:
    """A moment: its time, what the server has used, and how many requests were
    answered by then."""

    def __init__(self, server):
        self.at = time.time()
        self.used_ns = server.used_ns()
        self.finished = server.client.finished(self.at)

    def cost_ns(self, begin):
        """Of each request since then."""
        count = self.finished - begin.finished
        if count <= 0:
            raise NothingAnswered("for as long as a window")
        return (self.used_ns - begin.used_ns) / count


def windows(server, count):
    """What a request costs in each, one after the other."""
    marks = [Mark(server)]
    for _ in range(count):
        time.sleep(WINDOW_SECONDS)
        marks.append(Mark(server))
    return [end.cost_ns(begin) for begin, end in zip(marks, marks[1:])]


class Costs:
    """Of one watcher at one rate."""

    def __init__(self):
        self.ratios = []  # of pairs, as logarithms
        self.without_ns = []
        self.failed = self.wrong = 0
        self.longest_ms = self.longest_without_ms = 0.0
        self.said = []

    def measure(self, server, command):
        """The watcher comes and goes; command() is made when it comes, of the
        processes that there are."""
        begin, bad = time.time(), server.client.bad()
        (before_ns,) = windows(server, 1)
        came = time.time()
        watcher = Watcher(command())
        try:
            first_ns, last_ns = windows(server, 2)
        finally:
            said = watcher.end()
        gone = time.time()
        (after_ns,) = windows(server, 1)
        self.ratios += [math.log(first_ns / before_ns),
                        math.log(last_ns / after_ns)]
        self.without_ns += [before_ns, after_ns]
        self.said.append(said)
        self.look_at_waits(server.client, begin, came, gone, time.time())
        failed, wrong = server.client.bad()
        self.failed += failed - bad[0]
        self.wrong += wrong - bad[1]

    def look_at_waits(self, client, begin, came, gone, end):
        self.longest_ms = max(self.longest_ms, client.longest_ms(came, gone))
        self.longest_without_ms = max(
            self.longest_without_ms, client.longest_ms(begin, came),
            client.longest_ms(gone, end))

    def interval(self):
        return interval(self.ratios)


def interval(ratios):
    """What they are in the middle, and from where to where that is by 95 %: of
    fewer than six, from where to where they are."""
    count = len(ratios)
    means = sorted((a + b) / 2 for i, a in enumerate(ratios)
                   for b in ratios[i:])
    rank = int(count * (count + 1) / 4 - 1.96 * math.sqrt(
        count * (count + 1) * (2 * count + 1) / 24)) if count >= 6 else 0
    return [math.expm1(value) for value in (
        median(means), means[rank], means[-1 - rank])]


def as_text(values, digits=1):
    middle, low, high = (f"{100 * value:+.{digits}f}" for value in values)
    return f"{middle} % ({low} to {high})"


@contextmanager
def apart(server):
    """The server on one processor, its client and whoever watches on others."""
    everywhere = os.sched_getaffinity(0)
    others = everywhere - {min(everywhere)} or everywhere
    server.pin({min(everywhere)})
    pin(server.client.pids(), others)
    os.sched_setaffinity(0, others)
    try:
        yield
    finally:
        os.sched_setaffinity(0, everywhere)
    server.pin(everywhere)
    pin(server.client.pids(), everywhere)
