"""Event wall: time asleep, seen from outside, on the right stacks."""

import json
import shutil
import subprocess
import time

import pytest

import lab

CLOCKS = ("root", "ordinary user", "perf refused")
WAYS = ("perf", "ptrace")  # into a process that runs; inject has its own
SECONDS = 3

# What each thread of the program does, and the function it sleeps in.
SLEEPS = {
    "nap": "nap", "wait_for_lock": "wait_for_lock",
    "wait_for_event": "wait_for_event", "end_early": "end_early",
    "by_turns": "turn_idle",
}


def public_copy(folder, name):
    copy = folder / name
    if not copy.exists():
        shutil.copy(lab.program(name), copy)
        copy.chmod(0o755)
    return copy


def record_wall(clock, folder, outputs, name, *arguments, options=()):
    """record -e wall of one of our programs, where the clock is this one."""
    words = ["record", "-e", "wall", *lab.AT_ANY_COST, *options]
    for path in outputs:
        words += ["-o", path]
    if clock == "ordinary user":
        command = lab.as_nobody(
            folder / "bin" / "watchfire", *words, "--",
            public_copy(folder, name), *arguments)
    else:
        before = (lab.program("refuse_perf"),) if clock != "root" else ()
        command = (*before, lab.WATCHFIRE, *words, "--", lab.program(name),
                   *arguments)
    result = lab.run(*command)
    assert result.returncode == 0, result.stderr
    return result


def attach_wall(way, outputs):
    """What `sleepers` tells, which begins when it is watched."""
    program = subprocess.Popen(
        [lab.program("sleepers"), str(SECONDS), "go"], text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        env=lab.clean_environment())
    try:
        recorder = lab.Recorder(
            way, outputs, [program.pid], "-e", "wall", "--threads")
        out, _ = program.communicate("now\n", timeout=lab.PATIENCE)
        result = recorder.end()
        assert result.returncode == 0, result.stderr
        return out
    finally:
        lab.end(program)


class Walls:
    """The program's own word, and a recording of it."""

    def __init__(self, how, folder):
        self.folded_path = folder / f"walls-{how.replace(' ', '-')}.folded"
        self.data_path = self.folded_path.with_suffix(".data")
        outputs = [self.folded_path, self.data_path]
        if how in WAYS:
            told = json.loads(attach_wall(how, outputs))
        else:
            told = json.loads(record_wall(
                how, folder, outputs, "sleepers", SECONDS,
                options=("--threads",)).stdout)
        self.threads = {row["name"]: row for row in told["threads"]}
        self.main = told["main"]
        self.folded = lab.Folded(self.folded_path)
        self.report = lab.report(self.data_path)
        self.before_ns = self.folded.weight(
            lambda stack: "wait_to_begin" in stack)
        self.total_ns = self.main["wall_ns"] + sum(
            row["wall_ns"] for row in self.threads.values())

    def of_thread(self, name):
        """All that stands below the thread that runs this function."""
        labels = {stack[1] for stack, _ in self.folded.stacks
                  if name in stack and "run_worker" in stack}
        assert len(labels) == 1, labels
        return self.folded.weight(
            lambda stack: len(stack) > 2 and stack[1] in labels)

    def share(self, wanted):
        return self.folded.weight(wanted) / self.total_ns


@pytest.fixture(scope="module", params=CLOCKS + WAYS)
def walls(request, public_folder):
    return Walls(request.param, public_folder)


# Threads wait for a CPU where neither they nor we can tell, so what is told has
# two bounds; on a machine with nothing else to do they are one.
POINTS = 0.02


def lies_between(seen, least, most, all_ns, points=POINTS):
    return least / all_ns - points < seen / all_ns < most / all_ns + points


def test_each_thread_has_its_wall_time(walls):
    for name, row in walls.threads.items():
        assert lies_between(
            walls.of_thread(name), row["wall_ns"], row["lived_ns"],
            walls.total_ns, POINTS / 2), (name, row)


def test_all_of_it_is_the_wall_time_of_all_threads(walls):
    seen_ns = walls.folded.total() - walls.before_ns
    # What the first has waited for when it is told to begin may be in both.
    most_ns = walls.main["before_ns"] + walls.main["wall_ns"] + sum(
        row["lived_ns"] for row in walls.threads.values())
    assert lies_between(seen_ns, walls.total_ns, most_ns, walls.total_ns)


@pytest.mark.parametrize("name", SLEEPS)
def test_a_sleep_is_where_and_as_long_as_it_was(walls, name):
    row = walls.threads[name]
    seen = walls.folded.weight(
        lambda stack: "run_worker" in stack and name in stack
        and SLEEPS[name] in stack)
    slept_ns = row["wall_ns"] - row["cpu_ns"]
    assert lies_between(
        seen, slept_ns - row["within_ns"], slept_ns - row["seen_ns"],
        walls.total_ns), row


@pytest.mark.parametrize("name,busy", (
    ("compute", "compute"), ("by_turns", "turn_busy")))
def test_what_runs_is_seen_beside_it(walls, name, busy):
    told = walls.threads[name]["cpu_ns"] / walls.total_ns
    seen = walls.share(lambda stack: name in stack and busy in stack)
    assert seen == pytest.approx(told, abs=POINTS)


def test_states_are_told_apart(walls):
    states = {row["state"]: row["total"] for row in walls.report["states"]}
    rows = walls.threads.values()

    def sum_of(field):
        return sum(row[field] for row in rows)

    cpu_ns, main = sum_of("cpu_ns"), walls.main
    awake_ns = main["cpu_ns"] + main["wait_ns"] - main["before_ns"]
    bounds = {
        "running": (cpu_ns, cpu_ns + main["cpu_ns"]),
        "waiting for a CPU": (
            sum_of("seen_ns"), sum_of("wait_ns") + main["wait_ns"]),
        "sleeping": (
            sum_of("wall_ns") - cpu_ns - sum_of("within_ns")
            + main["wall_ns"] - awake_ns,
            sum_of("lived_ns") - cpu_ns - sum_of("seen_ns")
            + main["wall_ns"] + walls.before_ns),
    }
    for state, (least, most) in bounds.items():
        assert lies_between(
            states.get(state, 0), least, most, walls.total_ns), state


# ---- whole stacks ----


def user_frames(data):
    """Of each sample, with whether it is one of the first thread."""
    for sample in lab.perf_samples(data, "-f"):
        yield sample.tid == sample.pid, [
            symbol.split("+")[0] for _, symbol, module in sample.frames
            if not module.startswith("[kernel")]


def newborn(data):
    """The number of samples of threads that have just been made: one may be
    met, in the kernel as well, where no rule says that it is the first frame,
    right behind the system call. What is above it on its stack is no code."""
    return sum(frames[:1] == ["clone3"] and len(frames) <= 2
               for _, frames in user_frames(data))


def outside_main(data):
    """Of those before main() and behind it: by perf events, what the copy of a
    stack lacks is read afterwards, and a process at its end has it no more."""
    return sum(is_first and "main" not in frames
               for is_first, frames in user_frames(data))


def test_every_stack_reaches_the_first_frame(walls):
    data = walls.data_path
    assert walls.report["quality"]["incomplete_samples"] <= (
        newborn(data) + outside_main(data))
    for stack, _ in walls.folded.stacks:
        if "run_worker" in stack:
            assert stack[stack.index("run_worker") - 1] == "start_thread"
            assert "main" not in stack


def test_the_recording_keeps_event_and_states(walls):
    assert walls.report["value"] == {"name": "wall", "unit": "nanoseconds"}
    assert walls.report["total"] == walls.folded.total()
    samples = lab.perf_samples(walls.data_path, "-f")
    assert sum(sample.period for sample in samples) == walls.report["total"]


# ---- stacks ----

# Optimized, these end in a jump to the call, which leaves no frame: they are
# seen only on their way there, by chance.
JUMPING = {"timed_nanosleep", "timed_usleep", "endless_sem_wait"}


# The same waits from code with and without frame pointers.
@pytest.mark.parametrize("name,jumping", (
    ("waits", JUMPING), ("waits_O0", set()), ("waits_fp", JUMPING)))
def test_sleepers_of_all_calls_are_seen_whole(tmp_path, name, jumping):
    folded = tmp_path / "waits.folded"
    data = tmp_path / "waits.data"
    result = lab.record([folded, data], lab.program(name), 2,
                        options=("-e", "wall"))
    assert result.returncode == 0, result.stderr
    quality = lab.report(data)["quality"]
    assert quality["incomplete_samples"] <= 0.01 * quality["samples"], quality
    calls = set()
    for stack, _ in lab.Folded(folded).stacks:
        if "wait_once" in stack:
            at = stack.index("wait_once")
            assert stack[at - 2:at] == ("start_thread", "run_waiter"), stack
            calls.update(stack[at + 1:at + 2])
    sleeping = {kind.replace(" ", "_") for kind in json.loads(result.stdout)
                if kind.startswith(("timed ", "endless "))}
    assert len(sleeping) == 29
    assert sleeping - jumping - calls == set()


def idle(code):
    return (lab.tool("python3"), "-c", code)


def test_sleeping_interpreters_are_seen_whole(tmp_path):
    data, folded = tmp_path / "python.data", tmp_path / "python.folded"
    result = lab.record([data, folded], *idle(
        "import queue, threading, time, select\n"
        "q = queue.Queue()\n"
        "l = threading.Lock(); l.acquire()\n"
        "ts = [threading.Thread(target=f, daemon=True) for f in ("
        "q.get, l.acquire, lambda: time.sleep(9),"
        "lambda: select.select([], [], [], 9),"
        "lambda: select.epoll().poll(9))]\n"
        "[t.start() for t in ts]; time.sleep(1.5)\n"), options=("-e", "wall"))
    assert result.returncode == 0, result.stderr
    report = lab.report(data)
    assert report["quality"]["samples"] > 5
    assert report["quality"]["incomplete_samples"] <= newborn(data)
    # Five threads and the first: 1.5 s of each.
    seen = lab.Folded(folded)
    assert seen.inclusive()["Py_BytesMain"] > 1.4e9
    assert seen.inclusive()["start_thread"] > 5 * 1.4e9


# ---- many threads, many processes ----

IDLE = 2000


def test_idle_threads_are_not_woken_and_cheap(tmp_path):
    def measure(event):
        used = tmp_path / f"used-{event}"
        # Where others have the processor in between, and its caches, a look
        # takes up to ten times as much.
        result = lab.run(
            *lab.undisturbed(), lab.program("timed"), used, lab.WATCHFIRE,
            "record", "-e", event, "-o", tmp_path / f"{event}.folded", "--",
            lab.program("idle"), 5, IDLE)
        assert result.returncode == 0, result.stderr
        return (sum(map(int, used.read_text().split())),
                json.loads(result.stdout))

    cpu_ns, _ = measure("cpu")
    wall_ns, told = measure("wall")
    # Each left its CPU to sleep; one wake-up each would double that.
    assert told["switches"] < 1.2 * IDLE
    # What looking costs, against the seconds it was done for: a first look at
    # each, then a fiftieth of a CPU. Ten runs among 20 to 70 busy threads: 0.06
    # with a deviation of 0.01; 0.26 where nothing held it back.
    assert (wall_ns - cpu_ns) / 5e9 < 0.15
    # All of them, all of the time.
    folded = lab.Folded(tmp_path / "wall.folded")
    dozed = folded.inclusive()["doze"]
    assert dozed / told["lived_ns"] == pytest.approx(1, abs=0.02)


def test_threads_too_short_to_be_looked_at_are_in_the_sum(tmp_path):
    folded = tmp_path / "brief.folded"
    result = lab.record([folded], lab.program("brief_sleepers"), 800,
                        options=("-e", "wall", "--threads"))
    assert result.returncode == 0, result.stderr
    told = json.loads(result.stdout)
    seen = lab.Folded(folded).total()
    assert 0.98 < seen / (told["threads_ns"] + told["main_ns"])
    # A thread is there a little after it was joined.
    assert seen / (told["most_ns"] + told["main_ns"]) < 1.2


def test_children_are_seen_asleep(tmp_path):
    folded = tmp_path / "children.folded"
    result = lab.record(
        [folded], lab.tool("bash"), "-c",  # which tells the time itself
        "echo $EPOCHREALTIME; sleep 1 & sleep 1; wait; echo $EPOCHREALTIME; "
        "exec sleep 1", options=("-e", "wall"))
    over = time.time()
    assert result.returncode == 0, result.stderr
    begun, waited_for = map(float, result.stdout.split())
    # Who has slept waits for a CPU, which nobody sees who ends then.
    both, last = waited_for - begun, over - waited_for
    stacks = lab.Folded(folded)
    asleep = stacks.of_program("sleep").weight(
        lambda stack: any("nanosleep" in name for name in stack))
    # Before the first look, some ms later, nobody knows where it is.
    assert 2.7 < asleep / 1e9 < 2 * both + last + 0.1
    waited = stacks.of_program("bash").weight(
        lambda stack: any("wait" in name for name in stack))
    assert 0.9 < waited / 1e9 < both + 0.1


def test_preloaded_alone_it_is_a_variable(tmp_path):
    folded = tmp_path / "alone.folded"
    result = lab.run(
        lab.program("sleepers"), 1, env=lab.clean_environment(
            LD_PRELOAD=str(lab.LIBRARY), WATCHFIRE_EVENT="wall",
            WATCHFIRE_OUTPUT=str(folded)))
    assert result.returncode == 0, result.stderr
    assert lab.Folded(folded).inclusive()["wait_for_event"] > 0.9e9


# ---- where looking is refused ----

def test_where_looking_is_refused_it_says_so_and_counts(public_folder):
    folded = public_folder / "refused.folded"
    python = lab.tool("python3")
    # PR_SET_DUMPABLE, 0: a program that keeps its memory to itself.
    code = ("import ctypes, time; ctypes.CDLL(None).prctl(4, 0, 0, 0, 0); "
            "begun = time.monotonic(); time.sleep(1); "
            "print(time.monotonic() - begun)")
    result = lab.run(*lab.as_nobody(
        public_folder / "bin" / "watchfire", "record", "-e", "wall",
        "-o", folded, "--", python, "-c", code))
    assert result.returncode == 0, result.stderr
    _, remarks = lab.summary_and_remarks(result.stderr)
    assert sum("refuses a look" in line for line in remarks) == 1
    off_cpu = lab.Folded(folded).weight(lambda stack: stack[-1] == "[off-cpu]")
    assert 0.9 < off_cpu / 1e9 < float(result.stdout) + 0.1


def test_where_memory_is_refused_a_file_is_read(tmp_path):
    """process_vm_readv() refused by a filter: /proc/PID/mem serves as well."""
    folded = tmp_path / "filtered.folded"
    result = lab.run(
        lab.program("refuse_perf"), "--memory", lab.WATCHFIRE, "record",
        "-e", "wall", "-o", folded, "--", lab.program("sleepers"), 1)
    assert result.returncode == 0, result.stderr
    assert lab.Folded(folded).inclusive()["wait_for_event"] > 0.9e9
