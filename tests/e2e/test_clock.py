"""The sum of all weights is the kernel's CPU time, and the shares are right,
whichever clock the system permits."""

import pytest

import clocks
import lab


@pytest.fixture(params=clocks.CLOCKS)
def clock(request, public_folder):
    return clocks.Clock(request.param, public_folder)


# What each clock may leave to [startup], [exit], [exec] and [unsampled]. A tick
# that is late on a busy machine leaves more: the loops go before other work.
LOADS = {
    "a pure loop": (
        ("spin", 2), {"perf": 0.02, "user": 0.02, "refused": 0.02}),
    "a system call loop": (
        ("reads", 2, 100, 64), {"perf": 0.02, "user": 0.02, "refused": 0.02}),
    # The kernel's part in making and ending a thread, 40 us against 100 us
    # of work, returns to no instruction that a signal could show. How much that
    # is, the kernel decides; the shares of all else are judged below.
    "40 000 short threads": (
        ("brief_threads", 40000),
        {"perf": 1.0, "user": 1.0, "refused": 1.0}),
    # 3 ms of work each, beside exec, the loader and HELLO; and a tick is 4 ms.
    # Eight runs left 0.34, 0.38 and 0.75, with deviations of 0.02 to 0.04.
    "many short processes": (
        ("brief_processes", 150), {"perf": 0.5, "user": 0.6, "refused": 0.95}),
    # Each works for 125 ms. What it does after the last tick that met it is not
    # seen, and where others work as well a tick meets it once in 16 ms; nor is,
    # by perf in user mode, what little it does in the kernel.
    "32 threads": (
        ("spin", 4, 32), {"perf": 0.03, "user": 0.12, "refused": 0.35}),
    # A timer that is looked at on the tick cannot see it at all; beside perf in
    # user mode, it cannot see that part which is in the kernel: some 25 us to
    # sleep and to be woken in every 4 ms, and 16 for each of perf's interrupts.
    # Of 18 runs, six of them at a load of 15, that left 0.0004 to 0.029.
    "a thread that runs between ticks": (
        ("between_ticks", 2), {"perf": 0.03, "user": 0.1, "refused": 1.0}),
}


@pytest.mark.parametrize("load", LOADS)
def test_the_sum_is_the_kernels_figure(clock, load):
    command, most = LOADS[load]
    recording = clock.record(
        *command, prefix=lab.undisturbed() if load.endswith("loop") else ())
    assert recording.sum_ratio() == pytest.approx(1, abs=0.01)
    assert recording.account_share() <= most[clock.name]
    if command[0] == "spin":
        own = recording.folded.total() / recording.told
        assert own == pytest.approx(1, abs=0.01)
    if command[0] == "brief_threads":
        # Twelve runs were off by 0.4 points in the mean, by 0.9 at most.
        assert recording.seen("brief_worker") == pytest.approx(
            recording.true("brief_worker"), abs=0.04)
        # Making them takes time as well, in the thread that does.
        assert recording.seen("main") > 0.05


# A sample of a timer comes every 4 ms, and chance wants its due: for calls the
# bound is eight standard errors, which thirty runs had as 0.1 to 0.23 points.
# A quiet run had all shares within 0.42 points, page faults' within 0.36. At a
# load of 15, where it is switched all the time, the kernel had 0.9 to more than
# 2 points too much by perf in user mode; 0.5 to 1.1 where it goes before others.
SECONDS = {"perf": 2, "user": 4, "refused": 4}


@pytest.mark.parametrize("size", (64, 1 << 24, 0))
def test_the_kernel_and_computing_have_their_shares(clock, size):
    recording = clock.record(
        "reads", SECONDS[clock.name], 42, size, prefix=lab.undisturbed())
    for part in recording.told["parts"]:
        assert recording.seen(part) == pytest.approx(
            recording.true(part), abs=0.02), part


def test_what_limits_the_clock_is_said_once(clock):
    # Few enough that nobody is told what agents miss of brief programs.
    recording = clock.record("brief_processes", 4)
    expected = {"perf": 0, "user": 1, "refused": 1}
    # Beside that no tick has met them, which may be.
    told = [line for line in recording.remarks if "perf_event_paranoid" in line]
    assert len(told) == expected[clock.name], recording.remarks
    assert len(recording.remarks) - len(told) <= (clock.name == "refused")
