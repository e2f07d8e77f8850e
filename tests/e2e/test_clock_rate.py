"""Rates from 1 Hz to 20 kHz, and intervals that no program keeps step with."""

import os
import time

import pytest

import clocks
import lab


@pytest.fixture(params=clocks.CLOCKS)
def clock(request, public_folder):
    return clocks.Clock(request.param, public_folder)


@pytest.fixture(params=("perf", "user"))
def perf_clock(request, public_folder):
    return clocks.Clock(request.param, public_folder)


@pytest.mark.parametrize("rate", (1, 99, 4999, 20000))
def test_the_sum_holds_at_every_rate(clock, rate):
    # A thread's first expiry is anywhere in its first period, so that one more
    # than fits may be counted. At 1 Hz, where perf's period may be 0.992 s, two
    # at most of what is less than 1.984 s, with loader and end; and two of
    # timers, 2 s, are within 1 % of what is more than 1.9802 s.
    recording = clock.record("spin", 1.9805, frequency=rate)
    assert recording.sum_ratio() == pytest.approx(1, abs=0.01)
    if clock.name == "perf":
        assert recording.delivered_hz() > 0.9 * rate - 1


@pytest.mark.parametrize("threads", (1, 4))
def test_the_rate_that_was_asked_for_is_delivered(public_folder, threads):
    # A busy machine, where others have the processor 100 times a second, takes
    # up to 0.8 % of the samples.
    begun_s = time.monotonic()
    recording = clocks.Clock("perf", public_folder).record(
        "spin", 3, threads, frequency=999, prefix=lab.undisturbed())
    lasted_s = time.monotonic() - begun_s
    assert 989 <= recording.delivered_hz()
    # Perf's clock runs on while a hypervisor has the processor: on a busy
    # machine 4 % more than the CPU time. Beyond the time there was it is wrong.
    most_s = lasted_s * min(threads, len(os.sched_getaffinity(0)))
    assert recording.quality["samples"] <= 1012 * most_s


def test_ticks_make_good_what_user_mode_misses(public_folder):
    # Samples of perf and of ticks are not told apart here, and time in the
    # kernel has ticks alone: test_rate.py counts perf's by their weight. Each
    # thread leaves up to three ticks for calls that none has met (account.h),
    # and what it does in the kernel since its last one: among 30 busy threads
    # 1.8 % of all, undisturbed 0.1 to 0.5.
    recording = clocks.Clock("user", public_folder).record(
        "spin", 3, 4, frequency=999, prefix=lab.undisturbed())
    assert recording.delivered_hz() >= 900
    assert recording.account_share() < 0.02


@pytest.mark.parametrize("where", ((), ("in-thread",)))
def test_a_program_with_our_period_is_sampled_fairly(perf_clock, where):
    # Undisturbed it keeps step for good: without jitter 0 of 100 samples were
    # in one of the halves. A machine with other work jolts it out of step.
    recording = perf_clock.record(
        "periodic", 4, *where, frequency=1000, prefix=lab.undisturbed())
    # It drifts through our period in 125 to 333 samples and is drawn anew after
    # a thousand: at worst a quarter of 333 too many of each thousand, and of
    # what is left, are in one half. That is 10 points; 1.7 is the deviation.
    for part in ("part_first", "part_second"):
        assert recording.seen(part) == pytest.approx(
            recording.true(part), abs=0.12), part
