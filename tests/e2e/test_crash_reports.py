"""Crashes: what a Sentry backend is told of them."""

import json
import os

import pytest

import lab
from sentry_backend import Backend

PROGRAM = lab.PROGRAMS / "crashes"


def preload(backend, tmp_path, *command, **more):
    env = lab.clean_environment(**{
        "LD_PRELOAD": str(lab.LIBRARY), "SENTRY_DSN": backend.dsn,
        "WATCHFIRE_SPOOL": str(tmp_path / "spool"),
        "WATCHFIRE_SHUTDOWN_TIMEOUT": "60", **more})
    return lab.run(*command, env=env, cwd=tmp_path)


def events(backend):
    return [json.loads(item.payload) for item in backend.items("event")]


def crashed_sessions(backend):
    return [item for item in backend.items("session")
            if json.loads(item.payload)["status"] == "crashed"]


def test_a_service_that_crashes_shows_up(tmp_path):
    with Backend() as backend:
        result = preload(backend, tmp_path, PROGRAM, "beside_malloc",
                         "my-password", SENTRY_RELEASE="app@1",
                         SENTRY_TAGS="zone=b,shape=round",
                         WATCHFIRE_TAGS="zone=a",
                         WATCHFIRE_FREQUENCY="997")
        assert result.returncode == -11 and result.stderr == ""
        assert backend.wait_for(lambda _: events(backend))
        assert backend.wait_for(lambda _: crashed_sessions(backend))
        assert backend.wait_for(lambda _: backend.items("profile_chunk"))
        backend.check()
        event, = events(backend)
        together = [{item.type for item in envelope.items}
                    for envelope in backend.envelopes()]
        chunks = [json.loads(i.payload)
                  for i in backend.items("profile_chunk")]
    assert {"event", "session"} in together
    assert event["release"] == "app@1"
    assert event["tags"] == {"zone": "a", "shape": "round"}
    assert chunks and all(
        chunk["profiler_id"] == event["contexts"]["profile"]["profiler_id"]
        for chunk in chunks)
    said = json.dumps(event)
    assert "my-password" not in said and os.uname().nodename not in said
    assert "server_name" not in event and "user" not in event


IN_A_HOME = """
mount -t tmpfs none /home && mkdir /home/zaphod && cp "$1" /home/zaphod/app &&
cd /home/zaphod && LD_PRELOAD=$2 exec ./app "$3" my-password
"""


@pytest.mark.parametrize("case", ("null_write", "throws_own"))
def test_nobody_is_named(tmp_path, case):
    """Neither users, machines, arguments nor the environment."""
    lab.need_root()
    with Backend() as backend:
        env = lab.clean_environment(
            SENTRY_DSN=backend.dsn, WATCHFIRE_SPOOL=str(tmp_path / "spool"),
            WATCHFIRE_SHUTDOWN_TIMEOUT="60",
            USER="zaphod", LOGNAME="zaphod", HOME="/home/zaphod",
            A_TOKEN="a-secret")
        result = lab.run(
            lab.tool("unshare"), "--mount", "--uts", "/bin/sh", "-c",
            "hostname magrathea && " + IN_A_HOME.strip(), "sh", PROGRAM,
            lab.LIBRARY, case, env=env)
        assert result.returncode in (-11, -6), result.stderr
        assert backend.wait_for(lambda _: crashed_sessions(backend))
        event, = events(backend)
        assert backend.wait_for(
            lambda _: backend.items("profile_chunk") or not lab.collectors())
        said = b"".join(
            item.payload for kind in ("event", "session", "profile_chunk")
            for item in backend.items(kind)).decode()
    for name in ("zaphod", "magrathea", os.uname().nodename, "my-password",
                 "a-secret", "A_TOKEN"):
        assert name not in said, name
    assert "/home/~/app" in [
        image["code_file"] for image in event["debug_meta"]["images"]]


def test_names_and_arguments_where_they_may_be_told(tmp_path):
    with Backend() as backend:
        preload(backend, tmp_path, PROGRAM, "null_write", "an-argument",
                SENTRY_SEND_DEFAULT_PII="true")
        assert backend.wait_for(lambda _: events(backend))
        event, = events(backend)
    assert event["extra"]["command_line"].endswith("null_write an-argument")


def test_a_crash_loop_does_not_flood(tmp_path):
    with Backend() as backend:
        for _ in range(3):
            preload(backend, tmp_path, PROGRAM, "null_write")
        assert backend.wait_for(lambda _: len(crashed_sessions(backend)) == 3)
        assert len(events(backend)) == 1
        preload(backend, tmp_path, PROGRAM, "divide")
        assert backend.wait_for(lambda _: len(events(backend)) == 2)
        preload(backend, tmp_path, PROGRAM, "null_write",
                WATCHFIRE_CRASH_PAUSE="1ms")
        assert backend.wait_for(lambda _: len(events(backend)) == 3)
        backend.check()
        assert [e["extra"].get("repeats") for e in events(backend)] == [
            None, None, 2]


@pytest.mark.parametrize("command, crashes, status, errors", (
    ([PROGRAM, "null_write"], 1, "crashed", 1),
    ([PROGRAM, "as_daemon"], 1, "crashed", 1),
    ([PROGRAM, "as_worker"], 1, "exited", 1),
    ([PROGRAM, "exits"], 0, "exited", 0),
    ([PROGRAM, "recover_by_mending"], 0, "exited", 0),
    ([PROGRAM, "raw_handler_exits"], 0, "exited", 0),
    # Behind a shell that waits, or becomes the program, or goes on.
    (["/bin/sh", "-c", '"$0" null_write; exit 3', PROGRAM], 1, "crashed", 1),
    (["/bin/sh", "-c", 'exec "$0" null_write', PROGRAM], 1, "crashed", 1),
    (["/bin/sh", "-c", '"$0" null_write; "$0" exits', PROGRAM], 1, "exited",
     1),
    (["/bin/sh", "-c", '"$0" kills_itself; exit 3', PROGRAM], 1, "abnormal",
     1),
))
def test_a_session_ends_as_what_it_was(
        tmp_path, command, crashes, status, errors):
    """One for the program and what it starts, and one end of it."""
    with Backend() as backend:
        preload(backend, tmp_path, *command, SENTRY_RELEASE="app@1")
        assert backend.wait_for(lambda _: len(events(backend)) == crashes)
        assert backend.wait_for(lambda _: any(
            json.loads(item.payload)["status"] != "ok"
            for item in backend.items("session")))
        backend.check()
        told = [json.loads(item.payload) for item in backend.items("session")]
    ends = [one for one in told if one["status"] != "ok"]
    assert len({one["sid"] for one in told}) == 1
    assert sum(one["init"] for one in told) == 1 and told[0]["init"]
    assert [(one["status"], one["errors"]) for one in ends] == [
        (status, errors)]


def test_a_service_that_is_killed_is_no_crash(tmp_path):
    with Backend() as backend:
        preload(backend, tmp_path, PROGRAM, "kills_itself",
                SENTRY_RELEASE="app@1")
        assert backend.wait_for(lambda _: any(
            json.loads(item.payload)["status"] == "abnormal"
            for item in backend.items("session")))
        backend.check()
        event, = events(backend)
        assert not crashed_sessions(backend)
    value = event["exception"]["values"][0]
    assert value["type"] == "SIGKILL"
