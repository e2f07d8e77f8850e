"""Crashes: what is told of them, and that nothing else changes.

Each case of tests/programs/crashes.cc runs plainly and watched, two at a time,
before the first test looks at any.
"""

import json
import os
import re
import resource
import shutil
import signal
import struct
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import lab

PROGRAM = lab.PROGRAMS / "crashes"
NOWHERE = "nowhere"  # a frame in no code that has a name


class Expected:
    """Of an event: its type and words, the signal's code, and the program's
    own functions from the innermost on, with "..." for any number."""

    def __init__(self, kind, value, code, own, exact=True, **more):
        self.kind, self.value, self.code = kind, value, code
        self.own, self.exact, self.more = own, exact, more


def fault(own, address="0x0", signal="SIGSEGV", code="SEGV_MAPERR",
          words="invalid memory access", **more):
    return Expected(signal, f"{words} at {address}", code, own, **more)


def abort(own, value="abort", kind="SIGABRT", **more):
    return Expected(kind, value, "SI_TKILL", own, exact=False, **more)


WRITE = ["at_fault()", "null_write()"]
ANYWHERE = "0x[0-9a-f]+"

CASES = {
    "null_write": fault([*WRITE, "main"]),
    "null_call": fault([NOWHERE, "null_call()", "main"]),
    "jump_unmapped": fault(
        [NOWHERE, "jump_unmapped()", "main"], "0x123456789000"),
    "jump_wild": fault(["jump_wild()", "main"], code="SI_KERNEL"),
    "jump_to_data": fault(
        [NOWHERE, "jump_to_data()", "main"], ANYWHERE, code="SEGV_ACCERR"),
    "divide": fault(["divide()", "main"], ANYWHERE, "SIGFPE", "FPE_INTDIV",
                    "arithmetic error"),
    "illegal": fault(["illegal()", "main"], ANYWHERE, "SIGILL", "ILL_ILLOPN",
                     "illegal instruction"),
    "trap": fault(["trap()", "main"], ANYWHERE, "SIGTRAP", "SI_KERNEL",
                  "trap"),
    "overflow": fault(["recurse(int)"] * 200, ANYWHERE),
    "thread_overflow": fault(
        ["recurse(int)"] * 200, ANYWHERE, code="SEGV_ACCERR", main=False),
    "thread_write": fault([*WRITE, "run_case(void*)"], main=False),
    "bus_error": fault(["bus_error()", "main"], ANYWHERE, "SIGBUS",
                       "BUS_ADRERR", "bus error"),
    "forbidden_call": fault(
        ["forbidden_call()", "main"], ANYWHERE, "SIGSYS", "SYS_SECCOMP",
        "forbidden system call", exact=False, data={"system_call": 121}),
    "sandboxed": fault(["at_fault()", "sandboxed()", "main"]),
    "aborts": abort(["aborts()", "main"]),
    "fails_assertion": abort(
        ["fails_assertion()", "main"],
        r".*crashes\.cc:\d+: void fails_assertion\(\): "
        r"Assertion `ballast == 42' failed\."),
    "double_free": abort(
        ["double_free()", "main"],
        r"free\(\): double free detected in tcache 2"),
    "bad_free": abort(["bad_free()", "main"], r"free\(\): invalid pointer"),
    "smashed_heap": abort(
        ["smashed_heap()", "main"],
        r"double free or corruption \(out\)"),
    "smashed_guard": abort(
        ["smashed_guard()"],
        r"\*\*\* stack smashing detected \*\*\*: terminated"),
    "smashed_stack": fault(["smashed_stack()"], code="SI_KERNEL"),
    "lost_stack": fault(["lost_stack()"], "0x0", "SIGBUS", "SI_KERNEL",
                        "bus error"),
    "throws_error": abort(["throws_error()", "main"], "the disk is on fire",
                          "std::runtime_error"),
    "throws_int": abort(["throws_int()", "main"], None, "int"),
    "throws_own": abort(["throws_own()", "main"], "its own words",
                        "own_error"),
    "throws_plain": abort(["throws_plain()", "main"], "always the same",
                          "plain_error"),
    "throws_bad_alloc": abort(
        ["throws_bad_alloc()", "main"], "std::bad_alloc", "std::bad_alloc"),
    "throw_in_noexcept": abort(
        ["throws_error()", "throw_in_noexcept()", "main"],
        "the disk is on fire", "std::runtime_error"),
    "pure_virtual": abort(["base::call()", "...", "main"]),
    "blocked": fault(
        [*WRITE, "blocked_write(void*)"], main=False),
    "blocked_sent": Expected(
        "SIGBUS", "bus error", "SI_USER", ["blocked_sent()", "main"],
        exact=False),
    "in_handler": fault(
        [*WRITE, "handle_by_crashing(int)", "in_handler()", "main"],
        own_only=True),
    "in_fork": fault([*WRITE, "in_fork()", "main"]),
    "in_vfork": fault([*WRITE, "in_vfork()", "main"]),
    "beside_malloc": fault([*WRITE, "beside_malloc()", "main"]),
    "at_exit": fault([*WRITE, "at_exit()", "main"], own_only=True),
    "on_alternate": fault(
        [*WRITE, "handle_on_alternate(int)", "on_alternate()", "main"],
        own_only=True),
    "on_fiber": fault(WRITE),
    "in_constructor": fault(
        ["at_fault", "begin", "load(char const*)", "in_constructor()", "main"],
        own_only=True),
    "in_closed": fault(
        ["crashes_library_work", "in_closed()", "main"], ANYWHERE),
    "handler_exits": fault(
        [*WRITE, "handler_exits()", "main"], data={"in_own_handler": True}),
    "handler_raises": fault([*WRITE, "handler_raises()", "main"]),
    "handler_returns": fault([*WRITE, "handler_returns()", "main"]),
    "handler_aborts": abort(
        ["handle_by_aborting(int, siginfo_t*, void*)", *WRITE,
         "handler_aborts()", "main"]),
    "handler_crashes": fault(
        [*WRITE, "handler_crashes()", "main"], data={"in_own_handler": True}),
    "overflow_with_handler": fault(["recurse(int)"] * 200, ANYWHERE),
    "overflow_on_alternate": fault(
        ["recurse(int)"] * 200, ANYWHERE, data={"in_own_handler": True}),
    "beside_exit": fault([*WRITE, "beside_exit()", "main"]),
    "closed": fault([*WRITE, "closed()", "main"]),
    "without_addresses": fault([*WRITE, "without_addresses()", "main"]),
    "before_main": fault([*WRITE, "before_main(int, char**)"]),
    "threads_at_once": fault([*WRITE, "write_together(void*)"], main=False),
    # Past libc, and so past us: its status is what is known.
    "raw_handler_raises": Expected(
        "SIGSEGV", "invalid memory access", None, None),
    "kills_itself": Expected("SIGKILL", "killed", None, None),
    # No crash, as the program goes on.
    "recover_by_mending": None,
    "recover_by_jumping": None,
    "recover_on_raw_alternate": None,
    "raw_handler_exits": None,
    "exits": None,
}


class Outcome:
    """How a run looked from outside, and the events that came of it."""

    def __init__(self, result, folder):
        self.result = result
        self.events = [json.loads(path.read_text())
                       for path in sorted(folder.glob("*.crash.json"))]

    def event(self):
        assert len(self.events) == 1, (self.events, self.result.stderr)
        return self.events[0]

    def others(self):
        """What is not ours on standard error; pids and addresses differ."""
        return [line for line in self.result.stderr.splitlines()
                if not line.startswith("watchfire: ")]


def record(folder, *command, options=(), **more):
    folder.mkdir()
    result = lab.run(
        lab.WATCHFIRE, "record", f"--crashes={folder}/%p.crash.json",
        *options, "-o", folder / "x.folded", "--", *command, cwd=folder,
        **more)
    return Outcome(result, folder)


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    """Of every case: (plain, watched)."""
    folder = tmp_path_factory.mktemp("crashes")

    def both(case):
        plain = lab.run(PROGRAM, case, cwd=folder)
        return plain, record(folder / case, PROGRAM, case)

    with ThreadPoolExecutor(2) as pool:
        return dict(zip(CASES, pool.map(both, CASES)))


def stack(value):
    """From the innermost on."""
    return list(reversed(value["stacktrace"]["frames"]))


def is_nowhere(frame):
    return "function" not in frame and not frame["in_app"]


def holds(frames, wanted):
    for frame, name in zip(frames, wanted):
        if name == NOWHERE:
            assert is_nowhere(frame), frame
        else:
            assert frame.get("function") == name, (frame, wanted)


def check_frames(event, expected):
    frames = stack(event["exception"]["values"][0])
    if expected.own is None:
        return
    if "..." in expected.own:
        at = expected.own.index("...")
        names = [f["function"] for f in frames
                 if f["in_app"] and f["function"] != "_start"]
        assert names[:at] == expected.own[:at]
        rest = expected.own[at + 1:]
        assert names[-len(rest):] == rest
        return
    if not expected.exact or expected.more.get("own_only"):
        frames = [f for f in frames if f["in_app"]]
    assert len(frames) >= len(expected.own), frames
    holds(frames, expected.own)


@pytest.mark.parametrize("case", CASES)
def test_what_is_told_of(outcomes, case):
    expected, (plain, watched) = CASES[case], outcomes[case]
    if expected is None:
        assert watched.events == []
        return
    event = watched.event()
    value = event["exception"]["values"][0]
    assert value["type"] == expected.kind
    if expected.value is None:
        assert "value" not in value
    else:
        assert re.fullmatch(expected.value, value["value"]), value["value"]
    signal = value["mechanism"]["meta"]["signal"]
    assert signal.get("code_name") == expected.code
    for key, wanted in expected.more.get("data", {}).items():
        assert value["mechanism"]["data"][key] == wanted
    if expected.own is not None:
        check_frames(event, expected)
        crashed = [t for t in event["threads"]["values"] if t["crashed"]]
        assert [t["id"] for t in crashed] == [value["thread_id"]]
        assert crashed[0]["main"] == expected.more.get("main", True)


@pytest.mark.parametrize("case", CASES)
def test_nothing_changes_for(outcomes, case):
    plain, watched = outcomes[case]
    assert watched.result.returncode == plain.returncode
    assert watched.result.stdout == plain.stdout
    assert watched.others() == plain.stderr.splitlines()


@pytest.mark.parametrize("name, case", (
    ("host_sandbox", "killing_by_prctl"), ("host_sandbox", "one_thread"),
    ("host_sandbox", "trapping"), ("host_signals", "die_in_every_way"),
    ("host_signals", "exit_in_a_handler"), ("host_signals", "jump_out"),
    ("host_signals", "masks_of_threads"), ("host_signals", "null_checks"),
    ("host_stacks", "handlers_see_their_own"),
    ("host_stacks", "smallest_alternate_stacks")))
def test_nothing_changes_for_who_lives(tmp_path, name, case):
    plain = lab.run(lab.program(name), case)
    watched = record(tmp_path / case, lab.program(name), case)
    assert watched.result.returncode == plain.returncode
    assert watched.result.stdout == plain.stdout
    assert watched.others() == plain.stderr.splitlines()


def test_java_has_not_crashed(tmp_path):
    """It finds null pointers, and stops its threads, by faults."""
    java, javac = (shutil.which(name, path=lab.clean_environment()["PATH"])
                   for name in ("java", "javac"))
    if java is None or javac is None:
        pytest.skip("java is not installed")
    lab.run(javac, "-d", tmp_path, lab.SOURCES / "Runtimes.java")
    command = (java, "-Xmx64m", "-XX:-UsePerfData", "-cp", tmp_path,
               "Runtimes")
    plain = lab.run(*command)
    watched = record(tmp_path / "watched", *command)
    assert plain.returncode == watched.result.returncode == 0
    assert watched.result.stdout == plain.stdout and watched.events == []


def test_the_other_threads_are_told_as_well(outcomes):
    threads = outcomes["beside_malloc"][1].event()["threads"]["values"]
    assert len(threads) == 2
    other = [t for t in threads if not t["crashed"]][0]
    assert "hold_malloc(void*)" in [f.get("function") for f in stack(other)]
    threads = outcomes["thread_write"][1].event()["threads"]["values"]
    main = [t for t in threads if t["main"]][0]
    names = [f["function"] for f in stack(main)]
    assert "in_thread(void (*)())" in names and "main" in names


def test_processes_that_crash_at_once_are_told_one_by_one(tmp_path):
    plain = lab.run(PROGRAM, "processes_at_once")
    watched = record(tmp_path / "at_once", PROGRAM, "processes_at_once")
    assert watched.result.stdout == plain.stdout == "11\n" * 8
    pids = {event["extra"]["pid"] for event in watched.events}
    assert len(watched.events) == len(pids) == 8
    for event in watched.events:
        holds(stack(event["exception"]["values"][0]),
              [*WRITE, "processes_at_once()", "main"])


def test_a_line_says_it_and_where(outcomes):
    remarks = [line for line in
               outcomes["null_write"][1].result.stderr.splitlines()
               if "crashed" in line]
    assert len(remarks) == 1
    assert re.fullmatch(
        r"watchfire: crashes \(pid \d+\) crashed: SIGSEGV: invalid memory "
        r"access at 0x0 in at_fault\(\) \(crashes\.cc:\d+\); see .*\.json",
        remarks[0])


def test_nobody_but_the_collector_may_trace_it(tmp_path):
    """For Yama, which this kernel may not have: by what is asked of it."""
    watched = record(tmp_path / "traced", lab.program("kill_any_tracer"),
                     PROGRAM, "null_write")
    assert watched.result.returncode == -signal.SIGSEGV
    assert watched.event()["exception"]["values"][0]["type"] == "SIGSEGV"


def test_registers_and_images(outcomes):
    event = outcomes["null_write"][1].event()
    value = event["exception"]["values"][0]
    registers = value["stacktrace"]["registers"]
    assert registers["rip"] == stack(value)[0]["instruction_addr"]
    images = event["debug_meta"]["images"]
    own = [i for i in images if i["code_file"] == str(PROGRAM)][0]
    notes = lab.run("readelf", "-n", PROGRAM).stdout
    assert own["code_id"] in notes and own["type"] == "elf"
    start = int(own["image_addr"], 16)
    for frame in stack(value)[:2]:
        assert frame["image_addr"] == own["image_addr"]
        pc = int(frame["instruction_addr"], 16)
        assert start <= pc < start + own["image_size"]
    ranges = sorted((int(i["image_addr"], 16), i["image_size"])
                    for i in images)
    for (first, size), (second, _) in zip(ranges, ranges[1:]):
        assert first + size <= second


def test_one_that_is_sent_from_outside(tmp_path):
    def run(*command):
        waiting = []
        process = subprocess.Popen(
            [str(word) for word in command], stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, env=lab.clean_environment())
        try:
            def waits():
                waiting[:] = [
                    pid for pid in (process.pid, *children(process.pid))
                    if reads(f"/proc/{pid}/syscall").startswith("34 ")]
                return waiting
            assert lab.wait_until(waits)
            os.kill(waiting[0], 6)
            status = process.wait(lab.PATIENCE)
            waiting.clear()
            return status
        finally:
            for pid in waiting:
                os.kill(pid, 9)
            lab.end(process)
            process.communicate()

    assert run(PROGRAM, "killed_from_outside") == -6
    assert run(lab.WATCHFIRE, "record", f"--crashes={tmp_path}/crash.json",
               "-o", tmp_path / "x.folded", "--", PROGRAM,
               "killed_from_outside") == -6
    value = json.loads((tmp_path / "crash.json").read_text())
    value = value["exception"]["values"][0]
    assert value["mechanism"]["meta"]["signal"]["code_name"] == "SI_USER"
    assert value["mechanism"]["data"]["sender_pid"] == os.getpid()
    assert "killed_from_outside()" in [f["function"] for f in stack(value)]


def reads(path):
    try:
        return Path(path).read_text()
    except OSError:
        return ""


def children(pid):
    return [int(word) for word in
            reads(f"/proc/{pid}/task/{pid}/children").split()]


# ---- cores ----

NT_SIGINFO = 0x53494749
NT_PRSTATUS = 1


def notes(core):
    """The notes of a core, by type; of the first thread, which is the one."""
    data = core.read_bytes()
    offset, size, count = struct.unpack_from("<Q", data, 32)[0], 56, \
        struct.unpack_from("<H", data, 56)[0]
    found = {}
    for i in range(count):
        kind, _, start, _, _, length = struct.unpack_from(
            "<IIQQQQ", data, offset + i * size)
        end = start + length
        while kind == 4 and start < end:
            name, body, note = struct.unpack_from("<III", data, start)
            start += 12 + (name + 3 & ~3)
            found.setdefault(note, data[start:start + body])
            start += body + 3 & ~3
    return found


def what_a_core_says(folder):
    cores = list(folder.glob("core*"))
    assert len(cores) == 1, list(folder.iterdir())
    found = notes(cores[0])
    cores[0].unlink()
    number, _, code = struct.unpack_from("<iii", found[NT_SIGINFO])
    # pr_reg begins at 112; rip is the 17th. Its page differs with each run.
    pc, = struct.unpack_from("<Q", found[NT_PRSTATUS], 112 + 16 * 8)
    return number, code, pc & 0xfff


@pytest.mark.parametrize("case", ("null_write", "aborts", "trap", "divide"))
def test_the_core_is_what_it_was(tmp_path, case):
    pattern = reads("/proc/sys/kernel/core_pattern")
    if not pattern.startswith("core"):
        pytest.skip("cores go elsewhere here: kernel.core_pattern")

    def unlimited():
        resource.setrlimit(resource.RLIMIT_CORE, (-1, -1))

    lab.need_root()
    plain = tmp_path / "plain"
    plain.mkdir()
    lab.run(PROGRAM, case, cwd=plain, preexec_fn=unlimited)
    watched = record(tmp_path / "watched", PROGRAM, case,
                     preexec_fn=unlimited)
    assert watched.event()["exception"]["values"][0]["mechanism"]["data"][
        "core_dumped"] is True
    assert what_a_core_says(tmp_path / "watched") == what_a_core_says(plain)


# ---- ends of other kinds ----

def test_an_exit_is_told_if_that_is_wanted(tmp_path):
    outcome = record(tmp_path / "exit", PROGRAM, "exits", options=("--exits",))
    event = outcome.event()
    assert outcome.result.returncode == 5 and event["level"] == "error"
    value = event["exception"]["values"][0]
    assert (value["type"], value["value"]) == ("Exit", "exited with status 5")
    assert value["mechanism"]["data"]["exit_status"] == 5


def test_a_status_that_nobody_can_know(tmp_path):
    """Its parent never asks, so that it is no zombie; from Linux 6.15 on the
    kernel tells the status to who has a descriptor of it."""
    release = os.uname().release.split(".")
    is_kept = (int(release[0]), int(release[1])) >= (6, 15)
    value = record(tmp_path / "known", PROGRAM, "kills_unwaited").event()[
        "exception"]["values"][0]
    assert value["type"] == ("SIGKILL" if is_kept else "Vanished")
    folder = tmp_path / "unknown"
    folder.mkdir()
    result = lab.run(
        lab.program("refuse_calls"), "pidfd_open", lab.WATCHFIRE, "record",
        f"--crashes={folder}/%p.crash.json", "-o", folder / "x.folded", "--",
        PROGRAM, "kills_unwaited", cwd=folder)
    assert result.returncode == 0
    event = Outcome(result, folder).event()
    value = event["exception"]["values"][0]
    assert (value["type"], value["value"]) == (
        "Vanished", "ended without a word, status unknown")
    assert "signal" not in value["mechanism"].get("meta", {})
    assert "threads" not in event


def test_the_first_process_of_a_name_space(tmp_path):
    lab.need_root()
    for case in ("null_write", "trap"):
        inside = (lab.tool("unshare"), "--pid", "--fork", PROGRAM, case)
        plain = lab.run(*inside)
        watched = record(tmp_path / case, *inside)
        assert watched.result.returncode == plain.returncode
        # unshare dies of the same signal, as it passes it on.
        event, = [e for e in watched.events
                  if e["contexts"]["app"]["app_name"] == "crashes"]
        holds(stack(event["exception"]["values"][0]),
              [*WRITE, "main"] if case == "null_write" else ["trap()", "main"])


class MemoryGroup:
    """A control group with little memory, of either version."""

    def __init__(self, name):
        lab.need_root()
        old = Path("/sys/fs/cgroup/memory")
        self.folder = (old if old.is_dir() else Path("/sys/fs/cgroup")) / name
        limit = "memory.limit_in_bytes" if old.is_dir() else "memory.max"
        try:
            self.folder.mkdir()
            (self.folder / limit).write_text(str(64 << 20))
        except OSError as error:
            if self.folder.is_dir():
                self.folder.rmdir()
            pytest.skip(f"no control groups for memory: {error}")

    def __enter__(self):
        return self.folder / "cgroup.procs"

    def __exit__(self, *_):
        assert lab.wait_until(
            lambda: not reads(self.folder / "cgroup.procs").split())
        # What is dead may count as there for a moment more.
        assert lab.wait_until(self.is_removed)

    def is_removed(self):
        try:
            self.folder.rmdir()
        except OSError:
            return False
        return True


def test_the_oom_killer(tmp_path):
    with MemoryGroup(f"watchfire-e2e-{os.getpid()}") as processes:
        shell = f'echo $$ >{processes}; exec "$0" hoards'
        outcome = record(tmp_path / "oom", "/bin/sh", "-c", shell, PROGRAM)
    assert outcome.result.returncode == -9
    value = outcome.event()["exception"]["values"][0]
    assert value["type"] == "OutOfMemory"
    assert value["mechanism"]["meta"]["signal"]["name"] == "SIGKILL"


# ---- without record ----

def test_preload_without_a_backend(tmp_path):
    env = lab.clean_environment(
        LD_PRELOAD=str(lab.LIBRARY), WATCHFIRE_OUTPUT="x.folded",
        WATCHFIRE_CRASHES="%e.crash.json")
    result = lab.run(PROGRAM, "null_write", env=env, cwd=tmp_path)
    assert result.returncode == -11 and result.stderr == ""
    assert lab.wait_until((tmp_path / "crashes.crash.json").exists)
    event = json.loads((tmp_path / "crashes.crash.json").read_text())
    holds(stack(event["exception"]["values"][0]), [*WRITE, "main"])
