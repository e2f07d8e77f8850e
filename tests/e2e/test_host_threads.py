"""Threads, stacks and libraries come and go as they do without us."""

import pytest

import host
import lab

PROGRAMS = ("host_loads", "host_stacks", "host_threads")
CASES = [(program, case) for program in PROGRAMS
         for case in host.cases(program)]

# What is as hard for us as it gets: nested frames, little room, much going on.
AT_A_HIGH_RATE = {
    "alternate_stacks", "cancel", "exceptions", "fibers_with_handlers",
    "freed_alternate_stack", "jump_loops", "jumps_from_alternate_stacks",
    "own_libraries", "smashed_stack"}


@pytest.mark.parametrize("way", host.WAYS)
@pytest.mark.parametrize(("program", "case"), CASES)
def test_threads(tmp_path, way, program, case):
    watched = host.alike(tmp_path, way, lab.program(program), case)
    assert host.has_samples(watched)


@pytest.mark.parametrize(("program", "case"), [
    known for known in CASES if known[1] in AT_A_HIGH_RATE])
def test_threads_at_a_high_rate(tmp_path, program, case):
    host.alike(tmp_path, "record", lab.program(program), case,
               frequency=10000)


def test_a_smashed_stack_is_cut_and_counted(tmp_path):
    path = tmp_path / "x.data"
    lab.record([path], lab.program("host_stacks"), "smashed_stack")
    quality = lab.report(path)["quality"]
    assert any("before the thread's first frame" in str(row)
               for row in quality["losses"])
