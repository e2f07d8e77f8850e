"""What the agent adds to a program's memory, however large the program."""

import os
import re
import subprocess
import time
from pathlib import Path

import pytest

import lab

LIBRARIES = 500
THREADS = 1000

# DESIGN, budgets: 4 MiB. Addresses are mostly the tables of rows, 8 MiB, and an
# alternate stack for each thread where crashes are caught.
RESIDENT_KIB = 4096
VIRTUAL_KIB = 16384
ALTERNATE_KIB = 64


def make_libraries(folder, count):
    """Copies of one small library, each with a build-id of its own."""
    image = lab.program("libcrowd_library.so").read_bytes()
    note = image.index(b"\4\0\0\0\x14\0\0\0\3\0\0\0GNU\0") + 16
    folder.mkdir()
    for i in range(count):
        name = i.to_bytes(8, "little")
        (folder / f"{i}.so").write_bytes(
            image[:note] + name + image[note + 8:])
    return folder


def memory(result):
    assert result.returncode == 0, result.stderr
    match = re.fullmatch(r"resident (\d+) virtual (\d+)\n", result.stdout)
    return int(match[1]), int(match[2])


@pytest.fixture(scope="module")
def libraries(tmp_path_factory):
    return make_libraries(tmp_path_factory.mktemp("crowd") / "libs", LIBRARIES)


@pytest.mark.parametrize("options, thread_kib", (
    ([], 0), (["--crashes=/dev/null"], ALTERNATE_KIB)))
def test_memory_stays_small_with_many_threads_and_libraries(
        tmp_path, libraries, options, thread_kib):
    command = (lab.program("crowd"), libraries, THREADS)
    alone, virtual_alone = memory(lab.run(*command))
    # A ring that goes round more than once is resident as a whole. With the
    # limit of cost that a user has: without it nearly every thread is sampled,
    # and the kernel's frame touches a page more of its stack, 4.0 to 4.7 MiB.
    watched, virtual = memory(lab.run(
        lab.WATCHFIRE, "record", "-F", 10000, *options,
        "-o", tmp_path / "x.folded", "--", *command))
    assert watched - alone <= RESIDENT_KIB
    assert virtual - virtual_alone <= VIRTUAL_KIB + THREADS * thread_kib
    # It was sampled: libraries burn half a second there, and then threads, of
    # which each is brief and may end before the lowered rate has met it.
    folded = lab.Folded(tmp_path / "x.folded")
    assert folded.inclusive()["crowd_work"] > 0.3e9


def first_in_first_out(*command):
    """A command line whose threads run one after the other: none begins
    before the one that made it waits."""
    lab.need_root()
    words = (lab.tool("taskset"), "-c", min(os.sched_getaffinity(0)),
             lab.tool("chrt"), "-f", 1)
    if lab.run(*words, "true").returncode != 0:
        pytest.skip("no classes of real time here")
    return (*words, *command)


def test_threads_that_wait_for_a_processor_take_no_arenas(tmp_path):
    command = first_in_first_out(
        lab.program("crowd"), make_libraries(tmp_path / "libs", 1), 600)
    _, alone = memory(lab.run(*command))
    _, watched = memory(lab.run(
        lab.WATCHFIRE, "record", "-o", tmp_path / "x.folded", "--", *command))
    assert watched - alone <= VIRTUAL_KIB


def test_what_does_not_fit_is_counted(tmp_path):
    """More threads than there is room for stacks, more libraries than for
    their frames: samples there end early, and the profile says how many."""
    folder = make_libraries(tmp_path / "libs", 1200)
    path = tmp_path / "x.data"
    result = lab.record(
        [path], lab.program("crowd"), folder, 4400, frequency=2000)
    memory(result)
    losses = {row["reason"]: row["count"]
              for row in lab.report(path)["quality"]["losses"]}
    assert losses.get("incomplete", 0) > 0, losses


# Works until the tables of rows are mapped and some of them was read.
WAIT_FOR_TABLES = """
import re, time
def resident():
    maps = open("/proc/self/smaps").read()
    found = re.search(r"watchfire-tables.*\\n(?:.*\\n)*?Rss: +(\\d+)", maps)
    return int(found[1]) if found else -1
def work(n):
    return n if n < 2 else work(n - 1) + work(n - 2)
while resident() <= 0 and time.process_time() < 30:
    work(18)
    sorted(str(i) for i in range(20000))
print(resident() > 0)
"""


def test_tables_of_rows_reach_a_program_that_is_sampled_much(tmp_path):
    result = lab.record(
        [tmp_path / "x.folded"], lab.tool("python3"), "-c", WAIT_FOR_TABLES,
        frequency=10000)
    assert result.returncode == 0, result.stderr
    assert result.stdout == "True\n"
    # Not one stack was the worse for it.
    folded = lab.Folded(tmp_path / "x.folded")
    assert folded.inclusive()["_start"] > 0.99 * (
        folded.total() - folded.account())


def test_memory_of_the_collector_does_not_grow_with_time(tmp_path):
    """At 20 kHz, 40 000 samples a second of 56 bytes each would be seen."""
    recorder = subprocess.Popen(
        [str(word) for word in (
            lab.WATCHFIRE, "record", "-F", 20000, *lab.AT_ANY_COST,
            "-o", tmp_path / "x.folded", "-o", tmp_path / "x.data",
            "--", lab.program("spin"), 8, 4)],
        stdout=subprocess.DEVNULL, env=lab.clean_environment())
    folder = Path(f"/proc/{recorder.pid}")
    children = folder / "task" / str(recorder.pid) / "children"
    resident = []
    try:
        assert lab.wait_until(lambda: children.read_text())
        while True:
            found = re.search(
                r"VmRSS:\s+(\d+)", (folder / "status").read_text())
            # What comes after the program's end is another matter.
            if not children.read_text():
                break
            resident.append(int(found[1]))
            time.sleep(0.05)
        assert recorder.wait(lab.PATIENCE) == 0
    finally:
        lab.end(recorder)
    samples = lab.report(tmp_path / "x.data")["quality"]["samples"]
    assert samples > 100000
    grown = max(resident) - resident[len(resident) // 4]
    assert grown * 1024 < samples * 56 / 4
