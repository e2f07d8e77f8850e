"""Signals are the program's own, whatever it does with them."""

import pytest

import host
import lab

# The profile says why these were not sampled to the end.
WITHDRAWN = {"reading_signals": "by signalfd()"}


@pytest.mark.parametrize("way", host.WAYS)
@pytest.mark.parametrize("case", host.cases("host_signals"))
def test_signals(tmp_path, way, case):
    watched = host.alike(tmp_path, way, lab.program("host_signals"), case)
    assert host.has_samples(watched)
    reason = WITHDRAWN.get(case)
    if reason and way != "preload":
        assert any(reason in line for line in watched.remarks)
    else:
        assert not [line for line in watched.remarks if "not" in line
                    and "perf events are refused" not in line]


@pytest.mark.parametrize("case", ("jump_out", "null_checks", "own_timers",
                                  "handler_surroundings", "reading_signals"))
def test_signals_at_a_high_rate(tmp_path, case):
    host.alike(tmp_path, "record", lab.program("host_signals"), case,
               frequency=10000)


@pytest.mark.parametrize("way", host.WAYS)
@pytest.mark.parametrize("start", ("--block-signal", "--ignore-signal"))
def test_signals_set_before_the_start(tmp_path, way, start):
    command = ("env", f"{start}=PROF", f"{start}=TRAP",
               lab.program("host_signals"), "as_started")
    watched = host.alike(tmp_path, way, *command)
    assert host.has_samples(watched)


@pytest.mark.parametrize("way", host.WAYS)
def test_a_library_starts_the_handlers(tmp_path, way):
    watched = host.alike(tmp_path, way, lab.program("host_between"))
    assert watched.result.stdout.count("; 1000 started, 1000 handled") == 4
    assert host.has_samples(watched)
