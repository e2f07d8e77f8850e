"""record -p --via inject: an agent comes into a process, and nothing stays.

Perf events are refused to the command in all of it, as in a container.
"""

import json
import os
import random
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

import lab

LIBCS = ("glibc_dynamic", "glibc_static", "musl_dynamic", "musl_static")
CYCLES = int(os.environ.get("TESTS_INJECT_CYCLES", 4))


def start(*command, **options):
    return subprocess.Popen(
        [str(word) for word in command], stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, text=True, env=lab.clean_environment(),
        **options)


@pytest.fixture
def target():
    """Starts programs that are gone when the test is over."""
    started = []

    def begin(*command, **options):
        started.append(start(*command, **options))
        time.sleep(0.1)
        return started[-1]

    yield begin
    for process in started:
        lab.end(process)
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()


def lively(target, libc="glibc_dynamic"):
    path = lab.PROGRAMS / f"lively_{libc}"
    if not path.exists():
        pytest.skip(f"{path} was not built")
    return target(path)


def command(output, pid, *options, way="inject"):
    return (
        lab.program("refuse_perf"), lab.WATCHFIRE, "record", *lab.AT_ANY_COST,
        "--via", way, "-o", output, *options, "-p", pid)


def inject(output, pid, *options):
    """Attach for a while; the summary."""
    result = lab.run(*command(output, pid, *options))
    assert result.returncode == 0, result.stderr
    last, remarks = lab.summary_and_remarks(result.stderr)
    assert "by CPU-clock timers" in last
    assert any("was held for" in line for line in remarks), remarks
    return result.stderr


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
        self.masks = sorted(
            tuple(re.findall(r"SigBlk:\t(\w+)", self.read(task / "status")))
            for task in (folder / "task").iterdir()
            if "lively" in self.read(task / "comm"))[:1]
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


# ---- what is seen ----


@pytest.mark.parametrize("libc", LIBCS)
def test_stacks_of_every_libc(tmp_path, target, libc):
    process = lively(target, libc)
    output = tmp_path / "x.folded"
    inject(output, process.pid, "-d", 1)
    folded = lab.Folded(output)
    inside = [stack for stack, _ in folded.stacks if "steady" in stack]
    assert inside
    for stack in inside:
        at = stack.index("steady")
        assert stack[at - 2:at] == ("outer", "middle"), stack
        if libc == "glibc_dynamic":
            assert stack[at - 3] == "run_steady", stack
    assert folded.inclusive()["steady"] / folded.total() > 0.2
    # These threads were not there when it came.
    assert folded.inclusive()["passing"] > 0
    process.stdin.close()
    process.wait(lab.PATIENCE)


def test_shares_are_those_of_the_program(tmp_path, target):
    process = target(lab.program("shares"), 3)
    output = tmp_path / "x.folded"
    inject(output, process.pid)  # until its end, which is a normal one
    told = json.loads(said_at_its_end(process))
    folded = lab.Folded(output)
    weights = folded.inclusive()
    for part, used_ns in told["parts"].items():
        seen = weights[part] / folded.total()
        # 750 ticks of 4 ms: four times what chance may do. That library is
        # opened and closed all the time, and of no module when it is gone.
        if part != "part_loaded":
            assert seen == pytest.approx(
                used_ns / told["total_ns"], abs=0.06), part


def test_the_sum_is_what_the_kernel_counts(tmp_path, target):
    process = target(lab.program("spin"), 60, 2)
    output = tmp_path / "x.folded"

    def used_ns():
        fields = Path(f"/proc/{process.pid}/schedstat").read_text().split()
        return int(fields[0]) + sum(
            int((task / "schedstat").read_text().split()[0])
            for task in Path(f"/proc/{process.pid}/task").iterdir()
            if task.name != str(process.pid)
            and "watchfire" not in Traces.read(task / "comm"))

    before = used_ns()
    inject(output, process.pid, "-d", 2)
    used = used_ns() - before
    folded = lab.Folded(output)
    assert folded.total() <= used * 1.02
    assert folded.account() / folded.total() < 0.05


def test_only_chosen_threads_are_sampled(tmp_path, target):
    process = lively(target)
    threads = sorted(
        int(task.name) for task in Path(f"/proc/{process.pid}/task").iterdir())
    steady = threads[1]  # the second one that there was
    used = Path(f"/proc/{steady}/schedstat")
    before_ns = int(used.read_text().split()[0])
    output = tmp_path / "x.folded"
    result = lab.run(
        *(lab.program("refuse_perf"), lab.WATCHFIRE, "record",
          *lab.AT_ANY_COST, "--via", "inject", "-d", 0.7, "-o", output,
          "-t", steady))
    assert result.returncode == 0, result.stderr
    used_ns = int(used.read_text().split()[0]) - before_ns
    folded = lab.Folded(output)
    for stack, _ in folded.stacks:
        assert "run_steady" in stack or stack[-1] in lab.ACCOUNTS, stack
    assert folded.inclusive()["steady"] > 0
    assert folded.total() <= used_ns


def test_threads_that_block_the_signal_are_accounted_for(tmp_path, target):
    process = lively(target)
    folder = Path(f"/proc/{process.pid}/task")
    deaf = next(
        task for task in folder.iterdir()
        if re.search(r"SigBlk:\t[0-9a-f]*[4-7c-f].{5}\n",
                     Traces.read(task / "status")))

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


def test_children_are_counted_and_named(tmp_path, target):
    process = target(
        "sh", "-c", f"read x; {lab.program('spin')} 1 1; read y")
    output = tmp_path / "x.folded"
    watcher = start(*command(output, process.pid), stderr=subprocess.PIPE)
    in_it(process.pid)
    process.stdin.write("now\n")
    process.stdin.flush()
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    assert lab.wait_until(lambda: children.read_text() != "")
    assert lab.wait_until(lambda: children.read_text() == "")
    process.stdin.close()
    process.stdin = None
    _, err = watcher.communicate(timeout=lab.PATIENCE)
    assert watcher.returncode == 0, err
    assert "spin' was not sampled (1 process, " in err
    assert "started it, and is not followed" in err
    # A second, less what was after the last look at it.
    told = lab.Folded(output).inclusive()["[not sampled: child]"]
    assert 0.2e9 < told < 1.3e9


def test_wall_time_is_that_of_the_recording(tmp_path, target):
    process = lively(target)
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


# ---- seccomp ----


def unfiltered(output, pid, *options):
    """As root, who may read the filter of another process."""
    return command(output, pid, *options)[1:]


def test_a_container_s_filter_lets_an_agent_in(tmp_path, target):
    lab.need_root()
    process = target(
        lab.program("contained"), lab.program("lively_glibc_dynamic"))
    status = Path(f"/proc/{process.pid}/status")
    assert lab.wait_until(
        lambda: re.search(r"lively(.|\n)*Seccomp:\t2", status.read_text()))
    before = Traces(process.pid)
    for _ in range(2):
        result = lab.run(
            *unfiltered(tmp_path / "x.folded", process.pid, "-d", 0.5))
        assert result.returncode == 0, result.stderr
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
    watcher = start(*unfiltered(output, process.pid), stderr=subprocess.PIPE)
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


# ---- what is left ----


def test_nothing_stays_however_often(tmp_path, target):
    process = lively(target)
    before = Traces(process.pid)
    inject(tmp_path / "x.folded", process.pid, "-d", 0.1)
    first_kib = memory_kib(process.pid, "VmData")
    for _ in range(CYCLES):
        inject(tmp_path / "x.folded", process.pid, "-d", 0.1)
        after = Traces(process.pid)
        assert after.names == {"lively_glibc_dy\n"}
        assert after == before
    # Our last scratch is gone; malloc's arenas of passing threads are not ours.
    assert memory_kib(process.pid, "VmData") <= first_kib + 512
    process.stdin.close()
    process.stdin = None
    assert said_at_its_end(process) == "waiting 0, early 0\n"


def quiet_end(process):
    """Of storm, which has looked at all it did."""
    process.stdin.close()
    process.stdin = None
    assert said_at_its_end(process) == "errors 0\n"


def test_a_storm_goes_on(tmp_path, target):
    """Loader, allocator, restartable sequences, forks, setgid(): no moment is
    a good one."""
    process = target(lab.program("storm"))
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


def without_libraries(traces):
    """Code that is of no file."""
    return [line for line in traces.maps
            if len(line.split()) == 5 or "watchfire" in line]


def test_a_command_killed_at_any_moment_leaves_no_harm(tmp_path, target):
    process = target(lab.program("storm"))
    before = Traces(process.pid)
    for cycle in range(max(CYCLES // 2, 3)):
        watcher = start(
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
    process = target(lab.program("storm"))
    before = Traces(process.pid)
    watchers = [
        start(*command(tmp_path / f"{i}.folded", process.pid, "-d", 1),
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
        # A slow machine attaches less often, and may come too late at the end.
        if result.returncode != 0:
            assert process.poll() is not None, result.stderr
        else:
            seen += lab.Folded(output).inclusive()["run_waiter"]
    counted = json.loads(said_at_its_end(process))
    assert seen > 0
    for what in ("interrupted", "early", "pieces"):
        bad = {name: row[what] for name, row in counted.items() if row[what]}
        assert not bad, what
    for name, row in counted.items():
        assert row["late"] <= 1 + row["waits"] / 50, (name, row)


def test_a_killed_command_leaves_a_process_that_is_clean_again(
        tmp_path, target):
    """At six moments, from the injection on; then all are waited for."""
    processes = [lively(target) for _ in range(6)]
    before = [Traces(process.pid) for process in processes]
    for i, process in enumerate(processes):
        watcher = start(
            *command(tmp_path / f"{i}.folded", process.pid),
            stderr=subprocess.DEVNULL)
        time.sleep((0.005, 0.02, 0.04, 0.08, 0.2, 0.5)[i])
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


def is_a_page(line):
    begin, end = (int(word, 16) for word in line.split()[0].split("-"))
    return end - begin == 4096 and line.split()[1] == "r-xp"


# ---- ends ----


def test_an_exec_is_an_end(tmp_path, target):
    process = target("sh", "-c", "read x; exec sleep 30")
    output = tmp_path / "x.folded"
    watcher = start(
        *command(output, process.pid), stderr=subprocess.PIPE)
    assert lab.wait_until(
        lambda: "watchfire" in "".join(
            Traces.read(task / "comm")
            for task in Path(f"/proc/{process.pid}/task").iterdir()))
    process.stdin.write("\n")
    process.stdin.flush()
    _, err = watcher.communicate(timeout=lab.PATIENCE)
    assert watcher.returncode == 0, err
    assert process.poll() is None
    assert "watchfire" not in Path(f"/proc/{process.pid}/maps").read_text()


def test_an_interrupt_is_an_end(tmp_path, target):
    process = lively(target)
    before = Traces(process.pid)
    watcher = start(
        *command(tmp_path / "x.folded", process.pid), stderr=subprocess.PIPE)
    assert lab.wait_until(
        lambda: Path(f"/proc/{process.pid}/timers").read_text() != "")
    time.sleep(0.2)
    # refuse_perf has become the command by its exec.
    watcher.send_signal(signal.SIGINT)
    _, err = watcher.communicate(timeout=lab.PATIENCE)
    assert watcher.returncode == 0, err
    assert lab.Folded(tmp_path / "x.folded").total() > 0
    assert Traces(process.pid) == before


def test_a_process_that_gives_up_its_user_is_left(tmp_path, target):
    """A thread of root's must not stay in what is nobody's by then."""
    lab.need_root()
    process = target(
        "/usr/bin/python3", "-c",
        "import os; input(); os.setresuid(65534, 65534, 65534); input()")
    watcher = start(
        *command(tmp_path / "x.folded", process.pid), stderr=subprocess.PIPE)
    guest = in_it(process.pid)
    process.stdin.write("now\n")
    process.stdin.flush()
    _, err = watcher.communicate(timeout=lab.PATIENCE)
    assert watcher.returncode == 0, err
    assert "changed its user or group, so the agent left it" in err
    assert not guest.exists()
    assert process.poll() is None


def test_where_memfds_may_not_be_executed(tmp_path, target):
    """vm.memfd_noexec = 2, in a name space of pids of its own."""
    lab.need_root()
    process = target(
        lab.tool("unshare"), "--pid", "--fork", "--mount-proc", "sh", "-c",
        "echo 2 > /proc/sys/vm/memfd_noexec || exit 77; echo ready; "
        f"exec {lab.program('lively_glibc_dynamic')}")
    if process.stdout.readline() != "ready\n":
        pytest.skip("no vm.memfd_noexec here")
    inner = inner_process(process)
    before = Traces(inner)
    output = tmp_path / "x.folded"
    inject(output, inner, "-d", 0.5)
    weights = lab.Folded(output).inclusive()
    assert weights["run_steady"] >= weights["steady"] > 0
    assert Traces(inner) == before
    process.stdin.close()
    process.stdin = None
    assert said_at_its_end(process) == "waiting 0, early 0\n"


def inner_process(unshare):
    """Its child, once that runs the program."""
    children = Path(f"/proc/{unshare.pid}/task/{unshare.pid}/children")
    found = []

    def runs():
        found[:] = [
            int(pid) for pid in children.read_text().split()
            if "lively" in Traces.read(Path(f"/proc/{pid}/comm"))]
        return found

    def has_its_threads():
        return len(list(Path(f"/proc/{found[0]}/task").iterdir())) >= 3

    # Before, its libraries may still be on their way.
    assert lab.wait_until(runs) and lab.wait_until(has_its_threads)
    return found[0]


def test_a_process_in_name_spaces_of_its_own(tmp_path, target):
    """Mounts, pids, users, network: its files and threads have other names."""
    process = target(
        lab.tool("unshare"), "--user", "--map-root-user", "--mount", "--pid",
        "--net", "--fork", "--mount-proc",
        lab.program("lively_glibc_dynamic"))
    inner = inner_process(process)
    before = Traces(inner)
    output = tmp_path / "x.folded"
    inject(output, inner, "-d", 0.5)
    weights = lab.Folded(output).inclusive()
    assert weights["run_steady"] >= weights["steady"] > 0
    assert Traces(inner) == before
    process.stdin.close()
    process.stdin = None
    assert said_at_its_end(process) == "waiting 0, early 0\n"


def test_an_ordinary_user_may_watch_what_is_his(tmp_path, target):
    tmp_path.chmod(0o777)
    for folder in (tmp_path.parent, tmp_path.parent.parent):
        folder.chmod(folder.stat().st_mode | 0o111)
    process = target(
        *lab.as_nobody(lab.program("lively_glibc_dynamic")))
    comm = Path(f"/proc/{process.pid}/comm")
    assert lab.wait_until(lambda: "lively" in comm.read_text())
    before = Traces(process.pid)
    output = tmp_path / "x.folded"
    result = lab.run(
        *lab.as_nobody(*command(output, process.pid, "-d", 0.5)))
    assert result.returncode == 0, result.stderr
    assert lab.Folded(output).inclusive()["steady"] > 0
    assert Traces(process.pid) == before


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
    """No timer is in it, a SIGURG does it nothing, and it can be watched."""
    process = target("/usr/bin/python3", "-c", FORKS)
    watcher = start(
        *command(tmp_path / "x.folded", process.pid), stderr=subprocess.PIPE)
    in_it(process.pid)
    process.stdin.write("now\n")
    process.stdin.flush()
    child = int(process.stdout.readline())
    assert Path(f"/proc/{child}/timers").read_text() == ""
    inject(tmp_path / "child.folded", child, "-d", 0.5)
    assert lab.Folded(tmp_path / "child.folded").total() > 0
    watcher.send_signal(signal.SIGINT)
    _, err = watcher.communicate(timeout=lab.PATIENCE)
    assert watcher.returncode == 0, err
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
        watcher = start(
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


def test_without_a_safe_moment_it_gives_up(tmp_path, target):
    """A wait that cannot be taken up again with the time that is left."""
    process = target(
        "/usr/bin/python3", "-c",
        "import select, time; began = time.monotonic();"
        "select.epoll().poll(4); print(time.monotonic() - began >= 4)")
    syscall = Path(f"/proc/{process.pid}/syscall")
    assert lab.wait_until(
        lambda: syscall.read_text().split()[0] in ("232", "281", "441"))
    before = Traces(process.pid)
    said = refusal(tmp_path / "x.folded", process.pid)
    assert "came to a safe point within 2 s" in said and "--via perf" in said
    assert Traces(process.pid) == before
    assert said_at_its_end(process) == "True\n"


# ---- refusals ----


def refusal(output, pid):
    result = lab.run(*command(output, pid, "-d", 1))
    assert result.returncode == 1
    return lab.only_sentence(result.stderr)


def test_a_stopped_process_is_refused(tmp_path, target):
    process = lively(target)
    os.kill(process.pid, signal.SIGSTOP)
    status = Path(f"/proc/{process.pid}/status")
    assert lab.wait_until(lambda: "State:\tT" in status.read_text())
    said = refusal(tmp_path / "x.folded", process.pid)
    assert "is stopped" in said and f"kill -CONT {process.pid}" in said


def test_a_traced_process_is_refused(tmp_path, target):
    process = lively(target)
    tracer = target(lab.tool("strace"), "-qq", "-o", "/dev/null", "-p",
                    process.pid)
    status = Path(f"/proc/{process.pid}/status")
    assert lab.wait_until(
        lambda: f"TracerPid:\t{tracer.pid}\n" in status.read_text())
    assert "is traced by process" in refusal(tmp_path / "x.folded", process.pid)


def test_a_filter_that_cannot_be_read_is_refused(tmp_path, target):
    """A command that has a filter itself may not read another's."""
    process = target(lab.program("refuse_perf"), "sleep", 30)
    said = refusal(tmp_path / "x.folded", process.pid)
    assert "takes CAP_SYS_ADMIN" in said and "--via perf" in said


@pytest.mark.parametrize(
    "call, number",
    [("memfd_create", 319), ("timer_create", 222), ("restart_syscall", 219)])
def test_a_filter_that_refuses_a_call_is_told_by_its_name(
        tmp_path, target, call, number):
    lab.need_root()
    process = target(lab.program("refuse_calls"), call, "sleep", 3)
    maps = Path(f"/proc/{process.pid}/maps")
    assert lab.wait_until(lambda: "refuse_calls" not in maps.read_text())
    before = Traces(process.pid)
    result = lab.run(*unfiltered(tmp_path / "x.folded", process.pid, "-d", 1))
    assert result.returncode == 1
    said = lab.only_sentence(result.stderr)
    assert f"our call of {call} (number {number})" in said, said
    assert "--via perf" in said
    assert Traces(process.pid) == before
    # It was in a call that restart_syscall() would have taken up.
    if call == "restart_syscall":
        assert process.wait(lab.PATIENCE) == 0


def test_a_watched_process_is_refused(tmp_path, target):
    process = lively(target)
    watcher = start(
        *command(tmp_path / "x.folded", process.pid), stderr=subprocess.PIPE)
    assert lab.wait_until(
        lambda: Path(f"/proc/{process.pid}/timers").read_text() != "")
    said = refusal(tmp_path / "y.folded", process.pid)
    assert "is watched already" in said
    watcher.send_signal(signal.SIGINT)
    watcher.communicate(timeout=lab.PATIENCE)


def test_a_preloaded_process_is_refused(tmp_path, target):
    watcher = target(
        lab.WATCHFIRE, "record", "-o", tmp_path / "y.folded", "--", "sleep", 30,
        stderr=subprocess.DEVNULL)
    children = Path(f"/proc/{watcher.pid}/task/{watcher.pid}/children")
    assert lab.wait_until(lambda: children.read_text() != "")
    pid = int(children.read_text().split()[0])
    maps = Path(f"/proc/{pid}/maps")
    assert lab.wait_until(lambda: "libwatchfire" in maps.read_text())
    said = refusal(tmp_path / "x.folded", pid)
    assert "libwatchfire.so" in said
    os.kill(pid, signal.SIGTERM)
    watcher.wait(lab.PATIENCE)


def test_options_that_do_not_go_with_it(tmp_path):
    for words in (
            ("--via", "inject", "--", "true"),
            ("--via", "inject", "-p", "1", "--clock", "timer"),
            ("--via", "inject", "-p", "1", "--unwinder", "libunwind")):
        result = lab.run(lab.WATCHFIRE, "record", *words)
        assert result.returncode == 2
        assert "--via inject goes with" in result.stderr
