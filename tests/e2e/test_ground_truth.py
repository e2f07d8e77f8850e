"""Shares, stacks and lines against a program that knows its own."""

import json

import pytest

import lab


class Truth:
    def __init__(self, folder):
        self.data = folder / "shares.data"
        result = lab.record(
            [folder / "shares.folded", self.data], lab.program("shares"), 10)
        assert result.returncode == 0, result.stderr
        self.told = json.loads(result.stdout)
        self.folded = lab.Folded(folder / "shares.folded")


@pytest.fixture(scope="module")
def truth(tmp_path_factory):
    return Truth(tmp_path_factory.mktemp("truth"))


@pytest.mark.parametrize("part", lab.SHARES)
def test_a_share_is_right_within_a_point_and_a_half(truth, part):
    told = truth.told["parts"][part] / truth.told["total_ns"]
    seen = truth.folded.inclusive()[part] / truth.folded.total()
    assert seen == pytest.approx(told, abs=0.015)


def test_the_total_is_the_cpu_time_used(truth):
    ratio = truth.folded.total() / truth.told["total_ns"]
    assert ratio == pytest.approx(1, abs=0.02)


def follows(stack, *names):
    """Whether these frames stand in a row, callers first."""
    return any(
        stack[i:i + len(names)] == names for i in range(len(stack)))


def test_inlined_functions_stand_between_caller_and_leaf(truth):
    inlined = truth.folded.weight(
        lambda stack: follows(stack, "part_inlined", "knead", "fold"))
    whole = truth.folded.inclusive()["part_inlined"]
    # The rest is the clock, which part_inlined reads itself.
    assert inlined / whole > 0.7


def test_recursion_keeps_all_its_frames(truth):
    # One descend for each depth from 200 to 0; on the way down there are less.
    all_frames = truth.told["depth"] + 1
    deep = truth.folded.weight(
        lambda stack: stack.count("descend") == all_frames)
    assert deep / truth.folded.inclusive()["part_deep"] > 0.95
    assert not any(
        stack.count("descend") > all_frames for stack, _ in truth.folded.stacks)


def test_libraries_are_seen_below_those_who_call_them(truth):
    for caller, callee in (("part_linked", "shares_linked"),
                           ("part_loaded", "shares_loaded")):
        weight = truth.folded.weight(
            lambda stack: follows(stack, caller, callee))
        # Loading and unloading is part of the second.
        assert weight / truth.folded.inclusive()[caller] > 0.9


def test_threads_begin_where_the_kernel_starts_them(truth):
    for part in ("part_first_worker", "part_second_worker"):
        for stack, weight in truth.folded.stacks:
            if part in stack:
                assert "main" not in stack
                assert "run_thread" in stack


def test_lines_are_those_of_the_source(truth):
    first, last = truth.told["fold_lines"]
    rows = [row for row in lab.report(truth.data)["functions"]
            if row["name"] == "fold"]
    assert len(rows) == 1
    assert rows[0]["file"].endswith("shares.c")
    assert first - 2 <= rows[0]["line"] <= last
