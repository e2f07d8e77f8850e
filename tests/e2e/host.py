"""Running a program plainly and watched, and holding the two together."""

import re
import subprocess

import lab

# By the command; the same where perf events are refused, as in Docker, so that
# timers drive the sampling; and by LD_PRELOAD alone.
WAYS = ("record", "refused", "preload")


class Watched:
    """How a watched run looked from outside, and its profile."""

    def __init__(self, way, result, path, remarks):
        self.way, self.result = way, result
        self.path, self.remarks = path, remarks

    def folded(self):
        return lab.Folded(self.path)


def watch(tmp_path, way, *command, frequency=997, settings=(), **options):
    """Run a command watched; our own lines are told apart by their prefix."""
    path = tmp_path / f"{way}.folded"
    if way == "preload":
        env = dict(options.pop("env", None) or lab.clean_environment())
        env.update({
            "LD_PRELOAD": str(lab.LIBRARY), "WATCHFIRE_OUTPUT": str(path),
            "WATCHFIRE_FREQUENCY": str(frequency),
            "WATCHFIRE_MAX_OVERHEAD": "100", **dict(settings)})
        result = lab.run(*command, env=env, **options)
    else:
        prefix = (lab.program("refuse_perf"),) if way == "refused" else ()
        result = lab.run(
            *prefix, lab.WATCHFIRE, "record", "-F", frequency,
            *lab.AT_ANY_COST, "-o", path, "--", *command, **options)
    ours = [line for line in result.stderr.splitlines()
            if line.startswith("watchfire: ")]
    return Watched(way, result, path, ours[:-1] if way != "preload" else ours)


def others(stderr):
    """What is not ours, nor the loader's word of what it could not preload."""
    return [line for line in stderr.splitlines()
            if not line.startswith("watchfire: ")
            and not re.match(r"ERROR: ld\.so: .*/libwatchfire\.so", line)]


def alike(tmp_path, way, *command, frequency=997, settings=(), **options):
    """Both runs must look the same from outside."""
    plain = lab.run(*command, **options)
    watched = watch(tmp_path, way, *command, frequency=frequency,
                    settings=settings, **options)
    hold_together(plain, watched)
    return watched


def hold_together(plain, watched):
    assert watched.result.stdout == plain.stdout
    assert watched.result.returncode == plain.returncode
    assert others(watched.result.stderr) == others(plain.stderr)


def cases(name):
    """The cases of a program that has many: PROGRAM CASE."""
    listed = subprocess.run(
        [lab.PROGRAMS / name], capture_output=True, text=True)
    return listed.stderr.split()


# Of programs that were watched by ticks and used less CPU time than this, which
# may be all between ticks on a busy machine: whether a tick was met.
FEW_TICKS_NS = 100e6
met_ticks = []


def has_samples(watched):
    """Whether more was seen than accounts that no sample covers."""
    if not lab.wait_until(watched.path.exists):
        return False
    folded = watched.folded()
    is_seen = folded.total() > folded.account()
    if watched.way == "refused" and 0 < folded.total() < FEW_TICKS_NS:
        met_ticks.append(is_seen)
        return True
    return is_seen


def some_met_a_tick():
    """At worst one program of five met none, so of eight some did."""
    return any(met_ticks) or len(met_ticks) < 8


def adds_up(watched):
    """Whether the profile has the CPU time that the kernel tells, no more and
    no less. For record, whose last line says that."""
    told = re.search(r"([0-9.]+) s of CPU time", watched.result.stderr)
    kernel_ns = float(told[1]) * 1e9
    total_ns = watched.folded().total()
    return abs(total_ns - kernel_ns) <= max(0.01 * kernel_ns, 2e6)
