"""Stock perf reads our recordings, and sees the same stacks."""

from collections import Counter

import pytest

import lab


class Recording:
    def __init__(self, folder):
        self.data = folder / "shares.data"
        self.folded = folder / "shares.folded"
        result = lab.record(
            [self.data, self.folded], lab.program("shares"), 3)
        assert result.returncode == 0, result.stderr


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    return Recording(tmp_path_factory.mktemp("perf"))


def test_perf_script_finds_nothing_to_say(recording):
    assert len(lab.perf_samples(recording.data)) > 1000


def test_perf_report_finds_nothing_to_say(recording):
    result = lab.run(
        lab.tool("perf"), "report", "-i", recording.data, "--stdio",
        "--no-children", "--no-inline", timeout=5 * lab.PATIENCE)
    assert result.returncode == 0
    assert result.stderr == ""
    assert "shares" in result.stdout


def test_perf_knows_where_the_recording_was_made(recording):
    result = lab.run(
        lab.tool("perf"), "report", "-i", recording.data, "--header-only")
    assert result.returncode == 0
    assert result.stderr == ""
    assert "# hostname : " in result.stdout
    assert "# cmdline : " in result.stdout


# Where perf differs: it expands no inlined functions here, and where it has
# no symbol it says so in its own words.
def plain_stack(frames, inlined):
    return tuple(
        "?" if name.startswith("[") and name not in lab.ACCOUNTS else name
        for name in frames if name not in inlined)


def test_perf_folds_to_the_same_stacks(recording):
    # Every function of ours that can be inlined; libc's cannot be told apart
    # from perf's view, so stacks are compared from our functions on down to
    # the last of ours.
    inlined = {"fold", "knead", "stir", "thread_cpu_ns", "clock_ns",
               "burn_ns", "burn_until", "print_truth"}
    theirs = Counter()
    for sample in lab.perf_samples(recording.data):
        names = [name.split("+")[0] for _, name, _ in reversed(sample.frames)]
        theirs[ours_only(plain_stack(names, inlined))] += sample.period
    ours = Counter()
    for stack, weight in lab.Folded(recording.folded).stacks:
        ours[ours_only(plain_stack(stack[1:], inlined))] += weight
    assert theirs == ours


OURS = {"main", "run_thread", "descend", "pointed_at", "shares_linked",
        "shares_loaded"}


def ours_only(stack):
    return tuple(
        name for name in stack
        if name in OURS or name in lab.ACCOUNTS or name.startswith("part_"))


def test_a_recording_gives_back_the_folded_file(recording, tmp_path):
    again = tmp_path / "again.folded"
    result = lab.run(
        lab.WATCHFIRE, "export", "-i", recording.data, "-o", again)
    assert result.returncode == 0, result.stderr
    assert again.read_text() == recording.folded.read_text()
