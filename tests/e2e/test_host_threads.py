"""Threads, stacks and libraries come and go as they do without us."""

import pytest

import host
import lab

PROGRAMS = ("host_loads", "host_threads")
CASES = [(program, case) for program in PROGRAMS
         for case in host.cases(program)]

# Where a sample is most likely to meet something half done.
AT_A_HIGH_RATE = {
    "cancel", "exceptions", "jump_loops", "one_library", "own_libraries"}


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
