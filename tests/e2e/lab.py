"""What the end-to-end tests share: running programs, reading what came out.

Where things are comes from the environment, set by CMake:

    TESTS_WATCHFIRE   the watchfire command of the build under test
    TESTS_LIBRARY     its libwatchfire.so
    TESTS_PROGRAMS    the folder with the programs of tests/programs
    TESTS_SOURCE_DIR  the folder tests/
"""

import contextlib
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import time
from collections import Counter
from pathlib import Path

import pytest

WATCHFIRE = Path(os.environ["TESTS_WATCHFIRE"])
LIBRARY = Path(os.environ["TESTS_LIBRARY"])
PROGRAMS = Path(os.environ["TESTS_PROGRAMS"])
SOURCES = Path(os.environ["TESTS_SOURCE_DIR"]) / "programs"

# What we start has this in its environment: another suite may run beside us.
RUN = ("TESTS_RUN", str(os.getpid()))

# Long for a machine that does ten other things, short for one that hangs.
PATIENCE = 60

ACCOUNTS = ("[startup]", "[exit]", "[exec]", "[unsampled]")


def clean_environment(**more):
    """Ours, without what would steer watchfire, translate messages, or send
    what is for the loopback to a proxy."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("WATCHFIRE_", "SENTRY_", "LD_", "TESTS_"))
        and not name.lower().endswith("_proxy")
    }
    kept["LC_ALL"] = "C"
    kept[RUN[0]] = RUN[1]
    # Nothing is left behind, and no test answers from what another one read.
    kept["WATCHFIRE_CACHE"] = "off"
    # Debian's python3, not one that happens to come first.
    kept["PATH"] = "/usr/bin:/bin:/usr/sbin:/sbin"
    return {**kept, **more}


def run(*command, env=None, **options):
    """Run to the end; output as text unless asked otherwise."""
    options.setdefault("stdin", subprocess.DEVNULL)
    options.setdefault("text", True)
    options.setdefault("timeout", PATIENCE)
    return subprocess.run(
        [str(word) for word in command],
        capture_output=True,
        env=env if env is not None else clean_environment(),
        **options,
    )


def start(*command, **options):
    """Run beside us, to be talked to; its end is up to the caller."""
    options.setdefault("stdin", subprocess.PIPE)
    return subprocess.Popen(
        [str(word) for word in command], stdout=subprocess.PIPE, text=True,
        env=clean_environment(), **options)


# What the program `shares` does and tells the time of.
SHARES = (
    "part_inlined", "part_deep", "part_pointer", "part_linked", "part_loaded",
    "part_first_worker", "part_second_worker",
)

LIBCS = ("glibc_dynamic", "glibc_static", "musl_dynamic", "musl_static")


def free_port():
    """Of the loopback, and none that the kernel gives to who connects: he who
    asks for a server that is not there yet may be answered by himself, and the
    server then finds the port taken."""
    least = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text()
                .split()[0])
    while True:
        port = random.randrange(1024, max(least, 1025))
        with contextlib.suppress(OSError), socket.socket() as listener:
            listener.bind(("127.0.0.1", port))
            return port


def lively(target, libc="glibc_dynamic"):
    """A program with threads that do not end; `target`: the fixture."""
    path = PROGRAMS / f"lively_{libc}"
    if not path.exists():
        pytest.skip(f"{path} was not built")
    process = target(path)
    await_call(process.pid, *READS_INPUT)
    return process


# Calls by which a program says that it has begun, all its libraries loaded: a
# name, a file or a thread of its own is there before its loader is done.
READS_INPUT = (0, 0)  # read() from descriptor 0
SLEEPS = (230,)  # clock_nanosleep()
POLLS = (7,)  # poll()
POLLS_EPOLL = (232,)  # epoll_wait()


def is_in_call(pid, number, *arguments):
    """Whether the first thread waits there; see proc_pid_syscall(5)."""
    try:
        words = Path(f"/proc/{pid}/syscall").read_text().split()
    except OSError:
        return False
    if not words[0].isdigit() or int(words[0]) != number:
        return False
    return all(int(word, 16) == argument
               for word, argument in zip(words[1:], arguments))


def await_use(pid, seconds):
    """Until it has used so much CPU time more."""
    until = used_s(pid) + seconds
    assert wait_until(lambda: used_s(pid) > until)


def await_work(pid, threads):
    """Until so many threads are past their beginnings, and compute."""
    def used_ns():
        return [int(Path(f"/proc/{pid}/task/{tid}/schedstat").read_text()
                    .split()[0]) for tid in tasks(pid)]

    assert wait_until(lambda: len(tasks(pid)) == threads and
                      min(used_ns()) > 20e6)


def kernel_thread():
    """One, if any is in sight."""
    try:
        status = Path("/proc/2/status").read_text()
    except OSError:
        status = "VmSize"
    if "VmSize" in status:
        pytest.skip("no thread of the kernel is in sight")
    return 2


def await_call(pid, number, *arguments):
    assert wait_until(lambda: is_in_call(pid, number, *arguments)), (
        Path(f"/proc/{pid}/stat").read_text())


def tasks(pid):
    try:
        return os.listdir(f"/proc/{pid}/task")
    except OSError:
        return []


def program(name):
    """One of ours, by its name."""
    path = PROGRAMS / name
    assert path.exists(), f"{path} is not built"
    return path


def tool(name):
    """One of the system's programs; without it the test is skipped."""
    path = shutil.which(name, path=clean_environment()["PATH"])
    if path is None:
        pytest.skip(f"{name} is not installed (tools/setup test)")
    return path


# On a slow machine 997 Hz costs more than 3 %, deep stacks at 10 kHz do so
# anywhere: the rate would be lowered, rightly, and be told. Only test_governor
# wants that; elsewhere it would weaken the test.
AT_ANY_COST = ("--max-overhead", 100)


def record(outputs, *command, frequency=997, options=(), **run_options):
    """watchfire record, with one -o for each of the outputs."""
    flags = [word for path in outputs for word in ("-o", path)]
    if frequency is not None:
        flags = ["-F", frequency, *flags]
    return run(
        WATCHFIRE, "record", *flags, *AT_ANY_COST, *options, "--", *command,
        **run_options
    )


def report(path):
    """What watchfire report --json says of a recording."""
    result = run(WATCHFIRE, "report", "-i", path, "--json")
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


class Folded:
    """A folded file: stacks from the root to the leaf, and their weights."""

    def __init__(self, path):
        self.stacks = []
        for line in Path(path).read_text().splitlines():
            stack, count = line.rsplit(" ", 1)
            self.stacks.append((tuple(stack.split(";")), int(count)))

    def total(self):
        return sum(weight for _, weight in self.stacks)

    def weight(self, wanted):
        """Of the stacks for which wanted(stack) holds."""
        return sum(weight for stack, weight in self.stacks if wanted(stack))

    def inclusive(self):
        """Weight by function, with what it calls; recursion counts once."""
        weights = Counter()
        for stack, weight in self.stacks:
            for name in set(stack):
                weights[name] += weight
        return weights

    def account(self):
        return self.weight(lambda stack: stack[-1] in ACCOUNTS)

    def of_program(self, name):
        """The stacks of one program, by the frame that names the process."""
        pattern = re.compile(re.escape(name) + r"(-\d+)?$")
        part = Folded.__new__(Folded)
        part.stacks = [
            (stack, weight)
            for stack, weight in self.stacks
            if pattern.match(stack[0])
        ]
        return part


class PerfSample:
    """One sample as perf script prints it: frames from the leaf to the root."""

    def __init__(self, name, pid, tid, period):
        self.name, self.pid, self.tid, self.period = name, pid, tid, period
        self.frames = []  # (offset in the file, symbol, module)


def perf_samples(path, *options):
    """The samples of a recording, by stock perf. Its stderr must be empty."""
    result = run(
        tool("perf"), "script", "-i", path, "--no-inline",
        "--max-stack", 4096,  # it would cut at 127
        "-F", "comm,pid,tid,period,ip,sym,dso", *options,
        timeout=5 * PATIENCE,
    )
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    samples = []
    for line in result.stdout.splitlines():
        if not line.strip():
            continue
        frame = re.match(r"\s+([0-9a-f]+) (.*) \((.*)\)$", line)
        if frame:
            samples[-1].frames.append(
                (int(frame[1], 16), frame[2], frame[3])
            )
            continue
        head = re.match(r"\s*(.+?)\s+(\d+)/(\d+)\s+(\d+)\s*", line)
        assert head, f"perf script printed {line!r}"
        samples.append(
            PerfSample(head[1], int(head[2]), int(head[3]), int(head[4]))
        )
    return samples


def our_lines(stderr, without):
    """What stderr has beyond what the program alone writes to it."""
    assert stderr.startswith(without), (stderr, without)
    return stderr[len(without):].splitlines()


def only_sentence(stderr):
    """The one line that explains a refusal."""
    lines = stderr.splitlines()
    assert len(lines) == 1, stderr
    assert len(lines[0]) > 20, stderr
    return lines[0]


def is_xml(path):
    import xml.etree.ElementTree

    return xml.etree.ElementTree.parse(path).getroot() is not None


def summary_and_remarks(stderr, without=""):
    """Our lines: the last one sums up, those before it are remarks."""
    lines = our_lines(stderr, without)
    assert lines, "there is no summary"
    assert all(line.startswith("watchfire: ") for line in lines), lines
    return lines[-1], lines[:-1]


def need_root():
    if os.geteuid() != 0:
        pytest.skip("needs root, to become someone else")


NOBODY = 65534


def as_nobody(*command):
    """A command line that runs another as an unprivileged user."""
    need_root()
    return (
        tool("setpriv"), f"--reuid={NOBODY}", f"--regid={NOBODY}",
        "--clear-groups", "--", *command,
    )


def without_perfmon(*command):
    """A command line that may not see whole processors."""
    need_root()
    return (
        tool("setpriv"), "--bounding-set=-perfmon,-sys_admin", "--", *command)


def undisturbed():
    """What has a command go before all other work, where that is permitted."""
    prefix = (tool("chrt"), "-f", "1")
    return prefix if run(*prefix, "true").returncode == 0 else ()


def in_a_namespace(*command):
    """The command as PID 1 of a namespace of its own."""
    need_root()
    prefix = (tool("unshare"), "-pf", "--kill-child", "--mount-proc")
    if run(*prefix, "true").returncode != 0:
        pytest.skip("this system makes no namespaces")
    return (*prefix, *command)


def collectors():
    """Processes of ours that run watchfire, or wait for its tree."""
    ours = "=".join(RUN).encode()
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            executable = os.readlink(folder / "exe")
            words = (folder / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if ours in words and executable in (
                str(WATCHFIRE.resolve()), str(LIBRARY.resolve())):
            found.append(int(folder.name))
    return found


def assert_waits_were_whole(counted, but=()):
    """By the counts of tests/programs/waits.c. A virtual machine that stands
    still for a while makes all late at once; what begins one's limit anew makes
    that one late, and time and again."""
    for what in {"interrupted", "early", "pieces"} - set(but):
        bad = {name: row[what] for name, row in counted.items() if row[what]}
        assert not bad, what
    timed = [row for name, row in counted.items() if name.startswith("timed")]
    still = min(row["late"] for row in timed)
    for name, row in counted.items():
        spare = min(still, row["waits"] / 4) + 1 + row["waits"] / 20
        assert row["late"] <= spare, (name, row, still)


def wait_until(condition, seconds=PATIENCE):
    """Whether it came true; polled, so that a slow machine just takes longer."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def end(process):
    """Take down a process of ours that outlived its test."""
    if process.poll() is None:
        process.send_signal(signal.SIGKILL)
    process.wait(PATIENCE)


def used_s(pid):
    """The CPU time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Recorder:
    """record -p, from the moment it watches."""

    def __init__(
            self, way, outputs, pids, *options, before=(),
            watchfire=WATCHFIRE):
        self.pids = pids
        self.process = subprocess.Popen(
            [str(word) for word in (
                *before, watchfire, "record", "--via", way, *options,
                *(word for path in outputs for word in ("-o", path)),
                "-p", ",".join(str(pid) for pid in pids))],
            stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
            env=clean_environment())
        assert wait_until(
            lambda: self.process.poll() is not None or self.watches(way))

    def watches(self, way):
        """It waits for what comes, the end of each among it: all is open then.
        Timers of an agent are armed by itself, as soon as it may."""
        try:
            folder = Path(f"/proc/{self.process.pid}/fd")
            ends = [entry for entry in folder.iterdir()
                    if os.readlink(entry) == "anon_inode:[pidfd]"]
            armed = [pid for pid in self.pids
                     if Path(f"/proc/{pid}/timers").read_text()]
        except OSError:
            return False
        return (len(ends) >= len(self.pids) and
                is_in_call(self.process.pid, *POLLS) and
                (way != "inject" or len(armed) == len(self.pids)))

    def end(self):
        _, err = self.process.communicate(timeout=PATIENCE)
        return subprocess.CompletedProcess(
            self.process.args, self.process.returncode, None, err)

    def end_when_used(self, seconds):
        """Time in which the programs ran, however many others do."""
        begun = {pid: used_s(pid) for pid in self.pids}
        assert wait_until(lambda: self.process.poll() is not None or all(
            used_s(pid) - begun[pid] > seconds for pid in self.pids))
        self.process.send_signal(signal.SIGINT)
        return self.end()


def in_own_mounts(script):
    """A shell's command line that runs with mounts of its own."""
    need_root()
    words = [tool("unshare"), "--mount"]
    if run(*words, "true").returncode != 0:
        pytest.skip("no mount namespaces here")
    return [*words, "/bin/sh", "-e", "-c", script]
