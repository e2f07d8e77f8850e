"""Programs that cannot be preloaded: the reason is said, never kept back."""

import os
import re

import pytest

import lab


def refused(result, path, reason):
    """One sentence names the reason; nothing was run and nothing written."""
    assert result.returncode == 1
    assert re.search(reason, lab.only_sentence(result.stderr))
    assert result.stdout == ""
    assert not path.exists()


def test_a_static_program(tmp_path):
    path = tmp_path / "x.folded"
    result = lab.record([path], lab.program("spin_static"), 0.2)
    refused(result, path, "static")


def test_a_32_bit_program(tmp_path):
    if not (lab.PROGRAMS / "narrow").exists():
        pytest.skip("no 32-bit program could be built")
    path = tmp_path / "x.folded"
    result = lab.record([path], lab.program("narrow"))
    refused(result, path, "32-bit")


def test_a_setuid_program(public_folder):
    lab.need_root()
    copy = public_folder / "spin_setuid"
    copy.write_bytes(lab.program("spin").read_bytes())
    copy.chmod(0o4755)
    if os.statvfs(public_folder).f_flag & os.ST_NOSUID:
        pytest.skip("the file system here ignores set-user-ID")
    path = public_folder / "x.folded"
    result = lab.run(*lab.as_nobody(
        public_folder / "bin" / "watchfire", "record", "-o", path, "--",
        copy, 0.2))
    refused(result, path, "set-user-ID|setuid")


def test_a_static_child_does_not_hide_its_parent(tmp_path):
    path = tmp_path / "x.folded"
    script = f"{lab.program('spin')} 0.5; {lab.program('spin_static')} 0.5"
    result = lab.record([path], "sh", "-c", script)
    assert result.returncode == 0
    folded = lab.Folded(path)
    assert folded.of_program("spin").inclusive()["main"] > 0
    assert re.search("static|not be sampled", result.stderr), result.stderr
