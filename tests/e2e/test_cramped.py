"""A sample is not taken where the thread's signal stack has no room for it."""

import lab


def test_nothing_below_a_small_alternate_stack_is_touched(tmp_path):
    path = tmp_path / "cramped.data"
    result = lab.record([path], lab.program("cramped"), frequency=2000)
    assert result.returncode == 0, result.stderr
    assert result.stdout == "0\n"
    assert ", 0 samples lost," not in result.stderr  # and it is said
