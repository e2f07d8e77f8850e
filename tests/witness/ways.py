"""How a unit is started: without watchfire, or under it; and by whom."""

import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from unit import WHOLE, Outcome

NOBODY = 65534
PLAIN, RECORD, PRELOAD = "plain", "record", "preload"
CLOCKS = {
    "perf": "as root: perf events, kernel time included",
    "user": "as uid 65534: perf events for user time, timers for the kernel's",
    "timer": "perf_event_open refused by seccomp: timers alone",
}


class Bench:
    """
    A copy of the build where anyone may read it, and folders to run in.

    watchfire, library  the files under test
    refuse_perf         the program that takes perf_event_open away
    """

    def __init__(self, watchfire, library, refuse_perf, rate, clock):
        self.rate, self.clock = rate, clock
        # Short: sockets are made in there, and their paths end at 107 bytes.
        self.root = Path(tempfile.mkdtemp(prefix="witness-", dir="/tmp"))
        self.root.chmod(0o755)
        for folder, file in (
            ("bin", watchfire), ("lib", library), ("bin", refuse_perf)):
            place = self.root / folder
            place.mkdir(exist_ok=True)
            place.chmod(0o755)
            shutil.copy(file, place)
            (place / Path(file).name).chmod(0o755)
        self.watchfire = self.root / "bin" / "watchfire"
        self.library = self.root / "lib" / "libwatchfire.so"
        self.runs = 0
        self.sampled_ns = 0

    def close(self):
        shutil.rmtree(self.root, ignore_errors=True)

    def run(self, unit, way):
        """{case: result} of one run, and what it printed."""
        self.runs += 1
        folder = self.root / f"r{self.runs}"
        for path in (folder, folder / "in", folder / "out"):
            path.mkdir()
            if self.clock == "user":
                os.chown(path, NOBODY, NOBODY)
        outcome = self._run(unit, way, folder)
        cases = unit.cases(outcome)
        cases[WHOLE] = outcome.status
        if way != PLAIN:
            self.sampled_ns += folded_total(folder / "out" / "p.folded")
        shutil.rmtree(folder, ignore_errors=True)
        return cases, outcome.output

    def _run(self, unit, way, folder):
        inside = folder / "in"
        environment = self._environment(inside)
        environment.update(unit.environment)
        command = [
            str(word).replace("{folder}", str(inside)) for word in unit.command
        ]
        profile = folder / "out" / "p.folded"
        if way == RECORD:
            command = [
                self.watchfire, "record", "-F", str(self.rate),
                "--max-overhead", "100", "-o", profile, "--", *command,
            ]
        elif way == PRELOAD:
            command = [
                "env", f"LD_PRELOAD={self.library}",
                f"WATCHFIRE_OUTPUT={profile}",
                f"WATCHFIRE_FREQUENCY={self.rate}",
                "WATCHFIRE_MAX_OVERHEAD=100", *command,
            ]
        with open(folder / "output", "w+b") as output:
            process = subprocess.Popen(
                [*self._as(), *command], cwd=unit.folder or inside,
                env=environment, stdin=subprocess.DEVNULL, stdout=output,
                stderr=subprocess.STDOUT, start_new_session=True)
            status = wait_for(process, unit.seconds)
            sweep(process.pid)
            output.seek(0)
            text = output.read().decode(errors="replace")
        if way == RECORD:
            text = re.sub(r"(?m)^watchfire: .*\n", "", text)
        return Outcome(status, text, inside)

    def _as(self):
        """Never with the right to set the system's clock: some tests would."""
        become = ["setpriv", "--bounding-set=-sys_time"]
        if self.clock == "user":
            become += [
                f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
        if self.clock == "timer":
            return [*become, "--", self.root / "bin" / "refuse_perf"]
        return [*become, "--"]

    def _environment(self, inside):
        return {
            "PATH": "/usr/bin:/bin:/usr/sbin:/sbin",
            "HOME": str(inside), "TMPDIR": str(inside), "LC_ALL": "C.UTF-8",
            "LANG": "C.UTF-8", "TERM": "dumb",
        }


def wait_for(process, seconds):
    try:
        code = process.wait(seconds)
    except subprocess.TimeoutExpired:
        return "timeout"
    return f"exit {code}" if code >= 0 else f"signal {-code}"


def members(session):
    """Living processes of a session, by /proc/PID/stat (proc(5))."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[3] == str(session) and fields[0] not in "ZX":
            found.append(int(stat.parent.name))
    return found


def sweep(session):
    """End what a unit left running in its session: we started it."""
    deadline = time.monotonic() + 300
    while left := members(session):
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        if time.monotonic() > deadline:
            raise RuntimeError(f"processes {left} cannot be killed")
        time.sleep(0.02)
    try:
        os.waitpid(session, 0)
    except ChildProcessError:
        pass


def folded_total(path):
    """Nanoseconds in a folded profile: proof that someone was watching."""
    total = 0
    try:
        lines = path.read_text(errors="replace").splitlines()
    except OSError:
        return 0
    for line in lines:
        stack, _, count = line.rpartition(" ")
        if not stack.rpartition(";")[2].startswith("["):
            total += int(count)
    return total
