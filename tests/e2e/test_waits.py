"""A sleeping call never returns early because of us, a busy one never short.

The program counts (tests/programs/waits.c). In CI a few seconds for each
combination of event, rate and clock; the long form is

    TESTS_WAITS_SECONDS=60 ctest --preset dev -R e2e_waits
"""

import json
import os
import shutil

import pytest

import lab

SECONDS = float(os.environ.get("TESTS_WAITS_SECONDS", 2))

EVENTS = (("cpu", 997), ("wall", 997), ("cpu", 10000))
CLOCKS = ("root", "ordinary user", "perf refused")


def counts(result):
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def total(counted, what):
    return sum(row[what] for row in counted.values())


def run_waits(*command, **options):
    return counts(lab.run(*command, timeout=lab.PATIENCE + 3 * SECONDS,
                          **options))


@pytest.fixture(scope="module")
def alone():
    return run_waits(lab.program("waits"), SECONDS)


def command_line(clock, folder, words):
    """`words` after the watchfire command, where the clock is this one."""
    if clock == "root":
        return (lab.WATCHFIRE, *words, lab.program("waits"))
    if clock == "perf refused":
        return (lab.program("refuse_perf"), lab.WATCHFIRE, *words,
                lab.program("waits"))
    copy = folder / "waits"
    if not copy.exists():
        shutil.copy(lab.program("waits"), copy)
        copy.chmod(0o755)
    return lab.as_nobody(folder / "bin" / "watchfire", *words, copy)


@pytest.mark.parametrize("clock", CLOCKS)
@pytest.mark.parametrize("event,rate", EVENTS)
def test_nothing_is_cut_short(public_folder, alone, event, rate, clock):
    output = public_folder / f"waits-{event}-{rate}-{CLOCKS.index(clock)}.folded"
    words = (
        "record", "-e", event, "-F", rate, *lab.AT_ANY_COST, "-o", output, "--")
    counted = run_waits(*command_line(clock, public_folder, words), SECONDS)

    assert counted.keys() == alone.keys()
    assert all(row["waits"] > 0 for row in counted.values()), counted
    # It was sampled: a test of nothing would pass as well.
    assert lab.Folded(output).inclusive()["run_waiter"] > 0

    lab.assert_waits_were_whole(counted)


def test_the_program_would_notice(alone):
    """With signals of the kind a sampler must not send, no count stays 0."""
    for what in ("interrupted", "early", "pieces"):
        assert total(alone, what) == 0
    pestered = run_waits(lab.program("waits"), 1, "pest")
    restartable = {"endless sem_wait", "endless recv", "endless accept",
                   "endless futex"}
    for name, row in pestered.items():
        if name.startswith("busy block"):
            assert row["pieces"] > 0, name
        elif not name.startswith("busy") and name not in restartable:
            assert row["interrupted"] > 0, name


def test_the_program_would_notice_a_limit_that_begins_anew():
    """The plain restart of a wait, which waits the whole limit again."""
    anew = run_waits(lab.program("waits"), 1, "anew")
    for name, row in anew.items():
        if name.startswith("timed"):
            assert row["late"] == row["waits"] > 0, name
