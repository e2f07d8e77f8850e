"""LD_PRELOAD alone: two environment variables and no command of ours."""

import os

import pytest

import lab


def preload(output, *command, **settings):
    """Run with the library preloaded; stdout, stderr and status as always."""
    variables = {f"WATCHFIRE_{name}": str(value)
                 for name, value in settings.items()}
    if output is not None:
        variables["WATCHFIRE_OUTPUT"] = str(output)
    return lab.run(*command, env=lab.clean_environment(
        LD_PRELOAD=str(lab.LIBRARY), **variables), cwd=os.getcwd())


def appears(path):
    return lab.wait_until(lambda: path.exists() and path.stat().st_size > 0)


def test_the_result_is_that_of_record(tmp_path):
    watched = tmp_path / "x.folded"
    result = preload(watched, lab.program("spin"), 1.5, FREQUENCY=997)
    assert result.returncode == 0
    assert appears(watched)
    folded = lab.Folded(watched)
    assert folded.total() / int(result.stdout) == pytest.approx(1, abs=0.03)
    assert folded.inclusive()["main"] / folded.total() > 0.9
    assert len(result.stderr.splitlines()) <= 1


def test_several_outputs_are_written(tmp_path):
    outputs = [tmp_path / name for name in ("x.svg", "x.folded", "x.data")]
    result = preload(",".join(map(str, outputs)), lab.program("leave"), 3)
    assert result.returncode == 3
    assert all(appears(path) for path in outputs)
    assert lab.is_xml(outputs[0])
    assert lab.report(outputs[2])["total"] == lab.Folded(outputs[1]).total()


def test_the_name_may_hold_pid_program_and_time(tmp_path):
    result = preload(
        tmp_path / "%e.%p.%t.folded", "sh", "-c", "echo $$; exec "
        f"{lab.program('spin')} 0.3")
    assert result.returncode == 0
    pid = result.stdout.split()[0]
    assert lab.wait_until(lambda: list(tmp_path.glob("*.folded")))
    (path,) = tmp_path.glob("*.folded")
    program, number, time, _ = path.name.split(".")
    assert number == pid
    assert program in ("sh", "dash", "spin")
    assert time.strip("0123456789-T:Z_") == ""


def test_the_default_is_a_picture_named_for_program_and_pid(
        tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = preload(None, lab.program("leave"), 0)
    assert result.returncode == 0
    assert lab.wait_until(lambda: list(tmp_path.glob("watchfire.leave.*.svg")))
    (path,) = tmp_path.iterdir()
    assert lab.is_xml(path)


def test_children_belong_to_the_recording(tmp_path):
    path = tmp_path / "x.folded"
    result = preload(path, lab.program("chain"))
    assert result.returncode == 0
    assert result.stdout == lab.run(lab.program("chain")).stdout
    assert appears(path)
    assert list(tmp_path.iterdir()) == [path]
    roots = {stack[0] for stack, _ in lab.Folded(path).stacks}
    # chain itself, by fork, by vfork, by spawn, after a failed exec, sh
    assert len({root for root in roots if root.startswith("chain")}) == 5
    assert any(root.startswith("sh") for root in roots)


def test_it_can_be_switched_off(tmp_path):
    path = tmp_path / "x.folded"
    before = set(lab.collectors())
    result = preload(path, lab.program("leave"), 0, DISABLE=1)
    assert result.returncode == 0
    assert result.stderr == ""
    assert not set(lab.collectors()) - before
    assert not path.exists()


def test_a_duration_is_kept(tmp_path):
    path = tmp_path / "x.folded"
    result = preload(path, lab.program("spin"), 2.5, DURATION="1s")
    assert result.returncode == 0
    assert appears(path)
    assert lab.Folded(path).total() < int(result.stdout) * 0.8


@pytest.mark.parametrize("settings", (
    {"FREQUENCY": "banana"}, {"EVENT": "moon"}, {"DURATION": "-1"},
    {"OUTPUT": "x.bmp"}))
def test_a_setting_it_cannot_read_leaves_the_program_alone(tmp_path, settings):
    result = preload(
        settings.pop("OUTPUT", tmp_path / "x.folded"), lab.program("leave"),
        6, **settings)
    assert result.returncode == 6
    assert result.stdout == ""
    lab.only_sentence(result.stderr)
    assert not list(tmp_path.iterdir())


def test_a_crash_keeps_what_was_sampled(tmp_path):
    path = tmp_path / "x.folded"
    result = preload(path, lab.program("crash"), 11)
    assert result.returncode == -11
    assert appears(path)
    assert lab.Folded(path).inclusive()["main"] > 0


def test_an_output_that_fails_is_said_and_changes_no_status(tmp_path):
    result = preload(tmp_path / "missing" / "x.folded",
                     lab.program("leave"), 0)
    assert result.returncode == 0
    assert not list(tmp_path.iterdir())


def test_the_constructor_leaves_streams_alone(tmp_path):
    result = preload(tmp_path / "x.folded", "cat", "/dev/null")
    assert result.returncode == 0
    assert result.stdout == ""
    assert len(result.stderr.splitlines()) <= 1
