"""Ways into a process that runs: by ptrace; the best one; which are open.

The matrix in the README says which of its cells are tried here.
"""

import ctypes
import json
import math
import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

import lab

# Where threads and programs begin, by whichever libc.
FIRST_FRAMES = {"_start", "clone3", "__clone3", "__clone", "clone"}
NAMED = {
    "perf": "by perf events from outside",
    "inject": "by CPU-clock timers of an agent brought in",
    "ptrace": "by ptrace stops from outside",
}


def record(output, pids, *options, before=(), watchfire=lab.WATCHFIRE):
    """Attach; what it says."""
    pids = ",".join(str(pid) for pid in pids)
    return lab.run(
        *before, watchfire, "record", "-p", pids, "-o", output, *options)


def took(result, way):
    """The number of samples, of a run that was to go that way."""
    assert result.returncode == 0, result.stderr
    last, _ = lab.summary_and_remarks(result.stderr)
    assert NAMED[way] in last, last
    return int(re.search(r"(\d+) samples of", last)[1])


def watch_until(is_seen, way, output, pids, seconds, **options):
    """Attach for that much CPU time of each, until what there is has been seen.
    Who waits for a processor cannot be stopped: on a busy machine few are met,
    of 30 busy threads 4 to 20 in a second of their time, not 250."""
    def watch():
        recorder = lab.Recorder(way, [output], pids, **options)
        took(recorder.end_when_used(seconds), way)
        return is_seen(lab.Folded(output))

    assert lab.wait_until(watch, seconds=5 * lab.PATIENCE)


def spinning(target, *prefix):
    """A program that computes, by itself: it is past its loader, which uses
    some ms, and so are those before it that become it."""
    process = target(*prefix, lab.program("spin"), 60)
    assert lab.wait_until(lambda: Path(
        f"/proc/{process.pid}/comm").read_text() == "spin\n")
    lab.await_use(process.pid, 0.1)
    return process


# ---- by ptrace ----


def test_stops_see_every_libc_and_later_threads_and_break_no_wait(
        tmp_path, target):
    """All four at once; what they print says that no read ended early."""
    processes = [lab.lively(target, libc) for libc in lab.LIBCS]
    seen = set()

    def look(folded):
        for libc in lab.LIBCS:
            for stack, _ in folded.of_program(f"lively_{libc}").stacks:
                if "steady" in stack:
                    at = stack.index("steady")
                    assert stack[at - 2:at] == ("outer", "middle"), stack
                seen.update({(libc, "steady"), (libc, "passing")} & {
                    (libc, name) for name in stack})
        return len(seen) == 2 * len(lab.LIBCS)

    watch_until(look, "ptrace", tmp_path / "x.folded",
                [process.pid for process in processes], 1)
    for process in processes:
        out, _ = process.communicate(timeout=lab.PATIENCE)
        assert out == "waiting 0, early 0\n"


def test_stops_weigh_what_the_clock_says(tmp_path, target):
    process = target(lab.program("shares"), 1, "go")
    output = tmp_path / "x.folded"
    recorder = lab.Recorder("ptrace", [output], [process.pid])
    told = json.loads(process.communicate("now\n", timeout=lab.PATIENCE)[0])
    samples = took(recorder.end(), "ptrace")  # its end was a normal end
    folded = lab.Folded(output)
    assert folded.total() <= told["total_ns"] * 1.05
    # Each is met some 250 times in a second, and less on a busy machine, where
    # what was not seen between is told.
    assert folded.account() / folded.total() < 0.2 or samples < 100
    weights = folded.inclusive()
    for part, used_ns in told["parts"].items():
        # Weights differ, up to some ten times: so do four sigma.
        chance = 0.03 + 6 * math.sqrt(0.25 / samples)
        if part != "part_loaded":  # opened and closed all the time
            assert weights[part] / folded.total() == pytest.approx(
                used_ns / told["total_ns"], abs=chance), part


def test_stops_find_who_sleeps_and_wakes_where_he_works(tmp_path, target):
    """To wait for a processor is no work, and what is done between two calls is
    not the next one's: without either, 5 % were computing of 38 by the clock.
    It may be more: no timer expires while the kernel sets one."""
    process = target(lab.program("naps"), 2)
    output = tmp_path / "x.folded"
    samples = took(record(output, [process.pid], "--via", "ptrace"), "ptrace")
    told = float(process.communicate(timeout=lab.PATIENCE)[0])
    folded = lab.Folded(output)
    share = folded.inclusive()["part_computing"] / (
        folded.total() - folded.account())
    # Weights differ: of as many alike there are half.
    assert share > told - 4 * math.sqrt(2 * told * (1 - told) / samples)


def test_stops_follow_children_and_an_exec(tmp_path, target):
    spin = lab.program("spin")
    output = tmp_path / "x.folded"

    def both_are_seen():
        process = target(
            "sh", "-c", f"read line; {spin} 0.3; exec {spin} 0.3 2")
        recorder = lab.Recorder("ptrace", [output], [process.pid])
        process.communicate("\n", timeout=lab.PATIENCE)
        last, _ = lab.summary_and_remarks(recorder.end().stderr)
        # Four, if it is met as a shell as well before it is another program,
        # and fewer where it comes and goes while the recorder has to wait.
        assert int(re.search(r"samples of (\d+) process", last)[1]) <= 4, last
        part = lab.Folded(output).of_program("spin")
        after_exec = {stack[0] for stack, _ in part.stacks
                      if "start_thread" in stack}
        before = {stack[0] for stack, _ in part.stacks
                  if "stir" in stack} - after_exec
        return before and after_exec

    assert lab.wait_until(both_are_seen, seconds=5 * lab.PATIENCE)


def test_only_the_named_threads_are_stopped(tmp_path, target):
    process = target(lab.program("spin"), 60, 2)
    assert lab.wait_until(lambda: len(lab.tasks(process.pid)) == 2)
    (tid,) = (task for task in lab.tasks(process.pid)
              if task != str(process.pid))
    output = tmp_path / "x.folded"
    result = lab.run(
        lab.WATCHFIRE, "record", "--via", "ptrace", "-t", tid, "-d", "0.5",
        "-o", output)
    took(result, "ptrace")
    assert all(
        "main" not in stack for stack, _ in lab.Folded(output).stacks)


def test_whoever_ends_the_recorder_leaves_the_program_as_it_was(
        tmp_path, target):
    process = lab.lively(target)
    status = Path(f"/proc/{process.pid}/status")
    for number in (signal.SIGKILL, signal.SIGINT, signal.SIGKILL):
        recorder = lab.Recorder(
            "ptrace", [tmp_path / "x.folded"], [process.pid])
        time.sleep(0.1)
        recorder.process.send_signal(number)
        if number == signal.SIGINT:
            took(recorder.end(), "ptrace")
        else:
            recorder.process.communicate(timeout=lab.PATIENCE)
        assert lab.wait_until(lambda: "TracerPid:\t0" in status.read_text())
        assert "(stopped)" not in status.read_text()
    out, _ = process.communicate(timeout=lab.PATIENCE)
    assert out == "waiting 0, early 0\n"


# ---- the best way ----


def test_the_best_way_that_is_open_is_taken(
        tmp_path, public_folder, target):
    process = spinning(target)
    output = tmp_path / "x.folded"
    brief = ("-d", "0.2")
    took(record(output, [process.pid], *brief), "perf")
    refused = (lab.program("refuse_perf"),)
    took(record(output, [process.pid], *brief, before=refused), "inject")
    took(record(output, [process.pid], *brief, before=(
        lab.program("refuse_calls"), "ptrace")), "perf")
    # Filters that only root may read: nobody knows what an agent might do.
    filtered = spinning(target, *lab.as_nobody(), lab.program("contained"))
    result = record(
        "/dev/null", [filtered.pid], *brief, "-f", "folded",
        before=(*lab.as_nobody(), *refused),
        watchfire=public_folder / "bin" / "watchfire")
    took(result, "ptrace")


def test_where_no_way_is_open_each_has_its_reason_and_doctor_agrees(
        tmp_path, target):
    process = spinning(target)
    refused = (lab.program("refuse_calls"), "ptrace,perf_event_open")
    result = record(tmp_path / "x.folded", [process.pid], before=refused)
    assert result.returncode == 1
    reasons = re.findall(r"watchfire: --via (\w+): (.*)", result.stderr)
    assert [way for way, _ in reasons] == ["perf", "inject", "ptrace"]
    assert "perf_event_paranoid = " in reasons[0][1]
    assert "seccomp" in reasons[2][1] and "SYS_PTRACE" in reasons[2][1]
    assert not (tmp_path / "x.folded").exists()
    assert doctor(process.pid, before=refused) == (1, dict(reasons))


# ---- which are open ----


def doctor(pid, before=(), watchfire=lab.WATCHFIRE):
    """The exit status, and the reason of each way that is closed."""
    result = lab.run(*before, watchfire, "doctor", "-p", pid)
    assert result.stderr == "", result.stderr
    closed = re.findall(
        r"^missing\s+(?:--via )?(\w+(?: way)?)\s+(.*)$", result.stdout, re.M)
    return result.returncode, dict(closed)


def test_doctor_says_what_is_open_to_whom(public_folder, target):
    process = spinning(target)
    assert doctor(process.pid) == (0, {})
    watchfire = public_folder / "bin" / "watchfire"
    status, closed = doctor(process.pid, lab.as_nobody(), watchfire)
    assert status == 1 and list(closed) == ["any way"]
    assert "user 0" in closed["any way"] and "sudo" in closed["any way"]
    own = target(*lab.as_nobody(), "sleep", 60)
    lab.await_call(own.pid, *lab.SLEEPS)
    _, closed = doctor(own.pid, lab.as_nobody(), watchfire)
    assert "ptrace" not in closed and "any way" not in closed
    _, closed = doctor(
        own.pid, (*lab.as_nobody(), lab.program("refuse_perf")), watchfire)
    assert list(closed) == ["perf"]


def test_doctor_knows_who_cannot_be_reached(public_folder, target):
    ended = target("true")
    assert lab.wait_until(
        lambda: ") Z " in Path(f"/proc/{ended.pid}/stat").read_text())
    assert "has ended" in doctor(ended.pid)[1]["any way"]
    ended.wait()
    assert "no process" in doctor(ended.pid)[1]["any way"]
    hidden = target(
        *lab.as_nobody(), "python3", "-c",
        "import ctypes; ctypes.CDLL(None).prctl(4, 0); print(1, flush=True); "
        "input()")
    assert hidden.stdout.readline() == "1\n"
    watchfire = public_folder / "bin" / "watchfire"
    status, closed = doctor(hidden.pid, lab.as_nobody(), watchfire)
    assert status == 1 and "dumpable" in closed["any way"]
    # Root without the capability is no other user who is not let in.
    status, closed = doctor(
        hidden.pid, (lab.tool("setpriv"), "--bounding-set=-sys_ptrace"))
    assert status == 1 and "CAP_SYS_PTRACE" in closed["any way"]
    assert lab.run(
        lab.WATCHFIRE, "doctor", "-p", "no-such-name").returncode == 2


PTRACE_SEIZE = 0x4206


def test_who_is_traced_already_is_open_to_perf_alone(tmp_path, target):
    process = spinning(target)
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.ptrace(PTRACE_SEIZE, process.pid, None, None) == 0
    status, closed = doctor(process.pid)
    assert status == 0 and sorted(closed) == ["inject", "ptrace"]
    assert all(f"traced by process {os.getpid()}" in reason
               for reason in closed.values())
    output = tmp_path / "x.folded"
    took(record(output, [process.pid], "-d", "0.2"), "perf")
    result = record(output, [process.pid], "--via", "ptrace")
    assert "traced by" in lab.only_sentence(result.stderr)


# ---- who means harm ----


HOSTILE = """
import ctypes, os, sys, time
libc = ctypes.CDLL(None)
libc.prctl(15, b"\\x1b[31m;\\n\\x07evil", 0, 0, 0)
print("ready", flush=True)
end = time.monotonic() + 600
mapped = []
while time.monotonic() < end:
    # Memory with code that is none, and none with code.
    at = libc.mmap
    at.restype = ctypes.c_void_p
    mapped.append(at(None, 4096, 7, 0x22, -1, 0))
    if len(mapped) > 200:
        libc.munmap(ctypes.c_void_p(mapped.pop(0)), 4096)
"""


def test_names_and_maps_of_a_hostile_program_are_only_data(tmp_path, target):
    process = target("python3", "-c", HOSTILE)
    assert process.stdout.readline() == "ready\n"
    trap = Path(f"/tmp/perf-{process.pid}.map")
    trap.unlink(missing_ok=True)  # of one that had its number, and left it
    os.mkfifo(trap)
    try:
        for way in NAMED:
            output = tmp_path / f"{way}.folded"

            def are_seen():
                recorder = lab.Recorder(way, [output], [process.pid])
                result = recorder.end_when_used(0.2)
                for text in (result.stderr, output.read_text()):
                    assert not re.search(
                        r"[\x00-\x09\x0b-\x1f\x7f]", text), way
                return took(result, way) > 0

            assert lab.wait_until(are_seen, seconds=5 * lab.PATIENCE)
    finally:
        trap.unlink()


def test_a_storm_of_execs_ends_nothing_but_itself(tmp_path, target):
    script = tmp_path / "storm"
    script.write_text(
        'i=$1\n[ "$i" -eq 0 ] && exit 0\nexec sh "$0" $((i - 1))\n')
    process = target("sh", script, 1000, stdin=subprocess.DEVNULL)
    result = record(
        tmp_path / "x.folded", [process.pid], "--via", "ptrace", "-d", "0.5")
    assert result.returncode in (0, 1), result.stderr
    assert process.wait(lab.PATIENCE) == 0


# ---- the matrix ----


def contained(*command):
    """In mount, pid, user and network namespaces of its own."""
    return (lab.tool("unshare"), "--user", "--map-root-user", "--mount",
            "--pid", "--net", "--fork", "--mount-proc", *command)


def innermost(process):
    """What unshare has started."""
    children = Path(
        f"/proc/{process.pid}/task/{process.pid}/children")
    found = []

    def is_there():
        found[:] = children.read_text().split()
        return found and "lively" in Path(
            f"/proc/{found[0]}/comm").read_text()

    assert lab.wait_until(is_there)
    return int(found[0])


@pytest.mark.parametrize("way", NAMED)
@pytest.mark.parametrize("libc", lab.LIBCS)
def test_any_program_is_open_to_its_own_user(
        target, public_folder, way, libc):
    program = public_folder / f"lively_{libc}"
    if not program.exists():
        program.write_bytes(lab.program(f"lively_{libc}").read_bytes())
        program.chmod(0o755)
    folder = public_folder / f"own-{way}-{libc}"
    folder.mkdir()
    folder.chmod(0o777)
    process = target(*lab.as_nobody(), program)
    assert lab.wait_until(lambda: len(lab.tasks(process.pid)) >= 3)
    inside = []

    def look(folded):
        inside[:] = [stack for stack, _ in folded.stacks if "steady" in stack]
        return inside

    watch_until(
        look, way, folder / "x.folded", [process.pid], 0.2,
        before=lab.as_nobody(),
        watchfire=public_folder / "bin" / "watchfire")
    # By inject nobody reads code, which musl needs; its libc.so has no symbols.
    if way != "inject" and libc != "musl_dynamic":
        assert {stack[1] for stack in inside} <= FIRST_FRAMES


NODE = """
function inner(n) { let s = 0; for (let i = 0; i < n; i++) s += i % 7; return s }
for (;;) inner(1e6)
"""


# Its code has a name once it is compiled, the optimized one by a star.
@pytest.mark.parametrize("way", NAMED)
def test_node_is_open_to_every_way(tmp_path, target, way):
    process = target(lab.tool("node"), "--perf-basic-prof", "-e", NODE,
                     cwd=tmp_path)  # where it leaves a file
    written = Path(f"/tmp/perf-{process.pid}.map")
    try:
        assert lab.wait_until(
            lambda: written.exists() and b"*inner" in written.read_bytes())
        watch_until(
            lambda folded: folded.weight(
                lambda stack: any("inner" in name for name in stack)
            ) > (folded.total() - folded.account()) / 2,
            way, tmp_path / "x.folded", [process.pid], 0.2)
    finally:
        lab.end(process)
        written.unlink(missing_ok=True)


@pytest.mark.parametrize("who", ("root", "user"))
def test_a_container_is_open_to_every_way(
        tmp_path, target, public_folder, who):
    user = lab.as_nobody() if who == "user" else ()
    program = public_folder / f"lively-{who}"
    program.write_bytes(lab.program("lively_glibc_dynamic").read_bytes())
    program.chmod(0o755)
    process = target(*user, *contained(program))
    pid = innermost(process)
    folder = public_folder / f"out-{who}"
    folder.mkdir()
    folder.chmod(0o777)
    for way in NAMED:
        watch_until(
            lambda folded: folded.inclusive()["steady"] > 0,
            way, folder / f"{way}.folded", [pid], 0.3, before=user,
            watchfire=public_folder / "bin" / "watchfire")
    process.communicate(timeout=lab.PATIENCE)
