"""Other people's test suites have the results they have without us.

The short form of tests/witness/run: what a guest in the process could disturb.
"""

import os
import sys

import pytest

import lab

WITNESS = lab.SOURCES.parent / "witness"
sys.path.insert(0, str(WITNESS))

import verdict  # noqa: E402
import ways  # noqa: E402
from unit import WHOLE, Unit  # noqa: E402


def short_form(work, suite, way):
    result = lab.run(
        WITNESS / "run", "--short", "--suite", suite, "--way", way,
        "--build", lab.WATCHFIRE.parents[1], "--work", work,
        "--jobs", 2 * os.cpu_count(), timeout=15 * lab.PATIENCE)
    print(result.stdout, result.stderr)
    assert result.returncode == 0


def test_cpython_with_the_library_preloaded(tmp_path):
    if not os.path.exists("/usr/lib/python3.11/test/test_signal.py"):
        pytest.skip("libpython3.11-testsuite is not installed")
    short_form(tmp_path, "cpython", ways.PRELOAD)


def test_glib_under_record(tmp_path):
    if not os.path.exists("/usr/share/installed-tests/glib"):
        pytest.skip("libglib2.0-tests is not installed")
    short_form(tmp_path, "glib", ways.RECORD)


@pytest.fixture
def bench():
    bench = ways.Bench(
        lab.WATCHFIRE, lab.LIBRARY, lab.program("refuse_perf"), 997, "perf")
    yield bench
    bench.close()


def kinds(bench, script, exceptions=()):
    unit = Unit(name="script", command=("sh", "-c", script))
    plain, findings = verdict.examine(
        bench, "shell", unit, [ways.PRELOAD, ways.RECORD], exceptions)
    assert plain[WHOLE].startswith("exit")
    return [finding.kind for finding in findings]


def test_a_witness_tells_what_differs_only_under_us(bench):
    notices = 'test -z "$LD_PRELOAD"'
    assert kinds(bench, "exit 0") == []
    assert kinds(bench, notices) == [verdict.DIFFERENT] * 2
    assert kinds(bench, notices, [("shell", "script/*", "it asks")]) == [
        verdict.EXCEPTED] * 2


def test_a_witness_tells_what_varies_without_us(bench, tmp_path):
    """Every third run of this script fails, whoever runs it."""
    turns = tmp_path / "turns"
    turns.write_text("")
    script = f"echo >>{turns}; test $(($(wc -l <{turns}) % 3)) -ne 1"
    assert kinds(bench, script)[0] == verdict.UNSTEADY


def test_a_witness_counts_how_often_it_differs():
    assert verdict.judge(20, 0, 0) == verdict.SELDOM
    assert verdict.judge(20, 0, 6) == verdict.SELDOM
    assert verdict.judge(20, 0, 12) == verdict.DIFFERENT
    assert verdict.judge(20, 1, 20) == verdict.DIFFERENT
    assert verdict.judge(20, 1, 3) == verdict.UNSTEADY
