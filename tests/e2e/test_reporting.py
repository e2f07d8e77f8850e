"""Continuous profiles to a Sentry backend: LD_PRELOAD and record."""

import collections
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import lab
from sentry_backend import Backend, Nobody

sys.path.insert(0, str(lab.SOURCES.parent / "sentry"))
import call_trees  # noqa: E402


@pytest.fixture
def backend():
    with Backend() as backend:
        yield backend


def settings(backend, tmp_path, **more):
    names = {
        "SENTRY_DSN": backend if isinstance(backend, str) else backend.dsn,
        "WATCHFIRE_SPOOL": str(tmp_path / "spool"),
        "WATCHFIRE_CHUNK": "400ms",
        "WATCHFIRE_FREQUENCY": "997",
        "SENTRY_SHUTDOWN_TIMEOUT": "60",
    }
    return lab.clean_environment(**{**names, **more})


def preload(*command, env, folder):
    return lab.run(
        *command, env={**env, "LD_PRELOAD": str(lab.LIBRARY)}, cwd=folder
    )


def sessions(backend):
    return [json.loads(item.payload) for item in backend.items("session")]


def is_over(backend):
    """All was sent: sessions go before chunks, and the collector ends last."""
    return any(s["status"] != "ok" for s in sessions(backend)) \
        and not lab.collectors()


def payloads(backend):
    """Of chunks. One whose writer or sender ended when it was there already
    comes again, under the same id: a backend takes them for one."""
    return {json.loads(item.payload)["chunk_id"]: item.payload
            for item in backend.items("profile_chunk")}.values()


def chunks(backend):
    return [json.loads(payload) for payload in payloads(backend)]


def times(backend):
    sums = collections.Counter()
    for payload in payloads(backend):
        sums += call_trees.times_by_rule(payload)
    return sums


def build_id(path):
    words = lab.run("readelf", "-n", path).stdout.split()
    return words[words.index("ID:") + 1]


def test_a_preloaded_program_shows_up_with_all_its_time(backend, tmp_path):
    result = preload(
        lab.program("spin"), 1.4, folder=tmp_path,
        env=settings(backend, tmp_path, WATCHFIRE_TAGS="zone=a"),
    )
    assert result.returncode == 0 and result.stderr == ""
    assert backend.wait_for(is_over)
    backend.check()
    assert len({c["profiler_id"] for c in chunks(backend)}) == 1
    assert len({c["chunk_id"] for c in chunks(backend)}) >= 2
    assert all(c["release"] == build_id(lab.program("spin"))
               for c in chunks(backend))
    spent = sum(times(backend).values())
    assert spent / int(result.stdout) == pytest.approx(1, abs=0.03)
    main = sum(ns for path, ns in times(backend).items() if "main" in path)
    assert main / spent > 0.9
    # Reports are the output: no file is left but the spool.
    assert os.listdir(tmp_path) == ["spool"]


def check_measurements(chunks):
    """Once a second: a share of a processor, and the memory of a program."""
    def values(name):
        return [point for chunk in chunks
                for point in chunk.get("measurements", {}).get(
                    name, {"values": []})["values"]]

    cpu, memory = values("cpu_usage"), values("memory_footprint")
    assert len(cpu) == len(memory)
    # Time and usage are read one after the other, on a machine that is busy.
    assert all(0 <= point["value"] < 300 for point in cpu)
    assert all(1e5 < point["value"] < 1e8 for point in memory)
    moments = sorted(point["timestamp"] for point in cpu)
    assert all(b - a > 0.9 for a, b in zip(moments, moments[1:]))


def test_a_session_begins_and_exits_with_the_settings(backend, tmp_path):
    preload(
        lab.program("leave"), 3, folder=tmp_path,
        env=settings(backend, tmp_path, SENTRY_RELEASE="app@2",
                     SENTRY_ENVIRONMENT="staging"),
    )
    assert backend.wait_for(is_over)
    backend.check()
    first, last = sessions(backend)[0], sessions(backend)[-1]
    assert first["init"] and not last["init"] or first is last
    assert first["sid"] == last["sid"] and last["status"] == "exited"
    assert last["attrs"] == {"release": "app@2", "environment": "staging"}


def test_record_reports_what_it_writes(backend, tmp_path):
    folded = tmp_path / "x.folded"
    result = lab.run(
        lab.WATCHFIRE, "record", "-F", 997, "-o", folded, "--",
        lab.program("spin"), 0.7, env=settings(backend, tmp_path),
        cwd=tmp_path,
    )
    assert result.returncode == 0, result.stderr
    assert backend.wait_for(is_over)
    backend.check()
    ours, theirs = call_trees.folded(folded), times(backend)
    count = sum(len(c["profile"]["samples"]) for c in chunks(backend))
    assert not call_trees.compare(ours, theirs, 1000 * (count + 2))
    assert sum(ours.values()) > 0.65e9


def test_record_writes_no_file_of_its_own_beside_reports(backend, tmp_path):
    result = lab.run(
        lab.WATCHFIRE, "record", "--", lab.program("leave"), 3,
        env=settings(backend, tmp_path), cwd=tmp_path,
    )
    assert result.returncode == 3, result.stderr
    assert "at 99 Hz; reported to 127.0.0.1" in result.stderr
    assert os.listdir(tmp_path) == ["spool"]


@pytest.mark.parametrize("how", ["preload", "record"])
def test_a_wrong_dsn_is_said_and_harms_nothing(tmp_path, how):
    env = settings("http://nobody", tmp_path)
    command = [lab.program("leave"), 3]
    if how == "preload":
        result = preload(*command, env=env, folder=tmp_path)
    else:
        result = lab.run(
            lab.WATCHFIRE, "record", "-o", tmp_path / "x.folded", "--",
            *command, env=env,
        )
    assert result.returncode == 3
    said = [line for line in result.stderr.splitlines() if "SENTRY_DSN" in line]
    assert len(said) == 1 and said[0].startswith("watchfire: ")


@pytest.mark.parametrize("name, value", [
    ("SENTRY_SAMPLE_RATE", "most"), ("SENTRY_TRACES_SAMPLE_RATE", "1.5"),
    ("SENTRY_PROFILE_SESSION_SAMPLE_RATE", "-1"),
    ("SENTRY_PROFILE_LIFECYCLE", "always"), ("WATCHFIRE_CHUNK", "2m"),
    ("WATCHFIRE_TAGS", "zone"),
])
def test_a_wrong_setting_is_said_and_harms_nothing(
    backend, tmp_path, name, value
):
    env = settings(backend, tmp_path, **{name: value})
    result = lab.run(
        lab.WATCHFIRE, "record", "-o", tmp_path / "x.folded", "--",
        lab.program("leave"), 3, env=env)
    assert result.returncode == 3
    (said,) = [line for line in result.stderr.splitlines() if name in line
               or value in line]
    assert said.startswith("watchfire: ")
    assert not backend.deliveries


def test_crashes_are_sent_by_their_share_and_all_count(backend, tmp_path):
    env = settings(backend, tmp_path, SENTRY_SAMPLE_RATE="0")
    for _ in range(2):  # the second tells of what the first has counted
        lab.run(
            lab.WATCHFIRE, "record", "--", lab.program("crashes"), "null_write",
            env=env)
    backend.check()
    assert not backend.items("event")
    assert [s["status"] for s in sessions(backend)].count("crashed") == 2
    lost = [
        entry for item in backend.items("client_report")
        for entry in item.json()["discarded_events"]]
    assert {(e["reason"], e["category"]) for e in lost} == {
        ("sample_rate", "error")}


def test_a_process_that_is_not_drawn_has_a_session_only(backend, tmp_path):
    env = settings(backend, tmp_path, SENTRY_PROFILE_SESSION_SAMPLE_RATE="0")
    preload(lab.program("spin"), 0.2, folder=tmp_path, env=env)
    assert backend.wait_for(is_over)
    backend.check()
    assert not chunks(backend)
    # The release is that of a program that was not sampled.
    release = sessions(backend)[0]["attrs"]["release"]
    assert release == build_id(lab.program("spin"))
    result = lab.run(
        lab.WATCHFIRE, "record", "--", lab.program("spin"), 0.2, env=env)
    assert "watchfire: 0 samples of 1 process" in result.stderr
    assert "not drawn" in result.stderr


def test_a_backend_that_is_away_gets_it_all_later(tmp_path):
    with Nobody() as nobody:
        env = settings(nobody, tmp_path, SENTRY_SHUTDOWN_TIMEOUT="0.1")
        result = preload(lab.program("spin"), 0.6, folder=tmp_path, env=env)
        assert result.returncode == 0
        # Both collectors may be at work at once; either sends it all.
        env["SENTRY_SHUTDOWN_TIMEOUT"] = "60"
        check_that_it_comes(nobody.port, int(result.stdout), env, tmp_path)


def check_that_it_comes(port, spent_ns, env, tmp_path):
    with Backend(port=port) as backend:
        preload(lab.program("leave"), 0, folder=tmp_path, env=env)
        # One whose collector ends while its answer is on the way comes twice.
        assert backend.wait_for(
            lambda b: len({s["sid"] for s in sessions(b)
                           if s["status"] == "exited"}) == 2
            and not lab.collectors())
        backend.check()
        spent = sum(times(backend).values())
        assert spent >= spent_ns * 0.97


def test_pid_1_waits_until_its_reports_are_sent(backend, tmp_path):
    """Its collector, and in a container its spool, go with it."""
    env = settings(backend, tmp_path)
    result = lab.run(
        *lab.in_a_namespace("env", f"LD_PRELOAD={lab.LIBRARY}",
                            lab.program("pid1")), env=env)
    assert result.returncode == 0, result.stderr
    backend.check()
    assert any(s["status"] == "exited" for s in sessions(backend))
    assert any("main" in path for path in times(backend))


def writers_of(collector):
    """Its copies, which write chunks; they live for some milliseconds."""
    found = []
    for task in Path(f"/proc/{collector}/task").glob("*"):
        with contextlib.suppress(OSError):
            words = (task / "children").read_text().split()
            found += [int(word) for word in words]
    return found


def test_a_chunk_whose_writer_is_killed_is_written_again(backend, tmp_path):
    """It runs until that has happened, and measurements have come as well."""
    env = settings(backend, tmp_path, WATCHFIRE_CHUNK="200ms",
                   LD_PRELOAD=str(lab.LIBRARY))
    program = subprocess.Popen([lab.program("spin"), "1000"], env=env)
    killed = 0
    try:
        has_measured = backend.wait_for(
            lambda _: any("measurements" in chunk for chunk in chunks(backend)))
        collectors = lab.collectors()  # it, and perhaps a copy
        deadline = time.monotonic() + lab.PATIENCE
        while killed == 0 and time.monotonic() < deadline:
            for writer in [w for c in collectors for w in writers_of(c)]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(writer, signal.SIGKILL)
                    killed += 1
    finally:
        program.terminate()
        _, _, used = os.wait4(program.pid, 0)
        program.returncode = -signal.SIGTERM
    assert killed > 0 and has_measured
    assert backend.wait_for(is_over)
    backend.check()
    assert len(backend.items("profile_chunk")) <= len(chunks(backend)) + killed
    spent_ns = (used.ru_utime + used.ru_stime) * 1e9
    assert sum(times(backend).values()) / spent_ns == pytest.approx(
        1, abs=0.03)
    check_measurements(chunks(backend))


def span_s(data, envelope):
    """Of a recording that grows, from its first sample to the last so far."""
    lab.run(lab.WATCHFIRE, "export", "-i", f"{data}.partial", "-o", envelope)
    times = [
        sample["timestamp"]
        for payload in (call_trees.chunks(envelope)
                        if envelope.exists() else ())
        for sample in json.loads(payload)["profile"]["samples"]]
    return max(times) - min(times) if times else 0


def test_an_exported_envelope_has_the_times_of_the_recording(tmp_path):
    data, folded = tmp_path / "x.data", tmp_path / "x.folded"
    envelope = tmp_path / "x.envelope"
    recorder = lab.start(
        lab.WATCHFIRE, "record", "-o", data, "--", lab.program("spin"), 1000,
        start_new_session=True)
    try:
        # What the program uses is read once a second, before what there is
        # goes to the file.
        is_long = lab.wait_until(
            lambda: span_s(data, tmp_path / "y.envelope") > 2.5)
        os.killpg(recorder.pid, signal.SIGINT)
        recorder.communicate(timeout=lab.PATIENCE)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(recorder.pid, signal.SIGKILL)
        lab.end(recorder)
    assert is_long
    result = lab.run(
        lab.WATCHFIRE, "export", "-i", data, "-o", folded, "-o", envelope)
    assert result.returncode == 0, result.stderr
    sums, count = collections.Counter(), 0
    for payload in call_trees.chunks(envelope):
        sums += call_trees.times_by_rule(payload)
        count += len(json.loads(payload)["profile"]["samples"])
    assert not call_trees.compare(
        call_trees.folded(folded), sums, 1000 * (count + 2))
    assert sums
    chunk = json.loads(next(call_trees.chunks(envelope)))
    assert chunk["measurements"]["memory_footprint"]["values"]
