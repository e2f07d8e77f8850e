"""The rate is lowered when sampling costs more than was allowed."""

import math
import os
import re
import subprocess

import pytest

import clocks
import lab

ROUNDS, DEPTH = 170000, 200  # about two seconds, at the end of a deep stack


@pytest.fixture(params=clocks.CLOCKS)
def clock(request, public_folder):
    return clocks.Clock(request.param, public_folder)


def governed(recording):
    """The sentence about it: the cost there was, the limit, the cost now, over
    a second and more; None when the rate changed later than that."""
    (line,) = [line for line in recording.remarks if "--max-overhead" in line]
    numbers = re.search(
        r"cost ([\d.]+) %.* lowered to (\d+) Hz .* below ([\d.]+) % "
        r"\(--max-overhead\)(?:; at last (\d+) Hz, at ([\d.]+) %)?$", line)
    assert numbers, line
    return [float(number) if number else None for number in numbers.groups()]


def test_a_high_rate_on_deep_stacks_is_lowered(clock):
    # The tick allows 250 Hz at best, which is cheap: the reference engine is
    # not, and costs several times the limit on any machine.
    limit, depth, engine = (
        (0.5, 2 * DEPTH, "libunwind") if clock.name == "refused"
        else (3, DEPTH, "cfi"))
    recording = clock.record(
        "deep", 2 * ROUNDS, depth, frequency=20000,
        options=("--max-overhead", limit, "--unwinder", engine))
    before, lowest_hz, told_limit, last_hz, last = governed(recording)
    assert told_limit == limit < before
    if clock.name == "refused":
        # Ticks are passed over by chance, and the rate may have followed it.
        assert last is None or last <= limit
        assert before > 2 * limit
        assert recording.delivered_hz() < 250 / 2
    else:
        assert last is not None and last <= limit
        assert lowest_hz <= last_hz
        # The first tenth of a second is at the full rate.
        assert recording.delivered_hz() < 20000 / 5
    assert recording.sum_ratio() == pytest.approx(1, abs=0.01)
    # Ticks passed over since the last sample stand nowhere: two periods.
    assert recording.account_share() < 0.03 + 2 / (
        lowest_hz * recording.quality["kernel_ns"] / 1e9)


def test_time_away_from_the_processor_is_no_cost(public_folder):
    """A handler that is preempted takes long, and costs no more for it."""
    clock = clocks.Clock("perf", public_folder)
    processor = max(os.sched_getaffinity(0))
    pinned = (lab.tool("taskset"), "-c", processor)

    def cost():
        # The reference engine's handlers, 90 us each, meet many a rival.
        recording = clock.record(
            "deep", ROUNDS // 2, DEPTH, frequency=2999, prefix=pinned,
            options=("--max-overhead", 3, "--unwinder", "libunwind"))
        return governed(recording)[0]

    alone = cost()
    rivals = [
        subprocess.Popen([str(word) for word in (
            *pinned, lab.program("spin"), 3600)], stdout=subprocess.DEVNULL)
        for _ in range(2)]
    try:
        assert 0.7 < cost() / alone < 1.4
    finally:
        for rival in rivals:
            lab.end(rival)


def test_the_program_pays_less_for_it(public_folder):
    clock = clocks.Clock("perf", public_folder)
    plain_ns = int(lab.run(lab.program("deep"), ROUNDS, DEPTH).stdout)

    def added(limit):
        recording = clock.record(
            "deep", ROUNDS, DEPTH, frequency=20000,
            options=("--max-overhead", limit))
        return recording.told / plain_ns - 1, recording

    free, recording = added(100)
    assert not recording.remarks
    assert recording.delivered_hz() > 18000
    bound, _ = added(3)
    # The first tenth of a second is at the full rate.
    assert bound < free / 2


def test_threads_that_come_and_go_are_neither_lost_nor_doubled(clock):
    recording = clock.record(
        "brief_threads", 20000, frequency=20000,
        options=("--max-overhead", 1))
    assert recording.sum_ratio() == pytest.approx(1, abs=0.01)
    # Most of the weight is in samples of the lowest rate, where there is one.
    count = recording.quality["samples"]
    if recording.remarks and "--max-overhead" in "".join(recording.remarks):
        count = min(count, governed(recording)[1] *
                    recording.quality["kernel_ns"] / 1e9)
    true = recording.true("brief_worker")
    assert recording.seen("brief_worker") == pytest.approx(
        true, abs=4 * math.sqrt(true * (1 - true) / count))


def test_standing_threads_are_neither_lost_nor_doubled(clock):
    recording = clock.record(
        "spin", 4, 16, frequency=20000, options=("--max-overhead", 1))
    assert recording.sum_ratio() == pytest.approx(1, abs=0.01)
    assert recording.account_share() < 0.12


def test_a_share_that_is_none_is_refused():
    for text in ("0", "101", "-1", "x", ""):
        result = lab.run(
            lab.WATCHFIRE, "record", "--max-overhead", text, "--", "true")
        assert result.returncode == 2
        assert "--max-overhead" in lab.only_sentence(result.stderr)
