"""The three clocks a system may permit, and what a recording by them says.

    perf      root: perf events see user and kernel time
    user      an ordinary user at kernel.perf_event_paranoid = 2: perf events
              see user time, timers on the kernel's tick show kernel time
    refused   perf_event_open is refused by seccomp, as Docker does: timers
"""

import json

import lab

CLOCKS = ("perf", "user", "refused")


class Clock:
    """Runs watchfire where this clock, and no better one, is permitted."""

    def __init__(self, name, folder):
        self.name = name
        self.folder = folder

    def _program(self, name):
        """A copy that anyone may read."""
        copy = self.folder / name
        if not copy.exists():
            copy.write_bytes(lab.program(name).read_bytes())
            copy.chmod(0o755)
        return copy

    def _wrap(self, command):
        if self.name == "user":
            return lab.as_nobody(*command)
        if self.name == "refused":
            return (self._program("refuse_perf"), *command)
        lab.need_root()
        return command

    def record(
            self, program, *arguments, frequency=997, options=(), prefix=()):
        data = self.folder / "clock.data"
        folded = self.folder / "clock.folded"
        result = lab.run(*prefix, *self._wrap((
            self.folder / "bin" / "watchfire", "record", "-F", frequency,
            *lab.AT_ANY_COST, *options, "-o", data, "-o", folded, "--",
            self._program(program), *arguments)), timeout=5 * lab.PATIENCE)
        assert result.returncode == 0, result.stderr
        recording = Recording(result, lab.report(data), lab.Folded(folded))
        data.unlink()
        folded.unlink()
        return recording


class Recording:
    def __init__(self, result, report, folded):
        self.told = json.loads(result.stdout)  # what the program measured
        self.summary, self.remarks = lab.summary_and_remarks(result.stderr)
        self.quality = report["quality"]
        self.folded = folded

    def sum_ratio(self):
        """The sum of all weights against the kernel's figure."""
        return self.folded.total() / self.quality["kernel_ns"]

    def account_share(self):
        return self.folded.account() / self.folded.total()

    def delivered_hz(self):
        return self.quality["samples"] / (self.quality["kernel_ns"] / 1e9)

    def seen(self, function):
        return self.folded.inclusive()[function] / self.folded.total()

    def true(self, function):
        return self.told["parts"][function] / self.told["total_ns"]
