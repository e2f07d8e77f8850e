"""record -p --via inject: whatever happens meanwhile, nothing stays."""

import json
import os
import random
import signal
import subprocess
import time
from pathlib import Path

import lab
from injecting import (
    Traces, command, end_when_used, in_it, inject, inject_until_used, is_a_page,
    memory_kib, refusal, said_at_its_end, without_libraries)

CYCLES = int(os.environ.get("TESTS_INJECT_CYCLES", 4))


def test_nothing_stays_however_often(tmp_path, target):
    process = lab.lively(target)
    before = Traces(process.pid)
    inject(tmp_path / "x.folded", process.pid, "-d", 0.1)
    first_kib = memory_kib(process.pid, "VmData")
    for _ in range(CYCLES):
        inject(tmp_path / "x.folded", process.pid, "-d", 0.1)
        after = Traces(process.pid)
        assert "watchfire\n" not in after.names
        assert after == before
    # Our last scratch is gone; malloc's arenas of passing threads are not ours.
    assert memory_kib(process.pid, "VmData") <= first_kib + 512
    process.stdin.close()
    process.stdin = None
    assert said_at_its_end(process) == "waiting 0, early 0\n"


def storm(target):
    """Once all of it is at work, and has as much memory as it will have."""
    process = target(lab.program("storm"))
    lab.await_call(process.pid, *lab.READS_INPUT)
    lab.await_use(process.pid, 0.5)
    return process


def quiet_end(process):
    """Of storm, which has looked at all it did."""
    process.stdin.close()
    process.stdin = None
    assert said_at_its_end(process) == "errors 0\n"


def test_a_storm_goes_on(tmp_path, target):
    """Loader, allocator, restartable sequences, forks, setgid(): no moment is
    a good one."""
    process = storm(target)
    before = Traces(process.pid)
    for cycle in range(CYCLES):
        said = inject(tmp_path / "x.folded", process.pid, "-d", 0.1)
        # A thread that ends before it gets its timer has lost nothing.
        assert "got no timer" not in said
        after = Traces(process.pid)
        assert after.names == before.names
        assert after.signals == before.signals
        assert after.timers == "" and without_libraries(after) == []
        if cycle == 0:
            first_kib = memory_kib(process.pid, "VmData")
    # What malloc and dead threads' stacks come to is not ours.
    assert memory_kib(process.pid, "VmData") <= first_kib + 8192
    assert len(after.files) <= len(before.files) + 2  # a library just opened
    quiet_end(process)


def test_a_command_killed_at_any_moment_leaves_no_harm(tmp_path, target):
    process = storm(target)
    before = Traces(process.pid)
    for cycle in range(max(CYCLES // 2, 3)):
        watcher = lab.start(
            *command(tmp_path / "x.folded", process.pid, "-d", 0.1),
            stderr=subprocess.DEVNULL)
        time.sleep(random.random() * 0.3)
        lab.end(watcher)
        watcher.stdin.close()
        watcher.stdout.close()
        assert process.poll() is None

    # The next one gets in when the last one's agent has seen that nobody is
    # there, and takes along what that left.
    def gets_in():
        result = lab.run(
            *command(tmp_path / "x.folded", process.pid, "-d", 0.1))
        assert result.returncode == 0 or "watched already" in result.stderr
        return result.returncode == 0

    assert lab.wait_until(gets_in)
    after = Traces(process.pid)
    assert after.names == before.names
    assert after.signals == before.signals
    assert after.timers == "" and without_libraries(after) == []
    quiet_end(process)


def test_two_at_once_are_one_and_a_refusal(tmp_path, target):
    process = storm(target)
    before = Traces(process.pid)
    watchers = [
        lab.start(*command(tmp_path / f"{i}.folded", process.pid, "-d", 1),
                  stderr=subprocess.PIPE)
        for i in range(3)]
    said = [watcher.communicate(timeout=lab.PATIENCE)[1] for watcher in watchers]
    codes = [watcher.returncode for watcher in watchers]
    assert 0 in codes, said
    for code, words in zip(codes, said):
        assert code == 0 or "watched already" in words, words
    after = Traces(process.pid)
    assert after.signals == before.signals
    assert after.timers == "" and without_libraries(after) == []
    quiet_end(process)


def test_no_wait_is_cut_short(tmp_path, target):
    process = target(lab.program("waits"), 3)
    output, seen = tmp_path / "x.folded", 0
    while process.poll() is None:
        result = lab.run(*command(output, process.pid, "-d", 0.2))
        # A slow machine attaches less often, and may come too late: to who is
        # at its end, and will soon have ended.
        if result.returncode != 0:
            assert "ended" in result.stderr, result.stderr
        else:
            seen += lab.Folded(output).inclusive()["run_waiter"]
    counted = json.loads(said_at_its_end(process))
    assert seen > 0
    lab.assert_waits_were_whole(counted)


def test_a_killed_command_leaves_a_process_that_is_clean_again(
        tmp_path, target):
    """At four moments, from the injection on; then all are waited for."""
    moments = (0.01, 0.04, 0.1, 0.4)
    processes = [lab.lively(target) for _ in moments]
    before = [Traces(process.pid) for process in processes]
    for i, (process, moment) in enumerate(zip(processes, moments)):
        watcher = lab.start(
            *command(tmp_path / f"{i}.folded", process.pid),
            stderr=subprocess.DEVNULL)
        time.sleep(moment)
        lab.end(watcher)
        watcher.stdin.close()
        watcher.stdout.close()
    for process, was in zip(processes, before):
        assert process.poll() is None

        def is_clean():
            now = Traces(process.pid)
            # The page of code that the agent's thread ended in may stay.
            new = [line for line in now.maps if line not in was.maps]
            now.maps = was.maps
            return now == was and len(new) <= 1 and all(
                is_a_page(line) for line in new)

        assert lab.wait_until(is_clean), Traces(process.pid)
        # The next one takes it along.
        inject(tmp_path / "x.folded", process.pid, "-d", 0.1)
        assert Traces(process.pid) == was
        process.stdin.close()
        process.stdin = None
        assert said_at_its_end(process) == "waiting 0, early 0\n"


# ---- ends ----


def test_an_exec_is_an_end(tmp_path, target):
    process = target("sh", "-c", "read x; exec sleep 30")
    output = tmp_path / "x.folded"
    watcher = lab.start(
        *command(output, process.pid), stderr=subprocess.PIPE)
    in_it(process.pid)
    lab.await_call(watcher.pid, *lab.POLLS)  # for what comes: it knows
    process.stdin.write("\n")
    process.stdin.flush()
    _, err = watcher.communicate(timeout=lab.PATIENCE)
    assert watcher.returncode == 0, err
    assert process.poll() is None
    assert "watchfire" not in Path(f"/proc/{process.pid}/maps").read_text()


def test_an_interrupt_is_an_end(tmp_path, target):
    process = lab.lively(target)
    before = Traces(process.pid)
    inject_until_used(tmp_path / "x.folded", process.pid, 0.2)
    assert lab.Folded(tmp_path / "x.folded").total() > 0
    assert Traces(process.pid) == before


def test_a_process_that_gives_up_its_user_is_left(tmp_path, target):
    """A thread of root's must not stay in what is nobody's by then."""
    lab.need_root()
    process = target(
        "/usr/bin/python3", "-c",
        "import os; input(); os.setresuid(65534, 65534, 65534); input()")
    watcher = lab.start(
        *command(tmp_path / "x.folded", process.pid), stderr=subprocess.PIPE)
    guest = in_it(process.pid)
    process.stdin.write("now\n")
    process.stdin.flush()
    _, err = watcher.communicate(timeout=lab.PATIENCE)
    assert watcher.returncode == 0, err
    assert "changed its user or group, so the agent left it" in err
    assert not guest.exists()
    assert process.poll() is None


FORKS = """
import os, signal, sys, time
input()
child = os.fork()
if child == 0:
    while True:
        time.sleep(0.01)
        sum(range(20000))
print(child, flush=True)
input()
os.kill(child, signal.SIGURG)
time.sleep(0.1)
os.kill(child, signal.SIGTERM)
print(os.WTERMSIG(os.waitpid(child, 0)[1]), flush=True)
"""


def test_a_fork_s_child_is_a_process_like_others(tmp_path, target):
    """It gets an agent of its own, which goes with its parent's; a SIGURG does
    it nothing, and it can be watched again."""
    process = target("/usr/bin/python3", "-c", FORKS)
    watcher = lab.start(
        *command(tmp_path / "x.folded", process.pid), stderr=subprocess.PIPE)
    in_it(process.pid)
    process.stdin.write("now\n")
    process.stdin.flush()
    child = int(process.stdout.readline())
    in_it(child)
    watcher.send_signal(signal.SIGINT)
    _, err = watcher.communicate(timeout=lab.PATIENCE)
    assert watcher.returncode == 0, err
    assert Path(f"/proc/{child}/timers").read_text() == ""
    assert Traces(child).names == {"python3\n"}
    inject(tmp_path / "child.folded", child, "-d", 0.2)
    process.stdin.write("now\n")
    process.stdin.flush()
    assert int(process.stdout.readline()) == signal.SIGTERM


# ---- at the wrong moment ----


def test_ends_in_the_middle_of_it(tmp_path, target):
    """The target execs, exits or forks while the agent comes in."""
    for i in range(9):
        last = ("exec sleep 20", "exit 0", "sleep 20 & wait")[i % 3]
        process = target("sh", "-c", f"read x; {last}")
        watcher = lab.start(
            *command(tmp_path / "x.folded", process.pid, "-d", 0.2),
            stderr=subprocess.PIPE)
        time.sleep(0.005 * (i // 3) + 0.02)
        process.stdin.write("now\n")
        process.stdin.flush()
        _, err = watcher.communicate(timeout=lab.PATIENCE)
        assert watcher.returncode in (0, 1), err
        assert watcher.returncode == 0 or "ended" in err, err
        if last == "exit 0":
            assert process.wait(lab.PATIENCE) == 0
        else:
            assert process.poll() is None
            assert without_libraries(Traces(process.pid)) == []
            children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
            for child in children.read_text().split():
                os.kill(int(child), signal.SIGKILL)


# For its input at first, which it reads then, and for that without a limit.
WAITS_WITH_A_LIMIT = """
import select, sys
poll = select.epoll()
poll.register(0, select.EPOLLIN)
print(len(poll.poll(600)))
sys.stdin.readlines()
"""


def test_a_safe_moment_may_come_late(tmp_path, target):
    """In a wait with a time limit there is none, in one without there is."""
    process = target("/usr/bin/python3", "-c", WAITS_WITH_A_LIMIT)
    lab.await_call(process.pid, *lab.POLLS_EPOLL)
    watcher = lab.start(
        *command(tmp_path / "x.folded", process.pid, "-d", 0.1),
        stderr=subprocess.PIPE)
    # It looks for one, in a process of its own.
    children = Path(f"/proc/{watcher.pid}/task/{watcher.pid}/children")
    assert lab.wait_until(lambda: Traces.read(children))
    process.stdin.write("now\n")
    process.stdin.flush()
    _, err = watcher.communicate(timeout=lab.PATIENCE)
    assert watcher.returncode == 0, err
    process.stdin.close()
    process.stdin = None
    assert said_at_its_end(process) == "1\n"


def test_without_a_safe_moment_it_gives_up(tmp_path, target):
    """A wait that cannot be taken up again with the time that is left."""
    process = target("/usr/bin/python3", "-c", WAITS_WITH_A_LIMIT)
    lab.await_call(process.pid, *lab.POLLS_EPOLL)
    before = Traces(process.pid)
    said = refusal(tmp_path / "x.folded", process.pid)
    assert "came to a safe point within 2 s" in said and "--via perf" in said
    assert Traces(process.pid) == before
    process.stdin.write("now\n")
    process.stdin.close()
    process.stdin = None
    assert said_at_its_end(process) == "1\n"


def test_who_cannot_be_sampled_keeps_nobody_else(tmp_path, target):
    """One without a safe moment, one that is stopped, and one like others."""
    waiting = target("/usr/bin/python3", "-c", WAITS_WITH_A_LIMIT)
    lab.await_call(waiting.pid, *lab.POLLS_EPOLL)
    stopped = target("/usr/bin/sleep", "1000")
    os.kill(stopped.pid, signal.SIGSTOP)
    status = Path(f"/proc/{stopped.pid}/status")
    assert lab.wait_until(lambda: "State:\tT" in status.read_text())
    process = lab.lively(target)
    output = tmp_path / "x.folded"
    err = end_when_used(
        command(output, f"{waiting.pid},{stopped.pid},{process.pid}"),
        process.pid, 0.3, status=1)
    last, remarks = lab.summary_and_remarks(err)
    assert "samples of 1 process" in last, last
    for refused, why in (waiting, "a safe point"), (stopped, "is stopped"):
        assert any(f"process {refused.pid}" in line and why in line
                   for line in remarks), remarks
    assert lab.Folded(output).inclusive()["steady"] > 0
    # All of them: then there is nothing to write.
    said = refusal(tmp_path / "y.folded", f"{stopped.pid},{waiting.pid}")
    assert "is stopped" in said and not (tmp_path / "y.folded").exists()
