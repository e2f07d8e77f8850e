"""Names of code whose file is not where its name says, or is not a file."""

import os
import shutil
from pathlib import Path

import pytest

import lab

NAME, OTHER_NAME = "burn_here", "burn_there"


def recorded(folder, *command, mostly=NAME):
    """What was seen, where most of it must be below one function, and what
    the command said before its summary."""
    output = folder / "x.folded"
    result = lab.record([output], *command)
    for made in result.stdout.split():
        Path(made).unlink(missing_ok=True)
    assert result.returncode == 0, result.stderr
    seen = lab.Folded(output).inclusive()
    _, remarks = lab.summary_and_remarks(result.stderr)
    assert seen[mostly] >= 400e6, (seen, remarks)
    return seen, remarks


def copy_of(name, folder):
    return shutil.copy(lab.program(name), folder / name)


@pytest.mark.parametrize("name", ["places", "places_no_id", "places_far"])
@pytest.mark.parametrize("way", ["stay", "delete", "lift"])
def test_code_has_its_names(tmp_path, name, way):
    recorded(tmp_path, copy_of(name, tmp_path), way)


@pytest.mark.parametrize("name", ["places", "places_no_id"])
def test_a_file_that_gets_the_name_later_is_not_taken_for_it(tmp_path, name):
    program = copy_of(name, tmp_path)
    other = copy_of("places_other", tmp_path)
    seen, _ = recorded(tmp_path, program, "become", other)
    assert OTHER_NAME not in seen


def test_another_build_in_its_place_is_refused_and_said(tmp_path):
    """Nothing is left of what ran: its file was written over."""
    program = copy_of("places", tmp_path)
    recording = tmp_path / "perf.data"
    lab.run(lab.tool("perf"), "--buildid-dir", tmp_path / "ids", "record", "-q",
            "-e", "cpu-clock", "-g", "-o", recording, program, "stay")
    shutil.copyfile(lab.program("places_other"), program)
    output = tmp_path / "x.folded"
    result = lab.run(
        lab.WATCHFIRE, "export", "-i", recording, "-o", output)
    assert result.returncode == 0, result.stderr
    assert "another build than the one that ran" in result.stderr
    seen = lab.Folded(output).inclusive()
    assert NAME not in seen and OTHER_NAME not in seen
    assert any(name.startswith("[places+0x") for name in seen), seen


def test_deleted_at_once_by_the_shell_that_started_it(tmp_path):
    program = copy_of("places", tmp_path)
    recorded(
        tmp_path, "/bin/sh", "-c", f"{program} stay & while [ -e /proc/$!/exe ]"
        f"&& ! [ /proc/$!/exe -ef {program} ]; do :; done; rm {program}; wait")


# ---- file systems of the program's own ----

def test_a_file_that_only_the_program_sees(tmp_path):
    place = tmp_path / "place"
    place.mkdir()
    recorded(tmp_path, *lab.in_own_mounts(
        f"mount -t tmpfs none {place}; cp {lab.program('places')} {place}/x;"
        f"exec {place}/x stay"))
    assert not list(place.iterdir())


def test_another_build_under_the_name_that_the_program_sees(tmp_path):
    place = tmp_path / "place"
    place.mkdir()
    shutil.copy(lab.program("places_other"), place / "x")
    seen, _ = recorded(tmp_path, *lab.in_own_mounts(
        f"mount -t tmpfs none {place}; cp {lab.program('places')} {place}/x;"
        f"exec {place}/x stay"))
    assert OTHER_NAME not in seen


def test_a_file_on_an_overlay(tmp_path):
    base = tmp_path / "base"
    script = (
        f"mkdir {base}; mount -t tmpfs none {base}; cd {base};"
        "mkdir lower upper work merged;"
        f"cp {lab.program('places')} lower/x;"
        "mount -t overlay none -o lowerdir=lower,upperdir=upper,workdir=work "
        "merged; exec merged/x stay")
    command = lab.in_own_mounts(script)
    if lab.run(*lab.in_own_mounts(script.replace("exec", "true"))).returncode != 0:
        pytest.skip("no overlays here")
    base.rmdir()
    recorded(tmp_path, *command)


def test_what_is_kept_does_not_keep_a_file_system_busy(tmp_path):
    place = tmp_path / "place"
    place.mkdir()
    recorded(tmp_path, *lab.in_own_mounts(
        f"mount -t tmpfs none {place}; cp {lab.program('places')} {place}/x;"
        f"{place}/x stay; umount {place}"))


# ---- code made in memory ----

MADE = "made_at_run_time"


def test_code_made_in_memory_has_the_name_that_was_written_down(tmp_path):
    recorded(tmp_path, lab.program("places"), "jit", mostly=MADE)


def in_own_pids(*command):
    lab.need_root()
    words = [lab.tool("unshare"), "--fork", "--pid"]
    if lab.run(*words, "true").returncode != 0:
        pytest.skip("no pid namespaces here")
    return [*words, *command]


@pytest.mark.parametrize("way", ["jit", "jit-apart"])
def test_code_made_by_a_process_that_has_another_pid_inside(tmp_path, way):
    """It writes to perf-2.map, by its own count: 1 is the shell."""
    if os.path.exists("/tmp/perf-2.map"):
        pytest.skip("somebody else has /tmp/perf-2.map")
    recorded(
        tmp_path,
        *in_own_pids("/bin/sh", "-c", f"{lab.program('places')} {way}; :"),
        mostly=MADE)
