"""Processes begin, become others and end as they do without us."""

import os
import pty
import re
import select
import time

import pytest

import host
import lab

# What others exec, and what is too long for every way.
NOT_ALONE = {"hello", "pending", "started_closed", "exec_chain", "exec_chains"}
NEED_ROOT = {"drop_privileges", "in_a_chroot", "in_other_namespaces"}
CASES = [case for case in host.cases("host_processes")
         if case not in NOT_ALONE]


@pytest.mark.parametrize("way", host.WAYS)
@pytest.mark.parametrize("case", CASES)
def test_processes(tmp_path, way, case):
    if case in NEED_ROOT:
        lab.need_root()
    watched = host.alike(tmp_path, way, lab.program("host_processes"), case)
    assert host.has_samples(watched)


def test_a_process_has_timers_under_pids_of_its_own(tmp_path):
    """/proc lists its thread by a number that is not its own."""
    lab.need_root()
    output = tmp_path / "x.folded"
    result = lab.run(
        lab.WATCHFIRE, "record", "--clock", "timer", *lab.AT_ANY_COST, "-o",
        output, "--", lab.tool("unshare"), "--pid", "--fork",
        lab.program("spin"), 0.6)
    assert result.returncode == 0, result.stderr
    weights = lab.Folded(output).of_program("spin").inclusive()
    assert weights["spin"] > 0.9 * int(result.stdout)


def test_no_chain_of_execs_dies_at_10_khz(tmp_path):
    watched = host.alike(tmp_path, "record", lab.program("host_processes"),
                         "exec_chains", frequency=10000,
                         timeout=5 * lab.PATIENCE)
    assert watched.result.stdout == "100 chains whole\n"


@pytest.mark.parametrize("way", host.WAYS)
@pytest.mark.parametrize("closed", ("0<&-", "0<&- 2>&-", "2>&-"))
def test_closed_streams_stay_closed(tmp_path, way, closed):
    command = f"exec {lab.program('host_processes')} started_closed {closed}"
    host.alike(tmp_path, way, "sh", "-c", command)


@pytest.mark.parametrize("way", ("record", "preload"))
def test_the_environment_is_what_was_set(tmp_path, way):
    """Beside the variables by which agents find the collector."""
    watched = host.watch(tmp_path, way, "sh", "-c", "exec env")
    names = {line.split("=")[0] for line in watched.result.stdout.splitlines()}
    plain = lab.run("sh", "-c", "exec env").stdout.splitlines()
    assert names - {line.split("=")[0] for line in plain} <= {
        "LD_PRELOAD", "WATCHFIRE_SESSION", "WATCHFIRE_OUTPUT",
        "WATCHFIRE_FREQUENCY", "WATCHFIRE_MAX_OVERHEAD"}


# ---- terminals ----

class Terminal:
    """An interactive shell on a terminal of its own."""

    def __init__(self):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execve("/bin/bash", ["bash", "--norc", "--noprofile", "-i"],
                      lab.clean_environment(PS1="ready> ", TERM="dumb"))
        self.text = ""
        self.until("ready> ")

    def until(self, pattern):
        """Read until it appears; what came before is forgotten."""
        end = time.monotonic() + lab.PATIENCE
        while not re.search(pattern, self.text):
            assert time.monotonic() < end, self.text
            if select.select([self.fd], [], [], 1)[0]:
                self.text += os.read(self.fd, 4096).decode()
        match = re.search(pattern, self.text)
        seen, self.text = self.text[:match.end()], self.text[match.end():]
        return seen

    def until_it_is_left_to_another(self):
        """A key that interrupts would be the shell's before."""
        assert lab.wait_until(lambda: os.tcgetpgrp(self.fd) != self.pid)

    def type(self, text):
        os.write(self.fd, text.encode())

    def end(self):
        """It hangs up, which ends jobs as well that a failure has left."""
        os.close(self.fd)
        os.waitpid(self.pid, 0)


LOOP = ("python3 -c \"import sys\n"
        "print('beg' + 'un', flush=True)\n"
        "while True: sum(range(1000))\"")


def stop_continue_interrupt(prefix):
    terminal = Terminal()
    seen = []
    try:
        terminal.type(f"{prefix}{LOOP}\n")
        terminal.until("begun")
        terminal.type("\x1a")
        seen.append("Stopped" in terminal.until("ready> "))
        terminal.type("jobs -l\n")
        seen.append("Stopped" in terminal.until("ready> "))
        terminal.type("fg\n")
        terminal.until_it_is_left_to_another()
        terminal.type("\x03")
        seen.append("KeyboardInterrupt" in terminal.until("ready> "))
        terminal.type("echo status $?\n")
        seen.append(re.search(r"status (\d+)", terminal.until(r"status \d+\r"))[1])
    finally:
        terminal.end()
    return seen


def test_stopped_and_continued_on_a_terminal(tmp_path):
    path = tmp_path / "x.folded"
    plain = stop_continue_interrupt("")
    assert plain[:3] == [True, True, True]
    watched = stop_continue_interrupt(f"{lab.WATCHFIRE} record -o {path} -- ")
    assert watched == plain
    assert lab.Folded(path).total() > 0
