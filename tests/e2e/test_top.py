"""watchfire top: the last seconds of a running process, live and once."""

import json
import os
import re
import shutil
import subprocess
import uuid

import pytest

import lab


# Of this run alone: others may run `shares` beside us.
NAME = f"shares-{os.getpid()}"


@pytest.fixture
def shares(tmp_path):
    shutil.copy(lab.program("shares"), tmp_path / NAME)
    process = subprocess.Popen(
        [tmp_path / NAME, "600"], stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, env=lab.clean_environment())
    lab.await_work(process.pid, 3)
    yield process
    lab.end(process)


class Terminal:
    """The command in a terminal of its own, by tmux."""

    def __init__(self, *command, columns=100, lines=24, status=None):
        self.socket = f"watchfire-{uuid.uuid4()}"
        words = " ".join(f"'{word}'" for word in command)
        if status is not None:
            words += f"; echo $? > {status}"
        self.tmux("-f", "/dev/null", "new-session", "-d", "-x", columns, "-y",
                  lines, words)

    def tmux(self, *words):
        return lab.run(lab.tool("tmux"), "-L", self.socket, *words)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.tmux("kill-server")

    def lines(self):
        return self.tmux("capture-pane", "-p").stdout.splitlines()

    def shows(self, wanted):
        def is_there():
            self.seen = "\n".join(self.lines())
            return wanted in self.seen
        assert lab.wait_until(is_there), (wanted, self.seen)
        return self.seen

    def first_row(self):
        """Self, total, and function."""
        row = re.match(r" *([\d.]+) % +([\d.]+) % (\S+)",
                       (self.lines() + [""] * 5)[4])
        return row and (float(row[1]), float(row[2]), row[3])

    def keys(self, *keys):
        self.tmux("send-keys", *keys)


def seen_in_threads(report):
    """Of what was seen; a busy machine leaves some that was not."""
    totals = {row["name"]: row["total"] for row in report["functions"]}
    return totals["run_thread"] / (
        report["total"] - totals.get("[unsampled]", 0))


def test_once_for_a_script(shares):
    result = lab.run(lab.WATCHFIRE, "top", "-p", shares.pid, "--once",
                     "--window", "1.5s", "--json", "-F", 499)
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    report = json.loads(result.stdout)
    functions = {row["name"]: row for row in report["functions"]}
    assert seen_in_threads(report) > 0.9
    assert functions["fold"]["self"] > 0
    assert report["value"]["name"] == "cpu"


def test_once_where_perf_events_are_refused(shares):
    result = lab.run(lab.program("refuse_perf"), lab.WATCHFIRE, "top", "-p",
                     shares.pid, "--once", "--window", "1.5s", "--json",
                     "-F", 250)
    assert result.returncode == 0, result.stderr
    assert seen_in_threads(json.loads(result.stdout)) > 0.9


def test_live_where_perf_events_are_refused(shares):
    with Terminal(lab.program("refuse_perf"), lab.WATCHFIRE, "top", "-p",
                  shares.pid) as terminal:
        terminal.shows("by stopping its threads")
        terminal.shows("run_thread")
        terminal.keys("q")


def test_once_for_a_person(shares):
    result = lab.run(lab.WATCHFIRE, "top", "-p", NAME, "--once",
                     "--window", "1s")
    assert result.returncode == 0, result.stderr
    assert f"{NAME}, process {shares.pid}" in result.stdout
    assert "run_thread" in result.stdout


def test_once_ends_with_the_process(target):
    process = target(lab.program("spin"), 600)
    top = target(lab.WATCHFIRE, "top", "-p", process.pid, "--once",
                 "--window", "1h")
    lab.await_call(top.pid, *lab.POLLS)  # for samples, all set
    lab.await_use(process.pid, 0.3)
    lab.end(process)
    out, _ = top.communicate(timeout=lab.PATIENCE)
    assert top.returncode == 0
    assert "stir" in out


def test_live(shares, tmp_path):
    status = tmp_path / "status"
    with Terminal(lab.WATCHFIRE, "top", "-p", shares.pid,
                  status=status) as terminal:
        terminal.shows(f"{NAME}, process {shares.pid}")
        terminal.shows("stir")
        assert "% of a CPU" in terminal.seen
        terminal.keys("s")

        def is_sorted_by_total():
            row = terminal.first_row()
            return row and row[2] == "run_thread" and row[1] > 90 > row[0]

        assert lab.wait_until(is_sorted_by_total), terminal.lines()
        terminal.keys("h")
        terminal.shows("quit")
        terminal.keys("h")
        terminal.keys("/", "r", "u", "n", "_", "Enter")
        terminal.shows("filter: run_")
        assert lab.wait_until(
            lambda: all("run_" in line
                        for line in terminal.lines()[4:] if line.strip()))
        terminal.keys("p")
        terminal.shows("paused")
        terminal.keys("p")
        terminal.keys("/", "Escape")
        terminal.shows("q quit")  # or the next key might be taken for Alt
        terminal.keys("t")
        terminal.shows("CPU  thread")
        tids = os.listdir(f"/proc/{shares.pid}/task")
        for tid in tids:
            terminal.shows(tid)
        terminal.keys("Down", "Enter")
        terminal.shows(f" of {NAME}, process")
        assert any(f"thread {tid} of" in terminal.seen for tid in tids)
        terminal.keys("a")
        lab.end(shares)
        terminal.shows("ended")
        terminal.keys("q")
        assert lab.wait_until(lambda: status.exists() and status.read_text())
    assert status.read_text() == "0\n"


def test_a_narrow_terminal(shares):
    with Terminal(lab.WATCHFIRE, "top", "-p", shares.pid, columns=24,
                  lines=6) as terminal:
        terminal.shows("% of a CPU")
        terminal.shows("%")
        assert all(len(line) <= 24 for line in terminal.lines())
        assert len(terminal.lines()) <= 6
        terminal.tmux("resize-window", "-x", 10, "-y", 3)
        terminal.keys("s", "t", "Down", "a", "h", "h")
        terminal.tmux("resize-window", "-x", 120, "-y", 30)
        terminal.shows("run_thread")
        terminal.keys("q")


def test_refusals():
    cases = (
        ((), 2, "-p PID"),
        (("-p", "1", "--json"), 2, "--once"),
        (("-p", os.getpid(), "-F", "0"), 2, "20000"),
        (("-p", os.getpid(), "--window", "x"), 2, "time"),
        (("-p", os.getpid()), 2, "--once"),  # no terminal
        (("-p", "nobody-is-called-so"), 2, "no process"),
        (("-p", lab.kernel_thread(), "--once"), 1, "kernel"),
    )
    for words, status, reason in cases:
        result = lab.run(lab.WATCHFIRE, "top", *words)
        assert result.returncode == status, (words, result.stderr)
        assert reason in lab.only_sentence(result.stderr)
        assert result.stdout == ""
