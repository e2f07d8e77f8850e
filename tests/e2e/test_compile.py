"""A C++ compile, watched: every process, every stack, every nanosecond."""

import functools
import re
import struct

import pytest

import lab

FLAGS = ("-std=c++20", "-O2", "-c", lab.SOURCES / "demo.cc", "-o")


class Compile:
    """One recorded run of g++, and what the kernel says it used."""

    def __init__(self, folder):
        self.plain = folder / "plain.o"
        self.watched = folder / "watched.o"
        self.svg = folder / "cc.svg"
        self.data = folder / "cc.data"
        usage = folder / "usage"
        compiler = lab.tool("g++")
        lab.run(compiler, *FLAGS, self.plain).check_returncode()
        self.result = lab.record(
            [self.svg, folder / "cc.folded", self.data],
            lab.program("timed"), usage, compiler, *FLAGS, self.watched,
        )
        assert self.result.returncode == 0, self.result.stderr
        self.folded = lab.Folded(folder / "cc.folded")
        self.kernel_ns = sum(map(int, usage.read_text().split()))


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    return Compile(tmp_path_factory.mktemp("compile"))


def test_the_object_file_is_the_same(compiled):
    assert compiled.watched.read_bytes() == compiled.plain.read_bytes()
    assert compiled.result.stdout == ""
    lab.only_sentence(compiled.result.stderr)


def test_every_program_of_the_tree_is_told_by_name_and_pid(compiled):
    roots = {stack[0] for stack, _ in compiled.folded.stacks}
    for name in ("g++", "cc1plus", "as"):
        matching = [root for root in roots if re.match(
            re.escape(name) + r"-\d+$", root)]
        assert len(matching) == 1, roots


def test_the_weights_add_up_to_the_kernels_figure(compiled):
    ours = compiled.folded.weight(
        lambda stack: not stack[0].startswith("timed"))
    assert ours / compiled.kernel_ns == pytest.approx(1, abs=0.02)


def test_little_is_left_to_account_frames(compiled):
    assert compiled.folded.account() / compiled.folded.total() < 0.03


@functools.cache
def entry_offset(path):
    """Where an ELF file's entry point lies in the file."""
    with open(path, "rb") as file:
        head = file.read(64)
        entry, table = struct.unpack_from("<QQ", head, 24)
        size, count = struct.unpack_from("<HH", head, 54)
        for i in range(count):
            file.seek(table + i * size)
            kind, _, offset, address, _, bytes_ = struct.unpack(
                "<IIQQQQ", file.read(40))
            if kind == 1 and address <= entry < address + bytes_:
                return entry - address + offset
    raise AssertionError(f"{path} has no entry point")


def test_stacks_of_cc1plus_reach_its_first_instruction(compiled):
    complete = total = 0
    for sample in lab.perf_samples(compiled.data):
        if sample.name != "cc1plus" or not sample.frames:
            continue
        offset, symbol, module = sample.frames[-1]
        if symbol in lab.ACCOUNTS:
            continue
        total += 1
        # _start is some forty bytes long: one call, then hlt.
        complete += module.endswith("/cc1plus") and (
            0 <= offset - entry_offset(module) < 64)
    assert total > 500
    # Of 30 500 two ended in hand-written code without rules (libgmp's): of 3 000
    # that is 0.2, and more than five are met once in 10^7 runs.
    assert total - complete <= max(5, 0.001 * total)


def test_the_report_calls_the_stacks_complete(compiled):
    quality = lab.report(compiled.data)["quality"]
    assert quality["samples"] > 500
    assert quality["incomplete_samples"] <= max(5, 0.001 * quality["samples"])
    assert quality["lost_samples"] == 0


def test_the_picture_is_whole_and_names_the_program(compiled):
    assert lab.is_xml(compiled.svg)
    assert "cc1plus" in compiled.svg.read_text()
