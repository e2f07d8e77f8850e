"""record -p and --via perf: processes sampled from outside, left as they are."""

import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

import lab

WAY = "by perf events from outside"


def descriptors(pid, kind):
    """How many of a kind a process has open."""
    count = 0
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        try:
            count += kind in os.readlink(entry)
        except OSError:
            pass
    return count


class Attached:
    """watchfire record -p, from the moment it watches until its end."""

    def __init__(
            self, outputs, target, *options, user=(),
            watchfire=lab.WATCHFIRE):
        flags = [word for path in outputs for word in ("-o", path)]
        command = [*user, watchfire, "record", "-F", 997, *flags, *options]
        if target is not None:
            command += ["-p", target]
        self.process = subprocess.Popen(
            [str(word) for word in command], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env=lab.clean_environment())
        # It waits for what comes: all is open, listed and enabled by then.
        assert lab.wait_until(
            lambda: self.process.poll() is not None
            or descriptors(self.process.pid, "pidfd") > 0
            and lab.is_in_call(self.process.pid, *lab.POLLS))

    def end(self):
        out, err = self.process.communicate(timeout=lab.PATIENCE)
        assert out == ""
        assert self.process.returncode == 0, err
        return err

    def interrupt(self):
        self.process.send_signal(signal.SIGINT)
        return self.end()


def start(*command, **options):
    return subprocess.Popen(
        [str(word) for word in command], stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, text=True, env=lab.clean_environment(),
        **options)


# Where perf events are: on processors as root, on threads for all others.
EVENTS = ("processors", "threads")


def events_on(what):
    return () if what == "processors" else lab.without_perfmon()


class Stopped:
    """A command that waits to be attached to; its exec comes after that."""

    def __init__(self, *command, user=()):
        self.process = start(
            *user, "sh", "-c", 'kill -STOP $$; exec "$@"', "sh", *command)
        self.pid = self.process.pid
        assert lab.wait_until(lambda: self.state() == "T")

    def state(self):
        status = Path(f"/proc/{self.pid}/stat").read_text()
        return status.rsplit(")", 1)[1].split()[0]

    def go_on(self):
        os.kill(self.pid, signal.SIGCONT)
        out, _ = self.process.communicate(timeout=lab.PATIENCE)
        assert self.process.returncode == 0
        return out


@pytest.fixture
def target():
    """Starts programs that are gone when the test is over."""
    started = []

    def begin(*command, **options):
        started.append(start(*command, **options))
        return started[-1]

    yield begin
    for process in started:
        lab.end(process)


def summary(stderr):
    last, _ = lab.summary_and_remarks(stderr)
    assert WAY in last, stderr
    return last


# ---- truth ----


def stolen_ns():
    """What a hypervisor took from all processors so far: the sampling clock
    goes on meanwhile, and the kernel's figures leave it out."""
    line = Path("/proc/stat").read_text().split("\n", 1)[0]
    return int(line.split()[8]) * 10**9 // os.sysconf("SC_CLK_TCK")


def assert_is_all(ours_ns, used_ns, stolen):
    """Within 2 percent, and what was stolen."""
    assert 0.98 * used_ns <= ours_ns <= 1.02 * used_ns + stolen


class Shares:
    """A program that knows its shares, attached to before its exec."""

    def __init__(self, folder):
        self.data = folder / "shares.data"
        before = stolen_ns()
        stopped = Stopped(lab.program("shares"), 3)
        attached = Attached(
            [folder / "shares.folded", self.data], stopped.pid)
        self.told = json.loads(stopped.go_on())
        self.stderr = attached.end()
        self.stolen = stolen_ns() - before
        self.folded = lab.Folded(folder / "shares.folded")


@pytest.fixture(scope="module")
def shares(tmp_path_factory):
    return Shares(tmp_path_factory.mktemp("shares"))


@pytest.mark.parametrize("part", lab.SHARES)
def test_a_share_is_that_of_the_program(shares, part):
    told = shares.told["parts"][part] / shares.told["total_ns"]
    seen = shares.folded.inclusive()[part] / shares.folded.total()
    assert seen == pytest.approx(told, abs=0.025)


def test_the_total_is_the_cpu_time_used(shares):
    assert_is_all(
        shares.folded.total(), shares.told["total_ns"], shares.stolen)
    assert shares.folded.account() / shares.folded.total() < 0.01


def test_the_exec_is_followed_and_the_end_is_an_end(shares):
    assert "of 2 processes" in summary(shares.stderr)
    roots = {stack[0].split("-")[0] for stack, _ in shares.folded.stacks}
    assert "shares" in roots


def test_every_stack_is_complete_down_to_200_levels(shares):
    quality = lab.report(shares.data)["quality"]
    assert quality["lost_samples"] == 0
    assert quality["incomplete_samples"] / quality["samples"] <= 0.002
    full = shares.folded.weight(
        lambda stack: stack.count("descend") == shares.told["depth"] + 1)
    assert full / shares.folded.inclusive()["part_deep"] > 0.95


def test_the_kernels_time_is_seen_with_its_frames(shares):
    if os.geteuid() != 0:
        pytest.skip("needs root, to see the kernel")
    kernel = shares.folded.weight(lambda stack: stack[-1].endswith("_[k]"))
    assert 0 < kernel / shares.folded.total() < 0.3
    # By a call, an exception or an interrupt; or where a thread begins.
    entries = ("entry_", "asm_", "ret_from_fork")
    assert [
        stack for stack, _ in shares.folded.stacks if stack[-1].endswith("_[k]")
        and not any(frame.startswith(entries) for frame in stack)] == []


def test_an_ordinary_user_sees_his_own_in_user_mode(public_folder):
    output = public_folder / "attached.folded"
    before = stolen_ns()
    user = lab.as_nobody()
    stopped = Stopped(lab.program("shares"), 1, user=user)
    attached = Attached(
        [output], stopped.pid, user=user,
        watchfire=public_folder / "bin" / "watchfire")
    told = json.loads(stopped.go_on())
    remarks = lab.summary_and_remarks(attached.end())[1]
    assert "kernel.perf_event_paranoid = " in "".join(remarks)
    folded = lab.Folded(output)
    assert_is_all(folded.total(), told["total_ns"], stolen_ns() - before)
    assert not any(
        frame.endswith("_[k]") for stack, _ in folded.stacks
        for frame in stack)
    share = folded.inclusive()["part_deep"] / folded.total()
    deep = told["parts"]["part_deep"] / told["total_ns"]
    assert share == pytest.approx(deep, abs=0.04)


def test_the_way_that_sees_what_user_mode_hides_is_named(tmp_path, target):
    copier = target("dd", "if=/dev/zero", "of=/dev/null", "bs=1M")
    attached = Attached(
        [tmp_path / "k.folded"], copier.pid, user=lab.without_perfmon())
    assert lab.wait_until(lambda: lab.used_s(copier.pid) > 1)
    stderr = attached.interrupt()
    assert "--via inject would sample it" in stderr
    hidden = lab.Folded(tmp_path / "k.folded")
    assert hidden.account() / hidden.total() > 0.5
    attached = Attached([tmp_path / "k.folded"], copier.pid)
    used_s = lab.used_s(copier.pid)
    assert lab.wait_until(lambda: lab.used_s(copier.pid) > used_s + 0.5)
    assert "--via inject" not in attached.interrupt()


# ---- a compile ----


class Compile:
    """g++, attached to before it starts anything."""

    def __init__(self, folder, user):
        self.user = user
        usage = folder / "usage"
        source = folder / "a.cc"
        source.write_text("#include <map>\n#include <string>\n"
                          "int f(std::map<std::string, int> &m) {\n"
                          "  return m[\"a\"] + m[\"b\"]; }")
        self.data = folder / "cc.data"
        before = stolen_ns()
        stopped = Stopped(
            lab.program("timed"), usage, lab.tool("g++"), "-O1", "-g3", "-c", source,
            "-o", folder / "a.o")
        attached = Attached(
            [folder / "cc.folded", self.data], stopped.pid, user=user)
        stopped.go_on()
        self.stderr = attached.end()
        self.stolen = stolen_ns() - before
        self.folded = lab.Folded(folder / "cc.folded")
        self.kernel_ns = sum(map(int, usage.read_text().split()))


@pytest.fixture(scope="module", params=EVENTS)
def compiled(tmp_path_factory, request):
    return Compile(tmp_path_factory.mktemp("compile"), events_on(request.param))


def test_children_and_what_they_exec_are_sampled(compiled):
    roots = {stack[0] for stack, _ in compiled.folded.stacks}
    for name in ("cc1plus", "as"):
        assert any(re.match(name + r"-\d+$", root) for root in roots), roots


def test_a_tree_adds_up_to_the_kernels_figure(compiled):
    ours = compiled.folded.weight(
        lambda stack: not stack[0].startswith(("timed", "sh-")))
    # On threads, the kernel's part is hidden of who ended since its clock was
    # read. On processors, brief programs are met by chance: of 450 samples some
    # 60, so that four sigma are 5 % of all.
    least, most = (0.9, 1.02) if compiled.user else (0.94, 1.06)
    assert least * compiled.kernel_ns < ours
    assert ours <= most * compiled.kernel_ns + compiled.stolen


def test_stacks_of_a_compiler_are_complete(compiled):
    complete = total = 0
    for stack, weight in compiled.folded.stacks:
        # An image that comes or goes in the kernel has no stack of its own.
        if (stack[0].startswith("cc1plus") and stack[-1] not in lab.ACCOUNTS
                and not stack[1].endswith("_[k]")):
            total += weight
            complete += weight * (stack[1] == "_start")
    assert complete / total >= 0.99
    quality = lab.report(compiled.data)["quality"]
    # Deep ones are cut where they go on while they are read: at a load of 20,
    # 0.7 of 560 in the mean of forty runs, and more than nine in one of 10^8.
    assert quality["incomplete_samples"] <= max(9, 0.01 * quality["samples"])


# ---- whom ----


def test_a_command_that_nothing_can_be_preloaded_into(tmp_path):
    before = stolen_ns()
    result = lab.run(
        lab.WATCHFIRE, "record", "--via", "perf", "-o", tmp_path / "s.folded",
        "--", lab.program("spin_static"), 1)
    assert result.returncode == 0, result.stderr
    assert "of 1 process," in summary(result.stderr)
    folded = lab.Folded(tmp_path / "s.folded")
    assert_is_all(folded.total(), int(result.stdout), stolen_ns() - before)
    assert folded.inclusive()["spin"] / folded.total() > 0.98
    assert folded.inclusive()["_start"] / folded.total() > 0.98


def test_brief_programs_are_sampled_on_processors_and_missed_by_agents(tmp_path):
    """An agent has just begun when such a program ends, and says so."""
    lab.need_root()
    script = "i=0; while [ $i -lt 200 ]; do /bin/true; i=$((i + 1)); done"

    def watch(*options):
        output = tmp_path / "b.folded"
        before = stolen_ns()
        result = lab.run(
            lab.WATCHFIRE, "record", *options, "-o", output, "--",
            lab.program("timed"), tmp_path / "usage", "sh", "-c", script)
        assert result.returncode == 0, result.stderr
        folded = lab.Folded(output)
        kernel_ns = sum(map(int, (tmp_path / "usage").read_text().split()))
        # Some 150 samples: chance is 8 % of them.
        assert folded.total() <= 1.32 * kernel_ns + stolen_ns() - before
        return folded.account() / folded.total(), result.stderr

    share, stderr = watch()
    assert share > 0.5 and "--via perf samples that too" in stderr, stderr
    share, stderr = watch("--via", "perf")
    assert share < 0.32 and "--via perf" not in stderr, stderr


def test_the_command_keeps_its_exit_status(tmp_path):
    for script, status in (("exit 7", 7), ("kill -9 $$", -9)):
        result = lab.run(
            lab.WATCHFIRE, "record", "--via", "perf", "-o", tmp_path / "x.data",
            "--", "sh", "-c", script)
        assert result.returncode == status


def test_stacks_are_completed_though_memory_may_not_be_read(tmp_path):
    result = lab.run(
        lab.program("refuse_perf"), "--memory", lab.WATCHFIRE, "record", "--via", "perf",
        "-o", tmp_path / "m.data", "--", lab.program("deep"))
    assert result.returncode == 0, result.stderr
    quality = lab.report(tmp_path / "m.data")["quality"]
    assert quality["incomplete_samples"] / quality["samples"] <= 0.002


def test_threads_that_are_made_later_are_sampled(tmp_path):
    stopped = Stopped(lab.program("late_threads"))
    attached = Attached([tmp_path / "t.data"], stopped.pid)
    stopped.go_on()
    attached.end()
    quality = lab.report(tmp_path / "t.data")["quality"]
    assert quality["samples"] > 300
    assert quality["account_ns"] / quality["sampled_ns"] < 0.03


def thread_ids(pid):
    return {int(name) for name in os.listdir(f"/proc/{pid}/task")}


def used_by_thread_ns(tid):
    return int(Path(f"/proc/{tid}/schedstat").read_text().split()[0])


@pytest.mark.parametrize("events", EVENTS)
def test_one_thread_of_several(tmp_path, target, events):
    program = target(lab.program("shares"), 30)
    assert lab.wait_until(lambda: len(thread_ids(program.pid)) == 3)
    worker = max(thread_ids(program.pid) - {program.pid})
    before = used_by_thread_ns(worker)
    stolen = stolen_ns()
    attached = Attached(
        [tmp_path / "t.folded"], None, "-t", worker, user=events_on(events))
    assert lab.wait_until(lambda: used_by_thread_ns(worker) > before + 5 * 10**8)
    attached.interrupt()
    used_ns = used_by_thread_ns(worker) - before
    folded = lab.Folded(tmp_path / "t.folded")
    # What the processors' clocks have met too often since the thread's own was
    # last read is not made up for: some periods.
    assert 0 < folded.total() <= (
        used_ns * 1.02 + 10**7 + stolen_ns() - stolen)
    assert not any("main" in stack for stack, _ in folded.stacks)


def test_a_name_is_enough_when_one_bears_it(tmp_path, target):
    program = tmp_path / "only_one"
    program.write_bytes(lab.program("spin").read_bytes())
    program.chmod(0o755)
    first = target(program, 60)
    attached = Attached([tmp_path / "n.data"], "only_one")
    time.sleep(0.3)
    assert "of 1 process," in summary(attached.interrupt())
    target(program, 60)
    assert lab.wait_until(lambda: len(lab_pids("only_one")) == 2)
    assert str(first.pid) in refusal("-p", "only_one")[1]


def lab_pids(name):
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if (entry / "comm").read_text().strip() == name:
                found.append(int(entry.name))
        except OSError:
            pass
    return found


@pytest.mark.parametrize("events", EVENTS)
def test_children_that_are_there_already_are_found(tmp_path, target, events):
    spin = lab.program("spin")
    shell = target("sh", "-c", f"{spin} 60 & {spin} 60 & wait",
                   start_new_session=True)
    try:
        assert lab.wait_until(lambda: names_of_children(shell.pid) == 2 * ["spin"])
        attached = Attached(
            [tmp_path / "c.folded"], shell.pid, user=events_on(events))
        for child in children(shell.pid):
            lab.await_use(child, 0.1)
        assert "of 3 processes" in summary(attached.interrupt())
    finally:
        os.killpg(shell.pid, signal.SIGKILL)
    folded = lab.Folded(tmp_path / "c.folded")
    assert len({stack[0] for stack, _ in folded.stacks
                if stack[0].startswith("spin")}) == 2


def children(pid):
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def names_of_children(pid):
    return [Path(f"/proc/{child}/comm").read_text().strip()
            for child in children(pid)]


def test_a_process_in_namespaces_of_its_own(tmp_path, target):
    lab.need_root()
    program = lab.program("shares")
    outer = target(
        lab.tool("unshare"), "--pid", "--mount", "--fork", "--kill-child",
        "sh", "-c", f"mount -t tmpfs none /mnt && cp {program} /mnt/inside && "
                    "exec /mnt/inside 60")
    assert lab.wait_until(lambda: len(lab_pids("inside")) == 1)
    inside = lab_pids("inside")[0]
    lab.await_use(inside, 0.1)  # it has begun
    attached = Attached([tmp_path / "i.folded"], inside)
    lab.await_use(inside, 0.5)
    attached.interrupt()
    lab.end(outer)
    folded = lab.Folded(tmp_path / "i.folded")
    assert folded.inclusive()["run_thread"] / folded.total() > 0.95


# ---- what is left behind ----


def traces(pid):
    """What an intruder would change."""
    maps = Path(f"/proc/{pid}/maps").read_text()
    files = sorted(os.listdir(f"/proc/{pid}/fd"))
    status = Path(f"/proc/{pid}/status").read_text()
    # SigQ is of all processes of the user.
    kept = [line for line in status.splitlines() if line.startswith(
        ("SigP", "SigB", "SigI", "SigC", "Shd", "Threads", "Tracer",
         "Seccomp", "NoNewPrivs"))]
    return maps, files, kept


def test_the_process_is_left_as_it_was(tmp_path, target):
    program = target(lab.program("spin"), 60)
    lab.await_use(program.pid, 0.2)  # the loader has long been done
    before = traces(program.pid)
    attached = Attached([tmp_path / "l.data"], program.pid)
    assert traces(program.pid) == before
    attached.interrupt()
    assert traces(program.pid) == before
    assert program.poll() is None


def test_a_killed_watcher_is_not_missed(tmp_path, target):
    program = target(lab.program("spin"), 60)
    attached = Attached([tmp_path / "k.data"], program.pid)
    attached.process.kill()
    attached.process.communicate(timeout=lab.PATIENCE)
    assert program.poll() is None


def test_a_duration_ends_it(tmp_path, target):
    program = target(lab.program("spin"), 60)
    result = lab.run(
        lab.WATCHFIRE, "record", "-p", program.pid, "-d", "300ms",
        "-o", tmp_path / "d.data")
    assert result.returncode == 0, result.stderr
    summary(result.stderr)
    assert program.poll() is None


# ---- refusals ----


def refusal(*options):
    result = lab.run(lab.WATCHFIRE, "record", *options)
    assert result.returncode in (1, 2)
    return result.returncode, lab.only_sentence(result.stderr)


def test_who_is_not_there_cannot_be_watched(tmp_path, target):
    ended = target("true")
    stat = Path(f"/proc/{ended.pid}/stat")
    assert lab.wait_until(lambda: ") Z " in stat.read_text())
    output = ("-o", tmp_path / "none.data")
    assert refusal("-p", ended.pid, *output)[1].count("has ended") == 1
    ended.wait()
    for option, value in (("-p", ended.pid), ("-p", "no-such-name"),
                          ("-t", ended.pid)):
        assert str(value) in refusal(option, value, *output)[1]
    assert not (tmp_path / "none.data").exists()


def test_a_thread_of_the_kernel_has_no_program():
    if not Path("/proc/2/status").exists() or "VmSize" in Path(
            "/proc/2/status").read_text():
        pytest.skip("no thread of the kernel is in sight")
    assert "kernel" in refusal("-p", 2)[1]


def test_another_users_process_is_refused_with_his_number(public_folder):
    result = lab.run(
        *lab.as_nobody(), public_folder / "bin" / "watchfire", "record",
        "-p", os.getpid(), "-o", "/dev/null", "-f", "folded")
    assert result.returncode == 1
    assert "user 0" in lab.only_sentence(result.stderr)


def test_refused_perf_events_are_named_and_nothing_is_run(tmp_path):
    output = tmp_path / "r.data"
    result = lab.run(
        lab.program("refuse_perf"), lab.WATCHFIRE, "record", "--via", "perf",
        "-o", output, "--", "touch", tmp_path / "ran")
    assert result.returncode == 1
    sentence = lab.only_sentence(result.stderr)
    assert "perf events are refused" in sentence
    assert "perf_event_paranoid" in sentence
    assert not output.exists() and not (tmp_path / "ran").exists()


@pytest.mark.parametrize("options", (
    ("-p", 1, "--", "true"), ("-p", 1, "--clock=perf"),
    ("--via", "perf", "--unwinder=cfi", "--", "true"),
    ("--via", "magic", "--", "true"), ("-t", "x"), ("-t", "1,")))
def test_what_does_not_go_together_is_said(options):
    assert refusal(*options)[0] == 2
