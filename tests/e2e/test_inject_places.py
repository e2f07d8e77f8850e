"""record -p --via inject: what it comes into, and what is refused."""

import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

import lab
from injecting import (
    Traces, command, end_when_used, in_it, inject_until_used, inner_process,
    refusal, said_at_its_end, unfiltered)


# ---- seccomp ----


def assert_is_sampled_and_left(process, output):
    inner = inner_process(process)
    before = Traces(inner)
    inject_until_used(output, inner, 0.3)
    weights = lab.Folded(output).inclusive()
    assert weights["run_steady"] >= weights["steady"] > 0
    assert Traces(inner) == before
    process.stdin.close()
    process.stdin = None
    assert said_at_its_end(process) == "waiting 0, early 0\n"


def test_a_container_s_filter_lets_an_agent_in(tmp_path, target):
    lab.need_root()
    process = target(
        lab.program("contained"), lab.program("lively_glibc_dynamic"))
    lab.await_call(process.pid, *lab.READS_INPUT)
    before = Traces(process.pid)
    for _ in range(2):
        end_when_used(
            unfiltered(tmp_path / "x.folded", process.pid), process.pid, 0.3)
        weights = lab.Folded(tmp_path / "x.folded").inclusive()
        assert weights["run_steady"] >= weights["steady"] > 0
        assert Traces(process.pid) == before
    process.stdin.close()
    process.stdin = None
    assert said_at_its_end(process) == "waiting 0, early 0\n"


def test_a_filter_for_all_threads_can_come_while_an_agent_is_in(
        tmp_path, target):
    lab.need_root()
    process = target(lab.program("contained"), "--later")
    output = tmp_path / "x.folded"
    watcher = lab.start(*unfiltered(output, process.pid), stderr=subprocess.PIPE)
    guest = in_it(process.pid)
    process.stdin.write("now\n")
    process.stdin.flush()
    assert process.stdout.readline() == "0\n"
    assert "Seccomp:\t2" in Traces.read(guest / "status")
    time.sleep(0.7)  # it wakes up at least once
    watcher.send_signal(signal.SIGINT)
    _, err = watcher.communicate(timeout=lab.PATIENCE)
    assert watcher.returncode == 0, err
    assert lab.Folded(output).inclusive()["burn"] > 0
    assert not guest.exists()
    process.stdin.close()
    process.stdin = None
    assert said_at_its_end(process) == ""


# ---- containers, users ----


def test_where_memfds_may_not_be_executed(tmp_path, target):
    """vm.memfd_noexec = 2, in a name space of pids of its own."""
    lab.need_root()
    process = target(
        lab.tool("unshare"), "--pid", "--fork", "--mount-proc", "sh", "-c",
        "echo 2 > /proc/sys/vm/memfd_noexec || exit 77; echo ready; "
        f"exec {lab.program('lively_glibc_dynamic')}")
    if process.stdout.readline() != "ready\n":
        pytest.skip("no vm.memfd_noexec here")
    assert_is_sampled_and_left(process, tmp_path / "x.folded")


def test_a_process_in_name_spaces_of_its_own(tmp_path, target):
    """Mounts, pids, users, network: its files and threads have other names."""
    process = target(
        lab.tool("unshare"), "--user", "--map-root-user", "--mount", "--pid",
        "--net", "--fork", "--mount-proc",
        lab.program("lively_glibc_dynamic"))
    assert_is_sampled_and_left(process, tmp_path / "x.folded")


def spinning_child(parent, threads):
    children = Path(f"/proc/{parent.pid}/task/{parent.pid}/children")
    assert lab.wait_until(
        lambda: len(lab.tasks(children.read_text().strip() or 0)) == threads)
    return int(children.read_text())


def test_threads_are_told_apart_in_a_name_space_of_pids(tmp_path, target):
    """Its agent knows them by numbers that are other threads' or nobody's."""
    lab.need_root()
    unshare = target(
        lab.tool("unshare"), "--pid", "--fork", "--kill-child", "--mount-proc",
        lab.program("spin"), 60, 3)
    pid = spinning_child(unshare, threads=3)
    tids = {int(tid) for tid in lab.tasks(pid)}
    output = tmp_path / "x.data"
    inject_until_used(output, pid, 0.6)
    weights = dict.fromkeys(tids, 0)
    for sample in lab.perf_samples(output):
        if any(symbol == "spin" for _, symbol, _ in sample.frames):
            assert sample.pid == pid
            weights[sample.tid] += sample.period
    assert all(weight > 0 for weight in weights.values()), weights


def test_an_ordinary_user_may_watch_what_is_his(tmp_path, target):
    tmp_path.chmod(0o777)
    for folder in (tmp_path.parent, tmp_path.parent.parent):
        folder.chmod(folder.stat().st_mode | 0o111)
    process = target(
        *lab.as_nobody(lab.program("lively_glibc_dynamic")))
    lab.await_call(process.pid, *lab.READS_INPUT)
    before = Traces(process.pid)
    output = tmp_path / "x.folded"
    end_when_used(
        lab.as_nobody(*command(output, process.pid)), process.pid, 0.3)
    assert lab.Folded(output).inclusive()["steady"] > 0
    assert Traces(process.pid) == before


# ---- refusals ----


def test_a_process_that_proc_has_under_other_numbers_is_refused(
        tmp_path, target):
    """It was left without a sample, and its memory with the agent in it."""
    lab.need_root()
    unshare = target(
        lab.tool("unshare"), "--pid", "--fork", "--kill-child",
        lab.program("spin"), 60, 2)
    pid = spinning_child(unshare, threads=2)
    assert "has pids of its own" in refusal(tmp_path / "x.folded", pid)


def test_a_stopped_process_is_refused(tmp_path, target):
    process = lab.lively(target)
    os.kill(process.pid, signal.SIGSTOP)
    status = Path(f"/proc/{process.pid}/status")
    assert lab.wait_until(lambda: "State:\tT" in status.read_text())
    said = refusal(tmp_path / "x.folded", process.pid)
    assert "is stopped" in said and f"kill -CONT {process.pid}" in said


def test_a_traced_process_is_refused(tmp_path, target):
    process = lab.lively(target)
    tracer = target(lab.tool("strace"), "-qq", "-o", "/dev/null", "-p",
                    process.pid)
    status = Path(f"/proc/{process.pid}/status")
    assert lab.wait_until(
        lambda: f"TracerPid:\t{tracer.pid}\n" in status.read_text())
    assert "is traced by process" in refusal(tmp_path / "x.folded", process.pid)


def test_a_filter_that_cannot_be_read_is_refused(tmp_path, target):
    """A command that has a filter itself may not read another's."""
    process = target(lab.program("refuse_perf"), "sleep", 30)
    lab.await_call(process.pid, *lab.SLEEPS)
    said = refusal(tmp_path / "x.folded", process.pid)
    assert "takes CAP_SYS_ADMIN" in said and "--via perf" in said


def times_slept(pid):
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"\nvoluntary_ctxt_switches:\s+(\d+)", status)[1])


@pytest.mark.parametrize(
    "call, number",
    [("memfd_create", 319), ("timer_create", 222), ("restart_syscall", 219)])
def test_a_filter_that_refuses_a_call_is_told_by_its_name(
        tmp_path, target, call, number):
    lab.need_root()
    process = target(lab.program("refuse_calls"), call, "sleep", 60)
    lab.await_call(process.pid, *lab.SLEEPS)
    before = Traces(process.pid)
    slept = times_slept(process.pid)
    result = lab.run(*unfiltered(tmp_path / "x.folded", process.pid, "-d", 1))
    assert result.returncode == 1
    said = lab.only_sentence(result.stderr)
    assert f"our call of {call} (number {number})" in said, said
    assert "--via perf" in said
    assert Traces(process.pid) == before
    # It was in a call that restart_syscall() would have taken up.
    if call == "restart_syscall":
        assert lab.wait_until(lambda: times_slept(process.pid) > slept)
        lab.await_call(process.pid, *lab.SLEEPS)


def test_a_watched_process_is_refused(tmp_path, target):
    process = lab.lively(target)
    watcher = lab.start(
        *command(tmp_path / "x.folded", process.pid), stderr=subprocess.PIPE)
    assert lab.wait_until(
        lambda: Path(f"/proc/{process.pid}/timers").read_text() != "")
    said = refusal(tmp_path / "y.folded", process.pid)
    assert "is watched already" in said
    watcher.send_signal(signal.SIGINT)
    watcher.communicate(timeout=lab.PATIENCE)


def test_a_preloaded_process_is_refused_and_sampled_another_way(
        tmp_path, target):
    watcher = target(
        lab.WATCHFIRE, "record", "-o", tmp_path / "y.folded", "--",
        lab.program("spin"), 60, stderr=subprocess.DEVNULL)
    children = Path(f"/proc/{watcher.pid}/task/{watcher.pid}/children")
    assert lab.wait_until(lambda: children.read_text() != "")
    pid = int(children.read_text().split()[0])
    maps = Path(f"/proc/{pid}/maps")
    assert lab.wait_until(lambda: "libwatchfire" in maps.read_text())
    said = refusal(tmp_path / "x.folded", pid)
    assert "libwatchfire.so" in said and "--via ptrace" in said
    result = lab.run(
        lab.program("refuse_perf"), lab.WATCHFIRE, "record", "-d", 0.5, "-o",
        tmp_path / "x.folded", "-p", pid)
    assert result.returncode == 0, result.stderr
    assert "by ptrace stops" in result.stderr
    os.kill(pid, signal.SIGTERM)
    watcher.wait(lab.PATIENCE)
    # Its own recording has gone on meanwhile.
    assert lab.Folded(tmp_path / "y.folded").inclusive()["stir"] > 0


def test_options_that_do_not_go_with_it(tmp_path):
    for words in (
            ("--via", "inject", "--", "true"),
            ("--via", "inject", "-p", "1", "--clock", "timer"),
            ("--via", "inject", "-p", "1", "--unwinder", "libunwind")):
        result = lab.run(lab.WATCHFIRE, "record", *words)
        assert result.returncode == 2
        assert "--via inject goes with" in result.stderr
