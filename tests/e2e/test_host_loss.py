"""What is taken from the program or from us: it goes on, and it is said."""

import os
import re
import signal
import subprocess

import pytest

import host
import lab

# ---- limits ----

LIMITS = [case for case in host.cases("host_limits")
          if case not in ("hello", "memory_used_up", "no_processes")]

# Address space that the guest takes, of which little is ever touched.
GUEST_SPACE = 14 << 20
GUEST_SPACE_RATIONED = 5 << 20


@pytest.mark.parametrize("case", LIMITS)
def test_limits_lowered_by_the_program(tmp_path, case):
    command = (lab.program("host_limits"), case)
    plain = lab.run(*command)
    assert plain.returncode == 0
    for way in host.WAYS:
        watched = host.watch(tmp_path, way, *command)
        host.hold_together(plain, watched)
        assert host.has_samples(watched)


@pytest.mark.parametrize("way", host.WAYS)
def test_no_process_more(tmp_path, public_folder, way):
    """For an ordinary user; root may have as many as it likes."""
    program = public_folder / "host_limits"
    program.write_bytes(lab.program("host_limits").read_bytes())
    program.chmod(0o755)
    command = lab.as_nobody(program, "no_processes")
    watched = host.alike(tmp_path, way, *command)
    assert "thread: Resource temporarily" in watched.result.stdout
    assert "child: Resource temporarily" in watched.result.stdout


def blocks(stdout):
    return int(re.search(r"(\d+) blocks", stdout)[1])


@pytest.mark.parametrize("prefix, space", (
    ((), GUEST_SPACE),
    (("sh", "-c", 'ulimit -v 200000; exec "$0" "$@"'), GUEST_SPACE_RATIONED)))
def test_memory_is_used_up(tmp_path, prefix, space):
    """malloc fails as it does without us, less what the guest takes."""
    command = (*prefix, lab.program("host_limits"), "memory_used_up")
    plain = lab.run(*command)
    for way in host.WAYS:
        watched = host.watch(tmp_path, way, *command)
        assert watched.result.returncode == plain.returncode == 0
        assert (watched.result.stdout.splitlines()[:-1]
                == plain.stdout.splitlines()[:-1])
        missing = blocks(plain.stdout) - blocks(watched.result.stdout)
        assert missing * (256 << 10) <= space
        assert host.has_samples(watched)


@pytest.mark.parametrize("way", ("record", "preload"))
@pytest.mark.parametrize("setting, reason", (
    ("-f 0", "RLIMIT_FSIZE is 0"), ("-v 3500", "RLIMIT_AS is 3584000")))
def test_no_room_for_the_ring_is_said(tmp_path, way, setting, reason):
    """The signal of RLIMIT_FSIZE, which holds for it too, would kill."""
    command = ("sh", "-c", f"ulimit {setting}; exec {lab.program('leave')} 6")
    watched = host.alike(tmp_path, way, *command)
    assert watched.result.returncode == 6
    if way == "record":
        assert any(reason in line for line in watched.remarks)


def test_a_soft_limit_of_space_is_not_the_collectors(tmp_path):
    """The command has libraries of its own; a hard limit holds for it too."""
    variables = (f"export LD_PRELOAD={lab.LIBRARY} WATCHFIRE_FREQUENCY=997 "
                 f"WATCHFIRE_OUTPUT={tmp_path}/x.folded; ")
    command = (lab.program("leave"), 7)
    for option, is_told in (("-S", False), ("-H", True)):
        result = lab.run(
            "sh", "-c", f'ulimit -S -v 7000; ulimit {option} -v 7000; '
            f'{variables} exec "$0" "$@"', *command)
        assert result.returncode == 7
        assert is_told == ("RLIMIT_AS is 7168000" in result.stderr), result.stderr
        assert is_told != (tmp_path / "x.folded").exists()
        (tmp_path / "x.folded").unlink(missing_ok=True)


@pytest.mark.parametrize("count", (4, 8, 12, 20))
def test_too_few_descriptors_are_said(tmp_path, count):
    """By the one who is asked to watch; the program runs without."""
    run = (lab.program("leave"), 7)
    limit = f"ulimit -n {count}; "
    result = lab.run("sh", "-c", limit + 'exec "$0" "$@"', lab.WATCHFIRE, "record", "-o",
                     tmp_path / "x.folded", "--", *run)
    assert result.returncode == 1
    assert f"RLIMIT_NOFILE at {count}" in lab.only_sentence(result.stderr)
    variables = (f"export LD_PRELOAD={lab.LIBRARY} "
                 f"WATCHFIRE_OUTPUT={tmp_path}/x.folded; ")
    result = lab.run("sh", "-c", limit + variables + 'exec "$0" "$@"', *run)
    assert result.returncode == 7
    assert re.search("Too many open files|RLIMIT_NOFILE",
                     lab.only_sentence(result.stderr))
    assert not list(tmp_path.iterdir())


def test_our_own_files_may_be_too_large(tmp_path):
    """RLIMIT_FSIZE is for the outputs as well: an error, not the end."""
    watch = (lab.WATCHFIRE, "record", "-o", tmp_path / "x.svg", "--",
             lab.program("leave"), 0)
    result = lab.run("sh", "-c", 'ulimit -f 0; exec "$0" "$@"', *watch)
    assert result.returncode == 1
    assert "x.svg" in result.stderr and "too large" in result.stderr
    assert not list(tmp_path.iterdir())


# ---- the collector ----

class Deserted:
    """A program that works on, whoever watched it."""

    OUTPUT = "child 3\nprogram 4\n"

    def __init__(self, tmp_path, way, *options):
        self.way = way
        path = tmp_path / f"{way}.folded"
        watch = [lab.WATCHFIRE, "record", "-F", "997", *options, "-o", path,
                 "--"]
        if way == "preload":
            watch = ["env", f"LD_PRELOAD={lab.LIBRARY}",
                     f"WATCHFIRE_OUTPUT={path}", "WATCHFIRE_FREQUENCY=997"]
        command = [*watch, lab.program("timers_left")]
        if way != "record":
            command.insert(0, lab.program("refuse_perf"))
        before = set(lab.collectors())
        self.process = subprocess.Popen(
            command, env=lab.clean_environment(), stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == "begun\n"
        assert lab.wait_until(lambda: set(lab.collectors()) - before)
        self.collectors = set(lab.collectors()) - before

    def desert(self, number):
        for pid in self.collectors:
            os.kill(pid, number)
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def hear(self, is_resumed=False):
        """The program's last word comes before its collector goes on."""
        self.stdout = ""
        for line in self.process.stdout:
            self.stdout += line
            if line.startswith("program"):
                break
        for pid in self.collectors:
            try:
                os.kill(pid, signal.SIGCONT)
            except ProcessLookupError:
                pass
        if is_resumed:
            self.process.stdin.write("\n")
        self.process.stdin.close()

    def finish(self):
        self.process.wait(lab.PATIENCE)
        self.stderr = self.process.stderr.read()
        for stream in (self.process.stdout, self.process.stderr):
            stream.close()


def test_a_collector_that_is_gone_is_not_missed(tmp_path):
    """The program and what it starts outlive it, no timer ticks on, and where
    it comes back they tick again."""
    runs = []
    for number in (signal.SIGKILL, signal.SIGSTOP):
        for way in host.WAYS:
            folder = tmp_path / f"{way}{int(number)}"
            folder.mkdir()
            runs.append((number, Deserted(folder, way)))
    for number, run in runs:
        run.desert(number)
    for number, run in runs:
        run.hear(run.way != "record" and number == signal.SIGSTOP)
    for _, run in runs:
        run.finish()
    for number, run in runs:
        where = (run.way, number)
        rest = 0 if run.way == "record" else 3
        assert run.stdout == f"0 tick, {rest} rest\n" + Deserted.OUTPUT, where
        if run.way != "record":
            assert "some were armed" in run.stderr, where
            assert ("ticks again" in run.stderr) == (
                number == signal.SIGSTOP), where
        if run.way == "preload" or number == signal.SIGSTOP:
            assert run.process.returncode == 7, where
        if run.way == "refused" and number == signal.SIGSTOP:
            assert "paused the sampling" in run.stderr
            assert re.search("process(es)? could not reach", run.stderr)


def test_no_timer_ticks_on_after_the_duration(tmp_path):
    run = Deserted(tmp_path, "refused", "-d", "2")
    assert lab.wait_until((tmp_path / "refused.folded").exists)
    run.desert(signal.SIGCONT)
    run.hear()
    run.finish()
    assert "some were armed" in run.stderr
    assert run.stdout == "0 tick, 0 rest\n" + Deserted.OUTPUT
    assert run.process.returncode == 7


# ---- places that cannot be reached, or are full ----

def test_a_child_in_another_network_is_counted(tmp_path):
    """Abstract names belong to a network name space."""
    lab.need_root()
    program = lab.program("spin")
    script = f"{program} 0.1 >/dev/null; unshare -n {program} 0.2; exit 3"
    if lab.run("unshare", "-n", "true").returncode != 0:
        pytest.skip("this system lets root make no network name space")
    watched = host.watch(tmp_path, "record", "sh", "-c", script)
    assert watched.result.returncode == 3
    assert watched.result.stdout.strip().isdigit()
    assert any("1 process could not reach the collector" in line
               for line in watched.remarks)


@pytest.mark.parametrize("shared_memory", (
    "mount -t tmpfs -o ro,size=4k none /dev/shm", "umount -l /dev/shm"))
def test_shared_memory_needs_no_folder(tmp_path, shared_memory):
    lab.need_root()
    script = f'{shared_memory} && exec "$0" "$@"'
    path = tmp_path / "x.folded"
    result = lab.run("unshare", "-m", "sh", "-c", script, lab.WATCHFIRE,
                     "record", "-o", path, "--", lab.program("leave"), 4)
    if result.returncode in (1, 32):
        pytest.skip(f"this system does not let root do that: {result.stderr}")
    assert result.returncode == 4
    assert lab.Folded(path).total() > 0


def test_an_output_on_a_disk_that_cannot_be_written(tmp_path):
    lab.need_root()
    folder = tmp_path / "fixed"
    folder.mkdir()
    script = ('mount -t tmpfs -o ro none "$0" || exit 99; exec "$@"')
    result = lab.run("unshare", "-m", "sh", "-c", script, folder,
                     lab.WATCHFIRE, "record", "-o", folder / "x.folded", "--",
                     lab.program("leave"), 4)
    if result.returncode == 99:
        pytest.skip("this system does not let root mount a tmpfs")
    assert result.returncode == 1
    assert "Read-only file system" in lab.only_sentence(result.stderr)


def test_a_full_cache_is_done_without(tmp_path):
    lab.need_root()
    cache = tmp_path / "cache"
    cache.mkdir()
    script = ('mount -t tmpfs -o size=8k none "$0" || exit 99; '
              'head -c 8k /dev/zero >"$0/ballast"; '
              'export WATCHFIRE_CACHE="$0"; "$@"; status=$?; '
              'ls -A "$0"; exit $status')
    path = tmp_path / "x.folded"
    result = lab.run("unshare", "-m", "sh", "-c", script, cache,
                     lab.WATCHFIRE, "record", "-o", path, "--",
                     lab.program("crash"), 11)
    if result.returncode == 99:
        pytest.skip("this system does not let root mount a tmpfs")
    assert result.returncode == 128 + 11
    assert result.stdout.split() == ["ballast"]
    assert lab.Folded(path).inclusive()["main"] > 0


def test_without_proc_the_program_runs(tmp_path):
    """By LD_PRELOAD; the command says what it cannot do without."""
    lab.need_root()
    script = 'mount -t tmpfs none /proc || exit 99; exec "$0" "$@"'
    hidden = ("unshare", "-m", "sh", "-c", script)
    result = lab.run(*hidden, "env", f"LD_PRELOAD={lab.LIBRARY}",
                     f"WATCHFIRE_OUTPUT={tmp_path}/x.folded",
                     lab.program("leave"), 4)
    if result.returncode == 99:
        pytest.skip("this system does not let root mount a tmpfs")
    assert (result.returncode, result.stdout, result.stderr) == (4, "", "")
    assert lab.wait_until((tmp_path / "x.folded").exists)
    result = lab.run(*hidden, lab.WATCHFIRE, "record", "-o",
                     tmp_path / "y.folded", "--", lab.program("leave"), 4)
    assert result.returncode == 1
    assert "/proc" in lab.only_sentence(result.stderr)


def test_no_exec_fails_for_want_of_room(tmp_path):
    """Our variables are left out of an environment that is full."""
    command = (lab.tool("python3"), lab.SOURCES / "crowd_of_words.py")
    watched = host.alike(tmp_path, "record", *command)
    ways = watched.result.stdout.splitlines()
    assert len(ways) == 7 and all(line.endswith(" 0") for line in ways)
    crowded = [re.search(r"\((\d+) process", line)[1] for line in
               watched.remarks if "left no room for LD_PRELOAD" in line]
    assert sorted(crowded) == ["1", "6"]  # true, /bin/true
    idle = lab.run(*command, env=lab.clean_environment(
        LD_PRELOAD=str(lab.LIBRARY), WATCHFIRE_DISABLE="1"))
    assert (idle.returncode, idle.stdout) == (0, watched.result.stdout)
