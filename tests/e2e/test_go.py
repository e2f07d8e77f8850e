"""Programs made by Go: their stacks as dump and record see them."""

import json
import os
import shutil
import signal
import subprocess

import pytest

import lab

# Collecting garbage stops the goroutine that computes, which calls nothing: by
# Go's own SIGURG.
PROGRAM = """
package main
import (
    "runtime"
    "syscall"
    "time"
)
var sum float64
//go:noinline
func busy(n int) { for i := 0; i < n; i++ { sum += float64(i) } }
func say(text string) { syscall.Write(1, []byte(text)) }
func collect() {
    for { runtime.GC(); time.Sleep(20 * time.Millisecond) }
}
func listen(collections *runtime.MemStats) {
    if got, _ := syscall.Read(0, make([]byte, 1)); got == 0 {
        return
    }
    runtime.ReadMemStats(collections)
    if collections.NumGC > 3 { say("collected\\n") }
    syscall.Exit(0)
}
func main() {
    runtime.GOMAXPROCS(3)
    go collect()
    go listen(new(runtime.MemStats))
    say("begun\\n")
    for { busy(30000000); time.Sleep(10 * time.Millisecond) }
}
"""
FIRST = ["runtime.main", "runtime.goexit"]


# The runtime handles a fault of its own code, and lets a thread of C's die.
FAULTS = """
package main
/*
#include <pthread.h>
static void *fault(void *to) { *(volatile int *)to = 1; return 0; }
static void fault_in_c(void) {
    pthread_t thread;
    pthread_create(&thread, 0, fault, 0);
    pthread_join(thread, 0);
}
*/
import "C"
import "syscall"
func recovers() {
    defer func() { recover(); println("recovered") }()
    var nothing *int
    *nothing = 1
}
func main() {
    recovers()
    if _, is := syscall.Getenv("FAULT"); is { C.fault_in_c() }
}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where programs are built, with what the compiler keeps for the next."""
    return tmp_path_factory.mktemp("go")


@pytest.fixture(scope="module")
def program(folder):
    return build(folder, "busy", PROGRAM)


def build(folder, name, source):
    (folder / "main.go").write_text(source)
    go = shutil.which("go", path="/usr/bin:/usr/local/go/bin")
    if go is None:
        pytest.skip("there is no Go")
    built = lab.run(
        go, "build", "-o", folder / name, "main.go", cwd=folder,
        env=lab.clean_environment(
            HOME=str(folder), GO111MODULE="off", GOFLAGS="",
            GOCACHE=str(folder / "cache")), timeout=5 * lab.PATIENCE)
    assert built.returncode == 0, built.stderr
    return folder / name


@pytest.fixture
def busy(program, target):
    process = target(program)
    assert process.stdout.readline() == "begun\n"
    return process


def said_at_its_end(process):
    """Go goes on as ever."""
    lab.await_use(process.pid, 0.2)
    process.stdin.write("\n")
    process.stdin.flush()
    out, _ = process.communicate(timeout=lab.PATIENCE)
    assert process.returncode == 0
    return out


# ---- dump ----


def dump(pid, *options):
    """The functions of each thread, the innermost first."""
    result = lab.run(lab.WATCHFIRE, "dump", "-p", pid, "--json", *options)
    assert result.returncode == 0, result.stderr
    threads = json.loads(result.stdout)["processes"][0]["threads"]
    for row in threads:
        row["functions"] = [frame["function"] for frame in row["frames"]]
    return threads


def test_every_stack_ends_where_go_ends_it(busy):
    """The scheduler's in mcall(), which has left its caller's stack. Of a
    thread that is in mcall() itself, both is true, before the change and after:
    the next test is about that."""
    seen = set()

    def look():
        for row in dump(busy.pid):
            functions = row["functions"]
            for frame in row["frames"]:
                assert frame["kind"] != "unknown", functions
            if functions[0] == "main.busy":
                assert functions[-3:] == ["main.main", *FIRST]
                seen.add("program")
            if "runtime.mcall" in functions[1:] and not any(
                    name.startswith("runtime.sig") for name in functions):
                assert functions[-1] == "runtime.mcall", functions
                assert row["is_complete"]
                seen.add("scheduler")
        return len(seen) == 2

    assert lab.wait_until(look)
    assert said_at_its_end(busy) == "collected\n"


# A step at a time through mcall() and into what it calls.
STEPS = """
import gdb, json
for command in (
        "set pagination off", "set confirm off",
        "handle SIGURG nostop noprint pass", "set breakpoint pending on",
        "break *'runtime.mcall'", "run < /dev/null > /dev/null", "continue",
        "set scheduler-locking on"):
    gdb.execute(command, to_string=True)
while True:
    thread = gdb.selected_thread().ptid
    frame = gdb.selected_frame()
    print("at", json.dumps({
        "pid": thread[0], "tid": thread[1],
        "sp": int(frame.read_register("rsp")),
        "is_inside": frame.name() == "runtime.mcall"}), flush=True)
    if input() == "end":
        break
    gdb.execute("stepi", to_string=True)
gdb.execute("kill")
"""


def test_at_each_instruction_of_the_change_of_stacks(
        program, tmp_path, target):
    """Before it, below mcall() is who called it; from then on, nobody."""
    steps = tmp_path / "steps.py"
    steps.write_text(STEPS)
    gdb = target(
        lab.tool("gdb"), "-nx", "-batch", "-iex", "set auto-load no", "-ex",
        f"source {steps}", program, stderr=subprocess.DEVNULL)
    here, first_sp, before, after = {"is_inside": True}, None, 0, 0
    while here["is_inside"]:
        line = gdb.stdout.readline()
        assert line, "gdb has ended"
        if not line.startswith("at "):
            continue
        here = json.loads(line[3:])
        first_sp = first_sp or here["sp"]
        row, = dump(here["pid"], "-t", here["tid"])
        at = row["functions"].index("runtime.mcall")
        assert at == (0 if here["is_inside"] else 1)
        assert row["is_complete"], row["functions"]
        if abs(here["sp"] - first_sp) < 64:
            assert row["functions"][-1] == "runtime.goexit"
            before += 1
        else:
            assert row["functions"][at:] == ["runtime.mcall"]
            after += 1
        gdb.stdin.write("on\n" if here["is_inside"] else "end\n")
        gdb.stdin.flush()
    gdb.communicate(timeout=lab.PATIENCE)
    assert before > 5 and after > 2


# ---- record ----


@pytest.mark.parametrize("way", ("perf", "inject", "ptrace"))
def test_a_program_is_recorded_and_goes_on(tmp_path, busy, way):
    output = tmp_path / "x.folded"
    recorder = lab.Recorder(way, [output], [busy.pid])
    result = recorder.end_when_used(1)
    assert result.returncode == 0, result.stderr
    folded = lab.Folded(output)
    # It computes for 30 of 40 ms, in one thread of several; six sigma and more.
    assert folded.inclusive()["main.busy"] > 0.4 * folded.total()
    under_signals = 0
    for stack, weight in folded.stacks:
        if "runtime.sigtramp" in stack:
            under_signals += weight  # on a stack of its own, with no way back
        elif "main.busy" in stack:
            at = stack.index("main.busy")
            assert list(stack[at - 3:at]) == [*reversed(FIRST), "main.main"], (
                stack)
    assert under_signals < 0.1 * folded.total()
    # Ticks wait while Go has a goroutine give way, and are not that call's.
    assert folded.weight(
        lambda stack: stack[-1] == "runtime.asyncPreempt"
    ) < 0.1 * folded.total()
    assert said_at_its_end(busy) == "collected\n"


def test_go_that_recovers_has_not_crashed_and_c_beside_it_has(
        folder, tmp_path):
    faults = build(folder, "faults", FAULTS)
    env, crash = lab.clean_environment(), tmp_path / "crash.json"

    def watched(**more):
        return lab.run(
            lab.WATCHFIRE, "record", f"--crashes={crash}", "-o",
            tmp_path / "x.folded", "--", faults, env={**env, **more})

    plain, result = lab.run(faults, env=env), watched()
    assert plain.returncode == result.returncode == 0
    assert result.stderr.splitlines()[0] == plain.stderr.strip() == "recovered"
    assert not crash.exists()
    plain = lab.run(faults, env={**env, "FAULT": ""})
    assert watched(FAULT="").returncode == plain.returncode == -signal.SIGSEGV
    value = json.loads(crash.read_text())["exception"]["values"][0]
    assert value["type"] == "SIGSEGV"
    assert value["stacktrace"]["frames"][-1]["function"] == "fault"
