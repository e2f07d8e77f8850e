"""record -p --via inject: an agent comes into a process, and what it sees."""

import json
import math
import re
import subprocess
import time
from pathlib import Path

import pytest

import lab
from injecting import (
    Traces, command, end_when_used, in_it, inject, inject_until_used,
    thread_named, used_ns)


@pytest.mark.parametrize("libc", lab.LIBCS)
def test_stacks_of_every_libc(tmp_path, target, libc):
    process = lab.lively(target, libc)
    output = tmp_path / "x.folded"
    inject_until_used(output, process.pid, 0.5)
    folded = lab.Folded(output)
    inside = [stack for stack, _ in folded.stacks if "steady" in stack]
    assert inside
    for stack in inside:
        at = stack.index("steady")
        assert stack[at - 2:at] == ("outer", "middle"), stack
        if libc == "glibc_dynamic":
            assert stack[at - 3] == "run_steady", stack
    # Some 40 %, and 28 on a busy machine, of 125 ticks: five sigma.
    assert folded.inclusive()["steady"] / folded.total() > 0.08
    # These threads are not there for long.
    assert folded.inclusive()["passing"] > 0
    process.stdin.close()
    process.wait(lab.PATIENCE)


def test_shares_are_those_of_the_program(tmp_path, target):
    process = target(lab.program("shares"), 3, "go")
    output = tmp_path / "x.folded"
    watcher = lab.start(*command(output, process.pid), stderr=subprocess.PIPE)
    in_it(process.pid)
    told = json.loads(process.communicate("now\n", timeout=lab.PATIENCE)[0])
    _, said = watcher.communicate(timeout=lab.PATIENCE)  # at a normal end
    assert watcher.returncode == 0, said
    ticks = int(re.search(r"(\d+) samples of", said)[1])
    folded = lab.Folded(output)
    for part, used_by_it_ns in told["parts"].items():
        # A library that is opened and closed all the time: its functions have
        # their names, but a stack may end in them.
        names = {part, part.replace("part_loaded", "shares_loaded")}
        seen = folded.weight(lambda stack: names & set(stack))
        share = used_by_it_ns / told["total_ns"]
        # Nor was the beginning of threads, until they are found.
        chance = 0.02 + 5 * math.sqrt(share * (1 - share) / ticks)
        assert seen / folded.total() == pytest.approx(share, abs=chance), part


def test_the_sum_is_what_the_kernel_counts(tmp_path, target):
    process = target(lab.program("spin"), 60, 2)
    output = tmp_path / "x.folded"
    before = used_ns(process.pid)
    inject_until_used(output, process.pid, 2)
    used = used_ns(process.pid) - before
    folded = lab.Folded(output)
    assert folded.total() <= used * 1.02
    # What was before the first tick, and after the last one.
    assert folded.account() / folded.total() < 0.05


def test_only_chosen_threads_are_sampled(tmp_path, target):
    process = lab.lively(target)
    steady = thread_named(process.pid, "lively-steady").name

    def used_by_it_ns():
        return int(Path(f"/proc/{steady}/schedstat").read_text().split()[0])

    before_ns = used_by_it_ns()
    output = tmp_path / "x.folded"
    end_when_used(
        (lab.program("refuse_perf"), lab.WATCHFIRE, "record",
         *lab.AT_ANY_COST, "--via", "inject", "-o", output, "-t", steady),
        process.pid, 0.3, used_by_it_ns)
    used = used_by_it_ns() - before_ns
    folded = lab.Folded(output)
    for stack, _ in folded.stacks:
        assert "run_steady" in stack or stack[-1] in lab.ACCOUNTS, stack
    assert folded.inclusive()["steady"] > 0
    assert folded.total() <= used


def test_threads_that_block_the_signal_are_accounted_for(tmp_path, target):
    process = lab.lively(target)
    deaf = thread_named(process.pid, "lively-deaf")

    def used_ns():
        return int((deaf / "schedstat").read_text().split()[0])

    before_ns = used_ns()
    output = tmp_path / "x.folded"
    said = inject(output, process.pid, "-d", 1)
    used = used_ns() - before_ns
    told = lab.Folded(output).inclusive()["[not sampled: SIGURG blocked]"]
    assert 0 < told <= used  # which is also before and after the recording
    assert "1 thread of process" in said and "blocks SIGURG" in said
    # As one that is only about to begin may be, whose tick comes later.
    assert told < lab.Folded(output).total()


def test_a_process_that_reads_the_signal_itself_is_sampled(tmp_path, target):
    """As PostgreSQL's do, from a descriptor: it blocks the signal for that."""
    process = target(
        "/usr/bin/python3", "-c",
        "import signal, sys\n"
        "signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGURG})\n"
        "print('blocked', flush=True)\n"
        "while True: sum(range(1000))")
    assert process.stdout.readline() == "blocked\n"
    before = Traces(process.pid)
    output = tmp_path / "x.folded"
    inject_until_used(output, process.pid, 0.3)
    folded = lab.Folded(output)
    assert not [name for name in folded.inclusive() if "blocked]" in name]
    assert folded.total() - folded.account() > 0.1e9
    assert Traces(process.pid) == before


def test_children_are_sampled_or_counted_and_named(tmp_path, target):
    """One that there is, one that comes, and one that has a seccomp filter,
    which this command may not read."""
    spin, filtered = lab.program("spin"), lab.program("refuse_perf")
    process = target(
        "sh", "-c", f"{spin} 60 >/dev/null & there=$!; echo $there; read x; "
        f"{filtered} {spin} 1 >/dev/null; "
        f"{spin} 60 >/dev/null & echo $!; read y; kill $there $!")
    there = int(process.stdout.readline())
    output = tmp_path / "x.folded"
    watcher = lab.start(
        *command(output, process.pid), stderr=subprocess.PIPE)
    in_it(process.pid)
    process.stdin.write("now\n")
    process.stdin.flush()
    came = int(process.stdout.readline())
    for child in (came, there):
        in_it(child)
        so_far_ns = used_ns(child)
        assert lab.wait_until(
            lambda: used_ns(child) > so_far_ns + 0.3e9)
    process.stdin.close()
    process.stdin = None
    _, err = watcher.communicate(timeout=lab.PATIENCE)
    assert watcher.returncode == 0, err
    folded = lab.Folded(output)
    for child in (came, there):
        assert folded.weight(
            lambda stack: stack[0] == f"spin-{child}"
            and "stir" in stack) > 0.1e9
    assert "spin' was not sampled (1 process, " in err
    assert "no agent was in it in time" in err
    # A second, less what was after the last look at it.
    told = folded.inclusive()["[not sampled: child]"]
    assert 0.2e9 < told < 1.3e9


def test_wall_time_is_that_of_the_recording(tmp_path, target):
    process = lab.lively(target)
    time.sleep(1)  # which is not of it
    output = tmp_path / "x.folded"
    result = lab.run(
        *command(output, process.pid, "-d", 0.5, "-e", "wall", "--threads"))
    assert result.returncode == 0, result.stderr
    seconds = 5  # however slow this machine is: no test of speed
    folded = lab.Folded(output)
    reading = folded.weight(
        lambda stack: "main" in stack and "read" in stack[-1])
    assert 0.4e9 < reading < seconds * 1e9
    assert folded.inclusive()["steady"] > 0
    assert not any(
        frame.startswith("watchfire-") for stack, _ in folded.stacks
        for frame in stack)
