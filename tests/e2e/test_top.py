"""watchfire top: the last seconds of a running process, live and once."""

import json
import os
import subprocess
import uuid

import pytest

import lab


@pytest.fixture
def shares():
    process = subprocess.Popen(
        [str(lab.program("shares")), "60"], stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, env=lab.clean_environment())
    tasks = f"/proc/{process.pid}/task"
    assert lab.wait_until(lambda: len(os.listdir(tasks)) == 3)
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
        assert lab.wait_until(is_there, seconds=20), (wanted, self.seen)
        return self.seen

    def keys(self, *keys):
        self.tmux("send-keys", *keys)


def test_once_for_a_script(shares):
    result = lab.run(lab.WATCHFIRE, "top", "-p", shares.pid, "--once",
                     "--window", "1.5s", "--json", "-F", 499)
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    report = json.loads(result.stdout)
    functions = {row["name"]: row for row in report["functions"]}
    assert functions["run_thread"]["total"] > 0.9 * report["total"] > 0
    assert functions["fold"]["self"] > 0
    assert report["value"]["name"] == "cpu"


def test_once_where_perf_events_are_refused(shares):
    result = lab.run(lab.program("refuse_perf"), lab.WATCHFIRE, "top", "-p",
                     shares.pid, "--once", "--window", "1.5s", "--json",
                     "-F", 250)
    assert result.returncode == 0, result.stderr
    report = json.loads(result.stdout)
    functions = {row["name"]: row for row in report["functions"]}
    assert functions["run_thread"]["total"] > 0.9 * report["total"] > 0


def test_live_where_perf_events_are_refused(shares):
    with Terminal(lab.program("refuse_perf"), lab.WATCHFIRE, "top", "-p",
                  shares.pid) as terminal:
        terminal.shows("by stopping its threads")
        terminal.shows("run_thread")
        terminal.keys("q")


def test_once_for_a_person(shares):
    result = lab.run(lab.WATCHFIRE, "top", "-p", "shares", "--once",
                     "--window", "1s")
    assert result.returncode == 0, result.stderr
    assert f"shares, process {shares.pid}" in result.stdout
    assert "run_thread" in result.stdout


def test_once_ends_with_the_process():
    with subprocess.Popen([str(lab.program("spin")), "0.5"],
                          stdout=subprocess.DEVNULL) as process:
        result = lab.run(lab.WATCHFIRE, "top", "-p", process.pid, "--once",
                         "--window", "1h")
        assert result.returncode == 0, result.stderr
        assert "spin" in result.stdout


def test_live(shares, tmp_path):
    status = tmp_path / "status"
    with Terminal(lab.WATCHFIRE, "top", "-p", shares.pid,
                  status=status) as terminal:
        terminal.shows(f"shares, process {shares.pid}")
        terminal.shows("stir")
        assert "% of a CPU" in terminal.seen
        terminal.keys("s")
        first = terminal.shows("100.00 % run_thread").splitlines()[4]
        assert "run_thread" in first
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
        terminal.keys("t")
        terminal.shows("CPU  thread")
        tids = os.listdir(f"/proc/{shares.pid}/task")
        for tid in tids:
            terminal.shows(tid)
        terminal.keys("Down", "Enter")
        terminal.shows(" of shares, process")
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
        (("-p", 2, "--once"), 1, "kernel"),
    )
    for words, status, reason in cases:
        result = lab.run(lab.WATCHFIRE, "top", *words)
        assert result.returncode == status, (words, result.stderr)
        assert reason in lab.only_sentence(result.stderr)
        assert result.stdout == ""
