"""LD_PRELOAD alone: two environment variables and no command of ours."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

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


def test_a_library_that_was_opened_before_us_may_go(tmp_path):
    """Its frames are read where they are, until it is closed; when it comes
    back to that place they are mapped apart, as of any that may go."""
    others = f"{lab.program('libearly_preload.so')}"
    alone = lab.run(lab.program("early"), env=lab.clean_environment(
        LD_PRELOAD=others))
    result = lab.run(lab.program("early"), env=lab.clean_environment(
        LD_PRELOAD=f"{lab.LIBRARY}:{others}",
        WATCHFIRE_OUTPUT=str(tmp_path / "x.folded")), cwd=tmp_path)
    assert alone.returncode == result.returncode == 0
    without, told = json.loads(alone.stdout), json.loads(result.stdout)
    assert told["is_first"] and told["is_same"]
    assert told["before"] == without["before"] == without["after"]
    assert told["after"] == told["before"] + 1


def test_code_of_libraries_that_audit_the_loader_has_whole_stacks(tmp_path):
    """They are in a name space of their own (rtld-audit(7))."""
    path = tmp_path / "x.folded"
    result = lab.run(lab.program("audited"), env=lab.clean_environment(
        LD_PRELOAD=str(lab.LIBRARY), WATCHFIRE_OUTPUT=str(path),
        WATCHFIRE_FREQUENCY="997",
        LD_AUDIT=str(lab.program("libaudit_library.so"))), cwd=tmp_path)
    assert result.returncode == 0
    assert appears(path)
    # 30 calls of main's, before each of which it computes for 10 ms.
    assert lab.Folded(path).weight(
        lambda stack: "main" in stack and "audit_burn" in stack) > 0.25e9


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
    {"SNAPSHOT": "0"},
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


def parent_of(pid):
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None  # it has ended meanwhile
    return int(stat.rsplit(")", 1)[1].split()[1])


class Service:
    """A program that goes on, with snapshots, and its collector."""

    def __init__(self, outputs, *command, snapshot):
        before = set(lab.collectors())
        self.process = subprocess.Popen(
            [str(word) for word in command], stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, env=lab.clean_environment(
                LD_PRELOAD=str(lab.LIBRARY), WATCHFIRE_FREQUENCY="997",
                WATCHFIRE_SNAPSHOT=snapshot,
                WATCHFIRE_OUTPUT=",".join(map(str, outputs))))
        assert lab.wait_until(lambda: self.leaders() - before)
        (self.collector,) = self.leaders() - before

    @staticmethod
    def leaders():
        """Collectors, without the processes that write their snapshots."""
        found = lab.collectors()
        return {pid for pid in found if parent_of(pid) not in (None, *found)}

    def end(self):
        lab.end(self.process)
        assert lab.wait_until(lambda: self.collector not in lab.collectors())

    def stop_writer(self):
        """Stop the process that writes a snapshot; its pid."""
        children = Path(
            f"/proc/{self.collector}/task/{self.collector}/children")

        def stopped():
            for writer in map(int, children.read_text().split()):
                try:
                    os.kill(writer, signal.SIGSTOP)
                    stat = Path(f"/proc/{writer}/stat").read_text()
                except OSError:
                    continue  # it has ended meanwhile
                if stat.rsplit(")", 1)[1].split()[0] in "tT":
                    return writer
            return 0

        assert lab.wait_until(stopped)
        return stopped()


def test_what_there_is_so_far_outlives_a_kill(tmp_path):
    svg, folded, data = (
        tmp_path / name for name in ("x.svg", "x.folded", "x.data"))
    service = Service(
        (svg, folded, data), lab.program("spin"), 600, snapshot="0.3s")
    try:
        totals = []

        def grows():
            if folded.exists():
                # Each is whole, whenever one looks.
                totals.append(lab.Folded(folded).total())
                assert lab.is_xml(svg)
            return totals and totals[-1] > totals[0] and totals[-1] > 0.2e9

        assert lab.wait_until(grows)
        os.kill(service.collector, signal.SIGKILL)
        assert lab.wait_until(
            lambda: service.collector not in lab.collectors())
        assert lab.Folded(folded).total() >= totals[-1]
        assert lab.Folded(folded).inclusive()["main"] > 0
        assert lab.is_xml(svg)
        # A recording is never copied: it can be read as it grows.
        assert not data.exists()
        assert lab.report(f"{data}.partial")["total"] >= totals[-1]
        assert service.process.poll() is None
    finally:
        service.end()


def test_the_outputs_at_the_end_are_the_last(tmp_path):
    path = tmp_path / "x.folded"
    service = Service((path,), lab.program("spin"), 600, snapshot="1ms")
    try:
        assert appears(path)
        writer = service.stop_writer()
        service.process.terminate()
        service.process.wait(lab.PATIENCE)
        time.sleep(1)  # in which who does not wait would have ended
        assert service.collector in lab.collectors()
        os.kill(writer, signal.SIGCONT)
        assert lab.wait_until(
            lambda: service.collector not in lab.collectors())
        # Only then is the account closed.
        assert lab.Folded(path).account() > 0
        assert list(tmp_path.iterdir()) == [path]
    finally:
        service.end()


def test_snapshots_can_be_switched_off(tmp_path):
    path = tmp_path / "x.folded"
    result = preload(path, lab.program("leave"), 5, SNAPSHOT="off")
    assert result.returncode == 5
    assert result.stderr == ""
    assert appears(path)
