"""Other allocators and the sanitizers' runtimes work beside us as without us."""

import ctypes.util

import pytest

import host
import lab

CASES = host.cases("host_heap")
# As a library, which has to stand first, and linked into the program.
SHARED = ("address", "thread")
LINKED = ("static_address", "static_thread")
SANITIZED = [(kind, case) for kind in SHARED for case in CASES] + [
    (kind, case) for kind in LINKED for case in ("exceptions", "own_timer")]


def allocator(name):
    """The file name of one that is installed."""
    found = ctypes.util.find_library(name)
    if found is None:
        pytest.skip(f"lib{name} is not installed (tools/setup test)")
    return found


def beside(tmp_path, name, case, way, order="first"):
    """Run with an allocator preloaded; its own name comes `order`."""
    other = allocator(name)
    libraries = [str(lab.LIBRARY), other]
    if order == "first":
        libraries.reverse()
    settings = {"LD_PRELOAD": ":".join(libraries)} if way == "preload" else {}
    return host.alike(
        tmp_path, way, lab.program("host_heap"), case, settings=settings,
        env=lab.clean_environment(LD_PRELOAD=other))


@pytest.mark.parametrize("order", ("first", "last"))
@pytest.mark.parametrize("name", ("jemalloc", "tcmalloc_minimal"))
@pytest.mark.parametrize(
    "case", ("allocator", "children", "hand_over", "own_timer"))
def test_an_allocator_in_either_order(tmp_path, name, case, order):
    watched = beside(tmp_path, name, case, "preload", order)
    if case == "allocator":
        assert watched.result.stdout.count(" 1\n") == 1  # it was the one
        assert host.has_samples(watched)


@pytest.mark.parametrize("way", ("record", "refused"))
@pytest.mark.parametrize("name", ("jemalloc", "tcmalloc_minimal"))
def test_an_allocator_under_record(tmp_path, name, way):
    watched = beside(tmp_path, name, "allocator", way)
    assert host.has_samples(watched)
    assert host.adds_up(watched)


def sanitized(kind):
    program = lab.PROGRAMS / f"host_heap_{kind}"
    if not program.exists():
        pytest.skip("there is no clang++ (tools/setup test)")
    return program


@pytest.mark.parametrize(("kind", "case"), SANITIZED)
def test_a_sanitizer_reports_nothing(tmp_path, kind, case):
    watched = host.alike(
        tmp_path, "record", sanitized(kind), case, frequency=10000)
    assert watched.result.returncode == 0
    assert host.others(watched.result.stderr) == []
    assert host.has_samples(watched)
    assert host.adds_up(watched)


@pytest.mark.parametrize("way", ("refused", "preload"))
@pytest.mark.parametrize("kind", SHARED)
def test_a_sanitizer_where_others_drive_the_sampling(tmp_path, kind, way):
    watched = host.alike(tmp_path, way, sanitized(kind), "own_timer")
    assert watched.result.returncode == 0
    assert host.others(watched.result.stderr) == []
    assert host.has_samples(watched)
