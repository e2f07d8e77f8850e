"""watchfire dump: every thread's stack, and the program does not notice."""

import json
import os
import re
import subprocess
import sys
import time

import pytest

import lab

# Where perf events are refused, threads that run have to be held.
WAYS = ("perf", "held")


def dump_command(way, *options):
    command = (lab.WATCHFIRE, "dump", *options)
    if way == "held":
        return (lab.program("refuse_perf"), *command)
    return command


def dump(process, *options, way="perf"):
    """The threads by their tid, from the JSON."""
    result = lab.run(*dump_command(way, "-p", process.pid, "--json", *options))
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    said = json.loads(result.stdout)
    assert [row["pid"] for row in said["processes"]] == [process.pid]
    return {row["tid"]: row for row in said["processes"][0]["threads"]}


def functions(thread):
    return [frame["function"] for frame in thread["frames"]]


def is_complete(threads):
    return all(row["is_complete"] for row in threads.values())


class Running:
    """A program of ours that runs until the block ends."""

    def __init__(self, *command, **options):
        self.command = [str(word) for word in command]
        self.options = options

    def __enter__(self):
        self.process = subprocess.Popen(
            self.command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            text=True, env=lab.clean_environment(), **self.options)
        return self.process

    def __exit__(self, *error):
        lab.end(self.process)
        self.process.stdout.close()


def thread_count(process):
    return len(os.listdir(f"/proc/{process.pid}/task"))


def idles(process, threads):
    """Once so many threads of the program `idle` sleep where they will."""
    def states():
        for tid in os.listdir(f"/proc/{process.pid}/task"):
            with open(f"/proc/{process.pid}/task/{tid}/syscall") as file:
                yield file.read().split()[0]

    wanted = [str(lab.SLEEPS[0])] * (threads + 1)
    assert lab.wait_until(lambda: thread_count(process) == threads + 1 and
                          list(states()) == wanted)


# ---- what it says ----


@pytest.mark.parametrize("way", WAYS)
def test_threads_that_run(way):
    with Running(lab.program("spin"), 30, 3) as process:
        lab.await_work(process.pid, 3)
        for _ in range(5):
            threads = dump(process, way=way)
            assert is_complete(threads), threads
            running = [row for row in threads.values()
                       if row["state"] == "running"]
            assert len(running) >= 2
            for row in running:
                assert "spin" in functions(row), row
                assert functions(row)[-1] in ("_start", "clone3", "__clone3",
                                              "__GI___clone3"), row


@pytest.mark.parametrize("way", WAYS)
def test_a_stack_longer_than_what_perf_copies(way):
    with Running(lab.program("deep"), 10**9, 5000) as process:
        assert lab.wait_until(
            lambda: len(dump(process)[process.pid]["frames"]) > 5000)
        thread = dump(process, way=way)[process.pid]
        assert thread["is_complete"]
        assert functions(thread).count("descend") == 5001


def eu_stack(process):
    """Functions by tid, without those that are inlined."""
    result = lab.run(lab.tool("eu-stack"), "-p", process.pid)
    threads = {}
    for line in result.stdout.splitlines():
        head = re.match(r"TID (\d+):", line)
        if head:
            stack = threads.setdefault(int(head[1]), [])
        frame = re.match(r"#\d+\s+0x([0-9a-f]+)\s+(\S+)?", line)
        if frame:
            stack.append(int(frame[1], 16))
    return threads


def test_sleepers_are_where_elfutils_sees_them():
    """Return addresses, frame by frame; eu-stack stops the process for it."""
    with Running(lab.program("waits"), 60) as process:
        assert lab.wait_until(lambda: thread_count(process) > 30)
        lab.await_use(process.pid, 0.3)
        compared = 0

        def compare():
            nonlocal compared
            ours, theirs = dump(process), eu_stack(process)
            for tid, row in ours.items():
                frames = [frame["address"] for frame in row["frames"]
                          if not frame["is_inlined"]]
                other = theirs.get(tid, [])
                # The leaf is a pc, the others are behind a call; ours are
                # inside it. Those who woke in between stand elsewhere.
                if row["state"] != "sleeping" or frames[:1] != other[:1]:
                    continue
                if [at + 1 for at in frames[1:2]] != other[1:2]:
                    continue
                assert [frames[0]] + [at + 1 for at in frames[1:]] == other, (
                    functions(row))
                compared += 1
            return compared > 50

        assert lab.wait_until(compare)


def test_inlines_and_lines():
    """shares.c folds in a function that is inlined, on lines it prints."""
    with Running(lab.program("shares"), 30) as process:
        lab.await_work(process.pid, 3)

        def inlined():
            return [
                frame for row in dump(process).values()
                for frame in row["frames"] if frame["is_inlined"]
            ]
        assert lab.wait_until(
            lambda: any(frame["function"] == "fold" for frame in inlined()))
        for frame in inlined():
            assert frame["file"] and frame["line"] > 0, frame
            if frame["function"] == "fold":
                assert frame["file"].endswith("tests/programs/shares.c")


def test_text_groups_threads_that_stand_alike():
    with Running(lab.program("idle"), 60, 20) as process:
        idles(process, 20)
        result = lab.run(lab.WATCHFIRE, "dump", "-p", process.pid)
        assert result.returncode == 0 and result.stderr == ""
        assert result.stdout.startswith(
            f"idle, process {process.pid}, 21 threads\n")
        named = re.search(
            r"\n20 threads, sleeping: (.*) and 8 more\n", result.stdout)
        assert len(named[1].split(", ")) == 12
        assert f"\nthread {process.pid} idle, sleeping\n" in result.stdout
        assert re.search(r"  #\d+ +doze at \S+/idle\.c:\d+\n", result.stdout)


def test_two_thousand_threads():
    with Running(lab.program("idle"), 60, 2000) as process:
        idles(process, 2000)
        threads = dump(process)
        assert len(threads) == 2001
        assert is_complete(threads)


def test_threads_come_and_go():
    with Running(lab.program("brief_threads"), 100000) as process:
        for _ in range(8):
            threads = dump(process)
            assert process.pid in threads
            assert all(row["frames"] for row in threads.values())


def test_chosen_threads(tmp_path):
    with Running(lab.program("idle"), 60, 5) as process:
        idles(process, 5)
        chosen = sorted(int(tid)
                        for tid in os.listdir(f"/proc/{process.pid}/task"))[2:4]
        threads = dump(process, "-t", ",".join(map(str, chosen)))
        assert sorted(threads) == chosen


def test_static_programs():
    with Running(lab.program("spin_static"), 30) as process:
        lab.await_work(process.pid, 1)  # its exec is over

        def spinning():
            thread = dump(process)[process.pid]
            assert thread["is_complete"]
            assert functions(thread)[-1] == "_start"
            return "spin" in functions(thread)
        assert lab.wait_until(spinning)


def test_by_name_and_several_at_once(tmp_path):
    copies = [tmp_path / name for name in ("one-dumped", "two-dumped")]
    for copy in copies:
        copy.write_bytes(lab.program("spin").read_bytes())
        copy.chmod(0o755)
    with Running(copies[0], 30) as one, Running(copies[1], 30) as two:
        result = lab.run(lab.WATCHFIRE, "dump", "-p", "one-dumped",
                         "-p", two.pid, "--json")
        assert result.returncode == 0, result.stderr
        pids = [row["pid"] for row in json.loads(result.stdout)["processes"]]
        assert pids == [one.pid, two.pid]
        with Running(copies[0], 30) as third:
            result = lab.run(lab.WATCHFIRE, "dump", "-p", "one-dumped")
            assert result.returncode == 2
            sentence = lab.only_sentence(result.stderr)
            assert str(one.pid) in sentence and str(third.pid) in sentence


def test_another_mount_namespace(tmp_path):
    """The program's file is one that our own name space does not have."""
    lab.need_root()
    folder = tmp_path / "inside"
    folder.mkdir()
    script = (f"mount -t tmpfs none {folder} && cp {lab.program('spin')} "
              f"{folder}/hidden && exec {folder}/hidden 30")
    with Running("unshare", "-m", "sh", "-c", script) as process:
        assert lab.wait_until(
            lambda: os.readlink(f"/proc/{process.pid}/exe").endswith("hidden"))
        assert not (folder / "hidden").exists()
        assert lab.wait_until(
            lambda: "spin" in functions(dump(process)[process.pid]))


# ---- the program does not notice ----


@pytest.mark.parametrize("way", WAYS)
def test_no_wait_is_cut_short(way):
    """The program counts; see test_waits.py for what it can see."""
    with Running(lab.program("waits"), 2) as process:
        dumps = 0
        while process.poll() is None:
            command = dump_command(way, "-p", process.pid, "--json")
            dumps += lab.run(*command).returncode == 0
        counted = json.loads(process.stdout.read())
    assert dumps > 0
    # Held in the middle of one, a transfer is cut in two.
    lab.assert_waits_were_whole(
        counted, but=("pieces",) if way == "held" else ())


def test_nothing_stays_behind():
    with Running(lab.program("spin"), 2, 2) as process:
        for _ in range(10):
            lab.run(*dump_command("held", "-p", process.pid))
        status = open(f"/proc/{process.pid}/status").read()
        assert "TracerPid:\t0" in status
        assert "State:\tT" not in status and "State:\tt" not in status
        assert process.wait(lab.PATIENCE) == 0


def test_a_kill_while_threads_are_held():
    """Whatever moment it comes at, the program goes on."""
    with Running(lab.program("spin"), 3, 2) as process:
        for i in range(20):
            command = dump_command("held", "-p", process.pid)
            ours = subprocess.Popen(
                [str(word) for word in command], stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL, env=lab.clean_environment())
            time.sleep(0.001 * (i % 12))
            ours.kill()
            ours.wait(lab.PATIENCE)
        assert process.wait(lab.PATIENCE) == 0


# ---- refusals ----


def refused(*arguments, way="perf", status=1):
    result = lab.run(*dump_command(way, *arguments))
    assert result.returncode == status, (result.stdout, result.stderr)
    assert result.stdout == ""
    return lab.only_sentence(result.stderr)


def test_a_process_that_is_not_there():
    with Running("true") as process:
        process.wait(lab.PATIENCE)
    assert "no process" in refused("-p", process.pid)
    assert "no process" in refused("-p", "nobody-is-called-so", status=2)


def test_a_zombie():
    with Running("sleep", 30) as process:
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert "has ended" in refused("-p", process.pid)


def test_a_thread_of_a_process():
    with Running(lab.program("idle"), 30, 2) as process:
        idles(process, 2)
        other = next(int(tid)
                     for tid in os.listdir(f"/proc/{process.pid}/task")
                     if tid != str(process.pid))
        sentence = refused("-p", other, status=2)
        assert f"-p {process.pid} -t {other}" in sentence
        assert "has no thread 1" in refused("-p", process.pid, "-t", 1)


def test_a_thread_of_the_kernel():
    assert "kernel" in refused("-p", lab.kernel_thread())


def test_another_users_process():
    with Running(lab.program("spin"), 30) as process:
        result = lab.run(
            *lab.as_nobody(lab.WATCHFIRE, "dump", "-p", process.pid))
        if result.returncode in (126, 127):
            pytest.skip("the build is not for others to run")
        assert result.returncode == 1
        assert "user 0" in lab.only_sentence(result.stderr)


def test_one_that_a_debugger_holds():
    """Its sleepers are seen all the same; for a thread that runs, we say who."""
    with Running(lab.program("spin"), 30) as process:
        with Running(sys.executable, "-c", TRACER, str(process.pid)) as tracer:
            assert tracer.stdout.readline() == "traced\n"
            result = lab.run(*dump_command("held", "-p", process.pid))
            assert result.returncode == 1
            assert str(tracer.pid) in lab.only_sentence(result.stderr)


# PTRACE_SEIZE, and nothing more.
TRACER = """
import ctypes, sys, time
libc = ctypes.CDLL(None, use_errno=True)
assert libc.ptrace(0x4206, int(sys.argv[1]), None, None) == 0
print("traced", flush=True)
time.sleep(60)
"""


def test_command_lines():
    assert "-p PID" in refused(status=2)
    for words in (("-p", ""), ("-p", "1,"), ("-p", "1", "-t", "x"),
                  ("-p", "1,2", "-t", "3"), ("-p", "1", "extra"), ("--what",)):
        refused(*words, status=2)
    result = lab.run(lab.WATCHFIRE, "dump", "--help")
    assert result.returncode == 0 and "--json" in result.stdout
