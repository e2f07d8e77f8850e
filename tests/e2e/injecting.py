"""What the tests of record -p --via inject share.

Perf events are refused to the command in all of it, as in a container.
"""

import os
import re
import signal
import subprocess
from pathlib import Path

import lab


def command(output, pid, *options):
    return (
        lab.program("refuse_perf"), lab.WATCHFIRE, "record", *lab.AT_ANY_COST,
        "--via", "inject", "-o", output, *options, "-p", pid)


def inject(output, pid, *options):
    """Attach for a while; the summary."""
    result = lab.run(*command(output, pid, *options))
    assert result.returncode == 0, result.stderr
    last, remarks = lab.summary_and_remarks(result.stderr)
    assert "by CPU-clock timers" in last
    assert any("was held for" in line for line in remarks), remarks
    return result.stderr


def end_when_used(words, pid, seconds, used=None, status=0):
    """Attach by that command, for as long as the program takes to use so much
    CPU time; its stderr."""
    used = used or (lambda: used_ns(pid))
    watcher = lab.start(*words, stderr=subprocess.PIPE)
    in_it(pid)
    until_ns = used() + seconds * 1e9
    assert lab.wait_until(lambda: used() > until_ns)
    watcher.send_signal(signal.SIGINT)
    _, err = watcher.communicate(timeout=lab.PATIENCE)
    assert watcher.returncode == status, err
    return err


def inject_until_used(output, pid, seconds):
    end_when_used(command(output, pid), pid, seconds)


def used_ns(pid):
    """By the threads of the program."""
    used = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        words = Traces.read(task / "schedstat").split()
        if words and "watchfire" not in Traces.read(task / "comm"):
            used += int(words[0])
    return used


def in_it(pid):
    """The folder of the agent's thread, once it samples."""
    found = []

    def is_there():
        found[:] = [
            task for task in Path(f"/proc/{pid}/task").iterdir()
            if Traces.read(task / "comm") == "watchfire\n"]
        return found and Path(f"/proc/{pid}/timers").read_text() != ""

    assert lab.wait_until(is_there)
    return found[0]


def said_at_its_end(process):
    out, _ = process.communicate(timeout=lab.PATIENCE)
    assert process.returncode == 0
    return out


class Traces:
    """What an agent could leave in a process. The threads' stacks that the
    program's libc keeps for later come and go by themselves."""

    def __init__(self, pid):
        folder = Path(f"/proc/{pid}")
        status = (folder / "status").read_text()
        self.maps = [
            line for line in (folder / "maps").read_text().splitlines()
            if line.split()[1][2] == "x" or "watchfire" in line]
        self.signals = re.findall(r"(?:SigIgn|SigCgt):\t(\w+)", status)
        blocked = (
            re.search(r"SigBlk:\t(\w+)", self.read(task / "status"))
            for task in (folder / "task").iterdir()
            if "lively" in self.read(task / "comm"))
        # None of a thread that has ended between the two.
        self.masks = sorted(found[1] for found in blocked if found)[:1]
        self.names = {
            self.read(task / "comm") for task in (folder / "task").iterdir()}
        self.names -= {""}
        self.timers = (folder / "timers").read_text()
        self.files = sorted(self.open_files(folder / "fd"))

    @staticmethod
    def open_files(folder):
        for entry in folder.iterdir():
            try:
                yield entry.name, os.readlink(entry)
            except FileNotFoundError:
                pass  # closed meanwhile, as a library that was just opened

    @staticmethod
    def read(path):
        try:
            return path.read_text()
        except OSError:
            return ""  # the thread is gone

    def __eq__(self, other):
        return vars(self) == vars(other)

    def __repr__(self):
        return str(vars(self))


def memory_kib(pid, what):
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(rf"{what}:\s+(\d+) kB", status)[1])


def without_libraries(traces):
    """Code that is of no file."""
    return [line for line in traces.maps
            if len(line.split()) == 5 or "watchfire" in line]


def is_a_page(line):
    begin, end = (int(word, 16) for word in line.split()[0].split("-"))
    return end - begin == 4096 and line.split()[1] == "r-xp"


def inner_process(unshare):
    """Its child, once that runs the program `lively`."""
    children = Path(f"/proc/{unshare.pid}/task/{unshare.pid}/children")
    found = []

    def runs():
        found[:] = [
            int(pid) for pid in children.read_text().split()
            if lab.is_in_call(pid, *lab.READS_INPUT)]
        return found

    assert lab.wait_until(runs)
    return found[0]


def thread_named(pid, name):
    """Of `lively`, which has begun."""
    return next(
        task for task in Path(f"/proc/{pid}/task").iterdir()
        if Traces.read(task / "comm") == f"{name}\n")


def unfiltered(output, pid, *options):
    """As root, who may read the filter of another process."""
    return command(output, pid, *options)[1:]


def refusal(output, pid):
    result = lab.run(*command(output, pid, "-d", 1))
    assert result.returncode == 1
    return lab.only_sentence(result.stderr)
